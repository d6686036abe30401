"""Neuron selection: golden values, planted neurons, and forests that a seed makes again."""

from dataclasses import replace

import numpy as np
import pytest
from cogbench_transferability.neurons import (
    SHARES,
    aggregated,
    alpha_of,
    chosen,
    combined,
    fingerprint,
    importances,
    meta_importance,
    ranks,
    zero_shot,
)
from cogbench_transferability.pairs import Undefined, cosine
from cogbench_transferability.tsns import TSNS
from cogbench_transferability.vocabulary import jaccard
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from small import Small, drawn_often, model_of

from cogbench import FeatureOptions, UnusableData
from cogbench.compute.features import extract_features

Q = np.array([[0.4, 0.1, 0.3, 0.2], [0.2, 0.1, 0.5, 0.2]])


def planted(n=80, seed=0, classes=2):
    """Of ten neurons, the third and the eighth tell the answers."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 10)), np.arange(n) % classes
    x[:, 2] += 3 * y
    x[:, 7] -= 2 * y
    return x, y


def test_golden_values():
    assert_allclose(combined(Q, 1.0, floor=0), [0.3, 0.1, 0.4, 0.2])
    assert_allclose(combined(Q, 0.5, floor=0), [1.649985, 50000.05, 2.19998, 100000.1], rtol=1e-6)
    found = ranks(combined(Q))
    assert found.tolist() == [2, 4, 1, 3]
    assert_allclose(meta_importance(found[None]), [1.5, 1.0, 1.75, 1.25])
    sizes = np.array([2, 2])
    a, b = fingerprint(np.array([0, 2]), sizes), fingerprint(np.array([0, 1]), sizes)
    assert a.tolist() == [0.5, 0.5] and b.tolist() == [1.0, 0.0]
    assert cosine(a, b) == pytest.approx(0.707107, abs=1e-6)
    assert jaccard([0, 2], [0, 1]) == pytest.approx(1 / 3)


def test_a_neuron_that_never_varies_does_not_outweigh_all_others():
    q = np.random.default_rng(0).uniform(0.5, 1, size=(5, 20))
    q[:, 3] = 1e-3
    assert np.argmax(combined(q, 0.5, floor=0)) == 3
    assert np.argmax(combined(q, 0.5)) != 3


@pytest.mark.parametrize("method", ["extra-trees", "forest", "mutual-information"])
@pytest.mark.parametrize("classes", [True, False])
def test_the_planted_neurons_are_found_and_a_seed_makes_them_again(method, classes):
    x, y = planted()
    answers = y if classes else y + 0.1 * np.random.default_rng(9).normal(size=80)
    made = [importances(x, answers, classes, method, draws=3, trees=20, seed=seed) for seed in (4, 4, 5)]
    assert made[0].shape == (3, 10)
    assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert chosen(combined(made[0]), 2).tolist() == [2, 7]


def test_multi_tsns_finds_them_too():
    x, y = planted(n=120)
    how = (True, "extra-trees", 2, 0.7, 20)
    found = aggregated(x, y, *how, pairs=3, n=2, seed=1)
    assert chosen(found, 2).tolist() == [2, 7]
    assert_array_equal(found, aggregated(x, y, *how, pairs=3, n=2, seed=1))
    assert 0 < found.min() and found.max() <= 3 * 2


def test_the_shares_that_multitsns_chooses_from_select_other_neurons():
    """Importances sum to 1 and vary as forests' do: some neurons are large and unsteady, some small and steady."""
    rng = np.random.default_rng(0)
    size = rng.gamma(1, size=400)
    q = np.maximum(size * (1 + rng.uniform(0.1, 1.5, size=400) * rng.normal(size=(10, 400))), 0)
    q /= q.sum(axis=1, keepdims=True)
    selected = [frozenset(chosen(combined(q, alpha_of(q, share)), 20)) for share in SHARES]
    assert len({*selected}) == 5
    plain = [frozenset(chosen(combined(q, alpha), 20)) for alpha in (0.75, 0.5, 0.25, 0.0)]
    assert len({*plain}) == 1  # as the terms stand, one of them decides
    terms = [combined(q, alpha).sum() for alpha in (1.0, 0.0)]
    alpha = alpha_of(q, 0.75)
    assert alpha * terms[0] == pytest.approx(3 * (1 - alpha) * terms[1])
    assert [alpha_of(q, share) for share in (1.0, 0.0)] == [1, 0]


@drawn_often
@given(st.integers(1, 12), st.integers(0, 10_000))
def test_selection_and_fingerprint(n, seed):
    m = np.random.default_rng(seed).integers(4, size=12).astype(float)
    kept = chosen(m, n)
    assert len(kept) == len({*kept}) == n
    assert n == 12 or m[kept].min() >= np.delete(m, kept).max()
    found = fingerprint(kept, np.array([3, 4, 5]))
    assert found.sum() == pytest.approx(1)
    assert_allclose(found * n, [(kept < 3).sum(), ((kept >= 3) & (kept < 7)).sum(), (kept >= 7).sum()])


def test_equal_importances_are_taken_by_their_place():
    assert chosen(np.zeros(5), 2).tolist() == [0, 1]
    with pytest.raises(UnusableData, match="6 neurons are to be selected of 5"):
        chosen(np.zeros(5), 6)


def test_what_tells_nothing_is_undefined():
    x, y = planted()
    with pytest.raises(Undefined, match="all examples have the same answer"):
        importances(x, np.zeros(80, int), True)
    with pytest.raises(Undefined, match="no neuron tells anything"):
        importances(np.ones((80, 3)), y, True, draws=1, trees=3)


