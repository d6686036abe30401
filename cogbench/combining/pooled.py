"""A task that is several tasks: their rows pooled to one training set of a given size, as a source among others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ..data.dataset import Card, Dataset, Split
from ..data.files import Files
from ..data.kinds import TASK_KINDS
from ..errors import UnusableData
from ..parts.recipe import Task
from ..storage.origin import Origin
from ..text import listed

Allocation = Literal["equal", "water-filling"]


@dataclass(frozen=True)
class PooledTask:
    """Several tasks of one kind and with the same classes, as one task.

    It stands wherever a task stands; as a source it is a multi-source transfer. Its evaluation split holds those of all
    its tasks.

    Parameters
    ----------
    name : str
    tasks : tuple of Task
        At least two, of one kind. The metric is that of the first.
    total : int, optional
        How many training rows there are to be; None for all that the tasks have. A run's own limit of training examples
        draws from these.
    allocation : {"equal", "water-filling"}
        How many of them each task gives: see `allocate_rows`.
    seed : int
        By which each task's rows are drawn; each class has its share.

    Raises
    ------
    UnusableData
        If there are less than two tasks, one stands twice, they are of several kinds, the total is too small or the
        allocation is unknown.

    References
    ----------
    Valipour, Lee, Jamacaro & Bessega (2019), Unsupervised transfer learning via BERT neuron selection,
    arXiv:1912.05308: several data sets as one source, with allocations of these two names. Its text was not at hand, so
    the formula of `allocate_rows` is that of water-filling as it is commonly defined.
    """

    name: str
    tasks: tuple[Task, ...]
    total: int | None = None
    allocation: Allocation = "equal"
    seed: int = 0

    def __post_init__(self) -> None:
        names = [task.name for task in self.tasks]
        where = f"pooled task {self.name!r}"
        if len({*names}) < max(2, len(names)):
            raise UnusableData(f"{where}: it needs two tasks or more, each once; it has {', '.join(names) or 'none'}.")
        if len({task.kind for task in self.tasks}) > 1:
            each = ", ".join(f"{task.name} {task.kind}" for task in self.tasks)
            raise UnusableData(f"{where}: its tasks are of several kinds: {each}; pool tasks of one kind.")
        if self.allocation not in get_args(Allocation):
            raise UnusableData(f"{where}: allocation {self.allocation!r}; known: {', '.join(get_args(Allocation))}.")
        if self.total is not None and self.total < len(names):
            raise UnusableData(f"{where}: {self.total} rows in total are less than one of each of {len(names)} tasks.")

    @property
    def suite(self) -> str:
        """The suite of the first task."""
        return self.tasks[0].suite

    @property
    def kind(self) -> str:
        """The kind of all tasks."""
        return self.tasks[0].kind

    @property
    def metric(self) -> str:
        """The metric of the first task."""
        return self.tasks[0].metric

    @property
    def card(self) -> Card:
        """The cards of the tasks as one."""
        cards = [task.card for task in self.tasks]
        rows = sum(card.rows for card in cards)
        return Card(
            rows=rows if self.total is None else min(rows, self.total),
            licence="; ".join(dict.fromkeys(card.licence for card in cards)),
            description=" ".join(dict.fromkeys(card.description for card in cards)),
            citation="; ".join(dict.fromkeys(card.citation for card in cards if card.citation)),
            language=", ".join(dict.fromkeys(card.language for card in cards)),
            synthetic=any(card.synthetic for card in cards),
        )

    def load(self, split: Split, files: Files) -> Dataset:
        """Return the rows of all tasks, one task after the other; of training rows as many as are allocated to each.

        Raises
        ------
        UnusableData
            If the tasks have other classes or other columns than the first one.
        """
        datasets = [task.load(split, files) for task in self.tasks]
        notes = list[str]()
        if split == "train":
            numbers = allocate_rows([len(data) for data in datasets], self.total, self.allocation)
            if self.total is not None and sum(numbers) < self.total:
                notes.append(f"{self.name} has {sum(numbers)} of {self.total} rows: a task has less than its share")
            datasets = [data.sample(n, self.seed) for data, n in zip(datasets, numbers, strict=True)]
        return self._joined(datasets, notes)

    def _joined(self, datasets: Sequence[Dataset], notes: Sequence[str]) -> Dataset:
        first = datasets[0]
        aligned = [self._aligned(first, data, task) for data, task in zip(datasets, self.tasks, strict=True)]
        return Dataset(
            kind=first.kind,
            columns={name: [row for data in aligned for row in data.columns[name]] for name in first.columns},
            labels=first.labels,
            origin=Origin("+".join(data.origin.id for data in datasets), _revision(datasets)),
            notes=(*dict.fromkeys(note for data in datasets for note in data.notes), *notes),
        )

    def _aligned(self, first: Dataset, data: Dataset, task: Task) -> Dataset:
        """Return a task's rows with the classes numbered as those of the first task."""
        where = f"pooled task {self.name!r}: {task.name}"
        if {*data.columns} != {*first.columns}:
            raise UnusableData(
                f"{where} has the columns {listed(data.columns)}, but {self.tasks[0].name} {listed(first.columns)}."
            )
        if data.labels == first.labels:
            return data
        if {*data.labels} != {*first.labels} or not TASK_KINDS[data.kind].classes:
            raise UnusableData(
                f"{where} has the classes {listed(data.labels)}, but {self.tasks[0].name} {listed(first.labels)}."
            )
        numbers = [first.labels.index(label) for label in data.labels]
        columns = {**data.columns, "label": [numbers[label] for label in data.columns["label"]]}
        return replace(data, columns=columns, labels=first.labels)


def _revision(datasets: Sequence[Dataset]) -> str | None:
    revisions = [data.origin.revision for data in datasets]
    return "+".join(str(revision) for revision in revisions) if all(revisions) else None


def allocate_rows(sizes: Sequence[int], total: int | None, allocation: Allocation) -> list[int]:
    """Return how many rows of each task make a pool.

    Equal: each task has the same share and gives ``min(N_i, total / k)`` of its N_i rows, so that a pool of k tasks has
    less than the total where one has less than its share. Water-filling: task i gives ``n_i = min(N_i, level)``, with
    the one level for which ``sum(n_i) = min(total, sum(N_i))``: what a small task lacks, others give in equal parts.
    Shares are whole numbers, which differ by one where they do not come out even.

    Parameters
    ----------
    sizes : sequence of int of (n_tasks,)
        How many rows each task has.
    total : int, optional
        None for all rows.
    allocation : {"equal", "water-filling"}

    Returns
    -------
    list of int, (n_tasks,)
    """
    if total is None:
        return [*sizes]
    if allocation == "equal":
        share, over = divmod(total, len(sizes))
        return [min(size, share + (place < over)) for place, size in enumerate(sizes)]
    numbers, left = [0] * len(sizes), min(total, sum(sizes))
    order = sorted(range(len(sizes)), key=lambda place: (sizes[place], -place))  # small tasks first, of equals the last
    for n_done, place in enumerate(order):
        numbers[place] = min(sizes[place], left // (len(sizes) - n_done))
        left -= numbers[place]
    return numbers


def members_of_pools(tasks: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    """Return the names of the tasks of each pooled task."""
    return {task.name: tuple(member.name for member in task.tasks) for task in tasks if isinstance(task, PooledTask)}
