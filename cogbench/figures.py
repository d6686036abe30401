"""The figures of a report: each one an SVG, the numbers in it, and what it shows in words."""

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

import numpy as np

from .evaluation import chance_law
from .ranking import Ranking, rank
from .records import Array, TaskMatrix
from .result import Result
from .taxonomy import Node

# A page gives these colours its own values, light and dark; a file keeps them, on white.
INK, MUTED, ACCENT, SOFT = "#1b1c21", "#5d616c", "#0b5cad", "#c9ced8"
MAP = "YlGnBu"  # told apart by the colour-blind and in grey print; dark is more alike, or better
FONTS = "'DejaVu Sans', Verdana, sans-serif"  # as wide as what matplotlib measures with
LABELLED = 16  # with more tasks the cells are too many to be read one by one


@dataclass(frozen=True)
class Figure:
    """A figure: `svg` is `width` pixels wide, `alt` says in words what it shows, `rows` are its numbers."""

    name: str
    title: str
    alt: str
    svg: str
    width: int
    rows: list[dict[str, Any]]


def similarity_map(matrix: TaskMatrix, root: Node | None) -> Figure:
    """Return the heat map of similarities, with the tree of tasks beside it where there is one."""
    sources, targets = (root.tasks, root.tasks) if root else (matrix.sources, matrix.targets)
    values = matrix.part(sources, targets).values
    rows = [
        {"source": s, "target": t, "similarity": _number(v)}
        for s, line in zip(sources, values, strict=True)
        for t, v in zip(targets, line, strict=True)
        if s != t
    ]
    side = 36 if len(values) <= LABELLED else 16
    left, top, tree = _room(sources), _room(targets) + 4, 130 if root else 0
    plot = _Canvas(left + side * len(targets) + tree + 110, top + side * len(sources) + 30)
    axes = plot.axes(left, top, side * len(targets), side * len(sources))
    _cells(plot, axes, values, (sources, targets), "similarity")
    if side == 36:
        _numbers(axes, values, _shown(values))
    if root:
        beside = plot.axes(left + side * len(targets) + 6, top, tree, side * len(sources))
        _grow(beside, root, {task: i for i, task in enumerate(root.tasks)})
        beside.set(ylim=(len(values) - 0.5, -0.5), xlim=(0, 1.04 * (root.height or 1)))
        beside.axis("off")
    what = f"Heat map of {len(sources)} source tasks (rows) by {len(targets)} target tasks (columns)"
    order = f", in the order of the tree: {', '.join(sources)}" if root else ""
    alt = f"{what}{order}. {_extremes(rows)}"
    return plot.figure("similarity", "Similarity of tasks", alt, rows)


