"""The signal `pereira` gives planted values back, voxel by voxel, from both families of files; each fault is told."""

import logging
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pereira_files as made
import pytest
from cogbench_estimators.channels import draw_channels
from cogbench_estimators.cnm import CNM
from cogbench_signals import pereira
from cogbench_signals.pereira import Pereira

from cogbench import CogbenchError, Files, MissingData, UnknownName, UnusableData, load_parts, noise_ceiling
from cogbench.parts.set_options import varied
from cogbench.storage.matlab import HDF5
from cogbench.testing import check_signal

TWO = Pereira(subjects=("P01", "M02"))
ONE = Pereira(subjects=("P01",))


@pytest.fixture
def folder(tmp_path):
    """Two subjects of either family, whose voxels and sentences stand in other orders."""
    made.subject(tmp_path / "pereira", "P01", "data", seed=1)
    made.subject(tmp_path / "pereira", "M02", "examples", seed=2, below="M02")
    return tmp_path


def planted(subject, sentences, channels):
    """The raw planted responses, (n_sentences, n_voxels)."""
    places = [[int(i) for i in name.split("-")] for name in channels]
    return np.stack([made.responses(subject, s, places) for s in sentences])


def check_planted(recording):
    for subject, r in recording.subjects.items():
        raw = planted(subject, recording.sentences, r.channels)
        np.testing.assert_allclose(r.values, (raw - raw.mean(axis=0)) / raw.std(axis=0), atol=1e-4)


# --- what it gives


def test_planted_values_come_back_voxel_by_voxel_and_sentence_by_sentence(folder):
    recording = TWO.read(Files(folder))
    assert list(recording.subjects) == ["P01", "M02"] and len(recording.sentences) == 627
    assert recording.sentences == (*sorted(made.SENTENCES[384]), *sorted(made.SENTENCES[243]))
    assert recording.subjects["P01"].channels != recording.subjects["M02"].channels
    assert all(r.values.shape == (627, 12) and r.present.all() for r in recording.subjects.values())
    check_planted(recording)
    assert recording.unit == "z-scores of each voxel over the sentences"
    assert recording.origin.revision.startswith("sha256:") and not recording.synthetic
    check_signal(TWO, Files(folder))


def test_values_as_in_the_files(folder):
    recording = replace(TWO, zscore=False).read(Files(folder))
    for subject, r in recording.subjects.items():
        np.testing.assert_allclose(r.values, planted(subject, recording.sentences, r.channels), rtol=1e-6)
    assert "as in the files" in recording.unit


@pytest.mark.parametrize("number", [384, 243])
def test_one_experiment(folder, number):
    (signal,) = varied(TWO, [f"pereira.experiments={number}"])
    recording = signal.read(Files(folder))
    assert recording.sentences == tuple(sorted(made.SENTENCES[number]))
    check_planted(recording)


def test_a_reading_by_row_number_is_caught(folder, monkeypatch):
    """The same check fails for a loader that trusts the order of rows."""
    sentences = pereira.check_sentences
    monkeypatch.setattr(pereira, "check_sentences", lambda *of: sorted(sentences(*of)))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_planted(TWO.read(Files(folder)))


def test_a_misalignment_shows_as_no_agreement_between_subjects(folder, monkeypatch):
    aligned = noise_ceiling(TWO.read(Files(folder)))
    assert aligned.way == "subjects" and aligned.values.min() > 0.4
    sentences = pereira.check_sentences
    monkeypatch.setattr(pereira, "check_sentences", lambda *of: sorted(sentences(*of)))
    monkeypatch.setenv("COGBENCH_HOME", str(folder / "another"))
    assert abs(noise_ceiling(TWO.read(Files(folder))).values).max() < 0.2


def test_the_same_in_the_other_family_and_uncompressed(folder, tmp_path):
    made.subject(tmp_path / "other/pereira", "P01", "examples", seed=1, compressed=False)
    one, other = (ONE.read(Files(f)) for f in (folder, tmp_path / "other"))
    assert one.sha256 == other.sha256 and one.origin.revision != other.origin.revision


def test_the_family_with_more_atlases_goes_before(folder):
    def doubled(values, held):
        values *= 2

    made.subject(folder / "pereira", "P01", "examples", seed=1, change=doubled)
    recording = ONE.read(Files(folder))
    check_planted(recording)
    assert "data_384sentences.mat" in recording.notes[0]


