"""A linear model on features, which have mean 0 and spread 1 where it learns: logistic regression, or ridge."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from cogbench import Array


@dataclass(frozen=True, eq=False)
class LinearModel:
    """What `linear_model` learned: of features less `centre` (n_dims,), divided by `scale` (n_dims,)."""

    model: Any
    centre: Array
    scale: Array

    def predict(self, features: Array) -> Array:
        """Return a class or a number for each row of features (n_examples, n_dims): (n_examples,)."""
        return self.model.predict((features - self.centre) / self.scale)

    def log_probabilities(self, features: Array) -> Array:
        """Return the log-probabilities of the classes that it learned, in their order: (n_examples, n_classes)."""
        from scipy.special import log_softmax

        decisions = self.model.decision_function((features - self.centre) / self.scale)
        if decisions.ndim == 1:  # of two classes, the logarithm of the ratio of their probabilities
            decisions = np.stack([np.zeros(len(decisions)), decisions], axis=1)
        return log_softmax(decisions, axis=1)  # the logarithm of a probability of 0 would be no number


@contextmanager
def many_classes() -> Iterator[None]:
    """Pass over the question of scikit-learn whether classes are numbers, where they are many for so few examples."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        yield


@many_classes()
def linear_model(features: Array, answers: Array, classes: bool, penalty: float = 1.0) -> LinearModel:
    """Fit a linear model to features (n_examples, n_dims) and answers (n_examples,).

    Parameters
    ----------
    features, answers : arrays
    classes : bool
        Logistic regression, which minimises the sum of -log p and half the penalty times the squared weights, one
        vector of weights for each class, or a single one for two classes; otherwise ridge regression, which minimises
        the sum of squared errors and the penalty times the squared weights. The intercept is free.
    penalty : float
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    varying = np.ptp(features, axis=0) > 0  # a standard deviation of equal numbers may be a rounding, and not 0
    scale = np.where(varying, features.std(axis=0), 1)
    centre = np.where(varying, features.mean(axis=0), features[0])
    model = LogisticRegression(C=1 / penalty, max_iter=2000, tol=1e-6) if classes else Ridge(alpha=penalty)
    return LinearModel(model.fit((features - centre) / scale, answers), centre, scale)


def rightness(given: Array, answers: Array, classes: bool) -> float:
    """Return the share of right answers among those given (n_examples,), or of numbers R² = 1 - SSE/SST, at most 1.

    NaN where the numbers to be answered are all equal.
    """
    if classes:
        return float((given == answers).mean())
    centred = answers - answers.mean()
    if not (largest := np.abs(centred).max()):
        return np.nan
    # Divided first: squares of 1e-200 would vanish.
    return float(1 - np.square((given - answers) / largest).sum() / np.square(centred / largest).sum())


def dealt(answers: Array, classes: bool, n: int, rng: np.random.Generator) -> list[Array]:
    """Deal the places of examples out to n parts, as cards, class by class: a list of (n_part,), ordered."""
    order = rng.permutation(len(answers))
    if classes:
        order = order[np.argsort(answers[order], kind="stable")]
    return [np.sort(order[part::n]) for part in range(n)]
