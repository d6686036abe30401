"""How much does a board show? The tests of estimators that the printed p leaves out.

    python benchmarks/board_statistics.py [ESTIMATOR …] [--results FOLDER] [--oracle NAME]

Reads the results of an installed oracle in a folder, by default those in `docs/results` of the oracle of `minilm` that
was measured on real data; trains nothing. Prints a row for each estimator that knows no transfers. The columns:

- The source that the estimator picks for most targets, and for how many; tied picks count by their share.
- TRS and its printed p, which takes the picks for different targets as independent.
- p by relabelling. The tasks of the estimator's matrix are permuted at random, rows and columns together, so that a
  source that is picked for many targets stays such a source. p is the share of permutations with a TRS as low or lower.
- That p adjusted for the number of estimators without `random`, in two usual ways, with the same permutations for all
  estimators. Step-down compares with the smallest p of each permutation (Westfall and Young 1993). The other compares
  with the smallest TRS of each permutation.
- The TRS less that of `popularity`, and in brackets the exact p of sign flips over targets, two-sided.
- The rank correlation of similarities and transfers over all pairs of tasks, after the mean effects of sources and of
  targets were taken out of both, and in brackets its p by relabelling, one-sided. First with similarities and transfers
  divided by their standard deviation within each target, then in their own units.

Only the two adjusted p count that several estimators were tried.
"""

import argparse
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from cogbench import Result, TaskMatrix, load_parts, popularity_baseline, rank
from cogbench.parts.registry import find_oracle
from cogbench.views.formats import grid

RESULTS = Path(__file__).parents[1] / "docs" / "results"
ORACLE = "cogtaskonomy-minilm-max-1000"
DRAWS = 20_000
TIE = 1e-9


def board(folder: Path = RESULTS, oracle: str = ORACLE) -> dict[str, Result]:
    """Return the results that know no transfers by their estimators' labels, the best TRS first."""
    found = {file.name.partition("--")[0]: Result.load(file) for file in folder.glob(f"*--{oracle}-*.json")}
    known = ((name, result) for name, result in found.items() if not result.uses_oracle)
    return dict(sorted(known, key=lambda pair: (pair[1].scores.trs, pair[0])))


def picks(matrices: Iterable[TaskMatrix]) -> np.ndarray:
    """Return how likely each source is the predicted best: (n_estimators, n_sources, n_targets)."""
    return np.stack([rank(matrix).picks(1) for matrix in matrices])


