"""GBC: how little do a target's classes overlap in a source model's features, as Gaussians?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, UnusableData, hookimpl

from .examples import classes_of, paired, principal, scaled
from .pairs import ByPairs, Undefined

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Covariance = Literal["spherical", "diagonal", "released"]


@dataclass(frozen=True)
class GBC(ByPairs):
    """Minus the sum of the Bhattacharyya coefficients of each two classes, as Gaussians in a source model's features.

    With means m and covariances S of two classes, and S the mean of the two covariances, the distance is
    D = (m_i - m_j)ᵀ S⁻¹ (m_i - m_j) / 8 + log(det S / √(det S_i det S_j)) / 2 and GBC = -Σ_{i≠j} exp(-D). It costs a
    pass of each source's model over each target's examples, shared with the other scores of features.

    Parameters
    ----------
    features : FeatureOptions
        Which examples, and how they are pooled.
    covariance : {"spherical", "diagonal", "released"}
        One variance for all dimensions of a class, one for each dimension; or spherical as the authors' code computes
        it, which counts the logarithm once and not once a dimension.
    dims : int
        Of how many principal components.

    References
    ----------
    Pándy, Agostinelli, Uijlings, Ferrari & Mensink (2022), Transferability estimation using Bhattacharyya class
    separability, CVPR.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    covariance: Covariance = "spherical"
    dims: int = 64
    name: str = "gbc"
    needs: frozenset[str] = frozenset({"features"})

    def __post_init__(self) -> None:
        if self.dims < 1:
            raise UnusableData(f"{self.name}: dims={self.dims}; expected at least 1.")

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return minus the overlap of the classes, at most 0; see `gbc`."""
        features = evidence.features(source, target, self.features)
        labels = classes_of(evidence, self.name, target=target, features=features)
        return gbc(features.values, labels, self.covariance, self.dims)


def gbc(features: Array, labels: Array, covariance: Covariance = "spherical", dims: int = 64) -> float:
    """Return minus the sum of the Bhattacharyya coefficients of each two classes, both ways.

    Parameters
    ----------
    features : array of shape (n_examples, n_dims)
    labels : array of shape (n_examples,)
    covariance, dims
        As `GBC` has them.

    Returns
    -------
    float
        From -n_classes (n_classes - 1), where all classes are one, to 0. It is that of any multiple of the features.

    Raises
    ------
    Undefined
        If the features are all equal or not finite, an example has no label, or there are not two classes; or if the
        examples of a class are equal, or it has a single one: such a class has no variance.
    """
    features, labels = paired(features, labels)
    x = principal(scaled(features), dims)
    classes = [x[labels == c] for c in range(labels.max() + 1)]
    if min(map(len, classes)) < 2:
        raise Undefined("a class has a single example, and so no variance")
    means, variances = ([f(c, axis=0) for c in classes] for f in (np.mean, np.var))
    if covariance != "diagonal":
        variances = [np.full(x.shape[1], v.mean()) for v in variances]
    smallest = min(v.min() for v in variances)
    if smallest <= 1e-20 * x.var(axis=0).max():
        raise Undefined("the examples of a class are equal in a dimension, so that it has no variance there")
    weight = 1 / x.shape[1] if covariance == "released" else 1
    total = 0.0
    for i, j in combinations(range(len(classes)), 2):
        mean = (variances[i] + variances[j]) / 2
        apart = (np.square(means[i] - means[j]) / mean).sum() / 8
        logs = (np.log(mean) - (np.log(variances[i]) + np.log(variances[j])) / 2).sum() / 2
        total += 2 * np.exp(-apart - weight * logs)
    return float(-total)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [GBC()]
