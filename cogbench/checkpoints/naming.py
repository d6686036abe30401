"""Which checkpoints a user means: NAME=FOLDER_OR_HUB_ID on the command line, a csv file, or a mapping in Python."""

import os.path
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..data.files import Files
from ..data.kinds import TASK_KINDS
from ..errors import MissingData, UnknownName, UnusableData, WrongOption, together
from ..parts.interfaces import Backbone
from ..parts.recipe import Task
from ..parts.registry import Parts
from ..parts.table_task import TableTask
from ..tables.reading import read_texts
from .given import WITHOUT_HEAD, GivenCheckpoint

FORM = "NAME=FOLDER_OR_HUB_ID[@REVISION]"


@dataclass(frozen=True)
class NamedCheckpoint:
    """What a user says of a checkpoint; its fields are the columns of the csv file.

    Parameters
    ----------
    name : str
        What to call the source.
    model : str
        A folder, a hub id `namespace/name`, or the name of an installed backbone.
    revision : str
        A commit of the hub.
    kind : str
        The kind of task that its head answers; by default the kind of `task`, or what the model's configuration says.
    task : str
        The installed task that it was trained on; by default that of the same name, if its kind is the head's.
    data : str
        A table of the examples that it was trained on, in place of a task.
    """

    name: str
    model: str
    revision: str = ""
    kind: str = ""
    task: str = ""
    data: str = ""


def find_checkpoints(
    parts: Parts,
    checkpoints: "str | Path | Mapping[str, str] | Sequence[Any]",
    files: Files,
    *,
    data: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
) -> tuple[GivenCheckpoint, ...]:
    """Return the checkpoints that are meant, in the order in which they are named.

    Parameters
    ----------
    parts : Parts
        The installed backbones, among which is the one that opens folders and hub ids, and the tasks.
    checkpoints : str, Path, mapping, GivenCheckpoint, or several
        `NAME=FOLDER_OR_HUB_ID[@REVISION]`, a csv file with the columns of `NamedCheckpoint`, a mapping of names to
        folders or hub ids, or checkpoints themselves.
    files : Files
        The door to the models.
    data : mapping of str to str, Path or Task
        A table of the examples of single checkpoints, or a task.

    Raises
    ------
    UnusableData, UnknownName, MissingData
        If a name is given twice, a model cannot be opened, or `data` names another checkpoint. All checkpoints that are
        not at hand are named at once.
    """
    own_data, opened, faults = dict(data), list[GivenCheckpoint](), list[MissingData]()
    wanted = [*_wanted(checkpoints)]
    if twice := [name for name, n in Counter(one.name for one in wanted).items() if n > 1]:
        raise WrongOption(f"several checkpoints are called {twice[0]!r}: give each its own name.")
    for name in own_data:
        if name not in {one.name for one in wanted}:
            raise UnknownName.of("checkpoint", name, [one.name for one in wanted], label="Given")
    for one in wanted:
        try:
            given = one if isinstance(one, GivenCheckpoint) else _opened(parts, one, files)
            if one.name in own_data:
                given = _with_data(given, own_data[one.name], given.kind, files)
            opened.append(given)
        except MissingData as error:
            faults.append(type(error)(f"checkpoint {one.name!r}: {error}") if type(error) is MissingData else error)
    if faults:
        raise together(faults)
    return tuple(opened)


def _wanted(checkpoints: Any) -> Iterable[Any]:
    if isinstance(checkpoints, Mapping):
        return [_of_address(str(name), str(address)) for name, address in checkpoints.items()]
    if isinstance(checkpoints, GivenCheckpoint | NamedCheckpoint):
        return [checkpoints]
    if isinstance(checkpoints, str | Path):
        text = str(checkpoints)
        if "=" in text and not os.path.isfile(text):  # of a name that is too long for a file, too
            name, _, address = text.partition("=")
            return [_of_address(name, address)]
        return _of_table(Path(text))
    if not isinstance(checkpoints, Iterable):
        raise WrongOption(f"checkpoints are texts {FORM}, a table, or a mapping of names; {checkpoints!r} is none.")
    return [one for several in checkpoints for one in _wanted(several)]


def _of_address(name: str, address: str) -> NamedCheckpoint:
    """Return the checkpoint of a name and a folder or a hub id; `@REVISION` may follow a hub id."""
    name, address = name.strip(), address.strip()
    if not name or not address:
        raise WrongOption(f"checkpoint {f'{name}={address}'!r} is not of the form {FORM}.")
    model, at, revision = address.rpartition("@")
    if not at or os.path.exists(address):
        return NamedCheckpoint(name, os.path.expanduser(address))
    if not model or not revision:
        raise WrongOption(f"checkpoint {f'{name}={address}'!r} is not of the form {FORM}.")
    return NamedCheckpoint(name, os.path.expanduser(model), revision)


