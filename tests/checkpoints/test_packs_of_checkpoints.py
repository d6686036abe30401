"""Packs of checkpoints: they rank the sources without weights, for targets of the pack and for others."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from click.testing import CliRunner
from cogbench_backbones.pretrained import Pretrained
from numpy.testing import assert_allclose

from cogbench import (
    FailedCells,
    Files,
    MissingData,
    Pack,
    Store,
    TableTask,
    UnusableData,
    load_parts,
    make_pack,
    measure_oracle,
    recommend,
    run,
)
from cogbench.checkpoints.naming import find_checkpoints
from cogbench.cli.main import cli
from cogbench.packs.pack import CARD
from cogbench.testing import check_pack

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from model_zoo import ZOO

FILES = Files(offline=True)
TARGETS = "mini-rte,mini-cola"
SOURCES = {"news": "mini-mnli", "reviews": "mini-sst-2", "names": "mini-conll-2003", "mini-rte": "mini-rte"}
FEW = [f"{name}.features.examples=40" for name in ("logme", "knn", "esm-logme")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A tiny BERT, four models of it that count as trained, their table, and a GPT-2 of another base."""
    place = tmp_path_factory.mktemp("zoo")
    ZOO["bert"].save(place / "base")
    ZOO["gpt2"].save(place / "gpt2")
    base = Pretrained(place / "base")
    for number, (name, task) in enumerate(SOURCES.items()):
        data = load_parts().tasks[task].load("train", FILES)
        model = base.with_head(data.kind, data.labels, seed=number)
        draws = np.random.default_rng(number)
        for weight in model.parameters():  # as if it had been trained
            weight.data += weight.data.new_tensor(0.05 * draws.normal(size=weight.shape))
        model.save_pretrained(place / name)
        base.tokenizer.save_pretrained(place / name)
    rows = "".join(f"{name},{name},{task}\n" for name, task in SOURCES.items())
    (place / "zoo.csv").write_text(f"name,model,task\n{rows}")
    data = load_parts().tasks["mini-cola"].load("train", FILES)
    label = [data.labels[i] for i in data.columns["label"][:60]]
    lines = [json.dumps({"text": t, "label": y}) for t, y in zip(data.columns["text"][:60], label, strict=True)]
    (place / "own.jsonl").write_text("\n".join(lines))
    return place


@pytest.fixture(scope="module")
def how(place):
    return {"store": Store(place / "store"), "files": FILES, "jobs": 0}


@pytest.fixture(scope="module")
def pack(place, how):
    """A pack of the four, with the maps of esm-logme."""
    return str(
        make_pack(
            str(place / "base"),
            place / "zoo.safetensors",
            checkpoints=place / "zoo.csv",
            suite="mini",
            tasks=TARGETS,
            examples=40,
            keep="esm-logme",
            set=[FEW[2]],
            **how,
        )
    )


@pytest.fixture
def elsewhere(pack, place, tmp_path):
    """Another machine: the pack and the base, a store without anything, and no checkpoint."""
    for name in ("zoo.safetensors", "own.jsonl"):
        shutil.copy(place / name, tmp_path / name)
    return {"pack": str(tmp_path / "zoo.safetensors"), "store": Store(tmp_path / "store"), "files": FILES, "jobs": 0}


def test_sources_rank_alike_from_a_pack_and_from_their_folders(place, how, elsewhere):
    asked = {"suite": "mini", "tasks": TARGETS, "set": FEW}
    estimators = ["logme", "knn", "esm-logme"]
    of_folders = run(estimators, str(place / "base"), checkpoints=place / "zoo.csv", **asked, **how)
    of_pack = run(estimators, set=FEW, **elsewhere)
    for one, other in zip(of_folders, of_pack, strict=True):
        assert (other.sources, other.targets) == (one.sources, one.targets)
        # Half precision may change who the neighbour of an example is: one vote of forty, or two.
        atol = 0.06 if one.estimator.startswith("knn") else 2e-3
        assert_allclose(np.array(other.similarity, float), np.array(one.similarity, float), atol=atol)
        assert other.scores is None and one.scores is None
        assert other.tasks == one.tasks
    used = of_pack[0].provenance.checkpoints
    assert {name: used[name].id for name in used} == {name: name for name in SOURCES}  # and no path of this machine
    files = {name: where.contents for name, where in of_folders[0].provenance.checkpoints.items()}
    assert {name: where.contents for name, where in used.items()} == files


