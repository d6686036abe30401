"""Parts, recipes, cells and records as plain JSON values, and back.

A public record is written by its public name (`cogbench:Settings`), an installed part by kind, name and changed
options, and any other class by its module. So files and messages survive when a module moves.
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UnusableData

HARNESS = __name__.partition(".")[0]

# What cogbench 0.1.0 wrote, by class or by the hash of code: the one table through which its files are read.
FORMER_RECORDS = {"Source": "Origin"}  # records, whose modules stood in the files: `cogbench.records:Source`
FORMER_CODE = {"add3658f63e2428a": 1, "9248e89c494d13ab": 1}  # hashes of code, and the `answers` that it gives
# Former `answers` whose trainings are other draws of today's, by class: seeds of both make one oracle.
DRAWN_ALIKE = dict.fromkeys(
    ["cogbench-toolkit:HuggingFace", "cogbench-toolkit:Distilled", "cogbench-pretraining:Adapted"], {1: 2}
)


def encode(value: Any, name_part: Callable[[Any], dict[str, Any] | None] = lambda part: None) -> Any:
    """Return plain JSON values for a part, a recipe, a cell or any frozen dataclass of plain values.

    Parameters
    ----------
    value : any
        What is written.
    name_part : callable, optional
        Returns the kind, name and changed options of an installed part, None for anything else.

    Raises
    ------
    UnusableData
        If a field holds something that JSON cannot hold.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if named := name_part(value):
            return named
        fields = {f.name: encode(getattr(value, f.name), name_part) for f in dataclasses.fields(value) if f.init}
        return {"is": _public_name(type(value)), **fields}
    if isinstance(value, tuple | list):
        return [encode(v, name_part) for v in value]
    if isinstance(value, frozenset):
        return {"set": sorted(value)}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, Mapping):
        return {"map": [[k, encode(v, name_part)] for k, v in value.items()]}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise UnusableData(f"{value!r} is no plain value: the fields of a part must be numbers, texts, tuples or parts.")


def decode(value: Any, find_part: Callable[[str, str, Mapping[str, Any]], Any] | None = None) -> Any:
    """Return what `encode` was given; `find_part` finds an installed part by kind, name and changed options."""
    if isinstance(value, list):
        return tuple(decode(v, find_part) for v in value)
    if not isinstance(value, dict):
        return value
    if "set" in value:
        return frozenset(value["set"])
    if "path" in value:
        return Path(value["path"])
    if "map" in value:
        return {k: decode(v, find_part) for k, v in value["map"]}
    if "is" in value:
        return _class(value["is"])(**{k: decode(v, find_part) for k, v in value.items() if k != "is"})
    if find_part is None:
        raise UnusableData(f"{value.get('kind')} {value.get('name')!r} can be read where parts are loaded only.")
    options = {k: decode(v, find_part) for k, v in value.get("options", {}).items()}
    return find_part(value["kind"], value["name"], options)


def decode_record(value: Any) -> Any:
    """Return a public record from a file of somebody else: no module is imported and no other class is called.

    Raises
    ------
    UnusableData
        If it is no public record with the fields that it has today.
    """
    fields = with_public_names(value) if isinstance(value, dict) else {}
    owner, _, name = str(fields.get("is")).partition(":")
    public = importlib.import_module(HARNESS)
    cls: Any = getattr(public, name) if owner == HARNESS and name in public.__all__ else None
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise UnusableData(f"{fields.get('is')!r} is no public record of cogbench.")
    try:
        return cls(**{field: v for field, v in fields.items() if field != "is"})
    except TypeError as error:
        raise UnusableData(f"a record {name} cannot be read: {error}.") from error


def with_public_names(value: Any) -> Any:
    """Return encoded values with the public names of records in place of those that cogbench 0.1.0 wrote."""
    if isinstance(value, list):
        return [with_public_names(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: _renamed(v) if k == "is" and isinstance(v, str) else with_public_names(v) for k, v in value.items()}


def _public_name(cls: type) -> str:
    name = cls.__qualname__
    public = importlib.import_module(HARNESS)
    if cls.__module__.startswith(f"{HARNESS}.") and name in public.__all__ and getattr(public, name) is cls:
        return f"{HARNESS}:{name}"
    return f"{cls.__module__}:{name}"


def _renamed(name: str) -> str:
    """Return a record's public name for one with its module, as 0.1.0 wrote it; any other name as it is."""
    module, _, qualname = name.partition(":")
    qualname = FORMER_RECORDS.get(qualname, qualname)
    is_public = qualname in importlib.import_module(HARNESS).__all__
    return f"{HARNESS}:{qualname}" if module.startswith(f"{HARNESS}.") and is_public else name


def _class(name: str) -> Any:
    module, _, qualname = _renamed(name).partition(":")
    member: Any = importlib.import_module(module)
    for part in qualname.split("."):
        member = getattr(member, part)
    return member
