"""The commands about what is installed and stored: list, plugins, new, fetch, doctor, cache."""

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from ..errors import FailedCells, MissingData, UnusableData
from . import options as option
from . import signals
from .commands import command, group, log, say
from .options import Site, at_site, print_rows, progress

if TYPE_CHECKING:
    from ..compute.workspace import Step

KINDS = ("tasks", "backbones", "signals", "estimators", "oracles", "suites", "packs", "selectors")

SHELLS = {  # and what switches completion on
    "bash": 'eval "$(cogbench completion bash)"',
    "zsh": 'eval "$(cogbench completion zsh)"',
    "fish": "cogbench completion fish | source",
}


@command("list", short_help="List what is installed, of one kind.", examples=("cogbench list estimators",))
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@click.option("--data-dir", type=click.Path(path_type=Path), default=None, help="Say which data are there.")
@option.as_json
def list_(kind: str, data_dir: Path | None, as_json: bool) -> None:
    """List the installed parts of a kind, and where they come from.

    KIND is tasks, backbones, signals, estimators, oracles, suites, packs or selectors.
    """
    from ..parts.registry import load_parts
    from ..views.listing import render_parts

    click.echo(render_parts(load_parts(), kind.removesuffix("s"), as_json=as_json, data_dir=data_dir))


@command(
    "plugins",
    short_help="List or check the plugins.",
    examples=("cogbench plugins", "cogbench plugins --check cogbench-transferability"),
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--check", is_flag=True, help="Run the contract checks on each part.")
@option.as_json
def plugins(names: tuple[str, ...], check: bool, as_json: bool) -> None:
    """List the plugins, their parts, and what is wrong.

    Each NAME is a plugin or a distribution; without any, all plugins are listed or checked.
    """
    from ..parts.registry import load_parts
    from ..testing.installed import BROKEN, check_installed, find_plugins
    from ..views.listing import plugin_rows

    parts = load_parts()
    if check:
        with progress() as report:
            rows = check_installed(parts, names, report or _say_step)
    else:
        rows = plugin_rows(replace(parts, plugins=find_plugins(parts, names)))
    print_rows(rows, as_json)
    if broken := [row["part"] for row in rows if row.get("check", "").startswith(BROKEN)]:
        raise UnusableData(f"broken: {', '.join(broken)}.")


def _say_step(step: "Step") -> None:
    say(f"checking {step.place} ({step.done + 1} of {step.total}) …")


@group("new", short_help="Write the files of a new plugin.")
def new() -> None:
    """Write the files of a new plugin."""


@new.command(
    "plugin",
    short_help="Write the package of a plugin.",
    examples=("cogbench new plugin my-estimators --with estimator,task",),
)
@click.argument("name")
@click.option(
    "--with",
    "kinds",
    multiple=True,
    default=("estimator",),
    show_default=True,
    callback=option.several,
    metavar="KIND,…",
    help="What to give an example of: estimator, task, signal, oracle, suite, by commas.",
)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="A new folder.  [default: NAME]")
def new_plugin(name: str, kinds: tuple[str, ...], out: Path | None) -> None:
    """Write the package of a plugin, and print what to type next.

    The package is called NAME. It installs as it stands, with its tests and a short example of each kind of part that
    is asked for. The data of the examples are invented.
    """
    from ..parts.registry import load_parts
    from ..testing import new_plugin as template

    folder = out or Path(name)
    option.say_wrote(*template.new_plugin(name, kinds, folder, load_parts()))
    place = quote(str(folder) if folder.is_absolute() else f"./{folder}")  # pip looks up a name without a slash
    click.echo(f"pip install -e {place} pytest\npytest {place}\ncogbench plugins --check {name}")


