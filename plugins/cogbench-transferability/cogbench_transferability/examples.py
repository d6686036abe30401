"""What a model makes of a task's examples: features, answers, predictions; kept once for all estimators."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cogbench import Array, UnusableData

from .pairs import Undefined

if TYPE_CHECKING:
    from torch import Tensor

    from cogbench import Evidence

ANSWERS = frozenset({"labels", "start_positions", "end_positions"})  # what batches hold beside the model's inputs
CLASSES, NUMBERS, NEITHER = "classes", "numbers", "neither"
UNANSWERED = -100  # the label of what is not asked for, as torch has it


@dataclass(frozen=True, eq=False)
class Seen:
    """Examples as a model sees them.

    `features` (n_examples, n_dims); `answers` (n_examples,) are `of` "classes", "numbers", or "neither" where an
    example has not one answer of its own (tags, passages of a context); `theta` (n_examples, n_classes) are the
    probabilities of the model's own classes, with no column where its head has none. An example is a row of a batch.
    """

    features: Array
    answers: Array
    of: str
    theta: Array

    def classes(self) -> Array:
        """Return the number of each example's class (n_examples,), counted from 0 without gaps.

        Raises
        ------
        Undefined
            If the answers are no classes, or `numbered` finds none in them.
        """
        if self.of != CLASSES:
            raise Undefined(
                "the answers are numbers, not classes"
                if self.of == NUMBERS
                else "the examples have not one answer each"
            )
        return numbered(self.answers)


def numbered(labels: Array) -> Array:
    """Return labels (n_examples,) as the numbers of the classes that occur, from 0.

    Raises
    ------
    Undefined
        If an example has no label (NaN, or -100 as encoded batches have it), all are of one class, or no class has two
        examples.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind in "iuf" and (~np.isfinite(labels) | (labels == UNANSWERED)).any():
        raise Undefined("an example has no label")
    names, found, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise Undefined("all examples are of one class")
    if counts.max() < 2:
        raise Undefined("no class has two examples")
    return found


def classes_of(evidence: "Evidence", name: str, target: str, seen: Seen) -> Array:
    """Return the number of each example's class (n_examples,), and note how many classes have a single example.

    Raises
    ------
    Undefined
        As `Seen.classes`, or if there are fewer examples than the target has classes.
    """
    found = seen.classes()
    if len(found) < len(evidence.labels[target]):
        raise Undefined("there are fewer examples than classes")
    if lone := int((np.bincount(found) == 1).sum()):
        evidence.note(f"{name}: {lone} of {found.max() + 1} classes of {target} have a single example.")
    return found


def answers_of(evidence: "Evidence", name: str, target: str, seen: Seen) -> Array:
    """Return a target's numbers, or the numbers of its classes as `classes_of` does: (n_examples,)."""
    return np.asarray(seen.answers, np.float64) if seen.of == NUMBERS else classes_of(evidence, name, target, seen)


def paired(features: Array, answers: Array, classes: bool = True) -> tuple[Array, Array]:
    """Return features (n_examples, n_dims) in float64, and the numbers of classes, or numbers, (n_examples,).

    Raises
    ------
    Undefined
        As `checked` and `numbered`, or if numbers are all equal or not finite.
    UnusableData
        If there is not one answer a row.
    """
    same_length(features, answers)
    features = checked(features)
    if classes:
        return features, numbered(answers)
    answers = np.asarray(answers, np.float64)
    if not np.isfinite(answers).all() or not np.ptp(answers):
        raise Undefined("the numbers are all equal or not finite")
    return features, answers


def same_length(rows: Array, answers: Array) -> None:
    """Raise UnusableData unless each row has an answer."""
    if len(rows) != len(answers):
        raise UnusableData(f"{len(rows)} examples have {len(answers)} answers; expected one each.")


def checked(features: Array) -> Array:
    """Return features (n_examples, n_dims) in float64.

    Raises
    ------
    Undefined
        If they are not finite, all equal, or of fewer than 2 examples.
    """
    features = np.asarray(features, np.float64)
    if len(features) < 2:
        raise Undefined("there are fewer than two examples")
    if not np.isfinite(features).all():
        raise Undefined("the features hold NaN or infinity")
    if not np.ptp(features, axis=0).any():
        raise Undefined("all examples have the same features")
    return features


def scaled(features: Array) -> Array:
    """Return features, not all zero, with 1 as the largest: squares of 1e-200 would vanish, those of 1e200 overflow."""
    return features / np.abs(features).max()


