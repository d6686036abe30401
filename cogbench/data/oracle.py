"""An oracle: true transfers between tasks, from one or several seeds; and what of them noise tells apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from ..errors import UnusableData
from ..frames import Tabular
from ..text import listed
from .dataset import Array

Direction = Literal["higher", "lower"]  # which figures of a target are better
LARGEST = 1e100  # of scores: their squares and sums are still numbers


@dataclass(frozen=True, eq=False, repr=False)
class TaskMatrix(Tabular):
    """Scores between tasks: rows are sources, columns targets, larger is better; a task with itself is NaN.

    `values` is (n_sources, n_targets); NaN off the diagonal means "no estimate".
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    values: Array

    def __post_init__(self) -> None:
        values = np.array(self.values, np.float64)  # a copy: a record shares no array with its maker
        if values.shape != (len(self.sources), len(self.targets)):
            raise UnusableData(
                f"a matrix of shape {values.shape} does not fit "
                f"{len(self.sources)} sources × {len(self.targets)} targets."
            )
        for names in (self.sources, self.targets):
            if len(set(names)) != len(names):
                raise UnusableData(f"a task stands twice in a matrix: {', '.join(names)}.")
        if not all(isinstance(name, str) for name in (*self.sources, *self.targets)):
            raise UnusableData("the names of tasks are texts.")
        if np.isinf(values).any():
            raise UnusableData("a matrix of task scores holds an infinite value.")
        if (np.abs(values) > LARGEST).any():
            raise UnusableData(f"a matrix of task scores holds a value beyond {LARGEST:g}.")
        values[self.same] = np.nan
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @classmethod
    def square(cls, tasks: Iterable[str], values: Array) -> "TaskMatrix":
        """Return the matrix whose sources and targets are the same tasks; its diagonal becomes NaN."""
        tasks = tuple(tasks)
        return cls(tasks, tasks, values)

    @property
    def summary(self) -> str:
        """How many sources and targets there are."""
        return f"{len(self.sources)} sources × {len(self.targets)} targets"

    @property
    def table_rows(self) -> list[dict[str, Any]]:
        """A row for each source, with a column for each target."""
        return [
            {"source": source, **dict(zip(self.targets, values.tolist(), strict=True))}
            for source, values in zip(self.sources, self.values, strict=True)
        ]

    @property
    def same(self) -> Array:
        """Where source and target are one task: (n_sources, n_targets) of bool."""
        same, columns = (
            np.zeros((len(self.sources), len(self.targets)), bool),
            {t: j for j, t in enumerate(self.targets)},
        )
        for i, source in enumerate(self.sources):
            if source in columns:
                same[i, columns[source]] = True
        return same

    def part(self, sources: Sequence[str], targets: Sequence[str]) -> "TaskMatrix":
        """Return the matrix of these sources and targets, in this order; UnusableData names what is missing."""
        if (tuple(sources), tuple(targets)) == (self.sources, self.targets):
            return self
        missing = sorted({*sources} - {*self.sources} | {*targets} - {*self.targets})
        if missing:
            raise UnusableData(f"no scores for {listed(missing)}; there are {listed(self.sources)}.")
        rows, columns = [self.sources.index(s) for s in sources], [self.targets.index(t) for t in targets]
        return TaskMatrix(tuple(sources), tuple(targets), self.values[np.ix_(rows, columns)])


@dataclass(frozen=True)
class OracleCard:
    """What a reader should know of an oracle before its table is read.

    Parameters
    ----------
    description : str
        What was transferred, in a line.
    origin, licence : str
        Who measured it: a citation or a command; and the licence of the figures.
    backbone, suite : str
        What was trained, and the suite of the tasks.
    sources, targets : tuple of str
        The names of the tasks; they say the table's size.
    metrics : tuple of (target, metric) pairs
        The metric of each target, as far as it is known.
    better : tuple of (target, {"higher", "lower"}) pairs
        Which figures of a target are better; "higher" for a target that is not named.
    basis, tuning, sharing, note, max_train_target, row_choice
        As in `Oracle`.
    """

    description: str
    origin: str
    licence: str
    backbone: str
    suite: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    metrics: tuple[tuple[str, str], ...] = ()
    better: tuple[tuple[str, Direction], ...] = ()
    basis: Literal["published", "measured", "planted"] = "published"
    tuning: str = "full"
    sharing: str = "sequential"
    note: str = ""
    max_train_target: int | None = None
    row_choice: str = "all"

    def knows(self, sources: Iterable[str], targets: Iterable[str] | None = None) -> bool:
        """Whether these are among its sources and targets; without `targets` the sources are asked for as both."""
        sources = {*sources}
        return sources <= {*self.sources} and (sources if targets is None else {*targets}) <= {*self.targets}


