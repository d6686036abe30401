"""JSON as people keep tables in it: a list of objects, one a line, pandas' forms, and SQuAD's own."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnusableData
from .content import text_lines
from .options import TableOptions

LONG = 20_000  # a list of more numbers becomes an array at once


def read_json_table(
    path: Path, ending: str, options: TableOptions, notes: list[str]
) -> tuple[dict[str, Sequence[Any]], Sequence[int]]:
    """Return the columns of a json or jsonl file, and the numbers of the lines of a jsonl file.

    Raises
    ------
    UnusableData
        If it holds something else, or an object has a name twice; the message quotes no text of the file.
    """
    where = repr(str(path))
    lines = text_lines(path, options.encoding, notes)
    if ending == ".jsonl":
        return _of_lines(lines, where, "")
    text = "\n".join(lines)
    try:
        whole = _loads(text)
    except _Twice as error:
        raise UnusableData(f"{where}: {error}.") from None
    except ValueError:
        return _of_lines(text.split("\n"), where, ", and the file as a whole is none")
    return _of_whole(whole, where), ()


class _Twice(ValueError):
    """An object of JSON that has a name twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(f"an object has the name {next(n for n in names if names.count(n) > 1)!r} twice")
    return value


def _loads(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_pairs)


def _compact(value: Any) -> Any:
    """Return a long list of numbers as an array, anything else as it is."""
    if not isinstance(value, list) or len(value) <= LONG or not isinstance(value[0], int | float):
        return value
    try:
        array = np.array(value)
    except ValueError:
        return value
    return array if array.ndim == 1 and array.dtype.kind in "iuf" else value


def _of_lines(lines: Any, where: str, more: str) -> tuple[dict[str, Sequence[Any]], Sequence[int]]:
    """Return the columns of one object a line."""
    rows, numbers = list[Any](), list[int]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _loads(line)
        except _Twice as error:
            raise UnusableData(f"{where}: line {number}: {error}.") from None
        except ValueError:
            raise UnusableData(f"{where}: line {number} is no JSON{more}.") from None
        if not isinstance(row, dict):
            raise UnusableData(f"{where} is no list of JSON objects, nor has it one on each line: see line {number}.")
        rows.append({name: _compact(value) for name, value in row.items()})
        numbers.append(number)
    if len(rows) == 1 and more:  # a file of one object
        return _of_whole(rows[0], where), ()
    return _of_objects(rows), numbers


def _of_whole(whole: Any, where: str) -> dict[str, Sequence[Any]]:
    """Return the columns of a list of objects, of SQuAD's nested objects, or of one of pandas' forms."""
    if isinstance(whole, dict) and isinstance(whole.get("data"), list):
        if isinstance(names := whole.get("columns"), list) and all(isinstance(row, list) for row in whole["data"]):
            return _of_split(names, whole["data"], where)
        whole = whole["data"]
    if isinstance(whole, dict) and whole and all(isinstance(values, dict) for values in whole.values()):  # of pandas
        if all(name.isdecimal() for name in whole):  # rows by their numbers
            whole = [*whole.values()]
        else:  # columns, each of values by their rows
            rows = dict.fromkeys(row for values in whole.values() for row in values)
            columns = {name: [values.get(row) for row in rows] for name, values in whole.items()}
            is_named = [*rows] != [str(i) for i in range(len(rows))] and "" not in whole
            return {"": [*rows], **columns} if is_named else {**columns}
    if isinstance(whole, dict) and all(isinstance(values, list) for values in whole.values()):
        if len({len(values) for values in whole.values()}) > 1:
            lengths = ", ".join(f"{name} {len(values)}" for name, values in whole.items())
            raise UnusableData(f"{where} has columns of unlike lengths: {lengths}.")
        return {**whole}
    objects = whole if isinstance(whole, list) else [whole]
    if not all(isinstance(row, dict) for row in objects):
        raise UnusableData(f"{where} is no list of JSON objects, nor has it one on each line.")
    if objects and all("paragraphs" in row for row in objects):
        try:
            return _of_squad(objects)
        except (KeyError, TypeError) as error:
            raise UnusableData(
                f"{where} looks like SQuAD's json, but a paragraph or a question lacks {error}."
            ) from None
    return _of_objects(objects)


def _of_split(names: Sequence[Any], rows: Sequence[Sequence[Any]], where: str) -> dict[str, Sequence[Any]]:
    """Return the columns of pandas' form `split`."""
    if any(len(row) != len(names) for row in rows) or len({*map(str, names)}) < len(names):
        raise UnusableData(f"{where}: its columns and its data do not fit, or a column stands twice.")
    return {str(name): [row[i] for row in rows] for i, name in enumerate(names)}


def _of_objects(objects: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    names = dict.fromkeys(name for row in objects for name in row)
    return {name: [row.get(name) for row in objects] for name in names}


def _of_squad(articles: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """Return the questions of SQuAD's own json, in the columns of extractive question answering."""
    columns: dict[str, list[Any]] = {"text": [], "text_pair": [], "label": []}
    for paragraph in (paragraph for article in articles for paragraph in article["paragraphs"]):
        for question in paragraph["qas"]:
            answers = [] if question.get("is_impossible") else question.get("answers", [])
            starts = [answer["answer_start"] for answer in answers]
            label = {"text": [answer["text"] for answer in answers], "answer_start": starts}
            for name, value in zip(columns, (question["question"], paragraph["context"], label), strict=True):
                columns[name].append(value)
    return {**columns}
