"""Checkpoints that somebody has: ranked where they are, without a training, by what they are and not by their names."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from cogbench_backbones.huggingface import HuggingFace
from cogbench_backbones.pretrained import Pretrained
from cogbench_transferability.logme import logme
from numpy.testing import assert_allclose

from cogbench import (
    Files,
    GivenCheckpoint,
    MissingData,
    Recipe,
    Store,
    UnknownName,
    UnusableData,
    load_parts,
    measure_oracle,
    recommend,
    run,
)
from cogbench.checkpoints.naming import find_checkpoints
from cogbench.cli.main import cli
from cogbench.compute.cells import GivenTraining, Training
from cogbench.compute.evidence import Similarity
from cogbench.compute.transfers import TransferPlan, trainings
from cogbench.compute.workspace import Workspace
from cogbench.errors import FailedCells
from cogbench.views.rows import recommendation_rows

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from model_zoo import ZOO

FILES = Files(offline=True)
TARGET = "mini-rte"
SOURCES = {"mini-mnli": "mini-mnli", "mini-sst-2": "mini-sst-2", "mini-conll-2003": "mini-conll-2003"}
FEW = {name: f"{name}.features.examples=40" for name in ("logme", "knn", "esm-logme", "leep")}


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A tiny BERT, three models of it with heads for three tasks, and a GPT-2 with a head for a fourth."""
    place = tmp_path_factory.mktemp("checkpoints")
    ZOO["bert"].save(place / "base")
    ZOO["gpt2"].save(place / "gpt2-base")
    for number, (name, task) in enumerate([*SOURCES.items(), ("of-gpt2", "mini-qnli")]):
        base = Pretrained(place / ("gpt2-base" if name == "of-gpt2" else "base"))
        data = load_parts().tasks[task].load("train", FILES)
        model = base.with_head(data.kind, data.labels, seed=number)
        for weight in model.parameters():  # as if it had been trained
            weight.data += 0.02 * np.random.default_rng(number).normal() * weight.data
        model.save_pretrained(place / name)
        base.tokenizer.save_pretrained(place / name)
    return place


@pytest.fixture
def table(folders):
    """The csv file of the three of BERT, beside them."""
    path = folders / "bert.csv"
    path.write_text("name,model\n" + "".join(f"{name},{name}\n" for name in SOURCES))
    return path


@pytest.fixture
def rows(tmp_path):
    """A target of one's own."""
    data = load_parts().tasks["mini-cola"].load("train", FILES)
    path = tmp_path / "target.csv"
    label = [data.labels[i] for i in data.columns["label"][:60]]
    lines = [json.dumps({"text": t, "label": y}) for t, y in zip(data.columns["text"][:60], label, strict=True)]
    path.with_suffix(".jsonl").write_text("\n".join(lines))
    return path.with_suffix(".jsonl")


def trained_cells(store):
    return [
        place
        for place in Path(store).rglob("cell.json")
        if json.loads(place.read_text())["ingredients"]["cell"] == "Training"
    ]


def test_recommend_ranks_checkpoints_for_a_table_without_a_training(folders, table, rows, tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))
    options = ["--offline", "--jobs", "0", "-k", "9", "--json"]
    of_gpt2 = ["--checkpoint", f"of-gpt2={folders / 'of-gpt2'}"]
    named = ["--target", str(rows), "--kind", "classification", "--checkpoints", str(table), *of_gpt2]
    for estimator in ("logme", "knn"):
        ran = CliRunner().invoke(
            cli, ["recommend", *named, "--estimator", estimator, "--set", FEW[estimator], *options]
        )
        assert ran.exit_code == 0, ran.output
        answer = json.loads(ran.stdout)
        assert {*answer["ranking"]} == {*SOURCES, "of-gpt2"} and len(answer["similarity"]) == 4
        assert answer["learned"]["mini-mnli"] is not None  # an installed task of that name
        assert any("2 bases" in note for note in answer["notes"])
    assert not trained_cells(tmp_path / "home")
    # The same by hand: first tokens of transformers' own models, and the published formula on them.
    import torch
    import transformers

    data = find_rows(rows)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders / "mini-mnli")
    model = transformers.AutoModel.from_pretrained(folders / "mini-mnli").eval()
    with torch.inference_mode():
        states = [
            model(**tokenizer(t, return_tensors="pt")).last_hidden_state[0, 0].numpy() for t in data.columns["text"]
        ]
    value = logme(np.array(states, np.float64), np.asarray(data.columns["label"]), True, "include")
    of_all = recommend(
        rows, "logme", kind="classification", checkpoints=table, files=FILES, jobs=0, k=9, store=Store(tmp_path / "s")
    )
    assert_allclose(of_all.similarity["mini-mnli"], value, rtol=1e-4)


