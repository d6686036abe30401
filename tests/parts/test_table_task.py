"""A task from one's own table."""

import csv
import json
from dataclasses import replace
from types import ModuleType

import pytest

from cogbench import CogbenchError, Files, MissingData, TableTask, UnknownName, UnusableData, hookimpl, load_parts, run
from cogbench.parts.codec import decode, encode
from cogbench.testing import check_task
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal
from cogbench.views.listing import describe_parts

FILES = Files(offline=True)


def write(path, rows, head="review,stars"):
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


@pytest.fixture
def reviews(tmp_path):
    rows = [f'"the {w}, in short, was {m}",{s}' for w in "film book play song poem".split() for m, s in MOODS.items()]
    return write(tmp_path / "reviews.csv", rows)


MOODS = {"dull": "bad", "grand": "good", "fine": "good", "poor": "bad"}
COLUMNS = {"text": "review", "label": "stars"}


def test_a_fifth_of_the_rows_is_held_out_and_labels_become_numbers(reviews):
    task = TableTask("reviews", reviews, columns=COLUMNS)
    check_task(task)
    train, held_out = task.load("train", FILES), task.load("evaluation", FILES)
    assert (len(train), len(held_out)) == (16, 4) and train.labels == ("bad", "good")
    assert sorted(held_out.columns["label"]) == [0, 0, 1, 1]
    assert {*train.columns["text"]} | {*held_out.columns["text"]} == {*_texts(reviews)}
    assert train.notes == held_out.notes
    assert train.notes == ("reviews: 4 of 20 rows are held out to score on, a fifth, each class in its share.",)
    label = dict(zip(train.columns["text"], train.columns["label"], strict=True))
    assert all(label[text] == int("grand" in text or "fine" in text) for text in label)


def _texts(path):
    with path.open() as file:
        return [row[0] for row in [*csv.reader(file)][1:]]


def test_a_class_of_one_row_stays_in_training_and_is_named(tmp_path):
    path = write(tmp_path / "t.csv", [f"text {i},{'ab'[i % 2] if i else 'rare'}" for i in range(21)])
    task = TableTask("t", path, columns=COLUMNS)
    train, held_out = task.load("train", FILES), task.load("evaluation", FILES)
    assert train.labels == held_out.labels == ("a", "b", "rare")
    assert train.columns["label"].count(2) == 1 and 2 not in held_out.columns["label"]
    assert train.notes[1] == "t: no row of class rare is held out, so nothing tells how well it is learned."


@pytest.mark.parametrize(
    "rows, says",
    [
        (
            ["a,x"] * 9 + ["a ,y"],
            "no row can be held out to score on, as all rows of a class have a text in common; give a",
        ),
        (["a,x"] * 5 + ["b,y"] * 5, "as all rows of a class have a text in common"),
        ([f"{c},{c}" for c in "abcdefg"], "as no class has a second row"),
    ],
)
def test_a_table_of_which_nothing_can_be_held_out_says_why(tmp_path, rows, says):
    with pytest.raises(UnusableData, match=says):
        TableTask("t", write(tmp_path / "t.csv", rows), columns=COLUMNS).load("train", FILES)


def test_one_text_paired_with_few_others_may_stand_on_one_side_alone(tmp_path):
    rows = [f"sentence {i},{'food' if i % 2 else 'service'},{i % 3}" for i in range(60)]  # all connected by the aspects
    names = {"text": "one", "text_pair": "two", "label": "grade"}
    task = TableTask("t", write(tmp_path / "t.csv", rows, "one,two,grade"), columns=names)
    train, held_out = task.load("train", FILES), task.load("evaluation", FILES)
    assert len(held_out) == 12 and not {*train.columns["text"]} & {*held_out.columns["text"]}
    assert train.notes[1] == "t: equal second texts stand in training and evaluation both."


