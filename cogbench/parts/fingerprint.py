"""What makes two parts the same: fields, distribution and code. Keys of cells are made of it."""

import ast
import dataclasses
import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from .codec import encode


def identity(part: Any, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return all that changes a part's answers: its fields, its distribution's version, the hash of its code.

    Parts among the fields are identified in the same way; fields named in `without` are left out. The
    code of the harness, such as a card's, is not hashed: its version stands in each key.
    """
    held = {
        f.name: identity(value) if dataclasses.is_dataclass(value := getattr(part, f.name)) else encode(value)
        for f in dataclasses.fields(part)
        if f.init and f.name not in without
    }
    module = type(part).__module__.replace("__mp_main__", "__main__")  # as a script's own workers call the script
    made = {"is": f"{module}:{type(part).__qualname__}", **held}
    if module.startswith(f"{__package__}."):
        return made
    known = code(type(part).__module__)
    if known["sha256"] is None:  # typed in by hand: no source says whether it is still the same, so it is never reused
        known["sha256"] = f"process {os.getpid()}, class {id(type(part))}"
    return {**made, "code": known}


def harness_version() -> str | None:
    """Return the version of cogbench, None where it is not installed."""
    distribution = distribution_of(__name__)
    return metadata.version(distribution) if distribution else None


def code(module: str) -> dict[str, str | None]:
    """Return a module's distribution, that distribution's version, and the hash of the module's source.

    The hash covers the modules of the same package that it imports, and those that they import: a change of a helper
    changes the answer as much as a change of the part. It is None where there is no file.
    """
    distribution = distribution_of(module)
    version = metadata.version(distribution) if distribution else None
    sources = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(_sources(module))]
    held = hashlib.sha256("".join(sources).encode()).hexdigest()[:16] if sources else None
    return {"distribution": distribution, "version": version, "sha256": held}


def _sources(module: str) -> set[Path]:
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is not None and name not in found:
            found[name] = path
            waiting += _imports(name, path, path.stat().st_mtime_ns)
    return set(found.values())


def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
        origin = spec.origin if spec else None
    except (ImportError, ValueError):  # a script, or a module made by hand
        origin = getattr(sys.modules.get(module), "__file__", None)
    return Path(origin) if origin and origin.endswith(".py") and Path(origin).is_file() else None


@cache
def _imports(module: str, path: Path, changed: int) -> tuple[str, ...]:
    """Return the modules of its own package that a module imports; `changed` is its file's time, for the cache."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return tuple(
        n for n in _named(ast.parse(path.read_bytes()), package) if n.startswith(f"{module.partition('.')[0]}.")
    )


def _named(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def _distributions() -> Mapping[str, str]:
    # By entry points: metadata.packages_distributions() does not see the packages of an editable install.
    found = (*metadata.entry_points(group="console_scripts"), *metadata.entry_points(group="cogbench"))
    return {e.module.partition(".")[0]: e.dist.metadata["Name"] for e in found if e.dist}


def distribution_of(module: str) -> str | None:
    """Return the name of the installed distribution that a module's package belongs to, or None."""
    return _distributions().get(module.partition(".")[0])
