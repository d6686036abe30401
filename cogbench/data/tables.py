"""Tables as they are read from a file or from the shards of a split: parquet, csv, tsv and jsonl."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import MissingData, UnusableData
from ..storage.atomic import readable
from ..text import first_line
from .dataset import Origin

TABLES = (".parquet", ".csv", ".tsv", ".jsonl")
SHARD = re.compile(r".*-\d+-of-(\d+)")


class Rows(NamedTuple):
    """A table as read: equally long columns, the class names of those that state them, and where it came from.

    `first` is the number of the first row in an editor or a spreadsheet, which counts the header.
    """

    columns: dict[str, list[Any]]
    names: dict[str, tuple[str, ...]]
    origin: Origin
    what: str  # for messages: the file, or the task and split
    first: int = 1

    def of(self, *columns: str, classes: Mapping[str, tuple[str, ...]] | None = None) -> list[list[Any]]:
        """Return some columns, in this order.

        Parameters
        ----------
        *columns : str
            Their names.
        classes : mapping of str to tuple of str, optional
            What the classes of a column are called, in the order of their numbers: another order is refused.

        Raises
        ------
        UnusableData
            If a column is missing, or states its classes otherwise.
        """
        if missing := [c for c in columns if c not in self.columns]:
            raise UnusableData(
                f"{self.origin.id!r} lacks column {', '.join(missing)}; it has {', '.join(self.columns)}."
            )
        for column, expected in (classes or {}).items():
            stated = self.names.get(column, expected)
            if stated != expected:
                raise UnusableData(
                    f"{self.what} states the classes of {column} as {', '.join(stated)}; "
                    f"expected {', '.join(expected)}."
                )
        return [self.columns[c] for c in columns]


def read_table(path: Path, *, as_text: bool = False) -> Rows:
    """Read a parquet, csv, tsv or jsonl file, with the class names that its metadata state.

    Parameters
    ----------
    path : Path
        The file.
    as_text : bool
        Leave all values of csv and tsv as the texts that they are there: not numbers, dates or gaps.

    Raises
    ------
    MissingData, UnusableData
        If there is no such file, or it cannot be read as what its name says.
    """
    import pyarrow as pa
    from pyarrow import json as jsonl
    from pyarrow import parquet

    readable(path)
    try:
        ending = path.suffix.lower()
        if ending == ".parquet":
            table = parquet.read_table(path)
        elif ending in (".csv", ".tsv"):
            table = _separated(path, "\t" if ending == ".tsv" else ",", as_text)
        elif ending == ".jsonl":
            table = jsonl.read_json(path)
        else:
            raise UnusableData(f"{str(path)!r}: unknown ending; known: {', '.join(TABLES)}.")
    except (pa.ArrowException, OSError) as error:
        raise UnusableData(f"{str(path)!r} cannot be read as {ending[1:]}: {first_line(error)}") from error
    stated = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    features = stated.get("info", {}).get("features", {})
    names = {k: tuple(f["names"]) for k, v in features.items() if "names" in (f := _element(v))}
    first = 2 if ending in (".csv", ".tsv") else 1
    return Rows(table.to_pydict(), names, Origin(str(path)), repr(str(path)), first)


def _separated(path: Path, mark: str, as_text: bool = False) -> Any:
    """Return a table of separated values; quotes that do not pair are text, where lines and columns fit them so.

    A quote that opens a field and does not close it would swallow the lines up to the next one, in silence.
    """
    import pyarrow as pa
    from pyarrow import csv

    def parsed(**how: Any) -> Any:
        parse = csv.ParseOptions(delimiter=mark, newlines_in_values=True, **how)
        if not as_text:
            return csv.read_csv(path, parse_options=parse)
        with csv.open_csv(path, parse_options=parse) as reader:
            types = dict.fromkeys(reader.schema.names, pa.string())
        return csv.read_csv(path, parse_options=parse, convert_options=csv.ConvertOptions(column_types=types))

    with path.open("rb") as file:
        lines = sum(bool(line.strip(b"\r\n")) for line in file) - 1
    refused, table = None, None
    try:
        table = parsed()
    except pa.ArrowInvalid as error:
        refused = error
    if table is not None and (table.num_rows == lines or _paired(path, mark)):
        return table
    for how in ({"quote_char": False}, {"escape_char": "\\"}):  # quotes as text; quotes within text as \"
        try:
            other = parsed(**how)
        except pa.ArrowInvalid:
            continue
        if other.num_rows == lines:
            return other
    if table is None:
        raise refused or pa.ArrowInvalid("it has no rows")
    return table


def _paired(path: Path, mark: str) -> bool:
    """Whether each quote that opens a field closes it, so that a field may go over several lines."""
    import csv

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for _ in csv.reader(file, delimiter=mark, strict=True):
                pass
    except (csv.Error, UnicodeDecodeError):
        return False
    return True


def _element(feature: Any) -> Mapping[str, Any]:
    """Return what a column, or each element of its lists, is stated to be."""
    while isinstance(feature, Mapping) and isinstance(feature.get("feature"), Mapping):
        feature = feature["feature"]
    return feature if isinstance(feature, Mapping) else {}


def split_files(folder: Path, split: str) -> list[Path]:
    """Return the files of a split: one table, or all its shards, in their order."""
    found = sorted(p for p in folder.glob(f"{split}*") if p.suffix in TABLES and _is_split(p, split))
    if len({(p.suffix, p.stem == split) for p in found}) > 1:
        names = ", ".join(p.name for p in found)
        raise UnusableData(f"{str(folder)!r} holds the split {split!r} more than once: {names}; leave one of them.")
    promised = {int(match[1]) for p in found if (match := SHARD.fullmatch(p.stem))}
    if promised and promised != {len(found)}:
        names = ", ".join(p.name for p in found)
        raise MissingData(f"{str(folder)!r} holds {len(found)} of {max(promised)} files of {split!r}: {names}.")
    return found


def _is_split(path: Path, split: str) -> bool:
    """Whether a file name means this split: `train.csv`, `train-00000-of-00002.parquet`, but not `train_old.csv`."""
    return path.stem == split or path.stem.startswith(f"{split}-")


def joined(files: Sequence[Path], origin: Origin, what: str) -> Rows:
    """Return the rows of all shards, one after the other; they must have the same columns."""
    first, *others = (read_table(p) for p in files)
    for part in others:
        if {*part.columns} != {*first.columns}:
            raise UnusableData(
                f"{part.origin.id!r} has the columns {', '.join(part.columns)}, but {first.origin.id!r} has "
                f"{', '.join(first.columns)}: shards of one split have the same."
            )
    columns = {name: [v for part in (first, *others) for v in part.columns[name]] for name in first.columns}
    return Rows(columns, first.names, origin, what)
