"""What can go wrong for a user, as a tree; the command line prints each as one line.

CogbenchError
├── UnknownName      no part, option or value of that name        (exit 2)
├── MissingData      data, a model or a file is not there         (exit 3)
│   └── LostStore    the store cannot be reached or written to    (exit 3)
├── UnusableData     what is there breaks its record or contract  (exit 3)
│   ├── WrongOption  an option has no such value, or not beside another (exit 2)
│   ├── AmbiguousTable  an option says how a table is read        (exit 3)
│   └── FullDisk     no room for results                          (exit 3)
├── FailedCells      some units of work failed, the rest is saved (exit 1)
└── BrokenPlugin     a plugin cannot be loaded or clashes         (exit 4)

What the code of a part raises is UnusableData, with the exception as its cause. Any other exception is a bug and keeps
its traceback.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import metadata
from typing import Any, TypeVar

T = TypeVar("T")
MOST_NAMES = 200  # that a message lists
FEW_NAMES = 15  # of parts that a message lists; a command lists more of them
LISTED = ("task", "backbone", "signal", "estimator", "oracle", "suite", "pack", "selector")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence on an unknown name: a question with the near names, or a full stop."""
    return question_of(get_close_matches(name, [*names], n=3, cutoff=0.5))


def question_of(near: Iterable[str]) -> str:
    """Return the question whether one of these names is meant, or a full stop where there is none."""
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else "."


class CogbenchError(Exception):
    """A message that says what was found, what was expected and what to do; `exit_code` is the command's."""

    exit_code = 3


class UnknownName(CogbenchError):
    """A name that nothing installed bears."""

    exit_code = 2

    @classmethod
    def of(cls, kind: str, name: str, names: Iterable[str], *, label: str = "Installed") -> "UnknownName":
        """Make the error for a `name` that is not among `names`; `label` introduces the list of them."""
        names = sorted(names)
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        near = near or sorted((n for n in names if name and name in n), key=lambda n: not n.startswith(name))[:3]
        guess = question_of(near)
        if label == "Installed" and len(names) > FEW_NAMES and kind in LISTED:
            return cls(f"unknown {kind} {name!r}{guess} `cogbench list {kind}s` lists all {len(names)}.")
        return cls(f"unknown {kind} {name!r}{guess} {label}: {', '.join(names[:MOST_NAMES]) or 'none'}{more}.")


class MissingData(CogbenchError):
    """Data, a model or a file that is needed and not there; the message says what brings it."""


class Absent(MissingData):
    """Something that the hub has and this machine has not; things that are absent for one reason share a line."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)  # which pickle hands to a new one
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


class LostStore(MissingData):
    """A store that cannot be reached, read or written to: whatever is computed next would be lost, so nothing is."""


class UnusableData(CogbenchError):
    """Data, a model, a plugin's answer or a file that breaks what its record promises."""


class WrongOption(UnusableData):
    """A value that an option does not take, options that do not go together, or one that is lacking."""

    exit_code = 2


class AmbiguousTable(UnusableData):
    """A table of scores that can be read in more than one way; the message names the option that decides."""


class FullDisk(UnusableData):
    """No room for results: whatever is computed next would be lost, so nothing is."""


ENDS_RUN = (FullDisk, LostStore)  # what one cell meets, all others would meet too


class FailedCells(CogbenchError):
    """Some cells failed; the others are saved, and the same command tries only these again."""

    exit_code = 1

    @classmethod
    def of(cls, sentence: str, errors: Iterable[Exception]) -> "FailedCells":
        """Make the error that tells of cells that failed with `errors`; what is unusable stays so the next time."""
        again = not all(isinstance(error, UnusableData) for error in errors)
        return cls(f"{sentence.rstrip('.')}." + " The same command computes only what is missing." * again)


class BrokenPlugin(CogbenchError):
    """A plugin that cannot be loaded, or two plugins that claim one name."""

    exit_code = 4


def missing_package(error: ModuleNotFoundError) -> MissingData | None:
    """Return the error that names the extra which brings a package that is not installed; None if no extra does."""
    package = (error.name or "").partition(".")[0]
    extras = dict[str, list[str]]()  # the packages that each brings
    for line in metadata.requires("cogbench-toolkit") or ():
        if parts := re.match(r"([\w.-]+)[^;]*;.*extra == ['\"](\w+)['\"]", line):
            extras.setdefault(parts[2], []).append(parts[1].replace("-", "_"))
    smallest = min(
        (name for name, packages in extras.items() if package in packages), key=lambda n: len(extras[n]), default=None
    )
    if smallest is None:
        return None
    remedy = f"`pip install -e '.[{smallest}]'` in a checkout of cogbench brings it"
    return MissingData(f"this needs the package {package}, which is not installed: {remedy}.")


def together(faults: Iterable[CogbenchError]) -> CogbenchError:
    """Return one error that tells of several, a line each; what is absent for the same reason shares one."""
    kinds, things = set[type[CogbenchError]](), dict[str, list[str]]()  # what is absent, by the reason
    for fault in faults:
        if isinstance(fault, Absent):
            kinds.add(MissingData)
            if fault.what not in things.setdefault(fault.reason, []):
                things[fault.reason].append(fault.what)
        else:
            kinds.add(type(fault))
            things.setdefault(str(fault), [])
    text = "\n".join(f"{'; '.join(absent)}: {reason}" if absent else reason for reason, absent in things.items())
    kind = kinds.pop() if len(kinds) == 1 else CogbenchError
    return kind(text)


@contextmanager
def blaming(verb: str) -> Iterator[None]:
    """Turn what the code of a part raises into UnusableData that names its `verb`; the mistake is its cause.

    Errors of users, and what the machine lacks, stay as they are.
    """
    try:
        yield
    except CogbenchError:
        raise
    except Exception as error:
        if isinstance(error, OSError | MemoryError) and not isinstance(error, FileNotFoundError):
            raise
        if isinstance(error, ModuleNotFoundError) and (lack := missing_package(error)):
            raise lack from error
        message = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".: ")
        raise UnusableData(f"{verb} raised {message}.") from error


@contextmanager
def gpu_memory() -> Iterator[None]:
    """Turn the error of torch for a GPU whose memory is full into one that says what to do."""
    try:
        yield
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # by its name: torch may not be installed
            raise
        raise CogbenchError(
            "the GPU has too little free memory. End what else uses it, or set CUDA_VISIBLE_DEVICES to nothing: then "
            "the processor computes."
        ) from error


def expected(value: Any, record: type[T], verb: str) -> T:
    """Return the answer of a part's verb; raise UnusableData if it is not the record that the verb promises."""
    if not isinstance(value, record):
        raise UnusableData(f"{verb} returned {type(value).__name__}; expected {record.__name__}.")
    return value
