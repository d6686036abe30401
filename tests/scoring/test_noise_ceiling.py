"""Reliability is what was planted: between repetitions, between subjects, and none where nothing can be compared."""

import json

import numpy as np
import pandas as pd
import pytest
from cogbench_signals.mini import INFORMATIVE, NOISE_CEILING, MiniSignal
from hypothesis import given, settings
from hypothesis import strategies as st

from cogbench import (
    Files,
    Origin,
    Recording,
    Responses,
    UnusableData,
    average_repetitions,
    noise_ceiling,
    spearman_brown,
)
from cogbench.parts.registry import load_parts
from cogbench.views.listing import describe_parts

CHANNELS = ("a", "b", "c")


def recording(**subjects):
    n = len(next(iter(subjects.values())).values)
    return Recording(tuple(f"Sentence {i}." for i in range(n)), subjects, "arbitrary", Origin("made up"))


def people(n_subjects=4, n=2000, shared=(0.8, 0.3, 0.0), seed=0):
    """Subjects who share a known part of each channel's variance."""
    rng = np.random.default_rng(seed)
    part = np.sqrt(shared)
    common = rng.normal(size=(n, 3)) * part
    own = [rng.normal(size=(n, 3)) * np.sqrt(1 - part**2) for _ in range(n_subjects)]
    return {f"S{i}": Responses(common + o, CHANNELS) for i, o in enumerate(own)}


# --- the formula


@pytest.mark.parametrize(
    "r, factor, expected", [(0.5, 2, 2 / 3), (0.5, 1, 0.5), (0, 5, 0), (1, 7, 1), (-0.5, 2, -2 / 3)]
)
def test_spearman_brown_by_hand(r, factor, expected):
    assert spearman_brown(r, factor) == pytest.approx(expected)


@given(st.floats(0, 1), st.integers(1, 9), st.integers(1, 9))
def test_lengthening_twice_is_lengthening_once(r, a, b):
    assert spearman_brown(spearman_brown(r, a), b) == pytest.approx(spearman_brown(r, a * b))


# --- between subjects


def test_the_planted_share_between_subjects_is_found():
    found = noise_ceiling(recording(**people()))
    assert found.way == "subjects" and found.channels == CHANNELS and found.stimuli == 2000
    np.testing.assert_allclose(found.values, [0.8, 0.3, 0], atol=0.04)
    np.testing.assert_allclose(found.pooled, spearman_brown(found.values, 4))
    assert found.above_chance == pytest.approx(2 / 3) and found.summary.channels == 3


def test_it_is_the_mean_correlation_of_pairs():
    held = people(3, 50)
    pairs = (("S0", "S1"), ("S0", "S2"), ("S1", "S2"))
    each = [np.corrcoef(held[a].values[:, 1], held[b].values[:, 1])[0, 1] for a, b in pairs]
    assert noise_ceiling(recording(**held)).values[1] == pytest.approx(np.mean(each))


def test_only_what_both_have_seen_is_compared():
    held = people(2, 60)
    for subject, absent in (("S0", range(10)), ("S1", range(50, 60))):
        held[subject].values[list(absent)] = np.nan
        held[subject] = Responses(held[subject].values, CHANNELS)
    expected = [np.corrcoef(held["S0"].values[10:50, k], held["S1"].values[10:50, k])[0, 1] for k in range(3)]
    found = noise_ceiling(recording(**held))
    np.testing.assert_allclose(found.values, expected)
    assert found.stimuli == 40


def test_channels_are_compared_by_name():
    held = people(2, 100)
    held["S1"] = Responses(held["S1"].values[:, ::-1], ("c", "b", "x"))
    assert noise_ceiling(recording(**held)).channels == ("b", "c")
    held["S1"] = Responses(held["S1"].values, ("x", "y", "z"))
    assert noise_ceiling(recording(**held)) is None


def test_one_subject_and_constant_channels_tell_nothing():
    held = people(2, 100)
    assert noise_ceiling(recording(S0=held["S0"])) is None
    held["S0"].values[:, 0] = 1
    assert noise_ceiling(recording(**held)).channels == ("b", "c")


