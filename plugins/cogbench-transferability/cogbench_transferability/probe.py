"""Linear probe: how well does a linear model find a target's answers in a source model's features?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, UnusableData, hookimpl

from .examples import answers_of, paired, scaled
from .linear import dealt, linear_model, rightness
from .pairs import ByPairs, Undefined

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Measure = Literal["accuracy", "likelihood"]


@dataclass(frozen=True)
class LinearProbe(ByPairs):
    """How well a linear model answers examples that it did not see, in a source model's features: cross-validated.

    The answer that `logme` and `hscore` estimate in closed form: logistic regression of classes, ridge regression of
    numbers, on features of mean 0 and spread 1 in the other folds. It costs one pass of each source's model over each
    target's examples, shared with the other scores of features, and `folds` fits a pair.

    Parameters
    ----------
    features : FeatureOptions
        Which examples, and how they are pooled.
    measure : {"accuracy", "likelihood"}
        Of classes: the share of right answers; or the mean log-probability of the right answer in nats, which is finer.
        Numbers have R² by both.
    folds : int
        How many; each has its share of each class.
    penalty : float
        On the squared weights; see `linear_model`.
    seed : int
        Of the folds.

    References
    ----------
    Alain & Bengio (2017), Understanding intermediate layers using linear classifier probes, ICLR workshop;
    Renggli et al. (2022), Which model to transfer? Finding the needle in the growing haystack, CVPR.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    measure: Measure = "accuracy"
    folds: int = 5
    penalty: float = 1.0
    seed: int = 0
    name: str = "linear-probe"
    needs: frozenset[str] = frozenset({"features"})

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise UnusableData(f"{self.name}: folds={self.folds}; expected at least 2.")
        if not 0 < self.penalty < np.inf:
            raise UnusableData(f"{self.name}: penalty={self.penalty}; expected a number above 0.")

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the share of right answers, or nats; R² of numbers."""
        features = evidence.features(source, target, self.features)
        return linear_probe(
            features.values,
            answers_of(evidence, self.name, target=target, features=features),
            features.answer_kind != "numbers",
            measure=self.measure,
            folds=self.folds,
            penalty=self.penalty,
            seed=self.seed,
        )


def linear_probe(
    features: Array,
    answers: Array,
    classes: bool = True,
    *,
    measure: Measure = "accuracy",
    folds: int = 5,
    penalty: float = 1.0,
    seed: int = 0,
) -> float:
    """Return how well a linear model answers each example that it did not see.

    Parameters
    ----------
    features : array of shape (n_examples, n_dims)
    answers : array of shape (n_examples,)
        Classes or numbers.
    classes : bool
        Which of the two the answers are.
    measure, folds, penalty, seed
        As `LinearProbe` has them; there are as many folds as examples if these are fewer.

    Returns
    -------
    float
        Over the examples of all folds: the share of right answers, from 0 to 1; the mean log-probability, at most 0; or
        R² = 1 - SSE/SST of numbers, at most 1.

    Raises
    ------
    Undefined
        If features or answers are all equal or not finite, or an example has none; if one class alone has two examples;
        or if the likelihood is asked for and a class has a single example, so that no model knows it; or if there are
        fewer than three numbers.
    """
    features, answers = paired(features, answers, classes)
    features = scaled(features)  # the score is that of any multiple of the features
    if not classes and len(answers) < 3:
        raise Undefined("there are fewer than three examples")  # of two, each is answered by the other's number
    counts = np.bincount(answers) if classes else np.empty(0)
    if classes and (counts > 1).sum() < 2:
        raise Undefined("only one class has two examples")
    if classes and measure == "likelihood" and counts.min() < 2:
        raise Undefined("a class has a single example")
    parts = dealt(answers, classes, min(folds, len(answers)), np.random.default_rng(seed))
    given = np.empty(len(answers))  # the predicted class or number, or the log-probability of the right class
    for part in parts:
        others = np.setdiff1d(np.arange(len(answers)), part)
        model = linear_model(features[others], answers[others], classes, penalty)
        if classes and measure == "likelihood":
            given[part] = model.log_probabilities(features[part])[np.arange(len(part)), answers[part]]
        else:
            given[part] = model.predict(features[part])
    return float(given.mean()) if classes and measure == "likelihood" else rightness(given, answers, classes)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [LinearProbe()]
