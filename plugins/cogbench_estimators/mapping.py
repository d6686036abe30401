"""The mathematics of cognitive-neural mapping: one small network for each task, trained all at once, and its scores."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cogbench import Array

from .device import in_double, library, zeros
from .dse import blocks

if TYPE_CHECKING:
    from torch import Generator, Tensor

CHANNELS_AT_ONCE = 128  # whose scores are summed: copies of more leave the processor's cache


def z_scored(values: Array) -> Array:
    """Return (n_stimuli, n_channels) float32 with mean 0 and standard deviation 1 in each channel."""
    values = values.astype(np.float64)
    return ((values - values.mean(axis=0)) / values.std(axis=0)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Training:
    """What the networks of one fit learn: one network for each task.

    Parameters
    ----------
    rows : array of int
        The training stimuli.
    targets : tensor of shape (n_train, n_targets)
        Their responses, or combinations of them.
    key : tuple of int
        What first weights and order of the batches are drawn from.
    shrink : float
        Factor on the first weights of the output layer.
    """

    rows: Array
    targets: "Tensor"
    key: tuple[int, ...]
    shrink: float = 1.0


def fit_together(
    x: "Tensor",
    trainings: list[Training],
    hidden: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    bf16: bool = False,
) -> "list[list[Tensor]]":
    """Train one network for each task and training, all in one batch of products.

    The tasks of a training share first weights, batches and targets. The summed squared error keeps networks apart, as
    no weight belongs to two of them, so each is the network that it would be by itself. The gradients are written out:
    five products are nearly all of the time, two of the first layer and three of the second.

    Parameters
    ----------
    x : tensor of shape (n_tasks, n_stimuli, n_dims)
    trainings : list of Training
        With equally many rows, and equally many targets.
    hidden : int
        Size of the hidden layer.
    epochs, batch_size, learning_rate : int, int, float
    bf16 : bool
        Whether the products are of numbers rounded to bf16, with sums in fp32. Weights, errors and updates stay in
        fp32.

    Returns
    -------
    list of lists of tensors
        For each training, weights and biases: (n_tasks, n_dims, hidden), (n_tasks, 1, hidden), (n_tasks, hidden,
        n_targets) and (n_tasks, 1, n_targets).

    Notes
    -----
    Conventions of Keras: uniform Glorot weights, zero biases, Adam with epsilon 1e-7, mean squared error over the
    targets of a shuffled batch, the last of which is smaller.
    """
    import torch
    from torch.optim.adam import adam  # not the class: making one imports torch's compiler, for seconds

    how: dict[str, Any] = {"lr": learning_rate, "eps": 1e-7, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0}
    how |= {"amsgrad": False, "maximize": False, "foreach": False, "fused": True}
    n, n_train = len(trainings), len(trainings[0].rows)
    rows = torch.from_numpy(np.stack([t.rows for t in trainings]))  # (n, n_train)
    y = trainings[0].targets if n == 1 else torch.cat([t.targets for t in trainings])  # (n * n_train, n_targets)
    first_row = n_train * torch.arange(n)[:, None]  # of each training in y
    draws = [generator(t.key, hidden) for t in trainings]

    def glorot(n_in: int, n_out: int) -> "Tensor":
        limit = (6 / (n_in + n_out)) ** 0.5
        return torch.stack([torch.empty(n_in, n_out).uniform_(-limit, limit, generator=draw) for draw in draws])

    def networks(weights: "Tensor") -> "Tensor":  # the same first weights for all tasks
        return weights.to(x.device).repeat(len(x), 1, 1)

    w1 = networks(glorot(x.shape[2], hidden))  # (n_tasks * n, n_dims, n_hidden)
    shrink = torch.tensor([t.shrink for t in trainings])[:, None, None]
    # The second layer lies the other way round, which is faster for few targets.
    w2 = networks((shrink * glorot(hidden, y.shape[1])).mT)  # (n_tasks * n, n_targets, n_hidden)
    b1, b2 = torch.zeros_like(w1[:, :1]), torch.zeros_like(w2[:, None, :, 0])
    weights = [w1, b1, w2, b2]
    gradients, first, second = ([torch.zeros_like(w) for w in weights] for _ in range(3))
    g1, gb1, g2, gb2 = gradients
    steps = [torch.zeros((), device=x.device) for _ in weights]
    kind = torch.bfloat16 if bf16 else x.dtype  # of what is multiplied
    x = x.to(kind)
    for _ in range(epochs):
        order = torch.stack([torch.randperm(n_train, generator=draw) for draw in draws])  # (n, n_train)
        stimuli, places = rows.gather(1, order).to(x.device), (first_row + order).to(x.device)
        for some, where in zip(stimuli.split(batch_size, 1), places.split(batch_size, 1), strict=True):  # (n, n_batch)
            v1, v2 = w1.to(kind), w2.to(kind)
            xb = x.index_select(1, some.flatten()).view(len(w1), some.shape[1], -1)  # (n_tasks * n, n_batch, n_dims)
            yb = y.index_select(0, where.flatten()).view(*where.shape, -1)  # (n, n_batch, n_targets)
            h = torch.baddbmm(b1.to(kind), xb, v1).relu_()  # (n_tasks * n, n_batch, n_hidden)
            e = torch.bmm(h, v2.mT).to(y.dtype).add_(b2)  # (n_tasks * n, n_batch, n_targets)
            e.view(-1, *yb.shape).sub_(yb)
            e *= 2 / e[0].numel()  # the gradient of the mean squared error
            torch.sum(e, dim=1, keepdim=True, out=gb2)  # (n_tasks * n, 1, n_targets)
            e = e.to(kind)
            _product(e.mT, h, g2)  # (n_tasks * n, n_targets, n_hidden)
            e = torch.ops.aten.threshold_backward(torch.bmm(e, v2), h, 0)  # (n_tasks * n, n_batch, n_hidden)
            _product(xb.mT, e, g1)  # (n_tasks * n, n_dims, n_hidden)
            torch.sum(e, dim=1, keepdim=True, dtype=gb1.dtype, out=gb1)  # (n_tasks * n, 1, n_hidden)
            adam(weights, gradients, first, second, [], steps, **how)
    return [[w[k::n] for w in (w1, b1, w2.mT, b2)] for k in range(n)]


def answers(weights: "list[Tensor]", x: "Tensor") -> "Tensor":
    """Return what the networks of one training answer to x (n_tasks, n, n_dims): (n_tasks, n, n_targets)."""
    w1, b1, w2, b2 = weights
    return b2 + (b1 + x @ w1).relu() @ w2


def _product(a: "Tensor", b: "Tensor", out: "Tensor") -> None:
    """Write the products of batches of matrices into a tensor, which may be of another precision."""
    import torch

    if a.dtype == out.dtype:
        torch.bmm(a, b, out=out)
    else:
        out.copy_(torch.bmm(a, b))


def compressed(y: "Tensor", hidden: int, key: tuple[int, ...]) -> "tuple[Tensor, Tensor, float]":
    """Combine channels into at most as many targets as there are stimuli, without loss.

    The responses Y (n, v) have rank r <= n: Y = T B with a basis B of r combinations of channels. The squared error of
    a prediction within them is the same in either form, so training on T costs what r channels cost, however large v.
    Adam scales each output by itself, so the targets must be alike, as channels are: they are turned by a random
    rotation and divided by their standard deviation. `shrink` gives the first weights of the output layer the spread
    that those of a network with v outputs have in the basis.

    Parameters
    ----------
    y : tensor of shape (n_train, n_channels)
        Z-scored responses.
    hidden : int
        Size of the hidden layer.
    key : tuple of int
        What the rotation is drawn from.

    Returns
    -------
    targets : tensor of shape (n_train, rank)
    basis : tensor of shape (rank, n_channels)
        `targets @ basis` is y.
    shrink : float
    """
    wide = y.double()
    targets, mixture, spread = combined(wide @ wide.T, hidden, key)
    basis = spread * mixture.T @ wide  # (rank, n_channels)
    return targets.to(y.dtype), basis.to(y.dtype), shrink_of(hidden, targets.shape[1], y.shape[1], spread)


def combined(products: "Tensor", hidden: int, key: tuple[int, ...]) -> "tuple[Tensor, Tensor, Tensor]":
    """Return the targets of `compressed`, and how they come about, from the products of the stimuli alone.

    Parameters
    ----------
    products : tensor of shape (n_train, n_train)
        Y Y' of the responses Y, in float64.
    hidden, key : int, tuple of int
        Those of `compressed`.

    Returns
    -------
    targets, mixture : tensors of shape (n_train, rank)
        In float64. The targets of any responses are their products with Y, times the mixture, divided by the spread:
        the targets themselves are Y Y' @ mixture / spread.
    spread : tensor of shape ()
        A squared error of targets is that of channels divided by its square.
    """
    import torch

    strength, u = torch.linalg.eigh(products)  # (n_train,), (n_train, n_train)
    real = strength > 1e-9 * strength[-1]
    strength, u = strength[real].sqrt(), u[:, real]  # (rank,), (n_train, rank)
    rank = len(strength)
    turn = torch.randn(rank, rank, dtype=torch.float64, generator=generator(key, hidden, 1)).to(products.device)
    turn = torch.linalg.qr(turn)[0]  # (rank, rank), orthogonal
    targets = (u * strength) @ turn  # (n_train, rank)
    spread = targets.std(correction=0)
    return targets / spread, (u / strength) @ turn, spread


def shrink_of(hidden: int, n_targets: int, n_channels: int, spread: "Tensor") -> float:
    """Return the factor on the first weights of the output layer of a network that learns combined channels."""
    return ((hidden + n_targets) / (hidden + n_channels)) ** 0.5 / float(spread)


def generator(key: tuple[int, ...], *more: int) -> "Generator":
    """Return a source of random numbers of its own for a key."""
    import torch

    return torch.Generator().manual_seed(int(np.random.SeedSequence((*key, *more)).generate_state(1)[0]))


def moments(y: Any, predicted: Any) -> Any:
    """Sums over stimuli that a channel's score is made of; sums of folds add up.

    Parameters
    ----------
    y : tensor of shape (n_stimuli, n_channels)
    predicted : tensor of shape (n_tasks, n_stimuli, n_channels)

    Returns
    -------
    tensor of shape (6, n_tasks, n_channels)
        In float64: (y - p)², y, y², p, p², y p.
    """
    xp = library()
    sums = zeros(6, *predicted[:, 0].shape)
    for some in blocks(y.shape[1], CHANNELS_AT_ONCE):
        r, p = in_double(y[:, some]), in_double(predicted[:, :, some])  # (n_stimuli, n_block), (n_tasks, ...)
        for i, term in enumerate((xp.square(r - p), r, xp.square(r), p, xp.square(p), r * p)):
            sums[i, :, some] = term.sum(axis=-2)  # (n_tasks, n_block), or (n_block,): the same for all tasks
    return sums


Score = Literal["r2", "rho", "rho2"]


def above_null(sums: Array, n: int) -> tuple[Array, Array]:
    """Compare predictions with those for another stimulus: the mean over all ways to shuffle the rows, in closed form.

    Parameters
    ----------
    sums : array of shape (6, n_tasks, n_channels)
        Of `moments`.
    n : int
        The number of stimuli.

    Returns
    -------
    error, share : arrays of shape (n_tasks,)
        The mean squared error relative to that after shuffling, mean over channels: below 1 if anything is predicted
        (paper, Figure 4). And the share of channels whose correlation with the predictions lies above 1.645 standard
        deviations of that after shuffling, 1 / sqrt(n - 1): .05 where nothing is predicted.
    """
    sse, y, yy, p, pp, _ = sums  # each (n_tasks, n_channels)
    shuffled = yy + pp - 2 * y * p / n  # n times the mean of (y - p)² over all pairs of a response and a prediction
    error = sse / np.where(shuffled > 0, shuffled, np.nan)
    rho = channel_scores(sums, n, "rho")
    return np.nanmean(error, axis=1), (rho > 1.645 / np.sqrt(n - 1)).mean(axis=1)


def channel_scores(sums: Array, n: int, score: Score) -> Array:
    """Return the (n_tasks, n_channels) scores from `moments` over n stimuli; 0 where a score is undefined."""
    sse, y, yy, p, pp, yp = sums  # each (n_tasks, n_channels)
    sst, spread = yy - y * y / n, pp - p * p / n
    noise = 1e-13 * pp  # what rounding leaves of constant predictions
    with np.errstate(invalid="ignore", divide="ignore"):
        if score == "r2":
            return np.where(sst > 0, 1 - sse / sst, 0)
        rho = np.where((sst > 0) & (spread > noise), (yp - y * p / n) / np.sqrt(sst * spread), 0)
    return np.square(rho) if score == "rho2" else rho
