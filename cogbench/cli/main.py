"""The command line: parse, call one function, print. Data goes to stdout, everything else to stderr."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from ..errors import CogbenchError
from ..storage.disk import is_disk_full
from ..text import visible
from . import compute, demo, install, packs, results
from .options import say

INTERRUPTED = "interrupted; what was finished is saved, the same command goes on from there."


class _Group(click.Group):
    """Commands whose foreseen errors print as one line and set the exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        # Threads that wait for work spin otherwise. On a busy machine they take the processor from the threads that
        # work: small matrices took twenty times as long. OpenMP reads this when torch is imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        _messages()
        try:
            with _two_interrupts_end_at_once():
                answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except CogbenchError as error:
            if os.environ.get("COGBENCH_DEBUG"):
                raise
            for fault in str(error).splitlines():
                say(fault)
            ctx.exit(error.exit_code)
        except OSError as error:
            if not is_disk_full(error):
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would write the rest when it ends, and fail again
            say(f"cannot write: {error.strerror}; what was finished is saved, the same command goes on from there.")
            ctx.exit(3)
        except KeyboardInterrupt:
            say(INTERRUPTED)
            ctx.exit(130)


@contextmanager
def _two_interrupts_end_at_once() -> Iterator[None]:
    """Let a first Ctrl-C end what runs, and a second one the process: workers notice, and what is stored is whole."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return

    def at_once(number: int, frame: Any) -> None:
        os.write(2, f"cogbench: {INTERRUPTED}\n".encode())
        os._exit(130)

    def first(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, at_once)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Visible(logging.Formatter):
    """Messages without signs that a terminal obeys: they name files, cells and tasks of others."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _messages() -> None:
    """Print the harness's own messages on stderr; the libraries' stay theirs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("cogbench: %(message)s"))
    log = logging.getLogger("cogbench")
    log.handlers, log.propagate = [handler], False


@click.group(cls=_Group, context_settings={"auto_envvar_prefix": "COGBENCH", "help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cogbench-toolkit", prog_name="cogbench")
def cli() -> None:
    """Which source task should a model learn before a target task? Rank, and score the ranking."""


for command in (*demo.COMMANDS, *compute.COMMANDS, *packs.COMMANDS, *results.COMMANDS, *install.COMMANDS):
    cli.add_command(command)
