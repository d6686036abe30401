"""The paper's data and models from the hub, then from the cache alone; and a run that opens no way to the outside.

The real clients ask the stand-in, in processes of their own. Starting one takes seconds, so all questions to one
machine are asked at once, and the tests read its answers.
"""

import ast
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hub import Closing, Hub, Machine
from repositories import (
    BERT_COMMIT,
    MARCO_COMMIT,
    N_EVALUATION,
    N_TRAIN,
    SEMEVAL,
    SEMEVAL_COMMIT,
    SQUAD_COMMIT,
    TAGS,
    TINYBERT,
    TINYBERT_4L,
    bert_files,
    conll_columns,
    conll_files,
    marco_columns,
    semeval_files,
    squad_columns,
)

from cogbench.data.hub import remembered

COGBENCH = str(Path(sys.executable).with_name("cogbench"))
LATER = "6" * 40  # a second commit of the repository that nobody pins

PREAMBLE = """
from dataclasses import replace
from cogbench import CogbenchError, Files, load_parts
from cogbench.testing import check_backbone, check_task

parts = load_parts()
paper = [parts.tasks[name] for name in parts.suites["cogtaskonomy"].tasks]
tasks = {t.name: t for t in [*paper, replace(parts.tasks["ms-marco"], name="ms-marco-v2.1", version="v2.1")]}
backbones = {n: b for n, b in parts.backbones.items() if n.startswith(("bert", "tinybert"))}

def ask(name, question):
    try:
        answers[name] = question()
    except CogbenchError as error:
        answers[name] = f"{type(error).__name__}: {error}"
    except Exception as error:
        answers[name] = f"not foreseen: {type(error).__name__}: {error}"

def read(task, **files):
    both = [task.load(split, Files(**files)) for split in ("train", "evaluation")]
    return {"rows": [len(d) for d in both], "sha256": [d.sha256 for d in both], "origin": vars(both[0].origin)}

def column(task, name, split="train"):
    return list(tasks[task].load(split, Files()).columns[name])

def hub(hub_id, split="train", **more):
    found = Files().dataset("own", hub_id, split, **more)
    return [list(found.columns), found.origin.revision]

def read_all(**files):
    for task in tasks.values():
        ask(f"read {task.name}", lambda: read(task, **files))
    for name, backbone in backbones.items():
        ask(f"bare {name}", lambda: backbone.represent(None, ("the red boat", "a house"), Files(**files)).tolist())
"""
ONLINE = f"""
read_all()
for name, task in tasks.items():
    ask(f"check {{name}}", lambda: check_task(task))
for name, backbone in backbones.items():
    ask(f"check {{name}}", lambda: check_backbone(backbone))
for task, name in (("squad-v2", "label"), ("conll-2003", "tokens"), ("ms-marco", "passages"), ("ms-marco", "label")):
    ask(f"{{task}} {{name}}", lambda: column(task, name))
ask("norm", lambda: parts.backbones["bert"].model(None, Files()).embeddings.LayerNorm.weight.tolist())
conll = lambda **more: Files().dataset("own", "someone/conll", "train", **more)
ask("other order", lambda: conll().of("ner_tags", classes={{"ner_tags": {tuple(TAGS)!r}}}))
ask("other columns", lambda: conll().of("tokens", "tags"))
ask("no branch", lambda: conll(revision="nope"))
ask("no commit", lambda: conll(revision="0" * 40))
ask("no repository", lambda: hub("someone/nothing"))
ask("no branch of nothing", lambda: hub("someone/nothing", revision="nope"))
ask("no namespace", lambda: hub("conll2003"))
ask("a script", lambda: hub("someone/script"))
ask("an empty split", lambda: hub("someone/empty"))
ask("a model without tokenizer", lambda: Files().model("someone/mute"))
ask("weights that are code", lambda: parts.find("backbone", "someone/code").model(None, Files()) and "loaded")
"""


