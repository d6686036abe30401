"""`cogbench score` and `cogbench.score`: anybody's guess by the same protocol, and bad input in one line."""

import csv
import gc
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from made_results import TASKS, TRUE, made

from cogbench import Oracle, Result, TaskMatrix, UnusableData, load_parts, rescore, score
from cogbench.cli.results import GAINS
from cogbench.parts.oracle_names import find_oracle
from cogbench.results.plain import plain
from cogbench.results.result import rows
from cogbench.scoring.scores import NdcgGain

ORACLE = "source,p,q,r,s\np,,.6,.5,.9\nq,.8,,.7,.2\nr,.7,.9,,.1\ns,.6,.5,.9,\nno-transfer,.5,.5,.5,.5\n"
NOISY = np.array([[0, 0.3, 0.1, 0.9], [0.2, 0, 0.7, 0.4], [0.8, 0.1, 0, 0.3], [0.6, 0.5, 0.2, 0]])
SELECTION = "target,source\np,q\nq,r\nr,s\ns,p\n"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("oracle.csv", ORACLE)


def write(name, text):
    with open(name, "w") as file:
        file.write(text)
    return name


def other_plms_oracle():
    """The published oracle of TinyBERT as a guess."""
    true = find_oracle(load_parts(), "cogtaskonomy-tinybert").transfers
    rows = [[s, *("" if np.isnan(v) else v for v in row)] for s, row in zip(true.sources, true.values, strict=True)]
    return write("tb.csv", "\n".join(",".join(map(str, row)) for row in [["source", *true.targets], *rows]))


