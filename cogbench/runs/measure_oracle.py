"""Measure an oracle: all transfers between some tasks on a backbone, kept in the store under a name."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..checkpoints.naming import find_checkpoints
from ..combining.ways import check_choice, choice_word, find_selector, find_sharing, label_of
from ..compute.groups import GroupPlan, Groups, check_sets, find_groups, keep_sets
from ..compute.transfers import TransferPlan, in_todays_form, keep_oracle
from ..compute.workspace import Progress, Workspace, workspace_of
from ..data.files import Files
from ..data.grids import names_table
from ..data.oracle import Oracle
from ..data.oracle_files import SCORES_ENDING, read_oracle
from ..data.oracle_seeds import check_alike
from ..errors import FailedCells, WrongOption
from ..oracles.task_sets import TaskSets, sets_folder
from ..parts.interfaces import Backbone, shares
from ..parts.oracle_names import oracle_folder
from ..parts.recipe import SEQUENTIAL, Selector, Task
from ..parts.registry import Parts
from ..parts.set_options import only
from ..storage.atomic import writable
from ..storage.store import Store
from ..text import LONGEST, file_stem, slug
from ..workers import engine
from ..workers.progress import with_progress
from .plan import suitable_tasks
from .requests import MEASURED, Several, as_list, as_seeds, each_once, resolve


@with_progress
def measure_oracle(
    backbone: str | Backbone,
    *,
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    set: Several[str] = (),
    seeds: str | int | Sequence[int] = (0,),
    max_train: int | None = None,
    max_train_target: int | None = None,
    sharing: str = SEQUENTIAL,
    select: str | Selector | None = None,
    select_share: float | None = None,
    name: str | None = None,
    keep_models: bool = False,
    checkpoints: Any = (),
    files: Files | None = None,
    store: Store | None = None,
    parts: Parts | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress = False,
) -> Oracle:
    """Train each task, and each target after each source; the parameters are the options of `cogbench oracle measure`.

    The oracle is kept in the store, where `run(oracle=NAME)` finds it; seeds that were measured before stay in it.

    Parameters
    ----------
    backbone : str or Backbone
        The backbone to train.
    suite, tasks, set, seeds, max_train, max_train_target
        As for `run`; each option has one value. Oracles that differ in `max_train_target` alone share their sources'
        trainings through the store.
    sharing : str
        How a source and a target are combined, a word of `cogbench.SHARINGS`: by default one after the other.
    select : str or Selector, optional
        What chooses the training examples of each source for each target; by default all of them are used.
    select_share : float, optional
        The share of the source's training examples that it keeps; by default a half.
    name : str, optional
        The name of the oracle. The default names the suite, the backbone, the sharing, the selector and the numbers
        of examples.
    keep_models : bool
        Whether to keep the weights of the transfers and not only their scores.
    checkpoints
        Trained models that somebody has, as for `run`: they are the sources then, and the tasks are targets. Each
        target is trained from the body of each checkpoint, and alone from the backbone.
    files, store, parts, jobs, scheduler, progress
        As for `run`.

    Returns
    -------
    Oracle
        The oracle over all seeds that were measured under its name.

    Raises
    ------
    CogbenchError
        With the line that the command would print. FailedCells means that trainings failed; the store keeps the others.
    """
    workspace = workspace_of(files=files, store=store, parts=parts, jobs=jobs, scheduler=scheduler, progress=progress)
    transfers, called = resolve_transfers(
        workspace.parts,
        backbone,
        checkpoints=checkpoints,
        files=workspace.files,
        suite=suite,
        tasks=tasks,
        set=set,
        seeds=seeds,
        max_train=max_train,
        max_train_target=max_train_target,
        sharing=sharing,
        select=select,
        select_share=select_share,
        keep_models=keep_models,
        name=name,
    )
    return measure_transfers(transfers, called, workspace)[0]


@with_progress
def measure_sets(
    backbone: str | Backbone,
    *,
    group: Groups,
    sharing: str = "joint",
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    set: Several[str] = (),
    seeds: str | int | Sequence[int] = (0,),
    max_train: int | None = None,
    max_train_target: int | None = None,
    name: str | None = None,
    keep_models: bool = False,
    files: Files | None = None,
    store: Store | None = None,
    parts: Parts | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress = False,
) -> TaskSets:
    """Train sets of tasks together, and each of their tasks alone; the answer is kept beside the measured oracles.

    Parameters
    ----------
    group : int, str, Path or sequence of sequences of str
        A number for all sets of so many of the tasks, a file with a set a line (`a+b+c`, or by commas), or the sets.
    backbone, sharing, suite, tasks, set, seeds, max_train, max_train_target, name, keep_models
        As for `measure_oracle`; `sharing` trains tasks together.
    files, store, parts, jobs, scheduler, progress
        As for `run`.

    Returns
    -------
    TaskSets
        What each task scores with the others of each of its sets, and alone, over all seeds that were measured under
        its name.

    Raises
    ------
    CogbenchError
        With the line that `cogbench oracle measure --group` would print.
    """
    workspace = workspace_of(files=files, store=store, parts=parts, jobs=jobs, scheduler=scheduler, progress=progress)
    plans = resolve_groups(
        workspace.parts,
        backbone,
        group=group,
        sharing=sharing,
        suite=suite,
        tasks=tasks,
        set=set,
        seeds=seeds,
        max_train=max_train,
        max_train_target=() if max_train_target is None else (max_train_target,),
        name=name,
        keep_models=keep_models,
    )
    ((sets, _),) = measure_groups(plans, workspace)
    return sets


def resolve_transfers(
    parts: Parts,
    backbone: str | Backbone,
    *,
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    set: Several[str] = (),
    seeds: str | int | Sequence[int] = (0,),
    max_train: int | None = None,
    max_train_target: int | None = None,
    sharing: str = SEQUENTIAL,
    select: str | Selector | None = None,
    select_share: float | None = None,
    keep_models: bool = False,
    name: str | None = None,
    checkpoints: Any = (),
    files: Files | None = None,
    fewest: int = 3,
) -> tuple[TransferPlan, str]:
    """Resolve names into the transfers to measure, and the name of their oracle: `name`, or what it is of.

    `fewest` is how many tasks there have to be.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown or given several values, there are fewer tasks, no installed
        backbone trains with that sharing, checkpoints are to be trained together or on chosen rows, nothing is left of
        a share, or an installed oracle has that name.
    """
    selector = find_selector(parts, select, as_list(set))
    further = [
        *(part for part in parts.backbones.values() if sharing in shares(part)),
        *([selector] if selector else []),
    ]
    selection = resolve(parts, suite=suite, tasks=tasks, backbone=backbone, set=set, further=further)
    given = find_checkpoints(parts, checkpoints, files or Files())
    alone, of_suite = only("backbone", selection.backbones), selection.suite
    trained = find_sharing(parts, sharing, backbone=alone, set=as_list(set))
    share = check_choice(selector, select_share, trained, checkpoints=bool(given))
    if given and sharing != SEQUENTIAL:
        raise WrongOption(f"checkpoints are trained already: sharing {sharing!r} trains tasks together.")
    each_once(selection.tasks, as_list(set))
    place = {task: i for i, task in enumerate(of_suite.tasks)}  # in the suite's order, whatever order they are named in
    chosen = tuple(sorted(selection.tasks, key=lambda t: place.get(t.name, len(place))))
    if len({t.name for t in chosen}) < max(1 if given else fewest, len(chosen)):
        whose = "an oracle needs at least three tasks" if fewest == 3 else f"groups are made of {fewest} tasks or more"
        raise WrongOption(f"{whose}, each named once.")
    if len(given) == 1:
        raise WrongOption("an oracle of checkpoints needs at least two of them.")
    part = f"-{len(chosen)}-tasks" if {t.name for t in chosen} != {*of_suite.tasks} else ""
    part = f"{part}-from-{len(given)}-checkpoints" if given else part
    plan = TransferPlan(
        backbone=trained,
        tasks=chosen,
        suite=suite,
        seeds=as_seeds(seeds),
        max_train=max_train,
        keep=keep_models,
        max_train_target=max_train_target,
        checkpoints=given,
        sharing=sharing,
        selector=selector,
        select_share=share,
        row_choice=choice_word(parts, selector, share),
    )
    size = f"-max-{max_train}" if max_train else ""
    usual = slug(f"{suite}-{label_of(parts, plan.backbone)}{part}{size}{plan.suffix}")
    if name and slug(name) in parts.oracles:  # which would be found in its place
        raise WrongOption(f"an installed oracle is called {name!r}: give this one another name, with --name.")
    if name and (name == MEASURED or names_table(name)):
        raise WrongOption(f"no oracle can be called {name!r}, which `--oracle` takes for something else.")
    called = slug(name) if name else f"measured-{usual}" if usual in parts.oracles else usual
    return plan, file_stem(called, LONGEST - len(SCORES_ENDING))


def resolve_sizes(
    parts: Parts, backbone: str | Backbone, *, max_train_target: Sequence[int] = (), name: str | None = None, **how: Any
) -> list[tuple[TransferPlan, str]]:
    """Resolve names into the transfers of an oracle for each number of target examples, or of one if none is given.

    `how` is as for `resolve_transfers`. Where there are several, a `name` gets the number at its end.
    """
    if len(max_train_target) < 2:
        most = max_train_target[0] if max_train_target else None
        return [resolve_transfers(parts, backbone, max_train_target=most, name=name, **how)]
    names = {most: f"{name}-target-{most}" if name else None for most in sorted(max_train_target)}
    return [resolve_transfers(parts, backbone, max_train_target=most, name=name, **how) for most, name in names.items()]


def resolve_groups(
    parts: Parts, backbone: str | Backbone, *, group: Groups, sharing: str, name: str | None = None, **how: Any
) -> list[tuple[GroupPlan, str]]:
    """Resolve names into the sets of tasks to measure, one for each number of target examples, and their names.

    `group` is as for `find_groups`, the others are as for `resolve_sizes`.

    Raises
    ------
    UnknownName, UnusableData
        As `resolve_transfers` and `find_groups`; or if the sharing trains one task at a time.
    """
    if how.get("select") is not None:  # each task of a set is a target of the others
        raise WrongOption("sets of tasks are measured with all their rows: leave out --select.")
    if sharing == SEQUENTIAL:
        raise WrongOption("groups are trained together: name a sharing such as joint, with --sharing.")
    plans = list[tuple[GroupPlan, str]]()
    for transfers, usual in resolve_sizes(parts, backbone, sharing=sharing, name=name, fewest=2, **how):
        groups, words = find_groups(group, [task.name for task in transfers.tasks])
        tasks = tuple(task for task in transfers.tasks if any(task.name in names for names in groups))
        called = usual if name else file_stem(slug(f"{usual}-{words}"), LONGEST - len(SCORES_ENDING))
        plans.append((GroupPlan(replace(transfers, tasks=tasks), groups), called))
    return plans


def check_groups(plan: GroupPlan, name: str, workspace: Workspace) -> Path:
    """Refuse before the work what cannot be measured, or not be merged; return the file of the sets of that name."""
    _check_tasks(plan.transfers, workspace)
    path = sets_folder() / f"{name}.json"
    check_sets(path, plan, workspace)
    return path


def measure_groups(plans: Sequence[tuple[GroupPlan, str]], workspace: Workspace) -> list[tuple[TaskSets, Path]]:
    """Compute what several plans lack, all of it at once, and keep each answer under its name.

    Raises
    ------
    MissingData, UnusableData
        As `check_groups` refuses them, before any work.
    FailedCells
        If trainings failed; the store keeps the others.
    """
    paths = [check_groups(plan, name, workspace) for plan, name in plans]
    outcome = _compute([plan for plan, _ in plans], paths, workspace)
    answers = [
        (keep_sets(plan.sets(name, workspace), path), path)
        for (plan, name), path in zip(plans, paths, strict=True)
        if outcome.failed.keys().isdisjoint(plan.cells())
    ]
    _report_failures(outcome)
    return answers


def check_transfers(transfers: TransferPlan, name: str, workspace: Workspace) -> Path:
    """Refuse before the work what cannot be measured, or not be merged; return the file of the oracle of that name.

    Raises
    ------
    MissingData, UnusableData
        If data or a model cannot be used, or an oracle of that name was measured with something else.
    """
    _check_tasks(transfers, workspace)
    transfers.check_choices(workspace)
    provenance, path = transfers.provenance(workspace), oracle_folder() / f"{name}.json"
    if path.is_file():
        metrics = {t.name: t.metric for t in transfers.tasks}
        check_alike(in_todays_form(read_oracle(path)), transfers.sources, metrics=metrics, provenance=provenance)
    return path


def _check_tasks(transfers: TransferPlan, workspace: Workspace) -> None:
    workspace.check(transfers.tasks)
    remedy = "Name the other tasks with --tasks."
    of_checkpoints = [given.trained_like(transfers.backbone) for given in transfers.checkpoints]
    for backbone in dict.fromkeys((transfers.alone, transfers.backbone, *of_checkpoints)):
        suitable_tasks(backbone, transfers.tasks, workspace.files, skip=False, remedy=remedy)


def measure_transfers(transfers: TransferPlan, name: str, workspace: Workspace) -> tuple[Oracle, Path]:
    """Compute what is missing, and keep the oracle under its name; seeds that it had before stay.

    Returns
    -------
    oracle : Oracle
    path : Path
        Its file in the store.

    Raises
    ------
    MissingData, UnusableData
        As `check_transfers` refuses it, or nothing can be written where oracles are kept.
    FailedCells
        If trainings failed; the others are kept.
    """
    ((oracle, path),) = measure_each([(transfers, name)], workspace)
    return oracle, path


def measure_each(plans: Sequence[tuple[TransferPlan, str]], workspace: Workspace) -> list[tuple[Oracle, Path]]:
    """Compute what several oracles lack, all of it at once, and keep each under its name, as `measure_transfers` does.

    Raises
    ------
    MissingData, UnusableData
        As `measure_transfers`, before any work.
    FailedCells
        If trainings failed; oracles without such a training are kept all the same.
    """
    paths = [check_transfers(plan, name, workspace) for plan, name in plans]
    outcome = _compute([plan for plan, _ in plans], paths, workspace)
    oracles = [
        (keep_oracle(replace(plan.oracle(workspace), name=name), path), path)
        for (plan, name), path in zip(plans, paths, strict=True)
        if outcome.failed.keys().isdisjoint(plan.cells())
    ]
    _report_failures(outcome)
    return oracles


def _compute(plans: Sequence[TransferPlan | GroupPlan], paths: Sequence[Path], workspace: Workspace) -> engine.Outcome:
    for path in paths:
        if not path.is_file():  # a store that is complete may be one that nothing can be added to
            writable(path.parent)
    return engine.compute([cell for plan in plans for cell in plan.cells()], workspace)


def _report_failures(outcome: engine.Outcome) -> None:
    """Raise FailedCells if trainings failed."""
    if outcome.failed:
        first = next(iter(outcome.failed))
        message = f"{len(outcome.failed)} trainings failed, first {first.place}: {outcome.reason(first)}"
        raise FailedCells.of(message, outcome.failed.values())
