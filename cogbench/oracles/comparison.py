"""How oracles differ: by their sizes, by the way in which tasks are trained, and how far two of them agree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf

from ..data.oracle import Oracle
from ..errors import UnusableData
from ..frames import Tabular
from ..scoring.chance import PValue
from ..scoring.correlation import agreement
from ..scoring.evaluation import score_guess
from .gains import TargetGains, budgets, target_gains
from .ways import WayDifference, material, way, way_differences


@dataclass(frozen=True)
class OraclePair:
    """How far two oracles agree; None where undefined.

    `pearson` and `spearman` are over the `cells` that both know; they are high where the targets alone differ in their
    level. `by_target` is the mean over targets of Spearman's correlation of the sources. The others take the first
    oracle's transfers as a guess at the second's: `skill` is beyond the effects of sources and targets, `skill_p` its
    p; `trs` the mean rank of the sources that are best by the first, `trs_chance` that of random choices.
    """

    first: str
    second: str
    cells: int
    pearson: float | None
    spearman: float | None
    by_target: float | None
    skill: float | None
    skill_p: PValue | None
    trs: float
    trs_chance: float


@dataclass(frozen=True)
class PayingSizes:
    """At which numbers of target examples transfer pays for a target.

    `pays` has for each of `sizes`, few examples first and None for all of them, whether some source gains: see
    `TargetGains`. `sentence` says in words from which size on transfer stops paying: the smallest one at which, and at
    all larger ones, it does not.
    """

    target: str
    sizes: tuple[int | None, ...]
    pays: tuple[bool, ...]
    sentence: str


@dataclass(frozen=True, repr=False)
class OracleComparison(Tabular):
    """What `compare` finds of oracles, over the tasks that all of them have."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    gains: tuple[TargetGains, ...]
    sizes: tuple[PayingSizes, ...]
    pairs: tuple[OraclePair, ...]
    ways: tuple[WayDifference, ...]
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What was compared."""
        return f"{len(self.pairs)} pairs of oracles, {len(self.sources)} sources × {len(self.targets)} targets"

    @property
    def table_rows(self) -> tuple[OraclePair, ...]:
        """A row for each pair of oracles."""
        return self.pairs


def compare_oracles(oracles: Sequence[Oracle]) -> OracleComparison:
    """Compare oracles over the tasks that all of them have.

    Those of one backbone that differ in their numbers of examples are compared by the gains of their sources; those
    that differ in the number of target examples alone also say from which on transfer stops paying. Those that differ
    in tuning, sharing or chosen rows alone are compared pair of tasks by pair of tasks.

    Parameters
    ----------
    oracles : sequence of Oracle
        Two or more.

    Raises
    ------
    UnusableData
        If there is one alone, one is given twice, or they have fewer than three sources or no target in common.
    """
    if len(oracles) < 2:
        raise UnusableData("one oracle alone cannot be compared: name two or more.")
    if twice := [name for name in {o.name for o in oracles} if [o.name for o in oracles].count(name) > 1]:
        raise UnusableData(f"oracle {twice[0]!r} is given twice, or two oracles have this name.")
    sources, targets = (
        tuple(name for name in getattr(oracles[0].transfers, role) if all(name in _tasks(o, role) for o in oracles))
        for role in ("sources", "targets")
    )
    if len(sources) < 3 or not targets:
        raise UnusableData(
            f"the oracles have {len(sources)} source(s) and {len(targets)} target(s) in common; a comparison takes "
            "three sources and a target."
        )
    alike = [oracle.part(sources, targets) for oracle in oracles]
    series = list(_series(alike))
    gains = tuple(_gains(alike, series))
    return OracleComparison(
        sources=sources,
        targets=targets,
        gains=gains,
        sizes=tuple(sizes for group in series for sizes in _paying_sizes(group)),
        pairs=tuple(_pair(one, other) for one, other in combinations(alike, 2)),
        ways=(ways := tuple(way_differences(alike))),
        notes=tuple(_notes(oracles, sources, targets, bool(gains), bool(ways))),
    )


def _tasks(oracle: Oracle, role: str) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(oracle.transfers, role)
    return names


def _series(oracles: Sequence[Oracle]) -> Iterator[list[Oracle]]:
    """Yield oracles that differ in the number of target examples alone, few examples first."""
    groups: dict[str, list[Oracle]] = {}
    for oracle in oracles:
        if oracle.basis == "measured":
            alike = [*material(oracle), way(oracle), budgets(oracle)[0]]
            groups.setdefault(repr(alike), []).append(oracle)
    for group in groups.values():
        sizes = {budgets(oracle)[1] for oracle in group}
        if 1 < len(sizes) == len(group):
            yield sorted(group, key=lambda oracle: budgets(oracle)[1] or inf)


def _gains(oracles: Sequence[Oracle], series: Sequence[Sequence[Oracle]]) -> Iterator[TargetGains]:
    """Yield the gains of measured oracles of one backbone that differ in numbers of examples, target by target."""
    measured = [oracle for oracle in oracles if oracle.basis == "measured"]
    if len({oracle.backbone for oracle in measured}) != 1 or len({budgets(oracle) for oracle in measured}) < 2:
        return
    beside = {
        oracle.name: group[place - 1 if place else 1]  # the next smaller size, or of the smallest the next larger
        for group in series
        for place, oracle in enumerate(group)
    }
    ordered = sorted(measured, key=lambda oracle: tuple(size or inf for size in budgets(oracle)))
    for target in measured[0].transfers.targets:
        for oracle in ordered:
            of_target = target_gains(oracle, target, chosen_by=beside.get(oracle.name))
            if of_target is not None:
                yield of_target


def _paying_sizes(series: Sequence[Oracle]) -> Iterator[PayingSizes]:
    """Yield for each target at which of some sizes transfer pays."""
    for target in series[0].transfers.targets:
        of_sizes = [gains for oracle in series if (gains := target_gains(oracle, target)) is not None]
        if len(of_sizes) < 2:
            continue
        sizes, pays = (tuple(getattr(gains, what) for gains in of_sizes) for what in ("max_train_target", "pays"))
        yield PayingSizes(target, sizes, pays, f"{target}: {_words(sizes, pays)}.")


def _words(sizes: Sequence[int | None], pays: Sequence[bool]) -> str:
    """Return in words where transfer pays, and from where on it does not."""
    paying = [size for size, is_paying in zip(sizes, pays, strict=True) if is_paying]
    if not paying:
        return f"transfer pays at none of {_listed(sizes)} target examples"
    where = f"transfer pays at {_listed(paying)} target examples"
    if pays[-1]:
        return f"{where}, the largest number measured" + ("" if all(pays) else ", and not at every smaller one")
    first = max(place for place, is_paying in enumerate(pays) if is_paying) + 1
    return f"{where}, and stops paying from {_size(sizes[first])} on"


def _listed(sizes: Sequence[int | None]) -> str:
    words = [*map(_size, sizes)]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _size(size: int | None) -> str:
    return "all" if size is None else f"{size:,}"


def _pair(one: Oracle, other: Oracle) -> OraclePair:
    cells, pearson, spearman, by_target = agreement(one.oriented, other.oriented)
    scores = score_guess(one.oriented, replace(other, by_seed=None, standard_error=None))  # without resampled oracles
    return OraclePair(
        first=one.name,
        second=other.name,
        cells=cells,
        pearson=pearson,
        spearman=spearman,
        by_target=by_target,
        skill=scores.skill.rho if scores.skill else None,
        skill_p=scores.skill.p if scores.skill else None,
        trs=scores.trs.value,
        trs_chance=scores.trs.chance,
    )


def _notes(
    oracles: Sequence[Oracle], sources: Sequence[str], targets: Sequence[str], has_gains: bool, has_ways: bool
) -> Iterator[str]:
    if has_gains:
        yield (
            "pays: some source gains more than two standard errors would, with Holm's correction for the number of "
            "sources; the gain of the best source is optimistic, for it was chosen by the same scores"
        )
    if has_ways:
        yield (
            "differences of ways are paired: the same target with the same other task, trained in both ways; the error "
            "of a target is that of its evaluation, of all targets that of their spread, with the p of sign flips"
        )
    if (has_gains or has_ways) and any(len(oracle.seeds) < 2 for oracle in oracles):
        yield "the errors of one training seed are those of the evaluation alone: other seeds would add to them"
    for oracle in oracles:
        rest = sorted({*oracle.transfers.sources, *oracle.transfers.targets} - {*sources} - {*targets})
        if rest:
            yield f"not all oracles have {', '.join(rest)} of {oracle.name}: left out"
