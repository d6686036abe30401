"""Tables of transfers: found by name, read, written, merged over seeds, and shown with what noise can tell apart."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import UnknownName, UnusableData
from .ranking import rank
from .records import Array, Oracle, TaskMatrix
from .storage.atomic import readable, save, save_text
from .storage.store import home

if TYPE_CHECKING:
    from .loading import Parts

SEEDS = "seeds"  # the array that says whose the rows of the per-example scores are
FILES = (".csv", ".tsv", ".json")  # what names of such endings are taken for
NO_TRANSFER = "no-transfer"  # the row of a table that holds the targets trained without a source
SCHEMA_VERSION = 2  # of an oracle's json
FORMER = {"kind": "basis", "source": "origin"}  # what fields were called in version 1, that of cogbench 0.1.0
# What is alike in the provenance of oracles whose seeds may be merged.
ALIKE = ("cogbench", "backbone", "model", "max_train", "settings", "data")


def oracle_folder() -> Path:
    """Return where measured oracles are kept, wherever the store is."""
    return home() / "oracles"


def measured_oracles() -> dict[str, Path]:
    """Return the files of the oracles that were measured here, by their names."""
    return {path.stem: path for path in sorted(oracle_folder().glob("*.json"))}


def find_oracle(parts: "Parts", asked: str | Oracle) -> Oracle:
    """Return an oracle by its name, installed or measured here, or by its file; one that is given stays as it is."""
    if isinstance(asked, Oracle):
        return asked
    if asked in parts.oracles:
        return parts.oracles[asked]
    if Path(asked).suffix in FILES:
        return read_oracle(Path(asked))
    own = measured_oracles()
    if asked not in own:
        raise UnknownName.of("oracle", asked, [*parts.oracles, *own])
    return read_oracle(own[asked])


def of_seeds(oracle: Oracle, seeds: Sequence[int], values: Array, errors: Array) -> Oracle:
    """Return an oracle whose figures are those of these seeds, in their order.

    Parameters
    ----------
    oracle : Oracle
        Whose sources and targets are the same tasks; its figures are replaced, and its per-example scores ordered.
    seeds : sequence of int
    values, errors : arrays of shape (n_seeds, n_tasks, n_tasks)
        The transfers of each seed, a task with itself being that task without a source; and the standard error of the
        evaluation of each.
    """
    order = np.argsort(seeds)
    values, errors = np.asarray(values, np.float64)[order], np.asarray(errors, np.float64)[order]
    mean = values.mean(axis=0)
    error = errors[0] if len(seeds) == 1 else values.std(axis=0, ddof=1) / np.sqrt(len(seeds))
    of, most = tuple(int(seeds[i]) for i in order), oracle.provenance.get("max_train")
    few = f" and at most {most} training examples" if most else ""
    return replace(
        oracle,
        transfers=TaskMatrix(oracle.transfers.sources, oracle.transfers.targets, mean),
        no_transfer=mean.diagonal().copy(),
        standard_error=error,
        evaluation_error=errors.mean(axis=0),
        by_seed=values,
        seeds=of,
        per_example=oracle.per_example and {pair: scores[order] for pair, scores in oracle.per_example.items()},
        origin=f"measured by cogbench with seeds {', '.join(map(str, of))}{few}",
    )


def check_alike(one: Oracle, sources: Sequence[str], metrics: Mapping[str, str], provenance: Mapping[str, Any]) -> None:
    """Raise UnusableData if an oracle has other tasks or metrics, or was measured with something else."""
    apart = [k for k in ALIKE if one.provenance.get(k) != provenance.get(k)]
    if one.transfers.sources != tuple(sources):
        apart.append("set of tasks")
    elif one.metrics != metrics:
        apart.append("metric")
    if apart:
        raise UnusableData(
            f"oracle {one.name!r} was measured with another {' and another '.join(apart)}: "
            "give this one another name, with --name."
        )


def merged(one: Oracle, other: Oracle) -> Oracle:
    """Return the oracle of the seeds of both; those of `other` count where both have one.

    Raises
    ------
    UnusableData
        If they are not of the same tasks, metrics, model, data and settings: the message names what differs.
    """
    check_alike(one, other.transfers.sources, other.metrics, other.provenance)
    held: dict[int, tuple[Array, Array]] = {}
    for oracle in (one, other):
        if oracle.by_seed is None or oracle.evaluation_error is None:
            raise UnusableData(f"oracle {oracle.name!r} does not tell its seeds apart: it cannot be merged.")
        for seed, values in zip(oracle.seeds, oracle.by_seed, strict=True):
            held[seed] = values, oracle.evaluation_error
    values, errors = (np.array([pair[i] for pair in held.values()]) for i in (0, 1))
    torch = dict.fromkeys(v for o in (one, other) for v in str(o.provenance.get("torch", "?")).split(", "))
    both = replace(
        other,
        per_example=_of_both(one, other, [*held]),
        provenance={**other.provenance, "torch": ", ".join(torch)},
    )
    return of_seeds(both, [*held], values, errors)


def _of_both(one: Oracle, other: Oracle, seeds: Sequence[int]) -> Mapping[tuple[str, str], Array] | None:
    """Return the per-example scores of these seeds, of `other` where both have one; NaN for a seed without any."""
    having = [oracle for oracle in (one, other) if oracle.per_example is not None]
    if not having:
        return None
    made = {}
    for pair, scores in having[0].per_example.items():  # type: ignore[union-attr]
        made[pair] = np.full((len(seeds), scores.shape[1]), np.nan, np.float32)
        for oracle in having:
            made[pair][[seeds.index(s) for s in oracle.seeds]] = oracle.per_example[pair]  # type: ignore[index]
    return made


def told_apart(oracle: Oracle) -> Array:
    """Return which two sources of a target the evaluation tells apart.

    Returns
    -------
    array of shape (n_sources, n_sources, n_targets)
        Whether their scores differ by more than two standard errors of the difference, taken as of two samples: as the
        examples are the same, that errs on the side of caution. False where the oracle knows no error.
    """
    values = oracle.transfers.values
    error = oracle.evaluation_error if oracle.evaluation_error is not None else oracle.standard_error
    if error is None:
        return np.zeros((len(values), *values.shape), bool)
    gap = np.abs(values[:, None] - values[None])
    return gap > 2 * np.sqrt(np.square(error)[:, None] + np.square(error)[None])


def oracle_rows(oracle: Oracle) -> list[dict[str, Any]]:
    """Return an oracle as rows for people: scores with ranks, `=` where the evaluation tells no difference to the best.

    Below stand the targets without a source, the spread of the sources, the evaluation's standard error, and the share
    of pairs of sources that it tells apart.
    """
    matrix, ranks, apart = oracle.transfers, rank(oracle.transfers).ranks, told_apart(oracle)
    noisy = oracle.evaluation_error is not None or oracle.standard_error is not None
    digits = 2 if np.nanmax(np.abs(matrix.values)) > 1 else 3

    alike = np.zeros(matrix.values.shape, bool)  # with the best source: those that noise does not tell from it
    for j in range(len(matrix.targets)) if noisy else ():
        best = int(np.nanargmin(ranks[:, j]))
        alike[:, j] = ~apart[best, :, j] & ~matrix.same[:, j]
        alike[best, j] = alike[:, j].sum() > 1

    def cell(i: int, j: int) -> str:
        value = matrix.values[i, j]
        if np.isnan(value):
            return ""
        return f"{value:.{digits}f} ({ranks[i, j]:g}){' =' if alike[i, j] else ''}"

    def line(name: str, values: Array) -> dict[str, Any]:
        return {"source": name, **{t: f"{v:.{digits}f}" for t, v in zip(matrix.targets, values, strict=True)}}

    columns = range(len(matrix.targets))
    rows = [{"source": s, **{matrix.targets[j]: cell(i, j) for j in columns}} for i, s in enumerate(matrix.sources)]
    if oracle.no_transfer is not None:
        rows.append(line("no transfer", oracle.no_transfer))
    rows.append(line("spread (sd)", np.nanstd(matrix.values, axis=0, ddof=1)))
    if oracle.evaluation_error is not None:
        rows.append(
            line("evaluation error", np.nanmean(np.where(matrix.same, np.nan, oracle.evaluation_error), axis=0))
        )
    if noisy:
        one, other = np.triu_indices(len(matrix.sources), 1)
        both = ~matrix.same[one] & ~matrix.same[other]  # (n_pairs, n_targets)
        rows.append(line("pairs told apart", (apart[one, other] & both).sum(axis=0) / both.sum(axis=0)))
    return rows


def oracle_notes(oracle: Oracle) -> list[str]:
    """Return what a reader of the table must know: where it is from, and what its signs mean."""
    seeds = f"; seeds {', '.join(map(str, oracle.seeds))}" if oracle.seeds else ""
    lines = [f"{oracle.basis}, backbone {oracle.backbone}, suite {oracle.suite}{seeds}: {oracle.origin}"]
    lines += [oracle.note] if oracle.note else []
    if oracle.evaluation_error is None and oracle.standard_error is None:
        return [*lines, "nothing is known of its noise"]
    return [*lines, "= the noise tells no difference to the best source; pairs told apart: by two standard errors"]


def write_table(oracle: Oracle, path: Path) -> list[Path]:
    """Write an oracle as csv, as `read_oracle` reads it: a column `source`, a row `no-transfer` where known.

    Raises
    ------
    UnusableData
        If the file is called something else, or cannot be written.
    """
    if path.suffix != ".csv":
        raise UnusableData(
            f"cannot write an oracle as {path.name!r}: name a file .csv, or .json for all that is known."
        )
    matrix = oracle.transfers
    lines = [["source", *matrix.targets]]
    named = dict(zip(matrix.sources, matrix.values, strict=True))
    if oracle.no_transfer is not None:
        named[NO_TRANSFER] = oracle.no_transfer
    lines += [[name, *("" if np.isnan(v) else repr(float(v)) for v in row)] for name, row in named.items()]
    save_text(path, "".join(",".join(line) + "\n" for line in lines))
    return [path]


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
        **{"name": name or path.stem, "backbone": "?", "suite": "?", "origin": str(path), **known},
        transfers=TaskMatrix(tuple(rows[i] for i in kept), targets, values[kept]),
        no_transfer=alone,
    )


def table_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the first line of a csv or tsv, and its other lines: as long, empty ones left out."""
    readable(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # -sig: spreadsheets write a byte order mark
            lines = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            head, *body = [line for line in lines if any(line)] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableData(f"{str(path)!r} is no table in UTF-8: {error}.") from error
    if ragged := next((row[0] for row in body if len(row) != len(head)), None):
        raise UnusableData(f"{str(path)!r}: row {ragged!r} has another number of cells than the first line.")
    return head, body


def plain_oracle(oracle: Oracle) -> dict[str, Any]:
    """Return an oracle's figures and provenance as plain values, its per-example scores left out."""

    def rounded(values: Any) -> Any:
        return None if values is None else [[_number(v) for v in row] for row in np.atleast_2d(values)]

    texts = ("name", "backbone", "suite", "basis", "tuning", "sharing", "origin", "licence", "note")
    return {
        "schema_version": SCHEMA_VERSION,
        **{field: getattr(oracle, field) for field in texts},
        "metrics": dict(oracle.metrics),
        "sources": oracle.transfers.sources,
        "targets": oracle.transfers.targets,
        "transfers": rounded(oracle.transfers.values),
        "no_transfer": None if oracle.no_transfer is None else rounded(oracle.no_transfer)[0],
        "standard_error": rounded(oracle.standard_error),
        "evaluation_error": rounded(oracle.evaluation_error),
        "seeds": oracle.seeds,
        "provenance": dict(oracle.provenance),
        "by_seed": None if oracle.by_seed is None else [rounded(values) for values in oracle.by_seed],
    }


def oracle_in_full(oracle: Oracle) -> dict[str, Any]:
    """Return an oracle as plain values for machines, with its ranks and the sources that noise does not tell apart."""
    matrix, ranks, apart = oracle.transfers, rank(oracle.transfers).ranks, told_apart(oracle)
    names, alike = matrix.sources, dict[str, list[tuple[str, str]]]()
    for j, target in enumerate(matrix.targets):
        there = np.flatnonzero(np.isfinite(matrix.values[:, j]))
        alike[target] = [(names[a], names[b]) for a, b in combinations(there, 2) if not apart[a, b, j]]
    return {**plain_oracle(oracle), "ranks": [[_number(v) for v in row] for row in ranks], "not_told_apart": alike}


def write_oracle(oracle: Oracle, path: Path) -> list[Path]:
    """Write an oracle's figures and provenance as json, and its per-example scores beside it; return the files."""
    body = ",\n".join(
        f" {json.dumps(k)}: "
        + (
            "[\n  " + ",\n  ".join(map(json.dumps, v)) + "\n ]"
            if k in ("transfers", "standard_error", "evaluation_error", "by_seed") and v
            else json.dumps(v)
        )
        for k, v in plain_oracle(oracle).items()
    )
    beside = _scores_file(path)
    if oracle.per_example is not None:
        arrays: dict[str, Any] = {"\t".join(pair): np.asarray(v, np.float32) for pair, v in oracle.per_example.items()}
        held = io.BytesIO()
        np.savez_compressed(held, **arrays | {SEEDS: np.array(oracle.seeds)})
        save(beside, held.getvalue())
    save_text(path, "{\n" + body + "\n}\n")
    return [path] if oracle.per_example is None else [path, beside]


def _scores_file(path: Path) -> Path:
    return path.with_suffix(".per-example.npz")


def _scores(path: Path, seeds: tuple[int, ...]) -> Mapping[tuple[str, str], Array] | None:
    """Return the per-example scores beside an oracle's file, NaN for seeds that are not in there; None without it."""
    if not path.is_file():
        return None
    try:
        with np.load(path) as held:
            rows = {int(seed): i for i, seed in enumerate(held[SEEDS])}
            known, kept = [s in rows for s in seeds], [rows[s] for s in seeds if s in rows]
            made = {}
            for name in held.files:
                if name != SEEDS:
                    source, target = name.split("\t")
                    made[source, target] = np.full((len(seeds), held[name].shape[1]), np.nan, np.float32)
                    made[source, target][known] = held[name][kept]
            return made
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, IndexError) as error:
        raise UnusableData(
            f"{str(path)!r} holds no per-example scores: {error}; without it the table is read."
        ) from error


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _from_json(path: Path) -> Oracle:
    readable(path)
    try:
        held = json.loads(path.read_text())
        version = held.pop("schema_version", 1)
        if version > SCHEMA_VERSION:
            raise UnusableData(
                f"{str(path)!r} has schema version {version}; this cogbench reads up to {SCHEMA_VERSION}: upgrade it."
            )
        if version == 1:
            held = {FORMER.get(name, name): value for name, value in held.items()}
        matrix = TaskMatrix(
            tuple(held.pop("sources")), tuple(held.pop("targets")), np.array(held.pop("transfers"), np.float64)
        )
        arrays: dict[str, Any] = {
            k: None if (v := held.pop(k, None)) is None else np.array(v, np.float64)
            for k in ("no_transfer", "standard_error", "evaluation_error", "by_seed")
        }
        held["seeds"] = tuple(held.get("seeds", ()))
        return Oracle(transfers=matrix, **arrays, **held, per_example=_scores(_scores_file(path), held["seeds"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnusableData(f"{str(path)!r} is no oracle that cogbench wrote: {error!r}.") from error
