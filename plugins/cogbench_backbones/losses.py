"""What a student is to share with its teacher: the terms of TinyBERT's losses, of layers and of predictions.

Padding counts in none of them. Jiao et al. (2020), TinyBERT: distilling BERT for natural language understanding,
Findings of EMNLP, equations 7 to 11.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cogbench import UnusableData

from .heads import IGNORED
from .training import Batch, Loss

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(frozen=True, eq=False)
class Layers:
    """What the layers of a model make of a batch.

    Parameters
    ----------
    hidden : sequence of tensor (batch, tokens, width)
        The embeddings, then each layer's output.
    scores : sequence of tensor (batch, heads, tokens, tokens)
        Each layer's attention before its softmax: q · k / sqrt(width of a head), without the mask.
    """

    hidden: "Sequence[Tensor]"
    scores: "Sequence[Tensor]"


def imitated(layer: int, n_student: int, n_teacher: int) -> int:
    """Return the teacher's layer that a student's layer imitates, both counted from 1; 0 stands for the embeddings."""
    return layer * n_teacher // n_student


def of_layers(student: Layers, teacher: Layers, mask: "Tensor", projection: "Callable[[Tensor], Tensor]") -> "Tensor":
    """Return the sum over the student's layers of the mean squared errors to the teacher's layers.

    Parameters
    ----------
    student, teacher : Layers
        Of one batch.
    mask : tensor (batch, tokens)
        1 where a token is no padding.
    projection : callable
        From the student's width to the teacher's, for embeddings and hidden states.
    """
    n_student, n_teacher = len(student.scores), len(teacher.scores)
    tokens = mask.bool()
    pairs = (tokens[:, None, :, None] & tokens[:, None, None, :]).float()  # (batch, 1, tokens, tokens)
    total = mask.new_zeros((), dtype=pairs.dtype)
    for layer, hidden in enumerate(student.hidden):
        goal = teacher.hidden[imitated(layer, n_student, n_teacher)]
        total = total + (projection(hidden)[tokens] - goal[tokens]).square().mean()
    for layer, scores in enumerate(student.scores, start=1):
        error = (scores - teacher.scores[imitated(layer, n_student, n_teacher) - 1]).square() * pairs
        total = total + error.sum() / (pairs.sum() * scores.shape[1])
    return total


def soft_cross_entropy(student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
    """Return the cross entropy of softmax(student / temperature) under softmax(teacher / temperature), last axis."""
    return -(teacher.div(temperature).softmax(-1) * student.div(temperature).log_softmax(-1)).sum(-1)


def _of_classes(student: Any, teacher: Any, batch: Batch, temperature: float) -> "Tensor":
    return soft_cross_entropy(student.logits, teacher.logits, temperature).mean()


def _of_tags(student: Any, teacher: Any, batch: Batch, temperature: float) -> "Tensor":
    """Of the pieces that speak for a word."""
    words = batch["labels"] != IGNORED
    return soft_cross_entropy(student.logits[words], teacher.logits[words], temperature).mean()


def _of_spans(student: Any, teacher: Any, batch: Batch, temperature: float) -> "Tensor":
    """Of the first and the last piece of the answer, the mean of both."""
    padding = batch["attention_mask"] == 0
    terms = []
    for name in ("start_logits", "end_logits"):
        ours, goal = (getattr(out, name).masked_fill(padding, -1e9 * temperature) for out in (student, teacher))
        terms.append(soft_cross_entropy(ours, goal, temperature).mean())
    return (terms[0] + terms[1]) / 2


def _of_relevance(student: Any, teacher: Any, batch: Batch, temperature: float) -> "Tensor":
    """Of two classes, relevant or not."""
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    return cross_entropy(student.logits / temperature, (teacher.logits / temperature).sigmoid())


def _of_numbers(student: Any, teacher: Any, batch: Batch, temperature: float) -> "Tensor":
    """Squared error to the teacher's number: the released code takes the true number, which no other kind is told."""
    return (student.logits - teacher.logits).square().mean()


