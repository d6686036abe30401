"""What the commands share: options, the site where a command computes, how it speaks and shows that it goes on."""

import functools
import io
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ..errors import MissingData, UnknownName
from .commands import is_quiet, say

if TYPE_CHECKING:
    from ..compute.workspace import Report, Workspace
    from ..data.files import Files

FORMATS = ("table", "json", "markdown", "latex", "csv")


def complete(kind: str) -> Callable[..., list[CompletionItem]]:
    """Return the completion of a list, by commas, of installed parts of a kind; of files where there are none."""

    def names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from ..parts.oracle_names import completions
        from ..parts.registry import load_parts

        done, _, last = incomplete.rpartition(",")
        near = [name for name in completions(load_parts(), kind) if name.startswith(last)]
        return [CompletionItem(f"{done},{n}" if done else n) for n in near] or [CompletionItem(incomplete, type="file")]

    return names


class AtLeast(click.ParamType[float]):
    """A number from `least` on, whole unless said."""

    name = "n"

    def __init__(self, least: int, *, whole: bool = True) -> None:
        self.least, self.whole = least, whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; a sentence says what is none."""
        try:
            number = int(value) if self.whole else float(value)
        except ValueError:
            number = math.nan
        if not self.least <= number < math.inf:
            self.fail(f"{value!r} is no {'whole ' if self.whole else ''}number from {self.least} on", param, ctx)
        return number


def numbers(least: int) -> Callable[..., tuple[int, ...]]:
    """Return the reader of a list of whole numbers, by commas."""

    def read(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
        try:
            numbers = tuple(dict.fromkeys(int(v) for v in value.split(",")))
        except ValueError:
            numbers = (-1,)
        if not all(least <= n < 2**32 for n in numbers):
            raise click.BadParameter(f"{value!r} is no list of whole numbers from {least} such as {least},{least + 1}")
        return numbers

    return read


def sizes(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Return the numbers of examples of a list by commas; none where nothing is given."""
    return () if value is None else numbers(1)(ctx, param, value)


def _names(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str] | None:
    return [name.strip() for name in value.split(",") if name.strip()] if value else None


