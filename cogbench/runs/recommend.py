"""Which source tasks to train first for a target of one's own: represent it, rank what is trained, try the best."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..checkpoints.given import GivenCheckpoint, NoBackbone
from ..checkpoints.naming import find_checkpoints
from ..checkpoints.ranking import check_checkpoints, trains
from ..compute.cells import Training
from ..compute.evidence import Similarity
from ..compute.resampled import draw_scores
from ..compute.workspace import Cell, Progress, Workspace, workspace_of
from ..data.files import Files
from ..data.oracle import TaskMatrix
from ..errors import FailedCells, MissingData, UnusableData, WrongOption
from ..packs.card import PackedTask
from ..packs.evidence import PackedSimilarity
from ..packs.pack import find_pack
from ..parts.interfaces import Backbone, Estimator, PackPart, Signal
from ..parts.recipe import Recipe, Task
from ..parts.registry import Parts
from ..parts.set_options import only
from ..parts.targets import find_target
from ..scoring.metrics import gap_error
from ..scoring.ranking import Place, places_of_learned, rank
from ..storage.store import Store
from ..workers import engine
from ..workers.progress import with_progress
from .background import notes_on_rows
from .pack_requests import packed_recommendation, packed_target
from .plan import refuse_pooling, suitable_tasks
from .recommendation import Gain, Recommendation, known_worth
from .requests import Several, as_list, each_once, resolve
from .stimuli import refuse_knowing, refuse_without_responses


@with_progress
def recommend(
    target: Any,
    estimator: str | Estimator,
    backbone: str | Backbone | None = None,
    *,
    pack: str | PackPart | None = None,
    kind: str | None = None,
    columns: str | Mapping[str, str] | Sequence[tuple[str, str]] = (),
    evaluation: Any = None,
    description: str = "",
    drop_missing: bool = False,
    max_evaluation: int | None = 2000,
    checkpoints: Any = (),
    checkpoint_data: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
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
    progress: Progress = False,
) -> Recommendation:
    """Rank the tasks that the store has trainings of as sources for a target, and try the best ones if asked to.

    The three steps of task embedding (Vu et al. 2020, section 4): represent the target, rank the sources, transfer. The
    parameters are the options of `cogbench recommend`.

    Parameters
    ----------
    target : str, Path, Task, Dataset, DataFrame or DatasetDict
        The name of a task; a table of examples, a folder of its splits, or a data set on the hub; a `Task` or a
        `Dataset` of one's own; a DataFrame of pandas, a Dataset of the package datasets, or its splits. The kind of a
        table must be said.
    estimator, backbone : str or part
        The estimator that ranks, and the backbone whose trainings it compares. An estimator that reads transfers cannot
        rank for a target that has none.
    pack : str or Pack, optional
        An evidence pack, by its name or file: its tasks or checkpoints are the sources, and nothing is read of their
        models. For a task of the pack the estimator reads what the pack holds. Any other target is seen by the bare
        backbone of the pack, which `backbone` names if it has another name here; so it takes an estimator that needs
        no more, such as `esm-logme` of a pack that keeps its maps.
    kind, columns, description, drop_missing, max_evaluation
        Of a table, as for `TableTask`. `columns` may also be a text, `text=COLUMN,label=COLUMN`.
    evaluation : str, Path, Dataset or DataFrame, optional
        The examples to score on; without any, those of the split `validation` or `test`, or a fifth of the rows.
    checkpoints, checkpoint_data
        Trained models that somebody has, as for `run`: they are the sources then, and not the tasks of the suite. The
        backbone may be left out, unless the estimator reads the pre-trained model or `apply` trains from it.
    suite, tasks, signal, stimuli, set, seed, max_train
        The candidate sources and how they were trained, as for `run`.
    max_train_target : int, optional
        Use at most this number of the target's training examples, to rank and to try. The default is `max_train`.
    k : int
        The number of sources to name and, with `apply`, to try.
    apply : bool
        Whether to train the target after each of the best `k` sources and without a source, and to report the gains. A
        source without an estimate is not tried.
    files, store, parts, jobs, scheduler, progress
        As for `run`.

    Raises
    ------
    MissingData
        If there is no such target, or the store has fewer than two trained sources: the message says what trains them.
    UnusableData, UnknownName
        If the target is no task, or the estimator cannot rank for it or has no estimate of any source.
    FailedCells
        If a training failed.
    """
    workspace = workspace_of(files=files, store=store, parts=parts, jobs=jobs, scheduler=scheduler, progress=progress)
    evidence_pack = find_pack(workspace.parts, pack) if pack is not None else None
    if evidence_pack is not None and (apply or checkpoints or tasks or signal or stimuli):
        raise WrongOption(
            "a pack has its own sources and no weights: leave out checkpoints, tasks, signal, stimuli and apply."
        )
    given = find_checkpoints(workspace.parts, checkpoints, workspace.files, data=checkpoint_data)
    if backbone is None and evidence_pack is None and (apply or not given):
        raise WrongOption(
            "name with --backbone the model that the checkpoints were trained from: gains are over training it alone."
            if given
            else "name a backbone with --backbone, trained models with --checkpoint, or an evidence pack with --pack."
        )
    wanted: Task = packed_target(evidence_pack, target) or find_target(
        workspace.parts,
        target,
        workspace.files,
        kind=kind,
        columns=columns,
        evaluation=evaluation,
        description=description,
        drop_missing=drop_missing,
        max_evaluation=max_evaluation,
    )
    if evidence_pack is not None:
        packed = packed_recommendation(
            workspace,
            evidence_pack,
            wanted,
            estimator=estimator,
            backbone=backbone,
            max_train_target=max_train_target or max_train,
            set=set,
        )
        return _of_pack(packed, k, workspace)
    selection = resolve(
        workspace.parts,
        suite=suite,
        tasks=tasks,
        backbone=() if backbone is None else backbone,
        estimator=estimator,
        signal=() if signal is None else signal,
        stimuli=() if stimuli is None else stimuli,
        set=set,
    )
    ranker = only("estimator", selection.estimators)
    trained_on: Backbone = only("backbone", selection.backbones or (NoBackbone(),))
    choices = selection.stimuli_of(ranker, workspace)
    own_signal, notes = choices[0]
    if own_signal is not None:
        only("signal", [choice for choice, _ in choices])
        refuse_without_responses(ranker, own_signal, recording=workspace.recording(own_signal), suite=selection.suite)
    each_once(selection.tasks, as_list(set))
    refuse_knowing(ranker)
    notes_of_bases = _check(ranker, trained_on, wanted, given, apply, workspace)
    candidates = [] if given else [task for task in selection.tasks if task.name != wanted.name]
    trainings = {t.name: Training(trained_on, Recipe((t,), seed=seed, max_train=max_train)) for t in candidates}
    sources = tuple(sorted(given, key=lambda one: one.name)) or _trained(trainings, workspace)
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
    _compute([cell, *([cell.trained_alone(wanted)] if apply or not given else [])], workspace)
    scores = {t.name: cell.training(t).score(workspace) for t in sources}
    recommendation = _recommendation(
        cell,
        k,
        workspace,
        learned={name: score.learned if score is not None else None for name, score in scores.items()},
        backbone=workspace.parts.label("backbone", trained_on),
        first_notes=notes_of_bases,
        last_notes=(*notes_on_rows(wanted, workspace), *notes),
    )
    untrained = tuple(name for name in trainings if name not in scores)
    best = [t for name in recommendation.ranking for t in sources if t.name == name and name in recommendation.places]
    gains = tuple(_tried(cell, wanted, best, workspace)) if apply else ()
    return replace(recommendation, untrained=untrained, gains=gains, none_helps=none_helps(gains))


def _of_pack(cell: PackedSimilarity, k: int, workspace: Workspace) -> Recommendation:
    """Return what the sources of a pack are worth for a target."""
    card, (target,) = cell.pack.content().card, cell.targets
    _compute([cell], workspace)
    reports = {task.name: card.background.tasks.get(task.name) for task in cell.sources}
    return _recommendation(
        cell,
        k,
        workspace,
        learned={name: report.learned if report is not None else None for name, report in reports.items()},
        backbone=card.backbone,
        first_notes=(f"the sources are those of pack {card.name!r}, in half precision",),
        last_notes=() if isinstance(target, PackedTask) else tuple(notes_on_rows(target, workspace)),
    )


def _recommendation(
    cell: Similarity | PackedSimilarity,
    k: int,
    workspace: Workspace,
    *,
    learned: Mapping[str, bool | None],
    backbone: str,
    first_notes: Sequence[str],
    last_notes: Sequence[str],
) -> Recommendation:
    """Return the order of the sources that `learned` names, for the only target of a matrix; none of them is tried."""
    estimate, (wanted,), label = cell.estimate(workspace), cell.targets, workspace.parts.label
    matrix = estimate.matrix.part([*learned], [wanted.name])  # (n_sources, 1)
    order = sorted(rank(matrix).order(wanted.name), key=lambda name: learned[name] is False)  # stable
    with_estimate = [name for name in order if _number(matrix, name) is not None]
    if not with_estimate:
        message = f"no source has an estimate by {cell.estimator.name} for {wanted.name!r}, so none is ranked."
        raise UnusableData("\n".join([message, *estimate.notes]))
    draws = draw_scores(cell, with_estimate, workspace)
    scores = dict(zip(with_estimate, matrix.part(with_estimate, [wanted.name]).values[:, 0], strict=True))
    places = places_of_learned(scores, learned, draws.scores)
    notes = [*first_notes, *_not_learned(learned), *_further(places, k), draws.note, *last_notes, *estimate.notes]
    signal = cell.signal if isinstance(cell, Similarity) else None
    return Recommendation(
        target=wanted.name,
        kind=wanted.kind,
        estimator=label("estimator", cell.estimator),
        backbone=backbone,
        signal=label("signal", signal) if signal else None,
        ranking=tuple(order[:k]),
        similarity={name: _number(matrix, name) for name in order[:k]},
        places={name: places[name] for name in order[:k] if name in places},
        learned={name: learned[name] for name in order[:k]},
        untrained=(),
        gains=(),
        none_helps=False,
        worth=known_worth(label("estimator", cell.estimator)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _check(
    estimator: Estimator,
    backbone: Backbone,
    target: Task,
    checkpoints: Sequence[GivenCheckpoint],
    apply: bool,
    workspace: Workspace,
) -> tuple[str, ...]:
    """Refuse before any work what cannot be ranked or trained; return what a reader should know of the checkpoints.

    Raises
    ------
    UnusableData
        If there is one checkpoint alone, one is called like the target, the estimator cannot rank them, or a model
        that is to be trained has no head for the target's kind.
    """
    if target.name in {given.name for given in checkpoints}:
        raise UnusableData(f"a checkpoint and the target are both called {target.name!r}: give it another name.")
    if len(checkpoints) == 1:
        raise WrongOption("a ranking of checkpoints needs at least two of them.")
    if apply or not checkpoints or trains(estimator, [target], checkpoints):
        for trained in (backbone, *(given.trained_like(backbone) for given in checkpoints if apply)):
            suitable_tasks(trained, [target], workspace.files, skip=False)
    refuse_pooling(estimator, (backbone, *(given.backbone for given in checkpoints)), workspace.files)
    return (
        check_checkpoints(estimator, backbone, targets=[target], checkpoints=checkpoints, files=workspace.files)
        if checkpoints
        else ()
    )


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
    alone, after = cell.trained_alone(target), [cell.transfer(source, target) for source in best]
    _compute(after, workspace)
    evaluation = workspace.dataset(target, "evaluation")
    gains = []
    for source, transfer in zip(best, after, strict=True):
        value, base = transfer.score(workspace).value, alone.score(workspace).value
        error = gap_error(
            target.metric, transfer.outputs(workspace), other=alone.outputs(workspace), evaluation=evaluation
        )
        gains.append(
            Gain(
                source=source.name,
                metric=target.metric,
                value=value,
                no_transfer=base,
                gain=value - base,
                standard_error=error,
            )
        )
    return gains


def _not_learned(learned: Mapping[str, bool | None]) -> Iterator[str]:
    """Yield which sources were not learned, if any."""
    if names := sorted(name for name, is_learned in learned.items() if is_learned is False):
        yield (
            f"not learned: {', '.join(names)}. The score of each does not lie above that of a constant answer, so its "
            "similarity says little: it ranks behind all learned sources."
        )


def _further(places: Mapping[str, Place], k: int) -> Iterator[str]:
    """Yield which sources are not shown, but share the place of the last that is."""
    names = list(places)
    last = places[names[min(k, len(names)) - 1]]
    if further := [name for name in names[k:] if places[name].number == last.number]:
        yield f"not told from the sources of place {last.number} above: {', '.join(further)}."


def none_helps(gains: Sequence[Gain]) -> bool:
    """Whether sources were tried, and none of them gains more than two standard errors."""
    return bool(gains) and all(gain.gain <= 2 * gain.standard_error for gain in gains)


def _number(matrix: TaskMatrix, source: str) -> float | None:
    value = float(matrix.values[matrix.sources.index(source), 0])
    return None if np.isnan(value) else value