def strips(result: Result) -> Figure:
    """Return a strip for each target: its sources in predicted order, coloured by their true rank."""
    true = result.oracle_ranks or {}
    guessed = rank(result.matrix).ranks  # (s, t)
    rows: list[dict[str, Any]] = [
        {"target": t, "place": i, "source": s, "predicted rank": float(guessed[result.sources.index(s), j])}
        | {"true rank": true[t].get(s)}
        for j, t in enumerate(result.targets)
        for i, s in enumerate(result.ranking[t], 1)
    ]
    longest = max(len(result.ranking[t]) for t in result.targets)
    values = np.full((len(result.targets), longest), np.nan)
    for row in rows:
        found = row["true rank"]
        values[result.targets.index(row["target"]), row["place"] - 1] = np.nan if found is None else found
    named = longest <= LABELLED
    wide, high = (min(max(5 * _longest(result.sources) + 8, 190 // longest), 96), 34) if named else (24, 18)
    left = _room(result.targets)
    plot = _Canvas(left + wide * longest + 100, 44 + high * len(values) + 10)
    axes = plot.axes(left, 44, wide * longest, high * len(values))
    places = [str(i) for i in range(1, longest + 1)]
    _cells(plot, axes, values, (result.targets, places), "true rank", upright=True, first_on_top=True)
    axes.set_xlabel("place in the predicted order", labelpad=6)
    axes.xaxis.set_label_position("top")
    for row in rows if named else ():
        place = (row["place"] - 1, result.targets.index(row["target"]))
        ink = _ink(axes, values[place[1], place[0]])
        axes.text(place[0], place[1] - 0.16, row["source"], ha="center", va="center", fontsize=8, color=ink)
        figure = "" if row["true rank"] is None else f"{row['true rank']:g}"
        axes.text(place[0], place[1] + 0.22, figure, ha="center", va="center", fontsize=10, color=ink, weight="bold")
    if not named:
        _numbers(axes, values, lambda v: f"{v:g}", size=7)
    first = [f"{r['target']}: {r['source']} ({r['true rank']:g})" for r in rows if r["place"] == 1 and r["true rank"]]
    alt = (
        "For each target task, its sources from the predicted best at the left to the worst, each with its true rank, "
        f"1 is best. Predicted best (true rank): {'; '.join(first)}."
    )
    return plot.figure("ranking", "Sources in predicted order", alt, rows)


def against_chance(result: Result) -> Figure:
    """Return the TRS with its interval, the baselines, and how likely random choices are to have each TRS."""
    s = result.scores
    if s is None:
        raise ValueError("an unscored result has no chance to be compared with")
    true = _true(result)
    sums = chance_law(true)  # of half ranks
    whole = sums[::2] + np.append(sums[1::2], 0.0)[: len(sums[::2])]
    grid = np.arange(len(whole)) / len(result.targets)
    points: dict[str, tuple[float, tuple[float, float] | None]] = {result.estimator: (s.trs, s.trs_interval)}
    points |= {f"{name} (baseline)": (trs, None) for name, trs in result.baselines.items()}
    left, deep = _room(points), 26 * len(points)
    plot = _Canvas(left + 460, 150 + deep + 52)
    law, below = plot.axes(left, 10, 440, 140), plot.axes(left, 158, 440, deep)
    limits = (0.5, float(np.nanmax(true.ranks)) + 0.5)
    reached = grid <= s.trs + 1e-9
    width = 1 / len(result.targets)
    law.bar(grid[~reached], whole[~reached], width=width, color=SOFT)
    law.bar(grid[reached], whole[reached], width=width, color=ACCENT)
    law.set(xlim=limits, xticks=[], yticks=[], ylabel="random choices")
    for i, (name, (trs, interval)) in enumerate(points.items()):
        colour = ACCENT if name == result.estimator else MUTED
        if interval:
            below.plot(interval, (i, i), color=colour, linewidth=3, solid_capstyle="butt")
        below.plot(trs, i, "o" if interval else "D", color=colour, markersize=9 if interval else 6)
        below.annotate(f"{trs:.2f}", (trs, i), (9, 4), textcoords="offset points", fontsize=10, color=INK)
    below.set(
        xlim=limits, ylim=(len(points) - 0.3, -0.8), xlabel="TRS: mean true rank of the predicted best, 1 is best"
    )
    below.set_yticks(range(len(points)), points)
    if limits[1] < 16:
        below.set_xticks(range(1, int(limits[1]) + 1))
    for axes in (law, below):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        axes.axvline(s.trs_chance, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    rows: list[dict[str, Any]] = [
        {"series": name, "trs": trs, "low": i[0] if i else None, "high": i[1] if i else None, "probability": None}
        for name, (trs, i) in points.items()
    ]
    rows += [
        {"series": "chance", "trs": float(x), "low": None, "high": None, "probability": float(p)}
        for x, p in zip(grid, whole, strict=True)
        if p > 0
    ]
    others = ", ".join(f"{name} {trs:.2f}" for name, trs in result.baselines.items())
    alt = (
        f"The TRS is {s.trs:.2f}, its 95 % interval {s.trs_interval[0]:.2f} to {s.trs_interval[1]:.2f}. "
        f"Baselines: {others}. Random choices have {s.trs_chance:.2f} in the mean, and are as good with a probability "
        f"of {s.trs_p:.3g}: the coloured part of the distribution."
    )
    return plot.figure("scores", "TRS against baselines and chance", alt, rows)


def agreement_map(over: str, names: Sequence[str], values: Array) -> Figure:
    """Return the correlations (n, n) of what was kept apart, such as subjects, as a heat map."""
    side, room = 40 if len(names) <= LABELLED else 18, _room(names)
    plot = _Canvas(room + side * len(names) + 110, room + 4 + side * len(names) + 10)
    axes = plot.axes(room, room + 4, side * len(names), side * len(names))
    _cells(plot, axes, values, (names, names), "correlation")
    if side == 40:
        _numbers(axes, values, _shown(values))
    pairs = [(i, j) for i in range(len(names)) for j in range(i)]
    rows = [{"one": names[j], "other": names[i], "correlation": _number(values[i, j])} for i, j in pairs]
    known = [row["correlation"] for row in rows if row["correlation"] is not None]
    alt = f"Correlation of the similarities of {len(names)} {over}, each with each" + (
        f": from {min(known):.2f} to {max(known):.2f}." if known else "."
    )
    return plot.figure(over.replace(" ", "-"), f"Agreement of {over}", alt, rows)


def prediction_dots(rows: list[dict[str, Any]], chance: float) -> Figure:
    """Return for each task a dot for each subject: the share of channels predicted better than shuffled stimuli are.

    `rows` have subject, task and share; `chance` is the share that lies above by chance.
    """
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    left = _room(tasks)
    plot = _Canvas(left + 460, 24 * len(tasks) + 60)
    axes = plot.axes(left, 10, 440, 24 * len(tasks))
    for i, task in enumerate(tasks):
        shares = [row["share"] for row in rows if row["task"] == task]
        axes.plot((min(shares), max(shares)), (i, i), color=SOFT, linewidth=3, solid_capstyle="butt")
        axes.plot(shares, [i] * len(shares), "o", color=ACCENT, markersize=6, alpha=0.75, markeredgewidth=0)
    axes.axvline(chance, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    axes.set(ylim=(len(tasks) - 0.4, -0.6), xlim=(-0.02, max(1.05 * max(row["share"] for row in rows), 2 * chance)))
    axes.set_yticks(range(len(tasks)), tasks)
    axes.set_xlabel("share of channels above shuffled stimuli; dashed: chance")
    axes.spines[["top", "right", "left"]].set_visible(False)
    means = [f"{t} {np.mean([row['share'] for row in rows if row['task'] == t]):.2f}" for t in tasks]
    alt = (
        "For each task, the share of the signal's channels that its representations predict better than those of shuffled "
        f"stimuli, a dot for each subject; {chance:.2f} by chance. Mean over subjects: {', '.join(means)}."
    )
    return plot.figure("prediction", "Prediction against the null", alt, rows)


class _Canvas:
    """A matplotlib figure measured in pixels from its upper left corner."""

    def __init__(self, width: float, height: float):
        from matplotlib.figure import Figure as Canvas

        self.width, self.height = width, height
        self.canvas = Canvas(figsize=(width / 72, height / 72))

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        bottom = self.height - top - height
        found = self.canvas.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height), facecolor="none"
        )
        found.tick_params(colors=INK, labelsize=11, length=0)
        found.xaxis.label.set(color=INK, size=11)
        found.yaxis.label.set(color=MUTED, size=11)
        for spine in found.spines.values():
            spine.set_color(MUTED)
        return found

    def figure(self, name: str, title: str, alt: str, rows: list[dict[str, Any]]) -> Figure:
        import matplotlib

        out = io.StringIO()
        # Names are shown as they are, and the same result gives the same bytes.
        settings: Any = {"svg.fonttype": "none", "svg.hashsalt": name}
        bare = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with matplotlib.rc_context(settings), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a letter that the measuring font lacks; the reader's has it
            for text in self.canvas.findobj(matplotlib.text.Text):
                text.set_parse_math(False)
            self.canvas.savefig(out, format="svg", metadata=bare, transparent=True)
        svg = re.sub(r"font-family: [^;]*;", f"font-family: {FONTS};", out.getvalue())
        return Figure(name, title, alt, svg, round(self.width), rows)


def inline(figure: Figure) -> str:
    """Return the SVG for a page: in the page's colours, and without what would clash with its other parts."""
    svg = re.sub(r"\s+", " ", figure.svg[figure.svg.index("<svg") :])
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"<style.*?</style>", "", svg)
    for colour, name in {INK: "ink", MUTED: "muted", ACCENT: "accent", SOFT: "soft"}.items():
        svg = svg.replace(colour, f"var(--{name})")
    svg = svg.replace("stroke: #ffffff", "stroke: var(--page)")  # the lines between cells
    head, body = svg.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    return f'<svg {box[0] if box else ""} width="{figure.width}" aria-hidden="true">{body}'


def standalone(figure: Figure) -> str:
    """Return the SVG for a file: on white, with its alternative text."""
    from html import escape

    start = figure.svg.index(">", figure.svg.index("<svg")) + 1
    title = f"<title>{escape(figure.title)}</title><desc>{escape(figure.alt)}</desc>"
    return f'{figure.svg[:start]}{title}<rect width="100%" height="100%" fill="white"/>{figure.svg[start:]}'


def _true(result: Result) -> Ranking:
    """Return the oracle's ranks as the evaluation takes them."""
    true = result.oracle_ranks or {}
    ranks = np.array([[true[t].get(s, np.nan) for t in result.targets] for s in result.sources])  # (s, t)
    return Ranking(tuple(result.sources), tuple(result.targets), ranks, np.zeros_like(ranks), np.zeros_like(ranks))


def _cells(
    plot: _Canvas,
    axes: Any,
    values: Array,
    names: tuple[Sequence[str], Sequence[str]],
    what: str,
    *,
    upright: bool = False,
    first_on_top: bool = False,
) -> None:
    """Draw coloured cells, their row and column names, and the scale at the right edge."""
    low, high = _range(values)
    many = values.size > 2000  # that many paths are megabytes
    edges = [np.arange(n + 1) - 0.5 for n in values.shape[::-1]]
    style = {"rasterized": True} if many else {"edgecolors": "white", "linewidth": 1}
    shade = f"{MAP}_r" if first_on_top else MAP
    drawn = axes.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=shade, vmin=low, vmax=high, **style)
    axes.set(ylim=(len(values) - 0.5, -0.5))
    axes.set_xticks(range(values.shape[1]), names[1], rotation=0 if upright else 90)
    axes.set_yticks(range(values.shape[0]), names[0])
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)
    box = axes.get_position()
    high_px = min(box.height * plot.height, 180)
    scale = plot.axes(plot.width - 62, (1 - box.y1) * plot.height, 12, high_px)
    bar = plot.canvas.colorbar(drawn, cax=scale)
    bar.outline.set_visible(False)
    if first_on_top:
        scale.invert_yaxis()
        scale.set_yticks(sorted({1, round(high)}))
    else:
        scale.locator_params(axis="y", nbins=5)
    scale.tick_params(colors=INK, labelsize=10, length=0)
    scale.set_ylabel(what, size=10, color=MUTED)


