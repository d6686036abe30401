"""What all sharings have in common: shares of rows, numbers of examples apart, cost, and what is refused."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from cogbench_multitask.sharings import CrossStitch, Joint, register_backbones
from cogbench_multitask.together import rows_of_shares
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cogbench import (
    Checkpoint,
    Files,
    MissingData,
    Recipe,
    Settings,
    Store,
    TrainsTogether,
    UnknownName,
    UnusableData,
    measure_oracle,
)
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.runs.plan import describe_plan
from cogbench.workers.engine import compute

FILES = Files(offline=True)
SETTINGS = [Settings(epochs=1, batch_size=16, learning_rate=1e-4)] * 3


def test_shares_in_proportion_are_those_of_all_rows():
    rows = rows_of_shares("proportional", [20, 200, 100], SETTINGS)
    assert rows(0.0) == rows(1.0) == [3, 30, 15]
    assert rows_of_shares("uniform", [20, 200, 100], SETTINGS) is None


def test_annealed_shares_go_from_the_proportion_to_nearly_a_batch_each():
    rows = rows_of_shares("annealed", [20, 200, 100], SETTINGS)
    assert rows(0.0) == [3, 30, 15]
    weights = np.array([20, 200, 100]) ** 0.2
    assert rows(1.0) == [*np.round(48 * weights / weights.sum())] == [12, 19, 17]


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=3), st.floats(0, 1))
def test_annealing_only_ever_evens_shares_out(n_rows, done):
    rows = rows_of_shares("annealed", n_rows, SETTINGS[: len(n_rows)])
    assert min(rows(done)) >= 1
    first, now = (np.ptp(rows(share)) for share in (0.0, done))
    assert now <= first + 1


@pytest.mark.parametrize("shares", ["proportional", "annealed"])
def test_steps_read_the_rows_of_their_shares(shares, alone, task, monkeypatch, tmp_path):
    sizes, together = [], type(alone).train_together

    def spy(backbone, models, *rest, **how):
        for model in models:
            model.register_forward_pre_hook(
                lambda module, args, inputs: sizes.append(len(inputs["input_ids"])), with_kwargs=True
            )
        together(backbone, models, *rest, **how)
        sizes.append(None)  # the end of the training

    monkeypatch.setattr(type(alone), "train_together", spy)
    tasks = (task("mini-cola"), task("mini-rte"))
    recipe = Recipe(tasks, budgets=(8, 40), sharing="joint", settings=alone.settings("classification", 8))
    checkpoint = Joint(backbone=alone, shares=shares).train(recipe, FILES, tmp_path)
    sizes = sizes[: sizes.index(None)]
    rows_of_steps = [*zip(sizes[::2], sizes[1::2], strict=True)]
    assert len(rows_of_steps) == checkpoint.steps == 6  # 2 epochs of 40 rows in batches of 16
    shares_of_step = rows_of_shares(shares, [8, 40], SETTINGS[:2])
    left, expected = [0, 0], []
    for step in range(6):  # at the end of an epoch a step reads what is left
        left = [rows or n for rows, n in zip(left, (8, 40), strict=True)]
        expected.append(tuple(min(pair) for pair in zip(left, shares_of_step(step / 6), strict=True)))
        left = [rows - some for rows, some in zip(left, expected[-1], strict=True)]
    assert rows_of_steps == expected
    assert rows_of_steps[0] == (5, 27)


def test_a_target_and_its_auxiliary_tasks_have_numbers_of_examples_of_their_own(alone, task, monkeypatch, tmp_path):
    lengths, together = [], type(alone).train_together

    def spy(backbone, models, datasets, settings, steps, **how):
        lengths.append(([len(data) for data in datasets], steps))
        together(backbone, models, datasets, settings, steps, **how)

    monkeypatch.setattr(type(alone), "train_together", spy)
    tasks = (task("mini-cola"), task("mini-rte"))
    recipe = Recipe(tasks, budgets=(20, 80), sharing="joint", settings=alone.settings("classification", 20))
    both = Joint(backbone=alone).train(recipe, FILES, tmp_path / "both")
    target = Joint(backbone=alone, auxiliary_weight=1.0).train(recipe, FILES, tmp_path / "target")
    assert lengths == [([20, 80], 10), ([20, 80], 4)]
    assert [len(both.outputs), len(both.others["mini-rte"])] == [40, 40]
    assert target.steps == 4


def test_the_cost_of_a_joint_training_is_that_of_its_tasks(alone, task, monkeypatch):
    monkeypatch.setattr(type(alone), "cost", lambda self, recipe, files, seconds: (10.0 * recipe.most(recipe.task), 7))
    tasks = (task("mini-cola"), task("mini-rte"))
    recipe = Recipe(tasks, max_train=16, sharing="joint")
    assert Joint(backbone=alone).cost(recipe, FILES) == (320.0, 14)
    assert CrossStitch(backbone=alone).cost(recipe, FILES) == (640.0, 14)  # each text goes through both encoders
    apart = replace(recipe, budgets=(16, 32))  # twice the steps of the target alone
    assert Joint(backbone=alone).cost(apart, FILES) == (2 * 160.0 + 320.0, 14)


def test_an_encoder_that_tasks_share_takes_its_memory_once(alone, task):
    tasks = (task("mini-cola"), task("mini-rte"))
    single = [alone.memory(Recipe((one,), max_train=16, settings=alone.settings(one.kind, 16)), FILES) for one in tasks]
    joint, stitched = (
        sharing.memory(Recipe(tasks, max_train=16, sharing=sharing.sharing), FILES)
        for sharing in (Joint(backbone=alone), CrossStitch(backbone=alone))
    )
    assert joint["weights"] == max(one["weights"] for one in single)
    assert stitched["weights"] == sum(one["weights"] for one in single)
    assert joint["activations"] == sum(one["activations"] for one in single)
    assert stitched["activations"] == 2 * joint["activations"]


def test_a_backbone_that_cannot_tell_its_cost_leaves_it_open():
    verbs = {name: (lambda *args, **how: None) for name in dir(TrainsTogether) if not name.startswith("_")}
    joint = Joint(backbone=type("Silent", (), {**verbs, "name": "silent"})())
    assert joint.cost is None
    assert joint.memory is None


@dataclass(frozen=True)
class Later:
    """A backbone that is trained before any task, for no step; until then it has no model."""

    backbone: object
    name: str = "later"

    def adapt(self, files, out):
        return Checkpoint(out)

    def after_adaptation(self, folder, files):
        return self.backbone

    def _as_member(name):
        return property(lambda self: getattr(self.backbone, name))

    def _too_early(self, *values, **how):
        raise AssertionError("it is not adapted yet")

    origin, settings, batches, unsuitable = map(_as_member, ("origin", "settings", "batches", "unsuitable"))
    cost, memory, count_rows = map(_as_member, ("cost", "memory", "count_rows"))
    train = represent = model = fresh = train_together = finished = vectors = _too_early


@pytest.mark.parametrize("sharing", register_backbones(), ids=lambda sharing: sharing.name)
def test_a_model_that_is_adapted_first_is_planned_and_trained_together(sharing, alone, task, tmp_path, monkeypatch):
    tasks = task("mini-cola"), task("mini-rte")
    workspace = Workspace(FILES, Store(tmp_path / "store"), jobs=0)
    cell, usual = (
        Training(replace(sharing, backbone=member), Recipe(tasks, max_train=16, sharing=sharing.sharing))
        for member in (Later(alone), alone)
    )
    with monkeypatch.context() as patched:
        patched.setattr(type(alone), "cost", lambda self, recipe, files, seconds=1.0: (60.0, 1))
        patched.setattr(Later, "cost_of_adaptation", lambda self, files: (60.0, 1), raising=False)
        words = describe_plan([cell], workspace)
    assert "1 × adaptation" in words and "memory: about" in words
    outcome = compute([cell, usual], workspace)
    assert not outcome.failed
    assert_array_equal(cell.outputs(workspace), usual.outputs(workspace))


@pytest.fixture
def untrained(alone, monkeypatch):
    trained = []
    monkeypatch.setattr(type(alone), "train", lambda *args: trained.append(args))
    yield
    assert not trained


TASKS = "mini-cola,mini-rte,mini-sst-2"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"set": "minilm-2l.accumulation=2"}, "in whole batches.*take accumulation=1 and gradient_checkpointing=false"),
        ({"set": "minilm-2l.gradient_checkpointing=true"}, "take accumulation=1 and gradient_checkpointing=false"),
        ({"set": "minilm-2l.tuning=lora"}, "cannot train several tasks together: take one of transformers"),
        ({"tasks": "mini-cola,mini-cola,mini-rte"}, "at least three tasks, each named once"),
        ({"tasks": "mini-cola"}, "at least three tasks"),
        ({"set": "joint.backbone=tinybert"}, "joint trains the backbone of --backbone: leave out --set joint.backbone"),
        ({"set": "joint.auxiliary_weight=-1"}, "auxiliary_weight=-1.0; expected a number, 0 or more"),
        ({"set": "joint.auxiliary_weight=inf"}, "auxiliary_weight=inf; expected a number"),
        ({"set": "joint.auxiliary_weight=nan"}, "auxiliary_weight=nan; expected a number"),
        ({"set": "soft.penalty=-1", "sharing": "soft"}, "penalty=-1.0; expected a number, 0 or more"),
        ({"set": "soft.penalty=nan", "sharing": "soft"}, "penalty=nan; expected a number"),
        ({"set": "cross-stitch.pace=nan", "sharing": "cross-stitch"}, "pace=nan; expected a number"),
        ({"set": "cross-stitch.keep=2", "sharing": "cross-stitch"}, "keep=2.0; expected a share"),
    ],
)
def test_what_cannot_be_trained_together_is_refused_before_any_training(how, words, untrained):
    with pytest.raises(UnusableData, match=words) as refused:
        measure_oracle("minilm-2l", **{"suite": "mini", "tasks": TASKS, "jobs": 0, "sharing": "joint", **how})
    assert "\n" not in str(refused.value)


def test_a_sharing_without_a_backbone_says_how_to_name_one(untrained):
    with pytest.raises(MissingData, match="name that one with --backbone, and --sharing joint."):
        measure_oracle("joint", suite="mini", tasks=TASKS, jobs=0, sharing="joint")


def test_a_sharing_that_does_not_exist_is_refused(untrained):
    with pytest.raises(UnknownName, match="joint"):
        measure_oracle("minilm-2l", suite="mini", tasks=TASKS, jobs=0, sharing="jiont")


def test_each_sharing_of_the_core_is_trained_by_a_part_of_its_name():
    from cogbench.parts.recipe import SHARINGS

    assert [part.name for part in register_backbones()] == [part.sharing for part in register_backbones()]
    assert {part.sharing for part in register_backbones()} == {*SHARINGS} - {"sequential"}
