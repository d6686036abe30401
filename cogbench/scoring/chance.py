"""What knowing nothing reaches: choices drawn independently, and the guess itself under other names of its tasks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from math import factorial, prod
from typing import Literal

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from .ranking import Ranking, picked_ranks, predicted_best, rank

DRAWS = 9_999  # relabellings, where all of them are more
MOST_CELLS = 100_000_000  # of all relabelled matrices together: a table of 300 tasks is relabelled 1,111 times
BLOCK = 100_000  # cells of the matrices that are relabelled at once: so few that they stay in the processor's cache
LEAST_WEIGHT = 0.25  # the concentration of the weights of one or two targets, whose variance says little
ROUNDING = 1e-9  # sums of the same ranks in another order


def chance_law(true: Ranking) -> Array:
    """Return the exact distribution of twice the sum of ranks of independent choices among each target's candidates.

    The distributions of the targets' ranks are convolved on a grid of halves, on which all average ranks lie.
    """
    doubled = [np.rint(2 * column[np.isfinite(column)]).astype(int) for column in true.ranks.T]
    size = sum(int(of_target.max()) for of_target in doubled) + 1
    spectrum = np.ones(size // 2 + 1, np.complex128)
    alike = Counter(tuple(np.bincount(of_target)) for of_target in doubled)  # without ties all targets are alike
    for counts, n_targets in alike.items():
        spectrum *= np.fft.rfft(np.array(counts) / sum(counts), size) ** n_targets
    return np.maximum(np.fft.irfft(spectrum, size), 0)


def chance_trs(true: Ranking) -> float:
    """Return the expectation of the mean rank of random choices."""
    return float(((true.candidates.sum(axis=0) + 1) / 2).mean())


def independent_p(law: Array, total: float) -> float:
    """Return the exact probability that independent choices of a law have a sum of ranks of at most `total`.

    It is too small for an estimator that prefers the same sources for many targets: `relabelled_p` is not.
    """
    return float(min(1.0, law[: int(np.floor(2 * total + ROUNDING)) + 1].sum()))


def interval_over_targets(picked: Array, true: Ranking, *, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean rank over targets, by a Bayesian bootstrap; `picked` is (n_targets,).

    The weights of the targets are drawn from a Dirichlet distribution in which one further target stands, whose
    predicted best source is drawn at random among the candidates of any target. So no interval has width zero, and it
    covers the mean in about 95 % of simulated cases: docs/inference.md.

    References
    ----------
    Rubin (1981), The Annals of Statistics 9:130, on the Bayesian bootstrap.
    """
    every = true.ranks[true.candidates]
    return dirichlet_interval(picked, np.random.default_rng(seed).choice(every, draws), seed=seed)


