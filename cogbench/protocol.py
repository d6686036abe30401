"""One run, read from top to bottom: question, cells, matrix, ranking, scores, result."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from . import engine
from .cells import Cell, Encoding, Training, Workspace
from .errors import CogbenchError, FailedCells, UnusableData
from .evidence import Similarity
from .files import Files, home
from .loading import Parts, load
from .parts import Backbone, Estimator, Signal, Task, distribution_of, encode, options
from .ranking import rank, scores
from .records import Oracle, TaskMatrix
from .result import SCHEMA_VERSION, Cells, DataUsed, OracleUsed, Provenance, Result, SignalReport, TaskReport, rows
from .setting import check_targets, varied
from .store import Store
from .transfer import measured, read_oracle, trainings

MEASURED = "measured"
STIMULI = frozenset({"representations", "responses"})  # what needs a signal
log = logging.getLogger("cogbench")


@dataclass(frozen=True, eq=False)
class Question:
    """One thing to find out: how well an estimator ranks the source tasks of a suite, on a backbone."""

    estimator: Estimator
    backbone: Backbone
    tasks: tuple[Task, ...]
    signal: Signal | None
    oracle: Oracle | Literal["measured"] | None
    oracle_backbone: Backbone  # another than `backbone` in a cross-PLM evaluation
    suite: str
    seeds: tuple[int, ...] = (0,)
    max_train: int | None = None

    def similarities(self) -> list[Similarity]:
        """Return the cells of the estimator's matrices, one a seed."""
        # The order of the tasks changes no matrix, so it must change no key.
        tasks = tuple(sorted(self.tasks, key=lambda t: t.name))
        return [Similarity(self.estimator, self.backbone, tasks, self.signal, s, self.max_train) for s in self.seeds]

    def trained(self) -> list[Training]:
        """Return the trainings whose scores tell whether the tasks were learned; none if no model is asked for."""
        if not {"representations", "models", "transfers"} & self.estimator.needs:
            return []
        return [cell.training(t) for cell in self.similarities() for t in cell.tasks]

    def transfers(self) -> list[Training]:
        """Return the trainings of the oracle, if it is to be measured."""
        if self.oracle != MEASURED:
            return []
        return [c for s in self.seeds for c in trainings(self.oracle_backbone, self.tasks, s, self.max_train).values()]

    def cells(self) -> list[Cell]:
        """Return all cells whose results this question reads."""
        return [*self.similarities(), *self.trained(), *self.transfers()]


def questions(
    parts: Parts,
    estimators: Iterable[str | Estimator],
    backbones: Iterable[str | Backbone],
    *,
    suite: str = "cogtaskonomy",
    tasks: Sequence[str | Task] | None = None,
    signals: Sequence[str | Signal] = (),
    oracle: str | Oracle | None = None,
    oracle_backbone: str | Backbone | None = None,
    sets: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    max_train: int | None = None,
) -> list[Question]:
    """Resolve names into one question for each estimator, backbone and signal, with their options varied by `sets`.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown, or too few tasks are asked for.
    """

    def found(kind: str, asked: Iterable[Any]) -> list[Any]:
        return [v for a in asked for v in varied(parts.find(kind, a) if isinstance(a, str) else a, sets)]

    of_suite = parts.find("suite", suite)
    task_parts = tuple(found("task", tasks or of_suite.tasks))
    if len(task_parts) < 3 or len({t.name for t in task_parts}) < len(task_parts):
        raise UnusableData("a ranking of sources needs at least three tasks, each named once.")
    rankers, bones = found("estimator", estimators), found("backbone", backbones)
    stimuli = found("signal", signals or [of_suite.signal]) if any(STIMULI & e.needs for e in rankers) else []
    check_targets(sets, [*task_parts, *rankers, *bones, *stimuli])
    common = (of_suite.name, tuple(seeds), max_train)
    asked = []
    for backbone in bones:
        truth = found("backbone", [oracle_backbone])[0] if oracle_backbone else backbone
        table = _oracle(parts, oracle or dict(of_suite.oracles).get(truth.name), [t.name for t in task_parts])
        for ranker in rankers:
            for signal in stimuli if STIMULI & ranker.needs else [None]:
                asked.append(Question(ranker, backbone, task_parts, signal, table, truth, *common))
    return asked


