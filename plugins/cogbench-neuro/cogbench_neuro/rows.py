"""From rows to a recording: the responses of one presentation of a sentence in each row."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from cogbench import (
    Array,
    Files,
    Origin,
    Recording,
    Responses,
    UnknownName,
    UnusableData,
    average_repetitions,
    varying_channels,
)

NAMED = 8  # names that a message lists


class Rows(NamedTuple):
    """What one file, or one part of it, holds."""

    where: str  # the file, for messages
    subjects: Sequence[str]  # (n_rows,)
    sentences: Sequence[str]  # (n_rows,); empty where a row has none
    values: Array  # (n_rows, n_channels)
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """What becomes of the rows: the options that all formats have.

    Parameters
    ----------
    channels : tuple of str
        The channels to use; by default all.
    duplicates : {"average", "refuse"}
        What becomes of a sentence that a subject has in several rows.
    missing : {"channels", "sentences"}
        What is left out where a channel lacks a value for a sentence.
    """

    channels: tuple[str, ...] = ()
    duplicates: Literal["average", "refuse"] = "average"
    missing: Literal["channels", "sentences"] = "channels"


def bad(path: Path | str, what: str) -> UnusableData:
    return UnusableData(f"{str(path)!r}: {what}")


def listed(names: Iterable[str]) -> str:
    """Return names as one text, of many only the first ones."""
    names = list(names)
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def join_rows(
    blocks: Sequence[Rows],
    treatment: Treatment,
    *,
    paths: Sequence[Path],
    files: Files,
    unit: str,
    notes: Sequence[str] = (),
) -> Recording:
    """Return the recording that rows make.

    Parameters
    ----------
    blocks : sequence of Rows
        In the order in which they were recorded. Those of one subject have channels of the same names.
    treatment : Treatment
    paths : sequence of Path
        The files, whose hash stands in the origin.
    files : Files
    unit : str
        The unit of the values.
    notes : sequence of str
        What was understood of the files.

    Returns
    -------
    Recording
        The sentences in the order in which they come first. Rows of one subject and sentence are averaged, and tell how
        reliable the channels are. Channels that are constant for a subject are left out.

    Raises
    ------
    UnusableData, UnknownName
        If no responses are left, a channel is not there, or the values are no real numbers.
    """
    where, counts = blocks[0].where, dict[str, int]()
    numbers: dict[str, int] = {}  # of the sentences
    per_subject: dict[str, list[tuple[Array, Array]]] = {}
    channels: dict[str, tuple[str, ...]] = {}
    for block in blocks:
        sentences = _composed(block.sentences, counts)
        names, values = _chosen(block, _real(block), treatment.channels)
        _count(counts, "infinite values, taken as missing", int(np.isinf(values).sum()))
        measured = np.isfinite(values).any(axis=1)
        for subject in dict.fromkeys(block.subjects):
            if channels.setdefault(subject, names) != names:
                raise bad(block.where, f"subject {subject} has other channels in it than in {where!r}.")
            rows = [i for i, one in enumerate(block.subjects) if one == subject and sentences[i]]
            used = [i for i in rows if measured[i]]
            _count(counts, "rows dropped, without any value", len(rows) - len(used))
            stimuli = [numbers.setdefault(sentences[i], len(numbers)) for i in used]
            some = values if len(used) == len(values) else values[used]
            per_subject.setdefault(subject, []).append((some, np.array(stimuli, int)))
    if not numbers:
        raise bad(where, "no row has both a sentence and a number.")
    subjects: dict[str, Responses] = {}
    for subject, parts in per_subject.items():
        whole = parts[0][0] if len(parts) == 1 else np.concatenate([part for part, _ in parts])
        order = np.concatenate([some for _, some in parts])
        responses = _responses(subject, whole, order, len(numbers), channels[subject], treatment, counts, where)
        if responses is not None:
            subjects[subject] = responses
    if not subjects:
        raise bad(where, "no channel varies over the sentences.")
    counted = [f"{what}: {n:,}." for what, n in counts.items() if n]
    return Recording(tuple(numbers), subjects, unit=unit, origin=_origin(paths, files), notes=(*notes, *counted))


def _composed(sentences: Sequence[str], counts: dict[str, int]) -> list[str]:
    """Return sentences with single white space, and with an accent and its letter as one sign."""
    single = [" ".join(text.split()) for text in sentences]
    composed = [unicodedata.normalize("NFC", text) for text in single]
    changed = sum(one != other for one, other in zip(single, composed, strict=True))
    _count(counts, "rows whose accents were joined with their letters", changed)
    _count(counts, "rows dropped, without sentence", composed.count(""))
    return composed


def _real(block: Rows) -> Array:
    """Return the values as float32 or float64."""
    values = np.asarray(block.values)
    if values.dtype.kind == "c":
        raise bad(block.where, "the values are complex numbers; save their magnitude, or their real part.")
    if values.dtype.kind not in "fiub":
        raise bad(block.where, f"the values are no numbers but of type {values.dtype}.")
    if values.shape != (len(block.sentences), len(block.channels)):
        raise bad(block.where, f"values of shape {values.shape} do not fit {len(block.sentences)} rows.")
    single = values.dtype.kind == "f" and values.dtype.itemsize <= 4
    return values.astype(np.float32 if single else np.float64, copy=False)


def _chosen(block: Rows, values: Array, wanted: tuple[str, ...]) -> tuple[tuple[str, ...], Array]:
    """Return the channels that are wanted and their values."""
    if len(set(block.channels)) < len(block.channels):
        twice = next(name for i, name in enumerate(block.channels) if name in block.channels[:i])
        raise bad(block.where, f"two channels are called {twice!r}.")
    if not wanted:
        return block.channels, values
    places = {name: i for i, name in enumerate(block.channels)}
    for name in wanted:
        if name not in places:
            raise UnknownName.of("channel", name, places, label=f"In {block.where!r}")
    return wanted, values[:, [places[name] for name in wanted]]


def _responses(
    subject: str,
    values: Array,
    stimuli: Array,
    n_stimuli: int,
    channels: tuple[str, ...],
    treatment: Treatment,
    counts: dict[str, int],
    where: str,
) -> Responses | None:
    """Return one subject's responses; None if no channel varies."""
    repeated = int((np.bincount(stimuli, minlength=n_stimuli) > 1).sum())
    if repeated and treatment.duplicates == "refuse":
        raise bad(where, f"subject {subject} has {repeated} sentences more than once.")
    means, halves, shown = average_repetitions(values, stimuli, n_stimuli)
    present = np.isfinite(means).any(axis=1)
    if treatment.missing == "channels":
        whole = np.isfinite(means[present]).all(axis=0)
        kept = whole.copy()
        every = present.all() and whole.all()
        kept[whole] = varying_channels(means if every else means[np.ix_(present, whole)])
        lacking = int((~whole).sum())
        if lacking and not kept.any():
            remedy = "missing=sentences leaves out sentences in place of channels"
            raise bad(where, f"subject {subject}: no channel has a value for each sentence and varies; {remedy}.")
        constant = int((whole & ~kept).sum())
    else:
        kept = varying_channels(means)
        present &= np.isfinite(means[:, kept]).all(axis=1)
        lacking, constant = 0, int((~kept).sum())
        _count(counts, "sentences absent for a subject, with values in some channels only", _partial(means, kept))
    _count(counts, "sentences averaged, which a subject has more than once", repeated)
    _count(counts, "channels dropped, without a value for some sentence", lacking)
    _count(counts, "channels dropped, constant", constant)
    if not kept.any():
        _count(counts, "subjects left out, none of whose channels varies", 1)
        return None
    every = kept.all()
    means = means if every else means[:, kept]
    means[~present] = np.nan
    halves = halves if halves is None or every else halves[:, :, kept]
    shown = shown if shown is None or shown.shape[2] == 1 else shown[:, :, kept]
    names = tuple(name for name, keep in zip(channels, kept.tolist(), strict=True) if keep)
    return Responses(means, names, present=present, halves=halves, shown=shown)


def _partial(means: Array, kept: Array) -> int:
    finite = np.isfinite(means[:, kept])
    return int((finite.any(axis=1) & ~finite.all(axis=1)).sum())


def _count(counts: dict[str, int], what: str, n: int) -> None:
    counts[what] = counts.get(what, 0) + n


def _origin(paths: Sequence[Path], files: Files) -> Origin:
    """Return the first file and the hash of all of them."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(bytes.fromhex(files.sha256(path)))
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return Origin(f"{paths[0]}{more}", f"sha256:{digest.hexdigest()}")


def unit_of(units: Mapping[str, str]) -> str:
    """Return the units of kinds of channels as one text."""
    return (
        next(iter(units.values())) if len(set(units.values())) == 1 else listed(f"{k}: {u}" for k, u in units.items())
    )
