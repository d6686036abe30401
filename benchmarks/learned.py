"""Is each task learned? A table of scores beside the best constant answer; what is missing in the store is trained.

    python benchmarks/learned.py --data-dir DATA --max-train 2000 --seeds 0 1 2

A task is learned if the mean over seeds lies more than two standard errors above the trivial answer. The standard error
is the larger of two: the evaluation's (bootstrap over its examples, mean over seeds), which more seeds do not shrink,
and that of the mean over seeds.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from cogbench import Files, Recipe, Store, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.parts.set_options import varied
from cogbench.storage.store import home
from cogbench.workers import engine


def main() -> None:
    """Train what is missing, and print."""
    args = arguments()
    parts = load_parts()
    (backbone,) = varied(parts.find("backbone", args.backbone), args.set)
    tasks = [parts.find("task", t) for t in args.tasks or parts.find("suite", "cogtaskonomy").tasks]
    files = Files(args.data_dir, tuple(pair.split("=", 1) for pair in args.task_data), offline=True)
    workspace = Workspace(files, Store(home()))
    cells = {
        t.name: [Training(backbone, Recipe((t,), seed=s, max_train=args.max_train)) for s in args.seeds] for t in tasks
    }
    engine.compute(
        [c for of in cells.values() for c in of],
        replace(
            workspace,
            jobs=args.jobs,
            progress=lambda step: print(f"{step.done}/{step.total} {step.place}", file=sys.stderr),
        ),
    )
    print(
        "| task | metric | train, eval. | epochs, rate, steps | trivial | "
        + " | ".join(f"seed {s}" for s in args.seeds),
        end="",
    )
    print(" | mean | ± | learned |\n|" + "---|" * (8 + len(args.seeds)))
    for task in tasks:
        print(row(task, cells[task.name], workspace))


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="minilm")
    parser.add_argument("--tasks", nargs="+")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--task-data", nargs="+", default=[], metavar="TASK=FOLDER")
    parser.add_argument("--max-train", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", action="append", default=[], metavar="PART.OPTION=VALUE")
    parser.add_argument("--jobs", type=int)
    return parser.parse_args()


def row(task, cells, workspace) -> str:
    """Return a task's line."""
    scores = [c.score(workspace) for c in cells]
    values = np.array([s.value for s in scores])
    error = np.mean([s.standard_error for s in scores])
    if len(values) > 1:
        error = max(error, values.std(ddof=1) / np.sqrt(len(values)))
    recipe, train = cells[0].filled(workspace), workspace.dataset(task, "train")
    settings, trivial = recipe.settings, scores[0].trivial
    shown = [
        task.name,
        scores[0].metric,
        f"{len(train.sample(recipe.max_train))}, {len(workspace.dataset(task, 'evaluation'))}",
        f"{settings.epochs}, {settings.learning_rate:g}, {cells[0].checkpoint(workspace).steps}",
        f"{trivial:.3f}",
        *(f"{v:.3f}" for v in values),
        f"{values.mean():.3f}",
        f"{error:.3f}",
        "yes" if values.mean() - trivial > 2 * error else "**no**",
    ]
    return "| " + " | ".join(shown) + " |"


if __name__ == "__main__":
    main()
