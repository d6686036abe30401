"""The reproduction page: what follows from the paper's printed tables, and that the page in docs/ says it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cogbench

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import reproduce
from reproduction import findings, published, released, tables

ROOT = Path(__file__).parents[2]

# TRS by ranks recomputed from Tables 6 and 7 with ties averaged and the task itself left out, worked out apart from
# this package; the verdict beside the cell of Table 1.
GOLDEN = {
    ("bert", "DSE"): (4.708333, "equal by the printed ranks"),
    ("bert", "CRA"): (4.416667, "equal"),
    ("bert", "CNM"): (4.625, "equal"),
    ("bert", "CRA+CNM"): (4.416667, "differs"),
    ("bert", "AHP"): (2.5, "equal"),
    ("tinybert", "DSE"): (6.208333, "equal"),
    ("tinybert", "CRA"): (3.5, "equal"),
    ("tinybert", "CNM"): (4.166667, "equal"),
    ("tinybert", "CRA+CNM"): (2.75, "equal"),
    ("tinybert", "AHP"): (1.416667, "equal"),
}


@pytest.fixture(scope="module")
def paper():
    return published.Published.load()


def test_table_1_is_recomputed(paper):
    cells = {(c.plm, c.method): c for c in tables.table_1(paper)}
    assert cells.keys() == GOLDEN.keys()
    for key, (trs, verdict) in GOLDEN.items():
        assert cells[key].trs == pytest.approx(trs, abs=1e-4), key
        assert cells[key].verdict == verdict, key
    assert cells["bert", "DSE"].by_printed_ranks == 4.75 and cells["tinybert", "DSE"].by_printed_ranks > 6.29


def test_each_selection_is_the_only_one_that_agrees_with_both_tables(paper):
    assert len(paper.selections) == 10
    for (plm, method), picks in paper.selections.items():
        for target, source in picks.items():
            own, cross = paper.possible(plm, method, target)
            assert own & cross == {source} and source != target
    symmetric = [picks for (_, method), picks in paper.selections.items() if method in tables.SYMMETRIC]
    assert [published.longest_cycle(picks) for picks in symmetric] == [2] * 8


def test_a_selection_that_no_source_explains_is_refused(paper, monkeypatch):
    changed = dict(published.table_8("bert", "CRA"), QNLI="12.34")
    monkeypatch.setattr(published, "table_8", lambda plm, method: changed)
    with pytest.raises(ValueError, match="agree with Tables 8 and 9"):
        _ = published.Published(paper.oracles, paper.training_rows).selections


def test_a_cycle_of_three_is_seen():
    assert published.longest_cycle({"a": "b", "b": "c", "c": "a", "d": "a"}) == 3
    assert published.longest_cycle({"a": "b", "b": "a", "c": "a"}) == 2


def test_the_averages_of_tables_8_and_9_are_those_of_the_selections(paper):
    found = tables.averages(paper)
    assert len(found) == 20
    assert all(abs(ours - printed) <= 0.005 + 1e-9 for *_, ours, printed in found)


def test_the_ranks_that_do_not_follow_from_the_metrics(paper):
    assert {(plm, target, source, p, r) for plm, target, source, p, r in tables.deviating_ranks(paper)} == {
        ("bert", "qqp", "sst-2", 2, 1.5),
        ("bert", "qqp", "ms-marco", 1, 1.5),
        ("tinybert", "sts-b", "semeval-2010-8", 10, 9),
        ("tinybert", "sts-b", "mrpc", 11, 10),
        ("tinybert", "sts-b", "cola", 12, 11),
    }


def test_baselines_are_those_of_the_harness(paper):
    trs = {(plm, name): g.scores.trs for plm, guesses in paper.guesses.items() for name, g in guesses.items()}
    assert trs["bert", "size"] == pytest.approx(4.4583, abs=1e-4)
    assert trs["tinybert", "size"] == pytest.approx(3.3333, abs=1e-4)
    assert trs["bert", "size, MS MARCO 2.1"] == pytest.approx(4.7917, abs=1e-4)
    assert trs["tinybert", "size, MS MARCO 2.1"] == pytest.approx(5.75, abs=1e-4)
    assert trs["bert", "popularity"] == pytest.approx(7.875, abs=1e-4)
    assert trs["tinybert", "popularity"] == pytest.approx(1.8333, abs=1e-4)


def test_noise_against_spread(paper):
    found = {(f.plm, f.target): f for f in findings.noise(paper)}
    assert found["bert", "mnli"].error == pytest.approx(0.37, abs=0.005)
    assert found["bert", "mnli"].spread == pytest.approx(0.24, abs=0.005)
    assert found["bert", "rte"].spread == pytest.approx(6.0, abs=0.005)
    assert {key for key, f in found.items() if f.error > f.spread} == {("bert", "mnli"), ("bert", "sst-2")}
    assert all(found[plm, t].multiples == 12 for plm in published.PLMS for t in ("rte", "sst-2", "mrpc"))


def test_a_sentinel_on_the_diagonal_gives_the_printed_ranks(paper):
    true = paper.oracles["tinybert"].transfers
    found = released.sentinel_ranks(paper, "tinybert")
    for i, source in enumerate(true.sources):
        for j, target in enumerate(true.targets):
            if source != target:
                assert found[i, j] == published.printed_rank("tinybert", source, target)


def test_a_search_from_zero_loses_targets():
    true = cogbench.TaskMatrix.square("abc", np.array([[0, 5, 1], [2, 0, 3], [1, 4, 0]]))
    guess = cogbench.TaskMatrix.square("abc", np.array([[0, -1, 2], [1, 0, 1], [0, -2, 0]]))
    assert released.searched_from_zero(guess, true) == ((1 + 2) / 3, ["b"])


def test_rows_out_of_order_lose_the_score_of_a_channel():
    found = released.misaligned()
    assert found["rho", "as released"][0] == pytest.approx(0, abs=0.02) and found["rho", "by sentence"][0] > 0.1
    assert found["R2", "as released"][1] > found["R2", "by sentence"][1] + 0.5


def test_the_page_is_current(paper):
    assert reproduce.PAGE.read_text() == reproduce.reproduction(paper), "run make reproduce"


def test_the_command_says_when_the_page_is_not_current(tmp_path, monkeypatch):
    monkeypatch.setattr(reproduce, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(reproduce, "reproduction", lambda published: "new\n")
    monkeypatch.setattr(sys, "argv", ["reproduce.py", "--check"])
    with pytest.raises(SystemExit, match="run make reproduce"):
        reproduce.main()
    monkeypatch.setattr(sys, "argv", ["reproduce.py"])
    reproduce.main()
    monkeypatch.setattr(sys, "argv", ["reproduce.py", "--check"])
    reproduce.main()
    assert (tmp_path / "page.md").read_text() == "new\n"


def test_make_reproduce_runs_the_command():
    done = subprocess.run(["make", "-n", "reproduce"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "benchmarks/reproduce.py" in done.stdout, done.stderr
