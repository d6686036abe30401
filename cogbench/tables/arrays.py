"""Arrays of numbers with their sentences: npz, and npy beside a file of sentences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnusableData
from ..storage.foreign import read_array, read_arrays
from .content import text_lines
from .options import TableOptions

ARRAYS = ("sentences", "values", "channels", "subjects")
OBJECTS = "allow_pickle"
EXPECTED = "expected texts `sentences` (n,), numbers `values` (n, k), perhaps `channels` (k,), `subjects` (n,)"


def read_array_table(
    path: Path, ending: str, options: TableOptions, notes: list[str]
) -> tuple[dict[str, Sequence[Any]], Sequence[int]]:
    """Return the columns of arrays: `sentence`, `subject`, and the columns of `values` by the names in `channels`.

    Raises
    ------
    MissingData, UnusableData
        If a file is not there, or the arrays do not fit each other.
    """
    where = repr(str(path))
    try:
        if ending == ".npz":
            arrays = read_arrays(path, ARRAYS)
        else:
            arrays = {"values": read_array(path), "sentences": _beside(path, options, notes)}
    except ValueError as error:
        objects = "; save its texts with dtype=str: numpy.array(sentences, dtype=str)" if OBJECTS in str(error) else ""
        raise UnusableData(f"{where}: {error}{objects}.") from error
    sentences, values, names, subjects = (arrays.get(name, np.empty(0)) for name in ARRAYS)
    n, k = values.shape if values.ndim == 2 else (0, 0)
    subjects = subjects if "subjects" in arrays else np.array(["all"] * n)
    shapes = (sentences.shape, subjects.shape) == ((n,), (n,)) and ("channels" not in arrays or names.shape == (k,))
    if not (shapes and n and k and sentences.dtype.kind == "U" and values.dtype.kind in "fiu"):
        has = ", ".join(f"{name} {array.shape} of {array.dtype}" for name, array in arrays.items())
        raise UnusableData(f"{where}: {EXPECTED}; it has {has or 'none of these'}{_hint(arrays)}.")
    try:
        named = "channels" in arrays
        texts = [str(name).strip() for name in names.astype(str).tolist()] if named else _numbered(k)
        owners = subjects.astype(str).tolist()
    except UnicodeDecodeError as error:
        raise UnusableData(f"{where}: it cannot be read as npz: `channels` or `subjects` are no texts.") from error
    if len({*texts, "sentence"}) != k + 1 or ("subjects" in arrays and "subject" in texts):
        raise UnusableData(f"{where}: a name stands twice in `channels`.")
    columns: dict[str, Sequence[Any]] = {"sentence": sentences.tolist()}
    if "subjects" in arrays:
        columns["subject"] = owners
    columns |= {name: values[:, i] for i, name in enumerate(texts)}
    return columns, ()


def _numbered(k: int) -> list[str]:
    return [f"values[{i}]" for i in range(k)]


def _beside(path: Path, options: TableOptions, notes: list[str]) -> Any:
    """Return the sentences that belong to an npy file: those of the file that is named, or that lies beside it."""
    beside = [path.with_suffix(".txt"), path.with_name("sentences.txt")]
    file = Path(options.sentences) if options.sentences else next((p for p in beside if p.is_file()), None)
    if file is None:
        raise UnusableData(
            f"{str(path)!r} holds values alone: name the file of their sentences, one a line, as "
            f"{path.name},sentences=FILE, or call it {beside[0].name}."
        )
    if not file.is_file():
        raise UnusableData(f"no file {str(file)!r} of sentences for {str(path)!r}.")
    notes.append(f"its sentences are those of {file.name}")
    return np.array([line.strip() for line in text_lines(file, options.encoding, notes) if line.strip()], dtype=str)


def _hint(arrays: dict[str, Any]) -> str:
    """Return what is to be done about arrays of the wrong shape, where that can be told."""
    sentences, values = (arrays.get(name, np.empty(0)) for name in ("sentences", "values"))
    if values.ndim == 2 and sentences.ndim == 1 and values.shape[1] == len(sentences) != values.shape[0]:
        return ": transpose `values`, so that a row is a sentence"
    if "values" in arrays and values.ndim == 1 and len(values) == len(sentences):
        return ": give `values` a second axis, values[:, None]"
    if values.ndim > 2:
        return ": make `values` two-dimensional, with a column for each channel"
    return ""
