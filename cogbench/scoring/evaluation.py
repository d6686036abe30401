"""How good a guess is: scores against an oracle, what knowing nothing gives, and what the oracle's noise moves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal, get_args

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle, TaskMatrix
from ..data.oracle_seeds import resample
from ..errors import UnusableData
from .chance import PValue, chance_law, chance_trs, independent_p, interval_over_targets, relabelled_p, relabellings
from .correlation import kendall, pearson
from .means import mean_of_defined, none_if_nan
from .paired import score_picks
from .ranking import Ranking, picked_ranks, rank, true_ranking
from .skill import Skill, skill_beyond_effects

NdcgGain = Literal["rank", "exp_rank", "linear", "linear_minmax", "exp_fraction", "exp_percent"]
Regret = Literal["best", "mean"]
KS = (3, 4, 5)  # of the paper's Table 3, with its M
TOP_M = 6
GAIN_SCORES = ("selected_gain", "oracle_best_gain", "random_gain", "helping", "selected_helping")


@dataclass(frozen=True)
class TargetScore:
    """One target: the true rank of its predicted best source, and its metric after that source, the best and none.

    The metrics are in their own unit, and None where they are not known.
    """

    rank: float
    selected: float | None = None
    best: float | None = None
    no_transfer: float | None = None


@dataclass(frozen=True)
class Scores:
    """How good a ranking is, against an oracle. None where a score is undefined; `notes` says for which targets.

    A transfer that was not measured is no candidate: neither for the guess, nor in the truth, nor in what chance gives.

    Attributes
    ----------
    trs : float
        Mean oracle rank of the predicted best source; 1 is perfect (paper, section 4.3).
    trs_chance : float
        Its expectation under random choice.
    trs_p : PValue, optional
        How often the guess has a TRS as low under other names of its tasks; None in a result of an older schema.
    trs_p_independent : float
        The exact probability that independent choices have a TRS as low. It is too small for an estimator that
        prefers the same sources for many targets.
    trs_interval : tuple of two floats
        95 % interval over targets, by a Bayesian bootstrap.
    skill : Skill, optional
        What the guess knows beyond which sources are good; None in a result of an older schema.
    rank_of_best : float, optional
        Mean predicted rank of the truly best source (Vu et al. 2020).
    top_k, top_k_chance : dict of str to float
        Share of the k predicted best sources among the oracle's top M; and its expectation (paper, Table 3).
    selected_mean, oracle_best_mean, random_mean, no_transfer_mean : float
        Mean over targets of the target's metric after the predicted best, the truly best and a random source, and
        without any; all over the targets whose metric without a source is known, where it is of some.
    selected_gain, oracle_best_gain, random_gain : float
        The same in percent of the metric without transfer, over the targets where that is above 0; larger is better.
    helping, selected_helping : float
        Share of all sources, and of the predicted best ones, after which a target does better than without.
    regret : dict of str to float
        Mean of 100 (best - best of the k predicted) / best, over targets whose best is above 0 (Lin et al. 2024); or
        of 100 (mean of the best k - mean of the k predicted) / mean of the best k (Kim et al. 2023).
    ndcg : dict of str to float
        Normalised discounted cumulative gain at k and over all sources; ties count as their expectation.
    spearman, kendall : float
        Mean over targets of the rank correlation of all sources; Kendall's tau-b.
    resampled : dict of str to float, optional
        The standard deviation of the scores over oracles drawn from this one's seeds or standard errors.
    notes : tuple of str
        What was left out of a mean.
    per_target : dict of str to TargetScore
        What each target's predicted best source is worth.
    """

    trs: float
    trs_chance: float
    trs_p: PValue | None
    trs_p_independent: float
    trs_interval: tuple[float, float]
    skill: Skill | None
    rank_of_best: float | None
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
    resampled: dict[str, float] | None
    notes: tuple[str, ...]
    per_target: dict[str, TargetScore]


@dataclass(frozen=True)
class ScoreOptions:
    """The k and M of top-k in top-M, the gain of NDCG, and what regret compares.

    Parameters
    ----------
    ks, top_m : int
        The same k serve regret and NDCG, beside 1 and all.
    gain : {"rank", "exp_rank", "linear", "linear_minmax", "exp_fraction", "exp_percent"}
        Number of candidates less the oracle rank (no unit), or 2 to that number less 1 (TaskWeb, Kim et al. 2023); the
        metric, or that scaled from 0 to 1 for each target; 2 to the metric less 1, as a fraction or, as Lin et al.
        (2024) have it, in percent.
    regret : {"best", "mean"}
        The best of the k predicted sources against the best (Lin et al. 2024), or the mean of both (Kim et al. 2023).

    Raises
    ------
    UnusableData
        If a k, M, gain or regret is none.
    """

    ks: Sequence[int] = KS
    top_m: int = TOP_M
    gain: NdcgGain = "rank"
    regret: Regret = "best"

    def __post_init__(self) -> None:
        if min(*self.ks, self.top_m, len(self.ks)) < 1:
            raise UnusableData(f"k {', '.join(map(str, self.ks))}, M {self.top_m}: expected whole numbers from 1.")
        for name, value, kinds in (("gain", self.gain, NdcgGain), ("regret", self.regret, Regret)):
            if value not in get_args(kinds):
                raise UnusableData(f"{name} {value!r}: expected one of {', '.join(get_args(kinds))}.")


def is_selection(guess: TaskMatrix) -> bool:
    """Whether a guess only selects a source for each target, and says nothing of the others."""
    return bool((np.isfinite(guess.values).sum(axis=0) <= 1).all())


def score_guess(guess: TaskMatrix, oracle: Oracle, options: ScoreOptions | None = None) -> Scores:
    """Score a guess against an oracle.

    Parameters
    ----------
    guess : TaskMatrix
        Of the oracle's sources and targets, in their order; larger is better, a missing estimate ranks last. A guess
        that only selects a source for each target has no scores of whole rankings.
    oracle : Oracle
        The true transfers.
    options : ScoreOptions, optional
        How the scores are defined.

    Raises
    ------
    UnusableData
        If guess and oracle are of different tasks, a target has no measured source, or the gain of NDCG is negative.
    """
    options = options or ScoreOptions()
    true = true_ranking(oracle)
    if (guess.sources, guess.targets) != (true.sources, true.targets):
        raise UnusableData("the guess and the oracle are of different tasks.")
    if not len(true.targets) or not true.candidates.any(axis=0).all():
        raise UnusableData("a target has no candidate source.")
    predicted = rank(guess, true.candidates)
    scores, notes = _measure(predicted, true, oracle, options)
    gains = _source_gains(true, oracle, options.gain)
    selects = is_selection(guess)
    names = relabellings(guess)
    picks = score_picks(guess, true, names)
    total = float(picks.ranks.sum())
    top = true.candidates & (true.ranks <= options.top_m)
    return Scores(
        trs=scores["trs"],
        trs_chance=chance_trs(true),
        trs_p=relabelled_p(picks.totals, total, names),
        trs_p_independent=independent_p(chance_law(true), total),
        trs_interval=interval_over_targets(picks.ranks, true),
        skill=skill_beyond_effects(guess, oracle, true=true, picks=picks, names=names, selection=selects),
        rank_of_best=None if selects else scores["rank_of_best"],
        top_k={str(k): scores[f"top-{k}"] for k in options.ks},
        top_k_chance={str(k): float((top.sum(axis=0) / true.candidates.sum(axis=0)).mean()) for k in options.ks},
        top_m=options.top_m,
        **{name: scores[name] for name in ("selected_mean", "oracle_best_mean", "random_mean")},
        no_transfer_mean=none_if_nan(scores["no_transfer_mean"]),
        regret={str(k): none_if_nan(scores[f"regret@{k}"]) for k in (1, *options.ks)},
        ndcg={
            name: None if selects else none_if_nan(mean_of_defined(_ndcg(predicted, gains, k)))
            for name, k in {**{str(k): k for k in options.ks}, "all": len(gains)}.items()
        },
        ndcg_gain=options.gain,
        spearman=None if selects else none_if_nan(scores["spearman"]),
        kendall=None if selects else none_if_nan(mean_of_defined(map(_kendall, _ranks_of_both(predicted, true)))),
        **{name: none_if_nan(scores[name]) for name in GAIN_SCORES},  # type: ignore[arg-type]
        resampled=_spread_over_resampled(guess, oracle, options),
        notes=tuple(notes),
        per_target=dict(_target_scores(predicted, true, oracle)),
    )


def _kendall(ranks: tuple[Array, Array]) -> float:
    return kendall(*ranks)


def _target_scores(predicted: Ranking, true: Ranking, oracle: Oracle) -> Iterator[tuple[str, TargetScore]]:
    values = np.where(true.candidates, oracle.transfers.values, 0)
    selected, best = ((ranking.picks(1) * values).sum(axis=0) for ranking in (predicted, true))
    alone = np.full(len(true.targets), np.nan) if oracle.no_transfer is None else oracle.no_transfer
    for target, *figures in zip(true.targets, picked_ranks(predicted, true), selected, best, alone, strict=True):
        place, *metrics = map(float, figures)
        yield target, TargetScore(place, *map(none_if_nan, metrics))


def _measure(
    predicted: Ranking, true: Ranking, oracle: Oracle, options: ScoreOptions
) -> tuple[dict[str, float], list[str]]:
    """Return the scores whose noise is of interest too, NaN where undefined, and what was left out."""
    candidates, notes = true.candidates, list[str]()

    def mean_over_targets(values: Array, name: str) -> float:
        """Return the mean over the targets where it is defined."""
        if lost := [t for t, v in zip(true.targets, values, strict=True) if np.isnan(v)]:
            notes.append(f"{name} undefined for {', '.join(lost)}: left out of the mean")
        return mean_of_defined(values)

    ranks = np.where(candidates, true.ranks, 0)
    values = np.where(candidates, oracle.transfers.values, 0)  # (s, t)
    first, best = predicted.picks(1), true.picks(1)
    selected, of_best = (first * values).sum(axis=0), (best * values).sum(axis=0)  # (t,)
    of_mean = values.sum(axis=0) / candidates.sum(axis=0)
    top = candidates & (ranks <= options.top_m)
    alone = np.full(len(of_best), np.nan) if oracle.no_transfer is None else oracle.no_transfer
    compared = np.isfinite(alone) if np.isfinite(alone).any() else np.ones(len(alone), bool)
    if not compared.all():
        lost = [t for t, is_there in zip(true.targets, compared, strict=True) if not is_there]
        notes.append(f"the metric without a source is unknown for {', '.join(lost)}: left out of the mean metrics")
    base = np.where(alone > 0, alone, np.nan)
    helps = candidates & np.isfinite(alone) & (oracle.signs * (values - alone) > 0)
    scores = {
        "trs": float(picked_ranks(predicted, true).mean()),
        "rank_of_best": mean_of_defined((best * np.where(candidates, predicted.ranks, 0)).sum(axis=0)),
        **{
            f"top-{k}": mean_of_defined((predicted.picks(k) * top).sum(axis=0) / np.minimum(k, candidates.sum(axis=0)))
            for k in options.ks
        },
        "selected_mean": mean_of_defined(selected[compared]),
        "oracle_best_mean": mean_of_defined(of_best[compared]),
        "random_mean": mean_of_defined(of_mean[compared]),
        "no_transfer_mean": mean_of_defined(alone[compared]),
        **dict.fromkeys(GAIN_SCORES, np.nan),
    }
    if oracle.no_transfer is not None:
        scores["selected_gain"] = mean_over_targets(100 * oracle.signs * (selected - base) / base, "relative gain is")
        scores["oracle_best_gain"] = mean_of_defined(100 * oracle.signs * (of_best - base) / base)
        scores["random_gain"] = mean_of_defined(100 * oracle.signs * (of_mean - base) / base)
        n_compared = (candidates & np.isfinite(alone)).sum()
        scores["helping"] = float(helps.sum() / n_compared) if n_compared else np.nan
        scores["selected_helping"] = mean_of_defined(np.where(np.isfinite(alone), (first * helps).sum(axis=0), np.nan))
    for k in (1, *options.ks):
        shares = np.array(list(_regrets(predicted, true, oracle, k, options.regret)))
        scores[f"regret@{k}"] = mean_over_targets(shares, "regret is") if k == 1 else mean_of_defined(shares)
    correlations = np.array([pearson(*ranks) for ranks in _ranks_of_both(predicted, true)])
    scores["spearman"] = mean_over_targets(correlations, "rank correlation is")
    return scores, notes


def _ranks_of_both(predicted: Ranking, true: Ranking) -> Iterator[tuple[Array, Array]]:
    """Yield each target's predicted and true ranks, of its candidates: twice (n_candidates,)."""
    for guessed, ranks, chosen in zip(predicted.ranks.T, true.ranks.T, true.candidates.T, strict=True):
        yield guessed[chosen], ranks[chosen]


