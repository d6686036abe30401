"""The commands that rank: demo, run, recommend."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import CogbenchError, FailedCells, UnusableData, together
from . import options as option
from . import signals
from .checkpoints import checkpoints
from .commands import command
from .options import COMPUTES, Site, at_site, complete, print_json, progress, say_wrote


@command(
    "run",
    examples=(
        "cogbench run --estimator cra --estimator dse --backbone minilm-2l --suite mini --max-train 32",
        "cogbench run --estimator logme --pack cogtaskonomy-minilm",
    ),
)
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
    multiple=True,
    metavar="NAME[,NAME…]",
    shell_complete=complete("oracle"),
    help="What the ranking is scored against: names, a table FILE.csv, a family such as taskweb, `published`, or "
    "`measured` (runs all transfers). Alone, without models: for estimators that read transfers or cards."
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
    from ..views.terminal import printed

    with progress() as report:
        workspace = site.workspace(report)
        estimators = [*workspace.parts.estimators] if "all" in estimator else estimator
        if pack:
            _refuse_beside_pack(context)
        elif how["oracle"] and MEASURED not in how["oracle"] and not backbone and not how["checkpoints"]:
            _refuse_beside_pack(context, OF_MODELS, "an oracle alone needs no models")
        requests = resolve_run(workspace, estimators, backbone, pack=pack, **how)
        site.check_tasks([task.name for task in requests[0].tasks])
        if dry_run:
            for request in requests:
                check_request(request, workspace)
            for words in describe_signals([request.signal for request in requests], workspace):
                click.echo(printed(words))
            click.echo(printed(describe_plan([cell for request in requests for cell in request.cells()], workspace)))
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
OF_MODELS = tuple(name for name in OF_A_PACK if name not in ("backbone", "checkpoint", "checkpoints"))
MEASURED = "measured"


def _refuse_beside_pack(
    context: click.Context,
    names: Sequence[str] = OF_A_PACK,
    reason: str = "a pack has its own models, tasks and stimuli",
) -> None:
    """Raise UsageError if options are given that mean nothing beside a pack, or beside an oracle alone."""
    usual = (click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP)
    given = [name for name in names if context.get_parameter_source(name) not in usual]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{reason}: leave out {options}.")


@command(
    "recommend",
    short_help="Say which source tasks to train before a target of your own.",
    examples=("cogbench recommend --target reviews.csv --estimator logme --backbone minilm-2l --max-train 60",),
)
@click.option(
    "--target",
    required=True,
    metavar="TASK|FILE|FOLDER|HUB_ID",
    shell_complete=complete("task"),
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
    type=option.AtLeast(1),
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
@option.some_tasks
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
@click.option("--seed", type=option.AtLeast(0), default=0, show_default=True, help="Of the trainings.")
@option.max_train
@option.max_train_target
@click.option("-k", type=option.AtLeast(1), default=3, show_default=True, help="How many sources to name.")
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
    with progress() as report:
        pairs = [*as_pairs(columns), *(option.pair(text) for text in column)]
        recommendation = recommend(
            target, columns=pairs, files=site.files(), progress=report, **site.processes(), **how
        )
    if as_json:
        print_json(plain(recommendation))
    else:
        tables = recommendation_tables(recommendation)
        click.echo(render_tables(tables, "table", recommendation_notes(recommendation)))


@command(
    "demo",
    short_help="See cogbench at work in a minute: real tasks, no data, no training.",
    examples=("cogbench demo",),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results/demo"),
    show_default=True,
    help="The folder for the results and the page.",
)
def demo(out: Path) -> None:
    """Rank real tasks and a planted control from installed evidence packs: no data, no network, no training."""
    from ..results.leaderboard import leaderboard
    from ..runs.demo import demo, save_demo
    from ..storage.atomic import save_text, writable
    from ..views.card import render_demo
    from ..views.pages import board_page

    writable(out)
    with progress() as report:
        results = demo(progress=report)
    saved, page = save_demo(results, out), out / "leaderboard.html"
    save_text(page, board_page(leaderboard([*results.real, *results.control])))
    click.echo(render_demo(results, page, saved[0]))
    say_wrote(page)


COMMANDS = (demo, run, recommend)
