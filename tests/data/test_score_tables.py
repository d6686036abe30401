"""Tables of scores in all the ways in which people write them: read right, or refused in one line with the cell."""

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from cogbench import OracleCard, OracleFile, TableReading, UnknownName, UnusableData, load_parts, read_oracle
from cogbench.data.grids import read_grid
from cogbench.data.oracle_files import write_oracle, write_table
from cogbench.data.score_tables import read_scores
from cogbench.errors import AmbiguousTable
from cogbench.parts.oracle_names import find_oracle
from cogbench.results.guess import read_guess

WIDE = "source,a,b\na,,2.5\nb,40,\nc,-1,8\n"
SCORES = {("a", "b"): 2.5, ("b", "a"): 40, ("c", "a"): -1, ("c", "b"): 8}
LONG = "source,target,score\na,b,2.5\nb,a,40\nc,a,-1\nc,b,8\n"
SEEDS = "source,target,seed,score\n" + "".join(
    f"{s},{t},{seed},{v + d}\n" for (s, t), v in SCORES.items() for seed, d in ((0, -1), (1, 0.5), (2, 0.5))
)
RECORDS = [{"source": s, "target": t, "score": v} for (s, t), v in SCORES.items()]


def written(folder, name, text):
    path = Path(folder) / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def scores(matrix):
    """The numbers of a matrix by their names."""
    pairs = np.argwhere(np.isfinite(matrix.values))
    return {(matrix.sources[i], matrix.targets[j]): float(matrix.values[i, j]) for i, j in pairs}


@pytest.mark.parametrize(
    "name, text",
    [
        ("t.csv", WIDE),
        *[
            ("t.csv", WIDE.replace("source", head, 1))
            for head in ("", "Source", " SOURCES ", "Task", "row_task", "index")
        ],
        ("t.csv", WIDE.replace("source", "Unnamed: 0", 1)),
        *[("t.csv", f"{head},a,b,c\na,,40,-1\nb,2.5,,8\n") for head in ("target", "TARGETS")],
        ("t.tsv", WIDE.replace(",", "\t")),
        ("T.CSV", WIDE.replace(",", ";")),
        ("t.csv", WIDE.replace(",", ";").replace(".", ",")),
        ("t.tsv", WIDE.replace(",", "\t").replace(".", ",")),
        ("t.csv", "\ufeff" + WIDE),
        ("t.csv", WIDE.encode("utf-16")),
        ("t.csv", WIDE.replace(",", "\t")),
        ("t.txt", WIDE.replace(",", "|")),
        ("t.csv.gz", gzip.compress(WIDE.encode(), mtime=0)),
        ("t.jsonl", "\n".join(map(json.dumps, RECORDS))),
        ("t.csv", '\ufeff"source","a","b"\na,,2.5\nb,40,\nc,-1,8\n'),
        ("t.csv", "score;source;target\n2,5;a;b\n40;b;a\n-1;c;a\n8;c;b\n"),
        ("t.csv", "source,\u00a0a , b\n a\u00a0,, 2.5 \nb\u200b,40,\n\n,,\nc,-1\u00a0,8\n"),
        ("t.csv", "source,a,b,,\na,,2.5,,\nb,40,,,\nc,-1,8,,\n"),
        ("t.csv", '"source","a","b"\r\n"a","","2.5"\r\n"b","40",""\r\n"c","-1","8"\r\n'),
        *[
            ("t.csv", f"source,a,b\na,{gap},2.5\nb,40,{gap}\nc,-1,8\n")
            for gap in ("-", "–", "—", "n/a", "N/A", "NA", "nan", "NaN", "null", "None", ".", "?", " ")
        ],
        ("t.csv", "source,a,b\na,,+2.5\nb,4e1,\nc,−1,08.0\n"),
        ("t.csv", "source,a,b\na,,2.5%\nb,40,\nc,-1,8 %\n"),
        ("t.csv", LONG),
        ("t.csv", LONG.replace("source,target,score", "Source, TARGET ,Performance")),
        ("t.csv", LONG.replace("source,target,score", "source,target,how much")),
        ("t.csv", "score,target,source\n2.5,b,a\n40,a,b\n-1,a,c\n8,b,c\n"),
        ("t.csv", "Unnamed: 0,source,target,score\n5,a,b,2.5\n1,b,a,40\n2,c,a,-1\n9,c,b,8\n"),
        ("t.csv", ",source,a,b\n0,a,,2.5\n3,b,40,\n4,c,-1,8\n"),
        ("t.csv", "source,seed,a,b\na,0,,2.5\nb,0,40,\nc,0,-1,8\n"),
        ("t.csv", "source,a,b\na,,2.5\nb,40,\nc,-1,8\n" + "d,,\n"),
        ("t.json", json.dumps(RECORDS)),
        (
            "t.json",
            json.dumps([{"a": 40, "source": "b"}, {"b": 2.5, "source": "a"}, {"a": "-1", "b": 8, "source": "c"}]),
        ),
        ("t.json", '{"a": {"a": NaN, "b": 40.0, "c": -1}, "b": {"a": 2.5, "b": null, "c": 8}}'),
        (
            "t.json",
            json.dumps({k: {str(i): r[k] for i, r in enumerate(RECORDS)} for k in ("score", "target", "source")}),
        ),
        (
            "t.json",
            json.dumps({"source": {"0": "a", "1": "b", "2": "c"}, "a": {"1": 40, "2": -1}, "b": {"0": 2.5, "2": 8}}),
        ),
    ],
    ids=lambda text: str(text)[:30],
)
def test_a_table_is_read(tmp_path, name, text):
    path = written(tmp_path, name, text)
    oracle = read_oracle(path)
    assert scores(oracle.transfers) == SCORES and oracle.no_transfer is None and oracle.by_seed is None
    assert oracle.name == path.name.partition(".")[0] and {*oracle.transfers.targets} == {"a", "b"}
    assert {*oracle.transfers.sources} - {"d"} == {"a", "b", "c"}
    guess, _ = read_guess(path)
    assert scores(guess) == SCORES


