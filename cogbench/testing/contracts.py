"""Contract checks: what every part promises, as properties and not as numbers. Plugin authors run them in one line.

Each raises UnusableData with what is broken, or MissingData where the part's data are not there.
"""

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..compute.estimate import matrix_from, ranks_nothing
from ..compute.evidence import Similarity, StoredEvidence
from ..compute.selection import RowWeights, StoredSelectionEvidence
from ..compute.workspace import Workspace, load_dataset, read_recording
from ..data.dataset import TASK_KINDS
from ..data.files import Files
from ..data.oracle import Suite
from ..errors import UnusableData, blaming
from ..packs.pack import find_pack
from ..parts.interfaces import (
    NEEDS,
    Estimator,
    OraclePart,
    PackPart,
    SetsPart,
    Signal,
)
from ..parts.oracle_names import read_part
from ..parts.recipe import RowChoice, Selector, Task
from ..parts.registry import Parts, checked, faults_of_suite, load_parts
from ..parts.table_task import TableTask
from ..scoring.metrics import METRICS
from ..storage.store import Store
from .checks import check_part, expect
from .toys import ORACLES, TASKS, ToyBackbone, ToySignal

log = logging.getLogger("cogbench")


def check_task(task: Task, files: Files | None = None) -> None:
    """Check that a task is a well-made part and both its splits load, twice the same, with equal label names.

    Raises
    ------
    MissingData
        If its data are not there.
    UnusableData
        If it breaks the contract.
    """
    check_part("task", task)
    expect(task.kind in TASK_KINDS, f"{task.name}: unknown kind {task.kind!r}; known: {', '.join(TASK_KINDS)}")
    for metric in (task.metric, *getattr(task, "further", ())):
        expect(metric in METRICS, f"{task.name}: unknown metric {metric!r}; known: {', '.join(METRICS)}")
    files = files or Files()
    train, evaluation = load_dataset(task, "train", files), load_dataset(task, "evaluation", files)
    for dataset in (train, evaluation):
        expect(dataset.kind == task.kind, f"{task.name}: load() returned a Dataset of the kind {dataset.kind}")
    expect(train.labels == evaluation.labels, f"{task.name}: its splits name different classes")
    expect(train.sha256 != evaluation.sha256, f"{task.name}: it trains and evaluates on the same examples")
    expect(task.load("train", files).sha256 == train.sha256, f"{task.name}: it loads differently the second time")
    described = task.card.description or isinstance(task, TableTask)  # of a table of one's own, only its owner knows
    expect(bool(described and task.card.licence), f"{task.name}: its card lacks description or licence")


def check_signal(signal: Signal, files: Files | None = None) -> None:
    """Check that a signal reads, twice the same, with stimuli; it may hold sentences alone, without subjects.

    Raises
    ------
    MissingData
        If its data are not there.
    UnusableData
        If it breaks the contract.
    """
    check_part("signal", signal)
    files = files or Files()
    recording = read_recording(signal, files)
    expect(len(recording.sentences) > 0, f"{signal.name}: it has no stimuli")
    expect(bool(recording.unit), f"{signal.name}: it names no unit")
    expect(signal.read(files).sha256 == recording.sha256, f"{signal.name}: it reads differently the second time")


def check_oracle(oracle: OraclePart, files: Files | None = None) -> None:
    """Check that an oracle's card is true of its table: same tasks, and read twice the same.

    Raises
    ------
    MissingData
        If its table is not there.
    UnusableData
        If it breaks the contract.
    """
    card, files = checked("oracle", oracle).card, files or Files()
    expect(bool(card.description and card.origin and card.licence), f"{oracle.name}: its card lacks a text")
    table = read_part(oracle, files)
    expect(table.name == oracle.name, f"{oracle.name}: its table is called {table.name}")
    expect(
        (table.transfers.sources, table.transfers.targets) == (card.sources, card.targets),
        f"{oracle.name}: its table has other tasks than its card",
    )
    for field in ("backbone", "suite", "basis", "tuning", "sharing", "max_train_target", "row_choice"):
        expect(getattr(table, field) == getattr(card, field), f"{oracle.name}: its table has another {field}")
    for field in ("metrics", "better"):
        expect(
            dict(getattr(card, field)) == {**getattr(table, field)},
            f"{oracle.name}: its table has other {field} than its card",
        )
    again = oracle.read(files).transfers.values
    expect(
        np.array_equal(table.transfers.values, again, equal_nan=True),
        f"{oracle.name}: it reads differently the second time",
    )


def check_set(sets: SetsPart, files: Files | None = None) -> None:
    """Check that the card of a table of task sets is true of it: same tasks and directions, and read twice the same.

    Raises
    ------
    MissingData
        If its table is not there.
    UnusableData
        If it breaks the contract.
    """
    check_part("set", sets)
    card, files = sets.card, files or Files()
    expect(bool(card.description and card.origin and card.licence), f"{sets.name}: its card lacks a text")
    table = sets.read(files)
    expect(table.name == sets.name, f"{sets.name}: its table is called {table.name}")
    same = (table.members, table.targets, dict(table.better)) == (card.sources, card.targets, dict(card.better))
    expect(same, f"{sets.name}: its table has other tasks or directions than its card")
    expect(table.sets == sets.read(files).sets, f"{sets.name}: it reads differently the second time")


