"""Leaderboards: a pure function of result files, one table for each set of results that may be compared."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CogbenchError, MissingData, UnknownName
from ..storage.store import digest
from .result import Result

LOWER_IS_BETTER = ("trs", "p", "regret@1")


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Board:
    """The results that may be compared: of the same suite, tasks, oracle, schema version, data and signals.

    `ranks` is a hash of the oracle's ranks, for two oracles may have one name; `resolution` is the smallest difference
    of two TRS that the oracle tells apart, None where there is no oracle; `data` has the revision, if known, and hash
    of each task's data, `signals` the hash of each signal; `differs` says in what it is not another board: the one
    of number `unlike`, the first of the same suite and oracle or else the first of all. `chance` is the TRS of random
    choice, and `worst` the number of sources that a target can choose from: the end of the scale.
    """

    suite: str
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


@dataclass
class _ComparableResults:
    """Results that may be compared, what is known of their data, and the hash of each of their signals."""

    results: list[Result]
    data: dict[str, str]
    signals: dict[str, str]

    def fits(self, data: dict[str, str], signals: dict[str, str]) -> bool:
        """Whether a result of these may be compared with them; one that looked at no data fits all data."""
        return data in ({}, self.data) and all(self.signals.get(name, of) == of for name, of in signals.items())


def read_results(places: Sequence[Path]) -> tuple[list[Result], list[str]]:
    """Read result files, and those in folders and their folders; return them and a line for each file left out.

    Raises
    ------
    MissingData
        If a place is not there, or there is no result in any.
    """
    found: dict[str, tuple[Path, Result]] = {}
    skipped = []
    for file in _files(places):
        try:
            result = Result.load(file)
        except CogbenchError as error:
            skipped.append(f"left out: {error}")
            continue
        first, _ = found.setdefault(result.file_name, (file, result))
        if first != file:
            skipped.append(f"left out: {str(file)!r} is the same result as {str(first)!r}.")
    if not found:
        what = f" ({len(skipped)} other files)" if skipped else ""
        raise MissingData(f"no result in {', '.join(map(str, places))}{what}; `cogbench run` writes them.")
    return [result for _, result in found.values()], skipped


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
    ordered = sorted(_groups(results), key=lambda g: (-len(g.results), g.results[0].suite, g.results[0].file_name))
    found = [_board(group, sort) for group in ordered]
    known = {name for board in found for entry in board.entries for name in entry.scores}
    if sort not in known | {"trs"}:
        raise UnknownName.of("score", sort, known, there="The results have")
    return list(_with_differences(found))


def _groups(results: Sequence[Result]) -> list[_ComparableResults]:
    """Return the sets of results that may be compared.

    Each joins the first set that it fits, so those go first that fit the least: with data, then with the signal that
    most results have.
    """
    common = Counter(signal for result in results for signal in _signal_hashes(result).items())

    def turn(result: Result) -> tuple[bool, int, str]:
        return not result.provenance.data, -sum(common[of] for of in _signal_hashes(result).items()), result.file_name

    found: dict[str, list[_ComparableResults]] = {}
    for result in sorted(results, key=turn):
        groups, data, signals = found.setdefault(_kind(result), []), _data_hashes(result), _signal_hashes(result)
        group = next((group for group in groups if group.fits(data, signals)), None)
        if group is None:
            group = _ComparableResults([], data, {})
            groups.append(group)
        group.results.append(result)
        group.signals |= signals
    return [group for groups in found.values() for group in groups]


def _kind(result: Result) -> str:
    """Return a hash of what results must share to be compared, beside data and signals."""
    tasks, oracle = [sorted(result.sources), sorted(result.targets)], result.oracle.name if result.oracle else None
    axes = [result.tuning, result.sharing]
    return digest([result.suite, *axes, tasks, oracle, result.oracle_ranks, result.schema_version])


def _data_hashes(result: Result) -> dict[str, str]:
    data = result.provenance.data
    return {t: f"{d.revision[:8]}, {d.sha256[:8]}" if d.revision else d.sha256[:8] for t, d in sorted(data.items())}


def _signal_hashes(result: Result) -> dict[str, str]:
    """Return the hash of a result's signal, if it has one and its hash is known."""
    quality = result.signal_quality
    return {result.signal: quality.sha256[:8]} if result.signal and quality else {}


