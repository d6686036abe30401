"""Ranks: guess and truth go through the same `rank`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle, TaskMatrix


@dataclass(frozen=True, eq=False)
class Ranking:
    """The sources of each target, best first.

    `ranks` (n_sources, n_targets): 1 is best, ties share their mean, NaN for what is no candidate. `better` and `equal`
    of the same shape count the candidates that score higher, and those that score the same (itself included).
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
            Each column sums to k, or to the number of candidates if there are fewer.
        """
        share = np.clip((k - self.better) / np.maximum(self.equal, 1), 0, 1)
        return np.where(np.isfinite(self.ranks), share, 0)


def predicted_best(values: Array, candidates: Array) -> Array:
    """Return `Ranking.picks(1)` of many guesses at once: how likely each source is the predicted best.

    Parameters
    ----------
    values : array of shape (n_guesses, n_sources, n_targets)
        Larger is better; NaN ("no estimate") ranks last.
    candidates : array of bool of shape (n_sources, n_targets)
        Which sources a target can choose from.
    """
    lowest = np.finfo(np.float64).min
    values = np.where(candidates, np.where(np.isnan(values), lowest, values), -np.inf)
    first = (values == values.max(axis=1, keepdims=True)) & candidates
    return first / np.maximum(first.sum(axis=1, keepdims=True), 1)


def picked_ranks(predicted: Ranking, true: Ranking) -> Array:
    """Return the true rank of each target's predicted best source, tied ones averaged: (n_targets,)."""
    return (predicted.picks(1) * np.where(true.candidates, true.ranks, 0)).sum(axis=0)


def true_ranking(oracle: Oracle) -> Ranking:
    """Rank the sources of each target by an oracle's transfers; a transfer that was not measured is no candidate."""
    return rank(oracle.oriented, np.isfinite(oracle.transfers.values))


def rank(matrix: TaskMatrix, candidates: Array | None = None) -> Ranking:
    """Rank the sources of each target by score, larger is better.

    Ties share their mean rank; NaN ("no estimate") ranks last; a task is no source for itself.

    Parameters
    ----------
    matrix : TaskMatrix
        The scores.
    candidates : array of bool of shape (n_sources, n_targets), optional
        Which sources a target can choose from. The default is every other task.
    """
    candidates = ~matrix.same if candidates is None else candidates & ~matrix.same
    values = np.where(np.isnan(matrix.values), -np.inf, matrix.values)  # two missing estimates tie
    descending = np.where(candidates, -values, np.nan).T  # (t, s), where the order of numbers is ascending, NaN last
    order = descending.argsort(axis=1)
    ordered = np.take_along_axis(descending, order, axis=1)
    places, n = np.arange(ordered.shape[1]), ordered.shape[1]
    # Equal scores are a run: where it starts, and where the next one does.
    new = np.ones(ordered.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.maximum.accumulate(np.where(new, places, 0), axis=1)
    after = np.full(ordered.shape, n)
    after[:, :-1] = np.where(new[:, 1:], places[1:], n)
    end = np.minimum.accumulate(after[:, ::-1], axis=1)[:, ::-1]
    better, equal = np.zeros(values.shape, int), np.zeros(values.shape, int)
    np.put_along_axis(better.T, order, start, axis=1)
    np.put_along_axis(equal.T, order, end - start, axis=1)
    better, equal = np.where(candidates, better, 0), np.where(candidates, equal, 0)
    ranks = np.where(candidates, better + (equal + 1) / 2, np.nan)
    return Ranking(matrix.sources, matrix.targets, ranks, better, equal)


@dataclass(frozen=True)
class Place:
    """Where one of several scores stands: `number` is 1 for the best, `shared` if others have the same number.

    `difference` is by how much the score lies below the one before, None for the first; `standard_error` is that of the
    difference, None where it is not known.
    """

    number: int
    shared: bool
    difference: float | None
    standard_error: float | None


RESOLUTION = 1e-6  # differences below this share of the largest score are rounding: features are float32


def shared_places(scores: Array, draws: Array | None) -> list[Place]:
    """Return the places of scores: one that the first score of a place is not told from shares that place.

    Parameters
    ----------
    scores : array of shape (n_scores,)
        Best first.
    draws : array of shape (n_draws, n_scores), optional
        The same scores of random halves of the data, whose standard deviation is the standard error. A score is told
        from another by two standard errors of their difference. Without draws all scores that differ are told apart.

    Notes
    -----
    Scores that differ by less than a millionth of the largest one are alike: so much is rounding.
    """
    rounding = RESOLUTION * np.abs(scores).max(initial=0)

    def error(a: int, b: int) -> float | None:
        if draws is None:
            return None
        gaps = draws[:, a] - draws[:, b]
        gaps = gaps[np.isfinite(gaps)]
        return float(np.std(gaps, ddof=1)) if len(gaps) > len(draws) / 2 else None

    numbers, first = [1] if len(scores) else [], 0
    for i in range(1, len(scores)):
        gap, of_gap = scores[first] - scores[i], error(first, i)
        alike = gap <= rounding or (draws is not None and (of_gap is None or gap < 2 * of_gap))
        first = first if alike else i
        numbers.append(first + 1)
    return [
        Place(
            number=number,
            shared=numbers.count(number) > 1,
            difference=float(scores[i - 1] - scores[i]) if i else None,
            standard_error=error(i - 1, i) if i else None,
        )
        for i, number in enumerate(numbers)
    ]


def places_of_learned(
    scores: Mapping[str, float], learned: Mapping[str, bool | None], draws: Array | None
) -> dict[str, Place]:
    """Return the places of sources, best first: those that were learned, and behind them the others.

    `scores` are in the order of the ranking, and `draws` (n_draws, n_scores) too, as `shared_places` takes them.
    """
    names, values, places = list(scores), np.array([*scores.values()]), dict[str, Place]()
    for behind_others in (False, True):
        rows = [i for i, name in enumerate(names) if (learned[name] is False) is behind_others]
        of_tier = shared_places(values[rows], None if draws is None else draws[:, rows])
        behind = len(places)
        places |= {names[i]: replace(p, number=p.number + behind) for i, p in zip(rows, of_tier, strict=True)}
    return places
