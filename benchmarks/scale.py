"""How large things may get: a page of results, a plan of finished cells, and a board over many oracles, at three sizes.

    python benchmarks/scale.py [--results 500 1500 5000] [--cells 10000 30000 100000] [--oracles 8 24 74]
    python benchmarks/scale.py --draw docs/figures/scale.svg    # draws the table in docs/speed.md, and measures nothing

Each size is measured in a process of its own: seconds of the processor, and the most memory beyond that of the imports.
The results are shipped ones under other names of estimators, so they are as large as real ones.
"""

import argparse
import json
import multiprocessing
import re
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

from cogbench import Result, load_parts

DOCS = Path(__file__).parents[1] / "docs"
SHIPPED = DOCS / "results"
PAGE, PLAN, BOARD = "results to a page", "plan of finished cells", "`popularity` on oracles, and their stacked board"
GOALS = {PAGE: 5, PLAN: 5, BOARD: 10}  # seconds at the largest size


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--results", type=int, nargs="*", default=[500, 1500, 5000])
    options.add_argument("--cells", type=int, nargs="*", default=[10_000, 30_000, 100_000])
    options.add_argument("--oracles", type=int, nargs="*", default=[8, 24, 74])
    options.add_argument("--draw", type=Path, help="Draw the table in docs/speed.md into this SVG file instead.")
    args = options.parse_args()
    if args.draw:
        draw((DOCS / "speed.md").read_text(encoding="utf-8"), args.draw)
        return
    print("| what | size | seconds | MiB |\n|---|---|---|---|", flush=True)
    for name, measure, sizes in (
        (PAGE, page, args.results),
        (PLAN, plan_of_cells, args.cells),
        (BOARD, board, args.oracles),
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
    command = ["leaderboard", str(folder), "--format", "html", f"--out={folder / 'board.html'}"]
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


def draw(text: str, file: Path) -> None:
    """Draw seconds and memory by size, each kind of work in its panel, from the rows of a document's table."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    for axes, (name, goal) in zip(figure.subplots(1, 3, sharey=True), GOALS.items(), strict=True):
        cells = re.findall(rf"^\| {re.escape(name)} \| ([\d,]+) \| ([\d.]+) \| (\d+) \|", text, re.MULTILINE)
        sizes, seconds, memory = zip(*([float(cell.replace(",", "")) for cell in row] for row in cells), strict=True)
        axes.loglog(sizes, seconds, "o-", color="#0b5cad", label="seconds")
        axes.loglog(sizes, [max(1.0, mib) / 100 for mib in memory], "s--", color="#5d616c", label="100 MiB")
        axes.plot(sizes[-1], goal, "_", color="#c2571a", markersize=18, label="goal, seconds")
        axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        axes.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
        axes.minorticks_off()
        axes.set_xlabel(name.replace("`", "").replace(", and their", ",\nand their"))
    axes.legend(frameon=False, fontsize=8)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scale", "text.color": "#1b1c21"}):
        figure.savefig(file, metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main()
