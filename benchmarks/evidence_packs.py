"""Make the packs of cogbench-evidence from measured oracles in the store (COGBENCH_HOME), by

    python benchmarks/evidence_packs.py mini realtext-2l --data-dir DATA

Trainings that are in the store are not made again. `--examples` makes larger packs. The pack of the twelve on minilm is
one of checkpoints: `--twelve` names a csv of their trained models (name, model), such as the folders of the store.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from outputs import output_folder

from cogbench import Files, make_pack

SHIPPED = Path(__file__).parents[1] / "plugins" / "cogbench-evidence" / "cogbench_evidence" / "files"
LICENCES = "figures of cogbench's own measurements, MIT; the data's licences stand with each task"
PACKS: dict[str, dict[str, Any]] = {
    # With setting F of docs/cnm.md, the control: 150 stimuli, all channels read something, with little noise.
    "mini-minilm-2l": {
        "backbone": "minilm-2l",
        "suite": "mini",
        "set": ("mini.n_stimuli=150", "mini.informative=1", "mini.noise_ceiling=0.9"),
    },
    "realtext-minilm": {"backbone": "minilm", "suite": "realtext", "stimuli": "neutral"},
    "realtext-minilm-2l": {"backbone": "minilm-2l", "suite": "realtext", "stimuli": "neutral"},
    # Sources are the twelve tasks; targets those of which features may be passed on.
    "cogtaskonomy-minilm": {
        "backbone": "minilm",
        "suite": "cogtaskonomy",
        "tasks": "mnli,qnli,squad-v2,semeval-2010-8",
        "max_train": 1000,
        "oracle": "cogtaskonomy-minilm-max-1000",
        "keep": (),
    },
    # No features of examples: not all of the twelve may be passed on.
    "cogtaskonomy-minilm-2l": {
        "backbone": "minilm-2l",
        "suite": "cogtaskonomy",
        "stimuli": "neutral",
        "examples": 0,
        "max_train": 1000,
        "oracle": "cogtaskonomy-minilm-2l-max-1000",
    },
}


def main() -> None:
    """Make each pack that is named, or all."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("packs", nargs="*", default=[*PACKS], help=f"Some of {', '.join(PACKS)}.")
    options.add_argument("--examples", type=int, default=30)
    options.add_argument("--data-dir", type=Path)
    options.add_argument("--task-data", nargs="+", default=[], metavar="TASK=FOLDER")
    options.add_argument("--twelve", type=Path, help="The trained models of cogtaskonomy-minilm.")
    options.add_argument("--jobs", type=int)
    options.add_argument("--out", type=output_folder, default=str(SHIPPED))
    args = options.parse_args()
    overrides = tuple((task, Path(folder)) for task, folder in (pair.split("=", 1) for pair in args.task_data))
    files = Files(args.data_dir, overrides, offline=True)
    for name in args.packs:
        how = {"examples": args.examples, "keep": ["taskemb"], "licence": LICENCES, **PACKS[name]}
        if name == "cogtaskonomy-minilm":
            how["checkpoints"] = args.twelve or options.error("cogtaskonomy-minilm needs --twelve FILE.csv.")
        path = make_pack(out=args.out / f"{name}.safetensors", files=files, jobs=args.jobs, **how)
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB", file=sys.stderr)


if __name__ == "__main__":
    main()
