"""Evidence packs: what goes in comes out, estimators rank alike from a pack and from the store, damage is one line."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import safetensors.numpy
from cogbench_estimators.baselines import LeastLearned, LeastMoved
from cogbench_estimators.cra import CRA
from cogbench_estimators.dse import DSE
from evidence_plugin import LayerProbe
from numpy.testing import assert_allclose
from scipy.stats import spearmanr

from cogbench import (
    FailedCells,
    FeatureOptions,
    Files,
    MissingData,
    Pack,
    Store,
    TaskMatrix,
    UnknownName,
    UnusableData,
    load_parts,
    make_pack,
    run,
)
from cogbench.compute.workspace import Workspace
from cogbench.packs.evidence import PackedEvidence, PackedSimilarity
from cogbench.packs.pack import CARD, in_half
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal

NAMES = tuple(task.name for task in TASKS)


@dataclass(frozen=True)
class MeanFeatures:
    """Cosine of two models' mean features of the target, of those examples that `examples` asks for."""

    examples: int = 1000
    name: str = "mean-features"
    needs: frozenset[str] = frozenset({"features"})

    def similarity(self, evidence):
        options = FeatureOptions(examples=self.examples)
        values = np.full((len(evidence.tasks), len(evidence.tasks)), np.nan)
        for i, source in enumerate(evidence.tasks):
            for j, target in enumerate(evidence.tasks):
                one, own = (evidence.features(s, target, options).values.mean(axis=0) for s in (source, target))
                values[i, j] = one @ own / np.linalg.norm(one) / np.linalg.norm(own)
        return TaskMatrix.square(evidence.tasks, values)


@dataclass(frozen=True)
class Keeper:
    """Ranks by pieces that it makes from models."""

    power: int = 1
    name: str = "keeper"
    needs: frozenset[str] = frozenset({"models"})

    def pieces(self, evidence):
        return {task: (task,) for task in evidence.tasks}

    def piece(self, evidence, name):
        return {"size": np.array([np.abs(w).sum() ** self.power for w in evidence.weights(name).values()])}

    def similarity(self, evidence):
        column = [evidence.pieces(self)[task]["size"].sum() for task in evidence.tasks]
        return TaskMatrix.square(evidence.tasks, np.tile(np.array(column)[:, None], (1, len(column))))


@pytest.fixture
def world(toy_plugin, tmp_path):
    return {
        "parts": load_parts(toy_plugin),
        "store": Store(tmp_path / "store"),
        "files": Files(offline=True),
        "jobs": 0,
    }


@pytest.fixture
def pack(world, tmp_path):
    out = make_pack(ToyBackbone(), tmp_path / "toys.safetensors", suite="toy", examples=50, keep=Keeper(), **world)
    return str(out)


def evidence_of(pack, estimator, world, **changes):
    content = Pack("toys", pack).content()
    cell = PackedSimilarity(estimator, Pack("toys", pack), content.card.tasks, **changes)
    return PackedEvidence(cell, Workspace(world["files"], world["store"], world["parts"]))


def rewritten(pack, tmp_path, change_card=lambda card: None, **arrays):
    """Write a pack anew with another card or other arrays, and return the file."""
    with safetensors.safe_open(pack, framework="numpy") as tensors:
        card = json.loads(tensors.metadata()[CARD])
        content = {name: tensors.get_tensor(name) for name in tensors.keys()} | arrays
    change_card(card)
    out = tmp_path / "changed.safetensors"
    safetensors.numpy.save_file(content, out, {CARD: json.dumps(card)})
    return str(out)


@pytest.mark.parametrize(
    "estimator", [CRA(), DSE(), MeanFeatures(50), LeastMoved(), LeastLearned()], ids=lambda e: e.name
)
def test_estimators_rank_alike_from_a_pack_and_from_the_store(estimator, pack, world):
    (from_store,) = run(estimator, ToyBackbone(), suite="toy", **world)
    (from_pack,) = run(estimator, pack=pack, **world)
    one, other = from_store.matrix, from_pack.matrix
    assert spearmanr(one.values[~one.same], other.values[~one.same]).statistic > 0.99
    assert from_pack.ranking == from_store.ranking
    assert from_pack.scores.trs.value == from_store.scores.trs.value
    shared = ("backbone", "suite", "oracle", "tasks", "sources")
    assert [getattr(from_pack, f) for f in shared] == [getattr(from_store, f) for f in shared]
    assert from_pack.provenance.data == from_store.provenance.data
    assert "the evidence is that of pack 'toys', in half precision" in from_pack.notes
    assert from_store.provenance.estimator_forward is not None and from_pack.provenance.estimator_forward is None


