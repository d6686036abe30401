"""Oracles of tasks that are trained together: what is trained, once for both directions, and what is refused."""

import json
import shutil
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from numpy.testing import assert_allclose, assert_array_equal
from toy_parts import toy_module

from cogbench import (
    CogbenchError,
    FailedCells,
    Files,
    Recipe,
    Store,
    UnknownName,
    UnusableData,
    hookimpl,
    leaderboard,
    load_parts,
    measure_oracle,
    measure_sets,
    read_sets,
    rescore,
    run,
    stacked_board,
)
from cogbench.combining.ways import find_sharing
from cogbench.compute.cells import Training
from cogbench.compute.groups import find_groups
from cogbench.compute.transfers import TransferPlan
from cogbench.compute.workspace import Workspace
from cogbench.oracles.task_sets import sets_folder, write_sets
from cogbench.testing import check_sharing
from cogbench.testing.installed import check_installed
from cogbench.testing.toys import TASKS, ToyBackbone
from cogbench.views.listing import describe_parts

FILES = Files(offline=True)


@dataclass(frozen=True)
class Together(ToyBackbone):
    """Several tasks, each after the others: what a task learns from the others shows in its outputs."""

    sharings: ClassVar[frozenset[str]] = frozenset({"sequential", "joint"})
    name: str = "together"
    backbone: ToyBackbone | None = None
    auxiliary_weight: float | None = None

    @property
    def mutual(self):
        return self.auxiliary_weight is None

    def train(self, recipe, files, out, start=None):
        checkpoints = []
        for task in recipe.tasks:
            start = None
            for one in [*(other for other in recipe.tasks if other is not task), task]:
                folder = out / f"{task.name}-{one.name}"
                folder.mkdir()
                alone = Recipe((one,), seed=recipe.seed, max_train=recipe.most(one), settings=recipe.settings)
                start = self.backbone.train(alone, files, folder, start)
            checkpoints.append(start)
        shutil.copytree(checkpoints[0].folder, out, dirs_exist_ok=True)  # the target's model
        others = {task.name: c.outputs for task, c in zip(recipe.tasks[1:], checkpoints[1:], strict=True)}
        return replace(checkpoints[0], folder=out, others=others)


@dataclass(frozen=True)
class Broken(Together):
    """A way of training together that breaks one of its promises."""

    fault: str = ""

    def train(self, recipe, files, out, start=None):
        if self.fault == "alone" and len(recipe.tasks) == 1:
            recipe = replace(recipe, seed=recipe.seed + 1)
        made = super().train(recipe, files, out, start)
        if self.fault == "silent" and made.others:
            return replace(made, others={})
        if self.fault == "chance":
            return replace(
                made, others={name: outputs + np.random.default_rng().random() for name, outputs in made.others.items()}
            )
        if self.fault == "shape":
            return replace(made, others={name: outputs[1:] for name, outputs in made.others.items()})
        return made


@pytest.fixture
def world(tmp_path):
    module = toy_module()
    module.register_backbones = hookimpl(lambda: [ToyBackbone(), Together()], specname="register_backbones")
    parts = load_parts(module)
    for name in ("joint", "soft"):  # of cogbench-multitask, where it is installed
        parts.backbones.pop(name, None)
    return {"parts": parts, "store": Store(tmp_path / "store"), "files": FILES, "jobs": 0, "suite": "toy"}


@pytest.fixture
def trained(monkeypatch):
    """The places of the trainings that are computed."""
    places, compute = [], Training.compute
    monkeypatch.setattr(Training, "compute", lambda cell, *rest: places.append(cell.place) or compute(cell, *rest))
    return places


def test_one_training_answers_for_both_tasks_and_tasks_alone_are_trained_once(world, trained):
    sequential = measure_oracle("toy", **world)
    assert len(trained) == 4 + 12
    trained.clear()
    joint = measure_oracle("toy", sharing="joint", **world)
    pairs = [f"together/toy-{a}+toy-{b}/seed-0" for a, b in ("ab", "ac", "ad", "bc", "bd", "cd")]
    assert sorted(trained) == pairs  # and none of a task alone
    assert (joint.name, joint.backbone, joint.sharing) == ("toy-toy-joint", "toy", "joint")
    assert_array_equal(joint.no_transfer, sequential.no_transfer)
    # Here a task's training with another one is its training after that one, so both oracles have the same figures.
    assert_array_equal(joint.transfers.values, sequential.transfers.values)
    trained.clear()
    again = measure_oracle("toy", sharing="joint", **world)
    assert_array_equal(again.transfers.values, joint.transfers.values)
    assert not trained


