"""Cells run inline and in worker processes, survive damage, death and interruption, and are never half-written."""

import importlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cogbench import Files, MissingData, Recipe, Settings, Store, UnusableData
from cogbench.compute.cells import Encoding, Training
from cogbench.compute.transfers import trainings
from cogbench.compute.workspace import Workspace
from cogbench.errors import FullDisk
from cogbench.parts import fingerprint
from cogbench.parts.codec import encode
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal
from cogbench.workers import cluster, engine, spread, worker


def workspace(folder):
    return Workspace(Files(offline=True), Store(folder))


def encodings(tasks=TASKS, backbone=None):
    return [Encoding(Training(backbone or ToyBackbone(), Recipe((t,))), ToySignal()) for t in tasks]


def test_the_plan_lists_inputs_first_and_leaves_out_what_only_finished_cells_need(tmp_path):
    here = workspace(tmp_path)
    missing, there = engine.plan(encodings(), here)
    assert len(missing) == 8 and not there
    for i, cell in enumerate(missing):
        assert all(missing.index(needed) < i for needed in cell.inputs(workspace))
    here.folder(missing[1])
    assert len(engine.plan(encodings(), here)[0]) == 6


def test_workers_give_what_inline_gives(tmp_path):
    told = []
    inline, spread = workspace(tmp_path / "a"), workspace(tmp_path / "b")
    engine.compute(encodings(), replace(inline, jobs=0))
    outcome = engine.compute(encodings(), replace(spread, jobs=2, progress=told.append))
    assert len(outcome.computed) == 8 and not outcome.failed
    assert [step.done for step in told] == [0, *range(9)]
    assert told[0].phase == "starting 2 workers, loading data" and not any(step.phase for step in told[1:])
    assert [step.running for step in told[1:6]] == [2, 2, 2, 2, 2]  # the worker that has just ended one has the next
    for cell in encodings():
        assert np.allclose(cell.representations(inline), cell.representations(spread))
    assert engine.compute(encodings(), replace(spread, jobs=2)).computed == set()


def test_a_worker_that_would_compute_another_cell_refuses_by_name(tmp_path):
    here, cell = workspace(tmp_path), encodings()[0].training
    asked = json.loads(json.dumps(here.ingredients(cell)))
    asked["cogbench"] = "0.0.9"
    request = {
        "cell": encode(cell),
        "ingredients": asked,
        "files": encode(here.files),
        "store": str(tmp_path),
        "cwd": ".",
    }
    with pytest.raises(UnusableData, match="cogbench is .* here, '0.0.9' where it was asked for"):
        worker.in_worker(json.dumps(request))


@pytest.fixture
def dask_cluster():
    """A scheduler without cluster."""
    from distributed import LocalCluster

    local = {"n_workers": 0, "host": cluster.HOST, "scheduler_port": 0, "dashboard_address": None}
    with LocalCluster(**local, threads_per_worker=1, silence_logs=logging.CRITICAL) as made:
        yield made


