"""Leaderboards: one table for what may be compared, places that the oracle can tell apart, each result once."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from made_results import TRUE, made, recorded

from cogbench import MissingData, UnknownName
from cogbench.results.leaderboard import leaderboard, read_result_files, read_results, score_names
from cogbench.views.card import render_results
from cogbench.views.leaderboard import board_columns, board_notes, board_tables

RANDOM = np.random.default_rng(1).random((6, 4, 4))


def guesses():
    worst = made(-TRUE, estimator="worst")
    return [made(m, estimator=f"e{i}") for i, m in enumerate(RANDOM)] + [worst, made(TRUE, estimator="perfect")]


def names(board, kind="result"):
    return [e.estimator for e in board.entries if e.kind == kind]


def test_rows_are_sorted_by_the_score_asked_for_best_first():
    results = guesses()
    (by_trs,), (by_rho,), (by_regret,) = (leaderboard(results, sort) for sort in ("trs", "spearman", "regret@1"))
    assert names(by_trs)[0] == names(by_rho)[0] == names(by_regret)[0] == "perfect"
    for board, score, sign in ((by_trs, "trs", 1), (by_rho, "spearman", -1), (by_regret, "regret@1", 1)):
        values = [sign * e.scores[score] for e in board.entries if e.kind == "result"]
        assert values == sorted(values)
    assert {e.estimator: e.place for e in by_trs.entries} == {e.estimator: e.place for e in by_rho.entries}
    with pytest.raises(UnknownName, match="unknown score 'tsr'; did you mean 'trs'"):
        leaderboard(results, "tsr")


def test_the_order_of_the_files_does_not_matter():
    results = guesses()
    assert leaderboard(results) == leaderboard(results[::-1])


def test_rows_that_the_oracle_cannot_tell_apart_share_a_place():
    (board,) = leaderboard(guesses())
    rows = [(e.scores["trs"], e.place) for e in board.entries if e.kind == "result"]
    first, place = rows[0]
    assert place == 1
    for i, (trs, found) in enumerate(rows, 1):
        if trs - first >= board.resolution - 1e-9:
            first, place = trs, i
        assert found == place
    assert {place for _, place in rows} != {1}, "the example should have two places"
    assert f"{board.resolution:.2f} in table 1" in board_notes([board])[0]


def test_baselines_are_rows_without_a_place():
    (board,) = leaderboard(guesses())
    baselines = {e.estimator: e for e in board.entries if e.kind == "baseline"}
    assert set(baselines) == {"random", "popularity"} and all(e.place is None for e in baselines.values())
    assert baselines["random"].scores["trs"] == 2 and baselines["popularity"].uses_oracle
    (rows,) = board_tables([board]).values()
    assert {"random (baseline)", "popularity† (baseline)"} <= {row["estimator"] for row in rows}


def test_a_baseline_that_was_run_has_one_row():
    (board,) = leaderboard([*guesses(), made(TRUE, estimator="popularity", uses_oracle=True)])
    assert names(board, "baseline") == ["random"] and names(board).count("popularity") == 1
    (board,) = leaderboard([*guesses(), made(estimator="random")])
    assert names(board, "baseline") == ["popularity"]
    assert "random is one draw; the mean of all draws has TRS 2.00 in table 1" in board_notes([board])


def test_who_knows_the_oracle_takes_nobodys_place():
    (before,) = leaderboard(guesses())
    (after,) = leaderboard([*guesses(), *(made(TRUE, estimator=e, uses_oracle=True) for e in ("ahp", "other-plm"))])
    known = [e for e in after.entries if e.kind == "result" and e.uses_oracle]
    assert len(known) == 2 and all(e.place is None and not e.tied and e.scores["trs"] == 1 for e in known)
    assert {e.estimator: (e.place, e.tied) for e in before.entries} == {
        e.estimator: (e.place, e.tied) for e in after.entries if e not in known
    }


def test_estimators_that_used_the_oracle_are_marked():
    (board,) = leaderboard([*guesses(), made(TRUE, estimator="ahp", uses_oracle=True)])
    (rows,) = board_tables([board]).values()
    assert "ahp†" in {row["estimator"] for row in rows} and "perfect" in {row["estimator"] for row in rows}
    assert any(note.startswith("†") for note in board_notes([board]))


@pytest.mark.parametrize(
    "other, says",
    [
        ({"suite": "words"}, "suite words instead of letters"),
        ({"oracle": "mine"}, "oracle mine instead of true"),
        ({"oracle": None}, "oracle none instead of true"),
        ({"true": TRUE.T}, "an oracle of the same name with other transfers"),
        ({"hashes": "0923"}, "data of q (99999999 instead of 11111111)"),
        ({"hashes": "012"}, "data of s (unknown instead of 33333333)"),
        ({"schema_version": 0}, "schema version 0 instead of 2"),
        ({"similarity": TRUE[:3, :3], "true": TRUE[:3, :3], "tasks": ("p", "q", "z")}, "without r, s, with z"),
    ],
)
def test_what_may_not_be_compared_stands_in_another_table_that_says_why(other, says):
    first, second = leaderboard([*guesses(), made(**{"estimator": "odd", **other})])
    assert names(second) == ["odd"] and "odd" not in names(first) and not first.differs
    assert says in ", ".join(second.differs)
    assert says in [*board_tables([first, second])][1]


def test_sources_and_targets_are_compared_where_all_the_tasks_are_the_same():
    def half(sources, targets):
        return replace(made(oracle=None), estimator=sources[0], sources=sources, targets=targets)

    first, second = leaderboard([half(["p", "q"], ["r", "s"]), half(["r", "s"], ["p", "q"])])
    assert second.differs == ("sources r, s instead of p, q", "targets p, q instead of r, s")


def test_a_signal_of_the_same_name_with_other_recordings_has_a_table_of_its_own():
    old = [made(m, estimator=f"e{i}", signal_quality=recorded("a")) for i, m in enumerate(RANDOM)]
    new = [made(estimator=e, signal_quality=recorded("b")) for e in ("cra", "cnm")]
    other = made(estimator="other", signal="voxels", signal_quality=recorded("c"))
    first, second = leaderboard([*old, *new, other, made(estimator="none", signal=None)])
    assert names(second) == ["cnm", "cra"] and {"other", "none"} <= {*names(first)}
    assert second.differs == ("signal words (bbbbbbbb instead of aaaaaaaa)",)


def test_tables_of_one_heading_are_told_apart_from_each_other():
    words = [made(estimator=e, suite="words", hashes=h) for e, h in (("x", "0123"), ("y", "0123"), ("z", "0923"))]
    first, second, third = leaderboard([*guesses(), *words])
    assert second.unlike == 1 and second.differs == ("suite words instead of letters",)
    assert third.unlike == 2 and third.differs == ("data of q (99999999 instead of 11111111)",)
    assert "unlike table 2: data of q" in [*board_tables([first, second, third])][2]


def test_a_result_that_looked_at_no_data_stands_beside_those_that_did():
    (board,) = leaderboard([*guesses(), made(estimator="blind", data=False)])
    assert "blind" in names(board) and len(board.data) == 4


def test_unscored_results_have_a_table_too():
    (board,) = leaderboard([made(oracle=None)])
    assert board.oracle is None and board.entries[0].place is None
    ((title, rows),) = board_tables([board]).items()
    assert "not scored" in title and "trs" not in rows[0] and board_notes([board]) == []


def test_tasks_learned_and_what_is_synthetic():
    (board,) = leaderboard([made(synthetic=["signal"]), made(estimator="dse")])
    (rows,) = board_tables([board]).values()
    by_name = {row["estimator"]: row for row in rows}
    assert by_name["cra"]["learned"] == "3/4"
    assert by_name["cra"]["synthetic"] == "signal" and by_name["dse"]["synthetic"] == ""


def test_a_result_in_two_folders_counts_once_and_what_is_none_is_named(tmp_path):
    for folder in ("a", "a/deeper", "b"):
        made().save(tmp_path / folder)
    made(estimator="dse").save(tmp_path / "b")
    (tmp_path / "b" / "x.json").write_text("[]")
    results, skipped = read_result_files([tmp_path / "a", tmp_path / "b"])
    assert sorted(r.estimator for r in results) == ["cra", "dse"]
    assert len(skipped) == 3 and sum("is the same result as" in s for s in skipped) == 2
    assert any("x.json' is no result of cogbench" in s for s in skipped)
    with pytest.raises(MissingData, match="no result in .* \\(1 other files\\)"):
        read_results(tmp_path / "b" / "x.json")
    assert [r.estimator for r in read_results(str(tmp_path / "a"))] == ["cra"]


def test_results_of_another_kind_of_transfer_stand_in_a_table_of_their_own():
    first, second = leaderboard([*guesses(), replace(made(estimator="odd"), tuning="lora")])
    assert names(second) == ["odd"] and second.tuning == "lora"
    assert "tuning lora instead of full" in second.differs


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for result in [*guesses(), made(estimator="odd", suite="words")]:
        result.save(tmp_path / "results")
    (tmp_path / "results" / "x.json").write_text("{}")
    found = ask("leaderboard")
    assert found.exit_code == 0 and "left out: 'results/x.json'" in found.stderr and "x.json" not in found.stdout
    assert "2. suite words, 4 tasks, oracle true; unlike table 1: suite words instead of letters" in found.stdout
    assert "regret@1" in found.stdout and "places go by TRS" in found.stdout
    first, second = json.loads(ask("leaderboard", "results", "--format", "json").stdout)
    assert len(first["entries"]) == 10 and second["differs"] == ["suite words instead of letters"]
    rows = list(csv.DictReader(io.StringIO(ask("leaderboard", "results", "--format", "csv").stdout)))
    assert len(rows) == 13 and {row["table"][:2] for row in rows} == {"1.", "2."}
    assert "| perfect" in ask("leaderboard", "--format", "markdown", "--sort", "ndcg").stdout
    assert "\\toprule" in ask("leaderboard", "--format", "latex").stdout


def test_names_are_text_in_markdown_too(tmp_path):
    made(estimator="<script>", backbone="a|b", suite="p & <b>").save(tmp_path)
    text = ask("leaderboard", tmp_path, "--format", "markdown").stdout
    assert "<" not in text and "&lt;script>" in text and "suite p &amp; &lt;b>" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert "a\\|b" in rows[2] and len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert "&lt;script>" in render_results([made(estimator="<script>")], "markdown")


@pytest.mark.parametrize("form", ["markdown", "latex"])
def test_a_table_for_a_paper_has_no_empty_columns(tmp_path, form):
    made(signal=None, data=False).save(tmp_path)
    head = next(line for line in ask("leaderboard", tmp_path, "--format", form).stdout.splitlines() if "place" in line)
    assert "trainings" in head and not {"signal", "examples"} & {*head.replace("&", " ").split()}
    assert "signal,trs" in ask("leaderboard", tmp_path, "--format", "csv").stdout, "machines want them all"


def test_bad_input_gets_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no folder or result file 'results'" in line(ask("leaderboard"), 3)
    (tmp_path / "results").mkdir()
    assert "no result in results; `cogbench run` writes them" in line(ask("leaderboard"), 3)
    made().save(tmp_path / "results")
    assert "unknown score 'trss'; did you mean 'trs'" in line(ask("leaderboard", "--sort", "trss"), 2)


def test_each_score_has_a_column_in_all_formats_and_the_turns_to_be_left_out_differ():
    (board,) = leaderboard([made(), made(-TRUE, estimator="worst", synthetic=("tasks",))])
    columns = {column.name: column for column in board_columns(board)}
    assert {*score_names(board)} < {*columns} and "synthetic" in columns
    ((_, rows),) = board_tables([board]).items()
    assert list(columns) == list(rows[0])
    turns = [column.spare for column in columns.values() if column.spare]
    assert len({*turns}) == len(turns)
    (unscored,) = leaderboard([made(oracle=None)])
    assert not {"trs", "interval", "p", "synthetic"} & {column.name for column in board_columns(unscored)}
