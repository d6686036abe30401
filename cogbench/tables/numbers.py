"""Numbers as tables have them: which cells are numbers, which are missing, and what to write in place of others."""

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from ..errors import UnusableData

UNMEASURED = ("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none")  # as programs write that there is no number
MISSING = (*UNMEASURED, "-", "–", "—", ".", "?")  # as people write it in a table of scores
NUMERAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
WHOLE = re.compile(r"[+-]?\d+")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?\s*%?")
THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+"
MARKED = re.compile(  # thousands by any sign, or decimal commas
    rf"(?:{THOUSANDS}(?:\.\d+)?|[+-]?\d{{1,3}}(?:[.' ’]\d{{3}})+(?:[.,]\d+)?|[+-]?\d+,\d+)\s*%?"
)
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


class Numbers(NamedTuple):
    """The numbers of a column, NaN where nothing was measured, and what is odd about its cells."""

    values: Any  # (n_rows,) float64
    whole: bool  # whether it holds whole numbers alone
    odd: tuple[tuple[int, str], ...]  # rows whose cells are no numbers, and the cells
    per_cent: bool = False


def plain_text(cell: Any) -> str:
    """Return a cell's text with plain white space, composed characters and a plain minus; nothing for None."""
    text = "" if cell is None else unicodedata.normalize("NFC", str(cell))
    return " ".join(text.replace("\u200b", "").replace("\ufeff", "").replace("−", "-").split())


def is_missing(cell: Any) -> bool:
    """Whether a cell of a table of scores says that there is no number."""
    return plain_text(cell).casefold() in MISSING


def is_numeral(text: str) -> bool:
    """Whether a text is a number, and nothing else."""
    return NUMERAL.fullmatch(text.strip()) is not None


def parse_numeral(cell: Any, decimal_mark: str = ".") -> tuple[float, bool]:
    """Return the number that a cell holds.

    Parameters
    ----------
    cell : str, number or None
        The cell: `62.4`, `+62.4`, `−62.4`, `6.24e1` or `62.4%`, or one of `MISSING`.
    decimal_mark : {".", ","}
        The mark of decimals in the table.

    Returns
    -------
    value : float
        The number; NaN for a missing one.
    per_cent : bool
        Whether a per cent sign follows it.

    Raises
    ------
    ValueError
        If the cell holds no number: the message says what to write.
    """
    if is_missing(cell):
        return math.nan, False
    text = plain_text(cell)
    number = text.removesuffix("%").rstrip()
    if decimal_mark == ",":
        if "." in number:
            raise ValueError("other cells have a decimal comma: write all decimals with a comma, or all with a point")
        number = number.replace(",", ".")
    if not NUMERAL.fullmatch(number) or math.isinf(float(number)):
        raise ValueError(advice(text, decimal_mark))
    return float(number), text.endswith("%")


def advice(text: str, decimal_mark: str = ".") -> str:
    """Return what to write in place of a text that is no number."""
    numbers = NUMERAL.findall(re.sub(r"(?<=\d)_(?=\d)", "", text.replace("·", ".")))
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?%?", text):
        is_unclear = text.count(",") == 1 and "." not in text
        other = f", or {text.replace(',', '.')} if the comma is that of decimals" if is_unclear else ""
        return f"write {text.replace(',', '')} without the mark of thousands{other}"
    if re.fullmatch(r"[+-]?\d{1,3}(?:[.' ’]\d{3})+(?:[.,]\d+)?%?", text):
        sign = next(letter for letter in text if letter in ".' ’")
        return f"write {text.replace(sign, '').replace(',', '.')} without the mark of thousands"
    if decimal_mark == "." and DECIMAL_COMMA.fullmatch(text):
        return f"write {text.replace(',', '.')}: a decimal comma may stand only in a table that ; or tabs separate"
    if numbers and re.search(r"±|\+/?-|\\pm|\(", text):
        return (
            f"write {numbers[0]} alone; a table has no errors beside its scores, but it may have a row for each seed, "
            "in the columns source, target, seed, score"
        )
    if len(numbers) == 1 and not re.search(r"inf", text, re.IGNORECASE) and not math.isinf(float(numbers[0])):
        return f"write {numbers[0]}"
    return "write a finite number such as 62.4, or leave the cell empty where there is no score"


def decimal_mark_of(columns: Iterable[Sequence[Any]]) -> str:
    """Return the mark of decimals of a table whose cells no comma separates: a comma where a cell has such a number.

    A number such as `1,234` does not tell: its comma may be that of thousands.
    """
    cells = (cell for column in columns if isinstance(column, list) for cell in column if isinstance(cell, str))
    texts = (plain_text(cell) for cell in cells if "," in cell)
    is_comma = any(DECIMAL_COMMA.fullmatch(text) and not re.fullmatch(THOUSANDS, text) for text in texts)
    return "," if is_comma else "."


