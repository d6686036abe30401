"""How good a ranking is: scores against an oracle, what chance gives, and how far the oracle's own noise moves them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Literal, get_args

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle
from ..errors import UnusableData
from .chance import bootstrap_interval, chance_law, chance_p, chance_trs, resolution
from .correlation import kendall, pearson
from .means import mean_of_defined, none_if_nan
from .ranking import Ranking, picked_ranks, rank

NdcgGain = Literal["rank", "linear", "linear_minmax", "exp_fraction", "exp_percent"]
KS = (3, 4, 5)  # of the paper's Table 3, with its M
TOP_M = 6
DRAWS = 200  # resampled oracles
GAIN_SCORES = ("selected_gain", "oracle_best_gain", "random_gain", "helping", "selected_helping")


@dataclass(frozen=True)
class Scores:
    """How good a ranking is, against an oracle. None where a score is undefined; `notes` says for which targets.

    Attributes
    ----------
    trs : float
        Mean oracle rank of the predicted best source; 1 is perfect (paper, section 4.3).
    trs_chance, trs_p : float
        Its expectation under random choice, and the exact probability of one as low or lower.
    trs_interval : tuple of two floats
        95 % bootstrap interval over targets.
    trs_resolution : float
        The smallest difference between the TRS of two random rankings that occurs in at most 5 % of pairs: smaller
        differences between two estimators are within chance on an oracle of this size.
    rank_of_best : float
        Mean predicted rank of the truly best source (Vu et al. 2020).
    top_k, top_k_chance : dict of str to float
        Share of the k predicted best sources among the oracle's top M; and its expectation (paper, Table 3).
    selected_mean, oracle_best_mean, random_mean, no_transfer_mean : float
        Mean over targets of the target's metric after the predicted best, the truly best and a random source, and
        without any (None where the oracle does not know it).
    selected_gain, oracle_best_gain, random_gain : float
        The same in percent of the metric without transfer, over the targets where that is above 0.
    helping, selected_helping : float
        Share of all sources, and of the predicted best ones, after which a target does better than without.
    regret : dict of str to float
        Mean of 100 (best - best of the k predicted) / best, over targets whose best is above 0 (Lin et al. 2024).
    ndcg : dict of str to float
        Normalised discounted cumulative gain at k and over all sources; ties count as their expectation.
    spearman, kendall : float
        Mean over targets of the rank correlation of all sources; Kendall's tau-b.
    resampled : dict of str to (mean, standard deviation), optional
        The scores over oracles drawn from this one's seeds or standard errors.
    notes : tuple of str
        What was left out of a mean.
    per_target : dict of str to float
        The oracle rank of each target's predicted best source.
    """

    trs: float
    trs_chance: float
    trs_p: float
    trs_interval: tuple[float, float]
    trs_resolution: float
    rank_of_best: float
    top_k: dict[str, float]
    top_k_chance: dict[str, float]
    top_m: int
    selected_mean: float
    oracle_best_mean: float
    random_mean: float
    no_transfer_mean: float | None
    selected_gain: float | None
    oracle_best_gain: float | None
    random_gain: float | None
    helping: float | None
    selected_helping: float | None
    regret: dict[str, float | None]
    ndcg: dict[str, float | None]
    ndcg_gain: NdcgGain
    spearman: float | None
    kendall: float | None
    resampled: dict[str, tuple[float, float]] | None
    notes: tuple[str, ...]
    per_target: dict[str, float]


def score_ranking(
    predicted: Ranking,
    true: Ranking,
    oracle: Oracle,
    *,
    ks: Sequence[int] = KS,
    top_m: int = TOP_M,
    gain: NdcgGain = "rank",
) -> Scores:
    """Score a predicted ranking against the true one.

    Parameters
    ----------
    predicted, true : Ranking
        Of the same sources and targets.
    oracle : Oracle
        The transfers that `true` ranks.
    ks, top_m : int
        The k and M of top-k in top-M; the same k serve regret and NDCG, beside 1 and all.
    gain : {"rank", "linear", "linear_minmax", "exp_fraction", "exp_percent"}
        Of NDCG: number of candidates less the oracle rank (no unit); the metric, or that scaled from 0 to 1 for each
        target; 2 to the metric less 1, as a fraction or, as Lin et al. (2024) have it, in percent.

    Raises
    ------
    UnusableData
        If the rankings are of different tasks, a target has no candidate source, or a k, M or gain is none.
    """
    if (predicted.sources, predicted.targets) != (true.sources, true.targets):
        raise UnusableData("the predicted and the true ranking are of different tasks.")
    if not len(true.targets) or not true.candidates.any(axis=0).all():
        raise UnusableData("a target has no candidate source.")
    if min(*ks, top_m, len(ks)) < 1 or gain not in get_args(NdcgGain):
        raise UnusableData(
            f"k {', '.join(map(str, ks))}, M {top_m}, gain {gain!r}: expected numbers from 1, and one of "
            f"{', '.join(get_args(NdcgGain))}."
        )
    n_candidates = true.candidates.sum(axis=0)  # (t,)
    scores, notes = _measure(predicted, true, oracle, ks, top_m, gain)
    picked = picked_ranks(predicted, true)  # (t,)
    law = chance_law(true)
    top = true.candidates & (true.ranks <= top_m)
    return Scores(
        trs=scores["trs"],
        trs_chance=chance_trs(true),
        trs_p=chance_p(law, float(picked.sum())),
        trs_interval=bootstrap_interval(picked),
        trs_resolution=resolution(law) / len(true.targets),
        rank_of_best=scores["rank_of_best"],
        top_k={str(k): scores[f"top-{k}"] for k in ks},
        top_k_chance={str(k): float((top.sum(axis=0) / n_candidates).mean()) for k in ks},
        top_m=top_m,
        no_transfer_mean=None if oracle.no_transfer is None else mean_of_defined(oracle.no_transfer),
        selected_mean=scores["selected_mean"],
        oracle_best_mean=scores["oracle_best_mean"],
        random_mean=scores["random_mean"],
        regret={str(k): none_if_nan(scores[f"regret@{k}"]) for k in (1, *ks)},
        ndcg={str(k): none_if_nan(scores[f"ndcg@{k}"]) for k in (*ks, "all")},
        ndcg_gain=gain,
        spearman=none_if_nan(scores["spearman"]),
        kendall=none_if_nan(scores["kendall"]),
        **{name: none_if_nan(scores[name]) for name in GAIN_SCORES},  # type: ignore[arg-type]
        resampled=_score_resampled(predicted, oracle, ks, top_m, gain),
        notes=tuple(notes),
        per_target={t: float(r) for t, r in zip(true.targets, picked, strict=True)},
    )


def _measure(
    predicted: Ranking, true: Ranking, oracle: Oracle, ks: Sequence[int], top_m: int, gain: NdcgGain
) -> tuple[dict[str, float], list[str]]:
    """Return all scores that one oracle gives, NaN where undefined, and what was left out."""
    candidates, notes = true.candidates, list[str]()

    def mean_of(values: Array, what: str) -> float:
        """Mean over targets where it is defined."""
        if lost := [t for t, v in zip(true.targets, values, strict=True) if np.isnan(v)]:
            notes.append(f"{what} undefined for {', '.join(lost)}: left out of the mean")
        return mean_of_defined(values)

    ranks = np.where(candidates, true.ranks, 0)
    values = np.where(candidates, oracle.transfers.values, np.nan)  # (s, t)
    first, best = predicted.picks(1), true.picks(1)
    selected = (first * np.nan_to_num(values)).sum(axis=0)  # (t,)
    selected[(first * np.isnan(values)).sum(axis=0) > 0] = np.nan
    top = candidates & (ranks <= top_m)
    of_best, of_mean = np.nanmax(values, axis=0), np.nanmean(values, axis=0)
    scores = {
        "trs": mean_of_defined(picked_ranks(predicted, true)),
        "rank_of_best": mean_of_defined((best * np.where(candidates, predicted.ranks, 0)).sum(axis=0)),
        **{
            f"top-{k}": mean_of_defined((predicted.picks(k) * top).sum(axis=0) / np.minimum(k, candidates.sum(axis=0)))
            for k in ks
        },
        "selected_mean": mean_of(selected, "the metric after the predicted best source is"),
        "oracle_best_mean": mean_of_defined(of_best),
        "random_mean": mean_of_defined(of_mean),
        **dict.fromkeys(GAIN_SCORES, np.nan),
    }
    if (alone := oracle.no_transfer) is not None:
        base = np.where(alone > 0, alone, np.nan)
        scores["selected_gain"] = mean_of(100 * (selected - base) / base, "relative gain is")
        scores["oracle_best_gain"] = mean_of_defined(100 * (of_best - base) / base)
        scores["random_gain"] = mean_of_defined(100 * (of_mean - base) / base)
        compared = candidates & np.isfinite(alone)
        helps = compared & (values > alone)
        scores["helping"] = float(helps.sum() / compared.sum()) if compared.any() else np.nan
        scores["selected_helping"] = mean_of_defined(np.where(np.isfinite(alone), (first * helps).sum(axis=0), np.nan))
    for k in (1, *ks):
        share = np.array(list(_regret(predicted, values, k)))
        scores[f"regret@{k}"] = mean_of(share, "regret is") if k == 1 else mean_of_defined(share)
    gains = _source_gains(true, values, gain)
    for name, k in {**{str(k): k for k in ks}, "all": len(ranks)}.items():
        scores[f"ndcg@{name}"] = mean_of_defined(_ndcg(predicted, gains, k))
    columns = zip(predicted.ranks.T, true.ranks.T, candidates.T, strict=True)
    ranks_of_both = [(p[ranked], r[ranked]) for p, r, ranked in columns]  # of each target: two of (n_candidates,)
    scores["spearman"] = mean_of(np.array([pearson(p, r) for p, r in ranks_of_both]), "rank correlation is")
    scores["kendall"] = mean_of_defined(kendall(p, r) for p, r in ranks_of_both)
    return scores, notes


def _regret(predicted: Ranking, values: Array, k: int) -> Iterator[float]:
    """Yield each target's regret; where a tie leaves open which sources are among the k, its expectation."""
    shares = predicted.picks(k)  # (s, t)
    for share, column in zip(shares.T, values.T, strict=True):
        best = np.nanmax(column)
        sure, open_ = column[share == 1], np.sort(column[(share > 0) & (share < 1)])
        if best <= 0 or np.isnan(column[share > 0]).any():
            yield np.nan
            continue
        floor, n = sure.max(initial=-np.inf), len(open_)
        chosen = round(share[(share > 0) & (share < 1)].sum())
        if n:  # of the sorted n, the i-th (from 0) is the largest of the chosen in comb(i, chosen - 1) draws
            odds = np.array([comb(i, chosen - 1) for i in range(n)]) / comb(n, chosen)
            floor = float(odds @ np.maximum(open_, floor))
        yield 100 * (best - floor) / best


