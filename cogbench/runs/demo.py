"""The demonstration: rankings of real tasks and of a planted control, from installed evidence packs alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..compute.workspace import Tell
from ..errors import MissingData
from ..packs.pack import Pack, find_pack
from ..parts.registry import Parts, load_parts
from ..results.result import Result
from ..storage.store import Store
from .run import run

REAL = ("logme", "knn", "cra", "dse", "least-learned", "size")  # of these, as many as are installed
CONTROL = ("cnm-ridge", "cra", "random")


@dataclass(frozen=True)
class Demo:
    """What the demonstration found: results on real tasks, results on the planted control, and their packs."""

    real: tuple[Result, ...]
    control: tuple[Result, ...]
    packs: tuple[Pack, ...]


def demo(*, parts: Parts | None = None, store: Store | None = None, tell: Tell | None = None) -> Demo:
    """Rank real tasks and a planted control from installed evidence packs; no data, model or network is needed.

    Raises
    ------
    MissingData
        If no evidence pack is installed.
    """
    parts = parts or load_parts()
    packs = [find_pack(parts, name) for name in parts.packs]
    real = [pack for pack in packs if "tasks" not in pack.open().card.background.synthetic]
    planted = [pack for pack in packs if pack not in real]
    if not packs:
        raise MissingData(
            "no evidence pack is installed; install some in a checkout of cogbench: "
            "`pip install -e . -e plugins/cogbench-evidence`."
        )
    chosen = (*real[:1], *planted[:1])
    answers = {
        pack: tuple(run(_installed(parts, names), pack=pack, parts=parts, store=store, jobs=0, tell=tell))
        for pack, names in zip(chosen, [REAL] * len(real[:1]) + [CONTROL] * len(planted[:1]), strict=True)
    }
    return Demo(
        real=answers[real[0]] if real else (),
        control=answers[planted[0]] if planted else (),
        packs=chosen,
    )


def save_demo(found: Demo, folder: Path) -> list[Path]:
    """Write the results of the demonstration into a folder."""
    return [result.save(folder) for result in (*found.real, *found.control)]


def _installed(parts: Parts, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in parts.estimators]
