"""What TaskWeb's published methods are worth by our protocol: prints docs/taskweb.md.

`--write` writes that page. `--figures FOLDER` makes the table of the authors' estimates, which the page reads, from
`published_estimates.csv` of their repository. benchmarks/atlas_figures.py makes the oracles, from `runs.csv.gz`: a row
for each training with its settings and scores.
"""

import argparse
import csv
import gzip
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from cogbench_atlas.oracles import AtlasOracle
from cogbench_atlas.texts import TASKWEB as SETTINGS

from cogbench import Files, Oracle, TaskMatrix, popularity_baseline, rank
from cogbench.data.dataset import Array
from cogbench.data.oracle_seeds import resample
from cogbench.scoring.chance import Relabellings, dirichlet_interval, relabellings
from cogbench.scoring.evaluation import score_guess
from cogbench.scoring.paired import (
    LEVEL,
    PairedDifference,
    ScoredPicks,
    holm,
    paired_difference,
    score_picks,
    sign_flips,
)
from cogbench.scoring.ranking import Ranking, picked_ranks, true_ranking
from cogbench.scoring.scores import ScoreOptions, Scores
from cogbench.storage.atomic import writable

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "taskweb.md"
ESTIMATES = ROOT / "benchmarks" / "figures" / "taskweb_estimates.csv"
METHODS = {
    "llm-similarity-text-davinci-003": "LLM similarity",
    "retrieval-of-experts-minilm": "Retrieval-of-Experts",
    "taskshop-llm": "TaskShop (LLM)",
    "taskshop-roe": "TaskShop (RoE)",
}
SHOP = "TaskShop (RoE)"
COMMIT = "4d5b1d347b899e5d79207b8411cc364c45547d1e"  # of the authors' repository
BLIND, POPULARITY, RANDOM = "TaskShop's transfers alone", "popularity", "random"
RIVALS = (*METHODS.values(), BLIND)  # what is compared with popularity
OPTIONS = ScoreOptions(gain="exp_rank", regret="mean")  # as the authors define NDCG and regret@5
AUTHORS_SETTING, LEFT_OUT = "t5l", "piqa"  # the setting that they report, and the target that they tuned TaskShop on

# --- figures ---------------------------------------------------------------------------------------------------------

METRIC = {"stsb": "pearson"}  # of a target; accuracy for the others
OURS = {"sst2": "sst-2", "stsb": "sts-b"}  # a task that cogbench has bears its name; the others only get hyphens
# Cells trained under two settings: the one in the authors' configs/*.json, which also gives their relative changes.
CONFIGURED = {("gpt2m", "stsb"): ("learning_rate", "3e4"), ("t5l", "copa"): ("batch_size", "8")}


def task_name(printed: str) -> str:
    """Return the name that a task has here."""
    return OURS.get(printed, printed.replace("_", "-"))


def in_percent(values: Array) -> Array:
    """Return scores of one setting and target in percent: they are fractions if none is beyond 1 in size."""
    return values * 100 if np.nanmax(np.abs(values)) <= 1 else values


def runs(path: Path) -> dict[str, dict[tuple[str, str, str], float]]:
    """Read the trainings: for each setting the score of each (source, seed, target), in percent, NaN where none."""
    columns: dict[tuple[str, str], dict[tuple[str, str, str], float]] = {}
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            setting, target = row["setting"], row["target"]
            field, value = CONFIGURED.get((setting, target), ("setting", setting))
            if row[field] != value or row["source"] == "sst2":  # sst2 is a source of one cell of one setting only
                continue
            cell = task_name(row["source"]), row["seed"], task_name(target)
            column = columns.setdefault((setting, target), {})
            if cell in column:
                raise SystemExit(f"{setting}: {cell} stands twice")
            column[cell] = float(row[METRIC.get(target, "accuracy")] or "nan")
    scores: dict[str, dict[tuple[str, str, str], float]] = {setting: {} for setting in SETTINGS}
    for (setting, _), column in columns.items():
        scores[setting].update(zip(column, in_percent(np.array(list(column.values()))), strict=True))
    return scores


def published_estimates(folder: Path) -> dict[tuple[str, str, str], float]:
    """Read the authors' estimates by method, source and target, from their file in a folder."""
    with (folder / "published_estimates.csv").open() as file:
        return {
            (r["method"], task_name(r["source"]), task_name(r["target"])): float(r["score"])
            for r in csv.DictReader(file)
        }


