"""Ridge mapping against scikit-learn, and its choice of penalties against trying them one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cogbench_estimators.channels import refuse_nothing
from cogbench_estimators.mapping import z_scored
from cogbench_estimators.prediction import SubjectData, describe_subject
from cogbench_estimators.ridge import RidgeCNM, choose_penalties, predict_responses, shares, stimulus_products
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from cogbench import UnusableData, load_parts
from cogbench.testing import check_estimator

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 40, 7)) * [[[3.0]], [[0.01]]] + 5  # two tasks in units of their own
Y = z_scored(X[0] @ RNG.normal(size=(7, 6)) + RNG.normal(0, 2, size=(40, 6)))
TRAIN, TEST = np.arange(30), np.arange(30, 40)
PENALTIES = (1e-3, 1e-1, 1.0, 10.0)
RIDGE = RidgeCNM(penalties=PENALTIES, seeds=(1,))


def size(x):
    return np.square(x - x.mean(axis=0)).sum(axis=1).mean()


@pytest.mark.parametrize("penalty", PENALTIES)
def test_predictions_are_those_of_scikit_learn(penalty):
    found = predict_responses(torch.tensor(X), torch.tensor(Y), TRAIN, TEST, penalty).numpy()
    for x, p in zip(X, found, strict=True):
        peer = Ridge(alpha=penalty * size(x[TRAIN])).fit(x[TRAIN], Y[TRAIN])
        assert_allclose(p, peer.predict(x[TEST]), atol=1e-4)


def test_more_dimensions_than_stimuli():
    x = RNG.normal(size=(1, 40, 90))
    found = predict_responses(torch.tensor(x), torch.tensor(Y), TRAIN, TEST, 0.1).numpy()[0]
    centred, mean = x[0] - x[0][TRAIN].mean(axis=0), Y[TRAIN].mean(axis=0)
    peer = KernelRidge(alpha=0.1 * size(x[0][TRAIN])).fit(centred[TRAIN], Y[TRAIN] - mean)
    assert_allclose(found, peer.predict(centred[TEST]) + mean, atol=1e-4)


def test_the_penalty_chosen_without_channels_is_the_one_with_the_least_error_over_them():
    x, y, folds = torch.tensor(X), torch.tensor(Y), np.array_split(RNG.permutation(40), 3)
    errors = np.zeros((len(PENALTIES), 2))
    for k, test in enumerate(folds):
        train = np.concatenate(folds[:k] + folds[k + 1 :])
        for i, penalty in enumerate(PENALTIES):
            errors[i] += (predict_responses(x, y, train, test, penalty) - y[test]).square().sum(dim=(1, 2)).numpy()
    assert_array_equal(choose_penalties(x, stimulus_products(y), folds, PENALTIES), errors.argmin(axis=0))
    assert len(set(errors.argmin(axis=0))) == 2  # the task that the responses come from takes another penalty


def test_one_decomposition_serves_all_penalties():
    every = shares(torch.tensor(X), TRAIN, TEST, PENALTIES)
    for one, penalty in zip(every, PENALTIES, strict=True):
        assert_allclose(one, shares(torch.tensor(X), TRAIN, TEST, (penalty,))[0])


def test_the_estimator_predicts_what_a_task_carries_and_knows_no_unit():
    x = X.astype(np.float32)
    found = describe_subject(RIDGE, SubjectData(x, None, Y), 1)["vectors"]
    assert found[0].mean() > 0.2 > found[1].mean()
    assert_allclose(describe_subject(RIDGE, SubjectData(x * np.float32(8), None, Y), 1)["vectors"], found, atol=1e-4)


def test_it_keeps_the_promises_of_an_estimator():
    assert load_parts().find("estimator", "cnm-ridge") == RidgeCNM()
    check_estimator(replace(RIDGE, penalties=(0.1, 1.0)))


def test_the_folds_take_the_products_of_their_own_scale(monkeypatch):
    spreads = []

    def watched(y):
        spreads.append(y.std(dim=0, correction=0))
        return stimulus_products(y)

    monkeypatch.setattr("cogbench_estimators.ridge.stimulus_products", watched)
    x = X.astype(np.float32)
    describe_subject(RIDGE, SubjectData(x, None, Y), 1)
    assert len(spreads) == 1  # one scale for all folds, one product
    assert_allclose(spreads[0], np.ones(6), atol=1e-6)
    describe_subject(replace(RIDGE, zscore="train"), SubjectData(x, None, Y), 1)
    assert len(spreads) == 1 + RIDGE.folds
    assert all(np.abs(np.array(spread) - 1).max() > 1e-3 for spread in spreads[1:])


@pytest.mark.parametrize("penalties", [(), (0.0, 1.0), (-1.0,), (np.nan, 1.0), (np.inf,)])
def test_a_penalty_that_is_not_above_0_is_refused(penalties):
    with pytest.raises(UnusableData, match=r"^cnm-ridge: penalties=.*; expected one or more numbers above 0"):
        refuse_nothing(RidgeCNM(penalties=penalties))
