"""The contract checks of backbones, and of those that train several tasks together."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..compute.adaptation import Adapts
from ..data.dataset import Dataset
from ..data.files import Files
from ..parts.interfaces import (
    Backbone,
    TrainsTogether,
    shares,
    teacher_of,
)
from ..parts.recipe import SHARINGS, Checkpoint, Recipe, Settings
from .checks import check_part, expect
from .toys import TASKS, ToySignal


def check_backbone(backbone: Backbone, files: Files | None = None) -> None:
    """Check that a backbone trains, keeps its head, transfers with a fresh head, encodes and gives its batches.

    Trains for a few steps on synthetic toy tasks, its teacher first if it has one: seconds for a small model. One that
    is trained before any task is adapted first, in all its steps. Where it lends its training, as
    `cogbench.TrainsTogether` says, one task is trained by this as it is alone.

    Raises
    ------
    MissingData
        If the model is not there.
    UnusableData
        If it breaks the contract.
    """
    check_part("backbone", backbone)
    files, name = files or Files(), backbone.name
    expect(bool(backbone.origin(files).revision), f"{name}: its origin has no revision")
    few = _few_steps(backbone)
    first, second = (Recipe((t,), settings=few, max_train=32) for t in (TASKS[0], TASKS[3]))
    evaluation = TASKS[0].load("evaluation", files)
    stimuli = ToySignal().read(files).sentences[:5]
    with tempfile.TemporaryDirectory() as folder:
        backbone = _adapted(backbone, files, folder)
        taught = [_taught(backbone, recipe, files, folder) for recipe in (first, second)]
        checkpoint, again = (backbone.train(first, files, _empty(folder), **taught[0]) for _ in range(2))
        expect(
            checkpoint.outputs is not None and np.shape(checkpoint.outputs) == (len(evaluation), 2),
            f"{name}: outputs are not (n_examples, n_labels)",
        )
        expect(np.array_equal(checkpoint.outputs, again.outputs), f"{name}: the same recipe gave two models")  # type: ignore[arg-type]
        moved = backbone.train(replace(second, start=first), files, _empty(folder), checkpoint, **taught[1])
        expect(np.asarray(moved.outputs).shape[1] == 1, f"{name}: a transfer to numbers does not give one output")
        bare, tuned = backbone.represent(None, stimuli, files), backbone.represent(checkpoint, stimuli, files)
        expect(
            bare.shape == tuned.shape and len(bare) == len(stimuli),
            f"{name}: representations are not (n_sentences, n_dims)",
        )
        expect(
            bool(np.isfinite(tuned).all()) and not np.allclose(bare, tuned),
            f"{name}: training left the encoder as it was, or gave NaN",
        )
        alone = np.concatenate([backbone.represent(checkpoint, (s,), files) for s in stimuli])
        expect(
            np.allclose(alone, tuned, atol=1e-4),
            f"{name}: a sentence's representation depends on the sentences beside it",
        )
        _check_answers(backbone, checkpoint, evaluation, files, name)
        expect(backbone.model(None, files) is not None, f"{name}: the bare backbone has no module")
        if isinstance(backbone, TrainsTogether) and getattr(backbone, "tuning", "full") == "full":
            lent = _trained_by_loan(backbone, first, files, _empty(folder))
            expect(np.array_equal(lent.outputs, checkpoint.outputs), f"{name}: lent, its training is another one")  # type: ignore[arg-type]
            vectors = backbone.vectors(backbone.model(None, files), stimuli, files)
            expect(np.allclose(vectors, bare, atol=1e-4), f"{name}: vectors and represent differ of the bare model")


def check_sharing(sharing: Backbone, member: Backbone, files: Files | None = None) -> None:
    """Check that a backbone trains tasks together: it answers for each, twice the same, and trains one task as alone.

    Trains two and three toy tasks for a few steps in each way of its `sharings`: seconds for a small model. The member
    is what it trains, its field `backbone`.

    Raises
    ------
    MissingData
        If the member's model is not there.
    UnusableData
        If it breaks the contract.
    """
    check_part("backbone", sharing)
    files, name, ways = files or Files(), sharing.name, sorted(shares(sharing))
    expect(bool(ways) and {*ways} <= {*SHARINGS}, f"{name}: its sharings are none, or not of {', '.join(SHARINGS)}")
    with tempfile.TemporaryDirectory() as folder:
        member = _adapted(member, files, folder)
        together: Backbone = replace(sharing, backbone=member) if hasattr(sharing, "backbone") else sharing  # type: ignore[type-var]
        check_part("backbone", together)
        alone = Recipe(TASKS[:1], settings=_few_steps(together), max_train=32)
        one, same = (backbone.train(alone, files, _empty(folder)) for backbone in (together, member))
        expect(np.array_equal(one.outputs, same.outputs), f"{name}: it trains one task otherwise than {member.name}")  # type: ignore[arg-type]
        for way in ways:
            pair, three = (replace(alone, tasks=tasks, sharing=way) for tasks in (TASKS[:2], TASKS[:3]))
            checkpoint, again, of_three = (together.train(one, files, _empty(folder)) for one in (pair, pair, three))
            for recipe, joint in ((pair, checkpoint), (pair, again), (three, of_three)):
                _check_outputs(joint, recipe, files, name)
            alike = all(np.array_equal(*each) for each in zip(_outputs(checkpoint), _outputs(again), strict=True))
            expect(alike, f"{name}: the same recipe gave two models")
            _check_answers(together, checkpoint, TASKS[0].load("evaluation", files), files, name)


def _outputs(checkpoint: Checkpoint) -> list[Any]:
    return [checkpoint.outputs, *(checkpoint.others[name] for name in sorted(checkpoint.others))]


def _check_outputs(checkpoint: Checkpoint, recipe: Recipe, files: Files, name: str) -> None:
    """Check that a training of several tasks answers for each of them."""
    others = [task.name for task in recipe.tasks[1:]]
    expect(sorted(checkpoint.others) == others, f"{name}: it answers for {[*checkpoint.others]} beside its target")
    for task, outputs in zip(recipe.tasks, _outputs(checkpoint), strict=True):
        right = np.shape(outputs) == (len(task.load("evaluation", files)), 2)
        expect(right, f"{name}: outputs of {task.name} are not (n_examples, n_labels)")


def _few_steps(backbone: Backbone) -> Settings:
    """Return a backbone's settings with two steps or a few more."""
    usual = backbone.settings("classification", 100)
    expect(isinstance(usual, Settings), f"{backbone.name}: settings gave no Settings")
    return replace(usual, epochs=1, min_steps=2, batch_size=16)


