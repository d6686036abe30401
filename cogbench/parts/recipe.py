"""One training asked for: the tasks, how they are trained and combined, and the checkpoint that comes of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from ..data.dataset import Array, Card, Dataset, Split
from ..data.files import Files
from ..errors import UnusableData
from ..scoring.metrics import TaskScore


@dataclass(frozen=True)
class Settings:
    """How one training is done.

    `learning_rate` is the peak of a linear schedule with `warmup` (a share of the steps); `min_steps` raises the
    number of epochs until the optimiser has made so many steps; texts are cut at `max_length` tokens; `precision` is
    the arithmetic of the matrix products, while weights and their updates are single precision. With `accumulation` a
    batch goes through the model in so many pieces; `gradient_checkpointing` computes each layer again on the way back.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int = 128
    warmup: float = 0.0
    min_steps: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    accumulation: int = 1
    gradient_checkpointing: bool = False

    def steps(self, n_examples: int) -> int:
        """Return the number of optimiser steps on so many examples: whole epochs, at least `min_steps`."""
        per_epoch = math.ceil(n_examples / self.batch_size)
        return per_epoch * max(self.epochs, math.ceil(self.min_steps / per_epoch))


@dataclass(frozen=True)
class TransferOptions:
    """How a cheap transfer is made: trainings on few examples of a target, scored on examples among the same few.

    Estimators with equal options share the trainings. An estimator that has such options in a field has its trainings
    planned with the run's others; options that it makes up on the way are computed where it stands.

    Parameters
    ----------
    examples : int
        At most so many training examples of the target, a stratified sample; of them all are scored, each by a model
        that was trained without it. The evaluation split is not looked at.
    steps : int
        At least so many steps of the optimiser in each training: whole epochs. The other settings are the backbone's
        own for so few examples.
    folds : int
        Into how many parts the examples are split: each part is scored by a training on the others.
    seed : int
        The seed of the sample and of the split; that of the trainings is the run's.

    Raises
    ------
    UnusableData
        If there are fewer than two folds or two examples a fold, or no step.
    """

    examples: int = 100
    steps: int = 30
    folds: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 2 or self.examples < 2 * self.folds:
            raise UnusableData(
                f"cheap transfers: examples={self.examples} in folds={self.folds}; expected two folds or more, and two "
                "examples or more a fold."
            )
        if self.steps < 1:
            raise UnusableData(f"cheap transfers: steps={self.steps}; expected at least 1.")


USUAL_TRANSFER = TransferOptions()


@dataclass(frozen=True, eq=False, kw_only=True)
class CheapTransfer:
    """What a source brings a target in short trainings, and what these cost.

    `score` is the mean over the folds: its `per_example` (n_examples,) stand in the order of the folds. `trainings` and
    `steps` count the trainings and their optimiser's steps, the source's own training left out; `examples` those of the
    target that were used. `seconds` is how long the trainings took, wherever and whenever they were computed.
    """

    score: TaskScore
    trainings: int
    steps: int
    examples: int
    seconds: float


@runtime_checkable
class Task(Protocol):
    """A labelled data set of a known kind, with the metric that scores it; `further` may name more metrics."""

    @property
    def name(self) -> str: ...
    @property
    def suite(self) -> str: ...
    @property
    def kind(self) -> str:
        """One of `cogbench.TASK_KINDS`: head, loss and columns follow from it."""

    @property
    def metric(self) -> str:
        """One of `cogbench.METRICS`."""

    @property
    def card(self) -> Card: ...
    def load(self, split: Split, files: "Files") -> Dataset:
        """Read one split; raise MissingData if it is not there, UnusableData if it is not what was promised."""


