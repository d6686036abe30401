"""Recordings in the layouts in which people publish them, made anew, against pandas; and wrong numbers of the past."""

import tracemalloc
import unicodedata

import numpy as np
import pandas as pd
import pytest
from cogbench_signals.table import TableSignal

from cogbench import Files, UnknownName, UnusableData

FILES = Files(offline=True)
SENTENCES = [
    "The clerk sorts the blue files .",
    "A red crate waits by the dock .",
    "Nobody heard the second bell today .",
    "Two geese crossed the wet road .",
    "She mends old nets in spring .",
    "The lamp went out at nine .",
]
RNG = np.random.default_rng(0)


def read(path, more=""):
    return TableSignal().open(f"{path}{more}").read(FILES)


def words_table(subjects=("s1",), first=1):
    """A row for each subject, sentence and word: the layout of eye-tracking corpora."""
    rows = []
    for subject in subjects:
        for number, sentence in enumerate(SENTENCES, first):
            for place, word in enumerate(sentence.split(), 1):
                rows.append((subject, number, place, word, *(200 + 50 * RNG.random(2)).round(2)))
    return pd.DataFrame(rows, columns=["subject", "number", "place", "word", "ffd", "gd"])


def expected(frame, by, channels, how="mean"):
    return getattr(frame.groupby(by, sort=False)[channels], how)().to_numpy()


NAMES = {  # of the number of the sentence, the place of the word, the word: as nine published tables have them
    "dundee": ("sentence_num", None, "word"),
    "geco": ("sentence_num", "word_id", "word"),
    "potsdam": ("sentence_num", None, "word"),
    "provo": ("sentence_id", "word_id", "word"),
    "cmcl": ("Sentence_ID", "Word_ID", "Word"),
    "natural-stories": ("item", "zone", "word"),
}


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_tables_of_words_become_the_means_of_their_sentences(tmp_path, layout, ending):
    number, place, word = NAMES[layout]
    frame = words_table().rename(columns={"number": number, "place": place or "place", "word": word})
    shown = frame.drop(columns=["subject", *([] if place else ["place"])])
    path = tmp_path / f"{layout}.{ending}"
    shown.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    recording = read(path)
    assert recording.sentences == tuple(SENTENCES)
    responses = recording.subjects["all"]
    assert responses.channels == ("ffd", "gd") and responses.halves is None
    np.testing.assert_allclose(responses.values, expected(frame, number, ["ffd", "gd"]))
    assert any(f"sentence {number!r}" in note for note in recording.notes)
    summed = read(path, ",words=sum").subjects["all"].values
    np.testing.assert_allclose(summed, expected(frame, number, ["ffd", "gd"], "sum"))


def test_several_readers_of_words_are_several_subjects_and_words_no_repetitions(tmp_path):
    frame = words_table(("7", "8", "9"))
    frame.rename(columns={"subject": "participant_id"}).to_csv(path := tmp_path / "t.csv", index=False)
    recording = read(path, ",sentence=number,order=place")
    assert [*recording.subjects] == ["7", "8", "9"]
    for name, responses in recording.subjects.items():
        own = frame[frame["subject"] == name]
        np.testing.assert_allclose(responses.values, expected(own, "number", ["ffd", "gd"]))
        assert responses.halves is None


def test_words_that_some_readers_skipped_stay_in_the_sentence_where_an_order_tells_their_place(tmp_path):
    frame = words_table(("a", "b"))
    skipped = frame.drop(index=[1, 9, 50])
    skipped.to_csv(path := tmp_path / "t.csv", index=False)
    recording = read(path, ",sentence=number,order=place")
    assert recording.sentences == tuple(SENTENCES)
    own = skipped[skipped["subject"] == "a"]
    np.testing.assert_allclose(recording.subjects["a"].values, expected(own, "number", ["ffd", "gd"]))
    skipped.drop(columns="place").to_csv(path, index=False)
    with pytest.raises(UnusableData, match="sentence 1 has unlike words, .*; say order=COLUMN in the address"):
        read(path, ",sentence=number")


def test_a_word_without_its_place_is_refused(tmp_path):
    frame = words_table().rename(columns={"place": "word_id"}).astype({"word_id": object})
    frame.loc[4, "word_id"] = ""
    frame.to_csv(path := tmp_path / "t.csv", index=False)
    with pytest.raises(UnusableData, match="row 6 has no place of its word in column 'word_id': write it"):
        read(path, ",sentence=number")


