"""What a run's results share: how the tasks were learned, on which data, and what the signal was."""

from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from typing import Any

import numpy as np

from ..compute.adaptation import adaptations
from ..compute.cells import Encoding, Training
from ..compute.workspace import Workspace
from ..data.recording import Recording
from ..parts.codec import encode
from ..parts.interfaces import BACKBONES, MODELS
from ..parts.recipe import Task
from ..parts.set_options import options_of
from ..results.result import Background, DataUsed, SignalReport, TaskReport
from ..scoring.noise_ceiling import noise_ceiling
from ..storage.origin import Origin
from .pack_requests import PackRequest
from .requests import RunRequest

NAMED = 1000  # a result names the channels of a subject, but not the voxels of a whole brain


def background_of(request: RunRequest | PackRequest, workspace: Workspace) -> Background:
    """Return the background of a request's result: from the store and the parts that it reads, or from its pack."""
    if isinstance(request, PackRequest):
        return _background_of_pack(request)
    recording = workspace.recording(request.signal) if request.signal else None
    has_model = request.looks and request.has_backbone
    origin = _origin(request.backbone.origin(workspace.files)) if has_model else {}
    return Background(
        tasks=_task_reports(request, workspace),
        data={t.name: _data_used(t, workspace) for t in request.tasks} if request.looks else {},
        model={**origin, **encoded_options(request.backbone, workspace)},
        settings={
            training.task.name: encode(training.filled(workspace).settings)
            for training in request.trained()
            if isinstance(training, Training)
        },
        signal_quality=_signal_report(recording) if recording else None,
        notes=[*dict.fromkeys(_notes(request, workspace))],
        synthetic=[
            *(["tasks"] if any(t.card.synthetic for t in (*request.tasks, *request.checkpoints)) else []),
            *(["signal"] if recording and recording.synthetic else []),
        ],
    )


def _background_of_pack(request: PackRequest) -> Background:
    """Return the background in the card of a pack, of the request's tasks, with a note that the pack is read."""
    card = request.card
    names = {task.name for task in (*request.sources, *request.tasks)}
    needs_models = bool(MODELS & request.estimator.needs)
    whole = card.background
    return Background(
        tasks={name: report for name, report in whole.tasks.items() if name in names and needs_models},
        data={name: data for name, data in whole.data.items() if name in names},
        model=whole.model,
        settings={name: settings for name, settings in whole.settings.items() if name in names},
        signal_quality=whole.signal_quality if request.signal else None,
        notes=[f"the evidence is that of pack {card.name!r}, in half precision", *whole.notes],
        synthetic=[word for word in whole.synthetic if word != "signal" or request.signal],
    )


def encoded_options(part: Any, workspace: Workspace) -> dict[str, Any]:
    """Return a part's options as plain values."""
    return {name: workspace.parts.encode(value) for name, value in options_of(part).items()}


@lru_cache(maxsize=4)  # the same for each estimator and backbone
def _signal_report(recording: Recording) -> SignalReport:
    ceiling = noise_ceiling(recording)
    channels = {subject: responses.channels for subject, responses in recording.subjects.items()}
    return SignalReport(
        sentences=len(recording.sentences),
        subjects=len(recording.subjects),
        channels={subject: list(names) if len(names) <= NAMED else [] for subject, names in channels.items()},
        unit=recording.unit,
        origin=recording.origin.id,
        sha256=recording.sha256,
        notes=list(recording.notes),
        n_channels={subject: len(names) for subject, names in channels.items()},
        reliability=ceiling.summary if ceiling else None,
    )


def _task_reports(request: RunRequest, workspace: Workspace) -> dict[str, TaskReport]:
    scores: dict[str, list] = {}
    for cell in request.trained():
        if (score := cell.score(workspace)) is not None:
            scores.setdefault(cell.task.name, []).append(score)
    reports = {}
    for task in request.sources:
        if task.name in scores:
            of_seeds = scores[task.name]
            value, error = (float(np.mean([getattr(s, f) for s in of_seeds])) for f in ("value", "standard_error"))
            first = of_seeds[0]
            learned = value - first.trivial > 2 * error
            further = {name: float(np.mean([s.further[name] for s in of_seeds])) for name in first.further}
            reports[task.name] = TaskReport(
                metric=first.metric,
                value=value,
                standard_error=error,
                trivial=first.trivial,
                learned=learned,
                further=further,
                left_out=first.left_out,
            )
    return reports


def _notes(request: RunRequest, workspace: Workspace) -> Iterator[str]:
    """Yield what a reader should know of the stimuli, the rows and the trainings."""
    yield from request.notes
    for task in request.tasks if request.looks else ():
        yield from notes_on_rows(task, workspace)
    for adaptation in adaptations(request.backbone) if (MODELS | BACKBONES) & request.estimator.needs else ():
        yield from (f"{adaptation.backbone.name}: {note}" for note in adaptation.notes(workspace))
    for cell in request.trained():
        name, score = cell.task.name, cell.score(workspace)
        yield from (f"{name}: {note}" for note in cell.notes(workspace))
        if score is not None and score.left_out:
            yield f"{name}: {score.left_out} examples are left out of {score.metric}, which is not defined for them"


def notes_on_rows(task: Task, workspace: Workspace) -> Iterator[str]:
    """Yield what a reader should know of a task's rows."""
    yield from workspace.dataset(task, "train").notes
    yield from workspace.dataset(task, "evaluation").notes


def _data_used(task: Task, workspace: Workspace) -> DataUsed:
    train, evaluation = workspace.dataset(task, "train"), workspace.dataset(task, "evaluation")
    return DataUsed(
        id=train.origin.id,
        revision=train.origin.revision,
        rows=len(train),
        evaluation_rows=len(evaluation),
        sha256=train.sha256,
    )


def _origin(origin: Origin) -> dict[str, str | None]:
    whole = {} if origin.contents is None else {"contents": origin.contents}
    return {"id": origin.id, "revision": origin.revision, **whole}


def seed_floor(request: RunRequest | PackRequest, workspace: Workspace) -> float | None:
    """Return the mean correlation of one task's stimulus RDM between seeds."""
    if (
        isinstance(request, PackRequest)
        or len(request.seeds) < 2
        or "representations" not in request.estimator.needs
        or request.signal is None
    ):
        return None
    means = []
    for task in request.tasks:
        encodings = [Encoding(c.training(task), request.signal) for c in request.similarities()]
        upper = [_rdm(e.representations(workspace)) for e in encodings]
        correlations = np.corrcoef(upper)
        means.append(correlations[np.triu_indices(len(upper), 1)].mean())
    return float(np.mean(means))


def _rdm(patterns: np.ndarray) -> np.ndarray:
    """Return the upper triangle of 1 - Pearson's r between rows: (n_stimuli * (n_stimuli - 1) / 2,)."""
    return 1 - np.corrcoef(patterns)[np.triu_indices(len(patterns), 1)]


def torch_version() -> str:
    """Return the installed version of torch, or "none": packs and published oracles need none."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "none"


def device_name() -> str:
    """Return the name of the GPU that torch computes on, or "cpu"."""
    try:
        import torch
    except ModuleNotFoundError:
        return "cpu"
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