@command(
    "fetch",
    short_help="Download what a run needs.",
    examples=("cogbench fetch --backbone minilm --tasks cola,rte,sst-2",),
)
@option.backbone()
@option.suite
@option.some_tasks
@signals.signal
@option.set_("An option of a part, as `run` takes it.")
@at_site(option.data_dir, option.task_data)
@option.as_json
def fetch(site: Site, as_json: bool, **how: Any) -> None:
    """Download what a run needs, so that `cogbench run --offline` works."""
    from ..parts.registry import load_parts
    from ..runs.fetch import fetch_wanted, resolve_wanted
    from ..views.listing import fetch_rows

    wanted = resolve_wanted(load_parts(), **how)
    site.check_tasks([part.name for kind, part in wanted if kind == "task"])
    files = replace(site.files(), fetching=bool(how["signal"]))
    rows = fetch_wanted(wanted, files, _say_what)
    print_rows(rows, as_json, fetch_rows)
    for row in rows:
        if row["unsuitable"]:
            say(f"{row['what']}: {row['unsuitable']}")
    failed = [row for row in rows if row["error"]]
    for row in failed:
        log.error(f"{row['what']}: {row['error']}")
    if failed:
        message = f"{len(failed)} of {len(rows)} could not be had; the same command tries them again."
        raise MissingData(message) if len(failed) == len(rows) else FailedCells(message)


def _say_what(step: "Step") -> None:
    if step.running:
        say(f"{step.place} ({step.done + 1} of {step.total}) …")


@command("doctor", short_help="Say what would stop a run.", examples=("cogbench doctor --backbone minilm",))
@option.backbone()
@option.as_json
def doctor(backbone: tuple[str, ...], as_json: bool) -> None:
    """Say what is installed, where things are kept, whether the hub answers, and what would stop a run."""
    from .doctor import examine

    rows = examine(backbone)
    print_rows(rows, as_json)
    if troubles := [f"{row['what']}: {row['trouble']}" for row in rows if row["trouble"]]:
        raise UnusableData(f"this would stop a run: {'; '.join(troubles)}")


@group("cache", short_help="Say what the store holds, and clear it.")
def cache() -> None:
    """Say what the store holds, and remove what no run can ask for any more."""


@cache.command("info", examples=("cogbench cache info",))
@option.as_json
def cache_info(as_json: bool) -> None:
    """Say how much of each kind of thing the store holds, and how much of it is out of reach."""
    from ..compute.inventory import info
    from ..parts.registry import load_parts
    from ..storage.remote_store import open_store
    from ..views.listing import inventory_rows

    store = open_store()
    print_rows(info(store, load_parts()), as_json, inventory_rows)
    if not as_json:
        say(
            f"the store is {store.root}; `cogbench cache prune` removes what is out of reach, with --other-versions "
            "the cells of other versions of cogbench too."
        )


@cache.command("prune", examples=("cogbench cache prune --dry-run",))
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--other-versions", is_flag=True, help="Remove the cells of other versions of cogbench too.")
@option.as_json
def cache_prune(dry_run: bool, other_versions: bool, as_json: bool) -> None:
    """Remove cells of changed code, damaged cells, and what killed processes left."""
    from ..compute.inventory import info, prune
    from ..parts.registry import load_parts
    from ..storage.remote_store import open_store
    from ..text import in_words

    store, parts = open_store(), load_parts()
    removed = prune(store, parts, other_versions=other_versions, dry_run=dry_run)
    rows = [
        {
            "folder": str(one.folder),
            "kind": one.kind,
            "bytes": one.size if as_json else in_words(one.size),
            "fault": one.fault or f"made by cogbench {one.version}",
        }
        for one in removed
    ]
    if rows or as_json:
        print_rows(rows, as_json)
    total = in_words(sum(one.size for one in removed))
    say(f"{len(removed)} folders, {total}" + (" would be removed" if dry_run else " removed"))
    left = info(store, parts)
    spared = sum(row["out of reach"] for row in left) - dry_run * sum(bool(one.fault) for one in removed)
    if spared:
        say(f"{spared} more are out of reach and stay: younger than an hour, or needed by a command that runs.")
    if not other_versions and (others := sum(row["other versions"] for row in left)):
        say(f"{others} are of other versions of cogbench and stay; --other-versions removes them.")


@command("completion", short_help="Print what completes words in a shell.", examples=tuple(SHELLS.values()))
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice([*SHELLS]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands, options and the names of parts."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "cogbench", "_COGBENCH_COMPLETE").source())


COMMANDS = (list_, plugins, new, fetch, doctor, cache, completion)
