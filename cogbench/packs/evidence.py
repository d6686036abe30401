"""Evidence from a pack, and the cell of an estimator that is given it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from ..compute.cells import key_of_sample
from ..compute.estimate import Estimate, Inquiry, LazyMapping, estimate_from, oracle_content
from ..compute.features import FeatureExtraction
from ..compute.workspace import Cell, Workspace
from ..data.dataset import Array, Card, Split, draw_rows
from ..data.features import USUAL_FEATURES, FeatureOptions, Features, WeightChange
from ..data.oracle import Oracle, TaskMatrix
from ..data.recording import Responses
from ..errors import MissingData
from ..parts.codec import encode
from ..parts.interfaces import Backbone, Estimator, InPieces, members_of
from ..parts.recipe import USUAL_TRANSFER, CheapTransfer, Task, TransferOptions
from ..scoring.metrics import TaskScore
from ..storage.hashes import digest
from ..text import slug
from .card import BARE, FeatureView, PackedTask
from .pack import OpenPack, Pack

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class NeedsWeights(MissingData):
    """A target that a pack was not made for, of an estimator that reads what the sources' models make of it."""


class PackedEvidence:
    """Evidence from a pack: figures alone; what needs a model or a text is refused by its name.

    A target that the pack was not made for is seen by the bare backbone, where that is at hand.

    Parameters
    ----------
    cell : PackedSimilarity
        The matrix that is to be made.
    workspace : Workspace
        Where the matrices of an estimator's members are kept.
    """

    def __init__(self, cell: "PackedSimilarity", workspace: Workspace) -> None:
        self._cell, self._workspace = cell, workspace
        self._pack: OpenPack = cell.pack.content()
        self._tasks: dict[str, Task] = {task.name: task for task in cell.tasks}
        self.tasks: tuple[str, ...] = tuple(self._tasks)
        self.sources: tuple[str, ...] = tuple(task.name for task in cell.sources)
        self.targets: tuple[str, ...] = tuple(task.name for task in cell.targets or cell.tasks)
        self.seed = self._pack.card.seed
        self.inquiry = Inquiry(cell.estimator)

    @property
    def stimuli(self) -> tuple[str, ...]:
        """What stands for the stimuli (n_stimuli,): their text is not in a pack."""
        return self._pack.stimuli

    @property
    def representations(self) -> Mapping[str, Array]:
        """For each task the stimuli as its trained model represents them: (n_stimuli, n_dims) float32."""
        self.inquiry.allow("representations")
        for name in self.tasks:
            if not self._pack.holds("representations", name):
                self._refuse(f"representations of the stimuli by a model of {name!r}")
        return {name: self._pack.array("representations", name, finite=True) for name in self.tasks}

    @property
    def responses(self) -> Mapping[str, Responses]:
        """For each subject the recorded responses to the stimuli, in their order."""
        self.inquiry.allow("responses")
        if not self._pack.responses:
            raise MissingData(f"pack {self._name!r} holds no responses, which {self._asker} needs.")
        return self._pack.responses

    @property
    def transfers(self) -> Mapping[tuple[str, str], Array]:
        """For each (source, target) the per-example scores on the target's evaluation split: (n_examples,)."""
        self.inquiry.allow("transfers")
        oracle = self._pack.oracle
        if oracle is None or oracle.per_example is None or self.seed not in oracle.seeds:
            raise MissingData(f"pack {self._name!r} holds no scores of examples, which {self._asker} needs.")
        row = oracle.seeds.index(self.seed)
        pairs = [(s, t) for s in self.sources for t in self.targets if s != t]
        return {pair: oracle.per_example[pair][row] for pair in pairs}

    @property
    def oracle(self) -> Oracle:
        """The transfers that the ranking is scored against."""
        self.inquiry.allow("oracle")
        if self._cell.oracle is None:
            raise MissingData(
                f"pack {self._name!r} holds no oracle, which {self._asker} needs: name one with --oracle."
            )
        return self._cell.oracle.part(self.sources, self.targets)

    @property
    def oracles(self) -> Mapping[str, Oracle]:
        """Other installed oracles of the same tasks by their names."""
        self.inquiry.allow("oracle")
        return {oracle.name: oracle.part(self.sources, self.targets) for oracle in self._cell.other_oracles}

    @property
    def cards(self) -> Mapping[str, Card]:
        """For each task what is published of it."""
        self.inquiry.allow("cards")
        return {name: task.card for name, task in self._tasks.items()}

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """For each task the names of its classes or tags, in the order of their numbers; empty where it has none."""
        self.inquiry.allow("batches", "features", "backbone-features")
        return LazyMapping(self.tasks, self._labels)

    def _labels(self, name: str) -> tuple[str, ...]:
        task = self._tasks[name]
        return task.labels if isinstance(task, PackedTask) else self._workspace.dataset(task, "train").labels

    def similarity(self, member: Estimator) -> TaskMatrix:
        """Return the matrix of an estimator among the fields of this one; its notes become notes here."""
        estimate = self._cell.member(member).estimate(self._workspace)
        for text in estimate.notes:
            self.note(text)
        return estimate.matrix

    def features(self, source: str | None, target: str, options: FeatureOptions = USUAL_FEATURES) -> Features:
        """Return a target's training examples as a source's trained model sees them, or the bare backbone for None."""
        self.inquiry.allow("backbone-features" if source is None else "features")
        task = self._tasks[target]
        if not isinstance(task, PackedTask):
            return self._of_new_target(source, task, options)
        views = self._pack.card.views
        number = next((i for i, view in enumerate(views) if view.holds(source, target, options)), None)
        if number is None:
            offered = "; ".join(map(str, views)) or "no features"
            whose = "the backbone" if source is None else "the target's own model" if source == target else "all models"
            raise MissingData(
                f"pack {self._name!r} holds no features of {whose} with pooling={options.pooling} and "
                f"layers={options.layers}, which {self._asker} asks for; it holds {offered}."
            )
        if not self._pack.holds("features", number, source if source is not None else BARE, target):
            seen_by = "the bare backbone" if source is None else f"the model of {source!r}"
            self._refuse(f"features of {target!r} as {seen_by} sees it")
        return self._sampled(self._view(number, source, target), options, views[number])

    def _of_new_target(self, source: str | None, target: Task, options: FeatureOptions) -> Features:
        """Return the features of a target that the pack was not made for: by the bare backbone alone."""
        if source is not None:
            raise NeedsWeights(
                f"target {target.name!r} is not in pack {self._name!r}, so {self._asker} needs the weights of the "
                "sources: rank the checkpoints themselves, or take an estimator that needs the bare backbone alone, "
                "such as esm-logme."
            )
        base = self._cell.base
        if base is None:
            raise MissingData(f"the backbone of pack {self._name!r} is needed: name it with --backbone.")
        cell = FeatureExtraction(base, None, task=target, options=options, max_train=self._cell.max_train_target)
        return cell.features(self._workspace)

    def _view(self, number: int, source: str | None, target: str) -> Features:
        """Return all that the pack holds of a view of a source and a target."""
        array, of_model = self._pack.array, (number, source if source is not None else BARE, target)
        options = self._pack.card.views[number].options
        # A mean over no token is NaN: an example without a token has no mean features.
        values = array("features", *of_model, finite=options.pooling != "mean")
        own_answers = self._pack.holds("answers", *of_model)
        return Features(
            values=values,
            layer_sizes=array("layer-sizes", number) if options.layers == "all" else np.array([values.shape[1]]),
            answers=array("answers", *(of_model if own_answers else (number, target))),
            answer_kind={task.name: task.answer_kind for task in self._cell.packed}[target],
            probabilities=array("probabilities", *of_model, finite=True).astype(np.float64),
        )

    def _sampled(self, features: Features, options: FeatureOptions, view: FeatureView) -> Features:
        """Return as many examples as are asked for, or all with a note that there are fewer."""
        n, n_in_pack = options.examples, view.options.examples
        if n > n_in_pack:
            self.note(f"{self._cell.estimator.name}: it asks for {n} examples of each task; the pack has {n_in_pack}.")
        if n >= n_in_pack:
            return features
        n_rows = max(1, round(len(features.values) * n / n_in_pack))  # an example may have several rows
        rng, by_class = np.random.default_rng(options.seed), features.answer_kind == "classes"
        rows = draw_rows(features.answers, n_rows, rng, by_class=by_class)
        return replace(
            features,
            values=features.values[rows],
            answers=features.answers[rows],
            probabilities=features.probabilities[rows],
        )

    def weight_change(self, task: str) -> WeightChange:
        """Return how training on a task changed the encoder's weights: lengths and a random projection of each."""
        self.inquiry.allow("models")
        content = self._pack
        if task not in content.card.weights:
            self._refuse(f"changes of the weights of {task!r}")
        return WeightChange(
            names=content.card.weights[task],
            initial_norms=content.array("weights", task, "initial", finite=True).astype(np.float64),
            change_norms=content.array("weights", task, "change", finite=True).astype(np.float64),
            sketches=content.array("weights", task, "sketch", finite=True).astype(np.float64),
        )

    @property
    def task_scores(self) -> Mapping[str, TaskScore]:
        """For each task how well its own model learned it, without the scores of its examples."""
        self.inquiry.allow("models", "features")
        return LazyMapping(self.tasks, self._score)

    def _score(self, task: str) -> TaskScore:
        report = self._pack.card.background.tasks.get(task)
        if report is None:
            self._refuse(f"score of {task!r}")
        return TaskScore(
            metric=report.metric,
            value=report.value,
            standard_error=report.standard_error,
            trivial=report.trivial,
            learned=report.learned,
            per_example=np.empty(0),
            further=report.further,
            left_out=report.left_out,
        )

    def represent(self, sentences: Sequence[str]) -> Array:
        """Return sentences as the bare backbone represents them: those that the pack holds, or any if it is here."""
        self.inquiry.allow("backbone")
        if self.stimuli and tuple(sentences) == self.stimuli:
            return self._pack.array("representations", BARE, finite=True)
        if self._cell.base is not None:
            self._workspace.passes(forward=len(sentences))
            return self._cell.base.represent(None, tuple(sentences), self._workspace.files)
        rows = {key: row for row, key in enumerate(self._pack.card.sentences)}
        keys = [hash_of(sentence) for sentence in sentences]
        if not {*keys} <= {*rows}:
            self._refuse("representations of sentences other than its stimuli and its tasks' descriptions")
        return self._pack.array("sentences", finite=True)[[rows[key] for key in keys]]

    def pieces(self, estimator: InPieces) -> Mapping[str, Mapping[str, Array]]:
        """Return the pieces that the pack holds, and compute the others from what it holds."""
        return LazyMapping(tuple(estimator.pieces(self)), lambda name: self._piece(estimator, name))

    def _piece(self, estimator: InPieces, name: str) -> Mapping[str, Array]:
        wanted = key_of_piece(estimator, name)
        for kept in self._pack.card.kept:
            if kept.key == wanted:
                return {
                    array: self._pack.array("kept", wanted, array, finite=True).astype(np.float64)
                    for array in kept.arrays
                }
        try:
            return estimator.piece(self, name)
        except NeedsWeights:  # nothing that is kept in a pack would help
            raise
        except MissingData as error:
            reason = str(error).replace(self._remedy(), "").rstrip(".")
            raise MissingData(
                f"{reason}; `cogbench pack make --keep {estimator.name}`, with the same options, puts what it needs "
                "into the pack."
            ) from error

    def cheap_transfer(
        self, source: str | None, target: str, options: TransferOptions = USUAL_TRANSFER
    ) -> CheapTransfer:
        """Raise MissingData: a pack trains nothing."""
        self._refuse("cheap transfers")

    def model(self, task: str, *, tuned: bool = True) -> "Module":
        """Raise MissingData: a pack holds no model."""
        self._refuse("trained models" if tuned else "model of the bare backbone")

    def weights(self, task: str, *, tuned: bool = True) -> Mapping[str, Array]:
        """Raise MissingData: a pack holds the changes of weights alone."""
        self._refuse("weights, only the lengths and projections of their changes (`weight_change`)")

    def texts(self, task: str, split: Split, *, n: int | None = None, seed: int = 0) -> tuple[str, ...]:
        """Raise MissingData: a pack holds no text."""
        self._refuse("texts")

    def batches(
        self, task: str, split: Split, *, n: int | None = None, seed: int = 0
    ) -> Iterator[Mapping[str, "Tensor"]]:
        """Raise MissingData: a pack holds no examples."""
        self._refuse("encoded examples")

    def note(self, text: str) -> None:
        """Add a line for the reader of the result: what was dropped, counted or set to 0."""
        self.inquiry.note(text)

    def detail(self, name: str, value: Any) -> None:
        """Add something that machines should find in the result beside the matrix: numbers, texts, lists, mappings."""
        self.inquiry.details[name] = value

    @property
    def _name(self) -> str:
        return self._pack.card.name

    @property
    def _asker(self) -> str:
        return f"estimator {self._cell.estimator.name!r}"

    def _refuse(self, what: str) -> NoReturn:
        raise MissingData(f"pack {self._name!r} holds no {what}, which {self._asker} asks for{self._remedy()}.")

    def _remedy(self) -> str:
        given = "the checkpoints themselves" if self._pack.card.checkpoints else "--backbone and --suite"
        return f": run it with {given}"


