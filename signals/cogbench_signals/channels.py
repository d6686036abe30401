"""Which columns of a table are channels, and the values that its rows have in them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cogbench import Array, UnknownName, finite_mean, side_by_side

from .columns import Column, Table, bad, listed
from .roles import ROW_NUMBER
from .rows import blocks_of_rows, finite_sum


def pick_channels(wanted: Sequence[str], table: Table, path: Path) -> tuple[dict[str, tuple[str, int]], list[str]]:
    """Return column and position of each channel to use: what is wanted, or else all columns of measured floats."""
    columns = table.columns
    owner = {channel: name for name, column in columns.items() for channel in column.channels} if wanted else {}
    wanted = [_near(name, {*columns, *owner}) for name in wanted]
    for name in wanted:
        if name not in columns and name not in owner:
            raise UnknownName.of("column", name, {*columns, *(owner if len(owner) < 50 else ())}, label="Columns")
        if name in columns and (columns[name].unusable or name in table.roles):
            reason = columns[name].unusable or "sentences, subjects or words"
            raise bad(path, f"column {name} cannot be a channel: it holds {reason}.")
    usable = [n for n in columns if not columns[n].unusable and n not in table.roles]
    names = wanted or [n for n in usable if _is_measured(columns[n])]
    if not names:
        named = [n for n in usable if columns[n].measure] or usable
        remedy = f"; integers count when named, as in `{path}:{','.join(named[:5])}`" if named else ""
        raise bad(path, f"it has no column of measured numbers (floats){remedy}; it has {listed(columns)}.")
    picks: dict[str, tuple[str, int]] = {}
    for name in names:
        column = name if name in columns else owner[name]
        if check := columns[column].check:
            check()
        at = {channel: (column, i) for i, channel in enumerate(columns[column].channels)}
        picks |= at if name == column else {name: at[name]}
    if wanted:
        return picks, []
    others = [n for n in usable if not _is_measured(columns[n])]
    left = {
        "integers or row numbers, used when named": [n for n in others if _counts(n, columns[n])],
        "no measurements by their names, used when named": [n for n in others if not _counts(n, columns[n])],
        "no numbers": [n for n, column in columns.items() if column.unusable and n not in table.roles],
    }
    return picks, [f"columns left out ({why}): {listed(cut)}." for why, cut in left.items() if cut]


def _is_measured(column: Column) -> bool:
    """Whether a column holds measured floats: a channel though nobody named it."""
    return column.measure and not column.integers


def _counts(name: str, column: Column) -> bool:
    """Whether a column is one of integers, or of numbers of rows."""
    return column.integers or ROW_NUMBER.search(name) is not None


def _near(name: str, known: Collection[str]) -> str:
    """Return the name as the table has it: blanks around it mean nothing."""
    return name if name in known else next((n for n in known if n.strip() == name.strip()), name)


def channel_values(
    picks: Mapping[str, tuple[str, int]], table: Table, missing: Sequence[str], words: str
) -> tuple[Array, list[str]]:
    """Return the picked channels' values in each row, (n_rows, n_picks); NaN or infinity where there is none."""
    columns, fill = table.columns, [float(text) for text in missing if _is_number(text)]
    if all(columns[name].form == "number" for name, _ in picks.values()):
        averaged, values = list[str](), side_by_side([columns[name].rows for name, _ in picks.values()])
        for rows in blocks_of_rows(values):
            if fill and np.isin(rows, fill).any():
                values = values.astype(np.float64) if values.dtype.kind in "iub" else values
                values[np.isin(values, fill)] = np.nan
                break
        infinite = sum(int(np.isinf(rows).sum()) for rows in blocks_of_rows(values)) if values.dtype.kind == "f" else 0
        if values.dtype.kind != "f":
            values = values.astype(np.float64)
    else:
        used = dict.fromkeys(name for name, _ in picks.values())
        blocks = {name: _values(columns[name], fill, words) for name in used}
        averaged = [name for name in used if columns[name].form.startswith("words")]
        infinite = sum(n for _, n in blocks.values())
        values = np.stack([blocks[column][0][:, i] for column, i in picks.values()], axis=1)
    how = "averaged" if words == "mean" else "summed"
    notes = [f"{how} over the words of a sentence: {listed(averaged)}."] if averaged else []
    notes += [f"infinite values in the columns used, taken as missing: {infinite}."] if infinite else []
    return values, notes


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _values(column: Column, fill: Sequence[float], words: str) -> tuple[Array, int]:
    """Return a column's values, (n_rows, n_channels), and how many infinite ones there were."""
    blank = [None] * len(column.channels)

    def array(rows: Any) -> Array:
        values = np.array(rows, np.float64)
        return np.where(np.isin(values, fill), np.nan, values) if fill else values

    if column.form == "number":
        values = array(column.rows)[:, None]
        return values, int(np.isinf(values).sum())
    if column.form == "positions":
        values = array([blank if row is None or not len(row) else row for row in column.rows])
        return values, int(np.isinf(values).sum())
    lists = ([[w] for w in row or blank] if column.form == "words" else row or [blank] for row in column.rows)
    grids = [array([word or blank for word in words_of_row]) for words_of_row in lists]  # each (n_words, n_channels)
    joined = finite_mean if words == "mean" else finite_sum
    return np.stack([joined(grid) for grid in grids]), sum(int(np.isinf(grid).sum()) for grid in grids)
