"""The rows of a single table that are held out: no text on both sides, each class in its share, always the same."""

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from cogbench.parts.table_task import held_out

ROWS = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.sampled_from(["", *"klmno"]), st.integers(0, 3)))


def _plain(texts):
    return {" ".join(t.split()) for t in texts} - {""}


@example(rows=[("a", "", 0), ("b ", "", 0), (" b", "", 0), ("a", "k", 0), ("c", "k", 1)], n=1)
@given(rows=ROWS.filter(bool), n=st.integers(1, 30))
def test_no_text_stands_on_both_sides_and_every_class_keeps_a_row(rows, n):
    texts, classes = [row[:2] for row in rows], [row[2] for row in rows]
    held = held_out(texts, classes, n)
    assert held == sorted({*held}) and {*held} <= {*range(len(rows))}
    kept = [i for i in range(len(rows)) if i not in held]
    assert not _plain(t for i in held for t in texts[i]) & _plain(t for i in kept for t in texts[i])
    assert {classes[i] for i in kept} == {*classes}
    if len(_plain(t for row in texts for t in row)) == 1 and all(any(_plain(row)) for row in texts):
        assert not held  # all rows share a text


@given(st.permutations(range(40)))
def test_the_order_of_the_rows_changes_nothing(order):
    texts, classes = [(f"text {i // 2}",) for i in range(40)], [i % 3 for i in range(40)]
    chosen = {order[i] for i in held_out([texts[i] for i in order], [classes[i] for i in order], 8)}
    assert chosen == {*held_out(texts, classes, 8)}


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_each_class_has_its_share(sizes):
    classes = [c for c, size in enumerate(sizes) for _ in range(size)]
    n = max(1, round(len(classes) / 5))
    held = Counter(classes[i] for i in held_out([(f"text {i}",) for i in range(len(classes))], classes, n))
    for c, size in enumerate(sizes):
        assert held[c] <= max(1, -(-size * n // len(classes))) and size - held[c] >= 1
        assert held[c] >= size * n // len(classes) - (size * n % len(classes) == 0 and size == 1)
        if size > 1 and sum(size > 1 for size in sizes) <= n:
            assert held[c] >= 1


def test_round_robin_by_class_leaves_no_class_out():
    """Rows 1, 2, 3, 4, 5, 1, 2, … by class: every fifth of them is of one class."""
    classes = [i % 5 for i in range(100)]
    held = held_out([(f"text {i}",) for i in range(100)], classes, 20)
    assert Counter(classes[i] for i in held) == dict.fromkeys(range(5), 4)


def test_four_irrelevant_passages_and_a_relevant_one_for_each_query_stay_together():
    texts = [(f"query {i // 5}", f"passage {i}") for i in range(100)]
    held = held_out(texts, [i % 5 == 4 for i in range(100)], 20)
    assert len(held) == 20 and Counter(i // 5 for i in held).keys() == {i // 5 for i in held}
    assert all(sum(i // 5 == query for i in held) == 5 for query in {i // 5 for i in held})


def test_another_seed_holds_out_other_rows_and_these_are_the_same_on_every_machine():
    texts = [(f"text {i}",) for i in range(20)]
    assert held_out(texts, [0] * 20, 4) == [0, 13, 17, 18] != held_out(texts, [0] * 20, 4, seed=1)


def test_large_groups_are_held_out_rather_than_hardly_any_row():
    texts = [(f"context {i // 30}",) for i in range(90)]
    assert len(held_out(texts, [0] * 90, 18)) == 30
