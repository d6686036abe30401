"""Anybody's guess, read from a file: a matrix of similarities, or the source selected for each target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .baselines import baselines
from .errors import UnusableData
from .evaluation import KS, TOP_M, Gain, Scores, scores
from .ranking import rank
from .records import Oracle, TaskMatrix
from .transfer import find_oracle, read_oracle, table_rows


@dataclass(frozen=True)
class Scored:
    """A guess and what it is worth: `scores` against `oracle`, and the TRS of the baselines beside it.

    A guess that only selects a source for each target has no scores of a whole ranking: see `selections`.
    """

    name: str
    oracle: str
    scores: Scores
    baselines: dict[str, float]
    selections: bool
    notes: tuple[str, ...] = ()


def score(
    guess: TaskMatrix | Mapping[str, str] | str | Path,
    oracle: str | Oracle,
    *,
    tasks: Sequence[str] | None = None,
    ks: Sequence[int] = KS,
    top_m: int = TOP_M,
    gain: Gain = "rank",
    name: str | None = None,
) -> Scored:
    """Score a similarity matrix, or the selected source of each target, against an oracle.

    Parameters
    ----------
    guess : TaskMatrix, mapping of target to source, or path
        What is scored; a path as `read_guess` takes it.
    oracle : str or Oracle
        An installed oracle's name, a file, or an oracle.
    tasks : sequence of str, optional
        A part of the tasks; ranks are computed within it.
    ks, top_m, gain
        As `cogbench.evaluation.scores` takes them.
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
    from .loading import load

    if isinstance(guess, str | Path):
        name, guess = name or Path(guess).stem, read_guess(Path(guess))
    parts = load()
    known = find_oracle(parts, oracle)
    if tasks is not None:
        known = _part(known, tasks)
    true = known.transfers
    selections = not isinstance(guess, TaskMatrix)
    matrix = guess if isinstance(guess, TaskMatrix) else selected(guess, true)
    matrix = fitted(matrix, true, partly=tasks is not None)
    found = scores(rank(matrix), rank(true), known, ks=(1,) if selections else ks, top_m=top_m, gain=gain)
    rows = {s: parts.tasks[s].card.rows for s in true.sources if s in parts.tasks}
    lost, n = int((np.isnan(matrix.values) & ~matrix.same).sum()), int((~matrix.same).sum())
    notes = (f"{lost} of {n} estimates are missing: they rank last",) if lost and not selections else ()
    return Scored(name or "guess", known.name, found, baselines(known, rows), selections, notes)


def _part(oracle: Oracle, tasks: Sequence[str]) -> Oracle:
    true = oracle.transfers
    if lost := [t for t in tasks if t not in {*true.sources, *true.targets}]:
        there = ", ".join(dict.fromkeys([*true.sources, *true.targets]))
        raise UnusableData(f"oracle {oracle.name!r} has no {', '.join(lost)}; it has {there}.")
    return oracle.part([t for t in tasks if t in true.sources], [t for t in tasks if t in true.targets])


def read_guess(path: Path) -> TaskMatrix | dict[str, str]:
    """Read a guess from csv, tsv, or a result file of cogbench.

    A matrix has a first column `source` and a column for each target, a row for each source; a selection has the
    columns `target` and `source`.
    """
    if path.suffix == ".json":
        from .result import Result

        return Result.load(path).matrix
    head, body = table_rows(path)
    if head == ["target", "source"]:
        picks: dict[str, str] = {}
        for target, source in body:
            if target in picks:
                raise UnusableData(f"{str(path)!r} selects two sources for {target!r}.")
            picks[target] = source
        return picks
    return read_oracle(path).transfers


def selected(picks: Mapping[str, str], true: TaskMatrix) -> TaskMatrix:
    """Return the matrix of a selection: 1 for the selected source, NaN for the others."""
    if lost := [t for t in true.targets if t not in picks]:
        raise UnusableData(f"no source is selected for {', '.join(lost)}.")
    if wrong := [f"{s} for {t}" for t, s in picks.items() if t in true.targets and (s == t or s not in true.sources)]:
        raise UnusableData(f"no candidate is selected: {', '.join(wrong)}; there are {', '.join(true.sources)}.")
    if extra := [t for t in picks if t not in true.targets]:
        raise UnusableData(f"the oracle has no target {', '.join(extra)}; it has {', '.join(true.targets)}.")
    values = np.array([[1.0 if picks[t] == s else np.nan for t in true.targets] for s in true.sources])
    return TaskMatrix(true.sources, true.targets, values)


def fitted(matrix: TaskMatrix, true: TaskMatrix, *, partly: bool) -> TaskMatrix:
    """Return a guess in the order of the oracle; refuse missing tasks, and further ones unless a part is asked for."""
    told = []
    for role in ("sources", "targets"):
        ours, theirs = getattr(matrix, role), getattr(true, role)
        if lost := [t for t in theirs if t not in ours]:
            told.append(f"it lacks {role} {', '.join(lost)}")
        if extra := [t for t in ours if t not in theirs]:
            if not partly:
                told.append(f"the oracle has no {role} {', '.join(extra)}")
    if told:
        both = [t for t in true.sources if t in matrix.sources and t in true.targets and t in matrix.targets]
        rest = f" Score a part with --tasks {','.join(both)}." if len(both) > 2 else ""
        raise UnusableData(f"the guess is not of the oracle's tasks: {'; '.join(told)}.{rest}")
    return matrix.part(true.sources, true.targets)


def plain(found: Scored) -> dict[str, Any]:
    """Return it as JSON values."""
    from pydantic import TypeAdapter

    return TypeAdapter(Scored).dump_python(found, mode="json")
