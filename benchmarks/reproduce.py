"""Write docs/reproduction.md: the paper's tables recomputed, beside what is printed. `make reproduce`."""

import argparse
from pathlib import Path

from reproduction.findings import noise, section_agreement, section_baselines, section_best_of_nine, section_noise
from reproduction.markdown import bullets, chance, listed, num, page, paragraph, relabelled, share
from reproduction.published import FREE, METHODS, NAMES, PLMS, SHOWN, TIE, Published
from reproduction.released import section_released
from reproduction.significance import (
    better_than_chance,
    compare_methods,
    compare_with,
    no_longer_better,
    section_comparisons,
)
from reproduction.tables import (
    BY_RANKS,
    DIFFERS,
    EQUAL,
    full_tables,
    section_1,
    section_3,
    section_8_9,
    table_1,
)

from cogbench.scoring.paired import LEVEL
from cogbench.storage.atomic import writable

PAGE = Path(__file__).parents[1] / "docs" / "reproduction.md"


def reproduction(published: Published) -> str:
    """Return the whole page."""
    return (
        page(
            "# The paper's tables, recomputed",
            "<!-- Written by `make reproduce`; change benchmarks/reproduction/ instead. -->",
            paragraph(
                """Luo, Xu & Xiong (2022), CogTaskonomy, ACL. Everything here follows from what the paper prints: the
                transfers of its Tables 6 and 7, and the selections that its Tables 8 and 9 imply. No model is trained,
                nothing is downloaded, and no similarity of the paper is recomputed. Scores are those of
                `cogbench.score`; the printed figures stand in `benchmarks/paper/`. All p-values and intervals are those
                of two oracles of one training each, whose own noise is in none of them."""
            ),
            summary(published),
            section_1(published),
            section_comparisons(published),
            section_8_9(published),
            section_3(published),
            section_baselines(published),
            section_agreement(published),
            section_noise(published),
            section_best_of_nine(published),
            section_released(published),
            full_tables(published),
        )
        + "\n"
    )


def summary(published: Published) -> str:
    """Say in a few lines what came out."""
    cells = table_1(published)
    by_verdict = {
        verdict: [f"{PLMS[c.plm]} {c.method}" for c in cells if c.verdict == verdict]
        for verdict in (EQUAL, BY_RANKS, DIFFERS)
    }
    scores = {plm: {m: published.own[plm, m].scores for m in METHODS} for plm in PLMS}
    better = [f"{m} on {name}" for plm, name in PLMS.items() for m in better_than_chance(published, plm)]
    corrected = [m for plm in PLMS for m in better_than_chance(published, plm, corrected=True)]
    lost = [f"{m} on {name}" for plm, name in PLMS.items() for m in no_longer_better(published, plm)]
    pairs = [c for plm in PLMS for c in (*compare_methods(published, plm), *compare_with(published, plm, "size"))]
    apart = [c for c in pairs if c.corrected_p <= LEVEL]
    assert not apart and not corrected, "say which methods are better than chance, and which are told apart"
    size, other = (
        {plm: g[name].scores for plm, g in published.guesses.items()} for name in ("size", "other PLM's oracle")
    )
    worse = {plm: sum(s[m].trs.value > size[plm].trs.value + TIE for m in FREE) for plm, s in scores.items()}
    skill = other["bert"].skill
    assert skill and skill.rho is not None and skill.p
    mean = {plm: (s["CRA"].metric.no_transfer or 0.0, s["CRA"].metric.best) for plm, s in scores.items()}
    loud = [f"{PLMS[f.plm]} {SHOWN[f.target]}" for f in noise(published) if f.error > f.spread]
    return bullets(
        [
            f"Table 1: {len(by_verdict[EQUAL])} of {len(cells)} cells are equal; {listed(by_verdict[BY_RANKS])} only "
            f"by the paper's own ranks; {listed(by_verdict[DIFFERS])} cannot be had from the paper's tables.",
            f"Tables 8 and 9: exactly one source agrees with all cells, for {len(cells) * len(NAMES)} selections; the "
            "averages are equal; the random row is not quite the expectation.",
            f"Of the {len(FREE)} methods without transfers, {listed(better)} have p of at most .05 by relabelling, "
            "before the number of methods and the choice among variants are counted; after Holm's correction for the "
            "methods of a PLM none has."
            + (f" By independent choices {listed(lost)} would be better than chance too." if lost else ""),
            "No two methods without transfers are told apart on either PLM. To take the source with most training "
            f"examples has a lower TRS than {worse['bert']} of them on BERT ({num(size['bert'].trs.value)}) and than "
            f"{worse['tinybert']} on TinyBERT ({num(size['tinybert'].trs.value)}), and is told apart from none.",
            "To select sources by the other PLM's oracle is not shown to be better than chance: TRS "
            f"{num(other['bert'].trs.value)} on BERT (p {chance(relabelled(other['bert']).p, sign=True)}) and "
            f"{num(other['tinybert'].trs.value)} on TinyBERT (p {chance(relabelled(other['tinybert']).p, sign=True)}), "
            f"where chance has {num(other['bert'].trs.chance)}. Over all pairs of tasks, beyond the effects of sources "
            f"and of targets, the two oracles agree somewhat: their rank correlation is {share(skill.rho, 2)} (p "
            f"{chance(skill.p.p, sign=True)}).",
            f"On TinyBERT no transfer ({num(mean['tinybert'][0])} in the mean) beats each target's best source "
            f"({num(mean['tinybert'][1])}); on BERT it is {num(mean['bert'][0])} and {num(mean['bert'][1])}.",
            f"The evaluation's standard error exceeds the spread of the sources for {listed(loud)}.",
        ]
    )


def main() -> None:
    """Write the page, or compare it with the one that is there."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="Write nothing; fail if the page is not current.")
    args = options.parse_args()
    if not args.check:
        writable(PAGE.parent)
    text = reproduction(Published.load())
    if args.check:
        if not PAGE.is_file() or PAGE.read_text() != text:
            raise SystemExit(f"{PAGE.name} is not what the command makes: run make reproduce.")
        print(f"{PAGE.name} is current.")
        return
    PAGE.write_text(text)
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