def test_the_first_cell_tells_the_separator_where_names_have_commas_or_semicolons(tmp_path):
    assert read_oracle(written(tmp_path, "c.csv", "source,x;y;z\na,1\n")).transfers.targets == ("x;y;z",)
    assert read_oracle(written(tmp_path, "s.csv", "source;x,y,z\na;1\n")).transfers.targets == ("x,y,z",)


@pytest.mark.parametrize("index", [None, "source", "target", "unnamed"])
def test_a_parquet_file_is_read_with_its_index_wherever_pandas_puts_it(tmp_path, index):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [None, 40, -1], "b": [2.5, None, 8]}, index=pd.Index(["a", "b", "c"], name="source"))
    if index is None:
        frame = frame.reset_index()
    elif index == "target":
        frame = frame.T.rename_axis("target")
    elif index == "unnamed":
        frame = frame.rename_axis(None)
    frame.to_parquet(tmp_path / "t.parquet")
    oracle = read_oracle(tmp_path / "t.parquet")
    assert scores(oracle.transfers) == SCORES and ("no name" in oracle.note) == (index == "unnamed")
    frame.columns = pd.MultiIndex.from_product([["x"], frame.columns])
    frame.to_parquet(tmp_path / "two.parquet")
    with pytest.raises(UnusableData, match="two header lines"):
        read_oracle(tmp_path / "two.parquet")


NAMES = st.lists(
    st.sampled_from(["sst-2", "a b", "naïve", 'say "x"', "x,y", "x;y", "100", "NLI", "x\ty", "ü|", "a/b (c)"]),
    min_size=1,
    max_size=6,
    unique=True,
)


