"""On a GPU the estimators give what they give on the processor, to these tolerances."""

import numpy as np
import pytest
import torch
from cogbench_estimators.cnm import CNM
from cogbench_estimators.cra import CRA
from cogbench_estimators.ridge import RidgeCNM
from fake_evidence import FakeEvidence
from numpy.testing import assert_allclose

from cogbench import Responses

FEW = {"hidden": (16, 8), "seeds": (1,), "folds": 3, "inner_folds": 2, "epochs": 20, "batch_size": 16}
CASES = {
    "cra": (CRA(), 1e-9),
    "cra, euclidean": (CRA(dissimilarity="euclidean"), 1e-6),
    "cnm-ridge": (RidgeCNM(seeds=(1,), folds=3, inner_folds=2), 1e-5),
    "cnm": (CNM(**FEW), 1e-3),  # float32 sums of 60 steps in another order
    "cnm, plain": (CNM(**FEW, solver="plain"), 1e-3),
}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("case", CASES)
def test_a_gpu_gives_what_the_processor_gives(case, monkeypatch):
    estimator, tolerance = CASES[case]
    rng = np.random.default_rng(0)
    sentences = tuple(f"Sentence {i}." for i in range(60))
    patterns = {f"task-{i}": rng.normal(size=(60, 12)).astype(np.float32) for i in range(4)}
    channels = tuple(f"channel {i}" for i in range(40))
    subjects = {"S": Responses(patterns["task-0"] @ rng.normal(size=(12, 40)) + rng.normal(size=(60, 40)), channels)}
    on_gpu = estimator.similarity(FakeEvidence(patterns, subjects, sentences)).values
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    here = estimator.similarity(FakeEvidence(patterns, subjects, sentences)).values
    assert_allclose(on_gpu, here, atol=tolerance, rtol=0)
