"""More training texts for a student: copies in which a masked language model has replaced words.

Algorithm 1 of TinyBERT without its word vectors: words of several pieces, which it replaces by their neighbours in
GloVe, stay as they are. Jiao et al. (2020), Findings of EMNLP.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cogbench import Array, Dataset, UnusableData

from .heads import batch, by_length
from .training import device, transformers

SHARE, BEST = 0.4, 15  # p_t and K: which share of the words is replaced, and by one of how many predictions
AT_ONCE = 512  # texts
ENTITY = re.compile(r"<(e[12])>.*?</\1>", re.DOTALL)
MARK = re.compile("</?e[12]>")

Span = tuple[int, int]  # characters of a text
Changes = dict[Span, str]
Free = Callable[[Span], bool]


def augmented(dataset: Dataset, copies: int, *, seed: int, folder: Path, tokenizer: Any, limit: int) -> Dataset:
    """Return a data set with so many changed copies of each example behind the examples; a copy keeps its label.

    Each word of one piece is replaced, with a probability of .4, by one of the 15 words that the model holds likeliest
    in its place, its own among them. Marked entities stay, and so does the number of words of a tagged sentence.

    Parameters
    ----------
    dataset : Dataset
        Of a kind in `WAYS`.
    copies : int
        How many.
    seed : int
        Of all choices.
    folder : Path
        A pre-trained model with the head of a masked language model.
    tokenizer
        That model's own.
    limit : int
        How many pieces of a text are looked at; what stands behind them stays.

    Raises
    ------
    UnusableData
        If the model has no such head.
    """
    rng, model = np.random.default_rng(seed), _masked_lm(folder)
    read, write = WAYS[dataset.kind]
    columns = {name: list(column) * (copies + 1) for name, column in dataset.columns.items()}
    for name in ("text", "text_pair", "tokens"):
        if name in columns:
            values = dataset.columns[name]
            changes = _changes([read(v) for v in values], copies, rng, model, tokenizer, limit)
            changed = [[write(v, c) for c in each] for v, each in zip(values, changes, strict=True)]  # (text, copy)
            columns[name] = [*values, *(each[copy] for copy in range(copies) for each in changed)]
    return replace(dataset, columns=columns)


def refuse(kind: str) -> None:
    """Raise UnusableData for a kind of task whose examples cannot be changed word by word."""
    if kind not in WAYS:
        raise UnusableData(
            f"augment: the texts of {kind} stay as they are, for other words would move its answers; "
            f"it works for {', '.join(WAYS)}."
        )


def _masked_lm(folder: Path) -> Any:
    """Return a model with its masked language model's head, which must be among the weights and not drawn afresh."""
    model, info = transformers().AutoModelForMaskedLM.from_pretrained(
        folder, dtype="float32", output_loading_info=True, trust_remote_code=False
    )
    if info["missing_keys"]:
        raise UnusableData(
            f"augment: the weights of {str(folder)!r} have no masked language model's head "
            f"({min(info['missing_keys'])} is missing), so it cannot tell which words fit; name another teacher."
        )
    return model.eval().to(device())


def _changes(
    texts: Sequence[tuple[str, Free]], copies: int, rng: np.random.Generator, model: Any, tokenizer: Any, limit: int
) -> Iterator[list[Changes]]:
    """Yield for each text its changes in each copy."""
    words = _whole_words(tokenizer)
    best = min(BEST, len(words))
    for i in range(0, len(texts), AT_ONCE):
        some = texts[i : i + AT_ONCE]
        encoding = tokenizer([text for text, _ in some], truncation=True, max_length=limit, return_offsets_mapping=True)
        places = [_places(encoding, j, text, free, tokenizer) for j, (text, free) in enumerate(some)]
        ranks = [_drawn(rng, (copies, len(p)), best) for p in places]
        masked = [(j, int(k)) for j, drawn in enumerate(ranks) for k in np.flatnonzero((drawn >= 0).any(axis=0))]
        rows = [_masked(encoding, j, places[j][k][0], tokenizer) for j, k in masked]
        replacements = dict(zip(masked, _predicted(rows, best, words, model, tokenizer), strict=True))
        for j, drawn in enumerate(ranks):
            yield [
                {places[j][k][1]: replacements[j, k][rank] for k, rank in enumerate(copy) if rank >= 0}
                for copy in drawn
            ]


