"""The line of one run on the toys: what is computed, what is kept, and what a change computes again."""

import json
import sys
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
import pytest
from cogbench_estimators.baselines import Popularity, Random, Size
from cogbench_estimators.cnm import CNM
from cogbench_estimators.combined import CRAandCNM

from cogbench import Files, MissingData, Result, Store, Suite, UnknownName, UnusableData, hookimpl, load_parts, run
from cogbench.errors import FailedCells
from cogbench.testing import toys
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal

NAMES = tuple(t.name for t in TASKS)


@pytest.fixture
def parts(toy_plugin):
    return load_parts(toy_plugin)


@pytest.fixture
def ask(parts, tmp_path):
    """Run on the toys; every call shares one store."""

    def asked(estimator="dse", backbone="toy", **more):
        options = {"suite": "toy", "jobs": 0, "parts": parts, "files": Files(offline=True), **more}
        return run(estimator, backbone, store=Store(tmp_path / "store"), **options)

    return asked


def cells(result):
    return result.provenance.cells.computed, result.provenance.cells.cached


def test_a_run_ranks_and_scores(ask):
    (found,) = ask("cra")
    assert found.estimator == "cra" and found.targets == list(NAMES)
    assert found.scores.trs.chance == 2 and found.scores.metric.no_transfer == 0.5
    assert found.oracle.name == "toy-oracle" and not found.uses_oracle
    assert found.baselines["random"] == 2 and {*found.baselines} == {"random", "popularity", "size"}
    assert set(found.ranking["toy-a"]) == {"toy-b", "toy-c", "toy-d"}
    assert found.tasks["toy-d"].metric == "spearman" and found.tasks["toy-a"].learned
    assert found.provenance.data["toy-a"].rows == 60
    assert cells(found) == (9, 0)  # four trainings, four encodings, one matrix


def test_the_second_run_computes_nothing_even_where_training_would_raise(ask, monkeypatch):
    first = ask(["dse", "cra", "cnm"], set=("cnm.epochs=2", "cnm.seeds=5", "cnm.hidden=4"))

    def boom(*args, **kwargs):
        raise AssertionError("computed again")

    for verb in ("train", "represent"):
        monkeypatch.setattr(ToyBackbone, verb, boom)
    for estimator in load_parts().estimators.values():
        monkeypatch.setattr(type(estimator), "similarity", boom)
    second = ask(["dse", "cra", "cnm"], set=("cnm.epochs=2", "cnm.seeds=5", "cnm.hidden=4"))
    assert [r.similarity for r in second] == [r.similarity for r in first]
    assert all(r.provenance.cells.computed == 0 for r in second)


def test_one_changed_training_row_recomputes_what_depends_on_it(ask, monkeypatch):
    ask()
    load_as_it_is = toys.ToyTask.load

    def changed(self, split, files):
        dataset = load_as_it_is(self, split, files)
        if self.name != "toy-b" or split != "train":
            return dataset
        labels = [1 - dataset.columns["label"][0], *dataset.columns["label"][1:]]
        return replace(dataset, columns={**dataset.columns, "label": labels})

    monkeypatch.setattr(toys.ToyTask, "load", changed)
    (found,) = ask()
    # toy-b's training and encoding, and the matrix; the other trainings and encodings stay.
    assert cells(found) == (3, 6)


def test_one_changed_option_recomputes_what_depends_on_it(ask):
    ask(["cra", "dse"])
    first, second = ask(["cra", "dse"], set=("cra.similarity=spearman",))
    assert first.estimator == "cra[similarity=spearman]" and cells(first) == (1, 8)
    assert second.estimator == "dse" and cells(second) == (0, 9)


def test_other_responses_to_the_same_sentences_recompute_no_representation(ask, monkeypatch):
    few = ("cnm.epochs=2", "cnm.seeds=5", "cnm.hidden=4")
    ask("cnm", set=few)
    read = ToySignal.read

    def louder(self, files):
        recording = read(self, files)
        subjects = {s: replace(r, values=r.values * 2 + 1) for s, r in recording.subjects.items()}
        return replace(recording, subjects=subjects)

    monkeypatch.setattr(ToySignal, "read", louder)
    assert cells(ask("cnm", set=few)[0]) == (3, 8)  # a piece for each subject, and the matrix


