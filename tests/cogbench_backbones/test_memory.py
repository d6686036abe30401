"""What saves memory in a training changes no answer: pieces of a batch, layers computed again, weights in bf16."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cogbench_backbones.heads import by_length
from cogbench_backbones.huggingface import HuggingFace
from cogbench_backbones.pretrained import Pretrained
from cogbench_backbones.tunings import TuningMethod
from numpy.testing import assert_allclose

from cogbench import Files, Recipe, UnusableData, load_parts

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from model_zoo import TASKS, ZOO

FILES = Files(offline=True)
# A softmax does not change with them, so that Adam follows the rounding of zero.
WITHOUT_GRADIENT = ("key.bias", "qa_outputs.bias")
QUICK = {"epochs": 1, "min_steps": 3, "precision": "fp32", "batch_size": 8, "max_length": 32}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A tiny BERT without dropout."""
    folder = tmp_path_factory.mktemp("bert")
    ZOO["bert"].save(folder)
    config = json.loads((folder / "config.json").read_text())
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps({**config, **none}))
    return folder


def recipe(backbone, kind="classification", n=20):
    task = replace(load_parts().tasks[TASKS[kind]], evaluation_rows=6)
    return Recipe((task,), max_train=n, settings=backbone.settings(kind, n))


def weights(backbone, kind, out):
    out.mkdir()
    checkpoint = backbone.train(recipe(backbone, kind), FILES, out)
    return backbone.model(checkpoint, FILES).state_dict()


@pytest.mark.parametrize("kind", ["classification", "tagging", "extractive-qa", "reranking"])
def test_a_batch_in_pieces_trains_as_the_whole(kind, bert, tmp_path):
    """Also where pieces hold unlike numbers of answers, as sentences hold words."""
    whole = HuggingFace("own", str(bert), learning_rate=1e-3, **QUICK)
    expected = weights(whole, kind, tmp_path / "whole")
    for name, values in weights(replace(whole, accumulation=4), kind, tmp_path / "pieces").items():
        if not name.endswith(WITHOUT_GRADIENT):
            assert_allclose(values, expected[name], atol=2e-4, err_msg=name)


@pytest.mark.parametrize("tuning", ["full", "lora", "prompt"])
def test_layers_computed_again_train_alike(tuning, bert, tmp_path):
    usual = HuggingFace("own", str(bert), learning_rate=1e-3, tuning=tuning, **QUICK)
    expected = weights(usual, "classification", tmp_path / "usual")
    again = weights(replace(usual, gradient_checkpointing=True), "classification", tmp_path / "again")
    for name, values in again.items():
        assert_allclose(values, expected[name], atol=2e-5, err_msg=name)


def test_pieces_are_equal_or_refused(bert):
    with pytest.raises(UnusableData, match="a batch of 8 rows cannot go through a model in 3 equal pieces"):
        HuggingFace("own", str(bert), accumulation=3, **QUICK).settings("classification", 20)


@pytest.mark.parametrize("tuning", ["lora", "prompt"])
def test_what_is_not_trained_waits_in_bf16_where_that_is_the_arithmetic(tuning, bert):
    pretrained = Pretrained(bert)
    for precision, expected in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        settings = HuggingFace("own", str(bert), **{**QUICK, "precision": precision}).settings("classification", 20)
        model = pretrained.with_head("classification", ["a", "b"], seed=0)
        model = TuningMethod(tuning).prepare(model, pretrained, settings, seed=0)
        frozen = {w.dtype for w in model.parameters() if not w.requires_grad and w.ndim > 1}
        assert frozen == {expected}
        assert {w.dtype for w in model.parameters() if w.requires_grad} == {torch.float32}
    full = TuningMethod().prepare(pretrained.with_head("classification", ["a", "b"], seed=0), pretrained, settings, 0)
    assert {w.dtype for w in full.parameters()} == {torch.float32}


def test_a_trained_adapter_is_in_single_precision_whatever_it_was_trained_in(bert, tmp_path):
    backbone = HuggingFace("own", str(bert), tuning="lora", **{**QUICK, "precision": "bf16"})
    assert {values.dtype for values in weights(backbone, "classification", tmp_path / "out").values()} <= {
        torch.float32,
        torch.int64,
    }


def test_the_parts_of_memory_follow_what_is_trained(bert):
    def parts(**options):
        backbone = HuggingFace("own", str(bert), **{**QUICK, **options})
        return backbone.memory(recipe(backbone), FILES)

    full, lora = parts(), parts(tuning="lora")
    n_trained = full["gradients"] / 4
    assert full["optimiser state"] == 8 * n_trained and lora["gradients"] < full["gradients"] / 3
    assert full["weights"] >= 4 * n_trained
    assert parts(accumulation=4)["activations"] < full["activations"] / 2
    assert parts(gradient_checkpointing=True)["activations"] < full["activations"]
    assert parts(batch_size=16)["activations"] > 1.5 * full["activations"]
    assert parts(tuning="lora", precision="bf16")["weights"] < lora["weights"]


def test_batches_that_are_only_read_are_smaller_for_larger_models(bert):
    import transformers as hf

    rows = {"input_ids": [[1] * 128] * 64}
    large = hf.BertConfig(hidden_size=4096, intermediate_size=16384, num_attention_heads=64)
    sizes = [[len(some) for some in by_length(rows, config)] for config in (hf.BertConfig(), large)]
    assert sizes[0] == [64] and max(sizes[1]) < 64 and sum(sizes[1]) == 64


def test_a_copy_of_a_quantised_model_is_refused_as_a_checkpoint_too(bert, tmp_path):
    folder = Path(shutil.copytree(bert, tmp_path / "in-8-bit"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": {"load_in_8bit": True}}))
    with pytest.raises(UnusableData, match=r"its weights are quantised \(8 bit\)"):
        Pretrained(folder).whole()
