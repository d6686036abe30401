"""Three estimators of three families, written without touching cogbench: they prove that Evidence carries them.

Not part of the toolkit: the real ones live in a distribution of their own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cogbench import Estimator, Evidence, TaskMatrix, hookimpl


@dataclass(frozen=True)
class Fisher:
    """Cosine of diagonal empirical Fisher information of the encoder, from per-example gradients (Vu et al. 2020)."""

    name: str = "fisher"
    examples: int = 16
    needs: frozenset[str] = frozenset({"models", "batches"})

    def pieces(self, evidence: Evidence) -> dict[str, tuple[str, ...]]:
        return {task: (task,) for task in evidence.tasks}

    def piece(self, evidence: Evidence, name: str) -> dict[str, np.ndarray]:
        import torch

        model = evidence.model(name)
        own = {name: p for name, p in model.named_parameters() if "layer.1" in name or name == "encoder"}
        total = {name: torch.zeros_like(p) for name, p in own.items()}
        count = 0
        for batch in evidence.batches(name, "train", n=self.examples):
            for i in range(len(batch["labels"])):
                one = {k: v[i : i + 1] for k, v in batch.items()}
                grads = torch.autograd.grad(model(**one).loss, list(own.values()))
                for weight, g in zip(own, grads, strict=True):
                    total[weight] += g.detach() ** 2
                count += 1
        return {"diagonal": torch.cat([t.flatten() for t in total.values()]).cpu().numpy() / count}

    def similarity(self, evidence: Evidence) -> TaskMatrix:
        pieces = evidence.pieces(self)
        vectors = [pieces[task]["diagonal"] for task in evidence.tasks]
        unit = np.stack([v / np.linalg.norm(v) for v in vectors])  # (n_tasks, n_weights)
        return TaskMatrix.square(evidence.tasks, unit @ unit.T)


@dataclass(frozen=True)
class LayerProbe:
    """How well the source's hidden states, best layer, separate the target's classes (ratio of spreads)."""

    name: str = "layer-probe"
    examples: int = 32
    needs: frozenset[str] = frozenset({"models", "batches"})

    def similarity(self, evidence: Evidence) -> TaskMatrix:
        def separation(outputs: list[Any], labels: np.ndarray) -> float:
            layers = zip(*(out.hidden_states for out in outputs), strict=True)
            return max(_separation(np.concatenate([s[:, 0].cpu().numpy() for s in layer]), labels) for layer in layers)

        return _of_pairs(evidence, self.examples, separation)


@dataclass(frozen=True)
class Leep:
    """Log expected empirical prediction (Nguyen et al. 2020): a source's predictions on a target's examples."""

    name: str = "leep"
    examples: int = 32
    needs: frozenset[str] = frozenset({"models", "batches"})

    def similarity(self, evidence: Evidence) -> TaskMatrix:
        def predicted(outputs: list[Any], labels: np.ndarray) -> float:
            return leep(np.concatenate([out.logits.softmax(dim=-1).cpu().numpy() for out in outputs]), labels)

        return _of_pairs(evidence, self.examples, predicted)


def _of_pairs(evidence: Evidence, n: int, score: Callable[[list[Any], np.ndarray], float]) -> TaskMatrix:
    """Score each source model's outputs on n examples of each target."""
    import torch

    values = np.zeros((len(evidence.tasks), len(evidence.tasks)))
    for i, source in enumerate(evidence.tasks):
        model = evidence.model(source)
        for j, target in enumerate(evidence.tasks):
            outputs, labels = [], []
            for batch in evidence.batches(target, "train", n=n):
                inputs = {k: v for k, v in batch.items() if k != "labels"}
                with torch.inference_mode():
                    outputs.append(model(**inputs, output_hidden_states=True))
                labels.append(batch["labels"].cpu().numpy())
            values[i, j] = score(outputs, np.concatenate(labels))
    return TaskMatrix.square(evidence.tasks, values)


def leep(theta: np.ndarray, labels: np.ndarray) -> float:
    """Return the LEEP score of source probabilities (n_examples, n_labels); numbers are split at their median."""
    classes = labels if labels.dtype.kind == "i" else (labels > np.median(labels)).astype(int)
    joint = np.stack([theta[classes == y].sum(axis=0) for y in np.unique(classes)]) / len(classes)  # (y, z)
    given = joint / joint.sum(axis=0)
    row = np.searchsorted(np.unique(classes), classes)
    return float(np.log((given[row] * theta).sum(axis=1)).mean())


def _separation(x: np.ndarray, y: np.ndarray) -> float:
    groups = [x[y == v] for v in np.unique(y)]
    between = np.var([g.mean(axis=0) for g in groups], axis=0).sum()
    return float(between / (x.var(axis=0).sum() + 1e-9))


@hookimpl
def register_estimators() -> Iterable[Estimator]:
    """Add the three."""
    return [Fisher(), LayerProbe(), Leep()]
