"""What the store holds, and what of it no run can ask for any more."""

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from ..data.files import READING, Files
from ..parts.fingerprint import Fingerprints, harness_version
from ..parts.registry import Parts
from ..storage.damage import ASIDE, CELL, RECORD, read_record
from ..storage.locks import needed
from ..storage.store import Store

UNKNOWN = "unknown"  # what the code of a class is now, where that cannot be told
COLUMNS = ("folders", "bytes", "out of reach", "bytes out of reach", "other versions", "bytes of other versions")
YOUNG = 3600  # seconds: what nobody has touched for so long is needed by no run that does not say so
DAMAGED = re.compile(r".+-[0-9a-f]{8}-[0-9a-f]{8}")  # the names of cells that were set aside
DRAFT = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Held:
    """A folder of the store: what it is, its bytes, and why no run can ask for it (empty if one can).

    `version` is the version of cogbench that made a cell, or a cell that this one was made from, if it is another one:
    no run of this version asks for it, and a run of that version may. `spared` says why it is not removed all the same:
    commands of another environment share the store, and may need what no run of this one can ask for.
    """

    folder: Path
    kind: str
    size: int
    fault: str = ""
    version: str = ""
    spared: str = ""
    key: str = ""


def inventory(store: Store, parts: Parts) -> Iterator[Held]:
    """Yield every cell, draft and damaged folder of a store; a cell is out of reach if one that it was made from is.

    What does not bear the name of a cell, or has a record that is not one of that cell, is somebody else's.
    """
    if not store.root.is_dir():
        return
    cells, codes = dict[str, tuple[Held, list[str]]](), _codes(parts)
    running = needed(store.root)
    for file in sorted(store.root.rglob(RECORD)):
        folder = file.parent
        if _is_hidden(folder, store.root) or not CELL.fullmatch(folder.name) or not file.is_file():
            continue
        try:
            record = read_record(folder)
            ingredients, key = record["ingredients"], record["key"]
            kind, inputs = str(ingredients.get("cell", "cell")).lower(), ingredients.get("inputs", [])
        except (OSError, ValueError, AttributeError):
            if _names_cell(file):
                yield Held(folder, "damaged", _size(folder), "its record cannot be read", spared=_youth(file))
            continue
        if not folder.name.endswith(key[:8]):
            continue
        spared = "a running command needs it" if key in running else _youth(file)
        version = _other_version(ingredients)
        fault = "" if version else next(_outdated(ingredients, codes), "")
        cells[key] = Held(folder, kind, _size(folder), fault, version, spared, key), inputs
    for key in cells:
        yield _with_inputs(key, cells)
    for folder in sorted((store.root / ASIDE).glob("*")):
        if DAMAGED.fullmatch(folder.name):
            yield Held(folder, "damaged", _size(folder), "set aside because it had changed since it was written")
    for file in sorted((store.root / ".failed").glob("*.log")):
        if CELL.fullmatch(file.stem):
            yield Held(file, "log", file.stat().st_size, "why a cell failed, for people")
    for folder in sorted((store.root / ".tmp").glob("*")):
        if not DRAFT.fullmatch(folder.name):
            continue
        with contextlib.suppress(FileNotFoundError):
            young = any(map(_youth, (folder, *folder.rglob("*"))))
            young = young or store.busy(folder.name.partition("-")[0])  # a long training writes at its end only
            yield Held(
                folder, "draft", _size(folder), "" if young else "left by a process that ended before it was done"
            )


def _is_hidden(folder: Path, root: Path) -> bool:
    return folder == root or any(part.startswith(".") for part in folder.relative_to(root).parts)


def _names_cell(record: Path) -> bool:
    """Whether a record that cannot be read says in its key that it is of the cell whose name its folder bears."""
    with contextlib.suppress(OSError):
        key = re.search(r'"key": "([0-9a-f]{8})', record.read_text(errors="replace"))
        return key is not None and record.parent.name.endswith(f"-{key[1]}")
    return False


def _youth(path: Path) -> str:
    """Return why something is spared that was written within the hour; nothing for what is older, or gone."""
    with contextlib.suppress(OSError):
        return "it is younger than an hour" * (time.time() - path.stat().st_mtime < YOUNG)
    return ""


def _with_inputs(key: str, cells: dict[str, tuple[Held, list[str]]]) -> Held:
    """Return a cell with the fault or the version of a cell that it was made from, if it has none itself."""
    one, inputs = cells[key]
    if one.fault or one.version:
        return one
    made_from = [_with_inputs(i, cells) for i in inputs if i in cells]
    fault = next((f"{entry.folder.name}: {entry.fault}" for entry in made_from if entry.fault), "")
    version = next((entry.version for entry in made_from if entry.version), "")
    cells[key] = replace(one, fault=fault, version=version), []  # its inputs are not looked at again
    return cells[key][0]


