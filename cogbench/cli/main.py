"""The command line: parse, call one function, print. Data goes to stdout, everything else to stderr."""

import codecs
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import click

from ..errors import CogbenchError, missing_package
from ..storage.disk import is_disk_full
from . import compute, install, oracles, packs, results, sets
from .commands import Group, WrongCall, group, listen, log

ENDING = "it is about to end; Ctrl-C once more ends it at once."
INTERRUPTED = "interrupted; what was finished is saved, the same command goes on from there."


class _Program(Group):
    """Commands whose foreseen errors print as one line and set the exit code."""

    def main(self, *args: Any, **options: Any) -> Any:
        try:
            with _interruptible():
                return super().main(*args, **options)
        except OSError as error:
            if (fault := _fault_of_machine(error)) is None or os.environ.get("COGBENCH_DEBUG"):
                raise
            log.error(fault)
            _forget_output()
            sys.exit(CogbenchError.exit_code)

    def make_context(self, *args: Any, **how: Any) -> click.Context:
        listen()
        _let_print_anything()
        try:
            return super().make_context(*args, **how)
        except click.UsageError as error:
            raise WrongCall(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        # Threads that wait for work spin otherwise. On a busy machine they take the processor from the threads that
        # work: small matrices took twenty times as long. OpenMP reads this when torch is imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        # A process of multiprocessing complains when this one is killed, and has nothing to do for it.
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except click.UsageError as error:
            raise WrongCall(error) from None
        except (CogbenchError, ModuleNotFoundError) as error:
            foreseen = error if isinstance(error, CogbenchError) else missing_package(error)
            if foreseen is None or os.environ.get("COGBENCH_DEBUG"):
                raise
            for fault in str(foreseen).splitlines():
                log.error(fault)
            ctx.exit(foreseen.exit_code)
        except KeyboardInterrupt:
            log.error(INTERRUPTED)
            ctx.exit(130)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first Ctrl-C end what runs, answer a second one in a line, and end at once at the third.

    That is safe: what is finished is whole, and workers end with their parent.
    """
    presses = count(1)

    def interrupt(*_: Any) -> None:
        number = next(presses)
        if number == 1:
            raise KeyboardInterrupt
        os.write(2, f"cogbench: {ENDING if number == 2 else INTERRUPTED}\n".encode())
        if number > 2:
            os._exit(130)

    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _fault_of_machine(error: OSError) -> str | None:
    """Return in a line what is wrong where that is no fault of the program; None for any other error."""
    if error.errno == errno.ENAMETOOLONG:
        name = str(error.filename)
        shown = name if len(name) < 80 else f"{name[:60]}… ({len(name)} characters)"
        return f"{shown!r} is longer than the names of files may be: give a shorter name."
    if is_disk_full(error):
        where = f" to {str(error.filename)!r}" if error.filename else ""
        return f"nothing more can be written{where}: {error.strerror}."
    return None


def _forget_output() -> None:
    """Drop what could not be printed: Python would try again at its end, and complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# What stands for a sign that the encoding of stdout does not have.
PLAIN_SIGNS = {
    ord(sign): like
    for like, signs in {"-": "─━╸╺–—", "|": "│┃┆┊", "+": "├└┌┐┘┬┴┼±†", "*": "●★", ".": "·", "~": "…", "x": "×"}.items()
    for sign in signs
} | {ord(sign): like for sign, like in zip("░▒▓█≤≥↑↓→←", ":=#@<>^v><", strict=True)}


def _plain_signs(error: UnicodeError) -> tuple[str, int]:
    """Return like signs of ASCII for those that cannot be encoded: an error handler of codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end].translate(PLAIN_SIGNS)
    return "".join(sign if sign.isascii() else "?" for sign in signs), error.end


def _let_print_anything() -> None:
    """Let stdout and stderr take signs that their encoding does not have, such as that of a pipe on Windows."""
    codecs.register_error("cogbench", _plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and not (stream.encoding or "").lower().startswith("utf"):
            stream.reconfigure(errors="cogbench")


SETTINGS = {"auto_envvar_prefix": "COGBENCH", "help_option_names": ["-h", "--help"], "max_content_width": 100}


@group(
    "cogbench",
    cls=_Program,
    context_settings=SETTINGS,
    examples=("cogbench demo", "cogbench run --estimator cra --backbone minilm-2l --suite mini --max-train 32"),
)
@click.version_option(package_name="cogbench-toolkit", prog_name="cogbench")
def cli() -> None:
    """Which source task should a model learn before a target task? Rank, and score the ranking."""


COMMANDS = (
    *compute.COMMANDS,
    *oracles.COMMANDS,
    *packs.COMMANDS,
    *results.COMMANDS,
    *sets.COMMANDS,
    *install.COMMANDS,
)
for command in COMMANDS:
    cli.add_command(command)
