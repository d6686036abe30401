"""Source → target scores, measured: the trainings of an oracle, and their oracle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from ..checkpoints.given import GivenCheckpoint
from ..combining.pooled import members_of_pools
from ..data.features import FeatureOptions
from ..data.oracle import Oracle, TaskMatrix
from ..data.oracle_files import plain_oracle, read_oracle, write_oracle
from ..data.oracle_seeds import merged, of_seeds
from ..errors import LostStore, UnusableData
from ..parts.codec import decode_record, encode
from ..parts.fingerprint import harness_version, upgraded
from ..parts.interfaces import Backbone, trained_alone
from ..parts.recipe import ALL_ROWS, SEQUENTIAL, USUAL_SHARE, Recipe, RowChoice, Selector, Task, TransferOptions
from ..scoring.metrics import gap_error
from ..storage.locks import locked
from .cells import GivenTraining, Training
from .features import FeatureExtraction
from .folds import cheap_trainings
from .workspace import Workspace, trained_as


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
    sharing: str = SEQUENTIAL  # how a source and a target are combined, a word of `SHARINGS`
    selector: Selector | None = None  # what chooses a source's rows for each target
    select_share: float = USUAL_SHARE  # the share of the rows that it keeps
    row_choice: str = ALL_ROWS  # both in a word

    @property
    def alone(self) -> Backbone:
        """The backbone that trains a task alone."""
        return trained_alone(self.backbone)

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

    @property
    def suffix(self) -> str:
        """What the name of its oracle says of a sharing, chosen rows, and other numbers of examples of a target."""
        sharing = "" if self.sharing == SEQUENTIAL else f"-{self.sharing}"
        chosen = "" if self.selector is None else f"-{self.row_choice.replace(' ', '-')}"
        return sharing + chosen + (f"-target-{self.target_budget}" if self.apart else "")

    def trainings(self, seed: int) -> dict[tuple[str, str], Training]:
        """Return the trainings of a seed: (target, target) trains a task alone, (source, target) transfers."""
        if self.sharing != SEQUENTIAL:
            return self._together(seed)
        if self.selector is not None:
            return self._of_chosen_rows(seed)
        if not self.checkpoints:
            return trainings(self.backbone, self.tasks, seed, self.max_train, self.keep, self.max_train_target)
        recipes = {t.name: Recipe((t,), seed=seed, max_train=self.target_budget) for t in self.tasks}
        alone = {(name, name): Training(self.backbone, recipe) for name, recipe in recipes.items()}
        return alone | {
            (given.name, name): Training(given.trained_like(self.backbone), recipe)
            for given in self.checkpoints
            for name, recipe in recipes.items()
            if given.name != name
        }

    def _of_chosen_rows(self, seed: int) -> dict[tuple[str, str], Training]:
        """Return the trainings of a seed where each source is trained anew for each target."""
        targets = {t.name: Recipe((t,), seed=seed, max_train=self.target_budget) for t in self.tasks}
        cells = {(name, name): Training(self.backbone, recipe) for name, recipe in targets.items()}
        for source, target in permutations(self.tasks, 2):
            start = Recipe((source,), seed=seed, max_train=self.max_train, row_choice=self.choice_for(target))
            recipe = replace(targets[target.name], start=start)
            cells[source.name, target.name] = Training(self.backbone, recipe, self.keep)
        return cells

    def choice_for(self, target: Task) -> RowChoice | None:
        """Return how rows of sources are chosen for a target; None where all are used."""
        if self.selector is None:
            return None
        return RowChoice(self.selector, target, share=self.select_share, max_target=self.target_budget)

    def check_choices(self, workspace: Workspace) -> None:
        """Raise UnusableData if fewer than two rows of a source are left."""
        for task in self.tasks if self.selector is not None else ():
            n_rows = len(workspace.dataset(task, "train").sample(self.max_train))
            choice = self.choice_for(task)
            assert choice is not None
            if (n_kept := choice.n_kept(n_rows)) < 2:
                raise UnusableData(
                    f"a share of {self.select_share:g} of the {n_rows} training rows of {task.name} is {n_kept}: "
                    "choose at least two, with a larger --select-share."
                )

    def _together(self, seed: int) -> dict[tuple[str, str], Training]:
        """Return the trainings of a seed where each source and target are trained together."""
        most = self.target_budget
        cells = {(t.name, t.name): Training(self.alone, Recipe((t,), seed=seed, max_train=most)) for t in self.tasks}
        for source, target in permutations(self.tasks, 2):
            cells[source.name, target.name] = self.together(target, (source,), seed)
        return cells

    def together(self, target: Task, others: Sequence[Task], seed: int) -> Training:
        """Return the training of a target together with other tasks.

        It is one training for all of them where they weigh alike, whichever is the target.
        """
        tasks, most = (target, *sorted(others, key=lambda task: task.name)), self.target_budget
        budgets = (most, *(self.max_train for _ in others)) if self.apart else ()
        choice = self.choice_for(target)
        if getattr(self.backbone, "mutual", False) and not self.apart and choice is None:
            tasks = tuple(sorted(tasks, key=lambda task: task.name))
        recipe = Recipe(tasks, seed=seed, max_train=most, sharing=self.sharing, budgets=budgets, row_choice=choice)
        return Training(self.backbone, recipe, self.keep)

    def cells(self) -> list[Training]:
        """Return the trainings of all seeds, each once."""
        return [*dict.fromkeys(cell for seed in self.seeds for cell in self.trainings(seed).values())]

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
            **({} if self.selector is None else {"row_choice": [self._selector(workspace), self.select_share]}),
        }

    def _selector(self, workspace: Workspace) -> dict[str, Any]:
        """Return what makes the selector the same, as plain values."""
        return dict(json.loads(json.dumps(workspace.identity(self.selector))))

    def _checkpoints(self, workspace: Workspace) -> dict[str, str]:
        """Return for each checkpoint what tells its files from any others."""
        files = workspace.files
        return {given.name: files.contents(given.backbone.origin(files)) for given in self.checkpoints}

    def _settings(self, max_train: int | None, workspace: Workspace) -> dict[str, Any]:
        """Return how each task is trained on so many examples, as plain values."""
        alone = [Training(self.alone, Recipe((t,), max_train=max_train)) for t in self.tasks]
        return {cell.recipe.task.name: encode(cell.filled(workspace).settings) for cell in alone}

    def oracle(self, workspace: Workspace) -> Oracle:
        """Return the oracle of these trainings, computing what is missing."""
        return workspace.once(self, lambda: self._measured(workspace))

    def _measured(self, workspace: Workspace) -> Oracle:
        names = tuple(t.name for t in self.tasks)
        cells = [self.trainings(seed) for seed in self.seeds]
        named = {task.name: task for task in self.tasks}
        scores = [{pair: cell.score(workspace, named[pair[1]]) for pair, cell in of_seed.items()} for of_seed in cells]
        values, errors = (
            np.array(
                [[[getattr(of_seed[s, t], what) for t in names] for s in self.sources] for of_seed in scores]
            )  # (seed, s, t)
            for what in ("value", "standard_error")
        )
        gain_errors = [
            [[_gain_error(of_seed, s, t, workspace) for t in self.tasks] for s in self.sources] for of_seed in cells
        ]
        return of_seeds(
            Oracle(
                name=f"measured-{self.alone.name}{self.suffix}",
                backbone=self.alone.name,
                suite=self.suite,
                transfers=TaskMatrix(self.sources, names, values.mean(axis=0)),
                per_example={p: np.array([of_seed[p].per_example for of_seed in scores]) for p in scores[0]},
                metrics={t.name: t.metric for t in self.tasks},
                groups=members_of_pools(() if self.checkpoints else self.tasks),
                basis="measured",
                tuning=getattr(self.alone, "tuning", "full"),
                sharing=self.sharing,
                row_choice=self.row_choice,
                provenance=self.provenance(workspace),
                max_train_target=self.target_budget if self.apart else None,
            ),
            self.seeds,
            values=values,
            errors=errors,
            gain_errors=np.array(gain_errors),
            no_transfer=np.array([[of_seed[t, t].value for t in names] for of_seed in scores]),
        )


def _plain_origin(origin: Any) -> dict[str, Any]:
    """Return a model's origin as plain values; a hash that it lacks is left out, as in oracles before there was one."""
    return {name: value for name, value in encode(origin).items() if name != "contents" or value is not None}


