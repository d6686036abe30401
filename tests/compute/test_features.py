"""Batches of like lengths hold the same rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogbench import batches_of_like_lengths

torch = pytest.importorskip("torch")
PADDING, NO_LABEL = 7, -100


def padded(texts, width, *, left):
    """Return texts of tokens as a batch with a label for each token and a number for each text."""
    rows = [[0] * (width - len(text)) if left else [] for text in texts]
    ids = [[PADDING] * len(before) + text for before, text in zip(rows, texts, strict=True)]
    mask = [before + [1] * len(text) for before, text in zip(rows, texts, strict=True)]
    fill = lambda lists, value: torch.tensor([one + [value] * (width - len(one)) for one in lists])  # noqa: E731
    labels = [
        [NO_LABEL] * len(before) + [token + 1 for token in text] for before, text in zip(rows, texts, strict=True)
    ]
    return {
        "input_ids": fill(ids, PADDING),
        "attention_mask": fill(mask, 0),
        "labels": fill(labels, NO_LABEL),
        "start_positions": torch.tensor([text[0] for text in texts]),
    }


TEXTS = st.lists(st.lists(st.integers(10, 99), min_size=1, max_size=9), min_size=1, max_size=12)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.booleans(), st.sampled_from([None, 1, 3]))
def test_batches_of_like_lengths_hold_the_same_rows(lists, left, size):
    batches = [padded(texts, max(map(len, texts)) + 2, left=left) for texts in lists]
    whole, seen = [text for texts in lists for text in texts], []
    for rows, batch in batches_of_like_lengths(batches, size=size):
        assert len(rows) == len(batch["input_ids"]) and (size is None or len(rows) <= size)
        for i, row in enumerate(rows):
            text, inside = whole[row], batch["attention_mask"][i] == 1
            assert batch["input_ids"][i][inside].tolist() == text
            assert batch["labels"][i][inside].tolist() == [token + 1 for token in text]
            assert (batch["labels"][i][~inside] == NO_LABEL).all() and (batch["input_ids"][i][~inside] == PADDING).all()
            assert batch["start_positions"][i] == text[0]
        seen += rows.tolist()
        if not left:  # no batch is wider than its longest text
            assert batch["input_ids"].shape[1] == max(len(whole[row]) for row in rows)
    assert sorted(seen) == [*range(len(whole))]
    assert left or [len(whole[row]) for row in seen] == sorted(map(len, whole))


def test_wanted_rows_alone():
    batches = [padded([[11, 12, 13], [14]], 3, left=False), padded([[15, 16]], 2, left=False)]
    ((rows, batch),) = batches_of_like_lengths(batches, np.array([0, 2]))
    assert rows.tolist() == [2, 0] and batch["input_ids"].tolist() == [[15, 16, PADDING], [11, 12, 13]]
