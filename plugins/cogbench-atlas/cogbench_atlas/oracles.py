"""The hook: each published table is an oracle, each table of sets of sources is one of task sets."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cogbench import Array, Files, Oracle, OracleCard, SetScore, TaskMatrix, TaskSets, hookimpl

from .families import FAMILIES
from .figures import entry_of, read_arrays_of
from .records import Family, Table

SWITCH = "COGBENCH_ATLAS_LICENSED"  # 1 leaves out the tables whose source states no licence


@dataclass(frozen=True)
class AtlasOracle:
    """A published table of transfers.

    Parameters
    ----------
    name : str
        What it is called.
    """

    name: str

    @property
    def card(self) -> OracleCard:
        """What is published of the table beside its figures."""
        return card_of(self.name)

    def read(self, files: Files) -> Oracle:
        """Read the table; `files` is not asked for anything, for the figures come with this package."""
        card, arrays = self.card, read_arrays_of(self.name)
        by_seed = arrays.get("by_seed")
        if by_seed is not None:
            n_runs = np.isfinite(by_seed).sum(axis=0)
            total = np.nansum(by_seed, axis=0)
            # Rounded, equal means are equal numbers, and tie.
            transfers = np.divide(total, n_runs, out=np.full(total.shape, np.nan), where=n_runs > 0).round(7)
            error: Array | None = _standard_error(by_seed)
        else:
            transfers, error = arrays["transfers"], arrays.get("standard_error")
        evaluation_error = arrays.get("evaluation_error")
        groups = entry_of(self.name).get("groups", {})
        return Oracle(
            name=self.name,
            backbone=card.backbone,
            suite=card.suite,
            transfers=TaskMatrix(card.sources, card.targets, transfers),
            no_transfer=arrays.get("no_transfer"),
            standard_error=error,
            evaluation_error=None if evaluation_error is None else np.tile(evaluation_error, (len(card.sources), 1)),
            by_seed=by_seed,
            metrics=dict(card.metrics),
            better=dict(card.better),
            groups={source: tuple(members) for source, members in groups.items()},
            tuning=card.tuning,
            sharing=card.sharing,
            origin=card.origin,
            licence=card.licence,
            note=f"{card.description}; {card.note}",
        )


@dataclass(frozen=True)
class AtlasSets:
    """A published table of what targets score with sets of sources.

    Parameters
    ----------
    name : str
        What it is called.
    """

    name: str

    @property
    def card(self) -> OracleCard:
        """What is published of the table beside its figures."""
        return card_of(self.name)

    def read(self, files: Files) -> TaskSets:
        """Read the table; `files` is not asked for anything, for the figures come with this package."""
        card, entry, arrays = self.card, entry_of(self.name), read_arrays_of(self.name)
        scores, errors = arrays["scores"], arrays.get("standard_error")
        sets = [
            SetScore(
                card.targets[target],
                tuple(card.sources[member] for member in members),
                score=float(scores[row]),
                standard_error=None if errors is None else float(errors[row]),
            )
            for row, (target, *members) in enumerate(entry["sets"])
        ]
        return TaskSets(
            name=self.name,
            sets=tuple(sets),
            better=dict(card.better),
            metrics=dict(card.metrics),
            backbone=card.backbone,
            suite=card.suite,
            sharing=card.sharing,
            origin=card.origin,
            licence=card.licence,
            note=f"{card.description}; {card.note}",
        )


def find(name: str) -> tuple[Family, Table]:
    """Return the family and the table of a name."""
    return next(
        (family, table) for family in FAMILIES for table in (*family.tables, *family.sets) if table.name == name
    )


def card_of(name: str) -> OracleCard:
    """Return what is published of a table beside its figures."""
    (family, table), entry = find(name), entry_of(name)
    metric, sources, targets = table.metric or family.metric, tuple(entry["sources"]), tuple(entry["targets"])
    lower = tuple((target, family.better) for target in targets) if family.better == "lower" else ()
    n_sources, n_figures = len(entry.get("sources_left_out", ())), entry.get("left_out", 0)
    of_sources = f", all those of {n_sources} of {n_sources + len(sources)} sources" if n_sources else ""
    left_out = f"{n_figures:,} published figures are left out{of_sources}" if n_figures else ""
    notes = (family.unit, family.seeds, *family.caveats, table.note, left_out)
    return OracleCard(
        description=": ".join(filter(None, (family.description, table.what))),
        origin=f"{family.citation}; {family.place}",
        licence=family.licence,
        backbone=table.backbone,
        suite=family.name,
        sources=sources,
        targets=targets,
        metrics=tuple((target, family.other_metrics.get(target, metric)) for target in targets),
        better=lower,
        tuning=family.tuning,
        sharing=table.sharing or family.sharing,
        note="; ".join(filter(None, notes)),
    )


def shipped() -> tuple[Family, ...]:
    """Return the families that are registered: all, or those with a licence if the switch says so."""
    only_licensed = os.environ.get(SWITCH, "") not in ("", "0")
    return tuple(family for family in FAMILIES if family.licensed or not only_licensed)


@hookimpl
def register_oracles() -> Iterable[AtlasOracle]:
    """Add the tables of pairs."""
    return [AtlasOracle(table.name) for family in shipped() for table in family.tables]


@hookimpl
def register_sets() -> Iterable[AtlasSets]:
    """Add the tables of sets of sources."""
    return [AtlasSets(table.name) for family in shipped() for table in family.sets]


def _standard_error(by_seed: Array) -> Array:
    """Return the standard error of the mean over those runs that have a score: (n_sources, n_targets)."""
    n_runs = np.isfinite(by_seed).sum(axis=0)
    n = np.maximum(n_runs, 1)
    deviations = by_seed - np.nansum(by_seed, axis=0) / n
    variance = np.nansum(np.square(deviations), axis=0) / np.maximum(n_runs - 1, 1)
    return np.where(n_runs > 1, np.sqrt(variance / n), np.nan).round(12)  # equal runs have no error
