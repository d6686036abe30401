"""The documents tell the truth: hooks, checks, examples, schema."""

import inspect
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import cogbench
from cogbench.parts import hookspecs
from cogbench.results.result import schema
from cogbench.testing import check_estimator, contracts

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def signature(function):
    text = str(inspect.signature(function)).replace("'", "")
    return re.sub(r"(?:[a-z_]+\.)+([A-Z])", r"\1", text)


@pytest.mark.parametrize("name", [n for n in vars(hookspecs) if n.startswith("register_")])
def test_each_hook_stands_in_contributing(name):
    assert f"- `{name}{signature(getattr(hookspecs, name))}`" in CONTRIBUTING


@pytest.mark.parametrize("name", [n for n in vars(contracts) if n.startswith("check_")])
def test_each_check_stands_in_contributing(name):
    assert f"- `{name}{signature(getattr(contracts, name))}`" in CONTRIBUTING


def test_each_folder_stands_in_the_picture():
    picture = CONTRIBUTING.split("```")[3]
    for folder in (ROOT / "cogbench").glob("[a-z]*/"):
        if folder.is_dir():
            assert f"{folder.name}/" in picture, folder.name


def test_the_example_plugin_of_contributing_works(monkeypatch):
    code = next(b for b in re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.S) if "hookimpl" in b)
    module = ModuleType("cogbench_shortest")
    monkeypatch.setitem(sys.modules, "cogbench_shortest", module)
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    parts = cogbench.load_parts(module)
    check_estimator(parts.estimators["shortest"])


def test_the_schema_of_results_is_the_records():
    assert json.loads((ROOT / "docs" / "result.schema.json").read_text()) == schema()


def test_all_that_contributing_names_of_cogbench_is_public():
    for name in re.findall(r"`cogbench\.([A-Za-z_]+)", CONTRIBUTING):
        assert name in cogbench.__all__, name


def pip_installs():
    """Yield the file and the arguments of each `pip install …` in documents, messages and the Makefile."""
    folders = ("benchmarks", "cogbench", "docs", "plugins", "signals", "tasks", "tests")
    files = [p for f in folders for kind in ("md", "py", "toml") for p in (ROOT / f).rglob(f"*.{kind}")]
    for file in [*files, *ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "Makefile"]:
        if file != Path(__file__):
            for words in re.findall(r"\bpip install ([^`\n]*)", file.read_text()):
                yield file, [word.strip("'\",;:") for word in words.split()]


def test_nobody_is_told_to_fetch_a_distribution_of_ours_from_an_index():
    projects = [tomllib.loads(p.read_text()) for p in (ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml"))]
    own = "|".join(re.escape(made["project"]["name"]) for made in projects)
    commands = list(pip_installs())
    assert len(commands) > 10 and len(projects) == 2
    for file, words in commands:
        assert not [w for w in words if re.match(rf"({own})\b", w)], f"{file}: {words}"
        if "cogbench" in words:
            assert (file.name, words) == ("README.md", ["cogbench"])
    assert "`pip install cogbench` installs another project" in (ROOT / "README.md").read_text()


def test_a_plugin_is_installed_together_with_the_harness_in_one_command():
    plugins = {p.parent for p in (*ROOT.glob("plugins/*/pyproject.toml"), ROOT / "tests/example_plugin/pyproject.toml")}
    told = set()
    for file, words in pip_installs():
        folders = [w.partition("[")[0] for w in words if w != "-e"]
        if any("plugins/" in w or w == "$(COMPETITORS)" for w in folders):
            assert "." in folders, f"{file}: {words}"
            told.add(file.relative_to(ROOT).as_posix())
        elif file.parent in plugins and file.suffix == ".md":
            assert words == ["-e", "CHECKOUT", "."], f"{file}: {words}"
    assert told >= {"README.md", "Makefile", "plugins/cogbench-transferability/README.md"}
    competitors = re.search(r"^COMPETITORS = (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert competitors and (ROOT / competitors[1]) in plugins
