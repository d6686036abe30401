"""The seconds of an estimator alone: what counts, what does not, and that the store remembers them."""

import json
from dataclasses import dataclass, replace

import pytest

from cogbench import FeatureOptions, Files, Result, Store, TaskMatrix, leaderboard, load_parts, run
from cogbench.testing.toys import TASKS, ToyBackbone

TRAIN, REPRESENT, MATRIX, BATCHES = 1000.0, 10.0, 1.0, 100.0  # seconds
PAIRS = len(TASKS) * (len(TASKS) - 1)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


CLOCK = Clock()


@dataclass(frozen=True)
class Timed:
    """Reads representations."""

    name: str = "timed"
    needs: frozenset[str] = frozenset({"representations"})

    def similarity(self, evidence):
        CLOCK.now += MATRIX
        values = [[float(evidence.representations[s][0] @ evidence.representations[t][1]) for t in evidence.tasks]
                  for s in evidence.tasks]  # fmt: skip
        return TaskMatrix.square(evidence.tasks, values)


@dataclass(frozen=True)
class Looking:
    """Reads features of every pair, which are computed when they are asked for."""

    name: str = "looking"
    needs: frozenset[str] = frozenset({"features"})
    features: FeatureOptions = FeatureOptions(examples=8)
    factor: float = 1.0

    def similarity(self, evidence):
        CLOCK.now += MATRIX
        values = [[0.0 if s == t else self.factor * float(evidence.features(s, t, self.features).values.mean())
                   for t in evidence.tasks] for s in evidence.tasks]  # fmt: skip
        return TaskMatrix.square(evidence.tasks, values)


@dataclass(frozen=True)
class Sloping:
    """Goes through each task's own model with its examples, and back twice."""

    name: str = "sloping"
    needs: frozenset[str] = frozenset({"models", "batches"})

    def similarity(self, evidence):
        for task in evidence.tasks:
            model = evidence.model(task)
            for batch in evidence.batches(task, "train"):
                loss = model(**batch).loss
                loss.backward(retain_graph=True)
                loss.backward()
        n = len(evidence.tasks)
        return TaskMatrix.square(evidence.tasks, [[float(i * n + j) for j in range(n)] for i in range(n)])


@dataclass(frozen=True)
class Both:
    """A member of its own, and trainings of its own, of which its details tell."""

    name: str = "both"
    needs: frozenset[str] = frozenset({"representations"})
    member: Timed = Timed()

    def similarity(self, evidence):
        CLOCK.now += MATRIX
        evidence.detail("cost", {"trainings": 3, "seconds": 5.0})
        return evidence.similarity(self.member)


@pytest.fixture
def ask(toy_plugin, tmp_path, monkeypatch):
    parts = load_parts(toy_plugin)
    monkeypatch.setattr("cogbench.compute.workspace.process_time", CLOCK)

    def slow(verb, seconds):
        real = getattr(ToyBackbone, verb)

        def method(self, *args, **how):
            CLOCK.now += seconds
            return real(self, *args, **how)

        monkeypatch.setattr(ToyBackbone, verb, method)

    for verb, seconds in {"train": TRAIN, "represent": REPRESENT, "batches": BATCHES}.items():
        slow(verb, seconds)
    how = {"suite": "toy", "jobs": 0, "parts": parts, "files": Files(offline=True), "store": Store(tmp_path / "store")}
    return lambda estimators, **more: run(estimators, "toy", **how, **more)


def own(results):
    return [result.provenance.estimator_seconds for result in results]


def test_trainings_do_not_count_and_what_stands_in_the_store_does(ask, tmp_path):
    expected = MATRIX + len(TASKS) * REPRESENT
    assert own(ask(Timed())) == [expected]
    assert own(ask(Timed())) == [expected]  # all from the store
    assert own(ask("dse")) == [len(TASKS) * REPRESENT]  # shares the representations; this clock stands still for it
    assert own(ask(Timed(), seeds=(0, 1))) == [2 * expected]


def test_features_that_another_estimator_has_asked_for_first_count_too(ask):
    expected = MATRIX + PAIRS * BATCHES
    first, second = Looking(), Looking(name="looking-2", factor=2.0)
    assert own(ask([first, second])) == [expected, expected]
    assert own(ask([second, first])) == [expected, expected]


def test_members_and_trainings_of_its_own_count(ask):
    assert own(ask(Both())) == [2 * MATRIX + len(TASKS) * REPRESENT + 5.0]


def test_a_store_of_an_older_version_does_not_know(ask, tmp_path):
    ask(Timed())
    (record,) = (tmp_path / "store/toy").glob("timed-*/seed-0-*/cell.json")
    content = json.loads(record.read_text())
    assert content.pop("seconds") == MATRIX and len(content.pop("reads")) == len(TASKS)
    record.write_text(json.dumps(content))
    (result,) = ask(Timed())
    assert result.provenance.estimator_seconds is None and result.provenance.cells.computed == 0


def test_the_key_of_a_cell_knows_no_seconds(ask, tmp_path, monkeypatch):
    ask(Timed())
    keys = {path.parent.name for path in tmp_path.rglob("cell.json")}
    monkeypatch.setattr(CLOCK, "now", 1e6)
    ask(Timed())
    assert {path.parent.name for path in tmp_path.rglob("cell.json")} == keys


def test_a_board_has_the_seconds_of_the_estimator_and_former_results_have_none(ask, tmp_path):
    (result,) = ask(Timed())
    assert result.provenance.seconds != result.provenance.estimator_seconds
    board = leaderboard([result])[0]
    assert [entry.seconds for entry in board.entries if entry.kind == "result"] == [MATRIX + len(TASKS) * REPRESENT]
    former = replace(result, provenance=replace(result.provenance, estimator_seconds=None))
    assert [entry.seconds for entry in leaderboard([former])[0].entries if entry.kind == "result"] == [None]
    again = Result.load(result.save(tmp_path / "results"))
    assert again.provenance == result.provenance


def test_what_results_of_a_run_share_is_told(ask):
    from cogbench.views.card import in_cells

    first, second = ask([Timed(), "dse"])
    for result in (first, second):
        cells = result.provenance.cells
        assert (cells.computed, cells.cached, cells.shared) == (9, 0, 8)
        assert in_cells(cells) == "8 shared, 1 computed, 0 cached"
    (alone,) = ask([replace(Timed(), name="timed-2")])
    assert in_cells(alone.provenance.cells) == "1 computed, 8 cached"


def test_an_estimator_that_reads_an_oracle_alone_is_timed(toy_plugin, tmp_path):
    (result,) = run("popularity", oracle="toy-oracle", parts=load_parts(toy_plugin), store=Store(tmp_path))
    assert result.provenance.estimator_seconds >= 0


def test_passes_are_counted_forward_and_backward_whoever_asked_first(toy_plugin, tmp_path):
    how = {"suite": "toy", "jobs": 0, "parts": load_parts(toy_plugin), "files": Files(offline=True)}
    n_rows = sum(len(task.load("train", Files(offline=True))) for task in TASKS)
    asked_for = Looking.features.examples
    for estimators in ([Looking(), Looking(name="looking-2", factor=2.0)], [Sloping()]):
        for result in run(estimators, "toy", store=Store(tmp_path / estimators[0].name), **how):
            own = result.provenance
            if result.estimator == "sloping":
                assert (own.estimator_forward, own.estimator_backward) == (n_rows, 2 * n_rows)
            else:  # every task's model looks at some examples of every other task
                assert (own.estimator_forward, own.estimator_backward) == (PAIRS * asked_for, 0)
