"""The options that give trained models as sources."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .options import pairs


def checkpoints(*, data: bool = True) -> Callable[..., Any]:
    """Return the options that give trained models as sources; with `data` also the option of their examples."""
    in_table = click.option(
        "--checkpoints",
        multiple=True,
        metavar="FILE.csv",
        type=click.Path(path_type=Path),
        help="Checkpoints in a table with the columns name and model, and perhaps revision, kind, task, data.",
    )
    one = click.option(
        "--checkpoint",
        multiple=True,
        metavar="NAME=FOLDER|HUB_ID[@REVISION]",
        help="A trained model that you have, as a source in place of the tasks; may be given several times.",
    )
    of_examples = click.option(
        "--checkpoint-data",
        multiple=True,
        metavar="NAME=FILE",
        callback=pairs,
        help="The examples that a checkpoint was trained on, for estimators that read them; repeatable.",
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def gathered(*args: Any, checkpoint: tuple[str, ...], checkpoints: tuple[Path, ...], **how: Any) -> Any:
            return command(*args, checkpoints=[*checkpoint, *checkpoints], **how)

        return one(in_table(of_examples(gathered) if data else gathered))

    return add
