"""Rank many checkpoints for a table of one's own, from their folders and from a pack without weights: time and memory.

    OMP_NUM_THREADS=1 python benchmarks/checkpoints.py                       # a hundred of minilm's size, 500 rows
    OMP_NUM_THREADS=1 python benchmarks/checkpoints.py --tiny --noise 1 --checkpoints 20 --adapters 2 --rows 200

The script makes the folders itself: it trains one model on `mini-mnli`, and each checkpoint is that model with other
noise on its weights, so the order of the checkpoints says nothing. `--adapters` of the checkpoints are adapters as PEFT
saves them: random LoRA updates of the backbone, with a head. Each checkpoint has a table of 200 rows of its own task,
for the maps of `esm-logme`. The target is a table of rows of `mini-rte`, of which four fifths are its training
examples. Each step is one process that computes by itself (jobs=0): its time on the clock, its time of the processor
and its peak of resident memory are told. The folders are moved away before the pack is asked. No step but the first
trains anything: the script counts the trainings in the stores of the rankings, and ends with exit code 1 if there is
one.
"""

import argparse
import csv
import json
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from cogbench import Files, Recipe, Store, TableTask, load_parts, make_pack, recommend
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.views.formats import grid

FILES = Files(offline=True)
SOURCE, TARGET, KEEPER = "mini-mnli", "mini-rte", "esm-logme"
ESTIMATORS, PLACES = ("logme", "knn", KEEPER), ("folders", "the pack")
Step = Callable[[Path, argparse.Namespace], Any]


def main() -> None:
    """Take each step in a process of its own, and print what it took."""
    args = arguments()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        place = Path(folder)
        rows, values, busy = list[dict[str, str]](), dict[str, Any](), dict[str, float]()
        for title, step in STEPS.items():
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                values[title], seconds, busy[title], memory = process.submit(measured, step, place, args).result()
            row = {"step": title, "minutes": f"{seconds / 60:.2f}", "of the processor": f"{busy[title] / 60:.2f}"}
            row |= {"trainings of one": f"{busy[title] / busy[TRAINING]:.2f}", "memory": f"{memory / 2**20:.2f} GiB"}
            rows.append(row)
            print(*row.values(), sep="; ", file=sys.stderr)
        print(grid(rows, "markdown"))
        for name in ESTIMATORS:
            one, other = (values[f"rank by {name}, from {where}"] for where in PLACES)
            names = [*one]
            gap = max(abs(one[key] - other[key]) for key in names)
            spread = float(np.std([one[key] for key in names]))
            alike = spearmanr([one[key] for key in names], [other[key] for key in names]).statistic
            print(f"{name}: best {next(iter(one))}, from the pack {next(iter(other))}; the similarities' standard")
            print(f"deviation is {spread:.2g}, they differ by {gap:.2g} at most; Spearman's correlation {alike:.3f}")
        print(f"\n{grid(place_rows(values), 'markdown')}\n")
        trainings = {store: n_trainings(place / store) for store in ("store", "elsewhere")}
        print(
            f"trainings in the stores of the rankings: {trainings['store']} from folders, "
            f"{trainings['elsewhere']} from the pack"
        )
        if any(trainings.values()):
            sys.exit("a ranking of checkpoints has trained something")


def place_rows(values: dict[str, Any]) -> list[dict[str, str]]:
    """Return a row for each checkpoint: its place in each ranking, from the folders and from the pack."""
    titles = {f"{name}, {where}": f"rank by {name}, from {where}" for name in ESTIMATORS for where in PLACES}
    places = {title: {name: i for i, name in enumerate(values[step], start=1)} for title, step in titles.items()}
    names = sorted(next(iter(places.values())))
    return [{"checkpoint": name, **{title: str(places[title][name]) for title in titles}} for name in names]


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--checkpoints", type=int, default=100, help="How many.")
    options.add_argument("--adapters", type=int, default=0, help="How many of these are adapters.")
    options.add_argument("--rows", type=int, default=500, help="Of the target.")
    options.add_argument("--backbone", default="minilm", help="What the trained model comes from.")
    options.add_argument("--tiny", action="store_true", help="A BERT of two layers with random weights in its place.")
    options.add_argument("--noise", type=float, default=0.1, help="In standard deviations of a tensor.")
    options.add_argument("--folder", help="Where 100 MB a checkpoint of minilm fit.  [default: that of other programs]")
    return options.parse_args()


def measured(step: Step, place: Path, args: argparse.Namespace) -> tuple[Any, float, float, int]:
    """Return what a step returns, its seconds, those of the processor, and its peak of resident memory in KiB."""
    begin = perf_counter()
    answer = step(place, args)
    use = resource.getrusage(resource.RUSAGE_SELF)
    return answer, perf_counter() - begin, use.ru_utime + use.ru_stime, use.ru_maxrss


