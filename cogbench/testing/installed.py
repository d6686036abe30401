"""The contract checks of what is installed: of all plugins, or of one."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..compute.workspace import Report, Step
from ..data.files import Files
from ..errors import CogbenchError, MissingData, UnknownName
from ..parts.interfaces import Backbone, shares
from ..parts.registry import GIVEN, Parts, Plugin, plain_name
from ..text import listed
from . import backbone_contracts, contracts

BROKEN = "BROKEN"
# What takes a second or more to import: functions import it when they are called.
HEAVY = (
    *("torch", "transformers", "datasets", "peft", "tensorflow", "jax"),
    *("scipy", "sklearn", "pandas", "pyarrow", "matplotlib", "distributed"),
)
# Imports modules one after the other until one has imported something heavy, and prints its name and what it imported.
IMPORT = """
import importlib, sys
heavy, *modules = sys.argv[1:]
for module in modules:
    importlib.import_module(module)
    if names := [name for name in heavy.split(",") if name in sys.modules]:
        print(f"\\n@{module}", *names)
        break
"""


def check_installed(parts: Parts, names: Sequence[str] = (), report: Report | None = None) -> list[dict[str, Any]]:
    """Return a row for each part with what its contract check says, and one for each fault of a plugin.

    Parameters
    ----------
    parts : Parts
        The installed ones.
    names : sequence of str
        Plugins, or distributions with their plugins; all if there is no name.
    report : callable, optional
        Called before each check with a `Step` that names the part.

    Returns
    -------
    list of dict
        `part`, `distribution` and `check`: ok, skipped and why, or BROKEN and why.

    Raises
    ------
    UnknownName
        If there is no plugin and no distribution of a name.
    """
    plugins = find_plugins(parts, names)
    keys = {(plugin.distribution, plugin.key) for plugin in plugins}
    providers = {part: p for part, p in parts.providers.items() if not names or (p.distribution, p.key) in keys}
    report, total = report or (lambda step: None), len(providers) + 1

    def say(place: str, done: int) -> None:
        report(Step(place=place, done=done, failed=0, running=1, total=total, share=done / total))

    say("what the plugins import", 0)
    rows = [
        {"part": f"plugin {plugin.key}", "distribution": plugin.distribution, "check": f"{BROKEN}: {fault}"}
        for plugin, fault in _faults(plugins)
    ]
    for done, ((kind, part), plugin) in enumerate(providers.items(), start=1):
        say(f"{kind} {part}", done)
        verdict = _verdict(parts, kind, parts.of(kind)[part])
        rows.append({"part": f"{kind} {part}", "distribution": plugin.distribution, "check": verdict})
    return rows


def find_plugins(parts: Parts, names: Sequence[str]) -> tuple[Plugin, ...]:
    """Return the plugins that names mean, by their keys and their distributions; all if there is no name."""
    installed = {word for plugin in parts.plugins for word in (plugin.key, plugin.distribution)}
    for name in names:
        if name not in installed and plain_name(name) not in map(plain_name, installed):
            raise UnknownName.of("plugin or distribution", name, installed)
    plain = {*map(plain_name, names)}
    return tuple(p for p in parts.plugins if not names or p.key in names or plain_name(p.distribution) in plain)


def _faults(plugins: Sequence[Plugin]) -> Iterator[tuple[Plugin, str]]:
    """Yield what is wrong with plugins as a whole: one that fails, forgotten marks, no part at all, heavy imports."""
    heavy = _heavy_imports([p.module for p in plugins if not p.error and p.distribution != GIVEN])
    for plugin in plugins:
        for fault in plugin.faults:
            yield plugin, fault.removeprefix(f"{plugin.place} ")
        if not plugin.faults and not plugin.parts:
            yield plugin, f"no function of {plugin.module} is marked with @hookimpl, so it gives no part."
        if names := heavy.get(plugin.module):
            yield plugin, f"{plugin.module} imports {listed(names)}: import it inside the function that uses it."


def _heavy_imports(modules: Sequence[str]) -> dict[str, list[str]]:
    """Return the modules that import something heavy when they are imported, in a fresh process, and what."""
    imports, left = dict[str, list[str]](), [*dict.fromkeys(modules)]
    path = os.pathsep.join(filter(None, [*sys.path, os.environ.get("PYTHONPATH")]))
    while left:
        command = [sys.executable, "-c", IMPORT, ",".join(HEAVY), *left]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
        *_, last = ["", *done.stdout.strip().splitlines()]
        if not last.startswith("@"):
            break
        module, *names = last[1:].split()
        imports[module] = names
        left = left[left.index(module) + 1 :]
    return imports


def _verdict(parts: Parts, kind: str, part: Any) -> str:
    """Return what the contract check of a part says."""
    files = Files(offline=True)
    try:
        if kind == "backbone" and shares(part):
            backbone_contracts.check_sharing(part, _member_at_hand(parts, part, files), files)
        elif kind == "backbone":
            backbone_contracts.check_backbone(part, files)
        elif kind == "suite":
            contracts.check_suite(part, parts)
        elif kind in ("estimator", "selector", "pack"):  # these are checked on toys, or have their own file
            getattr(contracts, f"check_{kind}")(part)
        else:
            getattr(contracts, f"check_{kind}")(part, files)
    except MissingData as error:
        return f"skipped: {error}"
    except CogbenchError as error:
        return f"{BROKEN}: {error}"
    except Exception as error:  # a stranger's part may break in any way
        return f"{BROKEN}: {type(error).__name__}: {error}"
    return "ok"


def _member_at_hand(parts: Parts, sharing: Backbone, files: Files) -> Backbone:
    """Return an installed backbone, with its model on this machine, that one which trains tasks together can train."""
    if not hasattr(sharing, "backbone"):  # it trains its own model
        return sharing
    for backbone in (backbone for backbone in parts.backbones.values() if not shares(backbone)):
        together: Any = replace(sharing, backbone=backbone)  # type: ignore[type-var]
        with suppress(CogbenchError):
            backbone.origin(files)
            together.origin(files)
            return backbone
    raise MissingData("the model of no backbone that it trains is on this machine.")
