"""Which results may be compared: those of the same suite, tasks, oracle, data and signals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .result import Result


@dataclass
class ComparableResults:
    """Results that may be compared, what is known of their data, and the hash of each of their signals."""

    results: list[Result]
    data: dict[str, str]
    signals: dict[str, str]

    def fits(self, result: Result, data: dict[str, str], signals: dict[str, str]) -> bool:
        """Whether a result of these may be compared with them; one that looked at no data fits all data."""
        return (
            result.oracle_ranks == self.results[0].oracle_ranks
            and data in ({}, self.data)
            and all(self.signals.get(name, digest) == digest for name, digest in signals.items())
        )


def comparable_results(results: Sequence[Result]) -> list[ComparableResults]:
    """Return the sets of results that may be compared.

    Each joins the first set that it fits, so those go first that fit the least: with data, then with the signal that
    most results have.
    """
    common = Counter(signal for result in results for signal in _signal_hashes(result).items())

    def turn(result: Result) -> tuple[bool, int, str]:
        n_common = sum(common[item] for item in _signal_hashes(result).items())
        return not result.provenance.data, -n_common, result.file_name

    groups_of: dict[tuple[Any, ...], list[ComparableResults]] = {}
    for result in sorted(results, key=turn):
        groups = groups_of.setdefault(_common_traits(result), [])
        data, signals = _data_hashes(result), _signal_hashes(result)
        group = next((group for group in groups if group.fits(result, data, signals)), None)
        if group is None:
            group = ComparableResults([], data, {})
            groups.append(group)
        group.results.append(result)
        group.signals |= signals
    return [group for groups in groups_of.values() for group in groups]


def _common_traits(result: Result) -> tuple[Any, ...]:
    """Return what results must share to be compared, beside the oracle's ranks, data and signals."""
    axes = (result.suite, result.tuning, result.sharing, result.row_choice, result.is_outdated)
    oracle = result.oracle.name if result.oracle else None
    return *axes, tuple(sorted(result.sources)), tuple(sorted(result.targets)), oracle


def _data_hashes(result: Result) -> dict[str, str]:
    """Return what of each task's data a result saw: their revision and hash, and how few examples of a target."""
    data, most = result.provenance.data, result.provenance.max_train_target
    few = f", at most {most} as a target" if most else ""
    hashes = {t: f"{d.revision[:8]}, {d.sha256[:8]}" if d.revision else d.sha256[:8] for t, d in data.items()}
    return {task: f"{digest}{few}" for task, digest in sorted(hashes.items())}


def _signal_hashes(result: Result) -> dict[str, str]:
    """Return the hash of a result's signal, if it has one and its hash is known."""
    quality = result.signal_quality
    return {result.signal: quality.sha256[:8]} if result.signal and quality else {}
