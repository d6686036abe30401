"""Tables as they are read from a file or from the shards of a split: parquet, csv, tsv and jsonl."""

import csv
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UnusableData
from ..storage.atomic import readable
from ..storage.foreign import parse_json, refuse_swelling, unpacked_size, unzipped
from ..text import first_line, listed
from .dataset import Origin

TABLES = (".parquet", ".csv", ".tsv", ".jsonl")
PACKED = (".csv.gz", ".tsv.gz", ".jsonl.gz", ".json.gz", ".conll.gz")
OWN_TABLES = (*(ending.removesuffix(".gz") for ending in PACKED), *PACKED, ".parquet", ".xlsx")
MARKS = (",", ";", "\t", "|")
SEPARATOR = re.compile(r'"?sep=([,;\t|])"?\r?\n')
WIDE = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
MAGIC = {b"\x1f\x8b": "a gzip file", b"PK\x03\x04": "a zip archive or a workbook", b"PAR1": "a parquet file"}


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
            raise UnusableData(f"{self.origin.id!r} lacks column {', '.join(missing)}; it has {listed(self.columns)}.")
        for column, expected in (classes or {}).items():
            stated = self.names.get(column, expected)
            if stated != expected:
                raise UnusableData(
                    f"{self.what} states the classes of {column} as {', '.join(stated)}; "
                    f"expected {', '.join(expected)}."
                )
        return [self.columns[c] for c in columns]


