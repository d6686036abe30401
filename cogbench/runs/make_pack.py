"""Make an evidence pack: what estimators read of a measured oracle, gathered from the store into one file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..compute import engine
from ..compute.cells import Encoding
from ..compute.evidence import Similarity, StoredEvidence
from ..compute.workspace import Cell, Tell, Workspace, workspace_of
from ..data.dataset import Array
from ..data.features import FeatureOptions
from ..data.files import Files
from ..data.oracle import Oracle, TaskMatrix
from ..data.oracle_files import plain_oracle
from ..errors import FailedCells, UnusableData
from ..packs.card import BARE, FeatureView, KeptArrays, PackCard, PackedTask, array_name
from ..packs.evidence import hash_of, key_of_kept
from ..packs.pack import refuse_other_names, write_pack
from ..parts.fingerprint import harness_version
from ..parts.interfaces import Backbone, Estimator, Evidence, OraclePart, Signal, Task
from ..parts.registry import Parts
from ..parts.set_options import only
from ..storage.atomic import writable
from ..storage.store import Store
from .background import background_of
from .requests import RunRequest, Several, as_list, resolve_requests

Arrays = dict[str, Array]


def make_pack(
    backbone: str | Backbone,
    out: Path,
    *,
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
    tell: Tell | None = None,
) -> Path:
    """Gather what estimators read of a measured oracle into one file; trainings that are missing are made first.

    Parameters
    ----------
    backbone : str or Backbone
        The backbone whose trained models the evidence is of.
    out : Path
        The file, with the ending .safetensors. Its name without the ending is the pack's name.
    oracle : str or OraclePart, optional
        The oracle that the pack carries; by default the suite's oracle for the backbone.
    suite, tasks, signal, stimuli, set, max_train
        As for `run`. The text of the stimuli does not come into the pack.
    responses : bool
        Whether the signal's responses come into the pack: only where their licence allows it.
    seed : int
        The seed of the trainings.
    examples : int
        Features come into the pack of at most so many training examples of each task; 0 for none.
    keep : str, Estimator, or several
        Estimators whose intermediate arrays come into the pack, such as `taskemb` with its Fisher information.
    licence : str
        Under which licence the pack may be passed on.
    files, store, parts, jobs, scheduler, tell
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
    workspace = workspace_of(files=files, store=store, parts=parts, jobs=jobs, scheduler=scheduler, tell=tell)
    request = only(
        "pack",
        resolve_requests(
            workspace,
            _Everything(),
            backbone,
            suite=suite,
            tasks=tasks,
            signal=signal,
            stimuli=stimuli,
            oracle=oracle,
            set=set,
            seeds=(seed,),
            max_train=max_train,
        ),
    )
    return gather_pack(request, workspace, out, examples=examples, responses=responses, keep=keep, licence=licence)


def gather_pack(
    request: RunRequest,
    workspace: Workspace,
    out: Path,
    *,
    examples: int,
    responses: bool,
    keep: Several[Estimator],
    licence: str,
) -> Path:
    """Compute what is missing of a pack, and write it."""
    if not isinstance(request.oracle, Oracle):
        raise UnusableData(
            "a pack carries a measured oracle of its tasks, and none is known: measure one with "
            "`cogbench oracle measure`, and name it with --oracle."
        )
    similarity = request.similarities()[0]
    assert isinstance(similarity, Similarity)
    views = views_of(FeatureOptions(examples)) if examples > 0 else ()
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
    weights, changes = _weight_changes(evidence)
    sentences, described = _descriptions(evidence)
    kept, kept_arrays = _kept(keep, similarity, workspace)
    answer_kinds, features = _features(evidence, views)
    arrays |= changes | described | kept_arrays | features
    names = [task.name for task in request.tasks]
    oracle = request.oracle.part(names)
    arrays |= {array_name("transfers", *pair): values for pair, values in (oracle.per_example or {}).items()}
    parts = workspace.parts
    card = PackCard(
        name=out.stem,
        backbone=parts.label("backbone", request.backbone),
        suite=request.suite,
        seed=similarity.seed,
        max_train=request.max_train,
        tasks=tuple(_packed(task, evidence, answer_kinds) for task in request.tasks),
        signal=parts.label("signal", request.signal) if request.signal else None,
        n_stimuli=len(recording.sentences) if recording else 0,
        subjects={s: r.channels for s, r in recording.subjects.items()} if recording and responses else {},
        weights=weights,
        views=views,
        kept=kept,
        sentences=sentences,
        oracle=plain_oracle(oracle),
        background=background_of(request, workspace),
        licence=licence,
        versions={"cogbench": harness_version() or "", "torch": metadata.version("torch")}
        | {p.distribution: p.version for p in parts.plugins if not p.error},
    )
    write_pack(out, card, arrays)
    return out