def test_the_contract_of_a_sharing_says_what_is_broken():
    check_sharing(Together(), ToyBackbone(), FILES)

    for fault, words in {
        "alone": "it trains one task otherwise than toy",
        "silent": r"it answers for \[\] beside its target",
        "chance": "the same recipe gave two models",
        "shape": r"outputs of toy-b are not \(n_examples, n_labels\)",
    }.items():
        with pytest.raises(UnusableData, match=f"^together: {words}"):
            check_sharing(Broken(fault=fault), ToyBackbone(), FILES)
    with pytest.raises(UnusableData, match="its sharings are none, or not of sequential, joint"):
        check_sharing(ToyBackbone(), ToyBackbone(), FILES)


def test_plugins_check_trains_a_sharing_on_a_backbone_at_hand(world):
    of, parts = ("backbone", "together"), world["parts"]
    toys = {name: parts.backbones[name] for name in ("together", "toy")}
    (row,) = check_installed(replace(parts, backbones=toys, plugins=(), providers={of: parts.providers[of]}))
    assert (row["part"], row["check"]) == ("backbone together", "ok")


def test_a_target_with_auxiliary_tasks_is_a_training_of_its_own(world, trained):
    measure_oracle("toy", sharing="joint", set="together.auxiliary_weight=0.5", **world)
    assert len([place for place in trained if "+" in place]) == 12
    trained.clear()
    oracle = measure_oracle("toy", sharing="joint", max_train=40, max_train_target=20, **world)
    assert len([place for place in trained if "+" in place]) == 12
    assert oracle.max_train_target == 20


def test_the_name_of_an_oracle_says_how_tasks_were_trained_together(world):
    assert measure_oracle("toy", sharing="joint", set="together.auxiliary_weight=0.5", **world).name == (
        "toy-toy[auxiliary_weight=0.5]-joint"
    )


def test_each_task_of_a_recipe_has_its_own_examples_in_the_key(tmp_path):
    workspace = Workspace(FILES, Store(tmp_path))
    together, tasks = Together(backbone=ToyBackbone()), TASKS[:2]
    recipes = [
        Recipe(tasks, sharing="joint"),
        Recipe(tasks[::-1], sharing="joint"),
        Recipe(tasks, sharing="joint", max_train=30),
        Recipe(tasks, sharing="joint", max_train=30, budgets=(30, 20)),
        Recipe(tasks, sharing="joint", max_train=30, budgets=(20, 30)),
    ]
    keys = [workspace.key(Training(together, recipe)) for recipe in recipes]
    assert len({*keys}) == len(keys)


def test_a_sequential_and_a_joint_oracle_are_never_one_kind(world):
    for sharing in ("sequential", "joint"):
        measure_oracle("toy", sharing=sharing, **world)
    plans = [
        TransferPlan(ToyBackbone(), TASKS, "toy"),
        TransferPlan(Together(backbone=ToyBackbone()), TASKS, "toy", sharing="joint"),
    ]
    workspace = Workspace(FILES, world["store"], parts=world["parts"])
    one, other = (plan.provenance(workspace)["backbone"] for plan in plans)
    assert one != other


def test_results_on_a_joint_oracle_say_so_and_stand_on_a_board_of_their_own(world):
    how = {name: world[name] for name in ("parts", "store", "files", "jobs", "suite")}
    names = [measure_oracle("toy", sharing=sharing, **world).name for sharing in ("sequential", "joint")]
    results = [run("dse", "toy", oracle=name, **how)[0] for name in names]
    assert [result.sharing for result in results] == ["sequential", "joint"]
    assert [board.sharing for board in leaderboard(results)] == ["sequential", "joint"]
    assert (
        "1 oracle with sharing joint; --oracle toy-toy-joint stacks"
        in stacked_board(results, synthetic=True).left_out[0]
    )
    listed = {row["name"]: row.get("sharing") for row in describe_parts(world["parts"], "oracle")}
    assert [listed[name] for name in names] == [None, "joint"]
    again = rescore(results[0], names[1])
    assert again.sharing == "joint"


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (lambda: Recipe(()), "a recipe trains one task, not 0 (none), unless it names a sharing."),
        (lambda: Recipe(TASKS[:2]), "a recipe trains one task, not 2 (toy-a, toy-b), unless it names a sharing."),
        (lambda: Recipe(TASKS[:1], sharing="joint"), "sharing 'joint' trains at least two tasks, not 1 (toy-a)."),
        (lambda: Recipe((TASKS[0],) * 2, sharing="joint"), "together need a name each, not toy-a, toy-a."),
        (lambda: Recipe(TASKS[:2], sharing="both"), "a recipe cannot have sharing 'both'; known: sequential, joint"),
        (lambda: Recipe(TASKS[:2], sharing="joint", budgets=(3,)), "2 tasks (toy-a, toy-b) has 1 budgets."),
        (
            lambda: Recipe(TASKS[:2], start=Recipe(TASKS[2:3]), sharing="joint"),
            "(toy-a, toy-b) start from the backbone, not from a source.",
        ),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(recipe, words):
    with pytest.raises(UnusableData) as refused:
        recipe()
    assert words in str(refused.value)


