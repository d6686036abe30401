"""The selectors: by chance, by words and vectors, by a learned sum of these, and by gradients."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from cogbench import Array, SelectionEvidence, Selector, TransferOptions, UnusableData, hookimpl

from .features import DIVERSITIES, SIMILARITIES, Diversity, Similarity, diversities, similarities, standardised


@dataclass(frozen=True)
class Random:
    """The same weight for all examples: those that are kept are drawn by the seed."""

    answers: ClassVar[int] = 1

    name: str = "random"

    def weights(self, evidence: SelectionEvidence) -> Array:
        """Return zeros (n_source_examples,)."""
        return np.zeros(len(evidence.source))


@dataclass(frozen=True)
class SimilarRows:
    """Examples whose words, topics or vectors are like those of the target.

    The weight is the mean of the standardised features, each of which is 1 minus the Jensen-Shannon divergence between
    the example and all training examples of the target.

    Parameters
    ----------
    features : tuple of {"terms", "topics", "embeddings"}
    topics : int
        How many topics there are in the texts of both tasks, and groups of their vectors.

    References
    ----------
    Ruder & Plank (2017), Learning to select data for transfer learning with Bayesian optimization, EMNLP, section 3.2.
    """

    answers: ClassVar[int] = 1

    name: str = "similarity"
    features: tuple[Similarity, ...] = SIMILARITIES
    topics: int = 20

    def __post_init__(self) -> None:
        _refuse_none(self.name, self.features)
        _refuse_few(self.name, "topics", self.topics)

    def weights(self, evidence: SelectionEvidence) -> Array:
        """Return the mean of the standardised features (n_source_examples,)."""
        mean: Array = standardised(similarities(evidence, self.features, self.topics)).mean(axis=1)
        return mean


@dataclass(frozen=True)
class DiverseRows:
    """Examples with many different, and rare, words; the target is not looked at.

    The weight is the mean of the standardised features.

    Parameters
    ----------
    features : tuple of {"types", "type-token", "entropy", "simpson", "renyi", "quadratic"}

    References
    ----------
    Ruder & Plank (2017), section 3.3.
    """

    answers: ClassVar[int] = 1

    name: str = "diversity"
    features: tuple[Diversity, ...] = DIVERSITIES

    def __post_init__(self) -> None:
        _refuse_none(self.name, self.features)

    def weights(self, evidence: SelectionEvidence) -> Array:
        """Return the mean of the standardised features (n_source_examples,)."""
        mean: Array = standardised(diversities(evidence, self.features)).mean(axis=1)
        return mean


@dataclass(frozen=True)
class RuderPlank:
    """A weighted sum of similarity and diversity, whose weights Bayesian optimisation finds by short trainings.

    Each trial trains the source on the rows that a sum chooses, as many as are kept in the end, then the target on
    folds of few training examples, for `steps` each, and is worth the target's metric on the folds that were held out.
    The first trial has weights of 0, which choose at random; the sum of the best trial is the answer, and of equal ones
    that of the first.

    Parameters
    ----------
    trials : int
        How many sums are tried.
    examples, folds, steps : int
        How many training examples of the target a trial uses, in how many folds, and how many steps a training takes.
    topics : int
        As for `similarity`.
    sampler : {"tpe", "gp"}
        How Optuna proposes the next weights: tree-structured Parzen estimators, or a Gaussian process.

    References
    ----------
    Ruder & Plank (2017), Learning to select data for transfer learning with Bayesian optimization, EMNLP.
    Akiba, Sano, Yanase, Ohta & Koyama (2019), Optuna: a next-generation hyperparameter optimization framework, KDD.
    Bergstra, Bardenet, Bengio & Kégl (2011), Algorithms for hyper-parameter optimization, NeurIPS.
    """

    answers: ClassVar[int] = 1
    uses_share: ClassVar[bool] = True

    name: str = "ruder-plank"
    trials: int = 20
    examples: int = 100
    folds: int = 2
    steps: int = 30
    topics: int = 20
    sampler: Literal["tpe", "gp"] = "tpe"

    def __post_init__(self) -> None:
        for option in ("trials", "topics"):
            _refuse_few(self.name, option, getattr(self, option))
        self._options(seed=0)  # which refuses numbers that make no sense

    def weights(self, evidence: SelectionEvidence) -> Array:
        """Return the best sum of the standardised features (n_source_examples,)."""
        names = (*SIMILARITIES, *DIVERSITIES)
        features = np.concatenate([similarities(evidence, SIMILARITIES, self.topics), diversities(evidence)], axis=1)
        features = standardised(features)
        options = self._options(evidence.seed)

        def worth(trial: Any) -> float:
            sums = features @ np.array([trial.suggest_float(name, -1, 1) for name in names])
            return evidence.trial(sums, options)

        study = _study(self.sampler, evidence.seed)
        study.enqueue_trial(dict.fromkeys(names, 0.0))
        study.optimize(worth, n_trials=self.trials)
        return np.asarray(features @ np.array([study.best_params[name] for name in names]))

    def _options(self, seed: int) -> TransferOptions:
        """Return how a trial is made."""
        try:
            return TransferOptions(self.examples, self.steps, folds=self.folds, seed=seed)
        except UnusableData as error:
            raise UnusableData(f"{self.name}: {error}") from None


@dataclass(frozen=True)
class Gradients:
    """Examples whose gradient points where the target's does, at a model that was warmed up on few target examples.

    The weight is the cosine between the gradient of the example's loss and the mean gradient of the target's few
    examples, both of the encoder's weights alone and projected at random. How the source gets a head stands in
    `cogbench.SelectionEvidence`.

    Parameters
    ----------
    examples : int
        How many training examples of the target warm the model up, and have gradients.
    steps : int
        How many steps the warm-up takes at least, and the training of the source's head.
    dims : int
        Of the projection; the cosine has an error of about 1 / √dims by it.

    References
    ----------
    Xia, Malladi, Gururangan, Arora & Chen (2024), LESS: selecting influential data for targeted instruction tuning,
    ICML. Pruthi, Liu, Kale & Sundararajan (2020), Estimating training data influence by tracing gradient descent,
    NeurIPS.
    """

    answers: ClassVar[int] = 1

    name: str = "gradient"
    examples: int = 100
    steps: int = 60
    dims: int = 4096

    def __post_init__(self) -> None:
        for option in ("examples", "steps", "dims"):
            _refuse_few(self.name, option, getattr(self, option))

    def weights(self, evidence: SelectionEvidence) -> Array:
        """Return the cosines (n_source_examples,), from -1 to 1; 0 of an example without a gradient."""
        of_source, of_target = evidence.gradients(self.examples, self.steps, self.dims)
        goal = of_target.mean(axis=0, dtype=np.float64)
        lengths = np.linalg.norm(of_source, axis=1).astype(np.float64) * np.linalg.norm(goal)
        products = of_source @ goal
        return np.divide(products, lengths, out=np.zeros(len(lengths)), where=lengths > 0)


def _study(sampler: str, seed: int) -> Any:
    """Return an empty study of Optuna that is silent and draws by a seed."""
    try:
        import optuna
    except ImportError as error:
        raise UnusableData("selector 'ruder-plank' needs the package optuna: `pip install optuna`.") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}
    return optuna.create_study(direction="maximize", sampler=kinds[sampler](seed=seed))


def _refuse_none(name: str, features: tuple[str, ...]) -> None:
    if not features or len({*features}) < len(features):
        raise UnusableData(f"{name}: features={':'.join(features)}; name at least one, each once.")


def _refuse_few(name: str, option: str, number: int) -> None:
    if number < 1:
        raise UnusableData(f"{name}: {option}={number}; expected 1 or more.")


@hookimpl
def register_selectors() -> Iterable[Selector]:
    """Add the selectors."""
    return [Random(), SimilarRows(), DiverseRows(), RuderPlank(), Gradients()]
