"""What a command asks of evidence packs, and of oracles alone: requests, which a run answers like any other."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ..checkpoints.given import NoBackbone
from ..checkpoints.ranking import check_bases
from ..compute.adaptation import ready
from ..compute.cells import Training
from ..compute.workspace import Cell, Workspace
from ..data.oracle import Oracle
from ..errors import MissingData, UnusableData, WrongOption
from ..packs.card import PROBE, PackCard, PackedBackbone, PackedTask
from ..packs.evidence import PackedSimilarity, hash_of
from ..packs.pack import Pack, PackedSignal, find_pack
from ..packs.table_evidence import TableRequest
from ..parts.interfaces import STIMULI, Backbone, Estimator, OraclePart, PackPart
from ..parts.oracle_names import find_oracle, oracle_names
from ..parts.recipe import Task
from ..parts.registry import Parts
from ..parts.set_options import check_targets, only, varied, with_members
from ..results.guess import part_of_oracle
from ..results.result import PackUsed
from .requests import MEASURED, Several, as_list, by_commas
from .stimuli import refuse_knowing

T = TypeVar("T")
log = logging.getLogger("cogbench")
CLOSE = 2e-3  # of a vector's length: four times what half precision takes off


@dataclass(frozen=True, eq=False, kw_only=True)
class PackRequest:
    """One ranking asked for: how well does an estimator rank the source tasks from the evidence of a pack?"""

    estimator: Estimator
    pack: Pack
    tasks: tuple[PackedTask, ...]
    oracle: Oracle | None
    other_oracles: tuple[Oracle, ...] = ()  # further oracles of these tasks

    @property
    def sources(self) -> tuple[PackedTask, ...]:
        """The tasks that are ranked: all of them, or the pack's checkpoints; the tasks are targets then."""
        return self.card.checkpoints or self.tasks

    @property
    def card(self) -> PackCard:
        """The pack's card."""
        return self.pack.content().card

    @property
    def backbone(self) -> PackedBackbone:
        """The backbone of the pack, by its name."""
        return PackedBackbone(self.card.backbone)

    @property
    def signal(self) -> PackedSignal | None:
        """The pack's signal, if the estimator reads it."""
        name = self.card.signal
        return PackedSignal(name, self.pack) if name and STIMULI & self.estimator.needs else None

    @property
    def suite(self) -> str:
        """The name of the suite that the tasks are of."""
        return self.card.suite

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of the trainings."""
        return (self.card.seed,)

    @property
    def max_train(self) -> int | None:
        """The largest number of examples that a task was trained on."""
        return self.card.max_train

    @property
    def pack_used(self) -> PackUsed:
        """What a result says of the pack."""
        content = self.pack.content()
        n_examples = max((view.options.examples for view in content.card.views), default=0)
        return PackUsed(content.card.name, content.sha256, n_examples)

    @property
    def looks(self) -> bool:
        """Whether anything is asked of the tasks' data or the backbone: never."""
        return False

    def similarities(self) -> list[PackedSimilarity]:
        """Return the cell of the estimator's matrix."""
        knows_oracle = "oracle" in self.estimator.needs
        # Their order changes no matrix. A task that is a checkpoint too is that checkpoint.
        by_name = dict(sorted((task.name, task) for task in self.tasks))
        all_tasks = by_name | {one.name: one for one in self.card.checkpoints}
        return [
            PackedSimilarity(
                estimator=self.estimator,
                pack=self.pack,
                tasks=tuple(all_tasks[name] for name in sorted(all_tasks)),
                targets=tuple(all_tasks[name] for name in by_name) if self.card.checkpoints else (),
                oracle=self.oracle if knows_oracle else None,
                other_oracles=self.other_oracles if knows_oracle else (),
            )
        ]

    def trained(self) -> list[Training]:
        """Return no trainings: a pack needs none."""
        return []

    def cells(self) -> list[Cell]:
        """Return the cells whose results this request reads."""
        return [*self.similarities()]


