"""The mean of two estimators' similarities: CRA+CNM."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, Recording, TaskMatrix, hookimpl, rank

from .cnm import CNM
from .cra import CRA
from .ridge import RidgeCNM

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Scale = Literal["none", "rank", "zscore", "minmax"]


@dataclass(frozen=True)
class CRAandCNM:
    """The mean of CRA's and CNM's similarities.

    Parameters
    ----------
    cra, cnm : estimators
        What is averaged; their options go by their place, as in `cra+cnm.cra.similarity`.
    normalise : {"none", "rank", "zscore", "minmax"}
        What is done to the similarities of each target before: nothing, as the paper's words suggest, though the
        estimator whose similarities spread more then decides; or their ranks, their z-scores, their place between the
        least and the largest.

    References
    ----------
    Luo, Xu & Xiong (2022), CogTaskonomy, section 4.3.
    """

    cra: CRA = field(default_factory=CRA)
    cnm: CNM | RidgeCNM = field(default_factory=CNM)
    normalise: Scale = "none"
    name: str = "cra+cnm"

    @property
    def needs(self) -> frozenset[str]:
        """What either asks for."""
        return self.cra.needs | self.cnm.needs

    def refuse(self, recording: Recording) -> None:
        """Raise UnusableData for a signal that CNM cannot map."""
        self.cnm.refuse(recording)

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the (n_sources, n_targets) mean; where one has no estimate the other's stands, and a note says so."""
        members: tuple[Estimator, ...] = (self.cra, self.cnm)
        both = [evidence.similarity(member) for member in members]
        values = np.stack([scaled(matrix, self.normalise) for matrix in both])  # (2, n_sources, n_targets)
        lost = np.isnan(values)
        for member, of in zip(members, lost, strict=True):
            if n := int((of & ~both[0].same).sum()):
                evidence.note(f"{self.name}: {member.name} gives no estimate for {n} pairs; the other's stands alone.")
        mean = np.where(lost, 0, values).sum(axis=0) / np.where(lost.all(axis=0), np.nan, (~lost).sum(axis=0))
        return replace(both[0], values=mean)


def scaled(matrix: TaskMatrix, scale: Scale) -> Array:
    """Return a matrix's values with each target's brought to a common scale: (n_sources, n_targets), NaN where it is.

    A target whose similarities are all equal becomes 0 by z-scores and minimum and maximum.
    """
    values = matrix.values
    defined = ~np.isnan(values)
    if scale == "none" or not defined.any():
        return values
    if scale == "rank":
        return np.where(defined, -rank(matrix).ranks, np.nan)
    low, high = (f(values, axis=0, initial=i, where=defined) for f, i in ((np.min, np.inf), (np.max, -np.inf)))
    if scale == "zscore":
        n = np.maximum(defined.sum(axis=0), 1)
        low = np.where(defined, values, 0).sum(axis=0) / n
        width = np.sqrt(np.where(defined, np.square(values - low), 0).sum(axis=0) / n)
    else:
        width = high - low
    return (values - low) / np.where(width > 0, width, 1)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [CRAandCNM()]
