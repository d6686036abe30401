"""Grids of cells of tables of scores: of oracles, of guesses and of sets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import UnusableData
from ..storage.atomic import readable
from ..storage.foreign import read_json
from ..tables.numbers import is_missing, plain_text
from ..tables.options import TEXT_ENDINGS, ending_of, split_address
from ..tables.reading import read_texts

FILES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".xlsx")
OTHER_FILES = (  # what people keep tables in, too
    *(".xls", ".ods", ".dat", ".md", ".tex", ".html", ".xml", ".yaml", ".yml"),
    *(".npy", ".npz", ".pkl", ".pickle", ".feather", ".h5", ".mat", ".gz", ".zip", ".bz2", ".xz"),
)
ROLES = ("source", "sources", "target", "targets")  # the names of a column that say what its cells name
ROW_NUMBERS = ("", "index", "unnamed: 0")  # what pandas calls a column of row numbers, or of names
OTHER_HEADS = ("task", "row_task", *ROW_NUMBERS)  # what people call a column of names that says no role
PARQUET_INDEX = "__index_level_0__"


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
    notes : tuple of str
        What was found out of the form of the file.
    """

    path: Path
    head: tuple[str, ...]
    lines: tuple[tuple[Any, ...], ...]
    numbers: tuple[int, ...]
    counted: str = "row"
    decimal_mark: str = "."
    notes: tuple[str, ...] = ()

    def column(self, i: int) -> list[Any]:
        """Return the cells of a column."""
        return [line[i] for line in self.lines]

    def without(self, i: int) -> "Grid":
        """Return the grid without a column."""
        lines = tuple((*line[:i], *line[i + 1 :]) for line in self.lines)
        return replace(self, head=(*self.head[:i], *self.head[i + 1 :]), lines=lines)


def names_table(address: str) -> bool:
    """Whether an address is that of a file in which a table of scores may stand, by its ending."""
    return ending_of(split_address(address)[0]).removesuffix(".gz") in FILES


def table_name(address: str) -> str:
    """Return what to call a table: its file's name without the ending."""
    path = Path(split_address(address)[0])
    return path.name[: -len(ending_of(path))] if ending_of(path) else path.stem


def refuse_other_files(address: str) -> None:
    """Raise UnusableData if a name is that of a file in which no table of scores can stand."""
    ending = Path(address).suffix.lower()
    if not names_table(address) and (ending in OTHER_FILES or Path(address).is_file()):
        endings = ", ".join(ending[1:] for ending in FILES)
        raise UnusableData(f"{address!r} cannot be read: tables are {endings}; save it as one of them.")


def read_grid(address: Path | str) -> Grid | None:
    """Read the cells of a table, from an address as `read_table` takes it.

    Lines in which nothing stands, columns without a name in which nothing stands, and row numbers beside names are
    left out. Json holds a list of records, or what pandas writes: {column: {row: value}}.

    Parameters
    ----------
    address : Path or str
        The file, perhaps with options: `FILE,separator=;`.

    Returns
    -------
    Grid or None
        None if a json file holds something else, such as a record of cogbench.

    Raises
    ------
    MissingData
        If there is no such file.
    UnusableData
        If the file has another ending or is empty, or its lines have different lengths.
    """
    file, _ = split_address(str(address))
    path = Path(file)
    readable(path)
    refuse_other_files(str(address))
    if path.suffix.lower() == ".json" and not _holds_table(path):
        return None
    rows = read_texts(address)
    names, columns = [*map(plain_text, rows.columns)], [*rows.columns.values()]
    if not names:
        raise UnusableData(f"{str(path)!r} is empty; expected a column of sources, and one for each target.")
    if any(name.startswith("('") for name in names):
        raise UnusableData(f"{str(path)!r} has two header lines; expected one name for each column.")
    lines = [(rows.number(i), line) for i, line in enumerate(zip(*columns, strict=True))]
    lines = [(number, line) for number, line in lines if any(map(plain_text, line))]
    counted = "line" if ending_of(path).removesuffix(".gz") in TEXT_ENDINGS else "row"
    grid = Grid(
        path=path,
        head=tuple(names),
        lines=tuple(line for _, line in lines),
        numbers=tuple(number for number, _ in lines),
        counted=counted,
        decimal_mark=rows.decimal_mark,
        notes=rows.notes,
    )
    grid = _without_row_numbers(_without_blank_columns(grid))
    if counted == "row":
        grid = _with_names_first(grid)
    if fault := _fault_of_head(grid):
        raise UnusableData(f"{str(path)!r}: {fault}")
    return grid


def _holds_table(path: Path) -> bool:
    """Whether a json file holds a table, and no record of cogbench."""
    try:
        value = read_json(path, finite=False)
    except ValueError:
        return False  # the reader of records says what is wrong
    if isinstance(value, list):
        return True
    return isinstance(value, dict) and bool(value) and all(isinstance(column, dict) for column in value.values())


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
