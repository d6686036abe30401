"""Tiny models of many architectures, with random weights, and what cogbench makes of them: the table of docs/models.md.

    python benchmarks/model_zoo.py [NAME …] [--folder DIR] [--estimators cra logme]

Each model is saved in a folder as people have it, with a tokenizer trained on the sentences of suite mini. Then it is
trained for one step on a task of each kind, and the estimators rank these tasks. Random weights say nothing of how
well an architecture learns: the table says what works, and what cogbench answers where something does not.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cogbench import Files, Recipe, Store, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.evidence import Similarity
from cogbench.compute.workspace import Workspace
from cogbench.errors import CogbenchError
from cogbench.parts.set_options import varied
from cogbench.text import first_line
from cogbench.views.formats import grid

TASKS = {
    "classification": "mini-mnli",
    "regression": "mini-sts-b",
    "relation": "mini-semeval-2010-8",
    "extractive-qa": "mini-squad-v2",
    "tagging": "mini-conll-2003",
    "reranking": "mini-ms-marco",
}
ESTIMATORS = ("cra", "dse", "logme", "knn", "taskemb")
FEW = ("logme.features.examples=24", "knn.features.examples=24", "taskemb.examples=8")
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
CAUSAL = {**SIZE, "num_key_value_heads": 2, "max_position_embeddings": 256}
ROWS = 24
BERT_NAMES = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
ROBERTA_NAMES = {
    **{"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"},
    **{"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"},
}
ROBERTA_IDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}


@dataclass(frozen=True)
class Specimen:
    """A model of the zoo: its tokenizer, the class and the options of its configuration, and how it is saved."""

    tokenizer: Callable[[], Any]
    config: str
    options: dict[str, Any] = field(default_factory=dict)
    saved_as: str = "AutoModel"
    change: Callable[[Path, Any], None] = lambda folder, model: None  # what is done to the folder

    def save(self, folder: Path) -> None:
        """Write the model and its tokenizer into a folder."""
        import torch
        import transformers as hf

        tokenizer = self.tokenizer()
        options = {"vocab_size": len(tokenizer), **self.options}
        config = getattr(hf, self.config)(**options)
        torch.manual_seed(0)
        named = getattr(hf, self.saved_as)
        model = named.from_config(config) if self.saved_as.startswith("Auto") else named(config)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        self.change(folder, model)


def sentences() -> Iterator[str]:
    """Yield the texts of suite mini."""
    parts, files = load_parts(), Files(offline=True)
    for name in parts.suites["mini"].tasks:
        columns = parts.tasks[name].load("train", files).columns
        for column in ("text", "text_pair"):
            yield from columns.get(column, ())
        yield from (" ".join(words) for words in columns.get("tokens", ()))
        yield from (passage for passages in columns.get("passages", ()) for passage in passages)


def wordpiece(**more: Any) -> Any:
    """Return a tokenizer as BERT has it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        sentences(), trainers.WordPieceTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
    return _fast(tokenizer, **{**BERT_NAMES, **names, **more})


def byte_pairs(special: tuple[str, ...] = ("<s>", "<pad>", "</s>", "<unk>", "<mask>"), **more: Any) -> Any:
    """Return a tokenizer of byte pairs as RoBERTa has it; without its special tokens as GPT-2 has it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        show_progress=False,
        special_tokens=[*special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(sentences(), trainer)
    if "<s>" in special:
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
        more = {**ROBERTA_NAMES, **more}
    return _fast(tokenizer, **more)


def gpt(**more: Any) -> Any:
    """Return a tokenizer as GPT-2 has it: one special token, none that pads."""
    return byte_pairs(("<|end|>",), **{"bos_token": "<|end|>", "eos_token": "<|end|>", "unk_token": "<|end|>", **more})


def qwen(**more: Any) -> Any:
    """Return a tokenizer whose padding token stands last in the vocabulary, and that writes no special token."""
    return byte_pairs((), eos_token="<|im_end|>", pad_token="<|endoftext|>", **more)


def unigram(single: str, pair: str, special: tuple[str, ...], unknown: str = "<unk>", **more: Any) -> Any:
    """Return a tokenizer of SentencePiece, which writes these special tokens around a text and a pair."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=600, show_progress=False, special_tokens=[*special], unk_token=unknown)
    tokenizer.train_from_iterator(sentences(), trainer)
    ids = [(token, tokenizer.token_to_id(token)) for token in special if token in single + pair]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)
    return _fast(tokenizer, unk_token=unknown, **more)


