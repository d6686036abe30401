"""How well each task predicts each channel, by cross-validation, and how alike tasks are in that."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cogbench import Array, Recording, TaskMatrix, UnusableData

from .channels import MappingEstimator, Relative, Scaling, draw_channels, mappable_channels, needs_of_mapping
from .device import Tensor, library, to_device, to_numpy, zeros
from .dse import representations, unit_rows
from .mapping import above_null, channel_scores, moments, z_scored

if TYPE_CHECKING:
    from cogbench import Evidence

SEEDS = (5, 10, 20, 30, 123)  # of the runs, by default
SEED = " seed "  # between a subject and a seed in the name of a piece
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
    responses: Tensor


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


class ByChannels:
    """What `cnm` and `cnm-ridge` share: a piece for each subject and seed, and how `similarity` joins them."""

    @property
    def needs(self: MappingEstimator) -> frozenset[str]:
        """What it asks of Evidence: with `relative=backbone` the backbone too."""
        return needs_of_mapping(self.relative)

    @property
    def canonical(self: MappingEstimator) -> MappingEstimator:
        """The same with one value for each option that says how pieces are joined."""
        relative: Relative = "backbone" if self.relative == "backbone" else "none"
        return replace(self, seeds=SEEDS, average="matrices", relative=relative)  # type: ignore[type-var]

    def refuse(self: MappingEstimator, recording: Recording) -> None:
        """Raise UnusableData for a signal with too few channels or stimuli, before anything is trained on it."""
        mappable_channels(self, recording.subjects)

    def pieces(self: MappingEstimator, evidence: "Evidence") -> dict[str, tuple[str, ...]]:
        """Return the name of each piece, a subject and a seed, with the tasks that it reads: all of them."""
        subjects = mappable_channels(self, evidence.responses)
        return {piece_name(subject, seed): evidence.tasks for subject in subjects for seed in self.seeds}

    def piece(self: MappingEstimator, evidence: "Evidence", name: str) -> dict[str, Array]:
        """Return how the tasks predict one subject by one seed; see `describe_subject`."""
        subject, _, seed = name.rpartition(SEED)
        return describe_subject(self, subject_data(self, evidence, subject), int(seed))

    def similarity(self: MappingEstimator, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_tasks, n_tasks) cosine of the tasks' vectors, from -1 to 1.

        NaN for a task whose vector is zero: it predicts nothing, so there is no estimate. Subjects with fewer than 3
        channels or too few stimuli are left out, and a note says so.

        Raises
        ------
        UnusableData
            If no subject is left, a representation holds NaN or infinity, or the vectors of subjects with different
            channels are to be averaged.
        """
        responses = evidence.responses
        channels = mappable_channels(self, responses, evidence.note)
        names = {tuple(responses[s].channels[c] for c in columns) for s, columns in channels.items()}
        if self.average == "vectors" and len(names) > 1:
            raise UnusableData(
                f"the subjects' channels differ: {self.name} cannot average their vectors; use average=matrices."
            )
        pieces = evidence.pieces(self)  # type: ignore[arg-type]
        runs = {subject: [pieces[piece_name(subject, seed)] for seed in self.seeds] for subject in channels}
        vectors = [[relative_vectors(self, run) for run in each] for each in runs.values()]
        matrices = [np.mean([cosines(v) for v in each], axis=0) for each in vectors]  # (n_tasks, n_tasks) of a subject
        evidence.detail("by_subject", dict(zip(runs, map(json_rows, matrices), strict=True)))
        evidence.detail("prediction", describe_predictions(self, evidence, runs))
        for i, task in enumerate(evidence.tasks):
            if not all(v[i].any() for each in vectors for v in each):
                evidence.note(f"{self.name}: no estimate for {task}: its predictions score 0 in every channel.")
        if self.average == "vectors":
            mean = np.mean([v for each in vectors for v in each], axis=0)  # (n_tasks, n_channels)
            return TaskMatrix.square(evidence.tasks, cosines(mean))
        return TaskMatrix.square(evidence.tasks, np.mean(matrices, axis=0))


def piece_name(subject: str, seed: int) -> str:
    """Return the name of the piece of a subject and a seed."""
    return f"{subject}{SEED}{seed}"


def describe_subject(estimator: MappingEstimator, data: SubjectData, seed: int) -> dict[str, Array]:
    """Score each task's cross-validated predictions of one subject.

    Returns
    -------
    dict of str to array
        `vectors` (n_tasks, n_channels), each task's CogR, the score of its predictions of each channel; `backbone`
        (1, n_channels), that of the backbone before any training, where the option `relative` wants it; `error`
        (n_tasks,), relative to shuffled stimuli; `share` (n_tasks,) of channels above these.
    """
    n_stimuli, n_tasks = len(data.responses), len(data.tasks)
    # The backbone goes beside the tasks, through the same products: where training changed nothing, 0 is left.
    x = data.tasks if data.backbone is None else np.concatenate([data.tasks, data.backbone])
    sums = estimator.cross_validate(x, data.responses, seed)  # (6, n_tasks [+ 1], n_channels)
    scores = channel_scores(sums, n_stimuli, estimator.score)
    error, share = above_null(sums[:, :n_tasks], n_stimuli)  # (n_tasks,) each
    return {"vectors": scores[:n_tasks], "backbone": scores[n_tasks:], "error": error, "share": share}


