"""Records that Python users hold: short to print, tables in pandas and in notebooks."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from made_results import made

import cogbench
from cogbench import Oracle, TaskMatrix, compare, leaderboard, stacked_board
from cogbench.runs.recommendation import Gain, Recommendation
from cogbench.scoring.ranking import Place

TRUE = np.array([[0.0, 2.0, np.nan], [3.0, 0.0, 4.0], [5.0, 6.0, 0.0]])
RECOMMENDATION = Recommendation(
    target="mine",
    kind="classification",
    estimator="cra",
    backbone="bert",
    signal=None,
    ranking=("a", "b"),
    similarity={"a": 0.5, "b": None},
    places={"a": Place(1, False, None, None)},
    learned={"a": True, "b": None},
    untrained=(),
    gains=(Gain("a", "accuracy", 0.7, 0.6, 0.1, 0.02),),
    none_helps=False,
    worth=(),
    notes=(),
)
ORACLE = Oracle("o", "bert", "letters", TaskMatrix.square("abc", TRUE), np.array([1.0, 1.5, np.nan]))


def records():
    results = [made(estimator="one"), made(np.arange(16).reshape(4, 4), estimator="<b>two</b>")]
    return {
        "matrix": ORACLE.transfers,
        "oracle": ORACLE,
        "result": results[1],
        "result without an oracle": made(oracle=None),
        "board": leaderboard(results)[0],
        "stacked": stacked_board(results),
        "comparison": compare(results),
        "recommendation": RECOMMENDATION,
        "oracles": compare([ORACLE, replace(ORACLE, name="other")]),
    }


@pytest.mark.parametrize("record", records().values(), ids=records())
def test_each_record_is_one_short_line_and_a_table_whose_names_are_text(record):
    assert "\n" not in repr(record)
    assert len(repr(record)) < 150
    frame, html = record.to_frame(), record._repr_html_()
    assert len(frame) == len(record.table_rows) > 0
    assert html.count("<tr") == len(frame) + 1
    assert "<b>" not in html


def test_the_table_of_an_oracle_is_that_of_its_csv():
    frame = ORACLE.to_frame().set_index("source")
    assert [*frame.index] == ["a", "b", "c", "no-transfer"]
    assert frame.loc["b", "c"] == 4
    np.testing.assert_array_equal(frame.loc["a"], [np.nan, 2, np.nan])
    np.testing.assert_array_equal(frame.loc["no-transfer"], [1, 1.5, np.nan])


def test_the_table_of_a_result_has_each_pair_once_best_first():
    result = made()
    frame = result.to_frame()
    for target, rows in frame.groupby("target"):
        assert [*rows["source"]] == result.ranking[target]
        assert rows["true rank"].is_monotonic_increasing  # the guess is the truth
        i = [result.sources.index(s) for s in rows["source"]]
        np.testing.assert_array_equal(rows["similarity"], result.matrix.values[i, result.targets.index(target)])


def test_nested_values_have_columns_of_their_own():
    board = leaderboard([made(), made(estimator="two")])[0]
    frame = board.to_frame()
    assert [*frame["scores trs"]] == [entry.scores["trs"] for entry in board.entries]


def test_every_record_of_the_public_names_is_printed_in_short():
    for name in ("Result", "TaskMatrix", "Oracle"):
        assert getattr(cogbench, name).__repr__ is cogbench.frames.Tabular.__repr__


def test_the_summary_of_a_result_says_its_score():
    assert re.search(r"TRS 1\.00 by true, chance 2\.00", repr(made()))
    assert json.loads(made().to_frame().to_json(orient="records"))[0]["true rank"] == 1


def test_the_table_of_a_recommendation_has_the_sources_best_first():
    frame = RECOMMENDATION.to_frame()
    assert [*frame["source"]] == ["a", "b"]
    assert [*frame["gain"].fillna(-1)] == [0.1, -1]
    assert [*frame["place"].fillna(0)] == [1, 0]
