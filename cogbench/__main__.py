"""`python -m cogbench` is `cogbench`."""

from .cli.main import cli

cli(prog_name="cogbench")
