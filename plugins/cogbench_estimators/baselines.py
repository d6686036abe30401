"""Estimators that look at no model: what every other one must beat."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cogbench import (
    Array,
    Estimator,
    TaskMatrix,
    UnknownName,
    UnusableData,
    WeightChange,
    hookimpl,
    popularity_baseline,
    size_baseline,
)

if TYPE_CHECKING:
    from cogbench import Evidence


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
        The other oracle, or a family, whose mean counts then; by default the first of the suite that is not the one
        scored against.
    """

    oracle: str | None = None
    name: str = "other-plm"
    needs: frozenset[str] = frozenset({"oracle"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the other oracle's transfers, larger is better: (n_sources, n_targets), each target in its own metric.

        Raises
        ------
        UnusableData, UnknownName
            If no other oracle knows these tasks, the one asked for does not, or those of a family are in different
            metrics.
        """
        others = evidence.oracles
        if not others:
            raise UnusableData(f"{self.name}: no other installed oracle knows these tasks.")
        named = self.oracle or next(iter(others))
        chosen = [others[named]] if named in others else [oracle for oracle in others.values() if oracle.suite == named]
        if not chosen:
            families = {oracle.suite for oracle in others.values()}
            raise UnknownName.of("oracle of these tasks", named, [*others, *families])
        first = chosen[0]
        for oracle, target in product(chosen, first.transfers.targets):
            both = [(one.metrics.get(target, ""), one.better.get(target, "higher")) for one in (first, oracle)]
            if both[0] != both[1]:
                raise UnusableData(
                    f"{self.name}: the oracles of {named} have different metrics of {target}, {both[0][0]} in "
                    f"{first.name} and {both[1][0]} in {oracle.name}: name one of them."
                )
        evidence.note(f"{self.name}: the transfers of {', '.join(oracle.name for oracle in chosen)}.")
        mean = np.mean([oracle.oriented.values for oracle in chosen], axis=0)
        return TaskMatrix(first.transfers.sources, first.transfers.targets, mean)


@dataclass(frozen=True)
class Pivot:
    """The source that changes other targets most, and similarity by way of these: TaskShop's use of pivots.

    An estimate is a mean over pivots, the targets but the source and the one that is guessed: of how much the source
    brings the pivot, compared with its other sources and in their standard deviations, and of the pivot's similarity to
    the target, where a member of this estimator says it.

    Parameters
    ----------
    members : tuple of Estimator
        At most one, whose matrix says how similar tasks are; none for transfers alone.
    share : float
        Of the pivots in the estimate; the rest is the similarity of source and target. TaskShop has .7.

    References
    ----------
    Kim, Asai, Ilharco & Hajishirzi (2023), TaskWeb: selecting better source tasks for multi-task NLP, EMNLP.
    """

    members: tuple[Any, ...] = ()
    share: float = 0.7
    name: str = "pivot"
    needs: frozenset[str] = frozenset({"oracle"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the estimates: (n_sources, n_targets).

        Raises
        ------
        UnusableData
            If there are several members, or fewer than two targets.
        """
        oracle = evidence.oracle.oriented
        if len(self.members) > 1 or len(oracle.targets) < 2 or not 0 <= self.share <= 1:
            raise UnusableData(f"{self.name}: expected at most one member, a share from 0 to 1, and two targets.")
        changes = _standardised(oracle.values)  # (s, t)
        usable = np.isfinite(changes)
        # Of each target the mean over the other targets; the target's own column is taken out.
        total, count = np.where(usable, changes, 0).sum(axis=1, keepdims=True), usable.sum(axis=1, keepdims=True)
        rest, n = total - np.where(usable, changes, 0), count - usable
        brought = np.divide(rest, n, out=np.full(rest.shape, np.nan), where=n > 0)
        if not self.members:
            return TaskMatrix(oracle.sources, oracle.targets, brought)
        matrix = evidence.similarity(self.members[0])
        if lost := {*oracle.targets} - {*matrix.sources}:
            raise UnusableData(f"{self.name}: {self.members[0].name} says nothing of {min(lost)} as a pivot.")
        direct = _standardised(matrix.part(oracle.sources, oracle.targets).values)
        to_target = _standardised(matrix.part(oracle.targets, oracle.targets).values)  # (pivots, t)
        mixed = np.full(brought.shape, np.nan)
        for i, j in np.argwhere(np.isfinite(brought)):
            pivots = usable[i] & np.isfinite(to_target[:, j])
            pivots[j] = False
            if pivots.any():
                mixed[i, j] = (changes[i, pivots] + to_target[pivots, j]).mean() / 2
        return TaskMatrix(oracle.sources, oracle.targets, self.share * mixed + (1 - self.share) * direct)


def _standardised(values: Array) -> Array:
    """Return scores less their target's mean, in its standard deviations: (n_sources, n_targets), 0 without spread."""
    defined = np.isfinite(values)
    n = np.maximum(defined.sum(axis=0), 1)
    centred = np.where(defined, values - np.where(defined, values, 0).sum(axis=0) / n, 0)
    spread = np.sqrt(np.square(centred).sum(axis=0) / n)
    return np.where(defined, np.divide(centred, spread, out=np.zeros(values.shape), where=spread > 0), np.nan)


@hookimpl
def register_estimators() -> Iterable[Estimator]:
    return [Random(), Size(), LeastMoved(), LeastLearned(), Popularity(), OtherPLM(), Pivot()]