def write_figures(folder: Path) -> None:
    """Write the table of estimates, from the authors' files in a folder."""
    writable(ESTIMATES.parent)
    published = published_estimates(folder)
    card = AtlasOracle("taskweb-t5l").card
    sources, targets = card.sources, card.targets
    lines = [",".join(["method", "source", *targets])]
    for method in METHODS:
        for source in sources:
            cells = [published[method, source, t] if t != source else np.nan for t in targets]
            lines.append(",".join([method, source, *map(_plain, cells)]))
    ESTIMATES.write_text(f"# estimates published at github.com/danieljkim0118/TaskWeb, {COMMIT}\n")
    with ESTIMATES.open("a") as out:
        out.write("\n".join(lines) + "\n")


def _plain(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}".rstrip("0").rstrip(".")


# --- guesses ---------------------------------------------------------------------------------------------------------


def estimates() -> dict[str, TaskMatrix]:
    """Read the authors' estimates, by their methods' names in METHODS."""
    _, head, *rows = (line.split(",") for line in ESTIMATES.read_text().splitlines())
    matrices = {}
    for method, name in METHODS.items():
        of_method = [row for row in rows if row[0] == method]
        values = np.array([[float(cell or "nan") for cell in row[2:]] for row in of_method])
        matrices[name] = TaskMatrix(tuple(row[1] for row in of_method), tuple(head[2:]), values)
    return matrices


def taskshops_transfers(shop: TaskMatrix, direct: TaskMatrix) -> TaskMatrix:
    """Return what remains of TaskShop without its similarities: the mean change that a source brings other targets.

    TaskShop is 5 (.7 m + .3 d) - .6, where d is the similarity of source and target, and m the mean over pivots (the
    tasks but source, target and squad-v2) of half the change that the source brings the pivot in setting t5l and half
    the similarity of pivot and target.

    Parameters
    ----------
    shop, direct : TaskMatrix
        Published estimates of TaskShop on Retrieval-of-Experts, and of the latter alone.
    """
    values = np.full(shop.values.shape, np.nan)
    for i, source in enumerate(shop.sources):
        for j, target in enumerate(shop.targets):
            pivots = [k for k, p in enumerate(shop.sources) if p not in (source, target, "squad-v2")]
            mixed = ((shop.values[i, j] + 0.6) / 5 - 0.3 * direct.values[i, j]) / 0.7
            values[i, j] = 2 * mixed - direct.values[pivots, j].mean()
    return TaskMatrix(shop.sources, shop.targets, values.round(6))


def guesses(oracle: Oracle) -> dict[str, TaskMatrix]:
    """Return all that is scored on an oracle; `random` ties all sources, which scores as choice at random would."""
    published, true = estimates(), oracle.transfers
    alone = taskshops_transfers(published[SHOP], published["Retrieval-of-Experts"])
    nothing = TaskMatrix(true.sources, true.targets, np.zeros(true.values.shape))
    return {**published, BLIND: alone, POPULARITY: popularity_baseline(oracle), RANDOM: nothing}


# --- scores ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ScoredGuess:
    """One guess on one oracle.

    Attributes
    ----------
    scores : Scores
        By the authors' NDCG and regret.
    deviation : float
        The standard deviation of the TRS over resampled oracles.
    picks : ScoredPicks
        The predicted best sources, as they are and under other names of the tasks.
    spearman : array of shape (n_targets,)
        The rank correlation of each target's sources.
    """

    scores: Scores
    deviation: float
    picks: ScoredPicks
    spearman: Array


def score_guesses(oracle: Oracle, matrices: Mapping[str, TaskMatrix]) -> dict[str, ScoredGuess]:
    """Score guesses on an oracle, and on the same resampled oracles as `Scores.resampled` does."""
    true, names = true_ranking(oracle), relabellings(oracle.transfers)
    rankings = {name: rank(matrix, true.candidates) for name, matrix in matrices.items()}
    alone = replace(oracle, by_seed=None, standard_error=None)  # all scores of all draws would take minutes
    draws = {name: list[float]() for name in matrices}
    for drawn in map(true_ranking, resample(oracle)):
        for name, ranking in rankings.items():
            draws[name].append(float(picked_ranks(ranking, drawn).mean()))
    return {
        name: ScoredGuess(
            score_guess(matrix, alone, OPTIONS),
            float(np.std(draws[name], ddof=1)),
            score_picks(matrix, true, names),
            spearman(rankings[name], true),
        )
        for name, matrix in matrices.items()
    }


