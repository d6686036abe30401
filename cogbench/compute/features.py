"""Features of examples: what a model makes of a task's examples, computed once for all estimators that ask for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.dataset import Array
from ..data.features import AnswerKind, FeatureOptions, Features, WeightChange, sketch
from ..errors import UnusableData
from ..parts.interfaces import Backbone, Task
from ..text import slug
from .cells import Training, key_of_sample
from .workspace import Cell, Workspace

if TYPE_CHECKING:
    from torch import Tensor

ANSWERS = frozenset({"labels", "start_positions", "end_positions"})  # what batches hold beside the model's inputs


@dataclass(frozen=True)
class FeatureExtraction:
    """A task's training examples as the model of a training sees them, or the bare backbone where there is none."""

    backbone: Backbone
    training: Training | None
    task: Task
    options: FeatureOptions
    max_train: int | None = None  # the training examples that the task's own training saw

    @property
    def place(self) -> str:
        model = self.training.place if self.training else f"{slug(self.backbone.name)}/bare"
        return f"{model}/features-{slug(self.task.name)}"

    def inputs(self) -> tuple[Cell, ...]:
        return (self.training,) if self.training else ()

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        train = workspace.dataset(self.task, "train")
        examples, seed = self.options.examples, self.options.seed
        topped_up = train.is_topped_up(self.max_train) or train.sample(self.max_train).is_topped_up(examples, seed)
        return {
            "backbone": [workspace.identity(p) for p in (self.backbone, self.backbone.origin(workspace.files))],
            "options": workspace.identity(self.options),
            "data": train.sha256,
            "max_train": self.max_train,
            **key_of_sample(topped_up),
        }

    def compute(self, workspace: Workspace, out: Path) -> None:
        checkpoint = self.training.checkpoint(workspace) if self.training else None
        model = self.backbone.model(checkpoint, workspace.files)
        dataset = workspace.dataset(self.task, "train").sample(self.max_train)
        dataset = dataset.sample(self.options.examples, self.options.seed)
        features = extract_features(model, self.backbone.batches(dataset, workspace.files), self.options)
        arrays: dict[str, Any] = vars(features)
        np.savez(out / "features.npz", **arrays)

    def features(self, workspace: Workspace) -> Features:
        """Return the features, computing them if need be."""
        with np.load(workspace.folder(self) / "features.npz") as arrays:
            return Features(**{**arrays, "answer_kind": str(arrays["answer_kind"])})  # type: ignore[arg-type]


def extract_features(model: Any, batches: Iterable[Mapping[str, "Tensor"]], options: FeatureOptions) -> Features:
    """Run batches through a model and return what it makes of them; `options` says which hidden states.

    Parameters
    ----------
    model : torch module
        `model(**inputs, output_hidden_states=True)` gives `hidden_states` and, if it has a head, `logits`.
    batches : iterable of mappings
        Encoded examples with their answers.
    options : FeatureOptions
    """
    import torch

    values, answers, kinds, probabilities, layer_sizes = [], [], [], [], np.empty(0, int)
    for batch in batches:
        with torch.inference_mode():
            out = model(**{k: v for k, v in batch.items() if k not in ANSWERS}, output_hidden_states=True)
        states = out.hidden_states[1:] if options.layers == "all" else out.hidden_states[-1:]
        layers = [pooled(s, batch.get("attention_mask"), options.pooling) for s in states]
        layer_sizes = np.array([layer.shape[1] for layer in layers])
        values.append(np.concatenate(layers, axis=1))
        answer, kind = _answers(batch)
        answers.append(answer)
        kinds.append(kind)
        probabilities.append(_probabilities(out))
    return Features(
        values=np.concatenate(values).astype(np.float32),
        layer_sizes=layer_sizes,
        answers=np.concatenate(answers),
        answer_kind=kinds[0],
        probabilities=np.concatenate(probabilities),
    )


def weight_change(before: Mapping[str, Array], after: Mapping[str, Array]) -> WeightChange:
    """Return how the weights that both mappings have changed.

    Raises
    ------
    UnusableData
        If there are none.
    """
    names = tuple(name for name, weight in after.items() if name in before and weight.shape == before[name].shape)
    if not names:
        raise UnusableData("a trained model and the bare encoder share no weights.")
    changes = [after[name] - before[name] for name in names]
    return WeightChange(
        names=names,
        initial_norms=np.array([np.linalg.norm(before[name]) for name in names]),
        change_norms=np.array([np.linalg.norm(change) for change in changes]),
        sketches=np.stack([sketch(change) for change in changes]),
    )


def pooled(states: "Tensor", mask: "Tensor | None", pooling: str) -> Array:
    """Return one vector an example, (batch, dims), of states (batch, tokens, dims); NaN where it has no token."""
    states = states.float()
    if pooling == "cls":
        return states[:, 0].cpu().numpy()
    mask = states.new_ones(states.shape[:2]) if mask is None else mask.to(states.dtype)
    return ((states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)).cpu().numpy()


def _answers(batch: Mapping[str, "Tensor"]) -> tuple[Array, AnswerKind]:
    """Return each row's answer (batch,), and of which kind the answers are."""
    labels = batch.get("labels")
    if labels is None or (labels.ndim == 2 and labels.shape[1] > 1) or labels.ndim > 2:
        return np.zeros(len(next(iter(batch.values()))), int), "neither"
    answers = labels.cpu().numpy()
    if answers.ndim == 2:  # whether a passage is relevant
        return answers[:, 0].astype(int), "classes"
    return answers, "classes" if answers.dtype.kind == "i" else "numbers"


def _probabilities(out: Any) -> Array:
    """Return the head's probabilities (batch, n_classes); without columns if it does not choose one class a row."""
    logits = getattr(out, "logits", None)
    if logits is None or logits.ndim != 2 or logits.shape[1] < 2:
        return np.empty((len(out.hidden_states[-1] if logits is None else logits), 0))
    return logits.double().softmax(dim=1).cpu().numpy()
