"""The rows of a table as responses: words joined to sentences, repetitions averaged, subjects in one order."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cogbench import Array, Averages, Responses, average_repetitions, finite_mean, varying_channels

from .columns import Table, bad, listed


class Means(NamedTuple):
    """The sentences, and the responses of each subject to them, averaged over repetitions."""

    sentences: tuple[str, ...]
    by_subject: dict[str, Averages]


def join_words(table: Table, values: Array, words: str) -> tuple[Table, Array, list[str]]:
    """Return a table of words as one of sentences: a row for each showing, its words averaged or summed."""
    if table.groups is None:
        return table, values, []
    joined = finite_mean if words == "mean" else finite_sum
    firsts = [rows[0] for rows in table.groups]
    sentences, subjects = [table.sentences[i] for i in firsts], [table.subjects[i] for i in firsts]
    means = np.stack([joined(values[rows]) for rows in table.groups])
    dropped = len(values) - sum(map(len, table.groups))
    how = "averaged" if words == "mean" else "summed"
    notes = [f"each row is a word, by column {table.words}: the rows of a sentence are {how}, and no repetitions."]
    notes += [f"rows dropped, without sentence or subject: {dropped}."] if dropped else []
    return table._replace(sentences=sentences, subjects=subjects, groups=None), means, notes


def average_rows(table: Table, values: Array, duplicates: str, path: Path) -> tuple[Means, list[str]]:
    """Bring the rows into one order of sentences for all subjects; average the rows of the same sentence."""
    rows: dict[tuple[str, str], list[int]] = {}
    for i, (subject, sentence) in enumerate(zip(table.subjects, table.sentences, strict=True)):
        if subject and sentence:
            rows.setdefault((subject, sentence), []).append(i)
    twice = [sentence for (_, sentence), places in rows.items() if len(places) > 1]
    if twice and duplicates == "refuse":
        raise bad(path, f"a subject has {len(twice)} sentences more than once, the first is {twice[0]!r}.")
    measured = np.concatenate([np.isfinite(rows).any(axis=1) for rows in blocks_of_rows(values)])
    place = {s: None for (_, s), places in rows.items() if measured[places].any()}
    if not place:
        raise bad(path, "no row has both a sentence and a number in the channels used.")
    sentences = tuple(place)
    number = {sentence: i for i, sentence in enumerate(sentences)}
    by_subject: dict[str, tuple[list[int], list[int]]] = {subject: ([], []) for subject, _ in rows}
    for (subject, sentence), places in rows.items():
        if sentence in number:
            by_subject[subject][0].extend(places)
            by_subject[subject][1].extend([number[sentence]] * len(places))
    every = [*range(len(values))]
    if len(sentences) == len(values) and [*by_subject.values()] == [(every, every)]:  # large arrays are not copied
        means = {subject: Averages(_without_infinity(values), None, None) for subject in by_subject}
    else:
        means = {
            subject: average_repetitions(values[places], np.array(stimuli, int), len(sentences))
            for subject, (places, stimuli) in by_subject.items()
        }
    counts = {
        "rows dropped, without sentence or subject": len(table.sentences) - sum(map(len, rows.values())),
        "sentences averaged, which a subject has more than once": len(twice),
        "sentences dropped, without any value": len({sentence for _, sentence in rows}) - len(sentences),
    }
    return Means(sentences, means), [f"{what}: {n}." for what, n in counts.items() if n]


def responses_of(means: Means, channels: Sequence[str], path: Path) -> tuple[dict[str, Responses], list[str]]:
    """Keep of each subject the channels that vary, and as present the sentences with a value in all of them."""
    subjects: dict[str, Responses] = {}
    constant, partial = dict[str, None](), 0
    for subject, (values, halves, shown) in means.by_subject.items():
        kept = varying_channels(values)
        if kept.any():
            constant |= {channel: None for channel, keep in zip(channels, kept, strict=True) if not keep}
            values = values if kept.all() else values[:, kept]
            whole = np.concatenate([np.isfinite(rows).all(axis=1) for rows in blocks_of_rows(values)])
            some = np.concatenate([np.isfinite(rows).any(axis=1) for rows in blocks_of_rows(values)])
            partial += int((some & ~whole).sum())
            if not whole.all():
                values[~whole] = np.nan
            names = tuple(channel for channel, keep in zip(channels, kept, strict=True) if keep)
            halves = None if halves is None else halves[:, :, kept]
            shown = shown[:, :, kept] if shown is not None and shown.shape[2] > 1 else shown
            subjects[subject] = Responses(values, names, whole, halves, shown)
    if not subjects:
        remedy = "leave out those that are constant or mostly missing: `FILE:col1,col2`"
        raise bad(path, f"no sentences with a value in all of {listed(channels)} differ in any; {remedy}.")
    counts = {
        "subjects left out, none of whose channels varies": len(means.by_subject) - len(subjects),
        "sentences absent for a subject, with values in some channels only": partial,
        f"constant channels dropped, {listed(constant)}": len(constant),
    }
    return subjects, [f"{what}: {n}." for what, n in counts.items() if n]


def finite_sum(grid: Array) -> Array:
    """Return the sum of each column's finite values; NaN where it has none."""
    finite = np.isfinite(grid)
    return np.where(finite.any(axis=0), np.where(finite, grid, 0).sum(axis=0), np.nan)


def _without_infinity(values: Array) -> Array:
    """Return the values with NaN in place of infinity."""
    for rows in blocks_of_rows(values):
        if np.isinf(rows).any():
            rows[np.isinf(rows)] = np.nan
    return values


def blocks_of_rows(values: Array) -> Iterator[Array]:
    """Yield some rows of an array after others."""
    step = max(1, (1 << 19) // max(1, values.shape[1]))
    for i in range(0, len(values), step):
        yield values[i : i + step]
