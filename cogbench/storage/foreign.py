"""Files that somebody else may have written: JSON and arrays, read so that nothing in them runs, and checked as values.

Each reader raises ValueError with the reason in words; its caller names the file.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..text import first_line
from .atomic import readable

DEEPEST = 100  # lists and objects within each other; what follows them down would fail beyond some 900
LARGEST = 2**64  # of whole numbers: no array holds larger ones


def read_json(path: Path, *, finite: bool = True) -> Any:
    """Return the value of a JSON file; a mark of byte order before it means nothing.

    Raises
    ------
    MissingData
        If there is no such file.
    ValueError
        If it cannot be read, or as `parse_json`.
    """
    readable(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is no text in UTF-8") from None
    return parse_json(text, finite=finite)


def parse_json(text: str, *, finite: bool = True) -> Any:
    """Return the value of a JSON text; without `finite` it may hold NaN and infinity, as pandas writes them.

    Raises
    ------
    ValueError
        If it is no JSON; or holds NaN or infinity, whole numbers that no array holds, halves of letters, which no file
        can hold, or lists nested too deep.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"it holds {constant}, which is no number")

    try:
        value = json.loads(text, parse_constant=refuse if finite else float)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON from line {error.lineno}, column {error.colno} on") from None
    except RecursionError:
        raise ValueError("its lists are nested too deep") from None
    except ValueError as error:
        raise ValueError(str(error) if "no number" in str(error) else "it holds a number out of range") from None
    for fault in _faults(value, finite):
        raise ValueError(fault)
    return value


def _faults(value: Any, finite: bool) -> Iterator[str]:
    """Yield what of a JSON value nobody could use."""
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            yield "its lists are nested too deep"
            return
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, str):
                if not item.isascii() and any("\ud800" <= sign <= "\udfff" for sign in item):
                    yield "it holds half a letter, a surrogate without its other half"
            elif (finite and isinstance(item, float) and not math.isfinite(item)) or (
                isinstance(item, int) and not -LARGEST < item < LARGEST
            ):
                yield "it holds a number out of range"
        level, depth = inner, depth + 1


def read_arrays(path: Path) -> dict[str, Any]:
    """Return all arrays of an npz file by their names; no object in it is made.

    Raises
    ------
    MissingData
        If there is no such file.
    ValueError
        If it is no npz file, is damaged, or holds an array of objects or one that does not fit into memory.
    """
    readable(path)
    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except Exception as error:  # a damaged archive has numpy, zipfile, zlib and tokenize raise errors of many kinds
        raise ValueError(f"it cannot be read as npz: {first_line(error)}") from error
