"""Correlations are scipy's, one pair or many at once, and undefined where a side is constant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from cogbench.scoring.correlation import (
    average_ranks,
    kendall,
    pearson,
    pearson_of_columns,
    pearson_of_rows,
    spearman,
    spearman_of_rows,
)
from cogbench.scoring.means import mean_of_defined, none_if_nan

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(2, 5, 30)).round(1)  # rounded, so that there are ties
TIED = st.integers(0, 4).map(float)


@given(arrays(float, (2, 7), elements=TIED))
def test_two_sequences_correlate_as_in_scipy(both):
    x, y = both
    np.testing.assert_array_equal(average_ranks(x), stats.rankdata(x))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan([pearson(x, y), spearman(x, y), kendall(x, y)]).all()
        assert pearson_of_rows(x, y) == spearman_of_rows(x, y) == 0
    else:
        assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic)
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
        assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)
        assert pearson_of_rows(x, y) == pytest.approx(pearson(x, y))
        assert spearman_of_rows(x, y) == pytest.approx(spearman(x, y))


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_values_do_not_correlate(n):
    assert np.isnan([of(np.ones(n), np.ones(n)) for of in (pearson, kendall)]).all()


def test_ranks_are_of_each_row_and_of_none_that_holds_nan():
    np.testing.assert_array_equal(average_ranks(NUMBERS), stats.rankdata(NUMBERS, axis=-1))
    np.testing.assert_array_equal(average_ranks(np.array([[2, 1, 2], [1, np.nan, 3]])), [[2.5, 1, 2.5], [np.nan] * 3])


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_a_correlation_has_no_unit(factor):
    a, b = NUMBERS[:, 0]
    assert float(pearson_of_rows(a * factor, b)) == pytest.approx(float(pearson_of_rows(a, b)), abs=1e-9)
    assert float(pearson_of_rows(a * factor, b * factor)) == pytest.approx(float(pearson_of_rows(a, b)), abs=1e-9)


@pytest.mark.parametrize("n", [7, 10, 100])
def test_a_number_that_never_changes_but_by_rounding_is_constant(n):
    assert float(pearson_of_rows(np.full(n, 0.1), np.arange(float(n)))) == 0
    assert np.full(100, 0.1).mean() != 0.1  # which makes it one


def test_columns_correlate_over_the_rows_that_both_have():
    x, y = RNG.normal(size=(2, 40, 4))
    x[:5, 0] = y[3:9, 0] = np.nan
    x[:, 1], y[3:, 2] = 0.1, np.nan  # the mean of 0.1 is rounded: that is no variation
    y[2:, 3] = np.nan
    r, n = pearson_of_columns(x, y)
    assert n.tolist() == [31, 40, 3, 2]
    expected = [stats.pearsonr(x[9:, 0], y[9:, 0]).statistic, stats.pearsonr(x[:3, 2], y[:3, 2]).statistic]
    assert r[[0, 2]] == pytest.approx(expected) and np.isnan(r[[1, 3]]).all()


def test_means_leave_out_what_is_undefined():
    assert mean_of_defined([1, None, np.nan, 4]) == mean_of_defined(np.array([1, np.nan, 4])) == 2.5
    assert np.isnan(mean_of_defined([None])) and np.isnan(mean_of_defined(np.empty(0)))
    assert none_if_nan(np.nan) is None and type(none_if_nan(np.float32(2))) is float
