"""Files and what their names say: which files an address names, whose they are, and where their sentences stand."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from glob import glob
from importlib import import_module
from pathlib import Path
from typing import Any

from cogbench import MissingData, UnknownName, UnusableData, read_table

from .rows import bad, listed

SENTENCES = ("sentence", "sentences", "text", "stimulus", "stimuli")  # usual names, without case
SUBJECTS = ("subject", "subject_id", "participant_id", "participant", "sub", "subj")
SUBJECT = re.compile(r"(?:^|[_/])(sub-[A-Za-z0-9]+)")
ENTITY = re.compile(r"(?:^|_)([a-z]+)-([A-Za-z0-9]+)(?=_|\.|$)", re.IGNORECASE)
TABLES = (".csv", ".tsv", ".parquet", ".jsonl")


def opened(address: str, endings: tuple[str, ...]) -> Path | None:
    """Return the path that an address names if it has one of these endings; one with options is none."""
    address = os.path.expanduser(address)
    plain = not re.search(r",[A-Za-z_]+=", address) or os.path.exists(address)
    return Path(address) if plain and address.lower().endswith(endings) else None


def signal_name(path: Path, endings: tuple[str, ...]) -> str:
    """Return what a signal is called: its file's name without the ending."""
    ending = max((e for e in endings if path.name.lower().endswith(e)), key=len, default="")
    return re.sub(r"[^\w.-]+", "_", path.name[: len(path.name) - len(ending)]).strip("_").lower() or "recording"


def files_at(path: Path, what: str) -> list[Path]:
    """Return the file, or those that a pattern with `*` matches, numbers in their names in order.

    Raises
    ------
    MissingData
        If there is none.
    """
    if path.is_file():
        return [path]
    matches = [Path(match) for match in glob(str(path), recursive=True) if os.path.isfile(match)]
    if not matches:
        raise MissingData(f"no file {str(path)!r} for {what}; name one that exists, or several by a pattern with `*`.")
    return sorted(matches, key=lambda p: [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", str(p))])


def subject_of(path: Path, several: bool) -> str:
    """Return whose a file is: `sub-01` by its name or folder; else one of several files is of a subject of its own."""
    match = SUBJECT.search(path.name) or SUBJECT.search(path.as_posix())
    return match[1] if match else path.name.partition(".")[0] if several else "all"


def entities(path: Path) -> dict[str, str]:
    """Return what a name of BIDS says of its file: `sub`, `ses`, `task`, `run` and others."""
    return {
        key.lower(): value.lstrip("0") or "0" if key == "run" else value for key, value in ENTITY.findall(path.name)
    }


def library(name: str, path: Path, package: str | None = None) -> Any:
    """Import a library that reads a format; MissingData names the package to install."""
    try:
        return import_module(name)
    except ImportError:
        package = package or name.partition(".")[0]
        raise MissingData(
            f"{str(path)!r} is read by {package}, which is not installed: pip install {package}."
        ) from None


def pick(kind: str, wanted: str | None, usual: Sequence[str], names: Collection[str], path: Path) -> str | None:
    """Return the column that is wanted, or else the first that has one of the usual names; None if there is none."""
    if wanted is not None:
        if wanted not in names:
            raise UnknownName.of(kind, wanted, names, label=f"In {path.name}")
        return wanted
    lower: dict[str, str] = {}
    for name in names:
        lower.setdefault(name.lower(), name)
    return next((lower[name] for name in usual if name in lower), None)


def texts_of(column: Iterable[Any]) -> list[str]:
    """Return the cells of a column as texts; what is missing, also as BIDS writes it, is empty."""
    return ["" if cell is None or cell != cell or f"{cell}".strip() in ("", "n/a") else f"{cell}" for cell in column]


def names_of(column: Iterable[Any]) -> list[str]:
    """Return names of subjects; a number that is whole has no point."""
    cells = (int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in column)
    return [text.strip() for text in texts_of(cells)]


def sentences_in(file: Path) -> list[str]:
    """Return the sentences of a file, one for each presentation: the lines of a text, or a table's column `sentence`.

    Raises
    ------
    MissingData, UnusableData
        If it is not there, or it is neither.
    """
    file = Path(file).expanduser()
    if not file.is_file():
        raise MissingData(f"no file {str(file)!r} of sentences; sentences=FILE names a text with one sentence a line.")
    if file.suffix.lower() in TABLES:
        columns = read_table(file).columns
        column = pick("column", None, SENTENCES, columns, file)
        if column is None:
            raise bad(file, f"it has no column `sentence`; it has {listed(columns)}.")
        return texts_of(columns[column])
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise bad(file, "it is not UTF-8: save the sentences in that encoding.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def columns_of(file: Path) -> Mapping[str, Sequence[Any]]:
    """Return the columns of a table."""
    return read_table(file).columns


def guarded(path: Path, what: str, read: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return what a library reads; whatever it raises at a damaged file becomes one line."""
    import warnings

    from cogbench import CogbenchError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a library says of its file stands in no result
            return read(*args, **options)
    except (CogbenchError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(f"{error}".split())[:200].rstrip(".") or type(error).__name__
        raise UnusableData(f"{str(path)!r} cannot be read as {what}: {reason}.") from error
