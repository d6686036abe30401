"""From pairs to sets: the value that a pairwise guess gives a set of sources, and a greedy builder of sets."""

from collections.abc import Sequence

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from ..errors import UnusableData
from ..text import listed

ROUNDING = 1e-9  # values of sets that differ by a smaller share are alike: they are sums in another order


def set_values(guess: TaskMatrix, target: str, sets: Sequence[Sequence[str]], *, redundancy: float = 0.0) -> Array:
    """Return the values that a pairwise guess gives to sets of sources for a target.

    The value of a set S for the target t is ``mean(g(s, t) for s in S) - redundancy * mean(sim(a, b) for a, b in S)``,
    the second mean over the pairs of different members, where ``sim(a, b) = (g(a, b) + g(b, a)) / 2``. A set with a
    member without an estimate has no value.

    Parameters
    ----------
    guess : TaskMatrix
        Larger is better.
    target : str
    sets : sequence of sets of str
        None of them empty.
    redundancy : float
        How much members that are like each other count against a set; 0 for not at all. It wants a guess whose
        estimates are on one scale for all targets.

    Returns
    -------
    array of shape (n_sets,)
        -inf for a set without a value.

    Raises
    ------
    UnusableData
        If the guess lacks the target or a source, or the similarity of two members; or if a set is empty.

    References
    ----------
    Fifty, Amid, Zhao, Yu, Anil & Finn (2021), Efficiently identifying task groupings for multi-task learning, NeurIPS:
    pairwise affinities are averaged to those of a set. Peng, Long & Ding (2005), Feature selection based on mutual
    information, IEEE TPAMI 27: the mean relevance less the mean redundancy; there a member is compared to itself too.
    """
    sets = [tuple(one) for one in sets]
    used = used_part(guess, [target], sorted({name for one in sets for name in one}), redundancy)
    values = used.values[None]
    return values_of(values, incidence_of(sets, used.sources), used, target, redundancy)[0]


def build_set(guess: TaskMatrix, target: str, *, size: int, redundancy: float = 0.0) -> tuple[str, ...]:
    """Return the set of sources that a pairwise guess leads to, in the order in which they were added.

    Starting from the empty set, the source whose addition gives the set of the highest value (`set_values`) is added
    until there are `size`; of several the first by name.

    Parameters
    ----------
    guess : TaskMatrix
        Larger is better; sources without an estimate for the target are left out.
    target : str
    size : int
        At least 1.
    redundancy : float
        As for `set_values`.

    Raises
    ------
    UnusableData
        If the guess lacks the target, has fewer sources for it than `size`, or no similarity of two sources.
    """
    if target not in guess.targets:
        raise UnusableData(f"the guess has no target {target!r}; it has {listed(guess.targets)}.")
    column = guess.values[:, guess.targets.index(target)]
    free = sorted(name for name, value in zip(guess.sources, column, strict=True) if np.isfinite(value))
    if not 1 <= size <= len(free):
        raise UnusableData(f"a set of {size} sources cannot be built for {target!r}: the guess has {len(free)} for it.")
    members = list[str]()
    while len(members) < size:
        values = set_values(guess, target, [(*members, name) for name in free], redundancy=redundancy)
        members.append(free.pop(int(np.argmax(are_highest(values[None])[0]))))
    return tuple(members)


def used_part(guess: TaskMatrix, targets: Sequence[str], members: Sequence[str], redundancy: float) -> TaskMatrix:
    """Return the part of a guess that values sets of these members for these targets, in the order of the names."""
    if not 0 <= redundancy < np.inf:
        raise UnusableData(f"redundancy={redundancy}; expected a number, 0 or more.")
    if lacking := [name for name in targets if name not in guess.targets]:
        raise UnusableData(f"the guess lacks the targets {listed(lacking)}; it has {listed(guess.targets, 8)}.")
    if lacking := [name for name in members if name not in guess.sources]:
        raise UnusableData(f"the guess lacks the sources {listed(lacking)}; it has {listed(guess.sources, 8)}.")
    columns = sorted({*targets, *(members if redundancy else ())})
    if lacking := [name for name in columns if name not in guess.targets]:
        raise UnusableData(f"redundancy compares members of a set, but the guess has no targets {listed(lacking)}.")
    return guess.part(members, columns)


def incidence_of(sets: Sequence[Sequence[str]], sources: Sequence[str]) -> Array:
    """Return which sources each set holds: (n_sets, n_sources), 0 or 1."""
    if not all(sets):
        raise UnusableData("the empty set has no value: it is the target alone.")
    return np.array([[name in one for name in sources] for one in sets], float)


def values_of(block: Array, incidence: Array, used: TaskMatrix, target: str, redundancy: float) -> Array:
    """Return the value of each set for a target, -inf without one, by several guesses: (n_guesses, n_sets).

    `block` is (n_guesses, n_sources, n_targets), of the tasks of `used`.
    """
    column = block[:, :, used.targets.index(target)]  # (n_guesses, n_sources)
    sizes = incidence.sum(axis=1)
    values = np.nan_to_num(column) @ incidence.T / sizes
    is_lost = np.isnan(column).astype(float) @ incidence.T > 0
    if redundancy and (sizes > 1).any():
        # The sum over both directions of each pair is twice that of the pairs' mean similarities.
        alike = block[:, :, [used.targets.index(name) for name in used.sources]]  # (n_guesses, n_sources, n_sources)
        pairs = sizes * (sizes - 1)
        total = np.einsum("ms,dst,mt->dm", incidence, np.nan_to_num(alike), incidence)
        values = values - redundancy * np.divide(total, pairs, out=np.zeros_like(total), where=pairs > 0)
        unknown = np.isnan(alike) & ~np.eye(len(used.sources), dtype=bool)
        is_lost |= np.einsum("ms,dst,mt->dm", incidence, unknown.astype(float), incidence) > 0
    return np.where(is_lost, -np.inf, values)


def are_highest(values: Array) -> Array:
    """Return which of the values (n_guesses, n_sets) are the highest of a guess: all of them, if none has a value."""
    highest = values.max(axis=1, keepdims=True)
    lowest = np.where(np.isfinite(highest), highest - ROUNDING * np.maximum(1e-300, np.abs(highest)), -np.inf)
    return values >= lowest
