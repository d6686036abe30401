"""The analytic hierarchy process: which source wins most examples of a target, by transfers that were really made."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData, hookimpl

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Ties = Literal["half", "strict"]


@dataclass(frozen=True)
class AHP:
    """Taskonomy's ordinal normalisation of transfers: all sources of a target against each other, example by example.

    It looks at the transfers and the evaluation examples that the oracle is made of: near the oracle by construction,
    it belongs beside `popularity`, and every result says so.

    Parameters
    ----------
    clip : float
        Shares of won examples are kept between this and 1 less this.
    ties : {"half", "strict"}
        An example on which two sources do equally well counts half for each; or for neither, as in Taskonomy, whose
        losses hardly ever tie.

    References
    ----------
    Zamir et al. (2018), Taskonomy, step III; Luo, Xu & Xiong (2022), CogTaskonomy, section 4.2.
    """

    clip: float = 0.001
    ties: Ties = "half"
    name: str = "ahp"
    needs: frozenset[str] = frozenset({"transfers"})

    def __post_init__(self) -> None:
        if not 0 < self.clip < 0.5:
            raise UnusableData(f"{self.name}: clip={self.clip}; expected a share above 0 and below .5.")

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return (n_sources, n_targets) affinities: positive, and of sum 1 over the sources of a target.

        An example without a score, such as a query without a relevant passage, is left out where it has none.
        """
        tasks = evidence.tasks
        shares = np.full((len(tasks), len(tasks)), np.nan)
        for column, target in enumerate(tasks):
            rows = [i for i, source in enumerate(tasks) if source != target]
            each = np.stack([evidence.transfers[tasks[i], target] for i in rows])  # (n_candidates, n_examples)
            shares[rows, column] = affinities(win_shares(each, self.ties), self.clip)
        return TaskMatrix.square(tasks, shares)


def win_shares(each: Array, ties: Ties = "half") -> Array:
    """Return the share of examples on which one source does better than another, of those that both have a score for.

    Parameters
    ----------
    each : array of shape (n_sources, n_examples)
        Larger is better; NaN where there is no score.
    ties : {"half", "strict"}

    Returns
    -------
    array of shape (n_sources, n_sources)
        Row wins over column; one half of a source against itself.
    """
    defined = np.isfinite(each)
    both = np.maximum(defined.astype(float) @ defined.T, 1)  # (n_sources, n_sources)
    shares = np.array([(row > each).sum(axis=1) for row in each]) / both
    if ties == "half":
        shares += np.array([(row == each).sum(axis=1) for row in each]) / both / 2
    np.fill_diagonal(shares, 0.5)
    return shares


def affinities(shares: Array, clip: float = 0.001) -> Array:
    """Return each source's weight: the principal eigenvector of the ratios of clipped shares, of sum 1.

    Parameters
    ----------
    shares : array of shape (n_sources, n_sources)
    clip : float

    Returns
    -------
    array of shape (n_sources,)
    """
    shares = np.clip(shares, clip, 1 - clip)
    values, vectors = np.linalg.eig(shares / shares.T)  # positive and reciprocal, so Perron's theorem holds
    first = np.abs(vectors[:, np.argmax(values.real)].real)
    return first / first.sum()


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [AHP()]
