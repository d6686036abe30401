"""The signal `pereira`: fMRI of people who read sentences, from the authors' files or from a copy on the hub.

Of the authors' files each subject has two, `{data,examples}_384sentences.mat` and `{data,examples}_243sentences.mat`,
in `DIR/pereira/<subject>/`, one folder deeper too, as the archives unpack. Rows are found by their sentence, never by
their number; voxels by their place in the common space. Where there are none, the copy on the hub is read, if
`cogbench fetch --signal pereira` has downloaded it: `pereira_copy.py` says what it holds.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from cogbench import (
    Array,
    Card,
    CogbenchError,
    Files,
    MissingData,
    Origin,
    Recording,
    Responses,
    UnknownName,
    UnusableData,
    hookimpl,
    read_matlab,
)

from .pereira_copy import (
    COMMIT,
    CONTENT,
    EXPERIMENT,
    HUB_FILES,
    HUB_ID,
    ROWS,
    SIZE,
    CopyRow,
    columns_of,
    copy_rows,
    lacks,
    scan_row,
)
from .voxels import Scan, StoredSubject, check_sentences, scan_voxels, write_subject

log = logging.getLogger("cogbench")

# The variable of responses (n_sentences, n_voxels) in each family of files; the first one that is there is read.
FAMILIES = {"data": "examples_passagesentences", "examples": "examples"}
PUBLISHED = "https://evlab.mit.edu/sites/default/files/documents/index2.html"
EXPERIMENTS = (384, 243)  # by their numbers of sentences
BOTH = ("P01", "M02", "M04", "M07", "M15")  # the subjects who took part in both experiments


@dataclass(frozen=True)
class Pereira:
    """fMRI responses to 627 sentences.

    Parameters
    ----------
    subjects : tuple of str
        By default those who took part in both experiments. The copy on the hub has eight, without names: by default
        all, else `row-1` to `row-8`.
    experiments : tuple of int
        384, 243 or both, which are their numbers of sentences. The copy on the hub has the first alone.
    regions : tuple of str
        Only voxels of these: an atlas, as `languageLH` or `gordon`, or one region as `ATLAS/REGION`; by default all.
    zscore : bool
        Each voxel over all sentences; otherwise values are as in the files. (`cnm` scales voxels itself, in any case.)
    """

    name: str = "pereira"
    subjects: tuple[str, ...] = BOTH
    experiments: tuple[int, ...] = EXPERIMENTS
    regions: tuple[str, ...] = ()
    zscore: bool = True
    card: Card = Card(
        627,
        "none stated with the data",
        "fMRI of 5 people reading 627 sentences, whole brain: passages of 3 to 4 sentences about 48 topics",
        "Pereira et al. (2018), Toward a universal decoder of linguistic meaning from brain activation, Nature "
        "Communications 9:963",
    )

    def read(self, files: Files) -> Recording:
        """Return the recording: a row for each sentence, a channel for each voxel that varies.

        Values of each subject are a memory map (n_sentences, n_voxels) of float32 in the store, made once; sentences
        are in the order of the experiments, and within them of the alphabet. From the authors' files a channel is
        called `x-y-z`, after its place.

        Raises
        ------
        MissingData
            If neither files of a subject nor the copy are there; the message says what brings them.
        UnknownName, UnusableData
            If no subject has such a region, or no subject's files can be used. Otherwise a subject whose files cannot
            be used is left out: a note and a warning say why.
        """
        numbers = [n for n in EXPERIMENTS if n in self.experiments]
        if not numbers or not self.subjects or {*self.experiments} - {*numbers}:
            raise UnusableData(f"signal {self.name!r} takes at least one subject, and experiments 384, 243 or both.")
        if not self._has_files(numbers, files):
            return self._read_copy(numbers, files)
        subjects, faults = dict[str, StoredSubject](), dict[str, CogbenchError]()
        for subject in dict.fromkeys(self.subjects):
            try:
                subjects[subject] = self._subject(subject, numbers, files)
            except (MissingData, UnknownName, UnusableData) as error:
                faults[subject] = error
        if not subjects:
            raise self._nothing(faults, numbers, files)
        left_out = self._leave_out(subjects, faults)
        revision = hashlib.sha256("".join(s.sha256 for s in subjects.values()).encode()).hexdigest()
        return self._recording(subjects, Origin(f"{files.data_dir}/{self.name}", f"sha256:{revision}"), left_out)

    def _recording(self, subjects: Mapping[str, StoredSubject], origin: Origin, notes: Sequence[str]) -> Recording:
        return Recording(
            next(iter(subjects.values())).sentences,
            {name: Responses(stored.values, stored.channels) for name, stored in subjects.items()},
            "z-scores of each voxel over the sentences" if self.zscore else "response estimates, as in the files",
            origin,
            (*(f"{name}: {stored.note}" for name, stored in subjects.items()), *notes),
        )

    def _leave_out(self, subjects: dict[str, StoredSubject], faults: dict[str, CogbenchError]) -> list[str]:
        """Remove the subjects with other sentences than most; return why they and those with faults are left out."""
        for subject, fault in _others_sentences(subjects).items():
            del subjects[subject]
            faults[subject] = fault
        left_out = [f"subject {subject} left out: {fault}" for subject, fault in faults.items()]
        if left_out:  # before hours of training, not after
            log.warning(f"signal {self.name!r}: {' '.join(left_out)}")
        return left_out

    def _has_files(self, numbers: Sequence[int], files: Files) -> bool:
        """Whether the folder of data has a file of one of the authors' archives, packed or not."""
        packed = any(_folder(files, self.name, s).with_suffix(".tar").is_file() for s in self.subjects)
        return packed or any(_file(files, self.name, s, n) for s in self.subjects for n in numbers)

    def _read_copy(self, numbers: Sequence[int], files: Files) -> Recording:
        """Return the recording from the copy on the hub."""
        names = ROWS if self.subjects == BOTH else tuple(dict.fromkeys(self.subjects))
        if lacks(numbers, names, self.regions):
            raise self._nowhere(numbers, files, f"the copy on the hub has {CONTENT}")
        try:
            paths, origin = files.hub_files(f"signal {self.name!r}", HUB_ID, HUB_FILES, COMMIT)
        except MissingData:
            if files.fetching:
                raise
            remedy = f"`cogbench fetch --signal {self.name}` brings a copy of one experiment from the hub ({SIZE})"
            raise self._nowhere(numbers, files, remedy) from None
        rows, columns = copy_rows(paths), columns_of(self.regions)
        subjects, faults = dict[str, StoredSubject](), dict[str, CogbenchError]()
        for name in names:
            try:
                subjects[name] = self._copied(name, rows[name], columns, files)
            except UnusableData as error:
                faults[name] = error
        if not subjects:
            raise UnusableData(" ".join(str(fault) for fault in faults.values()))
        notes = [
            f"read from the copy {HUB_ID} on the hub: experiment {EXPERIMENT} alone; its rows do not say which subject "
            "they are nor where their voxels lie, so channels of two subjects cannot be compared.",
            *self._leave_out(subjects, faults),
        ]
        return self._recording(subjects, origin, notes)

    def _copied(self, name: str, row: CopyRow, columns: Sequence[str], files: Files) -> StoredSubject:
        """Return what the store holds of a row of the copy, made the first time."""
        folder = files.derived(
            f"signals/{self.name}/{name}",
            [row.path],
            lambda out: write_subject(out, [scan_row(name, row, columns)], [row.where], self.zscore),
            row=row.row,
            columns=list(columns),
            zscore=self.zscore,
            reading=1,  # raised when the same files are read in another way
        )
        return StoredSubject.load(folder, files.sha256(row.path))

    def _subject(self, subject: str, numbers: Sequence[int], files: Files) -> StoredSubject:
        """Return what the store holds of a subject, made from its files the first time."""
        found = {n: _file(files, self.name, subject, n) for n in numbers}
        if absent := [n for n, path in found.items() if path is None]:
            raise MissingData(f"{_folder(files, self.name, subject)} has no {' and no '.join(map(_called, absent))}.")
        paths = {n: path for n, path in found.items() if path is not None}
        folder = files.derived(
            f"signals/{self.name}/{subject}",
            list(paths.values()),
            lambda out: write_subject(
                out,
                [_scan(path, number, self.regions) for number, path in paths.items()],
                [path.name for path in paths.values()],
                self.zscore,
            ),
            experiments=list(paths),
            families=[_family(path) for path in paths.values()],
            regions=sorted(self.regions),
            zscore=self.zscore,
            reading=1,  # raised when the same files are read in another way
        )
        return StoredSubject.load(folder, "".join(map(files.sha256, paths.values())))

    def _nothing(self, faults: Mapping[str, CogbenchError], numbers: Sequence[int], files: Files) -> CogbenchError:
        """Return the error for a signal that no subject is left of."""
        unknown = [fault for fault in faults.values() if isinstance(fault, UnknownName)]
        if len(unknown) == len(faults):
            return unknown[0]
        if any(not isinstance(fault, MissingData) for fault in faults.values()):
            return UnusableData(" ".join(f"{subject}: {fault}" for subject, fault in faults.items()))
        lacking = " ".join(f"{subject}: {fault}" for subject, fault in faults.items())
        if not any(_file(files, self.name, subject, n) for subject in faults for n in numbers):
            packed = [s for s in faults if _folder(files, self.name, s).with_suffix(".tar").is_file()]
            archives = ", ".join(f"{subject}.tar" for subject in packed)
            lacking = f"There are none of {', '.join(faults)} in {files.data_dir}; {archives} must be unpacked."
        about = f"signal {self.name!r} reads the fMRI files of Pereira et al. (2018)."
        return MissingData(f"{about} {lacking} Expected: {self._expected(numbers)}")

    def _nowhere(self, numbers: Sequence[int], files: Files, remedy: str) -> MissingData:
        """Return the error where there is neither a file of the authors nor the copy; `remedy` tells of the copy."""
        looked = f" (there are none in {files.data_dir / self.name})" if files.data_dir else ""
        return MissingData(
            f"signal {self.name!r}, the fMRI of Pereira et al. (2018), is not on this machine: {remedy}. "
            f"--data-dir DIR reads the authors' files{looked}: {self._expected(numbers)}"
        )

    def _expected(self, numbers: Sequence[int]) -> str:
        """Return in words which files of the authors are read, and who publishes them."""
        return (
            f"{' and '.join(map(_called, numbers))} in DIR/{self.name}/<subject>, for the subjects "
            f"{', '.join(self.subjects)}; they publish one .tar for each subject at {PUBLISHED}. "
            "--signal takes another signal."
        )


