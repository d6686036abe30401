"""Records check themselves once, when made; samples hold each class in its share."""

import hashlib
import json
from collections import Counter
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cogbench import (
    Dataset,
    Oracle,
    Origin,
    Recipe,
    Recording,
    Responses,
    Settings,
    TaskMatrix,
    UnusableData,
)
from cogbench.testing.toys import TASKS


def _dataset(kind="classification", labels=("no", "yes"), source="here", **columns):
    held = {"text": ["a", "b", "c"], "label": [0, 1, 1], **columns}
    return Dataset(kind, {k: v for k, v in held.items() if v is not None}, labels, Origin(source))


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"kind": "ranking"}, "unknown kind 'ranking'; known: classification, regression"),
        ({"label": None}, "dataset 'here' lacks column label; it has text."),
        ({"text": None}, "lacks column text; it has label."),
        ({"label": [0, 1]}, "its columns differ in length"),
        ({"text_pair": ["a"]}, "its columns differ in length"),
        ({"text": [], "label": []}, "dataset 'here' has no rows"),
        ({"text": ["a", None, "c"]}, "row 1 has no text in column text"),
        ({"text_pair": ["a", "b", 3]}, "row 2 has no text in column text_pair"),
        ({"label": [0, 1, 2]}, r"unseen label 2; expected 0 to 1 \(no, yes\)"),
        ({"label": [0, 1, -1]}, "unseen label -1"),
        ({"label": [0, 1, "yes"]}, "unseen label 'yes'"),
        ({"label": [0.0, 1.0, 1.0]}, "unseen label 0.0, 1.0"),
        ({"label": [0, 1, None]}, "unseen label None"),
        ({"kind": "regression", "label": [0.5, 1.0, float("nan")]}, "a label is not a finite number"),
        ({"kind": "regression", "label": [0.5, 1.0, float("inf")]}, "a label is not a finite number"),
        ({"kind": "regression", "label": [0.5, 1.0, "2"]}, "a label is not a finite number"),
        ({"kind": "regression", "label": [0.5, 1.0, None]}, "a label is not a finite number"),
    ],
)
def test_a_dataset_refuses(changed, says):
    with pytest.raises(UnusableData, match=says):
        _dataset(**changed)


def test_a_dataset_takes_what_its_kind_says():
    assert len(_dataset()) == len(_dataset(text_pair=["d", "e", "f"])) == 3
    assert len(_dataset("regression", (), label=[0.5, 1, 2])) == 3
    with pytest.raises(FrozenInstanceError):
        _dataset().kind = "regression"


def test_take_keeps_the_order_asked_for():
    assert _dataset().take([2, 0]).columns == {"text": ["c", "a"], "label": [1, 0]}
    assert _dataset().take(iter([1])).labels == ("no", "yes")


def test_a_hash_is_of_the_content_alone():
    same = _dataset(source="elsewhere")
    turned = Dataset("classification", {"label": (0, 1, 1), "text": ("a", "b", "c")}, ("no", "yes"), Origin("x", "1"))
    assert _dataset().sha256 == same.sha256 == turned.sha256
    others = [
        _dataset(text=["a", "b", "d"]),
        _dataset(label=[0, 1, 0]),
        _dataset(labels=("yes", "no")),
        _dataset(text_pair=["", "", ""]),
        _dataset().take([0, 2, 1]),
        _dataset("regression"),
    ]
    assert len({_dataset().sha256, *(o.sha256 for o in others)}) == 1 + len(others)


LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=60)


@example(labels=[0] * 30 + [1] * 10, n=8, seed=0)
@given(labels=LABELS, n=st.integers(1, 70), seed=st.integers(0, 5))
def test_a_sample_holds_each_class_in_its_share(labels, n, seed):
    whole = _dataset(labels=tuple("abcd"), text=[str(i) for i in range(len(labels))], label=labels)
    drawn = whole.sample(n, seed)
    rows = [int(t) for t in drawn.columns["text"]]
    assert len(drawn) == min(n, len(labels))
    assert rows == sorted(set(rows))  # without replacement, in the order of the rows
    assert [labels[i] for i in rows] == drawn.columns["label"]
    counts, found = Counter(labels), Counter(drawn.columns["label"])
    if not whole.is_topped_up(n, seed):
        assert all(abs(found[c] - counts[c] * len(drawn) / len(labels)) < 1 + 1e-9 for c in range(4))
    assert drawn.sha256 == whole.sample(n, seed).sha256