def test_options_that_say_how_pieces_are_joined_share_them(ask):
    few = ("cnm.epochs=2", "cnm.hidden=4")

    def computed(*options):
        return cells(ask("cnm", set=(*few, *options))[0])[0]

    assert computed("cnm.seeds=5") == 11  # four trainings, four encodings, a piece for each of two subjects, the matrix
    assert computed("cnm.seeds=5", "cnm.average=vectors") == computed("cnm.seeds=5", "cnm.relative=tasks") == 1
    assert computed("cnm.seeds=5", "cnm.score=rho") == 3
    (result,) = ask("cnm", set=(*few, "cnm.seeds=5:6"))
    assert cells(result)[0] == 3  # two more pieces


SOURCE = """
from dataclasses import dataclass
import numpy as np
from cogbench import TaskMatrix

@dataclass(frozen=True)
class Counting:
    name: str = "counting"
    needs: frozenset = frozenset({"representations"})
    def similarity(self, evidence):
        n = len(evidence.tasks)
        return TaskMatrix.square(evidence.tasks, np.arange(n * n).reshape(n, n) * FACTOR)

FACTOR = 1
"""


def test_one_changed_line_of_the_defining_module_recomputes_what_depends_on_it(ask, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def counted(source):
        (tmp_path / "counting_plugin.py").write_text(source)
        sys.modules.pop("counting_plugin", None)
        import importlib

        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        module = importlib.import_module("counting_plugin")
        return ask(module.Counting())[0]

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert cells(counted(SOURCE)) == (9, 0)
    assert cells(counted(SOURCE)) == (0, 5)
    changed = counted(SOURCE.replace("FACTOR = 1", "FACTOR = 3"))
    assert cells(changed) == (1, 8)
    assert changed.similarity[0][1] == 3


def test_another_order_of_the_tasks_changes_no_key_but_the_order_of_the_result(ask):
    (first,) = ask()
    (turned,) = ask(tasks=NAMES[::-1])
    assert cells(turned) == (0, 5)
    assert turned.targets == list(NAMES[::-1])
    assert np.array_equal(turned.matrix.part(NAMES, NAMES).values, first.matrix.values, equal_nan=True)


def test_seeds_give_a_matrix_each_and_the_mean_is_scored(ask):
    (found,) = ask(seeds=(0, 1))
    assert len(found.by_seed) == 2
    mean = np.mean(np.array(found.by_seed, float), axis=0)
    assert np.allclose(np.array(found.similarity, float), mean, equal_nan=True)
    assert -1 < found.seed_floor < 1
    assert ask(seeds=(0,))[0].seed_floor is None


def test_seed_floor_is_the_correlation_of_rdms_between_seeds(ask, tmp_path):
    from scipy.spatial.distance import pdist

    from cogbench.compute.cells import Encoding
    from cogbench.compute.evidence import Similarity
    from cogbench.compute.workspace import Workspace

    (found,) = ask(seeds=(0, 1, 2))
    workspace = Workspace(Files(offline=True), Store(tmp_path / "store"))
    floor = []
    for task in TASKS:
        rdms = []
        for seed in (0, 1, 2):
            training = Similarity(
                load_parts().find("estimator", "dse"), ToyBackbone(), TASKS, ToySignal(), seed
            ).training(task)
            rdms.append(pdist(np.asarray(Encoding(training, ToySignal()).representations(workspace)), "correlation"))
        floor.append(np.corrcoef(rdms)[np.triu_indices(3, 1)].mean())
    assert found.seed_floor == pytest.approx(np.mean(floor), abs=1e-6)


def test_a_measured_oracle_comes_from_the_same_cells(ask):
    (found,) = ask(oracle="measured")
    # four trainings, twelve transfers, four encodings, one matrix
    assert cells(found) == (21, 0) and found.oracle.basis == "measured"
    assert 1 <= found.scores.trs.value <= 3
    assert cells(ask(oracle="measured", oracle_backbone=replace(ToyBackbone(), name="other"))[0]) == (16, 5)


def test_a_suite_whose_tasks_are_not_all_installed_says_which_can_be_run(toy_plugin):
    more = ModuleType("more")
    suite = Suite("more", (*NAMES[:3], "x", "y"), "toy")
    more.register_suites = hookimpl(lambda: [suite], specname="register_suites")
    told = "'more' holds tasks that no installed plugin gives: x, y; run the others with --tasks toy-a,toy-b,toy-c"
    with pytest.raises(UnknownName, match=told):
        run("dse", "toy", suite="more", parts=load_parts(toy_plugin, more))


def test_a_baseline_looks_at_no_data_and_no_model(ask, monkeypatch):
    def boom(*args, **kwargs):
        raise AssertionError("looked")

    monkeypatch.setattr(toys.ToyTask, "load", boom)
    monkeypatch.setattr(ToyBackbone, "origin", boom)
    found = {r.estimator: r for r in ask([Popularity(), Size(), Random()], jobs=2)}  # not in workers either
    assert found["popularity"].scores.trs.value == found["popularity"].baselines["popularity"]
    assert found["size"].scores.trs.value == found["size"].baselines["size"]
    assert [r for r in found if found[r].uses_oracle] == ["popularity"]
    assert all(cells(r) == (1, 0) and not r.provenance.data for r in found.values())


def test_a_baseline_of_a_measured_oracle_takes_its_cells(ask):
    first, second = ask([Popularity(), "cra"], oracle="measured")
    assert cells(first) == (17, 0) and first.uses_oracle
    assert first.scores.trs.value == second.baselines["popularity"]
    with pytest.raises(UnusableData, match="'popularity' ranks by an oracle, and none is known for backbone 'other'"):
        ask(Popularity(), backbone=replace(ToyBackbone(), name="other"))


def test_several_seeds_give_the_spread_of_every_score(ask):
    (found,) = ask(oracle="measured", seeds=(0, 1))
    assert found.scores.resampled.keys() >= {"trs", "spearman", "regret@1", "selected_gain"}
    assert all(spread >= 0 for spread in found.scores.resampled.values())
    assert ask(oracle="measured")[0].scores.resampled is not None  # of one seed, by its standard error
    assert ask()[0].scores.resampled is None


def test_a_combination_reads_the_matrices_of_its_members(ask, monkeypatch):
    quick = CRAandCNM(cnm=CNM(hidden=(4,), seeds=(5,), epochs=2))
    members = ask([quick.cra, quick.cnm])
    (both,) = ask(quick)
    assert cells(both) == (1, 6)  # its own matrix, from the members'; the four trainings tell what was learned
    mean = np.mean([r.matrix.values for r in members], axis=0)
    assert np.allclose(both.matrix.values, mean, equal_nan=True)
    monkeypatch.setattr(CNM, "similarity", lambda *a: 1 / 0)
    with pytest.raises(FailedCells, match="division by zero"):
        ask(replace(quick, cnm=replace(quick.cnm, epochs=3)))


def test_a_part_of_the_tasks_is_ranked_within_itself(ask):
    (found,) = ask(tasks=NAMES[:3])
    assert found.scores.trs.chance == 1.5
    assert max(found.oracle_ranks["toy-a"].values()) == 2


def test_without_an_oracle_the_ranking_is_printed_unscored(ask, parts):
    other = replace(ToyBackbone(), name="other")
    (found,) = ask(backbone=other)
    assert found.scores is None and found.oracle is None and found.ranking["toy-a"]


@dataclass(frozen=True)
class Broken:
    name: str = "broken"
    needs: frozenset = frozenset({"representations"})

    def similarity(self, evidence):
        raise RuntimeError("it broke\nin two lines")


def test_a_failed_cell_is_reported_and_the_others_are_saved(ask):
    with pytest.raises(FailedCells, match="broken on toy: RuntimeError: in two lines"):
        ask([Broken(), "dse"])
    assert cells(ask("dse")[0]) == (0, 5)


@pytest.mark.parametrize("part", [ToyBackbone, CNM])
def test_a_gpu_whose_memory_is_full_ends_in_one_line(ask, part, monkeypatch):
    torch = pytest.importorskip("torch")

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has …")

    monkeypatch.setattr(part, "train" if part is ToyBackbone else "cross_validate", full)
    with pytest.raises(FailedCells, match=r"on toy: the GPU has too little free memory. End what .*") as failure:
        ask("cnm", signal="toy")
    assert "\n" not in str(failure.value) and "GPU 0" not in str(failure.value)


@dataclass(frozen=True)
class Diverging(ToyBackbone):
    name: str = "diverging"

    def train(self, recipe, files, out, start=None):
        made = super().train(recipe, files, out, start)
        return replace(made, outputs=made.outputs * np.nan)


def test_a_training_that_diverged_fails(ask):
    with pytest.raises(FailedCells, match="diverged"):
        ask(backbone=Diverging())


@dataclass(frozen=True)
class Telling(ToyBackbone):
    name: str = "telling"

    def train(self, recipe, files, out, start=None):
        return replace(super().train(recipe, files, out, start), notes=("a text was cut",))


def test_what_a_training_tells_stands_in_the_result_and_comes_from_the_store_too(ask):
    for _ in range(2):
        (result,) = ask(backbone=Telling())
        assert [n for n in result.notes if "cut" in n] == [f"{t}: a text was cut" for t in sorted(result.targets)]


def test_a_signal_that_an_estimator_refuses_is_refused_before_any_training(ask, parts, monkeypatch):
    read = ToySignal.read

    def narrow(self, files):
        recording = read(self, files)
        cut = {s: replace(r, values=r.values[:, :2], channels=r.channels[:2]) for s, r in recording.subjects.items()}
        return replace(recording, subjects=cut)

    monkeypatch.setattr(ToySignal, "read", narrow)
    monkeypatch.setattr(ToyBackbone, "train", lambda *a, **k: pytest.fail("it trained"))
    with pytest.raises(UnusableData, match="cra"):
        ask("cnm")


def test_fewer_than_three_tasks_are_refused(ask):
    with pytest.raises(UnusableData, match="at least three tasks"):
        ask(tasks=NAMES[:2])
    with pytest.raises(UnusableData, match="each named once"):
        ask(tasks=(*NAMES[:2], NAMES[0]))


def test_the_suites_oracle_is_left_out_where_it_does_not_know_a_task(ask):
    other = replace(TASKS[0], name="toy-z", words=TASKS[0].words[:2])
    assert ask(tasks=[*NAMES[:2], other])[0].scores is None


def test_a_part_that_has_no_source_is_never_taken_from_the_store():
    from cogbench.parts.fingerprint import identity

    seen = []
    for source in (SOURCE, SOURCE.replace("FACTOR = 1", "FACTOR = 3")):
        module = ModuleType("typed_in")
        sys.modules["typed_in"] = module
        exec(source, module.__dict__)
        seen.append(module.Counting())
    assert identity(seen[0])["code"]["sha256"].startswith("process")
    assert identity(seen[0])["code"] != identity(seen[1])["code"]


def test_a_part_of_a_script_is_known_by_the_scripts_source(tmp_path):
    import subprocess

    seen = []
    for factor in (1, 3):
        (tmp_path / "script.py").write_text(
            SOURCE.replace("FACTOR = 1", f"FACTOR = {factor}")
            + "\nfrom cogbench.parts.fingerprint import identity\nprint(identity(Counting())['code']['sha256'])"
        )
        seen.append(subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True).stdout)
    assert len({*seen}) == 2 and all(len(s.strip()) == 16 for s in seen)


