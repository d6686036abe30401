"""Fetch what a run needs, so that it can be run without the hub."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from ..compute.workspace import Progress, Step
from ..data.files import Arrival, Files
from ..data.hub import CARD, licence
from ..errors import CogbenchError
from ..parts.interfaces import Backbone, Signal
from ..parts.recipe import Task
from ..parts.registry import Parts, load_parts
from ..storage.origin import Origin
from ..text import first_line
from ..workers.progress import with_progress
from .plan import suitable_tasks
from .requests import Several, as_list, resolve

log = logging.getLogger("cogbench")
STATES = {"hub": "fetched", "index": "fetched", "cache": "there", "local": "local"}
SENTENCE = ("This is a sentence.",)

Wanted = list[tuple[str, Any]]  # (kind, part)
Row = dict[str, Any]


@with_progress
def fetch(
    *,
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    backbone: Several[Backbone] = (),
    signal: Several[Signal] = (),
    set: Several[str] = (),
    files: Files | None = None,
    parts: Parts | None = None,
    progress: Progress = False,
) -> list[Row]:
    """Have each part read all that it reads, so that a run needs no hub; the parameters are those of `cogbench fetch`.

    Parameters
    ----------
    suite, tasks, backbone, signal, set
        As for `run`. The default signal is the suite's usual signal; a warning says so if it is not installed. Its
        files of gigabytes are downloaded only if `signal` names it.
    files, parts : Files, Parts, optional
        The door to disk and hub, and the installed parts.
    progress : bool or callable
        True shows on stderr which part is read; a callable is called with a `Step` before each part and at the end.

    Returns
    -------
    list of dict
        A row for each data set, signal and model: `what`, `id`, `revision`, `bytes` on disk, `licence`, `state`
        ("fetched" just now, "there" already, "local", "built in", "failed"), `folder` and `error`. The row of a failed
        download holds its error, and the other downloads go on. A backbone has a row for each of its models;
        `unsuitable` of its first row says which of the tasks it cannot be trained on, and why.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown.
    """
    parts, files = parts or load_parts(), files or Files()
    wanted = resolve_wanted(parts, suite=suite, tasks=tasks, backbone=backbone, signal=signal, set=set)
    return fetch_wanted(wanted, replace(files, fetching=bool(as_list(signal))), progress)


def resolve_wanted(
    parts: Parts,
    *,
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    backbone: Several[Backbone] = (),
    signal: Several[Signal] = (),
    set: Several[str] = (),
) -> Wanted:
    """Resolve the names of a run into the parts that read something; warn of a usual signal that is not installed."""
    usual = parts.find("suite", suite).signal
    missing = not as_list(signal) and usual not in parts.signals
    if missing:
        log.warning(f"no installed plugin gives {usual!r}, the usual signal of suite {suite!r}: none is fetched.")
    stimuli = None if missing else signal
    selection = resolve(parts, suite=suite, tasks=tasks, backbone=backbone, signal=stimuli, set=set)
    by_kind = {"task": selection.tasks, "backbone": selection.backbones, "signal": selection.signals}
    return [(kind, part) for kind, parts_of_kind in by_kind.items() for part in parts_of_kind]


def fetch_wanted(wanted: Wanted, files: Files, progress: Progress = None) -> list[Row]:
    """Have each of these parts read all that it reads through the door; return the rows of `fetch`."""
    rows, before = [], dict[Path, str]()
    report, n = (progress if callable(progress) else lambda step: None), len(wanted)
    for done, (kind, part) in enumerate(wanted):
        what, arrivals = f"{kind} {part.name}", list[Arrival]()
        door = replace(files, tell=arrivals.append, fetching=files.fetching or kind != "signal")
        report(Step(place=what, done=done, failed=0, running=1, total=n, share=done / n))
        try:
            origin = _brought(kind, part, door, arrivals)
        except Exception as error:  # one thing's failure, whatever it is, must not lose the others
            reason = str(error) if isinstance(error, CogbenchError) else f"{type(error).__name__}: {first_line(error)}"
            rows.append(_row(what, Origin(""), {}, "", "failed", reason))
            continue
        for arrival in arrivals:
            for path in arrival.sizes:
                before.setdefault(path, arrival.place)  # what came once in this command is there the second time
        of_part = _rows(what, part, origin, arrivals, before, apart=kind == "backbone")
        if kind == "backbone":
            of_part[0]["unsuitable"] = _unsuitable(part, [task for other, task in wanted if other == "task"], door)
        rows += of_part
    if wanted:
        report(Step(place="", done=n, failed=sum(bool(row["error"]) for row in rows), running=0, total=n, share=1.0))
    return rows


def _unsuitable(backbone: Backbone, tasks: Sequence[Task], door: Files) -> str:
    """Return in one line which of these tasks a backbone cannot be trained on; empty if there are none."""
    try:
        _, notes = suitable_tasks(backbone, tasks, door, skip=True)
    except CogbenchError as error:
        return first_line(error)
    return "; ".join(notes)


def _brought(kind: str, part: Any, door: Files, arrivals: list[Arrival]) -> Origin:
    """Have a part read what it reads; return the origin that it names."""
    if kind == "task":
        train, _ = (part.load(split, door).origin for split in ("train", "evaluation"))
        return train
    if kind == "signal":
        return part.read(door).origin
    for model in (*_members(part), part):
        n_before = len(arrivals)
        origin = model.origin(door)
        if len(arrivals) == n_before:  # it names its origin without looking for it
            model.represent(None, SENTENCE, door)
    return origin


def _members(backbone: Backbone) -> Iterator[Backbone]:
    """Yield the backbones among a backbone's fields, such as a teacher, and theirs."""
    values: list[Any] = [getattr(backbone, f.name) for f in fields(backbone)] if is_dataclass(backbone) else []
    for value in values:
        for member in value if isinstance(value, tuple) else (value,):
            if isinstance(member, Backbone):
                yield from (*_members(member), member)


def _rows(
    what: str, part: Any, own: Origin, arrivals: list[Arrival], before: dict[Path, str], *, apart: bool
) -> list[Row]:
    """Return a row for a part, or if `apart` one for each origin that it read, its own first."""
    if not arrivals:  # a table of one's own, or a generator
        file = Path(own.id)
        arrivals = [Arrival(own, {file: file.stat().st_size}, "local")] if file.is_file() else []
        before = {file: "local"}
    sizes_by_origin: dict[Origin, dict[Path, int]] = {own: {}}
    for arrival in arrivals:
        sizes_by_origin.setdefault(arrival.origin if apart else own, {}).update(arrival.sizes)
    card = getattr(getattr(part, "card", None), "licence", "")
    return [
        _row(what, origin, sizes, card or _licence(sizes), _state(sizes, before))
        for origin, sizes in sizes_by_origin.items()
    ]


def _licence(files: Iterable[Path]) -> str:
    """Return the licence that the card beside a model's config states."""
    files = set(files)
    return next((licence(p) for p in files if p.name == CARD and p.with_name("config.json") in files), "")


def _state(sizes: dict[Path, int], before: dict[Path, str]) -> str:
    places = {before[path] for path in sizes}
    return next((word for place, word in STATES.items() if place in places), "built in")


def _row(what: str, origin: Origin, sizes: dict[Path, int], licence: str, state: str, error: str = "") -> Row:
    return {
        "what": what,
        "id": origin.id,
        "revision": origin.revision,
        "bytes": sum(sizes.values()),
        "licence": licence,
        "state": state,
        "folder": os.path.commonpath(sizes) if sizes else "",
        "unsuitable": "",
        "error": error,
    }
