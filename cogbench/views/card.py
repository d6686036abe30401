"""Results as people and machines read them: tables for a terminal, markdown, LaTeX, csv, JSON; the demonstration."""

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import UnusableData
from ..results.result import CellCounts, Provenance, Result
from ..runs.demo import Demo
from ..scoring.scores import Scores
from ..scoring.skill import Skill
from ..scoring.task_tree import Node, task_tree
from ..text import MISSING, in_decimals, in_digits, in_range, in_sign, in_time
from .formats import grid, render_tables
from .rows import p_words
from .terminal import Bar, HeatMap, printed, styled, table_within

TREE = "the taxonomy: at each fork stands the height at which its tasks meet"


def render_results(results: Sequence[Result], form: str) -> str:
    """Return results in one of `FORMATS`; json is always a list."""
    if form == "json":
        return json.dumps([r.plain() for r in results], indent=1)
    if form == "table":
        return "\n".join(printed(*_card(r)) for r in results)
    return grid(_summary(results), form)


def render_card(result: Result, width: int | None = None) -> str:
    """Return all that a terminal can show of a result: its card, the similarities as a heat map, and their tree."""
    parts, matrix = _card(result, width), result.matrix
    try:
        tree = task_tree(matrix)
    except UnusableData as error:
        parts += [HeatMap(matrix.values, matrix.sources, matrix.targets), f"no tree: {error}"]
    else:
        order = tree.root.tasks
        parts += [styled("[bold]similarity[/] of sources (rows) for targets (columns), in the tree's order")]
        parts += [HeatMap(matrix.part(order, order).values, order, order), "", TREE, _grown(tree.root)]
        parts += [f"note: {note}" for note in tree.notes]
    return printed(*parts, width=width)


def render_tree(root: Node) -> str:
    """Return a taxonomy as a tree: tasks are its leaves, a fork has the height at which they meet."""
    return printed(TREE, _grown(root))


def _grown(node: Node) -> Any:
    from rich.tree import Tree

    branch = Tree(f"{node.height:.4g}" if node.children else styled("[bold]{}[/]", node.tasks[0]))
    branch.children += map(_grown, node.children)
    return branch


def _summary(results: Iterable[Result]) -> list[dict[str, Any]]:
    return [
        {
            "estimator": r.estimator,
            "backbone": r.backbone,
            "signal": r.signal or "",
            "oracle": r.oracle.name if r.oracle else "",
            "trs": round(r.scores.trs.value, 2) if r.scores else None,
            "interval": in_range(r.scores.trs.interval) if r.scores else "",
            "chance": round(r.scores.trs.chance, 2) if r.scores else None,
            "p": in_digits(r.scores.trs.p.p) if r.scores and r.scores.trs.p else None,
            "skill": in_sign(r.scores.skill.rho) if r.scores and r.scores.skill else None,
            "skill p": in_digits(r.scores.skill.p.p) if r.scores and r.scores.skill and r.scores.skill.p else None,
            **{f"top-{k}": round(v, 2) for k, v in (r.scores.top_k.share.items() if r.scores else ())},
            "selected": round(r.scores.metric.selected, 3) if r.scores else None,
            "synthetic": ", ".join(r.synthetic),
            "knows transfers": "yes" if r.uses_oracle else "",
            "learned": f"{sum(t.learned for t in r.tasks.values())}/{len(r.tasks)}",
        }
        for r in results
    ]


def _card(result: Result, width: int | None = None) -> list[Any]:
    """Return one result for the terminal: a headline, the scores, and the target tasks one by one."""
    rest = f", suite {result.suite}" + (f", signal {result.signal}" if result.signal else "")
    title = styled("[bold]{}[/] on [bold]{}[/]{}", result.estimator, result.backbone, rest)
    generated = " and ".join(result.synthetic)
    warning = [styled("[bold]synthetic {}[/]: made by a generator", generated)] if generated else []
    return [title, *warning, *_score_lines(result), _targets(result, width), *_footer(result)]


