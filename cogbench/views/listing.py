"""What is installed: rows for `cogbench list` and `cogbench plugins`; and what a pack holds."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..compute.inventory import COLUMNS
from ..data.files import Files
from ..data.oracle import OracleCard
from ..data.oracle_files import read_card
from ..data.recording import Recording
from ..errors import CogbenchError, MissingData
from ..packs.pack import OpenPack
from ..parts.oracle_names import measured_oracles
from ..parts.recipe import ALL_ROWS, SEQUENTIAL
from ..parts.registry import Opener, Parts
from ..parts.set_options import options_of
from ..results.plain import plain
from ..results.result import TaskReport
from ..runs.fetch import Row
from ..scoring.noise_ceiling import noise_ceiling
from ..testing.installed import BROKEN
from ..text import in_words
from .formats import grid, render_tables

OF_FAMILIES = ("about", "basis", "licence", "distribution")  # what the oracles of a family often have in common


def describe_parts(parts: Parts, kind: str, data_dir: Path | None = None) -> list[dict[str, Any]]:
    """Return a row for each installed part of a kind: name, one line, what it needs, licence, distribution.

    The oracles that were measured here stand behind those that are installed.
    """
    files = Files(data_dir, offline=True) if data_dir else None
    rows = []
    for name, part in parts.of(kind).items():
        row = {"name": name, **_about(kind, part), "distribution": parts.providers[kind, name].distribution}
        if files and kind in ("task", "signal"):
            row["data"], worth = _presence(kind, part, files)
            row |= {"worth": worth} if kind == "signal" else {}
        rows.append(row)
    if kind == "oracle":
        for name, path in measured_oracles().items():
            if name in parts.oracles:  # which is found in its place
                continue
            try:
                about = _of_card(read_card(path))
            except CogbenchError as error:
                about = {"about": f"{BROKEN}: {error}"}
            rows.append({"name": name, **about, "distribution": "measured here"})
    return rows


def part_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the same rows for a terminal: what is neither name, line nor distribution gathered in one column."""
    apart = ("name", "about", "distribution", "worth")
    return [
        {
            "name": row["name"],
            "about": row["about"],
            "details": "; ".join(f"{k} {v}" for k, v in row.items() if k not in apart and v not in ("", None)),
            "distribution": row["distribution"],
        }
        for row in rows
    ]


def render_parts(parts: Parts, kind: str, as_json: bool, data_dir: Path | None = None) -> str:
    """Return the parts of a kind for machines as JSON, for people as a table; oracles by their families."""
    rows = describe_parts(parts, kind, data_dir)
    if as_json:
        return grid(rows, "json")
    return render_tables(family_tables(rows), "table", []) if kind == "oracle" else grid(part_rows(rows), "table")


