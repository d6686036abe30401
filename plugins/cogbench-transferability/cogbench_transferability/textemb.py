"""Similarity of two tasks' texts, and of what is published of them: nothing is trained."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import Array, FeatureOptions, TaskMatrix, hookimpl

from .pairs import Undefined, cosine, of_pairs

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence


@dataclass(frozen=True)
class TextEmb:
    """Cosine of two tasks' mean text, as the backbone sees it before any training.

    Parameters
    ----------
    features : FeatureOptions
        Which examples; the paper's pooling is the mean over an example's tokens, then over examples.

    References
    ----------
    Vu et al. (2020), Exploring and predicting transferability across NLP tasks, EMNLP, section 4.1.
    """

    features: FeatureOptions = field(default_factory=lambda: FeatureOptions(pooling="mean"))
    name: str = "textemb"
    needs: frozenset[str] = frozenset({"backbone-features"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_tasks, n_tasks) cosine, from -1 to 1; NaN for a task without text, and a note."""
        means = {t: mean_text(evidence.features(None, t, self.features).values) for t in evidence.tasks}

        def score(source: str, target: str) -> float:
            if not (np.isfinite(means[source]).all() and np.isfinite(means[target]).all()):
                raise Undefined("a task has no text")
            return cosine(means[source], means[target])

        return of_pairs(evidence, self.name, score)


def mean_text(features: Array) -> Array:
    """Return the mean (n_dims,) of examples (n_examples, n_dims), without those that have no token and so are NaN."""
    features = np.asarray(features, np.float64)
    defined = np.isfinite(features).all(axis=1)
    return features[defined].mean(axis=0) if defined.any() else np.full(features.shape[1], np.nan)


@dataclass(frozen=True)
class Description:
    """Cosine of the paragraphs that describe two tasks.

    Parameters
    ----------
    by : {"backbone", "words"}
        As the bare backbone represents them, or by their words, weighted by how few of the descriptions hold them.

    References
    ----------
    The idea is that of Vu et al. (2020), with the description in place of the data.
    """

    by: Literal["backbone", "words"] = "backbone"
    name: str = "description"

    @property
    def needs(self) -> frozenset[str]:
        """The cards, and the bare backbone if it reads them."""
        return frozenset({"cards", "backbone"} if self.by == "backbone" else {"cards"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_tasks, n_tasks) cosine, from -1 to 1; NaN for a task without one, and a note."""
        written = {t: " ".join(evidence.cards[t].description.split()) for t in evidence.tasks}
        texts = sorted({text for text in written.values() if text})
        vectors = dict[str, Array]()
        if texts:
            rows = evidence.represent(texts) if self.by == "backbone" else weighted_words(texts)
            vectors.update(zip(texts, rows, strict=True))

        def score(source: str, target: str) -> float:
            if not (written[source] and written[target]):
                raise Undefined("a task's card has no description")
            if not (vectors[written[source]].any() and vectors[written[target]].any()):
                raise Undefined("a task's description has no words")
            return cosine(vectors[written[source]], vectors[written[target]])

        return of_pairs(evidence, self.name, score)


def weighted_words(texts: list[str]) -> Array:
    """Return TF-IDF vectors (n_texts, n_words) of length 1, or zero for a text without words of two letters or more."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True)
    words = vectorizer.build_analyzer()
    if not any(map(words, texts)):
        return np.zeros((len(texts), 1))
    return vectorizer.fit_transform(texts).toarray()


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [TextEmb(), Description()]
