"""Files of somebody else that are damaged, or of another form than ours: one line that names the file."""

import csv
import gzip
import io
import json
import sys
import zipfile
from copy import copy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from cogbench_backbones.adapters import read_weights
from cogbench_backbones.pretrained import Pretrained
from cogbench_backbones.training import trained
from command import cogbench, line
from repositories import bert_files

from cogbench import Files, Oracle, Pack, TaskMatrix, UnusableData, load_parts, read_arrays, read_table
from cogbench.data.oracle_files import read_oracle, write_oracle
from cogbench.parts.oracle_names import oracle_folder
from cogbench.storage.foreign import DEEPEST, TIMES, UNPACKED, parse_json
from cogbench.tables.reading import read_texts

TASKS = ("a", "b", "c")
TRUE = np.array([[0, 1, 2], [1, 0, 1], [1, 1, 0.0]])


@pytest.fixture
def measured():
    """Write an oracle as if it were measured here, and return its file."""
    pairs = [(s, t) for s in TASKS for t in TASKS if s != t]
    oracle = Oracle(
        "mine",
        "toy",
        "toy",
        TaskMatrix.square(TASKS, TRUE),
        np.full(3, 0.5),
        by_seed=TRUE[None],
        seeds=(0,),
        per_example={pair: np.ones((1, 5)) for pair in pairs},
        evaluation_error=np.full((3, 3), 0.1),
        metrics=dict.fromkeys(TASKS, "accuracy"),
        basis="measured",
    )
    oracle_folder().mkdir(parents=True)
    return write_oracle(oracle, oracle_folder() / "mine.json")[0]


FIELDS = {
    "name": [5, None, [], {}],
    "backbone": [[1], None],
    "origin": [{}, 7],
    "licence": [{}],
    "note": [7],
    "basis": [[]],
    "metrics": [[1], {"a": 1}, "accuracy"],
    "units": [{"a": None}],
    "better": [{"a": "more"}, {"x": "lower"}],
    "groups": [{"a": "b"}, {"a": [1]}, []],
    "sources": ["abc", ["a", "b", 3], [["a"], ["b"], ["c"]], ["a", "b"], ["a", "a", "b"], None],
    "targets": ["abc", ["a"], {}],
    "transfers": [[[1]], 5, "x", [[1, 2, 3]] * 2, [["1", "2", "3"]] * 3, [[True, 1, 1]] * 3, [[1e300, 1, 1]] * 3],
    "no_transfer": [[1], "x", [[1, 2, 3]], ["nan", 1, 2], 7],
    "standard_error": ["x", [[0.1]], [0.1, 0.1, 0.1]],
    "evaluation_error": [[[0.1]], {}],
    "gain_error": [[[0.1]]],
    "by_seed": [[[1]], [TRUE.tolist()] * 2, [], "x"],
    "no_transfer_by_seed": [[[1]], [1]],
    "seeds": [5, ["0"], [0.5], [0, 0], [True], [], None],
    "provenance": [3, []],
    "schema_version": ["3", 3.0, True, 99],
    "max_train_target": ["5", 1.5],
    "unknown": [1],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in FIELDS.items() for value in values])
def test_a_field_of_an_oracle_that_is_not_what_its_name_says_is_one_line(measured, field, value):
    table = json.loads(measured.read_text())
    measured.write_text(json.dumps(table | {field: value}))
    with pytest.raises(UnusableData) as refused:
        read_oracle(measured)
    assert repr(str(measured)) in str(refused.value) and "\n" not in str(refused.value)


