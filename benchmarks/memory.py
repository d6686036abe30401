"""The memory that `--dry-run` expects of a training, beside the peak of that training: the table of docs/models.md.

    OMP_NUM_THREADS=1 python benchmarks/memory.py

`base` is a model of BERT-base's shape with random weights, which the script makes. A training has two batches of 16
texts of 128 pieces, and answers 64 such texts. Each one runs in a process of its own, after a training of a tiny model
that imports all that a training takes. What is told is the peak of resident memory above that of the process then.
"""

import argparse
import csv
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cogbench import Files, Recipe, TableTask, load_parts
from cogbench.views.formats import grid

FILES = Files(offline=True)
N_PIECES, N_TRAIN, N_EVALUATION = 128, 32, 64
SHAPE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
FROZEN = {"tuning": "lora", "precision": "bf16"}  # weights that are not trained wait in bf16
TUNINGS: dict[str, dict[str, Any]] = {
    "full": {"precision": "fp32"},
    "full, bf16": {"precision": "bf16"},
    "full, bf16, accumulation of 4": {"precision": "bf16", "accumulation": 4},
    "full, bf16, gradient checkpointing": {"precision": "bf16", "gradient_checkpointing": True},
    "LoRA": {"tuning": "lora", "precision": "fp32"},
    "LoRA, frozen weights in bf16": FROZEN,
    "the same, gradient checkpointing": {**FROZEN, "gradient_checkpointing": True},
    "prompt, frozen weights in bf16": {"tuning": "prompt", "precision": "bf16"},
}


def main() -> None:
    """Train each in a process of its own, and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", nargs="*", default=["minilm", "base"])
    options.add_argument("--tunings", nargs="*", default=[*TUNINGS], choices=[*TUNINGS])
    options.add_argument("--pieces", type=int, default=N_PIECES, help="Of each text.")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place, rows = Path(folder), []
        write_texts(place, args.pieces)
        save_model("tiny", place)
        if "base" in args.models:
            save_model("base", place)
        for model in args.models:
            for tuning in args.tunings:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                    peak, parts = process.submit(measured, model, tuning, args.pieces, place).result()
                expected = sum(parts.values())
                row = {"model": model, "training": tuning, "expected": in_mib(expected), "measured": in_mib(peak)}
                rows.append({**row, "expected / measured": f"{expected / peak:.2f}"})
                each = ", ".join(f"{name} {in_mib(size)}" for name, size in parts.items() if size)
                print(*rows[-1].values(), each, sep="; ", file=sys.stderr)
    print(grid(rows, "markdown"))


def in_mib(size: int) -> str:
    """Return bytes in words."""
    return f"{size / 2**20:,.0f} MiB"


def write_texts(place: Path, n_pieces: int) -> None:
    """Write a table of texts that have more than `n_pieces` pieces each."""
    words = " ".join(load_parts().tasks["mini-sst-2"].load("train", FILES).columns["text"]).split()
    for name, n_rows in (("train", N_TRAIN), ("evaluation", N_EVALUATION)):
        with (place / f"{name}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["text", "label"])
            for i in range(n_rows):
                start = 17 * i % (len(words) - n_pieces)
                table.writerow([" ".join(words[start : start + n_pieces]), "ab"[i % 2]])


def save_model(name: str, place: Path) -> None:
    """Save a tiny BERT, or one of BERT-base's shape, with random weights."""
    from model_zoo import ZOO

    zoo = ZOO["bert"]
    sizes = {} if name == "tiny" else {**SHAPE, "vocab_size": 30522, "max_position_embeddings": 512}
    replace(zoo, options={**zoo.options, **sizes}).save(place / name)


def measured(model: str, tuning: str, n_pieces: int, place: Path) -> tuple[int, dict[str, int]]:
    """Return the bytes of a training's peak above the start, and those of its parts that are expected."""
    task = TableTask("texts", str(place / "train.csv"), evaluation_file=str(place / "evaluation.csv"))
    train(backbone("tiny", tuning, n_pieces, place), task, place)
    own = backbone(model, tuning, n_pieces, place)
    start = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    recipe = train(own, task, place)
    peak = memory("VmHWM") - start
    return peak, own.memory(recipe, FILES)


def backbone(model: str, tuning: str, n_pieces: int, place: Path) -> Any:
    """Return a backbone that trains for an epoch of two batches."""
    own = load_parts().find("backbone", model if model in load_parts().backbones else str(place / model))
    few = {"epochs": 1, "min_steps": 1, "batch_size": N_TRAIN // 2, "max_length": n_pieces}
    return replace(own, **few, **TUNINGS[tuning])


def train(own: Any, task: TableTask, place: Path) -> Recipe:
    """Train a backbone and throw its checkpoint away; return the recipe."""
    recipe = Recipe((task,), settings=own.settings(task.kind, N_TRAIN))
    out = Path(tempfile.mkdtemp(dir=place))
    own.train(recipe, FILES, out)
    shutil.rmtree(out)
    return recipe


def memory(name: str) -> int:
    """Return the bytes that the kernel says of this process: VmRSS, resident now, or VmHWM, the peak of it."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


if __name__ == "__main__":
    main()
