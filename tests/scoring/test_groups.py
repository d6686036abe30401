"""Metrics of rows that are parts of one question, beside the definitions of BioASQ written out one by one."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogbench import METRICS, TASK_KINDS, Dataset, Files, Origin, TableTask, UnusableData
from cogbench.data.kinds import N_BEST, groups
from cogbench.scoring.metrics import check_metric, gap_error, score_outputs

WORDS = ["tau", "Tau", "actin", "Myosin", "titin", "TITIN", "tubulin", "keratin", "desmin"]
CONTEXT = " ".join(WORDS)
PLACES = [(CONTEXT.index(word), CONTEXT.index(word) + len(word)) for word in WORDS]


def _questions(names, right, contexts=None):
    """Return rows of questions of these names, each with these words among the right answers of its context."""
    labels = [{"text": [WORDS[w] for w in row], "answer_start": [PLACES[w][0] for w in row]} for row in right]
    columns = {"text": [f"which {n}?" for n in names], "text_pair": [CONTEXT] * len(names), "label": labels}
    return Dataset("extractive-qa", {**columns, "group": list(names)}, (), Origin("here"))


def _outputs(rows):
    """Return the outputs of a head that gives these (word, margin) pairs, best first, and no more passages."""
    outputs = np.tile([0.0, 0.0, -1e4], (len(rows), N_BEST))
    for row, spans in enumerate(rows):
        for i, (word, margin) in enumerate(spans):
            outputs[row, 3 * i : 3 * i + 3] = *PLACES[word], margin
    return outputs


def _bioasq(names, right, spans):
    """Return mean reciprocal rank, strict and lenient accuracy as BioASQ defines them, question by question.

    A system gives up to five texts for a factoid question, best first. The question is answered strictly if the first
    is a golden text, leniently if any of them is; its reciprocal rank is that of the first one that is, or 0. Texts are
    compared in lower case. (Tsatsaronis et al. 2015, BMC Bioinformatics 16:138, table 14; Task1bData and
    QuestionAnswerEvaluator of github.com/BioASQ/Evaluation-Measures.)
    """
    strict = lenient = reciprocal = 0.0
    questions = sorted({*names})
    for question in questions:
        rows = [i for i, name in enumerate(names) if name == question]
        golden = [WORDS[w].lower() for i in rows for w in right[i]]
        given = sorted(((-m, WORDS[w].lower()) for i in rows for w, m in spans[i]))
        submitted = []
        for _, text in given:
            if text not in submitted and len(submitted) < 5:
                submitted.append(text)
        strict += bool(submitted) and submitted[0] in golden
        lenient += any(text in golden for text in submitted)
        for place in range(len(submitted)):
            if submitted[place] in golden:
                reciprocal += 1 / (place + 1)
                break
    return [total / len(questions) for total in (reciprocal, strict, lenient)]


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sets(st.integers(0, 8), max_size=2),
        st.lists(st.tuples(st.integers(0, 8), st.floats(-9, 9, width=16)), max_size=N_BEST),
    ),
    min_size=1,
    max_size=8,
)


@given(ROWS)
def test_ranked_answers_are_scored_as_bioasq_defines_it(rows):
    names, right, spans = zip(*rows, strict=True)
    dataset, outputs = _questions(names, right), _outputs(spans)
    names_of = ("mrr@5", "strict-accuracy", "lenient-accuracy")
    values = [float(METRICS[name].value(METRICS[name].of_outputs(outputs, dataset))) for name in names_of]
    assert values == pytest.approx(_bioasq(names, right, spans))
    score = score_outputs("mrr@5", outputs, dataset, dataset, further=names_of[1:])
    assert [score.value, *score.further.values()] == values and score.trivial == 0
    assert len(score.per_example) == len(dataset)


def test_answers_of_several_snippets_are_one_ranking_by_hand():
    dataset = _questions("aab", [[], [2], [8]])
    spans = [[(3, 5.0), (4, 1.0)], [(5, 4.0), (2, 3.0)], [(7, -1.0), (8, -2.0)]]
    # Of a: Myosin 5, TITIN 4 (titin 1 is the same text), actin 3, which is right. Of b: none above no answer, yet two.
    ranks = METRICS["mrr@5"].of_outputs(_outputs(spans), dataset)
    assert ranks.tolist() == [[1 / 3], [1 / 2]]
    assert TASK_KINDS["extractive-qa"].answers(_outputs(spans), dataset.columns) == ["Myosin", "TITIN", ""]


def test_only_the_five_best_texts_of_a_question_count():
    answers = [(0, 9.0), (2, 8.0), (3, 7.0), (4, 6.0), (6, 5.0)]
    for right, rank in ((6, 5), (7, 0)):  # keratin, of another row, is the sixth
        dataset = _questions("aa", [[right], []])
        each = METRICS["mrr@5"].of_outputs(_outputs([answers, [(1, 8.5), (7, 4.0)]]), dataset)
        assert each.tolist() == [[1 / rank if rank else 0.0]], "Tau is tau: five texts come before keratin"


def test_standard_errors_are_those_of_questions():
    names = [q for q in "abcdefgh" for _ in range(25)]
    right = [[2] if name in "abcd" else [] for name in names]
    dataset, outputs = _questions(names, right), _outputs([[(2, 1.0)]] * 200)
    score = score_outputs("strict-accuracy", outputs, dataset, dataset)
    assert score.value == 0.5 and score.standard_error == pytest.approx(np.sqrt(0.25 / 8), rel=0.15)  # not / 200
    assert gap_error("strict-accuracy", outputs, outputs, dataset) == 0
    worse = gap_error("strict-accuracy", outputs, _outputs([[(3, 1.0)]] * 200), dataset)
    assert worse == pytest.approx(np.sqrt(0.25 / 8), rel=0.15)


def _clauses(names, labels):
    columns = {"text": [f"row {i}" for i in range(len(names))], "group": list(names), "label": list(labels)}
    return Dataset("classification", columns, ("no", "yes", "maybe"), Origin("here"))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 2)), min_size=1, max_size=12))
def test_a_group_is_answered_by_the_majority_of_its_rows(rows):
    names, answers = zip(*rows, strict=True)
    dataset = _clauses(names, ["abcd".index(name) % 3 for name in names])
    expected = []
    for name in sorted({*names}):
        votes = [answer for other, answer in rows if other == name]
        most = [answer for answer in range(3) if votes.count(answer) == max(map(votes.count, range(3)))]
        expected.append(("abcd".index(name) % 3 in most) / len(most))
    score = score_outputs("group-accuracy", np.eye(3)[list(answers)], dataset, dataset, further=("accuracy",))
    assert score.value == pytest.approx(np.mean(expected))


def test_rows_without_groups_are_groups_of_their_own_and_groups_come_as_their_first_rows():
    assert groups({"label": [1, 2, 3]}) == [[0], [1], [2]]
    assert groups({"label": [1, 2, 3], "group": ["b", "a", "b"]}) == [[0, 2], [1]]


def test_a_metric_of_groups_wants_groups_and_a_group_has_one_label():
    dataset = _questions("ab", [[], []])
    plain = Dataset("extractive-qa", {k: v for k, v in dataset.columns.items() if k != "group"}, (), Origin("here"))
    check_metric("mrr@5", dataset)
    with pytest.raises(UnusableData, match=r"metric 'mrr@5' is for rows in groups; name the column .* \(group\)\.$"):
        check_metric("mrr@5", plain)
    with pytest.raises(UnusableData, match="row 2 has another label than the first row of its group"):
        _clauses("aba", [0, 1, 1])


def _table(folder, **more):
    rows = [{"text": f"is it {i}?", "label": "ab"[i // 4 % 2], "group": f"q{i // 4}"} for i in range(40)]
    (folder / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TableTask("own", folder / "table.jsonl", **more)


def test_a_table_has_groups_if_its_column_is_named_and_holds_out_whole_groups(tmp_path):
    unnamed = _table(tmp_path).load("train", Files())
    assert {*unnamed.columns} == {"text", "label"}, "a column that happens to have this name changes no key"
    grouped = _table(tmp_path, columns={"group": "group"}, metric="group-accuracy")
    sides = [{*grouped.load(split, Files()).columns["group"]} for split in ("train", "evaluation")]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
