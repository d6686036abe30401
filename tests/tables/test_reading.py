"""Tables as people have them: separators, encodings, endings; and messages that quote nothing of them."""

import gzip
import json
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from cogbench import CogbenchError, MissingData, UnusableData, read_table, read_tagged
from cogbench.tables.options import ALL_ENDINGS
from cogbench.tables.reading import read_texts

ROWS = {"text": ["one, two", 'a "b"', "12", "2024-01-05"], "label": ["NA", "None", "", "1"]}
VALUES = [*zip(*ROWS.values(), strict=True)]  # row by row


def as_csv(mark=","):
    quoted = [[f'"{value.replace(chr(34), chr(34) * 2)}"' for value in row] for row in VALUES]
    return "".join(mark.join(row) + "\n" for row in [[*ROWS], *quoted])


@pytest.mark.parametrize(
    "name, content, first",
    [
        ("a.csv", as_csv().encode(), 2),
        ("a.csv", as_csv(";").encode("utf-8-sig"), 2),
        ("a.tsv", as_csv("\t").encode(), 2),
        ("A.CSV.gz", gzip.compress(as_csv(";").encode(), mtime=0), 2),
        (
            "a.json",
            json.dumps([dict(zip(ROWS, row, strict=True)) for row in VALUES]).encode(),
            1,
        ),
        ("a.json", json.dumps(ROWS).encode(), 1),
        ("a.json", json.dumps({name: dict(enumerate(values)) for name, values in ROWS.items()}).encode(), 1),  # pandas
        ("a.json", json.dumps({i: dict(zip(ROWS, v, strict=True)) for i, v in enumerate(VALUES)}).encode(), 1),
        *((name, as_csv(mark).encode(), 2) for mark in ("\t", "|", ",", ";") for name in ("a.csv", "a.tsv")),
        ("a.csv", f"sep=;\r\n{as_csv(';')}".encode(), 3),  # as Excel has it
        ("a.csv", as_csv().replace("label", " label ", 1).encode(), 2),
        ("a.jsonl.gz", gzip.compress(json.dumps({"text": "x", "label": "y"}).encode(), mtime=0), 1),
    ],
)
def test_all_values_of_a_table_are_the_texts_that_they_are_there(tmp_path, name, content, first):
    (path := tmp_path / name).write_bytes(content)
    rows = read_texts(path)
    assert rows.columns == ({"text": ["x"], "label": ["y"]} if "jsonl" in name else ROWS) and rows.number(0) == first


def test_json_may_have_one_object_a_line_with_labels_of_several_types_and_gaps(tmp_path):
    (path := tmp_path / "a.json").write_text(
        '{"text": "a", "label": 1}\n\n{"text": "b", "label": "1"}\n{"text": "c"}\n'
    )
    assert read_texts(path).columns == {"text": ["a", "b", "c"], "label": [1, "1", None]}


def test_squad_in_its_own_form(tmp_path):
    answer = {"text": "Paris", "answer_start": 14}
    asked = [{"question": "where?", "answers": [answer]}, {"question": "who?", "is_impossible": True, "answers": []}]
    articles = [{"title": "t", "paragraphs": [{"context": "Anna lives in Paris.", "qas": asked}]}]
    (path := tmp_path / "squad.json").write_text(json.dumps({"version": "v2.0", "data": articles}))
    assert read_texts(path).columns == {
        "text": ["where?", "who?"],
        "text_pair": ["Anna lives in Paris."] * 2,
        "label": [{"text": ["Paris"], "answer_start": [14]}, {"text": [], "answer_start": []}],
    }


def test_conll_has_a_word_and_its_tag_a_line(tmp_path):
    text = "-DOCSTART- -X- O\n\nAnna NNP B-PER\nsees VBZ O\n\n\n# a note\nParis NNP B-LOC"
    (path := tmp_path / "a.conll").write_text(text)
    columns = {"tokens": [["Anna", "sees"], ["Paris"]], "label": [["B-PER", "O"], ["B-LOC"]]}
    rows = read_texts(path)
    assert {name: rows.columns[name] for name in columns} == columns and [*rows.numbers] == [3, 8]
    assert rows.columns["2"] == [["NNP", "VBZ"], ["NNP"]]
    path.write_text("Anna B-PER\nsees\n")
    with pytest.raises(UnusableData, match=r"line 2 has 1 column\(s\): it lacks a tag"):
        read_texts(path)


