"""CRA on predicted responses: do two tasks predict alike responses to the same pairs of sentences?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cogbench import Array, Recording, TaskMatrix, hookimpl

from .channels import MAX_CHANNELS, Scaling, mappable_channels
from .cra import compare_without_pairs
from .device import to_numpy
from .prediction import SEED, SEEDS, json_rows, piece_name, subject_data
from .ridge import RidgeCNM

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class PredictedCRA:
    """CRA with what each task predicts of a recording in place of the task's representations.

    A linear map from each task's representations predicts the responses of a subject to each stimulus, by
    cross-validation: the paper's pseudo cognitive data. The RDM of a task is that of its predictions. The paper reports
    that this performs poorly.

    Parameters
    ----------
    penalties, channels, folds, inner_folds, zscore
        Those of `cnm-ridge`, which maps.
    seeds : tuple of int
        One run for each: the folds are drawn from it, and nothing else.

    References
    ----------
    Luo, Xu & Xiong (2022), CogTaskonomy, section 3.2, footnote 5.
    """

    penalties: tuple[float, ...] = RidgeCNM.penalties
    channels: int = MAX_CHANNELS
    seeds: tuple[int, ...] = SEEDS
    folds: int = 5
    inner_folds: int = 3
    zscore: Scaling = "all"
    name: str = "cra-predicted"
    needs: frozenset[str] = frozenset({"representations", "responses"})

    @property
    def mapping(self) -> RidgeCNM:
        """The map from representations to responses."""
        return RidgeCNM(
            penalties=self.penalties,
            channels=self.channels,
            seeds=self.seeds,
            folds=self.folds,
            inner_folds=self.inner_folds,
            zscore=self.zscore,
            name=self.name,
        )

    def refuse(self, recording: Recording) -> None:
        """Raise UnusableData for a signal with too few channels or stimuli."""
        self.mapping.refuse(recording)

    def pieces(self, evidence: "Evidence") -> dict[str, tuple[str, ...]]:
        """Return the name of each piece, a subject and a seed, with the tasks that it reads: all of them."""
        return self.mapping.pieces(evidence)

    def piece(self, evidence: "Evidence", name: str) -> dict[str, Array]:
        """Return the `similarity` (n_tasks, n_tasks) of the RDMs of one subject's predicted responses by one seed."""
        subject, _, seed = name.rpartition(SEED)
        data = subject_data(self.mapping, evidence, subject)
        predicted = np.empty((len(data.tasks), *data.responses.shape), np.float32)  # (n_tasks, n_stimuli, n_channels)
        for tasks, test, predictions in self.mapping.predictions(data.tasks, data.responses, int(seed)):
            predicted[np.ix_(to_numpy(tasks), test)] = to_numpy(predictions)
        similarity = compare_without_pairs([*predicted], "cosine")
        # Of equal stimuli the mean of the other folds is predicted: its RDM is that of the folds, of any such task.
        flat = (data.tasks == data.tasks[:, :1]).all(axis=(1, 2))
        similarity[flat] = similarity[:, flat] = np.nan
        return {"similarity": similarity}

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_tasks, n_tasks) mean over subjects and seeds, from -1 to 1; NaN where undefined.

        Raises
        ------
        UnusableData
            If no subject has enough channels and stimuli, or a representation holds NaN or infinity.
        """
        subjects = mappable_channels(self.mapping, evidence.responses, evidence.note)
        pieces = evidence.pieces(self)
        matrices = {
            subject: np.mean([pieces[piece_name(subject, seed)]["similarity"] for seed in self.seeds], axis=0)
            for subject in subjects
        }
        evidence.detail("by_subject", {subject: json_rows(matrix) for subject, matrix in matrices.items()})
        mean = np.mean([*matrices.values()], axis=0)
        for task in np.array(evidence.tasks)[np.isnan(mean).all(axis=1)]:
            evidence.note(f"{self.name}: no estimate for {task}: it represents all stimuli alike.")
        return TaskMatrix.square(evidence.tasks, mean)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [PredictedCRA()]
