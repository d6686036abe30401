"""Batches of like lengths hold the same rows."""

from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogbench import batches_of_like_lengths
from cogbench.compute.features import opened

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


def test_wanted_rows_alone_where_padding_stands_before_the_text():
    batches = [padded([[11, 12, 13], [14], [17]], 3, left=True), padded([[15, 16], [18]], 2, left=True)]
    grouped = [
        (rows.tolist(), batch["input_ids"].tolist())
        for rows, batch in batches_of_like_lengths(batches, np.array([2, 0]))
    ]
    assert grouped == [([0, 2], [[11, 12, 13], [PADDING, PADDING, 17]])]
    assert [*batches_of_like_lengths([])] == []


def test_batches_without_padding_are_padded_by_no_label():
    batches = [padded([[11, 12, 13], [14, 15, 16]], 3, left=False), padded([[17]], 1, left=False)]
    (_, short), (_, long) = batches_of_like_lengths(batches)
    assert short["labels"].tolist() == [[18, NO_LABEL, NO_LABEL], [12, 13, 14]]
    assert long["labels"].tolist() == [[15, 16, 17]]


def test_what_is_only_as_wide_as_one_of_the_batches_does_not_stand_at_tokens():
    batches = [padded([[11, 12, 13], [14]], 3, left=False), padded([[15, 16]], 2, left=False)]
    for batch in batches:
        batch["scores"] = torch.arange(3.0).expand(len(batch["input_ids"]), 3)
    for _, batch in batches_of_like_lengths(batches):
        assert batch["scores"].tolist() == [[0.0, 1.0, 2.0]] * len(batch["input_ids"])


class Named(NamedTuple):
    loss: object
    logits: object


@dataclass(slots=True)
class Slotted:
    loss: object
    logits: object


@pytest.mark.parametrize(
    "form",
    [
        lambda loss, logits: {"loss": loss, "logits": logits},
        lambda loss, logits: SimpleNamespace(loss=loss, logits=logits[:, 0]),
        lambda loss, logits: logits,
        Named,
        Slotted,
    ],
    ids=["mapping", "one number a row", "tensor", "named tuple", "slots"],
)
def test_passes_are_counted_whatever_form_an_output_has(form):
    class Model(torch.nn.Linear):
        def forward(self, words):
            logits = super().forward(words)
            return form(logits.mean(), logits)

    model, passes = Model(3, 2), Counter()
    backbone = SimpleNamespace(model=lambda checkpoint, files: model)
    workspace = SimpleNamespace(files=None, passes=passes.update)
    for _ in range(2):  # a backbone that keeps its model returns the same one again
        opened(backbone, None, workspace)
    out = model(torch.ones(5, 3))
    logits = out if torch.is_tensor(out) else out["logits"] if isinstance(out, dict) else out.logits
    logits.sum().backward()
    assert passes == {"forward": 5, "backward": 5}