def spearman(guess: Ranking, true: Ranking) -> Array:
    """Return the rank correlation of each target's sources, 0 where one side is constant: (n_targets,)."""
    columns = [(g[np.isfinite(t)], t[np.isfinite(t)]) for g, t in zip(guess.ranks.T, true.ranks.T, strict=True)]
    return np.array([np.corrcoef(g, t)[0, 1] if np.ptp(g) and np.ptp(t) else 0.0 for g, t in columns])


@dataclass(frozen=True, eq=False)
class Experiment:
    """All guesses on the oracles of some settings, which share their sources, targets and relabellings."""

    guesses: Mapping[str, Mapping[str, ScoredGuess]]  # of each setting and name
    true: Ranking  # of one of them
    names: Relabellings

    @classmethod
    def of(cls, oracles: Mapping[str, Oracle]) -> "Experiment":
        """Score all guesses on all oracles."""
        first = next(iter(oracles.values()))
        scored = {setting: score_guesses(oracle, guesses(oracle)) for setting, oracle in oracles.items()}
        return cls(scored, true_ranking(first), relabellings(first.transfers))

    def compare(self, one: str, other: str, *settings: str) -> PairedDifference:
        """Return the TRS of one guess less that of another; each target is averaged over the settings, or over all."""
        picks = [
            ScoredPicks(*(np.mean([getattr(g, part) for g in of_settings], axis=0) for part in ("ranks", "totals")))
            for of_settings in (
                [self.guesses[setting][name].picks for setting in settings or self.guesses] for name in (one, other)
            )
        ]
        return paired_difference(*picks, self.true, self.names)

    def compare_spearman(self, one: str, other: str) -> tuple[float, tuple[float, float], float]:
        """Return the Spearman of one guess less that of another over all settings, its interval and p of sign flips."""
        differences = np.mean([of[one].spearman - of[other].spearman for of in self.guesses.values()], axis=0)
        order = np.arange(int(self.true.candidates[:, 0].sum()))
        random = np.random.default_rng(0).permuted(np.tile(order, (20_000, 1)), axis=1)
        correlations = (random - order.mean()) @ (order - order.mean()) / np.square(order - order.mean()).sum()
        further = np.subtract(*correlations.reshape(2, -1))  # of two random rankings of a further target
        return float(differences.mean()), dirichlet_interval(differences, further), sign_flips(differences).p


def noise(oracle: Oracle) -> tuple[float, float, float, int]:
    """Return how much of the spread of sources is seed noise.

    Returns
    -------
    tuple
        The standard deviation of a target's transfers across sources and their standard error over seeds, both as
        means over targets in points; the median over targets of the noise's share of the variance across sources; the
        number of targets where that is over a half.
    """
    assert oracle.standard_error is not None
    spread = np.nanstd(oracle.transfers.values, axis=0, ddof=1)  # (t,)
    share = np.nanmean(oracle.standard_error**2, axis=0) / spread**2
    half = int((share > 0.5).sum())
    return float(spread.mean()), float(np.nanmean(oracle.standard_error)), float(np.median(share)), half


# --- the page --------------------------------------------------------------------------------------------------------


