"""Results that somebody hands in: checked against their own matrix and oracle, and put where boards look for them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingData, UnusableData
from ..scoring.ranking import rank
from .guess import rescore
from .plain import plain
from .result import Result

CLOSE = 1e-6  # figures of another machine differ by their rounding
RESCORED = ("oracle", "oracle_ranks", "scores", "baselines")  # what of a result hangs on its oracle
OWN = "cogbench-toolkit"


def checked(path: Path) -> Result:
    """Return a result whose figures follow from its own matrix and from an installed oracle.

    Parameters
    ----------
    path : Path
        A result file; the check against the schema is that of `Result.load`.

    Raises
    ------
    UnusableData
        If the file is no result of today's schema, names no oracle, or has a figure that does not follow.
    UnknownName, MissingData
        If the oracle is not installed.
    """
    result = Result.load(path)
    if result.oracle is None or result.scores is None:
        raise UnusableData(f"{str(path)!r} has no scores: `cogbench score {path} --oracle NAME --out DIR` adds them.")
    if result.is_outdated:
        raise UnusableData(
            f"{str(path)!r} was scored by an older schema: `cogbench score {path} --oracle {result.oracle.name} "
            "--out DIR` computes its scores anew."
        )
    stated, computed = plain(result), plain(rescore(result, result.oracle.name))
    # The sizes of tasks that are not installed are not known, nor is what is made of them.
    stated["baselines"] = {
        name: stated["baselines"].get(name) for name, v in computed["baselines"].items() if v is not None
    }
    computed["baselines"] = {name: value for name, value in computed["baselines"].items() if value is not None}
    fault = next(_own_faults(result), None) or _difference(
        {name: stated[name] for name in RESCORED}, {name: computed[name] for name in RESCORED}
    )
    if fault:
        raise UnusableData(f"{str(path)!r} does not recompute: {fault}.")
    return result


def submit(paths: Sequence[Path], folder: Path, *, by: str) -> list[Path]:
    """Check results, and write them into a folder as results that somebody has handed in; all of them or none.

    Parameters
    ----------
    paths : sequence of Path
        Result files.
    folder : Path
        Where the boards of a checkout look for results: its `docs/results`.
    by : str
        Who hands them in; boards name this person.

    Returns
    -------
    list of Path
        The files, one for each result.

    Raises
    ------
    UnusableData, UnknownName, MissingData
        As `checked`, or if the folder cannot be written to.
    """
    results = [replace(checked(path), submitted_by=by) for path in paths]
    return [result.save(folder) for result in results]


def results_folder(place: Path) -> Path:
    """Return the folder of results of the checkout of cogbench that a place lies in.

    Raises
    ------
    MissingData
        If it lies in none.
    """
    for folder in (place := place.resolve(), *place.parents):
        project = folder / "pyproject.toml"
        if project.is_file() and f'name = "{OWN}"' in project.read_text("utf-8", "replace"):
            return folder / "docs" / "results"
    raise MissingData(f"{str(place)!r} lies in no checkout of cogbench: change to one, or name the folder with --to.")


def _own_faults(result: Result) -> Iterator[str]:
    """Yield in words what does not follow from the similarities of the seeds."""
    with np.errstate(all="ignore"):
        by_seed = np.array(result.by_seed, np.float64)
        if by_seed.size and not np.allclose(by_seed.mean(axis=0), result.matrix.values, CLOSE, CLOSE, equal_nan=True):
            yield "`similarity` is not the mean of `by_seed`"
    ranking = rank(result.matrix)
    for target in result.targets:
        order = result.ranking.get(target, [])
        if [*order] != [*ranking.order(target)][: len(order)]:
            yield f"`ranking` of target {target!r} is not that of `similarity`"


def _difference(stated: Any, computed: Any, place: str = "") -> str | None:
    """Return in words the first figure that is stated otherwise than it is computed; None if there is none."""
    if isinstance(stated, dict) and isinstance(computed, dict):
        pairs = [(f"{place} / {name}" if place else name, name) for name in (*stated, *(computed.keys() - stated))]
        faults = (_difference(stated.get(name), computed.get(name), where) for where, name in pairs)
        return next((fault for fault in faults if fault), None)
    if isinstance(stated, list) and isinstance(computed, list) and len(stated) == len(computed):
        faults = (_difference(s, c, f"{place} / {i}") for i, (s, c) in enumerate(zip(stated, computed, strict=True)))
        return next((fault for fault in faults if fault), None)
    if isinstance(stated, float | int) and isinstance(computed, float | int):
        return None if math.isclose(stated, computed, rel_tol=CLOSE, abs_tol=CLOSE) else _told(place, stated, computed)
    return None if stated == computed else _told(place, stated, computed)


def _told(place: str, stated: Any, computed: Any) -> str:
    return f"{place} is {stated!r:.60} in the file, and {computed!r:.60} by its matrix and the installed oracle"
