"""Scores of pairs of tasks: where one is undefined there is no number, and the reader is told how often and why."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData

if TYPE_CHECKING:
    from cogbench import Evidence


class Undefined(UnusableData):
    """A score that these examples do not define; the message says why, without naming the tasks."""


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
    sources, targets = evidence.sources, evidence.targets
    values, why = np.full((len(sources), len(targets)), np.nan), Counter[str]()
    for i, source in enumerate(sources):
        for j, target in enumerate(targets):
            if source == target:
                continue
            try:
                found = float(score(source, target))
            except Undefined as reason:
                why[str(reason)] += 1
            else:
                values[i, j] = found if np.isfinite(found) else np.nan
                why["the score is no finite number"] += not np.isfinite(found)
    n_pairs = sum(source != target for source in sources for target in targets)
    for text, n in sorted(why.items()):
        if n:
            evidence.note(f"{name}: no score for {n} of {n_pairs} pairs: {text}.")
    return TaskMatrix(sources, targets, values)


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
