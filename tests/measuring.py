"""Runs of one oracle that tests kill, starve of disk and share, and whether it is the undisturbed one all the same."""

import json
import os
import subprocess
import sys
import textwrap
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest
from filelock import FileLock

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
