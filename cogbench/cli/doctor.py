"""What runs depend on, here: versions, device, extras, the store, the hub, plugins; and what would stop a run."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.files import Files
from ..data.hub import reachable
from ..data.kinds import TASK_KINDS
from ..errors import CogbenchError, UnusableData, missing_package
from ..parts.fingerprint import distribution_of
from ..parts.registry import load_parts
from ..runs.plan import unsuitable_kinds
from ..storage.atomic import writable
from ..storage.store import home
from ..text import first_line, in_words

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OFFLINE = ("COGBENCH_OFFLINE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
UNSET = ("", "0", "false", "no", "off")


def examine(backbones: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return a row for each thing that runs depend on, and for each of these backbones.

    Returns
    -------
    list of dict
        `what` it is, what was `found`, and the `trouble` if that would stop a run, with what mends it.
    """
    looks: dict[str, Callable[[], str]] = {
        **_versions(),
        "device": _device,
        "processors": _processors,
        "memory": _memory,
        **_extras(),
        "store": _store,
        "hub's cache": _cache,
        "hub": _hub,
        "offline": _offline,
        "plugins": _plugins,
        **{f"backbone {name}": partial(_backbone, name) for name in backbones},
    }
    return [_looked(what, look) for what, look in looks.items()]


def _looked(what: str, look: Callable[[], str]) -> dict[str, str]:
    try:
        return {"what": what, "found": look(), "trouble": ""}
    except ModuleNotFoundError as error:
        return {"what": what, "found": "", "trouble": str(missing_package(error) or error)}
    except Exception as error:  # whatever is broken, the other rows help to find out why
        kind = "" if isinstance(error, CogbenchError) else f"{type(error).__name__}: "
        return {"what": what, "found": "", "trouble": f"{kind}{first_line(error)}"}


def _own() -> str:
    return distribution_of(__name__) or "cogbench-toolkit"


def _requirements() -> "list[Requirement]":
    from packaging.requirements import Requirement

    return [Requirement(text) for text in metadata.requires(_own()) or ()]


def _versions() -> dict[str, Callable[[], str]]:
    """Return a look at each version: ours, Python's, and that of each distribution that we need."""
    needed = [r for r in _requirements() if r.marker is None or r.marker.evaluate({"extra": ""})]
    return {
        "cogbench": lambda: metadata.version(_own()),
        "python": lambda: f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        **{r.name: partial(_version, r) for r in needed},
    }


def _version(needed: "Requirement") -> str:
    try:
        version = metadata.version(needed.name)
    except metadata.PackageNotFoundError:
        raise UnusableData(f"not installed; `pip install '{needed}'` brings it.") from None
    if not needed.specifier.contains(version, prereleases=True):
        raise UnusableData(f"{version} is installed; `pip install '{needed}'` brings what is needed.")
    return version


def _device() -> str:
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    devices = (torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count()))
    return ", ".join(f"{p.name} ({in_words(p.total_memory)})" for p in devices)


def _processors() -> str:
    from dask.system import CPU_COUNT

    from ..workers.cluster import fitting

    return f"{CPU_COUNT}; a run uses {fitting()} worker(s) unless told otherwise"


def _memory() -> str:
    from psutil import virtual_memory

    memory = virtual_memory()
    return f"{in_words(memory.available)} of {in_words(memory.total)} free"


def _extras() -> dict[str, Callable[[], str]]:
    """Return a look at each optional extra of our own distribution."""
    names = metadata.metadata(_own()).get_all("Provides-Extra") or ()
    return {f"extra {name}": partial(_extra, name) for name in names}


def _extra(name: str) -> str:
    bare, wanted = ({"extra": ""}, {"extra": name})
    own = [r for r in _requirements() if r.marker and r.marker.evaluate(wanted) and not r.marker.evaluate(bare)]
    missing = [r.name for r in own if not _installed(r.name)]
    remedy = f"`pip install -e '.[{name}]'` in a checkout of cogbench"
    return f"not installed: lacks {', '.join(missing)}; {remedy} brings it" if missing else "installed"


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _store() -> str:
    root = home()
    writable(_there(root))
    return _place(root)


def _cache() -> str:
    from huggingface_hub.constants import HF_HOME

    return _place(Path(HF_HOME))


def _place(folder: Path) -> str:
    return f"{folder}: {in_words(sum(_sizes(folder)))}, {in_words(shutil.disk_usage(_there(folder)).free)} free"


def _there(path: Path) -> Path:
    """Return the path, or what is there of it already."""
    return next(p for p in (path, *path.absolute().parents) if p.exists())


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the bytes of each file below a folder; a link counts as itself, not as what it names."""
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                yield os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:  # a run that goes on beside this
                continue


def _hub() -> str:
    from huggingface_hub.constants import ENDPOINT

    if forbidden := _set_offline():
        return f"{ENDPOINT}, not asked: {forbidden[0]} is set"
    return f"{ENDPOINT} {'answers' if reachable(ENDPOINT) else 'does not answer: what is local or cached works'}"


def _offline() -> str:
    return ", ".join(f"{name}={os.environ[name]}" for name in _set_offline()) or "not set"


def _set_offline() -> list[str]:
    return [name for name in OFFLINE if os.environ.get(name, "").lower() not in UNSET]


def _backbone(name: str) -> str:
    """Return which kinds of task a backbone can be trained on; its files are looked for on disk alone."""
    backbone = load_parts().find("backbone", name)
    backbone.origin(Files(offline=True))
    reasons = unsuitable_kinds(backbone, [*TASK_KINDS], Files(offline=True))
    cannot = [kind for kinds in reasons.values() for kind in kinds]
    lines = [f"not {', '.join(kinds)}: {reason}" for reason, kinds in reasons.items()]
    if len(cannot) == len(TASK_KINDS):
        raise UnusableData("; ".join(lines))
    return "; ".join(["can be trained on " + ", ".join(kind for kind in TASK_KINDS if kind not in cannot), *lines])


def _plugins() -> str:
    plugins = load_parts().plugins
    broken = [f"{p.key!r} of {p.distribution} {p.version} does not load: {p.error}" for p in plugins if p.error]
    return "; ".join([f"{len(plugins) - len(broken)} load", *broken])
