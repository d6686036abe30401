"""What a run asks: names resolved into one question for each estimator, backbone and signal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..compute.cells import Training
from ..compute.evidence import Similarity
from ..compute.transfers import TransferPlan
from ..compute.workspace import Cell
from ..data.oracle import Oracle, Suite
from ..errors import UnknownName, UnusableData
from ..parts.interfaces import STIMULI, Backbone, Estimator, Signal, Task
from ..parts.options import check_targets, varied
from ..parts.registry import Parts, find_oracle

MEASURED = "measured"


@dataclass(frozen=True, eq=False)
class RunRequest:
    """One thing to find out: how well an estimator ranks the source tasks of a suite, on a backbone."""

    estimator: Estimator
    backbone: Backbone
    tasks: tuple[Task, ...]
    signal: Signal | None
    oracle: Oracle | TransferPlan | None
    oracle_backbone: Backbone  # another than `backbone` in a cross-PLM evaluation
    suite: str
    seeds: tuple[int, ...] = (0,)
    max_train: int | None = None
    others: tuple[Oracle, ...] = ()  # further oracles of these tasks

    def similarities(self) -> list[Similarity]:
        """Return the cells of the estimator's matrices, one a seed."""
        # The order of the tasks changes no matrix, so it must change no key.
        tasks = tuple(sorted(self.tasks, key=lambda t: t.name))
        known = (self.oracle, self.others) if "oracle" in self.estimator.needs else (None, ())
        of = (self.estimator, self.backbone, tasks, self.signal)
        return [Similarity(*of, s, self.max_train, *known) for s in self.seeds]

    def trained(self) -> list[Training]:
        """Return the trainings whose scores tell whether the tasks were learned; none if no model is asked for."""
        if not {"representations", "models", "transfers"} & self.estimator.needs:
            return []
        return [cell.training(t) for cell in self.similarities() for t in cell.tasks]

    @property
    def looks(self) -> bool:
        """Whether anything is asked of the tasks' data or the backbone; a baseline looks at neither."""
        asked = {"representations", "models", "backbone", "batches", "texts", "transfers"} & self.estimator.needs
        return bool(asked) or isinstance(self.oracle, TransferPlan)

    def transfers(self) -> list[Training]:
        """Return the trainings of the oracle, if it is to be measured."""
        return self.oracle.cells() if isinstance(self.oracle, TransferPlan) else []

    def cells(self) -> list[Cell]:
        """Return all cells whose results this question reads."""
        return [*self.similarities(), *self.trained(), *self.transfers()]


def resolve_requests(
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
) -> list[RunRequest]:
    """Resolve names into one question for each estimator, backbone and signal, with their options varied by `sets`.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown, or too few tasks are asked for.
    """

    def found(kind: str, asked: Iterable[Any]) -> list[Any]:
        return [v for a in asked for v in varied(parts.find(kind, a) if isinstance(a, str) else a, sets)]

    rankers = [with_members(parts, e, sets) for e in found("estimator", estimators)]
    bones = found("backbone", backbones)
    of_suite = parts.find("suite", suite)
    if not tasks:
        check_suite(parts, of_suite)
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
    check_targets(sets, [*task_parts, *rankers, *named_members(rankers), *bones, *stimuli])
    common = (of_suite.name, tuple(seeds), max_train)
    asked = []
    for backbone in bones:
        truth = found("backbone", [oracle_backbone])[0] if oracle_backbone else backbone
        usual = dict(of_suite.oracles).get(truth.name) if truth == parts.backbones.get(truth.name) else None
        names = [t.name for t in task_parts]
        if oracle == MEASURED:
            table: Oracle | TransferPlan | None = TransferPlan(truth, task_parts, *common)
        else:
            table = _oracle(parts, oracle, usual, names)
        others = _others(parts, of_suite, table, names)
        for ranker in rankers:
            for signal in stimuli if STIMULI & ranker.needs else [None]:
                if "oracle" in ranker.needs and table is None:
                    raise UnusableData(
                        f"estimator {ranker.name!r} ranks by an oracle, and none is known for backbone {truth.name!r}: "
                        "name one with --oracle."
                    )
                asked.append(RunRequest(ranker, backbone, task_parts, signal, table, truth, *common, others))
    return asked


def with_members(
    parts: Parts, estimator: Estimator, sets: Sequence[str] = (), above: tuple[Estimator, ...] = ()
) -> Estimator:
    """Return an estimator with the installed estimators in place of the names in its field `members`, if it has one.

    They have the options that `sets` gives to estimators of their names; `above` are those that it is a member of.

    Raises
    ------
    UnknownName
        If no installed estimator bears such a name.
    UnusableData
        If an option of one is given several values, or one is a member of itself.
    """
    members = getattr(estimator, "members", ())
    if not isinstance(members, tuple) or not any(isinstance(m, str) for m in members):
        return estimator
    if estimator in above:
        raise UnusableData(f"estimator {estimator.name!r} is a member of itself: name others in its members.")
    above = (*above, estimator)
    named = (
        with_members(parts, single(parts, "estimator", m, sets), sets, above) if isinstance(m, str) else m
        for m in members
    )
    return replace(estimator, members=tuple(named))  # type: ignore[type-var]


def named_members(estimators: Iterable[Estimator]) -> list[Estimator]:
    """Return the members of estimators' tuples `members`, and theirs: those that `--set` means by their own names."""
    found = [m for e in estimators for m in getattr(e, "members", ()) if isinstance(m, Estimator)]
    return [*found, *named_members(found)] if found else []


def single(parts: Parts, kind: str, asked: Any, sets: Sequence[str]) -> Any:
    """Return the one part that is meant, by its name or as it is, with its options; several values are refused."""
    found = varied(parts.find(kind, asked) if isinstance(asked, str) else asked, sets)
    if len(found) > 1:
        raise UnusableData(f"{kind} {found[0].name!r} has {len(found)} settings; here it takes one value an option.")
    return found[0]


def check_suite(parts: Parts, suite: Suite) -> None:
    """Raise UnknownName if a task of a suite is not installed; the message says which others can be run."""
    absent = [t for t in suite.tasks if t not in parts.tasks]
    if absent:
        there = ",".join(t for t in suite.tasks if t in parts.tasks)
        raise UnknownName(
            f"suite {suite.name!r} holds tasks that no installed plugin gives: {', '.join(absent)}; "
            f"run the others with --tasks {there}."
        )


def _oracle(parts: Parts, asked: str | Oracle | None, usual: str | None, tasks: list[str]) -> Oracle | None:
    """Return the oracle of these tasks that is asked for, else the usual one if it knows them all, else None."""
    if asked is None:
        table = parts.oracles.get(usual or "")
        return table.part(tasks) if table and _knows(table, tasks) else None
    return find_oracle(parts, asked).part(tasks)


def _others(parts: Parts, suite: Suite, table: Oracle | TransferPlan | None, tasks: list[str]) -> tuple[Oracle, ...]:
    """Return the installed oracles that know all these tasks, but the one that is scored against; the suite's first."""
    first = [name for _, name in suite.oracles if name in parts.oracles]
    known = [parts.oracles[name] for name in dict.fromkeys([*first, *parts.oracles])]
    scored = table.name if isinstance(table, Oracle) else None
    return tuple(o.part(tasks) for o in known if o.name != scored and _knows(o, tasks))


def _knows(oracle: Oracle, tasks: list[str]) -> bool:
    return {*oracle.transfers.sources} & {*oracle.transfers.targets} >= {*tasks}
