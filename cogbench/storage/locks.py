"""Locks between processes, as files; and which cells the running commands need."""

import contextlib
import json
import logging
import re
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import LostStore
from .atomic import write_whole
from .damage import clear_way, make_folder
from .disk import store_lost

log = logging.getLogger("cogbench")
NEEDED = ".runs"  # below the store's root: for each running command the cells that it needs
MARK = re.compile(r"[0-9a-f]{8}(\.json)?")  # the file that it holds locked, and the one that lists the cells
PATIENCE = 5.0  # seconds that a lock is waited for in silence


@contextlib.contextmanager
def locked(path: Path, root: Path, what: str, timeout: float = -1) -> Iterator[None]:
    """Hold the lock of a file in a store; whoever waits longer than some seconds is told for what.

    Parameters
    ----------
    path : Path
        The file. What stands in its place and is no file is set aside.
    root : Path
        The store.
    what : str
        What another process computes while it has the lock.
    timeout : float
        Seconds to wait, -1 for as long as it takes.

    Raises
    ------
    filelock.Timeout
        If another process has it all that time.
    LostStore
        If the file cannot be opened or made.
    """
    from filelock import FileLock, Timeout

    try:
        make_folder(path.parent, root)
        clear_way(path, root, for_file=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=timeout if timeout >= 0 else PATIENCE)
        except Timeout:
            if timeout >= 0:
                raise
            log.warning(f"waiting for {what}, which another process computes.")
            lock.acquire()
    except OSError as error:
        if isinstance(error, Timeout) or not (lost := store_lost(root, error)):
            raise
        raise lost from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def kept_from_pruning(root: Path, keys: Iterable[str]) -> Iterator[None]:
    """Say, as long as it lasts, which cells of a store this command reads or computes, so that they are not pruned.

    Where nothing can be written nothing is said, for nothing can be pruned there either.
    """
    mark = root / NEEDED / uuid.uuid4().hex[:8]
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, LostStore):
            stack.enter_context(locked(mark, root, "a command"))
            stack.callback(mark.unlink, missing_ok=True)
            stack.callback(mark.with_suffix(".json").unlink, missing_ok=True)
            write_whole(mark.with_suffix(".json"), json.dumps([*keys]), durable=False)
        yield


def needed(root: Path) -> set[str]:
    """Return the keys of the cells of a store that running commands need; what killed ones have left is removed."""
    from filelock import Timeout

    keys = set[str]()
    marks = {file.with_suffix("") for file in (root / NEEDED).glob("*") if MARK.fullmatch(file.name)}
    for mark in sorted(marks):
        file = mark.with_suffix(".json")
        try:
            with locked(mark, root, "a command", timeout=0):
                file.unlink(missing_ok=True)
                mark.unlink(missing_ok=True)
        except Timeout:
            with contextlib.suppress(OSError, ValueError):  # it ends just now
                keys |= {*json.loads(file.read_text())}
    return keys
