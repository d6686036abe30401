"""Make an evidence pack: what estimators read of a measured oracle or of checkpoints, gathered into one file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..checkpoints.given import GivenCheckpoint
from ..checkpoints.naming import find_checkpoints
from ..checkpoints.ranking import base_of, check_checkpoints, trains
from ..compute.cells import Encoding
from ..compute.evidence import Similarity, StoredEvidence
from ..compute.workspace import Cell, Progress, Workspace, workspace_of
from ..data.dataset import Array
from ..data.features import FeatureOptions
from ..data.files import Files
from ..data.oracle import Oracle, TaskMatrix
from ..data.oracle_files import plain_oracle
from ..errors import FailedCells, UnusableData, WrongOption
from ..packs.card import BARE, PROBE, FeatureView, KeptArrays, PackCard, PackedTask, array_name
from ..packs.evidence import hash_of, key_of_piece
from ..packs.pack import refuse_other_names, write_pack
from ..parts.fingerprint import harness_version
from ..parts.interfaces import Backbone, Estimator, Evidence, InPieces, OraclePart, Signal
from ..parts.recipe import Task
from ..parts.registry import Parts
from ..parts.set_options import only, split, varied
from ..results.result import CheckpointUsed
from ..storage.atomic import writable
from ..storage.store import Store
from ..workers import engine
from ..workers.progress import with_progress
from .background import background_of
from .requests import RunRequest, Several, as_list, resolve_requests

Arrays = dict[str, Array]


@with_progress
def make_pack(
    backbone: str | Backbone | None,
    out: Path,
    *,
    checkpoints: Any = (),
    checkpoint_data: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
    oracle: str | OraclePart | None = None,
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    signal: Several[Signal] = (),
    stimuli: Several[Signal] = (),
    responses: bool = True,
    set: Several[str] = (),
    seed: int = 0,
    max_train: int | None = None,
    examples: int = 100,
    keep: Several[Estimator] = (),
    licence: str = "",
    files: Files | None = None,
    store: Store | None = None,
    parts: Parts | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress = False,
) -> Path:
    """Gather what estimators read of a measured oracle into one file; trainings that are missing are made first.

    Parameters
    ----------
    backbone : str or Backbone, optional
        The backbone whose trained models the evidence is of; of checkpoints, what they were trained from. Without it
        a pack of checkpoints ranks for the targets alone that it is made with.
    out : Path
        The file, with the ending .safetensors. Its name without the ending is the pack's name.
    checkpoints, checkpoint_data
        Trained models that somebody has, as for `run`: they are the sources then, and the tasks are targets. The pack
        holds their features of the targets and what `keep` names; no stimuli and no changes of weights.
    oracle : str or OraclePart, optional
        The oracle that the pack carries; by default the suite's oracle for the backbone. Of checkpoints there need be
        none.
    suite, tasks, signal, stimuli, set, max_train
        As for `run`. The text of the stimuli does not come into the pack.
    responses : bool
        Whether the signal's responses come into the pack: only where their licence allows it.
    seed : int
        The seed of the trainings.
    examples : int
        Features come into the pack of at most so many training examples of each task; 0 for none.
    keep : str, Estimator, or several
        Estimators whose intermediate arrays come into the pack, such as `taskemb` with its Fisher information, or
        `esm-logme` with its maps, from which it ranks checkpoints for any further target. `set` may name their options.
    licence : str
        Under which licence the pack may be passed on.
    files, store, parts, jobs, scheduler, progress
        As for `run`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    CogbenchError
        If a name is unknown, there is no oracle of these tasks, or a training fails.
    """
    out = Path(out)
    refuse_other_names(out)
    writable(out.absolute().parent)
    workspace = workspace_of(files=files, store=store, parts=parts, jobs=jobs, scheduler=scheduler, progress=progress)
    given = find_checkpoints(workspace.parts, checkpoints, workspace.files, data=checkpoint_data)
    if backbone is None and not given:
        raise WrongOption("name a backbone with --backbone, or trained models with --checkpoint.")
    keepers, sets = _keepers(workspace.parts, keep, as_list(set))
    request = only(
        "pack",
        resolve_requests(
            workspace,
            _Everything(needs=_needs(backbone is not None, bool(given))),
            () if backbone is None else backbone,
            checkpoints=given,
            suite=suite,
            tasks=tasks,
            signal=signal,
            stimuli=stimuli,
            oracle=oracle,
            set=sets,
            seeds=(seed,),
            max_train=max_train,
        ),
    )
    for keeper in keepers if given else ():
        if trains(keeper, request.tasks, given):
            raise WrongOption(
                f"estimator {keeper.name!r} reads a model of each target, and a pack of checkpoints trains none."
            )
        check_checkpoints(keeper, request.backbone, targets=request.tasks, checkpoints=given, files=workspace.files)
    return gather_pack(request, workspace, out, examples=examples, responses=responses, keep=keepers, licence=licence)


def _keepers(
    parts: Parts, keep: Several[Estimator], sets: Sequence[str]
) -> tuple[tuple[Estimator, ...], tuple[str, ...]]:
    """Return the estimators whose arrays come into a pack, with their options, and the settings of other parts."""
    named = [parts.find("estimator", wanted) if isinstance(wanted, str) else wanted for wanted in as_list(keep)]
    others = tuple(s for s in sets if not any(split(s)[0].startswith(f"{one.name}.") for one in named))
    return tuple(only("estimator", varied(one, sets)) for one in named), others


def _needs(has_backbone: bool, has_checkpoints: bool) -> frozenset[str]:
    """Return what a pack holds, as an estimator names it; of checkpoints nothing that takes a model of each target."""
    bare = frozenset({"backbone", "backbone-features"}) if has_backbone else frozenset()
    return bare | ({"features", "cards"} if has_checkpoints else EVERYTHING)


def gather_pack(
    request: RunRequest,
    workspace: Workspace,
    out: Path,
    *,
    examples: int,
    responses: bool,
    keep: Sequence[Estimator],
    licence: str,
) -> Path:
    """Compute what is missing of a pack, and write it."""
    if not isinstance(request.oracle, Oracle) and (request.oracle or not request.checkpoints):
        raise UnusableData(
            "a pack carries a measured oracle of its tasks, and none is known: measure one with "
            "`cogbench oracle measure`, and name it with --oracle."
        )
    similarity = request.similarities()[0]
    assert isinstance(similarity, Similarity)
    views = views_of(FeatureOptions(examples), bare=request.has_backbone) if examples > 0 else ()
    _compute(similarity, views, workspace)
    evidence, arrays = StoredEvidence(similarity, workspace), Arrays()
    recording = workspace.recording(request.signal) if request.signal else None
    if recording is not None:
        # In the order of their texts, which some estimators draw folds by: the names that stand for them are in order.
        order = np.array(sorted(range(len(recording.sentences)), key=recording.sentences.__getitem__))
        stimuli = _representations(evidence, recording.sentences)
        if responses:
            stimuli |= {array_name("responses", s): r.values for s, r in recording.subjects.items()}
        arrays |= {name: values[order] for name, values in stimuli.items()}
    weights, changes = ({}, {}) if request.checkpoints else _weight_changes(evidence)
    sentences, described = _descriptions(evidence) if request.has_backbone else ((), {})
    kept, kept_arrays = _kept(keep, similarity, workspace)
    answer_kinds, features = _features(similarity, evidence, views)
    arrays |= changes | described | kept_arrays | features
    oracle = None
    if isinstance(request.oracle, Oracle):
        oracle = request.oracle.part([task.name for task in request.sources], [task.name for task in request.tasks])
        arrays |= {array_name("transfers", *pair): values for pair, values in (oracle.per_example or {}).items()}
    parts, targets = workspace.parts, {task.name: task for task in similarity.targets or similarity.tasks}
    card = PackCard(
        name=out.stem,
        backbone=parts.label("backbone", request.backbone),
        suite=request.suite,
        seed=similarity.seed,
        max_train=request.max_train,
        tasks=tuple(_packed(targets[task.name], workspace, answer_kinds) for task in request.tasks),
        checkpoints=tuple(_packed_checkpoint(given, workspace, answer_kinds) for given in request.checkpoints),
        signal=parts.label("signal", request.signal) if request.signal else None,
        n_stimuli=len(recording.sentences) if recording else 0,
        subjects={s: r.channels for s, r in recording.subjects.items()} if recording and responses else {},
        weights=weights,
        views=views,
        kept=kept,
        sentences=sentences,
        oracle=plain_oracle(oracle) if oracle is not None else {},
        background=background_of(request, workspace),
        licence=licence,
        versions={"cogbench": harness_version() or "", "torch": metadata.version("torch")}
        | {p.distribution: p.version for p in parts.plugins if not p.error},
    )
    write_pack(out, card, arrays)
    return out


def views_of(usual: FeatureOptions, *, bare: bool = True) -> tuple[FeatureView, ...]:
    """Return the features that a pack holds: those of all pairs, and further ones of single models, which are small.

    With `bare` some are of the bare backbone.
    """
    mean = replace(usual, pooling="mean")
    trained = (FeatureView(models="trained", options=usual), FeatureView(models="own", options=mean))
    of_backbone = (usual, mean, replace(usual, layers="all")) if bare else ()
    return (*trained, *(FeatureView(models="backbone", options=options) for options in of_backbone))


# What estimators may need that a pack holds, of a suite whose tasks have all been trained.
EVERYTHING = frozenset({"representations", "features", "models", "batches", "cards"})


@dataclass(frozen=True)
class _Everything:
    """Stands for an estimator that asks for all that a pack holds."""

    needs: frozenset[str]
    name: str = "pack"

    def similarity(self, evidence: Evidence) -> TaskMatrix:
        """Raise NotImplementedError: it ranks nothing."""
        raise NotImplementedError("a pack ranks nothing")


def _models(view: FeatureView, similarity: Similarity) -> Iterator[tuple[Task | None, Task]]:
    """Yield the (source, target) pairs of a view, source by source; None stands for the bare backbone.

    Of a target that is no source there is no model of its own.
    """
    targets = similarity.targets or similarity.tasks
    if view.models == "backbone":
        yield from ((None, target) for target in targets)
    for source in similarity.sources if view.models != "backbone" else ():
        yield from ((source, target) for target in targets if view.models == "trained" or source == target)


def _compute(similarity: Similarity, views: Sequence[FeatureView], workspace: Workspace) -> None:
    """Compute the trainings, representations and features that are missing, by the workers of the workspace."""
    trainings = [similarity.training(task) for task in similarity.sources]
    cells: list[Cell] = [*trainings]
    if similarity.signal is not None:
        cells += [Encoding(training, similarity.signal) for training in trainings]
    for view in views:
        cells += [similarity.extraction(*pair, view.options) for pair in _models(view, similarity)]
    outcome = engine.compute(cells, workspace)
    if outcome.failed:
        raise FailedCells.of(outcome.reason(next(iter(outcome.failed))), [*outcome.failed.values()])


def _representations(evidence: StoredEvidence, sentences: Sequence[str]) -> Arrays:
    """Return the stimuli's representations of each task's model and of the bare backbone."""
    of_tasks = {array_name("representations", task): evidence.representations[task] for task in evidence.tasks}
    return of_tasks | {array_name("representations", BARE): evidence.represent(sentences)}


def _weight_changes(evidence: StoredEvidence) -> tuple[dict[str, tuple[str, ...]], Arrays]:
    """Return for each task the names of its encoder's weights, and how its training changed them."""
    arrays, names = Arrays(), dict[str, tuple[str, ...]]()
    for task in evidence.tasks:
        change = evidence.weight_change(task)
        names[task] = change.names
        arrays[array_name("weights", task, "initial")] = change.initial_norms
        arrays[array_name("weights", task, "change")] = change.change_norms
        arrays[array_name("weights", task, "sketch")] = change.sketches
    return names, arrays


