"""Cognitive-neural mapping: do two tasks' representations predict the same channels of a signal?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, UnusableData, hookimpl

from .channels import (
    MAX_CHANNELS,
    Average,
    Relative,
    Scaling,
)
from .device import has_bf16, to_device
from .mapping import Score, compressed, fit
from .prediction import SEEDS, ByChannels, Fold, cross_validated, predictions_of_folds
from .ridge import RidgeCNM

if TYPE_CHECKING:
    from torch import Tensor

    from cogbench import Estimator


FEW_STEPS = 200  # of Adam: with fewer a network of combined channels is further than one of channels


@dataclass(frozen=True)
class CNM(ByChannels):
    """Similarity of how well two tasks' representations predict each channel of a signal.

    A network with one hidden layer maps a task's representations to a subject's responses. The task's vector (CogR)
    holds, for each channel, the score of the predictions for stimuli that the network has not seen; tasks are
    compared by the cosine of their vectors.

    Parameters
    ----------
    score : {"r2", "rho", "rho2"}
        Of a channel: 1 - SSE/SST, from minus infinity to 1, as the released code has it; Pearson's correlation; or the
        square of that, as the paper's footnote 6 has it.
    hidden : tuple of int
        Sizes of the hidden layer; each task takes one in each outer fold, by inner cross-validation.
    channels : int
        At most so many channels of a subject, the same random ones for all tasks and runs.
    seeds : tuple of int
        One run for each: folds, initial weights and batches are drawn from it.
    folds, inner_folds : int
        Of the outer and inner cross-validation.
    epochs, batch_size, learning_rate : int, int, float
        Of each training.
    zscore : {"all", "train"}
        Each channel is scaled over all stimuli, as in the paper, or over the training stimuli of each outer fold alone.
    average : {"matrices", "vectors"}
        Over subjects and seeds: of the similarities, or of the vectors before they are compared.
    relative : {"none", "backbone", "tasks"}
        What is taken off each vector before tasks are compared: nothing, as in the paper; the vector of the backbone
        before any training, so that vectors hold what a training changed in how the signal is predicted; or the mean
        vector of the tasks.
    solver : {"compressed", "plain"}
        With more channels than training stimuli, map to as many combinations of channels as there are stimuli, or to
        all channels; otherwise the two are the same. The channels' scores of both agree as those of two seeds do, the
        similarities of tasks a little less (docs/speed.md). In fewer than 200 steps a compressed network learns more
        than the published one, so then all channels are mapped to.
    precision : {"auto", "bf16", "fp32"}
        Of the products in the training of networks; weights and updates are in fp32. "auto" takes bf16 where the device
        computes with it.

    Raises
    ------
    UnusableData
        If the solver is another one.

    References
    ----------
    Luo, Xu & Xiong (2022), CogTaskonomy, section 3.3; the training is that of their released code.
    """

    score: Score = "r2"
    hidden: tuple[int, ...] = (400, 200)
    channels: int = MAX_CHANNELS
    seeds: tuple[int, ...] = SEEDS
    folds: int = 5
    inner_folds: int = 3
    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    zscore: Scaling = "all"
    average: Average = "matrices"
    relative: Relative = "none"
    solver: Literal["compressed", "plain"] = "compressed"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    name: str = "cnm"

    def __post_init__(self) -> None:
        if self.solver not in ("compressed", "plain"):
            raise UnusableData(
                f"{self.name}: solver={self.solver}; expected compressed or plain; "
                "the linear map in closed form is an estimator of its own, cnm-ridge."
            )

    @property
    def candidates(self) -> tuple[int, ...]:
        """The hidden sizes that a task chooses from."""
        return self.hidden

    def cross_validate(self, x: Array, y: Array, seed: int) -> Array:
        """Return (6, n_tasks, n_channels) `moments` of one subject's responses and their predictions.

        Parameters
        ----------
        x : array of shape (n_tasks, n_stimuli, n_dims)
        y : array of shape (n_stimuli, n_channels)
            Responses to the same stimuli, z-scored.
        seed : int
        """

        def choose(x: "Tensor", fold: Fold) -> Array:
            return self.choose(x, fold.responses, fold.train, (seed, fold.number))

        def predict(x: "Tensor", fold: Fold, i: int) -> "Tensor":
            key = (seed, fold.number, 0)
            return self.predict(x, fold.responses, fold.train, fold.test, self.hidden[i], key)

        inputs, responses = to_device(x), to_device(y)
        predictions = predictions_of_folds(
            inputs, responses, seed, folds=self.folds, zscore=self.zscore, choose=choose, predict=predict
        )
        return cross_validated(predictions, responses, len(x))

    def choose(self, x: "Tensor", y: "Tensor", train: Array, key: tuple[int, ...]) -> Array:
        """Return for each task the number of the hidden size with the least error over the inner folds: (n_tasks,)."""
        errors = np.zeros((len(self.hidden), len(x)))
        if len(self.hidden) == 1:
            return errors.argmin(axis=0)
        folds = np.array_split(train, self.inner_folds)
        for k, test in enumerate(folds):
            rest = np.concatenate(folds[:k] + folds[k + 1 :])
            for i, hidden in enumerate(self.hidden):
                predictions = self.predict(x, y, rest, test, hidden, (*key, k + 1))  # (n_tasks, n_test, n_channels)
                errors[i] += [float((p - y[test]).square().mean()) for p in predictions]
        return errors.argmin(axis=0)

    def predict(
        self, x: "Tensor", y: "Tensor", train: Array, test: Array, hidden: int, key: tuple[int, ...]
    ) -> "Tensor":
        """Fit all tasks on the rows `train` and predict the rows `test`: (n_tasks, n_test, n_channels)."""
        targets, basis, shrink = y[train], None, 1.0  # (n_train, n_targets)
        n_steps = self.epochs * -(-len(train) // self.batch_size)
        if self.solver == "compressed" and y.shape[1] > len(train) and n_steps >= FEW_STEPS:
            targets, basis, shrink = compressed(targets, hidden, key)  # as many targets as training rows, at most
        w1, b1, w2, b2 = fit(
            x[:, train],
            targets,
            hidden=hidden,
            key=key,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            shrink=shrink,
            bf16=self.precision == "bf16" or (self.precision == "auto" and has_bf16()),
        )
        h = (b1 + x[:, test] @ w1).relu()  # (n_tasks, n_test, n_hidden)
        predictions = b2 + h @ w2  # (n_tasks, n_test, n_targets)
        return predictions if basis is None else predictions @ basis


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [CNM(), RidgeCNM()]
