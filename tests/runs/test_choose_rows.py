"""Sources of chosen rows: what is trained on which rows, what oracles say of it, and what is refused."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from toy_parts import toy_module

from cogbench import (
    FailedCells,
    Files,
    Recipe,
    RowChoice,
    Store,
    UnknownName,
    UnusableData,
    hookimpl,
    load_parts,
    measure_oracle,
    measure_sets,
    read_oracle,
)
from cogbench.compute.cells import Training
from cogbench.compute.selection import RowWeights
from cogbench.compute.workspace import Workspace
from cogbench.oracles.ways import way_differences
from cogbench.parts.oracle_names import oracle_folder
from cogbench.runs.measure_oracle import resolve_groups, resolve_transfers
from cogbench.runs.plan import describe_plan
from cogbench.testing import check_selector
from cogbench.testing.toys import TASKS, ToyBackbone

FILES = Files(offline=True)


@dataclass(frozen=True)
class Even:
    """The same weight for all examples."""

    name: str = "even"
    weight: float = 0.0

    def weights(self, evidence):
        return np.full(len(evidence.source), self.weight)


@dataclass(frozen=True)
class First:
    """The first examples."""

    name: str = "first"

    def weights(self, evidence):
        return -np.arange(len(evidence.source))


@dataclass(frozen=True)
class Nothing:
    """No number at all."""

    name: str = "nothing"

    def weights(self, evidence):
        return np.full(len(evidence.source), np.nan)


@dataclass(frozen=True)
class Student(ToyBackbone):
    """A backbone with a teacher."""

    name: str = "student"
    teacher: ToyBackbone = ToyBackbone()


@dataclass(frozen=True)
class Together(ToyBackbone):
    """Two tasks, the target after the other one."""

    sharings: ClassVar[frozenset[str]] = frozenset({"sequential", "joint"})
    mutual: ClassVar[bool] = True
    name: str = "together"
    backbone: ToyBackbone | None = None

    def train(self, recipe, files, out, start=None):
        target, other = recipe.tasks
        checkpoints = []
        for task, one in ((other, target), (target, other)):
            folder = out / task.name
            folder.mkdir()
            before = self.backbone.train(replace(recipe, tasks=(one,), sharing="sequential"), files, folder)
            checkpoints.append(
                self.backbone.train(replace(recipe, tasks=(task,), sharing="sequential"), files, folder, before)
            )
        return replace(checkpoints[1], folder=out, others={other.name: checkpoints[0].outputs})


@pytest.fixture
def world(tmp_path):
    module = toy_module()
    backbones = [ToyBackbone(), Student(), Together()]
    module.register_backbones = hookimpl(lambda: backbones, specname="register_backbones")
    module.register_selectors = hookimpl(lambda: [Even(), First()], specname="register_selectors")
    parts = load_parts(module)
    parts.backbones.pop("joint", None)  # of cogbench-multitask, where it is installed
    return {"parts": parts, "store": Store(tmp_path / "store"), "files": FILES, "jobs": 0, "suite": "toy"}


@pytest.fixture
def seen(monkeypatch):
    """The training texts of each training, by its task and the number of them."""
    texts, train = [], ToyBackbone.train

    def watched(backbone, recipe, *rest):
        for task in recipe.tasks:
            texts.append((task.name, task.load("train", FILES).sample(recipe.most(task)).texts))
        return train(backbone, recipe, *rest)

    monkeypatch.setattr(ToyBackbone, "train", watched)
    return texts


def test_each_source_is_trained_on_its_chosen_rows_for_each_target(world, seen):
    oracle = measure_oracle("toy", select="first", select_share=0.25, max_train=40, **world)
    every = {task.name: task.load("train", FILES).sample(40).texts for task in TASKS}
    rows = {name: [texts for one, texts in seen if one == name] for name in every}
    for name, trainings in rows.items():
        sources = [texts for texts in trainings if len(texts) == 10]
        assert sources == [every[name][:10]] * 3  # once for each other task
        assert [texts for texts in trainings if len(texts) != 10] == [every[name]] * 4  # alone, and after each other
    assert (oracle.row_choice, oracle.name) == ("first 0.25", "toy-toy-max-40-first-0.25")
    seen.clear()
    measure_oracle("toy", select="first", select_share=0.25, max_train=40, **world)
    assert not seen


def test_a_plan_says_that_it_leaves_out_the_time_of_a_selector(world):
    workspace = Workspace(FILES, world["store"], world["parts"], jobs=0)
    plan, _ = resolve_transfers(world["parts"], "toy", suite="toy", select="first")
    words = describe_plan(plan.cells(), workspace).splitlines()
    assert "  12 × row weights" in words
    assert words[-1].startswith("  not in this time: what the selector computes")
    plan, _ = resolve_transfers(world["parts"], "toy", suite="toy")
    assert "not in this time" not in describe_plan(plan.cells(), workspace)


def test_a_source_of_all_rows_trains_as_without_a_selector(world):
    usual = measure_oracle("toy", **world)
    chosen = measure_oracle("toy", select="first", select_share=1, **world)
    assert_array_equal(chosen.transfers.values, usual.transfers.values)
    assert (usual.row_choice, chosen.row_choice) == ("all", "first 1")


@given(st.integers(2, 60), st.floats(0.05, 1), st.integers(0, 9), st.floats(-1e6, 1e6))
def test_equal_weights_are_a_random_sample_by_the_seed(n_rows, share, seed, weight):
    choice = RowChoice(Even(), TASKS[0], share)
    rows = choice.choose(np.full(n_rows, weight), seed)
    assert_array_equal(rows, choice.choose(np.zeros(n_rows), seed))
    assert len({*rows}) == len(rows) == choice.n_kept(n_rows)
    assert_array_equal(rows, np.sort(rows))


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=40), st.floats(0.05, 1), st.integers(0, 3))
def test_no_row_that_is_left_out_has_a_larger_weight(weights, share, seed):
    weights = np.array(weights)
    rows = RowChoice(Even(), TASKS[0], share).choose(weights, seed)
    left_out = np.delete(weights, rows)
    assert not len(rows) or not len(left_out) or weights[rows].min() >= left_out.max()


def test_another_seed_draws_other_rows():
    choice = RowChoice(Even(), TASKS[0], 0.5)
    assert len({tuple(choice.choose(np.zeros(60), seed)) for seed in range(5)}) == 5


def test_tasks_beside_the_target_have_chosen_rows_in_a_joint_training(world, seen):
    oracle = measure_oracle("toy", sharing="joint", select="first", select_share=0.5, **world)
    together = [(name, len(texts)) for name, texts in seen if len(texts) == 30]
    assert len(together) == 2 * 12  # each task is the other one of three, and is trained twice there
    assert oracle.name == "toy-toy-joint-first-0.5"
    assert (oracle.sharing, oracle.row_choice) == ("joint", "first 0.5")


def test_selector_target_share_and_seed_stand_in_the_key(tmp_path):
    workspace = Workspace(FILES, Store(tmp_path))
    a, b, c = TASKS[:3]
    recipes = [
        Recipe((a,)),
        Recipe((a,), row_choice=RowChoice(Even(), b)),
        Recipe((a,), row_choice=RowChoice(Even(weight=1), b)),
        Recipe((a,), row_choice=RowChoice(First(), b)),
        Recipe((a,), row_choice=RowChoice(Even(), c)),
        Recipe((a,), row_choice=RowChoice(Even(), b, 0.25)),
        Recipe((a,), row_choice=RowChoice(Even(), b, max_target=20)),
        Recipe((a,), row_choice=RowChoice(Even(), b), seed=1),
    ]
    keys = [workspace.key(Training(ToyBackbone(), recipe)) for recipe in recipes]
    assert len({*keys}) == len(keys)


def test_chosen_and_all_rows_are_never_one_oracle(world):
    measure_oracle("toy", name="mine", **world)
    with pytest.raises(UnusableData, match="oracle 'mine' was measured with another row_choice"):
        measure_oracle("toy", name="mine", select="first", **world)
    chosen = measure_oracle("toy", select="first", **world)
    again = read_oracle(oracle_folder() / f"{chosen.name}.json")
    assert (again.row_choice, again.card.row_choice) == ("first 0.5", "first 0.5")
    usual = read_oracle(oracle_folder() / "mine.json")
    differences = [*way_differences([usual, chosen])]
    assert differences[-1].ways == ("sequential", "sequential, rows first 0.5")


def test_a_selector_has_options(world):
    oracle = measure_oracle("toy", select="even", set="even.weight=2", **world)
    assert oracle.row_choice == "even[weight=2.0] 0.5"


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"select": "fist"}, UnknownName, "unknown selector 'fist'; did you mean 'first'?"),
        ({"select": "first", "select_share": 0}, UnusableData, "cannot keep a share of 0 of the rows"),
        ({"select": "first", "select_share": float("nan")}, UnusableData, "cannot keep a share of nan of the rows"),
        ({"select": "first", "select_share": 1.5}, UnusableData, "cannot keep a share of 1.5 of the rows"),
        ({"select": "first", "select_share": 0.02}, UnusableData, "of the 60 training rows of toy-a is 1: choose at"),
        ({"select_share": 0.2}, UnusableData, "a share of 0.2 of the rows cannot be kept without a selector"),
        ({"select": "even", "set": "even.weight=1,2"}, UnusableData, "selector 'even' has 2 settings"),
        ({"set": "even.weight=1"}, UnknownName, "even"),
    ],
)
def test_a_selector_that_selects_nothing_is_refused_before_any_training(world, seen, how, error, words):
    with pytest.raises(error) as refused:
        measure_oracle("toy", **how, **world)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not seen


def test_what_cannot_be_trained_on_chosen_rows_is_refused(world, seen):
    with pytest.raises(UnusableData, match="'student' learns from a teacher, which learns from all rows"):
        measure_oracle("student", select="first", **world)
    with pytest.raises(UnusableData, match="sets of tasks are measured with all their rows"):
        resolve_groups(world["parts"], "toy", group=2, sharing="joint", suite="toy", select="first")
    assert not seen
    assert measure_sets("toy", group=2, **world).sharing == "joint"


def test_weights_that_are_no_numbers_keep_a_source_from_its_training(world, seen):
    with pytest.raises(FailedCells) as failed:
        measure_oracle("toy", select="even", set="even.weight=nan", **world)
    assert "selector 'even', rows of toy-" in str(failed.value)
    assert "60 of 60 weights are not finite" in str(failed.value)
    assert all(len(texts) == 60 for _, texts in seen)  # only tasks alone


def test_evidence_shows_no_evaluation_split(tmp_path):
    workspace = Workspace(FILES, Store(tmp_path))

    @dataclass(frozen=True)
    class Curious:
        uses_share: ClassVar[bool] = True
        name: str = "curious"

        def weights(self, evidence):
            a, b = evidence.gradients(examples=10, steps=5, dims=64)
            assert (a.shape, b.shape) == ((40, 64), (10, 64))
            assert evidence.vectors(evidence.source.texts).shape == (40, 8)
            assert 0 <= evidence.trial(np.arange(40)) <= 1
            return np.zeros(len(evidence.source))

    class Blind(type(TASKS[0])):
        def load(self, split, files):
            assert split == "train"
            return super().load(split, files)

    source, target = (Blind(task.name, task.words) for task in TASKS[:2])
    weights = RowWeights(ToyBackbone(), source, target, Curious(), max_source=40, max_target=30, share=0.25)
    assert_array_equal(weights.weights(workspace), np.zeros(40))


@dataclass(frozen=True)
class Thrifty:
    """Weights that hang on the share of rows that is kept."""

    uses_share: ClassVar[bool] = True
    name: str = "thrifty"

    def weights(self, evidence):
        return np.arange(len(evidence.source)) * (1 if evidence.share < 0.5 else -1)


def test_a_selector_hears_of_the_share_where_it_uses_it(tmp_path):
    workspace = Workspace(FILES, Store(tmp_path))
    a, b = TASKS[:2]

    def weights(selector, share):
        recipe = Recipe((a,), row_choice=RowChoice(selector, b, share))
        return Training(ToyBackbone(), recipe).row_weights[a]

    few, many = (weights(Thrifty(), share) for share in (0.25, 0.75))
    assert_array_equal(few.weights(workspace), -many.weights(workspace))
    assert weights(First(), 0.25) == weights(First(), 0.75)  # computed once for both
    check_selector(Thrifty())
    silent = type("Silent", (Thrifty,), {"uses_share": False})()
    with pytest.raises(UnusableData, match="'thrifty' asks for the share .* give it the class attribute uses_share"):
        RowWeights(ToyBackbone(), a, b, silent).weights(workspace)


def test_selectors_are_listed_checked_and_asked_for_on_the_command_line(world):
    check_selector(First())
    with pytest.raises(UnusableData, match="a weight is not finite"):
        check_selector(Nothing())
    words = ("oracle", "measure", "--backbone", "minilm-2l", "--suite", "mini", "--jobs", "0", "--select")
    assert "unknown selector 'nobody'" in line(ask(*words, "nobody"), 2)