def _regrets(predicted: Ranking, true: Ranking, oracle: Oracle, k: int, regret: Regret) -> Iterator[float]:
    """Yield each target's regret; where a tie leaves open which sources are among the k, its expectation."""
    shares, candidates = predicted.picks(k), true.candidates  # (s, t)
    metrics = np.where(candidates, oracle.signs * oracle.transfers.values, -np.inf)
    is_open = (shares > 0) & (shares < 1)
    best = metrics.max(axis=0)
    reached = np.where(shares == 1, metrics, -np.inf).max(axis=0)
    for j, sign in enumerate(oracle.signs):
        if regret == "mean":
            column, share = metrics[candidates[:, j], j], shares[candidates[:, j], j]
            best[j], reached[j] = np.sort(column)[::-1][:k].mean(), float(share @ column) / share.sum()
        elif is_open[:, j].any():
            reached[j] = _expected_best(metrics[is_open[:, j], j], shares[is_open[:, j], j], reached[j])
        # The best is above 0 in its own unit; where lower is better, its sign is turned here.
        yield 100 * (best[j] - reached[j]) / abs(best[j]) if sign * best[j] > 0 else np.nan


def _expected_best(metrics: Array, share: Array, floor: float) -> float:
    """Return the expectation of the best of what is picked: `floor`, and those of `metrics` that `share` draws."""
    n, chosen = len(metrics), round(share.sum())
    # Of the sorted n, the i-th (from 0) is the largest of the chosen in comb(i, chosen - 1) draws.
    odds = np.array([comb(i, chosen - 1) / comb(n, chosen) for i in range(n)])
    return float(odds @ np.maximum(np.sort(metrics), floor))


