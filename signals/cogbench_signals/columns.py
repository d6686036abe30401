"""The columns of a table file: which sentence and subject each row is of, and what its numbers are."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from cogbench import Rows, TableOptions, UnusableData, read_texts

from .roles import LISTS, USUAL, find_roles, is_measure
from .sentences import runs_of, showings_of, texts_of

LIST_IN_TEXT = re.compile(r"\s*\[.*\]\s*", re.DOTALL)
ARRAYS = (".npz", ".npy")  # all their values are measured


class Column(NamedTuple):
    """What a column holds; `rows` are its values, an array where a row has one number or a list of equal length."""

    rows: Sequence[Any]
    form: Literal["number", "words", "positions", "words x positions"] = "number"  # of one row
    channels: tuple[str, ...] = ()
    integers: bool = False
    unusable: str = ""  # why no numbers can be had from it
    measure: bool = True  # whether it is a channel though nobody named it
    check: Callable[[], None] | None = None  # refuses a cell that is no number


class Table(NamedTuple):
    """Rows of sentences and subjects; of a table of words `groups` has the rows of each showing."""

    sentences: list[str]  # empty where a row has none
    subjects: list[str]
    columns: dict[str, Column]
    notes: list[str]
    roles: tuple[str, ...]  # the columns that are no channels unless named
    groups: list[list[int]] | None = None
    words: str = ""  # the column by which rows are words


def bad(path: Path | None, what: str) -> UnusableData:
    return UnusableData(f"{str(path)!r}: {what}")


def listed(names: Iterable[str]) -> str:
    """Return names as one text, of many only the first ten; one that is blank is shown in quotes."""
    shown = [name if name.strip() == name and name else repr(name) for name in names]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")


def read_columns(
    paths: Sequence[Path],
    names: Mapping[str, Sequence[str]],
    said: Mapping[str, str],
    options: TableOptions,
) -> Table:
    """Read a table, of one file or several, and find out what each of its columns holds.

    Parameters
    ----------
    paths : sequence of Path
        Files of the same columns.
    names : mapping of str to sequence of str
        What the positions in lists are called, for some columns.
    said : mapping of str to str
        The columns of roles that are named: `{"subject": "P"}`.
    options : TableOptions
        How the files are read.

    Raises
    ------
    MissingData, UnusableData, UnknownName
        If a file or a column is not there, or the table holds no sentences, or the names do not fit.
    """
    path, rows = paths[0], _joined(paths, said, options)
    cells_by_name = rows.columns
    if not any(map(len, cells_by_name.values())):
        raise bad(path, "it has no rows.")
    roles, notes = find_roles(cells_by_name, said, repr(str(path)))
    notes = [*(f"{note}." for note in rows.notes), *notes]
    subjects, more = _subjects(cells_by_name, roles.get("subject"), path)
    sentences, n_words, groups, more_notes = _sentences(cells_by_name, roles, subjects, rows, path)
    taken = [name for columns in roles.values() for name in columns]
    measured = path.name.lower().removesuffix(".gz").endswith(ARRAYS)
    columns = {}
    for name, cells in cells_by_name.items():
        column = _look(name, cells, n_words, names.get(name), rows, path)
        if measured:
            column = column._replace(integers=False)
        columns[name] = column._replace(measure=name not in taken and (measured or is_measure(name)))
    several = {name: column for name, column in columns.items() if column.channels not in ((), (name,))}
    count = (
        Counter()
        if not several
        else Counter([*columns, *(c for name, column in several.items() for c in column.channels if c != name)])
    )
    for name, column in several.items():  # a channel that shares its name with another is called column[channel]
        channels = tuple(f"{name}[{c}]" if count[c] > 1 and c != name else c for c in column.channels)
        columns[name] = column._replace(channels=channels)
    sentences, composed = _composed(sentences)
    words = next(iter(roles.get("word") or roles.get("order") or ()), "") if groups else ""
    texts = [name for role in ("sentence", "subject", "word") for name in roles.get(role, ())]
    return Table(sentences, subjects, columns, [*notes, *more, *more_notes, *composed], (*texts, *LISTS), groups, words)


def _joined(paths: Sequence[Path], said: Mapping[str, str], options: TableOptions) -> Rows:
    """Return the rows of the files, one after the other."""
    texts = {name for names in said.values() for name in (names, *names.split(":"))}
    texts |= {name for usual in USUAL.values() for name in usual} | {"participant_id", "sentence_id", "word_id"}
    first, *others = (read_texts(path, options=options, texts=texts) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        if other.columns.keys() != first.columns.keys():
            raise bad(
                path, f"its columns are {listed(other.columns)}; those of {paths[0].name} are {listed(first.columns)}."
            )
    if not others:
        return first
    columns = {name: [v for rows in (first, *others) for v in rows.columns[name]] for name in first.columns}
    return first._replace(columns={**columns}, numbers=())


def _subjects(
    cells_by_name: Mapping[str, Sequence[Any]], names: tuple[str, ...] | None, path: Path
) -> tuple[list[str], list[str]]:
    """Return the subject of each row as a text, and notes on writings that were made equal, or left unlike."""
    n_rows = len(next(iter(cells_by_name.values())))
    if names is None:
        return ["all"] * n_rows, []
    parts = [cells_by_name[name] for name in names]
    for name, cells in zip(names, parts, strict=True):
        if any(isinstance(cell, list | dict) for cell in cells):
            raise bad(path, f"column {name} holds lists; expected a name or number in each row.")
    subjects = ["-".join(filter(None, map(_as_text, row))) for row in zip(*parts, strict=True)]
    if all(re.fullmatch(r"\d+\.0+", subject) for subject in subjects if subject):  # whole numbers in a column with gaps
        subjects = [subject.partition(".")[0] for subject in subjects]
    alike = dict[str, list[str]]()
    for subject in dict.fromkeys(filter(None, subjects)):
        alike.setdefault(_same(subject), []).append(subject)
    pairs = [" and ".join(map(repr, some)) for some in alike.values() if len(some) > 1]
    notes = [f"subjects that differ in writing alone are different subjects: {listed(pairs)}."] if pairs else []
    writings = dict[str, dict[str, None]]()
    for subject, row in dict.fromkeys(zip(subjects, zip(*parts, strict=True), strict=True)):
        writings.setdefault(subject, {})["-".join("" if cell is None else str(cell) for cell in row)] = None
    several = [" and ".join(map(repr, texts)) for subject, texts in writings.items() if subject and len(texts) > 1]
    return subjects, [*notes, *([f"writings of one subject: {listed(several)}."] if several else [])]


def _same(subject: str) -> str:
    """Return what writings of one subject have in common: the number, or the text without case and blanks."""
    try:
        return repr(float(subject))
    except ValueError:
        return "".join(unicodedata.normalize("NFKC", subject).casefold().split())


def _as_text(cell: Any) -> str:
    """Return an identifier as a text: a whole number without decimals, however it was stored."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()


