"""Task vectors: do two trainings change the weights of the backbone in like directions?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, MissingData, TaskMatrix, UnusableData, WeightChange, hookimpl

from .fisher import layer_of
from .pairs import Undefined, joined, scores_of

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class TaskVector:
    """Cosine of the changes that two trainings made to the backbone's weights, layer by layer.

    A task vector is the weights after a training less those before it. Weights that only one of two models has are
    left out, and so is a layer that either training did not move. It costs no example: the weights of m² models are
    read. The mean cosine of each layer over all pairs stands in the result's details, as `layers`.

    Parameters
    ----------
    by : {"layers", "whole"}
        The mean of the cosines of the layers, of which the embeddings are one; or the cosine of all weights at once, in
        which the layers that moved most count most.
    weights : {"exact", "sketched"}
        The weights themselves; or their random projections, of which evidence packs hold some: an estimate, whose error
        has a standard deviation of 1/16 for a single tensor and less for many.

    References
    ----------
    Ilharco et al. (2023), Editing models with task arithmetic, ICLR. That like task vectors transfer well is the idea
    of Vu et al. (2022), SPoT, ACL, for prompts.
    """

    by: Literal["layers", "whole"] = "layers"
    weights: Literal["exact", "sketched"] = "exact"
    name: str = "task-vector"
    needs: frozenset[str] = frozenset({"models"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_sources, n_targets) cosines, from -1 to 1; NaN where undefined, and a note."""
        pieces = evidence.pieces(self)
        of_layer: dict[str, list[float]] = {}
        for piece in pieces.values():
            for layer, cosines in zip(piece["names"], piece["cosines"].T, strict=True):
                of_layer.setdefault(str(layer), []).extend(cosines[np.isfinite(cosines)])
        means = {
            layer: round(float(np.mean(of_layer[layer])), 6)
            for layer in sorted(of_layer, key=_in_order)
            if of_layer[layer]
        }
        evidence.detail("layers", means)
        key = "whole" if self.by == "whole" else "mean"
        rows = {source: {"values": piece[key], "reasons": piece["reasons"]} for source, piece in pieces.items()}
        return joined(evidence, self.name, rows)

    @property
    def canonical(self) -> "TaskVector":
        """The same with one value for `by`: a piece holds both."""
        return replace(self, by="layers")

    def pieces(self, evidence: "Evidence") -> dict[str, tuple[str, ...]]:
        """Return the name of each piece, a source, with the tasks that it reads."""
        return dict.fromkeys(evidence.sources, evidence.tasks)

    def piece(self, evidence: "Evidence", name: str) -> dict[str, Array]:
        """Return a source's cosines with each target (n_targets,): the `mean` of layers, and of the `whole`.

        And the `names` of the layers (n_layers,), the `cosines` of each (n_targets, n_layers), NaN where there is none,
        and the `reasons` why a pair has no cosine.
        """
        of_pair: dict[str, Products] = {}
        products_with = self._sketched(evidence, name) if self.weights == "sketched" else self._exact(evidence, name)

        def whole(source: str, target: str) -> float:
            of_pair[target] = products_with(target)
            return cosine_of(list(of_pair[target].values()))

        row = scores_of(name, evidence.targets, whole)
        names = sorted({layer for products in of_pair.values() for layer in products}, key=_in_order)
        cosines = np.full((len(evidence.targets), len(names)), np.nan)
        for i, target in enumerate(evidence.targets):
            for j, layer in enumerate(names):
                with suppress(KeyError, Undefined):  # a layer that one of the two lacks, or that did not move
                    cosines[i, j] = cosine_of([of_pair[target][layer]])
        finite = np.isfinite(cosines)
        total, n = np.where(finite, cosines, 0).sum(axis=1), finite.sum(axis=1)
        mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
        return {
            "whole": row["values"],
            "mean": np.where(np.isnan(row["values"]), np.nan, mean),
            "names": np.array(names, dtype=str),
            "cosines": cosines,
            "reasons": row["reasons"],
        }

    def _exact(self, evidence: "Evidence", source: str) -> "Callable[[str], Products]":
        try:
            before, own = evidence.weights(source, tuned=False), evidence.weights(source)
        except MissingData as error:
            raise MissingData(f"{str(error).rstrip('.')}; take {self.name}.weights=sketched.") from error
        moved: list[Mapping[str, Array]] = []  # once for all targets, and only when a pair is asked for

        def products_with(target: str) -> Products:
            if not moved:
                moved.append(changes(before, own))
            return layer_products(moved[0], changes(before, evidence.weights(target)))

        return products_with

    def _sketched(self, evidence: "Evidence", source: str) -> "Callable[[str], Products]":
        def change(task: str) -> WeightChange:
            try:
                return evidence.weight_change(task)
            except MissingData:
                raise
            except UnusableData as error:
                raise Undefined("a trained model and the bare encoder share no weights") from error

        return lambda target: sketched_products(change(source), change(target))


Products = Mapping[str, tuple[float, float, float]]  # by layer: of both changes, and of each with itself


def changes(before: Mapping[str, Array], after: Mapping[str, Array]) -> dict[str, Array]:
    """Return the change of each weight that both mappings have in one shape, by its name.

    Raises
    ------
    Undefined
        If there is none.
    """
    names = [name for name, weight in after.items() if name in before and weight.shape == before[name].shape]
    if not names:
        raise Undefined("a trained model and the bare encoder share no weights")
    return {name: np.asarray(after[name], np.float64) - before[name] for name in names}


def layer_products(a: Mapping[str, Array], b: Mapping[str, Array]) -> Products:
    """Return the inner products of two changes in each layer: of both, and of each with itself.

    Raises
    ------
    Undefined
        If they share no weights.
    """
    names = [name for name in a if name in b and a[name].shape == b[name].shape]
    pairs = [(name, a[name].ravel(), b[name].ravel()) for name in names]
    return _by_layer([(name, (float(x @ y), float(x @ x), float(y @ y))) for name, x, y in pairs])


def sketched_products(a: WeightChange, b: WeightChange) -> Products:
    """Return estimates of the same from random projections: the products of these.

    Raises
    ------
    Undefined
        If they share no weights.
    """
    places = {name: j for j, name in enumerate(b.names)}
    pairs = [(name, a.sketches[i], b.sketches[places[name]]) for i, name in enumerate(a.names) if name in places]
    return _by_layer([(name, (float(x @ y), float(x @ x), float(y @ y))) for name, x, y in pairs])


def _by_layer(of_weights: Sequence[tuple[str, tuple[float, float, float]]]) -> Products:
    if not of_weights:
        raise Undefined("the encoders of the two models share no weights")
    sums: dict[str, list[tuple[float, float, float]]] = {}
    for name, products in of_weights:
        sums.setdefault(layer_of(name), []).append(products)
    return {layer: tuple(map(float, np.sum(products, axis=0))) for layer, products in sums.items()}  # type: ignore[misc]


def cosine_of(products: Sequence[tuple[float, float, float]]) -> float:
    """Return the cosine of the vectors whose parts have these inner products.

    Raises
    ------
    Undefined
        If one of the two did not change, or has weights that are not finite.
    """
    both, a, b = np.sum(products, axis=0)
    if not np.isfinite([a, b]).all():
        raise Undefined("weights of a model are NaN or infinite")
    if not min(a, b) > 0:
        raise Undefined("a training changed none of the weights that both models have")
    return float(np.clip(both / np.sqrt(a) / np.sqrt(b), -1, 1))


def _in_order(layer: str) -> tuple[str, int]:
    word, _, number = layer.partition(" ")
    return word, int(number or 0)


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [TaskVector()]