def _board(group: _ComparableResults, sort: str) -> Board:
    results, first = group.results, group.results[0]
    resolution = next((r.scores.trs_resolution for r in results if r.scores), None)
    places = _places(results, resolution or 0.0)
    counts = Counter(places.values())
    entries = [_entry(r, places.get(r.file_name), counts) for r in results] + _baselines(results)

    def order(entry: Entry) -> tuple[bool, float, str]:
        value = entry.scores.get(sort)
        return value is None, (value or 0.0) * (1 if sort in LOWER_IS_BETTER else -1), entry.estimator

    return Board(
        first.suite,
        tuple(first.sources),
        tuple(first.targets),
        first.oracle.name if first.oracle else None,
        digest(first.oracle_ranks)[:8],
        first.schema_version,
        group.data,
        group.signals,
        resolution,
        tuple(sorted(entries, key=order)),
        next((r.scores.trs_chance for r in results if r.scores), None),
        max(map(len, first.ranking.values()), default=1),
    )


def _places(results: Sequence[Result], resolution: float) -> dict[str, int]:
    """Return the places: a new one begins a resolution above the first TRS of the last one.

    What knows the oracle's data runs beside the others and takes nobody's place.
    """
    scored = sorted((r.scores.trs, r.file_name) for r in results if r.scores and not r.uses_oracle)
    found: dict[str, int] = {}
    place, first = 0, float("-inf")
    for i, (trs, name) in enumerate(scored, 1):
        if trs - first >= resolution - 1e-9:
            place, first = i, trs
        found[name] = place
    return found


def _entry(result: Result, place: int | None, counts: Counter[int]) -> Entry:
    s, made = result.scores, result.provenance
    found: dict[str, float | None] = {}
    if s is not None:
        found = {"trs": s.trs, "p": s.trs_p, **{f"top-{k}": v for k, v in s.top_k.items()}}
        found |= {"regret@1": s.regret.get("1"), "ndcg": s.ndcg.get("all"), "spearman": s.spearman}
    learned = f"{sum(t.learned for t in result.tasks.values())}/{len(result.tasks)}" if result.tasks else None
    return Entry(
        place,
        "result",
        result.estimator,
        result.uses_oracle,
        result.backbone,
        result.signal,
        found,
        s.trs_interval if s else None,
        learned,
        tuple(result.synthetic),
        place is not None and counts[place] > 1,
        len(made.seeds),
        made.max_train,
        len(result.tasks) * len(made.seeds),
        made.seconds,
        made.cells.cached,
    )


def _baselines(results: Sequence[Result]) -> list[Entry]:
    """Return a row for each baseline that is no result itself; of random choice, the expected top-k is known too."""
    ran = {r.estimator for r in results}
    known = {name: trs for r in results for name, trs in r.baselines.items() if name not in ran}
    tops = {f"top-{k}": v for r in results if r.scores for k, v in r.scores.top_k_chance.items()}
    found = []
    for name, trs in known.items():
        scores: dict[str, float | None] = {"trs": trs, **(tops if name == "random" else {})}
        found.append(Entry(None, "baseline", name, name == "popularity", None, None, scores, None, None, ()))
    return found


def _with_differences(found: Sequence[Board]) -> Iterator[Board]:
    """Yield the boards with what sets each apart from an earlier one."""
    first: dict[tuple[str, str | None], int] = {}  # of each suite and oracle, which the titles name
    for number, board in enumerate(found, 1):
        alike = first.setdefault((board.suite, board.oracle), number)
        unlike = 1 if alike == number else alike
        told = [*_differences(found[unlike - 1], board)] or ["other transfers, or other data"]
        yield board if number == 1 else replace(board, differs=tuple(told), unlike=unlike)


def _differences(one: Board, other: Board) -> Iterator[str]:
    """Yield what another board has instead of one."""
    for what, before, now in (
        ("suite", one.suite, other.suite),
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
