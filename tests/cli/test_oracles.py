"""Oracles by their families: lists, rankings on several at once, guesses from a folder, and bad input in one line."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from command import cogbench as ask
from command import line

from cogbench import Oracle, Result, SetScore, TaskMatrix, TaskSets, UnusableData, load_parts, popularity_baseline, run
from cogbench.data.oracle import OracleCard
from cogbench.data.oracle_files import write_table
from cogbench.parts.oracle_names import find_oracle, find_sets, oracle_names
from cogbench.scoring.evaluation import score_guess
from cogbench.views.listing import family_tables
from cogbench.views.rows import oracle_notes, oracle_tables

FAMILY = [
    "cogtaskonomy-bert",
    "cogtaskonomy-minilm-2l-max-1000",
    "cogtaskonomy-minilm-max-1000",
    "cogtaskonomy-tinybert",
]
PAPER = "cogtaskonomy-bert,cogtaskonomy-tinybert"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_family_stands_for_its_oracles_and_published_for_those_of_publications():
    parts = load_parts()
    assert oracle_names(parts, "cogtaskonomy") == FAMILY
    assert oracle_names(parts, ["cogtaskonomy-tinybert, cogtaskonomy", "x.csv"]) == [FAMILY[3], *FAMILY[:3], "x.csv"]
    published = oracle_names(parts, "published")
    assert {FAMILY[0], FAMILY[3]} <= {*published} and not {FAMILY[1], "mini-planted"} & {*published}
    assert oracle_names(parts, "published") == [n for n, o in parts.oracles.items() if o.card.basis == "published"]


def test_estimators_of_transfers_are_scored_on_oracles_alone(tmp_path):
    done = ask("run", "--estimator", "popularity", "--estimator", "random", "--oracle", PAPER, "--format", "json")
    results = json.loads(done.stdout)
    assert [(r["estimator"], r["oracle"]["name"]) for r in results] == [
        (estimator, name) for estimator in ("popularity", "random") for name in PAPER.split(",")
    ]
    oracle = find_oracle(load_parts(), FAMILY[0])
    expected = score_guess(popularity_baseline(oracle), oracle)
    assert results[0]["scores"]["trs"]["value"] == expected.trs.value
    assert results[0]["scores"]["trs"]["p"]["p"] == expected.trs.p.p
    assert results[0]["uses_oracle"] and not results[2]["uses_oracle"] and results[0]["basis"] == "computed"
    assert "no model was read" in results[0]["notes"][0]
    saved = [Result.load(path) for path in sorted((tmp_path / "results").iterdir())]
    assert len(saved) == 4 and {r.oracle.name for r in saved} == {*PAPER.split(",")}


def test_a_pack_is_scored_on_each_oracle_that_knows_its_tasks(caplog):
    results = run("random", pack="mini-minilm-2l", oracle=["mini-minilm-2l", "mini-planted", "cogtaskonomy-bert"])
    assert [r.oracle.name for r in results] == ["mini-minilm-2l", "mini-planted"]
    assert "left out: 1 of 3 oracles" in caplog.text


def test_the_tasks_of_a_wide_oracle_need_not_be_installed():
    matrix = TaskMatrix(("u", "v", "w"), ("x", "y"), np.array([[1.0, 2], [2, 1], [3, 3]]))
    results = run(["popularity", "pivot"], oracle=Oracle("mine", "b", "s", matrix, better={"x": "lower"}))
    assert [r.sources for r in results] == [["u", "v", "w"]] * 2 and results[0].targets == ["x", "y"]
    assert (
        results[0].scores.per_target["x"].rank == 3
    )  # the best source of y is the worst of x, whose figures are losses


def test_an_oracle_alone_may_be_cut_to_some_tasks():
    (result,) = run("popularity", oracle="cogtaskonomy-bert", tasks="cola,rte,mnli")
    assert result.sources == result.targets == ["cola", "rte", "mnli"]
    with pytest.raises(UnusableData, match="oracle 'cogtaskonomy-bert' has no x; it has cola"):
        run("popularity", oracle="cogtaskonomy-bert", tasks="cola,rte,x")


def test_what_cannot_be_ranked_on_an_oracle_alone_is_said_in_one_line():
    message = line(ask("run", "--estimator", "cra", "--oracle", "cogtaskonomy-bert"), 3)
    assert "estimator 'cra' needs representations: name a backbone with --backbone" in message
    assert "leave out --suite" in ask("run", "--estimator", "size", "--oracle", "published", "--suite", "mini").stderr
    with pytest.raises(UnusableData, match="name a backbone with --backbone, .* or an oracle with --oracle"):
        run("popularity")
    matrix = TaskMatrix(("u", "v", "w"), ("x",), np.array([[1.0], [2], [3]]))
    with pytest.raises(UnusableData, match="needs the cards of all sources, and no installed task is called u: 3 of 3"):
        run("size", oracle=Oracle("mine", "b", "s", matrix))


def test_a_guess_is_scored_on_several_oracles_from_a_folder(tmp_path):
    parts, folder = load_parts(), tmp_path / "guesses"
    folder.mkdir()
    for name, other in (PAPER.split(","), PAPER.split(",")[::-1]):
        write_table(find_oracle(parts, other), folder / f"{name}.csv")
    done = ask("score", "guesses", "--oracle", "cogtaskonomy", "--out", "results", "--format", "json")
    results = json.loads(done.stdout)
    assert [r["oracle"]["name"] for r in results] == PAPER.split(",") and {r["estimator"] for r in results} == {
        "guesses"
    }
    assert results[0]["scores"]["trs"] != results[1]["scores"]["trs"]
    assert "no file for 2 of 4 oracles: cogtaskonomy-minilm-2l-max-1000" in done.stderr
    one_file = ask("score", folder / "cogtaskonomy-bert.csv", "--oracle", PAPER, "--format", "json")
    assert json.loads(one_file.stdout)[0]["scores"] == results[0]["scores"]
    (folder / "cogtaskonomy-bert.tsv").write_text("x")
    assert "has two files for cogtaskonomy-bert: leave one" in line(ask("score", "guesses", "--oracle", PAPER), 3)
    assert "leave out --tasks" in ask("score", "guesses", "--oracle", PAPER, "--tasks", "rte").stderr


def test_a_board_takes_the_oracles_of_a_family():
    ask("run", "--estimator", "popularity", "--oracle", f"{PAPER},mini-planted")
    board = json.loads(ask("leaderboard", "--stacked", "--oracle", "cogtaskonomy", "--format", "json").stdout)
    assert [oracle["name"] for oracle in board["oracles"]] == PAPER.split(",")
    assert len(json.loads(ask("leaderboard", "--oracle", "published", "--format", "json").stdout)) == 2
    assert "unknown oracle 'choshen'" in line(ask("leaderboard", "--oracle", "choshen"), 2)


def test_the_oracles_of_a_family_are_compared():
    pairs = json.loads(ask("compare", "cogtaskonomy", "--format", "json").stdout)["pairs"]
    assert len(pairs) == 6 and {pair["first"] for pair in pairs} | {pair["second"] for pair in pairs} == {*FAMILY}
    assert "'cogtaskonomy-bert' is given twice" in line(ask("compare", PAPER, FAMILY[0]), 3)


def test_a_name_that_is_none_or_of_several_oracles_is_one_line():
    for words in (["run", "--estimator", "popularity", "--oracle", ","], ["oracle", "show", ","], ["compare", ","]):
        assert "no oracle is named: `cogbench list oracles` lists them" in line(ask(*words), 2)
    message = line(ask("oracle", "export", "cogtaskonomy", "--out", "x.csv"), 2)
    assert message.startswith("cogbench: 'cogtaskonomy' is the name of a group of oracles: name one of cogtaskonomy-b")
    for name in ("cogtaskonomy", FAMILY[0]):
        assert f"see `cogbench oracle show {name}`" in line(ask("sets", "show", name), 2)


def test_an_oracle_is_shown_with_its_metrics_and_its_licence():
    shown = ask("oracle", "show", FAMILY[0]).stdout
    assert "\nlicence: figures from a publication\nmetric: mcc for cola; accuracy for qnli, rte" in shown
    matrix = TaskMatrix(("u", "v"), ("x", "y"), np.eye(2))
    notes = oracle_notes(Oracle("o", "b", "s", matrix, metrics={"x": "loss", "y": "loss"}, better={"y": "lower"}))
    assert notes[1:3] == ["metric: loss", "better: lower figures for y"]


def test_a_list_of_oracles_has_a_table_for_each_family():
    rows = [
        {"name": name, "suite": "f", "size": "2 × 2", "about": "one paper", "licence": name, "distribution": "d"}
        for name in ("f-a", "f-b")
    ]
    tables = family_tables([*rows, {"name": "x", "about": "BROKEN: no", "distribution": "measured here"}])
    assert [*tables] == ["?; BROKEN: no; measured here", "f; one paper; d"]
    assert tables["f; one paper; d"][1] == {"name": "f-b", "backbone": "", "size": "2 × 2", "licence": "f-b"}
    listed = ask("list", "oracles").stdout
    assert listed == ask("oracle", "list").stdout and "\ncogtaskonomy; cogbench-toolkit" in listed


def test_a_wide_oracle_is_shown_in_summary():
    values = np.arange(90.0).reshape(3, 30) + np.array([[0], [40], [0]])
    matrix = TaskMatrix(("u", "v", "w"), tuple(f"t{j}" for j in range(30)), values)
    best, targets = oracle_tables(Oracle("wide", "b", "s", matrix), 100).values()
    assert [row["source"] for row in best] == ["v", "w", "u"] and best[0]["mean relative rank"] == "0.00"
    assert len(targets) == 10 and targets[0] == {
        "target": "t0",
        "sources": 3,
        "best source": "v",
        "best": "70",
        "median": "60",
        "spread (sd)": f"{np.std([0, 70, 60]):.4g}",
    }
    (whole,) = oracle_tables(Oracle("wide", "b", "s", matrix), 1_000_000).values()
    assert len(whole[0]) == 31
    both = ask("oracle", "show", PAPER)
    assert "cogtaskonomy-bert" in both.stdout and "cogtaskonomy-tinybert" in both.stdout


@dataclass(frozen=True)
class Sets:
    """Sets of sources as a plugin gives them."""

    name: str = "pairs-of-x"
    card: OracleCard = OracleCard("d", "o", "l", "b", "families", ("a", "b"), ("x",))

    def read(self, files):
        scores = (SetScore("x", ("a",), 1.0), SetScore("x", ("a", "b"), 2.0), SetScore("x", ("b",), 0.5))
        return TaskSets(name=self.name, sets=scores)


def test_sets_are_found_by_name_and_are_no_oracle():
    from types import ModuleType

    from cogbench import UnknownName, hookimpl
    from cogbench.testing import check_set

    module = ModuleType("sets_plugin")
    module.register_sets = hookimpl(lambda: [Sets()])
    parts = load_parts(module)
    check_set(parts.sets["pairs-of-x"])
    assert len(find_sets(parts, "pairs-of-x").sets) == 3
    assert find_sets(parts, "pairs-of-x", better="lower").sign("x") == -1
    for name in ("pairs-of-x", "families"):
        for find in (find_oracle, oracle_names):
            with pytest.raises(UnusableData, match=f"'{name}' holds scores with sets of sources, not with pairs: see"):
                find(parts, name)
    with pytest.raises(UnusableData, match="'families' is the name of a group of tables of sets: name one of pairs-of"):
        find_sets(parts, "families")
    with pytest.raises(UnknownName, match="unknown file or name of task sets 'pairs-of'; did you mean 'pairs-of-x'"):
        find_sets(parts, "pairs-of")


@pytest.mark.parametrize("words", [("run", "--estimator", "popularity"), ("score", "guess.csv")])
def test_an_unknown_family_is_answered_with_the_near_ones(words):
    message = line(ask(*words, "--oracle", "cogtaskonmy"), 2)
    assert message.startswith("cogbench: unknown oracle 'cogtaskonmy'; did you mean 'cogtaskonomy'")
