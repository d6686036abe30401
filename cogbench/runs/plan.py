"""What can be said of a run before it is run: which tasks a backbone can be trained on, and the time it will take."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np

from ..compute.adaptation import Adaptation
from ..compute.cells import Training
from ..compute.features import feature_options, with_pooling
from ..compute.selection import RowWeights
from ..compute.workspace import Cell, Workspace
from ..data.files import Files
from ..data.recording import Recording
from ..errors import MissingData, UnusableData
from ..parts.interfaces import Backbone, Estimator, Signal
from ..parts.recipe import Task
from ..text import listed
from ..workers import cluster, engine, spread


def unsuitable_kinds(backbone: Backbone, kinds: Sequence[str], files: Files) -> dict[str, list[str]]:
    """Return for each reason the kinds of task that a backbone cannot be trained on for it.

    A backbone says so by the verb `unsuitable(kind, files)`; one without it can be trained on all kinds. Nothing is
    said of a model that is not at hand.

    Raises
    ------
    UnusableData
        If the model's folder cannot be opened.
    """
    unsuitable: Callable[[str, Files], str | None] = getattr(backbone, "unsuitable", lambda kind, files: None)
    kinds_by_reason = dict[str, list[str]]()
    with suppress(MissingData):  # a training will say so, with the data that it misses
        for kind in dict.fromkeys(kinds):
            if reason := unsuitable(kind, files):
                kinds_by_reason.setdefault(reason, []).append(kind)
    return kinds_by_reason


def suitable_tasks(
    backbone: Backbone,
    tasks: Sequence[Task],
    files: Files,
    *,
    skip: bool,
    remedy: str = "--skip-unsuitable goes on with the other tasks.",
) -> tuple[tuple[Task, ...], tuple[str, ...]]:
    """Return the tasks that a backbone can be trained on, and a note for each reason why others are left out.

    Raises
    ------
    UnusableData
        If there are others and they are not to be skipped: one line for each reason, and the remedy if some tasks are
        left.
    """
    reasons = unsuitable_kinds(backbone, [task.kind for task in tasks], files)
    names = {reason: ", ".join(t.name for t in tasks if t.kind in kinds) for reason, kinds in reasons.items()}
    if reasons and not skip:
        lines = [f"backbone {backbone.name!r} cannot learn {names[why]}: {why}." for why in reasons]
        some = len({kind for kinds in reasons.values() for kind in kinds}) < len({task.kind for task in tasks})
        raise UnusableData("\n".join([*lines, *([remedy] if some else [])]))
    left_out = {kind for kinds in reasons.values() for kind in kinds}
    notes = tuple(f"left out: {names[reason]}; {reason}" for reason in reasons)
    return tuple(task for task in tasks if task.kind not in left_out), notes


def refuse_pooling(estimator: Estimator, backbones: Sequence[Backbone], files: Files) -> None:
    """Raise UnusableData if the pooling among an estimator's options says nothing of the texts of a backbone."""
    for options in feature_options(estimator):
        for backbone in backbones:
            with suppress(MissingData):  # nothing is said of a model that is not at hand
                with_pooling(options, backbone, files)


SHOWN = 12  # channels of a signal whose ranges are told


def describe_signals(signals: Sequence[Signal | None], workspace: Workspace) -> Iterator[str]:
    """Yield in words what was read of each signal: sentences, subjects, channels with their ranges, and all notes."""
    for signal in dict.fromkeys(signal for signal in signals if signal is not None):
        yield f"{_described(signal.name, workspace.recording(signal))}\n"


def _described(name: str, recording: Recording) -> str:
    subjects = recording.subjects
    channels = dict.fromkeys(channel for responses in subjects.values() for channel in responses.channels)
    lines = [
        f"signal {name}: {len(recording.sentences):,} sentences, {len(subjects):,} subject(s) "
        f"({listed(subjects, 10) or 'none'}), {len(channels):,} channel(s); unit: {recording.unit}"
    ]
    for channel in [*channels][:SHOWN]:
        low, high = _range(recording, channel)
        lines.append(f"  {channel}: {low:.6g} to {high:.6g}")
    if len(channels) > SHOWN:
        lines.append(f"  and {len(channels) - SHOWN:,} more channels, to {[*channels][-1]}")
    return "\n".join([*lines, *(f"  note: {note}" for note in recording.notes)])


def _range(recording: Recording, channel: str) -> tuple[float, float]:
    """Return the least and the largest response of a channel over all subjects."""
    values = [
        responses.values[responses.present, responses.channels.index(channel)]
        for responses in recording.subjects.values()
        if channel in responses.channels
    ]
    return min(float(v.min(initial=np.inf)) for v in values), max(float(v.max(initial=-np.inf)) for v in values)


