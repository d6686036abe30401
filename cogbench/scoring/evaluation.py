"""How good a guess is: scores against an oracle, what knowing nothing gives, and what the oracle's noise moves."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle, TaskMatrix
from ..data.oracle_seeds import resample
from ..errors import UnusableData
from .chance import chance_law, chance_trs, independent_p, interval_over_targets, relabelled_p, relabellings
from .correlation import kendall, pearson
from .means import mean_of_defined, none_if_nan
from .paired import score_picks
from .ranking import Ranking, picked_ranks, rank, true_ranking
from .scores import TRS, Gains, MeanMetric, NdcgGain, Regret, ScoreOptions, Scores, TargetScore, TopK, WholeRanking
from .skill import skill_beyond_effects


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
    contest = _Contest(rank(guess, true.candidates), true, oracle)
    selects = is_selection(guess)
    names = relabellings(guess)
    picks = score_picks(guess, true, names)
    total = float(picks.ranks.sum())
    return Scores(
        trs=TRS(
            value=contest.trs,
            chance=chance_trs(true),
            p=relabelled_p(picks.totals, total, names),
            p_independent=independent_p(chance_law(true), total),
            interval=interval_over_targets(picks.ranks, true),
        ),
        skill=skill_beyond_effects(guess, oracle, true=true, picks=picks, names=names, selection=selects),
        top_k=contest.top_k(options),
        metric=contest.metric,
        gains=contest.gains,
        regret={k: none_if_nan(value) for k, value in contest.regret(options).items()},
        ranking=None if selects else contest.whole_ranking(options),
        resampled=_spread_over_resampled(guess, oracle, options, selects),
        notes=tuple(contest.notes(options)),
        per_target=dict(contest.per_target()),
    )


@dataclass(frozen=True)
class _Contest:
    """A guess and the truth: the scores that the noise of the oracle moves, NaN where they are undefined."""

    predicted: Ranking
    true: Ranking
    oracle: Oracle

    @cached_property
    def values(self) -> Array:
        """The metric after each source, 0 where it is no candidate: (n_sources, n_targets)."""
        return np.where(self.true.candidates, self.oracle.transfers.values, 0)

    @cached_property
    def selected(self) -> Array:
        """The metric after the predicted best source: (n_targets,)."""
        return (self.predicted.picks(1) * self.values).sum(axis=0)

    @cached_property
    def best(self) -> Array:
        """The metric after the truly best source: (n_targets,)."""
        return (self.true.picks(1) * self.values).sum(axis=0)

    @cached_property
    def random(self) -> Array:
        """The mean metric over the sources: (n_targets,)."""
        return self.values.sum(axis=0) / self.true.candidates.sum(axis=0)

    @cached_property
    def no_transfer(self) -> Array:
        """The metric without a source, NaN where it is unknown: (n_targets,)."""
        alone = self.oracle.no_transfer
        return np.full(len(self.true.targets), np.nan) if alone is None else alone

    @cached_property
    def compared(self) -> Array:
        """Which targets the mean metrics are of: (n_targets,) of bool."""
        is_known = np.isfinite(self.no_transfer)
        return is_known if is_known.any() else np.ones(len(is_known), bool)

    @property
    def trs(self) -> float:
        return float(picked_ranks(self.predicted, self.true).mean())

    def top_k(self, options: ScoreOptions) -> TopK:
        top, n = self.true.candidates & (self.true.ranks <= options.top_m), self.true.candidates.sum(axis=0)
        hits = {k: (self.predicted.picks(k) * top).sum(axis=0) / np.minimum(k, n) for k in options.ks}
        return TopK(
            m=options.top_m,
            share={str(k): mean_of_defined(shares) for k, shares in hits.items()},
            chance={str(k): float((top.sum(axis=0) / n).mean()) for k in options.ks},
        )

    @property
    def metric(self) -> MeanMetric:
        selected, best, random, alone = (
            mean_of_defined(values[self.compared])
            for values in (self.selected, self.best, self.random, self.no_transfer)
        )
        return MeanMetric(selected=selected, best=best, random=random, no_transfer=none_if_nan(alone))

    def relative_gain(self, values: Array) -> Array:
        """Return the gain of metrics (n_targets,) on no transfer, in percent; NaN where that is not above 0."""
        base = np.where(self.no_transfer > 0, self.no_transfer, np.nan)
        return 100 * self.oracle.signs * (values - base) / base

    @property
    def gains(self) -> Gains:
        is_known = np.isfinite(self.no_transfer)
        helps = self.true.candidates & is_known & (self.oracle.signs * (self.values - self.no_transfer) > 0)
        selected, best, random = (
            none_if_nan(mean_of_defined(self.relative_gain(values)))
            for values in (self.selected, self.best, self.random)
        )
        n_compared = (self.true.candidates & is_known).sum()
        of_selected = np.where(is_known, (self.predicted.picks(1) * helps).sum(axis=0), np.nan)
        return Gains(
            selected=selected,
            best=best,
            random=random,
            helping=float(helps.sum() / n_compared) if n_compared else None,
            selected_helping=none_if_nan(mean_of_defined(of_selected)),
        )

    def regrets(self, k: int, options: ScoreOptions) -> Array:
        return np.array([*_regrets(self.predicted, self.true, self.oracle, k, options.regret)])

    def regret(self, options: ScoreOptions) -> dict[str, float]:
        return {str(k): mean_of_defined(self.regrets(k, options)) for k in (1, *options.ks)}

    @property
    def rank_of_best(self) -> float:
        ranks = np.where(self.true.candidates, self.predicted.ranks, 0)
        return mean_of_defined((self.true.picks(1) * ranks).sum(axis=0))

    @cached_property
    def spearman(self) -> Array:
        """The rank correlation of each target's sources: (n_targets,)."""
        return np.array([pearson(*ranks) for ranks in _ranks_of_both(self.predicted, self.true)])

    def whole_ranking(self, options: ScoreOptions) -> WholeRanking:
        gains = _source_gains(self.true, self.oracle, options.gain)
        ks = {**{str(k): k for k in options.ks}, "all": len(gains)}
        tau = mean_of_defined(kendall(*ranks) for ranks in _ranks_of_both(self.predicted, self.true))
        return WholeRanking(
            rank_of_best=self.rank_of_best,
            ndcg={name: none_if_nan(mean_of_defined(_ndcg(self.predicted, gains, k))) for name, k in ks.items()},
            ndcg_gain=options.gain,
            spearman=none_if_nan(mean_of_defined(self.spearman)),
            kendall=none_if_nan(tau),
        )

    def per_target(self) -> Iterator[tuple[str, TargetScore]]:
        ranks = picked_ranks(self.predicted, self.true)
        figures = zip(ranks, self.selected, self.best, self.no_transfer, strict=True)
        for target, (place, *metrics) in zip(self.true.targets, figures, strict=True):
            selected, best, alone = (none_if_nan(float(metric)) for metric in metrics)
            yield target, TargetScore(float(place), selected=selected, best=best, no_transfer=alone)

    def notes(self, options: ScoreOptions) -> Iterator[str]:
        """Yield which targets are left out of which mean."""
        if lost := self._undefined(np.where(self.compared, 0.0, np.nan)):
            yield f"the metric without a source is unknown for {lost}: left out of the mean metrics"
        parts = {"regret is": self.regrets(1, options), "rank correlation is": self.spearman}
        if self.oracle.no_transfer is not None:
            parts = {"relative gain is": self.relative_gain(self.selected), **parts}
        for name, values in parts.items():
            if lost := self._undefined(values):
                yield f"{name} undefined for {lost}: left out of the mean"

    def _undefined(self, values: Array) -> str:
        return ", ".join(t for t, value in zip(self.true.targets, values, strict=True) if np.isnan(value))

    def moved_by_noise(self, options: ScoreOptions, selects: bool) -> dict[str, float | None]:
        metric, gains = self.metric, self.gains
        return {
            "trs": self.trs,
            **({} if selects else {"rank_of_best": self.rank_of_best, "spearman": mean_of_defined(self.spearman)}),
            **{f"top-{k}": share for k, share in self.top_k(options).share.items()},
            "selected_mean": metric.selected,
            "oracle_best_mean": metric.best,
            "random_mean": metric.random,
            "no_transfer_mean": metric.no_transfer,
            "selected_gain": gains.selected,
            "oracle_best_gain": gains.best,
            "random_gain": gains.random,
            "helping": gains.helping,
            "selected_helping": gains.selected_helping,
            **{f"regret@{k}": regret for k, regret in self.regret(options).items()},
        }


