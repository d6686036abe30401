"""The signal `pereira`: fMRI of five people who read 627 sentences, from the files that the authors publish.

Each subject has two files, `{data,examples}_384sentences.mat` and `{data,examples}_243sentences.mat`, in
`DIR/pereira/<subject>/`, one folder deeper too, as the archives unpack. Rows are found by their sentence, never by
their number; voxels by their place in the common space.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

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
)

from .matlab import variables

log = logging.getLogger("cogbench")

# The variable of responses (n_sentences, n_voxels) in each family of files; the first one that is there is read.
FAMILIES = {"data": "examples_passagesentences", "examples": "examples"}
PUBLISHED = "https://evlab.mit.edu/sites/default/files/documents/index2.html"
BLOCK = 4096  # voxels handled at once


@dataclass(frozen=True)
class Pereira:
    """fMRI responses to 627 sentences.

    Parameters
    ----------
    subjects : tuple of str
        By default those who took part in both experiments.
    experiments : tuple of int
        384, 243 or both, which are their numbers of sentences.
    regions : tuple of str
        Only voxels of these: an atlas, as `languageLH` or `gordon`, or one region as `ATLAS/REGION`; by default all.
    zscore : bool
        Each voxel over all sentences; otherwise values are as in the files. (`cnm` scales voxels itself, in any case.)
    """

    name: str = "pereira"
    subjects: tuple[str, ...] = ("P01", "M02", "M04", "M07", "M15")
    experiments: tuple[int, ...] = (384, 243)
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
        """Return the recording: a row for each sentence, a channel `x-y-z` for each voxel that varies.

        Values of each subject are a memory map (n_sentences, n_voxels) of float32 in the store, made once; sentences
        are in the order of the experiments, and within them of the alphabet.

        Raises
        ------
        MissingData
            If no subject's files are there; the message says what they are called and who publishes them.
        UnknownName, UnusableData
            If no subject has such a region, or no subject's files can be used. Otherwise a subject whose files cannot
            be used is left out: a note and a warning say why.
        """
        numbers = [n for n in (384, 243) if n in self.experiments]
        if not numbers or not self.subjects or {*self.experiments} - {*numbers}:
            raise UnusableData(f"signal {self.name!r} takes at least one subject, and experiments 384, 243 or both.")
        held: dict[str, _Subject] = {}
        faults: dict[str, CogbenchError] = {}
        for subject in dict.fromkeys(self.subjects):
            try:
                held[subject] = self._subject(subject, numbers, files)
            except (MissingData, UnknownName, UnusableData) as error:
                faults[subject] = error
        if not held:
            raise self._nothing(faults, numbers, files)
        for subject, fault in _others_sentences(held).items():
            del held[subject]
            faults[subject] = fault
        left_out = [f"subject {subject} left out: {fault}" for subject, fault in faults.items()]
        if left_out:  # before hours of training, not after
            log.warning(f"signal {self.name!r}: {' '.join(left_out)}")
        subjects = {s: Responses(h.values, h.channels) for s, h in held.items()}
        revision = hashlib.sha256("".join(h.sha256 for h in held.values()).encode()).hexdigest()
        return Recording(
            next(iter(held.values())).sentences,
            subjects,
            "z-scores of each voxel over the sentences" if self.zscore else "response estimates, as in the files",
            Origin(f"{files.data_dir}/{self.name}", f"sha256:{revision}"),
            (*(f"{s}: {h.note}" for s, h in held.items()), *left_out),
        )

    def _subject(self, subject: str, numbers: Sequence[int], files: Files) -> "_Subject":
        """Return what the store holds of a subject, made from its files the first time."""
        found = {n: _file(files, self.name, subject, n) for n in numbers}
        if absent := [n for n, path in found.items() if path is None]:
            raise MissingData(f"{_folder(files, self.name, subject)} has no {' and no '.join(map(_called, absent))}.")
        paths = {n: path for n, path in found.items() if path is not None}
        folder = files.derived(
            f"signals/{self.name}/{subject}",
            list(paths.values()),
            lambda out: _make(out, paths, self.regions, self.zscore),
            experiments=list(paths),
            families=[_family(path) for path in paths.values()],
            regions=sorted(self.regions),
            zscore=self.zscore,
            reading=1,  # raised when the same files are read in another way
        )
        return _Subject.load(folder, "".join(map(files.sha256, paths.values())))

    def _nothing(self, faults: Mapping[str, CogbenchError], numbers: Sequence[int], files: Files) -> CogbenchError:
        """Return the error for a signal that no subject is left of."""
        unknown = [fault for fault in faults.values() if isinstance(fault, UnknownName)]
        if len(unknown) == len(faults):
            return unknown[0]
        if any(not isinstance(fault, MissingData) for fault in faults.values()):
            return UnusableData(" ".join(f"{subject}: {fault}" for subject, fault in faults.items()))
        if any(_file(files, self.name, subject, n) for subject in faults for n in numbers):
            lacking = " ".join(f"{subject}: {fault}" for subject, fault in faults.items())
        else:
            lacking = f"there are none of {', '.join(faults)}"
            lacking += f" in {files.data_dir / self.name}" if files.data_dir else ": name their folder with --data-dir"
            packed = [s for s in faults if _folder(files, self.name, s).with_suffix(".tar").is_file()]
            lacking += f" ({', '.join(f'{s}.tar' for s in packed)} must be unpacked)" if packed else ""
        names = " and ".join(map(_called, numbers))
        return MissingData(
            f"signal {self.name!r} reads the fMRI files of Pereira et al. (2018), {lacking.rstrip('.')}. Expected: "
            f"{names} in DIR/{self.name}/<subject>, with --data-dir DIR. Their authors publish them, one .tar for each "
            f"subject, at {PUBLISHED}; --set {self.name}.subjects=P01:M02 takes these alone, --signal another signal."
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


class _Subject(NamedTuple):
    """What the store holds of one subject."""

    sentences: tuple[str, ...]
    values: Array  # (n_sentences, n_voxels) float32, a memory map
    channels: tuple[str, ...]
    note: str
    sha256: str

    @classmethod
    def load(cls, folder: Path, sha256: str) -> "_Subject":
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        values, voxels = np.load(folder / "values.npy", mmap_mode="r"), np.load(folder / "voxels.npy")
        return cls(tuple(facts["sentences"]), values, tuple(voxels.tolist()), facts["note"], sha256)


def _others_sentences(held: Mapping[str, _Subject]) -> dict[str, UnusableData]:
    """Return for each subject whose sentences are not those of most others why it is left out."""
    most = Counter(h.sentences for h in held.values()).most_common(1)[0][0]
    of, known = next(subject for subject, h in held.items() if h.sentences == most), {*most}
    faults = {}
    for subject, h in held.items():
        if own := [s for s in h.sentences if s not in known]:
            faults[subject] = UnusableData(f"{len(own)} of its sentences are not those of {of}, such as {own[0]!r}.")
    return faults


class _Scan(NamedTuple):
    """One experiment of one subject, rows sorted by sentence."""

    sentences: list[str]
    values: Array  # (n_sentences, n_voxels) float32
    voxels: Array  # (n_voxels,) of str, each once
    varies: Array  # (n_voxels,) of bool
    finite: Array  # (n_voxels,) of bool


def _make(out: Path, paths: Mapping[int, Path], regions: Sequence[str], zscore: bool) -> None:
    """Write a subject's values, voxels and facts into a folder."""
    scans = [_scan(path, number, regions) for number, path in paths.items()]
    sentences = [s for scan in scans for s in scan.sentences]
    if len(set(sentences)) < len(sentences):
        raise UnusableData(f"{' and '.join(p.name for p in paths.values())} share a sentence.")
    voxels, places = _common(scans)
    finite, varies = (
        np.all([getattr(scan, of)[place] for scan, place in zip(scans, places, strict=True)], axis=0)
        for of in ("finite", "varies")
    )
    kept = np.flatnonzero(finite & varies)
    dropped = {
        "with NaN or infinity": int((~finite).sum()),
        "constant in an experiment": int((finite & ~varies).sum()),
        "in one experiment only": sum(len(scan.voxels) for scan in scans) - len(scans) * len(voxels),
    }
    if not len(kept):
        raise UnusableData(f"none of its {len(voxels)} voxels varies and is finite.")
    shape = (len(sentences), len(kept))
    values = np.lib.format.open_memmap(out / "values.npy", "w+", np.float32, shape)
    for some in _runs(len(kept)):
        columns = kept[some]
        block = np.concatenate([s.values[:, p[columns]] for s, p in zip(scans, places, strict=True)]).astype(np.float64)
        values[:, some] = (block - block.mean(axis=0)) / block.std(axis=0) if zscore else block
    values.flush()
    np.save(out / "voxels.npy", voxels[kept])
    lost = "; ".join(f"{what}: {n:,}" for what, n in dropped.items() if n)
    note = f"{len(kept):,} voxels from {' and '.join(p.name for p in paths.values())}"
    note += f"; dropped, {lost}." if lost else "."
    facts = json.dumps({"sentences": sentences, "note": note}, ensure_ascii=False)
    (out / "facts.json").write_text(facts, encoding="utf-8")


