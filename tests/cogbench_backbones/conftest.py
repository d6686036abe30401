"""The zoo of tiny models, saved once for all tests that open one."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from model_zoo import ZOO


@pytest.fixture(scope="session")
def zoo(tmp_path_factory):
    """Return a function that gives the folder of a model of the zoo."""
    place = tmp_path_factory.mktemp("zoo")

    def folder(name):
        if not (place / name).exists():
            ZOO[name].save(place / name)
        return place / name

    return folder
