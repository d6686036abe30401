"""The file of an evidence pack: safetensors with the card in its head, written whole and read piece by piece."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..data.dataset import Array
from ..data.files import Files
from ..data.oracle import Oracle
from ..data.oracle_files import oracle_of_plain
from ..data.recording import Recording, Responses
from ..errors import MissingData, UnusableData, WrongOption
from ..parts.interfaces import PackPart
from ..parts.registry import Parts
from ..results.plain import plain, record_of_plain
from ..storage.atomic import readable, save
from ..storage.foreign import parse_json
from ..storage.origin import Origin
from .card import SCHEMA_VERSION, PackCard, array_name

SUFFIX = ".safetensors"
CARD = "cogbench-pack"  # the entry of the file's head that holds the card


@dataclass(frozen=True)
class Pack:
    """An evidence pack: a name and a file that is opened when something is asked of it.

    Parameters
    ----------
    name : str
        What the pack is called.
    file : str
        What `cogbench pack make` wrote.
    description : str
        One line on the pack.
    """

    name: str
    file: str
    description: str = ""

    def content(self) -> "OpenPack":
        """Return the pack's content; MissingData without the file, UnusableData if it is no pack or damaged."""
        path = Path(self.file)
        readable(path)
        state = path.stat()
        return _opened(path, state.st_mtime_ns, state.st_size)


class OpenPack:
    """The content of a pack's file: its card at once, each array when it is asked for."""

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = path
        try:
            self._tensors = safe_open(str(path), framework="numpy")
            head = self._tensors.metadata() or {}
        except (SafetensorError, OSError, UnicodeDecodeError) as error:
            raise UnusableData(f"{str(path)!r} is no evidence pack, or is cut short: {error}.") from error
        if CARD not in head:
            raise UnusableData(f"{str(path)!r} is a file of safetensors, but no evidence pack of cogbench.")
        self.card = self._card(head[CARD])
        self._names = frozenset(self._tensors.keys())

    def _card(self, text: str) -> PackCard:
        try:
            values = parse_json(text)
            version = values.get("schema_version")
            if version != SCHEMA_VERSION:
                is_newer = isinstance(version, int) and version > SCHEMA_VERSION
                raise UnusableData(
                    f"pack {str(self.path)!r} has schema version {version}; this cogbench reads {SCHEMA_VERSION}: "
                    f"{'upgrade cogbench' if is_newer else 'make the pack anew'}."
                )
            card: PackCard = record_of_plain(PackCard, values)
        except (ValueError, AttributeError) as error:
            raise UnusableData(f"{str(self.path)!r} has no card of an evidence pack: {error}.") from error
        self._check_tasks(card)
        return card

    def _check_tasks(self, card: PackCard) -> None:
        """Raise UnusableData unless the oracle in the pack is of the pack's tasks; one of checkpoints may have none."""
        lacking = sorted({task.name for task in card.tasks} - card.background.tasks.keys())
        if lacking and not card.checkpoints:
            raise UnusableData(f"pack {str(self.path)!r} does not say how {', '.join(lacking)} was learned.")
        if card.checkpoints and not card.oracle:
            return
        matrix = oracle_of_plain(card.oracle, str(self.path)).transfers
        for role, tasks in (("sources", card.sources), ("targets", card.tasks)):
            names, in_oracle = {task.name for task in tasks}, {*getattr(matrix, role)}
            if in_oracle != names:
                unlike = ", ".join(sorted(in_oracle ^ names)) or "none"
                raise UnusableData(
                    f"pack {str(self.path)!r}: its oracle has other {role} than the pack has tasks ({unlike})."
                )

    @cached_property
    def sha256(self) -> str:
        """Hash of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def holds(self, *parts: object) -> bool:
        """Whether the pack holds the array of this name."""
        return array_name(*parts) in self._names

    def array(self, *parts: object, finite: bool = False) -> Array:
        """Return an array, floating point in single precision at least.

        Raises
        ------
        MissingData
            If the pack does not hold it.
        UnusableData
            If it holds NaN or infinity where `finite` numbers are expected.
        """
        name = array_name(*parts)
        if name not in self._names:
            raise MissingData(f"pack {str(self.path)!r} holds no {name!r}.")
        values: Array = self._tensors.get_tensor(name)
        if values.dtype == np.float16:
            values = values.astype(np.float32)
        if finite and not np.isfinite(values).all():
            raise UnusableData(f"pack {str(self.path)!r}: {name!r} holds NaN or infinity; make the pack anew.")
        return values

    def shapes(self) -> dict[str, list[Any]]:
        """Return for each array its kind of number and its shape."""
        slices = {name: self._tensors.get_slice(name) for name in sorted(self._names)}
        return {name: [part.get_dtype(), *part.get_shape()] for name, part in slices.items()}

    def check(self) -> None:
        """Read all arrays; UnusableData if one holds infinity, or NaN where its kind cannot.

        The mean features of an example without a token are NaN.
        """
        means = {str(i) for i, view in enumerate(self.card.views) if view.options.pooling == "mean"}
        for name in sorted(self._names):
            kind, _, rest = name.partition("/")
            values = self._tensors.get_tensor(name)
            may_lack = kind in ("responses", "transfers") or (kind == "features" and rest.partition("/")[0] in means)
            if np.isinf(values).any() or (np.isnan(values).any() and not may_lack):
                raise UnusableData(f"pack {str(self.path)!r}: {name!r} holds NaN or infinity; make the pack anew.")

    @cached_property
    def oracle(self) -> Oracle | None:
        """The oracle that the pack's evidence is of, with its per-example scores where the pack holds them."""
        if not self.card.oracle:
            return None
        oracle = oracle_of_plain(self.card.oracle, str(self.path))
        pairs = [(s, t) for s in oracle.transfers.sources for t in oracle.transfers.targets if s != t]
        if not all(self.holds("transfers", *pair) for pair in pairs):
            return oracle
        return replace(oracle, per_example={pair: self.array("transfers", *pair) for pair in pairs})

    @property
    def stimuli(self) -> tuple[str, ...]:
        """What stands for the stimuli, whose text is not in the pack: their numbers in the order of the texts."""
        width = len(str(self.card.n_stimuli))
        return tuple(f"stimulus {i:0{width}}" for i in range(1, self.card.n_stimuli + 1))

    @cached_property
    def responses(self) -> Mapping[str, Responses]:
        """For each subject the recorded responses to the stimuli."""
        return {
            subject: Responses(self.array("responses", subject).astype(np.float64), channels)
            for subject, channels in self.card.subjects.items()
        }


