"""Adapters of PEFT as given checkpoints: opened as PEFT itself opens them, keyed with their base, refused in a line."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from cogbench_backbones.pretrained import Pretrained
from cogbench_transferability.logme import logme
from numpy.testing import assert_allclose
from safetensors.torch import load_file, save_file

from cogbench import Files, MissingData, Recipe, Store, UnusableData, load_parts, measure_oracle, recommend
from cogbench.checkpoints.naming import find_checkpoints
from cogbench.cli.main import cli
from cogbench.compute.cells import GivenTraining, Training
from cogbench.compute.workspace import Workspace
from cogbench.errors import FailedCells

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from model_zoo import ZOO

FILES = Files(offline=True)
TARGET = "mini-rte"
SOURCES = {"mini-mnli": "SEQ_CLS", "mini-conll-2003": "TOKEN_CLS", "body": "FEATURE_EXTRACTION"}
FEW = "logme.features.examples=40"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny BERT, and three adapters of it as a user of PEFT saves them: for two tasks, and of the body alone."""
    place = tmp_path_factory.mktemp("adapters")
    ZOO["bert"].save(place / "base")
    ZOO["gpt2"].save(place / "gpt2")
    for name, task_type in SOURCES.items():
        save_adapter(place / "base", place / name, name, task_type)
    return place


def save_adapter(base, folder, task, task_type, **options):
    import torch
    import transformers as hf
    from peft import LoraConfig, get_peft_model

    classes = {
        "SEQ_CLS": hf.AutoModelForSequenceClassification,
        "TOKEN_CLS": hf.AutoModelForTokenClassification,
        "CAUSAL_LM": hf.AutoModelForCausalLM,
    }
    how = {}
    if task in load_parts().tasks:
        how["num_labels"] = len(load_parts().tasks[task].load("train", FILES).labels)
    torch.manual_seed(len(task))
    model = classes.get(task_type, hf.AutoModel).from_pretrained(base, **how)
    config = LoraConfig(**{"task_type": task_type, "r": 4, "init_lora_weights": False, **options})
    adapted = get_peft_model(model, config)
    adapted.save_pretrained(folder)


def opened_by_peft(folder, task_type, n_labels=None):
    """Return the model and the tokenizer as a user of transformers and PEFT opens them; nothing is merged."""
    import transformers as hf
    from peft import PeftModel

    base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    auto = {"SEQ_CLS": hf.AutoModelForSequenceClassification}.get(task_type, hf.AutoModel)
    model = auto.from_pretrained(base, **({"num_labels": n_labels} if n_labels else {}))
    return PeftModel.from_pretrained(model, folder).eval(), hf.AutoTokenizer.from_pretrained(base)


def test_adapters_are_ranked_by_the_features_that_peft_itself_gives(folders, tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))
    named = [word for name in SOURCES for word in ("--checkpoint", f"{name}={folders / name}")]
    options = ["--offline", "--jobs", "0", "-k", "9", "--json", "--suite", "mini", "--set", FEW]
    ran = CliRunner().invoke(cli, ["recommend", "--target", TARGET, "--estimator", "logme", *named, *options])
    assert ran.exit_code == 0, ran.output
    answer = json.loads(ran.stdout)
    assert {*answer["ranking"]} == {*SOURCES} and answer["learned"]["mini-mnli"] is not None
    data = load_parts().tasks[TARGET].load("train", FILES).sample(40)
    for name in ("mini-mnli", "body"):
        model, tokenizer = opened_by_peft(folders / name, SOURCES[name], 3 if name == "mini-mnli" else None)
        states = []
        with torch.inference_mode():
            for text, pair in zip(data.columns["text"], data.columns["text_pair"], strict=True):
                out = model(**tokenizer(text, pair, return_tensors="pt"), output_hidden_states=True)
                states.append(out.hidden_states[-1][0, 0].numpy())
        value = logme(np.array(states, np.float64), np.asarray(data.columns["label"]), True, "include")
        assert_allclose(answer["similarity"][name], value, rtol=1e-4, err_msg=name)