def test_results_of_other_signals_backbones_and_oracles_have_other_files(ask):
    (found,) = ask()
    others = [
        ask(signal=[replace(ToySignal(), sentences=30)])[0],
        ask(backbone=replace(ToyBackbone(), rate=0.04), oracle="toy-oracle")[0],
        ask(oracle="measured")[0],
    ]
    assert len({found.file_name, *(o.file_name for o in others)}) == 4


def test_an_oracle_without_a_task_says_which(ask, parts):
    part = parts.oracles["toy-oracle"].part(NAMES[:3])
    with pytest.raises(UnusableData, match="toy-d"):
        ask(oracle=part)


def test_missing_data_stop_the_run_before_any_work(ask, monkeypatch):
    def missing(self, split, files):
        raise MissingData("no data for toy-c")

    monkeypatch.setattr(toys.ToyTask, "load", missing)
    with pytest.raises(MissingData, match="toy-c"):
        ask()


def test_what_is_wrong_with_the_data_of_all_tasks_is_told_at_once(ask, monkeypatch):
    def wrong(self, split, files):
        if self.name in ("toy-b", "toy-d"):
            raise UnusableData(f"{self.name} has no rows.")
        return load(self, split, files)

    load = toys.ToyTask.load
    monkeypatch.setattr(toys.ToyTask, "load", wrong)
    with pytest.raises(UnusableData) as told:
        ask()
    assert str(told.value).splitlines() == ["toy-b has no rows.", "toy-d has no rows."]


def test_a_result_survives_its_file(ask, tmp_path):
    (found,) = ask(seeds=(0, 1))
    path = found.save(tmp_path / "results")
    again = Result.load(path)
    assert again == found and again.plain() == json.loads(path.read_text())
    assert path.name.startswith("dse--toy--toy--toy-oracle-")
    assert ask(seeds=(0,))[0].file_name != found.file_name
