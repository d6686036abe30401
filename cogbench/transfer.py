"""Source → target scores, measured: the trainings of an oracle, and the oracle of these trainings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np

from .cells import Training, Workspace
from .identity import harness_version
from .oracles import of_seeds
from .parts import Backbone, Task, encode
from .records import Oracle, Recipe, TaskMatrix


def trainings(
    backbone: Backbone, tasks: Sequence[Task], seed: int, max_train: int | None
) -> dict[tuple[str, str], Training]:
    """Return the cells of a measured oracle: (target, target) trains a task alone, (source, target) transfers."""
    alone = {t.name: Recipe((t,), seed=seed, max_train=max_train) for t in tasks}
    return {
        (s.name, t.name): Training(backbone, replace(alone[t.name], start=None if s is t else alone[s.name]))
        for s in tasks
        for t in tasks
    }


@dataclass(frozen=True)
class Transfers:
    """An oracle that is measured: the trainings it comes from."""

    backbone: Backbone
    tasks: tuple[Task, ...]
    suite: str
    seeds: tuple[int, ...] = (0,)
    max_train: int | None = None

    def cells(self) -> list[Training]:
        """Return the trainings of all seeds."""
        return [c for s in self.seeds for c in trainings(self.backbone, self.tasks, s, self.max_train).values()]

    def oracle(self, workspace: Workspace) -> Oracle:
        """Return the oracle of these trainings, computing what is missing."""
        how: dict[str, Any] = {"suite": self.suite, "seeds": self.seeds, "max_train": self.max_train}
        return workspace.once(self, lambda: measured(self.backbone, self.tasks, workspace, **how))


def source_of(seeds: Sequence[int], max_train: int | None) -> str:
    """Return how an oracle came about, in words."""
    few = f" and at most {max_train} training examples" if max_train else ""
    return f"measured by cogbench with seeds {', '.join(map(str, seeds))}{few}"


def measured(
    backbone: Backbone,
    tasks: Sequence[Task],
    workspace: Workspace,
    *,
    suite: str,
    seeds: Sequence[int] = (0,),
    max_train: int | None = None,
) -> Oracle:
    """Return the oracle of these tasks from its cells, computing what is missing; `per_example` is a mean of seeds."""
    names = tuple(t.name for t in tasks)
    cells = [trainings(backbone, tasks, seed, max_train) for seed in seeds]
    found = [{pair: cell.score(workspace) for pair, cell in of.items()} for of in cells]
    values, errors = (
        np.array([[[getattr(f[s, t], what) for t in names] for s in names] for f in found])  # (seed, s, t)
        for what in ("value", "standard_error")
    )
    alone = [cells[0][name, name] for name in names]
    return of_seeds(
        Oracle(
            name=f"measured-{backbone.name}",
            backbone=backbone.name,
            suite=suite,
            transfers=TaskMatrix.square(names, values.mean(axis=0)),
            per_example={p: np.mean([f[p].per_example for f in found], axis=0) for p in found[0]},
            metrics={t.name: t.metric for t in tasks},
            kind="measured",
            source=source_of(seeds, max_train),
            provenance={
                "cogbench": harness_version() or "",
                "torch": metadata.version("torch"),
                "model": encode(backbone.source(workspace.files)),
                "max_train": max_train,
                "settings": {name: encode(c.filled(workspace).settings) for name, c in zip(names, alone, strict=True)},
                "data": {t.name: [workspace.dataset(t, s).sha256 for s in ("train", "evaluation")] for t in tasks},  # type: ignore[arg-type]
            },
        ),
        seeds,
        values,
        errors,
    )
