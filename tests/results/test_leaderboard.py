"""Leaderboards: one table for what may be compared, standings that paired tests can tell, each result once."""

import csv
import gc
import io
import json
from dataclasses import replace
from itertools import permutations
from typing import get_args

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from made_results import TRUE, made, recorded
from scipy.stats import permutation_test

from cogbench import MissingData, TaskMatrix, UnknownName, load_parts, rank
from cogbench.parts.oracle_names import find_oracle
from cogbench.results.leaderboard import Standing, leaderboard, read_result_files, read_results, score_names
from cogbench.results.result import SCHEMA_VERSION, rows
from cogbench.scoring.chance import relabelled_p, relabelled_totals, relabellings
from cogbench.scoring.ranking import picked_ranks, true_ranking
from cogbench.views.card import render_results
from cogbench.views.leaderboard import board_columns, board_notes, board_tables

RANDOM = np.random.default_rng(1).random((6, 4, 4))
SEVEN = tuple("abcdefg")
OF_SEVEN = np.random.default_rng(0).normal(size=(7, 7))
STANDINGS = get_args(Standing)


def guesses():
    """A board of four tasks: too few for any estimator to be better than chance, once corrected for eight."""
    worst = made(-TRUE, estimator="worst")
    return [made(m, estimator=f"e{i}") for i, m in enumerate(RANDOM)] + [worst, made(TRUE, estimator="perfect")]


def of_seven(values, estimator, **more):
    return made(values, estimator=estimator, tasks=SEVEN, true=OF_SEVEN, data=False, **more)


@pytest.fixture(scope="module")
def graded():
    """Results of seven tasks from perfect to worst, by how much noise lies over the truth."""
    noise = np.random.default_rng(1).normal(size=(7, 7))
    return [
        of_seven(OF_SEVEN, "perfect"),
        of_seven(OF_SEVEN + 0.3 * noise, "good"),
        of_seven(OF_SEVEN + 3 * noise, "fair"),
        of_seven(-OF_SEVEN, "worst"),
    ]


def standings(board):
    return {e.estimator: (e.standing, e.first_p, e.scores.get("corrected p")) for e in board.entries}


def names(board, kind="result"):
    return [e.estimator for e in board.entries if e.kind == kind]


def test_rows_are_sorted_by_the_score_asked_for_best_first(graded):
    results = guesses()
    (by_trs,), (by_rho,), (by_regret,) = (leaderboard(results, sort) for sort in ("trs", "spearman", "regret@1"))
    assert names(by_trs)[0] == names(by_rho)[0] == names(by_regret)[0] == "perfect"
    for board, score, sign in ((by_trs, "trs", 1), (by_rho, "spearman", -1), (by_regret, "regret@1", 1)):
        values = [sign * e.scores[score] for e in board.entries if e.kind == "result"]
        assert values == sorted(values)
    (by_p,), (by_skill,) = leaderboard(graded, "p"), leaderboard(graded, "skill")
    assert standings(by_p) == standings(by_skill), "the standing is by TRS, whatever the rows are sorted by"
    with pytest.raises(UnknownName, match="unknown score 'tsr'; did you mean 'trs'"):
        leaderboard(results, "tsr")


def test_the_order_of_the_files_does_not_matter():
    results = guesses()
    assert leaderboard(results) == leaderboard(results[::-1])


