"""Tables in the formats of the command line: terminal, JSON, markdown, LaTeX, csv."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..text import in_csv, in_one_line, or_blank
from .terminal import fitted, printed, styled

FORMATS = ("table", "json", "markdown", "latex", "csv")


def grid(rows: Sequence[dict[str, Any]], form: str) -> str:
    """Return rows of like keys as a table in one of `FORMATS`."""
    if form == "json":
        return json.dumps(rows, indent=1)
    if form == "csv":
        out = io.StringIO()
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([map(in_csv, names), *([in_csv(row.get(name)) for name in names] for row in rows)])
        return out.getvalue().rstrip("\n")
    if form == "table":
        return printed(*fitted(rows), wide=True)
    from tabulate import tabulate

    write, style = (_in_markdown, "github") if form == "markdown" else (in_one_line, "latex_booktabs")
    shown = [{write(k): write(or_blank(v)) for k, v in row.items()} for row in rows]
    return tabulate(shown, headers="keys", tablefmt=style, disable_numparse=True)


def _in_markdown(text: str) -> str:
    """Return a text of which markdown takes nothing for a tag, an entity, a link, an image or the end of a cell."""
    text = in_one_line(text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return re.sub(r"\](?=[(\[:])", r"]\\", text)


def render_tables(named: Mapping[str, Sequence[dict[str, Any]]], form: str, notes: Sequence[str]) -> str:
    """Return titled tables and the notes under them; csv is one table whose first column has the titles.

    For a terminal they fit its width, and no figure is cut. In a paper they go without columns in which nothing stands.
    """
    if form == "csv":
        return grid([{"table": title, **row} for title, rows in named.items() for row in rows], form)
    if form == "table":
        blocks = [
            part for title, rows in named.items() for part in (styled("[bold]{}[/]", title), *fitted(rows, dense=True))
        ]
        return printed(*blocks, *notes, wide=True)
    write, title_of, note_of = (
        (_in_markdown, "**{}**\n", "- {}") if form == "markdown" else (in_one_line, "% {}", "% {}")
    )
    parts = [f"{title_of.format(write(title))}\n{grid(_without_empty(rows), form)}" for title, rows in named.items()]
    under = ["\n".join(note_of.format(write(note)) for note in notes)] if notes else []
    return "\n\n".join([*parts, *under])


def _without_empty(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    used = {name for row in rows for name, value in row.items() if or_blank(value)}
    return [{name: value for name, value in row.items() if name in used} for row in rows]
