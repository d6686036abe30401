"""Damage in a store: what is not as it was written is named in one line and set aside, and never stops a run."""

import errno
import json
import logging
import os
import re
import stat
import uuid
from pathlib import Path
from typing import Any

from ..text import LONGEST, cut
from .hashes import digest

log = logging.getLogger("cogbench")
RECORD = "cell.json"
CELL = re.compile(r".+-[0-9a-f]{8}")  # the names of cells: 8 digits of the key end them
IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.ENOENT, errno.ELOOP)  # what is said where a folder cannot be made
ASIDE = ".damaged"  # where cells go; what is no cell may be somebody's own, and stays beside where it was


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of a cell's folder.

    Raises
    ------
    ValueError
        If there is none, or it is not as `Store` writes records.
    OSError
        If it is there and cannot be read.
    """
    path = os.path.join(folder, RECORD)  # as text: a plan asks for a hundred thousand
    if size_of_file(path) is None:  # a pipe in its place would be waited for
        raise ValueError(f"{RECORD} is missing")
    try:
        with open(path, "rb", buffering=0) as file:
            record = json.loads(file.read())
        files, key = record["files"], record["key"]
        shaped = isinstance(key, str) and "ingredients" in record and all(_is_stamped(*item) for item in files.items())
        whole = shaped and record.get("seal", seal := seal_of(record)) == seal
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{RECORD} is unreadable") from error
    if not whole:
        raise ValueError(f"{RECORD} has changed since it was written")
    return dict(record)


def size_of_file(path: str) -> int | None:
    """Return the bytes of a plain file; None where there is none; OSError where nobody can say."""
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno in IN_THE_WAY:
            return None
        raise
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def seal_of(record: dict[str, Any]) -> str:
    """Return the hash of what a record says of a cell; one that was written before records had seals has none."""
    return digest([record["key"], record["ingredients"], record["files"]])


def _is_stamped(name: str, stamped: dict[str, Any]) -> bool:
    """Whether a file of a record is one in the cell's folder, with its size and hash."""
    inside = not name.startswith("/") and ".." not in name.split("/")
    return inside and type(stamped["size"]) is int and isinstance(stamped["sha256"], str)


def set_aside(path: Path, root: Path) -> Path | None:
    """Move a damaged cell, or what stands in the way of the store's files; None if another process was quicker."""
    unique = uuid.uuid4().hex[:8]
    aside = path.with_name(f"{cut(path.name, LONGEST - 19)}.set-aside-{unique}")
    if CELL.fullmatch(path.name) and path.is_dir():
        make_folder(root / ASIDE, root)
        front, _, digits = path.name.rpartition("-")
        aside = root / ASIDE / f"{cut(front, LONGEST - 18)}-{digits}-{unique}"
    try:
        os.replace(path, aside)
    except FileNotFoundError:
        return None
    return aside


def make_folder(folder: Path, root: Path) -> None:
    """Make a folder of a store; what stands where it or a folder above it should be, and is none, is set aside."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return
    except OSError as error:
        if error.errno not in IN_THE_WAY or not root.is_dir():
            raise
    for place in [*reversed(folder.relative_to(root).parents), folder.relative_to(root)]:
        clear_way(root / place, root)
    folder.mkdir(parents=True, exist_ok=True)


def clear_way(path: Path, root: Path, *, for_file: bool = False) -> None:
    """Set aside what stands at a path of the store and is no folder, or no plain file where a file belongs."""
    fits = stat.S_ISREG if for_file else stat.S_ISDIR
    try:
        mode = (os.lstat if for_file else os.stat)(path).st_mode
    except OSError as error:
        if error.errno not in IN_THE_WAY:
            raise
        mode = 0  # nothing, or a link that leads nowhere
    if os.path.lexists(path) and not fits(mode) and set_aside(path, root):
        what = "file" if for_file else "folder"
        log.warning(f"{path.relative_to(root)} in the store is no {what}: set aside.")
