"""Ranks and scores against golden values, scipy, and the paper's own tables."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.stats import rankdata

from cogbench import Oracle, TaskMatrix, UnusableData, load_parts, rank
from cogbench.parts.oracle_names import find_oracle
from cogbench.scoring.chance import chance_law, independent_p
from cogbench.scoring.evaluation import score_guess
from cogbench.scoring.ranking import predicted_best, shared_places, true_ranking

NAMES = tuple("abcdefgh")


FEW = st.integers(-4, 4)


def square(values):
    return TaskMatrix.square(NAMES[: len(values)], np.asarray(values, float))


def squares(smallest=3, values=FEW):
    return st.integers(smallest, 7).flatmap(lambda n: arrays(float, (n, n), elements=values.map(float)))


def scored(predicted, true, **extra):
    oracle = Oracle("o", "b", "s", square(true), **extra)
    return score_guess(square(predicted), oracle)


def test_golden_ranks():
    matrix = TaskMatrix(("p", "q", "r", "s"), ("t",), np.array([[80.0], [75], [90], [85]]))
    assert rank(matrix).ranks[:, 0].tolist() == [3, 4, 1, 2]
    assert rank(matrix).order("t") == ["r", "s", "p", "q"]


@given(squares())
def test_ranks_are_scipys_without_the_task_itself(values):
    ranks = rank(square(values)).ranks
    for t in range(len(values)):
        others = np.arange(len(values)) != t
        assert_allclose(ranks[others, t], rankdata(-values[others, t], method="average"))
        assert np.isnan(ranks[t, t])


@given(arrays(float, (5, 4), elements=st.sampled_from([np.nan, -1.0, 0.0, 2.0])), arrays(bool, (5, 4)))
def test_ranks_count_the_candidates_that_score_higher_and_the_same(values, candidates):
    ranking = rank(TaskMatrix(tuple("abcde"), tuple("cdxy"), values), candidates)
    scores = np.where(np.isnan(values), -np.inf, values)
    for j, target in enumerate("cdxy"):
        chosen = [i for i in range(5) if candidates[i, j] and "abcde"[i] != target]
        for i in range(5):
            better = sum(scores[k, j] > scores[i, j] for k in chosen) if i in chosen else 0
            equal = sum(scores[k, j] == scores[i, j] for k in chosen) if i in chosen else 0
            assert (ranking.better[i, j], ranking.equal[i, j]) == (better, equal)


@given(squares())
def test_an_increasing_change_of_the_scores_leaves_the_ranks(values):
    assert_allclose(rank(square(values)).ranks, rank(square(np.exp(values) * 3 - 7)).ranks)


def test_a_missing_estimate_ranks_last():
    values = np.array([[0, 0.2, 0.1], [0.5, 0, np.nan], [-9, np.nan, 0]])
    assert rank(square(values)).ranks[:, 0].tolist()[1:] == [1, 2]
    assert rank(square(values)).ranks[[0, 2], 1].tolist() == [1, 2]


def test_missing_estimates_tie_and_lie_below_the_lowest_score():
    column = TaskMatrix(("p", "q", "r"), ("t",), np.array([[-1e9], [np.nan], [np.nan]]))
    assert rank(column).ranks[:, 0].tolist() == [1, 2.5, 2.5]


def test_a_source_that_is_no_candidate_has_no_rank_and_takes_nobodys():
    column = TaskMatrix(("p", "q", "r"), ("t",), np.array([[3.0], [2.0], [1.0]]))
    ranking = rank(column, np.array([[False], [True], [True]]))
    assert_allclose(ranking.ranks[:, 0], [np.nan, 1, 2])
    assert ranking.order("t") == ["q", "r"] and ranking.picks(1)[:, 0].tolist() == [0, 1, 0]


def test_the_task_itself_is_never_a_candidate():
    assert np.isnan(rank(square(np.eye(3)), np.ones((3, 3), bool)).ranks.diagonal()).all()


def test_a_transfer_that_was_not_measured_has_no_true_rank():
    ranks = true_ranking(Oracle("o", "b", "s", square([[0, np.nan, 2], [5, 0, 1], [3, 4, 0]]))).ranks
    assert_allclose(ranks, [[np.nan, np.nan, 1], [1, np.nan, 2], [2, 1, np.nan]])


@given(squares())
def test_where_lower_figures_are_better_the_lowest_ranks_first(values):
    lower = true_ranking(Oracle("o", "b", "s", square(values), better={"a": "lower"}))
    turned = values * np.where(np.arange(len(values)) == 0, -1, 1)
    assert_allclose(lower.ranks, rank(square(turned)).ranks)


def test_a_perfect_guess_has_trs_one():
    true = np.random.default_rng(0).normal(size=(6, 6))
    found = scored(true, true)
    assert found.trs.value == 1 and found.metric.selected == pytest.approx(found.metric.best)


def test_tied_top_scores_share_the_pick():
    true = [[0, 1, 1], [2, 0, 2], [1, 3, 0]]  # for a: b is 1, c is 2
    assert scored([[0, 1, 1], [5, 0, 2], [5, 3, 0]], true).per_target["a"].rank == 1.5


@given(squares(values=st.integers(0, 2)), squares(values=st.integers(0, 2)))
def test_trs_lies_between_one_and_the_number_of_candidates(predicted, true):
    n = min(len(predicted), len(true))
    found = scored(predicted[:n, :n], true[:n, :n])
    assert 1 <= found.trs.value <= n - 1
    assert found.trs.interval[0] <= found.trs.value + 1e-9 and found.trs.value - 1e-9 <= found.trs.interval[1]
    assert 0 < found.trs.p.p <= 1 and 0 < found.trs.p_independent <= 1


@given(squares())
def test_guessing_nothing_is_chance(true):
    found = scored(np.zeros_like(true), true)
    assert found.trs.value == pytest.approx(found.trs.chance)
    assert found.metric.selected == pytest.approx(found.metric.random)
    assert found.top_k.share == pytest.approx(found.top_k.chance)
    assert found.trs.p.p == 1


def test_independent_p_is_the_share_of_all_choices():
    true = rank(square([[0, 3, 1, 1], [2, 0, 1, 5], [2, 4, 0, 3], [9, 3, 2, 0]]))
    columns = [c[np.isfinite(c)] for c in true.ranks.T]
    totals = np.array([sum(pick) for pick in itertools.product(*columns)])
    for total in (4, 5.5, 7, 8):
        assert independent_p(chance_law(true), total) == pytest.approx((totals <= total).mean())


def test_top_k_counts_the_predicted_best_among_the_oracles_best():
    sources = tuple(f"s{i}" for i in range(11))
    true = TaskMatrix(sources, ("t",), -np.arange(11.0)[:, None])
    guess = TaskMatrix(sources, ("t",), np.array([[1.0] if i in (0, 7, 2) else [0.0] for i in range(11)]))
    oracle = Oracle("o", "b", "s", true)
    found = score_guess(guess, oracle)
    assert found.top_k.share["3"] == pytest.approx(2 / 3)
    # the fourth is drawn from the eight others, of which four lie in the top six
    assert found.top_k.share["4"] == pytest.approx((2 + 4 / 8) / 4)
    assert found.top_k.chance["3"] == pytest.approx(6 / 11)


# Selections that the paper's Tables 8 and 9 imply, in the order of TARGETS (Luo, Xu & Xiong 2022).
TARGETS = "cola qnli rte mnli sst-2 mrpc sts-b qqp squad-v2 conll-2003 ms-marco semeval-2010-8".split()
TABLE_8 = {
    ("tinybert", "dse"): (6.208333, "20.02 88.67 58.48 78.58 90.14 77.94 -3.4 88.66 66.61 87.85 66.64 87.72"),
    ("tinybert", "cra"): (3.5, "18.44 89.04 63.18 82.56 91.74 77.94 65.31 88.66 74.24 88.37 66.4 88.62"),
    ("tinybert", "cnm"): (4.166667, "35.61 82.74 63.18 82.56 91.74 78.43 -3.4 89.44 66.73 87.85 68.72 87.54"),
    ("tinybert", "ahp"): (1.416667, "25.73 90.13 69.68 82.56 91.86 84.07 65.98 89.34 74.24 88.37 69.29 89.36"),
    ("bert", "cnm"): (4.625, "51.81 91.29 54.87 83.74 92.43 81.62 66.62 90.19 76.18 90.08 67.01 89.57"),
}


@pytest.mark.parametrize("plm, method", TABLE_8)
def test_the_papers_trs_follow_from_its_tables(plm, method):
    trs, cells = TABLE_8[plm, method]
    oracle = find_oracle(load_parts(), f"cogtaskonomy-{plm}")
    guess = np.zeros_like(oracle.transfers.values)
    for target, printed in zip(TARGETS, cells.split(), strict=True):
        column = oracle.transfers.targets.index(target)
        guess[:, column] = oracle.transfers.values[:, column] == float(printed)
    found = score_guess(TaskMatrix(oracle.transfers.sources, oracle.transfers.targets, guess), oracle)
    # Where two sources print the same score, the selection is not unique, but then the rank is shared.
    assert found.trs.value == pytest.approx(trs, abs=1e-4)


def test_the_papers_means():
    oracle = find_oracle(load_parts(), "cogtaskonomy-tinybert")
    found = score_guess(oracle.transfers, oracle)
    assert found.metric.best == pytest.approx(77.56, abs=0.005)
    assert found.metric.no_transfer == pytest.approx(79.38, abs=0.005)
    assert found.metric.random == pytest.approx(69.15, abs=0.005)
    assert found.trs.chance == 6


def test_a_part_of_an_oracle_is_ranked_anew():
    part = find_oracle(load_parts(), "cogtaskonomy-bert").part(["rte", "cola", "mnli"])
    assert part.transfers.targets == ("rte", "cola", "mnli")
    assert np.nanmax(rank(part.transfers).ranks) == 2
    assert part.no_transfer[:2].tolist() == [61.01, 54.96]


def test_rectangular_tables_are_ranked_too():
    true = TaskMatrix(("a", "b", "c"), ("b", "z"), np.array([[1, 5.0], [7, 6], [3, 4]]))
    ranks = rank(true).ranks
    assert ranks[:, 1].tolist() == [2, 1, 3]
    assert ranks[[0, 2], 0].tolist() == [2, 1] and np.isnan(ranks[1, 0])
    assert score_guess(true, Oracle("o", "b", "s", true)).trs.value == 1


def test_rankings_of_different_tasks_are_not_compared():
    with pytest.raises(UnusableData, match="different tasks"):
        score_guess(square(np.eye(3)), Oracle("o", "b", "s", square(np.eye(4))))


def test_scores_that_noise_does_not_tell_from_the_first_of_a_place_share_it():
    scores = np.array([5.0, 4.9, 4.5, 4.0, 1.0])
    noise = np.random.default_rng(0).normal(size=(2000, 5)) * np.array([0.3, 0.3, 0.3, 0.3, 0.0])
    places = shared_places(scores, scores + noise)  # the error of a difference of two of the first four is .42
    assert [p.number for p in places] == [1, 1, 1, 4, 5] and [p.shared for p in places] == [True] * 3 + [False] * 2
    assert places[0].difference is None and places[3].difference == pytest.approx(0.5)
    assert places[3].standard_error == pytest.approx(0.3 * 2**0.5, rel=0.1)
    assert [p.number for p in shared_places(scores, scores + np.repeat(noise[:, :1], 5, axis=1))] == [1, 2, 3, 4, 5]


def test_without_draws_equal_scores_alone_share_a_place_and_undefined_draws_tell_nothing():
    assert [p.number for p in shared_places(np.array([2.0, 2.0, 1.0]), None)] == [1, 1, 3]
    assert shared_places(np.array([2.0]), None)[0].shared is False and shared_places(np.array([]), None) == []
    draws = np.full((100, 2), np.nan)
    assert [p.number for p in shared_places(np.array([2.0, 1.0]), draws)] == [1, 1]


@given(squares(values=st.sampled_from([np.nan, 0.0, 1.0, 2.0])), st.randoms(use_true_random=False))
def test_the_best_of_many_guesses_are_those_of_each(values, random):
    candidates = np.array([[random.random() < 0.7 for _ in row] for row in values]) & ~np.eye(len(values), dtype=bool)
    guesses = np.stack([values, -values])
    expected = [rank(square(guess), candidates).picks(1) for guess in guesses]
    assert np.array_equal(predicted_best(guesses, candidates), expected)
