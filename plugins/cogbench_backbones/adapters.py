"""Adapters: the few weights that a LoRA or a prompt training leaves, as PEFT keeps them, and the base they belong to.

A folder of an adapter holds `adapter_config.json` and `adapter_model.safetensors`, with the head among the saved
modules. One that cogbench wrote also holds the `config.json` of the model with its head. Everything that reads weights
gives the base along, for a store is moved between machines, and the base's place in a configuration would not hold.
"""

import hashlib
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogbench import MissingData, UnusableData

from .training import transformers

if TYPE_CHECKING:
    from torch import Tensor

    from .pretrained import Pretrained

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
PROMPT = "PROMPT_TUNING"
PROMPT_WEIGHTS = "prompt_embeddings"  # as PEFT calls them in the file
MERGEABLE = ("LORA", "ADALORA", "LOHA", "LOKR", "IA3", "OFT", "BOFT", "VERA", "DELORA")  # PEFT adds them to the weights
FORMAT = {"format": "pt"}
BEFORE = "base_model.model."  # what stands before a weight's name in the file
# PEFT's words for tasks, and transformers' classes.
TASKS = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "QUESTION_ANS": "AutoModelForQuestionAnswering",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
}
OUTPUTS = ("classifier.weight", "score.weight", "out_proj.weight")  # the last layers of heads that choose a class


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter."""
    return (folder / CONFIG).is_file()


def adapter_base(folder: Path) -> tuple[str, str | None]:
    """Return the hub id or the folder of the model that an adapter belongs to, and its revision.

    Raises
    ------
    UnusableData
        If the folder does not say it, or is no adapter that can be read.
    """
    options = _options(folder)
    base = options.get("base_model_name_or_path")
    if not base:
        raise UnusableData(
            f"adapter {str(folder)!r} names no base model; write its hub id or folder as base_model_name_or_path in "
            f"{CONFIG}."
        )
    return str(base), options.get("revision")


def tuning_of(folder: Path) -> str:
    """Return which weights moved in the training of a checkpoint: "full", "lora" or "prompt"."""
    if not is_adapter(folder):
        return "full"
    return "prompt" if _options(folder).get("peft_type") == PROMPT else "lora"


def can_be_added(folder: Path) -> bool:
    """Whether a checkpoint is an adapter of a training of cogbench, to which another one can be added."""
    plain = {"use_dora", "use_rslora", "rank_pattern", "alpha_pattern"}
    return (
        is_adapter(folder)
        and (folder / "config.json").is_file()
        and (options := _options(folder)).get("peft_type") == "LORA"
        and not any(options.get(name) for name in plain)
    )


def layers_of_base(folder: Path) -> int | None:
    """Return how many layers of its base an adapter is for; None for all. An adapter of cogbench says so."""
    file = folder / "config.json"
    return json.loads(file.read_text()).get("num_hidden_layers") if file.is_file() else None


def adapter_digest(folder: Path) -> str:
    """Return a hash that changes when an adapter does."""
    digest = hashlib.sha256()
    for name in (CONFIG, *WEIGHTS):
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()


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
    with _silent():
        try:
            return get_peft_model(model, config)
        except ValueError as error:
            raise UnusableData(f"LoRA has nothing to adapt: {str(error).splitlines()[0]}") from error


def lora_targets(model: Any, targets: Sequence[str]) -> list[str] | str:
    """Return the names of the layers that LoRA adapts, as PEFT takes them."""
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as usual

    known = usual.get(model.config.model_type, "all-linear")
    return list(targets) or ([*known] if isinstance(known, list | tuple) else known)


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
    from safetensors.torch import save_file

    config = model.peft_config["default"]
    with _silent():
        weights = {name: values.detach().cpu() for name, values in get_peft_model_state_dict(model).items()}
    options = config.to_dict()
    if start is not None:
        names = BEFORE + prefix_of_body(_outline(start)), BEFORE + prefix_of_body(model.get_base_model())
        first = {names[1] + name.removeprefix(names[0]): values for name, values in read_weights(start).items()}
        weights, options["r"] = _side_by_side(first, _scale(_options(start)), weights, _scale(options))
        options["lora_alpha"] = options["r"]  # both scales are in the weights
    options["base_model_name_or_path"], options["revision"] = base
    options["inference_mode"] = True
    options["task_type"] = _task_of(model.get_base_model())
    _write_options(out, options)
    save_file({name: values.float().contiguous() for name, values in weights.items()}, out / WEIGHTS[0], FORMAT)
    _write_config(model.get_base_model(), out)


def save_prompt(model: Any, out: Path, base: tuple[str | None, str | None], head: Sequence[str]) -> None:
    """Write the prompt and the head of a model, by PEFT's names, and the configuration of the model beside them."""
    from safetensors.torch import save_file

    body = model.base_model
    weights = {PROMPT_WEIGHTS: body.prompt}
    weights |= {
        f"base_model.{name}": values
        for name, values in model.state_dict().items()
        if name.startswith(tuple(f"{module}." for module in head))
    }
    options = {
        "peft_type": PROMPT,
        "task_type": _task_of(model),
        "num_virtual_tokens": len(body.prompt),
        "token_dim": body.prompt.shape[1],
        "modules_to_save": [*head],
        "inference_mode": True,
    }
    options["base_model_name_or_path"], options["revision"] = base
    _write_options(out, options)
    save_file({name: values.detach().cpu().contiguous() for name, values in weights.items()}, out / WEIGHTS[0], FORMAT)
    _write_config(model, out)


