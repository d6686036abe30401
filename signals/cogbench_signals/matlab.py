"""Some variables of a MATLAB file as plain values: arrays, texts, lists for cells, dicts for structs."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cogbench import MissingData, UnusableData

HDF5 = b"\x89HDF\r\n\x1a\n"


def variables(path: Path, names: Collection[str]) -> dict[str, Any]:
    """Read those of these variables that a file holds, and no others.

    Parameters
    ----------
    path : Path
        A file of MATLAB's version 5 to 7.2, or 7.3 (HDF5) if h5py is installed.
    names : collection of str

    Returns
    -------
    dict
        Numbers as arrays with as many rows and columns as in MATLAB, in its order of columns; a cell array as the list
        of its elements, column by column; a struct as a dict.

    Raises
    ------
    UnusableData
        If the file is no MATLAB file, or cut short.
    MissingData
        If it is of version 7.3 and h5py is not installed.
    """
    with path.open("rb") as file:
        head = file.read(520)
    if not head:
        raise UnusableData(f"{str(path)!r} is empty.")
    if HDF5 in (head[:8], head[512:]):
        return _hdf5(path, names)
    from scipy.io import loadmat

    try:
        held = loadmat(path, variable_names=list(names))
    except MemoryError:
        raise
    except Exception as error:  # whatever damaged bytes make of the reader: ValueError, TypeError, zlib.error, …
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnusableData(f"{str(path)!r} cannot be read as a MATLAB file: {reason}.") from error
    if not held.keys() >= {*names} and _cut_short(path):
        raise UnusableData(f"{str(path)!r} cannot be read as a MATLAB file: it is cut short.")
    return {name: _plain(held.pop(name)) for name in names if name in held}


def _cut_short(path: Path) -> bool:
    """Whether a file of version 5 ends within a variable, which the reader takes for the end of the file."""
    size, at = path.stat().st_size, 128  # a header, then variables: type and length in 4 bytes each, contents
    with path.open("rb") as file:
        order: Literal["little", "big"] = "little" if file.read(at)[126:] == b"IM" else "big"
        while at < size:
            file.seek(at)
            at += 8 + int.from_bytes(file.read(8)[4:], order)
    return at > size


def _plain(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names:
        records = [{name: _plain(record[name]) for name in value.dtype.names} for record in value.ravel(order="F")]
        return records[0] if len(records) == 1 else records
    if value.dtype == object:
        return [_plain(v) for v in value.ravel(order="F")]
    if value.dtype.kind == "U":
        return value.item() if value.size == 1 else value.tolist() if value.size else ""
    return value


def _hdf5(path: Path, names: Collection[str]) -> dict[str, Any]:
    try:
        import h5py
    except ImportError:
        raise MissingData(
            f"{str(path)!r} is of MATLAB's version 7.3 (HDF5), which takes h5py to read: pip install h5py, or save it "
            "in MATLAB with -v7."
        ) from None
    try:
        with h5py.File(path, "r") as file:
            return {name: _plain_hdf5(file[name], file) for name in names if name in file}
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnusableData(f"{str(path)!r} cannot be read as a MATLAB file of version 7.3: {reason}.") from error


def _plain_hdf5(held: Any, file: Any) -> Any:
    """Return what an HDF5 object holds; MATLAB writes its arrays there transposed, and cells as references."""
    if hasattr(held, "keys"):
        return {name: _plain_hdf5(held[name], file) for name in held}
    kind = held.attrs.get("MATLAB_class", b"double")
    kind = kind.decode() if isinstance(kind, bytes) else kind
    value = held[()]
    if held.attrs.get("MATLAB_empty", 0):
        return "" if kind == "char" else [] if kind == "cell" else np.empty((0, 0))
    if kind == "cell":
        return [_plain_hdf5(file[reference], file) for reference in value.ravel()]
    if kind == "char":
        return "".join(map(chr, value.ravel()))
    return value.T
