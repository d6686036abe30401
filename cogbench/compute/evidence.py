"""Evidence: what an estimator may ask for, computed when asked; and the cell that holds an estimator's matrix.

Nothing is opened before it is asked for. What a planned run needs is already in the store by then; anything missing
is computed in place.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.dataset import Array, Card, Dataset, Split
from ..data.features import USUAL_FEATURES, FeatureOptions, Features, WeightChange
from ..data.oracle import Oracle, TaskMatrix
from ..data.recording import Responses
from ..errors import MissingData
from ..parts.cheap_transfers import USUAL_TRANSFER, CheapTransfer, TransferOptions
from ..parts.codec import encode
from ..parts.interfaces import MODELS, STIMULI, Backbone, Estimator, Recipe, Signal, Task, members_of
from ..scoring.metrics import TaskScore
from ..storage.store import digest
from ..text import slug
from .cells import Encoding, Training, key_of_sample
from .estimate import Estimate, Inquiry, LazyMapping, estimate_from, joined
from .features import encoder_of, feature_extraction, weight_change
from .transfers import TransferPlan, cheap_trainings, cheap_transfer, target_budget, transfer_options
from .workspace import Cell, Workspace

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class StoredEvidence:
    """Evidence from the store: what a planned run needs is there already, anything missing is computed in place.

    Parameters
    ----------
    cell : Similarity
        The matrix that is to be made.
    workspace : Workspace
        Where its inputs are kept.
    """

    def __init__(self, cell: "Similarity", workspace: Workspace) -> None:
        self._cell, self._workspace = cell, workspace
        self._tasks = {t.name: t for t in cell.tasks}
        self.tasks: tuple[str, ...] = tuple(self._tasks)
        self.targets: tuple[str, ...] = tuple(t.name for t in cell.targets or cell.tasks)
        self.seed = cell.seed
        self.inquiry = Inquiry(cell.estimator)

    @property
    def stimuli(self) -> tuple[str, ...]:
        """The signal's sentences (n_stimuli,)."""
        return self._workspace.recording(self._signal()).sentences

    @cached_property
    def representations(self) -> Mapping[str, Array]:
        """For each task the stimuli as its trained model represents them: (n_stimuli, n_dims) float32."""
        self.inquiry.allow("representations")
        return LazyMapping(
            self.tasks,
            lambda name: Encoding(self._cell.training(self._tasks[name]), self._signal()).representations(
                self._workspace
            ),
        )

    @property
    def responses(self) -> Mapping[str, Responses]:
        """For each subject the recorded responses to the stimuli, in their order."""
        self.inquiry.allow("responses")
        return self._workspace.recording(self._signal()).subjects

    @cached_property
    def transfers(self) -> Mapping[tuple[str, str], Array]:
        """For each (source, target) the per-example scores on the target's evaluation split: (n_examples,)."""
        self.inquiry.allow("transfers")
        pairs = [(s, t) for s in self.tasks for t in self.tasks if s != t]
        cells = {pair: self._cell.transfer(self._tasks[pair[0]], self._tasks[pair[1]]) for pair in pairs}
        return {pair: cell.score(self._workspace).per_example for pair, cell in cells.items()}

    @property
    def oracle(self) -> Oracle:
        """The transfers that the ranking is scored against. A baseline may look at those of the other targets."""
        self.inquiry.allow("oracle")
        found = self._cell.oracle
        if found is None:
            raise MissingData(f"estimator {self._cell.estimator.name!r} needs an oracle: name one with --oracle.")
        return (found if isinstance(found, Oracle) else found.oracle(self._workspace)).part(self.tasks)

    @property
    def oracles(self) -> Mapping[str, Oracle]:
        """Other installed oracles of the same tasks by their names, the suite's own first."""
        self.inquiry.allow("oracle")
        return {o.name: o.part(self.tasks) for o in self._cell.others}

    @property
    def cards(self) -> Mapping[str, Card]:
        """For each task what is published of it."""
        self.inquiry.allow("cards")
        return {name: task.card for name, task in self._tasks.items()}

    def similarity(self, member: Estimator) -> TaskMatrix:
        """Return the matrix of an estimator among the fields of this one; its notes become notes here."""
        estimate = self._cell.member(member).estimate(self._workspace)
        for text in estimate.notes:
            self.note(text)
        return estimate.matrix.part(self.tasks, self.targets)

    def model(self, task: str, *, tuned: bool = True) -> "Module":
        """Return a task's trained torch module with its head, or the bare backbone's encoder if not `tuned`."""
        self.inquiry.allow(*(["models"] if tuned else ["backbone", "models"]))
        checkpoint = self._cell.training(self._tasks[task]).checkpoint(self._workspace) if tuned else None
        return self._cell.backbone.model(checkpoint, self._workspace.files)

    def weights(self, task: str, *, tuned: bool = True) -> Mapping[str, Array]:
        """Return the weights of a task's trained encoder by name, or those before any training if not `tuned`."""
        model = self.model(task, tuned=tuned)
        weights = encoder_of(model).named_parameters()
        return {name: weight.detach().cpu().float().numpy() for name, weight in weights}

    def weight_change(self, task: str) -> WeightChange:
        """Return how training on a task changed the encoder's weights: lengths and a random projection of each."""
        return weight_change(self.weights(task, tuned=False), self.weights(task))

    @property
    def task_scores(self) -> Mapping[str, TaskScore]:
        """For each task how well its own model learned it, on its evaluation split."""
        self.inquiry.allow("models", "features")
        return LazyMapping(self.tasks, lambda name: self._cell.training(self._tasks[name]).score(self._workspace))

    def represent(self, sentences: Sequence[str]) -> Array:
        """Return any sentences as the bare backbone represents them: (n_sentences, n_dims) float32."""
        self.inquiry.allow("backbone")
        return self._cell.backbone.represent(None, tuple(sentences), self._workspace.files)

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """For each task the names of its classes or tags, in the order of their numbers; empty where it has none."""
        self.inquiry.allow("batches", "features", "backbone-features")
        return LazyMapping(self.tasks, lambda name: self._workspace.dataset(self._tasks[name], "train").labels)

    def features(self, source: str | None, target: str, options: FeatureOptions = USUAL_FEATURES) -> Features:
        """Return a target's training examples as a source's trained model sees them, or the bare backbone for None."""
        self.inquiry.allow("backbone-features" if source is None else "features")
        cell = self._cell
        training = cell.training(self._tasks[source]) if source is not None else None
        task, files = self._tasks[target], self._workspace.files
        extraction = feature_extraction(cell.backbone, training, task, options, cell.budget(task), files)
        return extraction.features(self._workspace)

    def cheap_transfer(
        self, source: str | None, target: str, options: TransferOptions = USUAL_TRANSFER
    ) -> CheapTransfer:
        """Return how well a target is learned after a source, or alone for None, in short trainings on few examples."""
        self.inquiry.allow("cheap-transfers")
        start = self._tasks[source] if source is not None else None
        return cheap_transfer(self._cell.cheap_trainings(start, self._tasks[target], options), self._workspace)

    def texts(self, task: str, split: Split, *, n: int | None = None, seed: int = 0) -> tuple[str, ...]:
        """Return what is read of each example, as one text; `n` and `seed` as in `batches`."""
        self.inquiry.allow("texts")
        columns = self._examples(task, split, n, seed).columns
        read = [columns[name] for name in ("text", "text_pair", "tokens", "passages") if name in columns]
        return tuple(" ".join(t if isinstance(t, str) else " ".join(t) for t in row) for row in zip(*read, strict=True))

    def batches(
        self, task: str, split: Split, *, n: int | None = None, seed: int = 0
    ) -> Iterator[Mapping[str, "Tensor"]]:
        """Yield encoded examples of a task, with `labels`, in batches that `model(**batch)` takes."""
        self.inquiry.allow("batches")
        return self._cell.backbone.batches(self._examples(task, split, n, seed), self._workspace.files)

    def _examples(self, task: str, split: Split, n: int | None, seed: int) -> Dataset:
        dataset = self._workspace.dataset(self._tasks[task], split)
        most = self._cell.budget(self._tasks[task]) if split == "train" else None
        return dataset.sample(most).sample(n, seed)

    def keep(
        self, name: str, compute: Callable[[], Mapping[str, Array]], *, owner: Any = None, **key: Any
    ) -> Mapping[str, Array]:
        """Return an estimator's own intermediate arrays from the store, computing them the first time."""
        named = [t for t in self.tasks if t in key.values()]
        cell = Kept(self._cell, name, tuple(sorted(key.items())), tuple(self._tasks[t] for t in named), owner)
        keyed = self._workspace

        def fill(out: Path) -> None:
            arrays: dict[str, Any] = dict(compute())
            np.savez(out / "arrays.npz", **arrays)

        found = keyed.store.read(cell.place, keyed.key(cell))
        folder = found or keyed.store.write(cell.place, keyed.key(cell), keyed.ingredients(cell), fill)
        with np.load(folder / "arrays.npz") as arrays:
            return dict(arrays)

    def note(self, text: str) -> None:
        """Add a line for the reader of the result: what was dropped, counted or set to 0."""
        self.inquiry.note(text)

    def detail(self, name: str, value: Any) -> None:
        """Add something that machines should find in the result beside the matrix: numbers, texts, lists, mappings."""
        self.inquiry.details[name] = value

    def _signal(self) -> Signal:
        if self._cell.signal is None:
            raise MissingData(f"estimator {self._cell.estimator.name!r} needs stimuli: name a signal with --signal.")
        return self._cell.signal


