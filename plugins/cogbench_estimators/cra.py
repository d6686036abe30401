"""Cognitive representation analytics: do two tasks find the same pairs of sentences alike?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData, hookimpl

from .device import Tensor, library, to_device, to_numpy, zeros
from .dse import Comparison, blocks, representations, unit_rows

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Dissimilarity = Literal["correlation", "euclidean", "canberra"]
Form = Literal["rdm", "rsm"]
HELD = 50_000_000  # dissimilarities of all tasks that are held at once: 400 MB


@dataclass(frozen=True)
class CRA:
    """Similarity of two tasks' representational dissimilarity matrices (RDM) over the same stimuli.

    Parameters
    ----------
    dissimilarity : {"correlation", "euclidean", "canberra"}
        Between the representations of two stimuli; correlation is 1 - Pearson's r.
    similarity_ : {"cosine", "pearson", "spearman"}
        How two RDMs are compared. The paper's pair is correlation with cosine.
    form : {"rdm", "rsm"}
        Compare dissimilarities, or 1 less them, as the released code can. It changes the cosine only.
    pairs : int
        With spearman, whose ranks must be held: at most so many pairs of stimuli, beyond that a random sample of them.

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
    form: Form = "rdm"
    pairs: int = 10_000_000
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
            lost = sum(int(constant_rows(p).sum()) for p in patterns)
            if lost:
                total = sum(map(len, patterns))
                evidence.note(
                    f"{self.name}: {lost} of {total} representations are constant; their dissimilarities are set to 0."
                )
            if self.similarity_ != "spearman":
                similarities = compare_without_pairs(patterns, self.similarity_, self.form)
                return TaskMatrix.square(evidence.tasks, similarities)
        refuse_few(patterns[0])
        n_pairs = len(patterns[0]) * (len(patterns[0]) - 1) // 2
        if self.similarity_ == "spearman" and n_pairs > self.pairs:
            evidence.note(f"{self.name}: {self.pairs} of {n_pairs} pairs of stimuli drawn at random.")
            rdms = np.stack(sampled(patterns, self.dissimilarity, self.pairs))  # (n_tasks, n_drawn)
        elif self.similarity_ != "spearman" and n_pairs * len(patterns) > HELD:
            similarities = compare_moments(
                *by_blocks(patterns, self.dissimilarity), n_pairs, self.similarity_, self.form
            )
            return TaskMatrix.square(evidence.tasks, similarities)
        else:
            rdms = np.stack([rdm(p, self.dissimilarity) for p in patterns])  # (n_tasks, n_pairs)
        return TaskMatrix.square(evidence.tasks, compare(rdms if self.form == "rdm" else 1 - rdms, self.similarity_))


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
    unit = unit_rows(np.asarray(patterns, np.float64), "pearson")  # (n_stimuli, n_dims)
    direct = 1 - unit @ unit.T  # (n_stimuli, n_stimuli)
    constant = ~unit.any(axis=1)
    direct[constant] = direct[:, constant] = 0
    upper = np.arange(len(unit))[:, None] < np.arange(len(unit))
    # Rounding leaves a little of 1 - 1, and parts equal dissimilarities, which ranks would take for a difference.
    return np.maximum(direct[upper].round(14), 0)  # (n_pairs,)


def constant_rows(patterns: Array) -> Array:
    """Return (n_stimuli,): whether all numbers of a row are the same."""
    return np.concatenate([np.ptp(patterns[some], axis=1) == 0 for some in blocks(len(patterns))])


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


