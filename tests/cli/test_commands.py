"""What all commands have in common: help in groups that fits, wrong calls in one line, how much is said, completion."""

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from command import cogbench, line

import cogbench as cogbench_package
from cogbench.cli.commands import COMMANDS, EXIT_CODES, OPTIONS, in_shell_lines
from cogbench.cli.main import cli
from cogbench.errors import CogbenchError
from cogbench.parts import registry


def walk(command, path=()):
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, (*path, name))


ALL = dict(walk(cli))
ids = " ".join
SINGLE = [path for path, command in ALL.items() if not isinstance(command, click.Group)]


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("path", ALL, ids=ids)
def test_a_help_fits_the_terminal(path, width):
    answer = CliRunner().invoke(cli, [*path, "--help"], terminal_width=width)
    assert answer.exit_code == 0
    # The name of an option with its value stands whole.
    long = [text for text in answer.stdout.splitlines() if len(text) > width and not text.strip().startswith("--")]
    assert not long


@pytest.mark.parametrize("path", SINGLE, ids=ids)
def test_a_help_ends_with_examples_whose_options_there_are(path):
    command = ALL[path]
    assert command.examples, "give the command an example"
    for example in command.examples:
        words = [word.strip('$("') for word in example.split()]
        assert ("cogbench", *path) == tuple(words[words.index("cogbench") :][: len(path) + 1])
        assert {word for word in words if word.startswith("-")} <= {o for p in command.params for o in p.opts}
    shown = CliRunner().invoke(cli, [*path, "--help"], terminal_width=200).stdout
    assert shown.rstrip().endswith(command.examples[-1])


def test_many_options_stand_in_groups_and_few_do_not():
    run = CliRunner().invoke(cli, ["run", "--help"]).stdout
    titles = [text.rstrip(":") for text in run.splitlines() if text.endswith(":") and not text.startswith(" ")]
    assert [title for title in OPTIONS if title in titles] == [title for title in titles if title in OPTIONS]
    assert "What is ranked" in titles and "Data and processors" in titles and "Options" not in titles
    tree = CliRunner().invoke(cli, ["tree", "--help"]).stdout
    assert "\nOptions:" in tree and "What comes out" not in tree
    shown = {word for text in run.splitlines() for word in text.split()[:2] if word.startswith("-")}
    assert {o for p in ALL[("run",)].params if isinstance(p, click.Option) for o in p.opts} <= {
        w.rstrip(",") for w in shown
    }


def test_the_top_help_names_each_command_once_in_full_and_the_exit_codes():
    text = CliRunner().invoke(cli, ["--help"], terminal_width=80).stdout
    assert "..." not in text.replace("[ARGS]...", "")
    for name in cli.commands:
        assert sum(row.split()[:1] == [name] for row in text.splitlines()) == 1
    assert all(f"\n{title}:" in text for title in COMMANDS)
    assert all(any(row.split()[:1] == [code] for row in text.splitlines()) for code in EXIT_CODES)


def test_the_exit_codes_of_the_help_are_those_of_errors_and_of_the_document(request):
    codes = {str(kind.exit_code) for kind in _kinds(CogbenchError)}
    assert codes | {"0", "130"} == {*EXIT_CODES}
    page = (request.config.rootpath / "docs/environment.md").read_text()
    for code, words in EXIT_CODES.items():
        assert f"| {code} | {words} |" in page


def _kinds(kind):
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


@pytest.mark.parametrize("path", ALL, ids=ids)
def test_a_wrong_option_is_one_line_and_2(path):
    line(cogbench(*path, "--nosuch"), 2)
    assert "give one of the two" in line(cogbench(*path, "--quiet", "--verbose"), 2)
    for option in ALL[path].params:
        if (
            isinstance(option, click.Option)
            and not option.is_flag
            and option.type.name not in ("text", "path", "directory")
        ):
            answer = cogbench(*path, option.opts[-1], "x")
            assert len(answer.stderr.splitlines()) == 1
            told = line(answer, 2)
            assert told.startswith(f"cogbench: {option.opts[0]}") and "valid" not in told, told
            assert f"`{' '.join(('cogbench', *path))} --help`" in told


