"""What one way of training gains over another, pair by pair."""

from dataclasses import replace

import numpy as np
import pytest

from cogbench import Oracle, TaskMatrix, compare
from cogbench.oracles.ways import way_differences

NAMES = ("a", "b", "c")
VALUES = np.array([[np.nan, 0.6, 0.5], [0.8, np.nan, 0.7], [0.7, 0.9, np.nan]])


def oracle(name, values, sharing="sequential", **other):
    matrix = TaskMatrix.square(NAMES, values)
    provenance = {"max_train": 100, "model": "m", "data": {"a": ["x", "y"]}}
    return Oracle(
        name,
        "toy",
        "toy",
        matrix,
        np.full(3, 0.5),
        standard_error=np.full((3, 3), 0.03),
        gain_error=np.where(np.isnan(values), 0.0, 0.03),
        basis="measured",
        sharing=sharing,
        provenance=provenance | other,
    )


def test_differences_are_paired_and_their_mean_is_over_targets():
    joint = VALUES + np.array([[0, 0.2, -0.1], [0.0, 0, -0.3], [0.1, 0.0, 0]])
    *targets, every = way_differences([oracle("one", VALUES), oracle("other", joint, "joint")])
    assert [of.target for of in targets] == [*NAMES]
    np.testing.assert_allclose([of.difference for of in targets], [0.05, 0.1, -0.2])
    np.testing.assert_allclose([of.error for of in targets], np.hypot(0.03, 0.03))
    assert [(of.better, of.worse) for of in targets] == [(1, 0), (1, 0), (0, 2)]
    np.testing.assert_allclose(every.difference, -0.05 / 3)
    np.testing.assert_allclose(every.error, np.std([0.05, 0.1, -0.2], ddof=1) / np.sqrt(3))
    assert (every.target, every.n_sources, every.better, every.worse) == ("all", 6, 2, 2)
    assert every.p.p == 1.0  # of the 8 signs of three differences all means are as far from 0, or farther


@pytest.mark.parametrize("other", [{"max_train": 50}, {"model": "n"}, {"data": {"a": ["x", "z"]}}])
def test_oracles_that_differ_in_anything_else_are_not_compared_by_their_ways(other):
    assert not [*way_differences([oracle("one", VALUES), oracle("other", VALUES, "joint", **other)])]
    assert not [*way_differences([oracle("one", VALUES), oracle("other", VALUES)])]


def test_where_less_is_better_a_smaller_metric_is_a_gain():
    lower = {"better": dict.fromkeys(NAMES, "lower")}
    one, joint = (replace(o, **lower) for o in (oracle("one", VALUES), oracle("other", VALUES - 0.1, "joint")))
    assert all(of.difference > 0 for of in way_differences([one, joint]))


def test_compare_says_what_the_ways_are():
    found = compare([oracle("one", VALUES), oracle("other", VALUES + 0.1, "joint")])
    assert {of.ways for of in found.ways} == {("sequential", "joint")}
    assert any("paired" in note for note in found.notes)
