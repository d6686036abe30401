"""Oracles: which figures of a target are better, their units and sets of sources, and a part that keeps them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cogbench import Oracle, TaskMatrix, UnusableData
from cogbench.data.oracle_seeds import resample

VALUES = np.array([[0, 40.0, 0.7], [0.5, 0, 0.8], [0.6, 20, 0]])
KNOWN = {"better": {"b": "lower"}, "units": {"b": "perplexity", "c": "%"}, "groups": {"a": ("x", "y")}}


def oracle(**known):
    return Oracle("o", "plm", "s", TaskMatrix.square("abc", VALUES), **known)


def test_the_figures_of_a_target_whose_lower_ones_are_better_are_turned():
    table = oracle(better={"b": "lower", "c": "higher"})
    assert table.signs.tolist() == [1, -1, 1]
    expected = np.where(np.eye(3), np.nan, VALUES * [1, -1, 1])
    assert_array_equal(table.oriented.values, expected)
    assert table.transfers.values[0, 1:].tolist() == [40, 0.7], "the figures stay in their own unit"


def test_higher_figures_are_better_where_nothing_is_said():
    table = oracle()
    assert_array_equal(table.oriented.values, table.transfers.values)


@pytest.mark.parametrize(
    "known, says",
    [
        ({"better": {"z": "lower"}}, "oracle 'o': better names z, which it does not have"),
        ({"units": {"b": "%", "y": "%", "z": "%"}}, "oracle 'o': units names y, z, which it does not have"),
        ({"groups": {"z": ("x", "y")}}, "oracle 'o': groups names z, which it does not have"),
        ({"better": {"b": "smaller"}}, "oracle 'o': better is higher or lower, not b 'smaller'"),
    ],
)
def test_what_an_oracle_does_not_have_is_refused_by_name(known, says):
    with pytest.raises(UnusableData, match=says):
        oracle(**known)


def test_a_part_keeps_what_is_known_of_its_own_tasks():
    table = oracle(**KNOWN)
    part = table.part(["b", "c"])
    assert (part.better, part.units, part.groups) == ({"b": "lower"}, {"b": "perplexity", "c": "%"}, {})
    part = table.part(["a", "b"], ["c"])
    assert (part.better, part.units, part.groups) == ({}, {"c": "%"}, {"a": ("x", "y")})


def test_a_card_says_which_figures_are_better():
    assert oracle(**KNOWN).card.better == (("b", "lower"),)


def test_a_seed_that_failed_takes_no_part_in_resampled_oracles():
    by_seed = np.array([[[1.0], [4.0]], [[3.0], [np.nan]], [[5.0], [4.0]]])  # (n_seeds, n_sources, n_targets)
    matrix = TaskMatrix(("a", "b"), ("x",), np.array([[3.0], [4.0]]))
    drawn = np.array([o.transfers.values for o in resample(Oracle("x", "b", "s", matrix, by_seed=by_seed), draws=400)])
    assert np.isfinite(drawn).all() and (drawn[:, 1] == 4).all()
    # Means of three draws from 1, 3, 5 have the variance 8 / 9, which is stepped up by 3 / 2.
    assert drawn[:, 0].std() == pytest.approx((8 / 9 * 3 / 2) ** 0.5, rel=0.1)
    assert drawn[:, 0].mean() == pytest.approx(3, abs=0.2)