@settings(max_examples=60)
@given(data=st.data(), sources=NAMES, targets=NAMES)
@pytest.mark.parametrize("ending", ["csv", "semicolons", "tsv", "records", "columns", "parquet"])
@pytest.mark.parametrize("layout", ["wide", "transposed", "long"])
def test_what_is_written_in_any_layout_and_format_is_read_again(layout, ending, data, sources, targets):
    numbers = st.one_of(st.none(), st.floats(-1e9, 1e9), st.integers(-100, 100))
    cells = {(s, t): None if s == t else data.draw(numbers) for s in sources for t in targets}
    if layout == "long":
        head, lines = ["source", "target", "score"], [[s, t, v] for (s, t), v in cells.items()]
    elif layout == "wide":
        head, lines = ["source", *targets], [[s, *(cells[s, t] for t in targets)] for s in sources]
    else:
        head, lines = ["target", *sources], [[t, *(cells[s, t] for s in sources)] for t in targets]
    columns = dict(zip(head, zip(*lines, strict=True), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / {"semicolons": "t.csv", "records": "t.json", "columns": "t.json"}.get(
            ending, f"t.{ending}"
        )
        if ending == "parquet":
            floats = {k: [None if v is None else float(v) for v in c] for k, c in columns.items() if k == "score"}
            if layout != "long":
                floats = {k: [None if v is None else float(v) for v in columns[k]] for k in head[1:]}
            parquet.write_table(pa.table({k: floats.get(k, list(c)) for k, c in columns.items()}), path)
        elif ending == "records":
            path.write_text(json.dumps([dict(zip(head, line, strict=True)) for line in lines]))
        elif ending == "columns":
            path.write_text(json.dumps({k: {str(i): v for i, v in enumerate(c)} for k, c in columns.items()}))
        else:
            out = io.StringIO()
            csv.writer(out, delimiter={"csv": ",", "semicolons": ";", "tsv": "\t"}[ending]).writerows([head, *lines])
            path.write_text(out.getvalue())
        matrix = read_scores(read_grid(path)).matrix
    plain = {name: " ".join(name.split()) for name in (*sources, *targets)}  # a tab in a name is white space
    assert matrix.sources == tuple(plain[s] for s in sources) and matrix.targets == tuple(plain[t] for t in targets)
    assert scores(matrix) == {(plain[s], plain[t]): v for (s, t), v in cells.items() if v is not None}


def test_several_seeds_are_a_mean_and_its_standard_error(tmp_path):
    oracle = read_oracle(written(tmp_path, "t.csv", SEEDS))
    assert scores(oracle.transfers) == pytest.approx(SCORES) and oracle.seeds == (0, 1, 2)
    assert oracle.by_seed.shape == (3, 3, 2) and oracle.transfers.targets == ("b", "a")
    assert oracle.by_seed[:, 0, 0].tolist() == [1.5, 3, 3]
    assert oracle.standard_error[0, 0] == pytest.approx(np.std([1.5, 3, 3], ddof=1) / np.sqrt(3))
    assert np.isnan(oracle.by_seed[:, 0, 1]).all()
    turned = "\n".join([SEEDS.splitlines()[0], *SEEDS.splitlines()[:0:-1]])
    assert read_oracle(written(tmp_path, "u.csv", turned)).seeds == (0, 1, 2)
    wide = "target,seed,a,b,no-transfer\nb,7,1,,5\na,7,,2,6\nb,8,3,,7\na,8,,2,8\n"
    again = read_oracle(written(tmp_path, "w.csv", wide))
    assert again.seeds == (7, 8) and scores(again.transfers) == {("a", "b"): 2, ("b", "a"): 2}
    assert again.transfers.targets == ("b", "a") and again.no_transfer.tolist() == [6, 7]
    assert scores(read_guess(written(tmp_path, "t.csv", SEEDS))[0]) == pytest.approx(SCORES)


METRICS = "source,target,metric,score\na,b,f1,1\na,b,acc,2\nc,b,f1,3\nc,b,acc,4\nc,a,mcc,5\nb,a,mcc,6\n"


@pytest.mark.parametrize("metric, values", [("f1", [1, 3]), ("acc", [2, 4])])
def test_a_metric_is_chosen_for_the_targets_that_have_several(tmp_path, metric, values):
    oracle = read_oracle(written(tmp_path, "t.csv", METRICS), reading=TableReading(metric=metric))
    assert oracle.metrics == {"b": metric, "a": "mcc"}
    assert scores(oracle.transfers) == {("a", "b"): values[0], ("c", "b"): values[1], ("c", "a"): 5, ("b", "a"): 6}
    one = read_oracle(written(tmp_path, "t.csv", "\n".join(m for m in METRICS.splitlines() if "acc" not in m)))
    assert one.metrics == {"b": "f1", "a": "mcc"}
    columns = written(tmp_path, "c.csv", "source,target,f1,acc\na,b,1,2\nc,b,3,4\n")
    chosen = read_oracle(columns, reading=TableReading(metric=metric))
    assert chosen.transfers.values.ravel().tolist() == values and chosen.metrics == {"b": metric}
    assert chosen.note == f"columns left out: {'acc' if metric == 'f1' else 'f1'}"


OWN = "source,a,b\na,50,2.5\nb,40,60\nc,-1,8\n"
ROW = WIDE + "none,50,60\n"


@pytest.mark.parametrize(
    "text, reading, no_transfer",
    [
        (WIDE + "no-transfer,50,60\n", TableReading(), [50, 60]),
        (ROW, TableReading(no_transfer_row="none"), [50, 60]),
        (ROW, TableReading(leave_out=("none",)), None),
        (ROW + "AVG,1,2\n", TableReading(no_transfer_row="none", leave_out=("AVG",)), [50, 60]),
        (OWN, TableReading(diagonal="no-transfer"), [50, 60]),
        (OWN, TableReading(diagonal="leave-out"), None),
        (OWN + "no-transfer,1,2\n", TableReading(diagonal="leave-out"), [1, 2]),
        (OWN.replace("a,50", "a,"), TableReading(diagonal="no-transfer"), [None, 60]),
        (LONG + "no-transfer,a,50\nno-transfer,b,60\n", TableReading(), [50, 60]),
        (LONG + "a,a,50\nb,b,60\n", TableReading(diagonal="no-transfer"), [50, 60]),
        ("source,a,b,mean\na,,2.5,1\nb,40,,1\nc,-1,8,1\nmean,1,2,3\n", TableReading(leave_out=("mean",)), None),
    ],
    ids=str,
)
def test_the_targets_without_a_source_stand_where_the_reading_says(tmp_path, text, reading, no_transfer):
    path = written(tmp_path, "t.csv", text)
    oracle = read_oracle(path, reading=reading)
    assert scores(oracle.transfers) == SCORES
    found = None if oracle.no_transfer is None else [None if np.isnan(v) else v for v in oracle.no_transfer]
    targets = oracle.transfers.targets
    assert found == (no_transfer and [no_transfer["ab".index(t)] for t in targets])
    assert oracle.transfers.sources == ("a", "b", "c")


def test_a_guess_needs_no_word_on_its_diagonal_and_its_targets_without_a_source(tmp_path):
    assert scores(read_guess(written(tmp_path, "t.csv", OWN + "no-transfer,1,2\n"))[0]) == SCORES
    one = read_guess(written(tmp_path, "one.csv", "source,a\na,1\nb,2\n"))[0]
    assert one.sources == ("a", "b") and scores(one) == {("b", "a"): 2}  # a source with itself stays a source
    distances = TableReading(lower_is_better=("all",))
    assert scores(read_guess(tmp_path / "t.csv", distances)[0]) == {pair: -v for pair, v in SCORES.items()}


def test_lower_figures_are_better_of_the_named_targets_and_stay_in_their_unit(tmp_path):
    path = written(tmp_path, "t.csv", "source,a,b\na,,2.5%\nb,40,\nc,-1,8%\n")
    oracle = read_oracle(path, reading=TableReading(lower_is_better=("b",)))
    assert oracle.better == {"b": "lower"} and oracle.units == {"b": "per cent"} and scores(oracle.transfers) == SCORES
    assert scores(oracle.oriented) == {**SCORES, ("a", "b"): -2.5, ("c", "b"): -8}
    assert read_oracle(path, reading=TableReading(lower_is_better=("all",))).better == {"a": "lower", "b": "lower"}
    write_oracle(oracle, tmp_path / "t.json")
    again = read_oracle(tmp_path / "t.json")
    assert (again.better, again.units) == (oracle.better, oracle.units)


def cell(text, row="c", target="a"):
    """A table of one odd cell."""
    return f'source,a,b\na,,2.5\nb,40,\n{row},"{text}",8\n'


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "'t.csv' is empty"),
        (" \n\n", "'t.csv' is empty"),
        ("source,a,b\n", "it has no rows; expected a row for each source"),
        ("source\na\n", "it has one column, 'source'"),
        (
            "method,a,b\na,,1\n",
            "its first column is called 'method'; expected 'source' if the rows are sources, 'target'",
        ),
        ("source,target\na,b\n", "it has the columns source and target, but none of scores"),
        ("source,target,x,y\na,b,1,2\n", "several columns of scores: x, y; choose one, for example with --metric y"),
        ("source,a,b\na,,1\nb,2\n", "line 3: it has 2 cells, but the first line has 3"),
        ('source,a,b\na,,1\nb,"2,3\n', "target 'a' (line 3) holds '\"2', which is no number; write 2"),
        ("source,a,a\nb,1,2\n", "column 'a' stands twice: column 2 and column 3"),
        ("source,a,,b\nb,1,2,3\n", "column 3 has cells, but no name"),
        (WIDE + "\nb,1,2\n", "row 'b' stands twice: line 3 and line 6"),
        (WIDE + ",1,2\n", "line 5 has scores, but no name"),
        (",a,b\n,acc,f1\na,,1\nb,2,\n", "two header lines, ',a,b' and ',acc,f1'"),
        (",score,score\ntarget,a,b\nsource,,\na,,1\n", "two header lines"),
        (LONG + "c,b,9\n", "source 'c', target 'b' stand twice: line 5 and line 6"),
        (SEEDS + "c,b,1,9\n", "source 'c', target 'b' and seed 1 stand twice: line 12 and line 14"),
        (SEEDS.rstrip().rpartition("\n")[0], "source 'c' and target 'b' have no score of seed 2, but of seed 0"),
        (SEEDS.replace("a,b,1,3.0", "a,b,1,-"), "source 'a' and target 'b' have no score of seed 1"),
        (SEEDS.replace("a,b,1,", "a,b,one,"), "line 3 has the seed 'one'; expected a whole number"),
        (LONG + ",b,9\n", "line 6 names no source; write no-transfer for a target without a source"),
        (LONG + "c,,9\n", "line 6 names no target"),
        (METRICS, "target 'b' has several metrics, f1, acc; choose one, for example with --metric f1"),
        (METRICS + "b,c,,9\n", "line 8 names no metric"),
        *[
            (
                cell(text),
                f"the cell of source 'c' and target 'a' (line 4) holds {shown!r}, which is no number; {advice}",
            )
            for text, shown, advice in [
                ("inf", "inf", "write a finite number such as 62.4"),
                ("-Infinity", "-Infinity", "write a finite number"),
                ("1e999", "1e999", "write a finite number"),
                ("high", "high", "write a finite number"),
                ("62.4 65", "62.4 65", "write a finite number"),
                ("1_000", "1_000", "write 1000"),
                ("**62.4**", "**62.4**", "write 62.4"),
                ("62.4†", "62.4†", "write 62.4"),
                ("62·4", "62·4", "write 62.4"),
                ("62.4 ± 1.6", "62.4 ± 1.6", "write 62.4 alone; a table has no errors"),
                ("62.4 (1.6)", "62.4 (1.6)", "write 62.4 alone; a table has no errors"),
                ("62,4", "62,4", "write 62.4: a decimal comma may stand only in a table that ; or tabs separate"),
                ("62,4%", "62,4%", "write 62.4%: a decimal comma"),
                ("1,234.5", "1,234.5", "write 1234.5 without the mark of thousands."),
                ("1,234", "1,234", "write 1234 without the mark of thousands, or 1.234 if the comma is that of dec"),
                ("True", "True", "write a finite number"),
            ]
        ],
        (
            "source;a;b\na;;2,5\nb;1.234;\n",
            "target 'a' (line 3) holds '1.234', which is no number; other cells have a d",
        ),
        ("source;a;b\na;;1,234.5\nb;1;\n", "holds '1,234.5', which is no number; write 1234.5 without the mark of th"),
        ("source,a,b\na,,2.5\nb,40%,\nc,-1,8\n", "target 'a' (line 4) holds '-1', but the cell of source 'b' and"),
        ("source,a,b\nA,,2.5\nb,40,\n", "the names 'A' and 'a' differ only by case or white space"),
        ("source,q a,b\nb,1,\nqa,2,3\n", "the names 'qa' and 'q a' differ only by case or white space"),
        (
            OWN,
            "the cell of source 'a' and target 'a' (line 2) holds '50', although a task is no source for itself; say",
        ),
        (ROW, "'none' (source) is named like a baseline, not like a task; read 'none' as the targets without a source"),
        *[
            (WIDE + f"{name},50,60\n", f"--no-transfer-row {shown}, drop it with --leave-out {shown}, or rename it")
            for name, shown in [
                *[(n, n) for n in ("No-Transfer", "no_transfer", "BASELINE", "STL", "single-task", "alone", "self")],
                ("no transfer", "'no transfer'"),
            ]
        ],
        *[
            (
                WIDE + f"{name},50,60\n",
                f"{name!r} (source) is named like an average or a total, not like a task; drop it",
            )
            for name in ("AVG", "Average", "avg.", "mean", "median", "Sum", "total", "std", "SD", "max", "min")
        ],
        ("source,a,AVG\nb,1,2\nAVG,3,4\n", "'AVG' (source and target) is named like an average"),
        ("source,a,no-transfer\nb,1,2\nc,3,4\n", "'no-transfer' (target) is named like a baseline"),
        ("source,a,none\nb,1,2\nnone,3,\n", "'none' (source and target) is named like a baseline"),
        ("source,a,mean\nb,1,2\nself,3,4\n", "drop it with --leave-out mean, or rename it; 'self' (source) is named"),
        ("source,a,b\nno-transfer,1,2\n", "it has no rows of sources"),
        ("source,a,b\nb,1,2\n".encode("utf-16-be"), "is UTF-16 without a mark, or no text"),
        (b"source,a\nx\x81,1\n", "is not in cp1252 after line 0; encoding= in the address names another"),
    ],
    ids=lambda text: str(text)[-40:],
)
def test_a_table_that_cannot_be_read_is_refused_in_one_line_that_names_the_cell(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnusableData) as refusal:
        read_oracle(written("", "t.csv", text))
    message = str(refusal.value)
    assert message in message and message.startswith("'t.csv'") and "\n" not in message and message.endswith(".")
    assert isinstance(refusal.value, AmbiguousTable) == (" --" in message)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[]", "is empty"),
        ("[1, 2]", "is no list of JSON objects"),
        ('[{"source": "a", "b": true}]', "holds 'True', which is no number"),
        ('[{"source": "a", "b": "x"}]', "the cell of source 'a' and target 'b' (row 1) holds 'x'"),
        ('[{"source": "a", "b": [1]}]', "holds '[1]', which is no number"),
        ('{"a": {"b": Infinity}}', "holds 'inf', which is no number"),
        ("{}", "is no oracle that cogbench wrote"),
        ("{", "is no oracle that cogbench wrote"),
    ],
)
def test_json_that_cannot_be_read_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(UnusableData) as refusal:
        read_oracle(written(tmp_path, "t.json", text))
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "text, reading, message",
    [
        (WIDE, TableReading(no_transfer_row="nobody"), "unknown source in --no-transfer-row 'nobody'"),
        (WIDE, TableReading(leave_out=("z",)), "unknown name in --leave-out 'z'"),
        (WIDE, TableReading(lower_is_better=("z",)), "unknown target in --lower-is-better 'z'"),
        (METRICS, TableReading(metric="bleu"), "unknown metric 'bleu'"),
        (METRICS, TableReading(metric="mcc"), "target 'b' has several metrics, f1, acc"),
        (WIDE, TableReading(metric="acc"), "it has no column 'metric'; leave out the option"),
        (WIDE, TableReading(diagonal="no-transfer"), "its diagonal holds no numbers; leave out --diagonal no-transfer"),
        (
            OWN + "no-transfer,1,2\n",
            TableReading(diagonal="no-transfer"),
            "stand on the diagonal and in the row 'no-tr",
        ),
        (ROW + "no-transfer,1,2\n", TableReading(no_transfer_row="none"), "a source 'no-transfer' beside 'none'"),
        (WIDE, TableReading(leave_out=("a", "b")), "nothing of it is left"),
    ],
    ids=str,
)
def test_a_reading_that_does_not_fit_its_table_is_refused(tmp_path, text, reading, message):
    with pytest.raises((UnusableData, UnknownName)) as refusal:
        read_oracle(written(tmp_path, "t.csv", text), reading=reading)
    assert message in str(refusal.value)