def describe_plan(cells: Sequence[Cell], workspace: Workspace) -> str:
    """Return the plan of a run in words: cells done and to do, the time and the disk that they will take."""
    missing, done = engine.plan(cells, workspace)
    trainings_left = [c for c in missing if isinstance(c, Training)]
    adaptations_left = [c for c in missing if isinstance(c, Adaptation)]
    lines = [f"{len(done)} cells are in the store {workspace.store.address}, {len(missing)} are to be computed:"]
    lines += [f"  {n} × {kind}" for kind, n in Counter(_kind(c) for c in missing).items()]
    if trainings_left or adaptations_left:
        jobs, scheduler = workspace.jobs, workspace.scheduler
        if scheduler:
            n = cluster.count(scheduler)
            whose = f" (the scheduler has {n} now), if as fast as this machine"
        else:
            n, whose = spread.workers_for(trainings_left, workspace) if jobs is None else jobs, ""
        n_workers = min(max(1, n), max(len(trainings_left), len(adaptations_left)))
        lines.append(_cost(trainings_left, adaptations_left, workspace, n_workers, whose))
    if any(isinstance(c, RowWeights) for c in missing):
        lines.append("  not in this time: what the selector computes, which may be many short trainings")
    return "\n".join(lines)


def _kind(cell: Cell) -> str:
    """Return the kind of a cell in words: `RowWeights` as `row weights`."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(cell).__name__).lower()


def _cost(
    cells: Sequence[Training], adaptations: Sequence[Adaptation], workspace: Workspace, n_workers: int, whose: str
) -> str:
    """Return the expected time and disk of some trainings, measured by a few steps for each backbone and kind.

    The training of the largest batches is measured. The others of the backbone and kind, on other texts or in other
    numbers of steps, take as much longer or shorter as they have work. Adaptations come before all of them.
    """
    costs_of_steps: dict[tuple[Backbone, str], tuple[float, int, float]] = {}
    memory: list[Mapping[str, int]] = []
    for cell in sorted(cells, key=lambda cell: -cell.tokens(workspace)):
        measure = getattr(cell.backbone, "cost", None)
        if measure is None:
            return f"  time and disk: unknown, for backbone {cell.backbone.name!r} cannot tell its cost"
        key = (cell.backbone, cell.recipe.task.kind)  # not its name: a teacher's options may be set
        if key not in costs_of_steps:
            recipe = cell.filled(workspace)
            costs_of_steps[key] = *measure(recipe, workspace.files), cell.work(workspace)
            if estimate := getattr(cell.backbone, "memory", None):
                memory.append(estimate(recipe, workspace.files))
    before = list[tuple[float, int]]()
    for adaptation in adaptations:
        tell = getattr(adaptation.backbone, "cost_of_adaptation", None)
        if tell is None:
            return f"  time and disk: unknown, for backbone {adaptation.backbone.name!r} cannot tell its adaptation's"
        before.append(tell(workspace.files))
    costs = [(costs_of_steps[c.backbone, c.recipe.task.kind], c) for c in cells]
    each = [seconds * c.work(workspace) / work for (seconds, _, work), c in costs]
    phases = ([seconds for seconds, _ in before], each)
    minutes = sum(max([sum(phase) / n_workers, *phase]) for phase in phases) / 60  # the longest runs alone at the end
    disk, free = sum(size for (_, size, _), c in costs if c.keeps_model), workspace.store.free()
    disk += sum(size for _, size in before)
    dropped = not all(c.keeps_model for c in cells)
    return (
        f"  time: about {minutes:.1f} minutes of training on {n_workers} worker(s){whose}, from measured steps of "
        f"each kind of task\n  disk: about {disk / 2**20:,.0f} MiB of weights"
        + ", those of transfers not counted: they are dropped once scored" * dropped
        + f"; MORE THAN THE {free / 2**20:,.0f} MiB that are free" * (disk > free)
        + (_memory(memory, n_workers, remote=bool(workspace.scheduler)) if memory else "")
    )


def _memory(trainings: Sequence[Mapping[str, int]], n_workers: int, *, remote: bool) -> str:
    """Return in words how much memory the largest training takes, and how much this machine has for each worker."""
    parts = max(trainings, key=lambda parts: sum(parts.values()))
    largest = sum(parts.values())
    each = ", ".join(f"{name} {size / 2**20:,.0f}" for name, size in parts.items() if size)
    needed = f"\n  memory: about {largest / 2**20:,.0f} MiB for the largest training of a worker ({each})"
    if remote:
        return needed
    free = cluster.free_memory(n_workers) - cluster.PROGRAM_BYTES
    if largest <= free:
        return f"{needed}, of {max(0, free) / 2**20:,.0f} MiB that are free for each"
    return (
        f"{needed}; MORE THAN THE {max(0, free) / 2**20:,.0f} MiB that are free for each: fewer workers (--jobs), "
        "shorter texts (max_length), accumulation, gradient_checkpointing or tuning=lora take less"
    )
