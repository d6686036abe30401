"""Cells: the units of work, of caching and of spreading.

A cell is a frozen dataclass of parts and plain values. Its key is the hash of everything that changes its answer; its
result is a folder in the store. `Workspace` keys cells, finds them, and computes one where it stands.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

import numpy as np

from ..checkpoints.given import GivenCheckpoint, NoBackbone
from ..combining.selected import SelectedTask
from ..data.dataset import Array
from ..data.files import Files
from ..errors import UnusableData
from ..parts.interfaces import Backbone, Signal, teacher_of, trained_alone
from ..parts.recipe import Checkpoint, Recipe, Task
from ..scoring.metrics import TaskScore, score_outputs
from ..storage.hashes import digest
from ..storage.origin import Origin
from ..text import LONGEST, file_stem, slug
from .adaptation import adaptations, ready
from .selection import RowWeights
from .workspace import Cell, Workspace, trained_as


@dataclass(frozen=True)
class Training:
    """One training; with `recipe.start` a transfer, whose weights are dropped once it is scored.

    A training of several tasks has outputs and a score for each of them, by default those of the first; its weights are
    dropped too. A backbone with a teacher learns the task from the one trained on it without a source: a transfer too,
    so that one teacher for each task and seed serves them all.
    """

    backbone: Backbone
    recipe: Recipe
    keep: bool = field(default=False, compare=False)  # the weights, where they would be dropped
    MODEL: ClassVar[str] = "model"

    @property
    def place(self) -> str:
        tasks = "+".join(slug(t.name) for t in self.recipe.tasks)
        after = f"-after-{slug(self.recipe.start.task.name)}" if self.recipe.start else ""
        choice = next((r.row_choice for r in (self.recipe, self.recipe.start) if r and r.row_choice), None)
        chosen = f"-{slug(choice.selector.name)}-for-{slug(choice.target.name)}" if choice else ""
        return f"{slug(self.backbone.name)}/{file_stem(tasks + after + chosen, LONGEST)}/seed-{self.recipe.seed}"

    @property
    def task(self) -> Task:
        """The task that is trained."""
        return self.recipe.task

    @property
    def start(self) -> "Training | None":
        """The training of the source, for a transfer."""
        return Training(self.backbone, self.recipe.start) if self.recipe.start else None

    @property
    def teacher(self) -> "Training | None":
        """The training of the backbone's teacher on the same task, with the teacher's own settings."""
        backbone, own = teacher_of(self.backbone), self.recipe
        return Training(backbone, Recipe(own.tasks, seed=own.seed, max_train=own.max_train)) if backbone else None

    def inputs(self, workspace: Workspace) -> tuple[Cell, ...]:
        before = (c for c in (self.start, self.teacher) if c)
        return (*adaptations(self.backbone), *before, *self.row_weights.values())

    @property
    def row_weights(self) -> dict[Task, RowWeights]:
        """What a selector gives the examples of each task whose rows are chosen."""
        recipe, choice = self.recipe, self.recipe.row_choice
        if choice is None:
            return {}
        alone = trained_alone(self.backbone)
        return {
            task: RowWeights(
                alone,
                task,
                target=choice.target,
                selector=choice.selector,
                seed=recipe.seed,
                max_source=recipe.most(task),
                max_target=choice.max_target,
                share=choice.share_of_weights,
            )
            for task in recipe.tasks
            if recipe.chooses(task)
        }

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        recipe = self.filled(workspace)
        samples = [self._key_of_sample(task, workspace) for task in recipe.tasks]
        return {
            "backbone": trained_as(self.backbone, workspace),
            "model": workspace.once(("origin", self.backbone), lambda: self._origin(workspace)),
            "settings": workspace.identity(recipe.settings),
            **({} if recipe.tuning == "full" else {"tuning": recipe.tuning}),
            **({} if recipe.sharing == "sequential" else {"sharing": recipe.sharing}),
            # Which selector and target these are stands in the keys of the weights.
            **({"share of rows": recipe.row_choice.share} if recipe.row_choice else {}),
            "seed": recipe.seed,
            **(samples[0] if len(samples) == 1 else {"samples": samples}),
            "tasks": [workspace.identity(t) for t in recipe.tasks],
            "data": [[workspace.dataset(t, s).sha256 for s in ("train", "evaluation")] for t in recipe.tasks],
        }

    def _key_of_sample(self, task: Task, workspace: Workspace) -> dict[str, Any]:
        train, most = workspace.dataset(task, "train"), self.recipe.most(task)
        return {
            "max_train": most if most and most < len(train) else None,
            **key_of_sample(train.is_topped_up(most)),
        }

    def _origin(self, workspace: Workspace) -> dict[str, Any]:
        return workspace.identity(self.backbone.origin(workspace.files))

    def filled(self, workspace: Workspace) -> Recipe:
        """Return the recipe with its settings: those asked for, or the backbone's own for the target's examples."""
        task = self.recipe.task
        n_examples = self.recipe.n_examples(task, len(workspace.dataset(task, "train")))
        settings = self.recipe.settings or self.backbone.settings(task.kind, n_examples)
        return replace(self.recipe, settings=settings)

    def work(self, workspace: Workspace) -> float:
        """Return about how many pieces of text this training goes through, to tell long ones from short ones."""
        recipe, total = self.filled(workspace), 0.0
        assert recipe.settings is not None
        for task in recipe.tasks:
            train, evaluation = (workspace.dataset(task, split) for split in ("train", "evaluation"))
            n_rows, length = train.size
            rows = n_rows * recipe.n_examples(task, len(train)) / len(train)
            trained = recipe.settings.steps(max(1, round(rows))) * recipe.settings.batch_size
            answered = evaluation.size[0] / 3  # without the way back
            total += (trained + answered) * min(recipe.settings.max_length, length)
        return total

    def tokens(self, workspace: Workspace) -> int:
        """Return about how many pieces of text its largest batch holds: the longest have some three times the mean."""
        settings, (_, length) = self.filled(workspace).settings, workspace.dataset(self.recipe.task, "train").size
        assert settings is not None
        return round(settings.batch_size * min(settings.max_length, 3 * length))

    def compute(self, workspace: Workspace, out: Path) -> None:
        import shutil

        self._check_axes()
        start = self.start.checkpoint(workspace) if self.start else None
        taught: dict[str, Any] = {"teacher": self.teacher.checkpoint(workspace)} if self.teacher else {}
        model, clock = out / self.MODEL, perf_counter()
        model.mkdir()
        backbone = ready(self.backbone, workspace)
        recipe = self._with_chosen_rows(self.filled(workspace), workspace)
        trained = backbone.train(recipe, workspace.files, model, start, **taught)
        for task in self.recipe.tasks:
            outputs = trained.outputs if task is self.task else trained.others.get(task.name)
            if outputs is None or not np.isfinite(outputs).all():
                raise UnusableData(
                    f"training {self.place} diverged: its outputs are not finite; try a smaller learning rate."
                )
            np.save(out / self._outputs_file(task), np.asarray(outputs, np.float32))
        seconds = round(perf_counter() - clock, 3)
        report = {"steps": trained.steps, "notes": trained.notes, "seconds": seconds}
        (out / "training.json").write_text(json.dumps(report))
        if not self.keeps_model:
            shutil.rmtree(model)

    def _with_chosen_rows(self, recipe: Recipe, workspace: Workspace) -> Recipe:
        """Return the recipe with tasks that have their chosen rows alone."""
        choice = recipe.row_choice
        if choice is None:
            return recipe
        rows = {task: choice.choose(cell.weights(workspace), recipe.seed) for task, cell in self.row_weights.items()}
        tasks = tuple(
            SelectedTask(task, recipe.most(task), tuple(map(int, rows[task]))) if task in rows else task
            for task in recipe.tasks
        )
        return replace(recipe, tasks=tasks, row_choice=None)

    @property
    def keeps_model(self) -> bool:
        """Whether the weights stay in the store: those of a task alone, for they may be a source's, or by a wish."""
        return self.keep or (self.recipe.start is None and len(self.recipe.tasks) == 1)

    def _check_axes(self) -> None:
        """Raise UnusableData if the backbone cannot train as the recipe asks."""
        for axis, usual in (("tuning", "full"), ("sharing", "sequential")):
            can = getattr(self.backbone, f"{axis}s", frozenset({usual}))
            if (word := getattr(self.recipe, axis)) not in can:
                choices = ", ".join(sorted(can))
                raise UnusableData(
                    f"backbone {self.backbone.name!r} cannot train with {axis} {word!r}; it can: {choices}."
                )

    def checkpoint(self, workspace: Workspace) -> Checkpoint:
        """Return the trained model, training it if need be."""
        folder = workspace.folder(self)  # once: all of its files are checked each time
        report = _report(folder)
        outputs, *others = (np.load(folder / self._outputs_file(task)) for task in self.recipe.tasks)
        named = dict(zip((task.name for task in self.recipe.tasks[1:]), others, strict=True))
        return Checkpoint(
            folder / self.MODEL, outputs, steps=report["steps"], notes=tuple(report["notes"]), others=named
        )

    def notes(self, workspace: Workspace) -> tuple[str, ...]:
        """Return what the backbone told of the training."""
        return tuple(self.report(workspace)["notes"])

    def report(self, workspace: Workspace) -> dict[str, Any]:
        """Return the optimiser's `steps`, the `notes`, and the `seconds` that it took; 0 of one by an older version."""
        return _report(workspace.folder(self))

    def _outputs_file(self, task: Task) -> str:
        place = [one.name for one in self.recipe.tasks].index(task.name)
        return f"outputs-{place}.npy" if place else "outputs.npy"

    def outputs(self, workspace: Workspace, task: Task | None = None) -> Array:
        """Return the head's outputs on the evaluation split of one of its tasks."""
        return np.load(workspace.folder(self) / self._outputs_file(task or self.task))

    def score(self, workspace: Workspace, task: Task | None = None) -> TaskScore:
        """Return the training's score on the evaluation split of one of its tasks, computed once for all that ask."""
        evaluated = task or self.task
        return workspace.once(
            ("score", self, evaluated.name), lambda: _score_of(evaluated, self.outputs(workspace, evaluated), workspace)
        )


