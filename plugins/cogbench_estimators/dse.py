"""Direct similarity estimation: how alike are two tasks' vectors of the same sentence?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData, hookimpl

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Comparison = Literal["cosine", "pearson", "spearman"]


@dataclass(frozen=True)
class DSE:
    """Mean similarity of two tasks' vectors of the same stimulus.

    Parameters
    ----------
    similarity_ : {"cosine", "pearson", "spearman"}
        How two vectors are compared; the paper's way is cosine.

    References
    ----------
    Luo, Xu & Xiong (2022), CogTaskonomy, section 3.1.
    """

    similarity_: Comparison = "cosine"
    name: str = "dse"
    needs: frozenset[str] = frozenset({"representations"})
    one_base: ClassVar[bool] = True  # dimensions of different models have nothing to do with one another

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_tasks, n_tasks) mean over stimuli, from -1 to 1.

        Vectors without a direction count as unlike any other: their similarity is 0, and a note tells how many.
        """
        patterns = representations(evidence)
        n, m = len(patterns[0]), len(patterns)
        products, lost = np.zeros((m, m)), 0
        for some in blocks(n):
            units = np.stack([unit_rows(p[some].astype(np.float64), self.similarity_) for p in patterns])
            lost += int((~units.any(axis=2)).sum())
            flat = units.reshape(m, -1)  # (n_tasks, n_block * n_dims)
            products += flat @ flat.T
        if lost:
            what = "zero" if self.similarity_ == "cosine" else "constant"
            evidence.note(f"{self.name}: {lost} of {n * m} vectors are {what}; their similarity is set to 0.")
        return TaskMatrix.square(evidence.tasks, products / n)


def representations(evidence: "Evidence") -> list[Array]:
    """Return each task's (n_stimuli, n_dims), in the order of the tasks, as they are stored: memory-mapped.

    Raises
    ------
    UnusableData
        If one holds NaN or infinity; the message names the task.
    """
    of_tasks = [evidence.representations[task] for task in evidence.tasks]
    for task, patterns in zip(evidence.tasks, of_tasks, strict=True):
        rows = sum(int((~np.isfinite(patterns[some])).any(axis=1).sum()) for some in blocks(len(patterns)))
        if rows:
            raise UnusableData(
                f"the representations of task {task!r} hold NaN or infinity for {rows} of {len(patterns)} stimuli; "
                "expected finite numbers: train that task again, or leave it out."
            )
    return of_tasks


def blocks(n: int, step: int = 1024) -> Iterator[slice]:
    """Yield the slices of n rows, or of n columns, that are copied at once; none where n is 0."""
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def unit_rows(vectors: Array, comparison: Comparison) -> Array:
    """Scale rows so that the product of two of them is their similarity.

    Parameters
    ----------
    vectors : array of shape (n_vectors, n_dims)
    comparison : {"cosine", "pearson", "spearman"}

    Returns
    -------
    array of shape (n_vectors, n_dims)
        Rows of length 1, centred for pearson, ranked and centred for spearman; a zero (cosine) or constant
        (pearson, spearman) row becomes zero.
    """
    constant = np.ptp(vectors, axis=1) == 0
    if comparison == "spearman":
        from scipy.stats import rankdata

        vectors = rankdata(vectors, axis=1)
    if comparison != "cosine":
        vectors = vectors - vectors.mean(axis=1, keepdims=True)
        vectors[constant] = 0  # the mean of equal numbers is rounded: what is left is noise, not a direction
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [DSE()]
