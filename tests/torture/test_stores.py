"""A store that is shared, pruned by strangers, read-only, small or gone loses nothing, and nobody waits in silence."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from measuring import Measuring, killed, undisturbed, until, workers_of

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]  # a busy machine is slow


@pytest.fixture
def calm(tmp_path_factory):
    """What nothing disturbs."""
    return undisturbed("toy", tmp_path_factory.getbasetemp())


@pytest.fixture
def home(tmp_path):
    """Return the runs of one of several homes."""
    return lambda name: Measuring(tmp_path / name, backbone="toy")


def test_two_homes_on_one_shared_store_one_of_which_is_killed(home, calm, tmp_path):
    shared = {"COGBENCH_STORE": f"file://{tmp_path}/shared"}
    one, two, three = (home(name) for name in ("one", "two", "three"))
    for run in (one, two, three):
        run.environment |= shared
    other = two.start()
    killed(one, random.Random(2), rounds=3)
    _, said = other.communicate(timeout=600)
    assert other.returncode == 0, said
    one.finish()
    three.finish()
    assert one.outcome() == two.outcome() == three.outcome() == calm
    assert not three.begun()  # all of it was there
    records = [json.loads(path.read_text()) for path in (tmp_path / "shared").rglob("cell.json")]
    copies = [path for path in (tmp_path / "shared").glob("toy/*/*/*") if path.is_dir()]
    assert len(records) == one.n and {record["copy"] for record in records} <= {path.name for path in copies}
    for run in (one, two, three):
        assert not [*(run.home / ".damaged").glob("*")]


def test_a_shared_store_that_vanishes_ends_the_run_and_the_next_one_goes_on(home, calm, tmp_path):
    run = home("one")
    run.environment |= {"COGBENCH_STORE": f"file://{tmp_path}/shared"}
    process = run.start()
    until(lambda: process.poll() is not None or run.done() >= 2)
    (tmp_path / "shared").rename(tmp_path / "away")
    (tmp_path / "shared").write_text("no folder")
    _, said = process.communicate(timeout=600)
    assert "LostStore: the store 'file://" in said.strip().splitlines()[-1]
    assert run.begun().total() <= 2 + 2 + 2  # done, running, and their successors
    (tmp_path / "shared").unlink()
    (tmp_path / "away").rename(tmp_path / "shared")
    run.finish()
    assert run.outcome() == calm and max(run.begun().values()) == 1


PRUNE = "from cogbench.cli.main import cli; cli(['cache', 'prune', '--other-versions'])"


def test_whoever_prunes_without_the_plugins_of_a_run_takes_nothing_from_it(home, calm, tmp_path):
    run, go, removed = home("one"), tmp_path / "go", []
    go.touch()
    process = run.start(TOGETHER=str(go))
    stranger = {name: value for name, value in run.environment.items() if name != "PYTHONPATH"}
    stranger |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}  # in which the backbone's module is not
    until(lambda: process.poll() is not None or run.done() >= 2)
    go.unlink()  # what is begun now waits
    for _ in range(3):
        for path in run.home.glob("toy/*/*/cell.json"):
            os.utime(path, (1, 1))  # as if it had been running for hours
        done = subprocess.run([sys.executable, "-c", PRUNE], env=stranger, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        removed += [text for text in done.stderr.splitlines() if " removed" in text]
    assert process.poll() is None
    go.touch()
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert len(removed) == 3 and all(text.startswith("cogbench: 0 folders") for text in removed)
    assert run.outcome() == calm and max(run.begun().values()) == 1


def test_a_stopped_worker_of_a_killed_run_is_waited_for_and_named(home, calm):
    run = home("one")
    process = run.start()
    until(lambda: process.poll() is not None or run.done() >= 1)
    until(lambda: process.poll() is not None or [*(run.home / ".tmp").glob("*/model")])
    stopped = workers_of(process)
    for worker in stopped:
        worker.suspend()
    process.kill()
    process.wait()  # its pipe stays open as long as its workers live
    following = run.start(JOBS="0")
    said = following.stderr.readline()
    try:
        assert "waiting for toy/" in said and "which another process computes" in said, said
    finally:
        for worker in stopped:
            worker.resume()
    _, more = following.communicate(timeout=600)
    assert following.returncode == 0, more
    assert run.outcome() == calm
    psutil.wait_procs(stopped, timeout=60)


def in_mount(script, run, **env):
    """Run a script of bash in a namespace of mounts of its own."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", textwrap.dedent(script)]
    more = {"PYTHON": sys.executable, "MAIN": str(run.main), **env}
    done = subprocess.run(command, env=run.environment | more, capture_output=True, text=True, timeout=600)
    if done.returncode == 99 or "unshare failed" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()[-100:]}")
    return done


