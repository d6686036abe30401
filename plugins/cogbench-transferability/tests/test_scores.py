"""LogME, H-score, LEEP, NCE and nearest neighbours: golden values, published ones, independent references."""

import numpy as np
import pytest
from cogbench_transferability.hscore import hscore, shrinkage
from cogbench_transferability.knn import knn
from cogbench_transferability.leep import corrected, held_out, leep, nce
from cogbench_transferability.logme import logme
from cogbench_transferability.pairs import Undefined
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.datasets import load_iris, load_wine, make_classification
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from small import DEGENERATE, F, Y, drawn_often

from cogbench import UnusableData

THETA = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]])
IRIS = load_iris(return_X_y=True)


def drawn(seed, n=30, d=4, classes=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.permutation(np.arange(n) % classes)


def test_logme_golden_values():
    assert logme(F, Y) == pytest.approx(-0.626792, abs=1e-6)
    assert logme(*IRIS) == pytest.approx(-0.16006025652111547, abs=1e-6)
    assert logme(*IRIS) == pytest.approx(-0.16006022033609904, abs=1e-6)  # as another library's tests have it


@pytest.mark.parametrize("unit", [1e-200, 1e-4, 1e3, 1e4, 1e200])
def test_logme_is_that_of_any_multiple_of_the_features(unit):
    wine = load_wine(return_X_y=True)
    for x, y in (IRIS, wine, drawn(3, n=20, d=40)):
        assert logme(unit * x, y) == pytest.approx(logme(x, y), abs=1e-9)
        assert logme(unit * x, x[:, 0], False) == pytest.approx(logme(x, x[:, 0], False), rel=1e-6)
    assert logme(*wine) == pytest.approx(-0.004459, abs=1e-5)  # the maximum, found by scipy without guards
    assert logme((1e4 * x).astype(np.float32), y) == pytest.approx(logme(x, y), abs=1e-5)


def test_released_logme_leaves_out_what_the_formula_counts():
    """Dead dimensions, and directions beyond the number of examples: figures of the released code."""
    dead = np.column_stack([IRIS[0], np.zeros(150)])
    assert logme(dead, IRIS[1], null_space="released") == pytest.approx(-0.150868, abs=1e-5)
    assert logme(dead, IRIS[1]) == pytest.approx(-0.160062, abs=1e-5)
    wide, y = drawn(3, n=20, d=40)
    assert logme(wide, y, null_space="released") > 0 > logme(wide, y)


def test_logme_of_redundant_features_counts_the_directions_without_variance():
    redundant = np.column_stack([F, F[:, 0]])
    released = logme(redundant, Y, null_space="released")
    assert released == pytest.approx(-0.410666, abs=1e-6)
    assert released == pytest.approx(-0.4106716, abs=1e-5)  # the maximum, found by scipy without guards
    assert logme(redundant, Y) == pytest.approx(-0.620701, abs=1e-6)
    assert logme(F, Y, null_space="released") == logme(F, Y)


def test_logme_is_the_evidence_of_the_linear_model_at_its_maximum():
    """The marginal likelihood of a Gaussian, maximised by scipy with no formula of LogME's."""
    from scipy.optimize import minimize
    from scipy.stats import multivariate_normal

    x, _ = drawn(0, n=25, d=3)
    y = x @ [1.0, -0.5, 0.2] + 0.3 * np.random.default_rng(1).normal(size=25)

    def minus(logs):
        alpha, beta = np.exp(logs)
        return -multivariate_normal(np.zeros(25), np.eye(25) / beta + x @ x.T / alpha).logpdf(y) / 25

    assert logme(x, y, classes=False) == pytest.approx(-minimize(minus, [0.0, 0.0]).fun, abs=1e-4)


@drawn_often
@given(st.integers(0, 10_000))
def test_logme_does_not_change_under_rotation_order_and_names_of_classes(seed):
    x, y = drawn(seed)
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    order = rng.permutation(len(y))
    assert logme((x @ turn)[order], (y[order] + 1) * 7) == pytest.approx(logme(x, y), abs=1e-6)


def test_hscore_golden_values():
    assert hscore(F, Y, regularised=False) == pytest.approx(0.913043, abs=1e-6)
    assert hscore(F, Y) == pytest.approx(0.733081, abs=1e-6)
    assert shrinkage(F - F.mean(axis=0)) == pytest.approx(0.440626, abs=1e-6)
    assert hscore(*IRIS, regularised=False) == pytest.approx(1.1918988250415605, abs=1e-9)
    assert hscore(*IRIS) == pytest.approx(1.1778424803917011, abs=1e-6)
    assert hscore(*IRIS) == pytest.approx(1.177842480406727, abs=1e-6)


@drawn_often
@given(st.integers(0, 10_000))
def test_the_shrinkage_is_that_of_scikit_learn(seed):
    x, _ = drawn(seed)
    assert shrinkage(x - x.mean(axis=0)) == pytest.approx(ledoit_wolf_shrinkage(x), abs=1e-12)


@drawn_often
@given(st.integers(0, 10_000))
def test_the_plain_hscore_is_invariant_to_linear_maps_and_bounded_by_the_number_of_classes(seed):
    x, y = drawn(seed)
    found = hscore(x, y, regularised=False)
    turned = x @ np.random.default_rng(seed).normal(size=(4, 4)) + 5
    assert 0 <= found <= 2 + 1e-9
    assert hscore(turned, y, regularised=False) == pytest.approx(found, abs=1e-6)


def test_the_hscore_of_an_isotropic_covariance_is_the_plain_one():
    x, y = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]), np.array([0, 0, 1, 1])
    assert shrinkage(x) == 0
    assert hscore(x + [1, 2], [0, 1, 1, 0]) == hscore(x + [1, 2], [0, 1, 1, 0], regularised=False) == pytest.approx(1)
    assert hscore(x, y) == pytest.approx(0)  # the classes have one mean: a real 0


