"""What goes through a model, and what comes back from it, for each kind of task: a model that knew would score 1."""

import re

import numpy as np
import pytest
from cogbench_backbones.heads import HEADS, IGNORED, batch, by_length, encoded
from hypothesis import given
from hypothesis import strategies as st

from cogbench import TASK_KINDS, Dataset, Files, Origin, load_parts
from cogbench.data.kinds import N_BEST
from cogbench.scoring.metrics import score_outputs

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
WORDS = "the old dog of Anna Smith ran unbelievably fast from Madrid to the antediluvian river bank".split()


@pytest.fixture(scope="module")
def tokenizer():
    return load_parts().find("backbone", "minilm").tokenizer(Files(offline=True))


def _dataset(kind, labels=(), **columns):
    return Dataset(kind, columns, labels, Origin("here"))


def _qa(context, answer=None, question="who ran?"):
    label = {"text": [answer], "answer_start": [context.index(answer)]} if answer else {"text": [], "answer_start": []}
    return _dataset("extractive-qa", text=[question], text_pair=[context], label=[label])


def _knowing(rows):
    """Return what a model that knows the truth gives for each row."""
    if "start_positions" in rows:
        each = []
        for ids, start, end in zip(rows["input_ids"], rows["start_positions"], rows["end_positions"], strict=True):
            scores = np.zeros((len(ids), 2))
            scores[start, 0] += 5
            scores[end, 1] += 5
            each.append(scores)
        return each
    return [np.eye(len(TAGS))[np.maximum(labels, 0)] for labels in rows["labels"]]


@pytest.mark.parametrize("limit", [8, 16, 128])
def test_each_word_has_one_tag_and_gets_one_answer(tokenizer, limit):
    tags = [i % 5 for i in range(len(WORDS))]
    dataset = _dataset("tagging", TAGS, tokens=[WORDS, ["x"], WORDS[::-1]], label=[tags, [3], tags[::-1]])
    encoding = encoded(tokenizer, dataset, limit)
    rows = encoding.rows
    assert max(map(len, rows["input_ids"])) <= limit
    assert [t for row in rows["labels"] for t in row if t != IGNORED] == [*tags, 3, *tags[::-1]]
    outputs = HEADS["tagging"].outputs(_knowing(encoding.rows), dataset, encoding.places)
    assert [a.tolist() for a in TASK_KINDS["tagging"].answers(outputs, dataset.columns)] == [tags, [3], tags[::-1]]


def test_a_word_without_a_piece_is_no_entity(tokenizer):
    dataset = _dataset("tagging", TAGS, tokens=[["Anna", "\x00\u200b", "ran"]], label=[[1, 2, 0]])
    encoding = encoded(tokenizer, dataset, 128)
    outputs = HEADS["tagging"].outputs(_knowing(encoding.rows), dataset, encoding.places)
    (answer,) = TASK_KINDS["tagging"].answers(outputs, dataset.columns)
    assert answer[0] == 1 and answer[2] == 0 and len(answer) == 3


@pytest.mark.parametrize("limit", [24, 64, 384])
@pytest.mark.parametrize("answer", ["the old dog", "Madrid", "antediluvian river bank", "Anna Smith"])
def test_an_answer_comes_back_from_whichever_window_holds_it(tokenizer, limit, answer):
    context = f"{'It rained. ' * 8}{' '.join(WORDS)}. {'It rained. ' * 8}"
    dataset = _qa(context, answer)
    encoding = encoded(tokenizer, dataset, limit)
    rows = encoding.rows
    assert max(map(len, rows["input_ids"])) <= limit and (len(rows["input_ids"]) > 1) == (limit < 100)
    outputs = HEADS["extractive-qa"].outputs(_knowing(encoding.rows), dataset, encoding.places)
    assert TASK_KINDS["extractive-qa"].answers(outputs, dataset.columns) == [answer]
    assert score_outputs("token-f1", outputs, dataset, dataset).value == 1


def test_no_answer_comes_back_as_none(tokenizer):
    dataset = _qa(" ".join(WORDS))
    encoding = encoded(tokenizer, dataset, 24)
    rows = encoding.rows
    assert {*rows["start_positions"], *rows["end_positions"]} == {0}
    outputs = HEADS["extractive-qa"].outputs(_knowing(encoding.rows), dataset, encoding.places)
    assert TASK_KINDS["extractive-qa"].answers(outputs, dataset.columns) == [""]


