"""The named reading signals: on the real measurements where they are, and on tables of our own in their place."""

import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cogbench_estimators.cnm import CNM
from cogbench_signals.readings import READINGS, ReadingSignal, register_signals

from cogbench import Files, MissingData, UnusableData, load_parts, noise_ceiling
from cogbench.parts.codec import decode, encode
from cogbench.parts.interfaces import Signal
from cogbench.parts.set_options import varied
from cogbench.testing import check_signal

# Name, sentences, channels.
REAL = [
    ("zuco-gaze", 1121, 8),
    ("zuco-eeg", 689, 8),
    ("ucl-erp", 205, 6),
    ("ucl-eye", 205, 4),
    ("natural-stories", 495, 3),
    ("pereira-language-network", 627, 1),
]


def gaze(folder, split, rows, **more):
    """Write a table in the place and form of `zuco-gaze`: words, and a number for each word and measure."""
    place = folder / "cognitive/zuco_gaze"
    place.mkdir(parents=True, exist_ok=True)
    names = READINGS["zuco-gaze"].columns
    columns = {"words": [text.split() for text, _ in rows]}
    columns |= {n: [[v + k for _ in text.split()] for text, v in rows] for k, n in enumerate(names)} | more
    path = place / f"{split}-00000-of-00001.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_they_are_plain_parts_with_a_card():
    assert [s.name for s in register_signals()] == [*READINGS]
    for signal in register_signals():
        assert isinstance(signal, Signal) and signal.card.licence and signal.card.citation and signal.card.rows
        assert decode(json.loads(json.dumps(encode(signal)))) == signal == pickle.loads(pickle.dumps(signal))
    assert {*READINGS} <= {*load_parts().signals}


@pytest.mark.parametrize("signal", register_signals(), ids=lambda s: s.name)
def test_without_data_it_says_where_they_belong_and_who_publishes_them(signal, tmp_path):
    for files in (Files(), Files(tmp_path)):
        with pytest.raises(MissingData) as caught:
            signal.read(files)
        message = str(caught.value)
        assert f"DIR/cognitive/{READINGS[signal.name].folder}, with --data-dir DIR" in message
        assert signal.card.citation in message and "\n" not in message


def test_all_splits_are_read_in_their_order(tmp_path):
    gaze(tmp_path, "test", [("Rain fell.", 5.0)])
    gaze(tmp_path, "train", [("The mill burned down.", 1.0), ("Nobody saw it.", 2.5)])
    gaze(tmp_path, "validation", [("The owner wept.", 4.0)])
    recording = ReadingSignal("zuco-gaze").read(Files(tmp_path))
    assert recording.sentences == ("The mill burned down.", "Nobody saw it.", "The owner wept.", "Rain fell.")
    held = recording.subjects["all"]
    assert held.channels == READINGS["zuco-gaze"].columns and "first_fix_dur: ms" in recording.unit
    np.testing.assert_allclose(held.values[:, 0], [1, 2.5, 4, 5])
    revision = recording.origin.revision
    gaze(tmp_path, "test", [("Rain fell.", 6.0)])
    assert ReadingSignal("zuco-gaze").read(Files(tmp_path)).origin.revision != revision


def test_what_is_read_is_told_to_who_fetches(tmp_path):
    path = gaze(tmp_path, "train", [("The mill burned down.", 1.0), ("Nobody saw it.", 2.5)])
    told = []
    ReadingSignal("zuco-gaze").read(Files(tmp_path, tell=told.append))
    assert [[*arrival.sizes] for arrival in told] == [[path]]


def test_splits_with_other_columns_are_refused(tmp_path):
    gaze(tmp_path, "train", [("The mill burned down.", 1.0)])
    gaze(tmp_path, "test", [("Rain fell.", 5.0)], more=[1.0])
    with pytest.raises(UnusableData, match=r"test-00000-of-00001.parquet.*its columns are words.*those of train"):
        ReadingSignal("zuco-gaze").read(Files(tmp_path))


def test_sentences_in_both_corpora_tell_the_reliability(tmp_path):
    rng = np.random.default_rng(0)
    true, noise = rng.normal(size=60), rng.normal(size=(2, 60)) * 0.5
    rows = [(f"Sentence number {i}.", true[i] + noise[k, i]) for k in range(2) for i in range(60)]
    gaze(tmp_path, "train", rows)
    recording = ReadingSignal("zuco-gaze").read(Files(tmp_path))
    found = noise_ceiling(recording)
    assert found.way == "repetitions" and found.stimuli == 60
    r = np.corrcoef(true + noise[0], true + noise[1])[0, 1]
    np.testing.assert_allclose(found.values, 2 * r / (1 + r), rtol=1e-6)
    with pytest.raises(UnusableData, match="60 sentences more than once"):
        ReadingSignal("zuco-gaze", duplicates="refuse").read(Files(tmp_path))


def test_other_columns_may_be_asked_for(tmp_path):
    gaze(tmp_path, "train", [("The mill burned down.", 1.0), ("Nobody saw it.", 2.5)])
    (signal,) = varied(ReadingSignal("zuco-gaze"), ["zuco-gaze.columns=fix_prob:n_fix"])
    assert signal.read(Files(tmp_path)).subjects["all"].channels == ("fix_prob", "n_fix")


@pytest.mark.parametrize("name, n_sentences, n_channels", REAL)
def test_the_real_measurements(shared_data, name, n_sentences, n_channels):
    signal = ReadingSignal(name)
    recording = signal.read(Files(shared_data))
    held = recording.subjects["all"]
    assert held.values.shape == (n_sentences, n_channels) and signal.card.rows == n_sentences
    assert held.present.all() and np.isfinite(held.values).all()
    assert signal.card.citation in recording.notes[0] and f"{n_channels} channel(s): a check" in recording.notes[1]
    assert recording.unit != "as in the file" and "as in the file," not in recording.unit
    check_signal(signal, Files(shared_data))
    if n_channels < 3:
        assert "cnm needs 3 channels" in recording.notes[2]
        with pytest.raises(UnusableData, match="use cra"):
            CNM().refuse(recording)
    else:
        CNM().refuse(recording)


def test_two_groups_of_zuco_readers_agree(shared_data):
    found = noise_ceiling(ReadingSignal("zuco-gaze").read(Files(shared_data)))
    assert found.way == "repetitions" and found.stimuli > 50 and 0.5 < np.median(found.values) < 0.95
    assert noise_ceiling(ReadingSignal("ucl-erp").read(Files(shared_data))) is None
