"""Which neurons tell a task's answers: importances, their combination, selection, and a classifier on what is selected.

Valipour et al., Unsupervised transfer learning via BERT neuron selection (TSNS).
"""

from typing import Any, Literal

import numpy as np

from cogbench import Array, UnusableData, draw_rows

from .examples import numbered
from .linear import dealt, linear_model, many_classes, rightness
from .pairs import Undefined

Method = Literal["extra-trees", "forest", "mutual-information"]
# What MultiTSNS chooses from, the first of equally good ones: the share of the mean importance in eq. (1), where both
# terms are brought to one size. As they stand the second is about as many times larger as there are neurons, so that
# all alphas from 0 to .99 select the same.
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
FLOOR = 0.1  # quantile of the standard deviations below which one counts as that: importances that never vary are few


def importances(
    features: Array,
    answers: Array,
    classes: bool,
    method: Method = "extra-trees",
    draws: int = 10,
    subsample: float = 0.7,
    trees: int = 100,
    *,
    seed: int = 0,
) -> Array:
    """Return how much each neuron tells of the answers, in random samples of the examples.

    Parameters
    ----------
    features : array of shape (n_examples, n_neurons)
    answers : array of shape (n_examples,)
        Classes, or numbers if not `classes`.
    method : {"extra-trees", "forest", "mutual-information"}
        The decrease of impurity in a forest, as a share of the whole; or the mutual information in nats.
    draws, subsample, trees : int, float, int
        Samples, the share of the examples in each, and the trees of each forest.
    seed : int
        Of samples and trees: the same one gives the same importances.

    Returns
    -------
    array of shape (n_draws, n_neurons)

    Raises
    ------
    Undefined
        If no neuron tells anything, as when all answers or features are equal; or if a sample has no two examples of
        one class, or no four numbers, which mutual information needs.
    """
    rng = np.random.default_rng(seed)
    if not np.ptp(answers):
        raise Undefined("all examples have the same answer")
    n = max(2, round(subsample * len(answers)))
    importances_of_draws = []
    for _ in range(draws):
        rows = draw_rows(answers, n, rng, by_class=classes)
        importances_of_draws.append(
            _importance(features[rows], answers[rows], classes, method, trees, int(rng.integers(2**31)))
        )
    if not np.any(importances_of_draws):
        raise Undefined("no neuron tells anything of the answers")
    return np.stack(importances_of_draws)


@many_classes()
def _importance(x: Array, y: Array, classes: bool, method: Method, trees: int, seed: int) -> Array:
    from sklearn import ensemble, feature_selection

    if method == "mutual-information":
        if classes and np.unique(y, return_counts=True)[1].max() < 2:
            raise Undefined("no class has two examples in a sample of them")
        if not classes and len(y) < 4:  # of each, scikit-learn looks at the three nearest others
            raise Undefined("a sample of the examples has fewer than four numbers")
        information = feature_selection.mutual_info_classif if classes else feature_selection.mutual_info_regression
        return information(x, y, random_state=seed)
    name = ("ExtraTrees" if method == "extra-trees" else "RandomForest") + ("Classifier" if classes else "Regressor")
    # A third of the neurons at each split would cost the regressors ten times what the classifiers' root does.
    forest: Any = getattr(ensemble, name)(trees, max_depth=200, max_features="sqrt", random_state=seed)
    return forest.fit(x, y).feature_importances_


def combined(q: Array, alpha: float = 1.0, *, floor: float = FLOOR, eps: float = 1e-6) -> Array:
    """Return a neuron's importance from those of several draws: eq. (1) of the paper.

    Parameters
    ----------
    q : array of shape (n_draws, n_neurons)
    alpha : float
        Of the mean; the rest is of the mean over the standard deviation.
    floor : float
        Quantile of the standard deviations that each of them is raised to, or 0 for none: without it, a neuron whose
        importance never varies, as in a single draw, outweighs all others.
    eps : float
        Added to the standard deviation.

    Returns
    -------
    array of shape (n_neurons,)
    """
    mean, steady = _terms(q, floor, eps)
    return alpha * mean + (1 - alpha) * steady


