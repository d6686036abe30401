"""Features of examples: how like the target's they are, and how diverse their words are."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from cogbench import Array, SelectionEvidence, UnusableData

WORDS = r"(?u)\w+|[^\w\s]"  # words and signs, in lower case
Similarity = Literal["terms", "topics", "embeddings"]
Diversity = Literal["types", "type-token", "entropy", "simpson", "renyi", "quadratic"]
SIMILARITIES: tuple[Similarity, ...] = ("terms", "topics", "embeddings")
DIVERSITIES: tuple[Diversity, ...] = ("types", "type-token", "entropy", "simpson", "renyi", "quadratic")
RENYI_ORDER = 0.99
AT_ONCE = 256  # rows


def jensen_shannon(rows: Array, reference: Array) -> Array:
    """Return the Jensen-Shannon divergence of each distribution from a reference: (n_rows,), in bits, 0 to 1.

    Parameters
    ----------
    rows : array of shape (n_rows, n_outcomes)
        A distribution each; a row of zeros, such as that of a text without words, is 1 away from everything.
    reference : array of shape (n_outcomes,)

    References
    ----------
    Lin (1991), Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 37:1.
    """
    middle = (rows + reference) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        of_rows = np.where(rows > 0, rows * np.log2(rows / middle), 0.0).sum(axis=1)
        of_reference = np.where(reference > 0, reference * np.log2(reference / middle), 0.0).sum(axis=1)
    return np.where(rows.sum(axis=1) > 0, (of_rows + of_reference) / 2, 1.0)


def standardised(values: Array) -> Array:
    """Return features (n_rows, n_features) with mean 0 and deviation 1 each; a constant feature is 0."""
    deviation = values.std(axis=0)
    scale = np.where(deviation > 1e-12 * np.maximum(1, np.abs(values).max(axis=0)), deviation, np.inf)
    return np.asarray((values - values.mean(axis=0)) / scale)


def similarities(evidence: SelectionEvidence, which: Sequence[str], topics: int) -> Array:
    """Return how like the target each source example is: (n_source_examples, n_features), 1 minus a divergence.

    Parameters
    ----------
    evidence : SelectionEvidence
    which : sequence of str
        Some of `SIMILARITIES`.
    topics : int
        The number of topics of the latent Dirichlet allocation, which is fitted to the texts of both tasks, and of the
        groups of vectors.

    Raises
    ------
    UnusableData
        If there are no words in the texts.

    References
    ----------
    Ruder & Plank (2017), Learning to select data for transfer learning with Bayesian optimization, EMNLP, section 3.2.
    Blei, Ng & Jordan (2003), Latent Dirichlet allocation, JMLR 3.
    """
    texts = evidence.source.texts, evidence.target.texts
    counts = _counts([*texts[0], *texts[1]]) if {"terms", "topics"} & {*which} else None
    n_rows, columns = len(texts[0]), []
    for name in which:
        if name == "embeddings":
            columns.append(_of_vectors(evidence.vectors(texts[0]), evidence.vectors(texts[1]), topics, evidence.seed))
        elif name == "topics":
            columns.append(_of_topics(counts, n_rows, topics, evidence.seed))
        else:
            columns.append(_of_terms(counts, n_rows))
    return 1 - np.stack(columns, axis=1)


def diversities(evidence: SelectionEvidence, which: Sequence[str] = DIVERSITIES) -> Array:
    """Return how diverse the words of each source example are: (n_source_examples, n_features).

    Sums go over the types of an example, and pᵢ is the share of type i among the words of all source examples.
    `quadratic` is 1 minus the mean cosine of the vectors of the types, each weighted by its share pᵢ within the
    example, so that it is larger for types that are unlike each other.

    Raises
    ------
    UnusableData
        If there are no words in the texts.

    References
    ----------
    Ruder & Plank (2017), section 3.3. Rényi (1961), On measures of entropy and information. Rao (1982), Diversity and
    dissimilarity coefficients, Theoretical Population Biology 21:1.
    """
    counts, names = _counts_and_names(evidence.source.texts)
    share = np.asarray(counts.sum(axis=0)).ravel() / counts.sum()
    of_type = {"entropy": -share * np.log(share), "simpson": -(share**2), "renyi": share**RENYI_ORDER}
    n_types, n_words = np.diff(counts.indptr), np.asarray(counts.sum(axis=1)).ravel()
    present = counts.copy()
    present.data = np.ones_like(present.data)
    columns = []
    for name in which:
        if name == "types":
            values = n_types
        elif name == "type-token":
            values = n_types / np.maximum(1, n_words)
        elif name == "quadratic":
            values = _quadratic(present, share, evidence.vectors(names))
        else:
            values = present @ of_type[name]
            if name == "renyi":
                values = np.log(np.maximum(values, np.finfo(float).tiny)) / (1 - RENYI_ORDER)
        columns.append(np.asarray(values, np.float64))
    return np.stack(columns, axis=1)


def _counts_and_names(texts: Sequence[str]) -> tuple[Any, list[str]]:
    """Return how often each word stands in each text, a sparse array (n_texts, n_types), and the words."""
    from sklearn.feature_extraction.text import CountVectorizer

    reader = CountVectorizer(token_pattern=WORDS, dtype=np.float64)
    try:
        counts = reader.fit_transform(texts)
    except ValueError as error:
        raise UnusableData("the texts have no words, so no rows can be chosen by them.") from error
    return counts.tocsr(), list(map(str, reader.get_feature_names_out()))


def _counts(texts: Sequence[str]) -> Any:
    return _counts_and_names(texts)[0]


def _of_terms(counts: Any, n_rows: int) -> Array:
    """Return the divergence of each example's words from those of all the target's examples."""
    reference = np.asarray(counts[n_rows:].sum(axis=0)).ravel()
    reference = reference / max(1.0, reference.sum())
    pieces = []
    for start in range(0, n_rows, AT_ONCE):
        rows = counts[start : min(start + AT_ONCE, n_rows)].toarray()
        pieces.append(jensen_shannon(rows / np.maximum(1, rows.sum(axis=1, keepdims=True)), reference))
    return np.concatenate(pieces)


def _of_topics(counts: Any, n_rows: int, topics: int, seed: int) -> Array:
    """Return the divergence of each example's topics from the mean topics of the target's examples."""
    from sklearn.decomposition import LatentDirichletAllocation

    model = LatentDirichletAllocation(n_components=topics, random_state=seed)
    shares = model.fit_transform(counts)
    return jensen_shannon(shares[:n_rows], shares[n_rows:].mean(axis=0))


def _of_vectors(source: Array, target: Array, groups: int, seed: int) -> Array:
    """Return the divergence of each example's vector from those of the target, as distributions over groups.

    The vectors of both tasks are grouped by k-means. An example belongs to a group in proportion to exp(-d² / 2s²) by
    its distance d from the group's mean, where s² is the mean squared distance of all vectors from their own group.
    """
    from sklearn.cluster import KMeans

    both = np.concatenate([source, target]).astype(np.float64)
    n_groups = min(groups, len(np.unique(both, axis=0)))
    model = KMeans(n_groups, n_init=3, random_state=seed).fit(both)
    distances = np.square(model.transform(both))  # (n_rows, n_groups)
    nearest = distances.min(axis=1, keepdims=True)
    spread = max(float(nearest.mean()), np.finfo(float).eps)
    shares = np.exp(-(distances - nearest) / (2 * spread))
    shares /= shares.sum(axis=1, keepdims=True)
    return jensen_shannon(shares[: len(source)], shares[len(source) :].mean(axis=0))


def _quadratic(present: Any, share: Array, vectors: Array) -> Array:
    """Return 1 minus the weighted mean cosine of the vectors of each example's types; 0 of an example without words."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    total = np.asarray(present @ share)
    mean = (present @ (unit * share[:, None])) / np.where(total > 0, total, 1)[:, None]  # (n_rows, n_dims)
    return np.where(total > 0, 1 - np.square(mean).sum(axis=1), 0.0)