def find_rows(path):
    from cogbench import TableTask

    return TableTask("rows", str(path), "classification").load("train", FILES)


def test_checkpoints_rank_as_the_trainings_of_the_store_that_they_are(folders, tmp_path):
    parts, store = load_parts(), Store(tmp_path / "store")
    backbone = HuggingFace("tiny", str(folders / "base"), epochs=1, min_steps=1, max_length=32)
    tasks = [parts.tasks[name] for name in SOURCES]
    how = {"tasks": tasks, "files": FILES, "jobs": 0, "max_train": 40, "signal": "mini", "stimuli": "mini"}
    estimators = ["logme", "esm-logme", "leep", "cra", "least-learned"]
    how |= {"set": [FEW["logme"], FEW["esm-logme"], FEW["leep"]], "suite": "mini"}
    workspace = Workspace(FILES, store, parts)
    of_store = run(estimators, backbone, store=store, **how)
    given = {}
    for task in tasks:
        cell = trainings(backbone, [task], 0, 40)[task.name, task.name]
        given[task.name] = str(cell.checkpoint(workspace).folder)
    elsewhere = Store(tmp_path / "elsewhere")
    of_folders = run(estimators, backbone, checkpoints=given, store=elsewhere, **how)
    for one, other in zip(of_store, of_folders, strict=True):
        assert_allclose(
            np.array(other.similarity, float), np.array(one.similarity, float), rtol=2e-4, err_msg=one.estimator
        )
        assert {n: round(t.value, 6) for n, t in other.tasks.items()} == {
            n: round(t.value, 6) for n, t in one.tasks.items()
        }
    assert not trained_cells(tmp_path / "elsewhere")
    assert {*of_folders[0].provenance.checkpoints} == {*SOURCES}
    assert of_folders[0].file_name != of_store[0].file_name


def test_a_checkpoint_is_known_by_its_files_and_not_by_its_place(folders, tmp_path):
    parts, store = load_parts(), Store(tmp_path / "store")

    def key(folder):
        (given,) = find_checkpoints(parts, {"mini-mnli": folder}, FILES)
        return Workspace(FILES, store, parts).key(GivenTraining(given))

    first = key(folders / "mini-mnli")
    moved = Path(shutil.copytree(folders / "mini-mnli", tmp_path / "moved"))
    assert key(moved) == first
    assert not [*Path(store.root).rglob("*.safetensors")]  # never copied
    (moved / "tokenizer_config.json").write_text((moved / "tokenizer_config.json").read_text() + " ")
    assert key(moved) != first


def test_classes_are_matched_by_their_names(folders, tmp_path):
    folder = Path(shutil.copytree(folders / "mini-mnli", tmp_path / "other-order"))
    data = load_parts().tasks["mini-mnli"].load("evaluation", FILES).sample(30)
    plain = HuggingFace("x", str(folder)).answer(data, FILES)
    from safetensors.torch import load_file, save_file

    config, weights = json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors")
    order = [2, 0, 1]
    names = [config["id2label"][str(i)] for i in order]
    config |= {
        "id2label": {str(i): n.upper() for i, n in enumerate(names)},
        "label2id": {n.upper(): i for i, n in enumerate(names)},
    }
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name][order].contiguous()
    (folder / "config.json").write_text(json.dumps(config))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert_allclose(HuggingFace("y", str(folder)).answer(data, FILES), plain, atol=1e-5)
    config["id2label"]["0"] = "something else"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnusableData, match="the classes of its head are .*something else"):
        Pretrained(folder).columns_of("classification", data.labels)