def test_a_new_target_is_ranked_by_the_maps_and_the_base_alone(place, how, elsewhere, tmp_path, monkeypatch):
    new = {"target": tmp_path / "own.jsonl", "kind": "classification", "k": 9}
    base = {"backbone": str(place / "base"), "set": [FEW[2]]}
    of_folders = recommend(estimator="esm-logme", **new, **base, checkpoints=place / "zoo.csv", **how)
    opened = []
    loaded = Pretrained.loaded
    monkeypatch.setattr(Pretrained, "loaded", lambda self: (opened.append(self.folder.name), loaded(self))[1])
    of_pack = recommend(estimator="esm-logme", **new, **base, **elsewhere)
    assert {*opened} == {"base"}
    assert of_pack.ranking == of_folders.ranking and {*of_pack.ranking} == {*SOURCES}
    for name, value in of_folders.similarity.items():
        assert of_pack.similarity[name] == pytest.approx(value, abs=1e-3)
    assert of_pack.learned == of_folders.learned
    assert "the sources are those of pack 'zoo', in half precision" in of_pack.notes
    assert any("100 random halves of the examples of own" in note for note in of_pack.notes)
    few = recommend(estimator="esm-logme", **new, **base, **elsewhere, max_train_target=20)
    assert few.similarity != of_pack.similarity


def test_a_target_of_the_pack_needs_neither_its_data_nor_the_base(elsewhere, place, how):
    shutil.rmtree(elsewhere["store"].root, ignore_errors=True)
    one = recommend("mini-rte", "logme", checkpoints=find(place, "mini-rte"), suite="mini", set=[FEW[0]], k=9, **how)
    other = recommend("mini-rte", "logme", set=[FEW[0]], k=9, **elsewhere)
    assert other.ranking == one.ranking == tuple(one.similarity) and len(one.ranking) == 3
    assert other.similarity == pytest.approx(one.similarity, abs=1e-3)


def test_a_table_that_the_pack_was_made_with_is_known_by_its_rows(place, how, tmp_path):
    own = TableTask("own", str(place / "own.jsonl"), "classification")
    two = find(place, "names", "mini-rte")
    file = str(make_pack(None, tmp_path / "own.safetensors", checkpoints=two, tasks=own, suite="mini", **how))
    elsewhere = {"pack": file, "store": Store(tmp_path / "store"), "files": FILES, "jobs": 0, "kind": "classification"}
    moved = Path(shutil.copy(place / "own.jsonl", tmp_path / "under-another-name.jsonl"))
    one = recommend(place / "own.jsonl", "logme", checkpoints=two, kind="classification", **how)
    for target in (place / "own.jsonl", moved):
        other = recommend(target, "logme", **elsewhere)
        assert other.ranking == one.ranking and other.similarity == pytest.approx(one.similarity, abs=1e-3)
    lines = (place / "own.jsonl").read_text().splitlines()
    (tmp_path / "own.jsonl").write_text("\n".join(lines[:50]))  # the same name, and other rows
    assert "needs the weights of the sources" in refused(
        **elsewhere, target=tmp_path / "own.jsonl", estimator="logme", set=()
    )


def find(place, *others):
    return [one for one in find_checkpoints(load_parts(), place / "zoo.csv", FILES) if one.name not in others]


