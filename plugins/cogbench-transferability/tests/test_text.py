"""Text embeddings, descriptions and vocabularies: golden values, scikit-learn, and what has no text."""

import numpy as np
import pytest
import torch
from cogbench_transferability.pairs import Undefined
from cogbench_transferability.textemb import Description, TextEmb, mean_text, weighted_words
from cogbench_transferability.vocabulary import Vocabulary, frequent_words, jaccard, overlap
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics.pairwise import cosine_similarity
from small import Small, drawn_often

from cogbench import Card, UnusableData
from cogbench.compute.features import pooled


def test_the_mean_is_over_tokens_first_then_over_examples():
    """Golden: two examples of one and of three tokens, of which the second is not counted three times."""
    states = torch.tensor([[[3.0, 1.0], [9.0, 9.0], [9.0, 9.0]], [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]])
    each = pooled(states, torch.tensor([[1, 0, 0], [1, 1, 1]]), "mean")
    assert_allclose(mean_text(each), [2.0, 0.5])


def test_an_example_without_a_token_is_left_out():
    states = torch.tensor([[[3.0, 1.0]], [[5.0, 5.0]]])
    assert_allclose(mean_text(pooled(states, torch.tensor([[1], [0]]), "mean")), [3.0, 1.0])
    assert np.isnan(mean_text(np.full((2, 3), np.nan))).all()


def test_textemb_is_the_cosine_of_mean_token_vectors(kinds):
    evidence = kinds.fresh()
    matrix = TextEmb().similarity(evidence)
    means = []
    for task in evidence.tasks:
        rows = []
        for batch in evidence.of[task]:
            for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
                with torch.no_grad():
                    hidden = evidence.models[None](ids[mask == 1][None]).last_hidden_state[0]
                rows.append(hidden.mean(dim=0).numpy())
        means.append(np.mean(rows, axis=0))
    assert_allclose(matrix.values[~matrix.same], cosine_similarity(means)[~matrix.same], atol=1e-5)
    assert evidence.notes == []


def test_nothing_is_trained_for_it():
    assert TextEmb().needs == {"backbone-features"}
    assert Description(by="words").needs == {"cards"} and Vocabulary().needs == {"texts"}


def described(*texts):
    return Small(cards={f"task-{i}": Card(1, "MIT", text) for i, text in enumerate(texts)})


def test_a_description_is_compared_as_the_backbone_represents_it():
    evidence = described("a cat", "banana", "  banana ")
    matrix = Description().similarity(evidence)
    rows = evidence.represent(["a cat", "banana"])
    assert matrix.values[0, 1] == pytest.approx(cosine_similarity(rows)[0, 1], abs=1e-6)
    assert matrix.values[1, 2] == pytest.approx(1)


def test_descriptions_by_their_words():
    matrix = Description(by="words").similarity(
        described("which sentence follows", "which sentence rhymes", "pictures")
    )
    assert matrix.values[0, 1] > 0.3 and np.isnan(matrix.values[0, 0])
    assert matrix.values[0, 2] == 0  # nothing in common: a real 0
    assert_allclose(np.linalg.norm(weighted_words(["a b", "words of it"]), axis=1), [0, 1])


@pytest.mark.parametrize("by", ["backbone", "words"])
def test_a_missing_description_is_no_estimate(by):
    evidence = described("which sentence follows", "", "which sentence rhymes")
    matrix = Description(by=by).similarity(evidence)
    assert np.isnan(matrix.values[1]).all() and np.isfinite(matrix.values[0, 2])
    assert evidence.notes == ["description: no score for 4 of 6 pairs: a task's card has no description."]
    none = described("", "", "")
    assert np.isnan(Description(by=by).similarity(none).values).all() and none.notes


def test_a_description_without_a_word_is_no_estimate():
    evidence = described("which sentence follows", "…", "which sentence rhymes")
    matrix = Description(by="words").similarity(evidence)
    assert np.isnan(matrix.values[1]).all() and np.isfinite(matrix.values[0, 2])
    assert evidence.notes == ["description: no score for 4 of 6 pairs: a task's description has no words."]
    assert np.isnan(Description(by="words").similarity(described("…", "?")).values).all()


def test_a_task_without_text_has_no_mean_text(kinds):
    empty = [{**b, "attention_mask": b["attention_mask"] * 0} for b in kinds.of["numbers"]]
    evidence = Small(kinds.models, {**kinds.of, "numbers": empty}, kinds.labels)
    assert np.isnan(TextEmb().similarity(evidence).values[2]).all()
    assert evidence.notes == ["textemb: no score for 10 of 30 pairs: a task has no text."]


def test_vocabulary_golden_values():
    assert overlap("abcd", "bcef", 4) == 50
    assert jaccard("abcd", "bcef") == pytest.approx(1 / 3)


def test_frequent_words_are_without_punctuation_function_words_and_chance():
    texts = ["The dog, the DOG and a cat!", "Is the zebra (a bird) a dog?"]
    assert frequent_words(texts, 1) == {"dog"}
    assert frequent_words(texts, 3) == {"dog", "bird", "cat"}  # of equally frequent ones the first of the alphabet
    assert frequent_words(texts, 2, gram=2) == {"bird dog", "dog cat"}
    assert frequent_words(["", "the of"], 5) == frozenset()


def test_contractions_and_single_letters_are_no_words():
    texts = ["It's the dog's bone, isn't it? He doesn’t, don't, won't and can't; I'm a b c person. They're rock'n'roll"]
    assert frequent_words(texts, 20) == {"dog", "bone", "person", "rock"}
    assert frequent_words(["犬 と 猫"], 5) == {"犬", "と", "猫"}  # words of one sign are words


def test_vocabulary_of_tasks():
    evidence = Small(words={"a": ["red dog"], "b": ["red cat", "red cat bird"], "c": ["the"]})
    matrix = Vocabulary(words=2).similarity(evidence)
    assert matrix.values[0, 1] == matrix.values[1, 0] == 50
    assert np.isnan(matrix.values[2]).all()
    assert evidence.notes == [
        "vocabulary: 1 of 3 tasks have fewer than 2 words.",
        "vocabulary: no score for 4 of 6 pairs: a task has no words.",
    ]
    assert Vocabulary(words=9, denominator="least").similarity(evidence).values[0, 1] == 50
    assert Vocabulary(words=9, measure="jaccard").similarity(evidence).values[0, 1] == 0.25


@drawn_often
@given(st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 9), min_size=1))
def test_overlaps_are_symmetric_and_bounded(a, b):
    assert 0 <= jaccard(a, b) == jaccard(b, a) <= 1
    assert jaccard(a, a) == 1 and overlap(a, a, len({*a})) == 100
    with pytest.raises(Undefined):
        jaccard(a, [])


def test_bad_options_are_one_clear_line():
    with pytest.raises(UnusableData, match="words=0"):
        Vocabulary(words=0)
