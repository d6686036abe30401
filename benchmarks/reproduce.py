"""Write docs/reproduction.md: the paper's tables recomputed, beside what is printed. `make reproduce`."""

import argparse
from pathlib import Path

from reproduction.findings import noise, section_agreement, section_baselines, section_best_of_nine, section_noise
from reproduction.markdown import bullets, listed, num, page, paragraph
from reproduction.published import METHODS, NAMES, PLMS, SHOWN, TIE, Published
from reproduction.released import section_released
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
                `cogbench.score`; the printed figures stand in `benchmarks/paper/`."""
            ),
            summary(published),
            section_1(published),
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
    found = {
        verdict: [f"{PLMS[c.plm]} {c.method}" for c in cells if c.verdict == verdict]
        for verdict in (EQUAL, BY_RANKS, DIFFERS)
    }
    scores = {plm: {m: published.own[plm, m].scores for m in METHODS} for plm in PLMS}
    free = [m for m in METHODS if m != "AHP"]
    rare = {plm: [m for m in free if s[m].trs_p < 0.05] for plm, s in scores.items()}
    size, other = (
        {plm: g[name].scores for plm, g in published.guesses.items()} for name in ("size", "other PLM's oracle")
    )
    beaten = {plm: sum(s[m].trs > size[plm].trs + TIE for m in free) for plm, s in scores.items()}
    mean = {plm: (s["CRA"].no_transfer_mean or 0.0, s["CRA"].oracle_best_mean) for plm, s in scores.items()}
    loud = [f"{PLMS[f.plm]} {SHOWN[f.target]}" for f in noise(published) if f.error > f.spread]
    return bullets(
        [
            f"Table 1: {len(found[EQUAL])} of {len(cells)} cells are equal; {listed(found[BY_RANKS])} only by the "
            f"paper's own ranks; {listed(found[DIFFERS])} cannot be had from the paper's tables.",
            f"Tables 8 and 9: exactly one source agrees with all cells, for {len(cells) * len(NAMES)} selections; the "
            "averages are equal; the random row is not quite the expectation.",
            f"Of the {len(free)} methods without transfers, {listed(rare['bert'])} have p < .05 on BERT, and "
            f"{listed(rare['tinybert'])} on TinyBERT, before any choice among variants is counted. To take the source "
            f"with most training examples is better than {beaten['bert']} of them on BERT (TRS "
            f"{num(size['bert'].trs)}) and than {beaten['tinybert']} on TinyBERT ({num(size['tinybert'].trs)}).",
            "The oracle of one PLM says little about the other: as a guess it has TRS "
            f"{num(other['bert'].trs)} on BERT and {num(other['tinybert'].trs)} on TinyBERT, where chance has "
            f"{num(other['bert'].trs_chance)}.",
            f"On TinyBERT no transfer ({num(mean['tinybert'][0])} in the mean) beats each target's best source "
            f"({num(mean['tinybert'][1])}); on BERT it is {num(mean['bert'][0])} and {num(mean['bert'][1])}.",
            f"The evaluation's standard error exceeds the spread of the sources for {listed(loud)}.",
        ]
    )


def main() -> None:
    """Write the page, or compare it with the one that is there."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--check", action="store_true", help="Write nothing; fail if the page is not current.")
    args = asked.parse_args()
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
