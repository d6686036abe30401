"""Tables of scores as people write them, wide or long: what an oracle or a guess is made of."""

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import AmbiguousTable, UnknownName, UnusableData
from ..tables.numbers import is_missing, parse_numeral, plain_text
from .dataset import Array
from .grids import OTHER_HEADS, ROW_NUMBERS, Grid, repetition
from .oracle import Direction, TaskMatrix

NO_TRANSFER = "no-transfer"  # the source of a table that stands for the targets trained without a source
ALL_TARGETS = "all"
SOURCE_HEADS = ("source", "sources")
TARGET_HEADS = ("target", "targets")
SCORE_HEADS = ("score", "scores", "value", "transfer", "similarity", "performance", "result")
AVERAGES = ("avg", "average", "mean", "median", "sum", "total", "std", "sd", "max", "min")
WITHOUT_SOURCE = ("none", "notransfer", "baseline", "stl", "singletask", "alone", "self")
PER_CENT = "per cent"


@dataclass(frozen=True)
class TableReading:
    """The reading of a table of scores, where the table itself leaves it open.

    Parameters
    ----------
    no_transfer_row : str, optional
        The name of the source that stands for the targets trained without a source; `no-transfer` needs no mention.
    diagonal : {"no-transfer", "leave-out"}, optional
        The numbers of a task with itself: the target without a source, or to be left out.
    leave_out : tuple of str
        Names that are no tasks, such as that of an average: their rows and columns are left out.
    lower_is_better : tuple of str
        The targets whose lower figures are better; ("all",) for every target. The figures of an oracle stay in their
        unit, those of a guess turn their sign.
    metric : str, optional
        The metric that is read of a target which has several, or the column of scores where there are several.
    """

    no_transfer_row: str | None = None
    diagonal: Literal["no-transfer", "leave-out"] | None = None
    leave_out: tuple[str, ...] = ()
    lower_is_better: tuple[str, ...] = ()
    metric: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreTable:
    """The scores of a table.

    Parameters
    ----------
    matrix : TaskMatrix
        The scores, the mean over seeds if there are several; in the unit of the table.
    no_transfer : array of shape (n_targets,), optional
        The targets without a source.
    by_seed : array of shape (n_seeds, n_sources, n_targets), optional
        The scores of each seed, if there are several.
    seeds : tuple of int
        Those seeds.
    metrics, units : mapping of str to str
        The metric of each target and the unit of its figures, as far as the table says them.
    better : mapping of str to {"higher", "lower"}
        Which figures of a target are better, where the reading says it.
    notes : tuple of str
        What a reader must know of the reading.
    """

    matrix: TaskMatrix
    no_transfer: Array | None = None
    by_seed: Array | None = None
    seeds: tuple[int, ...] = ()
    metrics: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    better: Mapping[str, Direction] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def standard_error(self) -> Array | None:
        """The standard error of each mean over seeds, of shape (n_sources, n_targets); None without seeds."""
        return None if self.by_seed is None else self.by_seed.std(axis=0, ddof=1) / math.sqrt(len(self.seeds))


class Entry(NamedTuple):
    """One cell of a table with the names that it belongs to; `seed` and `metric` are empty where no column has them."""

    source: str
    target: str
    seed: str
    metric: str
    place: str  # for messages: its line
    cell: Any

    def __str__(self) -> str:
        return f"the cell of source {self.source!r} and target {self.target!r} ({self.place})"


def read_scores(grid: Grid, reading: TableReading | None = None, *, guess: bool = False) -> ScoreTable:
    """Read the scores of a grid.

    A wide table has a column for each target, and a first column `source`; a first column `target` says that the rows
    are targets. A long table has the columns `source` and `target` and a column of scores. Both may have the columns
    `seed` and `metric`. White space around names and numbers, and case in these names of columns, mean nothing.

    Parameters
    ----------
    grid : Grid
        The cells.
    reading : TableReading, optional
        What the table leaves open.
    guess : bool
        Whether the scores are estimates: then the diagonal is left out, and what `lower_is_better` names turns its
        sign.

    Returns
    -------
    ScoreTable

    Raises
    ------
    UnusableData
        If a cell is no number, or the table can be read in more than one way: the message names the cell or the name,
        and the option that decides.
    UnknownName
        If the reading names a source, a target or a metric that the table does not have.
    """
    reading = reading or TableReading()
    try:
        heads = [name.casefold() for name in grid.head]
        long = {"source", "target"} <= {*heads}
        entries, notes = _long_entries(grid, heads, reading, guess) if long else _wide_entries(grid, heads)
        if not entries:
            raise UnusableData("it has no rows; expected a row for each source.")
        entries = _without_left_out(entries, reading, guess)
        entries = _with_no_transfer(entries, reading)
        _refuse_doubtful_names(entries, guess)
        entries = _with_diagonal(_of_one_metric(entries, reading, guess), reading, guess)
        return _score_table(entries, [*grid.notes, *notes], grid.decimal_mark, reading, guess)
    except UnusableData as fault:
        raise type(fault)(f"{str(grid.path)!r}: {fault}") from None


