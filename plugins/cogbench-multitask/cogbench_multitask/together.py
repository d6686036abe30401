"""What all ways of sharing have in common: one training of a target task and auxiliary tasks, made from a backbone."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cogbench import (
    Adapts,
    Array,
    Backbone,
    Checkpoint,
    Dataset,
    Files,
    MissingData,
    Origin,
    Recipe,
    Settings,
    TrainsTogether,
    UnusableData,
)

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Shares = Literal["uniform", "proportional", "annealed"]


@dataclass(frozen=True)
class Arrangement:
    """How models of several tasks are combined: a loss beside those of the tasks, and parameters of its own.

    Parameters
    ----------
    penalty : callable, optional
        Returns the loss that is added to the tasks' own.
    further : module, optional
        Parameters beside those of the models, which are trained too.
    settle : callable, optional
        Is called after the training with the folder of the checkpoint: it leaves models that can be saved, and writes
        what stands in none of them.
    """

    penalty: "Callable[[], Tensor] | None" = None
    further: "Module | None" = None
    settle: Callable[[Path], None] = field(default=lambda folder: None)


class SeveralTasks:
    """A backbone that trains several tasks at once, each as its member `backbone` trains it alone.

    The first task of a recipe is the target; the others are auxiliary tasks. A training goes on for as many steps as
    the target has alone; if all tasks weigh alike, for as many as the task with the most steps has.
    """

    sharing: ClassVar[str]
    name: str
    backbone: Backbone | None
    auxiliary_weight: float | None
    shares: Shares
    separate: ClassVar[bool] = False  # whether each task has an encoder of its own
    passes: ClassVar[Literal["own", "all"]] = "own"  # which of these encoders a text goes through

    def __post_init__(self) -> None:
        if self.auxiliary_weight is not None:
            self._expect_finite("auxiliary_weight", self.auxiliary_weight)

    def _expect_finite(self, option: str, value: float) -> None:
        """Raise UnusableData if the value of an option is no number from 0 on."""
        if not 0 <= value < math.inf:
            raise UnusableData(f"{self.name}: {option}={value}; expected a number, 0 or more.")

    def arrange(
        self, models: "Sequence[Module]", datasets: Sequence[Dataset], *, seed: int, files: Files
    ) -> Arrangement:
        """Combine the models of the tasks, the target's first, in place."""
        raise NotImplementedError

    @property
    def sharings(self) -> frozenset[str]:
        """How tasks are combined: as this backbone is made for, or, for one task alone, not at all."""
        return frozenset({"sequential", self.sharing})

    @property
    def mutual(self) -> bool:
        """Whether all tasks weigh alike, so that one training answers for each of them."""
        return self.auxiliary_weight is None

    def origin(self, files: Files) -> Origin:
        """Return the origin of the model that is trained."""
        origin: Origin = self._alone.origin(files)
        return origin

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Return how a task is trained alone."""
        return self._whole_batches(self._alone.settings(kind, n_examples))

    def train(self, recipe: Recipe, files: Files, out: Path, start: Checkpoint | None = None) -> Checkpoint:
        """Train the recipe's tasks at once; keep the target's model, and beside it those of the other tasks."""
        alone = self._alone
        if len(recipe.tasks) == 1:
            return alone.train(recipe, files, out, start)
        datasets, settings, n_rows = self._read(recipe, files)
        models = [alone.fresh(data, recipe.seed, files) for data in datasets]
        arrangement = self.arrange(models, datasets, seed=recipe.seed, files=files)
        steps = self._steps(settings, n_rows)
        alone.train_together(
            models,
            datasets,
            settings,
            steps,
            seed=recipe.seed,
            files=files,
            out=out,
            combine=self._combine(arrangement),
            rows_a_step=rows_of_shares(self.shares, n_rows, settings),
            further=arrangement.further,
        )
        arrangement.settle(out)
        checkpoints = list[Checkpoint]()
        for place, (recipe_of_task, model) in enumerate(zip(_recipes(recipe, settings), models, strict=True)):
            folder = folder_of_task(out, place)
            folder.mkdir(parents=True, exist_ok=True)
            checkpoints.append(alone.finished(model, steps, recipe_of_task, files, folder))
        target, *others = checkpoints
        notes = tuple(dict.fromkeys(note for one in checkpoints for note in one.notes))
        outputs = {
            task.name: one.outputs
            for task, one in zip(recipe.tasks[1:], others, strict=True)
            if one.outputs is not None  # a training without outputs is refused by the harness
        }
        return replace(target, notes=notes, others=outputs)

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: Files) -> Array:
        """Return (n_sentences, n_dims) float32 of the target's model."""
        return self._alone.represent(checkpoint, sentences, files)

    def model(self, checkpoint: Checkpoint | None, files: Files) -> "Module":
        """Return the target's trained module with its head, or the bare encoder."""
        return self._alone.model(checkpoint, files)

    def batches(self, dataset: Dataset, files: Files) -> "Iterator[Mapping[str, Tensor]]":
        """Yield batches as the member takes them."""
        return self._alone.batches(dataset, files)

    def unsuitable(self, kind: str, files: Files) -> str | None:
        """Return why the member cannot be trained on a kind of task, or None if it can."""
        unsuitable: Callable[[str, Files], str | None] = getattr(self._alone, "unsuitable", lambda kind, files: None)
        return unsuitable(kind, files)

    def pooling_of(self, wanted: str, files: Files) -> str:
        """Return which vector stands for a text, as the member says."""
        pooling_of: Callable[[str, Files], str] = getattr(self._alone, "pooling_of", lambda wanted, files: wanted)
        return pooling_of(wanted, files)

    @property
    def cost(self) -> "Callable[..., tuple[float, int]] | None":
        """Returns the seconds that a recipe would take here and its weights' bytes; None if the member cannot tell."""
        return self._cost if hasattr(self._alone, "cost") else None

    @property
    def memory(self) -> "Callable[[Recipe, Files], dict[str, int]] | None":
        """Returns about how many bytes each part of a training takes at most; None if the member cannot tell."""
        return self._memory if hasattr(self._alone, "memory") else None

    def _cost(self, recipe: Recipe, files: Files, *, seconds: float = 0.1) -> tuple[float, int]:
        """Return the sum over the tasks, each for as many steps as all of them take together."""
        _, settings, n_rows = self._read(recipe, files)
        recipes = _recipes(recipe, settings)
        costs = [self._alone.cost(one, files, seconds=seconds / len(recipes)) for one in recipes]
        steps, n_passes = self._steps(settings, n_rows), len(recipes) if self.passes == "all" else 1
        each = [cost * steps / one.steps(n) for (cost, _), one, n in zip(costs, settings, n_rows, strict=True)]
        return n_passes * sum(each), sum(size for _, size in costs)

    def _memory(self, recipe: Recipe, files: Files) -> dict[str, int]:
        """Return what all tasks' models hold; an encoder that they share is counted once."""
        parts = [self._alone.memory(one, files) for one in _recipes(recipe, self._read(recipe, files)[1])]
        n_passes = len(parts) if self.passes == "all" else 1
        total = {name: (sum if self.separate else max)(one[name] for one in parts) for name in parts[0]}
        return {**total, "activations": n_passes * sum(one["activations"] for one in parts)}

    def _read(self, recipe: Recipe, files: Files) -> tuple[list[Dataset], list[Settings], list[int]]:
        """Return each task's training examples, how it is trained, and how many rows its examples are."""
        datasets = [task.load("train", files).sample(recipe.most(task)) for task in recipe.tasks]
        settings = [self._settings_of(recipe, data) for data in datasets]
        n_rows = [self._alone.count_rows(*each, files) for each in zip(datasets, settings, strict=True)]
        return datasets, settings, n_rows

    def _steps(self, settings: Sequence[Settings], n_rows: Sequence[int]) -> int:
        """Return how many steps the training takes."""
        steps = [one.steps(n) for one, n in zip(settings, n_rows, strict=True)]
        return max(steps) if self.mutual else steps[0]

    @property
    def _alone(self) -> Any:
        if self.backbone is None:
            raise MissingData(
                f"backbone {self.name!r} trains tasks together on another backbone: name that one with --backbone, and "
                f"--sharing {self.sharing}."
            )
        if not isinstance(self.backbone, TrainsTogether) or getattr(self.backbone, "tuning", "full") != "full":
            raise UnusableData(
                f"backbone {self.backbone.name!r} cannot train several tasks together: take one of transformers that "
                "moves all its weights."
            )
        return self.backbone

    def _unadapted(self, files: Files) -> Any:
        """Return the bare encoder, before any adaptation of it, for the layers that it has."""
        alone = self._alone
        member = getattr(alone, "backbone", alone) if isinstance(alone, Adapts) else alone
        return member.model(None, files)

    def _settings_of(self, recipe: Recipe, data: Dataset) -> Settings:
        """Return how the task of some examples is trained: as asked for the recipe, or as the member trains it."""
        settings = recipe.settings if data.kind == recipe.task.kind else None
        return self._whole_batches(settings or self.settings(data.kind, len(data)))

    def _whole_batches(self, settings: Settings) -> Settings:
        if settings.accumulation > 1 or settings.gradient_checkpointing:
            raise UnusableData(
                f"{self.name}: tasks are trained together in whole batches, each of them once through the models; take "
                "accumulation=1 and gradient_checkpointing=false."
            )
        return settings

    def _combine(self, arrangement: Arrangement) -> "Callable[[Sequence[Tensor]], Tensor]":
        weight = 1.0 if self.auxiliary_weight is None else self.auxiliary_weight

        def combine(losses: "Sequence[Tensor]") -> "Tensor":
            total = losses[0]
            for loss in losses[1:]:
                total = total + weight * loss
            return total if arrangement.penalty is None else total + arrangement.penalty()

        return combine


