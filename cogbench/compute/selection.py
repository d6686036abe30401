"""Data selection: the weights of a source's training examples for a target, as a cell, and what selectors may ask."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from ..combining.selected import SelectedTask, split_in_folds
from ..data.dataset import Array, Dataset, draw_rows
from ..data.files import Files
from ..data.kinds import TASK_KINDS
from ..errors import UnusableData
from ..parts.interfaces import Backbone
from ..parts.recipe import Checkpoint, Recipe, RowChoice, Selector, Settings, Task, TransferOptions
from ..scoring.metrics import mean_score, score_outputs
from ..text import slug
from .adaptation import adaptations, ready
from .workspace import Cell, Workspace

USUAL_TRIAL = TransferOptions()


@dataclass(frozen=True)
class RowWeights:
    """What a selector gives the training examples of a source for a target."""

    backbone: Backbone
    source: Task
    target: Task
    selector: Selector
    seed: int = 0
    max_source: int | None = None
    max_target: int | None = None
    share: float | None = None  # of the rows that are kept, for a selector that uses it

    @property
    def place(self) -> str:
        return (
            f"{slug(self.backbone.name)}/rows-of-{slug(self.source.name)}-for-{slug(self.target.name)}"
            f"/{slug(self.selector.name)}-seed-{self.seed}"
        )

    def inputs(self, workspace: Workspace) -> tuple[Cell, ...]:
        return adaptations(self.backbone)

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        parts = (self.backbone, self.backbone.origin(workspace.files), self.selector, self.source, self.target)
        return {
            "parts": [workspace.identity(part) for part in parts],
            "seed": self.seed,
            "most": [self.max_source, self.max_target],
            **({} if self.share is None else {"share": self.share}),
            "data": [workspace.dataset(task, "train").sha256 for task in (self.source, self.target)],
        }

    def compute(self, workspace: Workspace, out: Path) -> None:
        evidence = StoredSelectionEvidence(self, ready(self.backbone, workspace), workspace)
        weights = np.asarray(self.selector.weights(evidence), np.float64)
        who = f"selector {self.selector.name!r}, rows of {self.source.name} for {self.target.name}"
        if weights.shape != (len(evidence.source),):
            raise UnusableData(f"{who}: weights of shape {weights.shape} for {len(evidence.source)} rows.")
        if n_bad := int((~np.isfinite(weights)).sum()):
            raise UnusableData(f"{who}: {n_bad} of {len(weights)} weights are not finite, so no rows can be chosen.")
        np.save(out / "weights.npy", weights)

    def weights(self, workspace: Workspace) -> Array:
        """Return (n_source_examples,) float64, computed if need be."""
        return np.load(workspace.folder(self) / "weights.npy")


@dataclass(eq=False)
class StoredSelectionEvidence:
    """What a selector may ask for, as `cogbench.SelectionEvidence` describes it."""

    cell: RowWeights
    backbone: Backbone
    workspace: Workspace

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return self.cell.seed

    @property
    def share(self) -> float:
        """The share of the source's rows that is kept."""
        if self.cell.share is None:
            raise UnusableData(
                f"selector {self.cell.selector.name!r} asks for the share of the rows that is kept: give it the class "
                "attribute uses_share = True."
            )
        return self.cell.share

    @property
    def _files(self) -> Files:
        return self.workspace.files

    @cached_property
    def source(self) -> Dataset:
        """The training examples of the source."""
        return self.workspace.dataset(self.cell.source, "train").sample(self.cell.max_source)

    @cached_property
    def target(self) -> Dataset:
        """The training examples of the target."""
        return self.workspace.dataset(self.cell.target, "train").sample(self.cell.max_target)

    def vectors(self, texts: Sequence[str]) -> Array:
        """Return texts as the bare backbone represents them: (n_texts, n_dims) float32."""
        return np.asarray(self.backbone.represent(None, tuple(texts), self._files), np.float32)

    def gradients(self, examples: int = 100, steps: int = 60, dims: int = 4096) -> tuple[Array, Array]:
        """Return projected gradients of the source's examples, and of a few of the target's."""
        rng = np.random.default_rng(self.seed)
        by_class = TASK_KINDS[self.target.kind].classes
        few = draw_rows(self.target.columns["label"], min(examples, len(self.target)), rng, by_class=by_class)
        every = np.arange(len(self.source))
        with tempfile.TemporaryDirectory() as folder:
            warm = self._train(self._some_target(few, few[:1]), steps, Path(folder))
            of_target = self._gradients(warm, self.target.take(few), dims)
            with_head = self._train(self._some_source(every, every[:1]), steps, Path(folder), warm)
            return self._gradients(with_head, self.source, dims), of_target

    def trial(self, weights: Array, options: TransferOptions = USUAL_TRIAL) -> float:
        """Return the target's metric after a short training on the rows of the source that such weights choose."""
        rows = RowChoice(self.cell.selector, self.cell.target, self.share).choose(weights, self.seed)
        rng, by_class = np.random.default_rng(options.seed), TASK_KINDS[self.target.kind].classes
        n = min(options.examples, len(self.target))
        few = draw_rows(self.target.columns["label"], n, rng, by_class=by_class)
        folds = split_in_folds(self.target.take(few), options.folds, options.seed)
        scores = []
        with tempfile.TemporaryDirectory() as folder:
            source = self._train(self._some_source(rows, rows[:1]), options.steps, Path(folder))
            for fold in range(options.folds):
                task = self._some_target(few[folds != fold], few[folds == fold])
                outputs = self._train(task, options.steps, Path(folder), source).outputs
                train, held_out = (task.load(split, self._files) for split in ("train", "evaluation"))  # type: ignore[arg-type]
                assert outputs is not None
                scores.append(score_outputs(task.metric, outputs, evaluation=held_out, train=train))
        return mean_score(scores).value

    def _some_source(self, rows: Sequence[int] | Array, scored: Sequence[int] | Array) -> SelectedTask:
        return SelectedTask(self.cell.source, self.cell.max_source, rows=_numbers(rows), scored=_numbers(scored))

    def _some_target(self, rows: Sequence[int] | Array, scored: Sequence[int] | Array) -> SelectedTask:
        return SelectedTask(self.cell.target, self.cell.max_target, rows=_numbers(rows), scored=_numbers(scored))

    def _train(self, task: SelectedTask, steps: int, folder: Path, start: Checkpoint | None = None) -> Checkpoint:
        settings = short_settings(self.backbone, task.kind, len(task.rows), steps)
        recipe = Recipe((task,), seed=self.seed, settings=settings)
        out = Path(tempfile.mkdtemp(dir=folder))
        return self.backbone.train(recipe, self._files, out, start)

    def _gradients(self, checkpoint: Checkpoint, dataset: Dataset, dims: int) -> Array:
        """Return the projected gradient of each example's loss: (n_examples, dims) float32."""
        model, bare = (self.backbone.model(weights, self._files) for weights in (checkpoint, None))
        weights = encoder_weights(model, bare)
        project = _projection(sum(weight.numel() for weight in weights), dims)
        gradients = np.zeros((len(dataset), dims), np.float32)
        for row in range(len(dataset)):
            model.zero_grad(set_to_none=True)
            for batch in self.backbone.batches(dataset.take([row]), self._files):
                model(**batch).loss.backward()
            gradients[row] = project([weight.grad for weight in weights])
        return gradients


