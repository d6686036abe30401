"""Similarity of two tasks' token matrices, token by token: maximum inner products, and simpler ways."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, TaskMatrix, UnusableData, hookimpl

from .pairs import Undefined, cosine, defined, of_pairs, refuse_undefined
from .prompts import Prompt

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Variant = Literal["max_pairwise", "feature_mean", "flatten", "unigram", "bigram"]
IN_PLACE = frozenset({"flatten", "unigram", "bigram"})  # these compare tokens place by place


@dataclass(frozen=True)
class MIPS:
    """Maximum inner product similarity of two tasks' tokens.

    Parameters
    ----------
    tokens : {"text", "prompt"}
        A task's matrix: its examples, each as the mean of its tokens in the task's trained model; or a soft prompt,
        trained for the task on the frozen backbone.
    variant : {"max_pairwise", "feature_mean", "flatten", "unigram", "bigram"}
        How two matrices are compared, see `token_similarity`; the last three compare places, which only prompts have.
    direction : {"source_to_target", "symmetric"}
        For each token of the source the nearest of the target, or the mean of this and the other way round.
    normalise : bool
        Whether tokens are brought to length 1 first: products are cosines then.
    equal : bool
        Whether as many texts of each task are compared as the task with the fewest has. Otherwise a target with more
        texts has a nearer one for each of the source's: tasks with few texts look less alike, and a note says so.
    features : FeatureOptions
        Which examples make a matrix.
    prompt : Prompt
        How prompts are trained.

    References
    ----------
    Lin et al. (2024), on selecting intermediate tasks for prompt transfer by token-wise similarity.
    """

    tokens: Literal["text", "prompt"] = "text"
    variant: Variant = "max_pairwise"
    direction: Literal["source_to_target", "symmetric"] = "source_to_target"
    normalise: bool = True
    equal: bool = False
    features: FeatureOptions = field(default_factory=lambda: FeatureOptions(examples=100, pooling="mean"))
    prompt: Prompt = field(default_factory=Prompt)
    name: str = "mips"

    def __post_init__(self) -> None:
        if self.tokens == "text" and self.variant in IN_PLACE:
            raise UnusableData(
                f"{self.name}: variant={self.variant} compares tokens place by place, and examples have no order; "
                "expected max_pairwise, feature_mean, or tokens=prompt."
            )

    @property
    def needs(self) -> frozenset[str]:
        """Trained models for their view of the text; the bare backbone for prompts."""
        return frozenset({"features"} if self.tokens == "text" else {"batches", "backbone"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return (n_sources, n_targets) similarities, cosines from -1 to 1 if normalised; NaN where undefined."""
        texts = self._texts(evidence) if self.tokens == "text" else {}

        def score(source: str, target: str) -> float:
            a, b = (texts[task] if texts else self.matrix(evidence, task) for task in (source, target))
            forward = token_similarity(a, b, self.variant, normalise=self.normalise)
            if self.direction == "source_to_target":
                return forward
            return (forward + token_similarity(b, a, self.variant, normalise=self.normalise)) / 2

        return of_pairs(evidence, self.name, score)

    def _texts(self, evidence: "Evidence") -> dict[str, Array]:
        """Return the matrix of each task's texts, as many of each if `equal`; and note where their numbers matter."""
        matrices = {task: self.matrix(evidence, task) for task in evidence.tasks}
        sizes = sorted(len(m) for m in matrices.values() if len(m))  # a task without texts has no score by itself
        if not sizes or sizes[0] == sizes[-1]:
            return matrices
        if self.equal:
            rows = {task: np.random.default_rng(self.features.seed).permutation(len(m)) for task, m in matrices.items()}
            return {task: m[np.sort(rows[task][: sizes[0]])] for task, m in matrices.items()}
        if self.variant == "max_pairwise":
            evidence.note(
                f"{self.name}: tasks have {sizes[0]} to {sizes[-1]} texts, and those with few look less alike; "
                f"{self.name}.equal=true compares as many of each."
            )
        return matrices

    def matrix(self, evidence: "Evidence", task: str) -> Array:
        """Return a task's tokens: (n_tokens, n_dims); Undefined where its prompt could not be trained."""
        if self.tokens == "text":
            tokens = evidence.features(task, task, self.features).values
            return tokens[np.isfinite(tokens).all(axis=1)]
        return refuse_undefined(evidence.pieces(self)[task])["prompt"]

    @property
    def canonical(self) -> "MIPS":
        """A comparison of prompts with the same `prompt`, which alone a prompt hangs on."""
        return MIPS(tokens="prompt", prompt=self.prompt)

    def pieces(self, evidence: "Evidence") -> dict[str, tuple[str, ...]]:
        """Return the name of each piece, a task whose prompt is trained; none for text."""
        return {task: (task,) for task in evidence.tasks} if self.tokens == "prompt" else {}

    def piece(self, evidence: "Evidence", name: str) -> dict[str, Array]:
        """Return the `prompt` of a task (n_tokens, n_dims), or the `reason` why it has none."""
        return defined(lambda: {"prompt": self.prompt.of(evidence, name)})


def token_similarity(a: Array, b: Array, variant: Variant = "max_pairwise", *, normalise: bool = True) -> float:
    """Return the similarity of two tasks' tokens.

    Parameters
    ----------
    a, b : arrays of shape (n_tokens, n_dims)
        The source's and the target's; as many tokens in both where they are compared place by place.
    variant : {"max_pairwise", "feature_mean", "flatten", "unigram", "bigram"}
        The mean over the source's tokens of their largest product with one of the target's; the cosine of the mean
        tokens (n_dims,), of all numbers (n_tokens * n_dims,), or of the tokens' means (n_tokens,); the mean cosine of
        like pairs of neighbouring tokens.
    normalise : bool
        Whether each token is divided by its length first, or by 1e-6 if it is shorter.

    Raises
    ------
    Undefined
        If the matrices do not fit each other, hold NaN, or one has no tokens.
    """
    a, b = (np.asarray(m, np.float64) for m in (a, b))
    if not len(a) or not len(b):
        raise Undefined("a task has no tokens")
    if a.shape[1] != b.shape[1] or (variant in IN_PLACE and len(a) != len(b)):
        raise Undefined("the token matrices differ in shape")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise Undefined("a token matrix holds NaN or infinity")
    if normalise:
        a, b = (m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-6) for m in (a, b))
    if variant == "max_pairwise":
        if not (a.any() and b.any()):
            raise Undefined("all tokens of a task are zero")
        return float((a @ b.T).max(axis=1).mean())
    if variant == "feature_mean":
        return cosine(a.mean(axis=0), b.mean(axis=0))
    if variant == "flatten":
        return cosine(a, b)
    if variant == "unigram":
        return cosine(a.mean(axis=1), b.mean(axis=1))
    if len(a) < 2:
        raise Undefined("there is no pair of neighbouring tokens")
    even = len(a) // 2 * 2
    wide = [m[:even].reshape(even // 2, -1) for m in (a, b)]  # (n_tokens / 2, 2 n_dims)
    return float(np.mean([cosine(x, y) for x, y in zip(*wide, strict=True)]))


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [MIPS()]
