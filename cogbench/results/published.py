"""A guess that a publication states, as a result: so it stands on boards beside what cogbench computed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ..data.grids import FILES
from ..data.oracle import Oracle, TaskMatrix
from ..data.score_tables import TableReading
from ..errors import UnusableData
from ..parts.fingerprint import harness_version
from ..parts.oracle_names import find_oracle
from ..parts.registry import Parts, load_parts
from ..scoring.evaluation import is_selection
from ..scoring.ranking import rank
from .guess import align_to_oracle, read_guess, rescore, selection_matrix, surplus_notes
from .result import SCHEMA_VERSION, CellCounts, Provenance, Result, against, rows


def published_result(
    guess: TaskMatrix | Mapping[str, str],
    oracle: str | Oracle,
    *,
    estimator: str,
    origin: str,
    reading: TableReading | None = None,
    uses_oracle: bool = False,
    date: str | None = None,
) -> Result:
    """Return a guess as a result of basis "published", scored against an oracle.

    Parameters
    ----------
    guess : TaskMatrix, or mapping of target to source
        A similarity matrix, or the selected source of each target.
    oracle : str or Oracle
        An installed oracle's name, a file, or an oracle. The result is of its backbone and suite.
    estimator : str
        Who guessed.
    origin : str
        Where the guess is published: a citation, or the file that it was read from.
    reading : TableReading, optional
        What the table of the oracle leaves open.
    uses_oracle : bool
        Whether the guess was made with the oracle's own transfers, so that it belongs beside popularity.
    date : str, optional
        When the guess was published, as 2022-05-22; the default is the time of the call.

    Raises
    ------
    UnusableData
        If guess and oracle are not of the same tasks.
    UnknownName, MissingData
        If the oracle is not there.
    """
    parts = load_parts()
    table = find_oracle(parts, oracle, reading=reading)
    true = table.transfers
    matrix = align_to_oracle(guess, true) if isinstance(guess, TaskMatrix) else selection_matrix(guess, true)
    return result_of_guess(
        matrix,
        table,
        parts,
        estimator=estimator,
        notes=[f"a published guess, not computed here: {origin}", *surplus_notes(guess, true)],
        uses_oracle=uses_oracle,
        basis="published",
        date=date,
    )


def results_on_oracles(
    place: Path,
    oracles: Sequence[str],
    *,
    name: str | None = None,
    origin: str | None = None,
    guess_reading: TableReading | None = None,
) -> tuple[list[Result], list[str]]:
    """Return somebody's guess as results on several oracles, and lines on the oracles that are left out.

    Parameters
    ----------
    place : Path
        One file for all oracles, or a folder with a file for each, ORACLE.csv or another ending; as `read_guess` takes
        it.
    oracles : sequence of str
        Their names. Those are left out for whose tasks there is no guess.
    name, origin : str, optional
        What boards call the guess, and where it is published; the defaults are the name of the file or folder.
    guess_reading : TableReading, optional
        What the tables of the guess leave open.

    Raises
    ------
    UnusableData
        If the guess is of the tasks of no oracle, or the folder has two files for one.
    """
    files, results, refused = _files_of(place, oracles), list[Result](), list[UnusableData]()
    for oracle, path in files.items():
        try:
            guess, _ = read_guess(path, guess_reading)
            if isinstance(guess, Result):
                results.append(rescore(guess, oracle))
            else:
                called = name or place.stem
                results.append(published_result(guess, oracle, estimator=called, origin=origin or place.name))
        except UnusableData as error:
            refused.append(error)
    if not results:
        raise (
            refused[0] if refused else UnusableData(f"folder {str(place)!r} has no file for {', '.join(oracles[:3])}.")
        )
    lines = [f"left out: {len(refused)} of {len(oracles)} oracles. The first: {refused[0]}"] if refused else []
    if absent := [oracle for oracle in oracles if oracle not in files]:
        lines.append(
            f"no file for {len(absent)} of {len(oracles)} oracles: {', '.join(absent[:3])}{', …' * (len(absent) > 3)}"
        )
    return results, lines


def _files_of(place: Path, oracles: Sequence[str]) -> dict[str, Path]:
    """Return the file of the guess for each oracle that has one."""
    if not place.is_dir():
        return dict.fromkeys(oracles, place)
    files = dict[str, Path]()
    for path in sorted(place.iterdir()):
        if path.suffix.lower() in FILES and path.stem in oracles:
            if path.stem in files:
                raise UnusableData(f"folder {str(place)!r} has two files for {path.stem}: leave one of them.")
            files[path.stem] = path
    return files


def result_of_guess(
    matrix: TaskMatrix,
    table: Oracle,
    parts: Parts,
    *,
    estimator: str,
    notes: Sequence[str],
    uses_oracle: bool,
    basis: Literal["computed", "published"] = "computed",
    details: Sequence[dict[str, Any]] = (),
    date: str | None = None,
    estimator_seconds: float | None = None,
) -> Result:
    """Return a guess for which no model was read, as a result that is scored against an oracle.

    Parameters
    ----------
    matrix : TaskMatrix
        The guess for the oracle's tasks, in their order.
    table : Oracle
        The result is of its backbone and suite.
    parts : Parts
        Whose cards say how many examples a task has.
    estimator : str
        Who guessed.
    notes, details : sequences
        What the guess leaves for readers and for machines.
    uses_oracle : bool
        Whether the guess was made with the oracle's own transfers.
    basis : {"computed", "published"}
    date : str, optional
        When the guess was published; the default is the time of the call.
    estimator_seconds : float, optional
        How long the estimator took, where one was run.
    """
    true, ranking = table.transfers, rank(matrix)
    n_named = 1 if is_selection(matrix) else None  # a selection says nothing of the order of the other sources
    return Result(
        schema_version=SCHEMA_VERSION,
        estimator=estimator,
        options={},
        backbone=table.backbone,
        signal=None,
        suite=table.suite,
        tuning=table.tuning,
        basis=basis,
        sources=list(true.sources),
        targets=list(true.targets),
        similarity=rows(matrix.values),
        by_seed=[],
        ranking={target: ranking.order(target)[:n_named] for target in true.targets},
        **against(matrix, table, {s: parts.tasks[s].card.rows for s in true.sources if s in parts.tasks}),
        uses_oracle=uses_oracle,
        tasks={},
        seed_floor=None,
        signal_quality=None,
        notes=[*notes],
        details=[*details],
        synthetic=["tasks"] if any(s in parts.tasks and parts.tasks[s].card.synthetic for s in true.sources) else [],
        provenance=Provenance(
            cogbench=harness_version() or "",
            plugins={},
            data={},
            model={},
            settings={},
            seeds=[],
            max_train=None,
            torch="none",
            device="none",
            started=date or datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=0.0,
            cells=CellCounts(0, 0),
            estimator_seconds=estimator_seconds,
        ),
    )
