"""The figures of the published tables: one archive of compressed columns, and the names of tasks in an index.

`benchmarks/atlas_figures.py` of cogbench writes both. A figure is stored as a whole number of its last printed decimal,
so that it is read as it was published.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cogbench import Array, MissingData

FOLDER = Path(__file__).parent / "figures"
INDEX, ARCHIVE = FOLDER / "index.json", FOLDER / "figures.npz"
EMPTY = np.iinfo(np.int32).min  # stands for no figure


@lru_cache(maxsize=1)
def read_index() -> Mapping[str, Mapping[str, Any]]:
    """Return of each table the names of its tasks, and the decimals of its figures."""
    index: dict[str, dict[str, Any]] = json.loads(INDEX.read_text(encoding="utf-8"))
    return index


def entry_of(table: str) -> Mapping[str, Any]:
    """Return the entry of a table in the index.

    Raises
    ------
    MissingData
        If the figures of the table were left out when the archive was made.
    """
    if table not in read_index():
        raise MissingData(
            f"the figures of {table!r} were left out of this build of the atlas, because their source states no "
            "licence: benchmarks/atlas_figures.py without --licensed puts them in."
        )
    return read_index()[table]


def read_arrays_of(table: str) -> dict[str, Array]:
    """Return the arrays of a table by their names, NaN where there is no figure."""
    decimals = entry_of(table)["decimals"]
    with np.load(ARCHIVE) as archive:
        return {name: unpacked(archive[f"{table}/{name}"], places) for name, places in decimals.items()}


def packed(values: Array) -> tuple[Array, int]:
    """Return figures as whole numbers of their last decimal, and its place; or as they are, and -1."""
    values = np.asarray(values, np.float64)
    finite = np.isfinite(values)
    for places in range(8):
        whole = np.round(values[finite] * 10**places)
        if (np.abs(whole) < 2**31 - 1).all() and np.array_equal(whole / 10**places, values[finite]):
            columns = np.full(values.shape, EMPTY, np.int32)
            columns[finite] = whole
            return columns, places
    return values, -1


def unpacked(columns: Array, places: int) -> Array:
    """Return what `packed` was given."""
    if places < 0:
        return columns.astype(np.float64)
    values: Array = np.where(columns == EMPTY, np.nan, columns / 10**places)
    return values
