"""The variables of a file of arrays, and which of them are values, sentences, subjects and names."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cogbench import Array, UnknownName

from .places import SENTENCES, SUBJECTS, names_of
from .rows import bad, listed

CHANNELS = ("channels", "channel_names", "ch_names", "labels", "electrodes", "names", "rois", "voxels")


class Variable(NamedTuple):
    """One variable: what it is, before it is read."""

    shape: tuple[int, ...]
    kind: str  # "numbers", "texts", or what else it is, in words
    load: Callable[[], Any]  # an array of numbers, or a list of texts
    unit: str = ""

    def __str__(self) -> str:
        size = " x ".join(map(str, self.shape))
        return f"{size} {self.kind}" if self.shape else self.kind


class Roles(NamedTuple):
    """Names of variables, where the user says them."""

    values: str | None
    sentence: str | None
    subject: str | None
    names: str | None


class Content(NamedTuple):
    """What was read of a file of arrays."""

    values: Array  # (n_rows, n_channels)
    sentences: list[str]
    subjects: list[str] | None
    channels: tuple[str, ...]
    unit: str
    notes: list[str]


def variable_of(value: Any) -> Variable:
    """Return what a value in memory is."""
    if isinstance(value, str):
        return Variable((1,), "texts", lambda: [value])
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, str) for item in value):
            return Variable((len(value),), "texts", lambda: list(value))
        arrays = [np.asarray(item) for item in value if not isinstance(item, str | dict | list | None)]
        sizes = {array.size for array in arrays}
        if value and len(arrays) == len(value) and len(sizes) == 1 and all(a.dtype.kind in "fiub" for a in arrays):
            return Variable((len(value), sizes.pop()), "numbers", lambda: np.stack([a.ravel() for a in arrays]))
        return Variable((len(value),), "cells of different kinds or lengths", lambda: None)
    array = np.asarray(value)
    if array.dtype.kind in "fiub":
        return Variable(array.shape, "numbers", lambda: array)
    if array.dtype.kind in "US":
        return Variable((array.size,), "texts", lambda: array.astype(str).ravel().tolist())
    kinds = {"c": "complex numbers", "O": "objects"}
    return Variable(array.shape, kinds.get(array.dtype.kind, "values of another type"), lambda: None)


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Variable]:
    """Return the variables of a file of MATLAB; fields of a struct, or of an array of structs, as `struct.field`."""
    variables: dict[str, Variable] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            value = {field: [item.get(field) for item in value] for field in value[0]}
        if isinstance(value, dict):
            variables |= flattened(value, f"{path}.")
        elif value is None:
            variables[path] = Variable((), "object of MATLAB, such as a string in double quotes", lambda: None)
        else:
            variables[path] = variable_of(value)
    return variables


def content_of(
    path: Path, variables: Mapping[str, Variable], roles: Roles, sentences: list[str] | None, transpose: bool
) -> Content:
    """Choose values, sentences, subjects and names of channels among the variables of a file.

    Parameters
    ----------
    path : Path
    variables : mapping of str to Variable
    roles : Roles
        What the user says; the others are taken where the file leaves no choice.
    sentences : list of str, optional
        Sentences of another file, one for each row.
    transpose : bool
        Whether the rows of the values are channels.

    Raises
    ------
    UnknownName
        If a variable is not there.
    UnusableData
        If the file leaves a choice, or what it holds does not fit.
    """
    for wanted in roles:
        if wanted is not None and wanted not in variables:
            raise UnknownName.of("variable", wanted, variables, label=f"In {path.name}")
    content = "it has " + (listed(f"{name} ({variable})" for name, variable in variables.items()) or "none")
    name = roles.values or _only_matrix(path, variables, content)
    variable = variables[name]
    if variable.kind != "numbers":
        raise bad(path, f"{name} cannot be the values: it holds {variable}; expected numbers, a row for each sentence.")
    if len(variable.shape) not in (1, 2) or 0 in variable.shape:
        shape = " x ".join(map(str, variable.shape))
        raise bad(
            path, f"{name} has the shape {shape}; expected a row for each sentence and a column for each channel."
        )
    n_rows, n_channels = variable.shape if len(variable.shape) == 2 else (variable.shape[0], 1)
    n_rows, n_channels = (n_channels, n_rows) if transpose else (n_rows, n_channels)
    notes = [f"values: {name}."]
    if sentences is None:
        text = roles.sentence or _only_texts(path, variables, n_rows, n_channels, content)
        sentences = _texts(path, text, variables[text])
        notes.append(f"sentences: {text}.")
    if len(sentences) != n_rows:
        remedy = ""
        if len(sentences) == n_channels:
            remedy = f"; the rows are channels, it seems: say transpose={'false' if transpose else 'true'}"
        raise bad(path, f"{name} has {n_rows} rows, and there are {len(sentences)} sentences{remedy}.")
    subject = roles.subject or _usual(variables, SUBJECTS, n_rows)
    subjects = None
    if subject is not None:
        subjects = _names(path, subject, variables[subject], n_rows)
        notes.append(f"subjects: {subject}.")
    labels = roles.names or _usual(variables, CHANNELS, n_channels)
    if labels is not None and labels not in (name, subject):
        channels = tuple(_names(path, labels, variables[labels], n_channels))
        notes.append(f"names of channels: {labels}.")
    else:
        channels = tuple(f"{name}[{i}]" for i in range(n_channels))
    values = np.asarray(variable.load()).reshape(variable.shape[0], -1)
    return Content(values.T if transpose else values, sentences, subjects, channels, variable.unit, notes)


def _only_matrix(path: Path, variables: Mapping[str, Variable], content: str) -> str:
    matrices = [n for n, v in variables.items() if v.kind == "numbers" and len(v.shape) == 2 and min(v.shape) > 1]
    if len(matrices) != 1:
        which = f"which of {listed(matrices)} are the values" if matrices else "no matrix of numbers is in it"
        raise bad(path, f"{which}; values=NAME says it; {content}.")
    return matrices[0]


def _only_texts(path: Path, variables: Mapping[str, Variable], n_rows: int, n_channels: int, content: str) -> str:
    lists = [n for n, v in variables.items() if v.kind == "texts" and v.shape[0] in (n_rows, n_channels)]
    usual = [n for n in lists if n.rpartition(".")[2].rpartition("/")[2].lower() in SENTENCES]
    fitting = [n for n in lists if variables[n].shape[0] == n_rows and not _is_usual(n, (*SUBJECTS, *CHANNELS))]
    for names in (usual, fitting):
        if len(names) == 1:
            return names[0]
    if usual or fitting:
        raise bad(path, f"which of {listed(usual or fitting)} are the sentences; sentence=NAME says it.")
    remedy = "sentence=NAME names texts, one for each row, sentences=FILE a file of them"
    raise bad(path, f"it has no texts that could be the {n_rows} sentences; {remedy}; {content}.")


def _is_usual(name: str, usual: Sequence[str]) -> bool:
    return name.rpartition(".")[2].rpartition("/")[2].lower() in usual


def _usual(variables: Mapping[str, Variable], usual: Sequence[str], length: int) -> str | None:
    """Return the only variable of a usual name and this length."""
    fitting = [n for n, v in variables.items() if _is_usual(n, usual) and max(v.shape, default=0) == length]
    fitting = [n for n in fitting if int(np.prod(variables[n].shape)) == length]
    return fitting[0] if len(fitting) == 1 else None


def _texts(path: Path, name: str, variable: Variable) -> list[str]:
    if variable.kind != "texts":
        raise bad(path, f"{name} cannot be the sentences: it holds {variable}; expected texts, one for each row.")
    texts: list[str] = variable.load()
    return texts


def _names(path: Path, name: str, variable: Variable, length: int) -> list[str]:
    """Return the names of rows or channels: texts or whole numbers."""
    held = variable.load() if variable.kind in ("texts", "numbers") else []
    names = names_of(held if isinstance(held, list) else np.ravel(held).tolist())
    if len(names) != length:
        raise bad(path, f"{name} holds {variable}; expected {length} names.")
    return names