def _score_lines(result: Result) -> list[Any]:
    s, oracle = result.scores, result.oracle
    if s is None or oracle is None:
        return ["unscored: no oracle is known for this; `cogbench run … --oracle measured` measures one."]
    low, high = s.trs.interval
    worst = max(map(len, result.ranking.values()))
    bar = Bar(s.trs.value, low, high=high, ends=(1.0, float(worst)), mark=s.trs.chance, width=33)
    # Where chance has all of them, a share tells nothing.
    informing = {k: v for k, v in s.top_k.share.items() if s.top_k.chance[k] < 1}
    tops = ", ".join(f"top-{k} {v:.2f} (chance {s.top_k.chance[k]:.2f})" for k, v in informing.items())
    return [
        f"oracle {oracle.name} ({oracle.basis}, {oracle.backbone})",
        styled(
            "TRS [bold]{}[/] {}, 1 is perfect; chance {}, p {} ({})",
            f"{s.trs.value:.2f}",
            f"[{low:.2f}, {high:.2f}]",
            f"{s.trs.chance:.2f}",
            in_digits(s.trs.p.p) if s.trs.p else MISSING,
            p_words(s.trs.p),
        ),
        bar.between("1", str(worst)),
        *[styled("[bold]knows transfers[/]: compare it with popularity, not with estimators of models")]
        * result.uses_oracle,
        f"baselines: {', '.join(f'{name} {trs:.2f}' for name, trs in result.baselines.items())}",
        *_skill_lines(s.skill),
        *([f"in the oracle's top {s.top_k.m}: {tops}"] if tops else []),
        f"mean metric: selected {s.metric.selected:.3f}, oracle best {s.metric.best:.3f}, "
        f"random {s.metric.random:.3f}, no transfer {in_decimals(s.metric.no_transfer, 3, 'unknown')}",
        *_further(s),
    ]


def _skill_lines(skill: Skill | None) -> list[Any]:
    """Return what a guess knows beyond which sources are good."""
    if skill is None:
        return ["an older schema scored this result: `cogbench score` computes its p and its skill"]
    lines = list[Any]()
    if skill.p is not None:
        lines.append(
            styled(
                "skill beyond source and target effects: rho [bold]{}[/], p {}; TRS by them {}",
                in_sign(skill.rho),
                in_digits(skill.p.p),
                in_decimals(skill.trs),
            )
        )
    else:
        lines.append("skill beyond source and target effects: undefined, the guess or the oracle has no such effect")
    if (gap := skill.popularity) is not None:
        low, high = gap.interval
        lines.append(
            f"TRS less popularity's: {in_sign(gap.difference)} [{low:+.2f}, {high:+.2f}], p {in_digits(gap.p)}; "
            f"{in_decimals(gap.detectable)} would be seen with 80 % power"
        )
    return lines


def _further(s: Scores) -> list[str]:
    """Return the scores of the whole ranking, and what the oracle's noise makes of the TRS."""
    regret, whole = s.regret["1"], s.ranking
    shown = {
        "regret@1": None if regret is None else f"{regret:.1f} %",
        "NDCG": in_decimals(whole.ndcg["all"] if whole else None, 3),
        "Spearman": in_decimals(whole.spearman if whole else None, 3),
        "Kendall": in_decimals(whole.kendall if whole else None, 3),
        "sources that help": None if s.gains.helping is None else f"{100 * s.gains.helping:.0f} %",
    }
    lines = [", ".join(f"{name} {value or 'undefined'}" for name, value in shown.items())]
    if s.resampled and "trs" in s.resampled:
        lines.append(f"the oracle's own noise moves the TRS by {s.resampled['trs']:.2f} (standard deviation)")
    return lines + [f"note: {note}" for note in s.notes]


def _targets(result: Result, width: int | None) -> Any:
    rows = []
    for j, target in enumerate(result.targets):
        estimated = {s for s, row in zip(result.sources, result.similarity, strict=True) if row[j] is not None}
        best = [
            f"{s}{_true_rank(result, s, target)}" if s in estimated else MISSING for s in result.ranking[target][:3]
        ]
        first = "predicted best (true rank)" if result.oracle_ranks else "predicted best"
        row = {"target": target, **dict(zip((first, "2nd", "3rd"), best, strict=False))}
        if t := result.tasks.get(target):
            learned = "yes" if t.learned else "NO"
            row |= {"metric": t.metric, "value": f"{t.value:.3f}", "trivial": f"{t.trivial:.3f}", "learned": learned}
        rows.append(row)
    return table_within(rows, width, ("trivial", "metric", "value", "3rd", "learned", "2nd"), dense=False)[0]


