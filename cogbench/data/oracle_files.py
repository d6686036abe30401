"""Files of oracles: tables that anybody may write, and the json that holds all that was measured."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnusableData, WrongOption
from ..storage.atomic import readable, save, save_text
from ..storage.foreign import parse_json, read_arrays, read_json
from ..text import first_line, in_csv
from .dataset import Array
from .files import Files
from .grids import read_grid, table_name
from .oracle import Oracle, OracleCard, TaskMatrix, describe_transfers
from .score_tables import NO_TRANSFER, TableReading, read_scores

SEEDS = "seeds"  # the array that says whose the rows of the per-example scores are
SCORES_ENDING = ".per-example.npz"  # in place of .json: the file of the per-example scores
SCHEMA_VERSION = 3  # of an oracle's json
TEXTS = ("name", "backbone", "suite", "basis", "tuning", "sharing", "origin", "licence", "note")
AXES = ("max_train_target", "row_choice")  # written where they are not as usual
ARRAYS = ("no_transfer", "standard_error", "evaluation_error", "gain_error", "by_seed", "no_transfer_by_seed")
# What fields of oracles and results were called in schema version 1, that of cogbench 0.1.0.
FORMER_FIELDS = {"kind": "basis", "source": "origin"}


def write_table(oracle: Oracle, path: Path) -> list[Path]:
    """Write an oracle as csv, as `read_oracle` reads it: a column `source`, a row `no-transfer` where known.

    Raises
    ------
    UnusableData
        If the file is called something else, or cannot be written.
    """
    if path.suffix != ".csv":
        raise WrongOption(f"cannot write an oracle as {path.name!r}: name a file .csv, or .json for all that is known.")
    matrix = oracle.transfers
    lines = [["source", *map(in_csv, matrix.targets)]]
    named = dict(zip(matrix.sources, matrix.values, strict=True))
    if oracle.no_transfer is not None:
        named[NO_TRANSFER] = oracle.no_transfer
    lines += [[in_csv(name), *("" if np.isnan(v) else repr(float(v)) for v in row)] for name, row in named.items()]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(lines)
    save_text(path, out.getvalue())
    return [path]


@dataclass(frozen=True)
class OracleFile:
    """An oracle that stands in a file: its card is known at once, its table is read when it is asked for.

    Parameters
    ----------
    name : str
        What it is called.
    file : str
        A table (csv, tsv, json, parquet) or what `write_oracle` wrote (json), as `read_oracle` reads it.
    card : OracleCard
        Who measured what, in which metrics, and which figures are better.
    reading : TableReading, optional
        What the table leaves open.
    """

    name: str
    file: str
    card: OracleCard
    reading: TableReading | None = None

    def read(self, files: Files) -> Oracle:
        """Read the table; UnusableData if it is not of the tasks that the card names."""
        oracle = read_oracle(Path(self.file), name=self.name, card=self.card, reading=self.reading)
        matrix = oracle.transfers
        if (matrix.sources, matrix.targets) != (self.card.sources, self.card.targets):
            raise UnusableData(f"oracle {self.name!r}: its card names other tasks than its table {self.file!r} has.")
        return oracle


def read_oracle(
    address: Path | str, *, name: str | None = None, card: OracleCard | None = None, reading: TableReading | None = None
) -> Oracle:
    """Read an oracle from a table, or from what `write_oracle` wrote (json).

    A wide table has a first column `source`, a column for each target, a row for each source and, if known, a row
    `no-transfer`; a long one has the columns `source`, `target` and `score`. Both may have the columns `seed` and
    `metric`. Of several seeds the oracle has the mean and its standard error.

    Parameters
    ----------
    address : Path or str
        The file, perhaps with options: `FILE,separator=;`.
    name : str, optional
        What to call the oracle; by default what the json says, or the table's file name without its ending.
    card : OracleCard, optional
        What is known of a table beside its figures.
    reading : TableReading, optional
        What a table leaves open, such as the meaning of its diagonal.

    Raises
    ------
    MissingData
        If there is no such file.
    UnusableData
        If it is no such table, if it can be read in more than one way, or if it is of a newer schema version; the
        message names the cell, and the option that decides.
    UnknownName
        If the reading names what the table does not have.
    """
    grid = read_grid(address)
    path = Path(address) if grid is None else grid.path
    if grid is None:
        refuse_reading(reading, str(path))
        oracle = _from_json(path)
        return oracle if name is None else replace(oracle, name=name)
    table = read_scores(grid, reading)
    facts: dict[str, Any] = {"backbone": "?", "suite": "?", "origin": str(path), "note": ""}
    metrics, better = dict(table.metrics), dict(table.better)
    if card is not None:
        shared = ("backbone", "suite", "origin", "licence", "note", "basis", "tuning", "sharing", *AXES)
        facts = {field: getattr(card, field) for field in shared}
        metrics, better = metrics | dict(card.metrics), dict(card.better) | better
    facts["note"] = "; ".join(note for note in (facts["note"], *table.notes) if note)
    return Oracle(
        name=name or table_name(str(path)),
        transfers=table.matrix,
        no_transfer=table.no_transfer,
        standard_error=table.standard_error,
        by_seed=table.by_seed,
        seeds=table.seeds,
        metrics=metrics,
        units=table.units,
        better=better,
        **facts,
    )


def refuse_reading(reading: TableReading | None, oracle: str) -> None:
    """Raise UnusableData if there are options of tables for an oracle that is none."""
    if reading not in (None, TableReading()):
        raise UnusableData(
            f"oracle {oracle!r} is no file with a table: leave out --no-transfer-row, --diagonal, --leave-out, "
            "--lower-is-better and --metric, which say how such a table is read."
        )


def read_card(path: Path) -> OracleCard:
    """Return the card of what `write_oracle` wrote, from the head of the file alone; the table is not read."""
    readable(path)
    lines = []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.lstrip().startswith('"transfers"'):
                    break
                lines.append(line)
    except (UnicodeDecodeError, OSError) as error:
        raise _no_oracle(path, error) from error
    try:
        head = _renamed(_facts(parse_json("".join(lines).rstrip().rstrip(",") + "}"), "sources", "targets", "metrics"))
        fields = {f: head[f] for f in (*TEXTS, *AXES) if f in head and f != "name"}
        return OracleCard(
            description=describe_transfers(head["suite"], head["backbone"], head.get("max_train_target")),
            sources=tuple(head["sources"]),
            targets=tuple(head["targets"]),
            metrics=tuple(head["metrics"].items()),
            better=tuple(head.get("better", {}).items()),
            **fields,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _no_oracle(path, error) from error


def holds_oracle(path: Path) -> bool:
    """Whether a file is json that holds an oracle of cogbench."""
    try:
        values = read_json(path) if path.suffix.lower() == ".json" else None
    except ValueError:
        return False
    return isinstance(values, dict) and "transfers" in values


def plain_oracle(oracle: Oracle) -> dict[str, Any]:
    """Return an oracle's figures and provenance as plain values, its per-example scores left out."""

    def rounded(values: Any) -> Any:
        return None if values is None else [[_number(v) for v in row] for row in np.atleast_2d(values)]

    return {
        "schema_version": SCHEMA_VERSION,
        **{field: getattr(oracle, field) for field in TEXTS},
        **({} if oracle.max_train_target is None else {"max_train_target": oracle.max_train_target}),
        **({} if oracle.row_choice == "all" else {"row_choice": oracle.row_choice}),
        "metrics": dict(oracle.metrics),
        "units": dict(oracle.units),
        "better": dict(oracle.better),
        "groups": dict(oracle.groups),
        "sources": oracle.transfers.sources,
        "targets": oracle.transfers.targets,
        "transfers": rounded(oracle.transfers.values),
        "no_transfer": None if oracle.no_transfer is None else rounded(oracle.no_transfer)[0],
        "standard_error": rounded(oracle.standard_error),
        "evaluation_error": rounded(oracle.evaluation_error),
        **({} if oracle.gain_error is None else {"gain_error": rounded(oracle.gain_error)}),
        **({} if oracle.no_transfer_by_seed is None else {"no_transfer_by_seed": rounded(oracle.no_transfer_by_seed)}),
        "seeds": oracle.seeds,
        "provenance": dict(oracle.provenance),
        "by_seed": None if oracle.by_seed is None else [rounded(values) for values in oracle.by_seed],
    }


