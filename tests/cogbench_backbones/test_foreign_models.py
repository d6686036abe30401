"""No code of a model folder runs, nobody is asked, and what is refused says why."""

import json
import pickle
import sys
from pathlib import Path

import pytest
import torch
from cogbench_backbones import adapters, augment, lora, training
from cogbench_backbones.huggingface import HuggingFace
from cogbench_backbones.pretrained import Pretrained
from repositories import bert_files
from safetensors.torch import save

from cogbench import CogbenchError, Files, UnusableData
from cogbench.testing.fuzz import watched

FILES = Files(offline=True)
CODE = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
class Config: pass
class Model: pass
class Tokenizer: pass
"""
MAP = {
    "AutoConfig": "evil.Config",
    "AutoModel": "evil.Model",
    "AutoModelForMaskedLM": "evil.Model",
    "AutoModelForSequenceClassification": "evil.Model",
    "AutoTokenizer": ["evil.Tokenizer", "evil.Tokenizer"],
}


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.touch, (Path(self.place),)


def config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def unknown_type(folder):
    config(folder, auto_map=MAP, model_type="evilnet", architectures=["EvilModel"])


def known_type(folder):
    config(folder, auto_map=MAP)


def tokenizer(folder):
    options = {"auto_map": {"AutoTokenizer": MAP["AutoTokenizer"]}, "tokenizer_class": "Tokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(options))
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)


def generation(folder):
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(CODE)


def pickled(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(folder / "ran")))


def saved_by_torch(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"weight": torch.zeros(2), "evil": Evil(folder / "ran")}, folder / "pytorch_model.bin")


def beside_the_weights(folder):
    for name in ("optimizer.pt", "training_args.bin", "rng_state.pth", "pytorch_model.bin"):
        torch.save(Evil(folder / "ran"), folder / name)


def kernels(folder):
    config(folder, _attn_implementation="evil/kernel", attn_implementation="evil/kernel")


def adapter(folder):
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "evil/x", "peft_type": "LORA"}))


TRICKS = (
    *(unknown_type, known_type, tokenizer, generation, pickled, saved_by_torch),
    *(beside_the_weights, kernels, adapter),
)
REFUSED = {
    unknown_type: "cogbench runs no code of a model folder",
    tokenizer: "its tokenizer cannot be read",
    pickled: "its weights cannot be read: its .bin file holds something else than weights",
    saved_by_torch: "its weights cannot be read: its .bin file holds something else than weights",
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, on an old pickle
@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_no_code_of_a_model_folder_runs_and_nobody_is_asked(trick, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in bert_files().items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "evil.py").write_text(CODE)
    trick(folder)

    questions = []
    monkeypatch.setattr("builtins.input", lambda *words: questions.append(words) or "y")
    backbone = HuggingFace("evil", str(folder), pooling="auto")
    readers = [
        lambda: backbone.represent(None, ("the dog runs",), FILES),
        lambda: backbone.pretrained(FILES).with_head("classification", ("no", "yes"), 0),
        lambda: training.trained(folder),
        lambda: augment._masked_lm(folder),
    ]
    refusals = []
    with watched(tmp_path) as deeds:
        for read in readers:
            try:
                read()
            except (CogbenchError, ImportError, OSError, ValueError, pickle.UnpicklingError) as error:
                refusals.append(str(error))
    assert not questions and not (folder / "ran").exists() and "evil" not in sys.modules
    assert not [name for name in sys.modules if name.startswith("transformers_modules")]
    assert not [deed for deed in deeds if deed.startswith(("os.system", "os.exec", "os.posix", "subprocess", "socket"))]
    if trick in REFUSED:
        assert "\n" not in refusals[0] and str(folder) in refusals[0] and REFUSED[trick] in refusals[0]


def test_every_door_of_transformers_says_that_no_code_is_trusted():
    folder = Path(training.__file__).parent
    doors = (
        "AutoConfig.from_pretrained(",
        "AutoTokenizer.from_pretrained(",
        "MaskedLM.from_pretrained(",
        "from_config(",
    )
    for file in folder.glob("*.py"):
        text = file.read_text()
        for door in (*doors, "body.from_pretrained(", "model.from_pretrained("):
            for after in text.split(door)[1:]:
                assert "trust_remote_code=False" in after[:160] or "**WHOLE" in after[:60], f"{file.name}: {door}"
    assert training.WHOLE["trust_remote_code"] is False


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"architectures": [5]}, "architectures in its config.json are no texts"),
        ({"num_hidden_layers": 10**9}, "its config.json says num_hidden_layers=1000000000"),
    ],
)
def test_a_config_of_which_no_model_can_be_built_is_refused_before_it_is(tmp_path, changes, says):
    for name, content in bert_files().items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    config(tmp_path, **changes)
    for read in (lambda: Pretrained(tmp_path).encoder(), lambda: training.trained(tmp_path)):
        with pytest.raises(UnusableData, match=says):
            read()


OTHER_NAMES = {
    "no model": ["AutoConfig"],
    "another door": ["AutoModel"],
    "a function": ["set_seed"],
    "a module": ["utils"],
    "of another architecture": ["GPT2ForSequenceClassification"],
    "not at all": ["BertForWorldPeace"],
    "of the class": ["BertForMaskedLM.__init__"],
    "none": None,
}


@pytest.mark.parametrize("names", OTHER_NAMES.values(), ids=OTHER_NAMES)
def test_a_config_names_a_model_of_its_own_architecture_and_nothing_else(tmp_path, names, monkeypatch):
    for name, content in bert_files().items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert type(training.trained(tmp_path)).__name__ == "BertForMaskedLM"
    config(tmp_path, architectures=names)
    for read in (lambda: training.trained(tmp_path), lambda: lora._outline(tmp_path)):
        with pytest.raises(UnusableData, match="architectures in its config.json names .*which is no model of 'bert'"):
            read()
    if names and names[0].endswith("ForSequenceClassification"):
        (tmp_path / "adapter_config.json").write_text("{}")
        (tmp_path / "adapter_model.safetensors").write_bytes(save({"a": torch.zeros(1)}))
        with pytest.raises(UnusableData, match="no model of 'bert'"):
            adapters.head_of_adapter(tmp_path, Pretrained(tmp_path))


def test_an_encoder_alone_is_opened_by_no_name_of_its_config(tmp_path):
    for name, content in bert_files().items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    config(tmp_path, architectures=["set_seed", "WorldEncoderModel"])
    assert type(Pretrained(tmp_path).encoder()).__name__ == "BertModel"


def damaged(folder, **changes):
    """Write a small classifier, with other values in its JSON files or another file in the place of one."""
    import transformers

    folder.mkdir()
    for name, content in bert_files().items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    model = transformers.BertForSequenceClassification.from_pretrained(folder, num_labels=3)
    model.save_pretrained(folder)
    for name, change in changes.items():
        file = folder / name.replace("__", ".")
        if isinstance(change, dict):
            file.write_text(json.dumps(json.loads(file.read_text()) | change))
        elif change is None:
            file.unlink()
        else:
            file.write_bytes(change)
    return folder


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"config__json": {"id2label": {"0": "a", "1": "b"}}},
            "2 of its weights have other sizes than its config.json",
        ),
        ({"config__json": {"vocab_size": 5}}, "such as 'bert.embeddings.word_embeddings.weight': "),
        (
            {"config__json": {"id2label": ["a", "b", "c"]}},
            "id2label in its config.json is no table of numbers and names",
        ),
        ({"config__json": {"id2label": {"a": "b"}}}, "id2label in its config.json is no table of numbers and names"),
        ({"config__json": {"num_hidden_layers": 0}}, "its config.json says num_hidden_layers=0"),
        ({"config__json": {"hidden_dropout_prob": "x"}}, "its architecture cannot be read: Validation error for field"),
        ({"config__json": {"hidden_act": "nope"}}, "a value in its files is not what transformers expects there"),
        ({"config__json": {"architectures": ["NopeForSequenceClassification"]}}, "which is no model of 'bert'"),
        (
            {"tokenizer_config__json": {"model_max_length": -1}},
            "model_max_length is -1; a pair of texts takes 5 or more",
        ),
        ({"tokenizer_config__json": {"model_max_length": 4}}, "model_max_length is 4; a pair of texts takes 5 or more"),
        ({"tokenizer_config__json": b"[]"}, "its tokenizer cannot be read"),
        ({"tokenizer__json": None, "vocab__txt": None}, "the folder has neither tokenizer.json nor a vocabulary"),
        ({"model__safetensors": b""}, "its weights cannot be read: Error while deserializing header"),
    ],
)
def test_a_damaged_folder_is_one_line_that_names_it(tmp_path, changes, says):
    folder = damaged(tmp_path / "model", **changes)
    backbone = HuggingFace("own", str(folder), pooling="auto")
    with pytest.raises(CogbenchError) as error:
        backbone.origin(FILES)
        backbone.limit(64, FILES)
        backbone.pretrained(FILES).whole()
    (line,) = str(error.value).splitlines()
    assert says in line and str(folder) in line


def test_numbers_of_classes_may_have_gaps_and_a_longest_text_may_be_a_broken_number(tmp_path):
    folder = damaged(
        tmp_path / "model",
        config__json={"id2label": {"0": "a", "2": "b", "5": "c"}},
        tokenizer_config__json={"model_max_length": 20.0},
    )
    backbone = HuggingFace("own", str(folder))
    assert backbone.pretrained(FILES).columns_of("classification", ["c", "a", "b"]) == [2, 0, 1]
    limit = backbone.limit(64, FILES)
    assert (limit, type(limit)) == (20, int)
