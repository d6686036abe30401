"""Cognitive-neural mapping by ridge regression in place of the network: one decomposition for all penalties."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cogbench import Array

from .channels import MAX_CHANNELS, Average, Relative, Scaling
from .device import Tensor, in_double, library, to_device, to_numpy
from .mapping import Score
from .prediction import SEEDS, ByChannels, Fold, cross_validated, predictions_of_folds


@dataclass(frozen=True)
class RidgeCNM(ByChannels):
    """`cnm` with a linear map in place of the network: the same vectors and similarities, in closed form.

    Parameters
    ----------
    penalties : tuple of float
        In units of the mean square of a representation; each task takes one in each outer fold, by inner
        cross-validation. Above 0: else the map is not unique where a model has more dimensions than stimuli.
    seeds : tuple of int
        One run for each: the folds are drawn from it, and nothing else.
    score, channels, folds, inner_folds, zscore, average, relative
        Those of `CNM`. The scale of a channel does not change a linear prediction: with "train", `zscore` changes no
        more than the channels' weights in the choice of a penalty.

    References
    ----------
    Hoerl & Kennard (1970), Technometrics 12:55-67. Luo, Xu & Xiong (2022), CogTaskonomy, section 3.3, has the rest.
    """

    score: Score = "r2"
    penalties: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
    channels: int = MAX_CHANNELS
    seeds: tuple[int, ...] = SEEDS
    folds: int = 5
    inner_folds: int = 3
    zscore: Scaling = "all"
    average: Average = "matrices"
    relative: Relative = "none"
    name: str = "cnm-ridge"

    @property
    def candidates(self) -> tuple[float, ...]:
        """The penalties that a task chooses from."""
        return self.penalties

    def cross_validate(self, x: Array, y: Array, seed: int) -> Array:
        """Return (6, n_tasks, n_channels) `moments` of one subject's responses and their predictions.

        Parameters
        ----------
        x : array of shape (n_tasks, n_stimuli, n_dims)
        y : array of shape (n_stimuli, n_channels)
            Responses to the same stimuli, z-scored.
        seed : int
        """
        return cross_validated(self.predictions(x, y, seed), to_device(y), len(x))

    def predictions(self, x: Array, y: Array, seed: int) -> Iterator[tuple[Tensor, Array, Tensor]]:
        """Yield the predictions of each fold's test stimuli; see `predictions_of_folds`."""
        inputs, responses = to_device(x), to_device(y)
        overall = stimulus_products(responses) if self.zscore == "all" else None  # then they are those of each fold

        def choose(x: Tensor, fold: Fold) -> Array:
            products = stimulus_products(fold.responses) if overall is None else overall
            return choose_penalties(x, products, np.array_split(fold.train, self.inner_folds), self.penalties)

        def predict(x: Tensor, fold: Fold, i: int) -> Tensor:
            return predict_responses(x, fold.responses, fold.train, fold.test, self.penalties[i])

        return predictions_of_folds(
            inputs, responses, seed, folds=self.folds, zscore=self.zscore, choose=choose, predict=predict
        )


def stimulus_products(y: Tensor) -> Tensor:
    """Return the products of the stimuli's responses (n_stimuli, n_channels): (n_stimuli, n_stimuli) in float64."""
    wide = in_double(y)
    return wide @ wide.T


def shares(x: Tensor, train: Array, test: Array, penalties: tuple[float, ...]) -> Tensor:
    """Return what share of each training response goes into each prediction, for every penalty.

    Parameters
    ----------
    x : tensor of shape (n_tasks, n_stimuli, n_dims)
    train, test : arrays of int
        Rows.
    penalties : tuple of float
        In units of the mean square of a training row, so that the unit of the representations does not matter.

    Returns
    -------
    tensor of shape (n_penalties, n_tasks, n_test, n_train)
        In float64.
    """
    size, strength, seen, basis = decomposed(x, train, test)
    return library().stack([(seen / (strength + p * size)[:, None]) @ basis for p in penalties])


