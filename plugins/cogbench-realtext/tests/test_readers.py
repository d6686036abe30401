"""What is read of the lines of each form, and which lines are refused or left out."""

import json

import pytest
from cogbench_realtext import readers
from cogbench_realtext.readers import lettered
from stand_ins import archive_of, lines

from cogbench import UnusableData


def read(reader, folder, text, member="rows.jsonl"):
    return list(reader(archive_of(folder, text, member), member))


def columns(rows):
    return [row.columns for row in rows]


def test_clauses_that_answer_or_do_not(tmp_path):
    text = lines(
        [
            {"question": "May I?", "context": "You may.", "answer": "True"},
            {"question": "May I?", "context": "You must not.\u2028Never.", "answer": "False"},
        ]
    )
    rows = read(readers.clauses, tmp_path, text)
    assert columns(rows) == [
        {"text": "May I?", "text_pair": "You may.", "label": "yes"},
        {"text": "May I?", "text_pair": "You must not.\u2028Never.", "label": "no"},
    ]
    assert [row.together for row in rows] == [("May I?", "You may."), ("May I?", "You must not.\u2028Never.")]


def test_a_class_is_the_name_of_the_file(tmp_path):
    rows = read(readers.named_by_file, tmp_path, lines([{"question": "Which nerve?"}]), "data/Forensic_Medicine.jsonl")
    assert columns(rows) == [{"text": "Which nerve?", "label": "forensic-medicine"}]


@pytest.mark.parametrize(
    "options, expected",
    [
        ("A. one\nB. two", ["one", "two"]),
        ("\nA. one \nB. Dr. C. two\nC. 3", ["one", "Dr. C. two", "3"]),
        ("A. one\nwent on\nB. two", ["one\nwent on", "two"]),
        ("A. one\nC. three", []),
        ("B. two\nA. one", []),
        ("A. one\nB. ", []),
        ("one, two", []),
    ],
)
def test_options_with_letters(options, expected):
    assert lettered(options) == expected


def test_a_question_with_options_ranks_them(tmp_path):
    good = {"question": "Why? ", "options": "A. fear\nB. joy\nC. joy", "answer": "A. fear"}
    text = lines([good, good | {"answer": "D. none"}, good | {"options": "fear or joy"}])
    rows = read(readers.choices, tmp_path, text)
    assert columns(rows) == [{"text": "Why?", "passages": ["fear", "joy", "joy"], "label": [1, 0, 0]}]
    assert rows[0].together == ("Why? ", "Why?")


def test_only_answers_that_stand_in_their_passage_are_taken(tmp_path):
    passage = "Bears eat honey, and bees make honey."
    text = lines({"passage": passage, "question": "What?", "answer": a} for a in ("honey", "unknown", "", " bees "))
    rows = read(readers.answers_in_passage, tmp_path, text)
    assert [row.columns["label"] for row in rows] == [
        {"text": ["honey"], "answer_start": [10]},
        {"text": ["bees"], "answer_start": [21]},
    ]


def test_sentences_of_one_aspect(tmp_path):
    paper = {
        "id": "P1",
        "sentences": {"abstract": ["Hard.", "Nothing.", "Done."], "conclusion": ["Both."]},
        "highlights": {
            "challenge": {"abstract": [1, 0, 0], "conclusion": [1]},
            "approach": {"abstract": [0, 0, 0], "conclusion": [1]},
            "outcome": {"abstract": [0, 0, 1], "conclusion": [0]},
        },
    }
    rows = read(readers.aspects, tmp_path, lines([paper]))
    assert columns(rows) == [{"text": "Hard.", "label": "challenge"}, {"text": "Done.", "label": "outcome"}]
    assert rows[0].together == ("P1", "Hard.")


TREEBANK = """\
# newdoc id = forum
# sent_id = forum:7:S1
# text = Evdekiler güldü .
1\tEvde\tev\tNOUN\tNN\t_\t2\tig\t_\tSpaceAfter=No
2\tki\t_\tADJ\tVJ\t_\t3\tig\t_\tSpaceAfter=No
3\tler\t_\tNOUN\tVN\t_\t4\tnsubj\t_\t_
4\tgüldü\tgül\tVERB\tVB\t_\t0\troot\t_\t_
5\t.\t.\tPUNCT\t.\t_\t4\tp\t_\t_

# sent_id = news_3_S2
1-2\tdo\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\t_\t_\t_\t_\t_\t_
2\to\to\tDET\t_\t_\t_\t_\t_\t_
"""


def test_words_with_their_parts_of_speech(tmp_path):
    one, two = read(readers.part_of_speech(":"), tmp_path, TREEBANK)
    assert one.columns == {"tokens": ["Evdekiler", "güldü", "."], "label": ["B-NOUN", "B-VERB", "O"]}
    assert one.together == ("forum:7", "Evdekiler güldü .")
    assert two.columns == {"tokens": ["de", "o"], "label": ["B-ADP", "B-DET"]}, "a contraction is its two words"
    assert two.together == ("news_3_S2", "de o"), "an id without a document is one of its own"


@pytest.mark.parametrize(
    "reader, text, message",
    [
        (readers.named_by_file, '{"question": "?"}\nnot JSON\n', r"line 2 of rows\.jsonl is no JSON"),
        (readers.named_by_file, '{"query": "?"}\n', r"line 1 of rows\.jsonl has no question"),
        (readers.named_by_file, '{"question": 7}\n', r"line 1 of rows\.jsonl has no question"),
        (readers.named_by_file, "[1, 2]\n", r"line 1 of rows\.jsonl has no question"),
        (readers.clauses, json.dumps({"answer": "True"}), r"has no question, context\."),
        (readers.part_of_speech("_"), "1\tde\tde\tADP\n", r"line 1 of rows\.jsonl has 4 columns, not 10"),
        (readers.named_by_file, b"\xff\xfe", r"rows\.jsonl cannot be read"),
    ],
)
def test_a_line_of_another_form_is_one_line(tmp_path, reader, text, message):
    with pytest.raises(UnusableData, match=rf"^invented 1\.0: .*{message}") as caught:
        read(reader, tmp_path, text)
    assert len(str(caught.value).splitlines()) == 1