def test_its_card_says_what_its_owner_says_and_nothing_else(reviews):
    task = TableTask("reviews", reviews, columns=COLUMNS)
    assert task.card.description == ""
    told = replace(task, description="Is a review kind?")
    assert told.card.description == "Is a review kind?" and told.card.licence == task.card.licence
    assert decode(encode(told)) == told
    plugin = ModuleType("own")
    plugin.register_tasks = hookimpl(lambda: [task], specname="register_tasks")
    (row,) = [r for r in describe_parts(load_parts(plugin), "task") if r["name"] == "reviews"]
    assert row["about"].startswith("A task whose examples stand in a table")


def test_pairs_numbers_and_a_file_of_its_own_for_evaluation(tmp_path):
    train = write(tmp_path / "train.csv", ["a,b,0.5", "c,d,1.5", "e,f,3"], "one,two,grade")
    held_out = write(tmp_path / "held-out.csv", ["g,h,2"], "one,two,grade")
    names = {"text": "one", "text_pair": "two", "label": "grade"}
    task = TableTask("grades", train, "regression", names, evaluation_file=held_out)
    assert task.metric == "spearman" and task.load("train", FILES).columns["text_pair"] == ["b", "d", "f"]
    assert task.load("evaluation", FILES).columns["label"] == [2]


def test_it_runs_among_others_unregistered(reviews, tmp_path):
    task = TableTask("reviews", reviews, columns=COLUMNS)
    (found,) = run("dse", ToyBackbone(), tasks=[task, *TASKS[:2]], signal=[ToySignal()], files=FILES, jobs=0)
    assert found.targets[0] == "reviews" and found.tasks["reviews"].metric == "accuracy"
    assert found.synthetic == ["tasks", "signal"]


def test_and_in_worker_processes(reviews):
    task = TableTask("reviews", reviews, columns=COLUMNS)
    (found,) = run("dse", ToyBackbone(), tasks=[task, *TASKS[:2]], signal=[ToySignal()], files=FILES, jobs=1)
    assert found.provenance.cells.computed == 7


@pytest.mark.parametrize(
    "rows, columns, message",
    [
        (["a,good"], {"text": "review"}, "lacks column label; it has review, stars"),
        ([], COLUMNS, "no rows"),
        (
            ["a,good", "b,bad"],
            COLUMNS,
            "t.csv' has 2 row.*one row of 5 is held out to score on, so it takes at least 5",
        ),
        (["a,good"] * 9, COLUMNS, "t.csv': all rows have the label 'good'; expected two classes or more"),
    ],
)
def test_a_table_that_does_not_fit_says_how(tmp_path, rows, columns, message):
    path = write(tmp_path / "t.csv", rows)
    with pytest.raises(UnusableData, match=message):
        TableTask("t", path, columns=columns).load("train", FILES)


def test_a_missing_label_and_a_metric_that_is_not_defined(tmp_path):
    path = write(tmp_path / "t.csv", ["a,1", "b,", "c,0"])
    with pytest.raises(UnusableData, match="t.csv': row 3 has no label, and 1 of 3 rows lack one"):
        TableTask("t", path, columns=COLUMNS).load("train", FILES)
    three = write(tmp_path / "three.csv", [f"{w},{i % 3}" for i, w in enumerate("abcdefghijklmno")])
    for metric, message in {
        "acc": "unknown metric 'acc'",
        "mcc": "of 2 classes; this is a classification of 3",
    }.items():
        task = TableTask("t", three, columns=COLUMNS, metric=metric)
        with pytest.raises(CogbenchError, match=message):
            run("dse", ToyBackbone(), tasks=[task, *TASKS[:2]], signal=[ToySignal()], files=FILES, jobs=0)


def test_an_unseen_label_and_a_missing_file(tmp_path):
    train = write(tmp_path / "train.csv", ["a,good", "b,bad"])
    held_out = write(tmp_path / "held-out.csv", ["c,so-so"])
    with pytest.raises(
        UnusableData,
        match="held-out.csv': row 2 has the class 'so-so', which no training example has; the classes are bad, good",
    ):
        TableTask("t", train, columns=COLUMNS, evaluation_file=held_out).load("evaluation", FILES)
    with pytest.raises(MissingData, match="no file"):
        TableTask("t", tmp_path / "nowhere.csv").load("train", FILES)


