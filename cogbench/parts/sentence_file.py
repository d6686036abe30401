"""Sentences from one's own text file, as stimuli without responses."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.recording import Recording
from ..errors import MissingData, UnusableData
from ..storage.origin import Origin

if TYPE_CHECKING:
    from ..data.files import Files

LEAST = 3  # sentences: with fewer there is nothing to compare
NAMED = 3  # faults that a message names


@dataclass(frozen=True)
class SentenceFile:
    """A signal without responses: a text file in UTF-8 with one sentence a line.

    Parameters
    ----------
    name : str
        What to call it.
    file : str or Path
        The text file. The white space in a line is made single.
    """

    name: str
    file: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", str(self.file))

    def read(self, files: "Files") -> Recording:
        """Return the sentences in their order, as a recording of no subjects.

        Raises
        ------
        MissingData
            If there is no such file.
        UnusableData
            If the file is not UTF-8, has an empty line or the same sentence twice, or holds fewer than 3 sentences.
        """
        path = Path(self.file)
        if not path.is_file():
            raise MissingData(f"no file {self.file!r} of sentences; expected a text file with one sentence a line.")
        content = path.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise UnusableData(f"{self.file!r} is not UTF-8 in line {line}: save the file in that encoding.") from None
        lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
        sentences = [" ".join(line.split()) for line in lines]
        self._check(sentences if text else [])
        revision = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return Recording(tuple(sentences), {}, unit="no responses", origin=Origin(self.file, revision))

    def _check(self, sentences: Sequence[str]) -> None:
        """Raise UnusableData for empty lines, sentences that stand twice, or too few of them."""
        if len(sentences) < LEAST:
            raise UnusableData(
                f"{self.file!r} holds {len(sentences)} sentence(s); stimuli are at least {LEAST}, one a line."
            )
        if empty := [str(number) for number, sentence in enumerate(sentences, 1) if not sentence]:
            raise UnusableData(f"{self.file!r} has empty lines, which hold no sentence: {_listed(empty)}; delete them.")
        first: dict[str, int] = {}
        twice = []
        for number, sentence in enumerate(sentences, 1):
            if sentence in first:
                twice.append(f"{first[sentence]} and {number}")
            first.setdefault(sentence, number)
        if twice:
            raise UnusableData(f"{self.file!r} holds a sentence twice, in lines {_listed(twice)}; delete one of each.")


def _listed(faults: Sequence[str]) -> str:
    """Return faults as one text, of many only the first ones."""
    more = f" and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
    return ", ".join(faults[:NAMED]) + more
