"""Diagonal Fisher information of a model: how sharply its hidden states and weights decide about a task's answers."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cogbench import Array, UnusableData, batches_of_like_lengths, encoder_of, states_of

from .examples import ANSWERS, inputs, mask_of
from .likelihood import drawn, expected, log_likelihood

if TYPE_CHECKING:
    from torch import Generator, Tensor

Convention = Literal["per_example", "batch_squared"]
Labels = Literal["true", "sampled", "expected"]
Component = Literal["embeddings", "layers", "cls", "pooled", "heads", "parameters"]
COMPONENTS = ("embeddings", "layers", "cls", "pooled", "heads", "parameters")
ATTENTION = re.compile(r"(?:^|\.)layer\.(\d+)\.attention\.self$")  # of BERT and its relatives
LAYER = re.compile(r"(?:^|\.)(?:layer|layers|h|block|blocks)\.(\d+)\.")


def fisher(
    model: Any,
    batches: Iterable[Mapping[str, "Tensor"]],
    components: tuple[Component, ...] = ("embeddings", "layers", "cls"),
    *,
    convention: Convention = "per_example",
    labels: Labels = "true",
    samples: int = 10,
    seed: int = 0,
) -> dict[str, Array]:
    """Return the diagonal Fisher information of a trained model, for each component a vector.

    Parameters
    ----------
    model : torch module
        `model(**batch)` gives `hidden_states` when asked for, and the outputs of its head.
    batches : iterable of mappings
        Encoded examples with their answers.
    components : tuple of {"embeddings", "layers", "cls", "pooled", "heads", "parameters"}
        Of the hidden states: what leaves the embeddings; what leaves each layer; the last layer's first token; what the
        pooler makes of it, which is the released code's `cls_output`; what leaves the attention heads of each layer,
        its `multihead_output`, which BERT and its relatives have. Of the weights: those of each layer, without the
        head, in a vector as long as they are many.
    convention : {"per_example", "batch_squared"}
        The mean over examples of squared gradients, of hidden states at each of their tokens; or, as the released
        code has it, the squared sum over a batch and its tokens, which lets examples cancel each other out.
    labels : {"true", "sampled", "expected"}
        Empirical, with the examples' own answers; theoretical, with `samples` draws from the model's distribution; or
        with the whole of that distribution, where an example has one class or number, and drawn where not.
    samples, seed : int
        Of the draws.

    Returns
    -------
    dict of str to array
        `embeddings`, `layer 1`, …, `cls`, `pooled`, `heads 1`, … (n_dims,); `weights of layer 0`, … (n_weights,), in
        float64: squared nats per squared unit of the state or weight. A component without a gradient is zero.

    Raises
    ------
    UnusableData
        If a component is unknown, or a batch has no answers; or if the expectation is asked for of squared sums: it is
        zero, and what `batch_squared` finds with sampled labels is what the draws leave of it.

    References
    ----------
    Vu et al. (2020), Exploring and predicting transferability across NLP tasks, EMNLP, section 4.1.
    """
    import torch

    if unknown := {*components} - {*COMPONENTS}:
        raise UnusableData(f"unknown component {', '.join(sorted(unknown))}; known: {', '.join(COMPONENTS)}.")
    if convention == "batch_squared" and labels == "expected":
        raise UnusableData("the expected gradient is zero: with batch_squared, take the true labels or sampled ones.")
    draw = torch.Generator().manual_seed(seed)
    weights = trainable(model) if "parameters" in components else {}
    total: dict[str, Array] = {}
    n_examples = 0
    if convention == "per_example":  # a batch has one gradient of the weights: then each row is a batch
        batches = (batch for _, batch in batches_of_like_lengths([*batches], size=1 if weights else None))
    for batch in batches:
        n_examples += len(next(iter(batch.values())))
        with torch.enable_grad(), _inner_states(model, components) as inner:
            out = model(**inputs(batch), output_hidden_states=True)
            mask = batch.get("attention_mask")
            cases = [(log_likelihood(out, a, mask), share) for a, share in _cases(out, batch, labels, samples, draw)]
            for name, value in _squares(states_of(out, mask), inner, weights, cases, batch, convention):
                kind = "parameters" if name in weights else name.partition(" ")[0].replace("layer", "layers")
                if kind in components:
                    total[name] = total.get(name, 0) + value.double().cpu().numpy()
    return _by_layer({name: value / n_examples for name, value in total.items()}, weights)


@contextmanager
def _inner_states(model: Any, components: tuple[Component, ...]) -> "Iterator[dict[str, Tensor]]":
    """Collect what leaves the pooler and the attention heads of each layer during a pass, by name."""
    states: dict[str, Tensor] = {}
    encoder, hooks = encoder_of(model), []

    def keep(name: str, module: Any) -> None:
        def hook(module: Any, given: Any, out: Any) -> None:
            states[name] = out[0] if isinstance(out, tuple) else out

        hooks.append(module.register_forward_hook(hook))

    for name, module in encoder.named_modules():
        if "heads" in components and (layer := ATTENTION.search(name)):
            keep(f"heads {int(layer[1]) + 1}", module)
        if "pooled" in components and name == "pooler":
            keep("pooled", module)
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def _squares(
    hidden: Any,
    inner: "Mapping[str, Tensor]",
    weights: dict[str, "Tensor"],
    cases: "list[tuple[Tensor, Tensor]]",
    batch: Mapping[str, "Tensor"],
    convention: Convention,
) -> "Iterator[tuple[str, Tensor]]":
    """Yield squared gradients of the hidden states that the answers hang on, and of the weights, by name.

    `cases` are log-likelihoods (batch,) of answers with the weights (batch,) that they have in the mean.
    """
    import torch

    states = {(f"layer {i}" if i else "embeddings"): s for i, s in enumerate(hidden) if s.requires_grad}
    final = next(reversed(states), "")
    states.update({name: s for name, s in inner.items() if s.requires_grad})
    wanted = [*states.values(), *weights.values()]
    whole = convention == "batch_squared"
    if whole:  # one gradient, of the mean over examples and draws
        cases = [(sum(((share * value).mean() for value, share in cases), torch.zeros(())), torch.empty(0))]
    for value, share in cases:
        computed = torch.autograd.grad(value.sum(), wanted, retain_graph=True, allow_unused=True)
        gradients = [torch.zeros_like(w) if g is None else g for g, w in zip(computed, wanted, strict=True)]
        for name, g in zip(states, gradients, strict=False):
            tokens = batch.get("attention_mask") if g.ndim == 3 else None
            g = g if g.ndim == 3 else g.unsqueeze(1)  # what is pooled is as one token
            g = g if tokens is None else g[:, : tokens.shape[1]]
            mask = mask_of(g.double(), tokens)  # (batch, tokens, 1)
            last = name == final
            for label, part, kept in [(name, g, mask), *([("cls", g[:, :1], mask[:, :1])] if last else [])]:
                part = part.double() * kept  # (batch, tokens, dims)
                if whole:
                    yield label, part.sum(dim=(0, 1)).square() / kept.sum()
                else:
                    each = part.square().sum(dim=1) / kept.sum(dim=1).clamp(min=1)  # (batch, dims)
                    yield label, (share.double().unsqueeze(1) * each).sum(dim=0)
        for name, g in zip(weights, gradients[len(states) :], strict=True):
            yield name, g.double().square().flatten() * (1 if whole else share[0])


def _cases(
    out: Any, batch: Mapping[str, "Tensor"], labels: Labels, samples: int, draw: "Generator"
) -> "Iterator[tuple[Mapping[str, Tensor], Tensor]]":
    """Yield answers to take the likelihood of, and their weights (batch,)."""
    import torch

    own = {name: value for name, value in batch.items() if name in ANSWERS}
    if not own:
        raise UnusableData(
            f"a batch holds no answers, only {', '.join(batch)}: the Fisher information is that of answers, drawn ones "
            "too; expected labels, or start_positions and end_positions."
        )
    ones = torch.ones(len(next(iter(own.values()))), device=next(iter(own.values())).device)
    if labels == "true":
        yield own, ones
    elif labels == "expected" and (values := expected(out, own)) is not None:
        yield from values
    else:
        for _ in range(samples):
            yield drawn(out, own, generator=draw, mask=batch.get("attention_mask")), ones / samples


def trainable(model: Any) -> dict[str, "Tensor"]:
    """Return the trainable weights of a module by name, without its head where it knows its `base_model`."""
    return {name: p for name, p in encoder_of(model).named_parameters() if p.requires_grad}


def _by_layer(of_weights: Mapping[str, Array], weights: Mapping[str, Any]) -> dict[str, Array]:
    """Join the vectors of each layer's weights into one, named `weights of layer …`, or after their module."""
    joined: dict[str, list[Array]] = {}
    for name, value in of_weights.items():
        joined.setdefault(f"weights of {layer_of(name)}" if name in weights else name, []).append(value)
    return {name: np.concatenate(values) for name, values in joined.items()}


def layer_of(weight: str) -> str:
    """Return the layer of a weight by its name, as `layer 0`, or else the first part of its name."""
    layer = LAYER.search(weight)
    return f"layer {layer[1]}" if layer else weight.partition(".")[0]
