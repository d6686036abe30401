"""The table signal: files of every kind, each rule of reading, each bad input, and the real recordings."""

import hashlib
import json
import pickle
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cogbench_signals.table import TableSignal, register_signals
from hypothesis import given, settings
from hypothesis import strategies as st

from cogbench import Files, MissingData, UnknownName, UnusableData, noise_ceiling
from cogbench.parts.codec import decode, encode
from cogbench.parts.interfaces import Signal
from cogbench.parts.registry import Opener
from cogbench.parts.set_options import varied

COGNITIVE = Path(__file__).parents[3] / "shared/data/cognitive"
FILES = Files(offline=True)
SENTENCES = ["The ferry left at noon.", "Nobody  heard the bell ring.", "Übung macht den Meister.", "It rained."]
CLEAN = ("The ferry left at noon.", "Nobody heard the bell ring.", "Übung macht den Meister.", "It rained.")
RT = [310.5, 295.25, 402.0, 280.125]


def write(path, columns):
    """Write a table in the format that its ending names."""
    table = pa.table(columns) if not isinstance(columns, pa.Table) else columns
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table.to_pylist()), "utf-8")
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        cells = [table.column_names, *(row.values() for row in table.to_pylist())]
        lines = (mark.join("" if c is None else f'"{c}"' if isinstance(c, str) else str(c) for c in r) for r in cells)
        path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def read(path, columns="", **options):
    signal = TableSignal().open(f"{path}:{columns}" if columns else str(path))
    return replace(signal, **options).read(FILES)


def values(recording, subject="all"):
    return recording.subjects[subject].values


def has(recording, *words):
    """Whether one note holds all these words."""
    return any(all(word in note for word in words) for note in recording.notes)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "reading").mkdir()
    return tmp_path / "reading"


# --- the part


def test_it_is_a_plain_part_that_opens_addresses(folder):
    (signal,) = register_signals()
    assert isinstance(signal, Signal) and isinstance(signal, Opener)
    opened = signal.open(f"{folder}/a.csv:rt,n")
    assert opened == TableSignal("a", folder / "a.csv", ("rt", "n"))
    assert decode(json.loads(json.dumps(encode(opened)))) == opened == pickle.loads(pickle.dumps(opened))
    assert len({opened, signal}) == 2


def test_without_a_file_it_says_how_to_name_one():
    with pytest.raises(MissingData, match=r"--signal FILE:col1,col2"):
        TableSignal().read(FILES)


@pytest.mark.parametrize(
    "address", ["pereira", "cra+cnm", "a.txt", "", ":", "data:x", "bert-base/uncased", "x" * 5000, "\0"]
)
def test_other_addresses_are_left_to_others(address):
    assert TableSignal().open(address) is None


def test_a_folder_is_no_table(folder):
    assert TableSignal().open(str(folder)) is None


def test_options_set_before_opening_stay():
    assert TableSignal(duplicates="refuse").open("a.csv").duplicates == "refuse"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("zuco_gaze/train-00000-of-00001.parquet", "zuco_gaze"),
        ("zuco_gaze/test-00000-of-00001.parquet", "zuco_gaze-test"),
        ("zuco_gaze/train.csv", "zuco_gaze"),
        ("zuco_gaze/validation.jsonl", "zuco_gaze-validation"),
        ("zuco_gaze/data.npz", "zuco_gaze"),
        ("zuco_gaze/ucl.csv", "ucl"),
        ("My Study (2).TSV", "my_study_2_"),
        ("/train.csv", "train"),
    ],
)
def test_name_comes_from_stem_or_folder(file, name):
    assert TableSignal().open(file).name == name