def _numbers(axes: Any, values: Array, shown: Callable[[float], str], size: int = 9) -> None:
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            axes.text(j, i, shown(value), ha="center", va="center", fontsize=size, color=_ink(axes, value))


def _ink(axes: Any, value: float) -> str:
    """Return black or white, whichever is read better on the colour of a value."""
    if not np.isfinite(value):
        return INK
    red, green, blue, _ = axes.collections[0].to_rgba(value)
    return "black" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.18 else "white"


def _grow(axes: Any, node: Node, row: dict[str, int]) -> float:
    """Draw a tree from its leaves at the left to its root, and return the row that it ends at."""
    if not node.children:
        return row[node.tasks[0]]
    ends = [_grow(axes, child, row) for child in node.children]
    for child, end in zip(node.children, ends, strict=True):
        axes.plot((child.height, node.height), (end, end), color=INK, linewidth=1.3)
    axes.plot((node.height, node.height), (min(ends), max(ends)), color=INK, linewidth=1.3, solid_capstyle="projecting")
    return sum(ends) / len(ends)


def _shown(values: Array) -> Callable[[float], str]:
    """Return how numbers are written so that two of them can be told apart in a small cell."""
    low, high = _range(values)
    digits = min(max(1 - floor(log10(high - low)), 0), 3)
    if max(abs(low), abs(high)) < 1000:
        return lambda v: f"{v:.{digits}f}"
    return lambda v: f"{v / 1000:.3g}k" if abs(v) < 1e6 else f"{v / 1e6:.3g}M"


def _range(values: Array) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _extremes(rows: Sequence[dict[str, Any]]) -> str:
    known = sorted((r for r in rows if r["similarity"] is not None), key=lambda r: r["similarity"])
    if not known:
        return "No similarity is known."
    least, most = known[0], known[-1]
    return (
        "; ".join(
            f"{what} {r['source']} for {r['target']}, {r['similarity']:.4g}"
            for what, r in (("Most similar", most), ("least", least))
        )
        + "."
    )


def _longest(names: Sequence[str] | dict[str, Any]) -> int:
    return min(max(map(len, names), default=1), 40)


def _room(names: Sequence[str] | dict[str, Any]) -> int:
    """Return the pixels that the longest name takes, and a bit of air."""
    return 7 * max(_longest(names), 4) + 8


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def csv_rows(figure: Figure) -> Iterator[dict[str, Any]]:
    """Yield a figure's numbers for a csv file: what is not known is empty."""
    for row in figure.rows:
        yield {name: "" if value is None else value for name, value in row.items()}
