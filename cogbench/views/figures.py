"""The figures of a report: each one an SVG, the numbers in it, and what it shows in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from ..results.leaderboard import Board
from ..results.result import Result
from ..scoring.chance import ROUNDING, chance_law, relabelled_totals, relabellings
from ..scoring.means import none_if_nan
from ..scoring.ranking import Ranking, rank
from ..scoring.task_tree import Node
from ..text import in_range
from .canvas import (
    ACCENT,
    INK,
    MUTED,
    PAPER,
    SOFT,
    Canvas,
    Figure,
    draw_heat_map,
    ink_on,
    longest,
    name_width,
    number_format,
    short,
    write_numbers,
)
from .leaderboard import is_at_chance, marked_name

LABELLED = 16  # with more tasks the cells are too many to be read one by one


def similarity_map(matrix: TaskMatrix, root: Node | None) -> Figure:
    """Return the heat map of similarities, with the tree of tasks beside it where there is one."""
    sources, targets = (root.tasks, root.tasks) if root else (matrix.sources, matrix.targets)
    values = matrix.part(sources, targets).values
    rows = [
        {"source": s, "target": t, "similarity": none_if_nan(v)}
        for s, line in zip(sources, values, strict=True)
        for t, v in zip(targets, line, strict=True)
        if s != t
    ]
    side = 36 if len(values) <= LABELLED else 16
    left, top, tree = name_width(sources), name_width(targets) + 4, 130 if root else 0
    plot = Canvas(left + side * len(targets) + tree + 110, top + side * len(sources) + 30)
    axes = plot.axes(left, top, side * len(targets), side * len(sources))
    draw_heat_map(
        plot,
        axes,
        values=values,
        names=(sources, targets),
        what="similarity",
        hint=lambda i, j: f"{sources[i]} for {targets[j]}",
    )
    if side == 36:
        write_numbers(axes, values, number_format(values))
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
    most = max(len(result.ranking[t]) for t in result.targets)
    values = np.full((len(result.targets), most), np.nan)
    for row in rows:
        true_rank = row["true rank"]
        values[result.targets.index(row["target"]), row["place"] - 1] = np.nan if true_rank is None else true_rank
    named = most <= LABELLED
    wide, high = (min(max(5 * longest(result.sources) + 8, 190 // most), 96), 34) if named else (24, 18)
    left = name_width(result.targets)
    plot = Canvas(left + wide * most + 100, 44 + high * len(values) + 10)
    axes = plot.axes(left, 44, wide * most, high * len(values))
    places = [str(i) for i in range(1, most + 1)]
    exists = np.array([[i < len(result.ranking[t]) for i in range(most)] for t in result.targets])
    draw_heat_map(
        plot,
        axes,
        values=values,
        names=(result.targets, places),
        what="true rank",
        hint=lambda i, j: f"{result.targets[i]}, place {j + 1}: {result.ranking[result.targets[i]][j]}",
        upright=True,
        first_on_top=True,
        exists=exists,
    )
    axes.set_xlabel("place in the predicted order", labelpad=6)
    axes.xaxis.set_label_position("top")
    cells = axes.collections[0]
    for row in rows if named else ():
        place = (row["place"] - 1, result.targets.index(row["target"]))
        ink = ink_on(cells, values[place[1], place[0]])
        axes.text(place[0], place[1] - 0.16, short(row["source"], 18), ha="center", va="center", fontsize=8, color=ink)
        figure = "" if row["true rank"] is None else f"{row['true rank']:g}"
        axes.text(place[0], place[1] + 0.22, figure, ha="center", va="center", fontsize=10, color=ink, weight="bold")
    if not named:
        write_numbers(axes, values, lambda v: f"{v:g}", size=7)
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
    grid, whole, what = _chance_distribution(result, true, s.trs.value)
    points: dict[str, tuple[float, tuple[float, float] | None]] = {result.estimator: (s.trs.value, s.trs.interval)}
    points |= {f"{name} (baseline)": (trs, None) for name, trs in result.baselines.items()}
    left, deep = name_width(points), 26 * len(points)
    plot = Canvas(left + 460, 150 + deep + 52)
    law, below = plot.axes(left, 10, 440, 140), plot.axes(left, 158, 440, deep)
    limits = (0.5, float(np.nanmax(true.ranks)) + 0.5)
    step = 1 / len(result.targets)
    edges = np.append(grid, grid[-1] + step) - step / 2
    reached = int((grid <= s.trs.value + 1e-9).sum())
    # One path each: between the edges of bars the page would show as stripes.
    law.stairs(whole[reached:], edges[reached:], fill=True, color=SOFT, linewidth=0)
    law.stairs(whole[:reached], edges[: reached + 1], fill=True, color=ACCENT, linewidth=0)
    law.set(xlim=limits, xticks=[], yticks=[], ylabel=what)
    for i, (name, (trs, interval)) in enumerate(points.items()):
        colour = ACCENT if name == result.estimator else MUTED
        if interval:
            below.plot(interval, (i, i), color=colour, linewidth=3, solid_capstyle="butt")
        below.plot(trs, i, "o" if interval else "D", color=colour, markersize=9 if interval else 6)
        reach = f", 95 % interval {in_range(interval)}" if interval else ""
        plot.hint(below, [(end, i) for end in interval or (trs, trs)], f"{name}: TRS {trs:.2f}{reach}", around=7)
        halo = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}  # no line runs through the figure
        below.annotate(f"{trs:.2f}", (trs, i), (9, 5), textcoords="offset points", fontsize=10, color=INK, bbox=halo)
    below.set(
        xlim=limits, ylim=(len(points) - 0.3, -0.8), xlabel="TRS: mean true rank of the predicted best, 1 is best"
    )
    below.set_yticks(range(len(points)), [short(name) for name in points])
    if limits[1] < 16:
        below.set_xticks(range(1, int(limits[1]) + 1))
    for axes in (law, below):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        axes.axvline(s.trs.chance, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    law.lines[-1].set(color=INK, zorder=3)  # it runs over the bars
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
        f"The TRS is {s.trs.value:.2f}, its 95 % interval {s.trs.interval[0]:.2f} to {s.trs.interval[1]:.2f}. "
        f"Baselines: {others}. Random choices have {s.trs.chance:.2f} in the mean. The coloured part of the "
        f"distribution, {what}, is as good: p {s.trs.p.p if s.trs.p else s.trs.p_independent:.3g}."
    )
    return plot.figure("scores", "TRS against baselines and chance", alt, rows)


def _chance_distribution(result: Result, true: Ranking, trs: float) -> tuple[Array, Array, str]:
    """Return the TRS that guesses without knowledge have, how likely each is, and what these guesses are.

    They are the guess itself under other names of its tasks; in a result of an older schema, independent choices.
    """
    if result.is_outdated:
        whole = chance_law(true)
        totals, what = np.arange(len(whole)) / 2, "independent choices"
    else:
        totals, what = relabelled_totals(result.matrix, true, relabellings(result.matrix)), "relabelled guesses"
        whole = np.full(len(totals), 1 / len(totals))
    # Steps of one rank from the guess's own total, so that totals as good as it are never in one step with worse ones.
    own = trs * len(result.targets)
    steps = np.ceil(totals - own - ROUNDING).astype(int)
    least = min(int(steps.min()), 0)
    shares = np.bincount(steps - least, weights=whole)
    return (own + least + np.arange(len(shares))) / len(result.targets), shares, what


def cost_against_skill(board: Board) -> Figure | None:
    """Return a point for each result that knows no transfers: its seconds against its skill, or TRS if none has one.

    None where fewer than two results say what their estimators took. Grey points are not told from chance. A name for
    which there is no room stands under the mouse, and in the table.
    """
    what = "skill" if any(entry.scores.get("skill") is not None for entry in board.entries) else "trs"
    blind = [e for e in board.entries if e.kind == "result" and not e.uses_oracle]
    points = [e for e in blind if e.seconds and e.scores.get(what) is not None]
    if len(points) < 2:
        return None
    names = {"skill": "skill", "trs": "TRS, 1 is best"}
    plot = Canvas(720, 340)
    axes = plot.axes(60, 12, 640, 272)
    axes.set_xscale("log")
    rows, labels = [], []
    for entry in points:
        seconds, value = entry.seconds or 0.0, entry.scores[what] or 0.0
        colour, name = MUTED if is_at_chance(entry) else ACCENT, marked_name(entry)
        axes.plot(seconds, value, "o", color=colour, markersize=7, markeredgewidth=1.5)
        where = ", ".join(filter(None, [name, entry.backbone, entry.signal]))
        plot.hint(axes, [(seconds, value)], f"{where}: {seconds:.3g} s, {what} {value:.2f}", around=7)
        rows.append({"estimator": name, "backbone": entry.backbone, "signal": entry.signal, "seconds": seconds})
        rows[-1] |= {what: value}
        labels.append((seconds, value, name, MUTED if colour == MUTED else INK))
    axes.margins(x=0.08, y=0.12)
    if what == "trs":
        axes.invert_yaxis()
    chance = 0.0 if what == "skill" else board.chance
    if chance is not None:
        axes.axhline(chance, color=MUTED, linewidth=1, linestyle=(0, (3, 3)), zorder=0)
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:,g}")
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.set_xlabel("seconds of the estimator, logarithmic")
    axes.set_ylabel(names[what])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=SOFT, linewidth=0.5)
    axes.set_axisbelow(True)
    plot.name_points(axes, labels)
    best = max(points, key=lambda e: (e.scores[what] or 0.0) * (1 if what == "skill" else -1))
    alt = (
        f"Seconds, on a logarithmic axis, against {names[what]} of {len(points)} results; the dashed line is chance. "
        f"The best is {marked_name(best)}: {best.seconds:.3g} s, {what} {best.scores[what]:.2f}."
    )
    return plot.figure("cost", "Cost against skill", alt, rows)


def agreement_map(over: str, names: Sequence[str], values: Array) -> Figure:
    """Return the correlations (n, n) of what was kept apart, such as subjects, as a heat map."""
    side, left = 40 if len(names) <= LABELLED else 18, name_width(names)
    plot = Canvas(left + side * len(names) + 110, left + 4 + side * len(names) + 10)
    axes = plot.axes(left, left + 4, side * len(names), side * len(names))
    draw_heat_map(
        plot,
        axes,
        values=values,
        names=(names, names),
        what="correlation",
        hint=lambda i, j: f"{names[i]} with {names[j]}",
    )
    if side == 40:
        write_numbers(axes, values, lambda v: f"{v:.2f}")
    pairs = [(i, j) for i in range(len(names)) for j in range(i)]
    rows = [{"one": names[j], "other": names[i], "correlation": none_if_nan(values[i, j])} for i, j in pairs]
    defined = [row["correlation"] for row in rows if row["correlation"] is not None]
    alt = f"Correlation of the similarities of {len(names)} {over}, each with each" + (
        f": from {min(defined):.2f} to {max(defined):.2f}." if defined else "."
    )
    return plot.figure(over.replace(" ", "-"), f"Agreement of {over}", alt, rows)


def prediction_dots(rows: list[dict[str, Any]], chance: float) -> Figure:
    """Return for each task a dot for each subject: the share of channels predicted better than shuffled stimuli are.

    `rows` have subject, task and share, None where it is not known; `chance` is the share that lies above by chance.
    """
    of_task: dict[str, list[float]] = {}
    for row in rows:
        of_task.setdefault(row["task"], []).extend([] if row["share"] is None else [row["share"]])
    tasks = [task for task, shares in of_task.items() if shares]
    left = name_width(tasks)
    plot = Canvas(left + 460, 24 * len(tasks) + 60)
    axes = plot.axes(left, 10, 440, 24 * len(tasks))
    for i, task in enumerate(tasks):
        shares = of_task[task]
        axes.plot((min(shares), max(shares)), (i, i), color=SOFT, linewidth=3, solid_capstyle="butt")
        axes.plot(shares, [i] * len(shares), "o", color=ACCENT, markersize=6, alpha=0.75, markeredgewidth=0)
        for row in rows:
            if row["task"] == task and row["share"] is not None:
                plot.hint(axes, [(row["share"], i)], f"{task}, {row['subject']}: {row['share']:.3g}", around=5)
    axes.axvline(chance, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    axes.set(
        ylim=(len(tasks) - 0.4, -0.6),
        xlim=(-0.02, max(1.05 * max(map(max, filter(None, of_task.values()))), 2 * chance)),
    )
    axes.set_yticks(range(len(tasks)), [short(task) for task in tasks])
    axes.set_xlabel("share of channels above shuffled stimuli; dashed: chance")
    axes.spines[["top", "right", "left"]].set_visible(False)
    means = [f"{task} {np.mean(of_task[task]):.2f}" for task in tasks]
    alt = (
        "For each task, the share of the signal's channels that its representations predict better than shuffled "
        f"stimuli are, a dot for each subject; {chance:.2f} by chance. Mean over subjects: {', '.join(means)}."
    )
    return plot.figure("prediction", "Prediction against the null", alt, rows)


def fingerprint_map(shares: Mapping[str, Sequence[float]]) -> Figure:
    """Return for each task the share of what was selected for it in each layer, as a heat map; layers count from 1."""
    values = np.array([*shares.values()], float)  # (n_tasks, n_layers)
    layers = [str(i) for i in range(1, values.shape[1] + 1)]
    named, left = values.shape[1] <= LABELLED, name_width([*shares])
    side, high = (36, 26) if named else (20, 20)
    plot = Canvas(left + side * len(layers) + 110, 44 + high * len(values) + 10)
    axes = plot.axes(left, 44, side * len(layers), high * len(values))
    tasks = [*shares]
    draw_heat_map(
        plot,
        axes,
        values=values,
        names=(tasks, layers),
        what="share",
        hint=lambda i, j: f"{tasks[i]}, layer {layers[j]}",
        upright=True,
    )
    axes.set_xlabel("layer", labelpad=6)
    axes.xaxis.set_label_position("top")
    if named:
        write_numbers(axes, values, lambda v: f"{v:.2f}")
    rows = [
        {"task": task, "layer": i, "share": none_if_nan(v)}
        for task, line in zip(shares, values, strict=True)
        for i, v in enumerate(line, 1)
    ]
    most = [f"{task} {layers[int(line.argmax())]}" for task, line in zip(shares, np.nan_to_num(values), strict=True)]
    alt = f"Heat map of {len(values)} tasks (rows) by {len(layers)} layers. The layer with most: {', '.join(most)}."
    return plot.figure("fingerprints", "Neurons of each task by layer", alt, rows)


def true_ranks(result: Result) -> Array:
    """Return the oracle's ranks, NaN for what is no candidate: (n_sources, n_targets)."""
    true = result.oracle_ranks or {}
    return np.array([[true[t].get(s, np.nan) for t in result.targets] for s in result.sources])


