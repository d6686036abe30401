"""A dress rehearsal at full shape: `cogbench run --estimator cnm --backbone tinybert` on stand-ins for the data.

    python benchmarks/dress_rehearsal.py FOLDER [--quick]

Everything has the true size, and nothing the true content: a stand-in for the hub on this machine, with random weights
in the shapes of BERT and TinyBERT (6 layers of 768) and some rows of our own for each of the twelve tasks, and files
like those of Pereira et al. (2018), with five generated subjects of some 200,000 voxels. Says the time, the peak memory
of all processes together and the disk. What it prints of tasks means nothing. `--quick` takes one subject, one seed
of CNM and short trainings. FOLDER needs 20 GB; what is there already is used again.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the stand-ins of the tests

import pereira_files
import repositories
from hub import Hub

VOXELS = {"P01": 201_011, "M02": 196_500, "M04": 188_300, "M07": 192_700, "M15": 185_400}  # the first is a real one's
GRID = (78, 93, 75)
SHAPE = {"vocab_size": 30_522, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}


def main() -> None:
    """Make the stand-ins, run the command and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    folder, subjects = args.folder.resolve(), ["P01"] if args.quick else [*VOXELS]
    hub = written(folder / "hub", models)
    for name in subjects:
        written(folder / "data/pereira" / name, lambda out, name=name: recordings(out, name))
    words = ["run", "--estimator", "cnm", "--backbone", "tinybert"]
    with Hub(hub) as server:
        env = server.environment(folder / "home")
        env |= {"COGBENCH_RUN_DATA_DIR": str(folder / "data"), "COGBENCH_RUN_OUT": str(folder / "results")}
        if args.quick:
            few = "tinybert.student.min_steps=20 tinybert.teacher.min_steps=20"
            env |= {"COGBENCH_RUN_SET": f"cnm.seeds=5 pereira.subjects=P01 {few}"}
        began = time.perf_counter()
        process = subprocess.Popen([Path(sys.executable).with_name("cogbench"), *words], env=env, cwd=folder)
        top = 0
        while process.poll() is None:
            top = max(top, memory(process.pid))
            time.sleep(2)  # looking costs a tenth of a core
    seconds = time.perf_counter() - began
    disk = sum(p.stat().st_size for p in (folder / "home").rglob("*") if p.is_file())
    result = max((folder / "results").glob("*.json"), key=lambda p: p.stat().st_mtime)
    cells = json.loads(result.read_text())["provenance"]["cells"]
    what = "quick: one subject, one seed, short trainings" if args.quick else "five subjects, five seeds"
    print(f"\n{what}; cells {cells}")
    print(f"{seconds / 60:.1f} minutes, {top / 2**30:.1f} GiB of memory at most, {disk / 2**30:.1f} GiB in the store")
    sys.exit(process.returncode)


def written(folder: Path, fill) -> Path:
    """Return a folder, filled if it is not there."""
    if not folder.is_dir():
        draft = folder.with_name(f"{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        fill(draft)
        draft.rename(folder)
    return folder


def models(out: Path) -> None:
    """Write the hub's stand-in, with random models of the true shapes."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    repositories.build(out)
    layers = {
        repositories.BERT: (repositories.BERT_COMMIT, 12),
        repositories.TINYBERT: (repositories.TINYBERT_COMMIT, 6),
    }
    for seed, (name, (commit, n)) in enumerate(layers.items()):
        torch.manual_seed(seed)
        folder = out / "models" / name / commit
        shutil.rmtree(folder)
        Hub.write(out, "models", name, commit, repositories.bert_files(weights="bin"))
        (folder / "pytorch_model.bin").unlink()
        BertForMaskedLM(BertConfig(**SHAPE, num_hidden_layers=n)).save_pretrained(folder)


def recordings(out: Path, name: str) -> None:
    """Write the two files of a subject: planted responses that repeat every 64 voxels."""
    planted = pereira_files.responses
    pereira_files.responses = lambda who, sentence, places: planted(who, sentence, places % 4)
    rng = np.random.default_rng(VOXELS[name])
    chosen = rng.permutation(np.prod(GRID))[: VOXELS[name]]
    places = np.stack(np.unravel_index(chosen, GRID), axis=1) + 1
    for number in (384, 243):
        order = rng.permutation(number)
        pereira_files.write(out, name, number, places=places, order=order, compressed=False)
    pereira_files.responses = planted


def memory(pid: int) -> int:
    """Return the memory of a process and all that it has started, in bytes; what they share counts once."""
    total = 0
    try:
        one = psutil.Process(pid)
        for process in (one, *one.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        pass
    return total


if __name__ == "__main__":
    main()
