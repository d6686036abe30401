"""The command that the project is for, unchanged, on the hub's stand-in: twelve tasks, a distilled TinyBERT, CNM."""

import json
import subprocess
import sys
from pathlib import Path

import pereira_files
from hub import Hub

COGBENCH = str(Path(sys.executable).with_name("cogbench"))
# Few steps and a small network, that the test takes seconds; everything else is as it comes.
SHORT = ("student.epochs=1", "student.min_steps=1", "teacher.epochs=1", "teacher.min_steps=1", "intermediate_epochs=1")
FEW = " ".join(
    [*(f"tinybert.{o}" for o in (*SHORT, "prediction_epochs=1")), "cnm.hidden=5", "cnm.seeds=5", "cnm.epochs=2"]
)


def test_the_command_of_the_purpose(hub_folder, tmp_path):
    for seed, name in enumerate(("P01", "M02", "M04", "M07", "M15")):
        pereira_files.subject(tmp_path / "data/pereira", name, "examples" if seed % 2 else "data", seed=seed, n=20)
    with Hub(hub_folder) as hub:
        env = hub.environment(tmp_path / "home") | {"COGBENCH_RUN_SET": FEW}
        env["COGBENCH_RUN_DATA_DIR"] = str(tmp_path / "data")  # files like the authors', few voxels
        env["COGBENCH_RUN_ORACLE"] = "cogtaskonomy-tinybert"  # a backbone with other options has no usual one
        env["COGBENCH_RUN_JOBS"] = "1"  # a worker, and not one for each core: each imports all that training takes
        words = "run --estimator cnm --backbone tinybert".split()
        done = subprocess.run([COGBENCH, *words], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (saved,) = (tmp_path / "results").glob("*.json")
    result = json.loads(saved.read_text())
    assert result["estimator"].startswith("cnm[") and result["backbone"].startswith("tinybert[")
    assert result["signal"] == "pereira" and result["synthetic"] == []
    quality = result["signal_quality"]
    assert quality["sentences"] == 627 and quality["n_channels"] == dict.fromkeys(
        ("P01", "M02", "M04", "M07", "M15"), 20
    )
    assert quality["reliability"]["way"] == "subjects" and quality["reliability"]["above_chance"] == 1
    assert result["oracle"]["name"] == "cogtaskonomy-tinybert" and len(result["tasks"]) == 12
    # Teachers, students, encodings, the subjects' pieces of CNM, and its matrix.
    assert result["provenance"]["cells"]["computed"] == 12 + 12 + 12 + 5 + 1
    metrics = {task: report["metric"] for task, report in result["tasks"].items()}
    assert metrics["squad-v2"] == "token-f1" and metrics["ms-marco"] == "ndcg@10" and metrics["cola"] == "mcc"
    assert "TRS" in done.stdout and "reliability between subjects" in done.stdout