@pytest.mark.parametrize(
    "words, message",
    [
        ("run", "--estimator is needed"),
        ("fo", "no such command"),
        ("list", "KIND is needed: one of tasks, backbones"),
        ("list foo", "KIND: 'foo' is not one of 'tasks'"),
        ("run --estimater cra", "there is no option --estimater; did you mean --estimator or "),
        ("run --estimator", "requires an argument"),
        ("run --estimator cra", "name a backbone with --backbone"),
        ("run --estimator cra --backbone minilm-2l --suite mini --set foo", "PART.OPTION=VALUE"),
        ("run --estimator cra --backbone minilm-2l --suite mini --set cra.similarity=cosin", "'spearman'"),
        ("run --estimator cra --backbone minilm-2l --suite mini --set cra.similarty=cosine", "did you mean"),
        ("run --estimator cra --backbone minilm-2l --suite mini --tasks mini-rte", "at least three tasks"),
        ("run --estimator cra --backbone minilm-2l --pack mini-minilm-2l", "leave out --backbone"),
        (
            "run --estimator cra --backbone minilm-2l --suite mini --tasks m",
            "did you mean 'medmcqa-subject' or 'mini-cola'",
        ),
        ("run --estimator cra --checkpoint a", "is not of the form NAME="),
        ("recommend --target x --estimator cra --backbone minilm-2l --column a", "is not of the form text=COLUMN"),
        ("oracle measure --backbone minilm-2l --suite mini --tasks mini-rte", "at least three tasks"),
        ("oracle measure --backbone minilm-2l --suite mini --select-share 0.5", "--select"),
        ("oracle measure --backbone minilm-2l --suite mini --group 2", "--sharing"),
        ("oracle export cogtaskonomy-bert --out oracle.txt", "name a file .csv"),
        ("oracle show standley2020-results-subsets", "sets show"),
        ("pack make --backbone minilm-2l --suite mini --out pack.zip", "name a file .safetensors"),
        ("leaderboard --sort nosuch {results}", "unknown score 'nosuch'"),
        ("leaderboard --synthetic {results}", "add --stacked"),
    ],
)
def test_what_is_wrong_with_a_call_is_one_line_and_2(words, message, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    results = request.config.rootpath / "docs/results"
    answer = cogbench(*words.format(results=results).split())
    assert message in line(answer, 2) and len(answer.stderr.splitlines()) == 1


@pytest.fixture
def toy_run(toy_plugin, tmp_path, monkeypatch):
    load_parts = registry.load_parts
    monkeypatch.setattr(registry, "load_parts", lambda: load_parts(toy_plugin))
    monkeypatch.chdir(tmp_path)
    words = "run --estimator dse --suite toy --backbone toy --jobs 0 --offline".split()
    return lambda *before: cogbench(*before, *words, COGBENCH_HOME=str(tmp_path / "".join(["home", *before])))


def test_quiet_leaves_results_and_errors_and_verbose_tells_files_and_seconds(toy_run, tmp_path):
    usual, quiet, verbose = (toy_run(*words) for words in ([], ["-q"], ["-v"]))
    assert {usual.exit_code, quiet.exit_code, verbose.exit_code} == {0}
    assert (
        "wrote" in usual.stderr
        and quiet.stderr == ""
        and quiet.stdout.splitlines()[:1] == usual.stdout.splitlines()[:1]
    )
    assert "cogbench: wrote" in verbose.stderr and "toy/toy-a/seed-0" in verbose.stderr and " s" in verbose.stderr
    assert "TRS" in quiet.stdout
    behind = cogbench("leaderboard", tmp_path / "nowhere", "-q")
    assert behind.exit_code == 3 and "nowhere" in behind.stderr
    assert logging.getLogger("cogbench").level == logging.ERROR


def test_a_command_asks_nothing(tmp_path):
    environment = {**os.environ, "COGBENCH_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "cogbench", "cache", "prune"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0 and "removed" in done.stderr
    sources = [path.read_text() for path in Path(cogbench_package.__file__).with_name("cli").glob("*.py")]
    assert not [word for word in ("click.prompt", "click.confirm", "input(", "prompt=") for s in sources if word in s]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell):
    script = cogbench("completion", shell).stdout
    assert f"_COGBENCH_COMPLETE={shell}_complete" in script and "cogbench" in script
    assert "is needed: one of bash, zsh, fish" in line(cogbench("completion"), 2)


@pytest.mark.parametrize(
    "words, name",
    [
        ("run --estimator c", "cra"),
        ("run --backbone min", "minilm-2l"),
        ("run --tasks mini-rte,mini-q", "mini-rte,mini-qnli"),
        ("run --signal pe", "pereira"),
        ("run --oracle cog", "cogtaskonomy-bert"),
        ("run --suite mi", "mini"),
        ("run --pack mi", "mini-minilm-2l"),
        ("recommend --target mini-", "mini-rte"),
        ("leaderboard --oracle cog", "cogtaskonomy-bert"),
        ("sets show standley2020-results-s", "standley2020-results-subsets"),
        ("oracle show tas", "taskweb"),
    ],
)
def test_completion_knows_the_names_of_parts_and_loads_no_torch(words, name):
    code = """
        import sys
        from cogbench.cli.main import cli
        try:
            cli(prog_name="cogbench")
        except SystemExit:
            pass
        print("torch" in sys.modules, file=sys.stderr)
    """
    words = ["cogbench", *words.split()]
    environment = {
        "_COGBENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    assert f"plain,{name}" in done.stdout.splitlines(), done
    assert done.stderr.splitlines()[-1] == "False"


def test_an_example_is_broken_before_an_option():
    assert [*in_shell_lines("cogbench run --estimator cra --suite mini", 30)] == [
        "cogbench run --estimator cra \\",
        "  --suite mini",
    ]