def test_a_covariance_of_which_shrinking_leaves_nothing_has_no_hscore():
    x, y = drawn(2, n=12, d=3, classes=2)
    assert shrinkage(x - x.mean(axis=0)) == 1
    with pytest.raises(Undefined, match="cannot be told from noise"):
        hscore(x, y)
    assert hscore(x, y, regularised=False) > 0


def test_leep_and_nce_golden_values():
    y = np.array([0, 0, 1, 1])
    assert leep(THETA, y) == pytest.approx(-0.383981, abs=1e-6)
    assert nce(np.array([0, 0, 0, 1]), y) == pytest.approx(-0.477386, abs=1e-6)
    assert nce(np.array([0, 0, 0, 1]), y) == pytest.approx(0.75 * (np.log(2 / 3) * 2 + np.log(1 / 3)) / 3)


@drawn_often
@given(st.integers(0, 10_000))
def test_leep_of_certain_predictions_is_nce(seed):
    rng = np.random.default_rng(seed)
    z, y = rng.integers(3, size=20), rng.permutation(np.arange(20) % 3)
    assert leep(np.eye(3)[z], y) == pytest.approx(nce(z, y), abs=1e-12)


@drawn_often
@given(st.integers(0, 10_000))
def test_leep_and_nce_do_not_change_with_order_and_names_of_classes(seed):
    rng = np.random.default_rng(seed)
    theta, y = rng.dirichlet(np.ones(4), size=30), rng.permutation(np.arange(30) % 3)
    order, source, names = rng.permutation(30), rng.permutation(4), rng.permutation(3)
    for score in (leep, lambda t, y: nce(t.argmax(axis=1), y)):
        assert score(theta[order][:, source], names[y[order]]) == pytest.approx(score(theta, y), abs=1e-12)


@drawn_often
@given(st.integers(0, 10_000))
def test_leep_is_at_most_0_and_at_least_the_entropy_of_the_classes(seed):
    rng = np.random.default_rng(seed)
    theta, y = rng.dirichlet(np.ones(4), size=30), rng.permutation(np.arange(30) % 3)
    assert leep(theta, y) <= 0
    assert nce(theta.argmax(axis=1), y) >= -np.log(3) - 1e-12


