"""The shipped oracle of real transfers: what it was measured with, and that it is of the data that it names."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cogbench_tasks.paper import ORACLES, OWN

from cogbench import Files, Result, load_parts, rescore
from cogbench.parts.registry import find_oracle

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def test_it_is_the_usual_one_of_its_backbone_and_says_what_it_was_measured_with():
    parts = load_parts()
    oracle, suite = find_oracle(parts, OWN), parts.find("suite", "cogtaskonomy")
    assert dict(suite.oracles)["minilm"] == OWN and oracle.basis == "measured"
    assert oracle.transfers.sources == oracle.transfers.targets == suite.tasks
    assert np.isfinite(oracle.transfers.values).sum() == 132 and np.isfinite(oracle.no_transfer).all()
    made = oracle.provenance
    assert made["max_train"] == 1000 and made["backbone"]["name"] == "minilm" and made["model"]["revision"]
    assert made["data"].keys() == made["settings"].keys() == {*suite.tasks}
    assert "ms-marco is not the release" in oracle.note and oracle.seeds


def test_it_holds_figures_and_no_texts():
    held = json.loads((ORACLES / f"{OWN}.json").read_text())

    def texts(value):
        if isinstance(value, dict):
            return [t for v in value.values() for t in texts(v)]
        return [t for v in value for t in texts(v)] if isinstance(value, list) else [value] * isinstance(value, str)

    assert all(len(text.split()) < 30 and not text.startswith("/") for text in texts(held))
    assert not [*ORACLES.glob("*.npz")]


def test_it_is_of_the_data_that_it_names(shared_data):
    parts = load_parts()
    files = Files(shared_data, (("ms-marco", shared_data / "ms_marco_pairs_random_negatives"),), offline=True)
    for name, known in find_oracle(parts, OWN).provenance["data"].items():
        assert [parts.find("task", name).load(split, files).sha256 for split in ("train", "evaluation")] == known


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        (0, {"logme": 2.46, "knn": 3.12, "cra": 3.46, "hscore": 4.96}),
        (1, {"logme": 4.33, "knn": 3.54, "cra": 3.21, "hscore": 3.62}),
    ],
)
def test_what_the_documents_say_of_estimators_against_one_of_its_seeds(seed, told):
    oracle = find_oracle(load_parts(), OWN)
    assert oracle.seeds == (0, 1)
    values = np.where(oracle.transfers.same, np.nan, oracle.by_seed[seed])
    alone = replace(oracle, transfers=replace(oracle.transfers, values=values), seeds=(seed,), by_seed=None)
    for estimator, trs in told.items():
        (file,) = RESULTS.glob(f"{estimator}--minilm--*--{OWN}-*.json")
        assert rescore(Result.load(file), alone).scores.trs == pytest.approx(trs, abs=0.006)
