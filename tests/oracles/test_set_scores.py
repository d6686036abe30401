"""From pairs to sets: values, the greedy builder and scores, beside references that try everything."""

import json
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cogbench import (
    Oracle,
    SetScore,
    TaskMatrix,
    TaskSets,
    UnusableData,
    build_set,
    score_sets,
    set_values,
)
from cogbench.oracles.set_scores import score_guessed_sets
from cogbench.results.plain import plain

TASKS = ("p", "q", "r", "s")
GUESS = TaskMatrix.square(
    TASKS, np.array([[0, 0.6, 0.5, 0.9], [0.8, 0, 0.7, 0.2], [0.7, 0.9, 0, 0.1], [0.6, 0.5, 0.3, 0]])
)


def all_sets(score, tasks=TASKS, better=None, sizes=range(4)):
    """Return the scores of all sets of other tasks."""
    rows = [
        SetScore(t, others, float(score(t, others)))
        for t in tasks
        for size in sizes
        for others in combinations([name for name in tasks if name != t], size)
    ]
    return TaskSets(name="all", sets=tuple(rows), better=better or {})


def value(guess, target, members, redundancy):
    """The value of a set by its formula."""

    def g(s, t):
        return guess.values[guess.sources.index(s), guess.targets.index(t)]

    relevance = np.mean([g(s, target) for s in members])
    pairs = [(g(a, b) + g(b, a)) / 2 for a, b in combinations(members, 2)]
    return relevance - redundancy * (np.mean(pairs) if pairs else 0.0)


squares = st.integers(3, 6).flatmap(
    lambda n: st.lists(
        st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0, -2.0]), min_size=n, max_size=n), min_size=n, max_size=n
    ).map(lambda rows: TaskMatrix.square([*"abcdef"[: len(rows)]], np.array(rows)))
)
random_squares = st.tuples(st.integers(4, 6), st.integers(0, 2**32 - 1)).map(
    lambda of: TaskMatrix.square([*"abcdef"[: of[0]]], np.random.default_rng(of[1]).normal(size=(of[0], of[0])))
)


def test_a_value_is_the_mean_of_the_members_less_their_mean_similarity():
    assert_allclose(set_values(GUESS, "p", [("q",), ("q", "r"), ("q", "r", "s")]), [0.8, 0.75, 0.7])
    similar = np.array([0.0, (0.7 + 0.9) / 2, ((0.7 + 0.9) + (0.2 + 0.5) + (0.1 + 0.3)) / 6])
    values = set_values(GUESS, "p", [("q",), ("q", "r"), ("q", "r", "s")], redundancy=0.5)
    assert_allclose(values, [0.8, 0.75, 0.7] - 0.5 * similar)


@given(squares, st.sampled_from([0.0, 0.5, 2.0]))
def test_values_are_those_of_the_formula(guess, redundancy):
    for target in guess.targets:
        others = [name for name in guess.sources if name != target]
        sets = [members for size in (1, 2, 3) for members in combinations(others, size)]
        expected = [value(guess, target, members, redundancy) for members in sets]
        assert_allclose(set_values(guess, target, sets, redundancy=redundancy), expected, atol=1e-12)


@given(random_squares, st.sampled_from([0.0, 0.7]))
def test_the_builder_adds_the_source_that_makes_the_best_set(guess, redundancy):
    target = guess.targets[0]
    others = [name for name in guess.sources if name != target]
    built = ()
    while len(built) < len(others):
        free = [name for name in others if name not in built]
        built = (*built, max(free, key=lambda name: value(guess, target, (*built, name), redundancy)))  # noqa: B023
        assert build_set(guess, target, size=len(built), redundancy=redundancy) == built


@given(squares)
def test_a_built_set_of_one_is_the_best_single_source_and_names_break_ties(guess):
    for target, column in zip(guess.targets, guess.values.T, strict=True):
        (single,) = build_set(guess, target, size=1, redundancy=3.0)
        best = np.nanmax(column)
        assert single == next(s for s, v in zip(guess.sources, column, strict=True) if v == best)


@given(random_squares)
def test_without_redundancy_the_built_set_is_the_best_of_its_size(guess):
    for target in guess.targets:
        others = [name for name in guess.sources if name != target]
        sets = [*combinations(others, 3)]
        best = sets[int(np.argmax(set_values(guess, target, sets)))]
        assert sorted(build_set(guess, target, size=3)) == sorted(best)


