"""Responses to map, and small estimators that map them: for the tests of `cnm`, `cnm-ridge` and what they share."""

import numpy as np
import pytest
from cogbench_estimators.cnm import CNM
from cogbench_estimators.prediction import SubjectData, describe_subject, relative_vectors
from cogbench_estimators.ridge import RidgeCNM
from fake_evidence import FakeEvidence

from cogbench import Responses

SMALL = CNM(
    hidden=(8, 4), seeds=(1, 2), folds=3, inner_folds=2, epochs=6, batch_size=8, learning_rate=0.01, precision="fp32"
)
RIDGE = RidgeCNM(seeds=(1, 2), folds=3, inner_folds=2)
BOTH = pytest.mark.parametrize("estimator", [SMALL, RIDGE], ids=lambda part: part.name)


def responses(values):
    return Responses(values, tuple(f"channel {i}" for i in range(values.shape[1])))


def evidence(n_tasks=3, n=30, d=6, n_channels=5, n_subjects=1, seed=0):
    rng = np.random.default_rng(seed)
    subjects = {f"S{s}": responses(rng.normal(size=(n, n_channels))) for s in range(n_subjects)}
    patterns = {f"task-{i}": rng.normal(size=(n, d)).astype(np.float32) for i in range(n_tasks)}
    return FakeEvidence(patterns, subjects, tuple(f"Sentence {i}." for i in rng.permutation(n)))


def vectors(estimator, x, y, seed):
    return relative_vectors(estimator, describe_subject(estimator, SubjectData(x, None, y), seed))