def family_tables(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return rows of oracles as a table for each family, whose title says what all of its oracles have in common."""
    families = dict[str, list[dict[str, Any]]]()
    for row in rows:
        families.setdefault(row.get("suite") or "?", []).append(row)
    tables = {}
    for family in sorted(families):
        of_family = families[family]
        common = [name for name in OF_FAMILIES if len({row.get(name, "") for row in of_family}) == 1]
        title = "; ".join([family, *(str(of_family[0][name]) for name in common if of_family[0].get(name))])
        apart = [name for name in ("backbone", "size", *OF_FAMILIES) if name not in common]
        tables[title] = [{"name": row["name"], **{name: row.get(name, "") for name in apart}} for row in of_family]
    return tables


def _about(kind: str, part: Any) -> dict[str, Any]:
    doc = (type(part).__doc__ or "").strip().splitlines()
    line = doc[0] if doc else ""
    if kind == "task":
        return {
            "about": part.card.description or line,
            "kind": part.kind,
            "metric": part.metric,
            "suite": part.suite,
            "rows": part.card.rows,
            "licence": part.card.licence,
        }
    if kind == "backbone":
        opens = "any hub id or folder" if isinstance(part, Opener) and not getattr(part, "address", True) else ""
        return {"about": opens or getattr(part, "address", line), "options": _options(part)}
    if kind == "signal":
        card = getattr(part, "card", None)
        said = {"licence": card.licence, "citation": card.citation} if card else {}
        return {"about": card.description if card else line, "options": _options(part), **said}
    if kind == "estimator":
        return {"about": line, "needs": ", ".join(sorted(part.needs)), "options": _options(part)}
    if kind == "selector":
        return {"about": line, "options": _options(part)}
    if kind == "oracle":
        return _of_card(part.card)
    if kind == "pack":
        return {"about": part.description, "file": part.file}
    return {"about": part.description, "tasks": ", ".join(part.tasks), "signal": part.signal}


def _of_card(card: OracleCard) -> dict[str, Any]:
    ways = {"sharing": (card.sharing, SEQUENTIAL), "rows": (card.row_choice, ALL_ROWS)}
    return {
        "about": card.origin,
        "basis": card.basis,
        "backbone": card.backbone,
        **{name: word for name, (word, usual) in ways.items() if word != usual},
        "suite": card.suite,
        "size": f"{len(card.sources)} × {len(card.targets)}",
        "licence": card.licence,
    }


def _options(part: Any) -> str:
    return ", ".join(f"{k}={_short(v)}" for k, v in options_of(part).items() if v is not None)


def _short(value: Any) -> str:
    if hasattr(value, "name"):
        return str(value.name)
    return ":".join(map(_short, value)) if isinstance(value, tuple) else json.dumps(value, default=str).strip('"')


def _presence(kind: str, part: Any, files: Files) -> tuple[str, dict[str, Any] | None]:
    """Return in words what a part's data hold, or why not; of a signal also in figures."""
    try:
        if kind == "task":
            return f"{len(part.load('train', files))} + {len(part.load('evaluation', files))} rows", None
        return _worth(part.read(files))
    except MissingData:
        return "missing", None
    except CogbenchError as error:
        return str(error), None


def _worth(recording: Recording) -> tuple[str, dict[str, Any]]:
    ceiling = noise_ceiling(recording)
    n_channels = {subject: len(r.channels) for subject, r in recording.subjects.items()}
    words = f"{len(recording.sentences)} sentences, no responses"
    if n_channels:
        few, most = min(n_channels.values()), max(n_channels.values())
        words = (
            f"{len(recording.sentences)} sentences, {len(recording.subjects)} subject(s), "
            f"{few:,}{'' if few == most else f' to {most:,}'} channel(s); reliability "
            f"{ceiling.summary if ceiling else 'unknown'}"
        )
    return words, {
        "sentences": len(recording.sentences),
        "subjects": len(recording.subjects),
        "channels": n_channels,
        "unit": recording.unit,
        "reliability": asdict(ceiling.summary) if ceiling else None,
    }


def plugin_rows(parts: Parts) -> list[dict[str, Any]]:
    """Return a row for each plugin."""
    return [
        {
            "plugin": p.key,
            "distribution": p.distribution,
            "version": p.version,
            "parts": ", ".join(p.parts),
            "error": " ".join(fault.removeprefix(f"{p.place} ") for fault in p.faults),
        }
        for p in parts.plugins
    ]


def fetch_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the same rows for a terminal: sizes in words, the first digits of a revision."""
    return [
        {
            "what": row["what"],
            "id": row["id"],
            "revision": _short_revision(row["revision"]),
            "size": in_words(row["bytes"]) if row["bytes"] else "",
            "licence": row["licence"],
            "state": row["state"],
        }
        for row in rows
    ]


def _short_revision(revision: str | None) -> str:
    kind, colon, digits = (revision or "").rpartition(":")
    return f"{kind}{colon}{digits[:8]}"


def inventory_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of `info` for people."""
    total = {"kind": "all", **{column: sum(row[column] for row in rows) for column in COLUMNS}}
    return [{k: in_words(v) if "bytes" in k else v for k, v in row.items()} for row in [*rows, total]]


def pack_tables(content: OpenPack) -> dict[str, list[dict[str, Any]]]:
    """Return titled tables: the pack as a whole, its tasks, and its features."""
    card = content.card
    subjects = f"{len(card.subjects)} subjects" if card.subjects else "no responses"
    facts = {
        "backbone": card.backbone,
        "suite": card.suite,
        "oracle": card.oracle.get("name", "none"),
        "trainings": f"seed {card.seed}, {f'at most {card.max_train}' if card.max_train else 'all'} examples a task",
        **({"checkpoints": f"{len(card.checkpoints)}, of {card.n_bases} base(s)"} if card.checkpoints else {}),
        "stimuli": f"{card.n_stimuli} of {card.signal}, {subjects}" if card.signal else "none",
        "kept arrays": ", ".join(sorted({kept.estimator for kept in card.kept})) or "none",
        "synthetic": ", ".join(card.background.synthetic) or "nothing",
        "licence": card.licence or "not stated",
        "size": in_words(content.path.stat().st_size),
        "made with": ", ".join(f"{name} {version}" for name, version in card.versions.items()),
    }
    tasks = [
        {
            "task": task.name,
            "kind": task.kind,
            "metric": task.metric,
            **({} if card.checkpoints else {"learned": _learned(card.background.tasks.get(task.name))}),
            "licence of the data": task.card.licence,
        }
        for task in card.tasks
    ]
    checkpoints = [
        {
            "checkpoint": task.name,
            "kind": task.kind,
            "learned": _learned(card.background.tasks.get(task.name)),
            "model": task.origin.id if task.origin else "",
        }
        for task in card.checkpoints
    ]
    views = [
        {"models": view.models, "pooling": o.pooling, "layers": o.layers, "examples": o.examples}
        for view in card.views
        if (o := view.options)
    ]
    return {
        f"Evidence pack {card.name}": [{"": name, "value": value} for name, value in facts.items()],
        **({"Sources": checkpoints, "Targets": tasks} if checkpoints else {"Tasks": tasks}),
        "Features": views,
    }


def _learned(report: TaskReport | None) -> str:
    if report is None:
        return "not known"
    return f"{'yes' if report.learned else 'no'}, {report.value:.3f} (constant: {report.trivial:.3f})"


def pack_in_full(content: OpenPack) -> dict[str, Any]:
    """Return the pack's card as JSON values, with the shape and kind of each array, the size and hash of the file."""
    return {
        **plain(content.card),
        "arrays": content.shapes(),
        "bytes": content.path.stat().st_size,
        "sha256": content.sha256,
    }
