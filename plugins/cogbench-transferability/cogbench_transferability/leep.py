"""LEEP and NCE: how much do a source model's own predictions tell of a target's classes?"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, TaskMatrix, UnusableData, hookimpl

from .examples import classes_of, numbered, same_length
from .linear import dealt
from .pairs import ByPairs, Undefined

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Correction = Literal["none", "shuffled", "held-out"]
SHUFFLES = 20  # whose mean counts; fewer would add noise to it, of the size of the score's own error


class ByPredictions(ByPairs):
    """A score of a source's predictions, which may be corrected for how many classes the source has."""

    features: FeatureOptions
    correct: Correction

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the (n_sources, n_targets) scores; NaN where undefined, and notes on that and on classes."""
        matrix = super().similarity(evidence)
        defined = {  # a target with a score, for each source that has one
            source: matrix.targets[int(np.isfinite(row).argmax())]
            for source, row in zip(matrix.sources, matrix.values, strict=True)
            if np.isfinite(row).any()
        }
        heads = [evidence.features(*pair, self.features).probabilities for pair in defined.items()]
        sizes = sorted(probabilities.shape[1] for probabilities in heads)
        if self.correct == "none" and sizes and sizes[0] < sizes[-1]:
            evidence.note(
                f"{self.name}: sources have {sizes[0]} to {sizes[-1]} classes, and the score favours those with many; "
                f"{self.name}.correct=shuffled takes out what they would have by chance."
            )
        return matrix


@dataclass(frozen=True)
class LEEP(ByPredictions):
    """Log expected empirical prediction: the likelihood of the target's classes by way of the source's.

    With θ_i(z) the source's probability of its class z for example i, and P(y|z) = Σ_{i: y_i = y} θ_i(z) / Σ_i θ_i(z),
    LEEP = Σ_i log Σ_z P(y_i|z) θ_i(z) / n. It costs a pass of each source's model over each target's examples, shared
    with the other scores of features.

    Parameters
    ----------
    features : FeatureOptions
        Which examples.
    correct : {"none", "shuffled", "held-out"}
        The score favours sources with many classes: with few examples these fit them by chance. "shuffled" subtracts
        the mean score of shuffled answers; "held-out" learns how classes go together on one half of the examples and
        scores on the other, and the other way round.

    References
    ----------
    Nguyen, Hassner, Seeger & Archambeau (2020), LEEP: a new measure to evaluate transferability, ICML.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    correct: Correction = "none"
    name: str = "leep"
    needs: frozenset[str] = frozenset({"features"})

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the log-likelihood of an example, in nats, at most 0 unless it is corrected; see `leep`."""
        theta, labels = _predicted(self.features, evidence, self.name, source, target)
        return corrected(leep, theta, labels, self.correct)


@dataclass(frozen=True)
class NCE(ByPredictions):
    """Negative conditional entropy of the target's classes, given the class that the source's model predicts.

    With P(y, z) the share of examples of class y for which the source predicts z, NCE = Σ_{y, z} P(y, z) log P(y|z). It
    costs what LEEP costs.

    Parameters
    ----------
    features : FeatureOptions
        Which examples.
    correct : {"none", "shuffled", "held-out"}
        The score favours sources with many classes: with few examples these fit them by chance. "shuffled" subtracts
        the mean score of shuffled answers; "held-out" learns how classes go together on one half of the examples and
        scores on the other, and the other way round.

    References
    ----------
    Tran, Nguyen & Hassner (2019), Transferability and hardness of supervised classification tasks, ICCV.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    correct: Correction = "none"
    name: str = "nce"
    needs: frozenset[str] = frozenset({"features"})

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the negative entropy in nats, at most 0 unless it is corrected; see `nce`."""
        theta, labels = _predicted(self.features, evidence, self.name, source, target)
        if self.correct == "held-out":  # of certain predictions LEEP is NCE
            return held_out(np.eye(theta.shape[1])[theta.argmax(axis=1)], labels)
        return corrected(nce, theta.argmax(axis=1), labels, self.correct)


def _predicted(
    options: FeatureOptions, evidence: "Evidence", name: str, source: str, target: str
) -> tuple[Array, Array]:
    """Return the source's probabilities of its classes (n_examples, n_classes) and the target's classes."""
    features = evidence.features(source, target, options)
    if not features.probabilities.shape[1]:
        raise Undefined("the source's head does not choose one of several classes")
    return features.probabilities, classes_of(evidence, name, target=target, features=features)


def corrected(
    score: Callable[[Array, Array], float], predictions: Array, labels: Array, correct: Correction = "none"
) -> float:
    """Return a score of predictions (n_examples, …) and labels (n_examples,), corrected as `LEEP` says.

    Corrected by shuffling, a score is 0 in expectation for a source that knows nothing, whatever its classes.
    """
    if correct == "held-out":
        return held_out(predictions, labels)
    value = score(predictions, labels)
    if correct == "none":
        return value
    rng = np.random.default_rng(0)
    labels = np.asarray(labels)
    return value - float(np.mean([score(predictions, rng.permutation(labels)) for _ in range(SHUFFLES)]))


def held_out(theta: Array, labels: Array) -> float:
    """Return LEEP of examples that did not tell how classes go together, in nats, at most 0.

    Each half of the examples is scored by P(y|z) of the other half: the share of class y in what is predicted as z,
    to which one example with the shares of the classes is added, so that nothing has the probability 0.

    Parameters
    ----------
    theta : array of shape (n_examples, n_source_classes)
    labels : array of shape (n_examples,)

    Raises
    ------
    Undefined
        As `leep`, or if a class has a single example, so that one half does not know it.
    """
    theta, labels = _checked(theta, labels)
    if np.bincount(labels).min() < 2:
        raise Undefined("a class has a single example")
    halves = dealt(labels, True, 2, np.random.default_rng(0))
    total = 0.0
    for half, other in (halves, halves[::-1]):
        counts = np.stack([theta[half][labels[half] == y].sum(axis=0) for y in range(labels.max() + 1)])  # (y, z)
        shares = np.bincount(labels[half]) / len(half)
        given = (counts + shares[:, None]) / (counts.sum(axis=0) + 1)
        total += np.log((given[labels[other]] * theta[other]).sum(axis=1)).sum()
    return float(total / len(labels))


def _checked(theta: Array, labels: Array) -> tuple[Array, Array]:
    """Return probabilities in float64 and the numbers of classes; Undefined or UnusableData where they are none."""
    same_length(theta, labels)
    theta, labels = np.asarray(theta, np.float64), numbered(labels)
    if not np.isfinite(theta).all():
        raise Undefined("the source's predictions hold NaN or infinity")
    if (theta < 0).any() or (np.abs(theta.sum(axis=1) - 1) > 1e-3).any():
        raise UnusableData("the predictions of an example are no probabilities: they must sum to 1.")
    return theta, labels


def leep(theta: Array, labels: Array) -> float:
    """Return the mean logarithm of a target's classes' probabilities, through the source's predictions.

    Parameters
    ----------
    theta : array of shape (n_examples, n_source_classes)
        Probabilities of the source's classes.
    labels : array of shape (n_examples,)
        The target's classes.

    Raises
    ------
    Undefined
        If the target's examples are of one class or have none, or the probabilities hold NaN.
    UnusableData
        If the probabilities of an example do not sum to 1.
    """
    theta, labels = _checked(theta, labels)
    joint = np.stack([theta[labels == y].sum(axis=0) for y in range(labels.max() + 1)]) / len(labels)  # (y, z)
    mass = joint.sum(axis=0)
    given = joint[:, mass > 0] / mass[mass > 0]  # a class that is never predicted says nothing
    return float(np.log((given[labels] * theta[:, mass > 0]).sum(axis=1)).mean())


def nce(predicted: Array, labels: Array) -> float:
    """Return minus the entropy of labels (n_examples,), given the source's predicted classes (n_examples,), in nats."""
    same_length(predicted, labels)
    labels = numbered(labels)
    joint = np.zeros((labels.max() + 1, int(np.max(predicted)) + 1))  # (y, z)
    np.add.at(joint, (labels, predicted), 1 / len(labels))
    given = joint / np.where((mass := joint.sum(axis=0)) > 0, mass, 1)
    return float((joint[joint > 0] * np.log(given[joint > 0])).sum())


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [LEEP(), NCE()]