def test_the_head_of_an_adapter_answers_as_peft_lets_it(folders):
    import torch

    (given,) = find_checkpoints(load_parts(), {"mini-mnli": folders / "mini-mnli"}, FILES)
    data = load_parts().tasks["mini-mnli"].load("evaluation", FILES).sample(12)
    model, tokenizer = opened_by_peft(folders / "mini-mnli", "SEQ_CLS", 3)
    with torch.inference_mode():
        pairs = zip(data.columns["text"], data.columns["text_pair"], strict=True)
        expected = [model(**tokenizer(*pair, return_tensors="pt")).logits[0].numpy() for pair in pairs]
    assert_allclose(given.backbone.answer(data, FILES), expected, atol=1e-5)


def test_an_adapter_trained_under_the_head_of_its_base_answers_with_that(tmp_path):
    """PEFT saves heads by some names alone; BART's, that was trained before, stays the base's."""
    import torch

    data = load_parts().tasks["mini-sst-2"].load("evaluation", FILES).sample(12)
    ZOO["bart"].save(tmp_path / "bart")
    base = Pretrained(tmp_path / "bart")
    base.with_head("classification", data.labels, seed=1).save_pretrained(tmp_path / "whole")
    base.tokenizer.save_pretrained(tmp_path / "whole")
    save_adapter(tmp_path / "whole", tmp_path / "own", "mini-sst-2", "SEQ_CLS")
    assert not [name for name in load_file(tmp_path / "own/adapter_model.safetensors") if "lora_" not in name]
    (given,) = find_checkpoints(load_parts(), {"mini-sst-2": tmp_path / "own"}, FILES)
    assert given.kind == "classification"
    model, tokenizer = opened_by_peft(tmp_path / "own", "SEQ_CLS")
    with torch.inference_mode():
        expected = [model(**tokenizer(t, return_tensors="pt")).logits[0].numpy() for t in data.columns["text"]]
    assert_allclose(given.backbone.answer(data, FILES), expected, atol=1e-5)


def keep_weights(folder, keep):
    weights = load_file(folder / "adapter_model.safetensors")
    kept = {name: values for name, values in weights.items() if keep(name)}
    save_file(kept, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def test_an_adapter_of_a_language_model_is_read_for_its_body(folders, tmp_path):
    save_adapter(
        folders / "gpt2", tmp_path / "talks", "talks", "CAUSAL_LM", target_modules=["c_attn"], fan_in_fan_out=True
    )
    (given,) = find_checkpoints(load_parts(), {"talks": tmp_path / "talks"}, FILES)
    assert given.kind == "encoder"
    model, tokenizer = opened_by_peft_causal(tmp_path / "talks")
    states = given.backbone.represent(None, ("the town sees anna", "anna"), FILES)
    for text, state in zip(("the town sees anna", "anna"), states, strict=True):
        out = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        assert_allclose(state, out.hidden_states[-1][0, -1].detach().numpy(), atol=1e-5)


def opened_by_peft_causal(folder):
    import transformers as hf
    from peft import PeftModel

    base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    model = PeftModel.from_pretrained(hf.AutoModelForCausalLM.from_pretrained(base), folder).eval()
    return model, hf.AutoTokenizer.from_pretrained(base)


def test_an_adapter_is_known_by_its_files_and_by_those_of_its_base(folders, tmp_path):
    parts, store = load_parts(), Store(tmp_path / "store")

    def key(folder):
        (given,) = find_checkpoints(parts, {"body": folder}, FILES)
        return Workspace(FILES, store, parts).key(GivenTraining(given))

    base, adapter = (Path(shutil.copytree(folders / name, tmp_path / name)) for name in ("base", "body"))
    options = json.loads((adapter / "adapter_config.json").read_text())

    def name_base(folder):
        (adapter / "adapter_config.json").write_text(json.dumps({**options, "base_model_name_or_path": str(folder)}))

    name_base("../base")  # beside the adapter
    first = key(adapter)
    assert key(Path(shutil.copytree(adapter, tmp_path / "moved"))) == first
    (base / "tokenizer_config.json").write_text((base / "tokenizer_config.json").read_text() + " ")
    of_other_base = key(adapter)
    assert of_other_base != first
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({n: 2 * w for n, w in weights.items()}, adapter / "adapter_model.safetensors", {"format": "pt"})
    assert key(adapter) not in (first, of_other_base)


def test_a_transfer_from_an_adapter_starts_from_the_body_with_its_updates(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))
    tasks = [replace(load_parts().tasks[TARGET], train_rows=24, evaluation_rows=40)]
    quick = {"epochs": 1, "min_steps": 1, "max_length": 32}
    given = [
        replace(one, backbone=replace(one.backbone, **quick))
        for one in find_checkpoints(load_parts(), {n: folders / n for n in ("mini-mnli", "body")}, FILES)
    ]
    base = replace(load_parts().backbones["hub"].open(str(folders / "base")), **quick)
    how = {"suite": "mini", "tasks": tasks, "max_train": 20, "files": FILES, "jobs": 0, "checkpoints": given}
    oracle = measure_oracle(base, name="of-adapters", **how)
    assert oracle.transfers.sources == ("mini-mnli", "body")
    # The same of the merged model in a folder of its own.
    merged, _ = opened_by_peft(folders / "body", "FEATURE_EXTRACTION")
    merged.merge_and_unload().save_pretrained(tmp_path / "merged")
    Pretrained(folders / "base").tokenizer.save_pretrained(tmp_path / "merged")
    whole = replace(given[1].backbone, address=str(tmp_path / "merged"))
    workspace = Workspace(FILES, Store(tmp_path / "home"), load_parts())
    score = Training(whole, Recipe((tasks[0],), max_train=20)).score(workspace)
    assert_allclose(oracle.transfers.values[1, 0], score.value, atol=1e-6)


