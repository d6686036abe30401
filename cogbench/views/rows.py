"""Rows for people: what oracles, guesses and recommendations say, as tables and notes."""

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle
from ..data.oracle_files import _number, plain_oracle
from ..data.oracle_seeds import told_apart
from ..oracles.set_scores import SetScores, TargetSetScore
from ..oracles.task_sets import TaskSets, in_words
from ..parts.recipe import ALL_ROWS, SEQUENTIAL
from ..results.guess import Scored
from ..runs.recommendation import Recommendation
from ..scoring.chance import PValue
from ..scoring.ranking import true_ranking
from ..text import MISSING, in_decimals, in_digits, in_range, in_sign, listed
from .terminal import columns_within

WIDE, SHOWN = 25, 10  # the targets of an oracle that is shown in summary, and how many of its tasks that has
WHOLE = 1_000_000  # characters: a table for a file is not split


def oracle_tables(oracle: Oracle, room: int) -> dict[str, list[dict[str, Any]]]:
    """Return an oracle as titled tables for people: one if it fits a width, several, or the summary of a wide one."""
    n_targets = len(oracle.transfers.targets)
    if n_targets > WIDE and room < WHOLE:
        return oracle_summary(oracle)
    rows = oracle_rows(oracle)
    groups = columns_within(rows, room)
    if len(groups) == 1:
        return {oracle.name: rows}
    tables, last = dict[str, list[dict[str, Any]]](), 0
    for names in groups:
        begin, last = last + 1, last + len(names) - 1
        title = f"{oracle.name}, targets {begin} to {last} of {n_targets}"
        tables[title] = [{name: row.get(name) for name in names} for row in rows]
    return tables


def oracle_summary(oracle: Oracle) -> dict[str, list[dict[str, Any]]]:
    """Return a wide oracle in two titled tables: the sources that serve best, and its first targets with theirs."""
    matrix, true = oracle.transfers, true_ranking(oracle)
    relative = (true.ranks - 1) / np.maximum(true.candidates.sum(axis=0) - 1, 1)  # NaN for what is no candidate
    n_candidates = true.candidates.sum(axis=1)
    mean = np.nan_to_num(relative).sum(axis=1) / np.maximum(n_candidates, 1)
    order = sorted(np.flatnonzero(n_candidates), key=lambda i: (mean[i], matrix.sources[i]))
    best = [
        {"source": matrix.sources[i], "mean relative rank": f"{mean[i]:.2f}", "targets": n_candidates[i]} for i in order
    ]
    rows = []
    for j, target in enumerate(matrix.targets[:SHOWN]):
        (place,) = np.flatnonzero(true.ranks[:, j] == np.nanmin(true.ranks[:, j]))[:1]
        scores = matrix.values[true.candidates[:, j], j]
        figures = {"best": matrix.values[place, j], "median": np.median(scores), "spread (sd)": np.std(scores)}
        row = {"target": target, "sources": len(scores), "best source": matrix.sources[place]}
        rows.append(row | {name: f"{value:.4g}" for name, value in figures.items()})
    of_targets = f"{oracle.name}, {len(rows)} of {len(matrix.targets)} targets; --format csv has all figures"
    of_sources = f"{oracle.name}, the {len(best[:SHOWN])} of {len(best)} sources that serve best"
    return {of_sources: best[:SHOWN], of_targets: rows}


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
    ways = {"tuning": oracle.tuning, "sharing": oracle.sharing, "rows of sources": oracle.row_choice}
    way = "".join(f", {axis} {word}" for axis, word in ways.items() if word not in ("full", SEQUENTIAL, ALL_ROWS))
    lines = [f"{oracle.basis}, backbone {oracle.backbone}{way}, suite {oracle.suite}{seeds}: {oracle.origin}"]
    lines += [oracle.note] if oracle.note else []
    lines += [f"licence: {oracle.licence}"] if oracle.licence else []
    lower = {target: "lower figures" for target, which in oracle.better.items() if which == "lower"}
    for what, words in (("metric", oracle.metrics), ("better", lower), ("unit", oracle.units)):
        of_word = {w: [t for t in oracle.transfers.targets if words.get(t) == w] for w in words.values()}
        whole = [[*oracle.transfers.targets]] == [*of_word.values()]
        texts = [word if whole else f"{word} for {listed(targets)}" for word, targets in of_word.items()]
        lines += [f"{what}: {'; '.join(texts)}"] if texts else []
    lines += [f"source {source} is the set of {', '.join(tasks)}" for source, tasks in oracle.groups.items()]
    if oracle.evaluation_error is None and oracle.standard_error is None:
        return [*lines, "nothing is known of its noise"]
    return [*lines, "= the noise tells no difference to the best source; pairs told apart: by two standard errors"]