@pytest.fixture(scope="module")
def world(hub_folder, tmp_path_factory):
    """What a machine gets from the hub; again once a branch has moved; and without the hub, from its own cache."""
    folder = tmp_path_factory.mktemp("world")
    root = shutil.copytree(hub_folder, folder / "hub")
    with Hub(root) as hub, Machine(hub.environment(folder / "home"), folder, PREAMBLE) as machine:
        hub.add("datasets", "someone/conll", "1" * 40, conll_files(tags=[*TAGS[:1], *TAGS[3:], *TAGS[1:3]]))
        hub.add("datasets", "someone/script", "2" * 40, {"script.py": "raise SystemExit", "README.md": "# A script\n"})
        hub.add("datasets", "someone/empty", "3" * 40, semeval_files(n=0))
        hub.add("models", "someone/mute", "4" * 40, {"config.json": "{}", "model.safetensors": b"weights"})
        hub.add("models", "someone/code", "5" * 40, _code(folder / "ran"))
        online = machine.ask(ONLINE)
        asked = len(hub.requests)
        hub.add("datasets", SEMEVAL, LATER, semeval_files(" of the second edition"))
        moved = machine.ask("read_all()")
        again = hub.requests[asked:]
        hub.stop()
        with Closing(hub.port) as dead:
            offline = machine.ask("read_all(offline=True)")
            forbidden = dead.connections
            silent = machine.ask("read_all()")
            probes = dead.connections - forbidden
    return {
        "online": online,
        "moved": moved,
        "offline": offline,
        "silent": silent,
        "connections": (forbidden, probes),
        "requests": hub.requests[:asked],
        "again": again,
        "ran": (folder / "ran").exists(),
    }


def _code(folder):
    """A model whose weights make a folder if they are unpickled."""

    class Code:
        def __reduce__(self):
            return os.mkdir, (str(folder),)

    return {**bert_files(weights="bin"), "pytorch_model.bin": pickle.dumps(Code(), protocol=2)}


def test_every_task_and_backbone_of_the_paper_keeps_its_promises_on_the_hubs_files(world):
    verdicts = {name: verdict for name, verdict in world["online"].items() if name.startswith("check ")}
    assert len(verdicts) >= 13 + 3 and {"check bert", "check ms-marco-v2.1"} <= {*verdicts}
    assert any(name.startswith("check tinybert-4l") for name in verdicts)
    assert verdicts == dict.fromkeys(verdicts)


def test_the_files_of_the_real_layout_are_read_as_they_are(world):
    online = world["online"]
    assert [online[f"read {t}"]["rows"] for t in ("mnli", "sts-b", "squad-v2", "conll-2003", "semeval-2010-8")] == [
        [N_TRAIN, N_EVALUATION]
    ] * 5
    assert online["read ms-marco"]["rows"] == online["read ms-marco-v2.1"]["rows"] == [N_TRAIN - 1, N_EVALUATION]
    assert online["squad-v2 label"] == squad_columns("train", N_TRAIN)["answers"]
    assert online["conll-2003 tokens"] == conll_columns("train", N_TRAIN)["tokens"]
    queries = marco_columns("train", N_TRAIN)["passages"][:-1]
    assert online["ms-marco passages"] == [q["passage_text"] for q in queries]
    assert online["ms-marco label"] == [q["is_selected"] for q in queries]


def test_sources_name_the_commit_be_it_pinned_or_looked_up(world):
    source = {name: world["online"][f"read {name}"]["origin"] for name in ("squad-v2", "ms-marco", "semeval-2010-8")}
    assert [s["revision"] for s in source.values()] == [SQUAD_COMMIT, MARCO_COMMIT, SEMEVAL_COMMIT]
    assert source["semeval-2010-8"]["id"] == SEMEVAL


def test_a_branch_is_looked_up_once_and_a_commit_never(world):
    looked_up = [r for r in world["requests"] if r.endswith("/revision/main") and "someone" not in r]
    assert looked_up == [f"GET /api/datasets/{SEMEVAL}/revision/main"]


