"""What the studies of CNM share: the tasks' profiles, the variants of their similarity, and how a similarity is judged.

A profile holds how well a task's representations predict each channel. The variants are made from the same
predictions, so that all of them cost one: `test_cnm_control` holds them against the estimators' own answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from cogbench_estimators.channels import MappingEstimator
from cogbench_estimators.cra import CRA
from cogbench_estimators.mapping import channel_scores, z_scored
from cogbench_estimators.prediction import cosines

from cogbench import Array, Oracle, Responses, TaskMatrix
from cogbench.scoring.chance import relabelled_p, relabellings
from cogbench.scoring.paired import score_picks
from cogbench.scoring.ranking import true_ranking
from cogbench.scoring.skill import skill_beyond_effects

RELATIVES = ("none", "backbone", "tasks")
DRAWS = 9_999  # relabellings, as in a run


@dataclass(frozen=True, eq=False)
class Measurements:
    """What CNM looks at.

    Parameters
    ----------
    names : tuple of str
        Of the tasks.
    tasks : array of shape (n_tasks, n_stimuli, n_dims)
        The stimuli as each task's model represents them.
    backbone : array of shape (n_stimuli, n_dims)
        As the backbone represents them before any training.
    responses : sequence of arrays of shape (n_stimuli, n_channels)
        Of each subject.
    """

    names: tuple[str, ...]
    tasks: Array
    backbone: Array
    responses: Sequence[Array]

    @property
    def evidence(self) -> "StandIn":
        """The same as estimators ask for it."""
        return StandIn(self)

    def at(self, rows: Array) -> "Measurements":
        """Return the same of some stimuli."""
        return replace(
            self, tasks=self.tasks[:, rows], backbone=self.backbone[rows], responses=[y[rows] for y in self.responses]
        )

    def shuffled(self, seed: int) -> "Measurements":
        """Return the same with each response under another stimulus: the signal says nothing of the stimuli."""
        rows = np.random.default_rng([seed, 1]).permutation(len(self.backbone))
        return replace(self, responses=[y[rows] for y in self.responses])

    def halves(self, seed: int) -> "tuple[Measurements, Measurements]":
        """Return the measurements of two halves of the stimuli, drawn at random."""
        order = np.random.default_rng([seed, 2]).permutation(len(self.backbone))
        first, second = np.array_split(order, 2)
        return self.at(np.sort(first)), self.at(np.sort(second))


class StandIn:
    """Evidence in memory, with stimuli in the order that estimators give them."""

    def __init__(self, measurements: Measurements) -> None:
        self.tasks = self.targets = measurements.names
        self.stimuli = tuple(f"stimulus {i:06d}" for i in range(len(measurements.backbone)))
        self.representations = dict(zip(measurements.names, measurements.tasks, strict=True))
        self.responses = {
            f"subject {i}": Responses(y, tuple(f"channel {c}" for c in range(y.shape[1])))
            for i, y in enumerate(measurements.responses)
        }
        self._backbone = measurements.backbone

    def represent(self, sentences: Sequence[str]) -> Array:
        """Return the stimuli as the bare backbone represents them."""
        return self._backbone

    def note(self, text: str) -> None:
        """Pass over a note."""

    def detail(self, name: str, value: Any) -> None:
        """Pass over a detail."""


def without_signal(measurements: Measurements) -> Array:
    """Return what `cra` says of the same representations, which needs no responses: (n_tasks, n_tasks)."""
    return CRA().similarity(measurements.evidence).values  # type: ignore[arg-type]


Variant = Callable[[MappingEstimator, Measurements], dict[str, Array]]


def profiles(estimator: MappingEstimator, measurements: Measurements, seed: int) -> list[Array]:
    """Return for each subject how well each task, and last the bare backbone, predicts each channel.

    Returns
    -------
    list of arrays of shape (n_tasks + 1, n_channels)
    """
    x = np.concatenate([measurements.tasks, measurements.backbone[None]]).astype(np.float32)
    return [
        channel_scores(estimator.cross_validate(x, z_scored(y), seed), len(y), estimator.score)
        for y in measurements.responses
    ]


def relative_profiles(scores: Array) -> dict[str, Array]:
    """Return the tasks' profiles (n_tasks, n_channels) for each value of the option `relative`."""
    tasks, backbone = scores[:-1], scores[-1:]
    return {"none": tasks, "backbone": tasks - backbone, "tasks": tasks - tasks.mean(axis=0, keepdims=True)}


def similarities(estimator: MappingEstimator, measurements: Measurements) -> dict[str, Array]:
    """Return what the estimator answers for each value of `relative`: (n_tasks, n_tasks) each."""
    matrices: dict[str, list[Array]] = {name: [] for name in RELATIVES}
    for seed in estimator.seeds:
        for scores in profiles(estimator, measurements, seed):
            for name, vectors in relative_profiles(scores).items():
                matrices[name].append(cosines(vectors))
    return {name: np.mean(each, axis=0) for name, each in matrices.items()}


def disjoint_similarities(estimator: MappingEstimator, measurements: Measurements) -> dict[str, Array]:
    """Return the same with the two tasks' profiles from different halves of the stimuli, in the mean of both ways.

    Two tasks with like representations predict the same noise alike, so their profiles of the same responses agree
    where the signal says nothing. Profiles of different stimuli have no noise in common.
    """
    matrices: dict[str, list[Array]] = {name: [] for name in RELATIVES}
    for seed in estimator.seeds:
        halves = [profiles(estimator, half, seed) for half in measurements.halves(seed)]
        for one, other in zip(*halves, strict=True):
            second = relative_profiles(other)
            for name, vectors in relative_profiles(one).items():
                n = len(vectors)
                across = cosines(np.concatenate([vectors, second[name]]))[:n, n:]  # (n_tasks, n_tasks)
                matrices[name].append((across + across.T) / 2)
    return {name: np.mean(each, axis=0) for name, each in matrices.items()}


@dataclass(frozen=True)
class Judgement:
    """How well a similarity ranks: TRS and skill, with the p of relabelling of each."""

    trs: float
    trs_p: float
    rho: float
    rho_p: float


def judge(names: Sequence[str], values: Array, oracle: Oracle, draws: int = DRAWS) -> Judgement:
    """Score a similarity (n_tasks, n_tasks) against an oracle; the figures are those of `cogbench score`."""
    true = true_ranking(oracle)
    guess = TaskMatrix.square(names, values).part(true.sources, true.targets)
    relabelled = relabellings(guess, draws=draws)
    picks = score_picks(guess, true, relabelled)
    skill = skill_beyond_effects(guess, oracle, true, picks, relabelled, draws=draws)
    p = relabelled_p(picks.totals, float(picks.ranks.sum()), relabelled).p
    if skill.rho is None or skill.p is None:
        return Judgement(float(picks.ranks.mean()), p, np.nan, np.nan)
    return Judgement(float(picks.ranks.mean()), p, skill.rho, skill.p.p)


def sharing_oracle(skills: Mapping[str, frozenset[str]]) -> Oracle:
    """Return the planted answer as an oracle: the cosine of two tasks' sets of skills, from 0 to 1."""
    values = [
        [len(one & other) / np.sqrt(len(one) * len(other)) for other in skills.values()] for one in skills.values()
    ]
    return Oracle("planted sharing", "", "", TaskMatrix.square(skills, np.array(values)))


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of values and the 95 % interval of the mean, by Student's t."""
    from scipy.stats import t

    array = np.asarray(values, np.float64)
    half = t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array))
    return float(array.mean()), float(array.mean() - half), float(array.mean() + half)