@pytest.fixture
def start_worker(tmp_path, dask_cluster):
    """Start worker processes of a scheduler by hand, with a folder of modules of their own."""
    started = []

    def start(modules, **env):
        path = os.pathsep.join([str(tmp_path / modules), os.environ.get("PYTHONPATH", "")])
        command = [
            sys.executable,
            "-m",
            "distributed.cli.dask_worker",
            dask_cluster.scheduler_address,
            "--nthreads",
            "1",
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        env = {**os.environ, **cluster.ENVIRONMENT, "PYTHONPATH": path, **env}
        started.append(subprocess.Popen([*command, "--no-nanny", "--no-dashboard"], env=env, cwd=tmp_path, **quiet))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def versions(tmp_path, monkeypatch):
    """Two versions of a backbone, of which the new one is here; it logs what it trains, and takes its time."""
    source = textwrap.dedent("""
        import os, time
        from cogbench.testing.toys import ToyBackbone

        class Own(ToyBackbone):
            def train(self, recipe, files, out, start=None):
                with open(os.environ["LOG"], "a") as log:
                    log.write(f"{recipe.task.name} {os.getpid()}\\n")
                time.sleep(float(os.environ.get("SLEEP", "0")))
                return super().train(recipe, files, out, start)
    """)
    for name, text in {"new": source, "old": f"{source}OLDER = True"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "own_versioned_backbone.py").write_text(text)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.syspath_prepend(tmp_path / "new")
    sys.modules.pop("own_versioned_backbone", None)
    own = importlib.import_module("own_versioned_backbone").Own()
    yield [Training(own, Recipe((t,))) for t in TASKS]
    sys.modules.pop("own_versioned_backbone", None)


def test_workers_with_another_version_are_left_out_by_name(tmp_path, caplog, dask_cluster, start_worker, versions):
    address = dask_cluster.scheduler_address
    start_worker("old")
    with pytest.raises(UnusableData, match="no worker is left: it would compute another cell: backbone.code.s"):
        engine.compute(versions, replace(workspace(tmp_path / "a"), scheduler=address))
    start_worker("new")
    dask_cluster.wait_for_workers(2)
    outcome = engine.compute(versions, replace(workspace(tmp_path / "b"), scheduler=address))
    # The newer worker runs what it has loaded, whatever stands on disk by now.
    with open(tmp_path / "new" / "own_versioned_backbone.py", "a") as file:
        file.write("NEWER = True")
    with pytest.raises(UnusableData, match="no worker is left"):
        engine.compute(versions, replace(workspace(tmp_path / "c"), scheduler=address))
    assert outcome.computed == {*versions} and not outcome.failed
    assert sum("is left out: it would compute another cell" in r.message for r in caplog.records) == 4


def test_a_worker_may_die_and_come_back_where_another_was_left_out(tmp_path, dask_cluster, start_worker, versions):
    log, done = tmp_path / "log", []
    start_worker("old")
    good = start_worker("new", SLEEP="60")
    dask_cluster.wait_for_workers(2)
    here, address = workspace(tmp_path / "store"), dask_cluster.scheduler_address
    run = threading.Thread(
        target=lambda: done.append(engine.compute(versions, replace(here, scheduler=address))), daemon=True
    )
    run.start()
    _until(log.is_file)
    good.kill()
    time.sleep(2)  # there is none but the one that was left out
    start_worker("new")
    run.join(60)
    assert done and done[0].computed == {*versions} and not done[0].failed


def test_two_runs_on_one_scheduler_do_not_meet(tmp_path, dask_cluster, start_worker, versions):
    start_worker("new", SLEEP="0.5")
    done, address = [], dask_cluster.scheduler_address
    both = [
        threading.Thread(
            target=lambda of: done.append(engine.compute(versions, replace(of, scheduler=address))),
            args=[workspace(tmp_path / name)],
            daemon=True,
        )
        for name in "ab"
    ]
    for run in both:
        run.start()
    for run in both:
        run.join(60)
    assert len(done) == 2 and all(outcome.computed == {*versions} for outcome in done)


def test_a_scheduler_that_loses_its_workers_is_told_and_waited_for(
    tmp_path, monkeypatch, caplog, dask_cluster, start_worker, versions
):
    monkeypatch.setattr(spread, "WATCH", 0.2)
    first, done, address = start_worker("new", SLEEP="60"), [], dask_cluster.scheduler_address
    dask_cluster.wait_for_workers(1)
    here = workspace(tmp_path / "store")
    run = threading.Thread(
        target=lambda: done.append(engine.compute(versions, replace(here, scheduler=address))), daemon=True
    )
    run.start()
    _until((tmp_path / "log").is_file)
    assert "has no workers" not in caplog.text
    first.kill()
    _until(lambda: "has no workers: waiting for one" in caplog.text)
    start_worker("new")
    run.join(60)
    assert done and done[0].computed == {*versions}


@dataclass(frozen=True)
class Large(ToyBackbone):
    """Writes a megabyte."""

    def train(self, recipe, files, out, start=None):
        (out / "weights").write_bytes(bytes(2**20))
        return super().train(recipe, files, out, start)


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_training_that_will_not_fit_on_the_disk_is_not_begun(tmp_path, monkeypatch, jobs):
    here, asked, told = workspace(tmp_path), [Training(Large(), Recipe((t,))) for t in TASKS], []
    used = lambda self: sum(p.stat().st_size for p in tmp_path.rglob("weights"))  # noqa: E731
    monkeypatch.setattr(Store, "free", lambda self: 3.5 * 2**20 - used(self))
    monkeypatch.setattr("cogbench.storage.disk.LEAST_FREE", 0)
    with pytest.raises(FullDisk, match="is full: make room"):
        engine.compute(asked, replace(here, jobs=jobs, progress=told.append))
    assert told[-1].done == 3 and [here.has(cell) for cell in asked].count(True) == 3


def test_little_room_makes_workers_fewer_before_the_run_ends(tmp_path):
    here, asked = workspace(tmp_path), [Training(ToyBackbone(), Recipe((t,))) for t in TASKS]
    here.folder(asked[0])
    room = spread.DiskRoom(here, asked[:1])
    size = here.store.size(asked[0].place, here.key(asked[0]))
    assert size == sum(p.stat().st_size for p in here.folder(asked[0]).rglob("*.*") if p.name != "cell.json")
    here.store.free = lambda: 2 * size
    assert not room.lacks(asked[1]) and not room.lacks(asked[1], [asked[2]])
    assert room.lacks(asked[1], asked[2:4]) and not room.lacks(Training(Taught(), Recipe((TASKS[0],))))


@dataclass(frozen=True)
class Filling(ToyBackbone):
    """Finds the disk full at one task, and is slow at another."""

    def train(self, recipe, files, out, start=None):
        if recipe.task.name == "toy-a":
            raise OSError(28, "No space left on device")
        time.sleep(1)
        return super().train(recipe, files, out, start)


def test_where_one_finds_the_disk_full_the_others_end_what_they_have_begun(tmp_path):
    here, asked = workspace(tmp_path), [Training(Filling(), Recipe((t,))) for t in TASKS[:2]]
    with pytest.raises(FullDisk, match="is full: make room"):
        engine.compute(asked, replace(here, jobs=2))
    assert [here.has(cell) for cell in asked] == [False, True]


def test_the_code_of_a_part_is_read_once_for_a_plan_and_little_is_kept_of_a_cell(tmp_path, monkeypatch, versions):
    read, whole = [], fingerprint._code
    monkeypatch.setattr(fingerprint, "_code", lambda cls: read.append(cls) or whole(cls))
    own, here = versions[0].backbone, workspace(tmp_path)
    cells = [Training(own, Recipe((t,), seed=s)) for s in range(250) for t in TASKS]
    tracemalloc.start()
    missing, _ = engine.plan(cells, here)
    ours = tracemalloc.Filter(
        True, str(Path(engine.__file__).parents[1] / "*")
    )  # not what threads of dask do meanwhile
    kept = sum(s.size for s in tracemalloc.take_snapshot().filter_traces([ours]).statistics("filename"))
    tracemalloc.stop()
    assert len(missing) == 1000 and len(read) == 1
    assert kept < 1000 * 1000  # bytes


def test_a_cell_that_another_machine_has_finished_meanwhile_is_taken(tmp_path):
    here, cell = workspace(tmp_path / "a"), encodings()[0].training
    key, made = here.key(cell), workspace(tmp_path / "b").folder(cell)

    def fill(out):
        shutil.copytree(made, here.store.folder(cell.place, key))  # where locks do not reach it
        (out / "half").write_text("ours")

    assert here.store.write(cell.place, key, here.ingredients(cell), fill) == here.store.read(cell.place, key)
    assert not [*(tmp_path / "a" / ".tmp").iterdir()]


def test_what_is_set_aside_too_late_comes_back(tmp_path, caplog):
    here, cell = workspace(tmp_path), encodings()[0].training
    whole = here.folder(cell)
    here.store._set_aside(whole, here.key(cell), "it was damaged when it was looked at")
    assert here.has(cell) and not caplog.text


@pytest.mark.parametrize("harm", ["truncate", "change", "remove", "record"])
def test_a_damaged_cell_is_set_aside_computed_again_and_said(tmp_path, caplog, harm):
    cell, here = encodings()[0], workspace(tmp_path)
    first = np.array(cell.representations(here))
    file = here.folder(cell) / ("cell.json" if harm == "record" else "representations.npy")
    held = file.read_bytes()
    if harm == "remove":
        file.unlink()
    else:
        file.write_bytes(held[:-5] if harm != "change" else held[:-5] + bytes(5))
    again = workspace(tmp_path)
    assert np.array_equal(cell.representations(again), first)
    assert "is damaged" in caplog.text and "computed again" in caplog.text
    assert len(list((tmp_path / ".damaged").iterdir())) == 1


def test_a_cell_that_fails_leaves_nothing_behind(tmp_path):
    @dataclass(frozen=True)
    class Full(ToyBackbone):
        def train(self, recipe, files, out, start=None):
            (out / "half").write_text("half a model")
            raise OSError(28, "No space left on device")

    here, told = workspace(tmp_path), []
    with pytest.raises(FullDisk, match="is full: make room"):
        engine.compute(encodings(TASKS, Full()), replace(here, jobs=0, progress=told.append))
    assert len(told) == 1  # the first one is the last that was begun
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and not {".locks", ".runs"} & {*p.parts}]


