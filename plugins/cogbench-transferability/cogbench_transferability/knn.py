"""Nearest neighbours: do a target's examples with like answers lie together in a source model's features?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cogbench import Array, FeatureOptions, UnusableData, hookimpl

from .examples import answers_of, paired, scaled
from .linear import rightness
from .pairs import ByPairs, Undefined

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class KNN(ByPairs):
    """How often the nearest other examples have the right answer, in a source model's features.

    Parameters
    ----------
    features : FeatureOptions
        Which examples, and how they are pooled.
    neighbours : int
        How many of them vote.

    References
    ----------
    Renggli et al. (2022), Which model to transfer? Finding the needle in the growing haystack, CVPR.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    neighbours: int = 3
    name: str = "knn"
    needs: frozenset[str] = frozenset({"features"})

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise UnusableData(f"{self.name}: neighbours={self.neighbours}; expected at least 1.")

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the share of right answers, or R² of numbers."""
        features = evidence.features(source, target, self.features)
        answers = answers_of(evidence, self.name, target=target, features=features)
        return knn(features.values, answers, self.neighbours, features.answer_kind != "numbers")


def knn(features: Array, answers: Array, neighbours: int = 3, classes: bool = True) -> float:
    """Return how well each example is answered by its nearest others, by Euclidean distance.

    Parameters
    ----------
    features : array of shape (n_examples, n_dims)
    answers : array of shape (n_examples,)
        Classes or numbers.
    neighbours : int
    classes : bool
        Which of the two the answers are.

    Returns
    -------
    float
        The share of right answers, where the smallest of equally frequent classes is taken; or, of the neighbours'
        mean number, R² = 1 - SSE/SST.

    Raises
    ------
    Undefined
        If features or answers are all equal or not finite, an example has none, or there are not more examples than
        neighbours.
    """
    from scipy.spatial.distance import cdist

    features, answers = paired(features, answers, classes)
    if len(features) <= neighbours:
        raise Undefined("there are not more examples than neighbours")
    features = scaled(features)  # the nearest are those of any multiple of the features
    given = np.empty(len(answers))
    for start in range(0, len(features), 256):  # all distances at once could fill the memory
        rows = np.arange(start, min(start + 256, len(features)))
        far = cdist(features[rows], features)  # (n_rows, n_examples)
        far[np.arange(len(rows)), rows] = np.inf
        near = answers[np.argsort(far, axis=1, kind="stable")[:, :neighbours]]  # (n_rows, n_neighbours)
        given[rows] = [np.bincount(row).argmax() for row in near] if classes else near.mean(axis=1)
    return rightness(given, answers, classes)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [KNN()]
