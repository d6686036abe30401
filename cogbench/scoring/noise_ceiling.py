"""What a signal is worth: how much of each channel comes again, which bounds what any prediction of it can reach."""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from ..data.dataset import Array
from ..data.recording import Recording, Responses
from .correlation import pearson_of_columns

LEAST = 20  # repeated stimuli of a subject: fewer tell too little of a channel
METHODS = {
    "repetitions": "correlation of the two halves of the repetitions, stepped up to all by Spearman-Brown",
    "subjects": "mean correlation between two subjects",
}


@dataclass(frozen=True, eq=False)
class Ceiling:
    """The reliability of a signal's channels: the share of their variance that comes again.

    Parameters
    ----------
    way : {"repetitions", "subjects"}
        Found between the halves of a subject's repetitions, or between subjects.
    channels : tuple of str
        Of repetitions each `subject: channel`; of subjects the channels that they have in common.
    values : array of shape (n_channels,)
        Of one subject's responses, at most 1; around 0 for noise. Predictions of such responses have at most this R²,
        and at most its square root as Pearson's r.
    pooled : array of shape (n_channels,), optional
        Of the mean over all subjects (Spearman-Brown); None for repetitions.
    above_chance : float
        The share of channels above what noise exceeds once in 20 times.
    stimuli : int
        How many stimuli the correlations are over; the median, where channels differ.
    """

    way: Literal["repetitions", "subjects"]
    channels: tuple[str, ...]
    values: Array
    pooled: Array | None
    above_chance: float
    stimuli: int

    @property
    def summary(self) -> "Reliability":
        """The same in a few figures."""
        low, median, high = (round(float(q), 4) for q in np.quantile(self.values, (0.25, 0.5, 0.75)))
        pooled = None if self.pooled is None else round(float(np.median(self.pooled)), 4)
        mean = round(float(self.values.mean()), 4)
        above = round(self.above_chance, 4)
        return Reliability(
            self.way, len(self.values), self.stimuli, mean, median, (low, high), pooled, above, METHODS[self.way]
        )


@dataclass(frozen=True)
class Reliability:
    """A ceiling in a few figures: mean, median and quartiles over `channels` channels; `pooled` is a median too.

    `method` says in words how it was computed; results of old do not have it.
    """

    way: str
    channels: int
    stimuli: int
    mean: float
    median: float
    quartiles: tuple[float, float]
    pooled: float | None
    above_chance: float
    method: str = ""

    def __str__(self) -> str:
        how = "between repetitions" if self.way == "repetitions" else "between subjects"
        return (
            f"{how}: median {self.median:.2f} (quartiles {self.quartiles[0]:.2f} to {self.quartiles[1]:.2f}) over "
            f"{self.channels:,} channels and {self.stimuli:,} stimuli, {self.above_chance:.0%} of channels above chance"
            f"{f'; {self.method}' if self.method else ''}"
        )


def noise_ceiling(recording: Recording, n_channels: int = 5000, seed: int = 0) -> Ceiling | None:
    """Return how reliable a signal's channels are, or None if it holds neither repetitions nor several subjects.

    Where stimuli were repeated, the two halves of the repetitions are correlated over these stimuli, for each subject
    and channel. The correlation is stepped up (Spearman-Brown) from the noise of the halves to the noise of the
    averaged responses to all stimuli, those that were shown once included: noise goes by the mean of 1 / n over
    stimuli that were shown n times. Otherwise, or with fewer than 20 of them, it is the inter-subject correlation: the
    mean over pairs of subjects of the correlation between their channels of one name. Subjects differ for reasons of
    their own too, so that is a lower bound of what one subject would give twice.

    Parameters
    ----------
    recording : Recording
        Sentences with the responses of one or more subjects.
    n_channels : int
        Of more channels so many are drawn at random: 5,000 tell the distribution, and a whole brain takes long.
    seed : int
        Of that draw.

    Returns
    -------
    Ceiling or None
        Channels that are constant, or that fewer than 3 stimuli are there for, are left out; None if that leaves none.

    References
    ----------
    Spearman (1910) and Brown (1910), British Journal of Psychology 3; Nili et al. (2014), PLoS Computational Biology
    10:e1003553, on ceilings between subjects.
    """
    ceiling = _between_repetitions(recording, n_channels, seed)
    if ceiling is None and len(recording.subjects) > 1:
        ceiling = _between_subjects(recording, n_channels, seed)
    return ceiling


def spearman_brown(correlation: Array | float, factor: Array | float) -> Array:
    """Return the reliability of a measurement `factor` times as long as those that correlate so.

    Negative correlations are stepped up like positive ones of the same size, so that noise stays centred on 0.
    """
    size = np.abs(correlation)
    return np.sign(correlation) * factor * size / (1 + (factor - 1) * size)


