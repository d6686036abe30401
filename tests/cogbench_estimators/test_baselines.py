"""Estimators that look at no model, on the paper's own tables."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from cogbench_estimators.baselines import LeastLearned, LeastMoved, OtherPLM, Pivot, Popularity, Random, Size
from numpy.testing import assert_allclose

from cogbench import Oracle, TaskMatrix, UnknownName, UnusableData, load_parts
from cogbench.compute.features import weight_change
from cogbench.parts.oracle_names import find_oracle
from cogbench.scoring.evaluation import score_guess
from cogbench.testing import check_estimator

PARTS = load_parts()
BERT, TINYBERT = (find_oracle(PARTS, f"cogtaskonomy-{name}") for name in ("bert", "tinybert"))


class Given:
    """Evidence of the paper's tasks, scored against one of its oracles."""

    seed = 0

    def __init__(self, oracle=BERT, others=()):
        self.oracle, self.oracles = oracle, {o.name: o for o in others}
        self.tasks = oracle.transfers.sources
        self.cards = {t: PARTS.tasks[t].card for t in self.tasks if t in PARTS.tasks}
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def trs(estimator, oracle, others=()):
    return score_guess(estimator.similarity(Given(oracle, others)), oracle).trs.value


@pytest.mark.parametrize(
    ("estimator", "bert", "tinybert"),
    # Computed by hand from the paper's Tables 6 and 7, whose rounding gives the average ranks.
    [(Size(), 4.4583, 3.3333), (Popularity(), 7.875, 1.8333)],
    ids=["size", "popularity"],
)
def test_known_trs_on_the_papers_tables(estimator, bert, tinybert):
    assert trs(estimator, BERT) == pytest.approx(bert, abs=1e-4)
    assert trs(estimator, TINYBERT) == pytest.approx(tinybert, abs=1e-4)


def test_the_other_plm_is_a_guess_at_this_one():
    assert trs(OtherPLM(), BERT, [TINYBERT]) == pytest.approx(5.25)
    # BERT's best sources of QQP tie; here they rank 10 and 6, so their mean 8 counts (the first alone: 5.33).
    assert trs(OtherPLM(), TINYBERT, [BERT]) == pytest.approx(62 / 12)


def test_the_other_plm_can_be_named_and_must_be_there():
    chosen = Given(BERT, [TINYBERT, BERT])
    found = OtherPLM(oracle="cogtaskonomy-bert").similarity(chosen)
    assert np.array_equal(found.values, BERT.transfers.values, equal_nan=True)
    assert chosen.notes == ["other-plm: the transfers of cogtaskonomy-bert."]
    with pytest.raises(UnknownName, match="unknown oracle of these tasks 'x'"):
        OtherPLM(oracle="x").similarity(chosen)
    with pytest.raises(UnusableData, match="no other installed oracle knows these tasks"):
        OtherPLM().similarity(Given())


def test_ms_marco_counts_queries_and_no_sample_changes_a_size():
    matrix = Size().similarity(Given())
    column = dict(zip(matrix.sources, matrix.values[:, matrix.targets.index("cola")], strict=True))
    assert max(column, key=lambda s: np.nan_to_num(column[s])) == "mnli"
    assert np.exp(column["ms-marco"]) == pytest.approx(PARTS.tasks["ms-marco"].card.rows) and column["ms-marco"] < 12


@pytest.mark.parametrize("oracle", [BERT, TINYBERT], ids=lambda oracle: oracle.name)
def test_random_has_exactly_the_scores_that_chance_has_in_the_mean(oracle):
    matrix = Random().similarity(Given(oracle))
    assert not np.nan_to_num(matrix.values).any(), "no source is preferred"
    found = score_guess(matrix, oracle)
    assert (found.trs.value, found.trs.chance, found.ranking.rank_of_best) == pytest.approx((6, 6, 6))
    assert found.trs.p.p == 1 and found.top_k.share == pytest.approx(found.top_k.chance)
    assert found.metric.selected == pytest.approx(found.metric.random)
    assert found.gains.selected == pytest.approx(found.gains.random)


def test_the_other_plm_of_a_metric_whose_lower_figures_are_better_turns_it():
    tasks, values = ("cola", "rte", "mnli"), np.array([[0, 0.3, 5], [0.1, 0, 3], [0.2, 0.4, 0]])
    other = Oracle("other", "b", "s", TaskMatrix.square(tasks, values), better={"mnli": "lower"})
    found = OtherPLM().similarity(Given(other, [other]))
    assert found.values[:2, 2].tolist() == [-5, -3] and found.values[1:, 0].tolist() == [0.1, 0.2]
    assert score_guess(found, other).trs.value == 1


