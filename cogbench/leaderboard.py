"""Leaderboards: a pure function of result files, one table for each set of results that may be compared."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .errors import CogbenchError, MissingData, UnknownName
from .evaluation import in_digits
from .result import Result
from .store import digest

LOWER_IS_BETTER = ("trs", "p", "regret@1")


@dataclass(frozen=True)
class Entry:
    """One row: a result, or a baseline (`kind`); what a baseline does not have is None.

    `place` counts from 1 and goes by TRS whatever the rows are sorted by; baselines have none. `scores` has trs, p,
    top-k, regret@1, ndcg (over all sources) and spearman. `tied` tells that another result has the same place;
    `trainings` are those of its tasks, over all `seeds`, with at most `examples` each; `seconds` is what the run took
    that wrote it, which is little where `cached` trainings and other cells stood in the store.
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
    """The results that may be compared: of the same suite, tasks, oracle, schema version and data.

    `ranks` is a hash of the oracle's ranks, for two oracles may have one name; `resolution` is the smallest difference
    of two TRS that the oracle tells apart, None where there is no oracle; `data` has the revision, if known, and hash
    of each task's data; `differs` says in what it is not the first board. `chance` is the TRS of random choice, and
    `worst` the number of sources that a target can choose from: the end of the scale.
    """

    suite: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    oracle: str | None
    ranks: str
    schema_version: int
    data: dict[str, str]
    resolution: float | None
    entries: tuple[Entry, ...]
    chance: float | None = None
    worst: int = 1
    differs: tuple[str, ...] = ()


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


def boards(results: Sequence[Result], sort: str = "trs") -> list[Board]:
    """Return a board for each set of results that may be compared, its rows sorted by a score, best first.

    Raises
    ------
    UnknownName
        If no result has a score called `sort`.
    """
    groups: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda r: (not r.provenance.data, r.file_name)):
        groups.setdefault(_home(result, groups), []).append(result)
    found = [
        _board(groups[key], sort) for key in sorted(groups, key=lambda k: (-len(groups[k]), groups[k][0].suite, k))
    ]
    known = {name for board in found for entry in board.entries for name in entry.scores}
    if sort not in known | {"trs"}:
        raise UnknownName.of("score", sort, known, there="The results have")
    return [_told(board, found[0]) for board in found]


def _home(result: Result, groups: dict[str, list[Result]]) -> str:
    """Return the key of the group that a result belongs to.

    A result that looked at no data fits all data, so it joins the first group that is otherwise alike.
    """
    tasks, oracle = [sorted(result.sources), sorted(result.targets)], result.oracle.name if result.oracle else None
    alike = digest([result.suite, tasks, oracle, result.oracle_ranks, result.schema_version])
    if not result.provenance.data:
        return next((key for key in sorted(groups) if key.startswith(alike)), alike)
    return alike + digest(_data(result))


def _data(result: Result) -> dict[str, str]:
    data = result.provenance.data
    return {t: f"{d.revision[:8]}, {d.sha256[:8]}" if d.revision else d.sha256[:8] for t, d in sorted(data.items())}


def _board(results: Sequence[Result], sort: str) -> Board:
    first = results[0]
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
        _data(first),
        resolution,
        tuple(sorted(entries, key=order)),
        next((r.scores.trs_chance for r in results if r.scores), None),
        max(map(len, first.ranking.values()), default=1),
    )


def _places(results: Sequence[Result], resolution: float) -> dict[str, int]:
    """Return the place of each scored result: a new one begins a resolution above the first TRS of the last one."""
    scored = sorted((r.scores.trs, r.file_name) for r in results if r.scores)
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
    """Return a row for each baseline; of random choice, the expected top-k is known too."""
    known = {name: trs for r in results for name, trs in r.baselines.items()}
    tops = {f"top-{k}": v for r in results if r.scores for k, v in r.scores.top_k_chance.items()}
    found = []
    for name, trs in known.items():
        scores: dict[str, float | None] = {"trs": trs, **(tops if name == "random" else {})}
        found.append(Entry(None, "baseline", name, name == "popularity", None, None, scores, None, None, ()))
    return found


