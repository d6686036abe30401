"""A planted answer that CNM must find, and what it finds where the signal says nothing: benchmarks/cnm_control.py."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cogbench_estimators.cnm import CNM
from cogbench_estimators.mapping import z_scored
from cogbench_estimators.prediction import cosines
from cogbench_estimators.ridge import RidgeCNM

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from cnm_control import CLEAN, CONDITIONS, USUAL
from cnm_profiles import (
    RELATIVES,
    disjoint_similarities,
    interval,
    judge,
    profiles,
    relative_profiles,
    ridge_moments,
    sharing_oracle,
    similarities,
)

SMALL = replace(CLEAN, n_stimuli=160, n_dims=24, n_subjects=2, n_channels=24)
QUIET = replace(SMALL, informative=0.5, ceiling=0.6)
RIDGE = RidgeCNM(seeds=(5,), penalties=(0.1, 1.0, 10.0))  # 10: a signal that says nothing is hardly predicted
NETWORK = CNM(hidden=(32,), seeds=(5,), epochs=40, batch_size=32, folds=3, learning_rate=0.003)
BOTH = pytest.mark.parametrize("estimator", [RIDGE, NETWORK], ids=lambda part: part.name)


@BOTH
@pytest.mark.parametrize("relative", RELATIVES)
def test_the_estimators_recover_which_tasks_share_skills(estimator, relative):
    measurements, oracle = SMALL.draw(0)
    matrix = replace(estimator, relative=relative).similarity(measurements.evidence)
    judgement = judge(matrix.sources, matrix.values, oracle)
    assert judgement.rho_p < 0.001 and judgement.trs_p < 0.001
    assert judgement.rho > 0.6 and judgement.trs < 3


@BOTH
def test_the_variants_are_the_answers_of_the_estimators(estimator):
    measurements, _ = replace(QUIET, n_tasks=6, n_skills=3).draw(1)
    estimator = replace(estimator, seeds=(5, 10))
    for relative, values in similarities(estimator, measurements).items():
        expected = replace(estimator, relative=relative).similarity(measurements.evidence).values
        off = ~np.eye(len(values), dtype=bool)
        np.testing.assert_allclose(values[off], expected[off], atol=2e-3)


def test_ridge_for_many_responses_is_ridge_for_each():
    measurements, _ = replace(QUIET, n_tasks=4, n_skills=2, n_subjects=2).draw(1)
    for n_stimuli in (160, 20):  # more stimuli than dimensions, and fewer
        few = measurements.at(np.arange(n_stimuli))
        x, responses = few.tasks, [z_scored(y) for y in few.responses]
        for sums, y in zip(ridge_moments(RIDGE, x, responses, 5), responses, strict=True):
            np.testing.assert_allclose(sums, RIDGE.cross_validate(x, y, 5), atol=1e-3)


def p_values(planted, answer, draws):
    judgements = []
    for seed in range(draws):
        measurements, oracle = planted.draw(seed)
        judgements.append(judge(measurements.names, answer(RIDGE, measurements)["none"], oracle, 999))
    return judgements


@pytest.mark.parametrize("answer", [similarities, disjoint_similarities])
def test_nothing_is_recovered_where_tasks_share_nothing(answer):
    judgements = p_values(replace(QUIET, skills="private"), answer, 10)
    mean, low, high = interval([j.rho for j in judgements])
    assert low < 0 < high and abs(mean) < 0.15
    assert min(j.rho_p for j in judgements) > 0.001
    assert sum(j.rho_p <= 0.05 for j in judgements) <= 3


@pytest.mark.parametrize("channels", ["shuffled", "foreign"])
def test_profiles_of_disjoint_stimuli_recover_nothing_from_a_signal_that_says_nothing(channels):
    judgements = p_values(replace(QUIET, channels=channels), disjoint_similarities, 10)
    mean, low, high = interval([j.rho for j in judgements])
    assert low < 0 < high
    assert np.mean([j.trs for j in judgements]) == pytest.approx(6, abs=1)


def test_profiles_of_the_same_stimuli_recover_sharing_from_shuffled_responses():
    """What no control may hide: representations that are alike predict the same noise alike."""
    judgements = p_values(replace(USUAL, channels="shuffled"), similarities, 5)
    assert interval([j.rho for j in judgements])[1] > 0.2


def test_the_signal_decides_which_of_two_taxonomies_is_recovered():
    """Tasks share six skills that the signal reads, and six others in another way."""
    planted = replace(QUIET, n_others=6, n_stimuli=300)
    with_signal = [j.rho for j in p_values(planted, similarities, 5)]
    shuffled = [j.rho for j in p_values(replace(planted, channels="shuffled"), similarities, 5)]
    assert interval(np.subtract(with_signal, shuffled))[1] > 0


def test_a_draw_is_what_it_says():
    measurements, oracle = USUAL.draw(3)
    assert measurements.tasks.shape == (12, 300, 48) and measurements.backbone.shape == (300, 48)
    assert [y.shape for y in measurements.responses] == [(300, 48)] * 3
    assert np.nanmin(oracle.transfers.values) >= 0 and np.nanmax(oracle.transfers.values) <= 1
    again, _ = USUAL.draw(3)
    np.testing.assert_array_equal(again.tasks, measurements.tasks)
    shuffled = replace(USUAL, channels="shuffled").draw(3)[0]
    np.testing.assert_array_equal(shuffled.tasks, measurements.tasks)
    np.testing.assert_array_equal(np.sort(shuffled.responses[0], axis=0), np.sort(measurements.responses[0], axis=0))
    one, other = measurements.halves(0)
    assert len(one.backbone) == len(other.backbone) == 150
    assert not {row.tobytes() for row in one.backbone} & {row.tobytes() for row in other.backbone}
    assert all(planted.draw(0)[0].tasks.shape[0] == 12 for planted in CONDITIONS.values())


def test_relative_profiles_and_sharing_by_hand():
    scores = np.array([[1.0, 2.0], [3.0, 4.0], [0.5, 0.5]])  # two tasks, the backbone
    made = relative_profiles(scores)
    np.testing.assert_array_equal(made["none"], scores[:2])
    np.testing.assert_array_equal(made["backbone"], [[0.5, 1.5], [2.5, 3.5]])
    np.testing.assert_array_equal(made["tasks"], [[-1, -1], [1, 1]])
    shared = sharing_oracle({"a": frozenset("xy"), "b": frozenset("y"), "c": frozenset("z")})
    np.testing.assert_allclose(shared.transfers.values[0, 1:], [0.5**0.5, 0])


def test_profiles_of_disjoint_stimuli_compare_one_half_with_the_other():
    measurements, _ = replace(QUIET, n_tasks=4, n_skills=2, n_subjects=1).draw(2)
    one, other = (profiles(RIDGE, half, 5)[0][:-1] for half in measurements.halves(5))
    across = cosines(np.concatenate([one, other]))[:4, 4:]
    np.testing.assert_allclose(disjoint_similarities(RIDGE, measurements)["none"], (across + across.T) / 2)