def _descriptions(evidence: StoredEvidence) -> tuple[tuple[str, ...], Arrays]:
    """Return hashes of the tasks' descriptions and of the probe, and their representations by the bare backbone."""
    texts = sorted({*PROBE, *(card.description for card in evidence.cards.values() if card.description)})
    return tuple(hash_of(text) for text in texts), {array_name("sentences"): evidence.represent(texts)}


def _features(
    similarity: Similarity, evidence: StoredEvidence, views: Sequence[FeatureView]
) -> tuple[dict[str, Any], Arrays]:
    """Return the kind of each task's answers, and the arrays of all views."""
    kinds, arrays = dict[str, Any](), Arrays()
    for number, view in enumerate(views):
        for pair in _models(view, similarity):
            source, target = (task.name if task is not None else None for task in pair)
            assert target is not None
            features = evidence.features(source, target, view.options)
            model = source if source is not None else BARE
            arrays[array_name("features", number, model, target)] = features.values
            arrays[array_name("probabilities", number, model, target)] = features.probabilities
            # A tokenizer of its own may make other rows of a text, or other tokens that have answers.
            answers = arrays.setdefault(array_name("answers", number, target), features.answers)
            if not np.array_equal(answers, features.answers):
                arrays[array_name("answers", number, model, target)] = features.answers
            arrays[array_name("layer-sizes", number)] = features.layer_sizes
            kinds[target] = features.answer_kind
    return kinds, arrays


