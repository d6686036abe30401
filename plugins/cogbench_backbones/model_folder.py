"""What the files of a model's folder say of it before it is opened, and why it cannot be opened."""

import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from cogbench import UnusableData

if TYPE_CHECKING:
    from torch.nn import Module

Pooling = Literal["cls", "mean", "last"]
MOST_LAYERS = 10_000
POSITIONS = ("position_embeddings", "embed_positions", "wpe")  # how transformers calls tables of positions
VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken", "tokenizer.*.json", "source.spm")
NO_WORDS = "the folder has neither tokenizer.json nor a vocabulary; save the tokenizer there."
SENTENCEPIECE = ("spm.model", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")


def quantised(folder: Path) -> str | None:
    """Return why the weights of a folder cannot be trained if they are quantised, else None."""
    try:
        config = read_json(folder / "config.json")
    except UnusableData:
        return None  # what opens the configuration says so
    options = config.get("quantization_config") or {}
    in_bits = next((f"{n} bit" for n in (4, 8) for c in (config, options) if c.get(f"load_in_{n}bit")), "")
    method = options.get("quant_method") or in_bits
    if not (options or in_bits):
        return None
    return (
        f"its weights are quantised ({method or 'by a method without a name'}), and cogbench trains and compares "
        "whole weights; take the original model, or save it dequantised (`model.dequantize()`)"
    )


def read_json(file: Path, kind: type = dict) -> Any:
    """Return the object, or the list, in a JSON file of a model folder; UnusableData if it cannot be read."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableData(f"{str(file)!r} cannot be read as JSON: {type(error).__name__}.") from error
    if not isinstance(value, kind):
        raise UnusableData(f"{str(file)!r} holds no JSON {'object' if kind is dict else 'list'}.")
    return value


def refuse_impossible(folder: Path, config: Any) -> None:
    """Raise UnusableData for a configuration that transformers reads and no model can be built from."""
    named = config.architectures or []
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise UnusableData(f"model folder {str(folder)!r}: architectures in its config.json are no texts.")
    for name, n in config.to_dict().items():  # whoever builds them layer by layer comes to no end
        if name.endswith("layers") and isinstance(n, int) and n > MOST_LAYERS:
            raise UnusableData(f"model folder {str(folder)!r}: its config.json says {name}={n}.")
    if getattr(config, "num_hidden_layers", 1) == 0:
        raise UnusableData(f"model folder {str(folder)!r}: its config.json says num_hidden_layers=0.")


def positions_of(model: "Module", config: Any) -> int | None:
    """Return how many pieces a model, with weights or without, can read at once; None if there is no limit."""
    import torch

    tables = [
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Embedding) and name.endswith(POSITIONS)
    ]
    # Some tables number positions behind the padding token's number (RoBERTa), others skip some rows (BART).
    rows = [t.num_embeddings - (0 if t.padding_idx is None else t.padding_idx + 1) for t in tables]
    rows = [n - getattr(t, "offset", 0) for n, t in zip(rows, tables, strict=True)]
    limit = getattr(config, "max_position_embeddings", None)
    return min([*rows, *([limit] if limit and limit > 0 else [])], default=None)


def class_named(folder: Path, config: Any) -> Any:
    """Return the class of transformers that a folder was saved of, by its configuration.

    It is one that an Auto class of transformers has for this architecture: the body, or the body under a head. Any
    other name is data of a stranger, and nothing of that name is called.

    Raises
    ------
    UnusableData
        If the configuration names none of these.
    """
    from transformers.models.auto import modeling_auto

    doors = [door for door in vars(modeling_auto).values() if isinstance(door, type)]
    mappings = [mapping for door in doors if (mapping := getattr(door, "_model_mapping", None)) is not None]
    entries = [mapping[type(config)] for mapping in mappings if type(config) in mapping]
    offered = {one.__name__: one for entry in entries for one in (entry if isinstance(entry, tuple) else (entry,))}
    refuse_impossible(folder, config)
    name = next(iter(config.architectures or ()), "")
    if name not in offered:
        raise UnusableData(
            f"model folder {str(folder)!r}: architectures in its config.json names {name or 'nothing'!r:.80}, which is "
            f"no model of {config.model_type!r} that transformers' Auto classes open."
        )
    return offered[name]


def refuse_lacking(folder: Path, names: set[str], body: "Module") -> None:
    """Raise UnusableData if these weights of the body are not in the folder: transformers would draw them at random."""
    if names:
        raise UnusableData(
            f"model folder {str(folder)!r}: its weights lack {len(names)} of {len(body.state_dict())} tensors "
            f"of {type(body).__name__}, such as {min(names)!r}; save the whole model there."
        )


def refuse_unlike(folder: Path, mismatched: Iterable[tuple[str, Sequence[int], Sequence[int]]]) -> None:
    """Raise UnusableData if weights have other sizes than the configuration says: name, own size, expected size."""
    if unlike := sorted(mismatched):
        name, own, expected = unlike[0]
        raise UnusableData(
            f"model folder {str(folder)!r}: {len(unlike)} of its weights have other sizes than its config.json says, "
            f"such as {name!r}: {tuple(own)}, not {tuple(expected)}."
        )


def columns_of_classes(folder: Path, id2label: Mapping[int, str], classes: Sequence[str]) -> list[int]:
    """Return which output of a head stands for each class, by the names in its configuration without regard to case.

    A head whose classes have no names of their own ("LABEL_0") has them in the order of the classes.

    Raises
    ------
    UnusableData
        If it has other classes.
    """
    names = [str(name).casefold() for _, name in sorted(id2label.items())]
    wanted = [name.casefold() for name in classes]
    if sorted(names) == sorted(wanted):
        return [names.index(name) for name in wanted]
    if len(names) == len(wanted) and names == [f"label_{i}" for i in range(len(names))]:
        return [*range(len(names))]
    raise UnusableData(
        f"model folder {str(folder)!r}: the classes of its head are {', '.join(names)}, and those of the "
        f"examples {', '.join(wanted)}; name them alike in id2label of its config.json."
    )


def sentence_pooling(folder: Path) -> Pooling | None:
    """Return the pooling that sentence-transformers' files name; None without such files.

    Raises
    ------
    UnusableData
        If they name another one than cogbench has.
    """
    modules = folder / "modules.json"
    if not modules.exists():
        return None
    named = [module for module in read_json(modules, list) if isinstance(module, dict)]
    paths = [str(m.get("path")) for m in named if str(m.get("type", "")).endswith(".Pooling")]
    if len(paths) != 1:
        return None
    if Path(paths[0]).is_absolute() or ".." in Path(paths[0]).parts:
        raise UnusableData(f"{str(modules)!r} names a folder outside its own, {paths[0]!r}.")
    file = folder / paths[0] / "config.json"
    options = read_json(file)
    former = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens", "last": "pooling_mode_lasttoken"}
    pooling = str(options.get("pooling_mode") or "") or next(
        (n for n, key in former.items() if options.get(key)), "another one"
    )
    pooling = {"lasttoken": "last"}.get(pooling, pooling)
    if pooling not in former:
        raise UnusableData(
            f"model folder {str(folder)!r}: sentence-transformers pools it by {pooling!r}, "
            "which cogbench does not have; name another pooling: cls, mean or last."
        )
    return cast(Pooling, pooling)


def unreadable(folder: Path, part: str, error: Exception) -> UnusableData:
    """Return the error that transformers cannot read a part of a folder, with a remedy where one is known."""
    return UnusableData(f"model folder {str(folder)!r}: its {part} cannot be read: {_why_unreadable(folder, error)}")


def _why_unreadable(folder: Path, error: Exception) -> str:
    if "trust_remote_code" in str(error):
        return "it is written in code of the model's own, and cogbench runs no code of a model folder."
    if "Weights only load failed" in str(error):  # torch goes on to say how one would run what is in there
        return "its .bin file holds something else than weights, or is damaged; take weights in safetensors."
    if not _labels_are_names(folder):
        return "id2label in its config.json is no table of numbers and names."
    if any((folder / name).exists() for name in SENTENCEPIECE) and not (folder / "tokenizer.json").exists():
        lacking = [p for p, m in (("sentencepiece", "sentencepiece"), ("protobuf", "google.protobuf")) if not _has(m)]
        if lacking:
            return f"it has only a file of SentencePiece; `pip install {' '.join(lacking)}` reads it."
    if "tokenizer" in str(error) and not any(any(folder.glob(pattern)) for pattern in VOCABULARIES):
        return NO_WORDS
    first = first_words(error)
    if isinstance(error, AttributeError | KeyError | IndexError | TypeError):  # they say nothing of the folder
        return f"a value in its files is not what transformers expects there ({type(error).__name__}: {first})."
    return first


def first_words(error: Exception) -> str:
    """Return the first line of an error, and the second one where the first announces it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


def _labels_are_names(folder: Path) -> bool:
    """Whether a configuration names classes by their numbers, or none."""
    try:
        names = read_json(folder / "config.json").get("id2label") or {}
    except UnusableData:  # it is not read for its classes then
        return True
    return isinstance(names, dict) and all(number.isdecimal() for number in names)


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
