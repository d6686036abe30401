"""What CNM finds with trained models: on the suite `mini`, on its negative control, and on measured reading.

    python benchmarks/cnm_findings.py [--suite mini] [--backbone minilm-2l] [--signal mini …] [--estimators cnm-ridge]
        [--set mini.n_stimuli=1200 …] [--seeds 0,1,2] [--stimuli all,halves] [--kinds same,disjoint] [--shuffles 20]
        [--oracle NAME] [--max-train N] [--data-dir DIR] [--task-data TASK=DIR …] [--each-seed] [--out KEPT.jsonl]

Each row is one similarity, the mean of the training seeds: of an estimator, a value of `relative`, a signal and some
stimuli, with profiles of the same or of disjoint stimuli. It is scored against the oracle and, for a suite whose skills
are planted, against the sharing of skills. With `--shuffles` a row says how often the same measurements with the
responses under other stimuli do as well. Similarities that stand in the file already are not computed again.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TypeAlias

import numpy as np
from cnm_profiles import (
    RELATIVES,
    Measurements,
    Variant,
    disjoint_by_subject,
    judge,
    same_by_subject,
    sharing_oracle,
)
from cogbench_estimators.channels import MappingEstimator, mappable_channels
from cogbench_estimators.cnm import CNM
from cogbench_estimators.ridge import RidgeCNM
from cogbench_tasks.mini import SKILLS
from outputs import output_file

from cogbench import Array, Files, Oracle
from cogbench.compute import engine
from cogbench.compute.workspace import Workspace, workspace_of
from cogbench.runs.requests import RunRequest, resolve_requests
from cogbench.views.formats import grid

Record: TypeAlias = dict[str, list[list[list[float]]]]  # similarities by `relative`: as recorded, then shuffled
KINDS: dict[str, Variant] = {"same": same_by_subject, "disjoint": disjoint_by_subject}
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

    names: tuple[str, ...]
    oracle: Oracle
    planted: Oracle | None


def main(words: Sequence[str] | None = None) -> None:
    """Compute the similarities that are not there, and print a line for each."""
    args = arguments(words)
    files = Files(args.data_dir, dict(pair.split("=", 1) for pair in args.task_data), offline=True)
    workspace = workspace_of(files=files, jobs=args.jobs)
    known = read_records(args.out)
    groups: dict[tuple[str, ...], list[tuple[Case, Record]]] = {}  # of one case but for the training seed
    truths = None
    for case, measurements, of_case in cases(args, workspace):
        truths = of_case
        for name, kind in product(args.estimators.split(","), args.kinds.split(",")):
            key = json.dumps([asdict(case), name, kind, args.shuffles], sort_keys=True)
            if key not in known:
                known[key] = compute(ESTIMATORS[name], KINDS[kind], measurements, args.shuffles)
                if args.out:
                    with args.out.open("a") as out:
                        print(json.dumps({"key": key, "similarities": known[key]}), file=out, flush=True)
            group = (case.signal, case.options, case.stimuli, name, kind)
            groups.setdefault(group, []).append((case, known[key]))
    assert truths is not None
    print(grid(list(rows(groups, truths, args.each_seed)), "markdown"))


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
    options.add_argument("--each-seed", action="store_true")
    options.add_argument("--jobs", type=int, default=0)
    options.add_argument("--out", type=output_file)
    return options.parse_args(words)


def read_records(file: Path | None) -> "dict[str, Record]":
    """Return the similarities that a file holds, by their keys."""
    if file is None or not file.is_file():
        return {}
    records = [json.loads(text) for text in file.read_text().splitlines()]
    return {record["key"]: record["similarities"] for record in records}


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
        truths = Truths(tuple(names), request.oracle.part(names), planted)
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


def compute(estimator: MappingEstimator, answer: Variant, measurements: Measurements, shuffles: int) -> Record:
    """Return for each value of `relative` the similarity, and then those of shuffled responses: JSON."""
    shuffled = [measurements.shuffled(i).responses for i in range(shuffles)]
    responses = [y for each in (measurements.responses, *shuffled) for y in each]
    matrices = answer(estimator, replace(measurements, responses=responses))  # (n_shuffles + 1) * n_subjects of each
    n_tasks = len(measurements.names)
    return {
        name: each.reshape(shuffles + 1, -1, n_tasks, n_tasks).mean(axis=1).tolist() for name, each in matrices.items()
    }


def rows(
    groups: dict[tuple[str, ...], list[tuple[Case, Record]]], truths: Truths, each_seed: bool
) -> Iterator[dict[str, str]]:
    """Yield a row for each value of `relative`: of the training seeds' mean similarity, or of each seed as well."""
    for (signal, options, stimuli, estimator, kind), members in groups.items():
        alone = {str(case.seed): [record] for case, record in members}
        together = {",".join(alone): [record for _, record in members]}
        for seeds, records in ({**alone, **together} if each_seed else together).items():
            for relative in RELATIVES:
                answer, *shuffled = np.mean([record[relative] for record in records], axis=0)
                yield {
                    "signal": ",".join(filter(None, (signal, options))),
                    "stimuli": stimuli,
                    "estimator": estimator,
                    "profiles": kind,
                    "seeds": seeds,
                    "relative": relative,
                    **figures(truths.names, answer, shuffled, truths.oracle, "oracle"),
                    **(figures(truths.names, answer, shuffled, truths.planted, "planted") if truths.planted else {}),
                }


def figures(
    names: Sequence[str], answer: Array, shuffled: Sequence[Array], oracle: Oracle, truth: str
) -> dict[str, str]:
    """Return what is printed of a similarity and a truth."""
    judgement = judge(names, answer, oracle)
    row = {
        f"TRS, {truth}": f"{judgement.trs:.2f}",
        f"p, {truth}": f"{judgement.trs_p:.4f}",
        f"skill, {truth}": f"{judgement.rho:+.2f}",
        f"skill p, {truth}": f"{judgement.rho_p:.4f}",
    }
    if shuffled:
        rhos = np.array([judge(names, values, oracle, 1).rho for values in shuffled])
        p = (1 + (rhos >= judgement.rho).sum()) / (1 + len(rhos))
        row |= {f"shuffled, {truth}": f"{rhos.mean():+.2f}", f"p over shuffled, {truth}": f"{p:.3f}"}
    return row


if __name__ == "__main__":
    main()
