"""Cognitive representation analytics: do two tasks find the same pairs of sentences alike?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData, hookimpl

from .dse import Comparison, representations, unit_rows

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Dissimilarity = Literal["correlation", "euclidean", "canberra"]


@dataclass(frozen=True)
class CRA:
    """Similarity of two tasks' representational dissimilarity matrices (RDM) over the same stimuli.

    Parameters
    ----------
    dissimilarity : {"correlation", "euclidean", "canberra"}
        Between the representations of two stimuli; correlation is 1 - Pearson's r.
    similarity_ : {"cosine", "pearson", "spearman"}
        How two RDMs are compared. The paper's pair is correlation with cosine.

    Notes
    -----
    The cosine of two RDMs, numbers of one sign, is near 1 by construction: tasks differ in the third digit.

    References
    ----------
    Luo, Xu & Xiong (2022), CogTaskonomy, section 3.2.
    Kriegeskorte, Mur & Bandettini (2008), Frontiers in Systems Neuroscience 2:4.
    """

    dissimilarity: Dissimilarity = "correlation"
    similarity_: Comparison = "cosine"
    name: str = "cra"
    needs: frozenset[str] = frozenset({"representations"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_tasks, n_tasks) similarity of RDMs, from -1 to 1.

        NaN where an RDM is all zero, or all constant under pearson and spearman: then there is no estimate.

        Raises
        ------
        UnusableData
            If there are fewer than 3 stimuli, or a representation holds NaN or infinity.
        """
        patterns = representations(evidence)
        if self.dissimilarity == "correlation":
            lost = sum(int((np.ptp(p, axis=1) == 0).sum()) for p in patterns)
            if lost:
                total = sum(map(len, patterns))
                evidence.note(
                    f"{self.name}: {lost} of {total} representations are constant; their dissimilarities are set to 0."
                )
            if self.similarity_ != "spearman" and without_pairs_is_faster(patterns):
                return TaskMatrix.square(evidence.tasks, compare_without_pairs(patterns, self.similarity_))
        rdms = np.stack([rdm(p, self.dissimilarity) for p in patterns])  # (n_tasks, n_pairs)
        return TaskMatrix.square(evidence.tasks, compare(rdms, self.similarity_))


NOISE = 1e-14  # a correlation dissimilarity of this size is the rounding of 1 - 1
ALIKE = 1e-7  # an RDM whose spread is a smaller share of its size is constant: representations are float32


def rdm(patterns: Array, dissimilarity: Dissimilarity = "correlation") -> Array:
    """Representational dissimilarity matrix of one task, as its upper triangle.

    Parameters
    ----------
    patterns : array of shape (n_stimuli, n_dims)
        One row per stimulus, in the backbone's own arbitrary units.
    dissimilarity : {"correlation", "euclidean", "canberra"}

    Returns
    -------
    array of shape (n_stimuli * (n_stimuli - 1) / 2,)
        Row by row, as scipy's `pdist`. Correlation: 1 - Pearson's r, no unit, from 0 to 2; 0 where a row is constant.

    Raises
    ------
    UnusableData
        If there are fewer than 3 stimuli.
    """
    refuse_few(patterns)
    if dissimilarity != "correlation":
        from scipy.spatial.distance import pdist

        return pdist(patterns, dissimilarity)
    unit = unit_rows(patterns, "pearson")  # (n_stimuli, n_dims)
    direct = 1 - unit @ unit.T  # (n_stimuli, n_stimuli)
    constant = ~unit.any(axis=1)
    direct[constant] = direct[:, constant] = 0
    upper = np.arange(len(unit))[:, None] < np.arange(len(unit))
    # Rounding leaves a little of 1 - 1, and parts equal dissimilarities, which ranks would take for a difference.
    return np.maximum(direct[upper].round(14), 0)  # (n_pairs,)


def refuse_few(patterns: Array) -> None:
    """Raise UnusableData if there are too few stimuli for an RDM to have a shape."""
    if len(patterns) < 3:
        raise UnusableData(f"{len(patterns)} stimuli; cra needs at least 3: choose a signal with more sentences.")