def test_voxels_are_those_of_both_experiments_by_their_place(tmp_path):
    for number, seed, n in ((384, 1, 20), (243, 2, 22)):
        made.write(tmp_path / "pereira/P01", "P01", number, places=made.coordinates(n, seed))
    recording = ONE.read(Files(tmp_path))
    shared = {tuple(p) for p in made.coordinates(20, 1).tolist()} & {tuple(p) for p in made.coordinates(22, 2).tolist()}
    assert len(recording.subjects["P01"].channels) == len(shared)
    assert f"in one experiment only: {42 - 2 * len(shared)}." in recording.notes[0]
    check_planted(recording)


def test_constant_and_broken_voxels_are_dropped_and_counted(tmp_path):
    def damage(values, held):
        values[:, 0] = 0
        values[:, 1] = 7.1
        values[0, 2], values[1, 3], values[2, 4] = np.nan, np.inf, 1e300

    places = made.coordinates(12)
    made.write(tmp_path / "pereira/P01", "P01", 384, change=damage)
    made.write(tmp_path / "pereira/P01", "P01", 243)
    recording = ONE.read(Files(tmp_path))
    assert recording.subjects["P01"].channels == tuple("-".join(map(str, p)) for p in places[5:].tolist())
    assert "7 voxels" in recording.notes[0] and "with NaN or infinity: 3" in recording.notes[0]
    assert "constant in an experiment: 2." in recording.notes[0]
    check_planted(recording)


# --- regions


@pytest.mark.parametrize(
    "region, columns",
    [
        ("languageLH", [4, 5, 6, 7]),
        ("gordon", [0, 2, 4, 6]),
        ("aal_1ofN/Heschl_L", [0, 1, 2, 3]),
        ("LANGUAGElh/lpost", [4, 5, 6, 7]),
    ],
)
def test_regions_are_columns_counted_from_one(folder, region, columns):
    places = made.coordinates(12, 1)
    recording = replace(ONE, regions=(region,)).read(Files(folder))
    assert recording.subjects["P01"].channels == tuple("-".join(map(str, p)) for p in places[columns].tolist())
    check_planted(recording)


def test_several_regions_and_those_of_the_other_family(folder):
    (signal,) = varied(ONE, ["pereira.regions=languageLH:gordon/Default_1"])
    assert len(signal.read(Files(folder)).subjects["P01"].channels) == 6
    recording = replace(TWO, subjects=("M02",), regions=("aal",)).read(Files(folder))
    assert len(recording.subjects["M02"].channels) == 8
    check_planted(recording)


def test_an_unknown_region_names_the_near_ones(folder):
    with pytest.raises(UnknownName, match=r"unknown region 'languageL' .* did you mean .*'languageLH'.*aal_1ofN"):
        replace(ONE, regions=("languageL",)).read(Files(folder))


def test_a_subject_without_the_region_is_left_out(folder, caplog):
    with caplog.at_level(logging.WARNING, "cogbench"):
        recording = replace(TWO, regions=("languageLH",)).read(Files(folder))
    assert list(recording.subjects) == ["P01"]
    assert "subject M02 left out: unknown region 'languageLH'" in recording.notes[-1]
    assert "subject M02 left out" in caplog.text


def test_columns_counted_from_zero_are_refused(tmp_path):
    def shifted(values, held):
        for roi in held["meta"]["roiColumns"].ravel():
            for columns in roi.ravel():
                columns -= 1

    made.subject(tmp_path / "pereira", "P01", change=shifted)
    with pytest.raises(UnusableData, match="columns of gordon are not from 1 to 12"):
        replace(ONE, regions=("gordon",)).read(Files(tmp_path))


# --- the store


def test_values_are_kept_as_float32_and_memory_mapped(folder, tmp_path):
    first = ONE.read(Files(folder))
    assert isinstance(first.subjects["P01"].values, np.memmap) and first.subjects["P01"].values.dtype == np.float32
    (kept,) = (tmp_path / "home/signals/pereira").glob("P01-*")
    written = {p.name: p.stat().st_mtime_ns for p in kept.iterdir()}
    assert ONE.read(Files(folder)).sha256 == first.sha256
    assert {p.name: p.stat().st_mtime_ns for p in kept.iterdir()} == written
    made.write(folder / "pereira/P01", "P01", 243, places=made.coordinates(12, 1))
    assert ONE.read(Files(folder)).origin.revision != first.origin.revision
    assert len(list((tmp_path / "home/signals/pereira").glob("P01-*"))) == 2


