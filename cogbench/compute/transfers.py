"""Source → target scores, measured: the trainings of an oracle and their oracle; and cheap transfers, in folds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import metadata
from math import ceil
from typing import Any

import numpy as np

from ..checkpoints.given import GivenCheckpoint
from ..data.dataset import Array, Card, Dataset, Split
from ..data.features import FeatureOptions
from ..data.files import Files
from ..data.kinds import TASK_KINDS
from ..data.oracle import Oracle, TaskMatrix
from ..data.oracle_seeds import of_seeds
from ..errors import UnusableData
from ..parts.cheap_transfers import CheapTransfer, TransferOptions
from ..parts.codec import decode_record, encode
from ..parts.fingerprint import harness_version, upgraded
from ..parts.interfaces import Backbone, Estimator, Recipe, Task
from ..scoring.metrics import gap_error, mean_score
from .cells import GivenTraining, Training, trained_as
from .features import FeatureExtraction
from .workspace import Workspace


def trainings(
    backbone: Backbone,
    tasks: Sequence[Task],
    seed: int,
    max_train: int | None,
    keep: bool = False,
    max_train_target: int | None = None,
) -> dict[tuple[str, str], Training]:
    """Return the cells of a measured oracle: (target, target) trains a task alone, (source, target) transfers.

    A source is trained on at most `max_train` examples, a target after it or alone on at most `max_train_target`; None
    for as many as a source.
    """
    most = target_budget(max_train, max_train_target)
    sources = {t.name: Recipe((t,), seed=seed, max_train=max_train) for t in tasks}
    targets = {name: replace(recipe, max_train=most) for name, recipe in sources.items()}
    return {
        (s.name, t.name): Training(backbone, replace(targets[t.name], start=None if s is t else sources[s.name]), keep)
        for s in tasks
        for t in tasks
    }


@dataclass(frozen=True)
class TransferPlan:
    """An oracle that is measured: the trainings it comes from."""

    backbone: Backbone
    tasks: tuple[Task, ...]
    suite: str
    seeds: tuple[int, ...] = (0,)
    max_train: int | None = None
    keep: bool = False  # the weights of the transfers
    max_train_target: int | None = None  # as many as of a source, unless said
    checkpoints: tuple[GivenCheckpoint, ...] = ()  # the sources, where these are given; the tasks are targets then

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources: the tasks, or the checkpoints that are given in their place."""
        return tuple(source.name for source in self.checkpoints or self.tasks)

    @property
    def target_budget(self) -> int | None:
        """The largest number of training examples of a target; None for all."""
        return target_budget(self.max_train, self.max_train_target)

    @property
    def apart(self) -> bool:
        """Whether a target has another number of training examples than a source."""
        return self.target_budget != self.max_train

    def trainings(self, seed: int) -> dict[tuple[str, str], Training]:
        """Return the trainings of a seed: (target, target) trains a task alone, (source, target) transfers."""
        if not self.checkpoints:
            return trainings(self.backbone, self.tasks, seed, self.max_train, self.keep, self.max_train_target)
        recipes = {t.name: Recipe((t,), seed=seed, max_train=self.target_budget) for t in self.tasks}
        alone = {(name, name): Training(self.backbone, recipe) for name, recipe in recipes.items()}
        return alone | {
            (given.name, name): Training(given.backbone, recipe)
            for given in self.checkpoints
            for name, recipe in recipes.items()
            if given.name != name
        }

    def cells(self) -> list[Training]:
        """Return the trainings of all seeds."""
        return [cell for seed in self.seeds for cell in self.trainings(seed).values()]

    def provenance(self, workspace: Workspace) -> dict[str, Any]:
        """Return what the figures were measured with, as plain values."""
        apart: dict[str, Any] = {}
        if self.apart:  # else as ever, so that seeds can be added to oracles of old
            of_targets = self._settings(self.target_budget, workspace)
            apart = {"max_train_target": self.target_budget, "settings_target": of_targets}
        return {
            "cogbench": harness_version() or "",
            "torch": metadata.version("torch"),
            "backbone": json.loads(json.dumps(trained_as(self.backbone, workspace))),
            "model": _plain_origin(self.backbone.origin(workspace.files)),
            "max_train": self.max_train,
            "settings": self._settings(self.max_train, workspace),
            **apart,
            "data": {t.name: [workspace.dataset(t, s).sha256 for s in ("train", "evaluation")] for t in self.tasks},  # type: ignore[arg-type]
            **({"checkpoints": self._checkpoints(workspace)} if self.checkpoints else {}),
        }

    def _checkpoints(self, workspace: Workspace) -> dict[str, str]:
        """Return for each checkpoint what tells its files from any others."""
        files = workspace.files
        return {given.name: files.contents(given.backbone.origin(files)) for given in self.checkpoints}

    def _settings(self, max_train: int | None, workspace: Workspace) -> dict[str, Any]:
        """Return how each task is trained on so many examples, as plain values."""
        alone = [Training(self.backbone, Recipe((t,), max_train=max_train)) for t in self.tasks]
        return {cell.recipe.task.name: encode(cell.filled(workspace).settings) for cell in alone}

    def oracle(self, workspace: Workspace) -> Oracle:
        """Return the oracle of these trainings, computing what is missing."""
        return workspace.once(self, lambda: self._measured(workspace))

    def _measured(self, workspace: Workspace) -> Oracle:
        names = tuple(t.name for t in self.tasks)
        cells = [self.trainings(seed) for seed in self.seeds]
        scores = [{pair: cell.score(workspace) for pair, cell in of.items()} for of in cells]
        values, errors = (
            np.array(
                [[[getattr(of[s, t], what) for t in names] for s in self.sources] for of in scores]
            )  # (seed, s, t)
            for what in ("value", "standard_error")
        )
        gain_errors = [[[_gain_error(of, s, t, workspace) for t in names] for s in self.sources] for of in cells]
        return of_seeds(
            Oracle(
                name=f"measured-{self.backbone.name}" + (f"-target-{self.target_budget}" if self.apart else ""),
                backbone=self.backbone.name,
                suite=self.suite,
                transfers=TaskMatrix(self.sources, names, values.mean(axis=0)),
                per_example={p: np.array([of[p].per_example for of in scores]) for p in scores[0]},
                metrics={t.name: t.metric for t in self.tasks},
                basis="measured",
                tuning=getattr(self.backbone, "tuning", "full"),
                provenance=self.provenance(workspace),
                max_train_target=self.target_budget if self.apart else None,
            ),
            self.seeds,
            values,
            errors,
            np.array(gain_errors),
            np.array([[of[t, t].value for t in names] for of in scores]),
        )


