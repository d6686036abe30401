"""What a terminal shows, by rich: tables, bars, heat maps; as wide as the terminal is, and plain in a file."""

import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.dataset import Array
from ..text import in_one_line, or_blank, visible

# Columns that may wrap; all others are names and numbers, which one wants whole.
PROSE = frozenset(
    ("about", "details", "parts", "error", "check", "licence", "found", "trouble")
    + ("predicted best (true rank)", "2nd", "3rd")
)
SHADES = " ░▒▓█"
# YlGnBu of ColorBrewer: the colours of the figures.
COLOURS = ("#ffffd9", "#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#081d58")
WIDTH = 120  # of what goes to a file


def printed(*parts: Any, wide: bool = False, width: int | None = None) -> str:
    """Render for stdout: colours only on a terminal, and as wide as that is, or `width`, or what is written if `wide`.

    Sentences are not broken in a file. A text is shown as it is: `styled` is what marks up.
    """
    from rich.text import Text

    console, out = _console(1000 if wide else width)
    for part in parts:
        soft_wrap = isinstance(part, str | Text) and not console.is_terminal and width is None
        console.print(visible(part) if isinstance(part, str) else part, soft_wrap=soft_wrap)
    return out.getvalue().rstrip("\n")


def _console(width: int | None = None) -> tuple[Any, io.StringIO]:
    from rich.console import Console

    out, terminal = io.StringIO(), sys.stdout.isatty()
    width = width or (None if terminal else WIDTH)
    plain: dict[str, Any] = {
        "markup": False,
        "emoji": False,
        "highlight": False,
    }  # names of somebody else are no markup
    return Console(file=out, force_terminal=terminal, width=width, **plain), out


def terminal_width(width: int | None = None) -> int:
    """Return how wide the terminal is, or else `width`; a file is as wide as one likes."""
    console, _ = _console(width)
    return int(console.width) if width or console.is_terminal else 1000


def styled(words: str, *values: object) -> Any:
    """Return a sentence with rich's markup in `words`, and values in its places `{}`, in which nothing is markup."""
    from rich.text import Text

    sentence = Text.from_markup(words, emoji=False)
    places = [place.start() for place in re.finditer(r"\{\}", sentence.plain)]
    for place, value in reversed([*zip(places, values, strict=True)]):
        style = next((str(span.style) for span in sentence.spans if span.start <= place < span.end), "")
        sentence = Text.assemble(sentence[:place], (visible(str(value)), style), sentence[place + 2 :])
    return sentence


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, dense: bool = False) -> Any:
    """Return a table; cells are texts, or what rich draws. With `dense`, columns stand close together."""
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in head:
        grid.add_column(visible(name), no_wrap=name not in PROSE, overflow="fold")
    for row in rows:
        grid.add_row(*(visible(cell) if isinstance(cell, str) else cell for cell in row))
    if dense:
        grid.padding = (0, 1, 0, 0)
    return grid


def table_within(
    rows: Sequence[dict[str, Any]], width: int | None, spare: Sequence[str], *, dense: bool = True
) -> tuple[Any, list[str]]:
    """Return a table that fits a width, and the columns that it has not: they go in the order of `spare`.

    Without a width it is the terminal's; a file gets all columns.
    """
    console, _ = _console(width)
    room = terminal_width(width)
    names, gone = list(dict.fromkeys(name for row in rows for name in row)), list[str]()
    # A table of long lists is slow to measure: one row of the widest cells is as wide.
    widest = {name: "x" * max(_width(_cell(row.get(name)), console) for row in rows) for name in names}

    def fits() -> bool:
        model = table(names, [[widest[name] for name in names]], dense=dense)
        return bool(console.measure(model, options=console.options.update(width=10_000)).maximum <= room)

    for name in spare:
        if name in names and not fits():
            names.remove(name)
            gone.append(name)
    shown = table(names, ([_cell(row.get(n)) for n in names] for row in rows), dense=dense)
    if not fits():
        for column in shown.columns:  # rather names on two lines than figures cut
            column.no_wrap = False
    return shown, gone


