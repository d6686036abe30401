"""Names of somebody else are shown and never obeyed: by a terminal, a browser, a spreadsheet, markdown, TeX or XML."""

import csv
import io
import json
import logging
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from command import cogbench
from hypothesis import given
from hypothesis import strategies as st
from made_results import TASKS, made, recorded

from cogbench import Oracle, TaskMatrix, compare, leaderboard, score
from cogbench.cli.commands import ToStderr
from cogbench.data.oracle_files import read_oracle, write_table
from cogbench.results.stacked_board import stacked_board
from cogbench.text import COMMANDS, in_csv, visible
from cogbench.views import terminal
from cogbench.views.card import render_card, render_results
from cogbench.views.comparison import comparison_tables
from cogbench.views.formats import FORMATS, grid, render_tables
from cogbench.views.leaderboard import board_notes, board_tables, render_leaderboard
from cogbench.views.pages import board_page, report_page, save_figures
from cogbench.views.rows import oracle_notes, oracle_tables, score_notes, score_tables
from cogbench.views.stacked import render_stacked

HOSTILE = {
    "controls": "\x1b]0;pwn\x07\x1b[2J\x1b[31m\x9b31m\x90q\x85a\0b\rb\x08\x08\u202eabc\u2066\u200f",
    "half": "\ud800",
    "lines": "a\nb\n\n% c\n- [x]: http://evil/",
    "markup": "[/nope][bold red]x[/]:pig:\\",
    "tag": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "formula": "=cmd|'/C calc'!A0",
    "plus": "+1+cmd|'/C calc'!A0",
    "at": "@SUM(1)",
    "link": "[x](javascript:alert(1)) ![x](http://evil/p.png) ![x][y] a|b\\|c",
    "tex": "\\input{/etc/passwd}%$&_# $\\frac{$",
}
BRACES = "{0} {} {x"  # of a template


def hostile(sign):
    """A result and an oracle of which every name is `sign`, as far as names may be alike."""
    sign = f"{sign}{BRACES}"
    tasks = tuple(f"{sign}{i}" for i in range(len(TASKS)))
    result = made(
        tasks=tasks,
        oracle=sign,
        estimator=sign,
        backbone=sign,
        signal=sign,
        suite=sign,
        synthetic=[sign],
        signal_quality=replace(recorded("0"), unit=sign, notes=[sign], channels={sign: [sign]}, origin=sign),
    )
    result = replace(
        result,
        notes=[sign],
        baselines={**result.baselines, sign: 2.0},
        oracle=replace(result.oracle, basis=sign, origin=sign),
        scores=replace(result.scores, notes=(sign,)),
        tasks={t: replace(report, learned=False, metric=sign) for t, report in result.tasks.items()},
    )
    true = np.arange(16.0).reshape(4, 4)
    oracle = Oracle(
        sign,
        sign,
        sign,
        TaskMatrix.square(tasks, true),
        np.zeros(4),
        metrics={t: sign for t in tasks},
        units={t: sign for t in tasks},
        origin=sign,
        note=sign,
    )
    return result, oracle


def shown(result, oracle):
    """Yield all that commands print or write of a result and of an oracle, by format."""
    boards = leaderboard([result, result])
    tables = {
        "board": (board_tables(boards), board_notes(boards)),
        "compare": (comparison_tables(compare([result, replace(result, options={"other": 1})])), []),
        "oracle": (oracle_tables(oracle, 10_000), oracle_notes(oracle)),
    }
    scored = score(result.matrix, replace(oracle, transfers=TaskMatrix.square(result.sources, np.eye(4))), name="x")
    scored = replace(scored, name=result.estimator, notes=(*scored.notes, *result.notes))
    tables["score"] = (score_tables(scored), score_notes(scored))
    for named, notes in tables.values():
        for form in ("table", "markdown", "latex", "csv"):
            yield form, render_tables(named, form, notes)
    for form in FORMATS:
        if form == "json" and "\ud800" in result.suite:
            continue  # no file holds such a name: `Result.load` refuses it
        yield form, render_results([result], form)
    yield "table", render_card(result)
    yield "table", render_leaderboard(boards)
    yield "table", render_stacked(stacked_board([result], synthetic=True))
    yield "html", report_page(result)
    yield "html", board_page(boards)


