"""The stacked board as people read it: in a terminal, on a page, and as a table to paste; and its command."""

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from made_results import made

from cogbench import leaderboard, stacked_board
from cogbench.views.pages import board_page
from cogbench.views.stacked import render_stacked, stacked_notes, stacked_tables, stacked_title

SIX = tuple("abcdef")
TRUE = np.random.default_rng(0).normal(size=(6, 6, 6))  # six oracles
NOISE = np.random.default_rng(1).normal(size=(4, 6, 6, 6))


def on(number, values, estimator="cra", **more):
    suite = "letters" if number < 2 else f"suite {number}"
    tasks = tuple(f"{task}{'' if number < 2 else number}" for task in SIX)
    name = f"a-long-name-of-an-oracle-{number}"
    more = {"suite": suite, "backbone": name, "data": False, "signal": None} | more
    return made(values, tasks=tasks, true=TRUE[number], oracle=name, estimator=estimator, **more)


@pytest.fixture(scope="module")
def results():
    guesses = {"perfect": TRUE, "cra[similarity=spearman]": TRUE + NOISE[0], "guess": NOISE[1]}
    every = [on(i, values[i], estimator) for estimator, values in guesses.items() for i in range(6)]
    return [*every, on(0, TRUE[0], "late", uses_oracle=True), on(3, NOISE[2][3], "planted", synthetic=["tasks"])]


@pytest.fixture(scope="module")
def board(results):
    return stacked_board(results)


