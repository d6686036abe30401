"""How long a step of a training takes with our dropout and attention, and with torch's: 16 texts, forward and back.

    python benchmarks/steps.py [--backbones minilm minilm-2l] [--pieces 16 48 96 192 384]

The two ways take turns on one core, and each figure is the least of some repetitions, in milliseconds of the processor.
"""

import argparse
from contextlib import nullcontext
from time import process_time
from typing import Any

import torch
from cogbench_backbones.dropout import quick_dropout

from cogbench import Files, load_parts

N_TEXTS, REPEAT = 16, 3


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--backbones", nargs="+", default=["minilm", "minilm-2l"])
    options.add_argument("--pieces", type=int, nargs="+", default=[16, 48, 96, 192, 384])
    options.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    args = options.parse_args()
    torch.set_num_threads(1)
    print("| backbone | pieces | torch's own | ours | times as fast |\n|---|---|---|---|---|", flush=True)
    for name in args.backbones:
        backbone: Any = load_parts().find("backbone", name)
        model = backbone.pretrained(Files(offline=True)).with_head("classification", ("yes", "no"), 0).train()
        for n_pieces in args.pieces:
            torchs, ours = least_seconds(model, n_pieces, bf16=args.precision == "bf16")
            print(
                f"| {name} | {n_pieces} | {1e3 * torchs:,.0f} | {1e3 * ours:,.0f} | {torchs / ours:.2f} |", flush=True
            )


def least_seconds(model: Any, n_pieces: int, *, bf16: bool) -> tuple[float, float]:
    """Return the least seconds of a step with torch's dropout and attention, and with ours."""
    ids = torch.randint(1000, 20_000, (N_TEXTS, n_pieces))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.zeros(N_TEXTS, dtype=torch.long)}
    batch["attention_mask"][: N_TEXTS // 2, -n_pieces // 4 :] = 0  # half of the texts are shorter
    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(REPEAT):
        ways: tuple[Any, Any] = nullcontext(), quick_dropout(model)
        for mine, way in zip(seconds, ways, strict=True):
            with way:
                began = process_time()
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    loss = model(**batch).loss
                loss.backward()
                mine.append(process_time() - began)
            model.zero_grad()
    return min(seconds[0]), min(seconds[1])


if __name__ == "__main__":
    main()
