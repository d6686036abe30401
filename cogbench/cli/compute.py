"""The commands that compute: run, recommend, oracle."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import CogbenchError, FailedCells, UnusableData, together
from . import options as option
from . import signals
from .checkpoints import checkpoints
from .options import COMPUTES, Site, at_site, complete, print_json, print_rows, progress, say_wrote

WHOLE = 1_000_000  # characters: a table for a file is not split

if TYPE_CHECKING:
    from ..data.oracle import Oracle
    from ..data.score_tables import TableReading


@click.command("run")
@click.option(
    "--estimator",
    multiple=True,
    required=True,
    shell_complete=complete("estimator"),
    help="A name from `cogbench list estimators`, or `all`; may be given several times.",
)
@option.backbone()
@click.option(
    "--pack",
    multiple=True,
    metavar="NAME|FILE",
    shell_complete=complete("pack"),
    help="In place of --backbone: read an evidence pack, without data, models or training; may be given several times.",
)
@option.suite
@option.tasks
@signals.signal
@signals.missing
@signals.stimuli
@click.option(
    "--oracle",
    default=None,
    shell_complete=complete("oracle"),
    help="What the ranking is scored against: a name, a table FILE.csv, or `measured` (runs all transfers)."
    "  [default: the suite's for the backbone]",
)
@click.option(
    "--oracle-backbone",
    default=None,
    shell_complete=complete("backbone"),
    help="Cross-PLM: score against this backbone's oracle.",
)
@option.set_("An option of a part; several values give one result each, a:b:c is a list.")
@option.seeds
@option.max_train
@option.max_train_target
@checkpoints()
@option.skip_unsuitable
@at_site(*COMPUTES)
@option.dry_run
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="The folder for result files.",
)
@option.format_()
@click.pass_context
def run(
    context: click.Context,
    estimator: tuple[str, ...],
    backbone: tuple[str, ...],
    pack: tuple[str, ...],
    site: Site,
    dry_run: bool,
    out: Path,
    format: str,
    **how: Any,
) -> None:
    """Rank source tasks with estimators and score the rankings."""
    from ..runs.plan import describe_plan, describe_signals
    from ..runs.run import answer_requests, check_request, resolve_run
    from ..storage.atomic import writable
    from ..views.card import render_results

    with progress() as tell:
        workspace = site.workspace(tell)
        estimators = [*workspace.parts.estimators] if "all" in estimator else estimator
        if pack:
            _refuse_beside_pack(context)
        requests = resolve_run(workspace, estimators, backbone, pack=pack, **how)
        site.check_tasks([task.name for task in requests[0].tasks])
        if dry_run:
            for request in requests:
                check_request(request, workspace)
            click.echo("".join(describe_signals([request.signal for request in requests], workspace)), nl=False)
            click.echo(describe_plan([cell for request in requests for cell in request.cells()], workspace))
            return
        writable(out)
        results, failures = answer_requests(requests, workspace)
    saved, unsaved = list[Path](), list[CogbenchError]()
    for result in results:
        try:
            saved.append(result.save(out))
        except UnusableData as error:  # the others may yet be saved, and all are printed
            unsaved.append(error)
    click.echo(render_results(results, format))
    say_wrote(*saved)
    if unsaved:
        raise together(unsaved)
    if failures:
        saved_too = f"; {len(saved)} other results are saved" if saved else ""
        raise FailedCells.of("; ".join(failures) + saved_too, failures.values())


SOURCES = ("checkpoint", "checkpoints", "checkpoint_data", "suite", "signal", "stimuli", "seed", "max_train", "apply")
OF_A_PACK = (
    *("backbone", "suite", "signal", "stimuli", "oracle_backbone", "seeds", "max_train", "max_train_target"),
    *("skip_unsuitable", "checkpoint", "checkpoints", "checkpoint_data"),
    *("data_dir", "task_data"),
)


def _refuse_beside_pack(context: click.Context, names: Sequence[str] = OF_A_PACK) -> None:
    """Raise UsageError if options are given that a pack has decided."""
    usual = (click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP)
    given = [name for name in names if context.get_parameter_source(name) not in usual]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"a pack has its own models, tasks and stimuli: leave out {options}.")


@click.command("recommend")
@click.option(
    "--target",
    required=True,
    metavar="TASK|FILE|FOLDER|HUB_ID",
    help="A task's name; a table of your own examples (csv, tsv, json, jsonl, parquet, conll, xlsx); a folder with "
    "train.csv and validation.csv or test.csv; or a data set of the hub, namespace/name.",
)
@click.option("--kind", default=None, help="Of a table: classification, regression, tagging, …")
@click.option("--columns", default="", metavar="text=COLUMN,…", help="What a table calls the columns of its kind.")
@click.option(
    "--column",
    multiple=True,
    metavar="text=COLUMN",
    help="The same of one column, whose name may have commas; may be given several times.",
)
@click.option(
    "--evaluation",
    default=None,
    metavar="FILE",
    help="Of a table: the examples to score on.  [default: its split validation or test, else a fifth of its rows]",
)
@click.option(
    "--max-evaluation",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="Of a table: at most so many examples to score on.",
)
@click.option("--drop-missing", is_flag=True, help="Of a table: leave out rows without a text or a label.")
@click.option("--description", default="", metavar="TEXT", help="Of a table: a paragraph on it, which some read.")
@click.option("--estimator", required=True, shell_complete=complete("estimator"), help="What ranks the sources.")
@click.option(
    "--backbone",
    default=None,
    shell_complete=complete("backbone"),
    help="The model of the trained sources; beside checkpoints, what they were trained from.",
)
@click.option(
    "--pack",
    default=None,
    metavar="NAME|FILE",
    shell_complete=complete("pack"),
    help="The sources are those of an evidence pack: no model of theirs is read, and --backbone is the pack's.",
)
@checkpoints()
@option.suite
@option.tasks
@signals.one_signal
@signals.missing
@click.option(
    "--stimuli",
    default=None,
    metavar="FILE|NAME",
    shell_complete=complete("signal"),
    help="Sentences alone, as `run` takes them.  [default: the signal's, or `neutral`]",
)
@option.set_("An option of a part, as `run` takes it.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the trainings.")
@option.max_train
@option.max_train_target
@click.option("-k", type=click.IntRange(min=1), default=3, show_default=True, help="How many sources to name.")
@click.option("--apply", is_flag=True, help="Train the target after each of them and without any; report the gains.")
@at_site(*COMPUTES)
@option.as_json
@click.pass_context
def recommend(
    context: click.Context,
    target: str,
    columns: str,
    column: tuple[str, ...],
    site: Site,
    as_json: bool,
    **how: Any,
) -> None:
    """Say which source tasks to train before a target of your own, from the tasks that are trained already."""
    from ..parts.targets import as_pairs
    from ..results.plain import plain
    from ..runs.recommend import recommend
    from ..views.formats import render_tables
    from ..views.rows import recommendation_notes, recommendation_tables

    if how["pack"] is not None:
        _refuse_beside_pack(context, SOURCES)
    with progress() as tell:
        pairs = [*as_pairs(columns), *(option.pair(text) for text in column)]
        recommendation = recommend(target, columns=pairs, files=site.files(), tell=tell, **site.processes(), **how)
    if as_json:
        print_json(plain(recommendation))
    else:
        tables = recommendation_tables(recommendation)
        click.echo(render_tables(tables, "table", recommendation_notes(recommendation)))


@click.group("oracle")
def oracle() -> None:
    """List, show, measure and export tables of transfers."""


@oracle.command("list")
@option.as_json
def oracle_list(as_json: bool) -> None:
    """List the oracles that are installed, and those measured here."""
    from ..parts.registry import load_parts
    from ..views.listing import describe_parts, part_rows

    print_rows(describe_parts(load_parts(), "oracle"), as_json, part_rows)


@oracle.command("show")
@click.argument("name", shell_complete=complete("oracle"))
@option.oracle_reading
@option.format_()
def oracle_show(name: str, reading: "TableReading", format: str) -> None:
    """Show a table of transfers with its ranks and what its noise leaves open.

    NAME is an oracle's name, or a file: csv, tsv, json or parquet.
    """
    from ..parts.oracle_names import find_oracle
    from ..parts.registry import load_parts

    _print_oracles([find_oracle(load_parts(), name, reading=reading)], format)


@oracle.command("export")
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


@oracle.command("measure")
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
    type=float,
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

    if group is not None:
        _measure_groups(backbone, group, site, dry_run, format, how)
        return
    with progress() as tell:
        workspace = site.workspace(tell)
        plans = resolve_sizes(workspace.parts, backbone, files=workspace.files, **how)
        site.check_tasks([task.name for task in plans[0][0].tasks])
        if dry_run:
            for transfers, name in plans:
                check_transfers(transfers, name, workspace)
            click.echo(describe_plan([cell for transfers, _ in plans for cell in transfers.cells()], workspace))
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

    with progress() as tell:
        workspace = site.workspace(tell)
        plans = resolve_groups(workspace.parts, backbone, group=group, files=workspace.files, **how)
        site.check_tasks([task.name for task in plans[0][0].transfers.tasks])
        if dry_run:
            for plan, name in plans:
                check_groups(plan, name, workspace)
            click.echo(describe_plan([cell for plan, _ in plans for cell in plan.cells()], workspace))
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
    from ..views.rows import oracle_in_full, oracle_notes, oracle_tables
    from ..views.terminal import terminal_width

    if format == "json":
        plain = [oracle_in_full(oracle) for oracle in oracles]
        print_json(plain[0] if len(plain) == 1 else plain)
        return
    room = terminal_width() if format == "table" else WHOLE
    for oracle in oracles:
        click.echo(render_tables(oracle_tables(oracle, room), format, oracle_notes(oracle)))


COMMANDS = (run, recommend, oracle)
