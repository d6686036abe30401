"""The paper's own rows stand as published results on the boards of its two oracles."""

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from cogbench import Result, leaderboard, read_results
from cogbench.results.published import published_result
from cogbench.results.result import SCHEMA_VERSION
from cogbench.views.leaderboard import board_notes, board_tables

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import published_rows
from reproduction.published import METHODS, PLMS, Published

BASELINES = {"popularity", "size", "other-plm", "random"}


@pytest.fixture(scope="module")
def paper():
    return Published.load()


@pytest.fixture(scope="module")
def shipped():
    """The shipped results of the paper's two oracles, by PLM and estimator."""
    results = read_results(published_rows.RESULTS)
    return {(r.backbone, r.estimator): r for r in results if r.oracle.name == f"cogtaskonomy-{r.backbone}"}


def test_the_shipped_rows_are_those_of_the_command(paper, shipped):
    for result in published_rows.results(paper):
        stored = shipped[result.backbone, result.estimator]
        version = replace(stored.provenance, cogbench=result.provenance.cogbench)  # a new one changes no figure
        assert replace(stored, provenance=version).plain() == result.plain(), "run python benchmarks/published_rows.py"


def test_the_files_are_the_same_on_each_run(paper, tmp_path):
    first, again = (
        {path.name: path.read_bytes() for path in [r.save(tmp_path / run) for r in published_rows.results(paper)]}
        for run in ("first", "again")
    )
    assert first == again and len(first) == len(PLMS) * len(METHODS)


def test_a_row_says_where_it_is_from_and_whether_it_knows_the_oracle(shipped):
    for (_, estimator), result in shipped.items():
        if estimator in BASELINES:
            assert result.basis == "computed" and result.schema_version == SCHEMA_VERSION
        else:
            assert result.basis == "published" and result.uses_oracle == (estimator == "AHP")
            assert "ACL, Tables 8 and 9" in result.notes[0] and result.provenance.started == "2022-05-22"
    assert "Table 1 prints TRS 4.3" in shipped["bert", "CRA+CNM"].notes[-1]
    assert {estimator for _, estimator in shipped} == {*METHODS, *BASELINES}


def test_the_boards_of_the_paper(paper, shipped):
    boards = leaderboard([*shipped.values()])
    assert [board.oracle for board in boards] == ["cogtaskonomy-bert", "cogtaskonomy-tinybert"]
    for board, plm in zip(boards, PLMS, strict=True):
        entries = {entry.estimator: entry for entry in board.entries}
        for method in METHODS:
            scores = paper.own[plm, method].scores
            assert entries[method].scores["trs"] == scores.trs.value and entries[method].scores["p"] == scores.trs.p.p
            assert entries[method].kind == "result" and entries[method].seconds is None
        assert board.tries == 5 and {entry.standing for entry in board.entries} == {None}  # size, and four methods
        corrected = [entry.scores.get("corrected p") for entry in board.entries]
        assert min(p for p in corrected if p is not None) > 0.05
        assert entries["random"].kind == "baseline" and entries["random"].scores["trs"] == 6
    none_first = "table 1, 2: the estimator of the lowest TRS is not told from chance, so none is first"
    assert none_first in board_notes(boards)
    (bert, _) = board_tables(boards).values()
    assert [row["estimator"] for row in bert][:2] == ["AHP† (as published)", "CRA (as published)"]


def test_a_whole_matrix_may_be_published_too(paper):
    oracle = paper.board_oracles["bert"]
    result = published_result(oracle.transfers, oracle, estimator="transfers", origin="here")
    assert result.scores.trs.value == pytest.approx(1, abs=0.1) and not result.uses_oracle
    assert result.scores.ranking.spearman == pytest.approx(1) and len(result.ranking["cola"]) == 11
    assert datetime.fromisoformat(result.provenance.started).tzinfo is not None


def test_what_was_published_is_read_again(paper):
    result = next(published_rows.results(paper))
    assert Result.load(published_rows.RESULTS / result.file_name).ranking == result.ranking