def _common(scans: Sequence[_Scan]) -> tuple[Array, list[Array]]:
    """Return the voxels that all experiments have, and where in each of them they stand."""
    first = scans[0].voxels
    if all(np.array_equal(scan.voxels, first) for scan in scans):
        return first, [np.arange(len(first)) for _ in scans]
    shared = set(first.tolist()).intersection(*(scan.voxels.tolist() for scan in scans[1:]))
    names = [name for name in first.tolist() if name in shared]
    where = [{name: i for i, name in enumerate(scan.voxels.tolist())} for scan in scans]
    return np.array(names, first.dtype), [np.array([at[name] for name in names], int) for at in where]


def _scan(path: Path, number: int, regions: Sequence[str]) -> _Scan:
    """Read one file; `regions` pick voxels."""
    told = variables(path, ("keySentences", "meta"))
    sentences = _sentences(path, told.get("keySentences"), number)
    meta = told.get("meta")
    if not isinstance(meta, dict) or "colToCoord" not in meta:
        raise UnusableData(f"{path.name} does not say where its voxels are (meta.colToCoord).")
    where = np.asarray(meta["colToCoord"])  # (n_voxels, 3), counted from 1
    if where.ndim != 2 or where.shape[1] != 3:
        raise UnusableData(
            f"{path.name} holds as meta.colToCoord {where.shape}; expected three numbers for each voxel."
        )
    columns = _columns(path, meta, regions, len(where)) if regions else np.arange(len(where))
    del told, meta
    voxels = np.array(["-".join(map(str, place)) for place in where[columns].astype(int).tolist()])
    if len(set(voxels.tolist())) < len(voxels):
        raise UnusableData(f"{path.name} has two voxels in one place.")
    name = FAMILIES[_family(path)]
    held = variables(path, (name,)).get(name)  # (n_sentences, n_voxels)
    if not isinstance(held, np.ndarray) or held.shape != (number, len(where)) or held.dtype.kind not in "fiu":
        found = getattr(held, "shape", "nothing")
        raise UnusableData(
            f"{path.name} holds as {name} {found}; expected {number} sentences × {len(where)} voxels of numbers."
        )
    order = sorted(range(number), key=sentences.__getitem__)
    values = np.empty((number, len(columns)), np.float32)
    varies, finite = np.empty(len(columns), bool), np.empty(len(columns), bool)
    for some in _runs(len(columns)):
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is infinite in it
            block = held[:, columns[some]].astype(np.float32)
            finite[some] = np.isfinite(block).all(axis=0)
            low, high = block.min(axis=0), block.max(axis=0)
            # A spread of the size of float32's rounding is none.
            varies[some] = high - low > 1e-6 * np.maximum(abs(low), abs(high))
        values[:, some] = block[order]
    return _Scan([sentences[i] for i in order], values, voxels, varies, finite)


def _runs(n: int) -> Iterator[slice]:
    return (slice(i, i + BLOCK) for i in range(0, n, BLOCK))


def _sentences(path: Path, held: Any, number: int) -> list[str]:
    """Return the file's sentences, a row's each, their white space made single."""
    if not isinstance(held, list) or not all(isinstance(text, str) for text in held):
        raise UnusableData(f"{path.name} has no texts keySentences; is it a file of Pereira et al. (2018)?")
    sentences = [" ".join(text.split()) for text in held]
    if len(sentences) != number or len(set(sentences)) != number or not all(sentences):
        raise UnusableData(f"{path.name} has {len(set(sentences) - {''})} different sentences; expected {number}.")
    return sentences


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
