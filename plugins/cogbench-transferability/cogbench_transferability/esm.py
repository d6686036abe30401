"""ESM-LogME: LogME on features that a small map makes of the bare backbone's, in place of each source's model."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, TaskMatrix, UnusableData, hookimpl

from .examples import answers_of, checked
from .logme import NullSpace, logme
from .pairs import defined, of_pairs, refuse_undefined

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class ESMLogME:
    """LogME of a target's examples, seen by the bare backbone and mapped as training on the source moves features.

    An embedding space map (ESM) is a linear map from the bare backbone's features to the trained one's, learned on the
    source's text: a target then costs one pass through the backbone, however many sources there are.

    Parameters
    ----------
    features : FeatureOptions
        Which examples of each task, and how they are pooled.
    fit : {"adamw", "least-squares"}
        How the map is learned: as the authors do, by steps from random weights; or in closed form.
    epochs, batch_size, learning_rate, weight_decay : int, int, float, float
        Of the steps, whose size falls to 0 on a line.
    null_space : {"include", "released"}
        As `logme` has it.
    seed : int
        Of the first weights and the order of the examples.

    References
    ----------
    Schulte, Hamborg & Akbik (2024), Less is more: parameter-efficient selection of intermediate tasks for transfer
    learning, EMNLP.
    """

    features: FeatureOptions = field(default_factory=FeatureOptions)
    fit: Literal["adamw", "least-squares"] = "adamw"
    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 0.01
    weight_decay: float = 0.01
    null_space: NullSpace = "include"
    seed: int = 0
    name: str = "esm-logme"
    needs: frozenset[str] = frozenset({"features", "backbone-features"})

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise UnusableData(f"{self.name}: epochs={self.epochs}, batch_size={self.batch_size}; both at least 1.")
        if not 0 < self.learning_rate < np.inf or not 0 <= self.weight_decay < np.inf:
            raise UnusableData(
                f"{self.name}: learning_rate={self.learning_rate}, weight_decay={self.weight_decay}; expected a number "
                "above 0, and one from 0 on."
            )

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return (n_sources, n_targets) evidences an example, in nats; NaN where undefined, and a note."""
        maps = evidence.pieces(self)

        def score(source: str, target: str) -> float:
            moved = refuse_undefined(maps[source])
            features = evidence.features(None, target, self.features)
            answers = answers_of(evidence, self.name, target=target, features=features)
            mapped = features.values @ moved["weights"] + moved["bias"]  # (n_examples, n_dims)
            return logme(mapped, answers, classes=features.answer_kind != "numbers", null_space=self.null_space)

        return of_pairs(evidence, self.name, score)

    @property
    def canonical(self) -> "ESMLogME":
        """The same with one value for `null_space`, which no map hangs on."""
        return replace(self, null_space="include")

    def pieces(self, evidence: "Evidence") -> dict[str, tuple[str, ...]]:
        """Return the name of each piece, a source, which it reads."""
        return {source: (source,) for source in evidence.sources}

    def piece(self, evidence: "Evidence", name: str) -> dict[str, Array]:
        """Return the map of a source: `weights` (n_dims, n_dims) and `bias` (n_dims,)."""
        before = evidence.features(None, name, self.features).values
        after = evidence.features(name, name, self.features).values
        return defined(lambda: dict(zip(("weights", "bias"), self.map(before, after), strict=True)))

    def map(self, before: Array, after: Array) -> tuple[Array, Array]:
        """Return weights (n_dims, n_dims) and bias (n_dims,) that take one set of rows to the other."""
        before, after = checked(before), checked(after)
        if self.fit == "least-squares":
            return least_squares(before, after)
        return self._stepped(before.astype(np.float32), after.astype(np.float32))

    def _stepped(self, before: Array, after: Array) -> tuple[Array, Array]:
        import torch

        draw = torch.Generator().manual_seed(self.seed)
        x, y = torch.from_numpy(before), torch.from_numpy(after)
        limit = x.shape[1] ** -0.5
        weights = torch.empty(x.shape[1], y.shape[1]).uniform_(-limit, limit, generator=draw).requires_grad_()
        bias = torch.empty(y.shape[1]).uniform_(-limit, limit, generator=draw).requires_grad_()
        optimizer = torch.optim.AdamW([weights, bias], lr=self.learning_rate, weight_decay=self.weight_decay)
        steps = self.epochs * -(-len(x) // self.batch_size)
        falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        for _ in range(self.epochs):
            for rows in torch.randperm(len(x), generator=draw).split(self.batch_size):
                loss = (x[rows] @ weights + bias - y[rows]).square().mean()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_([weights, bias], 1.0)
                optimizer.step()
                falling.step()
        return weights.detach().numpy(), bias.detach().numpy()


def least_squares(before: Array, after: Array) -> tuple[Array, Array]:
    """Return the weights (n_in, n_out) and bias (n_out,) of least squared error, those of least length if many are."""
    centre, goal = before.mean(axis=0), after.mean(axis=0)
    weights = np.linalg.lstsq(before - centre, after - goal, rcond=None)[0]
    return weights, goal - centre @ weights


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [ESMLogME()]
