"""What the page of one result says, section by section; each leaves itself out where the result has nothing for it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..data.oracle import TaskMatrix
from ..errors import UnusableData
from ..results.comparison import kept_apart
from ..results.guess import Scored
from ..results.result import Result
from ..scoring.correlation import agreement, steadiness
from ..scoring.means import mean_of_defined, none_if_nan
from ..scoring.ranking import rank
from ..scoring.scores import MeanMetric, Scores, TargetScore
from ..scoring.task_tree import task_tree
from ..text import MISSING, in_decimals, in_digits, in_range, in_sign
from .canvas import Figure
from .figures import (
    against_chance,
    agreement_map,
    fingerprint_map,
    prediction_dots,
    similarity_map,
    strips,
    true_ranks,
)
from .rows import p_words, score_tables, tied

CHANCE = 0.05  # of a channel lying above its null
# What the figure calls what the estimator tells of each task and subject.
PREDICTED = {"share": "share_above_shuffled", "score": "score", "error to that of shuffled": "error_to_shuffled"}


@dataclass(frozen=True)
class Section:
    """A title, sentences, a figure, a table of like rows; the table opens on demand if `folded` names it.

    `words` names the columns of the table, beside the first, that hold no numbers.
    """

    key: str
    title: str
    text: tuple[str, ...] = ()
    figure: Figure | None = None
    rows: tuple[dict[str, Any], ...] = ()
    folded: str = ""
    words: tuple[str, ...] = ()


def sections(result: Result) -> list[Section]:
    """Return the sections of a result's page; a new one is a function from a result to a section or None, in `ALL`."""
    drawn = []
    for make in ALL:
        try:
            drawn.append(make(result))
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            if make not in OF_DETAILS:
                raise
            name = make.__name__.strip("_")
            raise UnusableData(
                f"{result.estimator}: its details of {name} have another form than its page shows."
            ) from error
    return [section for section in drawn if section is not None]


def headline(result: Result) -> list[tuple[str, str, str]]:
    """Return the figures that a reader looks for first: what, how much, and what that means."""
    figures, s = [], result.scores
    if s is not None:
        top, share = next(iter(s.top_k.share.items()))
        figures = [
            ("TRS", f"{s.trs.value:.2f}", f"95 % interval {in_range(s.trs.interval)}; 1 is perfect"),
            ("p", in_digits(s.trs.p.p) if s.trs.p else MISSING, f"{p_words(s.trs.p)}; chance {s.trs.chance:.2f}"),
            (f"top-{top}", f"{share:.2f}", f"in the oracle's top {s.top_k.m}; chance {s.top_k.chance[top]:.2f}"),
        ]
        if s.skill is not None and s.skill.p is not None:
            meaning = f"rank correlation beyond source and target effects, p {in_digits(s.skill.p.p)}"
            figures.insert(2, ("skill", in_sign(s.skill.rho), meaning))
        if (regret := s.regret.get("1")) is not None:
            figures.append(("regret", f"{regret:.1f} %", "lost against each target's truly best source"))
    if result.tasks:
        n = sum(t.learned for t in result.tasks.values())
        figures.append(("learned", f"{n} of {len(result.tasks)}", "tasks better than the best constant answer"))
    if result.seed_floor is not None:
        figures.append(("seed floor", f"{result.seed_floor:.3f}", "correlation of a task's RDM between seeds"))
    return figures


def _scores(result: Result) -> Section | None:
    s = result.scores
    if s is None or result.oracle is None:
        sentence = (
            "No oracle is known for this, so the ranking is unscored: cogbench run … --oracle measured measures one."
        )
        return Section("scores", "Scores", (sentence,))
    scored = Scored(
        name=result.estimator,
        oracle=result.oracle.name,
        scores=s,
        baselines=result.baselines,
        selections=False,
        selected={t: [] for t in s.per_target},
    )
    rows, *_ = score_tables(scored).values()
    text = (
        f"Against the oracle {result.oracle.name} ({result.oracle.basis}).",
        *_chance_sentences(s),
        *map(_sentence, s.notes),
    )
    return Section("scores", "Better than chance?", text, against_chance(result), tuple(rows), "All scores")


