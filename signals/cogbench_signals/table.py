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
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from cogbench import (
    OPTION_NAMES,
    Array,
    Averages,
    Files,
    MissingData,
    Origin,
    Recording,
    Responses,
    TableOptions,
    UnknownName,
    UnusableData,
    average_repetitions,
    finite_mean,
    hookimpl,
    side_by_side,
    split_address,
    varying_channels,
)

from .columns import Column, Table, bad, listed, read_columns
from .roles import KEYS, ROW_NUMBER

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
    picks, left_out = _pick(columns or side.columns, table, path)
    values, treated = _measure(picks, table, side)
    table, values, joined = _over_words(table, values, side.words)
    means, dropped = _gather(table, values, duplicates, path)
    subjects, absent = _responses(means, list(picks), path)
    digest = hashlib.sha256()
    for file in paths:
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    unit = _unit(side.unit, list(dict.fromkeys(column for column, _ in picks.values())))
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


class _Means(NamedTuple):
    sentences: tuple[str, ...]
    by_subject: dict[str, Averages]


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
        held = json.loads(path.read_text("utf-8")) if path else {}
    except (OSError, ValueError, RecursionError) as error:
        raise bad(path, f"it stands beside the table and is no JSON: {error}.") from error
    return held if isinstance(held, dict) else {}


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _pick(wanted: Sequence[str], table: Table, path: Path) -> tuple[dict[str, tuple[str, int]], list[str]]:
    """Return column and position of each channel to use: what is wanted, or else all columns of measured floats."""
    columns = table.columns
    owner = {channel: name for name, column in columns.items() for channel in column.channels}
    wanted = [_near(name, {*columns, *owner}) for name in wanted]
    for name in wanted:
        if name not in columns and name not in owner:
            raise UnknownName.of("column", name, {*columns, *(owner if len(owner) < 50 else ())}, label="Columns")
        if name in columns and (columns[name].unusable or name in table.roles):
            reason = columns[name].unusable or "sentences, subjects or words"
            raise bad(path, f"column {name} cannot be a channel: it holds {reason}.")
    usable = [n for n in columns if not columns[n].unusable and n not in table.roles]
    names = wanted or [n for n in usable if columns[n].measure and not columns[n].integers]
    if not names:
        named = [n for n in usable if columns[n].measure] or usable
        remedy = f"; integers count when named, as in `{path}:{','.join(named[:5])}`" if named else ""
        raise bad(path, f"it has no column of measured numbers (floats){remedy}; it has {listed(columns)}.")
    picks: dict[str, tuple[str, int]] = {}
    for name in names:
        column = name if name in columns else owner[name]
        if check := columns[column].check:
            check()
        at = {channel: (column, i) for i, channel in enumerate(columns[column].channels)}
        picks |= at if name == column else {name: at[name]}
    chosen, unnumbered = {*names}, {*usable, *table.roles}
    left = {
        "integers or row numbers, used when named": [n for n in usable if n not in chosen and _counts(n, columns[n])],
        "no measurements by their names, used when named": [
            n for n in usable if n not in chosen and not _counts(n, columns[n])
        ],
        "no numbers": [n for n in columns if n not in unnumbered],
    }
    return picks, [f"columns left out ({why}): {listed(cut)}." for why, cut in left.items() if cut and not wanted]


def _counts(name: str, column: Column) -> bool:
    """Whether a column is one of integers, or of numbers of rows."""
    return column.integers or ROW_NUMBER.search(name) is not None


def _near(name: str, known: Collection[str]) -> str:
    """Return the name as the table has it: blanks around it mean nothing."""
    return name if name in known else next((n for n in known if n.strip() == name.strip()), name)