@dataclass(frozen=True)
class GivenTraining:
    """The training of a checkpoint that somebody has: it is read where it is, and only its answers are kept.

    Its key holds the hash of all files of the checkpoint, and not where they are or what they are called.
    """

    given: GivenCheckpoint

    @property
    def place(self) -> str:
        return f"given/{slug(self.given.name)}"

    @property
    def backbone(self) -> Backbone:
        """The checkpoint as a pre-trained model."""
        return self.given.backbone

    @property
    def task(self) -> Task:
        """The task that the checkpoint was trained on, as far as it is known."""
        return self.given

    def inputs(self, workspace: Workspace) -> tuple[Cell, ...]:
        return ()

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        data = [workspace.dataset(self.given, s).sha256 for s in ("train", "evaluation")] if self.given.data else None  # type: ignore[arg-type]
        return {"model": self.model(workspace), "kind": self.given.kind, "data": data}

    def model(self, workspace: Workspace) -> dict[str, Any]:
        """Return what stands in keys for the model: the hash of its files, and how its backbone opens them."""
        return workspace.once(("model", self.backbone), lambda: self._model(workspace))

    def _model(self, workspace: Workspace) -> dict[str, Any]:
        place = frozenset({"name", "address", "revision"})
        opened_by = workspace.fingerprints.identity(self.backbone, without=place)
        adapted: Callable[[Files], Origin | None] = getattr(self.backbone, "adapted", lambda files: None)
        base, contents = adapted(workspace.files), workspace.files.contents
        return {
            "files": contents(self.backbone.origin(workspace.files)),
            "opened by": opened_by,
            **({"base": contents(base)} if base else {}),  # the model that an adapter belongs to
        }

    def compute(self, workspace: Workspace, out: Path) -> None:
        outputs, notes = self._answers(workspace) if self.given.data else (None, ())
        if outputs is not None:
            np.save(out / "outputs.npy", np.asarray(outputs, np.float32))
        (out / "training.json").write_text(json.dumps({"steps": 0, "notes": notes}))

    def _answers(self, workspace: Workspace) -> tuple[Array | None, tuple[str, ...]]:
        """Return what the checkpoint's head gives for its evaluation examples, and notes; None without such a head."""
        answer = getattr(self.backbone, "answer", None)
        if answer is None:
            return None, ()
        try:
            return answer(workspace.dataset(self.given, "evaluation"), workspace.files), ()
        except UnusableData as error:
            return None, (f"how well it was learned is not known: {str(error).rstrip('.')}",)

    def checkpoint(self, workspace: Workspace) -> Checkpoint:
        """Return the trained model where it is."""
        folder, _ = self.backbone.folder(workspace.files)  # type: ignore[attr-defined]
        return Checkpoint(folder, notes=self.notes(workspace))

    def notes(self, workspace: Workspace) -> tuple[str, ...]:
        """Return what a reader should know of the checkpoint's answers."""
        return tuple(_report(workspace.folder(self))["notes"])

    def score(self, workspace: Workspace) -> TaskScore | None:
        """Return the checkpoint's score on its own evaluation examples; None if its head answers none."""
        return workspace.once(("score", self), lambda: self._score(workspace))

    def _score(self, workspace: Workspace) -> TaskScore | None:
        file = workspace.folder(self) / "outputs.npy"
        return _score_of(self.given, np.load(file), workspace) if file.exists() else None


