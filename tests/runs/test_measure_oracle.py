"""Measured oracles: merged over seeds, shown with what noise leaves open, found again by name."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from command import line

from cogbench import Files, Oracle, Recipe, Store, TaskMatrix, UnknownName, UnusableData, load_parts, read_oracle, run
from cogbench.cli.main import cli
from cogbench.compute.cells import Training
from cogbench.compute.transfers import TransferPlan
from cogbench.compute.workspace import Workspace
from cogbench.data.oracle_files import write_oracle, write_table
from cogbench.data.oracle_seeds import merged, of_seeds, told_apart
from cogbench.parts import registry
from cogbench.parts.oracle_names import find_oracle, oracle_folder
from cogbench.runs.measure_oracle import resolve_transfers
from cogbench.runs.plan import describe_plan
from cogbench.storage.store import home
from cogbench.testing.toys import TASKS, ToyBackbone
from cogbench.views.rows import oracle_rows

NAMES = ("a", "b", "c", "d")
MEASURE = "oracle measure --suite toy --backbone toy --jobs 0 --offline".split()


def oracle(seeds=(0, 1), data="x", error=0.1):
    rng = np.random.default_rng(list(seeds))
    values = rng.normal(5, 1, size=(len(seeds), 4, 4))
    start = Oracle("o", "b", "s", TaskMatrix.square(NAMES, values[0]), basis="measured", provenance={"data": data})
    return of_seeds(start, seeds, values, np.full((len(seeds), 4, 4), error))


@pytest.fixture
def invoke(toy_plugin, tmp_path, monkeypatch):
    installed = registry.load_parts
    monkeypatch.setattr(registry, "load_parts", lambda: installed(toy_plugin))
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, [*map(str, words)])


def test_the_figures_of_several_seeds_are_their_mean_and_its_error():
    found = oracle((3, 1, 2))
    assert found.seeds == (1, 2, 3)
    np.testing.assert_allclose(found.transfers.values[0, 1], found.by_seed[:, 0, 1].mean())
    np.testing.assert_allclose(found.no_transfer, found.by_seed.mean(axis=0).diagonal())
    np.testing.assert_allclose(found.standard_error[0, 1], found.by_seed[:, 0, 1].std(ddof=1) / np.sqrt(3))
    one = oracle((5,))
    assert (one.standard_error == 0.1).all() and one.by_seed.shape == (1, 4, 4)


def test_merging_is_measuring_all_seeds():
    whole = oracle((0, 1, 2))
    parts = [
        of_seeds(whole, whole.seeds[i:j], whole.by_seed[i:j], np.full((j - i, 4, 4), 0.1)) for i, j in ((0, 2), (1, 3))
    ]
    both = merged(*parts)
    assert both.seeds == (0, 1, 2)
    for name in ("by_seed", "no_transfer", "standard_error", "evaluation_error"):
        np.testing.assert_allclose(getattr(both, name), getattr(whole, name))


def test_what_was_measured_otherwise_is_not_merged():
    with pytest.raises(UnusableData, match="'o' was measured with another data: give this one another name"):
        merged(oracle(), oracle((2,), data="y"))
    codes = [{"distribution": "d", "version": v, "sha256": s} for v, s in (("1", "a"), ("2", "a"), ("2", "b"))]
    one, newer, other = (
        replace(oracle((i,)), provenance={"data": "x", "cogbench": f"0.{i}", "backbone": {"name": "b", "code": code}})
        for i, code in enumerate(codes)
    )
    assert merged(one, newer).provenance["cogbench"] == "0.0, 0.1"  # versions are recorded, not compared
    with pytest.raises(UnusableData, match="'o' was measured with another backbone"):
        merged(newer, other)
    one, other = (replace(oracle((i,)), provenance={"data": "x", "torch": f"2.{i}"}) for i in (0, 1))
    assert merged(merged(one, other), other).provenance["torch"] == "2.0, 2.1"
    with pytest.raises(UnusableData, match="'o' was measured with another metric"):
        merged(replace(oracle(), metrics={"a": "mcc"}), replace(oracle((2,)), metrics={"a": "accuracy"}))
    with pytest.raises(UnusableData, match="does not tell its seeds apart"):
        merged(replace(oracle(), by_seed=None), oracle())


def test_sources_closer_than_two_standard_errors_of_their_difference_are_not_told_apart():
    values = np.array([[0, 1.0, 9], [1, 0, 1.2], [1.28, 1.3, 0]])
    given = Oracle("o", "b", "s", TaskMatrix.square("abc", values), evaluation_error=np.full((3, 3), 0.1))
    apart = told_apart(given)
    assert not apart[1, 2, 0] and apart[0, 2, 1] and apart[0, 1, 2]  # .28 and .30 lie about .283
    rows = {row["source"]: row for row in oracle_rows(given)}
    assert rows["c"]["b"] == "1.30 (1)" and rows["a"]["b"] == "1.00 (2)" and rows["a"]["a"] == ""
    assert rows["c"]["a"] == "1.28 (1) =" and rows["b"]["a"] == "1.00 (2) ="


def test_nothing_is_marked_where_no_noise_is_known():
    given = Oracle("o", "b", "s", TaskMatrix.square("abc", np.arange(9.0).reshape(3, 3)))
    assert not any("=" in str(v) for row in oracle_rows(given) for v in row.values())
    assert not told_apart(given).any()


def test_what_is_written_is_read_again(tmp_path):
    given = oracle()
    write_oracle(given, tmp_path / "o.json")
    again = read_oracle(tmp_path / "o.json")
    for name in ("by_seed", "no_transfer", "standard_error", "evaluation_error"):
        np.testing.assert_allclose(getattr(again, name), getattr(given, name), atol=1e-6)
    assert (again.seeds, again.provenance) == (given.seeds, {"data": "x"})
    write_table(given, tmp_path / "o.csv")
    table = read_oracle(tmp_path / "o.csv")
    np.testing.assert_array_equal(table.transfers.values, given.transfers.values)
    np.testing.assert_array_equal(table.no_transfer, given.no_transfer)


def test_measuring_again_with_other_seeds_merges_and_the_name_is_found(invoke, toy_plugin, tmp_path):
    first = invoke(*MEASURE)
    assert first.exit_code == 0, first.output
    assert "toy-toy" in first.stdout and "no transfer" in first.stdout and "wrote" in first.stderr
    assert "seeds 0:" in first.stdout
    second = invoke(*MEASURE, "--seeds", "1")
    assert "seeds 0, 1:" in second.stdout
    found = find_oracle(load_parts(toy_plugin), "toy-toy")
    assert found.seeds == (0, 1) and found.by_seed.shape == (2, 4, 4) and found.basis == "measured"
    scored = invoke("score", tmp_path / "guess.csv", "--oracle", "toy-toy")
    assert "no file" in scored.stderr  # the oracle was found, the guess is not there
    (result,) = run("dse", "toy", suite="toy", oracle="toy-toy", jobs=0, parts=load_parts(toy_plugin))
    assert result.oracle.name == "toy-toy" and result.scores.resampled
    assert "toy-toy" in invoke("oracle", "list").stdout
    invoke("oracle", "export", "toy-toy", "--out", tmp_path / "out.csv")
    refused = invoke("oracle", "export", "toy-toy", "--out", tmp_path)
    assert refused.exit_code == 2 and "cannot write" in refused.stderr
    np.testing.assert_allclose(read_oracle(tmp_path / "out.csv").transfers.values, found.transfers.values)


def test_machines_read_figures_ranks_and_what_noise_does_not_tell_apart(invoke):
    found = json.loads(invoke(*MEASURE, "--format", "json").stdout)
    assert found == json.loads(invoke("oracle", "show", "toy-toy", "--format", "json").stdout)
    assert len(found["ranks"]) == 4 and found["ranks"][0][0] is None and found["transfers"][0][0] is None
    apart = told_apart(find_oracle(load_parts(), "toy-toy"))
    assert sum(map(len, found["not_told_apart"].values())) == 4 * 3 - apart.sum() / 2
    assert found["provenance"]["torch"] and found["seeds"] == [0]


def test_names_that_mean_something_else_and_folders_that_cannot_be_written_are_refused(invoke, tmp_path, monkeypatch):
    for name in ("mine.csv", "measured"):
        assert f"no oracle can be called '{name}'" in line(invoke(*MEASURE, "--name", name), 2)
    invoke(*MEASURE)
    assert "name a file .csv, or .json" in line(invoke("oracle", "export", "toy-toy", "--out", tmp_path / "o.tsv"), 2)
    assert "--jobs is for processes of this machine" in invoke(*MEASURE, "--scheduler", "tcp://x:1").stderr
    monkeypatch.setenv("COGBENCH_STORE", str(tmp_path / "elsewhere"))
    (tmp_path / "file").touch()
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "file"))
    assert "cannot write to folder" in line(invoke(*MEASURE), 3)
    assert not (tmp_path / "elsewhere").exists() or not [*(tmp_path / "elsewhere").rglob("cell.json")]


def test_measuring_the_same_again_trains_nothing(invoke, monkeypatch):
    invoke(*MEASURE)
    monkeypatch.setattr(ToyBackbone, "train", lambda *a, **k: 1 / 0)
    assert invoke(*MEASURE).exit_code == 0
    failed = invoke(*MEASURE, "--seeds", "4")
    assert "16 trainings failed" in line(failed, 1) and "division by zero" in line(failed, 1)


def test_a_plan_trains_nothing(invoke):
    found = invoke(*MEASURE, "--dry-run")
    assert "16 × training" in found.stdout and "0 cells are in the store" in found.stdout


def test_a_plan_tells_the_disk_and_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyBackbone, "cost", lambda self, recipe, files: (60.0, 2**20), raising=False)
    here, tasks = Workspace(Files(offline=True), Store(tmp_path)), TASKS[:3]
    dropped, kept = (TransferPlan(ToyBackbone(), tasks, "toy", keep=k).cells() for k in (False, True))
    assert "9.0 minutes" in describe_plan(
        dropped, replace(here, jobs=1)
    ) and "disk: about 3 MiB of weights, those of" in describe_plan(dropped, replace(here, jobs=1))
    assert describe_plan(kept, replace(here, jobs=1)).endswith("disk: about 9 MiB of weights")
    assert "1.0 minutes of training on 9 worker(s)" in describe_plan(kept, replace(here, jobs=64))
    measured = []

    def cost(self, recipe, files):
        measured.append(recipe.task)
        return 600.0 if recipe.task.kind == "regression" else 60.0, 2**20

    monkeypatch.setattr(ToyBackbone, "cost", cost)
    long, other = replace(TASKS[0], rows=600), replace(TASKS[2], kind="regression")
    uneven = [Training(ToyBackbone(), Recipe((task,))) for task in (TASKS[1], long, other)]
    assert "about 10.0 minutes" in describe_plan(uneven, replace(here, jobs=9))  # as long as the longest
    assert len(measured) == 2 and other in measured  # one of each kind; the others by their work
    share = uneven[0].work(here) / uneven[1].work(here)
    whole = 1 + share if long in measured else 1 + 1 / share
    assert f"about {10 + whole:.1f} minutes" in describe_plan(uneven, replace(here, jobs=1))
    monkeypatch.setattr(Store, "free", lambda self: 2**21)
    assert describe_plan(kept, replace(here, jobs=1)).endswith("MORE THAN THE 2 MiB that are free")


def test_a_measured_oracle_never_takes_an_installed_ones_name(toy_plugin):
    parts = load_parts(toy_plugin)
    assert resolve_transfers(parts, "toy", suite="toy")[1] == "toy-toy"
    parts.oracles["toy-toy"] = parts.oracles["toy-oracle"]
    assert resolve_transfers(parts, "toy", suite="toy")[1] == "measured-toy-toy"
    with pytest.raises(UnusableData, match="an installed oracle is called 'toy-oracle': give this one another name"):
        resolve_transfers(parts, "toy", suite="toy", name="toy-oracle")


def test_per_example_scores_are_kept_by_seed_and_merged(tmp_path):
    def of(seeds, score):
        scores = np.array([np.full(3, score + seed) for seed in seeds])
        return replace(oracle(seeds), per_example={("a", "b"): scores, ("b", "b"): 0 * scores})

    def first(oracle):
        return [*oracle.per_example["a", "b"][:, 0]]

    one, other, path = of((1, 2), 10.0), of((0,), 20.0), tmp_path / "o.json"
    assert write_oracle(both := merged(one, other), path) == [path, tmp_path / "o.per-example.npz"]
    assert both.seeds == (0, 1, 2) and first(both) == first(read_oracle(path)) == [20, 11, 12]
    assert read_oracle(path).per_example.keys() == one.per_example.keys()
    assert first(merged(both, of((1, 3), 30.0))) == [20, 31, 12, 33]  # of a seed that both have, the second's
    assert np.isnan(first(merged(replace(other, per_example=None), of((3,), 30.0)))).tolist() == [True, False]
    # As a run leaves them that is killed between the two files.
    write_oracle(merged(both, of((3,), 30.0)), tmp_path / "more.json")
    scores = (tmp_path / "more.per-example.npz").replace(tmp_path / "o.per-example.npz")
    assert first(read_oracle(path)) == [20, 11, 12]
    write_oracle(other, tmp_path / "less.json")
    (tmp_path / "less.per-example.npz").replace(scores)
    assert first(read_oracle(path))[0] == 20 and np.isnan(first(read_oracle(path))[1:]).all()
    scores.write_text("broken")
    with pytest.raises(UnusableData, match="o.per-example.npz' holds no per-example scores"):
        read_oracle(path)
    (own := tmp_path / "o.npz").write_text("a recording of the user's")
    assert write_oracle(replace(both, per_example=None), path) == [path] and own.exists()


def test_what_cannot_be_measured_or_merged_is_told_before_the_work(invoke, monkeypatch):
    assert invoke(*MEASURE, "--tasks", "toy-a,toy-b,toy-c", "--name", "mine").exit_code == 0
    assert invoke(*MEASURE, "--tasks", "toy-c,toy-a,toy-b", "--name", "mine", "--dry-run").exit_code == 0
    monkeypatch.setattr(ToyBackbone, "train", lambda *a, **k: 1 / 0)
    for more in ((), ("--dry-run",)):
        told = line(
            invoke(*MEASURE, "--tasks", "toy-c,toy-a,toy-b", "--name", "mine", "--set", "toy.rate=0.5", *more), 3
        )
        assert "'mine' was measured with another backbone" in told

    def load(self, split, files):
        raise UnusableData(f"task {self.name!r} is broken.")

    monkeypatch.setattr(type(TASKS[0]), "load", load)
    for more in ((), ("--dry-run",)):
        told = invoke(*MEASURE, *more)
        assert told.exit_code == 3 and all(f"task {t.name!r} is broken" in told.stderr for t in TASKS)


def test_a_broken_file_among_the_measured_oracles_hides_no_other(invoke):
    invoke(*MEASURE)
    (oracle_folder() / "bad.json").write_text("{")
    found = invoke("oracle", "list", "--json")
    rows = {row["name"]: row for row in json.loads(found.stdout)}
    assert "BROKEN" in rows["bad"]["about"] and rows["toy-toy"]["basis"] == "measured"


def test_bad_requests_are_one_clear_line(invoke, toy_plugin):
    assert "an oracle needs at least three tasks" in line(invoke(*MEASURE, "--tasks", "toy-a,toy-b"), 2)
    assert "'toy' has 2 settings; here it takes one value an option" in line(
        invoke(*MEASURE, "--set", "toy.rate=0.1,0.2"), 2
    )
    invoke(*MEASURE, "--name", "mine")
    told = line(invoke(*MEASURE, "--name", "mine", "--max-train", "20"), 3)
    assert "'mine' was measured with another max_train" in told
    assert "unknown oracle 'nothing'" in line(invoke("oracle", "show", "nothing"), 2)
    with pytest.raises(UnknownName, match="mine"):
        find_oracle(load_parts(toy_plugin), "mine-x")


def test_an_oracle_as_json_tells_everything(invoke, tmp_path):
    invoke(*MEASURE)
    invoke("oracle", "export", "toy-toy", "--out", tmp_path / "o.json")
    held = json.loads((tmp_path / "o.json").read_text())
    assert held["provenance"]["data"].keys() == {"toy-a", "toy-b", "toy-c", "toy-d"} and held["seeds"] == [0]
    assert read_oracle(tmp_path / "o.json").per_example["toy-a", "toy-b"].shape == (1, 60)


SIZES = ("--max-train", 40, "--max-train-target", "20,10,40")


def test_several_sizes_of_the_target_give_an_oracle_each_and_share_the_sources(invoke, tmp_path):
    plan = invoke(*MEASURE, *SIZES, "--dry-run")
    # 4 sources, which are also the targets alone at 40; at each size 12 transfers, and 4 targets alone at 10 and 20.
    assert f"{4 + 3 * 12 + 2 * 4} × training" in plan.stdout
    measured = invoke(*MEASURE, *SIZES)
    assert measured.exit_code == 0, measured.output
    names = ("toy-toy-max-40-target-10", "toy-toy-max-40-target-20", "toy-toy-max-40")
    oracles = [find_oracle(load_parts(), name) for name in names]
    assert [oracle.max_train_target for oracle in oracles] == [10, 20, None]
    assert all(name in measured.stdout and f"{name}.json" in measured.stderr for name in names)
    assert "0 are to be computed" in invoke(*MEASURE, *SIZES, "--dry-run").stdout
    trainings = [*home().rglob("training.json")]
    assert len(trainings) == 48
    (one,) = json.loads(f"[{invoke(*MEASURE, *SIZES[:3], 20, '--format', 'json').stdout}]")
    assert one["max_train_target"] == 20 and one["provenance"]["max_train"] == 40
    assert len(json.loads(invoke(*MEASURE, *SIZES, "--format", "json").stdout)) == 3
    named = invoke(*MEASURE, *SIZES[:3], "10,20", "--name", "mine")
    assert "mine-target-10.json" in named.stderr and "mine-target-20.json" in named.stderr


def test_a_failed_size_leaves_the_others(invoke, monkeypatch):
    train = ToyBackbone.train

    def fails_on_few(self, recipe, files, out, start=None):
        if recipe.max_train == 10:
            raise UnusableData("ten are too few.")
        return train(self, recipe, files, out, start)

    monkeypatch.setattr(ToyBackbone, "train", fails_on_few)
    failed = invoke(*MEASURE, *SIZES)
    assert failed.exit_code == 1 and "16 trainings failed" in failed.stderr and "ten are too few" in failed.stderr
    assert find_oracle(load_parts(), "toy-toy-max-40-target-20").max_train_target == 20
    with pytest.raises(UnknownName):
        find_oracle(load_parts(), "toy-toy-max-40-target-10")


@pytest.mark.parametrize("sizes", ["0", "ten", "10,,20", "-5"])
def test_sizes_that_are_none_are_refused(invoke, sizes):
    assert "is no list of whole numbers from 1" in line(invoke(*MEASURE, "--max-train-target", sizes), 2)