def _called(number: int) -> str:
    return " or ".join(f"{family}_{number}sentences.mat" for family in FAMILIES)


def _family(path: Path) -> str:
    return path.name.partition("_")[0]


def _folder(files: Files, name: str, subject: str) -> Path:
    return (files.data_dir or Path("DIR")) / name / subject


def _file(files: Files, name: str, subject: str, number: int) -> Path | None:
    """Return a subject's file of an experiment, in its folder or one below, or None."""
    if files.data_dir is None:
        return None
    folder = _folder(files, name, subject)
    called = [f"{below}{family}_{number}sentences.mat" for family in FAMILIES for below in ("", "*/")]
    found = next((path for pattern in called for path in sorted(folder.glob(pattern))), None)
    return found and files.path(*found.relative_to(files.data_dir).parts)


def _others_sentences(subjects: Mapping[str, StoredSubject]) -> dict[str, UnusableData]:
    """Return for each subject whose sentences are not those of most others why it is left out."""
    most = Counter(stored.sentences for stored in subjects.values()).most_common(1)[0][0]
    first, usual = next(subject for subject, stored in subjects.items() if stored.sentences == most), {*most}
    faults = {}
    for subject, stored in subjects.items():
        if own := [s for s in stored.sentences if s not in usual]:
            faults[subject] = UnusableData(f"{len(own)} of its sentences are not those of {first}, such as {own[0]!r}.")
    return faults


