"""Skill beyond popularity: what a guess knows of a pair of tasks, beyond which sources and which targets are good."""

from dataclasses import dataclass

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle, TaskMatrix
from .baselines import popularity_baseline
from .chance import DRAWS, ROUNDING, PValue, Relabellings, blocks_of_cells, relabellings
from .correlation import average_ranks
from .paired import PairedDifference, ScoredPicks, paired_difference, score_picks
from .ranking import Ranking, picked_ranks, rank

ALIKE = 1e-9  # scores that differ by less than this share of their size are told apart by rounding alone


@dataclass(frozen=True)
class Skill:
    """What a guess knows of the pairs of tasks, beyond which sources are good; None where it is undefined.

    Attributes
    ----------
    rho : float, optional
        Spearman's correlation, over all measured cells, of what is left of the guess and of the oracle when the
        effects of sources and targets are taken out: from -1 to 1, 0 for a guess that knows of sources alone.
    p : PValue, optional
        How often the guess reaches that under other names of its tasks.
    trs : float, optional
        The TRS by what is left of both.
    popularity : PairedDifference, optional
        The TRS less that of the source that serves the other targets best: negative is better than popularity. None
        where there is one target alone.
    """

    rho: float | None
    p: PValue | None
    trs: float | None
    popularity: PairedDifference | None


