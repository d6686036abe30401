"""What users type and what they get: tables on stdout, one line on stderr, exit codes."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from types import ModuleType

import pytest
from command import cogbench, line

from cogbench import Result, Suite, hookimpl
from cogbench.parts import registry
from cogbench.testing.toys import ToyBackbone, ToySignal

RUN = "run --suite toy --backbone toy --jobs 0 --offline".split()


@dataclass(frozen=True)
class Narrow(ToySignal):
    name: str = "narrow"

    def read(self, files):
        from dataclasses import replace

        recording = super().read(files)
        cut = {s: replace(r, values=r.values[:, :2], channels=r.channels[:2]) for s, r in recording.subjects.items()}
        return replace(recording, subjects=cut)


@dataclass(frozen=True)
class Broken:
    """Breaks."""

    name: str = "broken"
    needs: frozenset[str] = frozenset({"representations"})

    def similarity(self, evidence):
        raise RuntimeError("it broke")


@pytest.fixture
def invoke(toy_plugin, tmp_path, monkeypatch):
    extra = ModuleType("extra_plugin")
    extra.register_signals = hookimpl(lambda: [Narrow()], specname="register_signals")
    extra.register_estimators = hookimpl(lambda: [Broken()], specname="register_estimators")
    lonely = Suite("lonely", ("toy-a", "toy-b", "toy-c"), "nowhere")
    extra.register_suites = hookimpl(lambda: [lonely], specname="register_suites")
    load_parts = registry.load_parts
    monkeypatch.setattr(registry, "load_parts", lambda: load_parts(toy_plugin, extra))
    monkeypatch.chdir(tmp_path)
    return cogbench


def test_a_run_prints_a_table_and_writes_a_file_for_each_result(invoke, tmp_path):
    found = invoke(*RUN, "--estimator", "dse", "--estimator", "cra")
    assert found.exit_code == 0, found.output
    assert "TRS" in found.stdout and "toy-oracle" in found.stdout and "toy-d" in found.stdout
    assert "wrote" in found.stderr and "wrote" not in found.stdout
    files = sorted((tmp_path / "results").iterdir())
    assert [Result.load(f).estimator for f in files] == ["cra", "dse"]
    again = invoke(*RUN, "--estimator", "dse")
    assert "cells: 0 computed" in again.stdout


def test_formats(invoke):
    one = [*RUN, "--estimator", "dse"]
    (held,) = json.loads(invoke(*one, "--format", "json").stdout)
    assert held["estimator"] == "dse" and held["schema_version"] == 4
    assert invoke(*one, "--format", "markdown").stdout.startswith("| estimator")
    assert "\\toprule" in invoke(*one, "--format", "latex").stdout
    (row,) = csv.DictReader(io.StringIO(invoke(*one, "--format", "csv").stdout))
    assert row["estimator"] == "dse" and float(row["trs"]) == round(held["scores"]["trs"]["value"], 2)


def test_several_values_of_an_option_give_one_result_each(invoke):
    found = invoke(*RUN, "--estimator", "cra", "--set", "cra.similarity=cosine,pearson", "--format", "json")
    assert [r["estimator"] for r in json.loads(found.stdout)] == ["cra", "cra[similarity=pearson]"]


def test_a_dry_run_prints_the_plan_and_computes_nothing(invoke, tmp_path):
    found = invoke(*RUN, "--estimator", "dse", "--dry-run")
    assert found.exit_code == 0 and "9 are to be computed" in found.stdout and "4 × training" in found.stdout
    assert not (tmp_path / "results").exists() and not (tmp_path / "home").exists()


def test_options_come_from_the_environment(invoke):
    found = invoke(
        "run", "--estimator", "dse", COGBENCH_RUN_BACKBONE="toy", COGBENCH_RUN_SUITE="toy", COGBENCH_RUN_JOBS="0"
    )
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize(
    "words, message",
    [
        (["--estimator", "csa"], "unknown estimator 'csa'; did you mean 'cra'"),
        (["--estimator", "dse", "--tasks", "toy-a,toy-b,toy-x"], "unknown task 'toy-x'; did you mean"),
        (["--estimator", "dse", "--oracle", "toy-oracel"], "unknown oracle 'toy-oracel'; did you mean 'toy-oracle'"),
        (["--estimator", "dse", "--signal", "toyy"], "unknown signal 'toyy'; did you mean 'toy'"),
        (["--estimator", "cra", "--set", "cra.dissimilarty=x"], "unknown option of 'cra' 'dissimilarty'; did you mean"),
        (["--estimator", "cra", "--set", "dse.similarity=cosine"], "unknown part in --set 'dse'"),
    ],
)
def test_an_unknown_name_lists_the_near_ones(invoke, words, message):
    assert message in line(invoke(*RUN, *words), 2)


@pytest.mark.parametrize(
    "words, code, message",
    [
        (["--estimator", "cra", "--set", "cra.dissimilarity=manhattan"], 2, "input should be 'correlation'"),
        (["--estimator", "cnm", "--set", "cnm.epochs=many"], 2, "cnm.epochs=many: input should be a valid integer"),
        (["--estimator", "cra", "--set", "cra"], 2, "--set takes PART.OPTION=VALUE"),
        (["--estimator", "dse", "--data-dir", "nowhere"], 3, "no folder 'nowhere'"),
        (["--estimator", "dse", "--signal", "nowhere.csv"], 3, "nowhere.csv"),
        (["--estimator", "dse", "--oracle", "nowhere.csv"], 3, "nowhere.csv"),
        (["--estimator", "cnm", "--signal", "narrow"], 3, "use cra"),
        (["--estimator", "dse", "--tasks", "toy-a,toy-b"], 2, "at least three tasks"),
    ],
)
def test_bad_input_gets_one_clear_line_before_any_work(invoke, tmp_path, words, code, message):
    assert message in line(invoke(*RUN, *words), code)
    assert not [*(tmp_path / "home").rglob("cell.json")]


def test_the_papers_suite_says_what_is_missing_and_what_works(invoke):
    for words in ([], ["--tasks", "cola,rte,sst-2"], ["--backbone", "tinybert"]):
        message = line(invoke("run", "--estimator", "cnm", "--backbone", "bert", *words), 3)
        assert message.startswith("cogbench: signal 'pereira'") and "`cogbench fetch --signal pereira`" in message
        assert "--data-dir" in message and "--signal takes another" in message
    assert re.search("did you mean .*'cnm'", line(invoke("run", "--estimator", "cnn", "--backbone", "bert"), 2))
    message = line(invoke("run", "--estimator", "cnm", "--backbone", "toy", "--suite", "lonely"), 2)
    assert "no installed plugin gives 'nowhere', the usual signal of suite 'lonely'" in message


def test_a_signal_that_is_not_there_stops_no_other(invoke):
    found = invoke(*RUN, "--estimator", "dse", "--signal", "pereira", "--signal", "toy", "--signal", "nowhere.csv")
    assert found.exit_code == 1 and "dse on toy" in found.stdout
    assert "signal 'pereira', the fMRI of" in found.stderr and "nowhere.csv" in found.stderr


def test_an_unwritable_store_and_a_silent_scheduler_are_told(invoke, tmp_path):
    (tmp_path / "file").touch()
    one = [*RUN, "--estimator", "dse"]
    assert "cannot write to folder" in line(invoke(*one, COGBENCH_HOME=str(tmp_path / "file" / "home")), 3)
    assert "give one" in invoke(*one, "--scheduler", "nonsense://here").stderr  # --jobs or --scheduler
    elsewhere = [word for word in one if word not in ("--jobs", "0")]
    assert "no dask scheduler answers" in line(invoke(*elsewhere, "--scheduler", "nonsense://here"), 3)


def test_usage_errors(invoke):
    assert invoke(*RUN, "--estimator", "dse", "--seeds", "-1").exit_code == 2
    assert invoke(*RUN, "--estimator", "dse", "--seeds", "0,x").exit_code == 2
    assert invoke(*RUN, "--estimator", "dse", "--task-data", "toy-a").exit_code == 2
    assert invoke(*RUN).exit_code == 2


def test_an_unwritable_results_folder_is_told_before_any_work(invoke, tmp_path):
    (tmp_path / "file").touch()
    message = line(invoke(*RUN, "--estimator", "dse", "--out", tmp_path / "file" / "results"), 3)
    assert "cannot write to folder" in message and not (tmp_path / "home").exists()


def test_what_failed_is_told_and_the_others_are_saved(invoke, tmp_path):
    found = invoke(*RUN, "--estimator", "dse", "--estimator", "broken")
    assert found.exit_code == 1 and "dse on toy" in found.stdout
    assert "broken on toy: RuntimeError: it broke" in found.stderr and "Traceback" not in found.output
    assert len(list((tmp_path / "results").iterdir())) == 1


def test_a_signal_that_one_estimator_refuses_serves_the_others(invoke):
    found = invoke(*RUN, "--estimator", "dse", "--estimator", "cnm", "--signal", "narrow")
    assert found.exit_code == 1 and "dse on toy" in found.stdout and "use cra" in found.stderr


def test_an_interruption_ends_with_130_and_says_what_is_kept(invoke, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(ToyBackbone, "train", interrupt)
    assert "the same command goes on from there" in line(invoke(*RUN, "--estimator", "dse"), 130)


def test_a_bug_keeps_its_traceback_and_a_users_mistake_on_demand(invoke, monkeypatch):
    found = invoke(*RUN, "--estimator", "csa", COGBENCH_DEBUG="1")
    assert type(found.exception).__name__ == "UnknownName"

    def bug(*_):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("cogbench.runs.run.rank", bug)
        assert isinstance(invoke(*RUN, "--estimator", "dse").exception, ZeroDivisionError)
    monkeypatch.setattr(ToySignal, "read", bug)  # the code of a part, which is its author's
    assert line(invoke(*RUN, "--estimator", "dse"), 3) == "cogbench: signal 'toy': read() raised ZeroDivisionError."
    found = invoke(*RUN, "--estimator", "dse", COGBENCH_DEBUG="1")
    assert isinstance(found.exception.__cause__, ZeroDivisionError)


def test_list_and_plugins(invoke):
    for kind in ("tasks", "backbones", "signals", "estimators", "oracles", "suites"):
        rows = json.loads(invoke("list", kind, "--json").stdout)
        assert rows and all(row["name"] and row["distribution"] for row in rows)
    by_name = {row["name"]: row for row in json.loads(invoke("list", "estimators", "--json").stdout)}
    assert by_name["cnm"]["needs"] == "representations, responses"
    assert by_name["cnm"]["distribution"] == "cogbench-toolkit"
    assert "cra" in invoke("list", "estimators").stdout
    plugins = json.loads(invoke("plugins", "--json").stdout)
    assert {p["plugin"] for p in plugins} >= {"cra", "glue", "toy_plugin"} and not any(p["error"] for p in plugins)


def test_list_tells_which_data_are_there(invoke, shared_data):
    rows = json.loads(invoke("list", "tasks", "--json", "--data-dir", shared_data).stdout)
    assert {r["name"]: r["data"] for r in rows}["rte"] == "2490 + 277 rows"


def test_completion_knows_the_parts():
    env = {
        **os.environ,
        "_COGBENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": "cogbench run --estimator c",
        "COMP_CWORD": "3",
    }
    found = subprocess.run([sys.executable, "-m", "cogbench"], env=env, capture_output=True, text=True)
    assert "plain,cnm" in found.stdout and "plain,cra" in found.stdout


def test_help_and_version(invoke):
    assert "Rank source tasks" in invoke("run", "--help").stdout
    assert invoke("--version").stdout.startswith("cogbench, version")
