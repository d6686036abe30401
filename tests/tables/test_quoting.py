"""Quotes of csv and quotes of texts: no line swallows the next, and nothing of a cell is lost in silence."""

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cogbench import CogbenchError, read_table
from cogbench.errors import AmbiguousTable
from cogbench.tables.reading import read_texts

SPOKEN = [
    ("The kiln was cold.", "200.5"),
    ('"Leave the crate by the door.', "201.5"),
    ('I will carry it tomorrow."', "202.5"),
    ("A cart passed.", "203.5"),
]


def columns_of(tmp_path, text, name="t.csv", options="", encoding="utf-8"):
    (tmp_path / name).write_bytes(text.encode(encoding))
    rows = read_texts(f"{tmp_path / name}{options}")
    return [*map(list, rows.columns.values())], rows


def test_speech_over_two_lines_keeps_a_row_for_each_line(tmp_path):
    text = "sentence\trt\n" + "".join(f"{s}\t{v}\n" for s, v in SPOKEN)
    (sentences, values), rows = columns_of(tmp_path, text, "t.tsv")
    assert sentences == [s for s, _ in SPOKEN] and values == [v for _, v in SPOKEN]
    assert [*rows.numbers] == [2, 3, 4, 5]
    (sentences, _), _ = columns_of(tmp_path, text, "t.tsv", ",quotes=csv")
    assert sentences[1] == "Leave the crate by the door.\t201.5\nI will carry it tomorrow." and len(sentences) == 3


def test_lines_that_may_be_one_row_or_two_are_refused_with_the_option_that_decides(tmp_path):
    text = 'sentence,who\n"Go,now\nRun then",A\nIt rained.,B\n'
    with pytest.raises(AmbiguousTable, match="quote opens in row 2 and closes 1 row.s. later.*quotes=csv or quotes=te"):
        columns_of(tmp_path, text)
    (sentences, _), _ = columns_of(tmp_path, text, options=",quotes=csv")
    assert sentences == ["Go,now\nRun then", "It rained."]
    (sentences, who), _ = columns_of(tmp_path, text, options=",quotes=text")
    assert sentences == ['"Go', 'Run then"', "It rained."] and who == ["now", "A", "B"]


@pytest.mark.parametrize(
    "cells, expected",
    [
        (['"Stop," she said.', "Go."], ['"Stop," she said.', "Go."]),  # a quote that closes within the text
        (['"Stop."', "Go."], ['"Stop."', "Go."]),  # nothing calls for quotes, and other cells have none
        (['"""Stop."""', "Go."], ['"Stop."', "Go."]),  # doubled
        (['"one\ttwo"', "Go."], ["one\ttwo", "Go."]),  # a separator
        (['"one\ntwo"', "Go."], ["one\ntwo", "Go."]),  # a line break
        (['""', "Go."], ["", "Go."]),
        (['"Stop."', '"Go."'], ["Stop.", "Go."]),  # all of the column
        (['"Stop.', "Go."], ['"Stop.', "Go."]),  # nothing closes it
        (['5" of rope', "Go."], ['5" of rope', "Go."]),
    ],
)
def test_quotes_are_those_of_csv_only_where_something_calls_for_them(tmp_path, cells, expected):
    (sentences, _), _ = columns_of(tmp_path, "".join(f"{c}\tx\n" for c in ["sentence", *cells]), "t.tsv")
    assert sentences == expected


def test_two_texts_of_which_one_opens_a_quote_and_the_other_closes_it_stay_two(tmp_path):
    text = 'one\ttwo\tlabel\n"Stop.\tHe went."\t0\nA\tB\t1\n'
    (one, two, _), _ = columns_of(tmp_path, text, "t.tsv")
    assert (one[0], two[0]) == ('"Stop.', 'He went."')


TEXTS = st.text(st.sampled_from([*"ab1 ,;|\t\n\"'\r.é€", "“", "\\"]), min_size=1, max_size=8).filter(
    lambda text: text.strip() == text and text.casefold() not in ("na", "nan")
)
NUMBERS = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
WORDS = (
    "csv",
    "tsv",
    "semicolon",
    "bar",
    "json",
    "lines",
    "split",
    "parquet",
    "xlsx",
    "gz",
    "utf-16",
    "cp1252",
    "all quoted",
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, NUMBERS, TEXTS), min_size=1, max_size=6))
@pytest.mark.parametrize("form", WORDS)
def test_what_pandas_writes_is_read_the_same_or_refused_in_one_line(tmp_path, form, rows):
    frame = pd.DataFrame(rows, columns=["sentence", "rt", "note"])
    endings = {"lines": "jsonl", "split": "json", "gz": "csv.gz", **{e: e for e in ("tsv", "json", "parquet", "xlsx")}}
    path = tmp_path / f"t.{endings.get(form, 'csv')}"
    if form == "json":
        frame.to_json(path, orient="records")
    elif form == "split":
        frame.to_json(path, orient="split")
    elif form == "lines":
        frame.to_json(path, orient="records", lines=True)
    elif form == "parquet":
        frame.to_parquet(path)
    elif form == "xlsx":
        frame = frame.replace("\r\n?", "\n", regex=True)  # XML knows one kind of line break
        frame.to_excel(path, index=False)
    else:
        mark = {"tsv": "\t", "semicolon": ";", "bar": "|"}.get(form, ",")
        encoding = form if form in ("utf-16", "cp1252") else "utf-8"
        quoting = csv.QUOTE_ALL if form == "all quoted" else csv.QUOTE_MINIMAL
        frame.to_csv(path, index=False, sep=mark, encoding=encoding, quoting=quoting)
    try:
        table = read_table(path)
    except CogbenchError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        return
    assert [*table.columns] == ["sentence", "rt", "note"]
    assert [*map(float, table.columns["rt"])] == pytest.approx([value for _, value, _ in rows])
    for name in ("sentence", "note"):
        assert [*map(_plain, table.columns[name])] == [*map(_plain, frame[name])], (form, path.read_bytes())


def _plain(cell):
    """A column of texts that are all numbers is one of numbers."""
    try:
        return float(cell)
    except ValueError:
        return cell


@pytest.mark.parametrize("note", ["1\n;1;", "1\n;;", "1\n;\\;"])
def test_lines_in_doubt_do_not_decide_how_they_are_read(tmp_path, note):
    path = tmp_path / "t.csv"
    pd.DataFrame({"sentence": ["1"], "rt": [0.0], "note": [note]}).to_csv(path, sep=";", index=False)
    with pytest.raises(AmbiguousTable, match="quotes=csv or quotes=text"):
        read_table(path)
    assert read_table(f"{path},quotes=csv").columns["note"] == [note]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, NUMBERS, NUMBERS), min_size=1, max_size=6))
@pytest.mark.parametrize("form", ["npz", "npy"])
def test_what_numpy_writes_is_read_the_same_or_refused_in_one_line(tmp_path, form, rows):
    sentences, values = [text for text, *_ in rows], np.array([numbers for _, *numbers in rows])
    path = tmp_path / f"t.{form}"
    if form == "npz":
        np.savez(path, sentences=np.array(sentences), values=values, channels=np.array(["rt", "gd"]))
    else:
        np.save(path, values)
        (tmp_path / "sentences.txt").write_text("".join(f"{text}\n" for text in sentences))
    try:
        table = read_table(path)
    except CogbenchError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        assert form == "npy", "an npz holds each sentence by itself"
        return
    assert [*map(_plain, table.columns["sentence"])] == [*map(_plain, sentences)]
    assert np.array_equal(np.stack([*table.columns.values()][1:], axis=1), values)
