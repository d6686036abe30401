"""Leaderboards: a pure function of result files, one table for each set of results that may be compared."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CogbenchError, MissingData, UnknownName
from ..storage.store import digest
from .comparable import ComparableResults, comparable_results
from .result import Result

log = logging.getLogger("cogbench")
LOWER_IS_BETTER = ("trs", "p", "regret@1")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row: a result, or a baseline (`kind`); what a baseline does not have is None.

    `place` counts from 1 and goes by TRS whatever the rows are sorted by; baselines have none, nor have results that
    know the oracle's data. `scores` has trs, p, top-k, regret@1, ndcg (over all sources) and spearman. `tied` tells
    that another result has the same place; `trainings` are those of its tasks, over all `seeds`, with at most
    `examples` each; `seconds` is what the run took that wrote it, which is little where `cached` trainings and other
    cells stood in the store.
    """

    place: int | None
    kind: str
    estimator: str
    uses_oracle: bool
    backbone: str | None
    signal: str | None
    scores: dict[str, float | None]
    interval: tuple[float, float] | None
    learned: str | None
    synthetic: tuple[str, ...]
    tied: bool = False
    seeds: int | None = None
    examples: int | None = None
    trainings: int | None = None
    seconds: float | None = None
    cached: int | None = None


@dataclass(frozen=True, kw_only=True)
class Board:
    """The results that may be compared: of the same suite, kind of transfer, tasks, oracle, schema, data and signals.

    `tuning` and `sharing` say which weights moved and how tasks were combined; `ranks` is a hash of the oracle's
    ranks, for two oracles may have one name; `resolution` is the smallest difference of two TRS that the oracle
    tells apart, None where there is no oracle; `data` has the revision, if known, and hash of each task's data,
    `signals` the hash of each signal; `differs` says in what it is not another board: the one of number `unlike`,
    the first of the same suite and oracle or else the first of all. `chance` is the TRS of random choice, and
    `worst` the number of sources that a target can choose from: the end of the scale.
    """

    suite: str
    tuning: str = "full"
    sharing: str = "sequential"
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    oracle: str | None
    ranks: str
    schema_version: int
    data: dict[str, str]
    signals: dict[str, str]
    resolution: float | None
    entries: tuple[Entry, ...]
    chance: float | None = None
    worst: int = 1
    differs: tuple[str, ...] = ()
    unlike: int = 1


def read_results(*places: str | Path) -> list[Result]:
    """Return the results in these files and folders, and in the folders below them.

    A file that is no result, or the same result as another, is left out, and a warning says so.

    Raises
    ------
    MissingData
        If a place does not exist, or no place holds a result.
    """
    results, skipped = read_result_files([Path(place) for place in places])
    for line in skipped:
        log.warning(line)
    return results


def read_result_files(places: Sequence[Path]) -> tuple[list[Result], list[str]]:
    """Return the results in these files and folders, and a line for each file that is left out."""
    by_file_name: dict[str, tuple[Path, Result]] = {}
    skipped = []
    for file in _files(places):
        try:
            result = Result.load(file)
        except CogbenchError as error:
            skipped.append(f"left out: {error}")
            continue
        first, _ = by_file_name.setdefault(result.file_name, (file, result))
        if first != file:
            skipped.append(f"left out: {str(file)!r} is the same result as {str(first)!r}.")
    if not by_file_name:
        what = f" ({len(skipped)} other files)" if skipped else ""
        raise MissingData(f"no result in {', '.join(map(str, places))}{what}; `cogbench run` writes them.")
    return [result for _, result in by_file_name.values()], skipped


