"""Beta images of BIDS: a volume for each presentation of a sentence, with its events and a mask of the brain.

`--signal 'sub-*_betas.nii.gz,events=EVENTS.tsv,mask=MASK.nii.gz'`. Nothing is estimated: the betas come from elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cogbench import Array, Files, MissingData, Recording, hookimpl

from .places import (
    SENTENCES,
    columns_of,
    entities,
    files_at,
    guarded,
    library,
    opened,
    pick,
    sentences_in,
    signal_name,
    subject_of,
    texts_of,
)
from .rows import Rows, Treatment, bad, join_rows, listed

ENDINGS = (".nii", ".nii.gz")
SAME = ("sub", "ses", "task", "acq", "run")  # what an image has in common with its events
OF_SUBJECT = ("sub", "ses", "space", "res")  # with its mask


@dataclass(frozen=True)
class BetaImages(Treatment):
    """NIfTI images of betas, a volume for each presentation of a sentence.

    Parameters
    ----------
    name : str
    file : Path, optional
        The image, or several by a pattern with `*`: images of one subject and run are joined in the order of their
        names. The subject is `sub-…` in a name.
    events : str, optional
        The table of events, or a pattern: of several the one whose `sub`, `ses`, `task`, `acq` and `run` agree with the
        image's is read. By default it is looked for beside the image.
    mask : str, optional
        The mask of the voxels to use, or a pattern. By default it is looked for beside the image; without one all
        voxels that vary are used.
    sentence : str, optional
        The column of the events that holds the sentences.
    sentences : str, optional
        A file of sentences in place of events: a text with one for each volume, or a table with a column `sentence`.
    unit : str
    channels, duplicates, missing
        As `Treatment` says.
    """

    name: str = "bids"
    file: Path | None = None
    events: str | None = None
    mask: str | None = None
    sentence: str | None = None
    sentences: str | None = None
    unit: str = "betas, as in the file"

    def open(self, address: str) -> "BetaImages | None":
        """Return the signal that reads images, or None if the address names none."""
        path = opened(address, ENDINGS)
        return None if path is None else replace(self, name=signal_name(path, ENDINGS), file=path)

    def read(self, files: Files) -> Recording:
        """Read the images with their events and masks.

        Raises
        ------
        MissingData
            If a file or nilearn is not there.
        UnusableData
            If images, events and masks do not fit, or a file is damaged.
        UnknownName
            If a column or a channel is not there.
        """
        if self.file is None:
            raise MissingData(f"signal {self.name!r} reads images of yours: `--signal BETAS.nii.gz,events=EVENTS.tsv`.")
        paths = files_at(self.file, f"signal {self.name!r}")
        for path in paths:
            if path.name.lower().endswith((".dtseries.nii", ".dscalar.nii", ".dlabel.nii", ".ptseries.nii")):
                raise bad(path, "CIFTI files are not read; save the betas as a volume, or as an array with HDF5.")
        for word in ("nilearn", "nibabel"):
            library(word, paths[0])
        runs: dict[tuple[str, ...], list[Path]] = {}
        for path in paths:
            runs.setdefault(tuple(entities(path).get(key, "") for key in SAME), []).append(path)
        blocks, read, notes, grids = [], list[Path](), dict[str, None](), dict[str, Any]()
        for run in runs.values():
            mask = self._mask(run[0])
            values, places, grid = _voxels(run, mask)
            texts, source, note = self._sentences(run[0], len(values))
            subject = subject_of(run[0], several=False)
            blocks.append(
                Rows(str(run[0]), [subject] * len(values), sentences=texts, values=values, channels=tuple(places))
            )
            read += [*run, *([mask] if mask else []), source]
            notes |= {
                note: None,
                f"voxels by the mask {mask.name}." if mask else "no mask: all voxels that vary.": None,
            }
            grids.setdefault(subject, grid)
        if any(not np.array_equal(grid, next(iter(grids.values()))) for grid in grids.values()):
            notes["the subjects' images lie in different spaces, so that no voxel is compared between them."] = None
            blocks = [b._replace(channels=tuple(f"{b.subjects[0]}: {c}" for c in b.channels)) for b in blocks]
        return join_rows(blocks, self, paths=[*dict.fromkeys(read)], files=files, unit=self.unit, notes=[*notes])

    def _mask(self, image: Path) -> Path | None:
        if self.mask is not None:
            return _fitting(files_at(Path(self.mask).expanduser(), "mask"), image, OF_SUBJECT, "mask")
        beside = sorted(p for e in ENDINGS for p in image.parent.glob(f"*_mask{e}"))
        own = [p for p in beside if _agree(p, image, OF_SUBJECT)]
        if len(own) > 1:
            raise bad(image, f"several masks lie beside it, {listed(p.name for p in own)}: name one, mask=FILE.")
        return own[0] if own else None

    def _sentences(self, image: Path, n_volumes: int) -> tuple[list[str], Path, str]:
        """Return the sentence of each volume, the file that it comes from, and a note."""
        if self.sentences is not None:
            source = Path(self.sentences).expanduser()
            texts = sentences_in(source)
            if len(texts) != n_volumes:
                raise bad(image, f"it has {n_volumes} volumes, and {source.name} has {len(texts)} sentences.")
            return texts, source, f"sentences: {source.name}."
        source = self._events(image)
        columns = columns_of(source)
        column = pick("column", self.sentence, usual=SENTENCES, names=columns, path=source)
        if column is None:
            raise bad(source, f"no column of sentences: sentence=COLUMN names it; it has {listed(columns)}.")
        texts = texts_of(columns[column])
        note = f"sentences: column {column} of the events."
        spoken = [text for text in texts if text]
        if n_volumes not in (len(texts), len(spoken)):
            raise bad(
                image,
                f"it has {n_volumes} volumes, and {source.name} has {len(texts)} events, {len(spoken)} of them with a "
                "sentence: a volume is expected for each event, or for each that has a sentence.",
            )
        return texts if n_volumes == len(texts) else spoken, source, note

    def _events(self, image: Path) -> Path:
        if self.events is not None:
            return _fitting(files_at(Path(self.events).expanduser(), "events"), image, SAME, "table of events")
        beside = [p for p in sorted(image.parent.glob("*_events.tsv")) if _agree(p, image, SAME)]
        if len(beside) != 1:
            several = f"several tables of events lie beside it, {listed(p.name for p in beside)}"
            why = several if beside else "no table of events (*_events.tsv) lies beside it"
            raise MissingData(f"{str(image)!r}: {why}; name one, events=FILE, or sentences=FILE.")
        return beside[0]


def _agree(path: Path, image: Path, keys: Sequence[str]) -> bool:
    """Whether two names of BIDS contradict each other in none of these entities."""
    one, other = entities(path), entities(image)
    return all(one[key] == other[key] for key in keys if key in one and key in other)


def _fitting(paths: Sequence[Path], image: Path, keys: Sequence[str], what: str) -> Path:
    fitting = list(paths) if len(paths) == 1 else [path for path in paths if _agree(path, image, keys)]
    if len(fitting) != 1:
        raise bad(
            image, f"{len(fitting)} files named as {what} fit its name, {listed(p.name for p in paths)}: name one."
        )
    return fitting[0]


def _voxels(run: Sequence[Path], mask: Path | None) -> tuple[Array, list[str], Any]:
    """Return the values (n_volumes, n_voxels) of a run, the places x-y-z of its voxels, and where its grid lies."""
    import nibabel

    load: Callable[..., Any] = nibabel.load
    inside = None if mask is None else guarded(mask, "NIfTI", load, mask)
    volumes = list[Array]()
    grid = here = None
    for path in run:
        image = guarded(path, "NIfTI", load, path)
        if len(image.shape) not in (3, 4) or 0 in image.shape:
            raise bad(path, f"it has the shape {image.shape}; expected volumes (x, y, z, n), or one volume (x, y, z).")
        if np.dtype(image.get_data_dtype()).kind not in "fiu":
            raise bad(path, f"its voxels are no real numbers but of type {image.get_data_dtype()}.")
        here = _grid(image)
        grid = here if grid is None else grid
        if not np.allclose(here, grid):
            raise bad(path, f"its voxels lie elsewhere, or are others, than those of {run[0].name}.")
        if inside is not None and (inside.shape != image.shape[:3] or not np.allclose(_grid(inside), here)):
            size = f"{inside.shape}, and {path.name} has {image.shape[:3]}"
            raise bad(mask or "", f"the mask does not fit: it has the shape {size}, or lies elsewhere.")
        volumes.append(guarded(path, "NIfTI", _values, image, inside))
    whole = np.ones(image.shape[:3], bool) if inside is None else np.asarray(inside.dataobj) != 0
    return np.concatenate(volumes), ["-".join(map(str, place)) for place in np.argwhere(whole).tolist()], grid


def _grid(image: Any) -> Array:
    """Return where an image's voxels lie: its affine, and how many there are."""
    return np.vstack([image.affine, [*image.shape[:3], 0]])


def _values(image: Any, mask: Any | None) -> Array:
    """Return the values (n_volumes, n_voxels) of an image, those in the mask."""
    if mask is None:
        data = np.asarray(image.dataobj, np.float32)
        return data.reshape(-1, 1 if data.ndim == 3 else data.shape[3]).T
    from nilearn.masking import apply_mask

    return np.atleast_2d(apply_mask(image, mask, dtype="f", ensure_finite=False))


@hookimpl
def register_signals() -> list[BetaImages]:
    """Return the signal that opens images."""
    return [BetaImages()]
