"""What a guess knows of pairs of tasks: nothing of effects of sources and targets; of the rest, what scipy finds."""

from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import rankdata, spearmanr

from cogbench import Oracle, TaskMatrix, popularity_baseline
from cogbench.scoring.chance import relabellings
from cogbench.scoring.evaluation import score_guess
from cogbench.scoring.skill import ranks_of_pairs, relabelled_rhos, without_effects

NAMES = tuple("abcdefgh")


def square(values):
    return TaskMatrix.square(NAMES[: len(values)], values)


def skill_of(guess, true, **options):
    return score_guess(square(guess), Oracle("o", "b", "s", square(true)), **options).skill


def rectangle(values):
    """Return a matrix whose sources are no targets."""
    n_sources, n_targets = np.shape(values)
    return TaskMatrix(tuple(f"s{i}" for i in range(n_sources)), tuple(f"t{i}" for i in range(n_targets)), values)


def left_by_hand(values):
    """Return what is left of a complete table of columns in units of their spread, less means of rows and columns."""
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    return scaled - scaled.mean(axis=1, keepdims=True)


def test_what_is_left_of_a_complete_table_by_hand():
    values = np.random.default_rng(0).normal(size=(7, 5)) * np.array([1, 10, 0.1, 3, 2])
    left, expected = without_effects(values), left_by_hand(values)
    assert_allclose(left / np.linalg.norm(left), expected / np.linalg.norm(expected), atol=1e-9)
    assert_allclose(left.sum(axis=0), 0, atol=1e-9)
    assert_allclose(left.sum(axis=1), 0, atol=1e-9)


@pytest.mark.parametrize("missing", [0, 0.2])
def test_nothing_is_left_of_effects_of_sources_and_targets_in_any_unit(missing):
    rng = np.random.default_rng(1)
    sources, targets, units = rng.normal(size=8), rng.normal(size=8), rng.uniform(0.1, 100, 8)
    values = np.where(np.eye(8), np.nan, sources[:, None] * units + targets)
    values[rng.random((8, 8)) < missing] = np.nan
    assert not without_effects(values).any()


def test_what_is_left_is_not_changed_by_further_effects_nor_by_the_targets_units():
    rng = np.random.default_rng(2)
    values = np.where(np.eye(6), np.nan, rng.normal(size=(6, 6)))
    left = without_effects(values)
    other = without_effects(values * rng.uniform(0.1, 10, 6) + rng.normal(size=6))
    assert_allclose(other / np.linalg.norm(other), left / np.linalg.norm(left), atol=1e-9)
    assert_allclose(left[~np.eye(6, dtype=bool)].mean(), 0, atol=1e-9)


def test_a_target_whose_scores_are_all_the_same_has_nothing_left():
    values = np.random.default_rng(3).normal(size=(5, 4))
    values[:, 2] = 0.7
    left = without_effects(values)
    assert not left[:, 2].any() and left[:, 0].any()


def test_the_correlation_is_scipys_over_all_pairs_and_its_p_is_counted_over_all_names_of_the_targets():
    rng = np.random.default_rng(4)
    true = rng.normal(size=(6, 4))
    guess = true + rng.normal(size=(6, 4))
    skill = score_guess(rectangle(guess), Oracle("o", "b", "s", rectangle(true))).skill
    rhos = [
        spearmanr(left_by_hand(guess)[:, order].ravel(), left_by_hand(true).ravel()).statistic
        for order in permutations(range(4))
    ]
    assert skill.rho == pytest.approx(rhos[0])
    assert (skill.p.draws, skill.p.exact) == (24, True)
    assert skill.p.p == pytest.approx(np.mean(np.array(rhos) >= rhos[0] - 1e-9))


def test_the_p_of_a_square_guess_is_counted_over_all_names_of_its_tasks():
    guess, true = np.random.default_rng(5).normal(size=(2, 5, 5))
    off = ~np.eye(5, dtype=bool)
    left_of_guess, left_of_truth = (without_effects(np.where(off, m, np.nan)) for m in (guess, true))
    rhos = [
        spearmanr(left_of_guess[np.ix_(order, order)][off], left_of_truth[off]).statistic
        for order in permutations(range(5))
    ]
    skill = skill_of(guess, true)
    assert skill.rho == pytest.approx(rhos[0]) and skill.p.draws == 120
    assert skill.p.p == pytest.approx(np.mean(np.array(rhos) >= rhos[0] - 1e-9))


def test_a_perfect_guess_has_all_the_skill_and_a_turned_one_none():
    true = np.random.default_rng(6).normal(size=(8, 8))
    skill, turned = skill_of(true, true), skill_of(-true, true)
    assert (skill.rho, skill.trs, skill.p.p) == (pytest.approx(1), 1, 1 / 10_000)
    assert turned.rho == pytest.approx(-1) and turned.p.p == 1 and turned.trs == 7


def test_a_guess_that_knows_of_sources_alone_has_no_skill():
    rng = np.random.default_rng(7)
    sources = rng.normal(size=6)
    true = 3 * sources[:, None] + rng.normal(size=(6, 6))
    for guess in (np.tile(sources[:, None], 6), sources[:, None] * rng.uniform(1, 9, 6) + rng.normal(size=6)):
        skill = skill_of(guess, true)
        assert (skill.rho, skill.p, skill.trs) == (None, None, None) and skill.popularity is not None


def test_an_oracle_of_effects_alone_shows_no_skill():
    sources, targets = np.random.default_rng(8).normal(size=(2, 6))
    true = sources[:, None] + targets
    assert skill_of(np.random.default_rng(9).normal(size=(6, 6)), true).rho is None


