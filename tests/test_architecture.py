"""The design's picture, kept true: who imports whom, what is installed, imported early, and shipped."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from importlib import import_module, metadata
from pathlib import Path

import pytest

import cogbench
import cogbench.testing

ROOT = Path(__file__).parents[1]
OTHERS = sorted(p.parent for p in ROOT.glob("plugins/*-*/cogbench_*/__init__.py"))  # distributions of their own
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PLUGINS = sorted(
    p.parent for kind in ("tasks", "signals", "plugins") for p in ROOT.glob(f"{kind}/cogbench_*/__init__.py")
)

# A folder imports from the rows before its own; folders of one row do not know each other.
# Imports for type checkers count.
LAYERS = (
    "errors frames text",
    "storage",
    "tables",
    "data",
    "scoring",
    "oracles",
    "parts",
    "checkpoints combining",
    "compute results",
    "packs workers",
    "runs testing",
    "views",
    "cli",
    "__main__",
)
N_MODULES = 168
DOORS = ("__init__", "testing/__init__")  # what exports; the other folders' __init__ are docstrings
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


def _modules():
    """Return the modules of the harness by their names, such as `data/files`."""
    core = ROOT / "cogbench"
    return {str(file.relative_to(core).with_suffix("")): file for file in sorted(core.rglob("*.py"))}


def _imported(name, file, modules):
    """Return the names of the modules that a module imports, for type checkers or not."""
    folder = name.split("/")[:-1]
    found = set()
    for _, module, names in _imports(file, typing=True):
        if not module.startswith("."):
            continue
        level = len(module) - len(module.lstrip("."))
        base = "/".join([*folder[: len(folder) + 1 - level], *filter(None, module.lstrip(".").split("."))])
        found |= {base} if base in modules else {f"{base}/{n}".lstrip("/") for n in names}
    return found


def test_a_folder_imports_from_the_rows_before_it_and_there_is_no_circle():
    modules = _modules()
    graph = {name: _imported(name, file, modules) for name, file in modules.items() if name not in DOORS}
    assert len(modules) == N_MODULES, "a module came or went: say so here"
    row = {name: i for i, names in enumerate(LAYERS) for name in names.split()}
    top = {name: name.partition("/")[0] for name in graph}
    assert {*top.values()} == {*row}, "give each folder of cogbench its row in LAYERS"
    unknown = [f"{name} imports {other}" for name, others in graph.items() for other in others if other not in graph]
    assert not unknown
    wrong = [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in others
        if top[name] != top[other] and row[top[other]] >= row[top[name]]
    ]
    assert not wrong
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_a_folder_holds_at_most_twelve_files_of_at_most_four_hundred_lines():
    folders = Counter(file.parent for file in _modules().values())
    assert max(folders.values()) <= 12 + 1  # with its __init__
    assert not [name for name, file in _modules().items() if len(file.read_text().splitlines()) > 400]


def test_only_the_doors_export():
    for name, file in _modules().items():
        if name.endswith("__init__") and name not in DOORS:
            (only,) = ast.parse(file.read_text()).body
            assert isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant), (
                f"{name} is more than a docstring"
            )


def test_importing_cogbench_imports_nothing_of_it():
    outside = "\nimport sys, cogbench\nprint(*(name for name in sys.modules if name.startswith('cogbench')))"
    done = subprocess.run([sys.executable, "-c", outside], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["cogbench"], done.stdout + done.stderr


def test_the_harness_names_no_plugin():
    for file in _modules().values():
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
            doors = ("cogbench", "cogbench.testing")
            assert module in doors or not module.startswith("cogbench.") or top == package.name, place
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


@pytest.mark.parametrize("door", [cogbench, cogbench.testing], ids=lambda m: m.__name__)
def test_public_names_are_there_each_once(door):
    stub = Path(door.__file__).with_suffix(".pyi").read_text()
    named = [a for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom) for a in node.names]
    assert all(a.asname == a.name for a in named), "a stub exports what it renames to itself"
    assert sorted(a.name for a in named) == sorted(door.__all__) == sorted(dir(door))
    assert len({a.name for a in named}) == len(named)
    for name in door.__all__:
        assert getattr(door, name) is not None
    with pytest.raises(AttributeError, match="attribute"):
        door.nothing  # noqa: B018


def test_the_version_is_that_of_pyproject():
    assert cogbench.__version__ == PROJECT["project"]["version"]


@pytest.mark.parametrize("name", cogbench._FORMER)
def test_an_old_public_name_says_the_new_one(name):
    new = cogbench._FORMER[name]
    with pytest.raises(ImportError, match=rf"cogbench\.{name} is called cogbench\.{new} since"):
        exec(f"from cogbench import {name}")
    door, _, short = f"cogbench.{new}".rpartition(".")
    assert getattr(import_module(door), short) is not None


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["--version"], ["list", "estimators", "--json"]], ids=" ".join
)
def test_help_and_lists_import_nothing_heavy(words):
    code = f"""
import sys
from cogbench.cli.main import cli
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
    assert "cogbench.cli.main" in loaded
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
    offences = []
    for name in done.stdout.splitlines():
        file = ROOT / name
        if file.is_file():
            lines = file.read_bytes().decode("utf-8", "replace").splitlines()
            offences += [f"{name}:{i}: {line.strip()[:100]}" for i, line in enumerate(lines, 1) if own.search(line)]
    assert not offences
