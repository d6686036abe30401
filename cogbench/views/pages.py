"""The pages: a leaderboard and the report of a result, each one file that asks for nothing else."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..results.leaderboard import Board, Entry
from ..results.result import Result
from ..results.stacked_board import StackedBoard
from ..storage.atomic import save_text, writable
from ..text import visible
from .canvas import inline_svg, standalone_svg
from .formats import grid
from .leaderboard import Column, board_columns, board_notes, computed_entries
from .sections import headline, sections
from .stacked import INCOMPLETE, oracle_columns, stacked_columns, stacked_notes, stacked_title

TEMPLATES = Path(__file__).with_name("templates")


def board_page(boards: Sequence[Board], sort: str = "trs", *, stacked: StackedBoard | None = None) -> str:
    """Return a leaderboard as an HTML page, with a stacked board above the others if there is one."""
    shown = [_board_context(board, i) for i, board in enumerate(boards, 1)]
    backbones = sorted({e.backbone for board in boards for e in board.entries if e.backbone})
    oracles = list(dict.fromkeys(board["oracle"] for board in shown))
    notes, meanings = board_notes(boards), _meanings(boards)
    return _fill_template(
        "board.html",
        boards=shown,
        sort=sort,
        backbones=backbones,
        oracles=oracles,
        notes=notes,
        meanings=meanings,
        stacked=None if stacked is None else _stacked_context(stacked),
    )


def report_page(result: Result) -> str:
    """Return the report of a result as an HTML page."""
    tiles = headline(result)
    return _fill_template("report.html", result=result, tiles=tiles, sections=sections(result), inline=inline_svg)


def save_figures(result: Result, folder: Path) -> list[Path]:
    """Write each figure of a result's report as an SVG and its numbers as csv; return the files."""
    writable(folder)
    files = []
    for figure in (section.figure for section in sections(result) if section.figure):
        for ending, text in (("svg", standalone_svg(figure)), ("csv", grid(figure.rows, "csv") + "\n")):
            files.append(folder / f"{figure.name}.{ending}")
            save_text(files[-1], text)
    return files


def _fill_template(template: str, **values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            type(value)(visible(value)) if isinstance(value, str) else value
        ),  # Markup stays what it is
    )
    # Long names may be broken after these signs.
    environment.filters["pieces"] = lambda name: re.findall(r"[^\[,=+:/]+[\[,=+:/]*|[\[,=+:/]+", name)
    return environment.get_template(template).render(**values)


def _board_context(board: Board, number: int) -> dict[str, Any]:
    """Return what the template needs of a board: its columns, and a row of texts for each entry."""
    columns = _page_columns(board)
    rows = []
    for entry in board.entries:
        cells = [
            (c, _board_interval(board, entry) if c.name == "interval" else "", c.text(entry), c.sort_value(entry))
            for c in columns
        ]
        rows.append({"entry": entry, "cells": cells, "mark": ""})
    n = len({*board.sources, *board.targets})
    oracle = board.oracle or "none"
    return {"board": board, "number": number, "columns": columns, "rows": rows, "n_tasks": n, "oracle": oracle}


def _page_columns(board: Board) -> list[Column[Entry]]:
    """Return a board's columns in the order of the page, without those that say nothing of its results."""
    results = [entry for entry in board.entries if entry.kind == "result"]
    columns = [
        column
        for column in board_columns(board)
        if column.shown == "always"
        or (column.differs(computed_entries(board)) if column.shown == "differing" else any(map(column.text, results)))
    ]
    return sorted(columns, key=lambda column: column.group)


def _meanings(boards: Sequence[Board]) -> dict[str, str]:
    """Return the meaning of each column of some boards; top-k is explained once."""
    shown = {column.name for board in boards for column in _page_columns(board)}
    columns = [column for column in board_columns(*boards) if column.help and column.name in shown]
    return {"top-k" if c.name.startswith("top-") else c.title or c.name: c.help for c in columns}


def _stacked_context(board: StackedBoard) -> dict[str, Any]:
    """Return what the template needs of a stacked board: its columns, and a row of texts for each entry."""
    used = [c for c in stacked_columns(board) if c.shown == "always" or any(map(c.text, board.entries))]
    columns, rows = [*used, *oracle_columns(board, "apart")], []
    for entry in board.entries:
        drawn = _interval_svg(entry.relative_rank, entry.interval, 0.5, (0.0, 1.0))
        cells = [(c, drawn if c.name == "interval" else "", c.text(entry), c.sort_value(entry)) for c in columns]
        rows.append({"entry": entry, "cells": cells, "mark": "" if entry.complete else f" {INCOMPLETE}"})
    return {"title": stacked_title(board), "columns": columns, "rows": rows, "notes": stacked_notes(board)}


def _board_interval(board: Board, entry: Entry) -> str:
    return _interval_svg(entry.scores.get("trs"), entry.interval, board.chance, (1.0, max(board.worst, 2.0)))


def _interval_svg(
    value: float | None, interval: tuple[float, float] | None, chance: float | None, ends: tuple[float, float]
) -> str:
    """Return an interval as a path of an SVG that is 88 wide and 12 high, and the value as a dot in it."""
    if value is None or chance is None:
        return ""

    def place(number: float) -> str:
        return f"{4 + 80 * (number - ends[0]) / (ends[1] - ends[0]):.1f}".removesuffix(".0")

    low, high = interval or (value, value)
    bar = f'<path class=i d="M{place(low)} 6H{place(high)}"/>' if interval else ""
    return f'<path class=c d="M{place(chance)} 0V12"/>{bar}<circle cx={place(value)} cy=6 r=3.5 />'
