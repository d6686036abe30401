"""How hard tokens are for a model as it is, and masks of a difficulty that is wanted.

The difficulty of a token is 1 - p(token | context), what the model lacks to certainty where the token is masked. It is
kept for each type of token, as an exponential mean over the places where the type was masked. Masks are drawn for each
token i by itself, with probability m_i. Of all probabilities whose masks are of the wanted number and difficulty,

    sum_i m_i = share * n,    sum_i m_i d_i / sum_i m_i = target,

those of the largest entropy are taken: m_i = 1 / (1 + exp(-a - b d_i)). With b = 0 they are random masking.
"""

import math
from collections.abc import Sequence

import numpy as np

from cogbench import Array

RATE = 0.1  # how much of a type's difficulty one masked place renews
LEAST_SPREAD = 1e-3  # between the hardest and the easiest masks of a batch; below it all tokens are equally hard
EDGE = 0.02  # the ends of the range of difficulties are reached by masks without any chance: they are left out


class Difficulty:
    """The difficulty of each type of token, as a model shows it in training.

    A type that was not masked yet has the mean difficulty of what was masked.
    """

    def __init__(self, n_types: int) -> None:
        self._of_type, self._seen = np.zeros(n_types), np.zeros(n_types, bool)
        self.mean: float | None = None

    def of(self, tokens: Array) -> Array:
        """Return the difficulty of tokens by their numbers, in their shape: from 0 to 1."""
        usual = 1.0 if self.mean is None else self.mean
        return np.where(self._seen[tokens], self._of_type[tokens], usual)

    def learn(self, tokens: Array, difficulties: Array) -> None:
        """Hear how hard the masked tokens (n_masked,) were."""
        if not len(tokens):
            return
        usual = float(difficulties.mean())
        self.mean = usual if self.mean is None else self.mean + RATE * (usual - self.mean)
        types, inverse, counts = np.unique(tokens, return_inverse=True, return_counts=True)
        means = np.bincount(inverse, difficulties) / counts
        before = self.of(types)
        self._of_type[types] = before + (1 - (1 - RATE) ** counts) * (means - before)
        self._seen[types] = True


def range_of_masks(difficulties: Array, share: float) -> tuple[float, float]:
    """Return the mean difficulty of the easiest and of the hardest masks of some tokens (n_tokens,)."""
    order = np.sort(difficulties)
    n_masks = math.ceil(share * len(order))  # not fewer, or no masks of the wanted number are so easy, or so hard
    return float(order[:n_masks].mean()), float(order[-n_masks:].mean())


def level_of_random(difficulties: Array, share: float) -> float | None:
    """Return where in the range of its masks the mean difficulty of a batch lies, 0 to 1; None if all are equal."""
    easiest, hardest = range_of_masks(difficulties, share)
    if hardest - easiest < LEAST_SPREAD:
        return None
    return float((difficulties.mean() - easiest) / (hardest - easiest))


def mask_probabilities(difficulties: Array, share: float, level: float | None) -> tuple[Array, float]:
    """Return the probability of each token to be masked, and the mean difficulty that is expected of the masks.

    Parameters
    ----------
    difficulties : array of shape (n_tokens,)
        From 0 to 1.
    share : float
        Of the tokens that are masked, between 0 and 1.
    level : float, optional
        Where in the range of `range_of_masks` the difficulty shall be: 0 is the easiest, 1 the hardest. None, or a
        batch of equally hard tokens: random masking.

    Returns
    -------
    array of shape (n_tokens,), float
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    easiest, hardest = range_of_masks(difficulties, share)
    if level is None or hardest - easiest < LEAST_SPREAD:
        return np.full(len(difficulties), share), float(difficulties.mean())
    spread = hardest - easiest
    target = easiest + min(max(level, EDGE), 1 - EDGE) * spread
    distance, wanted = (difficulties - target) / spread, share * len(difficulties)

    # The gradient of this convex function is what the two constraints lack.
    def function(numbers: Array) -> float:
        return float(np.logaddexp(0, numbers[0] + numbers[1] * distance).sum() - numbers[0] * wanted)

    def gradient(numbers: Array) -> Array:
        masks = expit(numbers[0] + numbers[1] * distance)
        return np.array([masks.sum() - wanted, masks @ distance])

    def hessian(numbers: Array) -> Array:
        masks = expit(numbers[0] + numbers[1] * distance)
        weights = masks * (1 - masks)
        across = weights @ distance
        return np.array([[weights.sum(), across], [across, weights @ distance**2]])

    start = np.array([np.log(share / (1 - share)), 0.0])
    least = minimize(function, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-3})
    return expit(least.x[0] + least.x[1] * distance), target


class Controller:
    """The level of difficulty that keeps a loss in a band: it rises while the loss is below, and falls while above.

        loss_mean <- loss_mean + (1 - SMOOTH) (loss - loss_mean)
        level <- level + GAIN (max(0, low - loss_mean) - max(0, loss_mean - high)), kept from 0 to 1

    Parameters
    ----------
    band : (float, float)
        The lowest and the highest loss that are wanted, in nats.
    """

    SMOOTH = 0.8
    GAIN = 0.05

    def __init__(self, band: Sequence[float]) -> None:
        self.low, self.high = band
        self.level: float | None = None  # before the first step no token is known to be hard
        self._loss: float | None = None

    def start_at(self, level: float | None) -> None:
        """Begin with a level, if there is none yet."""
        if self.level is None and level is not None:
            self.level = level

    def learn(self, loss: float) -> None:
        """Hear of the loss of a step."""
        self._loss = loss if self._loss is None else self._loss + (1 - self.SMOOTH) * (loss - self._loss)
        if self.level is not None:
            missing = max(0.0, self.low - self._loss) - max(0.0, self._loss - self.high)
            self.level = min(max(self.level + self.GAIN * missing, 0.0), 1.0)
