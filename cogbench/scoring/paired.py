"""Two guesses on the same targets: their difference, its interval, and whether it is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from .chance import ROUNDING, PValue, Relabellings, dirichlet_interval, relabelled_totals
from .ranking import Ranking, picked_ranks, rank

DRAWS = 10_000  # of the interval
EXACT = 16  # differences whose signs are all tried: 65,536 ways
POWER = 0.8
LEVEL = 0.05


@dataclass(frozen=True)
class PairedDifference:
    """The TRS of one guess less that of another, over the same targets; negative where the first is better.

    Attributes
    ----------
    difference : float
        Mean difference of the true ranks of the predicted best sources.
    interval : tuple of two floats
        Its 95 % interval over targets, by a Bayesian bootstrap.
    sign_flips : PValue
        How often the difference is as large, in either direction, when each target's difference has a sign at random.
        It takes targets for independent; they share sources.
    relabelled : PValue
        How often it is as large when both guesses get the same other names of tasks. It keeps the guesses' favourite
        sources.
    detectable : float, optional
        The smallest difference that a paired test of level .05 sees with 80 % power, at the spread of the differences;
        None for one target alone.
    """

    difference: float
    interval: tuple[float, float]
    sign_flips: PValue
    relabelled: PValue
    detectable: float | None

    @property
    def p(self) -> float:
        """The larger of both p-values: a difference is more than chance where both tests say so."""
        return max(self.sign_flips.p, self.relabelled.p)


@dataclass(frozen=True, eq=False)
class ScoredPicks:
    """The true ranks of a guess's predicted best sources, as they are and under other names of its tasks.

    `ranks` (n_targets,); `totals` (n_draws,) are the sums of ranks of the relabelled guesses.
    """

    ranks: Array
    totals: Array


def score_picks(guess: TaskMatrix, true: Ranking, names: Relabellings) -> ScoredPicks:
    """Return the picks of a guess of the sources and targets that `true` ranks, in its order."""
    ranks = picked_ranks(rank(guess, true.candidates), true)
    return ScoredPicks(ranks, relabelled_totals(guess, true, names))


def paired_difference(
    one: ScoredPicks, other: ScoredPicks, true: Ranking, names: Relabellings, *, seed: int = 0
) -> PairedDifference:
    """Compare the predicted best sources of two guesses.

    Parameters
    ----------
    one, other : ScoredPicks
        Of guesses against `true`, under the same `names`.
    true : Ranking
        The oracle's.
    names : Relabellings
        What the picks were relabelled by.
    seed : int
        Of the draws.
    """
    differences, totals = one.ranks - other.ranks, one.totals - other.totals
    rng = np.random.default_rng(seed)
    columns = [column[np.isfinite(column)] for column in true.ranks.T]
    # Of two random choices of a target, as many of each target.
    further = np.concatenate([np.subtract(*rng.choice(column, (2, 1 + DRAWS // len(columns)))) for column in columns])
    return PairedDifference(
        difference=float(differences.mean()),
        interval=dirichlet_interval(differences, further, seed=seed),
        sign_flips=sign_flips(differences, seed=seed),
        relabelled=names.p_value(np.abs(totals) >= abs(differences.sum()) - ROUNDING),
        detectable=detectable_difference(differences),
    )


def sign_flips(differences: Array, *, seed: int = 0) -> PValue:
    """Return how often the mean of differences (n,) is as far from 0 when each has a sign at random.

    All signs are tried where at most 16 differences are not 0, else 65,536 draws.

    References
    ----------
    Fisher (1935), The Design of Experiments, section 21.
    """
    moved = differences[np.abs(differences) > ROUNDING]
    exact = len(moved) <= EXACT
    if exact:
        signs = 1 - 2 * (np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1)  # (2^n, n)
    else:
        signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (2**EXACT, len(moved)))
    as_far = np.abs(signs @ moved) >= abs(moved.sum()) - ROUNDING
    n, hits = len(as_far), int(as_far.sum())
    return PValue(hits / n if exact else (1 + hits) / (1 + n), n, exact)


def detectable_difference(differences: Array) -> float | None:
    """Return the smallest mean of differences like these (n,) that a paired test sees with 80 % power; None for one.

    The test is of level .05 and two-sided; the power is that of a normal distribution with their spread.
    """
    from statistics import NormalDist

    if len(differences) < 2:
        return None
    quantiles = NormalDist().inv_cdf(1 - LEVEL / 2) + NormalDist().inv_cdf(POWER)
    return float(quantiles * differences.std(ddof=1) / np.sqrt(len(differences)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number: the chance that any of them is so small if none is more than chance.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6:65.
    """
    corrected, largest, n = [0.0] * len(p_values), 0.0, len(p_values)
    for i, place in enumerate(sorted(range(n), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (n - i) * p_values[place]))
        corrected[place] = largest
    return corrected
