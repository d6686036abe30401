"""Which source tasks to train first for a target of one's own: represent it, rank what is trained, try the best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..compute import engine
from ..compute.cells import Training
from ..compute.engine import Tell
from ..compute.evidence import Similarity
from ..compute.workspace import Cell, Workspace
from ..data.files import Files
from ..data.oracle import TaskMatrix
from ..errors import FailedCells, MissingData, UnknownName, UnusableData
from ..parts.interfaces import ORACLES_DATA, STIMULI, Backbone, Estimator, Recipe, Signal, Task
from ..parts.options import check_targets
from ..parts.registry import Parts, load_parts
from ..parts.table_task import TableTask
from ..scoring.metrics import gap_error
from ..scoring.ranking import rank
from ..storage.remote_store import open_store
from ..storage.store import Store
from .requests import named_members, single, with_members


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


@dataclass(frozen=True)
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
    columns: Sequence[tuple[str, str]] = (),
    description: str = "",
    suite: str = "cogtaskonomy",
    tasks: Sequence[str | Task] | None = None,
    signal: str | Signal | None = None,
    sets: Sequence[str] = (),
    seed: int = 0,
    max_train: int | None = None,
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

    The three steps of task embedding (Vu et al. 2020, section 4): represent the target, rank the sources, transfer.

    Parameters
    ----------
    target : str, path or Task
        The name of a task, a table of examples (its `kind` must be said), or a task of one's own.
    estimator, backbone : str or part
        What ranks, and on which model; an estimator that knows transfers cannot rank for a target without any.
    kind, columns, description
        Of a table, as `TableTask` takes them.
    suite, tasks, signal, sets, seed, max_train
        Which sources are asked for and how they were trained, as `run` takes them.
    k : int
        How many sources to name, and with `apply` to try.
    apply : bool
        Train the target after each of the best `k` sources and without any, and report the gains; not after those
        without an estimate.
    files, store, parts, jobs, scheduler, tell
        As `run` and `engine.compute` take them.

    Raises
    ------
    MissingData
        If the store has fewer than two trained sources: the message says what trains them.
    UnusableData, UnknownName
        If the target is no task, or the estimator cannot rank for it or has no estimate of any source.
    FailedCells
        If a training failed.
    """
    parts, store = parts or load_parts(), store or open_store()
    workspace = Workspace(files or Files(), store)
    wanted = _target(parts, target, kind, columns, description)
    ranker = with_members(parts, single(parts, "estimator", estimator, sets), sets)
    bone = single(parts, "backbone", backbone, sets)
    if ORACLES_DATA & ranker.needs:
        raise UnusableData(f"estimator {ranker.name!r} knows transfers, and of a target of one's own there are none.")
    of_suite = parts.find("suite", suite)
    stimuli = single(parts, "signal", signal or of_suite.signal, sets) if STIMULI & ranker.needs else None
    known = [single(parts, "task", t, sets) for t in tasks or of_suite.tasks]
    check_targets(sets, [*known, ranker, *named_members([ranker]), bone, *([stimuli] if stimuli else [])])
    others = [t for t in known if t.name != wanted.name]
    asked = {t.name: Training(bone, Recipe((t,), seed=seed, max_train=max_train)) for t in others}
    there = {name: cell for name, cell in asked.items() if _has(workspace, cell)}
    if len(there) < 2:
        raise MissingData(
            f"the store {store.address} has {len(there)} of these tasks trained on {bone.name!r} with seed {seed}"
            f"{f' and at most {max_train} examples' if max_train else ''}; `cogbench run` with the same options trains "
            "them."
        )
    sources = tuple(sorted((cell.recipe.task for cell in there.values()), key=lambda t: t.name))
    cell = Similarity(ranker, bone, (*sources, wanted), stimuli, seed, max_train, targets=(wanted,))
    compute = partial(_compute, workspace=workspace, jobs=jobs, scheduler=scheduler, tell=tell)
    compute([cell, cell.training(wanted)])
    names = tuple(t.name for t in sources)
    matrix = cell.matrix(workspace).part(names, (wanted.name,))  # (n_sources, 1)
    order = rank(matrix).order(wanted.name)
    known = [name for name in order if _number(matrix, name) is not None]
    if not known:
        told = f"no source has an estimate by {ranker.name} for {wanted.name!r}, so none is ranked."
        raise UnusableData("\n".join([told, *cell.notes(workspace)]))
    best = [t for name in known[:k] for t in sources if t.name == name]
    gains = _tried(cell, wanted, best, workspace, compute) if apply else []
    return Recommendation(
        wanted.name,
        wanted.kind,
        parts.label("estimator", ranker),
        parts.label("backbone", bone),
        parts.label("signal", stimuli) if stimuli else None,
        tuple(order[:k]),
        {n: _number(matrix, n) for n in order[:k]},
        tuple(n for n in asked if n not in there),
        tuple(gains),
        cell.notes(workspace),
    )


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


def _compute(cells: Sequence[Cell], workspace: Workspace, **how: Any) -> None:
    outcome = engine.compute(cells, workspace, **how)
    for cell, error in outcome.failed.items():
        raise FailedCells.of(outcome.reason(cell), [error])


def _tried(
    cell: Similarity,
    target: Task,
    best: Sequence[Task],
    workspace: Workspace,
    compute: Callable[[Sequence[Cell]], None],
) -> list[Gain]:
    alone, after = cell.training(target), [cell.transfer(source, target) for source in best]
    compute(after)
    evaluation = workspace.dataset(target, "evaluation")
    found = []
    for source, transfer in zip(best, after, strict=True):
        value, base = transfer.score(workspace).value, alone.score(workspace).value
        error = gap_error(target.metric, transfer.outputs(workspace), alone.outputs(workspace), evaluation)
        found.append(Gain(source.name, target.metric, value, base, value - base, error))
    return found


def _number(matrix: TaskMatrix, source: str) -> float | None:
    value = float(matrix.values[matrix.sources.index(source), 0])
    return None if np.isnan(value) else value
