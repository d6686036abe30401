"""Pearson's r, Spearman's rho, Kendall's tau-b, and the ranks that they stand on; how alike matrices and rankings are.

In numpy alone, for `score` and `compare` would wait most of a second for scipy; the tests hold it against scipy.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from .means import mean_of_defined, none_if_nan
from .ranking import rank


def pearson(x: Array, y: Array) -> float:
    """Return Pearson's r of two sequences; NaN where one is constant, or they are shorter than 2."""
    both = np.array([x, y], np.float64)
    if both.shape[1] < 2 or not (both.max(axis=1) > both.min(axis=1)).all():
        return float("nan")
    both -= both.mean(axis=1, keepdims=True)
    products = (both @ both.T) * np.true_divide(1, both.shape[1] - 1)  # as numpy's corrcoef, in a third of its time
    x_deviation, y_deviation = np.sqrt(products.diagonal())
    return float(np.clip(products[0, 1] / x_deviation / y_deviation, -1, 1))


def spearman(x: Array, y: Array) -> float:
    """Return Spearman's rho of two sequences; NaN as for `pearson`."""
    return pearson(average_ranks(x), average_ranks(y))


def kendall(x: Array, y: Array) -> float:
    """Return Kendall's tau-b of two sequences; NaN as for `pearson`."""
    # By hand: scipy's takes thirty times as long, and 200 resampled oracles need it for each target.
    a, b = np.sign(x[:, None] - x), np.sign(y[:, None] - y)  # (n, n)
    untied = np.sqrt(np.square(a).sum() * np.square(b).sum())
    return float((a * b).sum() / untied) if untied else float("nan")


def average_ranks(values: Array) -> Array:
    """Return ranks from 1 over the last axis, equal values sharing their mean; all NaN beside a NaN."""

    def ranks(row: Array) -> Array:
        _, place, count = np.unique(row, return_inverse=True, return_counts=True)
        return np.where(np.isnan(row).any(), np.nan, (np.cumsum(count) - (count - 1) / 2)[place])

    return np.apply_along_axis(ranks, -1, values)


def pearson_of_rows(x: Array, y: Array) -> Array:
    """Return Pearson's r over the last axis; 0 where one side is constant."""
    return np.sum(_unit_vectors(x) * _unit_vectors(y), axis=-1)


def spearman_of_rows(x: Array, y: Array) -> Array:
    """Return Spearman's rho over the last axis; 0 where one side is constant."""
    return pearson_of_rows(average_ranks(x), average_ranks(y))


def pearson_of_columns(x: Array, y: Array) -> tuple[Array, Array]:
    """Return Pearson's r of each column of two (n_rows, n_columns), over the rows that both have, and their number.

    NaN for a column that is constant in either, or has fewer than 3 such rows.
    """
    both = np.isfinite(x) & np.isfinite(y)
    n = both.sum(axis=0)
    a, b = _unit_vectors(x, both, axis=0), _unit_vectors(y, both, axis=0)
    return np.where((n >= 3) & a.any(axis=0) & b.any(axis=0), (a * b).sum(axis=0), np.nan), n


def _unit_vectors(values: Array, present: Array | bool = True, axis: int = -1) -> Array:
    """Centre and scale what is present to length 1; 0 where only rounding tells the values apart."""
    values = np.where(present, values, 0).astype(np.float64)
    n = np.maximum(np.broadcast_to(present, values.shape).sum(axis=axis, keepdims=True), 1)
    centred = np.where(present, values - values.sum(axis=axis, keepdims=True) / n, 0)
    length = np.linalg.norm(centred, axis=axis, keepdims=True)
    varies = length > 1e-12 * np.linalg.norm(values, axis=axis, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=varies)


def agreement(a: TaskMatrix, b: TaskMatrix) -> tuple[int, float | None, float | None, float | None]:
    """Return the number of cells, Pearson's and Spearman's correlation over them, and the mean one over targets.

    Both matrices (n_sources, n_targets) are of the same tasks in the same order.
    """
    shared = np.isfinite(a.values) & np.isfinite(b.values)
    if a.sources == a.targets and all(np.allclose(m.values, m.values.T, equal_nan=True) for m in (a, b)):
        shared = np.triu(shared)
    x, y = a.values[shared], b.values[shared]
    columns = zip(rank(a).ranks.T, rank(b).ranks.T, strict=True)
    by_target = (pearson(p[np.isfinite(p)], q[np.isfinite(p)]) for p, q in columns)
    return len(x), none_if_nan(pearson(x, y)), none_if_nan(spearman(x, y)), none_if_nan(mean_of_defined(by_target))


def steadiness(matrices: Sequence[TaskMatrix]) -> tuple[float | None, float | None, float | None, float]:
    """Return the mean correlation of two matrices, and of two rankings, Kendall's W, and the agreement on the best."""
    alike = mean_of_defined(agreement(a, b)[1] for a, b in combinations(matrices, 2))
    rankings = [rank(m) for m in matrices]
    columns = [c[:, np.isfinite(c[0])] for c in np.stack([r.ranks for r in rankings]).transpose(2, 0, 1)]  # (q, c)
    first = np.stack([r.picks(1) for r in rankings])  # (q, s, t)
    same = [(first[i] * first[j]).sum(axis=0).mean() for i, j in combinations(range(len(first)), 2)]
    rho, w = mean_of_defined(map(mean_spearman, columns)), mean_of_defined(map(kendalls_w, columns))
    return none_if_nan(alike), none_if_nan(rho), none_if_nan(w), float(np.mean(same))


def mean_spearman(ranks: Array) -> float:
    """Return the mean over pairs of rows of Spearman's correlation; `ranks` is (n_seeds, n_candidates)."""
    return float(np.mean([pearson(a, b) for a, b in combinations(ranks, 2)]))


def kendalls_w(ranks: Array) -> float:
    """Return Kendall's coefficient of concordance of rows, corrected for ties; `ranks` is (n_seeds, n_candidates)."""
    q, c = ranks.shape
    counts = [np.unique(row, return_counts=True)[1] for row in ranks]
    ties = sum(int((n**3 - n).sum()) for n in counts)
    most = q**2 * (c**3 - c) - q * ties
    return float(12 * np.square(ranks.sum(axis=0) - ranks.sum() / c).sum() / most) if most else float("nan")
