"""What random choices reach: the exact law of their ranks, its p-value, and the bootstrap over targets."""

import numpy as np

from ..data.dataset import Array
from .ranking import Ranking


def chance_law(true: Ranking) -> Array:
    """Return the exact distribution of twice the sum of ranks of random choices, one of each target's candidates.

    The distributions of the targets' ranks are convolved on a grid of halves, on which all average ranks lie.
    """
    law = np.ones(1)
    for column in true.ranks.T:
        doubled = np.rint(2 * column[np.isfinite(column)]).astype(int)
        law = np.convolve(law, np.bincount(doubled) / len(doubled))
    return law


def chance_trs(true: Ranking) -> float:
    """Return the expectation of the mean rank of random choices."""
    return float(((true.candidates.sum(axis=0) + 1) / 2).mean())


def chance_p(law: Array, total: float) -> float:
    """Return the exact probability that random choices of a law have a sum of ranks of at most `total`."""
    return float(min(1.0, law[: int(np.floor(2 * total + 1e-9)) + 1].sum()))


def resolution(law: Array, *, level: float = 0.05) -> float:
    """Return the smallest difference of two sums from a law that is exceeded or met in at most `level` of pairs."""
    difference = np.convolve(law, law[::-1])  # from -(n - 1) to n - 1 halves
    middle = len(law) - 1
    beyond = 2 * np.cumsum(difference[::-1])[::-1][middle:]  # P(|D| >= d) for d > 0
    return float(np.flatnonzero(np.append(beyond[1:], 0) <= level)[0] + 1) / 2


def bootstrap_interval(picked: Array, *, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean rank over resampled targets; `picked` is (n_targets,)."""
    rows = np.random.default_rng(seed).integers(len(picked), size=(draws, len(picked)))
    low, high = np.percentile(picked[rows].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
