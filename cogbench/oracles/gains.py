"""What sources gain over no transfer, with standard errors, and whether any of a target's sources gains at all."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle
from ..scoring.paired import holm

TWO_ERRORS = NormalDist().cdf(-2)  # the chance of a gain of two standard errors where there is none


@dataclass(frozen=True)
class SourceGain:
    """A target's metric after a source less that without one, so that more is better, and its standard error."""

    source: str
    gain: float
    error: float


@dataclass(frozen=True, kw_only=True)
class TargetGains:
    """What the sources of an oracle gain for a target.

    Parameters
    ----------
    oracle, target, metric : str
        The metric is "" where it is not known.
    max_train, max_train_target : int, optional
        The largest number of training examples of a source, and of the target; None for all.
    no_transfer : float
        The target's metric without a source.
    best : SourceGain
        The source that gains most. It was chosen by the same scores, so its gain is optimistic; `p` is not.
    p : float
        The smallest p of a source's gain, one-sided, corrected by Holm's method for the number of sources.
    pays : bool
        Whether `p` is at most that of two standard errors, .023: some source gains, however many were tried.
    mean : SourceGain
        The mean over the sources, without any choice; its error is taken as large as it can be.
    chosen : SourceGain, optional
        The source that is best by the oracle `chosen_by`, of another number of target examples.
    """

    oracle: str
    target: str
    metric: str
    max_train: int | None
    max_train_target: int | None
    no_transfer: float
    n_sources: int
    best: SourceGain
    p: float
    pays: bool
    mean: SourceGain
    chosen: SourceGain | None = None
    chosen_by: str = ""


def budgets(oracle: Oracle) -> tuple[int | None, int | None]:
    """Return the largest numbers of training examples of a source and of a target; None for all, or where unknown."""
    of_source = oracle.provenance.get("max_train")
    return of_source, of_source if oracle.max_train_target is None else oracle.max_train_target


def gains(oracle: Oracle) -> tuple[Array, Array]:
    """Return the gains of an oracle's sources on no transfer, positive where a source helps, and their errors.

    The error is that of the evaluation, and of the training seeds where there are several: their variance is pooled
    over the sources of a target, since two or three seeds of one source tell little of it. It is NaN where no error is
    known. Where that of the gains themselves is not known, the two scores count as independent: they are evaluated on
    the same examples, so that errs on the side of caution.

    Returns
    -------
    values, errors : arrays of shape (n_sources, n_targets)
        NaN where there is no transfer, or no score without one.
    """
    matrix = oracle.oriented
    alone = np.full(len(matrix.targets), np.nan) if oracle.no_transfer is None else oracle.no_transfer
    values = matrix.values - alone * oracle.signs
    square = _evaluation_variance(oracle) + _seed_variance(oracle)
    return values, np.where(np.isfinite(values), np.sqrt(square), np.nan)


def target_gains(oracle: Oracle, target: str, *, chosen_by: Oracle | None = None) -> TargetGains | None:
    """Return what an oracle's sources gain for a target; None where no gain, or no error of one, is known.

    Parameters
    ----------
    oracle : Oracle
    target : str
        One of its targets.
    chosen_by : Oracle, optional
        Of the same sources and targets: the source that is best by it is looked up in `oracle`.
    """
    values, errors = (array[:, oracle.transfers.targets.index(target)] for array in gains(oracle))
    places = np.flatnonzero(np.isfinite(values) & np.isfinite(errors))
    if not len(places):
        return None
    sources = oracle.transfers.sources

    def of_source(place: int) -> SourceGain:
        return SourceGain(sources[place], float(values[place]), float(errors[place]))

    p = min(holm([_p_of_gain(values[place], errors[place]) for place in places]))
    chosen = _best_source(chosen_by, target, places) if chosen_by is not None else None
    of_source_budget, of_target_budget = budgets(oracle)
    assert oracle.no_transfer is not None  # else there would be no gain
    return TargetGains(
        oracle=oracle.name,
        target=target,
        metric=oracle.metrics.get(target, ""),
        max_train=of_source_budget,
        max_train_target=of_target_budget,
        no_transfer=float(oracle.no_transfer[oracle.transfers.targets.index(target)]),
        n_sources=len(places),
        best=of_source(places[np.argmax(values[places])]),
        p=p,
        pays=p <= TWO_ERRORS,
        mean=SourceGain("mean", float(values[places].mean()), float(errors[places].mean())),
        chosen=None if chosen is None else of_source(chosen),
        chosen_by=chosen_by.name if chosen_by is not None and chosen is not None else "",
    )


def _p_of_gain(gain: float, error: float) -> float:
    """Return how likely a gain as large is where there is none, by a normal distribution."""
    if not error:
        return float(gain <= 0)
    return NormalDist().cdf(-gain / error)


def _best_source(oracle: Oracle, target: str, places: Array) -> int | None:
    """Return which of some sources is best for a target; None where the oracle knows none of them."""
    values = oracle.oriented.values[places, oracle.transfers.targets.index(target)]
    return None if np.isnan(values).all() else int(places[np.nanargmax(values)])


def _evaluation_variance(oracle: Oracle) -> Array:
    """Return the variance of the gains by the choice of evaluation examples (n_sources, n_targets); NaN if unknown."""
    if oracle.gain_error is not None:
        return np.square(oracle.gain_error)
    error = oracle.standard_error if oracle.evaluation_error is None else oracle.evaluation_error
    if error is None:
        return np.full(oracle.transfers.values.shape, np.nan)
    same = oracle.transfers.same
    other = np.where(same, np.nan, error)
    # Where a task is source and target, its error is that without a source; elsewhere it is like that of a source.
    alone = [
        error[same[:, j], j][0] if same[:, j].any() and np.isfinite(error[same[:, j], j][0]) else _mean(other[:, j])
        for j in range(error.shape[1])
    ]
    return np.square(other) + np.square(alone)


def _seed_variance(oracle: Oracle) -> Array:
    """Return the variance of each target's mean gain by the training seeds (n_targets,); 0 where they are not known."""
    by_seed, same, alone = oracle.by_seed, oracle.transfers.same, oracle.no_transfer_by_seed
    has_alone = alone is not None or same.any(axis=0).all()
    if by_seed is None or len(by_seed) < 2 or oracle.evaluation_error is None or not has_alone:
        return np.zeros(len(oracle.transfers.targets))
    if alone is None:
        alone = by_seed[:, same.argmax(axis=0), np.arange(same.shape[1])]  # (n_seeds, n_targets)
    variance = (by_seed - alone[:, None]).var(axis=0, ddof=1)
    return np.array([_mean(np.where(same, np.nan, variance)[:, j]) for j in range(same.shape[1])]) / len(by_seed)


def _mean(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else np.nan
