"""Load the installed parts; find one by name.

`load_parts` walks the entry points itself: pluggy's own loader stops at the first broken plugin, and drops a second one
of the same name in silence. A plugin's identity is (distribution, key).
"""

import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

import pluggy

from ..data.files import Files
from ..data.grids import FILES, refuse_other_files
from ..data.oracle import Direction, Oracle, Suite
from ..data.oracle_files import read_oracle, refuse_reading
from ..data.score_tables import TableReading
from ..errors import BrokenPlugin, UnknownName, UnusableData
from ..oracles.set_tables import read_sets
from ..oracles.task_sets import TaskSets, measured_sets
from ..storage.store import home
from . import hookspecs
from .codec import decode, encode
from .fingerprint import distribution_of, load_failure, unknown_part
from .interfaces import Backbone, Estimator, OraclePart, PackPart, SetsPart, Signal
from .recipe import Selector, Task
from .set_options import options_of, with_option

GROUP = "cogbench"
PUBLISHED = "published"  # the basis of oracles that are quoted, and a name for all of them
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


@runtime_checkable
class Opener(Protocol):
    """A part that also stands for things without a name of their own: a file, a folder, a hub id."""

    def open(self, address: str) -> "Any | None":
        """Return a part that reads this address, or None if it is none of its addresses."""


@dataclass(frozen=True)
class Plugin:
    """One entry point: what it added, or why it could not."""

    distribution: str
    version: str
    key: str
    module: str
    parts: tuple[str, ...] = ()
    error: str | None = None


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
        """Return the part of that name, or one that opens it as an address (a file, a folder, a hub id).

        Raises
        ------
        UnknownName
            If nothing bears or opens the name; the message lists the near ones, or names the distribution to install.
        BrokenPlugin
            If several parts open the address.
        """
        known = self.of(kind)
        if name in known:
            return known[name]
        opened = [(n, part) for n, p in known.items() if isinstance(p, Opener) and (part := p.open(name)) is not None]
        if len(opened) > 1:
            raise BrokenPlugin(f"{kind} {name!r} is opened by {' and '.join(n for n, _ in opened)}: name one.")
        if not opened:
            raise unknown_part(kind, name, known)
        return opened[0][1]

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
        found: dict[str, str] = {}
        for name, value in options_of(part).items():
            usual = getattr(installed, name, None)
            if isinstance(value, Backbone) and getattr(usual, "name", None) != value.name:
                found[prefix + name] = self.label("backbone", value)
            elif is_dataclass(value):
                found |= self._flat(value, usual, f"{prefix}{name}.")
            else:
                found[prefix + name] = ":".join(map(self._word, value)) if isinstance(value, tuple) else str(value)
        return found

    def _word(self, value: Any) -> str:
        """Return how a value is written among several: an estimator by its label."""
        return self.label("estimator", value) if is_dataclass(value) else str(value)


def load_parts(*modules: ModuleType) -> Parts:
    """Load the plugins of all installed distributions, and these `modules` beside them.

    `COGBENCH_LOAD_PLUGINS` (distribution names, by commas; empty for none) limits the third parties';
    `COGBENCH_STRICT_PLUGINS=1` makes a plugin that fails an error instead of a line in the log.

    Raises
    ------
    BrokenPlugin
        If two plugins give one name to parts of a kind, a plugin implements a hook that does not exist, or, when
        strict, a plugin fails to load.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    found: dict[str, dict[str, Any]] = {kind: {} for kind in PART_KINDS}
    providers: dict[tuple[str, str], Plugin] = {}
    plugins = []
    for plugin, module in [*_installed(), *((_of_module(m), m) for m in modules)]:
        if module is not None:
            _check_hooks(manager, plugin, module)
            try:
                added = _collect(manager, plugin, module)
            except (Exception, SystemExit) as error:
                plugin = replace(plugin, error=load_failure(error))
            else:
                plugin = replace(plugin, parts=tuple(f"{kind} {part.name}" for kind, part in added))
                for kind, part in added:
                    if other := providers.get((kind, part.name)):
                        raise BrokenPlugin(
                            f"{kind} {part.name!r} comes from two plugins: {_where(other)} and {_where(plugin)}; "
                            "uninstall one, or limit plugins with COGBENCH_LOAD_PLUGINS."
                        )
                    found[kind][part.name] = part
                    providers[kind, part.name] = plugin
        if plugin.error:
            message = f"plugin {_where(plugin)} does not load: {plugin.error}"
            if os.environ.get("COGBENCH_STRICT_PLUGINS", "") not in ("", "0"):
                raise BrokenPlugin(message)
            log.warning(message)
        plugins.append(plugin)
    by_kind = {f"{kind}s": dict(sorted(parts.items())) for kind, parts in found.items()}
    return Parts(**by_kind, plugins=tuple(plugins), providers=providers)


def _installed() -> Iterable[tuple[Plugin, ModuleType | None]]:
    wanted = os.environ.get("COGBENCH_LOAD_PLUGINS")
    allowed = None if wanted is None else {_plain(distribution_of(__name__) or ""), *map(_plain, wanted.split(","))}
    found = metadata.entry_points(group=GROUP)
    for point in sorted(found, key=lambda e: (e.dist.metadata["Name"] if e.dist else "", e.name)):
        name = point.dist.metadata["Name"] if point.dist else "?"
        if allowed is not None and _plain(name) not in allowed:
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


def _plain(distribution: str) -> str:
    """Return a distribution's name as the package index compares them."""
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()


def _of_module(module: ModuleType) -> Plugin:
    return Plugin(GIVEN, GIVEN, module.__name__.rpartition(".")[2], module.__name__)


