"""Does a student learn more from a teacher than from the true answers? Some minutes a task and seed on one core.

A distilled student stands beside two controls that share its first weights, its examples and its number of steps, and
see the true answers instead: `control`, one plain training, and `in two phases`, with the student's two schedules and
so with its order of the examples too. Prints for each seed the score on the evaluation split and the agreement with
the teacher: the share of equal answers, or the correlation of numbers. What is trained is kept in COGBENCH_HOME.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from cogbench_backbones.distill import register_backbones
from cogbench_backbones.heads import encoded
from cogbench_backbones.training import fit

from cogbench import Checkpoint, Files, Recipe, Store, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.parts.set_options import varied
from cogbench.scoring.metrics import score_outputs
from cogbench.storage.store import home


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="minilm-2l-distilled")
    parser.add_argument("--tasks", nargs="+", default=["mini-mrpc"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--max-train", type=int, default=None)
    parser.add_argument("--set", action="append", default=[], metavar="PART.OPTION=VALUE")
    parser.add_argument("--data-dir", type=Path, default=None)
    args = parser.parse_args()
    (backbone,) = varied({b.name: b for b in register_backbones()}[args.backbone], args.set)
    workspace = Workspace(Files(args.data_dir, offline=True), Store(home()))
    for name in args.tasks:
        task = load_parts().find("task", name)
        if task.kind == "extractive-qa":
            raise SystemExit(f"{name}: agreement on places in a text is not measured here.")
        lines = [measured(backbone, Recipe((task,), seed=s, max_train=args.max_train), workspace) for s in args.seeds]
        n = len(workspace.dataset(task, "train").sample(args.max_train))
        print(f"\n{name}, {task.metric}, {n} examples, {backbone.name} {' '.join(args.set)}")
        report(args.seeds, lines)


def measured(backbone, recipe, workspace):
    """Return steps, and for teacher, student and both controls (score, agreement with the teacher)."""
    cell = Training(backbone, recipe)
    student, teacher = cell.checkpoint(workspace), cell.teacher.checkpoint(workspace)
    n_rows = len(workspace.dataset(recipe.task, "train").sample(recipe.max_train))
    filled = cell.filled(workspace).settings
    epochs = student.steps // replace(filled, epochs=1, min_steps=0).steps(n_rows)
    whole = Training(backbone.student, replace(recipe, settings=replace(filled, epochs=epochs, min_steps=0)))
    control = whole.checkpoint(workspace)
    assert control.steps == student.steps, "the control has another number of steps"
    phased = in_two_phases(backbone, cell.filled(workspace), workspace.files)
    assert phased.steps == student.steps
    train, evaluation = (workspace.dataset(recipe.task, split) for split in ("train", "evaluation"))
    return student.steps, [
        (score_outputs(recipe.task.metric, c.outputs, evaluation, train).value, agreement(c.outputs, teacher.outputs))
        for c in (teacher, student, control, phased)
    ]


def in_two_phases(backbone, recipe, files) -> Checkpoint:
    """Train the student on true answers, in as many phases, with their settings."""
    student, train = backbone.student, recipe.task.load("train", files).sample(recipe.max_train)
    model, tokenizer = student.fresh(train, recipe.seed, files), student.tokenizer(files)
    rows = encoded(tokenizer, train, student.limit(recipe.settings.max_length, files)).rows
    with tempfile.TemporaryDirectory() as folder:
        out, phases = Path(folder), backbone.phases(recipe.task.kind, recipe.settings)
        steps = sum(fit(model, tokenizer, rows, s, seed=recipe.seed, out=out) for s in phases if s.epochs)
        return student.finished(model, steps, recipe, files, out)


def agreement(outputs, teachers) -> float:
    """Return the share of equal answers, or the correlation of numbers."""
    if outputs.shape[1] == 1:
        return float(np.corrcoef(outputs[:, 0], teachers[:, 0])[0, 1])
    return float((outputs.argmax(1) == teachers.argmax(1)).mean())


def report(seeds, lines) -> None:
    """Print a table: a row for each seed, and their mean."""
    print("seed", "steps", "teacher", *(f"{who:>20}" for who in ("distilled", "control", "in two phases")))
    print(" " * 18, *(f"{'score':>12}{'agrees':>8}" for _ in range(3)))
    values = np.array([of_models for _, of_models in lines])  # (seed, model, 2)
    for label, steps, row in [
        *((s, n, v) for s, (n, _), v in zip(seeds, lines, values, strict=True)),
        ("mean", "", values.mean(0)),
    ]:
        print(
            f"{label!s:4} {steps!s:>5} {row[0, 0]:7.3f}", *(f"{value:12.3f}{agrees:8.3f}" for value, agrees in row[1:])
        )


if __name__ == "__main__":
    main()