def test_trials_of_another_order_for_each_reader_are_told_apart_by_their_words(tmp_path):
    frames = []
    for subject, order in (("a", [0, 1, 2, 3, 4, 5]), ("b", [5, 4, 3, 2, 1, 0])):
        for trial, sentence in enumerate(order, 1):
            frames += [(subject, trial, word, 100.5 * sentence + trial) for word in SENTENCES[sentence].split()]
    pd.DataFrame(frames, columns=["SUB", "Trial", "Word", "rt"]).to_csv(path := tmp_path / "t.csv", index=False)
    recording = read(path)
    assert {*recording.sentences} == {*SENTENCES} and len(recording.sentences) == 6
    place = recording.sentences.index(SENTENCES[5])
    assert recording.subjects["a"].values[place, 0] == pytest.approx(100.5 * 5 + 6)
    assert recording.subjects["b"].values[place, 0] == pytest.approx(100.5 * 5 + 1)


def test_words_without_numbers_of_sentences_join_where_their_order_begins_anew(tmp_path):
    frame = words_table(("a", "b"))
    frame.drop(columns="number").rename(columns={"place": "word_idx"}).to_csv(path := tmp_path / "t.csv", index=False)
    recording = read(path)
    assert recording.sentences == tuple(SENTENCES)
    own = frame[frame["subject"] == "b"]
    np.testing.assert_allclose(recording.subjects["b"].values, expected(own, "number", ["ffd", "gd"]))
    frame[["subject", "word", "ffd"]].to_csv(path, index=False)
    with pytest.raises(UnusableData, match="its rows are words, and nothing tells their sentences: say sentence=COLU"):
        read(path)


def test_a_sentence_that_is_read_twice_word_by_word_is_a_repetition(tmp_path):
    frame = words_table()
    second = frame.assign(ffd=frame["ffd"] + 7.5)
    pd.concat([frame, second]).rename(columns={"place": "word_id"}).to_csv(path := tmp_path / "t.csv", index=False)
    responses = read(path, ",sentence=number").subjects["s1"]
    np.testing.assert_allclose(responses.values, expected(frame, "number", ["ffd", "gd"]) + [3.75, 0])
    np.testing.assert_allclose(responses.halves[1] - responses.halves[0], [[7.5, 0]] * 6, atol=1e-9)


def test_sentences_with_the_names_of_behavioural_studies(tmp_path):
    rows = [(s, x, 100.5 + i) for i, (s, x) in enumerate((s, x) for s in ("A1", "A2") for x in SENTENCES)]
    frame = pd.DataFrame(rows, columns=["SUB", "FullSentence", "logRT"])
    frame.to_csv(path := tmp_path / "t.csv", index=False)
    recording = read(path)
    assert [*recording.subjects] == ["A1", "A2"] and recording.sentences == tuple(SENTENCES)
    np.testing.assert_array_equal(recording.subjects["A2"].values[:, 0], frame["logRT"][6:])
    assert "recognised: sentence 'FullSentence', subject 'SUB'." in recording.notes


@pytest.mark.parametrize("name", ["participant_id", "Subject", "SUB", "subj", "participant", "Subject ID"])
def test_subjects_go_by_their_usual_names(tmp_path, name):
    pd.DataFrame({name: ["x"] * 6 + ["y"] * 6, "sentence": SENTENCES * 2, "rt": RNG.random(12)}).to_csv(
        path := tmp_path / "t.csv", index=False
    )
    assert [*read(path).subjects] == ["x", "y"]


def test_subjects_that_are_large_numbers_stay_apart_and_writings_of_one_are_told(tmp_path):
    ids = np.repeat([1000001.0, 1000002.0, 1000003.0], 6)
    frame = pd.DataFrame({"subject": ids, "sentence": SENTENCES * 3, "rt": RNG.random(18)})
    for ending in ("csv", "parquet"):
        path = tmp_path / f"t.{ending}"
        frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
        assert [*read(path).subjects] == ["1000001", "1000002", "1000003"]
    frame.assign(subject=["01"] * 6 + ["1"] * 12).to_csv(path := tmp_path / "u.csv", index=False)
    recording = read(path)
    assert [*recording.subjects] == ["01", "1"]
    assert any("differ in writing alone are different subjects: '01' and '1'" in note for note in recording.notes)


