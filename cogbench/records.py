"""What flows through a run: frozen dataclasses that check themselves once, when made.

Arrays are numpy arrays; a record that holds one compares by identity.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .errors import UnusableData
from .kinds import TASK_KINDS

if TYPE_CHECKING:
    from .parts import Task

Array = np.ndarray
Split = Literal["train", "evaluation"]


@dataclass(frozen=True)
class Origin:
    """Where something came from: `id` (a hub id or a file) at `revision` (a commit, or None for local files)."""

    id: str
    revision: str | None = None


@dataclass(frozen=True)
class Card:
    """What a reader should know of a task: official training rows, licence, one paragraph, citation, language."""

    rows: int
    licence: str
    description: str
    citation: str = ""
    language: str = "en"
    synthetic: bool = False  # made by a generator: said wherever a result on it appears


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples of one task and split.

    Parameters
    ----------
    kind : str
        One of `TASK_KINDS`; it says which columns there are.
    columns : mapping of str to sequence
        Equally long columns. `label` holds the true answers, as the kind has them.
    labels : tuple of str
        The names of the classes or tags in the order of their numbers; empty where there are none.
    origin : Origin
        Where the rows came from.

    Raises
    ------
    UnusableData
        If a column is missing or empty, lengths differ, or a row is not what its kind has.
    """

    kind: str
    columns: Mapping[str, Sequence[Any]]
    labels: tuple[str, ...]
    origin: Origin

    def __post_init__(self) -> None:
        where = f"dataset {self.origin.id!r}"
        if self.kind not in TASK_KINDS:
            raise UnusableData(f"{where}: unknown kind {self.kind!r}; known: {', '.join(TASK_KINDS)}.")
        missing = [c for c in TASK_KINDS[self.kind].columns if not c.endswith("?") and c not in self.columns]
        if missing:
            raise UnusableData(f"{where} lacks column {', '.join(missing)}; it has {', '.join(self.columns)}.")
        if len({len(column) for column in self.columns.values()}) != 1:
            raise UnusableData(f"{where}: its columns differ in length.")
        if not len(self):
            raise UnusableData(f"{where} has no rows.")
        for name in ("text", "text_pair"):
            row = next((i for i, text in enumerate(self.columns.get(name, ())) if not isinstance(text, str)), None)
            if row is not None:
                raise UnusableData(f"{where}: row {row} has no text in column {name}.")
        try:
            refusal = TASK_KINDS[self.kind].refusal(self.columns, self.labels)
        except (TypeError, ValueError, KeyError) as error:  # such as None, where there should be a list
            raise UnusableData(f"{where}: a label or text is not of the kind {self.kind}: {error}.") from error
        if refusal:
            raise UnusableData(f"{where}: {refusal}.")

    def __len__(self) -> int:
        return len(self.columns["label"])

    @cached_property
    def sha256(self) -> str:
        """Hash of all rows and label names: the same content has the same hash, wherever it came from."""
        digest = hashlib.sha256(json.dumps([self.kind, self.labels]).encode())
        for name in sorted(self.columns):
            digest.update(json.dumps([name, list(self.columns[name])]).encode())
        return digest.hexdigest()

    @cached_property
    def size(self) -> tuple[int, float]:
        """About how many rows a model reads, and how many pieces of text each has in the mean: four letters are one.

        An example is one row, but a query is one with each of its passages.
        """
        columns = [self.columns[name] for name in ("text", "text_pair", "tokens") if name in self.columns]
        lists = self.columns.get("passages", [("",)] * len(self))
        pairs = zip(lists, *columns, strict=True)
        letters = sum(len(of) * sum(map(_letters, texts)) + sum(map(_letters, of)) for of, *texts in pairs)
        n_rows = sum(map(len, lists))
        return n_rows, letters / n_rows / 4

    def take(self, rows: Iterable[int]) -> "Dataset":
        """Return the examples at these row numbers, in this order."""
        rows = list(rows)
        return replace(self, columns={name: [column[i] for i in rows] for name, column in self.columns.items()})

    def sample(self, n: int | None, seed: int = 0) -> "Dataset":
        """Return at most `n` examples drawn without replacement, each class in its share; all of them for None."""
        if n is None or n >= len(self):
            return self
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self))
        if not TASK_KINDS[self.kind].classes:
            return self.take(sorted(order[:n]))
        # Shuffled, then sorted by class: every (len / n)-th row of that order holds each class in its share.
        by_class = order[np.argsort(np.asarray(self.columns["label"])[order], kind="stable")]
        start = rng.random()
        return self.take(sorted(by_class[int((start + i) * len(self) / n)] for i in range(n)))


def _letters(text: Any) -> int:
    return len(text) if isinstance(text, str) else sum(len(word) + 1 for word in text)


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