def _plain_origin(origin: Any) -> dict[str, Any]:
    """Return a model's origin as plain values; a hash that it lacks is left out, as in oracles before there was one."""
    return {name: value for name, value in encode(origin).items() if name != "contents" or value is not None}


def target_budget(max_train: int | None, max_train_target: int | None) -> int | None:
    """Return the largest number of training examples of a target: as many as of a source, unless it is said."""
    return max_train if max_train_target is None else max_train_target


def _gain_error(of: Mapping[tuple[str, str], Training], source: str, target: str, workspace: Workspace) -> float:
    """Return the standard error of a target's gain from a source, on the same examples; 0 for a task with itself."""
    if source == target:
        return 0.0
    task = of[target, target].recipe.task
    after, alone = (of[pair].outputs(workspace) for pair in ((source, target), (target, target)))
    return gap_error(task.metric, after, alone, workspace.dataset(task, "evaluation"))


def notes_of_budgets(plan: TransferPlan, oracle: Oracle | TransferPlan | None, sees_examples: bool) -> list[str]:
    """Return what a reader should know where a target has other numbers of examples than a source, or in the oracle.

    Parameters
    ----------
    plan : TransferPlan
        What an estimator is given.
    oracle : Oracle or TransferPlan, optional
        What it is scored against.
    sees_examples : bool
        Whether the estimator sees any examples, or models that were trained on them.
    """
    of_source, of_target = (f"at most {n}" if n else "all" for n in (plan.max_train, plan.target_budget))
    notes = [f"training examples: {of_source} of a source, {of_target} of a target"] if plan.apart else []
    if not (sees_examples and isinstance(oracle, Oracle)) or not (plan.apart or oracle.max_train_target):
        return notes
    most = target_budget(oracle.provenance.get("max_train"), oracle.max_train_target)
    if oracle.basis != "measured" or most != plan.target_budget:
        in_oracle = (f"at most {most}" if most else "all") if oracle.basis == "measured" else "an unknown number"
        notes.append(
            f"the estimator saw {of_target} examples of a target, and {oracle.name} was measured on {in_oracle}"
        )
    return notes


