"""What the statistics hold: false positives, power and coverage by simulation, as the tables of docs/inference.md.

    python benchmarks/inference.py [--simulations 1000] [--draws 999] [--seed 0]
                                   [--only level,paired,power,coverage,stacked,nested,gains]

A false positive is an estimator without knowledge that a test calls better than chance (or better than another one) at
.05. `before` are the tests of cogbench 0.2.0's first boards: independent choices, sign flips alone, and the percentile
bootstrap over targets.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from cogbench import Files, Oracle, TaskMatrix, load_parts
from cogbench.oracles.gains import target_gains
from cogbench.results.oracle_families import StackedOracle, oracle_families
from cogbench.results.stacked_figures import StackedFigures
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
from cogbench.scoring.skill import Skill, skill_beyond_effects
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


@cache
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
            n_covering, widths, flat = np.zeros(2), np.zeros(2), np.zeros(2)
            for seed in range(simulations):
                picked = np.where(rng.random(n) < skill, 1, rng.integers(1, n, size=n)).astype(np.float64)
                for i, (low, high) in enumerate(
                    (
                        percentile_interval(picked, rng, 2 * draws),
                        interval_over_targets(picked, true, draws=2 * draws, seed=seed),
                    )
                ):
                    n_covering[i] += low <= mean <= high
                    widths[i] += high - low
                    flat[i] += high == low
            rows.append(
                {
                    "targets": str(n),
                    "skill": f"{skill:g}",
                    "percentile bootstrap (before)": f"{n_covering[0] / simulations:.3f}",
                    "its width": f"{widths[0] / simulations:.1f}",
                    "of width zero": f"{flat[0] / simulations:.3f}",
                    "Bayesian bootstrap": f"{n_covering[1] / simulations:.3f}",
                    "width": f"{widths[1] / simulations:.1f}",
                }
            )
    return rows


def percentile_interval(picked: Values, rng: Rng, draws: int) -> tuple[float, float]:
    """Return the interval that boards showed before: percentiles of the mean over resampled targets."""
    rows = rng.integers(len(picked), size=(draws, len(picked)))
    low, high = np.percentile(picked[rows].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class SimulatedRow:
    """A row of a stacked board: a guess for each oracle, and its skill there."""

    guesses: dict[str, TaskMatrix]
    skills: dict[str, Skill]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.guesses)

    def guess(self, oracle: StackedOracle) -> TaskMatrix:
        return self.guesses[oracle.name]

    def skill(self, name: str) -> Skill | None:
        return self.skills.get(name)


def alike(make: Callable[[Rng, int], Values], rng: Rng, n: int, share: float = 0.5) -> list[Values]:
    """Return the values of two backbones on the same tasks: this share of their variance is common."""
    common = make(rng, n)
    return [np.sqrt(share) * common + np.sqrt(1 - share) * make(rng, n) for _ in range(2)]


def stack_of(kind: str, rng: Rng) -> list[Oracle]:
    """Return three oracles: two backbones on twelve tasks, and one on eight others. They hold transfers."""
    if kind == "measured":
        twelve = [oracle_maker(name)(rng) for name in ("cogtaskonomy-bert", "cogtaskonomy-minilm-max-1000")]
        twelve[1] = twelve[1].part(twelve[0].transfers.sources)
        make = SIMULATED["simulated: sources differ"]
    else:
        make, tasks = SIMULATED[kind], tuple(f"task {i}" for i in range(12))
        twelve = [
            Oracle(name, "", "twelve", TaskMatrix.square(tasks, values))
            for name, values in zip(("one", "two"), alike(make, rng, 12), strict=True)
        ]
    eight = TaskMatrix.square([f"other {i}" for i in range(8)], make(rng, 8))
    return [*twelve, Oracle("three", "", "eight", eight)]


def figures_of(oracles: list[Oracle], rows: list[dict[str, TaskMatrix]], draws: int, *, skills: bool) -> StackedFigures:
    """Return the figures of guesses by the ranks of oracles, as result files hold them; skills are by the transfers."""
    by_ranks = []
    for oracle in oracles:
        values = -true_ranking(oracle).ranks
        ranks = replace(oracle, transfers=replace(oracle.transfers, values=values), better={}, no_transfer=None)
        by_ranks.append(StackedOracle(oracle.name, oracle.suite, False, (), ranks))
    simulated = [
        SimulatedRow(row, {o.name: skill_of(row[o.name], o) for o in oracles} if skills else {}) for row in rows
    ]
    return StackedFigures(oracle_families(by_ranks, draws=draws), simulated)


def skill_of(guess: TaskMatrix, oracle: Oracle) -> Skill:
    """Return the skill of a guess by an oracle's transfers, without a p that is worth its time."""
    true, names = true_ranking(oracle), relabellings(guess, draws=2)
    return skill_beyond_effects(guess, oracle, true, score_picks(guess, true, names), names, draws=2)


