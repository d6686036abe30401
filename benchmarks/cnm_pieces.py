"""How fast are the pieces of CNM in one worker, in two, and as one process with all threads? Printed as ratios, by

    python benchmarks/cnm_pieces.py
    python benchmarks/cnm_pieces.py --subjects 1 --seeds 1 --channels 10000 --stimuli 627 --tasks 12

Representations and responses are random numbers with a common part. Each way starts from an empty store that has the
representations. The pieces of one run are computed by three ways, in turn, `--rounds` times.
"""

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from cogbench_estimators.cnm import CNM
from own_parts import WideBackbone, WideSignal

from cogbench import Files, Store
from cogbench.compute.evidence import Piece, Similarity
from cogbench.compute.workspace import Workspace
from cogbench.testing.toys import TASKS
from cogbench.workers import engine


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--subjects", type=int, default=5)
    options.add_argument("--stimuli", type=int, default=200)
    options.add_argument("--channels", type=int, default=500)
    options.add_argument("--tasks", type=int, default=4)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--epochs", type=int, default=100)
    options.add_argument("--rounds", type=int, default=1)
    args = options.parse_args()
    tasks = tuple(replace(TASKS[i % len(TASKS)], name=f"toy-{i}") for i in range(args.tasks))
    signal = WideSignal(args.subjects, args.stimuli, args.channels)
    estimator = CNM(seeds=tuple(range(args.seeds)), epochs=args.epochs)
    cell, ways = Similarity(estimator, WideBackbone(), tasks, signal), dict[str, list[float]]()
    with tempfile.TemporaryDirectory() as folder:
        prepared = Workspace(Files(offline=True), Store(Path(folder) / "prepared"), jobs=0)
        engine.compute(cell.sources_of_evidence(), prepared)
        for _ in range(args.rounds):
            for way, jobs, threads in (
                ("one worker", 1, 1),
                ("two workers", 2, 1),
                ("one process, both threads", 0, 2),
            ):
                home = Path(folder) / "home"
                shutil.copytree(Path(folder) / "prepared", home)
                ways.setdefault(way, []).append(seconds(cell, replace(prepared, store=Store(home), jobs=jobs), threads))
                shutil.rmtree(home)
    first = min(ways["one worker"])
    for way, times in ways.items():
        print(f"{way}: {min(times):.1f} s, {first / min(times):.2f} times as fast as one worker")


def seconds(cell: Similarity, workspace: Workspace, threads: int) -> float:
    """Return how long the pieces and the matrix take, from the start of the first piece to the end of the last."""
    import torch

    torch.set_num_threads(threads)
    began = list[float]()
    outcome = engine.compute([cell], replace(workspace, progress=lambda step: began.append(perf_counter())))
    assert not outcome.failed, outcome.failed
    pieces = sum(isinstance(done, Piece) for done in outcome.computed)
    print(f"{pieces} pieces, {workspace.jobs} workers: {began[-1] - began[0]:.1f} s", file=sys.stderr)
    return began[-1] - began[0]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
