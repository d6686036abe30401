"""What the statistics hold: false positives, power and coverage by simulation, as the tables of docs/inference.md.

    python benchmarks/inference.py [--simulations 1000] [--draws 999] [--seed 0] [--only level,paired,power,coverage]

A false positive is an estimator without knowledge that a test calls better than chance (or better than another one) at
.05. `before` are the tests of cogbench 0.2.0's first boards: independent choices, sign flips alone, and the percentile
bootstrap over targets.
"""

import argparse
from collections.abc import Callable

import numpy as np

from cogbench import Files, Oracle, TaskMatrix, load_parts
from cogbench.scoring.chance import (
    chance_law,
    independent_p,
    interval_over_targets,
    relabelled_p,
    relabelled_totals,
    relabellings,
)
from cogbench.scoring.paired import paired_difference, score_picks
from cogbench.scoring.ranking import picked_ranks, rank, true_ranking
from cogbench.scoring.skill import skill_beyond_effects
from cogbench.views.formats import grid

LEVEL = 0.05
MEASURED = ("cogtaskonomy-bert", "cogtaskonomy-tinybert", "cogtaskonomy-minilm-max-1000")
Rng = np.random.Generator
Values = np.ndarray


def symmetric(rng: Rng, n: int) -> Values:
    """Return similarities that are the same in both directions."""
    values = rng.normal(size=(n, n))
    return values + values.T


def hubs(rng: Rng, n: int) -> Values:
    """Return symmetric similarities in which some tasks are like all others."""
    popular = 2 * rng.normal(size=n)
    return popular[:, None] + popular[None] + symmetric(rng, n) / 2


# Estimators without knowledge: what they say of n sources and n targets.
IGNORANT: dict[str, Callable[[Rng, int], Values]] = {
    "independent": lambda rng, n: rng.normal(size=(n, n)),
    "symmetric": symmetric,
    "hubs": hubs,
    "source quality": lambda rng, n: 2 * rng.normal(size=(n, 1)) + rng.normal(size=(n, n)),
    "one source": lambda rng, n: np.tile(rng.normal(size=(n, 1)), (1, n)),
}
# Oracles in which sources differ, and pairs differ in three ways.
SIMULATED: dict[str, Callable[[Rng, int], Values]] = {
    "simulated: sources differ": lambda rng, n: 1.5 * rng.normal(size=(n, 1)) + rng.normal(size=(n, n)),
    "simulated: alike pairs": lambda rng, n: 1.5 * rng.normal(size=(n, 1)) + 0.7 * symmetric(rng, n),
}


def oracle_maker(name: str) -> Callable[[Rng], Oracle]:
    """Return what gives the oracle of a simulation: an installed one, or a simulated one, drawn anew each time."""
    if name in SIMULATED:
        tasks = tuple(f"task {i}" for i in range(12))
        return lambda rng: Oracle(name, "", "", TaskMatrix.square(tasks, SIMULATED[name](rng, len(tasks))))
    installed = load_parts().oracles[name].read(Files(offline=True))
    return lambda rng: installed


def false_positives(simulations: int, draws: int, rng: Rng) -> list[dict[str, str]]:
    """Return how often estimators without knowledge are called better than chance, and skilled beyond effects."""
    rows = []
    for oracle_name in (*MEASURED, *SIMULATED):
        make = oracle_maker(oracle_name)
        for kind, guess_values in IGNORANT.items():
            p_values = np.array(
                [_p_values(make(rng), guess_values, draws, rng, seed) for seed in range(simulations)], np.float64
            )
            before, after, skill = (np.mean(column <= LEVEL) for column in p_values.T)
            undefined = np.isnan(p_values[:, 2]).all()
            rows.append(
                {
                    "oracle": oracle_name,
                    "estimator without knowledge": kind,
                    "independent choices (before)": f"{before:.3f}",
                    "relabelled": f"{after:.3f}",
                    "skill": "–" if undefined else f"{skill:.3f}",
                }
            )
    return rows


def _p_values(oracle: Oracle, guess_values: Callable[[Rng, int], Values], draws: int, rng: Rng, seed: int) -> list:
    true = true_ranking(oracle)
    guess = TaskMatrix.square(true.sources, guess_values(rng, len(true.sources)))
    names = relabellings(guess, draws=draws, seed=seed)
    picks = score_picks(guess, true, names)
    total = float(picks.ranks.sum())
    skill = skill_beyond_effects(guess, oracle, true, picks, names, draws=draws, seed=seed)
    p_values = [independent_p(chance_law(true), total), relabelled_p(picks.totals, total, names).p]
    return [*p_values, skill.p.p if skill.p else np.nan]


