"""Oracles: measured from cells, written, and read from anybody's table."""

import numpy as np
import pytest

from cogbench import Files, MissingData, Oracle, Store, TaskMatrix, UnusableData, load_parts, read_oracle
from cogbench.compute.transfers import TransferPlan, trainings
from cogbench.compute.workspace import Workspace
from cogbench.data.oracle_files import write_oracle
from cogbench.parts.registry import find_oracle
from cogbench.testing.toys import TASKS, ToyBackbone

TABLE = "source,a,b,c\na,,2,3\nb,4,,6\nc,7,8,\nno-transfer,1,1.5,2\n"


def test_a_table_is_read_with_its_no_transfer_row(tmp_path):
    (tmp_path / "own.csv").write_text(TABLE)
    oracle = read_oracle(tmp_path / "own.csv")
    assert oracle.name == "own" and oracle.transfers.sources == ("a", "b", "c")
    assert oracle.transfers.values[1].tolist()[::2] == [4, 6] and oracle.no_transfer.tolist() == [1, 1.5, 2]


@pytest.mark.parametrize(
    "text, message",
    [("name,a\nb,1\n", "first column is called 'name'"), ("", "is empty"), ("source,a\nb,much\n", "no number")],
)
def test_a_table_that_is_none_says_so(tmp_path, text, message):
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(UnusableData, match=message):
        read_oracle(tmp_path / "own.csv")


def test_a_spreadsheets_table_with_byte_order_mark_and_blank_lines(tmp_path):
    (tmp_path / "own.csv").write_text("\ufeffsource,a,b\nx,1,2\n\ny,3,4\n", encoding="utf-8")
    assert read_oracle(tmp_path / "own.csv").transfers.values.tolist() == [[1, 2], [3, 4]]
    (tmp_path / "own.csv").write_bytes(b"source,a\nx\xff,1\n")
    with pytest.raises(UnusableData, match="UTF-8"):
        read_oracle(tmp_path / "own.csv")


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
