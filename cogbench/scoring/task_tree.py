"""The tree of tasks that a matrix of similarities implies: hierarchical clustering."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from ..data.dataset import Array
from ..data.oracle import TaskMatrix
from ..errors import UnusableData

Linkage = Literal["ward", "average"]


@dataclass(frozen=True)
class Node:
    """A task (no children, height 0), or a fork: its tasks from left to right, and the height at which they meet."""

    tasks: tuple[str, ...]
    height: float
    children: tuple["Node", ...] = ()


@dataclass(frozen=True)
class Taxonomy:
    """The tree's root, and how similarities became distances."""

    root: Node
    notes: tuple[str, ...]


class HasMatrix(Protocol):
    """What holds similarities, such as a result."""

    @property
    def matrix(self) -> TaskMatrix: ...


def task_tree(similarity: TaskMatrix | HasMatrix, linkage: Linkage = "ward") -> Taxonomy:
    """Cluster tasks by their similarities.

    Parameters
    ----------
    similarity : TaskMatrix or Result
        Its sources and targets are the same two or more tasks; larger is more alike.
    linkage : {"ward", "average"}
        Ward's, as the code of CogTaskonomy (Luo, Xu & Xiong 2022) has it although it assumes Euclidean distances; or
        the mean distance.

    Raises
    ------
    UnusableData
        If sources and targets differ, or a similarity is missing: the message names the tasks.
    """
    similarity = similarity if isinstance(similarity, TaskMatrix) else similarity.matrix
    distances, notes = condensed(similarity)
    return Taxonomy(cluster(similarity.sources, distances, linkage), tuple(notes))


def condensed(similarity: TaskMatrix) -> tuple[Array, list[str]]:
    """Return 1 - similarity of each pair of tasks, (n (n - 1) / 2,) as scipy's `pdist` orders them, and notes.

    Where a similarity exceeds 1, it is the largest similarity that is subtracted from.
    """
    tasks = similarity.sources
    if apart := sorted({*tasks} ^ {*similarity.targets}):
        raise UnusableData(f"a tree needs the same tasks as sources and targets; in one only: {', '.join(apart)}.")
    if len(tasks) < 2:
        raise UnusableData(f"a tree needs at least two tasks; there are {len(tasks)}.")
    values = similarity.part(tasks, tasks).values
    unknown = np.isnan(values) & ~np.eye(len(tasks), dtype=bool)
    if unknown.any():
        gaps = [f"{tasks[s]} to {tasks[t]}" for s, t in zip(*np.nonzero(unknown), strict=True)]
        raise UnusableData(
            f"no similarity of {', '.join(gaps[:5])}{f' and {len(gaps) - 5} more' if len(gaps) > 5 else ''}."
        )
    upper = np.triu_indices(len(tasks), 1)
    forth, back = values[upper], values.T[upper]
    pairs, notes = (forth + back) / 2, []
    if not np.allclose(forth, back):
        notes.append("the matrix is not symmetric: both directions are averaged")
    top = 1.0
    if pairs.max() > 1 + 1e-9:
        top = float(pairs.max())
        notes.append(f"similarities exceed 1: a distance is {top:.4g}, the largest of them, less the similarity")
    return np.maximum(top - pairs, 0), notes


def cluster(tasks: Sequence[str], distances: Array, linkage: Linkage = "ward") -> Node:
    """Return the tree of condensed distances (n (n - 1) / 2,), as scipy's hierarchical clustering joins them."""
    from scipy.cluster import hierarchy

    nodes = [Node((task,), 0.0) for task in tasks]
    for left, right, height, _ in hierarchy.linkage(distances, linkage):
        pair = nodes[int(left)], nodes[int(right)]
        nodes.append(Node(pair[0].tasks + pair[1].tasks, float(height), pair))
    return nodes[-1]
