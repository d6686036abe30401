"""The shipped oracle of real transfers: what it was measured with, and that it is of the data that it names."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from cogbench_tasks import paper
from cogbench_tasks.paper import ORACLES

from cogbench import Files, Result, leaderboard, load_parts, rank, rescore
from cogbench.parts.oracle_names import find_oracle
from cogbench.scoring.paired import holm
from cogbench.scoring.ranking import true_ranking

ROOT = Path(__file__).parents[2]
OWN = paper.OWN["minilm"]
RESULTS = ROOT / "docs" / "results"
LEADING = ("cra", "logme", "knn")
KNOW_PAIRS = ("linear-probe", "parc", "knn", "gbc", "taskemb")


@pytest.mark.parametrize("backbone", paper.OWN)
def test_it_is_the_usual_one_of_its_backbone_and_says_what_it_was_measured_with(backbone):
    parts = load_parts()
    oracle, suite = find_oracle(parts, paper.OWN[backbone]), parts.find("suite", "cogtaskonomy")
    assert dict(suite.oracles)[backbone] == paper.OWN[backbone] and oracle.basis == "measured"
    assert oracle.transfers.sources == oracle.transfers.targets == suite.tasks
    assert np.isfinite(oracle.transfers.values).sum() == 132 and np.isfinite(oracle.no_transfer).all()
    provenance = oracle.provenance
    assert provenance["max_train"] == 1000 and provenance["backbone"]["name"] == backbone
    assert provenance["model"]["revision"]
    assert provenance["data"].keys() == provenance["settings"].keys() == {*suite.tasks}
    assert "ms-marco is not the release" in oracle.note and oracle.seeds


@pytest.mark.parametrize("name", paper.OWN.values())
def test_it_holds_figures_and_no_texts(name):
    stored = json.loads((ORACLES / f"{name}.json").read_text())

    def texts(value):
        if isinstance(value, dict):
            return [t for v in value.values() for t in texts(v)]
        return [t for v in value for t in texts(v)] if isinstance(value, list) else [value] * isinstance(value, str)

    assert all(len(text.split()) < 30 and not text.startswith("/") for text in texts(stored))
    assert not [*ORACLES.glob("*.npz")]


@pytest.mark.parametrize("own", paper.OWN.values())
def test_it_is_of_the_data_that_it_names(own, shared_data):
    parts = load_parts()
    files = Files(shared_data, (("ms-marco", shared_data / "ms_marco_pairs_random_negatives"),), offline=True)
    for name, hashes in find_oracle(parts, own).provenance["data"].items():
        assert [parts.find("task", name).load(split, files).sha256 for split in ("train", "evaluation")] == hashes


@pytest.fixture(scope="module")
def oracle():
    return find_oracle(load_parts(), OWN)


@pytest.fixture(scope="module")
def results():
    """The shipped results that know no transfers, by estimator."""
    files = sorted(RESULTS.glob(f"*--minilm--*--{OWN}-*.json"))
    shipped = {result.estimator: result for result in map(Result.load, files) if not result.uses_oracle}
    shipped.pop("random")
    return shipped


@pytest.fixture(scope="module")
def scores(results):
    return {estimator: result.scores for estimator, result in results.items()}


@pytest.fixture(scope="module")
def entries(results):
    """The rows of their board by estimator."""
    (board,) = leaderboard([*results.values()])
    assert board.tries == len(results) == 30
    return {entry.estimator: entry for entry in board.entries}


@pytest.mark.parametrize(
    ("seed", "trs", "p"),
    [
        (0, {"logme": 2.12, "knn": 2.92, "cra": 3.46, "hscore": 5.12}, (0.000, 0.001, 0.014, 0.187)),
        (1, {"logme": 3.92, "knn": 3.79, "cra": 3.21, "hscore": 3.62}, (0.024, 0.019, 0.006, 0.007)),
    ],
)
def test_estimators_against_one_of_its_seeds(seed, trs, p, oracle, results):
    assert oracle.seeds == (0, 1)
    values = np.where(oracle.transfers.same, np.nan, oracle.by_seed[seed])
    alone = replace(oracle, transfers=replace(oracle.transfers, values=values), seeds=(seed,), by_seed=None)
    for (estimator, of_seed), p_value in zip(trs.items(), p, strict=True):
        scores = rescore(results[estimator], alone).scores
        assert scores.trs.value == pytest.approx(of_seed, abs=0.006)
        assert scores.trs.p.p == pytest.approx(p_value, abs=0.002)


@pytest.mark.parametrize("estimator", ["cra", "logme"])
def test_the_shipped_scores_are_those_that_scoring_gives_today(estimator, oracle, results):
    assert rescore(results[estimator], oracle) == results[estimator]


def test_one_estimator_is_better_than_chance_after_holms_correction_and_two_come_near(entries, scores):
    assert {e: round(scores[e].trs.value, 2) for e in LEADING} == {"cra": 2.67, "logme": 2.75, "knn": 3.25}
    assert [round(scores[e].trs.p.p, 4) for e in LEADING] == [0.0021, 0.0007, 0.005]
    corrected = {name: entry.scores["corrected p"] for name, entry in entries.items() if entry.kind == "result"}
    assert [round(corrected[e], 3) for e in LEADING] == [0.061, 0.021, 0.13]
    assert {name for name, p in corrected.items() if p <= 0.05} == {"logme"}
    for name in ("cra+cnm[cnm.seeds=5]", "hscore"):
        assert 0.02 < scores[name].trs.p.p < 0.05 and corrected[name] > 0.45


def test_independent_choices_make_p_too_small_for_an_estimator_with_favourites(scores):
    assert scores["cra"].trs.p_independent < 0.0005 < 0.001 < scores["cra"].trs.p.p
    assert round(scores["size"].trs.p_independent, 2) == 0.11 and round(scores["size"].trs.p.p, 2) == 0.22


def test_the_lowest_trs_is_not_better_than_chance_so_none_is_first_and_none_is_told_from_it(entries):
    assert min(entries, key=lambda e: entries[e].scores["trs"]) == "cra"
    assert not any(entry.standing for entry in entries.values())
    to_lowest = {name: entry.first_p for name, entry in entries.items() if entry.first_p is not None}
    assert len(to_lowest) == 29 and min(to_lowest, key=to_lowest.get) == "description"
    assert round(to_lowest["description"], 3) == 0.057


def test_one_source_is_most_of_what_cra_picks_and_its_model_did_not_learn_it(results):
    cra = results["cra"]
    assert [cra.matrix.sources[i] for i in np.argmax(rank(cra.matrix).picks(1), axis=0)].count("squad-v2") == 7
    assert not cra.tasks["squad-v2"].learned
    assert (round(cra.tasks["squad-v2"].value, 3), round(cra.tasks["squad-v2"].trivial, 3)) == (0.477, 0.498)


def test_no_estimator_is_better_than_popularity_and_few_are_worse(results, scores):
    assert {round(result.baselines["popularity"], 2) for result in results.values()} == {3.10}
    paired = {name: s.skill.popularity for name, s in scores.items()}
    lower = {name: d for name, d in paired.items() if d.difference < 0}
    assert {name: round(d.difference, 2) for name, d in lower.items()} == {"cra": -0.44, "logme": -0.35}
    assert round(lower["cra"].sign_flips.p, 2) == 0.73 and round(lower["cra"].p, 1) == 0.8
    assert round(lower["logme"].p, 2) == 0.78
    worse = {name for name, d in paired.items() if d.p <= 0.05}
    assert worse == {"textemb", "description", "cnm-ridge", "cnm[seeds=5]", "mips", "zero-shot"}
    assert min(holm([d.p for d in paired.values()])) > 0.05
    assert sum(d.sign_flips.p <= 0.05 for d in paired.values()) == 10  # which take targets for independent
    detectable = [d.detectable for d in paired.values()]
    assert 1.4 < min(detectable) and round(float(np.median(detectable)), 1) == 3.0


def test_five_estimators_know_something_of_the_pair_and_cra_is_not_among_them(scores):
    skills = {name: s.skill for name, s in scores.items() if s.skill.p}
    assert {*scores} - {*skills} == {"size", "least-moved", "least-learned", "zero-shot"}  # the same for all targets
    corrected = dict(zip(skills, holm([skill.p.p for skill in skills.values()]), strict=True))
    assert {name for name, p in corrected.items() if p <= 0.05} == {*KNOW_PAIRS}
    assert [round(skills[name].rho, 2) for name in KNOW_PAIRS] == [0.36, 0.34, 0.32, 0.31, 0.31]
    assert round(skills["logme"].rho, 2) == 0.27 and round(corrected["logme"], 3) == 0.072
    assert round(skills["cra"].rho, 2) == 0.13 and round(skills["cra"].p.p, 2) == 0.10
    for name in ("linear-probe", "taskemb"):
        assert scores[name].trs.p.p > 0.05


def test_baselines_that_look_at_nothing_of_the_target_are_as_good_as_the_first(entries, scores):
    assert {e: round(scores[e].trs.value, 2) for e in ("least-moved", "least-learned")} == {
        "least-moved": 3.25,
        "least-learned": 3.54,
    }
    for name in ("least-moved", "least-learned"):
        assert entries[name].first_p == 1 and scores[name].trs.p.p > 0.05


def test_the_five_targets_with_the_least_spread_are_not_noise_alone(oracle):
    ranks, same = true_ranking(oracle).ranks, oracle.transfers.same
    error = np.nanmean(np.where(same, np.nan, oracle.evaluation_error), axis=0)
    close = np.nanstd(oracle.transfers.values, axis=0, ddof=1) < error
    assert close.sum() == 5
    best = int(np.nanmean(ranks[:, ~close], axis=1).argmin())
    assert oracle.transfers.sources[best] == "sts-b" and round(ranks[best, close].mean(), 1) == 2.6
    sums = np.array([*product(range(1, 12), repeat=5)]).sum(axis=1)
    assert round(float((sums <= ranks[best, close].sum()).mean()), 3) == 0.008
