"""Sets as answers: what a target scores with each measured set of other tasks, and the files that hold such scores."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ..data.oracle import LARGEST, Direction, TaskMatrix
from ..errors import MissingData, UnknownName, UnusableData
from ..storage.atomic import save_text
from ..storage.foreign import read_json
from ..storage.store import home
from ..text import first_line, listed

SCHEMA_VERSION = 1  # of the json of task sets
TEXTS = ("name", "backbone", "suite", "basis", "sharing", "origin", "licence", "note")


@dataclass(frozen=True)
class SetScore:
    """The score of a target with one set of other tasks.

    Parameters
    ----------
    target : str
    members : tuple of str
        The other tasks, kept in the order of their names; none of them where the target is trained alone.
    score : float
        The target's metric, in its own unit.
    standard_error : float, optional
        Of the score.
    by_seed : tuple of float
        The scores of the training seeds, in the order of the record's seeds, where they are kept.
    """

    target: str
    members: tuple[str, ...]
    score: float
    standard_error: float | None = None
    by_seed: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        names = (self.target, *self.members)
        if not all(isinstance(name, str) and name for name in names):
            raise UnusableData("the names of tasks are texts that are not empty.")
        object.__setattr__(self, "members", tuple(sorted(self.members)))
        if twice := [name for name in self.members if self.members.count(name) > 1]:
            raise UnusableData(f"the set {in_words(self.members)} of target {self.target!r} holds {twice[0]!r} twice.")
        if self.target in self.members:
            raise UnusableData(
                f"the set {in_words(self.members)} holds its own target {self.target!r}; expected other tasks."
            )
        numbers = (self.score, *self.by_seed)
        if not all(math.isfinite(number) and abs(number) <= LARGEST for number in numbers):
            raise UnusableData(f"target {self.target!r} has no finite score with the set {in_words(self.members)}.")
        if self.standard_error is not None and not 0 <= self.standard_error <= LARGEST:
            raise UnusableData(
                f"target {self.target!r} has the standard error {self.standard_error} with the set "
                f"{in_words(self.members)}; expected a number from 0."
            )


@dataclass(frozen=True, kw_only=True)
class TaskSets:
    """What each target scores with each measured set of other tasks. It is no oracle: sources are sets, not tasks.

    Parameters
    ----------
    name : str
        What it is called.
    sets : tuple of SetScore
        At least one; the empty set is the target alone. They are kept in the order of the targets' names, small ones
        first.
    better : mapping of str to {"higher", "lower"}
        Which scores of a target are better; "higher" for a target that is not named.
    metrics : mapping of str to str
        The metric of each target, as far as it is known.
    backbone, suite, sharing : str
        What was trained, and how the tasks were combined, as far as it is known.
    basis : {"published", "measured"}
    seeds : tuple of int
        The training seeds, where they are known apart.
    origin, licence, note : str
        Citation or command, licence, and what a reader must know.
    provenance : mapping of str to plain values
        Of measured sets: versions, model, data, settings, number of examples.

    Raises
    ------
    UnusableData
        If there is no set, a target has a set twice, or `better` names no target or no direction.
    """

    name: str
    sets: tuple[SetScore, ...]
    better: Mapping[str, Direction] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    backbone: str = "?"
    suite: str = "?"
    basis: Literal["published", "measured"] = "published"
    sharing: str = ""
    seeds: tuple[int, ...] = ()
    origin: str = ""
    licence: str = ""
    note: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sets:
            raise UnusableData(f"task sets {self.name!r}: there is no set; expected a target with sets of other tasks.")
        ordered = sorted(self.sets, key=lambda one: (one.target, len(one.members), one.members))
        object.__setattr__(self, "sets", tuple(ordered))
        pairs = set[tuple[str, tuple[str, ...]]]()
        for one in self.sets:
            if (one.target, one.members) in pairs:
                raise UnusableData(f"target {one.target!r} has the set {in_words(one.members)} twice; leave one.")
            pairs.add((one.target, one.members))
            if one.by_seed and len(one.by_seed) != len(self.seeds):
                raise UnusableData(f"task sets {self.name!r}: a set has {len(one.by_seed)} scores by seed.")
        if unknown := [target for target in self.better if target not in self.targets]:
            raise UnusableData(f"task sets {self.name!r}: better names {unknown[0]!r}, which is no target.")
        if wrong := [word for word in self.better.values() if word not in get_args(Direction)]:
            raise UnusableData(f"task sets {self.name!r}: better is higher or lower, not {wrong[0]!r}.")

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """The targets, in the order of their names."""
        return tuple(sorted({one.target for one in self.sets}))

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The tasks that stand in any set, in the order of their names."""
        return tuple(sorted({member for one in self.sets for member in one.members}))

    def sign(self, target: str) -> int:
        """Return 1 if larger scores of the target are better, -1 for smaller ones."""
        return -1 if self.better.get(target) == "lower" else 1

    def of(self, target: str) -> tuple[SetScore, ...]:
        """Return the sets of a target, small ones first, then in the order of their names."""
        return tuple(one for one in self.sets if one.target == target)

    def alone(self, target: str) -> SetScore | None:
        """Return the score of a target without any other task, if it was measured."""
        return next((one for one in self.sets if one.target == target and not one.members), None)

    def within(self, group: str) -> "TaskSets":
        """Return the sets of the targets whose names are `group:NAME`, by the second part of their names.

        Other tasks of the same group lose the first part of their names too; those of other groups keep it.

        Raises
        ------
        UnknownName
            If no target has such a name.
        """
        groups = {target.partition(":")[0] for target in self.targets if ":" in target}
        if group not in groups:
            raise UnknownName.of("group of targets", group, groups, label="The names of the targets begin with")

        def short(name: str) -> str:
            return name.removeprefix(f"{group}:")

        kept = [
            replace(one, target=short(one.target), members=tuple(map(short, one.members)))
            for one in self.sets
            if one.target.startswith(f"{group}:")
        ]
        inside = {one.target for one in kept}
        return replace(
            self,
            sets=tuple(kept),
            better={short(target): word for target, word in self.better.items() if short(target) in inside},
            metrics={short(target): metric for target, metric in self.metrics.items() if short(target) in inside},
        )

    def pairs(self) -> TaskMatrix:
        """Return the scores with one other task as a matrix, larger is better; NaN for those that were not measured.

        Raises
        ------
        UnusableData
            If no target has a set of one other task.
        """
        single = [one for one in self.sets if len(one.members) == 1]
        if not single:
            raise UnusableData(
                f"task sets {self.name!r} have no set of one other task: name a guess, not the pairs of the file."
            )
        sources = sorted({one.members[0] for one in single})
        values = np.full((len(sources), len(self.targets)), np.nan)
        for one in single:
            place = sources.index(one.members[0]), self.targets.index(one.target)
            values[place] = self.sign(one.target) * one.score
        return TaskMatrix(tuple(sources), self.targets, values)


