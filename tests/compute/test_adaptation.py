"""A backbone that is trained before any task: once, as a cell, and all that is made of it starts from there."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from toy_parts import toy_module

from cogbench import Adapts, Checkpoint, Files, Origin, Recipe, Store, hookimpl, load_parts, measure_oracle, run
from cogbench.compute.adaptation import Adaptation, adaptations, ready
from cogbench.compute.cells import Encoding, Training
from cogbench.compute.evidence import Similarity, StoredEvidence
from cogbench.compute.workspace import Workspace
from cogbench.runs.plan import describe_plan
from cogbench.testing import check_backbone
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal
from cogbench.workers.engine import compute, plan

FILES = Files(offline=True)


@dataclass(frozen=True)
class From(ToyBackbone):
    """The toy, with the encoder of a folder in place of its own."""

    folder: str = ""

    def train(self, recipe, files, out, start=None):
        return super().train(recipe, files, out, start or Checkpoint(Path(self.folder)))

    def represent(self, checkpoint, sentences, files):
        return super().represent(checkpoint or Checkpoint(Path(self.folder)), sentences, files)

    def model(self, checkpoint, files):
        module = super().model(checkpoint, files)
        if checkpoint is None:
            encoder = np.load(Path(self.folder) / "encoder.npy")
            module.encoder.data = module.encoder.data.new_tensor(encoder)
        return module


@dataclass(frozen=True)
class Scaled(ToyBackbone):
    """A toy whose encoder is multiplied before any task."""

    name: str = "scaled"
    backbone: ToyBackbone | None = ToyBackbone()
    by: float = 2.0

    def origin(self, files):
        return Origin("toy", f"1 times {self.by}")

    def adapt(self, files, out):
        np.save(out / "encoder.npy", self.by * self.backbone.model(None, files).encoder.detach().numpy())
        return Checkpoint(out, steps=1, notes=(f"multiplied by {self.by}",))

    def after_adaptation(self, folder, files):
        return From(folder=str(folder))

    def train(self, *rest, **how):
        raise AssertionError("it is trained before it is adapted")

    represent = model = batches = train


@dataclass(frozen=True)
class Outer(ToyBackbone):
    """A backbone with another one among its fields, as those have it that train several tasks together."""

    name: str = "outer"
    inner: ToyBackbone = Scaled()

    def origin(self, files):
        return self.inner.origin(files)

    def train(self, *rest, **how):
        return self.inner.train(*rest, **how)

    def represent(self, *rest):
        return self.inner.represent(*rest)


@pytest.fixture
def workspace(tmp_path):
    module = toy_module()
    module.register_backbones = hookimpl(lambda: [ToyBackbone(), Scaled(), Outer()], specname="register_backbones")
    return Workspace(FILES, Store(tmp_path / "store"), load_parts(module), jobs=0)


@pytest.fixture
def adapted(monkeypatch):
    """The adaptations that are computed."""
    cells, compute_cell = [], Adaptation.compute
    monkeypatch.setattr(Adaptation, "compute", lambda cell, *rest: cells.append(cell) or compute_cell(cell, *rest))
    return cells


@pytest.mark.parametrize("backbone", [Scaled(), Outer()])
def test_one_adaptation_comes_before_all_trainings_and_encodings(backbone, workspace, adapted, tmp_path):
    assert isinstance(Scaled(), Adapts) and not isinstance(ToyBackbone(), Adapts)
    cells = [Training(backbone, Recipe((task,), seed=seed)) for task in TASKS[:2] for seed in (0, 1)]
    encodings = [Encoding(cell, ToySignal()) for cell in cells]
    missing, _ = plan(encodings, workspace)
    assert missing[0] == Adaptation(Scaled()) and len(missing) == 1 + 4 + 4
    outcome = compute(encodings, workspace)
    assert not outcome.failed and adapted == [Adaptation(Scaled())]
    expected = From(folder=str(workspace.folder(Adaptation(Scaled())) / "model"))
    outputs = expected.train(cells[0].recipe, FILES, tmp_path).outputs
    assert_array_equal(cells[0].outputs(workspace), outputs.astype(np.float32))
    bare, own = (one.represent(None, ("red dog",), FILES) for one in (ToyBackbone(), ready(backbone, workspace)))
    np.testing.assert_allclose(own, 2 * bare, rtol=1e-6)
    assert_array_equal(own, expected.represent(None, ("red dog",), FILES))
    assert not plan(encodings, Workspace(FILES, workspace.store, workspace.parts, jobs=0))[0]


def test_a_plan_tells_the_time_of_an_adaptation(workspace, monkeypatch):
    monkeypatch.setattr(ToyBackbone, "cost", lambda self, recipe, files: (60.0, 2**20), raising=False)
    cells = [Training(Scaled(), Recipe((task,))) for task in TASKS[:2]]
    one_worker = replace(workspace, jobs=1)
    assert "1 × adaptation" in describe_plan(cells, one_worker)
    assert "unknown, for backbone 'scaled' cannot tell its adaptation's" in describe_plan(cells, one_worker)
    monkeypatch.setattr(Scaled, "cost_of_adaptation", lambda self, files: (180.0, 2**21), raising=False)
    words = describe_plan(cells, one_worker)
    assert "about 5.0 minutes of training on 1 worker(s)" in words and "disk: about 4 MiB of weights" in words
    assert "about 4.0 minutes of training on 2 worker(s)" in describe_plan(cells, replace(workspace, jobs=2))
    compute([Adaptation(Scaled())], workspace)
    assert "about 2.0 minutes of training on 1 worker(s)" in describe_plan(cells, one_worker)


def test_what_starts_from_an_adaptation_has_it_in_its_key(workspace):
    for backbone in (Scaled(), Outer()):
        other = replace(backbone, **({"by": 3.0} if isinstance(backbone, Scaled) else {"inner": Scaled(by=3.0)}))
        for cell in (Training, lambda b, r: Encoding(Training(b, r), ToySignal())):
            keys = {workspace.key(cell(b, Recipe(TASKS[:1]))) for b in (backbone, other)}
            assert len(keys) == 2
    assert workspace.key(Adaptation(Scaled())) != workspace.key(Adaptation(Scaled(by=3.0)))


def test_a_backbone_that_is_not_adapted_has_no_such_cell_and_stays_itself(workspace):
    toy = ToyBackbone()
    assert adaptations(toy) == () and ready(toy, workspace) is toy
    training = Training(toy, Recipe(TASKS[:1]))
    assert training.inputs(workspace) == () and Encoding(training, ToySignal()).inputs(workspace) == (training,)


@dataclass(frozen=True)
class Bare:
    """An estimator that looks at the pre-trained model alone."""

    name: str = "bare"
    needs: frozenset[str] = frozenset({"backbone", "batches"})


def test_evidence_of_the_pre_trained_model_is_that_of_the_adapted_one(workspace, adapted):
    cell = Similarity(Bare(), Scaled(), TASKS)
    assert cell.inputs(workspace) == (Adaptation(Scaled()),)
    evidence = StoredEvidence(cell, workspace)
    bare = ToyBackbone()
    np.testing.assert_allclose(
        evidence.represent(["red dog"]), 2 * bare.represent(None, ("red dog",), FILES), rtol=1e-6
    )
    module, plain = evidence.model("toy-a", tuned=False), bare.model(None, FILES)
    np.testing.assert_allclose(module.encoder.detach(), 2 * plain.encoder.detach(), rtol=1e-6)
    assert len(next(iter(evidence.batches("toy-a", "train")))["labels"])
    assert adapted == [Adaptation(Scaled())]


def test_a_result_says_how_the_model_was_adapted(workspace, tmp_path):
    world = {"parts": workspace.parts, "store": workspace.store, "files": FILES, "jobs": 0, "suite": "toy"}
    (result,) = run("dse", "scaled", **world)
    assert "scaled: multiplied by 2.0" in result.notes
    assert result.provenance.model["revision"] == "1 times 2.0"
    oracle = measure_oracle("scaled", **world)
    assert oracle.provenance["model"]["revision"] == "1 times 2.0"


def test_the_contract_of_a_backbone_holds_for_what_comes_of_its_adaptation():
    check_backbone(Scaled())
