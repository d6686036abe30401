"""A control of CNM at the level of its formula: planted representations, a signal that reads them, a known answer.

    python benchmarks/cnm_control.py [--draws 12] [--only control,curves] [--estimators cnm-ridge,cnm] [--details]

`control` prints a row for each condition: the mean skill with `relative=none`, and in how many draws it has p < .001.
`--details` prints each value of `relative`, intervals and the TRS too. `curves` prints how the skill of `cnm-ridge`
depends on the signal, and writes docs/figures/cnm-recovery.svg.

Each task has some of six skills. A skill is a property of the stimuli; a task's model amplifies the properties of its
skills, and shows them beside a common background through a random projection of its own, with noise of its own. The
channels of the signal read single properties, or mixtures, with noise. CNM sees representations and responses, and is
scored against the planted answer: how many skills two tasks share. `shuffled` puts each response under another
stimulus, `foreign` lets the channels read properties that no task has, and `private` gives each task skills of its own
that it shares with nobody.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from cnm_profiles import (
    Judgement,
    Measurements,
    Variant,
    disjoint_similarities,
    interval,
    judge,
    sharing_oracle,
    signed,
    similarities,
    without_signal,
)
from cogbench_estimators.channels import MappingEstimator
from cogbench_estimators.cnm import CNM
from cogbench_estimators.ridge import RidgeCNM

from cogbench import Array, Oracle
from cogbench.storage.atomic import writable
from cogbench.views.canvas import ACCENT, INK, MUTED, SOFT, Canvas, standalone_svg
from cogbench.views.formats import grid

RIDGE = RidgeCNM(seeds=(5,), penalties=(1e-1, 1.0, 10.0), inner_folds=2)
NETWORK = CNM(hidden=(48,), seeds=(5,), epochs=60)
FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "cnm-recovery.svg"
ESTIMATORS: dict[str, MappingEstimator] = {"cnm-ridge": RIDGE, "cnm": NETWORK}
KINDS: dict[str, Variant] = {"same": similarities, "disjoint": disjoint_similarities}


@dataclass(frozen=True)
class Planted:
    """A planted answer.

    Parameters
    ----------
    n_tasks, n_skills, n_stimuli, n_dims, n_subjects, n_channels : int
        Sizes. A task has one to three skills, each skill at least two tasks.
    n_background : int
        Properties that all models show alike.
    weak, strong : float
        The weight of a property in a representation without and with its skill.
    model_noise : float
        Standard deviation of the noise of a representation, where that of a background property is 1.
    informative : float
        The share of channels that read anything.
    ceiling : float
        The share of the variance of such a channel that is no noise.
    reads : int
        The properties that such a channel reads, each with a random weight.
    channels : {"skills", "shuffled", "foreign"}
        What the signal says.
    skills : {"shared", "private"}
        Whether tasks have the planted skills, or skills of their own.
    n_others : int
        Further skills that tasks share in another way: no channel reads them, and they count for nothing.
    """

    n_tasks: int = 12
    n_skills: int = 6
    n_stimuli: int = 300
    n_dims: int = 48
    n_background: int = 8
    weak: float = 0.5
    strong: float = 2.0
    model_noise: float = 2.0
    n_subjects: int = 3
    n_channels: int = 48
    informative: float = 0.5
    ceiling: float = 0.6
    reads: int = 1
    channels: Literal["skills", "shuffled", "foreign"] = "skills"
    skills: Literal["shared", "private"] = "shared"
    n_others: int = 0

    def draw(self, seed: int) -> tuple[Measurements, Oracle]:
        """Return the measurements of one draw, and its planted answer."""
        rng = np.random.default_rng(seed)
        has = self._skills(rng, self.n_skills)  # (n_tasks, n_skills)
        properties = rng.standard_normal((self.n_stimuli, self.n_skills))
        background = rng.standard_normal((self.n_stimuli, self.n_background))

        def represent(weights: Array, shown: Array) -> Array:
            """Return (n_stimuli, n_dims): properties and background, projected at random, and noise."""
            content = np.concatenate([shown * weights, background], axis=1)
            projected = content @ rng.standard_normal((content.shape[1], self.n_dims)) / np.sqrt(self.n_dims)
            noise = rng.standard_normal(projected.shape) / np.sqrt(self.n_dims)
            return projected + self.model_noise * noise

        others = np.zeros((self.n_tasks, 0), bool)
        shown = properties
        if self.n_others:
            others = self._skills(rng, self.n_others)
            shown = np.concatenate([properties, rng.standard_normal((self.n_stimuli, self.n_others))], axis=1)
        tasks = []
        for row in np.concatenate([has, others], axis=1):
            weights = np.where(row, self.strong, self.weak)
            if self.skills == "private":
                own = rng.standard_normal((self.n_stimuli, 2))  # as many for all, so that nothing tells tasks apart
                weights = np.r_[np.full(len(row), self.weak), np.full(2, self.strong)]
                tasks.append(represent(weights, np.concatenate([shown, own], axis=1)))
            else:
                tasks.append(represent(weights, shown))
        backbone = represent(np.full(shown.shape[1], self.weak), shown)
        read = rng.standard_normal(properties.shape) if self.channels == "foreign" else properties
        names = tuple(f"task-{i:02d}" for i in range(self.n_tasks))
        responses = [self._responses(read, rng) for _ in range(self.n_subjects)]
        measurements = Measurements(names, np.array(tasks, np.float32), backbone.astype(np.float32), responses)
        if self.channels == "shuffled":
            measurements = measurements.shuffled(seed)
        sets = [frozenset(f"skill-{k}" for k in np.flatnonzero(row)) for row in has]
        return measurements, sharing_oracle(dict(zip(names, sets, strict=True)))

    def _skills(self, rng: np.random.Generator, n_skills: int) -> Array:
        """Return which skills each task has: (n_tasks, n_skills) of bool."""
        while True:
            has = np.zeros((self.n_tasks, n_skills), bool)
            for row in has:
                row[rng.permutation(n_skills)[: rng.integers(1, 4)]] = True
            if (has.sum(axis=0) >= 2).all():
                return has

    def _responses(self, read: Array, rng: np.random.Generator) -> Array:
        """Return (n_stimuli, n_channels) of a subject."""
        weights = np.zeros((read.shape[1], self.n_channels))
        for column in weights.T:
            column[rng.permutation(len(column))[: self.reads]] = rng.standard_normal(self.reads)
        signal = read @ weights
        share = self.ceiling * (rng.permutation(self.n_channels) < round(self.informative * self.n_channels))
        noise = rng.standard_normal(signal.shape)
        return np.sqrt(share) * signal / signal.std(axis=0) + np.sqrt(1 - share) * noise


CLEAN = Planted(informative=1.0, ceiling=0.9)
USUAL = Planted()  # as noisy as the signal `mini`
CONDITIONS = {
    "clean: all channels read, ceiling .9": CLEAN,
    "half of the channels read, ceiling .6": USUAL,
    "each channel reads all six": replace(USUAL, reads=6),
    "tasks share six other skills too": replace(USUAL, n_others=6),
    "tasks share six other skills too; responses shuffled": replace(USUAL, n_others=6, channels="shuffled"),
    "responses shuffled": replace(USUAL, channels="shuffled"),
    "the signal reads what no task has": replace(USUAL, channels="foreign"),
    "tasks share nothing": replace(USUAL, skills="private"),
}
LINES = ("none", "backbone", "none, responses shuffled", "none, disjoint stimuli")
CURVES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "share of a channel that is no noise": ("ceiling", (0.01, 0.03, 0.1, 0.3, 0.6, 0.9)),
    "channels of a subject": ("n_channels", (3, 6, 12, 24, 48, 96)),
    "stimuli": ("n_stimuli", (50, 100, 200, 300, 600)),
    "subjects": ("n_subjects", (1, 2, 3, 6)),
    "weight of a skill's property (.5 without the skill)": ("strong", (0.5, 0.6, 0.75, 1.0, 1.5, 2.0)),
}


@dataclass(frozen=True, eq=False)
class Curve:
    """Skill by a value: for each of `LINES` an array (n_values, 3) of mean, lower and upper end of its interval."""

    title: str
    values: tuple[float, ...]
    lines: dict[str, Array]


def judgements(planted: Planted, estimator: MappingEstimator, kind: Variant, draws: int, relabel: int) -> list[Any]:
    """Return for each draw a judgement for each value of `relative`: dicts."""
    rows = []
    for seed in range(draws):
        measurements, oracle = planted.draw(seed)
        answers = kind(estimator, measurements)
        rows.append({name: judge(measurements.names, values, oracle, relabel) for name, values in answers.items()})
    return rows


def control(estimators: Sequence[MappingEstimator], draws: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the short table, a row for each condition, and the detailed one, a row for each line."""
    kinds: list[tuple[str, MappingEstimator, str, Variant]] = [
        (f"{estimator.name}, {kind} stimuli", estimator, kind, answer)
        for estimator in estimators
        for kind, answer in KINDS.items()
    ]
    kinds.append(("cra, no responses", RIDGE, "no responses: cra", lambda estimator, m: {"none": without_signal(m)}))
    short, details = list[dict[str, str]](), list[dict[str, str]]()
    for condition, planted in CONDITIONS.items():
        row = {"condition": condition}
        for title, estimator, kind, answer in kinds:
            by_draw = judgements(planted, estimator, answer, draws, 9_999)
            for relative in by_draw[0]:
                figures = summary([judgement[relative] for judgement in by_draw])
                names = {"condition": condition, "estimator": estimator.name, "profiles of": kind, "relative": relative}
                details.append(names | figures)
                if relative == "none":
                    row[title] = f"{figures['skill']} ({figures['p < .001']})"
        short.append(row)
    return short, details


