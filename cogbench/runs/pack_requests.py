"""What a command asks of evidence packs: for each pack and estimator a request, which a run answers like any other."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..compute.cells import Training
from ..compute.workspace import Cell, Workspace
from ..data.oracle import Oracle
from ..errors import UnusableData
from ..packs.card import PackCard, PackedBackbone, PackedTask
from ..packs.evidence import PackedSimilarity
from ..packs.pack import Pack, PackedSignal, find_pack
from ..parts.interfaces import STIMULI, Estimator, OraclePart, PackPart, Task
from ..parts.registry import find_oracle
from ..parts.set_options import check_targets, varied, with_members
from ..results.result import PackUsed
from .requests import Several, as_list, by_commas


@dataclass(frozen=True, eq=False, kw_only=True)
class PackRequest:
    """One ranking asked for: how well does an estimator rank the source tasks from the evidence of a pack?"""

    estimator: Estimator
    pack: Pack
    tasks: tuple[PackedTask, ...]
    oracle: Oracle
    others: tuple[Oracle, ...] = ()  # further oracles of these tasks

    @property
    def sources(self) -> tuple[PackedTask, ...]:
        """The tasks that are ranked: all of them."""
        return self.tasks

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
        return [
            PackedSimilarity(
                estimator=self.estimator,
                pack=self.pack,
                tasks=tuple(sorted(self.tasks, key=lambda task: task.name)),  # their order changes no matrix
                oracle=self.oracle if knows_oracle else None,
                others=self.others if knows_oracle else (),
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
        found = find_pack(parts, wanted)
        content = found.content()
        chosen = _tasks(content.card, by_commas(tasks) if tasks else None)
        names = [task.name for task in chosen]
        table = content.oracle if oracle is None else find_oracle(parts, oracle, workspace.files)
        others = [
            other
            for other in parts.oracles.values()
            if other.name != table.name and other.card.basis != "planted" and other.card.knows(names)
        ]
        for ranker in rankers:
            reads_others = "oracle" in ranker.needs
            request = PackRequest(
                estimator=ranker,
                pack=found,
                tasks=chosen,
                oracle=table.part(names),
                others=tuple(o.read(workspace.files).part(names) for o in others) if reads_others else (),
            )
            requests.append(request)
    return requests


def _tasks(card: PackCard, names: Sequence[str] | None) -> tuple[PackedTask, ...]:
    """Return the tasks of a pack that are named, or all of them."""
    if names is None:
        return card.tasks
    by_name = {task.name: task for task in card.tasks}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise UnusableData(f"pack {card.name!r} has no task {', '.join(unknown)}; its tasks: {', '.join(by_name)}.")
    if len(names) < 3 or len({*names}) < len(names):
        raise UnusableData("a ranking of sources needs at least three tasks, each named once.")
    return tuple(by_name[name] for name in names)
