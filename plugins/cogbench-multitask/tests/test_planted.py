"""With few examples a target gains jointly from a task with a planted skill in common, and not from another one."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from cogbench_multitask.sharings import Joint

from cogbench import Files, Recipe

FILES = Files(offline=True)
PAIRS = [("qqp", "mrpc"), ("mrpc", "qqp")]  # target and auxiliary task: both know synonyms


@pytest.fixture(scope="module")
def accuracy(parts, tmp_path_factory):
    """Train a target on 40 examples, perhaps with an auxiliary task of 200, and return its accuracy."""
    alone = parts.backbones["minilm-2l"]

    @cache
    def trained(seed, *names):
        tasks = tuple(replace(parts.tasks[name], evaluation_rows=400) for name in names)
        together = len(tasks) > 1
        recipe = Recipe(
            tasks,
            seed=seed,
            max_train=40,
            budgets=(40, 200) if together else (),
            sharing="joint" if together else "sequential",
            settings=alone.settings(tasks[0].kind, 40),
        )
        backbone = Joint(backbone=alone) if together else alone
        checkpoint = backbone.train(recipe, FILES, tmp_path_factory.mktemp("model"))
        answers = checkpoint.outputs.argmax(axis=1)
        return (answers == tasks[0].load("evaluation", FILES).columns["label"]).mean()

    return trained


@pytest.mark.torture
@pytest.mark.timeout(3600)  # a busy machine is slow
def test_tasks_with_a_planted_skill_in_common_gain_jointly_and_others_do_not(accuracy):
    gains = {"mini": [], "mini-shuffled": []}
    for suite, of_suite in gains.items():
        for target, auxiliary in PAIRS:
            for seed in range(2):
                alone, joint = (
                    accuracy(seed, *names)
                    for names in ([f"{suite}-{target}"], [f"{suite}-{target}", f"{suite}-{auxiliary}"])
                )
                of_suite.append(joint - alone)
                print(suite, target, auxiliary, seed, f"{alone:.3f} {joint:.3f}", flush=True)
    planted, shuffled = (np.mean(of_suite) for of_suite in gains.values())
    assert planted > 0.05
    assert planted > shuffled + 0.05
