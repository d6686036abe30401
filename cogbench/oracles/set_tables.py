"""Tables of task sets as people write them, and as two studies published them: what `read_sets` reads."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ..data.grids import Grid, names_table, read_grid, refuse_other_files, table_name
from ..data.oracle import Direction
from ..data.score_tables import NO_TRANSFER, SCORE_HEADS, TARGET_HEADS
from ..errors import UnusableData
from ..storage.atomic import readable
from ..tables.numbers import is_missing, parse_numeral, plain_text
from ..tables.options import split_address
from .task_sets import SetScore, TaskSets, in_words, sets_file, sets_of_json

SET_HEADS = ("sources", "source", "set", "members", "trained_with", "with")
ERROR_HEADS = ("standard_error", "error", "stderr", "se")
TOGETHER = "trained_together"  # the first column of the tables of Standley et al. (2020)
RUNS = ("setting", "source_task", "source_domain", "target_task", "target_domain")  # of Lange et al. (2021)
SETTINGS = ("single_task", "domain_adapt", "cross_task", "multi_source")  # whose targets are trained on, too
SEEDS = re.compile(r"(.+?)[_-](\d+)")  # the name of a column for each of several seeds
ALONE = ("alone", NO_TRANSFER)
LOSSES = (
    "read as the tables of Standley et al. (2020): losses, of which lower is better; a first line of all tasks is left "
    "out where these have another line, for it has networks of half the size, of one task each"
)


@dataclass(frozen=True)
class _Row:
    """One score of a table: its target, the other tasks, and its place for messages."""

    target: str
    members: tuple[str, ...]
    scores: tuple[float, ...]  # of several seeds, or one
    place: str
    error: float | None = None
    seed: str = ""
    better: str = ""


def read_sets(path: str | Path, *, better: Direction | None = None) -> TaskSets:
    """Read what targets score with sets of other tasks: from a table, from what cogbench wrote, or by name.

    A long table has the columns `target`, `sources` (names joined by `+` or commas; nothing, `alone` or `no-transfer`
    for the target alone) and `score`, or a column for each seed such as `f1_1` to `f1_5`. It may have the columns
    `seed`, `standard_error` and `better` (higher or lower). A table `trained_together` has a column for each task, and
    the scores of the tasks of each set in them, as Standley et al. (2020) published losses. A table of runs with the
    columns of Lange et al. (2021) names its tasks `task:domain`; runs that train on no target are left out.

    Parameters
    ----------
    path : str or Path
        A file (csv, tsv, json or parquet), or the name of sets that were measured here.
    better : {"higher", "lower"}, optional
        Which scores are better, where the file does not say it.

    Raises
    ------
    UnknownName, MissingData
        If there is no such name or file.
    UnusableData
        If the file is no such table; if a set holds its own target, or a name or score is missing or stands twice.

    References
    ----------
    Standley, Zamir, Chen, Guibas, Malik & Savarese (2020), Which tasks should be learned together in multi-task
    learning?, ICML. Lange, Strötgen, Adel & Klakow (2021), To share or not to share: predicting sets of sources for
    model transfer learning, EMNLP.
    """
    address = str(path)
    if not names_table(address):
        refuse_other_files(address)
        address = str(sets_file(address))
    path = Path(split_address(address)[0])
    grid = read_grid(address)
    if grid is None:
        sets = sets_of_json(path)
        return sets if better is None else replace(sets, better=dict.fromkeys(sets.targets, better))
    heads = [name.casefold() for name in grid.head]
    try:
        read, note = _reader(heads)
        rows = list(read(grid, heads))
        if not rows:
            raise UnusableData("it has no sets; expected a line for each target and set.")
        directions: dict[str, Any] = dict(_directions(rows))
        if better is not None:
            directions, note = dict.fromkeys((row.target for row in rows), better), "" if note == LOSSES else note
        elif note == LOSSES:
            directions = dict.fromkeys((row.target for row in rows), "lower")
        scores, notes = _set_scores(rows)
        return TaskSets(
            name=table_name(str(path)),
            sets=scores,
            better=directions,
            origin=path.name,
            note="; ".join(filter(None, (note, *notes))),
        )
    except UnusableData as fault:
        raise type(fault)(f"{str(path)!r}: {fault}") from None


def read_groups(path: Path) -> list[tuple[str, ...]]:
    """Read sets of tasks, one a line, names joined by `+` or commas; lines that are empty or begin with # are passed.

    Raises
    ------
    MissingData, UnusableData
        If there is no such file, or it is no text in UTF-8 or holds no set.
    """
    readable(path)
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableData(f"{str(path)!r} cannot be read: {error}.") from error
    groups = [split_names(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not groups:
        raise UnusableData(f"{str(path)!r} holds no set of tasks; write one a line, such as a+b+c.")
    return groups


def split_names(cell: Any) -> tuple[str, ...]:
    """Return the names that a cell joins by `+`, or by commas, or that it holds as a list."""
    if isinstance(cell, list | tuple):
        names: Iterable[str] = map(plain_text, cell)
    elif is_missing(cell) or plain_text(cell).casefold() in ALONE:
        return ()
    else:
        text = plain_text(cell)
        names = map(plain_text, text.split("+" if "+" in text else ","))
    kept = tuple(names)
    if not all(kept):
        raise UnusableData(f"{plain_text(cell)!r} names a task without a name; join names by + or by commas.")
    return kept


def _reader(heads: Sequence[str]) -> tuple[Callable[[Grid, Sequence[str]], Iterator[_Row]], str]:
    """Return what reads a table with these columns, and a note on the reading."""
    if {*RUNS} <= {*heads}:
        left_out = f"of the settings only {', '.join(SETTINGS)} are read: in the others no target is trained on"
        return _rows_of_runs, left_out
    if heads[0] == TOGETHER:
        return _rows_of_sets, LOSSES
    has_target, has_set = ({*kind} & {*heads} for kind in (TARGET_HEADS, SET_HEADS))
    if has_target and has_set:
        return _long_rows, ""
    raise UnusableData(
        f"it has the columns {', '.join(heads[:8])}; expected target, sources and score, or {TOGETHER} and a column "
        "for each task."
    )


def _column(heads: Sequence[str], names: Sequence[str]) -> int | None:
    return next((heads.index(name) for name in names if name in heads), None)


def _long_rows(grid: Grid, heads: Sequence[str]) -> Iterator[_Row]:
    """Yield the scores of a table with the columns target, sources and score."""
    target, members = _column(heads, TARGET_HEADS), _column(heads, SET_HEADS)
    score, error, better = (_column(heads, names) for names in (SCORE_HEADS, ERROR_HEADS, ("better",)))
    seed = _column(heads, ("seed",))
    seeds = [] if score is not None else _seed_columns(heads)
    if score is None and not seeds:
        raise UnusableData("it has no column of scores; expected 'score', or one for each seed such as f1_1 and f1_2.")
    assert target is not None and members is not None
    for number, line in zip(grid.numbers, grid.lines, strict=True):
        place = f"{grid.counted} {number}"
        yield _Row(
            target=plain_text(line[target]),
            members=split_names(line[members]),
            scores=tuple(_number(grid, line[i], place) for i in ([score] if score is not None else seeds)),
            place=place,
            error=None if error is None or is_missing(line[error]) else _number(grid, line[error], place),
            seed="" if seed is None else plain_text(line[seed]),
            better="" if better is None else plain_text(line[better]).casefold(),
        )


def _rows_of_runs(grid: Grid, heads: Sequence[str]) -> Iterator[_Row]:
    """Yield the scores of the runs of Lange et al. (2021), whose sources may begin with how many they are: `n7,…`."""
    setting, *columns = (heads.index(name) for name in RUNS)
    seeds = _seed_columns(heads)
    if not seeds:
        raise UnusableData("it has no column for each seed, such as f1_1 and f1_2.")
    for number, line in zip(grid.numbers, grid.lines, strict=True):
        place = f"{grid.counted} {number}"
        if plain_text(line[setting]) not in SETTINGS:
            continue
        task, domains, target_task, target = (plain_text(line[i]) for i in columns)
        names = [name for name in split_names(domains) if not re.fullmatch(r"n\d+", name)]
        yield _Row(
            target=f"{target_task}:{target}".lower(),
            members=tuple(f"{task}:{name}".lower() for name in names),
            scores=tuple(_number(grid, line[i], place) for i in seeds),
            place=place,
        )


def _rows_of_sets(grid: Grid, heads: Sequence[str]) -> Iterator[_Row]:
    """Yield the scores of a table with a line for each set that is trained together, and a column for each task.

    The first line of the tables of Standley et al. (2020) has a network of half the size for each task alone, as their
    program reads it: it is left out where its set has another line.
    """
    tasks, groups = grid.head[1:], [frozenset(split_names(line[0])) for line in grid.lines]
    first = 1 if groups and groups[0] == {*tasks} and groups.count(groups[0]) == 2 else 0
    for number, line in zip(grid.numbers[first:], grid.lines[first:], strict=True):
        place, group = f"{grid.counted} {number}", split_names(line[0])
        if unknown := [name for name in group if name not in tasks]:
            raise UnusableData(f"{place} trains {unknown[0]!r}, which has no column; there are {', '.join(tasks)}.")
        for task, cell in zip(tasks, line[1:], strict=True):
            if task in group:
                others = tuple(name for name in group if name != task)
                yield _Row(task, others, (_number(grid, cell, place),), place)
            elif not is_missing(cell):
                raise UnusableData(f"{place} has a score of {task!r}, which the set {in_words(group)} does not hold.")


def _seed_columns(heads: Sequence[str]) -> list[int]:
    """Return the columns that hold the same score of several seeds."""
    stems = dict[str, list[int]]()
    for i, name in enumerate(heads):
        if match := SEEDS.fullmatch(name):
            stems.setdefault(match[1], []).append(i)
    return next((columns for columns in stems.values() if len(columns) > 1), [])


def _number(grid: Grid, cell: Any, place: str) -> float:
    try:
        value, _ = parse_numeral(cell, grid.decimal_mark)
    except ValueError as advice:
        raise UnusableData(f"{place} holds {plain_text(cell)!r}, which is no number; {advice}.") from None
    if math.isnan(value):
        raise UnusableData(f"{place} has no score: {plain_text(cell)!r}; write a number, or leave the line out.")
    return value


def _directions(rows: Sequence[_Row]) -> Iterator[tuple[str, str]]:
    """Yield which scores of a target are better, where its rows say it."""
    words = dict[str, str]()
    for row in rows:
        if row.better and row.better not in get_args(Direction):
            raise UnusableData(f"{row.place} has better {row.better!r}; expected higher or lower.")
        if row.better and words.setdefault(row.target, row.better) != row.better:
            raise UnusableData(
                f"{row.place} says that {row.better} scores of {row.target!r} are better; others do not."
            )
    yield from words.items()


def _set_scores(rows: Sequence[_Row]) -> tuple[tuple[SetScore, ...], list[str]]:
    """Return the scores of each target and set, the mean over its seeds, and notes on the reading."""
    by_set = dict[tuple[str, tuple[str, ...]], dict[str, _Row]]()
    n_doubles = 0
    for row in rows:
        if not row.target:
            raise UnusableData(f"{row.place} names no target.")
        try:
            one = SetScore(row.target, row.members, float(np.mean(row.scores)))
        except UnusableData as fault:
            raise UnusableData(f"{row.place}: {fault}") from None
        runs = by_set.setdefault((one.target, one.members), {})
        before = runs.setdefault(row.seed, row)
        if before is row:
            continue
        if before.scores != row.scores or len(row.scores) == 1:
            raise UnusableData(
                f"target {row.target!r} has the set {in_words(one.members)} twice: {before.place} and {row.place}; "
                "leave one of them."
            )
        n_doubles += 1
    merged = [_merged(target, members, [*runs.values()]) for (target, members), runs in by_set.items()]
    notes = [f"{n_doubles} runs stand twice with the same scores of all seeds, and count once"] if n_doubles else []
    return tuple(merged), notes


def _merged(target: str, members: tuple[str, ...], rows: Sequence[_Row]) -> SetScore:
    scores = [score for row in rows for score in row.scores]
    error = rows[0].error if len(rows) == 1 else None
    if len(scores) > 1:
        error = float(np.std(scores, ddof=1) / math.sqrt(len(scores)))
    return SetScore(target, members, score=float(np.mean(scores)), standard_error=error)