def paired_false_positives(simulations: int, draws: int, rng: Rng) -> list[dict[str, str]]:
    """Return how often two estimators without knowledge are told apart."""
    rows = []
    pairs = [*((kind, kind) for kind in IGNORANT), ("independent", "one source"), ("independent", "hubs")]
    for oracle_name in (*MEASURED, *SIMULATED):
        make = oracle_maker(oracle_name)
        for one, other in pairs:
            flips, both = [], []
            for seed in range(simulations):
                oracle = make(rng)
                true = true_ranking(oracle)
                guesses = [
                    TaskMatrix.square(true.sources, IGNORANT[kind](rng, len(true.sources))) for kind in (one, other)
                ]
                names = relabellings(guesses[0], draws=draws, seed=seed)
                first, second = (score_picks(guess, true, names) for guess in guesses)
                difference = paired_difference(first, second, true, names)
                flips.append(difference.sign_flips.p <= LEVEL)
                both.append(difference.p <= LEVEL)
            rows.append(
                {
                    "oracle": oracle_name,
                    "two estimators without knowledge": f"{one}, {other}",
                    "sign flips alone": f"{np.mean(flips):.3f}",
                    "the larger p of sign flips and relabelling": f"{np.mean(both):.3f}",
                }
            )
    return rows


def power(simulations: int, draws: int, rng: Rng) -> list[dict[str, str]]:
    """Return how often estimators with knowledge are called better than chance."""
    rows = []
    for oracle_name in MEASURED:
        oracle = oracle_maker(oracle_name)(rng)
        true = true_ranking(oracle)
        worth = -np.nan_to_num(true.ranks) / np.nanstd(true.ranks)
        for noise in (1.0, 1.5, 2.0):
            hits = np.zeros(2)
            for seed in range(simulations):
                guess = TaskMatrix.square(true.sources, worth + noise * rng.normal(size=worth.shape))
                names = relabellings(guess, draws=draws, seed=seed)
                total = float(picked_ranks(rank(guess), true).sum())
                totals = relabelled_totals(guess, true, names)
                p_values = independent_p(chance_law(true), total), relabelled_p(totals, total, names).p
                hits += np.array(p_values) <= LEVEL
            independent, relabelled = hits / simulations
            rows.append(
                {
                    "oracle": oracle_name,
                    "noise, in the spread of the ranks": f"{noise:g}",
                    "independent choices (before)": f"{independent:.3f}",
                    "relabelled": f"{relabelled:.3f}",
                }
            )
    return rows


def coverage(simulations: int, draws: int, rng: Rng) -> list[dict[str, str]]:
    """Return how often 95 % intervals hold the true mean; an estimator is right with the probability `skill`."""
    rows = []
    for n in (5, 12, 22, 60):
        tasks = tuple(f"task {i}" for i in range(n))
        true = rank(TaskMatrix.square(tasks, rng.normal(size=(n, n))))
        for skill in (0.0, 0.5, 0.9):
            mean = skill + (1 - skill) * n / 2
            held, widths, flat = np.zeros(2), np.zeros(2), np.zeros(2)
            for seed in range(simulations):
                picked = np.where(rng.random(n) < skill, 1, rng.integers(1, n, size=n)).astype(np.float64)
                for i, (low, high) in enumerate(
                    (
                        percentile_interval(picked, rng, 2 * draws),
                        interval_over_targets(picked, true, draws=2 * draws, seed=seed),
                    )
                ):
                    held[i] += low <= mean <= high
                    widths[i] += high - low
                    flat[i] += high == low
            rows.append(
                {
                    "targets": str(n),
                    "skill": f"{skill:g}",
                    "percentile bootstrap (before)": f"{held[0] / simulations:.3f}",
                    "its width": f"{widths[0] / simulations:.1f}",
                    "of width zero": f"{flat[0] / simulations:.3f}",
                    "Bayesian bootstrap": f"{held[1] / simulations:.3f}",
                    "width": f"{widths[1] / simulations:.1f}",
                }
            )
    return rows


def percentile_interval(picked: Values, rng: Rng, draws: int) -> tuple[float, float]:
    """Return the interval that boards showed before: percentiles of the mean over resampled targets."""
    rows = rng.integers(len(picked), size=(draws, len(picked)))
    low, high = np.percentile(picked[rows].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    """Simulate and print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--simulations", type=int, default=1000)
    options.add_argument("--draws", type=int, default=999)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", default="level,paired,power,coverage")
    args = options.parse_args()
    titles = {
        "level": ("False positives at .05, of one estimator", false_positives),
        "paired": ("False positives at .05, of two estimators", paired_false_positives),
        "power": ("Power at .05", power),
        "coverage": ("Coverage of the 95 % interval of TRS", coverage),
    }
    for name in args.only.split(","):
        title, simulate = titles[name]
        rows = simulate(args.simulations, args.draws, np.random.default_rng(args.seed))
        print(f"**{title}** ({args.simulations:,} simulations a row)\n\n{grid(rows, 'markdown')}\n", flush=True)


if __name__ == "__main__":
    main()
