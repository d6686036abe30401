"""Rows for people: an oracle as one table or several, as wide as the terminal is."""

import numpy as np
import pytest
from command import cogbench as ask

from cogbench import Oracle, TaskMatrix, load_parts
from cogbench.parts.oracle_names import find_oracle
from cogbench.views.formats import render_tables
from cogbench.views.rows import oracle_rows, oracle_tables


@pytest.mark.parametrize("room", [60, 80, 120, 200])
def test_a_wide_oracle_is_split_into_tables_that_fit_and_lose_no_target(room):
    oracle = find_oracle(load_parts(), "cogtaskonomy-bert")
    tables, rows = oracle_tables(oracle, room), oracle_rows(oracle)
    assert max(len(line.rstrip()) for line in render_tables(tables, "table", []).splitlines()) <= room
    assert all([*part[0]][0] == "source" for part in tables.values())
    targets = [name for part in tables.values() for name in part[0] if name != "source"]
    assert targets == [*oracle.transfers.targets]
    together = [{k: v for part in tables.values() for k, v in part[i].items()} for i in range(len(rows))]
    assert together == rows
    assert len(tables) == {60: 4, 80: 3, 120: 2, 200: 1}[room]
    first = next(iter(tables))
    assert first == (
        "cogtaskonomy-bert" if room == 200 else f"cogtaskonomy-bert, targets 1 to {len(tables[first][0]) - 1} of 12"
    )


def test_a_pipe_gets_one_table():
    shown = ask("oracle", "show", "cogtaskonomy-bert").stdout
    assert shown.count("spread (sd)") == 1 and "targets 1 to" not in shown
    assert ask("oracle", "show", "cogtaskonomy-bert", "--format", "csv").stdout.count("spread (sd)") == 1


def test_a_name_wider_than_the_room_has_a_table_of_its_own():
    names = ("a" * 50, "b" * 50)
    oracle = Oracle("o", "b", "s", TaskMatrix.square(names, np.ones((2, 2))))
    assert [[*part[0]] for part in oracle_tables(oracle, 60).values()] == [["source", names[0]], ["source", names[1]]]


def test_targets_with_fewer_than_two_figures_have_no_spread():
    values = np.array([[np.nan, 1, np.nan], [2, np.nan, np.nan], [4, 3, np.nan]])
    oracle = Oracle("o", "b", "s", TaskMatrix(("a", "b", "c"), ("a", "b", "z"), values), np.array([1, np.nan, 2]))
    alone, spread = oracle_rows(oracle)[-2:]
    assert alone == {"source": "no transfer", "a": "1.00", "b": "", "z": "2.00"}
    assert spread == {"source": "spread (sd)", "a": "1.41", "b": "1.41", "z": ""}