def _check_hooks(manager: pluggy.PluginManager, plugin: Plugin, module: ModuleType) -> None:
    known = [name for name in dir(hookspecs) if name.startswith("register_")]
    for name in dir(module):
        opts = manager.parse_hookimpl_opts(module, name)
        if opts is not None and (opts["specname"] or name) not in known:
            this = f"{distribution_of(__name__)} {metadata.version(distribution_of(__name__) or '')}"
            raise BrokenPlugin(
                f"plugin {_where(plugin)} implements {name!r}, a hook that {this} does not have ({', '.join(known)})."
            )


def _collect(manager: pluggy.PluginManager, plugin: Plugin, module: ModuleType) -> list[tuple[str, Any]]:
    manager.register(module, name=f"{plugin.distribution}:{plugin.key}")
    added = []
    for kind, protocol in PART_KINDS.items():
        for impl in getattr(manager.hook, f"register_{kind}s").get_hookimpls():
            if impl.plugin is not module:
                continue
            for part in impl.function():
                if not isinstance(part, protocol):
                    raise TypeError(
                        f"register_{kind}s returned {part!r}, which is no {protocol.__name__}{_lack(part, protocol)}"
                    )
                added.append((kind, part))
    return added


def _lack(part: Any, protocol: type) -> str:
    """Return in words which members of its protocol a part lacks."""
    members = [name for name in dir(protocol) if not name.startswith("_")]
    lacking = [name for name in members if not hasattr(part, name)]
    return f": it lacks {', '.join(lacking)}" if lacking and getattr(protocol, "_is_protocol", False) else ""


def _where(plugin: Plugin) -> str:
    return f"{plugin.key!r} of {plugin.distribution} {plugin.version}"


def oracle_folder() -> Path:
    """Return where measured oracles are kept, wherever the store is."""
    return home() / "oracles"


def measured_oracles() -> dict[str, Path]:
    """Return the files of the oracles that were measured here, by their names."""
    return {path.stem: path for path in sorted(oracle_folder().glob("*.json"))}


def find_oracle(
    parts: Parts, asked: str | OraclePart, files: Files | None = None, *, reading: TableReading | None = None
) -> Oracle:
    """Return an oracle by its name, installed or measured here, or by its file; a part that is given is read.

    Parameters
    ----------
    parts : Parts
        The installed parts.
    asked : str or OraclePart
        The name of an oracle, a file, or a part.
    files : Files, optional
        The door to the data that a part reads.
    reading : TableReading, optional
        What a file that is a table leaves open.

    Raises
    ------
    UnknownName
        If there is no oracle of that name.
    MissingData, UnusableData
        If a file is not there, is no oracle or can be read in more than one way; or if there is a reading for an oracle
        that is no table.
    """
    files = files or Files(offline=True)
    if isinstance(asked, str) and asked not in parts.oracles and Path(asked).suffix.lower() in FILES:
        return read_oracle(Path(asked), reading=reading)
    refuse_reading(reading, asked if isinstance(asked, str) else asked.name)
    if not isinstance(asked, str):
        return asked.read(files)
    if asked in parts.oracles:
        return parts.oracles[asked].read(files)
    own = measured_oracles()
    if asked not in own:
        refuse_other_files(asked)
        _refuse_sets(parts, [asked])
        raise unknown_part("oracle", asked, [*parts.oracles, *own])
    return read_oracle(own[asked])


def oracle_names(parts: Parts, asked: str | Sequence[str]) -> list[str]:
    """Return the oracles that texts name, each once: by their names or files, by their family, or as "published".

    A family is the suite on the cards of its oracles; "published" stands for all oracles of publications.

    Raises
    ------
    UnknownName
        If there is no oracle and no family of that name.
    UnusableData
        If the name is that of sets of sources, which are no oracle.
    """
    cards = {name: part.card for name, part in parts.oracles.items()}
    families = dict[str, list[str]]()
    for name, card in cards.items():
        families.setdefault(card.suite, []).append(name)
        families.setdefault(PUBLISHED, []).extend([name] if card.basis == PUBLISHED else [])
    own, names = measured_oracles(), list[str]()
    for text in [asked] if isinstance(asked, str) else asked:
        for word in [text] if text in cards or Path(text).suffix.lower() in FILES else map(str.strip, text.split(",")):
            if word in cards or word in own or Path(word).suffix.lower() in FILES:
                names.append(word)
            elif word in families:
                names += families[word]
            elif word:
                refuse_other_files(word)
                _refuse_sets(parts, [word])
                raise unknown_part("oracle", word, [*cards, *own, *families])
    return list(dict.fromkeys(names))


def find_sets(
    parts: Parts, asked: str | Path, files: Files | None = None, *, better: Direction | None = None
) -> TaskSets:
    """Return task sets by the name of installed or measured ones, or by their file, as `read_sets` takes it.

    Raises
    ------
    UnknownName, MissingData
        If there is no such name or file.
    UnusableData
        If the file is no such table.
    """
    name = str(asked)
    if name in parts.sets:
        sets = parts.sets[name].read(files or Files(offline=True))
        return sets if better is None else replace(sets, better=dict.fromkeys(sets.targets, better))
    if Path(asked).suffix.lower() not in FILES and name not in measured_sets():
        refuse_other_files(name)
        raise UnknownName.of("file or name of task sets", name, [*parts.sets, *measured_sets()], there="Sets")
    return read_sets(asked, better=better)


def _refuse_sets(parts: Parts, names: Sequence[str]) -> None:
    """Raise UnusableData if one of these names is that of sets of sources, or of a family that has nothing else."""
    for name in names:
        if found := [one for one, part in parts.sets.items() if name in (one, part.card.suite)]:
            raise UnusableData(
                f"{name!r} holds scores with sets of sources, not with pairs: see `cogbench sets show {found[0]}`."
            )
