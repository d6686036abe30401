"""Which source tasks to train first for a target of one's own: represent it, rank what is trained, try the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..compute import engine
from ..compute.cells import Training
from ..compute.evidence import Similarity
from ..compute.workspace import Cell, Tell, Workspace, workspace_of
from ..data.files import Files
from ..data.oracle import TaskMatrix
from ..errors import FailedCells, MissingData, UnknownName, UnusableData
from ..parts.interfaces import ORACLES_DATA, Backbone, Estimator, Recipe, Signal, Task
from ..parts.registry import Parts
from ..parts.table_task import TableTask
from ..scoring.metrics import gap_error
from ..scoring.ranking import rank
from ..storage.store import Store
from .requests import Several, as_list, each_once, only, resolve
from .stimuli import refuse_without_responses


@dataclass(frozen=True)
class Gain:
    """What a source really brought: the target's metric after it and without it, and the standard error of their gap.

    The error is a bootstrap over the evaluation examples, the same ones for both; other training seeds would add to it.
    """

    source: str
    metric: str
    value: float
    no_transfer: float
    gain: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The tasks to train first for a target, best first.

    `similarity` has the estimator's score of each ranked source, None where it has no estimate; `untrained` are tasks
    of the suite that the store has no training of, so that they could not be ranked; `gains` the sources tried.
    """

    target: str
    kind: str
    estimator: str
    backbone: str
    signal: str | None
    ranking: tuple[str, ...]
    similarity: dict[str, float | None]
    untrained: tuple[str, ...]
    gains: tuple[Gain, ...]
    notes: tuple[str, ...]


def recommend(
    target: str | Path | Task,
    estimator: str | Estimator,
    backbone: str | Backbone,
    *,
    kind: str | None = None,
    columns: str | Sequence[tuple[str, str]] = (),
    description: str = "",
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    signal: str | Signal | None = None,
    stimuli: str | Signal | None = None,
    set: Several[str] = (),
    seed: int = 0,
    max_train: int | None = None,
    max_train_target: int | None = None,
    k: int = 3,
    apply: bool = False,
    files: Files | None = None,
    store: Store | None = None,
    parts: Parts | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    tell: Tell | None = None,
) -> Recommendation:
    """Rank the tasks that the store has trainings of as sources for a target, and try the best ones if asked to.

    The three steps of task embedding (Vu et al. 2020, section 4): represent the target, rank the sources, transfer. The
    parameters are the options of `cogbench recommend`.

    Parameters
    ----------
    target : str, path or Task
        The name of a task, a table of examples (its `kind` must be said), or a task of one's own.
    estimator, backbone : str or part
        The estimator that ranks, and the backbone whose trainings it compares. An estimator that reads transfers cannot
        rank for a target that has none.
    kind, columns, description
        The kind, the columns and the description of a table, as for `TableTask`. `columns` may also be a text,
        `text=COLUMN,label=COLUMN`.
    suite, tasks, signal, stimuli, set, seed, max_train
        The candidate sources and how they were trained, as for `run`.
    max_train_target : int, optional
        Use at most this number of the target's training examples, to rank and to try. The default is `max_train`.
    k : int
        The number of sources to name and, with `apply`, to try.
    apply : bool
        Whether to train the target after each of the best `k` sources and without a source, and to report the gains. A
        source without an estimate is not tried.
    files, store, parts, jobs, scheduler, tell
        As for `run`.

    Raises
    ------
    MissingData
        If the store has fewer than two trained sources: the message says what trains them.
    UnusableData, UnknownName
        If the target is no task, or the estimator cannot rank for it or has no estimate of any source.
    FailedCells
        If a training failed.
    """
    workspace = workspace_of(files=files, store=store, parts=parts, jobs=jobs, scheduler=scheduler, tell=tell)
    wanted = _target(workspace.parts, target, kind, _pairs(columns), description)
    selection = resolve(
        workspace.parts,
        suite=suite,
        tasks=tasks,
        backbone=backbone,
        estimator=estimator,
        signal=() if signal is None else signal,
        stimuli=() if stimuli is None else stimuli,
        set=set,
    )
    ranker, trained_on = only("estimator", selection.estimators), only("backbone", selection.backbones)
    choices = selection.stimuli_of(ranker, workspace)
    own_signal, notes = choices[0]
    if own_signal is not None:
        only("signal", [choice for choice, _ in choices])
        refuse_without_responses(ranker, own_signal, workspace.recording(own_signal), selection.suite)
    each_once(selection.tasks, as_list(set))
    if ORACLES_DATA & ranker.needs:
        raise UnusableData(f"estimator {ranker.name!r} knows transfers, and of a target of one's own there are none.")
    candidates = [task for task in selection.tasks if task.name != wanted.name]
    trainings = {t.name: Training(trained_on, Recipe((t,), seed=seed, max_train=max_train)) for t in candidates}
    sources = _trained(trainings, workspace)
    cell = Similarity(
        estimator=ranker,
        backbone=trained_on,
        tasks=(*sources, wanted),
        signal=own_signal,
        seed=seed,
        max_train=max_train,
        targets=(wanted,),
        max_train_target=max_train_target,
    )
    _compute([cell, cell.training(wanted)], workspace)
    estimate = cell.estimate(workspace)
    matrix = estimate.matrix.part([t.name for t in sources], [wanted.name])  # (n_sources, 1)
    order = rank(matrix).order(wanted.name)
    with_estimate = [name for name in order if _number(matrix, name) is not None]
    if not with_estimate:
        message = f"no source has an estimate by {ranker.name} for {wanted.name!r}, so none is ranked."
        raise UnusableData("\n".join([message, *estimate.notes]))
    best = [t for name in with_estimate[:k] for t in sources if t.name == name]
    label = workspace.parts.label
    return Recommendation(
        target=wanted.name,
        kind=wanted.kind,
        estimator=label("estimator", ranker),
        backbone=label("backbone", trained_on),
        signal=label("signal", own_signal) if own_signal else None,
        ranking=tuple(order[:k]),
        similarity={name: _number(matrix, name) for name in order[:k]},
        untrained=tuple(name for name in trainings if name not in {t.name for t in sources}),
        gains=tuple(_tried(cell, wanted, best, workspace)) if apply else (),
        notes=(*notes, *estimate.notes),
    )


