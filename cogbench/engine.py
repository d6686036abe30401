"""Run cells: inline, on this machine's processes, or on a cluster. Scheduling and retries are dask.distributed's."""

import json
import logging
import os
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import chdir, closing, suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeVar

from . import identity
from .cells import Cell, Training, Workspace
from .errors import CogbenchError, FullDisk, MissingData, UnusableData
from .mirror import open_store
from .parts import decode, encode
from .workers import client_of, fitting

log = logging.getLogger("cogbench")
T = TypeVar("T")
AS_HERE = (  # what to do about a worker that is not as this process is
    "install the same versions everywhere, start workers anew after a change, and set (--set) what machines choose by "
    "themselves, such as a precision."
)


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


class Refusal(UnusableData):
    """Refusal(worker, why): a worker with other versions would compute another cell."""


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
    work = _work(missing, workspace)
    whole, spent = sum(work.values()), 0.0
    spread = scheduler or (jobs != 0 and not all(getattr(cell, "here", False) for cell in missing))
    told = tell or (lambda step: None)
    told(Step("", 0, 0, 0, len(missing), 0.0))
    run = _spread(missing, work, workspace, jobs, scheduler) if spread else _inline(missing, workspace)
    with closing(run):  # ends the workers, whatever happens
        for done, (cell, error, left) in enumerate(run, start=1):
            spent += work[cell]
            if error is None:
                outcome.computed.add(cell)
            else:
                outcome.failed[cell] = error
                if isinstance(error, FullDisk):
                    raise error
                if not isinstance(error, CogbenchError):
                    text = "".join(traceback.format_exception(error))
                    if log := workspace.store.log(cell.place, workspace.key(cell), text):
                        outcome.logs[cell] = log
            told(Step(cell.place, done, len(outcome.failed), left, len(missing), spent / whole))
    return outcome


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


def _inline(missing: list[Cell], workspace: Workspace) -> Generator[tuple[Cell, Exception | None, int]]:
    failed: dict[Cell, Exception] = {}
    for cell in missing:
        broken = next((c for c in cell.inputs() if c in failed), None)
        try:
            if broken is not None:
                raise failed[broken]
            workspace.folder(cell)
        except Exception as error:  # one cell's failure, whatever it is, must not lose the others
            failed[cell] = error
            yield cell, error, 1
        else:
            yield cell, None, 1


def _spread(
    missing: list[Cell], work: dict[Cell, float], workspace: Workspace, jobs: int | None, scheduler: str | None
) -> Generator[tuple[Cell, Exception | None, int]]:
    from distributed import as_completed

    n_workers = 0 if scheduler else min(jobs or workers_for(missing, workspace), len(missing))
    with client_of(n_workers, scheduler) as (client, deaths):
        if scheduler and not client.scheduler_info(n_workers=-1)["workers"]:
            log.warning(f"the dask scheduler at {scheduler!r} has no workers yet: waiting for the first one.")
        # The longest first, or the last one runs alone while the other workers have nothing left to do.
        waiting = dict.fromkeys(sorted(missing, key=lambda cell: -work[cell]))
        failed, of, running, tries = dict[Cell, Exception](), dict[str, Cell](), as_completed(), count()
        elsewhere = set[Cell]()  # that a worker has found another run to compute
        refusing = set[str]()  # workers of other versions

        def ready(cell: Cell) -> bool:
            return not any(c in of.values() or c in waiting for c in cell.inputs())

        def chosen() -> Iterator[tuple[Cell, bool]]:
            """Yield what can begin; what another run computes is waited for only when there is nothing else to do."""
            busy, some = [], bool(of)
            for cell in filter(ready, waiting):
                if cell in elsewhere or workspace.store.busy(workspace.key(cell)):
                    busy.append(cell)
                else:
                    some = True
                    yield cell, False
            if not some:
                yield from ((cell, True) for cell in busy)

        def feed() -> Iterator[tuple[Cell, Exception | None, int]]:
            # As many cells as there are workers: dask blames all that is queued on a worker for that worker's death,
            # and would fail cells that never began.
            known = client.scheduler_info(n_workers=-1)["workers"]
            needs = {"GPU": 1} if any(state["resources"].get("GPU") for state in known.values()) else None
            fit = [address for address in known if address not in refusing]
            while failed and (lost := [c for c in waiting if any(i in failed for i in c.inputs())]):
                for cell in lost:
                    del waiting[cell]
                    failed[cell] = next(failed[i] for i in cell.inputs() if i in failed)
                    yield cell, failed[cell], len(of)
            free = max(0, max(1, len(fit)) - len(of))  # some may have gone
            for cell, wait in [*islice(chosen(), free)]:
                del waiting[cell]
                if getattr(cell, "here", False):
                    for here in _inline([cell], workspace):
                        if here[1] is not None:
                            failed[cell] = here[1]
                        yield here
                else:
                    key = f"{cell.place}-{workspace.key(cell)}-{next(tries)}"
                    of[key] = cell
                    asked = _request(cell, workspace)
                    where = {"workers": fit} if refusing else {}
                    running.add(client.submit(_in_worker, asked, wait, key=key, pure=False, resources=needs, **where))

        while waiting or of:
            yield from feed()
            if not of:
                continue
            future = next(running)
            cell = of.pop(future.key)
            if future.status == "cancelled":
                raise MissingData(
                    "the connection to the dask scheduler was lost; what was finished is kept, the same command goes "
                    "on from there."
                )
            if future.status == "finished" and not future.result():
                waiting[cell] = None
                elsewhere.add(cell)
                continue
            error = None if future.status == "finished" else _told(future.exception(), deaths)
            if scheduler and error is None and workspace.store.read(cell.place, workspace.key(cell)) is None:
                raise MissingData(
                    f"a worker has finished {cell.place}, but it is not in the store {workspace.store.address!r} here: "
                    "let COGBENCH_HOME be the same shared folder everywhere, or COGBENCH_STORE a URL."
                )
            if isinstance(error, Refusal):
                address, why = error.args
                if address not in refusing:
                    log.warning(f"worker {address} is left out: {why}")
                refusing.add(address)
                if refusing >= {*client.scheduler_info(n_workers=-1)["workers"]}:
                    raise UnusableData(f"no worker is left: {why}")
                waiting[cell] = None
                continue
            if error is not None:
                failed[cell] = error
            after = [*feed()]  # its worker has the next cell before anybody is told
            yield cell, error, len(of)
            yield from after