def in_words(members: Iterable[str]) -> str:
    """Return a set as people write it: `a+b`, and `none` for the empty one."""
    return "+".join(members) or "none"


def sets_folder() -> Path:
    """Return where measured task sets are kept, beside the oracles."""
    return home() / "sets"


def measured_sets() -> dict[str, Path]:
    """Return the files of the task sets that were measured here, by their names."""
    return {path.stem: path for path in sorted(sets_folder().glob("*.json"))}


def sets_file(name: str) -> Path:
    """Return the file of measured task sets of a name.

    Raises
    ------
    UnknownName
        If none of that name were measured here.
    """
    measured = measured_sets()
    if name not in measured:
        raise UnknownName.of("file or name of task sets", name, measured, label="Measured here")
    return measured[name]


def plain_sets(sets: TaskSets) -> dict[str, Any]:
    """Return task sets as plain values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "record": "task sets",
        **{name: getattr(sets, name) for name in TEXTS},
        "better": dict(sets.better),
        "metrics": dict(sets.metrics),
        "seeds": list(sets.seeds),
        "provenance": dict(sets.provenance),
        "sets": [
            {
                "target": one.target,
                "members": list(one.members),
                "score": one.score,
                "standard_error": one.standard_error,
                **({"by_seed": list(one.by_seed)} if one.by_seed else {}),
            }
            for one in sets.sets
        ],
    }


def write_sets(sets: TaskSets, path: Path) -> None:
    """Write task sets as json, a line for each set."""
    plain = plain_sets(sets)
    lines = ",\n  ".join(map(json.dumps, plain.pop("sets")))
    head = "".join(f" {json.dumps(name)}: {json.dumps(value)},\n" for name, value in plain.items())
    save_text(path, f'{{\n{head} "sets": [\n  {lines}\n ]\n}}\n')


def sets_of_json(path: Path) -> TaskSets:
    """Read what `write_sets` wrote.

    Raises
    ------
    MissingData, UnusableData
        If there is no such file, or it holds something else, or is of a newer schema version.
    """
    try:
        values = read_json(path)
        if not isinstance(values, dict) or values.get("record") != "task sets":
            raise ValueError("it is no record of task sets")
        if values["schema_version"] > SCHEMA_VERSION:
            raise ValueError(f"it has schema version {values['schema_version']}: upgrade cogbench")
        return TaskSets(
            sets=tuple(map(_set_of_plain, _list_of(values, "sets", dict))),
            **{name: _checked(values, name, str) for name in TEXTS},
            better=_checked(values, "better", dict),
            metrics=_checked(values, "metrics", dict),
            seeds=tuple(_list_of(values, "seeds", int)),
            provenance=_checked(values, "provenance", dict),
        )
    except MissingData:
        raise
    except (ValueError, KeyError, TypeError, UnusableData) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else first_line(error).removesuffix(".")
        raise UnusableData(f"{str(path)!r} holds no task sets that cogbench wrote: {reason}.") from error


def _set_of_plain(value: Mapping[str, Any]) -> SetScore:
    error = value.get("standard_error")
    return SetScore(
        target=_checked(value, "target", str),
        members=tuple(_list_of(value, "members", str)),
        score=float(_checked(value, "score", int | float)),
        standard_error=None if error is None else float(_checked(value, "standard_error", int | float)),
        by_seed=tuple(map(float, _list_of(value, "by_seed", int | float))) if "by_seed" in value else (),
    )


def _checked(values: Mapping[str, Any], name: str, kind: Any) -> Any:
    if not isinstance(values[name], kind) or isinstance(values[name], bool):
        raise ValueError(f"its {name} is not what it should be")
    return values[name]


def _list_of(values: Mapping[str, Any], name: str, kind: Any) -> Sequence[Any]:
    items: Sequence[Any] = _checked(values, name, list)
    if wrong := [item for item in items if not isinstance(item, kind) or isinstance(item, bool)]:
        raise ValueError(f"its {name} holds {listed(wrong[:1])}")
    return items