def test_what_the_signal_is_comes_from_the_card(pack, world):
    (from_store,) = run("cnm-ridge", ToyBackbone(), suite="toy", **world)
    (from_pack,) = run("cnm-ridge", pack=pack, **world)
    assert from_pack.signal_quality == from_store.signal_quality
    assert from_pack.synthetic == from_store.synthetic == ["tasks", "signal"]
    # The folds are the same too, which are drawn by the order of the stimuli's texts: a pack has no texts.
    differences = np.abs(from_pack.matrix.values - from_store.matrix.values)
    assert np.nanmax(differences) < 2e-3
    assert from_pack.ranking == from_store.ranking


def test_no_text_is_in_the_file(pack, world):
    """Neither of the stimuli nor of an example: the card holds the tasks' own descriptions alone."""
    content = open(pack, "rb").read()
    for sentence in (
        *ToySignal().read(world["files"]).sentences,
        *TASKS[0].load("train", world["files"]).columns["text"],
    ):
        assert sentence.encode() not in content


def test_what_an_estimator_kept_is_read_and_other_options_of_it_are_refused(pack, world):
    (from_store,) = run(Keeper(), ToyBackbone(), suite="toy", **world)
    (from_pack,) = run(Keeper(), pack=pack, **world)
    assert_allclose(from_pack.similarity[0][1], from_store.similarity[0][1], rtol=1e-3)
    with pytest.raises(FailedCells, match=r"pack 'toys' holds no weights, .* which estimator 'keeper' asks for"):
        run(Keeper(power=2), pack=pack, **world)


def test_what_an_estimator_says_of_what_a_pack_lacks_is_shown(pack, world):
    class Helpful(Keeper):
        def piece(self, evidence, name):
            try:
                return super().piece(evidence, name)
            except MissingData as error:
                raise MissingData(f"{str(error).rstrip('.')}; take keeper.power=1.") from error

    with pytest.raises(FailedCells, match="asks for; take keeper.power=1; `cogbench pack make --keep keeper`"):
        run(Helpful(power=3), pack=pack, **world)


def test_what_needs_a_model_or_a_text_is_refused_by_name(pack, world):
    everything = replace(Keeper(), needs=frozenset({"models", "backbone", "texts", "batches", "representations"}))
    evidence = evidence_of(pack, everything, world)
    for ask, what in {
        (lambda: evidence.model("toy-a")): "trained models",
        (lambda: evidence.model("toy-a", tuned=False)): "model of the bare backbone",
        (lambda: evidence.weights("toy-a")): "weights",
        (lambda: evidence.texts("toy-a", "train")): "texts",
        (lambda: evidence.batches("toy-a", "train")): "encoded examples",
        (lambda: evidence.represent(["an unknown sentence"])): "representations of sentences other than",
    }.items():
        with pytest.raises(MissingData, match=f"^pack 'toys' holds no {what}.* which estimator 'keeper' asks for"):
            ask()
    with pytest.raises(UnusableData, match="asks for 'responses', which its `needs` does not name"):
        _ = evidence.responses
    with pytest.raises(FailedCells, match="holds no trained models"):
        run(LayerProbe(), pack=pack, **world)
    asker = replace(Keeper(), needs=frozenset({"cheap-transfers"}))
    with pytest.raises(MissingData, match="^pack 'toys' holds no cheap transfers, which estimator 'keeper' asks for"):
        evidence_of(pack, asker, world).cheap_transfer("toy-a", "toy-b")


def test_the_bare_backbone_represents_stimuli_and_descriptions(pack, world):
    evidence = evidence_of(pack, replace(Keeper(), needs=frozenset({"backbone", "representations"})), world)
    sentences = ToySignal().read(world["files"]).sentences
    assert evidence.stimuli[:2] == ("stimulus 01", "stimulus 02")
    bare = ToyBackbone().represent(None, tuple(sorted(sentences)), world["files"])
    assert_allclose(evidence.represent(evidence.stimuli), bare, atol=2e-3)
    text = TASKS[0].card.description
    expected = ToyBackbone().represent(None, (text,), world["files"])
    assert_allclose(evidence.represent([text]), expected, atol=2e-3)


def test_fewer_examples_are_a_stratified_sample_and_more_are_not_there(pack, world):
    (more,) = run(MeanFeatures(1000), pack=pack, **world)
    assert "mean-features: it asks for 1000 examples of each task; the pack has 50." in more.notes
    evidence = evidence_of(pack, MeanFeatures(), world)
    whole = evidence.features("toy-a", "toy-b", FeatureOptions(examples=50))
    few = evidence.features("toy-a", "toy-b", FeatureOptions(examples=20))
    again = evidence.features("toy-a", "toy-b", FeatureOptions(examples=20))
    assert len(few.values) == 20 and np.array_equal(few.values, again.values)
    assert abs((few.answers == 1).mean() - (whole.answers == 1).mean()) <= 0.06
    rows = {row.tobytes() for row in whole.values}
    assert all(row.tobytes() in rows for row in few.values)
    with pytest.raises(MissingData, match="holds no features of all models with pooling=mean and layers=last"):
        evidence.features("toy-a", "toy-b", FeatureOptions(pooling="mean"))
    evidence.features("toy-a", "toy-a", FeatureOptions(pooling="mean"))  # the target's own model is there


