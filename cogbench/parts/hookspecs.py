"""The hooks: what a plugin can add. Each is called once, when a command first needs parts, and returns instances.

Read no data in a hook and import nothing heavy: `cogbench list` calls them all.
"""

from collections.abc import Iterable

import pluggy

from ..data.oracle import Suite
from .interfaces import Backbone, Estimator, OraclePart, PackPart, SetsPart, Signal
from .recipe import Selector, Task

hookspec = pluggy.HookspecMarker("cogbench")
hookimpl = pluggy.HookimplMarker("cogbench")


@hookspec
def register_tasks() -> Iterable[Task]:  # type: ignore[empty-body]
    """Return the tasks this plugin adds: labelled data sets of a known kind."""


@hookspec
def register_backbones() -> Iterable[Backbone]:  # type: ignore[empty-body]
    """Return the backbones this plugin adds: pre-trained models that train and encode."""


@hookspec
def register_signals() -> Iterable[Signal]:  # type: ignore[empty-body]
    """Return the cognitive signals this plugin adds: sentences with recorded responses."""


@hookspec
def register_estimators() -> Iterable[Estimator]:  # type: ignore[empty-body]
    """Return the similarity estimators this plugin adds."""


@hookspec
def register_oracles() -> Iterable[OraclePart]:  # type: ignore[empty-body]
    """Return the oracles this plugin adds: tables of true transfers, each with a card, read when they are asked for."""


@hookspec
def register_suites() -> Iterable[Suite]:  # type: ignore[empty-body]
    """Return the suites this plugin adds: a name, its tasks, its usual signal and oracles."""


@hookspec
def register_packs() -> Iterable[PackPart]:  # type: ignore[empty-body]
    """Return the evidence packs this plugin adds: what estimators read of a measured oracle, each in a file."""


@hookspec
def register_selectors() -> Iterable[Selector]:  # type: ignore[empty-body]
    """Return the selectors this plugin adds: what says which training examples of a source serve a target."""


@hookspec
def register_sets() -> Iterable[SetsPart]:  # type: ignore[empty-body]
    """Return the tables of task sets this plugin adds: what targets score with sets of sources, read when asked for."""
