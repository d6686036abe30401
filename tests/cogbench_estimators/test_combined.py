"""The mean of CRA and CNM: golden values, scales, and what stands where one gives no estimate."""

from dataclasses import replace

import numpy as np
import pytest
from cogbench_estimators.cnm import CNM
from cogbench_estimators.combined import CRAandCNM, scaled
from cogbench_estimators.ridge import RidgeCNM
from numpy.testing import assert_allclose
from scipy.stats import rankdata, zscore

from cogbench import TaskMatrix
from cogbench.testing import check_estimator

GOLDEN = {  # of the tasks A, B, C: the cells AB, AC, BC
    "cra": [0.893019, 0.822755, 0.849465],
    "cnm": [1.0, -0.948683, -0.948683],
    "mean": [0.946510, -0.062964, -0.049609],
}
QUICK = CRAandCNM(cnm=CNM(hidden=(4,), seeds=(5,), epochs=2))


def matrix(cells):
    values = np.zeros((3, 3))
    values[np.triu_indices(3, 1)] = cells
    return TaskMatrix.square("abc", values + values.T)


class Given:
    """Evidence that knows its members' matrices."""

    tasks = ("a", "b", "c")

    def __init__(self, **cells):
        self.cells, self.notes = cells, []

    def similarity(self, member):
        return matrix(self.cells[member.name])

    def note(self, text):
        self.notes.append(text)


def test_golden_mean():
    found = CRAandCNM().similarity(Given(cra=GOLDEN["cra"], cnm=GOLDEN["cnm"])).values
    assert_allclose(found[np.triu_indices(3, 1)], GOLDEN["mean"], atol=1e-5)


def test_where_one_gives_no_estimate_the_other_stands_and_a_note_says_so():
    evidence = Given(cra=GOLDEN["cra"], cnm=[np.nan, -0.9, np.nan])
    found = CRAandCNM().similarity(evidence).values
    assert_allclose(found[np.triu_indices(3, 1)], [0.893019, (0.822755 - 0.9) / 2, 0.849465])
    assert evidence.notes == ["cra+cnm: cnm gives no estimate for 4 pairs; the other's stands alone."]
    both = CRAandCNM().similarity(Given(cra=[np.nan, 0.1, 0.2], cnm=[np.nan, 0.3, 0.4])).values
    assert np.isnan(both[0, 1]) and both[0, 2] == pytest.approx(0.2)


def test_scales_are_those_of_scipy_for_each_target():
    values = np.random.default_rng(0).normal(size=(5, 5))
    square = TaskMatrix.square("abcde", values)
    for t in range(5):
        others = np.arange(5) != t
        column = values[others, t]
        assert_allclose(scaled(square, "zscore")[others, t], zscore(column))
        assert_allclose(scaled(square, "rank")[others, t], rankdata(column) - 5)
        assert_allclose(scaled(square, "minmax")[others, t], (column - column.min()) / np.ptp(column))
    assert_allclose(scaled(square, "none"), square.values)


@pytest.mark.parametrize("scale", ["zscore", "minmax", "rank"])
def test_equal_similarities_and_missing_ones_have_a_scale_too(scale):
    square = TaskMatrix.square("abc", [[0, 1, np.nan], [2, 0, np.nan], [2, np.nan, 0]])
    found = scaled(square, scale)
    assert found[1, 0] == found[2, 0] and np.isnan(found[2, 1]) == np.isnan(square.values[2, 1])
    assert np.isfinite(found[~np.isnan(square.values)]).all()


@pytest.mark.parametrize("scale", ["none", "rank"])
def test_it_keeps_the_promises_of_an_estimator(scale):
    check_estimator(replace(QUICK, normalise=scale))


def test_the_ridge_may_be_its_member():
    check_estimator(CRAandCNM(cnm=RidgeCNM(penalties=(1.0,), seeds=(5,))))
