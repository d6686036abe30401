"""Gradient similarity: would a step for a source's examples be a step for the target too, at the bare backbone?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData, batches_of_like_lengths, hookimpl

from .fisher import trainable
from .heads import FreshHead, answer, answers_of_batch, last_states, refuse_one_answer
from .likelihood import log_likelihood
from .pairs import Undefined, cosine, defined, of_pairs, refuse_undefined

if TYPE_CHECKING:
    from torch import Tensor

    from cogbench import Estimator, Evidence

Batch = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Gradient:
    """Cosine of two tasks' gradients of the loss, with respect to the weights of the bare backbone: all at one model.

    Each task has a fresh head, trained on the frozen backbone first, without which a gradient says what a random head
    does. The gradients of single examples are kept as random projections. It trains no model: it costs a pass of the
    bare backbone forward for the head, and one forward and back for each example of each task by itself.

    Parameters
    ----------
    similarity_ : {"examples", "means"}
        The mean over the source's examples i of the cosine of g_i and G, with g_i the gradient of the loss of one
        example and G the mean of those of the target, as LESS has it: an example with a long gradient counts as any
        other. Or the cosine of the two means, which is symmetric.
    dims : int
        Of a projection. The cosine of two of them has an error with a standard deviation of 1 / √dims.
    examples : int
        At most so many training examples of a task, a stratified sample.
    head : FreshHead
        How a head is trained.
    seed : int
        Of the sample and the projection.

    Notes
    -----
    Departures from LESS: the model is the bare one and not one that was tuned a little on all sources; there is one of
    it and not several; and gradients are those of the loss, not of the steps of Adam. The table of the token embeddings
    is left out, whose gradients say which words a task has.

    References
    ----------
    Xia, Malladi, Gururangan, Arora & Chen (2024), LESS: selecting influential data for targeted instruction tuning,
    ICML.
    """

    similarity_: Literal["examples", "means"] = "examples"
    dims: int = 8192
    examples: int = 100
    head: FreshHead = field(default_factory=FreshHead)
    seed: int = 0
    name: str = "gradient"
    needs: frozenset[str] = frozenset({"backbone", "batches"})

    def __post_init__(self) -> None:
        if self.dims < 1 or self.examples < 1:
            raise UnusableData(f"{self.name}: dims={self.dims}, examples={self.examples}; both at least 1.")

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the (n_sources, n_targets) cosines, from -1 to 1; NaN where undefined, and a note."""
        pieces = evidence.pieces(self)
        key = "directions" if self.similarity_ == "examples" else "mean"

        def score(source: str, target: str) -> float:
            one, other = refuse_undefined(pieces[source]), refuse_undefined(pieces[target])
            value = cosine(one[key], other["mean"])
            # The mean of the examples' directions is shorter than 1: by that the mean of their cosines is smaller.
            return value * float(np.linalg.norm(one["directions"])) if key == "directions" else value

        return of_pairs(evidence, self.name, score)

    @property
    def canonical(self) -> "Gradient":
        """The same with one value for `similarity_`, which no piece hangs on."""
        return replace(self, similarity_="examples")

    def pieces(self, evidence: "Evidence") -> dict[str, tuple[str, ...]]:
        """Return the name of each piece, a task, which it reads."""
        return {task: (task,) for task in evidence.tasks}

    def piece(self, evidence: "Evidence", name: str) -> dict[str, Array]:
        """Return projections of a task's mean gradient, and of the mean of its examples' `directions`: (dims,) each."""
        model = evidence.model(name, tuned=False)
        batches = list(evidence.batches(name, "train", n=self.examples, seed=self.seed))

        def compute() -> dict[str, Array]:
            refuse_one_answer(batches)
            head = self.head.trained(model, batches, len(evidence.labels[name]))
            mean, directions = mean_gradients(model, head, batches, Projection(model, self.dims, self.seed))
            return {"mean": mean, "directions": directions}

        return defined(compute)


class Projection:
    """A random projection of the gradients of a model's weights, but for its token embeddings: a count sketch.

    Parameters
    ----------
    model : torch module
    dims : int
    seed : int
    """

    def __init__(self, model: Any, dims: int, seed: int) -> None:
        import torch

        weights = trainable(model)
        table = getattr(model, "get_input_embeddings", lambda: None)()
        rest = {name: w for name, w in weights.items() if table is None or w is not getattr(table, "weight", None)}
        self.weights = list((rest or weights).values())
        self.dims = dims
        draw = torch.Generator().manual_seed(seed)
        self._places = [torch.randint(dims, (w.numel(),), generator=draw) for w in self.weights]
        self._signs = [torch.randint(2, (w.numel(),), generator=draw, dtype=torch.int8) * 2 - 1 for w in self.weights]

    def of(self, gradients: "Sequence[Tensor | None]") -> Array:
        """Return the projection of one gradient for each weight: (dims,) float64."""
        import torch

        total = torch.zeros(self.dims, dtype=torch.float64)
        for g, places, signs in zip(gradients, self._places, self._signs, strict=True):
            if g is not None:
                total.index_add_(0, places, g.detach().cpu().double().flatten() * signs)
        return total.numpy()


def mean_gradients(
    model: Any, head: "Sequence[Tensor]", batches: Sequence[Batch], projection: Projection
) -> tuple[Array, Array]:
    """Return the mean of the examples' projected gradients, and of these divided by their lengths: (dims,) each.

    Raises
    ------
    Undefined
        If a gradient is not finite, or all are zero.
    """
    import torch

    total, directions, n = np.zeros(projection.dims), np.zeros(projection.dims), 0
    for _, one in batches_of_like_lengths(batches, size=1):
        with torch.enable_grad():
            out = answer(last_states(model, one), head, one)
            loss = -log_likelihood(out, answers_of_batch(one), one.get("attention_mask")).sum()
            gradients = torch.autograd.grad(loss, projection.weights, allow_unused=True)
        length = float(sum(g.double().square().sum() for g in gradients if g is not None)) ** 0.5
        if not np.isfinite(length):
            raise Undefined("a gradient is not finite")
        projected = projection.of(gradients)
        total, n = total + projected, n + 1
        directions = directions + (projected / length if length > 0 else 0)
    if not total.any():
        raise Undefined("no example of a task has a gradient")
    return total / n, directions / n


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [Gradient()]
