"""What TaskWeb's published methods are worth by our protocol: prints docs/taskweb.md.

`--write` writes that page. `--figures FOLDER` makes what the page and the package read from figures of the authors'
repository: `runs.csv.gz`, a row for each training with its settings and scores, and `published_estimates.csv`.
"""

import argparse
import csv
import gzip
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path
from typing import Literal

import numpy as np
from cogbench_tasks.taskweb import COMMIT, FIGURES, SETTINGS, register_oracles

from cogbench import Files, Oracle, TaskMatrix, rank
from cogbench.data.dataset import Array
from cogbench.scoring.baselines import popularity_baseline
from cogbench.scoring.chance import bootstrap_interval
from cogbench.scoring.evaluation import Scores, resample, score_ranking
from cogbench.scoring.ranking import Ranking
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
BLIND, POPULARITY, RANDOM = "TaskShop's transfers alone", "popularity", "random"

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
    found: dict[str, dict[tuple[str, str, str], float]] = {setting: {} for setting in SETTINGS}
    for (setting, _), column in columns.items():
        found[setting].update(zip(column, in_percent(np.array(list(column.values()))), strict=True))
    return found


def write_figures(folder: Path) -> None:
    """Write the two tables of figures, from the authors' files in a folder."""
    for path in (FIGURES, ESTIMATES):
        writable(path.parent)
    found = runs(folder / "runs.csv.gz")
    sources, seeds, targets = (sorted({cell[i] for of in found.values() for cell in of}) for i in range(3))
    lines = [",".join(["setting", "source", "seed", *targets])]
    for setting, of in found.items():
        for source in sources:
            for seed in seeds:
                cells = [of[source, seed, t] if t != source else np.nan for t in targets]
                lines.append(",".join([setting, source, seed, *map(_plain, cells)]))
    FIGURES.write_text("\n".join(lines) + "\n")
    with (folder / "published_estimates.csv").open() as file:
        told = {
            (r["method"], task_name(r["source"]), task_name(r["target"])): float(r["score"])
            for r in csv.DictReader(file)
        }
    lines = [",".join(["method", "source", *targets])]
    for method in METHODS:
        for source in sources:
            cells = [told[method, source, t] if t != source else np.nan for t in targets]
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
    found = {}
    for method, name in METHODS.items():
        mine = [row for row in rows if row[0] == method]
        values = np.array([[float(cell or "nan") for cell in row[2:]] for row in mine])
        found[name] = TaskMatrix(tuple(row[1] for row in mine), tuple(head[2:]), values)
    return found


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
    told, true = estimates(), oracle.transfers
    alone = taskshops_transfers(told[SHOP], told["Retrieval-of-Experts"])
    nothing = TaskMatrix(true.sources, true.targets, np.zeros(true.values.shape))
    return {**told, BLIND: alone, POPULARITY: popularity_baseline(oracle), RANDOM: nothing}


# --- scores ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Scored:
    """One guess on one oracle: scores, TRS on each resampled oracle (n_draws,), each target's Spearman (n_targets,)."""

    scores: Scores
    drawn: Array
    spearman: Array

    @property
    def ranks(self) -> Array:
        """The oracle rank of each target's predicted best source: (n_targets,)."""
        return np.array(list(self.scores.per_target.values()))


def scored(oracle: Oracle, told: Mapping[str, TaskMatrix]) -> dict[str, Scored]:
    """Score guesses on an oracle, and on the same resampled oracles as `Scores.resampled` does."""
    ranked = {name: rank(guess) for name, guess in told.items()}
    once = replace(oracle, by_seed=None, standard_error=None)  # all scores of all draws would take minutes
    drawn = {name: list[float]() for name in ranked}
    for draw in resample(oracle):
        ranks = np.nan_to_num(rank(draw.transfers).ranks)
        for name, guess in ranked.items():
            drawn[name].append(float((guess.picks(1) * ranks).sum(axis=0).mean()))
    true = rank(oracle.transfers)
    return {
        name: Scored(score_ranking(guess, true, once), np.array(drawn[name]), spearman(guess, true))
        for name, guess in ranked.items()
    }


def spearman(guess: Ranking, true: Ranking) -> Array:
    """Return the rank correlation of each target's sources, 0 where one side is constant: (n_targets,)."""
    columns = [(g[np.isfinite(t)], t[np.isfinite(t)]) for g, t in zip(guess.ranks.T, true.ranks.T, strict=True)]
    return np.array([np.corrcoef(g, t)[0, 1] if np.ptp(g) and np.ptp(t) else 0.0 for g, t in columns])


