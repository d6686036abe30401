"""How sure an estimate is: the estimator on random halves of what it has read."""

from dataclasses import dataclass

import numpy as np
import pytest
from cogbench_estimators.baselines import LeastMoved, Size
from cogbench_estimators.combined import CRAandCNM
from cogbench_estimators.cra import CRA
from cogbench_estimators.dse import DSE
from cogbench_estimators.ridge import RidgeCNM

from cogbench import Files, Store, TaskMatrix, UnusableData
from cogbench.compute.evidence import Similarity
from cogbench.compute.resampled import DRAWS, HalvedEvidence, draw_scores
from cogbench.compute.workspace import Workspace
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal

*SOURCES, TARGET = TASKS[0], TASKS[2], TASKS[1]
NAMES = [task.name for task in SOURCES]


@pytest.fixture
def workspace(tmp_path):
    return Workspace(Files(offline=True), Store(tmp_path / "store"))


def cell_of(estimator, signal=None):
    return Similarity(estimator, ToyBackbone(), (*SOURCES, TARGET), signal, targets=(TARGET,))


@dataclass(frozen=True)
class MeanFeature:
    """The mean of the first feature of a target's examples."""

    name: str = "mean-feature"
    needs: frozenset = frozenset({"features"})

    def pieces(self, evidence):
        return {name: (name,) for name in evidence.tasks}

    def piece(self, evidence, name):
        return {"rows": np.array(len(evidence.features(name, name).values))}

    def similarity(self, evidence):
        rows = {name: int(piece["rows"]) for name, piece in evidence.pieces(self).items()}
        assert rows[TARGET.name] in (30, 60) and all(rows[name] == 60 for name in NAMES)
        values = [[evidence.features(source, TARGET.name).values[:, 0].mean()] for source in evidence.tasks]
        return TaskMatrix(evidence.tasks, evidence.targets, values)


def test_the_spread_over_halves_is_the_standard_error_of_a_mean(workspace):
    cell = cell_of(MeanFeature())
    draws = draw_scores(cell, NAMES, workspace, clock=lambda: 0.0)
    assert draws.scores.shape == (DRAWS, 2) and "100 random halves of the examples of toy-b; =" in draws.note
    evidence = HalvedEvidence(cell, workspace, 0, {})
    whole = [evidence.whole.features(name, TARGET.name) for name in NAMES]
    gaps = whole[0].values[:, 0] - whole[1].values[:, 0]
    in_class = [gaps[whole[0].answers == c] for c in (0, 1)]  # each class has its share in a half
    expected = np.sqrt(sum(np.var(g, ddof=1) * len(g) for g in in_class)) / len(gaps)
    assert np.std(draws.scores[:, 0] - draws.scores[:, 1], ddof=1) == pytest.approx(expected, rel=0.25)


def test_all_sources_are_seen_by_the_same_examples_and_nothing_is_kept_of_a_draw(workspace):
    evidence = HalvedEvidence(cell_of(MeanFeature()), workspace, 3, {})
    one, other = (evidence.features(name, TARGET.name) for name in NAMES)
    assert len(one.values) == 30 and (one.answers == other.answers).all() and len(one.probabilities) == 30
    assert len(evidence.features(NAMES[0], NAMES[1]).values) == 60  # of another task: all
    again = HalvedEvidence(cell_of(MeanFeature()), workspace, 4, {}).features(NAMES[0], TARGET.name)
    assert (again.values != one.values).any()
    draw_scores(cell_of(MeanFeature()), NAMES, workspace, clock=lambda: 0.0)
    kept = {path.parent.name[:5] for path in workspace.store.root.rglob("cell.json") if "mean-feature" in str(path)}
    assert kept == {*NAMES}  # pieces of the sources, which a draw does not change


@pytest.mark.parametrize("estimator", [DSE(), CRA(), RidgeCNM(), CRAandCNM(cnm=RidgeCNM())], ids=lambda e: e.name)
def test_stimuli_are_drawn_for_what_reads_stimuli(workspace, estimator, monkeypatch):
    monkeypatch.setattr("cogbench.compute.resampled.DRAWS", 20)
    cell = cell_of(estimator, ToySignal())
    evidence = HalvedEvidence(cell, workspace, 0, {})
    rows = [ToySignal().read(None).sentences.index(sentence) for sentence in evidence.stimuli]
    assert len(rows) == 20 and {len(r) for r in evidence.representations.values()} == {20}
    if "responses" in estimator.needs:
        recorded = ToySignal().read(None).subjects
        assert all((of.values == recorded[name].values[rows]).all() for name, of in evidence.responses.items())
    draws = draw_scores(cell, NAMES, workspace, clock=lambda: 0.0)
    assert "halves of the stimuli" in draws.note and np.isfinite(draws.scores).all()
    assert np.ptp(draws.scores, axis=0).min() > 0
    whole = cell.estimate(workspace).matrix.part(NAMES, [TARGET.name]).values[:, 0]
    assert draws.scores.mean(axis=0) == pytest.approx(whole, abs=3 * draws.scores.std(axis=0).max())


@pytest.mark.parametrize("estimator", [LeastMoved(), Size()], ids=lambda e: e.name)
def test_where_nothing_is_drawn_again_the_order_is_called_unsure(workspace, estimator):
    draws = draw_scores(cell_of(estimator), NAMES, workspace)
    assert draws.scores is None
    assert draws.note == f"nothing tells how sure the order is: what {estimator.name} reads is not drawn again."


@pytest.mark.parametrize("seconds, n_draws", [(0.0, 100), (1.0, 31), (9.0, None)])
def test_a_slow_estimator_has_fewer_draws_and_the_note_says_how_many(workspace, seconds, n_draws):
    times = iter(np.arange(1000) * seconds)
    draws = draw_scores(cell_of(MeanFeature()), NAMES, workspace, clock=lambda: next(times))
    if n_draws is None:
        assert draws.scores is None and "mean-feature takes too long" in draws.note
    else:
        assert len(draws.scores) == n_draws and f"over {n_draws} random halves" in draws.note


@dataclass(frozen=True)
class Demanding:
    """It wants all sixty examples."""

    error: type = UnusableData
    name: str = "demanding"
    needs: frozenset = frozenset({"features"})

    def similarity(self, evidence):
        raise self.error("fewer than 60 examples.\nand more")


@pytest.mark.parametrize("error", [UnusableData, ValueError])
def test_an_estimator_that_cannot_do_with_half_says_so_in_a_line(workspace, error):
    draws = draw_scores(cell_of(Demanding(error)), NAMES, workspace)
    expected = "demanding has no score for half of the examples of toy-b: fewer than 60 examples."
    assert draws.scores is None and draws.note == f"nothing tells how sure the order is: {expected}"
