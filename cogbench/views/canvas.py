"""How figures are drawn: matplotlib in pixels, colours that a page can set, SVG for pages and for files."""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10
from typing import Any

import numpy as np

from ..data.dataset import Array
from ..text import in_one_line, visible

# A page gives these colours its own values, light and dark; a file keeps them, on white.
INK, MUTED, ACCENT, SOFT, CARD = "#1b1c21", "#5d616c", "#0b5cad", "#c9ced8", "#f6f7f9"
PAPER = "#fffffe"  # white, and not that of the figures on dark cells
MAP = "YlGnBu"  # told apart by the colour-blind and in grey print; dark is more alike, or better
LETTERS = 32  # of a name; the rest is cut
HINTED = 10_000  # cells of a heat map that have texts for the mouse: those of more are megabytes
SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)])  # the outline of a cell
DIAGONAL = np.array([(-0.5, 0.5), (0.5, -0.5)])
FONTS = "'DejaVu Sans', Verdana, sans-serif"  # as wide as what matplotlib measures with


@dataclass(frozen=True)
class Figure:
    """A figure: `svg` is `width` pixels wide, `alt` says in words what it shows, `rows` are its numbers.

    `hints` are texts that a page shows under the mouse: each the left, top, width and height of a place, in pixels, and
    its text.
    """

    name: str
    title: str
    alt: str
    svg: str
    width: int
    rows: list[dict[str, Any]]
    hints: tuple[tuple[float, float, float, float, str], ...] = ()


class Canvas:
    """A matplotlib figure measured in pixels from its upper left corner."""

    def __init__(self, width: float, height: float):
        from matplotlib.figure import Figure as Drawing

        self.width, self.height = width, height
        self.drawing = Drawing(figsize=(width / 72, height / 72))
        self._hints: list[tuple[Any, Array, float, str]] = []

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        """Return axes at a place, all in pixels."""
        bottom = self.height - top - height
        axes = self.drawing.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height), facecolor="none"
        )
        axes.tick_params(colors=INK, labelsize=11, length=0)
        axes.xaxis.label.set(color=INK, size=11)
        axes.yaxis.label.set(color=MUTED, size=11)
        for spine in axes.spines.values():
            spine.set_color(MUTED)
        return axes

    def hint(self, axes: Any, corners: Sequence[tuple[float, float]], text: str, *, around: float = 0) -> None:
        """Give a place of axes a text for the mouse: two corners, or a point, and the pixels around them."""
        self._hints.append((axes, np.array([corners[0], corners[-1]], float), around, text))

    def name_points(self, axes: Any, points: Sequence[tuple[float, float, str, str]]) -> None:
        """Write names beside points where they cover nothing; a name without room is left out.

        Each point has its place in the axes, a name, and the colour of that.
        """
        box = axes.get_position()
        edges = [v * size for v, size in zip(box.extents, [self.width, self.height] * 2, strict=True)]
        places = [axes.transData.transform(point[:2]) * 72 / self.drawing.dpi for point in points]
        taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]  # left, bottom, right and top
        for (x, y), (*point, name, colour) in zip(places, points, strict=True):
            text = short(name, 22)
            wide = 5.4 * len(text) + 4
            beside, above = [(8, -5), (-8 - wide, -5)], [(-wide / 2, 8), (-wide / 2, -18)]
            for right, up in (*beside, *above, (8, 5), (8, -15), (-8 - wide, 5), (-8 - wide, -15)):
                left, low, end, high = place = (x + right, y + up, x + right + wide, y + up + 10)
                inside = left >= edges[0] and low >= edges[1] and end <= edges[2] and high <= edges[3]
                if inside and not any(left < r and le < end and low < t and b < high for le, b, r, t in taken):
                    offset = {"textcoords": "offset points", "fontsize": 9, "color": colour}
                    axes.annotate(text, point, (right + 2, up + 1), **offset)
                    taken.append(place)
                    break

    def figure(self, name: str, title: str, alt: str, rows: list[dict[str, Any]]) -> Figure:
        """Return what was drawn."""
        import matplotlib

        out = io.StringIO()
        # Names are shown as they are, and the same result gives the same bytes.
        settings: Any = {"svg.fonttype": "none", "svg.hashsalt": name}
        bare = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with matplotlib.rc_context(settings), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a letter that the measuring font lacks; the reader's has it
            for text in self.drawing.findobj(matplotlib.text.Text):
                text.set_parse_math(False)
            self.drawing.savefig(out, format="svg", metadata=bare, transparent=True)
        svg = re.sub(r"font-family: [^;]*;", f"font-family: {FONTS};", visible(out.getvalue()))
        return Figure(name, title, alt, svg, round(self.width), rows, tuple(map(self._place, self._hints)))

    def _place(self, hint: tuple[Any, Array, float, str]) -> tuple[float, float, float, float, str]:
        """Return where a hint is, in pixels from the upper left corner, as the axes are at last."""
        axes, corners, around, text = hint
        x, y = (axes.transData.transform(corners) * 72 / self.drawing.dpi).T
        y = self.height - y
        left, top, right, bottom = x.min() - around, y.min() - around, x.max() + around, y.max() + around
        return float(left), float(top), float(right - left), float(bottom - top), text


