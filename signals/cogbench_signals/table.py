"""A table of the user's as a signal: a row for each sentence (and subject), measured numbers as channels.

`--signal FILE` takes every column of floats, `--signal FILE:col1,col2` just these columns (or single channels).

- The stimulus is the column `sentence`, or a list column `words` or `tokens`. `subject` is optional.
- A number is a channel. A list with an item for each word is averaged over the words. A list of another length, the
  same in every row, is a channel for each position, and so is a list of lists, then averaged over the words.
- Integers, single or in lists, and columns whose last word is id, idx, position(s) or row are used only when named.
- `FILE.json`, or FILE with its ending replaced by `.json`, may say more: `{"columns": ["n_fix", "eeg"], "unit": "ms",
  "names": {"eeg": ["theta", "alpha"]}}`; `unit` may map columns to units. A `columns.json` beside FILE gives names too.
- An `.npz` file holds `sentences` (n,) and `values` (n, k), and perhaps `channels` (k,) and `subjects` (n,).
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from cogbench import (
    Array,
    Averages,
    Files,
    MissingData,
    Origin,
    Recording,
    Responses,
    UnknownName,
    average_repetitions,
    finite_mean,
    hookimpl,
    varying_channels,
)

from .columns import TEXTS, Column, Table, bad, listed, read_columns, read_npz

ENDINGS = (".parquet", ".csv", ".tsv", ".jsonl", ".npz")
ROW_NUMBER = re.compile(r"(?:^|[\W\d_]|(?<=[a-z])(?=[A-Z]))(?i:id|idx|positions?|row)$")  # source_row, wordId; not grid
SHARD = re.compile(r"(?P<split>.+)-\d+-of-(?P<n>\d+)$")
WORDS = ("word", "token", "word_id", "word_idx", "word_index", "word_number", "word_in_sentence", "wordid", "ia_id")
SPLITS = ("train", "validation", "test", "data")
SIDECAR = '{"columns": [texts], "unit": text or {column: text}, "names": {column: [texts]}}'


@dataclass(frozen=True)
class TableSignal:
    """Sentences with measured numbers from a file; the text above this module says how such a file looks.

    `columns` are the columns or channels to use; sentences that a subject has twice are averaged, or refused.
    """

    name: str = "table"
    file: Path | None = None
    columns: tuple[str, ...] = ()
    duplicates: Literal["average", "refuse"] = "average"
    last_resort: ClassVar[bool] = True  # it opens whatever file is there, to say what it cannot read

    def open(self, address: str) -> "TableSignal | None":
        """Return the signal that reads `FILE` or `FILE:col1,col2`, or None if the address names no table."""
        found = _split(address)
        return found and replace(self, name=_name(found[0]), file=found[0], columns=found[1])

    def read(self, files: Files) -> Recording:
        """Read the table; MissingData if it is not there, UnusableData or UnknownName if it is not as promised."""
        if self.file is None:
            raise MissingData("signal 'table' reads a file of yours: `--signal FILE` or `--signal FILE:col1,col2`.")
        path = Path(self.file)
        if not path.is_file():
            raise MissingData(f"no file {str(path)!r} for signal {self.name!r}; `--signal FILE` names one that exists.")
        return read_recording([path], sidecar(path), self.columns, self.duplicates)


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
    table = read_npz(path) if path.suffix == ".npz" else read_columns(paths, side.names)
    picks, left_out = _pick(columns or side.columns, table, path)
    values, treated = _measure(picks, table)
    means, dropped = _gather(table, values, duplicates, path)
    subjects, absent = _responses(means, list(picks), path)
    digest = hashlib.sha256()
    for file in paths:
        digest.update(file.read_bytes())
    unit = _unit(side.unit, list(dict.fromkeys(column for column, _ in picks.values())))
    notes = (*side.notes, *left_out, *treated, *dropped, *absent)
    return Recording(means.sentences, subjects, unit, Origin(str(path), f"sha256:{digest.hexdigest()}"), notes)


class Sidecar(NamedTuple):
    """What is known of a table beside what stands in it."""

    columns: tuple[str, ...]
    unit: str | Mapping[str, str]
    names: Mapping[str, Sequence[str]]
    notes: list[str]


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
        if file.suffix.lower() in ENDINGS or os.path.isfile(file):
            names = (name.strip() for name in address[end + 1 :].split(","))
            return file, tuple(dict.fromkeys(filter(None, names)))
    return None


def _name(file: Path) -> str:
    """Return what a signal is called: the file's stem, or its folder's name where the stem only names a split."""
    shard = SHARD.match(file.stem)
    stem = shard["split"] if shard else file.stem
    if shard or stem.lower() in SPLITS:
        folder = Path(os.path.abspath(file)).parent.name
        stem = folder if folder and stem.lower() in ("train", "data") else f"{folder}-{stem}".strip("-")
    return re.sub(r"[^\w.-]+", "_", stem).lower()


def sidecar(path: Path) -> Sidecar:
    """Return what the JSON files beside a table say of it; keys that are not ours are somebody else's."""
    own = next((p for p in (path.with_name(f"{path.name}.json"), path.with_suffix(".json")) if p.is_file()), None)
    said = {key: value for key, value in _json(own).items() if key in ("columns", "unit", "names")}
    columns, unit, names = said.get("columns", []), said.get("unit", "as in the file"), said.get("names", {})
    units = list(unit.values()) if isinstance(unit, dict) else [unit]
    if not isinstance(names, dict) or not all(map(_are_texts, (columns, units, *names.values()))):
        raise bad(own, f"expected {SIDECAR}.")
    shared = path.with_name("columns.json")
    listed = {k: v for k, v in _json(shared).items() if _are_texts(v)} if shared.is_file() else {}
    notes = [f"{own.name} gives {' and '.join(said)}."] if own and said else []
    if (shard := SHARD.match(path.stem)) and int(shard["n"]) > 1:
        notes.append(f"this is one of {int(shard['n'])} files; the others were not read.")
    return Sidecar(tuple(columns), unit, {**listed, **names}, notes)


