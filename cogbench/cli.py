"""The command line: parse, call one function, print. Data goes to stdout, everything else to stderr."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from .errors import CogbenchError, FailedCells, MissingData, UnknownName, UnusableData

FORMATS = ("table", "json", "markdown", "latex", "csv")
KINDS = ("tasks", "backbones", "signals", "estimators", "oracles", "suites")
GAINS = ("rank", "linear", "linear_minmax", "exp_fraction", "exp_percent")


class _Group(click.Group):
    """Commands whose foreseen errors print as one line and set the exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        _messages()
        try:
            return super().invoke(ctx)
        except CogbenchError as error:
            if os.environ.get("COGBENCH_DEBUG"):
                raise
            _say(str(error))
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            _say("interrupted; what was finished is saved, the same command goes on from there.")
            ctx.exit(130)


def _messages() -> None:
    """Print the harness's own messages on stderr; the libraries' stay theirs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("cogbench: %(message)s"))
    log = logging.getLogger("cogbench")
    log.handlers, log.propagate = [handler], False


def _complete(kind: str) -> Callable[..., list[CompletionItem]]:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from .loading import load

        done, _, last = incomplete.rpartition(",")
        return [CompletionItem(f"{done},{n}" if done else n) for n in load().of(kind) if n.startswith(last)]

    return complete


def _numbers(least: int) -> Callable[..., tuple[int, ...]]:
    def numbers(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
        try:
            found = tuple(dict.fromkeys(int(v) for v in value.split(",")))
        except ValueError:
            found = (-1,)
        if not all(least <= n < 2**32 for n in found):
            raise click.BadParameter(f"{value!r} is no list of whole numbers from {least} such as {least},{least + 1}")
        return found

    return numbers


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"{value!r} is not of the form TASK=DIR")
    return tuple((v.partition("=")[0], Path(v.partition("=")[2])) for v in values)


def _backbones(command: str, **more: Any) -> Callable[..., Any]:
    return click.option(
        "--backbone",
        "backbones",
        envvar=f"COGBENCH_{command}_BACKBONE",
        multiple=True,
        shell_complete=_complete("backbone"),
        help="A name from `cogbench list backbones`, a hub id, or a folder; may be given several times.",
        **more,
    )


def _signals(command: str) -> Callable[..., Any]:
    return click.option(
        "--signal",
        "signals",
        envvar=f"COGBENCH_{command}_SIGNAL",
        multiple=True,
        shell_complete=_complete("signal"),
        help="A name, or a table of sentences and responses FILE[:channel,…]; may be given several times."
        "  [default: the suite's]",
    )


def _sets(command: str, help: str) -> Callable[..., Any]:
    return click.option(
        "--set",
        "sets",
        envvar=f"COGBENCH_{command}_SET",
        multiple=True,
        metavar="PART.OPTION=VALUE[,VALUE…]",
        help=help,
    )


def _format(command: str, *more: str) -> Callable[..., Any]:
    return click.option(
        "--format",
        "form",
        envvar=f"COGBENCH_{command}_FORMAT",
        type=click.Choice((*FORMATS, *more)),
        default="table",
        show_default=True,
        help="What stdout gets.",
    )


_suite = click.option(
    "--suite",
    default="cogtaskonomy",
    show_default=True,
    shell_complete=_complete("suite"),
    help="The tasks and the usual signal.",
)
_tasks = click.option(
    "--tasks",
    default=None,
    shell_complete=_complete("task"),
    help="A part of the suite, by commas; oracle ranks are recomputed within it.",
)
_data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=None,
    help="Local files in the hub's layout instead of the hub.",
)
_task_data = click.option(
    "--task-data",
    multiple=True,
    callback=_pairs,
    metavar="TASK=DIR",
    help="The same for one task; may be given several times.",
)
_json = click.option("--json", "as_json", is_flag=True, help="For machines.")
_ks = click.option(
    "-k", "ks", default="3,4,5", show_default=True, callback=_numbers(1), help="The k of top-k, by commas."
)
_top_m = click.option(
    "--top-m", type=click.IntRange(min=1), default=6, show_default=True, help="The oracle's best M, of top-k."
)
_results = click.argument("results", metavar="RESULT…", nargs=-1, required=True, type=click.Path(path_type=Path))


@click.group(cls=_Group, context_settings={"auto_envvar_prefix": "COGBENCH", "help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cogbench-toolkit", prog_name="cogbench")
def cli() -> None:
    """Which source task should a model learn before a target task? Rank, and score the ranking."""


@cli.command("run")
@click.option(
    "--estimator",
    "estimators",
    envvar="COGBENCH_RUN_ESTIMATOR",
    multiple=True,
    required=True,
    shell_complete=_complete("estimator"),
    help="A name from `cogbench list estimators`, or `all`; may be given several times.",
)
@_backbones("RUN", required=True)
@_suite
@_tasks
@_signals("RUN")
@click.option(
    "--oracle",
    default=None,
    shell_complete=_complete("oracle"),
    help="What the ranking is scored against: a name, FILE.csv, or `measured` (runs all transfers)."
    "  [default: the suite's for the backbone]",
)
@click.option(
    "--oracle-backbone",
    default=None,
    shell_complete=_complete("backbone"),
    help="Cross-PLM: score against this backbone's oracle.",
)
@_sets("RUN", "An option of a part; several values give one result each, a:b:c is a list.")
@click.option("--seeds", default="0", show_default=True, callback=_numbers(0), help="Training seeds, by commas.")
@click.option(
    "--max-train",
    type=click.IntRange(min=1),
    default=None,
    help="At most so many training examples a task, a stratified sample.  [default: all]",
)
@_data_dir
@_task_data
@click.option("--offline", is_flag=True, envvar="COGBENCH_OFFLINE", help="Touch no network.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--jobs",
    type=click.IntRange(min=0),
    default=None,
    help="Worker processes; 0 computes in this one.  [default: by GPUs, else by cores and memory]",
)
@click.option("--scheduler", default=None, metavar="ADDRESS", help="A dask scheduler whose workers compute.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="The folder for result files.",
)
@_format("RUN")
def run_command(  # noqa: PLR0913
    estimators: tuple[str, ...],
    backbones: tuple[str, ...],
    suite: str,
    tasks: str | None,
    signals: tuple[str, ...],
    oracle: str | None,
    oracle_backbone: str | None,
    sets: tuple[str, ...],
    seeds: tuple[int, ...],
    max_train: int | None,
    data_dir: Path | None,
    task_data: tuple[tuple[str, Path], ...],
    offline: bool,
    device: str,
    jobs: int | None,
    scheduler: str | None,
    dry_run: bool,
    out: Path,
    form: str,
) -> None:
    """Rank source tasks with estimators and score the rankings."""
    _environment(offline, device)
    from .cells import Workspace
    from .files import Files, home
    from .loading import load
    from .protocol import answer, check
    from .questions import questions
    from .report import render
    from .store import Store, writable

    parts = load()
    asked = questions(
        parts,
        parts.estimators if "all" in estimators else estimators,
        backbones,
        suite=suite,
        tasks=tasks.split(",") if tasks else None,
        signals=signals,
        oracle=oracle,
        oracle_backbone=oracle_backbone,
        sets=sets,
        seeds=seeds,
        max_train=max_train,
    )
    _check_task_data(task_data, [t.name for t in asked[0].tasks])
    workspace = Workspace(Files(data_dir, task_data, offline), Store(home()))
    if dry_run:
        from .outlook import outlook

        for question in asked:
            check(question, workspace)
        click.echo(outlook([c for q in asked for c in q.cells()], workspace, jobs))
        return
    writable(out)
    writable(workspace.store.root)
    with _progress() as tell:
        results, failures = answer(asked, workspace, parts, jobs=jobs, scheduler=scheduler, tell=tell)
    saved = [r.save(out) for r in results]
    click.echo(render(results, form))
    for path in saved:
        click.echo(f"wrote {path}", err=True)
    if failures:
        saved_too = f"; {len(saved)} other results are saved" if saved else ""
        raise FailedCells("; ".join(failures) + f"{saved_too}. The same command computes only what is missing.")


@cli.command("score")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--oracle",
    required=True,
    shell_complete=_complete("oracle"),
    help="What the guess is scored against: a name from `cogbench list oracles`, or FILE.csv.",
)
@click.option("--tasks", default=None, shell_complete=_complete("task"), help="A part of the oracle's, by commas.")
@_ks
@_top_m
@click.option("--gain", type=click.Choice(GAINS), default="rank", show_default=True, help="Of NDCG.")
@_format("SCORE")
def score_command(
    file: Path, oracle: str, tasks: str | None, ks: tuple[int, ...], top_m: int, gain: Any, form: str
) -> None:
    """Score anybody's guess by an oracle.

    FILE is a matrix of similarities (csv or tsv: first column `source`, a column for each target), a selection
    (columns `target,source`), or a result of cogbench.
    """
    from .guesses import plain_score, score
    from .report import render_tables
    from .scorecard import notes, tables

    part = [t.strip() for t in tasks.split(",") if t.strip()] if tasks else None
    found = score(file, oracle, tasks=part, ks=ks, top_m=top_m, gain=gain)
    click.echo(_json_of(plain_score(found)) if form == "json" else render_tables(tables(found), form, notes(found)))


@cli.command("compare")
@_results
@_ks
@_top_m
@_format("COMPARE")
def compare_command(results: tuple[Path, ...], ks: tuple[int, ...], top_m: int, form: str) -> None:
    """Say how alike results are: their matrices, their seeds, their rankings under each other's oracle."""
    from .comparing import compare, tables
    from .report import render_tables
    from .result import Result, plain

    found = compare([Result.load(file) for file in results], ks=ks, top_m=top_m)
    click.echo(_json_of(plain(found)) if form == "json" else render_tables(tables(found), form, found.notes))