def _chance_sentences(s: Scores) -> Iterator[str]:
    """Yield what can be claimed: better than chance, than popularity, and beyond the effects of sources and targets."""
    if s.trs.p is None or s.skill is None:
        yield "An older schema scored this result: cogbench score computes its p and its skill."
        return
    yield f"Under other names of its tasks the guess does as well with p {in_digits(s.trs.p.p)} ({p_words(s.trs.p)})."
    if (gap := s.skill.popularity) is not None:
        yield (
            f"Its TRS differs from that of popularity by {in_sign(gap.difference)} "
            f"({gap.interval[0]:+.2f} to {gap.interval[1]:+.2f}, p {in_digits(gap.p)}); a difference of "
            f"{in_decimals(gap.detectable)} would be seen with 80 % power."
        )
    if s.skill.p is not None:
        yield (
            "When the effects of sources and targets are taken out, the guess correlates with the oracle by "
            f"{in_sign(s.skill.rho)} (p {in_digits(s.skill.p.p)})."
        )


def _gains(result: Result) -> Section | None:
    """Say what each target does after its chosen source, after the best one and without any, where that is known."""
    if result.scores is None:
        return None
    per_target = result.scores.per_target
    scores = {target: per_target[target] for target in result.targets if per_target[target].selected is not None}
    if not scores:
        return None
    falling = [target for target, score in scores.items() if _is_lower_better(score, result.scores.metric)]
    gains = {target: _gain(score, target in falling) for target, score in scores.items()}
    chosen, best = _first_sources(result, result.matrix), _first_sources(result, None)
    rows = []
    for target, score in scores.items():
        digits = 3 if max(abs(v) for v in (score.selected, score.best, score.no_transfer) if v is not None) <= 1 else 2
        rows.append(
            {
                "target": target,
                "train first": tied(chosen[target]),
                "after it": in_decimals(score.selected, digits),
                "without a source": in_decimals(score.no_transfer, digits, MISSING),
                "gain": in_sign(gains[target], digits, MISSING),
                "best source": tied(best[target]),
                "after the best": in_decimals(score.best, digits, MISSING),
            }
        )
    row, gain = rows[0], next(iter(gains.values()))
    advice = (
        f"the choice is {row['train first']}" if gain is not None and gain <= 0 else f"train {row['train first']} first"
    )
    instead = "" if gain is None else f" instead of {row['without a source']} without a source"
    text = [f"For {row['target']} {advice}: {row['after it']}{instead}."]
    if signs := [gain > 0 for gain in gains.values() if gain is not None]:
        text.append(
            f"The chosen source helps {sum(signs)} of {len(signs)} targets; where the gain is negative it harms."
        )
    text.append("The figures are the metric of each target in the oracle.")
    if falling:
        text.append(f"Lower figures are better for {', '.join(falling)}: a gain is what they fall by.")
    if any(len(chosen[target]) > 1 for target in scores):
        text.append("Where sources tie for the first place, the figure after them is their mean.")
    used = [name for name in rows[0] if any(row[name] not in ("", MISSING) for row in rows)]
    shown = tuple({name: row[name] for name in used} for row in rows)
    return Section("gains", "What the choice brings", tuple(text), rows=shown, words=("train first", "best source"))


def _first_sources(result: Result, guess: TaskMatrix | None) -> dict[str, list[str]]:
    """Return the sources of each target that share the first place in a guess, or without one in the oracle."""
    true = true_ranks(result)
    ranks = true if guess is None else rank(guess, np.isfinite(true)).ranks  # (n_sources, n_targets)
    return {
        target: [result.sources[i] for i in np.flatnonzero(ranks[:, j] == np.nanmin(ranks[:, j]))]
        for j, target in enumerate(result.targets)
    }


