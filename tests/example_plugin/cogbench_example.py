"""An estimator and three tasks for cogbench; all that a plugin may import is `cogbench` and what it installs itself."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Card, Dataset, Origin, Suite, TaskMatrix, hookimpl

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence, Files, Task

WORDS = "amber birch cedar delta ember fjord grove haven inlet jetty knoll lagoon maple north ocean pearl".split()


@dataclass(frozen=True)
class Distance:
    """Two tasks are as alike as their representations of the stimuli are near.

    Parameters
    ----------
    scale : bool
        Whether each task's representations are first scaled to a mean length of 1.
    """

    scale: bool = True
    name: str = "example-distance"
    needs: frozenset[str] = frozenset({"representations"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the negative root mean squared distance: (n_tasks, n_tasks)."""
        vectors = np.stack([evidence.representations[t] for t in evidence.tasks])  # (n_tasks, n_stimuli, n_dims)
        if self.scale:
            vectors = vectors / np.linalg.norm(vectors, axis=2).mean(axis=1)[:, None, None]
        apart = ((vectors[:, None] - vectors[None]) ** 2).mean(axis=(2, 3))  # (n_tasks, n_tasks)
        return TaskMatrix.square(evidence.tasks, -np.sqrt(apart))


@dataclass(frozen=True)
class WordTask:
    """Say something of five words: whether they are long, in alphabetical order, or hold a repetition."""

    name: str
    asks: Literal["length", "order", "repeat"] = "length"
    kind: str = "classification"
    metric: str = "accuracy"
    suite: str = "example"
    card: Card = Card(rows=64, licence="CC0-1.0", description="A question about five random words.")

    def load(self, split: Literal["train", "evaluation"], files: "Files") -> Dataset:
        """Generate 64 rows of each split; the two share none."""
        rng, found = random.Random(self.asks), dict[str, int]()
        while len(found) < 128:
            words = rng.choices(WORDS, k=5)
            words = sorted(words) if rng.random() < 0.5 else words
            answer = {
                "length": sum(map(len, words)) > 25,
                "order": words == sorted(words),
                "repeat": len({*words}) < 5,
            }
            found[" ".join(words)] = int(answer[self.asks])
        rows = list(found.items())[:64] if split == "train" else list(found.items())[64:]
        columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
        return Dataset(self.kind, columns, ("no", "yes"), Origin(self.name, "1"))


TASKS = (WordTask("example-length"), WordTask("example-order", "order"), WordTask("example-repeat", "repeat"))


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [Distance()]


@hookimpl
def register_tasks() -> "Iterable[Task]":
    return TASKS


@hookimpl
def register_suites() -> Iterable[Suite]:
    return [Suite("example", tuple(t.name for t in TASKS), signal="", description="Three questions about five words.")]
