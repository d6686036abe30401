"""Every test has a store of its own, touches no network, and computes on one thread."""

import os
import shutil

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from dataclasses import replace

import pytest

from cogbench import Files, Recipe, load_parts

FILES = Files(offline=True)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def parts():
    return load_parts()


@pytest.fixture(scope="session")
def task(parts):
    """Return a task by its name, with few evaluation examples."""
    return lambda name: replace(parts.tasks[name], evaluation_rows=40)


@pytest.fixture(scope="session")
def alone(parts):
    """The backbone that trains a task alone, for a few steps."""
    return replace(parts.backbones["minilm-2l"], epochs=2, min_steps=0, batch_size=16, max_length=64)


@pytest.fixture(scope="module")
def train(alone, task, tmp_path_factory):
    """Train tasks on few examples: with a sharing, or one of them alone for None; a module does each training once."""
    checkpoints = {}

    def trained(sharing, *names, max_train=40):
        key = (sharing, names, max_train)
        if key not in checkpoints:
            tasks = tuple(task(name) for name in names)
            backbone = replace(sharing, backbone=alone) if sharing else alone
            recipe = Recipe(
                tasks,
                seed=3,
                max_train=max_train,
                sharing=sharing.sharing if sharing else "sequential",
                settings=alone.settings(tasks[0].kind, max_train),
            )
            checkpoints[key] = backbone.train(recipe, FILES, tmp_path_factory.mktemp("model"))
        return checkpoints[key]

    yield trained
    for checkpoint in checkpoints.values():  # the models of all modules together take gigabytes
        shutil.rmtree(checkpoint.folder)
