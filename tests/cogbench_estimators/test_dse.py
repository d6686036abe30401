"""DSE against figures worked out with numpy and scipy, and the properties that any similarity of tasks has."""

from dataclasses import replace

import numpy as np
import pytest
from cogbench_estimators.dse import DSE, register_estimators
from fake_evidence import OFF, A, B, C, evidence_of, random_patterns
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import pearsonr, spearmanr

from cogbench import UnusableData


def reference(comparison, a, b):
    def one(u, v):
        u, v = u.astype(np.float64), v.astype(np.float64)
        if comparison == "cosine":
            return u @ v / np.linalg.norm(u) / np.linalg.norm(v)
        return (pearsonr if comparison == "pearson" else spearmanr)(u, v).statistic

    return np.mean([one(u, v) for u, v in zip(a, b, strict=True)])


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [("cosine", [0.919066, 0.453437, 0.477619]), ("pearson", [0.774519, -0.433013, -0.466506])],
)
def test_three_tasks_worked_by_hand(comparison, expected):
    matrix = DSE(similarity_=comparison).similarity(evidence_of(A, B, C))
    assert_allclose(matrix.values[OFF], expected, atol=1e-6)


@pytest.mark.parametrize("comparison", ["cosine", "pearson", "spearman"])
def test_it_is_the_mean_over_sentences_of_scipys_figure(comparison):
    patterns = random_patterns(1)
    matrix = DSE(similarity_=comparison).similarity(evidence_of(*patterns))
    for i, j in zip(*np.triu_indices(4, 1), strict=True):
        assert_allclose(matrix.values[i, j], reference(comparison, patterns[i], patterns[j]), rtol=0, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["cosine", "pearson", "spearman"]))
def test_the_order_of_tasks_and_stimuli_changes_nothing(seed, comparison):
    patterns, rng = random_patterns(seed), np.random.default_rng(seed)
    values = DSE(similarity_=comparison).similarity(evidence_of(*patterns)).values
    assert_array_equal(values, values.T)
    assert np.nanmax(np.abs(values)) <= 1 + 1e-12
    order, rows = rng.permutation(4), rng.permutation(7)
    moved = DSE(similarity_=comparison).similarity(evidence_of(*[patterns[i][rows] for i in order])).values
    assert_allclose(moved, values[np.ix_(order, order)], atol=1e-12)


@pytest.mark.parametrize(
    ("comparison", "row", "what"),
    [("cosine", 0.0, "zero"), ("pearson", 0.1, "constant"), ("spearman", 0.1, "constant")],
)
def test_a_vector_without_direction_counts_as_zero_and_is_noted(comparison, row, what):
    patterns = random_patterns(2, n_tasks=2)
    rest = reference(comparison, patterns[0][1:], patterns[1][1:])
    patterns[0][0] = row
    given = evidence_of(*patterns)
    matrix = DSE(similarity_=comparison).similarity(given)
    assert_allclose(matrix.values[0, 1], rest * 6 / 7, atol=1e-9)
    assert given.notes == [f"dse: 1 of 14 vectors are {what}; their similarity is set to 0."]


def test_without_lost_vectors_there_is_no_note():
    given = evidence_of(A, B, C)
    DSE().similarity(given)
    assert given.notes == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_it_refuses_what_is_not_finite_and_names_the_task(bad):
    patterns = random_patterns(3)
    patterns[2][4, 1] = bad
    with pytest.raises(UnusableData, match=r"task 'task-2' hold NaN or infinity for 1 of 7 stimuli"):
        DSE().similarity(evidence_of(*patterns))


def test_it_leaves_its_evidence_as_it_was():
    given = evidence_of(*random_patterns(4))
    before = {task: r.copy() for task, r in given.representations.items()}
    DSE(similarity_="pearson").similarity(given)
    for task, r in given.representations.items():
        assert_array_equal(r, before[task])


def test_it_is_registered_under_its_name():
    (part,) = register_estimators()
    assert (part.name, part.needs) == ("dse", {"representations"})
    assert replace(part, similarity_="spearman") == DSE(similarity_="spearman")
