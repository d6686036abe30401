"""The options of the command line that say how the tables of oracles and guesses are read."""

import json
from pathlib import Path

import pytest
from command import cogbench as ask
from command import line

from cogbench import Result, TaskMatrix, read_oracle, score

OWN = "source,p,q,r\np,50,2,30\nq,40,60,20\nr,10,8,70\n"
AVERAGED = "source,p,q,r,AVG\np,,2,30,16\nq,40,,20,30\nr,10,8,,9\nnone,50,60,70,60\nAVG,25,5,25,\n"
METRICS = "source,target,metric,score\np,q,f1,1\np,q,acc,2\nr,q,f1,4\nr,q,acc,3\n"
DISTANCES = "source,p,q,r\np,0,9,1\nq,1,0,2\nr,3,4,0\n"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables = {"own": OWN, "averaged": AVERAGED, "metrics": METRICS, "distances": DISTANCES}
    for name, text in {**tables, "plain": "source,p,q,r\np,,2,30\nq,40,,20\nr,10,8,\n"}.items():
        (tmp_path / f"{name}.csv").write_text(text)


def shown(*words):
    found = ask("oracle", "show", *words, "--format", "json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_show_reads_a_table_as_the_options_say():
    assert shown("own.csv", "--diagonal", "no-transfer")["no_transfer"] == [50, 60, 70]
    assert shown("own.csv", "--diagonal", "leave-out")["no_transfer"] is None
    averaged = shown("averaged.csv", "--leave-out", "AVG", "--no-transfer-row", "none")
    assert averaged["sources"] == averaged["targets"] == ["p", "q", "r"] and averaged["no_transfer"] == [50, 60, 70]
    by_commas, by_words = (
        shown("averaged.csv", *words)
        for words in (["--leave-out", "AVG, none"], ["--leave-out=AVG", "--leave-out=none"])
    )
    assert by_commas == by_words and by_words["no_transfer"] is None
    assert shown("metrics.csv", "--metric", "acc")["transfers"] == [[2], [3]]
    lower = shown("plain.csv", "--lower-is-better", "q,r")
    assert lower["better"] == {"q": "lower", "r": "lower"} and lower["transfers"][0] == [None, 2, 30]
    assert [ranks[1] for ranks in lower["ranks"]] == [1, None, 2] and [r[0] for r in lower["ranks"]] == [None, 1, 2]
    table = ask("oracle", "show", "plain.csv", "--lower-is-better", "all").stdout
    assert "better: lower figures" in table and "2.00 (1)" in table and "30.00 (2)" in table


def test_export_writes_a_table_once_as_json_which_needs_no_options():
    found = ask(
        "oracle", "export", "own.csv", "--diagonal", "no-transfer", "--lower-is-better", "p", "--out", "own.json"
    )
    assert found.exit_code == 0, found.output
    oracle = shown("own.json")
    assert oracle["no_transfer"] == [50, 60, 70] and oracle["better"] == {"p": "lower"}
    assert "leave out --no-transfer-row" in line(ask("oracle", "show", "own.json", "--diagonal", "leave-out"), 3)
    assert "--diagonal no-transfer" in line(ask("oracle", "export", "own.csv", "--out", "again.json"), 3)


def test_score_reads_the_tables_of_oracle_and_guess_as_the_options_say():
    def scored(*words):
        found = ask("score", *words, "--format", "json")
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)

    assert (
        scored("plain.csv", "--oracle", "own.csv", "--diagonal", "no-transfer")["scores"]["metric"]["no_transfer"] == 60
    )
    assert scored("plain.csv", "--oracle", "averaged.csv", "--leave-out", "AVG,none")["scores"]["trs"]["value"] == 1
    assert (
        scored("metrics.csv", "--oracle", "metrics.csv", "--metric", "f1", "--guess-metric", "f1")["scores"]["trs"][
            "value"
        ]
        == 1
    )
    assert scored("metrics.csv", "--oracle", "metrics.csv", "--metric", "f1", "--guess-metric", "acc")["selected"] == {
        "q": ["r"]
    }
    assert (
        scored("averaged.csv", "--oracle", "plain.csv", "--guess-leave-out", "AVG,none")["scores"]["trs"]["value"] == 1
    )
    assert scored("distances.csv", "--oracle", "plain.csv")["selected"] == {"p": ["r"], "q": ["p"], "r": ["q"]}
    near = scored("distances.csv", "--oracle", "plain.csv", "--distances")
    assert near["selected"] == {"p": ["q"], "q": ["r"], "r": ["p"]}


