"""What a command asks for: names resolved into parts, and these into a request for each ranking that is to be made."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from ..checkpoints.given import GivenCheckpoint, NoBackbone
from ..checkpoints.naming import find_checkpoints
from ..checkpoints.ranking import LOOKS, check_checkpoints, trains
from ..compute.cells import GivenTraining, Training
from ..compute.estimate import EXAMPLES
from ..compute.evidence import Similarity
from ..compute.transfers import TransferPlan, notes_of_budgets
from ..compute.workspace import Cell, Workspace
from ..data.oracle import Oracle, Suite
from ..errors import AmbiguousTable, UnknownName, UnusableData, WrongOption
from ..parts.interfaces import MODELS, STIMULI, Backbone, Estimator, OraclePart, Signal
from ..parts.oracle_names import find_oracle, read_part
from ..parts.recipe import Task
from ..parts.registry import Parts, checked, faults_of_suite
from ..parts.set_options import all_members, check_targets, varied, with_members
from .plan import refuse_pooling, suitable_tasks
from .stimuli import NEUTRAL, find_stimuli, refuse_unused_stimuli, stand_in, takes_sentences

log = logging.getLogger("cogbench")
MEASURED = "measured"
T = TypeVar("T")
Several: TypeAlias = str | T | Sequence[str | T]  # a name or a part, or several of them


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRequest:
    """One ranking asked for: how well does an estimator rank the source tasks of a suite, on a backbone?"""

    estimator: Estimator
    backbone: Backbone
    tasks: tuple[Task, ...]
    signal: Signal | None
    oracle: Oracle | TransferPlan | None
    suite: str
    seeds: tuple[int, ...] = (0,)
    max_train: int | None = None
    max_train_target: int | None = None  # as many as of a source, unless said
    other_oracles: tuple[Oracle, ...] = ()  # further oracles of these tasks
    notes: tuple[str, ...] = ()  # what a reader should know of how it was chosen
    checkpoints: tuple[GivenCheckpoint, ...] = ()  # the sources, where these are given; the tasks are targets then

    @property
    def sources(self) -> tuple[Task, ...]:
        """The tasks that are ranked: all, or the checkpoints that are given in their place."""
        return self.checkpoints or self.tasks

    @property
    def has_backbone(self) -> bool:
        """Whether a pre-trained model is named; checkpoints can do without."""
        return not isinstance(self.backbone, NoBackbone)

    def similarities(self) -> list[Similarity]:
        """Return the cells of the estimator's matrices, one a seed."""
        # The order of the tasks changes no matrix, so it must change no key.
        given = {one.name: one for one in self.checkpoints}
        targets = {task.name: given.get(task.name, task) for task in self.tasks}
        tasks = tuple(task for _, task in sorted({**targets, **given}.items()))
        knows_oracle = "oracle" in self.estimator.needs
        return [
            Similarity(
                estimator=self.estimator,
                backbone=self.backbone,
                tasks=tasks,
                signal=self.signal,
                seed=seed,
                max_train=self.max_train,
                max_train_target=self.max_train_target,
                targets=tuple(targets[name] for name in sorted(targets)) if given else (),
                oracle=self.oracle if knows_oracle else None,
                other_oracles=self.other_oracles if knows_oracle else (),
            )
            for seed in self.seeds
        ]

    def trained(self) -> list[Training | GivenTraining]:
        """Return the trainings whose scores tell whether the tasks were learned; none if no model is asked for."""
        if not MODELS & self.estimator.needs:
            return []
        return [cell.training(t) for cell in self.similarities() for t in cell.sources]

    @property
    def looks(self) -> bool:
        """Whether anything is asked of the tasks' data or the backbone; a baseline looks at neither."""
        return bool(LOOKS & self.estimator.needs) or isinstance(self.oracle, TransferPlan)

    def transfers(self) -> list[Training]:
        """Return the trainings of the oracle, if it is to be measured."""
        return self.oracle.cells() if isinstance(self.oracle, TransferPlan) else []

    def cells(self) -> list[Cell]:
        """Return all cells whose results this request reads."""
        return [*self.similarities(), *self.trained(), *self.transfers()]


