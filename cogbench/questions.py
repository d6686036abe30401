"""What a run asks: names resolved into one question for each estimator, backbone and signal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .cells import Cell, Training
from .errors import UnknownName, UnusableData
from .evidence import Similarity
from .loading import Parts
from .parts import Backbone, Estimator, Signal, Task
from .records import Oracle, Suite
from .setting import check_targets, varied
from .transfer import find_oracle, trainings

MEASURED: Literal["measured"] = "measured"
STIMULI = frozenset({"representations", "responses"})  # what needs a signal


@dataclass(frozen=True, eq=False)
class Question:
    """One thing to find out: how well an estimator ranks the source tasks of a suite, on a backbone."""

    estimator: Estimator
    backbone: Backbone
    tasks: tuple[Task, ...]
    signal: Signal | None
    oracle: Oracle | Literal["measured"] | None
    oracle_backbone: Backbone  # another than `backbone` in a cross-PLM evaluation
    suite: str
    seeds: tuple[int, ...] = (0,)
    max_train: int | None = None

    def similarities(self) -> list[Similarity]:
        """Return the cells of the estimator's matrices, one a seed."""
        # The order of the tasks changes no matrix, so it must change no key.
        tasks = tuple(sorted(self.tasks, key=lambda t: t.name))
        return [Similarity(self.estimator, self.backbone, tasks, self.signal, s, self.max_train) for s in self.seeds]

    def trained(self) -> list[Training]:
        """Return the trainings whose scores tell whether the tasks were learned; none if no model is asked for."""
        if not {"representations", "models", "transfers"} & self.estimator.needs:
            return []
        return [cell.training(t) for cell in self.similarities() for t in cell.tasks]

    def transfers(self) -> list[Training]:
        """Return the trainings of the oracle, if it is to be measured."""
        if self.oracle != MEASURED:
            return []
        return [c for s in self.seeds for c in trainings(self.oracle_backbone, self.tasks, s, self.max_train).values()]

    def cells(self) -> list[Cell]:
        """Return all cells whose results this question reads."""
        return [*self.similarities(), *self.trained(), *self.transfers()]


def questions(
    parts: Parts,
    estimators: Iterable[str | Estimator],
    backbones: Iterable[str | Backbone],
    *,
    suite: str = "cogtaskonomy",
    tasks: Sequence[str | Task] | None = None,
    signals: Sequence[str | Signal] = (),
    oracle: str | Oracle | None = None,
    oracle_backbone: str | Backbone | None = None,
    sets: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    max_train: int | None = None,
) -> list[Question]:
    """Resolve names into one question for each estimator, backbone and signal, with their options varied by `sets`.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown, or too few tasks are asked for.
    """

    def found(kind: str, asked: Iterable[Any]) -> list[Any]:
        return [v for a in asked for v in varied(parts.find(kind, a) if isinstance(a, str) else a, sets)]

    rankers, bones = found("estimator", estimators), found("backbone", backbones)
    of_suite = parts.find("suite", suite)
    if not tasks:
        _check_suite(parts, of_suite)
    task_parts = tuple(found("task", tasks or of_suite.tasks))
    if len(task_parts) < 3 or len({t.name for t in task_parts}) < len(task_parts):
        raise UnusableData("a ranking of sources needs at least three tasks, each named once.")
    needed = any(STIMULI & e.needs for e in rankers)
    if needed and not signals and of_suite.signal not in parts.signals:
        raise UnknownName(
            f"no installed plugin gives {of_suite.signal!r}, the usual signal of suite {suite!r}: "
            "name one with --signal."
        )
    stimuli = found("signal", signals or [of_suite.signal]) if needed else []
    check_targets(sets, [*task_parts, *rankers, *bones, *stimuli])
    common = (of_suite.name, tuple(seeds), max_train)
    asked = []
    for backbone in bones:
        truth = found("backbone", [oracle_backbone])[0] if oracle_backbone else backbone
        usual = dict(of_suite.oracles).get(truth.name) if truth == parts.backbones.get(truth.name) else None
        table = _oracle(parts, oracle, usual, [t.name for t in task_parts])
        for ranker in rankers:
            for signal in stimuli if STIMULI & ranker.needs else [None]:
                asked.append(Question(ranker, backbone, task_parts, signal, table, truth, *common))
    return asked


def _check_suite(parts: Parts, suite: Suite) -> None:
    absent = [t for t in suite.tasks if t not in parts.tasks]
    if absent:
        there = ",".join(t for t in suite.tasks if t in parts.tasks)
        raise UnknownName(
            f"suite {suite.name!r} holds tasks that no installed plugin gives: {', '.join(absent)}; "
            f"run the others with --tasks {there}."
        )


def _oracle(
    parts: Parts, asked: str | Oracle | None, usual: str | None, tasks: list[str]
) -> Oracle | Literal["measured"] | None:
    """Return the oracle of these tasks that is asked for, else the usual one if it knows them all, else None."""
    if asked is None:
        table = parts.oracles.get(usual or "")
        known = {*table.transfers.sources} & {*table.transfers.targets} if table else set()
        return table.part(tasks) if table and known >= {*tasks} else None
    if asked == MEASURED:
        return MEASURED
    return find_oracle(parts, asked).part(tasks)
