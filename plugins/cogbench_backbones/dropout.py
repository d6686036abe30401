"""Dropout and attention of a training on a processor, where torch's own take most of the time of long texts.

torch draws a random number for each element by itself, which for the attention of 384 pieces takes longer than all
products of its layer; and in bf16 its fused attention is slow on the way back. Here four elements share a random
number, and attention is two plain products. It is the same dropout, by other draws.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

NAME = "cogbench"  # of the attention, among those of transformers
LEVELS = 2**16  # a share of dropped elements is a multiple of 1 / LEVELS
NOT_HERE = ("position_bias", "softcap", "s_aux", "cache")  # what attention may also be given, and only torch's handles


@contextmanager
def quick_dropout(model: Any) -> Iterator[None]:
    """Let a torch module train with this dropout and attention where it computes on a processor; then as before.

    A model whose attention is not torch's fused one keeps its own, and so does a module whose `forward` is replaced.
    """
    import torch
    import transformers as hf

    modules = [*model.modules()]
    dropouts = [m for m in modules if type(m) is torch.nn.Dropout and "forward" not in vars(m)]
    fused = [
        m for m in modules
        if isinstance(m, hf.PreTrainedModel) and m.config._attn_implementation == "sdpa"
    ]  # fmt: skip
    hf.AttentionInterface.register(NAME, attention)
    hf.AttentionMaskInterface.register(NAME, hf.masking_utils.sdpa_mask)
    for module in dropouts:
        module.forward = partial(_forward, module)  # type: ignore[method-assign]
    for body in fused:
        body.set_attn_implementation(NAME)
    try:
        yield
    finally:
        for module in dropouts:
            del module.forward
        for body in fused:
            body.set_attn_implementation("sdpa")


def _forward(module: Any, values: "Tensor") -> "Tensor":
    return dropout(values, module.p) if module.training else values


def dropout(values: "Tensor", p: float) -> "Tensor":
    """Return values of which a share `p` is 0 and the others are larger by as much: a tensor of the same shape.

    The draws hang on torch's random state.
    """
    import torch

    level = round(p * LEVELS)
    if not 0 < level < LEVELS or values.device.type != "cpu":
        return torch.nn.functional.dropout(values, p)
    return values.masked_fill(drawn(values, level), 0) * (LEVELS / (LEVELS - level))


def drawn(values: "Tensor", level: int) -> "Tensor":
    """Return which of the values are dropped, `level` of `LEVELS` in the mean: bool, of the same shape."""
    import torch

    seed, n = int(torch.randint(2**63 - 1, ())), values.numel()
    numbers = np.random.Generator(np.random.SFC64(seed)).integers(0, 2**64, -(-n // 4), dtype=np.uint64)
    bits = torch.from_numpy(numbers.view(np.int16)[:n])
    return (bits < level - LEVELS // 2).view(values.shape)


def attention(
    module: Any,
    query: "Tensor",
    key: "Tensor",
    value: "Tensor",
    attention_mask: "Tensor | None",
    dropout: float = 0.0,
    scaling: float | None = None,
    **more: Any,
) -> "tuple[Tensor, None]":
    """Return what transformers' attention of torch returns, by plain products where this is quicker.

    Parameters
    ----------
    module : torch module
    query, key, value : tensors of shape (batch, heads, tokens, dims)
    attention_mask : tensor that broadcasts to (batch, heads, tokens, tokens), optional
        Whether a token is read (bool), or what is added to its score. A token that reads none has zeros.
    dropout, scaling : float
        The share of weights that is dropped; by which factor scores are multiplied, 1 / √dims unless given.

    Returns
    -------
    tensor of shape (batch, tokens, heads, dims), None
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    level = round(dropout * LEVELS)
    causal = more.get("is_causal") if more.get("is_causal") is not None else getattr(module, "is_causal", True)
    if (
        query.device.type != "cpu"
        or not torch.is_grad_enabled()
        or not 0 <= level < LEVELS
        or key.shape[1] != query.shape[1]
        or (causal and attention_mask is None)
        or any(more.get(name) is not None for name in NOT_HERE)
    ):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
    if torch.is_autocast_enabled("cpu"):
        query, key, value = (states.to(torch.get_autocast_dtype("cpu")) for states in (query, key, value))
    with torch.autocast("cpu", enabled=False):
        scores = (query * (query.shape[-1] ** -0.5 if scaling is None else scaling)) @ key.transpose(2, 3)
        lowest, idle = torch.finfo(scores.dtype).min, None  # finite: a row of nothing but -inf would become NaN
        if attention_mask is not None and attention_mask.dtype == torch.bool:
            scores, idle = scores.masked_fill(~attention_mask, lowest), ~attention_mask.any(dim=-1, keepdim=True)
        elif attention_mask is not None:
            added = attention_mask.to(scores.dtype)
            scores, idle = scores + added.clamp(min=lowest), added.isneginf().all(dim=-1, keepdim=True)
        weights = scores.softmax(dim=-1)
        if idle is not None and idle.any():
            weights = weights.masked_fill(idle, 0)
        if level:  # the factor of dropout is taken of the smaller tensor
            weights, value = weights.masked_fill(drawn(weights, level), 0), value * (LEVELS / (LEVELS - level))
        return (weights @ value).transpose(1, 2).contiguous(), None
