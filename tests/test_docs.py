"""The documents tell the truth: hooks, checks, examples, schema."""

import inspect
import json
import re
import sys
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
