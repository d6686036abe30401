"""Scores of a guess against an oracle, beside the scores that chance gives, and how the oracle's noise spreads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
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
    """Whether a guess has an estimate for at most one source of each target."""
    return bool((np.isfinite(guess.values).sum(axis=0) <= 1).all())


def score_guess(guess: TaskMatrix, oracle: Oracle, options: ScoreOptions | None = None) -> Scores:
    """Score a guess against an oracle.

    Parameters
    ----------
    guess : TaskMatrix
        Its sources and targets are those of the oracle, in the same order. Larger is better; a missing estimate ranks
        last. For a guess with at most one source for each target, `Scores.ranking` is None.
    oracle : Oracle
        The true transfers.
    options : ScoreOptions, optional
        How the scores are defined.

    Raises
    ------
    UnusableData
        If guess and oracle have different tasks, a target has no measured source, or a gain of NDCG is negative.
    """
    options = options or ScoreOptions()
    true = true_ranking(oracle)
    if (guess.sources, guess.targets) != (true.sources, true.targets):
        raise UnusableData("the guess and the oracle have different tasks.")
    if not len(true.targets):
        raise UnusableData("the oracle has no targets.")
    if not true.candidates.any(axis=0).all():
        raise UnusableData("a target has no candidate source.")
    comparison = _Comparison(rank(guess, true.candidates), true, oracle)
    selects = is_selection(guess)
    relabelled = relabellings(guess)
    choices = score_picks(guess, true, relabelled)
    rank_sum = float(choices.ranks.sum())
    return Scores(
        trs=TRS(
            value=comparison.trs,
            chance=chance_trs(true),
            p=relabelled_p(choices.totals, rank_sum, relabelled),
            p_independent=independent_p(chance_law(true), rank_sum),
            interval=interval_over_targets(choices.ranks, true),
        ),
        skill=skill_beyond_effects(guess, oracle, true=true, picks=choices, names=relabelled, selection=selects),
        top_k=comparison.top_k(options),
        metric=comparison.metric,
        gains=comparison.gains,
        regret={k: none_if_nan(value) for k, value in comparison.regret(options).items()},
        ranking=None if selects else comparison.whole_ranking(options),
        resampled=_spread_over_resampled(guess, oracle, options, selects),
        notes=tuple(comparison.notes(options, selects)),
        per_target=dict(comparison.per_target()),
    )


@dataclass(frozen=True)
class _Comparison:
    """The ranking of a guess beside the true ranking: scores, NaN where they are undefined."""

    predicted: Ranking
    true: Ranking
    oracle: Oracle

    @cached_property
    def values(self) -> Array:
        """The metric of each target after each source, 0 where the source is no candidate: (n_sources, n_targets)."""
        return np.where(self.true.candidates, self.oracle.transfers.values, 0)

    @cached_property
    def selected(self) -> Array:
        """The metric of each target after the predicted best source: (n_targets,)."""
        return (self.predicted.picks(1) * self.values).sum(axis=0)

    @cached_property
    def best(self) -> Array:
        """The metric of each target after the truly best source: (n_targets,)."""
        return (self.true.picks(1) * self.values).sum(axis=0)

    @cached_property
    def random(self) -> Array:
        """The metric to expect after a random candidate, which is the mean over the candidates: (n_targets,)."""
        return self.values.sum(axis=0) / self.true.candidates.sum(axis=0)

    @cached_property
    def no_transfer(self) -> Array:
        """The metric without a source, NaN where it is unknown: (n_targets,)."""
        scores = self.oracle.no_transfer
        return np.full(len(self.true.targets), np.nan) if scores is None else scores

    @cached_property
    def in_mean_metrics(self) -> Array:
        """The targets whose metric without a source is known, or all if none is: (n_targets,) of bool."""
        is_known = np.isfinite(self.no_transfer)
        return is_known if is_known.any() else np.ones(len(is_known), bool)

    @property
    def trs(self) -> float:
        return float(picked_ranks(self.predicted, self.true).mean())

    def top_k(self, options: ScoreOptions) -> TopK:
        is_top = self.true.candidates & (self.true.ranks <= options.top_m)
        n_candidates = self.true.candidates.sum(axis=0)
        hits = {k: (self.predicted.picks(k) * is_top).sum(axis=0) / np.minimum(k, n_candidates) for k in options.ks}
        return TopK(
            m=options.top_m,
            share={str(k): mean_of_defined(shares) for k, shares in hits.items()},
            chance={str(k): float((is_top.sum(axis=0) / n_candidates).mean()) for k in options.ks},
        )

    @property
    def metric(self) -> MeanMetric:
        selected, best, random, no_transfer = (
            mean_of_defined(values[self.in_mean_metrics])
            for values in (self.selected, self.best, self.random, self.no_transfer)
        )
        return MeanMetric(selected=selected, best=best, random=random, no_transfer=none_if_nan(no_transfer))

    def relative_gain(self, values: Array) -> Array:
        """Return the gain over no transfer in percent, (n_targets,); NaN where the metric without it is not above 0."""
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
        n_pairs = (self.true.candidates & is_known).sum()
        selected_helps = np.where(is_known, (self.predicted.picks(1) * helps).sum(axis=0), np.nan)
        return Gains(
            selected=selected,
            best=best,
            random=random,
            helping=float(helps.sum() / n_pairs) if n_pairs else None,
            selected_helping=none_if_nan(mean_of_defined(selected_helps)),
        )

    def regrets(self, k: int, options: ScoreOptions) -> Array:
        return _regrets(self.predicted, self.true, self.oracle, k, options.regret)

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
        worth = _worth_of_sources(self.true, self.oracle, options.gain)
        ks = {**{str(k): k for k in options.ks}, "all": len(worth)}
        tau = mean_of_defined(kendall(*ranks) for ranks in _ranks_of_both(self.predicted, self.true))
        return WholeRanking(
            rank_of_best=self.rank_of_best,
            ndcg={name: none_if_nan(mean_of_defined(_ndcg(self.predicted, worth, k))) for name, k in ks.items()},
            ndcg_gain=options.gain,
            spearman=none_if_nan(mean_of_defined(self.spearman)),
            kendall=none_if_nan(tau),
        )

    def per_target(self) -> Iterator[tuple[str, TargetScore]]:
        ranks = picked_ranks(self.predicted, self.true)
        for j, target in enumerate(self.true.targets):
            yield (
                target,
                TargetScore(
                    float(ranks[j]),
                    selected=none_if_nan(self.selected[j]),
                    best=none_if_nan(self.best[j]),
                    no_transfer=none_if_nan(self.no_transfer[j]),
                ),
            )

    def notes(self, options: ScoreOptions, selects: bool) -> Iterator[str]:
        """Yield which targets are left out of which mean."""
        if left_out := self._targets(~self.in_mean_metrics):
            yield f"the metric without a source is unknown for {left_out}: left out of the mean metrics"
        means = {} if self.oracle.no_transfer is None else {"relative gain": self.relative_gain(self.selected)}
        means |= {"regret": self.regrets(1, options)} | ({} if selects else {"rank correlation": self.spearman})
        for name, values in means.items():
            if left_out := self._targets(np.isnan(values)):
                yield f"{name} is undefined for {left_out}: left out of the mean"

    def _targets(self, mask: Array) -> str:
        return ", ".join(target for target, chosen in zip(self.true.targets, mask, strict=True) if chosen)

    def flat(self, options: ScoreOptions, selects: bool) -> dict[str, float | None]:
        """Return by name the scores whose spread over resampled oracles is reported."""
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
    """Yield for each target the predicted and the true ranks of its candidates, two arrays of (n_candidates,)."""
    for guessed, ranks, is_candidate in zip(predicted.ranks.T, true.ranks.T, true.candidates.T, strict=True):
        yield guessed[is_candidate], ranks[is_candidate]


def _regrets(predicted: Ranking, true: Ranking, oracle: Oracle, k: int, regret: Regret) -> Array:
    """Return each target's regret; its expectation where a tie leaves open which sources are the k predicted best."""
    shares, candidates, signs = predicted.picks(k), true.candidates, oracle.signs  # (n_sources, n_targets)
    metrics = np.where(candidates, signs * oracle.transfers.values, -np.inf)
    is_tied = (shares > 0) & (shares < 1)
    best = metrics.max(axis=0)
    reached = np.where(shares == 1, metrics, -np.inf).max(axis=0)
    if regret == "mean":
        for j, is_candidate in enumerate(candidates.T):
            column, share = metrics[is_candidate, j], shares[is_candidate, j]
            best[j], reached[j] = np.sort(column)[::-1][:k].mean(), float(share @ column) / share.sum()
    else:
        for j in np.flatnonzero(is_tied.any(axis=0)).tolist():
            reached[j] = _expected_best(metrics[is_tied[:, j], j], shares[is_tied[:, j], j], reached[j])
    # signs * best is the best metric in its own unit; regret is defined where that is above 0.
    defined = signs * best > 0
    return np.divide(100 * (best - reached), np.abs(best), out=np.full(len(best), np.nan), where=defined)