def stacked_false_positives(simulations: int, draws: int, rng: Rng) -> list[dict[str, str]]:
    """Return how often estimators without knowledge are called better than chance, skilled, or told apart over all."""
    rows = []
    for stack in ("measured", *SIMULATED):
        for kind, guess_values in IGNORANT.items():
            hits = np.zeros(3)
            for _ in range(simulations):
                oracles = stack_of(stack, rng)
                tasks = [oracle.transfers.sources for oracle in oracles]
                guesses = []
                for _ in range(2):  # an estimator says much the same on both backbones
                    values = [*alike(guess_values, rng, 12), guess_values(rng, 8)]
                    named = zip(oracles, tasks, values, strict=True)
                    guesses.append({o.name: TaskMatrix.square(names, of) for o, names, of in named})
                figures = figures_of(oracles, guesses, draws, skills=kind != "one source")
                skill_p = figures.skill(0, figures.names)[1]
                p_values = [figures.p(0, figures.names), np.nan if skill_p is None else skill_p]
                hits += np.array([*p_values, figures.difference(0, 1).p]) <= LEVEL
            level, skill, paired = hits / simulations
            rows.append(
                {
                    "oracles": stack,
                    "estimator without knowledge": kind,
                    "relative rank": f"{level:.3f}",
                    "skill": "–" if kind == "one source" else f"{skill:.3f}",
                    "two of them told apart": f"{paired:.3f}",
                }
            )
    return rows


def nested_coverage(simulations: int, draws: int, rng: Rng) -> list[dict[str, str]]:
    """Return how often 95 % intervals over families hold the true mean; `skill` is as in `coverage`."""
    rows = []
    for n_families in (2, 6):  # the first has two backbones, the others one
        for wrong in ("the same source on both backbones", "any source on each"):
            for skill in (0.0, 0.5, 0.9):
                n_covering, width = np.zeros(2), 0.0
                for _ in range(simulations):
                    oracles = stack_of("simulated: sources differ", rng)
                    for i in range(2, n_families):
                        tasks = [f"family {i}, {task}" for task in oracles[2].transfers.sources]
                        matrix = TaskMatrix.square(tasks, rng.normal(size=(8, 8)))
                        oracles.append(Oracle(f"oracle {i}", "", f"family {i}", matrix))
                    figures = figures_of(oracles, [chosen_sources(oracles, skill, wrong, rng)], 2, skills=False)
                    every = [
                        of for name in sorted(figures.names) for of in figures.relative_ranks(0, frozenset([name]))
                    ]
                    intervals = (
                        percentile_interval(np.concatenate(every), rng, draws),
                        figures.interval(0, figures.names),
                    )
                    n_covering += [low <= (1 - skill) / 2 <= high for low, high in intervals]
                    width += intervals[1][1] - intervals[1][0]
                rows.append(
                    {
                        "families": str(n_families),
                        "a wrong choice": wrong,
                        "skill": f"{skill:g}",
                        "all targets of all oracles alike": f"{n_covering[0] / simulations:.3f}",
                        "nested": f"{n_covering[1] / simulations:.3f}",
                        "width": f"{width / simulations:.2f}",
                    }
                )
    return rows