def page() -> str:
    """Return docs/taskweb.md."""
    oracles = {setting: AtlasOracle(f"taskweb-{setting}").read(Files(offline=True)) for setting in SETTINGS}
    experiment = Experiment.of(oracles)
    lines = [*_oracles(oracles), *_overview(experiment), *_verdict(experiment, oracles), *_skill(experiment)]
    return "\n".join([*lines, *_authors_scores(oracles[AUTHORS_SETTING]), *_details(experiment)]) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a table, between empty ones."""
    head = list(head)
    return ["", _line(head), "|" + "---|" * len(head), *map(_line, rows), ""]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _short(value: float, digits: int = 3) -> str:
    """Without the zero before the point, as probabilities and correlations are printed."""
    text = f"{value + 0.0:.{digits}f}"
    return text.replace("0.", ".", 1).replace("-.00", ".00") if abs(value) < 1 else text


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else _short(value)


def _oracles(oracles: Mapping[str, Oracle]) -> list[str]:
    rows = []
    for setting, oracle in oracles.items():
        spread, error, share, half = noise(oracle)
        cells = (f"{spread:.1f}", f"{error:.2f}", f"{100 * share:.0f} %", f"{half}")
        rows.append([f"`taskweb-{setting}`", SETTINGS[setting], *cells])
    head = ["oracle", "backbone", "spread of sources", "standard error", "noise's share", "targets with over half"]
    return [*HEAD.format(commit=COMMIT).splitlines(), *table(head, rows), *NOISE.splitlines(), ""]


def _overview(experiment: Experiment) -> list[str]:
    rows = []
    for name in next(iter(experiment.guesses.values())):
        trs = [of[name].scores.trs.value for of in experiment.guesses.values()]
        rows.append([name, *(f"{v:.2f}" for v in trs), f"{np.mean(trs):.2f}"])
    return [*METHODS_TEXT.splitlines(), *table(["TRS", *experiment.guesses, "mean"], rows)]


def _verdict(experiment: Experiment, oracles: Mapping[str, Oracle]) -> list[str]:
    settings = experiment.guesses
    compared = {(s, r): experiment.compare(r, POPULARITY, s) for s in settings for r in RIVALS}
    pooled = {r: experiment.compare(r, POPULARITY) for r in RIVALS}
    corrected = dict(zip(RIVALS, holm([d.p for d in pooled.values()]), strict=True))
    rows = [[s, *(_cell(compared[s, r]) for r in RIVALS)] for s in settings]
    rows.append(["all nine", *map(_cell, pooled.values())])
    lower = [s for s in settings if all(compared[s, r].difference > 0 for r in METHODS.values())]
    higher = [s for s, of in settings.items() if all(_mean(of[POPULARITY]) > _mean(of[r]) for r in RIVALS)]
    significant = {r: d for r, d in pooled.items() if d.p <= LEVEL}
    assert significant and min(corrected.values()) > LEVEL and min(d.p for d in compared.values()) > LEVEL
    similar, alone = (experiment.compare(r, SHOP) for r in ("Retrieval-of-Experts", BLIND))
    text = VERDICT.format(
        n=len(lower),
        lower=_listed(lower),
        rest=_listed([s for s in settings if s not in lower]),
        smallest=_p(min(d.p for d in compared.values())),
        flips=sum(d.sign_flips.p <= LEVEL for d in compared.values()),
        n_compared=len(compared),
        most=_most_named(oracles),
        significant="; ".join(
            f"{r} by {d.difference:.2f} ranks, with p {_p(d.p)}, and {_p(corrected[r])} after Holm's correction for "
            f"{len(RIVALS)} comparisons"
            for r, d in significant.items()
        ),
        shop=f"{pooled[SHOP].difference:.2f} ranks, {_interval(pooled[SHOP].interval)}",
        higher=len(higher),
        t5l=" against ".join(_short(_mean(settings["t5l"][r]), 2) for r in (POPULARITY, SHOP)),
        similar=f"{similar.difference:.2f} ranks ({_interval(similar.interval)}; p {_p(similar.p)})",
        alone=f"{alone.difference:.2f} ({_interval(alone.interval)}; p {_p(alone.p)})",
    )
    return [
        *PAIRED.splitlines(),
        *table(["setting", *RIVALS], rows),
        *POOLED.splitlines(),
        *_pooled(experiment, compared, pooled),
        *_paragraphs(text),
    ]


def _mean(guess: ScoredGuess) -> float:
    return float(guess.spearman.mean())


def _most_named(oracles: Mapping[str, Oracle]) -> str:
    """Return for how many targets popularity names its most frequent source, over the settings."""
    counts = [rank(popularity_baseline(oracle)).picks(1).sum(axis=1).max() for oracle in oracles.values()]
    return f"{min(counts):.0f} to {max(counts):.0f}"


def _pooled(
    experiment: Experiment,
    compared: Mapping[tuple[str, str], PairedDifference],
    pooled: Mapping[str, PairedDifference],
) -> list[str]:
    rows = []
    corrected = holm([d.p for d in pooled.values()])
    for (r, d), p in zip(pooled.items(), corrected, strict=True):
        ahead = [compared[s, r].difference > 0 for s in experiment.guesses]
        rho, interval, rho_p = experiment.compare_spearman(POPULARITY, r)
        rows.append(
            [
                r,
                f"{sum(ahead)} : {len(ahead) - sum(ahead)}",
                f"{d.difference:.2f} ({_interval(d.interval)})",
                _p(d.sign_flips.p),
                _p(d.relabelled.p),
                _p(p),
                f"{d.detectable:.1f}",
                f"{_short(rho, 2)} ({_interval(interval)})",
                _p(rho_p),
            ]
        )
    head = ["popularity against", "ahead : behind", "by ranks", "p of sign flips", "p of relabelling", "Holm"]
    return table([*head, "detectable", "by Spearman", "p of sign flips"], rows)


def _skill(experiment: Experiment) -> list[str]:
    cells = {
        (name, setting): of[name].scores.skill
        for name in METHODS.values()
        for setting, of in experiment.guesses.items()
    }
    p_values = {key: skill.p.p for key, skill in cells.items() if skill and skill.p}
    corrected = dict(zip(p_values, holm([*p_values.values()]), strict=True))
    rows = []
    for name in METHODS.values():
        row = [name]
        for setting in experiment.guesses:
            text = f"{_short(cells[name, setting].rho, 2)} ({_p(p_values[name, setting])})"
            row.append(f"**{text}**" if corrected[name, setting] <= LEVEL else text)
        rows.append(row)
    skilled = {s: [name for name in METHODS.values() if corrected[name, s] <= LEVEL] for s in experiment.guesses}
    text = SKILLED.format(
        all_four=_listed([s for s, methods in skilled.items() if len(methods) == len(METHODS)]),
        some="; ".join(
            f"{', '.join(methods)} in `{s}`" for s, methods in skilled.items() if 0 < len(methods) < len(METHODS)
        ),
        none=_listed([s for s, methods in skilled.items() if not methods]),
        largest=_short(max(skill.rho for skill in cells.values()), 2),
    )
    return [*SKILL.splitlines(), *table(["rho (p)", *experiment.guesses], rows), *_paragraphs(text)]


def _authors_scores(oracle: Oracle) -> list[str]:
    """Return the scores that can be laid beside the authors'."""
    sources, targets = oracle.transfers.sources, [t for t in oracle.transfers.targets if t != LEFT_OUT]
    part = replace(oracle, by_seed=None, standard_error=None).part(sources, targets)
    rows = []
    for name, matrix in guesses(oracle).items():
        s = score_guess(matrix.part(sources, targets), part, OPTIONS)
        rows.append([name, f"{100 * s.ranking.ndcg['all']:.1f}", f"{s.regret['5']:.2f}"])
    return [*AUTHORS.splitlines(), *table(["guess", "NDCG", "regret@5"], rows)]


