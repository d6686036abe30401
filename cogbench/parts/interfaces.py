"""What plugins supply: the kinds of part, what an estimator may ask for, and how a training is asked for.

A part is a frozen dataclass with a name plus a few verbs; nobody inherits. Its fields are its options, all plain values
(or further parts), so it is hashable, picklable and `dataclasses.replace`-able, and crosses processes as JSON.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from ..data.dataset import Array, Card, Dataset, Origin, Split
from ..data.features import FeatureOptions, Features, WeightChange
from ..data.files import Files
from ..data.oracle import Oracle, OracleCard, TaskMatrix
from ..data.recording import Recording, Responses
from ..errors import UnusableData
from ..scoring.metrics import TaskScore
from .cheap_transfers import CheapTransfer, TransferOptions

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


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


# The two axes of a training: which weights move, and how tasks are combined. A backbone says which of them it can.
TUNINGS = {"full": "all weights move", "lora": "updates of low rank move", "prompt": "a prompt moves"}
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


@runtime_checkable
class Backbone(Protocol):
    """A pre-trained model (PLM) that can be trained on a task and encode sentences.

    One that has another backbone in a field `teacher` learns from it: that backbone is trained first, on the same task
    with the same seed and examples and without a source, and `train` is given its checkpoint as the keyword `teacher`.

    A backbone that can train as recipes with another tuning or sharing ask says so in the class attributes `tunings`
    and `sharings`, frozensets. One that does not move all its weights says so in `tuning`, a word of `TUNINGS`. With
    the class attribute `answers`, a whole number, it promises to raise it whenever its numbers change, also by a
    changed default: it stands in keys in place of the hash of its code, so that other changes make no training stale.
    """

    @property
    def name(self) -> str: ...
    def origin(self, files: "Files") -> Origin:
        """Return the model's id and a revision that changes when its weights do."""

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Return how this backbone is trained on so many examples of a kind of task."""

    def train(self, recipe: Recipe, files: "Files", out: Path, start: Checkpoint | None = None) -> Checkpoint:
        """Train into the empty folder `out`, from the encoder of `start` if given; `recipe.settings` is filled in."""

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: "Files") -> Array:
        """Return (n_sentences, n_dims) float32; None stands for the bare backbone."""

    def model(self, checkpoint: Checkpoint | None, files: "Files") -> "Module":
        """Return the torch module with its head, or the bare encoder for None, in evaluation mode."""

    def batches(self, dataset: Dataset, files: "Files") -> Iterator[Mapping[str, "Tensor"]]:
        """Yield encoded batches in the order of the rows; `model(**batch)` gives `.loss` and `.logits`."""


@runtime_checkable
class Signal(Protocol):
    """A cognitive signal: sentences with recorded responses."""

    @property
    def name(self) -> str: ...
    def read(self, files: "Files") -> Recording: ...


# What an estimator may say in `needs`.
NEEDS = {
    "representations": "the stimuli encoded by each task's trained model",
    "responses": "the recorded responses to the stimuli",
    "features": "what each task's trained model makes of the examples of each task: features, outputs, answers",
    "backbone-features": "the same of the pre-trained model as it is before any training",
    "models": "each task's trained model with its head",
    "backbone": "the pre-trained model as it is before any training",
    "batches": "encoded examples of each task",
    "texts": "the words of each task's examples",
    "cheap-transfers": "short trainings of each target on few of its examples, after each source",
    "transfers": "per-example scores of all transfers: the oracle's own data",
    "oracle": "the table of transfers that the ranking is scored against, and others of the same tasks",
    "cards": "what is published of each task, such as its official number of examples",
}
STIMULI = frozenset({"representations", "responses"})  # what needs a signal
MODELS = frozenset({"representations", "features", "models", "transfers", "cheap-transfers"})  # trained models
ORACLES_DATA = frozenset({"transfers", "oracle"})  # an estimator that asks for it knows what it is scored against


class Evidence(Protocol):
    """What an estimator may ask for, of one backbone, one signal and one training seed, once its `needs` says so.

    Nothing is opened or computed before it is asked for. Each member raises UnusableData if `needs` does not name what
    it takes, and MissingData if the run has no signal or no oracle.
    """

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks to compare."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The tasks that are asked for as sources: all of them, but for the checkpoints alone where these are given.

        An answer for all tasks is right too; but a target may have no trained model then, and one would be trained.
        """

    @property
    def targets(self) -> tuple[str, ...]:
        """The tasks that are asked for as targets: all of them, but for one alone in `recommend`.

        An answer for all tasks is right too; one for the targets alone is cheaper where each pair costs something.
        """

    @property
    def seed(self) -> int:
        """The seed of the trainings."""

    @property
    def stimuli(self) -> tuple[str, ...]:
        """The signal's sentences (n_stimuli,)."""

    @property
    def representations(self) -> Mapping[str, Array]:
        """For each task the stimuli as its trained model represents them: (n_stimuli, n_dims) float32.

        Needs `representations`.
        """

    @property
    def responses(self) -> Mapping[str, Responses]:
        """For each subject the recorded responses to the stimuli, in their order. Needs `responses`."""

    @property
    def transfers(self) -> Mapping[tuple[str, str], Array]:
        """For each (source, target) the per-example scores on the target's evaluation split: (n_examples,).

        Needs `transfers`.
        """

    @property
    def oracle(self) -> Oracle:
        """The transfers that the ranking is scored against. Needs `oracle`.

        A baseline may look at those of the other targets.
        """

    @property
    def oracles(self) -> Mapping[str, Oracle]:
        """Other installed oracles of the same tasks by their names, the suite's own first. Needs `oracle`."""

    @property
    def cards(self) -> Mapping[str, Card]:
        """For each task what is published of it. Needs `cards`."""

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """For each task the names of its classes or tags, in the order of their numbers; empty where it has none.

        Needs `batches`, `features` or `backbone-features`.
        """

    def features(self, source: str | None, target: str, options: FeatureOptions = ...) -> Features:
        """Return a target's training examples as a source's trained model sees them, or the bare backbone for None.

        `options` says which hidden states of how many examples; by default the first token's in the last layer, of
        1,000 examples. Fewer examples come where the task or an evidence pack has fewer. Needs `features`, or for None
        `backbone-features`.
        """

    def cheap_transfer(self, source: str | None, target: str, options: TransferOptions = ...) -> CheapTransfer:
        """Return how well a target is learned after a source, or alone for None, in short trainings on few examples.

        The evaluation split is not looked at: `options` says how few of the training examples serve for both. Needs
        `cheap-transfers`.
        """

    def similarity(self, member: "Estimator") -> TaskMatrix:
        """Return the matrix of an estimator among the fields of this one; its notes become notes here."""

    def model(self, task: str, *, tuned: bool = True) -> "Module":
        """Return a task's trained torch module with its head, or the bare backbone's encoder if not `tuned`.

        `model(**batch)` gives `.loss` and `.logits`; hidden states are the module's own to give
        (`output_hidden_states=True` for models of the hub). Needs `models`, or `backbone` for the bare one.
        """

    def weights(self, task: str, *, tuned: bool = True) -> Mapping[str, Array]:
        """Return the weights of a task's trained encoder by name, or those before any training if not `tuned`.

        The head is left out, where the model knows its `base_model`. Needs as `model`.
        """

    def weight_change(self, task: str) -> WeightChange:
        """Return how training changed the encoder's weights: their lengths and random projections. Needs `models`."""

    @property
    def task_scores(self) -> Mapping[str, TaskScore]:
        """For each task how well its own model learned it, on its evaluation split. Needs `models` or `features`."""

    def represent(self, sentences: Sequence[str]) -> Array:
        """Return sentences as the bare backbone represents them: (n_sentences, n_dims) float32. Needs `backbone`."""

    def texts(self, task: str, split: Split, *, n: int | None = None, seed: int = 0) -> tuple[str, ...]:
        """Return what is read of each example, as one text; `n` and `seed` as in `batches`. Needs `texts`."""

    def batches(
        self, task: str, split: Split, *, n: int | None = None, seed: int = 0
    ) -> Iterator[Mapping[str, "Tensor"]]:
        """Yield encoded examples of a task, with `labels`, in batches that `model(**batch)` takes. Needs `batches`.

        Parameters
        ----------
        task, split : str
            Which examples; of "train", those that the training saw.
        n, seed : int
            At most `n` of them, a stratified sample drawn by `seed`.
        """

    def pieces(self, estimator: "InPieces") -> Mapping[str, Mapping[str, Array]]:
        """Return the arrays of each of an estimator's own pieces, computed if need be; its notes become notes here."""

    def note(self, text: str) -> None:
        """Add a line for the reader of the result: what was dropped, counted or set to 0."""

    def detail(self, name: str, value: Any) -> None:
        """Add something that machines should find in the result beside the matrix: numbers, texts, lists, mappings."""


