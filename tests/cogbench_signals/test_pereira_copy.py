"""The copy on the hub gives what the authors' files give, reads the columns that are asked for, and tells each fault.

Nobody here has seen the copy: the files are made by the columns that its card states.
"""

import logging
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pereira_files as made
import pyarrow as pa
import pytest
from cogbench_estimators.cnm import CNM
from cogbench_signals.pereira import Pereira
from cogbench_signals.pereira_copy import COMMIT, HUB_FILES, HUB_ID, ROWS
from hub import Hub, Machine
from pyarrow import parquet
from repositories import GLUE, GLUE_COMMIT, glue_files

from cogbench import Files, MissingData, UnusableData, noise_ceiling
from cogbench.testing import check_signal

HERE = Files(offline=True)
ALL = Pereira()
FIRST = Pereira(subjects=("row-1",))
NUMBERS = pa.list_(pa.list_(pa.float64()))


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Put rows into the hub's cache, as files of the copy; return their folder."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / f"datasets--{HUB_ID.replace('/', '--')}" / "snapshots" / COMMIT

    def written(rows, schema=None):
        for name, content in made.copied_files(rows, HUB_FILES, schema).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    return written


def first_row(**changes):
    """Eight rows, the first one changed: a function of its value, or None to drop the column of all."""
    rows = made.copied_rows()
    for column, change in changes.items():
        if change is None:
            rows = [{name: value for name, value in row.items() if name != column} for row in rows]
        else:
            rows[0][column] = change(rows[0][column])
    return rows


def columns_by_content(values):
    """The columns of (n_sentences, n_voxels) in an order of their own."""
    return values[:, np.lexsort(values)]


# --- what it gives


def test_it_is_read_where_there_are_no_files_of_the_authors(put):
    put(made.copied_rows())
    recording = ALL.read(HERE)
    assert list(recording.subjects) == list(ROWS) == [f"row-{i}" for i in range(1, 9)]
    assert recording.sentences == tuple(sorted(made.SENTENCES[384]))
    assert all(r.values.shape == (384, 12) and r.present.all() for r in recording.subjects.values())
    assert (recording.origin.id, recording.origin.revision) == (HUB_ID, COMMIT) and not recording.synthetic
    assert recording.notes[0] == f"row-1: 12 voxels from row 1 of {Path(HUB_FILES[0]).name}."
    assert "experiment 384 alone; its rows do not say which subject they are" in recording.notes[-1]
    check_signal(ALL, HERE)
    CNM().refuse(recording)  # which it does not: the channels of all rows can be mapped


def test_channels_of_two_subjects_are_never_taken_for_the_same(put):
    put(made.copied_rows())
    recording = ALL.read(HERE)
    channels = [channel for r in recording.subjects.values() for channel in r.channels]
    assert len({*channels}) == len(channels) and channels[0] == "row-1-all-1"
    assert noise_ceiling(recording) is None


def test_each_row_has_its_own_values(put):
    put(made.copied_rows())
    recording = replace(ALL, zscore=False).read(HERE)
    for i, responses in enumerate(recording.subjects.values()):
        planted = [made.responses(f"S{i}", s, made.coordinates(12, i)) for s in recording.sentences]
        np.testing.assert_allclose(responses.values, planted, rtol=1e-6)


@pytest.mark.parametrize("zscore", [True, False])
@pytest.mark.parametrize(
    "regions", [(), *((name,) for name, _ in made.COPIED.values()), ("visual", "visual_body"), ("DMN", "languageLH")]
)
def test_the_same_voxels_in_both_forms_give_the_same_values(put, tmp_path, regions, zscore):
    put(made.copied_rows())
    for number in (384, 243):
        places, order = made.coordinates(12, 0), np.random.default_rng(10).permutation(number)
        made.write(tmp_path / "pereira/S0", "S0", number, places=places, order=order, change=made.with_copied_regions)
    how = {"regions": regions, "zscore": zscore}
    authors = Pereira(subjects=("S0",), experiments=(384,), **how).read(Files(tmp_path))
    copy = Pereira(subjects=("row-1",), **how).read(HERE)
    assert copy.sentences == authors.sentences and copy.unit == authors.unit
    values = [next(iter(r.subjects.values())).values for r in (authors, copy)]
    if not regions:
        np.testing.assert_array_equal(*values)
    np.testing.assert_array_equal(*map(columns_by_content, values))


def test_files_of_the_authors_go_first(put, tmp_path):
    put(made.copied_rows())
    made.subject(tmp_path / "data/pereira", "P01", seed=1)
    recording = ALL.read(Files(tmp_path / "data"))
    assert list(recording.subjects) == ["P01"] and len(recording.sentences) == 627
    (tmp_path / "other/pereira").mkdir(parents=True)
    assert list(ALL.read(Files(tmp_path / "other")).subjects) == list(ROWS)
    (tmp_path / "other/pereira/P01.tar").touch()
    with pytest.raises(MissingData, match="P01.tar must be unpacked"):
        ALL.read(Files(tmp_path / "other"))