def test_two_at_once_train_once(tmp_path):
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from cogbench import Files, Recipe, Store
        from cogbench.compute.cells import Training
        from cogbench.compute.workspace import Workspace
        from cogbench.testing.toys import TASKS, ToyBackbone
        train = ToyBackbone.train
        def slow(self, *a, **k):
            print("trained", flush=True)
            time.sleep(0.5)
            return train(self, *a, **k)
        ToyBackbone.train = slow
        Workspace(Files(offline=True), Store(Path(sys.argv[1]))).folder(Training(ToyBackbone(), Recipe(TASKS[:1])))
    """)
    both = [
        subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    printed = "".join(p.communicate()[0] for p in both)
    assert printed.count("trained") == 1 and all(p.returncode == 0 for p in both)


SLOW = """
    import signal, sys
    from pathlib import Path
    import cogbench.workers.engine as engine
    from cogbench import Files, Recipe, Store
    from cogbench.compute.cells import Training
    from cogbench.compute.workspace import Workspace
    from cogbench.testing.toys import TASKS, ToyBackbone
    from slow_toy import Slow

    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
    cells = [Training(Slow(), Recipe((t,))) for t in TASKS]
    outcome = engine.compute(cells, Workspace(Files(offline=True), Store(Path(sys.argv[1])), jobs=2))
    print("failed", sorted(c.recipe.task.name for c in outcome.failed), flush=True)
