"""Metrics against scikit-learn and scipy, over the last axis, and where they are undefined; the score of a head."""

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cogbench import METRICS, TASK_KINDS, Dataset, Origin
from cogbench.scoring.correlation import pearson_of_rows, spearman_of_rows
from cogbench.scoring.metrics import accuracy, f1, matthews, score_outputs

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 2, (2, 5, 30))  # (predicted and true, draws, examples)
NUMBERS = RNG.normal(size=(2, 5, 30)).round(1)  # rounded, so that there are ties


def _dataset(labels, names=("no", "yes"), kind="classification"):
    return Dataset(kind, {"text": ["x"] * len(labels), "label": list(labels)}, names, Origin("here"))


def _numbers(labels):
    return _dataset(labels, (), "regression")


@pytest.mark.parametrize(
    "metric, reference, data",
    [
        (accuracy, sk.accuracy_score, CLASSES),
        (matthews, sk.matthews_corrcoef, CLASSES),
        (f1, sk.f1_score, CLASSES),
        (pearson_of_rows, lambda a, b: stats.pearsonr(a, b).statistic, NUMBERS),
        (spearman_of_rows, lambda a, b: stats.spearmanr(a, b).statistic, NUMBERS),
    ],
)
def test_each_row_of_a_batch_is_scored_as_the_reference_does(metric, reference, data):
    expected = [reference(true, predicted) for predicted, true in zip(*data, strict=True)]
    assert metric(*data) == pytest.approx(expected, abs=1e-12)
    assert [float(metric(*pair)) for pair in zip(*data, strict=True)] == pytest.approx(expected, abs=1e-12)
    assert metric(data[0].reshape(1, 5, 30), data[1].reshape(1, 5, 30)).shape == (1, 5)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
def test_metrics_of_classes_agree_with_scikit_learn_everywhere(pairs):
    import warnings

    predicted, true = np.array(pairs).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, where a metric is undefined
        expected = [sk.accuracy_score(true, predicted), sk.matthews_corrcoef(true, predicted)]
        expected.append(sk.f1_score(true, predicted, zero_division=0))
    assert [float(m(predicted, true)) for m in (accuracy, matthews, f1)] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", [matthews, f1, pearson_of_rows, spearman_of_rows])
def test_what_is_undefined_is_nought_and_warns_of_nothing(metric):
    constant, varied = np.zeros(6), np.array([0, 1, 0, 1, 1, 0])
    both = np.stack([constant, varied]), np.stack([constant, varied])
    assert metric(*both) == pytest.approx([0, 1])
    assert float(metric(constant, varied)) == 0 and float(metric(varied, constant)) == 0


def test_each_metric_belongs_to_known_kinds():
    assert METRICS["mcc"].classes == 2
    assert {kind for metric in METRICS.values() for kind in metric.kinds} == {*TASK_KINDS}


def test_a_score_of_logits():
    train, evaluation = _dataset([0, 0, 0, 1]), _dataset([0, 1, 1, 0])
    outputs = np.log([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3], [0.5, 0.5]]) + 5  # logits have no origin
    found = score_outputs("accuracy", outputs, evaluation, train)
    assert (found.metric, found.value) == ("accuracy", 0.75)
    assert found.trivial == 0.5  # always class 0, the training rows' majority
    assert found.per_example == pytest.approx(np.log([0.8, 0.6, 0.3, 0.5]))
    assert not found.learned  # four examples say nothing


def test_a_score_of_three_classes():
    names = ("a", "b", "c")
    assert (
        score_outputs("accuracy", np.eye(2), _dataset([1, 1]), _dataset([0, 0, 1])).trivial == 0
    )  # the training majority's
    outputs = np.eye(3)[[0, 2, 1]] * 9
    found = score_outputs("accuracy", outputs, _dataset([0, 2, 2], names), _dataset([2, 2, 1], names))
    assert found.value == pytest.approx(2 / 3) and found.trivial == pytest.approx(2 / 3)
    assert found.per_example == pytest.approx(stats_log_softmax(outputs)[[0, 1, 2], [0, 2, 2]])


def stats_log_softmax(logits):
    from scipy.special import log_softmax

    return log_softmax(logits, axis=1)


def test_great_logits_do_not_overflow():
    found = score_outputs("accuracy", np.array([[1e4, -1e4], [1e4, -1e4]]), _dataset([0, 1]), _dataset([0, 1]))
    assert found.per_example == pytest.approx([0, -2e4])


def test_a_score_of_numbers():
    true, predicted = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.5, 1.0, 1.5, 3.5])
    found = score_outputs("spearman", predicted[:, None], _numbers(true), _numbers([0.0, 5.0]))
    spread = np.sqrt(np.mean((predicted - true) ** 2))
    assert found.value == pytest.approx(stats.spearmanr(predicted, true).statistic)
    assert found.trivial == 0  # a constant ranks nothing
    assert found.per_example == pytest.approx(stats.norm(predicted, spread).logpdf(true))


def test_a_perfect_regression_has_finite_likelihoods():
    found = score_outputs("pearson", np.arange(4.0)[:, None], _numbers(np.arange(4.0)), _numbers([1.0, 2.0]))
    assert found.value == pytest.approx(1) and np.isfinite(found.per_example).all()


def test_learned_is_two_standard_errors_above_the_trivial_answer():
    rng = np.random.default_rng(1)
    true = rng.integers(0, 2, 400)

    def at(share):
        predicted = np.where(rng.random(400) < share, true, 1 - true)
        return score_outputs("accuracy", np.eye(2)[predicted], _dataset(true.tolist()), _dataset([0, 1]))

    good, none = at(0.75), at(0.5)
    assert good.learned and not none.learned
    for found in (good, none):
        assert found.learned == (found.value - found.trivial > 2 * found.standard_error)
        assert found.standard_error == pytest.approx(np.sqrt(found.value * (1 - found.value) / 400), rel=0.2)


def test_a_constant_answer_is_never_learned():
    true = [0] * 90 + [1] * 10
    for metric in ("accuracy", "mcc", "f1"):
        assert not score_outputs(metric, np.eye(2)[[0] * 100], _dataset(true), _dataset(true)).learned


def test_a_score_is_the_same_twice():
    outputs = RNG.normal(size=(30, 2))
    first, second = (score_outputs("mcc", outputs, _dataset([0, 1] * 15), _dataset([0, 1])) for _ in range(2))
    assert first.standard_error == second.standard_error > 0
