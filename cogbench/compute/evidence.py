"""Evidence that an estimator may ask for, and the two cells that stand on it: its matrix, and a piece of its work."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..checkpoints.given import GivenCheckpoint
from ..data.dataset import Array, Card, Dataset, Split
from ..data.features import USUAL_FEATURES, FeatureOptions, Features, WeightChange
from ..data.oracle import Oracle, TaskMatrix
from ..data.recording import Responses
from ..errors import MissingData
from ..parts.interfaces import BACKBONES, MODELS, STIMULI, Backbone, Estimator, InPieces, Signal, members_of
from ..parts.recipe import USUAL_TRANSFER, CheapTransfer, Task, TransferOptions
from ..scoring.metrics import TaskScore
from ..storage.foreign import read_arrays
from ..text import slug
from .adaptation import adaptations, ready
from .cells import Encoding, key_beside_given, key_of_sample
from .estimate import EXAMPLES, LOOKS, Estimate, Inquiry, LazyMapping, estimate_from, joined, oracle_content
from .features import encoder_of, feature_options, opened, weight_change
from .folds import cheap_transfer, transfer_options
from .transfers import TaskTrainings, TransferPlan
from .workspace import Cell, Workspace

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class StoredEvidence:
    """Evidence from the store. A planned run has computed all that is needed; anything else is computed when asked for.

    Parameters
    ----------
    cell : Similarity
        The matrix that the evidence is for.
    workspace : Workspace
        Where its inputs are kept.
    """

    def __init__(self, cell: "Similarity", workspace: Workspace) -> None:
        self._cell, self._workspace = cell, workspace
        self._tasks = {t.name: t for t in cell.tasks}
        self.tasks: tuple[str, ...] = tuple(self._tasks)
        self.sources: tuple[str, ...] = tuple(t.name for t in cell.sources)
        self.targets: tuple[str, ...] = tuple(t.name for t in cell.targets or cell.tasks)
        self.seed, self.inquiry = cell.seed, Inquiry(cell.estimator)

    @property
    def stimuli(self) -> tuple[str, ...]:
        """The signal's sentences (n_stimuli,)."""
        return self._workspace.recording(self._signal()).sentences

    @cached_property
    def representations(self) -> Mapping[str, Array]:
        """For each task the stimuli as its trained model represents them: (n_stimuli, n_dims) float32."""
        self.inquiry.allow("representations")
        return LazyMapping(self.tasks, lambda name: self._encoding(name).representations(self._workspace))

    def _encoding(self, task: str) -> Encoding:
        return Encoding(self._cell.training(self._tasks[task]), self._signal())

    @property
    def responses(self) -> Mapping[str, Responses]:
        """For each subject the recorded responses to the stimuli, in their order."""
        self.inquiry.allow("responses")
        return self._workspace.recording(self._signal()).subjects

    @cached_property
    def transfers(self) -> Mapping[tuple[str, str], Array]:
        """For each (source, target) the per-example scores on the target's evaluation split: (n_examples,)."""
        self.inquiry.allow("transfers")
        pairs = [(s, t) for s in self.sources for t in self._cell.receiving if s != t.name]
        cells = {(s, t.name): self._cell.transfer(self._tasks[s], t) for s, t in pairs}
        return {pair: cell.score(self._workspace).per_example for pair, cell in cells.items()}

    @property
    def oracle(self) -> Oracle:
        """The transfers that score the ranking. A baseline may look at those of other targets."""
        self.inquiry.allow("oracle")
        source = self._cell.oracle
        if source is None:
            raise MissingData(f"estimator {self._cell.estimator.name!r} needs an oracle: name one with --oracle.")
        oracle = source if isinstance(source, Oracle) else source.oracle(self._workspace)
        return oracle.part(*self._cell.names)

    @property
    def oracles(self) -> Mapping[str, Oracle]:
        """Other installed oracles of the same tasks by name; the oracle of their own suite is first."""
        self.inquiry.allow("oracle")
        return {o.name: o.part(*self._cell.names) for o in self._cell.other_oracles}

    @property
    def cards(self) -> Mapping[str, Card]:
        """For each task its card, the published facts."""
        self.inquiry.allow("cards")
        return {name: task.card for name, task in self._tasks.items()}

    def similarity(self, member: Estimator) -> TaskMatrix:
        """Return the matrix of an estimator that is a field of this estimator, and copy its notes."""
        estimate = self._cell.member(member).estimate(self._workspace)
        for text in estimate.notes:
            self.note(text)
        return estimate.matrix.part(self.tasks, self.targets)

    def model(self, task: str, *, tuned: bool = True) -> "Module":
        """Return a task's trained torch module with its head, or the bare backbone's encoder if not `tuned`."""
        self.inquiry.allow("models") if tuned else self.inquiry.allow("backbone", "models")
        training = self._cell.training(self._tasks[task]) if tuned else None
        backbone = ready(training.backbone if training else self._cell.backbone, self._workspace)
        return opened(backbone, training.checkpoint(self._workspace) if training else None, self._workspace)

    def weights(self, task: str, *, tuned: bool = True) -> Mapping[str, Array]:
        """Return the weights of a task's trained encoder by name, or those before any training if not `tuned`."""
        weights = encoder_of(self.model(task, tuned=tuned)).named_parameters()
        return {name: weight.detach().cpu().float().numpy() for name, weight in weights}

    def weight_change(self, task: str) -> WeightChange:
        """Return how training on a task changed each weight of the encoder: the length and a random projection."""
        return weight_change(self.weights(task, tuned=False), self.weights(task))

    @property
    def task_scores(self) -> Mapping[str, TaskScore]:
        """For each task how well its own model learned it, on its evaluation split."""
        self.inquiry.allow("models", "features")
        return LazyMapping(self.tasks, self._score)

    def _score(self, task: str) -> TaskScore:
        score = self._cell.training(self._tasks[task]).score(self._workspace)
        if score is None:
            own = f"{self._cell.estimator.name} needs the score of checkpoint {task!r} on its own task"
            raise MissingData(f"{own}, and there is none: it has no examples that its head answers.")
        return score

    def represent(self, sentences: Sequence[str]) -> Array:
        """Return any sentences as the bare backbone represents them: (n_sentences, n_dims) float32."""
        self.inquiry.allow("backbone")
        self._workspace.passes(forward=len(sentences))
        return ready(self._cell.backbone, self._workspace).represent(None, tuple(sentences), self._workspace.files)

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """For each task the names of its classes or tags, ordered by number; empty where it has none."""
        self.inquiry.allow("batches", "features", "backbone-features")
        return LazyMapping(self.tasks, lambda name: self._workspace.dataset(self._tasks[name], "train").labels)

    def features(self, source: str | None, target: str, options: FeatureOptions = USUAL_FEATURES) -> Features:
        """Return a target's training examples as a source's trained model sees them, or for None the bare backbone."""
        self.inquiry.allow("backbone-features" if source is None else "features")
        task = self._tasks[source] if source is not None else None
        return self._cell.extraction(task, self._tasks[target], options).features(self._workspace)

    def cheap_transfer(
        self, source: str | None, target: str, options: TransferOptions = USUAL_TRANSFER
    ) -> CheapTransfer:
        """Return how well short trainings learn few examples of a target, from a source's model, or alone for None."""
        self.inquiry.allow("cheap-transfers")
        start = self._tasks[source] if source is not None else None
        return cheap_transfer(self._cell.cheap_trainings(start, self._tasks[target], options), self._workspace)

    def texts(self, task: str, split: Split, *, n: int | None = None, seed: int = 0) -> tuple[str, ...]:
        """Return the texts of each example as one; where `n` is given, of `n` examples that `seed` draws."""
        self.inquiry.allow("texts")
        return self._examples(task, split).sample(n, seed).texts

    def batches(
        self, task: str, split: Split, *, n: int | None = None, seed: int = 0
    ) -> Iterator[Mapping[str, "Tensor"]]:
        """Yield encoded examples of a task, with `labels`, in batches that `model(**batch)` takes."""
        self.inquiry.allow("batches")
        backbone = ready(self._cell.training(self._tasks[task]).backbone, self._workspace)
        return backbone.batches(self._examples(task, split).sample_rows(n, seed), self._workspace.files)

    def _examples(self, task: str, split: Split) -> Dataset:
        self.inquiry.allow_split(split)
        dataset = self._workspace.dataset(self._tasks[task], split)
        budget = self._cell.budget(self._tasks[task]) if split == "train" else None
        return dataset.sample(budget)

    def pieces(self, estimator: InPieces) -> Mapping[str, Mapping[str, Array]]:
        """Return the arrays of each piece of this estimator, from the store; to read a piece copies its notes."""
        cells = self._cell.pieces(self._workspace)
        return LazyMapping(tuple(cells), lambda name: self._read(cells[name]))

    def _read(self, piece: "Piece") -> dict[str, Array]:
        folder = self._workspace.folder(piece)
        for text in json.loads((folder / "notes.json").read_text()):
            self.note(text)
        return read_arrays(folder / "arrays.npz")

    def note(self, text: str) -> None:
        """Add a line for the reader of the result: what was dropped, counted or set to 0."""
        self.inquiry.note(text)

    def detail(self, name: str, value: Any) -> None:
        """Add data for programs to the result, beside the matrix: numbers, texts, lists or mappings."""
        self.inquiry.details[name] = value

    def _signal(self) -> Signal:
        if self._cell.signal is None:
            raise MissingData(f"estimator {self._cell.estimator.name!r} needs stimuli: name a signal with --signal.")
        return self._cell.signal


