"""How results differ: which is better and how surely, and how alike they are across backbones, signals and seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..data.oracle import Oracle, TaskMatrix
from ..errors import AmbiguousTable, CogbenchError, UnusableData, WrongOption
from ..frames import Tabular
from ..oracles.comparison import OracleComparison, compare_oracles
from ..parts.oracle_names import find_oracle, oracle_names
from ..parts.registry import load_parts
from ..scoring.chance import PValue, relabellings
from ..scoring.correlation import agreement, steadiness
from ..scoring.evaluation import score_guess
from ..scoring.paired import LEVEL, PairedDifference, holm, paired_difference, score_picks, sign_flips
from ..scoring.ranking import Ranking, rank, true_ranking
from ..scoring.scores import KS, TOP_M, ScoreOptions, TargetScore
from ..storage.atomic import readable
from ..storage.foreign import read_json
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
class Choice:
    """The source that a result chooses for a target: all that share the first place, and what that is worth.

    `rank` is its true rank, `metric` the target's metric after it, `gain` that less the metric without a source; None
    where they are not known.
    """

    sources: tuple[str, ...]
    rank: float
    metric: float | None
    gain: float | None


@dataclass(frozen=True)
class Contest:
    """Two results on the same oracle: their difference over the same targets, and each target's two choices.

    `trs` is the first result's TRS less the second's. `p` is the larger of both its p-values, corrected for the number
    of contests by Holm's method; `told_apart` says that it is at most .05. `regret` is the difference of the regrets
    of the chosen sources in percentage points, `regret_p` how often sign flips give one as large; None where a result
    does not know the metrics.
    """

    first: str
    second: str
    oracle: str
    trs: PairedDifference
    p: float
    told_apart: bool
    regret: float | None
    regret_p: PValue | None
    choices: dict[str, tuple[Choice, Choice]]


@dataclass(frozen=True)
class Against:
    """One result's ranking against its own or another result's oracle (paper, Table 3)."""

    ranking: str
    oracle: str
    own: bool
    trs: float
    trs_chance: float
    trs_p: PValue | None
    top_k: dict[str, float]
    top_k_chance: float
    top_m: int


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """What `compare` finds."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    contests: tuple[Contest, ...]
    agreements: tuple[Agreement, ...]
    steadiness: tuple[Steadiness, ...]
    against: tuple[Against, ...]
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What was compared."""
        return f"{len(self.contests)} pairs of results on one oracle, {len(self.targets)} targets"

    @property
    def table_rows(self) -> tuple[Contest, ...]:
        """A row for each pair of results on one oracle."""
        return self.contests


@overload
def compare(*results: Result | Sequence[Result], ks: Sequence[int] = KS, top_m: int = TOP_M) -> Comparison: ...
@overload
def compare(*results: Oracle | Sequence[Oracle], ks: Sequence[int] = KS, top_m: int = TOP_M) -> OracleComparison: ...
@overload
def compare(*results: Any, ks: Sequence[int] = KS, top_m: int = TOP_M) -> Any: ...
def compare(*results: Any, ks: Sequence[int] = KS, top_m: int = TOP_M) -> Any:
    """Compare results over the same tasks, or oracles over the tasks that they share.

    Parameters
    ----------
    *results : Result, or Oracle, or sequences of them
        Each may also be a file, or the name of an oracle or a family. One result or more; of one alone, its seeds and
        its own oracle are told. Or two oracles or more: how far they agree and, where they differ in numbers of
        examples, what sources gain and from which number of target examples on transfer stops paying.
    ks, top_m : int
        The k and M of top-k in top-M, of results.

    Raises
    ------
    UnusableData
        If results are of different tasks (the message names them), one is given twice, results and oracles are mixed,
        or oracles share too few tasks.
    """
    listed = [each for some in results for each in (some if isinstance(some, list | tuple) else [some])]
    given = list[Any]()
    for each in listed:
        given += read_for_comparison(each) if isinstance(each, str | Path) else [each]
    if not given:
        raise UnusableData("there is no result to compare.")
    oracles = [each for each in given if isinstance(each, Oracle)]
    if oracles and len(oracles) < len(given):
        raise WrongOption("results are compared with results, and oracles with oracles: give one kind alone.")
    return compare_oracles(oracles) if oracles else _compare_results(given, ks, top_m)


def read_for_comparison(place: str | Path) -> list[Result] | list[Oracle]:
    """Return the result in a file, the oracle of a name or in a file, or the oracles of a family.

    Raises
    ------
    MissingData, UnusableData, UnknownName
        If there is no such file or oracle, or it cannot be read.
    """
    path, word = Path(place), str(place)
    if path.is_dir():
        readable(path)
    if path.suffix.lower() == ".json" and not _is_oracle(path):
        return [Result.load(path)]
    parts = load_parts()
    try:
        return [find_oracle(parts, name) for name in oracle_names(parts, word)]
    except AmbiguousTable as fault:
        remedy = f"Write it as json with this option: cogbench oracle export {word} … --out ORACLE.json"
        raise UnusableData(f"{fault} {remedy}, and name that file.") from None


def _is_oracle(path: Path) -> bool:
    """Whether a json file holds an oracle or a table; what cannot be read is left to the reader of results."""
    try:
        value = read_json(path)
    except (CogbenchError, ValueError):
        return False
    return isinstance(value, list) or (isinstance(value, dict) and "transfers" in value)


def _compare_results(results: Sequence[Result], ks: Sequence[int], top_m: int) -> Comparison:
    """Compare results over the same tasks."""
    sources, targets = tuple(results[0].sources), tuple(results[0].targets)
    names = short_labels(results)
    for name, result in zip(names, results, strict=True):
        _check_tasks(names[0], results[0], name, result)
    matrices = {n: r.matrix.part(sources, targets) for n, r in zip(names, results, strict=True)}
    kept = [(n, *scores) for n, r in zip(names, results, strict=True) for scores in kept_apart(r)]
    return Comparison(
        sources,
        targets,
        tuple(_contests(dict(zip(names, results, strict=True)), matrices)),
        tuple(Agreement(a, b, *agreement(matrices[a], matrices[b])) for a, b in combinations(names, 2)),
        tuple(Steadiness(n, over, len(scores), *steadiness(scores)) for n, over, scores in kept if len(scores) > 1),
        tuple(_against(dict(zip(names, results, strict=True)), matrices, ks, top_m)),
        tuple(_comparison_notes(names, results)),
    )


def kept_apart(result: Result) -> Iterator[tuple[str, list[TaskMatrix]]]:
    """Yield what a result keeps apart: the matrices of its training seeds, and of its signal's subjects."""

    def matrix(rows: Any) -> TaskMatrix:
        return TaskMatrix(tuple(result.sources), tuple(result.targets), np.array(rows, np.float64))

    yield "training seeds", [matrix(rows) for rows in result.by_seed]
    subjects = [details["by_subject"] for details in result.details if "by_subject" in details]  # of each seed
    if subjects:
        try:
            means = [np.mean([np.array(details[s], np.float64) for details in subjects], axis=0) for s in subjects[0]]
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
        labels = [way(r) for r in results]
        if len({*labels}) == len(labels):
            return labels
    twice = next(name for name in labels if labels.count(name) > 1)
    raise WrongOption(f"result {twice} is given twice.")


