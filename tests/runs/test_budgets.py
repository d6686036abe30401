"""Budgets of source and target apart, from the command to the result, the board and the recommendation."""

import json

import pytest
from click.testing import CliRunner
from command import line
from made_results import made

from cogbench import Files, Result, TransferOptions, leaderboard, load_parts, measure_oracle, recommend, run
from cogbench.cli.main import cli
from cogbench.compute.cells import Training
from cogbench.compute.folds import cheap_trainings
from cogbench.compute.transfers import trainings
from cogbench.compute.workspace import workspace_of
from cogbench.parts import registry
from cogbench.parts.recipe import Recipe
from cogbench.runs.plan import describe_plan
from cogbench.testing.toys import TASKS, ToyBackbone, ToyTask

RUN = "run --estimator dse --estimator size --backbone toy --suite toy --jobs 0 --offline --max-train 40".split()


@pytest.fixture
def world(toy_plugin):
    return {"parts": load_parts(toy_plugin), "files": Files(offline=True), "jobs": 0}


@pytest.fixture
def invoke(toy_plugin, tmp_path, monkeypatch):
    installed = registry.load_parts
    monkeypatch.setattr(registry, "load_parts", lambda: installed(toy_plugin))
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, [*map(str, words)])


def test_a_run_trains_targets_on_their_budget_and_says_both_everywhere(invoke, tmp_path):
    plan = invoke(*RUN, "--max-train-target", 20, "--oracle", "measured", "--dry-run")
    assert plan.exit_code == 0, plan.output
    # 4 sources at 40, 4 targets alone at 20, 12 transfers; the stimuli of 8 models; a cell a target, their join, size.
    assert "20 × training" in plan.stdout and "8 × encoding" in plan.stdout and "6 × similarity" in plan.stdout
    done = invoke(*RUN, "--max-train-target", 20, "--oracle", "measured", "--format", "json")
    assert done.exit_code == 0, done.output
    files = {file.name.partition("--")[0]: Result.load(file) for file in (tmp_path / "results").iterdir()}
    assert {*files} == {"dse", "size"}
    for result in files.values():
        assert result.oracle.name == "measured-toy-target-20" and "--max-40-target-20-" in result.file_name
        assert (result.provenance.max_train, result.provenance.max_train_target) == (40, 20)
        assert "training examples: at most 40 of a source, at most 20 of a target" in result.notes
        assert "at most 40 training examples of a source and 20 of a target" in result.oracle.origin
    assert files["dse"].tasks["toy-a"].learned in (True, False)  # of the sources' own trainings


def test_equal_budgets_are_one_run_as_ever(world):
    (usual,), (equal,) = (
        run("dse", "toy", suite="toy", max_train=40, max_train_target=most, **world) for most in (None, 40)
    )
    assert equal.file_name == usual.file_name and "target" not in usual.file_name
    assert equal.provenance.max_train_target is None and equal.provenance.cells.computed == 0


def test_an_older_result_without_the_field_is_read(tmp_path):
    path = made().save(tmp_path)
    held = json.loads(path.read_text())
    del held["provenance"]["max_train_target"]
    path.write_text(json.dumps(held))
    assert Result.load(path).provenance.max_train_target is None and Result.load(path).file_name == path.name


def test_the_column_of_a_target_is_that_of_a_model_which_saw_its_budget_alone(world):
    (apart,) = run("dse", "toy", suite="toy", max_train=40, max_train_target=20, **world)
    workspace = workspace_of(files=world["files"], parts=world["parts"], jobs=0)
    signal = world["parts"].signals["toy"]
    backbone, sentences = ToyBackbone(), signal.read(world["files"]).sentences

    def representation(task, most):
        checkpoint = Training(backbone, Recipe((task,), max_train=most)).checkpoint(workspace)
        return backbone.represent(checkpoint, sentences, world["files"])

    for j, target in enumerate(TASKS):
        of_target = representation(target, 20)
        for i, source in enumerate(TASKS):
            if i != j:
                of_source = representation(source, 40)
                rows = [v / (v**2).sum(axis=1, keepdims=True) ** 0.5 for v in (of_source, of_target)]
                assert apart.similarity[i][j] == pytest.approx((rows[0] * rows[1]).sum(axis=1).mean(), abs=1e-5)