def _expected_best(metrics: Array, share: Array, best_certain: float) -> float:
    """Return the expected best of `best_certain` and of the tied sources' `metrics`, of which `share` are drawn."""
    chances = _chances_to_be_best(len(metrics), round(share.sum()))
    return float(chances @ np.maximum(np.sort(metrics), best_certain))


@cache
def _chances_to_be_best(n_tied: int, n_left: int) -> Array:
    """Return for each of tied sources in ascending order how likely it is the best of those that fill n_left places."""
    # Each choice is equally likely. Source i (from 0) is the best of the chosen ones in comb(i, n_left - 1) of all
    # comb(n_tied, n_left) choices.
    return np.array([comb(i, n_left - 1) / comb(n_tied, n_left) for i in range(n_tied)])


def _worth_of_sources(true: Ranking, oracle: Oracle, gain: NdcgGain) -> Array:
    """Return the gain of NDCG for each source: (n_sources, n_targets), 0 where it is no candidate."""
    values = np.where(true.candidates, oracle.oriented.values, np.nan)
    n_below = true.candidates.sum(axis=0) - true.ranks  # how many candidates are worse
    if gain in ("rank", "exp_rank"):
        worth = n_below if gain == "rank" else 2.0**n_below - 1
    elif gain == "linear":
        worth = values
    elif gain == "linear_minmax":
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        worth = (values - low) / np.where(high > low, high - low, np.nan)
    else:
        is_percent = np.nanmax(np.abs(values)) > 1
        fraction = values / 100 if is_percent else values
        worth = 2.0 ** (fraction if gain == "exp_fraction" else 100 * fraction) - 1
    worth = np.where(true.candidates, np.nan_to_num(worth), 0)
    if (worth < 0).any():
        source, target = (int(i[0]) for i in np.nonzero(worth < 0))
        raise UnusableData(
            f"NDCG with gain {gain!r} is not from 0 to 1 where a transfer is below 0 or lower is better, as from "
            f"{true.sources[source]} to {true.targets[target]}: take the gain rank, exp_rank or linear_minmax."
        )
    return worth


