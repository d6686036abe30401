"""Ensembles by validated weights: what they find, that no target's own transfers are looked at, and what is missing."""

from types import SimpleNamespace

import numpy as np
import pytest
from cogbench_transferability.ensemble import Ensemble, best_weights, combined, grid, standardised
from scipy.stats import spearmanr, zscore
from small import Small, square

from cogbench import Oracle, TaskMatrix, UnusableData

TASKS = tuple("abcdef")


def member(name):
    return SimpleNamespace(name=name, needs=frozenset({"cards"}), similarity=None)


def evidence_of(transfers, **matrices):
    evidence = Small(matrices={name: square(values, TASKS) for name, values in matrices.items()})
    evidence.oracle = Oracle("o", "toy", suite="toy", transfers=TaskMatrix.square(TASKS, transfers), note="synthetic")
    return evidence


def drawn(seed=0):
    rng = np.random.default_rng(seed)
    transfers, noise = rng.normal(size=(2, 6, 6))
    return transfers, transfers + 0.3 * noise, rng.normal(size=(6, 6))


def part(*names, **options):
    return Ensemble(tuple(member(name) for name in names), **options)


def test_the_member_that_tells_something_gets_the_weight():
    transfers, good, bad = drawn()
    evidence = evidence_of(transfers, good=good, bad=bad)
    part("good", "bad").similarity(evidence)
    weights = np.array(list(evidence.details["weights"]["by_target"].values()))
    assert weights.shape == (6, 2) and np.allclose(weights.sum(axis=1), 1) and weights[:, 0].min() > 0.5


def test_it_is_the_plain_search_over_the_other_targets():
    transfers, good, bad = drawn(1)
    values = part("good", "bad", steps=4).similarity(evidence_of(transfers, good=good, bad=bad)).values
    for j in range(6):
        best = (-2.0, 0.0, None)
        for w in (0.5, 0.75, 0.25, 1, 0):  # the most even first
            columns = []
            for t in range(6):
                rows = [s for s in range(6) if s != t]
                columns.append((rows, w * zscore(good[rows, t]) + (1 - w) * zscore(bad[rows, t])))
            mean = np.mean(
                [spearmanr(v, transfers[rows, t]).statistic for t, (rows, v) in enumerate(columns) if t != j]
            )
            if mean > best[0] + 1e-12:
                best = (mean, w, columns[j])
        rows, expected = best[2]
        assert np.allclose(values[rows, j], expected, atol=1e-6)


def test_transfers_to_a_target_do_not_change_its_scores():
    transfers, good, bad = drawn(2)
    before = part("good", "bad").similarity(evidence_of(transfers, good=good, bad=bad)).values
    other = transfers.copy()
    other[:, 3] = np.random.default_rng(9).normal(size=6)
    after = part("good", "bad").similarity(evidence_of(other, good=good, bad=bad)).values
    assert np.array_equal(before[:, 3], after[:, 3], equal_nan=True)
    assert "oracle" in part("good", "bad").needs  # so that it is marked


def test_a_member_without_a_score_is_left_out_there():
    transfers, good, bad = drawn()
    good[:, 0], bad[1, 0], bad[2, 0] = np.nan, 5, np.nan
    evidence = evidence_of(transfers, good=good, bad=bad)
    values = part("good", "bad").similarity(evidence).values
    assert np.isnan(values[2, 0]) and np.nanargmax(values[:, 0]) == 1  # the only member that knows b puts it first
    assert "ensemble: good gives no estimate for 5 pairs; the others decide there." in evidence.notes


def test_weights():
    assert grid(2, 2).tolist() == [[0.5, 0.5], [1, 0], [0, 1]]
    assert len(grid(3, 10)) == 66
    many = grid(8, 10)  # of 11 ** 8 rows of multiples of a tenth those of sum 1, and no others are made
    assert many.shape == (19448, 8) and np.allclose(many.sum(axis=1), 1) and len(np.unique(many, axis=0)) == 19448
    assert best_weights(np.array([[0.1, np.nan], [0.3, 0.3], [0.3, 0.3]])) == 1
    assert best_weights(np.full((2, 2), np.nan)) == 0
    scores = standardised(np.array([[1.0, 7], [3.0, 7], [np.nan, 7]]))
    assert np.allclose(scores, [[-1, 0], [1, 0], [np.nan, 0]], equal_nan=True)
    assert np.isnan(combined(np.full((2, 1, 1), np.nan), np.array([0.5, 0.5]))).all()


def test_refusals():
    with pytest.raises(UnusableData, match="members=x; expected two or more"):
        Ensemble((member("x"),))
    with pytest.raises(UnusableData, match="steps=0; expected at least 1"):
        part("x", "y", steps=0)
    with pytest.raises(UnusableData, match="steps=10 for 9 members are 43758 combinations of weights"):
        part(*"abcdefghi")
    transfers, good, bad = drawn()
    with pytest.raises(UnusableData, match="good are names"):
        Ensemble(("good", member("bad"))).similarity(evidence_of(transfers, good=good, bad=bad))
