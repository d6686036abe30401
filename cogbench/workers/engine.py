"""Run cells in this process, in several processes, or on a cluster; dask.distributed schedules them and tries again."""

import logging
import traceback
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import finalize

from ..compute.workspace import Cell, Step, Workspace
from ..errors import CogbenchError, missing_package
from ..storage.locks import kept_from_pruning
from ..text import first_line, in_time
from .spread import DiskRoom, by_workers, expected_work, inline, must_run_here, script_class, wanted_workers

log = logging.getLogger("cogbench")


@dataclass
class Outcome:
    """Which cells of a run were in the store, which were computed, and which failed."""

    cached: set[Cell] = field(default_factory=set)
    computed: set[Cell] = field(default_factory=set)
    failed: dict[Cell, Exception] = field(default_factory=dict)
    logs: dict[Cell, Path] = field(default_factory=dict)  # of errors that are no mistake of the user

    def reason(self, cell: Cell) -> str:
        """Return one line, without a full stop, that says why a cell failed and where its log is."""
        error = self.failed[cell]
        if isinstance(error, ModuleNotFoundError):
            error = missing_package(error) or error
        lines = str(error).strip().splitlines() or [""]
        if isinstance(error, CogbenchError):
            return lines[0].rstrip(".")
        # Messages of other libraries often end with the reason.
        reason = f"{type(error).__name__}: {lines[-1]}".rstrip(".: ")
        return reason + (f" (its log: {self.logs[cell]})" if cell in self.logs else "")


def plan(cells: Iterable[Cell], workspace: Workspace) -> tuple[list[Cell], set[Cell]]:
    """Return the missing cells, inputs first, and the stored cells; inputs that only stored cells need are left out."""
    missing: dict[Cell, None] = {}  # in the order in which they can be computed
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
    """Compute the missing cells. If a cell fails, the cells that need it fail too, and all others are computed.

    Parameters
    ----------
    cells : iterable of Cell
        The cells that are wanted; their inputs are computed too.
    workspace : Workspace
        Gives each cell its key, holds the store, and says which processes compute.
    """
    missing, stored = plan(cells, workspace)
    outcome = Outcome(cached=stored)
    protection = ExitStack()  # ends with the workspace: these cells are read after this function has returned
    protection.enter_context(
        kept_from_pruning(workspace.store.root, [workspace.key(cell) for cell in (*missing, *stored)])
    )
    finalize(workspace, protection.close)
    if not missing:
        return outcome
    workspace.store.check_writable()
    work = expected_work(missing, workspace)
    total_work, work_done = sum(work.values()), 0.0
    wants_workers = workspace.scheduler or workspace.jobs != 0  # jobs=0 computes in this process
    script_classes = [name for cell in missing if (name := script_class(cell))]
    if wants_workers and script_classes:
        log.warning(
            f"class {script_classes[0]} is defined in a script, and workers cannot import it: its cells are computed "
            "in this process. Workers compute them if the class stands in a module that the script imports."
        )
    uses_workers = wants_workers and any(not must_run_here(cell) for cell in missing)
    report = workspace.progress or (lambda step: None)
    begin = Step(place="", done=0, failed=0, running=1, total=len(missing), share=0.0)
    log.info(f"{len(stored)} units of work are in the store, {len(missing)} are to be computed")
    room, n_workers = DiskRoom(workspace, stored), wanted_workers(missing, workspace) if uses_workers else 0
    if uses_workers:
        starting = f"starting {n_workers} worker{'s' * (n_workers > 1)}" if n_workers else "waiting for workers"
        report(replace(begin, running=0, phase=f"{starting}, loading data"))
        ended = by_workers(missing, work, room, n_workers)
    else:
        report(begin)
        ended = inline(missing, room)
    done = 0
    with closing(ended):  # stops the workers, also after an error or Ctrl-C
        for cell, error, running in ended:
            if cell is None:
                report(replace(begin, running=running))
                continue
            done, work_done = done + 1, work_done + work[cell]
            if error is None:
                outcome.computed.add(cell)
                log.info(f"computed {cell.place}{_time(cell, workspace)}")
            else:
                outcome.failed[cell] = error
                log.info(f"failed {cell.place}: {first_line(error)}")
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
                    share=work_done / total_work,
                )
            )
    return outcome


def _time(cell: Cell, workspace: Workspace) -> str:
    """Return in words what a cell took, where the store knows it."""
    seconds = workspace.seconds(cell)
    return "" if seconds is None else f" in {in_time(seconds)} of the processor"
