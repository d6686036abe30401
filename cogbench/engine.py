"""Run cells: inline, on this machine's processes, or on a cluster. Scheduling and retries are dask.distributed's."""

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from .cells import Cell, Training, Workspace
from .errors import CogbenchError, MissingData, UnusableData
from .parts import decode, encode
from .store import Store

log = logging.getLogger("cogbench")
WORKER_BYTES = 3 * 2**30  # what one training worker takes: 2.2 GB seen for a 6-layer model of width 384

# Of the workers, before they start. One thread each: two processes with torch's default are several times slower than
# one. And malloc keeps what training frees at each step: dask's own setting gives it back to the system at once, which
# costs a quarter of the time in page faults (40 steps of a 6-layer model: 24.7 s of CPU against 18.4 s).
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}

Tell = Callable[[str, int, int], None]  # (what has just ended, cells done, cells in all)


@dataclass
class Outcome:
    """What became of the cells of a run."""

    cached: set[Cell] = field(default_factory=set)
    computed: set[Cell] = field(default_factory=set)
    failed: dict[Cell, Exception] = field(default_factory=dict)


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
        Called after each cell with its place, the number done and the number in all.
    """
    missing, there = plan(cells, workspace)
    outcome = Outcome(cached=there)
    if missing:
        run = (
            _spread(missing, workspace, jobs, scheduler)
            if scheduler or (jobs != 0 and not all(getattr(cell, "here", False) for cell in missing))
            else _inline(missing, workspace)
        )
        for done, (cell, error) in enumerate(run, start=1):
            if error is None:
                outcome.computed.add(cell)
            else:
                outcome.failed[cell] = error
            if tell:
                tell(cell.place, done, len(missing))
    return outcome


def _inline(missing: list[Cell], workspace: Workspace) -> Iterator[tuple[Cell, Exception | None]]:
    failed: dict[Cell, Exception] = {}
    for cell in missing:
        broken = next((c for c in cell.inputs() if c in failed), None)
        try:
            if broken is not None:
                raise failed[broken]
            workspace.folder(cell)
        except Exception as error:  # one cell's failure, whatever it is, must not lose the others
            failed[cell] = error
            yield cell, error
        else:
            yield cell, None


def _spread(
    missing: list[Cell], workspace: Workspace, jobs: int | None, scheduler: str | None
) -> Iterator[tuple[Cell, Exception | None]]:
    from distributed import as_completed

    with _client(min(jobs or workers(), len(missing)), scheduler) as client:
        # The longest first, or the last one runs alone while the other workers have nothing left to do.
        order = sorted(missing, key=lambda cell: -cell.work(workspace) if isinstance(cell, Training) else 0.0)
        waiting, failed, of = dict.fromkeys(order), dict[Cell, Exception](), dict[str, Cell]()
        running = as_completed()

        def ready(cell: Cell) -> bool:
            return not any(c in of.values() or c in waiting for c in cell.inputs())

        def feed() -> Iterator[tuple[Cell, Exception | None]]:
            # As many cells as there are workers: dask blames all that is queued on a worker for that worker's death,
            # and would fail cells that never began.
            free = max(1, len(client.nthreads())) - len(of)
            for cell in [*islice(filter(ready, waiting), free)]:
                del waiting[cell]
                if broken := next((failed[c] for c in cell.inputs() if c in failed), None):
                    failed[cell] = broken
                    yield cell, broken
                elif getattr(cell, "here", False):
                    yield from _inline([cell], workspace)
                else:
                    key = f"{cell.place}-{workspace.key(cell)}"
                    of[key] = cell
                    running.add(client.submit(_in_worker, _request(cell, workspace), key=key, pure=False))

        while waiting or of:
            yield from feed()
            if not of:
                continue
            future = next(running)
            cell = of.pop(future.key)
            error = None if future.status == "finished" else future.exception()
            if error is not None:
                failed[cell] = error
            yield cell, error


def _request(cell: Cell, workspace: Workspace) -> str:
    """Return all that a worker needs to compute a cell, as JSON."""
    return json.dumps(
        {
            "cell": encode(cell),
            "ingredients": workspace.ingredients(cell),
            "files": encode(workspace.files),
            "store": str(workspace.store.root.resolve()),
        }
    )


@contextmanager
def _client(n_workers: int, scheduler: str | None) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    quiet = {
        "distributed.scheduler.allowed-failures": 1,  # a cell that kills two workers is marked failed
        "distributed.worker.memory.terminate": False,
        "distributed.admin.low-level-log-length": 0,
        "distributed.nanny.pre-spawn-environ": ENVIRONMENT,
        "distributed.logging": {"distributed": "critical"},
    }
    with dask.config.set(quiet):
        if scheduler:
            try:
                client = Client(scheduler)
            except (OSError, ValueError) as error:
                raise MissingData(
                    f"no dask scheduler answers at {scheduler!r}; start one with `dask scheduler`."
                ) from error
            with client:
                yield client
            return
        cluster = LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",  # any free port: two runs at once must not meet
            silence_logs=logging.CRITICAL,
        )
        with cluster, Client(cluster) as client:
            yield client


def workers() -> int:
    """Return how many workers fit this machine: by GPUs if there are any, else by cores and free memory."""
    import psutil
    import torch
    from dask.system import CPU_COUNT

    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return max(1, min(CPU_COUNT, psutil.virtual_memory().available // WORKER_BYTES))


def _in_worker(request: str) -> None:
    """Compute one cell in a worker process."""
    asked = json.loads(request)
    cell = decode(asked["cell"])
    workspace = _workspace(json.dumps(asked["files"]), asked["store"])
    if differing := _difference(asked["ingredients"], workspace.ingredients(cell)):
        raise UnusableData(
            f"this worker would compute another cell: {differing}; install the same versions everywhere."
        )
    try:
        workspace.folder(cell)
    except CogbenchError:
        raise
    except Exception as error:  # what cannot be pickled must not bring down the connection
        raise RuntimeError("".join(traceback.format_exception(error))) from None


@lru_cache(maxsize=1)
def _workspace(files: str, store: str) -> Workspace:
    """Return this worker process's workspace, kept between cells because it remembers the data it has read."""
    return Workspace(decode(json.loads(files)), Store(Path(store)))


def _difference(asked: Any, here: Any, path: str = "") -> str | None:
    """Return where two sets of ingredients differ first, in words; None if they are equal."""
    if isinstance(asked, dict) and isinstance(here, dict):
        pairs = [(f"{path}.{k}".lstrip("."), asked.get(k), here.get(k)) for k in {**asked, **here}]
    elif isinstance(asked, list) and isinstance(here, list) and len(asked) == len(here):
        pairs = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(asked, here, strict=True))]
    else:
        return None if asked == here else f"{path} is {here!r} here, {asked!r} where it was asked for"
    return next((d for p, a, b in pairs if (d := _difference(a, b, p))), None)
