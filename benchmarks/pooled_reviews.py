"""Several domains of reviews as one source, beside single ones of the same size, by

    python benchmarks/pooled_reviews.py --data-dir DATA
    python benchmarks/pooled_reviews.py --data-dir DATA --backbone minilm-2l --totals 300 --seeds 0

Each of the four domains of Amazon reviews (Blitzer, Dredze & Pereira 2007) is a target: after each other domain, and
after a pool of the three others. All sources have the same number of rows. In two further pools one domain has few
rows, so that equal shares and water-filling differ. Without a backbone a logistic regression on words is applied to the
target unchanged, as Valipour et al. (2019) do with neurons. With one the target has few rows of its own, and is trained
alone too; trainings that are in the store (COGBENCH_HOME) are not done again.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
from short_tasks import ShortTask
from wide_tasks import SHARED

from cogbench import Files, PooledTask, Recipe, Store, load_parts
from cogbench.combining.pooled import Allocation
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.storage.store import home
from cogbench.workers import engine

DOMAINS = [task for task in SHARED if task.name.startswith("amazon-")]
Accuracies = dict[tuple[str, str, int], list[float]]  # of each kind of source, target and seed


def sources(target: Any, total: int, few: int, seed: int) -> Iterator[tuple[str, Any]]:
    """Yield the sources of a target: single domains, a pool of the three others, and pools with a short domain."""
    others = [task for task in DOMAINS if task is not target]
    for task in others:
        yield "single", ShortTask(task, total, seed)
    yield "pool", PooledTask("pool", tuple(others), total, seed=seed)
    shortened = others[seed % len(others)]
    short = tuple(ShortTask(task, few, seed) if task is shortened else task for task in others)
    for allocation in get_args(Allocation):
        name = f"pool with a short domain, {allocation}"
        yield name, PooledTask(f"short-{allocation}", short, total, allocation, seed)


def accuracy_of_words(source: Any, target: Any, files: Files) -> float:
    """Return the accuracy on a target of a logistic regression on the words of a source."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    train, evaluation = source.load("train", files), target.load("evaluation", files)
    probe = make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=2), LogisticRegression(C=10.0, max_iter=1000))
    probe.fit(train.columns["text"], train.columns["label"])
    return float(np.mean(probe.predict(evaluation.columns["text"]) == np.asarray(evaluation.columns["label"])))


def of_words(total: int, few: int, seeds: list[int], files: Files) -> Accuracies:
    """Return the accuracies of targets on which a regression on a source's words is applied unchanged."""
    accuracies: Accuracies = {}
    for seed in seeds:
        for target in DOMAINS:
            for kind, source in sources(target, total, few, seed):
                accuracies.setdefault((kind, target.name, seed), []).append(accuracy_of_words(source, target, files))
    return accuracies


def of_backbone(name: str, total: int, few: int, rows: int, seeds: list[int], workspace: Workspace) -> Accuracies:
    """Return the accuracies of targets of few rows that a backbone learns after a source, and alone."""
    backbone = load_parts().backbones[name]
    cells = dict[tuple[str, str, int], list[Training]]()
    for seed in seeds:
        for target in DOMAINS:
            cells["alone", target.name, seed] = [Training(backbone, Recipe((target,), seed=seed, max_train=rows))]
            for kind, source in sources(target, total, few, seed):
                recipe = Recipe((target,), Recipe((source,), seed=seed), seed, rows)
                cells.setdefault((kind, target.name, seed), []).append(Training(backbone, recipe))
    outcome = engine.compute([cell for row in cells.values() for cell in row], workspace)
    if outcome.failed:
        sys.exit(f"{len(outcome.failed)} trainings failed: {outcome.reason(next(iter(outcome.failed)))}")
    return {names: [cell.score(workspace).value for cell in row] for names, row in cells.items()}


def report(accuracies: Accuracies, total: int) -> None:
    """Print the mean accuracy after each kind of source, and its difference from that after a single one."""
    kinds = [*dict.fromkeys(kind for kind, _, _ in accuracies)]
    runs = [*dict.fromkeys((target, seed) for _, target, seed in accuracies)]
    mean = {kind: np.array([np.mean(accuracies[kind, *run]) for run in runs]) for kind in kinds}
    best = np.array([max(accuracies["single", *run]) for run in runs])
    print(f"{total} rows of a source, {len(runs)} targets and seeds")
    for kind, values in {**mean, "the best single source, by the truth": best}.items():
        gap = values - mean["single"]
        error = np.std(gap, ddof=1) / np.sqrt(len(gap))
        print(f"  {kind}: {values.mean():.3f}, less a single source {gap.mean():+.3f} ± {error:.3f}")


def main() -> None:
    """Train and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data-dir", type=Path, required=True)
    options.add_argument("--backbone", help="What is trained; by default a logistic regression on words.")
    options.add_argument("--seeds", type=int, nargs="+", default=[*range(6)])
    options.add_argument("--totals", type=int, nargs="+", default=[150, 600, 1200], help="Training rows of a source.")
    options.add_argument("--few", type=float, default=0.05, help="The share of them in a short domain.")
    options.add_argument("--target-rows", type=int, default=50, help="Of a target that a backbone learns.")
    options.add_argument("--jobs", type=int)
    args = options.parse_args()
    files = Files(args.data_dir, offline=True)
    workspace = Workspace(files, Store(home()), jobs=args.jobs)
    for total in args.totals:
        few = round(args.few * total)
        if args.backbone is None:
            report(of_words(total, few, args.seeds, files), total)
        else:
            report(of_backbone(args.backbone, total, few, args.target_rows, args.seeds, workspace), total)


if __name__ == "__main__":
    main()
