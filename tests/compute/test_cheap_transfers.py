"""Cheap transfers: which examples they see, what they cost, and that the evaluation split is not among them."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from cogbench import Dataset, Files, Origin, Recipe, Store, TaskMatrix, TransferOptions, UnusableData
from cogbench.combining.selected import split_in_folds
from cogbench.compute.evidence import Similarity, StoredEvidence
from cogbench.compute.folds import FoldTask, cheap_trainings
from cogbench.compute.workspace import Workspace
from cogbench.parts.codec import decode, encode
from cogbench.scoring.metrics import mean_score, score_outputs
from cogbench.testing.toys import TASKS, ToyBackbone, ToyTask
from cogbench.workers import engine

FEW = TransferOptions(examples=20, steps=7, folds=4)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(Files(offline=True), Store(tmp_path / "store"))


@dataclass(frozen=True)
class Trying:
    """An estimator of cheap transfers alone."""

    transfer: TransferOptions = field(default_factory=lambda: FEW)
    needs: frozenset[str] = frozenset({"cheap-transfers"})
    name: str = "trying"

    def similarity(self, evidence):
        values = np.full((len(evidence.tasks), len(evidence.targets)), np.nan)
        for i, source in enumerate(evidence.tasks):
            for j, target in enumerate(evidence.targets):
                if source != target:
                    values[i, j] = evidence.cheap_transfer(source, target, self.transfer).score.value
        return TaskMatrix(evidence.tasks, evidence.targets, values)


def texts(dataset):
    return [*dataset.columns["text"]]


def test_folds_part_the_few_training_examples_and_nothing_else():
    files, task = Files(offline=True), TASKS[0]
    folds = [FoldTask(task, 40, FEW, fold) for fold in range(4)]
    drawn = texts(task.load("train", files).sample(40).sample(20))
    scored = [texts(fold.load("evaluation", files)) for fold in folds]
    assert sorted(sum(scored, [])) == sorted(drawn) and [len(s) for s in scored] == [5] * 4
    for fold, held_out in zip(folds, scored, strict=True):
        assert {*texts(fold.load("train", files))} == {*drawn} - {*held_out}
        assert not {*drawn} & {*texts(task.load("evaluation", files))}
    assert {(f.name, f.kind, f.metric, f.suite, f.card) for f in folds} == {
        (task.name, task.kind, task.metric, task.suite, task.card)
    }
    assert decode(encode(folds[1])) == folds[1]  # as it goes to a worker


@pytest.mark.parametrize("n, n_folds", [(20, 2), (21, 5), (7, 3)])
def test_each_class_is_in_each_fold_in_its_share(n, n_folds):
    labels = [0] * (n // 3) + [1] * (n - n // 3)
    rows = Dataset("classification", {"text": ["a"] * n, "label": labels}, ("no", "yes"), Origin("x"))
    folds = split_in_folds(rows, n_folds, seed=1)
    for label in (0, 1):
        counts = np.bincount(folds[np.asarray(labels) == label], minlength=n_folds)
        assert np.ptp(counts) <= 1
    assert np.ptp(np.bincount(folds, minlength=n_folds)) <= 1
    numbers = Dataset("regression", {"text": ["a"] * n, "label": [*map(float, range(n))]}, (), Origin("x"))
    assert np.ptp(np.bincount(split_in_folds(numbers, n_folds, seed=1))) <= 1


def test_rows_of_one_group_are_in_one_fold():
    names = [f"q{i * i % 11}" for i in range(40)]  # six groups of several sizes
    columns = {"text": ["x"] * 40, "group": names, "label": [int(name > "q4") for name in names]}
    folds = split_in_folds(Dataset("classification", columns, ("no", "yes"), Origin("here")), 3, seed=1)
    of_group = {name: {*folds[[i for i, other in enumerate(names) if other == name]]} for name in names}
    assert all(len(fold) == 1 for fold in of_group.values())
    assert sorted(fold for (fold,) in of_group.values()) == [0, 0, 1, 1, 2, 2]


def test_a_cheap_transfer_is_ordinary_trainings_after_the_source_of_the_regime(workspace):
    cell = Similarity(Trying(), ToyBackbone(), TASKS, seed=3, max_train=40, max_train_target=30)
    cells = cell.cheap_trainings(TASKS[1], TASKS[0], FEW)
    assert {c.start for c in cells} == {cell.training(TASKS[1])} and cell.training(TASKS[1]).recipe.max_train == 40
    assert {(c.recipe.seed, c.recipe.task.most, c.recipe.settings.min_steps) for c in cells} == {(3, 30, 7)}
    assert len({workspace.key(c) for c in cells}) == 4
    assert {*cells} < {*cell.inputs(workspace)} and len([*cell.inputs(workspace)]) == 4 + 12 * 4
    alone = cheap_trainings(ToyBackbone(), None, TASKS[0], 30, FEW, 3)
    assert {c.start for c in alone} == {None}
    (one,) = {
        len(workspace.dataset(c.recipe.task, "train"))
        for c in cheap_trainings(ToyBackbone(), None, TASKS[0], 8, FEW, 0)
    }
    assert one == 6  # a target of eight examples has two in each of four folds


def test_its_score_is_the_mean_over_folds_and_its_cost_their_sum(workspace):
    cell = Similarity(Trying(), ToyBackbone(), TASKS, max_train=40)
    trial = StoredEvidence(cell, workspace).cheap_transfer("toy-b", "toy-a", FEW)
    start = cell.training(TASKS[1]).checkpoint(workspace)
    values, settings = [], replace(ToyBackbone().settings("classification", 15), epochs=7, min_steps=7)
    for fold in range(4):
        task = FoldTask(TASKS[0], 40, FEW, fold)
        out = workspace.store.root.parent / f"fold-{fold}"
        out.mkdir()
        made = ToyBackbone().train(Recipe((task,), settings=settings), workspace.files, out, start)
        held_out = task.load("evaluation", workspace.files)
        values.append(np.mean(made.outputs.argmax(axis=1) == np.asarray(held_out.columns["label"])))
    assert trial.score.value == pytest.approx(np.mean(values))
    assert (trial.trainings, trial.steps, trial.examples) == (4, 28, 20) and trial.seconds > 0
    assert trial.score.metric == "accuracy" and trial.score.per_example.shape == (20,)
    alone = StoredEvidence(cell, workspace).cheap_transfer(None, "toy-a", FEW)
    assert alone.score.value != trial.score.value or not np.array_equal(
        alone.score.per_example, trial.score.per_example
    )


def test_the_error_of_a_mean_score_is_that_of_independent_folds():
    rows = [TASKS[0].load("evaluation", Files(offline=True)).sample(30, seed) for seed in (0, 1)]
    scores = [
        score_outputs("accuracy", np.random.default_rng(i).normal(size=(30, 2)), r, r) for i, r in enumerate(rows)
    ]
    mean = mean_score(scores)
    assert mean.value == pytest.approx((scores[0].value + scores[1].value) / 2)
    assert mean.standard_error == pytest.approx(np.hypot(*(s.standard_error for s in scores)) / 2)
    assert mean.per_example.tolist() == [*scores[0].per_example, *scores[1].per_example]


class NoEvaluation(ToyTask):
    """A task whose evaluation split must not be read."""

    def load(self, split, files):
        assert split == "train", "the evaluation split was read"
        return super().load(split, files)


def test_the_evaluation_split_is_not_read(workspace):
    target, sources = NoEvaluation("toy-x", TASKS[0].words), TASKS[1:3]
    cells = [
        cell
        for source in sources
        for cell in cheap_trainings(ToyBackbone(), Recipe((source,), max_train=40), target, 40, FEW, 0)
    ]
    assert not engine.compute(cells, replace(workspace, jobs=0)).failed


def test_more_examples_of_the_target_than_the_regime_allows_change_nothing(workspace):
    few = Similarity(Trying(TransferOptions(examples=20)), ToyBackbone(), TASKS[:3], max_train=40, max_train_target=20)
    many = replace(few, estimator=Trying(TransferOptions(examples=60)))
    assert {len(workspace.dataset(c.recipe.task, "train")) for c in many.inputs(workspace) if c.start} == {10}
    assert np.isfinite(many.estimate(workspace).matrix.values[~many.estimate(workspace).matrix.same]).all()


def test_it_must_be_asked_for(workspace):
    evidence = StoredEvidence(Similarity(Trying(needs=frozenset({"texts"})), ToyBackbone(), TASKS), workspace)
    with pytest.raises(UnusableData, match="asks for 'cheap-transfers', which its `needs` does not name"):
        evidence.cheap_transfer("toy-a", "toy-b")


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"examples": 3}, {"steps": 0}, {"folds": 60}])
def test_options_without_sense_are_refused(wrong):
    with pytest.raises(UnusableData, match="cheap transfers: "):
        TransferOptions(**wrong)