def compare(rdms: Array, comparison: Comparison) -> Array:
    """Similarity of each two RDMs: (n_tasks, n_pairs) to (n_tasks, n_tasks); NaN where there is no estimate."""
    unit = unit_rows(rdms, comparison)  # (n_tasks, n_pairs)
    if comparison != "cosine":
        unit[rdms.std(axis=1) <= ALIKE * np.abs(rdms).max(axis=1)] = 0
    scores = unit @ unit.T  # (n_tasks, n_tasks)
    flat = ~unit.any(axis=1)
    scores[flat] = scores[:, flat] = np.nan
    return scores


def without_pairs_is_faster(patterns: Sequence[Array]) -> bool:
    """Tell if products of the tasks' features cost less than all pairs of stimuli: measured, on one thread."""
    return 2 * len(patterns[0]) > sum(p.shape[1] for p in patterns)


def compare_without_pairs(patterns: Sequence[Array], comparison: Literal["cosine", "pearson"]) -> Array:
    """Similarity of each two correlation RDMs from products of the features: linear in the number of stimuli.

    With z_i the centred rows of length 1 and u_i = z_i - mean(z), a dissimilarity is
    1 - z_i·z_j = p_i + p_j - u_i·u_j, where p_i = |u_i|²/2. As the u_i sum to zero, the sums over pairs that a
    cosine or a Pearson correlation is made of need no pair: over all ordered (i, j), with P = Σ p_i,

        Σ D_ij      = 2 n P
        Σ D_ij D'_ij = 2 n Σ p_i p'_i + 2 P P' + |Uᵀ U'|².

    All terms are positive: nothing cancels, also where all stimuli are nearly alike.

    Parameters
    ----------
    patterns : sequence of arrays of shape (n_stimuli, n_dims)
        One for each task; the same stimuli in the same order.
    comparison : {"cosine", "pearson"}

    Returns
    -------
    array of shape (n_tasks, n_tasks)
        What `compare` gives for the tasks' `rdm`, to rounding.
    """
    refuse_few(patterns[0])
    unit = [unit_rows(p, "pearson") for p in patterns]  # n_tasks of (n_stimuli, n_dims)
    known = [u.any(axis=1) for u in unit]  # n_tasks of (n_stimuli,): which rows are not constant
    centred = [around_mean(u[k]) for u, k in zip(unit, known, strict=True)]
    sums = np.array([len(p) * p.sum() for _, p in centred])  # (n_tasks,) Σ D over pairs i < j
    products = np.empty((len(unit), len(unit)))  # Σ D D' over pairs i < j
    for a, b in zip(*np.triu_indices(len(unit)), strict=True):
        pair = [centred[a], centred[b]]
        if not (known[a] == known[b]).all():  # only where both are known
            pair = [around_mean(unit[t][known[a] & known[b]]) for t in (a, b)]
        (u, p), (v, q) = pair
        products[a, b] = products[b, a] = len(p) * (p @ q) + p.sum() * q.sum() + np.square(u.T @ v).sum() / 2
    n_pairs = len(unit[0]) * (len(unit[0]) - 1) / 2
    squares = products.diagonal()  # (n_tasks,)
    flat = squares <= NOISE**2 * n_pairs
    if comparison == "pearson":
        products = products - np.outer(sums, sums) / n_pairs
        flat |= products.diagonal() <= ALIKE**2 * squares
    length = np.sqrt(np.where(flat, np.nan, products.diagonal()))  # (n_tasks,); NaN: no estimate
    return products / np.outer(length, length)


def around_mean(unit: Array) -> tuple[Array, Array]:
    """Return rows (n_stimuli, n_dims) less their mean, and half their squared lengths (n_stimuli,)."""
    rest = unit - unit.mean(axis=0)
    return rest, np.einsum("ij,ij->i", rest, rest) / 2


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [CRA()]