def _terms(q: Array, floor: float = FLOOR, eps: float = 1e-6) -> tuple[Array, Array]:
    """Return the two terms of eq. (1): the mean importance, and the mean over the standard deviation."""
    mean, spread = q.mean(axis=0), q.std(axis=0)
    if floor:
        spread = np.maximum(spread, np.quantile(spread, floor))
    return mean, mean / (spread + eps)


def alpha_of(q: Array, share: float) -> float:
    """Return the alpha by which the mean importance makes up a share of eq. (1), summed over neurons."""
    mean, steady = (float(term.sum()) for term in _terms(q))
    return share * steady / (share * steady + (1 - share) * mean)


def ranks(m: Array) -> Array:
    """Return the rank of each importance (n_neurons,): 1 is the largest, equal ones by their place."""
    ranking = np.empty(len(m), int)
    ranking[np.argsort(-m, kind="stable")] = np.arange(1, len(m) + 1)
    return ranking


def meta_importance(of_ranks: Array) -> Array:
    """Return the sum over rankings (n_rankings, n_neurons) of (2N - rank) / N: (n_neurons,)."""
    n = of_ranks.shape[1]
    return ((2 * n - of_ranks) / n).sum(axis=0)


def aggregated(
    features: Array,
    answers: Array,
    classes: bool,
    method: Method,
    draws: int,
    subsample: float,
    trees: int,
    *,
    pairs: int,
    n: int,
    seed: int = 0,
) -> Array:
    """Return MultiTSNS's importance of each neuron (n_neurons,): over several pairs of disjoint halves.

    Importances are of the first half; of `SHARES` the one is taken whose n neurons let a linear model of that half
    answer a tenth of the second best; the rankings are summed. Arguments as `importances` has them.
    """
    rankings = []
    for p in range(pairs):
        rng = np.random.default_rng((seed, p))
        first, second = dealt(answers, classes, 2, rng)
        q = importances(features[first], answers[first], classes, method, draws, subsample, trees, seed=seed + p)
        tenth = draw_rows(answers[second], max(2, round(0.1 * len(second))), rng, by_class=classes)
        check = second[tenth]

        def right(share: float, q: Array = q, first: Array = first, check: Array = check) -> float:
            kept = chosen(combined(q, alpha_of(q, share)), n)
            return probe(features[first][:, kept], answers[first], features[check][:, kept], answers[check], classes)

        rankings.append(ranks(combined(q, alpha_of(q, max(SHARES, key=right)))))
    return meta_importance(np.stack(rankings))


def chosen(m: Array, n: int) -> Array:
    """Return the places of the n most important neurons, in their order; equally important ones by their place.

    Raises
    ------
    UnusableData
        If there are fewer than n.
    """
    if not 0 < n <= len(m):
        raise UnusableData(f"{n} neurons are to be selected of {len(m)}; expected 1 to {len(m)}.")
    return np.sort(np.argsort(-m, kind="stable")[:n])


def fingerprint(neurons: Array, sizes: Array) -> Array:
    """Return the share of the selected neurons (n_selected,) in each layer: (n_layers,), of sum 1.

    `sizes` (n_layers,) is how many neurons each layer has.
    """
    return np.bincount(np.searchsorted(np.cumsum(sizes), neurons, side="right"), minlength=len(sizes)) / len(neurons)


def zero_shot(features: Array, answers: Array, other: Array, other_answers: Array, neurons: Array) -> float:
    """Return how often a classifier of one task is right on another one with the same classes: the paper's transfer.

    Parameters
    ----------
    features, answers : arrays of shape (n_examples, n_neurons) and (n_examples,)
        Of the source, which a logistic regression on the selected neurons learns.
    other, other_answers : arrays of shape (n_others, n_neurons) and (n_others,)
        Of the target, which it is applied to unchanged.
    neurons : array of shape (n_selected,)
        The source's, as `chosen` gives them.

    Returns
    -------
    float
        The share of right answers.

    Raises
    ------
    Undefined
        If the source's examples are of one class.
    """
    numbered(answers)
    return probe(features[:, neurons], answers, other[:, neurons], other_answers, True)


def probe(x: Array, y: Array, other: Array, right: Array, classes: bool) -> float:
    """Return the score on other rows of a linear model that learned (x, y): share of right answers, R² of numbers."""
    return rightness(linear_model(x, y, classes).predict(other), right, classes)
