"""Two guesses on the same targets: their difference against scipy, brute force, and numbers worked by hand."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm, permutation_test

from cogbench import Oracle, TaskMatrix, rank
from cogbench.scoring.chance import relabellings
from cogbench.scoring.paired import (
    compare_all,
    detectable_difference,
    holm,
    nested_difference,
    paired_difference,
    power_for,
    score_picks,
    sign_flips,
)
from cogbench.scoring.ranking import picked_ranks, true_ranking

NAMES = tuple("abcde")


def paired(one, other, transfers):
    """Return the difference of two guesses, and the true ranks of their picks."""
    matrices = [TaskMatrix.square(NAMES, values) for values in (one, other)]
    true = true_ranking(Oracle("o", "b", "s", TaskMatrix.square(NAMES, transfers)))
    names = relabellings(matrices[0])
    difference = paired_difference(*(score_picks(matrix, true, names) for matrix in matrices), true, names)
    return difference, *(picked_ranks(rank(matrix), true) for matrix in matrices)


@pytest.mark.parametrize("seed", range(5))
def test_sign_flips_are_scipys_permutation_test(seed):
    differences = np.random.default_rng(seed).integers(-4, 8, 9).astype(float)
    p_value = sign_flips(differences)
    assert p_value.exact and p_value.p == pytest.approx(
        permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    )


@given(arrays(float, 6, elements=st.sampled_from([-2.0, -0.5, 0.0, 1.0, 1.5])))
def test_sign_flips_are_counted_over_all_signs(differences):
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in product((-1, 1), repeat=6)]
    assert sign_flips(differences).p == pytest.approx(np.mean([s >= abs(differences.sum()) - 1e-9 for s in sums]))


def test_targets_without_a_difference_change_no_p():
    differences = np.array([1.0, 2, 3, -0.5])
    assert sign_flips(np.append(differences, np.zeros(30))) == sign_flips(differences)


def test_many_signs_are_drawn_and_the_differences_themselves_count():
    differences = np.ones(40)
    p_value = sign_flips(differences)
    assert (p_value.p, p_value.draws, p_value.exact) == (1 / 65_537, 65_536, False)
    noisy = np.random.default_rng(0).normal(0.3, 1, 40)
    z = abs(noisy.sum()) / np.sqrt(np.square(noisy).sum())
    assert sign_flips(noisy).p == pytest.approx(2 * norm.sf(z), abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_both_guesses_get_the_same_other_names(seed):
    one, other, transfers = np.random.default_rng(seed).normal(size=(3, 5, 5))
    difference, first, second = paired(one, other, transfers)
    true = rank(TaskMatrix.square(NAMES, transfers)).ranks
    gaps = []
    for order in permutations(range(5)):
        values = [np.where(np.eye(5, dtype=bool), -np.inf, m[np.ix_(order, order)]) for m in (one, other)]
        gaps.append(
            sum(true[a, t] - true[b, t] for t, (a, b) in enumerate(zip(*(m.argmax(0) for m in values), strict=True)))
        )
    assert difference.difference == pytest.approx((first - second).mean())
    own = abs((first - second).sum())
    assert difference.relabelled.exact and difference.relabelled.p == pytest.approx(np.mean(np.abs(gaps) >= own - 1e-9))
    assert difference.p == max(difference.sign_flips.p, difference.relabelled.p)


def test_a_difference_turned_round_has_the_other_sign_and_the_same_p():
    one, other, transfers = np.random.default_rng(0).normal(size=(3, 5, 5))
    one_way, other_way = paired(one, other, transfers)[0], paired(other, one, transfers)[0]
    assert one_way.difference == -other_way.difference and one_way.difference != 0
    assert (one_way.sign_flips, one_way.relabelled, one_way.detectable) == (
        other_way.sign_flips,
        other_way.relabelled,
        other_way.detectable,
    )
    assert one_way.interval == pytest.approx((-other_way.interval[1], -other_way.interval[0]), abs=0.05)


def test_equal_guesses_do_not_differ():
    guess, transfers = np.random.default_rng(0).normal(size=(2, 5, 5))
    difference, *_ = paired(guess, 3 * guess + 1, transfers)
    assert (difference.difference, difference.p, difference.sign_flips.p, difference.relabelled.p) == (0, 1, 1, 1)
    assert difference.detectable == 0 and difference.interval[0] < 0 < difference.interval[1], (
        "an interval is never a point"
    )


def test_a_difference_is_in_its_interval():
    for seed in range(5):
        difference, *_ = paired(*np.random.default_rng(seed).normal(size=(3, 5, 5)))
        assert difference.interval[0] <= difference.difference <= difference.interval[1]


def test_a_difference_that_is_detectable_is_seen_with_the_power_it_says():
    differences = np.random.default_rng(0).normal(0, 2, 12)
    error = differences.std(ddof=1) / np.sqrt(12)
    assert norm.sf(norm.isf(0.025) - detectable_difference(differences) / error) == pytest.approx(0.8)
    assert detectable_difference(np.array([1.0])) is None, "one difference has no spread"


def test_p_values_corrected_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.04, 0.01, 0.5, 0.01]) == pytest.approx([0.08, 0.04, 0.5, 0.04])
    assert holm([0.9, 0.8]) == [1, 1] and holm([0.2]) == [0.2] and holm([]) == []


def test_a_difference_over_two_families_by_hand():
    one, two = np.array([1.0, 3.0]), np.array([0.0, 2.0, -1.0, 1.0])
    further, relabelled = np.linspace(-1, 1, 500), np.array([0.0, 1.5, -1.25, 1.0])
    difference = nested_difference([(one, further), (two, further)], relabelled, exact=True)
    assert difference.difference == pytest.approx((2 + 0.5) / 2)
    flipped = [
        abs((signs[:2] @ one) / 2 + (signs[2:] @ two) / 4) / 2 for signs in np.array([*product((-1, 1), repeat=6)])
    ]
    assert difference.sign_flips.p == pytest.approx(np.mean(np.array(flipped) >= 1.25 - 1e-9))
    assert difference.relabelled.p == 0.5
    error = np.sqrt(one.var(ddof=1) / 2 + two.var(ddof=1) / 4) / 2
    assert difference.detectable == pytest.approx((norm.isf(0.025) + norm.isf(0.2)) * error)
    assert difference.interval[0] < 1.25 < difference.interval[1]


def test_a_family_of_one_target_has_no_difference_that_would_be_seen():
    assert detectable_difference(np.array([1.0, 2.0]), np.array([1.0])) is None


def test_the_power_for_a_difference():
    assert power_for(0.3, 0.3) == pytest.approx(0.8, abs=1e-5)
    assert power_for(0.0, 0.3) == pytest.approx(0.05) and power_for(0.1, 0.0) == 1
    errors = 0.1 / (0.3 / (norm.isf(0.025) + norm.isf(0.2)))
    assert power_for(0.1, 0.3) == pytest.approx(norm.sf(1.959964 - errors) + norm.cdf(-1.959964 - errors), abs=1e-6)


@pytest.mark.parametrize("n_tasks", [5, 22])  # all signs are tried, or drawn
@pytest.mark.parametrize("unmeasured", [False, True])
def test_guesses_compared_together_are_as_each_alone(n_tasks, unmeasured, monkeypatch):
    rng, tasks = np.random.default_rng(n_tasks), [f"t{i}" for i in range(n_tasks)]
    transfers, *values = rng.integers(0, 9, (8, n_tasks, n_tasks)).astype(float)
    values[1][rng.random(transfers.shape) < 0.2] = np.nan
    values[2:4] = [values[0], np.where(np.arange(n_tasks) < 2, values[1], values[0])]  # few differences, or none
    if unmeasured:
        transfers[0, 2:4] = np.nan
    true = true_ranking(Oracle("o", "b", "s", TaskMatrix.square(tasks, transfers)))
    other, *guesses = (TaskMatrix.square(tasks, matrix) for matrix in values)
    names = relabellings(other, draws=300)
    first = score_picks(other, true, names)
    alone = [paired_difference(score_picks(guess, true, names), first, true, names) for guess in guesses]
    monkeypatch.setattr("cogbench.scoring.paired.TOGETHER", 4 * n_tasks**2)
    together = compare_all(guesses, other, true, names)
    assert together == [(difference.p, difference.detectable) for difference in alone]
    assert len({p for p, _ in together}) > 3 and 1.0 in dict(together)
