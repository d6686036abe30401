"""What the machine or the user does to a command ends in one line: interrupts, full outputs, names, stores."""

import errno
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from command import cogbench, line
from made_results import made
from numpy.testing import assert_allclose

from cogbench import Files, Parts, Recipe, Result, Store, UnusableData, measure_oracle
from cogbench.compute.cells import Encoding, Training
from cogbench.compute.inventory import prune
from cogbench.compute.workspace import Workspace
from cogbench.errors import LostStore
from cogbench.storage.locks import needed
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal
from cogbench.workers import engine

NAP = """
    import sys, time
    from cogbench.cli.main import cli

    @cli.command("nap")
    def nap():
        try:
            print("asleep", flush=True)
            time.sleep(60)
        finally:
            print("tidying", flush=True)
            time.sleep(float(sys.argv[2]))

    cli(["nap"])
"""


@pytest.mark.parametrize("presses", [1, 2, 3])
def test_ctrl_c_again_while_the_command_ends(presses):
    command = [sys.executable, "-c", textwrap.dedent(NAP), "nap", "60" if presses == 3 else "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    usual = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    process = subprocess.Popen(command, **pipes, preexec_fn=usual)
    assert process.stdout.readline() == "asleep\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "tidying\n"
    if presses > 1:
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "cogbench: it is about to end; Ctrl-C once more ends it at once.\n"
    if presses > 2:
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "cogbench: interrupted; what was finished is saved, the same command goes on from there.\n"


SLOW = """
    import os, time
    from dataclasses import dataclass
    from cogbench import hookimpl
    from cogbench.testing.toys import ToyBackbone
    from toy_parts import toy_module

    @dataclass(frozen=True)
    class Slow(ToyBackbone):
        name: str = "slow"

        def train(self, recipe, files, out, start=None):
            if recipe.task.name != "toy-a":
                time.sleep(60)
            return super().train(recipe, files, out, start)

    globals().update({name: hook for name, hook in vars(toy_module()).items() if name.startswith("register_")})
    register_backbones = hookimpl(lambda: [Slow()], specname="register_backbones")
"""
METADATA = "Metadata-Version: 2.1\nName: slow-plugin\nVersion: 1.0\n"


@pytest.fixture
def slow_run(tmp_path):
    """Start a command with two workers whose trainings last, all but one; return it, its store and its processes."""
    (plugin := tmp_path / "site" / "slow_plugin-1.0.dist-info").mkdir(parents=True)
    (plugin.parent / "slow_plugin.py").write_text(textwrap.dedent(SLOW))
    (plugin / "METADATA").write_text(METADATA)
    (plugin / "entry_points.txt").write_text("[cogbench]\nslow = slow_plugin\n")
    paths = [plugin.parent, Path(__file__).parents[1], *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    words = "run --suite toy --backbone slow --estimator dse --jobs 2 --offline --out".split()
    usual = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    process = subprocess.Popen(
        [sys.executable, "-m", "cogbench", *words, tmp_path / "out"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "COGBENCH_LOAD_PLUGINS": "slow-plugin"},
        start_new_session=True,
        preexec_fn=usual,
    )
    store, end = Store(tmp_path / "home"), time.monotonic() + 120
    drafts = lambda: [*(store.root / ".tmp").glob("*")]  # noqa: E731
    while not (len(drafts()) == 2 and [*store.root.glob("slow/toy-a/*/cell.json")]):
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.05)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    yield process, store, family
    for one in family:
        with suppress(psutil.Error):
            one.kill()
    process.communicate()


def ignores_interrupts(process):
    """Whether Linux keeps Ctrl-C from a process; elsewhere nobody can tell."""
    status = Path(f"/proc/{process.pid}/status")
    ignored = re.search(r"SigIgn:\s*(\w+)", status.read_text()) if status.exists() else None
    return ignored is None or bool(int(ignored[1], 16) & 1 << signal.SIGINT - 1)


@pytest.mark.parametrize("presses", [1, pytest.param(2, marks=pytest.mark.torture)])
def test_ctrl_c_of_a_run_with_workers_says_a_line_and_leaves_neither_process_nor_lock(slow_run, presses):
    process, store, family = slow_run
    (finished,) = store.root.glob("slow/toy-a/*/cell.json")
    os.utime(finished, (1, 1))  # as if it had been running for hours
    assert prune(store, Parts()) == [] and len(needed(store.root)) == 9  # 4 trainings, 4 encodings, the matrix
    workers = [one for one in family if "spawn_main" in " ".join(one.cmdline())]
    assert len(workers) == 2 and all(map(ignores_interrupts, workers))  # or each would print where it was
    for i in range(presses):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
        time.sleep(0.2 * (i + 1 < presses))
    printed, said = process.communicate(timeout=120)
    assert process.returncode == 130 and not printed
    began, *others, last = said.splitlines()
    assert "units of work to compute: starting 2 workers" in began
    assert last == "cogbench: interrupted; what was finished is saved, the same command goes on from there."
    others = [line for line in others if " done, " not in line]  # on a slow machine a line of progress comes before
    assert others == ["cogbench: it is about to end; Ctrl-C once more ends it at once."] * (presses - 1)
    gone, alive = psutil.wait_procs(family, timeout=30)
    assert not alive and len(gone) >= 3  # the command, and two workers
    assert not [*(store.root / ".runs").iterdir()] and needed(store.root) == set()
    locks = [*(store.root / ".locks").iterdir()]
    assert len(locks) >= 3 and not any(store.busy(path.name) for path in locks)
    assert [one.folder for one in prune(store, Parts())] == [finished.parent]  # its plugin is none of this process


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("words", ["--help", "list estimators", "cache info --json"])
def test_a_full_output_is_one_line(words):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "cogbench", *words.split()]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 3
    assert done.stderr == "cogbench: nothing more can be written: No space left on device.\n"


