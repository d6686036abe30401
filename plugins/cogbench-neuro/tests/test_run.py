"""A file that is named on the command line goes through a whole run, and the result says what was understood."""

from types import ModuleType

import numpy as np
import pytest

from cogbench import Oracle, Store, Suite, TaskMatrix, hookimpl, load_parts, run
from cogbench.testing import TASKS, ToyBackbone

pytest.importorskip("h5py", reason="h5py reads HDF5")

from neuro_files import write_hdf5  # noqa: E402


def toys():
    """Return a plugin with tasks, a backbone and a suite in memory."""
    names = tuple(task.name for task in TASKS)
    true = np.array([[0, 0.6, 0.5, 0.9], [0.8, 0, 0.7, 0.2], [0.7, 0.9, 0, 0.1], [0.6, 0.5, 0.9, 0]])
    oracle = Oracle("toy-oracle", "toy", "toy", TaskMatrix.square(names, true), np.full(4, 0.5), origin="made up")
    suite = Suite("toy", names, "toy", (("toy", "toy-oracle"),), "synthetic")
    module = ModuleType("toy_plugin")
    for kind, parts in {"tasks": TASKS, "backbones": [ToyBackbone()], "oracles": [oracle], "suites": [suite]}.items():
        setattr(module, f"register_{kind}", hookimpl(lambda parts=parts: parts, specname=f"register_{kind}"))
    return module


def test_a_file_with_options_goes_through_a_run(tmp_path):
    rng = np.random.default_rng(0)
    sentences = [
        f"{who} {deed} {where}" for who in ("dog", "cat") for deed in "abcde" for where in ("here", "there", "up")
    ]
    shared = rng.normal(size=(30, 4))
    for subject in ("01", "02"):
        values = np.concatenate([shared + rng.normal(size=(30, 4)) for _ in range(2)])
        write_hdf5(tmp_path / f"sub-{subject}.h5", eeg=values, shown=sentences * 2, units={"eeg": "µV"})
    (result,) = run(
        "cra",
        "toy",
        suite="toy",
        signal=f"{tmp_path}/sub-*.h5,values=eeg,sentence=shown",
        parts=load_parts(toys()),
        store=Store(tmp_path / "store"),
        jobs=0,
    )
    quality = result.signal_quality
    assert (quality.sentences, quality.subjects, quality.unit) == (30, 2, "µV")
    assert quality.reliability.way == "repetitions" and quality.reliability.stimuli == 30
    assert "Spearman-Brown" in quality.reliability.method
    assert {"values: eeg.", "sentences: shown."} <= {*quality.notes}
    assert result.scores.trs.value >= 1
