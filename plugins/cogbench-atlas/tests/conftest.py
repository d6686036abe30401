"""The folder of published tables, where this checkout has one beside it."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[4] / "shared" / "oracles"


@pytest.fixture(scope="session")
def published():
    """The folder that the figures were made from."""
    if not (SHARED / "atlas").is_dir():
        pytest.skip(f"no published tables: {SHARED / 'atlas'} is not there")
    return SHARED
