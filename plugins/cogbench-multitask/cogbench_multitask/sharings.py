"""The ways of sharing: which parameters of the tasks' models are the same, and what pulls the others together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cogbench import Backbone, Dataset, Files, hookimpl

from .cross_stitch import CrossStitch
from .encoders import common_weights, share_encoder
from .hierarchical import Hierarchical
from .label_embedding import LabelEmbedding
from .together import Arrangement, SeveralTasks, Shares


@dataclass(frozen=True)
class Joint(SeveralTasks):
    """Hard sharing: one encoder for all tasks, with a head for each.

    Parameters
    ----------
    name : str
        What it is called here.
    backbone : Backbone, optional
        The one whose encoder and heads are trained.
    auxiliary_weight : float, optional
        The weight of the loss of each auxiliary task; that of the target is 1. None: all tasks weigh alike, and one
        training answers for each of them.
    shares : {"uniform", "proportional", "annealed"}
        How many rows of each task a step reads.

    References
    ----------
    Caruana (1997), Multitask learning, Machine Learning 28.
    """

    # Raise it whenever trainings give other numbers: it stands in keys in place of this code.
    answers: ClassVar[int] = 1
    sharing: ClassVar[str] = "joint"

    name: str = "joint"
    backbone: Backbone | None = None
    auxiliary_weight: float | None = None
    shares: Shares = "uniform"

    def arrange(self, models: Sequence[Any], datasets: Sequence[Dataset], *, seed: int, files: Files) -> Arrangement:
        """Give all models the encoder of the first, in place."""
        for model in models[1:]:
            share_encoder(models[0], model)
        return Arrangement()


@dataclass(frozen=True)
class Soft(SeveralTasks):
    """Soft sharing: an encoder for each task, and a penalty on the squared distance between each two of them.

    Parameters
    ----------
    name, backbone, auxiliary_weight, shares
        As for `joint`.
    penalty : float
        By which the distance, a sum over all weights of the encoders, is multiplied.

    References
    ----------
    Duong, Cohn, Bird & Cook (2015), Low resource dependency parsing: cross-lingual parameter sharing in a neural
    network parser, ACL.
    """

    answers: ClassVar[int] = 1
    sharing: ClassVar[str] = "soft"
    separate: ClassVar[bool] = True

    name: str = "soft"
    backbone: Backbone | None = None
    auxiliary_weight: float | None = None
    shares: Shares = "uniform"
    penalty: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expect_finite("penalty", self.penalty)

    def arrange(self, models: Sequence[Any], datasets: Sequence[Dataset], *, seed: int, files: Files) -> Arrangement:
        """Pull the encoders of the models towards each other."""
        from itertools import combinations

        def distance() -> Any:
            weights = [common_weights(model, models) for model in models]
            pairs = (pair for one, other in combinations(weights, 2) for pair in zip(one, other, strict=True))
            return self.penalty * sum((a - b).square().sum() for a, b in pairs)

        return Arrangement(penalty=distance)


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """Add the ways of sharing; each takes the backbone that `--backbone` names."""
    return [Joint(), Soft(), CrossStitch(), Hierarchical(), LabelEmbedding()]