def _check_tasks(first_name: str, first: Result, name: str, result: Result) -> None:
    for role in ("sources", "targets"):
        ours, theirs = {*getattr(first, role)}, {*getattr(result, role)}
        if ours != theirs:
            differences = [
                f"only {n} has {', '.join(sorted(tasks))}"
                for n, tasks in ((first_name, ours - theirs), (name, theirs - ours))
                if tasks
            ]
            raise UnusableData(f"the results are of different {role}: {'; '.join(differences)}.")


def _contests(results: Mapping[str, Result], matrices: Mapping[str, TaskMatrix]) -> Iterator[Contest]:
    """Yield a contest for each two results that were scored against the same transfers."""
    truths = {name: oracle_of(result, matrices[name]) for name, result in results.items()}
    pairs = [
        (one, other)
        for one, other in combinations(results, 2)
        if (truth := truths[one]) and (same := truths[other]) and _same_values(truth.transfers, same.transfers)
    ]
    contests = [_contest(one, other, results, matrices, truths[one]) for one, other in pairs]  # type: ignore[arg-type]
    corrected = holm([contest.p for contest in contests])
    for contest, p in zip(contests, corrected, strict=True):
        yield replace(contest, p=p, told_apart=p <= LEVEL)


def _contest(
    one: str, other: str, results: Mapping[str, Result], matrices: Mapping[str, TaskMatrix], oracle: Oracle
) -> Contest:
    """Return the contest of two results; its p is not yet corrected."""
    true, names = true_ranking(oracle), relabellings(matrices[one])
    first, second = (score_picks(matrices[name], true, names) for name in (one, other))
    trs = paired_difference(first, second, true=true, names=names)
    choices = {
        target: (
            _choice(results[one], matrices[one], true, target),
            _choice(results[other], matrices[other], true, target),
        )
        for target in true.targets
    }
    regrets = [_regrets(results[name], true.targets) for name in (one, other)]
    both = np.isfinite(regrets[0]) & np.isfinite(regrets[1])
    difference = (regrets[0] - regrets[1])[both]
    return Contest(
        first=one,
        second=other,
        oracle=oracle.name,
        trs=trs,
        p=trs.p,
        told_apart=False,
        regret=float(difference.mean()) if both.any() else None,
        regret_p=sign_flips(difference) if both.any() else None,
        choices=choices,
    )


