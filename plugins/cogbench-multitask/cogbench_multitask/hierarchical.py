"""A hierarchy of tasks: the auxiliary tasks are learned at a lower layer of the target's encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cogbench import Backbone, Dataset, Files, Origin, UnusableData

from .encoders import cut_layers, layers_of, share_encoder
from .together import Arrangement, SeveralTasks, Shares


@dataclass(frozen=True)
class Hierarchical(SeveralTasks):
    """Hard sharing of the lower layers: the heads of the auxiliary tasks stand at a layer of the target's encoder.

    The model of an auxiliary task is the first layers of the target's, and a pooler is shared where both have one. It
    is saved as a model of so many layers.

    Parameters
    ----------
    name, backbone, shares
        As for `joint`.
    auxiliary_weight : float
        The weight of the loss of each auxiliary task; that of the target is 1. The order of the tasks matters here, so
        a training answers for the target alone.
    layer : int
        At which layer the auxiliary tasks' heads stand; 1 is the lowest. With all layers it is `joint`.

    References
    ----------
    Søgaard & Goldberg (2016), Deep multi-task learning with low level tasks supervised at lower layers, ACL.
    Hashimoto, Xiong, Tsuruoka & Socher (2017), A joint many-task model: growing a neural network for multiple NLP
    tasks, EMNLP.
    """

    # Raise it whenever trainings give other numbers: it stands in keys in place of this code.
    answers: ClassVar[int] = 1
    sharing: ClassVar[str] = "hierarchical"

    name: str = "hierarchical"
    backbone: Backbone | None = None
    auxiliary_weight: float = 1.0
    shares: Shares = "uniform"
    layer: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layer < 1:
            raise UnusableData(f"{self.name}: layer={self.layer}; expected 1, the lowest, or more.")

    def origin(self, files: Files) -> Origin:
        """Return the origin of the model that is trained; raise UnusableData if it has no such layer."""
        self._check_layer(self._unadapted(files))
        return super().origin(files)

    def arrange(self, models: Sequence[Any], datasets: Sequence[Dataset], *, seed: int, files: Files) -> Arrangement:
        """Leave each other model the lower layers, which are those of the first model, in place."""
        self._check_layer(models[0].base_model)
        for model in models[1:]:
            cut_layers(model.base_model, self.layer)
            share_encoder(models[0], model)
        return Arrangement()

    def _check_layer(self, encoder: Any) -> None:
        if self.layer > (n_layers := len(layers_of(encoder))):
            raise UnusableData(f"{self.name}: layer={self.layer}, but the encoder has {n_layers} layers.")
