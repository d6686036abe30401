"""Run cells inline, on this machine's processes, or on a cluster."""

import logging
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

from ..errors import FullDisk, MissingData, UnusableData
from ..parts.interfaces import Backbone
from .cells import Training
from .cluster import client_of, fitting
from .worker import Refusal, in_worker, request
from .workspace import Cell, Workspace

log = logging.getLogger("cogbench")
T = TypeVar("T")
WATCH = 2  # seconds after which it is looked whether there still are workers
ARRIVAL = 10  # seconds: shared file systems show what another machine has written with some delay


def _work(missing: list[Cell], workspace: Workspace) -> dict[Cell, float]:
    """Return how long the cells take, in a unit of their own; what is no training, as long as the least of them."""
    known = _of_trainings(Training.work, missing, workspace)
    least = min(known.values(), default=1.0)
    return {cell: known.get(cell, least) for cell in missing}


def workers_for(missing: Iterable[Cell], workspace: Workspace) -> int:
    """Return how many workers fit this machine, by the largest batch of these trainings."""
    return fitting(max(_of_trainings(Training.tokens, missing, workspace).values(), default=0))


def _of_trainings(
    ask: Callable[[Training, Workspace], T], cells: Iterable[Cell], workspace: Workspace
) -> dict[Cell, T]:
    """Return what the trainings among some cells answer; of those that cannot it is told when their turn comes."""
    known: dict[Cell, T] = {}
    for cell in cells:
        if isinstance(cell, Training):
            with suppress(Exception):
                known[cell] = ask(cell, workspace)
    return known


class _Room:
    """Whether what is to be computed will fit on the disk, judged by trainings of the same backbones.

    A training that finds the disk full is lost, so it is better not begun. Of a backbone that no training is known of,
    nothing is known; it is for the store to see then.
    """

    def __init__(self, workspace: Workspace, there: Iterable[Cell]) -> None:
        self.workspace = workspace
        self._sizes: dict[Backbone, int] = {}
        for cell in there:
            self.learn(cell)

    def learn(self, cell: Cell) -> None:
        """Remember how large a finished training is."""
        if isinstance(cell, Training) and not cell.recipe.start and cell.backbone not in self._sizes:
            self._sizes[cell.backbone] = self.workspace.store.size(cell.place, self.workspace.key(cell))

    def lacks(self, cell: Cell, running: Iterable[Cell] = ()) -> bool:
        """Whether there is too little room to begin a cell beside those that are running."""
        wanted = [self._sizes.get(c.backbone, 0) for c in (cell, *running) if isinstance(c, Training)]
        return sum(wanted) > 0 and self.workspace.store.free() < sum(wanted)


def _inline(missing: list[Cell], room: _Room) -> Generator[tuple[Cell, Exception | None, int]]:
    failed: dict[Cell, Exception] = {}
    for cell in missing:
        broken = next((c for c in cell.inputs() if c in failed), None)
        try:
            if broken is not None:
                raise failed[broken]
            if room.lacks(cell):
                raise room.workspace.store.full()
            room.workspace.folder(cell)
        except FullDisk:
            raise
        except Exception as error:  # one cell's failure, whatever it is, must not lose the others
            failed[cell] = error
            yield cell, error, 1
        else:
            room.learn(cell)
            yield cell, None, 1


def _by_workers(
    missing: list[Cell], work: dict[Cell, float], room: _Room, jobs: int | None, scheduler: str | None
) -> Generator[tuple[Cell, Exception | None, int]]:
    n_workers = 0 if scheduler else min(jobs or workers_for(missing, room.workspace), len(missing))
    with client_of(n_workers, scheduler) as (client, deaths):
        # The longest first, or the last one runs alone while the other workers have nothing left to do.
        yield from _Spread(client, deaths, scheduler, room, sorted(missing, key=lambda cell: -work[cell])).run()


