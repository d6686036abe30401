"""A fresh head on the backbone as it is: a linear layer for a task's kind, trained while the encoder stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cogbench import UnusableData, states_of

from .examples import ANSWERS, UNANSWERED, inputs, mask_of
from .likelihood import log_likelihood
from .pairs import Undefined

if TYPE_CHECKING:
    from torch import Tensor

Batch = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class FreshHead:
    """How a head is trained on a frozen encoder: of a text the mean of its tokens, of tags and passages each token.

    Parameters
    ----------
    steps : int
        Of Adam on all examples at once.
    learning_rate : float
    seed : int
        Of the head's first weights.
    """

    steps: int = 100
    learning_rate: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise UnusableData(f"head: steps={self.steps}; expected 0 or more.")
        if not 0 < self.learning_rate < inf:
            raise UnusableData(f"head: learning_rate={self.learning_rate}; expected a number above 0.")

    def trained(self, model: Any, batches: Sequence[Batch], n_labels: int) -> "list[Tensor]":
        """Return weights (n_dims, n_outputs) and bias (n_outputs,) of a head that is trained on a bare encoder."""
        import torch

        draw = torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            states = [last_states(model, batch) for batch in batches]
        width, n_outputs = states[0].shape[-1], outputs_of(batches[0], n_labels)
        limit = width**-0.5
        head = [torch.empty(width, n_outputs).uniform_(-limit, limit, generator=draw), torch.zeros(n_outputs)]
        head = [part.to(states[0]).requires_grad_() for part in head]
        optimizer = torch.optim.Adam(head, lr=self.learning_rate)
        with torch.enable_grad():
            for _ in range(self.steps):
                likely = [
                    log_likelihood(answer(state, head, batch), answers_of_batch(batch), batch.get("attention_mask"))
                    for state, batch in zip(states, batches, strict=True)
                ]
                loss = -torch.cat(likely).mean()
                head[0].grad, head[1].grad = torch.autograd.grad(loss, head)
                optimizer.step()
        return [part.detach() for part in head]


def last_states(model: Any, batch: Batch) -> "Tensor":
    """Return the encoder's last hidden states of a batch: (batch, tokens, n_dims)."""
    mask = batch.get("attention_mask")
    states = states_of(model(**inputs(batch), output_hidden_states=True), mask)[-1].float()
    return states if mask is None else states[:, : mask.shape[1]]


def answer(states: "Tensor", head: "Sequence[Tensor]", batch: Batch) -> Any:
    """Return the outputs of a head on hidden states, as a model of the task's kind names them."""
    if "start_positions" in batch or by_token(batch):
        logits = states @ head[0] + head[1]  # (batch, tokens, n_outputs)
        if "start_positions" in batch:
            return SimpleNamespace(start_logits=logits[..., 0], end_logits=logits[..., 1])
        return SimpleNamespace(logits=logits)
    mask = mask_of(states, batch.get("attention_mask"))
    pooled = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return SimpleNamespace(logits=pooled @ head[0] + head[1])


def answers_of_batch(batch: Batch) -> dict[str, "Tensor"]:
    """Return what a batch holds beside the inputs of a model."""
    return {name: value for name, value in batch.items() if name in ANSWERS}


def refuse_one_answer(batches: Sequence[Batch]) -> None:
    """Raise Undefined if all examples of a task have the same answer, or none has one: a head learns nothing then."""
    import torch

    answers = set()
    for batch in batches:
        parts = answers_of_batch(batch).values()
        tags = "labels" in batch and by_token(batch)
        rows = torch.cat([part.reshape(-1, 1) if tags else part.reshape(len(part), -1) for part in parts], dim=1)
        answers |= {tuple(row) for row in rows.tolist() if UNANSWERED not in row}
    if len(answers) < 2:
        raise Undefined("all examples of a task have the same answer" if answers else "no example has an answer")


def by_token(batch: Batch) -> bool:
    """Whether each token of a batch has an answer of its own, as tags are."""
    return not batch["labels"].is_floating_point() and batch["labels"].ndim == 2


def outputs_of(batch: Batch, n_labels: int) -> int:
    """Return how many outputs the head of a task has, which has so many classes or tags, or 0."""
    if "start_positions" in batch:
        return 2
    labels = batch["labels"]
    if labels.is_floating_point():
        return labels.shape[1] if labels.ndim == 2 else 1
    return n_labels