def _true(result: Result) -> Ranking:
    """Return the oracle's ranks as the evaluation takes them."""
    ranks = true_ranks(result)
    return Ranking(
        sources=tuple(result.sources),
        targets=tuple(result.targets),
        ranks=ranks,
        better=np.zeros_like(ranks),
        equal=np.zeros_like(ranks),
    )


def _grow(axes: Any, node: Node, row: dict[str, int]) -> float:
    """Draw a tree from its leaves at the left to its root, and return the row that it ends at."""
    if not node.children:
        return row[node.tasks[0]]
    ends = [_grow(axes, child, row) for child in node.children]
    for child, end in zip(node.children, ends, strict=True):
        axes.plot((child.height, node.height), (end, end), color=INK, linewidth=1.3)
    axes.plot((node.height, node.height), (min(ends), max(ends)), color=INK, linewidth=1.3, solid_capstyle="projecting")
    return sum(ends) / len(ends)


def _extremes(rows: Sequence[dict[str, Any]]) -> str:
    defined = sorted((r for r in rows if r["similarity"] is not None), key=lambda r: r["similarity"])
    if not defined:
        return "No similarity is known."
    least, most = defined[0], defined[-1]
    if least["similarity"] == most["similarity"]:
        return f"All similarities are {most['similarity']:.4g}."
    return (
        "; ".join(
            f"{what} {r['source']} for {r['target']}, {r['similarity']:.4g}"
            for what, r in (("Most similar", most), ("least", least))
        )
        + "."
    )