def trained(folder: Path, base: "Pretrained") -> Any:
    """Return the model that a checkpoint's folder holds, with its head; `base` is the model that was trained."""
    if is_adapter(folder):
        return open_adapter(folder, base)
    hf = transformers()
    (name,) = hf.AutoConfig.from_pretrained(folder).architectures
    return getattr(hf, name).from_pretrained(folder)


def open_adapter(folder: Path, base: "Pretrained") -> Any:
    """Return the model that an adapter's folder stands for, with its head, in single precision.

    Updates of weights are merged into them, so that the weights have the names and the shapes of the base's. A prompt
    stays in front of the texts.

    Parameters
    ----------
    folder : Path
        As cogbench or PEFT wrote it.
    base : Pretrained
        The model that it belongs to.

    Raises
    ------
    UnusableData
        If it is of a kind that cannot be merged, or does not fit the base.
    """
    options, weights = _options(folder), read_weights(folder)
    model = _bare(folder, options, weights, base)
    kind = str(options.get("peft_type"))
    if kind == PROMPT:
        from .prompts import with_prompt

        saved = {name.removeprefix("base_model."): values for name, values in weights.items()}
        with_prompt(model, saved.pop(PROMPT_WEIGHTS))
        _refuse_foreign(folder, model.load_state_dict(saved, strict=False).unexpected_keys)
        return model
    if kind not in MERGEABLE:
        raise UnusableData(
            f"adapter {str(folder)!r} is of the kind {kind}, which cannot be merged into the weights of its base; "
            "cogbench opens adapters of LoRA and its kin, and prompts of its own trainings."
        )
    merged = _merged(model, folder, options, weights)
    merged.requires_grad_(True)  # merging leaves the weights frozen
    return merged


def read_prompt(folder: Path) -> "Tensor":
    """Return the prompt of a checkpoint (n_tokens, n_dims).

    Raises
    ------
    UnusableData
        If the checkpoint has none.
    """
    weights = read_weights(folder) if is_adapter(folder) else {}
    if PROMPT_WEIGHTS not in weights:
        raise UnusableData(
            f"checkpoint {str(folder)!r} has no prompt for a target to start from; train its source with tuning=prompt."
        )
    return weights[PROMPT_WEIGHTS]


def read_weights(folder: Path) -> dict[str, "Tensor"]:
    """Return the weights of an adapter by their names in the file. No code of the file is run."""
    import torch
    from safetensors.torch import load_file

    if (folder / WEIGHTS[0]).is_file():
        return dict(load_file(folder / WEIGHTS[0]))
    if not (folder / WEIGHTS[1]).is_file():
        raise MissingData(f"adapter {str(folder)!r} has no {WEIGHTS[0]}; save the adapter there.")
    try:
        return dict(torch.load(folder / WEIGHTS[1], map_location="cpu", weights_only=True))
    except Exception as error:  # whatever a file that is no plain weights raises
        raise UnusableData(f"adapter {str(folder)!r}: {WEIGHTS[1]} holds more than weights.") from error


