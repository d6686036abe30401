"""A hierarchy: auxiliary tasks move the lower layers alone, and their models open as models of so many layers."""

import pytest
import torch
import transformers
from cogbench_multitask.encoders import cut_layers, layers_of
from cogbench_multitask.hierarchical import Hierarchical

from cogbench import Checkpoint, Files, UnusableData, measure_oracle

FILES = Files(offline=True)
TINY = {"hidden_size": 8, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 50}


def pair_of_models():
    config = transformers.BertConfig(**TINY, num_labels=2)
    return [transformers.BertForSequenceClassification(config) for _ in range(2)]


@pytest.mark.parametrize("layer", [1, 3])
def test_an_auxiliary_task_moves_nothing_above_its_layer(layer):
    target, auxiliary = pair_of_models()
    Hierarchical(layer=layer).arrange([target, auxiliary], [], seed=0, files=FILES)
    ids = torch.tensor([[5, 6, 7]])
    auxiliary(ids, labels=torch.tensor([1])).loss.backward()
    moved = [any(p.grad is not None for p in one.parameters()) for one in target.bert.encoder.layer]
    assert moved == [True] * layer + [False] * (4 - layer)
    assert target.bert.embeddings.word_embeddings.weight.grad is not None
    assert target.classifier.weight.grad is None
    for model in (target, auxiliary):
        model.eval()
    with torch.no_grad():
        states = target.bert(ids, output_hidden_states=True).hidden_states
        torch.testing.assert_close(auxiliary.bert(ids).last_hidden_state, states[layer])


def test_the_model_of_an_auxiliary_task_opens_with_its_layers(train, alone):
    checkpoint = train(Hierarchical(layer=1), "mini-cola", "mini-rte")
    target, auxiliary = (checkpoint.folder, checkpoint.folder / "others" / "1")
    model, report = transformers.AutoModelForSequenceClassification.from_pretrained(auxiliary, output_loading_info=True)
    assert len(model.bert.encoder.layer) == model.config.num_hidden_layers == 1
    assert not report["missing_keys"] and not report["unexpected_keys"]
    whole = alone.model(Checkpoint(target), FILES)
    assert len(whole.bert.encoder.layer) == 2
    lower = dict(whole.cpu().bert.encoder.layer[0].named_parameters())
    assert all(torch.equal(lower[name], weight) for name, weight in model.bert.encoder.layer[0].named_parameters())


CONFIGS = [
    transformers.DistilBertConfig(dim=8, n_layers=3, n_heads=2, hidden_dim=16, vocab_size=50),
    transformers.GPT2Config(n_embd=8, n_layer=3, n_head=2, vocab_size=50, pad_token_id=0),
    transformers.ModernBertConfig(**{**TINY, "num_hidden_layers": 3}, pad_token_id=0, global_attn_every_n_layers=2),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.model_type)
def test_a_cut_model_is_saved_and_opened(config, tmp_path):
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    cut_layers(model.base_model, 2)
    model.save_pretrained(tmp_path)
    again, report = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert len(layers_of(again.base_model)) == 2
    assert not report["missing_keys"] and not report["unexpected_keys"]
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(ids).logits, model(ids).logits)


def test_more_layers_than_there_are_is_one_line_before_any_training(alone, monkeypatch):
    trained = []
    monkeypatch.setattr(type(alone), "train", lambda *args: trained.append(args))
    how = {"suite": "mini", "tasks": "mini-cola,mini-rte,mini-sst-2", "jobs": 0, "sharing": "hierarchical"}
    with pytest.raises(UnusableData, match="^hierarchical: layer=5, but the encoder has 2 layers.$"):
        measure_oracle("minilm-2l", set="hierarchical.layer=5", **how)
    with pytest.raises(UnusableData, match="layer=0; expected 1"):
        measure_oracle("minilm-2l", set="hierarchical.layer=0", **how)
    assert not trained


def test_the_order_of_the_tasks_matters_so_no_training_answers_for_both():
    assert not Hierarchical().mutual
