"""Trainings by cogbench beside transformers' own recipe: the same examples, lengths, epochs, batch size and seed.

    python benchmarks/finetune.py --data-dir DATA --tasks cola sst-2 … --max-train 200 --epochs 1

`cogbench` runs the trainings as a run does, in its worker processes. `dynamic` and `padded` are transformers' Trainer
as its example scripts use it: one process with torch's default threads, single precision, batches in random order,
each padded to its longest row, or all to the maximum. All read, encode, train, answer the evaluation split and save.
Prints seconds and how many times cogbench's each took; and, for each task, the metric of each, with the evaluation's
standard error: over `--seeds`, differences between them should be as small as those between seeds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from own_parts import Sample

from cogbench import Files, Recipe, Store, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.parts.set_options import varied
from cogbench.scoring.metrics import score_outputs
from cogbench.workers import engine

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
RECIPES = ("cogbench", "dynamic", "padded")


def main() -> None:
    """Time each recipe in a process of its own, then print."""
    args = arguments()
    if args.recipe:
        return print_one(args)
    runs = {recipe: run(recipe) for recipe in args.recipes}
    first = next(iter(runs))
    print(f"\n{args.backbone} {' '.join(args.set)}, {len(args.tasks)} tasks, seeds {args.seeds}, {options(args)}")
    for recipe, (seconds, _) in runs.items():
        print(f"{recipe:10} {seconds:8.1f} s  {seconds / runs[first][0]:5.2f} x")
    print("\ntask".ljust(22), *(r.rjust(16) for r in runs), "eval. error".rjust(12))
    for i, task in enumerate(args.tasks):
        values = [np.array([v for t, v, _ in lines if t == task]) for _, lines in runs.values()]
        cells = (f"{v.mean():.3f}" + (f" ± {v.std(ddof=1):.3f}" if len(v) > 1 else "") for v in values)
        print(task.ljust(21), *(c.rjust(16) for c in cells), f"{runs[first][1][i][2]:12.3f}")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="minilm")
    parser.add_argument("--tasks", nargs="+", default=[f"mini-{t}" for t in ("sst-2", "qnli", "sts-b", "conll-2003")])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--task-data", nargs="+", default=[], metavar="TASK=FOLDER")
    parser.add_argument("--max-train", type=int, default=200)
    parser.add_argument("--evaluation", type=int, default=200)
    parser.add_argument("--epochs", type=int, help="and no minimum of steps; default: the backbone's own settings")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", action="append", default=[], metavar="PART.OPTION=VALUE")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--recipe", choices=RECIPES, help=argparse.SUPPRESS)  # in the process that is timed
    return parser.parse_args()


def options(args: argparse.Namespace) -> str:
    """Return what the trainings share, in words."""
    return f"{args.max_train} examples, {args.evaluation} evaluated, epochs {args.epochs or 'as usual'}"


def run(recipe: str) -> tuple[float, list[tuple[str, float, float]]]:
    """Run one recipe in a process of its own; return its seconds and a (task, metric, error) for each training."""
    environment = {k: v for k, v in os.environ.items() if k not in THREADS}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--recipe", recipe],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds = time.perf_counter() - began
    lines = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 2]
    return seconds, [(task, float(value), float(error)) for task, value, error in lines]


def print_one(args: argparse.Namespace) -> None:
    """Train by one recipe and print a line for each training."""
    files = Files(args.data_dir, tuple(pair.split("=", 1) for pair in args.task_data), offline=True)
    (backbone,) = varied(load_parts().find("backbone", args.backbone), args.set)
    parts = [load_parts().find("task", name) for name in args.tasks]
    tasks = [Sample(t.name, t.kind, t.metric, t.card, evaluation_rows=args.evaluation) for t in parts]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(files, Store(Path(folder)))
        cells = [Training(backbone, recipe) for recipe in recipes(backbone, tasks, workspace, args)]
        if args.recipe == "cogbench":
            outcome = engine.compute(cells, workspace)
            if outcome.failed:
                raise next(iter(outcome.failed.values()))
            outputs = [cell.checkpoint(workspace).outputs for cell in cells]
        else:
            outputs = [by_trainer(cell, workspace, Path(folder), padded=args.recipe == "padded") for cell in cells]
        for cell, predicted in zip(cells, outputs, strict=True):
            task = cell.recipe.task
            train, evaluation = (workspace.dataset(task, split) for split in ("train", "evaluation"))
            score = score_outputs(task.metric, predicted, evaluation, train)
            print(task.name, score.value, score.standard_error, sep="\t")


def recipes(backbone, tasks, workspace, args):
    """Yield what is trained: every seed of every task, with settings that all share."""
    for seed in args.seeds:
        for task in tasks:
            recipe = Recipe((task,), seed=seed, max_train=args.max_train)
            settings = Training(backbone, recipe).filled(workspace).settings
            if args.epochs:
                settings = replace(settings, epochs=args.epochs, min_steps=0)
            yield replace(recipe, settings=settings)


def by_trainer(cell, workspace, folder, *, padded=False, start=None):
    """Return the outputs of a training by transformers' recipe, from a checkpoint's encoder if one is given."""
    import transformers
    from cogbench_backbones.heads import HEADS, batch, encoded, outputs_of_rows, row

    transformers.logging.set_verbosity_error()
    recipe, backbone, files = cell.recipe, cell.backbone, workspace.files
    tokenizer, settings = backbone.tokenizer(files), recipe.settings
    limit = backbone.limit(settings.max_length, files)
    train = workspace.dataset(recipe.task, "train").sample(recipe.max_train)
    evaluation = workspace.dataset(recipe.task, "evaluation")
    there = encoded(tokenizer, evaluation, limit)
    rows, evaluated = encoded(tokenizer, train, limit).rows, there.rows
    if padded:
        rows, evaluated = to_maximum(rows, limit), to_maximum(evaluated, limit)
    n, n_asked = len(rows["input_ids"]), len(evaluated["input_ids"])
    steps, model = settings.steps(n), backbone.fresh(train, recipe.seed, files, start)
    out = folder / f"{recipe.task.name}-{recipe.seed}"
    trainer = transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(
            output_dir=str(out),
            max_steps=steps,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            warmup_steps=int(np.ceil(settings.warmup * steps)),
            lr_scheduler_type="linear",
            seed=recipe.seed,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=[row(rows, i) for i in range(n)],
        data_collator=partial(batch, tokenizer),
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    in_order = (range(start, min(start + 64, n_asked)) for start in range(0, n_asked, 64))
    each = outputs_of_rows(model, tokenizer, evaluated, in_order)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return HEADS[recipe.task.kind].outputs(each, evaluation, there.places)


def to_maximum(rows, limit):
    """Return rows as long as the longest allowed; there is no loss on what is added."""
    from cogbench_backbones.heads import IGNORED

    per_piece = {k for k, column in rows.items() if isinstance(column[0], list) and len(column[0]) > 1}
    fill = {k: IGNORED if k == "labels" else 0 for k in per_piece}  # 0 is BERT's padding, and no attention
    return {
        k: [values + [fill[k]] * (limit - len(values)) for values in column] if k in per_piece else column
        for k, column in rows.items()
    }


if __name__ == "__main__":
    main()