def test_of_many_channels_some_are_drawn_always_the_same():
    rng = np.random.default_rng(0)
    names = tuple(map(str, range(300)))
    held = recording(**{s: Responses(rng.normal(size=(40, 300)).astype(np.float32), names) for s in "xy"})
    one, two = (noise_ceiling(held, n_channels=50) for _ in range(2))
    assert len(one.channels) == 50 and one.channels == two.channels
    whole = dict(zip(names, noise_ceiling(held).values, strict=True))
    np.testing.assert_allclose(one.values, [whole[c] for c in one.channels])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_noise_is_above_chance_once_in_twenty_times(seed):
    rng = np.random.default_rng(seed)
    names = tuple(map(str, range(4000)))
    held = recording(**{s: Responses(rng.normal(size=(60, 4000)), names) for s in "xyz"})
    found = noise_ceiling(held)
    assert abs(found.above_chance - 0.05) < 0.02 and abs(found.values.mean()) < 0.02


# --- between repetitions


def repeated(n=2000, share=0.5, n_repeated=None, seed=0):
    """One subject who was shown the first stimuli twice; `share` of one showing's variance comes again."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, 3)) * np.sqrt(share)
    halves = np.stack([true + rng.normal(size=(n, 3)) * np.sqrt(1 - share) for _ in range(2)])
    values = halves.mean(axis=0)
    if n_repeated is not None:
        values[n_repeated:] = halves[0, n_repeated:]
        halves[:, n_repeated:] = np.nan
    return recording(S=Responses(values, CHANNELS, halves=halves))


def test_repetitions_are_stepped_up_to_all_of_them():
    found = noise_ceiling(repeated())
    assert found.way == "repetitions" and found.channels == ("S: a", "S: b", "S: c") and found.pooled is None
    np.testing.assert_allclose(found.values, 2 / 3, atol=0.03)


def test_with_few_stimuli_repeated_it_is_that_of_one_showing():
    found = noise_ceiling(repeated(n=40_000, n_repeated=2000))
    np.testing.assert_allclose(found.values, 0.5, atol=0.05)
    assert found.stimuli == 2000


def test_too_few_repetitions_tell_nothing():
    assert noise_ceiling(repeated(n_repeated=19)) is None
    assert noise_ceiling(repeated(n_repeated=20)) is not None


@pytest.mark.parametrize(
    "share, times, true",  # the review's table A1: 400 stimuli, signal and noise of one showing have the variance 1
    [
        (0.1, 10, 0.524),
        (0.25, 6, 0.558),
        (0.1, 4, 0.519),
        (0.5, 3, 0.600),
        (0.1, 2, 0.513),
        (1, 2, 0.667),
        (1, 4, 0.800),
        (1, 6, 0.857),
        (1, 3, 0.750),
        (1, 5, 0.833),
    ],
)
def test_uneven_repetitions_give_the_reliability_of_the_averaged_responses(share, times, true):
    rng = np.random.default_rng(round(100 * share) + times)
    shown = np.where(np.arange(400) < share * 400, times, 1)
    signal = rng.normal(size=(400, 300))
    stimuli = rng.permutation(np.repeat(np.arange(400), shown))
    means = average_repetitions(signal[stimuli] + rng.normal(size=(len(stimuli), 300)), stimuli, 400)
    responses = Responses(means.values, tuple(map(str, range(300))), halves=means.halves, shown=means.shown)
    ceiling = noise_ceiling(recording(S=responses))
    assert true == pytest.approx(1 / (1 + np.mean(1 / shown)), abs=6e-4)
    explained = [np.corrcoef(means.values[:, k], signal[:, k])[0, 1] ** 2 for k in range(300)]
    assert np.mean(explained) == pytest.approx(true, abs=0.01)  # what the best prediction reaches
    assert np.median(ceiling.values) == pytest.approx(true, abs=0.02)
    assert ceiling.stimuli == share * 400


def test_repetitions_that_lack_a_channel_count_for_the_others_alone():
    rng = np.random.default_rng(0)
    stimuli = np.repeat(np.arange(2000), 4)
    values = rng.normal(size=(2000, 2))[stimuli] + rng.normal(size=(8000, 2))
    values[np.arange(8000) % 4 >= 2, 1] = np.nan  # two repetitions of the second channel, four of the first
    means = average_repetitions(values, stimuli, 2000)
    responses = Responses(means.values, ("a", "b"), halves=means.halves, shown=means.shown)
    np.testing.assert_allclose(noise_ceiling(recording(S=responses)).values, [4 / 5, 2 / 3], atol=0.03)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 10**6))
def test_averages_are_those_of_pandas(stimuli, seed):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((len(stimuli), 2)) < 0.2, np.nan, rng.normal(size=(len(stimuli), 2)))
    means = average_repetitions(values, np.array(stimuli), 6)
    rows = pd.DataFrame(values).groupby(np.array(stimuli))
    np.testing.assert_allclose(means.values, rows.mean().reindex(range(6)))
    repeated = rows.size().reindex(range(6), fill_value=0) > 1
    assert (means.halves is not None) == repeated.any()
    if means.halves is not None:
        for half in (0, 1):
            some = pd.DataFrame(values)[rows.cumcount() % 2 == half].groupby(
                np.array(stimuli)[rows.cumcount() % 2 == half]
            )
            expected = some.mean().reindex(range(6)).where(repeated, np.nan)
            np.testing.assert_allclose(means.halves[half], expected)
            counted = some.count().reindex(range(6)).where(repeated, 0).fillna(0)
            np.testing.assert_array_equal(np.broadcast_to(means.shown[half], (6, 2)), counted)


def test_the_method_stands_in_the_figures():
    for ceiling, method in (
        (noise_ceiling(repeated()), "Spearman-Brown"),
        (noise_ceiling(recording(**people())), "mean"),
    ):
        assert method in ceiling.summary.method and str(ceiling.summary).endswith(ceiling.summary.method)


def test_halves_must_fit():
    with pytest.raises(UnusableData, match="halves of shape"):
        Responses(np.zeros((4, 3)), CHANNELS, halves=np.zeros((2, 4, 2)))
    with pytest.raises(UnusableData, match="`shown` of shape"):
        Responses(np.zeros((4, 3)), CHANNELS, halves=np.zeros((2, 4, 3)), shown=np.ones((2, 3, 3)))


# --- what is planted in the signal `mini`


def test_minis_planted_ceiling_is_seen():
    signal = MiniSignal()
    held = signal.read(Files())
    found = noise_ceiling(held)
    planted = np.concatenate([signal.readout(i).any(axis=0) for i in range(len(held.subjects))])
    assert found.way == "repetitions" and len(found.values) == len(planted)
    assert abs(found.values[planted].mean() - NOISE_CEILING) < 0.02
    assert abs(found.values[~planted].mean()) < 0.03
    assert found.values[planted].min() > found.values[~planted].max()
    assert abs(found.above_chance - (INFORMATIVE + 0.05 * (1 - INFORMATIVE))) < 0.03


def test_minis_repetitions_have_its_responses_as_their_mean():
    for r in MiniSignal().read(Files()).subjects.values():
        np.testing.assert_allclose(r.halves.mean(axis=0), r.values, atol=1e-4)


# --- where users see it


def test_the_list_of_signals_tells_what_is_there(tmp_path):
    rows = {row["name"]: row for row in describe_parts(load_parts(), "signal", tmp_path)}
    worth = rows["mini"]["worth"]
    assert (worth["sentences"], worth["subjects"], worth["channels"]["synthetic-1"]) == (300, 3, 48)
    assert worth["reliability"]["way"] == "repetitions" and json.loads(json.dumps(worth))
    assert "reliability between repetitions: median" in rows["mini"]["data"]
    assert rows["table"]["data"] == "missing" and rows["table"]["worth"] is None
    assert "worth" not in describe_parts(load_parts(), "signal")[0]