@given(random_squares, st.sampled_from([1.0, -1.0]), st.sampled_from([0.0, 0.7]))
def test_the_whole_truth_as_a_guess_has_no_regret(guess, sign, redundancy):
    """Sets that score what a pairwise guess says of them, in a metric of which more, or less, is better."""
    truth = all_sets(
        lambda t, others: sign * value(guess, t, others, redundancy) if others else 0.0,
        guess.targets,
        dict.fromkeys(guess.targets, "higher" if sign > 0 else "lower"),
    )
    for size in (None, 2):
        scores = score_guessed_sets(truth, guess, size=size, redundancy=redundancy)
        assert_allclose([scores.regret, scores.rank, scores.relative_rank, scores.best_found], [0, 1, 0, 1], atol=1e-12)
        assert scores.p is not None and scores.gain == scores.gain_best
        assert_allclose(scores.gain, np.mean([max(guess_of) for guess_of in _oriented(truth, size)]), atol=1e-9)


def _oriented(truth, size):
    for target in truth.targets:
        yield [
            truth.sign(target) * one.score
            for one in truth.of(target)
            if one.members and size in (None, len(one.members))
        ]


@given(random_squares, st.integers(0, 2**32 - 1), st.randoms(), st.sampled_from([0.0, 0.7]))
def test_the_order_and_the_names_of_tasks_change_nothing(guess, seed, random, redundancy):
    rng = np.random.default_rng(seed)
    truth = all_sets(lambda t, others: rng.normal(), guess.targets)
    usual = score_guessed_sets(truth, guess, redundancy=redundancy)
    rows, names = [*truth.sets], [*guess.sources]
    random.shuffle(rows)
    random.shuffle(names)
    moved = score_guessed_sets(replace(truth, sets=tuple(rows)), guess.part(names, names), redundancy=redundancy)
    assert moved == usual
    other = dict(zip(guess.sources, random.sample("ABCDEF", len(guess.sources)), strict=True))
    renamed = tuple(replace(o, target=other[o.target], members=tuple(other[m] for m in o.members)) for o in rows)
    again = score_guessed_sets(
        replace(truth, sets=renamed),
        TaskMatrix.square([other[name] for name in guess.sources], guess.values),
        redundancy=redundancy,
    )
    for what in ("rank", "regret", "relative_rank", "best_found", "rank_chance", "regret_chance"):
        assert_allclose(getattr(again, what), getattr(usual, what), atol=1e-12)
    assert_allclose(again.p.p, usual.p.p, atol=1e-12)  # all relabellings, of at most six tasks


@given(random_squares, st.integers(0, 2**32 - 1), st.sampled_from([None, 2]))
def test_scores_and_chance_are_those_of_trying_every_set(guess, seed, size):
    rng = np.random.default_rng(seed)
    truth = all_sets(lambda t, others: rng.integers(0, 5), guess.targets, {guess.targets[0]: "lower"})
    scores = score_guessed_sets(truth, guess, size=size)
    ranks, regrets = [], []
    for target in truth.targets:
        own = [one for one in truth.of(target) if one.members and size in (None, len(one.members))]
        true = [truth.sign(target) * one.score for one in own]
        values = [value(guess, target, one.members, 0.0) for one in own]
        picked = true[int(np.argmax(values))]
        order = sorted(true, reverse=True)
        ranks.append(np.mean([i for i, score in enumerate(order, 1) if score == picked]))
        regrets.append([max(true) - score for score in (picked, *true)])
    assert_allclose(scores.rank, np.mean(ranks))
    assert_allclose(scores.regret, np.mean([of[0] for of in regrets]))
    assert_allclose(scores.regret_chance, np.mean([np.mean(of[1:]) for of in regrets]))
    assert scores.rank_chance == np.mean([(len(of) - 1 + 1) / 2 for of in regrets])