@pytest.fixture(scope="module")
def folder(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for result in results:
        result.save(folder)
    return folder


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("width", [60, 80, 100, 250])
def test_a_terminal_shows_the_figures_over_all_and_each_oracle(board, width):
    text = render_stacked(board, width)
    assert max(map(len, text.splitlines())) <= width
    over_all, _, each = text.partition("TRS and skill on each oracle")
    assert "Over 5 oracles in 4 families, 24 target tasks" in words(over_all)
    assert "relative rank" in over_all and "perfect" in over_all and "perfect" in each
    assert "cra[similarity=spearman]" in each
    assert ("left out for want of width" in over_all) == (width < 250)
    for number, column in enumerate(board.oracles, 1):
        control = ", control" if column.family is None else ""
        assert f"{number} {column.name}: 6 targets, chance has TRS 3.00{control}" in words(each)
    tables = sum(row.startswith(" estimator") for row in each.splitlines())
    assert tables == {60: 3, 80: 2, 100: 2, 250: 1}[width] and each.count("1.00* +1.00*") >= 5


def test_notes_say_what_may_be_concluded(board, results):
    notes = " ".join(stacked_notes(board))
    assert "family 1: a-long-name-of-an-oracle-0, a-long-name-of-an-oracle-1" in notes
    assert "each family of oracles counts alike" in notes and "corrected for the number of estimators, 3" in notes
    assert f"a difference of {board.detectable:.3f} to the lowest relative rank is seen with 80 % power" in notes
    assert "‡ has no result on some oracles" in notes and "† knows the data" in notes and "control: synthetic" in notes
    assert "nothing tells how an estimator does on others" not in notes
    alone = stacked_board([r for r in results if r.oracle.name.endswith("0") and r.estimator != "late"])
    notes = " ".join(stacked_notes(alone))
    assert "nothing tells how an estimator does on others" in notes and "each family" not in notes
    assert "‡" not in notes and "control" not in notes and stacked_title(alone) == "Over 1 oracle, 6 target tasks"


def test_rows_that_share_a_name_show_their_signals_at_any_width():
    both = [on(i, NOISE[j][i], signal=s) for i in range(2) for j, s in enumerate(("words", "eyes"))]
    text = render_stacked(stacked_board(both), 60)
    assert text.count("words") == text.count("eyes") == 2
    assert "cra, words" in text and "cra, eyes" in text


def test_undefined_figures_are_marked_and_baselines_have_none():
    same = np.tile(np.arange(6.0)[:, None], 6)
    ((_, rows),) = stacked_tables(stacked_board([on(0, same), on(1, same)]), "markdown").items()
    by_name = {row["estimator"]: row for row in rows}
    assert by_name["cra"]["skill"] == "–" and by_name["random (baseline)"]["skill"] == ""
    assert by_name["cra"]["a-long-name-of-an-oracle-0"].endswith(" –")


def test_the_command_in_all_formats(folder, board):
    text = ask("leaderboard", folder, "--stacked").stdout
    assert "Over 5 oracles in 4 families" in text and "●" in text
    markdown = ask("leaderboard", folder, "--stacked", "--format", "markdown").stdout
    head = next(row for row in markdown.splitlines() if row.startswith("| estimator"))
    assert [c.name for c in board.oracles if c.family] == re.findall(r"(a-long-name\S+) +\|", head)
    assert "(control)" in head and "| backbone" not in head, "a column in which nothing stands is left out"
    assert "\\toprule" in ask("leaderboard", folder, "--stacked", "--format", "latex").stdout
    rows = list(csv.DictReader(io.StringIO(ask("leaderboard", folder, "--stacked", "--format", "csv").stdout)))
    perfect = next(row for row in rows if row["estimator"] == "perfect")
    assert perfect["a-long-name-of-an-oracle-0 TRS"] == "1.00" and perfect["relative rank"] == "0.000"
    assert float(perfect["a-long-name-of-an-oracle-0 skill p"]) < 0.01
    plain = json.loads(ask("leaderboard", folder, "--stacked", "--format", "json").stdout)
    assert len(plain["entries"]) == len(board.entries) and plain["families"] == [list(f) for f in board.families]
    assert plain["entries"][0]["by_oracle"]["a-long-name-of-an-oracle-0"]["trs"] == 1


def test_the_command_takes_a_part_of_the_oracles_and_counts_synthetic_tasks(folder):
    part = ("--oracle", "a-long-name-of-an-oracle-0,a-long-name-of-an-oracle-2")
    plain = json.loads(ask("leaderboard", folder, "--stacked", "--format", "json", *part).stdout)
    assert [column["name"][-1] for column in plain["oracles"]] == ["0", "2"]
    usual = json.loads(ask("leaderboard", folder, "--format", "json", *part).stdout)
    assert sorted(table["oracle"][-1] for table in usual) == ["0", "2"]
    counted = json.loads(ask("leaderboard", folder, "--stacked", "--synthetic", "--format", "json").stdout)
    assert sum(map(len, counted["families"])) == 6


def test_a_page_has_the_stacked_board_above_the_others(results, board, folder, tmp_path):
    page = board_page(leaderboard(results), stacked=board)
    assert page.index("Over all oracles") < page.index("1. Suite") and page.count("<table") == 1 + 6
    section = page.partition("Over all oracles")[2].partition("</section>")[0]
    assert re.search(r'<th [^>]*aria-sort="ascending"[^>]*>relative rank</th>', section)
    rows = [words(re.sub(r"<[^>]+>", " ", row)) for row in section.split("<tr")[2:]]
    assert len(rows) == len(board.entries) and any("late † ‡" in row for row in rows)
    assert section.count("<svg") == sum(entry.relative_rank is not None for entry in board.entries)
    assert "Over all oracles" not in board_page(leaderboard(results))
    out = tmp_path / "board.html"
    assert ask("leaderboard", folder, "--stacked", "--out", out).exit_code == 0
    assert "Over all oracles" in out.read_text()


def test_bad_input_gets_one_line(folder, tmp_path):
    assert "leave out --sort" in line(ask("leaderboard", folder, "--stacked", "--sort", "p"), 2)
    assert "--synthetic says what a stacked board counts: add --stacked" in line(
        ask("leaderboard", folder, "--synthetic"), 2
    )
    unknown = line(ask("leaderboard", folder, "--oracle", "a-long-name-of-an-oracle-9"), 2)
    assert "unknown oracle 'a-long-name-of-an-oracle-9'; did you mean" in unknown
    made(oracle=None).save(tmp_path)
    assert "no result here has scores of an oracle" in line(ask("leaderboard", tmp_path, "--stacked"), 3)
    on(3, TRUE[3], synthetic=["tasks"]).save(tmp_path / "planted")
    assert "add --synthetic" in line(ask("leaderboard", tmp_path / "planted", "--stacked"), 3)


def test_names_are_text_on_the_page(results):
    nasty = "<script>alert('$x$')</script>"
    renamed = [replace(result, estimator=nasty) for result in results[:6]]
    page = board_page(leaderboard(renamed), stacked=stacked_board(renamed))
    assert "<script>alert" not in page and "alert(&#39;$x$&#39;)" in page
