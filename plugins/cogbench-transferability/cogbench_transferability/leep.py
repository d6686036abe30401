"""LEEP and NCE: how much do a source model's own predictions tell of a target's classes?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cogbench import Array, FeatureOptions, hookimpl

from .examples import classes_of, numbered, same_length
from .pairs import ByPairs, Undefined

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class LEEP(ByPairs):
    """Log expected empirical prediction: the likelihood of the target's classes by way of the source's.

    Parameters
    ----------
    features : FeatureOptions
        Which examples.

    References
    ----------
    Nguyen, Hassner, Seeger & Archambeau (2020), LEEP: a new measure to evaluate transferability, ICML.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    name: str = "leep"
    needs: frozenset[str] = frozenset({"features"})

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the log-likelihood of an example, in nats, at most 0; see `leep`."""
        return leep(*_predicted(self.features, evidence, self.name, source, target))


@dataclass(frozen=True)
class NCE(ByPairs):
    """Negative conditional entropy of the target's classes, given the class that the source's model predicts.

    Parameters
    ----------
    features : FeatureOptions
        Which examples.

    References
    ----------
    Tran, Nguyen & Hassner (2019), Transferability and hardness of supervised classification tasks, ICCV.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    name: str = "nce"
    needs: frozenset[str] = frozenset({"features"})

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the negative entropy in nats, at most 0; see `nce`."""
        theta, labels = _predicted(self.features, evidence, self.name, source, target)
        return nce(theta.argmax(axis=1), labels)


def _predicted(
    options: FeatureOptions, evidence: "Evidence", name: str, source: str, target: str
) -> tuple[Array, Array]:
    """Return the source's probabilities of its classes (n_examples, n_classes) and the target's classes."""
    features = evidence.features(source, target, options)
    if not features.probabilities.shape[1]:
        raise Undefined("the source's head does not choose one of several classes")
    return features.probabilities, classes_of(evidence, name, target=target, features=features)


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
    """
    same_length(theta, labels)
    theta, labels = np.asarray(theta, np.float64), numbered(labels)
    if not np.isfinite(theta).all():
        raise Undefined("the source's predictions hold NaN or infinity")
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
