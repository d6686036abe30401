"""Is CNM's fast solver the published network in distribution, in bf16 too? Planted data, some seeds of each way.

    python benchmarks/distribution.py [--voxels 1000] [--seeds 5] [--epochs 60]

Twelve tasks see a common structure with more or less noise and distortion of their own, and each voxel answers to a
part of it. Prints, for pairs of runs of the same and of the other solver: the correlation of the voxels' scores (mean
over tasks), the mean score, and Spearman's correlation of the tasks' similarity matrices.
"""

import argparse
import itertools
import time

import numpy as np
from cogbench_estimators.cnm import CNM
from cogbench_estimators.mapping import z_scored
from cogbench_estimators.prediction import SubjectData, cosines, describe_subject
from scipy.stats import spearmanr

WAYS = {
    "plain": {"solver": "plain", "precision": "fp32"},
    "compressed": {"precision": "fp32"},
    "compressed bf16": {"precision": "bf16"},
}


def main() -> None:
    """Run both solvers and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxels", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--hidden", type=int, default=200)
    parser.add_argument("--stimuli", type=int, default=627)
    parser.add_argument("--noise", type=float, default=1.0, help="of the voxels, relative to what is usual here")
    args = parser.parse_args()
    x, y = planted(args.stimuli, args.voxels, args.noise)
    vectors = {}
    for solver, how in WAYS.items():
        estimator = CNM(**how, hidden=(args.hidden,), epochs=args.epochs, folds=3)
        began = time.perf_counter()
        runs = [describe_subject(estimator, SubjectData(x, None, y), seed) for seed in range(args.seeds)]
        vectors[solver] = [run["vectors"] for run in runs]  # (n_tasks, n_voxels) each
        print(f"{solver:15} {time.perf_counter() - began:7.1f} s, mean score", end=" ")
        print("{:.4f} to {:.4f}".format(*_ends([v.mean() for v in vectors[solver]])))
    upper = np.triu_indices(len(x), 1)
    print(f"\n{'pairs of runs':26} {'voxel scores':>16} {'similarity matrices':>22}")
    for a, b in (*((name, name) for name in WAYS), *itertools.combinations(WAYS, 2)):
        pairs = itertools.combinations(vectors[a], 2) if a == b else itertools.product(vectors[a], vectors[b])
        both = [
            (
                np.corrcoef(v.mean(axis=0), w.mean(axis=0))[0, 1],
                spearmanr(cosines(v)[upper], cosines(w)[upper]).statistic,
            )
            for v, w in pairs
        ]
        voxels, matrices = zip(*both, strict=True)
        spans = (f"{np.mean(values):6.3f} ({_span(values)})" for values in (voxels, matrices))
        print(f"{a + ' with ' + b:32}", *spans)
    means = {name: np.mean([cosines(v)[upper] for v in vectors[name]], axis=0) for name in vectors}
    for a, b in itertools.combinations(WAYS, 2):
        print(f"matrices averaged over the seeds, {a} with {b}: {spearmanr(means[a], means[b]).statistic:.3f}")


def planted(n: int, voxels: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (12, n, 384) representations and (n, voxels) responses, z-scored."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(n, 40))
    spread = rng.normal(size=(40, 384)) / 40**0.5
    own = [rng.normal(size=(n, 384)) * level for level in np.linspace(0.3, 1.5, 12)]
    weights = [np.where(rng.random(40) < 0.7, 1.0, 0.2) for _ in own]  # what of the structure a task has kept
    x = np.stack([(shared * w) @ spread + o for w, o in zip(weights, own, strict=True)]).astype(np.float32)
    parts = rng.normal(size=(40, voxels)) * (rng.random((40, voxels)) < 0.2)
    y = shared @ parts
    return x, z_scored(y / y.std() + rng.normal(size=y.shape) * noise * rng.uniform(0.7, 3, voxels))


def _ends(values):
    return min(values), max(values)


def _span(values) -> str:
    return "{:.3f} to {:.3f}".format(*_ends(values))


if __name__ == "__main__":
    main()
