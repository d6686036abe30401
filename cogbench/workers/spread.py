"""Hand the cells of a run to the workers of a scheduler, or compute them inline; retries are dask.distributed's."""

import logging
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import islice
from typing import Any, TypeVar

from ..compute.cells import Training
from ..compute.workspace import Cell, Workspace
from ..errors import ENDS_RUN, CogbenchError, MissingData, UnusableData
from ..parts.interfaces import Backbone
from .cluster import client_of, fitting
from .worker import Refusal, in_worker, request

log = logging.getLogger("cogbench")
WATCH = 2  # seconds between two looks at whether the scheduler still has workers
ARRIVAL = 10  # seconds: shared file systems show what another machine has written with some delay
T = TypeVar("T")
# A cell that has ended, its error, and how many cells are running; without a cell, that the first ones are.
Ended = tuple[Cell | None, Exception | None, int]


def expected_work(missing: list[Cell], workspace: Workspace) -> dict[Cell, float]:
    """Return how long the cells take, in a unit of their own; what is no training, as long as the least of them."""
    work = _ask_trainings(Training.work, missing, workspace)
    least = min(work.values(), default=1.0)
    return {cell: work.get(cell, least) for cell in missing}


def workers_for(missing: Iterable[Cell], workspace: Workspace) -> int:
    """Return how many workers fit this machine, by the largest batch of these trainings."""
    return fitting(max(_ask_trainings(Training.tokens, missing, workspace).values(), default=0))


def _ask_trainings(
    question: Callable[[Training, Workspace], T], cells: Iterable[Cell], workspace: Workspace
) -> dict[Cell, T]:
    """Return what the trainings among some cells answer; one that raises an error does so again when it is computed."""
    answers: dict[Cell, T] = {}
    for cell in cells:
        if isinstance(cell, Training):
            with suppress(Exception):
                answers[cell] = question(cell, workspace)
    return answers


class DiskRoom:
    """Whether what is to be computed will fit on the disk, judged by trainings of the same backbones.

    A training that fills the disk is lost, so it is better not begun. Where no training of a backbone is finished, its
    size is not known; then the store finds out.
    """

    def __init__(self, workspace: Workspace, cells: Iterable[Cell]) -> None:
        self.workspace = workspace
        self._sizes: dict[Backbone, int] = {}
        for cell in cells:
            self.learn(cell)

    def learn(self, cell: Cell) -> None:
        """Remember how large a finished training is."""
        if isinstance(cell, Training) and not cell.recipe.start and cell.backbone not in self._sizes:
            self._sizes[cell.backbone] = self.workspace.store.size(cell.place, self.workspace.key(cell))

    def lacks(self, cell: Cell, running: Iterable[Cell] = ()) -> bool:
        """Whether there is too little room to begin a cell beside those that are running."""
        sizes = [self._sizes.get(c.backbone, 0) for c in (cell, *running) if isinstance(c, Training)]
        return sum(sizes) > 0 and self.workspace.store.free() < sum(sizes)


def inline(missing: list[Cell], room: DiskRoom) -> Generator[Ended]:
    """Compute cells in this process, one after the other."""
    failures: dict[Cell, Exception] = {}
    for cell in missing:
        broken = next((c for c in cell.inputs(room.workspace) if c in failures), None)
        try:
            if broken is not None:
                raise failures[broken]
            if room.lacks(cell):
                raise room.workspace.store.full()
            room.workspace.folder(cell)
        except ENDS_RUN:
            raise
        except Exception as error:  # one cell's failure, whatever it is, must not lose the others
            failures[cell] = error
            yield cell, error, 1
        else:
            room.learn(cell)
            yield cell, None, 1


def must_run_here(cell: Cell) -> bool:
    """Whether a cell must run in this process: it says so, or a part of it is a class that no worker can import."""
    return getattr(cell, "runs_here", False) or script_class(cell) is not None


def script_class(value: Any) -> str | None:
    """Return the name of a class among a cell's parts that the running script defines, or None."""
    if isinstance(value, tuple):
        return next(filter(None, map(script_class, value)), None)
    if not is_dataclass(value):
        return None
    if type(value).__module__ == "__main__":
        return type(value).__qualname__
    return next(filter(None, (script_class(getattr(value, f.name)) for f in fields(value))), None)


def wanted_workers(missing: list[Cell], workspace: Workspace) -> int:
    """Return how many workers of this machine are to compute cells; 0 if they are a scheduler's."""
    return 0 if workspace.scheduler else min(workspace.jobs or workers_for(missing, workspace), len(missing))