def test_a_bare_shard_is_named_after_the_folder_it_lies_in(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert TableSignal().open("train-00000-of-00001.parquet").name == "reading"


@pytest.mark.parametrize(
    ("address", "file", "columns"),
    [
        ("a.csv", "a.csv", ()),
        ("a.csv:", "a.csv", ()),
        ("a.csv: rt , n,,rt", "a.csv", ("rt", "n")),
        ("a.csv:log:rt", "a.csv", ("log:rt",)),
        ("run:1/a.csv:rt", "run:1/a.csv", ("rt",)),
        ("a.csv:eeg[0],eeg[N400]", "a.csv", ("eeg[0]", "eeg[N400]")),
    ],
)
def test_an_address_is_a_file_and_its_columns(address, file, columns):
    opened = TableSignal().open(address)
    assert (opened.file, opened.columns) == (Path(file), columns)


def test_an_existing_file_may_hold_colons_or_lack_an_ending(folder):
    odd = write(folder / "a.csv:rt", {"sentence": SENTENCES})
    assert TableSignal().open(str(odd)).file == odd
    (folder / "plain").write_text("x")
    assert TableSignal().open(f"{folder}/plain:rt").columns == ("rt",)
    with pytest.raises(UnusableData, match="unknown ending"):
        read(folder / "plain")


@pytest.mark.parametrize("ending", ["parquet", "csv", "npz"])
def test_a_table_that_is_not_there_is_named(ending):
    with pytest.raises(MissingData, match=f"no file 'nowhere/a.{ending}' for signal 'a'"):
        read(f"nowhere/a.{ending}")


# --- what is read


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv", "jsonl"])
def test_every_kind_of_table_reads_alike(folder, ending):
    path = write(folder / f"rt.{ending}", {"sentence": SENTENCES, "rt": RT, "n_letters": [18, 23, 21, 8]})
    recording = read(path)
    assert recording.sentences == CLEAN
    assert recording.subjects["all"].channels == ("rt",)
    np.testing.assert_array_equal(values(recording)[:, 0], RT)
    assert recording.origin.id == str(path)
    assert recording.origin.revision == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert recording.unit == "as in the file"
    assert recording.notes == ("columns left out (integers or row numbers, used when named): n_letters.",)


@pytest.mark.parametrize("name", ["words", "tokens"])
def test_words_are_joined_by_single_spaces(folder, name):
    rows = [["The", " ferry ", "left."], ["It", "", None, "rained."]]
    recording = read(write(folder / "a.parquet", {name: rows, "rt": [1.5, 2.5]}))
    assert recording.sentences == ("The ferry left.", "It rained.")


def test_sentence_goes_before_words(folder):
    path = write(folder / "a.parquet", {"words": [["left"], ["rained."]], "sentence": SENTENCES[::3], "rt": [1.5, 2.5]})
    assert read(path).sentences == CLEAN[::3]


def test_an_empty_sentence_column_gives_way_to_words(folder):
    sentence = pa.array([None, None], pa.string())
    path = write(
        folder / "a.parquet", {"sentence": sentence, "words": [["He", "left."], ["It", "rained."]], "rt": [1.5, 2]}
    )
    assert read(path).sentences == ("He left.", "It rained.")


def test_lists_are_averaged_over_the_words_without_the_missing_ones(folder):
    words = [["The", "bell", "rang."], ["It", "rained."], ["Nobody", "came", "home."]]
    rt = [[1.0, None, 3.0], [float("nan"), 5.0], [7.0, 8.0, 12.0]]
    recording = read(write(folder / "a.parquet", {"words": words, "rt": rt}))
    np.testing.assert_allclose(values(recording)[:, 0], [2.0, 5.0, 9.0])
    assert has(recording, "averaged over the words", "rt")


def test_lists_of_lists_give_a_channel_for_each_position(folder):
    words = [["The", "bell", "rang."], ["It", "rained."]]
    eeg = [[[1.0, 10.0], None, [3.0, None]], [[5.0, 20.0], [7.0, 40.0]]]
    recording = read(write(folder / "a.parquet", {"words": words, "eeg": eeg}))
    assert recording.subjects["all"].channels == ("eeg[0]", "eeg[1]")
    np.testing.assert_allclose(values(recording), [[2.0, 10.0], [6.0, 30.0]])


def test_lists_that_are_not_per_word_are_a_channel_for_each_position(folder):
    voxels = [[1.0, 2.0, 3.0], [4.0, 5.0, 7.0], None, [0.5, 0.5, 0.5]]
    recording = read(write(folder / "a.parquet", {"sentence": SENTENCES, "voxels": voxels}))
    assert recording.sentences == (*CLEAN[:2], CLEAN[3])
    assert recording.subjects["all"].channels == ("voxels[0]", "voxels[1]", "voxels[2]")
    np.testing.assert_array_equal(values(recording), [voxels[0], voxels[1], voxels[3]])
    assert not has(recording, "averaged over the words")


def test_lists_of_one_number_keep_the_columns_name(folder):
    recording = read(write(folder / "a.parquet", {"sentence": SENTENCES, "rt": [[v] for v in RT]}))
    assert recording.subjects["all"].channels == ("rt",)
    np.testing.assert_array_equal(values(recording)[:, 0], RT)


def test_lists_as_long_as_the_words_column_are_per_word_even_where_all_are_equally_long(folder):
    path = {"sentence": ["He left us.", "It rained a lot."], "words": [["left", "us."], ["rained", "lot."]]}
    recording = read(write(folder / "a.parquet", {**path, "rt": [[1.0, 2.0], [3.0, 6.0]]}))
    np.testing.assert_allclose(values(recording), [[1.5], [4.5]])


@pytest.mark.parametrize(
    "name", ["id", "sentence_id", "wordId", "item-idx", "position", "positions", "source_row", "IDX"]
)
def test_row_numbers_are_no_channels_unless_named(folder, name):
    path = write(folder / "a.csv", {"sentence": SENTENCES, "rt": RT, name: [0.5, 1.5, 2.5, 3.5]})
    assert read(path).subjects["all"].channels == ("rt",)
    assert has(read(path), "left out", name)
    assert read(path, name).subjects["all"].channels == (name,)


@pytest.mark.parametrize("name", ["grid", "valid", "arrow", "fluid", "disposition_index"])
def test_names_that_only_end_alike_are_channels(folder, name):
    path = write(folder / "a.csv", {"sentence": SENTENCES, name: RT})
    assert read(path).subjects["all"].channels == (name,)


@pytest.mark.parametrize("rows", [[1, 2, 4, 3], [[1, 2], [3, 5, 6], [2], [9]], [[[1], [2]], [[3]], [[7]], [[4]]]])
def test_integers_are_channels_only_when_named(folder, rows):
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "rt": RT, "n_fix": rows})
    assert read(path).subjects["all"].channels == ("rt",)
    named = read(path, "n_fix")
    assert named.subjects["all"].channels == ("n_fix",)
    np.testing.assert_allclose(values(named)[:, 0], [np.mean(row) for row in rows])
    assert not has(named, "left out")