def _scan(path: Path, number: int, regions: Sequence[str]) -> Scan:
    """Read one file; `regions` pick voxels."""
    variables = read_matlab(path, ("keySentences", "meta"))
    texts = variables.get("keySentences")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UnusableData(f"{path.name} has no texts keySentences; is it a file of Pereira et al. (2018)?")
    sentences = check_sentences(texts, number, path.name)
    meta = variables.get("meta")
    if not isinstance(meta, dict) or "colToCoord" not in meta:
        raise UnusableData(f"{path.name} does not say where its voxels are (meta.colToCoord).")
    where = np.asarray(meta["colToCoord"])  # (n_voxels, 3), counted from 1
    if where.ndim != 2 or where.shape[1] != 3:
        raise UnusableData(
            f"{path.name} holds as meta.colToCoord {where.shape}; expected three numbers for each voxel."
        )
    columns = _columns(path, meta, regions, len(where)) if regions else np.arange(len(where))
    del variables, meta
    voxels = np.array(["-".join(map(str, place)) for place in where[columns].astype(int).tolist()])
    if len(set(voxels.tolist())) < len(voxels):
        raise UnusableData(f"{path.name} has two voxels in one place.")
    name = FAMILIES[_family(path)]
    held = read_matlab(path, (name,)).get(name)  # (n_sentences, n_voxels)
    if not isinstance(held, np.ndarray) or held.shape != (number, len(where)) or held.dtype.kind not in "fiu":
        found = getattr(held, "shape", "nothing")
        raise UnusableData(
            f"{path.name} holds as {name} {found}; expected {number} sentences × {len(where)} voxels of numbers."
        )
    return scan_voxels(sentences, held, columns, voxels)