def llama(pad: bool = True, **more: Any) -> Any:
    """Return a tokenizer as Llama has it, with a padding token or without."""
    special = ("<unk>", "<s>", "</s>", *(("<pad>",) if pad else ()))
    names = {"bos_token": "<s>", "eos_token": "</s>", **({"pad_token": "<pad>"} if pad else {})}
    return unigram("<s> $A", "<s> $A <s> $B", special, **names, **more)


def t5(**more: Any) -> Any:
    """Return a tokenizer as T5 has it."""
    special = ("<pad>", "</s>", "<unk>")
    return unigram("$A </s>", "$A </s> $B </s>", special, eos_token="</s>", pad_token="<pad>", **more)


def albert(**more: Any) -> Any:
    """Return a tokenizer as ALBERT has it."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    names = {name: token for name, token in BERT_NAMES.items() if name != "unk_token"}
    single, pair = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"
    more = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"], **more}
    return unigram(single, pair, special, "[UNK]", **names, **more)


def xlm_roberta(**more: Any) -> Any:
    """Return a tokenizer as XLM-RoBERTa has it."""
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    names = {name: token for name, token in ROBERTA_NAMES.items() if name != "unk_token"}
    return unigram("<s> $A </s>", "<s> $A </s> </s> $B </s>", special, **names, **more)


def _fast(tokenizer: Any, **names: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    names = {"model_input_names": ["input_ids", "attention_mask"], "model_max_length": 128, **names}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def canine() -> Any:
    """Return a tokenizer without a fast version, which reads characters."""
    from transformers import CanineTokenizer

    return CanineTokenizer(model_max_length=256)


def byt5() -> Any:
    """Return a slow tokenizer of bytes."""
    from transformers import ByT5Tokenizer

    return ByT5Tokenizer(model_max_length=256)


def _fine_tuned(n: int) -> Specimen:
    return Specimen(wordpiece, "BertConfig", {**BERT, "num_labels": n}, "AutoModelForSequenceClassification")


def _without_safetensors(folder: Path, model: Any) -> None:
    import torch

    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _in_shards(folder: Path, model: Any) -> None:
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="40KB")


def _in_bf16(folder: Path, model: Any) -> None:
    import torch

    model.to(torch.bfloat16).save_pretrained(folder)


def _mean_pooled(folder: Path, model: Any) -> None:
    """Add the files by which sentence-transformers says how it pools."""
    import json

    kinds = {"": "Transformer", "1_Pooling": "Pooling"}
    modules = [
        {"idx": i, "path": p, "type": f"sentence_transformers.models.{k}"} for i, (p, k) in enumerate(kinds.items())
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "mean"}))


def _code_of_its_own(folder: Path, model: Any) -> None:
    """Make it a model whose architecture is written in the folder."""
    import json

    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "configuration_own.py").write_text("raise SystemExit('code of a model folder was run')\n")


BERT = {**SIZE, "max_position_embeddings": 128}
ROBERTA = {**SIZE, "max_position_embeddings": 130, "type_vocab_size": 1, **ROBERTA_IDS}
DISTIL = {"max_position_embeddings": 128, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
BART = {
    "d_model": 32,
    **{f"{part}_{what}": 2 for part in ("encoder", "decoder") for what in ("layers", "attention_heads")},
    **{f"{part}_ffn_dim": 64 for part in ("encoder", "decoder")},
    **{"max_position_embeddings": 128, **ROBERTA_IDS, "decoder_start_token_id": 2, "forced_eos_token_id": 2},
}
GPT2 = {"n_positions": 256, "n_embd": 32, "n_layer": 2, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
LLAMA = {**CAUSAL, "head_dim": 16, "bos_token_id": 1, "eos_token_id": 2}
BERT_IDS = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
CAUSAL_LM, MASKED_LM, TWO_PARTS = "AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModelForSeq2SeqLM"

ZOO: dict[str, Specimen] = {
    "bert": Specimen(wordpiece, "BertConfig", BERT),
    "roberta": Specimen(byte_pairs, "RobertaConfig", ROBERTA, MASKED_LM),
    "roberta-long-name": Specimen(lambda: byte_pairs(model_max_length=10**30), "RobertaConfig", ROBERTA, MASKED_LM),
    "distilbert": Specimen(
        lambda: wordpiece(model_input_names=["input_ids", "attention_mask"]), "DistilBertConfig", DISTIL
    ),
    "distilbert-with-types": Specimen(wordpiece, "DistilBertConfig", DISTIL),
    "electra": Specimen(wordpiece, "ElectraConfig", {**BERT, "embedding_size": 16}),
    "albert": Specimen(albert, "AlbertConfig", {**BERT, **BERT_IDS, "embedding_size": 16}),
    "deberta-v3": Specimen(
        albert,
        "DebertaV2Config",
        {
            **BERT,
            **{"relative_attention": True, "position_buckets": 32, "pos_att_type": ["p2c", "c2p"]},
            **{"position_biased_input": False, "share_att_key": True, "type_vocab_size": 0},
        },
    ),
    "modernbert": Specimen(
        lambda: wordpiece(model_input_names=["input_ids", "attention_mask"]),
        "ModernBertConfig",
        {**SIZE, **BERT_IDS, "max_position_embeddings": 256, "cls_token_id": 2, "sep_token_id": 3},
        MASKED_LM,
    ),
    "xlm-roberta": Specimen(xlm_roberta, "XLMRobertaConfig", ROBERTA, MASKED_LM),
    "mpnet": Specimen(byte_pairs, "MPNetConfig", {**SIZE, **ROBERTA_IDS, "max_position_embeddings": 130}),
    "longformer": Specimen(
        byte_pairs, "LongformerConfig", {**ROBERTA, "attention_window": [16, 16], "sep_token_id": 2}
    ),
    "bigbird": Specimen(
        albert,
        "BigBirdConfig",
        {
            **SIZE,
            **BERT_IDS,
            "max_position_embeddings": 256,
            "block_size": 8,
            "num_random_blocks": 1,
            "sep_token_id": 3,
        },
    ),
    "xlnet": Specimen(
        lambda: albert(padding_side="left"),
        "XLNetConfig",
        {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64, **BERT_IDS},
    ),
    "canine": Specimen(
        canine,
        "CanineConfig",
        {
            **SIZE,
            **{"max_position_embeddings": 512, "downsampling_rate": 4},
            **{"local_transformer_stride": 16, "num_hash_buckets": 512},
        },
    ),
    "gpt2": Specimen(gpt, "GPT2Config", GPT2, CAUSAL_LM),
    "gpt2-padded-with-end": Specimen(lambda: gpt(pad_token="<|end|>"), "GPT2Config", GPT2, CAUSAL_LM),
    "opt": Specimen(
        byte_pairs,
        "OPTConfig",
        {
            **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 64},
            **{"max_position_embeddings": 256, "word_embed_proj_dim": 32, **ROBERTA_IDS},
        },
        CAUSAL_LM,
    ),
    "llama": Specimen(lambda: llama(pad=False), "LlamaConfig", LLAMA, CAUSAL_LM),
    "llama-padded": Specimen(llama, "LlamaConfig", {**LLAMA, "pad_token_id": 3}, CAUSAL_LM),
    "llama-padded-left": Specimen(
        lambda: llama(padding_side="left"), "LlamaConfig", {**LLAMA, "pad_token_id": 3}, CAUSAL_LM
    ),
    "llama-without-head": Specimen(llama, "LlamaConfig", {**LLAMA, "pad_token_id": 3}),
    "qwen2": Specimen(qwen, "Qwen2Config", CAUSAL, CAUSAL_LM),
    "qwen3-padded-left": Specimen(
        lambda: qwen(padding_side="left"), "Qwen3Config", {**CAUSAL, "head_dim": 16}, CAUSAL_LM
    ),
    "gemma3": Specimen(llama, "Gemma3TextConfig", {**LLAMA, "num_key_value_heads": 1, "pad_token_id": 3}, CAUSAL_LM),
    "t5": Specimen(t5, "T5Config", T5, TWO_PARTS),
    "t5-long-name": Specimen(lambda: t5(model_max_length=10**30), "T5Config", T5, TWO_PARTS),
    "t5-encoder": Specimen(t5, "T5Config", T5, "T5EncoderModel"),
    "byt5": Specimen(byt5, "T5Config", {**T5, "vocab_size": 384}, TWO_PARTS),
    "bart": Specimen(byte_pairs, "BartConfig", BART, TWO_PARTS),
    "bart-scaled": Specimen(byte_pairs, "BartConfig", {**BART, "scale_embedding": True}, TWO_PARTS),
    "in-shards": Specimen(wordpiece, "BertConfig", BERT, change=_in_shards),
    "without-safetensors": Specimen(wordpiece, "BertConfig", BERT, change=_without_safetensors),
    "in-bf16": Specimen(wordpiece, "BertConfig", BERT, change=_in_bf16),
    "fine-tuned-2": _fine_tuned(2),
    "fine-tuned-3": _fine_tuned(3),
    "fine-tuned-7": _fine_tuned(7),
    "sentence-transformers": Specimen(wordpiece, "BertConfig", BERT, change=_mean_pooled),
    "more-tokens-than-embeddings": Specimen(wordpiece, "BertConfig", {**BERT, "vocab_size": 500}),
    "code-of-its-own": Specimen(wordpiece, "BertConfig", BERT, change=_code_of_its_own),
}


def outcomes(name: str, folder: Path, estimators: tuple[str, ...] = ESTIMATORS) -> dict[str, str]:
    """Return for each kind of task and each estimator "works", or what cogbench answers in one line."""
    parts, files = load_parts(), Files(offline=True)
    backbone = replace(parts.find("backbone", str(folder)), epochs=1, min_steps=1, precision="fp32")
    tasks = {kind: replace(parts.tasks[task], evaluation_rows=ROWS) for kind, task in TASKS.items()}
    outcome_of = dict[str, str]()
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace(files, Store(Path(place)))
        for kind, task in tasks.items():
            outcome_of[kind] = _outcome(lambda task=task: _trained(backbone, task, workspace))
        good = tuple(sorted((tasks[k] for k, o in outcome_of.items() if o == "works"), key=lambda t: t.name))
        for estimator in estimators:
            (ranker,) = varied(parts.find("estimator", estimator), [s for s in FEW if s.startswith(f"{estimator}.")])
            signal = parts.signals["mini"] if {"representations"} & ranker.needs else None
            cell = Similarity(ranker, backbone, good, signal, max_train=ROWS)
            outcome_of[estimator] = _outcome(lambda cell=cell: _ranked(cell, workspace)) if len(good) > 1 else "no task"
    return outcome_of


def _trained(backbone: Any, task: Any, workspace: Workspace) -> str:
    if reason := backbone.unsuitable(task.kind, workspace.files):
        return reason
    Training(backbone, Recipe((task,), max_train=ROWS)).outputs(workspace)
    return "works"


def _ranked(cell: Similarity, workspace: Workspace) -> str:
    estimate = cell.estimate(workspace)
    empty = int(np.isnan(estimate.matrix.values[~estimate.matrix.same]).sum())
    every = len(estimate.matrix.sources) * (len(estimate.matrix.sources) - 1)
    return "works" if not empty else f"no score for {empty} of {every} pairs: {'; '.join(estimate.notes)}"


def _outcome(attempt: Callable[[], str]) -> str:
    try:
        return attempt()
    except CogbenchError as error:
        return first_line(error)
    except Exception as error:  # what the table must show: this is no answer to a user
        return f"FAILED {type(error).__name__}: {first_line(error)}"


def main() -> None:
    """Build the models that are named, or all, and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", default=[*ZOO], help=f"Some of {', '.join(ZOO)}.")
    options.add_argument("--folder", type=Path, help="Keep the models in this folder.")
    options.add_argument("--estimators", nargs="*", default=[*ESTIMATORS])
    args = options.parse_args()
    rows, answers = [], dict[str, list[str]]()
    with tempfile.TemporaryDirectory() as place:
        for name in args.names:
            folder = (args.folder or Path(place)) / name
            if not folder.exists():
                ZOO[name].save(folder)
            outcome_of = outcomes(name, folder, tuple(args.estimators))
            print(name, outcome_of, file=sys.stderr)
            for what, outcome in outcome_of.items():
                if outcome not in ("works", "no task"):
                    answers.setdefault(outcome, []).append(f"{name} ({what})")
            marks = {what: "yes" if o == "works" else "–" if o == "no task" else "no" for what, o in outcome_of.items()}
            rows.append({"model": name, **marks})
    print(grid(rows, "markdown"))
    for answer, where in answers.items():
        print(f"\n- {', '.join(where)}: {answer}")


if __name__ == "__main__":
    main()