def _oracle(parts: Parts, asked: str | Oracle | None, tasks: list[str]) -> Oracle | Literal["measured"] | None:
    if asked is None or asked == MEASURED:
        return asked  # type: ignore[return-value]
    if isinstance(asked, str):
        file = asked not in parts.oracles and Path(asked).suffix in (".csv", ".tsv", ".json")
        asked = read_oracle(Path(asked)) if file else parts.find("oracle", asked)
    return asked.part(tasks)  # type: ignore[union-attr]


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
        `suite`, `tasks`, `signals`, `oracle`, `oracle_backbone`, `sets`, `seeds`, `max_train`: see `cogbench run --help`.

    Returns
    -------
    list of Result
        One for each estimator, backbone and signal.

    Raises
    ------
    CogbenchError
        As the command line would print it; FailedCells if no result could be made.

    Examples
    --------
    >>> cogbench.run("cra", "minilm-2l", suite="mini")[0].scores.trs  # doctest: +SKIP
    """
    parts = parts or load()
    several = [[p] if isinstance(p, str) or not isinstance(p, Sequence) else p for p in (estimator, backbone)]
    found = questions(parts, *several, **asked)
    workspace = Workspace(files or Files(), store or Store(home()))
    results, failures = answer(found, workspace, parts, jobs=jobs)
    if failures:
        raise FailedCells("; ".join(failures))
    return results


def answer(
    asked: Sequence[Question],
    workspace: Workspace,
    parts: Parts,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    tell: engine.Tell | None = None,
) -> tuple[list[Result], list[str]]:
    """Compute what is missing for these questions and answer each; return results, and a line for each failure.

    Raises
    ------
    CogbenchError
        If the only question is refused before any work.
    """
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), perf_counter()
    failures, good = [], []
    for question in asked:
        try:
            check(question, workspace)
        except CogbenchError as error:
            if len(asked) == 1 or not isinstance(error, UnusableData):
                raise
            failures.append(str(error))
        else:
            good.append(question)
    if not good:
        raise UnusableData("; ".join(dict.fromkeys(failures)))
    cells = [c for q in good for c in q.cells()]
    outcome = engine.compute(cells, workspace, jobs=jobs, scheduler=scheduler, tell=tell)
    results = []
    for question in good:
        broken = [c for c in question.cells() if c in outcome.failed]
        if broken:
            label = f"{question.estimator.name} on {question.backbone.name}"
            failures.append(f"{label}: {_first_line(outcome.failed[broken[0]])}")
            continue
        seconds = round(perf_counter() - clock, 3)
        results.append(_result(question, workspace, parts, outcome, started, seconds))
    return results, list(dict.fromkeys(failures))


def outlook(asked: Sequence[Question], workspace: Workspace, jobs: int | None = None) -> str:
    """Return the plan of a run in words: cells done and to do, the time and the disk that they will take."""
    for question in asked:
        check(question, workspace)
    missing, there = engine.plan([c for q in asked for c in q.cells()], workspace)
    trainings_left = [c for c in missing if isinstance(c, Training)]
    lines = [f"{len(there)} cells are in the store {workspace.store.root}, {len(missing)} are to be computed:"]
    kinds = {type(c).__name__: sum(type(d) is type(c) for d in missing) for c in missing}
    lines += [f"  {count} × {kind.lower()}" for kind, count in kinds.items()]
    if trainings_left:
        lines.append(_cost(trainings_left, workspace, max(1, engine.workers() if jobs is None else jobs)))
    return "\n".join(lines)


def _cost(cells: Sequence[Training], workspace: Workspace, spread: int) -> str:
    """Return the expected time and disk of some trainings, from a measured second of one for each task and backbone."""
    known: dict[tuple[str, str], tuple[float, int]] = {}
    for cell in cells:
        measure = getattr(cell.backbone, "cost", None)
        if measure is None:
            return f"  time and disk: unknown, for backbone {cell.backbone.name!r} cannot tell its cost"
        key = (cell.backbone.name, cell.recipe.task.name)
        if key not in known:
            known[key] = measure(cell.filled(workspace), workspace.files)
    costs = [(known[c.backbone.name, c.recipe.task.name], c) for c in cells]
    minutes = sum(seconds for (seconds, _), _ in costs) / spread / 60
    disk = sum(size for (_, size), c in costs if not c.recipe.start) / 2**20
    return (
        f"  time: about {minutes:.1f} minutes of training on {spread} worker(s), from a measured second of each task\n"
        f"  disk: about {disk:,.0f} MiB of weights, those of transfers not counted: they are dropped once scored"
    )


def check(question: Question, workspace: Workspace) -> None:
    """Refuse what cannot work before any work is done: unreadable data or models, a signal the estimator rejects."""
    for task in question.tasks:
        for split in ("train", "evaluation"):
            workspace.dataset(task, split)  # type: ignore[arg-type]
    question.backbone.source(workspace.files)
    if question.signal is None:
        return
    recording = workspace.recording(question.signal)
    refuse = getattr(question.estimator, "refuse", None)
    if refuse is not None:
        refuse(recording)


def _result(
    question: Question, workspace: Workspace, parts: Parts, outcome: engine.Outcome, started: str, seconds: float
) -> Result:
    names = tuple(t.name for t in question.tasks)
    cells = question.similarities()
    matrices = [c.matrix(workspace).part(names, names).values for c in cells]
    mean = TaskMatrix.square(names, np.mean(matrices, axis=0))
    predicted = rank(mean)
    oracle = _truth(question, workspace)
    true = rank(oracle.transfers) if oracle else None
    recording = workspace.recording(question.signal) if question.signal else None
    touched = _closure(question.cells())
    return Result(
        schema_version=SCHEMA_VERSION,
        estimator=parts.label("estimator", question.estimator),
        options=_plain(options(question.estimator)),
        backbone=parts.label("backbone", question.backbone),
        signal=parts.label("signal", question.signal) if question.signal else None,
        suite=question.suite,
        sources=list(names),
        targets=list(names),
        oracle=OracleUsed(oracle.name, oracle.backbone, oracle.kind, oracle.source) if oracle else None,
        similarity=rows(mean.values),
        by_seed=[rows(m) for m in matrices],
        ranking={t: predicted.order(t) for t in names},
        oracle_ranks={t: _ranks_of(true, t) for t in names} if true else None,
        scores=scores(predicted, true, oracle) if true and oracle else None,
        baselines={"random": float(np.mean([(np.isfinite(c).sum() + 1) / 2 for c in true.ranks.T]))} if true else {},
        tasks=_task_reports(question, workspace),
        seed_floor=_seed_floor(question, workspace),
        signal_quality=SignalReport(
            len(recording.sentences),
            len(recording.subjects),
            {s: list(r.channels) for s, r in recording.subjects.items()},
            recording.unit,
            recording.source.id,
            list(recording.notes),
        )
        if recording
        else None,
        notes=list(dict.fromkeys(n for c in cells for n in c.notes(workspace))),
        provenance=Provenance(
            cogbench=metadata.version(distribution_of(__name__) or "cogbench-toolkit"),
            plugins={p.distribution: p.version for p in parts.plugins if not p.error},
            data={t.name: _data_used(t, workspace) for t in question.tasks},
            model=encode_source(question.backbone.source(workspace.files)),
            settings={t.recipe.task.name: encode(t.filled(workspace).settings) for t in question.trained()},
            seeds=list(question.seeds),
            max_train=question.max_train,
            torch=metadata.version("torch"),
            device=_device(),
            started=started,
            seconds=seconds,
            cells=Cells(len(touched & outcome.computed), len(touched & outcome.cached)),
        ),
    )


def _truth(question: Question, workspace: Workspace) -> Oracle | None:
    if question.oracle != MEASURED:
        return question.oracle
    return measured(
        question.oracle_backbone,
        question.tasks,
        workspace,
        suite=question.suite,
        seeds=question.seeds,
        max_train=question.max_train,
    )


def _task_reports(question: Question, workspace: Workspace) -> dict[str, TaskReport]:
    found: dict[str, list] = {}
    for cell in question.trained():
        found.setdefault(cell.recipe.task.name, []).append(cell.score(workspace))
    reports = {}
    for task in question.tasks:
        if task.name in found:
            of = found[task.name]
            value, error = (float(np.mean([getattr(s, f) for s in of])) for f in ("value", "standard_error"))
            trivial = of[0].trivial
            reports[task.name] = TaskReport(of[0].metric, value, error, trivial, value - trivial > 2 * error)
    return reports


def _seed_floor(question: Question, workspace: Workspace) -> float | None:
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
    return DataUsed(train.source.id, train.source.revision, len(train), len(evaluation), train.sha256)


def _ranks_of(ranking: Any, target: str) -> dict[str, float]:
    column = ranking.ranks[:, ranking.targets.index(target)]
    return {s: float(r) for s, r in zip(ranking.sources, column, strict=True) if np.isfinite(r)}


def _closure(cells: Iterable[Cell]) -> set[Cell]:
    found: set[Cell] = set()
    waiting = list(cells)
    while waiting:
        cell = waiting.pop()
        if cell not in found:
            found.add(cell)
            waiting += cell.inputs()
    return found


def encode_source(source: Any) -> dict[str, str | None]:
    """Return a source as a result writes it."""
    return {"id": source.id, "revision": source.revision}


def _plain(held: dict[str, Any]) -> dict[str, Any]:
    return {k: encode(v) for k, v in held.items()}


def _device() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0 if isinstance(error, CogbenchError) else -1] if lines else type(error).__name__


