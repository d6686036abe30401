"""The card of an evidence pack: what it holds, of which tasks and models, and what its arrays are called."""

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from ..data.dataset import Card, Dataset, Split
from ..data.features import AnswerKind, FeatureOptions
from ..data.files import Files
from ..errors import MissingData
from ..results.result import Background, CheckpointUsed

SCHEMA_VERSION = 1
BARE = "-"  # stands for the backbone before any training, where the name of a source stands otherwise
# What the bare backbone makes of these tells whether another machine's backbone is the same one.
PROBE = ("The cat sat on the mat.", "Why does nobody pay in 1999?", "x = 3; 東京 & Łódź …", "Not bad at all, she said.")
Models = Literal["trained", "own", "backbone"]  # every source's, the target's own, or the bare backbone


@dataclass(frozen=True, kw_only=True)
class PackedTask:
    """A task of a pack: its card, the names of its classes and the kind of its answers, without its examples.

    One that is a checkpoint has the `origin` of its model, and in `base` what models share whose weights can be
    compared.
    """

    name: str
    suite: str
    kind: str
    metric: str
    card: Card
    labels: tuple[str, ...] = ()
    answer_kind: AnswerKind = "neither"
    origin: CheckpointUsed | None = None
    base: str = ""

    def load(self, split: Split, files: Files) -> Dataset:
        """Raise MissingData: a pack holds no examples."""
        raise MissingData(f"task {self.name!r} comes from an evidence pack, which holds no examples.")


@dataclass(frozen=True)
class PackedBackbone:
    """The backbone of a pack: its name alone."""

    name: str


@dataclass(frozen=True, kw_only=True)
class FeatureView:
    """Features that a pack holds: of which models, and which hidden states of how many examples."""

    models: Models
    options: FeatureOptions

    def holds(self, source: str | None, target: str, options: FeatureOptions) -> bool:
        """Whether it holds these hidden states, of however many examples, for a source and a target.

        The first view that holds some has the backbone's own pooling, which "auto" stands for.
        """
        models = {"backbone"} if source is None else {"trained", "own"} if source == target else {"trained"}
        own, wanted = self.options, options
        same = wanted.layers == own.layers and wanted.pooling in ("auto", own.pooling)
        return self.models in models and same

    def __str__(self) -> str:
        o = self.options
        return f"{self.models} models: pooling={o.pooling}, layers={o.layers}, {o.examples} examples"


@dataclass(frozen=True, kw_only=True)
class KeptArrays:
    """Arrays that an estimator kept while the pack was made, such as its Fisher information, under its own key."""

    estimator: str
    key: str
    arrays: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PackCard:
    """What a pack holds beside its arrays; docs/packs.md describes each field.

    `tasks` are both sources and targets; they are targets alone in a pack of `checkpoints`, which are the sources then.
    `subjects` names the channels of each subject whose responses are in the
    pack, `weights` the weights of each task's encoder; `n_stimuli` counts the sentences that the representations are
    of, which are not in the pack; `sentences` are hashes of further sentences that the bare backbone's representations
    are of, such as the tasks' descriptions; `oracle` holds what a file of an oracle holds, or nothing in a pack of
    checkpoints whose transfers nobody has measured.
    """

    schema_version: int = SCHEMA_VERSION
    name: str
    backbone: str
    suite: str
    seed: int
    max_train: int | None
    tasks: tuple[PackedTask, ...]
    checkpoints: tuple[PackedTask, ...] = ()
    signal: str | None
    n_stimuli: int
    subjects: dict[str, tuple[str, ...]]
    weights: dict[str, tuple[str, ...]]
    views: tuple[FeatureView, ...]
    kept: tuple[KeptArrays, ...]
    sentences: tuple[str, ...]
    oracle: dict[str, Any]
    background: Background
    licence: str
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[PackedTask, ...]:
        """The tasks that are ranked: the checkpoints, or all tasks."""
        return self.checkpoints or self.tasks

    @property
    def n_bases(self) -> int:
        """The number of bases that the checkpoints are of: of one, weights and dimensions can be compared."""
        return len({task.base for task in self.checkpoints})

    @property
    def licences(self) -> dict[str, str]:
        """The licence of each task's data."""
        return {task.name: task.card.licence for task in self.tasks}


def array_name(*parts: object) -> str:
    """Return the name of an array in the file: its parts, such as the names of tasks, divided by slashes."""
    return "/".join(quote(str(part), safe="-") if part is not None else BARE for part in parts)