def folder_of_task(folder: Path, place: int) -> Path:
    """Return where in a checkpoint the model of a task stands, by the task's place in the recipe."""
    return folder / "others" / str(place) if place else folder


def _recipes(recipe: Recipe, settings: Sequence[Settings]) -> list[Recipe]:
    """Return for each task the recipe that trains it alone."""
    return [
        Recipe((task,), seed=recipe.seed, max_train=recipe.most(task), settings=one)
        for task, one in zip(recipe.tasks, settings, strict=True)
    ]


def rows_of_shares(
    shares: Shares, n_rows: Sequence[int], settings: Sequence[Settings]
) -> Callable[[float], list[int]] | None:
    """Return how many rows of each task a step reads, by the share of the training that is done.

    Parameters
    ----------
    shares : {"uniform", "proportional", "annealed"}
        A batch of each task; or as many rows together, each task with as many as it has of all rows; or first so, and
        nearly uniform at the end: in proportion to n ** alpha, where alpha falls from 1 to 0.2.
    n_rows : sequence of (n_tasks,) int
        How many rows the examples of each task are.
    settings : sequence of (n_tasks,) Settings
        Their sizes of a batch.

    References
    ----------
    Stickland & Murray (2019), BERT and PALs: projected attention layers for efficient adaptation in multi-task
    learning, ICML, section 3.4.
    """
    if shares == "uniform":
        return None
    together = sum(one.batch_size for one in settings)

    def rows(done: float) -> list[int]:
        alpha = 1 - 0.8 * done if shares == "annealed" else 1.0
        weights = [n**alpha for n in n_rows]
        return [max(1, round(together * weight / sum(weights))) for weight in weights]

    return rows
