"""Results and oracles of older schemas are read, scored, compared, and get further seeds and today's scores.

The files in `of_0_1_0` were written by that version, from the synthetic suite: `oracle measure` of three tasks on
minilm-2l with one epoch in single precision, and two estimators run against it. Those in `of_schema_2` stood in
`docs/results` before schema 3 came.
"""

import json
import shutil
from dataclasses import is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from cogbench_backbones.huggingface import HuggingFace
from command import cogbench as ask
from command import line

from cogbench import (
    Checkpoint,
    Oracle,
    Result,
    UnusableData,
    compare,
    leaderboard,
    load_parts,
    read_oracle,
    rescore,
    score,
)
from cogbench.cli.main import cli
from cogbench.data.oracle_files import read_card
from cogbench.parts.oracle_names import find_oracle, oracle_folder
from cogbench.results.result import SCHEMA_VERSION
from cogbench.views.card import render_card, render_results
from cogbench.views.leaderboard import board_tables, render_leaderboard
from cogbench.views.pages import board_page, report_page

FORMER = Path(__file__).parent / "of_0_1_0"
OF_SCHEMA_2 = Path(__file__).parent / "of_schema_2"
OLD = [*sorted(FORMER.glob("cra*.json")), *sorted(OF_SCHEMA_2.glob("*.json"))]
OF_SCHEMA_3 = Path(__file__).parent / "of_schema_3"
# What schema 3 computes anew; all other scores are as they were.
NEW_SCORES = {"trs.p", "trs.interval", "skill", "resampled", "per_target"}
TASKS = ("mini-rte", "mini-cola", "mini-sst-2")
SET = ("minilm-2l.epochs=1", "minilm-2l.min_steps=0", "minilm-2l.precision=fp32")
MEASURE = (
    *(
        "oracle",
        "measure",
        "--backbone",
        "minilm-2l",
        "--suite",
        "mini",
        "--tasks",
        ",".join(TASKS),
        "--max-train",
        "8",
    ),
    *("--seeds", "1", "--jobs", "0", "--offline", "--name", "tiny"),
    *(word for setting in SET for word in ("--set", setting)),
)


def kept_scores(result):
    """Return the scores that schema 3 did not change, and the true rank of each target's choice."""
    groups = {name: value for name, value in vars(result.scores).items() if is_dataclass(value)}
    in_groups = {f"{name}.{key}": value for name, group in groups.items() for key, value in vars(group).items()}
    others = {name: value for name, value in vars(result.scores).items() if name not in groups}
    kept = {key: value for key, value in {**in_groups, **others}.items() if key.partition(".")[0] != "skill"}
    kept = {key: value for key, value in kept.items() if key not in NEW_SCORES}
    return kept | {"ranks": {target: score.rank for target, score in result.scores.per_target.items()}}


@pytest.fixture
def tiny():
    """The oracle of 0.1.0 where measured oracles are kept."""
    oracle_folder().mkdir(parents=True)
    return Path(shutil.copy(FORMER / "tiny.json", oracle_folder()))


def test_a_result_is_read_in_todays_form(tmp_path):
    written = json.loads((FORMER / "cra+cnm.json").read_text())
    assert written["schema_version"] == 1 and written["oracle"]["kind"] == "measured"
    result = Result.load(FORMER / "cra+cnm.json")
    assert (result.schema_version, result.tuning, result.sharing) == (SCHEMA_VERSION, "full", "sequential")
    assert result.oracle.basis == "measured" and result.oracle.origin == written["oracle"]["source"]
    assert result.signal_quality.origin == written["signal_quality"]["source"]
    assert {settings["is"] for settings in result.provenance.settings.values()} == {"cogbench:Settings"}
    assert result.similarity == written["similarity"] and result.ranking == written["ranking"]
    assert result.basis == "computed"