def test_neither_long_questions_nor_empty_contexts_stop_the_reading(tokenizer):
    encoding = encoded(tokenizer, _qa(" ".join(WORDS), "Madrid", question="who " * 500), 32)
    rows = encoding.rows
    assert max(map(len, rows["input_ids"])) <= 32 and any(rows["start_positions"])
    empty = _qa(" ")
    none = encoded(tokenizer, empty, 32)
    outputs = HEADS["extractive-qa"].outputs(_knowing(none.rows), empty, none.places)
    assert np.isfinite(outputs).all() and TASK_KINDS["extractive-qa"].answers(outputs, empty.columns) == [""]


def test_an_answer_is_within_one_window_and_its_end_after_its_start(tokenizer):
    dataset, limit = _qa(" ".join(WORDS * 3)), 24
    encoding = encoded(tokenizer, dataset, limit)
    rows = encoding.rows
    rng = np.random.default_rng(0)
    for _ in range(20):
        each = [rng.normal(size=(len(ids), 2)) for ids in rows["input_ids"]]
        ((start, end, margin),) = HEADS["extractive-qa"].outputs(each, dataset, encoding.places)
        assert 0 <= start < end <= len(dataset.columns["text_pair"][0])
        sums = [[s[i, 0] + s[j, 1] for i in range(len(s)) for j in range(i, len(s))] for s in each]
        assert margin <= max(map(max, sums)) - min(s[0].sum() for s in each) + 1e-5


def _cuts(text, start, end):
    """Return whether a passage begins or ends within a word, by the words that the text is encoding of."""
    return not {start, end} <= {place for match in re.finditer(r"\w+|\S", text) for place in match.span()}


@pytest.mark.parametrize("context", ["tau Tau binds tau and TAU binds actin and keratin", "dog Dog DOG dOg doG DoG"])
@pytest.mark.parametrize("seed", range(5))
def test_rows_in_groups_have_their_best_passages_that_are_different_texts(tokenizer, context, seed):
    """Every passage of every window is tried, one by one."""
    plain = _qa(context, question="what binds?")
    dataset = _dataset("extractive-qa", **plain.columns, group=["q"])
    encoding = encoded(tokenizer, dataset, 16)
    rng = np.random.default_rng(seed)
    each = [rng.normal(size=(len(ids), 2)).astype(np.float32) for ids in encoding.rows["input_ids"]]
    assert len(each) > 1 or "binds" not in context, "several windows"
    scores, best = {}, -np.inf
    for (_, places), values in zip(encoding.places, each, strict=True):
        pieces = [i for i, place in enumerate(places) if place]
        for i in pieces:
            for j in (j for j in pieces if i <= j < i + 30):
                best = max(best, values[i, 0] + values[j, 1])
                if _cuts(context, places[i][0], places[j][1]):
                    continue
                text = context[places[i][0] : places[j][1]].lower()
                scores[text] = max(scores.get(text, -np.inf), values[i, 0] + values[j, 1])
    none = min(values[0].sum() for values in each)
    expected = sorted(((score - none, text) for text, score in scores.items()), reverse=True)[:N_BEST]
    outputs = HEADS["extractive-qa"].outputs(each, dataset, encoding.places)
    assert outputs.shape == (1, 3 * N_BEST)
    (candidates,) = TASK_KINDS["extractive-qa"].candidates(outputs, dataset.columns)
    assert [text.lower() for _, text in candidates] == [text for _, text in expected]
    assert [margin for margin, _ in candidates] == pytest.approx([margin for margin, _ in expected], abs=1e-5)
    alone = HEADS["extractive-qa"].outputs(each, plain, encoding.places)
    assert alone.shape == (1, 3) and alone[0, 2] == pytest.approx(best - none, abs=1e-5), "the best of all passages"


