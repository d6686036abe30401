"""Measuring an oracle: workers beside one, a plain loop over transformers' recipe, overhead of a cell, a large store.

    python benchmarks/oracle.py [workers] [loop] [overhead] [planning] [--tasks mini-sst-2 …]

`workers` measures the oracle of some tasks of `mini` on `minilm-2l` with one and with two worker processes, and says
what the plan expected; `loop` does the same trainings one after the other by transformers' Trainer as its example
scripts use it (dynamic padding, fp32, torch's default threads), with the same settings. `overhead` is what a cell costs
beside training, evaluation and files: toy cells that do next to nothing. `planning` plans a run of 10,000 finished
cells.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from finetune import THREADS, by_trainer
from own_parts import Idle

from cogbench import Checkpoint, Files, Recipe, Store, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.runs.measure_oracle import resolve_transfers
from cogbench.runs.plan import describe_plan
from cogbench.testing.toys import TASKS
from cogbench.workers import engine

PARTS = ("workers", "loop", "overhead", "planning")


def main() -> None:
    """Run the parts that are asked for, each in processes of its own."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("parts", nargs="*", help=", ".join(PARTS))
    words.add_argument("--tasks", nargs="+", default=["mini-sst-2", "mini-qqp", "mini-sts-b", "mini-conll-2003"])
    words.add_argument("--max-train", type=int)
    words.add_argument("--one", help=argparse.SUPPRESS)
    args = words.parse_args()
    if args.one:
        return one(args)
    for part in args.parts or PARTS:
        if part == "workers":
            print(timed(args, "plan").strip())
            alone, both = (float(timed(args, str(n))) for n in (1, 2))
            print(f"{len(args.tasks) ** 2} trainings: 1 worker {alone:.1f} s, 2 workers {both:.1f} s")
            print(f"2 workers are {alone / both:.2f} x as fast as one")
        else:
            print(f"{part}: {timed(args, part).strip()}")


def timed(args: argparse.Namespace, what: str) -> str:
    """Run one measurement in a process of its own, and return what it prints."""
    environment = {k: v for k, v in os.environ.items() if k not in THREADS}
    size = [] if args.max_train is None else ["--max-train", str(args.max_train)]
    command = [sys.executable, __file__, "--one", what, "--tasks", *args.tasks, *size]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def one(args: argparse.Namespace) -> None:
    """Measure and print one thing."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Files(offline=True), Store(Path(folder)))
        if args.one == "overhead":
            return print(overhead(workspace))
        if args.one == "planning":
            return print(planning(workspace))
        transfers, _ = resolve_transfers(
            load_parts(), "minilm-2l", suite="mini", tasks=args.tasks, max_train=args.max_train
        )
        began = time.perf_counter()
        if args.one == "plan":
            minutes = re.search(r"about ([\d.]+) minutes", describe_plan(transfers.cells(), replace(workspace, jobs=1)))
            assert minutes
            return print(f"the plan expects {60 * float(minutes[1]):.0f} s of training on one worker")
        if args.one == "loop":
            done = loop(transfers.cells(), workspace, Path(folder))
            return print(f"{time.perf_counter() - began:.1f} s for {done} trainings, one after the other")
        outcome = engine.compute(transfers.cells(), replace(workspace, jobs=int(args.one)))
        for cell in transfers.cells():
            cell.score(workspace)
        assert not outcome.failed
        print(time.perf_counter() - began)


def loop(cells: list[Training], workspace: Workspace, folder: Path) -> int:
    """Train one after the other by transformers' recipe, sources first."""
    alone: dict[str, Checkpoint] = {}
    for cell in sorted(cells, key=lambda c: c.recipe.start is not None):
        start = cell.recipe.start and alone[cell.recipe.start.task.name]
        filled = Training(cell.backbone, cell.filled(workspace))
        outputs = by_trainer(filled, workspace, folder, start=start)
        if start is None:
            saved = folder / f"{cell.recipe.task.name}-{cell.recipe.seed}"
            kept = saved.rename(folder / f"source-{cell.recipe.task.name}")
            alone[cell.recipe.task.name] = Checkpoint(kept, outputs, 0)
    return len(cells)


def overhead(workspace: Workspace, n: int = 200) -> str:
    """Return the milliseconds of a cell that does next to nothing, its training and files included."""
    cells = [Training(Idle(), Recipe((TASKS[0],), seed=seed)) for seed in range(2 * n)]
    began = time.perf_counter()
    engine.compute(cells[:n], replace(workspace, jobs=0))
    inline = time.perf_counter() - began
    ends: list[float] = []
    engine.compute(cells[n:], replace(workspace, jobs=2, progress=lambda step: ends.append(time.perf_counter())))
    spread = ends[-1] - ends[n // 4]  # the first of them wait for the workers to start
    each = 1000 * spread / (len(ends) - 1 - n // 4)
    return f"{1000 * inline / n:.1f} ms a cell in one process; with two workers one is done each {each:.1f} ms"


def planning(workspace: Workspace, n: int = 10_000) -> str:
    """Return the seconds and the memory of a plan of finished cells, of a real backbone on the tasks of `mini`."""
    parts = load_parts()
    backbone, tasks = parts.find("backbone", "minilm-2l"), [parts.find("task", t) for t in parts.suites["mini"].tasks]
    cells = [Training(backbone, Recipe((tasks[i % 12],), seed=i // 12)) for i in range(n)]
    for cell in cells:
        folder = lambda out: (out / "outputs.npy").write_bytes(b"0" * 1000)  # noqa: E731
        workspace.store.write(cell.place, workspace.key(cell), workspace.ingredients(cell), folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    missing, there = engine.plan(cells, Workspace(workspace.files, workspace.store))
    seconds = time.perf_counter() - began
    assert len(there) == n and not missing
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return f"{n} finished cells in {seconds:.2f} s, {grown:.0f} MiB more memory"


if __name__ == "__main__":
    main()
