"""Leaderboards: a pure function of result files, one table for each set of results that may be compared."""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import CogbenchError, MissingData, UnknownName
from ..frames import Tabular
from ..scoring.chance import relabellings
from ..scoring.means import median_of_defined
from ..scoring.paired import LEVEL, compare_all, holm
from ..scoring.ranking import predicted_best, true_ranking
from ..scoring.skill import Skill
from ..storage.hashes import digest
from .comparable import ComparableResults, comparable_results
from .comparison import oracle_of
from .result import Result

log = logging.getLogger("cogbench")
LOWER_IS_BETTER = ("trs", "p", "corrected p", "skill p", "to popularity", "to popularity p", "regret@1")
Standing = Literal["first", "not told from the first", "worse than the first"]
Contests = dict[str, tuple[float, float | None]]  # by files: the corrected p, and the difference that would be seen


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row: a result, or a baseline (`kind`); what a baseline does not have is None.

    `standing` compares the entry with the one of the lowest TRS, by a paired test that is corrected for the number of
    comparisons (`first_p`). The entry of the lowest TRS stands first if it is better than chance; else there is no
    first. Baselines have no standing, nor have results that know the oracle's data. `scores` has trs, p (of
    relabelling), corrected p (Holm over the board's estimators), skill and its p, the difference to popularity and its
    p, top-k, regret@1, ndcg (over all sources) and spearman. `trainings` are those of the result's tasks, with at most
    `examples` each, and the estimator's own, over all `seeds`; `seconds` are those of the estimator alone, without the
    trainings of the tasks, `forward` and `backward` the examples that it sent through models; None where the result
    does not say. `cached` trainings and other cells stood in the store, and others were `computed`. They are None for a
    published guess. `file` is the name of the result's file, `date` the day on which its run began, or that of the
    publication. `second_hand` says from whom a matrix is that was not computed here.
    """

    standing: Standing | None
    kind: str
    estimator: str
    uses_oracle: bool
    backbone: str | None
    signal: str | None
    scores: dict[str, float | None]
    interval: tuple[float, float] | None
    learned: str | None
    synthetic: tuple[str, ...]
    first_p: float | None = None
    second_hand: str = ""
    seeds: int | None = None
    examples: int | None = None
    trainings: int | None = None
    seconds: float | None = None
    forward: int | None = None
    backward: int | None = None
    cached: int | None = None
    computed: int | None = None
    file: str | None = None
    date: str | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Board(Tabular):
    """The results that may be compared: of the same suite, kind of transfer, tasks, oracle, schema, data and signals.

    `tuning` and `sharing` say which weights moved and how tasks were combined, `row_choice` which rows sources have;
    `ranks` is a hash of the oracle's ranks, for two oracles may have one name; `outdated` says that an older schema
    scored the results, which has no relabelled p; `tries` is the number of estimators whose p-values are corrected for
    their number; `detectable` is the difference to the lowest TRS that the paired test sees with 80 % power, in the
    median over the other estimators, None where there are none; `data` has the revision, if known, and hash of each
    task's data, `signals` the hash of each signal; `differs` says in what it is not another board: the one of number
    `unlike`, the first of the same suite and oracle or else the first of all. `chance` is the TRS of random choice, and
    `worst` the number of sources that a target can choose from: the end of the scale.
    """

    suite: str
    tuning: str = "full"
    sharing: str = "sequential"
    row_choice: str = "all"
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    oracle: str | None
    ranks: str
    outdated: bool
    data: dict[str, str]
    signals: dict[str, str]
    tries: int
    detectable: float | None
    entries: tuple[Entry, ...]
    chance: float | None = None
    worst: int = 1
    differs: tuple[str, ...] = ()
    unlike: int = 1

    @property
    def summary(self) -> str:
        """What the board ranks."""
        return f"{len(self.entries)} rows by {self.oracle or 'no oracle'}, suite {self.suite}, {self.tries} estimators"

    @property
    def table_rows(self) -> tuple[Entry, ...]:
        """A row for each entry."""
        return self.entries


def read_results(*places: str | Path | Iterable[str | Path]) -> list[Result]:
    """Return the results in these files and folders, and in the folders below them; lists of places will do too.

    A file that is no result, or the same result as another, is left out, and a warning says so.

    Raises
    ------
    MissingData
        If a place does not exist, or no place holds a result.
    """
    each = [[place] if isinstance(place, str | Path) else place for place in places]
    results, skipped = read_result_files([Path(place) for some in each for place in some])
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
        first, same = by_file_name.setdefault(result.file_name, (file, result))
        if first == file:
            continue
        if same.is_outdated and not result.is_outdated:
            by_file_name[result.file_name], file, first = (file, result), first, file
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
    names = {name for board in boards for entry in board.entries for name in entry.scores}
    if sort not in names | {"trs"}:
        raise UnknownName.of("score", sort, names, label="The results have")
    return list(_with_differences(boards))


def _board(group: ComparableResults, sort: str) -> Board:
    results, first = group.results, group.results[0]
    idle = {r.file_name for r in results if prefers_nothing(r)}
    judged = [r for r in results if r.scores and r.scores.trs.p and not r.uses_oracle and r.file_name not in idle]
    corrected = _corrected_p(judged)
    best, contests = _contests_with_lowest(judged)
    if best is not None and corrected[best] > LEVEL:
        best = None  # no estimator of the board is better than chance
    entries = [_entry(r, idle, corrected, best, contests) for r in results] + _baselines(results)

    def order(entry: Entry) -> tuple[bool, float, str]:
        value = entry.scores.get(sort)
        return value is None, (value or 0.0) * (1 if sort in LOWER_IS_BETTER else -1), entry.estimator

    return Board(
        suite=first.suite,
        tuning=first.tuning,
        sharing=first.sharing,
        row_choice=first.row_choice,
        sources=tuple(first.sources),
        targets=tuple(first.targets),
        oracle=first.oracle.name if first.oracle else None,
        ranks=digest(first.oracle_ranks)[:8],
        outdated=first.is_outdated,
        data=group.data,
        signals=group.signals,
        tries=len(judged),
        detectable=median_of_defined([detectable for _, detectable in contests.values()]),
        entries=tuple(sorted(entries, key=order)),
        chance=next((r.scores.trs.chance for r in results if r.scores), None),
        worst=max(map(len, first.ranking.values()), default=1),
    )


def prefers_nothing(result: Result) -> bool:
    """Whether all sources of each target tie in a result: it is scored as a random choice."""
    matrix = result.matrix
    candidates = ~matrix.same
    return np.array_equal(predicted_best(matrix.values[None], candidates)[0] > 0, candidates)


def _corrected_p(judged: Sequence[Result]) -> dict[str, float]:
    """Return each result's relabelled p, corrected for the number of results, by file names."""
    p_values = [r.scores.trs.p.p for r in judged if r.scores and r.scores.trs.p]
    return dict(zip([r.file_name for r in judged], holm(p_values), strict=True))


def _contests_with_lowest(judged: Sequence[Result]) -> tuple[str | None, Contests]:
    """Return the file name of the lowest TRS, and the contest of each other result with it."""
    lowest = min(judged, key=lambda r: (r.scores.trs.value if r.scores else np.inf, r.file_name), default=None)
    oracle = oracle_of(lowest) if lowest else None
    if lowest is None or oracle is None:
        return None, {}
    true = true_ranking(oracle)
    guesses = {r.file_name: r.matrix.part(true.sources, true.targets) for r in judged}
    first = guesses.pop(lowest.file_name)
    results = compare_all([*guesses.values()], first, true, relabellings(oracle.transfers))
    corrected = holm([p for p, _ in results])
    detectable = [smallest for _, smallest in results]
    return lowest.file_name, dict(zip(guesses, zip(corrected, detectable, strict=True), strict=True))


def _standing(name: str, best: str | None, contests: Contests) -> Standing | None:
    if best is None or (name != best and name not in contests):
        return None
    if name == best:
        return "first"
    return "worse than the first" if contests[name][0] <= LEVEL else "not told from the first"


def _entry(
    result: Result,
    idle: Collection[str],
    corrected: dict[str, float],
    best: str | None,
    contests: Contests,
) -> Entry:
    s, provenance, name = result.scores, result.provenance, result.file_name
    computed = result.basis == "computed"  # cogbench trained nothing for a published guess
    scores: dict[str, float | None] = {}
    if s is not None:
        skill = s.skill or Skill(None, None, trs=None, popularity=None)
        scores = {
            "trs": s.trs.value,
            "p": s.trs.p.p if s.trs.p else None,
            "corrected p": corrected.get(name),
            "skill": skill.rho,
            "skill p": skill.p.p if skill.p else None,
            "to popularity": skill.popularity.difference if skill.popularity else None,
            "to popularity p": skill.popularity.p if skill.popularity else None,
            **{f"top-{k}": v for k, v in s.top_k.share.items()},
        }
        scores |= {"regret@1": s.regret.get("1"), "ndcg": None, "spearman": None}
        if s.ranking is not None:
            scores |= {"ndcg": s.ranking.ndcg.get("all"), "spearman": s.ranking.spearman}
    learned = f"{sum(t.learned for t in result.tasks.values())}/{len(result.tasks)}" if result.tasks else None
    return Entry(
        standing=_standing(name, best, contests),
        first_p=contests[name][0] if name in contests else None,
        second_hand=result.second_hand,
        kind="baseline" if name in idle else "result",
        estimator=result.estimator,
        uses_oracle=result.uses_oracle,
        backbone=result.backbone,
        signal=result.signal,
        scores=scores,
        interval=s.trs.interval if s else None,
        learned=learned,
        synthetic=tuple(result.synthetic),
        seeds=len(provenance.seeds) if computed else None,
        examples=provenance.max_train,
        trainings=len(result.tasks) * len(provenance.seeds) + _own_trainings(result) if computed else None,
        seconds=provenance.estimator_seconds,
        forward=provenance.estimator_forward,
        backward=provenance.estimator_backward,
        cached=provenance.cells.cached if computed else None,
        computed=provenance.cells.computed if computed else None,
        file=name,
        date=provenance.started[:10] or None,
    )


def _own_trainings(result: Result) -> int:
    """Return how many trainings an estimator needed beside those of the tasks, by the `cost` in its details."""
    costs = [details.get("cost") for details in result.details]
    counts = [cost.get("trainings") for cost in costs if isinstance(cost, dict)]
    return sum(count for count in counts if isinstance(count, int))


def _baselines(results: Sequence[Result]) -> list[Entry]:
    """Return a row for each baseline that is no result itself; of random choice, the expected top-k is known too."""
    ran = {r.estimator for r in results}
    others = {name: trs for r in results for name, trs in r.baselines.items() if name not in ran}
    tops = {f"top-{k}": v for r in results if r.scores for k, v in r.scores.top_k.chance.items()}
    entries = []
    for name, trs in others.items():
        scores: dict[str, float | None] = {"trs": trs, **(tops if name == "random" else {})}
        entry = Entry(
            standing=None,
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
        ("rows of sources", one.row_choice, other.row_choice),
        ("oracle", one.oracle or "none", other.oracle or "none"),
        ("scores of", _schema(one), _schema(other)),
    ):
        if before != now:
            yield f"{what} {now} instead of {before}"
    if one.suite != other.suite:
        return  # another suite has other tasks
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


def _schema(board: Board) -> str:
    return "an older schema" if board.outdated else "today's schema"


def _changed_hashes(what: str, ours: dict[str, str], theirs: dict[str, str], names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        before, now = ours.get(name, "unknown"), theirs.get(name, "unknown")
        if before != now:
            yield f"{what} {name} ({now} instead of {before})"


def score_names(board: Board) -> list[str]:
    """Return the names of a board's scores."""
    ordered = sorted(board.entries, key=lambda entry: entry.kind, reverse=True)  # results know all the scores
    return [*dict.fromkeys(name for entry in ordered for name in entry.scores)]