def skill_beyond_effects(
    guess: TaskMatrix,
    oracle: Oracle,
    true: Ranking,
    picks: ScoredPicks,
    names: Relabellings,
    *,
    selection: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> Skill:
    """Return what a guess knows beyond the effects of sources and targets.

    Parameters
    ----------
    guess : TaskMatrix
        Of the oracle's sources and targets, in their order.
    oracle : Oracle
        The transfers that `true` ranks.
    picks, names : ScoredPicks, Relabellings
        The guess's predicted best sources, as they are and under these names of its tasks.
    selection : bool
        Whether the guess only selects a source for each target: then it is compared with popularity alone.
    draws, seed : int
        Of the relabellings.
    """
    popularity = None
    if len(true.targets) > 1:
        baseline = popularity_baseline(oracle)
        same = np.array_equal(baseline.values, guess.values, equal_nan=True)
        others = picks if same else score_picks(baseline, true, names)  # the guess may be popularity itself
        popularity = paired_difference(picks, others, true=true, names=names)
    measured = true.candidates
    of_truth = without_effects(np.where(measured, oracle.oriented.values, np.nan))
    of_guess = without_effects(_with_lowest(guess))
    if selection or not (of_guess[measured].any() and of_truth[measured].any()):
        return Skill(rho=None, p=None, trs=None, popularity=popularity)
    left_of_guess, left_of_truth = (
        rank(TaskMatrix(guess.sources, guess.targets, values), measured) for values in (of_guess, of_truth)
    )
    cells = _ranks_of_cells(of_guess, ~guess.same)
    truth = np.where(measured, of_truth, np.nan)
    own = float(_correlation(cells[None], _ranks_of_cells(truth, measured), measured)[0])
    of_targets = relabellings(guess, "targets", draws=draws, seed=seed)
    rhos = relabelled_rhos(cells[None], truth, of_targets)[:, 0]
    p = of_targets.p_value(rhos >= own - ROUNDING)
    trs = float(picked_ranks(left_of_guess, left_of_truth).mean())
    return Skill(rho=own, p=p, trs=trs, popularity=popularity)


def ranks_of_pairs(guess: TaskMatrix) -> Array:
    """Return the ranks of what is left of a guess over all pairs of tasks, (n_sources, n_targets): 0 of no pair."""
    return _ranks_of_cells(without_effects(_with_lowest(guess)), ~guess.same)


def relabelled_rhos(cells: Array, truth: Array, names: Relabellings) -> Array:
    """Return the rank correlation of relabelled guesses with what is left of an oracle.

    Parameters
    ----------
    cells : array of shape (n_guesses, n_sources, n_targets)
        Of each guess, its `ranks_of_pairs`.
    truth : array of shape (n_sources, n_targets)
        What is left of the oracle; NaN where it was not measured.
    names : Relabellings
        Of the guesses.

    Returns
    -------
    array of shape (n_draws, n_guesses)
    """
    measured = np.isfinite(truth)
    weights = _unit_weights(_ranks_of_cells(truth, measured), measured)
    flat = cells.reshape(len(cells), -1).T  # (s * t, g)
    rhos, n, inside = list[Array](), measured.sum(), measured.astype(np.float64)
    whole = np.array_equal(measured, (cells != 0).any(axis=0))  # other names move no pair out of what was measured
    squares = np.square(flat)
    total, square = flat.sum(axis=0), squares.sum(axis=0)
    for block in blocks_of_cells(*names.inverse):
        # The oracle moves the other way instead of each guess: one product serves all guesses.
        products = weights.take(block).reshape(-1, truth.size) @ flat
        if not whole:
            moved = inside.take(block).reshape(-1, truth.size)
            total, square = moved @ flat, moved @ squares
        rhos.append(products / np.sqrt(np.maximum(square - total**2 / n, np.finfo(np.float64).tiny)))
    return np.concatenate(rhos)


def without_effects(values: Array) -> Array:
    """Return what is left of scores when the effects of sources and of targets are taken out, by least squares.

    Each target is first divided by its unit, for metrics differ in theirs: the spread of its scores, compared with
    each other target's over the sources that both have. So nothing is left of an effect of sources that is the same
    for all targets but for the unit, although each target lacks another source: itself.

    Parameters
    ----------
    values : array of shape (n_sources, n_targets)
        NaN where there is no score.

    Returns
    -------
    array of shape (n_sources, n_targets)
        In units of the targets; 0 where there is no score, and for a target whose scores are all the same.
    """
    centred, present = _centred(values)
    varies = np.sqrt(np.square(centred).sum(axis=0)) > ALIKE * np.sqrt(np.square(np.nan_to_num(values)).sum(axis=0))
    present = present & varies
    scaled = np.where(present, centred / _units(centred, present), 0)
    rows, columns = present.sum(axis=1), present.sum(axis=0)
    design = np.block([[np.diag(rows), present], [present.T, np.diag(columns)]]).astype(np.float64)
    totals = np.concatenate([scaled.sum(axis=1), scaled.sum(axis=0)])
    effects = _solve(design, totals)  # of sources, then of targets
    left = np.where(present, scaled - effects[: len(rows), None] - effects[None, len(rows) :], 0)
    return np.where(np.abs(left) > ALIKE * np.abs(scaled).max(initial=0), left, 0)


def _units(centred: Array, present: Array) -> Array:
    """Return the unit of each target (n_targets,), so that their spreads over common sources agree as far as can be."""
    presence = present.astype(np.float64)
    values = np.where(present, centred, 0)
    n = np.maximum(presence.T @ presence, 1)  # (t, t'): the sources that both have
    variances = np.maximum(
        np.square(values).T @ presence / n - np.square(values.T @ presence / n), 0
    )  # of t's scores presence
    own = np.maximum(variances.diagonal(), np.finfo(np.float64).tiny)
    comparable = (variances > ALIKE**2 * own[:, None]) & (variances.T > ALIKE**2 * own[None, :])
    logs = 0.5 * np.log(np.where(comparable, variances, 1))
    ratios = np.where(comparable, logs - logs.T, 0)
    network = np.diag(comparable.sum(axis=1)) - comparable
    return np.exp(_solve(network.astype(np.float64), ratios.sum(axis=1)))


def _solve(equations: Array, totals: Array) -> Array:
    """Return a solution of equations (n, n) that leave a constant open, as least squares over effects do."""
    # What is open cancels out in what the effects are for; the small addition makes the equations regular.
    return np.linalg.solve(equations + 1e-12 * max(1.0, equations.max()) * np.eye(len(equations)), totals)


def _with_lowest(guess: TaskMatrix) -> Array:
    """Return the estimates, those that are missing as low as the target's lowest: they rank last in the score too."""
    lowest = np.nan_to_num(np.nanmin(guess.values, axis=0, initial=np.inf), posinf=0)
    return np.where(guess.same, np.nan, np.where(np.isnan(guess.values), lowest, guess.values))


def _centred(values: Array) -> tuple[Array, Array]:
    """Return each target's scores less their mean, 0 where there are none, and where there are."""
    present = np.isfinite(values)
    mean = np.where(present, values, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    return np.where(present, values - mean, 0), present


def _ranks_of_cells(values: Array, chosen: Array) -> Array:
    """Return the ranks of the chosen cells among each other, of the shape of `values`; 0 elsewhere."""
    cells = np.zeros(values.shape)
    cells[chosen] = average_ranks(values[chosen])
    return cells


def _unit_weights(truth: Array, measured: Array) -> Array:
    """Return the centred ranks of measured cells in length 1, 0 elsewhere: their product with ranks is Pearson's r."""
    weights = np.where(measured, truth - truth[measured].mean(), 0)
    return weights / np.linalg.norm(weights)


def _correlation(block: Array, truth: Array, measured: Array) -> Array:
    """Return Pearson's r over the measured cells of each (n_sources, n_targets) of a block with the truth."""
    weights = _unit_weights(truth, measured)
    n, inside = measured.sum(), measured.astype(np.float64)
    products = np.einsum("dst,st->d", block, weights)
    total, square = np.einsum("dst,st->d", block, inside), np.einsum("dst,dst,st->d", block, block, inside)
    return products / np.sqrt(np.maximum(square - total**2 / n, np.finfo(np.float64).tiny))