def short_settings(backbone: Backbone, kind: str, n_examples: int, steps: int) -> Settings:
    """Return a backbone's settings for so few examples, with whole epochs of at least so many steps."""
    usual = backbone.settings(kind, n_examples)
    return replace(usual, epochs=ceil(steps / ceil(n_examples / usual.batch_size)), min_steps=steps)


def encoder_weights(model: Any, bare: Any) -> list[Any]:
    """Return the weights of a model's encoder, in the order of their names, and let them have gradients.

    The bare encoder says which they are. The table of word vectors is left out, for it is most of the weights and an
    example moves few of its rows.
    """
    body = getattr(model, "base_model", model)
    of_bare: Mapping[str, Any] = dict(getattr(bare, "base_model", bare).named_parameters())
    words = getattr(model, "get_input_embeddings", lambda: None)()
    table = {id(weight) for weight in words.parameters()} if words is not None else set()
    own = {
        name: weight
        for name, weight in body.named_parameters()
        if name in of_bare and of_bare[name].shape == weight.shape and id(weight) not in table
    }
    for weight in model.parameters():
        weight.requires_grad_(False)
    return [own[name].requires_grad_() for name in sorted(own)]


def _projection(n_weights: int, dims: int) -> Any:
    """Return what projects the gradients of so many weights: each number is added to, or taken from, one of the sums.

    Inner products stay the same in the mean (a count sketch). The seed is fixed, so that projections of two models
    with the same weights agree.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    places = torch.randint(dims, (n_weights,), generator=generator)
    signs = torch.randint(2, (n_weights,), generator=generator, dtype=torch.int8) * 2 - 1

    def project(gradients: Sequence[Any]) -> Array:
        sums, start = torch.zeros(dims), 0
        for gradient in gradients:
            if gradient is None:  # of a weight that this example does not reach, which the next line would not count
                raise UnusableData("a weight of the encoder has no gradient, so rows cannot be chosen by gradients.")
            flat = gradient.detach().float().cpu().reshape(-1)
            part = slice(start, start + len(flat))
            sums.index_add_(0, places[part], flat * signs[part])
            start += len(flat)
        return sums.numpy()

    return project


def _numbers(rows: Sequence[int] | Array) -> tuple[int, ...]:
    return tuple(int(row) for row in rows)