def test_numbers_of_other_types_count(folder):
    columns = {
        "sentence": SENTENCES,
        "half": pa.array(np.array(RT, np.float16)),
        "exact": pa.array([Decimal("1.50"), Decimal("2.25"), None, Decimal("3.00")]),
        "seen": [True, False, True, True],
        "day": [date(2020, 1, 1)] * 4,
    }
    path = write(folder / "a.parquet", columns)
    assert read(path).subjects["all"].channels == ("half", "exact")
    np.testing.assert_array_equal(values(read(path, "seen"))[:, 0], [1, 0, 1, 1])


def test_named_columns_keep_the_order_they_are_named_in(folder):
    eeg = [[[1.0, 2.0]], [[3.0, 5.0]], [[4.0, 6.5]], [[9.0, 8.0]]]
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "eeg": eeg, "rt": RT})
    recording = read(path, "eeg[1],rt,eeg[0]")
    assert recording.subjects["all"].channels == ("eeg[1]", "rt", "eeg[0]")
    np.testing.assert_array_equal(values(recording)[0], [2.0, 310.5, 1.0])


def test_subjects_share_the_union_of_sentences(folder):
    columns = {
        "subject": ["ann", "ann", "bob", "bob", "ann"],
        "sentence": ["C c.", "A a.", "B b.", "A a.", "B b."],
        "rt": [1.0, 2.0, 3.0, 4.0, 5.0],
    }
    recording = read(write(folder / "a.csv", columns))
    assert recording.sentences == ("C c.", "A a.", "B b.")
    assert list(recording.subjects) == ["ann", "bob"]
    np.testing.assert_array_equal(values(recording, "bob")[:, 0], [np.nan, 4.0, 3.0])
    assert recording.subjects["bob"].present.tolist() == [False, True, True]
    assert recording.subjects["ann"].present.all()


@pytest.mark.parametrize(("given", "names"), [([1, 1, 2, 2], ["1", "2"]), ([1.0, 1.0, 2.0, 2.0], ["1", "2"])])
def test_subjects_may_be_numbers(folder, given, names):
    recording = read(write(folder / "a.parquet", {"subject": given, "sentence": CLEAN, "rt": RT}))
    assert list(recording.subjects) == names
    assert recording.subjects["1"].channels == ("rt",)


# --- the files beside it


def test_sidecar_names_columns_and_unit(folder):
    path = write(folder / "a.csv", {"sentence": SENTENCES, "rt": RT, "n_fix": [1, 2, 4, 3]})
    (folder / "a.csv.json").write_text('{"columns": ["n_fix"], "unit": "fixations", "licence": "ours"}')
    recording = read(path)
    assert recording.subjects["all"].channels == ("n_fix",)
    assert recording.unit == "fixations"
    assert recording.notes == ("a.csv.json gives columns and unit.",)
    assert read(path, "rt").subjects["all"].channels == ("rt",)  # what is typed goes before


def test_sidecar_may_replace_the_ending_and_give_units_per_column(folder):
    path = write(folder / "a.csv", {"sentence": SENTENCES, "rt": RT, "amp": RT[::-1]})
    (folder / "a.json").write_text('{"unit": {"rt": "ms"}}')
    assert read(path).unit == "rt: ms, amp: as in the file"
    assert read(path, "rt").unit == "ms"


def test_names_of_positions_come_from_the_sidecar_or_columns_json(folder):
    eeg = [[[1.0, 2.0]], [[3.0, 5.0]], [[4.0, 6.5]], [[9.0, 8.0]]]
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "eeg": eeg, "gaze": eeg, "rt": RT})
    (folder / "columns.json").write_text('{"eeg": ["LAN", "N400"], "gaze": ["a", "b"], "rt": "reading time"}')
    (folder / "a.json").write_text('{"names": {"gaze": ["first", "total"]}}')
    assert read(path).subjects["all"].channels == ("LAN", "N400", "first", "total", "rt")
    assert read(path, "N400").subjects["all"].channels == ("N400",)
    np.testing.assert_array_equal(values(read(path, "N400"))[:, 0], [2.0, 5.0, 6.5, 8.0])


def test_a_name_that_two_channels_share_is_told_apart(folder):
    eeg = [[[1.0, 2.0]], [[3.0, 5.0]], [[4.0, 6.5]], [[9.0, 8.0]]]
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "eeg": eeg, "meg": eeg, "rt": RT})
    (folder / "columns.json").write_text('{"eeg": ["rt", "N400"], "meg": ["N400", "P600"]}')
    assert read(path).subjects["all"].channels == ("eeg[rt]", "eeg[N400]", "meg[N400]", "P600", "rt")
    assert read(path, "meg[N400],rt").subjects["all"].channels == ("meg[N400]", "rt")