def several(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of an option that may be given several times, each time with names by commas."""
    names = [name.strip() for value in values for name in value.split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


def pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    """Return the names and paths of an option that may be given several times."""
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"{value!r} is not of the form {param.metavar or 'TASK=DIR'}")
    return tuple((v.partition("=")[0], Path(v.partition("=")[2])) for v in values)


def pair(text: str) -> tuple[str, str]:
    """Return the two sides of `text=COLUMN`."""
    role, equals, column = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not of the form text=COLUMN", param_hint="--column")
    return role.strip(), column.strip()


def backbone(**more: Any) -> Callable[..., Any]:
    """Return the option of several backbones."""
    return click.option(
        "--backbone",
        multiple=True,
        shell_complete=complete("backbone"),
        help="A name from `cogbench list backbones`, a hub id, or a folder; may be given several times.",
        **more,
    )


def set_(help: str) -> Callable[..., Any]:
    """Return the option that sets the options of parts."""
    return click.option("--set", multiple=True, metavar="PART.OPTION=VALUE[,VALUE…]", help=help)


def format_(*more: str) -> Callable[..., Any]:
    """Return the option of what stdout gets."""
    choices = click.Choice((*FORMATS, *more))
    return click.option(
        "--format",
        type=choices,
        default="table",
        show_default=True,
        callback=_in_utf8,
        help="The format of what is printed.",
    )


def _in_utf8(ctx: click.Context, param: click.Parameter, form: str) -> str:
    """Let stdout be UTF-8 where programs read it, whatever the encoding of terminals is here."""
    if form != "table" and not sys.stdout.isatty() and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return form


suite = click.option(
    "--suite",
    default="cogtaskonomy",
    show_default=True,
    shell_complete=complete("suite"),
    help="The tasks and the usual signal.",
)


def _tasks(more: str = "") -> Callable[..., Any]:
    words = f"Some tasks of the suite, by commas{more}."
    return click.option("--tasks", default=None, callback=_names, shell_complete=complete("task"), help=words)


some_tasks = _tasks()
tasks = _tasks("; an oracle's ranks are then those among them")
seeds = click.option("--seeds", default="0", show_default=True, callback=numbers(0), help="Training seeds, by commas.")
max_train = click.option(
    "--max-train",
    type=AtLeast(1),
    default=None,
    help="At most so many training examples a task, a stratified sample.  [default: all]",
)
max_train_target = click.option(
    "--max-train-target",
    type=AtLeast(1),
    default=None,
    help="At most so many training examples of a task as the target.  [default: as --max-train]",
)
skip_unsuitable = click.option(
    "--skip-unsuitable",
    is_flag=True,
    help="Leave out the tasks that a backbone cannot be trained on.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
ks = click.option(
    "-k", "ks", default="3,4,5", show_default=True, callback=numbers(1), help="The k of top-k, by commas."
)
top_m = click.option("--top-m", type=AtLeast(1), default=6, show_default=True, help="The oracle's best M, of top-k.")

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=None,
    help="Local files in the hub's layout instead of the hub.",
)
task_data = click.option(
    "--task-data",
    multiple=True,
    callback=pairs,
    metavar="TASK=DIR",
    help="The same for one task; may be given several times.",
)
offline = click.option(
    "--offline", is_flag=True, envvar="COGBENCH_OFFLINE", help="Use no network: only data and models on this machine."
)
device = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
jobs = click.option(
    "--jobs",
    type=AtLeast(0),
    default=None,
    help="Worker processes; 0 computes in this one.  [default: by GPUs, else by cores and memory]",
)
scheduler = click.option("--scheduler", default=None, metavar="ADDRESS", help="A dask scheduler whose workers compute.")
dry_run = click.option(
    "--dry-run", is_flag=True, help="Print what would be computed, its time and disk, and compute nothing."
)


@dataclass(frozen=True)
class Site:
    """Where a command finds its data and computes: what the options say that `at_site` gathers."""

    data_dir: Path | None = None
    task_data: tuple[tuple[str, Path], ...] = ()
    offline: bool = False
    device: str = "auto"
    jobs: int | None = None
    scheduler: str | None = None

    def files(self) -> "Files":
        """Return the door to the data."""
        from ..data.files import Files

        return Files(self.data_dir, self.task_data, self.offline)

    def check_tasks(self, tasks: Sequence[str]) -> None:
        """Raise UnknownName if `--task-data` names a task that the command does not use."""
        for task, _ in self.task_data:
            if task not in tasks:
                raise UnknownName.of("task in --task-data", task, tasks, label="In this run")

    def workspace(self, report: "Report | None" = None) -> "Workspace":
        """Return the surroundings of a run as the options say, with the user's store and the installed parts."""
        from ..compute.workspace import workspace_of

        return workspace_of(files=self.files(), progress=report, **self.processes())

    def processes(self) -> dict[str, Any]:
        """Return which processes compute."""
        if self.scheduler and self.jobs is not None:
            raise click.UsageError("--jobs is for processes of this machine, --scheduler has its own: give one.")
        return {"jobs": self.jobs, "scheduler": self.scheduler}


def at_site(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options as one argument, its `site`, and tell the libraries of it."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def inner(**given: Any) -> Any:
            site = Site(**{f.name: given.pop(f.name) for f in fields(Site) if f.name in given})
            _environment(site.offline, site.device)
            return command(site=site, **given)

        return functools.reduce(lambda command, option: option(command), reversed(options), inner)

    return decorate


def oracle_reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how the table of an oracle is read, as one argument, its `reading`."""

    @functools.wraps(command)
    def inner(*args: Any, **given: Any) -> Any:
        from ..data.score_tables import TableReading

        options = {f.name: given.pop(f.name) for f in fields(TableReading)}
        return command(*args, reading=TableReading(**options), **given)

    return functools.reduce(lambda command, option: option(command), reversed(OF_ORACLE_TABLES), inner)


def guess_reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how the table of a guess is read, as one argument, its `guess_reading`."""

    @functools.wraps(command)
    def inner(*args: Any, distances: bool, guess_leave_out: tuple[str, ...], guess_metric: str, **given: Any) -> Any:
        from ..data.score_tables import ALL_TARGETS, TableReading

        lower = (ALL_TARGETS,) if distances else ()
        reading = TableReading(leave_out=guess_leave_out, lower_is_better=lower, metric=guess_metric)
        return command(*args, guess_reading=reading, **given)

    return functools.reduce(lambda command, option: option(command), reversed(OF_GUESS_TABLES), inner)


OF_ORACLE_TABLES = (
    click.option(
        "--no-transfer-row",
        default=None,
        metavar="NAME",
        help="Of an oracle's table: this row has the targets trained without a source.  [default: no-transfer]",
    ),
    click.option(
        "--diagonal",
        type=click.Choice(["no-transfer", "leave-out"]),
        default=None,
        help="Of an oracle's table: its diagonal has the targets without a source, or is left out.",
    ),
    click.option(
        "--leave-out",
        multiple=True,
        callback=several,
        metavar="NAME,…",
        help="Of an oracle's table: these rows and columns are no tasks, such as an average.",
    ),
    click.option(
        "--lower-is-better",
        multiple=True,
        callback=several,
        metavar="all|TARGET,…",
        help="Of an oracle's table: lower figures of these targets are better, such as error rates.",
    ),
    click.option(
        "--metric", default=None, metavar="NAME", help="Of an oracle's table: the metric, where a target has several."
    ),
)
OF_GUESS_TABLES = (
    click.option("--distances", is_flag=True, help="Of the guess: lower figures mean more similar tasks."),
    click.option(
        "--guess-leave-out",
        multiple=True,
        callback=several,
        metavar="NAME,…",
        help="Of the guess: these rows and columns are no tasks.",
    ),
    click.option(
        "--guess-metric", default=None, metavar="NAME", help="Of the guess: the measure, where a table has several."
    ),
)
COMPUTES = (data_dir, task_data, offline, device, jobs, scheduler)


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


def say_wrote(*paths: Path) -> None:
    """Tell what was written."""
    for path in paths:
        say(f"wrote {path}")


def as_text(plain: Any) -> str:
    """Return JSON values as they are written for machines."""
    return json.dumps(plain, indent=1)


def print_json(plain: Any) -> None:
    """Print JSON values."""
    click.echo(as_text(plain))


def print_rows(
    rows: list[dict[str, Any]],
    as_json: bool,
    brief: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda rows: rows,
) -> None:
    """Print rows for machines as they are, for people in brief."""
    from ..views.formats import grid

    click.echo(grid(rows, "json") if as_json else grid(brief(rows), "table"))


def progress() -> "AbstractContextManager[Report | None]":
    """Show how far the command is, unless it is to be quiet."""
    from ..workers.progress import shown_progress

    return shown_progress(not is_quiet())
