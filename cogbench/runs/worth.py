"""What estimators are worth: the rows of the shipped board in short, for those who use a ranking."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..results.leaderboard import leaderboard
from ..results.result import Result
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


def worth_of(results: Sequence[Result]) -> list[Worth]:
    """Return what estimators were worth, of results that cogbench computed without looking at the oracle."""
    rows = []
    for board in leaderboard(results):
        for entry in board.entries:
            trs, p = entry.scores.get("trs"), entry.scores.get("p")
            blind = entry.basis == "computed" and entry.kind == "result" and not entry.uses_oracle
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
