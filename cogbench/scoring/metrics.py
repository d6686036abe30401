"""Scores of answers: what each example contributes, and the value of many, so that a bootstrap is one call and no loop.

The plain scores work over the last axis, on any number of draws at once.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.dataset import Array, Dataset
from ..data.kinds import N_BEST, TASK_KINDS, Columns, ExtractiveQA, groups, squad
from ..errors import UnknownName, UnusableData
from .correlation import pearson_of_rows, spearman_of_rows

PREFIX = re.compile(r"[A-Z]-")  # of a tag: where in an entity its word stands


def accuracy(predicted: Array, true: Array) -> Array:
    """Share of equal labels."""
    return np.mean(predicted == true, axis=-1)


def matthews(predicted: Array, true: Array) -> Array:
    """Matthews correlation of binary labels (0, 1); 0 where it is undefined."""
    return pearson_of_rows(predicted, true)  # for two binary variables they are one formula


def f1(predicted: Array, true: Array) -> Array:
    """F1 of class 1; 0 where nothing is predicted or true."""
    return _f1((predicted == 1) & (true == 1), predicted == 1, true == 1)


def _f1(hit: Array, predicted: Array, true: Array) -> Array:
    """F1 of counts that are summed over the last axis; 0 where nothing is predicted or true."""
    hits, total = np.sum(hit, axis=-1), np.sum(predicted, axis=-1) + np.sum(true, axis=-1)
    return np.divide(2 * hits, total, out=np.zeros(np.shape(hits)), where=total > 0)


@dataclass(frozen=True)
class Metric:
    """A score of answers to one or more kinds of task.

    `contributions(answers, dataset)` gives what each example counts for (n_examples, n_numbers), `value` makes one
    score of the contributions of many: (..., n_examples, n_numbers) → (...). An example whose contribution is NaN is
    left out. `classes` is the number of classes that it is defined for, where that matters. A metric `of_groups` counts
    groups of rows in place of examples: (n_groups, n_numbers). Of extractive question answering it is given the best
    passages of each row with their margins, `candidates`, in place of the answers.
    """

    kinds: tuple[str, ...]
    contributions: Callable[[Any, Dataset], Array]
    value: Callable[[Array], Array]
    classes: int | None = None
    of_groups: bool = False

    def of_outputs(self, outputs: Array, dataset: Dataset) -> Array:
        """Return what each example counts for, or each group, with the answers that a head's outputs stand for."""
        kind, outputs = TASK_KINDS[dataset.kind], np.asarray(outputs, np.float64)
        if self.of_groups and isinstance(kind, ExtractiveQA):
            return self.contributions(kind.candidates(outputs, dataset.columns), dataset)
        return self.contributions(kind.answers(outputs, dataset.columns), dataset)

    def of_constant(self, train: Columns, dataset: Dataset) -> Array:
        """Return what each example counts for, or each group, with the answers of who looks at no text."""
        kind = TASK_KINDS[dataset.kind]
        answers = kind.constant(train, dataset.columns)
        ranked = self.of_groups and isinstance(kind, ExtractiveQA)
        return self.contributions([[(0.0, answer)] for answer in answers] if ranked else answers, dataset)


def _beside_truth(answers: Array, dataset: Dataset) -> Array:
    return np.stack([answers, np.asarray(dataset.columns["label"])], axis=-1)


def _of_pairs(plain: Callable[[Array, Array], Array]) -> Callable[[Array], Array]:
    return lambda pairs: plain(pairs[..., 0], pairs[..., 1])


def _mean(values: Array) -> Array:
    finite = np.isfinite(values[..., 0])
    total, n = np.where(finite, values[..., 0], 0).sum(axis=-1), finite.sum(axis=-1)
    return np.divide(total, n, out=np.zeros(np.shape(total)), where=n > 0)


