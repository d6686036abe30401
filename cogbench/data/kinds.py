"""The kinds of task: which columns there are, what an answer is, and how one is read off a head's outputs.

A kind is a head and a loss too, but those are the backbone's: it knows a kind by its name. Nothing here names a task.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

Columns = Mapping[str, Sequence[Any]]
Refusal = tuple[int | None, str]  # the row, counted from 0, if it is of one; and what is wrong


class Kind(Protocol):
    """A form that tasks have in common."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its data sets; `?` marks one that may be absent. `label` holds the true answers."""

    @property
    def classes(self) -> bool:
        """Whether a label is the number of one class, so that a sample can hold each class in its share."""

    def refusal(self, columns: Columns, labels: tuple[str, ...]) -> Refusal | None:
        """Say what is wrong with the first row that is not well-formed, or None."""

    def answers(self, outputs: np.ndarray, columns: Columns) -> Any:
        """Return one answer for each example, as a head with these outputs gives it."""

    def constant(self, train: Columns, columns: Columns) -> Any:
        """Return the answers of somebody who has seen the training labels and looks at no text."""

    def per_example(self, outputs: np.ndarray, columns: Columns) -> np.ndarray:
        """Return the log-likelihood of each true answer: (n_examples,)."""


class Classification:
    """One of several classes for a text, or for two. Outputs (n_examples, n_labels): logits. Answers: numbers.

    Rows of one `group` are parts of one question, such as the passages that bear on it: they have one label.
    """

    columns: tuple[str, ...] = ("text", "text_pair?", "group?", "label")
    classes = True

    def refusal(self, columns: Columns, labels: tuple[str, ...]) -> Refusal | None:
        for rows in groups(columns):
            for row in rows:
                if columns["label"][row] != columns["label"][rows[0]]:
                    return row, "has another label than the first row of its group: the rows of a group have one label"
        return _unseen(columns["label"], labels)

    def answers(self, outputs: np.ndarray, columns: Columns) -> np.ndarray:
        return outputs.argmax(axis=1)

    def constant(self, train: Columns, columns: Columns) -> np.ndarray:
        return np.full(len(columns["label"]), np.bincount(train["label"]).argmax())

    def per_example(self, outputs: np.ndarray, columns: Columns) -> np.ndarray:
        return _log_softmax(outputs)[np.arange(len(columns["label"])), np.asarray(columns["label"])]


class Relation(Classification):
    """A classification of a text that holds `<e1>`, `</e1>`, `<e2>` and `</e2>`, each once: how do the two relate?

    A class is called `Name(e1,e2)` or `Name(e2,e1)`; one without brackets says that there is no relation.
    """

    columns = ("text", "label")
    MARKS = ("<e1>", "</e1>", "<e2>", "</e2>")

    def refusal(self, columns: Columns, labels: tuple[str, ...]) -> Refusal | None:
        for i, text in enumerate(columns["text"]):
            places = [text.find(mark) for mark in self.MARKS]
            well = all(text.count(m) == 1 for m in self.MARKS) and places[0] < places[1] and places[2] < places[3]
            if not well:
                return i, f"does not mark its two entities with {' '.join(self.MARKS)}, each once and in pairs"
        return super().refusal(columns, labels)


class Regression:
    """A number for a text, or for two. Outputs (n_examples, 1). Answers: numbers."""

    columns = ("text", "text_pair?", "label")
    classes = False

    def refusal(self, columns: Columns, labels: tuple[str, ...]) -> Refusal | None:
        for i, value in enumerate(columns["label"]):
            if not (isinstance(value, int | float) and math.isfinite(value)):
                return i, f"has the label {value!r}: a label is not a finite number"
        return None

    def answers(self, outputs: np.ndarray, columns: Columns) -> np.ndarray:
        return outputs[:, 0]

    def constant(self, train: Columns, columns: Columns) -> np.ndarray:
        return np.full(len(columns["label"]), np.mean(train["label"]))

    def per_example(self, outputs: np.ndarray, columns: Columns) -> np.ndarray:
        """Return the log-likelihoods under a normal distribution with the residuals' spread."""
        error = outputs[:, 0] - np.asarray(columns["label"])
        variance = max(float(np.mean(error**2)), 1e-12)
        return -0.5 * (error**2 / variance + np.log(2 * np.pi * variance))


