"""N-LEEP: LEEP with the clusters of a source model's features in place of its head's classes."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, UnusableData, hookimpl

from .examples import classes_of, paired, principal, scaled
from .leep import leep
from .pairs import ByPairs, Undefined

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Covariance = Literal["full", "diag", "tied", "spherical"]


@dataclass(frozen=True)
class NLEEP(ByPairs):
    """Likelihood of a target's classes by way of the Gaussians that fit a source model's features of its examples.

    Principal components of the features are fitted by a mixture of Gaussians; their posterior probabilities stand for
    θ_i(z) in the formula of `LEEP`. So a source may be of any kind, and no source is favoured for having many classes.
    It costs a pass of each source's model over each target's examples, shared with the other scores of features, and a
    mixture a pair, which is the dearest of them.

    Parameters
    ----------
    features : FeatureOptions
        Which examples, and how they are pooled.
    share : float
        Of the variance that the principal components hold.
    ratio : int
        Gaussians for each class of the target.
    covariance : {"full", "diag", "tied", "spherical"}
        Of a Gaussian, as scikit-learn names them.
    seed : int
        Of the start of the mixture.

    References
    ----------
    Li, Jia, Sang, Zhu, Green, Wang & Gong (2021), Ranking neural checkpoints, CVPR.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    share: float = 0.8
    ratio: int = 5
    covariance: Covariance = "full"
    seed: int = 0
    name: str = "nleep"
    needs: frozenset[str] = frozenset({"features"})

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UnusableData(f"{self.name}: share={self.share}; expected a share above 0, up to 1.")
        if self.ratio < 1:
            raise UnusableData(f"{self.name}: ratio={self.ratio}; expected at least 1.")

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the log-likelihood of an example, in nats, at most 0; see `nleep`."""
        features = evidence.features(source, target, self.features)
        labels = classes_of(evidence, self.name, target=target, features=features)
        return nleep(
            features.values, labels, share=self.share, ratio=self.ratio, covariance=self.covariance, seed=self.seed
        )


def nleep(
    features: Array,
    labels: Array,
    *,
    share: float = 0.8,
    ratio: int = 5,
    covariance: Covariance = "full",
    seed: int = 0,
) -> float:
    """Return LEEP of the Gaussians that fit the features (n_examples, n_dims), for the classes (n_examples,).

    Returns
    -------
    float
        Nats an example, at most 0. It is that of any multiple of the features.

    Raises
    ------
    Undefined
        If the features are all equal or not finite, an example has no label, or there are not two classes; or if there
        are fewer different examples than Gaussians.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    features, labels = paired(features, labels)
    x = principal(scaled(features), share=share)
    x = x / np.linalg.norm(x) * len(x) ** 0.5  # all variances sum to 1: what is added to a covariance has no unit
    n = ratio * (labels.max() + 1)
    if len(np.unique(x.round(9), axis=0)) < n:
        raise Undefined("there are fewer different examples than Gaussians")
    mixture = GaussianMixture(n, covariance_type=covariance, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            theta = mixture.fit(x).predict_proba(x)  # (n_examples, n_gaussians)
        except ValueError as error:
            raise Undefined("the mixture of Gaussians cannot be fitted") from error
    return leep(theta, labels)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [NLEEP()]
