"""Zero-shot transfer: how often is the head of a source's model right on a target that has the same classes?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, hookimpl

from .examples import class_numbers, class_places, numbered, same_length
from .pairs import ByPairs, Undefined

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Measure = Literal["accuracy", "likelihood"]


@dataclass(frozen=True)
class ZeroShot(ByPairs):
    """How well a source's own model answers a target, where the classes of both have the same names.

    Few pairs of tasks have the same classes, and the others have no score. It costs a pass of each source's model over
    each target's examples, shared with the scores of features. Classes are matched by their names, in any order. Names
    that are numbers match nothing: 0 and 1 mean another thing in each task.

    Parameters
    ----------
    features : FeatureOptions
        Which examples.
    measure : {"accuracy", "likelihood"}
        The share of right answers, or the mean log-probability of the right one in nats.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    measure: Measure = "accuracy"
    name: str = "zero-shot"
    needs: frozenset[str] = frozenset({"features"})

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the share of right answers from 0 to 1, or nats; see `zero_shot_score`."""
        places = class_places(evidence, source, target)
        features = evidence.features(source, target, self.features)
        if not features.probabilities.shape[1]:
            raise Undefined("the source's head does not choose one of several classes")
        class_numbers(features)  # refuses answers that are no classes
        return zero_shot_score(features.probabilities, places[features.answers], self.measure)


def zero_shot_score(theta: Array, answers: Array, measure: Measure = "accuracy") -> float:
    """Return how well probabilities (n_examples, n_classes) answer examples, whose true classes are (n_examples,).

    Raises
    ------
    Undefined
        If the probabilities hold NaN, a class has no column, or the examples are of one class or have none.
    """
    same_length(theta, answers)
    numbered(answers)  # refuses what is no class
    if not np.isfinite(theta).all():
        raise Undefined("the source's predictions hold NaN or infinity")
    if max(answers) >= theta.shape[1]:
        raise Undefined("the source's head has fewer classes than the target")
    if measure == "accuracy":
        return float((theta.argmax(axis=1) == answers).mean())
    right = theta[np.arange(len(theta)), answers]
    return float(np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean())


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [ZeroShot()]
