"""Each kind of task: what it refuses, what an answer is, and its scores against references of others' making."""

import itertools

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score

from cogbench import METRICS, TASK_KINDS, Dataset, Origin, UnusableData
from cogbench.scoring.metrics import check_metric, score_outputs

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
RELATIONS = ("Cause(e1,e2)", "Cause(e2,e1)", "Part(e1,e2)", "Part(e2,e1)", "Other")
MARKED = "the <e1>dog</e1> of the <e2>house</e2>"


def _qa(*rows):
    label = [r and {"text": [text for _, text in r], "answer_start": [start for start, _ in r]} for _, r in rows]
    label = [{"text": [], "answer_start": []} if row == [] else row for row in label]
    columns = {"text": ["who?"] * len(rows), "text_pair": [context for context, _ in rows], "label": label}
    return Dataset("extractive-qa", columns, (), Origin("here"))


def _tagging(*tags):
    return Dataset("tagging", {"tokens": [["w"] * len(t) for t in tags], "label": [*tags]}, TAGS, Origin("here"))


def _relation(*labels, texts=None):
    return Dataset("relation", {"text": texts or [MARKED] * len(labels), "label": [*labels]}, RELATIONS, Origin("here"))


def _reranking(*relevant):
    columns = {"text": ["q"] * len(relevant), "passages": [["p"] * len(r) for r in relevant], "label": [*relevant]}
    return Dataset("reranking", columns, (), Origin("here"))


def _value(metric, answers, dataset):
    return float(METRICS[metric].value(METRICS[metric].contributions(answers, dataset)))


@pytest.mark.parametrize(
    "make, says",
    [
        (
            lambda: _qa(("a dog barks", [(3, "dog")])),
            "row 0 has an answer 'dog' that does not stand at character 3 of its context",
        ),
        (lambda: _qa(("a dog barks", [(-5, "dog")])), "does not stand at character -5"),
        (lambda: _qa(("a dog barks", [(2, "")])), "an answer '' that does not stand"),
        (lambda: _qa(("a dog barks", None)), "not of the kind extractive-qa"),
        (lambda: _tagging([0, 1], []), "row 1 has 0 words and 0 tags"),
        (lambda: _tagging([0, 5]), r"unseen label 5; expected 0 to 4 \(O, B-PER"),
        (
            lambda: Dataset("tagging", {"tokens": [["a", ""]], "label": [[0, 0]]}, TAGS, Origin("here")),
            "row 0 has no text in word 2",
        ),
        (
            lambda: Dataset("tagging", {"tokens": [["a", "b"]], "label": [[0]]}, TAGS, Origin("here")),
            "row 0 has 2 words and 1 tags",
        ),
        (
            lambda: Dataset("tagging", {"tokens": [["a"]], "label": [[0]]}, TAGS[::-1], Origin("here")),
            "the first tag has to be 'O'",
        ),
        (lambda: _relation(0, texts=["no marks"]), "row 0 does not mark its two entities"),
        (lambda: _relation(0, 1, texts=[MARKED, MARKED + "<e1>"]), "row 1 does not mark"),
        (lambda: _relation(0, texts=["</e1>a<e1> <e2>b</e2>"]), "row 0 does not mark"),
        (lambda: _relation(5), "unseen label 5"),
        (lambda: _reranking([0, 1], [0, -1]), "row 1 has the label -1; expected 0 or 1"),
        (lambda: _reranking([]), "row 0 has 0 passages and 0 labels"),
        (
            lambda: Dataset("reranking", {"text": ["q"], "passages": [[None]], "label": [[1]]}, (), Origin("here")),
            "row 0 has a passage without text",
        ),
    ],
)
def test_what_is_not_of_the_kind_is_refused(make, says):
    with pytest.raises(UnusableData, match=says):
        make()


