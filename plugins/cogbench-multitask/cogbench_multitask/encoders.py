"""The encoders of models of transformers: their weights in common, and the list of their layers."""

from collections.abc import Sequence
from typing import Any

from cogbench import UnusableData


def share_encoder(owner: Any, model: Any) -> None:
    """Let a model have the weights of another one's encoder in place of its own, as far as both have them."""
    of_owner = dict(owner.base_model.named_parameters())
    for place, module in model.base_model.named_modules():
        for name, weight in module.named_parameters(recurse=False):
            other = of_owner.get(f"{place}.{name}" if place else name)
            if other is not None and other.shape == weight.shape:
                setattr(module, name, other)


def common_weights(model: Any, models: Sequence[Any]) -> list[Any]:
    """Return the weights of a model's encoder that the encoders of all models have, in the order of their names.

    Embeddings come last; their rows are those of the same words in all models.
    """
    names = sorted(set.intersection(*({*_weights(one)} for one in models)))
    own = _weights(model)
    return [*(own[name] for name in names), model.get_input_embeddings().weight]


def layers_of(encoder: Any) -> Any:
    """Return the layers of an encoder, a torch ModuleList.

    Raises
    ------
    UnusableData
        If the encoder has no list of as many layers as its configuration says.
    """
    parent, name = _place_of_layers(encoder)
    return getattr(parent, name)


def cut_layers(encoder: Any, n_layers: int) -> None:
    """Leave an encoder its first layers only, in place, and let its configuration say so."""
    parent, name = _place_of_layers(encoder)
    setattr(parent, name, getattr(parent, name)[:n_layers])
    encoder.config.num_hidden_layers = n_layers
    if kinds := getattr(encoder.config, "layer_types", None):  # how each layer attends, where layers differ in it
        encoder.config.layer_types = kinds[:n_layers]


def _place_of_layers(encoder: Any) -> tuple[Any, str]:
    """Return the module that holds the list of layers, and its name there."""
    import torch

    n_layers = getattr(encoder.config, "num_hidden_layers", None)
    for name, module in encoder.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == n_layers:
            holder, _, own_name = name.rpartition(".")
            return encoder.get_submodule(holder), own_name
    raise UnusableData(
        f"{type(encoder).__name__} has no list of layers, one module for each: take a backbone such as BERT, or the "
        "sharing joint or soft."
    )


def _weights(model: Any) -> dict[str, Any]:
    words = {id(weight) for weight in model.get_input_embeddings().parameters()}
    return {name: weight for name, weight in model.base_model.named_parameters() if id(weight) not in words}