def test_json_of_somebody_else_is_left_alone(folder):
    path = write(folder / "a.csv", {"sentence": SENTENCES, "rt": RT})
    (folder / "a.json").write_text('{"rt": {"Description": "reading time"}}')
    (folder / "columns.json").write_text("[1, 2]")
    assert read(path).notes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "a.json': it stands beside the table and is no JSON"),
        ('{"columns": "rt"}', "a.json': expected"),
        ('{"columns": [1]}', "a.json': expected"),
        ('{"unit": 3}', "a.json': expected"),
        ('{"unit": {"rt": 3}}', "a.json': expected"),
        ('{"names": ["a"]}', "a.json': expected"),
        ('{"names": {"eeg": "a"}}', "a.json': expected"),
        ('{"names": {"eeg": ["a"]}}', "column eeg has 2 positions, to which the names a do not fit"),
        ('{"names": {"eeg": ["a", "a"]}}', "column eeg has 2 positions, to which the names a, a do not fit"),
    ],
)
def test_a_broken_sidecar_is_refused(folder, text, message):
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "eeg": [[[1.0, v]] for v in RT]})
    (folder / "a.json").write_text(text)
    with pytest.raises(UnusableData) as error:
        read(path)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_an_unknown_column_in_the_sidecar_is_named(folder):
    path = write(folder / "a.csv", {"sentence": SENTENCES, "rt": RT})
    (folder / "a.json").write_text('{"columns": ["rtt"]}')
    with pytest.raises(UnknownName, match="unknown column 'rtt'; did you mean 'rt'"):
        read(path)


# --- npz


def test_npz_holds_sentences_values_channels_and_subjects(folder):
    path = folder / "a.npz"
    np.savez(
        path,
        sentences=np.array(SENTENCES),
        values=np.array([[1, 5, 0], [2, 7, 1], [3, 6, 2], [4, 4, 5]], np.int32),
        channels=np.array(["v1", "v2", "v_id"]),
        subjects=np.array(["p1", "p1", "p2", "p2"]),
        more=np.array([None]),
    )
    recording = read(path)
    assert recording.sentences == CLEAN
    assert recording.subjects["p2"].channels == ("v1", "v2", "v_id")
    np.testing.assert_array_equal(values(recording, "p2")[2:], [[3, 6, 2], [4, 4, 5]])
    assert recording.subjects["p1"].present.tolist() == [True, True, False, False]
    assert read(path, "v2").subjects["p1"].channels == ("v2",)


def test_npz_needs_only_sentences_and_values(folder):
    np.savez_compressed(folder / "a.npz", sentences=np.array(SENTENCES), values=np.array([RT, RT[::-1], RT, [1] * 4]))
    recording = read(folder / "a.npz")
    assert recording.subjects["all"].channels == ("values[0]", "values[1]", "values[2]", "values[3]")
    np.savez(folder / "b.npz", sentences=np.array(SENTENCES), values=np.array(RT)[:, None])
    assert read(folder / "b.npz").subjects["all"].channels == ("values[0]",)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"sentences": np.array(SENTENCES)},
        {"values": np.ones((4, 2))},
        {"sentences": np.array(SENTENCES), "values": np.array(RT)},
        {"sentences": np.array(SENTENCES[:3]), "values": np.ones((4, 2))},
        {"sentences": np.array(SENTENCES), "values": np.ones((4, 0))},
        {"sentences": np.array([], str), "values": np.ones((0, 2))},
        {"sentences": np.arange(4), "values": np.ones((4, 2))},
        {"sentences": np.array(SENTENCES), "values": np.full((4, 2), "x")},
        {"sentences": np.array(SENTENCES), "values": np.ones((4, 2)), "channels": np.array(["a"])},
        {"sentences": np.array(SENTENCES), "values": np.ones((4, 2)), "subjects": np.array("p1")},
    ],
    ids=lambda a: "+".join(f"{k}{v.shape}" for k, v in a.items()) or "nothing",
)
def test_npz_that_does_not_fit_is_refused(folder, arrays):
    np.savez(folder / "a.npz", **arrays)
    with pytest.raises(UnusableData, match=r"a\.npz': expected texts `sentences` \(n,\), numbers `values` \(n, k\)"):
        read(folder / "a.npz")


def test_npz_with_a_channel_twice_is_refused(folder):
    np.savez(folder / "a.npz", sentences=np.array(SENTENCES), values=np.ones((4, 2)), channels=np.array(["a", "a"]))
    with pytest.raises(UnusableData, match="a name stands twice in `channels`"):
        read(folder / "a.npz")


def broken_npz(path, how):
    if how == "text":
        path.write_text("sentence,rt\n")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "one array":
        with path.open("wb") as file:
            np.save(file, np.ones(3))
    elif how == "objects":
        np.savez(path, sentences=np.array(SENTENCES, object), values=np.ones((4, 2)))
    elif how == "bytes":
        np.savez(path, sentences=np.array(SENTENCES), values=np.ones((4, 2)), subjects=np.array(["ü".encode()] * 4))
    else:
        np.savez(path, sentences=np.array(SENTENCES), values=np.ones((4, 2)))
        path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize("how", ["text", "empty", "one array", "objects", "bytes", "cut"])
def test_npz_that_cannot_be_read_is_refused(folder, how):
    broken_npz(folder / "a.npz", how)
    with pytest.raises(UnusableData, match=r"a\.npz': it cannot be read as npz"):
        read(folder / "a.npz")


# --- bad input


