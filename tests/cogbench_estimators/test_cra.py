"""CRA against figures worked out with scipy's pdist, and the way without pairs against the way with them."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from cogbench_estimators import cra
from cogbench_estimators.cra import (
    CRA,
    by_blocks,
    compare,
    compare_moments,
    compare_without_pairs,
    rdm,
    register_estimators,
    sampled,
)
from fake_evidence import OFF, A, B, C, evidence_of, random_patterns
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, spearmanr

from cogbench import UnusableData

DISSIMILARITIES, COMPARISONS = ["correlation", "euclidean", "canberra"], ["cosine", "pearson", "spearman"]
GOLDEN = {
    ("correlation", "cosine"): [0.893019, 0.822755, 0.849465],
    ("correlation", "pearson"): [0.333583, -0.061472, 0.225467],
    ("correlation", "spearman"): [0.318182, -0.044781, 0.014927],
    ("euclidean", "cosine"): [0.955240, 0.944214, 0.942055],
    ("euclidean", "pearson"): [-0.183257, -0.317847, -0.224516],
    ("euclidean", "spearman"): [-0.317821, -0.373176, -0.234834],
    ("canberra", "cosine"): [0.923949, 0.909440, 0.961626],
    ("canberra", "pearson"): [-0.491234, -0.547561, 0.364005],
    ("canberra", "spearman"): [-0.422701, -0.313468, 0.301930],
}
RDMS = {
    "correlation": [1, 1.5, 1.866025, 1.866025, 0.5, 1],
    "euclidean": [1.732051, 2.449490, 2.236068, 2.236068, 1.414214, 1.732051],
    "canberra": [2.333333, 2.333333, 1.333333, 2, 1.333333, 1.666667],
}


def reference(dissimilarity, comparison, a, b):
    with np.errstate(invalid="ignore"):
        x, y = (np.nan_to_num(pdist(p.astype(np.float64), dissimilarity)) for p in (a, b))
    if comparison == "cosine":
        return x @ y / np.linalg.norm(x) / np.linalg.norm(y)
    return (pearsonr if comparison == "pearson" else spearmanr)(x, y).statistic


@pytest.mark.parametrize(("pair", "expected"), GOLDEN.items(), ids=str)
def test_three_tasks_worked_by_hand(pair, expected):
    matrix = CRA(dissimilarity=pair[0], similarity_=pair[1]).similarity(evidence_of(A, B, C))
    assert_allclose(matrix.values[OFF], expected, atol=1e-6)


@pytest.mark.parametrize(("dissimilarity", "expected"), RDMS.items())
def test_the_rdm_of_a_task_worked_by_hand(dissimilarity, expected):
    assert_allclose(rdm(np.array(A, float), dissimilarity), expected, atol=1e-6)


# 9 stimuli with 5 dimensions: four tasks are compared by pairs, one or two without; so are 40 stimuli of four tasks.
@pytest.mark.parametrize("n", [9, 40])
@pytest.mark.parametrize(("dissimilarity", "comparison"), product(DISSIMILARITIES, COMPARISONS))
def test_it_is_scipys_figure(dissimilarity, comparison, n):
    patterns = random_patterns(1, n=n)
    matrix = CRA(dissimilarity=dissimilarity, similarity_=comparison).similarity(evidence_of(*patterns))
    for i, j in zip(*np.triu_indices(4, 1), strict=True):
        expected = reference(dissimilarity, comparison, patterns[i], patterns[j])
        assert_allclose(matrix.values[i, j], expected, rtol=0, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(DISSIMILARITIES), st.sampled_from(COMPARISONS), st.sampled_from([5, 12]))
def test_the_order_of_tasks_and_stimuli_changes_nothing(seed, dissimilarity, comparison, n):
    patterns, rng = random_patterns(seed, n_tasks=3, n=n), np.random.default_rng(seed)
    estimator = CRA(dissimilarity=dissimilarity, similarity_=comparison)
    values = estimator.similarity(evidence_of(*patterns)).values
    assert_array_equal(values, values.T)
    assert np.nanmax(np.abs(values)) <= 1 + 1e-12
    order, rows = rng.permutation(3), rng.permutation(n)
    moved = estimator.similarity(evidence_of(*[patterns[i][rows] for i in order])).values
    assert_allclose(moved, values[np.ix_(order, order)], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["cosine", "pearson"]),
    st.integers(3, 30),
    st.integers(0, 2),
    st.sampled_from([4, 40]),
)
def test_without_pairs_it_is_the_same(seed, comparison, n, constant, d):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=4) * rng.choice([0, 1, 100])  # up to stimuli that are nearly alike
    patterns = [rng.normal(size=(n, d)) + np.resize(shared, d) for _ in range(3)]
    for task in rng.choice(3, constant, replace=False):
        patterns[task][rng.integers(n)] = 0.1
    by_pairs = np.stack([precise_rdm(p) for p in patterns])
    by_pairs -= by_pairs.mean(axis=1, keepdims=True) * (comparison == "pearson")
    by_pairs /= np.sqrt(np.square(by_pairs).sum(axis=1, keepdims=True))
    assert_allclose(compare_without_pairs(patterns, comparison), by_pairs @ by_pairs.T, rtol=0, atol=1e-9)


def precise_rdm(patterns):
    """Correlation distances in extended precision: where stimuli are alike, rounding in fp64 moves the comparison."""
    z = patterns.astype(np.longdouble)
    z -= z.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # of constant rows
        z /= np.sqrt(np.square(z).sum(axis=1, keepdims=True))
    distances = 1 - z @ z.T
    constant = np.ptp(patterns, axis=1) == 0
    distances[constant] = distances[:, constant] = 0
    return distances[np.triu_indices(len(z), 1)]


def test_tasks_may_differ_in_dimensions():
    patterns = [random_patterns(5, n=40)[0], random_patterns(6, n=40, d=3)[0]]
    expected = reference("correlation", "cosine", *patterns)
    assert_allclose(CRA().similarity(evidence_of(*patterns)).values[0, 1], expected, atol=1e-9)


@pytest.mark.parametrize("n", [9, 40])
@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_constant_representation_counts_as_zero_and_is_noted(comparison, n):
    patterns = random_patterns(2, n=n)
    patterns[0][3] = 0.1
    patterns[1][[3, 5]] = -7
    given = evidence_of(*patterns)
    matrix = CRA(similarity_=comparison).similarity(given)
    assert given.notes == [f"cra: 3 of {4 * n} representations are constant; their dissimilarities are set to 0."]
    for i, j in zip(*np.triu_indices(4, 1), strict=True):
        expected = reference("correlation", comparison, patterns[i], patterns[j])
        assert_allclose(matrix.values[i, j], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [3, 9])
@pytest.mark.parametrize("comparison", ["pearson", "spearman"])
def test_without_differences_between_pairs_there_is_no_estimate(comparison, n):
    simplex = np.eye(n)  # each two rows are equally far apart
    for dissimilarity in DISSIMILARITIES:
        given = evidence_of(simplex, *random_patterns(3, n_tasks=2, n=n, d=n))
        values = CRA(dissimilarity=dissimilarity, similarity_=comparison).similarity(given).values
        assert np.isnan(values[0]).all()
        assert np.isfinite(values[1, 2])


@pytest.mark.parametrize("n", [5, 40])
@pytest.mark.parametrize(("dissimilarity", "comparison"), product(DISSIMILARITIES, COMPARISONS))
def test_with_all_stimuli_alike_there_is_no_estimate(dissimilarity, comparison, n):
    alike = np.tile(np.random.default_rng(0).normal(size=5), (n, 1))
    values = (
        CRA(dissimilarity=dissimilarity, similarity_=comparison)
        .similarity(evidence_of(alike, *random_patterns(3, n_tasks=2, n=n)))
        .values
    )
    assert np.isnan(values[0]).all()
    assert np.isfinite(values[1, 2])


@pytest.mark.parametrize("dissimilarity", DISSIMILARITIES)
def test_it_refuses_fewer_than_three_stimuli(dissimilarity):
    with pytest.raises(UnusableData, match="2 stimuli; cra needs at least 3"):
        CRA(dissimilarity=dissimilarity).similarity(evidence_of(*random_patterns(4, n=2)))
    with pytest.raises(UnusableData, match="2 stimuli"):
        CRA(dissimilarity=dissimilarity).similarity(evidence_of(*random_patterns(4, n=2, d=1, n_tasks=2)))


def test_it_refuses_what_is_not_finite_and_names_the_task():
    patterns = random_patterns(3)
    patterns[2][4, 1] = np.nan
    with pytest.raises(UnusableData, match="task 'task-2' hold NaN or infinity"):
        CRA().similarity(evidence_of(*patterns))


def test_it_leaves_its_evidence_as_it_was():
    given = evidence_of(*random_patterns(4, n=40))
    before = {task: r.copy() for task, r in given.representations.items()}
    CRA().similarity(given)
    for task, r in given.representations.items():
        assert_array_equal(r, before[task])


def test_it_is_registered_under_its_name():
    (part,) = register_estimators()
    assert (part.name, part.needs) == ("cra", {"representations"})
    assert replace(part, similarity_="spearman") == CRA(similarity_="spearman")


# Similarities instead of dissimilarities, blocks of pairs, and samples of them.

RSM = {"correlation": [0.439826, 0.135164, 0.321225], "euclidean": [0.809825, 0.805873, 0.774414]}


@pytest.mark.parametrize(("dissimilarity", "expected"), {**RSM, "canberra": [0.671442, 0.661581, 0.849205]}.items())
def test_the_other_form_worked_by_hand(dissimilarity, expected):
    matrix = CRA(dissimilarity=dissimilarity, form="rsm").similarity(evidence_of(A, B, C))
    assert_allclose(matrix.values[OFF], expected, atol=1e-6)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_the_other_form_changes_the_cosine_only(comparison):
    given = evidence_of(*random_patterns(3, n=30))
    both = [CRA(similarity_=comparison, form=form).similarity(given).values for form in ("rdm", "rsm")]
    assert np.allclose(*both, equal_nan=True) == (comparison != "cosine")


@pytest.mark.parametrize("form", ["rdm", "rsm"])
@pytest.mark.parametrize("comparison", ["cosine", "pearson"])
@pytest.mark.parametrize("dissimilarity", DISSIMILARITIES)
def test_blocks_of_pairs_give_what_all_pairs_give(monkeypatch, dissimilarity, comparison, form):
    patterns = [p.astype(np.float64) for p in random_patterns(4, n_tasks=3, n=1100, d=4)]  # more than one block
    patterns[1][7] = 1.0  # a constant row
    whole = np.stack([rdm(p, dissimilarity) for p in patterns])
    expected = compare(whole if form == "rdm" else 1 - whole, comparison)
    n_pairs = whole.shape[1]
    if dissimilarity == "correlation":
        found = compare_without_pairs(patterns, comparison, form)
    else:
        found = compare_moments(*by_blocks(patterns, dissimilarity), n_pairs, comparison, form)
    assert_allclose(found, expected, atol=1e-8)
    monkeypatch.setattr(cra, "HELD", 0)
    given = evidence_of(*random_patterns(4, n_tasks=3, n=20, d=50))
    by_part = CRA(dissimilarity=dissimilarity, similarity_=comparison, form=form).similarity(given).values
    monkeypatch.undo()
    at_once = CRA(dissimilarity=dissimilarity, similarity_=comparison, form=form).similarity(given).values
    assert_allclose(by_part, at_once, atol=1e-9)


@pytest.mark.parametrize("dissimilarity", DISSIMILARITIES)
def test_a_sample_of_pairs_is_theirs_and_comes_near_to_all(dissimilarity):
    patterns = random_patterns(5, n_tasks=2, n=60, d=6)
    patterns[1] = patterns[0] + 0.5 * patterns[1]
    given = evidence_of(*patterns)
    estimator = CRA(dissimilarity=dissimilarity, similarity_="spearman")
    whole = estimator.similarity(given).values[0, 1]
    assert not given.notes
    part = replace(estimator, pairs=1000).similarity(given).values[0, 1]
    assert part != whole and part == pytest.approx(whole, abs=0.1)
    assert given.notes == ["cra: 1000 of 1770 pairs of stimuli drawn at random."]
    assert replace(estimator, pairs=1000).similarity(given).values[0, 1] == part
    (drawn,) = sampled([patterns[0].astype(np.float64)], dissimilarity, 500)
    held = pdist(patterns[0].astype(np.float64), dissimilarity)
    assert np.abs(held[:, None] - drawn).min(axis=0).max() < 1e-9  # each is that of some pair
