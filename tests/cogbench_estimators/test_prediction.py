"""What CNM and its ridge share: predictions by cross-validation, averages of similarities, notes and details."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cogbench_estimators.cnm import CNM
from cogbench_estimators.mapping import moments, z_scored
from cogbench_estimators.prediction import cosines
from fake_evidence import OFF
from mapping_evidence import BOTH, RIDGE, SMALL, evidence, responses, vectors
from numpy.testing import assert_allclose, assert_array_equal

from cogbench import Responses, UnusableData

# The order of things.


@BOTH
def test_a_task_is_trained_as_if_it_were_alone(estimator):
    given = evidence(n_tasks=4)
    together = estimator.similarity(given)
    pair = replace(given, representations={t: given.representations[t] for t in ("task-3", "task-1")})
    alone = estimator.similarity(pair)
    assert_allclose(alone.values[0, 1], together.part(["task-3"], ["task-1"]).values[0, 0], atol=1e-4)
    x = np.stack(list(given.representations.values()))
    y = z_scored(given.responses["S0"].values)
    one = np.concatenate([vectors(estimator, x[i : i + 1], y, 1) for i in range(4)])
    assert_allclose(vectors(estimator, x, y, 1), one, atol=1e-4)


def test_each_prediction_is_scored_against_the_same_sentence(monkeypatch):
    given = evidence(n=11)
    seen = []

    def predict(self, x, y, train, test, hidden, key):
        assert not {*train} & {*test}
        seen.extend(test)
        return y[test].expand(len(x), -1, -1)

    monkeypatch.setattr(CNM, "predict", predict)
    y = z_scored(given.responses["S0"].values)
    found = vectors(SMALL, np.stack(list(given.representations.values())), y, 1)
    assert_allclose(found, 1)  # perfect predictions, so no row was compared with another
    assert {*seen} == {*range(11)}


@BOTH
def test_the_order_of_tasks_and_stimuli_changes_nothing(estimator):
    given = evidence(n_subjects=2)
    given.responses["S1"].values[4] = np.nan
    given.responses["S1"].present[4] = False
    matrix = estimator.similarity(given)
    assert_array_equal(matrix.values, matrix.values.T)
    rows = np.random.default_rng(1).permutation(30)
    assert_array_equal(estimator.similarity(given.at(rows)).values, matrix.values)
    order = ["task-2", "task-0", "task-1"]
    moved = estimator.similarity(replace(given, representations={t: given.representations[t] for t in order}))
    assert_allclose(moved.values, matrix.part(order, order).values, atol=1e-4)


@BOTH
def test_stimuli_that_a_subject_has_not_seen_are_left_out(estimator):
    given = evidence()
    matrix = estimator.similarity(given.at(np.arange(24)))
    given.responses["S0"].values[24:] = np.nan
    given.responses["S0"].present[24:] = False
    for patterns in given.representations.values():
        patterns[24:] = 9
    assert_array_equal(estimator.similarity(given).values, matrix.values)


@BOTH
def test_the_same_evidence_gives_the_same_answer_and_the_global_generators_stay(estimator):
    given = evidence()
    before = {task: r.copy() for task, r in given.representations.items()}
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = estimator.similarity(given), estimator.similarity(given)
    assert_array_equal(first.values, second.values)
    assert torch.equal(state, torch.get_rng_state())
    assert_array_equal(numpy_state, np.random.get_state()[1])
    for task, r in given.representations.items():
        assert_array_equal(r, before[task])


@BOTH
def test_similarities_are_averaged_over_subjects_and_seeds(estimator):
    given = evidence(n_subjects=2)
    parts = [
        replace(estimator, seeds=(seed,)).similarity(replace(given, responses={s: given.responses[s]})).values
        for s in given.responses
        for seed in estimator.seeds
    ]
    assert_allclose(estimator.similarity(given).values, np.mean(parts, axis=0), atol=1e-12)


@BOTH
def test_vectors_are_averaged_when_asked_for(estimator):
    given = evidence(n_subjects=2)
    order = sorted(range(30), key=given.stimuli.__getitem__)
    x = np.stack(list(given.representations.values()))[:, order]
    each = [
        vectors(estimator, x, z_scored(r.values[order]), seed)
        for r in given.responses.values()
        for seed in estimator.seeds
    ]
    expected = cosines(np.mean(each, axis=0))
    assert_allclose(replace(estimator, average="vectors").similarity(given).values[OFF], expected[OFF], atol=1e-12)


@BOTH
def test_vectors_of_different_channels_cannot_be_averaged(estimator):
    given = evidence(n_subjects=2)
    given.responses["S1"] = Responses(given.responses["S1"].values, tuple("abcde"))
    with pytest.raises(UnusableData, match="channels differ: .*use average=matrices"):
        replace(estimator, average="vectors").similarity(given)


# Scales.


def test_targets_may_be_z_scored_over_the_training_stimuli_alone(monkeypatch):
    given = evidence(n_channels=4)
    (r,), seen = given.responses.values(), []
    x, y = np.stack(list(given.representations.values())), z_scored(r.values)
    predict = CNM.predict

    def watched(self, x, y, train, *rest):
        seen.append(y[train].double())
        return predict(self, x, y, train, *rest)

    monkeypatch.setattr(CNM, "predict", watched)
    one = replace(SMALL, hidden=(8,), zscore="train")
    found = vectors(one, x, y, 1)
    assert len(seen) == SMALL.folds
    for rows in seen:
        assert_allclose(rows.mean(dim=0), np.zeros(4), atol=1e-6)
        assert_allclose(rows.std(dim=0, correction=0), np.ones(4), atol=1e-6)
    assert abs(found - vectors(replace(one, zscore="all"), x, y, 1)).max() > 1e-6


def test_a_linear_map_gives_the_same_whichever_stimuli_the_scale_is_from():
    given = evidence(n_channels=4)
    (r,) = given.responses.values()
    x, y = np.stack(list(given.representations.values())), z_scored(r.values)
    ridge = replace(RIDGE, penalties=(0.1,))
    assert_allclose(vectors(replace(ridge, zscore="train"), x, y, 1), vectors(ridge, x, y, 1), atol=1e-4)
    y[:, 0] = 0
    y[0, 0] = 1  # constant in the training rows of one fold
    assert np.isfinite(vectors(replace(ridge, zscore="train"), x, y, 1)).all()


# What has no estimate.


@BOTH
@pytest.mark.filterwarnings("error")
def test_a_task_whose_representations_are_all_alike_predicts_the_mean(estimator):
    given = evidence()
    given.representations["task-1"][:] = 1.5
    matrix = estimator.similarity(given)
    assert np.isfinite(matrix.values[OFF]).all()
    assert given.details["prediction"]["S0"]["task-1"]["share_above_shuffled"] < 0.5


@BOTH
def test_a_task_that_scores_0_in_every_channel_has_no_estimate_and_a_note(estimator, monkeypatch):
    y = torch.tensor([[-1.0, 2, 0], [1, -2, 1], [0, 0, -1]])  # each channel's mean is 0
    sums = moments(y, torch.stack([y, 0 * y, y / 2])).numpy()
    monkeypatch.setattr(type(estimator), "cross_validate", lambda self, x, y, seed: sums)
    given = evidence(n=6)
    assert np.isnan(estimator.similarity(given).values[1]).all()
    assert given.notes[-1] == f"{estimator.name}: no estimate for task-1: its predictions score 0 in every channel."


@BOTH
def test_it_refuses_what_is_not_finite_and_names_the_task(estimator):
    given = evidence()
    given.representations["task-2"][4, 1] = np.nan
    with pytest.raises(UnusableData, match="task 'task-2' hold NaN or infinity"):
        estimator.similarity(given)


# What the mapping predicts.


@BOTH
def test_the_result_tells_what_each_task_predicts_of_each_subject(estimator):
    given = evidence(n_channels=6)
    matrix = estimator.similarity(given)
    prediction = given.details["prediction"]
    assert set(prediction) == set(given.responses) and set(prediction["S0"]) == set(given.tasks)
    assert set(prediction["S0"][given.tasks[0]]) == {"score", "error_to_shuffled", "share_above_shuffled"}
    mean = np.mean([np.array(m, float) for m in given.details["by_subject"].values()], axis=0)
    assert_allclose(mean, matrix.values)


@BOTH
def test_a_mapping_that_predicts_nothing_is_said_to_and_no_other(estimator):
    rng, noise, real = np.random.default_rng(2), evidence(n=120, n_channels=30), evidence(n=120, n_channels=30)
    noise.responses["S0"] = responses(rng.normal(size=(120, 30)))
    seen = np.mean([real.representations[t] for t in real.tasks], axis=0)  # (n_stimuli, n_dims): all tasks carry it
    real.responses["S0"] = responses(seen @ rng.normal(size=(seen.shape[1], 30)))
    for given, said in ((noise, True), (real, False)):
        estimator.similarity(given)
        assert any("predicts next to nothing" in note for note in given.notes) == said