def test_a_part_of_the_tasks_is_ranked_and_scored_by_itself(pack, world):
    (three,) = run("dse", pack=pack, tasks=NAMES[:3], **world)
    assert three.sources == [*NAMES[:3]] and three.scores.trs.value <= 2
    with pytest.raises(UnusableData, match="pack 'toys' has no task toy-x; its tasks: toy-a, toy-b, toy-c, toy-d"):
        run("dse", pack=pack, tasks=[*NAMES[:3], "toy-x"], **world)
    with pytest.raises(UnusableData, match="at least three tasks"):
        run("dse", pack=pack, tasks=NAMES[:2], **world)


def test_a_pack_of_a_plugin_has_a_name(pack, world):
    parts = replace(world["parts"], packs={"toys": Pack("toys", pack, "synthetic")})
    (result,) = run("dse", pack="toys", **{**world, "parts": parts})
    assert result.backbone == "toy"
    with pytest.raises(UnknownName, match="unknown pack 'toyz'; did you mean 'toys'"):
        run("dse", pack="toyz", **{**world, "parts": parts})


def test_a_pack_needs_an_oracle_and_an_ending(world, tmp_path, toy_plugin):
    with pytest.raises(UnusableData, match=r"cannot write a pack as 'toys.zip': name a file .safetensors"):
        make_pack(ToyBackbone(), tmp_path / "toys.zip", suite="toy", **world)
    with pytest.raises(UnusableData, match="a pack carries a measured oracle"):
        make_pack(replace(ToyBackbone(), rate=0.04), tmp_path / "toys.safetensors", suite="toy", **world)


def test_damaged_packs_are_one_clear_line(pack, world, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(open(pack, "rb").read()[:-100])
    other = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"x": np.ones(2)}, other)
    nan = np.full((50, 8), np.nan, np.float16)
    cases = {
        str(cut): "'.*cut.safetensors' is no evidence pack, or is cut short",
        str(other): "is a file of safetensors, but no evidence pack of cogbench",
        str(tmp_path / "gone.safetensors"): "no file '.*gone.safetensors'",
    }
    for file, message in cases.items():
        with pytest.raises((UnusableData, MissingData), match=message) as error:
            run("dse", pack=file, **world)
        assert "\n" not in str(error.value)
    for change, message in {
        (lambda card: card.update(schema_version=9)): "has schema version 9; this cogbench reads 1: upgrade cogbench",
        (lambda card: card.update(schema_version=0)): "has schema version 0; .* make the pack anew",
        (lambda card: card["tasks"].pop()): r"its oracle has other sources than the pack has tasks \(toy-d\)",
        (lambda card: card.pop("backbone")): "has no card of an evidence pack: it has no backbone",
    }.items():
        with pytest.raises(UnusableData, match=message):
            run("dse", pack=rewritten(pack, tmp_path, change), **world)
    broken = rewritten(pack, tmp_path, **{"features/0/toy-b/toy-a": nan})
    with pytest.raises(FailedCells, match="'features/0/toy-b/toy-a' holds NaN or infinity; make the pack anew"):
        run(MeanFeatures(), pack=broken, **world)
    with pytest.raises(UnusableData, match="'features/0/toy-b/toy-a' holds NaN"):
        Pack("x", broken).content().check()
    Pack("x", pack).content().check()


def test_a_pack_and_a_backbone_are_not_given_together(pack, world):
    with pytest.raises(UnusableData, match="leave out backbone"):
        run("dse", "toy", pack=pack, **world)
    with pytest.raises(
        UnusableData, match="name a backbone with --backbone, trained models with --checkpoint, an evidence pack"
    ):
        run("dse", **world)


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1.5, 0, np.nan], np.float16), ([1e-9, 2e-9], np.float32), ([1e-60, 1e-61], np.float64), ([7e4], np.float32)],
)
def test_numbers_are_written_in_half_precision_where_it_holds_them(values, kind):
    assert in_half(np.array(values)).dtype == kind
    assert in_half(np.arange(3)).dtype == np.arange(3).dtype


def test_a_pack_without_responses_says_so_to_an_estimator_that_needs_them(world, tmp_path):
    pack = str(make_pack(ToyBackbone(), tmp_path / "quiet.safetensors", suite="toy", responses=False, **world))
    for estimator in ("cnm", "cnm-ridge"):
        with pytest.raises(UnusableData, match=f"pack 'quiet' holds no responses, which estimator '{estimator}' needs"):
            run(estimator, pack=pack, **world)
