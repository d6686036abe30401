"""What a target may be: a task by its name, a table in a file, a folder, the hub or memory, or a task of one's own."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..data.files import Files
from ..errors import MissingData, UnknownName, UnusableData, WrongOption
from ..storage.atomic import write_whole
from ..storage.disk import store_lost
from ..storage.store import home
from ..tables.options import ENDINGS, ending_of, split_address
from .examples import NO_LABEL, OUTSIDE
from .recipe import Task
from .registry import Parts
from .table_task import OF_TASKS, SCORED, TableTask, is_hub_id

FORMATS = [ending for ending in ENDINGS if ending not in (".npz", ".npy")]
KINDS_OF_TARGET = (
    f"the name of a task (`cogbench list tasks`), a table ({', '.join(FORMATS)}, or packed as .gz), a folder with "
    "train.csv and, if there is one, validation.csv or test.csv, or a data set of the hub, namespace/name"
)
IN_MEMORY = (
    "a cogbench.Task or cogbench.Dataset, a pandas DataFrame, or a Dataset or DatasetDict of the package datasets"
)
FOLDER = "targets"  # of the user's store: tables that were given in memory
WORDS = "word-accuracy"  # the metric of tags without O


def find_target(
    parts: Parts,
    target: Any,
    files: Files,
    *,
    kind: str | None = None,
    columns: str | Mapping[str, str] | Sequence[tuple[str, str]] = (),
    evaluation: Any = None,
    description: str = "",
    drop_missing: bool = False,
    max_evaluation: int | None = 2000,
) -> Task:
    """Return the task that a target means.

    Parameters
    ----------
    parts : Parts
        The installed tasks.
    target : str, Path, Task, Dataset, DataFrame or mapping of splits
        What `KINDS_OF_TARGET` and `IN_MEMORY` say. Rows in memory are written into the store, under a name that their
        hash decides, so that the same rows are the same task.
    files : Files
        The door to a data set on the hub.
    kind, columns, evaluation, description, drop_missing, max_evaluation
        Of a table, as for `TableTask`; `columns` may also be a text, `text=COLUMN,label=COLUMN`.

    Raises
    ------
    MissingData
        If there is no such file.
    UnknownName
        If a name is neither a task nor one of the other things.
    UnusableData
        If a table's kind is not said, the target is something else, or its rows cannot be read.
    """
    if isinstance(target, str | Path):
        if str(target) in parts.tasks:
            _refuse_evaluation(str(target), evaluation)
            return parts.tasks[str(target)]
        file, own_evaluation, name = _address(str(target), parts), None, _name_of(str(target))
    elif isinstance(target, Task):
        _refuse_evaluation(target.name, evaluation)
        return target
    else:
        kind = target.kind if isinstance(target, Dataset) else kind
        file, own_evaluation, name = *_written(target), "own-rows"
    if kind is None:
        raise WrongOption(f"{name!r}: say with --kind which kind of task its rows are of.")
    if evaluation is not None:
        own_evaluation = _evaluation(evaluation)
    task = TableTask(
        name=name if name not in parts.tasks else f"{name}-own",  # a file called like a task is another one
        file=file,
        kind=kind,
        columns=as_pairs(columns),
        evaluation_file=own_evaluation,
        description=description,
        drop_missing=drop_missing,
        max_evaluation=max_evaluation,
    )
    if kind == "tagging" and OUTSIDE not in task.load("train", files).labels:
        task = replace(task, metric=WORDS)
    return task


def as_pairs(columns: str | Mapping[str, str] | Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the columns of a table as pairs, from `text=COLUMN,label=COLUMN` too."""
    if isinstance(columns, Mapping):
        return tuple(columns.items())
    if not isinstance(columns, str):
        return tuple((role, column) for role, column in columns)
    pairs = [piece.partition("=") for piece in columns.split(",") if piece.strip()]
    if wrong := [role.strip() for role, equals, _ in pairs if not equals]:
        raise UnknownName(
            f"columns: {wrong[0]!r} is not of the form text=COLUMN; a column whose name has a comma is given with "
            "--column 'text=THE, COLUMN'."
        )
    return tuple((role.strip(), column.strip()) for role, _, column in pairs)


