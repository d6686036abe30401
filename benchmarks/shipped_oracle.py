"""Measure an oracle that the package ships: those of the mini suite by `make mini-oracle`, the real one by

    python benchmarks/shipped_oracle.py --suite cogtaskonomy --backbone minilm --max-train 1000 --data-dir DATA \\
      --task-data ms-marco=FOLDER --seeds 0 1

What is in the store (COGBENCH_HOME) is not measured again. Prints the table and, for each target, the spread between
sources beside the evaluation's error; of the mini suite also what shows of the planted structure.
"""

import argparse
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from cogbench_tasks.mini import SKILLS
from outputs import output_folder
from scipy.stats import spearmanr

from cogbench import Files, Store, load_parts
from cogbench.compute.workspace import Workspace
from cogbench.data.oracle_files import write_oracle
from cogbench.runs.measure_oracle import measure_transfers, resolve_transfers
from cogbench.scoring.ranking import true_ranking
from cogbench.storage.store import home
from cogbench.views.formats import grid, render_tables
from cogbench.views.rows import oracle_rows

CHECKOUT = Path(__file__).parents[1]
SHIPPED = CHECKOUT / "tasks" / "cogbench_tasks" / "oracles"
REALTEXT = CHECKOUT / "plugins" / "cogbench-realtext" / "cogbench_realtext" / "oracles"
NOTES = {  # what a reader of the figures must know, by suite
    "mini": "synthetic tasks",
    "mini-shuffled": "synthetic tasks",
    "cogtaskonomy": "from 1,000 rows of each task; ms-marco is not the release, but real queries with their passage "
    "among nine of other queries: docs/oracle.md",
    "realtext": "at most 600 rows of each task",
}


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--backbone", default="minilm-2l")
    options.add_argument("--suite", default="mini", choices=NOTES)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--max-train", type=int)
    options.add_argument("--data-dir", type=Path)
    options.add_argument("--task-data", nargs="+", default=[], metavar="TASK=FOLDER")
    options.add_argument("--jobs", type=int)
    options.add_argument("--out", type=output_folder, help="Default: the folder that ships the suite's oracles.")
    args = options.parse_args()
    transfers, name = resolve_transfers(
        load_parts(), args.backbone, suite=args.suite, seeds=args.seeds, max_train=args.max_train
    )
    name = name.removeprefix("measured-")  # as it is called where an installed one has its name
    overrides = tuple((task, Path(folder)) for task, folder in (pair.split("=", 1) for pair in args.task_data))
    workspace = Workspace(Files(args.data_dir, overrides, offline=True), Store(home()))

    def tell(step) -> None:
        print(f"{step.done}/{step.total} {step.place}", file=sys.stderr)

    oracle, _ = measure_transfers(transfers, name, replace(workspace, jobs=args.jobs, progress=tell))
    report(oracle)
    provenance, seeds = oracle.provenance, ", ".join(map(str, oracle.seeds))
    command = "make mini-oracle" if args.suite.startswith("mini") else "python benchmarks/shipped_oracle.py"
    origin = (
        f"measured by cogbench {provenance['cogbench']} with torch {provenance['torch']}, seeds {seeds}: `{command}`"
    )
    path = (args.out or (REALTEXT if args.suite == "realtext" else SHIPPED)) / f"{name}.json"
    shipped = replace(oracle, origin=origin, licence="MIT", note=NOTES[args.suite], per_example=None)
    write_oracle(shipped, path)
    print(f"wrote {path}", file=sys.stderr)


