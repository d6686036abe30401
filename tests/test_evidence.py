"""Evidence carries estimators of every family, gives only what was asked for, and keeps what they make."""

import numpy as np
import pytest
from evidence_plugin import Fisher, LayerProbe, Leep, leep

from cogbench import Files, Store, UnusableData, check_estimator, load
from cogbench.cells import Workspace
from cogbench.evidence import Evidence, Similarity
from cogbench.toys import TASKS, ToyBackbone, ToySignal


@pytest.fixture
def workspace(tmp_path):
    return Workspace(Files(offline=True), Store(tmp_path / "store"))


@pytest.mark.parametrize("estimator", [Fisher(), LayerProbe(), Leep()], ids=lambda e: e.name)
def test_estimators_of_three_families_stand_on_the_primitives(estimator):
    check_estimator(estimator)


@pytest.mark.parametrize("estimator", [Fisher(), LayerProbe(), Leep()], ids=lambda e: e.name)
def test_and_run_on_a_real_transformer(estimator, workspace):
    backbone = load().find("backbone", "minilm-2l")
    quick = type(backbone)(**{**vars(backbone), "epochs": 1, "min_steps": 2})
    cell = Similarity(estimator, quick, TASKS[:3], max_train=32)
    matrix = cell.matrix(workspace)
    assert np.isfinite(matrix.values[~matrix.same]).all()


def test_leep_golden_value():
    theta = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]])
    assert leep(theta, np.array([0, 0, 1, 1])) == pytest.approx(-0.383981, abs=1e-6)


def test_fisher_of_a_toy_is_the_mean_squared_gradient(workspace):
    import torch

    cell = Similarity(Fisher(examples=4), ToyBackbone(), TASKS[:3])
    evidence = Evidence(cell, workspace)
    model = evidence.model("toy-a")
    batch = next(iter(evidence.batches("toy-a", "train", n=4)))
    expected = []
    for words, label in zip(batch["words"], batch["labels"], strict=True):
        p = torch.softmax(words @ model.encoder @ model.head, -1)
        error = p - torch.eye(2)[label]
        expected.append((torch.outer(words, model.head @ error) ** 2).detach().numpy())
    cell.estimator.similarity(evidence)
    kept = evidence.keep("fisher", lambda: pytest.fail("it was not kept"), task="toy-a")
    assert np.allclose(kept["diagonal"], np.mean(expected, axis=0).ravel(), atol=1e-7)


def test_what_needs_does_not_name_is_refused(workspace):
    evidence = Evidence(Similarity(Fisher(), ToyBackbone(), TASKS, ToySignal()), workspace)
    with pytest.raises(UnusableData, match="asks for 'representations', which its `needs` does not name"):
        evidence.representations["toy-a"]


def test_nothing_is_opened_before_it_is_asked_for(workspace):
    evidence = Evidence(Similarity(Fisher(), ToyBackbone(), TASKS, ToySignal()), workspace)
    assert evidence.tasks == ("toy-a", "toy-b", "toy-c", "toy-d")
    assert not workspace.store.root.exists()


def test_kept_arrays_of_a_task_serve_other_sets_of_tasks(workspace):
    made = []

    def kept(tasks, **key):
        evidence = Evidence(Similarity(Fisher(), ToyBackbone(), tasks), workspace)
        return evidence.keep("x", lambda: made.append(1) or {"x": np.ones(2)}, **key)

    kept(TASKS, task="toy-a")
    kept(TASKS[:3], task="toy-a")
    assert len(made) == 1
    kept(TASKS[:3], task="toy-b")
    kept(TASKS[:3], task="toy-a", draws=3)
    kept(TASKS)
    kept(TASKS[:3])
    assert len(made) == 5


def test_batches_hold_what_the_training_saw(workspace):
    evidence = Evidence(Similarity(Fisher(), ToyBackbone(), TASKS, max_train=20), workspace)
    assert sum(len(b["labels"]) for b in evidence.batches("toy-a", "train")) == 20
    assert sum(len(b["labels"]) for b in evidence.batches("toy-a", "evaluation")) == 60
    assert sum(len(b["labels"]) for b in evidence.batches("toy-a", "evaluation", n=7)) == 7
