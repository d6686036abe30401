"""Prompt tuning: a few vectors before a task's tokens, trained while the backbone stays as it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from cogbench import Array, UnusableData

from .heads import answers_of_batch, by_token, outputs_of, refuse_one_answer
from .likelihood import log_likelihood

if TYPE_CHECKING:
    from torch import Tensor

    from cogbench import Evidence

Batch = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Prompt:
    """How a task's soft prompt is trained.

    Parameters
    ----------
    length : int
        How many vectors stand before the tokens; the paper has 100.
    steps : int
        Of Adam, on batches as the backbone gives them; the paper makes 30 000, of Adafactor on T5.
    learning_rate : float
        Of the prompt and of the linear head that is trained with it, whose outputs are those of the task's kind.
    examples : int
        At most so many training examples, a stratified sample.
    seed : int
        Of the sample, the head, and the tokens of the vocabulary that the prompt starts from: the same for all tasks,
        so that prompts differ by what the tasks teach them.

    References
    ----------
    Lester, Al-Rfou & Constant (2021), The power of scale for parameter-efficient prompt tuning, EMNLP.
    """

    length: int = 20
    steps: int = 500
    learning_rate: float = 0.01
    examples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.length < 1 or self.steps < 1 or self.examples < 1:
            options = f"length={self.length}, steps={self.steps}, examples={self.examples}"
            raise UnusableData(f"prompt: {options}; all must be at least 1.")
        if not 0 < self.learning_rate < np.inf:
            raise UnusableData(f"prompt: learning_rate={self.learning_rate}; expected a number above 0.")

    def of(self, evidence: "Evidence", task: str) -> Array:
        """Return a task's prompt (n_tokens, n_dims), trained; Undefined as `refuse_one_answer` says."""
        batches = list(evidence.batches(task, "train", n=self.examples, seed=self.seed))
        refuse_one_answer(batches)
        return self.trained(evidence.model(task, tuned=False), batches, len(evidence.labels[task]))

    def trained(self, model: Any, batches: list[Batch], n_labels: int = 0) -> Array:
        """Train a prompt on a frozen encoder.

        Parameters
        ----------
        model : torch module
            A bare encoder that takes `inputs_embeds` and has `get_input_embeddings`.
        batches : list of mappings of str to tensor
        n_labels : int
            How many classes or tags the task has; 0 where it has none.

        Returns
        -------
        array of shape (n_tokens, n_dims)

        Raises
        ------
        UnusableData
            If the encoder has no token embeddings, or no room for the prompt.
        """
        import torch

        table = getattr(model, "get_input_embeddings", lambda: None)()
        if table is None:
            raise UnusableData("prompts need a backbone with token embeddings; mips takes tokens=text of any backbone.")
        draw = torch.Generator().manual_seed(self.seed)
        first = torch.randint(len(table.weight), (self.length,), generator=draw)
        prompt = table.weight.detach()[first.to(table.weight.device)].clone().requires_grad_()
        n_outputs = outputs_of(batches[0], n_labels)
        width = getattr(getattr(model, "config", None), "hidden_size", prompt.shape[1])  # ELECTRA embeds in fewer
        limit = width**-0.5
        head = torch.empty(width, n_outputs).uniform_(-limit, limit, generator=draw)
        head = head.to(prompt).requires_grad_()
        optimizer = torch.optim.Adam([prompt, head], lr=self.learning_rate)
        for batch in _shuffled(batches, self.steps, self.seed):
            out = self._out(model, table, prompt, head, batch)
            loss = -log_likelihood(out, answers_of_batch(batch), batch.get("attention_mask")).mean()
            prompt.grad, head.grad = torch.autograd.grad(loss, [prompt, head])  # none of the backbone's weights
            optimizer.step()
        return prompt.detach().float().cpu().numpy()

    def _out(self, model: Any, table: Any, prompt: "Tensor", head: "Tensor", batch: Batch) -> Any:
        """Return the outputs of the head, as a model of the task's kind names them."""
        import torch

        ids = batch["input_ids"]
        room = getattr(model.config, "max_position_embeddings", None)
        if room is not None and 0 < room < ids.shape[1] + self.length:
            raise UnusableData(
                f"a prompt of {self.length} before {ids.shape[1]} tokens is longer than the {room} positions of the "
                "model: take a shorter prompt, or a smaller max_length."
            )
        before = ids.new_ones(len(ids), self.length)
        mask = torch.cat([before, batch.get("attention_mask", torch.ones_like(ids))], dim=1)
        embedded = torch.cat([prompt.expand(len(ids), -1, -1), table(ids)], dim=1)  # (batch, length + tokens, dims)
        more = {}
        if "token_type_ids" in batch:
            more["token_type_ids"] = torch.cat([torch.zeros_like(before), batch["token_type_ids"]], dim=1)
        hidden = model(inputs_embeds=embedded, attention_mask=mask, **more).last_hidden_state[:, self.length :]
        logits = hidden @ head  # (batch, tokens, n_outputs)
        if "start_positions" in batch:
            return SimpleNamespace(start_logits=logits[..., 0], end_logits=logits[..., 1])
        return SimpleNamespace(logits=logits if by_token(batch) else logits[:, 0])


def _shuffled(batches: list[Batch], steps: int, seed: int) -> Iterator[Batch]:
    """Yield so many batches, all of them before one comes again, in another order each time."""
    rng, order = np.random.default_rng(seed), np.empty(0, int)
    for _ in range(steps):
        order = order if len(order) else rng.permutation(len(batches))
        yield batches[order[0]]
        order = order[1:]
