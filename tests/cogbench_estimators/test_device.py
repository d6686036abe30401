"""CRA and ridge regression give the same figures by torch and, where torch is not installed, by numpy."""

import sys

import numpy as np
import pytest
from cogbench_estimators import cra, device, ridge
from numpy.testing import assert_allclose


@pytest.fixture
def without_torch(monkeypatch):
    """A function that computes with numpy, as where torch is not installed."""

    def compute(function, *args):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "torch", None)
            device.library.cache_clear()
            try:
                assert device.library() is np and device.device() == "cpu"
                return function(*args)
            finally:
                device.library.cache_clear()

    return compute


@pytest.mark.parametrize("n_dims", [5, 90], ids=["over features", "over stimuli"])
@pytest.mark.parametrize("constant", [False, True])
def test_cra_is_the_same_without_torch(n_dims, constant, without_torch):
    rng = np.random.default_rng(0)
    patterns = [rng.normal(size=(40, n_dims)).astype(np.float32) for _ in range(3)]
    if constant:
        patterns[1][7] = 2.0
    args = (patterns, "cosine", "rdm")
    assert_allclose(without_torch(cra.compare_without_pairs, *args), cra.compare_without_pairs(*args), rtol=1e-12)


@pytest.mark.parametrize("dissimilarity", ["euclidean", "canberra"])
def test_blocks_of_pairs_are_the_same_without_torch(dissimilarity, without_torch):
    patterns = [np.random.default_rng(t).normal(size=(50, 6)) for t in range(3)]
    for ours, torchs in zip(
        without_torch(cra.by_blocks, patterns, dissimilarity), cra.by_blocks(patterns, dissimilarity), strict=True
    ):
        assert_allclose(ours, torchs, rtol=1e-10)


@pytest.mark.parametrize("n_dims", [4, 60], ids=["products of dims", "products of rows"])
@pytest.mark.parametrize("zscore", ["all", "train"])
def test_ridge_is_the_same_without_torch(n_dims, zscore, without_torch):
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=size).astype(np.float32) for size in ((3, 40, n_dims), (40, 7)))
    estimator = ridge.RidgeCNM(zscore=zscore)
    ours, torchs = without_torch(estimator.cross_validate, x, y, 0), estimator.cross_validate(x, y, 0)
    assert isinstance(ours, np.ndarray) and ours.shape == (6, 3, 7)
    assert_allclose(ours, torchs, rtol=1e-4, atol=1e-4)