def summary(each: Sequence[Judgement]) -> dict[str, str]:
    """Return what is printed of the judgements of all draws."""
    skill, low, high = interval([judgement.rho for judgement in each])
    p = np.array([judgement.rho_p for judgement in each])
    return {
        "TRS": f"{np.mean([judgement.trs for judgement in each]):.2f}",
        "skill": signed(skill),
        "95 % interval": f"{signed(low)} to {signed(high)}",
        "largest p": f"{p.max():.4f}",
        "p < .001": f"{(p < 0.001).sum()} of {len(p)}",
        "p ≤ .05": f"{(p <= 0.05).sum()} of {len(p)}",
    }


def curves(draws: int) -> Iterator[Curve]:
    """Yield each curve: of `cnm-ridge` with the signal, with shuffled responses and with disjoint stimuli."""
    for title, (field, values) in CURVES.items():
        lines = {label: np.full((len(values), 3), np.nan) for label in LINES}
        for i, value in enumerate(values):
            planted = replace(USUAL, **{field: value})
            for condition, answer, labels in (
                (planted, similarities, {"none": "none", "backbone": "backbone"}),
                (replace(planted, channels="shuffled"), similarities, {"none": "none, responses shuffled"}),
                (planted, disjoint_similarities, {"none": "none, disjoint stimuli"}),
            ):
                rows = judgements(condition, RIDGE, answer, draws, 1)
                for name, label in labels.items():
                    lines[label][i] = interval([row[name].rho for row in rows])
        yield Curve(title, values, lines)


