"""TransRate: how much shorter are a source model's features of a target coded when their classes are known?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, UnusableData, hookimpl

from .examples import classes_of, paired, scaled
from .pairs import ByPairs

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Weights = Literal["share", "equal"]


@dataclass(frozen=True)
class TransRate(ByPairs):
    """Coding rate of a target's features, less that of the features of each class.

    With Z the features (n_examples, n_dims) less their mean, R(Z) = log det(I + Zᵀ Z / (n ε)) / 2 and
    TransRate = R(Z) - Σ_c w_c R(Z_c), in nats. It costs a pass of each source's model over each target's examples,
    shared with the other scores of features, and singular values of the features.

    Parameters
    ----------
    features : FeatureOptions
        Which examples, and how they are pooled.
    epsilon : float
        The distortion that the code may have.
    unit_trace : bool
        Whether the features are scaled so that all their squares sum to 1; the score hangs on their unit otherwise.
    weights : {"share", "equal"}
        w_c: the share of the examples, as the formula has it; or the same for each class, as released code has it.

    References
    ----------
    Huang, Huang, Rong, Yang & Wei (2022), Frustratingly easy transferability estimation, ICML.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    epsilon: float = 1e-4
    unit_trace: bool = True
    weights: Weights = "share"
    name: str = "transrate"
    needs: frozenset[str] = frozenset({"features"})

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < np.inf:
            raise UnusableData(f"{self.name}: epsilon={self.epsilon}; expected a number above 0.")

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the difference of coding rates, in nats; see `transrate`."""
        features = evidence.features(source, target, self.features)
        labels = classes_of(evidence, self.name, target=target, features=features)
        return transrate(features.values, labels, self.epsilon, unit_trace=self.unit_trace, weights=self.weights)


def transrate(
    features: Array, labels: Array, epsilon: float = 1e-4, *, unit_trace: bool = True, weights: Weights = "share"
) -> float:
    """Return the coding rate of features (n_examples, n_dims) less that within the classes (n_examples,), in nats.

    Raises
    ------
    Undefined
        If the features are all equal or not finite, an example has no label, or there are not two classes and two
        examples of one.
    """
    features, labels = paired(features, labels)
    z = features - features.mean(axis=0)
    if unit_trace:
        z = scaled(z)
        z = z / np.linalg.norm(z)
    parts = [z[labels == c] for c in range(labels.max() + 1)]
    shares = [len(part) / len(z) if weights == "share" else 1 / len(parts) for part in parts]
    within = sum(share * coding_rate(part, epsilon) for share, part in zip(shares, parts, strict=True))
    return float(coding_rate(z, epsilon) - within)


def coding_rate(z: Array, epsilon: float) -> float:
    """Return log det(I + Zᵀ Z / (n ε)) / 2 of rows (n, n_dims), in nats: by singular values, also where n < n_dims."""
    return float(np.log1p(np.square(np.linalg.svd(z, compute_uv=False)) / (len(z) * epsilon)).sum() / 2)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [TransRate()]