def _paragraphs(text: str) -> list[str]:
    return [line for paragraph in text.split("\n\n") for line in [*_wrapped(paragraph), ""]]


def _wrapped(paragraph: str) -> list[str]:
    return textwrap.wrap(" ".join(paragraph.split()), 120, break_on_hyphens=False, break_long_words=False)


def _cell(d: PairedDifference) -> str:
    return f"{d.difference:+.2f} ({d.interval[0]:.1f} to {d.interval[1]:.1f}), {_p(d.p)}"


def _interval(interval: tuple[float, float]) -> str:
    return " to ".join(_short(v, 2) for v in interval)


def _listed(settings: list[str]) -> str:
    return ", ".join(f"`{s}`" for s in settings)


def _details(experiment: Experiment) -> list[str]:
    better = {
        name: sum(of[name].scores.trs.p.p <= LEVEL for of in experiment.guesses.values()) for name in (SHOP, POPULARITY)
    }
    lines = DETAILS.format(shop=better[SHOP], popularity=better[POPULARITY]).splitlines()
    for setting, of in experiment.guesses.items():
        rows = []
        for name, one in of.items():
            s = one.scores
            figures = [
                f"{s.trs.interval[0]:.2f} to {s.trs.interval[1]:.2f}",
                _p(s.trs.p.p),
                _p(s.trs.p_independent),
                f"{one.deviation:.2f}",
                _short(_mean(one), 2),
                f"{_short(s.skill.rho, 2)} ({_p(s.skill.p.p)})" if name in METHODS.values() else "",
            ]
            if name == RANDOM:
                figures = [""] * len(figures)
            scores = [f"{100 * s.ranking.ndcg['all']:.1f}", f"{s.regret['1']:.2f}", f"{s.regret['5']:.2f}"]
            rows.append([name, f"{s.trs.value:.2f}", *figures, *scores])
        lines += ["", f"### `taskweb-{setting}`"]
        head = ["guess", "TRS", "95 % interval", "p", "p, independent", "deviation", "Spearman", "skill (p)"]
        lines += table([*head, "NDCG", "regret@1", "regret@5"], rows)[:-1]
    return lines


