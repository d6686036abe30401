"""Labelled examples as a person's table has them: labels by name, rows by the numbers that an editor shows."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.dataset import Dataset, refuse_faults
from ..data.kinds import TASK_KINDS
from ..errors import UnusableData
from ..storage.origin import Origin
from ..tables.numbers import THOUSANDS, advice, plain_text
from ..tables.rows import Rows
from ..text import listed

NO_LABEL = -1  # what data sets of the hub have in place of a class that is not published
OUTSIDE = "O"  # the tag of a word that is part of nothing
COMMA = re.compile(r"[+-]?\d+(,\d+)?")  # a number with a decimal comma, or a whole one
NESTED: dict[type, str] = {
    list: "a list",
    tuple: "a list",
    set: "a list",
    dict: "an object",
    bytes: "bytes",
}  # what is no text or number


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """The rows of a table that are examples of a kind of task.

    `columns` are those of the kind; a label that is a class or a tag is its name. `classes` are the names that the
    table itself states, in their order. `numbers` are those of the rows in an editor. `where` names the table.
    """

    kind: str
    columns: dict[str, list[Any]]
    classes: tuple[str, ...]
    numbers: list[int]
    where: str
    origin: Origin
    notes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The class of each row, or the tags of all, one after the other."""
        labels = self.columns["label"]
        return [tag for tags in labels for tag in tags] if self.kind == "tagging" else labels

    @property
    def has_names(self) -> bool:
        """Whether its labels are names: classes or tags."""
        return self.kind == "tagging" or TASK_KINDS[self.kind].classes

    def dataset(self, classes: Sequence[str], rows: Sequence[int] | None = None, notes: Sequence[str] = ()) -> Dataset:
        """Return all examples, or some rows of them, with the numbers of these classes as labels.

        Raises
        ------
        UnusableData
            If a row is not what its kind has; the message has its number in an editor.
        """
        columns, numbers = dict(self.columns), self.numbers
        if rows is not None:
            columns = {name: [column[i] for i in rows] for name, column in columns.items()}
            numbers = [numbers[i] for i in rows]
        if self.has_names:
            number = {name: i for i, name in enumerate(classes)}
            labels = columns["label"]
            tags = self.kind == "tagging"
            columns["label"] = [[number[t] for t in v] if tags else number[v] for v in labels]
        refuse_faults(self.where, self.kind, columns=columns, labels=tuple(classes), numbers=numbers)
        return Dataset(self.kind, columns, labels=tuple(classes), origin=self.origin, notes=(*self.notes, *notes))

    def texts(self) -> list[tuple[str, ...]]:
        """Return for each row the texts that may not stand in training and evaluation both."""
        if self.kind == "tagging":
            return [(" ".join(words),) for words in self.columns["tokens"]]
        seconds = self.columns.get("text_pair", [""] * len(self.numbers))
        texts = [self.columns["text"], seconds]
        if "group" in self.columns:
            texts.append([f"group {name}" for name in self.columns["group"]])
        return [*zip(*texts, strict=True)]


