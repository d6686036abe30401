"""How long an epoch of a small CNM network takes where some are trained at once, in milliseconds for each network.

    python benchmarks/networks.py [--networks 1 2 3 6 9 18 45] [--epochs 20] [--precision bf16]

384 dimensions, batches of 128. One core; each figure is the least of some repetitions, in the processor's time.
"""

import argparse
from time import process_time

import numpy as np
import torch
from cogbench_estimators.mapping import Training, fit_together

N_DIMS, BATCH, REPEAT = 384, 128, 3
SHAPES = ((334, 40, 200), (334, 40, 400), (100, 3, 200))  # stimuli, channels, hidden units


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--networks", type=int, nargs="+", default=[1, 2, 3, 6, 9, 18, 45])
    options.add_argument("--epochs", type=int, default=20)
    options.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    args = options.parse_args()
    torch.set_num_threads(1)
    print(
        f"| networks at once | {' | '.join(map(str, args.networks))} |\n|---|{'---|' * len(args.networks)}", flush=True
    )
    for shape in SHAPES:
        times = [1e3 * least_seconds(n, *shape, args.epochs, bf16=args.precision == "bf16") for n in args.networks]
        stimuli, channels, hidden = shape
        label = f"{stimuli} stimuli, {channels} channels, {hidden} hidden units"
        print(f"| {label} | {' | '.join(f'{time:.2f}' for time in times)} |", flush=True)


def least_seconds(n: int, n_stimuli: int, n_channels: int, hidden: int, epochs: int, *, bf16: bool) -> float:
    """Return the least seconds of an epoch of one of n networks that are trained at once."""
    x, seconds = torch.randn(1, n_stimuli, N_DIMS), []
    trainings = [Training(np.arange(n_stimuli), torch.randn(n_stimuli, n_channels), (k,)) for k in range(n)]
    for _ in range(REPEAT):
        began = process_time()
        fit_together(x, trainings, hidden, epochs, BATCH, 1e-3, bf16)
        seconds.append(process_time() - began)
    return min(seconds) / n / epochs


if __name__ == "__main__":
    main()
