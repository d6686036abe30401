"""Task vectors: their cosines by hand and by torch, by layer, from projections, and what two models do not share."""

import numpy as np
import pytest
from cogbench_transferability.pairs import Undefined
from cogbench_transferability.taskvector import TaskVector, changes, cosine_of, layer_products, sketched_products
from numpy.testing import assert_allclose
from small import Small

from cogbench import MissingData
from cogbench.compute.features import weight_change

NAMES = ("embeddings.word.weight", "encoder.layer.0.dense.weight", "encoder.layer.0.dense.bias", "encoder.layer.1.w")
SHAPES = ((30, 8), (8, 8), (8,), (40, 40))


def weights(seed, of=NAMES):
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=shape).astype(np.float32) for name, shape in zip(NAMES, SHAPES, strict=True) if name in of
    }


class Weights(Small):
    """Evidence of weights alone."""

    def weights(self, task, *, tuned=True):
        return self.models[task if tuned else None]

    def weight_change(self, task):
        return weight_change(self.models[None], self.models[task])


def evidence_of(**tasks):
    return Weights({None: weights(0), **tasks}, of=dict.fromkeys(tasks, ()))


def test_golden_value():
    """Changes (3, 4) and (4, 3) of one layer, cosine 24 / 25; (1, 0) and (0, 1) of another, cosine 0."""
    before = {"layer.0.a": np.zeros(2), "layer.1.a": np.zeros(2)}
    one = changes(before, {"layer.0.a": np.array([3.0, 4]), "layer.1.a": np.array([1.0, 0])})
    other = changes(before, {"layer.0.a": np.array([4.0, 3]), "layer.1.a": np.array([0.0, 1])})
    products = layer_products(one, other)
    assert products == {"layer 0": (24, 25, 25), "layer 1": (0, 1, 1)}
    assert cosine_of([products["layer 0"]]) == pytest.approx(0.96)
    assert cosine_of(list(products.values())) == pytest.approx(24 / 26)


def test_it_is_the_cosine_of_the_changes():
    evidence = evidence_of(a=weights(1), b=weights(2), c=weights(3))
    changed = {t: {n: evidence.models[t][n].astype(float) - evidence.models[None][n] for n in NAMES} for t in "abc"}

    def cosine(names, s, t):
        x, y = (np.concatenate([changed[task][n].ravel() for n in names]) for task in (s, t))
        return x @ y / np.linalg.norm(x) / np.linalg.norm(y)

    whole = TaskVector(by="whole").similarity(evidence)
    mean = TaskVector().similarity(evidence)
    assert_allclose(whole.values, whole.values.T)
    for i, s in enumerate("abc"):
        for j, t in enumerate("abc"):
            if i != j:
                assert whole.values[i, j] == pytest.approx(cosine(NAMES, s, t), abs=1e-6)
                by_layer = [cosine(names, s, t) for names in (NAMES[:1], NAMES[1:3], NAMES[3:])]
                assert mean.values[i, j] == pytest.approx(np.mean(by_layer), abs=1e-6)
    assert list(evidence.details["layers"]) == ["embeddings", "layer 0", "layer 1"]
    assert len(evidence.joined) == 3  # both ways of joining share their pieces


def test_projections_estimate_it():
    evidence = evidence_of(a=weights(1), b=weights(2))
    exact = TaskVector(by="whole").similarity(evidence).values[0, 1]
    sketched = TaskVector(by="whole", weights="sketched").similarity(evidence).values[0, 1]
    assert sketched == pytest.approx(exact, abs=3 / 16) and sketched != exact
    one = evidence.weight_change("a")
    assert cosine_of(list(sketched_products(one, one).values())) == pytest.approx(1)


def test_a_layer_that_did_not_move_is_left_out():
    frozen = {**weights(1), NAMES[0]: weights(0)[NAMES[0]]}
    evidence = evidence_of(a=frozen, b=weights(2))
    products = layer_products(changes(weights(0), frozen), changes(weights(0), weights(2)))
    moved = [cosine_of([products[layer]]) for layer in ("layer 0", "layer 1")]
    assert TaskVector().similarity(evidence).values[0, 1] == pytest.approx(np.mean(moved))


@pytest.mark.parametrize("how", ["exact", "sketched"])
def test_two_models_that_share_no_weights_have_no_score(how):
    evidence = evidence_of(a=weights(1, NAMES[:2]), b=weights(2, NAMES[2:]), c=weights(3), d=weights(0))
    matrix = TaskVector(weights=how).similarity(evidence)
    assert np.isnan(matrix.values[0, 1]) and np.isnan(matrix.values[3]).all() and np.isfinite(matrix.values[0, 2])
    assert evidence.notes == [
        "task-vector: no score for 6 of 12 pairs: a training changed none of the weights that both models have.",
        "task-vector: no score for 2 of 12 pairs: the encoders of the two models share no weights.",
    ]


def test_a_model_with_weights_that_are_no_numbers_has_no_score():
    evidence = evidence_of(a={**weights(1), NAMES[1]: weights(1)[NAMES[1]] * np.nan}, b=weights(2), c=weights(3))
    values = TaskVector().similarity(evidence).values
    assert np.isnan(values[0]).all() and np.isnan(values[:, 0]).all() and np.isfinite(values[1, 2])
    assert evidence.notes == ["task-vector: no score for 4 of 6 pairs: weights of a model are NaN or infinite."]


def test_a_model_that_shares_none_with_the_bare_encoder():
    with pytest.raises(Undefined, match="share no weights"):
        changes(weights(0, NAMES[:1]), weights(1, NAMES[2:]))
    evidence = evidence_of(a={"other": np.ones(3)}, b=weights(2), c=weights(3))
    found = TaskVector().similarity(evidence)
    assert np.isnan(found.values[0]).all() and np.isnan(found.values[:, 0]).all() and np.isfinite(found.values[1, 2])


def test_a_pack_is_told_to_take_projections():
    class Pack(Weights):
        def weights(self, task, *, tuned=True):
            raise MissingData("pack 'x' holds no weights.")

    with pytest.raises(MissingData, match="holds no weights; take task-vector.weights=sketched"):
        TaskVector().similarity(Pack(of={"a": (), "b": ()}))
