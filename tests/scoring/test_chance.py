"""What knowing nothing reaches: the law of independent choices, and guesses under other names, each by brute force."""

import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cogbench import Oracle, TaskMatrix, load_parts, rank
from cogbench.parts.oracle_names import find_oracle
from cogbench.scoring.chance import (
    blocks_of_totals,
    chance_law,
    chance_trs,
    interval_over_targets,
    joint_relabellings,
    nested_interval,
    relabelled_p,
    relabelled_totals,
    relabellings,
)
from cogbench.scoring.evaluation import score_guess
from cogbench.scoring.ranking import picked_ranks, true_ranking

FEW = st.integers(-2, 2).map(float)
FIVE = tuple("abcde")


def total_by_hand(guess, true, rename):
    """Return the sum of the true ranks that a guess picks whose tasks are called by other names.

    `rename` maps each task of the guess to its new name; `guess` and `true` map (source, target) to a number.
    """
    renamed = {(rename[s], rename[t]): value for (s, t), value in guess.items()}
    total = 0.0
    for target in {t for _, t in true}:
        values = {s: renamed.get((s, target), -np.inf) for s, t in true if t == target}
        first = [s for s, value in values.items() if value == max(values.values())]
        total += sum(true[s, target] for s in first) / len(first)
    return total


def cells(matrix, values):
    """Return the finite values of a matrix by (source, target)."""
    names = ((s, t) for s in matrix.sources for t in matrix.targets)
    return {pair: v for pair, v in zip(names, values.ravel(), strict=True) if np.isfinite(v)}


def totals_by_hand(guess, true, groups):
    """Return the totals of all relabellings that exchange names within each of these groups of tasks."""
    ranks, estimates = cells(guess, true.ranks), cells(guess, guess.values)
    renames = [{}]
    for group in groups:
        renames = [{**r, **dict(zip(group, order, strict=True))} for r in renames for order in permutations(group)]
    kept = {task: task for task in (*guess.sources, *guess.targets)}
    return [total_by_hand(estimates, ranks, kept | rename) for rename in renames]


@given(arrays(float, (2, 4, 4), elements=FEW))
def test_all_relabellings_of_a_square_guess(both):
    guess, oracle = TaskMatrix.square(FIVE[:4], both[0]), TaskMatrix.square(FIVE[:4], both[1])
    true = true_ranking(Oracle("o", "b", "s", oracle))
    totals = relabelled_totals(guess, true, relabellings(guess))
    expected = totals_by_hand(guess, true, [FIVE[:4]])
    assert sorted(totals) == pytest.approx(sorted(expected))
    own = picked_ranks(rank(guess), true).sum()
    p = score_guess(guess, Oracle("o", "b", "s", oracle)).trs.p
    assert (p.draws, p.exact) == (24, True) and p.p == pytest.approx(np.mean(np.array(expected) <= own + 1e-9))


@pytest.mark.parametrize("seed", range(5))
def test_relabellings_keep_the_oracles_gaps_and_move_those_of_the_guess(seed):
    rng = np.random.default_rng(seed)
    values, transfers = rng.integers(0, 3, (2, 5, 5)).astype(float)
    values[rng.random((5, 5)) < 0.2] = np.nan
    transfers[rng.random((5, 5)) < 0.2] = np.nan
    transfers[0, 1:], transfers[1, 0] = 1, 2  # each target has a candidate
    guess, true = (
        TaskMatrix.square(FIVE, values),
        true_ranking(Oracle("o", "b", "s", TaskMatrix.square(FIVE, transfers))),
    )
    totals = relabelled_totals(guess, true, relabellings(guess))
    assert sorted(totals) == pytest.approx(sorted(totals_by_hand(guess, true, [FIVE])))