def target_budget(max_train: int | None, max_train_target: int | None) -> int | None:
    """Return the largest number of training examples of a target: as many as of a source, unless it is said."""
    return max_train if max_train_target is None else max_train_target


def _gain_error(cells: Mapping[tuple[str, str], Training], source: str, target: Task, workspace: Workspace) -> float:
    """Return the standard error of a target's gain from a source, on the same examples; 0 for a task with itself."""
    if source == target.name:
        return 0.0
    pairs = (source, target.name), (target.name, target.name)
    after, alone = (cells[pair].outputs(workspace, target) for pair in pairs)
    return gap_error(target.metric, after, other=alone, evaluation=workspace.dataset(target, "evaluation"))


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
    return replace(oracle, provenance=in_todays_provenance(oracle.name, oracle.provenance))


def in_todays_provenance(name: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what something was measured with as this version of cogbench writes it; `name` is for messages."""
    provenance = dict(provenance)
    try:
        if "backbone" in provenance:
            provenance["backbone"] = upgraded(provenance["backbone"])
        if "model" in provenance:
            provenance["model"] = _plain_origin(decode_record(provenance["model"]))
        for which in {"settings", "settings_target"} & provenance.keys():
            settings = provenance[which].items()
            provenance[which] = {task: encode(decode_record(value)) for task, value in settings}
    except (UnusableData, AttributeError, TypeError) as error:
        raise UnusableData(f"oracle {name!r}: the record of its measurement cannot be read: {error}") from error
    return provenance


def keep_oracle(oracle: Oracle, path: Path) -> Oracle:
    """Write an oracle with the seeds that its file has already, and return it with these."""
    try:
        with locked(path.with_suffix(".lock"), path.parent, f"oracle {oracle.name}"):  # another may add seeds just now
            if path.is_file():
                oracle = merged(in_todays_form(read_oracle(path)), oracle)
            write_oracle(oracle, path)
    except LostStore:
        kept = in_todays_form(read_oracle(path)) if path.is_file() else None
        if kept is None or not _is_same(merged(kept, oracle), kept):
            raise
        return kept
    return oracle


def _is_same(one: Oracle, other: Oracle) -> bool:
    """Whether two oracles have the same seeds and figures, as files write them."""
    plain, kept = plain_oracle(one), plain_oracle(other)
    return all(plain.get(name) == kept.get(name) for name in ("seeds", "by_seed", "evaluation_error"))


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
        return FeatureExtraction(backbone, training, task=target, options=options, max_train=self.budget(target))

    def transfer(self, source: Task, target: Task) -> Training:
        """Return the cell that trains a target from a source's encoder."""
        if isinstance(source, GivenCheckpoint):
            own = source.trained_like(self.backbone)
            return Training(own, Recipe((target,), seed=self.seed, max_train=self.target_budget))
        start = Recipe((source,), seed=self.seed, max_train=self.max_train)
        return Training(self.backbone, Recipe((target,), start, seed=self.seed, max_train=self.target_budget))

    def cheap_trainings(self, source: Task | None, target: Task, options: TransferOptions) -> tuple[Training, ...]:
        """Return the cells of a cheap transfer: a target's few examples after a source, or alone for None."""
        if isinstance(source, GivenCheckpoint):
            own = source.trained_like(self.backbone)
            return cheap_trainings(own, None, target=target, most=self.target_budget, options=options, seed=self.seed)
        start = Recipe((source,), seed=self.seed, max_train=self.max_train) if source is not None else None
        return cheap_trainings(
            self.backbone, start, target=target, most=self.target_budget, options=options, seed=self.seed
        )
