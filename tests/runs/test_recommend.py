"""Recommendations for a target of one's own: ranked from what is trained, tried on request."""

import csv
import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from cogbench_estimators.baselines import Popularity
from command import line

from cogbench import (
    FailedCells,
    Files,
    MissingData,
    Store,
    TableTask,
    TaskMatrix,
    UnusableData,
    load_parts,
    recommend,
    run,
)
from cogbench.runs.recommend import none_helps
from cogbench.scoring.metrics import gap_error, score_outputs
from cogbench.testing.toys import TASKS, ToyBackbone
from cogbench.views.rows import recommendation_notes, recommendation_rows, recommendation_tables, recommendation_title

NAMES = tuple(t.name for t in TASKS)


@pytest.fixture
def world(toy_plugin, tmp_path):
    """The toys' parts, a store with three trained tasks, and a table like the second."""
    parts, store, files = load_parts(toy_plugin), Store(tmp_path / "store"), Files(offline=True)
    run("dse", "toy", suite="toy", tasks=NAMES[:3], jobs=0, parts=parts, store=store, files=files)
    rows = TASKS[1].load("train", files).columns
    path = tmp_path / "mine.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("sentence", "label"), *zip(rows["text"], rows["label"], strict=True)])
    common = {"suite": "toy", "parts": parts, "store": store, "files": files, "jobs": 0}
    return path, {"kind": "classification", "columns": [("text", "sentence")], **common}


def test_the_task_with_the_same_words_comes_first(world):
    path, common = world
    found = recommend(path, "dse", "toy", **common)
    assert found.ranking[0] == "toy-b" and found.untrained == ("toy-d",) and found.gains == ()
    assert [*found.similarity] == [*found.ranking] and found.similarity["toy-b"] == max(found.similarity.values())
    assert (found.target, found.kind, found.signal) == ("mine", "classification", "toy")
    assert found.notes[2] == "mine: 12 of 60 rows are held out to score on, a fifth, each class in its share."


def test_only_the_target_is_trained(world, monkeypatch):
    path, common = world
    trained = []
    train = ToyBackbone.train

    def counted(self, recipe, *args, **more):
        trained.append(recipe.task.name)
        return train(self, recipe, *args, **more)

    monkeypatch.setattr(ToyBackbone, "train", counted)
    recommend(path, "dse", "toy", **common)
    recommend(path, "dse", "toy", **common)
    assert trained == ["mine"]
    recommend(path, "dse", "toy", apply=True, k=2, **common)
    assert trained == ["mine"] * 3


def test_an_estimator_is_asked_for_the_target_alone(world):
    path, common = world

    @dataclass(frozen=True)
    class Asked:
        name: str = "asked"
        needs: frozenset = frozenset({"models"})

        def similarity(self, evidence):
            assert evidence.tasks == (*NAMES[:3], "mine") and evidence.targets == ("mine",)
            return TaskMatrix(evidence.tasks, evidence.targets, [[0.1], [0.3], [0.2], [np.nan]])

    found = recommend(path, Asked(), "toy", **common)
    assert found.ranking == ("toy-b", "toy-a", "toy-c")  # toy-c was not learned: last, though more alike than toy-a


def test_a_source_that_a_run_calls_not_learned_is_marked_and_ranks_last(world):
    path, common = world
    (result,) = run(
        "dse", "toy", tasks=NAMES[:3], **{n: common[n] for n in ("suite", "parts", "store", "files", "jobs")}
    )
    found = recommend(path, "dse", "toy", **common)
    assert found.learned == {name: result.tasks[name].learned for name in found.ranking}
    assert found.learned == {"toy-b": True, "toy-a": True, "toy-c": False} and found.ranking[-1] == "toy-c"
    assert [row["learned"] for row in recommendation_rows(found)] == ["yes", "yes", "NO"]
    assert found.notes[0].startswith("not learned: toy-c. The score of each does not lie above that of a constant")
    assert "not learned: toy-c" in recommend(path, "dse", "toy", k=1, **common).notes[0]