def by_workers(missing: list[Cell], work: dict[Cell, float], room: DiskRoom, n_workers: int) -> Generator[Ended]:
    """Compute cells in so many worker processes of this machine, or in those of the scheduler."""
    scheduler = room.workspace.scheduler
    with client_of(n_workers, scheduler) as (client, deaths):
        # The longest first, or the last one runs alone while the other workers have nothing left to do.
        cells = sorted(missing, key=lambda cell: -work[cell])
        yield from _Spread(_Workers(client, scheduler), deaths, room, cells).run()


class _Ending(Enum):
    """How a cell has ended on a worker; it is done, or failed, or waits again."""

    DONE = "its result is in the store"
    FAILED = "it raised an error, or its workers died"
    REFUSED = "the worker would compute another cell"
    ELSEWHERE = "another run computes it"
    NOT_KEPT = "there is no room for its result, or no store"
    LOST = "the scheduler is gone"


class _Spread:
    """The cells of a run among its workers: those that wait, those that run, and those that failed."""

    def __init__(self, workers: "_Workers", deaths: list[str], room: DiskRoom, missing: Iterable[Cell]) -> None:
        from distributed import as_completed

        self.workers, self.deaths, self.room, self.workspace = workers, deaths, room, room.workspace
        self.waiting = dict.fromkeys(missing)
        self.running: dict[str, Cell] = {}  # by the keys of their futures
        self.futures = as_completed(loop=workers.client.loop)
        self.failures: dict[Cell, Exception] = {}
        self.elsewhere: set[Cell] = set()  # cells that workers left to another run
        self.end: CogbenchError | None = None  # what all that is left would meet too

    def run(self) -> Generator[Ended]:
        """Yield each cell that is done or failed, and before them that the first ones run."""
        yield from self.begin()
        yield None, None, len(self.running)
        while self.waiting or self.running:
            yield from self.begin()
            if not self.running:
                self.rest()
                continue
            future = self.next_future()
            cell = self.running.pop(future.key)
            match self.settle(cell, future):
                case _Ending.DONE | _Ending.FAILED:
                    following = [*self.begin()]  # the worker has its next cell before anybody hears of this one
                    yield cell, self.failures.get(cell), len(self.running)
                    yield from following
                case _Ending.REFUSED | _Ending.ELSEWHERE | _Ending.NOT_KEPT:
                    self.waiting[cell] = None
                case _Ending.LOST:
                    raise MissingData(
                        "the connection to the dask scheduler was lost; what was finished is kept, the same command "
                        "goes on from there."
                    )

    def settle(self, cell: Cell, future: Any) -> _Ending:
        """Return how a cell has ended, and note what that means for the others."""
        if future.status == "cancelled":
            return _Ending.LOST
        if future.status == "finished" and not future.result():
            self.elsewhere.add(cell)
            return _Ending.ELSEWHERE
        if future.status == "finished":
            if self.workers.scheduler:
                _await(cell, self.workspace)
            self.room.learn(cell)
            return _Ending.DONE
        error = _explain(future.exception(), self.deaths)
        if isinstance(error, Refusal):
            self.workers.leave_out(error)
            return _Ending.REFUSED
        if isinstance(error, ENDS_RUN):
            self.end = error  # nothing more begins; what runs may yet end well
            return _Ending.NOT_KEPT
        self.failures[cell] = error
        return _Ending.FAILED

    def begin(self) -> Iterator[Ended]:
        """Begin what can begin now; yield the cells that end at once: computed here, or without an input."""
        self.workers.look()
        yield from self.fail_dependents()
        for cell, wait in [*islice(self.candidates(), max(0, self.workers.slots() - len(self.running)))]:
            # A scheduler's workers may write to another disk: there the store alone looks.
            lacking = not self.workers.scheduler and self.room.lacks(cell, self.running.values())
            if lacking and not self.running:
                self.end = self.workspace.store.full()
            if lacking or self.end is not None:
                return
            del self.waiting[cell]
            if must_run_here(cell):
                yield from self.compute_here(cell)
                continue
            key = f"{cell.place}-{self.workspace.key(cell)}-{uuid.uuid4().hex[:8]}"  # two runs may share a scheduler
            self.running[key] = cell
            self.futures.add(self.workers.submit(key, request(cell, self.workspace), wait))

    def fail_dependents(self) -> Iterator[Ended]:
        """Fail the cells that have a failed input, and those that build on them."""
        while self.failures and (broken := {cell: e for cell in self.waiting if (e := self.error_of_input(cell))}):
            for cell, error in broken.items():
                del self.waiting[cell]
                self.failures[cell] = error
                yield cell, error, len(self.running)

    def error_of_input(self, cell: Cell) -> Exception | None:
        """Return the error of an input that failed, or None."""
        return next((self.failures[needed] for needed in cell.inputs(self.workspace) if needed in self.failures), None)

    def candidates(self) -> Iterator[tuple[Cell, bool]]:
        """Yield what can begin, and whether to wait for another run that computes it: only if nothing else is left."""
        foreign, idle = list[Cell](), not self.running
        for cell in self.waiting:
            if any(c in self.running.values() or c in self.waiting for c in cell.inputs(self.workspace)):
                continue
            if cell in self.elsewhere or self.workspace.store.busy(self.workspace.key(cell)):
                foreign.append(cell)
            else:
                idle = False
                yield cell, False
        if idle:
            yield from ((cell, True) for cell in foreign)

    def compute_here(self, cell: Cell) -> Iterator[Ended]:
        """Compute in this process a cell that cannot cross to another."""
        try:
            for _, error, running in inline([cell], self.room):
                if error is not None:
                    self.failures[cell] = error
                yield cell, error, running
        except ENDS_RUN as error:
            self.end, self.waiting[cell] = error, None

    def rest(self) -> None:
        """While no cell runs, end on a full disk or without a store, or wait for a worker that does not refuse."""
        if self.end is not None:
            raise self.end
        if self.waiting and self.workers.refusals:
            if self.workers.seen <= self.workers.refusals.keys():
                raise UnusableData(f"no worker is left: {[*self.workers.refusals.values()][-1]}")
            time.sleep(1)

    def next_future(self) -> Any:
        """Return the next future that has ended, and look at times whether there still are workers."""
        last_look = time.monotonic()
        while not self.futures.has_ready():
            with self.futures.thread_condition:
                self.futures.thread_condition.wait(timeout=0.1)  # as it does itself
            if time.monotonic() - last_look > WATCH:
                self.workers.look()
                last_look = time.monotonic()
        return next(self.futures)