def oracle_in_full(oracle: Oracle) -> dict[str, Any]:
    """Return an oracle as plain values for machines, with its ranks and the sources that noise does not tell apart."""
    matrix, ranks, apart = oracle.transfers, true_ranking(oracle).ranks, told_apart(oracle)
    names, alike = matrix.sources, dict[str, list[tuple[str, str]]]()
    for j, target in enumerate(matrix.targets):
        measured = np.flatnonzero(np.isfinite(matrix.values[:, j]))
        alike[target] = [(names[a], names[b]) for a, b in combinations(measured, 2) if not apart[a, b, j]]
    return {**plain_oracle(oracle), "ranks": [[_number(v) for v in row] for row in ranks], "not_told_apart": alike}


def recommendation_tables(recommendation: Recommendation) -> dict[str, list[dict[str, Any]]]:
    """Return a recommendation as a titled table, and one of what its estimator was worth where that is known."""
    tables = {recommendation_title(recommendation): recommendation_rows(recommendation)}
    if recommendation.worth:
        tables[f"what {recommendation.estimator.partition('[')[0]} was worth where all transfers were measured"] = [
            {
                "estimator": worth.estimator,
                "oracle": worth.oracle,
                "signal": worth.signal or "",
                "TRS, 1 is perfect": f"{worth.trs:.2f}",
                "chance": f"{worth.chance:.2f}",
                "p": in_digits(worth.p),
                "skill": in_sign(worth.skill, 2, MISSING),
                "p of the skill": MISSING if worth.skill_p is None else in_digits(worth.skill_p),
            }
            for worth in recommendation.worth
        ]
    return tables


def recommendation_notes(recommendation: Recommendation) -> list[str]:
    """Return what a reader of the tables must know."""
    if recommendation.worth:
        return [*recommendation.notes]
    name = recommendation.estimator.partition("[")[0]
    return [
        f"{name} is not on the board of measured oracles: nothing here tells what its ranking is worth.",
        *recommendation.notes,
    ]


def recommendation_title(recommendation: Recommendation) -> str:
    """Return what a recommendation is of, in a line; or that no source need be trained first."""
    subject = (
        f"{recommendation.target} ({recommendation.kind}), by {recommendation.estimator} on {recommendation.backbone}"
    )
    rest = f"; not trained, so not ranked: {', '.join(recommendation.untrained)}" if recommendation.untrained else ""
    stimuli = f", stimuli of {recommendation.signal}" if recommendation.signal else ""
    if recommendation.none_helps:
        return f"train none first: no source tried brings more than two standard errors; for {subject}{stimuli}{rest}"
    return f"what to train first for {subject}{stimuli}{rest}"


LEARNED = {True: "yes", False: "NO", None: "not known"}


def recommendation_rows(recommendation: Recommendation) -> list[dict[str, Any]]:
    """Return a recommendation as rows for people; where sources were tried, with a row for none of them."""
    digits, rows = _digits(recommendation), list[dict[str, Any]]()
    for name in recommendation.ranking:
        score, place = recommendation.similarity[name], recommendation.places.get(name)
        shown = {"": MISSING, "source": name, "similarity": "no estimate", "difference": ""}
        if score is not None and place is not None:
            error = "" if place.standard_error is None else f" ± {place.standard_error:.{digits}f}"
            gap = "" if place.difference is None else f"{-place.difference:.{digits}f}{error}"
            number = f"{place.number}{'=' if place.shared else ''}"
            shown |= {"": number, "similarity": f"{score:.{digits}f}", "difference": gap}
        rows.append({**shown, "learned": LEARNED[recommendation.learned[name]]})
    if not recommendation.gains:
        return rows
    metric = recommendation.gains[0].metric
    gains = {gain.source: gain for gain in recommendation.gains}
    for row in rows:
        row |= {metric: "", "gain": "not tried"}
        if gain := gains.get(row["source"]):
            sure = "" if abs(gain.gain) > 2 * gain.standard_error else ", within noise"
            row |= {metric: f"{gain.value:.3f}", "gain": f"{gain.gain:+.3f} ± {gain.standard_error:.3f}{sure}"}
    alone = {"source": "no transfer", metric: f"{recommendation.gains[0].no_transfer:.3f}"}
    return [*rows, dict.fromkeys(rows[0], "") | alone]