def _wide_entries(grid: Grid, heads: Sequence[str]) -> tuple[list[Entry], list[str]]:
    """Return the cells of a table with a column for each target, or for each source, and notes on the reading."""
    label, first = plain_text(grid.head[0]), heads[0]
    if first not in (*SOURCE_HEADS, *TARGET_HEADS, *OTHER_HEADS):
        raise UnusableData(
            f"its first column is called {label!r}; expected 'source' if the rows are sources, 'target' if the rows "
            "are targets, or the columns source, target and score."
        )
    if len(heads) == 1:
        raise UnusableData(f"it has one column, {label!r}; expected a column of sources, and one for each target.")
    ids = [i for i, name in enumerate(heads) if i and name in ("seed", "metric")]
    columns = [i for i in range(1, len(heads)) if i not in ids]
    labels, places = [*map(plain_text, grid.column(0))], [f"{grid.counted} {i}" for i in grid.numbers]
    if not ids and (fault := repetition("row", labels, places)):
        raise UnusableData(fault)
    entries = []
    for name, place, line in zip(labels, places, grid.lines, strict=True):
        if not name:
            raise UnusableData(f"{place} has scores, but no name in its first cell.")
        seed, metric = _seed_and_metric(heads, line, place)
        for i in columns:
            source, target = (grid.head[i], name) if first in TARGET_HEADS else (name, grid.head[i])
            entries.append(Entry(source, target, seed, metric, place, line[i]))
    called = f"is called {label!r}" if label else "has no name"
    note = f"the first column {called}: its rows are read as sources, the other columns as targets"
    return entries, [note] if first in OTHER_HEADS else []


def _long_entries(
    grid: Grid, heads: Sequence[str], reading: TableReading, guess: bool
) -> tuple[list[Entry], list[str]]:
    """Return the cells of a table with the columns source, target and score, and notes on the reading."""
    others = [i for i, n in enumerate(heads) if n not in ("source", "target", "seed", "metric", *ROW_NUMBERS)]
    chosen = [i for i in others if reading.metric in (grid.head[i], heads[i])]
    scores = chosen or ([i for i in others if heads[i] in SCORE_HEADS] if len(others) > 1 else others)
    names = ", ".join(grid.head[i] for i in others)
    if not others:
        raise UnusableData("it has the columns source and target, but none of scores; expected a column 'score'.")
    if len(scores) != 1:
        option = _option("--metric", grid.head[others[-1]], guess)
        raise AmbiguousTable(f"it has several columns of scores: {names}; choose one, for example with {option}.")
    (score,) = scores
    source, target = heads.index("source"), heads.index("target")
    entries = []
    for number, line in zip(grid.numbers, grid.lines, strict=True):
        place = f"{grid.counted} {number}"
        seed, metric = _seed_and_metric(heads, line, place)
        entry = Entry(plain_text(line[source]), plain_text(line[target]), seed, metric, place, line[score])
        if not entry.source or not entry.target:
            remedy = f"; write {NO_TRANSFER} for a target without a source" if entry.target else ""
            raise UnusableData(f"{place} names no {'source' if entry.target else 'target'}{remedy}.")
        entries.append(entry._replace(metric=metric or (grid.head[score] if chosen else "")))
    left_out = ", ".join(grid.head[i] for i in others if i != score)
    return entries, [f"columns left out: {left_out}"] if left_out else []


def _seed_and_metric(heads: Sequence[str], line: Sequence[Any], place: str) -> tuple[str, str]:
    """Return the seed and the metric of a line; empty texts where no column has them."""
    seed, metric = ((plain_text(line[heads.index(n)]) if n in heads else None) for n in ("seed", "metric"))
    if seed is not None and not re.fullmatch(r"\d+(\.0+)?", seed):
        raise UnusableData(f"{place} has the seed {seed!r}; expected a whole number such as 0.")
    if metric is not None and not metric:
        raise UnusableData(f"{place} names no metric.")
    return (seed or "").partition(".")[0], metric or ""


def _option(option: str, value: str, guess: bool) -> str:
    """Return an option of the command line as a user types it: those of a guess have names of their own."""
    return f"{option.replace('--', '--guess-', 1) if guess else option} {shlex.quote(value)}"


