"""Scores against golden values, scipy, scikit-learn, and counting by hand; what is undefined is said, never 0."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import ndcg_score

from cogbench import Oracle, TaskMatrix, UnusableData, load_parts, popularity_baseline, rank
from cogbench.data.oracle_seeds import resample
from cogbench.parts.oracle_names import find_oracle
from cogbench.scoring.baselines import baselines
from cogbench.scoring.evaluation import score_guess
from cogbench.scoring.scores import ScoreOptions, TargetScore

NAMES = tuple("abcdefgh")
SMALL = st.integers(-4, 4)


def square(values):
    return TaskMatrix.square(NAMES[: len(values)], np.asarray(values, float))


def pairs(smallest=4, values=SMALL):
    """Predicted and true scores of the same tasks."""
    one = st.integers(smallest, 6).flatmap(lambda n: arrays(float, (2, n, n), elements=values.map(float)))
    return one


def scored(predicted, true, *, options=None, **extra):
    oracle = Oracle("o", "b", "s", square(true), **extra)
    return score_guess(square(predicted), oracle, ScoreOptions(**(options or {})))


def column(predicted, true, *, better="higher", **options):
    """The scores of one target with no task of its own among the sources."""
    names = tuple(f"s{i}" for i in range(len(true)))
    one = [TaskMatrix(names, ("t",), np.asarray(v, float)[:, None]) for v in (predicted, true)]
    return score_guess(one[0], Oracle("o", "b", "s", one[1], better={"t": better}), ScoreOptions(**options))


# Golden values (transfers 80 75 90 85, estimates .2 .9 .5 .4), and other libraries.


@pytest.mark.parametrize(
    ("gain", "every", "two"),
    [
        ("rank", 0.697934, 0.444123),
        ("exp_rank", 0.675751, 0.496639),
        ("linear", 0.966693, 0.917528),
        ("linear_minmax", 0.697934, 0.444123),
        ("exp_fraction", 0.956827, 0.894951),
        ("exp_percent", 0.634184, 0.618760),
    ],
)
def test_golden_scores(gain, every, two):
    found = column([0.2, 0.9, 0.5, 0.4], [80, 75, 90, 85], gain=gain, ks=(2,))
    assert found.ranking.ndcg == pytest.approx({"2": two, "all": every}, abs=1e-6)
    assert found.regret == pytest.approx({"1": 16.666667, "2": 0}, abs=1e-6)
    assert (found.ranking.spearman, found.ranking.kendall, found.trs.value) == pytest.approx((-0.2, 0, 4), abs=1e-9)
    again = column([0.2, 0.9, 0.5, 0.4], [0.80, 0.75, 0.90, 0.85], gain=gain, ks=(2,))
    assert again.ranking.ndcg == pytest.approx(found.ranking.ndcg)


@given(arrays(float, (2, 7), elements=SMALL.map(float)), st.integers(1, 7))
def test_correlations_and_ndcg_are_those_of_scipy_and_scikit_learn(both, k):
    predicted, true = both
    found = column(predicted, true, ks=(k,))
    if np.ptp(predicted) == 0 or np.ptp(true) == 0:
        assert found.ranking.spearman is None and found.ranking.kendall is None
        assert any("rank correlation" in note for note in found.notes)
    else:
        assert found.ranking.spearman == pytest.approx(spearmanr(predicted, true).statistic)
        assert found.ranking.kendall == pytest.approx(kendalltau(predicted, true).statistic)
    gains = 7 - rank(TaskMatrix(tuple("abcdefg"), ("t",), true[:, None])).ranks.T
    if gains.any():  # scikit-learn takes the mean gain of what is tied, as we do
        assert found.ranking.ndcg[str(k)] == pytest.approx(ndcg_score(gains, predicted[None], k=k))


@given(arrays(float, (2, 6), elements=SMALL.map(float)), st.integers(1, 5))
def test_regret_is_its_expectation_when_ties_are_broken_at_random(both, k):
    predicted, true = both
    true = true + 5  # above 0
    found = column(predicted, true, ks=(k,)).regret[str(k)]
    orders = [p for p in itertools.permutations(range(6)) if (np.diff(predicted[list(p)]) <= 0).all()]
    each = [100 * (true.max() - true[list(p[:k])].max()) / true.max() for p in orders]
    assert found == pytest.approx(np.mean(each), abs=1e-9)


@given(pairs(values=st.integers(1, 9)))
def test_every_score_is_the_mean_over_targets(both):
    predicted, true = both
    alone = np.full(len(true), 4.0)
    found = scored(predicted, true, no_transfer=alone)
    columns = []
    for t in range(len(true)):
        others = np.arange(len(true)) != t
        columns.append(column(predicted[others, t], true[others, t]))
    assert found.regret["1"] == pytest.approx(np.mean([c.regret["1"] for c in columns]))
    correlations = [c.ranking.spearman for c in columns if c.ranking.spearman is not None]
    assert found.ranking.spearman == (pytest.approx(np.mean(correlations)) if correlations else None)
    assert found.ranking.rank_of_best == pytest.approx(np.mean([c.ranking.rank_of_best for c in columns]))
    cells = true[~np.eye(len(true), dtype=bool)]
    assert found.gains.helping == pytest.approx((cells > 4).mean())
    assert found.gains.random == pytest.approx(100 * (found.metric.random - 4) / 4)
    assert found.gains.selected == pytest.approx(100 * (found.metric.selected - 4) / 4)


# Properties.


@given(pairs(), st.randoms(use_true_random=False))
def test_the_order_of_the_tasks_changes_no_score(both, random):
    order = list(range(len(both[0])))
    random.shuffle(order)
    names = [NAMES[i] for i in order]
    one = scored(*both)
    matrices = [square(v).part(names, names) for v in both]
    two = score_guess(matrices[0], Oracle("o", "b", "s", matrices[1]))
    assert ranks_only(one) == pytest.approx(ranks_only(two))
    assert one.regret == pytest.approx(two.regret)
    assert one.trs.p.p == pytest.approx(two.trs.p.p) and one.trs.p.exact
    assert {t: vars(score) for t, score in one.per_target.items()} == {
        t: pytest.approx(vars(score)) for t, score in two.per_target.items()
    }


def ranks_only(scores):
    """Return the scores that know ranks alone."""
    whole = scores.ranking
    return {
        "trs": scores.trs.value,
        "p_independent": scores.trs.p_independent,
        "rank_of_best": whole.rank_of_best,
        "spearman": whole.spearman,
        "kendall": whole.kendall,
        **{f"top-{k}": share for k, share in scores.top_k.share.items()},
        **{f"ndcg@{k}": value for k, value in whole.ndcg.items()},
    }


@given(pairs(), st.floats(-3, 3), st.floats(0.1, 3))
def test_rankings_know_no_unit(both, shift, scale):
    predicted, true = both
    one, two = scored(predicted, true), scored(predicted * scale + shift, np.exp(true / 4))
    assert ranks_only(one) == pytest.approx(ranks_only(two))
    assert one.trs.p.p == pytest.approx(two.trs.p.p)


# Noise of the oracle.


def test_oracles_are_resampled_from_seeds_or_from_standard_errors():
    rng = np.random.default_rng(0)
    by_seed = rng.normal(5, 1, size=(8, 6, 6))
    seeds = Oracle("o", "b", "s", square(by_seed.mean(axis=0)), by_seed=by_seed)
    drawn = np.array([o.transfers.values for o in resample(seeds, draws=2000)])
    expected = by_seed.std(axis=0, ddof=1) / np.sqrt(8)  # the standard error: draws from 8 seeds would vary less
    off = ~np.eye(6, dtype=bool)
    assert_allclose(drawn.std(axis=0)[off], expected[off], rtol=0.15)
    assert drawn.std(axis=0)[off].mean() == pytest.approx(expected[off].mean(), rel=0.02)
    errors = Oracle("o", "b", "s", seeds.transfers, standard_error=np.full((6, 6), 0.3))
    normal = np.array([o.transfers.values[off] for o in resample(errors, draws=500)])
    assert normal.std(axis=0) == pytest.approx(0.3, rel=0.15)
    assert list(resample(Oracle("o", "b", "s", seeds.transfers))) == []


def test_an_oracle_without_noise_moves_no_score_and_a_noisy_one_does():
    rng = np.random.default_rng(1)
    true, guess = rng.normal(5, 1, size=(2, 6, 6))
    still = scored(guess, true, standard_error=np.zeros((6, 6)))
    assert still.resampled == pytest.approx(dict.fromkeys(still.resampled, 0))
    assert {"trs", "spearman", "regret@1", "top-3"} <= still.resampled.keys()
    moved = scored(guess, true, standard_error=np.full((6, 6), 3.0))
    assert moved.resampled["trs"] > 0.2 and moved.resampled["spearman"] > 0.05
    assert scored(guess, true).resampled is None


def test_the_noise_of_a_score_is_its_standard_deviation_over_resampled_oracles():
    rng = np.random.default_rng(2)
    guess, by_seed = rng.normal(5, 1, size=(5, 5)), rng.normal(5, 1, size=(3, 5, 5))
    oracle = Oracle("o", "b", "s", square(by_seed.mean(axis=0)), by_seed=by_seed)
    drawn = [score_guess(square(guess), replace(again, by_seed=None)) for again in resample(oracle)]
    found = score_guess(square(guess), oracle).resampled
    assert found["trs"] == pytest.approx(np.std([s.trs.value for s in drawn], ddof=1))
    assert found["spearman"] == pytest.approx(np.std([s.ranking.spearman for s in drawn], ddof=1))
    assert found["regret@1"] == pytest.approx(np.std([s.regret["1"] for s in drawn], ddof=1))


# What is undefined, and what is refused.


def test_without_the_scores_of_no_transfer_nothing_is_said_of_gains():
    found = scored(*np.random.default_rng(0).normal(size=(2, 4, 4)))
    assert found.metric.no_transfer is None and {*vars(found.gains).values()} == {None}


def test_targets_left_out_of_a_mean_are_named():
    true = np.array([[0, -1, 3], [2, 0, 1], [1, -2, 0.0]])
    found = scored([[0, 2, 1], [1, 0, 1], [1, 1, 0]], true, no_transfer=np.array([1.0, 0, 2]))
    assert found.regret["1"] == pytest.approx((25 + 100 / 3) / 2)  # of a and c
    text = "; ".join(found.notes)
    assert "relative gain is undefined for b" in text and "regret is undefined for b" in text
    assert "rank correlation is undefined for a, c" in text


def test_an_all_equal_column_is_chance_and_said_so():
    found = column([1, 1, 1, 1], [4, 3, 2, 1])
    assert found.trs.value == found.trs.chance == 2.5 and found.ranking.spearman is None
    assert found.notes == ("rank correlation is undefined for t: left out of the mean",)


def test_one_single_candidate_is_perfect_and_chance():
    found = column([0.3], [5.0])
    assert (found.trs.value, found.trs.chance, found.trs.p.p, found.trs.p_independent) == (1, 1, 1, 1)
    assert found.ranking is None and found.regret["1"] == 0


def test_a_transfer_that_was_not_measured_is_no_candidate():
    true, guess = [[0, np.nan, 2], [1, 0, 1], [3, 4, 0]], [[0, 9, 2], [1, 0, 1], [3, 4, 0]]
    found = scored(guess, true)
    assert found.per_target["b"] == TargetScore(1, 4, 4) and found.metric.selected == pytest.approx((3 + 4 + 2) / 3)
    assert found.trs.value == 1 and found.trs.chance == pytest.approx((1.5 + 1 + 1.5) / 3)
    assert found.metric.random == pytest.approx((2 + 4 + 1.5) / 3)
    assert found.top_k.chance == {"3": 1, "4": 1, "5": 1} and found.top_k.share == {"3": 1, "4": 1, "5": 1}
    assert "correlation is undefined for b" in "; ".join(found.notes), "one candidate has no order"


def test_a_target_without_a_measured_transfer_is_refused():
    with pytest.raises(UnusableData, match="a target has no candidate source"):
        scored(np.eye(3), [[0, np.nan, 2], [1, 0, 1], [3, np.nan, 0]])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"gain": "cubic"}, "gain 'cubic': expected one of rank, exp_rank, linear, linear_minmax, exp_fraction"),
        ({"regret": "worst"}, "regret 'worst': expected one of best, mean"),
        ({"ks": (0,)}, "k 0, M 6: expected whole numbers from 1"),
        ({"ks": ()}, "expected whole numbers from 1"),
        ({"top_m": 0}, "M 0: expected whole numbers from 1"),
    ],
)
def test_unknown_options_are_refused_with_those_there_are(options, says):
    with pytest.raises(UnusableData, match=says):
        scored(np.eye(3), np.eye(3), options=options)


@pytest.mark.parametrize("gain", ["linear", "exp_fraction", "exp_percent"])
def test_gains_below_zero_are_refused_with_those_that_are_not(gain):
    with pytest.raises(
        UnusableData, match="transfer is below 0 .* from s1 to t: take the gain rank, exp_rank or linear_minmax"
    ):
        column([1, 2, 3], [0.5, -0.1, 0.9], gain=gain)
    with pytest.raises(UnusableData, match="is not from 0 to 1 where"):
        column([1, 2, 3], [0.5, 0.1, 0.9], gain=gain, better="lower")


@pytest.mark.parametrize("gain", ["rank", "exp_rank", "linear_minmax"])
def test_other_gains_keep_ndcg_from_zero_to_one_for_any_metric(gain):
    for better in ("higher", "lower"):
        found = column([1, 2, 3], [0.5, -0.1, 0.9], gain=gain, better=better)
        assert all(0 <= ndcg <= 1 for ndcg in found.ranking.ndcg.values())
    assert column([1, 2, 3], [0.5, 0.4, 0.1], gain=gain, better="lower").ranking.ndcg["all"] == pytest.approx(1)


# Other regrets, and targets whose lower figures are better.


def test_the_regret_of_the_mean_by_hand():
    found = column([0.9, 0.8, 0.1, 0.7], [60, 90, 100, 80], ks=(2, 3), regret="mean").regret
    assert found["1"] == pytest.approx(100 * (100 - 60) / 100)
    assert found["2"] == pytest.approx(100 * (95 - 75) / 95)
    assert found["3"] == pytest.approx(100 * (90 - (60 + 90 + 80) / 3) / 90)


@given(arrays(float, (2, 6), elements=SMALL.map(float)), st.integers(1, 5))
def test_the_regret_of_the_mean_is_its_expectation_when_ties_are_broken_at_random(both, k):
    predicted, true = both
    true = true + 5  # above 0
    found = column(predicted, true, ks=(k,), regret="mean").regret[str(k)]
    best = np.sort(true)[-k:].mean()
    orders = [p for p in itertools.permutations(range(6)) if (np.diff(predicted[list(p)]) <= 0).all()]
    assert found == pytest.approx(np.mean([100 * (best - true[list(p[:k])].mean()) / best for p in orders]), abs=1e-9)


def test_where_lower_figures_are_better_a_gain_is_a_fall():
    true = TaskMatrix(("x", "y", "z"), ("t",), np.array([[40.0], [20.0], [50.0]]))
    oracle = Oracle("o", "b", "s", true, no_transfer=np.array([40.0]), better={"t": "lower"})
    found = score_guess(TaskMatrix(("x", "y", "z"), ("t",), np.array([[3.0], [2.0], [1.0]])), oracle)
    assert found.per_target == {"t": TargetScore(2, 40, 20, 40)}  # in the metric's own unit
    assert (found.gains.selected, found.gains.best) == (0, 50)
    assert found.gains.random == pytest.approx(100 * (40 - 110 / 3) / 40)
    assert found.regret["1"] == pytest.approx(100 * (40 - 20) / 20)
    assert found.gains.helping == pytest.approx(1 / 3) and found.gains.selected_helping == 0


def test_a_target_has_the_metrics_of_its_choice_of_the_best_and_of_none():
    true = [[0, 0.6, 0.5], [0.8, 0, 0.7], [0.7, 0.9, 0]]
    found = scored([[0, 2, 1], [1, 0, 1], [2, 1, 0]], true, no_transfer=np.array([0.5, np.nan, 0.4]))
    assert {t: vars(score) for t, score in found.per_target.items()} == {
        "a": pytest.approx({"rank": 2, "selected": 0.7, "best": 0.8, "no_transfer": 0.5}),
        "b": pytest.approx({"rank": 2, "selected": 0.6, "best": 0.9, "no_transfer": None}),
        "c": pytest.approx({"rank": 1.5, "selected": 0.6, "best": 0.7, "no_transfer": 0.4}),
    }
    assert "the metric without a source is unknown for b: left out of the mean metrics" in found.notes
    assert found.metric.selected == pytest.approx((0.7 + 0.6) / 2) and found.metric.no_transfer == pytest.approx(0.45)


# Baselines.


@given(arrays(float, (5, 5), elements=SMALL.map(float)))
def test_popularity_leaves_the_target_out(values):
    found, ranks = popularity_baseline(Oracle("o", "b", "s", square(values))).values, rank(square(values)).ranks
    for s, t in itertools.permutations(range(5), 2):
        others = [u for u in range(5) if u not in (s, t)]
        assert found[s, t] == pytest.approx(-ranks[s, others].mean())


def test_baselines_of_the_papers_tables():
    parts = load_parts()
    rows = {name: task.card.rows for name, task in parts.tasks.items()}
    for plm, expected in {"bert": (6, 7.875, 4.458333), "tinybert": (6, 1.833333, 3.333333)}.items():
        found = baselines(find_oracle(parts, f"cogtaskonomy-{plm}"), rows)
        assert found == pytest.approx(dict(zip(("random", "popularity", "size"), expected, strict=True)), abs=1e-6)


def test_a_size_that_is_unknown_makes_no_baseline():
    oracle = Oracle("o", "b", "s", square(np.random.default_rng(0).normal(size=(4, 4))))
    assert set(baselines(oracle, {"a": 10})) == {"random", "popularity"}
