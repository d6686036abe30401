"""Separated values: csv, tsv and other text of which each line is a row."""

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AmbiguousTable, UnusableData
from ..text import listed
from .content import text_lines
from .numbers import UNMEASURED, is_numeral
from .options import SEPARATORS, TableOptions
from .quoting import Doubt, Evidence, Lines, Record, read_records, settled, split_quoted
from .rows import columns_by_name, refuse_repeated

MARKS = (",", ";", "\t", "|")
STATED = re.compile(r'\ufeff?"?sep=([,;\t|])"?\r?')  # by Excel, on a line before the header
KNOWN = (  # names that columns often have: they tell a header by which its cells stand apart
    *("source", "sources", "target", "targets", "score", "task", "sentence", "subject", "participant_id", "word"),
    *("text", "text_pair", "label", "tokens", "words", "name", "model"),
)
SAMPLE = 50  # lines that tell the separator
WIDE = 2000  # columns: of more, numbers are kept as numbers at once
RERUNS = 20  # columns of a wide table that turn out to hold text: each has the file read anew


class _HoldsText(Exception):
    """A column of a wide table that was taken for one of numbers holds a text."""


def read_separated(
    path: Path, ending: str, options: TableOptions, texts: Collection[str], notes: list[str]
) -> tuple[dict[str, Sequence[Any]], Sequence[int], str]:
    """Return the columns of a text of separated values, the numbers of its rows in an editor, and the separator.

    The values are texts as they are in the file. Those of numbers in a table of more than `WIDE` columns are arrays of
    float64, except for the columns that `texts` names.

    Raises
    ------
    UnusableData
        If a row has another number of cells than the header, or two columns have one name.
    AmbiguousTable
        If lines may be rows of text, or parts of a quoted cell of csv.
    """
    kept = {*texts}
    for _ in range(RERUNS):
        own_notes = [*notes]
        try:
            table = _read(path, ending, options, kept, own_notes)
        except _HoldsText as column:
            kept.add(str(column))
            continue
        notes[:] = own_notes
        return table
    return _read(path, ending, options, None, notes)


def _read(
    path: Path, ending: str, options: TableOptions, texts: Collection[str] | None, notes: list[str]
) -> tuple[dict[str, Sequence[Any]], Sequence[int], str]:
    where = repr(str(path))
    lines = Lines(text_lines(path, options.encoding, notes))
    first, stated = _first_line(lines), None
    if first is not None and (stated := STATED.fullmatch(first)):
        first = _first_line(lines)
    if first is None:
        raise UnusableData(f"{where} cannot be read as {ending[1:]}: it has no rows.")
    usual = "\t" if ending == ".tsv" else ","
    mark = options.separator or (stated[1] if stated else _separator(first, lines, usual, ending))
    if mark != usual:
        notes.append(f"its cells are separated by {_name_of(mark)}")
    header, quoted = _header(first, lines, mark, options)
    if options.header == "no":
        lines.ahead.appendleft(first)
        lines.number -= 1
        header = [str(i) for i in range(1, len(header) + 1)]
    names = [name.strip() for name in header]
    refuse_repeated(names, where)

    def refuse(number: int, fault: str) -> UnusableData:
        return UnusableData(f"{where} cannot be read as {ending[1:]}: {fault}.")

    body = _Body(names, mark, texts, quoted)
    doubts, evidence = list[Doubt](), Evidence()
    for item in read_records(lines, mark, n=len(names), quotes=options.quotes, refuse=refuse):
        if isinstance(item, Record):
            body.add(item)
        elif isinstance(item, Doubt):
            doubts.append(item)
        else:
            evidence = item
    columns, numbers = body.columns(doubts, evidence, where, options, notes)
    return columns_by_name(names, columns, where), numbers, mark


def _first_line(lines: Lines) -> str | None:
    while (line := lines.take()) is not None:
        if line.strip():
            return line.removesuffix("\r")
    return None