def _sentences(
    cells_by_name: Mapping[str, Sequence[Any]],
    roles: Mapping[str, tuple[str, ...]],
    subjects: Sequence[str],
    rows: Rows,
    path: Path,
) -> tuple[list[str], list[int], list[list[int]] | None, list[str]]:
    """Return each row's sentence, its number of words, the rows of each showing if rows are words, and notes."""
    named, words = roles.get("sentence", ()), roles.get("word", (None,))[0]
    cells = cells_by_name[named[0]] if len(named) == 1 else None
    orders = _orders(roles.get("order"), words, rows, path) if words or "order" in roles else None
    repetitions = [_as_text(cell) for cell in cells_by_name[roles["repetition"][0]]] if "repetition" in roles else None
    if cells is not None and _are_sentences(cells, words is not None):
        texts = [" ".join((cell or "").split()) for cell in cells]
        counts = next(
            (
                _counts(cells_by_name[name])
                for name in LISTS
                if name in cells_by_name and _depth(cells_by_name[name])[0] == 1
            ),
            None,
        )
        per_word = _repeats(subjects, texts) and (words is not None or repetitions is not None or orders is not None)
        showings = showings_of(subjects, texts, orders, repetitions) if per_word else None
        groups = [showing.rows for showing in showings] if showings else None
        return texts, counts or [len(text.split()) for text in texts], groups, []
    for name in LISTS:
        depth, leaf = _depth(cells_by_name.get(name, []))
        if depth == 1 and isinstance(leaf, str) and name not in named:
            lists = [[word or "" for word in row or ()] for row in cells_by_name[name]]
            return [" ".join(" ".join(row).split()) for row in lists], [*map(len, lists)], None, []
    if words is None:
        raise bad(path, _no_sentences(cells_by_name, cells))
    if not named and orders is None:
        raise bad(
            path,
            "its rows are words, and nothing tells their sentences: say sentence=COLUMN in the address, the number or "
            f"text of the sentence, or order=COLUMN, the place of the word in it; it has {listed(cells_by_name)}.",
        )
    own_words = [_as_text(cell) for cell in cells_by_name[words]]
    if named:
        parts = zip(*(map(_as_text, cells_by_name[name]) for name in named), strict=True)
        numbers: Sequence[Any] = ["-".join(part) if all(part) else "" for part in parts]
    else:
        numbers = runs_of(subjects, orders or [])
    showings = showings_of(subjects, numbers, orders, repetitions)
    texts_by_showing, notes = texts_of(showings, own_words, orders, repr(str(path)))
    texts = [""] * len(subjects)
    for showing, text in zip(showings, texts_by_showing, strict=True):
        for row in showing.rows:
            texts[row] = text
    numbers_of_text = dict[str, set[Any]]()
    for showing, text in zip(showings, texts_by_showing, strict=True):
        numbers_of_text.setdefault(text, set()).add(showing.sentence)
    if named and (several := sum(len(some) > 1 for some in numbers_of_text.values())) and not notes:
        notes.append(f"sentences that stand under several numbers, and are one stimulus each: {several}.")
    return texts, [len(text.split()) for text in texts], [showing.rows for showing in showings], notes


