"""One subject's voxels as the store keeps them: those that vary, z-scored, with the sentences in one order."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cogbench import Array, UnusableData

BLOCK = 4096  # voxels handled at once


class Scan(NamedTuple):
    """One experiment of one subject, rows sorted by sentence."""

    sentences: list[str]
    values: Array  # (n_sentences, n_voxels) float32
    voxels: Array  # (n_voxels,) of str, each once
    varies: Array  # (n_voxels,) of bool
    finite: Array  # (n_voxels,) of bool


class StoredSubject(NamedTuple):
    """What the store holds of one subject."""

    sentences: tuple[str, ...]
    values: Array  # (n_sentences, n_voxels) float32, a memory map
    channels: tuple[str, ...]
    note: str
    sha256: str

    @classmethod
    def load(cls, folder: Path, sha256: str) -> "StoredSubject":
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        values, voxels = np.load(folder / "values.npy", mmap_mode="r"), np.load(folder / "voxels.npy")
        return cls(tuple(facts["sentences"]), values, tuple(voxels.tolist()), facts["note"], sha256)


def check_sentences(texts: Sequence[str], number: int, where: str) -> list[str]:
    """Return sentences, their white space made single; UnusableData unless there are so many different ones."""
    sentences = [" ".join(text.split()) for text in texts]
    if len(sentences) != number or len(set(sentences)) != number or not all(sentences):
        raise UnusableData(f"{where} has {len(set(sentences) - {''})} different sentences; expected {number}.")
    return sentences


def scan_voxels(sentences: Sequence[str], responses: Array, columns: Array, voxels: Array) -> Scan:
    """Return a scan of some columns (n_picked,) of responses (n_sentences, n_columns); `voxels` names these."""
    order = sorted(range(len(sentences)), key=sentences.__getitem__)
    values = np.empty((len(sentences), len(columns)), np.float32)
    varies, finite = np.empty(len(columns), bool), np.empty(len(columns), bool)
    for some in _blocks(len(columns)):
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is infinite in it
            block = responses[:, columns[some]].astype(np.float32)
            finite[some] = np.isfinite(block).all(axis=0)
            low, high = block.min(axis=0), block.max(axis=0)
            # A spread of the size of float32's rounding is none.
            varies[some] = high - low > 1e-6 * np.maximum(abs(low), abs(high))
        values[:, some] = block[order]
    return Scan([sentences[i] for i in order], values, voxels, varies, finite)


def write_subject(out: Path, scans: Sequence[Scan], files: Sequence[str], zscore: bool) -> None:
    """Write a subject's values, voxels and facts into a folder; `files` are what the scans were read from."""
    sentences = [s for scan in scans for s in scan.sentences]
    if len(set(sentences)) < len(sentences):
        raise UnusableData(f"{' and '.join(files)} share a sentence.")
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
    for some in _blocks(len(kept)):
        columns = kept[some]
        block = np.concatenate([s.values[:, p[columns]] for s, p in zip(scans, places, strict=True)]).astype(np.float64)
        values[:, some] = (block - block.mean(axis=0)) / block.std(axis=0) if zscore else block
    values.flush()
    np.save(out / "voxels.npy", voxels[kept])
    lost = "; ".join(f"{what}: {n:,}" for what, n in dropped.items() if n)
    note = f"{len(kept):,} voxels from {' and '.join(files)}"
    note += f"; dropped, {lost}." if lost else "."
    facts = json.dumps({"sentences": sentences, "note": note}, ensure_ascii=False)
    (out / "facts.json").write_text(facts, encoding="utf-8")


def _common(scans: Sequence[Scan]) -> tuple[Array, list[Array]]:
    """Return the voxels that all experiments have, and where in each of them they stand."""
    first = scans[0].voxels
    if all(np.array_equal(scan.voxels, first) for scan in scans):
        return first, [np.arange(len(first)) for _ in scans]
    shared = set(first.tolist()).intersection(*(scan.voxels.tolist() for scan in scans[1:]))
    names = [name for name in first.tolist() if name in shared]
    where = [{name: i for i, name in enumerate(scan.voxels.tolist())} for scan in scans]
    return np.array(names, first.dtype), [np.array([at[name] for name in names], int) for at in where]


def _blocks(n: int) -> Iterator[slice]:
    return (slice(i, i + BLOCK) for i in range(0, n, BLOCK))