def _choice(result: Result, matrix: TaskMatrix, true: Ranking, target: str) -> Choice:
    first = rank(matrix, true.candidates).picks(1)[:, true.targets.index(target)] > 0
    score = _target_score(result, target)
    gain = None if score.selected is None or score.no_transfer is None else score.selected - score.no_transfer
    sources = tuple(source for source, is_first in zip(true.sources, first, strict=True) if is_first)
    return Choice(sources, score.rank, score.selected, gain)


def _target_score(result: Result, target: str) -> TargetScore:
    assert result.scores is not None  # a contest is between scored results
    return result.scores.per_target[target]


def _regrets(result: Result, targets: Sequence[str]) -> np.ndarray:
    """Return what each target loses against its best source, in percent of that; NaN where it is not known."""
    scores = [_target_score(result, target) for target in targets]
    scored = [(s.selected, s.best) if s.selected is not None and s.best is not None else (np.nan, 1.0) for s in scores]
    return np.array([100 * abs(best - selected) / best if best > 0 else np.nan for selected, best in scored])


def _against(
    results: dict[str, Result], matrices: dict[str, TaskMatrix], ks: Sequence[int], top_m: int
) -> Iterator[Against]:
    """Yield each ranking against each oracle that a result was scored against, its own first."""
    truths = {name: oracle_of(result, matrices[name]) for name, result in results.items()}
    oracles: dict[bytes, Oracle] = {}
    for truth in truths.values():
        if truth is not None:
            oracles.setdefault(truth.transfers.values.tobytes(), truth)
    for name, matrix in matrices.items():
        own = truths[name]
        rows = [
            (own is not None and _same_values(own.transfers, oracle.transfers), oracle) for oracle in oracles.values()
        ]
        for is_own, oracle in sorted(rows, key=lambda row: not row[0]):
            s = score_guess(matrix, oracle, ScoreOptions(ks, top_m))
            chance = s.top_k.chance[str(ks[0])]  # the same for every k
            yield Against(name, oracle.name, is_own, s.trs.value, s.trs.chance, s.trs.p, s.top_k.share, chance, top_m)


def _same_values(one: TaskMatrix, other: TaskMatrix) -> bool:
    return np.array_equal(one.values, other.values, equal_nan=True)


def oracle_of(result: Result, like: TaskMatrix | None = None) -> Oracle | None:
    """Return the oracle that ranks sources as a result's did: its transfers are the negative ranks.

    In the order of the tasks of `like`; by default in the result's own. None where the result was not scored.
    """
    like = like or result.matrix
    if result.oracle_ranks is None or result.oracle is None:
        return None
    values = [[-result.oracle_ranks[t].get(s, np.nan) for t in like.targets] for s in like.sources]
    matrix = TaskMatrix(like.sources, like.targets, np.array(values))
    return Oracle(result.oracle.name, result.oracle.backbone, suite=result.suite, transfers=matrix)


def _comparison_notes(names: Sequence[str], results: Sequence[Result]) -> Iterator[str]:
    for name, result in zip(names, results, strict=True):
        if result.oracle_ranks is None:
            yield f"{name} was not scored: it brings no oracle"
        if result.is_outdated:
            yield f"an older schema scored {name}: `cogbench score` computes its scores anew"
        if result.uses_oracle:
            yield f"{name} used the data of its own oracle"
        if result.synthetic:
            yield f"{name}: synthetic {' and '.join(result.synthetic)}, made by a generator"
