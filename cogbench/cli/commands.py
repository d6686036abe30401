"""The kinds of command: help with options in groups and with examples, wrong calls in one line, how much is said."""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import click

from ..text import visible

log = logging.getLogger("cogbench")
NOTE = 25  # the level of what a command tells beside its results: above the details of -v, below warnings
# The groups of options in a help, each with the names of its parameters.
OPTIONS = {
    "What is ranked": "estimator backbone pack suite tasks target checkpoint checkpoints checkpoint_data",
    "The examples of the target": "kind columns column evaluation max_evaluation drop_missing description",
    "What people read": "signal missing stimuli responses",
    "What scores the ranking": "oracle oracles oracle_backbone guess ks top_m gain regret size redundancy better "
    "within",
    "How tables are read": "no_transfer_row diagonal leave_out lower_is_better metric distances guess_leave_out "
    "guess_metric",
    "Trainings": "set seed seeds max_train max_train_target skip_unsuitable sharing select select_share group apply "
    "examples keep keep_models",
    "Data and processors": "data_dir task_data offline device jobs scheduler",
    "What comes out": "k sort stacked synthetic reports title dry_run by to check name origin licence format out "
    "as_json figures",
    "Help and messages": "verbose quiet version help",
}
COMMANDS = {
    "Rank source tasks": "demo run recommend",
    "Read results": "score compare leaderboard report tree submit",
    "Measure and keep transfers": "oracle sets pack",
    "This installation": "list fetch plugins new doctor cache completion",
}
EXIT_CODES = {
    "0": "the command did what it should",
    "1": "some units of work failed; the others are saved, and the same command tries only these again",
    "2": "a name, an option or a value is not known, or options do not go together",
    "3": "data, a model or a file is not there, cannot be used, or cannot be written",
    "4": "two parts open one address; or a plugin cannot be loaded, and COGBENCH_STRICT_PLUGINS is set",
    "130": "the user interrupted the command; what was finished is saved",
}
FEW = 6  # options that need no groups


def say(text: str) -> None:
    """Tell people something, on stderr; not with --quiet."""
    log.log(NOTE, text)


class ToStderr(logging.Handler):
    """Messages as lines on stderr, without signs that a terminal obeys: they name files, cells and tasks of others."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"cogbench: {visible(record.getMessage())}", err=True)


def listen() -> None:
    """Print the harness's own messages on stderr; those of libraries stay theirs."""
    log.handlers, log.propagate = [ToStderr()], False
    log.setLevel(NOTE)


def is_quiet() -> bool:
    """Whether results and errors alone are wanted."""
    return log.level > logging.WARNING


def _set_level(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value:
        return
    wanted = logging.INFO if parameter.name == "verbose" else logging.ERROR
    if log.level not in (NOTE, wanted):
        raise click.UsageError("--verbose says more and --quiet says less: give one of the two.")
    log.setLevel(wanted)


def _messages() -> list[click.Parameter]:
    """Return the options that say how much a command tells; each command has them, before its name and behind it."""
    how: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False, "callback": _set_level}
    return [
        click.Option(["-v", "--verbose"], help="Tell each unit of work and each file, with seconds, on stderr.", **how),
        click.Option(["-q", "--quiet"], help="Tell nothing but results and errors.", **how),
    ]


class Command(click.Command):
    """A command whose help has its options in groups, and ends with examples.

    Parameters
    ----------
    examples : sequence of str
        Lines that a user might type.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **how: Any) -> None:
        super().__init__(*args, **how)
        self.params += _messages()
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, many of them in groups."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        _write_examples(self.examples, formatter)


class Group(click.Group):
    """A command with further commands below it: like `Command`, and no summary of them is cut."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, examples: Sequence[str] = (), **how: Any) -> None:
        super().__init__(*args, **how)
        self.params += _messages()
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands and the options."""
        named = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = {name: _summary(command) for name, command in named.items() if command and not command.hidden}
        for title, names in _grouped(rows, COMMANDS, "Commands").items():
            with formatter.section(title):
                formatter.write_dl([(name, rows[name]) for name in names])
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and of the whole program the exit codes."""
        if ctx.parent is None:
            with formatter.section("Exit codes"):
                formatter.write_dl([*EXIT_CODES.items()])
        _write_examples(self.examples, formatter)