def test_a_selection_is_compared_with_popularity_alone():
    guess = np.full((6, 6), np.nan)
    guess[np.arange(6), np.arange(6)[::-1]] = 1
    skill = skill_of(guess, np.random.default_rng(11).normal(size=(6, 6)))
    assert (skill.rho, skill.p, skill.trs) == (None, None, None) and skill.popularity is not None


def test_the_difference_to_popularity_is_that_of_the_trs():
    guess, true = np.random.default_rng(12).normal(size=(2, 6, 6))
    oracle = Oracle("o", "b", "s", square(true))
    skill, popularity = (score_guess(m, oracle) for m in (square(guess), popularity_baseline(oracle)))
    assert skill.skill.popularity.difference == pytest.approx(skill.trs.value - popularity.trs.value)
    assert popularity.skill.popularity.difference == 0 and popularity.skill.popularity.p == 1


def test_with_one_target_there_is_no_popularity():
    one = rectangle(np.array([[1.0], [2], [3]]))
    assert score_guess(one, Oracle("o", "b", "s", one)).skill.popularity is None


def test_the_order_of_the_tasks_changes_no_skill():
    guess, true = np.random.default_rng(13).normal(size=(2, 5, 5))
    order = [3, 0, 4, 2, 1]
    names = [NAMES[i] for i in order]
    here = skill_of(guess, true)
    reordered = score_guess(
        square(guess).part(names, names), Oracle("o", "b", "s", square(true).part(names, names))
    ).skill
    assert (here.rho, here.trs, here.p.p) == pytest.approx((reordered.rho, reordered.trs, reordered.p.p))


def test_an_estimate_that_is_missing_counts_as_the_targets_lowest():
    guess, true = np.random.default_rng(14).normal(size=(2, 6, 6))
    holes, filled = guess.copy(), guess.copy()
    holes[0, 3], filled[0, 3] = np.nan, guess[[1, 2, 4, 5], 3].min()
    assert skill_of(holes, true).rho == pytest.approx(skill_of(filled, true).rho)


def test_transfers_that_were_not_measured_are_left_out():
    rng = np.random.default_rng(15)
    guess, true = rng.normal(size=(2, 6, 6))
    true[0, 3] = np.nan
    off = ~np.eye(6, dtype=bool)
    known = off & np.isfinite(true)
    left_of_guess, left_of_truth = (without_effects(np.where(off, m, np.nan)) for m in (guess, true))
    assert skill_of(guess, true).rho == pytest.approx(
        np.corrcoef(
            np.argsort(np.argsort(left_of_guess[off]))[known[off]], np.argsort(np.argsort(left_of_truth[known]))
        )[0, 1]
    )


@pytest.mark.parametrize("shape", [(400, 6), (2000, 5)])
def test_the_guess_itself_is_among_all_its_relabellings_however_many_sources_there_are(shape):
    true = np.random.default_rng(16).normal(size=shape)
    guess = true + np.random.default_rng(17).normal(size=shape)
    p = score_guess(rectangle(guess), Oracle("o", "b", "s", rectangle(true))).skill.p
    assert p.exact and p.p == 1 / p.draws


def test_effects_are_taken_out_as_by_least_squares_over_indicators():
    values = np.where(np.eye(8), np.nan, np.random.default_rng(5).normal(size=(8, 8)))
    values[0, 3] = values[4, 1] = np.nan
    left = without_effects(values)
    rows, columns = np.nonzero(np.isfinite(values))
    design = np.zeros((len(rows), 2 * 8))
    design[np.arange(len(rows)), rows] = design[np.arange(len(rows)), 8 + columns] = 1
    centred = values - np.nanmean(values, axis=0)
    units = _units_by_loops(centred)
    scaled = (centred / units)[rows, columns]
    expected = scaled - design @ np.linalg.lstsq(design, scaled, rcond=None)[0]
    shape = left[rows, columns]
    assert_allclose(shape / np.linalg.norm(shape), expected / np.linalg.norm(expected), atol=1e-8)
    assert (left[np.isnan(values)] == 0).all()


def _units_by_loops(values):
    """Return each target's unit: the least-squares solution of the log ratios of spreads over common sources."""
    equations, ratios = [], []
    for one in range(8):
        for other in range(one):
            both = np.isfinite(values[:, one]) & np.isfinite(values[:, other])
            row = np.zeros(8)
            row[one], row[other] = 1, -1
            equations.append(row)
            ratios.append(np.log(values[both, one].std() / values[both, other].std()))
    return np.exp(np.linalg.lstsq(np.array(equations), np.array(ratios), rcond=None)[0])


@pytest.mark.parametrize("n_missing", [0, 5])
def test_many_guesses_are_relabelled_at_once_by_brute_force(n_missing):
    rng, off = np.random.default_rng(10), ~np.eye(5, dtype=bool)
    guesses, true = rng.normal(size=(3, 5, 5)), np.where(off, rng.normal(size=(5, 5)), np.nan)
    true.ravel()[rng.choice(np.flatnonzero(off), n_missing, replace=False)] = np.nan
    measured, names = np.isfinite(true), relabellings(square(guesses[0]), "targets")
    truth = np.where(measured, without_effects(true), np.nan)
    rhos = relabelled_rhos(np.stack([ranks_of_pairs(square(guess)) for guess in guesses]), truth, names)
    assert rhos.shape == (120, 3)
    for draw in (0, 7, 119):
        order = np.ix_(names.sources[draw], names.targets[draw])
        for guess, rho in zip(guesses, rhos[draw], strict=True):
            left = without_effects(np.where(off, guess, np.nan))
            ranks = np.zeros((5, 5))
            ranks[off] = rankdata(left[off])
            assert rho == pytest.approx(np.corrcoef(ranks[order][measured], rankdata(truth[measured]))[0, 1])