def _ranks_of_both(predicted: Ranking, true: Ranking) -> Iterator[tuple[Array, Array]]:
    """Yield each target's predicted and true ranks, of its candidates: twice (n_candidates,)."""
    for guessed, ranks, chosen in zip(predicted.ranks.T, true.ranks.T, true.candidates.T, strict=True):
        yield guessed[chosen], ranks[chosen]


def _regrets(predicted: Ranking, true: Ranking, oracle: Oracle, k: int, regret: Regret) -> Iterator[float]:
    """Yield each target's regret; where a tie leaves open which sources are among the k, its expectation."""
    shares, values = predicted.picks(k), oracle.transfers.values  # (s, t)
    for share, column, chosen, sign in zip(shares.T, values.T, true.candidates.T, oracle.signs, strict=True):
        metrics, share = sign * column[chosen], share[chosen]
        if regret == "mean":
            best, reached = np.sort(metrics)[::-1][:k].mean(), float(share @ metrics) / share.sum()
        else:
            best, reached = metrics.max(), _expected_best(metrics, share)
        # The best is above 0 in its own unit; where lower is better, its sign is turned here.
        yield 100 * (best - reached) / abs(best) if sign * best > 0 else np.nan


def _expected_best(metrics: Array, share: Array) -> float:
    """Return the expectation of the best metric of the sources that `share` picks, ties broken at random."""
    is_open = (share > 0) & (share < 1)
    floor, n = metrics[share == 1].max(initial=-np.inf), int(np.count_nonzero(is_open))
    if not n:
        return float(floor)
    open_ = np.sort(metrics[is_open])
    # Of the sorted n, the i-th (from 0) is the largest of the chosen in comb(i, chosen - 1) draws.
    chosen = round(share[(share > 0) & (share < 1)].sum())
    odds = np.array([comb(i, chosen - 1) / comb(n, chosen) for i in range(n)])
    return float(odds @ np.maximum(open_, floor))


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


def _spread_over_resampled(
    guess: TaskMatrix, oracle: Oracle, options: ScoreOptions, selects: bool
) -> dict[str, float] | None:
    draws = []
    for drawn in resample(oracle):
        true = true_ranking(drawn)
        draws.append(_Contest(rank(guess, true.candidates), true, drawn).moved_by_noise(options, selects))
    if not draws:
        return None
    columns = {name: np.array([scores[name] for scores in draws], np.float64) for name in draws[0]}
    return {name: float(np.nanstd(c, ddof=1)) for name, c in columns.items() if np.isfinite(c).any()}