def _json(path: Path | None) -> dict[str, Any]:
    try:
        held = json.loads(path.read_text("utf-8")) if path else {}
    except (OSError, ValueError, RecursionError) as error:
        raise bad(path, f"it stands beside the table and is no JSON: {error}.") from error
    return held if isinstance(held, dict) else {}


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _pick(wanted: Sequence[str], table: Table, path: Path) -> tuple[dict[str, tuple[str, int]], list[str]]:
    """Return column and position of each channel to use: what is wanted, or else all columns of floats."""
    columns = table.columns
    owner = {channel: name for name, column in columns.items() for channel in column.channels}
    for name in wanted:
        if name not in columns and name not in owner:
            raise UnknownName.of("column", name, {*columns, *(owner if len(owner) < 50 else ())}, there="Columns")
        if name in columns and columns[name].unusable:
            raise bad(path, f"column {name} cannot be a channel: it holds {columns[name].unusable}.")
    usable = [n for n in columns if not columns[n].unusable and n not in (*TEXTS, "subject")]
    names = wanted or [n for n in usable if not columns[n].integers and not ROW_NUMBER.search(n)]
    if not names:
        named = [n for n in usable if not ROW_NUMBER.search(n)] or usable
        remedy = f"; integers count when named, as in `{path}:{','.join(named[:5])}`" if named else ""
        raise bad(path, f"it has no column of measured numbers (floats){remedy}; it has {listed(columns)}.")
    picks: dict[str, tuple[str, int]] = {}
    for name in names:
        column = name if name in columns else owner[name]
        at = {channel: (column, i) for i, channel in enumerate(columns[column].channels)}
        picks |= at if name == column else {name: at[name]}
    left = {
        "integers or row numbers, used when named": [n for n in usable if n not in names],
        "no numbers": [n for n in columns if n not in (*usable, *TEXTS, "subject")],
    }
    return picks, [f"columns left out ({why}): {listed(cut)}." for why, cut in left.items() if cut and not wanted]


