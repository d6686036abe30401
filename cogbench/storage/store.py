"""Results of cells as plain files under readable names, written whole or not at all.

<root>/minilm/cola/seed-0-1f3a9c20/     8 digits of the key end the name
    cell.json                           the key, all its ingredients, and each file's size and sha256
    scores.json, model/…                what the cell wrote
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import FullDisk
from .atomic import write_whole
from .disk import disk_full, free_bytes, has_room, is_disk_full

log = logging.getLogger("cogbench")
RECORD = "cell.json"


def digest(ingredients: Any) -> str:
    """Return the sha256 of plain values in canonical JSON."""
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Store:
    """A folder of finished cells.

    Parameters
    ----------
    root : Path
        Made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def address(self) -> str:
        """Where other processes find the same cells."""
        return str(self.root.resolve())

    def name(self, place: str, key: str) -> str:
        """Return what a cell's folder is called within the store."""
        return f"{place}-{key[:8]}"

    def folder(self, place: str, key: str) -> Path:
        """Return where a cell's files are, or would be."""
        return self.root / self.name(place, key)

    def has(self, place: str, key: str) -> bool:
        """Whether a cell is there whole, judged by the names and sizes of its files; one that is not is set aside."""
        folder = self.folder(place, key)
        if not folder.is_dir():
            return False
        fault = self._fault(folder, key, contents=False)
        if fault:
            self._set_aside(folder, key, fault)
        return not fault

    def arrived(self, place: str, key: str) -> bool:
        """Whether what another process has just finished is to be seen from here."""
        return self.has(place, key)

    def size(self, place: str, key: str) -> int:
        """Return the bytes of a finished cell's files; 0 if it is not here."""
        try:
            files = json.loads((self.folder(place, key) / RECORD).read_text())["files"]
        except (OSError, ValueError, KeyError):
            return 0
        return sum(stamped["size"] for stamped in files.values())

    def read(self, place: str, key: str) -> Path | None:
        """Return a finished cell's folder with every file's contents checked, or None; damage is set aside."""
        folder = self.folder(place, key)
        if not folder.is_dir():
            return None
        if fault := self._fault(folder, key, contents=True):
            self._set_aside(folder, key, fault)
            return None
        return folder

    def write(self, place: str, key: str, ingredients: Any, fill: Callable[[Path], None]) -> Path:
        """Have `fill` write a cell's files into a fresh folder, then move that into place.

        Whoever else computes this cell at the same time, on this file system, waits and takes the first one's.
        """
        with self._alone(key):
            return self.read(place, key) or self._made(place, key, ingredients, fill)

    @contextlib.contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Hold a cell's lock, without what a killed process may have left of the cell."""
        with self._lock(key):
            for left in (self.root / ".tmp").glob(f"{key[:16]}-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    def _made(self, place: str, key: str, ingredients: Any, fill: Callable[[Path], None], **more: Any) -> Path:
        draft = self.draft(key)
        try:
            draft.mkdir(parents=True)
            if not has_room(self.root):  # before the work, which would be lost
                raise self.full()
            fill(draft)
            files = {str(p.relative_to(draft)): stamp(p) for p in sorted(draft.rglob("*")) if p.is_file()}
            record = {"key": key, "ingredients": ingredients, "files": files, **more}
            (draft / RECORD).write_text(json.dumps(record, indent=1))
            target = self.folder(place, key)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.replace(draft, target)
            except OSError:  # where locks do not reach other machines, one of them may have been quicker
                if self._fault(target, key, contents=True):
                    raise
        except FullDisk:
            raise
        except Exception as error:  # libraries that write files have errors of their own
            if has_room(self.root) and not is_disk_full(error):
                raise
            raise self.full() from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return target

    def full(self) -> FullDisk:
        """Return the error for a full disk."""
        return disk_full(self.root)

    def free(self) -> int:
        """Return the bytes that are free where the store is, or will be."""
        return free_bytes(self.root)

    def draft(self, key: str) -> Path:
        """Return a new name for what a cell is made in; it begins with what its lock is called."""
        return self.root / ".tmp" / f"{key[:16]}-{uuid.uuid4().hex[:8]}"

    def log(self, place: str, key: str, text: str) -> Path | None:
        """Write down why a cell failed, for people; return the file, or None where nothing can be written."""
        path = self.root / ".failed" / f"{place.replace('/', '--')}-{key[:8]}.log"
        try:
            write_whole(path, text)
        except OSError:  # the disk may be what failed
            return None
        return path

    def busy(self, key: str) -> bool:
        """Whether some process, of those that see this file system, computes a cell just now."""
        from filelock import Timeout

        if not self._locked(key).is_file():
            return False
        try:
            with self._lock(key, timeout=0):
                return False
        except Timeout:
            return True

    @contextlib.contextmanager
    def _lock(self, key: str, timeout: float = -1) -> Iterator[None]:
        from filelock import FileLock

        path = self._locked(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path, timeout=timeout):
            yield

    def _locked(self, key: str) -> Path:
        return self.root / ".locks" / key[:16]

    def _fault(self, folder: Path, key: str, *, contents: bool) -> str | None:
        try:
            record = json.loads((folder / RECORD).read_text())
            files = record["files"]
        except (OSError, ValueError, KeyError, TypeError):
            return f"{RECORD} is missing or unreadable"
        if record.get("key") != key:
            return "its key is another cell's"
        for name, stamped in files.items():
            path = folder / name
            if not path.is_file() or path.stat().st_size != stamped["size"]:
                return f"{name} is missing or cut short"
            if contents and stamp(path) != stamped:
                return f"{name} has changed since it was written"
        return None

    def _set_aside(self, folder: Path, key: str, fault: str) -> None:
        aside = self.root / ".damaged" / f"{folder.name}-{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(folder, aside)
        except FileNotFoundError:  # another process was quicker
            return
        if self._fault(aside, key, contents=True) is None:  # another was, and has computed it since
            with contextlib.suppress(OSError):  # or is there again
                os.replace(aside, folder)
            return
        log.warning(f"{folder.relative_to(self.root)} in the store is damaged ({fault}): set aside, computed again.")


def stamp(path: Path) -> dict[str, Any]:
    """Return a file's size in bytes and its sha256."""
    with open(path, "rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def home() -> Path:
    """Return the folder of the store: `COGBENCH_HOME`, or the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("COGBENCH_HOME") or user_cache_path("cogbench"))
