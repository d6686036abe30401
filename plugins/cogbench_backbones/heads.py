"""What each kind of task asks of a transformer: its head, its encoded rows, and its outputs from those of the rows.

A row is what goes through the model at once; an example has one, or several where it is longer than the model or is a
list of passages. Heads and losses are transformers' own, so that anybody can load a trained model.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from cogbench import Array, Dataset, pooled

if TYPE_CHECKING:
    from torch import Tensor

Rows = dict[str, list[Any]]  # equally long columns: the model's inputs, and the true answers by the names of its loss
Places = list[tuple[int, int] | None]
Span = tuple[float, int, int]  # of a passage: its score, its first character, and the character after its last
READING_BYTES = 2**30  # as many as 64 rows of 128 pieces, or 16 of 512, take in BERT-large
IGNORED = -100  # a piece that torch's cross entropy leaves out
N_BEST = 5  # passages of a row where rows stand in groups, as cogbench.TASK_KINDS has them
NO_ANSWER = -1e4  # the margin where a context has no passage at all
ANSWER_PIECES = 30  # the longest answer looked for, as in BERT's script for SQuAD
AT_PIECES = ("tagging", "extractive-qa")  # kinds whose outputs stand at the pieces of a text


@dataclass(frozen=True)
class Encoded:
    """A data set as rows; `places` lead from their pieces back to the examples, `cut` counts texts read in part."""

    rows: Rows
    places: Any = None
    cut: int = 0


@dataclass(frozen=True)
class Head:
    """The head of a kind of task.

    `model` is a class of transformers, `problem` its name for the loss; `encode(tokenizer, dataset, limit)` gives rows
    of at most `limit` pieces; `outputs(each, dataset, places)` makes what the model gave for each row, in their order,
    into the outputs of the examples, as `cogbench.TASK_KINDS` has them.
    """

    model: str
    encode: Callable[[Any, Dataset, int], Encoded]
    outputs: Callable[[list[Array], Dataset, Any], Array]
    problem: str | None = None


def encoded(tokenizer: Any, dataset: Dataset, limit: int) -> Encoded:
    """Return a data set's rows; those of the last few are remembered, for trainings on one task come together."""
    return _remembered(tokenizer.name_or_path, _Content(dataset, tokenizer), limit)


class _Content:
    """A data set and its tokenizer as a key: the same content is the same key."""

    def __init__(self, dataset: Dataset, tokenizer: Any) -> None:
        self.dataset, self.tokenizer = dataset, tokenizer

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Content) or self.dataset.sha256 != other.dataset.sha256:
            return False
        # Copies of a fast tokenizer share what cuts texts; that of a folder whose files have changed is another one.
        one, two = (getattr(tokenizer, "_tokenizer", tokenizer) for tokenizer in (self.tokenizer, other.tokenizer))
        return one is two

    def __hash__(self) -> int:
        return hash(self.dataset.sha256)


@lru_cache(maxsize=8)
def _remembered(place: str, content: _Content, limit: int) -> Encoded:
    return HEADS[content.dataset.kind].encode(content.tokenizer, content.dataset, limit)


def batch(tokenizer: Any, rows: Iterable[dict[str, Any]]) -> dict[str, "Tensor"]:
    """Pad some rows to one length, their labels too where each piece has one; pieces stay where they are counted."""
    import torch

    rows = list(rows)
    inputs = {k: [row[k] for row in rows] for k in rows[0] if k in tokenizer.model_input_names}
    tensors = dict(tokenizer.pad(inputs, return_tensors="pt"))
    for name in (k for k in rows[0] if k not in inputs):
        values = [row[name] for row in rows]
        if isinstance(values[0], list) and isinstance(values[0][0], int):  # a tag for each piece
            width = tensors["input_ids"].shape[1]
            values = [v + [IGNORED] * (width - len(v)) for v in values]
        tensors[name] = torch.tensor(values)
    return tensors


def by_length(rows: Rows, config: Any, size: int = 64) -> Iterator[list[int]]:
    """Yield row numbers in batches of like lengths: half the padding of batches in the order of the rows.

    A batch has `size` rows, or as many as have together `size` times 128 pieces, or as many as a model of this
    configuration reads in `READING_BYTES`: longer ones would take memory. The batches do not depend on the memory that
    is free, so that a model answers the same everywhere.
    """
    lengths = [len(ids) for ids in rows["input_ids"]]
    some: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        n_rows, n_bytes = len(some) + 1, bytes_of_row(config, lengths[i])
        if some and (n_rows > size or n_rows * lengths[i] > size * 128 or n_rows * n_bytes > READING_BYTES):
            yield some
            some = []
        some.append(i)
    if some:
        yield some


