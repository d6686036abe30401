"""An oracle that is killed, starved of disk, shared and measured twice at once is the undisturbed one, bit for bit.

A transformer is killed each day. The other harms, which are the engine's to survive, a toy meets each day, whose worker
starts in a second, and the transformer in `make torture`.
"""

import json
import random
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from measuring import EACH_BACKBONE, Estimating, Measuring, killed, same, undisturbed, until

pytestmark = pytest.mark.timeout(900)  # a busy machine is slow


@pytest.fixture
def run(tmp_path, backbone):
    return Measuring(tmp_path, backbone=backbone)


@pytest.fixture
def calm(backbone, tmp_path_factory):
    """What nothing disturbs."""
    return undisturbed(backbone, tmp_path_factory.getbasetemp())


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
    assert run.outcome() == calm and len(begun) == run.n
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
    same(run, calm.outcome(), cut)


@pytest.mark.torture
def test_a_matrix_of_25_pieces_killed_ten_times(tmp_path):
    calm, run = Estimating(tmp_path / "calm", nap=0), Estimating(tmp_path / "run")
    calm.finish(JOBS="0")
    cut = killed(run, random.Random(3), rounds=10, apart=3, pause=0.5)
    assert run.kills == 10 and run.kept  # there was something to kill each time, and something to keep
    run.finish()
    same(run, calm.outcome(), cut)
