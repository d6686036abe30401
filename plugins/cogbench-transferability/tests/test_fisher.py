"""Fisher information against golden values and automatic differentiation; task embeddings and their fusion."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cogbench_transferability.examples import inputs
from cogbench_transferability.fisher import fisher, trainable
from cogbench_transferability.fusion import fused
from cogbench_transferability.likelihood import drawn, expected, log_likelihood
from cogbench_transferability.pairs import cosine
from cogbench_transferability.taskemb import TaskEmb
from numpy.testing import assert_allclose
from small import Linear, Small, batches_of, model_of, square

from cogbench import UnusableData

X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
REGRESSION = Linear([[0.5, -0.5], [-0.5, 0.5]])
EXAMPLES = [{"x": X, "labels": torch.tensor([0, 1, 1])}]
W = "weights of weights"


def of_weights(**how):
    return fisher(REGRESSION, EXAMPLES, ("parameters",), **how)[W].reshape(2, 2)


def test_golden_values_of_softmax_regression():
    assert_allclose(of_weights(), 0.107443, atol=1e-6)
    assert_allclose(of_weights(labels="expected"), 0.148871, atol=1e-6)
    one_batch = of_weights(convention="batch_squared")  # divided by the number of examples, as the released code does
    assert_allclose(one_batch, [[0.001977] * 2, [0.021899] * 2], atol=1e-6)
    assert_allclose(3 * one_batch, [[0.005932] * 2, [0.065697] * 2], atol=1e-6)


def test_sampled_labels_come_near_the_expectation_and_are_reproducible_by_seed():
    found = of_weights(labels="sampled", samples=1000)
    assert_allclose(found, 0.148871, rtol=0.05)
    few = of_weights(labels="sampled", samples=3, seed=1)
    assert_allclose(few, of_weights(labels="sampled", samples=3, seed=1))
    assert not np.allclose(few, of_weights(labels="sampled", samples=3, seed=2))


@pytest.mark.parametrize("labels", ["true", "sampled", "expected"])
def test_batches_without_answers_are_refused(labels):
    with pytest.raises(UnusableData, match="a batch holds no answers, only x"):
        fisher(REGRESSION, [{"x": X}], ("parameters",), labels=labels)


def test_splitting_the_examples_into_batches_changes_nothing_but_squared_sums():
    parts = [{name: value[i : i + 1] for name, value in EXAMPLES[0].items()} for i in range(3)]
    assert_allclose(fisher(REGRESSION, parts, ("parameters",))[W], of_weights().ravel())
    apart = fisher(REGRESSION, parts, ("parameters",), convention="batch_squared")[W]
    assert_allclose(apart, of_weights().ravel())  # of one example each, the two conventions are one


@pytest.mark.parametrize("kind", ["classes", "numbers", "tagging", "qa", "passages"])
def test_each_component_is_the_mean_square_of_gradients_example_by_example(kind):
    """The reference takes each example alone, cut to its own tokens, through transformers' own loss."""
    model, batches = model_of(kind, 3, seed=3), batches_of(kind, n=8, n_labels=3, seed=4)
    found = fisher(model, batches, ("embeddings", "layers", "cls", "parameters"))
    total, n = {}, 0

    def add(name, g):
        total[name] = total.get(name, 0) + g.double().numpy()

    for batch in batches:
        for i in range(len(batch["input_ids"])):
            length = int(batch["attention_mask"][i].sum())
            one = {
                k: v[i : i + 1, :length] if v.ndim == 2 and v.shape[1] > 1 else v[i : i + 1] for k, v in batch.items()
            }
            out = model(**one, output_hidden_states=True)
            scale = {
                "numbers": 1 / (2 * 0.25**2),  # the loss is the squared distance
                "qa": 2,  # the mean of two losses
                "tagging": int((one.get("labels", torch.zeros(1)) >= 0).sum()),  # the mean over pieces
            }.get(kind, 1)
            weights = [p for p in model.base_model.parameters()]
            loss = scale * out.loss
            grads = torch.autograd.grad(loss, [*out.hidden_states, *weights], allow_unused=True)
            for level, g in enumerate(grads[: len(out.hidden_states)]):
                add(f"layer {level}" if level else "embeddings", (g[0] ** 2).mean(dim=0))
            add("cls", grads[len(out.hidden_states) - 1][0, 0] ** 2)
            flat = [torch.zeros(p.numel()) if g is None else g.flatten() ** 2
                    for g, p in zip(grads[len(out.hidden_states) :], weights, strict=True)]  # fmt: skip
            add("all", torch.cat(flat))
            n += 1
    for name in ("embeddings", "layer 1", "layer 2", "cls"):
        assert_allclose(found[name], total[name] / n, rtol=1e-3, atol=1e-5 * total[name].max() / n)
    each = [v for name, v in found.items() if name.startswith("weights of ")]
    assert sum(map(len, each)) == len(total["all"])
    assert sum(v.sum() for v in each) == pytest.approx(total["all"].sum() / n, rel=1e-4)
    assert {"weights of layer 0", "weights of layer 1", "weights of embeddings"} <= {*found}