def test_an_oracle_of_checkpoints_is_trained_from_their_bodies(folders, table, tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))
    few = {"train_rows": 24, "evaluation_rows": 60}
    tasks = [replace(load_parts().tasks[name], **few) for name in (TARGET, "mini-cola")]
    base = HuggingFace("tiny", str(folders / "base"), epochs=1, min_steps=1, max_length=32)
    given = [
        replace(one, backbone=replace(one.backbone, epochs=1, min_steps=1, max_length=32))
        for one in find_checkpoints(load_parts(), table, FILES)
    ]
    how = {
        "suite": "mini",
        "tasks": tasks,
        "max_train": 20,
        "files": FILES,
        "jobs": 0,
        "checkpoints": given,
    }
    oracle = measure_oracle(base, name="of-checkpoints", **how)
    assert oracle.transfers.sources == tuple(SOURCES) and oracle.transfers.targets == ("mini-cola", TARGET)
    workspace, task = Workspace(FILES, Store(tmp_path / "home"), load_parts()), tasks[0]
    by_hand = Training(given[0].backbone, Recipe((task,), max_train=20)).score(workspace).value
    assert oracle.transfers.values[0, 1] == by_hand
    alone = Training(base, Recipe((task,), max_train=20)).score(workspace).value
    assert oracle.no_transfer[1] == alone
    both = measure_oracle(base, name="of-checkpoints", seeds="1", **how)
    assert both.seeds == (0, 1) and both.no_transfer_by_seed.shape == (2, 2)
    assert_allclose(both.no_transfer, both.no_transfer_by_seed.mean(axis=0))
    assert both.no_transfer_by_seed[0, 1] == pytest.approx(alone, abs=1e-6)
    (result,) = run(
        "logme",
        checkpoints=given,
        oracle="of-checkpoints",
        suite="mini",
        tasks=how["tasks"],
        set=FEW["logme"],
        files=FILES,
        jobs=0,
    )
    assert result.scores.trs.value is not None and {*result.oracle_ranks[TARGET]} == {*SOURCES}
    recommendation = recommend(
        TARGET,
        "logme",
        base,
        checkpoints=given,
        set=FEW["logme"],
        apply=True,
        k=1,
        suite="mini",
        max_train=20,
        files=FILES,
        jobs=0,
    )
    (gain,) = recommendation.gains
    row = oracle.transfers.sources.index(gain.source)
    assert gain.value == oracle.transfers.values[row, 1] and gain.no_transfer == alone


def refusal(**how):
    with pytest.raises((UnusableData, UnknownName, MissingData, FailedCells)) as error:
        recommend(TARGET, **{"estimator": "logme", "files": FILES, "jobs": 0, "suite": "mini", **how})
    (line,) = str(error.value).splitlines()
    return line


def test_what_checkpoints_cannot_serve_is_refused_in_one_line(folders, table, tmp_path):
    two = {"a": folders / "mini-sst-2", "b": folders / "mini-conll-2003"}
    mixed = {"a": folders / "mini-sst-2", "b": folders / "of-gpt2"}
    assert "name it with --backbone" in refusal(checkpoints=two, estimator="esm-logme")
    assert "name it with --backbone" in refusal(checkpoints=two, estimator="cra")
    base = str(folders / "base")
    for estimator in ("dse", "taskemb"):
        assert "of 2 bases" in refusal(checkpoints=mixed, estimator=estimator, backbone=base, max_train=20)
    line = refusal(checkpoints=two, estimator="esm-logme", backbone=base)
    assert "checkpoint 'a' has no examples of its own task" in line and "--checkpoint-data a=FILE" in line
    assert "at least two" in refusal(checkpoints={"a": folders / "mini-sst-2"})
    assert "both called 'mini-rte'" in refusal(checkpoints={**two, TARGET: folders / "mini-sst-2"})
    assert "gains are over training it alone" in refusal(checkpoints=two, apply=True)
    assert "with --backbone" in refusal()
    assert "no folder 'nowhere'" in refusal(checkpoints={**two, "c": "nowhere"})
    assert "several checkpoints are called 'a'" in refusal(checkpoints=[two, f"a={base}"])
    assert "unknown checkpoint 'z'" in refusal(checkpoints=two, checkpoint_data={"z": "x.csv"})
    assert "not of the form NAME=FOLDER_OR_HUB_ID" in refusal(checkpoints=["mini-sst-2"])


