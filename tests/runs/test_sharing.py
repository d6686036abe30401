"""Oracles of tasks that are trained together: what is trained, once for both directions, and what is refused."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from numpy.testing import assert_array_equal
from toy_parts import toy_module

from cogbench import (
    Files,
    Recipe,
    Store,
    UnknownName,
    UnusableData,
    hookimpl,
    load_parts,
    measure_oracle,
)
from cogbench.compute.cells import Training
from cogbench.compute.transfers import TransferPlan
from cogbench.compute.workspace import Workspace
from cogbench.runs.measure_oracle import find_sharing
from cogbench.testing.toys import TASKS, ToyBackbone

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
        others = {task.name: c.outputs for task, c in zip(recipe.tasks[1:], checkpoints[1:], strict=True)}
        return replace(checkpoints[0], folder=out, others=others)


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
