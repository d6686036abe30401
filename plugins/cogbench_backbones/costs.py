"""How much time and memory a training takes, told before it is begun."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cogbench import Dataset, Files, Recipe, Settings

from .dropout import quick_dropout
from .heads import Rows, batch, bytes_of_reading, bytes_of_row, encoded, row
from .pretrained import Pretrained
from .training import Batch, arithmetic, checkpoint_gradients, device, only_words_of, seconds_a_step
from .tunings import TuningMethod

if TYPE_CHECKING:
    from torch import Tensor

GAPS = 0.25  # what the C library's allocator takes beyond the tensors that live at one time, measured on a processor


class TrainingCosts:
    """What a backbone of transformers tells of its trainings before they are begun."""

    settings: Callable[[str, int], Settings]
    tokenizer: Callable[[Files, str], Any]
    pretrained: Callable[[Files], Pretrained]
    limit: Callable[[int, Files], int]

    @property
    def method(self) -> TuningMethod:
        """Which weights move, with the options of that."""
        raise NotImplementedError

    def cost(self, recipe: Recipe, files: Files, *, seconds: float = 0.1) -> tuple[float, int]:
        """Return the seconds that this training would take here, from a few steps of it, and its weights' bytes."""
        settings, tokenizer, model, seen, rows, n_train = self._trial(recipe, files)
        size = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
        # As in a training: only the words that occur, and batches of like lengths; in no order, for few steps see few.
        rows, _ = only_words_of(rows, model)
        order = sorted(range(len(rows["input_ids"])), key=lambda i: len(rows["input_ids"][i]))
        some = [order[i : i + settings.batch_size] for i in range(0, len(order), settings.batch_size)]
        random.Random(0).shuffle(some)
        pace = seconds_a_step(
            model, [batch(tokenizer, (row(rows, i) for i in n)) for n in some], settings=settings, seconds=seconds
        )
        each = len(order) / len(seen)  # rows of an example
        answered = each * len(recipe.task.load("evaluation", files)) / settings.batch_size / 3  # without the way back
        return (settings.steps(round(each * n_train)) + answered) * pace, size

    def memory(self, recipe: Recipe, files: Files) -> dict[str, int]:
        """Return about how many bytes each part of this training would hold at most, beside the program's own."""
        settings, tokenizer, model, _, rows, _ = self._trial(recipe, files)
        rows, whole = only_words_of(rows, model)
        table = whole[0].weight.numel() * 4 if whole else 0  # it waits beside the smaller one
        longest = sorted(range(len(rows["input_ids"])), key=lambda i: -len(rows["input_ids"][i]))[:2]
        parts = bytes_of_training(model, [row(rows, i) for i in longest], tokenizer, settings)
        return {**parts, "weights": table + parts["weights"]}

    def _trial(self, recipe: Recipe, files: Files) -> tuple[Settings, Any, Any, Dataset, Rows, int]:
        """Return settings, tokenizer, a fresh model, some examples with their rows, and how many examples there are."""
        settings = recipe.settings or self.settings(recipe.task.kind, 0)
        train = recipe.task.load("train", files).sample(recipe.max_train)
        seen = train.sample(512)
        tokenizer = self.tokenizer(files, seen.kind)
        pretrained = self.pretrained(files)
        model = pretrained.with_head(seen.kind, seen.labels, seed=0)
        model = self.method.prepare(model, pretrained, settings, seed=0)
        if settings.gradient_checkpointing:
            checkpoint_gradients(model)
        rows = encoded(tokenizer, seen, self.limit(settings.max_length, files)).rows
        return settings, tokenizer, model, seen, rows, len(train)


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


def _remembered_bytes(model: Any, rows: Batch, settings: Settings) -> int:
    """Return how many bytes a forward pass keeps for the way back, but for the weights."""
    import torch

    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    sizes = dict[int, int]()

    def count(tensor: "Tensor") -> "Tensor":
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    model.train().to(device())
    inputs = {name: values.to(model.device) for name, values in rows.items()}
    kept = torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor)
    with kept, quick_dropout(model), arithmetic(settings):
        loss = model(**inputs).loss  # it holds what is counted until here
    del loss
    return sum(sizes.values())