def draw_heat_map(
    plot: Canvas,
    axes: Any,
    values: Array,
    names: tuple[Sequence[str], Sequence[str]],
    what: str,
    *,
    hint: Callable[[int, int], str],
    upright: bool = False,
    first_on_top: bool = False,
    exists: Array | None = None,
) -> None:
    """Draw coloured cells, their row and column names, and the scale at the right edge.

    A name with itself is crossed out, and what is not known is hatched: neither looks like a value, on white or on
    black. Only the cells that are `exists`, of the shape of `values`, are drawn. `hint` says what the cell of a row and
    a column is of.
    """
    low, high = _ends(values)
    many = values.size > 2000  # that many paths are megabytes
    edges = [np.arange(n + 1) - 0.5 for n in values.shape[::-1]]
    style = {"rasterized": True} if many else {"edgecolors": PAPER, "linewidth": 1}
    shade = f"{MAP}_r" if first_on_top else MAP
    drawn = axes.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=shade, vmin=low, vmax=high, **style)
    same = np.equal.outer(np.array(names[0], object), np.array(names[1], object)).astype(bool)
    missing = ~np.isfinite(values) & (True if exists is None else exists)
    _draw_missing(axes, missing & same, edgecolor=PAPER, facecolor=CARD)
    _draw_missing(axes, missing & same, DIAGONAL, edgecolor=MUTED, facecolor="none")
    _draw_missing(axes, missing & ~same, edgecolor=SOFT, facecolor=PAPER, hatch="////")
    for i, j in np.argwhere(~same & (np.isfinite(values) | missing)) if values.size <= HINTED else ():
        known = f"{what} {values[i, j]:.4g}" if np.isfinite(values[i, j]) else f"no {what}"
        plot.hint(axes, ((j - 0.5, i - 0.5), (j + 0.5, i + 0.5)), f"{hint(int(i), int(j))}: {known}")
    axes.set(ylim=(len(values) - 0.5, -0.5))
    axes.set_xticks(range(values.shape[1]), [short(name) for name in names[1]], rotation=0 if upright else 90)
    axes.set_yticks(range(values.shape[0]), [short(name) for name in names[0]])
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)
    box = axes.get_position()
    high_px = min(box.height * plot.height, 180)
    scale = plot.axes(plot.width - 62, (1 - box.y1) * plot.height, 12, high_px)
    bar = plot.drawing.colorbar(drawn, cax=scale)
    bar.outline.set_visible(False)
    if first_on_top:
        scale.invert_yaxis()
        scale.set_yticks(sorted({1, round(high)}))
    elif is_constant(values):
        scale.set_yticks([(low + high) / 2])
        what += ", all equal"
    else:
        scale.locator_params(axis="y", nbins=5)
    scale.tick_params(colors=INK, labelsize=10, length=0)
    scale.set_ylabel(what, size=10, color=MUTED)