TEXTS = {
    "deep": "[" * 200_000,
    "deep objects": '{"a":' * 200_000,
    "not so deep": '{"name": ' + "[" * (DEEPEST + 2) + "]" * (DEEPEST + 2) + "}",
    "many digits": '{"transfers": [[' + "9" * 5000 + "]]}",
    "large": '{"transfers": [[1' + "0" * 400 + "]]}",
    "infinite": '{"transfers": [[1e999]]}',
    "NaN": '{"transfers": [[NaN]]}',
    "half a letter": '{"name": "\\ud800"}',
    "half a letter as a name": '{"\\udfff": 1}',
    "cut": '{"name": "x", "tr',
    "a number": "7",
    "empty": "",
    "utf-16": "{}".encode("utf-16"),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_oracle_that_cannot_be_read_blocks_no_list(measured, text):
    broken = oracle_folder() / "broken.json"
    broken.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = cogbench("oracle", "list", "--json")
    rows = {row["name"]: row for row in json.loads(found.stdout)}
    assert found.exit_code == 0 and rows["mine"]["basis"] == "measured" and "cogtaskonomy-bert" in rows
    assert "BROKEN" in rows["broken"]["about"] and str(broken) in rows["broken"]["about"]
    message = line(cogbench("oracle", "show", "broken"), 3)
    assert repr(str(broken)) in message
    assert cogbench("oracle", "show", "mine").exit_code == 0


def damaged_scores():
    """Yield damaged files of per-example scores by what is wrong with them."""
    out = io.BytesIO()
    sound = {f"{s}\t{t}": np.ones((1, 5), np.float32) for s in TASKS for t in TASKS if s != t}
    np.savez_compressed(out, **sound, seeds=np.array([0]))
    content = out.getvalue()
    yield "empty", b""
    yield "cut", content[: len(content) // 2]
    yield "text", b"hello"
    method = bytearray(content)
    for at in (content.index(b"PK\x03\x04") + 8, content.index(b"PK\x01\x02") + 10):
        method[at] = 99  # another way of compression
    yield "compression", bytes(method)
    huge, head = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (1, 10**12)})
    with zipfile.ZipFile(huge, "w") as archive:
        archive.writestr("a\tb.npy", head.getvalue() + bytes(100))
        archive.writestr("seeds.npy", head.getvalue() + bytes(100))
    yield "huge", huge.getvalue()
    for name, arrays in {
        "no seeds": sound,
        "one dimension": {**sound, "a\tb": np.ones(5), "seeds": np.array([0])},
        "other numbers": {**sound, "a\tb": np.ones((1, 4), np.float32), "seeds": np.array([0])},
        "texts": {**sound, "a\tb": np.array([["x"] * 5]), "seeds": np.array([0])},
        "other name": {**sound, "a": np.ones((1, 5), np.float32), "seeds": np.array([0])},
        "more seeds": {**sound, "seeds": np.array([0, 1])},
        "no number": {**sound, "seeds": np.array(["x"])},
    }.items():
        out = io.BytesIO()
        np.savez(out, **arrays)
        yield name, out.getvalue()
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    yield "one array", out.getvalue()
    out = io.BytesIO()
    np.savez(out, **{"a\tb": np.array([{}], object)}, seeds=np.array([0]))
    yield "objects", out.getvalue()


@pytest.mark.parametrize("content", dict(damaged_scores()).values(), ids=dict(damaged_scores()))
def test_damaged_scores_of_examples_are_named_and_block_no_list(measured, content):
    beside, sound = measured.with_suffix(".per-example.npz"), cogbench("oracle", "list").stdout
    beside.write_bytes(content)
    listed = cogbench("oracle", "list")
    assert listed.exit_code == 0 and listed.stdout == sound and "mine" in sound
    message = line(cogbench("oracle", "show", "mine"), 3)
    assert repr(str(beside)) in message and "without it the table is read" in message
    beside.unlink()
    assert cogbench("oracle", "show", "mine").exit_code == 0


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.touch, (self.place,)


@pytest.mark.parametrize("name", ["a\tb", "values"])
def test_no_object_in_an_npz_file_is_made(measured, tmp_path, name):
    arrays = {"seeds": np.array([0]), "sentences": np.array(["a"]), name: np.array([Touch(tmp_path / "ran")], object)}
    for path in (measured.with_suffix(".per-example.npz"), tmp_path / "a.npz"):
        np.savez(path, **arrays)
    assert "Object arrays cannot be loaded" in line(cogbench("oracle", "show", "mine"), 3)
    with pytest.raises(UnusableData, match="Object arrays cannot be loaded" if name == "values" else "expected texts"):
        read_signal(tmp_path / "a.npz")
    assert not (tmp_path / "ran").exists()


# --- files that become far larger than they are


