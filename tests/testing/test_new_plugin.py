"""A package of `cogbench new plugin` works in every command, from its wheel; and the names that it may not have."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import cogbench, line

from cogbench import Parts
from cogbench.testing.new_plugin import COMMON, FILES, new_plugin

ROOT = Path(__file__).parents[2]
COGBENCH = [sys.executable, "-m", "cogbench"]
NAME = "cogbench-example"
TASKS = ["example-length", "example-order", "example-reviews", "example-start"]
PARTS = ["estimator example-nearest", "oracle example-transfers", "signal example-reading", "suite example"]
QUICK = [word for option in ("epochs=1", "min_steps=2") for word in ("--set", f"minilm-2l.{option}")]


def pip(*words):
    """Run pip without an index."""
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", words[0], *options, *map(str, words[1:])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder of a package with all examples."""
    folder = tmp_path_factory.mktemp("new") / NAME
    new_plugin(NAME, [*FILES], folder, Parts())
    return folder


@pytest.fixture(scope="module")
def site(package, tmp_path_factory):
    """The folder that the wheel of the package is installed in."""
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    pip("wheel", "--no-build-isolation", "--wheel-dir", wheels, package)
    (wheel,) = wheels.iterdir()
    assert wheel.name == "cogbench_example-0.1.0-py3-none-any.whl"
    pip("install", "--target", folder, wheel)
    return folder


@pytest.fixture
def command(site, tmp_path):
    """Return a function that runs a command with the package installed, and returns what it prints."""
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])

    def command(*words):
        env = {**os.environ, "PYTHONPATH": path, "COGBENCH_LOAD_PLUGINS": NAME}
        done = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return command


def test_it_is_listed_and_keeps_its_promises(command):
    rows = json.loads(command(*COGBENCH, "plugins", NAME, "--json"))
    assert [row["plugin"] for row in rows] == sorted(f"example-{kind}" for kind in FILES)
    assert {(row["distribution"], row["version"], row["error"]) for row in rows} == {(NAME, "0.1.0", "")}
    checked = {
        row["part"]: row["check"] for row in json.loads(command(*COGBENCH, "plugins", "--check", NAME, "--json"))
    }
    assert checked == dict.fromkeys([*PARTS, *(f"task {task}" for task in TASKS)], "ok")
    own = {row["name"]: row["distribution"] for row in json.loads(command(*COGBENCH, "list", "tasks", "--json"))}
    assert [own[task] for task in TASKS] == [NAME] * len(TASKS)


def test_its_own_tests_pass(command, package):
    printed = command(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(package))
    assert "9 passed" in printed


def test_a_run_of_its_parts_is_scored(command, tmp_path):
    words = ["--suite", "example", "--backbone", "minilm-2l", "--estimator", "example-nearest", *QUICK]
    more = ["--oracle", "example-transfers", "--jobs", "0", "--offline", "--format", "json"]
    (result,) = json.loads(command(*COGBENCH, "run", *words, *more))
    assert result["estimator"] == "example-nearest" and result["options"] == {"farthest": False}
    assert result["signal"] == "example-reading" and result["oracle"]["name"] == "example-transfers"
    assert {t: sorted(sources) for t, sources in result["ranking"].items()} == {
        t: [s for s in TASKS if s != t] for t in TASKS
    }
    assert 1 <= result["scores"]["trs"]["value"] <= 3 and result["synthetic"] == ["tasks", "signal"]
    assert result["provenance"]["plugins"][NAME] == "0.1.0"
    (saved,) = (tmp_path / "results").rglob("*.json")
    assert json.loads(saved.read_text())["similarity"] == result["similarity"]


