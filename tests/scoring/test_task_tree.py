"""The tree of tasks: known heights, scipy's joins, and matrices that make none."""

import json

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from made_results import TASKS, made
from scipy.cluster import hierarchy

from cogbench import TaskMatrix, UnusableData, task_tree
from cogbench.scoring.task_tree import cluster, condensed

GOLDEN = np.array([0.106981, 0.177245, 0.150535])
SYMMETRIC = np.array([[1, 0.9, 0.2, 0.1], [0.9, 1, 0.3, 0.2], [0.2, 0.3, 1, 0.8], [0.1, 0.2, 0.8, 1]])


def heights(node):
    return sorted(h for child in node.children for h in heights(child)) + ([node.height] if node.children else [])


@pytest.mark.parametrize("linkage, expected", [("ward", [0.106981, 0.179544]), ("average", [0.106981, 0.163890])])
def test_golden_heights(linkage, expected):
    root = cluster("ABC", GOLDEN, linkage)
    assert heights(root) == pytest.approx(expected, abs=1e-6)
    assert {child.tasks for child in root.children} == {("A", "B"), ("C",)}


@pytest.mark.parametrize("linkage", ["ward", "average"])
def test_a_tree_is_scipys(linkage):
    values = np.random.default_rng(0).random((7, 7))
    names = tuple("abcdefg")
    found = task_tree(TaskMatrix.square(names, values), linkage)
    distances = 1 - (values + values.T)[np.triu_indices(7, 1)] / 2
    assert heights(found.root) == pytest.approx(hierarchy.linkage(distances, linkage)[:, 2])
    assert sorted(found.root.tasks) == sorted(names)
    assert found.notes == ("the matrix is not symmetric: both directions are averaged",)


def test_the_most_alike_meet_first():
    found = task_tree(TaskMatrix.square(TASKS, SYMMETRIC), "average")
    assert not found.notes and {c.tasks for c in found.root.children} == {("p", "q"), ("r", "s")}
    assert found.root.height == pytest.approx(1 - np.mean([0.2, 0.1, 0.3, 0.2]))


def test_the_order_of_rows_and_columns_may_differ():
    turned = TaskMatrix(TASKS, TASKS[::-1], SYMMETRIC[:, ::-1])
    assert np.allclose(condensed(turned)[0], condensed(TaskMatrix.square(TASKS, SYMMETRIC))[0])


def test_similarities_above_one_are_taken_from_the_largest():
    distances, (note,) = condensed(TaskMatrix.square(TASKS, 100 * SYMMETRIC))
    assert distances.min() == 0 and distances.max() == pytest.approx(80) and "a distance is 90" in note
    assert condensed(TaskMatrix.square(("a", "b"), np.full((2, 2), 1 + 1e-12))) == (np.zeros(1), [])


def test_what_makes_no_tree():
    holes = SYMMETRIC.copy()
    holes[0, 1] = np.nan
    for matrix, message in (
        (TaskMatrix.square(TASKS, holes), "no similarity of p to q."),
        (TaskMatrix.square(TASKS, np.full((4, 4), np.nan)), "and 7 more"),
        (TaskMatrix(("p", "q"), ("p", "z"), np.eye(2)), "in one only: q, z"),
        (TaskMatrix.square(("p",), np.eye(1)), "at least two tasks; there are 1"),
    ):
        with pytest.raises(UnusableData, match=message):
            task_tree(matrix)


def test_the_command(tmp_path):
    file = made(SYMMETRIC).save(tmp_path)
    found = ask("tree", file)
    assert found.exit_code == 0 and not found.stderr
    assert all(any(text.endswith(f"─ {t}") for text in found.stdout.splitlines()) for t in TASKS)
    plain = json.loads(ask("tree", file, "--linkage", "average", "--json").stdout)
    assert sorted(plain["tasks"]) == sorted(TASKS) and len(plain["children"]) == 2
    assert plain["children"][0]["children"][0] == {"tasks": ["p"], "height": 0.0, "children": []}
    table = tmp_path / "m.csv"
    table.write_text("source,a,b,c\na,,50,20\nb,40,,10\nc,20,10,\n")
    found = ask("tree", table)
    assert "similarities exceed 1" in found.stderr and "not symmetric" in found.stderr and "├" in found.stdout


def test_bad_input_gets_one_line(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("target,source\na,b\nb,a\n")
    assert "holds selected sources" in line(ask("tree", table), 3)
    table.write_text("source,a,b\na,,\nb,1,\n")
    assert "no similarity of a to b" in line(ask("tree", table), 3)
    assert "no file 'nowhere.csv'" in line(ask("tree", "nowhere.csv"), 3)
    assert "'single' is not one of" in line(ask("tree", table, "--linkage", "single"), 2)
