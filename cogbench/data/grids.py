"""Grids of cells as they stand in a file, csv, tsv, json or parquet, and the number that a cell holds."""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import UnusableData
from ..storage.atomic import readable
from ..storage.foreign import read_json
from .tables import read_table

FILES = (".csv", ".tsv", ".json", ".parquet")
OTHER_FILES = (  # what people keep tables in, too
    *(".txt", ".xlsx", ".xls", ".ods", ".jsonl", ".dat", ".md", ".tex", ".html", ".xml", ".yaml", ".yml"),
    *(".npy", ".npz", ".pkl", ".pickle", ".feather", ".h5", ".mat", ".gz", ".zip", ".bz2", ".xz"),
)
ROLES = ("source", "sources", "target", "targets")  # the names of a column that say what its cells name
ROW_NUMBERS = ("", "index", "unnamed: 0")  # what pandas calls a column of row numbers, or of names
OTHER_HEADS = ("task", "row_task", *ROW_NUMBERS)  # what people call a column of names that says no role
PARQUET_INDEX = "__index_level_0__"
MISSING = ("", "-", "–", "—", ".", "?", "na", "n/a", "#n/a", "<na>", "nan", "null", "none")
NUMERAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?\s*%?")


@dataclass(frozen=True)
class Grid:
    """The cells of a table as they stand in a file; all lines are as long as the head.

    Parameters
    ----------
    path : Path
        The file.
    head : tuple of str
        The names of the columns.
    lines : tuple of tuples
        The cells of each line: texts, or numbers and None where the file has such.
    numbers : tuple of int
        The number of each line in the file, from 1.
    counted : {"line", "row"}
        The word for a number: a text has lines, json and parquet have rows.
    decimal_mark : {".", ","}
        The mark of decimals in the cells.
    """

    path: Path
    head: tuple[str, ...]
    lines: tuple[tuple[Any, ...], ...]
    numbers: tuple[int, ...]
    counted: str = "row"
    decimal_mark: str = "."

    def column(self, i: int) -> list[Any]:
        """Return the cells of a column."""
        return [line[i] for line in self.lines]

    def without(self, i: int) -> "Grid":
        """Return the grid without a column."""
        lines = tuple((*line[:i], *line[i + 1 :]) for line in self.lines)
        return replace(self, head=(*self.head[:i], *self.head[i + 1 :]), lines=lines)


def plain_text(cell: Any) -> str:
    """Return a cell's text with plain white space, composed characters and a plain minus; nothing for None."""
    text = "" if cell is None else unicodedata.normalize("NFC", str(cell))
    return " ".join(text.replace("\u200b", "").replace("\ufeff", "").replace("−", "-").split())


def is_missing(cell: Any) -> bool:
    """Whether a cell says that there is no number."""
    return plain_text(cell).casefold() in MISSING


def parse_numeral(cell: Any, decimal_mark: str = ".") -> tuple[float, bool]:
    """Return the number that a cell holds.

    Parameters
    ----------
    cell : str, number or None
        The cell: `62.4`, `+62.4`, `−62.4`, `6.24e1` or `62.4%`, or one of `MISSING`.
    decimal_mark : {".", ","}
        The mark of decimals in the table.

    Returns
    -------
    value : float
        The number; NaN for a missing one.
    per_cent : bool
        Whether a per cent sign follows it.

    Raises
    ------
    ValueError
        If the cell holds no number: the message says what to write.
    """
    if is_missing(cell):
        return math.nan, False
    text = plain_text(cell)
    number = text.removesuffix("%").rstrip()
    if decimal_mark == ",":
        if "." in number:
            raise ValueError("other cells have a decimal comma: write all decimals with a comma, or all with a point")
        number = number.replace(",", ".")
    if not NUMERAL.fullmatch(number) or math.isinf(float(number)):
        raise ValueError(_advice(text, decimal_mark))
    return float(number), text.endswith("%")


