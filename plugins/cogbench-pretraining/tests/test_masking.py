"""Random and whole-word masks are transformers' own; the controller keeps the loss of bigrams in its band."""

import json
import multiprocessing

import numpy as np
import pytest
import torch
from bigrams import ENTROPY_OF_ALL, WORDS, bigram_corpus, save_small_model
from cogbench_pretraining.adapted import TRACE, Adapted
from cogbench_pretraining.difficulty import Controller
from cogbench_pretraining.masking import ByDifficulty, OfTransformers
from transformers import AutoTokenizer, DataCollatorForLanguageModeling

from cogbench import Files, load_parts

FILES = Files(offline=True)


@pytest.fixture(scope="module")
def member(tmp_path_factory):
    return load_parts().find("backbone", str(save_small_model(tmp_path_factory.mktemp("model"))))


@pytest.fixture(scope="module")
def tokenizer(member):
    return AutoTokenizer.from_pretrained(member.address)


@pytest.fixture
def rows(tokenizer):
    texts = [" ".join(text.split()[:size]) for text, size in zip(bigram_corpus(12), range(8, 32, 2), strict=True)]
    pieces = tokenizer(texts, return_special_tokens_mask=True, return_offsets_mapping=True)
    return [{name: pieces[name][i] for name in pieces} for i in range(len(texts))]


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_random_masks_are_those_of_transformers(tokenizer, rows):
    plain = [{name: row[name] for name in ("input_ids", "attention_mask")} for row in rows]
    theirs = DataCollatorForLanguageModeling(tokenizer, seed=7)
    ours = OfTransformers(tokenizer, 0.15, 7, whole_words=False)
    for start in (0, 4, 8):
        assert equal(ours(rows[start : start + 4]), dict(theirs(plain[start : start + 4])))
    assert not equal(OfTransformers(tokenizer, 0.15, 8, whole_words=False)(rows), dict(theirs(plain)))


def test_a_training_with_random_masks_reads_the_batches_of_transformers(member, tokenizer, tmp_path):
    """In the order in which the Trainer reads the rows, its last batch not yet heard of."""
    batches, read = [], []

    class Listening(OfTransformers):
        def __call__(self, rows):
            read.append([{name: value for name, value in row.items() if name != "offset_mapping"} for row in rows])
            batches.append(super().__call__(rows))
            return {name: values.clone() for name, values in batches[-1].items()}

    settings = Adapted(backbone=member, batch_size=4)._settings(40)
    member.train_masked(
        bigram_corpus(40),
        settings,
        12,
        seed=3,
        files=FILES,
        out=tmp_path,
        masker=lambda tokenizer: Listening(tokenizer, 0.15, 5, whole_words=False),
    )
    theirs = DataCollatorForLanguageModeling(tokenizer, seed=5)
    assert len(batches) >= 12
    assert all(equal(batch, dict(theirs(some))) for batch, some in zip(batches, read, strict=True))


def test_whole_words_are_those_of_transformers(rows, tokenizer):
    words = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    longest = max(len(row["input_ids"]) for row in rows)
    padded = words.pad([{n: v for n, v in row.items() if n != "offset_mapping"} for row in rows], return_tensors="pt")
    theirs = DataCollatorForLanguageModeling(
        words, whole_word_mask=True, mask_replace_prob=1.0, random_replace_prob=0.0, seed=2
    )
    offsets = [row["offset_mapping"] + [(0, 0)] * (longest - len(row["offset_mapping"])) for row in rows]
    with_offsets = [
        {**{name: padded[name][i] for name in padded}, "offset_mapping": offset} for i, offset in enumerate(offsets)
    ]
    ours = OfTransformers(words, 0.15, 2, whole_words=True)(rows)
    assert equal(ours, dict(theirs(with_offsets)))
    assert (ours["input_ids"][ours["labels"] != -100] == words.mask_token_id).all()


@pytest.mark.parametrize("masking", ["random", "whole-word", "adaptive", "curriculum"])
def test_a_worker_process_masks_as_the_main_process_does(masking, tokenizer, rows, monkeypatch):
    adapted = Adapted(masking=masking)
    here = adapted.masker(tokenizer)(rows)
    monkeypatch.setattr(multiprocessing.current_process(), "_name", "Worker-1")
    assert equal(here, adapted.masker(tokenizer)(rows))


@pytest.mark.parametrize("controller", [None, Controller((1.0, 2.0))])
def test_masks_by_difficulty_leave_special_tokens_alone_and_replace_as_the_collator_does(controller, tokenizer, rows):
    masker = ByDifficulty(tokenizer, 0.15, 0, controller=controller, steps=400)
    special = torch.tensor(tokenizer.all_special_ids)
    n_masked, n_tokens, replaced = 0, 0, 0
    for _ in range(60):
        batch = masker(rows)
        labels = batch["labels"]
        chosen = labels != -100
        assert not torch.isin(labels[chosen], special).any()
        n_masked += int(chosen.sum())
        n_tokens += sum(len(row["input_ids"]) - 2 for row in rows)
        replaced += int((batch["input_ids"][chosen] == tokenizer.mask_token_id).sum())
    assert n_masked / n_tokens == pytest.approx(0.15, abs=0.01)
    assert replaced / n_masked == pytest.approx(0.8, abs=0.04)


@pytest.fixture(scope="module")
def losses(member, tmp_path_factory):
    """Adapt the small model to the bigram corpus; return the loss of each step."""
    corpus = tmp_path_factory.mktemp("corpus") / "bigrams.txt"
    corpus.write_text("\n".join(bigram_corpus(300)))

    def adapt(masking, band=(1.0, 2.0)):
        adapted = Adapted(
            backbone=member,
            corpus=str(corpus),
            masking=masking,
            band=band,
            steps=130,
            batch_size=16,
            learning_rate=5e-3,
        )
        folder = tmp_path_factory.mktemp("adapted")
        adapted.adapt(FILES, folder)
        return np.array(json.loads((folder / TRACE).read_text())["loss"])

    return adapt


def test_random_masks_are_learned_down_to_the_entropy_of_the_corpus(losses):
    loss = losses("random")
    assert loss[:5].mean() == pytest.approx(np.log(len(WORDS) + 5), abs=0.3)
    assert loss[-50:].mean() == pytest.approx(ENTROPY_OF_ALL, abs=0.12)


@pytest.mark.parametrize("band", [(0.3, 0.6), (1.9, 2.2)])
def test_the_controller_keeps_the_masked_loss_in_its_band(band, losses):
    """Below the entropy that random masks come down to, and above it; but no higher than the hardest words allow."""
    low, high = band
    assert not low <= ENTROPY_OF_ALL <= high and high < np.log(16)
    loss = losses("adaptive", band)[60:]
    smooth = np.convolve(loss, np.ones(15) / 15, mode="valid")  # a step has some 80 masked words: .15 of noise
    assert low - 0.05 <= loss.mean() <= high + 0.05
    assert ((low - 0.15 <= smooth) & (smooth <= high + 0.15)).mean() > 0.9


def test_a_curriculum_goes_from_easy_to_hard_masks(losses):
    loss = losses("curriculum")
    assert loss[45:60].mean() < ENTROPY_OF_ALL < loss[-30:].mean()