@pytest.mark.parametrize(
    ("sources", "targets", "free", "groups"),
    [
        ("abc", "xy", "sources", ["abc"]),
        ("abc", "xy", "targets", ["xy"]),
        ("abcd", "cdx", "sources", ["ab", "cd"]),
        ("abcd", "cdxy", "targets", ["cd", "xy"]),
        ("dcba", "acx", "sources", ["ac", "bd"]),
    ],
)
def test_tasks_of_one_role_exchange_names_with_their_like_alone(sources, targets, free, groups):
    rng = np.random.default_rng(0)
    shape = len(sources), len(targets)
    guess = TaskMatrix(tuple(sources), tuple(targets), rng.normal(size=shape))
    true = true_ranking(Oracle("o", "b", "s", TaskMatrix(guess.sources, guess.targets, rng.normal(size=shape))))
    names = relabellings(guess, free)
    assert names.exact
    totals = relabelled_totals(guess, true, names)
    assert sorted(totals) == pytest.approx(sorted(totals_by_hand(guess, true, groups)))


def test_a_symmetric_guess_stays_symmetric_and_a_favourite_source_a_favourite():
    values = np.random.default_rng(0).normal(size=(5, 5))
    symmetric, favourite = values + values.T, np.tile(values[:, :1], 5)
    for matrix, keeps in (
        (symmetric, lambda m: np.array_equal(m, m.T, equal_nan=True)),
        (favourite, lambda m: sum(np.ptp(row[np.isfinite(row)]) for row in m) == 0),
    ):
        guess = TaskMatrix.square(FIVE, matrix)
        (block,) = relabellings(guess).apply(guess.values)
        assert len(block) == 120 and all(keeps(m) and np.isnan(m.diagonal()).all() for m in block)


def test_where_all_relabellings_are_too_many_as_many_as_asked_for_are_drawn_from_a_seed():
    guess = TaskMatrix.square(tuple("abcdefghijkl"), np.zeros((12, 12)))
    one, again, other = relabellings(guess), relabellings(guess), relabellings(guess, seed=1)
    assert not one.exact and one.sources.shape == (9_999, 12)
    assert np.array_equal(one.sources, again.sources) and not np.array_equal(one.sources, other.sources)
    assert np.array_equal(one.sources, one.targets), "a task has one name"
    assert np.array_equal(np.sort(one.sources, axis=1), np.tile(np.arange(12), (9_999, 1)))
    assert len(relabellings(guess, draws=50).sources) == 50
    whole = relabellings(TaskMatrix.square(FIVE, np.zeros((5, 5))))
    assert whole.exact and len({*map(tuple, whole.sources)}) == 120


def test_a_drawn_p_counts_the_guess_itself():
    guess = TaskMatrix.square(tuple("abcdefghijkl"), np.random.default_rng(0).normal(size=(12, 12)))
    names = relabellings(guess, draws=99)
    assert relabelled_p(np.arange(99.0), 2.0, names).p == (1 + 3) / (1 + 99)
    assert relabelled_p(np.arange(99.0), -1.0, names).p == 1 / 100, "never 0"


def test_a_lucky_favourite_source_is_no_evidence():
    """One source is the best for all others; a guess that prefers one source alone finds it once in twelve times."""
    names, rng = tuple("abcdefghijkl"), np.random.default_rng(0)
    true = np.tile(np.arange(12.0)[::-1, None], 12) + rng.normal(0, 0.1, (12, 12))
    guess = np.zeros((12, 12))
    guess[0] = 1
    scores = score_guess(TaskMatrix.square(names, guess), Oracle("o", "b", "s", TaskMatrix.square(names, true)))
    assert scores.trs.value < 2 and scores.trs.p_independent < 1e-6
    assert scores.trs.p.p == pytest.approx(1 / 12, abs=0.01)