# The two axes of a training: which weights move, and how tasks are combined. A backbone says which of them it can.
TUNINGS = {"full": "all weights move", "lora": "updates of low rank move", "prompt": "a prompt moves"}
SEQUENTIAL = "sequential"
SHARINGS = {
    SEQUENTIAL: "the source task is trained first, then the target task from its encoder",
    "joint": "the tasks are trained at the same time, with one encoder and a head each",
    "soft": "the tasks are trained at the same time, with encoders that are kept near each other",
    "cross-stitch": "the tasks are trained at the same time, with encoders whose layers mix what they compute",
    "hierarchical": "the tasks are trained at the same time, the other tasks with a head at a lower layer",
    "label-embedding": "the tasks are trained at the same time, and their classes stand in one space",
}


class SelectionEvidence(Protocol):
    """What a selector may ask for, of one source task, one target task and one training seed.

    Nothing is computed before it is asked for, and nothing is of an evaluation split.
    """

    @property
    def source(self) -> Dataset:
        """The training examples of the source, as its budget allows."""

    @property
    def target(self) -> Dataset:
        """The training examples of the target, as its budget allows."""

    @property
    def seed(self) -> int:
        """The seed of the training, also for what a selector draws."""

    @property
    def share(self) -> float:
        """The share of the source's rows that is kept; for a selector that says `uses_share`, as is `trial`."""

    def vectors(self, texts: Sequence[str]) -> Array:
        """Return texts as the bare backbone represents them: (n_texts, n_dims) float32."""

    def gradients(self, examples: int = 100, steps: int = 60, dims: int = 4096) -> tuple[Array, Array]:
        """Return the gradient of each source example's loss, and of each of a few target examples' losses.

        They are of the encoder's weights, without the table of word vectors and without heads, because heads differ
        between tasks. The backbone is trained for at least `steps` on so many target `examples`, and the gradients of
        the same examples are taken there; from there it is trained for as many steps on all source examples, so that
        the source has a head, and the gradients of the source are taken there.

        Returns
        -------
        source, target : arrays of shape (n_source_examples, dims) and (at most examples, dims), float32
            A random projection, the same for both: signs are drawn, and sums of numbers are kept.
        """

    def trial(self, weights: Array, options: TransferOptions = ...) -> float:
        """Return the target's metric after a short training on the rows that such weights choose; larger is better.

        The `share` of the source's rows with the largest `weights` (n_source_examples,) is trained on, rows of equal
        weight by the seed; then the target. `options` says how many training examples of the target there are, in how
        many folds they are scored, and how many steps each of the trainings takes at least.
        """


@runtime_checkable
class Selector(Protocol):
    """A part that says which training examples of a source serve a target.

    One whose weights hang on the share that is kept has the class attribute `uses_share`, True: the share stands in the
    key of its weights then. Other weights serve all shares.
    """

    @property
    def name(self) -> str: ...
    def weights(self, evidence: SelectionEvidence) -> Array:
        """Return a finite number for each source example (n_source_examples,): the larger, the rather it is kept."""


ALL_ROWS = "all"  # the word of an oracle whose sources are trained on all their rows
USUAL_SHARE = 0.5  # of the rows of a source, that a selector keeps


@dataclass(frozen=True)
class RowChoice:
    """Which training examples of other tasks are kept for a target: the share that a selector gives the most weight.

    Rows of equal weight are drawn by the seed of the training, so equal weights are a random sample.

    Parameters
    ----------
    selector : Selector
    target : Task
        The task that the rows are chosen for.
    share : float
        Of the rows of each other task of a recipe, above 0 and at most 1.
    max_target : int, optional
        The selector sees at most so many training examples of the target.

    Raises
    ------
    UnusableData
        If the share is none.
    """

    selector: Selector
    target: Task
    share: float = USUAL_SHARE
    max_target: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UnusableData(f"a selector cannot keep a share of {self.share:g} of the rows: above 0, at most 1.")

    @property
    def share_of_weights(self) -> float | None:
        """The share where the selector's weights hang on it, else None."""
        return self.share if getattr(self.selector, "uses_share", False) else None

    def n_kept(self, n_rows: int) -> int:
        """Return how many of so many rows are kept."""
        return math.floor(self.share * n_rows + 0.5)

    def choose(self, weights: Array, seed: int) -> Array:
        """Return the numbers of the rows (n_kept,) that have the largest weights (n_rows,), in rising order."""
        by_chance = np.random.default_rng(seed).permutation(len(weights))
        order = np.lexsort((by_chance, -np.asarray(weights, np.float64)))
        return np.sort(order[: self.n_kept(len(weights))])