def _are_sentences(cells: Sequence[Any], has_words: bool) -> bool:
    """Whether a column holds texts of sentences, and not their numbers."""
    texts = [cell for cell in cells if cell is not None and cell == cell and cell != ""]
    if not texts:
        return any(isinstance(cell, str) for cell in cells)
    if not all(isinstance(cell, str) for cell in texts):
        return False
    return not has_words or any(len(text.split()) > 1 for text in texts)


def _repeats(subjects: Sequence[str], texts: Sequence[str]) -> bool:
    pairs = [pair for pair in zip(subjects, texts, strict=True) if all(pair)]
    return len({*pairs}) < len(pairs)


def _orders(names: tuple[str, ...] | None, words: str | None, rows: Rows, path: Path) -> list[float] | None:
    """Return the place of each row's word in its sentence."""
    if names is None:
        return None
    numbers = rows.measured(names[0])
    if numbers is None:
        raise bad(path, f"column {names[0]!r} is named as the order of words and holds no numbers.")
    if words is not None:
        for i in np.flatnonzero(np.isnan(numbers.values)).tolist():
            if _as_text(rows.columns[words][i]):
                raise bad(path, f"row {rows.number(i)} has no place of its word in column {names[0]!r}: write it.")
    return [0.0 if order != order else order for order in numbers.values.tolist()]