def _advice(text: str, decimal_mark: str) -> str:
    """Return what to write in place of a text that is no number."""
    numbers = NUMERAL.findall(re.sub(r"(?<=\d)_(?=\d)", "", text.replace("·", ".")))
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?%?", text):
        is_unclear = text.count(",") == 1 and "." not in text
        other = f", or {text.replace(',', '.')} if the comma is that of decimals" if is_unclear else ""
        return f"write {text.replace(',', '')} without the mark of thousands{other}"
    if decimal_mark == "." and DECIMAL_COMMA.fullmatch(text):
        return f"write {text.replace(',', '.')}: a decimal comma may stand only in a table that ; or tabs separate"
    if numbers and re.search(r"±|\+/?-|\\pm|\(", text):
        return (
            f"write {numbers[0]} alone; a table has no errors beside its scores, but it may have a row for each seed, "
            "in the columns source, target, seed, score"
        )
    if len(numbers) == 1 and not re.search(r"inf", text, re.IGNORECASE) and not math.isinf(float(numbers[0])):
        return f"write {numbers[0]}"
    return "write a finite number such as 62.4, or leave the cell empty where there is no score"


def refuse_other_files(name: str) -> None:
    """Raise UnusableData if a name is that of a file in which no table of scores can stand."""
    ending = Path(name).suffix.lower()
    if ending not in FILES and (ending in OTHER_FILES or Path(name).is_file()):
        raise UnusableData(f"{name!r} cannot be read: tables are csv, tsv, json or parquet; save it as one of them.")


def read_grid(path: Path) -> Grid | None:
    """Read the cells of a csv, tsv, json or parquet file.

    Lines in which nothing stands, columns without a name in which nothing stands, and row numbers beside names are
    left out. Json holds a list of records, or what pandas writes: {column: {row: value}}.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Grid or None
        None if a json file holds something else, such as a record of cogbench.

    Raises
    ------
    MissingData
        If there is no such file.
    UnusableData
        If the file has another ending or is empty, its text is not UTF-8, or its lines have different lengths.
    """
    readable(path)
    refuse_other_files(str(path))
    ending = path.suffix.lower()
    readers: dict[str, Callable[[Path], Grid | None]] = {".parquet": _parquet_grid, ".json": _json_grid}
    grid = readers.get(ending, _text_grid)(path)
    if grid is None:
        return None
    grid = _without_row_numbers(_without_blank_columns(grid))
    if ending in (".json", ".parquet"):
        grid = _with_names_first(grid)
    if fault := _fault_of_head(grid):
        raise UnusableData(f"{str(path)!r}: {fault}")
    return grid


def repetition(kind: str, names: Sequence[str], places: Sequence[str]) -> str | None:
    """Return a sentence on the first name that stands twice, if there is one."""
    first = dict[str, str]()
    for name, place in zip(names, places, strict=True):
        if name in first:
            return f"{kind} {name!r} stands twice: {first[name]} and {place}; leave one of them."
        first[name] = place
    return None


def _fault_of_head(grid: Grid) -> str | None:
    """Return a sentence on what is wrong with the first line: two header lines, or names that lack or repeat."""
    if grid.lines:
        name, *cells = map(plain_text, grid.lines[0])
        words = [cell for cell in cells if not is_missing(cell)]
        named = name and name.casefold() not in (*ROLES, "metric", "metrics")
        if words and not named and not any(re.match(r"\W*\d", word) for word in words):
            return (
                f"it has two header lines, {','.join(grid.head)!r} and {','.join((name, *cells))!r}; expected one "
                "name for each target. Write a target's metric into a column 'metric' of a table source, target, score."
            )
    if "" in grid.head[1:]:
        return f"column {grid.head.index('', 1) + 1} has cells, but no name in the first line."
    return repetition("column", grid.head, [f"column {i}" for i in range(1, len(grid.head) + 1)])


