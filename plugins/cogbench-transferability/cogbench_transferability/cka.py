"""CKA: do two tasks' models represent the same sentences alike, up to a rotation?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData, hookimpl

from .examples import scaled
from .pairs import Undefined, of_pairs

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class CKA:
    """Linear centred kernel alignment of two tasks' representations of the same stimuli.

    With X and Y the representations less their means, CKA = |Xᵀ Y|² / (|Xᵀ X| |Yᵀ Y|), of Frobenius norms: the sibling
    of `cra`, whose RDMs compare the same pairs of stimuli. It costs a pass of each task's model over the stimuli.

    Parameters
    ----------
    debiased : bool
        Whether the inner products of kernels are estimated without bias, in which pairs of a stimulus with itself do
        not count; with few stimuli of many dimensions the plain form is near 1 for anything.

    References
    ----------
    Kornblith, Norouzi, Lee & Hinton (2019), Similarity of neural network representations revisited, ICML;
    Nguyen, Raghu & Kornblith (2021), Do wide and deep networks learn the same things?, ICLR, for the debiased form.
    """

    debiased: bool = False
    name: str = "cka"
    needs: frozenset[str] = frozenset({"representations"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_sources, n_targets) alignments, from 0 to 1; NaN where undefined, and a note."""
        patterns = evidence.representations
        return of_pairs(
            evidence, self.name, lambda source, target: cka(patterns[source], patterns[target], self.debiased)
        )


def cka(a: Array, b: Array, debiased: bool = False) -> float:
    """Return the linear centred kernel alignment of two representations of the same stimuli.

    Parameters
    ----------
    a, b : arrays of shape (n_stimuli, n_dims)
        Of the same stimuli in the same order; their numbers of dimensions may differ.
    debiased : bool
        As `CKA` has it.

    Returns
    -------
    float
        From 0 to 1; the debiased form may be a little below 0.

    Raises
    ------
    Undefined
        If a representation is the same for all stimuli or not finite, or there are fewer stimuli than the form needs:
        3, or 4 if it is debiased; or if the debiased form finds no similarity of a representation with itself.
    UnusableData
        If the numbers of stimuli differ.
    """
    if len(a) != len(b):
        raise UnusableData(f"{len(a)} and {len(b)} stimuli; expected the same ones.")
    if len(a) < 3 + debiased:
        raise Undefined("there are too few stimuli")
    x, y = _centred(a), _centred(b)
    if debiased:
        k, l = x @ x.T, y @ y.T  # noqa: E741
        own = [_unbiased(k, k), _unbiased(l, l)]
        if min(own) <= 1e-12 * max(np.square(k).mean(), np.square(l).mean()) * len(k) ** 2:
            raise Undefined("a representation has no similarity with itself that chance would not give")
        return float(_unbiased(k, l) / np.sqrt(own[0] * own[1]))
    if len(x) < max(x.shape[1], y.shape[1]):  # whichever is smaller: products of stimuli, or of dimensions
        k, l = x @ x.T, y @ y.T  # noqa: E741
        return float((k * l).sum() / (np.linalg.norm(k) * np.linalg.norm(l)))
    return float(np.square(x.T @ y).sum() / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def _centred(patterns: Array) -> Array:
    patterns = np.asarray(patterns, np.float64)
    if not np.isfinite(patterns).all():
        raise Undefined("the representations hold NaN or infinity")
    if not np.ptp(patterns, axis=0).any():
        raise Undefined("all stimuli have the same representation")
    x = patterns - patterns.mean(axis=0)
    return scaled(x)


def _unbiased(k: Array, l: Array) -> float:  # noqa: E741
    """Return the unbiased estimate of HSIC of two kernels (n, n): Song et al. (2012), JMLR 13, eq. (5)."""
    n = len(k)
    k, l = k - np.diag(k.diagonal()), l - np.diag(l.diagonal())  # noqa: E741
    cross = k.sum(axis=0) @ l.sum(axis=0)
    return float(((k * l).sum() + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)) / (n * (n - 3)))


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [CKA()]
