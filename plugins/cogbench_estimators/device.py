"""Where arrays are computed: by torch on the GPU or the processor, or by numpy where torch is not installed."""

from functools import cache
from typing import Any

import numpy as np

from cogbench import Array

Tensor = Any  # of torch; an array of numpy where torch is not installed


@cache
def library() -> Any:
    """Return torch, or numpy where torch is not installed.

    The mathematics of CRA and ridge regression are written once, in the names and arguments that both libraries have.
    """
    try:
        import torch
    except ModuleNotFoundError:
        return np
    return torch


def device() -> str:
    """Return the name that torch gives the device: "cuda" or "cpu"."""
    xp = library()
    return "cuda" if xp is not np and xp.cuda.is_available() else "cpu"


def has_bf16() -> bool:
    """Whether the device itself computes products of bf16; where they are emulated they are slower than fp32."""
    import torch

    if device() == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


def to_device(values: Array) -> Tensor:
    """Return an array as one of the `library` on the device, of the same shape; on the processor they share memory."""
    xp = library()
    return values if xp is np else xp.from_numpy(values).to(device())


def to_numpy(values: Tensor) -> Array:
    """Return an array of the `library` as one of numpy."""
    return values if library() is np else values.cpu().numpy()


def zeros(*shape: int) -> Tensor:
    """Return an array of the `library` on the device: zeros in float64."""
    xp = library()
    return xp.zeros(shape, dtype=xp.float64, device=device())


def in_double(values: Tensor) -> Tensor:
    """Return an array of the `library` in float64."""
    return library().asarray(values, dtype=library().float64)
