"""Figures of pages that stand on a board too: the board is made from docs/results, and pages are written by hand."""

import re
from pathlib import Path

import pytest

from cogbench import leaderboard, read_results, stacked_board

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MEASURED = re.search(r"^MEASURED = (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1].split(",")
NUMBERS = "No One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen Fourteen Fifteen Sixteen".split()


@pytest.fixture(scope="module")
def results():
    return read_results(DOCS / "results")


def page(name):
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def p_of(value):
    return "–" if value is None else "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


@pytest.mark.parametrize(
    ("start", "oracle"),
    [
        ("The next table is of the twelve tasks with `minilm-2l`", "cogtaskonomy-minilm-2l-max-1000"),
        ("The same with `minilm` (six layers)", "cogtaskonomy-minilm-max-1000"),
    ],
)
def test_the_rows_of_estimators_are_those_of_the_board(results, start, oracle):
    (board,) = (board for board in leaderboard(results) if board.oracle == oracle)
    entries = {entry.estimator: entry for entry in board.entries}
    text = (DOCS / "estimators.md").read_text(encoding="utf-8").partition(start)[2]
    lines = text[text.index("\n| `") :].strip().partition("\n\n")[0].splitlines()
    assert len(lines) > 20
    for line in lines:
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        entry = entries[name.split("`")[1]]
        skill = entry.scores.get("skill")
        assert cells == [
            f"{entry.forward:,}",
            f"{entry.backward:,}",
            f"{entry.seconds:.1f}",
            f"{entry.scores['trs']:.2f}",
            p_of(entry.scores["p"]),
            "–" if skill is None else f"{skill:+.2f}",
            p_of(entry.scores.get("skill p")),
        ], line


def test_what_is_said_of_all_measured_oracles_is_on_their_board(results):
    board = stacked_board([r for r in results if r.oracle.name in MEASURED])
    better = [
        (entry.estimator, p_of(entry.relative_rank), p_of(entry.corrected_p))
        for entry in board.entries
        if entry.complete and entry.corrected_p is not None and entry.corrected_p <= 0.05
    ]
    said = page("docs/oracle.md").partition("## All measured oracles together")[2]
    first = said.partition(" None is told")[0]
    number = NUMBERS[len(better)]
    assert f"**{number} estimators with results on all four are better than chance" in first
    pattern = r"`([\w-]+)` \((?:relative rank )?([.\d]+), (?:corrected p )?([.\d]+)\)"
    assert re.findall(pattern, first) == better
    assert f"Over the four, {number.lower()} estimators are better than chance" in page("README.md")
    power = re.search(r"A difference of ([\d.]+) ranks of twelve tasks .* one rank with (\d+) %", said).groups()
    assert power == (f"{10 * board.detectable:.1f}", f"{100 * board.power_for_one_rank:.0f}")