def test_a_sharing_that_nobody_trains_is_refused_before_any_training(world, trained):
    parts = world["parts"]
    with pytest.raises(UnknownName, match="no sharing is called 'both'|sharing 'both'"):
        measure_oracle("toy", sharing="both", **world)
    with pytest.raises(UnknownName, match="no installed plugin trains tasks with sharing 'soft'; cogbench-multitask"):
        measure_oracle("toy", sharing="soft", **world)
    together = Together(backbone=ToyBackbone())
    with pytest.raises(UnusableData, match="backbone 'together' cannot train with sharing 'soft'; it can: joint."):
        find_sharing(parts, "soft", together)
    with pytest.raises(UnusableData, match="a ranking|an oracle needs at least three tasks, each named once."):
        measure_oracle("toy", sharing="joint", tasks="toy-a,toy-a,toy-b", **world)
    assert not trained


def test_each_set_is_trained_once_where_all_tasks_weigh_alike(world, trained):
    sets = measure_sets("toy", group=3, **world)
    together = sorted(place for place in trained if "+" in place)
    assert together == [f"together/toy-{a}+toy-{b}+toy-{c}/seed-0" for a, b, c in ("abc", "abd", "acd", "bcd")]
    assert len(trained) == 4 + 4  # and each task alone
    assert (sets.name, sets.backbone, sets.sharing) == ("toy-toy-joint-groups-of-3", "toy", "joint")
    pairs = [(a, b) for a in sets.targets for b in sets.targets if a < b]
    assert {(one.target, one.members) for one in sets.sets} == {
        *((target, ()) for target in sets.targets),
        *((target, pair) for target in sets.targets for pair in pairs if target not in pair),
    }
    assert read_sets("toy-toy-joint-groups-of-3") == sets  # found again by its name
    trained.clear()
    assert measure_sets("toy", group="3", **world) == sets and not trained


def test_a_set_is_trained_for_each_of_its_targets_where_they_do_not_weigh_alike(world, trained):
    measure_sets("toy", group=3, set="together.auxiliary_weight=0.5", **world)
    assert len([place for place in trained if "+" in place]) == 12
    trained.clear()
    sets = measure_sets("toy", group=3, max_train=40, max_train_target=20, **world)
    assert len([place for place in trained if "+" in place]) == 12
    assert sets.provenance["max_train_target"] == 20 and sets.name == "toy-toy-max-40-joint-target-20-groups-of-3"


def test_sets_of_two_tasks_are_the_pairs_of_the_oracle_and_its_trainings(world, trained):
    oracle = measure_oracle("toy", sharing="joint", **world)
    trained.clear()
    sets = measure_sets("toy", group=2, **world)
    assert not trained
    pairs = sets.pairs().part(oracle.transfers.sources, oracle.transfers.targets)
    assert_array_equal(pairs.values, oracle.transfers.values)
    assert [sets.alone(t).score for t in oracle.transfers.targets] == [*oracle.no_transfer]
    assert sets.metrics == oracle.metrics


def test_two_tasks_make_a_group(world, trained):
    sets = measure_sets("toy", group=2, tasks="toy-a,toy-b", **world)
    assert sorted(trained) == ["together/toy-a+toy-b/seed-0", "toy/toy-a/seed-0", "toy/toy-b/seed-0"]
    assert {(one.target, one.members) for one in sets.sets if one.members} == {
        ("toy-a", ("toy-b",)),
        ("toy-b", ("toy-a",)),
    }
    for tasks in ("toy-a", "toy-a,toy-a", "toy-a,toy-b,toy-a"):
        with pytest.raises(UnusableData, match=r"^groups are made of 2 tasks or more, each named once\.$"):
            measure_sets("toy", group=2, tasks=tasks, **world)