def test_gains_are_those_of_the_transfers_with_the_error_of_their_gap(world):
    path, common = world
    found = recommend(path, "dse", "toy", apply=True, k=2, **common)
    assert [g.source for g in found.gains] == list(found.ranking) and len(found.gains) == 2
    for gain in found.gains:
        assert gain.gain == pytest.approx(gain.value - gain.no_transfer) and gain.standard_error >= 0


@dataclass(frozen=True)
class NearlyEqual:
    """Three sources differ by a step, and perhaps far more from half to half of the examples."""

    step: float
    noise: float = 0.1
    name: str = "nearly-equal"
    needs: frozenset = frozenset({"features"})

    def similarity(self, evidence):
        seen = evidence.features("toy-a", "mine").values[:, 0].sum()
        noise = np.random.default_rng(int(abs(seen) * 1e6)).normal(size=4) * self.noise
        values = (
            -0.79336
            - self.step * np.array([2, 1, 3, 0])
            + noise * (len(evidence.features("toy-a", "mine").values) < 48)
        )
        return TaskMatrix(evidence.tasks, evidence.targets, values[:, None])


def test_sources_that_chance_does_not_tell_apart_share_a_place(world):
    path, common = world
    found = recommend(path, NearlyEqual(1e-3), "toy", **common)
    rows = recommendation_rows(found)
    assert [row[""] for row in rows] == ["1=", "1=", "3"]  # the third was not learned
    assert [row["similarity"] for row in rows] == ["-0.7944", "-0.7954", "-0.7964"]
    assert rows[0]["difference"] == "" and rows[1]["difference"].startswith("-0.0010 ± 0.1")
    first = recommend(path, NearlyEqual(1e-3), "toy", k=1, **common)
    assert "not told from the sources of place 1 above: toy-a." in first.notes and [*first.places] == ["toy-b"]
    sure = recommend(path, NearlyEqual(1e-5, noise=0), "toy", **common)
    assert [row[""] for row in recommendation_rows(sure)] == ["1", "2", "3"]
    assert [row["similarity"] for row in recommendation_rows(sure)] == ["-0.79337", "-0.79338", "-0.79339"]
    rounding = recommend(path, NearlyEqual(1e-8, noise=0), "toy", **common)
    assert [row[""] for row in recommendation_rows(rounding)] == ["1=", "1=", "3"]


def test_no_transfer_is_a_row_and_none_at_all_an_answer(world):
    path, common = world
    found = recommend(path, "dse", "toy", apply=True, k=2, **common)
    *tried, alone = recommendation_rows(found)
    assert [row["source"] for row in tried] == [*found.ranking] and alone["source"] == "no transfer"
    assert alone["accuracy"] == f"{found.gains[0].no_transfer:.3f}" and {*alone} == {*tried[0]}
    for factor, expected in ((1.9, True), (2.1, False)):
        gains = [replace(g, gain=factor * 0.01, standard_error=0.01) for g in found.gains]
        assert none_helps(gains) == expected
        title = recommendation_title(replace(found, none_helps=expected))
        assert title.startswith("train none first: no source tried" if expected else "what to train first for mine")
    assert found.none_helps == none_helps(found.gains) and not recommend(path, "dse", "toy", **common).none_helps
    assert not none_helps([])


def test_what_the_estimator_is_worth_stands_beside_the_ranking(world):
    path, common = world
    found = recommend(path, "dse", "toy", **common)
    worth = [(row["TRS, 1 is perfect"], row["chance"]) for row in [*recommendation_tables(found).values()][1]]
    assert ("4.75", "6.00") in worth and len(worth) >= 3
    assert recommendation_notes(found) == [*found.notes]
    unknown = recommend(path, Reader(), "toy", description="moods", **common)
    assert unknown.worth == () and len(recommendation_tables(unknown)) == 1
    assert recommendation_notes(unknown)[0].startswith("reader is not on the board of measured oracles: nothing here")


