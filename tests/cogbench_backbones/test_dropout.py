"""Dropout and attention of a training on a processor: the mathematics of torch's own, and its random state."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from cogbench_backbones.dropout import LEVELS, NAME, attention, dropout, quick_dropout  # noqa: E402

BIDIRECTIONAL = SimpleNamespace(is_causal=False)


def states(seed, heads=4, tokens=7, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(3, heads, tokens, 8, generator=draw, dtype=dtype, requires_grad=True)


def own_and_torchs(mask, module=BIDIRECTIONAL, heads_of_keys=4, **how):
    """Return outputs and gradients of both attentions."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    results = []
    for attend in (attention, sdpa_attention_forward):
        query, key, value = states(0), states(1, heads_of_keys), states(2, heads_of_keys)
        module = SimpleNamespace(**{"num_key_value_groups": 4 // heads_of_keys, **vars(module)})
        out, _ = attend(module, query, key, value, mask, **how)
        weight = torch.arange(out.numel(), dtype=out.dtype).view(out.shape)
        results.append([out, *torch.autograd.grad((out * weight).sum(), (query, key, value))])
    return results


READ = torch.arange(7)[None, None, None, :] < torch.tensor([7, 3, 5])[:, None, None, None]
ADDED = torch.zeros(READ.shape, dtype=torch.float64).masked_fill(~READ, -1e300)


# The second text reads nothing; the first has one token that does.
NOTHING = (READ & (torch.arange(3) != 1)[:, None, None, None]).expand(3, 1, 7, 7).clone()
NOTHING[0, 0, 4] = False
INFINITE = torch.zeros(NOTHING.shape, dtype=torch.float64).masked_fill(~NOTHING, -torch.inf)
MASKS = {"none": None, "bool": READ, "added": ADDED, "nothing": NOTHING, "infinite": INFINITE}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_without_dropout_attention_is_torchs(mask, scaling):
    own, torchs = own_and_torchs(mask, scaling=scaling)
    for one, other in zip(own, torchs, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("how", [{"module": SimpleNamespace(is_causal=True)}, {"heads_of_keys": 2}])
def test_what_only_torchs_attention_handles_goes_to_it(how):
    own, torchs = own_and_torchs(None, **how)
    for one, other in zip(own, torchs, strict=True):
        assert torch.equal(one, other)


def test_attention_drops_weights_and_keeps_their_mean():
    query, key, value = (states(seed).detach().requires_grad_() for seed in range(3))
    whole, _ = attention(BIDIRECTIONAL, query, key, value, READ)
    torch.manual_seed(0)
    draws = torch.stack([attention(BIDIRECTIONAL, query, key, value, READ, dropout=0.25)[0] for _ in range(3000)])
    assert not torch.equal(draws[0], draws[1])
    error = draws.std(dim=0) / 3000**0.5
    assert ((draws.mean(dim=0) - whole).abs() < 5 * error + 1e-9).all()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_the_share_scales_the_rest_and_lets_gradients_through_there(p, dtype):
    values = torch.ones(1001, 301, dtype=dtype, requires_grad=True)
    torch.manual_seed(3)
    out = dropout(values, p)
    kept = out != 0
    n = values.numel()
    assert abs(float(kept.float().mean()) - (1 - p)) < 5 * (p * (1 - p) / n) ** 0.5 + 1 / LEVELS
    assert torch.allclose(out[kept].float(), torch.tensor(1 / (1 - p)), rtol=0.01)
    (gradient,) = torch.autograd.grad(out.float().sum(), values)
    assert torch.equal(gradient != 0, kept)
    rows, columns = kept.float().mean(dim=1), kept.float().mean(dim=0)  # no row, column or place in four is favoured
    assert rows.std() < 1.3 * (p * (1 - p) / 301) ** 0.5 and columns.std() < 1.3 * (p * (1 - p) / 1001) ** 0.5
    fourth = kept.flatten()[: n // 4 * 4].view(-1, 4).float().mean(dim=0)
    assert (fourth - fourth.mean()).abs().max() < 5 * (p * (1 - p) / (n / 4)) ** 0.5


def test_the_draws_hang_on_torchs_random_state():
    values = torch.ones(50, 50)
    torch.manual_seed(7)
    first, second, state = dropout(values, 0.5), dropout(values, 0.5), torch.get_rng_state()
    torch.manual_seed(7)
    assert torch.equal(dropout(values, 0.5), first) and torch.equal(dropout(values, 0.5), second)
    torch.set_rng_state(state)
    third = dropout(values, 0.5)
    torch.set_rng_state(state)
    assert torch.equal(dropout(values, 0.5), third) and not torch.equal(first, second)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_nothing_or_all(p):
    assert torch.equal(dropout(torch.ones(4), p), torch.full((4,), 1 - p))


def small(**options):
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, **options
    )
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(config)


def test_a_model_trains_with_it_and_is_as_before_afterwards(monkeypatch):
    model, batch = small(), {"input_ids": torch.randint(50, (4, 9)), "labels": torch.tensor([0, 1, 1, 0])}
    calls = []
    monkeypatch.setattr("cogbench_backbones.dropout.drawn", lambda values, level: calls.append(level) or values < -9e9)
    before = model.eval()(**batch).logits
    with quick_dropout(model):
        assert model.config._attn_implementation == NAME
        with torch.inference_mode():
            assert torch.allclose(model.eval()(**batch).logits, before, atol=1e-6) and not calls
        model.train()(**batch).loss.backward()
    assert len(calls) == 1 + 3 * 2 + 1  # after the embeddings, thrice a layer, before the classifier
    assert set(calls) == {round(0.1 * LEVELS)}
    calls.clear()
    model.train()(**batch)
    assert not calls and model.config._attn_implementation == "sdpa"
    assert torch.equal(model.eval()(**batch).logits, before)


def test_without_dropout_gradients_are_those_of_torch():
    model = small(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()
    mask = (torch.arange(9) < torch.tensor([9, 4, 6, 2])[:, None]).long()
    batch = {"input_ids": torch.randint(50, (4, 9)), "labels": torch.tensor([0, 1, 1, 0]), "attention_mask": mask}
    gradients = []
    for context in (nullcontext(), quick_dropout(model)):
        model.zero_grad()
        with context:
            model(**batch).loss.backward()
        gradients.append(np.concatenate([p.grad.flatten().numpy() for p in model.parameters() if p.grad is not None]))
    assert np.allclose(*gradients, atol=1e-6) and np.abs(gradients[0]).max() > 1e-3


def test_a_failed_training_leaves_the_model_as_it_was():
    model = small()
    with pytest.raises(ZeroDivisionError), quick_dropout(model):
        raise ZeroDivisionError
    assert model.config._attn_implementation == "sdpa"
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_forward_that_somebody_has_replaced_stays():
    model = small()
    own = model.dropout.forward = lambda values: values
    with quick_dropout(model), quick_dropout(model):
        assert model.dropout.forward is own
    assert model.dropout.forward is own and model.config._attn_implementation == "sdpa"
    assert sum("forward" in vars(module) for module in model.modules()) == 1