def test_random_choice_has_the_exact_expectation():
    oracle = find_oracle(load_parts(), "cogtaskonomy-bert")
    rng, true = np.random.default_rng(0), true_ranking(oracle)
    drawn = [rank(TaskMatrix.square(true.sources, rng.uniform(size=(12, 12)))) for _ in range(1000)]
    means = np.array([picked_ranks(d, true).mean() for d in drawn])
    assert means.mean() == pytest.approx(6, abs=4 * means.std() / np.sqrt(1000))
    law = chance_law(true)
    assert (law * np.arange(len(law)) / 24).sum() == pytest.approx(6) == chance_trs(true)


# The interval over targets.


def one_column_each(n_targets, n_sources):
    """Return the ranks of an oracle in which every target ranks the sources in another order."""
    rng = np.random.default_rng(0)
    values = np.stack([rng.permutation(n_sources) for _ in range(n_targets)], axis=1).astype(float)
    return rank(TaskMatrix(tuple(f"s{i}" for i in range(n_sources)), tuple(f"t{i}" for i in range(n_targets)), values))


@pytest.mark.parametrize("picked", [np.ones(12), np.full(12, 6.0), np.arange(1.0, 13)])
def test_the_interval_holds_the_mean_and_is_never_a_point(picked):
    low, high = interval_over_targets(picked, one_column_each(12, 12))
    assert 1 - 1e-9 <= low <= picked.mean() <= high <= 12 + 1e-9 and high - low > 0.2
    assert (low, high) == interval_over_targets(picked, one_column_each(12, 12)), "of a seed"


def test_the_interval_covers_the_mean_of_the_targets_it_was_drawn_from():
    rng, true = np.random.default_rng(1), one_column_each(12, 11)
    odds = np.linspace(2, 0.2, 11) / np.linspace(2, 0.2, 11).sum()
    mean, covered = odds @ np.arange(1, 12), 0
    for _ in range(300):
        low, high = interval_over_targets(rng.choice(np.arange(1.0, 12), 12, p=odds), true, draws=500)
        covered += low <= mean <= high
    assert covered / 300 == pytest.approx(0.95, abs=0.04)


def test_tasks_of_several_matrices_get_the_same_other_names_in_all_of_them():
    matrices = [TaskMatrix.square(tuple(names), np.zeros((5, 5))) for names in ("abcde", "abcxy")]
    one, two = joint_relabellings(matrices)
    assert one.exact and len(one.sources) == 6 * 2 * 2, "a, b, c; d, e; x, y"
    for place, task in enumerate("abc"):
        assert np.array_equal(one.sources[:, place], two.sources[:, "abcxy".index(task)])
    assert {frozenset(row) for row in one.sources[:, 3:].tolist()} == {frozenset((3, 4))}
    drawn = joint_relabellings(matrices, always_drawn=True, draws=50)
    assert len(drawn[0].sources) == 50 and not drawn[0].exact


@given(st.permutations("abcdef"), st.integers(0, 9))
def test_names_do_not_depend_on_the_order_of_the_tasks_or_the_matrices(order, seed):
    straight, turned = (TaskMatrix.square(tuple(names), np.zeros((6, 6))) for names in ("abcdef", order))
    one, two = joint_relabellings([straight, turned], draws=20, seed=seed)
    other_two, other_one = joint_relabellings([turned, straight], draws=20, seed=seed)
    assert np.array_equal(one.sources, other_one.sources) and np.array_equal(two.sources, other_two.sources)
    for draw, again in zip(one.sources, two.sources, strict=True):
        new = {"abcdef"[i]: "abcdef"[j] for i, j in enumerate(draw)}
        assert {order[i]: order[j] for i, j in enumerate(again)} == new


def test_a_task_that_only_one_matrix_has_as_a_source_keeps_its_name_there():
    """`d` is a target alone in the second matrix: it cannot exchange names with sources of the first."""
    matrices = [
        TaskMatrix.square(tuple("abcd"), np.zeros((4, 4))),
        TaskMatrix(("a", "b", "c"), ("d",), np.zeros((3, 1))),
    ]
    of_sources, of_targets = (joint_relabellings(matrices, free) for free in ("sources", "targets"))
    assert (of_sources[0].sources[:, 3] == 3).all() and len(of_sources[0].sources) == 6
    assert (of_targets[1].sources == np.arange(3)).all() and len(of_targets[0].sources) == 1


