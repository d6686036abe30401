"""Source → target scores: oracles, measured or read from a file."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .cells import Training, Workspace
from .errors import MissingData, UnusableData
from .parts import Backbone, Task
from .records import Oracle, Recipe, TaskMatrix

if TYPE_CHECKING:
    from .loading import Parts

NO_TRANSFER = "no-transfer"  # the row of a table that holds the targets trained without a source


def trainings(
    backbone: Backbone, tasks: Sequence[Task], seed: int, max_train: int | None
) -> dict[tuple[str, str], Training]:
    """Return the cells of a measured oracle: (target, target) trains a task alone, (source, target) transfers."""
    alone = {t.name: Recipe((t,), seed=seed, max_train=max_train) for t in tasks}
    return {
        (s.name, t.name): Training(backbone, replace(alone[t.name], start=None if s is t else alone[s.name]))
        for s in tasks
        for t in tasks
    }


@dataclass(frozen=True)
class Transfers:
    """An oracle that is measured: the trainings it comes from."""

    backbone: Backbone
    tasks: tuple[Task, ...]
    suite: str
    seeds: tuple[int, ...] = (0,)
    max_train: int | None = None

    def cells(self) -> list[Training]:
        """Return the trainings of all seeds."""
        return [c for s in self.seeds for c in trainings(self.backbone, self.tasks, s, self.max_train).values()]

    def oracle(self, workspace: Workspace) -> Oracle:
        """Return the oracle of these trainings, computing what is missing."""
        how = {"suite": self.suite, "seeds": self.seeds, "max_train": self.max_train}
        return measured(self.backbone, self.tasks, workspace, **how)  # type: ignore[arg-type]


def measured(
    backbone: Backbone,
    tasks: Sequence[Task],
    workspace: Workspace,
    *,
    suite: str,
    seeds: Sequence[int] = (0,),
    max_train: int | None = None,
) -> Oracle:
    """Return the oracle of these tasks from its cells, computing what is missing.

    The standard error is the evaluation's (bootstrap over examples) with one seed, and that of the mean over seeds
    with several.
    """
    names = tuple(t.name for t in tasks)
    cells = [trainings(backbone, tasks, seed, max_train) for seed in seeds]
    found = [{pair: cell.score(workspace) for pair, cell in of.items()} for of in cells]
    values = np.array([[[f[s, t].value for t in names] for s in names] for f in found])  # (seed, s, t)
    errors = np.array([[[f[s, t].standard_error for t in names] for s in names] for f in found])
    spread = errors[0] if len(found) == 1 else values.std(axis=0, ddof=1) / np.sqrt(len(found))
    mean = values.mean(axis=0)
    return Oracle(
        name=f"measured-{backbone.name}",
        backbone=backbone.name,
        suite=suite,
        transfers=TaskMatrix.square(names, mean),
        no_transfer=mean.diagonal().copy(),
        standard_error=spread,
        by_seed=values if len(found) > 1 else None,
        per_example={p: np.mean([f[p].per_example for f in found], axis=0) for p in found[0]},
        metrics={t.name: t.metric for t in tasks},
        kind="measured",
        source=f"measured by cogbench with seeds {', '.join(map(str, seeds))}"
        + (f" and at most {max_train} training examples" if max_train else ""),
    )


def find_oracle(parts: "Parts", asked: str | Oracle) -> Oracle:
    """Return an oracle by its name or its file; one that is given is returned as it is."""
    if isinstance(asked, Oracle):
        return asked
    file = asked not in parts.oracles and Path(asked).suffix in (".csv", ".tsv", ".json")
    return read_oracle(Path(asked)) if file else parts.find("oracle", asked)


def read_oracle(path: Path, *, name: str | None = None, **known: Any) -> Oracle:
    """Read an oracle from a table (csv, tsv) or from what `write_oracle` wrote (json).

    A table has a first column `source`, a column for each target, a row for each source and, if known, a row
    `no-transfer`. A task with itself is left out.

    Parameters
    ----------
    path : Path
        The file.
    name : str, optional
        What to call the oracle; the file's stem by default.
    **known
        Further fields of Oracle.
    """
    if path.suffix == ".json":
        return _from_json(path)
    head, body = table_rows(path)
    if head[:1] != ["source"]:
        raise UnusableData(f"{str(path)!r} has no first column 'source'; it has {', '.join(head) or 'nothing'}.")
    rows, targets = [row[0] for row in body], tuple(head[1:])
    try:
        values = np.array([[float(v) if v.strip() else np.nan for v in row[1:]] for row in body])  # (row, target)
    except ValueError as error:
        raise UnusableData(f"{str(path)!r} holds something that is no number: {error}.") from None
    alone = values[rows.index(NO_TRANSFER)] if NO_TRANSFER in rows else None
    kept = [i for i, row in enumerate(rows) if row != NO_TRANSFER]
    return Oracle(
        **{"name": name or path.stem, "backbone": "?", "suite": "?", "source": str(path), **known},
        transfers=TaskMatrix(tuple(rows[i] for i in kept), targets, values[kept]),
        no_transfer=alone,
    )


def table_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the first line of a csv or tsv, and its other lines: as long, empty ones left out."""
    if not path.is_file():
        raise MissingData(f"no file {str(path)!r}.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # -sig: spreadsheets write a byte order mark
            lines = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            head, *body = [line for line in lines if any(line)] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableData(f"{str(path)!r} is no table in UTF-8: {error}.") from error
    if ragged := next((row[0] for row in body if len(row) != len(head)), None):
        raise UnusableData(f"{str(path)!r}: row {ragged!r} has another number of cells than the first line.")
    return head, body


def write_oracle(oracle: Oracle, path: Path) -> None:
    """Write an oracle's figures and provenance as json, without the per-example scores."""
    from .store import write_whole

    def rounded(values: Any) -> Any:
        return None if values is None else [[_number(v) for v in row] for row in np.atleast_2d(values)]

    plain = {f: getattr(oracle, f) for f in ("name", "backbone", "suite", "kind", "source", "licence", "note")}
    record = {
        **plain,
        "metrics": dict(oracle.metrics),
        "sources": oracle.transfers.sources,
        "targets": oracle.transfers.targets,
        "transfers": rounded(oracle.transfers.values),
        "no_transfer": None if oracle.no_transfer is None else rounded(oracle.no_transfer)[0],
        "standard_error": rounded(oracle.standard_error),
        "by_seed": None if oracle.by_seed is None else [rounded(values) for values in oracle.by_seed],
    }
    body = ",\n".join(
        f" {json.dumps(k)}: "
        + (
            "[\n  " + ",\n  ".join(map(json.dumps, v)) + "\n ]"
            if k in ("transfers", "standard_error", "by_seed") and v
            else json.dumps(v)
        )
        for k, v in record.items()
    )
    write_whole(path, "{\n" + body + "\n}\n")


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _from_json(path: Path) -> Oracle:
    if not path.is_file():
        raise MissingData(f"no file {str(path)!r}.")
    try:
        held = json.loads(path.read_text())
        matrix = TaskMatrix(
            tuple(held.pop("sources")), tuple(held.pop("targets")), np.array(held.pop("transfers"), np.float64)
        )
        arrays: dict[str, Any] = {
            k: None if (v := held.pop(k, None)) is None else np.array(v, np.float64)
            for k in ("no_transfer", "standard_error", "by_seed")
        }
        return Oracle(transfers=matrix, **arrays, **held)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnusableData(f"{str(path)!r} is no oracle that cogbench wrote: {error!r}.") from error
