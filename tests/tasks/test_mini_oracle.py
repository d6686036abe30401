"""The shipped oracle of the mini suite is what measuring gives: two of its cells are measured again."""

from dataclasses import replace

import pytest

from cogbench import Files, Recipe, Store, load
from cogbench.cells import Training, Workspace

SOURCE, TARGET = "mini-sst-2", "mini-mnli"  # which gains .11 from it


def test_two_cells_measured_again(tmp_path):
    parts, here = load(), Workspace(Files(offline=True), Store(tmp_path))
    oracle = parts.find("oracle", "mini-minilm-2l")
    backbone, source, target = parts.find("backbone", "minilm-2l"), *(parts.find("task", t) for t in (SOURCE, TARGET))
    (seed,) = oracle.seeds
    alone = Training(backbone, Recipe((source,), seed=seed))
    transfer = Training(backbone, replace(Recipe((target,), seed=seed), start=alone.recipe))
    s, t = oracle.transfers.sources.index(SOURCE), oracle.transfers.targets.index(TARGET)
    # Processors compute in other precisions: as near as two seeds.
    assert alone.score(here).value == pytest.approx(oracle.no_transfer[s], abs=0.05)
    assert transfer.score(here).value == pytest.approx(oracle.transfers.values[s, t], abs=0.05)