def _entities(answers: Any, dataset: Dataset) -> Array:
    """Return for each sentence how many entities are found right, found, and there.

    A tag without a prefix such as `B-` is a type of its own: words of it that follow each other are one entity.
    """
    from seqeval.metrics.sequence_labeling import get_entities

    names = [tag if tag == "O" or PREFIX.match(tag) else f"I-{tag}" for tag in dataset.labels]

    def entities(tags: Any) -> set[Any]:
        return {*get_entities([names[tag] for tag in tags])}

    pairs = [(entities(a), entities(t)) for a, t in zip(answers, dataset.columns["label"], strict=True)]
    return np.array([(len(answered & right), len(answered), len(right)) for answered, right in pairs])


def _words(answers: Any, dataset: Dataset) -> Array:
    """Return for each sentence how many words have the right tag, and how many words there are."""
    pairs = zip(answers, dataset.columns["label"], strict=True)
    return np.array([(int(np.sum(np.asarray(a) == np.asarray(t))), len(t)) for a, t in pairs])


def _relations(answers: Array, dataset: Dataset) -> Array:
    """Return for each example and relation whether it is right, whether it is answered and whether it is true.

    A relation in the wrong direction is answered and true, but not right. (n_examples, 3 · n_relations)
    """
    of_class = [label.partition("(")[0] if "(" in label else "" for label in dataset.labels]
    relations = np.array([[c == r for r in sorted({*of_class} - {""})] for c in of_class], int)  # (n_labels, n_rel.)
    true = np.asarray(dataset.columns["label"])
    right = relations[true] * (answers == true)[:, None]
    return np.concatenate([right, relations[answers], relations[true]], axis=1)


def _macro_f1(counts: Array) -> Array:
    right, answered, true = np.split(np.swapaxes(counts, -1, -2), 3, axis=-2)  # (..., n_relations, n_examples)
    return _f1(right, answered, true).mean(axis=-1)


def _query_ndcg(answers: Any, dataset: Dataset, k: int = 10) -> Array:
    """Return the normalised discounted gain of each query, ties at their mean; NaN where no passage is relevant."""
    from sklearn.metrics import ndcg_score

    def gain(scores: Array, relevant: Array) -> float:
        if not relevant.any():
            return np.nan
        return 1.0 if len(relevant) == 1 else float(ndcg_score(relevant[None], scores[None], k=k))

    return _each_query(gain, answers, dataset)


def _reciprocal_rank(answers: Any, dataset: Dataset, k: int = 10) -> Array:
    """Return 1 / rank of each query's first relevant passage, tied ones at their mean rank; 0 beyond the k-th."""

    def gain(scores: Array, relevant: Array) -> float:
        if not relevant.any():
            return np.nan
        best = scores[relevant > 0].max()
        rank = 1 + np.sum(scores > best) + (np.sum(scores == best) - np.sum((scores == best) & (relevant > 0))) / 2
        return 1 / rank if rank <= k else 0.0

    return _each_query(gain, answers, dataset)


def _each_query(gain: Callable[[Array, Array], float], answers: Any, dataset: Dataset) -> Array:
    pairs = zip(answers, dataset.columns["label"], strict=True)
    return np.array([[gain(np.asarray(scores), np.asarray(relevant))] for scores, relevant in pairs])


def _majority(answers: Array, dataset: Dataset) -> Array:
    """Return for each group whether most of its rows are answered right; classes with equal votes share the answer."""
    true, n_labels = np.asarray(dataset.columns["label"]), len(dataset.labels)
    votes = [np.bincount(np.asarray(answers)[rows], minlength=n_labels) for rows in groups(dataset.columns)]
    right = [true[rows[0]] for rows in groups(dataset.columns)]
    return np.array([[(v[r] == v.max()) / (v == v.max()).sum()] for v, r in zip(votes, right, strict=True)])