def test_the_error_of_a_gap_is_smaller_than_that_of_two_scores_apart():
    files, rng = Files(offline=True), np.random.default_rng(0)
    evaluation, train = (TASKS[0].load(s, files) for s in ("evaluation", "train"))
    one = rng.normal(size=(len(evaluation), 2))
    assert gap_error("accuracy", one, one, evaluation) == 0
    other = one.copy()
    other[:5] *= -1  # five other answers
    apart = np.hypot(*(score_outputs("accuracy", o, evaluation, train).standard_error for o in (one, other)))
    assert 0 < gap_error("accuracy", one, other, evaluation) < apart


def test_a_target_may_be_a_task_by_name_or_of_ones_own(world):
    path, common = world
    named = recommend("toy-a", "dse", "toy", **common)
    assert set(named.ranking) == {"toy-b", "toy-c"} and named.kind == "classification"
    own = TableTask("own", str(path), columns=(("text", "sentence"),))
    assert recommend(own, "dse", "toy", **common).ranking[0] == "toy-b"


@dataclass(frozen=True)
class Reader:
    """Every task is as alike as the target's description is long."""

    name: str = "reader"
    needs: frozenset[str] = frozenset({"cards"})

    def similarity(self, evidence):
        n = len(evidence.cards["mine"].description) or np.nan
        return TaskMatrix.square(evidence.tasks, np.full((len(evidence.tasks),) * 2, float(n)))


def test_a_table_has_the_description_that_it_is_given(world):
    path, common = world
    assert {*recommend(path, Reader(), "toy", description="moods", **common).similarity.values()} == {5}


@dataclass(frozen=True)
class Knowing:
    """It has an estimate of `of` alone."""

    of: str
    name: str = "knowing"
    needs: frozenset[str] = frozenset()

    def similarity(self, evidence):
        values = np.full((len(evidence.tasks),) * 2, np.nan)
        if self.of in evidence.tasks:
            values[evidence.tasks.index(self.of)] = 1
        evidence.note("the others are of another kind.")
        return TaskMatrix.square(evidence.tasks, values)


def test_a_source_without_an_estimate_is_neither_placed_nor_tried(world):
    path, common = world
    found = recommend(path, Knowing("toy-b"), "toy", apply=True, **common)
    assert [gain.source for gain in found.gains] == ["toy-b"]
    assert [row[""] for row in recommendation_rows(found)] == ["1", "–", "–", ""]
    with pytest.raises(UnusableData) as caught:
        recommend(path, Knowing("nothing"), "toy", apply=True, **common)
    assert str(caught.value).splitlines() == [
        "no source has an estimate by knowing for 'mine', so none is ranked.",
        "the others are of another kind.",
        "no pair of tasks has a score, so that the ranking is chance",
    ]


@dataclass(frozen=True)
class Failing:
    """Its similarity cannot be computed."""

    error: str
    name: str = "failing"
    needs: frozenset[str] = frozenset()

    def similarity(self, evidence):
        raise UnusableData(self.error) if self.error.endswith(".") else ValueError(self.error)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("neurons=9: too many.", "^neurons=9: too many[.]$"),
        ("a slip", "^ValueError: a slip [(]its log: .*[)][.] The same command computes only what is missing[.]$"),
    ],
)
def test_only_what_may_succeed_the_next_time_is_to_be_tried_again(world, error, says):
    path, common = world
    with pytest.raises(FailedCells, match=says):
        recommend(path, Failing(error), "toy", **common)


