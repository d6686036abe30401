"""What the published numbers say beside what they were printed for: baselines, agreement, noise, selection."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

import cogbench
from cogbench import TaskMatrix
from cogbench.results.guess import Scored
from cogbench.scoring.chance import chance_law, independent_p
from cogbench.scoring.paired import LEVEL
from cogbench.scoring.ranking import true_ranking

from .markdown import (
    TWO_P,
    bullets,
    chance,
    chances,
    interval,
    listed,
    num,
    page,
    paragraph,
    relabelled,
    share,
    table,
)
from .published import FREE, METHODS, NAMES, PLMS, PRINTED, ROUNDED, SHOWN, TIE, Published, row, rows
from .significance import compare_with

# Official numbers of evaluation examples of the tasks whose metric is an accuracy (GLUE; MNLI's matched split).
EXAMPLES = {"qnli": 5463, "rte": 277, "mnli": 9815, "sst-2": 872, "mrpc": 408, "qqp": 40430}


LOOKS_AT = {
    "size": "numbers of training examples",
    "size, MS MARCO 2.1": "the same",
    "other PLM's oracle": "all transfers with the other PLM",
    "popularity": "this oracle, the other targets",
    "AHP": "this oracle's models and evaluation data",
}


def section_baselines(published: Published) -> str:
    """Write the methods and what they must beat."""
    first, second, *_ = sorted(NAMES.values(), key=published.training_rows.__getitem__, reverse=True)
    blocks = [
        "## Baselines beside the methods",
        paragraph(
            f"""*Size* takes the source with the most training examples ({SHOWN[first]}; for {SHOWN[first]} itself
            {SHOWN[second]}). The largest would be
            MS MARCO if its second version were meant. *Popularity* takes the source with the best mean rank over the
            *other* targets; like AHP it knows transfers, so it belongs beside AHP. *To popularity* is the TRS less that
            of popularity, with the larger p of sign flips and relabelling, not corrected for the number of guesses.
            *Mean* is the mean of the target's metric after the selected source, in percent; the units differ from task
            to task, so one target can decide it."""
        ),
    ]
    for plm, name in PLMS.items():
        guesses = {m: published.own[plm, m] for m in METHODS} | published.guesses[plm]
        body = []
        for label, scored in guesses.items():
            s = scored.scores
            line = [num(s.trs.value), *chances(s), interval(s), to_popularity(scored), num(s.metric.selected)]
            body.append([label, LOOKS_AT.get(label, "representations or responses"), *line])
        s = published.own[plm, "CRA"].scores
        body.append(["random (exact)", "nothing", num(s.trs.chance), "", "", "", "", num(s.metric.random)])
        head = ["guess", "looks at", "TRS", *TWO_P, "95 % interval", "to popularity", "mean"]
        blocks += [f"### {name}", table(head, body)]
    beside = [methods_beside(published, plm, baseline) for plm in PLMS for baseline in ("size", "popularity")]
    return page(*blocks, bullets(beside), paragraph(popular(published)), disagreement(published))


def to_popularity(scored: Scored) -> str:
    """Write the difference to popularity, and its p in brackets."""
    assert scored.scores.skill and scored.scores.skill.popularity
    difference = scored.scores.skill.popularity
    return f"{num(difference.difference)} ({chance(difference.p)})"


def methods_beside(published: Published, plm: str, baseline: str) -> str:
    """Say how the methods without transfers do beside a baseline."""
    scores, comparisons = published.guesses[plm][baseline].scores, compare_with(published, plm, baseline)
    lower = [m for m in FREE if published.own[plm, m].scores.trs.value < scores.trs.value - TIE]
    apart = [c.one for c in comparisons if c.corrected_p <= LEVEL]
    detectable = [c.detectable for c in comparisons]
    return (
        f"{baseline.capitalize()} on {PLMS[plm]} has TRS {num(scores.trs.value)} "
        f"(p {chance(relabelled(scores).p, sign=True)}); "
        f"{listed(lower) if lower else 'none'} of the {len(FREE)} methods without transfers "
        f"{'have' if len(lower) > 1 else 'has'} a lower one. Told apart from it after Holm's correction: "
        f"{listed(apart) if apart else 'no method'} (the smallest corrected p is "
        f"{chance(min(c.corrected_p for c in comparisons))}; differences of {num(min(detectable))} to "
        f"{num(max(detectable))} ranks are detectable)."
    )


def popular(published: Published) -> str:
    """Say what popularity selects."""
    choices = []
    for plm, name in PLMS.items():
        ranking = cogbench.rank(published.guess_matrices[plm]["popularity"])
        first = [ranking.order(t)[0] for t in ranking.targets]
        most_chosen = max(sorted({*first}), key=first.count)
        choices.append(f"{SHOWN[most_chosen]} for {first.count(most_chosen)} of {len(first)} targets on {name}")
    return f"Popularity selects {listed(choices)}: a low TRS may need no more than one source that serves most targets."


def disagreement(published: Published) -> str:
    """List where the two yardsticks order two methods differently."""
    body = []
    for plm, name in PLMS.items():
        s = {m: published.own[plm, m].scores for m in METHODS if not published.repeated(plm, m)}
        for a in s:
            for b in s:
                if s[a].trs.value > s[b].trs.value + TIE and s[a].metric.selected > s[b].metric.selected + TIE:
                    means, ranks = (
                        f"{num(x)} / {num(y)}"
                        for x, y in ((s[a].metric.selected, s[b].metric.selected), (s[a].trs.value, s[b].trs.value))
                    )
                    body.append([name, f"{a} / {b}", means, ranks, decided_by(published, plm, a, b)])
    return page(
        paragraph("TRS and the mean can disagree: the first of each pair has the higher mean and the worse TRS."),
        table(["PLM", "pair", "mean", "TRS", "target that differs most"], body),
    )


def decided_by(published: Published, plm: str, a: str, b: str) -> str:
    """Name the target that differs most between two methods."""
    oracle = published.oracles[plm].transfers
    after = {
        m: np.array(
            [
                oracle.values[oracle.sources.index(s), oracle.targets.index(t)]
                for t, s in published.selections[plm, m].items()
            ]
        )
        for m in (a, b)
    }
    most = int(np.argmax(after[a] - after[b]))
    target = list(published.selections[plm, a])[most]
    return f"{SHOWN[target]}: {num(after[a][most])} / {num(after[b][most])}"


def section_agreement(published: Published) -> str:
    """Write how far the two oracles agree, and whether transfers help."""
    ranks = [true_ranking(published.oracles[plm]) for plm in PLMS]
    off = ranks[0].candidates
    a, b = (r.ranks[off] for r in ranks)
    other = {plm: published.guesses[plm]["other PLM's oracle"].scores for plm in PLMS}
    printed = [[r["method"], share(float(r["pearson"]), 2), share(float(r["spearman"]), 2)] for r in rows("section5_2")]
    ours = ["the oracles' ranks", share(np.corrcoef(a, b)[0, 1]), share(np.corrcoef(pooled(a), pooled(b))[0, 1])]
    skill = other["bert"].skill  # that of the other direction is the same number
    assert skill and skill.rho is not None and skill.p
    alone = []
    helped = {}
    for plm, name in PLMS.items():
        s = published.own[plm, "CRA"].scores
        assert s.gains.helping is not None and s.metric.no_transfer is not None
        helped[plm] = round(s.gains.helping * int(off.sum()))
        own = {m: published.own[plm, m].scores.gains.selected_helping or 0.0 for m in METHODS}
        alone.append(
            [
                name,
                num(s.metric.no_transfer),
                num(s.metric.random),
                num(s.metric.best),
                f"{helped[plm]} of {int(off.sum())}",
                *(f"{round(v * len(NAMES))}" for v in own.values()),
            ]
        )
    return page(
        "## The two PLMs' oracles against each other",
        paragraph(
            """Correlation of the off-diagonal cells of two matrices: of the two oracles' ranks, beside what section
            5.2 of the paper prints for the similarities of each method on BERT and TinyBERT (whether with the diagonal
            is not said)."""
        ),
        table(["matrices", "Pearson", "Spearman"], [ours, *printed]),
        paragraph(
            f"""Selecting by the other PLM's oracle gives TRS {num(other["bert"].trs.value)} on BERT (p
            {chance(relabelled(other["bert"]).p, sign=True)}) and {num(other["tinybert"].trs.value)} on TinyBERT (p
            {chance(relabelled(other["tinybert"]).p, sign=True)}): which source is best depends much on the PLM, or on
            the noise of one training. Over all pairs of tasks, with the effects of sources and of targets taken out of
            both, the two oracles agree somewhat: their rank correlation is {share(skill.rho)} (p
            {chance(skill.p.p, sign=True)} by relabelling). A similarity that is nearly the same for both PLMs cannot
            name the best sources of both; that it correlates across PLMs is no merit by itself."""
        ),
        "## Without transfer",
        paragraph(
            """Mean metric without any source, after a random and after the truly best one; how many of the transfers
            beat no transfer; and, for each method, for how many of the twelve targets its selected source does."""
        ),
        table(["PLM", "no transfer", "random", "best", "transfers that help", *METHODS], alone),
        paragraph(
            """TinyBERT's models without a source are distilled from BERT on the same task, which may be why they are
            better than those after the best source: then its row compares more than the transfer."""
        ),
    )


def pooled(values: np.ndarray) -> np.ndarray:
    """Return the ranks of all values together, ties averaged: (n,)."""
    names = tuple(map(str, range(len(values))))
    return cogbench.rank(TaskMatrix(names, ("all",), values[:, None])).ranks[:, 0]


@dataclass(frozen=True)
class Noise:
    """One target: the standard error of an accuracy near its mean, and the spread over sources, in points."""

    plm: str
    target: str
    examples: int
    multiples: int
    error: float
    spread: float
    near: int


def noise(published: Published) -> Iterator[Noise]:
    """Yield the noise of each target with an accuracy as its metric."""
    for plm, oracle in published.oracles.items():
        for target, n in EXAMPLES.items():
            j = oracle.transfers.targets.index(target)
            assert oracle.metrics[target] == "accuracy" and oracle.no_transfer is not None
            column = oracle.transfers.values[:, j]
            metrics = column[np.isfinite(column)]
            p = metrics.mean() / 100
            error = 100 * float(np.sqrt(p * (1 - p) / n))
            cells = np.append(metrics, oracle.no_transfer[j])
            whole = np.abs(100 * np.rint(cells * n / 100) / n - cells) <= PRINTED + TIE
            near = int((metrics.max() - metrics < 2 * error).sum()) - 1
            yield Noise(plm, target, n, int(whole.sum()), error, float(metrics.std(ddof=1)), near)


def section_noise(published: Published) -> str:
    """Write where the evaluation's own error exceeds the spread across sources."""
    noises = list(noise(published))
    body = []
    for target, n in EXAMPLES.items():
        line = [
            SHOWN[target],
            f"{n:,}",
            f"{sum(f.multiples for f in noises if f.target == target)} of 24 ({num(24 * min(1, n / 1e4), 1)})",
        ]
        for f in noises:
            if f.target == target:
                mark = "**" if f.error > f.spread else ""
                line += [f"{mark}{num(f.error)}{mark}", f"{mark}{num(f.spread)}{mark}", str(f.near)]
        body.append(line)
    moved = []
    for plm, name in PLMS.items():
        oracle = published.oracles[plm]
        errors = np.zeros(oracle.transfers.values.shape)
        for f in noises:
            if f.plm == plm:
                errors[:, oracle.transfers.targets.index(f.target)] = f.error
        noisy = replace(oracle, standard_error=errors)
        for method in METHODS:
            s = cogbench.score(published.selections[plm, method], noisy).scores
            assert s.resampled is not None
            moved.append([name, method, num(s.trs.value), num(s.resampled["trs"])])
    above = [f"{PLMS[f.plm]} {SHOWN[f.target]}" for f in noises if f.error > f.spread]
    return page(
        "## Where the evaluation's error exceeds the spread",
        paragraph(
            """For the tasks whose metric is an accuracy, the binomial standard error follows from the size of the
            evaluation split. The paper says F1, but the cells are multiples of 1/n, as accuracies are (in brackets: how
            many of any 24 numbers would be). Beside the error stands the standard deviation over the eleven sources,
            and *near*: how many further sources lie within two standard errors of the best. In points; one training
            seed each, whose own noise is not in it. For the other six tasks the error cannot be had from the printed
            numbers."""
        ),
        table(
            [
                "target",
                "n",
                "cells k/n",
                *(f"{PLMS[plm]} {what}" for plm in PLMS for what in ("error", "spread", "near")),
            ],
            body,
        ),
        paragraph(
            f"""The error exceeds the spread for {listed(above)}: if the errors of the sources were independent, their
            order would be mostly noise there. The sources share their evaluation examples, so differences between them
            are surer than that; by how much the printed numbers do not say."""
            if above
            else "The error exceeds the spread nowhere."
        ),
        paragraph(
            """What this alone does to TRS: its standard deviation over oracles drawn around the published one with
            these errors (the other six targets left as they are). The mean over such oracles is left out, because they
            have the noise of the published one and as much again. The errors are drawn for each source by itself,
            because the scores of single examples are not published. The errors of sources that share examples move
            together, so these deviations are too large rather than too small."""
        ),
        table(["PLM", "method", "TRS", "standard deviation"], moved),
    )


