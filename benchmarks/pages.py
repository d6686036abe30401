"""How long a leaderboard of many results takes, and how large its page is; and the page of one result.

Run it from the repository: `.venv/bin/python benchmarks/pages.py [RESULTS]`. The results are copies of those in
`docs/results` that have scores of today's schema, with other names and scores.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from cogbench.results.leaderboard import leaderboard, read_result_files
from cogbench.views.pages import board_page, report_page

HERE = Path(__file__).parents[1] / "docs" / "results"


def main(n: int) -> None:
    """Print seconds and megabytes."""
    originals = [result for result in read_result_files([HERE])[0] if result.scores and not result.is_outdated]
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(n):
            original = originals[i % len(originals)]
            scores = replace(original.scores, trs=float(rng.uniform(1, 8)))
            name = f"cra[similarity=spearman,draw={i}]"
            replace(original, estimator=name, backbone=f"plm-{i % 20}", signal="words", scores=scores).save(
                Path(folder)
            )
        clock = perf_counter()
        results, _ = read_result_files([Path(folder)])
        read = perf_counter()
        page = board_page(leaderboard(results))
        done = perf_counter()
    print(f"{n} results: read {read - clock:.1f} s, page {done - read:.1f} s, {len(page.encode()) / 1e6:.2f} MB")
    report_page(originals[0])  # the first one imports matplotlib
    clock = perf_counter()
    page = report_page(originals[-1])
    print(f"one result's page: {perf_counter() - clock:.1f} s, {len(page.encode()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
