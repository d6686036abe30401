"""How well a pairwise guess finds good sets of sources: its choice among the measured sets of each target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from ..errors import UnusableData
from ..scoring.chance import PValue, Relabellings, relabelled_p, relabellings
from ..scoring.means import mean_of_defined, none_if_nan
from ..text import listed
from .set_values import are_highest, build_set, incidence_of, used_part, values_of
from .task_sets import SetScore, TaskSets


@dataclass(frozen=True, kw_only=True)
class TargetSetScore:
    """What the guess's best set is worth for one target; where several tie, each score is the mean over them.

    Parameters
    ----------
    target : str
    n_sets : int
        How many measured sets there are to choose from.
    chosen, best : tuple of tuples of str
        The measured sets that the guess values most, and those that score best.
    rank, rank_chance : float
        The true rank of the chosen set, 1 is best and ties share their mean; and its mean over all sets.
    score, best_score, mean_score : float
        The target's metric with the chosen set, with the best one, and the mean over all sets.
    alone : float, optional
        The metric of the target alone.
    regret, regret_chance : float
        By how much the chosen set is worse than the best one, in the metric; and the mean of that over all sets.
    percent, percent_chance : float, optional
        The same in percent of the best score, where that is above 0.
    built : tuple of str, optional
        The greedily built set, where a size is asked for.
    built_rank : float, optional
        Its rank among the measured sets, where it was measured.
    """

    target: str
    n_sets: int
    chosen: tuple[tuple[str, ...], ...]
    best: tuple[tuple[str, ...], ...]
    rank: float
    rank_chance: float
    score: float
    best_score: float
    mean_score: float
    alone: float | None
    regret: float
    regret_chance: float
    percent: float | None
    percent_chance: float | None
    built: tuple[str, ...] | None = None
    built_rank: float | None = None


@dataclass(frozen=True, kw_only=True)
class SetScores:
    """How well a pairwise guess finds good sets of sources: means over targets, each beside chance.

    Parameters
    ----------
    guess, sets : str
        Their names.
    size : int, optional
        The size of the sets to choose from; None for all sizes.
    redundancy : float
        As in `set_values`.
    n_targets, n_sets : int
        How many targets there are, and how many sets of all of them together.
    rank, rank_chance : float
        The mean rank of the chosen set among a target's measured sets.
    relative_rank : float
        The mean of (rank - 1) / (number of sets - 1): 0 is best, .5 chance.
    p : PValue, optional
        How often the guess has a mean rank as low under other names of its tasks. None where that does not apply: a
        relabelled guess needs an estimate for each source and target.
    regret, regret_chance, percent, percent_chance : float, optional
        As of a target; the mean of percentages is over the targets that have one.
    best_found : float
        The share of targets whose chosen set is the best one.
    gain, gain_chance, gain_best : float, optional
        By how much a target is better than alone with the chosen set, with a random one and with the best one, over the
        targets that were measured alone too.
    built_rank : float, optional
        The mean rank of the built sets, over the targets where they were measured.
    n_built : int
        The number of these targets.
    per_target : tuple of TargetSetScore
    notes : tuple of str
        What a reader must know.
    """

    guess: str
    sets: str
    size: int | None
    redundancy: float
    n_targets: int
    n_sets: int
    rank: float
    rank_chance: float
    relative_rank: float
    p: PValue | None
    regret: float
    regret_chance: float
    percent: float | None
    percent_chance: float | None
    best_found: float
    gain: float | None
    gain_chance: float | None
    gain_best: float | None
    built_rank: float | None
    n_built: int
    per_target: tuple[TargetSetScore, ...]
    notes: tuple[str, ...] = ()


def score_guessed_sets(
    sets: TaskSets,
    guess: TaskMatrix,
    *,
    size: int | None = None,
    least: int = 1,
    redundancy: float = 0.0,
    name: str = "guess",
    notes: Sequence[str] = (),
) -> SetScores:
    """Score a pairwise guess by what targets score with measured sets of sources.

    Of each target's measured sets the guess chooses the one that it values most, by `set_values`.

    Parameters
    ----------
    sets : TaskSets
        The truth; the target alone is no set to choose.
    guess : TaskMatrix
        Larger is better. Targets that it does not have are left out, which a note says.
    size : int, optional
        Choose among sets of that size only, and build one of it.
    least : int
        Without a size: choose among sets of at least so many sources.
    redundancy : float
        As for `set_values`.
    name : str
        What the guess is called.
    notes : sequence of str
        What a reader must know of the guess.

    Raises
    ------
    UnusableData
        If the guess lacks a source of the sets, or no target of it has two sets to choose from.
    """
    if size is not None and size < 1:
        raise UnusableData(f"sets of {size} sources cannot be chosen: a size is a whole number from 1.")
    choices, notes = _choices(sets, guess, size, least), [*notes]
    unknown = [target for target in sets.targets if target not in guess.targets]
    if unknown:
        notes.append(f"left out: {listed(unknown)}, which the guess does not have as targets")
    if small := [target for target in sets.targets if target not in choices and target not in unknown]:
        notes.append(f"left out: {listed(small)}, which have fewer than two sets to choose from")
    members = sorted({member for own in choices.values() for one in own for member in one.members})
    used = used_part(guess, [*choices], members=members, redundancy=redundancy)
    truth = {target: _Truth.of(own, sets.sign(target), used.sources) for target, own in choices.items()}
    values = [
        values_of(used.values[None], true.incidence, used=used, target=target, redundancy=redundancy)
        for target, true in truth.items()
    ]
    n_lost = sum(int((~np.isfinite(of_target)).sum()) for of_target in values)
    if n_lost:
        notes.append(f"{n_lost} sets have a member without an estimate: they are valued last")
    names, p = relabellings(used), None
    total = float(_totals(used.values[None], used, truth, redundancy)[0])
    if np.isfinite(used.values[~used.same]).all():
        p = relabelled_p(_relabelled_totals(used, truth, names, redundancy), total, names)
    else:
        notes.append("no p: the guess has no estimate for some pair of tasks, so its tasks cannot exchange their names")
    per_target = tuple(
        _target_score(sets, target, choices[target], true, used, size, redundancy) for target, true in truth.items()
    )
    return _summary(sets, per_target, p, name=name, size=size, redundancy=redundancy, notes=notes)


@dataclass(frozen=True, eq=False)
class _Truth:
    """The measured sets of a target as arrays: members (n_sets, n_sources) of bool, scores and ranks (n_sets,)."""

    incidence: Array
    scores: Array  # larger is better
    ranks: Array

    @classmethod
    def of(cls, sets: Sequence[SetScore], sign: int, sources: Sequence[str]) -> "_Truth":
        scores = sign * np.array([one.score for one in sets])
        above, equal = (scores[None] > scores[:, None]).sum(axis=1), (scores[None] == scores[:, None]).sum(axis=1)
        return cls(incidence_of([one.members for one in sets], sources), scores, above + (equal + 1) / 2)


def _choices(sets: TaskSets, guess: TaskMatrix, size: int | None, least: int) -> dict[str, tuple[SetScore, ...]]:
    """Return the sets that each target of the guess has to choose from; those with fewer than two have no choice."""

    def fits(one: SetScore) -> bool:
        return len(one.members) == size if size is not None else len(one.members) >= least

    if not any(target in guess.targets for target in sets.targets):
        raise UnusableData(
            f"the guess has none of the targets {listed(sets.targets, 8)}; it has {listed(guess.targets, 8)}."
        )
    own = {t: tuple(filter(fits, sets.of(t))) for t in sets.targets if t in guess.targets}
    choices = {target: candidates for target, candidates in own.items() if len(candidates) > 1}
    if not choices:
        which = f"of {size}" if size is not None else f"of {least} or more"
        raise UnusableData(f"no target of {sets.name!r} has two sets {which} sources to choose from.")
    return choices


def _totals(block: Array, used: TaskMatrix, truth: dict[str, _Truth], redundancy: float) -> Array:
    """Return the sum over targets of the true ranks of the sets that each guess chooses: (n_guesses,)."""
    total = np.zeros(len(block))
    for target, true in truth.items():
        chosen = are_highest(values_of(block, true.incidence, used=used, target=target, redundancy=redundancy))
        total += (chosen @ true.ranks) / chosen.sum(axis=1)
    return total


def _relabelled_totals(used: TaskMatrix, truth: dict[str, _Truth], names: Relabellings, redundancy: float) -> Array:
    return np.concatenate([_totals(block, used, truth, redundancy) for block in names.apply(used.values)])


def _target_score(
    sets: TaskSets,
    target: str,
    own: Sequence[SetScore],
    true: _Truth,
    used: TaskMatrix,
    size: int | None,
    redundancy: float,
) -> TargetSetScore:
    (chosen,) = are_highest(
        values_of(used.values[None], true.incidence, used=used, target=target, redundancy=redundancy)
    )
    sign, best = sets.sign(target), true.scores.max()
    reached, mean = float(true.scores[chosen].mean()), float(true.scores.mean())
    alone = sets.alone(target)
    built, built_rank = None, None
    column = used.values[:, used.targets.index(target)]
    if size is not None and np.isfinite(column).sum() >= size:
        built = tuple(sorted(build_set(used, target, size=size, redundancy=redundancy)))
        built_rank = next((float(r) for one, r in zip(own, true.ranks, strict=True) if one.members == built), None)

    def in_percent(gap: float) -> float | None:
        return 100 * gap / abs(best) if sign * best > 0 else None

    return TargetSetScore(
        target=target,
        n_sets=len(own),
        chosen=tuple(one.members for one, is_it in zip(own, chosen, strict=True) if is_it),
        best=tuple(one.members for one, score in zip(own, true.scores, strict=True) if score == best),
        rank=float(true.ranks[chosen].mean()),
        rank_chance=(len(own) + 1) / 2,
        score=sign * reached,
        best_score=sign * float(best),
        mean_score=sign * mean,
        alone=None if alone is None else alone.score,
        regret=float(best) - reached,
        regret_chance=float(best) - mean,
        percent=in_percent(float(best) - reached),
        percent_chance=in_percent(float(best) - mean),
        built=built,
        built_rank=built_rank,
    )


def _summary(
    sets: TaskSets,
    per_target: tuple[TargetSetScore, ...],
    p: PValue | None,
    *,
    name: str,
    size: int | None,
    redundancy: float,
    notes: Sequence[str],
) -> SetScores:
    def mean(what: str) -> float:
        numbers = (getattr(one, what) for one in per_target)
        return mean_of_defined([np.nan if number is None else number for number in numbers])

    def gain(what: str) -> float | None:
        measured = [one for one in per_target if one.alone is not None]
        return none_if_nan(
            mean_of_defined([sets.sign(o.target) * (getattr(o, what) - o.alone) for o in measured])  # type: ignore[operator]
        )

    built = [one.built_rank for one in per_target if one.built_rank is not None]
    if size is not None and len(built) < len(per_target):
        notes = [*notes, f"the built sets of {len(per_target) - len(built)} targets were not measured"]
    return SetScores(
        guess=name,
        sets=sets.name,
        size=size,
        redundancy=redundancy,
        n_targets=len(per_target),
        n_sets=sum(one.n_sets for one in per_target),
        rank=mean("rank"),
        rank_chance=mean("rank_chance"),
        relative_rank=float(np.mean([(one.rank - 1) / (one.n_sets - 1) for one in per_target])),
        p=p,
        regret=mean("regret"),
        regret_chance=mean("regret_chance"),
        percent=none_if_nan(mean("percent")),
        percent_chance=none_if_nan(mean("percent_chance")),
        best_found=float(np.mean([len({*o.chosen} & {*o.best}) / len(o.chosen) for o in per_target])),
        gain=gain("score"),
        gain_chance=gain("mean_score"),
        gain_best=gain("best_score"),
        built_rank=float(np.mean(built)) if built else None,
        n_built=len(built),
        per_target=per_target,
        notes=tuple(notes),
    )