class _Spread:
    """The cells of a run among the workers of a dask scheduler, of this machine or of the address that is given."""

    def __init__(
        self, client: Any, deaths: list[str], scheduler: str | None, room: _Room, missing: Iterable[Cell]
    ) -> None:
        from distributed import as_completed

        self.client, self.deaths, self.scheduler, self.room = client, deaths, scheduler, room
        self.workspace = room.workspace
        self.waiting = dict.fromkeys(missing)
        self.of: dict[str, Cell] = {}  # what runs, by the names of its futures
        self.running = as_completed()
        self.failed: dict[Cell, Exception] = {}
        self.elsewhere: set[Cell] = set()  # that a worker has found another run to compute
        self.refusing: dict[str, str] = {}  # workers of other versions, and how they differ
        self.seen: set[str] = set()  # all workers there ever were
        self.empty = False  # whether there were no workers when last looked
        self.full: FullDisk | None = None

    def run(self) -> Generator[tuple[Cell, Exception | None, int]]:
        """Yield each cell that has ended, with its error, and how many are running."""
        while self.waiting or self.of:
            yield from self.feed()
            if not self.of:
                if self.full is not None:
                    raise self.full
                if self.waiting and self.refusing:
                    if self.seen <= self.refusing.keys():
                        raise UnusableData(f"no worker is left: {[*self.refusing.values()][-1]}")
                    time.sleep(1)  # until one comes that is as it should be
                continue
            future = self.ended()
            cell = self.of.pop(future.key)
            if future.status == "cancelled":
                raise MissingData(
                    "the connection to the dask scheduler was lost; what was finished is kept, the same command goes "
                    "on from there."
                )
            if future.status == "finished" and not future.result():
                self.waiting[cell] = None
                self.elsewhere.add(cell)
                continue
            error = None if future.status == "finished" else _told(future.exception(), self.deaths)
            if isinstance(error, Refusal):
                address, why = error.args
                if address not in self.refusing:
                    log.warning(f"worker {address} is left out: {why}")
                self.refusing[address] = why
                self.waiting[cell] = None
                continue
            if isinstance(error, FullDisk):  # the others may yet end well
                self.full = error
                self.waiting[cell] = None
                continue
            if error is None:
                if self.scheduler:
                    _await(cell, self.workspace)
                self.room.learn(cell)
            else:
                self.failed[cell] = error
            after = [*self.feed()]  # its worker has the next cell before anybody is told
            yield cell, error, len(self.of)
            yield from after

    def feed(self) -> Iterator[tuple[Cell, Exception | None, int]]:
        """Submit what can begin now; yield what was done on the way."""
        known = self.workers()
        fit = [address for address in known if address not in self.refusing]
        while self.failed and (lost := [c for c in self.waiting if any(i in self.failed for i in c.inputs())]):
            for cell in lost:
                del self.waiting[cell]
                self.failed[cell] = next(self.failed[i] for i in cell.inputs() if i in self.failed)
                yield cell, self.failed[cell], len(self.of)
        # As many cells as there are workers: dask blames all that is queued on a worker for that worker's death, and
        # would fail cells that never began.
        most = len(fit) if self.refusing else max(1, len(fit))
        for cell, wait in [*islice(self.chosen(), max(0, most - len(self.of)))]:
            lacking = not self.scheduler and self.room.lacks(
                cell, self.of.values()
            )  # another machine's disk is its own
            if lacking and not self.of:
                self.full = self.workspace.store.full()
            if lacking or self.full is not None:
                return
            del self.waiting[cell]
            if not getattr(cell, "here", False):
                self.submit(cell, wait, known, fit)
                continue
            try:
                for here in _inline([cell], self.room):
                    if here[1] is not None:
                        self.failed[cell] = here[1]
                    yield here
            except FullDisk as error:
                self.full, self.waiting[cell] = error, None

    def submit(self, cell: Cell, wait: bool, known: dict[str, Any], fit: list[str]) -> None:
        """Have a worker compute a cell."""
        key = f"{cell.place}-{self.workspace.key(cell)}-{uuid.uuid4().hex[:8]}"  # two runs may share a scheduler
        needs = {"GPU": 1} if any(state["resources"].get("GPU") for state in known.values()) else None
        # Should all that are fit go, dask asks the others, who refuse again: else it would wait for ever for addresses
        # that nobody has any more.
        where = {"workers": fit, "allow_other_workers": True} if self.refusing else {}
        asked = request(cell, self.workspace)
        self.of[key] = cell
        self.running.add(self.client.submit(in_worker, asked, wait, key=key, pure=False, resources=needs, **where))

    def chosen(self) -> Iterator[tuple[Cell, bool]]:
        """Yield what can begin; what another run computes is waited for only when there is nothing else to do."""
        busy, some = [], bool(self.of)
        for cell in self.waiting:
            if any(c in self.of.values() or c in self.waiting for c in cell.inputs()):
                continue
            if cell in self.elsewhere or self.workspace.store.busy(self.workspace.key(cell)):
                busy.append(cell)
            else:
                some = True
                yield cell, False
        if not some:
            yield from ((cell, True) for cell in busy)

    def ended(self) -> Any:
        """Return the next future that has ended."""
        looked = time.monotonic()
        while not self.running.has_ready():
            with self.running.thread_condition:
                self.running.thread_condition.wait(timeout=0.1)  # as it does itself
            if time.monotonic() - looked > WATCH:
                self.workers()
                looked = time.monotonic()
        return next(self.running)

    def workers(self) -> dict[str, Any]:
        """Return the workers that there are; that a scheduler has none is said once."""
        known: dict[str, Any] = self.client.scheduler_info(n_workers=-1)["workers"]
        if self.scheduler and not known and not self.empty:
            log.warning(
                f"the dask scheduler at {self.scheduler!r} has no workers: waiting for one (where cogbench is not "
                "installed they end at once)."
            )
        self.empty = not known
        self.seen |= known.keys()
        return known


def _await(cell: Cell, workspace: Workspace) -> None:
    """Return when what a worker has finished is to be seen from here."""
    end = time.monotonic() + ARRIVAL
    while not workspace.store.arrived(cell.place, workspace.key(cell)):
        if time.monotonic() > end:
            raise MissingData(
                f"a worker has finished {cell.place}, but it is not in the store {workspace.store.address!r} here: "
                "let COGBENCH_HOME be the same shared folder everywhere, or COGBENCH_STORE a URL."
            )
        time.sleep(0.2)


def _told(error: Exception, deaths: list[str]) -> Exception:
    """Return why a cell failed; of a worker's death, what its keeper says of it."""
    from distributed import KilledWorker

    if not isinstance(error, KilledWorker):
        return error
    last = next((f" (last: {said})" for said in reversed(deaths) if said.startswith("Worker process ")), "")
    times = getattr(error, "allowed_failures", 1) + 1
    return RuntimeError(f"{times} worker processes died while they computed it{last}; was the memory full?")
