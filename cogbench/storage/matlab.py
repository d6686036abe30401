"""The variables of a MATLAB file as plain values: arrays, texts, lists for cells, dicts for structs."""

import math
import struct
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..errors import MissingData, UnusableData
from ..text import first_line
from .atomic import readable
from .foreign import refuse_swelling

HDF5 = b"\x89HDF\r\n\x1a\n"
DEEPEST = 50  # cells and structs within each other
BLOCK = 1 << 20  # bytes that are unpacked at once
# The numbers of the format: types of elements, and classes of arrays.
MATRIX, COMPRESSED = 14, 15
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CODECS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
ENDS = {"<": "-le", ">": "-be"}
CELL, STRUCT, CHAR, NUMBERS, OPAQUE = 1, 2, 4, range(6, 16), 17


def read_matlab(path: Path, names: Collection[str] | None = None) -> dict[str, Any]:
    """Read variables of a MATLAB file; nothing in it runs.

    Parameters
    ----------
    path : Path
        A file of MATLAB's version 5 to 7.2, or 7.3 (HDF5) if h5py is installed.
    names : collection of str, optional
        Those that are read if they are there; all, unless said.

    Returns
    -------
    dict
        Numbers as arrays with as many rows and columns as in MATLAB, in its order of columns; texts as str, or as a
        list where a char array has several rows; a cell array as the list of its elements, column by column; a struct
        as a dict; a struct array as a list of dicts, or in version 7.3 as a dict of lists. None for MATLAB's objects,
        such as its strings in double quotes, which no open format describes.

    Raises
    ------
    UnusableData
        If the file is no MATLAB file, or cut short.
    MissingData
        If there is no such file, or it is of version 7.3 and h5py is not installed.
    """
    readable(path)
    with path.open("rb") as file:
        head = file.read(520)
    if not head:
        raise UnusableData(f"{str(path)!r} is empty.")
    if HDF5 in (head[:8], head[512:]):
        return _hdf5(path, names)
    try:
        return _version_5(path, None if names is None else {*names})
    except (ValueError, struct.error, zlib.error, OSError) as error:
        reason = "it is cut short" if isinstance(error, struct.error) else first_line(error)
        raise UnusableData(f"{str(path)!r} cannot be read as a MATLAB file: {reason}.") from error


# --- version 5, by "MAT-File Format" of The MathWorks
#
# Not by scipy, whose reader crashes with the whole process: with one in forty of files that were damaged at random.


class _Element(NamedTuple):
    """What follows a tag: its type, and its bytes."""

    kind: int
    content: memoryview


class _Head(NamedTuple):
    """What an array says of itself before its contents."""

    type: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str
    rest: memoryview


def _version_5(path: Path, names: set[str] | None) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(128)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:])
        if order is None:
            raise ValueError("it is none, or one of version 4; save it in MATLAB with -v7")
        at = 128
        while at < size:
            file.seek(at)
            kind, n_bytes = struct.unpack(f"{order}II", file.read(8))
            at += 8 + n_bytes
            if at > size:
                raise ValueError("it is cut short")
            content = _unpacked(path, file, n_bytes, order, names) if kind == COMPRESSED else file.read(n_bytes)
            if kind in (COMPRESSED, MATRIX) and content:
                array = _head(memoryview(content), order)
                if array.name and not array.name.startswith("__") and (names is None or array.name in names):
                    variables[array.name] = _value(array, order)
    return variables


def _unpacked(path: Path, file: BinaryIO, n_bytes: int, order: str, names: set[str] | None) -> bytes | bytearray:
    """Return the bytes of a packed array without its tag; none for an array that nobody needs."""
    inflate, left = zlib.decompressobj(), n_bytes

    def more() -> bytes:
        nonlocal left
        packed = inflate.unconsumed_tail or file.read(min(left, BLOCK))
        left -= 0 if inflate.unconsumed_tail else len(packed)
        return inflate.decompress(packed, BLOCK)

    chunk = more()
    kind, size = struct.unpack_from(f"{order}II", chunk)
    if kind != MATRIX:
        raise ValueError("something is packed in it that is no array")
    if names is not None and _head(memoryview(chunk)[8:], order).name not in names:
        return b""
    refuse_swelling(path, size)
    content, at, chunk = bytearray(size), 0, chunk[8:]
    while chunk:
        if at + len(chunk) > size:
            raise ValueError("an array is longer than it says")
        content[at : at + len(chunk)] = chunk
        at += len(chunk)
        chunk = more()  # also the last time, which compares the check sum
        while not chunk and left:
            chunk = more()
    if at < size or not inflate.eof:
        raise ValueError("it is cut short")
    return content


def _element(content: memoryview, order: str) -> tuple[_Element, memoryview]:
    """Return the first element, and what follows it."""
    (word,) = struct.unpack_from(f"{order}I", content)
    if word >> 16:  # a small element: type, length and contents in 8 bytes
        kind, size = word & 0xFFFF, word >> 16
        if size > 4:
            raise ValueError("an element is longer than it may be")
        return _Element(kind, content[4 : 4 + size]), content[8:]
    (size,) = struct.unpack_from(f"{order}I", content, 4)
    if 8 + size > len(content):
        raise ValueError("an element is longer than the array that it stands in")
    return _Element(word, content[8 : 8 + size]), content[8 + size + -size % 8 :]