def _source_gains(true: Ranking, values: Array, gain: NdcgGain) -> Array:
    """Return what finding each source is worth: (n_sources, n_targets), 0 where it is no candidate."""
    if gain == "rank":
        worth = true.candidates.sum(axis=0) - true.ranks
    elif gain == "linear":
        worth = values
    elif gain == "linear_minmax":
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        worth = (values - low) / np.where(high > low, high - low, np.nan)
    else:
        percent = np.nanmax(np.abs(values)) > 1
        fraction = values / 100 if percent else values
        worth = 2.0 ** (fraction if gain == "exp_fraction" else 100 * fraction) - 1
    return np.where(true.candidates, np.nan_to_num(worth), 0)


def _ndcg(predicted: Ranking, gains: Array, k: int) -> Array:
    """Return each target's NDCG at k, tied sources sharing their places: (n_targets,), NaN where no gain is above 0."""
    n = len(gains)
    discounts = np.where(np.arange(n) < k, 1 / np.log2(np.arange(n) + 2), 0)
    total = np.concatenate([[0], np.cumsum(discounts)])
    places = np.where(predicted.candidates, np.maximum(predicted.equal, 1), 1)
    share = (total[np.minimum(predicted.better + places, n)] - total[predicted.better]) / places  # (s, t)
    gain = (gains * np.where(predicted.candidates, share, 0)).sum(axis=0)
    ideal = (np.sort(gains, axis=0)[::-1] * discounts[:, None]).sum(axis=0)
    return np.divide(gain, ideal, out=np.full(len(ideal), np.nan), where=ideal > 0)


