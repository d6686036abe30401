"""MNE epochs: the mean of each sensor over a time after a sentence's onset.

`--signal 'sub-*-epo.fif,time=0.3:0.5'`. Values have MNE's units.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cogbench import Array, Files, MissingData, Recording, hookimpl

from .places import SENTENCES, files_at, guarded, library, opened, pick, sentences_in, signal_name, subject_of, texts_of
from .rows import Rows, Treatment, bad, join_rows, listed, unit_of

ENDINGS = (".fif", ".fif.gz")
UNITS = {"eeg": "V", "mag": "T", "grad": "T/m", "seeg": "V", "ecog": "V", "dbs": "V", "csd": "V/m²"}


@dataclass(frozen=True)
class Epochs(Treatment):
    """A file of MNE epochs, one for each presentation of a sentence.

    Parameters
    ----------
    name : str
    file : Path, optional
        The file, or several by a pattern with `*`, for several subjects: `sub-…` in a name says whose it is.
    time : tuple of str
        Which time, in seconds from the onset: `0.3:0.5` for the mean of these, `0.3:0.5:0.6:0.9` for two means, `all`
        for the mean of all, `each` for a channel for each sample of each sensor.
    sentence : str, optional
        The column of the epochs' metadata that holds the sentences.
    sentences : str, optional
        A file of sentences in place of metadata: a text with one for each epoch, also those that were dropped, or a
        table with a column `sentence`.
    channels, duplicates, missing
        As `Treatment` says.
    """

    name: str = "mne"
    file: Path | None = None
    time: tuple[str, ...] = ()
    sentence: str | None = None
    sentences: str | None = None

    def open(self, address: str) -> "Epochs | None":
        """Return the signal that reads epochs, or None if the address names none."""
        path = opened(address, ENDINGS)
        return None if path is None else replace(self, name=signal_name(path, ENDINGS), file=path)

    def read(self, files: Files) -> Recording:
        """Read the epochs.

        Raises
        ------
        MissingData
            If a file or mne is not there.
        UnusableData
            If a file holds no epochs or is damaged, there are no sentences, or it is left open which time is meant.
        UnknownName
            If a column or a channel is not there.
        """
        if self.file is None:
            raise MissingData(f"signal {self.name!r} reads epochs of yours: `--signal FILE-epo.fif,time=0.3:0.5`.")
        paths = files_at(self.file, f"signal {self.name!r}")
        mne = library("mne", paths[0])
        blocks, notes, units, read = [], dict[str, None](), dict[str, str](), [*paths]
        for path in paths:
            epochs = guarded(path, "MNE epochs", mne.read_epochs, path, preload=False, verbose="error")
            texts, note = self._sentences(epochs, path)
            values, names, some = guarded(path, "MNE epochs", self._means, epochs, path)
            units |= some
            blocks.append(
                Rows(
                    str(path),
                    [subject_of(path, len(paths) > 1)] * len(texts),
                    sentences=texts,
                    values=values,
                    channels=names,
                )
            )
            notes |= {note: None, f"mean over the times: {':'.join(self.time) or 'all, one sample'} s.": None}
            if bads := epochs.info["bads"]:
                notes[f"channels marked as bad, left out: {listed(bads)}."] = None
        read += [Path(self.sentences).expanduser()] if self.sentences else []
        return join_rows(blocks, self, paths=read, files=files, unit=unit_of(units), notes=[*notes])

    def _sentences(self, epochs: Any, path: Path) -> tuple[list[str], str]:
        """Return the sentence of each epoch that was kept, and a note."""
        n_kept, n_all = len(epochs.selection), len(epochs.drop_log)
        if self.sentences is not None:
            texts, file = sentences_in(Path(self.sentences)), Path(self.sentences).name
            if len(texts) == n_kept:
                return texts, f"sentences: {file}."
            if len(texts) == n_all:
                return [texts[i] for i in epochs.selection], f"sentences: {file}; {n_all - n_kept} epochs were dropped."
            raise bad(path, f"it has {n_kept} epochs of {n_all} events, and {file} has {len(texts)} sentences.")
        columns = {} if epochs.metadata is None else epochs.metadata.to_dict(orient="list")
        column = pick("column of the metadata", self.sentence, usual=SENTENCES, names=columns, path=path)
        if column is None:
            holds = f"its metadata have {listed(columns)}" if columns else "it has no metadata"
            raise bad(path, f"no sentences: {holds}; sentence=COLUMN names a column, sentences=FILE a file of them.")
        return texts_of(columns[column]), f"sentences: column {column} of the metadata."

    def _means(self, epochs: Any, path: Path) -> tuple[Array, tuple[str, ...], dict[str, str]]:
        """Return the values (n_epochs, n_channels), the channels' names, and the unit of each kind of sensor."""
        types = {name: kind for name, kind in zip(epochs.ch_names, epochs.get_channel_types(), strict=True)}
        names = [name for name, kind in types.items() if kind in UNITS and name not in epochs.info["bads"]]
        if not names:
            raise bad(path, f"it has no sensors of {', '.join(UNITS)}; it has {listed(dict.fromkeys(types.values()))}.")
        units = {types[name]: UNITS[types[name]] for name in names}
        data = epochs.get_data(picks=names, verbose="error")  # (n_epochs, n_sensors, n_times)
        times = epochs.times
        if self.time == ("each",):
            each = tuple(f"{name} {time:.4g} s" for name in names for time in times)
            return data.reshape(len(data), -1), each, units
        spans = self._spans(times, path)
        means = np.concatenate(
            [data[:, :, (times >= a - 1e-9) & (times <= b + 1e-9)].mean(axis=2) for a, b in spans], 1
        )
        if len(spans) == 1:
            return means, tuple(names), units
        return means, tuple(f"{name} {a:g} to {b:g} s" for a, b in spans for name in names), units

    def _spans(self, times: Array, path: Path) -> list[tuple[float, float]]:
        """Return the times that are meant, from and to; UnusableData if they are not said or not there."""
        first, last = float(times[0]), float(times[-1])
        if self.time == ("all",) or (not self.time and len(times) == 1):
            return [(first, last)]
        remedy = "time=0.3:0.5 (seconds) means their mean, time=all that of all, time=each takes each sample"
        try:
            ends = [float(word) for word in self.time]
        except ValueError:
            raise bad(path, f"time={':'.join(self.time)} is no time; {remedy}.") from None
        spans = list(zip(ends[::2], ends[1::2], strict=False))
        here = f"it has {len(times)} samples from {first:g} to {last:g} s"
        if not ends or len(ends) % 2:
            raise bad(path, f"say which time after the onset is meant: {remedy}; {here}.")
        for a, b in spans:
            if not ((times >= a - 1e-9) & (times <= b + 1e-9)).any() or a < first - 1e-9 or b > last + 1e-9:
                raise bad(path, f"time={a:g}:{b:g} is not in it: {here}.")
        return spans


@hookimpl
def register_signals() -> Sequence[Epochs]:
    """Return the signal that opens epochs."""
    return [Epochs()]
