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
    + ("predicted best (true rank)", "predicted best", "2nd", "3rd")
)
SHADES = " ░▒▓█"
# YlGnBu of ColorBrewer: the colours of the figures.
COLOURS = ("#ffffd9", "#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#081d58")
WIDTH = 120  # of what goes to a file
ANY_WIDTH = 1000  # of a table in a file that needs more
LEAST_PROSE, LEAST_PATH = 12, 24  # characters that a column of words, and of paths, has at least


def printed(*parts: Any, wide: bool = False, width: int | None = None) -> str:
    """Render for stdout, as wide as the terminal or as `width`; a file has no colours, and with `wide` no limit.

    Sentences are not broken in a file. A text is shown as it is: `styled` is what marks up.
    """
    from rich.text import Text

    console, out = _console(ANY_WIDTH if wide and not is_terminal() else width)
    for part in parts:
        soft_wrap = isinstance(part, str | Text) and not console.is_terminal and width is None
        console.print(visible(part) if isinstance(part, str) else part, soft_wrap=soft_wrap)
    return out.getvalue().rstrip("\n")


def is_terminal() -> bool:
    """Whether a person reads what is printed, and no file or program."""
    return sys.stdout.isatty()


def _console(width: int | None = None) -> tuple[Any, io.StringIO]:
    from rich.console import Console

    out, terminal = io.StringIO(), is_terminal()
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
    return int(console.width) if width or console.is_terminal else ANY_WIDTH


def styled(words: str, *values: object) -> Any:
    """Return a sentence with rich's markup in `words`, and values in its places `{}`, in which nothing is markup."""
    from rich.text import Text

    sentence = Text.from_markup(words, emoji=False)
    places = [place.start() for place in re.finditer(r"\{\}", sentence.plain)]
    for place, value in reversed([*zip(places, values, strict=True)]):
        style = next((str(span.style) for span in sentence.spans if span.start <= place < span.end), "")
        sentence = Text.assemble(sentence[:place], (visible(str(value)), style), sentence[place + 2 :])
    return sentence


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    dense: bool = False,
    wraps: frozenset[str] = PROSE,
) -> Any:
    """Return a table; cells are texts, or what rich draws. With `dense`, columns stand close; those of `wraps` wrap."""
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in head:
        grid.add_column(visible(name), no_wrap=name not in wraps, overflow="fold")
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


def fitted(rows: Sequence[dict[str, Any]], *, dense: bool = False, width: int | None = None) -> list[Any]:
    """Return what shows rows and fits a terminal: a table, several of some columns, or a block for each row.

    Words wrap, and paths are shortened in the middle; names and numbers stay whole. In a file a table of prose is as
    wide as usual, any other one as wide as it needs to be.

    Parameters
    ----------
    rows : sequence of dict
        The rows, of like keys.
    dense : bool
        Whether columns stand close together.
    width : int, optional
        The width in characters; by default that of the terminal.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    texts = {name: [or_blank(row.get(name)) for row in rows] for name in names}
    in_file = width is None and not is_terminal()
    sizes = {name: _sizes(name, cells, shortens=not in_file) for name, cells in texts.items()}
    between = 1 if dense else 3
    room = terminal_width(width)
    least = sum(smallest for smallest, _ in sizes.values()) + between * len(names) + 1
    if in_file and not dense and least <= WIDTH:
        room = WIDTH
    spare = room - least
    if spare >= 0:
        for name, (smallest, largest) in sizes.items():
            if smallest < largest and _holds_paths(texts[name]):
                most = min(largest, smallest + spare)
                texts[name] = [in_middle(cell, most) for cell in texts[name]]
                spare -= most - smallest
        return [table(names, zip(*texts.values(), strict=True), dense=dense, wraps=_wraps(texts))]
    shown = [{name: texts[name][i] for name in names} for i in range(len(rows))]
    groups = columns_within(shown, room)
    if any(_is_long(cells) for cells in texts.values()) or len(groups) > len(rows):
        return [part for row in shown for part in _block(row, room)]
    return [part for group in groups for part in _group(shown, group, dense=dense, room=room)]


def _group(rows: Sequence[dict[str, Any]], names: Sequence[str], *, dense: bool, room: int) -> list[Any]:
    """Return a table of some columns, or blocks where even two columns are wider than the room."""
    texts = {name: [row[name] for row in rows] for name in names}
    if sum(max(map(_text_width, [name, *cells])) + 1 for name, cells in texts.items()) > room + 1:
        return [part for row in rows for part in _block({name: row[name] for name in names}, room)]
    return [table(names, zip(*texts.values(), strict=True), dense=True)]


def _block(row: dict[str, str], room: int) -> list[Any]:
    """Return a row as its first cell with the others below, each behind its name."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    (_, head), *others = row.items()
    below = Table.grid(padding=(0, 1, 0, 0))
    below.add_column(style="dim", no_wrap=True)
    below.add_column(overflow="fold")
    for name, cell in others:
        if cell:
            below.add_row(visible(name), Text(visible(cell)))
    return [
        Text(visible(head), style="bold", overflow="fold"),
        *([Padding(below, (0, 0, 0, 2), expand=False)] if below.rows else []),
    ]


def _sizes(name: str, cells: Sequence[str], *, shortens: bool) -> tuple[int, int]:
    """Return the least and the largest width that a column makes use of."""
    largest = max(map(_text_width, [name, *cells]))
    if _is_prose(name, cells):
        longest_word = max((len(word) for cell in [name, *cells] for word in cell.split()), default=1)
        return min(largest, max(LEAST_PROSE, min(longest_word, LEAST_PROSE + 8))), largest
    if shortens and _holds_paths(cells):
        return min(largest, max(LEAST_PATH, _text_width(name))), largest
    return largest, largest


def _is_prose(name: str, cells: Sequence[str]) -> bool:
    """Whether a column may wrap: it is one of words, or holds a long text."""
    long = [cell for cell in cells if len(cell) > LEAST_PATH]
    return name in PROSE or any(("+" in cell or " " in cell) and not cell[:1].isdigit() for cell in long)


def _is_long(cells: Sequence[str]) -> bool:
    return any(len(cell) > LEAST_PATH for cell in cells)


def _holds_paths(cells: Sequence[str]) -> bool:
    return any(len(cell) > LEAST_PATH and " " not in cell and ("/" in cell or "\\" in cell) for cell in cells)


def _wraps(texts: dict[str, list[str]]) -> frozenset[str]:
    return frozenset(name for name, cells in texts.items() if _is_prose(name, cells))


def _text_width(text: str) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, text.split("\n")))


def in_middle(text: str, most: int) -> str:
    """Return a text of at most so many signs, without its middle; more of its end stays, where the file's name is."""
    if len(text) <= most or most < 3:
        return text
    end = 2 * (most - 1) // 3
    return f"{text[: most - 1 - end]}…{text[-end:]}"


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
    size = -(-len(others) // len(groups))  # of groups that are about alike, where these fit too
    alike = [[first, *others[i : i + size]] for i in range(0, len(others), size or 1)]
    return alike if len(alike) == len(groups) and all(map(fits, alike)) else groups


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