def _between_repetitions(recording: Recording, n_channels: int, seed: int) -> Ceiling | None:
    names, values, above, counts = [], [], [], []
    for subject, responses in recording.subjects.items():
        if responses.halves is None:
            continue
        chosen = _draw_channels(len(responses.channels), n_channels, seed)
        one, two = responses.halves[:, :, chosen]  # each (n_stimuli, n_chosen)
        r, n = pearson_of_columns(one, two)
        r = np.where(n >= LEAST, r, np.nan)
        names += [f"{subject}: {responses.channels[i]}" for i in chosen]
        values.append(_step_up(r, *_noise(responses, chosen)))
        above.append(r > _chance(n))
        counts.append(n)
    if not names:
        return None
    return _ceiling("repetitions", names, np.concatenate(values), None, np.concatenate(above), np.concatenate(counts))


def _noise(responses: Responses, chosen: Array) -> tuple[Array, Array, Array]:
    """Return the noise of the first halves, the second halves and the averaged responses; 1 is that of one showing.

    Each is (n_chosen,), the mean of 1 / n: of the halves over the stimuli that were repeated, else over all stimuli.
    """
    assert responses.halves is not None and responses.shown is not None
    shown = responses.shown if responses.shown.shape[2] == 1 else responses.shown[:, :, chosen]
    compared = np.isfinite(responses.halves[:, :, chosen]).all(axis=0)  # (n_stimuli, n_chosen)
    count = np.maximum(compared.sum(axis=0), 1)
    first, second = (np.where(compared, 1 / np.maximum(half, 1), 0).sum(axis=0) / count for half in shown)
    times = np.maximum(shown.sum(axis=0, dtype=int), 1)[responses.present]  # (n_present, n_chosen or 1)
    return first, second, np.broadcast_to((1 / times).mean(axis=0), first.shape)


@np.errstate(divide="ignore", invalid="ignore")
def _step_up(correlation: Array, first: Array, second: Array, whole: Array) -> Array:
    """Return the reliability of responses with the noise `whole`, from the correlation of two halves and their noise.

    With x as the noise of one showing relative to the signal, r^2 = 1 / ((1 + x first) (1 + x second)), and the
    reliability is 1 / (1 + x whole). For `first` equal to `second` that is `spearman_brown` with first / whole.
    """
    product, total = first * second, first + second
    excess = 1 / np.square(correlation) - 1
    x = (np.sqrt(np.square(total) + 4 * product * excess) - total) / (2 * product)
    return np.sign(correlation) / (1 + x * whole)


def _between_subjects(recording: Recording, n_channels: int, seed: int) -> Ceiling | None:
    subjects = list(recording.subjects.values())
    places = [{name: i for i, name in enumerate(r.channels)} for r in subjects]
    common = [name for name in subjects[0].channels if all(name in place for place in places[1:])]
    common = [common[i] for i in _draw_channels(len(common), n_channels, seed)]
    if not common:
        return None
    picked = [r.values[:, [place[name] for name in common]] for r, place in zip(subjects, places, strict=True)]
    values = [np.where(r.present[:, None], v, np.nan) for r, v in zip(subjects, picked, strict=True)]
    total, pairs, variance, stimuli = (np.zeros(len(common)) for _ in range(4))
    for one, two in combinations(values, 2):
        r, n = pearson_of_columns(one, two)
        defined = np.isfinite(r)
        total += np.where(defined, r, 0)
        pairs += defined
        variance += np.where(defined, 1 / np.maximum(n - 1, 1), 0)
        stimuli += np.where(defined, n, 0)
    pairs[pairs == 0] = np.nan
    mean, level = total / pairs, 1.645 * np.sqrt(variance) / pairs  # pairs are independent of each other in noise
    return _ceiling("subjects", common, mean, spearman_brown(mean, len(subjects)), mean > level, stimuli / pairs)


def _ceiling(
    way: Literal["repetitions", "subjects"],
    names: list[str],
    values: Array,
    pooled: Array | None,
    above: Array,
    stimuli: Array,
) -> Ceiling | None:
    defined = np.flatnonzero(np.isfinite(values))
    if not len(defined):
        return None
    kept, share = tuple(names[i] for i in defined), float(above[defined].mean())
    pooled = pooled if pooled is None else pooled[defined]
    return Ceiling(way, kept, values[defined], pooled, share, int(np.median(stimuli[defined])))


def _draw_channels(n: int, most: int, seed: int) -> Array:
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def _chance(n: Array) -> Array:
    """Return the correlation of `n` pairs that noise exceeds once in 20 times."""
    return 1.645 / np.sqrt(np.maximum(n - 1, 1))
