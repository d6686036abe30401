"""What a guess must beat: rankings that look at no model, as `evidence` for estimators and beside every score."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..data.oracle import Oracle, TaskMatrix
from .chance import chance_trs
from .ranking import picked_ranks, rank, true_ranking


def popularity_baseline(oracle: Oracle) -> TaskMatrix:
    """Return how well each source serves the other targets: the negative mean of its oracle ranks there.

    The target's own transfers are left out, and so is the source as a target; NaN where there is no other target. It
    knows the oracle's data, as AHP does, so it belongs beside AHP and not beside CRA.
    """
    ranks = true_ranking(oracle).ranks  # (s, t), NaN for what is no candidate
    ranked = np.isfinite(ranks)
    total, count = np.where(ranked, ranks, 0).sum(axis=1, keepdims=True), ranked.sum(axis=1, keepdims=True)
    rest, n = total - np.where(ranked, ranks, 0), count - ranked  # (s, t): over the other targets
    values = -np.divide(rest, n, out=np.full(rest.shape, np.nan), where=n > 0)
    return TaskMatrix(oracle.transfers.sources, oracle.transfers.targets, values)


def size_baseline(sources: Sequence[str], targets: Sequence[str], rows: Mapping[str, int]) -> TaskMatrix:
    """Return the logarithm of each source's number of training examples, the same for all targets; NaN if unknown."""
    column = np.log([rows.get(s) or np.nan for s in sources])  # (s,)
    return TaskMatrix(tuple(sources), tuple(targets), np.tile(column[:, None], (1, len(targets))))


def baselines(oracle: Oracle, rows: Mapping[str, int]) -> dict[str, float]:
    """Return the TRS of random choice (its exact expectation), of popularity, and of size where all sizes are known.

    Parameters
    ----------
    oracle : Oracle
        What rankings are scored against.
    rows : mapping of str to int
        The official number of training examples of each source, as far as known.
    """
    true = true_ranking(oracle)
    matrices = {}
    if len(true.targets) > 1:
        matrices["popularity"] = popularity_baseline(oracle)
    if all(rows.get(s) for s in true.sources):
        matrices["size"] = size_baseline(true.sources, true.targets, rows)
    of_matrices = {
        name: float(picked_ranks(rank(matrix, true.candidates), true).mean()) for name, matrix in matrices.items()
    }
    return {"random": chance_trs(true), **of_matrices}