def test_the_head_is_no_component():
    model = model_of("classes")
    assert not any("classifier" in name for name in trainable(model))
    assert trainable(model)


@pytest.mark.parametrize("kind", ["classes", "numbers", "tagging", "qa", "passages"])
def test_drawn_answers_have_the_form_of_the_true_ones(kind):
    model, batch = model_of(kind, 3), batches_of(kind, n=4, n_labels=3)[0]
    with torch.no_grad():
        out = model(**inputs(batch))
    own = {k: v for k, v in batch.items() if k in ("labels", "start_positions", "end_positions")}
    made = drawn(out, own, torch.Generator().manual_seed(0))
    assert {k: (v.shape, v.dtype) for k, v in made.items()} == {k: (v.shape, v.dtype) for k, v in own.items()}
    assert log_likelihood(out, made).shape == (4,)
    if kind == "tagging":
        assert torch.equal(made["labels"] < 0, own["labels"] < 0)
    assert (expected(out, own) is not None) == (kind in ("classes", "numbers"))


def test_the_expectation_over_numbers_is_what_draws_come_near():
    model, batches = model_of("numbers"), batches_of("numbers", n=4)
    whole = fisher(model, batches, ("cls",), labels="expected")["cls"]
    assert_allclose(fisher(model, batches, ("cls",), labels="sampled", samples=500)["cls"], whole, rtol=0.2)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(UnusableData, match="the expected gradient is zero"):
        of_weights(labels="expected", convention="batch_squared")
    with pytest.raises(UnusableData, match="unknown component pooler; known: embeddings"):
        fisher(REGRESSION, EXAMPLES, ("pooler",))
    with pytest.raises(UnusableData, match="components=; expected some of embeddings"):
        TaskEmb(components=())
    with pytest.raises(UnusableData, match="do not fit the answers"):
        fisher(model_of("classes"), batches_of("tagging", n=4), ("cls",))


def test_golden_reciprocal_rank_fusion():
    ranks = np.array([[1, 1, 2], [2, 3, 1], [3, 2, 3]])  # (sources, components)
    values = np.full((3, 4, 4), np.nan)
    values[:, :3, 3] = -ranks.T
    found = fused([square(v, "abct") for v in values])
    assert_allclose(found[:3, 3], [0.048916, 0.048395, 0.047875], atol=1e-6)


def test_a_matrix_without_a_score_counts_as_the_mean_of_the_others():
    a, b = np.ones((3, 3)), np.ones((3, 3))
    a[:, 2], b[:, 2] = [3, 1, 0], [np.nan, 2, 0]
    a[0, 1] = b[0, 1] = np.nan
    found = fused([square(a), square(b)])
    assert found[0, 2] == pytest.approx(2 / 61)
    assert found[1, 2] == pytest.approx(1 / 62 + 1 / 61)
    assert np.isnan(found[0, 1]) and np.isfinite(found[2, 1])


def test_taskemb_of_all_kinds(kinds):
    """A tagger's answers do not hang on the first token: that component says nothing of it, the others do."""
    evidence = kinds.fresh()
    found = TaskEmb(components=("embeddings", "cls")).similarity(evidence)
    assert np.isfinite(found.values[~found.same]).all()
    assert evidence.notes == ["taskemb: component cls left out for 10 of 30 pairs: no gradient in it."]


def test_the_last_layer_counts_once(kinds):
    """Of a head that reads the first token, `cls` is the last layer's vector, but for the lengths of the texts."""
    names = ("classes", "classes-3", "numbers")
    evidence = Small(kinds.models, {t: kinds.of[t] for t in names})
    for t in names:
        vectors = TaskEmb().piece(evidence, t)
        assert cosine(vectors["cls"], vectors["layer 2"]) > 0.99
    found = TaskEmb().similarity(evidence).values
    without = TaskEmb(components=("embeddings", "layers")).similarity(evidence).values
    assert np.array_equal(found, without, equal_nan=True)
    assert found[~np.isnan(found)].max() <= 3 / 61  # the votes of the embeddings and of two layers


