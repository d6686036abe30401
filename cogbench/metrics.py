"""Scores of predictions, over the last axis, so that a bootstrap is one call and no loop."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .errors import UnknownName, UnusableData
from .records import Array, Dataset


def accuracy(predicted: Array, true: Array) -> Array:
    """Share of equal labels."""
    return np.mean(predicted == true, axis=-1)


def matthews(predicted: Array, true: Array) -> Array:
    """Matthews correlation of binary labels (0, 1); 0 where it is undefined."""
    return pearson(predicted, true)  # for two binary variables they are one formula


def f1(predicted: Array, true: Array) -> Array:
    """F1 of class 1; 0 where nothing is predicted or true."""
    hit = np.sum((predicted == 1) & (true == 1), axis=-1)
    total = np.sum(predicted == 1, axis=-1) + np.sum(true == 1, axis=-1)
    return np.divide(2 * hit, total, out=np.zeros(np.shape(hit)), where=total > 0)


def pearson(predicted: Array, true: Array) -> Array:
    """Pearson correlation; 0 where one side is constant."""
    return np.sum(_direction(predicted) * _direction(true), axis=-1)


def _direction(values: Array) -> Array:
    """Centre and scale to length 1; nought where nothing but rounding tells the values apart."""
    values = np.asarray(values, np.float64)
    centred = values - values.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    varies = length > 1e-12 * np.linalg.norm(values, axis=-1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=varies)


def spearman(predicted: Array, true: Array) -> Array:
    """Pearson correlation of average ranks; 0 where one side is constant."""
    from scipy.stats import rankdata

    return pearson(rankdata(predicted, axis=-1), rankdata(true, axis=-1))


METRICS: dict[str, Callable[[Array, Array], Array]] = {
    "accuracy": accuracy,
    "mcc": matthews,
    "f1": f1,
    "pearson": pearson,
    "spearman": spearman,
}


# What a metric is defined for: the kind of task, and the number of classes where it matters.
DEFINED = {
    "accuracy": ("classification", None),
    "mcc": ("classification", 2),
    "f1": ("classification", 2),
    "pearson": ("regression", None),
    "spearman": ("regression", None),
}


def check_metric(metric: str, dataset: Dataset) -> None:
    """Raise UnknownName or UnusableData if the metric is none, or not defined for the data set."""
    if metric not in METRICS:
        raise UnknownName.of("metric", metric, METRICS, there="Known")
    kind, classes = DEFINED[metric]
    if dataset.kind != kind or classes not in (None, len(dataset.labels)):
        raise UnusableData(
            f"dataset {dataset.source.id!r}: metric {metric!r} is for a {kind}"
            + (f" of {classes} classes" if classes else "")
            + f"; this is a {dataset.kind}"
            + (f" of {len(dataset.labels)}." if dataset.labels else ".")
        )


@dataclass(frozen=True, eq=False)
class TaskScore:
    """How well a model does on a task's evaluation split.

    `trivial` is the metric of a constant answer (majority class or mean of the training labels); `learned`
    says that `value` lies above it by two standard errors. `per_example` (n_examples,) is the log-likelihood of
    each true answer: of the class, or of the number under a normal distribution with the residuals' spread.
    """

    metric: str
    value: float
    standard_error: float
    trivial: float
    learned: bool
    per_example: Array


def score(metric: str, outputs: Array, evaluation: Dataset, train: Dataset, *, draws: int = 200) -> TaskScore:
    """Score a head's outputs on the evaluation split.

    Parameters
    ----------
    metric : str
        A name in `METRICS`.
    outputs : array of shape (n_examples, n_labels) or (n_examples, 1)
        Logits of a classification, or the numbers of a regression.
    evaluation, train : Dataset
        The examples scored, and those that the trivial answer is taken from.
    draws : int
        Bootstrap samples of the examples for the standard error, drawn with seed 0.
    """
    true = np.asarray(evaluation.columns["label"])
    seen = np.asarray(train.columns["label"])
    outputs = np.asarray(outputs, np.float64)
    if evaluation.kind == "classification":
        predicted = outputs.argmax(axis=1)
        constant = np.full(len(true), np.bincount(seen).argmax())
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (n_examples, n_labels)
        per_example = log_p[np.arange(len(true)), true]
    else:
        predicted = outputs[:, 0]
        constant = np.full(len(true), seen.mean())
        error = predicted - true
        variance = max(float(np.mean(error**2)), 1e-12)
        per_example = -0.5 * (error**2 / variance + np.log(2 * np.pi * variance))
    measure = METRICS[metric]
    drawn = np.random.default_rng(0).integers(len(true), size=(draws, len(true)))
    value = float(measure(predicted, true))
    trivial = float(measure(constant, true))
    error_of_value = float(np.std(measure(predicted[drawn], true[drawn]), ddof=1))
    return TaskScore(metric, value, error_of_value, trivial, value - trivial > 2 * error_of_value, per_example)
