"""Skill beyond source and target effects: planted tables, a plain implementation, and its level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import spearmanr

from cogbench import Oracle, TaskMatrix, load_parts
from cogbench.parts.registry import find_oracle
from cogbench.scoring.chance import relabellings
from cogbench.scoring.evaluation import score_guess
from cogbench.scoring.paired import score_picks
from cogbench.scoring.ranking import true_ranking
from cogbench.scoring.skill import skill_beyond_effects, without_effects

RNG = np.random.default_rng(0)
N = 9
NAMES = tuple("abcdefghi")
SOURCES, TARGETS = RNG.normal(size=(N, 1)), 5 * RNG.normal(size=N)
UNITS = RNG.uniform(0.1, 10, size=N)
PAIRS = RNG.normal(size=(N, N))


def square(values):
    return TaskMatrix.square(NAMES, values)


def skill(guess, truth):
    return score_guess(square(guess), Oracle("o", "", "", square(truth))).skill


def test_a_guess_that_knows_sources_alone_has_no_skill_in_whatever_units():
    truth = TARGETS + UNITS * (SOURCES + PAIRS)
    scores = score_guess(square(3 + UNITS[::-1] * SOURCES), Oracle("o", "", "", square(truth)))
    assert scores.skill.rho is scores.skill.p is scores.skill.trs is None
    assert scores.trs < scores.trs_chance  # it is a good guess all the same


def test_a_guess_of_the_interaction_has_all_the_skill_there_is():
    found = skill(7 * PAIRS - 2, TARGETS + UNITS * PAIRS)
    assert found.rho > 0.97 and found.p.p == pytest.approx(1e-4) and found.trs < 1.3
    assert skill(-PAIRS, TARGETS + UNITS * PAIRS).rho < -0.97


def test_an_oracle_in_which_sources_alone_differ_leaves_nothing_to_know():
    assert skill(PAIRS, TARGETS + UNITS * SOURCES).rho is None


def test_effects_are_taken_out_as_by_least_squares_over_indicators():
    values = square(SOURCES + TARGETS + PAIRS).values.copy()
    values[0, 3] = values[4, 1] = np.nan
    left = without_effects(values)
    rows, columns = np.nonzero(np.isfinite(values))
    design = np.zeros((len(rows), 2 * N))
    design[np.arange(len(rows)), rows] = design[np.arange(len(rows)), N + columns] = 1
    # In the units that the function chose, which are those of the deviations of each target.
    centred = values - np.nanmean(values, axis=0)
    inside = np.isfinite(values)
    for j in range(N):
        others = [k for k in range(N) if k != j]
        assert inside[:, j].sum() > 5 and len(others) == N - 1
    units = _units_by_loops(centred)
    scaled = (centred / units)[rows, columns]
    expected = scaled - design @ np.linalg.lstsq(design, scaled, rcond=None)[0]
    shape = left[rows, columns]
    assert_allclose(shape / np.linalg.norm(shape), expected / np.linalg.norm(expected), atol=1e-8)
    assert (left[~inside] == 0).all()


def _units_by_loops(values):
    """Return each target's unit: the least-squares solution of the log ratios of spreads over common sources."""
    equations, ratios = [], []
    for one in range(N):
        for other in range(one):
            both = np.isfinite(values[:, one]) & np.isfinite(values[:, other])
            row = np.zeros(N)
            row[one], row[other] = 1, -1
            equations.append(row)
            ratios.append(np.log(values[both, one].std() / values[both, other].std()))
    return np.exp(np.linalg.lstsq(np.array(equations), np.array(ratios), rcond=None)[0])


def test_rho_is_spearmans_over_all_pairs_of_what_is_left():
    guess, truth = PAIRS + RNG.normal(size=(N, N)), SOURCES + PAIRS
    off = ~np.eye(N, dtype=bool)
    left = [without_effects(square(values).values)[off] for values in (guess, truth)]
    assert skill(guess, truth).rho == pytest.approx(spearmanr(*left).statistic, abs=1e-6)


@given(st.integers(0, 50), st.floats(0.1, 10), st.floats(-5, 5))
def test_skill_does_not_change_with_unit_origin_and_effects_of_sources(seed, unit, origin):
    rng = np.random.default_rng(seed)
    guess, truth = rng.normal(size=(5, 5)), rng.normal(size=(5, 5))

    def rho(guess):
        oracle = Oracle("o", "", "", TaskMatrix.square("abcde", truth))
        return score_guess(TaskMatrix.square("abcde", guess), oracle).skill.rho

    moved = origin + unit * guess + 3 * rng.normal(size=(1, 5))
    assert rho(moved) == pytest.approx(rho(guess), abs=1e-6)


def test_a_missing_estimate_counts_as_the_lowest_of_its_target():
    guess, truth = PAIRS.copy(), SOURCES + PAIRS
    lowest = guess.copy()
    guess[2, 5] = np.nan
    lowest[2, 5] = np.delete(lowest[:, 5], [2, 5]).min()
    assert skill(guess, truth).rho == pytest.approx(skill(lowest, truth).rho)


def test_a_target_without_estimates_or_without_differences_adds_nothing_and_breaks_nothing():
    guess, truth = PAIRS.copy(), SOURCES + PAIRS
    guess[:, 4], truth[:, 6] = np.nan, 0.5
    assert 0.5 < skill(guess, truth).rho < 1


def test_the_difference_to_popularity_is_that_of_the_two_guesses():
    truth = SOURCES + 0.3 * PAIRS
    oracle = Oracle("o", "", "", square(truth))
    perfect = score_guess(square(truth), oracle)
    popular = [score_guess(square(np.tile(SOURCES, (1, N))), oracle).trs, perfect.trs]
    assert perfect.skill.popularity.difference <= 0
    assert popular[1] == 1 and perfect.skill.popularity.difference >= 1 - oracle.transfers.values.shape[0]


@pytest.mark.parametrize("kind", ["source quality", "symmetric", "low rank"])
def test_an_estimator_without_knowledge_of_pairs_seldom_shows_skill(kind):
    """Also where estimator and oracle are symmetric: relabelling targets alone calls 8 to 15 % skilled there."""
    rng, n, names = np.random.default_rng(1), 12, tuple("abcdefghijkl")

    def draw(kind):
        noise = rng.normal(size=(n, n))
        if kind == "symmetric":
            return noise + noise.T
        if kind == "low rank":
            latent = rng.normal(size=(n, 3))
            return latent @ latent.T
        return 2 * rng.normal(size=(n, 1)) + noise

    hits = 0
    for seed in range(150):
        oracle = Oracle("o", "", "", TaskMatrix.square(names, rng.normal(size=(n, 1)) + draw("symmetric")))
        guess, true = TaskMatrix.square(names, draw(kind)), true_ranking(oracle)
        every = relabellings(guess, draws=199, seed=seed)
        picks = score_picks(guess, true, every)
        hits += skill_beyond_effects(guess, oracle, true, picks, every, draws=199, seed=seed).p.p <= 0.05
    assert hits / 150 < 0.065 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_what_the_real_board_shows_beyond_effects():
    """`logme` and `taskemb` know pairs, `size` knows sources alone: as review and docs/oracle.md say."""
    oracle = find_oracle(load_parts(), "cogtaskonomy-minilm-max-1000")
    size = TaskMatrix.square(oracle.transfers.sources, np.tile(np.arange(12.0)[:, None], (1, 12)))
    assert score_guess(size, oracle).skill.rho is None
    assert score_guess(oracle.transfers, oracle).skill.rho == pytest.approx(1)
