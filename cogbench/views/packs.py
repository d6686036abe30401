"""What an evidence pack holds, in tables."""

from typing import Any

from ..packs.pack import OpenPack
from ..results.plain import plain
from ..text import in_words

Rows = list[dict[str, Any]]


def pack_tables(content: OpenPack) -> dict[str, Rows]:
    """Return titled tables: the pack as a whole, its tasks, and its features."""
    card = content.card
    subjects = f"{len(card.subjects)} subjects" if card.subjects else "no responses"
    facts = {
        "backbone": card.backbone,
        "suite": card.suite,
        "oracle": card.oracle["name"],
        "trainings": f"seed {card.seed}, {f'at most {card.max_train}' if card.max_train else 'all'} examples a task",
        "stimuli": f"{card.n_stimuli} of {card.signal}, {subjects}" if card.signal else "none",
        "kept arrays": ", ".join(sorted({kept.estimator for kept in card.kept})) or "none",
        "synthetic": ", ".join(card.background.synthetic) or "nothing",
        "licence": card.licence or "not stated",
        "size": in_words(content.path.stat().st_size),
        "made with": ", ".join(f"{name} {version}" for name, version in card.versions.items()),
    }
    reports = card.background.tasks
    tasks = [
        {
            "task": task.name,
            "kind": task.kind,
            "metric": task.metric,
            "learned": f"{'yes' if report.learned else 'no'}, {report.value:.3f} (constant: {report.trivial:.3f})",
            "licence of the data": task.card.licence,
        }
        for task in card.tasks
        if (report := reports[task.name])
    ]
    views = [
        {"models": view.models, "pooling": o.pooling, "layers": o.layers, "examples": o.examples}
        for view in card.views
        if (o := view.options)
    ]
    return {
        f"Evidence pack {card.name}": [{"": name, "value": value} for name, value in facts.items()],
        "Tasks": tasks,
        "Features": views,
    }


def pack_in_full(content: OpenPack) -> dict[str, Any]:
    """Return the pack's card as JSON values, with the shape and kind of each array, the size and hash of the file."""
    return {
        **plain(content.card),
        "arrays": content.shapes(),
        "bytes": content.path.stat().st_size,
        "sha256": content.sha256,
    }