@pytest.mark.parametrize("file", OLD, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_result_of_an_older_schema_has_the_scores_that_it_knew_and_no_others(file):
    written, result = json.loads(file.read_text())["scores"], Result.load(file)
    assert result.is_outdated
    assert (result.scores.trs.p, result.scores.skill, result.scores.resampled) == (None, None, None)
    assert result.scores.trs.p_independent == written["trs_p"] and result.scores.trs.value == written["trs"]
    assert list(result.scores.trs.interval) == written["trs_interval"]
    assert {t: score.rank for t, score in result.scores.per_target.items()} == written["per_target"]
    assert {score.selected for score in result.scores.per_target.values()} == {None}


@pytest.mark.parametrize("file", OLD, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_result_of_an_older_schema_is_not_written_again_as_it_is(file, tmp_path):
    with pytest.raises(UnusableData, match="an older schema scored .*: `cogbench score` computes its scores anew"):
        Result.load(file).save(tmp_path)
    assert not [*tmp_path.glob("*.json")]


@pytest.mark.parametrize("name", ["size", "selection"])
def test_the_scores_of_schema_3_are_all_known_and_stand_in_groups(name, tmp_path):
    file = OF_SCHEMA_3 / f"{name}.json"
    written, result = json.loads(file.read_text())["scores"], Result.load(file)
    scores = result.scores
    assert not result.is_outdated and result.schema_version == SCHEMA_VERSION
    assert (scores.trs.value, scores.trs.chance, scores.trs.p.p) == (
        written["trs"],
        written["trs_chance"],
        written["trs_p"]["p"],
    )
    assert scores.top_k.share == written["top_k"] and scores.metric.best == written["oracle_best_mean"]
    assert scores.gains.selected_helping == written["selected_helping"] and scores.regret == written["regret"]
    if name == "selection":
        assert scores.ranking is None and written["spearman"] is None
    else:
        assert (scores.ranking.ndcg, scores.ranking.kendall) == (written["ndcg"], written["kendall"])
    again = rescore(result, result.oracle.name)
    assert kept_scores(again) == {
        key: pytest.approx(value) if isinstance(value, dict | float) else value
        for key, value in kept_scores(result).items()
    }
    assert Result.load(result.save(tmp_path)) == result


def test_a_result_is_scored_and_compared(tiny, tmp_path):
    results = [Result.load(file) for file in (FORMER / "cra.json", FORMER / "cra+cnm.json")]
    (board,) = leaderboard(results)
    assert {entry.estimator for entry in board.entries} > {result.estimator for result in results}
    scored = score(results[0], "tiny")
    assert scored.scores.trs.value == results[0].scores.trs.value
    again = rescore(results[0], "tiny")
    assert again.schema_version == SCHEMA_VERSION and kept_scores(again) == kept_scores(results[0])
    assert again.scores.trs.p == scored.scores.trs.p is not None
    assert Result.load(again.save(tmp_path)) == again


@pytest.mark.parametrize("name, oracle", [("size", "cogtaskonomy-tinybert"), ("cra", "cogtaskonomy-minilm-max-1000")])
def test_the_command_gives_a_result_of_an_older_schema_todays_scores(name, oracle, tmp_path):
    old = Result.load(OF_SCHEMA_2 / f"{name}.json")
    done = ask("score", OF_SCHEMA_2 / f"{name}.json", "--oracle", oracle, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    (file,) = tmp_path.glob("*.json")
    assert json.loads(file.read_text())["schema_version"] == SCHEMA_VERSION
    new = Result.load(file)
    assert not new.is_outdated and 0 < new.scores.trs.p.p <= 1 and new.scores.trs.p.draws == 9_999
    assert new.scores.skill is not None and file.name == old.file_name
    assert kept_scores(new) == {
        key: pytest.approx(value) if isinstance(value, dict | float) else value
        for key, value in kept_scores(old).items()
    }
    assert (new.scores.resampled is None) == (find_oracle(load_parts(), oracle).standard_error is None)


def test_what_knows_an_oracle_gets_todays_scores_where_the_oracle_ranks_as_it_did(tmp_path):
    file = OF_SCHEMA_2 / "popularity.json"
    assert Result.load(file).uses_oracle
    done = ask("score", file, "--oracle", "cogtaskonomy-tinybert", "--out", tmp_path)
    assert done.exit_code == 0 and Result.load(next(tmp_path.glob("*.json"))).scores.trs.p is not None
    refused = ask("score", file, "--oracle", "cogtaskonomy-bert", "--out", tmp_path)
    assert "popularity looks at an oracle's data: run it against the other oracle" in line(refused, 3)


def test_scores_of_an_older_schema_stand_on_a_board_apart():
    old = [Result.load(OF_SCHEMA_2 / f"{name}.json") for name in ("size", "popularity")]
    new = rescore(old[0], "cogtaskonomy-tinybert")
    boards = leaderboard([*old, new])
    of_old, of_new = sorted(boards, key=lambda board: not board.outdated)
    assert (of_old.outdated, of_new.outdated) == (True, False)
    assert [e.estimator for e in of_new.entries if e.kind == "result"] == ["size"]
    assert {e.estimator for e in of_old.entries if e.kind == "result"} == {"size", "popularity"}
    assert boards[1].differs == ("scores of today's schema instead of an older schema",)


def test_a_board_of_an_older_schema_says_so_and_shows_no_p():
    (board,) = leaderboard([Result.load(OF_SCHEMA_2 / "size.json")])
    (size,) = [entry for entry in board.entries if entry.estimator == "size"]
    assert size.scores["trs"] == pytest.approx(10 / 3)
    assert {size.scores[name] for name in ("p", "corrected p", "skill", "skill p")} == {None}
    assert (size.standing, board.tries, board.detectable) == (None, 0, None)
    ((title, rows),) = board_tables([board]).items()
    assert "an older schema scored these results: `cogbench score` computes their p" in title
    assert next(row for row in rows if row["estimator"] == "size")["p"] == "–"
    assert "an older schema" in render_leaderboard([board])
    assert "An older schema scored these results" in board_page([board])


def test_a_card_and_a_report_of_an_older_schema_say_so_and_show_no_p():
    result = Result.load(OF_SCHEMA_2 / "cra.json")
    page = report_page(result)
    for text in (render_card(result), page):
        assert "older schema scored this result" in text and "unknown to this older schema" in text
        assert f"{result.scores.trs.value:.2f}" in text
    assert "p – (unknown to this older schema)" in render_card(result)
    assert "independent choices" in page and "relabelled guesses" not in page
    assert ",<0.001," not in render_results([result], "csv")


def test_results_of_an_older_schema_are_compared_and_it_is_said_of_whom():
    old = Result.load(OF_SCHEMA_2 / "cra.json")
    new = rescore(old, "cogtaskonomy-minilm-max-1000")
    (other,) = [replace(new, estimator="other")]
    found = compare([old, other])
    assert [note for note in found.notes if "older schema" in note] == [
        "an older schema scored cra on minilm: `cogbench score` computes its scores anew"
    ]
    (contest,) = found.contests
    assert contest.trs.difference == pytest.approx(0) and contest.regret is None, "its metrics are not known"


def test_an_oracle_is_read_and_its_card_without_its_table(tiny):
    oracle, card = read_oracle(tiny), read_card(tiny)
    assert (oracle.basis, oracle.tuning, oracle.sharing) == ("measured", "full", "sequential")
    assert card == oracle.card and {*card.sources} == {*TASKS}


@pytest.fixture
def untaught(monkeypatch):
    """MiniLM answers by its seed instead of learning: what is asked of it and what becomes of it stay."""

    def answer(self, recipe, files, out, start=None):
        evaluation = recipe.task.load("evaluation", files)
        rng = np.random.default_rng(recipe.seed)
        return Checkpoint(out, rng.normal(size=(len(evaluation), len(evaluation.labels))), 1)

    monkeypatch.setattr(HuggingFace, "train", answer)


def test_another_seed_is_merged_into_an_oracle(tiny, untaught):
    before = read_oracle(tiny)
    done = CliRunner().invoke(cli, MEASURE)
    assert done.exit_code == 0, done.output
    after = read_oracle(tiny)
    assert after.seeds == (0, 1) and np.array_equal(after.by_seed[0], before.by_seed[0], equal_nan=True)
    assert after.provenance["cogbench"].startswith("0.1.0, ")  # the versions are recorded, not compared
    assert after.provenance["backbone"]["code"] == {"distribution": "cogbench-toolkit", "answers": 2}


@pytest.mark.parametrize(
    "field, value, says",
    [
        ("code", {"distribution": "cogbench-toolkit", "version": "0.1.0", "sha256": "0" * 16}, "another backbone"),
        ("epochs", 2, "another backbone"),
    ],
)
def test_a_seed_of_other_code_or_options_is_refused_in_one_line(tiny, field, value, says):
    oracle = json.loads(tiny.read_text())
    oracle["provenance"]["backbone"][field] = value
    tiny.write_text(json.dumps(oracle))
    before = tiny.read_text()
    done = CliRunner().invoke(cli, MEASURE)
    assert done.exit_code == 3 and says in done.stderr and len(done.stderr.splitlines()) == 1
    assert tiny.read_text() == before


@pytest.mark.parametrize(
    "provenance",
    [
        {"model": {"is": "os:mkdir", "path": "made"}},
        {"settings": {"mini-rte": {"is": "cogbench:run", "estimator": "cra", "backbone": "bert"}}},
        {"settings": {"mini-rte": {"is": "cogbench.records:Settings", "epoch": 3}}},
        {"settings": [1]},
        {"model": None},
        {"backbone": {"is": "torch.hub:load", "repo_or_dir": "x"}},
    ],
    ids=["another's class", "a function", "another field", "a list", "nothing", "a function of an installed package"],
)
def test_a_crafted_oracle_calls_nothing_and_is_one_line(tiny, provenance, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    oracle = json.loads(tiny.read_text())
    tiny.write_text(json.dumps(oracle | {"provenance": oracle["provenance"] | provenance}))
    done = CliRunner().invoke(cli, MEASURE)
    assert done.exit_code == 3 and len(done.stderr.splitlines()) == 1, done.output
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("version", [99, "2", None, [2]])
def test_an_oracle_of_another_schema_version_is_one_line(tmp_path, version):
    oracle = json.loads((FORMER / "tiny.json").read_text()) | {"schema_version": version}
    file = tmp_path / "newer.json"
    file.write_text(json.dumps(oracle))
    with pytest.raises(UnusableData) as refusal:
        read_oracle(file)
    assert len(str(refusal.value).splitlines()) == 1
    assert isinstance(read_oracle(FORMER / "tiny.json"), Oracle)