def test_tags_without_o_are_scored_by_words():
    tags, labels = [[0, 1, 1], [2, 0]], ("NOUN", "VERB", "DET")
    dataset = Dataset("tagging", {"tokens": [["w"] * 3, ["w"] * 2], "label": tags}, labels, Origin("here"))
    answers = [np.array([0, 1, 2]), np.array([0, 0])]
    assert _value("word-accuracy", answers, dataset) == sk.accuracy_score(np.concatenate(tags), np.concatenate(answers))
    outputs = np.eye(3)[np.concatenate(answers)]
    score = score_outputs("word-accuracy", outputs, dataset, dataset)
    assert score.value == 3 / 5 and score.trivial == 2 / 5  # the first tag, everywhere
    with pytest.raises(UnusableData, match="metric 'entity-f1' is for tags with 'O'; score tags without it by 'word-"):
        check_metric("entity-f1", dataset)
    check_metric("word-accuracy", dataset)


def test_a_metric_is_for_its_kind():
    with pytest.raises(UnusableData, match="metric 'entity-f1' is for a tagging; this is a reranking"):
        check_metric("entity-f1", _reranking([1]))


# The official evaluation of SQuAD 2.0, as its definition gives these by hand: lower case, no punctuation, no articles.
@pytest.mark.parametrize(
    "answer, right, exact, f1",
    [
        ("the Dog", ["dog"], 1, 1),
        ("dog.", ["a dog", "cat"], 1, 1),
        ("big dog", ["dog"], 0, 2 / 3),
        ("big dog", ["small dog", "big dog house"], 0, 0.8),
        ("dog dog", ["dog"], 0, 2 / 3),
        ("", [], 1, 1),
        ("dog", [], 0, 0),
        ("", ["dog"], 0, 0),
        ("the", [], 1, 1),  # nothing but an article is no answer
        ("", ["the", "dog"], 0, 0),
        ("another", ["other"], 0, 0),
        ("U.S.", ["us"], 1, 1),
        ("1990–1995", ["1990–1995"], 1, 1),  # not among the signs that are taken out
    ],
)
def test_squad_scores_as_the_official_evaluation_does(answer, right, exact, f1):
    context = " ".join(right) or "nothing"
    dataset = _qa((context, [(context.index(text), text) for text in right]))
    assert _value("exact-match", [answer], dataset) == exact
    assert _value("token-f1", [answer], dataset) == pytest.approx(f1)


def test_answers_are_passages_of_the_context_or_none():
    dataset = _qa(("a dog barks", [(2, "dog")]), ("a dog barks", []))
    outputs = np.array([[2, 5, 0.5], [2, 5, -0.5]])
    assert TASK_KINDS["extractive-qa"].answers(outputs, dataset.columns) == ["dog", ""]
    found = score_outputs("token-f1", outputs, dataset, dataset, further=("exact-match",))
    assert (found.value, found.trivial, found.further) == (1, 0.5, {"exact-match": 1})
    assert found.per_example.tolist() == [1, 1]


SENTENCES = st.lists(st.lists(st.tuples(*[st.integers(0, 4)] * 2), min_size=1, max_size=6), min_size=1, max_size=5)


@given(SENTENCES)
def test_entity_f1_is_that_of_seqeval(sentences):
    import warnings

    found = [[a for a, _ in s] for s in sentences]
    true = [[b for _, b in s] for s in sentences]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = f1_score([[TAGS[t] for t in s] for s in true], [[TAGS[t] for t in s] for s in found])
    assert _value("entity-f1", found, _tagging(*true)) == pytest.approx(expected)


def test_a_sentence_is_as_likely_as_all_its_tags():
    dataset, logits = _tagging([0, 1], [3]), np.random.default_rng(0).normal(size=(3, 5))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = [np.log(p[0, 0]) + np.log(p[1, 1]), np.log(p[2, 3])]
    assert TASK_KINDS["tagging"].per_example(logits, dataset.columns) == pytest.approx(expected)
    assert [t.tolist() for t in TASK_KINDS["tagging"].answers(np.eye(5)[[0, 1, 4]], dataset.columns)] == [[0, 1], [4]]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30))
