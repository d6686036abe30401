"""The background of a result: everything in it that hangs on data, trainings and signal, and not on the estimator."""

from dataclasses import dataclass
from typing import Any

from .result import DataUsed, SignalReport, TaskReport


@dataclass(frozen=True, kw_only=True)
class Background:
    """What several results on the same trainings share; an evidence pack carries it.

    `tasks` tells how well each task was learned, `data` which data it has, `model` the backbone's origin and options,
    `settings` how each task was trained; `notes` are what the trainings left for the reader; `synthetic` names what a
    generator made: "tasks", "signal", both or nothing.
    """

    tasks: dict[str, TaskReport]
    data: dict[str, DataUsed]
    model: dict[str, Any]
    settings: dict[str, Any]
    signal_quality: SignalReport | None
    notes: list[str]
    synthetic: list[str]
