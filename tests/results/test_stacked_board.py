"""The stacked board: means over families by hand, p-values by brute force, and who stands on which oracle."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_results import made, recorded
from scipy.stats import spearmanr

from cogbench import TaskMatrix, UnusableData, leaderboard, rank, stacked_board
from cogbench.results.oracle_families import oracle_families, stacked_oracles
from cogbench.results.result import SCHEMA_VERSION
from cogbench.scoring.skill import without_effects

FIVE, SIX, OTHERS = tuple("abcde"), tuple("abcdef"), tuple("uvwxyz")
RNG = np.random.default_rng(0)
FIRST, SECOND, THIRD = RNG.normal(size=(3, 6, 6))  # transfers of two backbones on six tasks, and of six others
GUESSES = RNG.normal(size=(4, 3, 6, 6))


def on(tasks, true, oracle, values, estimator="cra", **more):
    more = {"suite": "letters", "data": False, "signal": None} | more
    return made(values, tasks=tasks, true=true, oracle=oracle, estimator=estimator, backbone=oracle, **more)


def results_of(values, estimator, **more):
    """Return an estimator's results on three oracles: two of one family, and one of other tasks."""
    return [
        on(SIX, FIRST, "one", values[0], estimator, **more),
        on(SIX, SECOND, "two", values[1], estimator, **more),
        on(OTHERS, THIRD, "three", values[2], estimator, suite="others", **more),
    ]


@pytest.fixture(scope="module")
def three():
    """Three estimators on three oracles, from knowing to guessing."""
    truth = np.stack([FIRST, SECOND, THIRD])
    guesses = {"perfect": truth, "good": truth + 0.8 * GUESSES[0], "guess": GUESSES[1]}
    return [result for estimator, values in guesses.items() for result in results_of(values, estimator)]


@pytest.fixture(scope="module")
def over_three(three):
    return stacked_board(three)


def by_name(board):
    return {entry.estimator: entry for entry in board.entries}


def relative_ranks(values, true, order=None):
    """Return the relative true ranks of the picks of a guess under other names, one target after the other."""
    n, order = len(true), range(len(true)) if order is None else order
    renamed = np.array(values, float)[np.ix_(order, order)]
    worth = []
    for target in range(n):
        sources = [source for source in range(n) if source != target]
        best = max(sources, key=lambda source: renamed[source, target])
        worth.append(sum(true[source, target] > true[best, target] for source in sources) / (n - 2))
    return np.array(worth)


def test_two_backbones_and_three_tasks_by_hand():
    one = [[0, 9, 9], [9, 0, 1], [1, 1, 0]]  # the best sources are q, p, p
    two = [[0, 9, 9], [1, 0, 1], [9, 1, 0]]  # r, p, p
    other = [[0, 1, 1], [1, 0, 9], [9, 9, 0]]  # z, z, y
    first = [[0, 1, 9], [9, 0, 1], [1, 9, 0]]  # the guess says q, r, p: right, wrong, right
    second = [[0, 9, 9], [9, 0, 1], [1, 1, 0]]  # q, p, p: wrong, right, right
    third = [[0, 1, 1], [9, 0, 9], [1, 9, 0]]  # y, z, y: wrong, right, right
    letters, others = ("p", "q", "r"), ("x", "y", "z")
    results = [
        on(letters, np.array(one), "one", np.array(first)),
        on(letters, np.array(two), "two", np.array(second)),
        on(others, np.array(other), "three", np.array(third), suite="others"),
    ]
    assert [r.scores.trs.value for r in results] == pytest.approx([4 / 3, 4 / 3, 4 / 3])
    (two_backbones,) = [e for e in stacked_board(results[:2]).entries if e.estimator == "cra"]
    assert two_backbones.relative_rank == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert (two_backbones.n_oracles, two_backbones.n_families, two_backbones.n_targets) == (2, 1, 3)
    results[2] = on(others, np.array(other), "three", np.array(other), suite="others")
    board = stacked_board(results)
    assert by_name(board)["cra"].relative_rank == pytest.approx((1 / 3 + 0) / 2), "a family counts once"
    assert board.families == (("one", "two"), ("three",)) or board.families == (("three",), ("one", "two"))
    assert board.n_targets == 6 and by_name(board)["random"].relative_rank == 0.5


