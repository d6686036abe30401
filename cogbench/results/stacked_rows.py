"""The rows of a stacked board: which result of an estimator stands for it on each oracle, and what baselines say."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..data.oracle import TaskMatrix
from ..scoring.baselines import popularity_baseline
from ..scoring.skill import Skill
from .leaderboard import prefers_nothing
from .oracle_families import StackedOracle
from .result import Result


@dataclass(eq=False)
class StackedRow:
    """An estimator: its result on each oracle, or what a baseline says there."""

    estimator: str
    second_hand: str
    backbone: str | None
    results: dict[str, Result] = field(default_factory=dict)
    baselines: dict[str, TaskMatrix] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The oracles on which it has a guess."""
        return frozenset(self.results) | frozenset(self.baselines)

    @property
    def uses_oracle(self) -> bool:
        """Whether it knows transfers."""
        return any(r.uses_oracle for r in self.results.values()) or self.estimator == "popularity"

    @cached_property
    def prefers_nothing(self) -> bool:
        """Whether all sources tie for it: it is a random choice."""
        return all(map(prefers_nothing, self.results.values())) and self.estimator != "popularity"

    def guess(self, oracle: StackedOracle) -> TaskMatrix:
        """Return its guess for an oracle's tasks."""
        name, true = oracle.name, oracle.oracle.transfers
        matrix = self.results[name].matrix if name in self.results else self.baselines[name]
        return matrix.part(true.sources, true.targets)

    def skill(self, name: str) -> Skill | None:
        """Return its skill on an oracle, as its result has it."""
        scores = self.results[name].scores if name in self.results else None
        return scores.skill if scores else None


def stacked_rows(oracles: Sequence[StackedOracle]) -> tuple[list[StackedRow], list[str]]:
    """Return the rows of some oracles, and a line on the results that another of the same row stands for."""
    rows: dict[tuple[str, ...], StackedRow] = {}
    surplus: dict[str, int] = {}

    def add(key: tuple[str, ...], name: str, result: Result) -> None:
        row = rows.setdefault(key, StackedRow(result.estimator, result.second_hand, key[2] or None))
        present = row.results.get(name)
        surplus[name] = surplus.get(name, 0) + (present is not None)
        row.results[name] = result if present is None else max(present, result, key=_precedence)

    every = [(oracle.name, result) for oracle in oracles for result in oracle.results]
    for name, result in every:
        if not _is_planted(result):
            add(_row_key(result, result.signal), name, result)
    for name, result in every:
        if _is_planted(result):  # its signal belongs to its tasks: it stands beside those that used another elsewhere
            own = _row_key(result, None)
            for key in [key for key in rows if key[:3] == own[:3]] or [own]:
                add(key, name, result)
    for estimator in ("random", "popularity"):
        row = rows.setdefault((estimator, "", "", ""), StackedRow(estimator, "", None))
        for oracle in oracles:
            matrix = oracle.oracle.transfers
            if oracle.name not in row.results and (estimator == "random" or len(matrix.targets) > 1):
                nothing = replace(matrix, values=np.zeros(matrix.values.shape))
                row.baselines[oracle.name] = nothing if estimator == "random" else popularity_baseline(oracle.oracle)
    lines = [
        f"left out: {n} result{'s' * (n > 1)} on {name} of estimators that have another there, from more examples or "
        "seeds, or a later one"
        for name, n in surplus.items()
        if n
    ]
    return [rows[key] for key in sorted(rows)], lines


def _is_planted(result: Result) -> bool:
    """Whether a generator made both the tasks and the signal of a result."""
    return {"tasks", "signal"} <= {*result.synthetic}


def _row_key(result: Result, signal: str | None) -> tuple[str, ...]:
    """Return what two results of one row have in common: estimator, who it is from, another backbone's name, signal."""
    own = result.oracle.backbone if result.oracle else ""
    other = result.backbone if own not in ("", "?", result.backbone) else ""
    return result.estimator, result.second_hand, other, signal or ""


def _precedence(result: Result) -> tuple[float, int, str, str]:
    provenance = result.provenance
    return provenance.max_train or np.inf, len(provenance.seeds), provenance.started, result.file_name
