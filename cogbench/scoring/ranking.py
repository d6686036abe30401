"""Ranks: guess and truth go through the same `rank`."""

from dataclasses import dataclass

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix


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

    @property
    def candidates(self) -> Array:
        """Which sources a target can choose from: (n_sources, n_targets) of bool."""
        return np.isfinite(self.ranks)

    def picks(self, k: int) -> Array:
        """Return how likely each source is among the first k when ties are broken at random.

        Returns
        -------
        array of shape (n_sources, n_targets)
            Each column sums to k, or to the number of sources if there are fewer.
        """
        share = np.clip((k - self.better) / np.maximum(self.equal, 1), 0, 1)
        return np.where(np.isfinite(self.ranks), share, 0)


def picked_ranks(predicted: Ranking, true: Ranking) -> Array:
    """Return the true rank of each target's predicted best source, tied ones averaged: (n_targets,)."""
    return (predicted.picks(1) * np.where(true.candidates, true.ranks, 0)).sum(axis=0)


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