def test_standings_are_those_of_paired_tests_by_brute_force(graded):
    (board,) = leaderboard(graded)
    true = rank(TaskMatrix.square(SEVEN, OF_SEVEN)).ranks
    orders = np.array([*permutations(range(7))])
    off, columns = ~np.eye(7, dtype=bool), np.arange(7)

    def true_ranks(similarity, order=columns):
        renamed = np.where(off, np.array(similarity, float)[np.ix_(order, order)], -np.inf)
        return true[renamed.argmax(axis=0), columns]

    first, *others = (np.array(r.similarity, float) for r in graded)
    p_values = []
    for other in others:
        gap = true_ranks(other) - true_ranks(first)
        flips = permutation_test((gap,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
        gaps = np.array([(true_ranks(other, order) - true_ranks(first, order)).sum() for order in orders])
        p_values.append(max(flips, (np.abs(gaps) >= abs(gap.sum()) - 1e-9).mean()))
    smallest, middle, largest = np.sort(p_values)
    corrected = np.maximum.accumulate([min(1, 3 * smallest), min(1, 2 * middle), min(1, largest)])
    expected = dict(zip(("good", "fair", "worst"), corrected[np.argsort(np.argsort(p_values))], strict=True))
    entries = {e.estimator: e for e in board.entries if e.kind == "result"}
    assert entries["perfect"].standing == "first" and entries["perfect"].first_p is None
    assert {name: entries[name].first_p for name in expected} == pytest.approx(expected)
    for name, p in expected.items():
        assert entries[name].standing == ("worse than the first" if p <= 0.05 else "not told from the first")
    assert {e.standing for e in entries.values()} == {"first", "worse than the first", "not told from the first"}


def test_p_values_are_corrected_for_the_number_of_estimators_by_holms_method(graded):
    (board,) = leaderboard(graded)
    p_values = {r.estimator: r.scores.trs.p.p for r in graded}
    ascending = sorted(p_values, key=lambda name: p_values[name])
    largest = 0.0
    for tested, name in enumerate(ascending):
        largest = max(largest, min(1.0, (4 - tested) * p_values[name]))
        assert standings(board)[name][2] == pytest.approx(largest)
    assert board.tries == 4 and "number of estimators (4 in table 1)" in " ".join(board_notes([board]))


def test_only_an_estimator_better_than_chance_after_the_correction_is_first(graded):
    lucky = of_seven(OF_SEVEN + np.random.default_rng(1).normal(size=(7, 7)), "lucky")
    (alone,), (among,) = leaderboard([lucky]), leaderboard([lucky, *graded[2:]])
    assert alone.entries[0].standing == "first" and 0.02 < alone.entries[0].scores["p"] < 0.05
    assert among.entries[0].estimator == "lucky" and among.entries[0].scores["corrected p"] > 0.05
    assert {e.standing for e in among.entries} == {None}
    assert "table 1: the estimator of the lowest TRS is not told from chance, so none is first" in board_notes([among])
    assert not any("none is first" in note for note in board_notes([alone]))


def test_a_board_at_chance_has_no_first():
    (board,) = leaderboard(guesses())
    assert {e.standing for e in board.entries} == {None} and board.tries == 8
    assert "table 1: the estimator of the lowest TRS is not told from chance, so none is first" in board_notes([board])


def test_a_single_estimator_better_than_chance_is_first_and_there_is_no_difference_to_see(graded):
    (board,) = leaderboard(graded[:1])
    assert names(board) == ["perfect"] and board.entries[0].standing == "first"
    assert board.detectable is None and not any("80 % power" in note for note in board_notes([board]))


def test_the_difference_that_would_be_seen_is_in_the_notes(graded):
    (board,) = leaderboard(graded)
    errors = []
    first = np.array([score.rank for score in graded[0].scores.per_target.values()])
    for result in graded[1:]:
        gap = np.array([score.rank for score in result.scores.per_target.values()]) - first
        errors.append(gap.std(ddof=1) / np.sqrt(7))
    assert board.detectable == pytest.approx((1.959964 + 0.841621) * np.median(errors), rel=1e-5)
    assert f"is seen with 80 % power from {board.detectable:.2f} in table 1 on" in board_notes([board])[0]


def test_one_target_has_no_difference_that_would_be_seen():
    def of_one(result):
        column = [row[:1] for row in result.similarity]
        scores = replace(result.scores, per_target={"p": result.scores.per_target["p"]})
        ranks = {"p": result.oracle_ranks["p"]}
        return replace(result, targets=["p"], similarity=column, by_seed=[column], oracle_ranks=ranks, scores=scores)

    (board,) = leaderboard([of_one(made()), of_one(made(-TRUE, estimator="worst"))])
    assert board.detectable is None


def test_estimators_without_skill_are_hardly_ever_parted():
    """Sixty boards of nineteen random guesses: at most one in twenty has a first, and fewer one that is worse."""
    oracle = find_oracle(load_parts(), "cogtaskonomy-bert")
    true, rng = true_ranking(oracle), np.random.default_rng(0)
    relabelled = relabellings(oracle.transfers)
    like = made(oracle.transfers.values, tasks=true.sources, true=oracle.transfers.values, data=False)

    def random_guess(name):
        guess = TaskMatrix.square(true.sources, rng.random((12, 12)))
        total = picked_ranks(rank(guess), true).sum()
        p = relabelled_p(relabelled_totals(guess, true, relabelled), total, relabelled)
        scores = replace(like.scores, trs=replace(like.scores.trs, value=total / 12, p=p))  # what a standing hangs on
        return replace(like, estimator=name, similarity=rows(guess.values), scores=scores)

    boards = [leaderboard([random_guess(f"e{i}") for i in range(19)])[0] for _ in range(60)]
    having = {standing: sum(standing in {e.standing for e in b.entries} for b in boards) for standing in STANDINGS}
    assert having["first"] / 60 < 0.1 and having["worse than the first"] / 60 < 0.075


def test_a_perfect_guess_among_random_ones_is_first_and_they_are_worse():
    oracle = find_oracle(load_parts(), "cogtaskonomy-bert")
    tasks, rng = oracle.transfers.sources, np.random.default_rng(0)
    values = [oracle.transfers.values, *rng.random((6, 12, 12))]
    results = [made(v, tasks=tasks, true=values[0], estimator=f"e{i}", data=False) for i, v in enumerate(values)]
    (board,) = leaderboard(results)
    standing = {e.estimator: e.standing for e in board.entries if e.kind == "result"}
    assert standing.pop("e0") == "first" and {*standing.values()} == {"worse than the first"}


def test_baselines_are_rows_without_a_standing(graded):
    (board,) = leaderboard(graded)
    baselines = {e.estimator: e for e in board.entries if e.kind == "baseline"}
    assert set(baselines) == {"random", "popularity"} and all(e.standing is None for e in baselines.values())
    assert baselines["random"].scores["trs"] == 3.5 and baselines["popularity"].uses_oracle
    ((_, shown),) = board_tables([board]).items()
    assert {"random (baseline)", "popularity† (baseline)"} <= {row["estimator"] for row in shown}


def test_a_baseline_that_was_run_has_one_row():
    (board,) = leaderboard([*guesses(), made(TRUE, estimator="popularity", uses_oracle=True)])
    assert names(board, "baseline") == ["random"] and names(board).count("popularity") == 1


def test_a_result_that_prefers_no_source_is_a_baseline(graded):
    (before,) = leaderboard(graded)
    (board,) = leaderboard([*graded, of_seven(np.zeros((7, 7)), "random")])
    assert sorted(names(board, "baseline")) == ["popularity", "random"] and "random" not in names(board)
    (random,) = [e for e in board.entries if e.estimator == "random"]
    assert (random.standing, random.scores["trs"], random.scores["p"]) == (None, 3.5, 1)
    assert random.backbone == "bert", "it is a run, with all that is known of one"
    assert board.tries == before.tries == 4
    others = standings(before).keys() - {"random"}
    assert {name: standings(board)[name] for name in others} == {name: standings(before)[name] for name in others}


def test_a_result_that_names_one_source_and_says_nothing_of_the_others_is_no_baseline():
    selection = np.full((4, 4), np.nan)
    selection[[1, 2, 3, 0], [0, 1, 2, 3]] = 1
    (board,) = leaderboard([made(selection, estimator="one"), made(np.full((4, 4), np.nan), estimator="none")])
    assert names(board) == ["one"] and "none" in names(board, "baseline")


def test_who_knows_the_oracle_takes_nobodys_standing(graded):
    (before,) = leaderboard(graded)
    (after,) = leaderboard([*graded, *(of_seven(OF_SEVEN, e, uses_oracle=True) for e in ("ahp", "other-plm"))])
    known = [e for e in after.entries if e.kind == "result" and e.uses_oracle]
    assert len(known) == 2 and all(e.standing is None and e.scores["trs"] == 1 for e in known)
    assert all(e.scores["corrected p"] is None for e in known) and after.tries == before.tries
    others = {e.estimator for e in after.entries} - {e.estimator for e in known}
    assert {name: standings(after)[name] for name in others} == standings(before)


def test_what_a_publication_states_is_marked(graded):
    (board,) = leaderboard([replace(graded[0], basis="published"), *graded[1:]])
    ((_, shown),) = board_tables([board]).items()
    assert [row["estimator"] for row in shown if "published" in row["estimator"]] == ["perfect (as published)"]
    assert board.entries[0].standing == "first", "it stands beside the others"


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
        ({"schema_version": SCHEMA_VERSION - 1}, "scores of an older schema instead of today's schema"),
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
        bare, similarity = made(oracle=None), [[1.0, 2.0], [2.0, 1.0]]
        return replace(bare, estimator=sources[0], sources=sources, targets=targets, similarity=similarity)

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
    assert board.oracle is None and board.entries[0].standing is None and board.tries == 0
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
    assert (
        "regret@1" in found.stdout
        and "p-values are corrected for the number of estimators (8 in table 1; 1 in table 2)" in found.stdout
    )
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
    head = next(
        line for line in ask("leaderboard", tmp_path, "--format", form).stdout.splitlines() if "estimator" in line
    )
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


def test_trainings_of_an_estimator_count_beside_those_of_the_tasks():
    plain = made()
    costly = replace(plain, details=[{"cost": {"trainings": 264, "seconds": 9.5}}])
    odd = replace(plain, details=[{"cost": "dear"}, {"cost": {"trainings": "many"}}])
    (of_tasks, with_own, without) = (
        next(e.trainings for board in leaderboard([r]) for e in board.entries if e.kind == "result")
        for r in (plain, costly, odd)
    )
    assert with_own == of_tasks + 264 and without == of_tasks


def test_the_command_pauses_the_garbage_collector_and_starts_it_again(tmp_path, monkeypatch):
    states = []
    monkeypatch.setattr(
        "cogbench.results.leaderboard.read_result_files",
        lambda places: (states.append(gc.isenabled()), read_result_files(places))[1],
    )
    made().save(tmp_path)
    assert ask("leaderboard", tmp_path).exit_code == 0 and ask("leaderboard", tmp_path / "none").exit_code
    assert states == [False, False] and gc.isenabled()
