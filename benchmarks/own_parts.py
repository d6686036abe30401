"""Parts of the benchmarks: they stand in a module of their own, because worker processes import it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from cogbench import Array, Card, Dataset, Files, Origin, Recording, Responses, load_parts
from cogbench.testing.toys import ToyBackbone


@dataclass(frozen=True)
class Sample:
    """A task with a sample of its evaluation split, so that what is timed is training and not a long evaluation."""

    name: str
    kind: str
    metric: str
    card: Card
    suite: str = ""
    evaluation_rows: int = 200

    def load(self, split: Literal["train", "evaluation"], files: Files) -> Dataset:
        """Read one split of the task of this name."""
        dataset = load_parts().find("task", self.name).load(split, files)
        return dataset if split == "train" else dataset.sample(self.evaluation_rows)


@dataclass(frozen=True)
class Idle(ToyBackbone):
    """A backbone that trains for one step."""

    name: str = "idle"

    def settings(self, kind, n_examples):
        """Return one epoch."""
        return replace(super().settings(kind, n_examples), epochs=1)


@dataclass(frozen=True)
class WideBackbone(ToyBackbone):
    """A toy whose representations are as wide as a transformer's."""

    name: str = "wide-toy"
    dims: int = 768

    def represent(self, checkpoint: object, sentences: tuple[str, ...], files: Files) -> Array:
        """Return (n_sentences, dims) random numbers, half of each the same for all tasks."""
        common, own = (
            np.random.default_rng(seed).normal(size=(len(sentences), self.dims)) for seed in (0, hash_of(checkpoint))
        )
        return np.asarray(common + own, np.float32)


@dataclass(frozen=True)
class WideSignal:
    """Channels that read the representations' common part, with noise."""

    subjects: int = 5
    stimuli: int = 200
    channels: int = 500
    name: str = "wide"

    def read(self, files: Files) -> Recording:
        """Make the recording."""
        common = np.random.default_rng(0).normal(size=(self.stimuli, 768))
        recorded = {}
        for number in range(self.subjects):
            rng = np.random.default_rng(100 + number)
            responses = common @ rng.normal(size=(768, self.channels)) / 28 + rng.normal(
                size=(self.stimuli, self.channels)
            )
            recorded[f"S{number}"] = Responses(responses, tuple(f"c{i}" for i in range(self.channels)))
        sentences = tuple(f"sentence {i}" for i in range(self.stimuli))
        return Recording(sentences, recorded, "none", Origin("random numbers"), synthetic=True)


def hash_of(checkpoint: object) -> int:
    """Return a number for a trained model, the same in each process."""
    return 1 if checkpoint is None else int.from_bytes(Path(checkpoint.folder, "encoder.npy").read_bytes()[-8:], "big")  # type: ignore[attr-defined]
