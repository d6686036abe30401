"""The pages: a leaderboard and the report of a result, each one file that asks for nothing else."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from ..results.leaderboard import LOWER_IS_BETTER, Board, Entry, score_names
from ..results.result import Result
from ..scoring.evaluation import TOP_M
from ..storage.atomic import save_text, writable
from .canvas import Figure, csv_rows, inline, standalone
from .leaderboard import board_notes, score_text
from .sections import headline, sections

TEMPLATES = Path(__file__).with_name("templates")
HELP = {
    "place": "by TRS; shared (=) where the oracle cannot tell the rows apart",
    "TRS": "mean true rank of the predicted best source, 1 is perfect",
    "95 % interval": "of the TRS, by a bootstrap over targets; the bar's scale goes from 1 to the number of sources "
    "that a target can choose from, the upright line is chance",
    "p": "probability that random choices are as good",
    "top-k": f"share of the k predicted best sources that are among the oracle's best {TOP_M}",
    "regret@1": "percent lost against the truly best source",
    "ndcg": "normalised discounted cumulative gain of the whole ranking",
    "spearman": "rank correlation with the oracle's ranking",
    "learned": "tasks that were learned before their representations were used",
    "examples": "training examples a task, at most",
    "trainings": "that the result stands on: its tasks, for each seed",
    "seconds": "of the run that wrote the result; few where trainings stood in the store",
}
TEXTS = ("estimator", "backbone", "signal", "synthetic")


@dataclass(frozen=True)
class Column:
    """A column of a board: what it shows of an entry, and the number that it stands for."""

    name: str
    text: Callable[[Entry], str]
    number: Callable[[Entry], float | None] = lambda entry: None

    def sorted_by(self, entry: Entry) -> str:
        """Return the number that an entry is sorted by, empty where its text says the same."""
        number = self.number(entry)
        exact = "" if number is None else f"{number:.6g}"
        return "" if exact == self.text(entry) else exact


def board_page(found: Sequence[Board], sort: str = "trs") -> str:
    """Return a leaderboard as an HTML page."""
    shown = [_board(board, i, sort) for i, board in enumerate(found, 1)]
    backbones = sorted({e.backbone for board in found for e in board.entries if e.backbone})
    oracles = list(dict.fromkeys(board["oracle"] for board in shown))
    used = {_meant(head["name"]) for board in shown for head in board["heads"]}
    meanings = [(name, told) for name, told in HELP.items() if name in used]
    return _filled(
        "board.html", boards=shown, backbones=backbones, oracles=oracles, notes=board_notes(found), meanings=meanings
    )


def report_page(result: Result) -> str:
    """Return the report of a result as an HTML page."""
    made = sections(result)
    return _filled("report.html", result=result, tiles=headline(result), sections=made, inline=inline)


def save_figures(result: Result, folder: Path) -> list[Path]:
    """Write each figure of a result's report as an SVG and its numbers as csv; return the files."""
    writable(folder)
    files = []
    for figure in (section.figure for section in sections(result) if section.figure):
        for ending, text in (("svg", standalone(figure)), ("csv", _csv(figure))):
            files.append(folder / f"{figure.name}.{ending}")
            save_text(files[-1], text)
    return files


def _csv(figure: Figure) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=[*figure.rows[0]] if figure.rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(csv_rows(figure))
    return out.getvalue()


def _filled(template: str, **values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Long names may be broken after these signs.
    environment.filters["pieces"] = lambda name: re.findall(r"[^\[,=+:/]+[\[,=+:/]*|[\[,=+:/]+", name)
    return environment.get_template(template).render(**values)


def _board(board: Board, number: int, sort: str) -> dict[str, Any]:
    """Return what the template asks of a board: its columns, and a row of texts for each entry."""
    columns = _columns(board)
    rows, last = [], None
    for entry in board.entries:
        new = entry.place is not None and last is not None and entry.place != last
        last = entry.place or last
        cells = [
            (c.name, _drawn(board, entry) if c.name == "95 % interval" else "", c.text(entry), c.sorted_by(entry))
            for c in columns
        ]
        rows.append({"entry": entry, "cells": cells, "new": new and sort == "trs"})
    heads = [
        {
            "name": name,
            "help": HELP.get(_meant(name), ""),
            "text": name in TEXTS,
            "falls": name not in (*TEXTS, *LOWER_IS_BETTER, "TRS", "place", "95 % interval", "seconds", "trainings"),
            "sorted": name.lower() == sort,
        }
        for name in (column.name for column in columns)
    ]
    n = len({*board.sources, *board.targets})
    oracle = board.oracle or "none"
    return {"board": board, "number": number, "heads": heads, "rows": rows, "n_tasks": n, "oracle": oracle}


def _columns(board: Board) -> list[Column]:
    """Return a board's columns. What no row has, or all share, has none."""
    results = [entry for entry in board.entries if entry.kind == "result"]
    scores = score_names(board)
    found = [
        Column("place", lambda e: "" if e.place is None else f"{e.place}{'=' if e.tied else ''}"),
        Column("estimator", lambda e: e.estimator),
    ]
    if "trs" in scores:  # on a narrow screen one sees these without scrolling
        found += [
            _score("TRS", "trs"),
            Column(
                "95 % interval",
                lambda e: "{:.2f} to {:.2f}".format(*e.interval) if e.interval else "",
                lambda e: e.interval[0] if e.interval else None,
            ),
        ]
    found += [Column("backbone", lambda e: e.backbone or ""), Column("signal", lambda e: e.signal or "")]
    found += [_score(name, name) for name in scores if name != "trs"]
    found += [_count(name) for name in ("seeds", "examples") if len({getattr(e, name) for e in results}) > 1]
    found += [
        Column("learned", lambda e: e.learned or ""),
        Column("trainings", lambda e: _text(e.trainings)),
        Column("seconds", lambda e: "" if e.seconds is None else f"{e.seconds:.1f}", lambda e: e.seconds),
        Column("synthetic", lambda e: ", ".join(e.synthetic)),
    ]
    optional = ("signal", "learned", "synthetic")
    return [column for column in found if column.name not in optional or any(map(column.text, results))]


def _score(name: str, key: str) -> Column:
    return Column(name, lambda e: score_text(e, key) or "", lambda e: e.scores.get(key))


def _count(name: str) -> Column:
    """Return a column of what is limited by a number, or not at all."""

    def number(entry: Entry) -> float | None:
        return getattr(entry, name) or (inf if entry.kind == "result" else None)

    return Column(name, lambda e: {None: "", inf: "all"}.get(number(e), _text(number(e))), number)


def _meant(column: str) -> str:
    """Return what HELP calls a column."""
    return "top-k" if column.startswith("top-") else column


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _drawn(board: Board, entry: Entry) -> str:
    """Return the interval as a path of an SVG that is 88 wide and 12 high, and the TRS as a dot in it."""
    trs, chance = entry.scores.get("trs"), board.chance
    if trs is None or chance is None:
        return ""

    def place(value: float) -> str:
        return f"{4 + 80 * (value - 1) / max(board.worst - 1, 1):.1f}".removesuffix(".0")

    low, high = entry.interval or (trs, trs)
    bar = f'<path class=i d="M{place(low)} 6H{place(high)}"/>' if entry.interval else ""
    return f'<path class=c d="M{place(chance)} 0V12"/>{bar}<circle cx={place(trs)} cy=6 r=3.5 />'
