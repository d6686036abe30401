"""Faults of the disk that a store stands on: it is full, or cannot be written to; and what the user is told then."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import FullDisk, LostStore

LEAST_FREE = 32 * 2**20  # bytes; nothing is begun with less, for its result would be lost
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_IN_WORDS = tuple(os.strerror(number) for number in FULL)
FORBIDDEN = (errno.EACCES, errno.EPERM)
LOST = (*FORBIDDEN, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENODEV)


def free_bytes(folder: Path) -> int:
    """Return the bytes that are free where a folder is, or will be."""
    existing = next(p for p in (folder, *folder.resolve().parents) if p.is_dir())
    return shutil.disk_usage(existing).free


def has_room(folder: Path) -> bool:
    """Whether there is room to begin anything in a folder."""
    return free_bytes(folder) >= LEAST_FREE


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or an error that it came from, means that the disk is full.

    safetensors reports it in an error of its own, without a number: for such errors the words decide.
    """
    return any(
        (isinstance(cause, OSError) and cause.errno in FULL) or any(words in str(cause) for words in FULL_IN_WORDS)
        for cause in _causes(error)
    )


def disk_full(folder: Path, error: BaseException | None = None) -> FullDisk:
    """Return the error for a store in this folder; `error` is what a library said of it."""
    if any(getattr(cause, "errno", None) == errno.EFBIG for cause in _causes(error)):
        return FullDisk(
            f"files in the store {str(folder)!r} may not become as large as a result is: raise the limit "
            "(`ulimit -f unlimited`), then run again; what was finished is kept."
        )
    return FullDisk(
        f"the disk of the store {str(folder)!r} is full: make room (`cogbench cache prune` removes what is "
        "out of reach), then run again; what was finished is kept."
    )


def store_lost(folder: Path, error: BaseException) -> LostStore | None:
    """Return the error for a store in this folder that cannot be used any more; None if `error` says no such thing.

    An error about a file outside the store, such as one of a model, says nothing of the store.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in LOST and _is_in(cause.filename, folder):
            remedy = "what was finished is kept, the same command goes on from there."
            if cause.errno in FORBIDDEN:
                remedy = (
                    "a store that several people share needs a folder with the setgid bit and `umask 002` "
                    "(docs/cluster.md); COGBENCH_HOME names a store of your own."
                )
            elif cause.errno == errno.EROFS:
                remedy = "what it holds can be read, and nothing can be added; COGBENCH_HOME names another store."
            return LostStore(f"the store cannot be used: {str(cause.filename)!r}: {cause.strerror}; {remedy}")
    return None


def _is_in(path: object, folder: Path) -> bool:
    if not isinstance(path, str | os.PathLike):
        return False
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
