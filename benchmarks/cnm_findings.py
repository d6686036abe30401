"""What CNM finds with trained models: on the suite `mini`, on its negative control, and with measured reading.

    python benchmarks/cnm_findings.py [--suite mini mini-shuffled] [--backbone minilm-2l] [--signal mini …]
        [--variants cnm-ridge:same,cnm-ridge:disjoint,cnm:same] [--set mini.n_stimuli=150 …] [--seeds 0,1,2]
        [--stimuli all,halves] [--shuffles 20] [--oracle NAME] [--max-train N] [--data-dir DIR]
        [--task-data TASK=DIR …] [--figure skill] [--truth planted] [--holm] [--each-seed] [--details]
        [--out KEPT.jsonl]

A row is an estimator, a signal and some stimuli, with profiles of the same or of disjoint stimuli; a cell is the
similarity for a value of `relative`, in the mean of the training seeds. It is scored against the planted sharing of
skills, where a suite has it, or else against the oracle. A cell holds the skill (or the TRS), its p of relabelling and,
with `--holm`, this p corrected by Holm's method for all cells of the suite; with `--each-seed` the figure of each
training seed follows. With `--shuffles` a cell holds the skill, the mean skill of the same measurements with the
responses under other stimuli, and how often these do as well. Each `--set` is a setting of the signal with rows of its
own; one without values is the signal as it is. `--details` prints all figures, a row for each line. Similarities that
stand in the file already are not computed again.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from cnm_profiles import (
    RELATIVES,
    Judgement,
    Measurements,
    Variant,
    disjoint_by_subject,
    in_thousandths,
    judge,
    same_by_subject,
    sharing_oracle,
    signed,
)
from cogbench_estimators.channels import MappingEstimator, mappable_channels
from cogbench_estimators.cnm import CNM
from cogbench_estimators.ridge import RidgeCNM
from cogbench_tasks.mini import SKILLS
from outputs import output_file

from cogbench import Array, Files, Oracle
from cogbench.compute.workspace import Workspace, workspace_of
from cogbench.runs.requests import RunRequest, resolve_requests
from cogbench.scoring.paired import holm
from cogbench.views.formats import grid
from cogbench.workers import engine

Record: TypeAlias = dict[str, list[list[list[float]]]]  # similarities by `relative`: as recorded, then shuffled
KINDS: dict[str, Variant] = {"same": same_by_subject, "disjoint": disjoint_by_subject}
ESTIMATORS: dict[str, MappingEstimator] = {
    "cnm-ridge": RidgeCNM(),
    "cnm-ridge-1": RidgeCNM(seeds=(5,)),  # one draw of folds, for shuffles
    "cnm": CNM(hidden=(200,), seeds=(5,)),  # as docs/mini.md has it
}


@dataclass(frozen=True)
class Case:
    """The measurements that a similarity is made from."""

    suite: str
    backbone: str
    signal: str
    options: str
    stimuli: str
    seed: int
    max_train: int | None


@dataclass(frozen=True, eq=False)
class Truths:
    """The oracle that scores a similarity, and the planted sharing of skills if the suite has it."""

    names: tuple[str, ...]
    oracle: Oracle
    planted: Oracle | None


@dataclass(frozen=True)
class Variety:
    """The cells of a row, which differ in the value of `relative` alone."""

    suite: str
    signal: str
    setting: str
    stimuli: str
    estimator: str
    profiles: str


@dataclass(frozen=True, eq=False)
class Line:
    """A similarity in the mean of the training seeds, its mean with each shuffle of the responses, and each seed's."""

    variety: Variety
    relative: str
    truths: Truths
    answer: Array
    shuffled: Array
    by_seed: dict[int, Array]


def main(words: Sequence[str] | None = None) -> None:
    """Compute the similarities that are not kept, and print the table."""
    args = arguments(words)
    lines = list(measured_lines(args))
    rows = list(detailed_rows(lines, args.each_seed) if args.details else short_rows(lines, args))
    print(grid(without_constant(rows, [field for field in asdict(lines[0].variety)]), "markdown"))


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--suite", nargs="+", default=["mini"])
    options.add_argument("--backbone", default="minilm-2l")
    options.add_argument("--signal", nargs="+", default=[])
    options.add_argument("--variants", default="cnm-ridge:same,cnm-ridge:disjoint,cnm:same")
    options.add_argument("--set", nargs="*", action="append", default=[], metavar="SIGNAL.OPTION=VALUE")
    options.add_argument("--seeds", default="0")
    options.add_argument("--stimuli", default="all")
    options.add_argument("--shuffles", type=int, default=0)
    options.add_argument("--oracle")
    options.add_argument("--max-train", type=int)
    options.add_argument("--data-dir", type=Path)
    options.add_argument("--task-data", nargs="+", default=[], metavar="TASK=DIR")
    options.add_argument("--figure", choices=["skill", "TRS"], default="skill")
    options.add_argument("--truth", choices=["planted", "oracle"], default="planted")
    options.add_argument("--holm", action="store_true")
    options.add_argument("--each-seed", action="store_true")
    options.add_argument("--details", action="store_true")
    options.add_argument("--jobs", type=int, default=0)
    options.add_argument("--out", type=output_file)
    return options.parse_args(words)


