"""Cross-stitch sharing: an encoder for each task, and learned matrices that mix what their layers compute."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cogbench import Array, Backbone, Checkpoint, Dataset, Files, Origin, UnusableData, encoder_of

from .encoders import layers_of
from .together import Arrangement, SeveralTasks, Shares, folder_of_task

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

FILE = "stitches.safetensors"
AFTER_THE_LAYERS = (
    "pooler",
    "norm",
    "final_norm",
    "final_layernorm",
    "ln_f",
)  # what an encoder may do with its last state


@dataclass(frozen=True)
class CrossStitch(SeveralTasks):
    """Learned sharing: an encoder for each task, whose states of one text are mixed after each layer.

    A text goes through the encoders of all tasks at once. After the embeddings and after each layer, the state of
    encoder i becomes the sum over all encoders j of a[i, j] times the state of j. The matrices a, one for each place,
    are learned with the weights.

    Parameters
    ----------
    name, backbone, auxiliary_weight, shares
        As for `joint`.
    keep : float
        The diagonal of each matrix at the start; the rest of 1 is shared out equally among the other encoders.
    pace : float
        How many times faster the matrices are learned than the weights. With 10 their numbers move by up to some tenths
        in a training. With 100 they leave the range from 0 to 1 on a small model, whose steps are large.
    frozen : bool
        Whether the matrices stay as they are at the start. With `keep=1` the tasks are learned apart.

    References
    ----------
    Misra, Shrivastava, Gupta & Hebert (2016), Cross-stitch networks for multi-task learning, CVPR; their
    pace was 100 to 1000.
    """

    # Raise it whenever trainings give other numbers: it stands in keys in place of this code.
    answers: ClassVar[int] = 1
    sharing: ClassVar[str] = "cross-stitch"
    separate: ClassVar[bool] = True
    passes: ClassVar[Any] = "all"

    name: str = "cross-stitch"
    backbone: Backbone | None = None
    auxiliary_weight: float | None = None
    shares: Shares = "uniform"
    keep: float = 0.9
    pace: float = 10.0
    frozen: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.keep <= 1:
            raise UnusableData(f"{self.name}: keep={self.keep}; expected a share, from 0 to 1.")
        self._expect_finite("pace", self.pace)

    def origin(self, files: Files) -> Origin:
        """Return the origin of the model that is trained; raise UnusableData if it cannot be stitched."""
        refuse_unstitchable(self._unadapted(files))
        return super().origin(files)

    def arrange(self, models: Sequence[Any], datasets: Sequence[Dataset], *, seed: int, files: Files) -> Arrangement:
        """Stitch the encoders of the models together, in place."""
        encoders = [model.base_model for model in models]
        refuse_unstitchable(encoders[0])
        mixing = learned_mixing(self.keep, self.pace, n_places=1 + len(layers_of(encoders[0])), n_tasks=len(models))
        mixing.requires_grad_(not self.frozen)
        stitch(encoders, mixing, seed)

        def write_matrices(folder: Path) -> None:
            import torch
            from safetensors.torch import save_file

            matrices = torch.stack([mixing(place).detach().cpu() for place in range(mixing.n_places)])
            save_file({"matrices": matrices}, folder / FILE)

        return Arrangement(further=None if self.frozen else mixing, settle=write_matrices)

    def model(self, checkpoint: Checkpoint | None, files: Files) -> "Module":
        """Return the target's trained module, stitched to those of the other tasks; or the bare encoder."""
        if checkpoint is None or not (checkpoint.folder / FILE).is_file():
            return super().model(checkpoint, files)
        from safetensors.torch import load_file

        matrices = load_file(checkpoint.folder / FILE)["matrices"]  # (n_places, n_tasks, n_tasks)
        folders = [folder_of_task(checkpoint.folder, place) for place in range(matrices.shape[1])]
        models = [self._alone.model(Checkpoint(folder), files) for folder in folders]
        stitch([model.base_model for model in models], matrices.__getitem__, seed=0)
        return models[0]

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: Files) -> Array:
        """Return (n_sentences, n_dims) float32 of the target's model, stitched to those of the other tasks."""
        encoder = encoder_of(self.model(checkpoint, files))
        vectors: Array = self._alone.vectors(encoder, sentences, files)
        return vectors


