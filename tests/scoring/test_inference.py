"""What the statistics hold, by small simulations: level, power, coverage. benchmarks/inference.py makes the tables."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cogbench import Oracle, TaskMatrix, load_parts, rank
from cogbench.parts.oracle_names import find_oracle
from cogbench.scoring.chance import chance_law, independent_p, interval_over_targets, relabelled_p, relabellings
from cogbench.scoring.paired import holm, paired_difference, score_picks
from cogbench.scoring.ranking import true_ranking
from cogbench.scoring.skill import skill_beyond_effects


def square(values, names="abcdefghijklmnop"):
    return TaskMatrix.square(names[: len(values)], np.array(values, float))


def random_square(seed, n=5, ties=False):
    rng = np.random.default_rng(seed)
    return square(rng.integers(0, 3, size=(n, n)) if ties else rng.normal(size=(n, n)))


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
    law, worth, hits = chance_law(true), -np.nan_to_num(true.ranks), np.zeros(2)
    for seed in range(200):
        guess = TaskMatrix.square(true.sources, worth + 6 * rng.normal(size=worth.shape))
        names = relabellings(guess, draws=199, seed=seed)
        picks = score_picks(guess, true, names)
        p_values = independent_p(law, picks.ranks.sum()), relabelled_p(picks.totals, picks.ranks.sum(), names).p
        hits += np.array(p_values) <= 0.05
    independent, relabelled = hits / 200
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


def test_a_table_of_many_tasks_is_relabelled_less_often():
    rng, names = np.random.default_rng(0), [f"t{i}" for i in range(200)]
    assert len(relabellings(square(rng.normal(size=(200, 200)), names)).sources) == 2_500


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
        difference = paired_difference(*(score_picks(guess, true, names) for guess in guesses), true, names)
        flips += difference.sign_flips.p <= 0.05
        both += difference.p <= 0.05
    assert both / 250 < 0.065 + 3 * np.sqrt(0.05 * 0.95 / 250)
    if kind == "one source":
        assert flips / 250 > 0.3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_p_and_bonferronis_and_keeps_the_order(p_values):
    corrected = holm(p_values)
    for p, of in zip(p_values, corrected, strict=True):
        assert p <= of <= min(1, len(p_values) * p) + 1e-12
    for (p, one), (q, other) in product(zip(p_values, corrected, strict=True), repeat=2):
        assert one <= other or p > q


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