def resolve_pack_requests(
    workspace: Workspace,
    estimator: Several[Estimator],
    pack: Several[PackPart],
    *,
    tasks: Several[Task] | None = None,
    oracle: str | OraclePart | None = None,
    set: Several[str] = (),
) -> list[PackRequest]:
    """Resolve names into one request for each estimator and pack, with the estimators' options varied by `set`.

    Raises
    ------
    UnknownName, UnusableData
        If a name or an option is unknown, or too few tasks are asked for.
    """
    parts, sets = workspace.parts, as_list(set)
    named = [parts.find("estimator", name) if isinstance(name, str) else name for name in as_list(estimator)]
    rankers = [with_members(parts.find, ranker, sets) for one in named for ranker in varied(one, sets)]
    check_targets(sets, rankers)
    requests = []
    for wanted in as_list(pack):
        evidence_pack = find_pack(parts, wanted)
        content = evidence_pack.content()
        chosen = _tasks(content.card, by_commas(tasks) if tasks else None)
        names = [task.name for task in content.card.checkpoints or chosen], [task.name for task in chosen]
        table = content.oracle if oracle is None else find_oracle(parts, oracle, workspace.files)
        others = [
            other
            for other in parts.oracles.values()
            if table and other.name != table.name and other.card.basis != "planted" and other.card.knows(*names)
        ]
        for ranker in rankers:
            check_bases(ranker, content.card.n_bases)
            reads_others = "oracle" in ranker.needs
            request = PackRequest(
                estimator=ranker,
                pack=evidence_pack,
                tasks=chosen,
                oracle=table.part(*names) if table else None,
                other_oracles=tuple(o.read(workspace.files).part(*names) for o in others) if reads_others else (),
            )
            requests.append(request)
    return requests


def oracles_asked(parts: Parts, oracle: Several[OraclePart] | None) -> list[Any]:
    """Return the oracles that are asked for: names and parts, `MEASURED`, or None for the usual one."""
    if oracle is None or oracle == ():
        return [None]
    return [
        one
        for name in as_list(oracle)
        for one in (oracle_names(parts, name) if isinstance(name, str) and name != MEASURED else [name])
    ]


def requests_of_each(oracles: Sequence[Any], resolve: Callable[[Any], Sequence[T]]) -> list[T]:
    """Return the requests of all oracles; of several, those are left out that do not know the tasks."""
    requests, refused = list[T](), list[UnusableData]()
    for oracle in oracles:
        try:
            requests += resolve(oracle)
        except UnusableData as error:
            refused.append(error)
            if len(oracles) == 1 or len(refused) == len(oracles):
                raise
    if refused:
        log.warning(f"left out: {len(refused)} of {len(oracles)} oracles. The first: {refused[0]}")
    return requests


def resolve_table_requests(
    workspace: Workspace,
    estimator: Several[Estimator],
    oracles: Sequence[str | OraclePart],
    *,
    tasks: Several[Task] | None = None,
    set: Several[str] = (),
) -> list[TableRequest]:
    """Resolve names into one request for each estimator and oracle: rankings from transfers and cards alone.

    Of several oracles those are left out that an estimator cannot be scored on, which the log says.

    Raises
    ------
    UnknownName
        If a name or an option is unknown.
    UnusableData
        If an estimator can be scored on none of the oracles, or one of them does not have the tasks that are named.
    """
    parts, sets = workspace.parts, as_list(set)
    named = [parts.find("estimator", name) if isinstance(name, str) else name for name in as_list(estimator)]
    rankers = [with_members(parts.find, ranker, sets) for one in named for ranker in varied(one, sets)]
    check_targets(sets, rankers)
    tables = [find_oracle(parts, requested, workspace.files) for requested in oracles]
    if tasks:
        tables = [part_of_oracle(table, [str(getattr(t, "name", t)) for t in by_commas(tasks)]) for table in tables]
    requests = []
    for ranker in rankers:
        accepted, refused = list[TableRequest](), list[str]()
        for table in tables:
            names, others = (table.transfers.sources, table.transfers.targets), tuple[Oracle, ...]()
            if "oracle" in ranker.needs:
                near = [o for o in parts.oracles.values() if o.name != table.name and o.card.basis != "planted"]
                others = tuple(o.read(workspace.files).part(*names) for o in near if o.card.knows(*names))
            request = TableRequest(estimator=ranker, oracle=table, parts=parts, other_oracles=others)
            try:
                request.check()
            except UnusableData as error:
                if len(tables) == 1:
                    raise
                refused.append(str(error))
            else:
                accepted.append(request)
        if not accepted:
            raise UnusableData(refused[0])
        if refused:
            log.warning(f"{ranker.name}: left out on {len(refused)} of {len(tables)} oracles. The first: {refused[0]}")
        requests += accepted
    return requests


def _tasks(card: PackCard, names: Sequence[str] | None) -> tuple[PackedTask, ...]:
    """Return the tasks of a pack that are named, or all of them."""
    if names is None:
        return card.tasks
    by_name = {task.name: task for task in card.tasks}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise WrongOption(f"pack {card.name!r} has no task {', '.join(unknown)}; its tasks: {', '.join(by_name)}.")
    if len(names) < (1 if card.checkpoints else 3) or len({*names}) < len(names):
        least = "a task as the target" if card.checkpoints else "at least three tasks"
        raise WrongOption(f"a ranking of sources needs {least}, each named once.")
    return tuple(by_name[name] for name in names)


