"""Which methods are better than chance, and which the twelve targets tell apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from cogbench.scoring.chance import PValue, relabelled_p, relabellings
from cogbench.scoring.paired import LEVEL, PairedDifference, holm, paired_difference, score_picks
from cogbench.scoring.ranking import true_ranking

from .markdown import bullets, chance, listed, num, page, paragraph, relabelled, share, table
from .published import FREE, PLMS, Published

MANY = 600_000  # relabellings, where a p-value is near .05


def better_than_chance(published: Published, plm: str, *, corrected: bool = False) -> list[str]:
    """Return the methods without transfers whose relabelled p is at most .05, of those with equal selections the first.

    Where `corrected`, after Holm's correction for the number of these methods.
    """
    methods = published.distinct(plm)
    p_values = [sure_p(published, plm, method) for method in methods]
    return [m for m, p in zip(methods, holm(p_values) if corrected else p_values, strict=True) if p <= LEVEL]


def no_longer_better(published: Published, plm: str) -> list[str]:
    """Return the methods without transfers that are better than chance by independent choices, not by relabelling."""
    independent = {method: published.own[plm, method].scores.trs.p_independent for method in FREE}
    return [m for m, p in independent.items() if p <= LEVEL < sure_p(published, plm, m)]


def sure_p(published: Published, plm: str, method: str) -> float:
    """Return the relabelled p of a method, by many relabellings where it is too near .05 to be sure of its side."""
    p_value = relabelled(published.own[plm, method].scores)
    near = abs(p_value.p - LEVEL) < 2 * standard_error(p_value)
    return many_relabelled(published, plm, method).p if near else p_value.p


def which_are_better_than_chance(published: Published) -> str:
    """Say which methods are better than chance, and which were said to be and are not."""
    better, after_holm, lost, border = [], [], [], []
    for plm, name in PLMS.items():
        p_values = {method: relabelled(published.own[plm, method].scores) for method in FREE}
        independent = {method: published.own[plm, method].scores.trs.p_independent for method in FREE}
        better += [f"{m} on {name} ({chance(sure_p(published, plm, m))})" for m in better_than_chance(published, plm)]
        after_holm += [f"{m} on {name}" for m in better_than_chance(published, plm, corrected=True)]
        lost += [
            f"{m} on {name} ({chance(independent[m])}, {chance(sure_p(published, plm, m))} relabelled)"
            for m in no_longer_better(published, plm)
        ]
        border += [
            border_case(published, plm, m) for m, p in p_values.items() if abs(p.p - LEVEL) < 2 * standard_error(p)
        ]
    return bullets(
        [
            f"Of the {len(FREE)} methods without transfers, {listed(better)} have a p of at most .05. After Holm's "
            f"correction for the methods of a PLM, {listed(after_holm) if after_holm else 'none'} has.",
            *(
                ["By independent choices more methods would be better than chance: " + listed(lost) + "."]
                if lost
                else []
            ),
            *border,
            "AHP, which knows transfers, has p < .001 either way.",
        ]
    )


def border_case(published: Published, plm: str, method: str) -> str:
    """Say how sure a p-value near .05 is."""
    p_value, precise = relabelled(published.own[plm, method].scores), many_relabelled(published, plm, method)
    return (
        f"The p of {method} on {PLMS[plm]}, {chance(p_value.p)}, has a standard error of "
        f"{share(standard_error(p_value))}, because the relabellings are drawn; of {MANY:,} relabellings it is "
        f"{share(precise.p, 4)} with a standard error of {share(standard_error(precise), 4)}."
    )


def standard_error(p_value: PValue) -> float:
    """Return the standard error that a p-value has because relabellings are drawn."""
    return 0.0 if p_value.exact else float(np.sqrt(p_value.p * (1 - p_value.p) / p_value.draws))


@cache
def many_relabelled(published: Published, plm: str, method: str) -> PValue:
    """Return the p-value of a method by many relabellings."""
    oracle, guess = published.board_oracles[plm], published.matrix(plm, method)
    true, names = true_ranking(oracle), relabellings(guess, draws=MANY)
    picks = score_picks(guess, true, names)
    return relabelled_p(picks.totals, float(picks.ranks.sum()), names)


@dataclass(frozen=True)
class Comparison:
    """Two guesses on one PLM: the TRS of one less that of the other, and its p after Holm's correction."""

    plm: str
    one: str
    other: str
    paired: PairedDifference
    corrected_p: float

    @property
    def detectable(self) -> float:
        """The difference that the test sees with 80 % power."""
        assert self.paired.detectable is not None
        return self.paired.detectable


