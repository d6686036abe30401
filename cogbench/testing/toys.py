"""A task, a backbone and a signal in memory, that contract checks and tests run on: no network, no real data.

The toy backbone is a linear model on hashed words; torch is only imported when its module is asked for.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.dataset import Array, Card, Dataset, Split
from ..data.oracle import Oracle, TaskMatrix
from ..data.recording import Recording, Responses
from ..parts.recipe import Checkpoint, Recipe, Settings
from ..storage.origin import Origin

if TYPE_CHECKING:
    from ..data.files import Files

WORDS = ("red", "blue", "warm", "cold", "fast", "slow", "old", "new", "big", "small", "near", "far")
NOUNS = ("dog", "cat", "house", "river", "train", "garden", "clock", "letter")
N_BUCKETS, N_DIMS = 64, 8


def _sentences(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    sentences: dict[str, None] = {}
    while len(sentences) < n:
        a, b = rng.choice(WORDS, 2, replace=False)
        c, d = rng.choice(NOUNS, 2, replace=False)
        sentences[f"the {a} {c} is {b} like the {d}"] = None
    return list(sentences)


@dataclass(frozen=True)
class ToyTask:
    """Whether a sentence holds one of a task's own three words; as a number, how many."""

    name: str = "toy-a"
    words: tuple[str, ...] = WORDS[:3]
    kind: str = "classification"
    metric: str = "accuracy"
    suite: str = "toy"
    rows: int = 60
    card: Card = field(default=Card(60, "MIT", "A synthetic task on words.", synthetic=True))

    def load(self, split: Split, files: "Files") -> Dataset:
        """Generate one split."""
        every = _sentences(self.rows * 2, seed=7)
        texts = every[: self.rows] if split == "train" else every[self.rows :]
        counts = [sum(w in t.split() for w in self.words) for t in texts]
        if self.kind == "regression":
            return Dataset(
                self.kind, {"text": texts, "label": [float(c) for c in counts]}, labels=(), origin=Origin("toy")
            )
        return Dataset(
            self.kind,
            {"text": texts, "label": [int(c > 0) for c in counts]},
            labels=("no", "yes"),
            origin=Origin("toy"),
        )


