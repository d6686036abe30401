"""The answers of a task's examples, checked for scores that need classes or numbers; and the inputs of a batch."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cogbench import Array, Features, UnusableData

from .pairs import Undefined

if TYPE_CHECKING:
    from torch import Tensor

    from cogbench import Evidence

ANSWERS = frozenset({"labels", "start_positions", "end_positions"})  # what batches hold beside the model's inputs
NUMBER = re.compile(r"(?:label|class)?[ _-]*[+-]?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", re.I)  # what says no more than that
UNANSWERED = -100  # the label of what is not asked for, as torch has it


def class_numbers(features: Features) -> Array:
    """Return the number of each example's class (n_examples,), counted from 0 without gaps.

    Raises
    ------
    Undefined
        If the answers are no classes, or `numbered` finds none in them.
    """
    if features.answer_kind == "numbers":
        raise Undefined("the answers are numbers, not classes")
    if features.answer_kind == "neither":
        raise Undefined("the examples have not one answer each")
    return numbered(features.answers)


def numbered(labels: Array) -> Array:
    """Return labels (n_examples,) as the numbers of the classes that occur, from 0.

    Raises
    ------
    Undefined
        If there is no example, one has no label (NaN, or -100 as encoded batches have it), all are of one class, or no
        class has two examples.
    """
    labels = np.asarray(labels)
    if not len(labels):
        raise Undefined("no example has an answer")
    if labels.dtype.kind in "iuf" and (~np.isfinite(labels) | (labels == UNANSWERED)).any():
        raise Undefined("an example has no label")
    names, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise Undefined("all examples are of one class")
    if counts.max() < 2:
        raise Undefined("no class has two examples")
    return numbers


def classes_of(evidence: "Evidence", name: str, target: str, features: Features) -> Array:
    """Return the number of each example's class (n_examples,), and note how many classes have a single example.

    Raises
    ------
    Undefined
        As `class_numbers`, or if there are fewer examples than the target has classes.
    """
    numbers = class_numbers(features)
    if len(numbers) < len(evidence.labels[target]):
        raise Undefined("there are fewer examples than classes")
    if lone := int((np.bincount(numbers) == 1).sum()):
        evidence.note(f"{name}: {lone} of {numbers.max() + 1} classes of {target} have a single example.")
    return numbers


def answers_of(evidence: "Evidence", name: str, target: str, features: Features) -> Array:
    """Return a target's numbers as `numbers_of` does, or those of its classes as `classes_of` does: (n_examples,)."""
    if features.answer_kind == "numbers":
        return numbers_of(features.answers)
    return classes_of(evidence, name, target, features)


def paired(features: Array, answers: Array, classes: bool = True) -> tuple[Array, Array]:
    """Return features (n_examples, n_dims) in float64, and the numbers of classes, or numbers, (n_examples,).

    Raises
    ------
    Undefined
        As `checked`, and `numbered` or `numbers_of`.
    UnusableData
        If there is not one answer a row.
    """
    same_length(features, answers)
    features = checked(features)
    return features, numbered(answers) if classes else numbers_of(answers)


def numbers_of(answers: Array) -> Array:
    """Return answers that are numbers in float64 (n_examples,); Undefined if they are all equal or not finite."""
    answers = np.asarray(answers, np.float64)
    if not len(answers):
        raise Undefined("no example has an answer")
    if not np.isfinite(answers).all() or (answers == answers[0]).all():
        raise Undefined("the numbers are all equal or not finite")
    return answers


def same_length(rows: Array, answers: Array) -> None:
    """Raise UnusableData unless each row has an answer."""
    if len(rows) != len(answers):
        raise UnusableData(f"{len(rows)} examples have {len(answers)} answers; expected one each.")


def checked(features: Array) -> Array:
    """Return features (n_examples, n_dims) in float64.

    Raises
    ------
    Undefined
        If they are not finite, all equal, or of fewer than 2 examples.
    """
    features = np.asarray(features, np.float64)
    if len(features) < 2:
        raise Undefined("there are fewer than two examples")
    if not np.isfinite(features).all():
        raise Undefined("the features hold NaN or infinity")
    if (features == features[0]).all():  # a difference of the largest numbers would overflow
        raise Undefined("all examples have the same features")
    return features


def scaled(features: Array) -> Array:
    """Return features, not all zero, of which the largest is about 1: divided by a power of 2, which rounds nothing.

    Squares of 1e-200 would vanish, and those of 1e200 overflow.
    """
    return np.ldexp(features, -np.frexp(np.abs(features).max())[1])


def principal(features: Array, dims: int | None = None, share: float = 1.0) -> Array:
    """Return the first principal components of features (n_examples, n_dims): (n_examples, n_components).

    At most `dims` of them, and no more than make up a `share` of the whole variance; those without variance are left
    out. The feature that has the largest part in a component has it with a plus, so that the sign of a component does
    not hang on the order of the examples.
    """
    u, s, v = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    u = u * np.sign(v[np.arange(len(v)), np.abs(v).argmax(axis=1)])
    real = s > s[0] * max(features.shape) * np.finfo(np.float64).eps
    variance = np.square(s[real])
    n = int(np.searchsorted(np.cumsum(variance) / variance.sum(), share - 1e-12)) + 1
    n = min(n, len(variance), dims or len(variance))
    return u[:, :n] * s[:n]


def class_places(evidence: "Evidence", source: str, target: str) -> Array:
    """Return the number that each class of a target has at the source (n_classes,).

    Raises
    ------
    Undefined
        If the two have not the same classes by name, or their names are numbers, as "1" and "LABEL_1" are.
    """
    own, other = evidence.labels[source], evidence.labels[target]
    if not own or {*own} != {*other}:
        raise Undefined("source and target have not the same classes")
    if all(NUMBER.fullmatch(name.strip()) for name in own):
        raise Undefined("the classes are called by numbers, so that equal names may mean other things")
    return np.array([own.index(name) for name in other])


def inputs(batch: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Return what of a batch is read, without its answers: any model of the same backbone takes it."""
    return {name: value for name, value in batch.items() if name not in ANSWERS}


def mask_of(states: "Tensor", mask: "Tensor | None") -> "Tensor":
    """Return 1 for each token and 0 for padding, (batch, tokens, 1), of states (batch, tokens, dims)."""
    if mask is None:
        return states.new_ones(states.shape[:2]).unsqueeze(-1)
    return mask.to(states.dtype).unsqueeze(-1)