@pytest.mark.parametrize("ending", ["md", "npz", "odd"])
def test_a_file_of_another_ending_says_which_there_are(tmp_path, ending):
    path = written(tmp_path, f"t.{ending}", WIDE)
    for read in (read_oracle, read_guess, lambda path: find_oracle(load_parts(), str(path))):
        with pytest.raises(UnusableData, match=f"t.{ending}' cannot be read: tables are csv, tsv, txt, json, jsonl"):
            read(path)


def test_a_name_that_looks_like_a_file_is_no_unknown_oracle():
    with pytest.raises(UnusableData, match="tables are csv, tsv, txt, json, jsonl, parquet, xlsx"):
        find_oracle(load_parts(), "nowhere.md")
    with pytest.raises(UnknownName, match="unknown oracle 'nowhere'"):
        find_oracle(load_parts(), "nowhere")


def test_a_reading_is_refused_for_an_oracle_that_is_no_table(tmp_path):
    reading, parts = TableReading(diagonal="leave-out"), load_parts()
    write_oracle(read_oracle(written(tmp_path, "t.csv", WIDE)), tmp_path / "t.json")
    for oracle in ("cogtaskonomy-bert", str(tmp_path / "t.json"), parts.oracles["mini-minilm-2l"]):
        with pytest.raises(UnusableData, match="is no file with a table: leave out --no-transfer-row, --diagonal"):
            find_oracle(parts, oracle, reading=reading)
        assert find_oracle(parts, oracle, reading=TableReading()).transfers.sources