def _head(content: memoryview, order: str) -> _Head:
    flags, rest = _element(content, order)
    shape, rest = _element(rest, order)
    name, rest = _element(rest, order)
    (word,) = struct.unpack_from(f"{order}I", flags.content)
    kind = word & 0xFF
    if kind == OPAQUE:  # has a name in place of its shape
        return _Head(kind, False, (), bytes(shape.content).decode("latin-1"), rest)
    sizes = tuple(np.frombuffer(shape.content, f"{order}i4").tolist())
    if len(sizes) < 2 or min(sizes) < 0:
        raise ValueError("an array has no shape")
    return _Head(kind, bool(word & 0x800), sizes, bytes(name.content).decode("latin-1"), rest)


def _array(content: memoryview, order: str, depth: int) -> tuple[Any, memoryview]:
    """Return the value of the first element, an array within another one, and what follows it."""
    element, rest = _element(content, order)
    if element.kind != MATRIX:
        raise ValueError("an array holds something else than arrays")
    if not element.content:
        return np.empty((0, 0)), rest
    return _value(_head(element.content, order), order, depth + 1), rest


def _value(array: _Head, order: str, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise ValueError("its cells are nested too deep")
    size, rest = math.prod(array.shape), array.rest
    if array.type == CELL:
        return [value for (value,) in _records(rest, order, depth, size, 1)]
    if array.type == STRUCT:
        length, rest = _element(rest, order)
        texts, rest = _element(rest, order)
        (width,) = struct.unpack_from(f"{order}i", length.content)
        n_fields = len(texts.content) // width if width > 0 else 0
        words = [bytes(texts.content[i * width : (i + 1) * width]) for i in range(n_fields)]
        fields = [word.partition(b"\0")[0].decode("latin-1") for word in words]
        records = [dict(zip(fields, values, strict=True)) for values in _records(rest, order, depth, size, n_fields)]
        return records[0] if len(records) == 1 else records
    if array.type == CHAR:
        return _text(array, _element(rest, order)[0], order)
    if array.type not in NUMBERS:
        return None
    real, rest = _numbers(rest, order, size)
    if array.is_complex:
        real = _complex(real, _numbers(rest, order, size)[0])
    return real.reshape(array.shape, order="F")


def _records(content: memoryview, order: str, depth: int, n_records: int, n_fields: int) -> list[list[Any]]:
    """Return the values of cells, or of the fields of structs."""
    if n_records * n_fields * 8 > len(content):
        raise ValueError("it is cut short")
    if not n_fields:
        return []
    records = []
    for _ in range(n_records):
        values = []
        for _ in range(n_fields):
            value, content = _array(content, order, depth)
            values.append(value)
        records.append(values)
    return records


def _numbers(content: memoryview, order: str, size: int) -> tuple[Any, memoryview]:
    element, rest = _element(content, order)
    kind = TYPES.get(element.kind)
    if kind is None or len(element.content) != size * np.dtype(kind).itemsize:
        raise ValueError("an array has another number of elements than its shape says")
    return np.frombuffer(element.content, order + kind), rest


def _complex(real: Any, imaginary: Any) -> Any:
    both = np.empty(real.shape, np.result_type(real.dtype, np.complex64))
    both.real, both.imag = real, imaginary
    return both


def _text(array: _Head, element: _Element, order: str) -> str | list[str]:
    """Return a text, or a list of them for a char array of several rows."""
    codec = CODECS.get(element.kind)
    if codec is None:
        raise ValueError("a text has no known encoding")
    text = bytes(element.content).decode(codec + (ENDS[order] if codec in ("utf-16", "utf-32") else ""))
    n_rows, size = array.shape[0], math.prod(array.shape)
    if n_rows == 1 or not size:
        return text[:size]
    if len(text) != size:
        raise ValueError("a text has another length than its shape says")
    return [text[row::n_rows] for row in range(n_rows)]


def _hdf5(path: Path, names: Collection[str] | None) -> dict[str, Any]:
    try:
        import h5py
    except ImportError:
        raise MissingData(
            f"{str(path)!r} is of MATLAB's version 7.3 (HDF5), which takes h5py to read: pip install h5py, or save it "
            "in MATLAB with -v7."
        ) from None
    try:
        with h5py.File(path, "r") as file:
            names = [name for name in file if not name.startswith("#")] if names is None else names
            return {name: _plain_hdf5(file[name], file) for name in names if name in file}
    except MemoryError:
        raise
    except Exception as error:  # whatever damaged bytes make of the reader
        reason = first_line(error)
        raise UnusableData(f"{str(path)!r} cannot be read as a MATLAB file of version 7.3: {reason}.") from error


def _plain_hdf5(node: Any, file: Any, depth: int = 0) -> Any:
    """Return what an HDF5 object holds; MATLAB writes its arrays there transposed, and cells as references."""
    if depth > DEEPEST:
        raise ValueError("its cells are nested too deep")
    if hasattr(node, "keys"):
        return {name: _plain_hdf5(node[name], file, depth + 1) for name in node}
    kind = node.attrs.get("MATLAB_class", b"double")
    kind = kind.decode() if isinstance(kind, bytes) else kind
    if "MATLAB_object_decode" in node.attrs:
        return None
    value = node[()]
    if node.attrs.get("MATLAB_empty", 0):
        return "" if kind == "char" else [] if kind == "cell" else np.empty((0, 0))
    if kind == "cell" or value.dtype == object:  # the fields of a struct array are references without a class
        return [_plain_hdf5(file[reference], file, depth + 1) for reference in value.ravel()]
    if kind == "char":
        units = value.T.reshape(-1, value.shape[0]).astype("<u2")
        rows = [row.tobytes().decode("utf-16-le") for row in units]
        return rows[0] if len(rows) == 1 else rows
    if value.dtype.names == ("real", "imag"):
        value = _complex(value["real"], value["imag"])
    return value.T
