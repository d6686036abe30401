"""A store under any fsspec URL: cells are computed into a local store and copied there, and taken from there.

<url>/minilm/cola/seed-0-1f3a9c20/cell.json          as in a local store, and which of the copies it speaks of
<url>/minilm/cola/seed-0-1f3a9c20/<copy>/…           the files of one copy

Object stores have no locks and cannot move a folder. So each copy has a folder of its own, and `cell.json` is written
last, if there is none yet: a cell may be trained on two machines, but what a reader finds is whole, and the first
complete copy is everybody's.
"""

import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..errors import CogbenchError, LostStore, UnusableData
from .atomic import write_whole
from .damage import RECORD
from .hashes import stamp
from .store import Fill, Store, home

log = logging.getLogger("cogbench")


def open_store(address: str | None = None) -> Store:
    """Return the store at a folder or a URL; by default at `COGBENCH_STORE`, else in the user's folder."""
    address = address or os.environ.get("COGBENCH_STORE", "").strip()
    if not address:
        return Store(home())
    _, behind, rest = address.partition("://")
    if not rest.strip("/") if behind else re.match("[a-z][a-z0-9+]+:/", address):
        raise UnusableData(
            f"the store {address!r} names no folder: an address is SCHEME://FOLDER, such as file:///shared/cogbench."
        )
    return RemoteStore(home(), address) if behind else Store(Path(address))


