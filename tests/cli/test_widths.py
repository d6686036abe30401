"""What commands print in terminals of 60, 100 and 160 columns: no line is longer, and no name or figure is cut."""

import io
import re
import sys

import numpy as np
import pytest
from command import cogbench
from made_results import made
from rich.cells import cell_len

from cogbench.views import terminal
from cogbench.views.formats import grid
from cogbench.views.terminal import fitted, in_middle, printed

WIDTHS = (60, 100, 160)
GUESSES = np.random.default_rng(1).random((3, 4, 4))
LONG = "/a/folder/with/a/long/name/and/another/one/of/recordings/that/nobody/wants/to/see/in/full/recordings.csv"


@pytest.fixture
def ask(monkeypatch, tmp_path):
    """Ask a command as in a terminal of a width, and check that no line is longer."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def asked(width, *words, code=0):
        answer = cogbench(*words, COLUMNS=str(width))
        assert answer.exit_code == code, answer.output
        text = re.sub(r"\x1b\[[0-9;]*m", "", answer.stdout)
        assert max(cell_len(line) for line in text.splitlines()) <= width
        return text

    return asked


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "words",
    [f"list {kind}" for kind in ("tasks", "backbones", "signals", "estimators", "oracles", "suites", "packs")]
    + ["plugins", "oracle list", "sets list", "sets score lange2021-sets --guess pairs", "pack show mini-minilm-2l"]
    + ["compare cogtaskonomy-bert cogtaskonomy-tinybert", "oracle show taskweb-roberta", "cache info"],
)
def test_lists_and_tables_fit(ask, width, words):
    ask(width, *words.split())


@pytest.mark.parametrize("width", WIDTHS)
def test_an_oracle_is_split_and_has_each_figure_whole(ask, width):
    text = ask(width, "oracle", "show", "cogtaskonomy-bert")
    assert text.count("spread (sd)") == {60: 4, 100: 2, 160: 2}[width]
    for figure in ("90.81 (4.5)", "54.87 (10)", "5.96 (11)", "77.39 (1)"):
        assert figure in text
    titles = re.findall(r"targets (\d+) to (\d+) of 12", text)
    sizes = [int(last) - int(first) + 1 for first, last in titles]
    assert sum(sizes) == 12 and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("width", WIDTHS)
def test_fetch_never_cuts_the_state_or_the_licence(ask, width, monkeypatch):
    rows = [
        {"what": "signal recordings", "id": LONG, "revision": "sha256:0123456789", "bytes": 12, "licence": "not stated",
         "state": "built in", "folder": "x", "error": "", "unsuitable": ""},
        {"what": "backbone tinybert", "id": "huawei-noah/TinyBERT_General_6L_768D", "revision": "8b6152f3be8a",
         "bytes": 3 * 2**28, "licence": "apache-2.0", "state": "fetched", "folder": "x", "error": "", "unsuitable": ""},
        {"what": "task semeval-2010-8", "id": "SemEvalWorkshop/sem_eval_2010_task_8", "revision": None, "bytes": 0,
         "licence": "", "state": "failed", "folder": "x", "error": "nothing", "unsuitable": ""},
    ]  # fmt: skip
    monkeypatch.setattr("cogbench.runs.fetch.fetch_wanted", lambda *given: rows)
    text = ask(width, "fetch", "--suite", "mini", code=1)
    for row in rows:
        assert row["state"] in text and row["what"] in text and row["licence"] in text
    assert "768.0 MiB" in text and "recordings.csv" in text.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("width", WIDTHS)
def test_results_fit(ask, width, tmp_path):
    files = [made(m, estimator=f"estimator-{i}", signal=f"signal-{i}").save(tmp_path) for i, m in enumerate(GUESSES)]
    board = ask(width, "leaderboard", tmp_path)
    assert all(f"estimator-{i}" in board for i in range(3))
    ask(width, "leaderboard", "--stacked", tmp_path)
    ask(width, "report", files[0])
    assert "height" in ask(width, "tree", files[0])
    text = ask(width, "compare", files[0], files[1])
    assert "difference of TRS" in text and "p of relabelling" in text
    ask(width, "score", files[0], "--oracle", _oracle(tmp_path))


def _oracle(folder):
    (folder / "oracle.csv").write_text("source,p,q,r,s\np,,2,3,1\nq,4,,5,2\nr,3,1,,3\ns,3,3,4,\n")
    return folder / "oracle.csv"


def test_tables_of_one_board_stand_apart_from_the_next(ask, tmp_path):
    made(GUESSES[0]).save(tmp_path)
    made(GUESSES[1], suite="another").save(tmp_path)
    lines = ask(60, "leaderboard", tmp_path).splitlines()
    (place,) = (i for i, line in enumerate(lines) if line.startswith("2. suite"))
    assert not lines[place - 1].strip()


def test_a_table_is_shown_as_a_block_a_row_where_it_is_too_wide():
    rows = [{"name": "one", "about": "many words " * 9, "number": "1"}, {"name": "two", "about": "", "number": "2"}]
    assert [type(part).__name__ for part in fitted(rows, width=20)] == ["Text", "Padding", "Text", "Padding"]
    text = printed(*fitted(rows, width=20), width=20)
    assert text.splitlines()[0] == "one" and "number 2" in text and text.split().count("many") == 9
    assert text.count("about") == 1  # nothing stands for an empty cell
    assert [type(part).__name__ for part in fitted(rows, width=60)] == ["Table"]


@pytest.mark.parametrize(
    "most, text", [(99, "a/b/c.csv"), (9, "a/b/c.csv"), (8, "a/b…c.csv"[:3] + "…" + ".csv"), (2, "a/b/c.csv")]
)
def test_a_path_is_shortened_in_the_middle(most, text):
    short = in_middle("a/b/c.csv", most)
    assert len(short) <= max(most, 9 if most < 3 else 0) and short.endswith(".csv") and short[0] == "a"
    assert short == "a/b/c.csv" or "…" in short


def test_a_file_gets_each_row_in_a_line_and_in_full():
    rows = [{"what": "signal", "id": LONG, "state": "there"}, {"what": "x", "id": "y" * 90, "state": "failed"}]
    lines = grid(rows, "table").splitlines()
    assert any(LONG in line and line.rstrip().endswith("there") for line in lines)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "cp437", "utf-8"])
def test_any_encoding_of_stdout_will_do(encoding, monkeypatch, tmp_path):
    import contextlib

    from cogbench.cli.main import cli

    file = made(GUESSES[0]).save(tmp_path)
    for words in (["list", "tasks"], ["report", file], ["tree", file], ["leaderboard", tmp_path],
                  ["oracle", "show", "cogtaskonomy-bert"], ["list", "signals"]):  # fmt: skip
        raw = io.BytesIO()
        out = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
        monkeypatch.setattr(sys, "stdout", out)
        with contextlib.suppress(SystemExit):
            cli([*map(str, words)], standalone_mode=False)
        monkeypatch.undo()
        text = raw.getvalue().decode("utf-8" if encoding == "ascii" else encoding)  # which click replaces by UTF-8
        drawn = any(ord(sign) >= 0x2500 for sign in text)
        assert text and drawn == (encoding in ("utf-8", "ascii", "cp437"))
        assert words[0] != "tree" or drawn or "+-- p" in text


@pytest.mark.parametrize("form", ["markdown", "csv", "latex", "html"])
def test_what_is_written_for_others_is_utf_8_in_files_and_pipes(form, monkeypatch, tmp_path):
    import contextlib

    from cogbench.cli.main import cli

    made(GUESSES[0], estimator="ärger★").save(tmp_path / "results")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252", write_through=True))
    with contextlib.suppress(SystemExit):
        cli(["leaderboard", str(tmp_path / "results"), "--format", form], standalone_mode=False)
        cli(
            ["leaderboard", str(tmp_path / "results"), "--format", form, "--out", str(tmp_path / "file")],
            standalone_mode=False,
        )
    monkeypatch.undo()
    assert "ärger★" in raw.getvalue().decode() and "ärger★" in (tmp_path / "file").read_text(encoding="utf-8")
