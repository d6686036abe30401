"""Evidence from an oracle alone: its own transfers, those of other oracles, and the cards of tasks; no model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from time import process_time
from typing import Any, ClassVar, NoReturn

from ..compute.estimate import Estimate, Inquiry, estimate_from
from ..data.dataset import Card
from ..data.oracle import Oracle, TaskMatrix
from ..errors import UnusableData
from ..parts.interfaces import ORACLES_DATA, Estimator
from ..parts.recipe import Task
from ..parts.registry import Parts
from ..results.published import result_of_guess
from ..results.result import Result

KNOWN = frozenset({"oracle", "cards"})  # what an oracle alone can answer


@dataclass(frozen=True, eq=False, kw_only=True)
class TableRequest:
    """One ranking asked for: how well does an estimator rank the sources of an oracle from transfers and cards alone?

    `other_oracles` are further oracles of the same tasks, `cards` those of the tasks that are installed.
    """

    estimator: Estimator
    oracle: Oracle
    parts: Parts
    other_oracles: tuple[Oracle, ...] = ()
    signal: ClassVar[None] = None  # no such estimator reads one, or the data of a task
    tasks: ClassVar[tuple[Task, ...]] = ()

    @property
    def estimate(self) -> Estimate:
        """The estimator's matrix, notes and details."""
        return self._timed[0]

    @cached_property
    def _timed(self) -> tuple[Estimate, float]:
        """The estimate, and the seconds that it took."""
        inquiry, began = Inquiry(self.estimator), process_time()
        estimate = estimate_from(self.estimator, TableEvidence(self, inquiry), inquiry)  # type: ignore[arg-type]
        return estimate, round(process_time() - began, 3)

    @cached_property
    def cards(self) -> Mapping[str, Card]:
        """The cards of the tasks that are installed."""
        matrix = self.oracle.transfers
        names = dict.fromkeys([*matrix.sources, *matrix.targets])
        return {name: self.parts.tasks[name].card for name in names if name in self.parts.tasks}

    def cells(self) -> list[Any]:
        """Return no cells: nothing is computed that would be kept."""
        return []

    def check(self) -> None:
        """Raise UnusableData if the estimator needs what neither the oracle nor the cards have."""
        if missing := self.estimator.needs - KNOWN:
            raise UnusableData(
                f"estimator {self.estimator.name!r} needs {', '.join(sorted(missing))}: name a backbone with "
                "--backbone, trained models with --checkpoint, or an evidence pack with --pack."
            )
        sources = self.oracle.transfers.sources
        if "cards" in self.estimator.needs and (unknown := [name for name in sources if name not in self.cards]):
            raise UnusableData(
                f"estimator {self.estimator.name!r} needs the cards of all sources, and no installed task is called "
                f"{unknown[0]}: {len(unknown)} of {len(sources)} sources of {self.oracle.name} have none."
            )
        _ = self.estimate

    def result(self) -> Result:
        """Return the scored ranking."""
        return result_of_guess(
            self.estimate.matrix,
            self.oracle,
            self.parts,
            estimator=self.parts.label("estimator", self.estimator),
            notes=["made from transfers and cards alone: no model was read", *self.estimate.notes],
            uses_oracle=bool(ORACLES_DATA & self.estimator.needs),
            details=[self.estimate.details],
            estimator_seconds=self._timed[1],
        )


class TableEvidence:
    """What an estimator may ask of an oracle alone; anything else is refused by its name.

    Parameters
    ----------
    request : TableRequest
        What is asked for.
    inquiry : Inquiry
        What the estimator may ask for, and where its notes go.
    """

    seed = 0

    def __init__(self, request: TableRequest, inquiry: Inquiry) -> None:
        self._request, self._inquiry = request, inquiry
        matrix = request.oracle.transfers
        self.sources, self.targets = matrix.sources, matrix.targets
        self.tasks = tuple(dict.fromkeys([*matrix.sources, *matrix.targets]))

    @property
    def oracle(self) -> Oracle:
        """The transfers that the ranking is scored against."""
        self._inquiry.allow("oracle")
        return self._request.oracle

    @property
    def oracles(self) -> Mapping[str, Oracle]:
        """Other installed oracles of the same tasks by their names."""
        self._inquiry.allow("oracle")
        return {oracle.name: oracle for oracle in self._request.other_oracles}

    @property
    def cards(self) -> Mapping[str, Card]:
        """For each task that is installed what is published of it."""
        self._inquiry.allow("cards")
        return self._request.cards

    def similarity(self, member: Estimator) -> TaskMatrix:
        """Return the matrix of an estimator among the fields of this one; its notes become notes here."""
        request = replace(self._request, estimator=member)
        request.check()
        for text in request.estimate.notes:
            self.note(text)
        return request.estimate.matrix

    def note(self, text: str) -> None:
        """Add a line for the reader of the result."""
        self._inquiry.note(text)

    def detail(self, name: str, value: Any) -> None:
        """Add something that machines should find in the result beside the matrix."""
        self._inquiry.details[name] = value

    def __getattr__(self, name: str) -> NoReturn:
        raise UnusableData(
            f"an oracle alone has no {name}, which estimator {self._request.estimator.name!r} asks for: name a "
            "backbone with --backbone, or an evidence pack with --pack."
        )