def _kept(
    estimators: Sequence[Estimator], similarity: Similarity, workspace: Workspace
) -> tuple[tuple[KeptArrays, ...], Arrays]:
    """Return the pieces of these estimators, by their keys; those that hold no numbers are left out."""
    entries, arrays = list[KeptArrays](), Arrays()
    for estimator in estimators:
        if not isinstance(estimator, InPieces):
            raise WrongOption(f"estimator {estimator.name!r} has no pieces to keep: leave it out of --keep.")
        evidence = StoredEvidence(replace(similarity, estimator=estimator), workspace)
        for name, piece in evidence.pieces(estimator).items():
            key, numbers = key_of_piece(estimator, name), {n: a for n, a in piece.items() if a.dtype.kind != "U"}
            if numbers:
                entries.append(KeptArrays(estimator=estimator.name, key=key, arrays=tuple(numbers)))
                arrays |= {array_name("kept", key, n): array for n, array in numbers.items()}
    return tuple(entries), arrays


def _packed(task: Task, workspace: Workspace, answer_kinds: Mapping[str, Any]) -> PackedTask:
    has_data = not isinstance(task, GivenCheckpoint) or task.data is not None
    return PackedTask(
        name=task.name,
        suite=task.suite,
        kind=task.kind,
        metric=task.metric,
        card=task.card,
        labels=workspace.dataset(task, "train").labels if has_data else (),
        answer_kind=answer_kinds.get(task.name, "neither"),
    )


def _packed_checkpoint(given: GivenCheckpoint, workspace: Workspace, answer_kinds: Mapping[str, Any]) -> PackedTask:
    """Return a checkpoint with what tells its model from others; of a folder only the name, for packs are passed on."""
    origin = given.backbone.origin(workspace.files)
    name = Path(origin.id).name if Path(origin.id).is_dir() else origin.id
    return replace(
        _packed(given, workspace, answer_kinds),
        origin=CheckpointUsed(name, workspace.files.contents(origin)),
        base=base_of(given.backbone, workspace.files),
    )