def _adapted(backbone: Backbone, files: Files, folder: str) -> Backbone:
    """Return what comes of a backbone's training before any task, or the backbone if it has none."""
    if not isinstance(backbone, Adapts):
        return backbone
    adapted = _empty(folder)
    backbone.adapt(files, adapted)
    return backbone.after_adaptation(adapted, files)


def _check_answers(backbone: Backbone, checkpoint: Checkpoint, evaluation: Dataset, files: Files, name: str) -> None:
    """Check that the model of a checkpoint gives, on batches of its backbone, the outputs of its training."""
    module, logits = backbone.model(checkpoint, files), []
    for batch in backbone.batches(evaluation, files):
        out = module(**batch)
        expect(out.loss is not None, f"{name}: a batch with labels gives no loss")
        logits.append(out.logits.detach().cpu().numpy())
    expect(
        np.allclose(np.concatenate(logits), np.asarray(checkpoint.outputs), atol=1e-3),
        f"{name}: model and batches do not give the outputs of training",
    )


def _trained_by_loan(backbone: TrainsTogether, recipe: Recipe, files: Files, out: Path) -> Checkpoint:
    """Train the one task of a recipe by what the backbone lends to trainings of several."""
    train, settings = recipe.task.load("train", files).sample(recipe.max_train), recipe.settings
    assert settings is not None
    model = backbone.fresh(train, recipe.seed, files)
    steps = settings.steps(backbone.count_rows(train, settings, files))
    backbone.train_together(
        [model], [train], [settings], steps, seed=recipe.seed, files=files, out=out, combine=lambda losses: losses[0]
    )
    return backbone.finished(model, steps, recipe, files, out)


def _taught(backbone: Backbone, recipe: Recipe, files: Files, folder: str) -> dict[str, Any]:
    """Return what else `train` is given: the checkpoint of the backbone's teacher, if it has one."""
    teacher = teacher_of(backbone)
    if teacher is None:
        return {}
    return {"teacher": teacher.train(recipe, files, _empty(folder), **_taught(teacher, recipe, files, folder))}


def _empty(folder: str) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))
