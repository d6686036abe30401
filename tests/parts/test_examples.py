"""Labelled examples of a person's table: labels by name, rows by the numbers of an editor."""

import datetime

import pytest

from cogbench import Origin, UnusableData
from cogbench.parts.examples import examples_of
from cogbench.tables.rows import Rows


def examples(kind="classification", drop_missing=False, names=None, first=2, columns=None, **values):
    n = len(next(iter(values.values()), ()))
    rows = Rows(values, names or {}, Origin("here"), "here", [*range(first, first + n)])
    return examples_of(rows, kind, columns or {}, "here", drop_missing=drop_missing)


def test_labels_are_names_without_blanks_and_texts_are_texts():
    found = examples(text=[12, 3.5, datetime.date(2024, 1, 5), "x"], label=["good", " good ", 1, True])
    assert found.columns == {"text": ["12", "3.5", "2024-01-05", "x"], "label": ["good", "good", "1", "True"]}
    assert found.numbers == [2, 3, 4, 5] and found.notes == ()
    assert examples(text=["a"], label=[1], names={"label": ("bad", "good")}).columns["label"] == ["good"]


def test_classes_that_differ_by_case_alone_are_told():
    found = examples(text=["a", "b", "c"], label=["Positive", "positive", "negative"])
    assert found.notes == ("classes that differ by case alone are different classes: Positive, positive.",)


def test_classes_that_nobodys_eye_tells_apart_are_told():
    found = examples(text=[*"abcdef"], label=["yes", "yes\u200b", "caf\u00e9", "cafe\u0301", "so  so", "so so"])
    assert found.notes == (
        r"classes that look alike are different classes: 'cafe\u0301', 'caf\xe9'.",
        "classes that look alike are different classes: 'so  so', 'so so'.",
        r"classes that look alike are different classes: 'yes', 'yes\u200b'.",
    )


def test_whole_numbers_of_a_column_with_gaps_are_the_classes_that_they_were():
    found = examples(text=["a", "b", "c"], label=[1.0, 2.0, None], drop_missing=True)
    assert found.columns["label"] == ["1", "2"] and examples(text=["a"], label=[1.5]).columns["label"] == ["1.5"]


def test_na_and_none_are_classes_and_a_gap_is_none():
    assert examples(text=["a", "b"], label=["NA", "None"]).columns["label"] == ["NA", "None"]
    for gap in ("", "  ", None, float("nan")):
        with pytest.raises(UnusableData, match="^here: row 4 has no label, and 1 of 3 rows lack one: mend them, or"):
            examples(text=["a", "b", "c"], label=["x", "y", gap])
    with pytest.raises(UnusableData, match="row 3 has no text in column text_pair, and 1 of 2 rows"):
        examples(text=["a", "b"], text_pair=["c", None], label=["x", "y"])


def test_rows_that_lack_something_may_be_left_out_and_are_counted():
    found = examples(text=["a", None, "", "d", "e"], label=["x", "x", "x", "", "y"], drop_missing=True)
    assert found.columns == {"text": ["a", "e"], "label": ["x", "y"]} and found.numbers == [2, 6]
    assert found.notes == ("3 of 5 rows are left out: they have no text or no label.",)
    with pytest.raises(UnusableData, match="here has no rows"):
        examples(text=[None], label=["x"], drop_missing=True)
    assert examples(text=["a", ""], label=["x", "y"]).columns["text"] == ["a", ""]  # an empty text is one, unless asked


def test_numbers_may_have_a_decimal_comma():
    assert examples("regression", text=["a", "b", "c"], label=["1,5", "2", "-0,25"]).columns["label"] == [1.5, 2, -0.25]
    assert examples("regression", text=["a", "b"], label=["1.5", 2]).columns["label"] == [1.5, 2]
    for label, says in (("1,5", "row 3 has the label '1,5', which is no number"), ("NA", "row 3 has no label")):
        with pytest.raises(UnusableData, match=says):
            examples("regression", text=["a", "b"], label=["1.5", label])
    with pytest.raises(UnusableData, match="'1,100', which is no number: write 1100 without the mark of thousands, or"):
        examples("regression", text=["a", "b"], label=["1,100", "2,500"])  # thousands, or decimals?


