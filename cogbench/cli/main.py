"""The command line: parse, call one function, print. Data goes to stdout, everything else to stderr."""

import logging
import os
import sys
from typing import Any

import click

from ..errors import CogbenchError
from . import compute, install, packs, results
from .options import say


class _Group(click.Group):
    """Commands whose foreseen errors print as one line and set the exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        _messages()
        try:
            return super().invoke(ctx)
        except CogbenchError as error:
            if os.environ.get("COGBENCH_DEBUG"):
                raise
            for fault in str(error).splitlines():
                say(fault)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            say("interrupted; what was finished is saved, the same command goes on from there.")
            ctx.exit(130)


def _messages() -> None:
    """Print the harness's own messages on stderr; the libraries' stay theirs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("cogbench: %(message)s"))
    log = logging.getLogger("cogbench")
    log.handlers, log.propagate = [handler], False


@click.group(cls=_Group, context_settings={"auto_envvar_prefix": "COGBENCH", "help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cogbench-toolkit", prog_name="cogbench")
def cli() -> None:
    """Which source task should a model learn before a target task? Rank, and score the ranking."""


for command in (*compute.COMMANDS, *packs.COMMANDS, *results.COMMANDS, *install.COMMANDS):
    cli.add_command(command)