def _drawn_by_share(labels, n, seed):
    """The rows that samples have had since cogbench 0.1.0."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    order = order[np.argsort(np.asarray(labels)[order], kind="stable")]
    return np.sort(order[((rng.random() + np.arange(n)) * len(order) / n).astype(int)]).tolist()


@example(labels=[0] * 318 + [1] * 2, n=32, seed=0)
@example(labels=[0] * 30 + [1], n=2, seed=0)
@example(labels=[0, 0, 1, 2, 3] * 4, n=10, seed=0)
@example(labels=[0] * 12 + [1] * 40 + [2], n=20, seed=0)
@given(labels=LABELS, n=st.integers(1, 59), seed=st.integers(0, 5))
def test_a_sample_keeps_every_class_and_is_the_former_one_where_that_did(labels, n, seed):
    n = min(n, len(labels) - 1) or 1
    if n >= len(labels):
        return
    whole = _dataset(labels=tuple("abcd"), text=[str(i) for i in range(len(labels))], label=labels)
    rows = [int(t) for t in whole.sample(n, seed).columns["text"]]
    former, counts = _drawn_by_share(labels, n, seed), Counter(labels)
    before, now = (Counter(labels[i] for i in some) for some in (former, rows))
    least = {c: 2 if count > 1 else before[c] for c, count in counts.items()}  # a single row is drawn by chance
    least = least if sum(least.values()) <= n else {c: min(1, few) for c, few in least.items()}
    if n < sum(least.values()) or all(before[c] >= least[c] for c in counts):
        assert rows == former and not whole.is_topped_up(n, seed)
        return
    assert whole.is_topped_up(n, seed) and len(rows) == n
    assert all(now[c] >= least[c] for c in counts)
    gained = {*rows} - {*former}
    assert len(gained) == sum(max(0, least[c] - before[c]) for c in counts)  # no other row has changed
    assert {labels[i] for i in gained} == {c for c in counts if before[c] < least[c]}
    given = Counter(labels[i] for i in {*former} - {*rows})
    assert all(now[other] <= now[c] + 1 for c in given for other in counts)  # the largest ones gave


@given(n=st.integers(1, 40), seed=st.integers(0, 5))
def test_a_sample_of_numbers_is_seeded_and_without_replacement(n, seed):
    whole = _dataset("regression", (), text=[str(i) for i in range(30)], label=[i / 7 for i in range(30)])
    rows = [int(t) for t in whole.sample(n, seed).columns["text"]]
    assert rows == sorted(set(rows)) and len(rows) == min(n, 30)
    assert rows == [int(t) for t in whole.sample(n, seed).columns["text"]]


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_another_seed_draws_other_rows_and_each_row_is_drawn_by_some(kind):
    whole = _dataset(kind, text=[str(i) for i in range(20)], label=[i % 2 for i in range(20)])
    drawn = [tuple(whole.sample(5, seed).columns["text"]) for seed in range(60)]
    assert len({*drawn}) > 30
    assert {t for rows in drawn for t in rows} == {*whole.columns["text"]}


def test_all_rows_are_no_sample():
    whole = _dataset()
    assert whole.sample(None) is whole.sample(3) is whole.sample(99) is whole


@pytest.mark.parametrize(
    "settings, n, steps",
    [
        (Settings(3, 32, 1e-4), 64, 6),
        (Settings(3, 32, 1e-4), 65, 9),
        (Settings(3, 32, 1e-4), 1, 3),
        (Settings(3, 32, 1e-4, min_steps=300), 64, 300),
        (Settings(3, 32, 1e-4, min_steps=301), 64, 302),  # whole epochs
        (Settings(3, 32, 1e-4, min_steps=5), 64, 6),
    ],
)
def test_steps_are_whole_epochs_and_enough(settings, n, steps):
    assert settings.steps(n) == steps


def test_a_recipe_trains_one_task_in_a_known_way():
    assert Recipe(TASKS[1:2]).task is TASKS[1]
    assert hash(Recipe(TASKS[1:2], start=Recipe(TASKS[:1]))) == hash(Recipe(TASKS[1:2], start=Recipe(TASKS[:1])))
    for tasks, message in ((TASKS[:2], r"a recipe trains one task, not 2 \(toy-a, toy-b\)"), ((), "not 0")):
        with pytest.raises(UnusableData, match=message):
            Recipe(tasks)
    for axis in ("tuning", "sharing"):
        with pytest.raises(UnusableData, match=f"cannot have {axis} 'magic'; known: "):
            Recipe(TASKS[:1], **{axis: "magic"})


def test_responses_know_which_stimuli_are_present():
    values = np.array([[1, 2], [np.nan, 3], [4, 5]])
    assert Responses(values, ("a", "b")).present.tolist() == [True, False, True]
    assert Responses(values, ("a", "b"), np.array([True, False, False])).present.sum() == 1
    with pytest.raises(UnusableData, match="a stimulus that is present hold NaN or infinity"):
        Responses(values, ("a", "b"), np.array([True, True, True]))


@pytest.mark.parametrize("values", [np.zeros((3, 1)), np.zeros(2), np.zeros((1, 2, 2))])
def test_responses_have_a_column_for_each_channel(values):
    with pytest.raises(UnusableData, match="do not fit 2 channels"):
        Responses(values, ("a", "b"))


def _recording(sentences=("a", "b"), values=((1.0,), (2.0,)), source="here", subject="S1", **more):
    return Recording(sentences, {subject: Responses(np.array(values), ("x",))}, "ms", Origin(source), **more)


def test_a_recording_has_each_sentence_once_and_a_row_for_it():
    with pytest.raises(UnusableData, match="signal 'here' holds a sentence twice"):
        _recording(sentences=("a", "a"))
    for wrong in (("a", "b", "c"), ("a",)):
        with pytest.raises(UnusableData, match="signal 'here': each subject needs a row for each of the sentences"):
            _recording(sentences=wrong)
    assert replace(_recording(), subjects={}).sentences == ("a", "b")  # sentences without responses are stimuli too


def test_the_hash_of_a_recording_is_of_stimuli_and_values():
    assert _recording().sha256 == _recording(source="elsewhere", notes=("x",)).sha256
    others = [_recording(sentences=("a", "c")), _recording(values=((1.0,), (3.0,))), _recording(subject="S2")]
    assert len({_recording().sha256, *(o.sha256 for o in others)}) == 4


def test_a_matrix_is_a_read_only_copy_without_diagonal():
    values = np.arange(9.0).reshape(3, 3)
    matrix = TaskMatrix.square(iter("abc"), values)
    assert matrix.sources == matrix.targets == ("a", "b", "c")
    assert np.isnan(np.diag(matrix.values)).all() and np.isfinite(matrix.values[~matrix.same]).all()
    assert np.diag(values).tolist() == [0, 4, 8]  # the maker's array is as it was
    values[0, 1] = 99
    assert matrix.values[0, 1] == 1
    with pytest.raises(ValueError, match="read-only"):
        matrix.values[0, 1] = 2


def test_a_rectangular_matrix_has_no_score_of_a_task_with_itself():
    matrix = TaskMatrix(("a", "b"), ("b", "c", "a"), np.ones((2, 3), int))
    assert matrix.same.tolist() == [[False, False, True], [True, False, False]]
    assert np.isnan(matrix.values).tolist() == matrix.same.tolist()
    assert TaskMatrix((), ("a",), np.empty((0, 1))).same.shape == (0, 1)


@pytest.mark.parametrize(
    "sources, targets, values, says",
    [
        ("ab", "ab", np.zeros((2, 3)), r"shape \(2, 3\) does not fit 2 sources × 2 targets"),
        ("ab", "abc", np.zeros((3, 2)), r"shape \(3, 2\) does not fit 2 sources × 3 targets"),
        ("ab", "ab", np.zeros(4), r"shape \(4,\) does not fit"),
        ("aa", "ab", np.zeros((2, 2)), "a task stands twice in a matrix: a, a"),
        ("ab", "bb", np.zeros((2, 2)), "a task stands twice in a matrix: b, b"),
        ("ab", "ab", np.array([[0, np.inf], [0, 0]]), "holds an infinite value"),
    ],
)
def test_a_matrix_refuses(sources, targets, values, says):
    with pytest.raises(UnusableData, match=says):
        TaskMatrix(tuple(sources), tuple(targets), values)


def test_no_estimate_is_a_value():
    matrix = TaskMatrix.square("ab", np.array([[0, np.nan], [1, 0]]))
    assert np.isnan(matrix.values[0, 1]) and matrix.values[1, 0] == 1


def test_a_part_of_a_matrix_is_in_the_order_asked_for():
    matrix = TaskMatrix.square("abc", np.arange(9.0).reshape(3, 3))
    part = matrix.part(["c", "a"], ["b", "c"])
    assert (part.sources, part.targets) == (("c", "a"), ("b", "c"))
    assert np.array_equal(part.values, [[7, np.nan], [1, 2]], equal_nan=True)
    with pytest.raises(UnusableData, match="no scores for x, y; there are a, b, c"):
        matrix.part(["a", "y"], ["x", "b"])


def test_a_part_of_an_oracle_keeps_what_belongs_together():
    errors = np.arange(9.0).reshape(3, 3) / 10
    whole = Oracle("o", "toy", "s", TaskMatrix.square("abc", np.arange(9.0).reshape(3, 3)), np.arange(3.0), errors)
    part = whole.part(["c", "a"])
    assert np.array_equal(part.transfers.values, [[np.nan, 6], [2, np.nan]], equal_nan=True)
    assert part.no_transfer.tolist() == [2, 0]
    assert part.standard_error.tolist() == [[0.8, 0.6], [0.2, 0.0]]
    assert whole.part(["a", "b"]).name == "o"
    bare = replace(whole, no_transfer=None, standard_error=None).part(["a", "b"])
    assert bare.no_transfer is None and bare.standard_error is None
    with pytest.raises(UnusableData, match="no scores for x"):
        whole.part(["a", "x"])


def test_the_size_of_a_data_set_is_its_rows_and_their_length():
    pairs = {"text": ["abcd", "abcdefgh"], "text_pair": ["abcd" * 3, "abcd" * 4], "label": [0, 1]}
    assert Dataset("classification", pairs, ("no", "yes"), Origin("x")).size == (2, (4 + 12 + 8 + 16) / 2 / 4)
    words = {"tokens": [["abc", "abc"]], "label": [[0, 0]]}
    assert Dataset("tagging", words, ("O",), Origin("x")).size == (1, 2)
    query = {"text": ["abcd"], "passages": [["abcd" * 2, "abcd" * 4]], "label": [[0, 1]]}
    assert Dataset("reranking", query, (), Origin("x")).size == (2, (1 + 2 + 1 + 4) / 2)


@pytest.mark.parametrize("shape", [(3, 5), (7, 900_000), (4, 0)])
def test_large_responses_are_hashed_and_checked_in_parts(tmp_path, shape):
    """The hash is that of all values as float64, row by row, whatever holds them."""
    values = np.lib.format.open_memmap(tmp_path / "values.npy", "w+", np.float32, shape)
    values[:, ::1000] = np.arange(shape[0])[:, None]
    channels = tuple(map(str, range(shape[1])))
    sentences = tuple(map(str, range(shape[0])))
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    recording = Recording(sentences, {"S": Responses(mapped, channels)}, "mV", Origin("made up"))
    digest = hashlib.sha256(json.dumps(sentences).encode())
    digest.update(json.dumps(["S", channels]).encode())
    digest.update(np.asarray(values, np.float64).tobytes())
    assert recording.sha256 == digest.hexdigest() and recording.subjects["S"].present.all()
    assert isinstance(recording.subjects["S"].values, np.memmap)


def test_all_columns_of_an_example_are_read():
    rows = _dataset("reranking", (), tokens=None, text=["why"], passages=[["one", "two"]], label=[[0, 1]])
    assert rows.texts == ("why one two",)
    tagged = _dataset("tagging", ("O",), text=None, tokens=[["red", "dog"]], label=[[0, 0]])
    assert tagged.texts == ("red dog",)