@dataclass(frozen=True)
class PackedSimilarity:
    """An estimator's matrix from the evidence of a pack; computed in the process of the run."""

    of_estimator: ClassVar[bool] = True
    estimator: Estimator
    pack: Pack
    tasks: tuple[Task, ...]
    oracle: Oracle | None = None  # only where the estimator asks for it
    other_oracles: tuple[Oracle, ...] = ()
    targets: tuple[Task, ...] = ()  # all, unless said
    base: Backbone | None = None  # the pack's backbone, where a target is not in the pack
    max_train_target: int | None = None  # of such a target
    runs_here = True

    @property
    def packed(self) -> tuple[PackedTask, ...]:
        """The tasks that are in the pack."""
        return tuple(task for task in self.tasks if isinstance(task, PackedTask))

    @property
    def sources(self) -> tuple[PackedTask, ...]:
        """The tasks that are ranked: the checkpoints of the pack, or all tasks that are in it."""
        return tuple(task for task in self.packed if task.origin is not None) or self.packed

    def evidence(self, workspace: Workspace) -> PackedEvidence:
        """Return what the estimator is given."""
        return PackedEvidence(self, workspace)

    @property
    def place(self) -> str:
        return f"{slug(self.pack.name)}/{slug(self.estimator.name)}"

    def member(self, estimator: Estimator) -> "PackedSimilarity":
        """Return the cell of an estimator among the fields of this one."""
        knows_oracle = "oracle" in estimator.needs
        return replace(
            self,
            estimator=estimator,
            oracle=self.oracle if knows_oracle else None,
            other_oracles=self.other_oracles if knows_oracle else (),
        )

    def inputs(self, workspace: Workspace) -> tuple[Cell, ...]:
        return tuple(self.member(member) for member in members_of(self.estimator))

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        ingredients: dict[str, Any] = {
            "estimator": workspace.identity(self.estimator),
            "tasks": [task.name for task in self.tasks],
            "pack": self.pack.content().sha256,
            "oracle": [oracle_content(o) for o in (self.oracle, *self.other_oracles) if o is not None],
        }
        if self.targets:
            ingredients["targets"] = [task.name for task in self.targets]
        if self.base is not None:
            parts = (self.base, self.base.origin(workspace.files))
            ingredients["backbone"] = [workspace.identity(part) for part in parts]
        for task in self.tasks:
            if not isinstance(task, PackedTask):
                train = workspace.dataset(task, "train")
                ingredients |= {"data": train.sha256, "max_train_target": self.max_train_target}
                ingredients |= key_of_sample(train.is_topped_up(self.max_train_target))
        return ingredients

    def compute(self, workspace: Workspace, out: Path) -> None:
        evidence = self.evidence(workspace)
        estimate_from(self.estimator, evidence, evidence.inquiry).save(out)

    def estimate(self, workspace: Workspace) -> Estimate:
        """Return the estimator's matrix, notes and details, computing them if need be."""
        sources, targets = ([t.name for t in some] for some in (self.sources, self.targets or self.tasks))
        return workspace.once(("estimate", self), lambda: Estimate.load(workspace.folder(self), sources, targets))


def hash_of(sentence: str) -> str:
    """Return the hash that stands for a sentence in a pack."""
    return hashlib.sha256(sentence.encode()).hexdigest()


def key_of_piece(estimator: InPieces, name: str) -> str:
    """Return the key of a piece of an estimator, whatever its options are that no piece hangs on."""
    return digest([encode(getattr(estimator, "canonical", estimator)), name])[:16]
