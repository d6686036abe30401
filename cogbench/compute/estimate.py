"""An estimator's answer: its matrix, its notes and details; and what it may ask for on the way."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.dataset import Split
from ..data.oracle import Oracle, TaskMatrix
from ..errors import UnusableData, expected
from ..parts.interfaces import Estimator, Evidence
from ..storage.hashes import digest

# What shows an estimator a task's training examples, or a model that was trained on them.
EXAMPLES = frozenset({"representations", "features", "backbone-features", "models", "batches", "texts"})
LOOKS = frozenset({"models", "features", "backbone", "backbone-features"})  # at the bare backbone, or at task scores


class LazyMapping(Mapping[str, Any]):
    """A mapping with known keys whose values are made when asked for, once."""

    def __init__(self, names: tuple[str, ...], make: Callable[[str], Any]) -> None:
        self._names, self._make, self._made = names, make, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Inquiry:
    """What an estimator may ask of its evidence, by its `needs`, and the notes and details that it leaves.

    Parameters
    ----------
    estimator : Estimator
        The estimator that asks.
    """

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator
        self.notes: list[str] = []
        self.details: dict[str, Any] = {}

    def allow(self, *either: str) -> None:
        """Raise UnusableData unless the estimator's `needs` name one of these."""
        if not {*either} & self._estimator.needs:
            raise UnusableData(
                f"estimator {self._estimator.name!r} asks for {either[0]!r}, which its `needs` does not name: "
                f"{sorted(self._estimator.needs)}."
            )

    def allow_split(self, split: Split) -> None:
        """Raise UnusableData for the evaluation split, on which the oracle is scored, unless `needs` names it."""
        if split == "evaluation":
            self.allow("evaluation")

    def note(self, text: str) -> None:
        """Add a line for the reader of the result, once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimator's matrix for the tasks that it was asked for, and what it left for readers and for machines."""

    matrix: TaskMatrix
    notes: tuple[str, ...]
    details: dict[str, Any]

    def save(self, out: Path) -> None:
        """Write the estimate into the folder of its cell."""
        np.save(out / "similarity.npy", self.matrix.values)
        (out / "notes.json").write_text(
            json.dumps({"tasks": self.matrix.sources, "notes": self.notes, "details": self.details})
        )

    @classmethod
    def load(cls, folder: Path, sources: Sequence[str], targets: Sequence[str]) -> "Estimate":
        """Read the estimate of these tasks from the folder of its cell."""
        beside = json.loads((folder / "notes.json").read_text())
        matrix = TaskMatrix(tuple(sources), tuple(targets), np.load(folder / "similarity.npy"))
        return cls(matrix, tuple(beside["notes"]), beside.get("details", {}))


def joined(estimates: Sequence[Estimate]) -> Estimate:
    """Return the estimate whose columns are those of estimates of one target each, of the same sources.

    A note that all of them have stands once, any other beside its target; details stand under `by_target`.
    """
    targets = tuple(estimate.matrix.targets[0] for estimate in estimates)
    values = np.concatenate([estimate.matrix.values for estimate in estimates], axis=1)
    common = [note for note in estimates[0].notes if all(note in estimate.notes for estimate in estimates)]
    own = [
        f"for target {target}: {note}"
        for target, estimate in zip(targets, estimates, strict=True)
        for note in estimate.notes
        if note not in common
    ]
    details = {target: estimate.details for target, estimate in zip(targets, estimates, strict=True)}
    return Estimate(
        TaskMatrix(estimates[0].matrix.sources, targets, values),
        (*common, *own),
        {"by_target": details} if any(details.values()) else {},
    )


def matrix_from(estimator: Estimator, evidence: Evidence) -> TaskMatrix:
    """Return the estimator's matrix; raise UnusableData if it answers with anything else."""
    return expected(estimator.similarity(evidence), TaskMatrix, f"estimator {estimator.name!r}: similarity()")


def ranks_nothing(matrix: TaskMatrix) -> str:
    """Return in words why a matrix ranks the sources of no target; nothing if it ranks those of any."""
    finite = np.isfinite(matrix.values)
    if not finite.any():
        return "no pair of tasks has a score, so that the ranking is chance"
    low, high = (f(matrix.values, axis=0, where=finite, initial=i) for f, i in ((np.min, np.inf), (np.max, -np.inf)))
    if (finite.sum(axis=0) > 1).any() and not (high > low).any():
        return "all sources of a target have the same score, so that the ranking is chance"
    return ""


def estimate_from(estimator: Estimator, evidence: Evidence, inquiry: Inquiry) -> Estimate:
    """Return the estimator's answer to this evidence, for its sources and targets in their order.

    Raises
    ------
    UnusableData
        If the estimator answers for other tasks, or with anything but a matrix.
    """
    matrix = matrix_from(estimator, evidence)
    if words := ranks_nothing(matrix):
        inquiry.note(words)
    wrong = {*matrix.targets, *matrix.sources} - {*evidence.tasks}
    if wrong or {*evidence.targets} - {*matrix.targets} or {*evidence.sources} - {*matrix.sources}:
        raise UnusableData(f"estimator {estimator.name!r} answered for other tasks than it was asked for.")
    return Estimate(matrix.part(evidence.sources, evidence.targets), tuple(inquiry.notes), inquiry.details)


def oracle_content(oracle: Oracle) -> list[Any]:
    """Return what stands in keys for an oracle."""
    matrix = oracle.oriented
    return [oracle.name, matrix.sources, matrix.targets, digest(matrix.values.tobytes().hex())]