def compare_without_pairs(
    patterns: Sequence[Array], comparison: Literal["cosine", "pearson"], form: Form = "rdm"
) -> Array:
    """Similarity of each two correlation RDMs without making any: linear in the number of stimuli where they are many.

    With z_i the centred rows of length 1 and u_i = z_i - mean(z), a dissimilarity is
    1 - z_i·z_j = p_i + p_j - u_i·u_j, where p_i = |u_i|²/2. As the u_i sum to zero, the sums over pairs that a
    cosine or a Pearson correlation is made of need no pair: over all ordered (i, j), with P = Σ p_i,

        Σ D_ij      = 2 n P
        Σ D_ij D'_ij = 2 n Σ p_i p'_i + 2 P P' + |Uᵀ U'|²,     |Uᵀ U'|² = Σ (U Uᵀ)_ij (U' U'ᵀ)_ij.

    The last is summed over features or over stimuli, whichever are fewer. All terms are positive: nothing cancels,
    also where all stimuli are nearly alike. The representations are read twice, some rows at a time.

    Parameters
    ----------
    patterns : sequence of arrays of shape (n_stimuli, n_dims)
        One for each task; the same stimuli in the same order. They may be memory-mapped.
    comparison : {"cosine", "pearson"}
    form : {"rdm", "rsm"}

    Returns
    -------
    array of shape (n_tasks, n_tasks)
        What `compare` gives for the tasks' `rdm`, to rounding.
    """
    refuse_few(patterns[0])
    n, m = len(patterns[0]), len(patterns)
    defined = ~np.stack([constant_rows(p) for p in patterns])  # (n_tasks, n_stimuli)
    if (defined == defined[0]).all():
        products, sums = _moments(patterns, defined[0])
    else:  # only pairs of stimuli that both tasks know add to a product
        products, sums = np.empty((m, m)), np.empty(m)
        for a, b in combinations_with_replacement(range(m), 2):
            product, total = _moments([patterns[a], patterns[b]], defined[a] & defined[b])
            products[a, b] = products[b, a] = product[0, 1]
            sums[a] = total[0] if a == b else sums[a]
    return compare_moments(products, sums, n * (n - 1) // 2, comparison, form)


def _moments(patterns: Sequence[Array], defined: Array) -> tuple[Array, Array]:
    """Return Σ D D' (n_tasks, n_tasks) and Σ D (n_tasks,) over pairs i < j of the known stimuli."""
    xp = library()
    rows, widths = np.flatnonzero(defined), [p.shape[1] for p in patterns]
    n = len(rows)

    def unit(t: int, some: slice) -> Tensor:  # (n_some, n_dims), float64: `unit_rows` on the device and in place
        vectors = to_device(np.asarray(patterns[t][rows[some]], np.float64))
        vectors -= vectors.mean(axis=1, keepdims=True)
        vectors /= xp.linalg.vector_norm(vectors, axis=1, keepdims=True)
        return vectors

    def about(u: list[Tensor], means: list[Tensor]) -> list[Tensor]:
        for v, mean in zip(u, means, strict=True):
            v -= mean
        return u

    if 2 * n > sum(widths):
        means = [sum((unit(t, some).sum(axis=0) for some in blocks(n)), zeros(w)) / n for t, w in enumerate(widths)]
        parts = (about([unit(t, some) for t in range(len(patterns))], means) for some in blocks(n))
        half, inner = _over_features(parts, widths)
    else:
        whole = [unit(t, slice(0, n)) for t in range(len(patterns))]
        half, inner = _over_stimuli(about(whole, [u.mean(axis=0) for u in whole]))
    total = half.sum(axis=1)  # (n_tasks,)
    products = n * half @ half.T + total[:, None] * total + inner / 2
    products = (products + products.T) / 2  # rounding
    return to_numpy(products), to_numpy(n * total)


def _over_features(parts: Iterable[list[Tensor]], widths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return half the squared lengths of rows (n_tasks, n_stimuli) and |Uᵀ U'|² (n_tasks, n_tasks) from U' U."""
    xp = library()
    half: list[Tensor] = []
    starts = np.cumsum([0, *widths]).tolist()
    grams = [zeros(w, starts[-1] - at) for w, at in zip(widths, starts, strict=False)]
    for u in parts:
        half.append(half_squares(u))  # (n_tasks, n_block)
        flat = xp.concat(u, axis=1)  # (n_block, all tasks' dims)
        for gram, w, at in zip(grams, widths, starts, strict=False):  # each two tasks once
            gram += flat[:, at : at + w].T @ flat[:, at:]
    inner = zeros(len(widths), len(widths))
    for a, gram in enumerate(grams):
        for b, (at, w) in enumerate(zip(starts[a:], widths[a:], strict=False), start=a):
            inner[a, b] = inner[b, a] = xp.square(gram[:, at - starts[a] : at - starts[a] + w]).sum()
    return xp.concat(half, axis=1), inner


def _over_stimuli(u: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the same from U U', some of its rows at a time, each two stimuli once."""
    xp = library()
    m, n = len(u), len(u[0])
    inner = zeros(m, m)
    for some in blocks(n, 96):
        for others, weight in ((slice(0, some.start), 2), (some, 1)):  # the stimuli before these, and these
            pairs = zeros(m, some.stop - some.start, others.stop - others.start)
            for v, out in zip(u, pairs, strict=True):
                xp.matmul(v[some], v[others].T, out=out)
            flat = pairs.reshape(m, -1)  # (n_tasks, n_block * n_others)
            inner += weight * flat @ flat.T
    return half_squares(u), inner


def half_squares(u: list[Tensor]) -> Tensor:
    """Return half the squared lengths of each task's rows: (n_tasks, n_rows)."""
    xp = library()
    return xp.stack([xp.square(v).sum(axis=1) / 2 for v in u])


def compare_moments(
    products: Array, sums: Array, n_pairs: int, comparison: Literal["cosine", "pearson"], form: Form = "rdm"
) -> Array:
    """Similarity of each two RDMs from the sums of their values over pairs.

    Parameters
    ----------
    products : array of shape (n_tasks, n_tasks)
        Σ D D'.
    sums : array of shape (n_tasks,)
        Σ D.
    n_pairs : int
    comparison : {"cosine", "pearson"}
    form : {"rdm", "rsm"}

    Returns
    -------
    array of shape (n_tasks, n_tasks)
        NaN where an RDM is all zero or, under pearson, constant.
    """
    squares = products.diagonal()  # (n_tasks,)
    flat = squares <= NOISE**2 * n_pairs
    if comparison == "pearson":
        products = products - np.outer(sums, sums) / n_pairs
        flat |= products.diagonal() <= ALIKE**2 * squares
    elif form == "rsm":
        products = n_pairs - sums[:, None] - sums + products
        flat = products.diagonal() <= NOISE**2 * n_pairs
    length = np.sqrt(np.where(flat, np.nan, products.diagonal()))  # (n_tasks,); NaN: no estimate
    return products / np.outer(length, length)


def by_blocks(patterns: Sequence[Array], dissimilarity: Dissimilarity) -> tuple[Array, Array]:
    """Return Σ D D' (n_tasks, n_tasks) and Σ D (n_tasks,) over all pairs of stimuli, holding a block of them at a time.

    Euclidean dissimilarities come from products of the rows less their mean: what cancels is a share of about 1e-8 of
    the largest. Memory does not grow with the number of pairs.
    """
    xp = library()
    m = len(patterns)
    rows = [xp.asarray(np.asarray(p, np.float64)) for p in patterns]
    if dissimilarity == "euclidean":
        rows = [r - r.mean(axis=0) for r in rows]
    squares = [xp.square(r).sum(axis=1) for r in rows]
    products, sums = np.zeros((m, m)), np.zeros(m)
    for a, b in combinations_with_replacement(blocks(len(patterns[0])), 2):
        block = xp.stack([_block(r, s, a, b, dissimilarity) for r, s in zip(rows, squares, strict=True)])
        if a == b:
            block = xp.triu(block, 1)  # each pair once
        flat = block.reshape(m, -1)  # (n_tasks, n_pairs of the block)
        products += np.asarray(flat @ flat.T)
        sums += np.asarray(flat.sum(axis=1))
    return products, sums


def _block(rows: Tensor, squares: Tensor, a: slice, b: slice, dissimilarity: str) -> Tensor:
    """Return the dissimilarities of some stimuli to others: (n_a, n_b) in float64."""
    xp = library()
    if dissimilarity == "euclidean":
        block = rows[a] @ rows[b].T
        block *= -2
        block += squares[b]
        block += squares[a, None]
        block *= block > 0  # rounding
        return xp.sqrt(block, out=block)
    from scipy.spatial.distance import cdist

    return xp.asarray(cdist(np.asarray(rows[a]), np.asarray(rows[b]), dissimilarity))


def sampled(patterns: Sequence[Array], dissimilarity: Dissimilarity, n_pairs: int) -> list[Array]:
    """Return each task's dissimilarities of the same random pairs of stimuli, drawn with seed 0: (n_pairs,) each."""
    rng, n = np.random.default_rng(0), len(patterns[0])
    first = rng.integers(n, size=n_pairs)
    second = (first + rng.integers(1, n, size=n_pairs)) % n  # never the same stimulus
    return [_of_pairs(p, first, second, dissimilarity) for p in patterns]


def _of_pairs(patterns: Array, first: Array, second: Array, dissimilarity: Dissimilarity) -> Array:
    dissimilarities = np.empty(len(first))
    for some in blocks(len(first), 2**14):
        a, b = (patterns[rows[some]].astype(np.float64) for rows in (first, second))  # (n_chunk, n_dims)
        if dissimilarity == "correlation":
            a, b = unit_rows(a, "pearson"), unit_rows(b, "pearson")
            defined = a.any(axis=1) & b.any(axis=1)
            value = np.where(defined, np.maximum(1 - np.einsum("ij,ij->i", a, b), 0), 0)
        elif dissimilarity == "euclidean":
            value = np.linalg.norm(a - b, axis=1)
        else:
            size = np.abs(a) + np.abs(b)
            value = np.divide(np.abs(a - b), size, out=np.zeros_like(a), where=size > 0).sum(axis=1)
        dissimilarities[some] = value
    return dissimilarities


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [CRA()]