def read_table(path: Path) -> Rows:
    """Read a parquet, csv, tsv or jsonl file, with the class names that its metadata state.

    Raises
    ------
    MissingData, UnusableData
        If there is no such file, or it cannot be read as what its name says.
    """
    import pyarrow as pa
    from pyarrow import json as jsonl

    readable(path)
    try:
        ending = path.suffix.lower()
        if ending == ".parquet":
            return _of_parquet(path)
        if ending in (".csv", ".tsv"):
            table = _separated(path.read_bytes(), "\t" if ending == ".tsv" else ",")
        elif ending == ".jsonl":
            table = jsonl.read_json(path)
        else:
            raise UnusableData(f"{str(path)!r}: unknown ending; known: {', '.join(TABLES)}.")
        return Rows(_columns(table), {}, Origin(str(path)), repr(str(path)))
    except UnicodeDecodeError as error:
        raise UnusableData(f"{str(path)!r} is not UTF-8: save it in that encoding.") from error
    except (pa.ArrowException, OSError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise UnusableData(f"{str(path)!r} cannot be read as {ending[1:]}: {first_line(error)}.") from error


def _of_parquet(path: Path) -> Rows:
    from pyarrow import parquet

    table = parquet.read_table(path)
    return Rows(_columns(table), _class_names(table.schema.metadata or {}), Origin(str(path)), repr(str(path)))


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Return what the metadata call the classes of columns; metadata of another form say nothing."""
    try:
        stated = parse_json(metadata.get(b"huggingface", b"{}").decode())
    except ValueError:
        return {}
    for key in ("info", "features"):
        stated = stated.get(key) if isinstance(stated, dict) else None
    names = {column: _element(feature).get("names") for column, feature in _mapping(stated).items()}
    return {
        column: tuple(classes)
        for column, classes in names.items()
        if isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    }


def _columns(table: Any) -> dict[str, list[Any]]:
    """Return the columns of a table of arrow by their names; ValueError if a name stands twice."""
    names = table.schema.names
    if twice := [name for name, n in Counter(names).items() if name and n > 1]:
        raise ValueError(f"column {twice[0]!r} stands twice")
    return {name: column.to_pylist() for name, column in zip(names, table.columns, strict=True)}


def read_own_table(path: Path) -> Rows:
    """Read a table as people have it, in one of the forms of `OWN_TABLES`; values of csv, tsv and conll stay texts.

    The values of a csv or tsv file are separated by commas, semicolons, tabs or bars. A conll file has a word and
    its tag on each line, the tag last, and an empty line after each sentence. A json file is a list of objects, has one
    on each line, is a table as pandas writes it, or is SQuAD's.

    Raises
    ------
    MissingData, UnusableData
        If there is no such file, or it cannot be read as what its name says. The message quotes no text of the file.
    """
    import pyarrow as pa

    readable(path)
    written = next((end for end in OWN_TABLES if path.name.lower().endswith(end)), None)
    if written is None:
        raise UnusableData(f"{str(path)!r}: unknown ending; known: {', '.join(OWN_TABLES)}.")
    ending = written.removesuffix(".gz")
    where, origin = repr(str(path)), Origin(str(path))
    try:
        if ending == ".parquet":
            return _of_parquet(path)
        if ending == ".xlsx":
            return Rows(_of_spreadsheet(path, where), {}, origin, where, 2)
        content = unzipped(path) if written in PACKED else path.read_bytes()
        text = _decoded(content, where)
        if ending == ".conll":
            return Rows(_of_conll(text, where), {}, origin, where)
        if ending in (".json", ".jsonl"):
            return Rows(_of_json(text, where), {}, origin, where)
        stated = SEPARATOR.match(text)  # by Excel, on a line before the header
        text = text[stated.end() :] if stated else text
        mark = stated[1] if stated else _mark(text, "\t" if ending == ".tsv" else ",")
        columns = _columns(_separated(text.encode(), mark, as_text=True))
        return Rows(_with_plain_names(columns), {}, origin, where, 3 if stated else 2)
    except (pa.ArrowException, OSError, EOFError, zlib.error, ValueError, OverflowError, RecursionError) as error:
        unlike = _unlike(text, mark) if ending in (".csv", ".tsv") and isinstance(error, pa.ArrowException) else None
        reason = unlike or first_line(error).partition(": ")[0]
        raise UnusableData(f"{where} cannot be read as {ending[1:]}: {reason}.") from error


def read_tagged(path: Path, *, word: int = 0, tag: int = -1) -> Rows:
    """Read sentences of words with tags: a word a line, its columns apart by tabs, an empty line after each sentence.

    Returns the columns `tokens` and `label`, lists of texts: those of the columns `word` and `tag` of the file, which
    are 1 and 3 for the parts of speech of CoNLL-U. Its lines without a whole number (`1-2`, `8.1`) are no words.

    Raises
    ------
    MissingData, UnusableData
        If there is no such file, it is not UTF-8, or a line has too few columns.
    """
    readable(path)
    where, tokens, tags = repr(str(path)), list[list[str]](), list[list[str]]()
    begins = True
    for number, line in enumerate(re.split(r"\r\n|\n|\r", _decoded(path.read_bytes(), where)), 1):
        parts = line.split("\t")
        if not line.strip() or parts[0] == "-DOCSTART-" or (line.startswith("#") and len(parts) == 1):
            begins = True
            continue
        if len(parts) <= max(word, tag, 1):
            raise UnusableData(f"{where}: line {number} has {len(parts)} column(s), apart by tabs: it lacks a tag.")
        if word == 0 or parts[0].isdigit():
            if begins:
                tokens.append([])
                tags.append([])
            begins = False
            tokens[-1].append(parts[word])
            tags[-1].append(parts[tag])
    return Rows({"tokens": tokens, "label": tags}, {}, Origin(str(path)), where)


def _decoded(content: bytes, where: str) -> str:
    """Return bytes as text in UTF-8."""
    if other := next((name for start, name in MAGIC.items() if content.startswith(start)), None):
        raise UnusableData(f"{where} is no text but {other}: unpack it, or name it by what it is.")
    wide = next((name for start, name in WIDE.items() if content.startswith(start)), None)
    if wide is None and content[:1000].count(0) > len(content[:1000]) / 4:
        wide = "UTF-16"
    try:
        text = "" if wide else content.decode("utf-8-sig")
    except UnicodeDecodeError:
        wide = ""
    if wide is not None:
        encoding = f"{wide}, not UTF-8" if wide else "not UTF-8"
        raise UnusableData(f"{where} is {encoding}: save it as UTF-8 (in a spreadsheet: csv UTF-8).")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UnusableData(f"{where}: line {line} holds a character NUL, which no text has: remove it.")
    return text


def _mark(text: str, usual: str) -> str:
    """Return what separates the values of a table: the mark that its header has most of, the usual one of equals."""
    header = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    return max(usual, *MARKS, key=header.count)


def _with_plain_names(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return columns by their names without blanks around them."""
    plain = {name.strip(): values for name, values in columns.items()}
    return plain if len(plain) == len(columns) else columns


def _unlike(text: str, mark: str) -> str | None:
    """Return which row of separated values is unlike the header."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=mark) if row]
    except csv.Error:
        return None
    n = len(rows[0]) if rows else 0
    return next(
        (f"row {i} has {len(row)} values, the header {n}" for i, row in enumerate(rows, 1) if len(row) != n), None
    )


def _of_json(text: str, where: str) -> dict[str, list[Any]]:
    """Return the columns of a list of objects, of one object a line, or of SQuAD's nested objects."""
    try:
        whole = json.loads(text)
    except ValueError:
        whole = []
        for i, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    whole.append(json.loads(line))
                except ValueError:
                    raise UnusableData(f"{where}: line {i} is no JSON, and the file as a whole is none.") from None
    if isinstance(whole, dict) and isinstance(whole.get("data"), list):
        whole = whole["data"]
    if isinstance(whole, dict) and whole and all(isinstance(values, dict) for values in whole.values()):  # of pandas
        numbered = all(name.isdecimal() for name in whole)  # rows by their numbers, or else columns
        whole = [*whole.values()] if numbered else {name: [*values.values()] for name, values in whole.items()}
    if isinstance(whole, dict) and all(isinstance(values, list) for values in whole.values()):
        return whole
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
    names = dict.fromkeys(name for row in objects for name in row)
    return {name: [row.get(name) for row in objects] for name in names}


def _of_squad(articles: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the questions of SQuAD's own json, in the columns of extractive question answering."""
    columns: dict[str, list[Any]] = {"text": [], "text_pair": [], "label": []}
    for paragraph in (paragraph for article in articles for paragraph in article["paragraphs"]):
        for question in paragraph["qas"]:
            answers = [] if question.get("is_impossible") else question.get("answers", [])
            starts = [answer["answer_start"] for answer in answers]
            label = {"text": [answer["text"] for answer in answers], "answer_start": starts}
            for name, value in zip(columns, (question["question"], paragraph["context"], label), strict=True):
                columns[name].append(value)
    return columns


def _of_conll(text: str, where: str) -> dict[str, list[Any]]:
    """Return the words and tags of sentences, in the columns of tagging."""
    columns: dict[str, list[Any]] = {"tokens": [], "label": []}
    words, tags = list[str](), list[str]()
    for i, line in enumerate([*text.splitlines(), ""], 1):
        parts = line.split()
        if parts and (parts[0] == "-DOCSTART-" or (parts[0] == "#" and not words)):
            continue
        if len(parts) == 1:
            raise UnusableData(f"{where}: line {i} has a word and no tag.")
        if parts and not words and len(parts) >= 10 and parts[0] == "1":
            raise UnusableData(f"{where} is CoNLL-U, with several tags a word: keep two columns, the word and its tag.")
        if parts:
            words.append(parts[0])
            tags.append(parts[-1])
        elif words:
            columns["tokens"].append(words)
            columns["label"].append(tags)
            words, tags = [], []
    return columns


def _of_spreadsheet(path: Path, where: str) -> dict[str, list[Any]]:
    """Return the columns of the first sheet of a workbook."""
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError:
        raise UnusableData(
            f"{where} is a workbook, which takes the package openpyxl to read: install it, or save the sheet as csv in "
            "UTF-8."
        ) from None
    refuse_swelling(path, unpacked_size(path))
    try:
        workbook = load_workbook(path, read_only=True, data_only=True)
        header, *rows = workbook.worksheets[0].iter_rows(values_only=True)
        workbook.close()
    except Exception as error:  # whatever the package says of a file that is no workbook, or has no rows
        raise UnusableData(f"{where} cannot be read as xlsx: it has no rows, or is no workbook.") from error
    kept = [row for row in rows if any(value is not None for value in row)]
    return {str(name): [row[i] for row in kept] for i, name in enumerate(header) if name is not None}


def _separated(content: bytes, mark: str, *, as_text: bool = False) -> Any:
    """Return a table of separated values; quotes that do not pair are text, where lines and columns fit them so.

    A quote that opens a field and does not close it would swallow the lines up to the next one, in silence.
    """
    import pyarrow as pa
    from pyarrow import csv as separated

    def parsed(**how: Any) -> Any:
        parse = separated.ParseOptions(delimiter=mark, newlines_in_values=True, **how)
        read = {"read_options": separated.ReadOptions(block_size=block), "parse_options": parse}
        if not as_text:
            return separated.read_csv(pa.BufferReader(content), **read)
        with separated.open_csv(pa.BufferReader(content), **read) as reader:
            types = dict.fromkeys(reader.schema.names, pa.string())
        texts = separated.ConvertOptions(column_types=types)
        return separated.read_csv(pa.BufferReader(content), **read, convert_options=texts)

    if not content.strip():
        raise pa.ArrowInvalid("it has no rows")
    # A block holds two lines at least: one of 200,000 columns is longer than arrow's own block.
    block = max(2**20, 2 * max(map(len, io.BytesIO(content)), default=0) + 2)
    lines = sum(bool(line.strip(b"\r\n")) for line in io.BytesIO(content)) - 1
    refused, table = None, None
    try:
        table = parsed()
    except pa.ArrowInvalid as error:
        refused = error
    if table is not None and (table.num_rows == lines or _paired(content, mark)):
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


def _paired(content: bytes, mark: str) -> bool:
    """Whether each quote that opens a field closes it, so that a field may go over several lines."""
    try:
        for _ in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=mark, strict=True):
            pass
    except (csv.Error, UnicodeDecodeError):
        return False
    return True


def _element(feature: Any) -> Mapping[str, Any]:
    """Return what a column, or each element of its lists, is stated to be."""
    while isinstance(inner := _mapping(feature).get("feature"), Mapping):
        feature = inner
    return _mapping(feature)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
