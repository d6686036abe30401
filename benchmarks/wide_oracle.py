"""Measure a wide oracle: transfers between the paper's twelve tasks, tasks of shared data, and tasks of real text, by

    python benchmarks/wide_oracle.py --data-dir DATA --task-data ms-marco=FOLDER --seeds 0

The evaluation splits are samples, so that a thousand trainings fit into some hours. What is in the store
(COGBENCH_HOME) is not measured again: after an interruption, or with more tasks, the same command goes on. With
--results the installed estimators guess from the trained models, and their results are written into a folder. With
--oracle as well no transfer is trained: the estimators are scored against that oracle.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from outputs import output_folder
from shipped_oracle import SHIPPED, report
from wide_tasks import wide_tasks

from cogbench import Files, Parts, Store, load_parts, run
from cogbench.compute.workspace import Workspace
from cogbench.data.oracle_files import write_oracle
from cogbench.runs.measure_oracle import measure_transfers, resolve_transfers
from cogbench.storage.store import home

WITHOUT_RESULTS = ("few-shot", "other-plm")  # the first would train again; the second has no oracle with these tasks


def tell(step: Any) -> None:
    """Print how far the work is."""
    print(f"{step.done}/{step.total} {step.place}", file=sys.stderr)


def measure(args: argparse.Namespace, parts: Parts, tasks: list[Any], workspace: Workspace) -> Path:
    """Train all transfers, print a table and return the file of the oracle."""
    transfers, name = resolve_transfers(  # no measured oracle may be called like the one that is shipped
        parts, args.backbone, tasks=tasks, seeds=args.seeds, max_train=args.max_train, name=f"measured-{args.name}"
    )
    oracle, _ = measure_transfers(replace(transfers, suite="wide"), name, workspace)
    report(oracle)
    provenance, seeds = oracle.provenance, ", ".join(map(str, oracle.seeds))
    origin = (
        f"measured by cogbench {provenance['cogbench']} with torch {provenance['torch']}, seeds {seeds}: "
        "`python benchmarks/wide_oracle.py`"
    )
    note = f"from {args.max_train} rows of each task, scored on at most {args.evaluation} examples: docs/oracle.md"
    path: Path = args.out / f"{args.name}.json"
    write_oracle(replace(oracle, name=args.name, origin=origin, licence="MIT", note=note, per_example=None), path)
    print(f"wrote {path}", file=sys.stderr)
    return path


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--backbone", default="minilm-2l")
    options.add_argument("--suites", nargs="+", default=["cogtaskonomy"], help="Suites whose tasks are measured too.")
    options.add_argument("--without", nargs="+", default=[], metavar="TASK", help="Tasks to leave out.")
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--max-train", type=int, default=400)
    options.add_argument("--evaluation", type=int, default=400, help="At most so many evaluation examples a task.")
    options.add_argument("--data-dir", type=Path)
    options.add_argument("--task-data", nargs="+", default=[], metavar="TASK=FOLDER")
    options.add_argument("--jobs", type=int)
    options.add_argument("--name", default="wide-minilm-2l-max-400")
    options.add_argument("--out", type=output_folder, default=str(SHIPPED))
    options.add_argument("--oracle", help="The name or file of this oracle, measured before; nothing is measured anew.")
    options.add_argument("--results", type=output_folder, help="Where the results of all estimators go.")
    options.add_argument("--estimators", nargs="+", help="Those that guess; all installed ones that can, unless said.")
    args = options.parse_args()
    parts = load_parts()
    installed = [name for suite in args.suites for name in parts.find("suite", suite).tasks]
    tasks = [task for task in wide_tasks(parts, installed, args.evaluation) if task.name not in args.without]
    overrides = tuple((task, Path(folder)) for task, folder in (pair.split("=", 1) for pair in args.task_data))
    workspace = replace(
        Workspace(Files(args.data_dir, overrides, offline=True), Store(home())), jobs=args.jobs, progress=tell
    )
    oracle = args.oracle or str(measure(args, parts, tasks, workspace))
    if args.results:
        without = (*WITHOUT_RESULTS, "ahp") if args.oracle else WITHOUT_RESULTS  # `ahp` is asked for all transfers
        names = args.estimators or [name for name in parts.estimators if name not in without]
        seeds = {"cnm": "cnm.seeds=5", "cra+cnm": "cra+cnm.cnm.seeds=5"}
        results = run(
            names,
            args.backbone,
            tasks=tasks,
            signal="zuco-gaze",
            oracle=oracle,
            max_train=args.max_train,
            set=tuple(option for name, option in seeds.items() if name in names),
            files=workspace.files,
            store=workspace.store,
            parts=parts,
            jobs=args.jobs,
            progress=tell,
        )
        for result in results:
            print(f"wrote {result.save(args.results)}", file=sys.stderr)


if __name__ == "__main__":
    main()
