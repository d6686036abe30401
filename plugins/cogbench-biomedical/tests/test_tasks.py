"""The tasks over stand-ins of their files, what a command says without them, and the real files where they are."""

import json
import pickle
from collections import Counter

import pytest
from biomedical_files import SENTENCES, golden, pubmedqa, table, word_a_line, write
from click.testing import CliRunner
from cogbench_biomedical import tasks
from cogbench_biomedical.readers import places_of
from cogbench_biomedical.sources import SOURCES, SUITE
from cogbench_biomedical.tasks import Biomedical

from cogbench import METRICS, Files, MissingData, UnknownName, UnusableData, load_parts
from cogbench.testing import check_task

TASKS = {task.name: task for task in tasks.register_tasks()}
ENTITIES = [name for name, source in SOURCES.items() if source.kind == "tagging"]


def clone(folder, name):
    """Write the files of a task as its authors give them, below a data folder."""
    source = SOURCES[name]
    if source.kind == "tagging":
        return word_a_line(folder / source.places[1], source.classes[-1][2:])
    return pubmedqa(folder / source.places[0]) if name == "pubmedqa" else golden(folder / source.places[1])


def both(name, folder, **options):
    return [Biomedical(name, **options).load(split, Files(folder)) for split in ("train", "evaluation")]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_keeps_its_promises_over_the_files_of_its_authors(name, tmp_path):
    clone(tmp_path, name)
    check_task(TASKS[name], Files(tmp_path))
    assert pickle.loads(pickle.dumps(TASKS[name])) == TASKS[name]
    assert TASKS[name].card.citation and TASKS[name].metric in METRICS
    assert all(TASKS[name].kind in METRICS[metric].kinds for metric in (TASKS[name].metric, *TASKS[name].further))


@pytest.mark.parametrize("name", ENTITIES)
def test_words_and_tags_are_those_of_the_files(name, tmp_path):
    clone(tmp_path, name)
    train, devel = both(name, tmp_path)
    assert len(train) == len(devel) == SENTENCES and train.labels == SOURCES[name].classes
    assert devel.columns["tokens"][1] == ["The", "devel1", "factor", "binds", "."]
    assert [devel.labels[tag] for tag in devel.columns["label"][1]][1:3] == list(train.labels[-2:])
    (test,) = (Biomedical(name, scored=("test",)).load("evaluation", Files(tmp_path)),)
    assert test.columns["tokens"][1][1] == "test1"
    assert len(Biomedical(name, scored=("validation", "test")).load("evaluation", Files(tmp_path))) == 2 * SENTENCES


def test_the_suite_holds_all_tasks_and_they_are_installed():
    (suite,) = tasks.register_suites()
    assert suite.name == SUITE and suite.tasks == tuple(TASKS)
    installed = load_parts() if SUITE in load_parts().suites else load_parts(tasks)
    assert installed.suites[SUITE] == suite and {*TASKS} <= {*installed.tasks}
    assert {TASKS[name].kind for name in suite.tasks} == {"tagging", "extractive-qa", "classification"}
    with pytest.raises(UnknownName, match="unknown split 'dev'"):
        Biomedical("bc2gm", scored=("dev",))


def test_questions_with_abstracts_have_no_conclusion(tmp_path):
    pubmedqa(tmp_path / "pubmedqa" / "data")
    train, test = both("pubmedqa", tmp_path)
    assert train.columns["text"] == [f"Does drug {i} help?" for i in (1, 3, 5)]
    assert test.columns["text_pair"] == [f"We gave drug {i}. We measured." for i in (0, 2, 4)]
    assert [test.labels[label] for label in test.columns["label"]] == ["yes", "maybe", "no"]
    with pytest.raises(MissingData, match="has no validation split: PubMedQA's own files are train and test"):
        both("pubmedqa", tmp_path, scored=("validation",))


def test_factoid_questions_have_a_row_for_each_snippet_and_the_places_of_their_answers(tmp_path):
    golden(tmp_path / "Task12BGoldenEnriched")
    train, scored = both("bioasq-factoid", tmp_path)
    assert train.columns["group"] == ["factoid11"] * 2 + ["factoid12"] + ["factoid21"] * 2 + ["factoid22"]
    assert {*scored.columns["group"]} == {"factoid31", "factoid32", "factoid41", "factoid42"}
    assert train.columns["label"][:3] == [
        {"text": ["TAU1"], "answer_start": [8]},
        {"text": ["tau1", "tau"], "answer_start": [3, 19]},
        {"text": [], "answer_start": []},
    ]


