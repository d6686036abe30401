"""The plan of a run, before it is run."""

from collections.abc import Sequence

from . import engine, workers
from .cells import Cell, Training, Workspace
from .parts import Backbone


def outlook(cells: Sequence[Cell], workspace: Workspace, jobs: int | None = None, scheduler: str | None = None) -> str:
    """Return the plan of a run in words: cells done and to do, the time and the disk that they will take."""
    missing, there = engine.plan(cells, workspace)
    trainings_left = [c for c in missing if isinstance(c, Training)]
    lines = [f"{len(there)} cells are in the store {workspace.store.address}, {len(missing)} are to be computed:"]
    kinds = {type(c).__name__: sum(type(d) is type(c) for d in missing) for c in missing}
    lines += [f"  {count} × {kind.lower()}" for kind, count in kinds.items()]
    if trainings_left:
        if scheduler:
            spread = workers.count(scheduler)
            whose = f" (the scheduler has {spread} now), if as fast as this machine"
        else:
            spread, whose = engine.workers_for(trainings_left, workspace) if jobs is None else jobs, ""
        lines.append(_cost(trainings_left, workspace, max(1, spread), whose))
    return "\n".join(lines)


def _cost(cells: Sequence[Training], workspace: Workspace, spread: int, whose: str) -> str:
    """Return the expected time and disk of some trainings, from a measured second of one for each task and backbone."""
    known: dict[tuple[Backbone, str], tuple[float, int]] = {}
    for cell in cells:
        measure = getattr(cell.backbone, "cost", None)
        if measure is None:
            return f"  time and disk: unknown, for backbone {cell.backbone.name!r} cannot tell its cost"
        key = (cell.backbone, cell.recipe.task.name)  # not its name: a teacher's options may be set
        if key not in known:
            known[key] = measure(cell.filled(workspace), workspace.files)
    costs = [(known[c.backbone, c.recipe.task.name], c) for c in cells]
    minutes = sum(seconds for (seconds, _), _ in costs) / spread / 60
    disk, free = sum(size for (_, size), c in costs if c.keep or not c.recipe.start), workspace.store.free()
    dropped = any(c.recipe.start and not c.keep for c in cells)
    return (
        f"  time: about {minutes:.1f} minutes of training on {spread} worker(s){whose}, from a measured second of each "
        f"task\n  disk: about {disk / 2**20:,.0f} MiB of weights"
        + ", those of transfers not counted: they are dropped once scored" * dropped
        + f"; MORE THAN THE {free / 2**20:,.0f} MiB that are free" * (disk > free)
    )
