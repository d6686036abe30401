"""One score of several estimators', with weights that are chosen by what is known of other targets."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from cogbench import Array, Estimator, Recording, TaskMatrix, UnusableData, hookimpl

from .logme import LogME
from .pairs import spearman
from .textemb import TextEmb

if TYPE_CHECKING:
    from cogbench import Evidence, Oracle

MOST_WEIGHTS = 20_000  # each of them is correlated with the transfers to each target: half a minute for twelve tasks


@dataclass(frozen=True)
class Ensemble:
    """Weighted mean of estimators' standardised scores; the weights of a target serve the other targets best.

    Each member's scores of a target have mean 0 and spread 1. Of a grid of weights that sum to 1, those are taken whose
    mean Spearman correlation with the transfers to all other targets is largest: no transfer to the target is looked
    at. It knows transfers and is marked †. It costs what the members cost, and the oracle of the other targets.

    Parameters
    ----------
    members : tuple of str or Estimator
        What is combined: at least two. A run puts the installed estimators in the place of their names, as in
        `--set ensemble.members=cra:taskemb:logme`.
    steps : int
        A weight is a multiple of 1 / steps.

    References
    ----------
    Chosen weights are those of stacked generalisation, Wolpert (1992), Neural Networks 5, on a grid; that they are
    chosen on other targets is a choice made here. `fuse` needs no weights.
    """

    members: tuple[Any, ...] = (TextEmb(), LogME())
    steps: int = 10
    name: str = "ensemble"

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            names = [m if isinstance(m, str) else m.name for m in self.members]
            raise UnusableData(
                f"{self.name}: members={':'.join(names)}; expected two or more, as in members=cra:logme."
            )
        if self.steps < 1:
            raise UnusableData(f"{self.name}: steps={self.steps}; expected at least 1.")
        if (n := comb(self.steps + len(self.members) - 1, self.steps)) > MOST_WEIGHTS:
            raise UnusableData(
                f"{self.name}: steps={self.steps} for {len(self.members)} members are {n} combinations of weights, and "
                f"{MOST_WEIGHTS} are tried at most: take fewer members or fewer steps."
            )

    @property
    def needs(self) -> frozenset[str]:
        """What any of the members asks for, and the transfers to other targets."""
        return frozenset({"oracle"}).union(*(m.needs for m in self.members if isinstance(m, Estimator)))

    def refuse(self, recording: Recording) -> None:
        """Raise UnusableData for a signal that a member cannot use."""
        for member in self.members:
            if hasattr(member, "refuse"):
                member.refuse(recording)

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the (n_sources, n_targets) weighted means; NaN where no member gives an estimate, and a note.

        Raises
        ------
        UnusableData
            If members are names, or not all targets of the oracle are asked for, or there are fewer than two.
        """
        if names := [m for m in self.members if isinstance(m, str)]:
            raise UnusableData(f"{self.name}: {', '.join(names)} are names; outside a run, give the estimators.")
        oracle = evidence.oracle
        sources, targets = oracle.transfers.sources, oracle.transfers.targets
        if len(targets) < 2:
            raise UnusableData(f"{self.name}: weights are chosen by the other targets, and there is one alone.")
        if missing := {*targets} - {*evidence.targets}:
            raise UnusableData(
                f"{self.name}: weights are chosen by the other targets, and {min(missing)} is not asked for; all "
                "targets of the oracle must be, with one budget of examples."
            )
        matrices = [evidence.similarity(member).part(sources, targets) for member in self.members]
        scores = np.stack([standardised(matrix.values) for matrix in matrices])  # (n_members, n_sources, n_targets)
        for member, values in zip(self.members, scores, strict=True):
            if n := int((np.isnan(values) & ~matrices[0].same).sum()):
                evidence.note(f"{self.name}: {member.name} gives no estimate for {n} pairs; the others decide there.")
        weights = grid(len(scores), self.steps)  # (n_weights, n_members)
        mixed = np.stack([combined(scores, w) for w in weights])  # (n_weights, n_sources, n_targets)
        agreement = correlations(mixed, oracle)  # (n_weights, n_targets)
        values, taken = np.full(oracle.transfers.values.shape, np.nan), {}
        for j, target in enumerate(targets):
            best = best_weights(np.delete(agreement, j, axis=1))
            values[:, j] = mixed[best, :, j]
            taken[target] = [round(float(w), 6) for w in weights[best]]
        evidence.detail("weights", {"members": [m.name for m in self.members], "by_target": taken})
        return TaskMatrix(sources, targets, values)


def standardised(values: Array) -> Array:
    """Return scores (n_sources, n_targets) of mean 0 and spread 1 for each target, 0 where they do not vary."""
    defined = np.isfinite(values)
    n = np.maximum(defined.sum(axis=0), 1)
    centred = np.where(defined, values - np.where(defined, values, 0).sum(axis=0) / n, 0)
    spread = np.sqrt(np.square(centred).sum(axis=0) / n)
    scaled = np.divide(centred, spread, out=np.zeros(values.shape), where=spread > 0)
    return np.where(defined, scaled, np.nan)


def grid(n_members: int, steps: int) -> Array:
    """Return all weights (n_weights, n_members) that are multiples of 1 / steps and sum to 1, the most even ones first.

    The most even are first, so that they win where several do equally well.
    """
    last = steps + n_members - 1  # of so many places, bars take n_members - 1; a weight is the places between two bars
    bars = ((-1, *places, last) for places in combinations(range(last), n_members - 1))
    weights = [tuple(b - a - 1 for a, b in zip(each, each[1:], strict=False)) for each in bars]
    ordered = sorted(weights, key=lambda w: (sum(x * x for x in w), [-x for x in w]))
    return np.array(ordered) / steps


def combined(scores: Array, weights: Array) -> Array:
    """Return the weighted mean over members of scores (n_members, n_sources, n_targets); a missing one is left out."""
    defined = np.isfinite(scores)
    share = (weights[:, None, None] + 1e-9) * defined  # where the members with weight have no score, the others have
    total = share.sum(axis=0)
    sums = (share * np.where(defined, scores, 0)).sum(axis=0)
    return np.where(total > 0, np.divide(sums, total, out=np.zeros(sums.shape), where=total > 0), np.nan)


def correlations(mixed: Array, oracle: "Oracle") -> Array:
    """Return Spearman's correlation of scores (n_weights, n_sources, n_targets) with transfers: (n_weights, n_targets).

    Over the sources that both have; NaN where fewer than three, or all equal.
    """
    transfers = oracle.oriented.values
    agreement = np.full((len(mixed), transfers.shape[1]), np.nan)
    for j in range(transfers.shape[1]):
        for i in range(len(mixed)):
            both = np.isfinite(transfers[:, j]) & np.isfinite(mixed[i, :, j])
            agreement[i, j] = spearman(mixed[i, both, j], transfers[both, j])
    return agreement


def best_weights(agreement: Array) -> int:
    """Return the row of (n_weights, n_targets) whose mean over targets is largest; the first where none is known."""
    finite = np.isfinite(agreement)
    means = np.where(finite, agreement, 0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
    return int(np.argmax(means > means.max() - 1e-12)) if finite.any() else 0


@hookimpl
def register_estimators() -> Iterable[Estimator]:
    return [Ensemble()]