def test_figures_over_one_oracle_are_those_of_its_board():
    noise = np.random.default_rng(1).normal(size=(7, 7))
    tasks, true = tuple("abcdefg"), np.random.default_rng(0).normal(size=(7, 7))
    values = {"perfect": true, "good": true + 0.3 * noise, "fair": true + 3 * noise, "worst": -true}
    results = [on(tasks, true, "one", v, e) for e, v in values.items()]
    (board,), stacked = leaderboard(results), stacked_board(results)
    assert stacked.tries == board.tries and stacked.detectable == pytest.approx(board.detectable / 5)
    rows = by_name(stacked)
    for entry in board.entries:
        row = rows[entry.estimator]
        assert row.relative_rank == pytest.approx((entry.scores["trs"] - 1) / 5)
        if entry.kind == "result":
            assert row.interval == pytest.approx([(end - 1) / 5 for end in entry.interval])
            of_board = [entry.scores[name] for name in ("p", "corrected p", "skill", "skill p")]
            assert [row.p, row.corrected_p, row.skill, row.skill_p] == pytest.approx(of_board)
            assert (row.standing, row.first_p) == (entry.standing, pytest.approx(entry.first_p))
            assert row.by_oracle["one"].trs == entry.scores["trs"] and row.by_oracle["one"].p == entry.scores["p"]


def test_an_oracle_with_gaps_gives_the_figures_of_its_board():
    true = np.random.default_rng(3).normal(size=(6, 6))
    true[0, 1:4] = np.nan
    results = [on(SIX, true, "one", values, f"e{i}") for i, values in enumerate(GUESSES[2])]
    (board,), rows = leaderboard(results), by_name(stacked_board(results))
    for entry in board.entries:
        if entry.kind == "result":
            ranks = list(next(r for r in results if r.estimator == entry.estimator).scores.per_target.values())
            n_candidates = np.isfinite(np.where(np.eye(6, dtype=bool), np.nan, true)).sum(axis=0)
            expected = np.mean([(score.rank - 1) / (n - 1) for score, n in zip(ranks, n_candidates, strict=True)])
            assert rows[entry.estimator].relative_rank == pytest.approx(expected)
            assert rows[entry.estimator].skill_p == entry.scores["skill p"]


def test_an_oracle_twice_changes_nothing_over_all(three, over_three):
    again = [replace(r, oracle=replace(r.oracle, name="one again")) for r in three if r.oracle.name == "one"]
    again = [replace(r, backbone="one again", oracle=replace(r.oracle, backbone="one again")) for r in again]
    alone = stacked_board([r for r in three if r.oracle.name != "two"])
    twice = stacked_board([*again, *(r for r in three if r.oracle.name != "two")])
    assert len(twice.oracles) == len(alone.oracles) + 1 and twice.n_targets == alone.n_targets == 12
    assert twice.detectable == pytest.approx(alone.detectable)
    for name, entry in by_name(alone).items():
        same = by_name(twice)[name]
        assert same.n_targets == entry.n_targets and same.n_oracles == entry.n_oracles + 1
        for figure in ("relative_rank", "interval", "p", "corrected_p", "skill", "skill_p", "first_p", "standing"):
            assert getattr(same, figure) == pytest.approx(getattr(entry, figure)), (name, figure)


