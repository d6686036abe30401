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

# A matrix of pieces, with a line in a log for each piece that is begun.
MAP = """
    import os
    from pathlib import Path
    from cogbench import Files
    from cogbench.compute.evidence import Similarity
    from cogbench.compute.workspace import Workspace
    from cogbench.storage.remote_store import open_store
    from cogbench.testing.toys import TASKS, ToyBackbone
    from cogbench.workers import engine
    from logged import LoggedCNM, Subjects

    if __name__ == "__main__":
        signal = Subjects(names=tuple(os.environ["SUBJECTS"].split()))
        seeds = tuple(map(int, os.environ["SEEDS"].split()))
        cell = Similarity(LoggedCNM(seeds=seeds, hidden=(40, 20), epochs=30), ToyBackbone(), TASKS, signal)
        here = Workspace(Files(offline=True), open_store(), jobs=int(os.environ["JOBS"]))
        outcome = engine.compute([cell], here)
        assert not outcome.failed, outcome.failed
        Path(os.environ["COGBENCH_HOME"], "similarity").write_bytes(cell.estimate(here).matrix.values.tobytes())
"""
LOGGED_CNM = """
    import os, time
    from dataclasses import dataclass
    import numpy as np
    from cogbench import Responses
    from cogbench.testing.toys import ToySignal
    from cogbench.text import slug
    from cogbench_estimators.cnm import CNM

    @dataclass(frozen=True)
    class Subjects(ToySignal):
        names: tuple = ()

        def read(self, files):
            toy = super().read(files)
            usual, rngs = toy.subjects["S1"], map(np.random.default_rng, range(len(self.names)))
            noisy = (usual.values + rng.normal(size=usual.values.shape) for rng in rngs)
            subjects = {name: Responses(values, usual.channels) for name, values in zip(self.names, noisy)}
            return type(toy)(toy.sentences, subjects, toy.unit, toy.origin, synthetic=True)

    @dataclass(frozen=True)
    class LoggedCNM(CNM):  # a piece takes its time, so that kills come between the pieces and within them
        name: str = "logged-cnm"

        def piece(self, evidence, name):
            with open(os.environ["LOG"], "a") as log:
                log.write(f"{slug(name)}\\n")
            arrays = super().piece(evidence, name)
            time.sleep(float(os.environ["NAP"]))
            return arrays
"""
EACH_BACKBONE = pytest.mark.parametrize("backbone", ["toy", pytest.param("minilm-2l", marks=pytest.mark.torture)])


class Measuring:
    """Runs of one oracle in one home."""

    def __init__(self, folder, tasks=None, examples=64, backbone="minilm-2l"):
        self.home, self.log, self.backbone = folder / "home", folder / "log", backbone
        tasks = (OF_ONE_TEXT if backbone == "toy" else PART) if tasks is None else tasks
        self.kills, self.kept = 0, {}  # how often what was finished at a kill had been begun
        self.main = self.write(folder, LOGGED, MEASURE)
        self.environment = {
            **os.environ,
            "COGBENCH_HOME": str(self.home),
            "COGBENCH_LOAD_PLUGINS": "",  # what others have installed says things of its own
            "LOG": str(self.log),
            "BACKBONE": backbone,
            "JOBS": "2",
            "TASKS": " ".join(tasks),
            "EXAMPLES": str(examples),
            "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        }
        self.n = len(tasks or range(12)) ** 2

    @staticmethod
    def write(folder, logged, main):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "logged.py").write_text(textwrap.dedent(logged))
        (folder / "main.py").write_text(textwrap.dedent(main))
        return folder / "main.py"

    def start(self, **env):
        command = [sys.executable, self.main]
        return subprocess.Popen(command, env=self.environment | env, stderr=subprocess.PIPE, text=True)

    def finish(self, **env):
        process = self.start(**env)
        _, said = process.communicate(timeout=3000)
        assert process.returncode == 0, said

    def begun(self):
        return Counter(self.log.read_text().split()) if self.log.exists() else Counter()

    def records(self):
        return sorted(self.home.glob(f"{self.backbone}/*/seed-0-*/cell.json"))

    def done(self):
        return len(self.records())

    def finished(self):
        """What is in the store, by the names in the log."""
        pairs = (record.parents[1].name.partition("-after-") for record in self.records())
        return [f"{source or '-'}>{target}" for target, _, source in pairs]

    def outcome(self):
        """The table, and the checksum of what each trained model answers."""
        held = json.loads((self.home / "oracles" / "tortured.json").read_text())
        answers = self.checksums("outputs.npy")
        assert len(answers) == self.n
        return [{k: v for k, v in held.items() if k != "provenance"}, answers]

    def checksums(self, name):
        return [json.loads(path.read_text())["files"][name]["sha256"] for path in self.records()]


class Estimating(Measuring):
    """Runs of one matrix of CNM in one home: a piece for each subject and seed."""

    def __init__(self, folder, subjects=5, seeds=5, nap=0.8):
        super().__init__(folder, backbone="toy")
        self.write(folder, LOGGED_CNM, MAP)
        self.environment |= {"SUBJECTS": " ".join(f"s{i}" for i in range(subjects)), "NAP": str(nap)}
        self.environment |= {"SEEDS": " ".join(map(str, range(seeds)))}
        self.n = subjects * seeds

    def records(self):
        return sorted(self.home.glob("toy/logged-cnm-stimuli-toy/seed-0/*/cell.json"))

    def finished(self):
        return [record.parent.name.rpartition("-")[0] for record in self.records()]

    def outcome(self):
        """The matrix, and the checksum of each piece."""
        pieces = self.checksums("arrays.npz")
        assert len(pieces) == self.n
        return [(self.home / "similarity").read_bytes(), pieces]


def undisturbed(backbone, base):
    """Return the oracle that nothing disturbs: measured by the first process that asks, for all."""
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"undisturbed-{backbone}"
    with FileLock(f"{folder}.lock"):
        run = Measuring(folder, backbone=backbone)
        if not (folder / "home" / "oracles" / "tortured.json").exists():
            run.finish(JOBS="0")
            assert set(run.begun().values()) == {1} and len(run.begun()) == run.n
        return run.outcome()


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


def killed(run, rng, rounds, apart=1, pause=2):
    """Kill a worker, then the parent, at moments some trainings apart; return how many may have been cut short."""
    cut = 0
    for _ in range(rounds):
        process, enough = run.start(), run.begun().total() + rng.randint(1, apart)
        until(lambda: process.poll() is not None or run.begun().total() >= enough)  # noqa: B023
        time.sleep(rng.uniform(0, pause))
        for victim in rng.sample(found, 1) if (found := workers_of(process)) else []:
            with suppress(psutil.Error):
                victim.kill()
                cut += 1
        time.sleep(rng.uniform(0, pause))
        left = workers_of(process)
        if process.poll() is None:
            cut += len(left)
            run.kills += 1
            process.kill()
        process.communicate()
        until(lambda: not any(p.is_running() for p in left))  # noqa: B023
        begun = run.begun()
        for name in run.finished():
            run.kept.setdefault(name, begun[name])
    return cut


def same(run, calm, cut=0):
    """Whether the oracle is the undisturbed one, and nothing was done again but what was cut short."""
    assert run.outcome() == calm
    begun = run.begun()
    assert {name: begun[name] for name in run.kept} == run.kept  # what was finished at a kill was not begun again
    assert len(begun) == run.n and sum(begun.values()) - run.n <= cut, begun
    assert not [*(run.home / ".damaged").glob("*")]
