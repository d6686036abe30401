"""What the store holds, and what of it no run can ask for any more."""

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ..data.files import READING, Files
from ..parts.fingerprint import code, harness_version
from ..storage.store import RECORD, Store

BROKEN: dict[str, str | None] = {}  # the code of a module that cannot be imported
DRAFT_AGE = 3600  # seconds: a draft that nobody has touched for so long is what a killed process left


@dataclass(frozen=True)
class Held:
    """A folder of the store: what it is, its bytes, and why no run can ask for it (empty if one can)."""

    folder: Path
    kind: str
    size: int
    fault: str = ""


def inventory(store: Store) -> Iterator[Held]:
    """Yield every cell, draft and damaged folder of a store; a cell is out of reach if one that it was made from is."""
    if not store.root.is_dir():
        return
    cells, known = dict[str, tuple[Held, list[str]]](), {"cogbench": harness_version()}
    for record in sorted(store.root.rglob(RECORD)):
        folder = record.parent
        if any(part.startswith(".") for part in folder.relative_to(store.root).parts):
            continue
        try:
            read = json.loads(record.read_text())
            ingredients, key = read["ingredients"], read["key"]
            kind, inputs = str(ingredients.get("cell", "cell")).lower(), ingredients.get("inputs", [])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            yield Held(folder, "damaged", _size(folder), "its record cannot be read")
            continue
        cells[key] = Held(folder, kind, _size(folder), next(_outdated(ingredients, known), "")), inputs
    for key in cells:
        yield _with_inputs(key, cells)
    for folder in sorted((store.root / ".damaged").glob("*")):
        yield Held(folder, "damaged", _size(folder), "set aside because it had changed since it was written")
    for file in sorted((store.root / ".failed").glob("*.log")):
        yield Held(file, "log", file.stat().st_size, "why a cell failed, for people")
    for folder in sorted((store.root / ".tmp").glob("*")):
        with contextlib.suppress(FileNotFoundError):
            old = time.time() - max(p.stat().st_mtime for p in (folder, *folder.rglob("*"))) > DRAFT_AGE
            old = old and not store.busy(folder.name.partition("-")[0])  # a long training writes at its end only
            yield Held(folder, "draft", _size(folder), "left by a process that ended before it was done" if old else "")


def _with_inputs(key: str, cells: dict[str, tuple[Held, list[str]]]) -> Held:
    one, inputs = cells[key]
    if one.fault:
        return one
    fault = next(
        (f"{of.folder.name}: {of.fault}" for i in inputs if i in cells and (of := _with_inputs(i, cells)).fault), ""
    )
    cells[key] = replace(one, fault=fault), [] if not fault else inputs  # what is in reach is not looked at again
    return cells[key][0]


def info(store: Store) -> list[dict[str, Any]]:
    """Return a row for each kind of thing in a store: how many, how large, and how much of it is out of reach."""
    rows: dict[str, dict[str, Any]] = {}
    for one in inventory(store):
        row = rows.setdefault(
            one.kind, {"kind": one.kind, "folders": 0, "bytes": 0, "out of reach": 0, "their bytes": 0}
        )
        row["folders"] += 1
        row["bytes"] += one.size
        if one.fault:
            row["out of reach"] += 1
            row["their bytes"] += one.size
    return list(rows.values())


def prune(store: Store, *, dry_run: bool = False) -> list[Held]:
    """Remove what is out of reach; return it. A cell that is out of reach is computed anew by whoever asks for it.

    Out of reach are cells of another version of cogbench or of a plugin, or of code that has changed since; what was
    read from local files that are others now, or gone; what was set aside as damaged; logs of failures; and drafts that
    nobody has touched for an hour.
    """
    found = [one for one in inventory(store) if one.fault]
    if not dry_run:
        for one in found:
            if one.folder.is_file():
                one.folder.unlink(missing_ok=True)
            shutil.rmtree(one.folder, ignore_errors=True)
            parent = one.folder.parent
            with contextlib.suppress(OSError):  # not empty
                while parent != store.root:
                    parent.rmdir()
                    parent = parent.parent
    return found


def _outdated(ingredients: Any, known: dict[str, Any]) -> Iterator[str]:
    """Yield in what the code that made a cell is not the installed code; `known` remembers what was looked up."""
    if isinstance(ingredients, dict):
        version = ingredients.get("cogbench")
        if ingredients.get("cell") == READING:
            yield from _changed(ingredients, known)
        elif "cell" in ingredients and version != known["cogbench"]:
            yield f"made by cogbench {version}"
        if "is" in ingredients and "code" in ingredients:
            module, _, name = str(ingredients["is"]).partition(":")
            if module == "__main__":  # a script, which only its own run can tell
                return
            if module not in known:
                known[module] = _code(module)
            if known[module] is None:
                yield f"{module}, which made it, is not installed"
            elif known[module] == BROKEN:  # what made it may be mended tomorrow
                return
            elif known[module] != ingredients["code"]:
                yield f"{module} has changed since"
            elif not _there(module, name):
                yield f"{name} is no longer in {module}"
        for value in ingredients.values():
            yield from _outdated(value, known)
    elif isinstance(ingredients, list):
        for value in ingredients:
            yield from _outdated(value, known)


def _changed(ingredients: Any, known: dict[str, Any]) -> Iterator[str]:
    """Yield which of the files that were read is another now, or gone."""
    files = Files(offline=True)
    for path, held in zip(ingredients.get("paths", ()), ingredients.get("sources", ()), strict=True):
        if path not in known:
            known[path] = files.sha256(Path(path)) if Path(path).is_file() else None
        if known[path] != held:
            yield f"{path}, which was read, {'is gone' if known[path] is None else 'has changed since'}"


def _code(module: str) -> dict[str, str | None] | None:
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        return None if error.name and f"{module}.".startswith(f"{error.name}.") else BROKEN
    except Exception:  # another's code, whatever it raises
        return BROKEN
    return code(module)


def _there(module: str, name: str) -> bool:
    return hasattr(import_module(module), name.partition(".")[0])


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
