"""CRA on predicted responses, against scikit-learn's ridge regression and scipy's RDMs."""

import numpy as np
import pytest
from cogbench_estimators.mapping import z_scored
from cogbench_estimators.predicted import PredictedCRA
from mapping_evidence import evidence
from numpy.testing import assert_allclose
from scipy.spatial.distance import cosine, pdist
from sklearn.linear_model import Ridge

from cogbench import UnusableData, load_parts
from cogbench.testing import check_estimator

ESTIMATOR = PredictedCRA(penalties=(0.1,), seeds=(1, 2), folds=3)


def reference(given, seed):
    """The cosines of the RDMs of each task's cross-validated predictions."""
    (responses,) = given.responses.values()
    order = sorted(range(len(given.stimuli)), key=given.stimuli.__getitem__)
    y = z_scored(responses.values[order])
    folds, rdms = np.array_split(np.random.default_rng(seed).permutation(len(y)), 3), []
    for task in given.tasks:
        x, predicted = given.representations[task][order].astype(np.float64), np.empty(y.shape)
        for k, test in enumerate(folds):
            train = np.concatenate(folds[:k] + folds[k + 1 :])
            size = np.square(x[train] - x[train].mean(axis=0)).sum(axis=1).mean()
            predicted[test] = Ridge(alpha=0.1 * size).fit(x[train], y[train]).predict(x[test])
        rdms.append(pdist(predicted, "correlation"))
    return np.array([[1 - cosine(a, b) for b in rdms] for a in rdms])


def test_it_is_cra_of_cross_validated_predictions():
    given = evidence()
    expected = np.mean([reference(given, seed) for seed in ESTIMATOR.seeds], axis=0)
    np.fill_diagonal(expected, np.nan)
    assert_allclose(ESTIMATOR.similarity(given).values, expected, atol=1e-5)


def test_subjects_count_alike():
    both = evidence(n_subjects=2)
    of_each = []
    for name, responses in both.responses.items():
        alone = evidence(n_subjects=2)
        alone.responses = {name: responses}
        of_each.append(ESTIMATOR.similarity(alone).values)
    assert_allclose(ESTIMATOR.similarity(both).values, np.mean(of_each, axis=0), atol=1e-6)


def test_a_signal_of_two_channels_is_refused():
    with pytest.raises(UnusableData, match="channels"):
        ESTIMATOR.similarity(evidence(n_channels=2))


def test_a_task_that_represents_all_stimuli_alike_has_no_estimate():
    given = evidence(n_tasks=4)
    for task in given.tasks[:2]:
        given.representations[task] = given.representations[task] * 0 + 3
    values = ESTIMATOR.similarity(given).values
    assert np.isnan(values[:2]).all() and np.isnan(values[:, :2]).all() and np.isfinite(values[2, 3])
    reason = "it represents all stimuli alike."
    assert given.notes == [f"cra-predicted: no estimate for {task}: {reason}" for task in given.tasks[:2]]


def test_it_keeps_the_contract_of_estimators():
    check_estimator(load_parts().estimators["cra-predicted"])
