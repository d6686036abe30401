"""The shipped oracle of the mini suite is what measuring gives, cells measured again, and shows what is planted."""

from dataclasses import replace

import numpy as np
import pytest
from cogbench_tasks.mini import SKILLS

from cogbench import Files, Recipe, Store, load_parts, rank
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.parts.oracle_names import find_oracle

SOURCE, TARGET = "mini-sts-b", "mini-mnli"  # which gains .10 from it


def test_a_cell_measured_again(tmp_path):
    parts, here, task = load_parts(), Workspace(Files(offline=True), Store(tmp_path)), "mini-cola"
    oracle = find_oracle(parts, "mini-minilm-2l")
    alone = Training(parts.find("backbone", "minilm-2l"), Recipe((parts.tasks[task],), seed=oracle.seeds[0]))
    # Processors compute in other precisions: as near as two seeds.
    expected = oracle.no_transfer[oracle.transfers.targets.index(task)]
    assert alone.score(here).value == pytest.approx(expected, abs=0.05)


@pytest.mark.torture
def test_a_transfer_measured_again(tmp_path):
    parts, here = load_parts(), Workspace(Files(offline=True), Store(tmp_path))
    oracle = find_oracle(parts, "mini-minilm-2l")
    backbone, source, target = parts.find("backbone", "minilm-2l"), *(parts.find("task", t) for t in (SOURCE, TARGET))
    (seed,) = oracle.seeds
    alone = Training(backbone, Recipe((source,), seed=seed))
    transfer = Training(backbone, replace(Recipe((target,), seed=seed), start=alone.recipe))
    s, t = oracle.transfers.sources.index(SOURCE), oracle.transfers.targets.index(TARGET)
    # Processors compute in other precisions: as near as two seeds.
    assert alone.score(here).value == pytest.approx(oracle.no_transfer[s], abs=0.05)
    assert transfer.score(here).value == pytest.approx(oracle.transfers.values[s, t], abs=0.05)


def test_the_planted_oracle_is_the_cosine_of_two_tasks_skills():
    oracle = find_oracle(load_parts(), "mini-planted")
    names = oracle.transfers.sources
    assert set(names) == set(SKILLS) and names == oracle.transfers.targets
    for i, source in enumerate(names):
        for j, target in enumerate(names):
            shared, sizes = SKILLS[source] & SKILLS[target], len(SKILLS[source]) * len(SKILLS[target])
            if source != target:
                assert oracle.transfers.values[i, j] == pytest.approx(len(shared) / sizes**0.5, abs=1e-6)


def test_sources_that_share_a_skill_rank_better_and_on_the_control_they_do_not():
    def gap(suite):
        matrix = find_oracle(load_parts(), f"{suite}-minilm-2l").transfers
        skills = [SKILLS[name.replace(suite, "mini")] for name in matrix.sources]
        ranks, shared = rank(matrix).ranks, np.array([[bool(s & t) for t in skills] for s in skills])
        there = np.isfinite(ranks)
        return ranks[shared & there].mean() - ranks[~shared & there].mean()

    assert gap("mini") < -2  # in 10,000 relabellings of the tasks there is none so low
    assert abs(gap("mini-shuffled")) < 1.5
