"""One cell, asked of a worker process: what it is told, and that it computes that cell or refuses."""

import json
import os
import traceback
from contextlib import chdir
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ..compute.workspace import Cell, Workspace
from ..errors import CogbenchError, UnusableData
from ..parts.codec import decode, encode
from ..parts.fingerprint import Fingerprints
from ..parts.registry import Parts, load_parts
from ..storage.remote_store import open_store

AS_HERE = (  # what to do about a worker that is not as this process is
    "install the same versions everywhere, start workers anew after a change, and set (--set) what machines choose by "
    "themselves, such as a precision."
)


class Refusal(UnusableData):
    """A worker with other versions, which would compute another cell, and the reason in words."""

    def __init__(self, worker: str, reason: str) -> None:
        super().__init__(worker, reason)  # which pickle hands to a new one
        self.worker, self.reason = worker, reason

    def __str__(self) -> str:
        return f"worker {self.worker} refuses: {self.reason}"


def request(cell: Cell, workspace: Workspace) -> str:
    """Return all that a worker needs to compute a cell, as JSON."""
    return json.dumps(
        {
            "cell": workspace.parts.encode(cell),
            "ingredients": workspace.ingredients(cell),
            "files": encode(workspace.files),
            "store": workspace.store.address,
            "cwd": os.getcwd(),  # what paths are relative to
        }
    )


def in_worker(request: str, wait: bool = True) -> bool:
    """Compute one cell in a worker process; False if another computes it and it is not to be waited for."""
    message, worker = json.loads(request), _worker()
    with chdir(message["cwd"] if Path(message["cwd"]).is_dir() else "."):
        try:
            cell = _parts().decode(message["cell"])
        except Exception as error:  # whatever its plugins raise
            raise Refusal(worker, f"it cannot read what is asked for ({error}); {AS_HERE}") from None
        workspace = _workspace(json.dumps(message["files"]), message["store"], os.getcwd())
        if differing := _difference(message["ingredients"], workspace.ingredients(cell)):
            raise Refusal(worker, f"it would compute another cell: {differing}; {AS_HERE}")
        if not wait and workspace.store.busy(workspace.key(cell)):
            return False
        try:
            workspace.folder(cell)
        except CogbenchError:
            raise
        except Exception as error:  # what cannot be pickled must not bring down the connection
            raise RuntimeError("".join(traceback.format_exception(error))) from None
        return True


@cache
def _worker() -> str:
    """Return this worker's address."""
    from distributed import get_worker

    try:
        address: str = get_worker().address  # type: ignore[no-untyped-call]
    except ValueError:  # in no worker
        return "here"
    return address


@cache
def _parts() -> Parts:
    """Return the parts that are installed where this worker runs."""
    return load_parts()


@cache
def _fingerprints() -> Fingerprints:
    """Return the fingerprints of this worker: it stays the code that it has loaded, whatever changes on disk."""
    return Fingerprints()


@lru_cache(maxsize=1)
def _workspace(files: str, store: str, cwd: str) -> Workspace:
    """Return this worker process's workspace, kept between cells because it remembers the data it has read."""
    return Workspace(decode(json.loads(files)), open_store(store), _parts(), fingerprints=_fingerprints())


def _difference(requested: Any, here: Any, path: str = "") -> str | None:
    """Return where two sets of ingredients differ first, in words; None if they are equal."""
    if isinstance(requested, dict) and isinstance(here, dict):
        pairs = [(f"{path}.{k}".lstrip("."), requested.get(k), here.get(k)) for k in {**requested, **here}]
    elif isinstance(requested, list) and isinstance(here, list) and len(requested) == len(here):
        pairs = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(requested, here, strict=True))]
    else:
        return None if requested == here else f"{path} is {here!r} here, {requested!r} where it was asked for"
    return next((d for p, a, b in pairs if (d := _difference(a, b, p))), None)