def ignorant(seed, n_classes, n=200):
    """A source that knows nothing, of so many classes, and a target of three."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(n_classes, 0.1), size=n), rng.permutation(np.arange(n) % 3)


def test_leep_and_nce_favour_many_classes_and_a_correction_takes_that_out():
    few, many = ([ignorant(seed, n) for seed in range(20)] for n in (2, 77))
    for score in (leep, lambda theta, y: nce(theta.argmax(axis=1), y)):
        plain = [np.mean([score(*case) for case in cases]) for cases in (few, many)]
        assert plain[1] - plain[0] > 0.05
        fair = [np.mean([corrected(score, *case, "shuffled") for case in cases]) for cases in (few, many)]
        assert np.abs(fair).max() < 0.01
    unseen = [np.mean([held_out(*case) for case in cases]) for cases in (few, many)]
    assert max(unseen) < -np.log(3)  # less than the shares of the classes tell: many classes are no help


@pytest.mark.parametrize("correct", ["shuffled", "held-out"])
def test_corrected_a_source_that_knows_one_class_beats_an_ignorant_one(correct):
    y = np.arange(200) % 3
    knows = np.where((y == 0)[:, None], [0.9, 0.1], [0.1, 0.9])
    theta = ignorant(0, 77)[0]
    assert corrected(leep, knows, y, correct) > corrected(leep, theta, y, correct) + 0.2


def test_held_out_golden_value():
    """By hand: two of each class, told apart for certain; each half has one, to which half a one of each is added."""
    theta, y = np.eye(2)[[0, 0, 1, 1]], np.array([0, 0, 1, 1])
    assert held_out(theta, y) == pytest.approx(np.log(1.5 / 2))
    with pytest.raises(Undefined, match="single example"):
        held_out(np.eye(2)[[0, 0, 1]], np.array([0, 0, 1]))


def test_what_are_no_probabilities_is_refused():
    with pytest.raises(UnusableData, match="must sum to 1"):
        leep(3 * THETA, [0, 0, 1, 1])


def test_a_source_class_that_is_never_predicted_is_dropped():
    y = np.array([0, 0, 1, 1])
    assert leep(np.column_stack([THETA, np.zeros(4)]), y) == pytest.approx(leep(THETA, y))


def test_knn_is_that_of_scikit_learn_with_each_example_left_out():
    x, y = make_classification(70, 6, n_informative=4, n_classes=3, random_state=0)
    given = cross_val_predict(KNeighborsClassifier(5), x, y, cv=LeaveOneOut())
    assert knn(x, y, 5) == pytest.approx((given == y).mean())
    number = x[:, 0] + x[:, 1] ** 2
    given = cross_val_predict(KNeighborsRegressor(3), x, number, cv=LeaveOneOut())
    assert knn(x, number, 3, classes=False) == pytest.approx(r2_score(number, given))


def test_knn_of_many_examples_is_computed_in_parts():
    x, y = drawn(3, n=600)
    far = np.linalg.norm(x[:, None] - x, axis=2)  # (n, n): all at once
    np.fill_diagonal(far, np.inf)
    near = y[np.argsort(far, axis=1, kind="stable")[:, :3]]  # (n, 3)
    given = (near[:, :, None] == np.unique(y)).sum(axis=1).argmax(axis=1)
    assert knn(x, y) == pytest.approx((np.unique(y)[given] == y).mean())


def by_features(x, y):
    for score in (logme, hscore, knn):
        yield lambda score=score: score(x, y)


@pytest.mark.parametrize(("x", "y", "why"), DEGENERATE)
def test_what_is_undefined_is_refused_in_one_line_and_never_0(x, y, why):
    for score in by_features(x, y):
        with pytest.raises(Undefined, match=why):
            score()


@pytest.mark.parametrize("score", [logme, knn])
def test_equal_numbers_have_no_score(score):
    with pytest.raises(Undefined, match="numbers are all equal or not finite"):
        score(F, np.ones(6), classes=False)


def test_a_class_with_one_example_is_a_class():
    y = np.array([0, 0, 0, 1, 1, 2])
    assert all(np.isfinite(score()) for score in by_features(F, y))
    assert np.isfinite(leep(np.tile(THETA, (2, 1))[:6], y))


@pytest.mark.parametrize("by", [1e-200, 1e200])
@pytest.mark.parametrize("regularised", [True, False])
def test_hscore_and_knn_are_those_of_any_multiple_of_the_features(by, regularised):
    x, y = drawn(2)
    x = x + 3 * np.eye(4)[y]  # of noise alone nothing is left once the covariance is shrunk
    assert hscore(by * x, y, regularised) == pytest.approx(hscore(x, y, regularised))
    assert knn(by * x, y) == knn(x, y)
    assert knn(x, by * x[:, 0], classes=False) == pytest.approx(knn(x, x[:, 0], classes=False))


def test_labels_of_another_length_are_refused():
    many = np.tile(Y, 2)
    for score in (*by_features(F, many), lambda: leep(THETA, many), lambda: nce(THETA.argmax(axis=1), many)):
        with pytest.raises(UnusableData, match="[46] examples have 12 answers; expected one each") as caught:
            score()
        assert not isinstance(caught.value, Undefined)


def test_other_refusals():
    with pytest.raises(Undefined, match="of one class"):
        leep(THETA, [1, 1, 1, 1])
    with pytest.raises(Undefined, match="predictions hold NaN"):
        leep(THETA * np.nan, [0, 0, 1, 1])
    with pytest.raises(Undefined, match="not more examples than neighbours"):
        knn(F, Y, 6)
    for none in (lambda: leep(np.empty((0, 2)), []), lambda: nce(np.empty(0, int), [])):
        with pytest.raises(Undefined, match="no example has an answer"):
            none()


def test_inputs_are_left_as_they_were():
    x, y = drawn(5)
    x = x + 3 * np.eye(4)[y]
    before = x.copy(), y.copy()
    for score in by_features(x, y):
        score()
    assert_allclose(x, before[0])
    assert_allclose(y, before[1])