def _summary(command: click.Command) -> str:
    """Return the first sentence of a command's help, or its short help."""
    return command.short_help or " ".join((command.help or "").partition("\n\n")[0].split())


def _grouped(names: Iterable[str], groups: dict[str, str], rest: str) -> dict[str, list[str]]:
    """Return names by their groups, in the order of the groups' tables; those of no group stand under `rest`."""
    left = dict.fromkeys(names)
    answer = dict[str, list[str]]()
    for title, members in groups.items():
        if mine := [name for name in members.split() if name in left]:
            answer[title] = mine
            for name in mine:
                del left[name]
    return {**({rest: [*left]} if left else {}), **answer}


def _write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    shown = [(p, p.get_help_record(ctx)) for p in command.get_params(ctx)]
    records = {"help" if "--help" in p.opts else p.name or "": record for p, record in shown if record is not None}
    grouped = _grouped(records, OPTIONS, "Options")
    *apart, messages = grouped
    if sum(len(grouped[title]) for title in apart) <= FEW or len(apart) < 2:
        grouped = {
            **({"Options": [name for title in apart for name in grouped[title]]} if apart else {}),
            messages: grouped[messages],
        }
    for title, names in grouped.items():
        with formatter.section(title):
            formatter.write_dl([records[name] for name in names])


def _write_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    if not examples:
        return
    with formatter.section("Example" if len(examples) == 1 else "Examples"):
        for example in examples:
            room = formatter.width - formatter.current_indent
            for line in in_shell_lines(example, room):
                formatter.write(f"{' ' * formatter.current_indent}{line}\n")


def in_shell_lines(command: str, room: int) -> Iterator[str]:
    """Yield the lines of a shell's command that are no longer than `room`: broken before options, joined by \\."""
    line, *pieces = re.split(r" (?=-)", command)
    for piece in pieces:
        if len(line) + len(piece) + 3 > room:
            yield f"{line} \\"
            line = f"  {piece}"
        else:
            line += f" {piece}"
    yield line


class WrongCall(click.ClickException):
    """A wrong option, value or argument, told in one line."""

    exit_code = 2

    def __init__(self, error: click.UsageError) -> None:
        path = error.ctx.command_path if error.ctx else "cogbench"
        sentence = _in_one_sentence(error).rstrip(".")
        sentence += "" if sentence.endswith("?") else "."
        super().__init__(f"{sentence} `{path} --help` shows how it is called.")

    def show(self, file: Any = None) -> None:
        """Print the line."""
        log.error(self.message)


def _in_one_sentence(error: click.UsageError) -> str:
    near = " or ".join(getattr(error, "possibilities", None) or ())
    guess = f"; did you mean {near}?" if near else ""
    if isinstance(error, click.NoSuchOption):
        return f"there is no option {error.option_name}{guess}"
    if isinstance(error, click.BadParameter):
        hint = error.param_hint or (error.param.get_error_hint(error.ctx) if error.param else "")  # type: ignore[arg-type]
        place = (hint if isinstance(hint, str) else ", ".join(hint)).replace("'", "")
        if isinstance(error, click.MissingParameter):
            choices = getattr(getattr(error.param, "type", None), "choices", ())
            return f"{place} is needed" + (f": one of {', '.join(choices)}" if choices else "")
        return f"{place}: {error.message}"
    sentence = " ".join(error.message.split())
    return sentence[:1].lower() + sentence[1:] + guess


command = partial(click.command, cls=Command)
group = partial(click.group, cls=Group)