def test_a_reading_that_fails_leaves_nothing_behind(folder, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pereira.np, "save", full)
    with pytest.raises(CogbenchError, match="P01: the disk of the store .* is full: make room"):
        TWO.read(Files(folder))  # it does not go on with the other subject
    assert not list((tmp_path / "home").rglob("values.npy"))


def test_only_the_variables_that_are_needed_are_read(folder, monkeypatch):
    asked = []
    read = pereira.read_matlab
    monkeypatch.setattr(pereira, "read_matlab", lambda path, names: asked.append(tuple(names)) or read(path, names))
    ONE.read(Files(folder))
    assert asked == [("keySentences", "meta"), ("examples_passagesentences",)] * 2


def test_hash_and_checks_do_not_copy_a_memory_map(folder):
    values = np.asarray(ONE.read(Files(folder)).subjects["P01"].values, np.float64)
    recording = ONE.read(Files(folder))
    plain = replace(recording, subjects={"P01": replace(recording.subjects["P01"], values=values)})
    assert plain.sha256 == recording.sha256


def test_cnm_takes_what_varies_and_says_when_that_is_less_than_asked(folder):
    responses = ONE.read(Files(folder)).subjects["P01"]
    notes = []
    assert len(draw_channels(CNM(channels=7), "P01", responses, notes.append)) == 7
    assert len(draw_channels(CNM(channels=500), "P01", responses, notes.append)) == 12
    assert notes == [
        "cnm: subject P01: 7 of 12 channels drawn at random.",
        "cnm: subject P01: 12 channels vary, fewer than channels=500.",
    ]
    with pytest.raises(UnusableData, match="cnm needs at least 3"):
        CNM().refuse(replace(TWO, subjects=("P01",), regions=("few",)).read(Files(few(folder))))


def few(folder):
    """The same files with a region of two voxels."""

    def named(values, held):
        held["meta"]["atlases"][0, 2] = "few"
        held["meta"]["roiColumns"][0, 2] = made.cell([np.array([[1.0], [2.0]])])

    made.subject(folder / "pereira", "P01", "data", seed=1, change=named)
    return folder


# --- what is missing or broken


def test_missing_files_are_one_message(tmp_path):
    (tmp_path / "pereira").mkdir()
    (tmp_path / "pereira/P01.tar").touch()
    for files in (Files(), Files(tmp_path)):
        with pytest.raises(MissingData) as caught:
            Pereira().read(files)
        message = str(caught.value)
        assert "\n" not in message and "P01, M02, M04, M07, M15" in message and "evlab.mit.edu" in message
        assert "data_384sentences.mat or examples_384sentences.mat and data_243sentences.mat" in message
    assert "P01.tar must be unpacked" in message


def test_the_only_subject_with_one_experiment_says_which_is_missing(folder):
    (folder / "pereira/P01/data_243sentences.mat").unlink()
    with pytest.raises(MissingData, match="P01 has no data_243sentences.mat or examples_243sentences.mat.*evlab"):
        ONE.read(Files(folder))