def test_the_name_of_a_checkpoint_that_means_nothing_is_one_line(folders, monkeypatch):
    parts, folder = load_parts(), str(folders / "mini-sst-2")
    for named, says in (
        (f"a={folder}@0a1b", "is not read from the hub, so it has no revisions: leave '0a1b' out"),
        ("a=minilm-2l@0a1b", "is not read from the hub, so it has no revisions"),
        ("a=@0a1b", "not of the form NAME=FOLDER_OR_HUB_ID"),
        ("a=someone/model@", "not of the form NAME=FOLDER_OR_HUB_ID"),
        ("a=here/and/there", "checkpoint 'a': no folder 'here/and/there'; a model is a folder, a hub id"),
        (f"a={folder}/config.json", "checkpoint 'a': it is a file, not a folder"),
        (None, "checkpoints are texts NAME="),
        (7, "checkpoints are texts NAME="),
    ):
        with pytest.raises((UnusableData, MissingData), match=says) as error:
            find_checkpoints(parts, named, FILES)
        assert "\n" not in str(error.value)
    with pytest.raises(MissingData, match="^checkpoint 'a': no file 'x.csv' of its examples"):
        find_checkpoints(parts, {"a": folder}, FILES, data={"a": "x.csv"})
    monkeypatch.setenv("HOME", str(folders))
    for named in (f"{'long ' * 99}={folder}", "a=~/mini-sst-2", {7: folder}):
        (given,) = find_checkpoints(parts, named, FILES)
        assert given.kind == "classification"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model\nbase\n", "it has no column name"),
        ("name,model,weight\na,base,1\n", "unknown column of checkpoints 'weight'"),
        ("name,model\n", "it has no rows|no rows"),
        ("name,model\na,base\n,base\n", "line 3: a checkpoint needs a name and a model"),
        ("name,model,kind\na,base,clasification\nb,base,\n", "unknown kind of task 'clasification'"),
        ("name,model,task\na,base,mini-nli\nb,base,\n", "unknown task 'mini-nli'"),
        (
            "name,model,task\na,mini-mnli,mini-conll-2003\nb,base,\n",
            "its head is one of classification, and task 'mini-conll-2003' is tagging",
        ),
        ("name,model,kind\na,mini-mnli,tagging\nb,base,\n", "its head is one of classification, not of tagging"),
    ],
)
def test_a_table_of_checkpoints_that_cannot_be_read_says_why(folders, text, message):
    path = folders / "wrong.csv"
    path.write_text(text)
    with pytest.raises((UnusableData, UnknownName), match=message):
        find_checkpoints(load_parts(), path, FILES)


def test_a_checkpoint_whose_weights_are_missing_is_refused(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(folders / "mini-mnli", tmp_path / "headless"))
    weights = load_file(folder / "model.safetensors")
    save_file(
        {n: w for n, w in weights.items() if not n.startswith("classifier")},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(UnusableData, match="its weights lack 2 tensors of BertForSequenceClassification"):
        Pretrained(folder).whole()


def test_the_kind_of_a_checkpoint_is_read_off_its_head(folders):
    given = find_checkpoints(
        load_parts(), {"a": folders / "mini-conll-2003", "b": folders / "base", "c": folders / "of-gpt2"}, FILES
    )
    assert [one.kind for one in given] == ["tagging", "encoder", "classification"]
    assert isinstance(given[0], GivenCheckpoint) and given[0].data is None


def test_a_body_alone_is_no_classifier_whatever_its_name_says(folders, tmp_path):
    folder = Path(shutil.copytree(folders / "base", tmp_path / "body"))
    config = json.loads((folder / "config.json").read_text())
    config.pop("architectures")
    (folder / "config.json").write_text(json.dumps(config))
    (given,) = find_checkpoints(load_parts(), {"mini-sst-2": folder}, FILES)
    assert (given.kind, given.data.name) == ("encoder", "mini-sst-2")  # it has the task's examples, and no head
    two = {"mini-sst-2": folder, "b": folders / "mini-mnli"}
    ranked = recommend(TARGET, "logme", checkpoints=two, set=FEW["logme"], suite="mini", files=FILES, jobs=0)
    assert {*ranked.ranking} == {*two} and ranked.learned["mini-sst-2"] is None
    assert {row["source"]: row["learned"] for row in recommendation_rows(ranked)}["mini-sst-2"] == "not known"


def test_a_sequence_classifier_may_be_one_of_relations(folders):
    table = folders / "relation.csv"
    table.write_text("name,model,kind\na,mini-mnli,relation\n")
    (given,) = find_checkpoints(load_parts(), table, FILES)
    assert given.kind == "relation"


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2"])
def test_a_decoder_without_a_padding_token_answers_as_it_does_alone(name, tmp_path):
    import torch
    import transformers

    ZOO[name].save(tmp_path / "base")
    auto = transformers.AutoModelForSequenceClassification
    auto.from_pretrained(tmp_path / "base", num_labels=3).save_pretrained(tmp_path / "own")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "own")
    assert transformers.AutoConfig.from_pretrained(tmp_path / "own").pad_token_id is None
    model, data = auto.from_pretrained(tmp_path / "own").eval(), load_parts().tasks["mini-mnli"].load("train", FILES)
    some, pairs = data.sample(12), []
    with torch.inference_mode():
        for text, pair in zip(some.columns["text"], some.columns["text_pair"], strict=True):
            inputs = tokenizer(text, pair, return_tensors="pt")
            pairs.append(model(**{n: v for n, v in inputs.items() if n in tokenizer.model_input_names}).logits[0])
    two = {"mini-mnli": tmp_path / "own", "other": tmp_path / "own"}
    given, _ = find_checkpoints(load_parts(), two, FILES)
    assert_allclose(given.backbone.answer(some, FILES), torch.stack(pairs), atol=1e-5)
    ranked = recommend(TARGET, "leep", checkpoints=two, set=FEW["leep"], suite="mini", files=FILES, jobs=0)
    assert {*ranked.ranking} == {*two}