def packed_target(pack: Pack | None, target: object) -> PackedTask | None:
    """Return the task of a pack that a user names as the target, None if it is another one."""
    if pack is None:
        return None
    return next((task for task in pack.content().card.tasks if task.name == target), None)


def _same_in_pack(pack: Pack, target: Task, workspace: Workspace) -> Task:
    """Return the task of a pack that has the training examples of a target, or the target itself."""
    card, sha256 = pack.content().card, workspace.dataset(target, "train").sha256
    data = card.background.data
    of_same_data = (t for t in card.tasks if t.name in data and data[t.name].sha256 == sha256 and t.kind == target.kind)
    return next(of_same_data, target)


def packed_recommendation(
    workspace: Workspace,
    pack: Pack,
    target: Task,
    *,
    estimator: str | Estimator,
    backbone: str | Backbone | None,
    max_train_target: int | None,
    set: Several[str] = (),
) -> PackedSimilarity:
    """Return the cell that ranks the sources of a pack for one target: a task of the pack, or any other.

    Raises
    ------
    UnknownName, MissingData
        If a name or an option is unknown, or the pack's backbone is needed and not at hand.
    UnusableData
        If the pack has one source alone or one that is called like the target, or the backbone is not the pack's.
    """
    parts, sets, card = workspace.parts, as_list(set), pack.content().card
    target = target if isinstance(target, PackedTask) else _same_in_pack(pack, target, workspace)
    named = parts.find("estimator", estimator) if isinstance(estimator, str) else estimator
    ranker = with_members(parts.find, only("estimator", varied(named, sets)), sets)
    refuse_knowing(ranker)
    is_new = not isinstance(target, PackedTask)
    base = None
    if is_new and {"backbone", "backbone-features"} & ranker.needs:
        base = _base(parts, card, backbone, sets)
        _check_base(base, pack, workspace)
    check_targets(sets, [ranker, *([base] if base else [])])
    check_bases(ranker, card.n_bases)
    if is_new and target.name in {task.name for task in card.sources}:
        raise UnusableData(f"a source of the pack and the target are both called {target.name!r}: rename the target.")
    sources = [task for task in card.sources if task.name != target.name]
    if len(sources) < 2:
        raise UnusableData(f"a ranking needs at least two sources, and pack {card.name!r} has {len(sources)}.")
    return PackedSimilarity(
        estimator=ranker,
        pack=pack,
        tasks=(*sorted(sources, key=lambda task: task.name), target),
        targets=(target,),
        base=base,
        max_train_target=max_train_target if is_new else None,
    )


def _base(parts: Parts, card: PackCard, backbone: str | Backbone | None, sets: Sequence[str]) -> Backbone:
    """Return the backbone of a pack: the one that is named, or the installed one of the same name."""
    if card.backbone == NoBackbone().name:
        raise MissingData(
            f"pack {card.name!r} was made without the checkpoints' pre-trained model, which a new target is seen by: "
            "make it with --backbone."
        )
    if backbone is None and card.backbone not in parts.backbones:
        raise MissingData(
            f"pack {card.name!r} was made with backbone {card.backbone!r} ({card.background.model.get('id', '')}), and "
            "none of that name is installed: name it with --backbone."
        )
    named = card.backbone if backbone is None else backbone
    backbone_part = parts.find("backbone", named) if isinstance(named, str) else named
    return only("backbone", varied(backbone_part, sets, parts.find))


def _check_base(base: Backbone, pack: Pack, workspace: Workspace) -> None:
    """Raise UnusableData unless a backbone gives the vectors that the pack's backbone gave, in half precision."""
    content, keys = pack.content(), [hash_of(sentence) for sentence in PROBE]
    rows = {key: row for row, key in enumerate(content.card.sentences)}
    if not {*keys} <= {*rows}:
        raise UnusableData(f"pack {pack.name!r} does not tell its backbone from another one: make the pack anew.")
    packed = content.array("sentences", finite=True)[[rows[key] for key in keys]]
    vectors = ready(base, workspace).represent(None, PROBE, workspace.files)
    if vectors.shape == packed.shape and np.linalg.norm(vectors - packed) < CLOSE * np.linalg.norm(packed):
        return
    raise UnusableData(
        f"backbone {base.name!r} gives other vectors of the same sentences than the backbone of pack {pack.name!r}, "
        f"{content.card.backbone!r}: name that backbone with --backbone."
    )