def _source_gains(true: Ranking, oracle: Oracle, gain: NdcgGain) -> Array:
    """Return what finding each source is worth: (n_sources, n_targets), 0 where it is no candidate."""
    values = np.where(true.candidates, oracle.oriented.values, np.nan)
    places = true.candidates.sum(axis=0) - true.ranks
    if gain in ("rank", "exp_rank"):
        worth = places if gain == "rank" else 2.0**places - 1
    elif gain == "linear":
        worth = values
    elif gain == "linear_minmax":
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        worth = (values - low) / np.where(high > low, high - low, np.nan)
    else:
        percent = np.nanmax(np.abs(values)) > 1
        fraction = values / 100 if percent else values
        worth = 2.0 ** (fraction if gain == "exp_fraction" else 100 * fraction) - 1
    worth = np.where(true.candidates, np.nan_to_num(worth), 0)
    if (worth < 0).any():
        source, target = (int(i[0]) for i in np.nonzero(worth < 0))
        raise UnusableData(
            f"NDCG with gain {gain!r} is not from 0 to 1 where a transfer is below 0 or lower is better, as from "
            f"{true.sources[source]} to {true.targets[target]}: take the gain rank, exp_rank or linear_minmax."
        )
    return worth


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


def _spread_over_resampled(guess: TaskMatrix, oracle: Oracle, options: ScoreOptions) -> dict[str, float] | None:
    draws, predicted = [], rank(guess)
    for drawn in resample(oracle):
        true = true_ranking(drawn)
        if not np.array_equal(true.candidates, predicted.candidates):  # of the first draw at most, as a rule
            predicted = rank(guess, true.candidates)
        draws.append(_measure(predicted, true, drawn, options)[0])
    if not draws:
        return None
    columns: Mapping[str, Array] = {name: np.array([scores[name] for scores in draws]) for name in draws[0]}
    return {name: float(np.nanstd(c, ddof=1)) for name, c in columns.items() if np.isfinite(c).any()}
