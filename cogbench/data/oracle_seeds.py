"""An oracle of several training seeds: its figures, further seeds merged into it, and what noise tells apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import UnusableData
from .dataset import Array
from .oracle import Oracle, TaskMatrix

DRAWS = 200  # resampled oracles
# What is alike in the provenance of oracles whose seeds may be merged.
ALIKE = (
    "backbone",
    "model",
    "max_train",
    "max_train_target",
    "settings",
    "settings_target",
    "data",
    "checkpoints",
    "row_choice",
)


def of_seeds(
    oracle: Oracle,
    seeds: Sequence[int],
    values: Array,
    errors: Array,
    gain_errors: Array | None = None,
    no_transfer: Array | None = None,
) -> Oracle:
    """Return an oracle whose figures are those of these seeds, in their order.

    Parameters
    ----------
    oracle : Oracle
        Its figures are replaced, and its per-example scores ordered.
    seeds : sequence of int
    values, errors : arrays of shape (n_seeds, n_sources, n_targets)
        The transfers of each seed, a task with itself being that task without a source; and the standard error of the
        evaluation of each.
    gain_errors : array of the same shape, optional
        The standard error of the evaluation of each gain on no transfer.
    no_transfer : array of shape (n_seeds, n_targets), optional
        Each target without a source; by default the diagonal of `values`, where sources and targets are the same.
    """
    order = np.argsort(seeds)
    values, errors = np.asarray(values, np.float64)[order], np.asarray(errors, np.float64)[order]
    mean = values.mean(axis=0)
    error = errors[0] if len(seeds) == 1 else values.std(axis=0, ddof=1) / np.sqrt(len(seeds))
    numbers = tuple(int(seeds[i]) for i in order)
    alone = np.diagonal(values, axis1=1, axis2=2) if no_transfer is None else np.asarray(no_transfer, float)[order]
    square = oracle.transfers.sources == oracle.transfers.targets
    return replace(
        oracle,
        transfers=TaskMatrix(oracle.transfers.sources, oracle.transfers.targets, mean),
        no_transfer=alone.mean(axis=0),
        no_transfer_by_seed=None if square else alone,
        standard_error=error,
        evaluation_error=errors.mean(axis=0),
        gain_error=None if gain_errors is None else np.asarray(gain_errors, np.float64).mean(axis=0),
        by_seed=values,
        seeds=numbers,
        per_example=oracle.per_example and {pair: scores[order] for pair, scores in oracle.per_example.items()},
        origin=f"measured by cogbench with seeds {', '.join(map(str, numbers))}{_budget_words(oracle)}",
    )


def _budget_words(oracle: Oracle) -> str:
    """Return how many training examples an oracle was measured with, to follow its seeds."""
    of_source, of_target = oracle.provenance.get("max_train"), oracle.max_train_target
    if of_target is None:
        return f" and at most {of_source} training examples" if of_source else ""
    return f", at most {of_source or 'all'} training examples of a source and {of_target} of a target"


def check_alike(one: Oracle, sources: Sequence[str], metrics: Mapping[str, str], provenance: Mapping[str, Any]) -> None:
    """Raise UnusableData if an oracle has other tasks or metrics, or was measured with something else.

    The versions of cogbench and of plugins are recorded, not compared: the code, or its `answers`, stands beside them.
    """
    apart = differing(one.provenance, provenance)
    if one.transfers.sources != tuple(sources):
        apart.append("set of tasks")
    elif one.metrics != metrics:
        apart.append("metric")
    if apart:
        raise UnusableData(
            f"oracle {one.name!r} was measured with another {' and another '.join(apart)}: "
            "give this one another name, with --name."
        )


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return what of the provenance of two measurements differs, so that their seeds may not be merged."""
    return [name for name in ALIKE if not _is_alike(one.get(name), other.get(name))]


def _is_alike(one: Any, other: Any) -> bool:
    """Whether two figures of provenance agree; the hash of a folder counts only where both oracles state it."""
    one, other = _without_versions(one), _without_versions(other)
    if isinstance(one, dict) and isinstance(other, dict) and ("contents" in one) != ("contents" in other):
        one, other = ({name: v for name, v in card.items() if name != "contents"} for card in (one, other))
    return bool(one == other)


def _without_versions(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_versions(v) for v in value]
    if not isinstance(value, Mapping):
        return value
    return {k: _without_versions(v) for k, v in value.items() if not (k == "version" and "distribution" in value)}


def merged(one: Oracle, other: Oracle) -> Oracle:
    """Return the oracle of the seeds of both; those of `other` count where both have one.

    Raises
    ------
    UnusableData
        If they are not of the same tasks, metrics, model, data and settings: the message names what differs.
    """
    check_alike(one, other.transfers.sources, other.metrics, other.provenance)
    figures: dict[int, tuple[Array, Array, Array, Array]] = {}
    for oracle in (one, other):
        if oracle.by_seed is None or oracle.evaluation_error is None:
            raise UnusableData(f"oracle {oracle.name!r} does not tell its seeds apart: it cannot be merged.")
        unknown = np.full_like(oracle.evaluation_error, np.nan)
        gain_error = unknown if oracle.gain_error is None else oracle.gain_error
        alone = oracle.no_transfer_by_seed
        alone = np.diagonal(oracle.by_seed, axis1=1, axis2=2) if alone is None else alone
        for seed, values, without in zip(oracle.seeds, oracle.by_seed, alone, strict=True):
            figures[seed] = values, oracle.evaluation_error, gain_error, without
    values, errors, gain_errors, no_transfer = (np.array([arrays[i] for arrays in figures.values()]) for i in range(4))
    versions = {name: _all_versions(name, one, other) for name in ("cogbench", "torch")}
    both = replace(
        other,
        per_example=_of_both(one, other, [*figures]),
        provenance={**other.provenance, **versions},
    )
    errors_of_gains = gain_errors if np.isfinite(gain_errors).all() else None
    return of_seeds(both, [*figures], values, errors, errors_of_gains, no_transfer)


