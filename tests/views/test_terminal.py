"""What terminals show: bars, heat maps, and tables that fit; nothing is wider than the terminal."""

from dataclasses import replace

import numpy as np
import pytest
from command import cogbench as ask
from made_results import TRUE, made
from rich.console import Console
from rich.style import Style

from cogbench.results.leaderboard import leaderboard
from cogbench.views import terminal
from cogbench.views.card import render_card, render_results
from cogbench.views.leaderboard import render_leaderboard
from cogbench.views.terminal import COLOURS, Bar, HeatMap, printed, table_within

GUESSES = np.random.default_rng(1).random((5, 4, 4))


def widest(text):
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize(
    "value, low, high, mark, drawn",
    [
        (3, 2, 4, 5, "·━●━┆······"),
        (0, 0, 10, None, "●━━━━━━━━━━"),
        (10, 10, 10, 0, "┆·········●"),
        (99, -99, 99, 5, "━━━━━┆━━━━●"),
    ],
)
def test_a_bar(value, low, high, mark, drawn):
    ends = (1, 11) if value == 3 else (0, 10)
    assert Bar(value, low, high, ends, mark, 11).__rich__().plain == drawn


def test_a_bar_on_no_scale_does_not_divide_by_it():
    assert "●" in Bar(1, 1, 1, (1, 1), 1, 5).__rich__().plain


@pytest.mark.parametrize("width", [30, 50, 80, 250])
def test_a_leaderboard_fits_the_terminal_and_says_what_it_leaves_out(width):
    text = render_leaderboard(leaderboard([made(m, estimator=f"e{i}") for i, m in enumerate(GUESSES)]), width)
    assert widest(text) <= width
    assert all(f"e{i}" in text for i in range(5)) and "trs" in text
    assert ("left out for want of width" in " ".join(text.split())) == (width < 250)
    assert ("●" in text.partition("left out")[0]) == (width > 30)


@pytest.mark.parametrize("width", [30, 40, 60])
def test_what_rows_differ_in_is_shown_at_any_width(width):
    name = "cra[similarity=spearman,dissimilarity=canberra]"
    results = [made(m, estimator=name, backbone=f"plm-{i}", signal=f"eyes-{i}") for i, m in enumerate(GUESSES)]
    text = render_leaderboard(leaderboard(results), width)
    assert widest(text) <= width
    assert all(f"plm-{i}" in text and f"eyes-{i}" in text for i in range(5)) or width == 30
    left_out = " ".join(text.split()).partition("left out for want of width: ")[2].partition(";")[0].split(", ")
    assert "1 to worst" in left_out and not {"backbone", "signal"} & {*left_out}


def test_a_file_gets_all_columns():
    text = render_leaderboard(leaderboard([made()]))
    assert "spearman" in text and "left out" not in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_result_fits_the_terminal(width):
    text = render_card(made(GUESSES[0]), width)
    assert "similarity" in text and "█" in text and "└──" in text
    tables = [row for row in text.splitlines() if set(row) & set("█░▒▓─├└")]
    assert max(map(len, tables)) <= width


def test_a_result_without_a_tree_or_an_oracle():
    missing = TRUE.copy()
    missing[0, 1] = np.nan
    assert "no tree: no similarity of p to q" in render_card(made(missing)) and "unscored" in render_card(
        made(oracle=None)
    )


def test_a_target_without_an_estimate_has_no_predicted_best():
    missing = TRUE.copy()
    missing[:, 0] = np.nan
    missing[0, 1] = np.nan
    rows = [line.split() for line in render_results([made(missing, oracle=None)], "table").splitlines()]
    (none, some) = ([row for row in rows if row[:1] == [task]][0] for task in "pq")
    assert none[1:4] == ["–", "–", "–"] and some[1:4] == ["r", "s", "–"]


def test_heat_maps_have_shades_in_a_file_and_colours_on_a_terminal():
    heat = HeatMap(np.array([[np.nan, 1.0], [0.0, np.nan]]), ("a", "b"), ("a", "b"))
    lines = printed(heat).splitlines()
    assert "████" in lines[1] and "·" in lines[1] and "░░░░" in lines[2] and lines[3].split() == ["0", "░░▒▒▓▓██", "1"]
    for member in vars(
        Style
    ).values():  # a style that rich remembers keeps the codes of the first console that shows it
        getattr(getattr(member, "__func__", member), "cache_clear", lambda: None)()
    console = Console(force_terminal=True, color_system="truecolor", width=80)
    with console.capture() as drawn:
        console.print(heat)
    dark = ";".join(str(int(COLOURS[-1][i : i + 2], 16)) for i in (1, 3, 5))
    assert f"48;2;{dark}" in drawn.get() and "█" not in drawn.get()


def test_a_heat_map_that_does_not_fit_says_what_it_needs():
    names = tuple(f"t{i}" for i in range(40))
    heat = HeatMap(np.zeros((40, 40)), names, names)
    assert "needs 87 columns" in printed(heat, width=80) and "░" not in printed(heat, width=80)
    lines = printed(heat, width=90).splitlines()
    assert widest(lines[2]) <= 90 and lines[0].split()[:2] == ["1", "1"], "two-figure numbers stand upright"


def test_columns_that_are_not_among_the_rows_are_named():
    assert "columns: 2 y" in printed(HeatMap(np.ones((1, 2)), ("x",), ("x", "y")))


def test_columns_go_in_the_order_of_spare():
    rows = [{"a": "x" * 10, "b": "y" * 10, "c": "z" * 10}]
    assert [table_within(rows, width, ("c", "b"))[1] for width in (40, 25, 12)] == [[], ["c"], ["c", "b"]]


def test_a_long_table_is_built_once_whatever_is_left_out(monkeypatch):
    built, real = [], terminal.table

    def counted(head, rows, **how):
        rows = [*rows]
        built.append(len(rows))
        return real(head, rows, **how)

    monkeypatch.setattr(terminal, "table", counted)
    rows = [{"a": "日本" * 5, "b": Bar(1, 1, 2, (1, 3), width=22), "c": f"two\nlines {i}"} for i in range(300)]
    assert table_within(rows, 57, ("c", "b"))[1] == [] and table_within(rows, 56, ("c", "b"))[1] == ["c"]
    assert table_within(rows, 45, ("c", "b"))[1] == ["c", "b"]
    assert sum(n for n in built if n > 1) == 900


def test_the_commands(tmp_path):
    file = made(GUESSES[0]).save(tmp_path)
    assert "●" in ask("leaderboard", tmp_path).stdout
    found = ask("report", file)
    assert found.exit_code == 0 and "cra on bert" in found.stdout and "█" in found.stdout


def test_a_card_says_which_seconds_are_of_the_processor():
    result = made(GUESSES[0])
    timed = replace(result, provenance=replace(result.provenance, seconds=3.0, estimator_seconds=5.0))
    assert "the run took 3.0 s, the estimator alone 5.0 s of the processor" in " ".join(render_card(timed).split())