def _without_left_out(entries: Sequence[Entry], reading: TableReading, guess: bool) -> list[Entry]:
    """Return the entries without the names that the reading leaves out."""
    names = {name for e in entries for name in (e.source, e.target)}
    for name in reading.leave_out:
        if name not in names:
            option = "--guess-leave-out" if guess else "--leave-out"
            raise UnknownName.of(f"name in {option}", name, names, label="In the table")
    kept = [e for e in entries if e.source not in reading.leave_out and e.target not in reading.leave_out]
    if not kept:
        raise UnusableData("nothing of it is left without the names that are left out.")
    return kept


def _with_no_transfer(entries: Sequence[Entry], reading: TableReading) -> list[Entry]:
    """Return the entries of which those without a source have the source `no-transfer`."""
    row = reading.no_transfer_row
    if row is not None:
        sources = {e.source for e in entries}
        if row not in sources:
            raise UnknownName.of("source in --no-transfer-row", row, sources, label="In the table")
        if row != NO_TRANSFER and NO_TRANSFER in sources:
            raise UnusableData(f"it has a source {NO_TRANSFER!r} beside {row!r}: drop one with --leave-out.")
        return [e._replace(source=NO_TRANSFER) if e.source == row else e for e in entries]
    return list(entries)


def _refuse_doubtful_names(entries: Sequence[Entry], guess: bool) -> None:
    """Raise UnusableData if names are those of averages or baselines, or differ by case or white space only."""
    sources = dict.fromkeys(e.source for e in entries if e.source != NO_TRANSFER)
    targets = dict.fromkeys(e.target for e in entries)
    names = [*dict.fromkeys([*sources, *targets])]

    def faulty(some: Sequence[str], kind: str, remedy: str) -> str:
        roles = [" and ".join(r for r, names in (("source", sources), ("target", targets)) if n in names) for n in some]
        named = ", ".join(f"{name!r} ({role})" for name, role in zip(some, roles, strict=True))
        option = _option("--leave-out", ",".join(some), guess)
        if len(some) > 1:
            return (
                f"{named} are named like {kind}, not like tasks; {remedy}leave them out with {option}, or rename them"
            )
        return f"{named} is named like {kind}, not like a task; {remedy}drop it with {option}, or rename it"

    def plainly(name: str) -> str:
        return re.sub(r"[-_.\s]+", "", name.casefold())

    faults = []
    if averages := [n for n in names if plainly(n) in AVERAGES]:
        faults.append(faulty(averages, "an average or a total", ""))
    if baselines := [n for n in names if plainly(n) in WITHOUT_SOURCE]:
        rows = [n for n in baselines if n in sources and not guess]
        option = _option("--no-transfer-row", rows[0], False) if rows else ""
        remedy = f"read {rows[0]!r} as the targets without a source with {option}, " if rows else ""
        faults.append(faulty(baselines, "a baseline", remedy))
    if faults:
        raise AmbiguousTable(f"{'; '.join(faults)}.")
    alike = dict[str, str]()
    for name in names:
        if (other := alike.setdefault("".join(name.casefold().split()), name)) != name:
            raise UnusableData(
                f"the names {other!r} and {name!r} differ only by case or white space; write one name for one task, "
                "so that a task with itself can be told."
            )


def _of_one_metric(entries: Sequence[Entry], reading: TableReading, guess: bool) -> list[Entry]:
    """Return the entries of one metric for each target: of the reading's metric where there are several."""
    metrics = dict[str, dict[str, None]]()
    for e in entries:
        metrics.setdefault(e.target, {})[e.metric] = None
    if reading.metric is not None:
        named = {name for names in metrics.values() for name in names if name}
        if not named:
            option = _option("--metric", reading.metric, guess)
            raise UnusableData(f"{option} chooses among metrics, but it has no column 'metric'; leave out the option.")
        if reading.metric not in named:
            raise UnknownName.of("metric", reading.metric, named, label="In the table")
    for target, names in metrics.items():
        if len(names) > 1 and reading.metric not in names:
            choice = _option("--metric", next(iter(names)), guess)
            raise AmbiguousTable(
                f"target {target!r} has several metrics, {', '.join(names)}; choose one, for example with {choice}."
            )
    return [e for e in entries if len(metrics[e.target]) == 1 or e.metric == reading.metric]