@dataclass(frozen=True)
class Selection:
    """The parts that the names of a command mean, each with its options."""

    suite: Suite
    tasks: tuple[Task, ...]
    backbones: tuple[Backbone, ...]
    estimators: tuple[Estimator, ...]
    signals: tuple[Signal, ...]
    stimuli: tuple[Signal, ...] = ()  # for estimators that need no responses, if they are named
    usual: bool = False  # whether the signal is the suite's, because none was named

    def stimuli_of(self, estimator: Estimator, workspace: Workspace) -> list[tuple[Signal | None, tuple[str, ...]]]:
        """Return the signals whose sentences an estimator reads, each with notes for the result; None if it has none.

        One that needs responses reads the signal's. Another one reads the stimuli that are named; else the signal; and
        in place of a usual signal that is not at hand the neutral sentences.
        """
        if not STIMULI & estimator.needs:
            return [(None, ())]
        if not takes_sentences(estimator):
            return [(signal, ()) for signal in self.signals]
        if self.stimuli or not self.usual:
            return [(signal, ()) for signal in self.stimuli or self.signals]
        key = ("stand-in", self.suite, self.signals)  # one warning for all estimators
        signals, notes = workspace.once(key, lambda: stand_in(self.signals, self.suite, workspace))
        return [(signal, notes) for signal in signals]


def resolve(
    parts: Parts,
    *,
    suite: str,
    tasks: Several[Task] | None = None,
    backbone: Several[Backbone] = (),
    estimator: Several[Estimator] = (),
    signal: Several[Signal] | None = None,
    stimuli: Several[Signal] = (),
    set: Several[str] = (),
    further: Iterable[Any] = (),
) -> Selection:
    """Resolve the names of a command into parts, with their options varied by `set`.

    Parameters
    ----------
    parts : Parts
        The installed ones.
    suite : str
        Its tasks and its usual signal stand in for those that are not named.
    tasks, backbone, estimator, signal
        Names, or parts of one's own; tasks may be one text, by commas. No signal is resolved for None, nor if there are
        estimators and none of them needs it; without a name it is the usual signal of the suite.
    stimuli : str, Signal, or several
        Files of sentences, or signals whose sentences are read, for estimators that need no responses.
    set : several str
        PART.OPTION=VALUE[,VALUE…].
    further : iterable of parts
        Other parts that `set` may name.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown, a task of the suite is not installed, or no estimator reads the stimuli.
    """
    sets = as_list(set)

    def find(kind: str, names: Any) -> tuple[Any, ...]:
        named = (parts.find(kind, name) if isinstance(name, str) else checked(kind, name) for name in as_list(names))
        return tuple(part for one in named for part in varied(one, sets, parts.find))

    of_suite: Suite = parts.find("suite", suite)
    if not tasks:
        _check_suite(parts, of_suite)
    rankers = tuple(with_members(parts.find, ranker, sets) for ranker in find("estimator", estimator))
    sentences = [find_stimuli(parts, name) if isinstance(name, str | Path) else name for name in as_list(stimuli)]
    if sentences:
        refuse_unused_stimuli(rankers)
    selection = Selection(
        of_suite,
        find("task", by_commas(tasks or of_suite.tasks)),
        find("backbone", backbone),
        rankers,
        find("signal", [] if signal is None else _signals(parts, of_suite, rankers, signal, bool(sentences))),
        find("signal", sentences),
        usual=not as_list(signal) if signal is not None else False,
    )
    signals = (*selection.signals, *selection.stimuli)
    used = (*selection.tasks, *rankers, *all_members(rankers), *selection.backbones, *signals, *further)
    check_targets(sets, used)
    return selection


def each_once(tasks: Sequence[Task], sets: Sequence[str]) -> None:
    """Raise UnusableData if `sets` give a task several settings, where each task is trained in one way."""
    for name, count in Counter(task.name for task in tasks).items():
        if count > 1 and any(text.startswith(f"{name}.") for text in sets):
            raise WrongOption(f"task {name!r} has {count} settings; here it takes one value an option.")


def as_list(names: Any) -> list[Any]:
    """Return the names and parts that are given alone or as a sequence."""
    return [*names] if isinstance(names, Iterable) and not isinstance(names, str) else [names]


def by_commas(names: Any) -> list[Any]:
    """Return the same, where a text may hold several names by commas."""
    if isinstance(names, str):
        return [name.strip() for name in names.split(",") if name.strip()]
    return as_list(names)


