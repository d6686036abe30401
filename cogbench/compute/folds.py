"""Cheap transfers: short trainings on few examples of a target, in folds; the evaluation split is not looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from ..combining.selected import MadeOfTask, split_in_folds
from ..data.dataset import Dataset, Split
from ..data.files import Files
from ..parts.interfaces import Backbone, Estimator
from ..parts.recipe import CheapTransfer, Recipe, Task, TransferOptions
from ..scoring.metrics import mean_score
from .cells import Training
from .workspace import Workspace


@dataclass(frozen=True)
class FoldTask(MadeOfTask):
    """A task of few training examples of another: one fold of them is its evaluation split, the others its training.

    Parameters
    ----------
    task : Task
        Whose training split is read; its evaluation split is not.
    most : int or None
        How many training examples of the task may be used at most: the sample is drawn among these.
    options : TransferOptions
        The sample, and the number of folds.
    fold : int
        Which fold is scored, from 0.
    """

    task: Task
    most: int | None
    options: TransferOptions
    fold: int

    def load(self, split: Split, files: Files) -> Dataset:
        """Return the examples of the fold, or those of the others."""
        rows = self.task.load("train", files).sample(self.most).sample(self.options.examples, self.options.seed)
        folds = split_in_folds(rows, self.options.folds, self.options.seed)
        return rows.take(np.flatnonzero((folds == self.fold) == (split == "evaluation")))


def transfer_options(estimator: Estimator) -> list[TransferOptions]:
    """Return the options of cheap transfers among an estimator's fields: those that are planned with the run."""
    values: list[Any] = [getattr(estimator, f.name) for f in fields(estimator)] if is_dataclass(estimator) else []
    return [value for value in values if isinstance(value, TransferOptions)]


def cheap_trainings(
    backbone: Backbone, source: Recipe | None, target: Task, most: int | None, options: TransferOptions, seed: int
) -> tuple[Training, ...]:
    """Return the cells of a cheap transfer, one a fold; without a source the target is trained alone.

    `most` is the largest number of training examples of the target that may be used.
    """
    n_rows = options.examples if most is None else min(options.examples, most)
    n_trained = max(1, n_rows - ceil(n_rows / options.folds))
    usual = backbone.settings(target.kind, n_trained)
    epochs = ceil(options.steps / ceil(n_trained / usual.batch_size))
    settings = replace(usual, epochs=epochs, min_steps=options.steps)
    return tuple(
        Training(backbone, Recipe((FoldTask(target, most, options, fold),), source, seed, settings=settings))
        for fold in range(options.folds)
    )


def cheap_transfer(cells: Sequence[Training], workspace: Workspace) -> CheapTransfer:
    """Return what the trainings of a cheap transfer give, computing those that are missing."""
    scores = [cell.score(workspace) for cell in cells]
    costs: list[dict[str, Any]] = [cell.report(workspace) for cell in cells]
    return CheapTransfer(
        score=mean_score(scores),
        trainings=len(cells),
        steps=sum(cost["steps"] for cost in costs),
        examples=sum(len(workspace.dataset(cell.recipe.task, "evaluation")) for cell in cells),
        seconds=sum(cost["seconds"] for cost in costs),
    )