def swollen_npz(path):
    np.savez_compressed(path, sentences=np.array(["a"]), values=np.zeros((1, UNPACKED // 8 + 1)))


def swollen_in_pieces(path):
    """One piece is far less than too much, and all of them say that they are the same bytes of the file."""
    np.savez_compressed(path, a=np.zeros(UNPACKED // 80))
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(12):
            archive.filelist.append(copy(archive.filelist[0]))
            archive.filelist[-1].filename = f"{i}.npy"
        archive._didModify = True


def swollen_gzip(path):
    path.write_bytes(gzip.compress(b"text,label\n" + bytes(UNPACKED)))


def swollen_xlsx(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(UNPACKED + 1))


def read_signal(path):
    return load_parts().signals["table"].open(str(path)).read(Files(offline=True))


@pytest.mark.parametrize(
    "name, make, read",
    [
        ("a.npz", swollen_npz, read_signal),
        ("a.npz", swollen_in_pieces, read_signal),
        ("a.csv.gz", swollen_gzip, read_texts),
        ("a.jsonl.gz", swollen_gzip, read_texts),
        ("a.xlsx", swollen_xlsx, read_texts),
    ],
)
def test_what_would_become_far_larger_than_it_is_is_refused_unread(tmp_path, monkeypatch, name, make, read):
    make(path := tmp_path / name)
    assert path.stat().st_size < UNPACKED / TIMES
    monkeypatch.setitem(sys.modules, "openpyxl", SimpleNamespace(load_workbook=None))
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(
        UnusableData, match="would unpack to more than 16.0 MiB, and has .* KiB; save it unpacked"
    ) as said:
        read(path)
    assert "\n" not in str(said.value) and repr(str(path)) in str(said.value)


def test_scores_of_examples_that_would_become_far_larger_are_refused(measured):
    swollen_npz(measured.with_suffix(".per-example.npz"))
    assert "would unpack to more than" in line(cogbench("oracle", "show", "mine"), 3)
    assert cogbench("oracle", "list").exit_code == 0


def test_a_large_file_may_become_so_many_times_as_large(tmp_path):
    noise = np.random.default_rng(0).random(UNPACKED // TIMES // 8 * 2)
    np.savez_compressed(tmp_path / "a.npz", a=noise, b=np.zeros(UNPACKED // 8))
    assert {*read_arrays(tmp_path / "a.npz")} == {"a", "b"} and {*read_arrays(tmp_path / "a.npz", ["b", "c"])} == {"b"}


def test_a_member_that_says_less_than_it_is_is_damage(tmp_path):
    np.savez_compressed(path := tmp_path / "a.npz", a=np.zeros(10**5))
    size = (8 * 10**5 + 128).to_bytes(4, "little")
    assert path.read_bytes().count(size) == 2
    path.write_bytes(path.read_bytes().replace(size, (200).to_bytes(4, "little")))
    with pytest.raises(ValueError, match="cannot be read as npz"):
        read_arrays(path)


HEADS = {
    "larger than the file": {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}},
    "more numbers than bytes": {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 16]}},
    "twice the same bytes": {name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for name in "ab"},
}


@pytest.mark.parametrize("head", [*HEADS, "a head of 4 EiB"])
def test_tensors_that_claim_more_than_the_file_has_are_refused(tmp_path, head):
    text = json.dumps(HEADS.get(head, {})).encode()
    size = len(text) if head in HEADS else 2**62
    for name in ("a.safetensors", "model.safetensors", "adapter_model.safetensors"):
        (tmp_path / name).write_bytes(size.to_bytes(8, "little") + text + bytes(16))
    for name, content in bert_files().items():
        if name != "model.safetensors":
            (tmp_path / name).write_bytes(content.encode())
    readers = [Pack("a", str(tmp_path / "a.safetensors")).content, lambda: read_weights(tmp_path)]
    for read in (*readers, Pretrained(tmp_path).encoder, lambda: trained(tmp_path)):
        with pytest.raises(UnusableData) as said:
            read()
        assert "\n" not in str(said.value) and str(tmp_path) in str(said.value)


# --- json and tables


def test_json_is_read_as_far_as_it_can_be_used():
    deep = "[" * (DEEPEST - 1) + "1" + "]" * (DEEPEST - 1)
    assert parse_json(deep) and parse_json('{"a": [1, -9, 1.5, null, true, "\\ud83d\\udc16"]}')["a"][-1] == "🐖"
    assert np.isnan(parse_json("[NaN]", finite=False)[0])
    for text in (
        "[NaN]",
        "[-Infinity]",
        "[1e999]",
        f"[{2**64}]",
        f"[{'1' * 5000}]",
        '["\\ud800"]',
        "[" * 102 + "]" * 102,
    ):
        with pytest.raises(ValueError, match="NaN|Infinity|out of range|half a letter|too deep"):
            parse_json(text)


STATED = ["no json", "[]", '{"info": []}', '{"info": {"features": []}}', "null", "[" * 100_000, "\ufeff{"]
STATED += ['{"info": {"features": {"label": {"names": 5}}}}', '{"info": {"features": {"label": {"names": [1]}}}}']


@pytest.mark.parametrize("stated", STATED, ids=range(len(STATED)))
def test_metadata_of_another_form_name_no_classes(tmp_path, stated):
    table = pyarrow.table({"text": ["a", "b"], "label": [0, 1]})
    file = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(table.replace_schema_metadata({b"huggingface": stated.encode()}), file)
    rows = read_table(file)
    assert rows.columns == {"text": ["a", "b"], "label": [0, 1]} and not rows.names


def test_columns_of_one_name_are_refused_and_columns_without_a_name_are_not(tmp_path):
    (tmp_path / "t.csv").write_text("sentence,x,x\na b,1.5,2.5\n")
    with pytest.raises(UnusableData, match="column 'x' stands twice"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "u.csv").write_text("sentence,x,,\na b,1.5,,\n")
    assert read_table(tmp_path / "u.csv").columns["x"] == [1.5]
    both = pyarrow.table([pyarrow.array([1]), pyarrow.array([2])], names=["x", "x"])
    pyarrow.parquet.write_table(both, tmp_path / "t.parquet")
    with pytest.raises(UnusableData, match="Multiple matches|stands twice"):
        read_table(tmp_path / "t.parquet")


def test_a_line_of_two_megabytes_is_read_and_a_message_names_few_of_its_columns(tmp_path):
    names = ["sentence", *(f"voxel{i}" + "-" * 200 for i in range(10_000))]
    out = io.StringIO()
    csv.writer(out).writerows([names, ["a b", *["0.5"] * 10_000]])
    (tmp_path / "t.csv").write_text(out.getvalue())
    rows = read_table(tmp_path / "t.csv")
    assert len(rows.columns) == 10_001
    with pytest.raises(UnusableData, match="lacks column y; it has sentence, voxel0-.* and 9981 more"):
        rows.of("y")


@pytest.mark.parametrize(
    ("name", "content"), [("h.csv", b"sent\xe9nce,x\na,1\n"), ("h.tsv", b"sent\xe9nce\tx\na\t1\n")]
)
def test_a_header_in_another_encoding_is_read_with_a_note(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    rows = read_table(tmp_path / name)
    assert [*rows.columns] == ["senténce", "x"]
    assert any("cp1252" in note for note in rows.notes)


@pytest.mark.parametrize("beside", ["signal.json", "columns.json"])
@pytest.mark.parametrize("text", ["[" * 100_000, "{", b"\xff\xfe{}"], ids=["deep", "cut", "utf-16"])
def test_a_sidecar_that_cannot_be_read_is_one_line(tmp_path, beside, text):
    (tmp_path / "signal.csv").write_text("sentence,x\na b,1.5\nc d,2.5\ne f,3.5\n")
    (tmp_path / beside).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UnusableData, match=f"{beside}.*stands beside the table"):
        load_parts().signals["table"].open(str(tmp_path / "signal.csv")).read(None)


def test_a_selection_of_ragged_rows_is_one_line(tmp_path):
    (tmp_path / "s.csv").write_text("target,source\na,b\n,c,a\n")
    found = cogbench("score", tmp_path / "s.csv", "--oracle", "mini-planted")
    assert "row 3 has 3 values, the header 2" in line(found, 3)