def _header(first: str, lines: Lines, mark: str, options: TableOptions) -> tuple[list[str], set[int]]:
    """Return the names of the columns, and which stood in quotes; a name in quotes may go over lines."""
    if options.quotes == "text":
        return first.split(mark), set()
    line, taken = first, 0
    record, opens = split_quoted(line, mark)
    while opens >= 0 and taken < SAMPLE and lines.peek(taken) is not None:
        line, taken = f"{line}\n{lines.peek(taken)}", taken + 1
        record, opens = split_quoted(line.removesuffix("\r"), mark)
    if opens >= 0:
        return split_quoted(first, mark, text=True)[0].cells, set()
    for _ in range(taken):
        lines.take()
    names = [cell[1:-1] if i in record.bare else cell for i, cell in enumerate(record.cells)]
    return names, {*record.bare, *record.quoted}


def _separator(first: str, lines: Lines, usual: str, ending: str) -> str:
    """Return the sign that separates the cells: that by which most lines have as many cells as the header."""
    sample = [line for i in range(SAMPLE) if (line := lines.peek(i)) is not None and line.strip()]
    best, most = usual, (0.0, False, False, 0)
    for mark in (*MARKS, *([" "] if ending.startswith(".txt") else [])):
        names = split_quoted(first, mark, text=True)[0].cells
        n = len(names)
        if n < 2:
            continue
        has_known_names = any(name.strip(' "').casefold() in KNOWN for name in names)
        fit = sum(_fits(line.removesuffix("\r"), mark, n) for line in sample) / len(sample) if sample else 1.0
        if (fit, has_known_names, mark == usual, n) > most:
            best, most = mark, (fit, has_known_names, mark == usual, n)
    return best


def _fits(line: str, mark: str, n: int) -> bool:
    return n in (line.count(mark) + 1, len(split_quoted(line, mark, text=True)[0].cells))


def _name_of(mark: str) -> str:
    name = next((name for name, sign in SEPARATORS.items() if sign == mark), "")
    return f"{name}s" if name else repr(mark)