def changed(folders, tmp_path, name="mini-mnli", **options):
    folder = Path(shutil.copytree(folders / name, tmp_path / "changed", dirs_exist_ok=True))
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, **options}))
    return folder


def line_of(checkpoints):
    with pytest.raises((UnusableData, MissingData, FailedCells)) as error:
        found = {**checkpoints, "other": next(iter(checkpoints.values())).parent / "other"}
        recommend(TARGET, "logme", checkpoints=found, set=FEW, files=FILES, jobs=0, suite="mini")
    (line,) = str(error.value).splitlines()
    return line


@pytest.fixture
def other(folders, tmp_path):
    """A second checkpoint beside the one that is refused, for a ranking needs two."""
    return shutil.copytree(folders / "body", tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_model_name_or_path": "nobody/nothing"}, "needs its base model, 'nobody/nothing'"),
        ({"base_model_name_or_path": "nowhere"}, "needs its base model, 'nowhere'"),
        ({"base_model_name_or_path": None}, "names no base model"),
        ({"base_model_name_or_path": ["a"]}, "base_model_name_or_path in adapter_config.json is not of the kind"),
        ({"r": 8}, "says r=8, and its weights have the rank 4"),
        ({"r": 10**9}, "says r=1000000000, and its weights have the rank 4"),  # PEFT would make room for them
        ({"r": 2}, "does not fit its base: Error.s. in loading state_dict for PeftModel: size mismatch for"),
        ({"target_modules": "(("}, "does not fit its base: missing ., unterminated subpattern"),
        ({"target_modules": [3]}, "target_modules in adapter_config.json is not of the kind"),
        ({"rank_pattern": [1]}, "does not fit its base: "),
        ({"base_model_name_or_path": "."}, "is of another adapter"),
        ({"peft_type": "PREFIX_TUNING"}, "of the kind PREFIX_TUNING, which cannot be merged"),
        ({"peft_type": "PROMPT_TUNING"}, "of the kind PROMPT_TUNING, which cannot be merged"),
        ({"target_modules": ["wq"]}, "does not fit its base"),
    ],
)
def test_an_adapter_that_cannot_be_opened_is_one_line(options, message, folders, other, tmp_path):
    assert re.search(message, line_of({"mini-mnli": changed(folders, tmp_path, **options)}))


