"""How large things may get: a page of results, a plan of finished cells, and a board over many oracles, at three sizes.

    python benchmarks/scale.py [--results 500 1500 5000] [--cells 10000 30000 100000] [--oracles 8 24 74]

Each size is measured in a process of its own: seconds of the processor, and the most memory beyond that of the imports.
The results are shipped ones under other names of estimators, so they are as large as real ones.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

from cogbench import Result, load_parts

SHIPPED = Path(__file__).parents[1] / "docs" / "results"


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--results", type=int, nargs="*", default=[500, 1500, 5000])
    options.add_argument("--cells", type=int, nargs="*", default=[10_000, 30_000, 100_000])
    options.add_argument("--oracles", type=int, nargs="*", default=[8, 24, 74])
    args = options.parse_args()
    print("| what | size | seconds | MiB |\n|---|---|---|---|", flush=True)
    for name, measure, sizes in (
        ("results to a page", page, args.results),
        ("plan of finished cells", plan_of_cells, args.cells),
        ("`popularity` on oracles, and their stacked board", board, args.oracles),
    ):
        for size in sizes:
            seconds, memory = in_a_process(measure, size)
            print(f"| {name} | {size:,} | {seconds:.1f} | {memory:.0f} |", flush=True)


def in_a_process(measure: Callable[[int, Path], Callable[[], Any]], size: int) -> tuple[float, float]:
    """Return the seconds and MiB of a function that `measure` prepares for a size, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measured, (measure, size))


def _measured(measure: Callable[[int, Path], Callable[[], Any]], size: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        work = measure(size, Path(folder))
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, process_time()
        work()
        seconds = process_time() - began
        return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def page(n_results: int, folder: Path) -> Callable[[], Any]:
    """Prepare a page of so many results by `cogbench leaderboard`: those that are shipped, again and again."""
    from cogbench.cli.main import cli

    shipped = [Result.load(path) for path in sorted(SHIPPED.glob("*.json"))]
    for i in range(n_results):
        result = shipped[i % len(shipped)]
        replace(result, estimator=f"{result.estimator}-{i // len(shipped)}").save(folder)
    command = ["leaderboard", str(folder), "--format", "html", "--out", str(folder / "board.html")]
    return lambda: cli.main(command, standalone_mode=False)


@dataclass(frozen=True)
class Finished:
    """A cell that stands in the store: its figures are a number."""

    number: int

    @property
    def place(self) -> str:
        return f"scale/{self.number // 1000}/cell-{self.number}"

    def inputs(self, workspace: Any) -> tuple[Any, ...]:
        return ()

    def ingredients(self, workspace: Any) -> dict[str, Any]:
        return {"number": self.number}

    def compute(self, workspace: Any, out: Path) -> None:
        (out / "number.json").write_text(json.dumps(self.number))


def plan_of_cells(n_cells: int, folder: Path) -> Callable[[], Any]:
    """Prepare the plan of so many cells that are all in the store."""
    from cogbench import Files, Store
    from cogbench.compute.workspace import Workspace
    from cogbench.workers.engine import plan

    cells = [Finished(i) for i in range(n_cells)]
    filling = Workspace(Files(offline=True), Store(folder))
    for cell in cells:
        filling.folder(cell)
    workspace = Workspace(Files(offline=True), Store(folder))

    def work() -> None:
        missing, stored = plan(cells, workspace)
        assert not missing and len(stored) == n_cells

    return work


def board(n_oracles: int, folder: Path) -> Callable[[], Any]:
    """Prepare `popularity` and `random` on so many installed oracles, and the board over all of them."""
    from cogbench import Files, Store, run
    from cogbench.results.stacked_board import stacked_board
    from cogbench.views.stacked import render_stacked

    parts = load_parts()
    names = [*parts.oracles][:n_oracles]

    def work() -> None:
        results = run(
            ["popularity", "random"], oracle=names, parts=parts, files=Files(offline=True), store=Store(folder), jobs=0
        )
        render_stacked(stacked_board(results))

    return work


if __name__ == "__main__":
    main()
