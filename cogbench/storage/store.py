"""Results of cells as plain files under readable names, written whole or not at all.

<root>/minilm/cola/seed-0-1f3a9c20/     8 digits of the key end the name
    cell.json                           the key, all its ingredients, and each file's size and sha256
    scores.json, model/…                what the cell wrote
"""

import contextlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ENDS_RUN, FullDisk, UnusableData
from ..text import LONGEST, cut
from .atomic import writable, write_whole
from .damage import RECORD, make_folder, read_record, seal_of, set_aside, size_of_file
from .disk import disk_full, free_bytes, has_room, is_disk_full, store_lost
from .hashes import stamp
from .locks import locked

log = logging.getLogger("cogbench")
Fill = Callable[[Path], Any]  # writes the files of a cell; a mapping that it returns goes into the record of the cell


@dataclass(frozen=True)
class Cost:
    """What a finished cell took: seconds of the processor, and examples that went forward and backward through a model.

    A figure is None where the cell is not here, or was written before records had it. `reads` are the names of the
    cells that it read on the way.
    """

    seconds: float | None = None
    forward: int | None = None
    backward: int | None = None
    reads: tuple[str, ...] = ()


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
        """Return what a cell's folder is called within the store: a place of too long names is cut."""
        *folders, last = place.split("/")
        return "/".join([*map(cut, folders), f"{cut(last, LONGEST - 9)}-{key[:8]}"])

    def folder(self, place: str, key: str) -> Path:
        """Return where a cell's files are, or would be."""
        return self.root / self.name(place, key)

    def has(self, place: str, key: str) -> bool:
        """Whether a cell is there whole, judged by the names and sizes of its files; one that is not is set aside."""
        return self._is_whole(self.folder(place, key), key, contents=False)

    def arrived(self, place: str, key: str) -> bool:
        """Whether what another process has just finished is to be seen from here."""
        return self.has(place, key)

    def size(self, place: str, key: str) -> int:
        """Return the bytes of a finished cell's files; 0 if it is not here."""
        try:
            files = read_record(self.folder(place, key))["files"]
        except (OSError, ValueError):
            return 0
        return sum(stamped["size"] for stamped in files.values())

    def cost(self, name: str) -> "Cost":
        """Return what a finished cell took."""
        try:
            record = read_record(self.root / name)
        except (OSError, ValueError):
            return Cost()
        seconds, forward, backward, reads = (record.get(key) for key in ("seconds", "forward", "backward", "reads"))
        return Cost(
            seconds if isinstance(seconds, float) else None,
            forward if isinstance(forward, int) else None,
            backward if isinstance(backward, int) else None,
            tuple(name for name in reads if isinstance(name, str)) if isinstance(reads, list) else (),
        )

    def read(self, place: str, key: str) -> Path | None:
        """Return a finished cell's folder with every file's contents checked, or None; damage is set aside."""
        folder = self.folder(place, key)
        return folder if self._is_whole(folder, key, contents=True) else None

    def write(self, place: str, key: str, ingredients: Any, fill: Fill) -> Path:
        """Have `fill` write a cell's files into a fresh folder, then move that into place.

        What `fill` returns stands in the record too, outside its seal: how long it took. Whoever else computes this
        cell at the same time, on this file system, waits and takes the first one's.
        """
        with self._alone(place, key):
            return self.read(place, key) or self._made(place, key, ingredients, fill)

    @contextlib.contextmanager
    def _alone(self, place: str, key: str) -> Iterator[None]:
        """Hold a cell's lock, without what a killed process may have left of the cell."""
        with self._lock(key, place):
            for left in (self.root / ".tmp").glob(f"{key[:16]}-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    def _made(self, place: str, key: str, ingredients: Any, fill: Fill, **more: Any) -> Path:
        draft = self.draft(key)
        try:
            make_folder(draft, self.root)
            if not has_room(self.root):  # before the work, which would be lost
                raise self.full()
            described = fill(draft)
            more = {**described, **more} if isinstance(described, dict) else more
            files = {str(p.relative_to(draft)): stamp(p) for p in sorted(draft.rglob("*")) if p.is_file()}
            record = {"key": key, "ingredients": ingredients, "files": files, **more}
            (draft / RECORD).write_text(json.dumps(record | {"seal": seal_of(record)}, indent=1))
            target = self.folder(place, key)
            make_folder(target.parent, self.root)
            try:
                os.replace(draft, target)
            except OSError:  # where locks do not reach other machines, one of them may have been quicker
                if self._fault(target, key, contents=True):
                    raise
        except ENDS_RUN:
            raise
        except Exception as error:  # libraries that write files have errors of their own
            if lost := store_lost(self.root, error):
                raise lost from error
            if has_room(self.root) and not is_disk_full(error):
                raise
            raise disk_full(self.root, error) from error
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

    def check_writable(self) -> None:
        """Raise LostStore, FullDisk or UnusableData unless results can be written here."""
        try:
            writable(self.root)
        except UnusableData as error:
            full = disk_full(self.root, error) if is_disk_full(error) else error
            raise store_lost(self.root, error) or full from None

    def log(self, place: str, key: str, text: str) -> Path | None:
        """Write down why a cell failed, for people; return the file, or None where nothing can be written."""
        path = self.root / ".failed" / f"{cut(place.replace('/', '--'), LONGEST - 13)}-{key[:8]}.log"
        try:
            make_folder(path.parent, self.root)
            write_whole(path, text, durable=False)
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

    def _lock(self, key: str, what: str = "", timeout: float = -1) -> contextlib.AbstractContextManager[None]:
        return locked(self._locked(key), self.root, what=what or key[:8], timeout=timeout)

    def _locked(self, key: str) -> Path:
        return self.root / ".locks" / key[:16]

    def _is_whole(self, folder: Path, key: str, *, contents: bool) -> bool:
        """Whether a cell is there whole; a damaged one, or what stands in its place, is set aside."""
        if not os.path.lexists(folder):
            return False
        if fault := self._fault(folder, key, contents=contents):
            self._set_aside(folder, key, fault)
        return not fault

    def _fault(self, folder: Path, key: str, *, contents: bool) -> str | None:
        """Return what is wrong with a cell's folder; None if it is whole."""
        try:
            record = read_record(folder)
            if record["key"] != key:
                return "its key is another cell's"
            if not record["files"] and any(path.name != RECORD for path in folder.iterdir()):
                return f"{RECORD} lists no files"
            for name, stamped in record["files"].items():
                if size_of_file(os.path.join(folder, name)) != stamped["size"]:
                    return f"{name} is missing or cut short"
                if contents and stamp(folder / name) != stamped:
                    return f"{name} has changed since it was written"
        except ValueError as error:
            return str(error) if folder.is_dir() else "it is no folder"
        except OSError as error:
            if lost := store_lost(self.root, error):
                raise lost from error
            return f"it cannot be read: {error.strerror}"
        return None

    def _set_aside(self, folder: Path, key: str, fault: str) -> None:
        try:
            aside = set_aside(folder, self.root)
        except OSError as error:
            if lost := store_lost(self.root, error):
                raise lost from error
            raise
        if aside is None:
            return
        if self._fault(aside, key, contents=True) is None:  # another was, and has computed it since
            with contextlib.suppress(OSError):  # or is there again
                os.replace(aside, folder)
            return
        log.warning(f"{folder.relative_to(self.root)} in the store is damaged ({fault}): set aside, computed again.")


def home() -> Path:
    """Return the folder of the store: `COGBENCH_HOME`, or the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("COGBENCH_HOME", "").strip() or user_cache_path("cogbench"))