@dataclass(frozen=True, eq=False)
class TaskMatrix:
    """Scores between tasks: rows are sources, columns targets, larger is better; a task with itself is NaN.

    `values` is (n_sources, n_targets); NaN off the diagonal means "no estimate".
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    values: Array

    def __post_init__(self) -> None:
        values = np.array(self.values, np.float64)  # a copy: a record shares no array with its maker
        if values.shape != (len(self.sources), len(self.targets)):
            raise UnusableData(
                f"a matrix of shape {values.shape} does not fit "
                f"{len(self.sources)} sources × {len(self.targets)} targets."
            )
        for names in (self.sources, self.targets):
            if len(set(names)) != len(names):
                raise UnusableData(f"a task stands twice in a matrix: {', '.join(names)}.")
        if np.isinf(values).any():
            raise UnusableData("a matrix of task scores holds an infinite value.")
        values[self.same] = np.nan
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @classmethod
    def square(cls, tasks: Iterable[str], values: Array) -> "TaskMatrix":
        """Return the matrix whose sources and targets are the same tasks; its diagonal becomes NaN."""
        tasks = tuple(tasks)
        return cls(tasks, tasks, values)

    @property
    def same(self) -> Array:
        """Where source and target are one task: (n_sources, n_targets) of bool."""
        return np.array([[s == t for t in self.targets] for s in self.sources], bool).reshape(
            len(self.sources), len(self.targets)
        )

    def part(self, sources: Sequence[str], targets: Sequence[str]) -> "TaskMatrix":
        """Return the matrix of these sources and targets, in this order; UnusableData names what is missing."""
        missing = sorted({*sources} - {*self.sources} | {*targets} - {*self.targets})
        if missing:
            raise UnusableData(f"no scores for {', '.join(missing)}; there are {', '.join(self.sources)}.")
        rows, columns = [self.sources.index(s) for s in sources], [self.targets.index(t) for t in targets]
        return TaskMatrix(tuple(sources), tuple(targets), self.values[np.ix_(rows, columns)])


@dataclass(frozen=True, eq=False)
class Oracle:
    """True transfers: each target's score after training on each source first.

    Parameters
    ----------
    name, backbone, suite : str
        What it is called, and the backbone and suite it was measured on.
    transfers : TaskMatrix
        The target's metric after each source, in the unit of that metric.
    no_transfer : array of shape (n_targets,), optional
        The target's metric without a source.
    standard_error : array of shape (n_sources, n_targets), optional
        Of each transfer.
    evaluation_error : array of shape (n_sources, n_targets), optional
        The share of it that the choice of evaluation examples has, mean over seeds.
    by_seed : array of shape (n_seeds, n_sources, n_targets), optional
        The transfers of each training seed, whose mean `transfers` holds; a measured one has a task without a source
        where source and target are one task.
    seeds : tuple of int
        Those seeds.
    per_example : mapping of (source, target) to array of shape (n_seeds, n_examples), optional
        Each evaluation example's own score, larger is better; NaN for a seed of which they were not kept.
    metrics : mapping of str to str
        The metric of each target.
    basis : {"published", "measured"}
    tuning, sharing : str
        Which weights moved, and how the tasks were combined: as in `Recipe`.
    origin, licence, note : str
        Citation or command, licence, and what a reader must know.
    provenance : mapping of str to plain values
        Of a measured oracle: versions, model, data, settings, number of examples.
    """

    name: str
    backbone: str
    suite: str
    transfers: TaskMatrix
    no_transfer: Array | None = None
    standard_error: Array | None = None
    evaluation_error: Array | None = None
    by_seed: Array | None = None
    seeds: tuple[int, ...] = ()
    per_example: Mapping[tuple[str, str], Array] | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    basis: Literal["published", "measured"] = "published"
    tuning: str = "full"
    sharing: str = "sequential"
    origin: str = ""
    licence: str = ""
    note: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def part(self, sources: Sequence[str], targets: Sequence[str] | None = None) -> "Oracle":
        """Return the oracle of these tasks, in this order; without `targets` they are sources and targets alike."""
        targets = sources if targets is None else targets
        transfers = self.transfers.part(sources, targets)
        rows = [self.transfers.sources.index(t) for t in sources]
        columns = [self.transfers.targets.index(t) for t in targets]
        return replace(
            self,
            transfers=transfers,
            no_transfer=None if self.no_transfer is None else self.no_transfer[columns],
            standard_error=None if self.standard_error is None else self.standard_error[np.ix_(rows, columns)],
            evaluation_error=None if self.evaluation_error is None else self.evaluation_error[np.ix_(rows, columns)],
            by_seed=None if self.by_seed is None else self.by_seed[:, rows][:, :, columns],
        )


@dataclass(frozen=True)
class Suite:
    """A named set of tasks with its usual signal and, for each backbone, its usual oracle."""

    name: str
    tasks: tuple[str, ...]
    signal: str
    oracles: tuple[tuple[str, str], ...] = ()  # (backbone, oracle) pairs
    description: str = ""