class _Body:
    """The rows of a table as they come: texts, and of a wide table the numbers of a span of columns."""

    def __init__(self, names: list[str], mark: str, texts: Collection[str] | None, quoted: Collection[int]) -> None:
        self.names, self.mark, self.quoted = names, mark, quoted
        self.texts = None if texts is None else {text.casefold() for text in texts}
        self.records = list[Record]()
        self.span = range(0)  # the columns whose numbers are kept as numbers
        self.kept: Mapping[int, int] = {}  # the places of the columns whose texts are kept, where they are not all
        self.values = np.empty((0, 0))

    def add(self, record: Record) -> None:
        """Take a row."""
        if not self.records:
            self._look(record.cells)
        if not self.span:
            self.records.append(record)
            return
        row, kept = len(self.records), self.kept
        if row == len(self.values):
            self.values.resize((max(64, 2 * row), len(self.span)), refcheck=False)  # pages that nobody writes cost none
        cells = record.cells[self.span.start : self.span.stop]
        try:
            self.values[row] = np.array(cells, np.float64)
        except ValueError:
            self.values[row] = [self._number(cell, self.span.start + i) for i, cell in enumerate(cells)]
        self.records.append(
            Record(
                record.number,
                [record.cells[i] for i in kept],
                quoted=tuple(kept[i] for i in record.quoted if i in kept),
                bare=tuple(kept[i] for i in record.bare if i in kept),
            )
        )

    def _look(self, cells: Sequence[str]) -> None:
        """Choose the span of a wide table by its first row."""
        if self.texts is None or len(cells) <= WIDE:
            return
        own = {i for i, name in enumerate(self.names) if name.casefold() in self.texts}
        texts = sorted(own | {i for i, cell in enumerate(cells) if not _is_number(cell)})
        start, stop = max(pairwise([-1, *texts, len(cells)]), key=lambda ends: ends[1] - ends[0])
        span = range(start + 1, stop)
        if len(span) < WIDE:
            return
        # Whole numbers beside fractions are rather trials or conditions than measurements: their texts decide later.
        whole = {i for i in span if cells[i].lstrip("+-").isdecimal()}
        others = {*range(len(cells))} - {*span} | (whole if len(whole) < len(span) / 10 else set())
        self.span, self.kept = span, {column: place for place, column in enumerate(sorted(others))}

    def _number(self, cell: str, column: int) -> float:
        if cell.strip().casefold() in UNMEASURED:
            return np.nan
        if not is_numeral(cell):
            raise _HoldsText(self.names[column])
        return float(cell)

    def columns(
        self, doubts: Sequence[Doubt], evidence: Evidence, where: str, options: TableOptions, notes: list[str]
    ) -> tuple[list[Sequence[Any]], list[int]]:
        """Return the cells of each column, and the numbers of the rows."""
        if doubts and self.span:
            raise AmbiguousTable(
                f"{where}: a quote opens in row {doubts[0].whole.number} and closes in another: quotes=csv or "
                "quotes=text in the address decides whether these are one row."
            )
        records = settled(self.records, doubts, evidence=evidence, mark=self.mark, where=where)
        cells = [*map(list, zip(*(record.cells for record in records), strict=True))]
        if options.quotes != "text":
            kept = [*self.kept] if self.span else [*range(len(self.names))]
            stripped = [kept[i] for i in _without_quotes(cells, records, options.quotes == "csv")]
            unlike = [self.names[i] for i in stripped if i not in self.quoted]  # the names of the others say it
            if unlike and not options.quotes:
                notes.append(_quote_note(unlike))
        if not records:
            return [[] for _ in self.names], []
        numbers = [record.number for record in records]
        if not self.span:
            return [*cells], numbers
        values, start, places = self.values[: len(records)], self.span.start, self.kept
        spans: list[Sequence[Any]] = [*values.T]  # views, a column each
        return [cells[places[i]] if i in places else spans[i - start] for i in range(len(self.names))], numbers


def _is_number(cell: str) -> bool:
    return cell.strip().casefold() in UNMEASURED or is_numeral(cell)


def _without_quotes(columns: list[list[str]], records: Sequence[Record], always: bool) -> list[int]:
    """Take off the quotes around cells that nothing in the cell calls for, where all of the column have them.

    So do those of a file whose other cells are all numbers. Returns the columns.
    """
    bare, quoted = dict[int, list[int]](), dict[int, set[int]]()
    for row, record in enumerate(records):
        for column in record.bare:
            bare.setdefault(column, []).append(row)
        for column in record.quoted:
            quoted.setdefault(column, set()).add(row)
    stripped = [
        column
        for column, rows in bare.items()
        if always or _all_quoted(columns[column], rows, quoted.get(column, set()))
    ]
    if len(stripped) < len(bare) and _others_are_numbers(records):
        stripped = [*bare]
    for column in stripped:
        for row in bare[column]:
            columns[column][row] = columns[column][row][1:-1]
    return sorted(stripped)


def _all_quoted(cells: Sequence[str], bare: Collection[int], quoted: Collection[int]) -> bool:
    """Whether quotes stand around all cells of a column that are not missing."""
    around = {*bare, *quoted}
    return all(row in around or cell.strip().casefold() in UNMEASURED for row, cell in enumerate(cells))


def _others_are_numbers(records: Sequence[Record]) -> bool:
    """Whether all cells without quotes are numbers, or empty."""
    return all(
        _is_number(cell)
        for record in records
        for i, cell in enumerate(record.cells)
        if i not in record.quoted and i not in record.bare
    )


def _quote_note(names: Sequence[str]) -> str:
    which = listed(map(repr, names), 5)
    return f"the quotes around all cells of {which} are those of csv; quotes=text in the address keeps them"
