"""What CNM finds with trained models: on the suite `mini`, on its negative control, and on measured reading.

    python benchmarks/cnm_findings.py [--suite mini] [--backbone minilm-2l] [--signal mini …] [--estimators cnm-ridge]
        [--set mini.n_stimuli=1200 …] [--seeds 0,1,2] [--stimuli all,halves] [--kinds same,disjoint] [--shuffles 20]
        [--oracle NAME] [--max-train N] [--data-dir DIR] [--task-data TASK=DIR …] [--out LINES.jsonl]

Each line is one similarity: of an estimator, a value of `relative`, a signal, some stimuli and a training seed; with
profiles of the same or of disjoint stimuli. It is scored against the oracle and, for a suite whose skills are planted,
against the number of skills that two tasks share. With `--shuffles` each line says how often the same measurements with
the responses under other stimuli do as well. Lines that stand in the file already are not computed again.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cnm_profiles import RELATIVES, Judgement, Measurements, disjoint_similarities, judge, sharing_oracle, similarities
from cogbench_estimators.channels import MappingEstimator, mappable_channels
from cogbench_estimators.cnm import CNM
from cogbench_estimators.ridge import RidgeCNM
from cogbench_tasks.mini import SKILLS
from outputs import output_file

from cogbench import Files, Oracle
from cogbench.compute import engine
from cogbench.compute.workspace import Workspace, workspace_of
from cogbench.runs.requests import RunRequest, resolve_requests
from cogbench.views.formats import grid

KINDS = {"same": similarities, "disjoint": disjoint_similarities}
ESTIMATORS: dict[str, MappingEstimator] = {
    "cnm-ridge": RidgeCNM(),
    "cnm-ridge-1": RidgeCNM(seeds=(5,)),  # one draw of folds, for shuffles
    "cnm": CNM(hidden=(200,), seeds=(5,)),  # as docs/mini.md has it
}


@dataclass(frozen=True)
class Case:
    """What a line is of, beside the estimator and the value of `relative`."""

    suite: str
    backbone: str
    signal: str
    options: str
    stimuli: str
    seed: int


@dataclass(frozen=True, eq=False)
class Truths:
    """What a similarity is scored against."""

    oracle: Oracle
    planted: Oracle | None


def main(words: Sequence[str] | None = None) -> None:
    """Compute the lines that are not there, and print all."""
    args = arguments(words)
    files = Files(args.data_dir, dict(pair.split("=", 1) for pair in args.task_data), offline=True)
    workspace = workspace_of(files=files, jobs=args.jobs)
    known = read_lines(args.out)
    lines = []
    for case, measurements, truths in cases(args, workspace):
        for name in args.estimators.split(","):
            for kind in args.kinds.split(","):
                where = {**asdict(case), "estimator": name, "profiles": kind}
                key = json.dumps([where, args.shuffles, truths.oracle.name], sort_keys=True)
                if key not in known:
                    computed = list(lines_of(ESTIMATORS[name], kind, measurements, truths, args.shuffles))
                    known[key] = [{**where, **line} for line in computed]
                    if args.out:
                        with args.out.open("a") as out:
                            print(json.dumps({"key": key, "lines": known[key]}), file=out, flush=True)
                lines += known[key]
    print(grid([written(line) for line in lines], "markdown"))


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--suite", default="mini")
    options.add_argument("--backbone", default="minilm-2l")
    options.add_argument("--signal", nargs="+", default=[])
    options.add_argument("--estimators", default="cnm-ridge")
    options.add_argument("--set", nargs="+", default=[], metavar="SIGNAL.OPTION=VALUE")
    options.add_argument("--seeds", default="0")
    options.add_argument("--stimuli", default="all")
    options.add_argument("--kinds", default="same")
    options.add_argument("--shuffles", type=int, default=0)
    options.add_argument("--oracle")
    options.add_argument("--max-train", type=int)
    options.add_argument("--data-dir", type=Path)
    options.add_argument("--task-data", nargs="+", default=[], metavar="TASK=DIR")
    options.add_argument("--jobs", type=int, default=0)
    options.add_argument("--out", type=output_file)
    return options.parse_args(words)


def read_lines(file: Path | None) -> dict[str, list[dict[str, Any]]]:
    """Return the lines that a file holds, by their keys."""
    if file is None or not file.is_file():
        return {}
    records = [json.loads(text) for text in file.read_text().splitlines()]
    return {record["key"]: record["lines"] for record in records}


def cases(args: argparse.Namespace, workspace: Workspace) -> Iterator[tuple[Case, Measurements, Truths]]:
    """Yield what is asked for: each signal, training seed and set of stimuli."""
    requests = resolve_requests(
        workspace,
        "cnm-ridge",
        args.backbone,
        suite=args.suite,
        signal=args.signal,
        oracle=args.oracle,
        set=args.set,
        seeds=args.seeds,
        max_train=args.max_train,
    )
    for request in requests:
        assert isinstance(request.oracle, Oracle) and request.signal is not None
        names = sorted(task.name for task in request.tasks)
        skills = {name: SKILLS.get(name.replace("mini-shuffled", "mini")) for name in names}
        planted = sharing_oracle({n: s for n, s in skills.items() if s}) if all(skills.values()) else None
        truths = Truths(request.oracle.part(names), planted)
        for seed in request.seeds:
            case = Case(args.suite, args.backbone, request.signal.name, ",".join(sorted(args.set)), "all", seed)
            whole = measure(replace(request, seeds=(seed,)), workspace)
            halves = whole.halves(0)
            for name in args.stimuli.split(","):
                if name == "all":
                    yield case, whole, truths
                else:
                    for label, half in zip(("first half", "second half"), halves, strict=True):
                        yield replace(case, stimuli=label), half, truths


def measure(request: RunRequest, workspace: Workspace) -> Measurements:
    """Return the measurements of one training seed; what is not in the store is computed."""
    (cell,) = request.similarities()
    encodings = cell.inputs()
    engine.compute(list(encodings), workspace)
    assert cell.signal is not None
    recording = workspace.recording(cell.signal)
    order = np.array(sorted(range(len(recording.sentences)), key=recording.sentences.__getitem__))  # as estimators do
    tasks = np.stack([encoding.representations(workspace) for encoding in encodings])[:, order]
    bare = cell.backbone.represent(None, recording.sentences, workspace.files)[order]
    channels = mappable_channels(ESTIMATORS["cnm-ridge"], recording.subjects)
    present = np.all([recording.subjects[name].present for name in channels], axis=0)[order]
    responses = [recording.subjects[name].values[np.ix_(order, columns)] for name, columns in channels.items()]
    names = tuple(task.name for task in cell.tasks)
    return Measurements(names, tasks, bare, responses).at(np.flatnonzero(present))


def lines_of(
    estimator: MappingEstimator, kind: str, measurements: Measurements, truths: Truths, shuffles: int
) -> Iterator[dict[str, Any]]:
    """Yield a line for each value of `relative`."""
    names = measurements.names
    answers = KINDS[kind](estimator, measurements)
    nulls = [KINDS[kind](estimator, measurements.shuffled(i)) for i in range(shuffles)]
    for relative in RELATIVES:
        line: dict[str, Any] = {"relative": relative}
        for truth, oracle in (("oracle", truths.oracle), ("planted", truths.planted)):
            if oracle is None:
                continue
            judgement = judge(names, answers[relative], oracle)
            line[truth] = asdict(judgement)
            if nulls:
                rhos = [judge(names, null[relative], oracle, 1).rho for null in nulls]
                line[truth] |= {"shuffled": rhos, "p_shuffled": p_of_shuffles(judgement, rhos)}
        yield line


def p_of_shuffles(judgement: Judgement, rhos: Sequence[float]) -> float:
    """Return how often shuffled responses give as much skill."""
    return (1 + sum(rho >= judgement.rho for rho in rhos)) / (1 + len(rhos))


def written(line: dict[str, Any]) -> dict[str, str]:
    """Return a line for people."""
    row = {name: str(line[name]) for name in ("suite", "signal", "options", "stimuli", "seed", "estimator", "profiles")}
    row["relative"] = line["relative"]
    for truth in ("oracle", "planted"):
        if truth in line:
            figures = line[truth]
            row |= {
                f"TRS, {truth}": f"{figures['trs']:.2f}",
                f"p, {truth}": f"{figures['trs_p']:.4f}",
                f"skill, {truth}": f"{figures['rho']:+.2f}",
                f"skill p, {truth}": f"{figures['rho_p']:.4f}",
            }
            if "shuffled" in figures:
                row |= {
                    f"shuffled, {truth}": f"{np.mean(figures['shuffled']):+.2f}",
                    f"p over shuffled, {truth}": f"{figures['p_shuffled']:.3f}",
                }
    return row


if __name__ == "__main__":
    main()
