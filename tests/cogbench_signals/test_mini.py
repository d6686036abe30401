"""The signal `mini` carries what it says, where it says, and as much of it as it says."""

import numpy as np
import pytest
from cogbench_signals import mini
from hypothesis import given, settings
from hypothesis import strategies as st

from cogbench import Files, UnusableData

SIGNAL = mini.MiniSignal()


@pytest.fixture(scope="module")
def recording():
    return SIGNAL.read(Files())


def test_the_same_each_time_and_another_for_another_seed(recording):
    assert SIGNAL.read(Files()).sha256 == recording.sha256
    assert mini.MiniSignal(seed=1).read(Files()).sha256 != recording.sha256


def test_size_and_words(recording):
    assert len(recording.sentences) == 300 and len(recording.subjects) == 3
    assert recording.unit == "arbitrary (synthetic)" and "Synthetic" in recording.notes[0]
    assert all(r.values.shape == (300, 48) and r.present.all() for r in recording.subjects.values())
    assert all(s[0].isupper() and s[-1] in ".?" and "  " not in s for s in recording.sentences)
    assert len({word for s in recording.sentences for word in s.lower().split()}) > 200


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(50, 300))
def test_stimuli_are_distinct_and_latents_independent_enough(seed, n):
    sentences, latents = mini.stimuli(n, seed)
    assert len(set(sentences)) == n and latents.shape == (n, len(mini.LATENTS))
    assert (latents.std(axis=0) > 0).all()
    assert np.linalg.cond(latents - latents.mean(axis=0)) < 50


def test_a_linear_fit_finds_the_planted_share_of_each_channel(recording):
    """Fitted on one half of the stimuli and scored on the other, channel by channel."""
    latents = mini.stimuli()[1]
    known = np.column_stack([latents, np.ones(len(latents))])
    fit, held = np.arange(300) % 25 < 13, np.arange(300) % 25 >= 13
    for number, responses in enumerate(recording.subjects.values()):
        weights = np.linalg.lstsq(known[fit], responses.values[fit], rcond=None)[0]
        predicted = known[held] @ weights  # (n_held, n_channels)
        r = np.array([np.corrcoef(p, v)[0, 1] for p, v in zip(predicted.T, responses.values[held].T, strict=True)])
        planted = SIGNAL.readout(number).any(axis=0)
        assert planted.mean() == mini.INFORMATIVE
        assert abs(np.mean(r[planted] ** 2) - mini.NOISE_CEILING) < 0.06
        assert np.mean(r[~planted] ** 2) < 0.03
        assert r[planted].min() > np.abs(r[~planted]).max()


def test_subjects_have_read_outs_of_their_own():
    one, two = SIGNAL.readout(0), SIGNAL.readout(1)
    assert (one.any(axis=0) != two.any(axis=0)).any()
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.3


def test_words_that_mean_the_same_are_read_out_alike():
    pairs = mini.LEXICON["agent"]
    assert mini._meaning("doctor", pairs) == mini._meaning("physician", pairs) != mini._meaning("lawyer", pairs)
    assert [mini._meaning(pairs[i], pairs) for i in (0, -1)] == [-1, 1]


def test_the_usual_signal_is_the_one_that_results_were_computed_on(recording):
    assert recording.sha256.startswith("080af35a8c558521")


def test_a_signal_of_which_all_channels_read_without_noise():
    signal = mini.MiniSignal(n_subjects=1, n_channels=6, informative=1.0, noise_ceiling=1.0)
    (responses,) = signal.read(Files()).subjects.values()
    latents = np.column_stack([mini.stimuli()[1], np.ones(300)])
    assert signal.readout(0).any(axis=0).all()
    _, residuals, *_ = np.linalg.lstsq(latents, responses.values, rcond=None)
    assert residuals.max() < 1e-5  # what rounding leaves
    quiet = mini.MiniSignal(informative=0.0).read(Files())
    assert "0% of the channels" in quiet.notes[0] and not mini.MiniSignal(informative=0.0).readout(0).any()


@pytest.mark.parametrize("options", [{"informative": 1.5}, {"noise_ceiling": -0.1}])
def test_a_share_that_is_none_is_refused(options):
    with pytest.raises(UnusableData, match="expected a share from 0 to 1"):
        mini.MiniSignal(**options)
