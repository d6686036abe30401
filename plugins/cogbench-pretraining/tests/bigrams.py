"""A tiny model over the words of a bigram corpus, whose conditional entropies are known."""

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MANY, FEW = [f"many{i}" for i in range(16)], [f"few{i}" for i in range(4)]
WORDS = ["after", "before", *MANY, *FEW]


def bigram_corpus(n_texts, seed=0):
    """Return texts in which each word hangs on the word before alone.

    One of 16 equally likely words follows "after", and then "before"; one of 4 equally likely words follows "before",
    and then "after". So the entropies of a word, given the words beside it, are 0, log 16, 0 and log 4.
    """
    rng = np.random.default_rng(seed)
    drawn = [(rng.choice(MANY, 8), rng.choice(FEW, 8)) for _ in range(n_texts)]
    return [" ".join(f"after {a} before {b}" for a, b in zip(*pair, strict=True)) for pair in drawn]


ENTROPY_OF_ALL = (np.log(16) + np.log(4)) / 4


def save_small_model(folder, *, layers=2, pooler=True):
    """Save a model of untrained weights and its tokenizer."""
    import torch

    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config, add_pooling_layer=pooler).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
