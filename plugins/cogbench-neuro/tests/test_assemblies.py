"""Assemblies in netCDF: the values are those of xarray's selection by coordinates."""

import sys
import warnings

import numpy as np
import pytest

from cogbench import Files, MissingData, UnknownName, UnusableData, load_parts, noise_ceiling
from cogbench.testing import Reader, check_reader, check_signal

xarray = pytest.importorskip("xarray", reason="xarray reads netCDF")
pytest.importorskip("h5netcdf", reason="h5netcdf reads netCDF 4")

from neuro_files import SENTENCES, make_assembly, random  # noqa: E402

FILES = Files(offline=True)
ENGINES = pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])


def read(address):
    return load_parts().find("signal", str(address)).read(FILES)


def has(recording, *words):
    return any(all(word in note for word in words) for note in recording.notes)


def write(path, array, engine="h5netcdf"):
    array.to_netcdf(path, engine=engine)
    return path


@ENGINES
def test_each_subject_has_its_neuroids(tmp_path, engine):
    array = make_assembly()
    recording = read(write(tmp_path / "a.nc", array, engine))
    assert recording.sentences == tuple(SENTENCES) and [*recording.subjects] == ["018", "024"]
    for subject, responses in recording.subjects.items():
        np.testing.assert_array_equal(responses.values, array.values[:, array.subject == subject])
        assert responses.channels == tuple(array.neuroid_id.values[array.subject == subject])
    assert has(recording, "sentences: coordinate stimulus of the presentations.")
    assert has(recording, "subjects: coordinate subject of the neuroids.")
    assert has(recording, "names of channels: coordinate neuroid_id.")


def test_what_a_subject_did_not_see_is_absent(tmp_path):
    array = make_assembly()
    array.values[4:, :3] = np.nan  # of the first subject, as where two experiments stand in one assembly
    recording = read(write(tmp_path / "a.nc", array))
    assert recording.subjects["018"].present.tolist() == [True] * 4 + [False] * 2
    assert recording.subjects["024"].present.all() and len(recording.subjects["018"].channels) == 3


def test_channels_of_one_name_are_compared_between_subjects(tmp_path):
    sentences = [f"Sentence number {i} it is." for i in range(50)]
    array = make_assembly(sentences=sentences)
    path = write(tmp_path / "a.nc", array)
    assert noise_ceiling(read(path)) is None
    ceiling = noise_ceiling(read(f"{path},names=voxel"))
    assert ceiling.channels == ("v0", "v1", "v2") and ceiling.way == "subjects"
    assert ceiling.values[1] == pytest.approx(np.corrcoef(array.values[:, 1], array.values[:, 4])[0, 1])


def test_repeated_presentations_and_subjects_of_presentations(tmp_path):
    sentences = [f"Sentence number {i} it is." for i in range(30)]
    coords = {
        "sentence": ("presentation", sentences * 4),
        "participant_id": ("presentation", np.repeat([3, 5], 60)),
        "channel": ("neuroid", ["Cz", "Pz"]),
    }
    data = random(120, 2).astype(np.float32)
    array = xarray.DataArray(data, dims=("presentation", "neuroid"), coords=coords, attrs={"units": "uV"}, name="eeg")
    recording = read(write(tmp_path / "a.nc", array))
    assert [*recording.subjects] == ["3", "5"] and recording.unit == "uV"
    frame = array.to_pandas().groupby([array.participant_id.values, array.sentence.values], sort=False).mean()
    for who in (3, 5):
        np.testing.assert_allclose(recording.subjects[str(who)].values, frame.loc[who].loc[sentences], rtol=1e-5)
    np.testing.assert_array_equal(recording.subjects["5"].halves, data[60:].reshape(2, 30, 2))
    assert recording.subjects["5"].channels == ("Cz", "Pz")
    assert has(recording, "averaged, which a subject has more than once: 60.")