def _truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda p: p.unlink(), "has no data_384sentences.mat"),
        (lambda p: p.write_bytes(b""), "is empty"),
        (lambda p: p.write_text("<html>not found</html>" * 99), "cannot be read as a MATLAB file"),
        (_truncated, "cannot be read as a MATLAB file"),
        (lambda p: p.write_bytes(b"\0" * 512 + HDF5 + b"\0" * 99), "version 7.3 (HDF5), which takes h5py"),
    ],
    ids=["one experiment", "empty", "html", "truncated", "hdf5"],
)
def test_a_subject_whose_files_are_broken_is_left_out_in_one_line(folder, damage, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    damage(folder / "pereira/P01/data_384sentences.mat")
    recording = TWO.read(Files(folder))
    assert list(recording.subjects) == ["M02"]
    (line,) = (note for note in recording.notes if "left out" in note)
    assert line.startswith("subject P01 left out: ") and message in line and "\n" not in line
    with pytest.raises((UnusableData, MissingData)) as caught:
        ONE.read(Files(folder))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def _drop(name):
    return lambda values, held: held.pop(name)


def _set(name, value):
    return lambda values, held: held.update({name: value})


@pytest.mark.parametrize(
    "change, message",
    [
        (_drop("keySentences"), "has no texts keySentences"),
        (_drop("meta"), "does not say where its voxels are"),
        (_drop("examples_passagesentences"), "holds as examples_passagesentences nothing; expected 384 sentences × 12"),
        (_set("examples_passagesentences", np.zeros((5, 12))), r"examples_passagesentences \(5, 12\); expected 384"),
        (lambda v, held: held["keySentences"].__setitem__((0, 0), held["keySentences"][1, 0]), "has 383 different"),
        (lambda v, held: held["meta"].update(colToCoord=np.ones((12, 3))), "two voxels in one place"),
        (lambda v, held: held["meta"].update(colToCoord=np.ones((12, 2))), "expected three numbers for each voxel"),
        (lambda v, held: np.copyto(v, 1.0), "none of its 12 voxels varies"),
        (lambda v, held: np.copyto(v, np.nan), "none of its 12 voxels varies and is finite"),
    ],
)
def test_files_that_do_not_hold_what_they_should(tmp_path, change, message):
    made.write(tmp_path / "pereira/P01", "P01", 384, change=change)
    made.write(tmp_path / "pereira/P01", "P01", 243)
    with pytest.raises(UnusableData, match=message):
        ONE.read(Files(tmp_path))


def test_a_subject_with_other_sentences_is_left_out(folder):
    def reword(values, held):
        held["keySentences"][0, 0] = "Quite another sentence stands here."

    made.write(folder / "pereira/M04", "M04", 384, change=reword)
    made.write(folder / "pereira/M04", "M04", 243)
    recording = replace(TWO, subjects=("M04", "P01", "M02")).read(Files(folder))
    assert list(recording.subjects) == ["P01", "M02"]
    assert "M04 left out: 1 of its sentences are not those of P01, such as 'Quite another" in recording.notes[-1]


def test_white_space_makes_no_other_sentence(folder):
    def spaced(values, held):
        held["keySentences"][0, 0] = f" {held['keySentences'][0, 0].replace(' ', '  ')}\n"

    made.write(folder / "pereira/M04", "M04", 384, change=spaced)
    made.write(folder / "pereira/M04", "M04", 243)
    assert len(replace(TWO, subjects=("M04", "P01")).read(Files(folder)).subjects) == 2


def test_nothing_to_read_is_refused():
    for change in ({"subjects": ()}, {"experiments": ()}, {"experiments": (384, 180)}):
        with pytest.raises(UnusableData, match="at least one subject, and experiments 384, 243 or both"):
            replace(ONE, **change).read(Files())


# --- version 7.3, through a stand-in for h5py


class _Dataset:
    def __init__(self, value, kind="double"):
        self.value, self.attrs = value, {"MATLAB_class": kind.encode()}

    def __getitem__(self, key):
        return self.value


class _File(dict):
    def __init__(self, held):
        super().__init__()
        self["examples"] = _Dataset(held["values"].T)
        self["meta"] = {"colToCoord": _Dataset(held["places"].T), "dimx": _Dataset(np.ones((1, 1)))}
        references = [f"#{i}" for i in range(len(held["sentences"]))]
        self["keySentences"] = _Dataset(np.array([references], object), "cell")
        for reference, text in zip(references, held["sentences"], strict=True):
            self[reference] = _Dataset(np.array([[ord(c)] for c in text], np.uint16), "char")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def test_version_73_is_read_with_h5py(tmp_path, monkeypatch):
    places, held = made.coordinates(5), {}
    for number, sentences in made.SENTENCES.items():
        path = tmp_path / f"pereira/P01/examples_{number}sentences.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0" * 512 + HDF5 + str(number).encode())
        values = np.stack([made.responses("P01", s, places) for s in sentences])
        held[path] = {"values": values, "places": places, "sentences": sentences}
    h5py = ModuleType("h5py")
    h5py.File = lambda path, mode: _File(held[path])
    monkeypatch.setitem(sys.modules, "h5py", h5py)
    check_planted(ONE.read(Files(tmp_path)))


def test_it_is_installed_with_what_is_known_of_it():
    signal = load_parts().signals.get("pereira") or Pereira()
    assert signal.card.rows == 627 and "Pereira et al. (2018)" in signal.card.citation
    assert signal.subjects == ("P01", "M02", "M04", "M07", "M15")