def examples_of(
    rows: Rows, kind: str, columns: Mapping[str, str], where: str, *, drop_missing: bool = False
) -> Examples:
    """Return the examples of a kind that a table holds.

    Parameters
    ----------
    rows : Rows
        The table.
    kind : str
        One of `TASK_KINDS`.
    columns : mapping of str to str
        What the table calls the columns of the kind; those that are called the same need not stand in it.
    where : str
        What to call the table in messages.
    drop_missing : bool
        Leave out rows without a text or a label, with a note, instead of refusing them.

    Raises
    ------
    UnusableData
        If a column is missing, a text or a label is, or a label is not of the kind.
    """
    if not rows.columns:
        raise UnusableData(f"{where} has no rows.")
    unnamed = {*rows.columns} - {"group"}  # a column of this name may mean something else
    wanted = [c for c in TASK_KINDS[kind].columns if not c.endswith("?") or c[:-1] in {*columns, *unnamed}]
    names = {c: columns.get(c, c) for c in (w.removesuffix("?") for w in wanted)}
    if missing := [name for name in names.values() if name not in rows.columns]:
        no_header = "" if {*names.values()} & {*rows.columns} else ", or say header=no in the address if it has none"
        raise UnusableData(
            f"{where} lacks column {', '.join(missing)}; it has {listed(rows.columns)}: name its columns with "
            f"--columns {','.join(f'{c}=COLUMN' for c in names)}{no_header}."
        )
    chosen = {c: list(rows.columns[name]) for c, name in names.items()}
    if len({len(values) for values in chosen.values()}) > 1:
        lengths = ", ".join(f"{names[c]} {len(values)}" for c, values in chosen.items())
        raise UnusableData(f"{where} has columns of unlike lengths: {lengths}.")
    numbers = [rows.number(i) for i in range(len(chosen["label"]))]
    notes = [f"{note}." for note in rows.notes]
    if kind == "reranking" and any(isinstance(passage, str) for passage in chosen["passages"]):
        for name, values in chosen.items():
            _refuse_nested(values, numbers, f"{where}: column {names[name]}", "one value, as in other rows,")
        chosen, numbers = _by_query(chosen, numbers)
    classes = rows.names.get(names["label"], ())
    for name in chosen:
        chosen[name] = _cleaned(chosen[name], name, kind, numbers, f"{where}: column {names[name]}")
    if classes and (kind == "tagging" or TASK_KINDS[kind].classes):
        chosen["label"] = _named(chosen["label"], classes)
    if lacking := _without(chosen, kind, blanks=drop_missing):
        first = min(lacking)
        if not drop_missing:
            raise UnusableData(
                f"{where}: row {numbers[first]} has no {lacking[first]}, and {len(lacking)} of {len(numbers)} rows "
                "lack one: mend them, or leave them out with --drop-missing."
            )
        kept = [i for i in range(len(numbers)) if i not in lacking]
        chosen = {name: [column[i] for i in kept] for name, column in chosen.items()}
        notes.append(f"{len(lacking)} of {len(numbers)} rows are left out: they have no text or no label.")
        numbers = [numbers[i] for i in kept]
    if not numbers:
        raise UnusableData(f"{where} has no rows.")
    examples = Examples(
        kind=kind, columns=chosen, classes=classes, numbers=numbers, where=where, origin=rows.origin, notes=()
    )
    if examples.has_names:
        notes += _alike(examples.names)
    return Examples(**{**vars(examples), "notes": tuple(notes)})


def _cleaned(values: list[Any], name: str, kind: str, numbers: Sequence[int], where: str) -> list[Any]:
    """Return the values of a column as its kind has them; what is missing is None."""
    if name in ("tokens", "passages") or (name == "label" and kind in ("tagging", "reranking")):
        return _lists(values, name, kind, numbers, where)
    if name in ("text", "text_pair"):
        _refuse_nested(values, numbers, where, "a text")
        return [_text(value) for value in values]
    if kind == "extractive-qa":
        return [_answers(value, row, where) for row, value in zip(numbers, values, strict=True)]
    if kind == "regression":
        return _as_numbers(values, numbers, where)
    if several := [i for i, value in enumerate(values) if isinstance(value, list | tuple | set) and len(value) > 1]:
        raise UnusableData(
            f"{where}: row {numbers[several[0]]} has several labels; several labels a row are not supported: keep one."
        )
    _refuse_nested(values, numbers, where, "one label")
    return [_name(value) for value in values]


def _lists(values: list[Any], name: str, kind: str, numbers: Sequence[int], where: str) -> list[Any]:
    """Return lists of words, tags, passages, or labels of passages."""
    items = {"tokens": "words", "passages": "passages"}.get(name, "tags" if kind == "tagging" else "labels")
    if any(isinstance(value, str) for value in values):
        other = ", or words with tags a conll file" if kind == "tagging" else ""
        raise UnusableData(f"{where} holds texts; lists of {items} need a jsonl, json or parquet file{other}.")
    lists = list[Any]()
    for row, value in zip(numbers, values, strict=True):
        if not isinstance(value, list | tuple | None):
            other = NESTED.get(type(value), "a number")
            raise UnusableData(f"{where}: row {row} has {other} where a list of {items} should be.")
        _refuse_nested(value or (), [row] * len(value or ()), where, f"a {items.removesuffix('s')}")
        clean = {"words": _text, "passages": _text, "tags": _name, "labels": _relevance}[items]
        lists.append(None if value is None or (items == "words" and not value) else [clean(item) for item in value])
    return lists


def _refuse_nested(values: Iterable[Any], numbers: Sequence[int], where: str, expected: str) -> None:
    """Raise UnusableData for a value that is neither a text nor a number: its text would be one of Python's own."""
    for row, value in zip(numbers, values, strict=True):
        if (nested := NESTED.get(type(value))) is not None:
            raise UnusableData(f"{where}: row {row} has {nested} where {expected} should be.")


def _text(value: Any) -> str | None:
    """Return a text, or a number or date as the text that it is in a table; None where there is none."""
    return None if value is None or value != value else str(value)


