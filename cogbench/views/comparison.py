"""What `compare` finds, as tables and notes for people: of results, and of oracles."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..oracles.comparison import OracleComparison
from ..oracles.gains import SourceGain, TargetGains
from ..oracles.ways import WayDifference
from ..results.comparison import Choice, Comparison, Contest
from ..scoring.scores import TOP_M
from ..text import MISSING, in_decimals, in_digits, in_range, in_sign
from .rows import tied


def comparison_tables(comparison: Comparison) -> dict[str, list[dict[str, Any]]]:
    """Return the comparison as titled tables for people; empty ones are left out."""

    def shown(value: float | None) -> str:
        return in_decimals(value, 3, MISSING)

    pairs: list[dict[str, Any]] = [
        {
            "first": a.first,
            "second": a.second,
            "cells": a.cells,
            "Pearson": shown(a.pearson),
            "Spearman": shown(a.spearman),
            "Spearman by target": shown(a.by_target),
        }
        for a in comparison.agreements
    ]
    seeds: list[dict[str, Any]] = [
        {
            "result": s.result,
            "over": f"{s.count} {s.over}",
            "Pearson of matrices": shown(s.pearson),
            "Spearman": shown(s.spearman),
            "Kendall's W": shown(s.kendall_w),
            "same best": shown(s.same_best),
        }
        for s in comparison.steadiness
    ]
    oracles = [
        {
            "ranking": a.ranking,
            "oracle": f"{a.oracle} (own)" if a.own else a.oracle,
            "TRS": shown(a.trs),
            "TRS chance": shown(a.trs_chance),
            "p": in_digits(a.trs_p.p) if a.trs_p else MISSING,
            **{f"top-{k}": shown(v) for k, v in a.top_k.items()},
            "top-k chance": shown(a.top_k_chance),
        }
        for a in comparison.against
    ]
    top_m = comparison.against[0].top_m if comparison.against else TOP_M
    contests = {
        f"{c.first} (1) against {c.second} (2) on {c.oracle}": [*_choice_rows(c), _difference_row(c)]
        for c in comparison.contests[: 1 if len(comparison.contests) == 1 else 0]
    }
    named = contests | {
        "Differences over the same targets; negative: the first is better": [*map(_contest_row, comparison.contests)],
        "Similarity matrices off the diagonal": pairs,
        "Within each result": seeds,
        f"Rankings against each oracle, top-k in its top {top_m}": oracles,
    }
    return {title: rows for title, rows in named.items() if rows}


def oracle_comparison_tables(comparison: OracleComparison) -> dict[str, list[dict[str, Any]]]:
    """Return what oracles gain by numbers of examples, and how far two of them agree; empty tables are left out."""
    pairs: list[dict[str, Any]] = [
        {
            "first": pair.first,
            "second": pair.second,
            "cells": pair.cells,
            "Pearson": in_decimals(pair.pearson, 3, MISSING),
            "Spearman": in_decimals(pair.spearman, 3, MISSING),
            "Spearman by target": in_decimals(pair.by_target, 3, MISSING),
            "skill": in_sign(pair.skill, 3, MISSING),
            "p of the skill": in_digits(pair.skill_p.p) if pair.skill_p else MISSING,
            "TRS of the first's best": in_decimals(pair.trs, 2, MISSING),
            "TRS chance": in_decimals(pair.trs_chance, 2, MISSING),
        }
        for pair in comparison.pairs
    ]
    ways = {
        f"{one.second} ({one.ways[1]}) less {one.first} ({one.ways[0]})": [
            _way_row(way) for way in comparison.ways if (way.first, way.second) == (one.first, one.second)
        ]
        for one in comparison.ways
    }
    named = ways | {
        "Gain over no transfer ± standard error": [*map(_gains_row, comparison.gains)],
        "How far two oracles agree; the first as a guess at the second": pairs,
    }
    return {title: rows for title, rows in named.items() if rows}


def _gains_row(gains: TargetGains) -> dict[str, Any]:
    def shown(gain: SourceGain) -> str:
        return f"{gain.gain:+.3f} ± {gain.error:.3f}"

    sizes = [MISSING if size is None else size for size in (gains.max_train, gains.max_train_target)]
    return {
        "target": gains.target,
        "source examples": sizes[0],
        "target examples": sizes[1],
        "no transfer": f"{gains.no_transfer:.3f}",
        "best source": f"{gains.best.source} {shown(gains.best)}",
        "pays": f"{'yes' if gains.pays else 'no'}, p {in_digits(gains.p)}",
        "mean of sources": shown(gains.mean),
        "best of the size beside": MISSING if gains.chosen is None else f"{gains.chosen.source} {shown(gains.chosen)}",
    }


def _way_row(way: WayDifference) -> dict[str, Any]:
    return {
        "target": way.target,
        "pairs": way.n_sources,
        "mean difference": f"{way.difference:+.3f} ± {way.error:.3f}",
        "better by two errors": way.better,
        "worse by two errors": way.worse,
        "p": in_digits(way.p.p) if way.p else MISSING,
    }


def oracle_comparison_notes(comparison: OracleComparison) -> list[str]:
    """Return from which number of target examples on transfer stops paying, and what a reader must know."""
    lines = [sizes.sentence.rstrip(".") for sizes in comparison.sizes]
    if comparison.sizes:
        counts = Counter(
            size for sizes in comparison.sizes for size, pays in zip(sizes.sizes, sizes.pays, strict=True) if pays
        )
        every = dict.fromkeys(size for sizes in comparison.sizes for size in sizes.sizes)
        words = [f"{counts[size]} at {'all' if size is None else f'{size:,}'}" for size in every]
        lines.append(f"of {len(comparison.sizes)} targets transfer pays for {', '.join(words)} target examples")
    return [*lines, *comparison.notes]


def _contest_row(contest: Contest) -> dict[str, Any]:
    trs = contest.trs
    return {
        "first": contest.first,
        "second": contest.second,
        "difference of TRS": in_sign(trs.difference),
        "95 % interval": in_range(trs.interval),
        "p of sign flips": in_digits(trs.sign_flips.p),
        "p of relabelling": in_digits(trs.relabelled.p),
        "p, the larger, corrected": in_digits(contest.p),
        "told apart": "yes" if contest.told_apart else "not told apart",
        "seen with 80 % power": in_decimals(trs.detectable, missing=MISSING),
        "difference of regret, %": in_sign(contest.regret, 1, MISSING),
        "p of its sign flips": in_digits(contest.regret_p.p) if contest.regret_p else MISSING,
    }


def _choice_rows(contest: Contest) -> Iterator[dict[str, Any]]:
    """Yield for each target the sources that two results choose, and what the choices are worth."""
    for target, (one, other) in contest.choices.items():
        yield {
            "target": target,
            **_choice_cells(one, "1"),
            **_choice_cells(other, "2"),
            "difference of ranks": f"{one.rank - other.rank:+g}",
        }


def _choice_cells(choice: Choice, mark: str) -> dict[str, str]:
    return {
        f"source {mark}": tied(list(choice.sources)),
        f"true rank {mark}": f"{choice.rank:g}",
        f"metric {mark}": in_decimals(choice.metric, 3, MISSING),
        f"gain {mark}": in_sign(choice.gain, 3, MISSING),
    }


def _difference_row(contest: Contest) -> dict[str, Any]:
    ranks = [[choices[i].rank for choices in contest.choices.values()] for i in (0, 1)]
    means = {
        f"true rank {mark}": f"{np.mean(ranks_of_one):.2f}" for mark, ranks_of_one in zip("12", ranks, strict=True)
    }
    empty = dict.fromkeys(next(_choice_rows(contest)), "")
    return {**empty, "target": "mean", **means, "difference of ranks": in_sign(contest.trs.difference)}
