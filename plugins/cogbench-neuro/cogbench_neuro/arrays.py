"""Files of arrays: MATLAB's .mat, of version 5 and 7.3, and HDF5.

`--signal 'FILE.mat,values=NAME,sentence=NAME'`. A part of a struct is `struct.field`, of HDF5 `group/data`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cogbench import Files, MissingData, Recording, hookimpl, read_matlab

from .deadline import try_apart
from .places import files_at, guarded, library, opened, sentences_in, signal_name, subject_of
from .rows import Rows, Treatment, bad, join_rows
from .variables import Content, Roles, Variable, content_of, flattened

ENDINGS = {"matlab": (".mat",), "hdf5": (".h5", ".hdf5", ".hf5")}


@dataclass(frozen=True)
class ArrayFile(Treatment):
    """A file of arrays: values with a row for each presentation of a sentence, and the sentences.

    Parameters
    ----------
    name : str
    kind : {"matlab", "hdf5"}
    file : Path, optional
        The file, or several by a pattern with `*`, one for each subject, whose name is `sub-…` in the file's
        name, else all of it.
    values, sentence : str, optional
        The variables that hold the values (n_rows, n_channels) and the sentences (n_rows). They need not be named where
        only one can be meant.
    subject : str, optional
        The variable that holds the subject of each row.
    names : str, optional
        The variable that holds the names of the channels.
    sentences : str, optional
        A file of sentences in place of a variable: a text with one for each row, or a table with a column `sentence`.
    transpose : bool
        Whether the rows of the values are channels.
    unit : str
        By default the attribute `unit` or `units` of HDF5.
    channels, duplicates, missing
        As `Treatment` says.
    """

    name: str
    kind: Literal["matlab", "hdf5"]
    file: Path | None = None
    values: str | None = None
    sentence: str | None = None
    subject: str | None = None
    names: str | None = None
    sentences: str | None = None
    transpose: bool = False
    unit: str = "as in the file"

    def open(self, address: str) -> "ArrayFile | None":
        """Return the signal that reads arrays, or None if the address names none."""
        path = opened(address, ENDINGS[self.kind])
        return None if path is None else replace(self, name=signal_name(path, ENDINGS[self.kind]), file=path)

    def read(self, files: Files) -> Recording:
        """Read the arrays.

        Raises
        ------
        MissingData
            If a file is not there, or h5py, for HDF5 and MATLAB's version 7.3.
        UnusableData
            If the arrays do not fit, or it is open which are meant, or a file is damaged.
        UnknownName
            If a variable or a channel is not there.
        """
        if self.file is None:
            ending = ENDINGS[self.kind][0]
            raise MissingData(f"signal {self.name!r} reads arrays of yours: `--signal FILE{ending},values=NAME`.")
        paths = files_at(self.file, f"signal {self.name!r}")
        blocks, notes, units = list[Rows](), dict[str, None](), list[str]()
        for path in paths:
            content = self._content(path)
            subjects = content.subjects or [subject_of(path, len(paths) > 1)] * len(content.sentences)
            blocks.append(
                Rows(str(path), subjects, sentences=content.sentences, values=content.values, channels=content.channels)
            )
            notes |= dict.fromkeys(content.notes)
            units += [content.unit] if content.unit else []
        unit = units[0] if self.unit == "as in the file" and len({*units}) == 1 else self.unit
        read = [*paths, *([Path(self.sentences).expanduser()] if self.sentences else [])]
        return join_rows(blocks, self, paths=read, files=files, unit=unit, notes=[*notes])

    def _content(self, path: Path) -> Content:
        roles = Roles(self.values, self.sentence, subject=self.subject, names=self.names)
        sentences = sentences_in(Path(self.sentences)) if self.sentences else None

        def choose(variables: Mapping[str, Variable]) -> Content:
            return content_of(path, variables, roles=roles, sentences=sentences, transpose=self.transpose)

        if self.kind == "matlab":
            if _is_hdf5(path):
                library("h5py", path)
                try_apart(path, lambda: read_matlab(path, self._roots()))
            return choose(flattened(read_matlab(path, self._roots())))
        h5py = library("h5py", path)

        def read() -> Content:
            with h5py.File(path, "r") as file:
                return choose(_datasets(file, h5py))

        try_apart(path, read)
        return guarded(path, "HDF5", read)

    def _roots(self) -> list[str] | None:
        """Return the variables of MATLAB to read, without the others if all that may be needed are named."""
        if self.values is None or (self.sentence is None and self.sentences is None):
            return None
        named = (self.values, self.sentence, self.subject, self.names)
        return [*dict.fromkeys(name.partition(".")[0] for name in named if name)]


def _is_hdf5(path: Path) -> bool:
    """Whether a file of MATLAB is one of HDF5, by its header."""
    with path.open("rb") as file:
        return file.read(10) == b"MATLAB 7.3"


def _datasets(file: Any, h5py: Any) -> dict[str, Variable]:
    """Return the data sets of a HDF5 file by their paths, those of links to other files left out."""
    found: dict[str, Variable] = {}

    def visit(name: str, held: Any) -> None:
        if isinstance(held, h5py.Dataset):
            found[name] = _variable(name, held, h5py)

    file.visititems(visit)
    if not found:
        raise bad(file.filename, "it holds no data sets.")
    return found


def _variable(name: str, held: Any, h5py: Any) -> Variable:
    kind, unit = held.dtype.kind, held.attrs.get("units", held.attrs.get("unit", ""))
    unit = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else unit if isinstance(unit, str) else ""
    if held.shape is None:
        return Variable((), "nothing", lambda: None)
    if kind in "fiub":
        return Variable(held.shape, "numbers", load=lambda: held[()], unit=unit)
    if h5py.check_string_dtype(held.dtype) is not None:
        return Variable((held.size,), "texts", lambda: [f"{text}" for text in np.ravel(held.asstr()[()])])
    what = "complex numbers" if kind == "c" else "a table" if held.dtype.names else "objects"
    return Variable(held.shape, what, lambda: None)


@hookimpl
def register_signals() -> list[ArrayFile]:
    """Return the signals that open files of arrays."""
    return [ArrayFile("matlab", "matlab"), ArrayFile("hdf5", "hdf5")]
