"""Oracles: measured from cells, written, and read from anybody's table."""

import numpy as np
import pytest

from cogbench import Files, MissingData, Oracle, Store, TaskMatrix, UnusableData, load_parts, read_oracle
from cogbench.compute.transfers import TransferPlan, trainings
from cogbench.compute.workspace import Workspace
from cogbench.data.oracle_files import read_card, write_oracle
from cogbench.data.oracle_seeds import merged
from cogbench.parts.oracle_names import find_oracle
from cogbench.testing.toys import TASKS, ToyBackbone

TABLE = "source,a,b,c\na,,2,3\nb,4,,6\nc,7,8,\nno-transfer,1,1.5,2\n"


def test_a_table_is_read_with_its_no_transfer_row(tmp_path):
    (tmp_path / "own.csv").write_text(TABLE)
    oracle = read_oracle(tmp_path / "own.csv")
    assert oracle.name == "own" and oracle.transfers.sources == ("a", "b", "c")
    assert oracle.transfers.values[1].tolist()[::2] == [4, 6] and oracle.no_transfer.tolist() == [1, 1.5, 2]


@pytest.mark.parametrize(
    "text, message",
    [("name,a\nb,1\n", "first column is called 'name'"), ("", "it has no rows"), ("source,a\nb,much\n", "no number")],
)
def test_a_table_that_is_none_says_so(tmp_path, text, message):
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(UnusableData, match=message):
        read_oracle(tmp_path / "own.csv")


def test_a_spreadsheets_table_with_byte_order_mark_and_blank_lines(tmp_path):
    (tmp_path / "own.csv").write_text("\ufeffsource,a,b\nx,1,2\n\ny,3,4\n", encoding="utf-8")
    assert read_oracle(tmp_path / "own.csv").transfers.values.tolist() == [[1, 2], [3, 4]]
    (tmp_path / "own.csv").write_bytes(b"source,a\nx\xff,1\n")
    assert read_oracle(tmp_path / "own.csv").transfers.sources == ("xÿ",)  # of cp1252


def test_the_shipped_mini_oracle_is_a_control_that_can_tell_sources_apart():
    oracle = find_oracle(load_parts(), "mini-minilm-2l")
    values, errors = oracle.transfers.values, oracle.standard_error
    spread = np.nanstd(values, axis=0, ddof=1)
    assert (
        spread > 2 * np.where(np.isfinite(values), errors, np.nan).mean(axis=0, where=np.isfinite(values))
    ).mean() >= 0.5
    assert ((oracle.no_transfer > 0.3) & (oracle.no_transfer < 0.95)).all()
    assert (np.nanmax(values, axis=0) < 0.99).all()


def test_a_ragged_table_and_a_missing_one(tmp_path):
    (tmp_path / "own.csv").write_text("source,a,b\nx,1\ny,1,2\n")
    with pytest.raises(UnusableData):
        read_oracle(tmp_path / "own.csv")
    with pytest.raises(MissingData):
        read_oracle(tmp_path / "nowhere.csv")


def test_what_is_written_is_read_again(tmp_path):
    oracle = Oracle(
        "o",
        "b",
        "s",
        TaskMatrix(("a", "b"), ("b", "z"), np.array([[0.25, np.nan], [0.5, 0.75]])),
        np.array([0.1, np.nan]),
        np.array([[0.01, 0.02], [0.03, 0.04]]),
        metrics={"z": "mcc"},
        basis="measured",
        origin="here",
    )
    write_oracle(oracle, tmp_path / "o.json")
    again = read_oracle(tmp_path / "o.json")
    for name in ("name", "backbone", "suite", "metrics", "basis", "origin"):
        assert getattr(again, name) == getattr(oracle, name)
    assert np.array_equal(again.transfers.values, oracle.transfers.values, equal_nan=True)
    assert np.array_equal(again.no_transfer, oracle.no_transfer, equal_nan=True)
    assert np.array_equal(again.standard_error, oracle.standard_error)
    (tmp_path / "o.json").write_text("{}")
    with pytest.raises(UnusableData, match="no oracle that cogbench wrote"):
        read_oracle(tmp_path / "o.json")


def test_a_measured_oracle_holds_the_scores_of_its_trainings(tmp_path):
    here = Workspace(Files(offline=True), Store(tmp_path))
    oracle = TransferPlan(ToyBackbone(), TASKS, "toy", seeds=(0, 1)).oracle(here)
    cells = [trainings(ToyBackbone(), TASKS, seed, None) for seed in (0, 1)]
    values = [of["toy-a", "toy-c"].score(here).value for of in cells]
    row, column = oracle.transfers.sources.index("toy-a"), oracle.transfers.targets.index("toy-c")
    assert oracle.transfers.values[row, column] == pytest.approx(np.mean(values))
    assert oracle.standard_error[row, column] == pytest.approx(np.std(values, ddof=1) / np.sqrt(2))
    alone = [of["toy-c", "toy-c"].score(here).value for of in cells]
    assert oracle.no_transfer[column] == pytest.approx(np.mean(alone))
    assert oracle.per_example["toy-a", "toy-c"].shape == (2, 60)
    assert oracle.metrics["toy-c"] == "f1"