def test_what_cannot_be_ranked_is_one_clear_line(world, tmp_path):
    path, common = world
    with pytest.raises(UnusableData, match="say with --kind which kind of task"):
        recommend(path, "dse", "toy", **{**common, "kind": None})
    with pytest.raises(MissingData, match="no file 'nothing.csv'"):
        recommend("nothing.csv", "dse", "toy", **common)
    with pytest.raises(UnusableData, match="'toy-a' is a task, which has an evaluation of its own"):
        recommend("toy-a", "dse", "toy", evaluation=path, **common)
    with pytest.raises(
        UnusableData, match="'popularity' reads measured transfers, and there are none to a target of your own"
    ):
        recommend(path, Popularity(), "toy", **common)
    peeking = replace(load_parts().estimators["vocabulary"], needs=frozenset({"texts", "evaluation"}))
    with pytest.raises(UnusableData, match="'vocabulary' reads the evaluation split, whose answers a recommendation"):
        recommend(path, peeking, "toy", **common)
    with pytest.raises(MissingData, match=r"has 0 of these tasks trained on 'toy' with seed 5; `cogbench run`"):
        recommend(path, "dse", "toy", seed=5, **common)
    with pytest.raises(UnusableData, match="'cra' has 2 settings; here it takes one value an option"):
        recommend(path, "cra", "toy", set=("cra.similarity=cosine,pearson",), **common)


def test_the_command_prints_a_table_or_json(world, monkeypatch, toy_plugin):
    from click.testing import CliRunner

    from cogbench.cli.main import cli
    from cogbench.parts import registry

    path, common = world
    installed = registry.load_parts
    monkeypatch.setattr(registry, "load_parts", lambda: installed(toy_plugin))
    monkeypatch.setenv("COGBENCH_HOME", str(common["store"].root))
    words = f"recommend --target {path} --kind classification --columns text=sentence --estimator dse --backbone toy"
    words += " --suite toy --jobs 0 --offline"
    found = CliRunner().invoke(cli, [*words.split(), "--apply", "-k", "1"])
    assert found.exit_code == 0, found.output
    assert "toy-b" in found.stdout and "±" in found.stdout and "not trained, so not ranked: toy-d" in found.stdout
    held = json.loads(CliRunner().invoke(cli, [*words.split(), "--json"]).stdout)
    assert held["ranking"][0] == "toy-b"
    assert (
        line(CliRunner().invoke(cli, [*words.replace(str(path), "x.csv").split()]), 3) == "cogbench: no file 'x.csv'."
    )
    frame = pd.read_csv(path).rename(columns={"sentence": "a, b"})
    frame.loc[3, "label"] = None
    frame.to_csv(gap := path.with_name("gap.csv"), index=False)
    other = words.replace(str(path), str(gap)).replace("--columns text=sentence", "").split() + [
        "--column",
        "text=a, b",
    ]
    assert "row 5 has no label, and 1 of 60 rows lack one" in line(CliRunner().invoke(cli, other), 3)
    more = ["--drop-missing", "--evaluation", str(gap), "--max-evaluation", "10", "--json"]
    held = json.loads(CliRunner().invoke(cli, [*other, *more]).stdout)
    assert "gap: 1 of 60 rows are left out: they have no text or no label." in held["notes"]
    assert "gap: 10 of 59 evaluation examples are scored on, each class in its share." in held["notes"]
    assert "is not of the form text=COLUMN" in CliRunner().invoke(cli, [*other[:-1], "a, b"]).stderr
    unknown = line(CliRunner().invoke(cli, [*words.replace(str(path), "toy-z").split()]), 2)
    assert unknown.startswith("cogbench: unknown target 'toy-z'; did you mean 'toy-")
    assert unknown.endswith("or a data set of the hub, namespace/name.") and "mini-" not in unknown


def test_rows_in_memory_are_a_target(world):
    path, common = world
    frame = pd.read_csv(path)
    found = recommend(frame, "dse", "toy", **common)
    assert found.target == "own-rows" and found.ranking == recommend(path, "dse", "toy", **common).ranking
    dataset = TASKS[1].load("train", common["files"])
    assert recommend(dataset, "dse", "toy", **{**common, "kind": None, "columns": ()}).ranking == found.ranking


def test_a_table_named_like_a_task_is_another_task(world):
    path, common = world
    (same := path.with_name("toy-a.csv")).write_text(path.read_text())
    assert recommend(same, "dse", "toy", **common).target == "toy-a-own"
