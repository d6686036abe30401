"""Anybody's guess, read from a file: a matrix of similarities, or the source selected for each target."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..data.grids import Grid, names_table, read_grid, table_name
from ..data.oracle import Direction, Oracle, TaskMatrix
from ..data.oracle_files import holds_oracle
from ..data.score_tables import TableReading, read_scores
from ..errors import UnusableData, WrongOption
from ..oracles.set_scores import SetScores, score_guessed_sets
from ..oracles.task_sets import TaskSets
from ..parts.oracle_names import find_oracle, find_sets
from ..parts.registry import load_parts
from ..scoring.baselines import baselines
from ..scoring.evaluation import score_guess
from ..scoring.ranking import Ranking, rank, true_ranking
from ..scoring.scores import KS, TOP_M, NdcgGain, Regret, ScoreOptions, Scores
from ..tables.numbers import plain_text
from .result import SCHEMA_VERSION, Result, against

PAIRS = "pairs"  # the guess that the sets of one other task are


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
    reading: TableReading | None = None,
    guess_reading: TableReading | None = None,
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
    reading, guess_reading : TableReading, optional
        What the tables of the oracle and of the guess leave open.

    Raises
    ------
    UnusableData
        If the guess lacks a source or a target of the oracle: the message names them. Further ones are left out, which
        a note says.
    UnknownName, MissingData
        If the oracle or the file is not there.

    Examples
    --------
    >>> import cogbench
    >>> cogbench.score({"cola": "mnli", "rte": "mnli", "mnli": "rte"}, "cogtaskonomy-bert",
    ...                tasks=["cola", "rte", "mnli"]).scores.trs.value
    1.0
    """
    notes: list[str] = []
    if isinstance(guess, str | Path):
        name = name or table_name(str(guess))
        guess, notes = read_guess(guess, guess_reading)
    if isinstance(guess, Result):
        name, notes, guess = name or guess.estimator, [*_origin_notes(guess)], guess.matrix
    parts = load_parts()
    whole = _whole(find_oracle(parts, oracle, reading=reading), tasks)
    true, selections = whole.transfers, not isinstance(guess, TaskMatrix)
    matrix = align_to_oracle(guess, true) if isinstance(guess, TaskMatrix) else selection_matrix(guess, true)
    notes += [] if tasks is not None else surplus_notes(guess, true)
    predicted = rank(matrix, true_ranking(whole).candidates)
    options = ScoreOptions((1,) if selections else ks, top_m, gain=gain, regret=regret)
    scores = score_guess(matrix, whole, options)
    cards = {s: parts.tasks[s].card for s in {*true.sources, *true.targets} if s in parts.tasks}
    others = baselines(whole, {s: card.rows for s, card in cards.items()})
    notes += [
        *([] if selections else _gap_notes(matrix, predicted)),
        *_limit_notes(whole, any(c.synthetic for c in cards.values())),
    ]
    return Scored(name or "guess", whole.name, scores, others, selections, _picks(predicted), tuple(notes))


def rescore(result: Result, oracle: str | Oracle, *, reading: TableReading | None = None) -> Result:
    """Return a result scored against another oracle, such as its own with more seeds; nothing is computed anew.

    Parameters
    ----------
    result : Result
        What is scored; it keeps its similarities and where they come from.
    oracle : str or Oracle
        An installed oracle's name, a file, or an oracle; it may have more tasks.
    reading : TableReading, optional
        What the table of the oracle leaves open.

    Raises
    ------
    UnusableData
        If the estimator looked at an oracle's data, so that this one wants a run of its own; or if it lacks tasks.
    UnknownName, MissingData
        If the oracle is not there.
    """
    parts = load_parts()
    tasks = [*dict.fromkeys([*result.sources, *result.targets])]
    truth = _whole(find_oracle(parts, oracle, reading=reading), tasks).part(result.sources, result.targets)
    counts = {s: parts.tasks[s].card.rows for s in result.sources if s in parts.tasks}
    scored = replace(result, **against(result.matrix, truth, counts), schema_version=SCHEMA_VERSION)
    if result.uses_oracle and scored.oracle_ranks != result.oracle_ranks:
        raise UnusableData(f"{result.estimator} looks at an oracle's data: run it against the other oracle.")
    return scored