def _told(error: Exception, deaths: list[str]) -> Exception:
    """Return why a cell failed; of a worker's death, what its keeper says of it."""
    from distributed import KilledWorker

    if not isinstance(error, KilledWorker):
        return error
    last = next((f" (last: {said})" for said in reversed(deaths) if said.startswith("Worker process ")), "")
    times = getattr(error, "allowed_failures", 1) + 1
    return RuntimeError(f"{times} worker processes died while they computed it{last}; was the memory full?")


def _request(cell: Cell, workspace: Workspace) -> str:
    """Return all that a worker needs to compute a cell, as JSON."""
    return json.dumps(
        {
            "cell": encode(cell),
            "ingredients": workspace.ingredients(cell),
            "files": encode(workspace.files),
            "store": workspace.store.address,
            "cwd": os.getcwd(),  # what paths are relative to
        }
    )


def _in_worker(request: str, wait: bool = True) -> bool:
    """Compute one cell in a worker process; False if another computes it and it is not to be waited for."""
    asked, worker = json.loads(request), _worker()
    with chdir(asked["cwd"] if Path(asked["cwd"]).is_dir() else "."):
        try:
            cell = decode(asked["cell"])
        except (ImportError, AttributeError, TypeError) as error:
            raise Refusal(worker, f"it cannot read what is asked for ({error}); {AS_HERE}") from None
        workspace = _workspace(json.dumps(asked["files"]), asked["store"], os.getcwd())
        if differing := _difference(asked["ingredients"], workspace.ingredients(cell)):
            raise Refusal(worker, f"it would compute another cell: {differing}; {AS_HERE}")
        if not wait and workspace.store.busy(workspace.key(cell)):
            return False
        try:
            workspace.folder(cell)
        except CogbenchError:
            raise
        except Exception as error:  # what cannot be pickled must not bring down the connection
            raise RuntimeError("".join(traceback.format_exception(error))) from None
        return True


@cache
def _worker() -> str:
    """Return this worker's address; from now on it is the code that it has loaded, whatever changes on disk."""
    from distributed import get_worker

    try:
        address: str = get_worker().address  # type: ignore[no-untyped-call]
    except ValueError:  # in no worker
        return "here"
    identity.code = cache(identity.code)
    return address


@lru_cache(maxsize=1)
def _workspace(files: str, store: str, cwd: str) -> Workspace:
    """Return this worker process's workspace, kept between cells because it remembers the data it has read."""
    return Workspace(decode(json.loads(files)), open_store(store))


def _difference(asked: Any, here: Any, path: str = "") -> str | None:
    """Return where two sets of ingredients differ first, in words; None if they are equal."""
    if isinstance(asked, dict) and isinstance(here, dict):
        pairs = [(f"{path}.{k}".lstrip("."), asked.get(k), here.get(k)) for k in {**asked, **here}]
    elif isinstance(asked, list) and isinstance(here, list) and len(asked) == len(here):
        pairs = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(asked, here, strict=True))]
    else:
        return None if asked == here else f"{path} is {here!r} here, {asked!r} where it was asked for"
    return next((d for p, a, b in pairs if (d := _difference(a, b, p))), None)
