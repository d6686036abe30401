"""The options that name signals: recordings, tables of one's own, and sentences alone."""

import re
from pathlib import Path
from typing import Any

import click

from .options import complete

MISSING = "cells that mean that nothing was measured"  # the key of what --missing says, for the options of signals


def _keep(context: click.Context, parameter: click.Parameter, value: str) -> None:
    context.meta[MISSING] = [cell.strip() for cell in value.split(",") if cell.strip()]


def _with_missing(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Return the addresses of signals, those of tables with what --missing says."""
    cells = context.meta.get(MISSING)
    if not cells:
        return value
    named = [value] if isinstance(value, str) else [*(value or ())]
    if not any(map(_is_table, named)):
        raise click.UsageError("--missing says how a table of --signal is read, and no table is named: leave it out.")
    added = [f"{signal},missing={':'.join(cells)}" if _is_table(signal) else signal for signal in named]
    return added[0] if isinstance(value, str) else tuple(added)


def _is_table(signal: str) -> bool:
    """Whether a signal is a file by its address, and no name of a part."""
    from ..tables.options import ending_of

    return bool(ending_of(re.split("[:,]", signal)[0])) or Path(signal).is_file()


signal = click.option(
    "--signal",
    multiple=True,
    callback=_with_missing,
    shell_complete=complete("signal"),
    help="A name, or a table of sentences and responses FILE[:channel,…] or FILE,sentence=COL,subject=COL,…; may be "
    "given several times.  [default: the suite's]",
)
one_signal = click.option(
    "--signal",
    default=None,
    callback=_with_missing,
    shell_complete=complete("signal"),
    help="Sentences with responses.  [default: the suite's]",
)
missing = click.option(
    "--missing",
    default="",
    metavar="CELL[,CELL…]",
    is_eager=True,  # before --signal
    expose_value=False,
    callback=_keep,
    help="Cells of tables of --signal where nothing was measured, such as .,-999; beside NA and empty ones.",
)
stimuli = click.option(
    "--stimuli",
    multiple=True,
    metavar="FILE|NAME",
    shell_complete=complete("signal"),
    help="For estimators that need no responses: a text file with one sentence a line, or a signal; may be given "
    "several times.  [default: the signal's, or `neutral`]",
)
