"""The plan of a run, before it is run."""

from collections.abc import Sequence

from . import engine
from .cells import Cell, Training, Workspace
from .parts import Backbone


def outlook(cells: Sequence[Cell], workspace: Workspace, jobs: int | None = None) -> str:
    """Return the plan of a run in words: cells done and to do, the time and the disk that they will take."""
    missing, there = engine.plan(cells, workspace)
    trainings_left = [c for c in missing if isinstance(c, Training)]
    lines = [f"{len(there)} cells are in the store {workspace.store.address}, {len(missing)} are to be computed:"]
    kinds = {type(c).__name__: sum(type(d) is type(c) for d in missing) for c in missing}
    lines += [f"  {count} × {kind.lower()}" for kind, count in kinds.items()]
    if trainings_left:
        spread = max(1, engine.workers_for(trainings_left, workspace) if jobs is None else jobs)
        lines.append(_cost(trainings_left, workspace, spread))
    return "\n".join(lines)


def _cost(cells: Sequence[Training], workspace: Workspace, spread: int) -> str:
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
    disk = sum(size for (_, size), c in costs if not c.recipe.start) / 2**20
    return (
        f"  time: about {minutes:.1f} minutes of training on {spread} worker(s), from a measured second of each task\n"
        f"  disk: about {disk:,.0f} MiB of weights, those of transfers not counted: they are dropped once scored"
    )
