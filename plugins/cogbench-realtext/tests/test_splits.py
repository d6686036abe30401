"""The split: nothing of the training is in the evaluation, whatever the order of the rows."""

import hashlib
import random

import pytest
from cogbench_realtext.splits import Row, side
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEXTS = st.sampled_from([f"text {i}" for i in range(30)])
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 2)), min_size=3, max_size=60)
drawn_often = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def rows_of(drawn):
    return [Row({"text": one, "text_pair": other, "label": label}, (one, other)) for one, other, label in drawn]


def both(rows, train_rows=600, evaluation_rows=600):
    limits = {"train_rows": train_rows, "evaluation_rows": evaluation_rows}
    return side(rows, "train", **limits), side(rows, "evaluation", **limits)


def texts(rows):
    return {" ".join(text.lower().split()) for row in rows for text in row.together}


@drawn_often
@given(ROWS, st.integers(1, 30), st.integers(1, 30))
def test_no_text_is_on_both_sides(drawn, train_rows, evaluation_rows):
    train, evaluation = both(rows_of(drawn), train_rows, evaluation_rows)
    assert not texts(train) & texts(evaluation)
    assert len(train) <= train_rows and len(evaluation) <= evaluation_rows and evaluation


@drawn_often
@given(ROWS, st.integers(0, 99))
def test_the_order_of_the_rows_and_doubles_change_nothing(drawn, seed):
    rows = rows_of(drawn)
    assert both(random.Random(seed).sample(rows * 2, 2 * len(rows))) == both(rows)


@drawn_often
@given(ROWS, st.integers(1, 30))
def test_more_training_rows_leave_the_evaluation_as_it_is(drawn, train_rows):
    rows = rows_of(drawn)
    few, many = both(rows, train_rows, 5), both(rows, train_rows + 10, 5)
    assert few[1] == many[1]
    assert many[0][: len(few[0])] == few[0]


def test_a_third_is_held_out_of_a_small_set_and_no_more_than_asked_for_of_a_large_one():
    small, large = ([Row({"text": f"{i}"}, (f"{i}",)) for i in range(n)] for n in (30, 300))
    assert [len(part) for part in both(small)] == [20, 10]
    assert [len(part) for part in both(large, 120, 40)] == [120, 40]
    assert [len(part) for part in both(large, 600, 40)] == [260, 40]


@pytest.mark.parametrize("one, other", [("The same  text", "the same text"), ("A\tb", "a b")])
def test_a_text_that_differs_in_blanks_and_case_is_the_same(one, other):
    rows = [Row({"text": f"{i}"}, (f"own {i}", one if i % 2 else other)) for i in range(9)]
    train, evaluation = both(rows)
    assert not train and len(evaluation) == 9, "all are related"


def test_rows_are_chosen_by_the_hashes_of_their_json():
    rows = [Row({"text": f"text {i}", "label": i % 2}, (f"text {i}",)) for i in range(12)]
    as_json = [f'[{{"label": {i % 2}, "text": "text {i}"}}, ["text {i}"]]' for i in range(12)]
    by_hash = sorted(range(12), key=lambda i: hashlib.sha256(as_json[i].encode()).hexdigest())
    train, evaluation = both(rows)
    assert [rows.index(row) for row in evaluation] == by_hash[:4]
    assert [rows.index(row) for row in train] == by_hash[4:]