def write_oracle(oracle: Oracle, path: Path) -> list[Path]:
    """Write an oracle's figures and provenance as json, and its per-example scores beside it; return the files."""
    body = ",\n".join(
        f" {json.dumps(k)}: "
        + (
            "[\n  " + ",\n  ".join(map(json.dumps, v)) + "\n ]"
            if k in ("transfers", "standard_error", "evaluation_error", "gain_error", "by_seed") and v
            else json.dumps(v)
        )
        for k, v in plain_oracle(oracle).items()
    )
    beside = _scores_file(path)
    if oracle.per_example is not None:
        arrays: dict[str, Any] = {"\t".join(pair): np.asarray(v, np.float32) for pair, v in oracle.per_example.items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays | {SEEDS: np.array(oracle.seeds)})
        save(beside, buffer.getvalue())
    save_text(path, "{\n" + body + "\n}\n")
    return [path] if oracle.per_example is None else [path, beside]


def _renamed(head: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an oracle's json by their names of today, without the schema version."""
    former = FORMER_FIELDS if head.pop("schema_version", 1) == 1 else {}
    return {former.get(name, name): value for name, value in head.items()}


def _scores_file(path: Path) -> Path:
    return path.with_suffix(SCORES_ENDING)


def _scores(path: Path, seeds: tuple[int, ...]) -> Mapping[tuple[str, str], Array] | None:
    """Return the per-example scores beside an oracle's file, NaN for seeds that are not in there; None without it."""
    if not path.is_file():
        return None
    try:
        arrays = read_arrays(path)
        rows = {int(seed): i for i, seed in enumerate(arrays.pop(SEEDS))}
        stored, kept = [s in rows for s in seeds], [rows[s] for s in seeds if s in rows]
        scores, n_examples = dict[tuple[str, str], Array](), dict[str, int]()
        for name, values in arrays.items():
            source, target = name.split("\t")
            if values.shape != (len(rows), n_examples.setdefault(target, values.shape[-1])) or values.dtype.kind != "f":
                raise ValueError(f"the scores of {target} after {source} are no numbers of each seed and example")
            scores[source, target] = np.full((len(seeds), values.shape[1]), np.nan, np.float32)
            scores[source, target][stored] = values[kept]
        return scores
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UnusableData(
            f"{str(path)!r} holds no per-example scores: {error}; without it the table is read."
        ) from error


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _no_oracle(path: Path | str, error: Exception) -> UnusableData:
    reason = f"it has no {error}" if isinstance(error, KeyError) else first_line(error).removesuffix(".")
    return UnusableData(f"{str(path)!r} is no oracle that cogbench wrote: {reason}.")


def _from_json(path: Path) -> Oracle:
    try:
        values = read_json(path)
    except ValueError as error:
        raise _no_oracle(path, error) from error
    return oracle_of_plain(values, str(path), _scores_file(path))


def oracle_of_plain(values: dict[str, Any], place: str, scores: Path | None = None) -> Oracle:
    """Return the oracle that `plain_oracle` gave these values of; `place` is where they stand, for messages.

    Its per-example scores are read from the file `scores`, if there is one.

    Raises
    ------
    UnusableData
        If the values are of no oracle, or of a newer schema version.
    """
    try:
        values = _facts(values, "name", "backbone", "suite", "sources", "targets", "transfers")
        if (version := values.get("schema_version", 1)) > SCHEMA_VERSION:
            raise UnusableData(
                f"{place!r} has schema version {version}; this cogbench reads up to {SCHEMA_VERSION}: upgrade it."
            )
        values = _renamed(values)
        transfers = _numbers("transfers", values.pop("transfers"))
        matrix = TaskMatrix(tuple(values.pop("sources")), tuple(values.pop("targets")), transfers)
        arrays: dict[str, Any] = {name: _numbers(name, values.pop(name, None)) for name in ARRAYS}
        values["seeds"] = tuple(values.get("seeds", ()))
        if arrays["by_seed"] is not None and len(arrays["by_seed"]) != len(values["seeds"]):
            raise ValueError("its by_seed is not of its seeds")
        values["groups"] = {source: tuple(members) for source, members in values.get("groups", {}).items()}
        oracle = Oracle(transfers=matrix, **arrays, **values)
    except (ValueError, KeyError, TypeError) as error:
        raise _no_oracle(place, error) from error
    except UnusableData as error:
        raise error if str(error).startswith(repr(place)) else _no_oracle(place, error) from error
    return replace(oracle, per_example=_scores(scores, oracle.seeds)) if scores else oracle


def _facts(values: Any, *needed: str) -> dict[str, Any]:
    """Return the fields of an oracle's json; ValueError or KeyError unless each is what its name says."""
    if not isinstance(values, dict):
        raise ValueError("it holds no JSON object")
    for name in needed:
        values[name]

    def is_number(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def are_texts(value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)

    def are_mapped(value: Any, fits: Callable[[Any], bool] = lambda item: isinstance(item, str)) -> bool:
        return isinstance(value, dict) and all(map(fits, value.values()))

    kinds: dict[str, tuple[str, Callable[[Any], bool]]] = {
        **dict.fromkeys((*TEXTS, *FORMER_FIELDS, "row_choice"), ("text", lambda value: isinstance(value, str))),
        **dict.fromkeys(("sources", "targets"), ("list of texts", are_texts)),
        **dict.fromkeys(("metrics", "units", "better"), ("JSON object of texts", are_mapped)),
        "groups": ("JSON object of lists of texts", lambda value: are_mapped(value, are_texts)),
        "provenance": ("JSON object", lambda value: isinstance(value, dict)),
        "seeds": ("list of whole numbers", lambda value: isinstance(value, list) and all(map(is_number, value))),
        "schema_version": ("whole number", is_number),
        "max_train_target": ("whole number", lambda value: value is None or is_number(value)),
    }
    for name, (kind, fits) in kinds.items():
        if name in values and not fits(values[name]):
            raise ValueError(f"its {name} is no {kind}")
    return dict(values)


def _numbers(name: str, value: Any) -> Any:
    """Return nested lists of numbers as an array, NaN for null; ValueError if there is anything else in them."""
    level = [value]
    while lists := [item for item in level if isinstance(item, list)]:
        level = [*(item for item in level if not isinstance(item, list)), *chain.from_iterable(lists)]
    if not all(item is None or (isinstance(item, int | float) and not isinstance(item, bool)) for item in level):
        raise ValueError(f"its {name} holds something that is no number")
    return None if value is None else np.array(value, np.float64)
