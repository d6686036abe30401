"""Every test has a store of its own, touches no network, and trains on one thread."""

import gc
import os
import sys
from pathlib import Path

# Before torch is imported: two processes with the default thread count are several times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow, which is no fault of a test. Each run draws other examples.
settings.register_profile("cogbench", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cogbench")
SHARED = Path(__file__).parents[2] / "shared"
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "evidence_plugin")]


_modules = 0  # that were loaded when garbage was last looked for in them


def pytest_runtest_setup():
    """Take what was imported out of the search for garbage: each training and many a test has all searched."""
    global _modules
    if len(sys.modules) > _modules + 50:
        gc.collect()
        gc.freeze()
        _modules = len(sys.modules)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name.startswith("COGBENCH_") and name != "COGBENCH_HOME":
            monkeypatch.delenv(name)


@pytest.fixture
def shared_data():
    """The folder of real task data, where this checkout has one beside it."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there")
    return folder


@pytest.fixture
def atlas():
    """The folder of published tables of transfers, where this checkout has one beside it."""
    folder = SHARED / "oracles" / "atlas"
    if not folder.is_dir():
        pytest.skip(f"no published tables: {folder} is not there")
    return folder


@pytest.fixture
def toy_plugin():
    """A plugin module with the toys, a suite of them and a synthetic oracle."""
    from toy_parts import toy_module

    return toy_module()


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory):
    """A folder with all that the paper's runs ask of the hub; see `hub.py`."""
    from repositories import build

    return build(tmp_path_factory.mktemp("hub"))