def compare_methods(published: Published, plm: str) -> list[Comparison]:
    """Compare each two methods without transfers; p is corrected for the number of pairs of this PLM."""
    return _compare(published, plm, [*combinations(published.distinct(plm), 2)])


def compare_with(published: Published, plm: str, baseline: str) -> list[Comparison]:
    """Compare each method without transfers with a baseline; p is corrected for the number of methods of this PLM."""
    return _compare(published, plm, [(method, baseline) for method in published.distinct(plm)])


def _compare(published: Published, plm: str, pairs: Sequence[tuple[str, str]]) -> list[Comparison]:
    oracle = published.board_oracles[plm]
    true, names = true_ranking(oracle), relabellings(oracle.transfers)
    guesses = {name for pair in pairs for name in pair}
    picks = {name: score_picks(published.matrix(plm, name), true, names) for name in guesses}
    differences = [paired_difference(picks[one], picks[other], true, names) for one, other in pairs]
    corrected = holm([difference.p for difference in differences])
    return [
        Comparison(plm, *pair, difference, p) for pair, difference, p in zip(pairs, differences, corrected, strict=True)
    ]


def section_comparisons(published: Published) -> str:
    """Write which of the methods are told apart."""
    comparisons = {plm: compare_methods(published, plm) for plm in PLMS}
    every = [c for of_plm in comparisons.values() for c in of_plm]
    body = [
        [
            PLMS[c.plm],
            f"{c.one} / {c.other}",
            num(c.paired.difference),
            f"{num(c.paired.interval[0])} to {num(c.paired.interval[1])}",
            chance(c.paired.sign_flips.p),
            chance(c.paired.relabelled.p),
            chance(c.corrected_p),
            num(c.detectable),
        ]
        for c in every
    ]
    apart = [f"{c.one} and {c.other} on {PLMS[c.plm]}" for c in every if c.corrected_p <= LEVEL]
    alone = [
        f"{c.one} and {c.other} on {PLMS[c.plm]} (p {chance(c.paired.sign_flips.p, sign=True)})"
        for c in every
        if c.paired.sign_flips.p <= LEVEL and c.paired.p > LEVEL
    ]
    ranges = [
        f"{num(min(c.detectable for c in of_plm))} to {num(max(c.detectable for c in of_plm))} ranks on {PLMS[plm]}"
        for plm, of_plm in comparisons.items()
    ]
    largest = max(every, key=lambda c: abs(c.paired.difference))
    head = ["PLM", "pair", "difference", "95 % interval", "p of sign flips", "p of relabelling", "Holm", "detectable"]
    return page(
        "## Which methods are told apart",
        paragraph(
            """The TRS of the first of two methods less that of the second, over the same twelve targets; negative where
            the first is better. *Sign flips* give each target's difference a sign at random, and take targets for
            independent, although they share sources. *Relabelling* gives both methods the same other names of tasks.
            *Holm* is the larger of the two p-values, corrected for the number of pairs on the same PLM: where it is at
            most .05, the methods are told apart. *Detectable* is the difference that a single paired test of level .05
            sees with 80 % power, at the spread of the differences of this pair. AHP is left out, for it knows
            transfers; so is BERT's CRA+CNM, whose selections are CRA's."""
        ),
        table(head, body),
        bullets(
            [
                f"Told apart after Holm's correction: {listed(apart) if apart else 'no pair'}. The largest difference, "
                f"{num(abs(largest.paired.difference))} ranks, is that of {largest.one} and {largest.other} on "
                f"{PLMS[largest.plm]}: its corrected p is {chance(largest.corrected_p)}.",
                *([f"Told apart by uncorrected sign flips alone: {listed(alone)}."] if alone else []),
                f"Detectable are {listed(ranges)}: twelve targets seldom show a smaller difference of two methods.",
            ]
        ),
    )