LONG = "n" * 300


@pytest.mark.parametrize(
    "words",
    [
        f"score {LONG}.csv --oracle mini-minilm-2l",
        f"report {LONG}",
        f"run --estimator random --backbone {LONG}/x --suite mini",
        f"run --estimator dse --backbone minilm-2l --suite mini --signal {LONG}.csv",
        f"run --estimator random --backbone minilm-2l --suite mini --oracle {LONG}",
        f"run --estimator random --backbone minilm-2l --suite mini --out {LONG}",
        f"oracle show {LONG}",
        f"leaderboard {LONG}",
        f"run --estimator random --pack {LONG}",
        f"list tasks --data-dir {LONG}",
    ],
)
def test_a_name_that_no_file_may_have_is_one_line(words):
    done = cogbench(*words.split())
    assert done.exit_code in (2, 3) and "Traceback" not in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert len(done.stderr.strip().splitlines()) == 1 or done.stderr.startswith("Usage")


def test_a_result_with_long_names_is_saved(tmp_path):
    options = [made(estimator="n" * length) for length in (250, 300)]
    paths = [result.save(tmp_path) for result in options]
    assert len({*paths}) == 2 and all(len(path.name) <= 255 for path in paths)
    assert [Result.load(path).estimator for path in paths] == [result.estimator for result in options]


def test_an_oracle_with_a_long_name_is_measured_and_found(tmp_path):
    how = {"suite": "mini", "tasks": list(TASKS[:3]), "name": "n" * 400, "jobs": 0, "files": Files(offline=True)}
    oracle = measure_oracle(ToyBackbone(), **how)
    assert len(oracle.name) == 239 and (tmp_path / "home/oracles" / f"{oracle.name}.per-example.npz").is_file()


def test_one_result_that_cannot_be_saved_loses_no_other(tmp_path, monkeypatch):
    save, n = Result.save, iter(range(9))

    def fail_first(self, folder):
        if next(n) == 0:
            raise UnusableData("cannot write to the results folder.")
        return save(self, folder)

    monkeypatch.setattr(Result, "save", fail_first)
    done = cogbench(
        *"run --estimator random --estimator size --backbone minilm-2l --suite mini --out".split(), tmp_path / "out"
    )
    assert done.exit_code == 3 and "random" in done.stdout and "size" in done.stdout
    assert len([*(tmp_path / "out").iterdir()]) == 1 and "cannot write to the results folder" in done.stderr


# --- stores that cannot be written to


def read_only(monkeypatch, root):
    """Have nothing be written below a folder, as on a file system that is mounted to be read."""
    for owner, name in ((os, "open"), (os, "replace"), (os, "mkdir")):
        usual = getattr(owner, name)

        def refuse(path, *more, usual=usual, name=name, **options):
            writes = name != "open" or (more and more[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if writes and str(path).startswith(str(root)):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return usual(path, *more, **options)

        monkeypatch.setattr(owner, name, refuse)


def test_a_complete_store_is_served_though_nothing_can_be_added(tmp_path, monkeypatch):
    store = Store(tmp_path / "home")
    here = Workspace(Files(offline=True), store, jobs=0)
    cells = [Encoding(Training(ToyBackbone(), Recipe((task,))), ToySignal()) for task in TASKS[:2]]
    how = {"suite": "mini", "tasks": list(TASKS[:3]), "name": "o", "jobs": 0, "files": Files(offline=True)}
    engine.compute(cells, here)
    first = measure_oracle(ToyBackbone(), store=store, **how)
    read_only(monkeypatch, store.root)
    again, told = Workspace(Files(offline=True), store, jobs=0), []
    assert not engine.compute(cells, again).computed and cells[0].representations(again).shape == (40, 8)
    assert_allclose(measure_oracle(ToyBackbone(), store=store, **how).by_seed, first.by_seed, atol=1e-6)
    more = Encoding(Training(ToyBackbone(), Recipe(TASKS[3:4])), ToySignal())
    with pytest.raises(LostStore, match="Read-only file system; what it holds can be read, and nothing can be added"):
        engine.compute([more], replace(again, jobs=2, progress=told.append))
    assert not told  # before anything is begun
    with pytest.raises(LostStore):
        measure_oracle(ToyBackbone(), store=store, **how | {"seeds": "1"})


def test_a_command_on_a_store_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    read_only(monkeypatch, tmp_path / "home")
    words = "run --estimator dse --backbone minilm-2l --suite mini --max-train 32 --jobs 0 --out"
    assert "nothing can be added" in line(cogbench(*words.split(), tmp_path / "out"), 3)