def test_an_adapter_with_all_biases_is_opened(folders, tmp_path):
    """PEFT writes those of the head twice."""
    import torch

    save_adapter(folders / "base", tmp_path / "own", "mini-mnli", "SEQ_CLS", bias="all")
    assert any(".modules_to_save." in name for name in load_file(tmp_path / "own" / "adapter_model.safetensors"))
    (given,) = find_checkpoints(load_parts(), {"mini-mnli": tmp_path / "own"}, FILES)
    model, tokenizer = opened_by_peft(tmp_path / "own", "SEQ_CLS", 3)
    with torch.inference_mode():
        states = model(**tokenizer("the town", return_tensors="pt"), output_hidden_states=True).hidden_states[-1]
    assert_allclose(given.backbone.represent(None, ("the town",), FILES)[0], states[0, 0], atol=1e-5)


def test_an_adapter_whose_files_are_missing_is_one_line(folders, other, tmp_path):
    folder = changed(folders, tmp_path)
    (folder / "adapter_model.safetensors").unlink()
    assert "has no weights (adapter_model.safetensors, adapter_model.bin)" in line_of({"mini-mnli": folder})
    (folder / "adapter_config.json").write_text("[")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    assert "adapter_config.json' cannot be read" in line_of({"mini-mnli": folder})


def test_an_adapter_of_a_base_of_another_shape_is_one_line(folders, other, tmp_path):
    folder = changed(folders, tmp_path, base_model_name_or_path=str(folders / "gpt2"))
    assert "does not fit its base" in line_of({"mini-mnli": folder})


def test_an_adapter_without_its_head_has_features_and_no_answers(folders, tmp_path):
    folder = changed(folders, tmp_path)
    keep_weights(folder, lambda name: "classifier" not in name)
    (given,) = find_checkpoints(load_parts(), {"mini-mnli": folder}, FILES)
    assert given.kind == "encoder"
    two = {"mini-mnli": folder, "body": folders / "body"}
    ranked = recommend(TARGET, "logme", checkpoints=two, set=FEW, files=FILES, jobs=0, suite="mini")
    assert {*ranked.ranking} == {*two} and ranked.learned["mini-mnli"] is None
    data = load_parts().tasks["mini-mnli"].load("evaluation", FILES).sample(4)
    with pytest.raises(UnusableData, match="has no head for classification"):
        given.backbone.answer(data, FILES)
    with pytest.raises(UnusableData, match="neither it nor its base holds the weights of such a head"):
        given.backbone.pretrained(FILES).whole()


def test_an_adapter_whose_base_is_quantised_is_one_line(folders, other, tmp_path):
    base = Path(shutil.copytree(folders / "base", tmp_path / "in-4-bit"))
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "quantization_config": {"load_in_4bit": True}}))
    folder = changed(folders, tmp_path, base_model_name_or_path=str(base))
    assert "its weights are quantised (4 bit)" in line_of({"mini-mnli": folder})


def test_an_adapter_of_all_linear_layers_that_lacks_a_part_of_its_head_is_read_for_its_body(tmp_path):
    """PEFT writes whole names of such layers; ModernBERT's head has a part that PEFT does not save."""
    import torch

    ZOO["modernbert"].save(tmp_path / "base")
    save_adapter(tmp_path / "base", tmp_path / "own", "mini-mnli", "SEQ_CLS", target_modules="all-linear")
    (given,) = find_checkpoints(load_parts(), {"mini-mnli": tmp_path / "own"}, FILES)
    assert given.kind == "encoder"
    model, tokenizer = opened_by_peft(tmp_path / "own", "SEQ_CLS", 3)
    with torch.inference_mode():
        states = model(**tokenizer("the town", return_tensors="pt"), output_hidden_states=True).hidden_states[-1]
    assert_allclose(given.backbone.represent(None, ("the town",), FILES)[0], states[0, 0], atol=1e-5)
