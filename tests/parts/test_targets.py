"""What a target may be: names, tables, folders and data sets of the hub, and rows in memory."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from datasets import ClassLabel, DatasetDict, Features, Sequence, Value
from datasets import Dataset as HubDataset

from cogbench import Dataset, Files, MissingData, Origin, TableTask, UnknownName, UnusableData, load_parts
from cogbench.parts.targets import as_pairs, find_target
from cogbench.testing.toys import TASKS

FILES = Files(offline=True)
ROWS = {"text": [f"text {i}" for i in range(20)], "label": ["no", "yes"] * 10}


def target_of(target, kind="classification", parts=None, **more):
    return find_target(parts or load_parts(), target, FILES, kind=kind, **more)


def written(path, rows=ROWS):
    path.parent.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_task_by_name_or_of_ones_own_is_itself(toy_plugin, tmp_path):
    parts = load_parts(toy_plugin)
    assert target_of("toy-a", parts=parts) is parts.tasks["toy-a"] and target_of(TASKS[1]) is TASKS[1]
    own = TableTask("own", "nowhere.csv")
    assert target_of(own) is own
    for task in ("toy-a", own):
        with pytest.raises(UnusableData, match="is a task, which has an evaluation of its own: leave --evaluation out"):
            target_of(task, parts=parts, evaluation=written(tmp_path / "e.csv"))


def test_a_table_and_a_table_to_score_on(tmp_path):
    task = target_of(written(tmp_path / "mine.csv"))
    assert (task.name, task.kind, len(task.load("evaluation", FILES))) == ("mine", "classification", 4)
    held_out = written(tmp_path / "held-out.csv", {"text": ["a", "b"], "label": ["no", "yes"]})
    task = target_of(tmp_path / "mine.csv", evaluation=held_out)
    assert len(task.load("train", FILES)) == 20 and task.load("evaluation", FILES).columns["text"] == ["a", "b"]
    with pytest.raises(MissingData, match="no file 'nosuch.csv': --evaluation names a table like the target's"):
        target_of(tmp_path / "mine.csv", evaluation="nosuch.csv")
    new = written(tmp_path / "new.csv", {"text": ["a", "b"], "label": ["no", "maybe"]})
    with pytest.raises(UnusableData, match="new.csv': row 3 has the class 'maybe', which no training example has"):
        target_of(tmp_path / "mine.csv", evaluation=new).load("evaluation", FILES)


@pytest.mark.parametrize("other", ["validation", "test", None])
def test_a_folder_in_the_layout_of_the_hub(tmp_path, other):
    folder = written(tmp_path / "reviews" / "train.csv").parent
    if other:
        written(folder / f"{other}.csv", {"text": ["a"], "label": ["no"]})
        written(
            folder / "test.csv" if other == "validation" else folder / "unused.csv", {"text": ["b"], "label": ["no"]}
        )
    task = target_of(str(folder))
    assert task.name == "reviews" and len(task.load("train", FILES)) == (20 if other else 16)
    assert len(task.load("evaluation", FILES)) == (1 if other else 4)
    with pytest.raises(MissingData, match="holds no train"):
        target_of(str(tmp_path)).load("train", FILES)


def test_a_data_set_of_the_hub_is_read_through_the_door(tmp_path):
    for split, n in (("train", 20), ("test", 6)):
        written(tmp_path / "imdb" / f"{split}.csv", {name: column[:n] for name, column in ROWS.items()})
    task = find_target(load_parts(), "stanfordnlp/imdb", Files(tmp_path, offline=True), kind="classification")
    files = Files(tmp_path, offline=True)
    assert task.name == "imdb" and [len(task.load(s, files)) for s in ("train", "evaluation")] == [20, 6]
    assert task.load("train", files).origin.id == "stanfordnlp/imdb"
    with pytest.raises(
        MissingData, match="'some/other' is no file or folder, and no data set of the hub that is on this"
    ):
        target_of("some/other").load("train", FILES)


def test_a_data_frame(tmp_path):
    frame = pd.DataFrame({**ROWS, "stars": np.arange(20) % 3})
    task = target_of(frame, columns={"label": "stars"})
    train = task.load("train", FILES)
    assert task.name == "own-rows" and train.labels == ("0", "1", "2") and len(train) == 16
    assert target_of(frame.copy(), columns={"label": "stars"}) == task  # the same rows are the same task
    assert target_of(frame.assign(text="x " + frame["text"]), columns={"label": "stars"}) != task
    both = target_of(frame, columns={"label": "stars"}, evaluation=frame[:6])
    assert [len(both.load(s, FILES)) for s in ("train", "evaluation")] == [20, 6]
    with pytest.raises(UnusableData, match="row 1 has no label"):
        target_of(frame.assign(label=[None, *frame["label"][1:]])).load("train", FILES)


def test_a_data_set_of_the_package_datasets_and_its_splits():
    features = Features({"text": Value("string"), "label": ClassLabel(names=["yes", "no"])})
    whole = HubDataset.from_dict({"text": ROWS["text"], "label": [0, 1] * 10}, features)
    train = target_of(whole).load("train", FILES)
    names = {text: train.labels[label] for text, label in zip(*train.columns.values(), strict=True)}
    assert train.labels == ("no", "yes") and all(name == ("yes", "no")[int(t[5:]) % 2] for t, name in names.items())
    splits = DatasetDict(train=whole, validation=whole.select(range(4)), test=whole.select(range(5)))
    task = target_of(splits)
    assert [len(task.load(s, FILES)) for s in ("train", "evaluation")] == [20, 4]
    with pytest.raises(UnusableData, match="the target has the splits test; it needs 'train'"):
        target_of(DatasetDict(test=whole))
    tags = Features({"tokens": Sequence(Value("string")), "label": Sequence(ClassLabel(names=["O", "B-PER"]))})
    rows = {"tokens": [["Anna", f"w{i}"] for i in range(10)], "label": [[1, 0]] * 10}
    assert target_of(HubDataset.from_dict(rows, tags), "tagging").load("train", FILES).labels == ("O", "B-PER")


def test_a_data_set_of_cogbench_brings_its_kind_and_its_classes():
    labels = [i % 2 for i in range(20)]
    whole = Dataset("classification", {"text": ROWS["text"], "label": labels}, ("bad", "good"), Origin("x"))
    train = target_of(whole, kind=None).load("train", FILES)
    assert train.labels == ("bad", "good") and train.kind == "classification"


@pytest.mark.parametrize("target", [3, None, ["a", "b"], SimpleNamespace(columns=1)])
def test_anything_else_is_refused_in_one_line(target):
    with pytest.raises(
        UnusableData, match="^a target is the name of a task .* pandas DataFrame.* This is a "
    ) as caught:
        target_of(target)
    assert "\n" not in str(caught.value)


def test_what_no_name_and_no_file_is_says_what_a_target_may_be():
    with pytest.raises(UnknownName, match="^unknown target 'mini-mrp'; did you mean 'mini-mrpc'") as caught:
        target_of("mini-mrp")
    assert "namespace/name" in str(caught.value) and "mini-cola" not in str(caught.value)
    for path in ("nosuch.csv", "data/nosuch.csv", "/no/such/folder"):
        with pytest.raises(MissingData, match=f"^no file '{path}'.$"):
            target_of(path)


def test_columns_are_named_by_text_pairs_or_mapping():
    assert as_pairs("text=the review, label = stars") == (("text", "the review"), ("label", "stars"))
    assert as_pairs({"text": "a, b"}) == as_pairs([["text", "a, b"]]) == (("text", "a, b"),) and as_pairs("") == ()
    with pytest.raises(UnknownName, match="columns: 'in full' is not of the form text=COLUMN; a column whose name has"):
        as_pairs("text=review, in full")
    with pytest.raises(UnknownName, match="unknown column of classification 'texts'; did you mean 'text'"):
        TableTask("t", "t.csv", columns=(("texts", "review"),))


def test_tags_without_o_are_scored_by_words(tmp_path):
    rows = [{"tokens": ["Anna", f"sees{i}", "it"], "label": ["N", "V", "N"]} for i in range(10)]
    path = tmp_path / "pos.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = target_of(path, "tagging")
    assert task.metric == "word-accuracy" and task.load("train", FILES).labels == ("N", "V")
    assert target_of(path, "tagging", columns={"label": "label"}).metric == "word-accuracy"
    tagged = [{**row, "label": ["B-PER", "O", "O"]} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in tagged))
    assert target_of(path, "tagging").metric == "entity-f1"


def test_minus_one_of_stated_classes_is_no_label():
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    rows = HubDataset.from_dict({"text": ROWS["text"], "label": [0, 1, 0, -1] * 5}, features=features)
    with pytest.raises(UnusableData, match="row 4 has no label, and 5 of 20 rows lack one"):
        target_of(rows).load("train", FILES)
    assert target_of(rows, drop_missing=True).load("train", FILES).labels == ("no", "yes")


def test_what_is_named_twice_or_is_nothing_is_one_line():
    frame = pd.DataFrame(ROWS)
    with pytest.raises(UnusableData, match="the DataFrame has several columns called 'label': keep one"):
        target_of(pd.concat([frame, frame["label"]], axis=1))
    for columns, says in (
        ("text=a,text=b", "column 'text' is given twice"),
        ("text=label,label=label", "'label' is given for several columns"),
    ):
        with pytest.raises(UnusableData, match=says):
            target_of(frame, columns=columns)
    for name in ("", "  "):
        with pytest.raises(UnknownName, match="unknown target"):
            target_of(name)
    for n in (0, -1):
        with pytest.raises(UnusableData, match=f"max_evaluation={n}; expected 1 or more"):
            target_of(frame, max_evaluation=n)