def check_suite(suite: Suite, parts: Parts | None = None) -> None:
    """Check that the tasks of a suite, its usual signal and its usual oracles are among the installed parts.

    Raises
    ------
    UnusableData
        If a name is that of no part; the message has a line for each such name.
    """
    check_part("suite", suite)
    if faults := faults_of_suite(suite, parts or load_parts()):
        raise UnusableData(" ".join(faults.values()))


def check_selector(selector: Selector) -> None:
    """Check that a selector gives each source example a finite weight, twice the same, and leaves its evidence alone.

    It runs on toys: a source and a target of sixty sentences each, and a linear model on hashed words.

    Raises
    ------
    UnusableData
        If it breaks the contract.
    """
    check_part("selector", selector)
    share = RowChoice(selector, TASKS[0]).share_of_weights
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Files(offline=True), Store(Path(folder)))
        for source in (TASKS[1], TASKS[3]):
            evidence = StoredSelectionEvidence(
                RowWeights(ToyBackbone(), source, target=TASKS[0], selector=selector, share=share),
                ToyBackbone(),
                workspace,
            )
            before = evidence.source.sha256, evidence.target.sha256
            with blaming(f"selector {selector.name!r}: weights()"):
                weights = np.asarray(selector.weights(evidence), np.float64)
            expect(weights.shape == (len(evidence.source),), f"{selector.name}: weights of shape {weights.shape}")
            expect(bool(np.isfinite(weights).all()), f"{selector.name}: a weight is not finite")
            expect(
                np.array_equal(weights, selector.weights(evidence)), f"{selector.name}: other weights the second time"
            )
            expect(
                (evidence.source.sha256, evidence.target.sha256) == before, f"{selector.name}: it changes its evidence"
            )


def check_pack(pack: PackPart, files: Files | None = None) -> None:
    """Check an evidence pack: its file is read whole, its oracle is of its tasks, its numbers are finite.

    Raises
    ------
    MissingData, UnusableData
        If the file is not there, or the pack breaks the contract.
    """
    check_part("pack", pack)
    content = find_pack(Parts(), pack).content()
    expect(content.card.name == pack.name, f"pack {pack.name!r}: its card calls it {content.card.name!r}")
    content.check()


def check_estimator(estimator: Estimator) -> None:
    """Check an estimator on synthetic toy evidence.

    Same evidence, same answer; inputs untouched; tasks reordered, matrix reordered; it works with what it `needs` and
    nothing else; scores off the diagonal, no infinity, and NaN only where a note says why.

    Raises
    ------
    UnusableData
        If it breaks the contract.
    """
    check_part("estimator", estimator)
    verb = f"estimator {estimator.name!r}: similarity()"
    with tempfile.TemporaryDirectory() as folder, blaming(verb):
        workspace = Workspace(Files(offline=True), Store(Path(folder)))
        cell = Similarity(
            estimator, ToyBackbone(), tasks=TASKS, signal=ToySignal(), oracle=ORACLES[0], other_oracles=ORACLES[1:]
        )
        names = tuple(t.name for t in TASKS)
        before = _fingerprint(cell, workspace)
        evidence = StoredEvidence(cell, workspace)
        first = matrix_from(estimator, evidence).part(names, names)
        again = matrix_from(estimator, StoredEvidence(cell, workspace)).part(names, names)
        turned = replace(cell, tasks=TASKS[::-1])
        reordered = matrix_from(estimator, StoredEvidence(turned, workspace))
        alone = StoredEvidence(replace(cell, targets=TASKS[:1]), workspace)
        try:
            one = matrix_from(estimator, alone).part(names, names[:1])
        except UnusableData:  # what is known of other targets may be what it stands on; a run asks for all of them
            if "oracle" not in estimator.needs:
                raise
            one = first.part(names, names[:1])
        expect(reordered.sources == names[::-1], f"{estimator.name}: its matrix is not in the order of evidence.tasks")
        expect(
            np.array_equal(first.values, again.values, equal_nan=True),
            f"{estimator.name}: the same evidence gave two answers",
        )
        same = np.allclose(first.values, reordered.part(names, names).values, atol=1e-3, equal_nan=True)
        expect(same, f"{estimator.name}: reordering the tasks changed their scores")
        same = np.allclose(first.values[:, :1], one.values, atol=1e-3, equal_nan=True)
        expect(same, f"{estimator.name}: asked for one target alone, it scored the sources otherwise")
        if (words := ranks_nothing(first)) and not np.isnan(first.values).all():
            log.warning(f"estimator {estimator.name!r}, on the toy evidence: {words}.")
        finite = np.isfinite(first.values[~first.same])
        expect(bool(finite.any()), f"{estimator.name}: it gave no score for any task")
        expect(
            bool(finite.all() or evidence.inquiry.notes),
            f"{estimator.name}: it gave no score for some tasks, and no note says why",
        )
        expect(_fingerprint(cell, workspace) == before, f"{estimator.name}: it changed what Evidence gave it")


def _fingerprint(cell: Similarity, workspace: Workspace) -> list[Any]:
    every = replace(cell, estimator=_All())  # type: ignore[arg-type]
    evidence = StoredEvidence(every, workspace)
    return [
        workspace.recording(ToySignal()).sha256,
        *(evidence.representations[t].tobytes() for t in evidence.tasks),
        *(workspace.dataset(t, "train").sha256 for t in TASKS),
    ]


class _All:
    """Stands for an estimator that may ask for everything."""

    name = "all"
    needs = frozenset(NEEDS)