def test_dimensions_of_one_element_and_another_order_mean_nothing(tmp_path):
    array = make_assembly()
    turned = array.expand_dims({"time_bin": 1}).transpose("neuroid", "time_bin", "presentation")
    recording = read(write(tmp_path / "a.nc", turned))
    np.testing.assert_array_equal(recording.subjects["024"].values, array.values[:, 3:])


def test_sentences_of_a_file_and_options(tmp_path):
    array = make_assembly().drop_vars(["stimulus", "subject"])
    path = write(tmp_path / "sub-9_data.nc", array)
    (tmp_path / "s.txt").write_text("\n".join(SENTENCES))
    recording = read(f"{path},sentences={tmp_path}/s.txt,names=neuroid_id,channels=024.4:018.0,unit=z")
    assert recording.subjects["sub-9"].channels == ("024.4", "018.0") and recording.unit == "z"
    np.testing.assert_array_equal(recording.subjects["sub-9"].values, array.values[:, [4, 0]])


def test_it_keeps_the_promises_of_a_signal(tmp_path):
    path = write(tmp_path / "a.nc", make_assembly())
    check_signal(load_parts().find("signal", str(path)), FILES)


# --- bad input, one line each


def two_arrays():
    array = make_assembly()
    return xarray.Dataset({"a": array, "b": array + 1})


@pytest.mark.parametrize(
    "make, options, error, message",
    [
        (
            two_arrays,
            "",
            UnusableData,
            "which of a, b is meant; values=NAME says it; it has a .presentation 6, neuroid 6",
        ),
        (
            lambda: make_assembly().expand_dims({"time_bin": 2}),
            "",
            UnusableData,
            "no array of presentations and neuroids",
        ),
        (
            lambda: make_assembly().expand_dims({"t": 2}),
            ",values=data",
            UnusableData,
            "expected two dimensions, .*t 2, presentation 6",
        ),
        (lambda: make_assembly()[:, 0], "", UnusableData, "no array of presentations and neuroids"),
        (lambda: make_assembly().drop_vars("stimulus"), "", UnusableData, "no coordinate of sentences: sentence=NAME"),
        (make_assembly, ",sentence=passage_index", UnusableData, "coordinate passage_index holds no texts"),
        (make_assembly, ",sentence=words", UnknownName, "unknown coordinate 'words'"),
        (make_assembly, ",subject=who", UnknownName, "unknown coordinate 'who'"),
        (make_assembly, ",values=x", UnknownName, "unknown variable 'x'"),
        (make_assembly, ",names=subject", UnusableData, "two channels of a subject are called '018'"),
        (lambda: make_assembly() + 1j, "", UnusableData, "the values are complex numbers"),
        (lambda: make_assembly() * 0, "", UnusableData, "no channel varies over the sentences"),
        (lambda: make_assembly().astype(str), ",values=data", UnusableData, "data holds no numbers"),
    ],
)
def test_bad_input_is_one_line(tmp_path, make, options, error, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # complex numbers are no valid netCDF, but are found in it
        make().to_netcdf(tmp_path / "a.nc", engine="h5netcdf", invalid_netcdf=True)
    with pytest.raises(error, match=message) as caught:
        read(f"{tmp_path}/a.nc{options}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no netCDF", b"\x89HDF\r\n\x1a\n" + b"\0" * 600, b"CDF\x01" + b"\0" * 20])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.nc").write_bytes(content)
    with pytest.raises(UnusableData) as caught:
        read(tmp_path / "a.nc")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["xarray", "h5netcdf"])
def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch, name):
    path = write(tmp_path / "a.nc", make_assembly())
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingData, match=f"is read by {name}, which is not installed: pip install {name}"):
        read(path)


@ENGINES
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path, engine):
    def make(folder):
        return write(folder / "a.nc", make_assembly(), engine)

    check_reader(Reader("an assembly", make, read), tmp_path, rounds=40, seed=1)