def _pairs(columns: str | Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Return the columns of a table as pairs, from `text=COLUMN,label=COLUMN` too."""
    if not isinstance(columns, str):
        return columns
    pairs = [pair.partition("=") for pair in columns.split(",") if pair]
    return [(role.strip(), column.strip()) for role, _, column in pairs]


def _trained(trainings: Mapping[str, Training], workspace: Workspace) -> tuple[Task, ...]:
    """Return the tasks that the store has a training of, by name; MissingData says what trains them if they are few."""
    tasks = [cell.recipe.task for cell in trainings.values() if _has(workspace, cell)]
    if len(tasks) < 2:
        cell = next(iter(trainings.values()))
        most = f" and at most {cell.recipe.max_train} examples" if cell.recipe.max_train else ""
        raise MissingData(
            f"the store {workspace.store.address} has {len(tasks)} of these tasks trained on {cell.backbone.name!r} "
            f"with seed {cell.recipe.seed}{most}; `cogbench run` with the same options trains them."
        )
    return tuple(sorted(tasks, key=lambda t: t.name))


def _target(
    parts: Parts, target: str | Path | Task, kind: str | None, columns: Sequence[tuple[str, str]], description: str
) -> Task:
    """Return the task that is meant: one's own, one by name, or a table."""
    if not isinstance(target, str | Path):
        return target
    if str(target) in parts.tasks:
        return parts.tasks[str(target)]
    path = Path(target)
    if not path.is_file():
        raise UnknownName.of("task or file", str(target), parts.tasks)
    if kind is None:
        raise UnusableData(f"{str(path)!r}: say with --kind which kind of task its rows are of.")
    task = TableTask(path.stem, str(path), kind, tuple(columns), description=description)
    if task.name in parts.tasks:
        task = replace(task, name=f"{task.name}-own")  # a file called like a task is another one
    return task


def _has(workspace: Workspace, cell: Training) -> bool:
    """Whether the store has a training; not if the data that it would be of are not here."""
    try:
        return workspace.has(cell)
    except MissingData:
        return False


def _compute(cells: Sequence[Cell], workspace: Workspace) -> None:
    outcome = engine.compute(cells, workspace)
    for cell, error in outcome.failed.items():
        raise FailedCells.of(outcome.reason(cell), [error])


def _tried(cell: Similarity, target: Task, best: Sequence[Task], workspace: Workspace) -> list[Gain]:
    """Return what each of the best sources brings: the target is trained after it."""
    alone, after = cell.training(target), [cell.transfer(source, target) for source in best]
    _compute(after, workspace)
    evaluation = workspace.dataset(target, "evaluation")
    gains = []
    for source, transfer in zip(best, after, strict=True):
        value, base = transfer.score(workspace).value, alone.score(workspace).value
        error = gap_error(target.metric, transfer.outputs(workspace), alone.outputs(workspace), evaluation)
        gains.append(Gain(source.name, target.metric, value, base, value - base, error))
    return gains


def _number(matrix: TaskMatrix, source: str) -> float | None:
    value = float(matrix.values[matrix.sources.index(source), 0])
    return None if np.isnan(value) else value