@dataclass(frozen=True)
class ToyBackbone:
    """A fixed random encoding of hashed words that training shifts, and a linear head on it."""

    name: str = "toy"
    rate: float = 0.05

    def origin(self, files: "Files") -> Origin:
        """Return the fixed origin."""
        return Origin("toy", "1")

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Return settings whose number of steps is honoured."""
        return Settings(epochs=60, batch_size=n_examples, learning_rate=self.rate)

    def train(self, recipe: Recipe, files: "Files", out: Path, start: Checkpoint | None = None) -> Checkpoint:
        """Fit encoder and head by full-batch gradient descent on the squared error."""
        train = recipe.task.load("train", files).sample(recipe.max_train)
        rng = np.random.default_rng(recipe.seed)
        encoder = _bare() if start is None else np.load(start.folder / "encoder.npy")
        labels = np.asarray(train.columns["label"])
        goal = np.eye(len(train.labels))[labels] * 2 - 1 if train.labels else labels[:, None].astype(float)
        head = rng.normal(0, 0.3, (N_DIMS, goal.shape[1]))
        words = _bags(train.columns["text"])
        steps = recipe.settings.epochs if recipe.settings else 60
        for _ in range(steps):
            hidden = words @ encoder
            error = (hidden @ head - goal) / len(words)
            head, encoder = head - self.rate * hidden.T @ error, encoder - self.rate * words.T @ (error @ head.T)
        np.save(out / "encoder.npy", encoder)
        np.save(out / "head.npy", head)
        (out / "task.json").write_text(json.dumps({"kind": train.kind}))
        evaluation = recipe.task.load("evaluation", files)
        return Checkpoint(out, _bags(evaluation.columns["text"]) @ encoder @ head, steps)

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: "Files") -> Array:
        """Return (n_sentences, 8)."""
        encoder = _bare() if checkpoint is None else np.load(checkpoint.folder / "encoder.npy")
        return np.asarray(_bags(sentences) @ encoder, np.float32)

    def model(self, checkpoint: Checkpoint | None, files: "Files") -> Any:
        """Return the same as a torch module that gives `.loss`, `.logits` and `.hidden_states`."""
        import torch
        from torch import nn

        encoder = _bare() if checkpoint is None else np.load(checkpoint.folder / "encoder.npy")
        head = None if checkpoint is None else np.load(checkpoint.folder / "head.npy")

        class Output:
            def __init__(self, loss: Any, logits: Any, hidden_states: Any) -> None:
                self.loss, self.logits, self.hidden_states = loss, logits, hidden_states

        class Toy(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.encoder = nn.Parameter(torch.tensor(encoder, dtype=torch.float32))
                self.head = nn.Parameter(torch.tensor(head, dtype=torch.float32)) if head is not None else None

            def forward(self, words: Any, labels: Any = None, output_hidden_states: bool = False) -> Output:
                state = (words @ self.encoder)[:, None, :]  # (batch, 1 token, dims): what the logits are made of
                hidden = state[:, 0]
                logits = hidden @ self.head if self.head is not None else hidden
                loss = None
                if labels is not None:
                    whole = labels.dtype == torch.long
                    loss = (
                        nn.functional.cross_entropy(logits, labels) if whole else ((logits[:, 0] - labels) ** 2).mean()
                    )
                states = (words[:, None, :], state) if output_hidden_states else None
                return Output(loss, logits, states)

        return Toy().eval()

    def batches(self, dataset: Dataset, files: "Files") -> Iterator[Mapping[str, Any]]:
        """Yield batches of 16 examples."""
        import torch

        words = torch.tensor(_bags(dataset.columns["text"]), dtype=torch.float32)
        labels = torch.tensor(dataset.columns["label"])
        for i in range(0, len(labels), 16):
            yield {"words": words[i : i + 16], "labels": labels[i : i + 16]}


@dataclass(frozen=True)
class ToySignal:
    """Twelve channels that count words, with noise, for two subjects."""

    name: str = "toy"
    sentences: int = 40

    def read(self, files: "Files") -> Recording:
        """Generate the recording."""
        stimuli = tuple(_sentences(self.sentences, seed=11))
        channels = np.array([[t.split().count(w) for w in WORDS] for t in stimuli], float)
        rng = np.random.default_rng(3)
        subjects = {s: Responses(channels + rng.normal(0, 0.3, channels.shape), WORDS) for s in ("S1", "S2")}
        return Recording(stimuli, subjects, unit="arbitrary (synthetic)", origin=Origin("toy"), synthetic=True)


def _bags(texts: Any) -> Array:
    """Return how often each hashed word stands in each text: (n_texts, 64)."""
    bags = np.zeros((len(texts), N_BUCKETS))
    for row, text in zip(bags, texts, strict=True):
        for word in text.split():
            row[zlib.crc32(word.encode()) % N_BUCKETS] += 1
    return bags


def _bare() -> Array:
    return np.random.default_rng(0).normal(0, 0.3, (N_BUCKETS, N_DIMS))


TASKS = tuple(
    ToyTask(f"toy-{letter}", WORDS[i : i + 4], kind, metric)
    for i, (letter, kind, metric) in enumerate(
        [
            ("a", "classification", "accuracy"),
            ("b", "classification", "mcc"),
            ("c", "classification", "f1"),
            ("d", "regression", "spearman"),
        ]
    )
)

ORACLES = tuple(
    Oracle(
        f"toy-{which}",
        "toy",
        suite="toy",
        transfers=TaskMatrix.square((t.name for t in TASKS), np.random.default_rng(which).uniform(size=(4, 4))),
        note="synthetic",
    )
    for which in (0, 1)
)