@runtime_checkable
class Estimator(Protocol):
    """Evidence to task similarity; the class attribute `one_base`, True, keeps it from checkpoints of several bases."""

    @property
    def name(self) -> str: ...
    @property
    def needs(self) -> frozenset[str]:
        """What it will ask of Evidence (some of `cogbench.NEEDS`), so that the cost is known before the run."""

    def similarity(self, evidence: "Evidence") -> TaskMatrix: ...


@runtime_checkable
class InPieces(Estimator, Protocol):
    """An estimator of which any worker computes a piece. Pieces are kept; `similarity` joins `evidence.pieces(self)`.

    It may have the property `canonical`: itself with one value for each option that no piece hangs on.
    """

    def pieces(self, evidence: "Evidence") -> Mapping[str, Sequence[str]]:
        """Return the names of the pieces, each with the tasks that it reads, from names and recordings alone."""

    def piece(self, evidence: "Evidence", name: str) -> Mapping[str, Array]:
        """Return the arrays of one piece, from evidence that holds the tasks alone that it reads."""


@runtime_checkable
class OraclePart(Protocol):
    """An oracle as a plugin gives it: a name, a card, and the table of true transfers when it is asked for.

    An `Oracle` is such a part itself; `OracleFile` is one whose table stands in a file.
    """

    @property
    def name(self) -> str: ...
    @property
    def card(self) -> OracleCard: ...
    def read(self, files: Files) -> Oracle:
        """Read the table; raise MissingData if it is not there, UnusableData if it is not what the card promises."""


@runtime_checkable
class PackPart(Protocol):
    """An evidence pack as a plugin gives it, a `cogbench.Pack`: a name, one line on it, and its file."""

    @property
    def name(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def description(self) -> str: ...


def teacher_of(backbone: Backbone) -> Backbone | None:
    """Return the backbone that this one learns from, if it names one."""
    return getattr(backbone, "teacher", None)


def members_of(estimator: Estimator) -> list[Estimator]:
    """Return the estimators among an estimator's fields, alone or in a tuple: those that it combines."""
    held = [getattr(estimator, f.name) for f in dataclasses.fields(estimator)]  # type: ignore[arg-type]
    each = [v for value in held for v in (value if isinstance(value, tuple) else (value,))]
    return [value for value in each if isinstance(value, Estimator)]
