"""Addresses of tables, `FILE,key=value,…`: how a file is read where that is not to be found out."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..errors import UnknownName, UnusableData
from ..text import listed

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": " "}
CHOICES = {
    "quotes": ("csv", "text"),
    "decimal": ("point", "comma"),
    "header": ("yes", "no"),
    "layout": ("table", "words", "relations"),
}
TEXT_ENDINGS = (".csv", ".tsv", ".txt")
WORD_ENDINGS = (".conll", ".conllu", ".iob", ".iob2", ".bio")
ENDINGS = (*TEXT_ENDINGS, ".json", ".jsonl", *WORD_ENDINGS, ".parquet", ".npz", ".npy", ".xlsx")
PACKED = tuple(f"{ending}.gz" for ending in ENDINGS if ending != ".xlsx")
ALL_ENDINGS = (*PACKED, *ENDINGS)


@dataclass(frozen=True)
class TableOptions:
    """What of a table's form is said, and not found out; each is an option of an address: `FILE,separator=;`.

    Parameters
    ----------
    separator : str
        The sign between cells, or its name: comma, semicolon, tab, bar, space.
    quotes : {"", "csv", "text"}
        Whether quotes around cells are those of csv, or belong to the texts.
    encoding : str
        The encoding of the text, such as `cp1252`.
    decimal : {"", "point", "comma"}
        The mark of decimals.
    missing : tuple of str
        Cells that mean that nothing was measured, beside empty ones, `NA`, `n/a`, `nan`, `null` and `none`. In an
        address they stand apart by colons: `missing=.:-999`.
    header : {"", "yes", "no"}
        Whether the first line names the columns; without a header they are called 1, 2, 3.
    sheet : str
        The sheet of a workbook; the first one, unless said.
    layout : {"", "table", "words", "relations"}
        The layout of a text file: lines of cells; a word a line, with its tags, as CoNLL has it; or the text and the
        relation of SemEval.
    sentences : str
        The file of sentences, one a line, that an npy file of values belongs to.

    Raises
    ------
    UnusableData
        If an option is none of its choices.
    """

    separator: str = ""
    quotes: str = ""
    encoding: str = ""
    decimal: str = ""
    missing: tuple[str, ...] = ()
    header: str = ""
    sheet: str = ""
    layout: str = ""
    sentences: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "separator", SEPARATORS.get(self.separator, self.separator))
        object.__setattr__(self, "missing", tuple(self.missing))
        if len(self.separator) > 1 or self.separator in ('"', "\n", "\r"):
            raise UnusableData(f"separator={self.separator}: expected one sign, or {', '.join(SEPARATORS)}.")
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in ("", *choices):
                raise UnusableData(f"{name}={value}: expected {' or '.join(choices)}.")
        if self.encoding:
            try:
                "".encode(self.encoding)
            except (LookupError, ValueError):
                raise UnusableData(
                    f"encoding={self.encoding}: no encoding of this name; try utf-8 or cp1252."
                ) from None

    def updated(self, options: Mapping[str, str]) -> "TableOptions":
        """Return these options with those of an address beside or in place of them."""
        more: dict[str, Any] = {name: value for name, value in options.items() if name in OPTION_NAMES}
        if "missing" in more:
            more["missing"] = (*self.missing, *more["missing"].split(":"))
        return replace(self, **more)


OPTION_NAMES = tuple(field.name for field in fields(TableOptions))
USUAL = TableOptions()


def ending_of(path: str | Path) -> str:
    """Return the ending by which a table is read, with `.gz` where it is packed; empty if a name has none of them."""
    name = Path(path).name.lower()
    return next((ending for ending in ALL_ENDINGS if name.endswith(ending)), "")


def split_address(address: str, roles: Collection[str] = ()) -> tuple[str, dict[str, str]]:
    """Return what stands before the options of an address, and the options; a value may hold commas.

    Parameters
    ----------
    address : str
        `FILE`, or `FILE,key=value,…`.
    roles : collection of str
        Keys beside those of `TableOptions`, such as `sentence`: the roles that columns may have.

    Raises
    ------
    UnknownName
        If a table's name is followed by a key that is none.
    UnusableData
        If a key stands twice.
    """
    if os.path.isfile(os.path.expanduser(address)):
        return address, {}
    keys = (*roles, *OPTION_NAMES)
    parts = re.split(rf",\s*({'|'.join(map(re.escape, keys))})=", address)
    file, names, values = parts[0], parts[1::2], parts[2::2]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UnusableData(f"{address!r} says {twice}= twice.")
    endings = "|".join(map(re.escape, ALL_ENDINGS))
    wrong = None
    if not os.path.isfile(os.path.expanduser(file)):
        wrong = re.search(rf"(?i)(?:{endings})[^,]*,\s*([\w-]+)=", file)
    wrong = next(filter(None, (re.search(r",\s*([A-Za-z_-]+)=", value) for value in values)), wrong)
    if wrong:
        raise UnknownName.of("option of a table", wrong[1], keys, label="Known")
    # A comma has a meaning here: the separator itself is named by a word.
    return file, {
        name: value if value == "\t" else value.strip() or value for name, value in zip(names, values, strict=True)
    }


def refuse_ending(path: Path) -> None:
    """Raise UnusableData unless the name of a file ends as that of a table."""
    if not ending_of(path):
        raise UnusableData(
            f"{str(path)!r}: unknown ending; known: {listed(ENDINGS)}, most of them packed as .gz too. Save a table as "
            "csv or parquet, an array as npz with its sentences; plugins read other formats."
        )