class RemoteStore(Store):
    """A local store whose cells are shared through an fsspec URL.

    Parameters
    ----------
    root : Path
        The local store.
    url : str
        Where the cells are shared, such as ``s3://bucket/cogbench``.

    Raises
    ------
    UnusableData
        If nothing is installed that knows such addresses.
    LostStore
        From each method, if the URL cannot be read or written.
    """

    def __init__(self, root: Path, url: str) -> None:
        import fsspec

        super().__init__(root)
        self._url = url.rstrip("/")
        try:
            self._files, self._base = fsspec.core.url_to_fs(self._url)
        except Exception as error:  # clients of object stores have errors of their own
            raise UnusableData(f"cannot use the store {url!r}: {error}.") from error

    @property
    def address(self) -> str:
        """The URL."""
        return self._url

    def has(self, place: str, key: str) -> bool:
        """Whether a cell is shared; one that is only here has yet to be copied there."""
        return self._is_shared(self.folder(place, key)) or self.name(place, key) in self._there

    def arrived(self, place: str, key: str) -> bool:
        """Whether a cell that another machine has just finished is shared; it is not copied yet."""
        return self._whole(f"{self._base}/{self.name(place, key)}") is not None

    def read(self, place: str, key: str) -> Path | None:
        """Return a finished cell's local folder, checked, or None; it is copied from or to the URL if need be."""
        here = super().read(place, key)
        if here is not None and self._is_shared(here):
            return here
        with self._lock(key, place):
            return self._found(place, key)

    def write(self, place: str, key: str, ingredients: Any, fill: Fill) -> Path:
        """Have `fill` write a cell's files, unless somebody's are there, and share them."""
        with self._alone(place, key):
            return self._found(place, key) or self._shared(place, key, self._made(place, key, ingredients, fill))

    @cached_property
    def _there(self) -> set[str]:
        """The cells known to be shared: listed once, for a question for each would take minutes."""
        with self._reached():
            paths = self._files.find(self._base) if self._files.exists(self._base) else []
        ending = f"/{RECORD}"
        return {path[len(self._base) + 1 :].removesuffix(ending) for path in paths if path.endswith(ending)}

    def _found(self, place: str, key: str) -> Path | None:
        here = super().read(place, key)
        return self._taken(place, key) if here is None else self._shared(place, key, here)

    def _is_shared(self, folder: Path) -> bool:
        """Whether a local cell is there, and is the copy that is shared here."""
        try:
            return json.loads((folder / RECORD).read_text()).get("at") == self._url
        except (OSError, ValueError):
            return False

    def _shared(self, place: str, key: str, folder: Path) -> Path:
        """Copy a cell there; if another's copy was complete first, that one is taken in place of ours."""
        if self._is_shared(folder):
            return folder
        record, base = json.loads((folder / RECORD).read_text()), f"{self._base}/{self.name(place, key)}"
        if self._whole(base) is None:
            copy = uuid.uuid4().hex
            with self._reached():
                for file in record["files"]:
                    self._files.makedirs(f"{base}/{copy}/{file}".rpartition("/")[0], exist_ok=True)
                    self._files.put_file(str(folder / file), f"{base}/{copy}/{file}")
                text = json.dumps(record | {"copy": copy, "at": self._url}, indent=1)
                try:
                    self._files.pipe_file(f"{base}/{RECORD}", text.encode(), mode="create")
                except FileExistsError:
                    if self._whole(base) is None:  # what a killed process has left
                        self._files.pipe_file(f"{base}/{RECORD}", text.encode())
                if (self._whole(base) or {}).get("copy") == copy:
                    write_whole(folder / RECORD, text)
                    return folder
                with suppress(FileNotFoundError):
                    self._files.rm(f"{base}/{copy}", recursive=True)
        aside = self.draft(key)  # ours stays until theirs is here
        aside.parent.mkdir(exist_ok=True)
        os.replace(folder, aside)
        if taken := self._taken(place, key):
            shutil.rmtree(aside, ignore_errors=True)
            return taken
        os.replace(aside, folder)
        return self._shared(place, key, folder)  # theirs was damaged, and is removed

    def _whole(self, base: str) -> dict[str, Any] | None:
        """Return the record of a cell there; None if there is none, or none that can be read."""
        with self._reached():
            try:
                record = json.loads(self._files.cat_file(f"{base}/{RECORD}"))
            except (FileNotFoundError, ValueError, RecursionError):
                return None
        return record if isinstance(record, dict) else None

    def _taken(self, place: str, key: str) -> Path | None:
        """Copy a cell from there into the local store; None if it is not there whole."""
        name = self.name(place, key)
        base = f"{self._base}/{name}"
        record = self._whole(base)
        if record is None:
            return None

        def fill(draft: Path) -> None:
            copy = f"{base}/{record['copy']}" if "copy" in record else base  # a plain store has no copies
            for file, stamped in record["files"].items():
                (draft / file).parent.mkdir(parents=True, exist_ok=True)
                with self._reached():
                    try:
                        self._files.get_file(f"{copy}/{file}", str(draft / file))
                    except FileNotFoundError as error:
                        raise _DamagedError(f"{file} is missing") from error
                if stamp(draft / file) != stamped:
                    raise _DamagedError(f"{file} has changed since it was written")

        try:
            if record.get("key") != key:
                raise _DamagedError("its key is another cell's")
            if fault := _record_fault(record):
                raise _DamagedError(fault)
            more = {"copy": record.get("copy"), "at": self._url}
            more |= {fact: record[fact] for fact in ("seconds", "reads") if fact in record}
            return self._made(place, key, record["ingredients"], fill, **more)
        except _DamagedError as error:
            with self._reached(), suppress(FileNotFoundError):  # another machine was quicker
                self._files.rm_file(f"{base}/{RECORD}")
            self.__dict__.pop("_there", None)  # what was listed is no longer so
            log.warning(f"{name} in the store {self._url} is damaged ({error}): removed, computed again.")
            return None

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (CogbenchError, _DamagedError):
            raise
        except Exception as error:  # clients of object stores have errors of their own
            raise LostStore(f"the store {self._url!r} cannot be used: {error}.") from error


def _record_fault(record: dict[str, Any]) -> str | None:
    """Return what is wrong with a record that a stranger may have written, if anything is."""
    files, copy = record.get("files"), record.get("copy", "copy")
    if not isinstance(files, dict) or not all(isinstance(stamped, dict) for stamped in files.values()):
        return "its record names no files"
    if "ingredients" not in record:
        return "its record names no ingredients"
    if not isinstance(copy, str) or "/" in copy or not _is_inside(copy):
        return "its record names no copy"
    if outside := [name for name in files if not _is_inside(name)]:
        return f"its record names a file outside the cell, {outside[0][:80]!r}"
    return None


def _is_inside(name: str) -> bool:
    """Whether a relative name leads to a file below the folder that it is joined to, on any system."""
    parts = PurePosixPath(name).parts
    windows = PureWindowsPath(name)
    is_plain = name.isprintable() and "\\" not in name and not windows.drive and not windows.root
    return bool(parts) and is_plain and parts[0] != "/" and ".." not in parts and name == "/".join(parts)


class _DamagedError(Exception):
    """A cell there is not what was written."""