def resample(oracle: Oracle, *, draws: int = DRAWS, seed: int = 0) -> Iterator[Oracle]:
    """Yield oracles as other seeds or other evaluation examples might have given them.

    Each transfer is the mean of as many seeds as there are, drawn with replacement; or, where only its standard error
    is known, drawn from a normal distribution. Nothing is yielded for an oracle that knows neither.
    """
    rng, values = np.random.default_rng(seed), oracle.transfers.values
    for _ in range(draws):
        if oracle.by_seed is not None and len(oracle.by_seed) > 1:
            rows = rng.integers(len(oracle.by_seed), size=oracle.by_seed.shape)
            # Rounded, or the order in which equal numbers are added up would part ties.
            drawn = np.take_along_axis(oracle.by_seed, rows, axis=0).mean(axis=0).round(9)
        elif oracle.standard_error is not None:
            drawn = rng.normal(values, np.nan_to_num(oracle.standard_error))
        else:
            return
        yield replace(oracle, transfers=replace(oracle.transfers, values=drawn))


def _score_resampled(
    predicted: Ranking, oracle: Oracle, ks: Sequence[int], top_m: int, gain: NdcgGain
) -> dict[str, tuple[float, float]] | None:
    draws = [_measure(predicted, rank(o.transfers), o, ks, top_m, gain)[0] for o in resample(oracle)]
    if not draws:
        return None
    columns: Mapping[str, Array] = {name: np.array([scores[name] for scores in draws]) for name in draws[0]}
    return {
        name: (mean_of_defined(c), float(np.nanstd(c, ddof=1))) for name, c in columns.items() if np.isfinite(c).any()
    }
