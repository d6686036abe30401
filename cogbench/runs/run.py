"""One run, read from top to bottom: request, cells, matrix, ranking, scores, result."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from ..compute.estimate import ranks_nothing
from ..compute.transfers import TransferPlan
from ..compute.workspace import Cell, Progress, Workspace, workspace_of
from ..data.files import Files
from ..data.oracle import TaskMatrix
from ..errors import CogbenchError, FailedCells, UnusableData, WrongOption
from ..packs.table_evidence import TableRequest
from ..parts.fingerprint import harness_version
from ..parts.interfaces import ORACLES_DATA, Backbone, Estimator, OraclePart, PackPart, Signal
from ..parts.recipe import Task
from ..parts.registry import Parts
from ..results.result import SCHEMA_VERSION, CellCounts, CheckpointUsed, Provenance, Result, against, rows
from ..scoring.ranking import rank
from ..storage.store import Cost, Store
from ..workers import engine
from ..workers.progress import with_progress
from .background import background_of, device_name, encoded_options, seed_floor, torch_version
from .pack_requests import (
    PackRequest,
    oracles_asked,
    requests_of_each,
    resolve_pack_requests,
    resolve_table_requests,
)
from .requests import MEASURED, RunRequest, Several, as_list, resolve_requests
from .stimuli import refuse_without_responses

log = logging.getLogger("cogbench")
ModelRequest: TypeAlias = RunRequest | PackRequest
Request: TypeAlias = ModelRequest | TableRequest


@with_progress
def run(
    estimator: Several[Estimator],
    backbone: Several[Backbone] = (),
    *,
    pack: Several[PackPart] = (),
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    signal: Several[Signal] = (),
    stimuli: Several[Signal] = (),
    oracle: Several[OraclePart] | None = None,
    oracle_backbone: str | Backbone | None = None,
    set: Several[str] = (),
    seeds: str | int | Sequence[int] = (0,),
    max_train: int | None = None,
    max_train_target: int | None = None,
    skip_unsuitable: bool = False,
    checkpoints: Any = (),
    checkpoint_data: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
    files: Files | None = None,
    store: Store | None = None,
    parts: Parts | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress = False,
) -> list[Result]:
    """Rank source tasks with estimators and score the rankings; the parameters are the options of `cogbench run`.

    Parameters
    ----------
    estimator, backbone : str, part, or several
        The names of installed parts, or parts of your own.
    pack : str, Pack, or several
        Evidence packs by name or file, in place of backbones: the estimators read what a pack holds of a backbone, a
        suite, a signal and an oracle, so that no data, model or training is needed. Beside it count `tasks`, `oracle`
        and the options of estimators alone.
    suite : str
        The suite gives the tasks and, where `signal` and `oracle` are not given, these too.
    tasks : str, Task, or several, optional
        Some tasks of the suite, or other tasks. One text may hold several names with commas between them.
    signal : str, Signal, or several
        Recordings: stimuli with the responses to them. The default is the suite's usual signal.
    stimuli : str, Signal, or several
        What estimators read that need sentences and no responses: a text file with one sentence a line, or a signal.
        The default is `signal`; in place of a usual signal that is not at hand it is `neutral`, and a note says so.
    oracle : str, OraclePart, or several, optional
        The oracles that score the rankings: names, by commas too, files, a family, "published" for all oracles of
        publications, or "measured", which runs all transfers. The default is the suite's oracle for the backbone. A
        ranking without an oracle is not scored. Without backbone, checkpoints and pack the tasks are the oracle's own,
        and the estimators those that read transfers and cards alone.
    oracle_backbone : str or Backbone, optional
        Score against this backbone's oracle (cross-PLM).
    set : str or several
        Options of parts, `PART.OPTION=VALUE[,VALUE…]`. Each of several values gives a result of its own.
    seeds : int, several, or a text by commas
        The seeds of the trainings.
    max_train : int, optional
        Train each task on at most this number of examples, a stratified sample.
    max_train_target : int, optional
        The same of a task as the target of transfers. An estimator then sees no more examples of a target, nor a model
        that was trained on more of them. The default is `max_train`.
    skip_unsuitable : bool
        Whether to leave out the tasks that a backbone cannot be trained on, such as tagging where transformers has no
        head for it. Otherwise they are refused before anything is trained.
    checkpoints : str, Path, mapping, GivenCheckpoint, or several
        Trained models that somebody has, as the sources in place of the tasks, which are targets then:
        `NAME=FOLDER_OR_HUB_ID[@REVISION]`, a csv file (name, model, revision, kind, task, data), a mapping of names to
        folders or hub ids, or `GivenCheckpoint`s. They are read where they are, and not trained. `backbone` is then the
        pre-trained model that they come from, for estimators that read it.
    checkpoint_data : mapping of str to str, Path or Task
        The examples that single checkpoints were trained on, for estimators that read them.
    files, store, parts : Files, Store, Parts, optional
        Where data, the results of cells, and parts come from. The defaults are the hub with its cache, the user's store
        and the installed parts.
    jobs : int, optional
        The number of worker processes; 0 computes in this process. The default is the number this machine can carry.
    scheduler : str, optional
        The address of a dask scheduler, whose workers then compute.
    progress : bool or callable
        True shows on stderr how far the run is; a callable is called with a `Step` at the start and after each cell.

    Returns
    -------
    list of Result
        One for each estimator, backbone and signal.

    Raises
    ------
    CogbenchError
        With the line that the command would print. FailedCells means that a result could not be made; the store keeps
        all cells that were computed.

    Examples
    --------
    >>> cogbench.run("cra", "minilm-2l", suite="mini")[0].scores.trs.value  # doctest: +SKIP
    """
    workspace = workspace_of(files=files, store=store, parts=parts, jobs=jobs, scheduler=scheduler, progress=progress)
    requests = resolve_run(
        workspace,
        estimator,
        backbone,
        pack=pack,
        suite=suite,
        tasks=tasks,
        signal=signal,
        stimuli=stimuli,
        oracle=oracle,
        oracle_backbone=oracle_backbone,
        set=set,
        seeds=seeds,
        max_train=max_train,
        max_train_target=max_train_target,
        skip_unsuitable=skip_unsuitable,
        checkpoints=checkpoints,
        checkpoint_data=checkpoint_data,
    )
    results, failures = answer_requests(requests, workspace)
    if failures:
        raise FailedCells(f"{'; '.join(failures)}.")
    return results


def resolve_run(
    workspace: Workspace,
    estimator: Several[Estimator],
    backbone: Several[Backbone] = (),
    *,
    pack: Several[PackPart] = (),
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    signal: Several[Signal] = (),
    stimuli: Several[Signal] = (),
    oracle: Several[OraclePart] | None = None,
    oracle_backbone: str | Backbone | None = None,
    set: Several[str] = (),
    seeds: str | int | Sequence[int] = (0,),
    max_train: int | None = None,
    max_train_target: int | None = None,
    skip_unsuitable: bool = False,
    checkpoints: Any = (),
    checkpoint_data: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
) -> Sequence[Request]:
    """Resolve the names of a run into requests, of packs or of backbones.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown, there is neither a backbone nor a pack, or both.
    """
    oracles = oracles_asked(workspace.parts, oracle)
    if not as_list(backbone) and not as_list(checkpoints) and not as_list(pack) and oracles not in ([None], [MEASURED]):
        return resolve_table_requests(workspace, estimator, oracles, tasks=tasks, set=set)
    if as_list(pack):
        if as_list(backbone) or as_list(signal) or as_list(stimuli) or as_list(checkpoints):
            raise WrongOption(
                "a pack has its own backbone, signal and models: leave out backbone, signal, stimuli and checkpoints."
            )
        return requests_of_each(
            oracles, lambda one: resolve_pack_requests(workspace, estimator, pack, tasks=tasks, oracle=one, set=set)
        )
    if not as_list(backbone) and not as_list(checkpoints):
        raise WrongOption(
            "name a backbone with --backbone, trained models with --checkpoint, an evidence pack with --pack, or an "
            "oracle with --oracle for estimators that read transfers alone."
        )
    resolve = partial(
        resolve_requests,
        workspace,
        estimator,
        backbone,
        suite=suite,
        tasks=tasks,
        signal=signal,
        stimuli=stimuli,
        oracle_backbone=oracle_backbone,
        set=set,
        seeds=seeds,
        max_train=max_train,
        max_train_target=max_train_target,
        skip_unsuitable=skip_unsuitable,
        checkpoints=checkpoints,
        checkpoint_data=checkpoint_data,
    )
    return requests_of_each(oracles, lambda one: resolve(oracle=one))


def answer_requests(requests: Sequence[Request], workspace: Workspace) -> tuple[list[Result], dict[str, Exception]]:
    """Compute what is missing for these requests and answer each; return results, and a line for each failure.

    Raises
    ------
    CogbenchError
        If the only request is refused before any work.
    """
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), perf_counter()
    failures, good = dict[str, Exception](), list[Request]()
    for request in requests:
        try:
            check_request(request, workspace)
        except CogbenchError as error:
            several = len({r.signal for r in requests}) > 1  # one that is not there does not stop the others
            if len(requests) == 1 or not (several or isinstance(error, UnusableData)):
                raise
            failures |= {line.rstrip("."): error for line in str(error).splitlines()}
        else:
            good.append(request)
    if not good:
        raise UnusableData("\n".join(f"{line}." for line in failures))
    outcome = engine.compute([c for r in good for c in r.cells()], workspace)
    results = []
    uses = Counter(cell for r in good for cell in _closure(r.cells(), workspace))
    for request in good:
        if isinstance(request, TableRequest):
            results.append(request.result())
            continue
        broken = [c for c in request.cells() if c in outcome.failed]
        if broken:
            label = f"{request.estimator.name} on {request.backbone.name}"
            failures[f"{label}: {outcome.reason(broken[0])}"] = outcome.failed[broken[0]]
            continue
        seconds = round(perf_counter() - clock, 3)
        results.append(_result(request, workspace, outcome, started, seconds, uses))
        asks = bool(request.estimator.needs)  # one that asks for nothing, as `random`, is not expected to rank
        if asks and (words := ranks_nothing(results[-1].matrix)):
            log.warning(f"{results[-1].estimator} on {results[-1].backbone}: {words}.")
    return results, failures


def check_request(request: Request, workspace: Workspace) -> None:
    """Refuse what cannot work before any work is done: unreadable data or models, a signal the estimator rejects."""
    if isinstance(request, TableRequest):  # which was checked when it was made
        return
    if request.signal is not None:  # before the tasks, which may have to come from the hub first
        recording = workspace.recording(request.signal)
        if isinstance(request, RunRequest):
            suite = workspace.parts.suites[request.suite]
            refuse_without_responses(request.estimator, request.signal, recording=recording, suite=suite)
        elif "responses" in request.estimator.needs and not recording.subjects:
            raise UnusableData(
                f"pack {request.card.name!r} holds no responses, which estimator {request.estimator.name!r} needs."
            )
        refuse = getattr(request.estimator, "refuse", None)
        if refuse is not None:
            try:
                refuse(recording)
            except UnusableData as error:
                raise UnusableData(f"signal {request.signal.name!r}: {error}") from None
    if isinstance(request, PackRequest) or not request.looks:
        return
    workspace.check(request.tasks)
    if request.has_backbone:
        request.backbone.origin(workspace.files)


def _result(
    request: ModelRequest,
    workspace: Workspace,
    outcome: engine.Outcome,
    started: str,
    seconds: float,
    uses: Mapping[Cell, int],
) -> Result:
    parts = workspace.parts
    sources, targets = ([t.name for t in tasks] for tasks in (request.sources, request.tasks))
    estimates = [cell.estimate(workspace) for cell in request.similarities()]
    matrices = [estimate.matrix.part(sources, targets).values for estimate in estimates]
    mean = TaskMatrix(tuple(sources), tuple(targets), np.mean(matrices, axis=0))
    predicted = rank(mean)
    oracle = request.oracle.oracle(workspace) if isinstance(request.oracle, TransferPlan) else request.oracle
    background = background_of(request, workspace)
    touched = _closure(request.cells(), workspace)
    computed, details = touched & outcome.computed, [estimate.details for estimate in estimates]
    cost = _cost(request, details, workspace)
    return Result(
        schema_version=SCHEMA_VERSION,
        estimator=parts.label("estimator", request.estimator),
        options=encoded_options(request.estimator, workspace),
        backbone=parts.label("backbone", request.backbone),
        signal=parts.label("signal", request.signal) if request.signal else None,
        suite=request.suite,
        tuning=getattr(request.backbone, "tuning", "full"),
        sources=sources,
        targets=targets,
        similarity=rows(mean.values),
        by_seed=[rows(m) for m in matrices],
        ranking={t: predicted.order(t) for t in targets},
        **against(mean, oracle, {t.name: t.card.rows for t in request.sources}),
        uses_oracle=bool(ORACLES_DATA & request.estimator.needs),
        tasks=background.tasks,
        seed_floor=seed_floor(request, workspace),
        signal_quality=background.signal_quality,
        notes=[*dict.fromkeys([*background.notes, *(note for estimate in estimates for note in estimate.notes)])],
        details=details,
        synthetic=background.synthetic,
        provenance=Provenance(
            cogbench=harness_version() or "",
            plugins={p.distribution: p.version for p in parts.plugins if not p.error},
            data=background.data,
            model=background.model,
            settings=background.settings,
            seeds=list(request.seeds),
            max_train=request.max_train,
            max_train_target=request.max_train_target if isinstance(request, RunRequest) else None,
            torch=torch_version(),
            device=device_name() if request.looks else "none",
            started=started,
            seconds=seconds,
            cells=CellCounts(len(computed), len(touched & outcome.cached), sum(uses[cell] > 1 for cell in computed)),
            pack=request.pack_used if isinstance(request, PackRequest) else None,
            checkpoints=_checkpoints_used(request, workspace),
            estimator_seconds=cost.seconds,
            estimator_forward=cost.forward,
            estimator_backward=cost.backward,
        ),
    )


def _checkpoints_used(request: ModelRequest, workspace: Workspace) -> dict[str, CheckpointUsed]:
    """Return where each given checkpoint came from, and what tells its files from any others."""
    if isinstance(request, PackRequest):
        return {one.name: one.origin for one in request.card.checkpoints if one.origin is not None}
    origins = {given.name: given.backbone.origin(workspace.files) for given in request.checkpoints}
    return {name: CheckpointUsed(origin.id, workspace.files.contents(origin)) for name, origin in origins.items()}


def _cost(request: ModelRequest, details: Sequence[Mapping[str, Any]], workspace: Workspace) -> Cost:
    """Return what an estimator took, with trainings of its own: its details tell their seconds, not their passes.

    Nobody knows either what went through models before it came into a pack.
    """
    cost = workspace.cost_of_estimator(request.similarities())
    trainings = [own for one in details if isinstance(own := one.get("cost"), dict)]
    if not trainings and not isinstance(request, PackRequest):
        return cost
    seconds = None if cost.seconds is None else cost.seconds + sum(own.get("seconds", 0.0) for own in trainings)
    return Cost(None if seconds is None else round(seconds, 3))


def _closure(cells: Iterable[Cell], workspace: Workspace) -> set[Cell]:
    closure: set[Cell] = set()
    waiting = list(cells)
    while waiting:
        cell = waiting.pop()
        if cell not in closure:
            closure.add(cell)
            waiting += cell.inputs(workspace)
    return closure
