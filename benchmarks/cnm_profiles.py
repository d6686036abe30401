"""What the studies of CNM share: the tasks' profiles, the variants of their similarity, and how a similarity is judged.

A profile holds how well a task's representations predict each channel. The variants are made from the same
predictions, so that all of them cost one: `test_cnm_control` holds them against the estimators' own answers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from cogbench_estimators.channels import MappingEstimator
from cogbench_estimators.cra import CRA
from cogbench_estimators.mapping import channel_scores, moments, z_scored
from cogbench_estimators.prediction import cosines
from cogbench_estimators.ridge import RidgeCNM

from cogbench import Array, Oracle, Responses, TaskMatrix
from cogbench.scoring.chance import relabelled_p, relabellings
from cogbench.scoring.paired import score_picks
from cogbench.scoring.ranking import true_ranking
from cogbench.scoring.skill import skill_beyond_effects

if TYPE_CHECKING:
    from torch import Tensor

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

    def pieces(self, estimator: Any) -> dict[str, dict[str, Array]]:
        """Return the arrays of each piece of an estimator."""
        return {name: estimator.piece(self, name) for name in estimator.pieces(self)}

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
    responses = [z_scored(y) for y in measurements.responses]
    if isinstance(estimator, RidgeCNM):
        sums = ridge_moments(estimator, x, responses, seed)
    else:
        sums = [estimator.cross_validate(x, y, seed) for y in responses]
    return [channel_scores(each, x.shape[1], estimator.score) for each in sums]


def ridge_moments(estimator: RidgeCNM, x: Array, responses: Sequence[Array], seed: int) -> list[Array]:
    """Return what `RidgeCNM.cross_validate` does for each of many responses to the same stimuli.

    The decompositions depend on the representations alone, so that many responses take little longer than one.
    """
    import torch

    inputs = torch.from_numpy(x)
    sizes = [y.shape[1] for y in responses]
    y = torch.from_numpy(np.concatenate(responses, axis=1)).double()  # (n_stimuli, n_channels of all)
    folds = np.array_split(np.random.default_rng(seed).permutation(len(y)), estimator.folds)
    sums = torch.zeros(6, len(x), y.shape[1], dtype=torch.float64)
    for k, test in enumerate(folds):
        train = np.concatenate(folds[:k] + folds[k + 1 :])
        inner = np.array_split(train, estimator.inner_folds)
        errors = torch.zeros(len(estimator.penalties), len(x), y.shape[1], dtype=torch.float64)
        for i, left_out in enumerate(inner):
            rest = np.concatenate(inner[:i] + inner[i + 1 :])
            for j, predicted in enumerate(ridge_predictions(inputs, y, rest, left_out, estimator.penalties)):
                errors[j] += (predicted - y[left_out]).square().sum(dim=1)
        choices = [error.sum(dim=2).argmin(dim=0) for error in errors.split(sizes, dim=2)]  # (n_tasks,) of each
        predictions = [p.split(sizes, dim=2) for p in ridge_predictions(inputs, y, train, test, estimator.penalties)]
        chosen = [
            torch.stack([predictions[int(c)][i][task] for task, c in enumerate(choice)])
            for i, choice in enumerate(choices)
        ]
        sums += moments(y[test], torch.cat(chosen, dim=2))
    return [each.numpy() for each in sums.split(sizes, dim=2)]


def ridge_predictions(
    x: "Tensor", y: "Tensor", train: Array, test: Array, penalties: Sequence[float]
) -> "Iterator[Tensor]":
    """Yield for each penalty the predictions of the rows `test`: (n_tasks, n_test, n_channels)."""
    import torch

    rows = x[:, train].double()
    mean, level = rows.mean(dim=1, keepdim=True), y[train].mean(dim=0)
    rows, others = rows - mean, x[:, test].double() - mean
    size = rows.square().sum(dim=2).mean(dim=1)[:, None]  # (n_tasks, 1): the unit of the penalties
    if rows.shape[2] < rows.shape[1]:
        strength, v = torch.linalg.eigh(rows.mT @ rows)
        seen, answers = others @ v, v.mT @ (rows.mT @ (y[train] - level))
    else:
        strength, u = torch.linalg.eigh(rows @ rows.mT)
        seen, answers = others @ (rows.mT @ u), u.mT @ (y[train] - level)
    for penalty in penalties:
        yield (seen / (strength.clamp(min=0) + penalty * size)[:, None]) @ answers + level


def relative_profiles(scores: Array) -> dict[str, Array]:
    """Return the tasks' profiles (n_tasks, n_channels) for each value of the option `relative`."""
    tasks, backbone = scores[:-1], scores[-1:]
    return {"none": tasks, "backbone": tasks - backbone, "tasks": tasks - tasks.mean(axis=0, keepdims=True)}


def same_by_subject(estimator: MappingEstimator, measurements: Measurements) -> dict[str, Array]:
    """Return each subject's similarity for each value of `relative`: (n_subjects, n_tasks, n_tasks) each."""
    matrices: dict[str, list[list[Array]]] = {name: [] for name in RELATIVES}
    for seed in estimator.seeds:
        vectors = [relative_profiles(scores) for scores in profiles(estimator, measurements, seed)]
        for name, of_seeds in matrices.items():
            of_seeds.append([cosines(of_subject[name]) for of_subject in vectors])
    return {name: np.mean(of_seeds, axis=0) for name, of_seeds in matrices.items()}


def disjoint_by_subject(estimator: MappingEstimator, measurements: Measurements) -> dict[str, Array]:
    """Return the same with the two tasks' profiles from different halves of the stimuli, in the mean of both ways.

    Two tasks with like representations predict the same noise alike, so their profiles of the same responses agree
    where the signal says nothing. Profiles of different stimuli have no noise in common.
    """
    matrices: dict[str, list[list[Array]]] = {name: [] for name in RELATIVES}
    for seed in estimator.seeds:
        first, second = (
            [relative_profiles(scores) for scores in profiles(estimator, half, seed)]
            for half in measurements.halves(seed)
        )
        for name, of_seeds in matrices.items():
            of_seeds.append([across(one[name], other[name]) for one, other in zip(first, second, strict=True)])
    return {name: np.mean(of_seeds, axis=0) for name, of_seeds in matrices.items()}


def across(one: Array, other: Array) -> Array:
    """Return the cosines of rows of `one` with rows of `other`, (n_tasks, n_channels) each, made symmetric."""
    matrix = cosines(np.concatenate([one, other]))[: len(one), len(one) :]
    return (matrix + matrix.T) / 2


def similarities(estimator: MappingEstimator, measurements: Measurements) -> dict[str, Array]:
    """Return what the estimator answers for each value of `relative`: (n_tasks, n_tasks) each."""
    return {name: each.mean(axis=0) for name, each in same_by_subject(estimator, measurements).items()}


def disjoint_similarities(estimator: MappingEstimator, measurements: Measurements) -> dict[str, Array]:
    """Return the same with profiles of disjoint stimuli."""
    return {name: each.mean(axis=0) for name, each in disjoint_by_subject(estimator, measurements).items()}


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


def in_thousandths(p: float) -> str:
    """Return a probability as a table has it: `.012`, or `< .001`."""
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def signed(value: float) -> str:
    """Return a figure with its sign and two decimals; what rounds to nothing has the sign of plus."""
    return f"{round(value, 2) + 0.0:+.2f}"