def learned_mixing(keep: float, pace: float, *, n_places: int, n_tasks: int) -> Any:
    """Return a module that gives for each place a matrix (n_tasks, n_tasks), at the start the same for all places."""
    import torch

    class Mixing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.n_places = n_places
            start = torch.full((n_tasks, n_tasks), (1 - keep) / max(1, n_tasks - 1)).fill_diagonal_(keep)
            self.start: Tensor
            self.register_buffer("start", start)
            # An optimiser such as Adam moves each number by its learning rate, whatever the gradient's length is.
            self.change = torch.nn.Parameter(torch.zeros(n_places, n_tasks, n_tasks))

        def forward(self, place: int) -> "Tensor":
            return self.start + pace * self.change[place]

    return Mixing()


def refuse_unstitchable(encoder: Any) -> None:
    """Raise UnusableData if an encoder is not embeddings and a list of layers, the one after the other."""
    import torch

    kind = type(encoder).__name__
    layers = {id(weight) for weight in layers_of(encoder).parameters()}
    if not isinstance(embeddings := getattr(encoder, "embeddings", None), torch.nn.Module):
        raise UnusableData(
            f"{kind} has no module `embeddings`, so its states cannot be mixed: take a backbone such as BERT, or the "
            "sharing joint or soft."
        )
    inside = layers | {id(weight) for weight in embeddings.parameters()}
    for name, weight in encoder.named_parameters():
        if id(weight) not in inside and not {*name.split(".")} & {*AFTER_THE_LAYERS}:
            raise UnusableData(
                f"{kind} has weights between its layers or beside them, such as {name}, so its states cannot be mixed: "
                "take a backbone such as BERT, or the sharing joint or soft."
            )


def stitch(encoders: "Sequence[Module]", mixing: "Callable[[int], Tensor]", seed: int) -> None:
    """Let each encoder mix its states with those that all encoders have of its text, in place.

    No encoder gets weights or names of another one: what the others compute of its text goes beside it.

    Parameters
    ----------
    encoders : sequence of (n_tasks,) modules
        Of one architecture.
    mixing : callable
        From the place, 0 for the embeddings and 1 and more for the layers, to a matrix (n_tasks, n_tasks).
    seed : int
        Of the dropout of the others: an encoder's own dropout is as it would be alone.
    """
    for own in range(len(encoders)):
        _Lockstep(own, encoders, mixing, seed)


class _Lockstep:
    """The way of one task's texts through all encoders."""

    def __init__(self, own: int, encoders: "Sequence[Any]", mixing: "Callable[[int], Tensor]", seed: int) -> None:
        self.own, self.mixing = own, mixing
        self.states = list["Tensor"]()  # of all encoders, of the text that is on its way
        self.seeds = random.Random(f"{seed} {own}")
        places = [[encoder.embeddings for encoder in encoders], *zip(*map(layers_of, encoders), strict=True)]
        for place, modules in enumerate(places):
            hook = partial(self.mix, place, modules, place == len(places) - 1)
            modules[own].register_forward_hook(hook, with_kwargs=True)

    def mix(
        self,
        place: int,
        modules: "Sequence[Module]",
        last: bool,
        own_module: "Module",
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        output: Any,
    ) -> Any:
        """Return the mixed state of the own encoder in place of its module's output."""
        states = []
        with self._random_numbers_of_others(_state(output).device):
            for encoder, module in enumerate(modules):
                if encoder == self.own:
                    states.append(_state(output))
                    continue
                if module.training != own_module.training:
                    module.train(own_module.training)
                if place:
                    args, kwargs = _with_state(self.states[encoder], args, kwargs)
                states.append(_state(module.forward(*args, **kwargs)))  # past its hooks, which are for its own texts
        matrix = self.mixing(place).to(states[0].device)
        self.states = [] if last else [_weighted_sum(row, states) for row in matrix]
        mixed = _weighted_sum(matrix[self.own], states) if last else self.states[self.own]
        return (mixed, *output[1:]) if isinstance(output, tuple) else mixed

    @contextmanager
    def _random_numbers_of_others(self, device: Any) -> Iterator[None]:
        import torch

        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(self.seeds.getrandbits(63))
            yield


def _state(output: Any) -> "Tensor":
    """Return the hidden state (batch, tokens, dims) of a module's output."""
    state: Tensor = output[0] if isinstance(output, tuple) else output
    return state


def _with_state(
    state: "Tensor", args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a layer's arguments with another hidden state; it is the first of them."""
    if args:
        return (state, *args[1:]), kwargs
    return (), {**kwargs, "hidden_states": state}


def _weighted_sum(weights: "Tensor", states: "Sequence[Tensor]") -> "Tensor":
    total = weights[0] * states[0]
    for weight, state in zip(weights[1:], states[1:], strict=True):
        total = total + weight * state
    return total