@given(random_squares, st.integers(0, 2**32 - 1))
def test_p_counts_the_guesses_under_all_other_names(guess, seed):
    guess = guess.part(guess.sources[:4], guess.sources[:4])
    rng = np.random.default_rng(seed)
    truth = all_sets(lambda t, others: rng.normal(), guess.targets)
    scores = score_guessed_sets(truth, guess)
    as_good = []
    for order in permutations(range(4)):
        other = TaskMatrix.square(guess.sources, guess.values[np.ix_(order, order)])
        as_good.append(score_guessed_sets(truth, other).rank <= scores.rank + 1e-9)
    assert scores.p.exact and scores.p.draws == 24
    assert_allclose(scores.p.p, np.mean(as_good))


def test_a_guess_that_says_nothing_scores_as_chance():
    truth = all_sets(lambda t, others: len(others) + TASKS.index(t) + 0.1 * (others[:1] == ("q",)))
    scores = score_guessed_sets(truth, TaskMatrix.square(TASKS, np.zeros((4, 4))))
    assert scores.rank == scores.rank_chance and scores.relative_rank == 0.5 and scores.p.p == 1
    assert_allclose([scores.regret, scores.gain], [scores.regret_chance, scores.gain_chance])
    assert all(len(one.chosen) == 7 for one in scores.per_target)


def test_percent_is_of_the_best_score_and_undefined_where_that_is_not_above_zero():
    rows = (("t", "a", 8.0), ("t", "b", 10.0), ("u", "a", -1.0), ("u", "b", -2.0), ("v", "a", 4.0), ("v", "b", 5.0))
    truth = TaskSets(name="x", sets=tuple(SetScore(t, (s,), v) for t, s, v in rows), better={"v": "lower"})
    guess = TaskMatrix(("a", "b"), ("t", "u", "v"), np.array([[1.0, 0, 0], [0, 1, 1]]))
    scores = score_guessed_sets(truth, guess)
    assert [one.percent for one in scores.per_target] == [20, None, 25]
    assert [one.regret for one in scores.per_target] == [2, 1, 1]
    assert scores.percent == 22.5 and scores.gain is None


def test_the_pairs_of_a_file_are_a_guess_and_no_sets_to_choose_from():
    truth = all_sets(lambda t, others: -sum(map(ord, others)), better=dict.fromkeys(TASKS, "lower"))
    scores = score_sets(truth, "pairs")
    assert scores.n_sets == 4 * 4 and scores.guess == "pairs"
    assert scores.per_target[0].chosen == (("r", "s"),)  # the larger scores of pairs, though lower ones are better
    assert score_sets(truth, "pairs", size=1).rank == 1  # the guess knows them


def test_what_was_not_measured_or_estimated_is_said():
    rows = (("t", "a+b", 1.0), ("t", "a+c", 2.0), ("u", "a+b", 1.0), ("v", "a+b", 1.0), ("v", "a+c", 2.0))
    truth = TaskSets(name="x", sets=tuple(SetScore(t, tuple(s.split("+")), v) for t, s, v in rows))
    guess = TaskMatrix(("a", "b", "c"), ("t", "u"), np.array([[1.0, 0], [3, 1], [2, 0]]))
    scores = score_guessed_sets(truth, guess, size=2)
    assert [one.target for one in scores.per_target] == ["t"]
    assert scores.per_target[0].built == ("b", "c") and scores.per_target[0].built_rank is None
    assert scores.n_built == 0 and scores.built_rank is None
    text = "; ".join(scores.notes)
    assert "left out: v, which the guess does not have" in text and "left out: u, which have fewer than two" in text
    assert "the built sets of 1 targets were not measured" in text
    gap = TaskMatrix(("a", "b", "c"), ("t",), np.array([[1.0], [np.nan], [2]]))
    scores = score_guessed_sets(truth, gap)
    assert scores.rank == 1 and scores.p is None
    assert "1 sets have a member without an estimate" in "; ".join(scores.notes)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"{t},{'+'.join(o)},{v}" for t, o, v in (("p", "qr", 3), ("p", "qs", 2), ("q", "pr", 1), ("q", "ps", 4))]
    (tmp_path / "sets.csv").write_text("target,sources,score\n" + "\n".join(lines) + "\n")
    table = "source,p,q,r,s\np,,.6,.5,.9\nq,.8,,.7,.2\nr,.7,.9,,.1\ns,.6,.5,.3,\nno-transfer,.1,.1,.1,.1\n"
    (tmp_path / "guess.csv").write_text(table)


