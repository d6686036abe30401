"""The record of a table that was read: its columns, and what a reader must know of them."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import UnusableData
from ..storage.origin import Origin
from ..text import listed
from .numbers import Numbers, numbers_of, refuse_odd
from .options import USUAL, TableOptions


class Rows(NamedTuple):
    """A table as read: equally long columns, the class names of those that state them, and where it came from.

    `numbers` are those of the rows in an editor or a spreadsheet, which counts the header; without any the first row
    has number 1. `notes` say what of its form was found out.
    """

    columns: dict[str, Sequence[Any]]
    names: dict[str, tuple[str, ...]]
    origin: Origin
    what: str  # for messages: the file, or the task and split
    numbers: Sequence[int] = ()
    notes: tuple[str, ...] = ()
    options: TableOptions = USUAL
    decimal_mark: str = "."

    def measured(self, column: str) -> Numbers | None:
        """Return the numbers of a column, NaN where nothing was measured; None where it holds texts or lists.

        Raises
        ------
        UnusableData
            If most cells are numbers and one is not: the message names it, and the option that decides.
        """
        numbers = self.numbers_of(column)
        if numbers is not None:
            refuse_odd(numbers, column, where=self.what, number=self.number)
        return numbers

    def numbers_of(self, column: str) -> Numbers | None:
        """Return the numbers of a column as `measured` does, without refusing one that has odd cells."""
        return numbers_of(self.columns[column], self.options.missing, self.decimal_mark)

    def number(self, i: int) -> int:
        """Return the number of a row in an editor."""
        return self.numbers[i] if len(self.numbers) else i + 1

    def of(self, *columns: str, classes: Mapping[str, tuple[str, ...]] | None = None) -> list[Any]:
        """Return some columns, in this order.

        Parameters
        ----------
        *columns : str
            Their names.
        classes : mapping of str to tuple of str, optional
            What the classes of a column are called, in the order of their numbers: another order is refused.

        Raises
        ------
        UnusableData
            If a column is missing, or states its classes otherwise.
        """
        if missing := [c for c in columns if c not in self.columns]:
            raise UnusableData(f"{self.origin.id!r} lacks column {', '.join(missing)}; it has {listed(self.columns)}.")
        for column, expected in (classes or {}).items():
            stated = self.names.get(column, expected)
            if stated != expected:
                raise UnusableData(
                    f"{self.what} states the classes of {column} as {', '.join(stated)}; "
                    f"expected {', '.join(expected)}."
                )
        return [self.columns[c] for c in columns]


def refuse_repeated(names: Sequence[str], where: str) -> None:
    """Raise UnusableData if two columns have one name; those without a name are no columns to use."""
    first = dict[str, int]()
    for place, name in enumerate(names, 1):
        plain = unicodedata.normalize("NFC", name)
        if plain and plain in first:
            others = names[1:]
            two_lines = len(others) > 2 and len({*others}) <= len(others) / 2
            remedy = "are there two header lines? Write one name for each column" if two_lines else "leave one of them"
            raise UnusableData(
                f"{where}: column {name!r} stands twice: column {first[plain]} and column {place}; {remedy}."
            )
        first.setdefault(plain, place)


def columns_by_name(names: Sequence[str], columns: Sequence[Sequence[Any]], where: str) -> dict[str, Sequence[Any]]:
    """Return the columns by their names, without those that have neither a name nor a cell, as spreadsheets write."""
    named, blank = dict[str, Sequence[Any]](), list[int]()
    for i, (name, cells) in enumerate(zip(names, columns, strict=True), 1):
        if name:
            named[name] = cells
        elif any(cell is not None and cell != "" for cell in cells):
            blank.append(i)
            named[name] = cells
    if len(blank) > 1:
        raise UnusableData(
            f"{where}: columns {blank[0]} and {blank[1]} have cells, but no name in the header; name each "
            "column in one line."
        )
    return named
