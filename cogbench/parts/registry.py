"""Load the installed parts; find one by name.

`load_parts` walks the entry points itself: pluggy's own loader stops at the first broken plugin, and drops a second one
of the same name in silence. A plugin's identity is (distribution, key).
"""

import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from importlib import metadata
from types import FunctionType, ModuleType
from typing import Any

import pluggy

from ..data.oracle import Suite
from ..errors import BrokenPlugin, UnusableData, did_you_mean
from . import hookspecs
from .codec import decode, encode
from .fingerprint import distribution_of, load_failure, refuse_files_of_others, unknown_part, version_hint
from .interfaces import NEEDS, Backbone, Estimator, Opener, OraclePart, PackPart, SetsPart, Signal
from .recipe import Selector, Task
from .set_options import options_of, options_of_address, with_option, with_texts

GROUP = "cogbench"
GIVEN = "-"  # the distribution of plugins that are modules given to `load_parts`
PART_KINDS: dict[str, Any] = {
    "task": Task,
    "backbone": Backbone,
    "signal": Signal,
    "estimator": Estimator,
    "oracle": OraclePart,
    "suite": Suite,
    "pack": PackPart,
    "selector": Selector,
    "set": SetsPart,
}
log = logging.getLogger("cogbench")


@dataclass(frozen=True)
class Plugin:
    """One entry point: what it added, or why it could not; and which of its functions may be hooks by mistake."""

    distribution: str
    version: str
    key: str
    module: str
    parts: tuple[str, ...] = ()
    error: str | None = None
    unmarked: tuple[str, ...] = ()  # functions that are named like hooks and not marked as such

    @property
    def place(self) -> str:
        """The plugin as messages name it."""
        return f"plugin {self.key!r} of {self.distribution} {self.version}"

    @property
    def faults(self) -> list[str]:
        """Why its parts are not there, each in a sentence."""
        failure = [f"{self.place} does not load: {self.error}"] if self.error else []
        return failure + [
            f"{self.place} defines {name}() without @hookimpl, so it is not called: write @hookimpl above it, "
            "or give it another name."
            for name in self.unmarked
        ]


