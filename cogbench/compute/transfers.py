"""Source → target scores, measured: the trainings of an oracle, and the oracle of these trainings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np

from ..data.oracle import Oracle, TaskMatrix
from ..data.oracle_seeds import of_seeds
from ..errors import UnusableData
from ..parts.codec import decode_record, encode
from ..parts.fingerprint import harness_version, upgraded
from ..parts.interfaces import Backbone, Recipe, Task
from .cells import Training, trained_as
from .workspace import Workspace


def trainings(
    backbone: Backbone, tasks: Sequence[Task], seed: int, max_train: int | None, keep: bool = False
) -> dict[tuple[str, str], Training]:
    """Return the cells of a measured oracle: (target, target) trains a task alone, (source, target) transfers."""
    alone = {t.name: Recipe((t,), seed=seed, max_train=max_train) for t in tasks}
    return {
        (s.name, t.name): Training(backbone, replace(alone[t.name], start=None if s is t else alone[s.name]), keep)
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

    def cells(self) -> list[Training]:
        """Return the trainings of all seeds."""
        asked = (trainings(self.backbone, self.tasks, s, self.max_train, self.keep) for s in self.seeds)
        return [cell for of in asked for cell in of.values()]

    def provenance(self, workspace: Workspace) -> dict[str, Any]:
        """Return what the figures were measured with, as plain values."""
        alone = [Training(self.backbone, Recipe((t,), max_train=self.max_train)) for t in self.tasks]
        return {
            "cogbench": harness_version() or "",
            "torch": metadata.version("torch"),
            "backbone": json.loads(json.dumps(trained_as(self.backbone, workspace))),
            "model": encode(self.backbone.origin(workspace.files)),
            "max_train": self.max_train,
            "settings": {c.recipe.task.name: encode(c.filled(workspace).settings) for c in alone},
            "data": {t.name: [workspace.dataset(t, s).sha256 for s in ("train", "evaluation")] for t in self.tasks},  # type: ignore[arg-type]
        }

    def oracle(self, workspace: Workspace) -> Oracle:
        """Return the oracle of these trainings, computing what is missing."""
        return workspace.once(self, lambda: self._measured(workspace))

    def _measured(self, workspace: Workspace) -> Oracle:
        names = tuple(t.name for t in self.tasks)
        cells = [trainings(self.backbone, self.tasks, seed, self.max_train) for seed in self.seeds]
        found = [{pair: cell.score(workspace) for pair, cell in of.items()} for of in cells]
        values, errors = (
            np.array([[[getattr(f[s, t], what) for t in names] for s in names] for f in found])  # (seed, s, t)
            for what in ("value", "standard_error")
        )
        return of_seeds(
            Oracle(
                name=f"measured-{self.backbone.name}",
                backbone=self.backbone.name,
                suite=self.suite,
                transfers=TaskMatrix.square(names, values.mean(axis=0)),
                per_example={p: np.array([f[p].per_example for f in found]) for p in found[0]},
                metrics={t.name: t.metric for t in self.tasks},
                basis="measured",
                provenance=self.provenance(workspace),
            ),
            self.seeds,
            values,
            errors,
        )


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
            provenance["model"] = encode(decode_record(provenance["model"]))
        if "settings" in provenance:
            settings = provenance["settings"].items()
            provenance["settings"] = {task: encode(decode_record(value)) for task, value in settings}
    except (UnusableData, AttributeError, TypeError) as error:
        raise UnusableData(f"oracle {oracle.name!r}: what it was measured with cannot be read: {error}") from error
    return replace(oracle, provenance=provenance)