def test_parquet_keeps_its_types_and_the_names_of_its_classes(tmp_path):
    feature = {"names": ["bad", "good"], "_type": "ClassLabel"}
    metadata = {"huggingface": json.dumps({"info": {"features": {"label": feature}}})}
    table = pa.table({"text": ["a", None], "label": [0, 1]}).replace_schema_metadata(metadata)
    parquet.write_table(table, path := tmp_path / "a.parquet")
    rows = read_texts(path)
    assert rows.columns == {"text": ["a", None], "label": [0, 1]} and rows.names == {"label": ("bad", "good")}


SECRET = "something private"


@pytest.mark.parametrize(
    "name, content, says",
    [
        (
            "a.csv",
            f"text,label\n{SECRET} \x81,x\n".encode("latin-1"),
            "a.csv' is not in cp1252 after line 0; encoding=",
        ),
        ("a.csv", f"text,label\n{SECRET},x\n".encode("utf-16-le"), "a.csv' is UTF-16 without a mark, or no text: enc"),
        ("a.csv", f"text,label\nx,y\n{SECRET},x,z\n".encode(), "read as csv: row 3 has 3 values, the header 2[.]$"),
        ("a.tsv", f"text\tlabel\n{SECRET}\n".encode(), "read as tsv: row 2 has 1 values, the header 2[.]$"),
        ("a.csv", b"", "cannot be read as csv: it has no rows"),
        ("a.csv", b"\n\n\n", "cannot be read as csv: it has no rows"),
        ("a.csv", f"text,label\n{SECRET},x\n".encode("utf-32"), "a.csv' is in UTF-32: save it as UTF-8"),
        ("a.csv", f"text,label\n{SECRET}\0,x\n".encode(), "a.csv': line 2 holds a character NUL"),
        ("a.csv", b"PK\x03\x04" + bytes(99), "a.csv' is no text but a zip archive or a workbook"),
        ("a.jsonl", gzip.compress(SECRET.encode(), mtime=0), "a.jsonl' is no text but a gzip file: unpack it"),
        ("a.csv.gz", SECRET.encode(), "cannot be read as csv.gz: Not a gzipped file"),
        ("a.json", f'[{{"text": "{SECRET}"'.encode(), "a.json': line 1 is no JSON"),
        ("a.jsonl", f'{{"text": "a"}}\n{SECRET}\n'.encode(), "a.jsonl': line 2 is no JSON"),
        ("a.json", f'["{SECRET}"]'.encode(), "a.json' is no list of JSON objects"),
        ("a.json", b'{"data": [{"paragraphs": [{"context": "x"}]}]}', "a paragraph or a question lacks 'qas'"),
        ("a.parquet", SECRET.encode(), "cannot be read as parquet"),
        ("a.doc", SECRET.encode(), "unknown ending; known: .csv, .tsv, .txt, .json, .jsonl, .conll"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_quotes_nothing(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableData, match=says) as caught:
        read_texts(tmp_path / name)
    assert SECRET not in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(MissingData, match="no file"):
        read_texts(tmp_path / "none.csv")


def test_a_workbook_takes_a_package_or_is_saved_otherwise(tmp_path, monkeypatch):
    zipfile.ZipFile(path := tmp_path / "a.xlsx", "w").close()
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UnusableData, match="a workbook, which takes the package openpyxl to read: install it, or save"):
        read_texts(path)
    assert {".csv", ".tsv", ".jsonl", ".json", ".conll", ".xlsx", ".parquet", ".csv.gz", ".jsonl.gz"} <= {*ALL_ENDINGS}


def test_a_workbook_gives_what_pandas_wrote(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl reads workbooks")
    texts = ['Go, "now".', " Ärger €", "01", "#N/A"]
    frame = pd.DataFrame({"subject": [1, 1, 2, 2], "sentence": texts, "rt": [1.5, None, 2.25, 3], "on": [True] * 4})
    with pd.ExcelWriter(path := tmp_path / "a.xlsx", engine="openpyxl") as writer:
        frame.to_excel(writer, sheet_name="one", index=False)
        frame[::-1].to_excel(writer, sheet_name="two")
    rows = read_texts(path)
    assert rows.columns == {**frame.to_dict("list"), "rt": [1.5, None, 2.25, 3]} and [*rows.numbers] == [2, 3, 4, 5]
    assert rows.notes == ("of its sheets one, two the first is read; sheet= in the address names another",)
    assert read_texts(f"{path},sheet=two").columns[""] == [3, 2, 1, 0]
    with pytest.raises(CogbenchError, match="unknown sheet 'tow'; did you mean 'two'"):
        read_texts(f"{path},sheet=tow")
    workbook = openpyxl.Workbook()
    for cells in ([], ["sentence", "rt", None], ["one", 1.5, None], ["two", "odd", None], [], ["six", 2.5]):
        workbook.active.append(cells)
    workbook.create_sheet("empty")
    workbook.save(path)
    rows = read_texts(path)
    assert rows.columns == {"sentence": ["one", "two", "six"], "rt": [1.5, "odd", 2.5]}
    with pytest.raises(UnusableData, match="row 4, column 'rt' holds 'odd', which is no number"):
        rows.measured("rt")
    with pytest.raises(UnusableData, match="its sheet has no rows; sheet= in the address names another of Sheet, em"):
        read_texts(f"{path},sheet=empty")
    workbook.active["C5"] = workbook.active["D5"] = 7
    workbook.save(path)
    with pytest.raises(UnusableData, match="columns 3 and 4 have cells, but no name in the header; name each column"):
        read_texts(path)


def test_words_with_tags_come_a_line_each(tmp_path):
    path = tmp_path / "devel.tsv"
    path.write_bytes("-DOCSTART-\tO\n\nTau\u2009X\tB-GENE\nbinds\x85\tO\n#\tO\n\n\n.\tO".encode())
    rows = read_tagged(path)
    assert rows.columns == {
        "tokens": [["Tau\u2009X", "binds\x85", "#"], ["."]],
        "label": [["B-GENE", "O", "O"], ["O"]],
    }
    path.write_text("Tau\tO\nbinds O\n")
    with pytest.raises(UnusableData, match=r"devel\.tsv': line 2 has 1 column\(s\), apart by tabs: it lacks a tag\.$"):
        read_tagged(path)
    with pytest.raises(MissingData, match="no file"):
        read_tagged(tmp_path / "train.tsv")
    path.write_bytes("ş\tO\n".encode("iso-8859-9"))
    with pytest.raises(UnusableData, match="is not UTF-8"):
        read_tagged(path)


def test_words_of_conll_u_are_those_with_a_whole_number(tmp_path):
    path = tmp_path / "dev.conllu"
    lines = ["# text = evdeydim", "1-2\tevdeydim\t_\t_", "1\tevde\tev\tNOUN", "2\tydim\ti\tAUX", "2.1\tgap\t_\tVERB"]
    path.write_text("\r\n".join([*lines, "", "# text = ben", "1\tben\tben\tPRON", ""]))
    rows = read_tagged(path, word=1, tag=3)
    assert rows.columns == {"tokens": [["evde", "ydim"], ["ben"]], "label": [["NOUN", "AUX"], ["PRON"]]}


@pytest.mark.parametrize(
    "encoding, note",
    [("utf-16", "it is in UTF-16"), ("cp1252", "it is not UTF-8 (line 2), and is read as cp1252"), ("utf-8-sig", None)],
)
def test_encodings_that_show_themselves_are_read_and_told(tmp_path, encoding, note):
    (path := tmp_path / "a.csv").write_bytes("text;label\nfür €;1\n".encode(encoding))
    rows = read_texts(path)
    assert rows.columns == {"text": ["für €"], "label": ["1"]}
    assert [n for n in rows.notes if note and n.startswith(note)] == [n for n in rows.notes if "separated" not in n]
    assert "its cells are separated by semicolons" in rows.notes


def test_each_guess_is_decided_by_an_option_of_the_address(tmp_path):
    (path := tmp_path / "a.csv").write_bytes(b'"a;b",c\n"1;2",3,5\n')
    assert read_texts(f"{path},separator=;,quotes=text").columns == {'"a': ['"1'], 'b",c': ['2",3,5']}
    path.write_bytes("name,x\nš,1\n".encode("cp1250"))
    assert read_texts(f"{path},encoding=cp1250").columns["name"] == ["š"]
    path.write_text("1,2\n3,4\n")
    rows = read_texts(f"{path},header=no")
    assert rows.columns == {"1": ["1", "3"], "2": ["2", "4"]} and [*rows.numbers] == [1, 2]
    path.write_text('x,y\n"1,5",2\n"2,5",3\n')
    assert read_table(f"{path},decimal=comma").columns == {"x": [1.5, 2.5], "y": [2, 3]}
    path.write_text("x;y\n1,5;a\n,5;b\n")
    assert read_table(f"{path},decimal=point").columns["x"] == ["1,5", ",5"]


@pytest.mark.parametrize(
    "address, says",
    [
        ("a.csv,seperator=;", "unknown option of a table 'seperator'; did you mean 'separator'"),
        ("a.csv,header=no,sep=;", "unknown option of a table 'sep'"),
        ("a.csv,quotes=no", "quotes=no: expected csv or text"),
        ("a.csv,separator=ab", "separator=ab: expected one sign, or comma, semicolon, tab, bar, space"),
        ("a.csv,encoding=klingon", "encoding=klingon: no encoding of this name"),
        ("a.csv,header=no,header=yes", "says header= twice"),
    ],
)
def test_options_that_are_none_are_refused_in_one_line(tmp_path, address, says):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CogbenchError, match=says) as refusal:
        read_texts(f"{tmp_path}/{address}")
    assert "\n" not in str(refusal.value)


def test_a_wide_table_keeps_numbers_as_numbers_and_texts_as_texts(tmp_path):
    values = np.random.default_rng(0).normal(size=(4, 3000)).round(4)
    frame = pd.DataFrame(values, columns=[f"v{i}" for i in range(3000)])
    frame.insert(1, "subject", ["01", "1", "02", "2"])
    frame.insert(0, "sentence", ['He said "no", and left.', "b", "c", "d"])
    frame["trial"] = [3, 1, 2, 4]
    frame.iloc[2, 7] = np.nan
    frame.to_csv(path := tmp_path / "a.csv", index=False)
    rows = read_texts(path, texts={"subject"})
    assert rows.columns["sentence"] == [*frame["sentence"]] and rows.columns["subject"] == ["01", "1", "02", "2"]
    assert rows.columns["trial"] == ["3", "1", "2", "4"]
    wide = [name for name in frame if name.startswith("v")]
    np.testing.assert_array_equal([*zip(*(map(float_or_nan, rows.columns[n]) for n in wide), strict=True)], frame[wide])
    assert isinstance(rows.columns["v2000"], np.ndarray)
    path.write_text(path.read_text().replace(str(values[3, 2500]), "odd"))
    assert read_texts(path).columns["v2500"][3] == "odd"
    with pytest.raises(UnusableData, match="row 5, column 'v2500' holds 'odd', which is no number"):
        read_texts(path).measured("v2500")


def float_or_nan(cell):
    return float(cell or "nan")


def test_names_that_stand_twice_are_refused_in_every_format(tmp_path):
    (tmp_path / "a.json").write_text('[{"rt": 1, "rt": 2}]')
    (tmp_path / "a.jsonl").write_text('{"rt": 1}\n{"rt": 1, "rt": 2}\n')
    (tmp_path / "a.csv").write_text("caf\u00e9,cafe\u0301\n1,2\n")
    (tmp_path / "b.csv").write_text("rt, rt\n1,2\n")
    for name in ("a.json", "a.jsonl", "a.csv", "b.csv"):
        with pytest.raises(UnusableData, match="twice"):
            read_texts(tmp_path / name)
