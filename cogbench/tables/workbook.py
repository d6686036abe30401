"""Workbooks of spreadsheets, read by the package openpyxl where it is installed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UnknownName, UnusableData
from ..storage.foreign import refuse_swelling, unpacked_size
from .options import TableOptions
from .rows import columns_by_name, refuse_repeated


def read_workbook(
    path: Path, options: TableOptions, notes: list[str]
) -> tuple[dict[str, Sequence[Any]], Sequence[int]]:
    """Return the columns of a sheet of a workbook, and the numbers of its rows.

    Raises
    ------
    UnusableData
        If the package is not installed, or the file is no workbook or has no rows.
    UnknownName
        If it has no sheet of that name.
    """
    where = repr(str(path))
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError:
        raise UnusableData(
            f"{where} is a workbook, which takes the package openpyxl to read: install it, or save the sheet as csv in "
            "UTF-8."
        ) from None
    refuse_swelling(path, unpacked_size(path))
    try:
        workbook = load_workbook(path, read_only=True, data_only=True)
        sheets = {sheet.title: sheet for sheet in workbook.worksheets}
        rows = []
        if chosen := sheets.get(options.sheet) if options.sheet else next(iter(sheets.values()), None):
            rows = [tuple(row) for row in chosen.iter_rows(values_only=True)]
        workbook.close()
    except Exception as error:  # whatever the package says of a file that is no workbook
        raise UnusableData(f"{where} cannot be read as xlsx: it is no workbook, or is damaged.") from error
    if options.sheet and options.sheet not in sheets:
        raise UnknownName.of("sheet", options.sheet, sheets, label="The workbook has")
    numbered = [(number, row) for number, row in enumerate(rows, 1) if any(cell is not None for cell in row)]
    if not numbered:
        others = f"; sheet= in the address names another of {', '.join(sheets)}" if len(sheets) > 1 else ""
        raise UnusableData(f"{where} cannot be read as xlsx: its sheet has no rows{others}.")
    if len(sheets) > 1 and not options.sheet:
        notes.append(f"of its sheets {', '.join(sheets)} the first is read; sheet= in the address names another")
    width = max(len(row) for _, row in numbered)
    header = numbered.pop(0)[1] if options.header != "no" else range(1, width + 1)
    names = ["" if name is None else str(name).strip() for name in (*header, *[None] * (width - len(header)))]
    refuse_repeated(names, where)
    columns = [[row[i] if i < len(row) else None for _, row in numbered] for i in range(width)]
    return columns_by_name(names, columns, where), [number for number, _ in numbered]
