"""Parts, recipes, cells and records as plain JSON values, and back."""

import dataclasses
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UnusableData


def encode(value: Any) -> Any:
    """Return plain JSON values for a part, a recipe, a cell or any frozen dataclass of plain values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        cls = type(value)
        held = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"is": f"{cls.__module__}:{cls.__qualname__}", **held}
    if isinstance(value, tuple | list):
        return [encode(v) for v in value]
    if isinstance(value, frozenset):
        return {"set": sorted(value)}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, Mapping):
        return {"map": [[k, encode(v)] for k, v in value.items()]}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise UnusableData(f"{value!r} is no plain value: the fields of a part must be numbers, texts, tuples or parts.")


def decode(value: Any) -> Any:
    """Return what `encode` was given; modules are imported as named."""
    if isinstance(value, list):
        return tuple(decode(v) for v in value)
    if not isinstance(value, dict):
        return value
    if "set" in value:
        return frozenset(value["set"])
    if "path" in value:
        return Path(value["path"])
    if "map" in value:
        return {k: decode(v) for k, v in value["map"]}
    module, _, qualname = value["is"].partition(":")
    cls: Any = importlib.import_module(module)
    for name in qualname.split("."):
        cls = getattr(cls, name)
    return cls(**{k: decode(v) for k, v in value.items() if k != "is"})
