"""The design's picture, kept true: who imports whom, what is installed, imported early, and shipped."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import cogbench

ROOT = Path(__file__).parents[1]
OTHERS = sorted(p.parent for p in ROOT.glob("plugins/*-*/cogbench_*/__init__.py"))  # distributions of their own
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PLUGINS = sorted(
    p.parent for kind in ("tasks", "signals", "plugins") for p in ROOT.glob(f"{kind}/cogbench_*/__init__.py")
)

# A module imports from the rows above its own only; what is imported for type checkers alone does not count.
LAYERS = (
    "errors kinds",
    "hub records store",  # what the hub has · what flows · results as files
    "recordings rows workers",  # what was measured of readers · tables as read · processes that compute
    "files metrics parts ranking reliability",  # the door to disk and hub · scores · what plugins supply · ranks
    "baselines evaluation hookspecs identity mirror setting table toys",  # what a guess must beat · how good it is
    "cells loading oracles",  # units of work · the installed parts · tables of transfers
    "remote result transfer",  # a cell as a worker gets it
    "engine evidence",
    "contracts guesses questions",
    "comparing leaderboard measuring recommendation scorecard taxonomy",  # what is made of guesses and results
    "drawing terminal",  # figures · tables, bars
    "figures",
    "report sections",
    "pages",
    "cache diagnosis fetching listing outlook protocol",
    "cli_options",
    "cli_compute cli_install cli_results",
    "cli",
    "__main__",
)
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "distributed",
    "scipy",
    "sklearn",
    "pandas",
    "pyarrow",
    "matplotlib",
    "jinja2",
}


def _imports(file, *, typing):
    """Yield (place, module, names) of each import of a file, with or without those for type checkers alone."""
    tree = ast.parse(file.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if not typing and node in for_types:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield f"{file.relative_to(ROOT)}:{node.lineno}", alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield f"{file.relative_to(ROOT)}:{node.lineno}", module, tuple(alias.name for alias in node.names)


def test_a_module_imports_only_from_the_rows_above_it():
    row = {name: i for i, names in enumerate(LAYERS) for name in names.split()}
    modules = {f.stem: f for f in (ROOT / "cogbench").glob("*.py") if f.stem != "__init__"}
    assert {*modules} == {*row}, "give each module of cogbench its row in LAYERS"
    wrong = []
    for name, file in modules.items():
        for place, module, names in _imports(file, typing=False):
            if module.startswith("."):
                inner = [module.lstrip(".").partition(".")[0]] if module != "." else names
                wrong += [f"{place} imports {i}" for i in inner if row.get(i, len(LAYERS)) >= row[name]]
    assert not wrong


def test_importing_cogbench_imports_nothing_of_it():
    for place, module, _ in _imports(ROOT / "cogbench" / "__init__.py", typing=False):
        assert module in ("importlib", "typing"), place


def test_the_harness_names_no_plugin():
    for file in (ROOT / "cogbench").glob("*.py"):
        for place, module, _ in _imports(file, typing=True):
            assert not module.startswith("cogbench"), (
                f"{place}: within cogbench imports are relative, plugins are met by name"
            )
        assert not re.search(r"\bcogbench_\w", file.read_text()), f"{file} names a plugin's package"


@pytest.mark.parametrize("package", [*PLUGINS, *OTHERS], ids=lambda p: p.name)
def test_a_plugin_imports_cogbench_and_itself(package):
    for file in package.rglob("*.py"):
        for place, module, names in _imports(file, typing=True):
            top = module.partition(".")[0]
            assert module == "cogbench" or not module.startswith("cogbench.") or top == package.name, place
            assert not top.startswith("cogbench_") or top == package.name, f"{place}: another plugin's package"
            if module == "cogbench":
                assert {*names} <= {*cogbench.__all__}, f"{place}: only public names"
            assert not module.startswith(".."), place


def test_the_packages_of_plugins_are_those_of_the_wheel():
    assert len(PLUGINS) >= 4
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(["cogbench", *(str(p.relative_to(ROOT)) for p in PLUGINS)])
    checked = [*(p.rpartition("/")[2] for p in packages), *(p.name for p in OTHERS)]
    assert sorted(PROJECT["tool"]["mypy"]["packages"]) == sorted(checked)


def test_what_is_installed_is_what_pyproject_says():
    for file in (ROOT / "pyproject.toml", *(p.parent / "pyproject.toml" for p in OTHERS)):
        project = tomllib.loads(file.read_text())["project"]
        said = {("cogbench", *e) for e in project["entry-points"]["cogbench"].items()}
        said |= {("console_scripts", *e) for e in project.get("scripts", {}).items()}
        installed = {(e.group, e.name, e.value) for e in metadata.distribution(project["name"]).entry_points}
        assert installed == said, (
            "the installed entry points are not those of pyproject.toml: run pip install -e . again"
        )


def test_public_names_are_sorted_and_there():
    assert list(cogbench.__all__) == sorted(cogbench.__all__) == dir(cogbench)
    for name in cogbench.__all__:
        assert getattr(cogbench, name) is not None
    with pytest.raises(AttributeError, match="module 'cogbench' has no attribute 'nothing'"):
        cogbench.nothing  # noqa: B018


def test_type_checkers_see_the_same_public_names():
    seen = {
        name: module.lstrip(".")
        for _, module, names in _imports(ROOT / "cogbench" / "__init__.py", typing=True)
        if module.startswith(".")
        for name in names
    }
    assert seen == cogbench._MODULE


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["--version"], ["list", "estimators", "--json"]], ids=" ".join
)
def test_help_and_lists_import_nothing_heavy(words):
    code = f"""
import sys
from cogbench.cli import cli
try:
    cli({words!r})
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    loaded = {*done.stderr.splitlines()[-1].split()}
    assert "cogbench.cli" in loaded
    assert not loaded & HEAVY


def test_the_wheel_holds_the_packages_and_their_data(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"cogbench_toolkit-{PROJECT['project']['version']}.dist-info"
    packages = {"cogbench", *(p.name for p in PLUGINS)}
    assert {name.partition("/")[0] for name in names} == {*packages, info}
    assert "cogbench/py.typed" in names and f"{info}/licenses/LICENSE" in names
    for package in (ROOT / "cogbench", *PLUGINS):
        there = (p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        assert {str(p.relative_to(package.parent)) for p in there} <= names
    assert any(name.startswith("cogbench_tasks/oracles/") for name in names)


def test_no_file_names_a_path_of_this_machine():
    listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip("no checkout: git lists no files here")
    homes = "|".join(("root", "home", "Users", "work"))
    own = re.compile(rf"(?<![\w.~}}/])/(?:{homes})/\w|{re.escape(str(ROOT))}\b")
    found = []
    for name in done.stdout.splitlines():
        file = ROOT / name
        if file.is_file():
            lines = file.read_bytes().decode("utf-8", "replace").splitlines()
            found += [f"{name}:{i}: {line.strip()[:100]}" for i, line in enumerate(lines, 1) if own.search(line)]
    assert not found
