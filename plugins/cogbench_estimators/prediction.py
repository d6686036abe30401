"""How well each task predicts each channel, by cross-validation, and how alike tasks are in that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cogbench import Array, TaskMatrix, UnusableData

from .channels import MappingEstimator, Scaling, mappable_channels
from .device import to_device
from .dse import representations, unit_rows
from .mapping import above_null, channel_scores, moments, z_scored

if TYPE_CHECKING:
    from torch import Tensor

    from cogbench import Evidence

SEEDS = (5, 10, 20, 30, 123)  # of the runs, by default
NOTHING = 0.1  # twice the share of channels that lie above shuffled stimuli by chance


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold of the outer cross-validation of a subject's responses.

    Parameters
    ----------
    number : int
    train, test : arrays of int
        Rows.
    responses : tensor of shape (n_stimuli, n_channels)
        Scaled as the training wants them.
    """

    number: int
    train: Array
    test: Array
    responses: "Tensor"


@dataclass(frozen=True, eq=False)
class Run:
    """What one seed gives for one subject.

    Parameters
    ----------
    relative : array of shape (n_tasks, n_channels)
        Each task's CogR, the score of its predictions of each channel, less what the option `relative` takes off.
    prediction : array of shape (3, n_tasks)
        Mean score, error relative to shuffled stimuli, and share of the channels above those.
    """

    relative: Array
    prediction: Array


@dataclass(frozen=True, eq=False)
class SubjectData:
    """The stimuli that a subject has seen, and the responses to them.

    Parameters
    ----------
    tasks : array of shape (n_tasks, n_stimuli, n_dims)
        The stimuli as each task's model represents them.
    backbone : array of shape (1, n_stimuli, n_dims), optional
        As the backbone represents them before any training, where the option `relative` wants it.
    responses : array of shape (n_stimuli, n_channels)
        Z-scored.
    """

    tasks: Array
    backbone: Array | None
    responses: Array


def similarity_by_channels(estimator: MappingEstimator, evidence: "Evidence") -> TaskMatrix:
    """Return the symmetric (n_tasks, n_tasks) cosine of the tasks' vectors, from -1 to 1.

    NaN for a task whose vector is zero: it predicts nothing, so there is no estimate. Subjects with fewer than 3
    channels or too few stimuli are left out, and a note says so.

    Raises
    ------
    UnusableData
        If no subject is left, a representation holds NaN or infinity, or the vectors of subjects with different
        channels are to be averaged.
    """
    runs = {
        subject: [describe_subject(estimator, data, seed) for seed in estimator.seeds]
        for subject, data in subject_data(estimator, evidence).items()
    }
    vectors = [[run.relative for run in each] for each in runs.values()]  # (n_tasks, n_channels) each
    matrices = [np.mean([cosines(v) for v in each], axis=0) for each in vectors]  # (n_tasks, n_tasks) of a subject
    evidence.detail("by_subject", dict(zip(runs, map(json_rows, matrices), strict=True)))
    evidence.detail("prediction", describe_predictions(estimator, evidence, runs))
    for i, task in enumerate(evidence.tasks):
        if not all(v[i].any() for each in vectors for v in each):
            evidence.note(f"{estimator.name}: no estimate for {task}: its predictions score 0 in every channel.")
    if estimator.average == "vectors":
        mean = np.mean([v for each in vectors for v in each], axis=0)  # (n_tasks, n_channels)
        return TaskMatrix.square(evidence.tasks, cosines(mean))
    return TaskMatrix.square(evidence.tasks, np.mean(matrices, axis=0))


def subject_data(estimator: MappingEstimator, evidence: "Evidence") -> dict[str, SubjectData]:
    """Return the data of each subject, in the order of the sorted sentences.

    Folds and batches are drawn of that order, so the order of the stimuli in the evidence does not change the answer.
    """
    order = np.array(sorted(range(len(evidence.stimuli)), key=evidence.stimuli.__getitem__))
    x = np.stack(representations(evidence))[:, order].astype(np.float32)  # (n_tasks, n_stimuli, n_dims)
    bare = None
    if estimator.relative == "backbone":
        bare = np.asarray(evidence.represent(evidence.stimuli), np.float32)[None, order]  # (1, n_stimuli, n_dims)
    subjects = evidence.responses
    channels = mappable_channels(estimator, subjects, evidence.note)
    names = {tuple(subjects[s].channels[c] for c in columns) for s, columns in channels.items()}
    if estimator.average == "vectors" and len(names) > 1:
        raise UnusableData(
            f"the subjects' channels differ: {estimator.name} cannot average their vectors; use average=matrices."
        )
    data = {}
    for subject, columns in channels.items():
        present = subjects[subject].present[order]
        y = z_scored(subjects[subject].values[np.ix_(order[present], columns)])  # (n_present, n_mapped)
        data[subject] = SubjectData(x[:, present], None if bare is None else bare[:, present], y)
    return data


