"""The commands on sets of tasks: what targets score with measured sets of others, and how well a guess chooses."""

from typing import TYPE_CHECKING, Any, Literal

import click

from . import options as option
from .commands import group
from .options import complete, print_json

if TYPE_CHECKING:
    from ..data.score_tables import TableReading

better = click.option(
    "--better",
    type=click.Choice(["higher", "lower"]),
    default=None,
    help="Which scores are better: lower for losses.  [default: as the file says, else higher]",
)
within = click.option(
    "--within",
    default=None,
    metavar="GROUP",
    help="Only the targets whose names are GROUP:NAME, by the name NAME; so are the sources of the group.",
)


@group("sets", short_help="Show what sets of tasks score together, and score guesses of the best.")
def sets() -> None:
    """Show what targets score with sets of other tasks, and score a guess of the best set."""


@sets.command("list", examples=("cogbench sets list",))
@option.as_json
def sets_list(as_json: bool) -> None:
    """List the sets that are installed, and those that were measured here by `oracle measure --group`."""
    from ..oracles.task_sets import measured_sets
    from ..parts.oracle_names import find_sets
    from ..parts.registry import load_parts

    parts = load_parts()
    measured = [find_sets(parts, name) for name in dict.fromkeys([*parts.sets, *measured_sets()])]
    rows = [
        {"name": one.name, "backbone": one.backbone, "sharing": one.sharing, "targets": len(one.targets)}
        | {"sets": len({tuple(sorted((row.target, *row.members))) for row in one.sets if row.members})}
        for one in measured
    ]
    option.print_rows(rows, as_json)


@sets.command("show", examples=("cogbench sets show standley2020-results-subsets",))
@click.argument("file", metavar="FILE|NAME", shell_complete=complete("set"))
@better
@within
@option.as_json
def sets_show(file: str, better: Literal["higher", "lower"] | None, within: str | None, as_json: bool) -> None:
    """Show what each target scores alone, with its best set of other tasks, and in the mean.

    FILE is a table with the columns `target`, `sources` (joined by +) and `score` or a column for each seed; a table
    `trained_together` with a column for each task; or NAME is that of sets that are installed or were measured here.
    """
    from ..oracles.task_sets import plain_sets
    from ..parts.oracle_names import find_sets
    from ..parts.registry import load_parts
    from ..views.formats import render_tables
    from ..views.rows import set_notes, set_rows

    measured = find_sets(load_parts(), file, better=better)
    measured = measured if within is None else measured.within(within)
    if as_json:
        print_json(plain_sets(measured))
    else:
        click.echo(render_tables({measured.name: set_rows(measured)}, "table", set_notes(measured)))


@sets.command("score", examples=("cogbench sets score standley2020-results-subsets --guess pairs --size 2",))
@click.argument("file", metavar="FILE|NAME", shell_complete=complete("set"))
@click.option(
    "--guess",
    required=True,
    metavar="RESULT|ORACLE|TABLE|pairs",
    shell_complete=complete("oracle"),
    help="What says how good each source is for each target; `pairs` for the sets of one other task in FILE itself.",
)
@click.option("--size", type=option.AtLeast(1), default=None, help="Only sets of so many sources.  [default: all]")
@click.option(
    "--redundancy",
    type=option.AtLeast(0, whole=False),
    default=0.0,
    show_default=True,
    help="How much the mean similarity of its members counts against a set.",
)
@better
@within
@option.guess_reading
@option.as_json
def sets_score(file: str, guess: str, guess_reading: "TableReading", as_json: bool, **how: Any) -> None:
    """Score a pairwise guess: which of a target's measured sets does it choose, and how good is that one?

    The value of a set is the mean of its members' estimates, less --redundancy times their mean similarity.
    """
    from ..results.guess import score_sets
    from ..results.plain import plain
    from ..views.formats import render_tables
    from ..views.rows import set_score_notes, set_score_tables

    scores = score_sets(file, guess, guess_reading=guess_reading, **how)
    if as_json:
        print_json(plain(scores))
    else:
        click.echo(render_tables(set_score_tables(scores), "table", set_score_notes(scores)))


COMMANDS = (sets,)
