"""The tasks, each under the name of what it reads, and the suite of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from cogbench import Card, Dataset, Files, Origin, Suite, Task, UnknownName, hookimpl

from .readers import TAGGED, Place
from .sources import SOURCES, SUITE, Source


@dataclass(frozen=True)
class Biomedical:
    """A task of biomedical text: what it reads stands in `SOURCES` under its name.

    Parameters
    ----------
    name : str
        The name of the task.
    scored : tuple of {"validation", "test"}
        The splits that it is scored on, together; none for the task's own choice.
    """

    answers: ClassVar[int] = 1  # the hash of its rows stands in each key: its code need not

    name: str
    scored: tuple[str, ...] = ()
    suite: str = SUITE

    def __post_init__(self) -> None:
        for split in self.scored:
            if split not in TAGGED:
                raise UnknownName.of("split", split, TAGGED, label="Known")

    @property
    def source(self) -> Source:
        """What the task reads."""
        return SOURCES[self.name]

    @property
    def kind(self) -> str:
        """The kind of task."""
        return self.source.kind

    @property
    def metric(self) -> str:
        """The metric that scores it."""
        return self.source.metric

    @property
    def further(self) -> tuple[str, ...]:
        """More metrics."""
        return self.source.further

    @property
    def card(self) -> Card:
        """What is known of the task's data."""
        return self.source.card

    def load(self, split: str, files: Files) -> Dataset:
        """Read the training split, or the splits that are scored on, one after the other.

        Raises
        ------
        MissingData
            If the data are not there: the message says what to fetch and from where.
        UnusableData
            If a file is not of the form that it should have.
        """
        source = self.source
        folder = files.folder(self.name, *source.places, bring=source.bring)
        splits = ("train",) if split == "train" else self.scored or source.scored
        parts = [source.read(Place(self.name, folder, one, source.classes), files) for one in splits]
        columns = {name: [value for part in parts for value in part[name]] for name in parts[0]}
        return Dataset(source.kind, columns, source.classes, Origin(source.origin))


@hookimpl
def register_tasks() -> Iterable[Task]:
    """Add a task for each source."""
    return [Biomedical(name) for name in SOURCES]


@hookimpl
def register_suites() -> Iterable[Suite]:
    """Add the suite of all of them; its usual stimuli are sentences without responses."""
    description = "named entities in biomedical text, and questions that abstracts answer"
    return [Suite(SUITE, tuple(SOURCES), "neutral", (), description)]
