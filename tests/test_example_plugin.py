"""A third party's package, installed as its users install it, works in every command."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "example_plugin"
COGBENCH = str(Path(sys.executable).with_name("cogbench"))
TASKS = ["example-length", "example-order", "example-repeat"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder that the plugin is installed in."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(PLUGIN)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


def _environment(site):
    path = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


@pytest.fixture
def command(site, tmp_path):
    """Return a function that runs `cogbench` with the plugin installed, and returns what it prints."""

    def command(*words):
        env = _environment(site)
        done = subprocess.run([COGBENCH, *words], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return command


def test_its_parts_are_listed_with_their_distribution(command):
    for kind, names in {"estimators": ["example-distance"], "tasks": TASKS, "suites": ["example"]}.items():
        of = {row["name"]: row["distribution"] for row in json.loads(command("list", kind, "--json"))}
        assert [of[name] for name in names] == ["cogbench-example"] * len(names)
    plugins = json.loads(command("plugins", "--json"))
    (row,) = [r for r in plugins if r["distribution"] == "cogbench-example"]
    assert (row["plugin"], row["version"], row["error"]) == ("example", "1.0", "")
    assert "cogbench-toolkit" in {r["distribution"] for r in plugins}


def test_its_parts_keep_their_promises(site):
    """`cogbench plugins --check`, but for the minute that the checks of the built-in parts take."""
    code = """
from cogbench.testing import backbone_contracts, contracts
from cogbench.cli.main import cli

KINDS = {contracts: "task signal estimator selector oracle set pack", backbone_contracts: "backbone sharing"}
for module, kinds in KINDS.items():
    for kind in kinds.split():
        def check(part, *more, check=getattr(module, f"check_{kind}")):
            if part.name.startswith("example"):
                check(part, *more)
        setattr(module, f"check_{kind}", check)

cli(["plugins", "--check", "--json"])
"""
    env = _environment(site)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    rows = {r["part"]: r["check"] for r in json.loads(done.stdout) if r["distribution"] == "cogbench-example"}
    assert rows == {part: "ok" for part in ["estimator example-distance", *(f"task {t}" for t in TASKS)]}


def test_a_run_with_its_estimator_its_tasks_and_a_table(command, tmp_path):
    with (tmp_path / "signal.csv").open("w", newline="") as file:
        rows = ([f"the {word} {i} is here", i % 3 + 0.5, i * 0.1] for i, word in enumerate(["dog", "cat", "bird"] * 4))
        csv.writer(file).writerows([["sentence", "time", "size"], *rows])
    quick = [w for o in ("epochs=1", "min_steps=2") for w in ("--set", f"minilm-2l.{o}")]
    words = ["--suite", "example", "--backbone", "minilm-2l", "--estimator", "example-distance", *quick]
    out = command("run", *words, "--signal", "signal.csv", "--jobs", "0", "--offline", "--format", "json")
    (result,) = json.loads(out)
    assert result["estimator"] == "example-distance" and result["options"] == {"scale": True}
    assert {t: sorted(sources) for t, sources in result["ranking"].items()} == {
        t: [s for s in TASKS if s != t] for t in TASKS
    }
    assert result["provenance"]["plugins"]["cogbench-example"] == "1.0"
    (saved,) = (tmp_path / "results").rglob("*.json")
    assert json.loads(saved.read_text())["similarity"] == result["similarity"]
