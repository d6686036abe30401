"""What plugins supply: four kinds of part. A part is a name plus a few verbs; nobody inherits."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .errors import UnusableData

if TYPE_CHECKING:
    from .parts import Task

from .data.dataset import Array


@dataclass(frozen=True)
class Settings:
    """How one training is done.

    `learning_rate` is the peak of a linear schedule with `warmup` (a share of the steps); `min_steps` raises the
    number of epochs until the optimiser has made so many steps; texts are cut at `max_length` tokens; `precision` is
    the arithmetic of the matrix products, while weights and their updates are single precision.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int = 128
    warmup: float = 0.0
    min_steps: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"

    def steps(self, n_examples: int) -> int:
        """Return the number of optimiser steps on so many examples: whole epochs, at least `min_steps`."""
        per_epoch = math.ceil(n_examples / self.batch_size)
        return per_epoch * max(self.epochs, math.ceil(self.min_steps / per_epoch))


# The two axes of a training: which weights move, and how tasks are combined. A backbone says which of them it can.
TUNINGS = {"full": "all weights move"}
SHARINGS = {"sequential": "the source task is trained first, then the target task from its encoder"}


@dataclass(frozen=True)
class Recipe:
    """One training asked for: its canonical JSON is a part of the training's key.

    With `start` it is a transfer: the encoder that `start` gives, and a fresh head. `max_train` draws a stratified
    sample of the training examples, always with the same seed, so that training seeds share their data. `tuning` says
    which weights move, one of `TUNINGS`; `sharing` how tasks are combined, one of `SHARINGS`.

    Raises
    ------
    UnusableData
        If there is not exactly one task, or `tuning` or `sharing` is unknown.
    """

    tasks: tuple["Task", ...]
    start: "Recipe | None" = None
    seed: int = 0
    max_train: int | None = None
    settings: Settings | None = None  # None: the backbone's own for this kind and number of examples
    tuning: str = "full"
    sharing: str = "sequential"

    def __post_init__(self) -> None:
        if len(self.tasks) != 1:
            names = ", ".join(task.name for task in self.tasks) or "none"
            raise UnusableData(f"a recipe trains one task, not {len(self.tasks)} ({names}).")
        for word, known, what in ((self.tuning, TUNINGS, "tuning"), (self.sharing, SHARINGS, "sharing")):
            if word not in known:
                raise UnusableData(f"a recipe cannot have {what} {word!r}; known: {', '.join(known)}.")

    @property
    def task(self) -> "Task":
        """The task that is trained and scored."""
        return self.tasks[0]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained model: `folder` holds its weights with the head.

    `outputs` are the head's outputs on the evaluation split, in the shape that the kind of task has them in: such as
    logits (n_examples, n_labels) of a classification. `steps` is the number of optimiser steps made; `notes` are what
    a reader of its result should know, such as texts longer than the model.
    """

    folder: Path
    outputs: Array | None = None
    steps: int = 0
    notes: tuple[str, ...] = ()
