"""Contract checks: what every part promises, as properties and not as numbers. Plugin authors run them in one line.

Each raises UnusableData with what is broken, or MissingData where the part's data are not there.
"""

import pickle
import tempfile
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..compute.adaptation import Adapts
from ..compute.evidence import Similarity, StoredEvidence
from ..compute.selection import RowWeights, StoredSelectionEvidence
from ..compute.workspace import Workspace
from ..data.dataset import TASK_KINDS, Dataset
from ..data.files import Files
from ..data.recording import Recording
from ..errors import UnusableData
from ..packs.pack import find_pack
from ..parts.codec import decode, encode
from ..parts.fingerprint import identity
from ..parts.interfaces import NEEDS, Backbone, Estimator, OraclePart, PackPart, SetsPart, Signal, teacher_of
from ..parts.recipe import Recipe, Selector, Settings, Task
from ..parts.registry import Parts
from ..parts.table_task import TableTask
from ..scoring.metrics import METRICS
from ..storage.store import Store
from .toys import ORACLES, TASKS, ToyBackbone, ToySignal


def check_task(task: Task, files: Files | None = None) -> None:
    """Check that a task is a well-made part and both its splits load, twice the same, with equal label names.

    Raises
    ------
    MissingData
        If its data are not there.
    UnusableData
        If it breaks the contract.
    """
    _check_part(task, Task)
    _expect(task.kind in TASK_KINDS, f"{task.name}: unknown kind {task.kind!r}; known: {', '.join(TASK_KINDS)}")
    for metric in (task.metric, *getattr(task, "further", ())):
        _expect(metric in METRICS, f"{task.name}: unknown metric {metric!r}; known: {', '.join(METRICS)}")
    files = files or Files()
    train, evaluation = (task.load(split, files) for split in ("train", "evaluation"))  # type: ignore[arg-type]
    for dataset in (train, evaluation):
        _expect(
            isinstance(dataset, Dataset) and dataset.kind == task.kind, f"{task.name}: load gave no {task.kind} Dataset"
        )
    _expect(train.labels == evaluation.labels, f"{task.name}: its splits name different classes")
    _expect(train.sha256 != evaluation.sha256, f"{task.name}: it trains and evaluates on the same examples")
    _expect(task.load("train", files).sha256 == train.sha256, f"{task.name}: it loads differently the second time")
    described = task.card.description or isinstance(task, TableTask)  # of a table of one's own, only its owner knows
    _expect(bool(described and task.card.licence), f"{task.name}: its card lacks description or licence")


def check_backbone(backbone: Backbone, files: Files | None = None) -> None:
    """Check that a backbone trains, keeps its head, transfers with a fresh head, encodes and gives its batches.

    Trains for a few steps on synthetic toy tasks, its teacher first if it has one: seconds for a small model. One that
    is trained before any task is adapted first, in all its steps.

    Raises
    ------
    MissingData
        If the model is not there.
    UnusableData
        If it breaks the contract.
    """
    _check_part(backbone, Backbone)
    files, name = files or Files(), backbone.name
    _expect(bool(backbone.origin(files).revision), f"{name}: its origin has no revision")
    usual = backbone.settings("classification", 100)
    _expect(isinstance(usual, Settings), f"{name}: settings gave no Settings")
    few = replace(usual, epochs=1, min_steps=2, batch_size=16)
    first, second = (Recipe((t,), settings=few, max_train=32) for t in (TASKS[0], TASKS[3]))
    evaluation = TASKS[0].load("evaluation", files)
    stimuli = ToySignal().read(files).sentences[:5]
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(backbone, Adapts):
            adapted = _empty(folder)
            backbone.adapt(files, adapted)
            backbone = backbone.after_adaptation(adapted, files)
        taught = [_taught(backbone, recipe, files, folder) for recipe in (first, second)]
        made, again = (backbone.train(first, files, _empty(folder), **taught[0]) for _ in range(2))
        _expect(
            made.outputs is not None and np.shape(made.outputs) == (len(evaluation), 2),
            f"{name}: outputs are not (n_examples, n_labels)",
        )
        _expect(np.array_equal(made.outputs, again.outputs), f"{name}: the same recipe gave two models")  # type: ignore[arg-type]
        moved = backbone.train(replace(second, start=first), files, _empty(folder), made, **taught[1])
        _expect(np.asarray(moved.outputs).shape[1] == 1, f"{name}: a transfer to numbers does not give one output")
        bare, tuned = backbone.represent(None, stimuli, files), backbone.represent(made, stimuli, files)
        _expect(
            bare.shape == tuned.shape and len(bare) == len(stimuli),
            f"{name}: representations are not (n_sentences, n_dims)",
        )
        _expect(
            bool(np.isfinite(tuned).all()) and not np.allclose(bare, tuned),
            f"{name}: training left the encoder as it was, or gave NaN",
        )
        alone = np.concatenate([backbone.represent(made, (s,), files) for s in stimuli])
        _expect(
            np.allclose(alone, tuned, atol=1e-4),
            f"{name}: a sentence's representation depends on the sentences beside it",
        )
        module, logits = backbone.model(made, files), []
        for batch in backbone.batches(evaluation, files):
            out = module(**batch)
            _expect(out.loss is not None, f"{name}: a batch with labels gives no loss")
            logits.append(out.logits.detach().cpu().numpy())
        _expect(
            np.allclose(np.concatenate(logits), np.asarray(made.outputs), atol=1e-3),
            f"{name}: model and batches do not give the outputs of training",
        )
        _expect(backbone.model(None, files) is not None, f"{name}: the bare backbone has no module")