@pytest.mark.parametrize("kinds", [[*FILES], *([kind] for kind in FILES)], ids=" ".join)
def test_a_package_has_what_is_asked_for_and_passes_ruff(kinds, tmp_path):
    folder = tmp_path / "lab-words"
    files = new_plugin("lab-words", kinds, folder, Parts())
    assert {*files} == {file for file in folder.rglob("*") if file.is_file()}
    written = {"suite", "task", "signal", "oracle", *kinds} if "suite" in kinds else {*kinds}
    modules = {file.stem for file in folder.glob("lab_words/*.py")} - {"__init__"}
    assert modules == written
    for place in ("pyproject.toml", "README.md"):
        named = {*re.findall(r"lab_words[./](\w+)", (folder / place).read_text(encoding="utf-8"))}
        assert named - {"py"} == written, place
    assert not [file for file in files if "example" in file.read_text(encoding="utf-8")]
    for rules in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", rules[0], "--isolated", "--no-cache", *rules[1:], "."]
        done = subprocess.run(ruff, cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout


def test_the_examples_of_the_documents_are_those_of_the_template():
    template = ROOT / "cogbench/testing/template"
    pages = {"estimator": "authors.md"}
    for kind in FILES:
        page = (ROOT / "docs" / pages.get(kind, "hooks.md")).read_text(encoding="utf-8")
        text = (template / f"package/{kind}.py.txt").read_text(encoding="utf-8")
        assert f"{text}```\n" in page, f"the example of {kind} is not that of the template"
    listed = {*COMMON, *(file for files in FILES.values() for file in files)}
    assert listed == {p.relative_to(template).as_posix().removesuffix(".txt") for p in template.rglob("*.txt")}


@pytest.mark.parametrize(
    "name", ["Lab", "2nd", "two words", "a/b", "../x", "", "ends-", "class", "json", "a--b", "a.b", "ünï"]
)
def test_what_is_no_name_for_a_package_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = line(cogbench("new", "plugin", name), 3)
    assert text.startswith(f"cogbench: {name!r} is no name for a new package: use lower-case letters")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "name, says",
    [
        ("numpy", "a distribution of that name is installed"),
        ("cogbench-toolkit", "a distribution of that name is installed"),
        ("cogbench_toolkit", "a distribution of that name is installed"),
        ("cogbench", "a module 'cogbench' is installed"),
        ("cogbench-estimators", "a module 'cogbench_estimators' is installed"),
        ("cogbench-cra", "plugin 'cra' of cogbench-toolkit .* is installed"),
        ("cogbench-mini", "plugin 'mini' of cogbench-toolkit .* is installed"),
        ("mini-shuffled", "suite 'mini-shuffled' comes from plugin 'mini' of cogbench-toolkit"),
    ],
)
def test_a_name_that_is_taken_is_refused(name, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert re.search(says, line(cogbench("new", "plugin", name, "--with", "suite"), 3))
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_is_not_empty_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep me")
    text = line(cogbench("new", "plugin", "lab-words", "--out", "mine"), 3)
    assert text == "cogbench: 'mine' is there and not empty: name another folder with --out."
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert "not empty" in line(cogbench("new", "plugin", "lab-words", "--out", "mine/notes.txt"), 3)
    assert "cannot write to folder" in line(cogbench("new", "plugin", "lab-words", "--out", "/proc/mine"), 3)


def test_an_unknown_kind_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = line(cogbench("new", "plugin", "lab-words", "--with", "estimator,orcale"), 2)
    assert text == (
        "cogbench: unknown kind of part 'orcale'; did you mean 'oracle'? "
        "There are examples of: estimator, oracle, signal, suite, task."
    )
    assert not [*tmp_path.iterdir()]


def test_what_to_type_next_is_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cogbench("new", "plugin", "lab-words")
    assert done.stdout == "pip install -e ./lab-words pytest\npytest ./lab-words\ncogbench plugins --check lab-words\n"
    assert (tmp_path / "lab-words/lab_words/estimator.py").is_file() and done.exit_code == 0
    done = cogbench("new", "plugin", "lab-words", "--out", tmp_path / "two words")
    assert done.stdout.startswith(f"pip install -e '{tmp_path}/two words' pytest\n")


def test_an_unknown_plugin_is_refused():
    text = line(cogbench("plugins", "--check", "cogbench-toolkitt"), 2)
    assert text.startswith(
        "cogbench: unknown plugin or distribution 'cogbench-toolkitt'; did you mean 'cogbench-toolkit'"
    )
    rows = json.loads(cogbench("plugins", "cra", "dse", "--json").stdout)
    assert [row["plugin"] for row in rows] == ["cra", "dse"]
