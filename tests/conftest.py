"""Every test has a store of its own, touches no network, and trains on one thread."""

import os
import sys
from pathlib import Path

# Before torch is imported: two processes with the default thread count are several times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import pytest

SHARED = Path(__file__).parents[2] / "shared"
sys.path.insert(0, str(Path(__file__).parent / "evidence_plugin"))


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