def test_lists_of_words_passages_and_answers_come_from_jsonl(tmp_path):
    words = [{"tokens": ["Anna", "ran", str(i)], "tags": ["B-PER", "O", "O"]} for i in range(10)]
    queries = [{"text": f"who {i}?", "passages": ["Anna", "rain"], "label": [1, 0]} for i in range(10)]
    right = {"text": ["Anna"], "answer_start": [0]}
    asked = [{"text": f"who {i}?", "text_pair": f"Anna ran {i}", "label": right} for i in range(10)]
    related = [{"text": f"<e1>{i}</e1> <e2>b</e2>", "label": ["Part(e1,e2)", "Other"][i % 2]} for i in range(10)]
    for kind, rows, metric in (
        ("tagging", words, "entity-f1"),
        ("reranking", queries, "ndcg@10"),
        ("extractive-qa", asked, "token-f1"),
        ("relation", related, "relation-f1"),
    ):
        path = tmp_path / f"{kind}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        task = TableTask(kind, path, kind, {"label": "tags"} if kind == "tagging" else ())
        assert task.metric == metric and len(task.load("train", FILES)) == 8
    assert TableTask("t", tmp_path / "tagging.jsonl", "tagging", {"label": "tags"}).load("train", FILES).labels == (
        "O",
        "B-PER",
    )
    with pytest.raises(UnknownName, match="unknown kind of task 'taging'; did you mean 'tagging'"):
        TableTask("t", path, "taging")


def test_at_most_so_many_examples_are_scored_on_and_a_note_says_so(tmp_path):
    path = write(tmp_path / "t.csv", [f"text {i},{'ab'[i % 4 == 0]}" for i in range(200)])
    task = TableTask("t", path, columns=COLUMNS, max_evaluation=20)
    held_out = task.load("evaluation", FILES)
    assert len(held_out) == 20 and held_out.columns["label"].count(1) == 5 and len(task.load("train", FILES)) == 180
    assert held_out.notes == ("t: 20 of 200 rows are held out to score on, each class in its share.",)
    apart = TableTask("t", path, columns=COLUMNS, evaluation_file=path, max_evaluation=20)
    scored = apart.load("evaluation", FILES)
    assert len(scored) == 20 and scored.columns["label"].count(1) == 5 and len(apart.load("train", FILES)) == 200
    assert scored.notes[-1] == "t: 20 of 200 evaluation examples are scored on, each class in its share."
    assert TableTask("t", path).max_evaluation == 2000
    assert len(replace(apart, max_evaluation=None).load("evaluation", FILES)) == 200


def test_tags_and_classes_that_a_table_states_keep_their_order(tmp_path):
    rows = [{"tokens": ["Anna", f"ran{i}"], "label": ["B-PER", "O"]} for i in range(10)]
    train, held_out = tmp_path / "train.jsonl", tmp_path / "held-out.jsonl"
    for path, tag in ((train, "B-PER"), (held_out, "B-LOC")):
        path.write_text("".join(json.dumps({**row, "label": [tag, "O"]}) + "\n" for row in rows))
    task = TableTask("t", train, "tagging", evaluation_file=held_out)
    assert task.load("train", FILES).labels == task.load("evaluation", FILES).labels == ("O", "B-LOC", "B-PER")


@pytest.mark.parametrize(
    ("kind", "rows", "says"),
    [
        (
            "classification",
            [{"text": f"a {i}", "label": "x"} for i in range(9)],
            "all rows have the label 'x'; expected",
        ),
        (
            "regression",
            [{"text": f"a {i}", "label": 1.5} for i in range(9)],
            "all rows have the label 1.5; expected two n",
        ),
        ("tagging", [{"tokens": ["a", str(i)], "label": ["O", "O"]} for i in range(9)], "all words have the tag 'O'"),
        (
            "reranking",
            [{"text": f"{i}", "passages": ["a", "b"], "label": [0, 0]} for i in range(9)],
            "have the label 0",
        ),
    ],
)
def test_labels_that_are_all_the_same_teach_nothing(tmp_path, kind, rows, says):
    (path := tmp_path / "same.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(UnusableData, match=says):
        TableTask("same", str(path), kind).load("train", FILES)
