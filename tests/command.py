"""The command line in a test."""

from click.testing import CliRunner

from cogbench.cli.main import cli


def cogbench(*words, **env):
    """Run a command as a user types it."""
    return CliRunner().invoke(cli, [*map(str, words)], env=env)


def line(found, code):
    """The one line of an error: no traceback, the exit code, nothing on stdout."""
    assert found.exit_code == code, found.output
    assert "Traceback" not in found.output and not found.stdout
    (text,) = found.stderr.strip().splitlines()[-1:]
    return text
