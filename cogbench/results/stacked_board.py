"""The stacked board: estimators judged over several oracles together, by a pure function of result files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..errors import UnusableData
from ..frames import Tabular
from ..scoring.means import median_of_defined
from ..scoring.paired import LEVEL, PairedDifference, holm, power_for
from .oracle_families import OracleFamily, StackedOracle, oracle_families, stacked_oracles
from .result import Result
from .stacked_figures import StackedFigures
from .stacked_rows import StackedRow, stacked_rows

StackedStanding = Literal["first", "not told from the first", "worse than the first", "better than the first"]
ONE_RANK = 0.1  # of the way from the best source to the worst, among the eleven that each of twelve tasks can choose
FEW_FAMILIES = 3  # fewer tell nothing of how families differ


@dataclass(frozen=True, kw_only=True)
class OracleScores:
    """What one result is worth on one oracle, as its `file` says; None where a score is undefined or not known."""

    trs: float
    interval: tuple[float, float] | None = None
    p: float | None = None
    skill: float | None = None
    skill_p: float | None = None
    file: str | None = None


@dataclass(frozen=True, kw_only=True)
class StackedEntry:
    """One row: an estimator, with one result on each of its oracles.

    Attributes
    ----------
    standing : str, optional
        Beside the first, over the oracles that both have; None for baselines, for what knows the oracles' data, and
        where no estimator is better than chance.
    kind : str
        "result", or "baseline".
    backbone : str, optional
        Whose representations it used, where these are not of the oracles' own backbones.
    signals : tuple of str
        The signals that it used.
    by_oracle : dict of str to OracleScores
        Of each oracle that has a result, those that do not count over all among them.
    complete : bool
        Whether it has a result on each oracle that counts. If not, the figures over all are of those that it has, and
        no order follows from them.
    n_oracles, n_families, n_targets : int
        What the figures over all stand on; a target task of several oracles counts once.
    relative_rank : float, optional
        The mean true rank of the predicted best source, on a scale from 0, the best source, to 1, the worst; chance
        is .5. The mean over families, of each the mean over target tasks, of each the mean over oracles.
    interval : tuple of two floats, optional
        Its 95 % interval over target tasks, by a Bayesian bootstrap within each family.
    p, corrected_p : float, optional
        How often it is as low under other names of the tasks, the same for all oracles of a family; and corrected by
        Holm's method for the number of estimators.
    skill : float, optional
        The mean over families of the mean skill over oracles; None if it is undefined on one of them.
    skill_p, corrected_skill_p : float, optional
        The same of the skill.
    between_families : float, optional
        The standard deviation of the families' relative ranks; None where there are fewer than three.
    to_first : PairedDifference, optional
        Its relative rank less that of the complete entry of the lowest, over the oracles that both have.
    first_p : float, optional
        The p of that difference, corrected for the number of comparisons.
    """

    standing: StackedStanding | None
    kind: str
    estimator: str
    second_hand: str
    backbone: str | None
    signals: tuple[str, ...]
    uses_oracle: bool
    by_oracle: dict[str, OracleScores]
    complete: bool
    n_oracles: int
    n_families: int
    n_targets: int
    relative_rank: float | None
    interval: tuple[float, float] | None
    p: float | None
    corrected_p: float | None
    skill: float | None
    skill_p: float | None
    corrected_skill_p: float | None
    between_families: float | None
    to_first: PairedDifference | None
    first_p: float | None


@dataclass(frozen=True, kw_only=True)
class StackedColumn:
    """An oracle of a stacked board; `family` is None for an oracle of synthetic tasks that does not count over all.

    `chance` is the TRS of random choice.
    """

    name: str
    suite: str
    family: int | None
    synthetic: bool
    n_sources: int
    n_targets: int
    chance: float


@dataclass(frozen=True, kw_only=True, repr=False)
class StackedBoard(Tabular):
    """Estimators over several oracles: the complete entries first, by relative rank.

    Families of oracles share target tasks, and each family counts alike. `n_targets` are the target tasks of all
    families; `tries` is the number of estimators whose p-values are corrected for their number; `draws` that of the
    relabellings. `detectable` is the difference of relative ranks that the paired test sees with 80 % power, in the
    median over the complete entries, None where there is one alone; `power_for_one_rank` its power for a difference of
    one rank among eleven sources. `left_out` says in lines which results do not stand here.
    """

    oracles: tuple[StackedColumn, ...]
    families: tuple[tuple[str, ...], ...]
    n_targets: int
    draws: int
    tries: int
    detectable: float | None
    power_for_one_rank: float | None
    entries: tuple[StackedEntry, ...]
    left_out: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What the board ranks."""
        return f"{len(self.entries)} rows over {len(self.oracles)} oracles, {self.n_targets} target tasks"

    @property
    def table_rows(self) -> tuple[StackedEntry, ...]:
        """A row for each entry."""
        return self.entries


