"""Ranks and scores: guess and truth go through the same `rank`."""

from dataclasses import dataclass

import numpy as np

from .errors import UnusableData
from .records import Array, Oracle, TaskMatrix


@dataclass(frozen=True, eq=False)
class Ranking:
    """The sources of each target, best first.

    `ranks` (n_sources, n_targets): 1 is best, ties share their mean, NaN for a task with itself. `better` and `equal`
    of the same shape count the other sources that score higher, and those that score the same (itself included).
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    ranks: Array
    better: Array
    equal: Array

    def order(self, target: str) -> list[str]:
        """Return a target's sources, best first; ties in the order of the sources."""
        column = self.ranks[:, self.targets.index(target)]
        return [self.sources[i] for i in np.argsort(column, kind="stable") if np.isfinite(column[i])]

    def picks(self, k: int) -> Array:
        """Return how likely each source is among the first k when ties are broken at random.

        Returns
        -------
        array of shape (n_sources, n_targets)
            Each column sums to k, or to the number of sources if there are fewer.
        """
        share = np.clip((k - self.better) / np.maximum(self.equal, 1), 0, 1)
        return np.where(np.isfinite(self.ranks), share, 0)


def rank(matrix: TaskMatrix) -> Ranking:
    """Rank the sources of each target by score, larger is better.

    Ties share their mean rank; NaN ("no estimate") ranks last; a task is no source for itself.
    """
    values, same = matrix.values, matrix.same
    # NaN below every score: two missing estimates tie, a score and a missing one do not.
    low = np.nanmin(values, initial=0.0) - 1.0
    filled = np.where(np.isnan(values), low, values)  # (s, t)
    others = ~same[None, :, :] & ~same[:, None, :]  # (s, s', t): s and s' both candidates for t
    better = ((filled[None, :, :] > filled[:, None, :]) & others).sum(axis=1)  # (s, t)
    equal = ((filled[None, :, :] == filled[:, None, :]) & others).sum(axis=1)
    ranks = np.where(same, np.nan, better + (equal + 1) / 2)
    return Ranking(matrix.sources, matrix.targets, ranks, better, equal)


@dataclass(frozen=True)
class Scores:
    """How good a ranking is, against an oracle.

    Attributes
    ----------
    trs : float
        Mean oracle rank of the predicted best source; 1 is perfect (paper, section 4.3).
    trs_chance, trs_p : float
        Its expectation under random choice, and the exact probability of one as low or lower.
    trs_interval : tuple of two floats
        95 % bootstrap interval over targets.
    top_k, top_k_chance : dict of str to float
        Share of the k predicted best sources among the oracle's top M; and its expectation (paper, Table 3).
    selected_mean, oracle_best_mean, random_mean, no_transfer_mean : float
        Mean over targets of the target's metric after the predicted best, the truly best and a random source, and
        without any (None where the oracle does not know it).
    per_target : dict of str to float
        The oracle rank of each target's predicted best source.
    """

    trs: float
    trs_chance: float
    trs_p: float
    trs_interval: tuple[float, float]
    top_k: dict[str, float]
    top_k_chance: dict[str, float]
    top_m: int
    selected_mean: float
    oracle_best_mean: float
    random_mean: float
    no_transfer_mean: float | None
    per_target: dict[str, float]


def scores(
    predicted: Ranking, true: Ranking, oracle: Oracle, *, ks: tuple[int, ...] = (3, 4, 5), top_m: int = 6
) -> Scores:
    """Score a predicted ranking against the true one.

    Parameters
    ----------
    predicted, true : Ranking
        Of the same sources and targets.
    oracle : Oracle
        The transfers that `true` ranks.
    ks, top_m : int
        The k and M of top-k in top-M.

    Raises
    ------
    UnusableData
        If the rankings are of different tasks, or a target has no candidate source.
    """
    if (predicted.sources, predicted.targets) != (true.sources, true.targets):
        raise UnusableData("the predicted and the true ranking are of different tasks.")
    candidates = np.isfinite(true.ranks)  # (s, t)
    n_candidates = candidates.sum(axis=0)  # (t,)
    if not len(true.targets) or (n_candidates == 0).any():
        raise UnusableData("a target has no candidate source.")
    ranks = np.where(candidates, true.ranks, 0)
    values = np.where(candidates, oracle.transfers.values, np.nan)  # (s, t)
    known = np.nan_to_num(values, nan=0.0)
    best = predicted.picks(1)
    picked = (best * ranks).sum(axis=0)  # (t,)
    in_top = candidates & (ranks <= top_m)
    reach = {k: np.minimum(k, n_candidates) for k in ks}
    return Scores(
        trs=float(picked.mean()),
        trs_chance=float(((n_candidates + 1) / 2).mean()),
        trs_p=chance_p(true, float(picked.sum())),
        trs_interval=bootstrap_interval(picked),
        top_k={str(k): float(((predicted.picks(k) * in_top).sum(axis=0) / reach[k]).mean()) for k in ks},
        top_k_chance={str(k): float((in_top.sum(axis=0) / n_candidates).mean()) for k in ks},
        top_m=top_m,
        selected_mean=float((best * known).sum(axis=0).mean()),
        oracle_best_mean=float(np.nanmax(values, axis=0).mean()),
        random_mean=float(np.nanmean(values, axis=0).mean()),
        no_transfer_mean=None if oracle.no_transfer is None else float(np.mean(oracle.no_transfer)),
        per_target={t: float(r) for t, r in zip(true.targets, picked, strict=True)},
    )


def chance_p(true: Ranking, total: float) -> float:
    """Return the exact probability that random choices have a sum of ranks of at most `total`.

    The distributions of the targets' ranks are convolved on a grid of halves, on which all average ranks lie.
    """
    law = np.ones(1)
    for column in true.ranks.T:
        doubled = np.rint(2 * column[np.isfinite(column)]).astype(int)
        law = np.convolve(law, np.bincount(doubled) / len(doubled))
    return float(min(1.0, law[: int(np.floor(2 * total + 1e-9)) + 1].sum()))


def bootstrap_interval(picked: Array, *, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean rank over resampled targets; `picked` is (n_targets,)."""
    rows = np.random.default_rng(seed).integers(len(picked), size=(draws, len(picked)))
    low, high = np.percentile(picked[rows].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