HEAD = """\
# TaskWeb: nine oracles, and four published methods on them

Written by `python benchmarks/taskweb.py --write`; every score here is computed, none is quoted.

The figures are from Kim, Asai, Ilharco & Hajishirzi (2023), *TaskWeb: Selecting Better Source Tasks for Multi-task
NLP*, EMNLP: github.com/danieljkim0118/TaskWeb at `{commit}`. The oracles are part of
[the atlas](atlas.md) (`cogbench list oracles`); the authors' estimates stand in
`benchmarks/figures/taskweb_estimates.csv`.

## The oracles

Each has 22 sources (the 21 targets and `squad-v2`), 21 targets and eight training seeds, in percent: accuracy, Pearson
for `sts-b`. Tasks that cogbench has too bear its names (`mrpc`, `qnli`, `qqp`, `rte`, `sts-b`, `squad-v2`); the others
keep theirs, with hyphens.

- The scores of a setting and target are taken as fractions, and multiplied by 100, if none is beyond 1 in size.
- Some cells were trained under two settings: `sts-b` after `wsc` in `gpt2m`, all of `copa` in `t5l`. Those with the
  hyperparameters of the authors' configurations count (learning rate 3e-4, batch size 8); the authors' relative changes
  come from them, too.
- `rte` after `sst-2`, known for RoBERTa alone, is left out.
- Nineteen trainings on `sts-b` failed: eight have no score (one each in `gpt2m`, `t5s` and `t5b-pfeiffer`, five in
  `t5l-pfeiffer`), and eleven of `t5b-lora` are printed as 0, as answers that are all alike are. Their cells are means
  over the other seeds.
- Targets without a source are not published. For seven settings the authors' relative changes determine them to
  rounding, but in the authors' metric: the mean of accuracy and F1 for `mrpc` and `qqp`, of Pearson and Spearman for
  `sts-b`. In the metrics used here those three stay unknown, so the oracles have no `no_transfer`, and no gains.
"""

NOISE = """\
Spread: standard deviation of a target's transfers across sources; standard error: of the mean over eight seeds; both in
points, mean over targets. Noise's share: the squared standard error over the variance across sources, median over
targets; then the number of targets, of 21, where it is over a half. In `t5s` and `t5b-pfeiffer` three to four tenths of
what tells sources apart is seed noise, in the others less than a tenth.
"""

METHODS_TEXT = """\
## Four methods, by our protocol

The authors publish one estimate for each pair, whatever the setting: **LLM similarity** (text-davinci-003 compares two
tasks), **Retrieval-of-Experts** (RoE: MiniLM's dot products of examples, 32 of the target) and **TaskShop** on either.
Each of the four covers all 441 pairs, so every one of the 21 targets.

**TaskShop uses transfers to other targets, as `popularity` does.** It is 30 % the similarity of source and target, and
70 % a mean over pivot tasks: of the change that the source brings the pivot, and of the pivot's similarity to the
target. The change is that of T5 large, fully fine-tuned. So on `taskweb-t5l` TaskShop has seen what popularity has
seen, elsewhere another backbone's transfers; and its share of transfers is blind to the target, but that it leaves it
out. *TaskShop's transfers alone* is that share, found from the published estimates by solving the formula for it. The
authors chose the shares on `piqa`, which is among the targets here.

`popularity`: minus the mean rank of a source on the other targets of the same oracle. `random`: the expectation. 1 is
perfect, 11 is chance.
"""

PAIRED = """\
## Is a target-blind baseline ahead of all four?

For each target the oracle rank of the source that a method picks, less the rank of popularity's pick: above 0,
popularity is ahead. In brackets the 95 % interval of the mean over targets, by a Bayesian bootstrap; then p, the larger
one of two tests: sign flips over targets, and other names for the tasks of both guesses. It is not corrected for the
number of comparisons. *all nine* averages each target over the settings, which share targets and guesses, and are no
nine independent trials.
"""