@dataclass(frozen=True)
class Parts:
    """All installed parts by name, and the plugins they came from."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    backbones: Mapping[str, Backbone] = field(default_factory=dict)
    signals: Mapping[str, Signal] = field(default_factory=dict)
    estimators: Mapping[str, Estimator] = field(default_factory=dict)
    oracles: Mapping[str, OraclePart] = field(default_factory=dict)
    suites: Mapping[str, Suite] = field(default_factory=dict)
    packs: Mapping[str, PackPart] = field(default_factory=dict)
    selectors: Mapping[str, Selector] = field(default_factory=dict)
    sets: Mapping[str, SetsPart] = field(default_factory=dict)
    plugins: tuple[Plugin, ...] = ()
    providers: Mapping[tuple[str, str], Plugin] = field(default_factory=dict)

    def of(self, kind: str) -> Mapping[str, Any]:
        """Return the parts of a kind, one of `PART_KINDS`, such as "task" or "backbone"."""
        return getattr(self, f"{kind}s")

    def find(self, kind: str, name: str) -> Any:
        """Return the part of that name, or one that opens it as an address: see `open`.

        Raises UnknownName if nothing bears or opens the name; the message lists the near ones, or names the
        distribution to install, and ends with the faults of plugins.
        """
        parts = self.of(kind)
        part = parts[name] if name in parts else self.open(kind, name)
        if part is None:
            raise unknown_part(kind, name, parts, self.faults)
        return part

    @property
    def faults(self) -> list[str]:
        """Why parts of plugins are not there, each in a sentence."""
        return [fault for plugin in self.plugins for fault in plugin.faults]

    def open(self, kind: str, address: str, *, last_resort: bool = True) -> Any | None:
        """Return the part that opens a file, a folder or a hub id, or None if none does; options are set as by `--set`.

        Parameters
        ----------
        address : str
            `ADDRESS` or `ADDRESS,option=value,option=value`.
        last_resort : bool
            Whether those are asked that are asked last.

        Raises
        ------
        UnknownName, UnusableData
            If an option or its value is wrong, or the distribution is not loaded that reads such a file.
        BrokenPlugin
            If several parts open the address.
        """
        openers = [(name, part) for name, part in self.of(kind).items() if isinstance(part, Opener)]
        place, options = options_of_address(address)
        for last in (False, True) if last_resort else (False,):
            opened: dict[str, Any] = {}
            for name, opener in openers:
                if getattr(opener, "last_resort", False) == last:
                    if (part := opener.open(address)) is None and options and (part := opener.open(place)) is not None:
                        part = with_texts(part, options, self.find)
                    opened |= {} if part is None else {name: part}
            if len(opened) > 1:
                raise BrokenPlugin(f"{kind} {address!r} is opened by {' and '.join(opened)}: name one.")
            if opened:
                return next(iter(opened.values()))
            refuse_files_of_others(kind, place)
        return None

    def label(self, kind: str, part: Any) -> str:
        """Return a part's name, with the options that set it apart from the installed part of that name."""
        installed = self.of(kind).get(part.name)
        if installed is None or type(installed) is not type(part):
            return part.name
        now, usual = self._flat(part, installed), self._flat(installed, installed)
        changed = [f"{k}={v}" for k, v in now.items() if usual.get(k) != v]
        return f"{part.name}[{','.join(changed)}]" if changed else part.name

    def encode(self, value: Any) -> Any:
        """Return plain JSON values of a part, a recipe or a cell; installed parts by kind, name and changed options."""
        return encode(value, self._named)

    def decode(self, value: Any) -> Any:
        """Return what `encode` was given, here or in another process with the same plugins."""
        return decode(value, self._meant)

    def _named(self, part: Any) -> dict[str, Any] | None:
        """Return the kind, name and changed options of an installed part; None for anything else."""
        for kind in ("task", "backbone", "signal", "estimator", "selector"):
            installed = self.of(kind).get(getattr(part, "name", ""))
            provider = self.providers.get((kind, getattr(part, "name", "")))
            if installed is None or type(installed) is not type(part):
                continue
            if provider is None or provider.distribution == GIVEN:
                continue
            usual, now = options_of(installed), options_of(part)
            changed = {name: value for name, value in now.items() if value != usual[name]}
            alike = installed
            for name, value in changed.items():
                alike = with_option(alike, name, value)
            if alike == part:
                written = {"options": {name: self.encode(value) for name, value in changed.items()}} if changed else {}
                return {"kind": kind, "name": part.name, **written}
        return None

    def _meant(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        part = self.find(kind, name)
        for option, value in options.items():
            part = with_option(part, option, value)
        return part

    def _flat(self, part: Any, installed: Any, prefix: str = "") -> dict[str, str]:
        """Return a part's options as texts, those of its members under `member.option`.

        `installed` has the usual options: a member that is another backbone than its member is written by its label.
        """
        settings: dict[str, str] = {}
        for name, value in options_of(part).items():
            usual = getattr(installed, name, None)
            if isinstance(value, Backbone) and getattr(usual, "name", None) != value.name:
                settings[prefix + name] = self.label("backbone", value)
            elif is_dataclass(value):
                settings |= self._flat(value, usual, f"{prefix}{name}.")
            else:
                settings[prefix + name] = ":".join(map(self._word, value)) if isinstance(value, tuple) else str(value)
        return settings

    def _word(self, value: Any) -> str:
        """Return how a value is written among several: an estimator by its label."""
        return self.label("estimator", value) if is_dataclass(value) else str(value)


def load_parts(*modules: ModuleType) -> Parts:
    """Load the plugins of all installed distributions, and these `modules` beside them.

    `COGBENCH_LOAD_PLUGINS` (distribution names, by commas; empty for none) limits the third parties';
    `COGBENCH_STRICT_PLUGINS=1` makes a plugin that fails an error instead of a line in the log.

    A plugin that fails to load, implements a hook that does not exist, or gives a name that another plugin has given,
    is left out with all its parts, and the log says why. The built-in plugins come first, so they keep their names.

    Raises
    ------
    BrokenPlugin
        If a plugin is left out, when strict.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    by_kind_and_name: dict[str, dict[str, Any]] = {kind: {} for kind in PART_KINDS}
    providers: dict[tuple[str, str], Plugin] = {}
    plugins = []
    for plugin, module in [*_installed(), *((_of_module(m), m) for m in modules)]:
        if module is not None:
            plugin = replace(plugin, unmarked=tuple(_unmarked_hooks(manager, module)))
            try:
                _check_hooks(manager, module)
                added = _collect(manager, plugin, module)
                _refuse_clash([(kind, part.name) for kind, part in added], providers)
            except (Exception, SystemExit) as error:
                plugin = replace(plugin, error=load_failure(error))
            else:
                plugin = replace(plugin, parts=tuple(f"{kind} {part.name}" for kind, part in added))
                for kind, part in added:
                    by_kind_and_name[kind][part.name] = part
                    providers[kind, part.name] = plugin
        if plugin.error and os.environ.get("COGBENCH_STRICT_PLUGINS", "") not in ("", "0"):
            raise BrokenPlugin(plugin.faults[0])
        for fault in plugin.faults:
            log.warning(fault)
        plugins.append(plugin)
    by_kind = {f"{kind}s": dict(sorted(parts.items())) for kind, parts in by_kind_and_name.items()}
    return Parts(**by_kind, plugins=tuple(plugins), providers=providers)


def _installed() -> Iterable[tuple[Plugin, ModuleType | None]]:
    wanted = os.environ.get("COGBENCH_LOAD_PLUGINS")
    own = plain_name(distribution_of(__name__) or "")
    allowed = None if wanted is None else {own, *map(plain_name, wanted.split(","))}
    points = [(e.dist.metadata["Name"] if e.dist else "?", e) for e in metadata.entry_points(group=GROUP)]
    for name, point in sorted(points, key=lambda e: (plain_name(e[0]) != own, e[0], e[1].name)):
        if allowed is not None and plain_name(name) not in allowed:
            continue
        plugin = Plugin(name, point.dist.version if point.dist else "?", point.name, point.value)
        try:
            module = point.load()
            if not isinstance(module, ModuleType):
                raise TypeError(
                    f"{point.value!r} is no module: an entry point of {GROUP!r} names the module of its hooks"
                )
        except (Exception, SystemExit) as error:  # whatever a stranger's module raises, the others work
            yield replace(plugin, error=load_failure(error)), None
        else:
            yield plugin, module


def plain_name(distribution: str) -> str:
    """Return a distribution's name as the package index compares them."""
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()


def _of_module(module: ModuleType) -> Plugin:
    return Plugin(GIVEN, GIVEN, module.__name__.rpartition(".")[2], module.__name__)


def _check_hooks(manager: pluggy.PluginManager, module: ModuleType) -> None:
    """Raise BrokenPlugin if a module implements a hook that does not exist."""
    hooks = [name for name in dir(hookspecs) if name.startswith("register_")]
    for name in dir(module):
        opts = manager.parse_hookimpl_opts(module, name)
        if opts is not None and (hook := opts["specname"] or name) not in hooks:
            this = f"{distribution_of(__name__)} {metadata.version(distribution_of(__name__) or '')}"
            guess = did_you_mean(hook, hooks)
            raise BrokenPlugin(f"it implements {hook!r}, a hook that {this} does not have{guess} ({', '.join(hooks)}).")


def _unmarked_hooks(manager: pluggy.PluginManager, module: ModuleType) -> Iterable[str]:
    """Yield the functions of a module that are named like hooks and not marked as such."""
    for name, value in vars(module).items():
        if name.startswith("register_") and isinstance(value, FunctionType) and value.__module__ == module.__name__:
            if manager.parse_hookimpl_opts(module, name) is None:
                yield name


def _collect(manager: pluggy.PluginManager, plugin: Plugin, module: ModuleType) -> list[tuple[str, Any]]:
    manager.register(module, name=f"{plugin.distribution}:{plugin.key}")
    added = []
    for kind in PART_KINDS:
        hook = f"register_{kind}s"
        for impl in getattr(manager.hook, hook).get_hookimpls():
            if impl.plugin is not module:
                continue
            parts = impl.function()
            if not isinstance(parts, Iterable) or isinstance(parts, str):
                raise UnusableData(f"{hook}() returned {type(parts).__name__}; expected a list of parts.")
            for part in parts:
                if fault := fault_of_part(kind, part):
                    raise UnusableData(f"{hook}() returned {fault}")
                added.append((kind, part))
    return added


def _refuse_clash(names: Iterable[tuple[str, str]], providers: Mapping[tuple[str, str], Plugin]) -> None:
    """Raise BrokenPlugin if a plugin gives a name twice, or one that another plugin has given."""
    own = set[tuple[str, str]]()
    for kind, name in names:
        if other := providers.get((kind, name)):
            raise BrokenPlugin(
                f"{kind} {name!r} comes from {other.place} too; uninstall one of them, rename the {kind}, or limit "
                "plugins with COGBENCH_LOAD_PLUGINS."
            )
        if (kind, name) in own:
            raise BrokenPlugin(f"it gives {kind} {name!r} twice.")
        own.add((kind, name))


def fault_of_part(kind: str, part: Any) -> str:
    """Return in a sentence why a value is no part of a kind, one of `PART_KINDS`; nothing if it is one.

    A part is an instance of a frozen dataclass that can be hashed, with the members of its kind and a text as its name;
    the `needs` of an estimator are a frozenset of words of `NEEDS`.
    """
    protocol = PART_KINDS[kind]
    if isinstance(part, type):
        return f"the class {part.__name__}; expected an instance: {part.__name__}()."
    subject = f"{kind} {part.name!r}" if isinstance(getattr(part, "name", None), str) else f"{type(part).__name__}"
    members = [member for member in dir(protocol) if not member.startswith("_")]
    if lacking := [member for member in members if not hasattr(part, member)]:
        own = [member for member in dir(part) if not member.startswith("_") and member not in members]
        guess = did_you_mean(lacking[0], own)
        hint = version_hint() if guess == "." else ""
        return f"{subject}, which is no {protocol.__name__}: it lacks {', '.join(lacking)}{hint}{guess}"
    if not isinstance(part, protocol) or not isinstance(part.name, str):
        return f"{subject}, which is no {protocol.__name__}."
    if not is_dataclass(part) or not getattr(type(part), "__dataclass_params__").frozen:  # noqa: B009
        return f"{subject}, which is no frozen dataclass: write @dataclass(frozen=True) above {type(part).__name__}."
    try:
        hash(part)
    except TypeError as error:
        return f"{subject}, which cannot be hashed ({error}): its fields hold plain values, tuples and other parts."
    if kind == "estimator":
        needs = getattr(part, "needs")  # noqa: B009
        if not isinstance(needs, frozenset):
            return f'{subject}, whose needs is {type(needs).__name__}; expected a frozenset: frozenset({{"texts"}}).'
        for word in sorted(map(str, needs - {*NEEDS})):
            return f"{subject}, which needs {word!r}{did_you_mean(word, NEEDS)} Known: {', '.join(NEEDS)}."
    return ""


def checked(kind: str, part: Any) -> Any:
    """Return a part that is given; raise UnusableData if it is no part of its kind."""
    if fault := fault_of_part(kind, part):
        raise UnusableData(f"this is {fault}")
    return part


def faults_of_suite(suite: Suite, parts: Parts) -> dict[tuple[str, str], str]:
    """Return the kinds and names of the parts that a suite names and that are not installed, each with a sentence."""
    named = [("task", name) for name in suite.tasks]
    named += [("signal", suite.signal)] if suite.signal else []
    named += [part for backbone, oracle in suite.oracles for part in (("backbone", backbone), ("oracle", oracle))]
    return {
        (kind, name): f"suite {suite.name!r} names {kind} {name!r}, which is not installed"
        + did_you_mean(name, parts.of(kind))
        for kind, name in named
        if name not in parts.of(kind)
    }
