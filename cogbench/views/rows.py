"""Rows for people: what results, oracles, guesses and recommendations say, as tables and notes."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle
from ..data.oracle_files import _number, plain_oracle
from ..data.oracle_seeds import told_apart
from ..oracles.comparison import OracleComparison
from ..oracles.gains import SourceGain, TargetGains
from ..results.comparison import Choice, Comparison, Contest
from ..results.guess import Scored
from ..runs.recommend import Recommendation
from ..scoring.chance import PValue
from ..scoring.evaluation import TOP_M
from ..scoring.ranking import true_ranking
from ..text import MISSING, in_decimals, in_digits, in_range, in_sign
from .terminal import columns_within


def oracle_tables(oracle: Oracle, room: int) -> dict[str, list[dict[str, Any]]]:
    """Return an oracle as titled tables for people: one if it fits a width, else a table for some targets each."""
    rows, n_targets = oracle_rows(oracle), len(oracle.transfers.targets)
    groups = columns_within(rows, room)
    if len(groups) == 1:
        return {oracle.name: rows}
    tables, last = dict[str, list[dict[str, Any]]](), 0
    for names in groups:
        begin, last = last + 1, last + len(names) - 1
        title = f"{oracle.name}, targets {begin} to {last} of {n_targets}"
        tables[title] = [{name: row.get(name) for name in names} for row in rows]
    return tables


def oracle_rows(oracle: Oracle) -> list[dict[str, Any]]:
    """Return an oracle as rows for people: scores with ranks, `=` where the evaluation tells no difference to the best.

    Below stand the targets without a source, the spread of the sources, the evaluation's standard error, and the share
    of pairs of sources that it tells apart.
    """
    matrix, ranks, apart = oracle.transfers, true_ranking(oracle).ranks, told_apart(oracle)
    noisy = oracle.evaluation_error is not None or oracle.standard_error is not None
    digits = 2 if np.nanmax(np.abs(matrix.values)) > 1 else 3

    alike = np.zeros(matrix.values.shape, bool)  # with the best source: those that noise does not tell from it
    for j in range(len(matrix.targets)) if noisy else ():
        best = int(np.nanargmin(ranks[:, j]))
        alike[:, j] = ~apart[best, :, j] & ~matrix.same[:, j]
        alike[best, j] = alike[:, j].sum() > 1

    def cell(i: int, j: int) -> str:
        value = matrix.values[i, j]
        if np.isnan(value):
            return ""
        return f"{value:.{digits}f} ({ranks[i, j]:g}){' =' if alike[i, j] else ''}"

    def line(name: str, values: Array) -> dict[str, Any]:
        shown = ["" if np.isnan(v) else f"{v:.{digits}f}" for v in values]
        return {"source": name, **dict(zip(matrix.targets, shown, strict=True))}

    columns = range(len(matrix.targets))
    rows = [{"source": s, **{matrix.targets[j]: cell(i, j) for j in columns}} for i, s in enumerate(matrix.sources)]
    if oracle.no_transfer is not None:
        rows.append(line("no transfer", oracle.no_transfer))
    columns_of_scores = (column[np.isfinite(column)] for column in matrix.values.T)
    rows.append(line("spread (sd)", np.array([np.std(c, ddof=1) if len(c) > 1 else np.nan for c in columns_of_scores])))
    if oracle.evaluation_error is not None:
        rows.append(
            line("evaluation error", np.nanmean(np.where(matrix.same, np.nan, oracle.evaluation_error), axis=0))
        )
    if noisy:
        one, other = np.triu_indices(len(matrix.sources), 1)
        both = ~matrix.same[one] & ~matrix.same[other]  # (n_pairs, n_targets)
        rows.append(line("pairs told apart", (apart[one, other] & both).sum(axis=0) / both.sum(axis=0)))
    return rows


def oracle_notes(oracle: Oracle) -> list[str]:
    """Return what a reader of the table must know: where it is from, and what its signs mean."""
    seeds = f"; seeds {', '.join(map(str, oracle.seeds))}" if oracle.seeds else ""
    lines = [f"{oracle.basis}, backbone {oracle.backbone}, suite {oracle.suite}{seeds}: {oracle.origin}"]
    lines += [oracle.note] if oracle.note else []
    if lower := [target for target, which in oracle.better.items() if which == "lower"]:
        lines.append(f"lower figures are better for {', '.join(lower)}")
    for unit in dict.fromkeys(oracle.units.values()):
        targets = [target for target in oracle.transfers.targets if oracle.units.get(target) == unit]
        lines.append(f"unit {unit}: {', '.join(targets)}")
    lines += [f"source {source} is the set of {', '.join(tasks)}" for source, tasks in oracle.groups.items()]
    if oracle.evaluation_error is None and oracle.standard_error is None:
        return [*lines, "nothing is known of its noise"]
    return [*lines, "= the noise tells no difference to the best source; pairs told apart: by two standard errors"]


def oracle_in_full(oracle: Oracle) -> dict[str, Any]:
    """Return an oracle as plain values for machines, with its ranks and the sources that noise does not tell apart."""
    matrix, ranks, apart = oracle.transfers, true_ranking(oracle).ranks, told_apart(oracle)
    names, alike = matrix.sources, dict[str, list[tuple[str, str]]]()
    for j, target in enumerate(matrix.targets):
        there = np.flatnonzero(np.isfinite(matrix.values[:, j]))
        alike[target] = [(names[a], names[b]) for a, b in combinations(there, 2) if not apart[a, b, j]]
    return {**plain_oracle(oracle), "ranks": [[_number(v) for v in row] for row in ranks], "not_told_apart": alike}


def comparison_tables(found: Comparison) -> dict[str, list[dict[str, Any]]]:
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
        for a in found.agreements
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
        for s in found.steadiness
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
        for a in found.against
    ]
    top_m = found.against[0].top_m if found.against else TOP_M
    contests = {
        f"{c.first} (1) against {c.second} (2) on {c.oracle}": [*_choice_rows(c), _difference_row(c)]
        for c in found.contests[: 1 if len(found.contests) == 1 else 0]
    }
    named = contests | {
        "Differences over the same targets; negative: the first is better": [*map(_contest_row, found.contests)],
        "Similarity matrices off the diagonal": pairs,
        "Within each result": seeds,
        f"Rankings against each oracle, top-k in its top {top_m}": oracles,
    }
    return {title: rows for title, rows in named.items() if rows}


def oracle_comparison_tables(found: OracleComparison) -> dict[str, list[dict[str, Any]]]:
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
        for pair in found.pairs
    ]
    named = {
        "Gain over no transfer ± standard error": [*map(_gains_row, found.gains)],
        "How far two oracles agree; the first as a guess at the second": pairs,
    }
    return {title: rows for title, rows in named.items() if rows}


def _gains_row(of: TargetGains) -> dict[str, Any]:
    def shown(gain: SourceGain) -> str:
        return f"{gain.gain:+.3f} ± {gain.error:.3f}"

    sizes = [MISSING if size is None else size for size in (of.max_train, of.max_train_target)]
    return {
        "target": of.target,
        "source examples": sizes[0],
        "target examples": sizes[1],
        "no transfer": f"{of.no_transfer:.3f}",
        "best source": f"{of.best.source} {shown(of.best)}",
        "pays": f"{'yes' if of.pays else 'no'}, p {in_digits(of.p)}",
        "mean of sources": shown(of.mean),
        "best of the size beside": MISSING if of.chosen is None else f"{of.chosen.source} {shown(of.chosen)}",
    }


def oracle_comparison_notes(found: OracleComparison) -> list[str]:
    """Return from which number of target examples on transfer stops paying, and what a reader must know."""
    lines = [sizes.sentence.rstrip(".") for sizes in found.sizes]
    if found.sizes:
        counts = Counter(size for of in found.sizes for size, pays in zip(of.sizes, of.pays, strict=True) if pays)
        every = dict.fromkeys(size for of in found.sizes for size in of.sizes)
        words = [f"{counts[size]} at {'all' if size is None else f'{size:,}'}" for size in every]
        lines.append(f"of {len(found.sizes)} targets transfer pays for {', '.join(words)} target examples")
    return [*lines, *found.notes]


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
        f"source {mark}": _tied(list(choice.sources)),
        f"true rank {mark}": f"{choice.rank:g}",
        f"metric {mark}": in_decimals(choice.metric, 3, MISSING),
        f"gain {mark}": in_sign(choice.gain, 3, MISSING),
    }


def _difference_row(contest: Contest) -> dict[str, Any]:
    ranks = [[choices[i].rank for choices in contest.choices.values()] for i in (0, 1)]
    means = {f"true rank {mark}": f"{np.mean(of):.2f}" for mark, of in zip("12", ranks, strict=True)}
    empty = dict.fromkeys(next(_choice_rows(contest)), "")
    return {**empty, "target": "mean", **means, "difference of ranks": in_sign(contest.trs.difference)}


def recommendation_title(found: Recommendation) -> str:
    """Return what a recommendation is of, in a line."""
    ranked = f"what to train first for {found.target} ({found.kind}), by {found.estimator} on {found.backbone}"
    rest = f"; not trained, so not ranked: {', '.join(found.untrained)}" if found.untrained else ""
    return ranked + (f", stimuli of {found.signal}" if found.signal else "") + rest


def recommendation_rows(found: Recommendation) -> list[dict[str, Any]]:
    """Return a recommendation as rows for people."""
    rows: list[dict[str, Any]] = [
        {"": MISSING, "source": name, "similarity": "no estimate"}
        if (s := found.similarity[name]) is None
        else {"": i, "source": name, "similarity": f"{s:.4f}"}
        for i, name in enumerate(found.ranking, 1)
    ]
    for row, gain in zip(rows, found.gains, strict=False):
        sure = "" if abs(gain.gain) > 2 * gain.standard_error else ", within noise"
        row |= {
            gain.metric: f"{gain.value:.3f}",
            "no transfer": f"{gain.no_transfer:.3f}",
            "gain": f"{gain.gain:+.3f} ± {gain.standard_error:.3f}{sure}",
        }
    return rows


def score_tables(found: Scored) -> dict[str, list[dict[str, Any]]]:
    """Return a table of scores, and one of each target's selected source and its rank in the oracle."""
    s = found.scores
    what = f"{'selection' if found.selections else 'ranking'} {found.name} against oracle {found.oracle}"
    rows = [*_trs_rows(found), *_ranking_rows(found), *_gain_rows(found)]
    picked = [
        {
            "target": target,
            "selected": _tied(found.selected[target]),
            "true rank": f"{of.rank:g}",
            "metric": in_decimals(of.selected, 3, MISSING),
            "best": in_decimals(of.best, 3, MISSING),
            "no transfer": in_decimals(of.no_transfer, 3, MISSING),
        }
        for target, of in s.per_target.items()
    ]
    return {f"{what}, {len(picked)} target tasks": rows, "selected sources": picked}