def ranks_of_right_answers(candidates: Sequence[Sequence[tuple[float, str]]], dataset: Dataset) -> Array:
    """Return for each question the rank of the first right answer among its N_BEST best texts: (n_groups,); 0 for none.

    The texts are those of all rows of the question, each once, by their largest margins. One is right if it is a right
    answer of any of these rows; case does not matter. A question without right answers has none that is right.

    References
    ----------
    Tsatsaronis et al. (2015), An overview of the BIOASQ large-scale biomedical semantic indexing and question answering
    competition, BMC Bioinformatics 16:138; the code at github.com/BioASQ/Evaluation-Measures.
    """
    ranks = []
    for rows in groups(dataset.columns):
        right = {text.lower() for row in rows for text in dataset.columns["label"][row]["text"]}
        margins = dict[str, float]()
        for margin, text in (candidate for row in rows for candidate in candidates[row]):
            margins[text.lower()] = max(margin, margins.get(text.lower(), -np.inf))
        best = sorted(margins, key=lambda text: (-margins[text], text))[:N_BEST]
        ranks.append(next((rank for rank, text in enumerate(best, start=1) if text in right), 0))
    return np.array(ranks)


def _first_right(gain: Callable[[Array], Array]) -> Callable[[Any, Dataset], Array]:
    return lambda candidates, dataset: gain(ranks_of_right_answers(candidates, dataset))[:, None].astype(float)


QUESTIONS = ("extractive-qa",)
METRICS: dict[str, Metric] = {  # the first that is for a kind is its usual one
    "relation-f1": Metric(("relation",), _relations, _macro_f1),
    "accuracy": Metric(("classification", "relation"), _beside_truth, _of_pairs(accuracy)),
    "group-accuracy": Metric(("classification",), _majority, _mean, of_groups=True),
    "mcc": Metric(("classification",), _beside_truth, _of_pairs(matthews), classes=2),
    "f1": Metric(("classification",), _beside_truth, _of_pairs(f1), classes=2),
    "spearman": Metric(("regression",), _beside_truth, _of_pairs(spearman_of_rows)),
    "pearson": Metric(("regression",), _beside_truth, _of_pairs(pearson_of_rows)),
    "token-f1": Metric(("extractive-qa",), lambda answers, dataset: squad(answers, dataset.columns)[:, 1:], _mean),
    "exact-match": Metric(("extractive-qa",), lambda answers, dataset: squad(answers, dataset.columns)[:, :1], _mean),
    "mrr@5": Metric(QUESTIONS, _first_right(lambda r: (r > 0) / np.maximum(r, 1)), _mean, of_groups=True),
    "strict-accuracy": Metric(QUESTIONS, _first_right(lambda r: r == 1), _mean, of_groups=True),
    "lenient-accuracy": Metric(QUESTIONS, _first_right(lambda r: r > 0), _mean, of_groups=True),
    "entity-f1": Metric(("tagging",), _entities, lambda c: _f1(c[..., 0], c[..., 1], c[..., 2])),
    "word-accuracy": Metric(("tagging",), _words, lambda c: c[..., 0].sum(axis=-1) / c[..., 1].sum(axis=-1)),
    "ndcg@10": Metric(("reranking",), _query_ndcg, _mean),
    "mrr@10": Metric(("reranking",), _reciprocal_rank, _mean),
}


def check_metric(metric: str, dataset: Dataset) -> None:
    """Raise UnknownName or UnusableData if the metric is none, or not defined for the data set."""
    if metric not in METRICS:
        raise UnknownName.of("metric", metric, METRICS, label="Known")
    kinds, classes = METRICS[metric].kinds, METRICS[metric].classes
    if metric == "entity-f1" and dataset.kind == "tagging" and "O" not in dataset.labels:
        raise UnusableData(
            f"dataset {dataset.origin.id!r}: metric 'entity-f1' is for tags with 'O'; score tags without it by "
            "'word-accuracy'."
        )
    if METRICS[metric].of_groups and dataset.kind in kinds and "group" not in dataset.columns:
        raise UnusableData(
            f"dataset {dataset.origin.id!r}: metric {metric!r} is for rows in groups; name the column that says which "
            "rows belong together (group)."
        )
    if dataset.kind not in kinds or classes not in (None, len(dataset.labels)):
        raise UnusableData(
            f"dataset {dataset.origin.id!r}: metric {metric!r} is for a {' or '.join(kinds)}"
            + (f" of {classes} classes" if classes else "")
            + f"; this is a {dataset.kind}"
            + (f" of {len(dataset.labels)}." if dataset.labels else ".")
        )


