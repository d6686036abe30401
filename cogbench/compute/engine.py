"""Run cells: inline, on this machine's processes, or on a cluster. Scheduling and retries are dask.distributed's."""

import traceback
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CogbenchError
from .spread import Room, by_workers, expected_work, inline
from .workspace import Cell, Workspace


@dataclass(frozen=True)
class Step:
    """How far a computation is: what has just ended, the cells done (of them failed), running and in all."""

    place: str
    done: int
    failed: int
    running: int
    total: int
    share: float  # of the work, by what trainings are expected to take: from 0 to 1


Tell = Callable[[Step], None]


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
    there: set[Cell] = set()

    def visit(cell: Cell) -> None:
        if cell in missing or cell in there:
            return
        if workspace.has(cell):
            there.add(cell)
            return
        for needed in cell.inputs():
            visit(needed)
        missing[cell] = None

    for cell in cells:
        visit(cell)
    return list(missing), there


def compute(
    cells: Iterable[Cell],
    workspace: Workspace,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    tell: Tell | None = None,
) -> Outcome:
    """Compute what is missing of these cells; a failed cell fails what builds on it, and the others go on.

    Parameters
    ----------
    cells : iterable of Cell
        What is asked for; inputs are found from them.
    workspace : Workspace
        Where they are keyed and kept.
    jobs : int, optional
        Worker processes on this machine; 0 computes in this process; None chooses by cores and free memory.
    scheduler : str, optional
        Address of a dask scheduler whose workers compute instead.
    tell : callable, optional
        Called with a `Step` at the start and after each cell.
    """
    missing, there = plan(cells, workspace)
    outcome = Outcome(cached=there)
    if not missing:
        return outcome
    work = expected_work(missing, workspace)
    whole, spent = sum(work.values()), 0.0
    workers = scheduler or (jobs != 0 and not all(getattr(cell, "here", False) for cell in missing))
    report = tell or (lambda step: None)
    report(Step("", 0, 0, 0, len(missing), 0.0))
    room = Room(workspace, there)
    run = by_workers(missing, work, room, jobs, scheduler) if workers else inline(missing, room)
    with closing(run):  # ends the workers, whatever happens
        for done, (cell, error, running) in enumerate(run, start=1):
            spent += work[cell]
            if error is None:
                outcome.computed.add(cell)
            else:
                outcome.failed[cell] = error
                if not isinstance(error, CogbenchError):
                    text = "".join(traceback.format_exception(error))
                    if log := workspace.store.log(cell.place, workspace.key(cell), text):
                        outcome.logs[cell] = log
            report(Step(cell.place, done, len(outcome.failed), running, len(missing), spent / whole))
    return outcome