@pytest.mark.parametrize(
    "words, message",
    [
        (["own.csv", "--oracle", "own.csv"], "say --diagonal no-transfer"),
        (
            ["plain.csv", "--oracle", "averaged.csv"],
            "drop it with --leave-out AVG, or rename it; 'none' (source) is named",
        ),
        (
            ["averaged.csv", "--oracle", "plain.csv"],
            "drop it with --guess-leave-out AVG, or rename it; 'none' (source)",
        ),
        (["metrics.csv", "--oracle", "plain.csv"], "for example with --guess-metric f1"),
        (["plain.csv", "--oracle", "metrics.csv"], "for example with --metric f1"),
        (
            ["plain.csv", "--oracle", "cogtaskonomy-bert", "--metric", "f1"],
            "'cogtaskonomy-bert' is no file with a table",
        ),
    ],
)
def test_a_table_that_an_option_decides_names_the_option(words, message):
    assert message in line(ask("score", *words), 3)


def test_a_guess_is_written_as_a_published_result_that_boards_and_comparisons_read():
    words = ["score", "distances.csv", "--oracle", "plain.csv", "--out", "kept"]
    for name, options in {"near": ["--distances", "--origin", "Somebody (2020)"], "far": []}.items():
        assert ask(*words, "--name", name, *options).exit_code == 0
    near, far = (Result.load(next(Path("kept").glob(f"{name}--*.json"))) for name in ("near", "far"))
    assert near.basis == far.basis == "published" and near.scores.trs.value < far.scores.trs.value
    assert near.notes == ["a published guess, not computed here: Somebody (2020)"]
    assert far.notes == ["a published guess, not computed here: distances.csv"]
    Path("wide.csv").write_text("source,p,q,r,s\np,,2,30,1\nq,40,,20,1\nr,10,8,,1\ns,1,1,1,\n")
    assert ask("score", "wide.csv", "--oracle", "plain.csv", "--out", "wide").exit_code == 0
    assert Result.load(next(Path("wide").glob("*.json"))).notes[1:] == [
        "left out of the guess: the sources s, which the oracle does not have",
        "left out of the guess: the targets s, which the oracle does not have",
    ]
    assert "near (as published)" in ask("leaderboard", "kept").stdout
    assert "not told apart" in ask("compare", *map(str, Path("kept").glob("*.json"))).stdout


def test_options_of_a_guess_are_refused_for_a_result():
    assert ask("score", "distances.csv", "--oracle", "plain.csv", "--out", "kept").exit_code == 0
    (kept,) = Path("kept").glob("*.json")
    refused = line(ask("score", str(kept), "--oracle", "plain.csv", "--out", "again", "--distances"), 3)
    assert "leave out --distances, --guess-leave-out and --guess-metric" in refused


def test_a_tree_of_distances_is_that_of_their_negatives():
    (near, far) = (ask("tree", "distances.csv", *words, "--json") for words in (["--distances"], []))
    assert near.exit_code == far.exit_code == 0 and near.stdout != far.stdout
    assert "--guess-leave-out AVG" in line(ask("tree", "averaged.csv"), 3)


def test_a_run_points_to_the_export_of_a_table_that_an_option_decides():
    words = ["--suite", "mini", "--backbone", "minilm-2l", "--estimator", "dse", "--dry-run", "--oracle", "own.csv"]
    message = line(ask("run", *words), 3)
    assert "--diagonal no-transfer" in message
    assert "cogbench oracle export own.csv … --out ORACLE.json, and name that file." in message


def test_what_a_guess_has_beyond_the_oracle_is_left_out_and_told():
    square = TaskMatrix.square(("p", "q", "r", "s"), [[0, 1, 2, 3], [4, 0, 5, 6], [7, 8, 0, 9], [3, 2, 1, 0]])
    Path("oracle.csv").write_text("source,p,q\np,,2\nq,4,\nr,3,1\n")
    oracle = read_oracle(Path("oracle.csv"))
    found = score(square, oracle)
    assert found.notes[0] == "left out of the guess: the sources s, which the oracle does not have"
    assert found.notes[1] == "left out of the guess: the targets r, s, which the oracle does not have"
    assert found.selected == {"p": ["r"], "q": ["r"]} and found.scores.trs.value == 2
    assert not [n for n in score(square, oracle, tasks=["p", "q", "r"]).notes if n.startswith("left out")]
    assert (
        score({"p": "q", "q": "p", "x": "y"}, oracle).notes[0].endswith("the targets x, which the oracle does not have")
    )


def test_the_advice_on_a_guess_that_lacks_tasks_drops_no_other_source():
    Path("oracle.csv").write_text("source,p,q,r\np,,2,3\nq,4,,5\nr,3,1,\ns,3,3,4\nt,1,2,3\n")
    Path("guess.csv").write_text("source,p,q\np,,2\nq,4,\nr,3,1\ns,3,3\n")
    message = line(ask("score", "guess.csv", "--oracle", "oracle.csv"), 3)
    assert "it lacks the sources t; it lacks the targets r. Score a part with --tasks p,q,s." in message
    assert ask("score", "guess.csv", "--oracle", "oracle.csv", "--tasks", "p,q,s").exit_code == 0