def score_notes(found: Scored) -> list[str]:
    """Return what a reader of the tables must know."""
    known = ["popularity knows the oracle's data"] if "popularity" in found.baselines else []
    return [*known, *found.notes, *found.scores.notes]


def _trs_rows(found: Scored) -> Iterator[dict[str, Any]]:
    s = found.scores
    yield _line(found, "TRS, 1 is perfect", "trs", s.trs, random=s.trs_chance)
    yield _line(found, "95 % interval over targets", "", in_range(s.trs_interval))
    yield _line(found, f"p, {p_words(s.trs_p)}", "", in_digits(s.trs_p.p) if s.trs_p else None)
    yield _line(found, "p of independent choices", "", in_digits(s.trs_p_independent))
    for name, trs in found.baselines.items():
        if name != "random":  # it stands beside the TRS
            yield _line(found, f"TRS of {name}", "", trs)
    if s.skill is None:
        return
    yield _line(found, "skill beyond source and target effects, rho", "", s.skill.rho, random=0.0)
    yield _line(found, "p of the skill", "", in_digits(s.skill.p.p) if s.skill.p else None)
    yield _line(found, "TRS beyond source and target effects", "", s.skill.trs, random=s.trs_chance)
    if (gap := s.skill.popularity) is not None:
        yield _line(found, "TRS less popularity's", "", f"{in_sign(gap.difference)} ({in_range(gap.interval)})")
        yield _line(found, "p of that difference", "", in_digits(gap.p))


