"""LoRA and prompts: where a training begins, what its checkpoint holds, and what is read from it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from cogbench_backbones.adapters import base_of_adapter, open_adapter, read_weights
from cogbench_backbones.heads import HEADS, outputs_of_rows
from cogbench_backbones.huggingface import HuggingFace
from cogbench_backbones.lora import with_lora
from cogbench_backbones.pretrained import Pretrained
from cogbench_backbones.prompts import drawn_prompt, with_prompt
from cogbench_backbones.tunings import TuningMethod
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import load_file, save_file

from cogbench import Files, Recipe, UnusableData, encoder_of, load_parts
from cogbench.compute.features import weight_change

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from model_zoo import TASKS

FILES = Files(offline=True)
TEXTS = ("the town sees anna", "anna", "the town")
QUICK = {"epochs": 1, "min_steps": 3, "precision": "fp32"}


def task(kind, rows=6):
    return replace(load_parts().tasks[TASKS[kind]], evaluation_rows=rows)


def train(backbone, kind, out, start=None, n=12, **settings):
    out.mkdir()
    recipe = Recipe((task(kind),), max_train=n, settings=replace(backbone.settings(kind, n), **settings))
    return backbone.train(recipe, FILES, out, start)


def fresh(pretrained, kind):
    """Return a model before any training, and what it gives for some rows."""
    data = task(kind).load("train", FILES).sample(8)
    tokenizer = pretrained.tokenizer_for(kind)
    rows = HEADS[kind].encode(tokenizer, data, 48).rows
    model = pretrained.with_head(kind, data.labels, seed=0)
    return model, lambda of: outputs_of_rows(of, tokenizer, rows)


def body(model):
    """Return the weights of a model's body; a pooler belongs to the head."""
    return {n: w.detach() for n, w in encoder_of(model).named_parameters() if "pooler" not in n and n != "prompt"}


@pytest.mark.parametrize("name", ["bert", "distilbert", "gpt2", "llama-padded", "t5", "albert"])
@pytest.mark.parametrize("kind", ["classification", "extractive-qa"])
def test_before_the_first_step_outputs_are_the_bases(name, kind, zoo):
    pretrained = Pretrained(zoo(name))
    model, answers = fresh(pretrained, kind)
    before = answers(model)
    head = pretrained.head_modules(model)
    adapted = with_lora(model, rank=4, alpha=8, targets=(), head=head, seed=0)
    for one, other in zip(before, answers(adapted), strict=True):
        assert_array_equal(one, other)
    moving = {n for n, w in adapted.named_parameters() if w.requires_grad}
    assert any("lora_" in n for n in moving)
    assert not [n for n in moving if "lora_" not in n and "modules_to_save" not in n]


@pytest.mark.parametrize("name", ["bert", "llama-padded"])
def test_with_an_alpha_of_0_the_head_alone_is_trained(name, zoo, tmp_path):
    backbone = HuggingFace("own", str(zoo(name)), pooling="auto", tuning="lora", lora_alpha=0, **QUICK)
    checkpoint = train(backbone, "classification", tmp_path / "out")
    bare, tuned = body(backbone.model(None, FILES)), body(backbone.model(checkpoint, FILES))
    assert {*bare} == {*tuned}
    for key, values in bare.items():
        assert torch.equal(values, tuned[key]), key
    first, _ = fresh(backbone.pretrained(FILES), "classification")
    (head,) = [n for n in first.state_dict() if n.endswith(("classifier.weight", "score.weight"))]
    assert not torch.equal(backbone.model(checkpoint, FILES).state_dict()[head], first.state_dict()[head])


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama-padded", "t5"])
def test_merged_is_unmerged_and_an_adapter_is_opened_as_it_was_trained(name, zoo, tmp_path, monkeypatch):
    backbone = HuggingFace("own", str(zoo(name)), pooling="auto", tuning="lora", learning_rate=1e-2, **QUICK)
    unmerged = {}
    monkeypatch.setattr(
        TuningMethod,
        "keep",
        lambda self, model, *args, of=TuningMethod.keep: (unmerged.update(model=model), of(self, model, *args))[1],
    )
    checkpoint = train(backbone, "classification", tmp_path / "out")
    model, answers = fresh(backbone.pretrained(FILES), "classification")
    merged = backbone.model(checkpoint, FILES)
    for one, other in zip(answers(unmerged["model"]), answers(merged), strict=True):
        assert_allclose(one, other, atol=1e-5)
    assert {*merged.state_dict()} == {*model.state_dict()}  # names are comparable with the bare model's
    assert all(weight.requires_grad for weight in merged.parameters())
    moved = weight_change(*({n: w.numpy() for n, w in body(m).items()} for m in (model, merged)))
    assert (moved.change_norms > 1e-4).any()


