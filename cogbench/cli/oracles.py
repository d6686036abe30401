"""The commands on oracles: list, show, export, measure."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options as option
from .checkpoints import checkpoints
from .commands import group
from .options import COMPUTES, Site, at_site, complete, print_json, progress, say_wrote

if TYPE_CHECKING:
    from ..data.oracle import Oracle
    from ..data.score_tables import TableReading


@group("oracle", short_help="Show, measure and export tables of transfers.")
def oracle() -> None:
    """List, show, measure and export tables of transfers."""


@oracle.command("list", examples=("cogbench oracle list",))
@option.as_json
def oracle_list(as_json: bool) -> None:
    """List the oracles that are installed, and those measured here, by their families."""
    from ..parts.registry import load_parts
    from ..views.listing import render_parts

    click.echo(render_parts(load_parts(), "oracle", as_json))


@oracle.command(
    "show",
    examples=(
        "cogbench oracle show cogtaskonomy-bert",
        "cogbench oracle show own.csv --diagonal no-transfer",
    ),
)
@click.argument("name", shell_complete=complete("oracle"))
@option.oracle_reading
@option.format_()
def oracle_show(name: str, reading: "TableReading", format: str) -> None:
    """Show a table of transfers with its ranks and what its noise leaves open; a wide one in summary.

    NAME is an oracle's name, or a file: csv, tsv, json or parquet; or a family, or several names by commas. The other
    formats have all figures of a wide table.
    """
    from ..parts.oracle_names import find_oracle, oracle_names
    from ..parts.registry import load_parts

    parts = load_parts()
    _print_oracles([find_oracle(parts, one, reading=reading) for one in oracle_names(parts, name)], format)


@oracle.command("export", examples=("cogbench oracle export cogtaskonomy-bert --out oracle.csv",))
@click.argument("name", shell_complete=complete("oracle"))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file, csv or json.")
@option.oracle_reading
def oracle_export(name: str, out: Path, reading: "TableReading") -> None:
    """Write a table of transfers into a file: csv for its figures, json with an npz for all that is known.

    NAME is an oracle's name, or a file: csv, tsv, json or parquet. Once written as json, a table needs none of the
    options that say how it is read.
    """
    from ..data.oracle_files import write_oracle, write_table
    from ..parts.oracle_names import find_oracle
    from ..parts.registry import load_parts

    write = write_oracle if out.suffix == ".json" else write_table
    say_wrote(*write(find_oracle(load_parts(), name, reading=reading), out))


@oracle.command("measure", examples=("cogbench oracle measure --backbone minilm-2l --suite mini --max-train 32",))
@click.option("--backbone", required=True, shell_complete=complete("backbone"), help="What is trained.")
@option.suite
@option.tasks
@option.set_("An option of a part, as `run` takes it; one value each.")
@option.seeds
@option.max_train
@click.option(
    "--max-train-target",
    default=None,
    callback=option.sizes,
    metavar="N[,N…]",
    help="At most so many training examples of a task as the target; several, by commas, give an oracle each, and "
    "share the trainings of the sources.  [default: as --max-train]",
)
@click.option(
    "--sharing",
    default="sequential",
    show_default=True,
    metavar="WAY",
    help="How source and target are combined: one after the other, or together (joint, soft, cross-stitch, "
    "hierarchical, label-embedding; from cogbench-multitask).",
)
@click.option(
    "--select",
    default=None,
    metavar="NAME",
    shell_complete=complete("selector"),
    help="What chooses the training examples of each source for each target, of `cogbench list selectors`.  "
    "[default: all of them are used]",
)
@click.option(
    "--select-share",
    type=option.AtLeast(0, whole=False),
    default=None,
    help="With --select: the share of the source's examples that is kept.  [default: 0.5]",
)
@click.option(
    "--group",
    default=None,
    metavar="SIZE|FILE",
    help="With --sharing: train all sets of so many tasks together, or the sets of a file, one a line such as a+b+c. "
    "The answer is no oracle: `cogbench sets` shows and scores it.",
)
@checkpoints(data=False)
@at_site(*COMPUTES)
@option.dry_run
@click.option("--name", default=None, help="What to call it.  [default: suite, backbone and numbers of examples]")
@click.option(
    "--keep-models", is_flag=True, help="Keep the weights of the transfers that are trained; else scores only."
)
@option.format_()
def oracle_measure(backbone: str, group: str | None, site: Site, dry_run: bool, format: str, **how: Any) -> None:
    """Train each task, and each target after each source; `--oracle NAME` finds the table in the store.

    Seeds that were measured before stay in the table. With --max-train-target a target has fewer, or more, training
    examples than a source; `compare` says of such oracles from which size on transfer stops paying.
    """
    from ..runs.measure_oracle import check_transfers, measure_each, resolve_sizes
    from ..runs.plan import describe_plan
    from ..views.terminal import printed

    if group is not None:
        _measure_groups(backbone, group, site, dry_run, format, how)
        return
    with progress() as report:
        workspace = site.workspace(report)
        plans = resolve_sizes(workspace.parts, backbone, files=workspace.files, **how)
        site.check_tasks([task.name for task in plans[0][0].tasks])
        if dry_run:
            for transfers, name in plans:
                check_transfers(transfers, name, workspace)
            click.echo(printed(describe_plan([c for transfers, _ in plans for c in transfers.cells()], workspace)))
            return
        measured = measure_each(plans, workspace)
    _print_oracles([oracle for oracle, _ in measured], format)
    say_wrote(*(path for _, path in measured))


def _measure_groups(backbone: str, group: str, site: Site, dry_run: bool, format: str, how: dict[str, Any]) -> None:
    """Measure sets of tasks that are trained together, and print them."""
    from ..oracles.task_sets import plain_sets
    from ..runs.measure_oracle import check_groups, measure_groups, resolve_groups
    from ..runs.plan import describe_plan
    from ..views.formats import render_tables
    from ..views.rows import set_notes, set_rows
    from ..views.terminal import printed

    with progress() as report:
        workspace = site.workspace(report)
        plans = resolve_groups(workspace.parts, backbone, group=group, files=workspace.files, **how)
        site.check_tasks([task.name for task in plans[0][0].transfers.tasks])
        if dry_run:
            for plan, name in plans:
                check_groups(plan, name, workspace)
            click.echo(printed(describe_plan([cell for plan, _ in plans for cell in plan.cells()], workspace)))
            return
        measured = measure_groups(plans, workspace)
    if format == "json":
        plain = [plain_sets(sets) for sets, _ in measured]
        print_json(plain[0] if len(plain) == 1 else plain)
    else:
        for sets, _ in measured:
            click.echo(render_tables({sets.name: set_rows(sets)}, format, set_notes(sets)))
    say_wrote(*(path for _, path in measured))


def _print_oracles(oracles: "Sequence[Oracle]", format: str) -> None:
    """Print oracles, one after another; as json one alone, or a list of several."""
    from ..views.formats import render_tables
    from ..views.rows import WHOLE, oracle_in_full, oracle_notes, oracle_tables
    from ..views.terminal import terminal_width

    if format == "json":
        plain = [oracle_in_full(oracle) for oracle in oracles]
        print_json(plain[0] if len(plain) == 1 else plain)
        return
    room = terminal_width() if format == "table" else WHOLE
    for oracle in oracles:
        click.echo(render_tables(oracle_tables(oracle, room), format, oracle_notes(oracle)))


COMMANDS = (oracle,)
