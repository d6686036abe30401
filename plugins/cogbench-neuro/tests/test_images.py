"""Beta images: the values are nilearn's and numpy's own reading, and whatever does not fit is one line."""

import sys

import numpy as np
import pytest

from cogbench import Files, MissingData, UnknownName, UnusableData, load_parts, noise_ceiling
from cogbench.testing import Reader, check_reader, check_signal

pytest.importorskip("nilearn", reason="nilearn reads images")

from neuro_files import SENTENCES, bids, inside, random, write_events, write_image  # noqa: E402

FILES = Files(offline=True)
BETAS = "sub-*/func/*betas_bold.nii.gz"


def signal(address):
    return load_parts().find("signal", str(address))


def read(address):
    return signal(address).read(FILES)


def has(recording, *words):
    return any(all(word in note for word in words) for note in recording.notes)


def one(folder, volumes=None, name="sub-01_betas.nii.gz", sentences=SENTENCES):
    """Write one image and its events."""
    volumes = random(len(SENTENCES), 3, 4, 2) if volumes is None else volumes
    write_events(folder / "sub-01_events.tsv", sentences)
    return write_image(folder / name, volumes)


def test_the_values_are_those_that_nilearn_reads(tmp_path):
    from nilearn.masking import apply_mask

    volumes = bids(tmp_path)
    recording = read(tmp_path / BETAS)
    assert recording.sentences == tuple(SENTENCES) and [*recording.subjects] == ["sub-01", "sub-02"]
    where = np.argwhere(inside())
    for subject, responses in recording.subjects.items():
        place = tmp_path / subject / "func"
        masked = apply_mask(
            place / f"{subject}_task-read_space-MNI_desc-betas_bold.nii.gz",
            place / f"{subject}_space-MNI_desc-brain_mask.nii.gz",
        )
        np.testing.assert_allclose(responses.values[1:], masked[1:6])
        np.testing.assert_allclose(responses.values[0], masked[[0, 6]].mean(axis=0), rtol=1e-6)  # shown twice
        np.testing.assert_array_equal(responses.halves[:, 0], masked[[0, 6]])
        assert responses.channels == tuple(f"{x}-{y}-{z}" for x, y, z in where)
        x, y, z = where[3]
        assert responses.values[2, 3] == volumes[subject[4:]][2, x, y, z]  # the channel's name is its place
    assert has(recording, "sentences: column sentence of the events.")
    assert has(recording, "sentences averaged, which a subject has more than once: 2.")


def test_reliability_is_between_subjects_where_nothing_was_repeated(tmp_path):
    sentences = [f"Sentence number {i} is short." for i in range(60)]
    volumes = bids(tmp_path, sentences=sentences)
    ceiling = noise_ceiling(read(tmp_path / BETAS))
    x, y, z = np.argwhere(inside())[0]
    expected = np.corrcoef(volumes["01"][:, x, y, z], volumes["02"][:, x, y, z])[0, 1]
    assert ceiling.way == "subjects" and ceiling.values[0] == pytest.approx(expected, abs=1e-6)


def test_files_events_and_mask_may_be_named(tmp_path):
    volumes = random(6, 3, 4, 2)
    image = write_image(tmp_path / "a" / "betas.nii", volumes)
    mask = write_image(tmp_path / "b" / "roi, left.nii", inside().astype(np.int16))
    events = write_events(tmp_path / "b" / "mine.tsv", SENTENCES, column="words shown")
    recording = read(f"{image},events={events},mask={mask},sentence=words shown,unit=z")
    np.testing.assert_allclose(recording.subjects["all"].values, volumes[:, inside()], rtol=1e-6)
    assert recording.unit == "z" and signal(image).name == "betas"
    text = tmp_path / "b" / "sentences.txt"
    text.write_text("\n".join(SENTENCES) + "\n")
    assert read(f"{image},sentences={text},mask={mask}").sentences == tuple(SENTENCES)


