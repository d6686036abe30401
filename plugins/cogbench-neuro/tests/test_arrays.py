"""Files of arrays: MATLAB of both versions and HDF5 give the values that scipy and h5py read."""

import os
import sys
from time import sleep

import numpy as np
import pytest
from cogbench_neuro import arrays, deadline
from cogbench_neuro.assemblies import Assembly
from neuro_files import NAMES, SENTENCES, K, N, cells, random, write_hdf5, write_matlab_73
from scipy.io import savemat

from cogbench import Files, MissingData, UnknownName, UnusableData, load_parts, noise_ceiling, read_matlab
from cogbench.testing import Reader, check_reader, check_signal

pytest.importorskip("h5py", reason="h5py reads HDF5")

FILES = Files(offline=True)


def read(address):
    return load_parts().find("signal", str(address)).read(FILES)


def has(recording, *words):
    return any(all(word in note for word in words) for note in recording.notes)


def write_matlab_5(path, **arrays):
    def plain(value):
        if isinstance(value, dict):
            return {name: plain(held) for name, held in value.items()}
        return cells(value) if isinstance(value, list | tuple) else value

    savemat(path, {name: plain(value) for name, value in arrays.items()})
    return path


def write_h5(path, **arrays):
    def flat(held, prefix=""):
        for name, value in held.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{name}__")
            else:
                yield f"{prefix}{name}", value

    return write_hdf5(path.with_suffix(".h5"), **dict(flat(arrays)))


WRITERS = {"v5": write_matlab_5, "v73": write_matlab_73, "hdf5": write_h5}
every_format = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@every_format
def test_what_can_mean_one_thing_only_need_not_be_named(write, tmp_path):
    values = random(N, K)
    path = write(tmp_path / "rec.mat", betas=values, sentences=list(SENTENCES), channels=list(NAMES), rate=250.0)
    recording = read(path)
    assert recording.sentences == tuple(SENTENCES) and [*recording.subjects] == ["all"]
    np.testing.assert_array_equal(recording.subjects["all"].values, values)
    assert recording.subjects["all"].channels == tuple(NAMES)
    assert has(recording, "values: betas.") and has(recording, "sentences: sentences.")
    assert has(recording, "names of channels: channels.")


@every_format
def test_roles_are_named(write, tmp_path):
    values = random(2 * N, K)
    path = write(
        tmp_path / "rec.mat",
        other=random(2 * N, K, seed=1),
        data={"eeg": values, "shown": SENTENCES * 2, "who": ["a"] * N + ["b"] * N, "electrode": list(NAMES)},
    )
    dot = "/" if path.suffix == ".h5" else "."
    roles = {"values": "eeg", "sentence": "shown", "subject": "who", "names": "electrode"}
    recording = read(f"{path}," + ",".join(f"{role}=data{dot}{name}" for role, name in roles.items()) + ",unit=µV")
    np.testing.assert_array_equal(recording.subjects["b"].values, values[N:])
    assert [*recording.subjects] == ["a", "b"] and recording.subjects["a"].channels == tuple(NAMES)
    assert recording.unit == "µV" and has(recording, f"subjects: data{dot}who.")


@every_format
def test_rows_that_are_channels_are_transposed_when_it_is_said(write, tmp_path):
    values = random(K, N)
    path = write(tmp_path / "rec.mat", x=values, sentences=list(SENTENCES))
    with pytest.raises(
        UnusableData, match="x has 5 rows, and there are 6 sentences; the rows are channels.*transpose=true"
    ):
        read(path)
    np.testing.assert_array_equal(read(f"{path},transpose=true").subjects["all"].values, values.T)


@every_format
def test_a_number_for_each_subject_and_sentences_of_a_file(write, tmp_path):
    values = random(2 * N, K)
    path = write(tmp_path / "rec.mat", x=values, subject=np.repeat([1.0, 2.0], N)[:, None])
    (tmp_path / "s.txt").write_text("\n".join(SENTENCES * 2) + "\n", "utf-8")
    recording = read(f"{path},sentences={tmp_path}/s.txt")
    assert [*recording.subjects] == ["1", "2"]
    np.testing.assert_array_equal(recording.subjects["1"].values, values[:N])


def test_an_array_of_structs_has_a_row_for_each(tmp_path):
    values = random(N, K)
    records = np.empty((1, N), [("content", object), ("bands", object), ("word", object)])
    for i, text in enumerate(SENTENCES):
        records[0, i] = (text, values[i][None], cells(text.split()))
    savemat(tmp_path / "a.mat", {"sentenceData": records})
    fields = {"content": tuple(SENTENCES), "bands": tuple(row[:, None] for row in values)}
    write_matlab_73(tmp_path / "b.mat", sentenceData=fields)
    for name in "ab":
        recording = read(f"{tmp_path}/{name}.mat,values=sentenceData.bands,sentence=sentenceData.content")
        np.testing.assert_array_equal(recording.subjects["all"].values, values)
        assert recording.sentences == tuple(SENTENCES)


