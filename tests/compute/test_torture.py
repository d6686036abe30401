"""An oracle that is killed, starved of disk, shared and measured twice at once is the undisturbed one, bit for bit.

A transformer is killed each day. The other harms, which are the engine's to survive, a toy meets each day, whose worker
starts in a second, and the transformer in `make torture`.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

pytestmark = pytest.mark.timeout(900)  # a busy machine is slow
PART = ("mini-sst-2", "mini-sts-b", "mini-conll-2003")  # a kind of each
OF_ONE_TEXT = ("mini-sst-2", "mini-sts-b", "mini-cola")  # what the toy can learn

# What is measured, with a line in a log for each training that is begun.
MEASURE = """
    import os
    from dataclasses import replace
    from cogbench import Files, load_parts
    from cogbench.compute.workspace import Workspace
    from cogbench.runs.measure_oracle import measure_transfers, resolve_transfers
    from cogbench.storage.remote_store import open_store
    from logged import logged

    if __name__ == "__main__":
        parts, names, n = load_parts(), os.environ["TASKS"].split(), int(os.environ["EXAMPLES"])
        few = [replace(parts.tasks[name], evaluation_rows=100) for name in names]
        transfers, name = resolve_transfers(parts, logged(), suite="mini", tasks=few or None, max_train=n or None)
        how = {"scheduler": os.environ["SCHEDULER"]} if "SCHEDULER" in os.environ else {"jobs": int(os.environ["JOBS"])}
        measure_transfers(transfers, "tortured", Workspace(Files(offline=True), open_store(), **how))
"""
LOGGED = """
    import os, time
    from dataclasses import dataclass, fields, replace
    from cogbench import load_parts
    from cogbench.testing.toys import ToyBackbone
    from cogbench_backbones.huggingface import HuggingFace

    def begin(recipe):
        with open(os.environ["LOG"], "a") as log:
            log.write(f"{recipe.start.task.name if recipe.start else '-'}>{recipe.task.name}\\n")

    @dataclass(frozen=True)
    class Logged(HuggingFace):
        def settings(self, kind, n_examples):
            usual = super().settings(kind, n_examples)
            return replace(usual, epochs=1, min_steps=0) if os.environ["EXAMPLES"] != "0" else usual

        def train(self, recipe, files, out, start=None):
            begin(recipe)
            return super().train(recipe, files, out, start)

    @dataclass(frozen=True)
    class LoggedToy(ToyBackbone):  # it takes half a second and 10 MB, once all who are to share the work are there
        def train(self, recipe, files, out, start=None):
            begin(recipe)
            while not all(map(os.path.exists, os.environ.get("TOGETHER", "").split())):
                time.sleep(0.05)
            time.sleep(0.5)
            (out / "weights").write_bytes(bytes(10 * 2**20))
            return super().train(recipe, files, out, start)

    def logged():
        if os.environ["BACKBONE"] == "toy":
            return LoggedToy()
        plain = load_parts().find("backbone", "minilm-2l")
        return Logged(**{f.name: getattr(plain, f.name) for f in fields(plain)})