def test_each_family_counts_alike(three, over_three):
    (perfect, good, guess) = (by_name(over_three)[name] for name in ("perfect", "good", "guess"))
    assert perfect.relative_rank == 0 and perfect.complete and perfect.n_targets == 12 and perfect.n_families == 2
    for entry, name in ((good, "good"), (guess, "guess")):
        trs = {r.oracle.name: r.scores.trs.value for r in three if r.estimator == name}
        relative = {oracle: (rank - 1) / 4 for oracle, rank in trs.items()}
        expected = ((relative["one"] + relative["two"]) / 2 + relative["three"]) / 2
        assert entry.relative_rank == pytest.approx(expected)
        rhos = {r.oracle.name: r.scores.skill.rho for r in three if r.estimator == name}
        assert entry.skill == pytest.approx(((rhos["one"] + rhos["two"]) / 2 + rhos["three"]) / 2)
        assert entry.interval[0] < entry.relative_rank < entry.interval[1]


def test_p_relabels_both_backbones_alike_by_brute_force():
    values = [FIRST + GUESSES[0][0], SECOND + GUESSES[0][1]]
    (entry,) = [e for e in stacked_board(results_of([*values, THIRD], "cra")[:2]).entries if e.estimator == "cra"]
    means = [
        np.mean([relative_ranks(of, true, order) for of, true in zip(values, (FIRST, SECOND), strict=True)])
        for order in permutations(range(6))
    ]
    assert entry.relative_rank == pytest.approx(means[0])
    assert entry.p == pytest.approx(np.mean(np.array(means) <= means[0] + 1e-9))


def test_families_are_relabelled_apart(three):
    one, other = oracle_families(stacked_oracles(three)[0])
    assert len(one.of_sources[0].sources) == len(other.of_sources[0].sources) == 9_999
    assert not np.array_equal(one.of_sources[0].sources, other.of_sources[0].sources)
    rows = by_name(stacked_board([r for r in three if r.estimator == "good"]))
    values = np.stack([FIRST, SECOND, THIRD]) + 0.8 * GUESSES[0]
    orders = [*permutations(range(6))]
    of_letters = [
        np.mean([relative_ranks(values[i], true, order) for i, true in enumerate((FIRST, SECOND))]) for order in orders
    ]
    of_others = [relative_ranks(values[2], THIRD, order).mean() for order in orders]
    means = np.add.outer(of_letters, of_others) / 2
    expected = np.mean(means <= means[0, 0] + 1e-9)
    weak = stacked_board(results_of(GUESSES[1], "cra"))
    assert rows["good"].p == pytest.approx(expected, abs=0.003) and rows["good"].p < 0.01
    of_letters = [
        np.mean([relative_ranks(GUESSES[1][i], true, order) for i, true in enumerate((FIRST, SECOND))])
        for order in orders
    ]
    means = np.add.outer(of_letters, [relative_ranks(GUESSES[1][2], THIRD, order).mean() for order in orders]) / 2
    assert by_name(weak)["cra"].p == pytest.approx(np.mean(means <= means[0, 0] + 1e-9), abs=0.02)


def test_the_p_of_skill_relabels_the_oracles_ranks_by_brute_force():
    values, off = [FIRST + GUESSES[0][0], SECOND + GUESSES[0][1]], ~np.eye(6, dtype=bool)
    (entry,) = [e for e in stacked_board(results_of([*values, THIRD], "cra")[:2]).entries if e.estimator == "cra"]
    draws = np.zeros(720)
    for guess, true in zip(values, (FIRST, SECOND), strict=True):
        ranks = rank(TaskMatrix.square(SIX, true)).ranks
        left_of_truth, left = without_effects(-ranks), without_effects(np.where(off, guess, np.nan))
        draws += [
            spearmanr(left[np.ix_(order, order)][off], left_of_truth[off]).statistic / 2
            for order in permutations(range(6))
        ]
    assert entry.skill_p == pytest.approx(np.mean(draws >= entry.skill - 1e-9))


