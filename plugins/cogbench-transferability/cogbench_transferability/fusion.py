"""Reciprocal rank fusion: one score of several rankings."""

from collections.abc import Sequence

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData, rank


def refuse_k(name: str, k: float) -> None:
    """Raise UnusableData, with the name of the estimator, unless 1 / (k + rank) falls from the first rank on."""
    if not -1 < k < np.inf:
        raise UnusableData(f"{name}: k={k:g}; expected a number above -1.")


def fused(matrices: Sequence[TaskMatrix], k: float = 60) -> Array:
    """Return the reciprocal rank fusion of several matrices of the same tasks.

    Parameters
    ----------
    matrices : sequence of TaskMatrix
        With n_sources × n_targets each, in the same order.
    k : float
        Added to each rank: the larger, the less the first places count.

    Returns
    -------
    array of shape (n_sources, n_targets)
        Sum over matrices of 1 / (k + rank). A matrix that has no score for a pair counts there as the mean of the
        others, so that it moves the pair neither up nor down; NaN where none has one.

    References
    ----------
    Cormack, Clarke & Büttcher (2009), Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods, SIGIR.
    """
    each = np.stack([np.where(np.isnan(m.values), np.nan, 1 / (k + rank(m).ranks)) for m in matrices])
    n_defined = (~np.isnan(each)).sum(axis=0)  # (n_sources, n_targets)
    return np.where(n_defined > 0, np.nansum(each, axis=0) / np.maximum(n_defined, 1) * len(matrices), np.nan)