def _of_table(path: Path) -> list[NamedCheckpoint]:
    """Return the checkpoints of a csv file; folders and data are looked for beside the file, and then where we are."""
    if not path.suffix:
        raise WrongOption(f"checkpoint {str(path)!r} is not of the form {FORM}, and no file of checkpoints.")
    rows, columns = read_texts(path).columns, [field.name for field in fields(NamedCheckpoint)]
    if unknown := [column for column in rows if column not in columns]:
        raise UnknownName.of("column of checkpoints", unknown[0], columns, label="Known")
    if lacking := [column for column in ("name", "model") if column not in rows]:
        raise UnusableData(f"{str(path)!r} lists no checkpoints: it has no column {' and no column '.join(lacking)}.")
    named = []
    for number, values in enumerate(zip(*rows.values(), strict=True), start=2):
        said = {column: str(value or "").strip() for column, value in zip(rows, values, strict=True)}
        if not said["name"] or not said["model"]:
            raise UnusableData(f"{str(path)!r}, line {number}: a checkpoint needs a name and a model.")
        one = NamedCheckpoint(**said)
        named.append(replace(one, model=_beside(path, one.model), data=_beside(path, one.data)))
    if not named:
        raise UnusableData(f"{str(path)!r} lists no checkpoints: it has no rows.")
    return named


def _beside(table: Path, address: str) -> str:
    """Return where a folder or file that a table names is: beside the table, or as it is written."""
    address = os.path.expanduser(address)
    path = table.parent / address
    return str(path) if address and os.path.exists(path) else address


def _opened(parts: Parts, one: NamedCheckpoint, files: Files) -> GivenCheckpoint:
    """Return a checkpoint with its model opened as a backbone, its kind, and its examples if the task is installed."""
    task = _task(parts, one)
    if one.kind and one.kind not in TASK_KINDS:
        raise UnknownName.of("kind of task", one.kind, TASK_KINDS, label="Known")
    try:
        backbone: Backbone = parts.find("backbone", one.model)
    except UnknownName as error:
        fault = "it is a file, not a folder" if os.path.isfile(one.model) else f"no folder {one.model!r}"
        raise MissingData(f"{fault}; a model is a folder, a hub id or an installed backbone.") from error
    if one.revision and hasattr(backbone, "revision"):
        backbone = replace(backbone, revision=one.revision)  # type: ignore[type-var]
    origin = backbone.origin(files)
    if one.revision and (not hasattr(backbone, "revision") or (origin.revision or "").startswith("sha256:")):
        raise WrongOption(
            f"checkpoint {one.name!r}: {one.model!r} is not read from the hub, so it has no revisions: leave "
            f"{one.revision!r} out."
        )
    if reason := getattr(backbone, "unreadable", lambda files: None)(files):
        raise UnusableData(f"checkpoint {one.name!r}: {reason}.")
    head = head_of(backbone, files)
    kinds = ALIKE.get(head, (head,)) if head else ()  # that the head may answer
    if one.kind and kinds and one.kind not in kinds:
        raise UnusableData(f"checkpoint {one.name!r}: its head is one of {head}, not of {one.kind}.")
    if one.task and task and kinds and task.kind not in kinds:
        raise UnusableData(
            f"checkpoint {one.name!r}: its head is one of {head}, and task {task.name!r} is {task.kind}."
        )
    if task and kinds and task.kind not in kinds:
        task = None  # it bears this name by chance
    kind = one.kind or (task.kind if task else None) or head or WITHOUT_HEAD
    given = GivenCheckpoint(one.name, backbone, kind=kind if head else WITHOUT_HEAD, data=task)
    return _with_data(given, one.data, kind, files) if one.data else given


# A sequence classifier's configuration does not say for which of these kinds it was trained.
ALIKE = {"classification": ("classification", "relation", "reranking"), "regression": ("regression", "reranking")}


def head_of(backbone: Backbone, files: Files) -> str | None:
    """Return the kind of task that the head of a backbone's files answers, None if there is no such head."""
    head_kind: Callable[[Files], str | None] = getattr(backbone, "head_kind", lambda files: None)
    return head_kind(files)


def _task(parts: Parts, one: NamedCheckpoint) -> Task | None:
    """Return the installed task that a checkpoint was trained on, if it is said or bears its name."""
    if one.task and one.task not in parts.tasks:
        raise UnknownName.of("task", one.task, parts.tasks)
    return None if one.data else parts.tasks.get(one.task or one.name)


def _with_data(given: GivenCheckpoint, data: Any, kind: str, files: Files) -> GivenCheckpoint:
    """Return a checkpoint with the examples of a table of a kind, or of a task."""
    if isinstance(data, Task):
        return replace(given, data=data)
    if not os.path.isfile(data):
        raise MissingData(f"no file {str(data)!r} of its examples.")
    if kind not in TASK_KINDS:
        raise UnusableData(
            f"checkpoint {given.name!r}: nothing says which kind its examples are of; say it in a column `kind`."
        )
    task = TableTask(name=given.name, file=str(data), kind=kind)
    task.load("train", files)
    return replace(given, data=task)