def describe_subject(estimator: MappingEstimator, data: SubjectData, seed: int) -> Run:
    """Score each task's cross-validated predictions of one subject."""
    n_stimuli, n_tasks = len(data.responses), len(data.tasks)
    # The backbone goes beside the tasks, through the same products: where training changed nothing, 0 is left.
    x = data.tasks if data.backbone is None else np.concatenate([data.tasks, data.backbone])
    sums = estimator.cross_validate(x, data.responses, seed)  # (6, n_tasks [+ 1], n_channels)
    scores = channel_scores(sums, n_stimuli, estimator.score)
    vectors = scores[:n_tasks]
    error, share = above_null(sums[:, :n_tasks], n_stimuli)  # (n_tasks,) each
    origin = np.zeros_like(vectors[:1])  # (1, n_channels)
    if data.backbone is not None:
        origin = scores[n_tasks:]
    elif estimator.relative == "tasks":
        origin = vectors.mean(axis=0, keepdims=True)
    return Run(vectors - origin, np.stack([vectors.mean(axis=1), error, share]))


def cross_validate(
    x: "Tensor",
    y: "Tensor",
    seed: int,
    *,
    folds: int,
    zscore: Scaling,
    choose: Callable[["Tensor", Fold], Array],
    predict: Callable[["Tensor", Fold, int], "Tensor"],
) -> Array:
    """Predict one subject's responses from each task, and return the sums over stimuli that scores are made of.

    Parameters
    ----------
    x : tensor of shape (n_tasks, n_stimuli, n_dims)
    y : tensor of shape (n_stimuli, n_channels)
        Responses to the same stimuli, z-scored.
    seed : int
        The folds are drawn from it.
    folds : int
    zscore : {"all", "train"}
        "train" scales the responses again in each fold, over its training stimuli.
    choose : callable
        `choose(x, fold)` returns for each task the number of its candidate: (n_tasks,).
    predict : callable
        `predict(x, fold, i)` learns on the training rows with the candidate i, and returns (n_tasks, n_test,
        n_channels) for the test rows, of the tasks in x.

    Returns
    -------
    array of shape (6, n_tasks, n_channels)
        The `moments` over all stimuli.
    """
    import torch

    rows = np.array_split(np.random.default_rng(seed).permutation(len(y)), folds)
    sums = torch.zeros(6, len(x), y.shape[1], dtype=torch.float64, device=y.device)
    for k, test in enumerate(rows):
        train = np.concatenate(rows[:k] + rows[k + 1 :])
        fold = Fold(k, train, test, y)
        if zscore == "train":
            mean, spread = y[train].mean(dim=0), y[train].std(dim=0, correction=0)  # (n_channels,) each
            spread = spread.where(spread > 0, 1.0)
            fold = Fold(k, train, test, (y - mean) / spread)
        choice = choose(x, fold)  # (n_tasks,)
        for i in np.unique(choice):
            tasks = to_device(np.flatnonzero(choice == i))
            predictions = predict(x[tasks], fold, i)  # (n_tasks of this choice, n_test, n_channels)
            if zscore == "train":
                predictions = predictions * spread + mean  # back to the scale that all folds share
            sums[:, tasks] += moments(y[test], predictions)
    return sums.cpu().numpy()


def describe_predictions(
    estimator: MappingEstimator, evidence: "Evidence", runs: Mapping[str, list[Run]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return how well each task predicts each subject, mean over seeds, and note if hardly anything is predicted."""
    figures = ("score", "error_to_shuffled", "share_above_shuffled")
    predictions: dict[str, Any] = {}
    shares = []
    for subject, each in runs.items():
        mean = np.mean([run.prediction for run in each], axis=0)  # (3, n_tasks)
        shares.append(mean[2])
        predictions[subject] = {
            task: dict(zip(figures, map(float, column), strict=True))
            for task, column in zip(evidence.tasks, mean.T, strict=True)
        }
    share = np.mean(shares)
    if share < NOTHING:
        evidence.note(
            f"{estimator.name}: the mapping predicts next to nothing: {100 * share:.0f} % of channels lie above "
            "shuffled stimuli, where 5 % would by chance; its similarities say little."
        )
    return predictions


def json_rows(matrix: Array) -> list[list[float | None]]:
    """Return the rows of an (n_tasks, n_tasks) matrix for JSON: None for NaN, and for a task with itself."""
    np.fill_diagonal(matrix := matrix.copy(), np.nan)
    return [[None if np.isnan(v) else float(v) for v in row] for row in matrix]


def cosines(vectors: Array) -> Array:
    """Return the (n_tasks, n_tasks) cosines of the rows of (n_tasks, n_channels); NaN for a zero row."""
    unit = unit_rows(vectors, "cosine")
    unit[~unit.any(axis=1)] = np.nan
    return unit @ unit.T