class _Workers:
    """The workers of a dask scheduler, of this machine or of the address that is given."""

    def __init__(self, client: Any, scheduler: str | None) -> None:
        self.client, self.scheduler = client, scheduler
        self.present: dict[str, Any] = {}  # what the scheduler says of each worker, by address
        self.fit: list[str] = []  # addresses of those present that have not refused
        self.seen: set[str] = set()  # addresses of all workers there ever were
        self.refusals: dict[str, str] = {}  # by address, how workers of other versions differ
        self.warned = False

    def look(self) -> None:
        """Ask which workers there are; warn once when a scheduler has none."""
        self.present = self.client.scheduler_info(n_workers=-1)["workers"]
        self.fit = [address for address in self.present if address not in self.refusals]
        self.seen |= self.present.keys()
        if self.scheduler and not self.present and not self.warned:
            log.warning(
                f"the dask scheduler at {self.scheduler!r} has no workers: waiting for one (where cogbench is not "
                "installed they end at once)."
            )
        self.warned = not self.present

    def slots(self) -> int:
        """Return how many cells may run: one for each worker that fits, or one that waits for the first worker.

        dask blames all that is queued on a worker for that worker's death, and would fail cells that never began.
        """
        # Where some refuse, dask would give them the cell that waits.
        return len(self.fit) if self.refusals else max(1, len(self.fit))

    def submit(self, key: str, job: str, wait: bool) -> Any:
        """Return the future of a cell that a worker computes."""
        resources = {"GPU": 1} if any(state["resources"].get("GPU") for state in self.present.values()) else None
        # If all that are fit die, dask asks the others, who refuse again; else it would wait for ever for addresses
        # that nobody has any more.
        where: dict[str, Any] = {"workers": self.fit, "allow_other_workers": True} if self.refusals else {}
        return self.client.submit(in_worker, job, wait, key=key, pure=False, resources=resources, **where)

    def leave_out(self, refusal: Refusal) -> None:
        """Give a worker that has refused a cell no other one while there are workers that fit."""
        if refusal.worker not in self.refusals:
            log.warning(f"worker {refusal.worker} is left out: {refusal.reason}")
        self.refusals[refusal.worker] = refusal.reason


def _await(cell: Cell, workspace: Workspace) -> None:
    """Return when a result that a worker has written is visible from here."""
    end = time.monotonic() + ARRIVAL
    while not workspace.store.arrived(cell.place, workspace.key(cell)):
        if time.monotonic() > end:
            raise MissingData(
                f"a worker has finished {cell.place}, but it is not in the store {workspace.store.address!r} here: "
                "let COGBENCH_HOME be the same shared folder everywhere, or COGBENCH_STORE a URL."
            )
        time.sleep(0.2)


def _explain(error: Exception, deaths: list[str]) -> Exception:
    """Return why a cell failed; if its workers died, with the last message about a death."""
    from distributed import KilledWorker

    if not isinstance(error, KilledWorker):
        return error
    last = next((f" (last: {message})" for message in reversed(deaths) if message.startswith("Worker process ")), "")
    times = getattr(error, "allowed_failures", 1) + 1
    return RuntimeError(f"{times} worker processes died while they computed it{last}; was the memory full?")