@dataclass(frozen=True)
class Features:
    """Which hidden states of which examples; estimators with the same Features share the arrays.

    Parameters
    ----------
    examples : int
        At most so many training examples of a task, a stratified sample.
    pooling : {"cls", "mean"}
        The first token of an example, or the mean over its tokens.
    layers : {"last", "all"}
        Of the last layer; or of each layer after the embeddings, side by side.
    seed : int
        What the sample is drawn from.
    """

    examples: int = 1000
    pooling: Literal["cls", "mean"] = "cls"
    layers: Literal["last", "all"] = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise UnusableData(f"features: examples={self.examples}; expected at least 1.")

    def seen(self, evidence: "Evidence", source: str | None, target: str) -> Seen:
        """Return a target's training examples as a source's trained model sees them, or the bare one for None."""
        kept = self._kept(evidence, source, target)
        return Seen(kept["features"], kept["answers"], str(kept["of"]), kept["theta"])

    def sizes(self, evidence: "Evidence", source: str | None, target: str) -> Array:
        """Return how many features each layer has: (n_layers,)."""
        return self._kept(evidence, source, target)["sizes"]

    def _kept(self, evidence: "Evidence", source: str | None, target: str) -> Mapping[str, Array]:
        def compute() -> dict[str, Array]:
            model = evidence.model(source or target, tuned=source is not None)
            batches = evidence.batches(target, "train", n=self.examples, seed=self.seed)
            return self.of(model, batches)

        return evidence.keep("seen", compute, owner=self, source=source, target=target)

    def of(self, model: Any, batches: Iterable[Mapping[str, "Tensor"]]) -> dict[str, Array]:
        """Run batches through a model: `features`, `answers`, `of`, `theta` as in `Seen`, and `sizes` of the layers."""
        import torch

        features, answers, theta, sizes = [], [], [], np.empty(0, int)
        for batch in batches:
            with torch.inference_mode():
                out = model(**inputs(batch), output_hidden_states=True)
            states = out.hidden_states[1:] if self.layers == "all" else out.hidden_states[-1:]
            each = [pooled(s, batch.get("attention_mask"), self.pooling) for s in states]
            sizes = np.array([e.shape[1] for e in each])
            features.append(np.concatenate(each, axis=1))
            answers.append(answer(batch))
            theta.append(probabilities(out))
        return {
            "features": np.concatenate(features).astype(np.float32),
            "answers": np.concatenate([a for a, _ in answers]),
            "of": np.array(answers[0][1]),
            "theta": np.concatenate(theta),
            "sizes": sizes,
        }


def inputs(batch: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Return what of a batch is read, without its answers: any model of the same backbone takes it."""
    return {name: value for name, value in batch.items() if name not in ANSWERS}


def mask_of(states: "Tensor", mask: "Tensor | None") -> "Tensor":
    """Return 1 for each token and 0 for padding, (batch, tokens, 1), of states (batch, tokens, dims)."""
    if mask is None:
        return states.new_ones(states.shape[:2]).unsqueeze(-1)
    return mask.to(states.dtype).unsqueeze(-1)


def pooled(states: "Tensor", mask: "Tensor | None", pooling: str) -> Array:
    """Return one vector an example, (batch, dims), of states (batch, tokens, dims); NaN where it has no token."""
    if pooling == "cls":
        return states[:, 0].float().cpu().numpy()
    kept = mask_of(states.float(), mask)
    return ((states.float() * kept).sum(1) / kept.sum(1)).cpu().numpy()


def answer(batch: Mapping[str, "Tensor"]) -> tuple[Array, str]:
    """Return each row's answer (batch,), and whether it is of classes, numbers or neither."""
    labels = batch.get("labels")
    n = len(next(iter(batch.values())))
    if labels is None or (labels.ndim == 2 and labels.shape[1] > 1) or labels.ndim > 2:
        return np.zeros(n, int), NEITHER
    found = labels.cpu().numpy()
    if found.ndim == 2:  # of a passage: whether it is relevant
        return found[:, 0].astype(int), CLASSES
    return found, CLASSES if found.dtype.kind == "i" else NUMBERS


def probabilities(out: Any) -> Array:
    """Return the head's probabilities (batch, n_classes); without columns if it does not choose one class a row."""
    logits = getattr(out, "logits", None)
    if logits is None:
        return np.empty((len(out.hidden_states[-1]), 0))
    if logits.ndim != 2 or logits.shape[1] < 2:
        return np.empty((len(logits), 0))
    return logits.double().softmax(dim=1).cpu().numpy()