@pytest.mark.parametrize(
    "estimator", [Random(), Size(), LeastMoved(), LeastLearned(), Popularity(), OtherPLM()], ids=lambda e: e.name
)
def test_they_keep_the_promises_of_an_estimator(estimator):
    check_estimator(estimator)


class Learned:
    """Evidence of three tasks whose encoders moved by 1, 2 and 0 of length 10, and that learned differently well."""

    tasks = ("one", "two", "none")
    moved = {"one": [0.0, 1.0], "two": [2.0, 0.0], "none": [0.0, 0.0]}
    task_scores = {
        "one": SimpleNamespace(value=0.9, trivial=0.8),  # half of the way
        "two": SimpleNamespace(value=0.6, trivial=0.0),
        "none": SimpleNamespace(value=0.4, trivial=0.5),
    }

    def weights(self, task, *, tuned=True):
        body = np.array([6.0, 8.0]) + (np.array(self.moved[task]) if tuned else 0)
        return {"body": body, "head": np.ones(3)} if tuned else {"body": body}

    def weight_change(self, task):
        return weight_change(self.weights(task, tuned=False), self.weights(task))


def test_the_source_that_moved_least_is_the_same_for_all_targets():
    matrix = LeastMoved().similarity(Learned())
    assert matrix.sources == Learned.tasks
    for j, target in enumerate(matrix.targets):
        others = {s: v for s, v in zip(matrix.sources, matrix.values[:, j], strict=True) if s != target}
        assert others == pytest.approx({s: v for s, v in {"one": -0.1, "two": -0.2, "none": 0}.items() if s != target})


def test_the_source_that_was_learned_least_lies_nearest_to_a_constant_answer():
    matrix = LeastLearned().similarity(Learned())
    assert matrix.values[:, 0][1:] == pytest.approx([-0.6, 0.2]) and matrix.values[0, 1] == pytest.approx(-0.5)


def test_a_model_that_shares_no_weights_with_the_bare_encoder_is_one_line():
    class Other(Learned):
        def weights(self, task, *, tuned=True):
            return {"other" if tuned else "body": np.ones(2)}

    with pytest.raises(UnusableData, match="^a trained model and the bare encoder share no weights.$"):
        LeastMoved().similarity(Other())


def test_the_mean_of_a_family_wants_one_metric_of_a_target():
    same = replace(TINYBERT, name="again")
    chosen = Given(BERT, [TINYBERT, same])
    mean = OtherPLM(oracle="cogtaskonomy").similarity(chosen)
    assert np.array_equal(mean.values, TINYBERT.transfers.values, equal_nan=True)
    assert chosen.notes == ["other-plm: the transfers of cogtaskonomy-tinybert, again."]
    other = replace(same, metrics={**same.metrics, "cola": "accuracy"})
    with pytest.raises(
        UnusableData, match="have different metrics of cola, mcc in cogtaskonomy-tinybert and accuracy in"
    ):
        OtherPLM(oracle="cogtaskonomy").similarity(Given(BERT, [TINYBERT, other]))
    turned = replace(same, better={"cola": "lower"})
    with pytest.raises(UnusableData, match="different metrics of cola"):
        OtherPLM(oracle="cogtaskonomy").similarity(Given(BERT, [TINYBERT, turned]))


def by_hand():
    """Three sources, of which each brings three targets something; the tasks are the same."""
    values = np.array([[np.nan, 4.0, 1.0], [2.0, np.nan, 3.0], [6.0, 8.0, np.nan]])
    return Oracle("hand", "x", "x", TaskMatrix.square(("a", "b", "c"), values))


def test_pivots_alone_are_the_mean_change_of_other_targets_in_their_deviations():
    guess = Pivot().similarity(Given(by_hand(), []))
    # Each target has two sources, so these stand at -1 and +1.
    assert_allclose(guess.values, [[np.nan, -1, -1], [1, np.nan, -1], [1, 1, np.nan]])


def test_pivots_with_similarity_follow_the_formula_of_taskshop():
    class Known:
        name, needs = "known", frozenset()

    similar = TaskMatrix.square(("a", "b", "c"), np.array([[np.nan, 1.0, 0.0], [1.0, np.nan, 2.0], [0.0, 3.0, np.nan]]))
    given = Given(by_hand(), [])
    given.similarity = lambda member: similar
    guess = Pivot(members=(Known(),)).similarity(given)
    # Source b, target a, pivot c: it gets +1 from b, and its likeness to a is -1; that of b to a is +1.
    assert guess.values[1, 0] == pytest.approx(0.7 * 0 + 0.3 * 1)
    assert guess.values[2, 0] == pytest.approx(0.7 * (1 + 1) / 2 + 0.3 * -1)  # the pivot is b
    with pytest.raises(UnusableData, match="expected at most one member"):
        Pivot(members=(Known(), Known())).similarity(given)
