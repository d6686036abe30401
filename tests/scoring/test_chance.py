"""What knowing nothing reaches: the p-values hold their level, and are those of a plain implementation."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cogbench import Oracle, TaskMatrix, load_parts, rank
from cogbench.parts.registry import find_oracle
from cogbench.scoring.chance import (
    chance_law,
    independent_p,
    interval_over_targets,
    relabelled_p,
    relabelled_totals,
    relabellings,
)
from cogbench.scoring.evaluation import score_guess
from cogbench.scoring.paired import score_picks
from cogbench.scoring.ranking import picked_ranks, true_ranking


def square(values, names="abcdefghijklmnop"):
    return TaskMatrix.square(names[: len(values)], np.array(values, float))


def random_square(seed, n=5, ties=False):
    rng = np.random.default_rng(seed)
    return square(rng.integers(0, 3, size=(n, n)) if ties else rng.normal(size=(n, n)))


def plain_total(guess, truth):
    """Return the sum over targets of the mean true rank of the predicted best sources, cell by cell."""
    total = 0.0
    for j, target in enumerate(truth.targets):
        candidates = [i for i, s in enumerate(truth.sources) if s != target and np.isfinite(truth.values[i, j])]

        def true_rank(i, j=j, candidates=candidates):
            column = [truth.values[k, j] for k in candidates]
            above = sum(v > truth.values[i, j] for v in column)
            return above + (sum(v == truth.values[i, j] for v in column) + 1) / 2

        guessed = {i: guess[i, j] if np.isfinite(guess[i, j]) else -np.inf for i in candidates}
        first = [i for i in candidates if guessed[i] == max(guessed.values())]
        total += float(np.mean([true_rank(i) for i in first]))
    return total


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("holes", [False, True])
def test_all_relabellings_of_five_tasks_give_the_p_of_a_plain_loop(ties, holes):
    guess, truth = random_square(1, ties=ties), random_square(2, ties=ties)
    if holes:
        gaps, unknown = guess.values.copy(), truth.values.copy()
        gaps[0, 1] = gaps[3, 2] = unknown[1, 0] = unknown[4, 2] = np.nan
        guess, truth = square(gaps), square(unknown)
    true = true_ranking(Oracle("o", "", "", truth))
    names = relabellings(guess)
    totals = relabelled_totals(guess, true, names)
    expected = [plain_total(guess.values[np.ix_(order, order)], truth) for order in permutations(range(5))]
    assert names.exact and len(totals) == 120
    np.testing.assert_allclose(np.sort(totals), np.sort(expected))
    own = plain_total(guess.values, truth)
    p = relabelled_p(totals, own, names)
    assert p.p == pytest.approx(np.mean([total <= own + 1e-9 for total in expected])) and p.exact and p.draws == 120


def test_drawn_relabellings_say_their_number_and_count_the_guess_itself():
    guess, truth = random_square(3, n=12), random_square(4, n=12)
    true = true_ranking(Oracle("o", "", "", truth))
    names = relabellings(guess)
    totals = relabelled_totals(guess, true, names)
    p = relabelled_p(totals, totals.min() - 1, names)
    assert not p.exact and p.draws == 9_999 and p.p == 1 / 10_000


def test_a_task_with_two_roles_has_one_new_name_and_a_task_with_one_role_stays_in_it():
    matrix = TaskMatrix(("a", "b", "c", "x", "y"), ("c", "t", "a", "b"), np.arange(20.0).reshape(5, 4))
    for free, own_role in (("sources", 12), ("targets", 6)):
        names = relabellings(matrix, free)
        assert names.exact and len(names.sources) == own_role  # 3! of a, b, c; times 2! of x and y where sources move
        for rows, columns in zip(names.sources, names.targets, strict=True):
            new = {old: matrix.sources[i] for old, i in zip(matrix.sources, rows, strict=True)}
            also = {old: matrix.targets[j] for old, j in zip(matrix.targets, columns, strict=True)}
            assert {*new} == {*new.values()} and {new["x"], new["y"]} == {"x", "y"} and also["t"] == "t"
            assert all(new[task] == also[task] for task in "abc")


def test_the_picks_move_with_the_names_as_if_each_relabelled_guess_were_ranked():
    guess, truth = random_square(5, n=7, ties=True), random_square(6, n=7)
    true = true_ranking(Oracle("o", "", "", truth))
    names = relabellings(guess, draws=50)
    for rows, columns, total in zip(names.sources, names.targets, relabelled_totals(guess, true, names), strict=True):
        relabelled = square(guess.values[np.ix_(rows, columns)])
        assert total == pytest.approx(picked_ranks(rank(relabelled), true).sum())


def test_independent_choices_have_the_law_that_all_choices_have():
    true = rank(random_square(7, n=4, ties=True))
    columns = [column[np.isfinite(column)] for column in true.ranks.T]
    sums = np.array([sum(choice) for choice in product(*columns)])
    law = chance_law(true)
    for total in np.unique(sums):
        assert independent_p(law, total) == pytest.approx(np.mean(sums <= total + 1e-9))


@given(
    arrays(float, (6, 6), elements=st.integers(0, 4).map(float)),
    arrays(float, (6, 6), elements=st.integers(0, 4).map(float)),
    st.permutations(range(6)),
)
def test_p_does_not_depend_on_the_order_of_the_tasks(guess, truth, order):
    names = np.array(list("abcdef"))[order]

    def p(guess, truth, names):
        oracle = Oracle("o", "", "", TaskMatrix.square(names, truth))
        true, own = true_ranking(oracle), TaskMatrix.square(names, guess)
        every = relabellings(own)
        picks = score_picks(own, true, every)
        return relabelled_p(picks.totals, picks.ranks.sum(), every).p

    turned = np.ix_(order, order)
    assert p(guess, truth, "abcdef") == pytest.approx(p(guess[turned], truth[turned], names))


def ignorant(kind, rng, n=12):
    """Return the estimates of an estimator that knows nothing, and prefers some sources or not."""
    if kind == "symmetric hubs":
        popular, noise = 2 * rng.normal(size=n), rng.normal(size=(n, n))
        return popular[:, None] + popular[None] + (noise + noise.T) / 2
    if kind == "one source":
        return np.tile(rng.normal(size=(n, 1)), (1, n))
    return rng.normal(size=(n, n)) + (2 * rng.normal(size=(n, 1)) if kind == "source quality" else 0)


@pytest.mark.parametrize("kind", ["independent", "symmetric hubs", "source quality", "one source"])
def test_an_estimator_without_knowledge_is_seldom_better_than_chance(kind):
    """Of 400 at .05 at most 6.5 % and three standard errors; independent choices call 10 to 25 % so."""
    oracle = find_oracle(load_parts(), "cogtaskonomy-tinybert")
    true, rng = true_ranking(oracle), np.random.default_rng(0)
    law, before, after = chance_law(true), 0, 0
    for seed in range(400):
        guess = TaskMatrix.square(true.sources, ignorant(kind, rng))
        names = relabellings(guess, draws=199, seed=seed)
        picks = score_picks(guess, true, names)
        before += independent_p(law, picks.ranks.sum()) <= 0.05
        after += relabelled_p(picks.totals, picks.ranks.sum(), names).p <= 0.05
    assert after / 400 < 0.065 + 3 * np.sqrt(0.05 * 0.95 / 400)
    if kind == "one source":
        assert before / 400 > 0.15


def test_an_estimator_with_knowledge_is_found_as_often_as_by_independent_choices():
    oracle = find_oracle(load_parts(), "cogtaskonomy-minilm-max-1000")
    true, rng = true_ranking(oracle), np.random.default_rng(0)
    law, worth, found = chance_law(true), -np.nan_to_num(true.ranks), np.zeros(2)
    for seed in range(200):
        guess = TaskMatrix.square(true.sources, worth + 6 * rng.normal(size=worth.shape))
        names = relabellings(guess, draws=199, seed=seed)
        picks = score_picks(guess, true, names)
        p_values = independent_p(law, picks.ranks.sum()), relabelled_p(picks.totals, picks.ranks.sum(), names).p
        found += np.array(p_values) <= 0.05
    independent, relabelled = found / 200
    assert independent > 0.6 and relabelled > independent - 0.06


@pytest.mark.parametrize("n_targets", [5, 12, 22, 60])
@pytest.mark.parametrize("skill", [0.0, 0.5, 0.9])
def test_the_interval_holds_the_true_mean_in_about_95_percent(n_targets, skill):
    rng = np.random.default_rng(n_targets)
    true = rank(square(rng.normal(size=(n_targets, n_targets)), [f"t{i}" for i in range(n_targets)]))
    mean, held = skill + (1 - skill) * n_targets / 2, 0
    for seed in range(300):
        picked = np.where(rng.random(n_targets) < skill, 1, rng.integers(1, n_targets, size=n_targets)).astype(float)
        low, high = interval_over_targets(picked, true, draws=400, seed=seed)
        assert low < high and low <= picked.mean() <= high
        held += low <= mean <= high
    assert held / 300 > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300)


def test_a_perfect_guess_has_an_interval_that_holds_it_and_is_no_point():
    truth = random_square(8, n=12)
    scores = score_guess(truth, Oracle("o", "", "", truth))
    low, high = scores.trs_interval
    assert scores.trs == low == 1 and 1.2 < high < 4


def test_a_table_of_many_tasks_is_relabelled_less_often():
    rng, names = np.random.default_rng(0), [f"t{i}" for i in range(200)]
    assert len(relabellings(square(rng.normal(size=(200, 200)), names)).sources) == 2_500