def in_todays_form(oracle: Oracle) -> Oracle:
    """Return a measured oracle whose provenance is written as this version of cogbench writes it.

    So that seeds can be merged: cogbench 0.1.0 wrote modules and all fields of a backbone, and settings may have got
    new fields since.
    """
    provenance = dict(oracle.provenance)
    try:
        if "backbone" in provenance:
            provenance["backbone"] = upgraded(provenance["backbone"])
        if "model" in provenance:
            provenance["model"] = _plain_origin(decode_record(provenance["model"]))
        for name in {"settings", "settings_target"} & provenance.keys():
            settings = provenance[name].items()
            provenance[name] = {task: encode(decode_record(value)) for task, value in settings}
    except (UnusableData, AttributeError, TypeError) as error:
        raise UnusableData(f"oracle {oracle.name!r}: what it was measured with cannot be read: {error}") from error
    return replace(oracle, provenance=provenance)


@dataclass(frozen=True)
class FoldTask:
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

    @property
    def name(self) -> str:
        """The task's own."""
        return self.task.name

    @property
    def suite(self) -> str:
        """The task's own."""
        return self.task.suite

    @property
    def kind(self) -> str:
        """The task's own."""
        return self.task.kind

    @property
    def metric(self) -> str:
        """The task's own."""
        return self.task.metric

    @property
    def card(self) -> Card:
        """The task's own."""
        return self.task.card

    def load(self, split: Split, files: Files) -> Dataset:
        """Return the examples of the fold, or those of the others."""
        rows = self.task.load("train", files).sample(self.most).sample(self.options.examples, self.options.seed)
        folds = split_in_folds(rows, self.options.folds, self.options.seed)
        return rows.take(np.flatnonzero((folds == self.fold) == (split == "evaluation")))


def split_in_folds(rows: Dataset, n_folds: int, seed: int) -> Array:
    """Return the fold of each row (n_rows,), from 0: of equal size, and each class in its share as far as can be."""
    order = np.random.default_rng(seed).permutation(len(rows))
    if TASK_KINDS[rows.kind].classes:
        order = order[np.argsort(np.asarray(rows.columns["label"])[order], kind="stable")]
    folds = np.empty(len(rows), int)
    folds[order] = np.arange(len(rows)) % n_folds
    return folds


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


class TaskTrainings:
    """Which cells train the tasks of a matrix, as sources and as targets, and transfers between them.

    A task is trained on at most `max_train` examples as a source, on at most `max_train_target` as a target.
    """

    backbone: Backbone
    seed: int
    max_train: int | None
    targets: tuple[Task, ...]
    max_train_target: int | None

    @property
    def target_budget(self) -> int | None:
        """The largest number of training examples of a target; None for all."""
        return target_budget(self.max_train, self.max_train_target)

    def budget(self, task: Task) -> int | None:
        """Return the largest number of training examples of a task in this cell, as source or as target."""
        return self.target_budget if task in self.targets else self.max_train

    def training(self, task: Task) -> Training | GivenTraining:
        """Return the cell that trains a task, as a source or as a target, or that holds the model that it brings."""
        return GivenTraining(task) if isinstance(task, GivenCheckpoint) else self.trained_alone(task)

    def trained_alone(self, task: Task) -> Training:
        """Return the cell that trains a task from the backbone, without a source."""
        return Training(self.backbone, Recipe((task,), seed=self.seed, max_train=self.budget(task)))

    def extraction(self, source: Task | None, target: Task, options: FeatureOptions) -> FeatureExtraction:
        """Return the cell of a target's examples as a source's model sees them, or the bare backbone for None."""
        training = self.training(source) if source is not None else None
        backbone = training.backbone if training is not None else self.backbone
        return FeatureExtraction(backbone, training, target, options, self.budget(target))

    def transfer(self, source: Task, target: Task) -> Training:
        """Return the cell that trains a target from a source's encoder."""
        if isinstance(source, GivenCheckpoint):
            return Training(source.backbone, Recipe((target,), seed=self.seed, max_train=self.target_budget))
        start = Recipe((source,), seed=self.seed, max_train=self.max_train)
        return Training(self.backbone, Recipe((target,), start, self.seed, self.target_budget))

    def cheap_trainings(self, source: Task | None, target: Task, options: TransferOptions) -> tuple[Training, ...]:
        """Return the cells of a cheap transfer: a target's few examples after a source, or alone for None."""
        if isinstance(source, GivenCheckpoint):
            return cheap_trainings(source.backbone, None, target, self.target_budget, options, self.seed)
        start = Recipe((source,), seed=self.seed, max_train=self.max_train) if source is not None else None
        return cheap_trainings(self.backbone, start, target, self.target_budget, options, self.seed)
