"""Several domains of reviews as one source, beside single ones of the same size, by

    python benchmarks/pooled_reviews.py --data-dir DATA

Each of the four domains of Amazon reviews (Blitzer, Dredze & Pereira 2007) is a target of few rows: alone, after each
other domain, and after a pool of the three others. All sources have the same number of rows. In two further pools one
domain has few rows, so that equal shares and water-filling differ. Trainings that are in the store (COGBENCH_HOME) are
not done again.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from wide_tasks import SHARED, ShortTask

from cogbench import Files, PooledTask, Recipe, Store, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.pooled import Allocation
from cogbench.compute.workspace import Workspace
from cogbench.storage.store import home
from cogbench.workers import engine

DOMAINS = [task for task in SHARED if task.name.startswith("amazon-")]


def sources(target: Any, total: int, few: int) -> Iterator[tuple[str, Any]]:
    """Yield the sources of a target: single domains, pools of the three others, and pools with a short domain."""
    others = [task for task in DOMAINS if task is not target]
    for task in others:
        yield "single", ShortTask(task, total)
    yield "pool", PooledTask("pool", tuple(others), total)
    short = (ShortTask(others[0], few), *others[1:])
    for allocation in get_args(Allocation):
        yield f"pool with a short domain, {allocation}", PooledTask(f"short-{allocation}", short, total, allocation)


def main() -> None:
    """Train, and print the mean accuracy of the targets after each kind of source."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data-dir", type=Path, required=True)
    options.add_argument("--backbone", default="minilm-2l")
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--total", type=int, default=300, help="Training rows of a source.")
    options.add_argument("--few", type=int, default=20, help="Those of the short domain of a pool.")
    options.add_argument("--target-rows", type=int, default=50)
    options.add_argument("--jobs", type=int)
    args = options.parse_args()
    backbone = load_parts().backbones[args.backbone]
    trainings = dict[tuple[str, str, str, int], Training]()
    for seed in args.seeds:
        for target in DOMAINS:
            alone = Recipe((target,), seed=seed, max_train=args.target_rows)
            trainings["alone", "", target.name, seed] = Training(backbone, alone)
            for kind, source in sources(target, args.total, args.few):
                after = replace(alone, start=Recipe((source,), seed=seed))
                trainings[kind, source.name, target.name, seed] = Training(backbone, after)

    def tell(step: Any) -> None:
        print(f"{step.done}/{step.total} {step.place}", file=sys.stderr)

    files = Files(args.data_dir, offline=True)
    workspace = Workspace(files, Store(home()), jobs=args.jobs, tell=tell)
    outcome = engine.compute([*trainings.values()], workspace)
    if outcome.failed:
        sys.exit(f"{len(outcome.failed)} trainings failed: {outcome.reason(next(iter(outcome.failed)))}")
    accuracies = {names: cell.score(workspace).value for names, cell in trainings.items()}
    for kind in dict.fromkeys(kind for kind, *_ in accuracies):
        by_target = [
            [v for (k, _, t, _), v in accuracies.items() if (k, t) == (kind, target.name)] for target in DOMAINS
        ]
        means = ", ".join(f"{t.name} {np.mean(v):.3f}" for t, v in zip(DOMAINS, by_target, strict=True))
        print(f"{kind}: {np.mean([np.mean(v) for v in by_target]):.3f} ({means})")
        if kind == "single":
            print(f"the best single source, chosen by the truth: {np.mean([max(v) for v in by_target]):.3f}")


if __name__ == "__main__":
    main()
