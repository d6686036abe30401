"""Prompts: trained vectors in front of each text, while the weights of the model's body stay as they are."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogbench import UnusableData

from .adapters import PROMPT, PROMPT_WEIGHTS, write_adapter

if TYPE_CHECKING:
    from torch import Tensor

PER_TOKEN = ("attention_mask", "token_type_ids")


def no_prompt_because(model: Any) -> str | None:
    """Return why a model cannot have a prompt, or None if it can.

    Parameters
    ----------
    model : model of transformers
        With its head or without, with weights or without.
    """
    import torch

    if model.config.is_encoder_decoder:
        return "prompts are for models of one part, and it has an encoder and a decoder; take tuning=lora"
    body = model.base_model
    try:
        table = body.get_input_embeddings()
    except NotImplementedError:
        table = None
    if not isinstance(table, torch.nn.Embedding) or "inputs_embeds" not in inspect.signature(body.forward).parameters:
        return "prompts are vectors in place of tokens' embeddings, which it does not take; take tuning=lora"
    if isinstance(getattr(body, "pooler", None), torch.nn.Linear):  # it is given the first place alone, a prompt's
        return "its pooler reads the first place of a text, where the prompt stands; take tuning=lora"
    return None


def drawn_prompt(model: Any, n_tokens: int, seed: int) -> "Tensor":
    """Return a first prompt (n_tokens, n_dims): the embeddings of tokens drawn from the vocabulary by a seed.

    References
    ----------
    Lester, Al-Rfou & Constant (2021), The power of scale for parameter-efficient prompt tuning, EMNLP.
    """
    import torch

    table = model.get_input_embeddings()
    draw = torch.Generator().manual_seed(seed)
    numbers = torch.randint(table.num_embeddings, (n_tokens,), generator=draw)
    return table(numbers).detach().clone()  # some tables scale what they give


def with_prompt(model: Any, prompt: "Tensor") -> Any:
    """Put a prompt in front of each text that a model reads, in place, and return the model.

    Its body is given the prompt and the text, and gives back the states of the text's own tokens alone. So heads,
    labels, masks, poolings and features work as without a prompt, and the first token of a text is still its own.

    Parameters
    ----------
    model : model of transformers
        With its head or without.
    prompt : tensor of shape (n_prompt_tokens, n_dims)

    Raises
    ------
    UnusableData
        If the model cannot have a prompt.
    """
    import torch

    if reason := no_prompt_because(model):
        raise UnusableData(f"{type(model).__name__}: {reason}.")
    body = model.base_model
    names = [*inspect.signature(body.forward).parameters]
    body.register_parameter("prompt", torch.nn.Parameter(prompt.detach().float().clone()))

    def put(body: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        ids, embedded = given.pop("input_ids", None), given.pop("inputs_embeds", None)
        texts = body.get_input_embeddings()(ids) if embedded is None else embedded  # (batch, tokens, dims)
        n_texts, n_tokens = len(texts), len(body.prompt)
        if given.get("attention_mask") is None:
            given["attention_mask"] = torch.ones(texts.shape[:2], dtype=torch.long, device=texts.device)
        for name in PER_TOKEN:
            if given.get(name) is not None:
                before = given[name].new_full((n_texts, n_tokens), int(name == "attention_mask"))
                given[name] = torch.cat([before, given[name]], dim=1)
        front = body.prompt.expand(n_texts, -1, -1)
        given["inputs_embeds"] = torch.cat([front, texts.to(front.dtype)], dim=1)
        return (), given

    def take_off(body: Any, inputs: Any, kwargs: Any, out: Any) -> Any:
        width = kwargs["inputs_embeds"].shape[1]
        for name, value in out.items():
            if name in ("last_hidden_state", "hidden_states"):
                out[name] = _without(value, len(body.prompt), width)
        return out

    def pool_text(pooler: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0][:, len(body.prompt) :], *args[1:])

    body.register_forward_pre_hook(put, with_kwargs=True)
    body.register_forward_hook(take_off, with_kwargs=True)
    if getattr(body, "pooler", None) is not None:
        body.pooler.register_forward_pre_hook(pool_text)
    return model


def _without(states: Any, n_tokens: int, width: int) -> Any:
    """Return hidden states, one or a tuple, without those of the prompt."""
    if isinstance(states, tuple):
        return tuple(_without(one, n_tokens, width) for one in states)
    return states[:, n_tokens:] if states.ndim == 3 and states.shape[1] >= width else states


def save_prompt(model: Any, out: Path, base: tuple[str | None, str | None], head: Sequence[str]) -> None:
    """Write the prompt and the head of a model, by PEFT's names, and the configuration of the model beside them."""
    prompt = model.base_model.prompt
    options = {
        "peft_type": PROMPT,
        "num_virtual_tokens": len(prompt),
        "token_dim": prompt.shape[1],
        "modules_to_save": [*head],
    }
    options["base_model_name_or_path"], options["revision"] = base
    modules = tuple(f"{module}." for module in head)
    of_head = {f"base_model.{n}": values for n, values in model.state_dict().items() if n.startswith(modules)}
    write_adapter(model, out, options=options, weights={PROMPT_WEIGHTS: prompt, **of_head})
