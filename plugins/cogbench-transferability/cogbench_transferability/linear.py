"""A linear model on features, which have mean 0 and spread 1 where it learns: logistic regression, or ridge."""

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
        return self.model.predict_log_proba((features - self.centre) / self.scale)


def linear_model(features: Array, answers: Array, classes: bool, penalty: float = 1.0) -> LinearModel:
    """Fit a linear model to features (n_examples, n_dims) and answers (n_examples,).

    Parameters
    ----------
    features, answers : arrays
    classes : bool
        Logistic regression, which minimises the sum of -log p and half the penalty times the squared weights; otherwise
        ridge regression, which minimises the sum of squared errors and the penalty times the squared weights. The
        intercept is free.
    penalty : float
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    varying = np.ptp(features, axis=0) > 0  # a standard deviation of equal numbers may be a rounding, and not 0
    scale = np.where(varying, features.std(axis=0), 1)
    centre = np.where(varying, features.mean(axis=0), features[0])
    model = LogisticRegression(C=1 / penalty, max_iter=2000, tol=1e-6) if classes else Ridge(alpha=penalty)
    return LinearModel(model.fit((features - centre) / scale, answers), centre, scale)


def dealt(answers: Array, classes: bool, n: int, rng: np.random.Generator) -> list[Array]:
    """Deal the places of examples out to n parts, as cards, class by class: a list of (n_part,), ordered."""
    order = rng.permutation(len(answers))
    if classes:
        order = order[np.argsort(answers[order], kind="stable")]
    return [np.sort(order[part::n]) for part in range(n)]
