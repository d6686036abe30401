"""Results as people and machines read them: tables for a terminal, markdown, LaTeX, csv, JSON."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .evaluation import Scores
from .result import Result
from .taxonomy import Node

FORMATS = ("table", "json", "markdown", "latex", "csv")
# Columns that may wrap; all others are names and numbers, which one wants whole.
PROSE = frozenset(
    ("about", "details", "parts", "error", "check", "licence", "found", "trouble")
    + ("predicted best (true rank)", "2nd", "3rd")
)


def render(results: Sequence[Result], form: str) -> str:
    """Return results in one of `FORMATS`; json is always a list."""
    if form == "json":
        return json.dumps([r.plain() for r in results], indent=1)
    if form == "table":
        return "\n".join(_card(r) for r in results)
    return grid(_summary(results), form)


def grid(rows: Sequence[dict[str, Any]], form: str) -> str:
    """Return rows of like keys as a table in one of `FORMATS`."""
    if form == "json":
        return json.dumps(rows, indent=1)
    if form == "csv":
        out = io.StringIO()
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(out, fieldnames=names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().rstrip("\n")
    if form == "table":
        return _rich(_table([*rows[0]] if rows else [], ([_text(v) for v in row.values()] for row in rows)))
    from tabulate import tabulate

    shown = [{k: _text(v) for k, v in row.items()} for row in rows]
    return tabulate(
        shown, headers="keys", tablefmt="github" if form == "markdown" else "latex_booktabs", disable_numparse=True
    )


def render_tables(named: Mapping[str, Sequence[dict[str, Any]]], form: str, notes: Sequence[str]) -> str:
    """Return titled tables and the notes under them; csv is one table whose first column has the titles.

    For a terminal they are as wide as they need to be: a figure that is cut misleads.
    """
    if form == "csv":
        return grid([{"table": title, **row} for title, rows in named.items() for row in rows], form)
    if form == "table":
        blocks = [(f"[bold]{_escape(title)}[/]", _figures(rows)) for title, rows in named.items()]
        return _rich(*(part for block in blocks for part in block), *map(_escape, notes), wide=True)
    title_of, note_of = ("**{}**\n", "- {}") if form == "markdown" else ("% {}", "% {}")
    parts = [f"{title_of.format(title)}\n{grid(rows, form)}" for title, rows in named.items()]
    told = ["\n".join(note_of.format(note) for note in notes)] if notes else []
    return "\n\n".join([*parts, *told])


def drawn(root: Node) -> str:
    """Return a taxonomy as a tree: tasks are its leaves, a fork has the height at which they meet."""
    from rich.tree import Tree

    def grow(node: Node) -> Tree:
        branch = Tree(f"{node.height:.4g}" if node.children else f"[bold]{_escape(node.tasks[0])}[/]")
        branch.children += map(grow, node.children)
        return branch

    return _rich(grow(root))


def in_words(n_bytes: int) -> str:
    """Return a number of bytes as people write it: `3.4 MiB`."""
    power = min((max(n_bytes, 1).bit_length() - 1) // 10, 4)
    return f"{n_bytes / 1024**power:.1f} {'KMGT'[power - 1]}iB" if power else f"{n_bytes} B"


def _summary(results: Iterable[Result]) -> list[dict[str, Any]]:
    return [
        {
            "estimator": r.estimator,
            "backbone": r.backbone,
            "signal": r.signal or "",
            "oracle": r.oracle.name if r.oracle else "",
            "trs": _round(r.scores.trs) if r.scores else None,
            "interval": "{:.2f} to {:.2f}".format(*r.scores.trs_interval) if r.scores else "",
            "chance": _round(r.scores.trs_chance) if r.scores else None,
            "p": _round(r.scores.trs_p, 3) if r.scores else None,
            **{f"top-{k}": _round(v) for k, v in (r.scores.top_k.items() if r.scores else ())},
            "selected": _round(r.scores.selected_mean, 3) if r.scores else None,
            "synthetic": ", ".join(r.synthetic),
            "knows transfers": "yes" if r.uses_oracle else "",
            "learned": f"{sum(t.learned for t in r.tasks.values())}/{len(r.tasks)}",
        }
        for r in results
    ]


def _card(result: Result) -> str:
    """Return one result for the terminal: a headline, the scores, and the target tasks one by one."""
    title = (
        f"[bold]{_escape(result.estimator)}[/] on [bold]{_escape(result.backbone)}[/], suite {_escape(result.suite)}"
    )
    title += f", signal {_escape(result.signal)}" if result.signal else ""
    made = [f"[bold]synthetic {' and '.join(result.synthetic)}[/]: made by a generator"] if result.synthetic else []
    lines = [title, *made, *_score_lines(result)]
    return _rich(*lines, _targets(result), *_footer(result))


def _score_lines(result: Result) -> list[str]:
    s, oracle = result.scores, result.oracle
    if s is None or oracle is None:
        return ["unscored: no oracle is known for this; `cogbench run … --oracle measured` measures one."]
    low, high = s.trs_interval
    tops = ", ".join(f"top-{k} {v:.2f} (chance {s.top_k_chance[k]:.2f})" for k, v in s.top_k.items())
    alone = "unknown" if s.no_transfer_mean is None else f"{s.no_transfer_mean:.3f}"
    return [
        f"oracle {_escape(oracle.name)} ({oracle.kind}, {_escape(oracle.backbone)})",
        f"TRS [bold]{s.trs:.2f}[/] \\[{low:.2f}, {high:.2f}], 1 is perfect; chance {s.trs_chance:.2f}, p {s.trs_p:.3f}",
        *(["[bold]knows transfers[/]: compare it with popularity, not with estimators of models"] * result.uses_oracle),
        f"baselines: {', '.join(f'{name} {trs:.2f}' for name, trs in result.baselines.items())}; "
        f"differences below {s.trs_resolution:.2f} are within chance",
        f"in the oracle's top {s.top_m}: {tops}",
        f"mean metric: selected {s.selected_mean:.3f}, oracle best {s.oracle_best_mean:.3f}, "
        f"random {s.random_mean:.3f}, no transfer {alone}",
        *_further(s),
    ]


def _further(s: Scores) -> list[str]:
    """Return the scores of the whole ranking, and what the oracle's noise makes of the TRS."""
    regret = s.regret["1"]
    shown = {
        "regret@1": None if regret is None else f"{regret:.1f} %",
        "NDCG": _three(s.ndcg["all"]),
        "Spearman": _three(s.spearman),
        "Kendall": _three(s.kendall),
        "sources that help": None if s.helping is None else f"{100 * s.helping:.0f} %",
    }
    lines = [", ".join(f"{name} {value or 'undefined'}" for name, value in shown.items())]
    if s.resampled and "trs" in s.resampled:
        mean, spread = s.resampled["trs"]
        lines.append(f"TRS over resampled oracles {mean:.2f} ± {spread:.2f}")
    return lines + [f"note: {_escape(note)}" for note in s.notes]