def test_an_unknown_column_is_named_with_the_near_ones(folder):
    path = write(folder / "a.csv", {"sentence": SENTENCES, "mean_rt": RT})
    with pytest.raises(UnknownName, match="unknown column 'meanrt'; did you mean 'mean_rt'"):
        read(path, "meanrt")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("note", ["a", "b", "c", "d"]),
        ("note", [["a"], ["b"], ["c"], ["d"]]),
        ("note", [[[[1.5]]]] * 4),
        ("note", [None] * 4),
    ],
)
def test_a_column_without_numbers_is_refused_when_named_and_noted_when_not(folder, name, rows):
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "rt": RT, name: rows})
    assert read(path).subjects["all"].channels == ("rt",)
    assert has(read(path), "left out (no numbers)", name)
    with pytest.raises(UnusableData, match="column note cannot be a channel: it holds no "):
        read(path, f"rt,{name}")


def test_naming_the_sentences_is_refused(folder):
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "subject": ["a"] * 4, "rt": RT})
    for name in ("sentence", "subject"):
        with pytest.raises(UnusableData, match=f"column {name} cannot be a channel"):
            read(path, name)


def test_ragged_positions_are_refused_when_named(folder):
    eeg = [[[1.0, 2.0]], [[3.0]], [[4.0, 6.5]], [[9.0, 8.0]]]
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "rt": RT, "eeg": eeg})
    assert has(read(path), "left out", "eeg")
    with pytest.raises(UnusableData, match="lists of lists that differ in length"):
        read(path, "eeg")


@pytest.mark.parametrize(
    "columns",
    [
        {"title": SENTENCES, "rt": RT},
        {"sentence": [1.5, 2.5, 3.5, 4.5], "rt": RT},
        {"sentence": [["a"]] * 4, "rt": RT},
        {"words": SENTENCES, "rt": RT},
        {"words": [[1.5]] * 4, "rt": RT},
    ],
    ids=["other name", "numbers", "lists", "word per row", "lists of numbers"],
)
def test_a_table_without_sentences_is_refused(folder, columns):
    with pytest.raises(UnusableData, match="it has no sentences: expected a column `sentence` of text"):
        read(write(folder / "a.parquet", columns))


def test_csv_of_another_encoding_is_read_with_a_note_or_refused(folder):
    (folder / "a.csv").write_bytes("sentence,rt\nÜbung macht den Meister.,1.5\nIt rained.,2.5\n".encode("latin-1"))
    recording = read(folder / "a.csv")
    assert recording.sentences[0] == "Übung macht den Meister."
    assert has(recording, "it is not UTF-8 (line 2), and is read as cp1252")
    with pytest.raises(UnusableData, match="is not UTF-8 after line 0"):
        TableSignal().open(f"{folder}/a.csv,encoding=utf-8").read(FILES)


@pytest.mark.parametrize(
    ("columns", "remedy"),
    [
        ({"note": ["a"] * 4}, "(floats); it has sentence, note."),
        ({"sentence_id": [0, 1, 2, 3]}, ":sentence_id`"),
        ({"sentence_id": [0, 1, 2, 3], "rt": [300, 310, 320, 335]}, ":rt`"),
    ],
)
def test_a_table_without_measured_numbers_is_refused_with_a_remedy(folder, columns, remedy):
    with pytest.raises(UnusableData, match="it has no column of measured numbers") as error:
        read(write(folder / "a.csv", {"sentence": SENTENCES, **columns}))
    assert remedy in str(error.value)


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv", "jsonl"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02{", b"sentence,rt\n"])
def test_empty_and_unreadable_files_are_refused_in_one_line(folder, ending, content):
    (folder / f"a.{ending}").write_bytes(content)
    with pytest.raises(UnusableData) as error:
        read(folder / f"a.{ending}")
    assert "\n" not in str(error.value) and f"a.{ending}" in str(error.value)


def test_a_table_without_rows_is_refused(folder):
    empty = pa.table({"sentence": pa.array([], pa.string()), "rt": pa.array([], pa.float64())})
    for path in (write(folder / "a.parquet", empty), write(folder / "a.csv", empty)):
        with pytest.raises(UnusableData, match="it has no rows"):
            read(path)


def test_subjects_in_lists_are_refused(folder):
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "subject": [["a"]] * 4, "rt": RT})
    with pytest.raises(UnusableData, match="column subject holds lists"):
        read(path)


# --- missing, infinite, double, constant


def test_rows_without_sentence_or_subject_are_dropped_and_counted(folder):
    columns = {
        "sentence": ["A a.", None, "   ", "B b.", "C c.", "D d."],
        "subject": ["x", "x", "x", "x", None, ""],
        "rt": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    }
    recording = read(write(folder / "a.parquet", columns))
    assert recording.sentences == ("A a.", "B b.")
    assert list(recording.subjects) == ["x"]
    assert has(recording, "rows dropped, without sentence or subject: 4.")


def test_a_sentence_without_any_value_is_dropped_and_counted(folder):
    path = write(folder / "a.csv", {"sentence": SENTENCES, "rt": [1.5, None, 2.5, 4.5], "amp": [2.5, None, 1.5, 3.5]})
    recording = read(path)
    assert recording.sentences == (CLEAN[0], *CLEAN[2:])
    assert has(recording, "sentences dropped, without any value: 1.")


