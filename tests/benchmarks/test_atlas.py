"""docs/atlas.md is what its command prints, and its figures are those that were found apart from it."""

import csv
import importlib.util
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cogbench import Oracle, TaskMatrix

ROOT = Path(__file__).parents[2]


@cache
def benchmark():
    """The command that writes the page."""
    spec = importlib.util.spec_from_file_location("benchmarks_atlas", ROOT / "benchmarks" / "atlas.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_command_prints():
    assert (ROOT / "docs" / "atlas.md").read_text() == benchmark().page()


def test_popularity_and_the_share_of_the_source_are_those_of_the_collection(atlas):
    """Computed there by other code, whose ties go to the first source. Sources that are left out here count there."""
    with (atlas / "INDEX.csv").open(encoding="utf-8", newline="") as file:
        index = {row["file"].removesuffix(".csv"): row for row in csv.DictReader(file)}
    module = benchmark()
    compared = 0
    for name, oracle in module.read_oracles().items():
        if name not in index or name.startswith(("choshen2022", "transfergraph2024", "sachdeva2025")):
            continue
        figures, entry = module.figures_of(oracle), index[name]
        assert figures.popularity == pytest.approx(float(entry["popularity_loo"]), abs=0.03), name
        assert figures.by_source == pytest.approx(float(entry["source_r2"]), abs=0.01), name
        compared += 1
    assert compared == 57 - 6 - 1 - 3


def test_figures_by_hand():
    module = benchmark()
    values = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 1.0], [3.0, 6.0, 2.0]])
    matrix = TaskMatrix(("a", "b", "c"), ("x", "y", "z"), values)
    oracle = Oracle("hand", "x", "x", matrix, standard_error=np.full((3, 3), 0.5))
    # c is the best source of x and of y, and the second of z, where a is best.
    assert module.relative_rank(matrix, oracle) == 0
    assert module.figures_of(oracle).popularity == pytest.approx((0 + 0 + 0.5) / 3)
    assert module.noise(oracle) == pytest.approx([2, 4, 2])
    assert module.noise(oracle, robust=True) == pytest.approx(np.array([1, 2, 1]) * 1.4826 / 0.5)
    blind = TaskMatrix(matrix.sources, matrix.targets, np.array([[1, 2, 3.0], [2, 4, 6], [3, 6, 9]]))
    assert module.share_by_source(Oracle("blind", "x", "x", blind)) == pytest.approx(1)


def test_agreement_and_the_mean_of_others_by_hand():
    module = benchmark()
    one = np.array([[1.0, 5], [2, 4], [3, np.nan], [4, 1]])
    other = np.array([[1.0, 1], [3, 2], [2, 3], [4, 4]])
    assert module.rho_by_target(one, other) == pytest.approx((0.8 - 1) / 2)
    sources, targets = ("a", "b", "c", "d"), ("a", "x")
    oracles = {
        name: Oracle(name, "x", family, TaskMatrix(sources, targets, values), metrics=dict.fromkeys(targets, metric))
        for name, family, values, metric in (
            ("own", "f", one, "f1"),
            ("near", "f", other, "f1"),
            ("nearer", "f", 3 * other, "f1"),
            ("other-metric", "f", one, "loss"),
            ("other-family", "g", one, "f1"),
        )
    }
    others = module.mean_of_others("own", oracles)
    np.testing.assert_array_equal(others.transfers.values[1:], 2 * other[1:])
    assert module.mean_of_others("other-family", oracles) is None
    runs = np.stack([one, one, other])
    runs[:, 0, 0] = [9, -9, 9]  # a task with itself is no transfer
    assert module.between_runs(
        Oracle("own", "x", "f", TaskMatrix(sources, targets, one), by_seed=runs)
    ) == pytest.approx((1 + 2 * (0.5 - 1) / 2) / 3)