def _three(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _targets(result: Result) -> Any:
    head = ["target", "predicted best (true rank)", "2nd", "3rd"]
    head += ["metric", "value", "trivial", "learned"] if result.tasks else []
    rows = []
    for target in result.targets:
        best = [f"{s}{_true_rank(result, s, target)}" for s in result.ranking[target][:3]]
        row = [target, *best, *[""] * (3 - len(best))]
        if t := result.tasks.get(target):
            row += [t.metric, f"{t.value:.3f}", f"{t.trivial:.3f}", "yes" if t.learned else "NO"]
        elif result.tasks:
            row += ["", "", "", ""]
        rows.append(row)
    return _table(head, rows)


def _true_rank(result: Result, source: str, target: str) -> str:
    return f" ({result.oracle_ranks[target][source]:g})" if result.oracle_ranks else ""


def _footer(result: Result) -> list[str]:
    lines = (
        []
        if result.seed_floor is None
        else [f"seed floor {result.seed_floor:.3f}: RDM correlation of a task between seeds"]
    )
    unlearned = [t for t, report in result.tasks.items() if not report.learned]
    if unlearned:
        lines.append(f"[bold]not learned[/]: {', '.join(unlearned)} — their representations say little")
    if q := result.signal_quality:
        channels = next(iter(q.channels.values()), [])
        shown = ", ".join(channels[:8]) + (f" and {len(channels) - 8} more" if len(channels) > 8 else "")
        size = f"{q.sentences} sentences, {q.subjects} subject(s), {len(channels)} channels"
        lines.append(f"signal: {size} ({_escape(shown)}), unit {_escape(q.unit)}")
        lines += [f"  {_escape(note)}" for note in q.notes]
    cells = result.provenance.cells
    lines += [f"note: {_escape(note)}" for note in result.notes]
    return [*lines, f"cells: {cells.computed} computed, {cells.cached} cached; {result.provenance.seconds:.1f} s\n"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in head:
        table.add_column(name, no_wrap=name not in PROSE, overflow="fold")
    for row in rows:
        table.add_row(*map(_escape, row))
    return table


def _figures(rows: Sequence[dict[str, Any]]) -> Any:
    table = _table([*rows[0]] if rows else [], ([_text(v) for v in row.values()] for row in rows))
    table.padding = (0, 1, 0, 0)
    return table


def _rich(*lines: Any, wide: bool = False) -> str:
    """Render for stdout: colours only on a terminal, and as wide as that is, or as what is written if `wide`."""
    import sys

    from rich.console import Console

    out = io.StringIO()
    terminal = sys.stdout.isatty()
    console = Console(
        file=out, force_terminal=terminal, width=1000 if wide else None if terminal else 120, highlight=False
    )
    for line in lines:
        console.print(line, soft_wrap=isinstance(line, str) and not terminal)
    return out.getvalue().rstrip("\n")


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _round(value: float, digits: int = 2) -> float:
    return round(value, digits)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
