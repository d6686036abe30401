"""The subjects and channels that `cnm` and `cnm-ridge` map, and the signals that they refuse."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import numpy as np

from cogbench import Array, Responses, UnusableData

from .dse import blocks
from .mapping import Score

Scaling = Literal["all", "train"]
Average = Literal["matrices", "vectors"]
Relative = Literal["none", "backbone", "tasks"]
Note = Callable[[str], object]

MAX_CHANNELS = 30_000  # of a subject, by default
MIN_CHANNELS = 3  # with fewer, the cosine of two vectors is ±1 or nearly so
CHANNEL_BLOCK = 4096  # channels that are copied at once: a whole brain is not


class MappingEstimator(Protocol):
    """An estimator that maps the tasks' representations to channels: the options that its kinds share, and its verb."""

    @property
    def name(self) -> str: ...
    @property
    def score(self) -> Score: ...
    @property
    def channels(self) -> int: ...
    @property
    def seeds(self) -> tuple[int, ...]: ...
    @property
    def folds(self) -> int: ...
    @property
    def inner_folds(self) -> int: ...
    @property
    def average(self) -> Average: ...
    @property
    def relative(self) -> Relative: ...
    @property
    def candidates(self) -> tuple[float, ...]:
        """The values that each task chooses one of by inner cross-validation: hidden sizes, or penalties."""

    def cross_validate(self, x: Array, y: Array, seed: int) -> Array:
        """Return (6, n_tasks, n_channels) `moments` of one subject's responses and their predictions."""


def needs_of_mapping(relative: Relative) -> frozenset[str]:
    """Return what an estimator that maps representations to channels asks of Evidence."""
    return frozenset({"representations", "responses"} | ({"backbone"} if relative == "backbone" else set()))


def ignore(text: str) -> None:
    """Pass over a note: a signal is only checked, nothing is mapped."""


def mappable_channels(
    estimator: MappingEstimator, subjects: Mapping[str, Responses], note: Note = ignore
) -> dict[str, Array]:
    """Return, for each subject that can be mapped, the positions of its channels that are: (n_mapped,) each.

    Subjects that cannot be mapped are left out, and a note says so.

    Raises
    ------
    UnusableData
        If no subject has enough channels and stimuli; or if there are no seeds, or tasks have nothing to choose from.
    """
    refuse_nothing(estimator)
    channels: dict[str, Array] = {}
    refusals = []
    for subject, responses in subjects.items():
        try:
            refuse_few_stimuli(estimator, subject, int(responses.present.sum()))
            channels[subject] = draw_channels(estimator, subject, responses, note)
        except UnusableData as error:
            refusals.append(str(error))
    if not channels:
        raise UnusableData("; ".join(text.rstrip(".") for text in refusals) + ".")
    for text in refusals:
        note(f"{estimator.name}: left out: {text}")
    return channels


def draw_channels(estimator: MappingEstimator, subject: str, responses: Responses, note: Note = ignore) -> Array:
    """Return the positions of a subject's channels that are mapped, in rising order: (n_mapped,).

    All channels that vary, or a random draw of as many as the option `channels` allows: the same in every run.

    Raises
    ------
    UnusableData
        If fewer than 3 are left.
    """
    name, limit = estimator.name, estimator.channels
    rows, n_channels = np.flatnonzero(responses.present), responses.values.shape[1]
    varies = np.zeros(n_channels, bool)
    for columns in blocks(n_channels, CHANNEL_BLOCK):
        varies[columns] = varying_channels(responses.values[rows, columns])
    varying = np.flatnonzero(varies)
    n = min(len(varying), limit)
    if n < MIN_CHANNELS:
        raise UnusableData(
            f"subject {subject!r} has {len(varying)} channels that vary, channels={limit}; {name} needs at least "
            f"{MIN_CHANNELS}: with {n} channels its similarity would be ±1 or nearly so, whatever the tasks: use cra."
        )
    if len(varying) < n_channels:
        note(f"{name}: subject {subject}: {n_channels - len(varying)} constant channels dropped.")
    if len(varying) < limit != MAX_CHANNELS:  # the default means: at most so many
        note(f"{name}: subject {subject}: {len(varying)} channels vary, fewer than channels={limit}.")
    if n < len(varying):
        note(f"{name}: subject {subject}: {n} of {len(varying)} channels drawn at random.")
    return np.sort(np.random.default_rng(0).permutation(varying)[:n])


def varying_channels(values: Array) -> Array:
    """Return (n_channels,): which channels of (n_stimuli, n_channels) vary, by more than the rounding of a constant."""
    values = values.astype(np.float64)
    noise = 1e-13 * np.square(values).sum(axis=0)  # of float32 too
    return np.square(values - values.mean(axis=0)).sum(axis=0) > noise


def refuse_nothing(estimator: MappingEstimator) -> None:
    """Raise UnusableData if no seed is given, no penalty or hidden size, or one that is not above 0."""
    if not estimator.seeds:
        raise UnusableData(f"{estimator.name}: seeds is empty; expected one or more, as in seeds=5:10.")
    kind = "hidden" if hasattr(estimator, "hidden") else "penalties"
    if not estimator.candidates or not all(0 < c < np.inf for c in estimator.candidates):
        given = ":".join(f"{c:g}" for c in estimator.candidates)
        raise UnusableData(f"{estimator.name}: {kind}={given}; expected one or more numbers above 0.")


def refuse_few_stimuli(estimator: MappingEstimator, subject: str, n_stimuli: int) -> None:
    """Raise UnusableData if a fold would be empty, or if there is nothing to train on."""
    folds, inner_folds = estimator.folds, estimator.inner_folds
    searched = len(estimator.candidates) > 1
    if folds < 2 or (searched and inner_folds < 2):
        raise UnusableData(f"{estimator.name}: folds={folds}, inner_folds={inner_folds}; both must be at least 2.")
    n_train = n_stimuli - -(-n_stimuli // folds)  # without the largest test fold
    if n_stimuli < folds or (searched and n_train < inner_folds):
        inner = f" with {inner_folds} inner folds" if searched else ""
        raise UnusableData(
            f"subject {subject!r} has {n_stimuli} stimuli, too few for {folds} folds{inner}: "
            "choose a signal with more sentences, or fewer folds."
        )
