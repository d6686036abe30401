"""Evidence without a model, for tests of estimators: what it holds is given."""

from dataclasses import dataclass, field

import numpy as np

from cogbench import Responses

# Three tasks' representations of four stimuli, of which golden values are known.
A = [[1, 0, 2], [0, 1, 1], [2, 1, 0], [1, 2, 1]]
B = [[1, 0, 1], [0, 2, 1], [2, 1, 1], [1, 1, 0]]
C = [[0, 1, 0], [1, 1, 2], [0, 2, 1], [2, 0, 1]]
OFF = ([0, 0, 1], [1, 2, 2])  # the cells above the diagonal: AB, AC, BC


@dataclass
class FakeEvidence:
    representations: dict
    responses: dict = field(default_factory=dict)
    stimuli: tuple = ()
    seed: int = 0
    notes: list = field(default_factory=list)
    details: dict = field(default_factory=dict)

    def __post_init__(self):
        n = len(next(iter(self.representations.values())))
        self.stimuli = self.stimuli or tuple(f"Sentence {i}." for i in range(n))

    @property
    def tasks(self):
        return tuple(self.representations)

    sources = targets = tasks

    def pieces(self, estimator):
        return {name: estimator.piece(self, name) for name in estimator.pieces(self)}

    def note(self, text):
        self.notes.append(text)

    def detail(self, name, value):
        self.details[name] = value

    def at(self, rows):
        """The same evidence with its stimuli in another order."""
        subjects = {name: Responses(r.values[rows], r.channels, r.present[rows]) for name, r in self.responses.items()}
        patterns = {task: r[rows] for task, r in self.representations.items()}
        return FakeEvidence(patterns, subjects, tuple(self.stimuli[i] for i in rows))


def evidence_of(*patterns):
    return FakeEvidence({f"task-{i}": np.array(p, np.float32) for i, p in enumerate(patterns)})


def random_patterns(seed, n_tasks=4, n=7, d=5):
    return list(np.random.default_rng(seed).normal(size=(n_tasks, n, d)).astype(np.float32))