def test_the_command_takes_tables_oracles_and_results(files, tmp_path):
    found = ask("sets", "score", "sets.csv", "--guess", "guess.csv")
    assert found.exit_code == 0, found.output
    assert "guess, by sets: 2 targets, 4 sets of all sizes" in found.stdout and "q+r" in found.stdout
    scores = json.loads(ask("sets", "score", "sets.csv", "--guess", "guess.csv", "--size", "2", "--json").stdout)
    assert scores == plain(score_sets("sets.csv", "guess.csv", size=2))
    assert (scores["rank"], scores["rank_chance"], scores["built_rank"]) == (1.5, 1.5, 1.5)
    oracle = Oracle("o", "b", "s", GUESS, better=dict.fromkeys(TASKS, "lower"))
    assert score_sets("sets.csv", oracle).per_target[0].chosen == (("q", "s"),)
    from cogbench.data.oracle_files import write_oracle

    write_oracle(oracle, tmp_path / "o.json")
    assert plain(score_sets("sets.csv", "o.json")) == plain(score_sets("sets.csv", oracle))
    assert ask("sets", "score", "sets.csv", "--guess", "guess.csv", "--distances").exit_code == 0
    (tmp_path / "picks.csv").write_text("target,source\np,q\nq,p\n")
    assert "a matrix of similarities is needed" in line(ask("sets", "score", "sets.csv", "--guess", "picks.csv"), 3)


def test_bad_input_of_the_command_is_one_line(files, tmp_path):
    (tmp_path / "few.csv").write_text("source,p,q\np,,.6\nq,.8,\nr,.7,.9\n")
    few = ("sets", "score", "sets.csv", "--guess", "few.csv")
    assert "the guess lacks the sources s; it has p, q, r" in line(ask(*few), 3)
    (tmp_path / "other.csv").write_text("source,x,y\nx,,.6\ny,.8,\n")
    text = line(ask("sets", "score", "sets.csv", "--guess", "other.csv"), 3)
    assert "the guess has none of the targets p, q; it has x, y" in text
    assert "unknown oracle 'nothing'" in line(ask("sets", "score", "sets.csv", "--guess", "nothing"), 2)
    usual = ("sets", "score", "sets.csv", "--guess", "guess.csv")
    assert "no target of 'sets' has two sets of 3 sources" in line(ask(*usual, "--size", "3"), 3)
    assert "have no set of one other task" in line(ask("sets", "score", "sets.csv", "--guess", "pairs"), 3)
    (tmp_path / "alone.csv").write_text("target,sources,score\np,,1\nq,,2\n")
    text = line(ask("sets", "score", "alone.csv", "--guess", "guess.csv"), 3)
    assert "no target of 'alone' has two sets" in text
    (tmp_path / "wide.csv").write_text("source,p,q\np,,.6\nq,.8,\nr,.7,.9\ns,.7,.9\n")
    text = line(ask("sets", "score", "sets.csv", "--guess", "wide.csv", "--redundancy", "1"), 3)
    assert "redundancy compares members of a set, but the guess has no targets r, s" in text
    with pytest.raises(UnusableData, match="redundancy=-1"):
        set_values(GUESS, "p", [("q",)], redundancy=-1)
    with pytest.raises(UnusableData, match="the empty set has no value"):
        set_values(GUESS, "p", [()])
    for size in (0, 4):
        with pytest.raises(UnusableData, match=f"a set of {size} sources cannot be built for 'p'"):
            build_set(GUESS, "p", size=size)


def test_the_published_sets_are_guessed_as_the_document_says(atlas):
    standley = score_sets(atlas / "standley2020-results-subsets.csv", "pairs")
    assert_allclose([standley.rank, standley.rank_chance, standley.relative_rank], [1.6, 6, 0.06])
    assert standley.p.exact and standley.p.draws == 120
    times = score_sets(atlas / "lange2021-runs.csv", "pairs", within="time")
    assert (times.n_targets, times.n_sets) == (14, 220)
    assert_allclose([times.relative_rank, times.rank_chance], [0.3367, 8.357], atol=1e-3)
    same = score_sets(atlas / "lange2021-runs.csv", atlas / "lange2021-domain-time.csv", within="time", size=2)
    assert_allclose(same.regret, score_sets(atlas / "lange2021-runs.csv", "pairs", within="time", size=2).regret)