def stacked_board(results: Sequence[Result], *, synthetic: bool = False) -> StackedBoard:
    """Return a board over the oracles of some results.

    Parameters
    ----------
    results : sequence of Result
        On several oracles; an estimator is a row if it has a result on one of them. Of several results of an estimator
        on an oracle with one signal, that of the most examples counts, then of the most seeds, then the latest.
    synthetic : bool
        Whether oracles of synthetic tasks count over all: by default they are controls, and stand beside.

    Raises
    ------
    UnusableData
        If no result has scores of today's schema, or all are on synthetic tasks, which do not count.
    """
    oracles, left_out = stacked_oracles(results)
    controls = [oracle for oracle in oracles if oracle.synthetic and not synthetic]
    families = oracle_families([oracle for oracle in oracles if oracle not in controls])
    if not families:
        raise UnusableData("all results here are on synthetic tasks: add --synthetic, so that they count over all.")
    every = [*(oracle for family in families for oracle in family.oracles), *controls]
    rows, surplus = stacked_rows(every)
    figures = StackedFigures(families, rows)
    entries = _corrected([_entry(figures, i, every) for i in range(len(rows))])
    judged = [i for i, entry in enumerate(entries) if _is_judged(entry)]
    complete = [i for i in judged if entries[i].complete]
    if complete:
        lowest = min(complete, key=lambda i: (entries[i].relative_rank, i))
        contests = {i: figures.difference(i, lowest) for i in judged if i != lowest}
        entries = _with_standings(entries, lowest, contests)
    detectable = median_of_defined([gap.detectable for i in complete if (gap := entries[i].to_first)])
    return StackedBoard(
        oracles=tuple(_columns(families, controls)),
        families=tuple(tuple(oracle.name for oracle in family.oracles) for family in families),
        n_targets=sum(len(family.targets) for family in families),
        draws=len(families[0].of_sources[0].sources),
        tries=len(judged),
        detectable=detectable,
        power_for_one_rank=None if detectable is None else power_for(ONE_RANK, detectable),
        entries=tuple(sorted(entries, key=_order)),
        left_out=(*left_out, *surplus),
    )


def _entry(figures: StackedFigures, i: int, oracles: Sequence[StackedOracle]) -> StackedEntry:
    """Return a row without what hangs on other rows."""
    row, names = figures.rows[i], figures.common(i)
    signals = [row.results[oracle.name].signal for oracle in oracles if oracle.name in row.results]
    ranks = figures.relative_ranks(i, names)
    means = [float(of_family.mean()) for of_family in ranks]
    skill, skill_p = figures.skill(i, names)
    return StackedEntry(
        standing=None,
        kind="baseline" if row.prefers_nothing or not row.results else "result",
        estimator=row.estimator,
        second_hand=row.second_hand,
        backbone=row.backbone,
        signals=tuple(dict.fromkeys(signal for signal in signals if signal)),
        uses_oracle=row.uses_oracle,
        by_oracle=dict(_scores_by_oracle(row, oracles)),
        complete=names == figures.names,
        n_oracles=len(names),
        n_families=len(means),
        n_targets=sum(map(len, ranks)),
        relative_rank=float(np.mean(means)) if means else None,
        interval=figures.interval(i, names) if means else None,
        p=figures.p(i, names) if means else None,
        corrected_p=None,
        skill=skill,
        skill_p=skill_p,
        corrected_skill_p=None,
        between_families=float(np.std(means, ddof=1)) if len(means) >= FEW_FAMILIES else None,
        to_first=None,
        first_p=None,
    )