def test_a_sentence_that_another_subject_has_is_kept(folder):
    columns = {"subject": list("xxyy"), "sentence": ["A.", "B.", "A.", "B."], "rt": [1.0, float("nan"), 2.0, 3.0]}
    columns = {key: [*value, *more] for (key, value), more in zip(columns.items(), ("x", ["C."], [4.0]), strict=True)}
    recording = read(write(folder / "a.parquet", columns))
    assert recording.sentences == ("A.", "B.", "C.")
    assert recording.subjects["x"].present.tolist() == [True, False, True]
    assert recording.subjects["y"].present.tolist() == [True, True, False]


def test_a_sentence_with_some_channels_only_is_absent_and_counted(folder):
    path = write(folder / "a.csv", {"sentence": SENTENCES, "rt": RT, "amp": [1.5, None, 2.5, 3.5]})
    recording = read(path)
    assert recording.sentences == CLEAN
    assert recording.subjects["all"].present.tolist() == [True, False, True, True]
    assert np.isnan(values(recording)[1]).all()
    assert has(recording, "absent for a subject, with values in some channels only: 1.")
    assert read(path, "rt").subjects["all"].present.all()


def test_infinite_values_are_missing_and_counted(folder):
    inf = float("inf")
    recording = read(write(folder / "a.parquet", {"sentence": SENTENCES, "rt": [1.5, inf, -inf, 2.5]}))
    assert recording.sentences == (CLEAN[0], CLEAN[3])
    assert has(recording, "infinite", "2.")
    words = {"words": [["He", "left."], ["It", "rained", "on."]], "rt": [[1.0, inf], [2.0, -inf, 4.0]]}
    recording = read(write(folder / "b.parquet", words))
    np.testing.assert_array_equal(values(recording), [[1.0], [3.0]])
    assert has(recording, "infinite", "2.")


def test_duplicates_are_averaged_and_counted_or_refused(folder):
    columns = {"sentence": ["A  a.", "B b.", " A a.", "A a."], "rt": [1.0, 5.0, None, 3.0], "amp": [1.0, 2.0, 4.0, 7.0]}
    path = write(folder / "a.parquet", columns)
    recording = read(path)
    assert recording.sentences == ("A a.", "B b.")
    np.testing.assert_array_equal(values(recording), [[2.0, 4.0], [5.0, 2.0]])
    assert has(recording, "averaged, which a subject has more than once: 1.")
    with pytest.raises(UnusableData, match=r"1 sentences more than once, the first is 'A a\.'"):
        read(path, duplicates="refuse")


def test_repetitions_are_kept_in_halves(folder):
    columns = {
        "sentence": ["A.", "B.", "A.", "C.", "A.", "B."],
        "rt": [1.0, 5.0, 2.0, 9.0, 6.0, None],
        "flat": [2.5] * 6,
        "amp": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
    }
    held = read(write(folder / "a.parquet", columns)).subjects["all"]
    assert held.channels == ("rt", "amp")
    nan = float("nan")
    np.testing.assert_array_equal(held.halves[0], [[3.5, 8.5], [5.0, 2.0], [nan, nan]])
    np.testing.assert_array_equal(held.halves[1], [[2.0, 4.0], [nan, 32.0], [nan, nan]])


def test_without_repetitions_there_are_no_halves(folder):
    columns = {"subject": list("xxyyy"), "sentence": ["A.", "B.", "A.", "B.", "B."], "rt": [1.0, 2.0, 3.0, 4.0, 5.0]}
    found = read(write(folder / "a.csv", columns)).subjects
    assert found["x"].halves is None and found["y"].halves.shape == (2, 2, 1)


def test_repeated_recordings_tell_how_reliable_they_are(folder):
    rng = np.random.default_rng(0)
    true = rng.normal(size=(400, 1)) * [1.0, 1.0, 0.0]
    values = np.concatenate([true + rng.normal(size=(400, 3)) * [0.5, 1.0, 1.0] for _ in range(2)])  # .8, .5, 0
    columns = {"sentence": [f"Sentence {i}." for i in range(400)] * 2, **dict(zip("abc", values.T, strict=True))}
    found = noise_ceiling(read(write(folder / "a.parquet", columns)))
    assert found.channels == ("all: a", "all: b", "all: c") and found.way == "repetitions"
    np.testing.assert_allclose(found.values, [0.89, 0.67, 0], atol=0.1)


def test_the_words_of_a_sentence_are_no_repetitions(folder):
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(120, 1))
    rows = [(who, i, word) for who in "PQ" for i in range(120) for word in range(5)]
    values = {who: shared + rng.normal(size=(120, 1)) for who in "PQ"}  # reliability .5 between subjects
    columns = {
        "subject": [who for who, _, _ in rows],
        "sentence": [f"Sentence number {i}." for _, i, _ in rows],
        "Word": ["sentence"] * len(rows),
        "rt": [float(values[who][i, 0] + 50 * word) for who, i, word in rows],
    }
    recording = read(write(folder / "a.csv", columns))
    ceiling = noise_ceiling(recording)
    assert all(responses.halves is None for responses in recording.subjects.values())
    assert ceiling.way == "subjects"
    expected = np.corrcoef(values["P"][:, 0], values["Q"][:, 0])[0, 1]
    assert ceiling.values[0] == pytest.approx(expected)
    assert has(recording, "each row is a word, by column Word", "no repetitions")


