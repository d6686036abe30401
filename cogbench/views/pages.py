"""The pages: a leaderboard and the report of a result, each one file that asks for nothing else."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..results.leaderboard import Board, Entry
from ..results.result import Result
from ..storage.atomic import save_text, writable
from .canvas import inline_svg, standalone_svg
from .formats import grid
from .leaderboard import Column, board_columns, board_notes
from .sections import headline, sections

TEMPLATES = Path(__file__).with_name("templates")


def board_page(boards: Sequence[Board], sort: str = "trs") -> str:
    """Return a leaderboard as an HTML page."""
    shown = [_board_context(board, i) for i, board in enumerate(boards, 1)]
    backbones = sorted({e.backbone for board in boards for e in board.entries if e.backbone})
    oracles = list(dict.fromkeys(board["oracle"] for board in shown))
    notes, meanings = board_notes(boards), _meanings(boards)
    return _fill_template(
        "board.html", boards=shown, sort=sort, backbones=backbones, oracles=oracles, notes=notes, meanings=meanings
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
            (c, _interval_svg(board, entry) if c.name == "interval" else "", c.text(entry), c.sort_value(entry))
            for c in columns
        ]
        rows.append({"entry": entry, "cells": cells})
    n = len({*board.sources, *board.targets})
    oracle = board.oracle or "none"
    return {"board": board, "number": number, "columns": columns, "rows": rows, "n_tasks": n, "oracle": oracle}


def _page_columns(board: Board) -> list[Column]:
    """Return a board's columns in the order of the page, without those that say nothing of its results."""
    results = [entry for entry in board.entries if entry.kind == "result"]
    columns = [
        column
        for column in board_columns(board)
        if column.shown == "always"
        or (column.differs(board) if column.shown == "differing" else any(map(column.text, results)))
    ]
    return sorted(columns, key=lambda column: column.group)


def _meanings(boards: Sequence[Board]) -> dict[str, str]:
    """Return the meaning of each column of some boards; top-k is explained once."""
    shown = {column.name for board in boards for column in _page_columns(board)}
    columns = [column for column in board_columns(*boards) if column.help and column.name in shown]
    return {"top-k" if c.name.startswith("top-") else c.title or c.name: c.help for c in columns}


def _interval_svg(board: Board, entry: Entry) -> str:
    """Return the interval as a path of an SVG that is 88 wide and 12 high, and the TRS as a dot in it."""
    trs, chance = entry.scores.get("trs"), board.chance
    if trs is None or chance is None:
        return ""

    def place(value: float) -> str:
        return f"{4 + 80 * (value - 1) / max(board.worst - 1, 1):.1f}".removesuffix(".0")

    low, high = entry.interval or (trs, trs)
    bar = f'<path class=i d="M{place(low)} 6H{place(high)}"/>' if entry.interval else ""
    return f'<path class=c d="M{place(chance)} 0V12"/>{bar}<circle cx={place(trs)} cy=6 r=3.5 />'
