"""The signal `neutral`: sentences of our own, for estimators that need no responses.

They are everyday facts and questions on many topics, in different forms, of 5 to 13 words. They were written for
cogbench, and come from no corpus.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from cogbench import Card, Files, Origin, Recording, SentenceFile, hookimpl

SENTENCES = Path(__file__).with_name("neutral.txt")


@dataclass(frozen=True)
class Neutral:
    """Short neutral sentences without responses."""

    name: str = "neutral"
    card: Card = Card(
        200,
        "MIT",
        "no responses: 200 neutral sentences of our own, for estimators that need sentences alone",
        "the neutral sentences of cogbench",
    )

    def read(self, files: Files) -> Recording:
        """Return the sentences, as a recording of no subjects."""
        recording = SentenceFile(self.name, str(SENTENCES)).read(files)
        return replace(recording, origin=Origin(self.card.citation, recording.origin.revision))


@hookimpl
def register_signals() -> list[Neutral]:
    """Return the signal of neutral sentences."""
    return [Neutral()]
