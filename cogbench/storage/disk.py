"""Room on the disk: how much is free, whether an error means that the disk is full, and what the user is told then."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import FullDisk

LEAST_FREE = 32 * 2**20  # bytes; nothing is begun with less, for its result would be lost
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_IN_WORDS = tuple(os.strerror(number) for number in FULL)


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


def disk_full(folder: Path) -> FullDisk:
    """Return the error for a store in this folder."""
    return FullDisk(
        f"the disk of the store {str(folder)!r} is full: make room (`cogbench cache prune` removes what is "
        "out of reach), then run again; what was finished is kept."
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