@dataclass(frozen=True, eq=False, repr=False)
class Oracle(Tabular):
    """True transfers: each target's score after training on each source first.

    Parameters
    ----------
    name, backbone, suite : str
        What it is called, and the backbone and suite it was measured on.
    transfers : TaskMatrix
        The target's metric after each source, in the unit of that metric.
    no_transfer : array of shape (n_targets,), optional
        The target's metric without a source.
    standard_error : array of shape (n_sources, n_targets), optional
        Of each transfer.
    evaluation_error : array of shape (n_sources, n_targets), optional
        The share of it that the choice of evaluation examples has, mean over seeds.
    by_seed : array of shape (n_seeds, n_sources, n_targets), optional
        The transfers of each training seed, whose mean `transfers` holds; a measured one has a task without a source
        where source and target are one task.
    seeds : tuple of int
        Those seeds.
    per_example : mapping of (source, target) to array of shape (n_seeds, n_examples), optional
        Each evaluation example's own score, larger is better; NaN for a seed of which they were not kept.
    metrics, units : mapping of str to str
        The metric of each target, and the unit of its figures, as far as they are known.
    better : mapping of str to {"higher", "lower"}
        Which figures of a target are better; "higher" for a target that is not named.
    groups : mapping of str to tuple of str
        The tasks of each source that is a set of tasks.
    basis : {"published", "measured", "planted"}
    tuning, sharing : str
        Which weights moved, and how the tasks were combined: as in `Recipe`.
    origin, licence, note : str
        Citation or command, licence, and what a reader must know.
    provenance : mapping of str to plain values
        Of a measured oracle: versions, model, data, settings, number of examples.
    max_train_target : int, optional
        The largest number of training examples of a target, where it is another than that of a source.
    row_choice : str
        Which training examples of a source were used: "all", or the selector that chose them and the share it kept.
    gain_error : array of shape (n_sources, n_targets), optional
        The evaluation's error of the gain on no transfer, mean over seeds: by a bootstrap over the examples, the same
        ones for both.
    no_transfer_by_seed : array of shape (n_seeds, n_targets), optional
        Each target without a source, where the sources are not the targets: checkpoints that were given.
    """

    name: str
    backbone: str
    suite: str
    transfers: TaskMatrix
    no_transfer: Array | None = None
    standard_error: Array | None = None
    evaluation_error: Array | None = None
    by_seed: Array | None = None
    seeds: tuple[int, ...] = ()
    per_example: Mapping[tuple[str, str], Array] | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    better: Mapping[str, Direction] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    basis: Literal["published", "measured", "planted"] = "published"
    tuning: str = "full"
    sharing: str = "sequential"
    origin: str = ""
    licence: str = ""
    note: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    max_train_target: int | None = None
    row_choice: str = "all"
    gain_error: Array | None = None
    no_transfer_by_seed: Array | None = None

    def __post_init__(self) -> None:
        n_sources, n_targets = self.transfers.values.shape
        n_seeds = len(self.seeds) or len(self.by_seed if self.by_seed is not None else ())  # a table may not name them
        for array, shape in {
            "no_transfer": (n_targets,),
            "standard_error": (n_sources, n_targets),
            "evaluation_error": (n_sources, n_targets),
            "gain_error": (n_sources, n_targets),
            "by_seed": (n_seeds, n_sources, n_targets),
            "no_transfer_by_seed": (n_seeds, n_targets),
        }.items():
            values = getattr(self, array)
            if values is not None and np.shape(values) != shape:
                raise UnusableData(f"oracle {self.name!r}: {array} has the shape {np.shape(values)}, expected {shape}.")
            if values is not None and (np.abs(values) > LARGEST).any():
                raise UnusableData(f"oracle {self.name!r}: {array} holds a value beyond {LARGEST:g}.")
        if len({*self.seeds}) < len(self.seeds):
            raise UnusableData(f"oracle {self.name!r}: a seed stands twice.")
        for what, named, tasks in (
            ("better", self.better, self.transfers.targets),
            ("units", self.units, self.transfers.targets),
            ("groups", self.groups, self.transfers.sources),
        ):
            if unknown := [name for name in named if name not in tasks]:
                raise UnusableData(f"oracle {self.name!r}: {what} names {', '.join(unknown)}, which it does not have.")
        if wrong := [f"{t} {which!r}" for t, which in self.better.items() if which not in get_args(Direction)]:
            raise UnusableData(f"oracle {self.name!r}: better is higher or lower, not {', '.join(wrong)}.")

    @property
    def summary(self) -> str:
        """What was transferred between."""
        return f"{self.name}, {self.transfers.summary}, {self.backbone}, suite {self.suite}, {self.basis}"

    @property
    def table_rows(self) -> list[dict[str, Any]]:
        """A row for each source, with a column for each target, and a last row of the targets without a source."""
        rows = self.transfers.table_rows
        if self.no_transfer is None:
            return rows
        alone = dict(zip(self.transfers.targets, self.no_transfer.tolist(), strict=True))
        return [*rows, {"source": "no-transfer", **alone}]

    @property
    def signs(self) -> Array:
        """1 for each target whose larger figures are better, -1 for the others: (n_targets,)."""
        return np.array([-1.0 if self.better.get(t) == "lower" else 1.0 for t in self.transfers.targets])

    @property
    def oriented(self) -> TaskMatrix:
        """The transfers, negative where lower figures are better: larger is better everywhere."""
        return replace(self.transfers, values=self.transfers.values * self.signs)

    @property
    def card(self) -> OracleCard:
        """What a reader should know of the oracle."""
        return OracleCard(
            description=describe_transfers(self.suite, self.backbone, self.max_train_target),
            origin=self.origin,
            licence=self.licence,
            backbone=self.backbone,
            suite=self.suite,
            sources=self.transfers.sources,
            targets=self.transfers.targets,
            metrics=tuple(self.metrics.items()),
            better=tuple(self.better.items()),
            basis=self.basis,
            tuning=self.tuning,
            sharing=self.sharing,
            note=self.note,
            max_train_target=self.max_train_target,
            row_choice=self.row_choice,
        )

    def read(self, files: Any) -> "Oracle":
        """Return the oracle itself: so a plugin may give a table that it holds in memory."""
        return self

    def part(self, sources: Sequence[str], targets: Sequence[str] | None = None) -> "Oracle":
        """Return the oracle of these tasks, in this order; without `targets` they are sources and targets alike."""
        targets = sources if targets is None else targets
        transfers = self.transfers.part(sources, targets)
        rows = [self.transfers.sources.index(t) for t in sources]
        columns = [self.transfers.targets.index(t) for t in targets]
        return replace(
            self,
            transfers=transfers,
            no_transfer=None if self.no_transfer is None else self.no_transfer[columns],
            standard_error=None if self.standard_error is None else self.standard_error[np.ix_(rows, columns)],
            evaluation_error=None if self.evaluation_error is None else self.evaluation_error[np.ix_(rows, columns)],
            gain_error=None if self.gain_error is None else self.gain_error[np.ix_(rows, columns)],
            by_seed=None if self.by_seed is None else self.by_seed[:, rows][:, :, columns],
            no_transfer_by_seed=None if self.no_transfer_by_seed is None else self.no_transfer_by_seed[:, columns],
            units={t: unit for t, unit in self.units.items() if t in targets},
            better={t: which for t, which in self.better.items() if t in targets},
            groups={s: members for s, members in self.groups.items() if s in sources},
        )


def describe_transfers(suite: str, backbone: str, max_train_target: int | None = None) -> str:
    """Return what was transferred, in a line; with the number of target examples where it is one of its own."""
    few = f", to at most {max_train_target} examples of a target" if max_train_target else ""
    return f"transfers between the tasks of {suite} on {backbone}{few}"


@dataclass(frozen=True)
class Suite:
    """A named set of tasks with its usual signal and, for each backbone, its usual oracle."""

    name: str
    tasks: tuple[str, ...]
    signal: str
    oracles: tuple[tuple[str, str], ...] = ()  # (backbone, oracle) pairs
    description: str = ""
