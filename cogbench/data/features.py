"""A model's features of a task's examples, and how a training changed a model's weights: figures without a module."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import UnusableData
from .dataset import Array

AnswerKind = Literal["classes", "numbers", "neither"]


@dataclass(frozen=True)
class FeatureOptions:
    """Which hidden states of which examples; estimators with equal options share the arrays.

    Parameters
    ----------
    examples : int
        At most so many training examples of a task, a stratified sample. Of lists of passages each passage counts.
    pooling : {"auto", "cls", "mean", "last"}
        The first token of an example, the mean over its tokens, or its last token. "auto" takes the backbone's own
        pooling; and of a task whose answers stand at tokens it takes each token as an example, with its own state.
    layers : {"last", "all"}
        The states of the last layer; or of each layer after the embeddings, side by side.
    seed : int
        The seed of the sample.

    Raises
    ------
    UnusableData
        If `examples` is below 1.
    """

    examples: int = 1000
    pooling: Literal["auto", "cls", "mean", "last"] = "auto"
    layers: Literal["last", "all"] = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise UnusableData(f"features: examples={self.examples}; expected at least 1.")


USUAL_FEATURES = FeatureOptions()


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """A target's examples as a model sees them: its features, the true answers, and the outputs of the model's head.

    `values` are (n_examples, n_dims) float32, in which `layer_sizes` (n_layers,) says how many belong to each layer;
    `answers` (n_examples,) are numbers of classes or numbers, as `answer_kind` says, or zeros where an example has not
    one answer of its own ("neither": the tags of a text that is pooled). `probabilities` (n_examples, n_classes) are of
    the classes of the model's own head; they have no column where the head does not choose one class an example.

    An example is a row of a batch: a text that is longer than the model may have several. Where the answers stand at
    tokens and no pooling is named, a token is an example: of tagging the first token of a word, whose class is its tag;
    of question answering a token of a context or a question, whose class says whether it belongs to the answer (1) or
    not (0). As many tokens of the answers as of the others are drawn.
    """

    values: Array
    layer_sizes: Array
    answers: Array
    answer_kind: AnswerKind
    probabilities: Array


N_BUCKETS = 256  # of a sketch: the cosine of two changes has a standard error of 1/16 in it


@dataclass(frozen=True, eq=False, kw_only=True)
class WeightChange:
    """How a training changed the encoder's weights, weight by weight, as figures that need no module.

    `names` are those of the weights; `initial_norms` and `change_norms` (n_weights,) the Euclidean lengths of each
    before the training and of its change; `sketches` (n_weights, 256) a random projection of each change, in which
    inner products are kept in expectation, so that the changes of two tasks can be compared.

    References
    ----------
    The projection is a count sketch: Weinberger et al. (2009), Feature hashing for large scale multitask learning.
    """

    names: tuple[str, ...]
    initial_norms: Array
    change_norms: Array
    sketches: Array


def sketch(values: Array, seed: int = 0) -> Array:
    """Return a random projection of numbers, the same one for as many numbers: (256,) float64."""
    rng = np.random.default_rng((seed, values.size))
    buckets, signs = rng.integers(0, N_BUCKETS, values.size), rng.integers(0, 2, values.size) * 2 - 1
    return np.bincount(buckets, weights=signs * values.ravel().astype(np.float64), minlength=N_BUCKETS)
