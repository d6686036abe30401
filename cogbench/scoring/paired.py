"""Two guesses on the same targets: their difference, its interval, and whether it is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from .chance import ROUNDING, PValue, Relabellings, blocks_of_totals, nested_interval, relabelled_totals
from .ranking import Ranking, picked_ranks, predicted_best, rank

DRAWS = 10_000  # of the interval
TOGETHER = 2**21  # cells of the guesses that are compared together: 16 MiB
ROWS = 8  # of differences that get their signs together: 4 MiB of sums
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
    return ScoredPicks(picked_ranks(rank(guess, true.candidates), true), relabelled_totals(guess, true, names))


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
    differences = one.ranks - other.ranks
    relabelled = (one.totals - other.totals) / len(differences)
    columns = [column[np.isfinite(column)] for column in true.ranks.T]
    further = random_differences(columns, np.random.default_rng(seed))
    return nested_difference([(differences, further)], relabelled, exact=names.exact, seed=seed)


def compare_all(
    guesses: Sequence[TaskMatrix], other: TaskMatrix, true: Ranking, names: Relabellings, *, seed: int = 0
) -> list[tuple[float, float | None]]:
    """Return `p` and `detectable` of the paired difference of each guess to another, many guesses at once.

    They are those of `paired_difference`, which takes ten times as long for each guess.
    """
    compared, at_once = list[tuple[float, float | None]](), max(1, TOGETHER // true.ranks.size)
    for some in (guesses[i : i + at_once] for i in range(0, len(guesses), at_once)):
        best = predicted_best(np.stack([guess.values for guess in (other, *some)]), true.candidates)
        ranks = (best * np.where(true.candidates, true.ranks, 0)).sum(axis=1)
        differences = ranks[1:] - ranks[0]
        as_far = np.abs(differences.mean(axis=1, keepdims=True)) - ROUNDING
        hits, draws = np.zeros(len(some), int), len(names.sources)
        for totals in blocks_of_totals([other, *some], true, names):
            hits += np.count_nonzero(np.abs(totals[1:] - totals[0]) / len(true.targets) >= as_far, axis=1)
        relabelled = [PValue.of_hits(n, draws, exact=names.exact) for n in hits.tolist()]
        for difference, *p_values in zip(
            differences, sign_flips_of_rows(differences, seed=seed), relabelled, strict=True
        ):
            compared.append((max(p_value.p for p_value in p_values), detectable_difference(difference)))
    return compared


def random_differences(columns: Sequence[Array], rng: np.random.Generator) -> Array:
    """Return what two random choices of a target differ by, as many for each target's ranks: 10,000 or a few more."""
    return np.concatenate([np.subtract(*rng.choice(column, (2, 1 + DRAWS // len(columns)))) for column in columns])


def nested_difference(
    families: Sequence[tuple[Array, Array]], relabelled: Array, *, exact: bool, seed: int = 0
) -> PairedDifference:
    """Compare two guesses over families of targets: each family counts alike, however many targets it has.

    Parameters
    ----------
    families : sequence of (differences, further)
        Of each family the differences of its targets (n_targets,), and those of random choices (n_draws,): as of
        `nested_interval`.
    relabelled : array of shape (n_draws,)
        The same mean of the differences of both guesses under other names of tasks.
    exact : bool
        Whether these are all relabellings.
    seed : int
        Of the draws.
    """
    differences = [of_targets for of_targets, _ in families]
    n_targets = sum(map(len, differences))
    # So scaled that their mean is the mean over families; the sign of a target is one in all oracles of its family.
    scaled = np.concatenate([d * (n_targets / (len(d) * len(families))) for d in differences])
    mean = float(scaled.mean())
    return PairedDifference(
        difference=mean,
        interval=nested_interval(families, seed=seed),
        sign_flips=sign_flips(scaled, seed=seed),
        relabelled=PValue.counted(np.abs(relabelled) >= abs(mean) - ROUNDING, exact=exact),
        detectable=detectable_difference(*differences),
    )


def sign_flips(differences: Array, *, seed: int = 0) -> PValue:
    """Return how often the mean of differences (n,) is as far from 0 when each has a sign at random.

    All signs are tried where at most 16 differences are not 0, else 65,536 draws.

    References
    ----------
    Fisher (1935), The Design of Experiments, section 21.
    """
    return sign_flips_of_rows(differences[None], seed=seed)[0]


def sign_flips_of_rows(differences: Array, *, seed: int = 0) -> list[PValue]:
    """Return the `sign_flips` of each row (n_rows, n): rows with as many differences that are not 0 share the signs."""
    moved = np.abs(differences) > ROUNDING
    n_moved, hits = moved.sum(axis=1), np.zeros(len(moved), int)
    for n in np.unique(n_moved):
        if n <= EXACT:
            signs = 1.0 - 2 * (np.arange(2**n) >> np.arange(n)[:, None] & 1)  # (n, 2^n)
        else:
            signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (2**EXACT, n)).T.astype(np.float64)
        rows = np.flatnonzero(n_moved == n)
        for some in (rows[i : i + ROWS] for i in range(0, len(rows), ROWS)):
            values = differences[some][moved[some]].reshape(len(some), n)
            far = np.abs(values.sum(axis=1, keepdims=True)) - ROUNDING
            hits[some] = np.count_nonzero(np.abs(values @ signs) >= far, axis=1)
    counts = zip(hits.tolist(), n_moved.tolist(), strict=True)
    return [PValue.of_hits(hits, 2 ** min(n, EXACT), exact=n <= EXACT) for hits, n in counts]


def detectable_difference(*differences: Array) -> float | None:
    """Return the smallest mean difference that a paired test sees with 80 % power; None for one target.

    Parameters
    ----------
    *differences : array of shape (n_targets,)
        Differences of like spread; of several families, one array each, and the mean is that of their means.

    Notes
    -----
    The test is of level .05 and two-sided; the power is that of a normal distribution with the spread of each family.
    """
    from statistics import NormalDist

    if min(map(len, differences)) < 2:
        return None
    quantiles = NormalDist().inv_cdf(1 - LEVEL / 2) + NormalDist().inv_cdf(POWER)
    of_families = [quantiles * d.std(ddof=1) / np.sqrt(len(d)) for d in differences]
    return float(hypot(*of_families) / len(of_families))


def power_for(difference: float, detectable: float) -> float:
    """Return the power of a paired test for a difference, by the difference that it sees with 80 % power."""
    from statistics import NormalDist

    normal = NormalDist()
    bound = normal.inv_cdf(1 - LEVEL / 2)
    if not detectable:
        return 1.0
    errors = difference / detectable * (bound + normal.inv_cdf(POWER))  # the difference in standard errors
    return normal.cdf(errors - bound) + normal.cdf(-errors - bound)


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