def test_the_groups_of_a_file_are_measured_and_seeds_are_added(world, trained, tmp_path):
    (tmp_path / "my.txt").write_text("# two\ntoy-c + toy-a\ntoy-a,toy-b,toy-c\n")
    first = measure_sets("toy", group=tmp_path / "my.txt", **world)
    assert first.name == "toy-toy-joint-groups-my" and first.targets == ("toy-a", "toy-b", "toy-c")
    assert len(trained) == 3 + 2 and first.seeds == (0,)
    both = measure_sets("toy", group=tmp_path / "my.txt", seeds=(1,), **world)
    assert both.seeds == (0, 1) and len(trained) == 2 * 5
    for one in both.sets:
        assert one.by_seed[0] == next(o for o in first.sets if (o.target, o.members) == (one.target, one.members)).score
        assert one.score == np.mean(one.by_seed)
        assert_allclose(one.standard_error, np.std(one.by_seed, ddof=1) / np.sqrt(2))
    assert read_sets(first.name) == both
    assert measure_sets("toy", group=tmp_path / "my.txt", seeds=(0,), **world) == both
    write_sets(
        replace(both, sets=tuple(replace(one, by_seed=()) for one in both.sets)), sets_folder() / f"{both.name}.json"
    )
    with pytest.raises(UnusableData, match="do not tell the seeds of 'toy-a' apart"):
        measure_sets("toy", group=tmp_path / "my.txt", **world)
    with pytest.raises(UnusableData, match="were measured with another list of groups: give these another name"):
        measure_sets("toy", group=2, name=first.name, **world)
    with pytest.raises(UnusableData, match="were measured with another max_train"):
        measure_sets("toy", group=tmp_path / "my.txt", name=first.name, max_train=30, **world)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("1", "groups of 1 tasks cannot be trained together: a group has at least two tasks."),
        ("-2", "groups of -2 tasks cannot be trained together"),
        (5, "groups of 5 tasks cannot be made of 4: toy-a, toy-b, toy-c, toy-d."),
        ([("toy-a",)], "the group toy-a cannot be trained together: name two tasks or more, each once."),
        ([("toy-a", "toy-a", "toy-b")], "the group toy-a+toy-a+toy-b cannot be trained together"),
        ([("toy-a", "toy-e")], "unknown task in a group 'toy-e'; did you mean"),
        ([("toy-a", "toy-b"), ("toy-b", "toy-a")], "the group toy-a+toy-b stands twice; leave one."),
        ([], "there is no group of tasks to train together."),
        ("nothing.txt", "no file 'nothing.txt'"),
    ],
)
def test_groups_that_cannot_be_trained_are_refused_before_any_training(group, words, world, trained):
    with pytest.raises(CogbenchError) as refused:
        measure_sets("toy", group=group, **world)
    assert words in str(refused.value) and "\n" not in str(refused.value)
    with pytest.raises(UnusableData, match="name a sharing such as joint, with --sharing"):
        measure_sets("toy", group=2, sharing="sequential", **world)
    assert not trained


def test_groups_are_in_the_order_of_the_tasks_whatever_order_they_are_named_in():
    assert find_groups([("c", "a"), ("b", "c", "a")], ("a", "b", "c")) == ((("a", "c"), ("a", "b", "c")), "groups-2")
    assert find_groups(2, ("b", "a", "c"))[0] == (("b", "a"), ("b", "c"), ("a", "c"))


def test_a_failed_training_leaves_the_others_and_no_answer(world, monkeypatch):
    compute = Training.compute

    def fail(cell, *rest):
        if len(cell.recipe.tasks) == 3:
            raise ValueError("no")
        return compute(cell, *rest)

    monkeypatch.setattr(Training, "compute", fail)
    with pytest.raises(FailedCells, match="4 trainings failed, first together/toy-a"):
        measure_sets("toy", group=3, **world)
    with pytest.raises(UnknownName):
        read_sets("toy-toy-joint-groups-of-3")
    monkeypatch.setattr(Training, "compute", compute)
    measure_sets("toy", group=3, **world)


def test_the_command_measures_sets_and_tells_the_number_of_trainings(world, monkeypatch, trained):
    for module in ("cogbench.parts.registry", "cogbench.results.guess"):
        monkeypatch.setattr(f"{module}.load_parts", lambda *modules: world["parts"])
    words = ("oracle", "measure", "--backbone", "toy", "--suite", "toy", "--jobs", "0", "--sharing", "joint")
    plan = ask(*words, "--group", "3", "--dry-run")
    assert plan.exit_code == 0 and "8 × training" in plan.stdout and not trained, plan.output
    measured = ask(*words, "--group", "3")
    assert measured.exit_code == 0, measured.output
    assert "toy-toy-joint-groups-of-3" in measured.stdout and "wrote" in measured.stderr and len(trained) == 8
    shown = ask("sets", "show", "toy-toy-joint-groups-of-3", "--json")
    assert json.loads(shown.stdout) == json.loads(ask(*words, "--group", "3", "--format", "json").stdout)
    scored = ask("sets", "score", "toy-toy-joint-groups-of-3", "--guess", "toy-oracle")
    assert scored.exit_code == 0 and "relative rank" in scored.stdout, scored.output
    assert "a group has at least two tasks" in line(ask(*words, "--group", "1"), 2)
    assert "name a sharing such as joint" in line(ask(*words[:-2], "--group", "2"), 2)
