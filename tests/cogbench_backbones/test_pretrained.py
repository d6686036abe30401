"""Any architecture: bodies come into a model whole, heads are fresh, padding changes nothing, failures are told."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from cogbench_backbones.heads import HEADS, batch, encode, encoded, outputs_of_rows, row
from cogbench_backbones.huggingface import HuggingFace
from cogbench_backbones.pretrained import Pretrained, body_weights, prefix_of_body
from cogbench_backbones.shared_tokenizers import tokenizer_of
from cogbench_backbones.training import all_words, only_words_of
from numpy.testing import assert_allclose
from safetensors.torch import load_file, save_file

from cogbench import Dataset, FeatureOptions, Files, Origin, Recipe, UnusableData, encoder_of, load_parts, pooled
from cogbench.compute.features import FeatureExtraction, extract_features

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from model_zoo import TASKS, ZOO, outcomes

FILES = Files(offline=True)
FAMILIES = (
    "bert",
    "roberta",
    "deberta-v3",
    "bigbird",
    "longformer",
    "xlnet",
    "gpt2",
    "llama-padded-left",
    "t5",
    "bart",
)
NO_HEAD = {"bart": {"tagging"}, "gemma3": {"tagging", "extractive-qa"}, "opt": {"tagging"}, "bart-scaled": {"tagging"}}
SLOW = {name: {"tagging", "extractive-qa"} for name in ("canine", "byt5")}
READS_A_DECODER = {"t5-encoder": {*TASKS} - {"tagging", "extractive-qa"}}
REFUSED = {name: {*TASKS} for name in ("more-tokens-than-embeddings", "code-of-its-own")}
CANNOT = {**NO_HEAD, **SLOW, **READS_A_DECODER, **REFUSED}
each_family = pytest.mark.parametrize("name", FAMILIES)


def task_data(kind, n=12):
    return load_parts().tasks[TASKS[kind]].load("train", FILES).sample(n)


def outputs(pretrained, kind, numbers=None, n=12):
    """Return what a fresh model gives for each row of a task, in these batches of row numbers."""
    data = task_data(kind, n)
    model = pretrained.with_head(kind, data.labels, seed=0)
    tokenizer = pretrained.tokenizer_for(kind)
    rows = HEADS[kind].encode(tokenizer, data, 48).rows
    return outputs_of_rows(model, tokenizer, rows, numbers)


@each_family
def test_a_model_of_each_family_learns_what_it_can_and_answers_estimators(name, zoo):
    outcome_of = outcomes(name, zoo(name), ("cra", "logme"))
    assert {what for what, outcome in outcome_of.items() if outcome != "works"} == CANNOT.get(name, set()), outcome_of


@pytest.mark.torture
@pytest.mark.parametrize("name", [name for name in ZOO if name not in FAMILIES])
def test_every_model_of_the_zoo_works_or_says_in_one_line_why_not(name, zoo):
    outcome_of = outcomes(name, zoo(name), ("cra", "logme"))
    assert {what for what, outcome in outcome_of.items() if outcome not in ("works", "no task")} == CANNOT.get(
        name, set()
    )
    assert not any(outcome.startswith("FAILED") for outcome in outcome_of.values())


@each_family
@pytest.mark.parametrize("kind", ["classification", "tagging", "extractive-qa"])
def test_a_row_has_the_same_outputs_alone_and_in_a_batch(name, kind, zoo):
    pretrained = Pretrained(zoo(name))
    if kind in CANNOT.get(name, ()):
        return
    together = outputs(pretrained, kind)
    alone = outputs(pretrained, kind, [[i] for i in range(len(together))])
    for one, other in zip(together, alone, strict=True):
        assert_allclose(one, other, atol=2e-5)


def test_padding_on_the_left_and_on_the_right_gives_the_same_outputs(zoo):
    for kind in TASKS:
        right, left = (outputs(Pretrained(zoo(name)), kind) for name in ("llama-padded", "llama-padded-left"))
        for one, other in zip(right, left, strict=True):
            assert_allclose(one, other, atol=1e-6)


@each_family
def test_the_body_of_each_head_is_the_folders(name, zoo):
    folder = zoo(name)
    weights = hf.AutoModel.from_pretrained(folder, dtype="float32").state_dict()
    for kind in {*TASKS} - CANNOT.get(name, set()):
        model = Pretrained(folder).with_head(kind, task_data(kind).labels, seed=0)
        body = {key: values for key, values in body_weights(model, weights).items() if "pooler" not in key}
        assert len(body) > 10
        for key, values in body.items():
            assert torch.equal(values, weights[key]), (kind, key)
        head = {*model.state_dict()} - {prefix_of_body(model) + key for key in weights}
        assert head and not any(key in weights for key in head)


@pytest.mark.parametrize("kind", ["classification", "extractive-qa", "tagging", "regression"])
def test_a_model_without_a_head_gets_the_head_that_transformers_draws(kind):
    """To the bit: the trainings of the backbones that cogbench has had since its first version stay the same."""
    minilm = load_parts().backbones["minilm-2l"]
    folder, labels = minilm.folder(FILES)[0], task_data(kind).labels
    own = Pretrained(folder, 2).with_head(kind, labels, seed=3)
    torch.manual_seed(3)
    how = {} if kind == "extractive-qa" else {"num_labels": max(1, len(labels))}
    usual = getattr(hf, HEADS[kind].model).from_pretrained(folder, dtype="float32", num_hidden_layers=2, **how)
    assert {*own.state_dict()} == {*usual.state_dict()}
    for key, values in usual.state_dict().items():
        assert torch.equal(values, own.state_dict()[key]), key


@pytest.mark.parametrize("name", ["fine-tuned-3", "fine-tuned-7"])
def test_the_head_of_a_folder_is_not_taken(name, zoo):
    held = load_file(zoo(name) / "model.safetensors")["classifier.weight"]
    heads = [
        Pretrained(zoo(name)).with_head("classification", ("a", "b", "c"), seed).classifier.weight for seed in (0, 1)
    ]
    assert heads[0].shape == (3, 32) and not torch.equal(*heads)
    assert held.shape != (3, 32) or not torch.equal(heads[0], held)


def test_weights_that_lack_a_tensor_of_the_body_are_refused(zoo, tmp_path):
    whole = zoo("bert")
    for file in whole.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(whole / "model.safetensors")
    lost = "encoder.layer.1.output.dense.weight"
    save_file(
        {k: v for k, v in weights.items() if not k.endswith(lost)}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    for opened in (Pretrained(tmp_path).encoder, lambda: Pretrained(tmp_path).with_head("regression", (), 0)):
        with pytest.raises(UnusableData, match=rf"its weights lack 1 of \d+ tensors of BertModel, such as '.*{lost}'"):
            opened()


def test_a_head_says_what_its_classes_are_called(zoo, tmp_path):
    Pretrained(zoo("bart")).with_head("classification", ("no", "yes"), seed=0).save_pretrained(tmp_path)
    again = hf.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert again.config.id2label == {0: "no", 1: "yes"}


def test_what_positions_a_model_has_left(zoo):
    of = {
        "roberta": 128,
        "bart": 128,
        "opt": 256,
        "gpt2": 256,
        "longformer": 128,
        "xlnet": None,
        "t5": None,
        "bert": 128,
    }
    assert {name: Pretrained(zoo(name)).positions for name in of} == of


def test_special_tokens_in_a_text_are_text(zoo):
    for name, special in (("t5", "</s>"), ("bart", "</s>"), ("xlm-roberta", "<s>"), ("bert", "[SEP]")):
        tokenizer = Pretrained(zoo(name)).tokenizer
        plain, marked = (encode(tokenizer, [t], limit=64)["input_ids"][0] for t in ("the town", f"the {special} town"))
        number = tokenizer.convert_tokens_to_ids(special)
        assert marked.count(number) == plain.count(number) and len(marked) > len(plain)


@pytest.mark.parametrize("name", ["roberta", "gpt2", "llama-padded", "t5", "bert", "qwen2"])
def test_words_have_the_pieces_of_running_text_and_their_own_tags(name, zoo):
    words, tags = ["the", "town", "sees", "anna", "U.S.", "\u200b", "again"], [0, 1, 0, 1, 0, 0, 1]
    data = Dataset("tagging", {"tokens": [words], "label": [tags]}, ("O", "B-X"), Origin("test"))
    tokenizer = Pretrained(zoo(name)).tokenizer
    made = HEADS["tagging"].encode(tokenizer, data, 64)
    assert made.rows["input_ids"][0] == tokenizer(" ".join(words))["input_ids"]
    (first,) = made.places
    assert [word for _, _, word in first if word != 5] == [0, 1, 2, 3, 4, 6]  # the mark without width may have a piece
    assert [made.rows["labels"][0][piece] for piece, _, word in first] == [tags[word] for _, _, word in first]
    pieces = tokenizer.convert_ids_to_tokens(made.rows["input_ids"][0])
    texts = [(pieces[p].strip("▁Ġ").lower(), words[w].lower()) for p, _, w in first if w != 5]
    assert all(word.startswith(piece) or piece == "[unk]" for piece, word in texts)


def test_a_training_leaves_out_embeddings_only_where_the_model_cannot_notice(zoo):
    for name, swapped in (
        ("bert", True),
        ("bigbird", True),
        ("gemma3", False),
        ("bart-scaled", False),
        ("qwen2", False),
    ):
        pretrained, data = Pretrained(zoo(name)), task_data("classification", 4)
        model = pretrained.with_head("classification", data.labels, seed=0).eval()
        tokenizer = pretrained.tokenizer
        rows = HEADS["classification"].encode(tokenizer, data, 48).rows
        whole = outputs_of_rows(model, tokenizer, rows)
        few, words = only_words_of(rows, model)
        assert (words is not None) == swapped, name
        assert_allclose(outputs_of_rows(model, tokenizer, few), whole, atol=1e-6)
        if words:
            all_words(model, words)
            assert_allclose(outputs_of_rows(model, tokenizer, rows), whole, atol=1e-6)


def test_a_text_is_pooled_as_its_model_reads_it(zoo):
    texts, files = ("the town sees anna", "anna"), FILES
    causal = HuggingFace("own", str(zoo("llama-padded")), pooling="auto")
    assert causal.pooling_of("auto", files) == "last"
    last = causal.represent(None, texts, files)
    model = encoder_of(hf.AutoModel.from_pretrained(zoo("llama-padded")))
    for text, vector in zip(texts, last, strict=True):
        ids = torch.tensor([causal.tokenizer(files)(text)["input_ids"]])
        assert_allclose(vector, model(ids).last_hidden_state[0, -1].detach().numpy(), atol=1e-5)
    with pytest.raises(
        UnusableData, match="whose first token sees nothing of a text: take pooling=last or pooling=mean"
    ):
        replace(causal, pooling="cls").represent(None, texts, files)
    for task in load_parts().suites["mini"].tasks:  # tagging too, where a pooling that is named pools the whole text
        with pytest.raises(UnusableData, match="pooling=last"):
            cell = FeatureExtraction(causal, None, load_parts().tasks[task], FeatureOptions(pooling="cls"))
            cell.pooled_options(files)
    sentences = HuggingFace("own", str(zoo("sentence-transformers")), pooling="auto")
    assert sentences.pooling_of("auto", files) == "mean"
    assert HuggingFace("own", str(zoo("bert")), pooling="auto").pooling_of("auto", files) == "cls"


def test_pooling_takes_the_texts_own_tokens_wherever_they_are_padded():
    states = torch.arange(24, dtype=torch.float32).reshape(2, 4, 3)
    mask = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1]])
    for pooling, expected in (
        ("cls", [[0, 1, 2], [15, 16, 17]]),
        ("last", [[3, 4, 5], [21, 22, 23]]),
        ("mean", [[1.5, 2.5, 3.5], [18, 19, 20]]),
    ):
        assert_allclose(pooled(states, mask, pooling), expected)


def test_a_pooling_that_cogbench_lacks_is_told(zoo, tmp_path):
    (tmp_path / "config.json").write_bytes((zoo("bert") / "config.json").read_bytes())
    (tmp_path / "modules.json").write_text(json.dumps([{"path": "1_Pooling", "type": "a.Pooling"}]))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(UnusableData, match="which cogbench does not have; name another pooling: cls, mean or last"):
        _ = Pretrained(tmp_path).pooling


@pytest.mark.parametrize("place", ["../other", "/etc", "1_Pooling/../../other"])
def test_a_pooling_is_read_from_the_models_own_folder_alone(tmp_path, place):
    (tmp_path / "model").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (tmp_path / "model" / "modules.json").write_text(json.dumps([{"path": place, "type": "a.Pooling"}]))
    with pytest.raises(UnusableData, match="names a folder outside its own"):
        _ = Pretrained(tmp_path / "model").pooling


def test_a_causal_model_transfers_all_of_its_body_between_heads(zoo, tmp_path):
    """Llama calls its body `transformer` under the head for answers and `model` under the others."""
    backbone = HuggingFace("own", str(zoo("llama-padded")), pooling="auto", epochs=1, min_steps=1, precision="fp32")
    parts, task = load_parts(), TASKS["extractive-qa"]
    asked = replace(parts.tasks[task], evaluation_rows=4)
    settings = replace(backbone.settings("extractive-qa", 8), learning_rate=1e-12)
    (tmp_path / "source").mkdir()
    source = backbone.train(Recipe((asked,), max_train=8, settings=settings), FILES, tmp_path / "source")
    texts = ("the town sees anna",)
    assert_allclose(backbone.represent(source, texts, FILES), backbone.represent(None, texts, FILES), atol=1e-5)
    model = backbone.fresh(task_data("tagging"), 0, FILES, source)
    trained = hf.AutoModelForQuestionAnswering.from_pretrained(source.folder).base_model.state_dict()
    assert all(torch.equal(values, trained[name]) for name, values in model.base_model.state_dict().items())


def test_rows_are_padded_where_the_head_does_not_read(zoo):
    pretrained, data = Pretrained(zoo("xlnet")), task_data("classification", 4)
    assert pretrained.tokenizer_for("classification").padding_side == "left"
    assert pretrained.tokenizer_for("tagging").padding_side == "right"
    rows = encoded(pretrained.tokenizer_for("tagging"), task_data("tagging", 4), 48).rows
    padded = batch(pretrained.tokenizer_for("tagging"), [row(rows, i) for i in range(4)])
    at = padded["labels"] >= 0
    assert at.any() and (padded["attention_mask"][at] == 1).all()
    assert data.kind == "classification"


def test_a_file_of_sentencepiece_alone_names_the_packages_that_read_it(zoo, tmp_path, monkeypatch):
    import importlib.util

    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((zoo("t5") / name).read_bytes())
    (tmp_path / "spiece.model").write_bytes(b"none")
    find = importlib.util.find_spec
    absent = ("sentencepiece", "google.protobuf", "google")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in absent else find(name, *a))
    with pytest.raises(
        UnusableData, match="only a file of SentencePiece; `pip install sentencepiece protobuf` reads it"
    ):
        _ = Pretrained(tmp_path).tokenizer


def test_features_of_tokens_have_the_states_and_the_answers_of_their_tokens(zoo):
    backbone = HuggingFace("own", str(zoo("bert")))
    model = backbone.model(None, FILES)
    data = task_data("tagging", 30)
    found = extract_features(model, backbone.batches(data, FILES), FeatureOptions(20))
    assert found.answer_kind == "classes" and len(found.values) == len(found.answers) == 20
    assert {*found.answers.tolist()} <= {*range(len(data.labels))} and len({*found.answers.tolist()}) > 1
    states, tags = [], []
    for one in backbone.batches(data, FILES):
        hidden = model(**{k: v for k, v in one.items() if k != "labels"}).last_hidden_state.detach().numpy()
        at = one["labels"].numpy() >= 0
        states.append(hidden[at])
        tags.append(one["labels"].numpy()[at])
    states, tags = np.concatenate(states), np.concatenate(tags)
    for value, answer in zip(found.values, found.answers, strict=True):
        nearest = np.abs(states - value).max(axis=1).argmin()
        assert_allclose(states[nearest], value, atol=1e-5)
        assert tags[nearest] == answer
    spans = extract_features(model, backbone.batches(task_data("extractive-qa", 30), FILES), FeatureOptions(40))
    counts = np.bincount(spans.answers, minlength=2)
    assert counts[0] == counts[1] > 0 and spans.answer_kind == "classes"


@each_family
@pytest.mark.parametrize("pooling", ["cls", "mean", "last"])
def test_features_do_not_depend_on_the_rows_beside_an_example(name, pooling, zoo):
    backbone = HuggingFace("own", str(zoo(name)))
    data, model = task_data("classification", 40), backbone.model(None, FILES)
    widths, options = [], FeatureOptions(pooling=pooling)
    model.register_forward_pre_hook(lambda _, args, kwargs: widths.append(kwargs["input_ids"].shape), with_kwargs=True)
    together = extract_features(model, backbone.batches(data, FILES), options)
    n_pieces = sum(rows * width for rows, width in widths)
    as_they_come = sum(batch["input_ids"].numel() for batch in backbone.batches(data, FILES))
    assert n_pieces < as_they_come or backbone.tokenizer(FILES, data.kind).padding_side == "left"
    alone = [extract_features(model, backbone.batches(data.take([i]), FILES), options) for i in range(len(data))]
    assert_allclose(together.values, np.concatenate([one.values for one in alone]), atol=2e-5)
    assert together.answers.tolist() == [one.answers[0] for one in alone]


def test_a_list_of_passages_counts_as_so_many_examples(zoo):
    backbone = HuggingFace("own", str(zoo("bert")))
    data, model = task_data("reranking", 20), backbone.model(None, FILES)
    every = extract_features(model, backbone.batches(data, FILES), FeatureOptions(1000))
    some = extract_features(model, backbone.batches(data, FILES), FeatureOptions(30))
    assert len(some.values) == len(some.answers) == 30 < len(every.values)
    nearest = np.abs(every.values[:, None] - some.values).max(axis=2).argmin(axis=0)
    assert_allclose(every.values[nearest], some.values, atol=1e-5)
    assert every.answers[nearest].tolist() == some.answers.tolist()
    assert abs(every.answers.mean() - some.answers.mean()) <= 1 / 30  # each class in its share


def test_folders_with_the_same_words_share_a_tokenizer_and_others_do_not(zoo, tmp_path, monkeypatch):
    tokenizer_of.cache_clear()
    opened, open_one = [], hf.AutoTokenizer.from_pretrained
    monkeypatch.setattr(hf.AutoTokenizer, "from_pretrained", lambda *a, **k: (opened.append(a), open_one(*a, **k))[1])
    folders = [Path(shutil.copytree(zoo("bert"), tmp_path / name)) for name in ("one", "two", "three", "of-its-own")]
    (folders[1] / "README.md").write_text("Another model of the same base.")
    config = json.loads((folders[1] / "config.json").read_text())
    (folders[1] / "config.json").write_text(json.dumps({**config, "task": "another"}))
    words = json.loads((folders[3] / "tokenizer.json").read_text())
    (folders[3] / "tokenizer.json").write_text(json.dumps({**words, "normalizer": None}))
    bases = {Pretrained(folder).base for folder in folders[:3]}
    assert len(opened) == 1 and len(bases) == 1
    assert Pretrained(folders[3]).tokenizer is not Pretrained(folders[0]).tokenizer
    assert len(opened) == 2
    monkeypatch.undo()
    for folder in folders:
        alone = hf.AutoTokenizer.from_pretrained(folder)
        assert Pretrained(folder).tokenizer("Some Words")["input_ids"] == alone("Some Words")["input_ids"]