def _gain(score: TargetScore, lower: bool) -> float | None:
    """Return how much better a target does after its chosen source than without any."""
    if score.selected is None or score.no_transfer is None:
        return None
    return (score.no_transfer - score.selected) if lower else (score.selected - score.no_transfer)


def _is_lower_better(score: TargetScore, mean: MeanMetric) -> bool:
    """Whether lower figures are better for a target, which a result says by the figure after the best source.

    If the chosen source is the best one, the means over targets decide: after the best, and after a random source.
    """
    if score.best is not None and score.selected is not None and score.best != score.selected:
        return score.best < score.selected
    return mean.best < mean.random


def _ranking(result: Result) -> Section | None:
    if not result.oracle_ranks:
        rows = tuple({"target": t, "sources, predicted best first": ", ".join(s)} for t, s in result.ranking.items())
        return Section("ranking", "Sources in predicted order", rows=rows)
    guessed = rank(result.matrix)
    tied = [t for t, n in zip(result.targets, guessed.equal.max(axis=0), strict=True) if n > 1]
    text = [
        "Each row is a target task, its sources from the predicted best at the left. The figure in a cell, and its "
        "colour, is the true rank of the source: 1 and dark blue are the best one, pale yellow is the worst."
    ]
    if tied:
        text.append(f"Tied sources stand in the order of the suite: {', '.join(tied)} have some.")
    return Section("ranking", "Where the ranking is right", tuple(text), strips(result))


def _similarity(result: Result) -> Section | None:
    matrix = result.matrix
    try:
        tree = task_tree(matrix)
    except UnusableData as error:
        sentences = [
            f"No tree: {error}",
            *["Hatched cells have no estimate."] * bool((np.isnan(matrix.values) & ~matrix.same).any()),
        ]
        return Section("similarity", "Similarity of tasks", tuple(sentences), similarity_map(matrix, None))
    text = ("Rows are sources, columns targets, in the order of the tree beside them.", *map(_sentence, tree.notes))
    return Section("similarity", "Similarity of tasks", text, similarity_map(matrix, tree.root))


def _subjects(result: Result) -> Section | None:
    """Show how alike subjects are, each one's matrix being the mean over training seeds."""
    names = list(next((details["by_subject"] for details in result.details if "by_subject" in details), {}))
    matrices = next((group for kind, group in kept_apart(result) if kind == "subjects"), [])
    if len(names) < 2:
        return None
    values = np.full((len(names), len(names)), np.nan)
    for i, one in enumerate(matrices):
        for j, other in enumerate(matrices):
            correlation = agreement(one, other)[1] if i != j else None
            values[i, j] = np.nan if correlation is None else correlation
    alike, rankings, _, same = steadiness(matrices)
    values_text = in_decimals(alike, missing="an unknown amount")
    rankings_text = in_decimals(rankings, missing="an unknown amount")
    text = (
        f"The estimator gives each subject a matrix of its own. Two of them correlate by {values_text} in the mean, "
        f"their rankings by {rankings_text}, and they have the same best source for {100 * same:.0f} % of targets.",
    )
    return Section("subjects", "Do the subjects agree?", text, agreement_map("subjects", names, values))


def _prediction(result: Result) -> Section | None:
    """Show how well the tasks' representations predict the signal, mean over training seeds."""
    seeds = [details["prediction"] for details in result.details if "prediction" in details]
    if not seeds:
        return None
    rows = [
        {"subject": subject, "task": task}
        | {
            name: none_if_nan(mean_of_defined(details.get(subject, {}).get(task, {}).get(key) for details in seeds))
            for name, key in PREDICTED.items()
        }
        for subject, of_task in seeds[0].items()
        for task in of_task
    ]
    shares = [row["share"] for row in rows if row["share"] is not None]
    if not shares:
        return None
    share = float(np.mean(shares))
    text = (
        f"In the mean over tasks and subjects {100 * share:.0f} % of channels are predicted better than from shuffled "
        f"stimuli; by chance it is {100 * CHANCE:.0f} %. "
        "Similarities from a mapping that predicts nothing mean little.",
    )
    return Section("prediction", "Is the signal predicted?", text, prediction_dots(rows, CHANCE))