def test_differences_to_the_first_by_brute_force(three):
    board = stacked_board([r for r in three if r.oracle.name != "three"])
    rows, truth = by_name(board), np.stack([FIRST, SECOND])
    values = {"perfect": truth, "good": truth + 0.8 * GUESSES[0][:2], "guess": GUESSES[1][:2]}

    def of_targets(name, order=None):
        both = zip(values[name], truth, strict=True)
        return np.mean([relative_ranks(guess, true, order) for guess, true in both], axis=0)

    p_values = {}
    for name in ("good", "guess"):
        gap = of_targets(name) - of_targets("perfect")
        contest = rows[name].to_first
        assert contest.difference == pytest.approx(gap.mean())
        flips = np.mean([abs(gap @ signs) >= abs(gap.sum()) - 1e-9 for signs in product((-1, 1), repeat=6)])
        assert contest.sign_flips.p == pytest.approx(flips), "the sign of a target is one on both backbones"
        relabelled = [(of_targets(name, o) - of_targets("perfect", o)).mean() for o in permutations(range(6))]
        assert contest.relabelled.p == pytest.approx(np.mean(np.abs(relabelled) >= abs(gap.mean()) - 1e-9))
        assert contest.detectable == pytest.approx(2.801585 * gap.std(ddof=1) / np.sqrt(6), rel=1e-5)
        p_values[name] = max(contest.sign_flips.p, contest.relabelled.p)
    low, high = sorted(p_values, key=p_values.get)
    assert rows[low].first_p == pytest.approx(min(1, 2 * p_values[low]))
    assert rows[high].first_p == pytest.approx(max(rows[low].first_p, p_values[high]))
    assert rows["perfect"].standing == "first" and rows["perfect"].to_first is None


def test_the_difference_that_would_be_seen_over_two_families(three, over_three):
    errors = []
    truth = np.stack([FIRST, SECOND, THIRD])
    for values in (truth + 0.8 * GUESSES[0], GUESSES[1]):
        gaps = [relative_ranks(v, true) for v, true in zip(values, truth, strict=True)]
        letters, others = (gaps[0] + gaps[1]) / 2, gaps[2]
        errors.append(np.sqrt((letters.var(ddof=1) + others.var(ddof=1)) / 6) / 2)
    assert over_three.detectable == pytest.approx((1.959964 + 0.841621) * np.median(errors), rel=1e-5)
    assert 0.05 < over_three.power_for_one_rank < 0.8


def test_p_values_over_all_are_corrected_for_the_number_of_estimators(three, over_three):
    rows = by_name(over_three)
    judged = sorted((rows[name].p, name) for name in ("perfect", "good", "guess"))
    largest = 0.0
    for i, (p, name) in enumerate(judged):
        largest = max(largest, min(1, (3 - i) * p))
        assert rows[name].corrected_p == pytest.approx(largest)
    assert over_three.tries == 3 and rows["popularity"].corrected_p is None and rows["random"].corrected_p is None


def test_the_order_of_the_files_does_not_matter(three, over_three):
    assert stacked_board(three[::-1]) == over_three
    assert stacked_board([three[i] for i in np.random.default_rng(0).permutation(len(three))]) == over_three


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 3))
def test_the_order_of_the_tasks_in_an_oracle_does_not_matter(order, which):
    values, turned = GUESSES[which][:2], np.ix_(order, order)
    names = tuple(np.array(SIX)[order])
    straight = [on(SIX, true, o, v) for o, true, v in zip(("one", "two"), (FIRST, SECOND), values, strict=True)]
    mixed = [straight[0], on(names, SECOND[turned], "two", values[1][turned])]
    (one,), (other,) = (
        [e for e in stacked_board(results).entries if e.estimator == "cra"] for results in (straight, mixed)
    )
    assert (one.relative_rank, one.p, one.interval) == (other.relative_rank, other.p, other.interval)


def test_a_row_that_lacks_an_oracle_stands_below_and_is_compared_where_both_are(three):
    only_two = on(SIX, SECOND, "two", SECOND, "late")
    board = stacked_board([*three, only_two])
    rows, names = by_name(board), [entry.estimator for entry in board.entries]
    late = rows["late"]
    assert names[-1] == "late" and late.relative_rank == 0 and not late.complete
    assert (late.n_oracles, late.n_families, late.n_targets) == (1, 1, 6)
    assert late.to_first.difference == 0, "perfect is as good on that oracle"
    assert late.standing == "not told from the first" and rows["perfect"].standing == "first"
    assert board.detectable == stacked_board(three).detectable, "an incomplete row is not part of the median"