def _drawn(rng: np.random.Generator, shape: tuple[int, int], best: int) -> Array:
    """Return for each copy and word (n_copies, n_words) the rank of the prediction that replaces it, or -1."""
    return np.where(rng.random(shape) < SHARE, rng.integers(best, size=shape), -1)


def _places(encoding: Any, i: int, text: str, free: Free, tokenizer: Any) -> list[tuple[int, Span]]:
    """Return the piece and the characters of each word of one piece that may change."""
    of_word = encoding.word_ids(i)
    pieces = Counter(of_word)
    places = []
    for piece, (word, (start, end)) in enumerate(zip(of_word, encoding["offset_mapping"][i], strict=True)):
        whole = word is not None and pieces[word] == 1 and not text[end : end + 1].isalnum()  # not cut by the limit
        is_in_vocabulary = encoding["input_ids"][i][piece] != tokenizer.unk_token_id
        if whole and is_in_vocabulary and text[start:end].isalnum() and free((start, end)):
            places.append((piece, (start, end)))
    return places


def _masked(encoding: Any, i: int, piece: int, tokenizer: Any) -> dict[str, Any]:
    inputs = {name: list(encoding[name][i]) for name in tokenizer.model_input_names}
    inputs["input_ids"][piece] = tokenizer.mask_token_id
    return inputs


def _predicted(
    rows: Sequence[dict[str, Any]], best: int, words: dict[int, str], model: Any, tokenizer: Any
) -> list[list[str]]:
    """Return for each row the likeliest words in the place of its mask, likeliest first."""
    import torch

    numbers, predicted = torch.tensor([*words], device=model.device), [list[str]()] * len(rows)
    with torch.inference_mode():
        for some in by_length({"input_ids": [r["input_ids"] for r in rows]}, model.config, size=32):
            inputs = {k: v.to(model.device) for k, v in batch(tokenizer, (rows[i] for i in some)).items()}
            logits = model(**inputs).logits[inputs["input_ids"] == tokenizer.mask_token_id]  # (batch, vocabulary)
            for i, order in zip(some, logits[:, numbers].topk(best).indices.cpu().tolist(), strict=True):
                predicted[i] = [words[int(numbers[k])] for k in order]
    return predicted


def _whole_words(tokenizer: Any) -> dict[int, str]:
    """Return the pieces that are words by themselves, by number."""
    texts = [tokenizer.decode([i]).strip() for i in range(len(tokenizer))]
    encoded = tokenizer([f" {text}" for text in texts], add_special_tokens=False)["input_ids"]
    return {i: text for i, (text, ids) in enumerate(zip(texts, encoded, strict=True)) if text.isalnum() and ids == [i]}


# How each kind's texts are read, as (text, which places may change), and written.


def _plain(text: str) -> tuple[str, Free]:
    return text, lambda span: True


def _written(text: str, changes: Changes) -> str:
    for (start, end), word in sorted(changes.items(), reverse=True):
        text = text[:start] + word + text[end:]
    return text


def _marked(text: str) -> tuple[str, Free]:
    """Blanks in the place of marks keep all characters where they are."""
    entities = [match.span() for match in ENTITY.finditer(text)]
    return MARK.sub(lambda mark: " " * len(mark[0]), text), lambda span: not any(a <= span[0] < b for a, b in entities)


def _joined(tokens: Sequence[str]) -> tuple[str, Free]:
    spans = {*_spans(tokens)}
    return " ".join(tokens), lambda span: span in spans


def _retold(tokens: Sequence[str], changes: Changes) -> list[str]:
    return [changes.get(span, token) for span, token in zip(_spans(tokens), tokens, strict=True)]


def _spans(tokens: Sequence[str]) -> list[Span]:
    """Return the characters of each word where blanks join them."""
    ends = np.cumsum([len(token) + 1 for token in tokens])
    return [(int(end) - 1 - len(token), int(end) - 1) for token, end in zip(tokens, ends, strict=True)]


WAYS: dict[str, tuple[Callable[[Any], tuple[str, Free]], Callable[[Any, Changes], Any]]] = {
    "classification": (_plain, _written),
    "regression": (_plain, _written),
    "relation": (_marked, _written),
    "tagging": (_joined, _retold),
}
