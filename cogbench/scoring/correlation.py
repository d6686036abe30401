"""Pearson's r, Spearman's rho, Kendall's tau-b, and the ranks that they stand on: of one pair, and of many at once.

In numpy alone, for `score` and `compare` would wait most of a second for scipy; the tests hold it against scipy.
"""

import numpy as np

from ..data.dataset import Array


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
