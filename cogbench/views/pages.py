"""The pages: a leaderboard and the report of a result, each one file that asks for nothing else."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from ..errors import UnusableData
from ..parts.fingerprint import harness_version
from ..results.leaderboard import Board, Entry, prefers_nothing
from ..results.result import Result
from ..results.stacked_board import StackedBoard, StackedEntry
from ..storage.atomic import save_text, writable
from ..text import visible
from .canvas import inline_svg, standalone_svg
from .figures import cost_against_skill
from .formats import grid
from .leaderboard import SECONDS, Column, Row, board_columns, board_notes, computed_entries, is_at_chance
from .sections import headline, sections
from .stacked import INCOMPLETE, oracle_columns, stacked_columns, stacked_notes, stacked_title

TEMPLATES = Path(__file__).with_name("templates")
TITLE, NONE = "Leaderboard", "none"


def board_page(
    boards: Sequence[Board],
    sort: str = "trs",
    *,
    stacked: StackedBoard | None = None,
    title: str = "",
    reports: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return a leaderboard as an HTML page, with a stacked board above the others if there is one.

    `reports` has the address of each result's report, by the name of the result's file.
    """
    shown = [_board_context(board, i, reports) for i, board in enumerate(boards, 1)]
    entries = [entry for board in boards for entry in board.entries]
    over_all = None if stacked is None else _stacked_context(stacked, reports)
    results = [entry for entry in entries if entry.kind == "result"]
    return _fill_template(
        "board.html",
        boards=shown,
        sort=sort,
        title=title,
        newest=max((entry.date for entry in entries if entry.date), default=None),
        version=harness_version(),
        estimators=sorted({_family_of(entry.estimator) for entry in results}),
        backbones=sorted({e.backbone for e in entries if e.backbone}),
        signals=sorted({entry.signal for entry in results if entry.signal}),
        families=sorted({board.suite for board in boards}),
        oracles=list(dict.fromkeys(board["oracle"] for board in shown)),
        notes=board_notes(boards),
        any_at_chance=any(row["at_chance"] for board in [*shown, over_all or {"rows": []}] for row in board["rows"]),
        meanings=_meanings(boards),
        stacked=over_all,
        seconds=SECONDS,
        inline=inline_svg,
    )


def report_page(result: Result, *, board: tuple[str, str] | None = None) -> str:
    """Return the report of a result as an HTML page; `board` is the address and the title of the board it is of."""
    return _fill_template(
        "report.html",
        result=result,
        tiles=headline(result),
        sections=sections(result),
        inline=inline_svg,
        board=board,
    )


def save_reports(
    results: Sequence[Result], folder: Path, page: Path, title: str = ""
) -> tuple[dict[str, str], list[str]]:
    """Write the report of each result that prefers some source into a folder, for the board that `page` will be.

    Returns
    -------
    dict of str to str
        The addresses of the reports, seen from the page, by the names of the results' files.
    list of str
        A line for each result that has no report, because its details have another form than expected.
    """
    writable(folder)
    back, there = _address(page, folder), _address(folder, page.parent)
    addresses, lines = dict[str, str](), list[str]()
    for result in results:
        if prefers_nothing(result):
            continue
        try:
            text = report_page(result, board=(back, title or TITLE))
        except UnusableData as error:
            lines.append(f"no report: {error}")
            continue
        name = f"{plain_name(result.file_name.removesuffix('.json'))}.html"
        save_text(folder / name, text)
        addresses[result.file_name] = f"{there}/{name}"
    return addresses, lines


def plain_name(name: str) -> str:
    """Return a name of letters, digits, points, lines and pluses alone, which files and addresses need not escape.

    The hash at the end of a result's file name stays, so two results never share a name.
    """
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name).lstrip("-._+") or "-"


def _address(file: Path, start: Path) -> str:
    """Return the relative address of a file for a page in a folder."""
    try:
        place = os.path.relpath(file, start)
    except ValueError as error:  # another drive
        raise UnusableData(f"no relative link leads from {str(start)!r} to {str(file)!r}.") from error
    return quote(Path(place).as_posix(), errors="surrogateescape")


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
        # Markup stays what it is.
        finalize=lambda value: (
            value if not isinstance(value, str) or value.isprintable() else type(value)(visible(value))
        ),
    )
    # Long names may be broken after these signs.
    environment.filters["pieces"] = lambda name: re.findall(r"[^\[,=+:/]+[\[,=+:/]*|[\[,=+:/]+", name)
    return environment.get_template(template).render(**values)


def _board_context(board: Board, number: int, reports: Mapping[str, str]) -> dict[str, Any]:
    """Return what the template needs of a board: its columns, and a row of texts for each entry."""
    columns = _page_columns(board)
    return {
        "board": board,
        "number": number,
        "columns": columns,
        "rows": [
            {
                "entry": entry,
                "cells": _cells(columns, entry, _board_interval(board, entry), reports),
                "mark": "",
                "at_chance": is_at_chance(entry),
                "facts": _facts(entry, backbone=entry.backbone, signals=[entry.signal or NONE]),
            }
            for entry in board.entries
        ],
        "n_tasks": len({*board.sources, *board.targets}),
        "oracle": board.oracle or NONE,
        "cost": cost_against_skill(board),
    }


def _cells(
    columns: Sequence[Column[Row]], entry: Row, drawn: str, reports: Mapping[str, str]
) -> list[tuple[Column[Row], str, str, str, str]]:
    """Return of each cell of a row its column, drawing, text, number to sort by, and the address of its report."""
    return [
        (
            c,
            drawn if c.name == "interval" else "",
            c.text(entry),
            c.sort_value(entry),
            reports.get(c.file(entry) or "", ""),
        )
        for c in columns
    ]


def _facts(entry: Entry | StackedEntry, *, backbone: str | None, signals: Sequence[str]) -> dict[str, str]:
    """Return what the filters ask of a row, by the names of its data attributes; baselines stay whatever is chosen."""
    if entry.kind == "baseline":
        return {}
    facts = {"estimator": _family_of(entry.estimator), "signal": "\n".join(signals)}
    return facts | ({"backbone": backbone} if backbone else {})


def _family_of(estimator: str) -> str:
    """Return an estimator's name without its options."""
    return estimator.partition("[")[0] or estimator


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


def _stacked_context(board: StackedBoard, reports: Mapping[str, str]) -> dict[str, Any]:
    """Return what the template needs of a stacked board: its columns, and a row of texts for each entry."""
    used = [c for c in stacked_columns(board) if c.shown == "always" or any(map(c.text, board.entries))]
    columns, rows = [*used, *oracle_columns(board, "apart")], []
    for entry in board.entries:
        drawn = _interval_svg(entry.relative_rank, entry.interval, 0.5, (0.0, 1.0))
        rows.append(
            {
                "entry": entry,
                "cells": _cells(columns, entry, drawn, reports),
                "mark": "" if entry.complete else f" {INCOMPLETE}",
                "at_chance": is_at_chance(entry),
                "facts": _facts(entry, backbone=None, signals=entry.signals or [NONE]),
            }
        )
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
