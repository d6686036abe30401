"""A task from one's own table."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.dataset import Card, Dataset, Origin, Split
from ..data.kinds import TASK_KINDS
from ..data.tables import read_table
from ..errors import MissingData, UnknownName, UnusableData
from ..scoring.metrics import METRICS

if TYPE_CHECKING:
    from ..data.files import Files

EVERY = 5  # one row of so many is held out


@dataclass(frozen=True)
class TableTask:
    """A task whose examples stand in a csv, tsv, parquet or jsonl file; lists of words or passages need the latter two.

    Parameters
    ----------
    name : str
        What to call it.
    file : str or Path
        The training examples.
    kind : str
        One of `cogbench.TASK_KINDS`.
    columns : tuple of (column of the kind, column of the file) pairs
        Such as `(("text", "review"), ("label", "stars"))`; those that are called the same need not be named.
    evaluation_file : str or Path, optional
        The examples to score on; without it every fifth row of `file` is held out for that.
    metric : str
        One of `cogbench.METRICS`; by default the first that is for this kind.
    description : str
        A paragraph that says what the task is, for its card and for estimators that read it.

    Notes
    -----
    Classes and tags may be texts or numbers: they are numbered as their sorted distinct values in the training rows,
    after `O` for tags.
    """

    name: str
    file: str
    kind: str = "classification"
    columns: tuple[tuple[str, str], ...] = ()
    evaluation_file: str | None = None
    metric: str = ""
    suite: str = "own"
    card: Card = field(default=Card(rows=0, licence="one's own", description=""))
    description: str = ""

    def __post_init__(self) -> None:
        for name in ("file", "evaluation_file"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, str(getattr(self, name)))
        if self.kind not in TASK_KINDS:
            raise UnknownName.of("kind of task", self.kind, TASK_KINDS, there="Known")
        if isinstance(self.columns, dict):
            object.__setattr__(self, "columns", tuple(self.columns.items()))
        if not self.metric:
            usual = next((name for name, metric in METRICS.items() if self.kind in metric.kinds), "")
            object.__setattr__(self, "metric", usual)
        if self.description:
            object.__setattr__(self, "card", replace(self.card, description=self.description))

    def load(self, split: Split, files: "Files") -> Dataset:
        """Read one split."""
        train = self._columns(Path(self.file))
        held_out = self.evaluation_file is None
        rows = train if held_out or split == "train" else self._columns(Path(self.evaluation_file or ""))
        if held_out:
            keep = [i for i in range(len(rows["label"])) if (i % EVERY == EVERY - 1) == (split == "evaluation")]
            rows = {name: [column[i] for i in keep] for name, column in rows.items()}
        origin = Origin(self.file)
        empty = next((i for i, label in enumerate(train["label"]) if label in (None, "")), None)
        if empty is not None:
            raise UnusableData(f"task {self.name!r}: row {empty} of {self.file!r} has no label.")
        if held_out and 0 < (n := len(train["label"])) < EVERY:
            raise UnusableData(
                f"task {self.name!r}: {self.file!r} has {n} row(s); every fifth is held out to score on, so it takes "
                f"at least {EVERY}, or a file of its own for the evaluation."
            )
        tags = self.kind == "tagging"
        if not (tags or TASK_KINDS[self.kind].classes):
            return Dataset(self.kind, rows, (), origin)
        seen = {tag for row in train["label"] for tag in row} if tags else {*train["label"]}
        classes = sorted(seen, key=lambda label: (label != "O", str(label)))
        if not tags and len(classes) == 1:
            raise UnusableData(
                f"task {self.name!r}: all rows of {self.file!r} have the label {classes[0]!r}; expected two classes or "
                "more."
            )
        number = {label: i for i, label in enumerate(classes)}
        labels = [[number.get(t, -1) for t in v] if tags else number.get(v, -1) for v in rows["label"]]
        return Dataset(self.kind, {**rows, "label": labels}, tuple(map(str, classes)), origin)

    def _columns(self, path: Path) -> dict[str, list]:
        if not path.is_file():
            raise MissingData(f"task {self.name!r}: no file {str(path)!r}.")
        found = read_table(path).columns
        of = dict(self.columns)
        every = [c for c in TASK_KINDS[self.kind].columns if not c.endswith("?") or c[:-1] in {*of, *found}]
        wanted = [c.removesuffix("?") for c in every]
        missing = [of.get(c, c) for c in wanted if of.get(c, c) not in found]
        if missing:
            raise UnusableData(
                f"task {self.name!r}: {str(path)!r} lacks column {', '.join(missing)}; it has {', '.join(found)}."
            )
        return {c: found[of.get(c, c)] for c in wanted}
