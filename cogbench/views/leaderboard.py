"""Leaderboards as tables for people, and in a terminal."""

import sys
from collections.abc import Sequence
from typing import Any

from ..results.leaderboard import Board, Entry, score_names
from ..text import in_digits
from .terminal import Bar, columns, escaped, printed, table_within

SCALE = "1 to worst"
# Columns of a leaderboard that a narrow terminal goes without, the first ones first.
SPARE = (
    *("synthetic", "examples", "seeds", "seconds", "trainings", "spearman", "ndcg", "regret@1", "top-5", "top-4"),
    *("learned", "top-3", "p", "interval", "signal", "backbone", SCALE),
)
WHOSE = ("signal", "backbone", "seeds", "examples", "synthetic")  # with the estimator, what a row is of


def board_tables(found: Sequence[Board]) -> dict[str, list[dict[str, Any]]]:
    """Return the boards as titled tables for people."""
    named = {}
    for i, board in enumerate(found, 1):
        n = len({*board.sources, *board.targets})
        title = f"{i}. suite {board.suite}, {n} tasks, oracle {board.oracle or 'none: not scored'}"
        if board.differs:
            title += f"; unlike table {board.unlike}: {', '.join(board.differs)}"
        synthetic = any(entry.synthetic for entry in board.entries)
        named[title] = [_row(entry, score_names(board), synthetic) for entry in board.entries]
    return named


def score_text(entry: Entry, name: str) -> str | None:
    """Return a score with the digits that mean something, None where it is not known."""
    value = entry.scores.get(name)
    if value is None:
        return None
    return in_digits(value) if name == "p" else f"{value:.2f}"


def _row(entry: Entry, names: Sequence[str], synthetic: bool) -> dict[str, Any]:
    def shown(name: str) -> str | None:
        unknown = None if entry.kind == "baseline" else "–"
        return score_text(entry, name) or unknown

    scores = {name: shown(name) for name in names}
    interval = {"interval": "{:.2f} to {:.2f}".format(*entry.interval) if entry.interval else None}
    return {
        "place": entry.place,
        "estimator": f"{entry.estimator}{'†' if entry.uses_oracle else ''}"
        + (" (baseline)" if entry.kind == "baseline" else ""),
        "backbone": entry.backbone,
        "signal": entry.signal,
        **({"trs": scores.pop("trs"), **interval, **scores} if names else {}),
        "learned": entry.learned,
        "seeds": entry.seeds,
        "examples": entry.examples,
        "trainings": entry.trainings,
        "seconds": None if entry.seconds is None else f"{entry.seconds:.1f}",
        **({"synthetic": ", ".join(entry.synthetic)} if synthetic else {}),
    }


def board_notes(found: Sequence[Board]) -> list[str]:
    """Return what a reader of the tables must know."""
    apart = [f"{b.resolution:.2f} in table {i}" for i, b in enumerate(found, 1) if b.resolution is not None]
    told = []
    if apart:
        told.append(
            "places go by TRS; rows share one if they lie nearer to its first than what the oracle tells apart: "
            + ", ".join(apart)
        )
    drawn = [
        f"{board.chance:.2f} in table {i}"
        for i, board in enumerate(found, 1)
        if board.chance is not None and not any(e.kind == "baseline" and e.estimator == "random" for e in board.entries)
    ]
    if drawn:
        told.append(f"random is one draw; the mean of all draws has TRS {', '.join(drawn)}")
    if any(entry.uses_oracle for board in found for entry in board.entries):
        told.append("† knows the data of the oracle that scores it: it has no place, compare it with popularity")
    if any(entry.synthetic for board in found for entry in board.entries):
        told.append("synthetic: made by a generator")
    return told


def render_leaderboard(found: Sequence[Board], width: int | None = None) -> str:
    """Return a leaderboard for the terminal: each row's TRS with its interval as a bar, chance marked.

    A narrow terminal gets fewer columns, and a line that names those left out: none by which rows are told apart.
    """
    parts: list[Any] = []
    scale = ""
    for board, (title, rows) in zip(found, board_tables(found).items(), strict=True):
        results = [row for row, entry in zip(rows, board.entries, strict=True) if entry.kind == "result"]
        apart = {name for name in WHOSE if len({row.get(name) for row in results}) > 1}
        same = [name for name in ("seeds", "examples") if name not in apart]
        same += [name for name in rows[0] if not any(row[name] for row in rows)]
        drawn = [
            _with_bar(board, entry, {name: value for name, value in row.items() if name not in same}, columns(width))
            for row, entry in zip(rows, board.entries, strict=True)
        ]
        shown, gone = table_within(drawn, width, [name for name in SPARE if name not in apart])
        parts += [f"[bold]{escaped(title)}[/]", shown]
        parts += [f"left out for want of width: {', '.join(gone)}; --format csv has all"] * bool(gone)
        if board.chance is not None and SCALE not in gone:
            scale = f"{SCALE}: ● the TRS, ━ its 95 % interval, ┆ chance"
    wide = width is None and not sys.stdout.isatty()
    return printed(*parts, *map(escaped, filter(None, [*board_notes(found), scale])), width=width, wide=wide)


def _with_bar(board: Board, entry: Entry, row: dict[str, Any], room: int) -> dict[str, Any]:
    """Return a row of a leaderboard with a bar after its TRS."""
    trs = entry.scores.get("trs")
    if trs is None:
        return row
    ends = (1.0, float(board.worst))
    bar = Bar(trs, *(entry.interval or (trs, trs)), ends, board.chance, 22 if room > 80 else len(SCALE))
    items = [*row.items()]
    after = [*row].index("trs") + 1
    return dict([*items[:after], (SCALE, bar), *items[after:]])
