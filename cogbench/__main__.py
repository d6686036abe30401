"""`python -m cogbench` is `cogbench`."""

from .cli import cli

cli(prog_name="cogbench")
