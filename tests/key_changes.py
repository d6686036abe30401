"""What tests of keys have in common: a place to key cells, an estimator that asks, and which keys a change moved."""

from dataclasses import dataclass

from cogbench import Files, Parts, Store
from cogbench.compute.workspace import Workspace

FILES = Files(offline=True)


def workspace(folder):
    return Workspace(FILES, Store(folder / "store"), Parts())


@dataclass(frozen=True)
class Asking:
    """An estimator that asks for what it is told to."""

    name: str = "asking"
    needs: frozenset[str] = frozenset({"representations"})


def moved(before, after):
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}