def _refuse_evaluation(name: str, evaluation: Any) -> None:
    """Raise UnusableData for rows to score on, if the target is a task."""
    if evaluation is not None:
        raise WrongOption(f"{name!r} is a task, which has an evaluation of its own: leave --evaluation out.")


def _address(target: str, parts: Parts) -> str:
    """Return the file, the folder or the hub id that a target names."""
    file = split_address(target, OF_TASKS)[0]
    if file.strip() and (Path(file).exists() or is_hub_id(file)):
        return target
    if Path(file).suffix or "/" in file:
        raise MissingData(f"no file {file!r}.")
    near = get_close_matches(target, parts.tasks, n=3, cutoff=0.5)
    guess = f"did you mean {' or '.join(repr(name) for name in near)}? A" if near else "a"
    raise UnknownName(f"unknown target {target!r}; {guess} target is {KINDS_OF_TARGET}.")


def _name_of(address: str) -> str:
    """Return what to call a table: its file's or folder's name without an ending."""
    path = Path(split_address(address, OF_TASKS)[0])
    name = path.name or path.resolve().name
    return name[: -len(ending)] if (ending := ending_of(name)) else name


def _evaluation(evaluation: Any) -> str:
    """Return the file of the rows to score on."""
    if not isinstance(evaluation, str | Path):
        return _written(evaluation)[0]
    file = split_address(str(evaluation), OF_TASKS)[0]
    if not Path(file).is_file():
        raise MissingData(f"no file {file!r}: --evaluation names a table like the target's.")
    return str(evaluation)


def _written(rows: Any) -> tuple[str, str | None]:
    """Return the files of rows in memory: of those to train on, and those to score on if a split says which."""
    if isinstance(rows, Mapping) and all(hasattr(split, "column_names") for split in rows.values()):
        if "train" not in rows:
            raise UnusableData(f"the target has the splits {', '.join(map(str, rows)) or 'none'}; it needs 'train'.")
        scored = next((split for split in SCORED if split in rows), None)
        return _write(_columns(rows["train"])), _write(_columns(rows[scored])) if scored else None
    return _write(_columns(rows)), None


def _columns(rows: Any) -> dict[str, list[Any]]:
    """Return the columns of rows in memory; numbers that stand for classes become their names."""
    if isinstance(rows, Dataset):
        names = dict.fromkeys(("label",), rows.labels) if rows.labels else {}
        return {name: _with_names(list(column), names.get(name, ())) for name, column in rows.columns.items()}
    if hasattr(rows, "column_names") and hasattr(rows, "features"):  # of datasets
        features = {name: getattr(feature, "feature", feature) for name, feature in rows.features.items()}
        names = {name: tuple(feature.names) for name, feature in features.items() if hasattr(feature, "names")}
        return {name: _with_names(column, names.get(name, ())) for name, column in rows.to_dict().items()}
    if hasattr(rows, "columns") and hasattr(rows, "to_dict") and hasattr(rows, "iloc"):  # of pandas
        names_of_columns = [str(name) for name in rows.columns]
        if twice := [name for name, n in Counter(names_of_columns).items() if n > 1]:
            raise UnusableData(f"the DataFrame has several columns called {twice[0]!r}: keep one.")
        return {str(name): column for name, column in rows.to_dict("list").items()}
    raise UnusableData(f"a target is {KINDS_OF_TARGET}; in Python also {IN_MEMORY}. This is a {type(rows).__name__}.")


def _with_names(values: list[Any], names: Sequence[str]) -> list[Any]:
    def named(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [named(item) for item in value]
        if value == NO_LABEL:
            return None
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else value

    return [named(value) for value in values] if names else values


def _write(columns: Mapping[str, list[Any]]) -> str:
    """Write columns into the store, unless the same ones stand there, and return the file."""

    def plain(value: Any) -> Any:
        return value.tolist() if hasattr(value, "tolist") else str(value)

    text = json.dumps(columns, default=plain)
    path = home() / FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    try:
        if not path.is_file() or path.read_bytes() != text.encode():  # or it is damaged
            write_whole(path, text)
    except OSError as error:
        raise store_lost(home(), error) or error from error
    return str(path)
