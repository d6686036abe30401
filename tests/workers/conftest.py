"""What holds after each test of the workers."""

import dask
import pytest


@pytest.fixture(autouse=True)
def usual_scheduler():
    """Dask computes as before once a run has ended: other libraries of the process use it too."""
    yield
    assert dask.config.get("scheduler", None) is None