def _told(board: Board, first: Board) -> Board:
    """Return the board with what sets it apart from the first one."""
    told = [
        f"{what} {theirs} instead of {ours}"
        for what, ours, theirs in (
            ("suite", first.suite, board.suite),
            ("oracle", first.oracle or "none", board.oracle or "none"),
            ("schema version", first.schema_version, board.schema_version),
        )
        if ours != theirs
    ]
    ours, theirs = {*first.sources, *first.targets}, {*board.sources, *board.targets}
    for what, tasks in (("without", ours - theirs), ("with", theirs - ours)):
        told += [f"{what} {', '.join(sorted(tasks))}"] if tasks else []
    changed = [t for t in sorted(first.data.keys() & board.data.keys()) if first.data[t] != board.data[t]]
    told += [f"data of {t} ({board.data[t]} instead of {first.data[t]})" for t in changed]
    if board.ranks != first.ranks and (ours, first.oracle) == (theirs, board.oracle):
        told.append("an oracle of the same name with other transfers")
    return replace(board, differs=tuple(told))


def tables(found: Sequence[Board]) -> dict[str, list[dict[str, Any]]]:
    """Return the boards as titled tables for people."""
    named = {}
    for i, board in enumerate(found, 1):
        n = len({*board.sources, *board.targets})
        title = f"{i}. suite {board.suite}, {n} tasks, oracle {board.oracle or 'none: not scored'}"
        if board.differs:
            title += f"; unlike table 1: {', '.join(board.differs)}"
        synthetic = any(entry.synthetic for entry in board.entries)
        named[title] = [_row(entry, names(board), synthetic) for entry in board.entries]
    return named


def names(board: Board) -> list[str]:
    """Return the names of a board's scores."""
    ordered = sorted(board.entries, key=lambda entry: entry.kind, reverse=True)  # results know all the scores
    return [*dict.fromkeys(name for entry in ordered for name in entry.scores)]


def written(entry: Entry, name: str) -> str | None:
    """Return a score with the digits that mean something, None where it is not known."""
    value = entry.scores.get(name)
    if value is None:
        return None
    return in_digits(value) if name == "p" else f"{value:.2f}"


def _row(entry: Entry, names: Sequence[str], synthetic: bool) -> dict[str, Any]:
    def shown(name: str) -> str | None:
        unknown = None if entry.kind == "baseline" else "–"
        return written(entry, name) or unknown

    scores = {name: shown(name) for name in names}
    interval = {"interval": "{:.2f} to {:.2f}".format(*entry.interval) if entry.interval else None}
    return {
        "place": entry.place,
        "estimator": f"{entry.estimator}{'†' if entry.uses_oracle else ''}"
        + (" (baseline)" if entry.kind == "baseline" else ""),
        "backbone": entry.backbone,
        "signal": entry.signal,
        **({"trs": scores.pop("trs"), **interval, **scores} if names else {}),
        "learned": entry.learned,
        "seeds": entry.seeds,
        "examples": entry.examples,
        "trainings": entry.trainings,
        "seconds": None if entry.seconds is None else f"{entry.seconds:.1f}",
        **({"synthetic": ", ".join(entry.synthetic)} if synthetic else {}),
    }


def notes(found: Sequence[Board]) -> list[str]:
    """Return what a reader of the tables must know."""
    apart = [f"{b.resolution:.2f} in table {i}" for i, b in enumerate(found, 1) if b.resolution is not None]
    told = []
    if apart:
        told.append(
            "places go by TRS; rows share one if they lie nearer to its first than what the oracle tells apart: "
            + ", ".join(apart)
        )
    if any(entry.uses_oracle for board in found for entry in board.entries):
        told.append("† knows the data of the oracle that scores it")
    if any(entry.synthetic for board in found for entry in board.entries):
        told.append("synthetic: made by a generator")
    return told
