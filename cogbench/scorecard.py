"""A scored guess as tables for people."""

from collections.abc import Iterator
from typing import Any

from .results.guess import Scored
from .text import in_digits

UNDEFINED = "–"


def score_tables(found: Scored) -> dict[str, list[dict[str, Any]]]:
    """Return a table of scores, and one of each target's selected source and its rank in the oracle."""
    s = found.scores
    what = f"{'selection' if found.selections else 'ranking'} {found.name} against oracle {found.oracle}"
    rows = [*_trs(found), *_ranking(found), *_gains(found)]
    picked = [
        {"target": target, "selected": _tied(found.selected[target]), "true rank": f"{rank:g}"}
        for target, rank in s.per_target.items()
    ]
    return {f"{what}, {len(picked)} target tasks": rows, "selected sources": picked}


def score_notes(found: Scored) -> list[str]:
    """Return what a reader of the tables must know."""
    known = ["popularity knows the oracle's data"] if "popularity" in found.baselines else []
    return [*known, *found.notes, *found.scores.notes]


def _trs(found: Scored) -> Iterator[dict[str, Any]]:
    s = found.scores
    yield _row(found, "TRS, 1 is perfect", "trs", s.trs, random=s.trs_chance)
    yield _row(found, "95 % interval over targets", "", "{:.2f} to {:.2f}".format(*s.trs_interval))
    yield _row(found, "p of chance", "", in_digits(s.trs_p))
    yield _row(found, "smallest difference told apart", "", s.trs_resolution)
    for name, trs in found.baselines.items():
        if name != "random":  # it stands beside the TRS
            yield _row(found, f"TRS of {name}", "", trs)


def _ranking(found: Scored) -> Iterator[dict[str, Any]]:
    """Yield what a whole ranking is worth; of a selection, the share of top-1 alone."""
    s = found.scores
    for k, share in s.top_k.items():
        yield _row(found, f"top-{k} in the oracle's top {s.top_m}", f"top-{k}", share, random=s.top_k_chance[k])
    if not found.selections:
        yield _row(found, "rank of the truly best", "rank_of_best", s.rank_of_best, random=s.trs_chance)
        for k, ndcg in s.ndcg.items():
            yield _row(found, f"NDCG@{k}, gain {s.ndcg_gain}", f"ndcg@{k}", ndcg)
        yield _row(found, "Spearman", "spearman", s.spearman)
        yield _row(found, "Kendall", "kendall", s.kendall)


def _gains(found: Scored) -> Iterator[dict[str, Any]]:
    """Yield what the selected sources do for the targets: beside a random source, the best one and none."""
    s = found.scores
    random, best, alone = s.random_mean, s.oracle_best_mean, s.no_transfer_mean
    yield _row(found, "mean metric", "selected_mean", s.selected_mean, digits=3, random=random, best=best, alone=alone)
    random_gain, best_gain = s.random_gain, s.oracle_best_gain
    yield _row(found, "gain on no transfer, %", "selected_gain", s.selected_gain, random=random_gain, best=best_gain)
    yield _row(found, "share that helps", "selected_helping", s.selected_helping, random=s.helping)
    for k, regret in s.regret.items():
        yield _row(found, f"regret@{k}, %", f"regret@{k}", regret)


def _row(
    found: Scored,
    name: str,
    key: str,
    value: float | str | None,
    *,
    digits: int = 2,
    random: float | None = None,
    best: float | None = None,
    alone: float | None = None,
) -> dict[str, Any]:
    """Return a line of the table; `key` is what `Scores.resampled` calls it."""
    cells = {"value": value, "random": random, "oracle best": best, "no transfer": alone}
    again = found.scores.resampled
    if again is not None:
        cells["resampled oracles"], cells["sd"] = again.get(key, (None, None))
    shown = {k: f"{v:.{digits}f}" if isinstance(v, float) else v for k, v in cells.items()}
    return {"score": name, **shown, "value": UNDEFINED if value is None or value != value else shown["value"]}


def _tied(sources: list[str]) -> str:
    return " or ".join(sources) if len(sources) < 4 else f"any of {len(sources)} that tie"