@cli.command("leaderboard")
@click.argument("places", metavar="[DIR|RESULT]…", nargs=-1, type=click.Path(path_type=Path))
@click.option("--sort", default="trs", show_default=True, help="A score that the table shows, such as p or top-3.")
@_format("LEADERBOARD", "html")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write a file instead.")
def leaderboard_command(places: tuple[Path, ...], sort: str, form: str, out: Path | None) -> None:
    """Rank the results in folders (by default `results`); what may not be compared stands in separate tables."""
    from .leaderboard import boards, notes, read_results, tables
    from .pages import board_page, save_text
    from .report import ranked, render_tables
    from .result import plain

    results, skipped = read_results(places or (Path("results"),))
    found = boards(results, sort)
    for line in skipped:
        _say(line)
    if form == "html":
        text = board_page(found, sort)
    elif form == "json":
        text = _json_of([plain(board) for board in found])
    else:
        text = ranked(found) if form == "table" else render_tables(tables(found), form, notes(found))
    if out is None:
        click.echo(text)
    else:
        save_text(out, click.unstyle(text))
        _say(f"wrote {out}")


@cli.command("report")
@click.argument("file", metavar="RESULT", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write a page, FILE.html, instead.")
@click.option("--figures", type=click.Path(path_type=Path), default=None, help="Write the figures here: svg and csv.")
def report_command(file: Path, out: Path | None, figures: Path | None) -> None:
    """Show a result: its scores, where the ranking is right, the similarities and their tree."""
    from .pages import report_page, save_figures, save_text
    from .report import whole
    from .result import Result

    result = Result.load(file)
    if out is None and figures is None:
        click.echo(whole(result))
    if out is not None:
        save_text(out, report_page(result))
        _say(f"wrote {out}")
    for path in save_figures(result, figures) if figures is not None else ():
        _say(f"wrote {path}")


@cli.command("tree")
@click.argument("file", metavar="RESULT|FILE.csv", type=click.Path(path_type=Path))
@click.option(
    "--linkage", type=click.Choice(["ward", "average"]), default="ward", show_default=True, help="Ward's, or the mean."
)
@_json
def tree_command(file: Path, linkage: Any, as_json: bool) -> None:
    """Draw the taxonomy of tasks that a matrix of similarities implies, by hierarchical clustering."""
    from .guesses import read_matrix
    from .report import drawn
    from .result import plain
    from .taxonomy import tree

    found = tree(read_matrix(file), linkage)
    for note in found.notes:
        _say(note)
    click.echo(_json_of(plain(found.root)) if as_json else drawn(found.root))


@cli.command("recommend")
@click.option("--target", required=True, metavar="TASK|FILE", help="A task's name, or a table of your own examples.")
@click.option("--kind", default=None, help="Of a table: classification, regression, tagging, …")
@click.option("--columns", default="", metavar="text=COLUMN,…", help="What a table calls the columns of its kind.")
@click.option("--estimator", required=True, shell_complete=_complete("estimator"), help="What ranks the sources.")
@click.option(
    "--backbone", required=True, shell_complete=_complete("backbone"), help="The model of the trained sources."
)
@_suite
@_tasks
@click.option("--signal", default=None, shell_complete=_complete("signal"), help="Stimuli.  [default: the suite's]")
@_sets("RECOMMEND", "An option of a part, as `run` takes it.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the trainings.")
@click.option(
    "--max-train", type=click.IntRange(min=1), default=None, help="As the sources were trained.  [default: all]"
)
@click.option("-k", type=click.IntRange(min=1), default=3, show_default=True, help="How many sources to name.")
@click.option("--apply", is_flag=True, help="Train the target after each of them and without any; report the gains.")
@_data_dir
@_task_data
@click.option("--offline", is_flag=True, envvar="COGBENCH_OFFLINE", help="Touch no network.")
@click.option("--jobs", type=click.IntRange(min=0), default=None, help="Worker processes, as `run` takes it.")
@_json
def recommend_command(  # noqa: PLR0913
    target: str,
    kind: str | None,
    columns: str,
    estimator: str,
    backbone: str,
    suite: str,
    tasks: str | None,
    signal: str | None,
    sets: tuple[str, ...],
    seed: int,
    max_train: int | None,
    k: int,
    apply: bool,
    data_dir: Path | None,
    task_data: tuple[tuple[str, Path], ...],
    offline: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Say which source tasks to train before a target of your own, from the tasks that are trained already."""
    _environment(offline, "auto")
    from .files import Files
    from .loading import load
    from .recommendation import brief, recommend, titled
    from .report import render_tables
    from .result import plain

    pairs = [pair.partition("=")[::2] for pair in columns.split(",") if pair]
    with _progress() as tell:
        found = recommend(
            target,
            estimator,
            backbone,
            kind=kind,
            columns=pairs,
            suite=suite,
            tasks=tasks.split(",") if tasks else None,
            signal=signal,
            sets=sets,
            seed=seed,
            max_train=max_train,
            k=k,
            apply=apply,
            files=Files(data_dir, task_data, offline),
            parts=load(),
            jobs=jobs,
            tell=tell,
        )
    table = {titled(found): brief(found)}
    click.echo(_json_of(plain(found)) if as_json else render_tables(table, "table", found.notes))


@cli.group("oracle")
def oracle_group() -> None:
    """List, show, measure and export tables of transfers."""


@oracle_group.command("list")
@_json
def oracle_list_command(as_json: bool) -> None:
    """List the oracles that are installed, and those measured here."""
    from .listing import brief, described
    from .loading import load
    from .report import grid

    rows = described(load(), "oracle")
    click.echo(grid(rows, "json") if as_json else grid(brief(rows), "table"))


@oracle_group.command("show")
@click.argument("name", shell_complete=_complete("oracle"))
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="What stdout gets."
)
def oracle_show_command(name: str, form: str) -> None:
    """Show a table of transfers with its ranks and what its noise leaves open."""
    from .loading import load
    from .oracles import find_oracle, shown, told
    from .report import render_tables

    oracle = find_oracle(load(), name)
    click.echo(render_tables({oracle.name: shown(oracle)}, form, told(oracle)))


@oracle_group.command("export")
@click.argument("name", shell_complete=_complete("oracle"))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file, csv or json.")
def oracle_export_command(name: str, out: Path) -> None:
    """Write a table of transfers into a file: csv for its figures, json for all that is known of it."""
    from .loading import load
    from .oracles import find_oracle, write_oracle, write_table

    oracle = find_oracle(load(), name)
    (write_oracle if out.suffix == ".json" else write_table)(oracle, out)
    _say(f"wrote {out}")


@oracle_group.command("measure")
@click.option("--backbone", required=True, shell_complete=_complete("backbone"), help="What is trained.")
@_suite
@_tasks
@_sets("ORACLE_MEASURE", "An option of a part, as `run` takes it; one value each.")
@click.option(
    "--seeds",
    default="0",
    show_default=True,
    callback=_numbers(0),
    help="Training seeds, by commas; those measured before stay.",
)
@click.option(
    "--max-train", type=click.IntRange(min=1), default=None, help="At most so many training examples.  [default: all]"
)
@_data_dir
@_task_data
@click.option("--offline", is_flag=True, envvar="COGBENCH_OFFLINE", help="Touch no network.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--jobs", type=click.IntRange(min=0), default=None, help="Worker processes, as `run` takes it.")
@click.option("--scheduler", default=None, metavar="ADDRESS", help="A dask scheduler whose workers compute.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--name", default=None, help="What to call it.  [default: suite, backbone and number of examples]")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="What stdout gets."
)
def oracle_measure_command(  # noqa: PLR0913
    backbone: str,
    suite: str,
    tasks: str | None,
    sets: tuple[str, ...],
    seeds: tuple[int, ...],
    max_train: int | None,
    data_dir: Path | None,
    task_data: tuple[tuple[str, Path], ...],
    offline: bool,
    device: str,
    jobs: int | None,
    scheduler: str | None,
    dry_run: bool,
    name: str | None,
    form: str,
) -> None:
    """Train each task, and each target after each source; `--oracle NAME` finds the table in the store."""
    _environment(offline, device)
    from .cells import Workspace
    from .files import Files, home
    from .loading import load
    from .measuring import asked, measure
    from .oracles import shown, told
    from .outlook import outlook
    from .report import render_tables
    from .store import Store, writable

    parts = load()
    listed = tasks.split(",") if tasks else None
    transfers, called = asked(parts, backbone, suite=suite, tasks=listed, sets=sets, seeds=seeds, max_train=max_train)
    _check_task_data(task_data, [t.name for t in transfers.tasks])
    workspace = Workspace(Files(data_dir, task_data, offline), Store(home()))
    if dry_run:
        click.echo(outlook(transfers.cells(), workspace, jobs))
        return
    writable(workspace.store.root)
    with _progress() as tell:
        oracle, path = measure(transfers, name or called, workspace, jobs=jobs, scheduler=scheduler, tell=tell)
    click.echo(render_tables({oracle.name: shown(oracle)}, form, told(oracle)))
    _say(f"wrote {path}")


@cli.group("cache")
def cache_group() -> None:
    """Say what the store holds, and remove what no run can ask for any more."""


@cache_group.command("info")
@_json
def cache_info_command(as_json: bool) -> None:
    """Say how much of each kind of thing the store holds, and how much of it is out of reach."""
    from .cache import brief, info
    from .files import home
    from .report import grid
    from .store import Store

    rows = info(Store(home()))
    click.echo(grid(rows, "json") if as_json else grid(brief(rows), "table"))
    if not as_json:
        _say(f"the store is {home()}; `cogbench cache prune` removes what is out of reach.")


@cache_group.command("prune")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@_json
def cache_prune_command(dry_run: bool, as_json: bool) -> None:
    """Remove cells made by other versions or changed code, damaged ones, and what killed processes left."""
    from .cache import prune
    from .files import home
    from .report import grid, in_words
    from .store import Store

    found = prune(Store(home()), dry_run=dry_run)
    rows = [
        {
            "folder": str(one.folder),
            "kind": one.kind,
            "bytes": one.size if as_json else in_words(one.size),
            "fault": one.fault,
        }
        for one in found
    ]
    if rows or as_json:
        click.echo(grid(rows, "json" if as_json else "table"))
    _say(
        f"{len(found)} folders, {in_words(sum(one.size for one in found))}"
        + (" would be removed" if dry_run else " removed")
    )


@cli.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--data-dir", type=click.Path(path_type=Path), default=None, help="Say which data are there.")
@_json
def list_command(kind: str, data_dir: Path | None, as_json: bool) -> None:
    """List the installed parts of a kind, and where they come from."""
    from .listing import brief, described
    from .loading import load
    from .report import grid

    rows = described(load(), kind.removesuffix("s"), data_dir)
    click.echo(grid(rows, "json") if as_json else grid(brief(rows), "table"))


@cli.command("plugins")
@click.option("--check", is_flag=True, help="Run the contract checks on each part.")
@_json
def plugins_command(check: bool, as_json: bool) -> None:
    """List the plugins, their parts, and why one failed to load."""
    from .listing import BROKEN, checked, plugin_rows
    from .loading import load
    from .report import grid

    parts = load()
    rows = checked(parts) if check else plugin_rows(parts)
    click.echo(grid(rows, "json" if as_json else "table"))
    if broken := [row["part"] for row in rows if row.get("check", "").startswith(BROKEN)]:
        raise UnusableData(f"broken: {', '.join(broken)}.")


@cli.command("fetch")
@_backbones("FETCH")
@_suite
@_tasks
@_signals("FETCH")
@_sets("FETCH", "An option of a part, as `run` takes it.")
@_data_dir
@_task_data
@_json
def fetch_command(
    backbones: tuple[str, ...],
    suite: str,
    tasks: str | None,
    signals: tuple[str, ...],
    sets: tuple[str, ...],
    data_dir: Path | None,
    task_data: tuple[tuple[str, Path], ...],
    as_json: bool,
) -> None:
    """Download what a run needs, so that `cogbench run --offline` works."""
    _environment(offline=False, device="auto")
    from .fetching import brief, fetched, wanted
    from .files import Files
    from .loading import load
    from .report import grid

    listed = tasks.split(",") if tasks else None
    asked = wanted(load(), suite=suite, tasks=listed, backbones=backbones, signals=signals, sets=sets)
    _check_task_data(task_data, [part.name for kind, part in asked if kind == "task"])
    rows = fetched(asked, Files(data_dir, task_data), lambda what, i, n: _say(f"{what} ({i} of {n}) …"))
    click.echo(grid(rows, "json") if as_json else grid(brief(rows), "table"))
    failed = [row for row in rows if row["error"]]
    for row in failed:
        _say(f"{row['what']}: {row['error']}")
    if failed:
        told = f"{len(failed)} of {len(rows)} could not be had; the same command tries them again."
        raise MissingData(told) if len(failed) == len(rows) else FailedCells(told)


@cli.command("doctor")
@_json
def doctor_command(as_json: bool) -> None:
    """Say what is installed, where things are kept, whether the hub answers, and what would stop a run."""
    from .diagnosis import examined
    from .report import grid

    rows = examined()
    click.echo(grid(rows, "json" if as_json else "table"))
    if troubles := [f"{row['what']}: {row['trouble']}" for row in rows if row["trouble"]]:
        raise UnusableData(f"this would stop a run: {'; '.join(troubles)}")


def _json_of(plain: Any) -> str:
    return json.dumps(plain, indent=1)


def _say(text: str) -> None:
    click.echo(f"cogbench: {text}", err=True)


def _check_task_data(task_data: tuple[tuple[str, Path], ...], names: list[str]) -> None:
    for task, _ in task_data:
        if task not in names:
            raise UnknownName.of("task in --task-data", task, names, there="In this run")


def _environment(offline: bool, device: str) -> None:
    """Tell the libraries, here and in the workers, before they are imported: they read this only then."""
    if offline:
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", COGBENCH_OFFLINE="1")
    if not sys.stderr.isatty():
        os.environ.update(HF_HUB_DISABLE_PROGRESS_BARS="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise MissingData("torch sees no CUDA device; use --device cpu.")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Show cells done, all, and time left on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("cells", total=None)
        yield lambda place, done, total: progress.update(bar, description=place, completed=done, total=total)