def test_sentences_that_differ_by_the_composition_of_letters_are_one(tmp_path):
    accented = [s.replace("e", "é") for s in SENTENCES]
    texts = [*accented, *(unicodedata.normalize("NFD", s) for s in accented)]
    frame = pd.DataFrame({"subject": ["a"] * 6 + ["b"] * 6, "sentence": texts, "rt": RNG.random(12)})
    frame.to_csv(path := tmp_path / "t.csv", index=False)
    recording = read(path)
    assert recording.sentences == tuple(accented) and recording.subjects["b"].present.all()
    assert any("composed otherwise" in note and note.endswith(": 6.") for note in recording.notes)


@pytest.mark.parametrize("cell", [".", "x", "1,234.5", "12%", "-", "?"])
def test_one_odd_cell_is_refused_with_its_place_or_said_to_be_missing(tmp_path, cell):
    values = [*map(str, np.round(100 + 50 * RNG.random(6), 1))]
    values[3] = cell
    frame = pd.DataFrame({"sentence": SENTENCES, "rt": values, "gd": RNG.random(6)})
    frame.to_csv(path := tmp_path / "t.csv", index=False)
    with pytest.raises(UnusableData, match=r"t\.csv': row 5, column 'rt' holds '.*', which is no number") as refusal:
        read(path)
    assert f"--missing {cell}" in str(refusal.value)
    if "," not in cell:
        recording = read(path, f",missing={cell}:-999")
        assert recording.subjects["all"].present.tolist() == [True, True, True, False, True, True]
    assert read(path, ":gd").subjects["all"].channels == ("gd",)


def test_fill_values_are_missing_where_that_is_said(tmp_path):
    frame = pd.DataFrame({"sentence": SENTENCES, "rt": [1.5, -999, 2.5, 3.5, 4.5, 5.5], "gd": RNG.random(6)})
    frame.to_csv(path := tmp_path / "t.csv", index=False)
    assert read(path, ",missing=-999").subjects["all"].present.tolist() == [True, False, *[True] * 4]
    np.savez(tmp_path / "t.npz", sentences=np.array(SENTENCES), values=frame[["rt", "gd"]].to_numpy())
    assert read(tmp_path / "t.npz", ",missing=-999").subjects["all"].present.tolist() == [True, False, *[True] * 4]


def test_what_is_no_measurement_is_a_channel_only_when_named(tmp_path):
    names = ["onset", "Trial", "block", "log_freq", "LogFrequency", "surprisal", "unigramsurp", "word_length", "run"]
    frame = pd.DataFrame({"sentence": SENTENCES, "rt": RNG.random(6), "N400": RNG.random(6)})
    frame = frame.assign(**{name: RNG.random(6) for name in names})
    frame.to_csv(path := tmp_path / "t.csv", index=False)
    recording = read(path)
    assert recording.subjects["all"].channels == ("rt", "N400")
    assert any("no measurements by their names" in note and "surprisal" in note for note in recording.notes)
    assert read(path, ",channels=surprisal:rt").subjects["all"].channels == ("surprisal", "rt")


def test_a_german_spreadsheet_and_two_columns_of_one_name(tmp_path):
    frame = pd.DataFrame({"sentence": SENTENCES, "rt": RNG.random(6), "gd": RNG.random(6)})
    frame.to_csv(path := tmp_path / "t.csv", index=False, sep=";", decimal=",", encoding="cp1252")
    recording = read(path)
    np.testing.assert_allclose(recording.subjects["all"].values, frame[["rt", "gd"]])
    assert {"its cells are separated by semicolons."} <= {*recording.notes}
    assert any("decimals have commas" in note for note in recording.notes)
    path.write_text("sentence,rt,rt\nIt rained.,1.5,2.5\n")
    with pytest.raises(UnusableData, match="column 'rt' stands twice: column 2 and column 3; leave one of them"):
        read(path)


def test_roles_stand_in_the_sidecar_and_in_python_too(tmp_path):
    frame = pd.DataFrame({"who": ["a"] * 6, "what": SENTENCES, "rt": RNG.random(6)})
    frame.to_csv(path := tmp_path / "t.csv", index=False, sep="|")
    (tmp_path / "t.csv.json").write_text('{"sentence": "what", "subject": "who", "separator": "bar"}')
    assert [*read(path).subjects] == ["a"]
    signal = TableSignal("mine", path, sentence="what", subject="what")
    with pytest.raises(UnusableData, match="column 'what' is named as sentence and as subject"):
        signal.read(FILES)
    for wrong in (",sentence=wat", ",subject=rtt"):
        with pytest.raises(UnknownName, match="unknown column"):
            read(path, wrong)
    with pytest.raises(UnknownName, match="unknown option of a table 'sentnce'; did you mean 'sentence' or 'sent"):
        read(path, ",sentnce=what")