def _scores_by_oracle(row: StackedRow, oracles: Sequence[StackedOracle]) -> Iterator[tuple[str, OracleScores]]:
    for oracle in oracles:
        if oracle.name in row.results and (s := row.results[oracle.name].scores):
            yield (
                oracle.name,
                OracleScores(
                    trs=s.trs.value,
                    interval=s.trs.interval,
                    p=s.trs.p.p if s.trs.p else None,
                    skill=s.skill.rho if s.skill else None,
                    skill_p=s.skill.p.p if s.skill and s.skill.p else None,
                    file=row.results[oracle.name].file_name,
                ),
            )
        elif oracle.name in row.baselines and (trs := oracle.results[0].baselines.get(row.estimator)) is not None:
            yield oracle.name, OracleScores(trs=trs)


def _is_judged(entry: StackedEntry) -> bool:
    """Whether an entry counts as a try to find the best source without knowledge of the transfers."""
    return entry.kind == "result" and not entry.uses_oracle and entry.p is not None


def _corrected(entries: Sequence[StackedEntry]) -> list[StackedEntry]:
    """Return entries with p-values that are corrected for the number of estimators."""
    corrected = list(entries)
    judged = [i for i, entry in enumerate(entries) if _is_judged(entry)]
    for i, p in zip(judged, holm([entries[i].p or 0.0 for i in judged]), strict=True):
        corrected[i] = replace(corrected[i], corrected_p=p)
    skilled = [i for i in judged if entries[i].skill_p is not None]
    for i, p in zip(skilled, holm([entries[i].skill_p or 0.0 for i in skilled]), strict=True):
        corrected[i] = replace(corrected[i], corrected_skill_p=p)
    return corrected


def _with_standings(
    entries: Sequence[StackedEntry], lowest: int, contests: Mapping[int, PairedDifference]
) -> list[StackedEntry]:
    """Return entries with their difference to the complete one of the lowest relative rank, and their standing."""
    p_values = dict(zip(contests, holm([contest.p for contest in contests.values()]), strict=True))
    best_p = entries[lowest].corrected_p
    is_first = best_p is not None and best_p <= LEVEL  # else no complete estimator is better than chance
    compared = list(entries)
    compared[lowest] = replace(entries[lowest], standing="first" if is_first else None)
    for i, contest in contests.items():
        standing: StackedStanding = "not told from the first"
        if p_values[i] <= LEVEL:
            standing = "worse than the first" if contest.difference > 0 else "better than the first"
        compared[i] = replace(
            entries[i], to_first=contest, first_p=p_values[i], standing=standing if is_first else None
        )
    return compared


def _columns(families: Sequence[OracleFamily], controls: Sequence[StackedOracle]) -> Iterator[StackedColumn]:
    """Yield the oracles, those that count first."""
    numbered = [(number, oracle) for number, family in enumerate(families, 1) for oracle in family.oracles]
    for number, oracle in [*numbered, *((None, oracle) for oracle in controls)]:
        matrix = oracle.oracle.transfers
        yield StackedColumn(
            name=oracle.name,
            suite=oracle.suite,
            family=number,
            synthetic=oracle.synthetic,
            n_sources=len(matrix.sources),
            n_targets=len(matrix.targets),
            chance=next(result.scores.trs.chance for result in oracle.results if result.scores),
        )


def _order(entry: StackedEntry) -> tuple[bool, int, float, str, tuple[str, ...], str]:
    """Return the place of an entry: complete ones first, then those of more oracles; a lower relative rank first."""
    value = np.inf if entry.relative_rank is None else entry.relative_rank
    return not entry.complete, -entry.n_oracles, value, entry.estimator, entry.signals, entry.second_hand