def test_subjects_are_rows(put):
    put(made.copied_rows())
    recording = Pereira(subjects=("row-8", "row-3", "row-8")).read(HERE)
    assert list(recording.subjects) == ["row-8", "row-3"]
    planted = made.responses("S7", recording.sentences[0], made.coordinates(12, 7))
    raw = Pereira(subjects=("row-8",), zscore=False).read(HERE).subjects["row-8"]
    np.testing.assert_allclose(raw.values[0], planted, rtol=1e-6)


def test_columns_that_are_not_asked_for_are_not_read(put, monkeypatch):
    put(made.copied_rows())
    asked = []

    class Watched(parquet.ParquetFile):
        def iter_batches(self, *args, columns, **more):
            asked.append(columns)
            return super().iter_batches(*args, columns=columns, **more)

    monkeypatch.setattr(parquet, "ParquetFile", Watched)
    replace(FIRST, regions=("languagelh", "MD")).read(HERE)
    assert asked == [["sentences", "language_lh", "task"]]


def test_what_was_read_once_is_memory_mapped(put, tmp_path, monkeypatch):
    put(made.copied_rows())
    first = FIRST.read(HERE)
    assert isinstance(first.subjects["row-1"].values, np.memmap)
    monkeypatch.setattr("cogbench_signals.pereira.scan_row", None)
    assert FIRST.read(HERE).sha256 == first.sha256
    with pytest.raises(TypeError):  # other options are another reading
        replace(FIRST, regions=("MD",)).read(HERE)


@pytest.mark.parametrize(
    "changes, types",
    [
        ({"all": lambda rows: sum(rows, [])}, {"all": pa.list_(pa.float64())}),
        ({}, {"all": pa.large_list(pa.large_list(pa.float64()))}),
        ({}, {"all": pa.list_(pa.list_(pa.float64(), 12))}),
        ({}, {"all": pa.list_(pa.list_(pa.float32()))}),
        ({"sentences": "\n".join}, {"sentences": pa.string()}),
        ({"sentences": lambda texts: [f" {text} " for text in texts]}, {}),
    ],
    ids=["flat", "large", "fixed size", "float32", "one text", "white space"],
)
def test_other_forms_of_a_cell_are_read_too(put, changes, types):
    rows = [first_row(**changes)[0]] * 8
    names = [*made.COPIED, "all", "sentences"]
    usual = {**dict.fromkeys(names, NUMBERS), "sentences": pa.list_(pa.string())}
    put(rows, pa.schema({**usual, **types}))
    values = replace(FIRST, zscore=False).read(HERE).subjects["row-1"].values
    sentences = sorted(made.SENTENCES[384])
    np.testing.assert_allclose(values, [made.responses("S0", s, made.coordinates(12, 0)) for s in sentences], rtol=1e-6)


def test_broken_and_constant_voxels_are_dropped_and_counted(put):
    def damage(rows):
        rows[0][0], rows[1][1], rows[2][2] = float("nan"), None, float("inf")
        return [[*row[:3], 7.1, *row[4:]] for row in rows]

    put(first_row(all=damage))
    recording = FIRST.read(HERE)
    assert recording.subjects["row-1"].channels == tuple(f"row-1-all-{i}" for i in range(5, 13))
    assert "8 voxels" in recording.notes[0] and "with NaN or infinity: 3" in recording.notes[0]
    assert "constant in an experiment: 1." in recording.notes[0]


# --- what it lacks, and what is broken


@pytest.mark.parametrize(
    "options",
    [{"subjects": ("P01",)}, {"subjects": ("row-1", "row-9")}, {"experiments": (243,)}, {"regions": ("gordon",)}],
    ids=str,
)
def test_what_the_copy_does_not_hold_is_said_with_what_it_holds(put, options):
    put(made.copied_rows())
    with pytest.raises(MissingData) as caught:
        replace(ALL, **options).read(HERE)
    message = str(caught.value)
    assert "\n" not in message and "--data-dir DIR reads the authors' files" in message
    assert "experiment 384 alone, the subjects row-1 to row-8 without names, the regions languageLH," in message