# What shows an estimator a task's training examples, or a model that was trained on them.
EXAMPLES = frozenset({"representations", "features", "backbone-features", "models", "batches", "texts"})


@dataclass(frozen=True)
class Similarity:
    """An estimator's matrix, of one backbone, signal and seed.

    A task is trained on at most `max_train` examples as a source, on at most `max_train_target` as a target. Where the
    two differ and the estimator sees examples, the matrix is joined of one cell a target: in it this task alone has the
    examples of a target and a model trained on these, so that nothing is known of a target that the regime forbids.
    """

    estimator: Estimator
    backbone: Backbone
    tasks: tuple[Task, ...]
    signal: Signal | None = None
    seed: int = 0
    max_train: int | None = None
    oracle: Oracle | TransferPlan | None = None  # only where the estimator asks for it
    others: tuple[Oracle, ...] = ()
    targets: tuple[Task, ...] = ()  # all, unless said
    max_train_target: int | None = None  # as many as of a source, unless said

    @property
    def target_budget(self) -> int | None:
        """The largest number of training examples of a target; None for all."""
        return target_budget(self.max_train, self.max_train_target)

    def budget(self, task: Task) -> int | None:
        """Return the largest number of training examples of a task in this cell, as source or as target."""
        return self.target_budget if task in self.targets else self.max_train

    @property
    def by_target(self) -> tuple["Similarity", ...]:
        """The cells of one target each that the matrix is joined of; none where it is made at once."""
        if self.targets or self.target_budget == self.max_train or not EXAMPLES & self.estimator.needs:
            return ()
        return tuple(replace(self, targets=(task,)) for task in self.tasks)

    @property
    def here(self) -> bool:
        """Whether it is computed in the process of the run: an oracle does not cross processes, and takes no time."""
        return "oracle" in self.estimator.needs

    def member(self, estimator: Estimator) -> "Similarity":
        """Return the cell of an estimator among the fields of this one."""
        return replace(
            self,
            estimator=estimator,
            signal=self.signal if STIMULI & estimator.needs else None,
            oracle=self.oracle if "oracle" in estimator.needs else None,
            others=self.others if "oracle" in estimator.needs else (),
        )

    @property
    def place(self) -> str:
        stimuli = f"-stimuli-{slug(self.signal.name)}" if self.signal else ""
        return f"{slug(self.backbone.name)}/{slug(self.estimator.name)}{stimuli}/seed-{self.seed}"

    def training(self, task: Task) -> Training:
        """Return the cell that trains a task, as a source or as a target."""
        return Training(self.backbone, Recipe((task,), seed=self.seed, max_train=self.budget(task)))

    def transfer(self, source: Task, target: Task) -> Training:
        """Return the cell that trains a target from a source's encoder."""
        start = Recipe((source,), seed=self.seed, max_train=self.max_train)
        return Training(self.backbone, Recipe((target,), start, self.seed, self.target_budget))

    def cheap_trainings(self, source: Task | None, target: Task, options: TransferOptions) -> tuple[Training, ...]:
        """Return the cells of a cheap transfer: a target's few examples after a source, or alone for None."""
        start = Recipe((source,), seed=self.seed, max_train=self.max_train) if source is not None else None
        return cheap_trainings(self.backbone, start, target, self.target_budget, options, self.seed)

    def inputs(self) -> tuple[Cell, ...]:
        needs, cells = self.estimator.needs, list[Cell]()
        if self.by_target:
            return self.by_target
        if members := members_of(self.estimator):
            return tuple(self.member(m) for m in members)
        if isinstance(self.oracle, TransferPlan):
            cells += self.oracle.cells()
        if "representations" in needs and self.signal:
            cells += [Encoding(self.training(t), self.signal) for t in self.tasks]
        if {"models", "features", "cheap-transfers"} & needs:
            cells += [self.training(t) for t in self.tasks]
        if "cheap-transfers" in needs:
            pairs = [(s, t) for s in self.tasks for t in self.targets or self.tasks if s != t]
            asked = transfer_options(self.estimator)
            cells += [cell for o in asked for s, t in pairs for cell in self.cheap_trainings(s, t, o)]
        if "transfers" in needs:
            cells += [self.transfer(s, t) for s in self.tasks for t in self.tasks if s != t]
        return tuple(cells)

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        needs = self.estimator.needs
        made: dict[str, Any] = {"estimator": workspace.identity(self.estimator), "tasks": [t.name for t in self.tasks]}
        if self.targets:
            made["targets"] = [t.name for t in self.targets]
        if not MODELS & needs:
            made["seed"] = self.seed  # otherwise it stands in the keys of the trainings, as the backbone does
            if {"batches", "backbone", "backbone-features"} & needs:
                made["backbone"] = [
                    workspace.identity(p) for p in (self.backbone, self.backbone.origin(workspace.files))
                ]
        if isinstance(self.oracle, Oracle):
            made["oracle"] = [oracle_content(o) for o in (self.oracle, *self.others)]
        if "cards" in needs:
            made["cards"] = [workspace.identity(t.card) for t in self.tasks]
        if "responses" in needs and self.signal:
            made["responses"] = workspace.recording(self.signal).sha256
        if {"batches", "texts", "features", "backbone-features", "cheap-transfers"} & needs:
            made["data"] = [[workspace.dataset(t, s).sha256 for s in ("train", "evaluation")] for t in self.tasks]
            made["max_train"] = self.max_train
            if self.target_budget != self.max_train:
                made["max_train_target"] = self.target_budget
            topped_up = any(workspace.dataset(t, "train").is_topped_up(self.budget(t)) for t in self.tasks)
            made |= key_of_sample(topped_up)
        return made

    def compute(self, workspace: Workspace, out: Path) -> None:
        if self.by_target:
            joined([cell.estimate(workspace) for cell in self.by_target]).save(out)
            return
        evidence = StoredEvidence(self, workspace)
        estimate_from(self.estimator, evidence, evidence.inquiry).save(out)

    def estimate(self, workspace: Workspace) -> Estimate:
        """Return the estimator's matrix, notes and details, computing them if need be."""
        sources, targets = ([t.name for t in some] for some in (self.tasks, self.targets or self.tasks))
        return workspace.once(("estimate", self), lambda: Estimate.load(workspace.folder(self), sources, targets))