@pytest.mark.parametrize("kind", ["classes", "tagging"])
def test_pooled_output_and_attention_heads_against_automatic_differentiation(kind):
    model, batches = model_of(kind, 3, seed=3), batches_of(kind, n=4, n_labels=3, seed=4)
    found = fisher(model, batches, ("pooled", "heads"))
    kept = {}
    modules = dict(model.base_model.named_modules())
    for layer in (1, 2):
        modules[f"encoder.layer.{layer - 1}.attention.self"].register_forward_hook(
            lambda m, i, out, name=f"heads {layer}": kept.update({name: out[0]})
        )
    if kind == "classes":  # a tagger has no pooler
        modules["pooler"].register_forward_hook(lambda m, i, out: kept.update(pooled=out))
    total = dict.fromkeys(found, 0)
    for i in range(4):
        length = int(batches[0]["attention_mask"][i].sum())
        one = {k: v[i : i + 1, :length] if v.ndim == 2 else v[i : i + 1] for k, v in batches[0].items()}
        out = model(**one)
        scale = int((one["labels"] >= 0).sum()) if kind == "tagging" else 1
        for name, g in zip(kept, torch.autograd.grad(scale * out.loss, list(kept.values())), strict=True):
            total[name] = total[name] + (g.double() ** 2).reshape(-1, g.shape[-1]).mean(dim=0).numpy() / 4
    assert {*found} == {*kept} == {"heads 1", "heads 2"} | ({"pooled"} if kind == "classes" else set())
    for name in found:
        assert_allclose(found[name], total[name], rtol=1e-3, atol=1e-5 * np.max(total[name]))
    assert not any(module._forward_hooks for module in model_of(kind, 3).modules())


def test_taskemb_ranks_by_the_cosine_where_there_is_one_component(kinds):
    names = ("classes", "classes-3", "numbers", "qa")
    evidence = Small(kinds.models, {t: kinds.of[t] for t in names})
    part = TaskEmb(components=("cls",))
    found = part.similarity(evidence).values
    vectors = np.stack([part.piece(evidence, t)["cls"] for t in names])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for t in range(4):
        others = [s for s in range(4) if s != t]
        assert np.argsort(found[others, t]).tolist() == np.argsort((unit @ unit.T)[others, t]).tolist()


def test_taskemb_of_weights_compares_what_two_models_share(kinds):
    names = ("classes", "numbers", "tagging")
    evidence = Small(kinds.models, {t: kinds.of[t][:1] for t in names})
    found = TaskEmb(components=("parameters",)).similarity(evidence)
    assert np.isfinite(found.values[~found.same]).all()  # a tagger has no pooler
    assert evidence.notes == ["taskemb: component weights of pooler left out for 4 of 6 pairs: no gradient in it."]


def test_zero_gradients_give_no_estimate_and_a_note():
    still = Linear([[0.0, 0.0], [0.0, 0.0]])
    evidence = Small({"a": still, "b": REGRESSION, "c": Linear([[1.0, 0.0], [0.0, 2.0]])}, {t: EXAMPLES for t in "abc"})
    found = TaskEmb(components=("cls",)).similarity(evidence)
    assert np.isnan(found.values[0, 1:]).all() and np.isnan(found.values[1:, 0]).all()
    assert np.isfinite(found.values[1, 2])
    assert evidence.notes == ["taskemb: component cls left out for 4 of 6 pairs: no gradient in it."]
    broken = Linear([[np.nan, 0.0], [0.0, 0.0]])
    evidence = Small({**evidence.models, "a": broken}, evidence.of)
    assert np.isnan(TaskEmb(components=("cls",)).similarity(evidence).values[0, 1:]).all()
    assert evidence.notes == ["taskemb: component cls left out for 4 of 6 pairs: no finite gradient in it."]


def test_options_change_the_embedding():
    batches = batches_of("classes", n=8)
    model = model_of("classes")
    evidence = Small({"a": model}, {"a": batches})
    base = TaskEmb()
    for other in ({"convention": "batch_squared"}, {"labels": "sampled"}, {"labels": "expected"}):
        found = replace(base, **other).piece(Small(evidence.models, evidence.of), "a")
        assert not np.allclose(found["cls"], base.piece(Small(evidence.models, evidence.of), "a")["cls"], rtol=1e-3)