def test_yes_and_no_belong_to_the_question(tmp_path):
    golden(tmp_path / "Task12BGoldenEnriched")
    train, scored = both("bioasq-yesno", tmp_path)
    assert train.columns["label"] == [0, 0, 1, 1] and train.columns["group"] == ["yesno13"] * 2 + ["yesno23"] * 2
    assert scored.columns["text_pair"] == ["It is so.", "It is not, 3.", "It is so.", "It is not, 4."]


@pytest.mark.parametrize(
    "synonyms, text, expected",
    [
        (["BRCA1"], "brca1 and BRCA1", {"text": ["brca1"], "answer_start": [0]}),
        (["BRCA1"], "BRCA10 or xBRCA1", {"text": [], "answer_start": []}),
        (["p53 (TP53)"], "the p53 (tp53) gene", {"text": ["p53 (tp53)"], "answer_start": [4]}),
        (["8%", " "], "about 8%, or 18%", {"text": ["8%"], "answer_start": [6]}),
        (["tau", "tau protein"], "tau protein", {"text": ["tau protein"], "answer_start": [0]}),
    ],
)
def test_an_answer_stands_in_a_snippet_as_a_whole_word(synonyms, text, expected):
    assert places_of(synonyms, text) == expected


def test_tables_in_the_hubs_layout_are_read_too(tmp_path):
    row = {"tokens": ["Tau", "binds"], "ner_tags": [1, 0]}
    for i, split in enumerate(("train", "validation", "test")):
        table(tmp_path / "bioner/bc2gm", split, [row | {"tokens": ["Tau", split]}])
        asked = {"question": f"which {i}?", "context": "tau binds", "question_id": f"q{i}"}
        right = {"text": ["tau"], "answer_start": [0]}
        table(tmp_path / "bioasq12b_factoid", split, [asked | {"answers": right}])
        table(tmp_path / "bioasq12b_yesno", split, [asked | {"label": i % 2}])
        table(tmp_path / "pubmedqa", split, [asked | {"label": i, "long_answer": "It binds."}])
    files = Files(tmp_path)
    for name in ("bc2gm", "bioasq-factoid", "bioasq-yesno", "pubmedqa"):
        check_task(TASKS[name], files)
        assert "It binds." not in json.dumps(dict(TASKS[name].load("train", files).columns))
    assert TASKS["bc2gm"].load("evaluation", files).columns["tokens"] == [["Tau", "validation"]]
    assert TASKS["bioasq-factoid"].load("evaluation", files).columns["group"] == ["q1", "q2"]


@pytest.mark.parametrize("name", TASKS)
def test_without_files_one_line_says_what_to_fetch_and_from_where(name):
    with pytest.raises(MissingData) as caught:
        TASKS[name].load("train", Files(offline=True))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"data of task {name!r}: not on this machine; the files are ") and "--data-dir" in line
    place = {"pubmedqa": "github.com/pubmedqa/pubmedqa", "bioasq": "participants-area.bioasq.org"}
    assert place.get(name.partition("-")[0], "github.com/cambridgeltl/MTL-Bioinformatics-2016") in line


