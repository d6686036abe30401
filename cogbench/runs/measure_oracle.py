"""Measure an oracle: all transfers between some tasks on a backbone, kept in the store under a name."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from ..compute import engine
from ..compute.transfers import TransferPlan
from ..compute.workspace import Workspace
from ..data.oracle import Oracle, check_alike, merged
from ..data.oracle_files import FILES, read_oracle, write_oracle
from ..errors import FailedCells, UnusableData
from ..parts.interfaces import Backbone, Task
from ..parts.options import check_targets
from ..parts.registry import Parts, oracle_folder
from ..storage.atomic import writable
from ..text import slug
from .requests import MEASURED, check_suite, single


def resolve_transfers(
    parts: Parts,
    backbone: str | Backbone,
    *,
    suite: str = "cogtaskonomy",
    tasks: Sequence[str | Task] | None = None,
    sets: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    max_train: int | None = None,
    keep: bool = False,
    name: str | None = None,
) -> tuple[TransferPlan, str]:
    """Resolve names into the transfers to measure, and the name of their oracle: `name`, or what it is of.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown or given several values, there are fewer than three tasks, or an installed
        oracle has that name.
    """

    of = parts.find("suite", suite)
    if not tasks:
        check_suite(parts, of)
    place = {task: i for i, task in enumerate(of.tasks)}  # in the suite's order, whatever order they are named in
    found = [single(parts, "task", t, sets) for t in tasks or of.tasks]
    chosen = tuple(sorted(found, key=lambda t: place.get(t.name, len(place))))
    bone = single(parts, "backbone", backbone, sets)
    check_targets(sets, [*chosen, bone])
    if len({t.name for t in chosen}) < max(3, len(chosen)):
        raise UnusableData("an oracle needs at least three tasks, each named once.")
    part = f"-{len(chosen)}-tasks" if {t.name for t in chosen} != {*of.tasks} else ""
    size = f"-max-{max_train}" if max_train else ""
    usual = slug(f"{suite}-{parts.label('backbone', bone)}{part}{size}")
    if name and slug(name) in parts.oracles:  # which would be found in its place
        raise UnusableData(f"an installed oracle is called {name!r}: give this one another name, with --name.")
    if name and (name == MEASURED or Path(name).suffix in FILES):
        raise UnusableData(f"no oracle can be called {name!r}, which `--oracle` takes for something else.")
    called = slug(name) if name else f"measured-{usual}" if usual in parts.oracles else usual
    return TransferPlan(bone, chosen, suite, tuple(seeds), max_train, keep), called


def check_transfers(transfers: TransferPlan, name: str, workspace: Workspace) -> Path:
    """Refuse before the work what cannot be measured, or not be merged; return the file of the oracle of that name.

    Raises
    ------
    MissingData, UnusableData
        If data or a model cannot be used, or an oracle of that name was measured with something else.
    """
    workspace.check(transfers.tasks)
    made, path = transfers.provenance(workspace), oracle_folder() / f"{name}.json"
    if path.is_file():
        metrics = {t.name: t.metric for t in transfers.tasks}
        check_alike(read_oracle(path), [*metrics], metrics, made)
    return path


def measure_transfers(
    transfers: TransferPlan,
    name: str,
    workspace: Workspace,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    tell: engine.Tell | None = None,
) -> tuple[Oracle, Path]:
    """Compute what is missing, and keep the oracle under its name; seeds that it had before stay.

    Returns
    -------
    oracle : Oracle
    path : Path
        Its file in the store.

    Raises
    ------
    MissingData, UnusableData
        As `check` refuses it, or nothing can be written where oracles are kept.
    FailedCells
        If trainings failed; the others are kept.
    """
    path = check_transfers(transfers, name, workspace)
    writable(path.parent)
    outcome = engine.compute(transfers.cells(), workspace, jobs=jobs, scheduler=scheduler, tell=tell)
    if outcome.failed:
        first = next(iter(outcome.failed))
        told = f"{len(outcome.failed)} trainings failed, first {first.place}: {outcome.reason(first)}"
        raise FailedCells.of(told, outcome.failed.values())
    made = replace(transfers.oracle(workspace), name=name)
    with FileLock(path.with_suffix(".lock")):  # somebody else may add seeds just now
        if path.is_file():
            made = merged(read_oracle(path), made)
        write_oracle(made, path)
    return made, path