def as_seeds(seeds: str | int | Sequence[int]) -> tuple[int, ...]:
    """Return seeds that are given alone, as a sequence, or as a text by commas; UnusableData if they are no numbers."""
    try:
        numbers = tuple(dict.fromkeys(int(seed) for seed in by_commas(seeds)))
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or not all(0 <= seed < 2**32 for seed in numbers):
        raise WrongOption(f"seeds {seeds!r} are no whole numbers from 0, such as 0,1.")
    return numbers


def resolve_requests(
    workspace: Workspace,
    estimator: Several[Estimator],
    backbone: Several[Backbone],
    *,
    suite: str = "cogtaskonomy",
    tasks: Several[Task] | None = None,
    signal: Several[Signal] = (),
    stimuli: Several[Signal] = (),
    oracle: str | OraclePart | None = None,
    oracle_backbone: str | Backbone | None = None,
    set: Several[str] = (),
    seeds: str | int | Sequence[int] = (0,),
    max_train: int | None = None,
    max_train_target: int | None = None,
    skip_unsuitable: bool = False,
    checkpoints: Any = (),
    checkpoint_data: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
) -> list[RunRequest]:
    """Resolve names into one request for each estimator, backbone and signal, with their options varied by `set`.

    With `skip_unsuitable` a backbone's tasks are those that it can be trained on. Where `checkpoints` are given, they
    are the sources and the tasks are targets.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown, too few tasks are asked for, or a backbone cannot be trained on a task.
    """
    parts = workspace.parts
    given = find_checkpoints(parts, checkpoints, workspace.files, data=checkpoint_data)
    truths = as_list(oracle_backbone) if oracle_backbone else []
    named = [parts.find("backbone", b) if isinstance(b, str) else b for b in truths]
    others = [varied(truth, as_list(set), parts.find)[0] for truth in named]
    selection = resolve(
        parts,
        suite=suite,
        tasks=tasks,
        backbone=backbone,
        estimator=estimator,
        signal=signal,
        stimuli=stimuli,
        set=set,
        further=others,
    )
    refuse_few_tasks(selection.tasks, n_checkpoints=len(given))
    requests, numbers = [], as_seeds(seeds)
    for trained in selection.backbones or (NoBackbone(),):
        tasks_of, notes_of = selection.tasks, tuple[str, ...]()
        if oracle == MEASURED or any(trains(ranker, selection.tasks, given) for ranker in selection.estimators):
            of_checkpoints = [one.trained_like(trained) for one in given if oracle == MEASURED]
            for model in (trained, *of_checkpoints):
                tasks_of, further = suitable_tasks(model, tasks_of, workspace.files, skip=skip_unsuitable)
                notes_of += further
            refuse_few_tasks(tasks_of, notes_of, n_checkpoints=len(given))
        truth = others[0] if others else trained
        plan = TransferPlan(
            backbone=truth,
            tasks=tasks_of,
            suite=selection.suite.name,
            seeds=numbers,
            max_train=max_train,
            max_train_target=max_train_target,
            checkpoints=given,
        )
        table = _oracle(workspace, selection, plan, oracle)
        for ranker in selection.estimators:
            refuse_pooling(ranker, (trained, *(one.backbone for one in given)), workspace.files)
            notes_of_bases = check_checkpoints(ranker, trained, tasks_of, checkpoints=given, files=workspace.files)
            knows_oracle = "oracle" in ranker.needs
            if knows_oracle and table is None:
                raise WrongOption(
                    f"estimator {ranker.name!r} ranks by an oracle, and none is known for backbone {truth.name!r}: "
                    "name one with --oracle."
                )
            for own_signal, notes in selection.stimuli_of(ranker, workspace):
                request = RunRequest(
                    estimator=ranker,
                    backbone=trained,
                    tasks=tasks_of,
                    signal=own_signal,
                    oracle=table,
                    suite=selection.suite.name,
                    seeds=numbers,
                    max_train=max_train,
                    max_train_target=plan.target_budget if plan.apart else None,
                    other_oracles=_other_oracles(workspace, selection.suite, table, plan) if knows_oracle else (),
                    notes=(
                        *notes_of,
                        *notes_of_bases,
                        *notes,
                        *notes_of_budgets(plan, table, bool(EXAMPLES & ranker.needs)),
                    ),
                    checkpoints=given,
                )
                requests.append(request)
    return requests


