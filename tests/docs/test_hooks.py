"""Each hook has a complete example in docs/hooks.md or docs/authors.md, which passes the contract check of its kind."""

import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

import cogbench
from cogbench import testing
from cogbench.parts import hookspecs
from cogbench.testing.new_plugin import FILES, new_plugin

ROOT = Path(__file__).parents[2]
HOOKS = {name for name in vars(hookspecs) if name.startswith("register_")}
CHECKS = {
    "tasks": testing.check_task,
    "backbones": testing.check_backbone,
    "signals": testing.check_signal,
    "oracles": testing.check_oracle,
    "packs": testing.check_pack,
    "selectors": testing.check_selector,
    "sets": testing.check_set,
}


def examples():
    """Return the modules of the page by the hooks that they implement."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/hooks.md").read_text(encoding="utf-8"), re.S)
    return {tuple(re.findall(r"def (register_\w+)", block)): block for block in blocks}


def test_each_hook_has_a_complete_example():
    shown = {hook for hooks in examples() for hook in hooks}
    assert shown | {"register_estimators"} == HOOKS
    assert "def register_estimators" in (ROOT / "docs/authors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("hooks", examples(), ids=" ".join)
def test_the_example_of_a_hook_keeps_the_promises_of_its_kind(hooks, monkeypatch, tmp_path):
    folder = tmp_path / "examples"
    new_plugin("cogbench-example", [*FILES], tmp_path / "new", cogbench.Parts())
    shutil.copytree(tmp_path / "new" / "cogbench_example", folder)
    if "register_packs" in hooks:
        (folder / "packs").mkdir()
        shutil.copy(cogbench.load_parts().packs["mini-minilm-2l"].file, folder / "packs")
    monkeypatch.setenv("COGBENCH_LOAD_PLUGINS", "")  # the example has the pack of another plugin
    installed = cogbench.load_parts()
    module = ModuleType("cogbench_of_docs")
    module.__file__ = str(folder / "cogbench_of_docs.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(examples()[hooks], "docs/hooks.md", "exec"), module.__dict__)
    parts = cogbench.load_parts(module)
    for hook in hooks:
        kind = hook.removeprefix("register_")
        own = [part for name, part in getattr(parts, kind).items() if name not in getattr(installed, kind)]
        assert own, hook
        for part in own:
            if kind in CHECKS:  # the parts that a suite names stand in other modules
                CHECKS[kind](part)
