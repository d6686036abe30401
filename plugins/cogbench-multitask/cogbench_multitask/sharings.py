"""The ways of sharing: which parameters of the tasks' models are the same, and what pulls the others together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cogbench import Backbone, UnusableData, hookimpl

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

    def arrange(self, models: Sequence[Any]) -> Arrangement:
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

    name: str = "soft"
    backbone: Backbone | None = None
    auxiliary_weight: float | None = None
    shares: Shares = "uniform"
    penalty: float = 0.01

    def __post_init__(self) -> None:
        if self.penalty < 0:
            raise UnusableData(f"{self.name}: penalty={self.penalty}; expected 0 or more.")

    def arrange(self, models: Sequence[Any]) -> Arrangement:
        """Pull the encoders of the models towards each other."""
        from itertools import combinations

        def distance() -> Any:
            weights = [common_weights(model, models) for model in models]
            pairs = (pair for one, other in combinations(weights, 2) for pair in zip(one, other, strict=True))
            return self.penalty * sum((a - b).square().sum() for a, b in pairs)

        return Arrangement(penalty=distance)


def share_encoder(owner: Any, model: Any) -> None:
    """Let a model have the weights of another one's encoder in place of its own, as far as both have them."""
    of_owner = dict(owner.base_model.named_parameters())
    for place, module in model.base_model.named_modules():
        for name, weight in module.named_parameters(recurse=False):
            other = of_owner.get(f"{place}.{name}" if place else name)
            if other is not None and other.shape == weight.shape:
                setattr(module, name, other)


def common_weights(model: Any, models: Sequence[Any]) -> list[Any]:
    """Return the weights of a model's encoder that the encoders of all models have, in the order of their names.

    Embeddings come last; their rows are those of the same words in all models.
    """
    names = sorted(set.intersection(*({*_weights(one)} for one in models)))
    own = _weights(model)
    return [*(own[name] for name in names), model.get_input_embeddings().weight]


def _weights(model: Any) -> dict[str, Any]:
    words = {id(weight) for weight in model.get_input_embeddings().parameters()}
    return {name: weight for name, weight in model.base_model.named_parameters() if id(weight) not in words}


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """Add the ways of sharing; each takes the backbone that `--backbone` names."""
    return [Joint(), Soft()]
