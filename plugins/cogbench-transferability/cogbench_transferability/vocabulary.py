"""Similarity of two tasks' frequent words: no model is asked."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cogbench import TaskMatrix, UnusableData, hookimpl

from .pairs import Undefined, of_pairs

if TYPE_CHECKING:
    from cogbench import Estimator, Evidence

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
NEGATED = frozenset("does did wo ca sha ai need dare".split())  # before n't, beside the function words


@dataclass(frozen=True)
class Vocabulary:
    """How many of two tasks' most frequent words they have in common.

    Parameters
    ----------
    words : int
        How many of the most frequent ones; words of equal frequency in the order of the alphabet.
    gram : int
        1 for single words, 2 for pairs of neighbours, and so on.
    measure : {"overlap", "jaccard"}
        Per cent of `words`, or of those that either task has, from 0 to 1.
    denominator : {"words", "least"}
        Of the overlap: `words`, as the authors' code has it, or the size of the smaller vocabulary if that is less.
    examples : int, optional
        At most so many training examples; all of them by default.

    References
    ----------
    Lin et al. (2024), on selecting intermediate tasks for prompt transfer: the vocabulary baseline of their code.
    """

    words: int = 1000
    gram: int = 1
    measure: Literal["overlap", "jaccard"] = "overlap"
    denominator: Literal["words", "least"] = "words"
    examples: int | None = None
    name: str = "vocabulary"
    needs: frozenset[str] = frozenset({"texts"})

    def __post_init__(self) -> None:
        if self.words < 1 or self.gram < 1:
            raise UnusableData(f"{self.name}: words={self.words}, gram={self.gram}; both must be at least 1.")
        if self.examples is not None and self.examples < 1:
            raise UnusableData(f"{self.name}: examples={self.examples}; expected at least 1, or none for all of them.")

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_tasks, n_tasks) overlaps; NaN for a task without words, and a note."""
        frequent = {
            t: frequent_words(evidence.texts(t, "train", n=self.examples), self.words, self.gram)
            for t in evidence.tasks
        }
        few = [t for t, words in frequent.items() if len(words) < self.words]
        if few and self.measure == "overlap" and self.denominator == "words":
            evidence.note(f"{self.name}: {len(few)} of {len(frequent)} tasks have fewer than {self.words} words.")

        def score(source: str, target: str) -> float:
            a, b = frequent[source], frequent[target]
            if self.measure == "jaccard":
                return jaccard(a, b)
            return overlap(a, b, self.words if self.denominator == "words" else min(len(a), len(b), self.words))

        return of_pairs(evidence, self.name, score)


def frequent_words(texts: Sequence[str], n: int, gram: int = 1) -> frozenset[str]:
    """Return the n most frequent words of some texts, or runs of `gram` words, without English function words."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    counts = Counter[str]()
    for text in texts:
        words = [w for w in map(stem, WORD.findall(text.lower())) if w and w not in ENGLISH_STOP_WORDS]
        counts.update(" ".join(words[i : i + gram]) for i in range(len(words) - gram + 1))
    return frozenset(sorted(counts, key=lambda w: (-counts[w], w))[:n])


def stem(word: str) -> str:
    """Return a word in lower case without what follows an apostrophe; of a negation or a single letter nothing.

    So "it's" is the function word "it", "dog's" is "dog", and "don't" is no word of its own.
    """
    word = word.replace("’", "'")
    base = word[:-3] if word.endswith("n't") else word.partition("'")[0]
    if (len(base) == 1 and "a" <= base <= "z") or (word.endswith("n't") and base in NEGATED):
        return ""
    return base


def overlap(a: Iterable[object], b: Iterable[object], denominator: int) -> float:
    """Return per cent of `denominator` that two sets have in common; Undefined if either is empty."""
    a, b = _not_empty(a, b)
    return 100 * len(a & b) / denominator


def jaccard(a: Iterable[object], b: Iterable[object]) -> float:
    """Return the share of what two sets have in common in what either has; Undefined if either is empty."""
    a, b = _not_empty(a, b)
    return len(a & b) / len(a | b)


def _not_empty(a: Iterable[object], b: Iterable[object]) -> tuple[set[object], set[object]]:
    a, b = {*a}, {*b}
    if not a or not b:
        raise Undefined("a task has no words")
    return a, b


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [Vocabulary()]