def p_words(p: PValue | None) -> str:
    """Return how a p-value was computed, in words."""
    if p is None:
        return "unknown to this older schema"
    return f"{'all' if p.exact else 'of'} {p.draws:,} relabellings"


def _ranking_rows(found: Scored) -> Iterator[dict[str, Any]]:
    """Yield what a whole ranking is worth; of a selection, the share of top-1 alone."""
    s = found.scores
    for k, share in s.top_k.items():
        yield _line(found, f"top-{k} in the oracle's top {s.top_m}", f"top-{k}", share, random=s.top_k_chance[k])
    if not found.selections:
        yield _line(found, "rank of the truly best", "rank_of_best", s.rank_of_best, random=s.trs_chance)
        for k, ndcg in s.ndcg.items():
            yield _line(found, f"NDCG@{k}, gain {s.ndcg_gain}", f"ndcg@{k}", ndcg)
        yield _line(found, "Spearman", "spearman", s.spearman)
        yield _line(found, "Kendall", "kendall", s.kendall)


def _gain_rows(found: Scored) -> Iterator[dict[str, Any]]:
    """Yield what the selected sources do for the targets: beside a random source, the best one and none."""
    s = found.scores
    random, best, alone = s.random_mean, s.oracle_best_mean, s.no_transfer_mean
    yield _line(found, "mean metric", "selected_mean", s.selected_mean, digits=3, random=random, best=best, alone=alone)
    random_gain, best_gain = s.random_gain, s.oracle_best_gain
    yield _line(found, "gain on no transfer, %", "selected_gain", s.selected_gain, random=random_gain, best=best_gain)
    yield _line(found, "share that helps", "selected_helping", s.selected_helping, random=s.helping)
    for k, regret in s.regret.items():
        yield _line(found, f"regret@{k}, %", f"regret@{k}", regret)


def _line(
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
        cells["sd over resampled oracles"] = again.get(key)
    shown = {k: f"{v:.{digits}f}" if isinstance(v, float) else v for k, v in cells.items()}
    return {"score": name, **shown, "value": MISSING if value is None or value != value else shown["value"]}


def _tied(sources: list[str]) -> str:
    return " or ".join(sources) if len(sources) < 4 else f"any of {len(sources)} that tie"
