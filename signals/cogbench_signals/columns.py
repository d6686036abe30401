"""The columns of a table file: which sentence and subject each row is of, and what its numbers are."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from cogbench import UnusableData, read_arrays, read_table

TEXTS = ("sentence", "words", "tokens")
NPZ = ("sentences", "values", "channels", "subjects")


class Column(NamedTuple):
    rows: Sequence[Any]
    form: Literal["number", "words", "positions", "words x positions"] = "number"  # of one row
    channels: tuple[str, ...] = ()
    integers: bool = False
    unusable: str = ""  # why no numbers can be had from it


class Table(NamedTuple):
    sentences: list[str]  # empty where a row has none
    subjects: list[str]
    columns: dict[str, Column]


def bad(path: Path | None, what: str) -> UnusableData:
    return UnusableData(f"{str(path)!r}: {what}")


def listed(names: Iterable[str]) -> str:
    """Return names as one text, of many only the first ten."""
    names = list(names)
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def read_columns(paths: Sequence[Path], names: Mapping[str, Sequence[str]]) -> Table:
    """Read a table, of one file or several, and find out what each of its columns holds.

    Parameters
    ----------
    paths : sequence of Path
        Files of the same columns.
    names : mapping of str to sequence of str
        What the positions in lists are called, for some columns.

    Raises
    ------
    MissingData, UnusableData
        If a file is not there, or holds no sentences, or the names do not fit.
    """
    path = paths[0]
    held = {name: [*rows] for name, rows in read_table(path).columns.items()}
    for other in paths[1:]:
        more = read_table(other).columns
        if more.keys() != held.keys():
            raise bad(other, f"its columns are {listed(more)}; those of {path.name} are {listed(held)}.")
        held = {name: [*rows, *more[name]] for name, rows in held.items()}
    if not any(map(len, held.values())):
        raise bad(path, "it has no rows.")
    sentences, n_words = _texts(held, path)
    who = held.get("subject", ["all"] * len(sentences))
    if any(isinstance(subject, list | dict) for subject in who):
        raise bad(path, "column subject holds lists; expected a name or number in each row.")
    subjects = ["" if s is None else f"{s:g}" if isinstance(s, float) else str(s).strip() for s in who]
    columns = {name: _look(name, rows, n_words, names.get(name), path) for name, rows in held.items()}
    count = Counter([*columns, *(c for name, column in columns.items() for c in column.channels if c != name)])
    for name, column in columns.items():  # a channel that shares its name with another is called column[channel]
        channels = tuple(f"{name}[{c}]" if count[c] > 1 and c != name else c for c in column.channels)
        columns[name] = column._replace(channels=channels)
    return Table(sentences, subjects, columns)


def _texts(held: Mapping[str, list[Any]], path: Path) -> tuple[list[str], list[int]]:
    """Return each row's sentence, its white space made single, and its number of words."""
    found: dict[str, list[list[str]]] = {}
    for name in TEXTS:
        depth, leaf = _depth(held.get(name, []))
        if isinstance(leaf, str) and depth == (name != "sentence"):
            lists = [[row] for row in held[name]] if depth == 0 else held[name]
            found[name] = [[word or "" for word in row or ()] for row in lists]
    if not found:
        for name in TEXTS:
            if isinstance(_depth(held.get(name, []))[1], bytes):
                raise bad(path, f"column {name} is not UTF-8: save the file in that encoding.")
        expected = "expected a column `sentence` of text, or `words` or `tokens` of lists of text"
        raise bad(path, f"it has no sentences: {expected}; it has {listed(held)}.")
    texts = [" ".join(" ".join(words).split()) for words in next(iter(found.values()))]
    lists = found.get("words") or found.get("tokens") or [text.split() for text in texts]
    return texts, list(map(len, lists))


def _depth(rows: Iterable[Any]) -> tuple[int, Any]:
    """Return how deep lists are nested in a column, and one of the innermost values."""
    depth, level = 0, [value for value in rows if value is not None]
    while any(isinstance(value, list) for value in level):
        depth, level = depth + 1, [v for value in level for v in value if v is not None]
    return depth, level[0] if level else None


def _look(name: str, rows: list[Any], n_words: list[int], names: Sequence[str] | None, path: Path) -> Column:
    """Say what a column holds: its form and its channels, or why it has none."""
    depth, leaf = _depth(rows)
    if not isinstance(leaf, Real | Decimal) or depth > 2:
        return Column(rows, unusable="no value" if leaf is None else "no numbers, or lists nested too deep")
    integers = isinstance(leaf, Integral)
    if depth == 0:
        return Column(rows, "number", (name,), integers)
    fits = all(len(row) == n for row, n in zip(rows, n_words, strict=True) if row)
    sizes = {len(x) for x in (rows if depth == 1 else (word for row in rows for word in row or ())) if x}
    if depth == 1 and (fits or len(sizes) > 1):
        return Column(rows, "words", (name,), integers)
    if len(sizes) > 1:
        return Column(rows, unusable="lists of lists that differ in length")
    (size,) = sizes
    if names and (len(names) != size or len(set(names)) != size):
        raise bad(path, f"column {name} has {size} positions, to which the names {listed(names)} do not fit.")
    channels = names or ([name] if size == 1 else [f"{name}[{i}]" for i in range(size)])
    return Column(rows, "positions" if depth == 1 else "words x positions", tuple(channels), integers)


def read_npz(path: Path) -> Table:
    """Read `sentences`, `values` and, if there, `channels` and `subjects` of an npz file."""
    try:
        held = read_arrays(path, NPZ)
    except ValueError as error:
        raise bad(path, f"{error}.") from error
    sentences, values, names, subjects = (held.get(name, np.empty(0)) for name in NPZ)
    n, k = values.shape if values.ndim == 2 else (0, 0)
    names = names if "channels" in held else np.array([f"values[{i}]" for i in range(k)])
    subjects = subjects if "subjects" in held else np.array(["all"] * n)
    shapes = (sentences.shape, names.shape, subjects.shape) == ((n,), (k,), (n,))
    if not (shapes and n and k and sentences.dtype.kind == "U" and values.dtype.kind in "fiu"):
        expected = "expected texts `sentences` (n,), numbers `values` (n, k), perhaps `channels` (k,), `subjects` (n,)"
        found = ", ".join(f"{name} {array.shape} of {array.dtype}" for name, array in held.items())
        raise bad(path, f"{expected}; it has {found or 'none of these'}.")
    try:
        names, subjects = names.astype(str), subjects.astype(str)
    except UnicodeDecodeError as error:
        raise bad(path, "it cannot be read as npz: `channels` or `subjects` are no texts.") from error
    if len(set(names.tolist())) != k:
        raise bad(path, "a name stands twice in `channels`.")
    texts = [" ".join(text.split()) for text in sentences.tolist()]
    column = Column(values.tolist(), "positions", tuple(names.tolist()))
    return Table(texts, subjects.tolist(), {"values": column})
