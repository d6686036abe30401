"""Label embeddings: one vector for the classes of one name, a classifier that is a product, and a plain folder."""

import numpy as np
import pytest
import torch
import transformers
from cogbench_multitask.label_embedding import LabelEmbedding, classifier_of, common_classes, words_of

from cogbench import Dataset, Files, Origin, UnusableData, measure_oracle

FILES = Files(offline=True)
PAIR = ("mini-mnli", "mini-rte")  # both have a class `entailment`


@pytest.fixture(scope="module")
def checkpoint(train):
    return train(LabelEmbedding(), *PAIR)


def opened(folder):
    model, report = transformers.AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    return model.eval()


def test_classes_of_one_name_are_one_vector_in_whatever_case():
    names, numbers = common_classes([("Entailment", "neutral"), ("not_entailment", "entailment"), ("O", "B-PER")])
    assert names == ["entailment", "neutral", "not_entailment", "o", "b-per"]
    assert numbers == [[0, 1], [2, 0], [3, 4]]
    with pytest.raises(UnusableData, match="two classes of one name, whatever its case.*: Yes, yes."):
        common_classes([("no", "yes"), ("Yes", "yes")])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("not_entailment", "not entailment"),
        ("B-PER", "B PER"),
        ("Cause-Effect(e1,e2)", "Cause Effect e1 e2"),
        ("+", "+"),
    ],
)
def test_the_words_of_a_class_are_those_of_its_name(name, words):
    assert words_of(name) == words


def test_the_vectors_start_at_the_mean_embedding_of_the_words(alone):
    names = ["not_entailment", "positive"]
    vectors = LabelEmbedding(backbone=alone)._vectors(names, 0, FILES)
    tokenizer, table = alone.tokenizer(FILES), alone.model(None, FILES).get_input_embeddings().weight.detach().cpu()
    for name, vector in zip(names, vectors, strict=True):
        ids = tokenizer(name.replace("_", " "), add_special_tokens=False)["input_ids"]
        torch.testing.assert_close(vector, table[ids].mean(dim=0))


def test_drawn_vectors_are_of_the_seed_and_as_long_as_embeddings(alone):
    sharing = LabelEmbedding(backbone=alone, start="random")
    one, again, other = (sharing._vectors(["a", "b"], seed, FILES) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    table = alone.model(None, FILES).get_input_embeddings().weight
    assert one.std().item() == pytest.approx(table.std().item(), rel=0.2)


def test_both_models_open_as_any_other_and_the_common_class_has_one_weight(checkpoint, alone, task):
    target, other = opened(checkpoint.folder), opened(checkpoint.folder / "others" / "1")
    assert target.config.id2label[0] == other.config.id2label[0] == "entailment"
    assert torch.equal(target.classifier.weight[0], other.classifier.weight[0])
    assert target.classifier.bias[0] == other.classifier.bias[0]
    assert not torch.allclose(target.classifier.weight[1], other.classifier.weight[1])
    encoders = [dict(model.bert.encoder.named_parameters()) for model in (target, other)]
    assert all(torch.equal(encoders[0][name], encoders[1][name]) for name in encoders[0])
    data = task(PAIR[0]).load("evaluation", FILES)
    with torch.inference_mode():
        logits = np.concatenate(
            [target.to(b["input_ids"].device)(**b).logits.cpu() for b in alone.batches(data, FILES)]
        )
    np.testing.assert_allclose(logits, checkpoint.outputs, rtol=1e-4, atol=1e-5)


def test_a_classifier_is_the_product_of_the_vectors_and_the_projection(alone, task):
    data = [task(name).load("train", FILES).sample(20) for name in PAIR]
    models = [alone.fresh(one, 0, FILES).eval() for one in data]
    arrangement = LabelEmbedding(backbone=alone).arrange(models, data, seed=0, files=FILES)
    space = arrangement.further
    state = torch.randn(5, 384)
    names, numbers = common_classes([one.labels for one in data])
    assert space.vectors.shape == (len(names), 384)
    with torch.no_grad():
        for model, of_task in zip(models, numbers, strict=True):
            logits = space.projection(state) @ space.vectors[of_task].T
            torch.testing.assert_close(model.classifier(state), logits)
    own = {name for model in models for name, _ in model.named_parameters() if "projection" in name}
    assert not own  # what is shared is trained once, beside the models


def test_an_auxiliary_task_moves_the_vectors_of_its_own_classes_alone(alone, task):
    data = [task(name).load("train", FILES).sample(20) for name in PAIR]
    models = [alone.fresh(one, 0, FILES) for one in data]
    space = LabelEmbedding(backbone=alone).arrange(models, data, seed=0, files=FILES).further
    models[1](**next(iter(alone.batches(data[1], FILES)))).loss.backward()
    names, numbers = common_classes([one.labels for one in data])
    moved = {name for name, g in zip(names, space.vectors.grad, strict=True) if g.abs().sum() > 0}
    assert moved == {"entailment", "not_entailment"}


def test_taggers_and_classifiers_of_words_share_a_space(train):
    checkpoint = train(LabelEmbedding(start="random"), "mini-conll-2003", "mini-semeval-2010-8")
    model = transformers.AutoModelForTokenClassification.from_pretrained(checkpoint.folder)
    assert model.classifier.out_features == checkpoint.outputs.shape[1]


CONFIGS = [
    (transformers.RobertaConfig, {}),
    (transformers.DistilBertConfig, {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}),
    (transformers.GPT2Config, {"n_embd": 8, "n_layer": 1, "n_head": 2}),
]


@pytest.mark.parametrize(("kind", "sizes"), CONFIGS, ids=lambda value: getattr(value, "model_type", ""))
def test_the_classifier_of_a_head_is_its_layer_with_an_output_for_each_class(kind, sizes):
    usual = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = kind(**(sizes or usual), vocab_size=50, num_labels=8)  # as many as the state has numbers
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    names = {id(module): name for name, module in model.named_modules()}
    assert names[id(classifier_of(model, 8))] in ("classifier", "classifier.out_proj", "score")


def test_a_kind_without_classes_is_one_line_before_any_training(alone, monkeypatch):
    trained = []
    monkeypatch.setattr(type(alone), "train", lambda *args: trained.append(args))
    how = {"suite": "mini", "jobs": 0, "sharing": "label-embedding"}
    with pytest.raises(UnusableData) as refused:
        measure_oracle("minilm-2l", tasks="mini-cola,mini-rte,mini-sts-b", **how)
    first, *rest = str(refused.value).splitlines()
    assert first == (
        "backbone 'label-embedding' cannot learn mini-sts-b: label-embedding puts classes into one space, and "
        "regression has none."
    )
    assert not trained
    numbers = Dataset("regression", {"text": ["a"], "label": [0.5]}, (), Origin("test"))
    with pytest.raises(UnusableData, match="regression has none.$"):
        LabelEmbedding(backbone=alone).arrange([], [numbers], seed=0, files=FILES)