def _all_versions(name: str, one: Oracle, other: Oracle) -> str:
    """Return the versions of a package that either was measured with, by commas."""
    return ", ".join(dict.fromkeys(v for o in (one, other) for v in str(o.provenance.get(name, "?")).split(", ")))


def _of_both(one: Oracle, other: Oracle, seeds: Sequence[int]) -> Mapping[tuple[str, str], Array] | None:
    """Return the per-example scores of these seeds, of `other` where both have one; NaN for a seed without any."""
    having = [oracle for oracle in (one, other) if oracle.per_example is not None]
    if not having:
        return None
    scores_of_pairs = {}
    for pair, scores in having[0].per_example.items():  # type: ignore[union-attr]
        scores_of_pairs[pair] = np.full((len(seeds), scores.shape[1]), np.nan, np.float32)
        for oracle in having:
            scores_of_pairs[pair][[seeds.index(s) for s in oracle.seeds]] = oracle.per_example[pair]  # type: ignore[index]
    return scores_of_pairs


def resample(oracle: Oracle, *, draws: int = DRAWS, seed: int = 0) -> Iterator[Oracle]:
    """Yield oracles as other seeds or other evaluation examples might have given them.

    Each is noisier than the oracle itself, for it has the oracle's own noise and as much again: their spread tells how
    sure a score is, and their mean tells nothing. Of k seeds each transfer is the mean of k draws with replacement, and
    its deviation is stepped up by sqrt(k / (k - 1)), since draws from k seeds vary less than new seeds do. Where only
    the standard error is known, errors are drawn from a normal distribution; those of the sources of one target are
    correlated as far as their scores of the same examples are. Nothing is yielded for an oracle that knows neither.
    """
    rng, values = np.random.default_rng(seed), oracle.transfers.values
    shared = _shared_error(oracle)
    n_seeds = 2 if oracle.by_seed is None else np.maximum(np.isfinite(oracle.by_seed).sum(axis=0), 2)
    step = np.sqrt(n_seeds / (n_seeds - 1))  # of each cell, for a seed may have failed
    for _ in range(draws):
        if oracle.by_seed is not None and len(oracle.by_seed) > 1:
            rows = rng.integers(len(oracle.by_seed), size=oracle.by_seed.shape)
            deviations = _mean_over(np.take_along_axis(oracle.by_seed, rows, axis=0)) - _mean_over(oracle.by_seed)
            # Rounded, or the order in which equal numbers are added up would part ties.
            drawn = (values + step * np.nan_to_num(deviations)).round(9)
        elif oracle.standard_error is not None:
            of_target, of_cell = rng.normal(size=values.shape[1]), rng.normal(size=values.shape)
            errors = np.sqrt(shared) * of_target + np.sqrt(1 - shared) * of_cell
            drawn = values + np.nan_to_num(oracle.standard_error) * errors
        else:
            return
        yield replace(oracle, transfers=replace(oracle.transfers, values=drawn))


def _mean_over(by_seed: Array) -> Array:
    """Return the mean over the seeds that have a score: (n_sources, n_targets), NaN where none has."""
    finite = np.isfinite(by_seed)
    count = finite.sum(axis=0)
    total = np.where(finite, by_seed, 0).sum(axis=0)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _shared_error(oracle: Oracle) -> Array:
    """Return how much of the error of its sources each target's examples make alike: (n_targets,), from 0 to 1.

    It is the mean correlation of two sources' scores of the same examples; 0 where these were not kept.
    """
    shared = np.zeros(len(oracle.transfers.targets))
    for j, target in enumerate(oracle.transfers.targets if oracle.per_example else ()):
        scores = [s for (source, to), s in (oracle.per_example or {}).items() if to == target and source != target]
        first_seeds = [row for per_seed in scores for row in per_seed[:1]]
        rows = np.array([row for row in first_seeds if np.isfinite(row).all() and np.ptp(row) > 0])
        if len(rows) > 1:
            correlations = np.corrcoef(rows)[np.triu_indices(len(rows), 1)]
            shared[j] = np.clip(correlations.mean(), 0, 1)
    return shared


def told_apart(oracle: Oracle) -> Array:
    """Return which two sources of a target the evaluation tells apart.

    Returns
    -------
    array of shape (n_sources, n_sources, n_targets)
        Whether their scores differ by more than two standard errors of the difference, taken as of two samples: as the
        examples are the same, that errs on the side of caution. False where the oracle knows no error.
    """
    values = oracle.transfers.values
    error = oracle.evaluation_error if oracle.evaluation_error is not None else oracle.standard_error
    if error is None:
        return np.zeros((len(values), *values.shape), bool)
    gap = np.abs(values[:, None] - values[None])
    return gap > 2 * np.sqrt(np.square(error)[:, None] + np.square(error)[None])