def score_sets(
    sets: TaskSets | str | Path,
    guess: TaskMatrix | Result | Oracle | str | Path,
    *,
    size: int | None = None,
    redundancy: float = 0.0,
    within: str | None = None,
    better: Direction | None = None,
    guess_reading: TableReading | None = None,
) -> SetScores:
    """Score a pairwise guess by what targets score with sets of sources: which measured set does it choose?

    Parameters
    ----------
    sets : TaskSets, str or Path
        The measured sets: a record, a file as `read_sets` takes it, or the name of sets that were measured here.
    guess : TaskMatrix, Result, Oracle, str or Path
        What says how good each source is for each target: a result, an oracle or its name, a table of similarities or
        transfers; or "pairs" for what targets score with one other task in the same file. These pairs are no sets to
        choose from then.
    size : int, optional
        Choose among sets of that size only, and build one of it.
    redundancy : float
        How much members that are like each other count against a set: see `set_values`.
    within : str, optional
        Only the targets whose names are `within:NAME`; they and the tasks beside them are called NAME then.
    better : {"higher", "lower"}, optional
        Which scores are better, where the file of the sets does not say it.
    guess_reading : TableReading, optional
        What the table of the guess leaves open.

    Raises
    ------
    UnusableData
        If the guess lacks a source of the sets, or no target has two sets to choose from.
    UnknownName, MissingData
        If there are no such sets, no such guess, or no target within the group.
    """
    measured = sets if isinstance(sets, TaskSets) else find_sets(load_parts(), sets, better=better)
    measured = measured if within is None else measured.within(within)
    if guess == PAIRS:
        matrix, name, notes = (
            measured.pairs(),
            PAIRS,
            ["the guess is made of the sets of one source, which are left out"],
        )
    else:
        matrix, name, notes = _matrix_of_guess(guess, guess_reading)
    return score_guessed_sets(
        measured,
        matrix,
        size=size,
        least=2 if guess == PAIRS else 1,
        redundancy=redundancy,
        name=name,
        notes=notes,
    )


def _matrix_of_guess(
    guess: TaskMatrix | Result | Oracle | str | Path, reading: TableReading | None
) -> tuple[TaskMatrix, str, list[str]]:
    """Return a pairwise guess as a matrix of which larger is better, its name, and notes on the reading."""
    if isinstance(guess, str | Path) and (not names_table(str(guess)) or holds_oracle(Path(guess))):
        guess = find_oracle(load_parts(), str(guess), reading=reading)
    if isinstance(guess, str | Path):
        name, (read, notes) = table_name(str(guess)), read_guess(guess, reading)
        if isinstance(read, Mapping):
            raise UnusableData(f"{str(guess)!r} holds selected sources; a matrix of similarities is needed.")
        return (
            (read.matrix, read.estimator, [*_origin_notes(read)]) if isinstance(read, Result) else (read, name, notes)
        )
    if isinstance(guess, Oracle):
        return guess.oriented, guess.name, []
    if isinstance(guess, Result):
        return guess.matrix, guess.estimator, [*_origin_notes(guess)]
    return guess, "guess", []


def _whole(oracle: Oracle, tasks: Sequence[str] | None) -> Oracle:
    """Return the oracle of these tasks; UnusableData where it knows nothing of a target."""
    oracle = oracle if tasks is None else part_of_oracle(oracle, tasks)
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


def surplus_notes(guess: TaskMatrix | Mapping[str, str], true: TaskMatrix) -> Iterator[str]:
    """Yield what a guess has beyond the tasks of the oracle."""
    targets = guess.targets if isinstance(guess, TaskMatrix) else guess
    named = {"sources": guess.sources if isinstance(guess, TaskMatrix) else (), "targets": targets}
    for role, names in named.items():
        if surplus := [name for name in names if name not in getattr(true, role)]:
            yield f"left out of the guess: the {role} {', '.join(surplus)}, which the oracle does not have"


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


def part_of_oracle(oracle: Oracle, tasks: Sequence[str]) -> Oracle:
    """Return the oracle of these tasks; UnusableData names those that it does not have."""
    true = oracle.transfers
    if lost := [t for t in tasks if t not in {*true.sources, *true.targets}]:
        tasks_of_oracle = ", ".join(dict.fromkeys([*true.sources, *true.targets]))
        raise WrongOption(f"oracle {oracle.name!r} has no {', '.join(lost)}; it has {tasks_of_oracle}.")
    return oracle.part([t for t in tasks if t in true.sources], [t for t in tasks if t in true.targets])