def _digits(recommendation: Recommendation) -> int:
    """Return how many decimals of the similarities are shown: at least four, and as many as tell the places apart."""
    of_places = dict[int, list[float]]()
    for name, place in recommendation.places.items():
        of_places.setdefault(place.number, []).append(recommendation.similarity[name] or 0.0)
    ends = [(values[-1], others[0]) for values, others in pairwise(of_places.values())]
    return next((n for n in range(4, 12) if all(f"{one:.{n}f}" != f"{other:.{n}f}" for one, other in ends)), 12)


def score_tables(scored: Scored) -> dict[str, list[dict[str, Any]]]:
    """Return a table of scores, and one of each target's selected source and its rank in the oracle."""
    s = scored.scores
    what = f"{'selection' if scored.selections else 'ranking'} {scored.name} against oracle {scored.oracle}"
    rows = [*_trs_rows(scored), *_ranking_rows(scored), *_gain_rows(scored)]
    picked = [
        {
            "target": target,
            "selected": tied(scored.selected[target]),
            "true rank": f"{score.rank:g}",
            "metric": in_decimals(score.selected, 3, MISSING),
            "best": in_decimals(score.best, 3, MISSING),
            "no transfer": in_decimals(score.no_transfer, 3, MISSING),
        }
        for target, score in s.per_target.items()
    ]
    return {f"{what}, {len(picked)} target tasks": rows, "selected sources": picked}


def score_notes(scored: Scored) -> list[str]:
    """Return what a reader of the tables must know."""
    notes = ["popularity knows the oracle's data"] if "popularity" in scored.baselines else []
    return [*notes, *scored.notes, *scored.scores.notes]


def _trs_rows(scored: Scored) -> Iterator[dict[str, Any]]:
    s = scored.scores
    yield _line(scored, "TRS, 1 is perfect", "trs", s.trs.value, random=s.trs.chance)
    yield _line(scored, "95 % interval over targets", "", in_range(s.trs.interval))
    yield _line(scored, f"p, {p_words(s.trs.p)}", "", in_digits(s.trs.p.p) if s.trs.p else None)
    yield _line(scored, "p of independent choices", "", in_digits(s.trs.p_independent))
    for name, trs in scored.baselines.items():
        if name != "random":  # it stands beside the TRS
            yield _line(scored, f"TRS of {name}", "", trs)
    if s.skill is None:
        return
    yield _line(scored, "skill beyond source and target effects, rho", "", s.skill.rho, random=0.0)
    yield _line(scored, "p of the skill", "", in_digits(s.skill.p.p) if s.skill.p else None)
    yield _line(scored, "TRS beyond source and target effects", "", s.skill.trs, random=s.trs.chance)
    if (gap := s.skill.popularity) is not None:
        yield _line(scored, "TRS less popularity's", "", f"{in_sign(gap.difference)} ({in_range(gap.interval)})")
        yield _line(scored, "p of that difference", "", in_digits(gap.p))


def p_words(p: PValue | None) -> str:
    """Return how a p-value was computed, in words."""
    if p is None:
        return "unknown to this older schema"
    return f"{'all' if p.exact else 'of'} {p.draws:,} relabellings"


def _ranking_rows(scored: Scored) -> Iterator[dict[str, Any]]:
    """Yield what a whole ranking is worth; of a selection, the share of top-1 alone."""
    s = scored.scores
    for k, share in s.top_k.share.items():
        yield _line(scored, f"top-{k} in the oracle's top {s.top_k.m}", f"top-{k}", share, random=s.top_k.chance[k])
    if (whole := s.ranking) is not None:
        yield _line(scored, "rank of the truly best", "rank_of_best", whole.rank_of_best, random=s.trs.chance)
        for k, ndcg in whole.ndcg.items():
            yield _line(scored, f"NDCG@{k}, gain {whole.ndcg_gain}", f"ndcg@{k}", ndcg)
        yield _line(scored, "Spearman", "spearman", whole.spearman)
        yield _line(scored, "Kendall", "kendall", whole.kendall)


def _gain_rows(scored: Scored) -> Iterator[dict[str, Any]]:
    """Yield what the selected sources do for the targets: beside a random source, the best one and none."""
    s = scored.scores
    metric, gains = s.metric, s.gains
    means: dict[str, Any] = {"random": metric.random, "best": metric.best, "alone": metric.no_transfer}
    yield _line(scored, "mean metric", "selected_mean", metric.selected, digits=3, **means)
    in_percent: dict[str, Any] = {"random": gains.random, "best": gains.best}
    yield _line(scored, "gain on no transfer, %", "selected_gain", gains.selected, **in_percent)
    yield _line(scored, "share that helps", "selected_helping", gains.selected_helping, random=gains.helping)
    for k, regret in s.regret.items():
        yield _line(scored, f"regret@{k}, %", f"regret@{k}", regret)