def relative_vectors(estimator: MappingEstimator, run: Mapping[str, Array]) -> Array:
    """Return the vectors of a piece (n_tasks, n_channels), less what the option `relative` takes off."""
    vectors = run["vectors"]
    if estimator.relative == "backbone":
        return vectors - run["backbone"]
    return vectors - vectors.mean(axis=0, keepdims=True) if estimator.relative == "tasks" else vectors


def subject_data(estimator: MappingEstimator, evidence: "Evidence", subject: str) -> SubjectData:
    """Return the data of a subject, in the order of the sorted sentences.

    Folds and batches are drawn of that order, so the order of the stimuli in the evidence does not change the answer.
    """
    responses = evidence.responses[subject]
    order = np.array(sorted(range(len(evidence.stimuli)), key=evidence.stimuli.__getitem__))
    rows = order[responses.present[order]]
    x = np.stack(representations(evidence))[:, rows].astype(np.float32)  # (n_tasks, n_present, n_dims)
    bare = None
    if estimator.relative == "backbone":
        bare = np.asarray(evidence.represent(evidence.stimuli), np.float32)[None, rows]  # (1, n_present, n_dims)
    columns = draw_channels(estimator, subject, responses)
    return SubjectData(x, bare, z_scored(responses.values[np.ix_(rows, columns)]))


def predictions_of_folds(
    x: Tensor,
    y: Tensor,
    seed: int,
    *,
    folds: int,
    zscore: Scaling,
    choose: Callable[[Tensor, Fold], Array],
    predict: Callable[[Tensor, Fold, int], Tensor],
) -> Iterator[tuple[Tensor, Array, Tensor]]:
    """Predict one subject's responses from each task, each stimulus by a mapping that has not seen it.

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

    Yields
    ------
    tuple
        The numbers of some tasks (n,), those of a fold's test stimuli (n_test,), and the predictions of these tasks
        (n, n_test, n_channels) in the scale of y.
    """
    xp = library()
    rows = np.array_split(np.random.default_rng(seed).permutation(len(y)), folds)
    for k, test in enumerate(rows):
        train = np.concatenate(rows[:k] + rows[k + 1 :])
        fold = Fold(k, train, test, y)
        if zscore == "train":
            mean, spread = y[train].mean(axis=0), xp.std(y[train], axis=0, correction=0)  # (n_channels,) each
            spread = spread + (spread == 0)
            fold = Fold(k, train, test, (y - mean) / spread)
        choice = choose(x, fold)  # (n_tasks,)
        for i in np.unique(choice):
            tasks = to_device(np.flatnonzero(choice == i))
            predictions = predict(x[tasks], fold, i)  # (n_tasks of this choice, n_test, n_channels)
            if zscore == "train":
                predictions = predictions * spread + mean  # back to the scale that all folds share
            yield tasks, test, predictions


def cross_validated(predictions: Iterable[tuple[Tensor, Array, Tensor]], y: Tensor, n_tasks: int) -> Array:
    """Return the sums over stimuli that scores are made of.

    Parameters
    ----------
    predictions : iterable of tuples
        Those of `predictions_of_folds`.
    y : tensor of shape (n_stimuli, n_channels)
    n_tasks : int

    Returns
    -------
    array of shape (6, n_tasks, n_channels)
        The `moments` over all stimuli.
    """
    sums = zeros(6, n_tasks, y.shape[1])
    for tasks, test, some in predictions:
        sums[:, tasks] += moments(y[test], some)
    return to_numpy(sums)


def describe_predictions(
    estimator: MappingEstimator, evidence: "Evidence", runs: Mapping[str, list[Mapping[str, Array]]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return how well each task predicts each subject, mean over seeds, and note if hardly anything is predicted."""
    predictions, shares = dict[str, Any](), []
    for subject, each in runs.items():
        figures = {
            "score": np.mean([run["vectors"].mean(axis=1) for run in each], axis=0),
            "error_to_shuffled": np.mean([run["error"] for run in each], axis=0),
            "share_above_shuffled": np.mean([run["share"] for run in each], axis=0),
        }  # (n_tasks,) each
        shares.append(figures["share_above_shuffled"])
        predictions[subject] = {
            task: {name: float(values[i]) for name, values in figures.items()} for i, task in enumerate(evidence.tasks)
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
