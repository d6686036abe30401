"""One run, read from top to bottom: question, cells, matrix, ranking, scores, result."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from time import perf_counter
from typing import Any

import numpy as np

from ..compute import engine
from ..compute.cells import Encoding
from ..compute.transfers import TransferPlan
from ..compute.workspace import Cell, Workspace
from ..data.dataset import Origin
from ..data.files import Files
from ..data.oracle import TaskMatrix
from ..data.recording import Recording
from ..errors import CogbenchError, FailedCells, UnusableData
from ..parts.codec import encode
from ..parts.fingerprint import harness_version
from ..parts.interfaces import ORACLES_DATA, Backbone, Estimator, Task
from ..parts.options import options_of
from ..parts.registry import Parts, load_parts
from ..results.result import (
    SCHEMA_VERSION,
    CellCounts,
    DataUsed,
    Provenance,
    Result,
    SignalReport,
    TaskReport,
    against,
    rows,
)
from ..scoring.noise_ceiling import noise_ceiling
from ..scoring.ranking import rank
from ..storage.remote_store import open_store
from ..storage.store import Store
from .requests import RunRequest, resolve_requests

NAMED = 1000  # a result names the channels of a subject, but not the voxels of a whole brain


def run(
    estimator: str | Estimator | Sequence[str | Estimator],
    backbone: str | Backbone | Sequence[str | Backbone],
    *,
    files: Files | None = None,
    store: Store | None = None,
    parts: Parts | None = None,
    jobs: int | None = None,
    **asked: Any,
) -> list[Result]:
    """Rank source tasks with estimators and score the rankings.

    Parameters
    ----------
    estimator, backbone : str, part, or several
        Names, or parts of one's own.
    files, store, parts : Files, Store, Parts, optional
        Where data, results of cells and parts come from; the usual places by default.
    jobs : int, optional
        Worker processes; 0 computes in this process.
    **asked
        `suite`, `tasks`, `signals`, `oracle`, `oracle_backbone`, `sets`, `seeds`, `max_train`, as `resolve_requests`
        takes them; see `cogbench run --help`.

    Returns
    -------
    list of Result
        One for each estimator, backbone and signal.

    Raises
    ------
    CogbenchError
        As the command line would print it; FailedCells if a result could not be made (what was computed is kept).

    Examples
    --------
    >>> cogbench.run("cra", "minilm-2l", suite="mini")[0].scores.trs  # doctest: +SKIP
    """
    parts = parts or load_parts()
    found = resolve_requests(parts, _several(estimator), _several(backbone), **asked)
    workspace = Workspace(files or Files(), store or open_store())
    results, failures = answer_requests(found, workspace, parts, jobs=jobs)
    if failures:
        raise FailedCells(f"{'; '.join(failures)}.")
    return results


def _several(asked: Any) -> Sequence[Any]:
    return asked if isinstance(asked, Sequence) and not isinstance(asked, str) else [asked]


def answer_requests(
    asked: Sequence[RunRequest],
    workspace: Workspace,
    parts: Parts,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    tell: engine.Tell | None = None,
) -> tuple[list[Result], dict[str, Exception]]:
    """Compute what is missing for these questions and answer each; return results, and a line for each failure.

    Raises
    ------
    CogbenchError
        If the only question is refused before any work.
    """
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), perf_counter()
    failures, good = dict[str, Exception](), list[RunRequest]()
    for question in asked:
        try:
            check_request(question, workspace)
        except CogbenchError as error:
            several = len({q.signal for q in asked}) > 1  # one that is not there does not stop the others
            if len(asked) == 1 or not (several or isinstance(error, UnusableData)):
                raise
            failures |= {line.rstrip("."): error for line in str(error).splitlines()}
        else:
            good.append(question)
    if not good:
        raise UnusableData("\n".join(f"{line}." for line in failures))
    cells = [c for q in good for c in q.cells()]
    outcome = engine.compute(cells, workspace, jobs=jobs, scheduler=scheduler, tell=tell)
    results = []
    for question in good:
        broken = [c for c in question.cells() if c in outcome.failed]
        if broken:
            label = f"{question.estimator.name} on {question.backbone.name}"
            failures[f"{label}: {outcome.reason(broken[0])}"] = outcome.failed[broken[0]]
            continue
        seconds = round(perf_counter() - clock, 3)
        results.append(_result(question, workspace, parts, outcome, started, seconds))
    return results, failures


def check_request(question: RunRequest, workspace: Workspace) -> None:
    """Refuse what cannot work before any work is done: unreadable data or models, a signal the estimator rejects."""
    if question.signal is not None:  # before the tasks, which may have to come from the hub first
        recording = workspace.recording(question.signal)
        refuse = getattr(question.estimator, "refuse", None)
        if refuse is not None:
            try:
                refuse(recording)
            except UnusableData as error:
                raise UnusableData(f"signal {question.signal.name!r}: {error}") from None
    if not question.looks:
        return
    workspace.check(question.tasks)
    question.backbone.origin(workspace.files)


def _result(
    question: RunRequest, workspace: Workspace, parts: Parts, outcome: engine.Outcome, started: str, seconds: float
) -> Result:
    names = tuple(t.name for t in question.tasks)
    cells = question.similarities()
    matrices = [c.matrix(workspace).part(names, names).values for c in cells]
    mean = TaskMatrix.square(names, np.mean(matrices, axis=0))
    predicted = rank(mean)
    oracle = question.oracle.oracle(workspace) if isinstance(question.oracle, TransferPlan) else question.oracle
    recording = workspace.recording(question.signal) if question.signal else None
    touched = _closure(question.cells())
    return Result(
        schema_version=SCHEMA_VERSION,
        estimator=parts.label("estimator", question.estimator),
        options=_plain(options_of(question.estimator)),
        backbone=parts.label("backbone", question.backbone),
        signal=parts.label("signal", question.signal) if question.signal else None,
        suite=question.suite,
        sources=list(names),
        targets=list(names),
        similarity=rows(mean.values),
        by_seed=[rows(m) for m in matrices],
        ranking={t: predicted.order(t) for t in names},
        **against(predicted, oracle, {t.name: t.card.rows for t in question.tasks}),
        uses_oracle=bool(ORACLES_DATA & question.estimator.needs),
        tasks=_task_reports(question, workspace),
        seed_floor=_seed_floor(question, workspace),
        signal_quality=_signal_report(recording) if recording else None,
        notes=[*dict.fromkeys(_notes(question, workspace))],
        details=[c.details(workspace) for c in cells],
        synthetic=[
            *(["tasks"] if any(t.card.synthetic for t in question.tasks) else []),
            *(["signal"] if recording and recording.synthetic else []),
        ],
        provenance=Provenance(
            cogbench=harness_version() or "",
            plugins={p.distribution: p.version for p in parts.plugins if not p.error},
            data={t.name: _data_used(t, workspace) for t in question.tasks} if question.looks else {},
            model={
                **(_origin(question.backbone.origin(workspace.files)) if question.looks else {}),
                **_plain(options_of(question.backbone)),
            },
            settings={t.recipe.task.name: encode(t.filled(workspace).settings) for t in question.trained()},
            seeds=list(question.seeds),
            max_train=question.max_train,
            torch=metadata.version("torch"),
            device=_device() if question.looks else "none",
            started=started,
            seconds=seconds,
            cells=CellCounts(len(touched & outcome.computed), len(touched & outcome.cached)),
        ),
    )


@lru_cache(maxsize=4)  # the same for each estimator and backbone
def _signal_report(recording: Recording) -> SignalReport:
    ceiling = noise_ceiling(recording)
    channels = {s: r.channels for s, r in recording.subjects.items()}
    return SignalReport(
        len(recording.sentences),
        len(recording.subjects),
        {s: list(names) if len(names) <= NAMED else [] for s, names in channels.items()},
        recording.unit,
        recording.origin.id,
        recording.sha256,
        list(recording.notes),
        {s: len(names) for s, names in channels.items()},
        ceiling.summary if ceiling else None,
    )


def _task_reports(question: RunRequest, workspace: Workspace) -> dict[str, TaskReport]:
    found: dict[str, list] = {}
    for cell in question.trained():
        found.setdefault(cell.recipe.task.name, []).append(cell.score(workspace))
    reports = {}
    for task in question.tasks:
        if task.name in found:
            of = found[task.name]
            value, error = (float(np.mean([getattr(s, f) for s in of])) for f in ("value", "standard_error"))
            trivial = of[0].trivial
            learned, further = value - trivial > 2 * error, of[0].further
            mean = {name: float(np.mean([s.further[name] for s in of])) for name in further}
            reports[task.name] = TaskReport(of[0].metric, value, error, trivial, learned, mean, of[0].left_out)
    return reports


def _notes(question: RunRequest, workspace: Workspace) -> Iterator[str]:
    """Yield what a reader should know, of the trainings and of the estimates."""
    for cell in question.trained():
        name, score = cell.recipe.task.name, cell.score(workspace)
        yield from (f"{name}: {note}" for note in cell.notes(workspace))
        if score.left_out:
            yield f"{name}: {score.left_out} examples are left out of {score.metric}, which is not defined for them"
    for similarity in question.similarities():
        yield from similarity.notes(workspace)


def _seed_floor(question: RunRequest, workspace: Workspace) -> float | None:
    """Return the mean correlation of one task's stimulus RDM between seeds."""
    if len(question.seeds) < 2 or "representations" not in question.estimator.needs or question.signal is None:
        return None
    found = []
    for task in question.tasks:
        encodings = [Encoding(c.training(task), question.signal) for c in question.similarities()]
        upper = [_rdm(e.representations(workspace)) for e in encodings]
        correlations = np.corrcoef(upper)
        found.append(correlations[np.triu_indices(len(upper), 1)].mean())
    return float(np.mean(found))


def _rdm(patterns: np.ndarray) -> np.ndarray:
    """Return the upper triangle of 1 - Pearson's r between rows: (n_stimuli * (n_stimuli - 1) / 2,)."""
    return 1 - np.corrcoef(patterns)[np.triu_indices(len(patterns), 1)]


def _data_used(task: Task, workspace: Workspace) -> DataUsed:
    train, evaluation = workspace.dataset(task, "train"), workspace.dataset(task, "evaluation")
    return DataUsed(train.origin.id, train.origin.revision, len(train), len(evaluation), train.sha256)


def _closure(cells: Iterable[Cell]) -> set[Cell]:
    found: set[Cell] = set()
    waiting = list(cells)
    while waiting:
        cell = waiting.pop()
        if cell not in found:
            found.add(cell)
            waiting += cell.inputs()
    return found


def _origin(origin: Origin) -> dict[str, str | None]:
    return {"id": origin.id, "revision": origin.revision}


def _plain(held: dict[str, Any]) -> dict[str, Any]:
    return {k: encode(v) for k, v in held.items()}


def _device() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
