"""Oracles that are judged together: the results that each has scored, and the families that share target tasks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle
from ..errors import UnusableData
from ..parts.recipe import ALL_ROWS, SEQUENTIAL
from ..scoring.chance import DRAWS, MOST_CELLS, Relabellings, joint_relabellings
from ..scoring.ranking import Ranking, true_ranking
from .comparable import comparable_results
from .comparison import oracle_of
from .result import Result


@dataclass(frozen=True, eq=False)
class StackedOracle:
    """An oracle by the ranks that result files hold, and the results that may be compared on it.

    `synthetic` says that a generator made its tasks. Its tasks stand in the order of its family.
    """

    name: str
    suite: str
    synthetic: bool
    results: tuple[Result, ...]
    oracle: Oracle

    @cached_property
    def relative(self) -> Ranking:
        """The oracle's ranking with relative ranks: of each target 0 for the best source, 1 for the worst."""
        true = true_ranking(self.oracle)
        return replace(true, ranks=(true.ranks - 1) / (true.candidates.sum(axis=0) - 1))


@dataclass(frozen=True, eq=False)
class OracleFamily:
    """Oracles that share target tasks, and the relabellings of their tasks: in each draw the same in all of them.

    `of_sources` and `of_targets` have one for each oracle: where a task is a source or a target only, the first
    exchange the names of such sources, the second those of such targets.
    """

    oracles: tuple[StackedOracle, ...]
    of_sources: tuple[Relabellings, ...]
    of_targets: tuple[Relabellings, ...]

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The sources of all its oracles."""
        return tuple(dict.fromkeys(s for oracle in self.oracles for s in oracle.oracle.transfers.sources))

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """The targets of all its oracles."""
        return tuple(dict.fromkeys(t for oracle in self.oracles for t in oracle.oracle.transfers.targets))

    def places(self, names: frozenset[str]) -> list[int]:
        """Return the places of the oracles that are among these."""
        return [i for i, oracle in enumerate(self.oracles) if oracle.name in names]

    def columns(self, place: int) -> list[int]:
        """Return the places of an oracle's targets among those of the family."""
        return [self.targets.index(t) for t in self.oracles[place].oracle.transfers.targets]

    def mean_over_oracles(self, values: dict[str, Array]) -> Array:
        """Return the mean of each target's value over the oracles that have it: (n_targets,), NaN where none has."""
        total, count = np.zeros(len(self.targets)), np.zeros(len(self.targets))
        for i, oracle in enumerate(self.oracles):
            if oracle.name in values:
                total[self.columns(i)] += values[oracle.name]
                count[self.columns(i)] += 1
        return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)

    def choices(self, names: frozenset[str]) -> Array:
        """Return what each choice is worth: its relative rank in the mean over oracles, NaN where it is none.

        Returns
        -------
        array of shape (n_sources, n_targets)
        """
        total = np.zeros((len(self.sources), len(self.targets)))
        count = np.zeros(total.shape)
        for i in self.places(names):
            relative = self.oracles[i].relative
            cells = np.ix_([self.sources.index(s) for s in relative.sources], self.columns(i))
            total[cells] += np.where(relative.candidates, relative.ranks, 0)
            count[cells] += relative.candidates
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def stacked_oracles(results: Sequence[Result]) -> tuple[list[StackedOracle], list[str]]:
    """Return the oracles of some results, by name, and a line on what is left out.

    Of each oracle those results count that may be compared, as on a leaderboard; where there are several sets of them,
    the largest. Oracles of one kind alone are stacked, by how they combine tasks and choose rows: those of sources that
    are trained first on all their rows, if there are any, else those of the kind with the most results.

    Raises
    ------
    UnusableData
        If no result has scores of today's schema.
    """
    notes, scored = [], [result for result in results if result.scores]
    outdated = sum(result.is_outdated for result in scored)
    if outdated:
        n_results = f"{outdated} result{'s' * (outdated > 1)}"
        notes.append(f"left out: {n_results} that an older schema scored; `cogbench score` computes scores anew")
    stacked, others = _of_one_kind([result for result in scored if not result.is_outdated])
    notes += _of_other_kinds(stacked, others)
    groups = comparable_results(stacked)
    ordered = sorted(
        groups, key=lambda group: (-len(group.results), group.results[0].suite, group.results[0].file_name)
    )
    by_name: dict[str, StackedOracle] = {}
    for group in ordered:
        name = group.results[0].oracle.name if group.results[0].oracle else ""
        if name in by_name:
            n = len(group.results)
            notes.append(
                f"left out: {n} result{'s' * (n > 1)} on {name} with other tasks, transfers, data or recordings than "
                f"the {len(by_name[name].results)} that count"
            )
        elif (oracle := _of_choices(group.results[0])) is None:
            notes.append(f"left out: {name}, of which no target can choose between sources")
        else:
            suite, synthetic = group.results[0].suite, any("tasks" in result.synthetic for result in group.results)
            by_name[name] = StackedOracle(name, suite, synthetic, tuple(group.results), oracle)
    if not by_name:
        raise UnusableData(
            "no result here has scores of an oracle: `cogbench run` and `cogbench score --out` write them."
        )
    return [by_name[name] for name in sorted(by_name)], notes