@dataclass(frozen=True)
class Compared:
    """How far one guess is ahead of another, above 0 if it is; on how many targets; p of the two-sided sign test."""

    ahead: float
    interval: tuple[float, float]
    won: int
    lost: int
    p: float

    @classmethod
    def of(cls, differences: Array) -> "Compared":
        """Compare by each target's difference: (n_targets,)."""
        won, lost = int((differences > 1e-9).sum()), int((differences < -1e-9).sum())
        tail = sum(comb(won + lost, i) for i in range(min(won, lost) + 1)) / 2 ** (won + lost)
        return cls(float(differences.mean()), bootstrap_interval(differences), won, lost, min(1.0, 2 * tail))

    @property
    def sure(self) -> int:
        """1 if the whole interval is above 0, -1 if below, else 0."""
        return int(self.interval[0] > 0) - int(self.interval[1] < 0)


def compare(
    found: Mapping[str, Mapping[str, Scored]], more: str, less: str, what: Literal["ranks", "spearman"] = "ranks"
) -> Compared:
    """Compare two guesses by a score of which the first should have more, each target averaged over the settings."""
    return Compared.of(np.mean([getattr(of[more], what) - getattr(of[less], what) for of in found.values()], axis=0))


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

Found = Mapping[str, Mapping[str, Scored]]  # of each setting and guess


def page() -> str:
    """Return docs/taskweb.md."""
    oracles = {o.setting: o.read(Files(offline=True)) for o in register_oracles()}
    found = {setting: scored(oracle, guesses(oracle)) for setting, oracle in oracles.items()}
    return "\n".join([*_oracles(oracles), *_overview(found), *_verdict(found), *_details(found)]) + "\n"


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


def _overview(found: Found) -> list[str]:
    rows = []
    for name in next(iter(found.values())):
        trs = [of[name].scores.trs for of in found.values()]
        rows.append([name, *(f"{v:.2f}" for v in trs), f"{np.mean(trs):.2f}"])
    return [*METHODS_TEXT.splitlines(), *table(["TRS", *found, "mean"], rows)]


def _verdict(found: Found) -> list[str]:
    rivals = [*METHODS.values(), BLIND]
    compared = {(s, r): compare({s: of}, r, POPULARITY) for s, of in found.items() for r in rivals}
    rows = []
    for setting, of in found.items():
        cells = [_cell(compared[setting, r]) for r in rivals]
        ahead = np.all([of[POPULARITY].drawn < of[r].drawn for r in METHODS.values()], axis=0)
        rows.append([setting, *cells, f"{100 * ahead.mean():.0f} %"])
    pooled = {r: compare(found, r, POPULARITY) for r in rivals}
    rows.append(["all nine", *map(_cell, pooled.values()), ""])
    every = [s for s in found if all(compared[s, r].ahead > 0 for r in METHODS.values())]
    settled = [s for s in found if all(compared[s, r].sure == 1 for r in METHODS.values())]
    highest = sum(all(np.mean(of[POPULARITY].spearman - of[r].spearman) > 0 for r in rivals) for of in found.values())
    similar, alone = (compare(found, r, SHOP) for r in ("Retrieval-of-Experts", BLIND))
    text = VERDICT.format(
        n=len(every),
        every=_listed(every),
        rest=_listed([s for s in found if s not in every]),
        settled=_listed(settled),
        highest=highest,
        t5l=" against ".join(_short(found["t5l"][r].spearman.mean(), 2) for r in (POPULARITY, SHOP)),
        shop=f"{pooled[SHOP].ahead:.2f} ranks, {_interval(pooled[SHOP])}",
        similar=f"{similar.ahead:.2f} ranks ({_interval(similar)})",
        alone=f"{alone.ahead:.2f} ({_interval(alone)})",
    )
    return [
        *PAIRED.splitlines(),
        *table(["setting", *rivals, "ahead of all four"], rows),
        *POOLED.splitlines(),
        *_pooled(found, compared, pooled),
        *(line for paragraph in text.split("\n\n") for line in [*_wrapped(paragraph), ""]),
    ]


def _pooled(found: Found, compared: Mapping[tuple[str, str], Compared], pooled: Mapping[str, Compared]) -> list[str]:
    rows = []
    for r, c in pooled.items():
        of, rho = [compared[s, r] for s in found], compare(found, POPULARITY, r, "spearman")
        sure = [o.sure for o in of]
        rows.append(
            [
                r,
                f"{sum(o.ahead > 0 for o in of)} ({sure.count(1)})",
                f"{sum(o.ahead < 0 for o in of)} ({sure.count(-1)})",
                f"{c.ahead:.2f} ({_interval(c)})",
                _p(c.p),
                f"{_short(rho.ahead, 2)} ({_interval(rho)})",
                _p(rho.p),
            ]
        )
    return table(["popularity against", "ahead in", "behind in", "by ranks", "p", "by Spearman", "p"], rows)


def _wrapped(paragraph: str) -> list[str]:
    return textwrap.wrap(" ".join(paragraph.split()), 120, break_on_hyphens=False, break_long_words=False)


def _cell(c: Compared) -> str:
    text = f"{c.ahead:+.2f} ({c.interval[0]:.1f} to {c.interval[1]:.1f}), {c.won}:{c.lost}"
    return f"**{text}**" if c.sure else text


def _interval(c: Compared) -> str:
    return " to ".join(_short(v, 2) for v in c.interval)


