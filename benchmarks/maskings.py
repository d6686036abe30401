"""What a model learns after it was trained to tell masked tokens, by each way of masking: docs/joint.md.

    python benchmarks/maskings.py --data-dir DATA --backbone minilm --steps 600

The corpus is the training examples of SQuAD 2.0. Each adapted model, and the model without adaptation, then learns
SQuAD's answerable questions and two more tasks. The training of the body is the same in all else. Trainings that are in
the store (COGBENCH_HOME) are not done again.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from cogbench_pretraining.masking import MASKINGS
from short_tasks import AnswerableQuestions

from cogbench import Files, Recipe, Store, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.scoring.metrics import TaskScore
from cogbench.storage.store import home
from cogbench.views.formats import grid
from cogbench.workers import engine

NONE = "no adaptation"


def mean(scores: list[TaskScore]) -> float:
    """Return the mean of scores of several seeds."""
    return float(np.mean([score.value for score in scores]))


def main() -> None:
    """Train and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data-dir", type=Path, required=True)
    options.add_argument("--backbone", default="minilm")
    options.add_argument("--steps", type=int, default=600)
    options.add_argument("--batch-size", type=int, default=16)
    options.add_argument("--band", type=float, nargs=2, default=(4.0, 5.0), help="Of the loss of adaptive masks.")
    options.add_argument("--rows", type=int, default=4000, help="Training rows of a task.")
    options.add_argument("--tasks", nargs="+", default=["conll-2003", "sst-2"], help="Those beside SQuAD.")
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--jobs", type=int)
    args = options.parse_args()
    parts = load_parts()
    backbone, squad = parts.backbones[args.backbone], parts.tasks["squad-v2"]
    adapted = replace(
        parts.backbones["adapted"],
        backbone=backbone,
        tasks=(squad,),
        steps=args.steps,
        batch_size=args.batch_size,
        band=tuple(args.band),
    )
    models = {NONE: backbone, **{way: replace(adapted, masking=way) for way in MASKINGS}}
    tasks = [AnswerableQuestions(squad), *(parts.tasks[name] for name in args.tasks)]
    cells = {
        (way, task.name, seed): Training(model, Recipe((task,), seed=seed, max_train=args.rows))
        for task in tasks
        for seed in args.seeds
        for way, model in models.items()
    }
    workspace = Workspace(Files(args.data_dir, offline=True), Store(home()), jobs=args.jobs)
    outcome = engine.compute([*cells.values()], workspace)
    if outcome.failed:
        sys.exit(f"{len(outcome.failed)} trainings failed: {outcome.reason(next(iter(outcome.failed)))}")
    scores = {names: cell.score(workspace) for names, cell in cells.items()}
    rows = []
    for task in tasks:
        for way in models:
            of_seeds = [scores[way, task.name, seed] for seed in args.seeds]
            bare = [scores[NONE, task.name, seed] for seed in args.seeds]
            rows.append(
                {
                    "task": task.name,
                    "metric": task.metric,
                    "masking": way,
                    "score": f"{mean(of_seeds):.3f}",
                    "±": f"{np.mean([score.standard_error for score in of_seeds]):.3f}",
                    "trivial": f"{of_seeds[0].trivial:.3f}",
                    "learned": "yes" if all(score.learned for score in of_seeds) else "no",
                    "seeds": " ".join(f"{score.value:.3f}" for score in of_seeds),
                    "less no adaptation": f"{mean(of_seeds) - mean(bare):+.3f}",
                }
            )
    print(grid(rows, "markdown"))


if __name__ == "__main__":
    main()
