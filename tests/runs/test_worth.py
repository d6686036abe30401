"""What estimators are worth, as the shipped table says it: that of the results in docs/results."""

import json
from pathlib import Path

import pytest

from cogbench import read_results
from cogbench.runs.recommendation import SHIPPED, known_worth, worth_of, write_worth

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def test_the_shipped_table_is_that_of_the_results(tmp_path):
    write_worth(read_results(RESULTS), tmp_path / "worth.json")
    assert (tmp_path / "worth.json").read_text() == SHIPPED.read_text(), "docs/results changed: make board"


def test_it_has_the_scores_of_the_result_files():
    files = [json.loads(path.read_text()) for path in RESULTS.glob("logme--minilm--*.json")]
    (of_file,) = (file["scores"] for file in files)
    rows = {row.oracle: row for row in known_worth("logme[features.pooling=mean]")}
    row = rows["cogtaskonomy-minilm-max-1000"]
    assert len(rows) >= 3 and (row.estimator, row.signal) == ("logme", None)
    trs = of_file["trs"]
    expected = (trs["value"], trs["chance"], trs["p"]["p"], of_file["skill"]["rho"])
    assert (row.trs, row.chance, row.p, row.skill) == pytest.approx(expected, abs=1e-4)


def test_what_knows_the_oracle_or_is_a_published_guess_is_not_in_it():
    names = {row.estimator for row in worth_of(read_results(RESULTS))}
    assert names >= {"cra", "logme", "knn"} and not names & {"popularity", "ahp", "other-plm", "random", "CRA", "AHP"}
    assert known_worth("nothing") == ()
