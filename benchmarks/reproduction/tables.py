"""Tables 1, 8 and 9 of the paper, recomputed cell by cell, and what Table 3 would show by chance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cogbench.scoring.ranking import true_ranking

from .markdown import (
    TWO_P,
    bullets,
    chances,
    interval,
    listed,
    num,
    page,
    paragraph,
    rank_number,
    relabelled,
    share,
    table,
)
from .published import (
    METHODS,
    NAMES,
    OTHER,
    PLMS,
    PRINTED,
    ROUNDED,
    SHOWN,
    TIE,
    Published,
    longest_cycle,
    printed_rank,
    row,
    rows,
    table_8,
    table_9,
)
from .significance import which_are_better_than_chance

DRAWS = 5000  # over which the paper averages its random selection
SYMMETRIC = ("DSE", "CRA", "CNM", "CRA+CNM")
EQUAL, BY_RANKS, DIFFERS = "equal", "equal by the printed ranks", "differs"


@dataclass(frozen=True)
class Cell:
    """One cell of Table 1: the TRS recomputed by our ranks and by the printed ones, beside what is printed."""

    plm: str
    method: str
    trs: float
    by_printed_ranks: float
    printed: float
    why: str

    @property
    def verdict(self) -> str:
        """Say whether it is equal, within the rounding of the printed number."""
        if abs(self.trs - self.printed) <= ROUNDED + TIE:
            return EQUAL
        if abs(self.by_printed_ranks - self.printed) <= ROUNDED + TIE:
            return BY_RANKS
        return DIFFERS


def table_1(published: Published) -> list[Cell]:
    """Recompute Table 1."""
    cells = []
    for (plm, method), picks in published.selections.items():
        scores = published.own[plm, method].scores
        by_printed = float(np.mean([printed_rank(plm, source, target) for target, source in picks.items()]))
        why = [
            f"{SHOWN[t]} takes {SHOWN[s]}, printed as rank {rank_number(printed_rank(plm, s, t))}, "
            f"ours {rank_number(scores.per_target[t].rank)}"
            for t, s in picks.items()
            if printed_rank(plm, s, t) != scores.per_target[t].rank
        ]
        if other := published.repeated(plm, method):
            why.append(f"its rows of Tables 8 and 9 are those of {other}")
        printed = float(row("table1", method=method)[plm])
        cells.append(Cell(plm, method, scores.trs.value, by_printed, printed, "; ".join(why)))
    return cells


def deviating_ranks(published: Published) -> Iterator[tuple[str, str, str, float, float]]:
    """Yield (backbone, target, source, printed rank, ours) where Tables 6 and 7 and their own metrics disagree."""
    for plm, oracle in published.oracles.items():
        true = true_ranking(oracle)
        for j, target in enumerate(true.targets):
            for i, source in enumerate(true.sources):
                if source != target and (printed := printed_rank(plm, source, target)) != true.ranks[i, j]:
                    yield plm, target, source, printed, float(true.ranks[i, j])


def section_1(published: Published) -> str:
    """Write Table 1."""
    cells = table_1(published)
    body = []
    for cell in cells:
        scores = published.own[cell.plm, cell.method].scores
        body.append(
            [
                PLMS[cell.plm],
                cell.method,
                num(cell.trs, 4),
                num(cell.by_printed_ranks, 4),
                num(cell.printed, 1),
                cell.verdict,
                *chances(scores),
                interval(scores),
            ]
        )
    random = published.own["bert", "CRA"].scores.trs.chance
    both = " / ".join(row("table1", method="Random")[plm] for plm in PLMS)
    near = all(abs(random - float(row("table1", method="Random")[plm])) <= ROUNDED + TIE for plm in PLMS)
    body.append(["both", "Random", num(random, 4), "", both, EQUAL if near else DIFFERS, "", "", ""])
    head = ["PLM", "method", "TRS", "by printed ranks", "printed", "verdict", *TWO_P, "95 % interval"]
    ranks = list(deviating_ranks(published))
    differences = [
        f"{PLMS[plm]}, target {SHOWN[t]}, {SHOWN[s]}: {rank_number(p)} instead of {rank_number(r)}"
        for plm, t, s, p, r in ranks
    ]
    n = sum(oracle.transfers.values.size - len(NAMES) for oracle in published.oracles.values())
    draws = relabelled(published.own["bert", "CRA"].scores).draws
    assert all(relabelled(published.own[plm, "AHP"].scores).p < 0.001 for plm in PLMS)
    assert {c.why for c in cells if c.verdict == DIFFERS} == {"its rows of Tables 8 and 9 are those of CRA"}
    return page(
        "## Table 1: mean oracle rank of the selected source (TRS)",
        paragraph(
            """TRS is 1 if the selected source is always the best, and 6 in the mean for a random one. *Equal* means:
            the same after rounding to the printed digit. The interval over targets is a Bayesian bootstrap, in which
            one further target stands whose source is drawn at random."""
        ),
        paragraph(
            f"""*p* is the share of {draws:,} relabellings under which the selections do as well or better. A selection
            is relabelled as a whole: its matrix has 1 for the source of each target and no estimate elsewhere, and its
            rows and columns exchange the names of their tasks together, so that a source that is selected for many
            targets is selected for as many under its other name. *p, independent* is the exact probability that
            independent choices, each at random among eleven sources, do as well or better; it is too small for methods
            that select the same sources for many targets."""
        ),
        table(head, body),
        which_are_better_than_chance(published),
        paragraph("Where ranks or rows explain a difference:"),
        bullets(f"{PLMS[c.plm]} {c.method}: {c.why}." for c in cells if c.why),
        paragraph(
            f"""{len(ranks)} of the {n} printed ranks do not follow from the printed metrics: {"; ".join(differences)}.
            Those of BERT are a tie that the paper's unrounded numbers broke; those of TinyBERT come from a sentinel
            value in the released code ([below](#a-sentinel-on-the-diagonal)). With one or the other rank, each cell is
            explained but BERT's CRA+CNM: its selections, as Tables 8 and 9 print them, are CRA's and cannot have
            another TRS, so that either those rows or the cell of Table 1 is a mistake."""
        ),
    )


def random_cells(published: Published) -> Iterator[tuple[str, str, float, float, float]]:
    """Yield (backbone, target, exact mean over sources, printed, how far they are apart).

    The last in standard errors of the mean of as many draws, beyond what rounding of the printed number explains.
    """
    for plm, oracle in published.oracles.items():
        for j, target in enumerate(oracle.transfers.targets):
            column = oracle.transfers.values[:, j]
            exact, printed = np.nanmean(column), float(row("table8", plm=plm, method="Random")[SHOWN[target]])
            apart = max(0.0, abs(printed - exact) - PRINTED) / (np.nanstd(column) / np.sqrt(DRAWS))
            yield plm, target, float(exact), printed, float(apart)


def averages(published: Published) -> list[tuple[str, str, str, float, float]]:
    """Return (guide, trained, method, recomputed, printed) of the column AVG of Tables 8 and 9."""
    means = []
    for plm, method in published.selections:
        own, cross = published.own[plm, method].scores, published.cross[plm, method].scores
        means.append((plm, plm, method, own.metric.selected, float(table_8(plm, method)["AVG"])))
        means.append((plm, OTHER[plm], method, cross.metric.selected, float(table_9(plm, method)["AVG"])))
    return sorted(means, key=lambda mean: (mean[0] != mean[1], mean[1]))


def section_8_9(published: Published) -> str:
    """Write Tables 8 and 9."""
    many = [
        (len(own), len(cross))
        for plm, method in published.selections
        for own, cross in (published.possible(plm, method, t) for t in NAMES.values())
    ]
    cycles = {key: longest_cycle(picks) for key, picks in published.selections.items()}
    symmetric = max(n for (_, method), n in cycles.items() if method in SYMMETRIC)
    means = averages(published)
    equal = sum(abs(ours - printed) <= PRINTED + TIE for *_, ours, printed in means)
    apart = list(random_cells(published))
    far = [a for a in apart if a[-1] > 3]
    body = []
    for guide, trained, method, ours, printed in means:
        scores = (published.own if guide == trained else published.cross)[guide, method].scores
        body.append(
            [
                "8" if guide == trained else "9",
                PLMS[guide],
                PLMS[trained],
                method,
                f"{num(ours, 3)} / {num(printed)}",
                num(scores.trs.value),
                *chances(scores),
            ]
        )
    assert equal == len(means), "an average differs: say which, and why"
    differing = [
        f"{PLMS[plm]} {SHOWN[t]} ({num(exact)} exactly, {num(printed)} printed, {num(se, 1)} standard errors)"
        for plm, t, exact, printed, se in far
    ]
    random = {
        "AVG": [row("table8", plm=plm, method="Random")["AVG"] for plm in PLMS],
        "exact": [num(published.own[plm, "CRA"].scores.metric.random) for plm in PLMS],
    }
    picks = published.selections
    taken = [
        [SHOWN[t], *(SHOWN[picks[plm, m][t]] for plm in PLMS for m in METHODS)] for t in NAMES.values()
    ]  # one line for each target
    short = {"bert": "B", "tinybert": "T"}
    return page(
        "## Tables 8 and 9: the metric after the selected source",
        paragraph(
            f"""The paper prints no selections, but they can be read off: of the {len(many)} selections (two PLMs, five
            methods, twelve targets) Table 8 alone fixes {sum(o == 1 for o, _ in many)}, since several sources may give
            one metric; together with Table 9, exactly one source agrees with both cells for all of them. A check that
            was not built in: where a method's similarity is symmetric, going from each task to its most similar one
            cannot run round more than two; none of the {sum(m in SYMMETRIC for _, m in cycles)} symmetric rows does
            (longest: {symmetric}). Every cell of these two tables is thus a cell of Table 6 or 7, and the full tables
            at the end of this page repeat them. What remains to be compared is the average and the random row."""
        ),
        paragraph(
            f"""**AVG** (recomputed / printed): {equal} of {len(means)} are equal to within half of the last printed
            digit. The paper gives no TRS for Table 9; it follows from the selections."""
        ),
        table(["table", "selected with", "trained", "method", "AVG", "TRS", *TWO_P], body),
        paragraph(
            f"""**Random**: the exact expectation is the mean over the eleven sources. The paper averages {DRAWS:,}
            draws; {len(far)} of its {len(apart)} cells are more than three standard errors of such an average away,
            rounding allowed for: {listed(differing)}. Its AVG is {" / ".join(random["AVG"])} (BERT / TinyBERT), exactly
            {" / ".join(random["exact"])}. Table 9 repeats the random rows of Table 8."""
        ),
        paragraph("**The selections** (B: BERT, T: TinyBERT):"),
        table(["target", *(f"{short[plm]} {m}" for plm in PLMS for m in METHODS)], taken),
        paragraph(combined(published)),
    )


def combined(published: Published) -> str:
    """Say which selections of CRA+CNM are neither member's."""
    sentences = []
    for plm in PLMS:
        cra, cnm, both = (published.selections[plm, m] for m in ("CRA", "CNM", "CRA+CNM"))
        own = [SHOWN[t] for t in both if both[t] not in (cra[t], cnm[t])]
        same = {m: sum(p[t] == both[t] for t in both) for m, p in (("CRA", cra), ("CNM", cnm))}
        sentences.append(
            f"on {PLMS[plm]} CRA+CNM takes CRA's source for {same['CRA']} targets and CNM's for {same['CNM']}; "
            + (f"for {listed(own)} it takes neither's, as an average of scores may" if own else "never a third one")
        )
    return f"{'; '.join(sentences)}.".replace("on BERT", "On BERT", 1)


def section_3(published: Published) -> str:
    """Write Table 3's chance level and what the other PLM's oracle would give."""
    body, below, above, n = [], [], [], 0
    for guide, target in (("tinybert", "bert"), ("bert", "tinybert")):
        scores = published.guesses[target]["other PLM's oracle"].scores
        for k, level in scores.top_k.share.items():
            random = scores.top_k.chance[k]
            printed = {
                m: float(row("table3", method=m, guide=guide, target_plm=target, k=k)["probability"])
                for m in ("CRA", "CNM", "AHP")
            }
            below += [m for m, value in printed.items() if value < random]
            above += [m for m, value in printed.items() if value >= level]
            n += len(printed)
            body.append(
                [
                    f"{PLMS[guide]} to {PLMS[target]}",
                    k,
                    *(share(value, 2) for value in printed.values()),
                    share(random),
                    share(chance_sd(published, target, int(k))),
                    share(level),
                ]
            )
    assert n == len(rows("table3"))
    return page(
        "## Table 3: the level of chance, and of the other PLM's oracle",
        paragraph(
            """Table 3 gives the probability that the k sources which one PLM predicts are among the six best of the
            other. It cannot be recomputed, as it needs whole rankings. Two levels to read it by can: random rankings,
            which reach six of eleven in the mean (less on BERT, where ties leave a target with fewer than six such
            sources), and the ranking by the other PLM's own oracle: what one would know after all transfers with that
            PLM."""
        ),
        table(["selected with", "k", "CRA", "CNM", "AHP", "chance", "sd of chance", "other PLM's oracle"], body),
        paragraph(
            f"""{len(below)} of the {n} printed cells are below chance: {listed(counted(below))}. {len(above)} reach
            the level of the other PLM's oracle: {listed(counted(above))}."""
        ),
    )


def counted(names: list[str]) -> list[str]:
    """Return each name with how often it stands there."""
    return [f"{names.count(name)} of {name}" for name in dict.fromkeys(names)]


def chance_sd(published: Published, plm: str, k: int) -> float:
    """Return the standard deviation of top-k in top-6 over random rankings: hypergeometric for each target."""
    true = true_ranking(published.oracles[plm])
    n, top = true.candidates.sum(axis=0), (true.candidates & (true.ranks <= 6)).sum(axis=0)  # (t,)
    variance = k * (top / n) * (1 - top / n) * (n - k) / (n - 1)  # of the number among the top
    return float(np.sqrt(variance.sum()) / k / len(n))


def full_tables(published: Published) -> str:
    """Write each cell of Tables 8 and 9 beside the printed one."""
    blocks = ["## Tables 8 and 9 in full", paragraph("Recomputed / printed; for Random, the exact mean / printed.")]
    random = {(plm, t): (exact, printed) for plm, t, exact, printed, _ in random_cells(published)}
    for number, printed_row in (("8", table_8), ("9", table_9)):
        for guide in PLMS:
            trained = guide if number == "8" else OTHER[guide]
            oracle = published.oracles[trained].transfers
            body = []
            for j, target in enumerate(oracle.targets):
                line = [SHOWN[target]]
                for method in METHODS:
                    source = published.selections[guide, method][target]
                    ours = oracle.values[oracle.sources.index(source), j]
                    line.append(f"{num(ours)} / {num(float(printed_row(guide, method)[SHOWN[target]]))}")
                body.append([*line, " / ".join(num(v) for v in random[trained, target])])
            means = {m: (ours, p) for g, t, m, ours, p in averages(published) if (g, t) == (guide, trained)}
            line = [" / ".join(num(v) for v in means[m]) for m in METHODS]
            mean = published.own[trained, "CRA"].scores.metric.random
            body.append(["AVG", *line, f"{num(mean)} / {printed_row(guide, 'Random')['AVG']}"])
            title = f"### Table {number}: selected with {PLMS[guide]}, trained {PLMS[trained]}"
            blocks += [title, table(["target", *METHODS, "Random"], body)]
    return page(*blocks)