def test_without_the_copy_a_run_says_what_to_fetch_and_asks_no_hub(put, monkeypatch):
    monkeypatch.setattr("cogbench.data.files.download_files", None)
    folder = put(made.copied_rows())
    (folder / HUB_FILES[1]).unlink()  # one of three is not enough
    with pytest.raises(MissingData) as caught:
        ALL.read(Files())
    message = str(caught.value)
    assert "\n" not in message and "`cogbench fetch --signal pereira` brings a copy" in message and "6.6 GB" in message
    with pytest.raises(MissingData, match="cogbench fetch. brings it where the hub can be asked"):
        ALL.read(Files(offline=True, fetching=True))


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"all": lambda rows: rows[:-1]},
            "holds as all 383 lists of 12 numbers; expected numbers for each of 384",
        ),
        ({"all": lambda rows: [rows[0][:5], *rows[1:]]}, "holds as all 384 lists of 5 to 12 numbers"),
        ({"all": lambda rows: [None, *rows[1:]]}, "holds as all 383 lists of 12 numbers"),
        ({"all": lambda rows: [[] for _ in rows]}, "holds as all 0 numbers"),
        ({"all": lambda rows: None}, "holds as all nothing"),
        ({"all": lambda rows: [[None] * 12 for _ in rows]}, "none of its 12 voxels varies and is finite"),
        ({"all": lambda rows: [[1.5] * 12 for _ in rows]}, "none of its 12 voxels varies"),
        ({"sentences": lambda texts: texts[:-1]}, "has 383 different sentences; expected 384"),
        ({"sentences": lambda texts: [texts[1], *texts[1:]]}, "has 383 different sentences; expected 384"),
        ({"sentences": lambda texts: [None, *texts[1:]]}, "expected a list of texts"),
        ({"sentences": lambda texts: None}, "expected a list of texts"),
    ],
)
def test_a_row_that_is_broken_is_left_out_in_one_line(put, caplog, changes, message):
    put(first_row(**changes))
    with caplog.at_level(logging.WARNING, "cogbench"):
        recording = ALL.read(HERE)
    assert list(recording.subjects) == list(ROWS[1:])
    assert recording.notes[-1].startswith("subject row-1 left out: ") and message in recording.notes[-1]
    assert "\n" not in recording.notes[-1] and message in caplog.text
    with pytest.raises(UnusableData) as caught:
        FIRST.read(HERE)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_column_of_texts_or_single_numbers_is_refused(put):
    rows = [{**row, "all": [["a"] * 12] * 384, "dmn": 1.5} for row in made.copied_rows()]
    put(rows)
    with pytest.raises(UnusableData, match="holds as all a list of string"):
        FIRST.read(HERE)
    with pytest.raises(UnusableData, match="holds as dmn double; expected numbers for each of 384 sentences"):
        replace(FIRST, regions=("DMN",)).read(HERE)


def test_a_subject_with_other_sentences_is_left_out(put):
    put(first_row(sentences=lambda texts: ["Quite another sentence stands here.", *texts[1:]]))
    recording = ALL.read(HERE)
    assert list(recording.subjects) == list(ROWS[1:])
    assert "row-1 left out: 1 of its sentences are not those of row-2" in recording.notes[-1]


@pytest.mark.parametrize("column", ["all", "sentences"])
def test_a_missing_column_is_named_with_those_there_are(put, column):
    put(first_row(**{column: None}))
    with pytest.raises(UnusableData, match=rf"lacks column {column}; it has .*language_lh.*task"):
        FIRST.read(HERE)


def test_another_number_of_rows_is_refused(put):
    put(made.copied_rows(7))
    with pytest.raises(UnusableData, match=f"the copy {HUB_ID} has 7 rows; expected 8"):
        FIRST.read(HERE)


def test_a_file_that_is_no_parquet_is_one_line(put):
    folder = put(made.copied_rows())
    (folder / HUB_FILES[0]).write_bytes(b"<html>not found</html>" * 9)
    with pytest.raises(UnusableData, match="train-00000-of-00003.* cannot be read as parquet") as caught:
        FIRST.read(HERE)
    assert "\n" not in str(caught.value)


# --- from the hub

PREAMBLE = """
from cogbench import CogbenchError, Files, fetch, load_parts
pereira = load_parts().signals["pereira"]

def read(**files):
    try:
        recording = pereira.read(Files(**files))
        return [*recording.subjects], recording.sha256
    except CogbenchError as error:
        return str(error)
"""


def test_only_fetch_downloads_and_only_by_name(tmp_path):
    with Hub(tmp_path / "hub") as hub, Machine(hub.environment(tmp_path / "home"), tmp_path, PREAMBLE) as machine:
        hub.add("datasets", GLUE, GLUE_COMMIT, glue_files())
        _, row = machine.ask("answers['rows'] = fetch(tasks='rte', signal='pereira')")["rows"]
        assert row["error"] == f"the hub has no data set {HUB_ID!r} at revision {COMMIT}."
        hub.requests.clear()
        hub.add("datasets", HUB_ID, COMMIT, made.copied_files(made.copied_rows(), HUB_FILES))
        assert "`cogbench fetch --signal pereira` brings a copy" in machine.ask("answers['run'] = read()")["run"]
        rows = machine.ask("answers['rows'] = fetch(tasks='rte')")["rows"]
        assert [row["state"] for row in rows] == ["there", "failed"] and "fetch --signal" in rows[1]["error"]
        assert not [path for path in hub.requests if HUB_ID in path]
        _, row = machine.ask("answers['rows'] = fetch(tasks='rte', signal='pereira')")["rows"]
        assert (row["state"], row["id"], row["revision"]) == ("fetched", HUB_ID, COMMIT) and not row["error"]
        assert row["bytes"] == sum(len(f) for f in made.copied_files(made.copied_rows(), HUB_FILES).values())
        asked = len(hub.requests)
        subjects, sha256 = machine.ask("answers['run'] = read(offline=True)")["run"]
        assert subjects == list(ROWS) and len(hub.requests) == asked
        _, row = machine.ask("answers['rows'] = fetch(tasks='rte', signal='pereira')")["rows"]
        assert row["state"] == "there" and sha256
