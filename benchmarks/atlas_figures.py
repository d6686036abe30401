"""Write the figures of plugins/cogbench-atlas from a folder of published tables.

    python benchmarks/atlas_figures.py FOLDER [--licensed]

FOLDER holds the tables as `docs/atlas.md` names them, in a folder `atlas`, with a folder `taskweb` and older tables
beside it. Names of tasks that cogbench has are cogbench's, the others are in lower case with hyphens. Tasks of
languages are called TASK:LANGUAGE, for one language in two tasks makes two tasks. `--licensed` leaves out the tables
whose source states no licence.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cogbench_atlas.families import FAMILIES
from cogbench_atlas.figures import ARCHIVE, INDEX, packed

from cogbench import SetScore, TaskSets, read_sets
from cogbench.data.dataset import Array

ALONE = "no-transfer"
OURS = {
    **{"sst2": "sst-2", "stsb": "sts-b", "tweetevalsentiment": "tweet-ev-sentiment"},
    **{name: f"amazon-{name}" for name in ("books", "dvd", "electronics", "kitchen")},
}
# What stands before the tasks of a table, where these are languages, treebanks or domains.
PREFIXES = {
    "adelani2022-masakhaner2-ranks": "ner",
    "devries2022-udpos": "pos",
    "ebrahimi2025-ner": "ner",
    "ebrahimi2025-pos": "pos",
    **{f"lange2021-{way}-{task}": task for way in ("domain", "zeroshot") for task in ("gum", "ner", "pos", "time")},
    **{f"lin2019-langrank-{task}": task for task in ("dep", "el", "mt", "pos")},
    "martinez-garcia2021-pos": "pos",
    "martinez-garcia2021-sentiment": "sentiment",
    "urielplus2025-taxi1500": "taxi1500",
    "urielplus2025-xnli": "xnli",
}
MODELS_AS_SOURCES = ("choshen2022", "parc2021", "transfergraph2024")  # their names are kept as they are
BOUNDS = ("lange2021-zeroshot", "martinez-garcia2021")  # whose row without transfer is of models of the target itself
# How many examples a data set of Choshen et al. is scored on, where that is few: an accuracy is a share of it.
EXAMPLES = {
    **{"cb": 56, "cola": 1043, "copa": 100, "financial-phrasebank": 1000, "mrpc": 408, "poem-sentiment": 104},
    **{"rotten-tomatoes": 1066, "rte": 277, "sst-2": 872, "trec-coarse": 500, "trec-fine": 500, "wic": 638},
    **{"tweet-ev-emotion": 1421, "tweet-ev-irony": 784, "tweet-ev-offensive": 860, "wnli": 71, "wsc": 104},
}
OLDER = {
    "bingel2017-mtl-gains": "bingel_sogaard_2017_mtl_gains.csv",
    "talmor2019-block1": "talmor_berant_2019_block1.csv",
    "talmor2019-block2": "talmor_berant_2019_block2.csv",
    "taskonomy2018-affinities": "taskonomy_vision_all_affinities_first_order.csv",
    "taskonomy2018-wins-vs-pixels": "taskonomy_vision_wins_vs_pixels_first_order.csv",
    "taskonomy2018-wins-vs-task": "taskonomy_vision_wins_vs_task_first_order.csv",
}
SETTINGS = {"domain": "domain_adapt", "zeroshot": "zero_shot", "cross": "cross_task"}  # of the runs of Lange et al.
PADMAKUMAR = "padmakumar2022"


@dataclass
class Figures:
    """One table: the names of its tasks, and its arrays by the names that the package reads.

    `left_out` counts the published figures that are none, `sources_left_out` names the sources that go with them.
    """

    sources: Sequence[str]
    targets: Sequence[str]
    arrays: dict[str, Array]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    left_out: int = 0
    sources_left_out: Sequence[str] = ()

    def entry(self) -> dict[str, Any]:
        """Return what the index says of the table."""
        entry: dict[str, Any] = {"sources": [*self.sources], "targets": [*self.targets]}
        for name in ("groups", "left_out", "sources_left_out"):
            entry |= {name: getattr(self, name)} if getattr(self, name) else {}
        return entry


def task_name(printed: str, prefix: str = "") -> str:
    """Return the name that a task has here."""
    name = OURS.get(printed.casefold(), printed.strip().casefold().replace("_", "-").replace(" ", "-"))
    return f"{prefix}:{name}" if prefix else name


def read_table(path: Path) -> tuple[list[str], list[str], Array]:
    """Return the names of rows and columns, and the figures, NaN where there is none."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file)
    values = np.array([[float(cell) if cell else np.nan for cell in line[1:]] for line in lines])
    return [line[0] for line in lines], head[1:], values


