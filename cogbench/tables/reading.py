"""The one verb that turns an address into a table: of any format, encoding, separator and quoting that people use."""

import zlib
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import CogbenchError, UnusableData
from ..storage.atomic import readable
from ..storage.origin import Origin
from ..text import first_line
from .arrays import read_array_table
from .content import text_lines
from .jsons import read_json_table
from .numbers import decimal_mark_of, numbers_of, plain_text
from .options import TEXT_ENDINGS, USUAL, WORD_ENDINGS, TableOptions, ending_of, refuse_ending, split_address
from .parquets import read_parquet
from .rows import Rows
from .separated import read_separated
from .words import holds_relations, read_relations, read_words
from .workbook import read_workbook

FAULTS = (OSError, EOFError, zlib.error, ValueError, OverflowError, RecursionError, MemoryError)


def read_table(address: str | Path, *, options: TableOptions = USUAL) -> Rows:
    """Read a table: csv, tsv, txt, json, jsonl, parquet, npz, npy, conll or xlsx, and most of them packed as .gz.

    Numbers in a text are numbers: a column of whole numbers holds int, one of other numbers float, None where a cell is
    empty.

    Parameters
    ----------
    address : str or Path
        The file, perhaps with options: `FILE,separator=;,encoding=cp1252`; see `cogbench.TableOptions`.
    options : TableOptions
        The same options, those of the address before these.

    Raises
    ------
    MissingData, UnusableData
        If there is no such file, or it cannot be read as what its name says.
    UnknownName
        If the address has an option that is none.
    """
    rows = read_texts(address, options=options)
    return rows._replace(columns={name: _typed(cells, rows.decimal_mark) for name, cells in rows.columns.items()})


def read_texts(address: str | Path, *, options: TableOptions = USUAL, texts: Collection[str] = ()) -> Rows:
    """Read a table as `read_table` does, but leave the cells of a text as they are there.

    Only the numbers in a table of thousands of columns are read as numbers at once; `texts` names columns that are not.

    Raises
    ------
    MissingData, UnusableData, UnknownName
        As `read_table`. The message quotes no text of the file but what does not fit.
    """
    file, said = split_address(str(address))
    path, options = Path(file).expanduser(), options.updated(said)
    readable(path)
    refuse_ending(path)
    ending = ending_of(path)
    names, notes = dict[str, tuple[str, ...]](), list[str]()
    columns: dict[str, Sequence[Any]]
    numbers: Sequence[int] = ()
    mark = "," if options.decimal == "comma" else "."
    try:
        if ending.startswith(".parquet"):
            columns, names = read_parquet(path)
        else:
            columns, numbers, mark = _read(path, ending.removesuffix(".gz"), options, texts, notes, mark)
    except CogbenchError:
        raise
    except FAULTS as error:
        raise UnusableData(f"{str(path)!r} cannot be read as {ending[1:]}: {first_line(error)}.") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "pyarrow":
            raise
        raise UnusableData(f"{str(path)!r} cannot be read as {ending[1:]}: {first_line(error)}.") from error
    if mark == "," and not options.decimal:
        notes.append("its decimals have commas; decimal=point in the address reads them otherwise")
    return Rows(
        columns=columns,
        names=names,
        origin=Origin(str(path)),
        what=repr(str(path)),
        numbers=numbers,
        notes=tuple(notes),
        options=options,
        decimal_mark=mark,
    )


def _read(
    path: Path, ending: str, options: TableOptions, texts: Collection[str], notes: list[str], mark: str
) -> tuple[dict[str, Sequence[Any]], Sequence[int], str]:
    """Return the columns, the numbers of the rows, and the mark of decimals of a file that is no parquet."""
    if ending == ".xlsx":
        return *read_workbook(path, options, notes), mark
    if ending in (".npz", ".npy"):
        return *read_array_table(path, ending, options=options, notes=notes), mark
    if ending in (".json", ".jsonl"):
        return *read_json_table(path, ending, options=options, notes=notes), mark
    layout = options.layout or ("words" if ending in WORD_ENDINGS else "")
    if not layout and ending in TEXT_ENDINGS:
        first, second = [*islice(text_lines(path, options.encoding, []), 2), "", ""][:2]
        layout = "relations" if holds_relations(first.removesuffix("\r"), second.removesuffix("\r")) else ""
    if layout == "words":
        return *read_words(path, options, notes), mark
    if layout == "relations":
        return *read_relations(path, options, notes), mark
    columns, numbers, separator = read_separated(path, ending, options=options, texts=texts, notes=notes)
    if separator != "," and not options.decimal:
        mark = decimal_mark_of(columns.values())
    return columns, numbers, mark


def _typed(cells: Sequence[Any], mark: str) -> Sequence[Any]:
    """Return the cells of a column of texts as numbers, if all are."""
    if not isinstance(cells, list) or not any(isinstance(cell, str) for cell in cells):
        return cells
    numbers = numbers_of(cells, decimal_mark=mark)
    if numbers is None or numbers.odd or numbers.per_cent:
        return cells
    values = [None if value != value else value for value in numbers.values.tolist()]
    if numbers.whole:
        return [None if value is None else int(plain_text(cell)) for value, cell in zip(values, cells, strict=True)]
    return values