def _text_grid(path: Path) -> Grid:
    """Return the cells of a csv or tsv file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # -sig: spreadsheets write a byte order mark
    except UnicodeDecodeError as error:
        raise UnusableData(f"{str(path)!r} is no table in UTF-8: {error}; save it as UTF-8.") from error
    first = next((line for line in text.splitlines() if plain_text(line)), None)
    if first is None:
        raise UnusableData(f"{str(path)!r} is empty; expected a first line of names, and a line for each source.")
    mark = "\t" if path.suffix.lower() == ".tsv" else _separator(path, first)
    lines, numbers = list[tuple[str, ...]](), list[int]()
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    number = 1  # of the line on which the next record begins
    try:
        for cells in reader:
            if any(map(plain_text, cells)):
                lines.append(tuple(cells))
                numbers.append(number)
            number = reader.line_num + 1
    except csv.Error as error:
        raise UnusableData(f"{str(path)!r}, line {number}: quotes do not pair ({error}).") from error
    if not lines:
        raise UnusableData(
            f"{str(path)!r} holds nothing but signs that separate cells; expected a first line of names."
        )
    head, body = lines[0], lines[1:]
    for number, line in zip(numbers[1:], body, strict=True):
        if len(line) != len(head):
            raise UnusableData(
                f"{str(path)!r}, line {number}: it has {len(line)} cells, but the first line has {len(head)}."
            )
    has_comma = any(DECIMAL_COMMA.fullmatch(plain_text(cell)) for cell in chain.from_iterable(body))
    return Grid(
        path=path,
        head=tuple(map(plain_text, head)),
        lines=tuple(body),
        numbers=tuple(numbers[1:]),
        counted="line",
        decimal_mark="," if has_comma and mark != "," else ".",
    )


def _separator(path: Path, first: str) -> str:
    """Return what separates the cells of a csv file, as its first line shows: its first cell, or else their number."""
    heads = {mark: next(csv.reader([first], delimiter=mark)) for mark in (",", ";", "\t")}
    named = [mark for mark in (",", ";") if plain_text(heads[mark][0]).casefold() in (*ROLES, *OTHER_HEADS)]
    mark = named[0] if len(named) == 1 else max(",", ";", key=lambda mark: len(heads[mark]))
    if len(heads[mark]) == 1 < len(heads["\t"]):
        raise UnusableData(f"{str(path)!r} is separated by tabs: call it {path.with_suffix('.tsv').name}.")
    return mark


def _json_grid(path: Path) -> Grid | None:
    """Return the cells of a json file; None if it holds no table."""
    try:
        value = read_json(path, finite=False)
    except ValueError:
        return None  # the reader of records says what is wrong
    if isinstance(value, dict) and value and all(isinstance(column, dict) for column in value.values()):
        rows = dict.fromkeys(name for column in value.values() for name in column)
        records = [{"": row, **{name: column.get(row) for name, column in value.items()}} for row in rows]
        names = ["", *value]
    elif isinstance(value, list) and all(isinstance(record, dict) for record in value):
        records, names = value, list(dict.fromkeys(name for record in value for name in record))
    elif isinstance(value, list):
        raise UnusableData(f"{str(path)!r} is a list, but not of records; expected [{{column: value, …}}, …].")
    else:
        return None
    return _grid_of_rows(path, names, [[record.get(name) for name in names] for record in records])


def _parquet_grid(path: Path) -> Grid:
    """Return the cells of a parquet file."""
    columns = read_table(path).columns
    if any(name.startswith("('") for name in columns):
        raise UnusableData(f"{str(path)!r} has two header lines; expected one name for each column.")
    return _grid_of_rows(path, [*columns], [*zip(*columns.values(), strict=True)])


def _grid_of_rows(path: Path, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Grid:
    kept = [(i, tuple(row)) for i, row in enumerate(rows, 1) if any(cell is not None for cell in row)]
    numbers, lines = tuple(i for i, _ in kept), tuple(row for _, row in kept)
    if not names:
        raise UnusableData(f"{str(path)!r} is empty; expected a column of sources, and one for each target.")
    return Grid(path=path, head=tuple(map(plain_text, names)), lines=lines, numbers=numbers)


def _without_blank_columns(grid: Grid) -> Grid:
    """Return the grid without the columns that have no name and no cells, as spreadsheets write them."""
    for i in range(len(grid.head) - 1, 0, -1):
        if not grid.head[i] and not any(map(plain_text, grid.column(i))):
            grid = grid.without(i)
    return grid


def _without_row_numbers(grid: Grid) -> Grid:
    """Return the grid without a first column of row numbers, where another column has the names."""
    first, *others = _folded(grid.head)
    if first not in ROW_NUMBERS or not {*others} & {*ROLES}:
        return grid
    return grid.without(0) if all(plain_text(cell).isdecimal() for cell in grid.column(0)) else grid


def _with_names_first(grid: Grid) -> Grid:
    """Return the grid with its column of names first: json knows no order, and pandas writes the index last."""
    folded = _folded(grid.head)
    first = next((i for i, name in enumerate(folded) if name in (*ROLES, PARQUET_INDEX)), 0)
    order = [first, *(i for i in range(len(folded)) if i != first)]
    head = tuple("" if folded[i] == PARQUET_INDEX else grid.head[i] for i in order)
    return replace(grid, head=head, lines=tuple(tuple(line[i] for i in order) for line in grid.lines))


def _folded(names: Sequence[str]) -> list[str]:
    return [name.casefold() for name in names]
