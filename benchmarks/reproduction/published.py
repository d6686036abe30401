"""What the paper prints, and which source each method must have selected for its Tables 8 and 9 to read as they do."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

import cogbench
from cogbench import Oracle, TaskMatrix, popularity_baseline, size_baseline
from cogbench.parts.oracle_names import find_oracle
from cogbench.results.guess import Scored, selection_matrix

PAPER = Path(__file__).parents[1] / "paper"
PLMS = {"bert": "BERT", "tinybert": "TinyBERT"}
OTHER = {"bert": "tinybert", "tinybert": "bert"}
METHODS = ("DSE", "CRA", "CNM", "CRA+CNM", "AHP")
FREE = METHODS[:-1]  # those that look at no transfers
RANKS = {"bert": "table6_ranks", "tinybert": "table7_ranks"}
# The paper's names, in the order of its Tables 6 and 7, and ours.
NAMES = {
    "CoLA": "cola",
    "QNLI": "qnli",
    "RTE": "rte",
    "MNLI": "mnli",
    "SST-2": "sst-2",
    "MRPC": "mrpc",
    "STS-B": "sts-b",
    "QQP": "qqp",
    "NER": "conll-2003",
    "RE": "semeval-2010-8",
    "QA": "squad-v2",
    "PR": "ms-marco",
}
SHOWN = {ours: theirs for theirs, ours in NAMES.items()}
PRINTED = 0.005  # half of the last digit of Tables 6 to 9
ROUNDED = 0.05  # half of the last digit of Table 1
QUERIES_V2 = 808_731  # training queries of MS MARCO's version 2.1; the task's card has those of 1.1
TIE = 1e-9  # of two numbers that differ by the representation of decimals only

Picks = dict[str, str]  # target: the selected source


@cache
def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a file of printed figures."""
    with (PAPER / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def row(name: str, **where: str) -> dict[str, str]:
    """Return the one row with these values."""
    (chosen,) = [r for r in rows(name) if all(r[column] == value for column, value in where.items())]
    return chosen


def table_8(plm: str, method: str) -> dict[str, str]:
    """Return a row of Table 8: a backbone's own selections."""
    return row("table8", plm=plm, method=method)


def table_9(guide: str, method: str) -> dict[str, str]:
    """Return a row of Table 9: a backbone's selections, with which the other one is trained."""
    return row("table9", guide_plm=guide, target_plm=OTHER[guide], method=method)


def printed_rank(plm: str, source: str, target: str) -> float:
    """Return the rank in parentheses of Table 6 or 7."""
    return float(row(RANKS[plm], source=SHOWN[source])[SHOWN[target]])


def consistent(oracle: Oracle, target: str, printed: str) -> set[str]:
    """Return the sources after which the target has the printed metric."""
    column = oracle.transfers.values[:, oracle.transfers.targets.index(target)]
    near = np.abs(column - float(printed)) < PRINTED - TIE  # False for the target itself, which is NaN
    return {s for s, fits in zip(oracle.transfers.sources, near, strict=True) if fits}


@dataclass(frozen=True, eq=False)  # hashed by identity
class Published:
    """The two oracles, the number of training examples of each task, and what follows from the printed tables.

    `oracles` have the paper's order of tasks. `board_oracles` have the suite's: guesses are scored against these, so
    that their p-values, whose draws follow the order of tasks, are those of the boards.
    """

    oracles: Mapping[str, Oracle]
    board_oracles: Mapping[str, Oracle]
    training_rows: Mapping[str, int]

    @classmethod
    def load(cls) -> "Published":
        """Read the oracles of the installed package."""
        parts, tasks = cogbench.load_parts(), tuple(NAMES.values())
        installed = {plm: find_oracle(parts, f"cogtaskonomy-{plm}") for plm in PLMS}
        suite = parts.find("suite", "cogtaskonomy").tasks
        oracles, board_oracles = (
            {plm: oracle.part(order) for plm, oracle in installed.items()} for order in (tasks, suite)
        )
        return cls(oracles, board_oracles, {t: parts.tasks[t].card.rows for t in tasks})

    def possible(self, plm: str, method: str, target: str) -> tuple[set[str], set[str]]:
        """Return the sources that agree with the cell of Table 8, and with that of Table 9."""
        own = consistent(self.oracles[plm], target, table_8(plm, method)[SHOWN[target]])
        cross = consistent(self.oracles[OTHER[plm]], target, table_9(plm, method)[SHOWN[target]])
        return own, cross

    @cached_property
    def selections(self) -> dict[tuple[str, str], Picks]:
        """The selected source of each target, by (backbone, method).

        Raises
        ------
        ValueError
            If not exactly one source agrees with the two cells of a target.
        """
        selections: dict[tuple[str, str], Picks] = {}
        for plm in PLMS:
            for method in METHODS:
                picks = selections[plm, method] = {}
                for target in NAMES.values():
                    own, cross = self.possible(plm, method, target)
                    if len(own & cross) != 1:
                        raise ValueError(f"{plm} {method} {target}: {sorted(own & cross)} agree with Tables 8 and 9.")
                    (picks[target],) = own & cross
        return selections

    def repeated(self, plm: str, method: str) -> str | None:
        """Return the method before this one that has the same selections, if there is one."""
        before = METHODS[: METHODS.index(method)]
        return next((m for m in before if self.selections[plm, m] == self.selections[plm, method]), None)

    def distinct(self, plm: str) -> list[str]:
        """Return the methods without transfers, of those with the same selections the first."""
        return [m for m in FREE if not self.repeated(plm, m)]

    @cached_property
    def own(self) -> dict[tuple[str, str], Scored]:
        """Each method's selections, scored against the oracle of the backbone that made them."""
        return {(plm, m): cogbench.score(picks, self.board_oracles[plm]) for (plm, m), picks in self.selections.items()}

    @cached_property
    def cross(self) -> dict[tuple[str, str], Scored]:
        """The same selections, scored against the other backbone's oracle."""
        return {
            (p, m): cogbench.score(picks, self.board_oracles[OTHER[p]]) for (p, m), picks in self.selections.items()
        }

    @cached_property
    def guess_matrices(self) -> dict[str, dict[str, TaskMatrix]]:
        """What knows nothing of the methods, by backbone and name, in the order of `board_oracles`."""
        larger = {**self.training_rows, "ms-marco": QUERIES_V2}
        return {
            plm: {
                "size": size_baseline(oracle.transfers.sources, oracle.transfers.targets, self.training_rows),
                "size, MS MARCO 2.1": size_baseline(oracle.transfers.sources, oracle.transfers.targets, larger),
                "other PLM's oracle": self.board_oracles[OTHER[plm]].transfers,
                "popularity": popularity_baseline(oracle),
            }
            for plm, oracle in self.board_oracles.items()
        }

    @cached_property
    def guesses(self) -> dict[str, dict[str, Scored]]:
        """The same, scored against each backbone's oracle."""
        return {
            plm: {name: cogbench.score(matrix, self.board_oracles[plm]) for name, matrix in matrices.items()}
            for plm, matrices in self.guess_matrices.items()
        }

    def matrix(self, plm: str, name: str) -> TaskMatrix:
        """Return a guess of `guess_matrices`, or a method's selections as a matrix."""
        if name in self.guess_matrices[plm]:
            return self.guess_matrices[plm][name]
        return selection_matrix(self.selections[plm, name], self.board_oracles[plm].transfers)


def longest_cycle(picks: Picks) -> int:
    """Return the length of the longest cycle that going from target to selected source runs into.

    Where each task points to its most similar one and similarity is symmetric, similarity grows along the way, so that
    without ties no cycle is longer than 2.
    """
    longest = 0
    for task in picks:
        seen = [task]
        while (following := picks[seen[-1]]) not in seen:
            seen.append(following)
        longest = max(longest, len(seen) - seen.index(following))
    return longest