def bytes_of_row(config: Any, n_pieces: int) -> int:
    """Return about how many bytes a row takes in one layer of a model that is only read: states, and attention."""
    config = config.get_text_config()
    width = getattr(config, "hidden_size", 0)
    inner = getattr(config, "intermediate_size", None) or 4 * width
    heads = getattr(config, "num_attention_heads", None) or 1
    return 4 * n_pieces * (8 * width + 2 * inner) + 8 * heads * n_pieces**2


def bytes_of_reading(config: Any, n_pieces: int) -> int:
    """Return about how many bytes the batches of `by_length` take, for rows of so many pieces."""
    n_bytes = bytes_of_row(config, n_pieces)
    return n_bytes * max(1, min(64, 64 * 128 // n_pieces, READING_BYTES // n_bytes))


def row(rows: Rows, i: int) -> dict[str, Any]:
    """Return one row."""
    return {name: column[i] for name, column in rows.items()}


def each_row(rows: Rows) -> list[dict[str, Any]]:
    """Return all rows, one by one."""
    return [row(rows, i) for i in range(len(rows["input_ids"]))]


def outputs_of_rows(
    model: Any, tokenizer: Any, rows: Rows, batches: Iterable[Sequence[int]] | None = None
) -> list[Array]:
    """Return what the head gives for each row: (n_outputs,), or (n_pieces, n_outputs) where each piece has some.

    `batches` of row numbers are those of like lengths unless given.
    """
    import torch

    outputs: list[Array] = [np.empty(0)] * len(rows["input_ids"])
    model.eval()
    with torch.inference_mode():
        for numbers in batches or by_length(rows, model.config):
            inputs = {k: v.to(model.device) for k, v in batch(tokenizer, (row(rows, i) for i in numbers)).items()}
            out = model(**{k: v for k, v in inputs.items() if k in tokenizer.model_input_names})
            values = torch.stack([out.start_logits, out.end_logits], -1) if "start_logits" in out else out.logits
            for i, value in zip(numbers, values.float().cpu().numpy(), strict=True):
                outputs[i] = value[: len(rows["input_ids"][i])] if value.ndim == 2 else value
    return outputs


def vectors_of_rows(encoder: Any, tokenizer: Any, rows: Rows, pooling: str) -> Array:
    """Return a vector of the last layer for each row: (n_rows, n_dims) float32; read in batches of like lengths."""
    import torch

    vectors: list[Array] = [np.empty(0)] * len(rows["input_ids"])
    with torch.inference_mode():
        for numbers in by_length(rows, encoder.config):
            inputs = {k: v.to(encoder.device) for k, v in batch(tokenizer, (row(rows, i) for i in numbers)).items()}
            hidden = encoder(**inputs).last_hidden_state  # (batch, tokens, dims)
            for i, vector in zip(numbers, pooled(hidden, inputs["attention_mask"], pooling), strict=True):
                vectors[i] = vector
    return np.stack(vectors).astype(np.float32)


def encode(tokenizer: Any, *texts: Sequence[str], limit: int, **options: Any) -> Any:
    """Return texts, or pairs of them, as pieces; special tokens that a text holds are text.

    A tokenizer splits them into other pieces. Where its vocabulary itself holds them as words (SentencePiece), an
    unknown word stands for each: a model may count its separators.
    """
    how = {"truncation": True, "max_length": limit, **options}
    if not tokenizer.is_fast:
        return tokenizer(*map(list, texts), **how)
    pieces = tokenizer(*map(list, texts), return_special_tokens_mask=True, **how)
    special, unknown = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}, tokenizer.unk_token_id
    for ids, written in zip(pieces["input_ids"], pieces.pop("special_tokens_mask"), strict=True):
        for i, (piece, own) in enumerate(zip(ids, written, strict=True)):
            if not own and piece in special and unknown is not None:
                ids[i] = unknown
    return pieces


# Classification, regression, relation: one text or two, one row.


def _cut(tokenizer: Any, texts: Iterable[Sequence[str]], limit: int, **labels: list[Any]) -> Encoded:
    """Encode texts, or pairs of them; what is longer than a row is cut and counted."""
    pieces = encode(tokenizer, *texts, limit=limit)
    return Encoded({**pieces, **labels}, cut=sum(bool(one.overflowing) for one in pieces.encodings or ()))


def _texts(dataset: Dataset) -> list[Sequence[str]]:
    return [dataset.columns[c] for c in ("text", "text_pair") if c in dataset.columns]


def _classes(tokenizer: Any, dataset: Dataset, limit: int) -> Encoded:
    return _cut(tokenizer, _texts(dataset), limit, labels=list(dataset.columns["label"]))


def _numbers(tokenizer: Any, dataset: Dataset, limit: int) -> Encoded:
    return _cut(tokenizer, _texts(dataset), limit, labels=[float(v) for v in dataset.columns["label"]])


# Signs that every vocabulary has: Zhou & Chen (2021), An improved baseline for sentence-level relation extraction.
MARKS = {"<e1>": " @ ", "</e1>": " @ ", "<e2>": " # ", "</e2>": " # "}


def _marked(tokenizer: Any, dataset: Dataset, limit: int) -> Encoded:
    texts = list(dataset.columns["text"])
    for mark, sign in MARKS.items():
        texts = [text.replace(mark, sign) for text in texts]
    texts = [" ".join(text.split()) for text in texts]
    return _cut(tokenizer, [texts], limit, labels=list(dataset.columns["label"]))


def _stacked(each: list[Array], dataset: Dataset, places: None) -> Array:
    return np.stack(each)


# Reranking: a row for each query with each of its passages, relevant or not by itself.


def _passages(tokenizer: Any, dataset: Dataset, limit: int) -> Encoded:
    queries, passages, labels = (dataset.columns[c] for c in ("text", "passages", "label"))
    left = [query for query, of_query in zip(queries, passages, strict=True) for _ in of_query]
    right = [passage for of_query in passages for passage in of_query]
    relevant = [[float(v > 0)] for values in labels for v in values]
    return _cut(tokenizer, (left, right), limit, labels=relevant)


# Tagging: a sentence longer than the model goes on in a further row; the first piece of a word speaks for it.


def _tags(tokenizer: Any, dataset: Dataset, limit: int) -> Encoded:
    """Encode sentences; the places are for each row (piece, example, word) of the first piece of each word.

    The words are joined by blanks and encoded as running text, so that they have the pieces that the model was trained
    on: many a tokenizer makes other pieces of a word without a blank before it.
    """
    sentences = [list(tokens) for tokens in dataset.columns["tokens"]]
    encoding = encode(
        tokenizer,
        [" ".join(words) for words in sentences],
        limit=limit,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    owners, offsets = encoding.pop("overflow_to_sample_mapping"), encoding.pop("offset_mapping")
    words_of = [_word_of_each_character(words) for words in sentences]
    before, places = None, []
    for owner, spans in zip(owners, offsets, strict=True):
        first = []
        for piece, (start, end) in enumerate(spans):
            word = next((w for w in words_of[owner][start:end] if w is not None), None)
            if word is not None and (owner, word) != before:
                first.append((piece, owner, word))
                before = (owner, word)
        places.append(first)
    labels = [[IGNORED] * len(ids) for ids in encoding["input_ids"]]
    for label, first in zip(labels, places, strict=True):
        for piece, example, word in first:
            label[piece] = dataset.columns["label"][example][word]
    return Encoded({**encoding, "labels": labels}, places)


def _word_of_each_character(words: Sequence[str]) -> list[int | None]:
    """Return for each character of the joined words the word that it belongs to; None for blanks."""
    return [None if character.isspace() else i for i, word in enumerate(words) for character in (*word, " ")][:-1]


def _tagged(each: list[Array], dataset: Dataset, places: list[list[tuple[int, int, int]]]) -> Array:
    """Return the logits of each word; one without a piece, such as a control character, is no entity."""
    starts = np.cumsum([0, *(len(tags) for tags in dataset.columns["label"])])
    logits = np.zeros((starts[-1], len(dataset.labels)), np.float32)
    for values, first in zip(each, places, strict=True):
        for piece, example, word in first:
            logits[starts[example] + word] = values[piece]
    return logits


# Extractive question answering: windows over the context that overlap by a third.


def _spans(tokenizer: Any, dataset: Dataset, limit: int) -> Encoded:
    """Encode windows; the places are for each its example, and each piece's characters, None outside the context.

    The first right answer is a window's, or its first piece where the window does not hold all of it.
    """
    questions = [_begin(tokenizer, text, limit // 3) for text in dataset.columns["text"]]
    encoding = encode(
        tokenizer,
        questions,
        list(dataset.columns["text_pair"]),
        limit=limit,
        truncation="only_second",
        stride=min(128, limit // 3),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    owners, offsets = encoding.pop("overflow_to_sample_mapping"), encoding.pop("offset_mapping")
    inside: list[Places] = [
        [place if part == 1 else None for place, part in zip(offsets[i], encoding.sequence_ids(i), strict=True)]
        for i in range(len(owners))
    ]
    starts, ends = [], []
    for owner, places in zip(owners, inside, strict=True):
        start, end = 0, 0
        right = dataset.columns["label"][owner]
        for begin, text in list(zip(right["answer_start"], right["text"], strict=True))[:1]:
            pieces = [i for i, p in enumerate(places) if p and p[0] < begin + len(text) and p[1] > begin]
            if pieces and places[pieces[0]][0] <= begin and places[pieces[-1]][1] >= begin + len(text):  # type: ignore[index]
                start, end = pieces[0], pieces[-1]
        starts.append(start)
        ends.append(end)
    cut = sum(short != whole for short, whole in zip(questions, dataset.columns["text"], strict=True))
    return Encoded(
        {**encoding, "start_positions": starts, "end_positions": ends}, list(zip(owners, inside, strict=True)), cut
    )


def _begin(tokenizer: Any, text: str, limit: int) -> str:
    """Return as much of a text as has so many pieces."""
    places = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return text if len(places) <= limit else text[: places[limit - 1][1]]


def _best_spans(each: list[Array], dataset: Dataset, places: list[tuple[int, Places]]) -> Array:
    """Return first character, last character and margin over no answer: of all windows the best passage.

    Where rows stand in groups, these of the N_BEST best passages of whole words that are different texts.
    """
    n_best = N_BEST if "group" in dataset.columns else 1
    outputs = np.tile(np.array([0, 0, NO_ANSWER], np.float32), (len(dataset), n_best))
    for owner, group in groupby(zip(places, each, strict=True), key=lambda window: window[0][0]):
        windows, context = list(group), dataset.columns["text_pair"][owner]
        none = min(float(scores[0].sum()) for _, scores in windows)
        by_text = dict[str, Span]()
        for span in sorted((s for (_, inside), scores in windows for s in _spans_of(scores, inside, context, n_best))):
            by_text[context[span[1] : span[2]].lower()] = span  # the better one comes later
        for i, (score, start, end) in enumerate(sorted(by_text.values(), reverse=True)[:n_best]):
            outputs[owner, 3 * i : 3 * i + 3] = start, end, score - none
    return outputs


def _spans_of(scores: Array, places: Places, context: str, n_best: int) -> list[Span]:
    """Return the scores of a window's best passages that are different texts, and their characters.

    Several passages are of whole words: parts of the same words would take the places of other answers.
    """
    pieces = [i for i, place in enumerate(places) if place]
    if not pieces:
        return []
    first, n = pieces[0], len(pieces)
    start, end = (
        scores[first : first + n, 0],
        np.pad(scores[first : first + n, 1], (0, ANSWER_PIECES), constant_values=-np.inf),
    )
    both = start[:, None] + np.lib.stride_tricks.sliding_window_view(end, ANSWER_PIECES)[:n]  # (n_pieces, lengths)
    by_text = dict[str, Span]()
    for flat in [both.argmax()] if n_best == 1 else np.argsort(-both, axis=None, kind="stable"):
        i, length = np.unravel_index(int(flat), both.shape)
        if len(by_text) == n_best or both[i, length] == -np.inf:
            break
        begin, stop = places[first + i][0], places[first + i + length][1]  # type: ignore[index]
        if n_best > 1 and (_within_word(context, begin) or _within_word(context, stop)):
            continue
        by_text.setdefault(context[begin:stop].lower(), (float(both[i, length]), begin, stop))
    return list(by_text.values())


def _within_word(text: str, place: int) -> bool:
    """Whether the characters before and after a place are of one word."""
    return text[max(place - 1, 0) : place].isalnum() and text[place : place + 1].isalnum()


ONE = "AutoModelForSequenceClassification"
HEADS = {
    "classification": Head(ONE, _classes, _stacked, "single_label_classification"),
    "regression": Head(ONE, _numbers, _stacked, "regression"),
    "relation": Head(ONE, _marked, _stacked, "single_label_classification"),
    "extractive-qa": Head("AutoModelForQuestionAnswering", _spans, _best_spans),
    "tagging": Head("AutoModelForTokenClassification", _tags, _tagged),
    "reranking": Head(ONE, _passages, _stacked, "multi_label_classification"),
}