def test_a_row_that_lacks_an_oracle_may_be_better_than_the_first_where_both_are():
    tasks, rng = tuple("abcdefghijkl"), np.random.default_rng(4)
    one, two, unlike = rng.normal(size=(3, 12, 12))
    steady = [on(tasks, one, "one", unlike, "steady"), on(tasks, two, "two", two, "steady")]
    rows = by_name(stacked_board([*steady, on(tasks, one, "one", one, "expert")]))
    assert rows["steady"].complete and rows["steady"].standing == "first"
    assert rows["expert"].to_first.difference < 0 and rows["expert"].first_p <= 0.05
    assert rows["expert"].standing == "better than the first"


def test_oracles_of_synthetic_tasks_stand_beside_unless_they_shall_count(three, over_three):
    planted = [
        on(OTHERS, FIRST, "planted", values, estimator, suite="planted", synthetic=["tasks"])
        for estimator, values in (("perfect", FIRST), ("good", -FIRST))
    ]
    board, counted = stacked_board([*three, *planted]), stacked_board([*three, *planted], synthetic=True)
    assert [(c.name, c.family) for c in board.oracles if c.synthetic] == [("planted", None)]
    for entry in over_three.entries:
        same = by_name(board)[entry.estimator]
        assert (same.relative_rank, same.p, same.interval, same.complete) == (
            entry.relative_rank,
            entry.p,
            entry.interval,
            entry.complete,
        )
    assert by_name(board)["good"].by_oracle["planted"].trs == 5 and board.families == over_three.families
    assert not by_name(counted)["guess"].complete and by_name(counted)["good"].n_oracles == 4
    with pytest.raises(UnusableData, match="all results here are on synthetic tasks: add --synthetic"):
        stacked_board(planted)


def test_three_families_tell_how_much_they_differ(three):
    fourth = tuple("klmnop")
    more = [on(fourth, THIRD.T, "four", THIRD.T, "perfect", suite="more")]
    more.append(on(fourth, THIRD.T, "four", -THIRD.T, "good", suite="more"))
    rows = by_name(stacked_board([*three, *more]))
    assert rows["perfect"].between_families == 0 and rows["guess"].between_families is None
    trs = {r.oracle.name: r.scores.trs.value for r in [*three, *more] if r.estimator == "good"}
    relative = {oracle: (rank - 1) / 4 for oracle, rank in trs.items()}
    means = [(relative["one"] + relative["two"]) / 2, relative["three"], relative["four"]]
    assert rows["good"].between_families == pytest.approx(np.std(means, ddof=1))
    assert rows["good"].relative_rank == pytest.approx(np.mean(means))


def test_an_estimator_has_a_row_for_each_signal_source_and_other_backbone():
    values = GUESSES[0]
    results = [
        *results_of(values, "cra", signal="words", signal_quality=recorded("a")),
        *results_of(values, "cra", signal="eyes", signal_quality=recorded("b")),
        replace(on(SIX, FIRST, "one", values[0]), basis="published"),
        replace(on(SIX, FIRST, "one", values[1]), backbone="small"),
    ]
    entries = [entry for entry in stacked_board(results).entries if entry.estimator == "cra"]
    rows = {(entry.signals, entry.second_hand, entry.backbone): entry.n_oracles for entry in entries}
    assert rows == {
        (("words",), "", None): 3,
        (("eyes",), "", None): 3,
        ((), "as published", None): 1,
        ((), "", "small"): 1,
    }