def numbers_of(column: Sequence[Any], missing: Collection[str] = (), decimal_mark: str = ".") -> Numbers | None:
    """Return the numbers of a column; None where it is not meant to hold numbers, but texts, lists or nothing.

    A column of texts is meant to hold numbers if at least half of the cells that are not missing do, or all the others
    have one text; the others are odd. Marks such as a point do not count. `missing` are further cells that mean that
    nothing was measured, texts or numbers.
    """
    if isinstance(column, np.ndarray):
        values = column.astype(np.float64, copy=False)
        fill = [float(text) for text in missing if is_numeral(text)]
        if fill and np.isin(values, fill).any():
            values = np.where(np.isin(values, fill), np.nan, values)
        return Numbers(values, column.dtype.kind in "iub", ())
    if not any(isinstance(cell, str) for cell in column):
        return _of_numbers(column, missing)
    fast = None if missing or decimal_mark != "." else _all_numerals(column)
    return fast or _of_texts(column, missing, decimal_mark)


def _of_numbers(column: Sequence[Any], missing: Collection[str]) -> Numbers | None:
    """Return the numbers of a column of numbers and gaps."""
    kept = [cell for cell in column if cell is not None]
    if not kept or not all(isinstance(cell, Real) or hasattr(cell, "as_tuple") for cell in kept):
        return None
    whole = all(isinstance(cell, int) or (hasattr(cell, "dtype") and cell.dtype.kind in "iub") for cell in kept)
    values = np.array([np.nan if cell is None else float(cell) for cell in column], np.float64)
    fill = [float(text) for text in missing if is_numeral(text)]
    return Numbers(np.where(np.isin(values, fill), np.nan, values) if fill else values, whole, ())


def _all_numerals(column: Sequence[Any]) -> Numbers | None:
    """Return the numbers of a column of texts, each a plain number or empty; None if one is not."""
    try:
        values = np.array([cell or "nan" for cell in column], np.float64)
    except (TypeError, ValueError):
        return None
    text = "".join(cell for cell in column if cell)
    if not text or not text.isascii() or re.search(r"[^\d.eE+-]", text):
        return None
    return Numbers(values, not re.search(r"[.eE]", text), ())


def _of_texts(column: Sequence[Any], missing: Collection[str], decimal_mark: str) -> Numbers | None:
    fill = {*UNMEASURED, *(plain_text(text).casefold() for text in missing)}
    values, odd = np.full(len(column), np.nan), list[tuple[int, str]]()
    whole, plain, per_cent, marked = True, 0, 0, 0
    for i, cell in enumerate(column):
        text = plain_text(cell)
        if text.casefold() in fill:
            continue
        number = text.removesuffix("%").rstrip()
        if decimal_mark == "," and "." not in number:
            number = number.replace(",", ".")
        if INFINITE.fullmatch(text):
            values[i] = float(text)
            plain += 1
        elif NUMERAL.fullmatch(number):
            values[i] = float(number)
            per_cent += text.endswith("%")
            plain += not text.endswith("%")
            whole = whole and WHOLE.fullmatch(number) is not None
        else:
            marked += MARKED.fullmatch(text) is not None
            odd.append((i, text))
    others = [text for _, text in odd if text not in MISSING and not MARKED.fullmatch(text)]
    if not plain + per_cent + marked or (plain + per_cent + marked < len(others) and len({*others}) > 1):
        return None
    if plain and per_cent:  # a column of both is of neither
        signs = [(i, plain_text(cell)) for i, cell in enumerate(column) if plain_text(cell).endswith("%")]
        odd = sorted([*odd, *signs])
    return Numbers(values, whole and not per_cent and not marked, tuple(odd), per_cent > 0)


def refuse_odd(numbers: Numbers, name: str, where: str, number: Any, decimal_mark: str = ".") -> None:
    """Raise UnusableData for the first cell of a column that is no number; `number` gives a row's in an editor."""
    if not numbers.odd:
        return
    row, text = numbers.odd[0]
    shown = text if len(text) < 40 else f"{text[:40]}…"
    more = f", as {len(numbers.odd) - 1} other cell(s) of the column" if len(numbers.odd) > 1 else ""
    write = advice(text, decimal_mark)
    write = "" if write.startswith("write a finite") else f", {write}"
    if DECIMAL_COMMA.fullmatch(text):
        write = f"{write}, or decimal=comma in the address where the comma is that of decimals"
    raise UnusableData(
        f"{where}: row {number(row)}, column {name!r} holds {shown!r}, which is no number{more}: where it means that "
        f"nothing was measured, say --missing {shown} (or missing={shown} in the address){write}."
    )


def side_by_side(columns: Sequence[Any]) -> Any:
    """Return columns of numbers as an array, (n_rows, n_columns): without a copy where they stand so in one already."""
    first = columns[0]
    owner, kind = first.base, (first.shape, first.strides, first.dtype)
    if owner is not None and all(c.base is owner and (c.shape, c.strides, c.dtype) == kind for c in columns):
        places = np.fromiter((c.__array_interface__["data"][0] for c in columns), np.int64)
        steps = np.diff(places)
        if len(places) > 1 and steps[0] > 0 and (steps == steps[0]).all():
            shape, strides = (len(first), len(columns)), (first.strides[0], int(steps[0]))
            return np.lib.stride_tricks.as_strided(first, shape, strides)
    return np.stack(columns, axis=1)