def measured_lines(args: argparse.Namespace) -> Iterator[Line]:
    """Yield each line; similarities that are not kept are computed, and kept."""
    files = Files(args.data_dir, dict(pair.split("=", 1) for pair in args.task_data), offline=True)
    workspace = workspace_of(files=files, jobs=args.jobs)
    kept = read_records(args.out)
    groups: dict[Variety, dict[int, Record]] = {}
    truths_by_suite: dict[str, Truths] = {}
    for case, load, truths in cases(args, workspace):
        truths_by_suite[case.suite] = truths
        for name, kind in (variant.split(":") for variant in args.variants.split(",")):
            key = json.dumps([asdict(case), name, kind, args.shuffles], sort_keys=True)
            if key not in kept:
                kept[key] = compute(ESTIMATORS[name], KINDS[kind], load(), args.shuffles)
                if args.out:
                    with args.out.open("a") as out:
                        print(json.dumps({"key": key, "similarities": kept[key]}), file=out, flush=True)
            setting = case.options.replace(f"{case.signal}.", "") or "as it is"
            variety = Variety(case.suite, case.signal, setting, case.stimuli, name, kind)
            groups.setdefault(variety, {})[case.seed] = kept[key]
    for variety, records in groups.items():
        for relative in RELATIVES:
            by_seed = {seed: np.array(record[relative]) for seed, record in records.items()}
            answer, *shuffled = np.mean([*by_seed.values()], axis=0)
            first = {seed: values[0] for seed, values in by_seed.items()}
            yield Line(variety, relative, truths_by_suite[variety.suite], answer, np.array(shuffled), first)


def read_records(file: Path | None) -> "dict[str, Record]":
    """Return the similarities that a file holds, by their keys."""
    if file is None or not file.is_file():
        return {}
    records = [json.loads(text) for text in file.read_text().splitlines()]
    return {record["key"]: record["similarities"] for record in records}


def cases(args: argparse.Namespace, workspace: Workspace) -> Iterator[tuple[Case, Callable[[], Measurements], Truths]]:
    """Yield each suite, setting, signal, training seed and set of stimuli, with a function that measures it."""
    for suite in args.suite:
        for setting in args.set or [[]]:
            for request in resolve_requests(
                workspace,
                "cnm-ridge",
                args.backbone,
                suite=suite,
                signal=args.signal,
                oracle=args.oracle,
                set=setting,
                seeds=args.seeds,
                max_train=args.max_train,
            ):
                assert request.signal is not None
                truths = truths_of(request, suite)
                for seed in request.seeds:
                    one = replace(request, seeds=(seed,))
                    for stimuli in args.stimuli.replace("halves", "first half,second half").split(","):
                        options = ",".join(sorted(setting))
                        signal = request.signal.name
                        case = Case(suite, args.backbone, signal, options, stimuli, seed, args.max_train)
                        yield case, partial(measure_stimuli, one, workspace, stimuli), truths


def truths_of(request: RunRequest, suite: str) -> Truths:
    """Return what scores the similarities of a request."""
    assert isinstance(request.oracle, Oracle)
    names = sorted(task.name for task in request.tasks)
    skills = {name: SKILLS.get(name.replace("mini-shuffled", "mini")) for name in names}
    planted = sharing_oracle({n: s for n, s in skills.items() if s}) if all(skills.values()) else None
    return Truths(tuple(names), request.oracle.part(names), planted)


def measure_stimuli(request: RunRequest, workspace: Workspace, stimuli: str) -> Measurements:
    """Return the measurements of all stimuli, or of a half of them."""
    whole = measure(request, workspace)
    halves = dict(zip(("first half", "second half"), whole.halves(0), strict=True))
    return {"all": whole, **halves}[stimuli]