def test_a_synthetic_signal_stands_beside_what_used_another_elsewhere():
    values = GUESSES[0]
    planted = [
        on(OTHERS, FIRST, "planted", values[0], e, suite="planted", signal="made", synthetic=["tasks", "signal"])
        for e in ("cra", "cnm")
    ]
    board = stacked_board([*results_of(values, "cra", signal="words")[:2], *planted])
    signals = {entry.estimator: (entry.signals, set(entry.by_oracle)) for entry in board.entries}
    assert signals["cra"] == (("words", "made"), {"one", "two", "planted"})
    assert signals["cnm"] == (("made",), {"planted"}) and by_name(board)["cnm"].relative_rank is None
    assert board.tries == 1, "what stands on controls alone is not judged"
    generated = on(SIX, FIRST, "one", values[1], signal="made", synthetic=["signal"])
    rows = [entry for entry in stacked_board([*results_of(values, "cra", signal="words"), generated]).entries]
    assert [e.signals for e in rows if e.estimator == "cra"] == [("words",), ("made",)], "on real tasks it is another"


def test_of_several_results_of_a_row_that_of_the_most_examples_counts_then_of_the_most_seeds():
    few, many, whole = (on(SIX, FIRST, "one", values) for values in GUESSES[0])
    few = replace(few, provenance=replace(few.provenance, max_train=300))
    many = replace(many, provenance=replace(many.provenance, max_train=1000, seeds=[0, 1]))
    less = replace(whole, provenance=replace(whole.provenance, max_train=1000))
    board = stacked_board([few, many, less])
    assert by_name(board)["cra"].by_oracle["one"].trs == many.scores.trs.value
    assert board.left_out == (
        "left out: 2 results on one of estimators that have another there, from more examples or seeds, or a later one",
    )
    assert by_name(stacked_board([few, many, whole]))["cra"].by_oracle["one"].trs == whole.scores.trs.value


def test_baselines_are_rows_on_each_oracle():
    results = results_of(GUESSES[0], "cra")
    nothing = np.zeros((6, 6))
    board = stacked_board([*results, on(SIX, FIRST, "one", nothing, "random")])
    rows = by_name(board)
    assert rows["random"].kind == "baseline" and rows["random"].complete and rows["random"].standing is None
    assert rows["popularity"].uses_oracle and rows["popularity"].complete and board.tries == 1
    trs = {r.oracle.name: r.baselines["popularity"] for r in results}
    assert {name: scores.trs for name, scores in rows["popularity"].by_oracle.items()} == pytest.approx(trs)
    expected = ((trs["one"] + trs["two"]) / 2 + trs["three"]) / 2
    assert rows["popularity"].relative_rank == pytest.approx((expected - 1) / 4)


def test_who_knows_the_oracles_takes_nobodys_standing(three, over_three):
    rows = by_name(stacked_board([*three, *results_of([FIRST, SECOND, THIRD], "ahp", uses_oracle=True)]))
    assert rows["ahp"].uses_oracle and rows["ahp"].standing is None and rows["ahp"].corrected_p is None
    assert {name: rows[name] for name in by_name(over_three)} == by_name(over_three)


def test_what_cannot_be_stacked_is_left_out_and_counted(three, over_three):
    old = on(SIX, FIRST, "one", FIRST, "old", schema_version=SCHEMA_VERSION - 1)
    other = on(SIX, FIRST.T, "one", FIRST, "other")
    board = stacked_board([*three, old, other, made(oracle=None, estimator="unscored")])
    assert board.entries == over_three.entries
    assert board.left_out == (
        "left out: 1 result that an older schema scored; `cogbench score` computes scores anew",
        "left out: 1 result on one with other tasks, transfers, data or recordings than the 3 that count",
    )
    for results in ([], [made(oracle=None)], [old]):
        with pytest.raises(UnusableData, match="no result here has scores of an oracle"):
            stacked_board(results)


def test_oracles_of_one_sharing_and_choice_of_rows_alone_are_stacked(three, over_three):
    joint = [replace(on(SIX, SECOND, "both", values, name), sharing="joint") for name, values in (("a", FIRST),)]
    chosen = [replace(on(SIX, SECOND, "rows", FIRST, "a"), row_choice="random 0.5")]
    board = stacked_board([*three, *joint, *chosen])
    assert board.entries == over_three.entries
    assert board.left_out == (
        "left out: 1 oracle with sharing joint; --oracle both stacks them alone",
        "left out: 1 oracle with sharing sequential, rows of sources random 0.5; --oracle rows stacks them alone",
    )
    assert stacked_board(joint).left_out == ()
    (line,) = stacked_board([*joint, *chosen, *chosen[:0]]).left_out
    assert "rows of sources random" in line
    own = [replace(result, suite="joint-family") for result in joint]  # the name of a family that is whole stands alone
    assert "--oracle joint-family stacks" in stacked_board([*three, *own]).left_out[0]


