"""Worker processes: those of a dask scheduler, or as many on this machine as its GPUs, cores and memory carry."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import MissingData, UnusableData
from ..text import first_line

HOST = "127.0.0.1"  # what one machine's processes say to each other does not leave it

# What a worker takes: this, and so much for each token of its largest batch. Seen with a 6-layer model: 6.6 GB for
# question answering (16 x 384 tokens, after many batches of other lengths), 1.8 GB for reranking (16 x 128).
WORKER_BYTES = 2 * 2**30
TOKEN_BYTES = 3 * 2**18
USUAL_TOKENS = 16 * 128
PROGRAM_BYTES = 2**29  # a process before it trains: Python, torch and transformers

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


@contextmanager
def client_of(n_workers: int, scheduler: str | None) -> Iterator[tuple[Any, list[str]]]:
    """Yield a client of a scheduler or of so many processes, and the list that fills with what is said of deaths."""
    import dask
    from distributed import Client

    quiet = {
        "distributed.scheduler.allowed-failures": 1,  # a cell that kills two workers is marked failed
        "distributed.deploy.lost-worker-timeout": "1 day",  # a worker that is slow to come back is waited for
        "distributed.scheduler.no-workers-timeout": "5 minutes",
        "distributed.worker.memory.terminate": False,
        "distributed.admin.low-level-log-length": 0,
        # What dask looks at a hundred times a second, nobody does here: the event loops of workers held Python's lock
        # for 8 % of the time of their trainings.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "10s",
        "distributed.nanny.pre-spawn-environ": ENVIRONMENT,
        # Pages over HTTP know no keys: they would tell every user of the machine what is computed.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.nanny.http.routes": [],
        "distributed.logging": {"distributed": "critical"},
    }
    deaths: list[str] = []
    ours = {"set_as_default": False}  # what else the process computes by dask stays where it is computed
    with dask.config.set(quiet):
        if scheduler:
            try:
                client = Client(scheduler, **ours)
            except (OSError, ValueError, TypeError, RuntimeError) as error:
                raise _unreachable(scheduler, error) from error
            with client:
                yield client, deaths
            return
        with (
            _without_script(),
            _kept_apart("distributed"),
            local_cluster(n_workers) as cluster,
            Client(cluster, **ours) as client,
            _heard("distributed.nanny", deaths),
        ):
            yield client, deaths


def _unreachable(scheduler: str, error: Exception) -> MissingData:
    """Return the error that no scheduler can be reached, with the settings of dask that an encrypted one needs."""
    if isinstance(error, TypeError | RuntimeError):  # no certificates for tls://, or encryption without tls://
        return MissingData(
            f"dask cannot speak to the scheduler {scheduler!r}: {first_line(error)}; an encrypted one takes an address "
            "tls://… and certificates in dask's settings distributed.comm.tls (docs/cluster.md)."
        )
    return MissingData(f"no dask scheduler answers at {scheduler!r}; start one with `dask scheduler`.")


def count(scheduler: str) -> int:
    """Return how many workers a dask scheduler has."""
    with client_of(0, scheduler) as (client, _):
        return len(client.scheduler_info(n_workers=-1)["workers"])


def local_cluster(n_workers: int) -> Any:
    """Return a cluster of one-thread processes on this machine; each sees one GPU where there are any, in turn.

    Whoever may speak to a scheduler may run code as its owner, and every user of a machine can reach its ports. So the
    processes speak TLS with a key that is made for this cluster and stands in their memory alone.
    """
    from distributed import Nanny, Scheduler, SpecCluster
    from distributed.security import Security

    devices = gpus()
    security = Security.temporary()  # type: ignore[no-untyped-call]
    encrypted = {"host": HOST, "protocol": "tls://", "security": security}

    def options(i: int) -> dict[str, Any]:
        one: dict[str, Any] = {
            **encrypted,
            "nthreads": 1,
            "memory_limit": 0,
            "dashboard": False,
            "silence_logs": logging.CRITICAL,
        }
        if devices:
            one |= {"env": {"CUDA_VISIBLE_DEVICES": devices[i % len(devices)]}, "resources": {"GPU": 1}}
        return one

    local = {**encrypted, "port": 0, "dashboard_address": f"{HOST}:0"}  # any free port: two runs at once must not meet

    try:
        return SpecCluster(  # type: ignore[no-untyped-call]
            workers={i: {"cls": Nanny, "options": options(i)} for i in range(n_workers)},
            scheduler={"cls": Scheduler, "options": local},
            security=security,
            silence_logs=logging.CRITICAL,
        )
    except RuntimeError as error:
        raise UnusableData(
            f"no worker process could be started ({first_line(error.__cause__ or error)}); jobs=0 computes in this one."
        ) from error


@contextmanager
def _without_script() -> Iterator[None]:
    """Start processes that do not run the script of this one, however often workers die and come back.

    multiprocessing has each new process run the file of `__main__`: a script without a guard around its statements
    would begin again in every worker. So they run that of cogbench, which has them leave Ctrl-C to their parent.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    sys.modules["__main__"].__file__ = str(Path(__file__).parents[1] / "__main__.py")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextmanager
def _kept_apart(name: str) -> Iterator[None]:
    """Keep what a library logs from the handlers of the program: it is of this cluster's insides."""
    logger, nobody = logging.getLogger(name), logging.NullHandler()
    usual, logger.propagate = logger.propagate, False
    logger.addHandler(nobody)
    try:
        yield
    finally:
        logger.propagate = usual
        logger.removeHandler(nobody)


@contextmanager
def _heard(name: str, said: list[str]) -> Iterator[None]:
    """Gather in a list what a library logs."""
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def gpus() -> list[str]:
    """Return the GPUs that torch sees, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    n = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return named[:n] if len(named) >= n and named[0] else [str(i) for i in range(n)]


def fitting(tokens: int = USUAL_TOKENS) -> int:
    """Return how many workers fit this machine: by GPUs if there are any, else by cores and free memory.

    `tokens` is what the largest batch of a training holds.
    """
    from dask.system import CPU_COUNT

    return len(gpus()) or max(1, min(CPU_COUNT, _available() // (WORKER_BYTES + tokens * TOKEN_BYTES)))


def free_memory(n_workers: int) -> int:
    """Return how many bytes are free for each of so many workers: of its GPU if there are any, else of the machine."""
    import torch

    n_workers = max(1, n_workers)
    if devices := gpus():
        return min(torch.cuda.mem_get_info(i)[0] for i in range(len(devices))) * len(devices) // n_workers
    return _available() // n_workers


def _available() -> int:
    import psutil
    from distributed.system import MEMORY_LIMIT

    return min(psutil.virtual_memory().available, MEMORY_LIMIT)  # a container's limit, where there is one