def _line(
    scored: Scored,
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
    again = scored.scores.resampled
    if again is not None:
        cells["sd over resampled oracles"] = again.get(key)
    shown = {k: f"{v:.{digits}f}" if isinstance(v, float) else v for k, v in cells.items()}
    return {"score": name, **shown, "value": MISSING if value is None or value != value else shown["value"]}


def tied(sources: list[str]) -> str:
    """Return the sources that share a place, or how many there are."""
    return " or ".join(sources) if len(sources) < 4 else f"any of {len(sources)} that tie"


def set_rows(sets: TaskSets) -> list[dict[str, Any]]:
    """Return measured sets as a row for each target: how many, its score alone, with the best one and in the mean."""
    return [_rows_of_sets(sets, target) for target in sets.targets]


def _rows_of_sets(sets: TaskSets, target: str) -> dict[str, Any]:
    own = [one for one in sets.of(target) if one.members]
    alone, sign = sets.alone(target), sets.sign(target)
    best = max(own, key=lambda one: sign * one.score, default=None)
    sizes = sorted({len(one.members) for one in own})
    errors = [one.standard_error for one in own if one.standard_error is not None]
    return {
        "target": target,
        "metric": sets.metrics.get(target, ""),
        "sets": len(own),
        "sizes": f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else "".join(map(str, sizes)),
        "alone": in_figures(alone.score if alone else None),
        "mean": in_figures(float(np.mean([one.score for one in own])) if own else None),
        "best": in_figures(best.score if best else None),
        "best set": in_words(best.members) if best else "",
        "standard error": in_figures(float(np.mean(errors)) if errors else None),
        "better": sets.better.get(target, "higher"),
    }


def set_notes(sets: TaskSets) -> list[str]:
    """Return what a reader of the sets must know."""
    way = f", sharing {sets.sharing}" if sets.sharing else ""
    seeds = f"; seeds {', '.join(map(str, sets.seeds))}" if sets.seeds else ""
    lines = [f"{sets.basis}, backbone {sets.backbone}{way}, suite {sets.suite}{seeds}: {sets.origin}"]
    return [*lines, *([sets.note] if sets.note else [])]


def set_score_tables(scores: SetScores) -> dict[str, list[dict[str, Any]]]:
    """Return the scores of a guess of sets as a table of means, each beside chance, and one of the targets."""
    size = f"sets of {scores.size}" if scores.size is not None else "sets of all sizes"
    title = f"{scores.guess}, by {scores.sets}: {scores.n_targets} targets, {scores.n_sets} {size}"
    built = f"rank of the built set, {scores.n_built} targets"
    means: list[tuple[str, float | None, float | None, float | None]] = [
        ("rank of the chosen set", scores.rank, scores.rank_chance, 1.0),
        ("relative rank", scores.relative_rank, 0.5, 0.0),
        ("regret, in the metric", scores.regret, scores.regret_chance, 0.0),
        ("regret, %", scores.percent, scores.percent_chance, 0.0),
        ("share of best sets", scores.best_found, None, 1.0),
        ("gain on the target alone", scores.gain, scores.gain_chance, scores.gain_best),
        *([(built, scores.built_rank, None, 1.0)] if scores.n_built else []),
    ]
    rows = [
        {"score": name, "value": in_figures(value), "chance": in_figures(chance), "best": in_figures(best)}
        for name, value, chance, best in means
    ]
    p = scores.p
    rows.append({"score": "p of the rank", "value": MISSING if p is None else in_digits(p.p), "chance": "", "best": ""})
    return {title: rows, "targets": [_row_of_target(one) for one in scores.per_target]}


def _row_of_target(one: TargetSetScore) -> dict[str, Any]:
    return {
        "target": one.target,
        "chosen set": tied([*map(in_words, one.chosen)]),
        "rank": f"{one.rank:g} of {one.n_sets}",
        "score": in_figures(one.score),
        "mean": in_figures(one.mean_score),
        "best": in_figures(one.best_score),
        "alone": in_figures(one.alone),
        "regret": in_figures(one.regret),
        "best set": tied([*map(in_words, one.best)]),
        **({} if one.built is None else {"built set": in_words(one.built)}),
    }


def set_score_notes(scores: SetScores) -> list[str]:
    """Return what a reader of the scores must know."""
    return [*scores.notes, *([f"p: {p_words(scores.p)}"] if scores.p else [])]


def in_figures(value: float | None) -> str:
    """Return a number with four significant digits; a dash where there is none."""
    return MISSING if value is None or value != value else f"{value:.4g}"