def test_peft_itself_opens_a_checkpoint(zoo, tmp_path):
    from peft import PeftModelForSequenceClassification

    backbone = HuggingFace("own", str(zoo("bert")), tuning="lora", **QUICK)
    checkpoint = train(backbone, "classification", tmp_path / "out")
    base, answers = fresh(backbone.pretrained(FILES), "classification")
    theirs = PeftModelForSequenceClassification.from_pretrained(base, checkpoint.folder)
    for one, other in zip(answers(theirs), answers(backbone.model(checkpoint, FILES)), strict=True):
        assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("tuning", ["lora", "prompt"])
def test_a_checkpoint_is_the_adapter_and_names_no_place_of_this_machine(tuning, zoo, tmp_path):
    backbone = HuggingFace("own", str(zoo("bert")), tuning=tuning, **QUICK)
    folder = train(backbone, "classification", tmp_path / "out").folder
    assert {file.name for file in folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "config.json",
    }
    of_bert = (zoo("bert") / "model.safetensors").stat().st_size
    assert (folder / "adapter_model.safetensors").stat().st_size < of_bert / 2
    for file in folder.glob("*.json"):
        assert str(zoo("bert")) not in file.read_text()
    assert not any("embeddings.word" in name for name in read_weights(folder))


@pytest.mark.parametrize("source", ["classification", "extractive-qa"])
def test_a_target_starts_from_the_source_with_its_adapter_and_its_checkpoint_holds_both(source, zoo, tmp_path):
    """Llama calls its body otherwise under the head for answers."""
    own = {"pooling": "auto", "tuning": "lora", "lora_rank": 3, "lora_alpha": 6, **QUICK}
    backbone = HuggingFace("own", str(zoo("llama-padded")), learning_rate=1e-2, **own)
    start = train(backbone, source, tmp_path / "source")
    still = train(backbone, "tagging", tmp_path / "still", start, learning_rate=1e-12)
    learned, reached = (body(backbone.model(c, FILES)) for c in (start, still))
    bare = body(backbone.model(None, FILES))
    assert any((learned[n] - bare[n]).norm() > 1e-3 for n in bare)
    for name, values in learned.items():
        assert_allclose(reached[name], values, atol=1e-6)
    further = train(backbone, "tagging", tmp_path / "further", start, learning_rate=1e-2)
    assert json.loads((further.folder / "adapter_config.json").read_text())["r"] == 6
    third = train(backbone, "regression", tmp_path / "third", further)
    assert json.loads((third.folder / "adapter_config.json").read_text())["r"] == 9
    assert np.isfinite(third.outputs).all()


def test_a_target_after_whole_weights_is_a_whole_model(zoo, tmp_path):
    whole = HuggingFace("own", str(zoo("bert")), learning_rate=1e-2, **QUICK)
    start = train(whole, "classification", tmp_path / "source")
    backbone = replace(whole, tuning="lora")
    target = train(backbone, "regression", tmp_path / "target", start, learning_rate=1e-12)
    assert (target.folder / "model.safetensors").exists()
    learned, reached = (body(backbone.model(c, FILES)) for c in (start, target))
    for name, values in learned.items():
        assert_allclose(reached[name], values, atol=1e-6)


