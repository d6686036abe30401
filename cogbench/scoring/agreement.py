"""How alike matrices and rankings are: over pairs of results, seeds and subjects."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from .ranking import rank


def agreement(a: TaskMatrix, b: TaskMatrix) -> tuple[int, float | None, float | None, float | None]:
    """Return the number of cells, Pearson's and Spearman's correlation over them, and the mean one over targets.

    Both matrices (n_sources, n_targets) are of the same tasks in the same order.
    """
    known = np.isfinite(a.values) & np.isfinite(b.values)
    if a.sources == a.targets and all(np.allclose(m.values, m.values.T, equal_nan=True) for m in (a, b)):
        known = np.triu(known)
    x, y = a.values[known], b.values[known]
    columns = zip(rank(a).ranks.T, rank(b).ranks.T, strict=True)
    by_target = (_pearson(p[np.isfinite(p)], q[np.isfinite(p)]) for p, q in columns)
    return len(x), _known(_pearson(x, y)), _known(_pearson(_ranks(x), _ranks(y))), _over(by_target)


def steadiness(matrices: Sequence[TaskMatrix]) -> tuple[float | None, float | None, float | None, float]:
    """Return the mean correlation of two matrices, and of two rankings, Kendall's W, and the agreement on the best."""
    alike = _over(p for a, b in combinations(matrices, 2) if (p := agreement(a, b)[1]) is not None)
    rankings = [rank(m) for m in matrices]
    columns = [c[:, np.isfinite(c[0])] for c in np.stack([r.ranks for r in rankings]).transpose(2, 0, 1)]  # (q, c)
    first = np.stack([r.picks(1) for r in rankings])  # (q, s, t)
    same = [(first[i] * first[j]).sum(axis=0).mean() for i, j in combinations(range(len(first)), 2)]
    return alike, _over(map(mean_spearman, columns)), _over(map(kendalls_w, columns)), float(np.mean(same))


def mean_spearman(ranks: Array) -> float:
    """Return the mean over pairs of rows of Spearman's correlation; `ranks` is (n_seeds, n_candidates)."""
    found = [_pearson(a, b) for a, b in combinations(ranks, 2)]
    return float(np.mean(found))


def kendalls_w(ranks: Array) -> float:
    """Return Kendall's coefficient of concordance of rows, corrected for ties; `ranks` is (n_seeds, n_candidates)."""
    q, c = ranks.shape
    counts = [np.unique(row, return_counts=True)[1] for row in ranks]
    ties = sum(int((n**3 - n).sum()) for n in counts)
    most = q**2 * (c**3 - c) - q * ties
    return float(12 * np.square(ranks.sum(axis=0) - ranks.sum() / c).sum() / most) if most else float("nan")


def _pearson(x: Array, y: Array) -> float:
    """Return the correlation; NaN where one is constant or alone."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _ranks(values: Array) -> Array:
    """Return ranks from 1, ties sharing their mean: (n,)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def _over(values: Iterable[float]) -> float | None:
    known = [v for v in values if not np.isnan(v)]
    return float(np.mean(known)) if known else None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
