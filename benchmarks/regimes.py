"""Gains of sources with many examples against sources with few, of two measured oracles: the tables of docs/regimes.md.

    python benchmarks/regimes.py cogtaskonomy-minilm-6-tasks-max-1000-target-100 cogtaskonomy-minilm-6-tasks-max-100

The oracles are of the same tasks and the same number of target examples.
"""

import argparse

import numpy as np

from cogbench import Oracle, compare, load_parts
from cogbench.oracles.gains import budgets, gains, target_gains
from cogbench.parts.oracle_names import find_oracle
from cogbench.views.formats import grid

Values = np.ndarray


def words(value: float, error: float) -> str:
    """Return a gain with its standard error."""
    return f"{value:+.3f} ± {error:.3f}"


def regime(oracle: Oracle) -> str:
    """Return the numbers of examples of an oracle: source → target."""
    of_source, of_target = budgets(oracle)
    return f"{of_source:,} → {of_target:,}"


def mean_of_targets(values: Values, errors: Values) -> tuple[Values, Values]:
    """Return each target's mean gain and its error at most, (n_targets,): the errors of sources count as one."""
    return np.nanmean(values, axis=0), np.nanmean(errors, axis=0)


def target_rows(oracles: list[Oracle]) -> list[dict[str, str]]:
    """Return a row for each target, and one of all pairs: the mean gains and the best source by each oracle."""
    rows = []
    for j, target in enumerate(oracles[0].transfers.targets):
        alone = oracles[0].no_transfer
        assert alone is not None
        row = {"target": target, "metric": oracles[0].metrics[target], "no transfer": f"{alone[j]:.3f}"}
        for oracle in oracles:
            of = target_gains(oracle, target)
            assert of is not None
            row[f"mean of sources, {regime(oracle)}"] = words(of.mean.gain, of.mean.error)
            row[f"best, {regime(oracle)}"] = f"{of.best.source} {words(of.best.gain, of.best.error)}"
            row[f"pays, {regime(oracle)}"] = f"{'yes' if of.pays else 'no'}, p {of.p:.3f}"
        rows.append(row)
    total: dict[str, str] = {"target": "all pairs", "metric": "", "no transfer": ""}
    for oracle in oracles:
        means, errors = mean_of_targets(*gains(oracle))
        total[f"mean of sources, {regime(oracle)}"] = words(
            means.mean(), np.sqrt(np.square(errors).sum()) / len(errors)
        )
    return [*rows, {name: total.get(name, "") for name in rows[0]}]


def pair_rows(oracle: Oracle) -> list[dict[str, str]]:
    """Return the gain of each source (rows) for each target (columns)."""
    values, errors = gains(oracle)
    names, targets = oracle.transfers.sources, oracle.transfers.targets
    return [
        {
            "source": source,
            **{
                target: "" if np.isnan(values[i, j]) else words(values[i, j], errors[i, j])
                for j, target in enumerate(targets)
            },
        }
        for i, source in enumerate(names)
    ]


def summary(oracle: Oracle) -> str:
    """Return how many pairs gain and lose, by two standard errors too."""
    values, errors = gains(oracle)
    finite = np.isfinite(values)
    ratio = values[finite] / np.where(errors[finite] > 0, errors[finite], np.inf)
    return (
        f"{regime(oracle)}: {(values > 0).sum()} of {finite.sum()} pairs gain, {(ratio > 2).sum()} by more than "
        f"two standard errors; {(ratio < -2).sum()} lose as much"
    )


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("many", help="The oracle of many source examples: a name, or a file.")
    options.add_argument("few", help="The oracle of as many source examples as target examples.")
    args = options.parse_args()
    oracles = [find_oracle(load_parts(), name) for name in (args.many, args.few)]
    print(grid(target_rows(oracles), "markdown"), end="\n\n")
    for oracle in oracles:
        print(f"**{regime(oracle)}**\n\n{grid(pair_rows(oracle), 'markdown')}", end="\n\n")
    for oracle in oracles:
        print(f"- {summary(oracle)}")
    (pair,) = compare(oracles).pairs
    print(
        f"- by target the two rank sources alike by {pair.by_target:+.2f} (Spearman, mean); the best of the first have "
        f"mean rank {pair.trs:.2f} in the second (chance {pair.trs_chance:.2f})"
    )


if __name__ == "__main__":
    main()