def _merged(model: Any, folder: Path, options: dict[str, Any], weights: dict[str, "Tensor"]) -> Any:
    """Return a model with an adapter's updates in its weights, and with the modules that it saved."""
    from peft import PeftConfig, PeftModel, set_peft_model_state_dict

    # The task would make PEFT add modules of its own; Megatron is a module that PEFT imports by a name of the file.
    plain = {**options, "task_type": None, "megatron_config": None, "inference_mode": True, "auto_mapping": None}
    with _silent():
        try:
            adapted = PeftModel(model, PeftConfig.from_peft_type(**plain))
            report = set_peft_model_state_dict(adapted, weights)
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            raise UnusableData(
                f"adapter {str(folder)!r} does not fit its base: {str(error).strip().splitlines()[0]}"
            ) from error
        _refuse_foreign(folder, report.unexpected_keys)
        lacking = [name for name in report.missing_keys if ".default." in name]
        if lacking:
            raise UnusableData(f"adapter {str(folder)!r} lacks {len(lacking)} weights, such as {min(lacking)!r}.")
        return adapted.merge_and_unload()


def _bare(folder: Path, options: dict[str, Any], weights: dict[str, "Tensor"], base: "Pretrained") -> Any:
    """Return the base in the class of transformers that the adapter is for, with a fresh head."""
    hf = transformers()
    if (folder / "config.json").is_file():
        config = hf.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        (name,) = config.architectures
        return base.under(getattr(hf, name), config)
    task = options.get("task_type")
    if task not in TASKS:  # FEATURE_EXTRACTION, or none
        return base.body()[0]
    config = base.configured()
    classes = [values.shape[0] for name, values in sorted(weights.items()) if name.endswith(OUTPUTS)]
    if classes and task in ("SEQ_CLS", "TOKEN_CLS"):
        config = base.configured(num_labels=classes[-1])
    mapping = getattr(hf, TASKS[task])._model_mapping
    if type(config) not in mapping:
        raise UnusableData(
            f"adapter {str(folder)!r} is for {task}, which transformers lacks for the architecture "
            f"{config.model_type!r} of its base."
        )
    return base.under(mapping[type(config)], config)


def _outline(folder: Path) -> Any:
    """Return the model of a checkpoint without weights."""
    import torch

    hf = transformers()
    config = hf.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        return getattr(hf, config.architectures[0])(config)


def prefix_of_body(model: Any) -> str:
    """Return what stands before the names of the body's weights in a model with a head; some heads stand beside it."""
    return "" if model.base_model is model else f"{model.base_model_prefix}."


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


def _task_of(model: Any) -> str | None:
    suffix = type(model).__name__.partition("For")[2]
    return next((task for task, name in TASKS.items() if name.endswith(f"For{suffix}")), None)


def _options(folder: Path) -> dict[str, Any]:
    try:
        options = json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError) as error:
        raise UnusableData(f"adapter {str(folder)!r}: {CONFIG} cannot be read.") from error
    if not isinstance(options, dict):
        raise UnusableData(f"adapter {str(folder)!r}: {CONFIG} holds no options.")
    return options


def _write_options(out: Path, options: dict[str, Any]) -> None:
    plain = {name: sorted(v) if isinstance(v, set) else v for name, v in options.items()}
    (out / CONFIG).write_text(json.dumps(plain, indent=2, sort_keys=True, default=str))


def _write_config(model: Any, out: Path) -> None:
    """Write the configuration of a model with its head, as its own `save_pretrained` does."""
    config = copy(model.config)
    config.architectures, config.dtype = [type(model).__name__], "float32"
    config.save_pretrained(out)


def _refuse_foreign(folder: Path, names: Sequence[str]) -> None:
    if names:
        raise UnusableData(
            f"adapter {str(folder)!r} does not fit its base, which has no place for {len(names)} of its weights, "
            f"such as {min(names)!r}."
        )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep back PEFT's warnings, which say nothing that a user here can act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