@lru_cache(maxsize=1)
def measure(request: RunRequest, workspace: Workspace) -> Measurements:
    """Return the measurements of one training seed; what is not in the store is computed."""
    (cell,) = request.similarities()
    encodings = cell.sources_of_evidence()
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


def short_rows(lines: Sequence[Line], args: argparse.Namespace) -> Iterator[dict[str, str]]:
    """Yield a row for each variety, with a cell for each value of `relative`."""
    judgements = [judge(line.truths.names, line.answer, truth_of(line, args.truth)) for line in lines]
    corrected = [""] * len(lines)
    if args.holm:
        for suite in args.suite:
            places = [i for i, line in enumerate(lines) if line.variety.suite == suite]
            p_values = holm([figure_of(judgements[i], args.figure)[1] for i in places])
            for i, p in zip(places, p_values, strict=True):
                corrected[i] = f"; {in_thousandths(p)}"
    rows: dict[Variety, dict[str, str]] = {}
    for line, judgement, correction in zip(lines, judgements, corrected, strict=True):
        text, p = figure_of(judgement, args.figure)
        if len(line.shuffled):
            mean, _, share = beside_shuffles(line, judgement, truth_of(line, args.truth))
            cell = f"{text}; shuffled {signed(mean)} ({in_thousandths(share)})"
        else:
            cell = f"{text} ({in_thousandths(p)}{correction})"
        if args.each_seed:
            each = [judge(line.truths.names, values, truth_of(line, args.truth), 1) for values in line.by_seed.values()]
            cell += ": " + ", ".join(figure_of(judgement, args.figure)[0] for judgement in each)
        rows.setdefault(line.variety, asdict(line.variety))[line.relative] = cell
    yield from rows.values()


def figure_of(judgement: Judgement, figure: str) -> tuple[str, float]:
    """Return a figure as it is printed, and its p."""
    if figure == "TRS":
        return f"{judgement.trs:.2f}", judgement.trs_p
    return signed(judgement.rho), judgement.rho_p


def truth_of(line: Line, truth: str) -> Oracle:
    """Return the planted sharing if it is wanted and the suite has it, or else the oracle."""
    return line.truths.planted if truth == "planted" and line.truths.planted else line.truths.oracle


def beside_shuffles(line: Line, judgement: Judgement, truth: Oracle) -> tuple[float, str, float]:
    """Return the mean skill of shuffled responses, its range, and how often a shuffle does as well as the signal."""
    skills = np.array([judge(line.truths.names, values, truth, 1).rho for values in line.shuffled])
    share = (1 + (skills >= judgement.rho).sum()) / (1 + len(skills))
    return float(skills.mean()), f"{signed(skills.min())} to {signed(skills.max())}", float(share)


def detailed_rows(lines: Sequence[Line], each_seed: bool) -> Iterator[dict[str, str]]:
    """Yield a row for each line: of the training seeds' mean similarity, or of each seed as well."""
    for line in lines:
        whole = {",".join(map(str, line.by_seed)): line}
        alone = {str(seed): replace(line, answer=values, shuffled=np.empty(0)) for seed, values in line.by_seed.items()}
        for seeds, part in ({**alone, **whole} if each_seed else whole).items():
            yield {
                **asdict(line.variety),
                "relative": line.relative,
                "seeds": seeds,
                **all_figures(part, part.truths.oracle, "oracle"),
                **(all_figures(part, part.truths.planted, "planted") if part.truths.planted else {}),
            }


def all_figures(line: Line, truth: Oracle, name: str) -> dict[str, str]:
    """Return each figure of a line against a truth."""
    judgement = judge(line.truths.names, line.answer, truth)
    row = {
        f"TRS, {name}": f"{judgement.trs:.2f}",
        f"p, {name}": f"{judgement.trs_p:.4f}",
        f"skill, {name}": signed(judgement.rho),
        f"skill p, {name}": f"{judgement.rho_p:.4f}",
    }
    if len(line.shuffled):
        mean, ends, share = beside_shuffles(line, judgement, truth)
        row |= {f"shuffled, {name}": f"{signed(mean)} ({ends})", f"p over shuffled, {name}": f"{share:.3f}"}
    return row


def without_constant(rows: Sequence[dict[str, str]], columns: Sequence[str]) -> list[dict[str, str]]:
    """Return rows without those of some columns that say the same in all rows."""
    constant = {column for column in columns if len({row[column] for row in rows}) == 1}
    return [{name: text for name, text in row.items() if name not in constant} for row in rows]


if __name__ == "__main__":
    main()
