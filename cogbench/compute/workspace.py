"""The surroundings of a run: where cells are keyed, found and computed."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any, Protocol

from ..data.dataset import Dataset, Split
from ..data.files import Files
from ..data.recording import Recording
from ..errors import CogbenchError, MissingData, WrongOption, blaming, expected, gpu_memory, together
from ..parts import registry
from ..parts.fingerprint import Fingerprints, harness_version
from ..parts.interfaces import Signal
from ..parts.recipe import Task
from ..parts.registry import Parts
from ..scoring.metrics import check_metric
from ..storage.hashes import digest
from ..storage.remote_store import open_store
from ..storage.store import Cost, Store


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
    """How far a computation is: what has just ended, the cells done (of them failed), running and in all.

    `phase` says what goes on before the first cell runs, such as the start of workers.
    """

    place: str
    done: int
    failed: int
    running: int
    total: int
    share: float  # of the work, by what trainings are expected to take: from 0 to 1
    phase: str = ""


Report = Callable[[Step], None]
Progress = bool | Report | None  # what functions take: True shows how far they are


def is_of_estimator(cell: Cell) -> bool:
    """Whether a cell is the work of an estimator, or what an estimator makes of trained models; no training."""
    return getattr(cell, "of_estimator", False)


@dataclass(eq=False)
class _Running:
    """A cell that is being computed: the seconds that other cells take meanwhile, and the cells that it reads.

    `forward` and `backward` count the examples that it sends through a model.
    """

    elsewhere: float = 0.0
    forward: int = 0
    backward: int = 0
    reads: dict[str, None] = field(default_factory=dict)


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
    progress : callable, optional
        Called with a `Step` at the start of a computation and after each of its cells.
    fingerprints : Fingerprints
        What makes parts the same.
    """

    files: Files
    store: Store
    parts: Parts = field(default_factory=Parts)
    jobs: int | None = None
    scheduler: str | None = None
    progress: Report | None = None
    fingerprints: Fingerprints = field(default_factory=Fingerprints, repr=False)
    _running: list["_Running"] = field(default_factory=list, init=False, repr=False)
    _seen: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was made under a key, made the first time that it is asked for."""
        if key not in self._seen:
            self._seen[key] = make()
        return self._seen[key]

    def dataset(self, task: Task, split: Split) -> Dataset:
        """Return a split of a task, read once."""
        return self.once((task, split), lambda: load_dataset(task, split, self.files))

    def recording(self, signal: Signal) -> Recording:
        """Return a signal's recording, read once."""
        return self.once(signal, lambda: read_recording(signal, self.files))

    def at_hand(self, signal: Signal) -> bool:
        """Whether a signal needs no download. It is read for that; data that are there but broken are at hand too."""
        try:
            self.once(signal, lambda: read_recording(signal, replace(self.files, offline=True)))
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

    def seconds(self, cell: Cell) -> float | None:
        """Return how many seconds of the processor a finished cell took; None where nobody knows."""
        return self.store.cost(self._name(cell)).seconds

    def cost_of_estimator(self, cells: Iterable[Cell]) -> Cost:
        """Return what finished cells took, with all cells of estimators that they read; trainings are not counted."""
        costs, waiting, names = dict[str, Cost](), [*cells], list[str]()
        while waiting:
            cell = waiting.pop()
            names.append(self._name(cell))
            waiting += [one for one in cell.inputs(self) if is_of_estimator(one) and self._name(one) not in names]
        while names:
            name = names.pop()
            if name not in costs:
                costs[name] = self.store.cost(name)
                names += costs[name].reads
        seconds, forward, backward = (
            None if None in figures else sum(figures)
            for figures in zip(*((c.seconds, c.forward, c.backward) for c in costs.values()), strict=True)
        )
        return Cost(None if seconds is None else round(seconds, 3), forward, backward)

    def passes(self, *, forward: int = 0, backward: int = 0) -> None:
        """Count examples that the cell that is being computed sends through a model."""
        if self._running:
            self._running[-1].forward += forward
            self._running[-1].backward += backward

    def _name(self, cell: Cell) -> str:
        return self.store.name(cell.place, self.key(cell))

    def folder(self, cell: Cell) -> Path:
        """Return the folder of the cell's result; what is missing or damaged is computed here and now."""
        key = self.key(cell)
        if self._running and is_of_estimator(cell):
            self._running[-1].reads[self._name(cell)] = None
        existing = self.store.read(cell.place, key)
        return existing or self.store.write(
            cell.place, key, self.ingredients(cell), lambda out: self._computed(cell, out)
        )

    def _computed(self, cell: Cell, out: Path) -> dict[str, Any]:
        """Compute a cell; return what it took, without the cells that it asked for, and the names of these."""
        running = _Running()
        self._running.append(running)
        began = process_time()
        try:
            with gpu_memory():
                cell.compute(self, out)
        finally:
            self._running.pop()
            elapsed = process_time() - began
            if self._running:
                self._running[-1].elsewhere += elapsed
        seconds = round(elapsed - running.elsewhere, 4)
        passes = {"forward": running.forward, "backward": running.backward} if is_of_estimator(cell) else {}
        return {"seconds": seconds, **passes, **({"reads": [*running.reads]} if running.reads else {})}


def workspace_of(
    *,
    files: Files | None = None,
    store: Store | None = None,
    parts: Parts | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress = None,
) -> Workspace:
    """Return the surroundings of a run, what is not given as usual: the installed parts, the user's store.

    Raises
    ------
    UnusableData
        If both processes of this machine and a scheduler's are asked for.
    """
    if scheduler and jobs is not None:
        raise WrongOption("jobs are processes of this machine, and a scheduler has its own: give one of the two.")
    report = progress if callable(progress) else None
    return Workspace(files or Files(), store or open_store(), parts or registry.load_parts(), jobs, scheduler, report)


def trained_as(part: Any, workspace: Workspace) -> dict[str, Any]:
    """Return the identity of a part and its members, without fields that change `represent` only (metadata `only`)."""
    return workspace.once(("trained as", part), lambda: _trained_as(part, workspace))


def _trained_as(part: Any, workspace: Workspace) -> dict[str, Any]:
    only = frozenset(f.name for f in fields(part) if f.metadata.get("only") == "represent")
    members = {f.name: m for f in fields(part) if f.name not in only and is_dataclass(m := getattr(part, f.name))}
    own = workspace.fingerprints.identity(part, without=only)
    return own | {name: trained_as(member, workspace) for name, member in members.items()}


def load_dataset(task: Task, split: Split, files: Files) -> Dataset:
    """Return a split of a task; raise UnusableData if its code fails, or returns anything else."""
    with blaming(verb := f"task {task.name!r}: load()"):
        return expected(task.load(split, files), Dataset, verb)


def read_recording(signal: Signal, files: Files) -> Recording:
    """Return a signal's recording; raise UnusableData if its code fails, or returns anything else."""
    with blaming(verb := f"signal {signal.name!r}: read()"):
        return expected(signal.read(files), Recording, verb)
