"""Adapters that are named by their hub id: the real client asks the stand-in for them and their bases, then a cache."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hub import Closing, Hub, Machine
from numpy.testing import assert_allclose
from safetensors.torch import load, load_file, save_file

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from model_zoo import ZOO

BASE, MOVED_BASE, ADAPTER, MOVED_ADAPTER, PICKLED = (digit * 40 for digit in "12345")
PREAMBLE = """
from click.testing import CliRunner
from cogbench import Files, load_parts
from cogbench.checkpoints.naming import find_checkpoints
from cogbench.cli.main import cli

def rank(*checkpoints, offline=False):
    words = ["recommend", "--target", "mini-rte", "--suite", "mini", "--estimator", "logme", "-k", "9", "--json"]
    words += ["--set", "logme.features.examples=40", "--jobs", "0", *(["--offline"] if offline else [])]
    words += [word for one in checkpoints for word in ("--checkpoint", one)]
    ran = CliRunner().invoke(cli, words)
    return json.loads(ran.stdout)["similarity"] if ran.exit_code == 0 else ran.output

def states(*checkpoints, offline=False):
    files = Files(offline=offline)
    given = find_checkpoints(load_parts(), checkpoints, files)
    return {one.name: one.backbone.represent(None, ("the town sees anna", "anna"), files).tolist() for one in given}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What a fresh machine makes of adapters of the hub, of the same in folders, and without the hub."""
    place = tmp_path_factory.mktemp("adapters")
    for number, name in enumerate(("base", "moved-base")):
        save_base(place / name, scale=1 + number / 4)
    save_adapter(place / "adapter", place / "base", scale=1)
    save_adapter(place / "moved-adapter", place / "moved-base", scale=2)
    named = [
        f"pinned=someone/adapter@{ADAPTER}",
        "newest=someone/adapter",
        f"pickled=someone/pickled@{PICKLED}",
        *(f"{name}={place / name}" for name in ("adapter", "moved-adapter")),
    ]
    asked = (
        f"answers |= {{n: ask(*{named!r}, offline=OFFLINE) for n, ask in dict(ranked=rank, states=states).items()}}\n"
    )
    other = f"other={place / 'base'}"
    faults = {
        "no adapter": ["one=someone/nothing", other],
        "no commit": [f"one=someone/adapter@{'9' * 40}", other],
        "no base": ["one=someone/orphan", other],
        "no weights": ["one=someone/empty", other],
    }
    alone = {"COGBENCH_LOAD_PLUGINS": "cogbench-transferability"}
    with Hub(place / "hub") as hub, Machine(hub.environment(place / "home") | alone, place, PREAMBLE) as machine:
        for name, commit in (("base", BASE), ("moved-base", MOVED_BASE)):
            hub.add("models", "someone/base", commit, files_of(place / name))
        hub.add("models", "someone/adapter", ADAPTER, of_hub(place / "adapter", revision=BASE))
        hub.add("models", "someone/adapter", MOVED_ADAPTER, of_hub(place / "moved-adapter"))
        hub.add("models", "someone/pickled", PICKLED, pickled(of_hub(place / "adapter", revision=BASE), place))
        hub.add("models", "someone/orphan", "6" * 40, of_hub(place / "adapter", base="someone/lost"))
        empty = {n: c for n, c in of_hub(place / "adapter").items() if n.endswith(".json")}
        hub.add("models", "someone/empty", "7" * 40, empty)
        online = machine.ask(f"OFFLINE = False\n{asked}answers |= {{n: rank(*c) for n, c in {faults!r}.items()}}")
        requests = list(hub.requests)
        hub.stop()
        with Closing(hub.port) as dead:
            lost = f"answers['lost'] = rank('one=someone/orphan', {other!r}, offline=True)"
            offline = machine.ask(f"OFFLINE = True\n{asked}{lost}")
            connections = dead.connections
    return {"online": online, "requests": requests, "offline": offline, "connections": connections}


def save_base(folder, scale):
    ZOO["bert"].save(folder)
    weights = load_file(folder / "model.safetensors")
    save_file({n: w * scale for n, w in weights.items()}, folder / "model.safetensors", {"format": "pt"})


def save_adapter(folder, base, scale):
    """Save an adapter as a user of PEFT does; it is the same for all bases, but for its scale."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
    options = {"task_type": TaskType.SEQ_CLS, "r": 4, "lora_alpha": 8 * scale, "init_lora_weights": False}
    get_peft_model(model, LoraConfig(**options)).save_pretrained(folder)


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def of_hub(folder, base="someone/base", revision=None):
    """Return the files of an adapter whose base is named by its hub id."""
    files = files_of(folder)
    options = json.loads(files["adapter_config.json"])
    return {
        **files,
        "adapter_config.json": json.dumps({**options, "base_model_name_or_path": base, "revision": revision}),
    }


def pickled(files, place):
    """Return an adapter's files with its weights as older versions of PEFT wrote them."""
    import torch

    torch.save(load(files.pop("adapter_model.safetensors")), place / "weights")
    return {**files, "adapter_model.bin": (place / "weights").read_bytes()}


def test_an_adapter_of_the_hub_is_the_same_as_in_a_folder(world):
    ranked, states = world["online"]["ranked"], world["online"]["states"]
    assert isinstance(ranked, dict), ranked
    for name, of_folder in {"pinned": "adapter", "pickled": "adapter", "newest": "moved-adapter"}.items():
        assert_allclose(states[name], states[of_folder], atol=1e-6)
        assert_allclose(ranked[name], ranked[of_folder], rtol=1e-6)
    assert np.abs(np.subtract(states["newest"], states["pinned"])).max() > 1e-2  # of another commit, on another base


def test_each_comes_at_its_commit_and_with_one_set_of_weights(world):
    got = [r for r in world["requests"] if r.startswith("GET /someone/")]
    for name, commit in (("adapter", ADAPTER), ("adapter", MOVED_ADAPTER), ("base", BASE), ("base", MOVED_BASE)):
        assert any(f"/someone/{name}/resolve/{commit}/" in request for request in got), (name, commit)
    assert not [r for r in got if "/someone/adapter/" in r and r.endswith(".bin")]


def test_all_of_it_comes_from_the_cache_without_the_hub(world):
    for answers in ("ranked", "states"):
        assert world["offline"][answers] == world["online"][answers]
    assert world["connections"] == 0


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no adapter", "the hub has no model 'someone/nothing'"),
        ("no commit", f"the hub has no model 'someone/adapter' at revision {'9' * 40}"),
        ("no base", "needs its base model, 'someone/lost': the hub has no model 'someone/lost'"),
        ("no weights", "model 'someone/empty' at revision main has no weights"),
    ],
)
def test_what_the_hub_does_not_have_is_one_line(fault, message, world):
    (line,) = world["online"][fault].strip().splitlines()
    assert message in line


def test_a_base_that_is_not_in_the_cache_is_one_line_offline(world):
    (line,) = world["offline"]["lost"].strip().splitlines()
    assert "needs its base model, 'someone/lost'" in line and "--offline" in line