def _measure(picks: Mapping[str, tuple[str, int]], table: Table, side: Sidecar) -> tuple[Array, list[str]]:
    """Return the picked channels' values in each row, (n_rows, n_picks); NaN or infinity where there is none."""
    used = {column: table.columns[column] for column, _ in picks.values()}
    fill = [float(text) for text in side.table.missing if _is_number(text)]
    if all(column.form == "number" for column in used.values()):
        values, infinite, averaged = side_by_side([column.rows for column in used.values()]), 0, list[str]()
        for rows in _blocks(values):
            if fill and np.isin(rows, fill).any():
                values = values.astype(np.float64) if values.dtype.kind in "iub" else values
                values[np.isin(values, fill)] = np.nan
                break
        infinite = sum(int(np.isinf(rows).sum()) for rows in _blocks(values)) if values.dtype.kind == "f" else 0
        if values.dtype.kind != "f":
            values = values.astype(np.float64)
    else:
        blocks = {name: _values(column, fill, side.words) for name, column in used.items()}
        averaged = [name for name, column in used.items() if column.form.startswith("words")]
        infinite = sum(n for _, n in blocks.values())
        values = np.stack([blocks[column][0][:, i] for column, i in picks.values()], axis=1)
    how = "averaged" if side.words == "mean" else "summed"
    notes = [f"{how} over the words of a sentence: {listed(averaged)}."] if averaged else []
    notes += [f"infinite values in the columns used, taken as missing: {infinite}."] if infinite else []
    return values, notes


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _blocks(values: Array) -> Iterator[Array]:
    """Yield some rows of an array after others."""
    step = max(1, (1 << 20) // max(1, values.shape[1]))
    for i in range(0, len(values), step):
        yield values[i : i + step]


def _finite(values: Array) -> Array:
    """Return the values with NaN in place of infinity."""
    for rows in _blocks(values):
        if np.isinf(rows).any():
            rows[np.isinf(rows)] = np.nan
    return values


def _values(column: Column, fill: Sequence[float], words: str) -> tuple[Array, int]:
    """Return a column's values, (n_rows, n_channels), and how many infinite ones there were."""
    blank = [None] * len(column.channels)

    def array(rows: Any) -> Array:
        values = np.array(rows, np.float64)
        return np.where(np.isin(values, fill), np.nan, values) if fill else values

    if column.form == "number":
        values = array(column.rows)[:, None]
        return values, int(np.isinf(values).sum())
    if column.form == "positions":
        values = array([blank if row is None or not len(row) else row for row in column.rows])
        return values, int(np.isinf(values).sum())
    lists = ([[w] for w in row or blank] if column.form == "words" else row or [blank] for row in column.rows)
    grids = [array([word or blank for word in words_of_row]) for words_of_row in lists]  # each (n_words, n_channels)
    joined = finite_mean if words == "mean" else _finite_sum
    return np.stack([joined(grid) for grid in grids]), sum(int(np.isinf(grid).sum()) for grid in grids)


def _finite_sum(grid: Array) -> Array:
    """Return the sum of each column's finite values; NaN where it has none."""
    finite = np.isfinite(grid)
    return np.where(finite.any(axis=0), np.where(finite, grid, 0).sum(axis=0), np.nan)


def _over_words(table: Table, values: Array, words: str) -> tuple[Table, Array, list[str]]:
    """Return a table of words as one of sentences: a row for each showing, its words averaged or summed."""
    if table.groups is None:
        return table, values, []
    joined = finite_mean if words == "mean" else _finite_sum
    firsts = [rows[0] for rows in table.groups]
    sentences, subjects = [table.sentences[i] for i in firsts], [table.subjects[i] for i in firsts]
    means = np.stack([joined(values[rows]) for rows in table.groups])
    dropped = len(values) - sum(map(len, table.groups))
    how = "averaged" if words == "mean" else "summed"
    notes = [f"each row is a word, by column {table.words}: the rows of a sentence are {how}, and no repetitions."]
    notes += [f"rows dropped, without sentence or subject: {dropped}."] if dropped else []
    return table._replace(sentences=sentences, subjects=subjects, groups=None), means, notes


def _gather(table: Table, values: Array, duplicates: str, path: Path) -> tuple[_Means, list[str]]:
    """Bring the rows into one order of sentences for all subjects; average the rows of the same sentence."""
    rows: dict[tuple[str, str], list[int]] = {}
    for i, (subject, sentence) in enumerate(zip(table.subjects, table.sentences, strict=True)):
        if subject and sentence:
            rows.setdefault((subject, sentence), []).append(i)
    twice = [sentence for (_, sentence), held in rows.items() if len(held) > 1]
    if twice and duplicates == "refuse":
        raise bad(path, f"a subject has {len(twice)} sentences more than once, the first is {twice[0]!r}.")
    measured = np.concatenate([np.isfinite(rows).any(axis=1) for rows in _blocks(values)])
    place = {s: None for (_, s), held in rows.items() if measured[held].any()}
    if not place:
        raise bad(path, "no row has both a sentence and a number in the channels used.")
    sentences = tuple(place)
    number = {sentence: i for i, sentence in enumerate(sentences)}
    by_subject: dict[str, tuple[list[int], list[int]]] = {subject: ([], []) for subject, _ in rows}
    for (subject, sentence), held in rows.items():
        if sentence in number:
            by_subject[subject][0].extend(held)
            by_subject[subject][1].extend([number[sentence]] * len(held))
    every = [*range(len(values))]
    if len(sentences) == len(values) and [*by_subject.values()] == [(every, every)]:  # large arrays are not copied
        means = {subject: Averages(_finite(values), None, None) for subject in by_subject}
    else:
        means = {
            subject: average_repetitions(values[held], np.array(stimuli, int), len(sentences))
            for subject, (held, stimuli) in by_subject.items()
        }
    counts = {
        "rows dropped, without sentence or subject": len(table.sentences) - sum(map(len, rows.values())),
        "sentences averaged, which a subject has more than once": len(twice),
        "sentences dropped, without any value": len({sentence for _, sentence in rows}) - len(sentences),
    }
    return _Means(sentences, means), [f"{what}: {n}." for what, n in counts.items() if n]


def _responses(means: _Means, channels: Sequence[str], path: Path) -> tuple[dict[str, Responses], list[str]]:
    """Keep of each subject the channels that vary, and as present the sentences with a value in all of them."""
    subjects: dict[str, Responses] = {}
    constant, partial = dict[str, None](), 0
    for subject, (values, halves, shown) in means.by_subject.items():
        kept = varying_channels(values)
        if kept.any():
            constant |= {channel: None for channel, keep in zip(channels, kept, strict=True) if not keep}
            values = values if kept.all() else values[:, kept]
            whole = np.concatenate([np.isfinite(rows).all(axis=1) for rows in _blocks(values)])
            some = np.concatenate([np.isfinite(rows).any(axis=1) for rows in _blocks(values)])
            partial += int((some & ~whole).sum())
            if not whole.all():
                values[~whole] = np.nan
            names = tuple(channel for channel, keep in zip(channels, kept, strict=True) if keep)
            halves = None if halves is None else halves[:, :, kept]
            shown = shown[:, :, kept] if shown is not None and shown.shape[2] > 1 else shown
            subjects[subject] = Responses(values, names, whole, halves, shown)
    if not subjects:
        remedy = "leave out those that are constant or mostly missing: `FILE:col1,col2`"
        raise bad(path, f"no sentences with a value in all of {listed(channels)} differ in any; {remedy}.")
    counts = {
        "subjects left out, none of whose channels varies": len(means.by_subject) - len(subjects),
        "sentences absent for a subject, with values in some channels only": partial,
        f"constant channels dropped, {listed(constant)}": len(constant),
    }
    return subjects, [f"{what}: {n}." for what, n in counts.items() if n]


def _unit(unit: str | Mapping[str, str], columns: Sequence[str]) -> str:
    units = [unit if isinstance(unit, str) else unit.get(column, "as in the file") for column in columns]
    return units[0] if len(set(units)) == 1 else ", ".join(f"{c}: {u}" for c, u in zip(columns, units, strict=True))


@hookimpl
def register_signals() -> list[TableSignal]:
    """Return the signal that opens files."""
    return [TableSignal()]