def _taught(backbone: Backbone, recipe: Recipe, files: Files, folder: str) -> dict[str, Any]:
    """Return what else `train` is given: the checkpoint of the backbone's teacher, if it has one."""
    teacher = teacher_of(backbone)
    if teacher is None:
        return {}
    return {"teacher": teacher.train(recipe, files, _empty(folder), **_taught(teacher, recipe, files, folder))}


def _empty(folder: str) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def check_signal(signal: Signal, files: Files | None = None) -> None:
    """Check that a signal reads, twice the same, with stimuli; it may hold sentences alone, without subjects.

    Raises
    ------
    MissingData
        If its data are not there.
    UnusableData
        If it breaks the contract.
    """
    _check_part(signal, Signal)
    files = files or Files()
    recording = signal.read(files)
    _expect(isinstance(recording, Recording), f"{signal.name}: read gave no Recording")
    _expect(len(recording.sentences) > 0, f"{signal.name}: it has no stimuli")
    _expect(bool(recording.unit), f"{signal.name}: it names no unit")
    _expect(signal.read(files).sha256 == recording.sha256, f"{signal.name}: it reads differently the second time")


def check_oracle(oracle: OraclePart, files: Files | None = None) -> None:
    """Check that an oracle's card is true of its table: same tasks, and read twice the same.

    Raises
    ------
    MissingData
        If its table is not there.
    UnusableData
        If it breaks the contract.
    """
    card, files = oracle.card, files or Files()
    _expect(bool(card.description and card.origin and card.licence), f"{oracle.name}: its card lacks a text")
    table = oracle.read(files)
    _expect(table.name == oracle.name, f"{oracle.name}: its table is called {table.name}")
    _expect(
        (table.transfers.sources, table.transfers.targets) == (card.sources, card.targets),
        f"{oracle.name}: its table has other tasks than its card",
    )
    for field in ("backbone", "suite", "basis", "tuning", "sharing", "max_train_target", "row_choice"):
        _expect(getattr(table, field) == getattr(card, field), f"{oracle.name}: its table has another {field}")
    for field in ("metrics", "better"):
        _expect(
            dict(getattr(card, field)) == {**getattr(table, field)},
            f"{oracle.name}: its table has other {field} than its card",
        )
    again = oracle.read(files).transfers.values
    _expect(
        np.array_equal(table.transfers.values, again, equal_nan=True),
        f"{oracle.name}: it reads differently the second time",
    )


def check_set(sets: SetsPart, files: Files | None = None) -> None:
    """Check that the card of a table of task sets is true of it: same tasks and directions, and read twice the same.

    Raises
    ------
    MissingData
        If its table is not there.
    UnusableData
        If it breaks the contract.
    """
    _check_part(sets, SetsPart)
    card, files = sets.card, files or Files()
    _expect(bool(card.description and card.origin and card.licence), f"{sets.name}: its card lacks a text")
    table = sets.read(files)
    _expect(table.name == sets.name, f"{sets.name}: its table is called {table.name}")
    same = (table.members, table.targets, dict(table.better)) == (card.sources, card.targets, dict(card.better))
    _expect(same, f"{sets.name}: its table has other tasks or directions than its card")
    _expect(table.sets == sets.read(files).sets, f"{sets.name}: it reads differently the second time")


def check_selector(selector: Selector) -> None:
    """Check that a selector gives each source example a finite weight, twice the same, and leaves its evidence alone.

    It runs on toys: a source and a target of sixty sentences each, and a linear model on hashed words.

    Raises
    ------
    UnusableData
        If it breaks the contract.
    """
    _check_part(selector, Selector)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Files(offline=True), Store(Path(folder)))
        for source in (TASKS[1], TASKS[3]):
            evidence = StoredSelectionEvidence(
                RowWeights(ToyBackbone(), source, TASKS[0], selector), ToyBackbone(), workspace
            )
            before = evidence.source.sha256, evidence.target.sha256
            weights = np.asarray(selector.weights(evidence), np.float64)
            _expect(weights.shape == (len(evidence.source),), f"{selector.name}: weights of shape {weights.shape}")
            _expect(bool(np.isfinite(weights).all()), f"{selector.name}: a weight is not finite")
            _expect(
                np.array_equal(weights, selector.weights(evidence)), f"{selector.name}: other weights the second time"
            )
            _expect(
                (evidence.source.sha256, evidence.target.sha256) == before, f"{selector.name}: it changes its evidence"
            )


