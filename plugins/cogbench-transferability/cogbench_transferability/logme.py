"""LogME: how well do a source model's features explain a target's answers, by the evidence of a linear model?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, hookimpl

from .examples import answers_of, paired
from .pairs import ByPairs

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

NullSpace = Literal["include", "released"]


@dataclass(frozen=True)
class LogME(ByPairs):
    """Logarithm of maximum evidence of a target's answers, given the source model's features of its examples.

    With F the features (n, d), y the answers, A = α I + β Fᵀ F and m = β A⁻¹ Fᵀ y, LogME is the maximum over α and β of
    (n log β + d log α - n log 2π - β |F m - y|² - α |m|² - log det A) / 2n. It costs a pass of each source's model over
    each target's examples, shared with the other scores of features.

    Parameters
    ----------
    features : FeatureOptions
        Which examples, and how they are pooled.
    null_space : {"include", "released"}
        Whether directions in which the features do not vary count in the determinant, as the formula has it. "released"
        leaves them out, as the released fixed-point code does where there are fewer examples than dimensions, and for
        dimensions that are exactly 0; it then favours sources with redundant features, and says little of signal. Of
        dimensions that are sums of others the released code keeps what rounding leaves of them; this does not. Only
        the released form changes with the unit of the features.

    References
    ----------
    You, Liu, Wang & Long (2021), LogME: practical assessment of pre-trained models for transfer learning, ICML.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    null_space: NullSpace = "include"
    name: str = "logme"
    needs: frozenset[str] = frozenset({"features"})

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the evidence of an example, in nats; see `logme`."""
        features = evidence.features(source, target, self.features)
        answers = answers_of(evidence, self.name, target=target, features=features)
        return logme(features.values, answers, features.answer_kind != "numbers", self.null_space)


def logme(features: Array, answers: Array, classes: bool = True, null_space: NullSpace = "include") -> float:
    """Return the evidence of a Bayesian linear model, maximised over its two precisions, an example.

    Parameters
    ----------
    features : array of shape (n_examples, n_dims)
    answers : array of shape (n_examples,)
        Classes, each against the rest, of which the mean is taken; or numbers.
    classes : bool
        Which of the two they are.
    null_space : {"include", "released"}

    Returns
    -------
    float
        Nats an example.

    Raises
    ------
    Undefined
        If the features are all equal or not finite, or the answers are, or an example has none.
    """
    features, answers = paired(features, answers, classes)
    goals = np.eye(answers.max() + 1)[answers] if classes else answers[:, None]  # (n_examples, n_classes or 1)
    largest = np.abs(features).max()
    u, s, _ = np.linalg.svd(features / largest, full_matrices=False)
    unit = 2 * (np.log(largest) + np.log(s[0]))  # of the precision of the weights, as a logarithm
    s = s / s[0]  # the maximum is that of any multiple of the features; what guards it against 0 must be so too
    real = s > s[0] * max(features.shape) * np.finfo(np.float64).eps
    u, sigma = u[:, real], s[real] ** 2  # (n_examples, rank), (rank,)
    cases = [_evidence(sigma, np.square(u.T @ t), float(t @ t), len(t)) for t in goals.T]
    # Of a direction without variance the determinant is alpha: its logarithm cancels out, unless it is left out.
    free = features.shape[1] - len(sigma) if null_space == "released" else 0
    return float(np.mean([value + free / 2 * (np.log(alpha) + unit) / len(features) for value, alpha in cases]))


def _evidence(sigma: Array, explained: Array, length: float, n: int) -> tuple[float, float]:
    """Return the evidence of one vector of answers, an example, by the fixed point from alpha = beta = 1; and alpha.

    `sigma` and `explained` (rank,) are the squared singular values of the features, of which the largest is 1, and the
    squared products of their left vectors with the answers, whose squared length is `length`.
    """
    alpha = beta = 1.0
    rest = max(length - explained.sum(), 0.0)
    value = np.nan
    for _ in range(50):
        ratio = alpha / beta
        gamma = (sigma / (sigma + ratio)).sum()
        weights = (sigma * explained / (ratio + sigma) ** 2).sum()
        residual = (explained / (1 + sigma / ratio) ** 2).sum() + rest
        alpha, beta = gamma / (weights + 1e-5), (n - gamma) / (residual + 1e-5)
        value = (
            n / 2 * np.log(beta)
            - np.log1p(beta / alpha * sigma).sum() / 2
            - (beta * residual + alpha * weights) / 2
            - n / 2 * np.log(2 * np.pi)
        ) / n
        if abs(alpha / beta - ratio) <= 1e-3 * ratio:
            break
    return value, alpha


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [LogME()]
