"""What was measured while people read or heard sentences: one subject's responses, and a signal's recording."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

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

    Raises
    ------
    UnusableData
        If shapes do not fit, or the responses to a stimulus that is present hold NaN or infinity.
    """

    values: Array
    channels: tuple[str, ...]
    present: Array = field(default_factory=lambda: np.empty(0, bool))
    halves: Array | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.channels):
            raise UnusableData(f"responses of shape {self.values.shape} do not fit {len(self.channels)} channels.")
        if self.halves is not None and self.halves.shape != (2, *self.values.shape):
            raise UnusableData(f"halves of shape {self.halves.shape} do not fit responses of {self.values.shape}.")
        whole = [row for rows in _blocks(self.values) for row in np.isfinite(rows).all(axis=1)]
        if not self.present.size:
            object.__setattr__(self, "present", np.array(whole, bool))
        if not np.array(whole, bool)[self.present].all():
            raise UnusableData("responses of a stimulus that is present hold NaN or infinity.")


def _blocks(values: Array) -> Iterator[Array]:
    """Yield some rows of (n_rows, n_columns) after others, about 4 million values at once."""
    step = max(1, (1 << 22) // max(1, values.shape[1]))
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
