"""CNM and CRA beside their peers, and beside the fastest matrix product of this machine: `make bench`.

    python benchmarks/engines.py [NAME …] [--out FILE.json]

Each line runs in a process of its own with one thread, and seconds are those of the processor: a figure is that of one
core, and other work on the machine changes it less than it changes the clock's. Work is in floating-point operations of
the matrix products that the mathematics asks for, so `share` is that of this core's own rate (`torch.mm` of 4,096
squared, in the precision of the line, measured in the same run). Peak memory is the whole process's. Numbers are
random: times do not depend on them. Peers that are not installed are left out: `pip install himalaya rsatoolbox`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from outputs import output_file

from cogbench.storage.atomic import save_text

N, D, H, TASKS, VOXELS = 627, 768, 400, 12, 30_000  # the paper's: stimuli, dimensions, hidden, tasks, voxels
TRAIN = N - N // 5
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
MISSING = 3  # exit code: a peer is not installed
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main() -> None:
    """Run what is asked for, print a table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=", ".join(LINES))
    parser.add_argument("--out", type=output_file)
    parser.add_argument("--one", choices=[*LINES, "peak"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return print(json.dumps(peak() if args.one == "peak" else measured(LINES[args.one])))
    rates = run("peak")
    assert rates
    speeds = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {kind}" for kind, rate in rates.items())
    print(f"torch.mm of 4,096 squared on one core: {speeds}\n", flush=True)
    rows = []
    for name in args.names or LINES:
        row = run(name)
        if row is None:
            print(f"{name}: left out, its peer is not installed", file=sys.stderr)
            continue
        first = next((r for r in rows if r["group"] == row["group"]), row)
        row["times"] = row["seconds"] / first["seconds"]
        row["share"] = row["flop"] / row["seconds"] / rates[row["precision"]] if row["flop"] else None
        rows.append({"name": name, **row})
        share = "" if row["share"] is None else f"{100 * row['share']:5.0f} %"
        print(
            f"{name:28} {row['seconds']:9.3f} s {row['times']:8.2f} x {share:>8} {row['peak'] / 2**20:8.0f} MiB",
            flush=True,
        )
    if args.out:
        save_text(args.out, json.dumps({"rates": rates, "lines": rows}, indent=1))


def run(name: str) -> dict[str, Any] | None:
    """Run one line in a process of its own; None if what it needs is not installed."""
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run([sys.executable, __file__, "--one", name], env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode == MISSING:
        return None
    if done.returncode:
        raise SystemExit(f"{name} failed.")
    return json.loads(done.stdout.splitlines()[-1])


def measured(line: "Line") -> dict[str, Any]:
    """Return the least seconds of the processor over some repetitions, and the process's peak memory."""
    try:
        work = line.prepare()
    except ImportError:
        raise SystemExit(MISSING) from None
    seconds = []
    for _ in range(line.repeat):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    top = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "group": line.group,
        "seconds": min(seconds) / line.per,
        "flop": line.flop / line.per,
        "peak": top,
        "precision": line.precision,
    }


def peak() -> dict[str, float]:
    """Return the rate of a large matrix product, in operations a second, by precision."""
    import torch

    rates = {}
    for kind in (torch.bfloat16, torch.float32, torch.float64):
        a, seconds = torch.randn(4096, 4096).to(kind), []
        for _ in range(4):
            began = time.process_time()
            a @ a
            seconds.append(time.process_time() - began)
        rates[str(kind).removeprefix("torch.")] = 2 * 4096**3 / min(seconds)
    return rates


@dataclass(frozen=True)
class Line:
    """What is timed: `prepare` returns it. The time is that of one of `per` equal parts, such as one task's fit."""

    group: str
    prepare: Callable[[], Callable[[], Any]]
    flop: float = 0  # of all parts
    per: int = 1
    repeat: int = 1
    precision: str = "float32"


def normal(*shape: int, seed: int = 0, kind: Any = np.float32) -> np.ndarray:
    """Return random numbers."""
    return np.random.default_rng(seed).standard_normal(shape, kind)


def cnm(solver: str, n_tasks: int, voxels: int, precision: str) -> Callable[[], Callable[[], Any]]:
    """One outer fold: fit the networks of some tasks to a subject's voxels, and predict the others' stimuli."""

    def prepare() -> Callable[[], Any]:
        import torch
        from cogbench_estimators.cnm import CNM

        estimator = CNM(hidden=(H,), solver=solver, precision=precision)  # type: ignore[arg-type]
        x, y = torch.from_numpy(normal(n_tasks, N, D)), torch.from_numpy(normal(N, voxels, seed=1))
        train, test = np.arange(TRAIN), np.arange(TRAIN, N)
        return lambda: estimator.predict(x, y, train, test, H, (0, 0, 0))

    return prepare


def published(
    n_tasks: int = TASKS, n: int = N, d: int = D, voxels: int = VOXELS, **options: Any
) -> Callable[[], Callable[[], Any]]:
    """One seed of one subject as published: five outer folds, a grid of two sizes by three inner folds."""

    def prepare() -> Callable[[], Any]:
        from cogbench_estimators.cnm import CNM

        x, y = normal(n_tasks, n, d), normal(n, voxels, seed=1)
        return lambda: CNM(**options).cross_validate(x, y, 5)

    return prepare


def published_flop(n_tasks: int, n: int, d: int, voxels: int, epochs: int) -> float:
    """Return the operations of the products of `published`, if each task takes 400 hidden units."""
    train = n - n // 5
    return n_tasks * 5 * (3 * sum(fit_flop(train * 2 // 3, d, h, voxels, epochs) for h in (400, 200))) + (
        n_tasks * 5 * fit_flop(train, d, 400, voxels, epochs)
    )


def fit_flop(train: int, d: int, hidden: int, targets: int, epochs: int = 100) -> float:
    """Return the operations of one fit's products: two of the first layer, and three of the second.

    No gradient with respect to the input is needed, so the first layer has no third product.
    """
    return epochs * train * 2 * hidden * (2 * d + 3 * targets)


def mlp() -> Callable[[], Any]:
    """Scikit-learn's network with the same settings."""
    from sklearn.neural_network import MLPRegressor

    model = MLPRegressor(hidden_layer_sizes=(H,), batch_size=128, max_iter=100, n_iter_no_change=1000, tol=0, alpha=0)
    x, y = normal(TRAIN, D), normal(TRAIN, VOXELS, seed=1)
    return lambda: model.fit(x, y)


def ridge() -> Callable[[], Any]:
    """One outer fold of `cnm-ridge`: choose each task's penalty by three inner folds, and predict."""
    import torch
    from cogbench_estimators.ridge import choose_penalties, predict_responses, stimulus_products

    x, y = torch.from_numpy(normal(TASKS, N, D)), torch.from_numpy(normal(N, VOXELS, seed=1))
    train, test = np.arange(TRAIN), np.arange(TRAIN, N)

    def work() -> None:
        choice = choose_penalties(x, stimulus_products(y), np.array_split(train, 3), PENALTIES)
        for i in np.unique(choice):
            predict_responses(x[torch.from_numpy(choice == i)], y, train, test, PENALTIES[i])

    return work


def himalaya(backend: str) -> Callable[[], Callable[[], Any]]:
    """The same by himalaya's kernel ridge, which chooses a penalty for each voxel."""

    def prepare() -> Callable[[], Any]:
        import torch
        from himalaya.backend import set_backend
        from himalaya.kernel_ridge import KernelRidgeCV

        set_backend(backend)
        x, y = normal(TASKS, N, D), normal(N, VOXELS, seed=1)
        if backend == "torch":
            x, y = torch.from_numpy(x), torch.from_numpy(y)

        def work() -> None:
            for of in x:
                model = KernelRidgeCV(alphas=[D * p for p in PENALTIES], kernel="linear", cv=3)
                model.fit(of[:TRAIN], y[:TRAIN])
                model.predict(of[TRAIN:])

        return work

    return prepare


def cra_ours(n: int, d: int) -> Callable[[], Callable[[], Any]]:
    """CRA of twelve tasks, correlation and cosine, from memory-mapped files."""

    def prepare() -> Callable[[], Any]:
        from cogbench_estimators.cra import compare_without_pairs

        patterns = mapped(n, d)
        return lambda: compare_without_pairs(patterns, "cosine")

    return prepare


kept: list[Any] = []  # folders that live as long as the process


def mapped(n: int, d: int) -> list[np.ndarray]:
    """Return twelve tasks' representations as the store has them: float32, memory-mapped."""
    kept.append(folder := tempfile.TemporaryDirectory())
    arrays = []
    for t in range(TASKS):
        path = Path(folder.name) / f"{t}.npy"
        file = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
        for start in range(0, n, 10_000):
            file[start : start + 10_000] = normal(min(10_000, n - start), d, seed=t * 1000 + start)
        file.flush()
        arrays.append(np.load(path, mmap_mode="r"))
    return arrays


def cra_pdist() -> Callable[[], Any]:
    """The same by scipy's pdist and numpy."""
    from scipy.spatial.distance import pdist

    patterns = mapped(N, D)

    def work() -> Any:
        rdms = np.stack([pdist(p, "correlation") for p in patterns])
        unit = rdms / np.linalg.norm(rdms, axis=1, keepdims=True)
        return unit @ unit.T

    return work


def cra_rsatoolbox() -> Callable[[], Any]:
    """The same by rsatoolbox and its comparison."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm, compare, concat

    patterns = [np.asarray(p, np.float64) for p in mapped(N, D)]

    def work() -> Any:
        rdms = concat([calc_rdm(Dataset(p), method="correlation") for p in patterns])
        return compare(rdms, rdms, method="cosine")

    return work


def euclidean(n: int, d: int) -> Callable[[], Callable[[], Any]]:
    """CRA of twelve tasks with euclidean dissimilarities, by blocks of pairs."""

    def prepare() -> Callable[[], Any]:
        from cogbench_estimators.cra import by_blocks

        patterns = mapped(n, d)
        return lambda: by_blocks(patterns, "euclidean")

    return prepare


def gram_flop(n: int, d: int) -> float:
    """Return the operations of CRA without pairs, over features: each two tasks once."""
    return n * d * d * TASKS * (TASKS + 1)


SHORT = TASKS * (fit_flop(TRAIN, D, H, TRAIN))  # as many targets as training stimuli
BF16 = "bfloat16"
FEW_CHANNELS = {"gaze": (TASKS, 1121, 384, 8), "40 voxels": (3, N, 384, 40), "3 channels": (3, 80, 384, 3)}

LINES = {
    "cnm compressed": Line("cnm", cnm("compressed", TASKS, VOXELS, "bf16"), SHORT, per=TASKS, repeat=2, precision=BF16),
    "cnm compressed, fp32": Line("cnm", cnm("compressed", TASKS, VOXELS, "fp32"), SHORT, per=TASKS),
    "cnm plain": Line("cnm", cnm("plain", 1, VOXELS, "fp32"), fit_flop(TRAIN, D, H, VOXELS)),
    "cnm plain, bf16": Line("cnm", cnm("plain", 1, VOXELS, "bf16"), fit_flop(TRAIN, D, H, VOXELS), precision=BF16),
    "cnm scikit-learn": Line("cnm", mlp),
    "cnm compressed, 3,000 voxels": Line(
        "cnm", cnm("compressed", TASKS, 3_000, "bf16"), SHORT, per=TASKS, repeat=2, precision=BF16
    ),
    "cnm, a seed of a subject": Line("cnm published", published()),
    **{
        f"cnm {name}, {precision}": Line(
            f"cnm {name}",
            published(*shape, epochs=10, precision=precision),
            published_flop(*shape, epochs=10),
            repeat=2,
            precision=BF16 if precision == "bf16" else "float32",
        )
        for name, shape in FEW_CHANNELS.items()
        for precision in ("bf16", "fp32")
    },
    "ridge": Line("ridge", ridge, repeat=2),
    "ridge himalaya, torch": Line("ridge", himalaya("torch"), repeat=2),
    "ridge himalaya, numpy": Line("ridge", himalaya("numpy"), repeat=2),
    "cra": Line("cra", cra_ours(N, D), TASKS * 2 * N * N * D, repeat=5, precision="float64"),
    "cra scipy": Line("cra", cra_pdist, repeat=3, precision="float64"),
    "cra rsatoolbox": Line("cra", cra_rsatoolbox, repeat=3, precision="float64"),
    "cra 20,000": Line("cra many", cra_ours(20_000, 384), gram_flop(20_000, 384), precision="float64"),
    "cra 200,000": Line("cra many", cra_ours(200_000, 384), gram_flop(200_000, 384), precision="float64"),
    "cra euclidean 20,000": Line("cra euclidean", euclidean(20_000, 384), TASKS * 20_000**2 * 384, precision="float64"),
}


if __name__ == "__main__":
    main()
