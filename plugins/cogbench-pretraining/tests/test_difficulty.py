"""Masks of a wanted difficulty: their number, their difficulty and their largest entropy; and what the model shows."""

import numpy as np
import pytest
from cogbench_pretraining.difficulty import (
    EDGE,
    RATE,
    Controller,
    Difficulty,
    level_of_random,
    mask_probabilities,
    range_of_masks,
)
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

DIFFICULTIES = arrays(float, st.integers(5, 60), elements=st.floats(0, 1))
SOME_HARD = np.repeat([1.0, 0.0], [2, 48])  # hardly as many as masks are wanted


@given(DIFFICULTIES, st.floats(0.05, 0.5), st.floats(0, 1))
@example(SOME_HARD, 0.05, 1.0)
@example(1 - SOME_HARD, 0.05, 0.0)
def test_masks_are_of_the_wanted_number_and_difficulty(difficulties, share, level):
    probabilities, target = mask_probabilities(difficulties, share, level)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    np.testing.assert_allclose(probabilities.sum(), share * len(difficulties), rtol=1e-2)
    np.testing.assert_allclose(probabilities @ difficulties / probabilities.sum(), target, atol=1e-2)
    easiest, hardest = range_of_masks(difficulties, share)
    assert easiest - 1e-9 <= target <= hardest + 1e-9


@given(DIFFICULTIES, st.floats(0.05, 0.5))
def test_the_level_of_random_masks_gives_random_masks(difficulties, share):
    level = level_of_random(difficulties, share)
    if level is None or EDGE < level < 1 - EDGE:
        probabilities, _ = mask_probabilities(difficulties, share, level)
        np.testing.assert_allclose(probabilities, share, rtol=1e-2)


def test_harder_tokens_are_masked_more_often_at_a_higher_level():
    difficulties = np.linspace(0, 1, 50)
    rising, _ = mask_probabilities(difficulties, 0.2, 0.8)
    falling, _ = mask_probabilities(difficulties, 0.2, 0.2)
    assert (np.diff(rising) > 0).all() and (np.diff(falling) < 0).all()
    np.testing.assert_allclose(rising, falling[::-1], rtol=1e-2)


def test_of_all_masks_of_that_number_and_difficulty_they_have_the_largest_entropy():
    difficulties = np.array([0.1, 0.2, 0.5, 0.6, 0.9, 1.0])
    probabilities, _ = mask_probabilities(difficulties, 0.4, 0.7)

    def entropy(m):
        return -(m * np.log(m) + (1 - m) * np.log(1 - m)).sum()

    constraints = np.stack([np.ones(6), difficulties])
    _, _, directions = np.linalg.svd(constraints)
    for direction in directions[2:]:  # which change neither the number nor the difficulty
        for step in (-0.02, 0.02):
            assert entropy(probabilities + step * direction) < entropy(probabilities)


def test_equally_hard_tokens_are_masked_at_random():
    probabilities, target = mask_probabilities(np.full(30, 0.4), 0.15, 0.9)
    np.testing.assert_allclose(probabilities, 0.15)
    assert target == pytest.approx(0.4)
    assert level_of_random(np.full(30, 0.4), 0.15) is None


def test_the_difficulty_of_a_type_is_an_exponential_mean_over_its_masks():
    difficulty = Difficulty(4)
    np.testing.assert_array_equal(difficulty.of(np.array([0, 3])), 1)  # nothing is known yet
    difficulty.learn(np.array([0, 0, 1]), np.array([0.2, 0.4, 0.9]))
    mean = 0.5
    two = mean + (1 - (1 - RATE) ** 2) * (0.3 - mean)
    one = mean + RATE * (0.9 - mean)
    np.testing.assert_allclose(difficulty.of(np.array([0, 1, 2])), [two, one, mean])
    difficulty.learn(np.array([1]), np.array([0.0]))
    np.testing.assert_allclose(difficulty.of(np.array([0, 1])), [two, one * (1 - RATE)])
    np.testing.assert_allclose(difficulty.of(np.array([2])), mean * (1 - RATE))
    difficulty.learn(np.array([], int), np.array([]))
    np.testing.assert_allclose(difficulty.of(np.array([0])), two)


def test_the_level_rises_while_the_loss_is_below_the_band_and_falls_while_it_is_above():
    controller = Controller((1.0, 2.0))
    controller.learn(5.0)
    assert controller.level is None
    controller.start_at(0.5)
    controller.start_at(0.9)  # it has begun
    levels = []
    for losses in ([0.0] * 20, [1.5] * 40, [3.0] * 20):
        for loss in losses:
            controller.learn(loss)
        levels.append(controller.level)
    low, held, high = levels
    assert 0.5 < low <= 1 and held >= low and high < held
    for _ in range(200):
        controller.learn(9.0)
    assert controller.level == 0