def _of_one_kind(results: Sequence[Result]) -> tuple[list[Result], list[Result]]:
    """Return the results on oracles of one kind, by sharing and choice of rows, and the others."""
    kinds = Counter((result.sharing, result.row_choice) for result in results)
    kind = (SEQUENTIAL, ALL_ROWS)
    if kinds and kind not in kinds:
        kind = min(kinds, key=lambda other: (-kinds[other], other))
    of_kind = [(result.sharing, result.row_choice) == kind for result in results]
    return [r for r, own in zip(results, of_kind, strict=True) if own], [
        r for r, own in zip(results, of_kind, strict=True) if not own
    ]


def _of_other_kinds(stacked: Sequence[Result], others: Sequence[Result]) -> Iterator[str]:
    """Yield a line for each other kind of oracles, with the names that stack them: families where they are whole."""
    kinds = dict[tuple[str, str], set[tuple[str, str]]]()
    for result in others:
        if result.oracle:
            kinds.setdefault((result.sharing, result.row_choice), set()).add((result.suite, result.oracle.name))
    for (sharing, row_choice), oracles in sorted(kinds.items()):
        elsewhere = {r.suite for r in [*stacked, *others] if (r.sharing, r.row_choice) != (sharing, row_choice)}
        names = sorted({name if suite in elsewhere | {"", "?"} else suite for suite, name in oracles})
        rows = f", rows of sources {row_choice}" if row_choice != ALL_ROWS else ""
        n_oracles = f"{len(oracles)} oracle{'s' * (len(oracles) > 1)}"
        yield f"left out: {n_oracles} with sharing {sharing}{rows}; --oracle {','.join(names)} stacks them alone"


def _of_choices(result: Result) -> Oracle | None:
    """Return a result's oracle for the targets that can choose between two sources; None where there is none."""
    oracle = oracle_of(result)
    if oracle is None:
        return None
    n_candidates = true_ranking(oracle).candidates.sum(axis=0)
    targets = [t for t, n in zip(oracle.transfers.targets, n_candidates, strict=True) if n > 1]
    return oracle.part(oracle.transfers.sources, targets) if targets else None


def oracle_families(oracles: Sequence[StackedOracle], *, draws: int = DRAWS) -> list[OracleFamily]:
    """Return the families of oracles: those of one suite, or that share more than half of the targets of the smaller.

    An oracle that shares with one of a family belongs to it. Relabellings are drawn for each family apart, `draws` of
    them; all of them are tried where there is one family alone and they are fewer.
    """
    groups: list[list[StackedOracle]] = []
    for oracle in oracles:
        near = [group for group in groups if any(_share_targets(oracle, other) for other in group)]
        groups = [group for group in groups if not any(group is other for other in near)]
        groups.append([*(other for group in near for other in group), oracle])
    ordered = sorted((sorted(group, key=lambda o: o.name) for group in groups), key=lambda group: group[0].name)
    aligned = [[*_in_common_order(group)] for group in ordered]
    cells = max((oracle.oracle.transfers.values.size for group in aligned for oracle in group), default=1)
    draws = max(1, min(draws, MOST_CELLS // cells))  # as many for each family
    families = []
    for seed, group in enumerate(aligned):
        matrices = [oracle.oracle.transfers for oracle in group]
        of_roles = [
            tuple(joint_relabellings(matrices, free, draws=draws, seed=seed, always_drawn=len(aligned) > 1))
            for free in ("sources", "targets")
        ]
        families.append(OracleFamily(tuple(group), *of_roles))
    return families


def _share_targets(one: StackedOracle, other: StackedOracle) -> bool:
    targets = [{*oracle.oracle.transfers.targets} for oracle in (one, other)]
    same_suite = one.suite == other.suite and one.suite not in ("", "?")
    return same_suite or len(targets[0] & targets[1]) > min(map(len, targets)) / 2


def _in_common_order(oracles: Sequence[StackedOracle]) -> Iterator[StackedOracle]:
    """Yield oracles with their tasks in one order: that of the first, and what further ones add."""
    matrices = [oracle.oracle.transfers for oracle in oracles]
    sources = dict.fromkeys(s for matrix in matrices for s in matrix.sources)
    targets = dict.fromkeys(t for matrix in matrices for t in matrix.targets)
    for oracle, matrix in zip(oracles, matrices, strict=True):
        part = oracle.oracle.part(
            [s for s in sources if s in matrix.sources], [t for t in targets if t in matrix.targets]
        )
        yield replace(oracle, oracle=part)