def views_of(usual: FeatureOptions) -> tuple[FeatureView, ...]:
    """Return the features that a pack holds: those of all pairs, and further ones of single models, which are small."""
    mean = replace(usual, pooling="mean")
    return (
        FeatureView(models="trained", options=usual),
        FeatureView(models="own", options=mean),
        FeatureView(models="backbone", options=usual),
        FeatureView(models="backbone", options=mean),
        FeatureView(models="backbone", options=replace(usual, layers="all")),
    )


@dataclass(frozen=True)
class _Everything:
    """Stands for an estimator that asks for all that a pack holds."""

    name: str = "pack"
    needs: frozenset[str] = frozenset(
        {"representations", "features", "backbone-features", "models", "backbone", "batches", "cards"}
    )

    def similarity(self, evidence: Evidence) -> TaskMatrix:
        """Raise NotImplementedError: it ranks nothing."""
        raise NotImplementedError("a pack ranks nothing")


def _models(view: FeatureView, tasks: Sequence[str]) -> Iterator[tuple[str | None, str]]:
    """Yield the (source, target) pairs of a view; None stands for the bare backbone."""
    for target in tasks:
        if view.models == "trained":
            yield from ((source, target) for source in tasks)
        else:
            yield (target if view.models == "own" else None), target


def _compute(similarity: Similarity, views: Sequence[FeatureView], workspace: Workspace) -> None:
    """Compute the trainings, representations and features that are missing, by the workers of the workspace."""
    by_name = {task.name: task for task in similarity.tasks}
    trainings = {name: similarity.training(task) for name, task in by_name.items()}
    cells: list[Cell] = [*trainings.values()]
    if similarity.signal is not None:
        cells += [Encoding(training, similarity.signal) for training in trainings.values()]
    for view in views:
        for source, target in _models(view, [*by_name]):
            of = by_name[source] if source is not None else None
            cells.append(similarity.extraction(of, by_name[target], view.options))
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
    """Return hashes of the tasks' descriptions, and their representations by the bare backbone."""
    texts = sorted({card.description for card in evidence.cards.values() if card.description})
    if not texts:
        return (), {}
    return tuple(hash_of(text) for text in texts), {array_name("sentences"): evidence.represent(texts)}


def _features(evidence: StoredEvidence, views: Sequence[FeatureView]) -> tuple[dict[str, Any], Arrays]:
    """Return the kind of each task's answers, and the arrays of all views."""
    kinds, arrays = dict[str, Any](), Arrays()
    for number, view in enumerate(views):
        for source, target in _models(view, evidence.tasks):
            features = evidence.features(source, target, view.options)
            model = source if source is not None else BARE
            arrays[array_name("features", number, model, target)] = features.values
            arrays[array_name("probabilities", number, model, target)] = features.probabilities
            arrays[array_name("answers", number, target)] = features.answers
            arrays[array_name("layer-sizes", number)] = features.layer_sizes
            kinds[target] = features.answer_kind
    return kinds, arrays


class _Recorder:
    """Evidence that remembers which arrays an estimator keeps."""

    def __init__(self, evidence: StoredEvidence, estimator: Estimator) -> None:
        self._evidence, self._estimator = evidence, estimator
        self.kept: dict[str, Mapping[str, Array]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._evidence, name)

    def keep(
        self, name: str, compute: Callable[[], Mapping[str, Array]], *, owner: Any = None, **key: Any
    ) -> Mapping[str, Array]:
        arrays = self._evidence.keep(name, compute, owner=owner, **key)
        self.kept[key_of_kept(self._estimator if owner is None else owner, name, key)] = arrays
        return arrays


def _kept(
    estimators: Several[Estimator], similarity: Similarity, workspace: Workspace
) -> tuple[tuple[KeptArrays, ...], Arrays]:
    """Return what these estimators keep while they rank the tasks, under the keys that they keep it by."""
    entries, arrays = list[KeptArrays](), Arrays()
    for wanted in as_list(estimators):
        estimator = workspace.parts.find("estimator", wanted) if isinstance(wanted, str) else wanted
        recorder = _Recorder(StoredEvidence(replace(similarity, estimator=estimator), workspace), estimator)
        estimator.similarity(recorder)
        for key, values in recorder.kept.items():
            entries.append(KeptArrays(estimator=estimator.name, key=key, arrays=tuple(values)))
            arrays |= {array_name("kept", key, name): np.asarray(array) for name, array in values.items()}
    return tuple(entries), arrays


def _packed(task: Task, evidence: StoredEvidence, answer_kinds: Mapping[str, Any]) -> PackedTask:
    return PackedTask(
        name=task.name,
        suite=task.suite,
        kind=task.kind,
        metric=task.metric,
        card=task.card,
        labels=evidence.labels[task.name],
        answer_kind=answer_kinds.get(task.name, "neither"),
    )