def test_files_of_subjects_are_named_by_a_pattern(tmp_path):
    shared = random(40, 3)
    for i, who in enumerate(("P01", "P02", "P10")):
        sentences = [f"Sentence number {k} is here." for k in range(40)]
        write_hdf5(tmp_path / f"{who}.h5", values=shared + random(40, 3, seed=i + 1), sentences=sentences)
    recording = read(tmp_path / "P*.h5")
    assert [*recording.subjects] == ["P01", "P02", "P10"]
    ceiling = noise_ceiling(recording)
    held = [recording.subjects[s].values[:, 0] for s in ("P01", "P02", "P10")]
    pairs = [np.corrcoef(held[i], held[j])[0, 1] for i, j in ((0, 1), (0, 2), (1, 2))]
    assert ceiling.way == "subjects" and ceiling.values[0] == pytest.approx(np.mean(pairs))


def test_repeated_rows_are_averaged_and_tell_the_reliability(tmp_path):
    rng = np.random.default_rng(0)
    order = rng.permutation(np.repeat(np.arange(200), np.where(np.arange(200) < 40, 10, 1)))
    values = rng.normal(size=(200, 30))[order] + rng.normal(size=(len(order), 30))
    path = write_hdf5(tmp_path / "a.h5", x=values, sentences=[f"Sentence number {i}." for i in order])
    ceiling = noise_ceiling(read(path))
    assert ceiling.way == "repetitions"
    assert np.median(ceiling.values) == pytest.approx(1 / (1 + (0.2 * 0.1 + 0.8)), abs=0.05)
    with pytest.raises(UnusableData, match="subject all has 40 sentences more than once"):
        read(f"{path},duplicates=refuse")


def test_single_precision_and_units_stay_as_they_are(tmp_path):
    values = random(N, K).astype(np.float32)
    recording = read(write_hdf5(tmp_path / "a.hf5", x=values, sentences=SENTENCES, units={"x": "fT"}))
    assert recording.unit == "fT" and recording.subjects["all"].values.dtype == np.float32
    np.testing.assert_array_equal(recording.subjects["all"].values, values)


def test_accents_and_white_space_make_no_two_sentences_of_one(tmp_path):
    texts = ["Le café est  fermé.", "Le cafe\u0301 est ferme\u0301.", *SENTENCES]
    recording = read(write_hdf5(tmp_path / "a.h5", x=random(8, 3), sentences=texts))
    assert recording.sentences == ("Le café est fermé.", *SENTENCES)
    assert has(recording, "rows whose accents were joined with their letters: 1.")


def test_matlab_files_are_read_as_scipy_reads_them(tmp_path):
    held = {"cell": ["one", "two three"], "text": "four", "inner": {"x": random(2, 3), "deep": {"y": random(3, 1)}}}
    held["mixed"] = [random(1, 2), "five", ["six"]]
    five = read_matlab(write_matlab_5(tmp_path / "a.mat", **{k: v for k, v in held.items() if k != "mixed"}))
    seven = read_matlab(write_matlab_73(tmp_path / "b.mat", **held))
    for read_back in (five, seven):
        assert read_back["cell"] == ["one", "two three"] and read_back["text"] == "four"
        np.testing.assert_array_equal(read_back["inner"]["x"], held["inner"]["x"])
        np.testing.assert_array_equal(read_back["inner"]["deep"]["y"], held["inner"]["deep"]["y"])
    assert seven["mixed"][1:] == ["five", ["six"]] and set(seven) == set(held)
    assert set(read_matlab(tmp_path / "a.mat", ["text"])) == {"text"}


@pytest.mark.parametrize("name", ["a.mat", "a.h5"])
def test_it_keeps_the_promises_of_a_signal(tmp_path, name):
    write = write_matlab_5 if name.endswith("mat") else write_hdf5
    path = write(tmp_path / name, x=random(N, K), sentences=list(SENTENCES))
    check_signal(load_parts().find("signal", str(path)), FILES)


# --- bad input, one line each

TEXTS = list(SENTENCES)