def test_multi_tsns_of_few_numbers_gives_no_warning(recwarn):
    """Of three numbers a half has one to be checked, of which there is no R²."""
    x, _ = planted(n=3)
    importance = aggregated(x, np.array([0.0, 1.0, 5.0]), False, "extra-trees", 2, 0.7, 5, pairs=1, n=2)
    assert np.isfinite(importance).all() and not recwarn.list


def test_mutual_information_needs_two_examples_of_a_class_and_four_numbers():
    x, y = planted(n=6)
    with pytest.raises(Undefined, match="no class has two examples in a sample"):
        importances(x, np.array([0, 1, 2, 3, 4, 4]), True, "mutual-information", subsample=0.5)
    with pytest.raises(Undefined, match="fewer than four numbers"):
        importances(x[:4], np.arange(4.0), False, "mutual-information")
    found = importances(x, np.array([0, 0, 0, 0, 1, 2]), True, "mutual-information", draws=1, subsample=1.0)
    assert np.isfinite(found).all() and found.any()


def test_the_papers_transfer_applies_a_classifier_unchanged():
    source, target = planted(), planted(seed=1)
    assert zero_shot(*source, *target, np.array([2, 7])) > 0.9
    assert zero_shot(*source, target[0], 1 - target[1], np.array([2, 7])) < 0.1
    assert abs(zero_shot(*source, *target, np.array([0, 1])) - 0.5) < 0.2
    with pytest.raises(Undefined, match="of one class"):
        zero_shot(source[0], source[1] * 0, *target, np.array([2]))


QUICK = TSNS(draws=2, trees=5, neurons=4)


def test_tsns_of_all_kinds(kinds):
    """Of tagging and question answering the tokens are the examples."""
    evidence = kinds.fresh()
    found = QUICK.similarity(evidence)
    assert np.isfinite(found.values[~np.eye(6, dtype=bool)]).all()
    assert np.array_equal(found.values, found.values.T, equal_nan=True)
    assert not any("no score" in note for note in evidence.notes)
    shown = [n for n in evidence.notes if "shares of" in n]
    assert len(shown) == 6 and shown[0].startswith("tsns: shares of classes's 4 neurons in layers 1 to 2: ")
    assert sum(map(float, shown[0].rstrip(".").split()[-2:])) == pytest.approx(1)
    shares_of = evidence.details["fingerprints"]
    assert {*shares_of} == {*evidence.tasks}
    assert all(len(shares) == 2 and sum(shares) == pytest.approx(1) for shares in shares_of.values())


@pytest.mark.parametrize("similarity", ["jaccard", "spearman", "zero-shot"])
def test_other_comparisons(kinds, similarity):
    names = ("classes", "same", "classes-3", "numbers")
    of = {**kinds.of, "same": kinds.of["classes"]}
    labels = {**kinds.labels, "same": kinds.labels["classes"]}
    evidence = Small(kinds.models, {t: of[t] for t in names}, labels)
    found = replace(QUICK, similarity_=similarity).similarity(evidence).values
    if similarity == "zero-shot":
        assert found[0, 1] == found[1, 0] and 0.5 <= found[0, 1] <= 1
        assert np.isnan(found[0, 2:]).all() and np.isnan(found[3]).all()
        assert evidence.notes[-1] == "tsns: no score for 10 of 12 pairs: source and target have not the same classes."
    else:
        assert found[0, 1] == pytest.approx(1) and np.isfinite(found[~np.eye(4, dtype=bool)]).all()


def test_all_comparisons_share_the_forests(kinds):
    evidence = kinds.fresh()
    QUICK.similarity(evidence)
    n = len(evidence.joined)
    for other in ({"similarity_": "jaccard"}, {"neurons": 7}, {"neurons": None, "share": 0.5}):
        replace(QUICK, **other).similarity(evidence)
    assert len(evidence.joined) == n == 6
    replace(QUICK, pairs=1).similarity(evidence)
    assert len(evidence.joined) == n + 6


def test_multi_tsns_of_tasks(kinds):
    evidence = Small(kinds.models, {t: kinds.of[t] for t in ("classes", "classes-3", "numbers")}, kinds.labels)
    found = replace(QUICK, pairs=2).similarity(evidence)
    assert np.isfinite(found.values[~found.same]).all()


def test_more_neurons_than_there_are_is_one_clear_line(kinds):
    with pytest.raises(UnusableData, match="neurons=33, but the backbone has 32 in its layers"):
        replace(QUICK, neurons=33).similarity(kinds.fresh())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"alpha": 2.0}, "alpha, share and subsample"),
        ({"neurons": 0}, "neurons are at least 1"),
        ({"features": FeatureOptions()}, "features.layers=last; expected all"),
    ],
)
def test_bad_options(options, why):
    with pytest.raises(UnusableData, match=why):
        TSNS(**options)


def test_features_of_all_layers_are_the_first_tokens_of_each(kinds):
    import torch

    model, batch = model_of("bare"), kinds.of["classes"][0]
    features = extract_features(model, [batch], FeatureOptions(layers="all"))
    with torch.no_grad():
        states = model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], output_hidden_states=True
        ).hidden_states
    assert features.layer_sizes.tolist() == [16, 16]
    assert_allclose(features.values, np.concatenate([s[:, 0] for s in states[1:]], axis=1), atol=1e-6)