def test_published_oracles_carry_their_source():
    for name in ("cogtaskonomy-bert", "cogtaskonomy-tinybert"):
        oracle = find_oracle(load_parts(), name)
        assert "Luo, Xu & Xiong (2022)" in oracle.origin and oracle.basis == "published"
        assert np.isfinite(oracle.transfers.values).sum() == 132 and len(oracle.no_transfer) == 12


def test_budgets_of_source_and_target_apart_nest_in_the_recipe_and_equal_ones_change_no_key(tmp_path):
    here = Workspace(Files(offline=True), Store(tmp_path))
    apart = trainings(ToyBackbone(), TASKS, 0, 40, max_train_target=20)
    alone, transfer = apart["toy-c", "toy-c"].recipe, apart["toy-a", "toy-c"].recipe
    assert (alone.max_train, alone.start) == (20, None)
    assert (transfer.max_train, transfer.start.max_train, transfer.start.task) == (20, 40, TASKS[0])
    usual = trainings(ToyBackbone(), TASKS, 0, 40)
    for equal in (trainings(ToyBackbone(), TASKS, 0, 40, max_train_target=40), usual):
        assert {pair: here.key(cell) for pair, cell in equal.items()} == {
            pair: here.key(cell) for pair, cell in usual.items()
        }
    assert not {here.key(cell) for cell in apart.values()} & {here.key(cell) for cell in usual.values()}
    # A target that has fewer rows than its budget is trained on all of them, as ever.
    assert here.key(trainings(ToyBackbone(), TASKS, 0, None, max_train_target=600)["toy-a", "toy-a"]) == here.key(
        trainings(ToyBackbone(), TASKS, 0, None)["toy-a", "toy-a"]
    )


def test_keys_of_trainings_are_those_of_before_budgets_were_apart(tmp_path):
    here = Workspace(Files(offline=True), Store(tmp_path))
    cell = trainings(ToyBackbone(), TASKS, 3, 40)["toy-a", "toy-c"]
    assert {**here.ingredients(cell), "cogbench": "", "inputs": []} == {
        "cell": "Training",
        "cogbench": "",
        "inputs": [],
        "backbone": {"is": "cogbench-toolkit:ToyBackbone"} | here.identity(ToyBackbone()),
        "model": here.identity(ToyBackbone().origin(here.files)),
        "settings": here.identity(ToyBackbone().settings("classification", 40)),
        "seed": 3,
        "max_train": 40,
        "tasks": [here.ingredients(cell)["tasks"][0]],
        "data": here.ingredients(cell)["data"],
    }


def test_an_oracle_of_budgets_apart_says_both_and_holds_the_errors_of_its_gains(tmp_path):
    here = Workspace(Files(offline=True), Store(tmp_path / "store"))
    plan = TransferPlan(ToyBackbone(), TASKS, "toy", (0, 1), 40, max_train_target=20)
    oracle = plan.oracle(here)
    assert oracle.name == "measured-toy-target-20" and oracle.max_train_target == 20
    assert oracle.origin.endswith("at most 40 training examples of a source and 20 of a target")
    assert (oracle.provenance["max_train"], oracle.provenance["max_train_target"]) == (40, 20)
    assert oracle.provenance["settings_target"]["toy-a"]["batch_size"] == 20
    cells = [trainings(ToyBackbone(), TASKS, seed, 40, max_train_target=20) for seed in (0, 1)]
    # The error of the gain in accuracy, by the formula for paired proportions instead of a bootstrap.
    truth = np.asarray(TASKS[0].load("evaluation", here.files).columns["label"])
    errors = []
    for of in cells:
        right = [of[source, "toy-a"].outputs(here).argmax(axis=1) == truth for source in ("toy-b", "toy-a")]
        errors.append(np.std(right[0].astype(float) - right[1]) / np.sqrt(len(truth)))
    assert oracle.gain_error[1, 0] == pytest.approx(np.mean(errors), rel=0.15)
    write_oracle(oracle, tmp_path / "o.json")
    again, card = read_oracle(tmp_path / "o.json"), read_card(tmp_path / "o.json")
    assert again.max_train_target == card.max_train_target == oracle.card.max_train_target == 20
    assert card.description == oracle.card.description and card.description.endswith(
        "to at most 20 examples of a target"
    )
    np.testing.assert_allclose(again.gain_error, oracle.gain_error, atol=1e-6)
    assert again.part(("toy-b", "toy-a")).gain_error[0, 1] == pytest.approx(oracle.gain_error[1, 0], abs=1e-6)
    equal = TransferPlan(ToyBackbone(), TASKS, "toy", (0,), 40, max_train_target=40).oracle(here)
    assert equal.max_train_target is None and "max_train_target" not in equal.provenance
    with pytest.raises(UnusableData, match="another max_train_target and another settings_target"):
        merged(oracle, equal)