def columns_within(rows: Sequence[dict[str, Any]], room: int) -> list[list[str]]:
    """Return the names of the columns in groups of which each fits a width; the first column stands in each group.

    Parameters
    ----------
    rows : sequence of dict
        The rows of a table, of like keys.
    room : int
        The width in characters.
    """
    console, _ = _console()
    first, *others = dict.fromkeys(name for row in rows for name in row)
    widest = {name: "x" * max(_width(_cell(row.get(name)), console) for row in rows) for name in (first, *others)}

    def fits(names: Sequence[str]) -> bool:
        model = table(names, [[widest[name] for name in names]], dense=True)
        return bool(console.measure(model, options=console.options.update(width=10_000)).maximum <= room)

    groups = [[first]]
    for name in others:
        if len(groups[-1]) > 1 and not fits([*groups[-1], name]):
            groups.append([first])
        groups[-1].append(name)
    return groups


def _width(cell: Any, console: Any) -> int:
    from rich.cells import cell_len

    if isinstance(cell, str):
        return max(map(cell_len, cell.split("\n")))
    return int(console.measure(cell).maximum)


def _cell(value: Any) -> Any:
    return value if hasattr(value, "__rich__") else or_blank(value)


@dataclass(frozen=True)
class Bar:
    """A value on a scale, its interval, and a mark: `·····━━●━━┆····`."""

    value: float
    low: float
    high: float
    ends: tuple[float, float]
    mark: float | None = None
    width: int = 22

    def __rich__(self) -> Any:
        from rich.text import Text

        signs = ["·"] * self.width
        styles = ["dim"] * self.width
        for i in range(self._place(self.low), self._place(self.high) + 1):
            signs[i], styles[i] = "━", "cyan"
        if self.mark is not None:
            signs[self._place(self.mark)], styles[self._place(self.mark)] = "┆", "bold"
        signs[self._place(self.value)], styles[self._place(self.value)] = "●", "bold cyan"
        return Text.assemble(*zip(signs, styles, strict=True))

    def between(self, first: str, last: str) -> Any:
        """Return the bar with its ends written beside it."""
        from rich.text import Text

        return Text.assemble(f"    {first} ", self.__rich__(), f" {last}")

    def _place(self, value: float) -> int:
        low, high = self.ends
        share = (value - low) / (high - low) if high > low else 0.5
        return round(min(max(share, 0), 1) * (self.width - 1))


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A matrix as coloured cells, darker is more; where there are no colours, as shades.

    Columns are numbered as the rows are. What does not fit the terminal is told, not cut.
    """

    values: Array
    rows: Sequence[str]
    columns: Sequence[str]

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich.text import Text

        number = {name: f"{i}" for i, name in enumerate(dict.fromkeys((*self.rows, *self.columns)), 1)}
        names = [f"{number[row]:>2} {in_one_line(row)}" for row in self.rows]
        left = max(map(len, names)) + 1
        cell = next((c for c in (4, 3, 2) if left + c * len(self.columns) <= options.max_width), 0)
        if not cell or (cell == 2 and len(number) > 99):
            yield Text(f"(the heat map needs {left + 2 * len(self.columns)} columns; --out writes it as a page)")
            return
        wide = max(len(number[name]) for name in self.columns)
        heads = [f"{number[name]:>{wide}}" for name in self.columns]
        # Where two figures would touch, they stand upright.
        for line in [heads] if wide < cell else zip(*heads, strict=True):
            yield Text(" " * left + "".join(f"{part:>{cell}}" for part in line), style="bold")
        for name, line in zip(names, self.values, strict=True):
            parts = [self._drawn(value, cell, bool(console.color_system)) for value in line]
            yield Text.assemble(f"{name:<{left}}", *parts)
        if others := [f"{number[c]} {in_one_line(c)}" for c in self.columns if c not in self.rows]:
            yield Text(f"columns: {', '.join(others)}")
        yield Text.assemble(f"{'':<{left}}", *self._legend(bool(console.color_system)))

    def _drawn(self, value: float, cell: int, coloured: bool) -> tuple[str, str]:
        if not np.isfinite(value):
            return " " * (cell - 1) + "·" if not coloured else " " * cell, ""
        low, high = self._ends()
        share = (value - low) / (high - low) if high > low else 0.5
        if coloured:
            return " " * cell, f"on {COLOURS[round(share * (len(COLOURS) - 1))]}"
        return SHADES[1 + round(share * (len(SHADES) - 2))] * cell, ""

    def _legend(self, coloured: bool) -> Iterator[tuple[str, str]]:
        low, high = self._ends()
        steps = np.linspace(low, high, 9 if coloured else 4)
        yield f"{low:.4g} ", ""
        yield from (self._drawn(value, 2, coloured) for value in (steps if high > low else steps[:1]))
        yield f" {high:.4g}", ""

    def _ends(self) -> tuple[float, float]:
        finite = self.values[np.isfinite(self.values)]
        return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
