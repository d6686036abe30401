"""The commands about evidence packs: make one, show one."""

from pathlib import Path
from typing import Any

import click

from . import options as option
from . import signals
from .checkpoints import checkpoints
from .commands import group
from .options import Site, at_site, complete, print_json, progress, say_wrote


@group("pack", short_help="Make and show evidence packs, which need no data or models.")
def pack() -> None:
    """Make and show evidence packs, from which `run --pack` scores estimators without data, models or training."""


@pack.command(
    "make", examples=("cogbench pack make --backbone minilm-2l --suite mini --max-train 32 --out mini.safetensors",)
)
@click.option(
    "--backbone",
    default=None,
    shell_complete=complete("backbone"),
    help="The model of the trainings; of checkpoints, what they were trained from.",
)
@checkpoints()
@option.suite
@option.some_tasks
@signals.signal
@signals.missing
@signals.stimuli
@click.option(
    "--oracle", default=None, shell_complete=complete("oracle"), help="The oracle in the pack.  [default: the suite's]"
)
@option.set_("An option of a part, as `run` takes it; one value each.")
@click.option("--seed", type=option.AtLeast(0), default=0, show_default=True, help="Of the trainings.")
@option.max_train
@click.option(
    "--examples",
    type=option.AtLeast(0),
    default=100,
    show_default=True,
    help="Features of at most so many training examples of each task; 0 for none.",
)
@click.option("--responses/--no-responses", default=True, help="Whether the signal's responses come into the pack.")
@click.option(
    "--keep",
    multiple=True,
    shell_complete=complete("estimator"),
    help="An estimator whose intermediate arrays come into the pack, such as taskemb, or esm-logme, which then ranks "
    "for any further target; may be given several times.",
)
@click.option("--licence", default="", help="Under which licence the pack may be passed on.")
@at_site(*option.COMPUTES)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file, with the ending .safetensors.")
def make(site: Site, out: Path, **how: Any) -> None:
    """Gather what estimators read of a measured oracle, or of checkpoints, into one file: no text and no model."""
    from ..runs.make_pack import make_pack

    with progress() as report:
        path = make_pack(out=out, files=site.files(), progress=report, **site.processes(), **how)
    say_wrote(path)


@pack.command("show", examples=("cogbench pack show mini-minilm-2l",))
@click.argument("name", shell_complete=complete("pack"))
@option.format_()
def show(name: str, format: str) -> None:
    """Show what a pack holds, and check each of its arrays.

    NAME is the name of an installed pack, or a file.
    """
    from ..packs.pack import find_pack
    from ..parts.registry import load_parts
    from ..views.formats import render_tables
    from ..views.listing import pack_in_full, pack_tables

    content = find_pack(load_parts(), name).content()
    content.check()
    if format == "json":
        print_json(pack_in_full(content))
    else:
        click.echo(render_tables(pack_tables(content), format, []))


COMMANDS = (pack,)