def _files(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(place.rglob("*.json"))
        elif place.is_file():
            yield place
        else:
            raise MissingData(f"no folder or result file {str(place)!r}; `cogbench run` writes results.")


def leaderboard(results: Sequence[Result], sort: str = "trs") -> list[Board]:
    """Return a board for each set of results that may be compared, its rows sorted by a score, best first.

    Raises
    ------
    UnknownName
        If no result has a score called `sort`.
    """
    groups = comparable_results(results)
    ordered = sorted(groups, key=lambda g: (-len(g.results), g.results[0].suite, g.results[0].file_name))
    boards = [_board(group, sort) for group in ordered]
    known = {name for board in boards for entry in board.entries for name in entry.scores}
    if sort not in known | {"trs"}:
        raise UnknownName.of("score", sort, known, there="The results have")
    return list(_with_differences(boards))


def _board(group: ComparableResults, sort: str) -> Board:
    results, first = group.results, group.results[0]
    resolution = next((r.scores.trs_resolution for r in results if r.scores), None)
    places = _places(results, resolution or 0.0)
    counts = Counter(places.values())
    entries = [_entry(r, places.get(r.file_name), counts) for r in results] + _baselines(results)

    def order(entry: Entry) -> tuple[bool, float, str]:
        value = entry.scores.get(sort)
        return value is None, (value or 0.0) * (1 if sort in LOWER_IS_BETTER else -1), entry.estimator

    return Board(
        suite=first.suite,
        tuning=first.tuning,
        sharing=first.sharing,
        sources=tuple(first.sources),
        targets=tuple(first.targets),
        oracle=first.oracle.name if first.oracle else None,
        ranks=digest(first.oracle_ranks)[:8],
        schema_version=first.schema_version,
        data=group.data,
        signals=group.signals,
        resolution=resolution,
        entries=tuple(sorted(entries, key=order)),
        chance=next((r.scores.trs_chance for r in results if r.scores), None),
        worst=max(map(len, first.ranking.values()), default=1),
    )


def _places(results: Sequence[Result], resolution: float) -> dict[str, int]:
    """Return the places: a new one begins a resolution above the first TRS of the last one.

    What knows the oracle's data runs beside the others and takes nobody's place.
    """
    scored = sorted((r.scores.trs, r.file_name) for r in results if r.scores and not r.uses_oracle)
    places: dict[str, int] = {}
    place, first = 0, float("-inf")
    for i, (trs, name) in enumerate(scored, 1):
        if trs - first >= resolution - 1e-9:
            place, first = i, trs
        places[name] = place
    return places


def _entry(result: Result, place: int | None, counts: Counter[int]) -> Entry:
    s, provenance = result.scores, result.provenance
    scores: dict[str, float | None] = {}
    if s is not None:
        scores = {"trs": s.trs, "p": s.trs_p, **{f"top-{k}": v for k, v in s.top_k.items()}}
        scores |= {"regret@1": s.regret.get("1"), "ndcg": s.ndcg.get("all"), "spearman": s.spearman}
    learned = f"{sum(t.learned for t in result.tasks.values())}/{len(result.tasks)}" if result.tasks else None
    return Entry(
        place=place,
        kind="result",
        estimator=result.estimator,
        uses_oracle=result.uses_oracle,
        backbone=result.backbone,
        signal=result.signal,
        scores=scores,
        interval=s.trs_interval if s else None,
        learned=learned,
        synthetic=tuple(result.synthetic),
        tied=place is not None and counts[place] > 1,
        seeds=len(provenance.seeds),
        examples=provenance.max_train,
        trainings=len(result.tasks) * len(provenance.seeds),
        seconds=provenance.seconds,
        cached=provenance.cells.cached,
    )


def _baselines(results: Sequence[Result]) -> list[Entry]:
    """Return a row for each baseline that is no result itself; of random choice, the expected top-k is known too."""
    ran = {r.estimator for r in results}
    known = {name: trs for r in results for name, trs in r.baselines.items() if name not in ran}
    tops = {f"top-{k}": v for r in results if r.scores for k, v in r.scores.top_k_chance.items()}
    entries = []
    for name, trs in known.items():
        scores: dict[str, float | None] = {"trs": trs, **(tops if name == "random" else {})}
        entry = Entry(
            place=None,
            kind="baseline",
            estimator=name,
            uses_oracle=name == "popularity",
            backbone=None,
            signal=None,
            scores=scores,
            interval=None,
            learned=None,
            synthetic=(),
        )
        entries.append(entry)
    return entries


def _with_differences(boards: Sequence[Board]) -> Iterator[Board]:
    """Yield the boards with what sets each apart from an earlier one."""
    first: dict[tuple[str, str | None], int] = {}  # of each suite and oracle, which the titles name
    for number, board in enumerate(boards, 1):
        alike = first.setdefault((board.suite, board.oracle), number)
        unlike = 1 if alike == number else alike
        differences = [*_differences(boards[unlike - 1], board)] or ["other transfers, or other data"]
        yield board if number == 1 else replace(board, differs=tuple(differences), unlike=unlike)


def _differences(one: Board, other: Board) -> Iterator[str]:
    """Yield what another board has instead of one."""
    for what, before, now in (
        ("suite", one.suite, other.suite),
        ("tuning", one.tuning, other.tuning),
        ("sharing", one.sharing, other.sharing),
        ("oracle", one.oracle or "none", other.oracle or "none"),
        ("schema version", f"{one.schema_version}", f"{other.schema_version}"),
    ):
        if before != now:
            yield f"{what} {now} instead of {before}"
    ours, theirs = {*one.sources, *one.targets}, {*other.sources, *other.targets}
    for what, tasks in (("without", ours - theirs), ("with", theirs - ours)):
        if tasks:
            yield f"{what} {', '.join(sorted(tasks))}"
    changed = [role for role in ("sources", "targets") if {*getattr(one, role)} != {*getattr(other, role)}]
    for role in changed if ours == theirs else ():
        yield f"{role} {', '.join(getattr(other, role))} instead of {', '.join(getattr(one, role))}"
    if one.data and other.data:
        yield from _changed_hashes("data of", one.data, other.data, {*one.data, *other.data} - (ours ^ theirs))
    yield from _changed_hashes("signal", one.signals, other.signals, one.signals.keys() & other.signals.keys())
    if other.ranks != one.ranks and one.oracle == other.oracle and not changed:
        yield "an oracle of the same name with other transfers"


def _changed_hashes(what: str, ours: dict[str, str], theirs: dict[str, str], names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        before, now = ours.get(name, "unknown"), theirs.get(name, "unknown")
        if before != now:
            yield f"{what} {name} ({now} instead of {before})"


def score_names(board: Board) -> list[str]:
    """Return the names of a board's scores."""
    ordered = sorted(board.entries, key=lambda entry: entry.kind, reverse=True)  # results know all the scores
    return [*dict.fromkeys(name for entry in ordered for name in entry.scores)]