def table(curve: Curve) -> str:
    """Return a curve as a table."""
    rows = [
        {curve.title: f"{x:g}"}
        | {label: "{:+.2f} ({:+.2f} to {:+.2f})".format(*points[i]) for label, points in curve.lines.items()}
        for i, x in enumerate(curve.values)
    ]
    return grid(rows, "markdown")


def draw(drawn: Sequence[Curve], draws: int) -> str:
    """Return the curves as one SVG."""
    width, height, columns = 330, 190, 2
    n_rows = -(-len(drawn) // columns)
    plot = Canvas(columns * width, n_rows * (height + 50) + 90)
    styles = dict(zip(LINES, ((ACCENT, "-"), (ACCENT, ":"), (MUTED, "--"), (INK, "-")), strict=True))
    for i, curve in enumerate(drawn):
        row, column = divmod(i, columns)
        axes = plot.axes(column * width + 45, row * (height + 50) + 15, width - 65, height - 15)
        places = range(len(curve.values))
        for label, points in curve.lines.items():
            colour, style = styles[label]
            axes.fill_between(places, points[:, 1], points[:, 2], color=colour, alpha=0.12, linewidth=0)
            axes.plot(places, points[:, 0], style, color=colour, linewidth=1.6, label=label)
        axes.axhline(0, color=SOFT, linewidth=1)
        axes.set_xticks(places, [f"{x:g}" for x in curve.values])
        axes.set(ylim=(-0.25, 1.0), xlabel=curve.title, ylabel="skill" if column == 0 else "")
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    plot.drawing.legend(handles, labels, loc="lower center", ncols=2, frameon=False, fontsize=11, labelcolor=INK)
    alt = (
        f"Skill of cnm-ridge in recovering planted sharing, the mean of {draws} draws and its 95 % interval, by "
        f"{', '.join(curve.title for curve in drawn)}. The command cnm_control.py --only curves prints the numbers."
    )
    return standalone_svg(plot.figure("cnm-recovery", "What CNM recovers of a planted answer", alt, []))


def write_figure(draws: int) -> None:
    """Write the figure of docs/cnm.md, and print its tables."""
    writable(FIGURE.parent)
    drawn = []
    for curve in curves(draws):
        drawn.append(curve)
        print(f"**Skill by {curve.title}** ({draws} draws a cell)\n\n{table(curve)}\n", flush=True)
    FIGURE.write_text(draw(drawn, draws))


def main(words: Sequence[str] | None = None) -> None:
    """Draw and print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--draws", type=int, default=12)
    options.add_argument("--only", default="control,curves")
    options.add_argument("--estimators", default=",".join(ESTIMATORS))
    options.add_argument("--details", action="store_true")
    args = options.parse_args(words)
    for part in args.only.split(","):
        if part == "curves":
            write_figure(args.draws)
        else:
            short, details = control([ESTIMATORS[name] for name in args.estimators.split(",")], args.draws)
            print(f"**Control** ({args.draws} draws a row)\n\n{grid(short, 'markdown')}\n", flush=True)
            if args.details:
                print(f"{grid(details, 'markdown')}\n", flush=True)


if __name__ == "__main__":
    main()
