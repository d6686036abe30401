"""All estimators on a pre-trained transformer with its own tokenizer, as a run gives it to them."""

from dataclasses import replace

import numpy as np
import pytest
from cogbench_transferability.esm import ESMLogME
from cogbench_transferability.mips import MIPS
from cogbench_transferability.prompts import Prompt
from cogbench_transferability.taskemb import TaskEmb
from cogbench_transferability.tsns import TSNS

from cogbench import FeatureOptions, Files, MissingData, Store, load_parts, run

FEW = FeatureOptions(examples=20)
QUICK = [
    TaskEmb(examples=8),
    TSNS(draws=1, trees=5, features=FeatureOptions(examples=20, layers="all")),
    MIPS(features=FeatureOptions(examples=10, pooling="mean")),
    MIPS(tokens="prompt", prompt=Prompt(length=3, steps=3, examples=20), name="mips-prompt"),
    ESMLogME(FEW, epochs=1),
]


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    parts, store = load_parts(), Store(tmp_path_factory.mktemp("store"))
    backbone = replace(parts.backbones["minilm-2l"], epochs=1, min_steps=2)
    try:
        backbone.origin(Files(offline=True))
    except MissingData as error:
        pytest.skip(str(error))

    def ask(estimators, *sets):
        names = ("mini-rte", "mini-sts-b", "mini-sst-2")
        tasks = [replace(parts.tasks[name], evaluation_rows=40) for name in names]
        how = {"suite": "mini", "tasks": tasks, "max_train": 32, "jobs": 0, "parts": parts, "store": store}
        return run(estimators, backbone, set=sets, files=Files(offline=True), **how)

    return ask


def test_a_run_with_all_of_them(ask):
    names = ["textemb", "description", "vocabulary", "logme", "hscore", "leep", "nce", "knn"]
    fused = ["fuse.members=textemb:vocabulary:logme"]
    found = {r.estimator: r for r in ask([*names, "fuse", *QUICK], *fused)}
    assert len(found) == len(names) + 1 + len(QUICK)
    for label, result in found.items():
        values = np.array(result.similarity, float)
        assert np.isfinite(values).any(), label
        assert np.isfinite(values[~np.eye(3, dtype=bool)]).all() or any("no score for" in n for n in result.notes)
    (label,) = [label for label in found if label.startswith("fuse")]
    assert label == "fuse[members=textemb:vocabulary:logme]"
    assert any(n.startswith("leep: no score for") for n in found["leep"].notes)


def test_what_needs_no_training_trains_nothing(ask, tmp_path):
    parts, store = load_parts(), Store(tmp_path)
    tasks = ["mini-rte", "mini-sts-b", "mini-sst-2"]
    how = {"suite": "mini", "tasks": tasks, "max_train": 32, "jobs": 0, "parts": parts, "store": store}
    run(["textemb", "vocabulary", "description"], "minilm-2l", files=Files(offline=True), **how)
    assert not list(tmp_path.rglob("training.json"))