def _measure(picks: Mapping[str, tuple[str, int]], table: Table) -> tuple[Array, list[str]]:
    """Return the picked channels' values in each row, (n_rows, n_picks); NaN or infinity where there is none."""
    used = {column: table.columns[column] for column, _ in picks.values()}
    blocks = {name: _values(column) for name, column in used.items()}
    averaged = [name for name, column in used.items() if column.form.startswith("words")]
    infinite = sum(n for _, n in blocks.values())
    notes = [f"averaged over the words of a sentence: {listed(averaged)}."] if averaged else []
    notes += [f"infinite values in the columns used, taken as missing: {infinite}."] if infinite else []
    return np.stack([blocks[column][0][:, i] for column, i in picks.values()], axis=1), notes


def _values(column: Column) -> tuple[Array, int]:
    """Return a column's values, (n_rows, n_channels), and how many infinite ones there were."""
    blank = [None] * len(column.channels)
    if not column.form.startswith("words"):
        rows = [[row] for row in column.rows] if column.form == "number" else [row or blank for row in column.rows]
        values = np.array(rows, np.float64)
        return values, int(np.isinf(values).sum())
    lists = ([[w] for w in row or blank] if column.form == "words" else row or [blank] for row in column.rows)
    grids = [np.array([word or blank for word in words], np.float64) for words in lists]  # each (n_words, n_channels)
    return np.stack([finite_mean(grid) for grid in grids]), sum(int(np.isinf(grid).sum()) for grid in grids)


def _gather(table: Table, values: Array, duplicates: str, path: Path) -> tuple[_Means, list[str]]:
    """Bring the rows into one order of sentences for all subjects; average the rows of the same sentence."""
    rows: dict[tuple[str, str], list[int]] = {}
    for i, (subject, sentence) in enumerate(zip(table.subjects, table.sentences, strict=True)):
        if subject and sentence:
            rows.setdefault((subject, sentence), []).append(i)
    twice = [sentence for (_, sentence), held in rows.items() if len(held) > 1]
    if twice and duplicates == "refuse":
        raise bad(path, f"a subject has {len(twice)} sentences more than once, the first is {twice[0]!r}.")
    measured = np.isfinite(values).any(axis=1)
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
    means = {
        subject: average_repetitions(values[held], np.array(stimuli, int), len(sentences))
        for subject, (held, stimuli) in by_subject.items()
    }
    words = [name for name in table.columns if name.lower() in WORDS] if twice else []
    if words:
        means = {subject: average._replace(halves=None, shown=None) for subject, average in means.items()}
    counts = {
        "rows dropped, without sentence or subject": len(table.sentences) - sum(map(len, rows.values())),
        "sentences averaged, which a subject has more than once": len(twice),
        "sentences dropped, without any value": len({sentence for _, sentence in rows}) - len(sentences),
    }
    notes = [f"each row is a word, by column {words[0]}: the rows of a sentence are no repetitions."] if words else []
    return _Means(sentences, means), [f"{what}: {n}." for what, n in counts.items() if n] + notes


def _responses(means: _Means, channels: Sequence[str], path: Path) -> tuple[dict[str, Responses], list[str]]:
    """Keep of each subject the channels that vary, and as present the sentences with a value in all of them."""
    subjects: dict[str, Responses] = {}
    constant, partial = dict[str, None](), 0
    for subject, (values, halves, shown) in means.by_subject.items():
        kept = varying_channels(values)
        if kept.any():
            constant |= {channel: None for channel, keep in zip(channels, kept, strict=True) if not keep}
            values = values[:, kept]
            whole = np.isfinite(values).all(axis=1)
            partial += int((np.isfinite(values).any(axis=1) & ~whole).sum())
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
