"""Print how far rankings from packs agree with the rankings from the store, for docs/packs.md, by

    cogbench run --pack NAME --estimator ... --set logme.features.examples=30 --out FROM_PACKS
    cogbench run --backbone ... --stimuli neutral --estimator ... --set logme.features.examples=30 --out FROM_STORE
    python benchmarks/pack_fidelity.py FROM_PACKS FROM_STORE

Results of one estimator, with the same options, backbone, signal and oracle, are compared.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from tabulate import tabulate

from cogbench import Result, read_results


def main() -> None:
    """Compare each pair of results and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("packs", type=Path, help="A folder of results from packs.")
    options.add_argument("store", type=Path, help="A folder of results from the store.")
    args = options.parse_args()
    rows = [compared(*pair) for pair in pairs(read_results(args.packs), read_results(args.store))]
    if not rows:
        sys.exit("no estimator has results of both kinds on one oracle.")
    print(tabulate(rows, headers="keys", tablefmt="github", floatfmt=".4f"))


def pairs(from_packs: list[Result], from_store: list[Result]) -> Iterator[tuple[Result, Result]]:
    """Yield a result from a pack and the result of the same estimator from the store."""
    stored = {key(result): result for result in from_store}
    for one in from_packs:
        if key(one) in stored:
            yield one, stored[key(one)]


def key(result: Result) -> tuple[str | None, ...]:
    """Return what two results must share to be compared."""
    return result.estimator, result.backbone, result.signal, result.oracle.name if result.oracle else None


def compared(packed: Result, stored: Result) -> dict[str, Any]:
    """Return a row: the correlation over pairs, and the targets with the same first choice.

    A first choice counts as told apart if the best two similarities differ by more than half precision can hold.
    """
    one, other = (np.array(result.similarity, dtype=float) for result in (packed, stored))
    both = np.isfinite(one) & np.isfinite(other)
    alike, told_apart = 0, 0
    for j in range(one.shape[1]):
        order = np.sort(other[both[:, j], j])
        if len(order) > 1 and order[-1] - order[-2] > 2e-3 * np.ptp(order):
            told_apart += 1
            alike += np.nanargmax(np.where(both[:, j], one[:, j], np.nan)) == np.nanargmax(
                np.where(both[:, j], other[:, j], np.nan)
            )
    return {
        "oracle": packed.oracle.name if packed.oracle else "",
        "estimator": packed.estimator,
        "Spearman": spearmanr(one[both], other[both]).statistic,
        "same first choice": f"{alike} of {told_apart}",
        "targets": one.shape[1],
    }


if __name__ == "__main__":
    main()