def test_a_folder_that_does_not_say_its_head_is_compared_by_its_body(folders, tmp_path):
    folder = Path(shutil.copytree(folders / "base", tmp_path / "body"))
    config = json.loads((folder / "config.json").read_text())
    config.pop("architectures")
    (folder / "config.json").write_text(json.dumps(config))
    (given,) = find_checkpoints(load_parts(), {"a": folder}, FILES)
    checkpoint, texts = (
        GivenTraining(given).checkpoint(Workspace(FILES, Store(tmp_path / "s"), load_parts())),
        ("a", "b"),
    )
    bare = given.backbone.represent(None, texts, FILES)
    assert_allclose(given.backbone.represent(checkpoint, texts, FILES), bare)
    weights = given.backbone.model(checkpoint, FILES).state_dict()
    assert {*weights} == {*given.backbone.model(None, FILES).state_dict()}


def test_what_cannot_be_read_or_pooled_is_told_before_any_work(folders, tmp_path):
    ZOO["more-tokens-than-embeddings"].save(tmp_path / "tokens")
    two = {"a": folders / "mini-sst-2", "b": folders / "of-gpt2"}
    line = refusal(checkpoints={**two, "c": tmp_path / "tokens"})
    assert "checkpoint 'c': its tokenizer numbers tokens up to 599, and the model embeds 500" in line
    line = refusal(checkpoints=two, set="logme.features.pooling=cls")
    assert "is a causal model, whose first token sees nothing of a text: take pooling=last" in line
    with pytest.raises(UnusableData, match="is a causal model"):
        run("logme", checkpoints=two, set="logme.features.pooling=cls", suite="mini", files=FILES, jobs=0)


@pytest.mark.parametrize("options", [{"size": "tiny"}, {"tuning": "lora", "lora_rank": 2}, {"learning_rate": 7e-3}])
def test_transfers_from_checkpoints_are_trained_as_the_target_alone(options, folders, table, tmp_path):
    base = HuggingFace("tiny", str(folders / "base"), **options)
    given, workspace = find_checkpoints(load_parts(), table, FILES), Workspace(FILES, Store(tmp_path), load_parts())
    target = load_parts().tasks[TARGET]
    plan = TransferPlan(backbone=base, tasks=(target,), suite="mini", max_train=20, checkpoints=given)
    cells = plan.trainings(0)
    cell = Similarity(load_parts().estimators["logme"], base, (*given, target), None, 0, 20, targets=(target,))
    tried = [cell.transfer(one, target) for one in given]
    assert len(cells) == 4 and tried == [cells[one.name, TARGET] for one in given]
    settings = {cell.filled(workspace).settings for cell in cells.values()}
    assert settings == {base.settings("classification", 20)}
    for one in given:
        backbone = cells[one.name, TARGET].backbone
        assert backbone.address == one.backbone.address and backbone.pooling == one.backbone.pooling
        assert {name: getattr(backbone, name) for name in options} == options


def test_a_checkpoint_that_cannot_learn_a_target_is_told_before_its_oracle_is_measured(folders, tmp_path):
    ZOO["opt"].save(tmp_path / "opt")
    how = {"checkpoints": {"a": tmp_path / "opt", "b": folders / "mini-sst-2"}, "suite": "mini", "oracle": "measured"}
    with pytest.raises(UnusableData, match="backbone 'opt' cannot learn mini-conll-2003: transformers has no head"):
        run("logme", str(folders / "base"), tasks=f"{TARGET},mini-conll-2003", files=FILES, jobs=0, **how)
