"""Which source task should a model learn before a target task? The names here are all that a plugin may import."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compute.evidence import NEEDS, Evidence
    from .data.dataset import Array, Card, Dataset, Origin
    from .data.files import Files
    from .data.kinds import TASK_KINDS
    from .data.oracle import Oracle, Suite, TaskMatrix
    from .data.oracle_files import read_oracle
    from .data.recording import Recording, Responses
    from .data.tables import read_table
    from .errors import BrokenPlugin, CogbenchError, FailedCells, MissingData, UnknownName, UnusableData
    from .parts.hookspecs import hookimpl
    from .parts.interfaces import Backbone, Checkpoint, Estimator, Recipe, Settings, Signal, Task
    from .parts.registry import Parts, load_parts
    from .parts.table_task import TableTask
    from .results.comparison import compare
    from .results.guess import rescore, score
    from .results.result import Result
    from .runs.recommend import recommend
    from .runs.run import run
    from .scoring.baselines import popularity_baseline, size_baseline
    from .scoring.metrics import METRICS
    from .scoring.noise_ceiling import Ceiling, noise_ceiling, spearman_brown
    from .scoring.ranking import rank
    from .scoring.task_tree import task_tree
    from .storage.store import Store
    from .testing.contracts import check_backbone, check_estimator, check_signal, check_task

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
