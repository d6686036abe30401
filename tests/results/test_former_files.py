"""Results and oracles that cogbench 0.1.0 wrote are read, scored, compared, and get further seeds.

The files in `of_0_1_0` were written by that version, from the synthetic suite: `oracle measure` of three tasks on
minilm-2l with one epoch in single precision, and two estimators run against it.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cogbench import Oracle, Result, UnusableData, leaderboard, read_oracle, rescore, score
from cogbench.cli.main import cli
from cogbench.data.oracle_files import read_card
from cogbench.parts.registry import oracle_folder

FORMER = Path(__file__).parent / "of_0_1_0"
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


@pytest.fixture
def tiny():
    """The oracle of 0.1.0 where measured oracles are kept."""
    oracle_folder().mkdir(parents=True)
    return Path(shutil.copy(FORMER / "tiny.json", oracle_folder()))


def test_a_result_is_read_in_todays_form(tmp_path):
    written = json.loads((FORMER / "cra+cnm.json").read_text())
    assert written["schema_version"] == 1 and written["oracle"]["kind"] == "measured"
    result = Result.load(FORMER / "cra+cnm.json")
    assert (result.schema_version, result.tuning, result.sharing) == (2, "full", "sequential")
    assert result.oracle.basis == "measured" and result.oracle.origin == written["oracle"]["source"]
    assert result.signal_quality.origin == written["signal_quality"]["source"]
    assert {settings["is"] for settings in result.provenance.settings.values()} == {"cogbench:Settings"}
    assert result.similarity == written["similarity"] and result.ranking == written["ranking"]
    assert Result.load(result.save(tmp_path)) == result


def test_a_result_is_scored_and_compared(tiny):
    results = [Result.load(file) for file in (FORMER / "cra.json", FORMER / "cra+cnm.json")]
    (board,) = leaderboard(results)
    assert {entry.estimator for entry in board.entries} > {result.estimator for result in results}
    scored = score(results[0], "tiny")
    assert scored.scores.trs == results[0].scores.trs
    assert rescore(results[0], "tiny").scores == results[0].scores


def test_an_oracle_is_read_and_its_card_without_its_table(tiny):
    oracle, card = read_oracle(tiny), read_card(tiny)
    assert (oracle.basis, oracle.tuning, oracle.sharing) == ("measured", "full", "sequential")
    assert card == oracle.card and {*card.sources} == {*TASKS}


def test_another_seed_is_merged_into_an_oracle(tiny):
    before = read_oracle(tiny)
    done = CliRunner().invoke(cli, MEASURE)
    assert done.exit_code == 0, done.output
    after = read_oracle(tiny)
    assert after.seeds == (0, 1) and np.array_equal(after.by_seed[0], before.by_seed[0], equal_nan=True)
    assert after.provenance["cogbench"].startswith("0.1.0, ")  # the versions are recorded, not compared
    assert after.provenance["backbone"]["code"] == {"distribution": "cogbench-toolkit", "answers": 1}


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