def _draw_missing(axes: Any, where: Array, outline: Array = SQUARE, **style: Any) -> None:
    """Draw the same outline in each cell without a value, as one path."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    outlines = [Path(outline + (j, i)) for i, j in np.argwhere(where)]
    if outlines:
        axes.add_patch(PathPatch(Path.make_compound_path(*outlines), linewidth=1, **style))


def is_constant(values: Array) -> bool:
    """Whether all values that are known are the same."""
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and bool(finite.min() == finite.max())


def write_numbers(axes: Any, values: Array, write: Callable[[float], str], size: int = 9) -> None:
    """Write the values into their cells."""
    cells = axes.collections[0]  # once: axes look for their collections among all their texts
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            axes.text(j, i, write(value), ha="center", va="center", fontsize=size, color=ink_on(cells, value))


def ink_on(cells: Any, value: float) -> str:
    """Return black or white, whichever is read better on the colour that the cells of a heat map have for a value."""
    if not np.isfinite(value):
        return INK
    red, green, blue, _ = cells.to_rgba(value)
    return "black" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.18 else "white"


def number_format(values: Array) -> Callable[[float], str]:
    """Return how numbers are written so that two of them can be told apart in a small cell."""
    low, high = _ends(values)
    digits = min(max(1 - floor(log10(high - low)), 0), 3)
    if max(abs(low), abs(high)) < 1000:
        return lambda v: f"{v:.{digits}f}"
    return lambda v: f"{v / 1000:.3g}k" if abs(v) < 1e6 else f"{v / 1e6:.3g}M"


def _ends(values: Array) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def name_width(names: Sequence[str] | dict[str, Any]) -> int:
    """Return the pixels that the longest name takes, and a bit of air."""
    return 7 * max(longest(names), 4) + 8


def longest(names: Sequence[str] | dict[str, Any]) -> int:
    """Return the number of letters of the longest name, as far as figures show it."""
    return min(max(map(len, names), default=1), LETTERS)


def short(name: str, most: int = 0) -> str:
    """Return a name as figures show it: long ones often differ at the end alone; the numbers beside have it whole."""
    most, name = most or LETTERS, in_one_line(name)
    end = most // 2
    return name if len(name) <= most else f"{name[: most - 1 - end]}…{name[-end:]}"


def inline_svg(figure: Figure) -> str:
    """Return the SVG for a page: in the page's colours, with its hints, without what would clash with other parts."""
    svg = re.sub(r"\s+", " ", figure.svg[figure.svg.index("<svg") :])
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"<style.*?</style>", "", svg)
    names = {INK: "ink", MUTED: "muted", ACCENT: "accent", SOFT: "soft", CARD: "card", PAPER: "page"}
    for colour, name in names.items():
        svg = svg.replace(colour, f"var(--{name})")
    head, body = svg.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    places = [(f'x="{x:.5g}" y="{y:.5g}" width="{w:.4g}" height="{h:.4g}"', text) for x, y, w, h, text in figure.hints]
    hints = "".join(f"<rect {place}><title>{escape(in_one_line(text))}</title></rect>" for place, text in places)
    body = body.replace("</svg>", f'<g fill="transparent">{hints}</g></svg>' if hints else "</svg>")
    return f'<svg {box[0] if box else ""} width="{figure.width}" aria-hidden="true">{body}'


def standalone_svg(figure: Figure) -> str:
    """Return the SVG for a file: on white, with its alternative text."""
    start = figure.svg.index(">", figure.svg.index("<svg")) + 1
    title = f"<title>{escape(in_one_line(figure.title))}</title><desc>{escape(in_one_line(figure.alt))}</desc>"
    return f'{figure.svg[:start]}{title}<rect width="100%" height="100%" fill="white"/>{figure.svg[start:]}'