def test_an_oracle_file_has_the_reading_of_its_table_and_the_facts_of_its_card(tmp_path):
    path = written(tmp_path, "t.csv", OWN.replace("source", "task"))
    facts = {"origin": "o", "licence": "l", "backbone": "bert", "suite": "s", "note": "a note"}
    card = OracleCard("d", sources=("a", "b", "c"), targets=("a", "b"), metrics=(("a", "acc"),), **facts)
    reading = TableReading(diagonal="no-transfer", lower_is_better=("a",))
    oracle = OracleFile("mine", str(path), card, reading).read(None)
    assert oracle.name == "mine" and oracle.no_transfer.tolist() == [50, 60] and oracle.better == {"a": "lower"}
    assert oracle.metrics == {"a": "acc"} and oracle.note.startswith("a note; the first column is called 'task'")
    with pytest.raises(AmbiguousTable, match="--diagonal"):
        OracleFile("mine", str(path), card).read(None)


def test_an_oracle_that_is_written_as_csv_is_read_again(tmp_path):
    oracle = read_oracle(written(tmp_path, "t.csv", OWN), reading=TableReading(diagonal="no-transfer"))
    write_table(oracle, tmp_path / "again.csv")
    again = read_oracle(tmp_path / "again.csv")
    assert scores(again.transfers) == SCORES and again.no_transfer.tolist() == [50, 60]


@pytest.mark.parametrize(
    "name, text",
    [
        ("p.csv", " Target ,SOURCE\n b , a\na,c\u00a0\n"),
        ("p.tsv", "source\ttarget\na\tb\nc\ta\n"),
        ("p.json", '[{"target": "b", "source": "a"}, {"target": "a", "source": "c"}]'),
        ("p.csv", ",target,source\n0,b,a\n1,a,c\n"),
    ],
)
def test_two_columns_source_and_target_are_a_selection(tmp_path, name, text):
    assert read_guess(written(tmp_path, name, text)) == ({"b": "a", "a": "c"}, [])
    with pytest.raises(UnusableData, match="is no table of similarities: leave out --distances"):
        read_guess(tmp_path / name, TableReading(metric="x"))