def test_a_guess_that_shows_no_skill_on_one_oracle_has_none_over_all():
    values = GUESSES[0].copy()
    values[0] = np.tile(np.arange(6.0)[:, None], 6)
    (entry,) = [e for e in stacked_board(results_of(values, "cra")).entries if e.estimator == "cra"]
    assert (entry.skill, entry.skill_p, entry.corrected_skill_p) == (None, None, None)
    assert entry.by_oracle["one"].skill is None and entry.by_oracle["two"].skill is not None


def families(*parts):
    """Return the names of the families of oracles of these suites and tasks."""
    results = [
        on(tasks, np.random.default_rng(i).random((len(tasks),) * 2), f"o{i}", np.eye(len(tasks)), suite=suite)
        for i, (suite, tasks) in enumerate(parts)
    ]
    return [[oracle.name for oracle in family.oracles] for family in oracle_families(stacked_oracles(results)[0])]


@pytest.mark.parametrize(
    "parts, expected",
    [
        ([("s", "abc"), ("s", "xyz")], [["o0", "o1"]]),  # one suite
        ([("s", "abc"), ("t", "xyz")], [["o0"], ["o1"]]),
        ([("?", "abc"), ("?", "xyz")], [["o0"], ["o1"]]),  # a table without a suite
        ([("", "abcd"), ("t", "abxy")], [["o0"], ["o1"]]),  # half is not more than half
        ([("s", "abcd"), ("t", "abcx")], [["o0", "o1"]]),
        ([("s", "abcdefgh"), ("t", "abc")], [["o0", "o1"]]),  # a part of the tasks
        ([("s", "abcd"), ("t", "uvwx"), ("u", "abcuvw")], [["o0", "o1", "o2"]]),  # by the third
    ],
)
def test_families_are_of_one_suite_or_share_more_than_half_of_the_targets_of_the_smaller(parts, expected):
    assert families(*[(suite, tuple(tasks)) for suite, tasks in parts]) == expected


def test_oracles_of_a_family_with_other_tasks_keep_those_apart():
    """Five of six tasks are common; a task that one oracle alone has keeps its name, for it has none to exchange."""
    seven = (*FIVE, "x")
    results = [on(SIX, FIRST, "one", GUESSES[0][0]), on(seven, SECOND, "two", GUESSES[0][1])]
    (family,) = oracle_families(stacked_oracles(results)[0])
    assert family.targets == (*SIX, "x")
    one, two = family.of_sources
    assert one.exact and len(one.sources) == 120 and np.array_equal(one.sources[:, :5], two.sources[:, :5])
    assert (one.sources[:, 5] == 5).all() and (two.sources[:, 5] == 5).all()
    (entry,) = [e for e in stacked_board(results).entries if e.estimator == "cra"]
    gaps = [relative_ranks(GUESSES[0][0], FIRST), relative_ranks(GUESSES[0][1], SECOND)]
    common = (gaps[0][:5] + gaps[1][:5]) / 2
    assert entry.relative_rank == pytest.approx((common.sum() + gaps[0][5] + gaps[1][5]) / 7) and entry.n_targets == 7
    means = []
    for order in permutations(range(5)):
        one, two = (relative_ranks(GUESSES[0][i], true, [*order, 5]) for i, true in enumerate((FIRST, SECOND)))
        means.append((((one[:5] + two[:5]) / 2).sum() + one[5] + two[5]) / 7)
    assert entry.p == pytest.approx(np.mean(np.array(means) <= means[0] + 1e-9))