@every_format
@pytest.mark.parametrize(
    "arrays, options, error, message",
    [
        ({"x": random(N, K)}, "", UnusableData, "it has no texts that could be the 6 sentences; sentence=NAME"),
        (
            {"x": random(N, K), "y": random(N, K), "s": TEXTS},
            "",
            UnusableData,
            "which of x, y are the values; values=NAME",
        ),
        ({"s": TEXTS}, "", UnusableData, "no matrix of numbers is in it; values=NAME"),
        (
            {"x": random(N, K), "s": TEXTS, "t": TEXTS},
            "",
            UnusableData,
            "which of s, t are the sentences; sentence=NAME",
        ),
        ({"x": random(N, K), "s": TEXTS[:4]}, ",sentence=s", UnusableData, "x has 6 rows, and there are 4 sentences"),
        ({"x": random(N, K) + 1j, "s": TEXTS}, ",values=x", UnusableData, "x cannot be the values: it holds .*complex"),
        ({"x": random(N, K, 2), "s": TEXTS}, ",values=x", UnusableData, "x has the shape 6 x 5 x 2; expected a row"),
        ({"x": random(N, K), "s": TEXTS}, ",values=z", UnknownName, "unknown variable 'z'"),
        (
            {"x": random(N, K), "s": TEXTS},
            ",sentence=x",
            UnusableData,
            "x cannot be the sentences: it holds 6 x 5 numbers",
        ),
        ({"x": random(N, K), "s": TEXTS}, ",names=s", UnusableData, "s holds 6 texts; expected 5 names"),
        ({"x": random(N, K), "s": TEXTS, "n": ["a"] * K}, ",names=n", UnusableData, "two channels are called 'a'"),
        ({"x": random(N, K), "s": TEXTS}, ",channels=x[9]", UnknownName, r"unknown channel 'x\[9\]'"),
        ({"x": np.full((N, K), np.nan), "s": TEXTS}, "", UnusableData, "no row has both a sentence and a number"),
        ({"x": np.ones((N, K)), "s": TEXTS}, "", UnusableData, "no channel varies over the sentences"),
        ({"x": random(N, K), "s": TEXTS}, ",transpose=yes please", UnusableData, "should be a valid boolean"),
        ({"x": random(N, K), "s": TEXTS}, ",mask=y", UnknownName, "unknown option of .* 'mask'"),
    ],
)
def test_bad_input_is_one_line(write, tmp_path, arrays, options, error, message):
    with pytest.raises(error, match=message) as caught:
        read(f"{write(tmp_path / 'a.mat', **arrays)}{options}")
    assert "\n" not in str(caught.value)


def test_objects_are_refused(tmp_path):
    import h5py

    savemat(tmp_path / "a.mat", {"x": cells([random(1, 2), "text", random(1, 3)]), "s": cells(SENTENCES)})
    with pytest.raises(UnusableData, match="x cannot be the values: it holds 3 cells of different kinds or lengths"):
        read(f"{tmp_path}/a.mat,values=x")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = np.zeros(6, [("a", "f8"), ("b", "f8")])
        file["s"] = SENTENCES
        file.create_dataset("ragged", (6,), h5py.vlen_dtype(np.float64))
    with pytest.raises(UnusableData, match="x cannot be the values: it holds 6 a table"):
        read(f"{tmp_path}/b.h5,values=x")
    with pytest.raises(UnusableData, match="ragged cannot be the values: it holds 6 objects"):
        read(f"{tmp_path}/b.h5,values=ragged")


@pytest.mark.parametrize("name", ["a.mat", "a.h5"])
@pytest.mark.parametrize("content", [b"", b"no such file at all, for sure", b"\x89HDF\r\n\x1a\n" + b"\0" * 600])
def test_other_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableData, match="cannot be read as|is empty") as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch):
    write_hdf5(tmp_path / "a.h5", x=random(N, K), sentences=SENTENCES)
    write_matlab_73(tmp_path / "a.mat", x=random(N, K), sentences=list(SENTENCES))
    monkeypatch.setitem(sys.modules, "h5py", None)
    for name in ("a.h5", "a.mat"):
        with pytest.raises(MissingData, match="pip install h5py"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    "fault, says",
    [(lambda: sleep(60), "does not come to an end within"), (lambda: os.kill(os.getpid(), 9), "breaks d")],
)
@pytest.mark.parametrize("ending", ["h5", "mat", "nc"])
def test_a_file_with_which_the_library_does_not_end_is_refused(tmp_path, monkeypatch, fault, says, ending):
    path, write = tmp_path / f"a.{ending}", write_matlab_73 if ending == "mat" else write_hdf5
    write(path, x=random(N, K), sentences=list(SENTENCES))

    def stuck(*arguments, **options):
        if os.getpid() != here:
            fault()

    here = os.getpid()
    monkeypatch.setattr(deadline, "SECONDS", 60.0 if says == "breaks d" else 0.5)
    for owner, name in ((arrays, "content_of"), (arrays, "read_matlab"), (Assembly, "_rows")):
        monkeypatch.setattr(owner, name, stuck)
    with pytest.raises(UnusableData, match=says) as refusal:
        read(path)
    assert "\n" not in str(refusal.value)


@every_format
def test_a_damaged_file_is_read_or_refused_in_one_line(write, tmp_path):
    def make(folder):
        return write(folder / "a.mat", x=random(N, K), s={"sentences": list(SENTENCES), "who": ["a"] * N})

    check_reader(Reader("arrays", make, read), tmp_path, rounds=60, seed=1)
