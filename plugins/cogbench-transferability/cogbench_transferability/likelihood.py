"""How likely a model finds answers, for every kind of task; and answers drawn from what it finds likely."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cogbench import UnusableData

if TYPE_CHECKING:
    from torch import Generator, Tensor

Answers = Mapping[str, "Tensor"]
SPREAD = 0.25  # standard deviation of a number around the model's own, as the released code of task embeddings has it


def log_likelihood(out: Any, answers: Answers, mask: "Tensor | None" = None) -> "Tensor":
    """Return the log-likelihood of each row's answers under a model's output.

    Parameters
    ----------
    out : output of a model
        With `logits`, or `start_logits` and `end_logits`.
    answers : mapping of str to tensor
        What a batch holds beside its inputs: `labels`, or `start_positions` and `end_positions`.
    mask : tensor of shape (batch, pieces), optional
        0 for padding, where no passage begins or ends: how likely a row's passage is must not depend on the rows
        beside it.

    Returns
    -------
    tensor of shape (batch,)
        Nats, but for a constant where the answers are numbers; the sum over the pieces that have a tag.

    Raises
    ------
    UnusableData
        If the output and the answers are not of one kind.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    if {"start_positions", "end_positions"} <= {*answers}:
        start = cross_entropy(_inside(out.start_logits, mask), answers["start_positions"], reduction="none")
        return -start - cross_entropy(_inside(out.end_logits, mask), answers["end_positions"], reduction="none")
    labels, logits = answers["labels"], getattr(out, "logits", None)
    if logits is not None and labels.is_floating_point():
        if labels.ndim == 1:
            return -(logits[:, 0] - labels).square() / (2 * SPREAD**2)
        if labels.shape == logits.shape:
            return -binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(dim=1)
    elif logits is not None and logits.ndim == labels.ndim + 1:
        each = cross_entropy(logits.movedim(-1, 1), labels, reduction="none")  # (batch,) or (batch, pieces)
        return -each.flatten(1).sum(dim=1) if each.ndim > 1 else -each
    raise UnusableData("the model's outputs do not fit the answers of its batches: no likelihood can be told.")


def _inside(logits: "Tensor", mask: "Tensor | None") -> "Tensor":
    return logits if mask is None else logits.masked_fill(mask == 0, -1e9)


def drawn(out: Any, answers: Answers, generator: "Generator", mask: "Tensor | None" = None) -> dict[str, "Tensor"]:
    """Return answers of the same form, drawn from the model's own distribution: each row and piece by itself."""
    import torch

    def choose(logits: "Tensor") -> "Tensor":
        chances = logits.detach().double().softmax(dim=-1).cpu()
        drawn = torch.multinomial(chances.flatten(0, -2), 1, generator=generator)
        return drawn.view(logits.shape[:-1]).to(logits.device)

    if "start_positions" in answers:
        ends = {"start_positions": out.start_logits, "end_positions": out.end_logits}
        return {name: choose(_inside(logits, mask)) for name, logits in ends.items()}
    labels, logits = answers["labels"], out.logits.detach()
    if not labels.is_floating_point():
        return {"labels": torch.where(labels >= 0, choose(logits), labels)}  # -100: a piece that no tag is asked of
    if labels.ndim == 2:
        chances = logits.double().sigmoid().cpu()
        return {"labels": torch.bernoulli(chances, generator=generator).to(labels)}
    noise = torch.randn(len(labels), generator=generator).to(labels)
    return {"labels": logits[:, 0] + SPREAD * noise}


def expected(out: Any, answers: Answers) -> "Iterator[tuple[dict[str, Tensor], Tensor]] | None":
    """Return answers with weights (batch,) whose weighted squared gradients make the exact expectation, or None.

    There is such a set where a row has one class or one number. Of a number a single answer does: the gradient is
    linear in its distance from the model's own, so the answer one standard deviation away has the mean square.
    """
    import torch

    labels = answers.get("labels")
    if labels is None or labels.ndim != 1:
        return None
    logits = out.logits.detach()
    if labels.is_floating_point():
        return iter([({"labels": logits[:, 0] + SPREAD}, torch.ones_like(labels))])
    chances = logits.softmax(dim=1)
    return (({"labels": torch.full_like(labels, c)}, chances[:, c]) for c in range(logits.shape[1]))
