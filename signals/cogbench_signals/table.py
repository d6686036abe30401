"""A table of the user's as a signal: a row for each sentence, for each sentence and subject, or for each word.

`--signal FILE` takes every column of measured floats, `--signal FILE:col1,col2` just these columns, or single
channels; `--signal FILE,sentence=COL,subject=COL,word=COL,order=COL,repetition=COL,channels=COL:COL` says what the
columns are.

- The stimulus is the column `sentence`, or a list column `words` or `tokens`; or rows are words, which a number of the
  sentence, or the order of the words, joins. Usual names are recognised without case, and a note says so.
- A number is a channel. A list with an item for each word is averaged over the words. A list of another length, the
  same in every row, is a channel for each position, and so is a list of lists, then averaged over the words.
- Integers, single or in lists, columns whose last word is id, idx, position(s) or row, and what tells of the stimulus
  or the experiment (onset, trial, frequency, surprisal) are used only when named.
- `FILE.json`, or FILE with its ending replaced by `.json`, may say more: `{"columns": ["n_fix", "eeg"], "unit": "ms",
  "names": {"eeg": ["theta", "alpha"]}, "subject": "P"}`; `unit` may map columns to units. A `columns.json` beside FILE
  gives names too.
- An `.npz` file holds `sentences` (n,) and `values` (n, k), and perhaps `channels` (k,) and `subjects` (n,).
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

from cogbench import (
    OPTION_NAMES,
    Files,
    MissingData,
    Origin,
    Recording,
    TableOptions,
    UnusableData,
    hookimpl,
    split_address,
)

from .channels import channel_values, pick_channels
from .columns import bad, read_columns
from .roles import KEYS
from .rows import average_rows, join_words, responses_of

WHOLE = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".npz", ".npy", ".xlsx")
ENDINGS = (*WHOLE, *(f"{ending}.gz" for ending in WHOLE))
OPTIONS = (*KEYS, "channels", "words")  # of an address, beside those of any table
SHARD = re.compile(r"(?P<split>.+)-\d+-of-(?P<n>\d+)$")
SPLITS = ("train", "validation", "test", "data")
SIDECAR = '{"columns": [texts], "unit": text or {column: text}, "names": {column: [texts]}, "sentence": text, …}'


@dataclass(frozen=True)
class TableSignal:
    """Sentences with measured numbers from a file; the text above this module says how such a file looks.

    Parameters
    ----------
    name : str
        What to call it.
    file : Path, optional
        The file.
    columns : tuple of str
        The columns or channels to use; by default those of measured floats.
    duplicates : {"average", "refuse"}
        What becomes of sentences that a subject has more than once.
    sentence, subject, word, order, repetition : str
        The columns of these roles, where their names do not tell; several by colons.
    words : {"mean", "sum"}
        What becomes of the numbers of the words of a sentence.
    table : TableOptions
        How the file is read.
    """

    name: str = "table"
    file: Path | None = None
    columns: tuple[str, ...] = ()
    duplicates: Literal["average", "refuse"] = "average"
    sentence: str = ""
    subject: str = ""
    word: str = ""
    order: str = ""
    repetition: str = ""
    words: Literal["mean", "sum"] = "mean"
    table: TableOptions = TableOptions()
    last_resort: ClassVar[bool] = True  # it opens whatever file is there, to say what it cannot read

    def __post_init__(self) -> None:
        if self.words not in ("mean", "sum"):
            raise UnusableData(f"words={self.words}: expected mean or sum.")

    def open(self, address: str) -> "TableSignal | None":
        """Return the signal that reads `FILE`, `FILE:col1,col2` or `FILE,key=value,…`; None if it names no table."""
        place, said = split_address(address, OPTIONS)
        if (parts := _split(place)) is None:
            return None
        file, columns = parts
        if columns and "channels" in said:
            raise UnusableData(f"{address!r} names channels twice: after the colon and after channels=.")
        if "channels" in said:
            columns = tuple(dict.fromkeys(filter(None, map(str.strip, said["channels"].split(":")))))
        own: dict[str, Any] = {key: said[key] for key in (*KEYS, "words") if key in said}
        return replace(self, name=_name(file), file=file, columns=columns, table=self.table.updated(said), **own)

    def read(self, files: Files) -> Recording:
        """Read the table; MissingData if it is not there, UnusableData or UnknownName if it is not as promised."""
        if self.file is None:
            raise MissingData("signal 'table' reads a file of yours: `--signal FILE` or `--signal FILE:col1,col2`.")
        path = Path(self.file)
        if not path.is_file():
            raise MissingData(f"no file {str(path)!r} for signal {self.name!r}; `--signal FILE` names one that exists.")
        side = sidecar(path)
        roles = {key: getattr(self, key) for key in KEYS if getattr(self, key)}
        side = side._replace(
            roles={**{key: value for key, value in side.roles.items() if key in KEYS}, **roles},
            table=TableOptions().updated(side.roles).updated(_said(self.table)),
            words=self.words if self.words != "mean" else side.roles.get("words", "mean"),
        )
        return read_recording([path], side, self.columns, self.duplicates)


def _said(options: TableOptions) -> dict[str, str]:
    """Return the options that are said as texts of an address."""
    said = {field.name: getattr(options, field.name) for field in fields(options)}
    return {name: ":".join(value) if name == "missing" else value for name, value in said.items() if value}


def read_recording(
    paths: Sequence[Path],
    side: "Sidecar",
    columns: tuple[str, ...] = (),
    duplicates: Literal["average", "refuse"] = "average",
) -> Recording:
    """Return the recording in a table.

    Parameters
    ----------
    paths : sequence of Path
        The file, or several of the same columns.
    side : Sidecar
        What is known of it beside what stands in it.
    columns : tuple of str
        The columns or channels to use; by default those that `side` names, else all of floats.
    duplicates : {"average", "refuse"}
        What becomes of sentences that a subject has more than once; averaged, they tell how reliable the channels are.

    Raises
    ------
    MissingData, UnusableData, UnknownName
        If a file is not there, or it is not as promised.
    """
    path = paths[0]
    table = read_columns(paths, side.names, side.roles, side.table)
    picks, left_out = pick_channels(columns or side.columns, table, path)
    values, treated = channel_values(picks, table, side.table.missing, side.words)
    table, values, joined = join_words(table, values, side.words)
    means, dropped = average_rows(table, values, duplicates, path)
    subjects, absent = responses_of(means, list(picks), path)
    digest = hashlib.sha256()
    for file in paths:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    unit = side.unit if isinstance(side.unit, str) else _joined_units(side.unit, [name for name, _ in picks.values()])
    notes = (*side.notes, *table.notes, *left_out, *treated, *joined, *dropped, *absent)
    return Recording(means.sentences, subjects, unit, Origin(str(path), f"sha256:{digest.hexdigest()}"), notes)


class Sidecar(NamedTuple):
    """What is known of a table beside what stands in it."""

    columns: tuple[str, ...]
    unit: str | Mapping[str, str]
    names: Mapping[str, Sequence[str]]
    notes: list[str]
    roles: Mapping[str, str] = MappingProxyType({})
    table: TableOptions = TableOptions()
    words: str = "mean"


def _split(address: str) -> tuple[Path, tuple[str, ...]] | None:
    """Return the file and the columns that an address names; a file's own name may hold a colon."""
    address = os.path.expanduser(address)
    if os.path.isfile(address):
        return Path(address), ()
    for end in (*(i for i, sign in enumerate(address) if sign == ":"), len(address)):
        file = Path(address[:end])
        if str(file).lower().endswith(ENDINGS) or os.path.isfile(file):
            names = (name.strip() for name in address[end + 1 :].split(","))
            return file, tuple(dict.fromkeys(filter(None, names)))
    return None