def _no_sentences(cells_by_name: Mapping[str, Sequence[Any]], cells: Sequence[Any] | None) -> str:
    """Return a sentence on a table without sentences, and what to do."""
    for name in LISTS:
        texts = [cell for cell in cells_by_name.get(name, ()) if isinstance(cell, str)]
        if texts and all(map(LIST_IN_TEXT.fullmatch, texts)):
            return f"column {name!r} holds lists written as texts, and a text file has no lists: use parquet or jsonl."
    if cells is not None and any(isinstance(cell, bytes) for cell in cells):
        return "column sentence holds bytes: save it as text."
    said = "" if cells is None else "; what is named as the sentence holds none"
    if any(re.fullmatch(r"[+-]?\d*\.?\d+", name) for name in cells_by_name if not name.isdecimal()):
        said += "; where the first line is a row, say header=no,sentence=1 in the address"
    return (
        "it has no sentences: expected a column `sentence` of text, or `words` or `tokens` of lists of text, or rows "
        f"that are words with a column `word`{said}; say sentence=COLUMN in the address; it has "
        f"{listed(cells_by_name)}."
    )


def _composed(sentences: list[str]) -> tuple[list[str], list[str]]:
    """Return the sentences, those that differ in the composition of their letters alone in one writing, and a note."""
    if all(map(str.isascii, sentences)):
        return sentences, []
    first, changed = dict[str, str](), set[str]()
    texts = []
    for sentence in sentences:
        text = sentence if sentence.isascii() else first.setdefault(unicodedata.normalize("NFC", sentence), sentence)
        changed |= {text} if text != sentence else set()
        texts.append(text)
    note = f"sentences whose letters are composed otherwise in other rows, taken as the same: {len(changed)}."
    return texts, [note] if changed else []


def _counts(rows: Sequence[Any]) -> list[int]:
    return [len(row or ()) for row in rows]


def _depth(rows: Iterable[Any]) -> tuple[int, Any]:
    """Return how deep lists are nested in a column, and one of the innermost values."""
    depth, level = 0, [value for value in rows if value is not None]
    while any(isinstance(value, list | np.ndarray) for value in level):
        if all(isinstance(value, np.ndarray) for value in level):
            return depth + 1, next((value[0] for value in level if len(value)), None)
        depth, level = (
            depth + 1,
            [v for value in level if isinstance(value, list | np.ndarray) for v in value if v is not None],
        )
    return depth, level[0] if level else None


def _look(
    name: str, cells: Sequence[Any], n_words: Sequence[int], names: Sequence[str] | None, rows: Rows, path: Path
) -> Column:
    """Say what a column holds: its form and its channels, or why it has none."""
    if isinstance(cells, np.ndarray):
        return Column(cells, "number", (name,), cells.dtype.kind in "iub")
    depth, leaf = _depth(cells)
    if depth == 0:
        return _of_one_value(name, cells, leaf, rows)
    if not isinstance(leaf, Real | Decimal) or depth > 2:
        return Column(cells, unusable="no value" if leaf is None else "no numbers, or lists nested too deep")
    integers = isinstance(leaf, Integral)
    fits = all(len(row) == n for row, n in zip(cells, n_words, strict=True) if row is not None and len(row))
    inner = cells if depth == 1 else [word for row in cells for word in row or ()]
    sizes = {len(x) for x in inner if x is not None and len(x)}
    if depth == 1 and (fits or len(sizes) > 1):
        return Column(cells, "words", (name,), integers)
    if len(sizes) > 1:
        return Column(cells, unusable="lists of lists that differ in length")
    (size,) = sizes
    if names and (len(names) != size or len(set(names)) != size):
        raise bad(path, f"column {name} has {size} positions, to which the names {listed(names)} do not fit.")
    channels = names or ([name] if size == 1 else [f"{name}[{i}]" for i in range(size)])
    return Column(cells, "positions" if depth == 1 else "words x positions", tuple(channels), integers)


def _of_one_value(name: str, cells: Sequence[Any], leaf: Any, rows: Rows) -> Column:
    """Say what a column of single values holds."""
    numbers = rows.numbers_of(name)
    if numbers is None:
        return Column(cells, unusable="no value" if leaf is None or leaf == "" else "no numbers")

    def check() -> None:
        rows.measured(name)

    return Column(numbers.values, "number", (name,), numbers.whole, check=check if numbers.odd else None)