def info(store: Store, parts: Parts) -> list[dict[str, Any]]:
    """Return a row for each kind of thing in a store: how many, how large, and how much of it no run can ask for.

    Cells of other versions of cogbench are counted apart from those that are out of reach.
    """
    rows: dict[str, dict[str, Any]] = {}
    for one in inventory(store, parts):
        row = rows.setdefault(one.kind, {"kind": one.kind, **dict.fromkeys(COLUMNS, 0)})
        row["folders"] += 1
        row["bytes"] += one.size
        if one.fault:
            row["out of reach"] += 1
            row["bytes out of reach"] += one.size
        elif one.version:
            row["other versions"] += 1
            row["bytes of other versions"] += one.size
    return list(rows.values())


def prune(store: Store, parts: Parts, *, other_versions: bool = False, dry_run: bool = False) -> list[Held]:
    """Remove what is out of reach; return it. A cell that is out of reach is computed anew by whoever asks for it.

    Out of reach are cells of code that has changed since; what was read from local files that are others now, or gone;
    what was set aside as damaged; logs of failures; and drafts that nobody has touched for an hour. Cells of other
    versions of cogbench stay, unless `other_versions` asks for them; so do cells that are younger than an hour, and
    cells that a running command needs, which may be of an environment with other plugins.
    """
    outdated = [one for one in inventory(store, parts) if one.fault or (other_versions and one.version)]
    removed = [one for one in outdated if not one.spared and not (one.key and store.busy(one.key))]
    if not dry_run:
        for one in removed:
            if one.folder.is_file():
                one.folder.unlink(missing_ok=True)
            shutil.rmtree(one.folder, ignore_errors=True)
            parent = one.folder.parent
            with contextlib.suppress(OSError):  # not empty
                while parent != store.root:
                    parent.rmdir()
                    parent = parent.parent
    return removed


def _other_version(ingredients: Any) -> str:
    """Return the version of cogbench that a cell was made by, if it is another one."""
    if "cogbench" not in ingredients or ingredients["cogbench"] == harness_version():
        return ""
    return str(ingredients["cogbench"])


def _codes(parts: Parts) -> dict[str, Any]:
    """Return what the code of each installed part is, by the names of their classes."""
    fingerprints, codes = Fingerprints(), dict[str, Any]()

    def learn(identity: Any) -> None:
        for value in identity.values() if isinstance(identity, dict) else identity:
            if isinstance(value, dict | list):
                learn(value)
        if isinstance(identity, dict) and "code" in identity:
            codes[identity["is"]] = identity["code"]

    for kind in ("task", "backbone", "signal", "estimator"):
        for part in parts.of(kind).values():
            learn(fingerprints.identity(part))
    return codes


def _outdated(ingredients: Any, codes: dict[str, Any]) -> Iterator[str]:
    """Yield in what the code that made a cell is not the installed code; `codes` remembers what was looked up."""
    if isinstance(ingredients, dict):
        if ingredients.get("cell") == READING:
            yield from _changed(ingredients, codes)
        if "is" in ingredients and "code" in ingredients:
            name, code = str(ingredients["is"]), ingredients["code"]
            if name not in codes:
                codes[name] = _code(name, code)
            if codes[name] is None:
                yield f"{name.partition(':')[0]}, which made it, is not installed"
            elif codes[name] != UNKNOWN and codes[name] != code:
                yield f"{name.partition(':')[0]} has changed since"
        for value in ingredients.values():
            yield from _outdated(value, codes)
    elif isinstance(ingredients, list):
        for value in ingredients:
            yield from _outdated(value, codes)


def _changed(ingredients: Any, hashes: dict[str, Any]) -> Iterator[str]:
    """Yield which of the files that were read is another now, or gone."""
    files = Files(offline=True)
    for path, hash_of_then in zip(ingredients.get("paths", ()), ingredients.get("sources", ()), strict=True):
        if path not in hashes:
            hashes[path] = files.sha256(Path(path)) if Path(path).is_file() else None
        if hashes[path] != hash_of_then:
            yield f"{path}, which was read, {'is gone' if hashes[path] is None else 'has changed since'}"


def _code(name: str, code: Any) -> Any:
    """Return today's code of a class that no installed part has: None if it is gone, UNKNOWN if nobody can tell."""
    owner, _, cls = name.partition(":")
    if owner == "__main__":  # a script, which only its own run can tell
        return UNKNOWN
    if isinstance(code, dict) and code.get("distribution") == owner:  # a class of a distribution, but no part of it
        with contextlib.suppress(metadata.PackageNotFoundError):
            metadata.distribution(owner)
            return UNKNOWN
        return None
    try:
        part = getattr(import_module(owner), cls.partition(".")[0], None)
    except ModuleNotFoundError as error:
        return None if error.name and f"{owner}.".startswith(f"{error.name}.") else UNKNOWN
    except Exception:  # another's code, whatever it raises; it may be mended tomorrow
        return UNKNOWN
    return {} if part is None else Fingerprints().code(part)


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