@dataclass(frozen=True)
class Recipe:
    """One training asked for: its canonical JSON is a part of the training's key.

    With `start` it is a transfer: the encoder that `start` gives, and a fresh head. With several `tasks` it is one
    training of all of them, combined as `sharing` says, one of `SHARINGS`: the first is the target, and the others help
    it. With `row_choice` the tasks that are not its target are trained on chosen rows.

    `max_train` draws a stratified sample of the training examples of each task, always with the same seed, so that
    training seeds share their data; `budgets` say it for each task where tasks differ in it. `tuning` says which
    weights move, one of `TUNINGS`.

    Raises
    ------
    UnusableData
        If there is no task, or several of one name; if the number of tasks does not fit the sharing or the budgets; if
        several tasks have a start; or if `tuning` or `sharing` is unknown.
    """

    tasks: tuple[Task, ...]
    start: "Recipe | None" = None
    seed: int = 0
    max_train: int | None = None
    settings: Settings | None = None  # None: the backbone's own for this kind and number of examples
    tuning: str = "full"
    sharing: str = SEQUENTIAL
    budgets: tuple[int | None, ...] = ()
    row_choice: RowChoice | None = None

    def __post_init__(self) -> None:
        for word, words, what in ((self.tuning, TUNINGS, "tuning"), (self.sharing, SHARINGS, "sharing")):
            if word not in words:
                raise UnusableData(f"a recipe cannot have {what} {word!r}; known: {', '.join(words)}.")
        names = [task.name for task in self.tasks]
        listed = ", ".join(names) or "none"
        if self.sharing == SEQUENTIAL and len(names) != 1:
            raise UnusableData(f"a recipe trains one task, not {len(names)} ({listed}), unless it names a sharing.")
        if self.sharing != SEQUENTIAL and len(names) < 2:
            raise UnusableData(f"sharing {self.sharing!r} trains at least two tasks, not {len(names)} ({listed}).")
        if len({*names}) < len(names):
            raise UnusableData(f"tasks that are trained together need a name each, not {listed}.")
        if self.budgets and len(self.budgets) != len(names):
            raise UnusableData(f"a recipe of {len(names)} tasks ({listed}) has {len(self.budgets)} budgets.")
        if self.start and len(names) > 1:
            raise UnusableData(
                f"tasks that are trained together ({listed}) start from the backbone, not from a source."
            )

    @property
    def task(self) -> Task:
        """The task that is trained and scored; of several the first, which is the target."""
        return self.tasks[0]

    def most(self, task: Task) -> int | None:
        """Return the largest number of training examples of one of the tasks; None for all."""
        return self.budgets[self.tasks.index(task)] if self.budgets else self.max_train

    def n_examples(self, task: Task, n_rows: int) -> int:
        """Return how many training examples of one of the tasks are used, where there are `n_rows`."""
        most = self.most(task)
        n_allowed = min(n_rows, most or n_rows)
        return self.row_choice.n_kept(n_allowed) if self.row_choice and self.chooses(task) else n_allowed

    def chooses(self, task: Task) -> bool:
        """Whether the training examples of one of the tasks are chosen."""
        return self.row_choice is not None and task.name != self.row_choice.target.name


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained model: `folder` holds its weights with the head.

    `outputs` are the head's outputs on the evaluation split, in the shape that the kind of task has them in: such as
    logits (n_examples, n_labels) of a classification; `others` are those of the recipe's other tasks by their names.
    `steps` is the number of optimiser steps made; `notes` are what a reader of its result should know, such as texts
    longer than the model.
    """

    folder: Path
    outputs: Array | None = None
    steps: int = 0
    notes: tuple[str, ...] = ()
    others: Mapping[str, Array] = field(default_factory=dict)
