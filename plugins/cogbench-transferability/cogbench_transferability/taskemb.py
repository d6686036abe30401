"""Task embeddings: how alike is the Fisher information of two tasks' trained models?"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData, hookimpl

from .fisher import COMPONENTS, Component, Convention, Labels, fisher
from .fusion import fused, refuse_k
from .pairs import Undefined, cosine

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class TaskEmb:
    """Cosine of two tasks' Fisher information in each component of the backbone, fused by reciprocal ranks.

    Parameters
    ----------
    components : tuple of {"embeddings", "layers", "cls", "pooled", "heads", "parameters"}
        What is compared; `parameters` keeps vectors as long as the model's weights. With `layers`, `cls` is left out:
        of a head that reads the first token alone it is the last layer's vector, which would count twice. The authors'
        own components are `layers:pooled:heads:parameters`; they compare each tensor of weights by itself.
    convention, labels, samples
        As `cogbench_transferability.fisher.fisher` has them.
    examples : int
        At most so many training examples of a task, a stratified sample.
    seed : int
        Of that sample and of drawn answers.
    k : float
        Of the fusion.

    References
    ----------
    Vu et al. (2020), Exploring and predicting transferability across NLP tasks, EMNLP.
    """

    components: tuple[Component, ...] = ("embeddings", "layers", "cls")
    convention: Convention = "per_example"
    labels: Labels = "true"
    samples: int = 10
    examples: int = 1000
    seed: int = 0
    k: float = 60
    name: str = "taskemb"
    needs: frozenset[str] = frozenset({"models", "batches"})

    def __post_init__(self) -> None:
        if not self.components or {*self.components} - {*COMPONENTS}:
            given = ":".join(self.components)
            raise UnusableData(f"{self.name}: components={given}; expected some of {', '.join(COMPONENTS)}.")
        if self.samples < 1 or self.examples < 1:
            raise UnusableData(f"{self.name}: samples={self.samples}, examples={self.examples}; both at least 1.")
        refuse_k(self.name, self.k)

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the (n_sources, n_targets) sums of reciprocal ranks over components.

        A component says nothing of a pair where the gradient of either task is zero or not finite, or where one of the
        two models does not have it; a note counts such pairs.
        """
        vectors = dict(evidence.pieces(self))
        twice = {"cls"} if "layers" in self.components else set()
        names = sorted({name for components in vectors.values() for name in components} - twice)
        matrices, pairs = [], len(evidence.tasks) * (len(evidence.tasks) - 1)
        for name in names:
            of_tasks = [vectors[task].get(name) for task in evidence.tasks]
            matrix = TaskMatrix.square(evidence.tasks, self._cosines(of_tasks))
            lost = int((np.isnan(matrix.values) & ~matrix.same).sum())
            if lost:
                finite = all(np.isfinite(vector).all() for vector in of_tasks if vector is not None)
                why = "no gradient in it" if finite else "no finite gradient in it"
                evidence.note(f"{self.name}: component {name} left out for {lost} of {pairs} pairs: {why}.")
            matrices.append(matrix)
        if not matrices:
            raise UnusableData(f"{self.name}: the model's answers hang on none of {', '.join(self.components)}.")
        return TaskMatrix.square(evidence.tasks, fused(matrices, self.k))

    @property
    def canonical(self) -> "TaskEmb":
        """The same with one value for `k`, which no piece hangs on."""
        return replace(self, k=60)

    def pieces(self, evidence: "Evidence") -> dict[str, tuple[str, ...]]:
        """Return the name of each piece, a task, which it reads."""
        return {task: (task,) for task in evidence.tasks}

    def piece(self, evidence: "Evidence", name: str) -> dict[str, Array]:
        """Return a task's Fisher information by component."""
        model = evidence.model(name)
        batches = evidence.batches(name, "train", n=self.examples, seed=self.seed)
        how: dict[str, Any] = {"convention": self.convention, "labels": self.labels, "samples": self.samples}
        return fisher(model, batches, self.components, seed=self.seed, **how)

    def _cosines(self, vectors: list[Array | None]) -> Array:
        """Return the cosine of each two tasks' vectors (n_tasks, n_tasks); NaN where there is none."""
        cosines = np.full((len(vectors), len(vectors)), np.nan)
        for i, a in enumerate(vectors):
            for j, b in enumerate(vectors[:i]):
                if a is None or b is None or a.shape != b.shape:
                    continue
                try:
                    cosines[i, j] = cosines[j, i] = cosine(a, b)
                except Undefined:
                    continue
        return cosines


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [TaskEmb()]