def _name(file: Path) -> str:
    """Return what a signal is called: the file's stem, or its folder's name where the stem only names a split."""
    ending = next((ending for ending in ENDINGS[::-1] if file.name.lower().endswith(ending)), file.suffix)
    stem = file.name[: -len(ending)] if ending else file.name
    shard = SHARD.match(stem)
    stem = shard["split"] if shard else stem
    if shard or stem.lower() in SPLITS:
        folder = Path(os.path.abspath(file)).parent.name
        stem = folder if folder and stem.lower() in ("train", "data") else f"{folder}-{stem}".strip("-")
    return re.sub(r"[^\w.-]+", "_", stem).lower()


def sidecar(path: Path) -> Sidecar:
    """Return what the JSON files beside a table say of it; keys that are not ours are somebody else's."""
    beside = [path.with_name(f"{path.name}.json"), path.with_suffix(".json")]
    own = next((p for p in beside if p != path and p.is_file()), None)
    known = ("columns", "unit", "names", *KEYS, "words", *OPTION_NAMES)
    said = {key: value for key, value in _json(own).items() if key in known}
    roles = {key: value for key, value in said.items() if key not in ("columns", "unit", "names")}
    columns, unit, names = said.get("columns", []), said.get("unit", "as in the file"), said.get("names", {})
    units = list(unit.values()) if isinstance(unit, dict) else [unit]
    if not isinstance(names, dict) or not all(map(_are_texts, (columns, units, [*roles.values()], *names.values()))):
        raise bad(own, f"expected {SIDECAR}.")
    shared = path.with_name("columns.json")
    listed = {k: v for k, v in _json(shared).items() if _are_texts(v)} if shared.is_file() else {}
    notes = [f"{own.name} gives {' and '.join(said)}."] if own and said else []
    if (shard := SHARD.match(path.stem)) and int(shard["n"]) > 1:
        notes.append(f"this is one of {int(shard['n'])} files; the others were not read.")
    return Sidecar(tuple(columns), unit, {**listed, **names}, notes, roles)


def _json(path: Path | None) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8")) if path else {}
    except (OSError, ValueError, RecursionError) as error:
        raise bad(path, f"it stands beside the table and is no JSON: {error}.") from error
    return content if isinstance(content, dict) else {}


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _joined_units(unit: Mapping[str, str], columns: Sequence[str]) -> str:
    """Return the unit of some columns: one for all, or each with its column."""
    units = {column: unit.get(column, "as in the file") for column in columns}
    same = {*units.values()}
    return same.pop() if len(same) == 1 else ", ".join(f"{column}: {unit}" for column, unit in units.items())


@hookimpl
def register_signals() -> list[TableSignal]:
    """Return the signal that opens files."""
    return [TableSignal()]
