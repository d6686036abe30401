"""How much memory a training takes at most, told before it is begun."""

from typing import TYPE_CHECKING, Any

from cogbench import Settings

from .heads import batch, bytes_of_reading, bytes_of_row
from .training import Batch, arithmetic, device

if TYPE_CHECKING:
    from torch import Tensor

GAPS = 0.25  # what the C library's allocator takes beyond the tensors that live at one time, measured on a processor


def bytes_of_training(model: Any, rows: list[dict[str, Any]], tokenizer: Any, settings: Settings) -> dict[str, int]:
    """Return about how many bytes each of what a training holds takes at most.

    What a forward pass keeps for the way back is counted for one row and for two; from these follows any number.

    Parameters
    ----------
    model, tokenizer
        As they are trained.
    rows : list of rows
        One or more of the longest ones.
    settings : Settings

    Returns
    -------
    dict of str to int
        Of weights, gradients, the optimiser's moments and activations; and what loading the weights, or answering the
        evaluation examples, takes beyond these.
    """
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if settings.gradient_checkpointing:  # what it hides is counted, and then divided
        model.gradient_checkpointing_disable()
    one, two = (_remembered_bytes(model, batch(tokenizer, (rows * 2)[:n]), settings) for n in (1, 2))
    n_rows = settings.batch_size // settings.accumulation
    kept = one + (n_rows - 1) * max(0, two - one)
    config, longest = model.config.get_text_config(), max(len(r["input_ids"]) for r in rows)
    if settings.gradient_checkpointing:  # each layer's input, and one layer while it is computed again
        layers, width = max(1, getattr(config, "num_hidden_layers", 1)), getattr(config, "hidden_size", 0)
        kept = kept // layers + layers * n_rows * longest * width * 4
    passing = n_rows * bytes_of_row(config, longest) // 2  # about a half of what a layer makes is forgotten at once
    whole = sum(p.numel() for p in model.parameters()) * 4
    parts = {
        "weights": weights,
        "gradients": 4 * trained,
        "optimiser state": 8 * trained,
        "activations": int((kept + passing) * (1 + GAPS)),
    }
    # Before: the folder's weights beside the model's. After: the model in single precision answers, by larger batches.
    phases = {"loading": 2 * whole, "evaluation": whole + bytes_of_reading(config, longest)}
    phase = max(phases, key=lambda name: phases[name])
    return {**parts, phase: max(0, phases[phase] - sum(parts.values()))}


def _remembered_bytes(model: Any, made: Batch, settings: Settings) -> int:
    """Return how many bytes a forward pass keeps for the way back, but for the weights."""
    import torch

    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    held = dict[int, int]()

    def count(tensor: "Tensor") -> "Tensor":
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    model.train().to(device())
    inputs = {name: values.to(model.device) for name, values in made.items()}
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor), arithmetic(settings):
        loss = model(**inputs).loss  # it holds what is counted until here
    del loss
    return sum(held.values())
