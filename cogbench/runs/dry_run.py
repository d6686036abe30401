"""The plan of a run, before it is run."""

from collections import Counter
from collections.abc import Sequence

from ..compute import cluster, engine, spread
from ..compute.cells import Training
from ..compute.workspace import Cell, Workspace
from ..parts.interfaces import Backbone


def describe_plan(cells: Sequence[Cell], workspace: Workspace) -> str:
    """Return the plan of a run in words: cells done and to do, the time and the disk that they will take."""
    missing, done = engine.plan(cells, workspace)
    trainings_left = [c for c in missing if isinstance(c, Training)]
    lines = [f"{len(done)} cells are in the store {workspace.store.address}, {len(missing)} are to be computed:"]
    lines += [f"  {n} × {kind.lower()}" for kind, n in Counter(type(c).__name__ for c in missing).items()]
    if trainings_left:
        jobs, scheduler = workspace.jobs, workspace.scheduler
        if scheduler:
            n = cluster.count(scheduler)
            whose = f" (the scheduler has {n} now), if as fast as this machine"
        else:
            n, whose = spread.workers_for(trainings_left, workspace) if jobs is None else jobs, ""
        lines.append(_cost(trainings_left, workspace, min(max(1, n), len(trainings_left)), whose))
    return "\n".join(lines)


def _cost(cells: Sequence[Training], workspace: Workspace, n_workers: int, whose: str) -> str:
    """Return the expected time and disk of some trainings, from a measured second of one for each task and backbone.

    The others of the task and backbone, on other numbers of examples or in other numbers of steps, take as much longer
    or shorter as they have work.
    """
    known: dict[tuple[Backbone, str], tuple[float, int, float]] = {}
    for cell in cells:
        measure = getattr(cell.backbone, "cost", None)
        if measure is None:
            return f"  time and disk: unknown, for backbone {cell.backbone.name!r} cannot tell its cost"
        key = (cell.backbone, cell.recipe.task.name)  # not its name: a teacher's options may be set
        if key not in known:
            known[key] = *measure(cell.filled(workspace), workspace.files), cell.work(workspace)
    costs = [(known[c.backbone, c.recipe.task.name], c) for c in cells]
    each = [seconds * c.work(workspace) / work for (seconds, _, work), c in costs]
    minutes = max(sum(each) / n_workers, *each) / 60  # the longest runs alone at the end
    disk, free = sum(size for (_, size, _), c in costs if c.keep or not c.recipe.start), workspace.store.free()
    dropped = any(c.recipe.start and not c.keep for c in cells)
    return (
        f"  time: about {minutes:.1f} minutes of training on {n_workers} worker(s){whose}, from a measured second of "
        f"each task\n  disk: about {disk / 2**20:,.0f} MiB of weights"
        + ", those of transfers not counted: they are dropped once scored" * dropped
        + f"; MORE THAN THE {free / 2**20:,.0f} MiB that are free" * (disk > free)
    )