READ_ONLY = """
    mount --bind "$COGBENCH_HOME" "$COGBENCH_HOME" && mount -o remount,ro,bind "$COGBENCH_HOME" || exit 99
    "$PYTHON" "$MAIN"
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare: a read-only disk is mounted with it")
def test_a_read_only_store_is_served_if_it_is_complete_and_else_refused_in_one_line(home, calm):
    run = home("one")
    run.finish()
    begun, before = run.begun(), {path: path.stat().st_mtime_ns for path in run.home.rglob("*")}
    done = in_mount(READ_ONLY, run)
    assert done.returncode == 0, done.stderr
    assert run.begun() == begun and {path: path.stat().st_mtime_ns for path in run.home.rglob("*")} == before
    cell = next(run.home.glob("toy/*-after-*/seed-0-*"))
    shutil.move(cell, run.home.parent / "away")
    done = in_mount(READ_ONLY, run)
    assert "what it holds can be read, and nothing can be added" in done.stderr.strip().splitlines()[-1]
    assert run.begun() == begun
    shutil.move(run.home.parent / "away", cell)
    (cell / "outputs.npy").write_bytes(b"damaged")
    done = in_mount(READ_ONLY, run)
    assert "LostStore" in done.stderr.strip().splitlines()[-1] and run.begun() == begun


def test_a_limit_of_the_size_of_files_ends_the_run(home, calm):
    run = home("one")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5 * 2**20, resource.RLIM_INFINITY))  # noqa: E731
    ignored = lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), limit())  # noqa: E731
    done = subprocess.run(
        [sys.executable, run.main], env=run.environment, stderr=subprocess.PIPE, text=True, preexec_fn=ignored
    )
    assert "FullDisk" in done.stderr.strip().splitlines()[-1] and "ulimit -f" in done.stderr
    assert run.begun().total() <= 2  # one for each worker
    run.finish()
    assert run.outcome() == calm


# --- two users


SECOND_USER = """
    import os, sys
    from pathlib import Path
    from cogbench import Store
    from cogbench.errors import LostStore
    from cogbench.storage.hashes import digest

    root, umask = Path(sys.argv[1]), int(sys.argv[2], 8)
    os.umask(umask)
    keys = [digest({"x": n}) for n in range(2)]
    store = Store(root)
    Store(Path(sys.argv[3])).write("nap", keys[0], {}, lambda out: None)  # imports all that others may not read

    def as_user(user, question):
        if (child := os.fork()) == 0:
            os.setgroups([]); os.setgid(65533); os.setuid(user)
            try:
                question()
            except LostStore as error:
                print("LostStore:", error, flush=True)
                os._exit(3)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def begin():  # and be killed
        store.write("nap/a/seed-0", keys[0], {}, lambda out: os._exit(9))

    def finish():
        store.busy(keys[0])
        for n, key in enumerate(keys):
            store.write(f"nap/a/seed-{n}", key, {}, lambda out: (out / "x").write_text("x"))

    print([as_user(65531, begin), as_user(65532, finish), as_user(65531, finish)])
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
@pytest.mark.parametrize("umask, codes", [("002", [9, 0, 0]), ("022", [9, 3, 0])])
def test_two_users_of_a_group_share_a_store_with_umask_002_and_are_told_so_without(tmp_path, umask, codes):
    root = Path("/tmp") / f"cogbench-shared-{os.getpid()}-{umask}"  # whose parents others may enter
    root.mkdir()
    try:
        os.chown(root, 0, 65533)
        root.chmod(0o2775)
        command = [sys.executable, "-c", textwrap.dedent(SECOND_USER), str(root), umask, str(tmp_path / "first")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert str(codes) in done.stdout, done.stdout + done.stderr
        if 3 in codes:
            (told,) = [text for text in done.stdout.splitlines() if text.startswith("LostStore")]
            assert "umask 002" in told and "docs/cluster.md" in told
    finally:
        shutil.rmtree(root)