def base(place: Path, args: argparse.Namespace) -> Any:
    """Return the backbone that the checkpoints come from."""
    if not args.tiny:
        return load_parts().backbones[args.backbone]
    if not (place / "base").exists():
        from model_zoo import ZOO

        # Weights so large that texts differ in their first token; at the usual ones hardly anything reaches it.
        wide = {**ZOO["bert"].options, "initializer_range": 0.3}
        replace(ZOO["bert"], options=wide).save(place / "base")
    return load_parts().find("backbone", str(place / "base"))


def train(place: Path, args: argparse.Namespace) -> None:
    """Train one model, and write the target."""
    task = replace(load_parts().tasks[SOURCE], train_rows=args.rows)
    cell = Training(base(place, args), Recipe((task,)))
    workspace = Workspace(FILES, Store(place / "trained"))
    shutil.copytree(cell.checkpoint(workspace).folder, place / "one")
    write_table(TARGET, args.rows, place / "own.csv")


def write_table(task: str, n_rows: int, path: Path) -> None:
    """Write rows of a task of `mini` into a table."""
    rows = replace(load_parts().tasks[task], train_rows=n_rows).load("train", FILES)
    columns = {**rows.columns, "label": [rows.labels[i] for i in rows.columns["label"]]}
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])


def copy(place: Path, args: argparse.Namespace) -> None:
    """Make the folders of the checkpoints, and their table."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(place / "one" / "model.safetensors")
    lines = ["name,model,kind,data"]
    for number in range(1, args.adapters + 1):
        name = f"adapter-{number:02}"
        save_adapter(place, args, place / "checkpoints" / name, seed=number)
        lines.append(f"{name},{name},classification,source.csv")
    for number in range(1, args.checkpoints - args.adapters + 1):
        name = f"checkpoint-{number:03}"
        folder = place / "checkpoints" / name
        shutil.copytree(place / "one", folder, ignore=shutil.ignore_patterns("*.safetensors"))
        draw = torch.Generator().manual_seed(number)
        noisy = {}
        for key, weight in weights.items():
            noise = torch.randn(weight.shape, generator=draw) * weight.float().std(correction=0)
            noisy[key] = weight + args.noise * noise if weight.is_floating_point() else weight
        save_file(noisy, folder / "model.safetensors", {"format": "pt"})
        lines.append(f"{name},{name},classification,source.csv")
    write_table(SOURCE, 200, place / "checkpoints" / "source.csv")
    (place / "checkpoints" / "zoo.csv").write_text("\n".join(lines) + "\n")


def save_adapter(place: Path, args: argparse.Namespace, folder: Path, *, seed: int) -> None:
    """Write an adapter of the backbone as a user of PEFT has one, with a head for the source's classes."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification

    model_folder, _ = base(place, args).folder(FILES)
    config = json.loads((place / "one" / "config.json").read_text())
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(model_folder, id2label=config["id2label"])
    random_updates = LoraConfig(task_type=TaskType.SEQ_CLS, r=8, init_lora_weights=False)
    get_peft_model(model, random_updates).save_pretrained(folder)


@dataclass(frozen=True)
class Ranking:
    """A step that ranks: it returns the checkpoints' similarities, best first. A process can be sent it."""

    estimator: str
    from_pack: bool

    def __call__(self, place: Path, args: argparse.Namespace) -> dict[str, float | None]:
        given: dict[str, Any] = {"checkpoints": place / "checkpoints" / "zoo.csv"}
        store = "store"
        if self.from_pack:
            given, store = {"pack": str(place / "zoo.safetensors")}, "elsewhere"
        ranking = recommend(
            place / "own.csv",
            self.estimator,
            base(place, args),
            kind="classification",
            k=args.checkpoints,
            jobs=0,
            store=Store(place / store),
            files=FILES,
            **given,
        )
        return ranking.similarity


def pack(place: Path, args: argparse.Namespace) -> None:
    """Make the pack, and move the folders away."""
    make_pack(
        base(place, args),
        place / "zoo.safetensors",
        checkpoints=place / "checkpoints" / "zoo.csv",
        suite="mini",
        tasks=TableTask("own", str(place / "own.csv"), "classification"),
        examples=1000,  # as many as estimators ask for
        keep=KEEPER,
        jobs=0,
        store=Store(place / "store"),
        files=FILES,
    )
    (place / "checkpoints").rename(place / "gone")
    print(f"the pack has {(place / 'zoo.safetensors').stat().st_size / 2**20:.1f} MiB", file=sys.stderr)


def n_trainings(store: Path) -> int:
    """Return how many trainings a store has."""
    cells = [json.loads(path.read_text())["ingredients"]["cell"] for path in store.rglob("cell.json")]
    return cells.count("Training")


TRAINING = "train one"
STEPS: dict[str, Step] = {
    TRAINING: train,
    "make the folders": copy,
    **{f"rank by {name}, from folders": Ranking(name, from_pack=False) for name in ESTIMATORS},
    "make the pack, with maps": pack,
    **{f"rank by {name}, from the pack": Ranking(name, from_pack=True) for name in ESTIMATORS},
}


if __name__ == "__main__":
    main()
