"""The command that the project is for, unchanged, on the hub's stand-in: twelve tasks, a distilled TinyBERT, CNM."""

import json
import subprocess
import sys
from pathlib import Path

from hub import Hub

COGBENCH = str(Path(sys.executable).with_name("cogbench"))
PEREIRA = """
from dataclasses import dataclass
import numpy as np
from cogbench import Recording, Responses, Source, hookimpl

@dataclass(frozen=True)
class StandIn:
    name: str = "pereira"
    def read(self, files):
        rng = np.random.default_rng(0)
        sentences = tuple(f"the red boat is near the house {i}" for i in range(30))
        subjects = {s: Responses(rng.normal(size=(30, 40)), tuple(map(str, range(40)))) for s in ("P01", "M02")}
        return Recording(sentences, subjects, "arbitrary", Source("a stand-in"), synthetic=True)

@hookimpl
def register_signals():
    return [StandIn()]
"""
# Few steps and a small network, that the test takes seconds; everything else is as it comes.
SHORT = ("student.epochs=1", "student.min_steps=1", "teacher.epochs=1", "teacher.min_steps=1", "intermediate_epochs=1")
FEW = " ".join([*(f"tinybert.{o}" for o in (*SHORT, "prediction_epochs=1")), "cnm.hidden=5", "cnm.seeds=5"])


def _plugin(folder):
    """Install a module as pip would: beside what says who it is and which entry points it has."""
    (folder / "stand_in.py").write_text(PEREIRA)
    made = folder / "stand_in-1.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n")
    (made / "entry_points.txt").write_text("[cogbench]\nstand_in = stand_in\n")


def test_the_command_of_the_purpose(hub_folder, tmp_path):
    _plugin(tmp_path)
    with Hub(hub_folder) as hub:
        env = hub.environment(tmp_path / "home") | {"PYTHONPATH": str(tmp_path), "COGBENCH_RUN_SET": FEW}
        env["COGBENCH_RUN_ORACLE"] = "cogtaskonomy-tinybert"  # a backbone with other options has no usual one
        words = "run --estimator cnm --backbone tinybert".split()
        done = subprocess.run([COGBENCH, *words], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (saved,) = (tmp_path / "results").glob("*.json")
    result = json.loads(saved.read_text())
    assert result["estimator"].startswith("cnm[") and result["backbone"].startswith("tinybert[")
    assert result["signal"] == "pereira" and result["synthetic"] == ["signal"]
    assert result["oracle"]["name"] == "cogtaskonomy-tinybert" and len(result["tasks"]) == 12
    assert result["provenance"]["cells"]["computed"] == 12 + 12 + 12 + 1  # teachers, students, encodings, CNM
    metrics = {task: report["metric"] for task, report in result["tasks"].items()}
    assert metrics["squad-v2"] == "token-f1" and metrics["ms-marco"] == "ndcg@10" and metrics["cola"] == "mcc"
    assert "TRS" in done.stdout and "synthetic" in done.stdout