def _listed(settings: list[str]) -> str:
    return ", ".join(f"`{s}`" for s in settings)


def _details(found: Found) -> list[str]:
    lines = DETAILS.splitlines()
    for setting, of in found.items():
        rows = []
        for name, one in of.items():
            s, chance = one.scores, name == RANDOM
            told = [
                f"{s.trs_interval[0]:.2f} to {s.trs_interval[1]:.2f}",
                _p(s.trs_p),
                f"{one.drawn.mean():.2f} ± {one.drawn.std(ddof=1):.2f}",
                _short(one.spearman.mean(), 2),
            ]
            rows.append([name, f"{s.trs:.2f}", *([""] * 4 if chance else told), f"{s.regret['1']:.2f}"])
        lines += ["", f"### `taskweb-{setting}`"]
        lines += table(["guess", "TRS", "95 % interval", "p", "resampled oracles", "Spearman", "regret@1"], rows)[:-1]
    return lines


HEAD = """\
# TaskWeb: nine oracles, and four published methods on them

Written by `python benchmarks/taskweb.py --write`; every score here is computed, none is quoted.

The figures are from Kim, Asai, Ilharco & Hajishirzi (2023), *TaskWeb: Selecting Better Source Tasks for Multi-task
NLP*, EMNLP: github.com/danieljkim0118/TaskWeb at `{commit}`. The oracles are part of
the package (`cogbench list oracles`); the authors' estimates stand in `benchmarks/figures/taskweb_estimates.csv`.

## The oracles

Each has 22 sources (the 21 targets and `squad-v2`), 21 targets and eight training seeds, in percent: accuracy, Pearson
for `sts-b`. Tasks that cogbench has too bear its names (`mrpc`, `qnli`, `qqp`, `rte`, `sts-b`, `squad-v2`); the others
keep theirs, with hyphens.

- The scores of a setting and target are taken as fractions, and multiplied by 100, if none is beyond 1 in size.
- Some cells were trained under two settings: `sts-b` after `wsc` in `gpt2m`, all of `copa` in `t5l`. Those with the
  hyperparameters of the authors' configurations count (learning rate 3e-4, batch size 8); the authors' relative changes
  come from them, too.
- `rte` after `sst-2`, known for RoBERTa alone, is left out.
- Eight trainings on `sts-b` have no score (one each in `gpt2m`, `t5s` and `t5b-pfeiffer`, five in `t5l-pfeiffer`). They
  count as a correlation of 0, as answers that are all alike do in cogbench, and as eleven of `t5b-lora` are printed;
  the authors' averages leave them out.
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
popularity is ahead. In brackets the 95 % bootstrap interval of the mean over targets; then on how many targets
popularity's pick is the better and the worse one. Bold where the interval leaves out 0 (50 intervals, not adjusted for
their number). *all nine* averages each target over the settings, which share targets and guesses, and are no nine
independent trials. Last, the share of resampled oracles on which popularity's TRS is lower than that of all four.
"""

POOLED = """\
The same in sum: in how many settings popularity is ahead and behind (by an interval that leaves out 0), and all nine
together, by oracle rank of the pick and by the rank correlation of all sources; p is that of a sign test over targets.
"""

VERDICT = """\
**Not in general.** Popularity's TRS is lower than those of all four in {n} of nine settings ({every}), not in {rest};
by the intervals it is clear of all four in {settled} only. Against LLM similarity, Retrieval-of-Experts and TaskShop
(LLM) it is ahead over all nine by intervals that leave out 0, but its pick is the better one on few more targets than
it is the worse one: what it has ahead is that it is seldom far off. Against TaskShop (RoE) nothing is settled ({shop}).

As a ranking of all sources, popularity is ahead of all four in {highest} of nine settings; on `taskweb-t5l`, where
TaskShop (RoE) has seen the same transfers, with a Spearman of {t5l}. What it loses, it loses at the top: in
`t5b-pfeiffer` its first three sources have mean ranks of 6.8, 6.9 and 7.2, and leaving out a target moves down just the
one that is good for it.

TaskShop (RoE) is ahead of Retrieval-of-Experts by {similar}, and of its transfers alone by {alone}: that the transfers
help is established here, that the similarities add to them is not. A method that sees other targets' transfers should
be compared with popularity; one that sees none, with random choice as well.
"""

DETAILS = """\
## All scores

Interval: bootstrap over targets. p: the exact probability of a TRS as low by random choice. Resampled oracles: mean and
standard deviation of the TRS over 200 oracles whose seeds are drawn with replacement; the guesses stay as they are, and
popularity's was made from the same seeds. Spearman: mean over targets. regret@1: what the picked source loses against
the best, in percent of the best.
"""


def main() -> None:
    """Print the page, or write what is asked for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--write", action="store_true")
    asked.add_argument("--figures", type=Path)
    args = asked.parse_args()
    if args.figures:
        write_figures(args.figures)
    elif args.write:
        writable(PAGE.parent)
        PAGE.write_text(page())
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