def _with_diagonal(entries: Sequence[Entry], reading: TableReading, guess: bool) -> list[Entry]:
    """Return the entries without numbers for a task with itself, which the reading makes those of `no-transfer`."""
    own = [e for e in entries if e.source == e.target and not is_missing(e.cell)]
    others = [e._replace(cell=None) if e.source == e.target else e for e in entries]
    if guess or reading.diagonal == "leave-out":
        return others
    if reading.diagonal is None:
        for e in own:
            raise AmbiguousTable(
                f"{e} holds {plain_text(e.cell)!r}, although a task is no source for itself; say --diagonal "
                f"{NO_TRANSFER} if the diagonal has the targets without a source, or --diagonal leave-out."
            )
        return others
    if not own:
        raise UnusableData(f"its diagonal holds no numbers; leave out --diagonal {NO_TRANSFER}.")
    if any(e.source == NO_TRANSFER for e in entries):
        raise AmbiguousTable(
            f"the targets without a source stand on the diagonal and in the row {NO_TRANSFER!r}: say --diagonal "
            f"leave-out, or --leave-out {NO_TRANSFER}."
        )
    return [*others, *(e._replace(source=NO_TRANSFER) for e in own)]


def _score_table(
    entries: Sequence[Entry], notes: Sequence[str], decimal_mark: str, reading: TableReading, guess: bool
) -> ScoreTable:
    """Return the scores of entries of which each pair and seed has one."""
    figures, units = _figures(entries, decimal_mark)
    seeds = sorted({e.seed for e in entries}, key=lambda seed: int(seed or 0))
    for (source, target), scores in figures.items():
        if lacking := [seed for seed in seeds if seed not in scores] if scores else []:
            raise UnusableData(
                f"source {source!r} and target {target!r} have no score of seed {lacking[0]}, but of seed "
                f"{next(iter(scores))}; expected the seeds {', '.join(seeds)} for each pair."
            )
    sources = tuple(dict.fromkeys(e.source for e in entries if e.source != NO_TRANSFER))
    targets = tuple(dict.fromkeys(e.target for e in entries))
    if not sources:
        raise UnusableData("it has no rows of sources.")
    if unknown := [t for t in reading.lower_is_better if t not in (*targets, ALL_TARGETS)]:
        raise UnknownName.of("target in --lower-is-better", unknown[0], targets, label="In the table")
    everywhere = ALL_TARGETS in reading.lower_is_better
    lower = [t for t in targets if everywhere or t in reading.lower_is_better]

    def values(names: Sequence[str]) -> Array:  # (n_seeds, n_names, n_targets)
        rows = [[[figures.get((s, t), {}).get(seed, np.nan) for t in targets] for s in names] for seed in seeds]
        return np.array(rows, np.float64)

    by_seed, several = values(sources), len(seeds) > 1
    if guess:
        by_seed *= [-1.0 if t in lower else 1.0 for t in targets]
    no_transfer = any(e.source == NO_TRANSFER for e in entries)
    return ScoreTable(
        matrix=TaskMatrix(sources, targets, by_seed.mean(axis=0)),
        no_transfer=values([NO_TRANSFER]).mean(axis=0)[0] if no_transfer else None,
        by_seed=by_seed if several else None,
        seeds=tuple(map(int, seeds)) if several else (),
        metrics={e.target: e.metric for e in entries if e.metric},
        units=units,
        better=dict.fromkeys(lower, "lower"),
        notes=tuple(notes),
    )


def _figures(
    entries: Sequence[Entry], decimal_mark: str
) -> tuple[dict[tuple[str, str], dict[str, float]], dict[str, str]]:
    """Return the scores of each pair by seed, missing ones left out, and the unit of each target that has one."""
    figures = dict[tuple[str, str], dict[str, float]]()
    places, first = dict[tuple[str, str, str], str](), dict[str, tuple[bool, Entry]]()
    for e in entries:
        other = places.setdefault((e.source, e.target, e.seed), e.place)
        if other is not e.place:
            seed = f" and seed {e.seed}" if e.seed else ""
            raise UnusableData(
                f"source {e.source!r}, target {e.target!r}{seed} stand twice: {other} and {e.place}; leave one of them."
            )
        try:
            value, per_cent = parse_numeral(e.cell, decimal_mark)
        except ValueError as advice:
            raise UnusableData(f"{e} holds {plain_text(e.cell)!r}, which is no number; {advice}.") from None
        scores = figures.setdefault((e.source, e.target), {})
        if math.isnan(value):
            continue
        scores[e.seed] = value
        in_per_cent, before = first.setdefault(e.target, (per_cent, e))
        if in_per_cent != per_cent:
            raise UnusableData(
                f"{e} holds {plain_text(e.cell)!r}, but {before} holds {plain_text(before.cell)!r}; write the figures "
                "of a target all with % or all without."
            )
    return figures, {target: PER_CENT for target, (per_cent, _) in first.items() if per_cent}
