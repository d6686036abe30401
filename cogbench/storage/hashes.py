"""Hashes of plain values, of files, remembered from one process to the next, and of a model's folder."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from .atomic import write_whole


def digest(ingredients: Any) -> str:
    """Return the sha256 of plain values in canonical JSON."""
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def stamp(path: Path) -> dict[str, Any]:
    """Return a file's size in bytes and its sha256."""
    with open(path, "rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def file_sha256(path: Path, notes: Path) -> str:
    """Return the hash of a file's contents, computed anew only when its size or one of its times changes.

    `notes` is the folder of the notes that remember hashes. A note that is damaged, or of another file, is not
    believed; where nothing can be written there is none.
    """
    stat = path.stat()
    state = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    note = notes / digest(state)[:32]
    with suppress(OSError, ValueError):
        sha256, seal = note.read_text().split()
        if seal == digest([*state, sha256]):
            return sha256
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with suppress(OSError):
        write_whole(note, f"{sha256} {digest([*state, sha256])}", durable=False)
    return sha256


def folder_sha256(folder: Path, notes: Path) -> str:
    """Return the hash of all files of a model's folder that can change what the model answers.

    That is every file in it and in the folders below, whatever it is called, also behind links. Left out are hidden
    files and folders (`.git`, `.cache`) and texts for people (`*.md`): no library reads them when it opens a model.
    """
    paths = sorted(model_files(folder))
    return digest([[path.relative_to(folder).as_posix(), file_sha256(path, notes)] for path in paths])


def model_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a model's folder that `folder_sha256` covers; OSError if a folder cannot be listed."""

    def fail(error: OSError) -> None:
        raise error

    visited = set[str]()
    for where, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        real = os.path.realpath(where)
        folders[:] = [] if real in visited else [name for name in folders if not name.startswith(".")]
        paths = [Path(where, name) for name in files if not name.startswith(".") and not name.endswith(".md")]
        yield from (path for path in paths if real not in visited and path.is_file())
        visited.add(real)