@dataclass(frozen=True)
class PackedSignal:
    """The signal of a pack: responses to stimuli that are called by their numbers."""

    name: str
    pack: Pack

    def read(self, files: Files) -> Recording:
        """Return the recording; UnusableData if the pack holds no responses of any subject."""
        content = self.pack.content()
        report = content.card.background.signal_quality
        return Recording(
            sentences=content.stimuli,
            subjects=content.responses,
            unit=report.unit if report else "",
            origin=Origin(report.origin if report else self.name),
            notes=tuple(report.notes) if report else (),
            synthetic="signal" in content.card.background.synthetic,
        )


def find_pack(parts: Parts, wanted: "str | PackPart | Pack") -> Pack:
    """Return an installed pack by its name, or a pack by its file.

    Raises
    ------
    UnknownName
        If no installed pack has that name, and it is no file of a pack.
    """
    if not isinstance(wanted, str):
        return Pack(wanted.name, wanted.file, wanted.description)
    if wanted not in parts.packs and Path(wanted).suffix == SUFFIX:
        return Pack(Path(wanted).stem, wanted)
    return find_pack(parts, parts.find("pack", wanted))


def write_pack(path: Path, card: PackCard, arrays: Mapping[str, Array]) -> None:
    """Write a pack, whole or not at all; numbers that half precision can hold are written in it.

    Raises
    ------
    UnusableData
        If the file is called something else, or cannot be written.
    """
    from safetensors.numpy import save as serialised

    refuse_other_names(path)
    tensors = {name: np.ascontiguousarray(in_half(values)) for name, values in arrays.items()}
    save(path, serialised(tensors, {CARD: json.dumps(plain(card))}))


def refuse_other_names(path: Path) -> None:
    """Raise UnusableData unless the name of a file has the ending of a pack."""
    if path.suffix != SUFFIX:
        raise WrongOption(f"cannot write a pack as {path.name!r}: name a file {SUFFIX}.")


def in_half(values: Array) -> Array:
    """Return floating-point numbers in half precision, or in single or double where that would lose them."""
    values = np.asarray(values)
    if values.dtype.kind != "f":
        return values
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    for kind in (np.float16, np.float32):
        limits = np.finfo(kind)
        if not sizes.size or (sizes.max() <= limits.max and np.median(sizes) >= limits.tiny):
            return values.astype(kind)
    return values


@lru_cache(maxsize=8)
def _opened(path: Path, changed: int, size: int) -> OpenPack:
    return OpenPack(path)