def test_duplicates_are_refused_on_the_command_line_by_the_files_name(folder):
    path = write(folder / "rts.csv", {"sentence": ["A.", "B.", "A."], "rt": [1.5, 2.5, 3.5]})
    (signal,) = varied(TableSignal().open(str(path)), ["rts.duplicates=refuse"])
    with pytest.raises(UnusableData, match="1 sentences more than once"):
        signal.read(FILES)


def test_the_same_sentence_of_two_subjects_is_no_duplicate(folder):
    columns = {"subject": list("xxyy"), "sentence": ["A.", "B.", "A.", "B."], "rt": [1.0, 2.0, 3.0, 4.0]}
    recording = read(write(folder / "a.csv", columns), duplicates="refuse")
    assert recording.notes == () and len(recording.subjects) == 2


def test_a_constant_channel_is_dropped_and_named(folder):
    path = write(folder / "a.csv", {"sentence": SENTENCES, "rt": RT, "gain": [2.5] * 4, "amp": RT[::-1]})
    recording = read(path)
    assert recording.subjects["all"].channels == ("rt", "amp")
    assert has(recording, "constant channels dropped, gain: 1.")


def test_a_channel_that_is_constant_but_for_rounding_is_dropped(folder):
    words = [["a"] * n for n in range(1, 12)]
    columns = {"words": words, "flat": [[0.1] * len(w) for w in words], "rt": [float(len(w)) for w in words]}
    assert read(write(folder / "a.parquet", columns)).subjects["all"].channels == ("rt",)


def test_huge_fill_values_raise_no_warning(folder):
    columns = {
        "sentence": [*SENTENCES, "It rained."],
        "rt": [*RT, 1.0],
        "amp": [1e308, -1e308, 1.7e308, 1.7e308, 1.7e308],
    }
    recording = read(write(folder / "a.parquet", columns))
    assert recording.subjects["all"].present.tolist() == [True, True, True, False]  # the mean of two overflows


def test_a_channel_without_values_costs_no_sentence(folder):
    path = write(folder / "a.parquet", {"sentence": SENTENCES, "rt": RT, "gone": [float("nan")] * 4})
    recording = read(path)
    assert recording.subjects["all"].channels == ("rt",)
    assert recording.subjects["all"].present.all()


def test_a_channel_that_is_constant_where_all_are_present_is_dropped(folder):
    columns = {"sentence": SENTENCES, "rt": RT, "half": [1.0, 1.0, 2.0, 3.0], "amp": [7.0, 8.0, None, None]}
    recording = read(write(folder / "a.csv", columns))
    assert recording.subjects["all"].channels == ("rt", "amp")
    assert recording.subjects["all"].present.tolist() == [True, True, False, False]


def test_channels_are_dropped_subject_by_subject(folder):
    columns = {
        "subject": [*"xxyyz"],
        "sentence": ["A.", "B.", "A.", "B.", "A."],
        "rt": [1.0, 2.0, 3.0, 4.0, 5.0],
        "amp": [1.0, 1.0, 2.0, 3.0, 5.0],
    }
    recording = read(write(folder / "a.parquet", columns))
    assert {name: r.channels for name, r in recording.subjects.items()} == {"x": ("rt",), "y": ("rt", "amp")}
    assert has(recording, "constant channels dropped, amp: 1.")
    assert has(recording, "subjects left out, none of whose channels varies: 1.")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"rt": [2.5] * 4}, "no sentences with a value in all of rt differ in any"),
        ({"rt": [1.5, 2.5, None, None], "amp": [None, None, 1.5, 2.5]}, "constant or mostly missing"),
        ({"rt": [float("nan")] * 4}, "no row has both a sentence and a number"),
    ],
)
def test_nothing_left_is_refused(folder, columns, message):
    with pytest.raises(UnusableData, match=message):
        read(write(folder / "a.parquet", {"sentence": SENTENCES, **columns}))


def test_all_rows_without_a_sentence_are_refused(folder):
    with pytest.raises(UnusableData, match="no row has both a sentence and a number"):
        read(write(folder / "a.parquet", {"sentence": ["", " "], "rt": [1.0, 2.0]}))


def test_one_of_several_shards_is_said_to_be_one(folder):
    path = write(folder / "train-00000-of-00003.parquet", {"sentence": SENTENCES, "rt": RT})
    assert read(path).notes == ("this is one of 3 files; the others were not read.",)
    assert read(path.rename(folder / "train-00000-of-00001.parquet")).notes == ()


def test_many_names_are_cut_short(folder):
    columns = {f"column {i}": [f"text {i}"] * 4 for i in range(40)}
    recording = read(write(folder / "a.parquet", {"sentence": SENTENCES, "rt": RT, **columns}))
    assert has(recording, "column 9 and 30 more.")


# --- properties