def target_ranks(picked: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return the oracle rank of the predicted best source of each target: (n_estimators, n_targets)."""
    return (picked * np.nan_to_num(ranks)).sum(axis=1)


def relabelled(picked: np.ndarray, ranks: np.ndarray, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return the TRS of each estimator after random permutations of its tasks: (n_estimators, draws)."""
    rng, n = np.random.default_rng(seed), len(ranks)
    orders = (rng.permutation(n) for _ in range(draws))
    return np.stack([target_ranks(picked[:, q][:, :, q], ranks).mean(axis=1) for q in orders], axis=1)


def p_values(trs: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the share of shuffles, the matrix itself among them, whose TRS is as low or lower: (n_estimators,)."""
    return (1 + (null <= trs[:, None] + TIE).sum(axis=1)) / (1 + null.shape[1])


def step_down(p: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return p adjusted for the number of estimators, by the smallest p of each shuffle: (n_estimators,)."""
    each = np.stack([rankdata(row, method="max") for row in null]) / null.shape[1]  # p of each shuffle
    adjusted, least, order = np.empty(len(p)), 0.0, np.argsort(p, kind="stable")
    for i, estimator in enumerate(order):
        smallest = each[order[i:]].min(axis=0)
        least = max(least, (1 + (smallest <= p[estimator] + TIE).sum()) / (1 + null.shape[1]))
        adjusted[estimator] = least
    return adjusted


def smallest_trs(trs: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return p adjusted for the number of estimators, by the smallest TRS of each shuffle: (n_estimators,)."""
    return p_values(trs, np.broadcast_to(null.min(axis=0), null.shape))


def sign_flips(differences: np.ndarray) -> float:
    """Return the exact two-sided p of a mean difference over targets."""
    signs = np.array(list(product((1, -1), repeat=len(differences))))
    return float((np.abs(signs @ differences) >= abs(differences.sum()) - TIE).mean())


def interactions(matrix: TaskMatrix, *, standardised: bool) -> np.ndarray:
    """Return what is left of a matrix without the effects of sources and targets: (n_sources, n_targets)."""
    values = matrix.values
    if standardised:
        spread = np.array([np.nanstd(c) if np.isfinite(c).any() else np.nan for c in values.T])
        values = values / np.where(spread > 0, spread, np.nan)
    rows, columns = np.nonzero(np.isfinite(values))
    design = np.zeros((len(rows), sum(values.shape)))
    design[np.arange(len(rows)), rows] = design[np.arange(len(rows)), len(values) + columns] = 1
    known = values[rows, columns]
    left = np.full(values.shape, np.nan)
    left[rows, columns] = known - design @ np.linalg.lstsq(design, known, rcond=None)[0]
    return np.where(np.abs(left) < TIE * np.abs(known).max(), 0, left)


def beyond_effects(matrix: TaskMatrix, truth: TaskMatrix, *, standardised: bool, draws: int = 1000):
    """Return the rank correlation of what is left of both matrices, and its p by relabelling, one-sided."""
    left, true = (interactions(m, standardised=standardised) for m in (matrix, truth))
    if not left[np.isfinite(left)].any():  # the same similarities for all targets
        return np.nan, np.nan

    def correlation(values: np.ndarray) -> float:
        known = np.isfinite(values) & np.isfinite(true)
        return float(np.corrcoef(rankdata(values[known]), rankdata(true[known]))[0, 1])

    rng, found = np.random.default_rng(0), correlation(left)
    orders = (rng.permutation(len(true)) for _ in range(draws))
    as_high = sum(correlation(left[np.ix_(q, q)]) >= found - TIE for q in orders)
    return found, (1 + as_high) / (1 + draws)


def rows(names: Iterable[str] = (), folder: Path = RESULTS, oracle: str = ORACLE) -> list[dict[str, str]]:
    """Return a row for each estimator of these names, or for all estimators that know no transfers."""
    results, known = board(folder, oracle), find_oracle(load_parts(), oracle)
    truth, ranks = known.transfers, rank(known.transfers).ranks
    popular = target_ranks(picks([popularity_baseline(known)]), ranks)[0]
    picked = picks(result.matrix for result in results.values())
    each = target_ranks(picked, ranks)
    trs, null = each.mean(axis=1), relabelled(picked, ranks)
    p, tried = p_values(trs, null), np.array([name != "random" for name in results])
    adjusted = np.full((2, len(p)), np.nan)
    adjusted[:, tried] = step_down(p[tried], null[tried]), smallest_trs(trs[tried], null[tried])
    table = []
    for i, (name, result) in enumerate(results.items()):
        if names and name not in names:
            continue
        source, behind = int(picked[i].sum(axis=1).argmax()), each[i] - popular
        beyond = [beyond_effects(result.matrix, truth, standardised=of) for of in (True, False)]
        table.append(
            {
                "estimator": f"`{name}`",
                "most picked": f"`{truth.sources[source]}` {picked[i, source].sum():.3g}",
                "TRS": f"{trs[i]:.2f}",
                "printed p": in_short(result.scores.trs_p),
                "p by relabelling": in_short(p[i]),
                "adjusted, step-down": in_short(adjusted[0, i]),
                "adjusted, smallest TRS": in_short(adjusted[1, i]),
                "less popularity": with_p(behind.mean(), sign_flips(behind)),
                "beyond effects": with_p(*beyond[0]),
                "beyond effects, own units": with_p(*beyond[1]),
            }
        )
    return table


def in_short(p: float) -> str:
    """Return a probability with two digits that count."""
    digits = 4 if p < 0.00995 else 3 if p < 0.0995 else 2
    return "" if np.isnan(p) else f"{p:.{digits}f}".removeprefix("0")


def with_p(value: float, p: float) -> str:
    """Return a signed number with its p in brackets."""
    return "" if np.isnan(value) else f"{value:+.2f} ({in_short(p)})"


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("names", nargs="*", metavar="ESTIMATOR")
    asked.add_argument("--results", type=Path, default=RESULTS)
    asked.add_argument("--oracle", default=ORACLE)
    args = asked.parse_args()
    print(grid(rows(args.names, args.results, args.oracle), "markdown"))