def dirichlet_interval(values: Array, further: Array, *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `values` (n,), drawn with one of `further` (n_draws,) each time."""
    return nested_interval([(values, further)], seed=seed)


def nested_interval(families: Sequence[tuple[Array, Array]], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean over families of each family's mean over its targets.

    Of one family the weights are those of the Bayesian bootstrap, with one further target. A further target in each of
    several families would draw their mean to chance, the more so the more families there are: coverage would fall to
    .55. So all families together have one, and without it the weights must vary a little more.

    Parameters
    ----------
    families : sequence of (values, further)
        Of each family the values of its targets (n_targets,), where a target of several oracles has one value, the
        mean over them; and the values of one further target, (n_draws,), as many for each family.
    seed : int
        Of the weights: those of a family's targets are drawn from a Dirichlet distribution, apart from other families.

    References
    ----------
    Rubin (1981), The Annals of Statistics 9:130, on the Bayesian bootstrap.
    """
    draws = len(families[0][1])
    means, own = np.zeros(draws), 0.0
    for i, (values, further) in enumerate(families):
        rng = np.random.default_rng(seed + 1 + 2 * i)
        n, shape = len(values), (draws, len(values) + 1)
        if len(families) == 1:
            weights = rng.standard_exponential(shape)
        else:  # the variance of such weights is that of the mean: s² / n
            weights = rng.standard_gamma(max((n - 2) / n, LEAST_WEIGHT), shape)
            weights[:, -1] = rng.standard_gamma(1 / len(families), draws)
        weights /= weights.sum(axis=1, keepdims=True)
        means += (weights[:, :-1] @ values + weights[:, -1] * further) / len(families)
        own += float(values.mean()) / len(families)
    low, high = np.percentile(means, [2.5, 97.5])
    return round(float(min(low, own)), 9), round(float(max(high, own)), 9)


@dataclass(frozen=True)
class PValue:
    """How often a guess under other names of its tasks does as well as under its own.

    `p` is (1 + hits) / (1 + draws) over `draws` seeded relabellings; where `exact`, the share of all of them.
    """

    p: float
    draws: int
    exact: bool

    @classmethod
    def counted(cls, as_good: Array, *, exact: bool) -> "PValue":
        """Return the p-value of which relabellings (n_draws,) of bool do as well."""
        return cls.of_hits(int(as_good.sum()), len(as_good), exact=exact)

    @classmethod
    def of_hits(cls, hits: int, draws: int, *, exact: bool) -> "PValue":
        """Return the p-value where so many of the draws do as well."""
        return cls(hits / draws if exact else (1 + hits) / (1 + draws), draws, exact)


@dataclass(frozen=True, eq=False)
class Relabellings:
    """Other names for the tasks of a guess: whose estimates stand under the name of each task.

    Parameters
    ----------
    sources : array of int of shape (n_draws, n_sources)
    targets : array of int of shape (n_draws, n_targets)
        Places in the guess. A task that is a source and a target has the same new name in both.
    exact : bool
        Whether these are all relabellings, the guess's own names among them.
    """

    sources: Array
    targets: Array
    exact: bool

    def apply(self, values: Array) -> Iterator[Array]:
        """Yield the relabelled values in blocks of (n_block, n_sources, n_targets)."""
        for cells in blocks_of_cells(self.sources, self.targets):
            yield values.take(cells)

    @cached_property
    def inverse(self) -> tuple[Array, Array]:
        """Under which names the estimates of each task stand: (n_draws, n_sources) and (n_draws, n_targets)."""
        return _inverse(self.sources), _inverse(self.targets)

    def p_value(self, as_good: Array) -> PValue:
        """Return the p-value of which relabellings (n_draws,) of bool do as well."""
        return PValue.counted(as_good, exact=self.exact)


def _inverse(orders: Array) -> Array:
    """Return of each permutation in the rows of (n_draws, n) the one that undoes it."""
    inverse = np.empty_like(orders)
    np.put_along_axis(inverse, orders, np.arange(orders.shape[1])[None], axis=1)
    return inverse


def blocks_of_cells(rows: Array, columns: Array) -> Iterator[Array]:
    """Yield the places of relabelled cells in a flat matrix, in blocks of (n_block, n_rows, n_columns).

    Parameters
    ----------
    rows, columns : array of int of shape (n_draws, n_rows), (n_draws, n_columns)
        Which row and column of the matrix stand at each place in a draw.
    """
    starts, n_columns = rows * columns.shape[1], columns.shape[1]
    step = max(1, BLOCK // max(1, rows.shape[1] * n_columns))
    for i in range(0, len(rows), step):
        # One number a cell: numpy takes it twice as fast as by a pair.
        yield starts[i : i + step, :, None] + columns[i : i + step, None, :]


def relabellings(
    matrix: TaskMatrix, free: Literal["sources", "targets"] = "sources", *, draws: int = DRAWS, seed: int = 0
) -> Relabellings:
    """Return all relabellings of a matrix, or as many as `draws` of them, drawn at random.

    Tasks that are sources and targets exchange their names with each other, as rows and columns together: so an
    estimator's favourite sources stay favourite, and a symmetric matrix stays symmetric. Of the tasks that have one
    role only, those of the role `free` exchange their names too, and the others keep theirs.

    References
    ----------
    Hubert (1987), Assignment Methods in Combinatorial Data Analysis, on the quadratic assignment procedure.
    """
    (names,) = joint_relabellings([matrix], free, draws=draws, seed=seed)
    return names


def joint_relabellings(
    matrices: Sequence[TaskMatrix],
    free: Literal["sources", "targets"] = "sources",
    *,
    draws: int = DRAWS,
    seed: int = 0,
    always_drawn: bool = False,
) -> list[Relabellings]:
    """Return relabellings of several matrices: in each draw a task has the same other name in all of them.

    Tasks exchange their names with those that have the same roles in the same matrices; so of matrices of the same
    tasks all do.

    Parameters
    ----------
    matrices : sequence of TaskMatrix
    free, draws, seed
        As of `relabellings`.
    always_drawn : bool
        Whether relabellings are drawn even where all of them are fewer than `draws`.
    """
    # By their names, so that the draws do not depend on the order of the tasks.
    groups = _exchangeable_tasks(matrices, free)
    draws = max(1, min(draws, MOST_CELLS // max(1, *(matrix.values.size for matrix in matrices))))
    few = not always_drawn and sum(map(len, groups)) < 20
    exact = few and prod(factorial(len(group)) for group in groups) <= draws
    if exact:
        every = [*product(*(permutations(range(len(group))) for group in groups))]
        orders = [np.array([order[i] for order in every], int) for i in range(len(groups))]
        draws = len(every)
    else:
        rng = np.random.default_rng(seed)
        orders = [rng.permuted(np.tile(np.arange(len(group)), (draws, 1)), axis=1) for group in groups]

    def places(names: tuple[str, ...]) -> Array:
        new = np.tile(np.arange(len(names)), (draws, 1))
        for group, order in zip(groups, orders, strict=True):
            at = np.array([names.index(task) for task in group if task in names], int)
            if len(at):
                new[:, at] = at[order]
        return new

    return [Relabellings(places(matrix.sources), places(matrix.targets), exact) for matrix in matrices]


def _exchangeable_tasks(matrices: Sequence[TaskMatrix], free: Literal["sources", "targets"]) -> list[list[str]]:
    """Return the groups of tasks that exchange their names: those of the same roles in all matrices."""
    alone = "one role" if free == "sources" else "kept"
    others = "kept" if free == "sources" else "one role"
    roles: dict[str, list[str]] = {}
    for i, matrix in enumerate(matrices):
        for task in dict.fromkeys([*matrix.sources, *matrix.targets]):
            role = "both" if task in matrix.sources and task in matrix.targets else ""
            role = role or (alone if task in matrix.sources else others)
            roles.setdefault(task, ["absent"] * len(matrices))[i] = role
    groups: dict[tuple[str, ...], list[str]] = {}
    for task in sorted(roles):
        if "kept" not in roles[task]:
            groups.setdefault(tuple(roles[task]), []).append(task)
    in_order = sorted(groups, key=lambda roles_of_group: ([role != "both" for role in roles_of_group], roles_of_group))
    return [groups[roles_of_group] for roles_of_group in in_order]


def relabelled_totals(guess: TaskMatrix, true: Ranking, names: Relabellings) -> Array:
    """Return the sum over targets of the true ranks that each relabelled guess picks: (n_draws,).

    What a target can choose from stays with the oracle; an estimate that is missing moves with its task, and ranks
    last as in the score.
    """
    estimates = guess.values[~guess.same]
    if np.array_equal(estimates, np.broadcast_to(estimates[:1], estimates.shape), equal_nan=True):
        own = picked_ranks(rank(guess, true.candidates), true).sum()  # random choice is the same under all names
        return np.full(len(names.sources), own)
    return np.concatenate([*blocks_of_totals([guess], true, names)], axis=1)[0]


def blocks_of_totals(guesses: Sequence[TaskMatrix], true: Ranking, names: Relabellings) -> Iterator[Array]:
    """Yield the `relabelled_totals` of several guesses in blocks of draws: (n_guesses, n_block)."""
    ranks, values = np.where(true.candidates, true.ranks, 0.0), np.stack([guess.values for guess in guesses])
    if np.array_equal(true.candidates, ~guesses[0].same):  # picks move with the names: no relabelled guess is ranked
        shares = predicted_best(values, true.candidates).reshape(len(values), -1)
        picked = np.flatnonzero(shares.any(axis=0))
        sources, targets = np.divmod(picked, len(true.targets))
        shares, (rows, columns) = shares[:, picked], names.inverse
        step = max(1, BLOCK // max(1, len(picked)))
        for i in range(0, len(rows), step):
            cells = rows[i : i + step, sources] * len(true.targets) + columns[i : i + step, targets]
            yield shares @ ranks.take(cells).T
    else:
        for cells in blocks_of_cells(names.sources, names.targets):
            each = (predicted_best(guess.take(cells), true.candidates) for guess in values)
            yield np.stack([(shares * ranks).sum(axis=(1, 2)) for shares in each])


def relabelled_p(totals: Array, total: float, names: Relabellings) -> PValue:
    """Return how often relabelled guesses have a sum of ranks of at most `total`."""
    return names.p_value(totals <= total + ROUNDING)
