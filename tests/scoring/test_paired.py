"""Two guesses on the same targets: the tests of their difference, and their correction for several tries."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, permutation_test

from cogbench import Oracle, TaskMatrix, load_parts
from cogbench.parts.registry import find_oracle
from cogbench.scoring.chance import relabellings
from cogbench.scoring.paired import detectable_difference, holm, paired_difference, score_picks, sign_flips
from cogbench.scoring.ranking import true_ranking


def difference(one, other, truth, draws=9_999):
    names = tuple("abcdefghijkl")[: len(truth)]
    true = true_ranking(Oracle("o", "", "", TaskMatrix.square(names, truth)))
    first, second = TaskMatrix.square(names, one), TaskMatrix.square(names, other)
    every = relabellings(first, draws=draws)
    return paired_difference(score_picks(first, true, every), score_picks(second, true, every), true, every)


@pytest.mark.parametrize("n", [3, 9, 12])
def test_sign_flips_are_those_of_scipy(n):
    differences = np.random.default_rng(n).normal(0.4, 1, n).round(1)
    exact = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    found = sign_flips(differences)
    assert found.p == pytest.approx(exact.pvalue) and found.exact and found.draws == 2 ** np.count_nonzero(differences)


def test_more_than_sixteen_differences_are_drawn_and_the_number_is_said():
    differences = np.random.default_rng(0).normal(0.5, 1, 40)
    found = sign_flips(differences)
    exact = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=50_000, rng=1)
    assert not found.exact and found.draws == 65_536 and found.p == pytest.approx(exact.pvalue, abs=0.002)


def test_guesses_that_choose_the_same_are_not_told_apart():
    rng = np.random.default_rng(0)
    guess, truth = rng.normal(size=(12, 12)), rng.normal(size=(12, 12))
    found = difference(guess, 2 * guess + 1, truth)
    assert found.difference == 0 and found.p == 1 and found.interval[0] < 0 < found.interval[1]
    assert found.detectable == 0


def test_relabelling_gives_both_guesses_the_same_new_names():
    rng = np.random.default_rng(1)
    one, other, truth = (rng.normal(size=(5, 5)) for _ in range(3))
    found = difference(one, other, truth)
    assert found.relabelled.exact and found.relabelled.draws == 120
    from itertools import permutations

    def total(guess):
        values, sums = np.where(np.eye(5, dtype=bool), -np.inf, guess), 0
        for j in range(5):
            best = values[:, j].argmax()
            sums += 1 + sum(truth[i, j] > truth[best, j] for i in range(5) if i != j)
        return sums

    gaps = [total(one[np.ix_(order, order)]) - total(other[np.ix_(order, order)]) for order in permutations(range(5))]
    own = total(one) - total(other)
    assert found.difference == pytest.approx(own / 5)
    assert found.relabelled.p == pytest.approx(np.mean(np.abs(gaps) >= abs(own)))
    assert found.p == max(found.relabelled.p, found.sign_flips.p)


@pytest.mark.parametrize("kind", ["independent", "one source"])
def test_two_estimators_without_knowledge_are_seldom_told_apart(kind):
    """Sign flips alone tell two that pick one source each apart in nearly half the cases on this oracle."""
    oracle = find_oracle(load_parts(), "cogtaskonomy-tinybert")
    true, rng, n = true_ranking(oracle), np.random.default_rng(0), 12
    flips, both = 0, 0
    for seed in range(250):
        guesses = [
            TaskMatrix.square(
                true.sources,
                rng.normal(size=(n, n)) if kind == "independent" else np.tile(rng.normal(size=(n, 1)), (1, n)),
            )
            for _ in range(2)
        ]
        names = relabellings(guesses[0], draws=199, seed=seed)
        found = paired_difference(*(score_picks(guess, true, names) for guess in guesses), true, names)
        flips += found.sign_flips.p <= 0.05
        both += found.p <= 0.05
    assert both / 250 < 0.065 + 3 * np.sqrt(0.05 * 0.95 / 250)
    if kind == "one source":
        assert flips / 250 > 0.3


def test_a_difference_that_is_detectable_is_detected_four_times_in_five():
    rng, n = np.random.default_rng(0), 40
    sample = rng.normal(size=n)
    sample = (sample - sample.mean()) / sample.std(ddof=1)
    least = detectable_difference(sample)
    assert least == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) / np.sqrt(n))
    seen = np.mean([sign_flips(rng.normal(least, 1, n), seed=i).p <= 0.05 for i in range(60)])
    assert 0.62 < seen < 0.96


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.7, 0.9]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_p_and_bonferronis_and_keeps_the_order(p_values):
    corrected = holm(p_values)
    for p, of in zip(p_values, corrected, strict=True):
        assert p <= of <= min(1, len(p_values) * p) + 1e-12
    for (p, one), (q, other) in product(zip(p_values, corrected, strict=True), repeat=2):
        assert one <= other or p > q
