"""Assemblies in netCDF, as brain-score has them: presentation x neuroid, with coordinates that say what each is.

`--signal 'FILE.nc,sentence=COORDINATE,subject=COORDINATE'`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cogbench import Files, MissingData, Recording, UnknownName, hookimpl

from .deadline import try_apart
from .places import (
    SENTENCES,
    SUBJECTS,
    files_at,
    guarded,
    library,
    names_of,
    opened,
    pick,
    sentences_in,
    signal_name,
    subject_of,
    texts_of,
)
from .rows import Rows, Treatment, bad, join_rows, listed

ENDINGS = (".nc", ".nc4")
NEUROIDS = ("neuroid_id", "voxel_id", "channel", "electrode", "name", "neuroid")  # usual names of channels' names
MAGIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF")


@dataclass(frozen=True)
class Assembly(Treatment):
    """A netCDF file of an array, presentations by neuroids, with coordinates.

    Parameters
    ----------
    name : str
    file : Path, optional
        The file, or several by a pattern with `*`, one for each subject.
    values : str, optional
        The variable that holds the array; it need not be named where there is only one of two dimensions.
    sentence : str, optional
        The coordinate of the presentations that holds the sentences.
    subject : str, optional
        The coordinate that holds the subjects, of presentations or of neuroids.
    names : str, optional
        The coordinate of the neuroids that holds the names of the channels. Channels of one name of two subjects are
        compared, so it has to mean the same in both.
    sentences : str, optional
        A file of sentences in place of a coordinate, one for each presentation.
    unit : str
        By default the attribute `unit` or `units`.
    channels, duplicates, missing
        As `Treatment` says.
    """

    name: str = "netcdf"
    file: Path | None = None
    values: str | None = None
    sentence: str | None = None
    subject: str | None = None
    names: str | None = None
    sentences: str | None = None
    unit: str = "as in the file"

    def open(self, address: str) -> "Assembly | None":
        """Return the signal that reads an assembly, or None if the address names none."""
        path = opened(address, ENDINGS)
        return None if path is None else replace(self, name=signal_name(path, ENDINGS), file=path)

    def read(self, files: Files) -> Recording:
        """Read the assembly.

        Raises
        ------
        MissingData
            If a file or a library is not there.
        UnusableData
            If it is no such array, has no sentences, or is damaged.
        UnknownName
            If a variable, a coordinate or a channel is not there.
        """
        if self.file is None:
            raise MissingData(
                f"signal {self.name!r} reads an assembly of yours: `--signal FILE.nc,sentence=COORDINATE`."
            )
        paths = files_at(self.file, f"signal {self.name!r}")
        blocks, notes, units = list[Rows](), dict[str, None](), list[str]()
        for path in paths:
            xarray = library("xarray", path)
            if (head := path.open("rb").read(4)) not in MAGIC:
                raise bad(path, "it is empty." if not head else "it is no netCDF file.")
            if head == MAGIC[-1]:
                library("h5netcdf", path)

            def read(path: Path = path, xarray: Any = xarray, head: bytes = head) -> tuple[list[Rows], list[str], str]:
                engine = "h5netcdf" if head == MAGIC[-1] else "scipy"
                with xarray.open_dataset(path, engine=engine, decode_times=False, cache=False) as dataset:
                    return self._rows(path, dataset, len(paths) > 1)

            if head == MAGIC[-1]:
                try_apart(path, read)
            some, said, unit = guarded(path, "netCDF", read)
            blocks, notes, units = [*blocks, *some], notes | dict.fromkeys(said), [*units, unit]
        unit = units[0] if self.unit == "as in the file" and len({*units}) == 1 and units[0] else self.unit
        read_files = [*paths, *([Path(self.sentences).expanduser()] if self.sentences else [])]
        return join_rows(blocks, self, paths=read_files, files=files, unit=unit, notes=[*notes])

    def _rows(self, path: Path, dataset: Any, several: bool) -> tuple[list[Rows], list[str], str]:
        """Return the rows of each subject, notes, and the unit if the file says it."""
        array = self._array(path, dataset)
        coordinates = {f"{name}": coordinate for name, coordinate in array.coords.items()}
        flat = {name: c for name, c in coordinates.items() if c.ndim == 1}
        texts, presentation, said = self._sentences(path, array, flat)
        (neuroid,) = (dim for dim in array.dims if dim != presentation)
        array = array.transpose(presentation, neuroid)
        if array.dtype.kind not in "fiubc":
            raise bad(path, f"{array.name} holds no numbers but values of type {array.dtype}.")
        values = np.asarray(array.values)
        of_neuroids = {name: c.values for name, c in flat.items() if c.dims == (neuroid,)}
        whole = pick(
            "coordinate",
            self.subject,
            usual=SUBJECTS,
            names=[n for n in flat if flat[n].dims[0] in array.dims],
            path=path,
        )
        channels, named = self._names(path, of_neuroids, neuroid, array.sizes[neuroid], whole)
        said += [named] if named else []
        unit = next((f"{array.attrs[key]}" for key in ("units", "unit") if key in array.attrs), "")
        if whole is None:
            subjects = [subject_of(path, several)] * len(texts)
            return (
                [Rows(str(path), subjects, sentences=texts, values=values, channels=_unique(path, channels))],
                said,
                unit,
            )
        said.append(f"subjects: coordinate {whole} of the {flat[whole].dims[0]}s.")
        people = names_of(flat[whole].values.tolist())
        if flat[whole].dims == (presentation,):
            return (
                [Rows(str(path), people, sentences=texts, values=values, channels=_unique(path, channels))],
                said,
                unit,
            )
        blocks = []
        for person in dict.fromkeys(people):
            some = [i for i, one in enumerate(people) if one == person]
            names = _unique(path, tuple(channels[i] for i in some))
            blocks.append(
                Rows(str(path), [person] * len(texts), sentences=texts, values=values[:, some], channels=names)
            )
        return blocks, said, unit

    def _array(self, path: Path, dataset: Any) -> Any:
        """Return the array of two dimensions that is meant, without dimensions of one element."""
        arrays = {f"{name}": array.squeeze() for name, array in dataset.data_vars.items()}
        if self.values is not None and self.values not in arrays:
            raise UnknownName.of("variable", self.values, arrays, label=f"In {path.name}")
        grids = (
            [self.values] if self.values else [n for n, a in arrays.items() if a.ndim == 2 and a.dtype.kind in "fiuc"]
        )
        shapes = (
            listed(f"{n} ({', '.join(f'{d} {k}' for d, k in a.sizes.items())})" for n, a in arrays.items()) or "none"
        )
        if len(grids) != 1:
            which = f"which of {listed(grids)} is meant" if grids else "no array of presentations and neuroids is in it"
            raise bad(path, f"{which}; values=NAME says it; it has {shapes}.")
        array = arrays[grids[0]]
        if array.ndim != 2:
            raise bad(path, f"expected two dimensions, presentation and neuroid; it has {shapes}.")
        return array

    def _sentences(self, path: Path, array: Any, flat: dict[str, Any]) -> tuple[list[str], Any, list[str]]:
        """Return the sentence of each presentation, the name of that dimension, and notes."""
        if self.sentences is not None:
            texts, file = sentences_in(Path(self.sentences)), Path(self.sentences).name
            dims = [dim for dim in array.dims if array.sizes[dim] == len(texts)]
            dims = ["presentation"] if "presentation" in dims else dims
            if len(dims) != 1:
                sizes = ", ".join(f"{d} {n}" for d, n in array.sizes.items())
                raise bad(path, f"{file} has {len(texts)} sentences; the array has {sizes}.")
            return texts, dims[0], [f"sentences: {file}."]
        along = {name: c for name, c in flat.items() if c.dims[0] in array.dims}
        words = {name: c for name, c in along.items() if c.dtype.kind in "OUST"}
        name = pick("coordinate", self.sentence, usual=SENTENCES, names=along if self.sentence else words, path=path)
        if name is None:
            remedy = "sentence=NAME names it, sentences=FILE a file of them"
            raise bad(path, f"no coordinate of sentences: {remedy}; it has {listed(along) or 'none'}.")
        if name not in words:
            raise bad(path, f"coordinate {name} holds no texts but values of type {along[name].dtype}.")
        texts = texts_of(_decoded(along[name].values.tolist()))
        return texts, along[name].dims[0], [f"sentences: coordinate {name} of the {along[name].dims[0]}s."]

    def _names(
        self, path: Path, coordinates: dict[str, Any], neuroid: str, n: int, whole: str | None
    ) -> tuple[tuple[str, ...], str]:
        """Return the names of the neuroids, and a note if the file gives them."""
        name = pick("coordinate of neuroids", self.names, usual=NEUROIDS, names=coordinates, path=path)
        if name is None or (name == whole and self.names is None):
            return tuple(f"{neuroid}[{i}]" for i in range(n)), ""
        return tuple(names_of(_decoded(coordinates[name].tolist()))), f"names of channels: coordinate {name}."


def _decoded(cells: Sequence[Any]) -> list[Any]:
    return [cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in cells]


def _unique(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise bad(path, f"two channels of a subject are called {twice!r}: names=COORDINATE names another coordinate.")
    return names


@hookimpl
def register_signals() -> list[Assembly]:
    """Return the signal that opens assemblies."""
    return [Assembly()]
