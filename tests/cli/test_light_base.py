"""Without the packages of the extra `run`, results and packs are read, scored and compared; trainings name it."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "docs" / "results"
ORACLE = "cogtaskonomy-minilm-2l-max-1000"
TWO = [next(RESULTS.glob(f"{name}--minilm-2l--*--{ORACLE}-*.json")) for name in ("size", "random")]
WORKS = {
    "list": ["list", "oracles"],
    "score": ["score", TWO[0], "--oracle", ORACLE],
    "compare": ["compare", *TWO],
    "report": ["report", TWO[0], "--out", "report.html"],
    "leaderboard": ["leaderboard", *TWO, "--stacked", "--format", "html", "--out", "board.html"],
    "pack": ["pack", "show", "mini-minilm-2l"],
    "estimators from a pack": [
        *["run", "--pack", "mini-minilm-2l", "--out", "results"],
        *["--estimator", "cra", "--estimator", "dse", "--estimator", "cnm-ridge", "--estimator", "parc"],
    ],
    "published oracle": ["run", "--estimator", "popularity", "--backbone", "bert", "--offline", "--out", "results"],
}
NEEDS = {
    "training": ["run", "--suite", "mini", "--estimator", "cra", "--backbone", "minilm-2l", "--offline"],
    "network of CNM": [
        "run",
        "--pack",
        "mini-minilm-2l",
        "--estimator",
        "cnm",
        "--set",
        "cnm.seeds=1",
        "--out",
        "results",
    ],
}
DRIVER = """
import json, sys
from importlib import metadata

absent = {*json.loads(sys.argv[1]), "tokenizers", "pandas"}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
version = metadata.version

def version_of_present(name):
    if name.replace("-", "_") in absent:
        raise metadata.PackageNotFoundError(name)
    return version(name)

metadata.version = version_of_present
from click.testing import CliRunner
from cogbench.cli.main import cli
outcomes = {}
for name, words in json.loads(sys.argv[2]).items():
    outcome = CliRunner().invoke(cli, words)
    fault = repr(outcome.exception) if outcome.exception and not isinstance(outcome.exception, SystemExit) else ""
    outcomes[name] = [outcome.exit_code, outcome.stdout[-500:], outcome.stderr[-800:], fault]
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """The exit code, stdout, stderr and exception of each command where no package of the extra is installed."""
    packages = [
        re.match(r"[\w.-]+", line)[0].replace("-", "_")
        for line in metadata.requires("cogbench-toolkit")
        if re.search(r"extra == .run\b", line)
    ]
    assert {"torch", "transformers", "datasets", "distributed"} <= {*packages}
    commands = {name: [*map(str, words)] for name, words in (WORKS | NEEDS).items()}
    folder = tmp_path_factory.mktemp("light")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(packages), json.dumps(commands)],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", WORKS)
def test_it_works_without_the_extra(name, outcomes):
    code, stdout, stderr, fault = outcomes[name]
    assert code == 0 and not fault, stderr + fault


@pytest.mark.parametrize("name", NEEDS)
def test_what_trains_names_the_extra(name, outcomes):
    code, stdout, stderr, fault = outcomes[name]
    assert code and not fault, fault
    assert (
        "package torch, which is not installed: `pip install -e '.[run]'` in a checkout of cogbench brings it" in stderr
    )


def test_packages_of_the_base_are_no_packages_of_the_extra():
    requirements = metadata.requires("cogbench-toolkit")
    base = {re.match(r"[\w.-]+", line)[0] for line in requirements if "extra ==" not in line}
    run = {re.match(r"[\w.-]+", line)[0] for line in requirements if re.search(r"extra == .run\b", line)}
    assert "numpy" in base and run and not base & run