"""
EACH_BACKBONE = pytest.mark.parametrize("backbone", ["toy", pytest.param("minilm-2l", marks=pytest.mark.torture)])


class Measuring:
    """Runs of one oracle in one home."""

    def __init__(self, folder, tasks=None, examples=64, backbone="minilm-2l"):
        self.home, self.log, self.backbone = folder / "home", folder / "log", backbone
        tasks = (OF_ONE_TEXT if backbone == "toy" else PART) if tasks is None else tasks
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "logged.py").write_text(textwrap.dedent(LOGGED))
        (folder / "main.py").write_text(textwrap.dedent(MEASURE))
        self.main = folder / "main.py"
        self.environment = {
            **os.environ,
            "COGBENCH_HOME": str(self.home),
            "LOG": str(self.log),
            "BACKBONE": backbone,
            "JOBS": "2",
            "TASKS": " ".join(tasks),
            "EXAMPLES": str(examples),
            "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        }
        self.n = len(tasks or range(12)) ** 2

    def start(self, **env):
        command = [sys.executable, self.main]
        return subprocess.Popen(command, env=self.environment | env, stderr=subprocess.PIPE, text=True)

    def finish(self, **env):
        process = self.start(**env)
        _, said = process.communicate(timeout=3000)
        assert process.returncode == 0, said

    def begun(self):
        return Counter(self.log.read_text().split()) if self.log.exists() else Counter()

    def done(self):
        return len([*self.home.glob(f"{self.backbone}/*/seed-0-*/cell.json")])

    def oracle(self):
        """The table, and the checksum of what each trained model answers."""
        held = json.loads((self.home / "oracles" / "tortured.json").read_text())
        records = [json.loads(p.read_text()) for p in sorted(self.home.glob(f"{self.backbone}/*/seed-0-*/cell.json"))]
        answers = [record["files"]["outputs.npy"]["sha256"] for record in records]
        assert len(answers) == self.n
        return [{k: v for k, v in held.items() if k != "provenance"}, answers]


def undisturbed(backbone, base):
    """Return the oracle that nothing disturbs: measured by the first process that asks, for all."""
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"undisturbed-{backbone}"
    with FileLock(f"{folder}.lock"):
        run = Measuring(folder, backbone=backbone)
        if not (folder / "home" / "oracles" / "tortured.json").exists():
            run.finish(JOBS="0")
            assert set(run.begun().values()) == {1} and len(run.begun()) == run.n
        return run.oracle()


@pytest.fixture
def run(tmp_path, backbone):
    return Measuring(tmp_path, backbone=backbone)


@pytest.fixture
def calm(backbone, tmp_path_factory):
    """What nothing disturbs."""
    return undisturbed(backbone, tmp_path_factory.getbasetemp())


def workers_of(process):
    """The worker processes of a run, not those that keep them."""
    found = []
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):  # of one that has just died
                found += [child] * ("spawn_main" in " ".join(child.cmdline()))
    return found


def until(truth, seconds=600):
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def killed(run, rng, rounds, apart=1):
    """Kill a worker, then the parent, at moments some trainings apart; return how many may have been cut short."""
    cut = 0
    for _ in range(rounds):
        process, enough = run.start(), run.begun().total() + rng.randint(1, apart)
        until(lambda: process.poll() is not None or run.begun().total() >= enough)  # noqa: B023
        time.sleep(rng.uniform(0, 2))
        for victim in rng.sample(found, 1) if (found := workers_of(process)) else []:
            with suppress(psutil.Error):
                victim.kill()
                cut += 1
        time.sleep(rng.uniform(0, 2))
        left = workers_of(process)
        if process.poll() is None:
            cut += len(left)
            process.kill()
        process.communicate()
        until(lambda: not any(p.is_running() for p in left))  # noqa: B023
    return cut


def same(run, calm, cut=0):
    """Whether the oracle is the undisturbed one, and nothing was trained more often than was cut short."""
    assert run.oracle() == calm
    begun = run.begun()
    assert len(begun) == run.n and sum(begun.values()) - run.n <= cut, begun
    assert not [*(run.home / ".damaged").glob("*")]


@pytest.mark.parametrize("backbone", ["minilm-2l"])
def test_killed_again_and_again(run, calm):
    cut = killed(run, random.Random(0), rounds=1)
    run.finish(JOBS="0")
    assert cut
    same(run, calm, cut)


@EACH_BACKBONE
def test_two_at_once_share_the_work(run, calm):
    logs = [f"{run.log}-{i}" for i in (1, 2)]
    both = [run.start(LOG=log, TOGETHER=" ".join(logs)) for log in logs]
    said = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    begun = [Path(log).read_text() for log in logs]
    assert all(log.count(">") >= 2 for log in begun), "one of them did nothing"
    run.log.write_text("".join(begun))
    same(run, calm)


FULL_DISK = """
    set -e
    mkdir -p "$COGBENCH_HOME"
    mount -t tmpfs -o size="$ROOM" tmpfs "$COGBENCH_HOME" || exit 99
    "$PYTHON" "$MAIN" && exit 98
    ls "$COGBENCH_HOME/$BACKBONE" > "$OUT.before"
    mount -o remount,size=2G "$COGBENCH_HOME"
    "$PYTHON" "$MAIN"
    mkdir "$OUT"
    cd "$COGBENCH_HOME"
    cp -r oracles "$OUT"
    find $BACKBONE -name cell.json -exec cp --parents {} "$OUT" ";"
"""


def full_disk(run, room):
    """Measure on a small disk until it is full, then on a larger one; return what was said the first time."""
    out = run.home.parent / "kept"
    more = {"ROOM": room, "PYTHON": sys.executable, "MAIN": str(run.main), "OUT": str(out)}
    command = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", textwrap.dedent(FULL_DISK)]
    done = subprocess.run(command, env=run.environment | more, capture_output=True, text=True, timeout=3000)
    if done.returncode == 99 or "unshare failed" in done.stderr:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()[-100:]}")
    assert done.returncode == 0, done.stderr
    shutil.copytree(out, run.home, dirs_exist_ok=True)
    return done.stderr


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare: a small disk is mounted with it")
@EACH_BACKBONE
def test_a_full_disk_is_told_and_what_was_finished_is_kept(run, calm, tmp_path):
    said = full_disk(run, "50M" if run.backbone == "toy" else "150M")
    assert "is full: make room" in said
    begun, kept = run.begun(), (tmp_path / "kept.before").read_text().split()
    assert run.oracle() == calm and len(begun) == run.n
    assert max(begun.values()) == 1  # what would not have fitted was not begun
    pairs = (name.partition("-after-") for name in kept)
    assert kept and all(begun[f"{source or '-'}>{target}"] == 1 for target, _, source in pairs)


@EACH_BACKBONE
def test_two_machines_one_of_which_dies(run, calm, tmp_path):
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [
        subprocess.Popen([*scheduler, "--no-dashboard", "--scheduler-file", file], env=run.environment, **quiet)
    ]
    try:
        until(file.is_file, 60)
        address = json.loads(file.read_text())["address"]
        for name in ("a", "b"):
            (folder := tmp_path / name).mkdir()
            worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
            here = {"OMP_NUM_THREADS": "1", "COGBENCH_HOME": str(tmp_path / "another"), "LOG": f"{run.log}-{name}"}
            command = [*worker, "--no-dashboard", "--local-directory", folder]
            processes.append(subprocess.Popen(command, env=run.environment | here, cwd=folder, **quiet))
        measuring = run.start(SCHEDULER=address)
        logs = [Path(f"{run.log}-{name}") for name in "ab"]
        until(lambda: measuring.poll() is not None or all(log.exists() for log in logs))
        time.sleep(1)
        processes[1].kill()
        _, said = measuring.communicate(timeout=600)
        assert measuring.returncode == 0, said
    finally:
        for process in processes:
            process.kill()
            process.wait()
    run.log.write_text("".join(log.read_text() for log in logs))
    assert not [*(tmp_path / "another").rglob("cell.json")]  # the store is the one of the run
    same(run, calm, cut=1)


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_the_whole_mini_oracle_killed_ten_times(tmp_path):
    calm, run = Measuring(tmp_path / "calm", tasks=(), examples=0), Measuring(tmp_path / "run", tasks=(), examples=0)
    calm.finish()
    cut = killed(run, random.Random(1), rounds=10, apart=25)
    run.finish()
    same(run, calm.oracle(), cut)