def test_an_oracle_of_another_number_of_target_examples_is_not_used_in_silence(world):
    oracle = measure_oracle("toy", suite="toy", max_train=40, max_train_target=10, **world)
    (other,) = run("dse", "toy", suite="toy", oracle=oracle, max_train=40, max_train_target=20, **world)
    assert (
        f"the estimator saw at most 20 examples of a target, and {oracle.name} was measured on at most 10"
        in other.notes
    )
    (usual,) = run("dse", "toy", suite="toy", oracle=oracle, max_train=40, **world)
    assert (
        f"the estimator saw at most 40 examples of a target, and {oracle.name} was measured on at most 10"
        in usual.notes
    )
    (same,) = run("dse", "toy", suite="toy", oracle=oracle, max_train=40, max_train_target=10, **world)
    assert not [note for note in same.notes if "was measured on" in note]
    (size,) = run("size", "toy", suite="toy", oracle=oracle, max_train=40, **world)
    assert not [note for note in size.notes if "was measured on" in note]  # it saw no example
    boards = leaderboard([other, usual, same, size])
    assert len(boards) == 3 and sum(len(board.entries) for board in boards) >= 4
    assert any("at most 20 as a target" in word for board in boards for word in board.differs)


def test_results_of_a_pack_have_no_budget_to_choose(invoke):
    refused = invoke("run", "--estimator", "dse", "--pack", "x", "--max-train-target", 20)
    assert refused.exit_code == 2 and "leave out --max-train-target" in refused.stderr
    assert "'0' is no whole number from 1 on" in line(invoke(*RUN, "--max-train-target", 0), 2)


@pytest.mark.parametrize("estimator", ["dse", "logme", "few-shot"])
def test_a_recommendation_uses_so_many_examples_of_the_target_and_no_more(world, estimator):
    if estimator not in world["parts"].estimators:
        pytest.skip(f"no installed plugin gives {estimator}")
    run("dse", "toy", suite="toy", max_train=40, **world)  # trains the sources
    target = ToyTask("toy-own", TASKS[0].words)
    found = recommend(
        target, estimator, "toy", suite="toy", max_train=40, max_train_target=20, apply=True, k=2, **world
    )
    workspace = workspace_of(files=world["files"], parts=world["parts"], jobs=0)
    of_own = [*TASKS, target]
    cells = trainings(ToyBackbone(), of_own, 0, 40, max_train_target=20)
    for gain in found.gains:
        assert workspace.has(cells[gain.source, "toy-own"])
        assert gain.value == cells[gain.source, "toy-own"].score(workspace).value
        assert gain.no_transfer == cells["toy-own", "toy-own"].score(workspace).value
    more = Training(ToyBackbone(), Recipe((target,), max_train=40))
    assert len(found.gains) == 2 and not workspace.has(more)


def test_the_command_recommends_within_a_budget(invoke, tmp_path):
    invoke(*RUN)
    rows = [f"{text},{label}" for text, label in zip(*_columns(ToyTask("own").load("train", Files())), strict=True)]
    (tmp_path / "own.csv").write_text("\n".join(["text,label", *rows]))
    words = "--target own.csv --kind classification --estimator dse --backbone toy --suite toy --jobs 0".split()
    found = invoke("recommend", *words, "--max-train", 40, "--max-train-target", 15, "--apply", "-k", 1, "--json")
    assert found.exit_code == 0 and len(json.loads(found.stdout)["gains"]) == 1, found.output
    cells = [json.loads(file.read_text())["ingredients"] for file in tmp_path.rglob("cell.json")]
    own = {cell["max_train"] for cell in cells if cell["cell"] == "Training" and cell["tasks"][0].get("name") == "own"}
    assert own == {15}


def _columns(dataset):
    return dataset.columns["text"], dataset.columns["label"]


def test_a_plan_takes_short_trainings_for_short(world, monkeypatch):
    monkeypatch.setattr(ToyBackbone, "cost", lambda self, recipe, files: (60.0, 2**20), raising=False)
    workspace = workspace_of(files=world["files"], parts=world["parts"], jobs=1)
    usual = trainings(ToyBackbone(), TASKS[:1], 0, 40)["toy-a", "toy-a"]
    options = TransferOptions(examples=40, steps=usual.filled(workspace).settings.steps(40) // 2)
    short = cheap_trainings(ToyBackbone(), usual.recipe, TASKS[0], 40, options, 0)
    assert "about 1.0 minutes" in describe_plan([usual], workspace)
    # Half the steps on half the examples of a batch, and the evaluation of a few: about a quarter of the work, twice.
    words = describe_plan([usual, *short], workspace)
    minutes = float(words.partition("time: about ")[2].partition(" ")[0])
    assert 1.3 < minutes < 1.7
