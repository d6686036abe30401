"""What plugins supply: the kinds of part, what an estimator may ask for, and how a training is asked for.

A part is a frozen dataclass with a name plus a few verbs; nobody inherits. Its fields are its options, all plain values
(or further parts), so it is hashable, picklable and `dataclasses.replace`-able, and crosses processes as JSON.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..data.dataset import Array, Card, Dataset, Split
from ..data.features import FeatureOptions, Features, WeightChange
from ..data.files import Files
from ..data.oracle import Oracle, OracleCard, TaskMatrix
from ..data.recording import Recording, Responses
from ..oracles.task_sets import TaskSets
from ..scoring.metrics import TaskScore
from ..storage.origin import Origin
from .recipe import SEQUENTIAL, CheapTransfer, Checkpoint, Recipe, Settings, TransferOptions

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@runtime_checkable
class Backbone(Protocol):
    """A pre-trained model (PLM) that can be trained on a task and encode sentences.

    One that has another backbone in a field `teacher` learns from it: that backbone is trained first, on the same task
    with the same seed and examples and without a source, and `train` is given its checkpoint as the keyword `teacher`.

    A backbone that can train as recipes with another tuning or sharing ask says so in the class attributes `tunings`
    and `sharings`, frozensets. One that trains several tasks together has the backbone that trains one of them alone in
    a field `backbone`; if it says in `mutual`, True, that all tasks weigh alike, one training answers for each of them.
    One that does not move all its weights says so in `tuning`, a word of `TUNINGS`. One whose model is trained before
    any task has the verbs of `cogbench.Adapts`. With the class attribute `answers`, a whole number, it promises to
    raise it whenever its numbers change, also by a changed default: it stands in keys in place of the hash of its code,
    so that other changes make no training stale.
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
class TrainsTogether(Backbone, Protocol):
    """A backbone that lends another one its training, for several of its models at once."""

    def fresh(self, train: Dataset, seed: int, files: "Files", start: Checkpoint | None = None) -> "Module":
        """Return the model before a training: the encoder of `start` or the pre-trained one, and a head by the seed."""

    def train_together(
        self,
        models: "Sequence[Module]",
        datasets: Sequence[Dataset],
        settings: Sequence[Settings],
        steps: int,
        *,
        seed: int,
        files: "Files",
        out: Path,
        combine: "Callable[[Sequence[Tensor]], Tensor]",
        rows_a_step: Callable[[float], Sequence[int]] | None = None,
        further: "Module | None" = None,
    ) -> None:
        """Train models of `fresh` at once, in place: each step follows one loss, made of the losses of all tasks.

        A task is trained as it would be alone, to the bit, as far as the others add nothing to its gradients.

        Parameters
        ----------
        models, datasets, settings : sequences of (n_tasks,)
            The models may have parameters in common. The settings of the first say how the optimiser works; those of
            the others give the size of a batch and the length of a text.
        steps : int
            How many steps of the optimiser.
        seed : int
            Of each task's order of rows and dropout.
        out : Path
            An empty folder.
        combine : callable
            From the losses of the tasks (n_tasks scalars) to the loss that is followed.
        rows_a_step : callable, optional
            From the share of the training that is done, 0 to 1, to the number of rows of each task in a step. None: a
            batch of each.
        further : module, optional
            Parameters beside those of the models, which are trained too.
        """

    def finished(self, model: "Module", steps: int, recipe: Recipe, files: "Files", out: Path) -> Checkpoint:
        """Return the checkpoint of a trained model: save it, and have it answer the evaluation split."""

    def count_rows(self, dataset: Dataset, settings: Settings, files: "Files") -> int:
        """Return how many rows a training reads of a data set; an example has several if it is long or a list."""

    def vectors(self, encoder: "Module", sentences: tuple[str, ...], files: "Files") -> Array:
        """Return (n_sentences, n_dims) float32 of an encoder as it is, as `represent` has them of a checkpoint."""


@runtime_checkable
class Opener(Protocol):
    """A part that also stands for things without a name of their own: a file, a folder, a hub id.

    With the class attribute `last_resort`, True, it is asked for an address that no other part opens.
    """

    def open(self, address: str) -> "Any | None":
        """Return a part that reads this address, or None if it is none of its addresses."""


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
    "evaluation": "examples of the evaluation splits, in batches or texts: those that the oracle is scored on",
    "cheap-transfers": "short trainings of each target on few of its examples, after each source",
    "transfers": "per-example scores of all transfers: the oracle's own data",
    "oracle": "the table of transfers that the ranking is scored against, and others of the same tasks",
    "cards": "what is published of each task, such as its official number of examples",
}
STIMULI = frozenset({"representations", "responses"})  # what needs a signal
MODELS = frozenset({"representations", "features", "models", "transfers", "cheap-transfers"})  # trained models
BACKBONES = frozenset({"batches", "backbone", "backbone-features"})  # the pre-trained model as it is
# An estimator that asks for it knows what it is scored against, or on.
ORACLES_DATA = frozenset({"transfers", "oracle", "evaluation"})


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
            At most `n` of them, a stratified sample drawn by `seed`; of lists of passages so many as have about `n`
            passages together.
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
class SetsPart(Protocol):
    """A table of task sets as a plugin gives it: a name, a card, and the scores with sets of sources when asked for.

    The sources of the card are the tasks that stand in any set.
    """

    @property
    def name(self) -> str: ...
    @property
    def card(self) -> OracleCard: ...
    def read(self, files: Files) -> TaskSets:
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


def shares(backbone: Backbone) -> frozenset[str]:
    """Return the ways in which a backbone trains several tasks together; none if it trains one task at a time."""
    return frozenset(getattr(backbone, "sharings", ())) - {SEQUENTIAL}


def trained_alone(backbone: Backbone) -> Backbone:
    """Return the backbone that trains one task alone, where this one trains several together; else this one."""
    alone: Backbone | None = getattr(backbone, "backbone", None) if shares(backbone) else None
    return backbone if alone is None else alone


def members_of(estimator: Estimator) -> list[Estimator]:
    """Return the estimators among an estimator's fields, alone or in a tuple: those that it combines."""
    values = [getattr(estimator, f.name) for f in dataclasses.fields(estimator)]  # type: ignore[arg-type]
    each = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
    return [value for value in each if isinstance(value, Estimator)]
