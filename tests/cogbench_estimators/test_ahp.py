"""The analytic hierarchy process against golden values and numpy's eigenvectors."""

import numpy as np
import pytest
from cogbench_estimators.ahp import AHP, affinities, win_shares
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from cogbench import UnusableData
from cogbench.testing import check_estimator

EACH = np.array([[0.9, 0.8, 0.7], [0.6, 0.7, 0.5], [0.8, 0.6, 0.9], [0.5, 0.4, 0.3], [0.7, 0.6, 0.6]]).T


class Given:
    """Evidence whose transfers are given."""

    def __init__(self, transfers):
        self.transfers = transfers
        self.tasks = tuple(dict.fromkeys(t for pair in transfers for t in pair))


@pytest.mark.parametrize(
    ("ties", "shares", "expected"),
    [
        ("strict", [[0.5, 0.8, 0.8], [0.2, 0.5, 0.6], [0.2, 0.2, 0.5]], [0.651932, 0.235062, 0.113006]),
        ("half", [[0.5, 0.8, 0.8], [0.2, 0.5, 0.7], [0.2, 0.3, 0.5]], [0.657862, 0.218139, 0.123998]),
    ],
)
def test_golden_values(ties, shares, expected):
    assert_allclose(win_shares(EACH, ties), shares)
    assert_allclose(affinities(win_shares(EACH, ties)), expected, atol=1e-6)


def test_one_score_for_all_examples_is_clipped():
    assert_allclose(affinities(win_shares(np.array([[0.9], [0.8], [0.7]]))), [0.989994, 0.009907, 9.9e-05], atol=1e-6)


@given(arrays(float, (4, 9), elements=st.floats(0, 1)), st.sampled_from(["strict", "half"]))
def test_it_is_the_principal_eigenvector(each, ties):
    shares = np.clip(win_shares(each, ties), 0.001, 0.999)
    ratio = shares / shares.T
    found = affinities(shares)
    assert (found > 0).all() and found.sum() == pytest.approx(1)
    image = ratio @ found
    assert_allclose(image, image.sum() * found, rtol=1e-6)  # an eigenvector, and by Perron the one that is positive


def test_each_target_is_ranked_by_the_examples_that_have_scores():
    rng = np.random.default_rng(0)
    pairs = {(s, t): rng.normal(size=20) for s in "abc" for t in "abc" if s != t}
    pairs["a", "b"] += 3
    pairs["a", "b"][0] = np.nan  # such as a query without a relevant passage
    matrix = AHP().similarity(Given(pairs))
    column = matrix.values[:, matrix.targets.index("b")]
    assert matrix.sources[np.nanargmax(column)] == "a" and np.nansum(column) == pytest.approx(1)
    assert np.isnan(matrix.values.diagonal()).all()


def test_an_example_without_a_score_counts_in_no_pair_that_lacks_it():
    each = np.array([[1.0, np.nan, 3.0, 0.0], [2.0, 5.0, 1.0, 0.0], [0.0, 9.0, np.nan, 0.0]])
    half = [[0.5, 0.5, 0.75], [0.5, 0.5, 0.5], [0.25, 0.5, 0.5]]
    strict = [[0.5, 1 / 3, 0.5], [1 / 3, 0.5, 1 / 3], [0, 1 / 3, 0.5]]
    assert_allclose(win_shares(each), half)
    assert_allclose(win_shares(each, "strict"), strict)


def test_it_keeps_the_promises_of_an_estimator():
    check_estimator(AHP())
    check_estimator(AHP(ties="strict"))


def test_a_clip_that_is_none_is_refused():
    with pytest.raises(UnusableData, match=r"clip=0.7; expected a share above 0 and below .5"):
        AHP(clip=0.7)
