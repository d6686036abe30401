"""What each estimator costs, and how well it ranks: passes through the backbone and processor seconds, beside TRS.

    COGBENCH_HOME=STORE python benchmarks/estimators.py --data-dir DATA --backbone minilm --max-train 1000

The trainings are those in the store; what is missing there is trained first. Each estimator then runs by itself, in one
process, from a store that holds these trainings and nothing else, so that the stimuli are encoded anew for each;
with `--together` from one store, so that what an earlier one has kept serves a later one, as in daily use.
The passes and the seconds alone are those of the result: with `--together` they count what an earlier estimator has
kept too, and the CPU seconds do not. p is that of relabelling, not corrected for the number of estimators.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import process_time

from outputs import output_folder

import cogbench
from cogbench import CogbenchError, Files, Recipe, Store, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.storage.store import home
from cogbench.workers import engine


def main() -> None:
    """Train what is missing, run each estimator and print a table."""
    args = arguments()
    parts = load_parts()
    suite = parts.find("suite", args.suite)
    names = args.tasks or list(suite.tasks)
    files = Files(args.data_dir, tuple(pair.split("=", 1) for pair in args.task_data), offline=True)
    workspace = Workspace(files, Store(home()))
    backbone, tasks = parts.find("backbone", args.backbone), [parts.find("task", name) for name in names]
    trainings = [
        Training(backbone, Recipe((task,), seed=s, max_train=args.max_train)) for task in tasks for s in args.seeds
    ]
    engine.compute(
        trainings,
        replace(workspace, progress=lambda step: print(f"{step.done}/{step.total} {step.place}", file=sys.stderr)),
    )
    print("| estimator | forward | backward | CPU seconds | seconds alone | TRS | p |\n|---|---|---|---|---|---|---|")
    for together in [args.estimators] if args.together else [[name] for name in args.estimators]:
        with tempfile.TemporaryDirectory(dir=home()) as folder:
            for cell in trainings:
                linked(workspace.folder(cell), Path(folder) / workspace.folder(cell).relative_to(home()))
            for name in together:
                print(line(name, args, names, files, Store(Path(folder))), flush=True)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--estimators", nargs="+", default=affordable())
    options.add_argument("--together", action="store_true", help="from one store, one after the other")
    options.add_argument("--backbone", default="minilm")
    options.add_argument("--suite", default="cogtaskonomy")
    options.add_argument("--tasks", nargs="+")
    options.add_argument("--signal")
    options.add_argument("--oracle")
    options.add_argument("--set", action="append", default=[], metavar="PART.OPTION=VALUE")
    options.add_argument("--data-dir", type=Path)
    options.add_argument("--task-data", nargs="+", default=[], metavar="TASK=FOLDER")
    options.add_argument("--max-train", type=int)
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--out", type=output_folder, help="a folder for the results")
    return options.parse_args()


def affordable() -> list[str]:
    """Return all estimators but those that look at transfers, which cost a training for each pair."""
    return [e.name for e in load_parts().estimators.values() if "transfers" not in e.needs]


def line(name, args, tasks, files, store) -> str:
    """Run one estimator and return its row."""
    ours = [s for s in args.set if s.split(".", 1)[0] == name]
    began = process_time()
    try:
        (result,) = cogbench.run(
            name,
            args.backbone,
            suite=args.suite,
            tasks=tasks,
            signal=[args.signal] if args.signal else [],
            oracle=args.oracle,
            set=ours,
            seeds=args.seeds,
            max_train=args.max_train,
            files=files,
            store=store,
            jobs=0,
        )
    except CogbenchError as error:
        return f"| {name} | {error} | | | | |"
    seconds = process_time() - began
    if args.out:
        result.save(args.out)
    scores, own = result.scores, result.provenance
    figures = f"{scores.trs.value:.2f} | {scores.trs.p.p:.3f}" if scores else "|"
    passes = f"{own.estimator_forward} | {own.estimator_backward}"
    return f"| {result.estimator} | {passes} | {seconds:.1f} | {own.estimator_seconds} | {figures} |"


def linked(folder: Path, to: Path) -> None:
    """Make a folder of hard links to the files of another, without its stimuli."""
    for file in folder.rglob("*"):
        place = to / file.relative_to(folder)
        if file.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, place)


if __name__ == "__main__":
    main()
