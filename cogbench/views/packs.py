"""What an evidence pack holds, in tables; and the demonstration from installed packs."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..packs.pack import OpenPack
from ..results.plain import plain
from ..results.result import Result
from ..runs.demo import Demo
from ..text import in_digits, in_range, in_sign, in_words
from .card import render_results
from .formats import render_tables

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


def render_demo(results: Demo, page: Path, first: Path) -> str:
    """Return the demonstration as text: one ranking in full, the estimators side by side, the control, what is next.

    Parameters
    ----------
    results : Demo
        The results.
    page : Path
        Where the page with all results was written.
    first : Path
        The file of the first result.
    """
    blocks = []
    if results.real:
        result = results.real[0]
        blocks += [
            f"1. Which of {len(result.sources)} real tasks should {result.backbone} learn before each of the others? "
            f"The guess of {result.estimator}, beside the true ranks of transfers that were trained:",
            render_results([result], "table"),
            render_tables({"2. Several estimators on the same transfers": _rows(results.real)}, "table", []),
        ]
    if results.control:
        title = "3. A control: synthetic tasks. Which tasks share knowledge is planted, and an estimator must find it"
        blocks.append(render_tables({title: _rows(results.control)}, "table", []))
    commands = [
        f"cogbench report {shlex.quote(str(first))}",
        f"cogbench run --pack {results.packs[0].name} --estimator cra --estimator random",
        f"cogbench pack show {results.packs[0].name}",
    ]
    blocks.append(f"4. All results on one page: open {page}")
    blocks.append("\n".join(["5. Try next:", *(f"   {command}" for command in commands)]))
    return "\n\n".join(blocks)


def _rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    rows = []
    for result in results:
        scores = result.scores
        if scores is None:
            continue
        skill = scores.skill
        rows.append(
            {
                "estimator": result.estimator,
                "TRS (1 is perfect)": f"{scores.trs:.2f}",
                "interval": in_range(scores.trs_interval),
                "chance": f"{scores.trs_chance:.2f}",
                "p": in_digits(scores.trs_p.p) if scores.trs_p else "",
                "skill": in_sign(skill.rho) if skill else "",
                "skill p": in_digits(skill.p.p) if skill and skill.p else "",
            }
        )
    return rows