class ExtractiveQA:
    """A passage of `text_pair` that answers the question `text`, or none that does.

    A label is what SQuAD's `answers` are: `text`, a list of right answers, and `answer_start`, a list of the places of
    their first characters; both are empty where the context does not answer. Outputs (n_examples, 3): the best
    passage's first character, the character after its last, and by how much its score exceeds the score of no answer.
    Answers: texts, "" for none.

    Rows of one `group` are one question with several contexts. With this column the outputs hold the N_BEST best
    passages of each row, of whole words, best first, three numbers each: (n_examples, 3 · N_BEST). No two of a row are
    the same text in lower case, so that the N_BEST best texts of a group are among them. One that ends at character 0
    is none.
    """

    columns = ("text", "text_pair", "group?", "label")
    classes = False

    def refusal(self, columns: Columns, labels: tuple[str, ...]) -> Refusal | None:
        for i, (context, right) in enumerate(zip(columns["text_pair"], columns["label"], strict=True)):
            for start, text in zip(right["answer_start"], right["text"], strict=True):
                passage = context[start : start + len(text)]
                if start < 0 or not text or passage != text:
                    return (
                        i,
                        f"has an answer {text!r} that does not stand at character {start} of its context: {passage!r}",
                    )
        return None

    def answers(self, outputs: np.ndarray, columns: Columns) -> list[str]:
        best = zip(outputs[:, :3], columns["text_pair"], strict=True)
        return [context[int(start) : int(end)] if margin > 0 else "" for (start, end, margin), context in best]

    def candidates(self, outputs: np.ndarray, columns: Columns) -> list[list[tuple[float, str]]]:
        """Return for each example its best passages with their margins over no answer, whatever these are."""
        rows = zip(outputs.reshape(len(outputs), -1, 3), columns["text_pair"], strict=True)
        return [[(m, context[int(start) : int(end)]) for start, end, m in best if end > 0] for best, context in rows]

    def constant(self, train: Columns, columns: Columns) -> list[str]:
        return [""] * len(columns["label"])

    def per_example(self, outputs: np.ndarray, columns: Columns) -> np.ndarray:
        """Return the F1 of each answer: the likelihood of a passage among those of several windows is undefined."""
        return squad(self.answers(outputs, columns), columns)[:, 1]


class Tagging:
    """One of several tags for each word of `tokens`: in IOB2, where the first tag, `O`, means none; or without `O`.

    The first tag is the constant answer: of tags without `O` it should be the most frequent.

    Outputs (n_words of all examples, n_labels): logits, sentence after sentence. Answers: a list of tag numbers each.
    """

    columns = ("tokens", "label")
    classes = False

    def refusal(self, columns: Columns, labels: tuple[str, ...]) -> Refusal | None:
        if not labels or "O" in labels[1:]:
            return None, f"the first tag has to be 'O', no entity; its tags are {', '.join(labels)}"
        for i, (tokens, tags) in enumerate(zip(columns["tokens"], columns["label"], strict=True)):
            if len(tokens) != len(tags) or not len(tokens):
                return i, f"has {len(tokens)} words and {len(tags)} tags"
            empty = [j for j, token in enumerate(tokens) if not isinstance(token, str) or not token.strip()]
            if empty:
                return i, f"has no text in word {empty[0] + 1}"
        return _unseen([tag for tags in columns["label"] for tag in tags], labels)

    def answers(self, outputs: np.ndarray, columns: Columns) -> list[np.ndarray]:
        return _parts(outputs.argmax(axis=1), columns["label"])

    def constant(self, train: Columns, columns: Columns) -> list[np.ndarray]:
        return [np.zeros(len(tags), int) for tags in columns["label"]]

    def per_example(self, outputs: np.ndarray, columns: Columns) -> np.ndarray:
        """Return the sum of a sentence's words' log-likelihoods."""
        true = np.concatenate([np.asarray(tags) for tags in columns["label"]])
        each = _log_softmax(outputs)[np.arange(len(true)), true]
        return np.array([part.sum() for part in _parts(each, columns["label"])])