def test_fewer_passages_than_asked_for_leave_the_other_places_empty(tokenizer):
    dataset = _dataset("extractive-qa", **_qa("tau tau", "tau").columns, group=["q"])
    encoding = encoded(tokenizer, dataset, 32)
    outputs = HEADS["extractive-qa"].outputs(_knowing(encoding.rows), dataset, encoding.places)
    (candidates,) = TASK_KINDS["extractive-qa"].candidates(outputs, dataset.columns)
    assert sorted(text for _, text in candidates) == ["tau", "tau tau"] and outputs[0, 6:].tolist() == [0, 0, -1e4] * 3


def test_each_passage_is_a_row_and_comes_back_to_its_query(tokenizer):
    dataset = _dataset("reranking", text=["a", "b"], passages=[["x", "y"], ["z"]], label=[[0, 1], [1]])
    encoding = encoded(tokenizer, dataset, 128)
    rows = encoding.rows
    assert rows["labels"] == [[0.0], [1.0], [1.0]]
    assert [tokenizer.decode(ids) for ids in rows["input_ids"]][2] == "[CLS] b [SEP] z [SEP]"
    outputs = HEADS["reranking"].outputs([np.array([v]) for v in (1.0, 2.0, 3.0)], dataset, None)
    assert [a.tolist() for a in TASK_KINDS["reranking"].answers(outputs, dataset.columns)] == [[1, 2], [3]]


def test_entities_are_marked_with_signs_of_the_vocabulary(tokenizer):
    text = "the <e1>dog</e1>, of <e2>Anna Smith</e2>"
    dataset = _dataset("relation", ("A(e1,e2)", "Other"), text=[text], label=[0])
    ((ids),) = encoded(tokenizer, dataset, 128).rows["input_ids"]
    assert tokenizer.decode(ids) == "[CLS] the @ dog @, of # anna smith # [SEP]"
    assert tokenizer.unk_token_id not in ids


def test_texts_longer_than_a_row_are_cut_and_counted(tokenizer):
    long, labels = " ".join(["word"] * 14), ("n", "y")
    fits = _dataset("classification", labels, text=[long], label=[0])  # with [CLS] and [SEP] 16 pieces
    pair = _dataset("classification", labels, text=[long, "a"], text_pair=["b", "c"], label=[0, 1])
    query = _dataset("reranking", text=["a"], passages=[[long, "x", long]], label=[[0, 1, 0]])
    windows, words = _qa(long * 3, question=long), _dataset("tagging", TAGS, tokens=[WORDS], label=[[0] * len(WORDS)])
    assert [encoded(tokenizer, d, 16).cut for d in (fits, pair, query, windows, words)] == [0, 1, 2, 1, 0]
    assert encoded(tokenizer, fits, 15).cut == 1


@given(lengths=st.lists(st.integers(1, 400), max_size=60), size=st.integers(1, 8))
def test_batches_of_like_lengths_hold_each_row_once_and_no_more_than_fits(lengths, size):
    from transformers import BertConfig

    small = BertConfig(hidden_size=8, intermediate_size=8, num_attention_heads=1)  # memory sets no limit
    found = [*by_length({"input_ids": [[0] * n for n in lengths]}, small, size)]
    assert sorted(i for some in found for i in some) == [*range(len(lengths))]
    assert [lengths[i] for some in found for i in some] == sorted(lengths)
    for some in found:
        assert len(some) <= size and (len(some) == 1 or len(some) * lengths[some[-1]] <= size * 128)


def test_a_batch_is_padded_and_what_is_padded_has_no_tag(tokenizer):
    rows = [{"input_ids": [1, 2, 3], "attention_mask": [1] * 3, "labels": [0, 1, 2]}]
    rows += [{"input_ids": [1], "attention_mask": [1], "labels": [4]}]
    encoding = batch(tokenizer, rows)
    assert encoding["labels"].tolist() == [[0, 1, 2], [4, IGNORED, IGNORED]]
    assert encoding["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_a_task_is_encoded_once_and_shared(tokenizer):
    one, same, other = (_dataset("classification", ("n", "y"), text=[t], label=[0]) for t in ("a", "a", "b"))
    assert encoded(tokenizer, one, 128) is encoded(tokenizer, same, 128)
    assert encoded(tokenizer, one, 128) is not encoded(tokenizer, other, 128)
    assert encoded(tokenizer, one, 128) is not encoded(tokenizer, one, 16)
