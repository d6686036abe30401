"""Measure the oracle of the mini suite that the package ships: `make mini-oracle` (some minutes a seed on two cores).

Prints, for each target, whether the spread between sources exceeds twice the evaluation's standard error.
"""

import argparse
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np

from cogbench import Files, Store, engine, load
from cogbench.cells import Workspace
from cogbench.files import home
from cogbench.oracles import write_oracle
from cogbench.transfer import measured, trainings

SHIPPED = Path(__file__).parents[1] / "tasks" / "cogbench_tasks" / "oracles"


def main() -> None:
    """Measure, print and write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--backbone", default="minilm-2l")
    asked.add_argument("--suite", default="mini")
    asked.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked.add_argument("--jobs", type=int, default=None)
    asked.add_argument("--out", type=Path, default=SHIPPED)
    args = asked.parse_args()
    parts = load()
    backbone = parts.find("backbone", args.backbone)
    tasks = [parts.find("task", t) for t in parts.find("suite", args.suite).tasks]
    workspace = Workspace(Files(offline=True), Store(home()))
    cells = [c for seed in args.seeds for c in trainings(backbone, tasks, seed, None).values()]
    outcome = engine.compute(
        cells, workspace, jobs=args.jobs, tell=lambda place, done, n: print(f"{done}/{n} {place}", file=sys.stderr)
    )
    if outcome.failed:
        raise SystemExit(f"{len(outcome.failed)} cells failed: {next(iter(outcome.failed.values()))}")
    oracle = measured(backbone, tasks, workspace, suite=args.suite, seeds=args.seeds)
    report(
        oracle, np.mean([[c.score(workspace).standard_error for c in cells if c.recipe.task == t] for t in tasks], 1)
    )
    version, torch = metadata.version("cogbench-toolkit"), metadata.version("torch")
    seeds = ", ".join(map(str, args.seeds))
    source = f"measured by cogbench {version} with torch {torch}, seeds {seeds}: `make mini-oracle`"
    named = replace(oracle, name=f"{args.suite}-{backbone.name}", source=source, licence="MIT", note="synthetic tasks")
    path = args.out / f"{named.name}.json"
    write_oracle(named, path)
    print(f"wrote {path}", file=sys.stderr)


def report(oracle, errors) -> None:
    """Print the table and, for each target, the spread of its sources in standard errors of the evaluation."""
    names, values = oracle.transfers.targets, oracle.transfers.values
    print("source".ljust(14), *(n.removeprefix("mini-").rjust(8) for n in names))
    for name, row in zip(names, values, strict=True):
        print(name.ljust(14), *("       -" if np.isnan(v) else f"{v:8.3f}" for v in row))
    spread = np.nanstd(values, axis=0, ddof=1)
    for label, row in {"no transfer": oracle.no_transfer, "spread (sd)": spread, "eval. error": errors}.items():
        print(label.ljust(14), *(f"{v:8.3f}" for v in row))
    print("ratio".ljust(14), *(f"{v:8.1f}" for v in spread / errors))


if __name__ == "__main__":
    main()
