"""How alike results are: across backbones, signals and estimators, across seeds, and under each other's oracle."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..data.oracle import Oracle, TaskMatrix
from ..errors import UnusableData
from ..scoring.agreement import agreement, steadiness
from ..scoring.evaluation import KS, TOP_M, score_ranking
from ..scoring.ranking import rank
from .result import Result


@dataclass(frozen=True)
class Agreement:
    """How alike the similarity matrices of two results are; None where undefined.

    `pearson` and `spearman` are over the `cells` off the diagonal that both know; where both matrices are symmetric,
    each pair of tasks is one cell. `by_target` is the mean over targets of Spearman's correlation of the sources.
    """

    first: str
    second: str
    cells: int
    pearson: float | None
    spearman: float | None
    by_target: float | None


@dataclass(frozen=True)
class Steadiness:
    """How alike one result's training seeds are, or the subjects of its signal (paper, Figure 7); None where undefined.

    `over` says which, `count` how many. `pearson` is the mean correlation of two of their matrices off the diagonal;
    the others are of the rankings, in the mean over targets: `spearman` the mean over pairs, `kendall_w` Kendall's
    coefficient of concordance, `same_best` how often two agree on the best source.
    """

    result: str
    over: str
    count: int
    pearson: float | None
    spearman: float | None
    kendall_w: float | None
    same_best: float


@dataclass(frozen=True)
class Against:
    """One result's ranking against its own or another result's oracle (paper, Table 3)."""

    ranking: str
    oracle: str
    own: bool
    trs: float
    trs_chance: float
    trs_p: float
    top_k: dict[str, float]
    top_k_chance: float
    top_m: int


@dataclass(frozen=True)
class Comparison:
    """What `compare` finds."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    agreements: tuple[Agreement, ...]
    steadiness: tuple[Steadiness, ...]
    against: tuple[Against, ...]
    notes: tuple[str, ...]


def compare(results: Sequence[Result], *, ks: Sequence[int] = KS, top_m: int = TOP_M) -> Comparison:
    """Compare results over the same tasks.

    Parameters
    ----------
    results : sequence of Result
        One or more; of one alone, its seeds and its own oracle are told.
    ks, top_m : int
        The k and M of top-k in top-M.

    Raises
    ------
    UnusableData
        If results are of different tasks (the message names them), or one is given twice.
    """
    if not results:
        raise UnusableData("there is no result to compare.")
    sources, targets = tuple(results[0].sources), tuple(results[0].targets)
    names = short_labels(results)
    for name, result in zip(names, results, strict=True):
        _check_tasks(names[0], results[0], name, result)
    matrices = {n: r.matrix.part(sources, targets) for n, r in zip(names, results, strict=True)}
    kept = [(n, *of) for n, r in zip(names, results, strict=True) for of in kept_apart(r)]
    return Comparison(
        sources,
        targets,
        tuple(Agreement(a, b, *agreement(matrices[a], matrices[b])) for a, b in combinations(names, 2)),
        tuple(Steadiness(n, over, len(of), *steadiness(of)) for n, over, of in kept if len(of) > 1),
        tuple(_against(dict(zip(names, results, strict=True)), matrices, ks, top_m)),
        tuple(_comparison_notes(names, results)),
    )


def kept_apart(result: Result) -> Iterator[tuple[str, list[TaskMatrix]]]:
    """Yield what a result keeps apart: the matrices of its training seeds, and of its signal's subjects."""

    def matrix(rows: Any) -> TaskMatrix:
        return TaskMatrix(tuple(result.sources), tuple(result.targets), np.array(rows, np.float64))

    yield "training seeds", [matrix(rows) for rows in result.by_seed]
    subjects = [of["by_subject"] for of in result.details if "by_subject" in of]  # of each seed
    if subjects:
        try:
            means = [np.mean([np.array(of[s], np.float64) for of in subjects], axis=0) for s in subjects[0]]
        except (ValueError, TypeError, KeyError, IndexError) as error:  # what an estimator tells is its own affair
            raise UnusableData(f"{result.estimator}: its by_subject holds no matrix for each subject.") from error
        yield "subjects", [matrix(mean) for mean in means]


def short_labels(results: Sequence[Result]) -> list[str]:
    """Return a name for each result, as short as sets them apart."""
    ways: list[Callable[[Result], str]] = [
        lambda r: f"{r.estimator} on {r.backbone}",
        lambda r: f"{r.estimator} on {r.backbone}, {r.signal or 'no signal'}",
        lambda r: f"{r.estimator} on {r.backbone}, {r.oracle.name if r.oracle else 'no oracle'}",
        lambda r: r.file_name.removesuffix(".json"),
    ]
    for way in ways:
        found = [way(r) for r in results]
        if len({*found}) == len(found):
            return found
    twice = next(name for name in found if found.count(name) > 1)
    raise UnusableData(f"result {twice} is given twice.")


def _check_tasks(first_name: str, first: Result, name: str, result: Result) -> None:
    for role in ("sources", "targets"):
        ours, theirs = {*getattr(first, role)}, {*getattr(result, role)}
        if ours != theirs:
            told = [
                f"only {n} has {', '.join(sorted(of))}"
                for n, of in ((first_name, ours - theirs), (name, theirs - ours))
                if of
            ]
            raise UnusableData(f"the results are of different {role}: {'; '.join(told)}.")


def _against(
    results: dict[str, Result], matrices: dict[str, TaskMatrix], ks: Sequence[int], top_m: int
) -> Iterator[Against]:
    """Yield each ranking against each oracle that a result was scored against, its own first."""
    like = next(iter(matrices.values()))
    truths = {n: _truth(r, like) for n, r in results.items()}
    oracles: dict[bytes, tuple[str, TaskMatrix]] = {}
    for name, truth in truths.items():
        if truth is not None:
            used = results[name].oracle
            oracles.setdefault(truth.values.tobytes(), (used.name if used else name, truth))
    for name, matrix in matrices.items():
        own = truths[name]
        rows = [(own is not None and key == own.values.tobytes(), *of) for key, of in oracles.items()]
        for is_own, oracle, truth in sorted(rows, key=lambda row: not row[0]):
            s = score_ranking(rank(matrix), rank(truth), Oracle(oracle, "", "", truth), ks=ks, top_m=top_m)
            chance = s.top_k_chance[str(ks[0])]  # the same for every k
            yield Against(name, oracle, is_own, s.trs, s.trs_chance, s.trs_p, s.top_k, chance, top_m)


def _truth(result: Result, like: TaskMatrix) -> TaskMatrix | None:
    """Return the negative ranks of a result's oracle as a matrix: they rank as its transfers do."""
    ranks = result.oracle_ranks
    if ranks is None:
        return None
    values = [[-ranks[t].get(s, np.nan) for t in like.targets] for s in like.sources]
    return TaskMatrix(like.sources, like.targets, np.array(values))


def _comparison_notes(names: Sequence[str], results: Sequence[Result]) -> Iterator[str]:
    for name, result in zip(names, results, strict=True):
        if result.oracle_ranks is None:
            yield f"{name} was not scored: it brings no oracle"
        if result.uses_oracle:
            yield f"{name} used the data of its own oracle"
        if result.synthetic:
            yield f"{name}: synthetic {' and '.join(result.synthetic)}, made by a generator"