def test_a_target_starts_from_the_sources_prompt(zoo, tmp_path):
    backbone = HuggingFace("own", str(zoo("bert")), tuning="prompt", prompt_tokens=5, **QUICK)
    start = train(backbone, "classification", tmp_path / "source")
    still = train(backbone, "regression", tmp_path / "target", start, learning_rate=1e-12)
    learned, reached = (read_weights(c.folder)["prompt_embeddings"] for c in (start, still))
    assert_allclose(learned, reached, atol=1e-6)
    first = drawn_prompt(fresh(backbone.pretrained(FILES), "classification")[0], 5, 0)
    assert (learned - first).norm() > 1e-2
    for tuning, message in (
        ("full", "after a source with a prompt, take tuning=prompt"),
        ("lora", "take tuning=prompt"),
    ):
        other = replace(backbone, tuning=tuning, prompt_tokens=20)
        with pytest.raises(UnusableData, match=message):
            train(other, "regression", tmp_path / tuning, start)
    whole = train(replace(backbone, tuning="full", prompt_tokens=20), "classification", tmp_path / "whole")
    with pytest.raises(UnusableData, match="has no prompt for a target to start from"):
        train(backbone, "regression", tmp_path / "after-whole", whole)


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "gpt2", "llama-padded", "deberta-v3", "modernbert"])
def test_states_behind_a_prompt_are_those_of_the_texts_own_tokens(name, zoo):
    """The reference is the model itself, given the prompt and the text as embeddings."""
    pretrained = Pretrained(zoo(name))
    pieces = dict(pretrained.tokenizer([*TEXTS], padding=True, return_tensors="pt"))
    model = pretrained.encoder().eval()
    prompt = drawn_prompt(model, 4, seed=1)
    embedded = torch.cat([prompt.expand(3, -1, -1), model.get_input_embeddings()(pieces["input_ids"])], dim=1)
    front = torch.ones(3, 4, dtype=torch.long)
    inputs = {"inputs_embeds": embedded, "attention_mask": torch.cat([front, pieces["attention_mask"]], dim=1)}
    if "token_type_ids" in pieces:
        inputs["token_type_ids"] = torch.cat([0 * front, pieces["token_type_ids"]], dim=1)
    with torch.inference_mode():
        expected = model(**inputs, output_hidden_states=True)
        out = with_prompt(model, prompt)(**pieces, output_hidden_states=True)
    at = pieces["attention_mask"].bool()
    assert_allclose(out.last_hidden_state[at], expected.last_hidden_state[:, 4:][at], atol=1e-5)
    for one, other in zip(out.hidden_states, expected.hidden_states, strict=True):
        assert_allclose(one[at].detach(), other[:, 4:][at].detach(), atol=1e-5)


@pytest.mark.parametrize("kind", [*TASKS])
def test_a_prompt_learns_each_kind_and_leaves_the_body_as_it_is(kind, zoo, tmp_path):
    backbone = HuggingFace("own", str(zoo("bert")), tuning="prompt", prompt_tokens=3, **QUICK)
    checkpoint = train(backbone, kind, tmp_path / "out")
    assert np.isfinite(checkpoint.outputs).all()
    bare, tuned = body(backbone.model(None, FILES)), body(backbone.model(checkpoint, FILES))
    for key, values in bare.items():
        assert torch.equal(values, tuned[key]), key
    one, other = backbone.represent(checkpoint, TEXTS, FILES), backbone.represent(None, TEXTS, FILES)
    assert one.shape == other.shape and np.abs(one - other).max() > 1e-3
    alone = np.stack([backbone.represent(checkpoint, (text,), FILES)[0] for text in TEXTS])
    assert_allclose(alone, one, atol=1e-5)  # padding is masked behind a prompt too


