"""Neuron fingerprints: which neurons of the bare backbone tell a task's answers, and in which layers do they lie?"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, TaskMatrix, UnusableData, hookimpl

from .examples import answers_of, checked, class_numbers, class_places
from .neurons import Method, aggregated, chosen, combined, fingerprint, importances, zero_shot
from .pairs import Undefined, cosine, defined, of_pairs, refuse_undefined, spearman
from .vocabulary import jaccard

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

Comparison = Literal["fingerprint", "jaccard", "spearman", "zero-shot"]


@dataclass(frozen=True)
class TSNS:
    """Similarity of the neurons that matter for two tasks: of the first token, in all layers of the bare backbone.

    Parameters
    ----------
    similarity_ : {"fingerprint", "jaccard", "spearman", "zero-shot"}
        Cosine of the shares of selected neurons in each layer; the share of neurons that both select; the correlation
        of all neurons' importances; or how often a classifier of the source's answers, on the source's neurons, is
        right on the target, for tasks whose classes have the same names.
    neurons : int, optional
        How many are selected; the paper has 100 to 1024 of 24 576.
    share : float
        How many are selected otherwise, as a share of all.
    alpha : float
        Weight of the mean importance over draws; the rest is that of the mean over its standard deviation. The second
        is about as many times larger as there are neurons: what lies between the two is near 1 less 1 / neurons.
    pairs : int
        0 for SingleTSNS; otherwise the number of pairs of disjoint halves of MultiTSNS, which chooses alpha itself.
    draws, subsample : int, float
        How many random samples of the examples are looked at, and the share of the examples in each.
    method : {"extra-trees", "forest", "mutual-information"}
        How importance is told; `forest` of 1000 `trees` in 100 `draws` is the paper's, the default a tenth and less.
    trees : int
        Of each forest.
    features : FeatureOptions
        Which examples; `layers` has to be `all`.
    seed : int
        Of samples and trees.

    References
    ----------
    Valipour et al., Unsupervised transfer learning via BERT neuron selection. That similar fingerprints transfer well
    is the paper's; how to compare them is a choice made here.
    """

    similarity_: Comparison = "fingerprint"
    neurons: int | None = None
    share: float = 0.02
    alpha: float = 1.0
    pairs: int = 0
    draws: int = 10
    subsample: float = 0.7
    method: Method = "extra-trees"
    trees: int = 100
    features: FeatureOptions = field(default_factory=lambda: FeatureOptions(layers="all"))
    seed: int = 0
    name: str = "tsns"
    needs: frozenset[str] = frozenset({"backbone-features"})

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1 or not 0 < self.share <= 1 or not 0 < self.subsample <= 1:
            options = f"alpha={self.alpha}, share={self.share}, subsample={self.subsample}"
            raise UnusableData(f"{self.name}: {options}; alpha, share and subsample are shares, from 0 to 1.")
        if self.draws < 1 or self.trees < 1 or self.pairs < 0 or (self.neurons is not None and self.neurons < 1):
            options = f"draws={self.draws}, trees={self.trees}, neurons={self.neurons}, pairs={self.pairs}"
            raise UnusableData(f"{self.name}: {options}; draws, trees and neurons are at least 1, pairs at least 0.")
        if self.features.layers != "all":
            raise UnusableData(f"{self.name}: features.layers={self.features.layers}; expected all.")

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return (n_tasks, n_tasks) similarities, symmetric but for `zero-shot`; NaN where undefined, and a note.

        The fingerprints themselves stand in the notes, and as `fingerprints` in the result's details.
        """
        sizes = evidence.features(None, evidence.tasks[0], self.features).layer_sizes  # (n_layers,)
        n = self.selected(int(sizes.sum()))
        pieces = evidence.pieces(self)
        importances = {task: piece["importance"] for task, piece in pieces.items() if "importance" in piece}
        neurons = {task: chosen(m, n) for task, m in importances.items()}
        shares = {task: fingerprint(neurons[task], sizes) for task in sorted(neurons)}  # (n_layers,) each
        evidence.detail("fingerprints", {task: layers.tolist() for task, layers in shares.items()})
        for task, layers in shares.items():
            figures = " ".join(f"{share:.2f}" for share in layers)
            evidence.note(f"{self.name}: shares of {task}'s {n} neurons in layers 1 to {len(sizes)}: {figures}.")

        def score(source: str, target: str) -> float:
            for task in (source, target):
                refuse_undefined(pieces[task])
            a, b = neurons[source], neurons[target]
            if self.similarity_ == "fingerprint":
                return cosine(shares[source], shares[target])
            if self.similarity_ == "jaccard":
                return jaccard(a, b)
            if self.similarity_ == "spearman":
                return _agreement(importances[source], importances[target])
            return self._zero_shot(evidence, source, target, a)

        return of_pairs(evidence, self.name, score)

    @property
    def canonical(self) -> "TSNS":
        """The same with one value for each option that no importance hangs on: all comparisons share the forests."""
        same = replace(self, similarity_="fingerprint")
        return same if self.pairs else replace(same, neurons=None, share=1.0)

    def pieces(self, evidence: "Evidence") -> dict[str, tuple[str, ...]]:
        """Return the name of each piece, a task, which it reads."""
        return {task: (task,) for task in evidence.tasks}

    def piece(self, evidence: "Evidence", name: str) -> dict[str, Array]:
        """Return the `importance` of each neuron for a task (n_neurons,).

        Or the `reason` why there is none: its examples have not one answer each, or tell none of its neurons apart.
        """
        features = evidence.features(None, name, self.features)

        def compute() -> dict[str, Array]:
            values, answers = checked(features.values), answers_of(evidence, self.name, target=name, features=features)
            n = self.selected(values.shape[1])
            return {"importance": self.of(values, answers, features.answer_kind == "classes", n)}

        return defined(compute)

    def selected(self, n_neurons: int) -> int:
        """Return how many neurons are selected.

        Raises
        ------
        UnusableData
            If the backbone has fewer.
        """
        n = self.neurons or max(1, round(self.share * n_neurons))
        if n > n_neurons:
            raise UnusableData(f"{self.name}: neurons={n}, but the backbone has {n_neurons} in its layers.")
        return n

    def of(self, features: Array, answers: Array, classes: bool, n: int) -> Array:
        """Return each neuron's importance (n_neurons,): the combination of draws, or the sum over pairs of halves."""
        how = (classes, self.method, self.draws, self.subsample, self.trees)
        if not self.pairs:
            return combined(importances(features, answers, *how, seed=self.seed), self.alpha)
        return aggregated(features, answers, *how, pairs=self.pairs, n=n, seed=self.seed)

    def _zero_shot(self, evidence: "Evidence", source: str, target: str, neurons: Array) -> float:
        places = class_places(evidence, source, target)
        one, other = (evidence.features(None, task, self.features) for task in (source, target))
        for features in (one, other):
            class_numbers(features)
        answers = places[other.answers]
        return zero_shot(one.values, one.answers, other=other.values, other_answers=answers, neurons=neurons)


def _agreement(a: Array, b: Array) -> float:
    if not (np.ptp(a) and np.ptp(b)):
        raise Undefined("all neurons are equally important")
    return spearman(a, b)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [TSNS()]