def _relevance(value: Any) -> Any:
    """Return whether a passage is relevant, or its grade, as a whole number, from a text too."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value


def _answers(value: Any, row: int, where: str) -> Any:
    """Return the answers to a question as SQuAD's columns have them: all texts, and where each begins."""
    if isinstance(value, list) and all(isinstance(answer, dict) for answer in value):
        value = {name: [answer.get(name) for answer in value] for name in ("text", "answer_start")}
    if value is None:
        return value
    if isinstance(value, dict) and {"text", "answer_start"} <= {*value}:
        texts, starts = value["text"], value["answer_start"]
        if isinstance(texts, str):  # one answer by itself
            texts, starts = [texts], [starts]
        if isinstance(texts, list | tuple) and isinstance(starts, list | tuple):
            places = [int(n) for n in starts if isinstance(n, int | float) and n == n // 1]
            if len(texts) == len(starts) == len(places) and all(isinstance(text, str) for text in texts):
                return {"text": [*texts], "answer_start": places}
    raise UnusableData(
        f"{where}: row {row} has no answers as SQuAD has them: text, a list of texts, and answer_start, a list "
        "of as many whole numbers; they need a json, jsonl or parquet file."
    )


def _name(value: Any) -> str | None:
    """Return a class or a tag by its name; None where there is none."""
    if value is None or value != value:
        return None
    if isinstance(value, float) and value.is_integer():  # a whole number, in a column with gaps
        value = int(value)
    return str(value).strip() or None


def _named(labels: list[Any], classes: tuple[str, ...]) -> list[Any]:
    """Return labels that are numbers of stated classes by their names; other labels as they are."""
    names: dict[str, str | None] = {str(NO_LABEL): None, **{str(i): name for i, name in enumerate(classes)}}
    return [
        [names.get(t, t) for t in label] if isinstance(label, list) else names.get(label, label) for label in labels
    ]


def _as_numbers(values: list[Any], numbers: Sequence[int], where: str) -> list[float | None]:
    """Return labels as numbers; texts with a decimal comma too, if all texts are such."""
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    with_comma = [text for text in texts if "," in text]
    commas = any(not re.fullmatch(THOUSANDS, text) for text in with_comma) and all(map(COMMA.fullmatch, texts))
    result = list[float | None]()
    for row, value in zip(numbers, values, strict=True):
        if value is None or value != value or (isinstance(value, str) and value.strip() in ("", "NA", "NaN", "nan")):
            result.append(None)
            continue
        try:
            number = float(value.replace(",", ".") if commas and isinstance(value, str) else value)
        except (TypeError, ValueError, OverflowError):
            shown = repr(value) if len(repr(value)) < 40 else f"{repr(value)[:40]}…"
            remedy = f": {advice(plain_text(value))}" if isinstance(value, str) and len(value) < 40 else ""
            raise UnusableData(f"{where}: row {row} has the label {shown}, which is no number{remedy}.") from None
        result.append(int(number) if isinstance(value, int) else number)
    return result


def _without(columns: Mapping[str, list[Any]], kind: str, *, blanks: bool) -> dict[int, str]:
    """Return what the rows lack that lack something: a text, or a label; with `blanks`, a blank text is none."""
    lacking = dict[int, str]()
    for name, values in columns.items():
        for i, value in enumerate(values):
            if blanks and name == "text" and value is not None and not value.strip():
                value = None
            if value is None or (kind == "tagging" and None in value):
                lacking.setdefault(i, "label" if name == "label" else f"text in column {name}")
    return lacking


def _alike(names: Sequence[str]) -> list[str]:
    """Return a warning for each set of classes that differ by case alone, or that nobody's eye tells apart."""
    folded = dict[str, list[str]]()
    for name in sorted({*names}):
        visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
        folded.setdefault(" ".join(visible.casefold().split()), []).append(name)
    notes = list[str]()
    for several in (group for group in folded.values() if len(group) > 1):
        if len({name.casefold() for name in several}) == 1:
            notes.append(f"classes that differ by case alone are different classes: {', '.join(several)}.")
        else:
            notes.append(f"classes that look alike are different classes: {', '.join(map(ascii, several))}.")
    return notes


def _by_query(columns: dict[str, list[Any]], numbers: list[int]) -> tuple[dict[str, list[Any]], list[int]]:
    """Return rows of a query, a passage and a label as one row for each query; its number is that of its first row."""
    grouped = dict[Any, dict[str, Any]]()
    for row, query, passage, label in zip(numbers, columns["text"], columns["passages"], columns["label"], strict=True):
        group = grouped.setdefault(query, {"row": row, "passages": [], "label": []})
        group["passages"].append(passage)
        group["label"].append(label)
    groups = list(grouped.values())
    rows = {"text": [*grouped], "passages": [g["passages"] for g in groups], "label": [g["label"] for g in groups]}
    return rows, [g["row"] for g in groups]
