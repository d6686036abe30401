"""The channels that CNM and its ridge map, and the signals that they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from cogbench_estimators.channels import draw_channels
from fake_evidence import OFF
from mapping_evidence import BOTH, SMALL, evidence, responses
from numpy.testing import assert_allclose, assert_array_equal

from cogbench import Responses, UnusableData


@BOTH
def test_the_same_channels_are_drawn_in_each_run(estimator):
    given = evidence(n_channels=50)
    seven, s0 = replace(estimator, channels=7), given.responses["S0"]
    drawn = draw_channels(seven, "S0", s0, given.note)
    assert len({*drawn}) == 7 and list(drawn) == sorted(drawn)
    assert_array_equal(drawn, draw_channels(replace(seven, seeds=(9,)), "S0", s0, given.note))
    assert given.notes[0] == f"{estimator.name}: subject S0: 7 of 50 channels drawn at random."
    assert_array_equal(draw_channels(estimator, "S0", s0, given.note), np.arange(50))


def test_constant_channels_of_many_are_dropped_wherever_they_are():
    given = evidence(n_channels=9000)
    constant = [0, 4095, 4096, 8191, 8192, 8999]
    given.responses["S0"].values[:, constant] = 0.1
    drawn = draw_channels(SMALL, "S0", given.responses["S0"], given.note)
    assert_array_equal(drawn, np.delete(np.arange(9000), constant))
    assert_array_equal(draw_channels(SMALL, "S0", given.responses["S0"]), drawn)


@BOTH
@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6, np.float32(0.1)])
def test_constant_channels_are_dropped_and_noted(estimator, constant):
    given = evidence(n_channels=5)
    given.responses["S0"].values[:, [1, 3]] = constant
    rest = replace(given, responses={"S0": responses(given.responses["S0"].values[:, [0, 2, 4]])}, notes=[])
    assert_array_equal(estimator.similarity(given).values, estimator.similarity(rest).values)
    assert given.notes[0] == f"{estimator.name}: subject S0: 2 constant channels dropped."
    given.responses["S0"].values[:, 0] = constant
    with pytest.raises(UnusableData, match="subject 'S0' has 2 channels that vary, .* needs at least 3"):
        estimator.similarity(given)


@BOTH
@pytest.mark.parametrize("n_channels", [0, 1, 2])
def test_it_refuses_fewer_than_three_channels(estimator, n_channels):
    with pytest.raises(UnusableData, match=f"with {n_channels} channels its similarity would be ±1.*use cra"):
        estimator.similarity(evidence(n_channels=n_channels))
    with pytest.raises(UnusableData, match=f"channels={n_channels}; {estimator.name} needs at least 3"):
        replace(estimator, channels=n_channels).similarity(evidence())


# What they refuse.


def test_it_refuses_too_few_stimuli():
    with pytest.raises(UnusableData, match="subject 'S0' has 4 stimuli, too few for 5 folds:"):
        replace(SMALL, folds=5, hidden=(4,)).similarity(evidence(n=4))
    with pytest.raises(UnusableData, match="has 6 stimuli, too few for 3 folds with 5 inner folds:"):
        replace(SMALL, inner_folds=5).similarity(evidence(n=6))
    with pytest.raises(UnusableData, match="seeds is empty; expected one or more"):
        replace(SMALL, seeds=()).similarity(evidence())
    for hidden, text in (((), "hidden=;"), ((4, 0), "hidden=4:0;")):
        with pytest.raises(UnusableData, match=f"{text} expected one or more numbers above 0"):
            replace(SMALL, hidden=hidden).similarity(evidence())
    with pytest.raises(UnusableData, match="folds=1, inner_folds=2; both must be at least 2"):
        replace(SMALL, folds=1).similarity(evidence(n=6))
    assert np.isfinite(replace(SMALL, inner_folds=4).similarity(evidence(n=6)).values[OFF]).all()
    assert np.isfinite(replace(SMALL, folds=4, hidden=(4,)).similarity(evidence(n=4)).values[OFF]).all()


@pytest.mark.parametrize(
    ("values", "why"), [(np.full((30, 5), np.nan), "has 0 stimuli"), (np.ones((30, 5)), "has 0 channels that vary")]
)
@BOTH
def test_a_subject_that_cannot_be_mapped_is_left_out_and_the_others_go_on(estimator, values, why):
    two = evidence(n_subjects=2)
    alone = replace(two, responses={"S0": two.responses["S0"]}, notes=[], details={})
    two.responses["S1"] = Responses(values, two.responses["S1"].channels)
    assert_allclose(estimator.similarity(two).values[OFF], estimator.similarity(alone).values[OFF])
    assert [*two.details["by_subject"]] == [*two.details["prediction"]] == ["S0"]
    assert any("left out: subject 'S1'" in note and why in note for note in two.notes)
    two.responses["S0"] = two.responses["S1"]
    with pytest.raises(UnusableData, match=f"subject 'S0' {why}.*; subject 'S1' {why}"):
        estimator.similarity(two)
