"""Which cells a line of separated values has, where quotes may be those of csv or belong to the text.

A cell that begins and ends with a quote is one of csv where it holds a separator, a line break or doubled quotes, or
where all cells of its column are quoted. All other quotes are text, and no line swallows the next one.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import AmbiguousTable, UnusableData
from .numbers import is_numeral

CLOSING = re.compile(r'[^"]*+(?:""[^"]*+)*+"')  # of a quoted cell, from behind the quote that opens it
ESCAPED = re.compile(r'(?:[^"\\]|\\.)*+"')
MOST_CHARACTERS = 1 << 24  # of a quoted cell: one that is longer was opened by a quote of the text


class Record(NamedTuple):
    """The cells of a row; `quoted` are the columns whose quotes were taken off, `bare` those that may keep theirs."""

    number: int
    cells: list[str]
    quoted: tuple[int, ...] = ()
    bare: tuple[int, ...] = ()


@dataclass
class Evidence:
    """What the quotes of a file showed so far: those of csv, or those of a text."""

    csv: bool = False
    text: bool = False


@dataclass
class Doubt:
    """Some records that may be one: the place of the first, how many there are, and the one."""

    place: int
    lines: int
    whole: Record


@dataclass
class Lines:
    """The lines of a file with their numbers, of which some can be looked at before they are taken."""

    lines: Iterator[str]
    ahead: deque[str] = field(default_factory=deque)
    number: int = 0  # of the line that was taken last

    def take(self) -> str | None:
        """Return the next line; None at the end."""
        line = self.ahead.popleft() if self.ahead else next(self.lines, None)
        self.number += line is not None
        return line

    def peek(self, i: int) -> str | None:
        """Return the line that is taken after `i` others; None behind the end."""
        while len(self.ahead) <= i:
            if (line := next(self.lines, None)) is None:
                return None
            self.ahead.append(line)
        return self.ahead[i]


def split_quoted(line: str, mark: str, *, text: bool = False, escaped: bool = False) -> tuple[Record, int]:
    """Return the cells of a line by the quotes of csv, and where a quote opens a cell that no quote closes, else -1.

    Parameters
    ----------
    line : str
        One line, or several that belong together.
    mark : str
        The sign between cells.
    text : bool
        Go on behind a quote that nothing closes as behind any other sign.
    escaped : bool
        A quote within a quoted cell has a backslash before it.
    """
    cells, quoted, bare = list[str](), list[int](), list[int]()
    start = 0
    while True:
        place = line.find('"', start)
        if place < 0:
            cells += line[start:].split(mark)
            return Record(0, cells, tuple(quoted), tuple(bare)), -1
        begin = line.rfind(mark, start, place) + 1 or start
        closing = (ESCAPED if escaped else CLOSING).match(line, place + 1) if begin == place else None
        if begin == place and closing is None and not text:
            return Record(0, cells, tuple(quoted), tuple(bare)), place
        end = closing.end() if closing else -1
        if closing and line[end : end + 1] in ("", mark):
            if begin > start:
                cells += line[start : begin - 1].split(mark)
            content = line[place + 1 : end - 1]
            if escaped:
                content = content.replace('\\"', '"')
            if escaped or not content or mark in content or '"' in content or "\n" in content or "\r" in content:
                quoted.append(len(cells))
                cells.append(content if escaped else content.replace('""', '"'))
            else:
                bare.append(len(cells))
                cells.append(line[place:end])
        else:  # a quote of the text
            end = line.find(mark, max(end, place))
            end = len(line) if end < 0 else end
            cells += line[start:end].split(mark)
        if end == len(line):
            return Record(0, cells, tuple(quoted), tuple(bare)), -1
        start = end + 1


def read_records(
    lines: Lines, mark: str, n: int, quotes: str, refuse: Callable[[int, str], UnusableData]
) -> Iterator[Record | Doubt | Evidence]:
    """Yield the records of a file that have `n` cells, the doubts about them, and last what its quotes showed.

    Raises
    ------
    UnusableData
        If a line has another number of cells however its quotes are read; `refuse` makes the error of a row.
    """
    evidence, count, n_doubtful = Evidence(), 0, 0
    while (line := lines.take()) is not None:
        plain = line.removesuffix("\r")
        is_doubtful, n_doubtful = n_doubtful > 0, max(0, n_doubtful - 1)  # lines in doubt are no evidence
        if not plain.strip() and mark not in plain:
            continue
        number = lines.number
        if '"' not in plain or quotes == "text":
            cells = plain.split(mark)
            if len(cells) != n:
                if not plain.replace(mark, "").strip():
                    continue
                raise refuse(number, f"row {number} has {len(cells)} values, the header {n}")
            yield Record(number, cells)
            count += 1
            continue
        record, opens = split_quoted(plain, mark)
        if opens < 0 and len(record.cells) == n:
            evidence.csv |= not is_doubtful and any(record.cells[i] for i in record.quoted)
            yield record._replace(number=number)
            count += 1
            continue
        as_line = None if quotes == "csv" else _by_itself(plain, mark, n)
        whole, taken = _over_lines(line, lines, mark, n) if opens >= 0 else (None, 0)
        if whole is not None and as_line is not None and n > 1:  # any line fits a table of one column
            others = [_by_itself((lines.peek(i) or "").removesuffix("\r"), mark, n) for i in range(taken)]
            if all(others):
                yield Doubt(count, taken + 1, whole._replace(number=number))
                whole, is_doubtful, n_doubtful = None, True, max(n_doubtful, taken)
        if whole is not None:
            for _ in range(taken):
                lines.take()
            evidence.csv |= not is_doubtful
            yield whole._replace(number=number)
        elif as_line is not None:
            evidence.text |= not is_doubtful
            yield as_line._replace(number=number)
        else:
            raise refuse(number, _fault(record, opens, number, plain, mark, n, quotes))
        count += 1
    yield evidence


def _by_itself(line: str, mark: str, n: int) -> Record | None:
    """Return the cells of a line that has `n` of them when no cell goes over lines; None if it has not."""
    for record in (
        split_quoted(line, mark, text=True)[0],
        Record(0, line.split(mark)),
        split_quoted(line, mark, text=True, escaped=True)[0],
    ):
        if len(record.cells) == n:
            return record
    return None


def _over_lines(line: str, lines: Lines, mark: str, n: int) -> tuple[Record | None, int]:
    """Return a record of `n` cells that goes over several lines, and how many lines after the first it takes."""
    parts, taken = [line], 0
    while True:
        size = 0
        while True:  # look for the line on which the open cell closes
            following = lines.peek(taken)
            if following is None or size > MOST_CHARACTERS:
                return None, 0
            parts.append(following)
            taken, size = taken + 1, size + len(following)
            if CLOSING.match(following):
                break
        record, opens = split_quoted("\n".join(parts).removesuffix("\r"), mark)
        if opens < 0:
            return (record, taken) if len(record.cells) == n else (None, 0)
        if len(record.cells) >= n:
            return None, 0


def _fault(record: Record, opens: int, number: int, line: str, mark: str, n: int, quotes: str) -> str:
    """Return what is wrong with a line that no reading of its quotes fits."""
    remedy = "" if quotes else "; quotes=csv or quotes=text in the address says how quotes are read"
    if opens >= 0 and quotes == "csv":
        return f"row {number} opens a quote that nothing closes"
    cells = len(record.cells) if opens < 0 else line.count(mark) + 1
    return f"row {number} has {cells} values, the header {n}{remedy}"


def settled(records: list[Record], doubts: Sequence[Doubt], evidence: Evidence, mark: str, where: str) -> list[Record]:
    """Return the records where some that stand on lines of their own may be one record over several lines.

    Raises
    ------
    AmbiguousTable
        If nothing in the file tells which they are.
    """
    if evidence.csv and not evidence.text:
        end = len(records)
        for doubt in reversed(doubts):
            if doubt.place + doubt.lines <= end:
                records[doubt.place : doubt.place + doubt.lines] = [doubt.whole]
                end = doubt.place
        return records
    if not doubts or evidence.text or (mark == "\t" and _keep_numbers(records, doubts)):
        return records
    first = doubts[0].whole.number
    raise AmbiguousTable(
        f"{where}: a quote opens in row {first} and closes {doubts[0].lines - 1} row(s) later, so these are one row of "
        "csv or several rows of text; quotes=csv or quotes=text in the address decides."
    )


def _keep_numbers(records: Sequence[Record], doubts: Sequence[Doubt]) -> bool:
    """Whether the doubtful lines have a number in each column that has numbers in all other lines, one at least."""
    doubtful = {i for doubt in doubts for i in range(doubt.place, doubt.place + doubt.lines)}
    others = [record.cells for i, record in enumerate(records) if i not in doubtful]
    columns = [i for i in range(len(records[0].cells)) if others and all(is_numeral(cells[i]) for cells in others)]
    return bool(columns) and all(is_numeral(records[row].cells[i]) for row in doubtful for i in columns)
