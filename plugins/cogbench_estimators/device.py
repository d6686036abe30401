"""Where tensors are computed: on the GPU where there is one, otherwise on the processor."""

from typing import TYPE_CHECKING

from cogbench import Array

if TYPE_CHECKING:
    from torch import Tensor


def device() -> str:
    """Return the name that torch gives the device: "cuda" or "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def to_device(values: Array) -> "Tensor":
    """Return an array as a tensor on the device, of the same shape and type; on the processor they share memory."""
    import torch

    return torch.from_numpy(values).to(device())
