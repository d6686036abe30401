"""A source whose trained model somebody has; and what stands for the pre-trained model where nobody names it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..data.dataset import Array, Card, Dataset, Split
from ..data.files import Files
from ..errors import MissingData, WrongOption
from ..parts.interfaces import Backbone
from ..parts.recipe import Checkpoint, Recipe, Settings, Task
from ..storage.origin import Origin

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

WITHOUT_HEAD = "encoder"  # the kind of a checkpoint whose head answers none of the known kinds of task


@dataclass(frozen=True)
class GivenCheckpoint:
    """A task that brings its own trained model: a source that is not trained.

    Parameters
    ----------
    name : str
        What the source is called.
    backbone : Backbone
        The trained model as a pre-trained one: its body with its own tokenizer. A target is trained from it.
    kind : str
        The kind of task that the model's head answers; "encoder" for a model without such a head.
    data : Task, optional
        The examples of the task that the model was trained on. Without them nothing of the source but its model is
        known, and it can be no target.
    """

    name: str
    backbone: Backbone
    kind: str = WITHOUT_HEAD
    data: Task | None = None

    @property
    def suite(self) -> str:
        """The suite of the examples."""
        return self.data.suite if self.data else "given"

    @property
    def metric(self) -> str:
        """The metric that scores the model on its examples; none without examples."""
        return self.data.metric if self.data else ""

    @property
    def further(self) -> tuple[str, ...]:
        """More metrics of the examples."""
        return getattr(self.data, "further", ())

    @property
    def card(self) -> Card:
        """What is published of the task, as far as it is known which task it is."""
        return self.data.card if self.data else Card(rows=0, licence="", description="")

    def trained_like(self, backbone: Backbone) -> Backbone:
        """Return the checkpoint's model as one that is trained in the way of another backbone: its tuning and settings.

        So a gain over that backbone is the checkpoint's, and not one of other settings. A model that cannot be trained
        in another way (it has no verb `trained_like`) is trained in its own.
        """
        like: Callable[[Backbone], Backbone] | None = getattr(self.backbone, "trained_like", None)
        return like(backbone) if like is not None else self.backbone

    def load(self, split: Split, files: Files) -> Dataset:
        """Read one split of the examples.

        Raises
        ------
        UnusableData
            If there are none.
        """
        if self.data is None:
            raise WrongOption(
                f"checkpoint {self.name!r} has no examples of its own task, which the estimator reads: "
                f"name them with --checkpoint-data {self.name}=FILE."
            )
        return self.data.load(split, files)


@dataclass(frozen=True)
class NoBackbone:
    """Stands for the pre-trained model where checkpoints are given without one: whatever needs it is refused."""

    name: str = "given-checkpoints"

    def origin(self, files: Files) -> Origin:
        """Raise MissingData."""
        self._refuse()

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Raise MissingData."""
        self._refuse()

    def train(self, recipe: Recipe, files: Files, out: Path, start: Checkpoint | None = None) -> Checkpoint:
        """Raise MissingData."""
        self._refuse()

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: Files) -> Array:
        """Raise MissingData."""
        self._refuse()

    def model(self, checkpoint: Checkpoint | None, files: Files) -> "Module":
        """Raise MissingData."""
        self._refuse()

    def batches(self, dataset: Dataset, files: Files) -> "Iterator[Mapping[str, Tensor]]":
        """Raise MissingData."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise MissingData(NO_BACKBONE)


NO_BACKBONE = (
    "this needs the pre-trained model that the checkpoints were trained from, or one like it: name it with --backbone."
)
