"""A recommendation, and what its estimator was worth by the shipped board: the rows of that board in short."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..frames import Tabular
from ..results.leaderboard import leaderboard
from ..results.result import Result
from ..scoring.ranking import Place
from ..storage.atomic import write_whole

SHIPPED = Path(__file__).with_name("worth.json")  # of the results in docs/results; `make board` writes it


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What an estimator was worth on an oracle.

    `trs` is its TRS, where random choice has `chance` and perfect is 1; `skill` is what it knows of pairs of tasks; `p`
    and `skill_p` are of relabelling. None stands for what is not defined.
    """

    estimator: str
    backbone: str | None
    signal: str | None
    oracle: str
    trs: float
    chance: float
    p: float
    skill: float | None
    skill_p: float | None


@dataclass(frozen=True)
class Gain:
    """What a source really brought: the target's metric after it and without it, and the standard error of their gap.

    The error is a bootstrap over the evaluation examples, the same ones for both; other training seeds would add to it.
    """

    source: str
    metric: str
    value: float
    no_transfer: float
    gain: float
    standard_error: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Recommendation(Tabular):
    """The tasks to train first for a target, best first.

    `similarity` has the estimator's score of each ranked source, None where it has no estimate. `places` has the place
    of each that has one: sources that chance does not tell apart share one. `learned` says of each
    whether its model learned it, as in the result of a run, and None of a given checkpoint without examples of its own;
    those that it did not learn rank behind all others.
    `untrained` are tasks of the suite that the store has no training of, so that they could not be ranked; `gains` the
    sources tried, of which none need help: `none_helps` says that no gain exceeds two standard errors. `worth` is what
    the estimator was worth on the oracles of the board; it is empty for one that is not on the board.
    """

    target: str
    kind: str
    estimator: str
    backbone: str
    signal: str | None
    ranking: tuple[str, ...]
    similarity: dict[str, float | None]
    places: dict[str, Place]
    learned: dict[str, bool | None]
    untrained: tuple[str, ...]
    gains: tuple[Gain, ...]
    none_helps: bool
    worth: tuple[Worth, ...]
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What was ranked, and for which target."""
        return f"{len(self.ranking)} sources for {self.target} ({self.kind}), by {self.estimator} on {self.backbone}"

    @property
    def table_rows(self) -> list[dict[str, Any]]:
        """A row for each source, best first; `place` is None without an estimate, `gain` where it was not tried."""
        gains, places = {gain.source: gain.gain for gain in self.gains}, self.places
        return [
            {"source": source, "place": places[source].number if source in places else None}
            | {"similarity": self.similarity[source], "learned": self.learned[source], "gain": gains.get(source)}
            for source in self.ranking
        ]


def worth_of(results: Sequence[Result]) -> list[Worth]:
    """Return what estimators were worth, of results that cogbench computed without looking at the oracle."""
    rows = []
    for board in leaderboard(results):
        for entry in board.entries:
            trs, p = entry.scores.get("trs"), entry.scores.get("p")
            blind = not entry.second_hand and entry.kind == "result" and not entry.uses_oracle
            if not blind or board.oracle is None or board.chance is None or trs is None or p is None:
                continue
            row = Worth(
                estimator=entry.estimator,
                backbone=entry.backbone,
                signal=entry.signal,
                oracle=board.oracle,
                trs=round(trs, 4),
                chance=round(board.chance, 4),
                p=round(p, 4),
                skill=_rounded(entry.scores.get("skill")),
                skill_p=_rounded(entry.scores.get("skill p")),
            )
            rows.append(row)
    return sorted(rows, key=lambda row: (row.estimator, row.oracle, row.backbone or "", row.signal or "", row.trs))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def write_worth(results: Sequence[Result], file: Path = SHIPPED) -> None:
    """Write what estimators were worth in these results into a file: by default the shipped one."""
    write_whole(file, json.dumps([asdict(row) for row in worth_of(results)], indent=1) + "\n")


def known_worth(estimator: str) -> tuple[Worth, ...]:
    """Return what an estimator was worth on the oracles of the shipped board, whatever its options were there.

    `estimator` is its name, with or without options in brackets.
    """
    rows = [Worth(**row) for row in json.loads(SHIPPED.read_text())]
    return tuple(row for row in rows if row.estimator.partition("[")[0] == estimator.partition("[")[0])
