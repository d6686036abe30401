"""MNE epochs: the values are MNE's own data, averaged over the time that is named."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from cogbench import Files, MissingData, UnknownName, UnusableData, load_parts, noise_ceiling
from cogbench.testing import Reader, check_reader, check_signal

pytest.importorskip("mne", reason="mne reads epochs")

from neuro_files import SENTENCES, make_epochs, write_epochs  # noqa: E402

FILES = Files(offline=True)
ALL = ("eeg",) * 5


def read(address):
    return load_parts().find("signal", str(address)).read(FILES)


def has(recording, *words):
    return any(all(word in note for word in words) for note in recording.notes)


def test_the_values_are_the_means_of_mnes_data_over_the_time(tmp_path):
    path = tmp_path / "sub-03_task-read-epo.fif"
    epochs = write_epochs(path)
    recording = read(f"{path},time=0.3:0.5")
    expected = epochs.copy().crop(0.3, 0.5).get_data(picks="eeg", verbose="error").mean(axis=2)
    responses = recording.subjects["sub-03"]
    np.testing.assert_allclose(responses.values, expected, rtol=1e-5)  # the file has single precision
    assert responses.channels == ("E1", "E2", "E3", "E4") and recording.unit == "V"
    assert recording.sentences == tuple(SENTENCES) and responses.values.dtype == np.float64
    assert has(recording, "sentences: column sentence of the metadata.") and has(recording, "times: 0.3:0.5 s")


def test_several_times_are_several_channels(tmp_path):
    path = tmp_path / "a-epo.fif"
    epochs = write_epochs(path)
    recording = read(f"{path},time=0:0.2:0.3:0.5")
    assert recording.subjects["all"].channels[3:5] == ("E4 0 to 0.2 s", "E1 0.3 to 0.5 s")
    data = epochs.get_data(picks="eeg", verbose="error")
    times = epochs.times.round(6)
    expected = [data[:, :, (times >= a) & (times <= b)].mean(axis=2) for a, b in ((0, 0.2), (0.3, 0.5))]
    np.testing.assert_allclose(
        recording.subjects["all"].values, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-12
    )
    each = read(f"{path},time=each").subjects["all"]
    np.testing.assert_allclose(each.values, data.reshape(6, -1), rtol=1e-5, atol=1e-12)
    assert each.channels[10] == "E1 0 s" and len(each.channels) == 4 * 41
    np.testing.assert_allclose(
        read(f"{path},time=all").subjects["all"].values, data.mean(axis=2), rtol=1e-4, atol=1e-12
    )


def test_sensors_of_several_kinds_have_their_units_and_bad_ones_are_left_out(tmp_path):
    path = tmp_path / "a-epo.fif"
    write_epochs(path, types=("eeg", "mag", "grad", "stim", "eeg"), bads=["E5"])
    recording = read(f"{path},time=all")
    assert recording.subjects["all"].channels == ("E1", "E2", "E3")
    assert recording.unit == "eeg: V, mag: T, grad: T/m" and has(recording, "marked as bad, left out: E5.")


def test_sentences_come_from_a_file_also_with_those_of_dropped_epochs(tmp_path):
    path, text = tmp_path / "a-epo.fif", tmp_path / "sentences.txt"
    epochs = write_epochs(path, metadata=False, types=ALL, drop=(1, 4))
    data = epochs.get_data(verbose="error").mean(axis=2)
    kept = tuple(np.delete(SENTENCES, (1, 4)).tolist())
    for lines in (SENTENCES, kept):
        text.write_text("\n".join(lines) + "\n")
        recording = read(f"{path},time=all,sentences={text}")
        assert recording.sentences == kept
        np.testing.assert_allclose(recording.subjects["all"].values, data, rtol=1e-4, atol=1e-12)
    assert not has(recording, "dropped")
    table = tmp_path / "sentences.csv"
    table.write_text("number,Sentence\n" + "".join(f"{i},{s}\n" for i, s in enumerate(SENTENCES)))
    recording = read(f"{path},time=all,sentences={table}")
    assert recording.sentences == kept and has(recording, "2 epochs were dropped")


def test_several_files_are_several_subjects_and_repetitions_give_reliability(tmp_path):
    import mne

    text = tmp_path / "sentences.txt"
    sentences = [f"Sentence number {i} of many." for i in range(30)]
    text.write_text("\n".join(sentences * 2))
    rng = np.random.default_rng(0)
    for subject in ("01", "02"):
        shared = np.concatenate([rng.normal(size=(30, 2, 1))] * 2)
        data = np.repeat(shared + 0.5 * rng.normal(size=(60, 2, 1)), 11, axis=2)
        info = mne.create_info(["Cz", "Pz"], 10.0, "eeg")
        events = np.c_[np.arange(60) * 20, np.zeros(60, int), np.ones(60, int)]
        mne.EpochsArray(data, info, events, verbose="error").save(tmp_path / f"sub-{subject}-epo.fif", verbose="error")
    recording = read(f"{tmp_path}/sub-*-epo.fif,time=all,sentences={text}")
    assert [*recording.subjects] == ["sub-01", "sub-02"] and recording.sentences == tuple(sentences)
    ceiling = noise_ceiling(recording)
    assert ceiling.way == "repetitions" and ceiling.channels[0] == "sub-01: Cz"
    np.testing.assert_allclose(ceiling.values, 1 / (1 + 0.25 / 2), atol=0.1)


def test_it_keeps_the_promises_of_a_signal(tmp_path):
    write_epochs(tmp_path / "a-epo.fif")
    check_signal(load_parts().find("signal", f"{tmp_path}/a-epo.fif,time=0.3:0.5"), FILES)


def test_nothing_is_written_beside_the_file_or_at_home(tmp_path, monkeypatch):
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "data").mkdir()
    write_epochs(tmp_path / "data/a-epo.fif")
    before = {*(tmp_path / "data").iterdir()}
    read(f"{tmp_path}/data/a-epo.fif,time=all")
    assert {*(tmp_path / "data").iterdir()} == before and not os.listdir(tmp_path / "user")


# --- bad input, one line each


def epochs_file(folder, address="", name="a-epo.fif", **options):
    write_epochs(folder / name, **options)
    return f"{folder / name}{address}"


def other_fif(folder):
    make_epochs().average().save(folder / "a-ave.fif", verbose="error")
    return f"{folder}/a-ave.fif,time=all"


def damaged(folder):
    path = Path(epochs_file(folder))
    path.write_bytes(path.read_bytes()[:3000])
    return f"{path},time=all"


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            epochs_file,
            UnusableData,
            r"say which time after the onset is meant: time=0.3:0.5 .*; it has 41 samples from -0.2",
        ),
        (lambda f: epochs_file(f, ",time=0.3"), UnusableData, "say which time"),
        (lambda f: epochs_file(f, ",time=a:b"), UnusableData, "time=a:b is no time"),
        (lambda f: epochs_file(f, ",time=0.3:0.9"), UnusableData, "time=0.3:0.9 is not in it"),
        (lambda f: epochs_file(f, ",time=0.5:0.3"), UnusableData, "time=0.5:0.3 is not in it"),
        (lambda f: epochs_file(f, ",time=nan:0.3"), UnusableData, "time=nan:0.3 is not in it"),
        (
            lambda f: epochs_file(f, ",time=all", metadata=False),
            UnusableData,
            "no sentences: it has no metadata; sentence=",
        ),
        (lambda f: epochs_file(f, ",time=all,sentence=words"), UnknownName, "unknown column of the metadata 'words'"),
        (lambda f: epochs_file(f, ",time=all,channels=Cz"), UnknownName, "unknown channel 'Cz'"),
        (lambda f: epochs_file(f, ",time=all", types=("stim",) * 5), UnusableData, "it has no sensors of eeg, mag"),
        (other_fif, UnusableData, "cannot be read as MNE epochs"),
        (damaged, UnusableData, "cannot be read as MNE epochs"),
        (lambda f: f / "no-epo.fif", MissingData, "no file .*no-epo.fif'"),
    ],
)
def test_bad_input_is_one_line(tmp_path, make, error, message):
    with pytest.raises(error, match=message) as caught:
        read(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_another_number_of_sentences_is_refused_with_the_numbers(tmp_path):
    (tmp_path / "s.txt").write_text("One.\nTwo.\n")
    with pytest.raises(UnusableData, match="6 epochs of 6 events, and s.txt has 2 sentences"):
        read(epochs_file(tmp_path, f",time=all,sentences={tmp_path}/s.txt", metadata=False))


def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch):
    address = epochs_file(tmp_path, ",time=all")
    monkeypatch.setitem(sys.modules, "mne", None)
    with pytest.raises(MissingData, match="is read by mne, which is not installed: pip install mne"):
        read(address)


def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path):
    def make(folder):
        write_epochs(folder / "a-epo.fif")
        return folder / "a-epo.fif"

    check_reader(Reader("epochs", make, lambda path: read(f"{path},time=0.3:0.5")), tmp_path, rounds=60)
