"""Leaderboards as tables for people, and in a terminal."""

from collections.abc import Sequence
from typing import Any

from .results.leaderboard import Board, Entry, score_names
from .text import in_digits


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