def test_a_run_says_it_once_for_all_tasks_of_one_place(monkeypatch):
    if SUITE not in load_parts().suites:
        pytest.skip("cogbench-biomedical is not installed")
    from cogbench.cli.main import cli

    words = ["run", "--suite", SUITE, "--backbone", "minilm-2l", "--estimator", "least-learned", "--jobs", "0"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 3 and "Traceback" not in done.output, done.output
    for place in ("MTL-Bioinformatics-2016", "participants-area.bioasq.org", "pubmedqa/pubmedqa"):
        assert sum(place in line for line in done.stderr.strip().splitlines()) == 1


def _broken(name, folder):
    """Write the files of a task with one fault; return what the message says."""
    if name == "bc2gm":
        word_a_line(folder / "MTL-Bioinformatics-2016/data/BC2GM-IOB", "PROTEIN")
        return r"train\.tsv' has the class 'B-PROTEIN'; expected O, B-GENE, I-GENE\.$"
    if name == "linnaeus":
        word_a_line(folder / "bioner/linnaeus", "Species", lambda text: text.replace("binds\tO", "binds"))
        return r"train\.tsv': line \d+ has 1 column"
    if name == "pubmedqa":
        pubmedqa(folder / "pubmedqa", lambda articles: {**articles, "7": {"QUESTION": "Why?"}})
        return r"ori_pqal\.json': an entry has no CONTEXTS, which is a list of JSON\.$"
    if name == "bioasq-yesno":
        golden(folder / "Task12BGoldenEnriched", lambda questions: [{**questions[2], "exact_answer": "perhaps"}])
        return r"12B1_golden\.json' has the class 'perhaps'; expected yes, no\.$"
    write(golden(folder / "Task12BGoldenEnriched") / "12B2_golden.json", "[" * 100_000)
    return r"12B2_golden\.json' cannot be read as JSON in UTF-8\.$"


@pytest.mark.parametrize("name", ["bc2gm", "linnaeus", "pubmedqa", "bioasq-yesno", "bioasq-factoid"])
def test_a_file_of_another_form_is_one_line(name, tmp_path):
    says = _broken(name, tmp_path)
    with pytest.raises(UnusableData, match=says) as caught:
        TASKS[name].load("train", Files(tmp_path))
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_lacking_of_a_folder_is_named(tmp_path):
    (clone(tmp_path, "bioasq-yesno") / "12B4_golden.json").unlink()
    with pytest.raises(MissingData, match=r"lacks 12B4_golden\.json: BioASQ 12b has four golden files"):
        TASKS["bioasq-yesno"].load("train", Files(tmp_path))
    (clone(tmp_path, "pubmedqa") / "test_ground_truth.json").unlink()
    with pytest.raises(MissingData, match=r"no file .*test_ground_truth\.json"):
        TASKS["pubmedqa"].load("train", Files(tmp_path))
    (clone(tmp_path, "anatem") / "devel.tsv").unlink()
    with pytest.raises(MissingData, match=r"no file .*devel\.tsv"):
        TASKS["anatem"].load("evaluation", Files(tmp_path))


@pytest.mark.parametrize("name", TASKS)
def test_the_real_data_keep_the_promises(name, shared_data):
    check_task(TASKS[name], Files(shared_data))


def test_the_real_files_of_a_corpus_are_read_as_they_are(shared_data):
    files = Files(overrides={"ncbi-disease": shared_data / "bioner/ncbi_disease_conll"})
    train, devel = (TASKS["ncbi-disease"].load(split, files) for split in ("train", "evaluation"))
    assert (len(train), len(devel)) == (300, 100)
    for dataset, path in ((train, "train.tsv"), (devel, "devel.tsv")):
        lines = (shared_data / "bioner/ncbi_disease_conll" / path).read_text("utf-8").split("\n")
        counts = Counter(line.split("\t")[1] for line in lines if line)
        assert Counter(dataset.labels[tag] for tags in dataset.columns["label"] for tag in tags) == counts


def test_no_real_question_is_on_both_sides_and_snippets_hold_all_that_is_right(shared_data):
    """A golden answer that is not among the answers of a question's rows stands in none of its snippets."""
    files = Files(shared_data)
    for name, n in (("bioasq-factoid", (40, 44)), ("bioasq-yesno", (51, 51))):
        groups = [{*TASKS[name].load(split, files).columns["group"]} for split in ("train", "evaluation")]
        assert tuple(map(len, groups)) == n and not groups[0] & groups[1]
    for split in ("train", "validation", "test"):
        door = Files(shared_data, overrides={"any": shared_data / "bioasq12b_factoid"})
        rows = door.dataset("any", "any", split)
        contexts, right = dict[str, list[str]](), dict[str, set[str]]()
        for name, context, answers in zip(*rows.of("question_id", "context", "answers"), strict=True):
            contexts.setdefault(name, []).append(context.lower())
            right.setdefault(name, set()).update(text.lower() for text in answers["text"])
        for name, synonyms in zip(*rows.of("question_id", "gold_answers"), strict=True):
            for synonym in {s.lower() for s in synonyms} - right[name]:
                assert not any(synonym in context for context in contexts[name])