def refuse_few_tasks(tasks: Sequence[Task], notes: Sequence[str] = (), *, n_checkpoints: int = 0) -> None:
    """Raise UnusableData if there is nothing to rank, or a task is named twice; `notes` say what was left out.

    Each of three tasks has two sources; where checkpoints are the sources, there must be two of them, and a target.
    """
    names, message = [task.name for task in tasks], ""
    if len({*names}) < len(names) or (len(names) < 3 and not n_checkpoints):
        message = "a ranking of sources needs at least three tasks, each named once."
    elif not names or n_checkpoints == 1:
        message = "a ranking of checkpoints needs at least two of them, and a task as the target."
    if message:
        raise WrongOption("\n".join([message, *(f"{note}." for note in notes)]))


def _check_suite(parts: Parts, suite: Suite) -> None:
    """Raise UnknownName if a task of a suite is not installed; the message says which others can be run."""
    if absent := [t for t in suite.tasks if t not in parts.tasks]:
        installed = ",".join(t for t in suite.tasks if t in parts.tasks)
        remedy = f"; run the others with --tasks {installed}." if installed else "."
        what = f"suite {suite.name!r} holds tasks that no installed plugin gives: {', '.join(absent)}{remedy}"
        raise UnknownName(" But ".join([what, *parts.faults[:1]]))


def _signals(
    parts: Parts, suite: Suite, rankers: Sequence[Estimator], signal: Several[Signal], has_stimuli: bool
) -> list[Any]:
    """Return the signals that are named, else the suite's usual one; none if no estimator needs one."""
    responses = not rankers or any("responses" in ranker.needs for ranker in rankers)
    if not responses and (has_stimuli or not any(takes_sentences(ranker) for ranker in rankers)):
        return []
    named = as_list(signal)
    if named or suite.signal in parts.signals:
        return named or [suite.signal]
    if responses or NEUTRAL not in parts.signals:
        raise UnknownName(
            f"no installed plugin gives {suite.signal!r}, the usual signal of suite {suite.name!r}: "
            "name one with --signal."
        )
    if absent := faults_of_suite(suite, parts).get(("signal", suite.signal)):
        log.warning(absent)
    return []


def _oracle(
    workspace: Workspace,
    selection: Selection,
    plan: TransferPlan,
    oracle: str | OraclePart | None,
) -> Oracle | TransferPlan | None:
    """Return the oracle of these tasks that is asked for, else the usual one if it knows them all, else None."""
    parts, names, truth = workspace.parts, (plan.sources, [task.name for task in plan.tasks]), plan.backbone
    if oracle == MEASURED:
        return plan
    if oracle is not None:
        try:
            return find_oracle(parts, oracle, workspace.files).part(*names)
        except AmbiguousTable as fault:
            remedy = f"Write it as json with this option: cogbench oracle export {oracle} … --out ORACLE.json"
            raise UnusableData(f"{fault} {remedy}, and name that file.") from None
    usual = dict(selection.suite.oracles).get(truth.name) if truth == parts.backbones.get(truth.name) else None
    if absent := faults_of_suite(selection.suite, parts).get(("oracle", usual or "")):
        log.warning(f"{absent} Without it the ranking is not scored.")
    part = parts.oracles.get(usual or "")
    return read_part(part, workspace.files).part(*names) if part and part.card.knows(*names) else None


def _other_oracles(
    workspace: Workspace, suite: Suite, table: Oracle | TransferPlan | None, plan: TransferPlan
) -> tuple[Oracle, ...]:
    """Return the installed oracles that know all these tasks, but the one that is scored against; the suite's first."""
    oracles, names = workspace.parts.oracles, (plan.sources, [task.name for task in plan.tasks])
    first = [name for _, name in suite.oracles if name in oracles]
    scored = table.name if isinstance(table, Oracle) else None
    others = [oracles[name] for name in dict.fromkeys([*first, *oracles]) if name != scored]
    measured = [o for o in others if o.card.basis != "planted" and o.card.knows(*names)]  # on some backbone
    return tuple(read_part(part, workspace.files).part(*names) for part in measured)