def _fingerprints(result: Result) -> Section | None:
    """Show in which layers the neurons lie that an estimator selects for each task, mean over training seeds."""
    seeds = [fingerprints for shares_of_seed in result.details if (fingerprints := shares_of_seed.get("fingerprints"))]
    tasks = [task for task in result.targets if all(task in shares_of_seed for shares_of_seed in seeds)]
    if not seeds or not tasks:
        return None
    shares = {task: np.mean([shares_of_seed[task] for shares_of_seed in seeds], axis=0).tolist() for task in tasks}
    lost = [task for task in result.targets if task not in tasks]
    text = ["Each row is a task: the share of its selected neurons that lies in each layer, 1 in all."]
    text += [f"None were selected for {', '.join(lost)}."] * bool(lost)
    return Section("fingerprints", "Which layers tell the answers?", tuple(text), fingerprint_map(shares))


def _tasks(result: Result) -> Section | None:
    rows = tuple(
        {
            "task": name,
            "metric": t.metric,
            "value": f"{t.value:.3f}",
            "standard error": f"{t.standard_error:.3f}",
            "trivial": f"{t.trivial:.3f}",
            "learned": "yes" if t.learned else "no",
        }
        for name, t in result.tasks.items()
    )
    lost = [name for name, t in result.tasks.items() if not t.learned]
    sentence = (
        f"Not learned: {', '.join(lost)}. Their representations say little." if lost else "All tasks were learned."
    )
    return Section("tasks", "How well the tasks were learned", (sentence,), rows=rows) if rows else None


def _signal(result: Result) -> Section | None:
    """Tell all that is known of the signal: figures of its quality appear as the record has them."""
    quality = result.signal_quality
    if quality is None:
        return None
    figures = asdict(quality)
    figures["channels"] = figures.pop("n_channels") or {s: len(names) for s, names in quality.channels.items()}
    notes = [f"reliability {quality.reliability}"] if quality.reliability else []
    rows = tuple({"what": name.replace("_", " "), "value": value} for name, value in _flat(figures) if name != "notes")
    title = f"{'The signal' if quality.subjects else 'The stimuli'}: {result.signal}"
    return Section("signal", title, tuple(map(_sentence, [*notes, *quality.notes])), rows=rows)


def _provenance(result: Result) -> Section:
    origin = {
        "options": result.options,
        **asdict(result.provenance),
        "oracle": asdict(result.oracle) if result.oracle else None,
    }
    rows = tuple({"what": name, "value": value} for name, value in _flat(origin))
    run = result.provenance
    where = "" if run.device == "none" else f" on {run.device}"
    when = f"cogbench {run.cogbench}, {run.started[:16].replace('T', ' ')}, {run.seconds:.1f} s{where}."
    notes = (when, *map(_sentence, result.notes))
    return Section("provenance", "What the figures came from", notes, rows=rows, folded="Data, models, settings, time")


ALL = (_scores, _gains, _ranking, _similarity, _subjects, _tasks, _signal, _prediction, _fingerprints, _provenance)

OF_DETAILS = (_subjects, _prediction, _fingerprints)  # what an estimator tells in its own way, and nothing checks


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}{'' if note.endswith('.') else '.'}"


def _flat(nested: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested dicts with their places; what is not known is left out."""
    for name, value in nested.items():
        place = f"{before}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place} / ")
        elif isinstance(value, list | tuple):
            yield place, ", ".join(map(_leaf, value))
        elif value is not None:
            yield place, _leaf(value)


def _leaf(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