def check_pack(pack: PackPart, files: Files | None = None) -> None:
    """Check an evidence pack: its file is read whole, its oracle is of its tasks, its numbers are finite.

    Raises
    ------
    MissingData, UnusableData
        If the file is not there, or the pack breaks the contract.
    """
    _check_part(pack, PackPart)
    content = find_pack(Parts(), pack).content()
    _expect(content.card.name == pack.name, f"pack {pack.name!r}: its card calls it {content.card.name!r}")
    content.check()


def check_estimator(estimator: Estimator) -> None:
    """Check an estimator on synthetic toy evidence.

    Same evidence, same answer; inputs untouched; tasks reordered, matrix reordered; it works with what it `needs` and
    nothing else; scores off the diagonal, no infinity, and NaN only where a note says why.

    Raises
    ------
    UnusableData
        If it breaks the contract.
    """
    _check_part(estimator, Estimator)
    unknown = set(estimator.needs) - set(NEEDS)
    _expect(not unknown, f"{estimator.name}: it needs {unknown}; known: {', '.join(NEEDS)}")
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Files(offline=True), Store(Path(folder)))
        cell = Similarity(estimator, ToyBackbone(), TASKS, ToySignal(), oracle=ORACLES[0], others=ORACLES[1:])
        names = tuple(t.name for t in TASKS)
        before = _fingerprint(cell, workspace)
        evidence = StoredEvidence(cell, workspace)
        first = estimator.similarity(evidence).part(names, names)
        again = estimator.similarity(StoredEvidence(cell, workspace)).part(names, names)
        turned = replace(cell, tasks=TASKS[::-1])
        reordered = estimator.similarity(StoredEvidence(turned, workspace))
        one = estimator.similarity(StoredEvidence(replace(cell, targets=TASKS[:1]), workspace)).part(names, names[:1])
        _expect(reordered.sources == names[::-1], f"{estimator.name}: its matrix is not in the order of evidence.tasks")
        _expect(
            np.array_equal(first.values, again.values, equal_nan=True),
            f"{estimator.name}: the same evidence gave two answers",
        )
        same = np.allclose(first.values, reordered.part(names, names).values, atol=1e-3, equal_nan=True)
        _expect(same, f"{estimator.name}: reordering the tasks changed their scores")
        same = np.allclose(first.values[:, :1], one.values, atol=1e-3, equal_nan=True)
        _expect(same, f"{estimator.name}: asked for one target alone, it scored the sources otherwise")
        known = np.isfinite(first.values[~first.same])
        _expect(bool(known.any()), f"{estimator.name}: it gave no score for any task")
        _expect(
            bool(known.all() or evidence.inquiry.notes),
            f"{estimator.name}: it gave no score for some tasks, and no note says why",
        )
        _expect(_fingerprint(cell, workspace) == before, f"{estimator.name}: it changed what Evidence gave it")


def _fingerprint(cell: Similarity, workspace: Workspace) -> list[Any]:
    every = replace(cell, estimator=_All())  # type: ignore[arg-type]
    evidence = StoredEvidence(every, workspace)
    return [
        workspace.recording(ToySignal()).sha256,
        *(evidence.representations[t].tobytes() for t in evidence.tasks),
        *(workspace.dataset(t, "train").sha256 for t in TASKS),
    ]


class _All:
    """Stands for an estimator that may ask for everything."""

    name = "all"
    needs = frozenset(NEEDS)


def _check_part(part: Any, protocol: Any) -> None:
    name = getattr(part, "name", part)
    _expect(isinstance(part, protocol), f"{name}: it lacks a name or verb of {protocol.__name__}")
    frozen = is_dataclass(part) and getattr(type(part), "__dataclass_params__").frozen  # noqa: B009
    _expect(frozen, f"{name}: a part is a frozen dataclass")
    hash(part)
    _expect(pickle.loads(pickle.dumps(part)) == part, f"{name}: it does not survive pickling")
    _expect(decode(encode(part)) == part, f"{name}: it does not survive the way through JSON that cells take")
    _expect(replace(part) == part, f"{name}: it cannot be replaced")
    identity(part)
    _expect(all(f.init for f in fields(part)), f"{name}: each field of a part is an option that can be given")
    text = str(part.name)
    _expect(
        text == text.lower() and "," not in text and " " not in text,
        f"{name}: names are lower case, without comma or space",
    )


def _expect(truth: bool, message: str) -> None:
    if not truth:
        raise UnusableData(message + ".")
