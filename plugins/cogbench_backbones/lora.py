"""LoRA: updates of low rank of some layers, by PEFT; the sum of two of them is one of a higher rank."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogbench import UnusableData

from .adapters import BEFORE, read_options, read_weights, silent_peft, write_adapter
from .model_folder import class_named
from .training import prefix_of_body, transformers

if TYPE_CHECKING:
    from torch import Tensor


def with_lora(model: Any, *, rank: int, alpha: int, targets: Sequence[str], head: Sequence[str], seed: int) -> Any:
    """Return a model of PEFT in which low-rank updates of some layers, the head and the pooler can be trained.

    Its outputs are those of the model until the first step, because one of the two factors starts at 0.

    Parameters
    ----------
    model : model of transformers
        With its head; it is changed in place.
    rank, alpha : int
        Of the updates, which are multiplied by alpha / rank.
    targets : sequence of str
        Names of the layers, or the ends of their names; none for those that PEFT's table names for the architecture,
        and where it has none for all linear layers.
    head : sequence of str
        Names of the modules that are trained whole and saved: the head, and a pooler.
    seed : int
        Of the first weights.

    Raises
    ------
    UnusableData
        If the model has no such layers.

    References
    ----------
    Hu et al. (2022), LoRA: low-rank adaptation of large language models, ICLR.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=lora_targets(model, targets),
        exclude_modules=rf"({'|'.join(map(re.escape, head))})(\..*)?" if head else None,
        modules_to_save=[*head],
    )
    torch.manual_seed(seed)
    with silent_peft():
        try:
            return get_peft_model(model, config)
        except ValueError as error:
            raise UnusableData(f"LoRA has nothing to adapt: {str(error).splitlines()[0]}") from error


def lora_targets(model: Any, targets: Sequence[str]) -> list[str] | str:
    """Return the names of the layers that LoRA adapts, as PEFT takes them."""
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as usual

    usual_targets = usual.get(model.config.model_type, "all-linear")
    return list(targets) or (usual_targets if isinstance(usual_targets, str) else [*usual_targets])


def save_lora(model: Any, out: Path, base: tuple[str | None, str | None], start: Path | None = None) -> None:
    """Write a trained LoRA model as PEFT does, and the configuration of the model with its head beside it.

    Parameters
    ----------
    model : model of PEFT
        As `with_lora` gives it.
    out : Path
        An empty folder.
    base : tuple
        The hub id of the base, None where it has none, and its revision.
    start : Path, optional
        The adapter that the model had in its weights when its training began. The file then holds both: side by side
        two updates of ranks r and s are one of rank r + s.
    """
    from peft import get_peft_model_state_dict

    options = model.peft_config["default"].to_dict()
    with silent_peft():
        weights = get_peft_model_state_dict(model)
    if start is not None:
        names = BEFORE + prefix_of_body(_outline(start)), BEFORE + prefix_of_body(model.get_base_model())
        first = {names[1] + name.removeprefix(names[0]): values for name, values in read_weights(start).items()}
        weights = {name: values.detach().cpu() for name, values in weights.items()}
        weights, options["r"] = _side_by_side(first, _scale(read_options(start)), weights, _scale(options))
        options["lora_alpha"] = options["r"]  # both scales are in the weights
    options["base_model_name_or_path"], options["revision"] = base
    write_adapter(model.get_base_model(), out, options=options, weights=weights)


def _side_by_side(
    first: dict[str, "Tensor"], first_scale: float, second: dict[str, "Tensor"], second_scale: float
) -> tuple[dict[str, "Tensor"], int]:
    """Return the weights of the sum of two adapters, and its rank; saved modules are those of the second."""
    import torch

    names = {n.rpartition(".lora_")[0] for n in (*first, *second) if ".lora_A." in n}
    ranks = [max((w.shape[0] for n, w in weights.items() if ".lora_A." in n), default=0) for weights in (first, second)]
    sums = {name: values for name, values in second.items() if ".lora_" not in name}
    for name in sorted(names):
        a, b = f"{name}.lora_A.weight", f"{name}.lora_B.weight"
        like_a, like_b = next((w[a], w[b]) for w in (first, second) if a in w)
        halves = [
            (weights[a], scale * weights[b])
            if a in weights
            else (like_a.new_zeros(rank, like_a.shape[1]), like_b.new_zeros(like_b.shape[0], rank))
            for weights, scale, rank in zip((first, second), (first_scale, second_scale), ranks, strict=True)
        ]
        sums[a], sums[b] = torch.cat([half[0] for half in halves]), torch.cat([half[1] for half in halves], dim=1)
    return sums, sum(ranks)


def _scale(options: dict[str, Any]) -> float:
    return float(options["lora_alpha"] / options["r"])


def _outline(folder: Path) -> Any:
    """Return the model of a checkpoint without weights."""
    import torch

    config = transformers().AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        return class_named(folder, config)(config)
