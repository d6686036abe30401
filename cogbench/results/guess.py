"""Anybody's guess, read from a file: a matrix of similarities, or the source selected for each target."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.oracle import Oracle, TaskMatrix
from ..data.oracle_files import read_oracle, table_rows
from ..errors import UnusableData
from ..parts.registry import find_oracle
from ..scoring.baselines import baselines
from ..scoring.evaluation import KS, TOP_M, NdcgGain, Regret, ScoreOptions, Scores, score_guess
from ..scoring.ranking import Ranking, rank, true_ranking
from .result import SCHEMA_VERSION, Result, against, plain

OF_RANKINGS = ("rank_of_best", "ndcg", "ndcg_gain", "spearman", "kendall")  # scores that a selection does not have


@dataclass(frozen=True)
class Scored:
    """A guess and what it is worth: `scores` against `oracle`, and the TRS of the baselines beside it.

    Where `selections`, the guess only selects a source for each target, and the scores named in `OF_RANKINGS` mean
    nothing. `selected` has each target's selected source, or all that share the first place.
    """

    name: str
    oracle: str
    scores: Scores
    baselines: dict[str, float]
    selections: bool
    selected: dict[str, list[str]]
    notes: tuple[str, ...] = ()


def score(
    guess: TaskMatrix | Mapping[str, str] | Result | str | Path,
    oracle: str | Oracle,
    *,
    tasks: Sequence[str] | None = None,
    ks: Sequence[int] = KS,
    top_m: int = TOP_M,
    gain: NdcgGain = "rank",
    regret: Regret = "best",
    name: str | None = None,
) -> Scored:
    """Score a similarity matrix, or the selected source of each target, against an oracle.

    Parameters
    ----------
    guess : TaskMatrix, mapping of target to source, Result, or path
        What is scored; a path as `read_guess` takes it.
    oracle : str or Oracle
        An installed oracle's name, a file, or an oracle.
    tasks : sequence of str, optional
        A part of the tasks; ranks are computed within it.
    ks, top_m, gain, regret
        As `ScoreOptions` has them.
    name : str, optional
        What the guess is called.

    Raises
    ------
    UnusableData
        If guess and oracle are not of the same tasks: the message names those that are missing or too many.
    UnknownName, MissingData
        If the oracle or the file is not there.

    Examples
    --------
    >>> import cogbench
    >>> cogbench.score({"cola": "mnli", "rte": "mnli", "mnli": "rte"}, "cogtaskonomy-bert",
    ...                tasks=["cola", "rte", "mnli"]).scores.trs
    1.0
    """
    from ..parts.registry import load_parts

    notes: list[str] = []
    if isinstance(guess, str | Path):
        name, guess = name or Path(guess).stem, read_guess(Path(guess))
    if isinstance(guess, Result):
        name, notes, guess = name or guess.estimator, [*_origin_notes(guess)], guess.matrix
    parts = load_parts()
    known = _whole(find_oracle(parts, oracle), tasks)
    true = known.transfers
    selections, partly = not isinstance(guess, TaskMatrix), tasks is not None
    matrix = (
        align_to_oracle(guess, true, partly) if isinstance(guess, TaskMatrix) else selection_matrix(guess, true, partly)
    )
    predicted = rank(matrix, true_ranking(known).candidates)
    options = ScoreOptions((1,) if selections else ks, top_m, gain, regret)
    found = score_guess(matrix, known, options)
    cards = {s: parts.tasks[s].card for s in {*true.sources, *true.targets} if s in parts.tasks}
    others = baselines(known, {s: card.rows for s, card in cards.items()})
    notes += [
        *([] if selections else _gap_notes(matrix, predicted)),
        *_limit_notes(known, any(c.synthetic for c in cards.values())),
    ]
    return Scored(name or "guess", known.name, found, others, selections, _picks(predicted), tuple(notes))


def rescore(result: Result, oracle: str | Oracle) -> Result:
    """Return a result scored against another oracle, such as its own with more seeds; nothing is computed anew.

    Parameters
    ----------
    result : Result
        What is scored; it keeps its similarities and where they come from.
    oracle : str or Oracle
        An installed oracle's name, a file, or an oracle; it may have more tasks.

    Raises
    ------
    UnusableData
        If the estimator looked at an oracle's data, so that this one wants a run of its own; or if it lacks tasks.
    UnknownName, MissingData
        If the oracle is not there.
    """
    from ..parts.registry import load_parts

    parts = load_parts()
    tasks = [*dict.fromkeys([*result.sources, *result.targets])]
    truth = _whole(find_oracle(parts, oracle), tasks).part(result.sources, result.targets)
    counts = {s: parts.tasks[s].card.rows for s in result.sources if s in parts.tasks}
    scored = replace(result, **against(result.matrix, truth, counts), schema_version=SCHEMA_VERSION)
    if result.uses_oracle and scored.oracle_ranks != result.oracle_ranks:
        raise UnusableData(f"{result.estimator} looks at an oracle's data: run it against the other oracle.")
    return scored


def _whole(oracle: Oracle, tasks: Sequence[str] | None) -> Oracle:
    """Return the oracle of these tasks; UnusableData where it knows nothing of a target."""
    oracle = oracle if tasks is None else _part(oracle, tasks)
    true = oracle.transfers
    if lost := [t for t, column in zip(true.targets, true.values.T, strict=True) if np.isnan(column).all()]:
        raise UnusableData(
            f"oracle {oracle.name!r} has no transfer to {', '.join(lost)} from {', '.join(true.sources)}."
        )
    return oracle


def _origin_notes(result: Result) -> Iterator[str]:
    """Yield what a reader must know of a result before it is scored against another oracle."""
    used = f" of oracle {result.oracle.name}" if result.oracle else ""
    if result.uses_oracle:
        yield f"{result.estimator} used the data{used}"
    if result.synthetic:
        yield f"synthetic {' and '.join(result.synthetic)}: made by a generator"


def _gap_notes(matrix: TaskMatrix, predicted: Ranking) -> Iterator[str]:
    """Yield what of a matrix of estimates is missing or all the same."""
    lost, n = int((np.isnan(matrix.values) & predicted.candidates).sum()), int(predicted.candidates.sum())
    if lost:
        yield f"{lost} of {n} estimates are missing: they rank last"
    n_candidates, tied = predicted.candidates.sum(axis=0), (predicted.equal * predicted.candidates).max(axis=0)
    flat = [t for t, c, e in zip(matrix.targets, n_candidates, tied, strict=True) if c == e > 1]
    if flat:
        yield f"all estimates for {', '.join(flat)} are the same: scored as a random choice"


def _limit_notes(oracle: Oracle, synthetic: bool) -> Iterator[str]:
    """Yield what the oracle does not know, and whether its tasks are real."""
    true = oracle.transfers
    if lost := int((np.isnan(true.values) & ~true.same).sum()):
        yield f"{lost} transfers of the oracle are missing: these sources are no candidates there"
    if oracle.no_transfer is None:
        yield "the oracle has no scores without transfer: gains, and what helps, are unknown"
    if synthetic:
        yield "synthetic tasks: made by a generator"


def _picks(predicted: Ranking) -> dict[str, list[str]]:
    columns = zip(predicted.targets, (predicted.picks(1) > 0).T, strict=True)
    return {t: [s for s, first in zip(predicted.sources, column, strict=True) if first] for t, column in columns}


def _part(oracle: Oracle, tasks: Sequence[str]) -> Oracle:
    true = oracle.transfers
    if lost := [t for t in tasks if t not in {*true.sources, *true.targets}]:
        there = ", ".join(dict.fromkeys([*true.sources, *true.targets]))
        raise UnusableData(f"oracle {oracle.name!r} has no {', '.join(lost)}; it has {there}.")
    return oracle.part([t for t in tasks if t in true.sources], [t for t in tasks if t in true.targets])


def read_guess(path: Path) -> TaskMatrix | dict[str, str] | Result:
    """Read a guess from csv, tsv, or a result file of cogbench.

    A matrix has a first column `source` and a column for each target, a row for each source; a selection has the
    columns `target` and `source`, in any order.
    """
    if path.suffix == ".json":
        return Result.load(path)
    head, body = table_rows(path)
    if sorted(head) == ["source", "target"]:
        picks: dict[str, str] = {}
        for row in body:
            source, target = (cell.strip() for cell in (row if head[0] == "source" else row[::-1]))
            if target in picks:
                raise UnusableData(f"{str(path)!r} selects two sources for {target!r}.")
            picks[target] = source
        return picks
    return read_oracle(path).transfers


def selection_matrix(picks: Mapping[str, str], true: TaskMatrix, partly: bool) -> TaskMatrix:
    """Return the matrix of a selection: 1 for the selected source, NaN for the others."""
    if lost := [t for t in true.targets if t not in picks]:
        raise UnusableData(f"no source is selected for {', '.join(lost)}.")
    if wrong := [f"{s} for {t}" for t, s in picks.items() if t in true.targets and (s == t or s not in true.sources)]:
        raise UnusableData(f"no candidate is selected: {', '.join(wrong)}; there are {', '.join(true.sources)}.")
    if (extra := [t for t in picks if t not in true.targets]) and not partly:
        raise UnusableData(f"the oracle has no target {', '.join(extra)}; it has {', '.join(true.targets)}.")
    values = np.array([[1.0 if picks[t] == s else np.nan for t in true.targets] for s in true.sources])
    return TaskMatrix(true.sources, true.targets, values)


def align_to_oracle(matrix: TaskMatrix, true: TaskMatrix, partly: bool) -> TaskMatrix:
    """Return a guess in the order of the oracle; refuse missing tasks, and further ones unless a part is asked for."""
    told = []
    for role in ("sources", "targets"):
        ours, theirs = getattr(matrix, role), getattr(true, role)
        if lost := [t for t in theirs if t not in ours]:
            told.append(f"it lacks {role} {', '.join(lost)}")
        if (extra := [t for t in ours if t not in theirs]) and not partly:
            told.append(f"the oracle has no {role} {', '.join(extra)}")
    if told:
        both = [t for t in true.sources if t in matrix.sources and t in true.targets and t in matrix.targets]
        rest = f" Score a part with --tasks {','.join(both)}." if len(both) > 2 else ""
        raise UnusableData(f"the guess is not of the oracle's tasks: {'; '.join(told)}.{rest}")
    return matrix.part(true.sources, true.targets)


def read_matrix(path: Path) -> TaskMatrix:
    """Read a matrix of similarities from a table or a result file; UnusableData if it is a selection."""
    found = read_guess(path)
    if isinstance(found, Mapping):
        raise UnusableData(f"{str(path)!r} holds selected sources; a matrix of similarities is needed.")
    return found.matrix if isinstance(found, Result) else found


def plain_score(found: Scored) -> dict[str, Any]:
    """Return it as JSON values: null for what is undefined, and no scores that a selection does not have."""
    held = plain(found)
    if found.selections:
        of = held["scores"] = _without_ranking(held["scores"])
        of["resampled"] = of["resampled"] and _without_ranking(of["resampled"])
    return held


def _without_ranking(of: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in of.items() if k.partition("@")[0] not in OF_RANKINGS}
