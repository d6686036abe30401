"""The Turkish tasks over stand-ins of their files, without them, and over the real ones where they are."""

import json

import numpy as np
import pytest
from cogbench_tasks.turkish import FORMS, TYPES, UPOS, register_suites, register_tasks

from cogbench import Files, MissingData, UnusableData
from cogbench.scoring.metrics import check_metric, score_outputs
from cogbench.testing import check_task

TASKS = {task.name: task for task in register_tasks()}
NER, POS = TASKS["turkish-wiki-ner"], TASKS["turkish-imst-pos"]
CONLL = "Ayşe\tB-PERSON\nAnkara'ya\tB-GPE\n{}\tO\n\nGeldi\tO\n.\tO\n"
CONLLU = """# sent_id = {0}
# text = evdeydim .
1-2\tevdeydim\t_\t_\t_\t_\t_\t_\t_\t_
1\tevde\tev\tNOUN\t_\t_\t0\troot\t_\t_
2\tydim\ti\tAUX\t_\t_\t1\tcop\t_\t_
3\t{0}\t.\tPUNCT\t_\t_\t1\tpunct\t_\t_

"""


def clone(folder):
    for split in ("train", "dev", "test"):
        for place, name, text in (
            (FORMS[NER.name].places[1], f"{split}.conll", CONLL),
            (FORMS[POS.name].places[1], f"tr_imst-ud-{split}.conllu", CONLLU),
        ):
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / place / name).write_text(text.format(split), "utf-8")
    return folder


def test_the_files_of_their_authors_are_read(tmp_path):
    files = Files(clone(tmp_path))
    for task in TASKS.values():
        check_task(task, files)
    names, words = NER.load("evaluation", files), POS.load("evaluation", files)
    assert names.columns["tokens"] == [["Ayşe", "Ankara'ya", "dev"], ["Geldi", "."]]
    assert [[names.labels[tag] for tag in tags] for tags in names.columns["label"]] == [
        ["B-PERSON", "B-GPE", "O"],
        ["O", "O"],
    ]
    assert words.columns["tokens"] == [["evde", "ydim", "dev"]] and words.labels == UPOS
    assert [UPOS[tag] for tag in words.columns["label"][0]] == ["NOUN", "AUX", "PUNCT"]


def test_parts_of_speech_are_scored_by_words_against_the_most_frequent_one(tmp_path):
    words = POS.load("evaluation", Files(clone(tmp_path)))
    check_metric(POS.metric, words)
    with pytest.raises(UnusableData, match="score tags without it by 'word-accuracy'"):
        check_metric("entity-f1", words)
    score = score_outputs(POS.metric, np.eye(len(UPOS))[[0, 16, 1]], words, words)
    assert (score.value, score.trivial) == (2 / 3, 1 / 3)


def test_tables_in_the_hubs_layout_are_read_too(tmp_path):
    for place, column in (("turkish/wiki_ner", "ner_tags"), ("turkish/ud_turkish_imst", "upos")):
        (tmp_path / place).mkdir(parents=True)
        for split in ("train", "validation"):
            row = {"tokens": ["Ayşe", split], column: [1, 0]}
            (tmp_path / place / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    for task in TASKS.values():
        assert task.load("evaluation", Files(tmp_path)).columns == {
            "tokens": [["Ayşe", "validation"]],
            "label": [[1, 0]],
        }


def test_what_is_wrong_or_lacking_is_one_line(tmp_path):
    for task in TASKS.values():
        with pytest.raises(
            MissingData, match=rf"^data of task '{task.name}': not on this machine; the files are in git"
        ):
            task.load("train", Files(offline=True))
    clone(tmp_path)
    path = tmp_path / FORMS[NER.name].places[1] / "train.conll"
    path.write_text("Ayşe\tB-PER\n", "utf-8")
    with pytest.raises(UnusableData, match=r"train\.conll' has the tag 'B-PER'; expected O, B-CARDINAL"):
        NER.load("train", Files(tmp_path))
    path.unlink()
    with pytest.raises(MissingData, match=r"no file .*train\.conll"):
        NER.load("train", Files(tmp_path))


def test_the_suite_and_the_tags():
    (suite,) = register_suites()
    assert suite.tasks == (*TASKS, "conll-2003") and {*TASKS} == {*FORMS}
    assert len({*TYPES}) == 19 and len({*UPOS}) == 18


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_real_data_keep_the_promises(task, shared_data):
    check_task(task, Files(shared_data))
    labels = [tag for tags in task.load("train", Files(shared_data)).columns["label"] for tag in tags]
    assert np.bincount(labels).argmax() == 0, "the constant answer is the most frequent tag"
