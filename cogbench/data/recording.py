"""What was measured while people read or heard sentences: one subject's responses, and a signal's recording."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..errors import UnusableData
from ..storage.origin import Origin
from .dataset import Array


@dataclass(frozen=True, eq=False)
class Responses:
    """One subject's recordings.

    Parameters
    ----------
    values : array of shape (n_stimuli, n_channels)
        NaN where not present. A whole brain may be a memory map of float32: it is never copied as a whole.
    channels : tuple of str
        Subjects' channels of one name measure the same: the same electrode, the same place in a common space.
    present : array of shape (n_stimuli,), optional
        Which stimuli this subject has responses to; by default those without NaN.
    halves : array of shape (2, n_stimuli, n_channels), optional
        Where stimuli were shown repeatedly: the means over every other repetition, NaN where there was one only. They
        tell how reliable the channels are, and nothing else is made of them.
    shown : array of shape (2, n_stimuli, n_channels) or (2, n_stimuli, 1), optional
        How many repetitions each of the halves is the mean of, 0 where there was one only; by default 1.

    Raises
    ------
    UnusableData
        If shapes do not fit, or the responses to a stimulus that is present hold NaN or infinity.
    """

    values: Array
    channels: tuple[str, ...]
    present: Array = field(default_factory=lambda: np.empty(0, bool))
    halves: Array | None = None
    shown: Array | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.channels):
            raise UnusableData(f"responses of shape {self.values.shape} do not fit {len(self.channels)} channels.")
        if self.halves is not None and self.halves.shape != (2, *self.values.shape):
            raise UnusableData(f"halves of shape {self.halves.shape} do not fit responses of {self.values.shape}.")
        if self.halves is not None and self.shown is None:
            object.__setattr__(self, "shown", np.isfinite(self.halves).astype(np.uint16))
        if self.shown is not None and not self._fits(self.shown.shape):
            raise UnusableData(f"`shown` of shape {self.shown.shape} does not fit responses of {self.values.shape}.")
        whole = [row for rows in _blocks(self.values) for row in np.isfinite(rows).all(axis=1)]
        if not self.present.size:
            object.__setattr__(self, "present", np.array(whole, bool))
        if not np.array(whole, bool)[self.present].all():
            raise UnusableData("responses of a stimulus that is present hold NaN or infinity.")

    def _fits(self, shape: tuple[int, ...]) -> bool:
        n_stimuli, n_channels = self.values.shape
        return shape in ((2, n_stimuli, n_channels), (2, n_stimuli, 1))


class Averages(NamedTuple):
    """The responses of one subject, averaged over the repetitions of each stimulus; NaN where there are none."""

    values: Array  # (n_stimuli, n_channels)
    halves: Array | None  # (2, n_stimuli, n_channels), as in `Responses`; None if nothing was repeated
    shown: Array | None  # (2, n_stimuli, n_channels or 1)


def average_repetitions(values: Array, stimuli: Array, n_stimuli: int) -> Averages:
    """Average the rows of the same stimulus, as a whole and in two halves.

    Parameters
    ----------
    values : array of shape (n_rows, n_channels)
        The responses in the order in which they were recorded; what is not finite is missing, and left out of means.
    stimuli : array of shape (n_rows,)
        The number of the stimulus of each row, from 0.
    n_stimuli : int

    Returns
    -------
    Averages
        The halves are the means over every other repetition.
    """
    kind = np.result_type(values.dtype, np.float32)
    means = np.full((n_stimuli, values.shape[1]), np.nan, kind)
    rows: dict[int, list[int]] = {}
    for row, stimulus in enumerate(np.asarray(stimuli).tolist()):
        rows.setdefault(stimulus, []).append(row)
    single = [(stimulus, indices[0]) for stimulus, indices in rows.items() if len(indices) == 1]
    repeated = {stimulus: indices for stimulus, indices in rows.items() if len(indices) > 1}
    for stimulus, row in single:  # one by one, without a copy of them all
        means[stimulus] = np.where(np.isfinite(values[row]), values[row], np.nan)
    if not repeated:
        return Averages(means, None, None)
    halves = np.full((2, *means.shape), np.nan, kind)
    shown = np.zeros(halves.shape, np.uint16)
    for stimulus, indices in repeated.items():
        means[stimulus] = finite_mean(values[indices])
        for half in (0, 1):
            some = values[indices[half::2]]
            halves[half, stimulus], shown[half, stimulus] = finite_mean(some), np.isfinite(some).sum(axis=0)
    alike = (shown == shown[..., :1]).all()
    return Averages(means, halves, shown[..., :1] if alike else shown)


@np.errstate(over="ignore")  # fill values near the largest float
def finite_mean(rows: Array) -> Array:
    """Return the mean of each column's finite values, (n_columns,); NaN where it has none."""
    finite = np.isfinite(rows)
    n = finite.sum(axis=0)
    return np.where(n > 0, np.where(finite, rows, 0).sum(axis=0) / np.maximum(n, 1), np.nan)


