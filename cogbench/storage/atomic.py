"""Files written whole or not at all, and checked before the work."""

import errno
import os
import uuid
from pathlib import Path

from ..errors import MissingData, UnusableData
from ..text import LONGEST, cut, listed


def writable(folder: Path) -> None:
    """Raise UnusableData unless files can be written into this folder; made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{uuid.uuid4().hex[:8]}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UnusableData(f"cannot write to folder {str(folder)!r}: {error.strerror}; name another.") from error


def readable(path: Path) -> None:
    """Raise MissingData unless there is a file to read."""
    if path.is_dir():
        names = sorted(file.name for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        raise MissingData(f"{str(path)!r} is a folder; name a file in it{f': {listed(names, 8)}' if names else ''}.")
    if not path.is_file():
        raise MissingData(f"no file {str(path)!r}.")


def write_whole(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Write a file so that no reader ever sees a part of it, not even after a loss of power.

    A link stays, and the file that it names is written. What is there and is no file, such as a pipe or /dev/stdout,
    gets it as it is: put in its place, a file would end it. What is not `durable` may be lost with the power: a note
    or a log, which nobody misses.
    """
    content = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{cut(path.name, LONGEST - 10)}-{uuid.uuid4().hex[:8]}")
    try:
        draft.write_bytes(content)
        if durable:
            flush(draft)
        os.replace(draft, path)
        if durable:
            flush(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; else a loss of power may leave an empty file."""
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError:  # a folder cannot be opened on every system
        return
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):  # a file system that knows no such thing
            raise
    finally:
        os.close(number)


def save_text(path: Path, text: str) -> None:
    """Write a text that the user named a file for; UnusableData where that cannot be."""
    save(path, text if text.endswith("\n") else text + "\n")


def save(path: Path, content: str | bytes) -> None:
    """Write a file that the user named; UnusableData where that cannot be."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise UnusableData(f"cannot write {str(path)!r}: {error.strerror}; name another file.") from error