def _score_of(task: Task, outputs: Array, workspace: Workspace) -> TaskScore:
    train, evaluation = workspace.dataset(task, "train"), workspace.dataset(task, "evaluation")
    return score_outputs(task.metric, outputs, evaluation=evaluation, train=train, further=getattr(task, "further", ()))


@dataclass(frozen=True)
class Encoding:
    """The stimuli of a signal as a trained model represents them."""

    of_estimator: ClassVar[bool] = True
    training: Training | GivenTraining
    signal: Signal

    @property
    def place(self) -> str:
        return f"{self.training.place}/stimuli-{slug(self.signal.name)}"

    def inputs(self, workspace: Workspace) -> tuple[Cell, ...]:
        return (self.training, *adaptations(self.training.backbone))

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        # The sentences alone: other responses to the same sentences change no representation.
        read = workspace.once(("sentences", self.signal), lambda: digest(workspace.recording(self.signal).sentences))
        given = isinstance(self.training, GivenTraining)
        return {**({} if given else {"backbone": workspace.identity(self.training.backbone)}), "sentences": read}

    def compute(self, workspace: Workspace, out: Path) -> None:
        sentences = workspace.recording(self.signal).sentences
        given = isinstance(self.training, GivenTraining)
        # A checkpoint that somebody has is opened as a pre-trained model, for it may be of any architecture.
        checkpoint = None if given else self.training.checkpoint(workspace)
        backbone = ready(self.training.backbone, workspace)
        representations = backbone.represent(checkpoint, sentences, workspace.files)
        workspace.passes(forward=len(sentences))
        if representations.shape[0] != len(sentences) or not np.isfinite(representations).all():
            raise UnusableData(
                f"{self.place}: representations of shape {representations.shape} for {len(sentences)} stimuli, or NaN."
            )
        np.save(out / "representations.npy", np.asarray(representations, np.float32))

    def representations(self, workspace: Workspace) -> Array:
        """Return (n_stimuli, n_dims) float32."""
        return np.load(workspace.folder(self) / "representations.npy", mmap_mode="r")


def _report(folder: Path) -> dict[str, Any]:
    """Return what stands in a training's folder beside weights and outputs: its steps, notes and seconds."""
    report: dict[str, Any] = json.loads((folder / "training.json").read_text())
    return {"notes": (), "seconds": 0.0, **report}


def key_of_sample(topped_up: bool) -> dict[str, Any]:
    """Return what a key says of a sample of examples.

    Nothing if each class has its share in it, so that the keys of such samples are those of versions that left classes
    out.
    """
    return {"sample": "topped up"} if topped_up else {}


def key_beside_given(tasks: Sequence[Task], backbone: Backbone, workspace: Workspace) -> dict[str, Any]:
    """Return what a key says of the pre-trained model and of metrics where some of the tasks bring models of their own.

    The keys of trainings say both elsewhere; those of given models know neither, and an estimator may look at them.
    """
    given = [task for task in tasks if isinstance(task, GivenCheckpoint)]
    if not given:
        return {}
    bare = () if isinstance(backbone, NoBackbone) else (backbone, backbone.origin(workspace.files))
    return {"beside": [workspace.identity(part) for part in bare], "metrics": [task.metric for task in given]}
