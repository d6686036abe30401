"""Every test has a store of its own and touches no network."""

import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")

import pytest
from platformdirs import user_cache_path

sys.path.insert(0, str(Path(__file__).parent))
FETCHED = Path(os.environ.get("COGBENCH_HOME") or user_cache_path("cogbench"), "downloads")


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COGBENCH_OFFLINE", raising=False)


@pytest.fixture
def fetched():
    """The folder of the real wheels, where somebody has fetched them."""
    if not FETCHED.is_dir():
        pytest.skip(f"no real wheels in {FETCHED}: `cogbench fetch --suite realtext` brings them")
    return FETCHED