"""
SLOW_TOY = """
    import os, time
    from dataclasses import dataclass
    from pathlib import Path
    from cogbench.testing.toys import ToyBackbone

    @dataclass(frozen=True)
    class Slow(ToyBackbone):
        def train(self, recipe, files, out, start=None):
            with open(os.environ["LOG"], "a") as log:
                log.write(f"{recipe.task.name} {os.getpid()}\\n")
            if recipe.task.name != os.environ.get("QUICK"):
                time.sleep(float(os.environ.get("SLEEP", "0")))
            if os.environ.get("DEADLY") == recipe.task.name:
                os._exit(9)
            return super().train(recipe, files, out, start)
"""


def test_a_part_that_a_script_defines_is_computed_in_the_process_of_the_script(tmp_path):
    script, log = tmp_path / "script.py", tmp_path / "log"
    script.write_text(textwrap.dedent(SLOW).replace("from slow_toy import Slow\n", textwrap.dedent(SLOW_TOY)))
    process = subprocess.Popen(
        [sys.executable, script, tmp_path / "store"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LOG": str(log)},
    )
    printed, said = process.communicate(timeout=120)
    assert printed == "failed []\n" and process.returncode == 0
    assert {int(line.split()[1]) for line in log.read_text().splitlines()} == {process.pid}
    assert said.count("class Slow is defined in a script, and workers cannot import it") == 1


def test_workers_do_not_run_the_script(slow, tmp_path):
    process, log = slow()
    printed, _ = process.communicate(timeout=120)
    assert printed == "failed []\n" and process.returncode == 0  # printed once: the script has no guard
    pids = {int(line.split()[1]) for line in log.read_text().splitlines()}
    assert process.pid not in pids and len(log.read_text().splitlines()) == len(TASKS)


def test_the_longest_training_is_begun_first(tmp_path):
    (tmp_path / "slow_toy.py").write_text(textwrap.dedent(SLOW_TOY))
    text = textwrap.dedent(SLOW)
    sized = "Recipe((__import__('dataclasses').replace(t, rows=20 * i),))) for i, t in enumerate(TASKS, 1)"
    text = text.replace("Recipe((t,))) for t in TASKS", sized).replace("jobs=2", "jobs=1")
    (script := tmp_path / "script.py").write_text(text)
    log = tmp_path / "log"
    env = {**os.environ, "LOG": str(log), "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, script, tmp_path / "store"], env=env, check=True)
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["toy-d", "toy-c", "toy-b", "toy-a"]


@pytest.fixture
def slow(tmp_path):
    """Start a run of four slow trainings on two workers; returns the process and the log of trainings begun."""
    (tmp_path / "slow_toy.py").write_text(textwrap.dedent(SLOW_TOY))
    (tmp_path / "main.py").write_text(textwrap.dedent(SLOW))
    log = tmp_path / "log"
    log.touch()

    def start(**env):
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, str(tmp_path / "main.py"), str(tmp_path / "store")]
        environment = {**os.environ, "LOG": str(log), "PYTHONPATH": path, **env}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment), log

    return start


def _until(truth, seconds=60):
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def test_a_worker_that_dies_costs_its_cell_a_retry_and_no_other_cell(slow):
    process, log = slow(DEADLY="toy-b")
    printed, _ = process.communicate(timeout=120)
    assert "failed ['toy-b']" in printed
    begun = [line.split()[0] for line in log.read_text().splitlines()]
    assert begun.count("toy-b") == 2 and {*begun} == {"toy-a", "toy-b", "toy-c", "toy-d"}


def test_an_interrupted_run_keeps_what_is_finished_and_leaves_no_process(slow, tmp_path):
    process, log = slow(SLEEP="60", QUICK="toy-a")
    finished = lambda: len(list((tmp_path / "store").glob("toy/*/seed-0-*/cell.json")))  # noqa: E731
    _until(finished)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    pids = {int(line.split()[1]) for line in log.read_text().splitlines()}
    _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 30)
    assert finished() == 1
    begun = len(log.read_text().splitlines())
    process, _ = slow()
    assert "failed []" in process.communicate(timeout=120)[0]
    assert len(log.read_text().splitlines()) - begun == 3


def test_workers_end_when_their_parent_is_killed(slow):
    process, log = slow(SLEEP="30")
    _until(lambda: len(log.read_text().splitlines()) == 2)
    process.kill()
    process.communicate()
    pids = {int(line.split()[1]) for line in log.read_text().splitlines()}
    _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 30)


def test_keys_are_the_same_in_every_process(tmp_path):
    script = (
        "from cogbench import Files, Recipe, Store; from cogbench.compute.cells import *;"
        "from cogbench.compute.workspace import *; from cogbench.testing.toys import *;"
        "cell = Encoding(Training(ToyBackbone(), Recipe(TASKS[:1])), ToySignal());"
        "print(Workspace(Files(offline=True), Store('x')).key(cell))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1] and len(runs[0].strip()) == 64


def test_a_transfer_keeps_its_scores_and_drops_its_weights(tmp_path):
    here = workspace(tmp_path)
    alone = Training(ToyBackbone(), Recipe(TASKS[:1]))
    transfer = Training(ToyBackbone(), replace(Recipe(TASKS[1:2]), start=alone.recipe))
    assert transfer.place == "toy/toy-b-after-toy-a/seed-0"
    assert transfer.score(here).per_example.shape == (60,)
    assert (here.folder(alone) / "model").is_dir() and not (here.folder(transfer) / "model").exists()


def test_a_transfer_that_is_asked_to_keeps_its_weights_and_is_the_same_cell(tmp_path):
    here, there = workspace(tmp_path / "kept"), workspace(tmp_path / "dropped")
    dropped = trainings(ToyBackbone(), TASKS, 0, None)["toy-a", "toy-b"]
    kept = trainings(ToyBackbone(), TASKS, 0, None, keep=True)["toy-a", "toy-b"]
    assert not engine.compute([kept], replace(here, jobs=1)).failed  # the wish crosses to workers
    assert (here.folder(kept) / "model").is_dir() and here.key(kept) == there.key(dropped) and here.has(dropped)


def test_what_a_killed_process_left_of_a_cell_goes_when_the_cell_is_computed(tmp_path):
    here, cell = workspace(tmp_path), Training(ToyBackbone(), Recipe(TASKS[:1]))
    other, left = here.store.draft("f" * 64), here.store.draft(here.key(cell))
    for folder in (left, other):
        (folder / "model").mkdir(parents=True)
    here.folder(cell)
    assert not left.exists() and other.exists()


def test_a_worker_that_cannot_read_what_is_asked_for_refuses(tmp_path, monkeypatch):
    (tmp_path / "broken_plugin_here.py").write_text("def (")
    monkeypatch.syspath_prepend(tmp_path)
    here, cell = workspace(tmp_path), Training(ToyBackbone(), Recipe(TASKS[:1]))
    broken = ({"is": f"{module}:Backbone"} for module in ("not_installed_here", "broken_plugin_here"))
    for change in (*broken, {"fields_of_another_version": 1}):
        asked = json.loads(worker.request(cell, here))
        asked["cell"]["backbone"] |= change
        with pytest.raises(worker.Refusal, match="it cannot read what is asked for .*; install the same versions"):
            worker.in_worker(json.dumps(asked))


def test_paths_are_relative_to_where_the_run_was_begun(tmp_path, monkeypatch):
    (tmp_path / "run" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "run")
    here, cell = Workspace(Files(Path("data"), offline=True), Store(Path("store"))), encodings()[0].training
    request = worker.request(cell, here)
    asking = "import sys; from cogbench.workers.worker import in_worker; print(in_worker(sys.argv[1]))"
    said = subprocess.run([sys.executable, "-c", asking, request], cwd="/", capture_output=True, text=True, check=True)
    assert said.stdout == "True\n" and here.has(cell)


def test_workers_of_another_store_and_a_scheduler_without_workers_are_told(tmp_path, monkeypatch, caplog, dask_cluster):
    asked = worker.request
    elsewhere = lambda cell, here: json.dumps(json.loads(asked(cell, here)) | {"store": str(tmp_path / "else")})  # noqa: E731
    monkeypatch.setattr(spread, "request", elsewhere)
    monkeypatch.setattr(spread, "ARRIVAL", 0)
    assert cluster.count(dask_cluster.scheduler_address) == 0
    timer = threading.Timer(2, dask_cluster.scale, [1])
    timer.start()
    with pytest.raises(MissingData, match="a worker has finished toy/toy-[a-d]/seed-0, but it is not in the store"):
        engine.compute(
            [e.training for e in encodings()], replace(workspace(tmp_path), scheduler=dask_cluster.scheduler_address)
        )
    assert "has no workers: waiting for one" in caplog.text


@dataclass(frozen=True)
class Taught(ToyBackbone):
    """Answers one more than its teacher, a plain backbone whose own `train` knows no teacher."""

    name: str = "taught"
    teacher: ToyBackbone = ToyBackbone("master", rate=0.1)

    def train(self, recipe, files, out, start=None, *, teacher=None):
        if recipe.task.name == "toy-d":
            raise OSError("it does not want to learn")
        return replace(super().train(recipe, files, out, start), outputs=teacher.outputs + 1)


def test_a_teacher_is_trained_first_and_once_for_all_transfers_to_a_task(tmp_path):
    here, taught = workspace(tmp_path), Taught()
    a, b, c, d = (Recipe((t,), seed=2, max_train=30) for t in TASKS)
    cells = [Training(taught, replace(c, start=start)) for start in (a, b, d)]
    missing, _ = engine.plan(cells, here)
    masters = [Training(taught.teacher, r) for r in (a, b, c, d)]
    assert {*missing} == {*cells, *masters, *(Training(taught, r) for r in (a, b, d))} and len(missing) == 10
    assert all(missing.index(needed) < i for i, cell in enumerate(missing) for needed in cell.inputs(workspace))
    outcome = engine.compute(cells, replace(here, jobs=0))
    assert {*outcome.failed} == {Training(taught, d), cells[2]}
    of_teacher = masters[2].checkpoint(here).outputs
    for cell in cells[:2]:
        assert np.array_equal(np.load(here.folder(cell) / "outputs.npy"), of_teacher + 1)


def test_a_cell_that_fails_leaves_its_log_and_the_run_goes_on(tmp_path):
    @dataclass(frozen=True)
    class Odd(ToyBackbone):
        def train(self, recipe, files, out, start=None):
            if recipe.task.name == "toy-b":
                raise ZeroDivisionError("odd\nin two lines")
            return super().train(recipe, files, out, start)

    here, told = workspace(tmp_path), []
    outcome = engine.compute(encodings(backbone=Odd()), replace(here, jobs=0, progress=told.append))
    (cell,) = (c for c in outcome.failed if isinstance(c, Training))
    assert "Traceback" in outcome.logs[cell].read_text() and "ZeroDivisionError" in outcome.logs[cell].read_text()
    assert outcome.reason(cell) == f"ZeroDivisionError: in two lines (its log: {outcome.logs[cell]})"
    assert (told[-1].done, told[-1].failed, told[-1].total, round(told[-1].share, 6)) == (8, 2, 8, 1)


def test_what_a_failed_cell_fails_is_told_with_workers_too(tmp_path):
    told, missing = [], encodings(backbone=Taught())
    outcome = engine.compute(missing, replace(workspace(tmp_path), jobs=2, progress=told.append))
    assert {c.place for c in outcome.failed} == {"taught/toy-d/seed-0", "taught/toy-d/seed-0/stimuli-toy"}
    assert len({*outcome.failed.values()}) == 1  # the encoding was not tried by itself
    assert (told[-1].done, told[-1].failed, told[-1].total) == (12, 2, 12)  # with the four teachers


def test_what_another_run_computes_is_left_to_it_while_there_is_other_work(tmp_path):
    here, cells = workspace(tmp_path), [Training(ToyBackbone(), Recipe((t,))) for t in TASKS]
    key = here.key(cells[0])
    assert not here.store.busy(key)
    with here.store._lock(key):
        holder = (
            "import sys; from pathlib import Path; from cogbench import Store;"
            "print(Store(Path(sys.argv[1])).busy(sys.argv[2]))"
        )
        said = subprocess.run([sys.executable, "-c", holder, tmp_path, key], capture_output=True, text=True, check=True)
        request = worker.request(cells[0], here)
        assert said.stdout.strip() == "True"
    assert not here.store.busy(key)
    with here.store._lock(key):
        asking = "import sys; from cogbench.workers.worker import in_worker; print(in_worker(sys.argv[1], False))"
        said = subprocess.run([sys.executable, "-c", asking, request], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False" and not here.has(cells[0])
    assert worker.in_worker(request, False) and here.has(cells[0])


def test_each_worker_sees_one_gpu_in_turn(tmp_path, monkeypatch):
    from distributed import Client

    monkeypatch.setattr(cluster, "gpus", lambda: ["4", "7"])
    with cluster.local_cluster(3) as made:
        options = [spec["options"] for spec in made.worker_spec.values()]
    assert [o["env"]["CUDA_VISIBLE_DEVICES"] for o in options] == ["4", "7", "4"]
    assert all(o["resources"] == {"GPU": 1} for o in options)
    asked, submit = [], Client.submit
    monkeypatch.setattr(Client, "submit", lambda *a, **k: asked.append(k["resources"]) or submit(*a, **k))
    outcome = engine.compute(
        [Training(ToyBackbone(), Recipe((t,))) for t in TASKS], replace(workspace(tmp_path), jobs=2)
    )
    assert len(outcome.computed) == 4 and asked == [{"GPU": 1}] * 4


def test_workers_do_not_spend_their_time_on_watching_themselves():
    with cluster.client_of(1, None) as (client, _):
        (found,) = client.run(
            lambda dask_worker: {k: c.callback_time for k, c in dask_worker.periodic_callbacks.items()}
        ).values()
    assert "profile" not in found and min(found["tick"], found["monitor"]) >= 1000  # milliseconds


def test_trainings_in_large_batches_get_fewer_workers(tmp_path, monkeypatch):
    import psutil

    monkeypatch.setattr(cluster, "gpus", list)
    monkeypatch.setattr("dask.system.CPU_COUNT", 64)
    monkeypatch.setattr("distributed.system.MEMORY_LIMIT", 64 * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=32 * 2**30))
    here, small = workspace(tmp_path), Settings(epochs=1, batch_size=1, learning_rate=1e-3)
    few, many = (
        Training(ToyBackbone(), Recipe((TASKS[0],), settings=s)) for s in (small, replace(small, batch_size=999))
    )
    assert many.tokens(here) > 900 * few.tokens(here)
    assert spread.workers_for([few], here) == 15 and 1 <= spread.workers_for([few, many], here) < 8


def test_the_gpus_are_those_that_may_be_used(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert cluster.gpus() == ["0", "1"] and cluster.fitting() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,3")
    assert cluster.gpus() == ["5", "3"]


def test_what_is_said_of_a_worker_that_died_is_told(tmp_path):
    from distributed import KilledWorker

    error = spread._explain(
        KilledWorker("toy", None, 1), ["Worker process 7 was killed by signal 9", "Restarting worker"]
    )
    assert "2 worker processes died" in str(error) and "killed by signal 9" in str(error)