class Reranking:
    """Which of several `passages` are relevant to the query `text`? A label is a sequence of 0 and 1, or of grades.

    A grade is a whole number, larger for what is more relevant; for the training each above 0 is relevant.

    Outputs (n_passages of all examples, 1): the logit that a passage is relevant, query after query. Answers: an array
    of such scores each.
    """

    columns = ("text", "passages", "label")
    classes = False

    def refusal(self, columns: Columns, labels: tuple[str, ...]) -> Refusal | None:
        for i, (passages, relevant) in enumerate(zip(columns["passages"], columns["label"], strict=True)):
            if len(passages) != len(relevant) or not len(passages):
                return i, f"has {len(passages)} passages and {len(relevant)} labels"
            if not all(isinstance(passage, str) for passage in passages):
                return i, "has a passage without text"
            if unseen := [v for v in relevant if not (isinstance(v, int | np.integer) and v >= 0)]:
                return i, f"has the label {unseen[0]!r}; expected 0 or 1 for each passage, or a grade such as 2"
        return None

    def answers(self, outputs: np.ndarray, columns: Columns) -> list[np.ndarray]:
        return _parts(outputs[:, 0], columns["label"])

    def constant(self, train: Columns, columns: Columns) -> list[np.ndarray]:
        return [np.zeros(len(relevant)) for relevant in columns["label"]]

    def per_example(self, outputs: np.ndarray, columns: Columns) -> np.ndarray:
        """Return the sum of the log-likelihoods of a query's passages, each relevant or not by itself."""
        true = np.concatenate([np.asarray(relevant) for relevant in columns["label"]])
        each = -np.logaddexp(0, np.where(true > 0, -outputs[:, 0], outputs[:, 0]))
        return np.array([part.sum() for part in _parts(each, columns["label"])])


TASK_KINDS: dict[str, Kind] = {
    "classification": Classification(),
    "regression": Regression(),
    "relation": Relation(),
    "extractive-qa": ExtractiveQA(),
    "tagging": Tagging(),
    "reranking": Reranking(),
}


N_BEST = 5  # passages of a row that its group chooses from, as many as BioASQ takes


def groups(columns: Columns) -> list[list[int]]:
    """Return the rows of each group, in the order of their first rows; without groups each row is one of its own."""
    by_name = dict[Any, list[int]]()
    for row, name in enumerate(columns.get("group", range(len(columns["label"])))):
        by_name.setdefault(name, []).append(row)
    return list(by_name.values())


def squad(answers: Sequence[str], columns: Columns) -> np.ndarray:
    """Return exact match and token F1 with the best of the right answers: (n_examples, 2).

    Without an answer both are 1 for no answer and 0 for any other, as the evaluation script of SQuAD 2.0 has it.

    References
    ----------
    Rajpurkar, Jia & Liang (2018), Know what you don't know, ACL.
    """
    scores = []
    for answer, right in zip(answers, columns["label"], strict=True):
        wanted = [w for w in (_plain_words(text) for text in right["text"]) if w] or [[]]
        given = _plain_words(answer)
        scores.append((max(float(given == w) for w in wanted), max(_overlap(given, w) for w in wanted)))
    return np.array(scores)


def _plain_words(text: str) -> list[str]:
    """Lower case, without punctuation and articles."""
    kept = "".join(c for c in text.lower() if c not in PUNCTUATION)
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def _overlap(given: list[str], wanted: list[str]) -> float:
    from collections import Counter

    if not given or not wanted:
        return float(given == wanted)
    common = (Counter(given) & Counter(wanted)).total()
    return 2 * common / (len(given) + len(wanted))


def _unseen(values: Sequence[Any], labels: tuple[str, ...]) -> Refusal | None:
    unseen = [v for v in values if type(v) is not int or not 0 <= v < len(labels)]
    if not unseen:
        return None
    shown = ", ".join(sorted({repr(v) for v in unseen})[:3])
    return None, f"unseen label {shown}; expected 0 to {len(labels) - 1} ({', '.join(labels)})"


def _parts(values: np.ndarray, like: Sequence[Sequence[Any]]) -> list[np.ndarray]:
    """Cut an array into consecutive parts as long as these sequences."""
    return np.split(values, np.cumsum([len(part) for part in like])[:-1])


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