def _true_rank(result: Result, source: str, target: str) -> str:
    rank = (result.oracle_ranks or {}).get(target, {}).get(source)
    return "" if rank is None else f" ({rank:g})"


def _footer(result: Result) -> list[Any]:
    lines: list[Any] = (
        []
        if result.seed_floor is None
        else [f"seed floor {result.seed_floor:.3f}: RDM correlation of a task between seeds"]
    )
    unlearned = [t for t, report in result.tasks.items() if not report.learned]
    if unlearned:
        lines.append(styled("[bold]not learned[/]: {} — their representations say little", ", ".join(unlearned)))
    if q := result.signal_quality:
        channels = next(iter(q.channels.values()), [])
        shown = ", ".join(channels[:8]) + (f" and {len(channels) - 8} more" if len(channels) > 8 else "")
        n_channels = next(iter(q.n_channels.values()), len(channels))
        size = f"{q.sentences} sentences, {q.subjects} subject(s), {n_channels:,} channels"
        if q.subjects:
            lines.append(f"signal: {size}{f' ({shown})' if shown else ''}, unit {q.unit}")
            lines.append(f"  reliability {q.reliability or 'unknown: neither repetitions nor several subjects'}")
        else:
            lines.append(f"stimuli: {q.sentences} sentences without responses, {q.origin}")
        lines += [f"  {note}" for note in q.notes]
    cells = result.provenance.cells
    lines += [f"note: {note}" for note in result.notes]
    return [*lines, f"cells: {in_cells(cells)}; {_in_seconds(result.provenance)}\n"]


def in_cells(cells: CellCounts) -> str:
    """Return in words which units of work were computed for a result, for others of the run too, or stood there."""
    shared = f"{cells.shared} shared, " if cells.shared else ""
    return f"{shared}{cells.computed - cells.shared} computed, {cells.cached} cached"


def _in_seconds(run: Provenance) -> str:
    own = run.estimator_seconds
    alone = "" if own is None else f", the estimator alone {in_time(own)} of the processor"
    return f"the run took {in_time(run.seconds)}{alone}"


def render_demo(results: Demo, page: Path, first: Path) -> str:
    """Return the demonstration as text: one ranking in full, the estimators side by side, the control, what is next.

    Parameters
    ----------
    results : Demo
        The results.
    page : Path
        Where the page with all results was written.
    first : Path
        The file of the first result.
    """
    blocks = []
    if results.real:
        result = results.real[0]
        blocks += [
            printed(
                f"1. Which of {len(result.sources)} real tasks should {result.backbone} learn before each of the "
                f"others? The guess of {result.estimator}, beside the true ranks of transfers that were trained:"
            ),
            render_results([result], "table"),
            render_tables({"2. Several estimators on the same transfers": _demo_rows(results.real)}, "table", []),
        ]
    if results.control:
        title = "3. A control: synthetic tasks. Which tasks share knowledge is planted, and an estimator must find it"
        blocks.append(render_tables({title: _demo_rows(results.control)}, "table", []))
    commands = [
        f"cogbench report {shlex.quote(str(first))}",
        f"cogbench run --pack {results.packs[0].name} --estimator cra --estimator random",
        f"cogbench pack show {results.packs[0].name}",
    ]
    blocks.append(printed(f"4. All results on one page: open {page}"))
    blocks.append("\n".join(["5. Try next:", *(f"   {command}" for command in commands)]))
    return "\n\n".join(blocks)


def _demo_rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    rows = []
    for result in results:
        scores = result.scores
        if scores is None:
            continue
        skill = scores.skill
        rows.append(
            {
                "estimator": result.estimator,
                "TRS (1 is perfect)": f"{scores.trs.value:.2f}",
                "interval": in_range(scores.trs.interval),
                "chance": f"{scores.trs.chance:.2f}",
                "p": in_digits(scores.trs.p.p) if scores.trs.p else "",
                "skill": in_sign(skill.rho) if skill else "",
                "skill p": in_digits(skill.p.p) if skill and skill.p else "",
            }
        )
    return rows