numbers = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(numbers | st.none() | st.just(float("nan")), min_size=1, max_size=6), min_size=3, max_size=8))
def test_averaging_over_words_equals_nanmean(tmp_path_factory, rows):
    rows = [[0.0], [1.0, 3.0], *rows]  # lists of several lengths, and a channel that varies
    words = [[f"w{i}" for _ in row] for i, row in enumerate(rows)]
    path = write(tmp_path_factory.mktemp("t") / "a.parquet", {"words": words, "rt": rows})
    recording = read(path)
    expected = {
        " ".join(w): np.nanmean(np.array(row, float))
        for w, row in zip(words, rows, strict=True)
        if np.isfinite(np.array(row, float)).any()
    }
    assert list(recording.sentences) == list(expected)
    np.testing.assert_allclose(values(recording)[:, 0], list(expected.values()), rtol=1e-12, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_order_of_rows_changes_no_value(tmp_path_factory, data):
    n = data.draw(st.integers(4, 12))
    draw = lambda what: data.draw(st.lists(what, min_size=n, max_size=n))  # noqa: E731
    rows = list(
        zip(draw(st.sampled_from("xy")), draw(st.sampled_from("ABCDE")), draw(numbers), draw(numbers), strict=True)
    )
    rows += [("x", "A", 0.25, 1.0), ("x", "F", 1.5, 3.0)]
    folder = tmp_path_factory.mktemp("t")

    def means(rows, name):
        columns = dict(zip(("subject", "sentence", "rt", "amp"), map(list, zip(*rows, strict=True)), strict=True))
        recording = read(write(folder / name, columns))
        return {
            (subject, sentence, channel): value
            for subject, r in recording.subjects.items()
            for sentence, row in zip(recording.sentences, r.values, strict=True)
            for channel, value in zip(r.channels, row, strict=True)
        }

    before, after = means(rows, "a.parquet"), means(data.draw(st.permutations(rows)), "b.parquet")
    assert before.keys() == after.keys()
    for key, value in before.items():
        np.testing.assert_allclose(after[key], value, rtol=1e-9, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1), min_size=2, unique=True
    )
)
def test_any_text_is_kept_but_for_white_space(tmp_path_factory, texts):
    kept = list(dict.fromkeys(filter(None, (" ".join(text.split()) for text in texts))))
    columns = {"sentence": [*texts, "End one.", "End two."], "rt": [float(i) for i in range(len(texts) + 2)]}
    recording = read(write(tmp_path_factory.mktemp("t") / "a.parquet", columns))
    assert list(recording.sentences) == list(dict.fromkeys([*kept, "End one.", "End two."]))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_open_never_fails(address):
    opened = TableSignal().open(address)
    assert opened is None or opened.name


# --- real recordings

real = pytest.mark.skipif(not COGNITIVE.is_dir(), reason=f"no recordings in {COGNITIVE}")


def shared(name, columns="", split="train"):
    return read(COGNITIVE / name / f"{split}-00000-of-00001.parquet", columns)


@real
def test_zuco_gaze():
    recording = shared("zuco_gaze")
    gaze = recording.subjects["all"]
    assert gaze.channels == (
        "n_fix",
        "first_fix_dur",
        "first_pass_dur",
        "total_fix_dur",
        "mean_fix_dur",
        "fix_prob",
        "n_refix",
        "reread_prob",
    )
    rows = pq.read_table(COGNITIVE / "zuco_gaze/train-00000-of-00001.parquet").to_pylist()
    assert len(rows) == 1095
    assert len(recording.sentences) == len({" ".join(" ".join(row["words"]).split()) for row in rows}) <= 1095
    assert gaze.present.all()
    once = next(row for row in rows if recording.sentences.count(" ".join(row["words"])) == 1)
    assert gaze.values[recording.sentences.index(" ".join(once["words"])), 0] == pytest.approx(np.mean(once["n_fix"]))
    assert TableSignal().open(recording.origin.id).name == "zuco_gaze"
    assert len(shared("zuco_gaze", split="validation").sentences) <= 61


@real
def test_ucl_erp_and_eye():
    recording = shared("ucl_frank_erp_eye_spr")
    names = json.loads((COGNITIVE / "ucl_frank_erp_eye_spr/columns.json").read_text())
    assert recording.subjects["all"].channels == (*names["erp"], *names["eye"], "self_paced_rt_ms")
    assert values(recording).shape == (205, 11)
    row = pq.read_table(recording.origin.id).to_pylist()[0]
    np.testing.assert_allclose(values(recording)[0, :6], np.mean(row["erp"], axis=0))
    assert recording.sentences[0] == row["sentence"]
    assert shared("ucl_frank_erp_eye_spr", "N400").subjects["all"].channels == ("N400",)


@real
def test_natural_stories():
    recording = shared("natural_stories_reading_times")
    assert recording.subjects["all"].channels == ("mean_rt_ms", "sd_rt_ms", "gmean_rt_ms")
    assert 490 < len(recording.sentences) <= 496
    assert "n_readers" in shared("natural_stories_reading_times", "n_readers,mean_rt_ms").subjects["all"].channels


@real
def test_pereira_language_network():
    recording = shared("pereira2018_language_network")
    assert recording.subjects["all"].channels == ("language_network_response",)
    assert values(recording).shape == (627, 1)


@real
def test_zuco_ner_holds_binned_integers_which_must_be_named():
    with pytest.raises(UnusableData, match="integers count when named, as in .*:ner_tags,gaze,eeg`"):
        shared("zuco_ner_gaze_eeg")
    recording = shared("zuco_ner_gaze_eeg", "gaze,eeg")
    assert values(recording).shape[1] == 25
    assert recording.subjects["all"].channels[:2] == ("tfd", "n_fix")