def varying_channels(values: Array) -> Array:
    """Return which channels of (n_stimuli, n_channels) vary, (n_channels,) of bool.

    A channel has to differ between the stimuli that have a value in all of the channels that are kept.
    """
    kept = _differs(values)
    whole = np.concatenate(
        [np.isfinite(rows).all(axis=1, where=kept) for rows in _blocks(values)] or [np.empty(0, bool)]
    )
    return kept if whole.all() else kept & _differs(values[whole])  # fewer channels, only more such stimuli


@np.errstate(over="ignore")
def _differs(values: Array) -> Array:
    low, high = np.full(values.shape[1], np.inf, values.dtype), np.full(values.shape[1], -np.inf, values.dtype)
    for rows in _blocks(values):
        finite = np.isfinite(rows)
        low = np.minimum(low, rows.min(axis=0, initial=np.inf, where=finite))
        high = np.maximum(high, rows.max(axis=0, initial=-np.inf, where=finite))
    rounding = 1e-12 if values.dtype == np.float64 else 1e-6
    return high - low > rounding * np.maximum(abs(low), abs(high))  # more than the rounding error of a mean


def _blocks(values: Array) -> Iterator[Array]:
    """Yield some rows of (n_rows, n_columns) after others, about a million values at once."""
    step = max(1, (1 << 20) // max(1, values.shape[1]))
    for i in range(0, len(values), step):
        yield values[i : i + step]


@dataclass(frozen=True, eq=False)
class Recording:
    """A cognitive signal: stimuli with the recorded responses of one or more subjects; or stimuli alone.

    Parameters
    ----------
    sentences : tuple of str
        The stimuli, each once.
    subjects : mapping of str to Responses
        For each subject a row of values for each stimulus; none for sentences without responses.
    unit : str
        The unit of the values, or a word that says what they are.
    origin : Origin
        The file or publication they come from.
    notes : tuple of str
        What the reader should be told: what was dropped, averaged or left out, and how much of it.
    synthetic : bool
        Whether a generator made it, so that every result on it says so.
    """

    sentences: tuple[str, ...]
    subjects: Mapping[str, Responses]
    unit: str
    origin: Origin
    notes: tuple[str, ...] = ()
    synthetic: bool = False

    def __post_init__(self) -> None:
        if len(set(self.sentences)) != len(self.sentences):
            raise UnusableData(f"signal {self.origin.id!r} holds a sentence twice.")
        if any(len(r.values) != len(self.sentences) for r in self.subjects.values()):
            raise UnusableData(f"signal {self.origin.id!r}: each subject needs a row for each of the sentences.")

    @cached_property
    def sha256(self) -> str:
        """Hash of stimuli, values, and which stimuli are present."""
        digest = hashlib.sha256(json.dumps(self.sentences).encode())
        for name, responses in self.subjects.items():
            digest.update(json.dumps([name, responses.channels]).encode())
            whole = list[bool]()
            for rows in _blocks(responses.values):
                digest.update(np.ascontiguousarray(rows, np.float64).tobytes())
                whole += [*np.isfinite(rows).all(axis=1)]
            if whole != [*responses.present]:  # else the values say it, as in recordings of old
                digest.update(np.asarray(responses.present, bool).tobytes())
        return digest.hexdigest()
