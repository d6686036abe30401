"""What one way of training gains over another: oracles that differ in tuning, sharing or chosen rows alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle
from ..scoring.chance import PValue
from ..scoring.paired import sign_flips
from .gains import budgets, gains


@dataclass(frozen=True, kw_only=True)
class WayDifference:
    """How much better a target does by the second oracle's way than by the first's, over the same sources.

    Parameters
    ----------
    first, second : str
        The oracles.
    ways : (str, str)
        How each of them trains, in words of `TUNINGS` and `SHARINGS`, and the selector that chose rows.
    target : str
        "all" for the mean over the targets.
    n_sources : int
        How many sources both know; for all targets the number of pairs.
    difference : float
        The mean over the sources, paired source by source; above 0 where the second is better.
    error : float
        Its standard error. Of a target it is that of the evaluation, taken as large as it can be; of all targets it is
        from the spread of the targets' differences.
    better, worse : int
        The sources with which the second way is better, or worse, by two standard errors of their own difference.
    p : PValue, optional
        Of all targets: how often the mean is as far from 0 if each target's difference has a sign at random.
    """

    first: str
    second: str
    ways: tuple[str, str]
    target: str
    n_sources: int
    difference: float
    error: float
    better: int
    worse: int
    p: PValue | None = None


def way_differences(oracles: Sequence[Oracle]) -> Iterator[WayDifference]:
    """Yield the differences of each two oracles whose ways of training differ, target by target, then over all.

    Parameters
    ----------
    oracles : sequence of Oracle
        Of the same sources and targets.
    """
    for first, second in combinations(oracles, 2):
        is_alike = material(first) == material(second) and budgets(first) == budgets(second)
        if is_alike and way(first) != way(second):
            yield from _differences(first, second)


def material(oracle: Oracle) -> tuple[object, ...]:
    """Return what oracles have in common that differ in their ways or numbers of examples: model, data and metrics."""
    tasks = {*oracle.transfers.sources, *oracle.transfers.targets}
    hashes = sorted(oracle.provenance.get("data", {}).items())
    data = {task: of_task for task, of_task in hashes if task in tasks}
    return oracle.basis, oracle.backbone, oracle.provenance.get("model"), data, sorted(oracle.metrics.items())


def way(oracle: Oracle) -> str:
    """Return how an oracle's tasks were trained, in words."""
    tuning = "" if oracle.tuning == "full" else f"{oracle.tuning}, "
    chosen = "" if oracle.row_choice == "all" else f", rows {oracle.row_choice}"
    return f"{tuning}{oracle.sharing}{chosen}"


def _differences(first: Oracle, second: Oracle) -> Iterator[WayDifference]:
    (one, one_error), (other, other_error) = gains(first), gains(second)
    alone = [np.nan_to_num(o.no_transfer if o.no_transfer is not None else 0.0) * o.signs for o in (first, second)]
    # Of the metrics themselves, not of the gains: a way may train the target alone otherwise.
    differences = (other + alone[1]) - (one + alone[0])  # (n_sources, n_targets)
    errors = np.hypot(one_error, other_error)
    beyond = np.abs(differences) > 2 * errors
    names: dict[str, Array] = {t: differences[:, j] for j, t in enumerate(first.transfers.targets)}
    means = list[float]()
    pair: dict[str, Any] = {"first": first.name, "second": second.name, "ways": (way(first), way(second))}
    for j, (target, column) in enumerate(names.items()):
        has_both = np.isfinite(column)
        if not has_both.any():
            continue
        means.append(float(column[has_both].mean()))
        yield WayDifference(
            **pair,
            target=target,
            n_sources=int(has_both.sum()),
            difference=means[-1],
            error=float(errors[has_both, j].mean()),
            better=int((beyond[:, j] & (column > 0)).sum()),
            worse=int((beyond[:, j] & (column < 0)).sum()),
        )
    if len(means) > 1:
        yield WayDifference(
            **pair,
            target="all",
            n_sources=int(np.isfinite(differences).sum()),
            difference=float(np.mean(means)),
            error=float(np.std(means, ddof=1) / np.sqrt(len(means))),
            better=int((beyond & (differences > 0)).sum()),
            worse=int((beyond & (differences < 0)).sum()),
            p=sign_flips(np.array(means)),
        )
