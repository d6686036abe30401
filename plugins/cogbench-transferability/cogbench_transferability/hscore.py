"""H-score: how much of the spread of a source model's features lies between the target's classes?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cogbench import Array, FeatureOptions, hookimpl

from .examples import classes_of, paired, scaled
from .pairs import ByPairs, Undefined

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class HScore(ByPairs):
    """Spread between classes relative to the whole spread of a source model's features of a target's examples.

    With Σ the covariance of the features and B that of the means of their classes, H = tr(Σ⁻¹ B); regularised
    H = (1 - α) tr(((1 - α) Σ + α tr(Σ) / d I)⁻¹ B), with d dimensions and the weight α that `shrinkage` gives. It costs
    a pass of each source's model over each target's examples, shared with the other scores of features.

    Parameters
    ----------
    features : FeatureOptions
        Which examples, and how they are pooled.
    regularised : bool
        Whether the covariance is shrunk, which few examples of many dimensions need.

    References
    ----------
    Bao et al. (2019), An information-theoretic approach to transferability in task transfer learning, ICIP;
    Ibrahim, Ponomareva & Mazumder (2022), Newer is not always better, ECML-PKDD, for the shrinkage.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    regularised: bool = True
    name: str = "hscore"
    needs: frozenset[str] = frozenset({"features"})

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return a score without a unit, 0 or more; see `hscore`."""
        features = evidence.features(source, target, self.features)
        return hscore(
            features.values, classes_of(evidence, self.name, target=target, features=features), self.regularised
        )


def hscore(features: Array, labels: Array, regularised: bool = True) -> float:
    """Return the trace of the inverse covariance of the features times the covariance of their class means.

    Parameters
    ----------
    features : array of shape (n_examples, n_dims)
    labels : array of shape (n_examples,)
        The class of each.
    regularised : bool
        Whether the covariance is drawn towards a multiple of the identity; the covariance of the class means is then
        divided by one example less, as the authors' code has it.

    Raises
    ------
    Undefined
        If the features are all equal or not finite, an example has no label, or there are not two classes and two
        examples of one; or if nothing is left of a covariance that is shrunk: the score would be 0 for any classes.
    """
    features, labels = paired(features, labels)
    n, dims = features.shape
    x = scaled(features)  # the score is that of any multiple of the features
    x = x - x.mean(axis=0)
    counts = np.bincount(labels)
    means = np.stack([x[labels == c].mean(axis=0) for c in range(len(counts))])  # (n_classes, n_dims)
    total, between = x.T @ x / n, (means.T * counts) @ means  # (n_dims, n_dims)
    alpha = shrinkage(x) if regularised else 0.0
    if alpha == 0:
        return float(np.trace(np.linalg.pinv(total, hermitian=True) @ between) / n)
    if alpha == 1:
        raise Undefined("the covariance of the features cannot be told from noise")
    shrunk = (1 - alpha) * total + alpha * np.trace(total) / dims * np.eye(dims)
    return float((1 - alpha) * np.trace(np.linalg.pinv(shrunk, hermitian=True) @ between) / (n - 1))


def shrinkage(x: Array) -> float:
    """Return the weight from 0 to 1 of the identity in a shrunk covariance of centred rows (n_examples, n_dims).

    0 where the covariance is a multiple of the identity already.

    References
    ----------
    Ledoit & Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices, J. Multivar. Anal.
    """
    n, dims = x.shape
    total = x.T @ x / n
    apart = np.square(total - np.trace(total) / dims * np.eye(dims)).sum() / dims
    if apart <= 1e-14 * np.square(total).sum():
        return 0.0
    noise = (np.square(np.square(x).sum(axis=1)).sum() / n - np.square(total).sum()) / (n * dims)
    return float(np.clip(noise / apart, 0, 1))


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [HScore()]