def test_the_command_line_makes_shows_and_asks_a_pack(place, elsewhere, tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))
    out = tmp_path / "made.safetensors"
    given = ["--checkpoints", str(place / "zoo.csv"), "--backbone", str(place / "base"), "--suite", "mini"]
    options = ["--tasks", "mini-rte", "--examples", "20", "--keep", "esm-logme", "--set", FEW[2], "--offline"]
    answer = CliRunner().invoke(cli, ["pack", "make", *given, *options, "--jobs", "0", "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    shown = CliRunner().invoke(cli, ["pack", "show", str(out)])
    assert shown.exit_code == 0 and "4, of 1 base(s)" in shown.output and "Targets" in shown.output, shown.output
    assert str(place) not in shown.output
    asked = ["recommend", "--target", str(tmp_path / "own.jsonl"), "--kind", "classification", "--pack", str(out)]
    asked += ["--estimator", "esm-logme", "--set", FEW[2], "--backbone", str(place / "base"), "--offline"]
    answer = CliRunner().invoke(cli, [*asked, "--jobs", "0", "--json"])
    assert answer.exit_code == 0, answer.output
    assert len(json.loads(answer.stdout)["ranking"]) == 3
    both = CliRunner().invoke(cli, [*asked, *given[:2], "--apply"])
    assert both.exit_code == 2 and "leave out --checkpoints, --apply" in both.output, both.output


def test_an_oracle_of_the_checkpoints_comes_along_and_scores(place, how, tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(place / "store"))  # where a measured oracle is found by its name
    few = {"train_rows": 24, "evaluation_rows": 60}
    tasks = [replace(load_parts().tasks[name], **few) for name in TARGETS.split(",")]
    two = [
        replace(one, backbone=replace(one.backbone, epochs=1, min_steps=1, max_length=32))
        for one in find(place, "names", "mini-rte")
    ]
    base = replace(load_parts().find("backbone", str(place / "base")), epochs=1, min_steps=1, max_length=32)
    measured = {"suite": "mini", "tasks": tasks, "max_train": 20, "checkpoints": two}
    oracle = measure_oracle(base, name="of-the-zoo", **measured, **how)
    file = make_pack(None, tmp_path / "scored.safetensors", oracle="of-the-zoo", examples=20, **measured, **how)
    (result,) = run("logme", pack=str(file), set=[FEW[0]], store=Store(tmp_path / "s"), files=FILES, jobs=0)
    assert result.oracle.name == oracle.name and result.scores.trs.value is not None
    assert {*result.oracle_ranks["mini-rte"]} == {"news", "reviews"}


def refused(errors=(UnusableData, MissingData, FailedCells), **how):
    with pytest.raises(errors) as error:
        recommend(**{"kind": "classification", "set": [FEW[2]], "estimator": "esm-logme", **how})
    (line,) = str(error.value).splitlines()
    return line


def rewritten(pack, out, change_card=lambda card: None, drop=(), **arrays):
    """Write a pack anew with another card, without some arrays or with other ones, and return the file."""
    with safetensors.safe_open(pack, framework="numpy") as tensors:
        card = json.loads(tensors.metadata()[CARD])
        content = {name: tensors.get_tensor(name) for name in tensors.keys() if name not in drop}
    change_card(card)
    for name in [n for n in content if n.split("/")[0] in arrays]:
        content[name] = np.full_like(content[name], arrays[name.split("/")[0]])
    safetensors.numpy.save_file(content, out, {CARD: json.dumps(card)})
    return str(out)


def test_what_a_pack_cannot_serve_is_refused_by_name_in_one_line(place, elsewhere, tmp_path):
    new = {**elsewhere, "target": tmp_path / "own.jsonl", "backbone": str(place / "base")}
    for estimator in ("logme", "knn"):
        line = refused(**{**new, "estimator": estimator, "set": ()})
        assert "target 'own' is not in pack 'zoo', so estimator" in line and "needs the weights of the sources" in line
        assert "--keep" not in line  # which would not help
    assert "holds no representations of the stimuli" in refused(**{**new, "estimator": "cra", "set": ()})
    assert "holds no trained models" in refused(**{**new, "estimator": "taskemb", "set": ()})
    assert "holds no texts" in refused(**{**new, "estimator": "vocabulary", "set": ()})
    other = refused(**{**new, "set": ["esm-logme.features.examples=30"]})
    assert "cogbench pack make --keep esm-logme`, with the same options" in other
    assert "'base'" in refused(**{**new, "backbone": None}) and "name it with --backbone" in refused(
        **{**new, "backbone": None}
    )
    for name in ("gpt2", "news"):  # of other dimensions, and of the same ones
        line = refused(**{**new, "backbone": str(place / name)})
        assert line.startswith(
            f"backbone '{name}' gives other vectors of the same sentences than the backbone of pack 'zoo', 'base'"
        )
    assert "leave out checkpoints" in refused(**new, apply=True)
    assert "leave out checkpoints" in refused(**new, checkpoints=place / "zoo.csv")
    named = Path(shutil.copy(tmp_path / "own.jsonl", tmp_path / "news.jsonl"))
    assert "both called 'news'" in refused(**{**new, "target": named})
    assert "reads measured transfers" in refused(**{**new, "estimator": "popularity", "set": ()})
    none = rewritten(elsewhere["pack"], tmp_path / "none.safetensors", lambda card: card.update(kept=[]))
    line = refused(**{**new, "pack": none})
    assert "holds no features of " in line and "cogbench pack make --keep esm-logme`" in line
    nan = rewritten(elsewhere["pack"], tmp_path / "nan.safetensors", kept=np.nan)
    assert "holds NaN or infinity; make the pack anew" in refused(**{**new, "pack": nan})
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(Path(elsewhere["pack"]).read_bytes()[:-100])
    assert "is no evidence pack, or is cut short" in refused(**{**new, "pack": str(cut)})
    old = rewritten(elsewhere["pack"], tmp_path / "old.safetensors", lambda card: card.update(sentences=[]))
    assert "does not tell its backbone from another one: make the pack anew" in refused(**{**new, "pack": old})
    assert "leave out checkpoints, tasks" in refused(**new, tasks="news")
    line = refused(**{**elsewhere, "estimator": "least-learned", "target": "mini-cola", "set": ()})
    assert "holds no score of 'mini-cola'" in line and "run it with the checkpoints themselves" in line


def test_a_pack_of_several_bases_has_features_of_each_and_no_estimator_that_compares_weights(place, how, tmp_path):
    shutil.copytree(place / "gpt2", tmp_path / "gpt2")
    mixed = {"news": place / "news", "gpt2": tmp_path / "gpt2", "names": place / "names"}
    asked = {"suite": "mini", "tasks": "mini-rte,mini-conll-2003"}
    file = str(make_pack(None, tmp_path / "mixed.safetensors", checkpoints=mixed, examples=40, **asked, **how))
    assert Pack("mixed", file).content().card.n_bases == 2
    check_pack(Pack("mixed", file))
    (of_folders,) = run("logme", checkpoints=mixed, set=[FEW[0]], **asked, **how)
    (of_pack,) = run("logme", pack=file, set=[FEW[0]], **how)
    assert_allclose(np.array(of_pack.similarity, float), np.array(of_folders.similarity, float), atol=2e-3)
    with pytest.raises(UnusableData, match="of 2 bases"):
        run("dse", pack=file, **how)
    (line,) = str(
        refused(**how, pack=file, target=place / "own.jsonl", backbone=str(place / "base"), set=())
    ).splitlines()
    assert "made without the checkpoints' pre-trained model" in line
    with pytest.raises(UnusableData, match="reads a model of each target, and a pack of checkpoints trains none"):
        make_pack(str(place / "base"), tmp_path / "x.safetensors", checkpoints=mixed, keep="taskemb", **asked, **how)