def test_a_branch_that_has_moved_is_read_anew_and_nothing_else_is_asked_for(world):
    before, after = (world[when]["read semeval-2010-8"] for when in ("online", "moved"))
    assert after["origin"]["revision"] == LATER and after["sha256"] != before["sha256"]
    assert {name: answer for name, answer in world["moved"].items() if "semeval" not in name} == {
        name: answer for name, answer in world["online"].items() if name in world["moved"] and "semeval" not in name
    }
    assert all(SEMEVAL in request or request == "HEAD /" for request in world["again"]), world["again"]


def test_without_the_hub_all_of_it_comes_from_the_cache(world):
    assert world["offline"] == world["moved"] and world["silent"] == world["moved"]
    assert world["connections"] == (0, 1)


def test_tinybert_comes_as_pickled_weights_that_run_no_code(world):
    for hub_id in (TINYBERT, TINYBERT_4L):
        assert [r for r in world["requests"] if hub_id in r and r.endswith("pytorch_model.bin")]
    for name in (n for n in world["online"] if n.startswith("bare ")):
        found = np.array(world["online"][name])
        assert np.isfinite(found).all() and found.shape == (2, 32 if name == "bare bert" else 24)
        assert not np.allclose(*found)
    assert (
        "its .bin file holds something else than weights" in world["online"]["weights that are code"]
        and not world["ran"]
    )


def test_old_names_of_weights_are_understood(world):
    assert np.allclose(world["online"]["norm"], 0.9)


@pytest.mark.parametrize(
    "what, says",
    [
        ("other order", "UnusableData: task 'own' (train) states the classes of ner_tags as O, B-ORG, I-ORG"),
        (
            "other columns",
            "UnusableData: 'someone/conll' lacks column tags; it has id, tokens, pos_tags, chunk_tags, ner",
        ),
        ("no branch", "MissingData: the hub has no data set 'someone/conll' at revision nope."),
        ("no commit", f"Revision '{'0' * 40}' doesn't exist for dataset 'someone/conll'"),
        ("no repository", "MissingData: the hub has no data set 'someone/nothing' at revision main."),
        ("no branch of nothing", "MissingData: the hub has no data set 'someone/nothing' at revision nope."),
        ("no namespace", "MissingData: data of task 'own': 'conll2003' is no hub id of the form namespace/name."),
        ("a script", "Dataset scripts are no longer supported"),
        (
            "an empty split",
            "UnusableData: someone/empty: split 'train' for task 'own' has no rows.",
        ),
        (
            "a model without tokenizer",
            "MissingData: model 'someone/mute' at revision main has no tokenizer (tokenizer_",
        ),
    ],
)
def test_what_the_hub_has_wrong_is_one_clear_line(world, what, says):
    message = world["online"][what]
    assert says in message and "\n" not in message


# A run without the hub: each Python process that it starts writes down what it connects to, and what it looks up.
WATCH = """
import os, sys

def watch(event, args, log=os.environ["WATCHED"]):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        place = args[0:2] if event == "socket.getaddrinfo" else args[-1]
    elif event == "import" and args[0] == "transformers":
        place = "transformers"
    else:
        return
    with open(log, "a") as file:
        file.write(f"{os.getpid()} {event} {place!r}\\n")

sys.addaudithook(watch)
"""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _watched(env, folder):
    """Return the environment, such that each Python process writes into a file what it opens; and that file."""
    (folder / "watch").mkdir()
    (folder / "watch" / "sitecustomize.py").write_text(WATCH)
    return {**env, "PYTHONPATH": str(folder / "watch"), "WATCHED": str(folder / "opened")}, folder / "opened"


def _outside(log, port):
    """Return what was opened or looked up, but for what the workers of one machine say to each other."""
    lines = [line.split(" ", 2) for line in log.read_text().splitlines()]
    opened = [(event, ast.literal_eval(place)) for _, event, place in lines if event != "import"]
    return [(e, at) for e, at in opened if isinstance(at, tuple) and (at[0] not in LOOPBACK or at[1] == port)]