def section_best_of_nine(published: Published) -> str:
    """Write what choosing among the combinations of Table 2 does to chance."""
    body: list[list[str]] = []
    best: dict[str, tuple[float, float, str]] = {}
    for r in rows("table2"):
        line = [r["dissimilarity"], r["similarity"]]
        for plm in PLMS:
            law = chance_law(true_ranking(published.oracles[plm]))
            p = independent_p(law, len(NAMES) * (float(r[plm]) + ROUNDED))
            best[plm] = min(
                best.get(plm, (np.inf, 1.0, "")), (float(r[plm]), p, f"{r['dissimilarity']} with {r['similarity']}")
            )
            line += [r[plm], chance(p)]
        body.append(line)
    n = len(body)
    sentences = [
        f"{best[plm][2]} on {name} has TRS {num(best[plm][0], 1)}, alone with p {chance(best[plm][1], sign=True)}, "
        f"as the best of {n} with p {chance(1 - (1 - best[plm][1]) ** n, sign=True)}"
        for plm, name in PLMS.items()
    ]
    cra = [chance(relabelled(published.own[plm, "CRA"].scores).p) for plm in PLMS]
    singles = [best_single_source(published, plm) for plm in PLMS]
    chosen = row("table2", dissimilarity="pearson", similarity="cosine")
    assert [float(chosen[plm]) == best[plm][0] for plm in PLMS] == [True, False], "say where the chosen one is the best"
    return page(
        "## Table 2: the best of nine",
        paragraph(
            f"""The exact p of independent choices for each printed TRS (at most that number and half of its last
            digit). It is the only p that a printed TRS allows, because relabelling needs the selections, and it is too
            small where one source is selected for many targets. The one row whose selections are known, Pearson with
            cosine, has {" and ".join(cra)} (BERT and TinyBERT) when it is relabelled. This combination, which Table 1
            calls CRA, was chosen by the TRS on the oracle that it is then scored on; the released code keeps the best
            one by itself."""
        ),
        table(["dissimilarity", "similarity", "BERT", "p, independent", "TinyBERT", "p, independent"], body),
        paragraph(
            f"""Against the best of {n} independent random rankings, by the same p: {"; ".join(sentences)}. The {n}
            combinations read the same representations, so they are not independent, and the p after the choice lies
            between the two. How far the p of independent choices misleads is seen in a guess without knowledge that
            names one source for all other targets: of the twelve such guesses the best has {listed(singles)}. The
            combination chosen for both ({" and ".join(chosen[plm] for plm in PLMS)}) is the best one on BERT only."""
        ),
    )


def best_single_source(published: Published, plm: str) -> str:
    """Say which TRS the best source has that is named for all other targets; for itself the choice is random."""
    true = true_ranking(published.oracles[plm])
    totals = np.nan_to_num(true.ranks).sum(axis=1) + len(NAMES) / 2  # (s,): 6 is the mean rank of eleven sources
    best = int(totals.argmin())
    p = independent_p(chance_law(true), float(totals[best]))
    figures = f"TRS {num(totals[best] / len(NAMES))} on {PLMS[plm]}"
    return f"{figures} ({SHOWN[true.sources[best]]}, p {chance(p, sign=True)})"
