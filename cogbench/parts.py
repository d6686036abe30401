"""What plugins supply: four kinds of part. A part is a name plus a few verbs; nobody inherits.

A part is a frozen dataclass: its fields are its options, all plain values (or further parts), so it is hashable,
picklable and `dataclasses.replace`-able, and crosses processes as JSON (`encode`, `decode`).
"""

import dataclasses
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .data.dataset import Array, Card, Dataset, Origin, Split
from .data.oracle import TaskMatrix
from .data.recording import Recording
from .errors import UnusableData
from .parts_interfaces import Checkpoint, Recipe, Settings

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from .data.files import Files
    from .evidence import Evidence


@runtime_checkable
class Task(Protocol):
    """A labelled data set of a known kind, with the metric that scores it; `further` may name more metrics."""

    @property
    def name(self) -> str: ...
    @property
    def suite(self) -> str: ...
    @property
    def kind(self) -> str:
        """One of `cogbench.TASK_KINDS`: head, loss and columns follow from it."""

    @property
    def metric(self) -> str:
        """One of `cogbench.METRICS`."""

    @property
    def card(self) -> Card: ...
    def load(self, split: Split, files: "Files") -> Dataset:
        """Read one split; raise MissingData if it is not there, UnusableData if it is not what was promised."""


@runtime_checkable
class Backbone(Protocol):
    """A pre-trained model (PLM) that can be trained on a task and encode sentences.

    One that has another backbone in a field `teacher` learns from it: that backbone is trained first, on the same task
    with the same seed and examples and without a source, and `train` is given its checkpoint as the keyword `teacher`.

    A backbone that can do more than move all its weights for one task after another says so in the class attributes
    `tunings` and `sharings`, frozensets of words of `TUNINGS` and `SHARINGS`. One that states the class attribute
    `answers`, a whole number, promises to raise it whenever its numbers change: it then stands in keys in place of the
    hash of its code, so that other changes of the code make no training stale.
    """

    @property
    def name(self) -> str: ...
    def origin(self, files: "Files") -> Origin:
        """Return the model's id and a revision that changes when its weights do."""

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Return how this backbone is trained on so many examples of a kind of task."""

    def train(self, recipe: Recipe, files: "Files", out: Path, start: Checkpoint | None = None) -> Checkpoint:
        """Train into the empty folder `out`, from the encoder of `start` if given; `recipe.settings` is filled in."""

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: "Files") -> Array:
        """Return (n_sentences, n_dims) float32; None stands for the bare backbone."""

    def model(self, checkpoint: Checkpoint | None, files: "Files") -> "Module":
        """Return the torch module with its head, or the bare encoder for None, in evaluation mode."""

    def batches(self, dataset: Dataset, files: "Files") -> Iterator[Mapping[str, "Tensor"]]:
        """Yield encoded batches in the order of the rows; `model(**batch)` gives `.loss` and `.logits`."""


@runtime_checkable
class Signal(Protocol):
    """A cognitive signal: sentences with recorded responses."""

    @property
    def name(self) -> str: ...
    def read(self, files: "Files") -> Recording: ...


@runtime_checkable
class Estimator(Protocol):
    """Evidence to task similarity."""

    @property
    def name(self) -> str: ...
    @property
    def needs(self) -> frozenset[str]:
        """What it will ask of Evidence (some of `cogbench.NEEDS`), so that the cost is known before the run."""

    def similarity(self, evidence: "Evidence") -> TaskMatrix: ...


@runtime_checkable
class Opener(Protocol):
    """A part that also stands for things without a name of their own: a file, a folder, a hub id."""

    def open(self, address: str) -> "Any | None":
        """Return a part that reads this address, or None if it is none of its addresses."""


def teacher_of(backbone: Backbone) -> Backbone | None:
    """Return the backbone that this one learns from, if it names one."""
    return getattr(backbone, "teacher", None)


def members_of(estimator: Estimator) -> list[Estimator]:
    """Return the estimators among an estimator's fields, alone or in a tuple: those that it combines."""
    held = [getattr(estimator, f.name) for f in dataclasses.fields(estimator)]  # type: ignore[arg-type]
    each = [v for value in held for v in (value if isinstance(value, tuple) else (value,))]
    return [value for value in each if isinstance(value, Estimator)]


def options_of(part: Any) -> dict[str, Any]:
    """Return a part's options by the names that users type: its fields, but those that say what it is.

    An option named like the part's verb needs an underscore as a field (`similarity_`); users do not type it.
    """
    return {f.name.removesuffix("_"): getattr(part, f.name) for f in dataclasses.fields(part) if f.name not in FIXED}


def with_option(part: Any, option: str, value: Any) -> Any:
    """Return the part with one option replaced; `option` as users type it."""
    names = {f.name.removesuffix("_"): f.name for f in dataclasses.fields(part)}
    return dataclasses.replace(part, **{names[option]: value})


# Fields that say what a part is, not how it works.
FIXED = frozenset({"name", "needs", "suite", "kind", "metric", "further", "card"})


def encode(value: Any) -> Any:
    """Return plain JSON values for a part, a recipe, a cell or any frozen dataclass of plain values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        cls = type(value)
        held = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"is": f"{cls.__module__}:{cls.__qualname__}", **held}
    if isinstance(value, tuple | list):
        return [encode(v) for v in value]
    if isinstance(value, frozenset):
        return {"set": sorted(value)}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, Mapping):
        return {"map": [[k, encode(v)] for k, v in value.items()]}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise UnusableData(f"{value!r} is no plain value: the fields of a part must be numbers, texts, tuples or parts.")


def decode(value: Any) -> Any:
    """Return what `encode` was given; modules are imported as named."""
    if isinstance(value, list):
        return tuple(decode(v) for v in value)
    if not isinstance(value, dict):
        return value
    if "set" in value:
        return frozenset(value["set"])
    if "path" in value:
        return Path(value["path"])
    if "map" in value:
        return {k: decode(v) for k, v in value["map"]}
    module, _, qualname = value["is"].partition(":")
    cls: Any = importlib.import_module(module)
    for name in qualname.split("."):
        cls = getattr(cls, name)
    return cls(**{k: decode(v) for k, v in value.items() if k != "is"})
