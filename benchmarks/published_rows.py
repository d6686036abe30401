"""Write the paper's own rows as published results into docs/results: the selections that its Tables 8 and 9 imply.

    python benchmarks/published_rows.py

Nothing is computed but scores. The files are the same on each run. Then `make board` writes the leaderboard.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from reproduction.published import METHODS, PLMS, Published, row

from cogbench import Result
from cogbench.results.published import published_result

RESULTS = Path(__file__).parents[1] / "docs" / "results"
ORIGIN = "Luo, Xu & Xiong (2022), CogTaskonomy, ACL, Tables 8 and 9"
DATE = "2022-05-22"  # the first day of ACL 2022
USES_ORACLE = ("AHP",)  # it compares the trained transfers by their evaluation examples


def results(published: Published) -> Iterator[Result]:
    """Yield a result for each PLM and method."""
    for plm in PLMS:
        for method in METHODS:
            result = published_result(
                published.selections[plm, method],
                published.board_oracles[plm],
                estimator=method,
                origin=ORIGIN,
                uses_oracle=method in USES_ORACLE,
                date=DATE,
            )
            yield replace(result, notes=[*result.notes, *notes(published, plm, method)])


def notes(published: Published, plm: str, method: str) -> Iterator[str]:
    """Yield what a reader must know of a method's selections."""
    yield "the selections are those with which all metrics of these tables agree: docs/reproduction.md"
    if other := published.repeated(plm, method):
        printed = row("table1", method=method)[plm]
        yield f"these tables print the metrics of {other}; Table 1 prints TRS {printed}, which they cannot have"


def main() -> None:
    """Write the files, and say which."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for result in results(Published.load()):
        print(f"wrote {result.save(RESULTS).relative_to(RESULTS.parents[1])}", file=sys.stderr)


if __name__ == "__main__":
    main()
