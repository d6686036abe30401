"""Ranks: guess and truth go through the same `rank`."""

from dataclasses import dataclass

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle, TaskMatrix


@dataclass(frozen=True, eq=False)
class Ranking:
    """The sources of each target, best first.

    `ranks` (n_sources, n_targets): 1 is best, ties share their mean, NaN for what is no candidate. `better` and `equal`
    of the same shape count the candidates that score higher, and those that score the same (itself included).
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

    @property
    def candidates(self) -> Array:
        """Which sources a target can choose from: (n_sources, n_targets) of bool."""
        return np.isfinite(self.ranks)

    def picks(self, k: int) -> Array:
        """Return how likely each source is among the first k when ties are broken at random.

        Returns
        -------
        array of shape (n_sources, n_targets)
            Each column sums to k, or to the number of candidates if there are fewer.
        """
        share = np.clip((k - self.better) / np.maximum(self.equal, 1), 0, 1)
        return np.where(np.isfinite(self.ranks), share, 0)


def picked_ranks(predicted: Ranking, true: Ranking) -> Array:
    """Return the true rank of each target's predicted best source, tied ones averaged: (n_targets,)."""
    return (predicted.picks(1) * np.where(true.candidates, true.ranks, 0)).sum(axis=0)


def true_ranking(oracle: Oracle) -> Ranking:
    """Rank the sources of each target by an oracle's transfers; a transfer that was not measured is no candidate."""
    return rank(oracle.oriented, np.isfinite(oracle.transfers.values))


def rank(matrix: TaskMatrix, candidates: Array | None = None) -> Ranking:
    """Rank the sources of each target by score, larger is better.

    Ties share their mean rank; NaN ("no estimate") ranks last; a task is no source for itself.

    Parameters
    ----------
    matrix : TaskMatrix
        The scores.
    candidates : array of bool of shape (n_sources, n_targets), optional
        Which sources a target can choose from. The default is every other task.
    """
    candidates = ~matrix.same if candidates is None else candidates & ~matrix.same
    values = np.where(np.isnan(matrix.values), -np.inf, matrix.values)  # two missing estimates tie
    better, equal = np.zeros(values.shape, int), np.zeros(values.shape, int)
    for j, chosen in enumerate(candidates.T):
        column = values[chosen, j]
        ascending = np.sort(column)
        above = np.searchsorted(ascending, column, side="right")
        better[chosen, j] = len(column) - above
        equal[chosen, j] = above - np.searchsorted(ascending, column, side="left")
    ranks = np.where(candidates, better + (equal + 1) / 2, np.nan)
    return Ranking(matrix.sources, matrix.targets, ranks, better, equal)