def test_pooled_outputs_are_of_the_text_behind_a_prompt(zoo):
    """A prompt that nothing sees changes nothing: with its attention masked the pooler reads the text's first token."""
    model, _ = fresh(Pretrained(zoo("bert")), "classification")
    states = []
    model.bert.pooler.dense.register_forward_pre_hook(lambda module, args: states.append(args[0]))
    pieces = Pretrained(zoo("bert")).tokenizer([*TEXTS], padding=True, return_tensors="pt")
    with torch.inference_mode():
        out = with_prompt(model.eval(), drawn_prompt(model, 4, 0))(**pieces, output_hidden_states=True)
    assert_array_equal(states[0], out.hidden_states[-1][:, 0])


def test_a_text_leaves_room_for_the_prompt(zoo):
    backbone = HuggingFace("own", str(zoo("bert")), tuning="prompt", prompt_tokens=28)
    assert backbone.limit(512, FILES) == 100 and replace(backbone, tuning="full").limit(512, FILES) == 128


@pytest.mark.parametrize(
    ("options", "name", "message"),
    [
        ({"tuning": "prompt"}, "t5", "prompts are for models of one part"),
        (
            {"tuning": "prompt", "prompt_tokens": 99},
            "bert",
            "it reads 128 pieces, and prompt_tokens=99 take most of them",
        ),
        ({"tuning": "prompt"}, "canine", "which it does not take; take tuning=lora"),
        ({"tuning": "prompt"}, "albert", "its pooler reads the first place of a text"),
        (
            {"tuning": "lora", "lora_targets": ("wq",)},
            "bert",
            "it has no layer 'wq' for LoRA; name others in lora_targets",
        ),
    ],
)
def test_what_cannot_be_tuned_is_told_before_any_work(options, name, message, zoo):
    assert message in HuggingFace("own", str(zoo(name)), **options).unsuitable("classification", FILES)


def test_options_without_effect_or_sense_are_refused(zoo):
    with pytest.raises(UnusableData, match="lora_rank says nothing with tuning=full; take tuning=lora"):
        HuggingFace("own", str(zoo("bert")), lora_rank=4).origin(FILES)
    for option, value, expected in (
        ("lora_rank", 0, "1 or more"),
        ("batch_size", 0, "1 or more"),
        ("epochs", 0, "1 or more"),
        ("accumulation", -1, "1 or more"),
        ("max_length", 2, "8 or more"),
        ("learning_rate", float("nan"), "a number above 0"),
        ("learning_rate", float("inf"), "a number above 0"),
        ("learning_rate", -1e-3, "a number above 0"),
    ):
        with pytest.raises(UnusableData, match=f"{option}={value}; expected {expected}"):
            HuggingFace("own", **{option: value})


def test_a_first_token_that_says_nothing_is_told_before_any_training(zoo):
    with pytest.raises(UnusableData, match="whose first token sees nothing of a text: take pooling=last"):
        HuggingFace("own", str(zoo("gpt2")), pooling="cls").origin(FILES)
    HuggingFace("own", str(zoo("gpt2")), pooling="mean").origin(FILES)


def foreign(zoo, folder, task_type="SEQ_CLS", peft_type="LORA", **more):
    """Write an adapter as a user of PEFT has it: with its base's folder, without the configuration of the model."""
    from peft import LoraConfig, TaskType, get_peft_model

    base = zoo("bert")
    auto = {"SEQ_CLS": hf.AutoModelForSequenceClassification, "FEATURE_EXTRACTION": hf.AutoModel}[task_type]
    torch.manual_seed(3)
    how = {"num_labels": 3} if task_type == "SEQ_CLS" else {}
    model = auto.from_pretrained(base, **how)
    adapted = get_peft_model(model, LoraConfig(task_type=TaskType[task_type], r=4, init_lora_weights=False, **more))
    adapted.save_pretrained(folder)
    return adapted.eval()


