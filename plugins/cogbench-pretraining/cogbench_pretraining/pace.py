"""How long a step of a masked training takes here, told from a second of it."""

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from cogbench import Files, Masker, Settings

if TYPE_CHECKING:
    from torch import Tensor

SOME_TEXTS = 1000  # of a corpus; the length of a row is told by these


class Enough(Exception):
    """Ends a training whose pace is known."""


class Timed:
    """A masker that notes when each step has its loss, and ends the training after so many seconds."""

    def __init__(self, masker: Masker, seconds: float) -> None:
        self.masker, self.seconds, self.times = masker, seconds, list[float]()

    def __call__(self, rows: Sequence[Any]) -> "dict[str, Tensor]":
        """Return a batch of rows with masks."""
        return self.masker(rows)

    def learn(self, labels: "Tensor", logits: "Tensor", loss: float) -> None:
        """Hear of a step."""
        self.masker.learn(labels, logits, loss)
        self.times.append(perf_counter())
        if len(self.times) > 1 and self.times[-1] - self.times[0] >= self.seconds:
            raise Enough


def seconds_a_step(
    member: Any,
    texts: Sequence[str],
    settings: Settings,
    *,
    files: Files,
    masker: Callable[[Any], Masker],
    seconds: float = 1.0,
) -> float:
    """Return what a step of `cogbench.TrainsMasked.train_masked` takes here, on one thread as workers have it."""
    import torch

    timed, threads = list[Timed](), torch.get_num_threads()
    some = random.Random(0).sample(texts, min(SOME_TEXTS, len(texts)))

    def make(tokenizer: Any) -> Timed:
        timed.append(Timed(masker(tokenizer), seconds))
        return timed[0]

    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            # Far more steps than a second has: `Enough` ends them.
            member.train_masked(some, settings, 1000, seed=0, files=files, out=Path(folder), masker=make)
    except Enough:
        pass
    finally:
        torch.set_num_threads(threads)
    times = timed[0].times
    return (times[-1] - times[0]) / (len(times) - 1)