def test_relation_f1_is_the_mean_of_its_relations_with_direction(pairs):
    found, true = np.array(pairs).T
    expected = []
    for of in ((0, 1), (2, 3)):  # precision over what is answered in either direction, recall over what is true
        right = sum(a == b and b in of for a, b in pairs)
        answered, there = sum(a in of for a in found), sum(b in of for b in true)
        expected.append(0 if not right else 2 / (answered / right + there / right))
    assert _value("relation-f1", found, _relation(*true.tolist())) == pytest.approx(np.mean(expected))


def test_relation_f1_leaves_out_what_is_no_relation():
    true = [0, 2, 4, 4]
    assert _value("relation-f1", np.array([0, 2, 4, 4]), _relation(*true)) == 1
    assert _value("relation-f1", np.array([4, 4, 4, 4]), _relation(*true)) == 0
    assert _value("relation-f1", np.array([1, 2, 4, 4]), _relation(*true)) == 0.5  # the wrong direction


RANKED = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=2, max_size=5)


@given(RANKED)
def test_ties_of_a_ranking_count_as_the_mean_of_their_orders(passages):
    scores, relevant = np.array(passages).T
    dataset = _reranking(relevant.tolist())
    if not relevant.any():
        assert np.isnan(METRICS["ndcg@10"].contributions([scores], dataset)).all()
        return
    orders = [o for o in itertools.permutations(range(len(scores))) if (np.diff(scores[list(o)]) <= 0).all()]
    gains = [sum(relevant[j] / np.log2(i + 2) for i, j in enumerate(o)) for o in orders]
    best = sum(1 / np.log2(i + 2) for i in range(relevant.sum()))
    assert _value("ndcg@10", [scores], dataset) == pytest.approx(np.mean(gains) / best)
    assert _value("ndcg@10", [scores], dataset) == pytest.approx(sk.ndcg_score([relevant], [scores], k=10))


def test_reciprocal_rank_by_hand():
    assert _value("mrr@10", [np.array([3.0, 2, 1])], _reranking([0, 1, 0])) == 0.5
    assert _value("mrr@10", [np.array([2.0, 2, 1])], _reranking([0, 1, 0])) == pytest.approx(1 / 1.5)
    assert _value("mrr@10", [-np.arange(12.0)], _reranking([0] * 10 + [1, 0])) == 0
    assert _value("mrr@10", [np.array([1.0])], _reranking([1])) == 1 == _value("ndcg@10", [np.ones(1)], _reranking([1]))


def test_queries_without_a_relevant_passage_are_counted_and_left_out():
    dataset = _reranking([1, 0], [0, 0], [0, 1])
    found = score_outputs("ndcg@10", np.array([[2], [1], [1], [2], [0], [3]]), dataset, dataset, further=("mrr@10",))
    assert (found.value, found.left_out, found.further) == (1, 1, {"mrr@10": 1})
    assert found.trivial == pytest.approx((1 + 1 / np.log2(3)) / 2)  # all alike: the mean of both orders
    p = 1 / (1 + np.exp(-np.array([2, 1, 1, 2, 0, 3.0])))
    expected = np.log([p[0] * (1 - p[1]), (1 - p[2]) * (1 - p[3]), (1 - p[4]) * p[5]])
    assert found.per_example == pytest.approx(expected)


@pytest.mark.parametrize(
    "dataset",
    [_qa(("a dog", [(2, "dog")]), ("a dog", [])), _tagging([0, 1], [2]), _relation(0, 4), _reranking([1, 0], [0])],
)
def test_someone_who_looks_at_no_text_learns_nothing(dataset):
    metric = next(m for m, of in METRICS.items() if dataset.kind in of.kinds)
    kind = TASK_KINDS[dataset.kind]
    each = METRICS[metric].contributions(kind.constant(dataset.columns, dataset.columns), dataset)
    assert len(each) == len(dataset)
    assert not kind.classes or dataset.sample(1).columns["label"] == [0]


def test_samples_of_relations_hold_each_in_its_share():
    whole = _relation(*([0] * 30 + [4] * 60))
    assert np.bincount(whole.sample(30).columns["label"]).tolist() == [10, 0, 0, 0, 20]
