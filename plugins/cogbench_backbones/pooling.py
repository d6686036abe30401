"""The pooling that the files of sentence-transformers name, and how JSON files of a model folder are read."""

import json
from pathlib import Path
from typing import Any, Literal, cast

from cogbench import UnusableData

Pooling = Literal["cls", "mean", "last"]


def read_json(file: Path) -> Any:
    """Return the value of a JSON file of a model folder; UnusableData if it cannot be read."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableData(f"{str(file)!r} cannot be read as JSON: {type(error).__name__}.") from error


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
    listed = read_json(modules)
    named = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
    paths = [str(m.get("path")) for m in named if str(m.get("type", "")).endswith(".Pooling")]
    if len(paths) != 1:
        return None
    if Path(paths[0]).is_absolute() or ".." in Path(paths[0]).parts:
        raise UnusableData(f"{str(modules)!r} names a folder outside its own, {paths[0]!r}.")
    file = folder / paths[0] / "config.json"
    options = read_json(file)
    if not isinstance(options, dict):
        raise UnusableData(f"{str(file)!r} holds no JSON object.")
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
