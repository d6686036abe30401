"""Estimators that look at no model: what every other one must beat."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cogbench import (
    Array,
    TaskMatrix,
    UnknownName,
    UnusableData,
    WeightChange,
    hookimpl,
    popularity_baseline,
    size_baseline,
)

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class Random:
    """No preference: all sources tie, so the scores are the exact expectation of random choice."""

    name: str = "random"
    needs: frozenset[str] = frozenset()

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return zeros: (n_sources, n_targets)."""
        return TaskMatrix.square(evidence.tasks, np.zeros((len(evidence.tasks), len(evidence.tasks))))


@dataclass(frozen=True)
class Size:
    """The source with the most training examples: official numbers of rows, of queries for MS MARCO."""

    name: str = "size"
    needs: frozenset[str] = frozenset({"cards"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the logarithm of each source's number of examples, never the sample's: (n_sources, n_targets)."""
        return size_baseline(evidence.tasks, evidence.tasks, {t: card.rows for t, card in evidence.cards.items()})


@dataclass(frozen=True)
class LeastMoved:
    """The source whose training changed the encoder's weights least, whatever the target."""

    name: str = "least-moved"
    needs: frozenset[str] = frozenset({"models"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the negative length of each source's change, relative to the encoder's: (n_sources, n_targets)."""
        moved = [_relative_change(evidence.weight_change(task)) for task in evidence.tasks]
        return _same_for_all_targets(evidence.tasks, -np.array(moved))


@dataclass(frozen=True)
class LeastLearned:
    """The source whose own model learned it least, whatever the target: what a guess must beat that reads models.

    Learning is the distance of the task's metric to that of the best constant answer, as a share of the distance of
    the best metric, 1, to it.
    """

    name: str = "least-learned"
    needs: frozenset[str] = frozenset({"models"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the negative share that each source learned: (n_sources, n_targets)."""
        scores = [evidence.task_scores[task] for task in evidence.tasks]
        learned = [(s.value - s.trivial) / (1 - s.trivial) if s.trivial < 1 else 0.0 for s in scores]
        return _same_for_all_targets(evidence.tasks, -np.array(learned))


def _relative_change(change: WeightChange) -> float:
    """Return the length of the change of all weights, divided by their length before."""
    return float(np.linalg.norm(change.change_norms) / np.linalg.norm(change.initial_norms))


def _same_for_all_targets(tasks: tuple[str, ...], column: Array) -> TaskMatrix:
    return TaskMatrix.square(tasks, np.tile(column[:, None], (1, len(tasks))))


@dataclass(frozen=True)
class Popularity:
    """The source that serves the other targets best, by the oracle's own transfers to them.

    It needs no more than the oracle, so it shows how much of a score comes from sources that serve every target.
    """

    name: str = "popularity"
    needs: frozenset[str] = frozenset({"oracle"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the negative mean oracle rank of each source on the other targets: (n_sources, n_targets)."""
        return popularity_baseline(evidence.oracle)


@dataclass(frozen=True)
class OtherPLM:
    """Another backbone's transfers as a guess at this one's: how far the two oracles agree.

    Parameters
    ----------
    oracle : str, optional
        The other oracle; by default the first of the suite that is not the one scored against.
    """

    oracle: str | None = None
    name: str = "other-plm"
    needs: frozenset[str] = frozenset({"oracle"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the other oracle's transfers, larger is better: (n_sources, n_targets), each target in its own metric.

        Raises
        ------
        UnusableData, UnknownName
            If no other oracle knows these tasks, or the one asked for does not.
        """
        others = evidence.oracles
        if not others:
            raise UnusableData(f"{self.name}: no other installed oracle knows these tasks.")
        if self.oracle is not None and self.oracle not in others:
            raise UnknownName.of("oracle of these tasks", self.oracle, [*others])
        chosen = others[self.oracle or next(iter(others))]
        evidence.note(f"{self.name}: the transfers of {chosen.name}.")
        return chosen.oriented


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [Random(), Size(), LeastMoved(), LeastLearned(), Popularity(), OtherPLM()]
