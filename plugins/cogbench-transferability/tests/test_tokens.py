"""Token similarity: golden values of all variants; soft prompts on a small encoder."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cogbench_transferability.mips import MIPS, token_similarity
from cogbench_transferability.pairs import Undefined
from cogbench_transferability.prompts import Prompt
from hypothesis import given
from hypothesis import strategies as st
from small import Small, batches_of, drawn_often, model_of

from cogbench import UnusableData

SOURCE, TARGET = [[1, 0], [0, 2]], [[1, 1], [3, 0], [0, -1]]


def test_golden_values():
    assert token_similarity(SOURCE, TARGET) == pytest.approx(0.853553, abs=1e-6)
    assert token_similarity(TARGET, SOURCE) == pytest.approx(0.569036, abs=1e-6)
    assert token_similarity(SOURCE, TARGET, "feature_mean") == pytest.approx(0.577350, abs=1e-6)
    assert token_similarity(SOURCE, TARGET, "feature_mean", normalise=False) == pytest.approx(0.447214, abs=1e-6)
    for variant, value in {"flatten": 0.353553, "unigram": 0.985599, "max_pairwise": 0.853553}.items():
        assert token_similarity(SOURCE, TARGET[:2], variant) == pytest.approx(value, abs=1e-6)


def test_pairs_of_neighbours_are_compared_place_by_place():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 3))
    unit = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in (a, b)]
    expected = np.mean([unit[0][i : i + 2].ravel() @ unit[1][i : i + 2].ravel() / 2 for i in (0, 2)])
    assert token_similarity(a, b, "bigram") == pytest.approx(expected)


class Texts(Small):
    """Tasks whose texts are drawn from one distribution, in other numbers."""

    def features(self, source, target, options):
        return SimpleNamespace(values=self.models[target])


def test_tasks_with_few_texts_look_less_alike_and_a_note_or_an_option_helps():
    rng = np.random.default_rng(0)
    sizes = {"few": 20, "some": 100, "many": 500}
    evidence = Texts({t: rng.normal(size=(n, 30)) for t, n in sizes.items()}, of=dict.fromkeys(sizes, ()))
    values = MIPS().similarity(evidence).values
    assert values[1, 0] + 0.02 < values[0, 1] < values[0, 2] - 0.02  # by the number of the target's texts
    assert evidence.notes == [
        "mips: tasks have 20 to 500 texts, and those with few look less alike; "
        "mips.equal=true compares as many of each."
    ]
    evidence = Texts(evidence.models, evidence.of)
    fair = MIPS(equal=True).similarity(evidence).values
    assert np.ptp(fair[~np.eye(3, dtype=bool)]) < 0.05 and evidence.notes == []


def test_a_task_without_texts_leaves_the_others_theirs():
    rng = np.random.default_rng(0)
    texts = {"none": np.full((9, 5), np.nan), "some": rng.normal(size=(9, 5)), "many": rng.normal(size=(30, 5))}
    evidence = Texts(texts, of=dict.fromkeys(texts, ()))
    values = MIPS(equal=True).similarity(evidence).values
    assert np.isfinite(values[1:, 1:][~np.eye(2, dtype=bool)]).all() and np.isnan(values[0]).all()
    assert evidence.notes == ["mips: no score for 4 of 6 pairs: a task has no tokens."]


@drawn_often
@given(st.integers(0, 10_000))
def test_it_is_bounded_its_own_best_and_blind_to_order_and_length(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    found = token_similarity(a, b)
    assert -1 - 1e-12 <= found <= 1 + 1e-12
    assert token_similarity(a, a) == pytest.approx(1)
    scaled = a[rng.permutation(4)] * rng.uniform(0.5, 2, size=(4, 1))
    assert token_similarity(scaled, b[rng.permutation(6)]) == pytest.approx(found)


@pytest.mark.parametrize(
    ("a", "b", "variant", "why"),
    [
        (SOURCE, TARGET, "flatten", "differ in shape"),
        (SOURCE, np.ones((2, 3)), "max_pairwise", "differ in shape"),
        (np.empty((0, 2)), TARGET, "max_pairwise", "has no tokens"),
        (np.zeros((2, 2)), TARGET, "max_pairwise", "all tokens of a task are zero"),
        (np.zeros((2, 2)), TARGET, "feature_mean", "zero or holds NaN"),
        (SOURCE, np.full((2, 2), np.nan), "max_pairwise", "holds NaN or infinity"),
        (SOURCE[:1], TARGET[:1], "bigram", "no pair of neighbouring"),
    ],
)
def test_what_is_undefined_is_refused(a, b, variant, why):
    with pytest.raises(Undefined, match=why):
        token_similarity(a, b, variant)


def test_one_zero_token_is_like_no_other():
    assert token_similarity([[1, 0], [0, 0]], [[1, 0]]) == pytest.approx(0.5)


def test_mips_of_tasks_and_its_directions(kinds):
    evidence = kinds.fresh()
    one = MIPS().similarity(evidence).values
    both = MIPS(direction="symmetric").similarity(evidence).values
    assert not np.allclose(one, one.T, equal_nan=True)
    assert np.allclose(both, both.T, equal_nan=True) and np.allclose(both, (one + one.T) / 2, equal_nan=True)
    part = MIPS()
    a, b = part.matrix(evidence, "classes"), part.matrix(evidence, "qa")
    assert one[evidence.tasks.index("classes"), evidence.tasks.index("qa")] == pytest.approx(token_similarity(a, b))
    assert MIPS().needs == {"features"} and MIPS(tokens="prompt").needs == {"backbone", "batches"}


def test_examples_have_no_places_to_compare():
    with pytest.raises(UnusableData, match="examples have no order"):
        MIPS(variant="flatten")


@pytest.mark.parametrize("variant", ["max_pairwise", "flatten"])
def test_prompts_of_all_kinds_of_task(kinds, variant):
    evidence = Small({None: model_of("bare")}, kinds.of, kinds.labels)
    part = MIPS(tokens="prompt", variant=variant, prompt=Prompt(length=3, steps=4))
    found = part.similarity(evidence)
    assert np.isfinite(found.values[~found.same]).all()
    assert part.matrix(evidence, "qa").shape == (3, 16)


def test_a_task_with_one_answer_has_no_prompt(kinds):
    one = [{**b, "labels": b["labels"] * 0 + 2} for b in kinds.of["numbers"]]
    evidence = Small({None: model_of("bare")}, {**kinds.of, "numbers": one}, kinds.labels)
    values = MIPS(tokens="prompt", prompt=Prompt(length=3, steps=2)).similarity(evidence).values
    assert np.isnan(values[2]).all() and np.isfinite(values[0, 1])
    assert evidence.notes == ["mips: no score for 10 of 30 pairs: all examples of a task have the same answer."]


def test_a_prompt_is_trained_and_the_backbone_is_not():
    """The label is whether the first piece is of the upper half: a prompt with its head learns it."""
    model, batches = model_of("bare"), batches_of("classes", n=32, size=8)
    batches = [{**b, "labels": (b["input_ids"][:, 0] > 20).long()} for b in batches]
    before = {name: p.clone() for name, p in model.named_parameters()}

    def loss_after(steps):
        losses = []

        class Watched(Prompt):
            def _out(self, *args):
                out = super()._out(*args)
                labels = args[-1]["labels"]
                losses.append(torch.nn.functional.cross_entropy(out.logits, labels).item())
                return out

        found = Watched(length=4, steps=steps).trained(model, batches, 2)
        return found, np.mean(losses[:4]), np.mean(losses[-4:])

    found, first, last = loss_after(80)
    assert last < 0.8 * first
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())
    again, _, _ = loss_after(80)
    assert np.array_equal(found, again)
    start, _, _ = loss_after(1)
    assert np.abs(found - start).max() > 0.05


def test_a_prompt_asks_for_room_and_token_embeddings():
    with pytest.raises(UnusableData, match="a prompt of 30 before 7 tokens is longer than the 32 positions"):
        Prompt(length=30, steps=1).trained(model_of("bare"), batches_of("classes", n=4), 2)
    with pytest.raises(UnusableData, match="need a backbone with token embeddings"):
        Prompt(steps=1).trained(torch.nn.Linear(2, 2), batches_of("classes", n=4), 2)
    with pytest.raises(UnusableData, match="length=0"):
        Prompt(length=0)