@dataclass(frozen=True, eq=False)
class TaskScore:
    """How well a model does on a task's evaluation split.

    `trivial` is the metric of a constant answer, such as the majority class or the mean of the training labels, no
    answer, no entity, all passages alike; `learned` says that `value` lies above it by two standard errors.
    `per_example` (n_examples,) is the log-likelihood of each true answer, or of extractive question answering its F1.
    `further` are the task's other metrics; `left_out` counts the examples that the metric is not defined for, such as
    queries without a relevant passage.
    """

    metric: str
    value: float
    standard_error: float
    trivial: float
    learned: bool
    per_example: Array
    further: dict[str, float]
    left_out: int


def score_outputs(
    metric: str,
    outputs: Array,
    evaluation: Dataset,
    train: Dataset,
    *,
    further: tuple[str, ...] = (),
    draws: int = 200,
) -> TaskScore:
    """Score a head's outputs on the evaluation split.

    Parameters
    ----------
    metric : str
        A name in `METRICS`.
    outputs : array
        A head's outputs, of the shape that the kind of task has them in; see `TASK_KINDS`.
    evaluation, train : Dataset
        The examples scored, and those that the trivial answer is taken from.
    further : tuple of str
        Other metrics of the same answers.
    draws : int
        Bootstrap samples of the examples, or of the groups, for the standard error, drawn with seed 0.
    """
    measure, outputs = METRICS[metric], np.asarray(outputs, np.float64)
    each = measure.of_outputs(outputs, evaluation)  # (n_examples, n_numbers), or (n_groups, n_numbers)
    drawn = _bootstrap_rows(len(each), draws)
    value, error = float(measure.value(each)), float(np.std(measure.value(each[drawn]), ddof=1))
    trivial = float(measure.value(measure.of_constant(train.columns, evaluation)))
    return TaskScore(
        metric,
        value,
        error,
        trivial,
        value - trivial > 2 * error,
        TASK_KINDS[evaluation.kind].per_example(outputs, evaluation.columns),
        {name: float(METRICS[name].value(METRICS[name].of_outputs(outputs, evaluation))) for name in further},
        int(np.isnan(each).any(axis=1).sum()),
    )


def mean_score(scores: Sequence[TaskScore]) -> TaskScore:
    """Return the mean of scores of one metric on different examples, such as the folds of a sample.

    The standard error is that of the mean of independent scores; the scores of examples stand one after another.
    """
    value, trivial = (float(np.mean([getattr(score, field) for score in scores])) for field in ("value", "trivial"))
    error = float(np.sqrt(np.sum(np.square([score.standard_error for score in scores]))) / len(scores))
    return TaskScore(
        metric=scores[0].metric,
        value=value,
        standard_error=error,
        trivial=trivial,
        learned=value - trivial > 2 * error,
        per_example=np.concatenate([score.per_example for score in scores]),
        further={name: float(np.mean([score.further[name] for score in scores])) for name in scores[0].further},
        left_out=sum(score.left_out for score in scores),
    )


def gap_error(metric: str, one: Array, other: Array, evaluation: Dataset, *, draws: int = 200) -> float:
    """Return the standard error of the difference of two models' scores on the same examples: a paired bootstrap."""
    measure = METRICS[metric]
    first, second = (measure.of_outputs(outputs, evaluation) for outputs in (one, other))
    drawn = _bootstrap_rows(len(first), draws)
    return float(np.std(measure.value(first[drawn]) - measure.value(second[drawn]), ddof=1))


def _bootstrap_rows(n: int, draws: int) -> Array:
    return np.random.default_rng(0).integers(n, size=(draws, n))
