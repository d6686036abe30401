"""What flows through a run: frozen dataclasses that check themselves once, when made.

Arrays are numpy arrays; a record that holds one compares by identity.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ..errors import UnusableData
from ..storage.origin import Origin
from .kinds import TASK_KINDS

Array = np.ndarray
Split = Literal["train", "evaluation"]


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
    notes : tuple of str
        What the reader should be told of the rows, such as which were left out.

    Raises
    ------
    UnusableData
        If a column is missing or empty, lengths differ, or a row is not what its kind has.
    """

    kind: str
    columns: Mapping[str, Sequence[Any]]
    labels: tuple[str, ...]
    origin: Origin
    notes: tuple[str, ...] = ()

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
        refuse_faults(where, self.kind, self.columns, self.labels, range(len(self)))

    def __len__(self) -> int:
        return len(self.columns["label"])

    @cached_property
    def sha256(self) -> str:
        """Hash of all rows and label names: the same content has the same hash, wherever it came from."""
        digest = hashlib.sha256(json.dumps([self.kind, self.labels]).encode())
        for name in sorted(self.columns):
            digest.update(json.dumps([name, list(self.columns[name])]).encode())
        return digest.hexdigest()

    @property
    def texts(self) -> tuple[str, ...]:
        """What is read of each example, as one text."""
        read = [self.columns[name] for name in ("text", "text_pair", "tokens", "passages") if name in self.columns]
        return tuple(" ".join(t if isinstance(t, str) else " ".join(t) for t in row) for row in zip(*read, strict=True))

    @cached_property
    def size(self) -> tuple[int, float]:
        """About how many rows a model reads, and how many pieces of text each has in the mean: four letters are one.

        An example is one row, but a query is one with each of its passages.
        """
        columns = [self.columns[name] for name in ("text", "text_pair", "tokens") if name in self.columns]
        lists = self.columns.get("passages", [("",)] * len(self))
        pairs = zip(lists, *columns, strict=True)
        letters = sum(len(ids) * sum(map(_letters, texts)) + sum(map(_letters, ids)) for ids, *texts in pairs)
        n_rows = sum(map(len, lists))
        return n_rows, letters / n_rows / 4

    def take(self, rows: Iterable[int]) -> "Dataset":
        """Return the examples at these row numbers, in this order."""
        rows = list(rows)
        return replace(self, columns={name: [column[i] for i in rows] for name, column in self.columns.items()})

    def sample(self, n: int | None, seed: int = 0) -> "Dataset":
        """Return at most `n` examples drawn without replacement; all of them for None.

        Each class has its share, and at least two examples where there are two, as far as `n` allows.
        """
        return self if n is None or n >= len(self) else self.take(self._sampled(n, seed)[0])

    def sample_rows(self, n: int | None, seed: int = 0) -> "Dataset":
        """Return a sample that has about `n` rows of a model: of lists of passages each passage is one."""
        n_rows, _ = self.size
        return self if n is None or n >= n_rows else self.sample(max(1, round(n * len(self) / n_rows)), seed)

    def is_topped_up(self, n: int | None, seed: int = 0) -> bool:
        """Whether `sample` had to add examples of a class that has too few of them by its share."""
        return n is not None and n < len(self) and self._sampled(n, seed)[1]

    def _sampled(self, n: int, seed: int) -> tuple[Array, bool]:
        labels, by_class = self.columns["label"], TASK_KINDS[self.kind].classes
        rng = np.random.default_rng(seed)
        rows = draw_rows(labels, n, rng, by_class=by_class)
        whole = with_each_class(rows, np.asarray(labels), rng) if by_class else rows
        return whole, whole is not rows


def refuse_faults(
    where: str, kind: str, columns: Mapping[str, Sequence[Any]], labels: tuple[str, ...], numbers: Sequence[int]
) -> None:
    """Raise UnusableData for the first row that is not what its kind has; `numbers` are those of the rows."""
    for name in ("text", "text_pair"):
        row = next((i for i, text in enumerate(columns.get(name, ())) if not isinstance(text, str)), None)
        if row is not None:
            raise UnusableData(f"{where}: row {numbers[row]} has no text in column {name}.")
    try:
        refusal = TASK_KINDS[kind].refusal(columns, labels)
    except (TypeError, ValueError, KeyError) as error:  # such as None, where there should be a list
        raise UnusableData(f"{where}: a label or text is not of the kind {kind}: {error}.") from error
    if refusal:
        row, fault = refusal
        raise UnusableData(f"{where}: {fault}." if row is None else f"{where}: row {numbers[row]} {fault}.")


def draw_rows(labels: Sequence[Any] | Array, n: int, rng: np.random.Generator, *, by_class: bool) -> Array:
    """Return n row numbers (n,) without repetition, in rising order; with `by_class`, each label in its share."""
    order = rng.permutation(len(labels))
    if by_class:
        # Shuffled, then sorted by class: every (len / n)-th row of that order holds each class in its share.
        order = order[np.argsort(np.asarray(labels)[order], kind="stable")]
        order = order[((rng.random() + np.arange(n)) * len(order) / n).astype(int)]
    return np.sort(order[:n])


def with_each_class(rows: Array, labels: Array, rng: np.random.Generator) -> Array:
    """Return drawn rows (n,) with rows of the classes that have too few of them, in place of rows of the largest ones.

    Too few are less than two; less than one, if `n` is too small for two of each. A class of a single row is drawn by
    chance, and stays if it was drawn. The very same array comes back if no class has too few, or
    if `n` is smaller than the number of classes.
    """
    classes, numbers, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    drawn = np.bincount(numbers[rows], minlength=len(classes))
    least = np.where(sizes > 1, 2, drawn)  # (n_classes,)
    if least.sum() > len(rows):
        least = np.minimum(least, 1)
    if least.sum() > len(rows) or (drawn >= least).all():
        return rows
    kept = {int(row) for row in rows}
    for c in np.flatnonzero(drawn < least):
        others = [int(row) for row in np.flatnonzero(numbers == c) if int(row) not in kept]
        for row in rng.permutation(others)[: least[c] - drawn[c]]:
            largest = np.argmax(np.where(drawn > least, drawn, 0))
            kept.remove(int(rng.choice([r for r in sorted(kept) if numbers[r] == largest])))
            kept.add(int(row))
            drawn[largest] -= 1
            drawn[c] += 1
    return np.sort(np.array([*kept]))


def _letters(text: Any) -> int:
    return len(text) if isinstance(text, str) else sum(len(word) + 1 for word in text)
