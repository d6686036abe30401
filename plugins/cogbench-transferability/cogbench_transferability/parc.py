"""PARC: are a target's examples with unlike answers unlike in a source model's features too?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cogbench import Array, FeatureOptions, UnusableData, hookimpl

from .examples import answers_of, paired, principal, scaled
from .pairs import ByPairs, Undefined, spearman

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class PARC(ByPairs):
    """Rank correlation of two RDMs of a target's examples: of a source model's features, and of their answers.

    With r_ij the correlation of the standardised features of examples i and j, PARC is Spearman's correlation, over all
    pairs i < j, of 1 - r_ij with 1 where y_i ≠ y_j and 0 elsewhere. It is the cousin of `cra`: representational
    similarity analysis with the target's answers in place of its model. It costs a pass of each source's model over
    each target's examples, shared with the other scores of features, and the ranks of n (n - 1) / 2 dissimilarities a
    pair of tasks.

    Parameters
    ----------
    features : FeatureOptions
        Which examples, and how they are pooled.
    dims : int, optional
        Of how many principal components of the features the RDM is made; by default of the features themselves.

    References
    ----------
    Bolya, Mittapalli & Hoffman (2021), Scalable diverse model selection for accessible transfer learning, NeurIPS.
    The answers' RDM of numbers, by their distances, is a choice made here.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    dims: int | None = None
    name: str = "parc"
    needs: frozenset[str] = frozenset({"features"})

    def __post_init__(self) -> None:
        if self.dims is not None and self.dims < 2:
            raise UnusableData(f"{self.name}: dims={self.dims}; expected at least 2, or none for the features.")

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the rank correlation, from -1 to 1; see `parc`."""
        features = evidence.features(source, target, self.features)
        answers = answers_of(evidence, self.name, target=target, features=features)
        return parc(features.values, answers, features.answer_kind != "numbers", self.dims)


def parc(features: Array, answers: Array, classes: bool = True, dims: int | None = None) -> float:
    """Return Spearman's correlation of the dissimilarities of examples by their features and by their answers.

    Parameters
    ----------
    features : array of shape (n_examples, n_dims)
        Brought to mean 0 and spread 1 in each dimension; the dissimilarity of two examples is 1 - Pearson's r.
    answers : array of shape (n_examples,)
        Classes, of which two are alike or not; or numbers, which are as unlike as they are far apart.
    classes : bool
        Which of the two the answers are.
    dims : int, optional
        How many principal components are taken in place of the features.

    Returns
    -------
    float
        From -1 to 1. The authors' code gives 100 times that.

    Raises
    ------
    Undefined
        If features or answers are all equal or not finite, or an example has none; or if the features of an example
        are all equal once they are brought to mean 0 and spread 1, as those of one dimension are.
    """
    features, answers = paired(features, answers, classes)
    features = scaled(features)  # the score is that of any multiple of the features
    if dims is not None:
        features = principal(features, dims)
    varying = features[:, np.ptp(features, axis=0) > 0]
    x = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    x = np.column_stack([x, np.zeros((len(x), features.shape[1] - x.shape[1]))])  # a dimension without spread is 0
    x = x - x.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    if (lengths <= 1e-12 * lengths.max()).any():
        raise Undefined("an example has the same number in all its features")
    x = x / lengths
    upper = np.triu_indices(len(x), 1)
    # Rounding leaves a little of 1 - 1, which ranks would take for a difference.
    unlike = (1 - x @ x.T)[upper].round(12)  # (n_pairs,)
    apart = answers[upper[0]] != answers[upper[1]] if classes else np.abs(answers[upper[0]] - answers[upper[1]])
    apart = apart.astype(float)
    if not (np.ptp(unlike) and np.ptp(apart)):
        raise Undefined("all examples are equally far apart")
    return spearman(unlike, apart)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [PARC()]
