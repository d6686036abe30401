"""How alike matrices and rankings are: over pairs of results, seeds and subjects."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from .correlation import pearson, spearman
from .means import mean_of_defined, none_if_nan
from .ranking import rank


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
