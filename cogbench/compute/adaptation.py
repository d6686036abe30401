"""Adaptation: the training of a backbone before any task, as a cell of its own, and the backbone that comes of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from ..data.files import Files
from ..parts.interfaces import Backbone
from ..parts.recipe import Checkpoint, Settings
from ..text import slug
from .workspace import Cell, Workspace, trained_as

if TYPE_CHECKING:
    from torch import Tensor

B = TypeVar("B")
Batch = dict[str, "Tensor"]


@runtime_checkable
class Adapts(Backbone, Protocol):
    """A backbone whose model is trained before any task; one training serves all tasks and seeds.

    The harness calls `adapt` once, keeps its folder, and then calls the verbs of what `after_adaptation` returns in
    place of this backbone's own `train`, `represent`, `model` and `batches`. Before that it asks for the `origin`: the
    revision changes with all that changes the adapted model, such as the hash of a corpus, and a model that cannot be
    adapted is refused. With a method `cost_of_adaptation(files)`, which returns the seconds and the bytes that it takes
    here, `--dry-run` tells them.
    """

    def adapt(self, files: Files, out: Path) -> Checkpoint:
        """Train the model into the empty folder `out`."""

    def after_adaptation(self, folder: Path, files: Files) -> Backbone:
        """Return the backbone that starts from what `adapt` has left in a folder."""


@runtime_checkable
class Masker(Protocol):
    """What masks the tokens of a training: it is called for each batch, and told of each step."""

    def __call__(self, rows: Sequence[Any]) -> Batch:
        """Return a batch of encoded rows with masked `input_ids`, and `labels` that are -100 where nothing is masked.

        The rows have `special_tokens_mask` and `offset_mapping` beside what the model reads.
        """

    def learn(self, labels: "Tensor", logits: "Tensor", loss: float) -> None:
        """Hear of a step: what was right at the masked places (n_masked,), the logits there (n_masked, n_tokens)."""


@runtime_checkable
class TrainsMasked(Backbone, Protocol):
    """A backbone that lends another one its model, to be trained as a masked language model."""

    def unmaskable(self, files: Files) -> str | None:
        """Return why the model cannot be trained as a masked language model, or None if it can."""

    def train_masked(
        self,
        texts: Sequence[str],
        settings: Settings,
        steps: int,
        *,
        seed: int,
        files: Files,
        out: Path,
        masker: Callable[[Any], Masker],
    ) -> Checkpoint:
        """Train the model to tell the masked tokens of texts; save it without that head into the empty folder `out`.

        A text that is longer than the model reads goes on in a further row.

        Parameters
        ----------
        texts : sequence of str
            At least one.
        settings : Settings
            Learning rate, warm-up, size of a batch, length of a text and precision.
        steps : int
            How many steps of the optimiser; after 0 the saved model is the pre-trained one, to the bit.
        seed : int
            Of a head that the model's files lack, of the order of the texts and of dropout.
        out : Path
            An empty folder.
        masker : callable
            From the model's tokenizer to what masks.
        """

    def starting_from(self, folder: Path, files: Files) -> Backbone:
        """Return this backbone with the model that `train_masked` has saved in place of its own."""


@dataclass(frozen=True)
class Adaptation:
    """The training of a backbone before any task."""

    backbone: Adapts
    MODEL: ClassVar[str] = "model"

    @property
    def place(self) -> str:
        return f"{slug(self.backbone.name)}/adaptation"

    def inputs(self, workspace: Workspace) -> tuple[Cell, ...]:
        return tuple(cell for member in _members(self.backbone).values() for cell in adaptations(member))

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        model = workspace.identity(self.backbone.origin(workspace.files))
        return {"backbone": trained_as(self.backbone, workspace), "model": model}

    def compute(self, workspace: Workspace, out: Path) -> None:
        model, clock = out / self.MODEL, perf_counter()
        model.mkdir()
        checkpoint = _with_ready_members(self.backbone, workspace).adapt(workspace.files, model)
        report = {"steps": checkpoint.steps, "notes": checkpoint.notes, "seconds": round(perf_counter() - clock, 3)}
        (out / "adaptation.json").write_text(json.dumps(report))

    def notes(self, workspace: Workspace) -> tuple[str, ...]:
        """Return what the backbone told of its training."""
        return tuple(json.loads((workspace.folder(self) / "adaptation.json").read_text())["notes"])

    def result(self, workspace: Workspace) -> Backbone:
        """Return the backbone that comes of it, training it if need be."""
        backbone = _with_ready_members(self.backbone, workspace)
        return backbone.after_adaptation(workspace.folder(self) / self.MODEL, workspace.files)


def adaptations(backbone: Backbone) -> tuple[Adaptation, ...]:
    """Return the trainings before any task that a backbone or its members need; none for nearly all backbones."""
    if adapts(backbone):
        return (Adaptation(backbone),)  # type: ignore[arg-type]
    return tuple(cell for member in _members(backbone).values() for cell in adaptations(member))


def ready(backbone: Backbone, workspace: Workspace) -> Backbone:
    """Return the backbone whose verbs train and represent: itself, or what comes of its adaptation, done if need be."""
    if adapts(backbone):
        return Adaptation(backbone).result(workspace)  # type: ignore[arg-type]
    return _with_ready_members(backbone, workspace)


def adapts(backbone: Any) -> bool:
    """Whether a backbone is trained before any task."""
    return callable(getattr(type(backbone), "adapt", None))


def _with_ready_members(backbone: B, workspace: Workspace) -> B:
    members = {n: m for n, m in _members(backbone).items() if adaptations(m)}
    if not members:
        return backbone
    return replace(backbone, **{name: ready(member, workspace) for name, member in members.items()})  # type: ignore[type-var]


def _members(backbone: Any) -> dict[str, Backbone]:
    """Return the backbones among a backbone's fields."""
    if not is_dataclass(backbone):
        return {}
    values = {field.name: getattr(backbone, field.name) for field in fields(backbone)}
    return {name: value for name, value in values.items() if is_dataclass(value) and isinstance(value, Backbone)}
