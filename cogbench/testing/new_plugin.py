"""Write the package of a new plugin: a short example of each kind of part that is asked for, with its tests.

The files of `template/` are a package with a name of its own, in place of which the new name is put. Each of them has
the ending .txt, so that no tool takes it for a module of cogbench.
"""

import keyword
import re
import sys
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ..errors import UnknownName, UnusableData
from ..parts.registry import Parts, plain_name
from ..storage.atomic import writable, write_whole

EXAMPLE = "cogbench-example"  # what the package of the template is called
TEMPLATE = Path(__file__).with_name("template")
NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
COMMON = ("pyproject.toml", "README.md", "package/__init__.py", "tests/test_plugin.py")
FILES = {
    "estimator": ("package/estimator.py",),
    "task": ("package/task.py", "package/reviews.csv"),
    "signal": ("package/signal.py", "package/recordings.csv"),
    "oracle": ("package/oracle.py", "package/transfers.csv"),
    "suite": ("package/suite.py",),
}
NAMED_BY = {"suite": ("task", "signal", "oracle")}  # the kinds of the parts that an example names
PARTS = {  # the names of the examples
    "estimator": ("nearest",),
    "task": ("length", "order", "start", "reviews"),
    "signal": ("reading",),
    "oracle": ("transfers",),
    "suite": ("",),
}


def new_plugin(name: str, kinds: Sequence[str], folder: Path, parts: Parts) -> list[Path]:
    """Write the package of a new plugin; return its files.

    Parameters
    ----------
    name : str
        What to call the distribution, such as `cogbench-lengths`.
    kinds : sequence of str
        The kinds of part to give an example of: "estimator", "task", "signal", "oracle", "suite". The example of a
        suite names a task, a signal and an oracle, which are written too.
    folder : Path
        Where to write it: a new or empty folder.
    parts : Parts
        The installed ones, whose names are taken.

    Raises
    ------
    UnknownName
        If there is no example of a kind.
    UnusableData
        If the name is none for a package, or taken; or if the folder is not empty, or cannot be written to.
    """
    for kind in kinds:
        if kind not in FILES:
            raise UnknownName.of("kind of part", kind, FILES, label="There are examples of")
    wanted = [kind for kind in FILES if kind in {*kinds, *(k for one in kinds for k in NAMED_BY.get(one, ()))}]
    _refuse_name(name, wanted, parts)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UnusableData(f"{str(folder)!r} is there and not empty: name another folder with --out.")
    writable(folder)
    unwanted = [kind for kind in FILES if kind not in wanted]
    written = []
    for place in (*COMMON, *(file for kind in wanted for file in FILES[kind])):
        text = (TEMPLATE / f"{place}.txt").read_text(encoding="utf-8")
        if place in COMMON:
            text = _without_lines(text, unwanted)
        path = folder / re.sub("^package", package_of(name), place)
        write_whole(path, renamed(text, name))
        written.append(path)
    return written


def package_of(name: str) -> str:
    """Return the name of the import package of a distribution."""
    return name.replace("-", "_")


def prefix_of(name: str) -> str:
    """Return what the names of a plugin's parts begin with."""
    return name.removeprefix("cogbench-").replace("_", "-")


def renamed(text: str, name: str) -> str:
    """Return a text of the template for a distribution of this name."""
    names = {package_of(EXAMPLE): package_of(name), EXAMPLE: name, prefix_of(EXAMPLE): prefix_of(name)}
    return re.sub("|".join(names), lambda match: names[match[0]], text)


def _without_lines(text: str, kinds: Sequence[str]) -> str:
    """Return a text without the lines that name a module of these kinds."""
    modules = [f"{package_of(EXAMPLE)}{sign}{kind}" for kind in kinds for sign in "./"]
    return "".join(line for line in text.splitlines(keepends=True) if not any(m in line for m in modules))


def _refuse_name(name: str, kinds: Sequence[str], parts: Parts) -> None:
    """Raise UnusableData if a name is none for a package, or if somebody has it, or one of the names of the parts."""
    package, prefix = package_of(name), prefix_of(name)
    if not NAME.fullmatch(name) or keyword.iskeyword(package) or package in sys.stdlib_module_names:
        raise UnusableData(
            f"{name!r} is no name for a new package: use lower-case letters, digits and hyphens, with a letter first "
            "and no word of Python, such as cogbench-lengths."
        )
    if plain_name(name) in {plain_name(d.metadata["Name"] or "") for d in metadata.distributions()}:
        raise UnusableData(f"the name {name!r} is taken: a distribution of that name is installed.")
    if find_spec(package) is not None:
        raise UnusableData(f"the name {name!r} is taken: a module {package!r} is installed.")
    taken = {plugin.key: plugin for plugin in parts.plugins}
    for key in (prefix, *(f"{prefix}-{kind}" for kind in kinds)):
        if key in taken:
            raise UnusableData(f"the name {name!r} is taken: {taken[key].place} is installed.")
    for kind in kinds:
        for part in PARTS[kind]:
            if own := parts.of(kind).get(f"{prefix}-{part}".rstrip("-")):
                plugin = parts.providers[kind, own.name]
                raise UnusableData(f"the name {name!r} is taken: {kind} {own.name!r} comes from {plugin.place}.")