@pytest.fixture(scope="module")
def journey(hub_folder, tmp_path_factory):
    """What `fetch` says; and then, without the hub, what a run says and opens."""
    folder = tmp_path_factory.mktemp("journey")
    rows = "".join(
        f"the {w} boat is like a house {i},{i % 3 + 0.5}\n" for i, w in enumerate("red blue green".split() * 4)
    )
    (folder / "signal.csv").write_text(f"sentence,value\n{rows}")
    tasks, backbones = "rte,semeval-2010-8,conll-2003", ["tinybert-4l-plain", "bert"]
    needs = ["--tasks", tasks, *(w for b in backbones for w in ("--backbone", b)), "--signal", "signal.csv"]
    few = [w for option in ("epochs=1", "min_steps=1") for w in ("--set", f"bert.{option}")]
    run = ["run", "--estimator", "dse", "--backbone", "bert", *needs[:2], *needs[-2:], *few, "--format", "json"]
    with Hub(hub_folder) as hub:
        env, log = _watched(hub.environment(folder / "home"), folder)

        def cogbench(*words):
            return subprocess.run([COGBENCH, *words], env=env, cwd=folder, capture_output=True, text=True, timeout=200)

        said = {"fetch": cogbench("fetch", *needs, "--json"), "fetched": _outside(log, hub.port)}
    log.unlink()
    said["run"] = cogbench(*run, "--offline", "--jobs", "1")
    said["processes"] = {line.split()[0] for line in log.read_text().splitlines() if "transformers" in line}
    said["opened"] = _outside(log, hub.port)
    return said


def test_fetch_says_what_came_from_where_and_under_which_licence(journey):
    done = journey["fetch"]
    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    assert [*rows] == [
        "task rte",
        "task semeval-2010-8",
        "task conll-2003",
        "backbone tinybert-4l-plain",
        "backbone bert",
        "signal signal",
    ]
    assert [row["state"] for row in rows.values()] == ["fetched"] * 5 + ["local"]
    semeval, bert = rows["task semeval-2010-8"], rows["backbone bert"]
    assert (semeval["id"], semeval["revision"], semeval["licence"]) == (SEMEVAL, SEMEVAL_COMMIT, "CC BY 3.0")
    assert (bert["revision"], bert["licence"]) == (BERT_COMMIT, "apache-2.0")
    assert rows["backbone tinybert-4l-plain"]["licence"] == ""  # its card states none
    assert all(row["bytes"] > 100 and row["folder"] and not row["error"] for row in rows.values())
    assert "cogbench: task rte (1 of 6) …" in done.stderr


def test_after_fetch_a_run_works_offline(journey):
    done = journey["run"]
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["provenance"]["data"]["semeval-2010-8"]["revision"] == SEMEVAL_COMMIT
    assert result["provenance"]["model"]["revision"] == BERT_COMMIT


def test_an_offline_run_opens_nothing_but_its_own_workers_ports(journey):
    assert journey["opened"] == []
    assert len(journey["processes"]) >= 2  # the worker was watched too
    assert journey["fetched"]  # and a way to the hub would have been seen


def test_without_refs_the_newest_prepared_commit_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert remembered(SEMEVAL, None, "train", "main") is None
    for i, commit in enumerate((LATER, SEMEVAL_COMMIT, "7" * 40, "8" * 40)):
        folder = tmp_path / "datasets" / SEMEVAL.replace("/", "___") / "default" / "0.0.0" / commit
        folder.mkdir(parents=True)
        (folder / f"sem_eval_2010_task_8-{'test' if commit[0] == '8' else 'train'}.arrow").touch()
        os.utime(folder, (i, 10 if commit == SEMEVAL_COMMIT else i))
    (tmp_path / "datasets" / SEMEVAL.replace("/", "___") / "default" / "0.0.0" / f"{LATER}.incomplete").mkdir()
    assert remembered(SEMEVAL, None, "train", "main") == SEMEVAL_COMMIT
    refs = tmp_path / "hub" / f"datasets--{SEMEVAL.replace('/', '--')}" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("9" * 40)  # seen on the hub, but not prepared
    assert remembered(SEMEVAL, None, "train", "main") == SEMEVAL_COMMIT
    (refs / "main").write_text(LATER)
    assert remembered(SEMEVAL, None, "train", "main") == LATER
