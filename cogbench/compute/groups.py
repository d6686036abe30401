"""Sets of tasks that are trained together, measured: which sets, their trainings, and what targets score with them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from ..data.oracle_seeds import differing
from ..errors import LostStore, UnknownName, UnusableData, WrongOption
from ..oracles.set_tables import read_groups, read_sets
from ..oracles.task_sets import SetScore, TaskSets, in_words, plain_sets, write_sets
from ..scoring.means import none_if_nan
from ..scoring.metrics import TaskScore
from ..storage.locks import locked
from .cells import Training
from .transfers import TransferPlan, in_todays_provenance
from .workspace import Workspace

Groups = int | str | Path | Sequence[Sequence[str]]


@dataclass(frozen=True)
class GroupPlan:
    """Sets of tasks that are measured: the trainings they come from.

    Parameters
    ----------
    transfers : TransferPlan
        The tasks of all sets, the backbone that trains tasks together, and how.
    groups : tuple of tuples of str
        The sets of tasks, by their names; each task of a set is a target of the others.
    """

    transfers: TransferPlan
    groups: tuple[tuple[str, ...], ...]

    def trainings(self, seed: int) -> dict[tuple[str, tuple[str, ...]], Training]:
        """Return the trainings of a seed, by target and other tasks; without other tasks a target is trained alone."""
        named = {task.name: task for task in self.transfers.tasks}
        alone = self.transfers.trainings(seed)
        trainings: dict[tuple[str, tuple[str, ...]], Training] = {(name, ()): alone[name, name] for name in named}
        for group in self.groups:
            for target in group:
                others = tuple(sorted(name for name in group if name != target))
                cell = self.transfers.together(named[target], [named[name] for name in others], seed)
                trainings[target, others] = cell
        return trainings

    def cells(self) -> list[Training]:
        """Return the trainings of all seeds, each once."""
        return [*dict.fromkeys(cell for seed in self.transfers.seeds for cell in self.trainings(seed).values())]

    def sets(self, name: str, workspace: Workspace) -> TaskSets:
        """Return what the targets score with these sets, computing what is missing."""
        plan = self.transfers
        named = {task.name: task for task in plan.tasks}
        scores = {
            seed: {key: cell.score(workspace, named[key[0]]) for key, cell in self.trainings(seed).items()}
            for seed in sorted(plan.seeds)
        }
        sets = TaskSets(
            name=name,
            sets=tuple(_set_score(key, [by_set[key] for by_set in scores.values()]) for key in self.trainings(0)),
            metrics={task.name: task.metric for task in plan.tasks},
            backbone=plan.alone.name,
            suite=plan.suite,
            basis="measured",
            sharing=plan.sharing,
            seeds=tuple(scores),
            provenance=plan.provenance(workspace),
        )
        return _with_origin(sets)


def _set_score(key: tuple[str, tuple[str, ...]], scores: Sequence[TaskScore]) -> SetScore:
    target, others = key
    values = tuple(float(score.value) for score in scores)
    error = _error_of_seeds(values)
    error = none_if_nan(scores[0].standard_error) if error is None else error  # of one seed that of the evaluation
    return SetScore(target, others, score=float(np.mean(values)), standard_error=error, by_seed=values)


def _error_of_seeds(values: Sequence[float]) -> float | None:
    """Return the standard error of a mean over seeds; None of one seed."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def _with_origin(sets: TaskSets) -> TaskSets:
    most = sets.provenance.get("max_train")
    size = f" and at most {most} training examples" if most else ""
    return replace(sets, origin=f"measured by cogbench with seeds {', '.join(map(str, sets.seeds))}{size}")


