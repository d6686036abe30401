"""A guard for files of HDF5: its library may go on for ever with a damaged one, or end the process that reads it."""

import os
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from cogbench import UnusableData

SECONDS = 60.0  # and one more for each MiB of the file
PAUSE = 0.002


def try_apart(path: Path, read: Callable[[], Any]) -> None:
    """Read a file in a process of its own first, where the system can split a process (not on Windows).

    Raises
    ------
    UnusableData
        If that process does not come to its end in time, or the library ends it. An error that `read` raises is left to
        whoever reads the file afterwards.
    """
    if not hasattr(os, "fork"):
        return
    seconds = SECONDS + path.stat().st_size / 2**20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads: the new process has this one alone, and starts none
        child = os.fork()
    if child == 0:
        with suppress(BaseException):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            warnings.simplefilter("ignore")
            read()
        os._exit(0)
    ends, status = monotonic() + seconds, None
    try:
        while status is None and monotonic() < ends:
            ended, code = os.waitpid(child, os.WNOHANG)
            status = code if ended else None
            if status is None:
                sleep(PAUSE)
    finally:
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if status is None:
        raise UnusableData(
            f"{str(path)!r} cannot be read as HDF5: its library does not come to an end within {seconds:.0f} s, so the "
            "file is damaged; write or copy it anew."
        )
    if os.WIFSIGNALED(status):
        raise UnusableData(
            f"{str(path)!r} cannot be read as HDF5: its library breaks down at it, so the file is damaged; write or "
            "copy it anew."
        )
