"""How well a tuning learns a task at several learning rates: the figures of docs/models.md.

    python benchmarks/tunings.py --data-dir DATA --tuning prompt --rates 3e-3 1e-2 3e-2 --tokens 5 20 --steps 190 600

One training for each rate, number of prompt tokens and number of steps, at the backbone's usual settings otherwise. The
metric stands with its standard error over the evaluation examples. Trainings stay in the store (COGBENCH_HOME), so a
further rate costs one training.
"""

import argparse
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

from cogbench import Files, Recipe, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace, workspace_of
from cogbench.views.formats import grid
from cogbench.workers import engine


def main() -> None:
    """Train, and print the table."""
    args = arguments()
    files = Files(Path(args.data_dir) if args.data_dir else None, offline=True)
    workspace = workspace_of(files=files, jobs=0)
    rows = []
    for seed, rate, tokens, rank, steps in product(args.seeds, args.rates, args.tokens, args.ranks, args.steps):
        options = {"tuning": args.tuning, "learning_rate": rate, "min_steps": steps, "prompt_tokens": tokens}
        alpha = 2 * rank if rank and args.alpha is None else args.alpha
        options |= {"lora_rank": rank, "lora_alpha": alpha}
        own = {name: value for name, value in options.items() if value is not None and belongs(name, args.tuning)}
        backbone = replace(load_parts().backbones[args.backbone], **own)
        rows.append({"seed": str(seed), **outcome(backbone, args, seed, workspace)})
        print(*rows[-1].values(), sep="; ", file=sys.stderr, flush=True)
    print(grid(rows, "markdown"))


def belongs(option: str, tuning: str) -> bool:
    """Whether an option says something with this tuning."""
    return option.partition("_")[0] not in ("lora", "prompt") or option.startswith(tuning)


def outcome(backbone: Any, args: argparse.Namespace, seed: int, workspace: Workspace) -> dict[str, str]:
    """Return what a training ends with, and the seconds of the processor that it took; none if it was in the store."""
    task = workspace.parts.tasks[args.task]
    settings = backbone.settings(task.kind, args.max_train)
    cell = Training(backbone, Recipe((task,), seed=seed, max_train=args.max_train, settings=settings))
    begin = process_time()
    engine.compute([cell], workspace)
    score = cell.score(workspace)
    return {
        "tuning": backbone.tuning,
        "learning rate": f"{settings.learning_rate:g}",
        "tokens": str(backbone.prompt_tokens) if backbone.tuning == "prompt" else "",
        "rank, alpha": f"{backbone.lora_rank}, {backbone.lora_alpha}" if backbone.tuning == "lora" else "",
        "steps": str(cell.checkpoint(workspace).steps),
        task.metric: f"{score.value:.3f} ± {score.standard_error:.3f}",
        "constant answer": f"{score.trivial:.3f}",
        "processor": f"{process_time() - begin:.0f} s",
    }


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data-dir", help="Local files in the hub's layout.")
    options.add_argument("--task", default="sst-2")
    options.add_argument("--backbone", default="minilm")
    options.add_argument("--max-train", type=int, default=1000)
    options.add_argument("--tuning", default="full", choices=["full", "lora", "prompt"])
    options.add_argument("--rates", nargs="*", type=float, default=[None], help="Learning rates.  [default: the usual]")
    options.add_argument("--steps", nargs="*", type=int, default=[None], help="At least so many.  [default: the usual]")
    options.add_argument("--tokens", nargs="*", type=int, default=[None], help="Of a prompt.  [default: 20]")
    options.add_argument("--ranks", nargs="*", type=int, default=[None], help="Of LoRA.  [default: 8]")
    options.add_argument("--alpha", type=int, help="Of LoRA; 0 trains the head alone.  [default: twice the rank]")
    options.add_argument("--seeds", nargs="*", type=int, default=[0])
    return options.parse_args()


if __name__ == "__main__":
    main()