def test_one_volume_a_file_is_joined_in_the_order_of_numbers(tmp_path):
    volumes = random(12, 2, 2, 2).astype(np.float32)
    sentences = [f"Sentence {i} ends here." for i in range(12)]
    for i, volume in enumerate(volumes):
        write_image(tmp_path / f"sub-07_beta_{i + 1}.nii.gz", volume)  # 10 comes after 9
    events = write_events(tmp_path / "events.tsv", sentences)
    recording = read(f"{tmp_path}/sub-07_beta_*.nii.gz,events={events}")
    np.testing.assert_array_equal(recording.subjects["sub-07"].values, volumes.reshape(12, -1))
    assert recording.sentences == tuple(sentences) and has(recording, "no mask")


def test_runs_of_a_subject_are_joined_each_with_its_own_events(tmp_path):
    volumes = random(2, 6, 3, 2, 2).astype(np.float32)
    for run in (1, 2):
        write_image(tmp_path / f"sub-01_run-{run}_betas.nii.gz", volumes[run - 1])
        write_events(tmp_path / f"sub-01_run-0{run}_events.tsv", SENTENCES[::-1] if run == 2 else SENTENCES)
    recording = read(tmp_path / "sub-01_run-*_betas.nii.gz")
    responses = recording.subjects["sub-01"]
    both = np.stack([volumes[0], volumes[1, ::-1]]).reshape(2, 6, -1)
    np.testing.assert_allclose(responses.values, both.mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(responses.halves, both)


def test_events_without_a_sentence_have_no_volume_or_one_that_is_dropped(tmp_path):
    shown = [*SENTENCES[:3], "", *SENTENCES[3:]]
    volumes = random(7, 2, 2, 2).astype(np.float32)
    recording = read(one(tmp_path, volumes, sentences=shown))
    np.testing.assert_array_equal(recording.subjects["sub-01"].values, np.delete(volumes, 3, 0).reshape(6, -1))
    assert has(recording, "rows dropped, without sentence: 1.")
    recording = read(one(tmp_path, volumes[:6], sentences=shown))
    np.testing.assert_array_equal(recording.subjects["sub-01"].values, volumes[:6].reshape(6, -1))


def test_voxels_without_a_value_or_that_never_vary_are_dropped_and_counted(tmp_path):
    volumes = random(6, 2, 2, 2)
    volumes[:, 0, 0, 0] = 0
    volumes[2, 1, 1, 1] = np.nan
    volumes[4, 1, 0, 1] = np.inf
    image = one(tmp_path, volumes)
    recording = read(image)
    assert recording.subjects["sub-01"].channels == ("0-0-1", "0-1-0", "0-1-1", "1-0-0", "1-1-0")
    assert has(recording, "without a value for some sentence: 2.") and has(recording, "constant: 1.")
    assert has(recording, "infinite values, taken as missing: 1.")
    recording = read(f"{image},missing=sentences")
    assert len(recording.subjects["sub-01"].channels) == 7 and recording.subjects["sub-01"].present.sum() == 4
    assert has(recording, "absent for a subject, with values in some channels only: 2.")


def test_voxels_of_other_spaces_are_not_compared(tmp_path):
    for number, size in (("01", 2.0), ("02", 3.0)):
        write_image(tmp_path / f"sub-{number}_betas.nii.gz", random(6, 2, 2, 2), np.diag([size, size, size, 1]))
        write_events(tmp_path / f"sub-{number}_events.tsv", SENTENCES)
    recording = read(tmp_path / "sub-*_betas.nii.gz")
    assert has(recording, "different spaces") and noise_ceiling(recording) is None
    assert recording.subjects["sub-02"].channels[0] == "sub-02: 0-0-0"


def test_it_keeps_the_promises_of_a_signal(tmp_path):
    bids(tmp_path)
    check_signal(signal(tmp_path / BETAS), FILES)


# --- bad input, one line each


def other_mask(folder):
    write_image(folder / "sub-01_mask.nii.gz", np.ones((3, 3, 3), np.uint8))
    return one(folder)


def moved_mask(folder):
    write_image(folder / "sub-01_mask.nii.gz", np.ones((3, 4, 2), np.uint8), np.diag([3.0, 3, 3, 1]))
    return one(folder)


def empty_mask(folder):
    write_image(folder / "sub-01_mask.nii.gz", np.zeros((3, 4, 2), np.uint8))
    return one(folder)


def two_masks(folder):
    for name in ("a", "b"):
        write_image(folder / f"sub-01_desc-{name}_mask.nii.gz", np.ones((3, 4, 2), np.uint8))
    return one(folder)


def no_events(folder):
    image = one(folder)
    (folder / "sub-01_events.tsv").unlink()
    return image


def no_column(folder):
    image = one(folder)
    write_events(folder / "sub-01_events.tsv", SENTENCES, column="shown")
    return image


def two_shapes(folder):
    write_image(folder / "sub-01_beta_1.nii.gz", random(2, 2, 2))
    write_image(folder / "sub-01_beta_2.nii.gz", random(2, 2, 3))
    write_events(folder / "sub-01_events.tsv", SENTENCES[:2])
    return folder / "sub-01_beta_*.nii.gz"


def damaged(folder):
    image = one(folder)
    image.write_bytes(image.read_bytes()[:200])
    return image


@pytest.mark.parametrize(
    "make, error, message",
    [
        (other_mask, UnusableData, r"the mask does not fit: it has the shape \(3, 3, 3\), and .* has \(3, 4, 2\)"),
        (moved_mask, UnusableData, "or lies elsewhere"),
        (empty_mask, UnusableData, "cannot be read as NIfTI: .*mask"),
        (two_masks, UnusableData, "several masks lie beside it, .*: name one, mask=FILE"),
        (no_events, MissingData, r"no table of events \(\*_events.tsv\) lies beside it; name one, events=FILE"),
        (
            no_column,
            UnusableData,
            "no column of sentences: sentence=COLUMN names it; it has onset, duration, trial_type, shown",
        ),
        (two_shapes, UnusableData, "its voxels lie elsewhere, or are others, than those of sub-01_beta_1"),
        (damaged, UnusableData, "cannot be read as NIfTI"),
        (
            lambda f: one(f, random(5, 3, 4, 2)),
            UnusableData,
            "5 volumes, and sub-01_events.tsv has 6 events, 6 of them",
        ),
        (lambda f: one(f, random(6, 3, 4, 2) + 1j), UnusableData, "no real numbers but of type complex64"),
        (lambda f: one(f, np.zeros((6, 3, 4, 2))), UnusableData, "no channel varies over the sentences"),
        (lambda f: f"{one(f)},sentence=word", UnknownName, "unknown column 'word'"),
        (lambda f: f"{one(f)},channels=1-1-1:9-9-9", UnknownName, "unknown channel '9-9-9'"),
        (lambda f: f"{one(f)},maks=x.nii", UnknownName, "unknown option of 'sub-01_betas' 'maks'; did you mean 'mask'"),
        (lambda f: f"{one(f)},sentences={f}/no.txt", MissingData, "no file .*no.txt' of sentences"),
        (lambda f: f"{one(f)},mask={f}/no.nii", MissingData, "no file .*no.nii' for mask"),
        (lambda f: f / "none-*.nii.gz", MissingData, r"no file .*none-\*.nii.gz' for signal"),
        (lambda f: one(f, name="sub-01.dtseries.nii"), UnusableData, "CIFTI files are not read"),
    ],
)
def test_bad_input_is_one_line(tmp_path, make, error, message):
    with pytest.raises(error, match=message) as caught:
        read(make(tmp_path))
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value) or error is UnknownName


def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch):
    image = one(tmp_path)
    monkeypatch.setitem(sys.modules, "nilearn", None)
    with pytest.raises(MissingData, match="is read by nilearn, which is not installed: pip install nilearn"):
        read(image)


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_a_damaged_image_is_read_or_refused_in_one_line(tmp_path, ending):
    def make(folder):
        return one(folder, name=f"sub-01_betas.{ending}")

    check_reader(Reader("an image", make, read), tmp_path, rounds=60)