def _ndcg(predicted: Ranking, worth: Array, k: int) -> Array:
    """Return each target's NDCG at k, tied sources sharing their places: (n_targets,), NaN where no gain is above 0."""
    n = len(worth)
    discounts = np.where(np.arange(n) < k, 1 / np.log2(np.arange(n) + 2), 0)
    sums = np.concatenate([[0], np.cumsum(discounts)])
    n_tied = np.where(predicted.candidates, np.maximum(predicted.equal, 1), 1)
    # Each tied source gets the mean discount of the n_tied places that the tied sources share.
    mean_discount = (sums[np.minimum(predicted.better + n_tied, n)] - sums[predicted.better]) / n_tied
    gain = (worth * np.where(predicted.candidates, mean_discount, 0)).sum(axis=0)
    ideal = (np.sort(worth, axis=0)[::-1] * discounts[:, None]).sum(axis=0)
    return np.divide(gain, ideal, out=np.full(len(ideal), np.nan), where=ideal > 0)


def _spread_over_resampled(
    guess: TaskMatrix, oracle: Oracle, options: ScoreOptions, selects: bool
) -> dict[str, float] | None:
    """Return the standard deviation of each score over resampled oracles; None where the oracle cannot be resampled."""
    draws, predicted = [], rank(guess)
    for drawn in resample(oracle):
        true = true_ranking(drawn)
        if not np.array_equal(true.candidates, predicted.candidates):  # as a rule for the first oracle alone
            predicted = rank(guess, true.candidates)
        draws.append(_Comparison(predicted, true, drawn).flat(options, selects))
    if not draws:
        return None
    columns = {name: np.array([scores[name] for scores in draws], np.float64) for name in draws[0]}  # NaN for None
    return {name: float(np.nanstd(c, ddof=1)) for name, c in columns.items() if np.isfinite(c).any()}