def test_an_interval_over_families_is_that_of_one_if_they_are_the_same_and_narrower_if_not():
    rng = np.random.default_rng(0)
    values, further = rng.random(12), rng.random(2_000)
    alone, two = nested_interval([(values, further)]), nested_interval([(values, further), (values, further)])
    assert alone[0] < two[0] < values.mean() < two[1] < alone[1]
    # Without a further target of its own, a family's weights vary by (n + 1) / (n - 1) more.
    assert (two[1] - two[0]) / (alone[1] - alone[0]) == pytest.approx(np.sqrt(13 / 11 / 2), abs=0.05)


@pytest.mark.parametrize("sizes", [(12, 8), (8,) * 6])
@pytest.mark.parametrize("skill", [0.0, 0.5, 0.9])
def test_an_interval_over_families_holds_the_true_mean_in_about_95_percent(sizes, skill):
    rng, held = np.random.default_rng(len(sizes)), 0
    for seed in range(200):
        families = []
        for n in sizes:
            every = np.arange(n - 1) / (n - 2)
            families.append((np.where(rng.random(n) < skill, 0.0, rng.choice(every, n)), rng.choice(every, 400)))
        low, high = nested_interval(families, seed=seed)
        held += low <= (1 - skill) / 2 <= high
    assert held / 200 > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def test_many_families_that_are_right_everywhere_are_not_drawn_to_chance():
    """All further targets together weigh as one: else eight families would end near 0.06."""
    right, further = np.zeros(12), np.full(2_000, 0.5)
    ends = [nested_interval([(right, further)] * n)[1] for n in (1, 2, 8)]
    assert ends[0] > 0.1 and ends[0] > ends[1] > ends[2] and 0 < ends[2] < 0.03


@given(st.lists(arrays(float, st.integers(1, 6), elements=st.floats(0, 1)), min_size=1, max_size=4))
def test_an_interval_over_families_holds_the_mean_of_their_means(families):
    low, high = nested_interval([(values, np.linspace(0, 1, 100)) for values in families])
    mean = np.mean([values.mean() for values in families])
    assert -1e-9 <= low <= mean + 1e-9 and mean - 1e-9 <= high <= 1 + 1e-9


def test_a_guess_that_ties_all_sources_of_a_large_table_takes_little_memory():
    shape = (300, 20)
    values = np.random.default_rng(0).normal(size=shape)
    names = [tuple(f"{role}{i}" for i in range(n)) for role, n in zip("st", shape, strict=True)]
    true, guess = rank(TaskMatrix(*names, values)), TaskMatrix(*names, np.zeros(shape))
    of_guess = relabellings(guess, draws=4_000)
    tracemalloc.start()
    totals = relabelled_totals(guess, true, of_guess)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.allclose(totals, 20 * 301 / 2) and peak < 120 * 2**20  # 4,000 relabelled tables are 190 MB of numbers


@pytest.mark.parametrize("sources", ["abcd", "abcdef"])
def test_a_random_choice_is_the_same_under_all_names(sources):
    rng, targets = np.random.default_rng(0), tuple("abcd")
    transfers = rng.integers(0, 5, (len(sources), 4)).astype(float)
    transfers[1, 2] = np.nan
    true = true_ranking(Oracle("o", "b", "s", TaskMatrix(tuple(sources), targets, transfers)))
    for value in (0.0, np.nan):
        guess = TaskMatrix(tuple(sources), targets, np.full(transfers.shape, value))
        names = relabellings(guess)
        (block,) = blocks_of_totals([guess], true, names)
        assert relabelled_totals(guess, true, names) == pytest.approx(block[0])
        assert np.ptp(block[0]) == pytest.approx(0)