@pytest.mark.parametrize(
    "kind, values, says",
    [
        (
            "classification",
            {"text": ["a", "b"], "label": ["x", ["x", "y"]]},
            "row 3 has several labels; several labels a",
        ),
        ("classification", {"text": ["a", "b"], "label": ["x", ["y"]]}, "row 3 has a list where one label should be"),
        ("classification", {"text": ["a", {"b": 1}], "label": ["x", "y"]}, "row 3 has an object where a text should"),
        ("classification", {"text": ["a", b"b"], "label": ["x", "y"]}, "column text: row 3 has bytes where a text"),
        ("classification", {"text": ["a"], "label": ["x", "y"]}, "columns of unlike lengths: text 1, label 2"),
        ("regression", {"text": ["a", "b"], "label": [1, 10**400]}, "row 3 has the label 1000+…, which is no number"),
        ("tagging", {"tokens": [["a"], 3], "label": [["O"], ["O"]]}, "row 3 has a number where a list of words"),
        ("tagging", {"tokens": [["a"], [["b"]]], "label": [["O"], ["O"]]}, "row 3 has a list where a word should be"),
        (
            "tagging",
            {"tokens": [["a"], ["b"]], "label": [["O"], {"b": "O"}]},
            "row 3 has an object where a list of tags",
        ),
        (
            "tagging",
            {"tokens": [["a"], ["b", None]], "label": [["O"], ["O", "O"]]},
            "row 3 has no text in column tokens",
        ),
        ("tagging", {"tokens": [["a"], []], "label": [["O"], []]}, "row 3 has no text in column tokens"),
        (
            "reranking",
            {"text": ["q"], "passages": [{"passage_text": ["a"], "is_selected": [1]}], "label": [[1, 0]]},
            "row 2 has an object where a list of passages should be",
        ),
        (
            "reranking",
            {"text": ["q"], "passages": [["a"]], "label": [{"a": 1}]},
            "object where a list of labels should",
        ),
        (
            "reranking",
            {"text": ["q", "r"], "passages": ["a", ["b"]], "label": [1, 0]},
            "row 3 has a list where one value",
        ),
        (
            "reranking",
            {"text": ["q", ["r"]], "passages": ["a", "b"], "label": [1, 0]},
            "row 3 has a list where one value",
        ),
        (
            "tagging",
            {"tokens": ['["a"]'], "label": ['["O"]']},
            "tokens holds texts; lists of words need a jsonl, json or",
        ),
        (
            "extractive-qa",
            {"text": ["a"], "text_pair": ["b"], "label": ["b"]},
            "row 2 has no answers as SQuAD has them",
        ),
        *(
            (
                "extractive-qa",
                {"text": ["a"], "text_pair": ["b"], "label": [label]},
                "row 2 has no answers as SQuAD has them",
            )
            for label in (
                {"text": ["b"], "answer_start": ["0"]},
                {"text": ["b", "b"], "answer_start": [0]},
                {"text": ["b"], "answer_start": [None]},
                {"text": ["b"], "answer_start": [0.5]},
                {"text": [1], "answer_start": [0]},
                ["b"],
            )
        ),
        (
            "classification",
            {"Text": ["a"], "label": ["b"]},
            "lacks column text; it has Text, label: name its columns with",
        ),
    ],
)
def test_what_is_no_example_is_one_line(kind, values, says):
    with pytest.raises(UnusableData, match=says) as caught:
        examples(kind, **values)
    assert "\n" not in str(caught.value)


def test_a_faulty_row_is_told_by_its_number_in_an_editor():
    found = examples("relation", text=["<e1>a</e1> <e2>b</e2>", "no marks"], label=["x", "y"])
    with pytest.raises(UnusableData, match="^here: row 3 does not mark its two entities"):
        found.dataset(["x", "y"])
    tags = examples("tagging", tokens=[["a"], ["b", ""]], label=[["O"], ["O", "O"]], first=1)
    with pytest.raises(UnusableData, match="^here: row 2 has no text in word 2"):
        tags.dataset(["O"])


def test_rows_of_a_query_a_passage_and_a_label_are_grouped():
    found = examples(
        "reranking",
        columns={"text": "query", "passages": "passage"},
        query=["q", "r", "q", "r"],
        passage=["a", "b", "c", "d"],
        label=["1", "0", "0", "1"],
    )
    assert found.columns == {"text": ["q", "r"], "passages": [["a", "c"], ["b", "d"]], "label": [[1, 0], [0, 1]]}
    assert found.numbers == [2, 3] and len(found.dataset([])) == 2
    with pytest.raises(UnusableData, match="row 2 has the label 'x'; expected 0 or 1 for each passage"):
        examples("reranking", text=["q"], passages=["a"], label=["x"]).dataset([])
    graded = examples("reranking", text=["q", "q"], passages=["a", "b"], label=["2", 0.0])
    assert graded.columns["label"] == [[2, 0]] and len(graded.dataset([])) == 1


def test_answers_may_be_objects_one_by_one():
    asked = {"text": ["who?"], "text_pair": ["Anna ran"], "label": [[{"text": "Anna", "answer_start": 0}]]}
    assert examples("extractive-qa", **asked).columns["label"] == [{"text": ["Anna"], "answer_start": [0]}]
    one = {"text": ["Anna"], "answer_start": [0]}
    for label in ({"text": "Anna", "answer_start": 0}, {"text": ["Anna"], "answer_start": [0.0], "answer_end": [4]}):
        assert examples("extractive-qa", **{**asked, "label": [label]}).columns["label"] == [one]


def test_labels_of_passages_may_be_texts():
    found = examples("reranking", text=["q"], passages=[["a", 7]], label=[["1", "0"]])
    assert found.columns["label"] == [[1, 0]] and found.columns["passages"] == [["a", "7"]]