def named(table: str, rows: Sequence[str], columns: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the sources and the targets of a table by the names that they have here."""
    prefix = next((word for start, word in PREFIXES.items() if table.startswith(start)), "")
    keeps = table.startswith(MODELS_AS_SOURCES)
    sources = [name if keeps or name == ALONE else task_name(name, prefix) for name in rows]
    return sources, [task_name(name, prefix) for name in columns]


def usual(folder: Path, table: str) -> Figures:
    """Return a table of the atlas as its file has it, its row without transfer apart."""
    rows, columns, values = read_table(folder / f"{table}.csv")
    sources, targets = named(table, rows, columns)
    alone = [i for i, name in enumerate(sources) if name == ALONE]
    rest = [i for i, name in enumerate(sources) if name != ALONE]
    arrays = {"transfers": values[rest]}
    if alone and not table.startswith(BOUNDS):
        arrays["no_transfer"] = values[alone[0]]
    return Figures([sources[i] for i in rest], targets, arrays)


def of_choshen(folder: Path, table: str) -> Figures:
    """Return a table of Choshen et al. with the deviation of the runs of the model itself.

    A source is left out if a figure of it is no share of the number of examples of its data set. That figure stands
    elsewhere than where it belongs then, or is of other examples, and nobody can tell which of the others are right.
    """
    figures = usual(folder, table)
    with (folder / f"{table}-no-transfer-seeds.csv").open(encoding="utf-8", newline="") as file:
        errors = {task_name(row["target"]): float(row["sd"]) for row in csv.DictReader(file)}
    values = figures.arrays["transfers"]
    columns = [j for j, target in enumerate(figures.targets) if target in EXAMPLES]
    fits = np.stack([is_share(values[:, j], EXAMPLES[figures.targets[j]]) for j in columns]).all(axis=0)
    figures.left_out = int(np.isfinite(values[~fits]).sum())
    figures.sources_left_out = [figures.sources[i] for i in np.flatnonzero(~fits)]
    figures.sources = [figures.sources[i] for i in np.flatnonzero(fits)]
    figures.arrays["transfers"] = values[fits]
    figures.arrays["evaluation_error"] = np.array([errors[target] for target in figures.targets])
    return figures


def is_share(percents: Array, n: int) -> Array:
    """Return which percentages, printed with four decimals, are shares of `n` examples."""
    return np.abs(np.round(100 * np.round(percents * n / 100) / n, 4) - percents) <= 1.01e-4


def without_stand_ins(figures: Figures, is_stand_in: Array) -> Figures:
    """Return a table without the figures that stand in for none."""
    figures.arrays["transfers"] = np.where(is_stand_in, np.nan, figures.arrays["transfers"])
    figures.left_out = int(is_stand_in.sum())
    return figures


def of_lange(folder: Path, table: str) -> Figures:
    """Return a table of Lange et al. with the five runs of each figure, in the place of their mean."""
    figures = usual(folder, table)
    _, way, task = table.split("-")
    by_seed = np.full((5, *figures.arrays.pop("transfers").shape), np.nan)
    with (folder / "lange2021-runs.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            source, target = (
                task_name(row[f"{role}_domain"], row[f"{role}_task"].casefold()) for role in ("source", "target")
            )
            is_of_table = row["setting"] == SETTINGS[way] and task in ("task", row["target_task"].casefold())
            if is_of_table and source in figures.sources and target in figures.targets:
                place = figures.sources.index(source), figures.targets.index(target)
                by_seed[(slice(None), *place)] = [float(row[f"f1_{run}"]) for run in range(1, 6)]
    figures.arrays["by_seed"] = by_seed
    return figures


def of_sachdeva(folder: Path, table: str) -> Figures:
    """Return a table of Sachdeva et al. with its four runs, in the place of their mean."""
    figures = usual(folder, table)
    size = table.rpartition("-")[2]
    runs = dict[str, Array]()
    with (folder / "sachdeva2025-vlm-runs.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["model"].casefold().endswith(f"-{size}"):
                values = runs.setdefault(row["seed"], np.full(figures.arrays["transfers"].shape, np.nan))
                place = figures.sources.index(task_name(row["source"])), figures.targets.index(task_name(row["target"]))
                values[place] = float(row["perfection_gap_factor"])
    figures.arrays = {"by_seed": np.stack([*runs.values()])}
    return figures


def of_padmakumar(folder: Path) -> tuple[Figures, TaskSets]:
    """Return the table of Padmakumar et al., with standard errors of its means of five runs, and its sets."""
    figures = usual(folder, PADMAKUMAR)
    rows, _, deviations = read_table(folder / f"{PADMAKUMAR}-sd.csv")
    errors = (deviations / np.sqrt(5)).round(6)
    figures.groups = {name: name.split("+") for name in figures.sources if "+" in name}
    figures.arrays["standard_error"] = errors[[i for i, name in enumerate(rows) if name != ALONE]]
    sets = [
        SetScore(target, tuple(name.split("+")), figures.arrays["transfers"][i, j], errors[i, j])
        for i, name in enumerate(figures.sources)
        for j, target in enumerate(figures.targets)
    ]
    alone = figures.arrays["no_transfer"], errors[rows.index(ALONE)]
    sets += [SetScore(t, (), *map(float, two)) for t, *two in zip(figures.targets, *alone, strict=True)]
    return figures, TaskSets(name=f"{PADMAKUMAR}-sets", sets=tuple(sets))


def of_older(folder: Path, table: str) -> Figures:
    """Return one of the tables beside the atlas."""
    rows, columns, values = read_table(folder / OLDER[table])
    if table.startswith("bingel"):  # whose rows are the targets
        rows, columns, values = columns, rows, values.T
    kept = [i for i, name in enumerate(rows) if name != "SELF"]
    sources, targets = ([task_name(name) for name in names] for names in ([rows[i] for i in kept], columns))
    return Figures(sources, targets, {"transfers": values[kept]})


def of_taskweb(folder: Path) -> Iterator[tuple[str, Figures]]:
    """Yield the nine settings of TaskWeb with the eight seeds of each figure; a training that failed has none."""
    from taskweb import runs

    for setting, cells in runs(folder / "runs.csv.gz").items():
        sources, seeds, targets = (sorted({place[i] for place in cells}) for i in range(3))
        values = np.array([[[cells.get((s, seed, t), np.nan) for t in targets] for s in sources] for seed in seeds])
        failed = np.nan_to_num(values) == 0
        same = np.array([[s == t for t in targets] for s in sources])
        figures = Figures(sources, targets, {"by_seed": np.where(failed, np.nan, values)})
        figures.left_out = int((failed & ~same).sum())
        yield f"taskweb-{setting}", figures


def pairs(folder: Path) -> Iterator[tuple[str, Figures]]:
    """Yield the tables of pairs by their names."""
    atlas = folder / "atlas"
    for table in (table.name for family in FAMILIES for table in family.tables):
        if table.startswith("choshen2022"):
            yield table, of_choshen(atlas, table)
        elif table.startswith("lange2021"):
            yield table, of_lange(atlas, table)
        elif table.startswith("sachdeva2025"):
            yield table, of_sachdeva(atlas, table)
        elif table == PADMAKUMAR:
            yield table, of_padmakumar(atlas)[0]
        elif table in OLDER:
            yield table, of_older(folder, table)
        elif not table.startswith("taskweb"):
            figures = usual(atlas, table)
            values = figures.arrays["transfers"]
            if table == "parc2021-all":
                figures = without_stand_ins(figures, values == -1)
            elif table == "transfergraph2024-image":
                figures = without_stand_ins(figures, values == 0.99)
            yield table, figures
    yield from of_taskweb(folder / "taskweb")


def sets_of_sources(folder: Path) -> Iterator[tuple[str, TaskSets]]:
    """Yield the tables of sets by their names."""
    atlas = folder / "atlas"
    for table in (table.name for family in FAMILIES for table in family.sets):
        if table == f"{PADMAKUMAR}-sets":
            yield table, of_padmakumar(atlas)[1]
        else:
            yield table, read_sets(atlas / f"{'lange2021-runs' if table.startswith('lange') else table}.csv")


def figures_of_sets(sets: TaskSets) -> Figures:
    """Return the figures of sets, and in `groups` the target and the members of each row, by their places."""
    rows = [[sets.targets.index(one.target), *map(sets.members.index, one.members)] for one in sets.sets]
    arrays = {"scores": np.array([one.score for one in sets.sets]).round(6)}
    errors = [one.standard_error for one in sets.sets]
    if None not in errors:
        arrays["standard_error"] = np.array(errors, np.float64).round(6)
    return Figures(sets.members, sets.targets, arrays, {"sets": rows})


def write(folder: Path, *, licensed: bool) -> None:
    """Write the archive and the index."""
    index, arrays = dict[str, Any](), dict[str, Array]()
    wanted = {t.name for f in FAMILIES if f.licensed or not licensed for t in (*f.tables, *f.sets)}
    tables = dict(pairs(folder))
    for name, sets in sets_of_sources(folder):
        tables[name] = figures_of_sets(sets)
    for name, figures in tables.items():
        if name not in wanted:
            continue
        entry, decimals = figures.entry(), dict[str, int]()
        if "scores" in figures.arrays:
            entry = {"sources": entry["sources"], "targets": entry["targets"], "sets": entry["groups"]["sets"]}
        for what, values in figures.arrays.items():
            arrays[f"{name}/{what}"], decimals[what] = packed(values)
        index[name] = {**entry, "decimals": decimals}
    ARCHIVE.parent.mkdir(exist_ok=True)
    np.savez_compressed(ARCHIVE, **arrays)  # type: ignore[arg-type]
    INDEX.write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    for path in (ARCHIVE, INDEX):
        print(f"wrote {path.name}: {path.stat().st_size:,} bytes", file=sys.stderr)


def main() -> None:
    """Write the figures from the folder of published tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--licensed", action="store_true")
    args = options.parse_args()
    write(args.folder, licensed=args.licensed)


if __name__ == "__main__":
    main()