def scored(*words):
    found = ask("score", *words, "--format", "json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_the_other_plms_oracle_as_a_guess():
    found = scored(other_plms_oracle(), "--oracle", "cogtaskonomy-bert")
    s = found["scores"]
    assert s["trs"]["value"] == 5.25 and s["trs"]["chance"] == 6 and found["selected"]["cola"] == ["qnli"]
    assert [s["top_k"]["share"][k] for k in "34"] == pytest.approx([0.583, 0.5625], abs=1e-3)
    assert found["baselines"] == pytest.approx({"random": 6, "popularity": 7.875, "size": 4.4583}, abs=1e-4)
    reverse = scored("tb.csv", "--oracle", "cogtaskonomy-tinybert")
    assert reverse["scores"]["trs"]["value"] == 1


def test_what_people_get():
    found = ask("score", other_plms_oracle(), "--oracle", "cogtaskonomy-bert")
    shown = {" ".join(text.split()) for text in found.stdout.splitlines()}
    assert shown >= {
        "ranking tb against oracle cogtaskonomy-bert, 12 target tasks",
        "TRS, 1 is perfect 5.25 6.00",
        "95 % interval over targets 3.75 to 6.84",
        "p, of 9,999 relabellings 0.230",
        "p of independent choices 0.214",
        "TRS of popularity 7.88",
        "skill beyond source and target effects, rho 0.33 0.00",
        "p of the skill <0.001",
        "TRS beyond source and target effects 4.08 6.00",
        "TRS less popularity's -2.62 (-4.47 to -0.43)",
        "p of that difference 0.043",
        "TRS of size 4.46",
        "rank of the truly best 5.17 6.00",
        "mean metric 77.674 75.374 80.085 76.712",
        "gain on no transfer, % 1.37 -2.37 5.66",
        "share that helps 0.50 0.36",
        "regret@1, % 3.77",
        "Spearman 0.24",
        "Kendall 0.17",
        "cola qnli 9 43.300 51.810 54.960",
        "popularity knows the oracle's data",
    }
    assert not found.stderr


def test_formats():
    one = ("score", other_plms_oracle(), "--oracle", "cogtaskonomy-bert", "--format")
    rows = list(csv.DictReader(io.StringIO(ask(*one, "csv").stdout)))
    assert rows[0]["score"] == "TRS, 1 is perfect" and rows[0]["value"] == "5.25" and rows[-1]["selected"] == "mrpc"
    assert "| TRS, 1 is perfect" in ask(*one, "markdown").stdout
    assert "\\toprule" in ask(*one, "latex").stdout


def test_options_reach_the_scores():
    found = scored("oracle.csv", "--oracle", "oracle.csv", "-k", "2", "--top-m", "1", "--gain", "linear")["scores"]
    assert found["top_k"]["share"] == {"2": 0.5} and found["top_k"]["m"] == 1
    assert found["ranking"]["ndcg_gain"] == "linear"
    assert set(found["ranking"]["ndcg"]) == {"2", "all"} and set(found["regret"]) == {"1", "2"}
    part = scored("oracle.csv", "--oracle", "oracle.csv", "--tasks", "r,p,q")
    assert part["scores"]["trs"]["chance"] == 1.5 and list(part["selected"]) == ["r", "p", "q"]
    assert GAINS == get_args(NdcgGain)


def test_a_selection_has_no_scores_of_a_ranking():
    found = scored(write("picks.tsv", SELECTION.replace(",", "\t")), "--oracle", "oracle.csv")
    assert found["scores"]["trs"]["value"] == 1 and list(found["scores"]["top_k"]["share"]) == ["1"]
    assert found["scores"]["ranking"] is None
    shown = ask("score", "picks.tsv", "--oracle", "oracle.csv").stdout
    assert "selection picks against" in shown and "Spearman" not in shown and "NDCG" not in shown
    assert scored(write("turned.csv", "source,target\nq,p\nr,q\ns,r\np,s\n"), "--oracle", "oracle.csv") == {
        **found,
        "name": "turned",
    }
    assert scored("picks.tsv", "--oracle", "oracle.csv", "--tasks", "p,q,r,s")["scores"] == found["scores"]
    assert "p for s" in line(ask("score", "picks.tsv", "--oracle", "oracle.csv", "--tasks", "q,r,s"), 3)


def test_a_selection_against_an_oracle_of_seeds():
    by_seed = np.stack([TRUE, TRUE[::-1, ::-1]])
    oracle = Oracle("seeds", "b", "s", TaskMatrix.square(TASKS, by_seed.mean(axis=0)), seeds=(0, 1), by_seed=by_seed)
    found = score({"p": "q", "q": "r", "r": "s", "s": "p"}, oracle)
    values = plain(found)["scores"]
    assert "trs" in values["resampled"] and "spearman" not in values["resampled"]
    from cogbench.views.rows import score_tables

    first, *_ = next(iter(score_tables(score(TaskMatrix.square(TASKS, TRUE), oracle)).values()))
    assert float(first["sd over resampled oracles"]) > 0


def test_a_result_is_scored_against_another_oracle_and_says_what_it_knew(tmp_path):
    file = made(uses_oracle=True, synthetic=["signal"], estimator="ahp").save(tmp_path)
    found = scored(file, "--oracle", "oracle.csv")
    assert found["scores"]["trs"]["value"] == 1
    assert found["notes"][:2] == ["ahp used the data of oracle true", "synthetic signal: made by a generator"]
    assert score(made(), Oracle("o", "b", "s", TaskMatrix.square(TASKS, TRUE))).name == "cra"


def test_missing_and_equal_estimates_are_counted_and_told():
    text = (
        ORACLE.replace(".8", "")
        .replace("p,,.6,.5,.9", "p,,1,.5,.9")
        .replace("r,.7,.9", "r,.7,1")
        .replace("s,.6,.5", "s,.6,1")
    )
    found = scored(write("gaps.csv", text), "--oracle", "oracle.csv")
    assert found["selected"]["q"] == ["p", "r", "s"] and found["scores"]["per_target"]["q"]["rank"] == 2
    assert "1 of 12 estimates are missing: they rank last" in found["notes"]
    assert "all estimates for q are the same: scored as a random choice" in found["notes"]
    assert any("rank correlation is undefined for q" in note for note in found["scores"]["notes"])
    empty = scored(write("empty.csv", "source,p,q,r,s\np,,,,\nq,,,,\nr,,,,\ns,,,,\n"), "--oracle", "oracle.csv")
    assert empty["scores"]["trs"]["value"] == empty["scores"]["trs"]["chance"]
    assert empty["scores"]["ranking"] is None
    shown = ask("score", "empty.csv", "--oracle", "oracle.csv").stdout
    assert "Spearman" not in shown and "12 of 12 estimates" in shown


def test_an_oracle_without_no_transfer_scores_gives_no_gains():
    write("bare.csv", ORACLE[: ORACLE.index("no-transfer")])
    found = scored("oracle.csv", "--oracle", "bare.csv")
    gains = found["scores"]["gains"]
    assert gains["selected"] is gains["helping"] is found["scores"]["metric"]["no_transfer"] is None
    assert "the oracle has no scores without transfer: gains, and what helps, are unknown" in found["notes"]
    shown = ask("score", "oracle.csv", "--oracle", "bare.csv").stdout
    assert "gain on no transfer, % –" in [" ".join(text.split()) for text in shown.splitlines()]
    assert not np.isnan([v for v in found["scores"].values() if isinstance(v, float)]).any()


def test_an_oracle_with_missing_transfers_says_so():
    write("holes.csv", ORACLE.replace(".8", ""))
    found = scored("oracle.csv", "--oracle", "holes.csv")
    assert "1 transfers of the oracle are missing: these sources are no candidates there" in found["notes"]
    assert found["selected"]["p"] == ["r"] and found["scores"]["per_target"]["p"]["rank"] == 1
    assert found["scores"]["trs"]["chance"] == (1.5 + 3 * 2) / 4
    write("none.csv", "source,p,q\np,,.5\nq,,\n")
    assert "no transfer to p from p, q" in line(ask("score", "none.csv", "--oracle", "none.csv"), 3)


def test_one_candidate_leaves_no_choice():
    found = scored("oracle.csv", "--oracle", "oracle.csv", "--tasks", "p,q")
    assert found["scores"]["trs"]["value"] == found["scores"]["trs"]["chance"] == 1
    assert found["scores"]["trs"]["p"] == {"p": 1, "draws": 2, "exact": True}
    assert found["scores"]["trs"]["p_independent"] == 1
    assert found["scores"]["ranking"] is None


@pytest.mark.parametrize(
    "text, message",
    [
        (ORACLE.replace("s,.6,.5,.9,\n", ""), "it lacks the sources s. Score a part with --tasks p,q,r"),
        (
            "source,a\nb,1\n",
            "it lacks the sources p, q, r, s and has b, which the oracle does not have",
        ),
        (ORACLE.replace("source", "name", 1), "its first column is called 'name'; expected 'source'"),
        (ORACLE.replace(".9", "high"), "source 'p' and target 's' (line 2) holds 'high', which is no number"),
        (ORACLE.replace(".9", "inf"), "holds 'inf', which is no number; write a finite number"),
        (ORACLE.replace("q,.8,,.7,.2", "p,.8,,.7,.2"), "row 'p' stands twice: line 2 and line 3"),
        (ORACLE.replace("q,.8,,.7,.2", "q,.8,,.7"), "row 3 has 4 values, the header 5"),
        ("", "it has no rows"),
        ("target,source\np,q\n", "no source is selected for q, r, s"),
        (SELECTION.replace("s,p", "s,s"), "no candidate is selected: s for s; there are p, q, r, s"),
        (SELECTION + "p,q\n", "selects two sources for 'p'"),
        (SELECTION + "z,\n", "line 6 lacks a source"),
    ],
)
def test_a_bad_guess_gets_one_line(text, message):
    assert message in line(ask("score", write("guess.csv", text), "--oracle", "oracle.csv"), 3)


@pytest.mark.parametrize(
    "words, code, message",
    [
        (["oracle.csv", "--oracle", "cogtaskonomy-brt"], 2, "unknown oracle 'cogtaskonomy-brt'; did you mean"),
        (["oracle.csv", "--oracle", "nowhere.csv"], 3, "no file 'nowhere.csv'"),
        (["nowhere.csv", "--oracle", "oracle.csv"], 3, "no file 'nowhere.csv'"),
        (["oracle.csv", "--oracle", "oracle.csv", "--tasks", "p,z"], 2, "oracle 'oracle' has no z; it has p, q, r, s"),
        (["oracle.csv", "--oracle", "oracle.csv", "--gain", "cubic"], 2, "'cubic' is not one of"),
        (["oracle.csv", "--oracle", "oracle.csv", "-k", "0"], 2, "no list of whole numbers from 1"),
        (["oracle.csv", "--oracle", "oracle.csv", "--top-m", "0"], 2, "'0' is no whole number from 1 on"),
        (["oracle.csv"], 2, "--oracle is needed"),
    ],
)
def test_bad_options_get_one_line(words, code, message):
    assert message in line(ask("score", *words), code)


def test_a_file_that_is_no_result_gets_one_line():
    assert "is no result of cogbench" in line(ask("score", write("x.json", "{}"), "--oracle", "oracle.csv"), 3)


def test_the_python_function_takes_matrices_and_mappings():
    oracle = Oracle("o", "b", "s", TaskMatrix.square(TASKS, TRUE))
    assert score(TaskMatrix.square(TASKS, TRUE), oracle, ks=(1,), name="mine").name == "mine"
    with pytest.raises(UnusableData, match="expected whole numbers from 1"):
        score(TaskMatrix.square(TASKS, TRUE), oracle, ks=(0,))


def test_scoring_imports_nothing_heavy():
    code = (
        "import sys; from cogbench.cli.main import cli; cli(standalone_mode=False);print(*sys.modules, file=sys.stderr)"
    )
    words = ["score", "oracle.csv", "--oracle", "oracle.csv"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "TRS" in done.stdout, done.stderr
    heavy = {"torch", "transformers", "datasets", "distributed", "scipy", "sklearn", "pandas", "pyarrow"}
    assert not heavy & {*done.stderr.split()}


def test_a_result_against_another_oracle_is_what_a_run_against_it_writes():
    other = np.array([[0, 0.1, 0.5, 0.2], [0.2, 0, 0.7, 0.9], [0.3, 0.9, 0, 0.1], [0.9, 0.5, 0.1, 0]])
    ours, theirs = made(NOISY, oracle="true"), made(NOISY, oracle="other", true=other)
    oracle = Oracle("other", "bert", "letters", TaskMatrix.square(TASKS, other))
    assert ours.scores.trs.value != theirs.scores.trs.value and rescore(ours, oracle) == theirs
    larger = np.zeros((5, 5))
    larger[:4, :4] = other
    assert rescore(ours, Oracle("other", "bert", "letters", TaskMatrix.square((*TASKS, "t"), larger))) == theirs
    two = {"targets": ["p", "q"], "similarity": rows(NOISY[:, :2]), "by_seed": [rows(NOISY[:, :2])]}
    part = rescore(replace(ours, **two), oracle)
    assert part.scores.per_target == {t: theirs.scores.per_target[t] for t in "pq"}
    with pytest.raises(UnusableData, match="has no s; it has p, q, r"):
        rescore(ours, oracle.part(TASKS[:3], TASKS[:3]))
    with pytest.raises(UnusableData, match="^ahp looks at an oracle's data: run it against the other oracle.$"):
        rescore(made(estimator="ahp", uses_oracle=True), oracle)


def test_a_result_against_another_oracle_is_written_for_a_leaderboard(tmp_path):
    ours = made(NOISY).save(tmp_path / "results")
    found = ask("score", str(ours), "--oracle", "oracle.csv", "--out", "again", "--format", "json")
    (file,) = (tmp_path / "again").iterdir()
    again = Result.load(file)
    assert f"wrote again/{file.name}" in found.stderr and json.loads(found.stdout) == [again.plain()]
    assert again.similarity == made(NOISY).similarity and again.oracle.name == "oracle"
    assert again.scores.trs.value == scored(str(ours), "--oracle", "oracle.csv")["scores"]["trs"]["value"]
    refused = ask("score", str(ours), "--oracle", "oracle.csv", "--out", "again", "-k", "1")
    assert "leave out --tasks, -k, --top-m, --gain and --regret." in line(refused, 2)
    write("guess.json", "{}")
    assert "no result" in line(ask("score", "guess.json", "--oracle", "oracle.csv", "--out", "again"), 3)


def test_a_board_pauses_the_search_for_garbage_and_resumes_it_also_after_an_error(monkeypatch):
    states = []
    real = Result.load.__func__
    monkeypatch.setattr(Result, "load", classmethod(lambda cls, path: states.append(gc.isenabled()) or real(cls, path)))
    made().save(Path("results"))
    assert ask("leaderboard").exit_code == 0 and states == [False] and gc.isenabled()
    assert ask("leaderboard", "nowhere").exit_code == 3 and gc.isenabled()
    gc.disable()
    try:
        assert ask("leaderboard").exit_code == 0 and not gc.isenabled(), "who had it off keeps it off"
    finally:
        gc.enable()
