"""The demonstration: rankings of real tasks and of a planted control, from installed evidence packs alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..compute.workspace import Progress
from ..errors import MissingData
from ..packs.pack import Pack, find_pack
from ..parts.registry import Parts, load_parts
from ..results.result import Result
from ..storage.store import Store
from ..workers.progress import with_progress
from .run import run

REAL = ("cra", "dse", "knn", "logme", "least-learned", "size")  # of these, as many as are installed
CONTROL = ("cnm-ridge", "cra", "random")


@dataclass(frozen=True)
class Demo:
    """What the demonstration found: results on real tasks, results on the planted control, and their packs."""

    real: tuple[Result, ...]
    control: tuple[Result, ...]
    packs: tuple[Pack, ...]


@with_progress
def demo(*, parts: Parts | None = None, store: Store | None = None, progress: Progress = False) -> Demo:
    """Rank real tasks and a planted control from installed evidence packs; no data, model or network is needed.

    The control is scored by what is planted in it, where an oracle of that is installed, else by its transfers.

    Raises
    ------
    MissingData
        If no evidence pack is installed.
    """
    parts = parts or load_parts()
    packs = [find_pack(parts, name) for name in parts.packs]
    if not packs:
        raise MissingData(
            "no evidence pack is installed; install some in a checkout of cogbench: "
            "`pip install -e . -e plugins/cogbench-evidence`."
        )
    # A pack of checkpoints may score nothing, and has no stimuli to rank by.
    packs = [pack for pack in packs if (card := pack.content().card).oracle and card.n_stimuli]
    synthetic = [pack for pack in packs if "tasks" in pack.content().card.background.synthetic]
    real = sorted((p for p in packs if p not in synthetic), key=lambda pack: not pack.content().card.views)
    surroundings: dict[str, Any] = {"parts": parts, "store": store, "jobs": 0, "progress": progress}
    on_real, on_control = list[Result](), list[Result]()
    if real:
        on_real = run(_installed(parts, REAL), pack=real[0], **surroundings)
    if synthetic:
        names, planted = _installed(parts, CONTROL), _planted_oracle(parts, synthetic[0])
        on_control = run(names, pack=synthetic[0], oracle=planted, **surroundings)
    return Demo(real=tuple(on_real), control=tuple(on_control), packs=(*real[:1], *synthetic[:1]))


def save_demo(results: Demo, folder: Path) -> list[Path]:
    """Write the results of the demonstration into a folder."""
    return [result.save(folder) for result in (*results.real, *results.control)]


def _planted_oracle(parts: Parts, pack: Pack) -> str | None:
    """Return the name of an installed oracle of what is planted in a pack's tasks, if there is one."""
    names = [task.name for task in pack.content().card.tasks]
    planted = (name for name, oracle in parts.oracles.items() if oracle.card.basis == "planted")
    return next((name for name in planted if parts.oracles[name].card.knows(names)), None)


def _installed(parts: Parts, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in parts.estimators]