def read_guess(
    address: Path | str, reading: TableReading | None = None
) -> tuple[TaskMatrix | dict[str, str] | Result, list[str]]:
    """Read a guess from a table, or a result file of cogbench, and notes on the reading.

    A selection has the columns `target` and `source`, in any order, and no others; all other tables hold similarities,
    as `read_scores` reads them.

    Parameters
    ----------
    address : Path or str
        The file, perhaps with options: `FILE,separator=;`.
    reading : TableReading, optional
        What a table of similarities leaves open.

    Raises
    ------
    MissingData, UnusableData, UnknownName
        If there is no such file, or no guess can be read from it; or if there is a reading for something else than a
        table of similarities.
    """
    grid = read_grid(address)
    selects = grid is not None and sorted(map(str.casefold, grid.head)) == ["source", "target"]
    if grid is not None and not selects:
        table = read_scores(grid, reading, guess=True)
        return table.matrix, list(table.notes)
    if reading not in (None, TableReading()):
        raise UnusableData(
            f"{str(address)!r} is no table of similarities: leave out --distances, --guess-leave-out and "
            "--guess-metric, which say how such a table is read."
        )
    return (Result.load(Path(address)) if grid is None else _selection(grid)), [*(grid.notes if grid else ())]


def _selection(grid: Grid) -> dict[str, str]:
    """Return the selected source of each target; UnusableData where a target has none or two."""
    source, target = (list(map(str.casefold, grid.head)).index(role) for role in ("source", "target"))
    picks, places = dict[str, str](), dict[str, str]()
    for number, line in zip(grid.numbers, grid.lines, strict=True):
        selected, name, place = plain_text(line[source]), plain_text(line[target]), f"{grid.counted} {number}"
        if not selected or not name:
            raise UnusableData(f"{str(grid.path)!r}: {place} lacks a {'source' if name else 'target'}.")
        if name in picks:
            raise UnusableData(
                f"{str(grid.path)!r} selects two sources for {name!r}: {places[name]} and {place}; leave one of them."
            )
        picks[name], places[name] = selected, place
    return picks


def selection_matrix(picks: Mapping[str, str], true: TaskMatrix) -> TaskMatrix:
    """Return the matrix of a selection: 1 for the selected source, NaN for the others; further targets are left out."""
    if missing := [t for t in true.targets if t not in picks]:
        raise UnusableData(f"no source is selected for {', '.join(missing)}.")
    if wrong := [f"{s} for {t}" for t, s in picks.items() if t in true.targets and (s == t or s not in true.sources)]:
        raise UnusableData(f"no candidate is selected: {', '.join(wrong)}; there are {', '.join(true.sources)}.")
    values = np.array([[1.0 if picks[t] == s else np.nan for t in true.targets] for s in true.sources])
    if (unmeasured := np.isfinite(values) & np.isnan(true.values)).any():
        names = [f"{true.sources[i]} for {true.targets[j]}" for i, j in zip(*np.nonzero(unmeasured), strict=True)]
        raise UnusableData(f"a source is selected whose transfer the oracle does not have: {', '.join(names)}.")
    return TaskMatrix(true.sources, true.targets, values)


def align_to_oracle(matrix: TaskMatrix, true: TaskMatrix) -> TaskMatrix:
    """Return a guess for the oracle's tasks alone, in their order; UnusableData names those that it lacks."""
    faults = []
    for role in ("sources", "targets"):
        ours, theirs = getattr(matrix, role), getattr(true, role)
        if missing := [t for t in theirs if t not in ours]:
            surplus = [t for t in ours if t not in theirs]
            unknown = f" and has {', '.join(surplus)}, which the oracle does not have" if surplus else ""
            faults.append(f"it lacks the {role} {', '.join(missing)}{unknown}")
    if faults:
        names = dict.fromkeys([*true.sources, *true.targets])
        part = [
            name
            for name in names  # no source of the oracle is dropped but those that the guess lacks in one of their roles
            if (name in matrix.sources or name not in true.sources)
            and (name in matrix.targets or name not in true.targets)
        ]
        is_scorable = len(part) > 2 and {*part} & {*true.targets}
        rest = f" Score a part with --tasks {','.join(part)}." if is_scorable else ""
        raise UnusableData(f"the guess is not of the oracle's tasks: {'; '.join(faults)}.{rest}")
    return matrix.part(true.sources, true.targets)


def read_matrix(path: Path, reading: TableReading | None = None) -> TaskMatrix:
    """Read a matrix of similarities from a table or a result file; UnusableData if it is a selection."""
    guess, _ = read_guess(path, reading)
    if isinstance(guess, Mapping):
        raise UnusableData(f"{str(path)!r} holds selected sources; a matrix of similarities is needed.")
    return guess.matrix if isinstance(guess, Result) else guess
