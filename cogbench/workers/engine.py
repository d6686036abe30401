"""Run cells: inline, on this machine's processes, or on a cluster. Scheduling and retries are dask.distributed's."""

import logging
import traceback
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from weakref import finalize

from ..compute.workspace import Cell, Step, Workspace
from ..errors import CogbenchError
from ..storage.locks import needing
from .spread import Room, by_workers, class_of_script, computed_here, expected_work, inline

log = logging.getLogger("cogbench")


@dataclass
class Outcome:
    """What became of the cells of a run."""

    cached: set[Cell] = field(default_factory=set)
    computed: set[Cell] = field(default_factory=set)
    failed: dict[Cell, Exception] = field(default_factory=dict)
    logs: dict[Cell, Path] = field(default_factory=dict)  # of what is no mistake of the user's

    def reason(self, cell: Cell) -> str:
        """Return in a line without a full stop why a cell failed, and where the whole story is."""
        error = self.failed[cell]
        lines = str(error).strip().splitlines() or [type(error).__name__]
        if isinstance(error, CogbenchError):
            return lines[0].rstrip(".")
        return lines[-1] + (f" (its log: {self.logs[cell]})" if cell in self.logs else "")


def plan(cells: Iterable[Cell], workspace: Workspace) -> tuple[list[Cell], set[Cell]]:
    """Return the missing cells, inputs first, and those already in the store; what only they need is left out."""
    missing: dict[Cell, None] = {}
    stored: set[Cell] = set()

    def visit(cell: Cell) -> None:
        if cell in missing or cell in stored:
            return
        if workspace.has(cell):
            stored.add(cell)
            return
        for needed in cell.inputs(workspace):
            visit(needed)
        missing[cell] = None

    for cell in cells:
        visit(cell)
    return list(missing), stored


def compute(cells: Iterable[Cell], workspace: Workspace) -> Outcome:
    """Compute what is missing of these cells; a failed cell fails what builds on it, and the others go on.

    Parameters
    ----------
    cells : iterable of Cell
        What is asked for; inputs are found from them.
    workspace : Workspace
        Where they are keyed and kept, and by which processes they are computed.
    """
    missing, stored = plan(cells, workspace)
    outcome = Outcome(cached=stored)
    spared = ExitStack()  # as long as the workspace lives, for what is computed is read later
    spared.enter_context(needing(workspace.store.root, [workspace.key(cell) for cell in (*missing, *stored)]))
    finalize(workspace, spared.close)
    if not missing:
        return outcome
    workspace.store.check_writable()
    work = expected_work(missing, workspace)
    whole, spent = sum(work.values()), 0.0
    wants_workers = workspace.scheduler or workspace.jobs != 0
    if wants_workers and (name := next(filter(None, map(class_of_script, missing)), None)):
        log.warning(
            f"class {name} stands in a script, which workers do not run: its cells are computed in this process; "
            "workers compute those of a class in a module of its own."
        )
    in_workers = wants_workers and not all(map(computed_here, missing))
    report = workspace.tell or (lambda step: None)
    report(Step(place="", done=0, failed=0, running=0, total=len(missing), share=0.0))
    room = Room(workspace, stored)
    run = by_workers(missing, work, room) if in_workers else inline(missing, room)
    with closing(run):  # ends the workers, whatever happens
        for done, (cell, error, running) in enumerate(run, start=1):
            spent += work[cell]
            if error is None:
                outcome.computed.add(cell)
            else:
                outcome.failed[cell] = error
                if not isinstance(error, CogbenchError):
                    text = "".join(traceback.format_exception(error))
                    if file := workspace.store.log(cell.place, workspace.key(cell), text):
                        outcome.logs[cell] = file
            report(
                Step(
                    place=cell.place,
                    done=done,
                    failed=len(outcome.failed),
                    running=running,
                    total=len(missing),
                    share=spent / whole,
                )
            )
    return outcome