def decomposed(x: Tensor, train: Array, test: Array) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what the shares H of every penalty a are made of: H = A (S + a)^-1 B, with S diagonal.

    The prediction for centred responses Y is H Y, with H = K' (K + a I)^-1, K the products of the centred training
    rows and K' those of the test rows with them. One eigendecomposition serves all penalties a: of K, or of the
    products of the dimensions where they are fewer than the rows.

    Returns
    -------
    size : tensor of shape (n_tasks, 1)
        The unit of a penalty: the mean square of a training row.
    strength : tensor of shape (n_tasks, rank)
        S.
    seen : tensor of shape (n_tasks, n_test, rank)
        A.
    basis : tensor of shape (n_tasks, rank, n_train)
        B.
    """
    xp = library()
    rows = in_double(x[:, train])
    mean = rows.mean(axis=1, keepdims=True)
    rows, others = rows - mean, in_double(x[:, test]) - mean
    size = xp.square(rows).sum(axis=2).mean(axis=1)[:, None]  # (n_tasks, 1)
    size = size + (size == 0)  # rows that are all alike have no share, and predict the mean
    if rows.shape[2] < rows.shape[1]:
        strength, v = xp.linalg.eigh(rows.mT @ rows)  # (n_tasks, n_dims)
        seen, basis = others @ v, v.mT @ rows.mT  # (n_tasks, n_test, n_dims), (n_tasks, n_dims, n_train)
    else:
        strength, u = xp.linalg.eigh(rows @ rows.mT)  # (n_tasks, n_train)
        seen, basis = others @ rows.mT @ u, u.mT  # (n_tasks, n_test, n_train), (n_tasks, n_train, n_train)
    return size, strength * (strength > 0), seen, basis  # less than 0 by rounding


def choose_penalties(x: Tensor, products: Tensor, folds: "list[Array]", penalties: tuple[float, ...]) -> Array:
    """Return for each task the number of the penalty with the least squared error over inner folds.

    The error summed over channels needs no channel, but the products G = Y Y' of the stimuli's responses: with the
    training mean taken off, |Y' - H Y|² = tr(G'') - 2 tr(H G') + tr(H G H'). So it costs the same for three channels
    as for 30,000. And with H = A (S + a)^-1 B the traces are sums over tr(B G' A) and the entries of B G B' and A' A,
    which no penalty a changes.

    Parameters
    ----------
    x : tensor of shape (n_tasks, n_stimuli, n_dims)
    products : tensor of shape (n_stimuli, n_stimuli)
        Of the responses, in float64.
    folds : list of arrays of int
        The inner folds' rows.
    penalties : tuple of float

    Returns
    -------
    array of shape (n_tasks,)
    """
    errors = np.zeros((len(penalties), len(x)))
    if len(penalties) == 1:
        return errors.argmin(axis=0)
    for k, test in enumerate(folds):
        train = np.concatenate(folds[:k] + folds[k + 1 :])
        centre = products - products[:, train].mean(axis=1, keepdims=True) - products[train].mean(axis=0)
        centre = centre + products[np.ix_(train, train)].mean()
        size, strength, seen, basis = decomposed(x, train, test)
        across = (centre[np.ix_(test, train)] @ basis.mT * seen).sum(axis=1)  # (n_tasks, rank)
        within = basis @ centre[np.ix_(train, train)] @ basis.mT * (seen.mT @ seen)  # (n_tasks, rank, rank)
        for i, penalty in enumerate(penalties):
            factors = 1 / (strength + penalty * size)  # (n_tasks, rank)
            sums = (within @ factors[:, :, None])[:, :, 0] - 2 * across  # (n_tasks, rank)
            errors[i] += to_numpy(centre[test, test].sum() + (sums * factors).sum(axis=1))
    return errors.argmin(axis=0)


def predict_responses(x: Tensor, y: Tensor, train: Array, test: Array, penalty: float) -> Tensor:
    """Return (n_tasks, n_test, n_channels) of y (n_stimuli, n_channels) for the rows `test`, learned on `train`."""
    h = library().asarray(shares(x, train, test, (penalty,))[0], dtype=y.dtype)  # (n_tasks, n_test, n_train)
    mean = y[train].mean(axis=0)
    return h @ (y[train] - mean) + mean
