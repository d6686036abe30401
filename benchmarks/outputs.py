"""Types of command line options for what a benchmark writes: a place that cannot be written ends it before its work."""

from argparse import ArgumentTypeError
from pathlib import Path

from cogbench import UnusableData
from cogbench.storage.atomic import writable


def output_folder(text: str) -> Path:
    """Return a folder after a trial file was written into it. A missing folder is made."""
    try:
        writable(Path(text))
    except UnusableData as error:
        raise ArgumentTypeError(str(error)) from error
    return Path(text)


def output_file(text: str) -> Path:
    """Return the path of a file after a trial file was written into its folder. A missing folder is made."""
    path = Path(text)
    if path.is_dir():
        raise ArgumentTypeError(f"{text!r} is a folder; name a file in it.")
    if path.is_file() or not path.exists():  # a pipe or a device gets the text itself
        output_folder(str(path.parent))
    return path
