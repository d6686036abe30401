"""The content of a file that holds text: its lines, whatever encoding it has; refused where it is no text."""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import UnusableData
from ..storage.foreign import unzipped

MAGIC = {b"\x1f\x8b": "a gzip file", b"PK\x03\x04": "a zip archive or a workbook", b"PAR1": "a parquet file"}
MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig"} | {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SAMPLE = 1 << 20
CODE_PAGE = "cp1252"  # that of Windows in the west: what is no UTF-8 is mostly this


def opened(path: Path) -> BinaryIO:
    """Return a file's content as a stream, unpacked if its name ends in `.gz`."""
    return io.BytesIO(unzipped(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def text_lines(path: Path, encoding: str, notes: list[str]) -> Iterator[str]:
    """Yield the lines of a text without LF at their ends; what was found out of its encoding goes into `notes`.

    A text that has no LF has CR in its place. The CR of CR LF stays: within quotes it belongs to a cell.

    Raises
    ------
    UnusableData
        If the file is no text, or not in the encoding.
    """
    where = repr(str(path))
    with opened(path) as stream:
        name = encoding or _encoding_of(stream, where)
        if name not in ("utf-8", "utf-8-sig") and not encoding:
            notes.append("it is in UTF-16" if name == "utf-16" else _code_page_note(stream))
        stream.seek(0)
        head = stream.read(SAMPLE).decode(name, errors="ignore")
        stream.seek(0)
        end = "\r" if "\r" in head and "\n" not in head else "\n"
        text = io.TextIOWrapper(stream, encoding=name, newline=end)
        number = 0
        try:
            for number, line in enumerate(text, 1):
                if "\0" in line:
                    raise UnusableData(f"{where}: line {number} holds a character NUL, which no text has: remove it.")
                yield line.removesuffix(end)
        except UnicodeError:
            what = "UTF-8" if name.startswith("utf-8") else f"in {name}"
            fault = f"{where} is not {what} after line {number}; encoding= in the address names another."
            raise UnusableData(fault) from None


def _encoding_of(stream: BinaryIO, where: str) -> str:
    """Return the encoding that the bytes of a file show."""
    start = stream.read(SAMPLE)
    if other := next((what for sign, what in MAGIC.items() if start.startswith(sign)), None):
        raise UnusableData(f"{where} is no text but {other}: unpack it, or name it by what it is.")
    marked = next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    if marked == "utf-32":
        raise UnusableData(f"{where} is in UTF-32: save it as UTF-8, or name it with encoding=utf-32 in the address.")
    if marked is None and start[:1000].count(0) > len(start[:1000]) / 4:
        raise UnusableData(f"{where} is UTF-16 without a mark, or no text: encoding=utf-16-le in the address reads it.")
    if marked is not None:
        return marked
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while start:
            decoder.decode(start)
            start = stream.read(SAMPLE)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return CODE_PAGE
    return "utf-8"


def _code_page_note(stream: BinaryIO) -> str:
    """Return a note on a text that is no UTF-8, with the first line that shows it."""
    stream.seek(0)
    line = next((i for i, content in enumerate(stream, 1) if not _is_utf8(content)), 0)
    return f"it is not UTF-8 (line {line}), and is read as {CODE_PAGE}; encoding= in the address names another"


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
