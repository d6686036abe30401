"""Which source task should a model learn before a target task?

All that users and plugins may import stands in `cogbench/__init__.pyi`, once, and is imported when it is first used.
For authors of plugins `cogbench.testing` has the contract checks. Everything else in the folders may change any time.
"""

from typing import Any

import lazy_loader

_import_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# What public names were called in cogbench 0.1.0.
_FORMER = {
    "KINDS": "TASK_KINDS",
    "Source": "Origin",
    "load": "load_parts",
    "popularity": "popularity_baseline",
    "size": "size_baseline",
    "tree": "task_tree",
    **{f"check_{kind}": f"testing.check_{kind}" for kind in ("task", "backbone", "signal", "estimator")},
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from .parts.fingerprint import harness_version

        return harness_version()
    if name in _FORMER:
        raise ImportError(f"cogbench.{name} is called cogbench.{_FORMER[name]} since cogbench 0.2.0.")
    return _import_public(name)
