"""Cognitive-neural mapping: do two tasks' representations predict the same channels of a signal?"""

from collections.abc import Iterable, Iterator, Sequence
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
from .device import device, has_bf16, to_device
from .mapping import Score, Training, answers, combined, compressed, fit_together, shrink_of
from .prediction import SEEDS, ByChannels, Fold, cross_validated, predictions_of_folds
from .ridge import RidgeCNM

if TYPE_CHECKING:
    from torch import Tensor

    from cogbench import Estimator


# Weights of the networks that are trained at once: more are no faster, as they leave the processor's cache.
WEIGHTS = {"cpu": 2**20, "cuda": 2**26}
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
        if len(self.hidden) == 1:
            return np.zeros(len(x), int)
        rows = np.array_split(train, self.inner_folds)
        folds = [
            self.inner_fold(y, np.concatenate(rows[:k] + rows[k + 1 :]), test, (*key, k + 1))
            for k, test in enumerate(rows)
        ]
        return np.argmin([self.errors(x, folds, hidden) for hidden in self.hidden], axis=0)

    def inner_fold(self, y: "Tensor", train: Array, test: Array, key: tuple[int, ...]) -> "InnerFold":
        """Return what a fold needs of the responses y (n_stimuli, n_channels)."""
        learned, goal = y[train], y[test]
        if not self.compresses(learned):
            return InnerFold(key, train, test, learned, goal, y.shape[1])
        wide = learned.double()
        return InnerFold(key, train, test, wide @ wide.T, goal.double() @ wide.T, y.shape[1], combined=True)

    def errors(self, x: "Tensor", folds: "list[InnerFold]", hidden: int) -> Array:
        """Return the mean squared error of each task's predictions, summed over inner folds: (n_tasks,).

        Of combined channels, less a part that is the same for all tasks and hidden sizes: what no combination reaches.
        """
        errors = np.zeros(len(x))
        trainings, goals, units = zip(*(fold.training(hidden) for fold in folds), strict=True)
        for some in together(trainings, x, hidden):
            for k, weights in zip(some, self.fit(x, [trainings[k] for k in some], hidden), strict=True):
                predictions = answers(weights, x[:, folds[k].test])  # (n_tasks, n_test, n_targets)
                errors += [units[k] * float((p - goals[k]).square().mean()) for p in predictions]
        return errors

    def compresses(self, y: "Tensor") -> bool:
        """Whether a fit of the responses y (n_train, n_channels) learns combinations of channels."""
        n_train, n_channels = y.shape
        n_steps = self.epochs * -(-n_train // self.batch_size)
        is_worth_it = self.solver == "compressed" and n_channels > n_train and n_steps >= FEW_STEPS
        return is_worth_it and bool((y != y[0]).any())  # combinations of constants have no spread to be divided by

    def predict(
        self, x: "Tensor", y: "Tensor", train: Array, test: Array, hidden: int, key: tuple[int, ...]
    ) -> "Tensor":
        """Fit all tasks on the rows `train` and predict the rows `test`: (n_tasks, n_test, n_channels)."""
        targets, basis, shrink = y[train], None, 1.0  # (n_train, n_targets)
        if self.compresses(targets):
            targets, basis, shrink = compressed(targets, hidden, key)  # as many targets as training rows, at most
        (weights,) = self.fit(x, [Training(train, targets, key, shrink)], hidden)
        predictions = answers(weights, x[:, test])  # (n_tasks, n_test, n_targets)
        return predictions if basis is None else predictions @ basis

    def fit(self, x: "Tensor", trainings: list[Training], hidden: int) -> "list[list[Tensor]]":
        """Return the weights of `fit_together`."""
        return fit_together(
            x,
            trainings,
            hidden=hidden,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            bf16=self.precision == "bf16" or (self.precision == "auto" and has_bf16()),
        )


@dataclass(frozen=True, eq=False)
class InnerFold:
    """One fold of the inner cross-validation, which chooses a hidden size.

    Parameters
    ----------
    key : tuple of int
        What the networks are drawn from.
    train, test : arrays of int
        Rows.
    learned : tensor of shape (n_train, n_channels), or (n_train, n_train)
        Responses; or, where channels are combined, their products with those to the training stimuli, in float64.
    goal : tensor of shape (n_test, n_channels), or (n_test, n_train)
        The same of the test stimuli.
    n_channels : int
    combined : bool
    """

    key: tuple[int, ...]
    train: Array
    test: Array
    learned: "Tensor"
    goal: "Tensor"
    n_channels: int
    combined: bool = False

    def training(self, hidden: int) -> "tuple[Training, Tensor, float]":
        """Return the training, the targets of the test stimuli, and the unit of a mean squared error of targets."""
        if not self.combined:
            return Training(self.train, self.learned, self.key), self.goal, 1.0
        targets, mixture, spread = combined(self.learned, hidden, self.key)
        n_targets = targets.shape[1]
        training = Training(
            self.train, targets.float(), self.key, shrink_of(hidden, n_targets, self.n_channels, spread)
        )
        unit = float(spread) ** 2 * n_targets / self.n_channels
        return training, (self.goal @ mixture / spread).float(), unit


def together(trainings: Sequence[Training], x: "Tensor", hidden: int) -> Iterator[list[int]]:
    """Yield the numbers of trainings that are trained at once: of one shape, and not more weights than pays."""
    shapes: dict[tuple[int, ...], list[int]] = {}  # the trainings of each shape of targets
    for k, training in enumerate(trainings):
        shapes.setdefault(tuple(training.targets.shape), []).append(k)
    for shape, numbers in shapes.items():
        size = max(1, WEIGHTS[device()] // (len(x) * hidden * (x.shape[2] + shape[1])))
        yield from (numbers[i : i + size] for i in range(0, len(numbers), size))


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [CNM(), RidgeCNM()]