@pytest.mark.parametrize(
    ("name", "is_terminal"), [*((name, False) for name in HOSTILE), ("controls", True), ("markup", True)]
)
def test_no_name_commands_what_shows_it(name, is_terminal, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal, raising=False)
    for form, text in shown(*hostile(HOSTILE[name])):
        own = re.sub(r"\x1b\[[\d;]*m", "", text) if is_terminal and form == "table" else text  # rich's colours
        assert not COMMANDS.search(own), (form, COMMANDS.search(own))
        assert form == "json" or text.encode()
        if form == "csv":
            for row in csv.reader(io.StringIO(text)):
                assert not [cell for cell in row if re.match(r"[=@]|[+-]\d*\+", cell)]
        if form == "markdown":
            assert not re.search(r"(?<!\\)\](?:\(|\[|:)", text) and not re.search(r"<\w", text)
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line[:1] == "|"}) <= 20
        if form == "latex":
            heads = [line for line in text.splitlines() if line and not re.match(r"[%\\ ]|.*(&|\\\\)", line)]
            assert not heads, heads
        if form == "html":
            assert "<script>alert" not in text and "<img" not in text
        if form == "table" and name == "markup" and not is_terminal:
            assert HOSTILE[name] in text  # as it is


@pytest.mark.parametrize("name", HOSTILE)
def test_figures_are_xml_and_their_numbers_no_formulas(name, tmp_path):
    result, _ = hostile(HOSTILE[name])
    for file in save_figures(result, tmp_path):
        text = file.read_text()
        assert not COMMANDS.search(text)
        if file.suffix == ".svg":
            ElementTree.fromstring(text)
        else:
            assert not [cell for row in csv.reader(io.StringIO(text)) for cell in row if cell[:1] in ("=", "@")]


@given(st.text(), st.text())
def test_a_styled_sentence_shows_its_values_as_they_are(one, other):
    assert terminal.styled("a [bold]{}[/] b {}", one, other).plain == f"a {visible(one)} b {visible(other)}"
    assert not COMMANDS.search(visible(one)) and visible("a\tb\nc é 中 🐖") == "a\tb\nc é 中 🐖"


def test_numbers_of_a_csv_table_stay_numbers_and_formulas_are_text():
    for number in ("", "-", "+0.44", "-1", "1e-05", "-2.5E+10", "+0.031 ± 0.012, within noise", "-0.44 (-1.2 to +0.3)"):
        assert in_csv(number) == number
    assert in_csv(-0.5) == "-0.5" and in_csv(None) == "" and in_csv("cra=x") == "cra=x"
    for formula in ("=1", "+cmd|x", "-1+1", "@x", "-1|'x'!A", "\t=1", "\n=1", "-A1", "+1 (A1 to B2)"):
        assert in_csv(formula) == f"'{formula}"
    assert grid([{"=a": "=b"}], "csv") == "'=a\n'=b"


def test_an_oracle_as_csv_is_read_again_whatever_its_tasks_are_called(tmp_path):
    names = ("a,b", 'c"d', "=e", "f")
    oracle = Oracle("o", "b", "s", TaskMatrix.square(names, np.arange(16.0).reshape(4, 4)), np.full(4, -1.5))
    write_table(oracle, tmp_path / "o.csv")
    again = read_oracle(tmp_path / "o.csv").transfers
    assert again.sources == ("a,b", 'c"d', "'=e", "f")
    assert np.array_equal(again.values, oracle.transfers.values, equal_nan=True)


def test_messages_name_files_and_obey_nothing(tmp_path, capsys):
    file = tmp_path / "\x1b]0;pwn\x07.json"
    file.write_text(json.dumps({"transfers": 1, "sources": "\x1b[2J"}))
    guess, target = tmp_path / "guess.csv", "\x1b[31m\u202ex"
    guess.write_text(f"source,{target},y\n{target},1,2\ny,2,1\n")
    for words in (
        ("score", guess, "--oracle", "mini-planted"),  # a message that quotes a name as it is
        ("report", file),
        ("leaderboard", tmp_path),
        ("oracle", "show", file),
        ("score", file, "--oracle", file),
    ):
        found = cogbench(*words)
        assert found.exit_code == 3 and "Traceback" not in found.output
        assert not COMMANDS.search(found.output)
    warning = logging.LogRecord("cogbench", logging.WARNING, "", 0, f"a warning on {target}", (), None)
    ToStderr().emit(warning)
    assert capsys.readouterr().err == "cogbench: a warning on \ufffd[31m\ufffdx\n"