def oracle_content(oracle: Oracle) -> list[Any]:
    matrix = oracle.oriented
    return [oracle.name, matrix.sources, matrix.targets, digest(matrix.values.tobytes().hex())]


@dataclass(frozen=True)
class Kept:
    """An estimator's intermediate arrays, for `Evidence.keep`; computed where they are asked for."""

    similarity: Similarity
    name: str
    key: tuple[tuple[str, Any], ...]
    tasks: tuple[Task, ...]  # whose trainings and data they are made of; empty for all of the run
    owner: Any = None  # whose arrays they are, if not the estimator's

    @property
    def maker(self) -> Any:
        """What says how the arrays are made."""
        return self.similarity.estimator if self.owner is None else self.owner

    @property
    def place(self) -> str:
        tasks = "+".join(slug(t.name) for t in self.tasks) or "all"
        maker = getattr(self.maker, "name", type(self.maker).__name__.lower())
        return f"{slug(self.similarity.backbone.name)}/{slug(maker)}/{slug(self.name)}-{tasks}"

    def inputs(self) -> tuple[Cell, ...]:
        return tuple(self.similarity.training(t) for t in self.tasks) if self.tasks else (self.similarity,)

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        return {
            "estimator": workspace.identity(self.maker),
            "name": self.name,
            "key": digest(encode(self.key)),
            "stimuli": workspace.recording(s).sha256 if (s := self.similarity.signal) else None,
            "seed": self.similarity.seed,
        }

    def compute(self, workspace: Workspace, out: Path) -> None:
        raise NotImplementedError("Evidence.keep computes what it keeps")