POOLED = """\
The same in sum: in how many settings popularity is ahead and behind, and all nine together, by oracle rank of the pick
and by the rank correlation of all sources. *Holm* is the larger p of both tests, corrected for the five comparisons.
*Detectable* is the difference in ranks that a single paired test of level .05 sees with 80 % power.
"""

VERDICT = """\
**By the picks nothing is settled.** Popularity's TRS is lower than those of all four in {n} of nine settings ({lower}),
not in {rest}. In no setting is a method told apart from popularity: the smallest of the {n_compared} p-values is
{smallest}, before any correction. Sign flips alone have p of at most .05 in {flips} of the {n_compared} comparisons.
They take targets for independent, but popularity names one source for {most} of the 21 targets. Over all nine settings
popularity is ahead of {significant}; for the other methods p is above .05 even before the correction. Against TaskShop
(RoE) the difference is {shop}.

As a ranking of all sources, popularity is ahead of all four in {higher} of nine settings, and over all nine by sign
flips with p < .001; on `taskweb-t5l`, where TaskShop (RoE) has seen the same transfers, with a Spearman of {t5l}. What
it loses, it loses at the top: in `t5b-pfeiffer` its first three sources have mean ranks of 6.8, 6.9 and 7.2, and
leaving out a target moves down just the one that is good for it.

TaskShop (RoE) is ahead of Retrieval-of-Experts by {similar}, and of its transfers alone by {alone}: the picks establish
neither that the transfers help nor that the similarities add to them. A method that sees other targets' transfers
should be compared with popularity; one that sees none, with random choice as well.
"""

SKILL = """\
## What do the methods know of a pair of tasks?

Popularity knows which sources are good, and nothing of the target. *rho* leaves that knowledge out: it is the rank
correlation of estimates and transfers over all pairs, after the effects of sources and of targets were taken out of
both. In brackets its p, by other names for the tasks of the guess. Bold where p is at most .05 after Holm's correction
for the 36 cells. Popularity and TaskShop's transfers alone have no such figure: they leave the target's own transfers
out, so that what is left of them goes against the oracle by construction.
"""

SKILLED = """\
In {all_four} all four methods are shown to know something of the pair, by p of at most .05 after the correction;
besides {some}. In {none} none of the four is. The correlations are small: the largest is {largest}.
"""

AUTHORS = """\
## As the authors score

The authors report NDCG and regret@5 for T5 large, fully fine-tuned, and for 20 targets: all but `piqa`. The figures
below are of the same setting and targets. NDCG has their gain, 2^(number of candidates - rank) - 1. Regret@5 is theirs:
the mean of the best five sources against the mean of the five predicted ones, in percent of the former (in the rest of
cogbench, the best against the best of the five). Both in percent. What differs is the order that counts as true: the
authors rank sources by half the mean relative change and half the share of seeds that improved, and use two metrics for
`cb`, `mrpc`, `qqp` and `sts-b`. With their order of the sources NDCG is lower by .1 to 1.4 points, and regret@5 changes
by .03 at most (popularity aside, which was not computed from their changes).
"""

DETAILS = """\
## All scores

Interval: Bayesian bootstrap over targets. p: how often a guess has a TRS as low under other names of its tasks.
p, independent: the exact probability of a TRS as low by independent choices, which is too small for a guess that names
the same sources for many targets. Popularity is such a guess: it has p of at most .05 in {popularity} of nine settings,
TaskShop (RoE) in {shop}, although popularity has the lower TRS in six. Deviation: standard deviation of the TRS over
200 oracles whose seeds are drawn with replacement, stepped up by the square root of 8/7; their mean is left out, for
they are noisier than the oracle itself. The guesses stay as they are, and popularity's was computed from the same
seeds. Spearman: mean over targets. Skill: rho beyond the effects of sources and targets. NDCG and regret@5 as the
authors define them, in percent, over all 21 targets; regret@1: what the picked source loses against the best, in
percent of the best.
"""


def main() -> None:
    """Print the page, or write what is asked for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true")
    options.add_argument("--figures", type=Path)
    args = options.parse_args()
    if args.figures:
        write_figures(args.figures)
    elif args.write:
        writable(PAGE.parent)
        PAGE.write_text(page())
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
