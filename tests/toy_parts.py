"""The toys as a plugin."""

from types import ModuleType

import numpy as np

from cogbench import Oracle, Suite, TaskMatrix, hookimpl
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal


def toy_module():
    """Return a plugin module with the toys, a suite of them and a synthetic oracle."""
    names = tuple(t.name for t in TASKS)
    true = np.array([[0, 0.6, 0.5, 0.9], [0.8, 0, 0.7, 0.2], [0.7, 0.9, 0, 0.1], [0.6, 0.5, 0.9, 0]])
    oracle = Oracle("toy-oracle", "toy", "toy", TaskMatrix.square(names, true), np.full(4, 0.5), origin="made up")
    suite = Suite("toy", names, "toy", (("toy", "toy-oracle"),), "synthetic")
    module = ModuleType("toy_plugin")
    for kind, parts in {
        "tasks": TASKS,
        "backbones": [ToyBackbone()],
        "signals": [ToySignal()],
        "oracles": [oracle],
        "suites": [suite],
    }.items():
        setattr(module, f"register_{kind}", hookimpl(lambda parts=parts: parts, specname=f"register_{kind}"))
    return module
