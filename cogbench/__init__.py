"""Which source task should a model learn before a target task? The names here are all that a plugin may import."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .baselines import popularity_baseline, size_baseline
    from .comparing import compare
    from .contracts import check_backbone, check_estimator, check_signal, check_task
    from .errors import BrokenPlugin, CogbenchError, FailedCells, MissingData, UnknownName, UnusableData
    from .evidence import NEEDS, Evidence
    from .files import Files
    from .guesses import rescore, score
    from .hookspecs import hookimpl
    from .kinds import TASK_KINDS
    from .loading import Parts, load_parts
    from .metrics import METRICS
    from .oracles import read_oracle
    from .parts import Backbone, Estimator, Signal, Task
    from .protocol import run
    from .ranking import rank
    from .recommendation import recommend
    from .recordings import Recording, Responses
    from .records import (
        Array,
        Card,
        Checkpoint,
        Dataset,
        Oracle,
        Origin,
        Recipe,
        Settings,
        Suite,
        TaskMatrix,
    )
    from .reliability import Ceiling, noise_ceiling, spearman_brown
    from .result import Result
    from .rows import read_table
    from .storage.store import Store
    from .table import TableTask
    from .taxonomy import task_tree

_HOME = {
    "baselines": "popularity_baseline size_baseline",
    "comparing": "compare",
    "contracts": "check_backbone check_estimator check_signal check_task",
    "errors": "BrokenPlugin CogbenchError FailedCells MissingData UnknownName UnusableData",
    "evidence": "NEEDS Evidence",
    "files": "Files",
    "guesses": "rescore score",
    "hookspecs": "hookimpl",
    "kinds": "TASK_KINDS",
    "loading": "Parts load_parts",
    "metrics": "METRICS",
    "oracles": "read_oracle",
    "parts": "Backbone Estimator Signal Task",
    "protocol": "run",
    "ranking": "rank",
    "recommendation": "recommend",
    "records": "Array Card Checkpoint Dataset Oracle Recipe Settings Origin Suite TaskMatrix",
    "recordings": "Recording Responses",
    "reliability": "Ceiling noise_ceiling spearman_brown",
    "result": "Result",
    "rows": "read_table",
    "store": "Store",
    "table": "TableTask",
    "taxonomy": "task_tree",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}
__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import cogbench` costs nothing."""
    if name in _MODULE:
        return getattr(import_module(f".{_MODULE[name]}", __name__), name)
    raise AttributeError(f"module 'cogbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