def _columns(path: Path, meta: Mapping[str, Any], regions: Sequence[str], n: int) -> Array:
    """Return the columns (n_picked,), counted from 0 and sorted, of the voxels in any of some regions."""
    atlases = _atlases(meta)
    known = {name.lower(): columns for name, columns in _regions(atlases)}
    picked = []
    for region in regions:
        if region.lower() not in known:
            near = [name for name, _ in _regions(atlases)]
            close = get_close_matches(region.lower(), [name.lower() for name in near], n=3, cutoff=0.5)
            guess = " or ".join(repr(name) for name in near if name.lower() in close)
            raise UnknownName(
                f"unknown region {region!r} in {path.name}"
                + (f"; did you mean {guess}?" if guess else ".")
                + f" Atlases: {', '.join(atlases)}; one region of them is ATLAS/REGION."
            )
        picked.append(known[region.lower()])
    columns = np.unique(np.concatenate(picked)) if picked else np.empty(0)
    if not len(columns) or columns[0] < 1 or columns[-1] > n:
        raise UnusableData(
            f"{path.name}: columns of {', '.join(regions)} are not from 1 to {n}, the number of its voxels."
        )
    return columns.astype(int) - 1


def _atlases(meta: Mapping[str, Any]) -> dict[str, dict[str, Array]]:
    """Return for each atlas the columns of its regions, counted from 1 as in the file."""
    if "atlases" in meta:
        of = zip(_list(meta["atlases"]), _list(meta.get("rois")), _list(meta.get("roiColumns")), strict=False)
    else:
        of = ((a.lower(), meta.get(f"rois{a}"), meta.get(f"roiColumns{a}")) for a in ("AAL", "Gordon"))  # type: ignore[assignment]
    found: dict[str, dict[str, Array]] = {}
    for atlas, names, columns in of:
        parts = [_flat(c) for c in _list(columns)]
        titles = [str(name) for name in _list(names)]
        titles = titles if len(titles) == len(parts) else [str(i + 1) for i in range(len(parts))]
        if parts:
            found[str(atlas)] = dict(zip(titles, parts, strict=True))
    return found


def _regions(atlases: Mapping[str, Mapping[str, Array]]) -> Iterator[tuple[str, Array]]:
    """Yield each atlas and each of its regions with its columns."""
    for atlas, parts in atlases.items():
        yield atlas, np.concatenate(list(parts.values()))
        yield from ((f"{atlas}/{name}", columns) for name, columns in parts.items())


def _flat(held: Any) -> Array:
    """Return the numbers in an array, or in arrays within cells."""
    return np.concatenate([_flat(h) for h in held] or [np.empty(0)]) if isinstance(held, list) else np.ravel(held)


def _list(held: Any) -> list[Any]:
    return held if isinstance(held, list) else [] if held is None else [held]


@hookimpl
def register_signals() -> list[Pereira]:
    """Return the fMRI signal."""
    return [Pereira()]
