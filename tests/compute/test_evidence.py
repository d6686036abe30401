"""Evidence carries estimators of every family, gives only what was asked for, and keeps what they make."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from cogbench_estimators.baselines import LeastLearned, LeastMoved, Size
from evidence_plugin import Fisher, LayerProbe, Leep, leep

from cogbench import NEEDS, Card, FeatureOptions, Files, Recipe, Store, TaskMatrix, UnusableData, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.evidence import Piece, Similarity, StoredEvidence
from cogbench.compute.features import FeatureExtraction
from cogbench.compute.workspace import Workspace
from cogbench.parts.interfaces import ORACLES_DATA
from cogbench.testing import check_estimator
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal
from cogbench.workers.engine import compute


@pytest.fixture
def workspace(tmp_path):
    return Workspace(Files(offline=True), Store(tmp_path / "store"))


@pytest.mark.parametrize("estimator", [Fisher(), LayerProbe(), Leep()], ids=lambda e: e.name)
def test_estimators_of_three_families_stand_on_the_primitives(estimator):
    check_estimator(estimator)


@pytest.mark.parametrize("estimator", [Fisher(), LayerProbe(), Leep()], ids=lambda e: e.name)
def test_and_run_on_a_real_transformer(estimator, workspace):
    backbone = load_parts().find("backbone", "minilm-2l")
    quick = type(backbone)(**{**vars(backbone), "epochs": 1, "min_steps": 2})
    cell = Similarity(estimator, quick, TASKS[:3], max_train=32)
    matrix = cell.estimate(workspace).matrix
    assert np.isfinite(matrix.values[~matrix.same]).all()


def test_weights_are_those_of_the_encoder_before_and_after_training_without_the_head(workspace):
    backbone = load_parts().find("backbone", "minilm-2l")
    quick = type(backbone)(**{**vars(backbone), "epochs": 1, "min_steps": 2})
    moved = LeastMoved()
    evidence = StoredEvidence(Similarity(moved, quick, TASKS[:3], max_train=32), workspace)
    bare, tuned = evidence.weights("toy-a", tuned=False), evidence.weights("toy-a")
    named = {name for name, _ in evidence.model("toy-a").named_parameters()}
    assert bare.keys() == tuned.keys() and len(bare) < len(named)  # the head is left out
    assert any((bare[name] != tuned[name]).any() for name in bare)
    change = [
        np.sqrt(
            sum(np.square(weights[name] - bare[name]).sum() for name in bare)
            / sum(np.square(weight).sum() for weight in bare.values())
        )
        for weights in map(evidence.weights, evidence.tasks)
    ]
    assert moved.similarity(evidence).values[[1, 0, 0], [0, 1, 2]] == pytest.approx(
        [-change[1], -change[0], -change[0]], rel=1e-4
    )
    with pytest.raises(UnusableData, match="asks for 'models'"):
        StoredEvidence(Similarity(Size(), quick, TASKS[:3]), workspace).weights("toy-a")


def test_task_scores_are_those_of_the_tasks_own_trainings(workspace):
    cell = Similarity(LeastLearned(), ToyBackbone(), TASKS)
    evidence = StoredEvidence(cell, workspace)
    assert [*evidence.task_scores] == [task.name for task in TASKS]
    for task in TASKS:
        score = cell.training(task).score(workspace)
        assert evidence.task_scores[task.name].value == score.value and score.metric == task.metric
    with pytest.raises(UnusableData, match="asks for 'models'"):
        _ = StoredEvidence(Similarity(Size(), ToyBackbone(), TASKS), workspace).task_scores


def test_leep_golden_value():
    theta = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]])
    assert leep(theta, np.array([0, 0, 1, 1])) == pytest.approx(-0.383981, abs=1e-6)


def test_fisher_of_a_toy_is_the_mean_squared_gradient(workspace):
    import torch

    cell = Similarity(Fisher(examples=4), ToyBackbone(), TASKS[:3])
    evidence = StoredEvidence(cell, workspace)
    model = evidence.model("toy-a")
    batch = next(iter(evidence.batches("toy-a", "train", n=4)))
    expected = []
    for words, label in zip(batch["words"], batch["labels"], strict=True):
        p = torch.softmax(words @ model.encoder @ model.head, -1)
        error = p - torch.eye(2)[label]
        expected.append((torch.outer(words, model.head @ error) ** 2).detach().numpy())
    piece = evidence.pieces(cell.estimator)["toy-a"]
    assert np.allclose(piece["diagonal"], np.mean(expected, axis=0).ravel(), atol=1e-7)


def test_what_needs_does_not_name_is_refused(workspace):
    evidence = StoredEvidence(Similarity(Fisher(), ToyBackbone(), TASKS, ToySignal()), workspace)
    with pytest.raises(UnusableData, match="asks for 'representations', which its `needs` does not name"):
        evidence.representations["toy-a"]


def test_nothing_is_opened_before_it_is_asked_for(workspace):
    evidence = StoredEvidence(Similarity(Fisher(), ToyBackbone(), TASKS, ToySignal()), workspace)
    assert evidence.tasks == ("toy-a", "toy-b", "toy-c", "toy-d")
    assert not workspace.store.root.exists()


@dataclass(frozen=True)
class Joining:
    """A piece for each task, and one of all tasks; `scale` is for the joining alone, `draw` changes the pieces."""

    scale: float = 1.0
    draw: int = 0
    name: str = "joining"
    needs: frozenset = frozenset({"models"})
    canonical = property(lambda self: replace(self, scale=1.0))

    def pieces(self, evidence):
        return {"all": evidence.tasks, **{task: (task,) for task in evidence.tasks}}

    def piece(self, evidence, name):
        evidence.note(f"{len(evidence.tasks)} tasks in {name}")
        return {
            "lengths": np.array([evidence.weight_change(task).change_norms.sum() for task in evidence.tasks])
            + self.draw
        }

    def similarity(self, evidence):
        pieces = evidence.pieces(self)
        column = [self.scale * pieces[task]["lengths"][0] for task in evidence.tasks]
        assert np.allclose(self.scale * pieces["all"]["lengths"], column)
        return TaskMatrix.square(evidence.tasks, np.tile(np.array(column)[:, None], (1, len(column))))


def test_pieces_are_cells_of_their_own_and_serve_other_tasks_and_options(workspace):
    def computed(estimator, tasks):
        outcome = compute([Similarity(estimator, ToyBackbone(), tasks)], replace(workspace, jobs=0))
        assert not outcome.failed
        return {cell.name for cell in outcome.computed if isinstance(cell, Piece)}

    whole = Similarity(Joining(), ToyBackbone(), TASKS)
    assert computed(Joining(), TASKS) == {"all", "toy-a", "toy-b", "toy-c", "toy-d"}
    assert computed(Joining(scale=2.0), TASKS) == set()  # an option that no piece hangs on
    assert computed(Joining(), TASKS[:3]) == {"all"}  # a piece of one task serves other sets of tasks
    assert computed(Joining(draw=1), TASKS[:3]) == {"all", "toy-a", "toy-b", "toy-c"}
    estimate = whole.estimate(workspace)
    assert {*estimate.notes} == {"4 tasks in all", *(f"1 tasks in {task.name}" for task in TASKS)}
    scaled = Similarity(Joining(scale=2.0), ToyBackbone(), TASKS).estimate(workspace)
    assert np.allclose(scaled.matrix.values, 2 * estimate.matrix.values, equal_nan=True)


def test_a_piece_sees_the_tasks_that_it_reads_alone(workspace):
    """What it could read beside them would not stand in its key."""

    @dataclass(frozen=True)
    class Peeping(Joining):
        def piece(self, evidence, name):
            return {"lengths": evidence.weight_change("toy-d").change_norms}

    cell = Similarity(Peeping(), ToyBackbone(), TASKS).pieces(workspace)["toy-a"]
    with pytest.raises(KeyError, match="toy-d"):
        workspace.folder(cell)


def test_batches_hold_what_the_training_saw(workspace):
    evidence = StoredEvidence(Similarity(Fisher(), ToyBackbone(), TASKS, max_train=20), workspace)
    assert sum(len(b["labels"]) for b in evidence.batches("toy-a", "train")) == 20
    knowing = Asking(frozenset({"batches", "evaluation"}))
    evidence = StoredEvidence(Similarity(knowing, ToyBackbone(), TASKS, max_train=20), workspace)
    assert sum(len(b["labels"]) for b in evidence.batches("toy-a", "evaluation")) == 60
    assert sum(len(b["labels"]) for b in evidence.batches("toy-a", "evaluation", n=7)) == 7


def test_the_evaluation_split_is_refused_to_an_estimator_that_does_not_say_so(workspace):
    """Else an estimator could learn from the answers that the oracle is scored on, and no mark would say so."""
    evidence = StoredEvidence(Similarity(Asking(), ToyBackbone(), TASKS), workspace)
    for ask in (evidence.batches, evidence.texts):
        with pytest.raises(UnusableData, match="'asking' asks for 'evaluation', which its `needs` does not name"):
            ask("toy-a", "evaluation")
    assert ORACLES_DATA >= {"evaluation"} <= {*NEEDS}  # so that its results are marked as those that know transfers


@dataclass(frozen=True)
class Asking:
    """An estimator that asks for what it is told to."""

    needs: frozenset[str] = frozenset({"backbone", "batches", "texts"})
    known: float | None = None
    says: str = ""
    name: str = "asking"

    def similarity(self, evidence):
        if self.says:
            evidence.note(self.says)
        values = np.full((len(evidence.tasks), len(evidence.tasks)), np.nan)
        row = evidence.tasks.index("toy-a")
        values[row] = values[:, row] = np.nan if self.known is None else self.known
        return TaskMatrix.square(evidence.tasks, values)


def test_the_bare_backbone_is_there_without_a_training(workspace):
    cell = Similarity(Asking(), ToyBackbone(), TASKS)
    evidence = StoredEvidence(cell, workspace)
    assert cell.inputs(workspace) == ()
    bare = evidence.model("toy-a", tuned=False)
    (batch,) = evidence.batches("toy-a", "train", n=3)
    vectors = evidence.represent(evidence.texts("toy-a", "train", n=3))
    assert np.allclose(bare(batch["words"]).logits.detach().numpy(), vectors, atol=1e-6)
    with pytest.raises(UnusableData, match="asks for 'models'"):
        evidence.model("toy-a")
    assert not list(workspace.store.root.rglob("training.json"))
    tuned = StoredEvidence(replace(cell, estimator=Asking(frozenset({"models"}))), workspace)
    assert tuned.model("toy-a", tuned=False) is not None  # whoever has the trained ones may see what they began as
    with pytest.raises(UnusableData, match="asks for 'backbone'"):
        tuned.represent(["a"])


def test_the_bare_backbone_stands_in_the_key(workspace):
    def key(rate, needs):
        cell = Similarity(Asking(frozenset(needs)), ToyBackbone(rate=rate), TASKS)
        return workspace.key(cell)

    assert key(0.1, {"backbone"}) != key(0.2, {"backbone"})
    assert key(0.1, {"cards"}) == key(0.2, {"cards"})


def test_texts_and_labels_are_those_of_the_examples(workspace):
    cell = Similarity(Asking(), ToyBackbone(), TASKS, max_train=20)
    evidence = StoredEvidence(cell, workspace)
    texts = evidence.texts("toy-a", "train")
    assert len(texts) == 20 and {*texts} < {*workspace.dataset(TASKS[0], "train").columns["text"]}
    knowing = Asking(frozenset({"texts", "evaluation"}))
    assert len(StoredEvidence(replace(cell, estimator=knowing), workspace).texts("toy-a", "evaluation")) == 60
    assert evidence.labels["toy-a"] == ("no", "yes") and evidence.labels["toy-d"] == ()
    data = workspace.ingredients(replace(cell, estimator=Asking(frozenset({"texts"}))))
    assert data["data"][0][0] == workspace.dataset(TASKS[0], "train").sha256 and data["max_train"] == 20
    for need, ask in {"texts": lambda e: e.texts("toy-a", "train"), "batches": lambda e: e.labels}.items():
        with pytest.raises(UnusableData, match=f"asks for '{need}'"):
            ask(StoredEvidence(replace(cell, estimator=Asking(frozenset())), workspace))


def test_the_toys_hidden_states_are_what_its_answers_are_made_of(workspace):
    import torch

    evidence = StoredEvidence(Similarity(Fisher(), ToyBackbone(), TASKS), workspace)
    out = evidence.model("toy-a")(**next(iter(evidence.batches("toy-a", "train"))), output_hidden_states=True)
    (gradient,) = torch.autograd.grad(out.loss, out.hidden_states[-1])
    assert gradient.abs().sum() > 0


def test_a_missing_score_is_told_or_is_refused():
    check_estimator(Asking(known=1.0, says="asking: no score for the others."))
    with pytest.raises(UnusableData, match="it gave no score for some tasks, and no note says why"):
        check_estimator(Asking(known=1.0))
    with pytest.raises(UnusableData, match="it gave no score for any task"):
        check_estimator(Asking(says="asking: nothing is known."))


@dataclass(frozen=True)
class Counting:
    """An estimator that tells how many training examples of each task it is shown, and how many its models saw."""

    needs: frozenset[str] = frozenset({"models", "features", "texts", "backbone-features"})
    name: str = "counting"

    def similarity(self, evidence):
        few, every = FeatureOptions(examples=5), FeatureOptions(examples=10**6)
        for source in evidence.tasks:
            shown = {
                "texts": len(evidence.texts(source, "train")),
                "features": len(evidence.features(evidence.tasks[0], source, every).values),
                "bare": len(evidence.features(None, source, every).values),
                "few": len(evidence.features(None, source, few).values),
            }
            evidence.detail(source, shown)
        evidence.note("counting: said of all.")
        evidence.note(f"counting: said of {', '.join(evidence.targets)}.")
        scores = [evidence.task_scores[task].value for task in evidence.tasks]
        return TaskMatrix(evidence.tasks, evidence.targets, np.array([scores] * len(evidence.targets)).T)


def test_with_budgets_apart_an_estimator_sees_no_more_of_a_target_than_its_budget(workspace):
    cell = Similarity(Counting(), ToyBackbone(), TASKS, max_train=40, max_train_target=20)
    assert [c.targets for c in cell.by_target] == [(task,) for task in TASKS]
    trained = {
        training.recipe.max_train
        for training in cell.by_target[0].inputs(workspace)
        if training.recipe.task == TASKS[0]
    }
    assert trained == {20}
    estimate = cell.estimate(workspace)
    for target, details in estimate.details["by_target"].items():
        for task, shown in details.items():
            most = 20 if task == target else 40
            assert shown == {"texts": most, "features": most, "bare": most, "few": 5}
    assert estimate.notes == (
        "counting: said of all.",
        *(f"for target {task.name}: counting: said of {task.name}." for task in TASKS),
    )
    alone = Similarity(Counting(), ToyBackbone(), TASKS, max_train=40)  # where each task is trained as a source
    sources = alone.estimate(workspace).matrix
    off = ~sources.same
    np.testing.assert_array_equal(estimate.matrix.values[off], sources.values[off])
    own = [c.training(c.targets[0]).score(workspace) for c in cell.by_target]
    few = [Similarity(Counting(), ToyBackbone(), TASKS, max_train=20).training(t).score(workspace) for t in TASKS]
    assert [score.value for score in own] == [score.value for score in few]


def test_equal_budgets_and_estimators_without_examples_are_one_cell_as_ever(workspace):
    usual = Similarity(Counting(), ToyBackbone(), TASKS, max_train=40)
    assert not replace(usual, max_train_target=40).by_target
    assert workspace.key(replace(usual, max_train_target=40)) == workspace.key(usual)
    assert not Similarity(Size(), ToyBackbone(), TASKS, max_train=40, max_train_target=20).by_target
    bare = replace(usual, estimator=Asking())  # no training stands in its key: the budgets must
    assert len({workspace.key(replace(bare, targets=TASKS[:1], max_train_target=n)) for n in (None, 20, 30)}) == 3
    transfers = Similarity(Asking(frozenset({"transfers"})), ToyBackbone(), TASKS, max_train=40, max_train_target=20)
    assert {c.recipe.max_train for c in transfers.inputs(workspace)} == {20}
    assert {c.recipe.start.max_train for c in transfers.inputs(workspace)} == {40} and not transfers.by_target


@dataclass(frozen=True)
class Rare:
    """A toy task of which the last two rows alone are of a class of their own."""

    name: str = "rare"
    kind: str = "classification"
    metric: str = "accuracy"
    suite: str = "toy"
    card: Card = TASKS[0].card

    def load(self, split, files):
        dataset = TASKS[0].load(split, files)
        numbers = [*dataset.columns["label"][:-2], 2, 2]
        return replace(dataset, columns={**dataset.columns, "label": numbers}, labels=("no", "yes", "third"))


def test_a_sample_that_lost_a_class_before_has_a_key_of_its_own_and_other_samples_have_the_former_one(workspace):
    def keyed(task, n):
        training = Training(ToyBackbone(), Recipe((task,), max_train=n))
        extraction = FeatureExtraction(ToyBackbone(), None, task, FeatureOptions(examples=n))
        similarity = Similarity(Leep(), ToyBackbone(), (task, *TASKS[:2]), max_train=n)
        return ["sample" in workspace.ingredients(cell) for cell in (training, extraction, similarity)]

    assert keyed(Rare(), 7) == [True] * 3 and keyed(TASKS[0], 7) == [False] * 3 and keyed(Rare(), 60) == [False] * 3