@dataclass(frozen=True)
class Similarity(TaskTrainings):
    """The matrix of an estimator, for one backbone, signal and seed.

    If sources and targets have different budgets of examples, and the estimator sees examples, the matrix is joined
    from a cell for each target. In such a cell only that task has the budget of a target, for its examples and for its
    model, so the estimator never sees more of a target than the budget allows.
    """

    of_estimator: ClassVar[bool] = True
    estimator: Estimator
    backbone: Backbone
    tasks: tuple[Task, ...]
    signal: Signal | None = None
    seed: int = 0
    max_train: int | None = None
    oracle: Oracle | TransferPlan | None = None  # only where the estimator asks for it
    other_oracles: tuple[Oracle, ...] = ()
    targets: tuple[Task, ...] = ()  # empty: all tasks
    max_train_target: int | None = None  # None: as many as of a source

    @property
    def sources(self) -> tuple[Task, ...]:
        """The tasks that bring their own models, or all tasks where none does."""
        return tuple(t for t in self.tasks if isinstance(t, GivenCheckpoint)) or self.tasks

    @property
    def receiving(self) -> tuple[Task, ...]:
        """The tasks that transfers lead to: the targets where the sources bring their own models, else all tasks."""
        return self.tasks if self.sources == self.tasks else self.targets or self.tasks

    @property
    def pairs(self) -> list[tuple[Task, Task]]:
        """All pairs of a source and a target of the matrix, without a task and itself."""
        return [(s, t) for s in self.sources for t in self.targets or self.tasks if s.name != t.name]

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the sources, and of the tasks that transfers lead to."""
        return tuple(t.name for t in self.sources), tuple(t.name for t in self.receiving)

    @property
    def by_target(self) -> tuple["Similarity", ...]:
        """A cell for each target, if the matrix is joined from these; empty if it is computed as a whole."""
        if self.targets or self.target_budget == self.max_train or not EXAMPLES & self.estimator.needs:
            return ()
        return tuple(replace(self, targets=(task,)) for task in self.tasks)

    @property
    def runs_here(self) -> bool:
        """Whether the process of the run must compute it: an oracle is not sent to workers, and the work is short."""
        return "oracle" in self.estimator.needs

    def member(self, estimator: Estimator) -> "Similarity":
        """Return the cell of an estimator that is a field of this one's; its signal and oracle only where needed."""
        return replace(
            self,
            estimator=estimator,
            signal=self.signal if STIMULI & estimator.needs else None,
            oracle=self.oracle if "oracle" in estimator.needs else None,
            other_oracles=self.other_oracles if "oracle" in estimator.needs else (),
        )

    @property
    def place(self) -> str:
        stimuli = f"-stimuli-{slug(self.signal.name)}" if self.signal else ""
        return f"{slug(self.backbone.name)}/{slug(self.estimator.name)}{stimuli}/seed-{self.seed}"

    def pieces(self, workspace: Workspace) -> dict[str, "Piece"]:
        """Return the cells of the estimator's pieces by name; empty if it does not work in pieces."""
        estimator = self.estimator
        if self.by_target or not isinstance(estimator, InPieces):
            return {}
        return workspace.once(("pieces", self), lambda: self._pieces(estimator, workspace))

    def _pieces(self, estimator: InPieces, workspace: Workspace) -> dict[str, "Piece"]:
        pieces: dict[str, Piece] = {}
        canonical = getattr(estimator, "canonical", estimator)
        for name, names in estimator.pieces(StoredEvidence(self, workspace)).items():
            tasks = tuple(task for task in self.tasks if task.name in names)
            targets = tuple(task for task in self.targets if task.name in names)
            pieces[name] = Piece(replace(self, estimator=canonical, tasks=tasks, targets=targets), name)
        return pieces

    def inputs(self, workspace: Workspace) -> tuple[Cell, ...]:
        if self.by_target:
            return self.by_target
        return (*self.sources_of_evidence(), *self.pieces(workspace).values())

    def sources_of_evidence(self) -> tuple[Cell, ...]:
        """Return the cells that the estimator needs: trainings and results made from them, without its own pieces."""
        needs = self.estimator.needs
        cells: list[Cell] = []
        if members := members_of(self.estimator):
            return tuple(self.member(m) for m in members)
        if isinstance(self.oracle, TransferPlan):
            cells += self.oracle.cells()
        if BACKBONES & needs:
            cells += adaptations(self.backbone)
        if "representations" in needs and self.signal:
            cells += [Encoding(self.training(t), self.signal) for t in self.tasks]
        if {"models", "features", "cheap-transfers"} & needs:
            cells += [self.training(t) for t in (self.tasks if "models" in needs else self.sources)]
        are_given = isinstance(self.sources[0], GivenCheckpoint)  # all sources are, or none is
        if "features" in needs and "backbone-features" not in needs and are_given:
            cells += [self.extraction(s, t, o) for o in feature_options(self.estimator) for s, t in self.pairs]
        if "cheap-transfers" in needs:
            options = transfer_options(self.estimator)
            cells += [cell for o in options for s, t in self.pairs for cell in self.cheap_trainings(s, t, o)]
        if "transfers" in needs:
            cells += [self.transfer(s, t) for s in self.sources for t in self.receiving if s.name != t.name]
        return tuple(cells)

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        needs = self.estimator.needs
        identity = workspace.identity(self.estimator)
        ingredients: dict[str, Any] = {"estimator": identity, "tasks": [t.name for t in self.tasks]}
        if self.targets:
            ingredients["targets"] = [t.name for t in self.targets]
        if not MODELS & needs:  # the keys of models have seed and backbone already
            ingredients["seed"] = self.seed
            if BACKBONES & needs:
                parts = (self.backbone, self.backbone.origin(workspace.files))
                ingredients["backbone"] = [workspace.identity(part) for part in parts]
        if isinstance(self.oracle, Oracle):
            ingredients["oracle"] = [oracle_content(o) for o in (self.oracle, *self.other_oracles)]
        if "cards" in needs:
            ingredients["cards"] = [workspace.identity(t.card) for t in self.tasks]
        if "responses" in needs and self.signal:
            ingredients["responses"] = workspace.recording(self.signal).sha256
        if {"batches", "texts", "features", "backbone-features", "cheap-transfers"} & needs:
            with_data = [t for t in self.tasks if not isinstance(t, GivenCheckpoint) or t.data is not None]
            ingredients["data"] = [[workspace.dataset(t, s).sha256 for s in ("train", "evaluation")] for t in with_data]  # type: ignore[arg-type]
            ingredients["max_train"] = self.max_train
            if self.target_budget != self.max_train:
                ingredients["max_train_target"] = self.target_budget
            topped_up = any(workspace.dataset(t, "train").is_topped_up(self.budget(t)) for t in with_data)
            ingredients |= key_of_sample(topped_up)
        return ingredients | key_beside_given(self.tasks if LOOKS & needs else (), self.backbone, workspace)

    def compute(self, workspace: Workspace, out: Path) -> None:
        if self.by_target:
            joined([cell.estimate(workspace) for cell in self.by_target]).save(out)
            return
        evidence = self.evidence(workspace)
        estimate_from(self.estimator, evidence, evidence.inquiry).save(out)

    def evidence(self, workspace: Workspace) -> StoredEvidence:
        """Return the evidence that the estimator works from."""
        return StoredEvidence(self, workspace)

    def estimate(self, workspace: Workspace) -> Estimate:
        """Return the estimator's matrix, notes and details; compute them where they are not stored."""
        names = ([task.name for task in tasks] for tasks in (self.sources, self.targets or self.tasks))
        return workspace.once(("estimate", self), lambda: Estimate.load(workspace.folder(self), *names))


@dataclass(frozen=True)
class Piece:
    """A stored part of an estimator's work: arrays and notes.

    `whole` is the matrix of the tasks that the piece reads and of no others. Its estimator is the `canonical` one, in
    which options that no piece depends on have one value. So every run that has these tasks shares the piece.
    """

    of_estimator: ClassVar[bool] = True
    whole: Similarity
    name: str

    @property
    def place(self) -> str:
        return f"{self.whole.place}/{slug(self.name)}"

    @property
    def runs_here(self) -> bool:
        """As of the whole matrix."""
        return self.whole.runs_here

    def inputs(self, workspace: Workspace) -> tuple[Cell, ...]:
        return self.whole.sources_of_evidence()

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        return self.whole.ingredients(workspace) | {"piece": self.name}

    def compute(self, workspace: Workspace, out: Path) -> None:
        evidence, estimator = StoredEvidence(self.whole, workspace), self.whole.estimator
        assert isinstance(estimator, InPieces)
        arrays: dict[str, Any] = dict(estimator.piece(evidence, self.name))
        np.savez(out / "arrays.npz", **arrays)
        (out / "notes.json").write_text(json.dumps(evidence.inquiry.notes))