def report(oracle) -> None:
    """Print the table, each target's spread beside the evaluation's error, and what of the planted shows."""
    print(render_tables({oracle.name: oracle_rows(oracle)}, "markdown", []))
    print(f"\n{grid(spreads(oracle), 'markdown')}")
    means = np.nanmean(true_ranking(oracle).ranks, axis=1)
    print("\nmean ranks:", ", ".join(f"{oracle.transfers.sources[i]} {means[i]:.1f}" for i in np.argsort(means)))
    helps, off = oracle.transfers.values > oracle.no_transfer, ~oracle.transfers.same
    print(f"\ntransfers that help: {helps[off].mean():.2f}")
    if oracle.suite.startswith("mini"):
        of, (gap, p) = shares(oracle), sharing(oracle)
        inside, outside = helps[off & of].mean(), helps[off & ~of].mean()
        print(f"of those between tasks that share a skill {inside:.2f}, of the others {outside:.2f}")
        print(f"\n{grid(planted(oracle), 'markdown')}")
        print(f"\nmean rank of sources that share a skill less that of others: {gap:+.2f}, permutation p {p:.3f}")


def spreads(oracle):
    """Return for each target its sources' spread beside the evaluation's error, what they gain, and how surely."""
    matrix, rows = oracle.transfers, []
    spread = np.nanstd(matrix.values, axis=0, ddof=1)
    errors = np.nanmean(np.where(matrix.same, np.nan, oracle.evaluation_error), axis=0)
    for j in np.argsort(-spread / errors):
        gains = matrix.values[:, j] - oracle.no_transfer[j]
        best, worst = int(np.nanargmax(gains)), int(np.nanargmin(gains))
        rows.append(
            {
                "target": matrix.targets[j],
                "spread": f"{spread[j]:.3f}",
                "error": f"{errors[j]:.3f}",
                "ratio": f"{spread[j] / errors[j]:.1f}",
                "best source, gain over none": f"{matrix.sources[best]} {gains[best]:+.3f}",
                "worst source, gain": f"{matrix.sources[worst]} {gains[worst]:+.3f}",
                **({"Spearman between seeds": f"{between_seeds(oracle, j):.2f}"} if len(oracle.seeds) > 1 else {}),
            }
        )
    return rows


def between_seeds(oracle, j):
    """Return how alike a target's sources rank after trainings of different seeds: the mean over pairs of seeds."""
    columns = oracle.by_seed[:, ~oracle.transfers.same[:, j], j]
    return float(np.mean([spearmanr(a, b).statistic for a, b in combinations(columns, 2)]))


def shares(oracle):
    """Return which source shares a skill with which target: (n_sources, n_targets) of bool."""
    skills = {t: SKILLS[t.replace("mini-shuffled", "mini")] for t in oracle.transfers.targets}
    return np.array([[bool(skills[s] & skills[t]) for t in skills] for s in skills])


def planted(oracle):
    """Return for each target its best source, whether that shares a skill, and the means of those that do or not."""
    matrix, of, rows = oracle.transfers, shares(oracle), []
    for j, target in enumerate(matrix.targets):
        column, others = matrix.values[:, j], np.arange(len(matrix.sources)) != j
        best = int(np.nanargmax(column))
        rows.append(
            {
                "target": target,
                "skills": ", ".join(sorted(SKILLS[target.replace("mini-shuffled", "mini")])),
                "best source": f"{matrix.sources[best]}{' (shares)' if of[best, j] else ''}",
                "sharing": f"{column[of[:, j] & others].mean():.3f} ({(of[:, j] & others).sum()})",
                "others": f"{column[~of[:, j] & others].mean():.3f} ({(~of[:, j] & others).sum()})",
                "no transfer": f"{oracle.no_transfer[j]:.3f}",
            }
        )
    return rows


def sharing(oracle, draws=10_000):
    """Return by how much sources that share a skill rank better, and the share of relabellings of the tasks as good."""
    ranks, of = true_ranking(oracle).ranks, shares(oracle)
    off = np.isfinite(ranks)

    def gap(shared):
        return ranks[shared & off].mean() - ranks[~shared & off].mean()

    rng, n = np.random.default_rng(0), len(of)
    drawn = [gap(of[np.ix_(order, order)]) for order in (rng.permutation(n) for _ in range(draws))]
    return gap(of), float((1 + np.sum(np.array(drawn) <= gap(of))) / (1 + draws))


if __name__ == "__main__":
    main()
