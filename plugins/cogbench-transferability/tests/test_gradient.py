"""Gradient similarity: against automatic differentiation example by example; heads of each kind; what is undefined."""

import numpy as np
import pytest
import torch
from cogbench_transferability.examples import ANSWERS
from cogbench_transferability.fisher import trainable
from cogbench_transferability.gradient import Gradient, Projection, mean_gradients
from cogbench_transferability.heads import FreshHead, answer, answers_of_batch, last_states
from cogbench_transferability.likelihood import log_likelihood
from cogbench_transferability.pairs import Undefined
from small import Small, batches_of, model_of

from cogbench import UnusableData

KINDS = {"classes": 3, "numbers": 0, "tagging": 3, "qa": 0, "passages": 0}


class Exact(Projection):
    """Keeps the whole gradient."""

    def of(self, gradients):
        parts = [
            torch.zeros(w.numel()) if g is None else g.flatten() for g, w in zip(gradients, self.weights, strict=True)
        ]
        return torch.cat(parts).double().numpy()


def exact(model):
    projection = Exact(model, 1, 0)
    projection.dims = sum(w.numel() for w in projection.weights)
    return projection


def by_hand(model, head, batches):
    """Each example alone, cut to its own tokens, by transformers' encoder and torch's losses."""
    rows = []
    names = [name for name in trainable(model) if name != "embeddings.word_embeddings.weight"]
    weights = [dict(model.named_parameters())[name] for name in names]
    for batch in batches:
        for i, label in enumerate(batch["labels"]):
            length = int(batch["attention_mask"][i].sum())
            hidden = model(batch["input_ids"][i : i + 1, :length]).last_hidden_state[0]
            logits = hidden.mean(dim=0) @ head[0] + head[1]
            loss = torch.nn.functional.cross_entropy(logits[None], label[None])
            grads = torch.autograd.grad(loss, weights, allow_unused=True)
            flat = [torch.zeros(w.numel()) if g is None else g.flatten() for g, w in zip(grads, weights, strict=True)]
            rows.append(torch.cat(flat).double().numpy())
    return np.stack(rows)


def test_gradients_are_those_of_each_example_alone():
    model, batches = model_of("bare"), batches_of("classes", n=8, seed=3)
    head = FreshHead(steps=5).trained(model, batches, 2)
    mean, directions = mean_gradients(model, head, batches, exact(model))
    rows = by_hand(model, head, batches)
    scale = np.abs(mean).max()
    assert np.allclose(mean, rows.mean(axis=0), atol=1e-4 * scale)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.allclose(directions, units.mean(axis=0), atol=1e-4 * np.abs(directions).max())


def test_the_similarity_is_the_mean_cosine_of_examples_as_less_has_it():
    model = model_of("bare")
    of = {"a": batches_of("classes", n=8, seed=1), "b": batches_of("classes", n=8, n_labels=3, seed=2)}
    labels = {"a": ("x", "y"), "b": ("x", "y", "z")}
    evidence = Small({None: model}, of, labels)
    part = Gradient(dims=200_000)
    matrix = part.similarity(evidence)
    rows = {t: by_hand(model, FreshHead().trained(model, of[t], len(labels[t])), of[t]) for t in of}
    goal = rows["b"].mean(axis=0)
    cosines = rows["a"] @ goal / np.linalg.norm(rows["a"], axis=1) / np.linalg.norm(goal)
    assert matrix.values[0, 1] == pytest.approx(cosines.mean(), abs=0.02)
    means = Gradient("means", dims=200_000).similarity(evidence).values
    source = rows["a"].mean(axis=0)
    expected = source @ goal / np.linalg.norm(source) / np.linalg.norm(goal)
    assert means[0, 1] == means[1, 0] == pytest.approx(expected, abs=0.02)
    assert len(evidence.joined) == 2  # both similarities share the gradients


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_head_learns_each_kind_of_task(kind):
    model, batches = model_of("bare"), batches_of(kind, n=8, n_labels=3, seed=1)

    def loss(head):
        with torch.no_grad():
            likely = [
                log_likelihood(answer(last_states(model, b), head, b), answers_of_batch(b), b["attention_mask"])
                for b in batches
            ]
        return -float(torch.cat(likely).mean())

    before, after = (FreshHead(steps=steps).trained(model, batches, KINDS[kind]) for steps in (0, 60))
    assert loss(after) < loss(before)
    again = FreshHead(steps=60).trained(model, batches, KINDS[kind])
    assert torch.equal(after[0], again[0])


def test_tasks_of_all_kinds_are_compared_at_one_model(kinds):
    evidence = kinds.fresh()
    matrix = Gradient(examples=12).similarity(evidence)
    assert np.isfinite(matrix.values[~matrix.same]).all() and evidence.notes == []
    assert np.abs(matrix.values[~matrix.same]).max() <= 1


def test_a_task_without_gradient_has_no_score_and_a_note():
    model = model_of("bare")
    for p in model.parameters():
        p.requires_grad_(False)
    still = torch.zeros(16, 2), torch.zeros(2)
    for p in model.parameters():
        p.requires_grad_(True)
    with pytest.raises(Undefined, match="no example of a task has a gradient"):
        mean_gradients(model, still, batches_of("classes", n=4), Projection(model, 64, 0))


def without_answers(batch):
    return {**batch, "labels": torch.full_like(batch["labels"], -100)}


def alike(batch):
    return {name: part if name not in ANSWERS else torch.ones_like(part) for name, part in batch.items()}


@pytest.mark.parametrize(
    ("task", "change", "why"),
    [
        *((task, alike, "all examples of a task have the same answer") for task in ("classes", "numbers", "qa")),
        ("tagging", without_answers, "no example has an answer"),
    ],
)
def test_a_task_with_one_answer_or_none_has_no_score(kinds, task, change, why):
    of = {"classes-3": kinds.of["classes-3"], "passages": kinds.of["passages"], task: map(change, kinds.of[task])}
    evidence = Small(kinds.models, {name: list(batches) for name, batches in of.items()}, kinds.labels)
    values = Gradient(dims=64, examples=12).similarity(evidence).values
    assert np.isnan(values[2]).all() and np.isfinite(values[0, 1])
    assert evidence.notes == [f"gradient: no score for 4 of 6 pairs: {why}."]


def test_the_embeddings_are_left_out_and_the_projection_keeps_inner_products():
    model = model_of("bare")
    projection = Projection(model, 4096, 0)
    assert len(projection.weights) == len(trainable(model)) - 1
    torch.manual_seed(0)
    a = [torch.randn_like(w) for w in projection.weights]
    b = [x + torch.randn_like(x) for x in a]
    x, y = (np.concatenate([g.double().flatten().numpy() for g in gs]) for gs in (a, b))
    p, q = projection.of(a), projection.of(b)
    exact = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
    assert p @ q / np.linalg.norm(p) / np.linalg.norm(q) == pytest.approx(exact, abs=0.05)


def test_bad_options_are_one_clear_line():
    with pytest.raises(UnusableData, match="dims=0"):
        Gradient(dims=0)
    with pytest.raises(UnusableData, match="steps=-1"):
        FreshHead(steps=-1)
    with pytest.raises(UnusableData, match="learning_rate=0"):
        FreshHead(learning_rate=0)