def test_an_array_beside_its_sentences(tmp_path):
    values = RNG.random((6, 3))
    np.save(tmp_path / "t.npy", values)
    with pytest.raises(UnusableData, match="holds values alone: name the file of their sentences"):
        read(tmp_path / "t.npy")
    (tmp_path / "s.txt").write_text("\n".join(SENTENCES))
    recording = read(tmp_path / "t.npy", f",sentences={tmp_path / 's.txt'}")
    np.testing.assert_array_equal(recording.subjects["all"].values, values)
    assert recording.sentences == tuple(SENTENCES)


def test_a_wide_array_takes_half_of_its_size_more_than_itself(tmp_path):
    values = RNG.normal(size=(300, 20_000)).astype(np.float32)
    np.savez(path := tmp_path / "t.npz", sentences=np.array([f"Row {i} ." for i in range(300)]), values=values)
    read(path, ":values[0],values[1]")  # what is imported is not counted
    tracemalloc.start()
    responses = read(path).subjects["all"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert responses.values.dtype == np.float32 and peak < 1.5 * values.nbytes
    np.testing.assert_array_equal(responses.values, values)


@pytest.mark.parametrize(
    "cells, odd, write",
    [
        ([".", ".", ".", ".", "1.5", "2.5"], ".", ""),  # most words are skipped
        (["x", "x", "x", "x", "1.5", "2.5"], "x", ""),
        (["1,100", "1,200", "1,300", "1,400", "1,500", "1,600"], "1,100", "write 1100 without the mark of thousands"),
        (["1.100,5"] * 5 + ["1.200,5"], "1.100,5", "write 1100.5 without the mark of thousands"),
        (["1 100.5"] * 5 + ["1 200.5"], "1 100.5", "write 1100.5 without the mark of thousands"),
        (["1'100.5"] * 5 + ["2.5"], "1'100.5", "write 1100.5 without the mark of thousands"),
    ],
)
def test_a_column_of_odd_numbers_is_refused_and_not_lost(tmp_path, cells, odd, write):
    frame = pd.DataFrame({"sentence": SENTENCES, "rt": cells, "gd": RNG.random(6)})
    frame.to_csv(path := tmp_path / "t.csv", index=False, sep=";")
    with pytest.raises(UnusableData, match=r"t\.csv': row 2, column 'rt' holds") as refusal:
        read(path)
    assert repr(odd) in str(refusal.value) and write in str(refusal.value)


def test_two_columns_that_may_be_the_subject_are_refused_unless_they_tell_the_same_apart(tmp_path):
    frame = pd.DataFrame({"participant": list("aaabbb"), "SUB": list("xyxyxy"), "sentence": SENTENCES})
    frame = frame.assign(rt=RNG.random(6))
    frame.to_csv(path := tmp_path / "t.csv", index=False)
    with pytest.raises(UnusableData, match="may both be the subject; say subject=participant or subject=SUB"):
        read(path)
    assert [*read(path, ",subject=SUB").subjects] == ["x", "y"]
    frame.assign(SUB=list("xxxyyy")).to_csv(path, index=False)
    assert [*read(path).subjects] == ["a", "b"]


def test_writings_of_one_subject_are_told(tmp_path):
    frame = pd.DataFrame({"subject": ["A", "A ", "A", "B", "B", "B"], "sentence": SENTENCES, "rt": RNG.random(6)})
    frame.to_csv(path := tmp_path / "t.csv", index=False)
    recording = read(path)
    assert [*recording.subjects] == ["A", "B"] and "writings of one subject: 'A' and 'A '." in recording.notes


def test_a_table_without_a_header_names_the_option(tmp_path):
    frame = pd.DataFrame({"sentence": SENTENCES, "rt": RNG.random(6)})
    frame.to_csv(path := tmp_path / "t.csv", index=False, header=False)
    with pytest.raises(UnusableData, match="where the first line is a row, say header=no,sentence=1 in the address"):
        read(path)
    assert read(path, ",header=no,sentence=1").subjects["all"].channels == ("2",)
