"""Files that somebody else may have written: JSON and arrays, read so that nothing in them runs, and checked as values.

Each reader raises ValueError with the reason in words; its caller names the file.
"""

import gzip
import io
import json
import math
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..text import first_line, in_words
from .atomic import readable

DEEPEST = 100  # lists and objects within each other; what follows them down would fail beyond some 900
LARGEST = 2**64  # of whole numbers: no array holds larger ones
# What a packed file may become: any file so many bytes, and a large one so many times its own. Recordings pack to .9 of
# their bytes, text to a quarter, and scores of 0 and 1 to a twentieth; what packs to a thousandth, which is the least
# that zip and gzip can, is one value again and again. So memory goes by what a file has, and not by what it claims.
UNPACKED, TIMES = 2**24, 100


def read_json(path: Path, *, finite: bool = True) -> Any:
    """Return the value of a JSON file; errors are those of `read_utf8` and `parse_json`."""
    return parse_json(read_utf8(path), finite=finite)


def read_utf8(path: Path) -> str:
    """Return the text of a file; a mark of byte order before it means nothing.

    Raises
    ------
    MissingData
        If there is no such file.
    ValueError
        If it cannot be read, or is no text in UTF-8.
    """
    readable(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is no text in UTF-8") from None


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
    for fault in faults_of_json(value, finite=finite):
        raise ValueError(fault)
    return value


def faults_of_json(value: Any, *, finite: bool = True) -> Iterator[str]:
    """Yield what nobody could use of a JSON value, or of a record that was read from one."""
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            yield "its lists are nested too deep"
            return
        inner: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is float:
                if finite and not math.isfinite(item):
                    yield "it holds a number out of range"
            elif kind is str:
                if not item.isascii() and any("\ud800" <= sign <= "\udfff" for sign in item):
                    yield "it holds half a letter, a surrogate without its other half"
            elif kind is list or kind is tuple:
                inner += item
            elif kind is dict:
                inner += item
                inner += item.values()
            elif kind is int:
                if not -LARGEST < item < LARGEST:
                    yield "it holds a number out of range"
            elif item is not None and is_dataclass(item):
                inner += vars(item).values()
        level, depth = inner, depth + 1


def read_arrays(path: Path, names: Collection[str] | None = None) -> dict[str, Any]:
    """Return arrays of an npz file by their names; no object in it is made.

    Parameters
    ----------
    path : Path
    names : collection of str, optional
        Those that are read if they are there; all, unless said.

    Raises
    ------
    MissingData
        If there is no such file.
    ValueError
        If it is no npz file, is damaged, holds an array of objects or one that does not fit into memory, or would
        unpack to far more than its size.
    """
    readable(path)
    try:
        source = io.BytesIO(unzipped(path)) if path.name.lower().endswith(".gz") else path
        refuse_swelling(path, unpacked_size(source))
        with np.load(source, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if names is None or name in names}
    except Exception as error:  # a damaged archive has numpy, zipfile, zlib and tokenize raise errors of many kinds
        raise ValueError(f"it cannot be read as npz: {first_line(error)}") from error


def read_array(path: Path) -> Any:
    """Return the array of an npy file; no object in it is made.

    Raises
    ------
    MissingData
        If there is no such file.
    ValueError
        If it is no npy file, is damaged, holds objects, or does not fit into memory.
    """
    readable(path)
    try:
        source = io.BytesIO(unzipped(path)) if path.name.lower().endswith(".gz") else path
        array = np.load(source, allow_pickle=False)
    except Exception as error:
        raise ValueError(f"it cannot be read as npy: {first_line(error)}") from error
    if not isinstance(array, np.ndarray):
        raise ValueError("it cannot be read as npy: it holds several arrays, which is npz")
    return array


def unpacked_size(path: Path | BinaryIO) -> int:
    """Return how many bytes the members of a zip archive say they have; whoever reads a member gets no more of it.

    Raises
    ------
    ValueError
        If it is no such archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except Exception as error:  # a damaged directory has zipfile raise errors of many kinds
        raise ValueError("it is no zip archive, or is damaged") from error


def unzipped(path: Path) -> bytes:
    """Return what a gzip file holds.

    Raises
    ------
    ValueError
        If that is far more than its size.
    OSError, EOFError, zlib.error
        If it is damaged.
    """
    most = _most_unpacked(path)
    with gzip.open(path) as file:
        content = file.read(most + 1)  # what a gzip file says of its size is no limit
    refuse_swelling(path, len(content))
    return content


def refuse_swelling(path: Path, size: int) -> None:
    """Raise ValueError if a packed file would become so many bytes, and that is far more than it can honestly hold."""
    if size > (most := _most_unpacked(path)):
        raise ValueError(
            f"it would unpack to more than {in_words(most)}, and has {in_words(path.stat().st_size)}; save it unpacked"
        )


def _most_unpacked(path: Path) -> int:
    return max(UNPACKED, TIMES * path.stat().st_size)
