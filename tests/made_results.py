"""Result records without a run, for tests of what reads them: what they hold is given."""

from dataclasses import replace

import numpy as np

from cogbench import Oracle, Result, TaskMatrix, rank
from cogbench.results.result import (
    SCHEMA_VERSION,
    CellCounts,
    DataUsed,
    Provenance,
    SignalReport,
    TaskReport,
    against,
    rows,
)
from cogbench.scoring.scores import TargetScore

TASKS = ("p", "q", "r", "s")
TRUE = np.array([[0, 0.6, 0.5, 0.9], [0.8, 0, 0.7, 0.2], [0.7, 0.9, 0, 0.1], [0.6, 0.5, 0.9, 0]])


def made(
    similarity=TRUE,
    *,
    tasks=TASKS,
    true=TRUE,
    no_transfer=None,
    oracle="true",
    estimator="cra",
    backbone="bert",
    signal="words",
    suite="letters",
    by_seed=None,
    synthetic=(),
    uses_oracle=False,
    hashes="0123456789",
    data=True,
    schema_version=SCHEMA_VERSION,
    signal_quality=None,
    details=(),
):
    """Return a result of these similarities (n_tasks, n_tasks), scored against the oracle of transfers `true`.

    `no_transfer` (n_tasks,) has the targets' metrics without a source. A result of an older schema has the scores that
    its schema knew.
    """
    matrix = TaskMatrix.square(tasks, similarity)
    predicted = rank(matrix)
    known = None if oracle is None else Oracle(oracle, backbone, suite, TaskMatrix.square(tasks, true), no_transfer)
    of_oracle = against(matrix, known, {})
    if known is not None and schema_version < SCHEMA_VERSION:
        of_oracle["scores"] = as_of_an_older_schema(of_oracle["scores"])
    return Result(
        schema_version=schema_version,
        estimator=estimator,
        options={},
        backbone=backbone,
        signal=signal,
        suite=suite,
        sources=list(tasks),
        targets=list(tasks),
        similarity=rows(matrix.values),
        by_seed=[rows(TaskMatrix.square(tasks, m).values) for m in by_seed or [similarity]],
        ranking={t: predicted.order(t) for t in tasks},
        **of_oracle,
        uses_oracle=uses_oracle,
        tasks={t: TaskReport("accuracy", 0.8, 0.01, 0.5, t != "p") for t in tasks},
        seed_floor=None,
        signal_quality=signal_quality,
        notes=[],
        details=list(details),
        synthetic=list(synthetic),
        provenance=Provenance(
            cogbench="0",
            plugins={},
            data={t: DataUsed("here", None, 10, 10, h * 8) for t, h in zip(tasks, hashes, strict=False)}
            if data
            else {},
            model={"id": backbone},
            settings={},
            seeds=list(range(len(by_seed or [0]))),
            max_train=None,
            torch="0",
            device="cpu",
            started="2024-01-01T00:00:00+00:00",
            seconds=0.0,
            cells=CellCounts(0, 0),
        ),
    )


def as_of_an_older_schema(scores):
    """Return scores without those that only today's schema has."""
    ranks = {target: TargetScore(score.rank) for target, score in scores.per_target.items()}
    return replace(scores, trs=replace(scores.trs, p=None), skill=None, resampled=None, per_target=ranks)


def recorded(sha256):
    """Return what a signal was, known by its hash."""
    return SignalReport(
        sentences=20,
        subjects=1,
        channels={"S1": ["first"]},
        unit="ms",
        origin="a stand-in",
        sha256=sha256 * 64,
        notes=[],
    )