def find_groups(groups: Groups, tasks: Sequence[str]) -> tuple[tuple[tuple[str, ...], ...], str]:
    """Return the sets of tasks that are meant, each in the order of the tasks, and what to call them in a name.

    Parameters
    ----------
    groups : int, str, Path or sequence of sequences of str
        A number for all sets of so many tasks, a file with a set a line (`a+b+c`, or by commas), or the sets.
    tasks : sequence of str
        The names of the tasks there are.

    Raises
    ------
    UnusableData
        If a set has less than two tasks or a task twice, stands twice, or is larger than there are tasks.
    UnknownName
        If a set names another task.
    """
    if isinstance(groups, int) or (isinstance(groups, str) and re.fullmatch(r"[+-]?\d+", groups)):
        size = int(groups)
        if size < 2:
            raise WrongOption(f"groups of {size} tasks cannot be trained together: a group has at least two tasks.")
        if size > len(tasks):
            raise WrongOption(f"groups of {size} tasks cannot be made of {len(tasks)}: {', '.join(tasks)}.")
        return tuple(combinations(tasks, size)), f"groups-of-{size}"
    named = read_groups(Path(groups)) if isinstance(groups, str | Path) else [tuple(group) for group in groups]
    ordered = list[tuple[str, ...]]()
    for group in named:
        if unknown := [name for name in group if name not in tasks]:
            raise UnknownName.of("task in a group", unknown[0], tasks, label="In this measurement")
        if len({*group}) < max(2, len(group)):
            raise UnusableData(
                f"the group {in_words(group)} cannot be trained together: name two tasks or more, each once."
            )
        ordered.append(tuple(name for name in tasks if name in group))
        if ordered.count(ordered[-1]) > 1:
            raise UnusableData(f"the group {in_words(ordered[-1])} stands twice; leave one.")
    if not ordered:
        raise UnusableData("there is no group of tasks to train together.")
    stem = Path(groups).stem if isinstance(groups, str | Path) else str(len(ordered))
    return tuple(ordered), f"groups-{stem}"


def check_sets(path: Path, plan: GroupPlan, workspace: Workspace) -> None:
    """Raise UnusableData if the sets that a file holds were measured otherwise than a plan measures them."""
    if path.is_file():
        metrics = {task.name: task.metric for task in plan.transfers.tasks}
        provenance = plan.transfers.provenance(workspace)
        _check_alike(read_sets(path), {*plan.trainings(0)}, metrics, provenance)


def _check_alike(
    one: TaskSets,
    sets: set[tuple[str, tuple[str, ...]]],
    metrics: Mapping[str, str],
    provenance: Mapping[str, object],
) -> None:
    apart = differing(in_todays_provenance(one.name, one.provenance), provenance)
    if {(row.target, row.members) for row in one.sets} != sets:
        apart = ["list of groups"]  # so their tasks and data may differ too
    elif one.metrics != metrics:
        apart.append("metric")
    if apart:
        raise UnusableData(
            f"task sets {one.name!r} were measured with another {' and another '.join(apart)}: give these another "
            "name, with --name."
        )


def keep_sets(sets: TaskSets, path: Path) -> TaskSets:
    """Write task sets with the seeds that their file has already, and return them with these."""
    try:
        with locked(path.with_suffix(".lock"), path.parent, f"task sets {sets.name}"):  # another may add seeds just now
            if path.is_file():
                sets = merged_sets(read_sets(path), sets)
            write_sets(sets, path)
    except LostStore:
        kept = read_sets(path) if path.is_file() else None
        if kept is None or plain_sets(merged_sets(kept, sets))["sets"] != plain_sets(kept)["sets"]:
            raise
        return kept
    return sets


def merged_sets(one: TaskSets, other: TaskSets) -> TaskSets:
    """Return the task sets of the seeds of both; those of `other` count where both have one.

    Raises
    ------
    UnusableData
        If they are not of the same sets, metrics, model, data and settings, or do not tell their seeds apart.
    """
    _check_alike(one, {(s.target, s.members) for s in other.sets}, other.metrics, other.provenance)
    seeds = tuple(sorted({*one.seeds, *other.seeds}))
    if lacking := [s for s in (*one.sets, *other.sets) if not s.by_seed]:
        raise UnusableData(
            f"task sets {one.name!r} do not tell the seeds of {lacking[0].target!r} apart: they cannot get more seeds; "
            "give these another name, with --name."
        )
    before = {(s.target, s.members): s for s in one.sets}
    rows = list[SetScore]()
    for row in other.sets:
        earlier = before[row.target, row.members]
        values = dict(zip(one.seeds, earlier.by_seed, strict=True)) | dict(zip(other.seeds, row.by_seed, strict=True))
        scores = tuple(values[seed] for seed in seeds)
        error = _error_of_seeds(scores)
        rows.append(
            replace(
                row,
                score=float(np.mean(scores)),
                standard_error=row.standard_error if error is None else error,
                by_seed=scores,
            )
        )
    return _with_origin(replace(other, sets=tuple(rows), seeds=seeds))
