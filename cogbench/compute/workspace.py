"""The surroundings of a run: where cells are keyed, found and computed."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ..data.dataset import Dataset, Split
from ..data.files import Files
from ..data.recording import Recording
from ..errors import CogbenchError, MissingData, WrongOption, together
from ..parts import registry
from ..parts.fingerprint import Fingerprints, harness_version
from ..parts.interfaces import Signal
from ..parts.recipe import Task
from ..parts.registry import Parts
from ..scoring.metrics import check_metric
from ..storage.hashes import digest
from ..storage.remote_store import open_store
from ..storage.store import Store


class Cell(Protocol):
    """One unit of work."""

    @property
    def place(self) -> str:
        """The readable part of its folder's name."""

    def inputs(self, workspace: "Workspace") -> tuple["Cell", ...]:
        """The cells whose results it reads."""

    def ingredients(self, workspace: "Workspace") -> dict[str, Any]:
        """What changes its answer, beside its inputs' keys and the harness's version."""

    def compute(self, workspace: "Workspace", out: Path) -> None:
        """Do the work and write the result into an empty folder."""


@dataclass(frozen=True)
class Step:
    """How far a computation is: what has just ended, the cells done (of them failed), running and in all."""

    place: str
    done: int
    failed: int
    running: int
    total: int
    share: float  # of the work, by what trainings are expected to take: from 0 to 1


Tell = Callable[[Step], None]


@dataclass(eq=False)
class Workspace:
    """The surroundings of a run: where cells are keyed, found and computed. It remembers what it has read.

    Parameters
    ----------
    files : Files
        The door to data and models.
    store : Store
        Where results are kept.
    parts : Parts
        The installed parts, which cross to other processes by their names.
    jobs : int, optional
        Worker processes on this machine; 0 computes in this process; None chooses by cores and free memory.
    scheduler : str, optional
        Address of a dask scheduler whose workers compute instead.
    tell : callable, optional
        Called with a `Step` at the start of a computation and after each of its cells.
    fingerprints : Fingerprints
        What makes parts the same.
    """

    files: Files
    store: Store
    parts: Parts = field(default_factory=Parts)
    jobs: int | None = None
    scheduler: str | None = None
    tell: Tell | None = None
    fingerprints: Fingerprints = field(default_factory=Fingerprints, repr=False)
    _seen: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was made under a key, made the first time that it is asked for."""
        if key not in self._seen:
            self._seen[key] = make()
        return self._seen[key]

    def dataset(self, task: Task, split: Split) -> Dataset:
        """Return a split of a task, read once."""
        return self.once((task, split), lambda: task.load(split, self.files))

    def recording(self, signal: Signal) -> Recording:
        """Return a signal's recording, read once."""
        return self.once(signal, lambda: signal.read(self.files))

    def at_hand(self, signal: Signal) -> bool:
        """Whether a signal needs no download. It is read for that; data that are there but broken are at hand too."""
        try:
            self.once(signal, lambda: signal.read(replace(self.files, offline=True)))
        except CogbenchError as error:
            return not isinstance(error, MissingData)
        return True

    def check(self, tasks: Iterable[Task]) -> None:
        """Refuse tasks whose data cannot be read or do not suit their metrics, all of them at once."""
        faults: list[CogbenchError] = []
        for task in tasks:
            try:
                for split in ("train", "evaluation"):
                    dataset = self.dataset(task, split)  # type: ignore[arg-type]
                for metric in (task.metric, *getattr(task, "further", ())):
                    check_metric(metric, dataset)
            except CogbenchError as error:
                faults.append(error)
        if faults:
            raise together(faults)

    def identity(self, part: Any) -> dict[str, Any]:
        """Return all that changes a part's answers; its code is read once."""
        return self.once(("identity", part), lambda: self.fingerprints.identity(part))

    def ingredients(self, cell: Cell) -> dict[str, Any]:
        """Return all that changes a cell's answer, as plain values."""
        return {  # not remembered: the ingredients of thousands of cells would fill the memory
            "cell": type(cell).__name__,
            "cogbench": self.once("version", harness_version),
            "inputs": sorted(self.key(c) for c in cell.inputs(self)),
            # The keys are hashed as JSON writes them, so they are compared as JSON reads them.
            **json.loads(json.dumps(cell.ingredients(self))),
        }

    def key(self, cell: Cell) -> str:
        """Return the cell's key: 64 hexadecimal digits."""
        return self.once(("key", cell), lambda: digest(self.ingredients(cell)))

    def has(self, cell: Cell) -> bool:
        """Whether the cell's result is in the store."""
        return self.store.has(cell.place, self.key(cell))

    def folder(self, cell: Cell) -> Path:
        """Return the folder of the cell's result; what is missing or damaged is computed here and now."""
        key = self.key(cell)
        existing = self.store.read(cell.place, key)
        return existing or self.store.write(
            cell.place, key, self.ingredients(cell), lambda out: cell.compute(self, out)
        )


def workspace_of(
    *,
    files: Files | None = None,
    store: Store | None = None,
    parts: Parts | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    tell: Tell | None = None,
) -> Workspace:
    """Return the surroundings of a run, what is not given as usual: the installed parts, the user's store.

    Raises
    ------
    UnusableData
        If both processes of this machine and a scheduler's are asked for.
    """
    if scheduler and jobs is not None:
        raise WrongOption("jobs are processes of this machine, and a scheduler has its own: give one of the two.")
    return Workspace(files or Files(), store or open_store(), parts or registry.load_parts(), jobs, scheduler, tell)


def trained_as(part: Any, workspace: Workspace) -> dict[str, Any]:
    """Return the identity of a part and its members, without fields that change `represent` only (metadata `only`)."""
    return workspace.once(("trained as", part), lambda: _trained_as(part, workspace))


def _trained_as(part: Any, workspace: Workspace) -> dict[str, Any]:
    only = frozenset(f.name for f in fields(part) if f.metadata.get("only") == "represent")
    members = {f.name: m for f in fields(part) if f.name not in only and is_dataclass(m := getattr(part, f.name))}
    own = workspace.fingerprints.identity(part, without=only)
    return own | {name: trained_as(member, workspace) for name, member in members.items()}
