"""Tasks that are made of another one: what they have from it, and a task of chosen training examples."""

from dataclasses import dataclass

import numpy as np

from ..data.dataset import Array, Card, Dataset, Split
from ..data.files import Files
from ..data.kinds import TASK_KINDS, groups
from ..parts.recipe import Task


class MadeOfTask:
    """What a task that is made of another one has from it: all but its examples."""

    task: Task

    @property
    def name(self) -> str:
        """That of the other task."""
        return self.task.name

    @property
    def suite(self) -> str:
        """That of the other task."""
        return self.task.suite

    @property
    def kind(self) -> str:
        """That of the other task."""
        return self.task.kind

    @property
    def metric(self) -> str:
        """That of the other task."""
        return self.task.metric

    @property
    def card(self) -> Card:
        """That of the other task."""
        return self.task.card


@dataclass(frozen=True)
class SelectedTask(MadeOfTask):
    """A task that is trained on chosen training examples of another.

    Parameters
    ----------
    task : Task
        Whose training examples they are.
    most : int or None
        How many training examples of the task may be used at most: the rows are numbered among these.
    rows : tuple of int
        The chosen rows, from 0.
    scored : tuple of int, optional
        Training examples in place of the evaluation split, which is not looked at then.
    """

    task: Task
    most: int | None
    rows: tuple[int, ...]
    scored: tuple[int, ...] | None = None

    def load(self, split: Split, files: Files) -> Dataset:
        """Return the chosen training examples, or those that are scored."""
        if split == "evaluation" and self.scored is None:
            return self.task.load("evaluation", files)
        rows = self.rows if split == "train" else self.scored
        assert rows is not None
        return self.task.load("train", files).sample(self.most).take(rows)


def split_in_folds(rows: Dataset, n_folds: int, seed: int) -> Array:
    """Return the fold of each row (n_rows,), from 0: of equal size, and each class in its share as far as can be.

    Rows of one group are in one fold; folds are then of equal numbers of groups.
    """
    members = groups(rows.columns)
    order = np.random.default_rng(seed).permutation(len(members))
    if TASK_KINDS[rows.kind].classes:
        labels = np.asarray(rows.columns["label"])[[of_group[0] for of_group in members]]
        order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(rows), int)
    for place, group in enumerate(order):
        folds[members[group]] = place % n_folds
    return folds