OF_PREDICTIONS: Mapping[str, Callable[[Any, Any, Batch, float], "Tensor"]] = {
    "classification": _of_classes,
    "relation": _of_classes,
    "tagging": _of_tags,
    "extractive-qa": _of_spans,
    "reranking": _of_relevance,
    "regression": _of_numbers,
}


def predicting(teacher: "Module", kind: str, temperature: float, names: Sequence[str]) -> Loss:
    """Return the loss of a student's outputs against a teacher's; `names` are the inputs that models take."""
    import torch

    def loss(model: Any, batch: Batch, whole: Batch) -> "Tensor":
        with torch.no_grad():
            goal = teacher(**_inputs(whole, names))
        return OF_PREDICTIONS[kind](model(**_inputs(batch, names)), goal, batch, temperature)

    return loss


@contextmanager
def imitating(student: Any, teacher: Any, names: Sequence[str]) -> Iterator[Loss]:
    """Give the loss of a student's layers against a teacher's, with a projection between their widths to be learned.

    The projection is a part of the student while this lasts, so that it is trained with it. It is learned where the
    widths are equal, too, as in the released code.
    """
    import torch

    student.to_teacher = torch.nn.Linear(student.config.hidden_size, teacher.config.hidden_size)
    with listening(student) as of_student, listening(teacher) as of_teacher:

        def loss(model: Any, batch: Batch, whole: Batch) -> "Tensor":
            with torch.no_grad():
                goal = teacher(**_inputs(whole, names), output_hidden_states=True)
            # With its head, whose dropout draws numbers too: so the rows come in the order of plain training.
            output = model(**_inputs(batch, names), output_hidden_states=True)
            ours, theirs = Layers(output.hidden_states, of_student()), Layers(goal.hidden_states, of_teacher())
            return of_layers(ours, theirs, batch["attention_mask"], student.to_teacher)

        yield loss
    del student.to_teacher


def _inputs(batch: Batch, names: Sequence[str]) -> Batch:
    return {name: values for name, values in batch.items() if name in names}


@contextmanager
def listening(model: Any) -> "Iterator[Callable[[], list[Tensor]]]":
    """Listen to a model's attention; what is given returns each layer's scores in the last batch, before the softmax.

    transformers gives attention after its softmax only, so queries and keys are taken where they are made.
    """
    output_of: dict[tuple[str, int], Tensor] = {}

    def keep(place: tuple[str, int], module: Any, inputs: Any, output: "Tensor") -> None:
        output_of[place] = output

    layers = queries_and_keys(model)
    hooks = [m.register_forward_hook(partial(keep, (n, i))) for i, both in enumerate(layers) for n, m in both.items()]

    def scores() -> "list[Tensor]":
        return [
            _scores(output_of["query", i], output_of["key", i], model.config.num_attention_heads)
            for i in range(len(layers))
        ]

    try:
        yield scores
    finally:
        for hook in hooks:
            hook.remove()


def _scores(query: "Tensor", key: "Tensor", heads: int) -> "Tensor":
    """Return q · k / sqrt(width of a head): two (batch, tokens, width) → (batch, heads, tokens, tokens)."""
    apart = [x.float().unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key)]  # (batch, heads, tokens, ·)
    return apart[0] @ apart[1].transpose(-1, -2) / apart[0].shape[-1] ** 0.5


def queries_and_keys(model: Any) -> "list[dict[str, Module]]":
    """Return the linear maps that make each layer's queries and keys.

    Raises
    ------
    UnusableData
        If the model does not have one of each for every layer, as BERT and its kin have.
    """
    import torch

    linear = [(n, m) for n, m in model.base_model.named_modules() if isinstance(m, torch.nn.Linear)]
    query, key = ([m for n, m in linear if n.rpartition(".")[2] == name] for name in ("query", "key"))
    if not len(query) == len(key) == model.config.num_hidden_layers:
        raise UnusableData(
            f"{type(model).__name__} has no query and key for the attention of each layer, as BERT and its kin have, "
            "so a student's layers cannot be compared with its; intermediate_epochs=0 distils predictions only."
        )
    return [{"query": q, "key": k} for q, k in zip(query, key, strict=True)]
