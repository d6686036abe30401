"""Means of the figures that are defined: undefined ones are NaN in arrays, None in records."""

from collections.abc import Iterable

import numpy as np


def mean_of_defined(values: Iterable[float | None]) -> float:
    """Return the mean of the values that are neither None nor NaN; NaN where there is none."""
    array = np.array(values if isinstance(values, np.ndarray) else [*values], np.float64)  # None becomes NaN
    defined = array[~np.isnan(array)]
    return float(defined.mean()) if len(defined) else float("nan")


def none_if_nan(value: float) -> float | None:
    """Return a number for a record."""
    return None if np.isnan(value) else float(value)


def median_of_defined(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are there; None where none is."""
    present = [value for value in values if value is not None]
    return float(np.median(present)) if present else None