@pytest.mark.parametrize("task_type", ["SEQ_CLS", "FEATURE_EXTRACTION"])
def test_a_foreign_adapter_is_opened_with_the_base_that_it_names(task_type, zoo, tmp_path):
    theirs = foreign(zoo, tmp_path, task_type)
    assert base_of_adapter(tmp_path, FILES)[0] == zoo("bert")
    pretrained = Pretrained(zoo("bert"))
    ours = open_adapter(tmp_path, pretrained).eval()
    pieces = pretrained.tokenizer([*TEXTS], padding=True, return_tensors="pt")
    with torch.inference_mode():
        for one, other in zip(ours(**pieces)[:1], theirs(**pieces)[:1], strict=True):
            assert_allclose(one, other, atol=1e-5)
    backbone = load_parts().backbones["hub"].open(str(tmp_path))
    states = encoder_of(ours)(**pieces).last_hidden_state[:, 0].detach()
    assert_allclose(backbone.represent(None, TEXTS, FILES), states, atol=1e-5)
    first = backbone.origin(FILES)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    save_file({k: 2 * v for k, v in weights.items()}, tmp_path / "adapter_model.safetensors", {"format": "pt"})
    assert backbone.origin(FILES) != first
    (tmp_path / "trained").mkdir()
    assert np.isfinite(train(replace(backbone, **QUICK), "tagging", tmp_path / "target").outputs).all()


def test_adapters_that_cannot_be_opened_are_one_line(zoo, tmp_path):
    foreign(zoo, tmp_path)
    pretrained, options = Pretrained(zoo("bert")), json.loads((tmp_path / "adapter_config.json").read_text())
    weights = load_file(tmp_path / "adapter_model.safetensors")

    def opening(change=(), of=pretrained, kept=weights):
        (tmp_path / "adapter_config.json").write_text(json.dumps({**options, **dict(change)}))
        save_file(kept, tmp_path / "adapter_model.safetensors", {"format": "pt"})
        return open_adapter(tmp_path, of)

    for call, message in (
        (lambda: opening({"peft_type": "PREFIX_TUNING"}), "of the kind PREFIX_TUNING, which cannot be merged"),
        (lambda: opening(of=Pretrained(zoo("gpt2"))), "neither it nor its base holds the weights of such a head"),
        (
            lambda: opening(kept={**weights, "base_model.model.no.lora_A.weight": torch.ones(1)}),
            "has no place for 1 of",
        ),
        (lambda: opening(kept=dict(list(weights.items())[1:])), "lacks 1 weights, such as"),
        (lambda: opening({"target_modules": ["wq"]}), "does not fit its base"),
        (
            lambda: opening({"base_model_name_or_path": None}) and base_of_adapter(tmp_path, FILES),
            "names no base model",
        ),
    ):
        with pytest.raises(UnusableData, match=message):
            call()


def test_no_code_of_an_adapters_file_is_run(zoo, tmp_path):
    foreign(zoo, tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()

    class Harm:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weights": Harm()}, tmp_path / "adapter_model.bin")
    with pytest.raises(UnusableData, match="holds more than weights"):
        open_adapter(tmp_path, Pretrained(zoo("bert")))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "config",
    [
        {"quantization_config": {"quant_method": "gptq", "bits": 4}},
        {"quantization_config": {"load_in_8bit": True}},
        {"load_in_4bit": True},
    ],
)
def test_a_quantised_model_is_refused_in_one_line(config, zoo, tmp_path):
    for file in zoo("bert").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({**json.loads((tmp_path / "config.json").read_text()), **config}))
    backbone = HuggingFace("own", str(tmp_path))
    assert "its weights are quantised (" in backbone.unsuitable("classification", FILES)
    with pytest.raises(UnusableData, match=r"are quantised .* take the original model, or save it dequantised"):
        backbone.represent(None, TEXTS, FILES)