def chosen_sources(oracles: list[Oracle], skill: float, wrong: str, rng: Rng) -> dict[str, TaskMatrix]:
    """Return selections that are right with the probability `skill`, for a target on all backbones or on none."""
    right: dict[tuple[str, ...], Values] = {}
    others: dict[tuple[str, ...], Values] = {}
    selections = {}
    for oracle in oracles:
        tasks, columns = oracle.transfers.sources, np.arange(len(oracle.transfers.sources))
        is_right = right.setdefault(tasks, rng.random(len(tasks)) < skill)
        another = (columns + rng.integers(1, len(tasks), size=len(tasks))) % len(tasks)
        another = others.setdefault(tasks, another) if wrong.startswith("the same") else another
        values = np.zeros((len(tasks), len(tasks)))
        values[np.where(is_right, np.nanargmax(oracle.transfers.values, axis=0), another), columns] = 1
        selections[oracle.name] = TaskMatrix.square(tasks, values)
    return selections


def paying_transfers(simulations: int, draws: int, rng: Rng) -> list[dict[str, str]]:
    """Return how often transfer is said to pay for a target, where no source helps it and where one source does.

    A model after a source answers a fifth of the examples anew, as one with another seed might, and the others as the
    model without a source does: the source that helps answers `gain` more of all examples right.
    """
    rows = []
    for n_examples in (277, 1000):
        for n_sources in (3, 5, 11):
            counts = {gain: np.zeros(3) for gain in (0.0, 0.04)}
            for gain, count in counts.items():
                for _ in range(simulations):
                    of = target_gains(answered_oracle(n_examples, n_sources, gain, rng), "target")
                    assert of is not None
                    count += of.best.gain > 2 * of.best.error, of.pays, of.mean.gain > 2 * of.mean.error
            shares = {gain: count / simulations for gain, count in counts.items()}
            rows.append(
                {
                    "examples": str(n_examples),
                    "sources": str(n_sources),
                    "no source helps: the best by two errors": f"{shares[0.0][0]:.3f}",
                    "pays": f"{shares[0.0][1]:.3f}",
                    "the mean by two errors": f"{shares[0.0][2]:.3f}",
                    "one source gains .04: pays": f"{shares[0.04][1]:.3f}",
                }
            )
    return rows


def answered_oracle(n_examples: int, n_sources: int, gain: float, rng: Rng) -> Oracle:
    """Return a measured oracle of one target that is answered right in 70 %; after the first source in more."""
    alone = rng.random(n_examples) < 0.7
    anew = rng.random((n_sources, n_examples)) < 0.2
    right = np.where(anew, rng.random((n_sources, n_examples)) < 0.7, alone)
    right[0] |= ~right[0] & (rng.random(n_examples) < gain / 0.3)
    differences = right.astype(float) - alone
    sources = tuple(f"source {i}" for i in range(n_sources))
    return Oracle(
        "answered",
        "simulated",
        "simulated",
        TaskMatrix(sources, ("target",), right.mean(axis=1, keepdims=True)),
        np.array([alone.mean()]),
        basis="measured",
        gain_error=differences.std(axis=1, ddof=1, keepdims=True) / np.sqrt(n_examples),
    )


def main() -> None:
    """Simulate and print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--simulations", type=int, default=1000)
    options.add_argument("--draws", type=int, default=999)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", default="level,paired,power,coverage,stacked,nested,gains")
    args = options.parse_args()
    titles = {
        "level": ("False positives at .05, of one estimator", false_positives),
        "paired": ("False positives at .05, of two estimators", paired_false_positives),
        "power": ("Power at .05", power),
        "coverage": ("Coverage of the 95 % interval of TRS", coverage),
        "stacked": ("False positives at .05 over three oracles", stacked_false_positives),
        "nested": ("Coverage of the 95 % interval over families of oracles", nested_coverage),
        "gains": ("How often transfer is said to pay", paying_transfers),
    }
    for name in args.only.split(","):
        title, simulate = titles[name]
        rows = simulate(args.simulations, args.draws, np.random.default_rng(args.seed))
        print(f"**{title}** ({args.simulations:,} simulations a row)\n\n{grid(rows, 'markdown')}\n", flush=True)


if __name__ == "__main__":
    main()
