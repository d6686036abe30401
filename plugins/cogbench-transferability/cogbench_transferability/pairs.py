"""Scores of pairs of tasks: where one is undefined there is no number, and the reader is told how often and why."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData

if TYPE_CHECKING:
    from cogbench import Evidence


class Undefined(UnusableData):
    """A score that these examples do not define; the message says why, without naming the tasks."""


class ByPairs:
    """An estimator that scores a pair of tasks by itself: `score` does; each source is a piece."""

    name: str

    def score(self, evidence: "Evidence", source: str, target: str) -> float:
        """Return the score of a pair, larger is better; raise Undefined where these examples do not define one."""
        raise NotImplementedError

    def pieces(self, evidence: "Evidence") -> dict[str, tuple[str, ...]]:
        """Return the name of each piece, a source, with the tasks that it reads."""
        return dict.fromkeys(evidence.sources, evidence.tasks)

    def piece(self, evidence: "Evidence", name: str) -> dict[str, Array]:
        """Return a source's scores; see `scores_of`."""
        return scores_of(name, evidence.targets, lambda source, target: self.score(evidence, source, target))

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the (n_sources, n_targets) scores; NaN where undefined, and one note for each reason."""
        return joined(evidence, self.name, evidence.pieces(self))  # type: ignore[arg-type]


def of_pairs(evidence: "Evidence", name: str, score: Callable[[str, str], float]) -> TaskMatrix:
    """Score each source for the targets asked for; NaN where `score` raises Undefined, and one note for each reason.

    Parameters
    ----------
    evidence : Evidence
    name : str
        The estimator's, for the notes.
    score : callable
        (source, target) to a number, larger is better. All targets of a source are asked for before the next source.
    """
    return joined(evidence, name, {source: scores_of(source, evidence.targets, score) for source in evidence.sources})


def scores_of(source: str, targets: Sequence[str], score: Callable[[str, str], float]) -> dict[str, Array]:
    """Return a source's `values` for targets (n_targets,), NaN where undefined, and there the `reasons`."""
    values, reasons = np.full(len(targets), np.nan), [""] * len(targets)
    for j, target in enumerate(targets):
        if source == target:
            continue
        try:
            value = float(score(source, target))
        except Undefined as reason:
            reasons[j] = str(reason)
        else:
            values[j] = value if np.isfinite(value) else np.nan
            reasons[j] = "" if np.isfinite(value) else "the score is no finite number"
    return {"values": values, "reasons": np.array(reasons)}


def joined(evidence: "Evidence", name: str, rows: Mapping[str, Mapping[str, Array]]) -> TaskMatrix:
    """Return the matrix of the sources' scores, and note how often and why there is none."""
    sources, targets = evidence.sources, evidence.targets
    why = Counter(str(reason) for source in sources for reason in rows[source]["reasons"] if reason)
    n_pairs = sum(source != target for source in sources for target in targets)
    for text, n in sorted(why.items()):
        evidence.note(f"{name}: no score for {n} of {n_pairs} pairs: {text}.")
    return TaskMatrix(sources, targets, np.stack([rows[source]["values"] for source in sources]))


def defined(compute: Callable[[], dict[str, Array]]) -> dict[str, Array]:
    """Return arrays, or the `reason` where they are Undefined: a piece may be so, and the others are not."""
    try:
        return compute()
    except Undefined as reason:
        return {"reason": np.array(str(reason))}


def refuse_undefined(piece: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return the arrays of a piece; raise Undefined, with the reason, where it has none."""
    if "reason" in piece:
        raise Undefined(str(piece["reason"]))
    return piece


def spearman(a: Array, b: Array) -> float:
    """Return Spearman's correlation of two vectors; NaN where they are shorter than 3, or one does not vary."""
    from scipy.stats import rankdata

    if len(a) < 3 or not (np.ptp(a) and np.ptp(b)):
        return np.nan
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def cosine(a: Array, b: Array) -> float:
    """Return the cosine of two vectors of one length (n_dims,), from -1 to 1.

    Raises
    ------
    Undefined
        If one is zero or holds NaN.
    """
    a, b = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    # Scaled first: squares of a Fisher information, such as 1e-200, would vanish.
    a, b = (v / largest if (largest := np.abs(v).max(initial=0)) > 0 else v for v in (a, b))
    length = np.linalg.norm(a) * np.linalg.norm(b)
    if not (np.isfinite(length) and length > 0):
        raise Undefined("a vector is zero or holds NaN")
    return float(np.clip(a @ b / length, -1, 1))
